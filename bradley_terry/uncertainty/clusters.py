"""Which pairs belong together: those of a prompt, or those with the same label in a column.

Contests of items have no prompts. A loader then takes the matchup for the prompt ("Anna vs Bob"), so that a split keeps
both directions of a matchup together. The outcomes of a matchup are still independent of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import checked
from ..arrays.visible import quoted
from ..files.items import matchups_of
from ..logistic import Array
from ..pairs import PreferencePairs

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["VOTES", "Clusters", "are_independent", "clusters_of", "weights_of"]

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
    """Return the clusters: by default the prompts of pairs, unless they are matchups, and the clusters of rankings.

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
    if clusters is not None:
        labels = checked.prompts(clusters, len(pairs), "clusters")
        index = checked.index_by_first_appearance(np.asarray(labels))
    elif are_independent(pairs):
        return _enough(Clusters(None, int(np.count_nonzero(w))))
    else:
        index = pairs.prompt_index if isinstance(pairs, PreferencePairs) else pairs.cluster_index
    return _enough(Clusters(index, int(np.count_nonzero(np.bincount(index, w) > 0))))


def are_independent(pairs: PreferencePairs | PreferenceRankings) -> bool:
    """Return whether no pairs belong together: there are no prompts, or each only names the two items."""
    if not isinstance(pairs, PreferencePairs):
        return pairs.clusters is None
    if pairs.prompts is None or pairs.feature_names is None or not pairs.is_items:
        return pairs.prompts is None
    index = pairs.prompt_index
    first = np.unique(index, return_index=True)[1]
    for item in (np.minimum(pairs.chosen, pairs.rejected), np.maximum(pairs.chosen, pairs.rejected)):
        if (item != item[first][index]).any():
            return False
    names = matchups_of(pairs.chosen[first].tolist(), pairs.rejected[first].tolist(), pairs.feature_names)
    return bool(pairs.prompts[first].tolist() == names)


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
