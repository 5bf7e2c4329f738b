"""Which pairs belong together: those of a prompt, or those with the same label in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import checked
from ..arrays.visible import quoted
from ..logistic import Array
from ..pairs import PreferencePairs

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["VOTES", "Clusters", "clusters_of", "weights_of"]

VOTES = "votes"


class Clusters(NamedTuple):
    """The cluster of each pair or ranking.

    ``of_pair`` has the number of each one's cluster, (n_pairs,), or is None if each is a cluster of its own. ``n``
    counts the clusters with a positive weight. ``is_votes`` says that each unit of weight is a cluster of its own.
    """

    of_pair: NDArray[np.int64] | None
    n: int
    is_votes: bool = False


def clusters_of(pairs: PreferencePairs | PreferenceRankings, clusters: ArrayLike | str | None) -> Clusters:
    """Return the clusters: by default the prompts of pairs, and the clusters of rankings.

    Raises
    ------
    ValueError
        If ``clusters`` does not have one label for each pair or ranking, or there are fewer than two clusters.
    """
    w = weights_of(pairs)
    if isinstance(clusters, str):
        if clusters != VOTES:
            raise ValueError(f"clusters: expected one label for each pair, or {VOTES!r}, got {quoted(clusters)}")
        if (w != np.floor(w)).any():
            raise ValueError(
                f"clusters: expected weights that are whole numbers for {VOTES!r}, got {w[w % 1 > 0][0]:g}"
            )
        return _enough(Clusters(None, int(w.sum()), is_votes=True))
    together = pairs.prompts if isinstance(pairs, PreferencePairs) else pairs.clusters
    if clusters is None and together is None:
        return _enough(Clusters(None, int(np.count_nonzero(w))))
    if clusters is None:
        index = pairs.prompt_index if isinstance(pairs, PreferencePairs) else pairs.cluster_index
    else:
        labels = checked.prompts(clusters, len(pairs), "clusters")
        index = checked.index_by_first_appearance(np.asarray(labels))
    return _enough(Clusters(index, int(np.count_nonzero(np.bincount(index, w) > 0))))


def _enough(clusters: Clusters) -> Clusters:
    if clusters.n < 2:
        raise ValueError(
            f"clusters: expected at least two prompts or clusters with a positive weight, got {clusters.n}"
        )
    return clusters


def weights_of(pairs: PreferencePairs | PreferenceRankings) -> Array:
    """Return the weight of each pair or ranking, (n_pairs,), ones if there are none."""
    if not isinstance(pairs, PreferencePairs):
        return pairs.ranking_weights
    return np.ones(len(pairs)) if pairs.weights is None else pairs.weights
