"""The bootstrap: draw as many clusters as there are, with replacement, and fit again; the spread of φ is the error."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from ..fitting.arguments import generator
from ..fitting.conjugate import is_dense
from ..fitting.determined import null_directions
from ..fitting.records import Bar
from ..fitting.tally import tallied
from ..fitting.units import Units
from ..graphs import count_connected, is_strong
from ..graphs.wins import met, wins
from ..logistic import Array
from ..losses import BradleyTerryLoss, PairLoss
from ..model import FittedTo, Outcome, RewardModel
from ..newton import minimise
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer, check_size
from .clusters import Clusters, weights_of

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["resampled_parameters"]

STEPS, TOLERANCE = 100, 1e-9  # of each fit, as in ``fit``


def resampled_parameters(
    model: RewardModel, data: FittedTo, clusters: Clusters, *, n_bootstrap: int, seed: int, progress: bool
) -> Array:
    """Return φ of each resample, (n_bootstrap, n_parameters). A table's rewards sum to zero.

    Raises
    ------
    ValueError
        If a resample has no finite fit, for example because some item won all of its comparisons in it.
    """
    check_size("n_bootstrap", n_bootstrap)
    if n_bootstrap < 2:
        raise ValueError(f"n_bootstrap: expected at least 2 resamples, got {n_bootstrap}")
    scorer, phi = model.scorer, model.phi
    pairs = cast("PreferencePairs", data.pairs)  # rankings offer what is used below, too
    units = None
    if data.standardise and not isinstance(scorer, TableScorer):
        units = Units.unless_theirs(pairs)
    if units is not None:
        pairs, phi = units.standardised(pairs), units.parameters_for_standardised(scorer, phi)
    rng, w, found, n_failed = generator(seed), weights_of(pairs), [], 0
    counts = _Counts(clusters, w)
    with Bar(progress, "bootstrap", n_bootstrap) as bar:
        for b in range(n_bootstrap):
            sample = data._replace(pairs=_reweighted(pairs, w * counts.draw(rng)))
            new, loss = _fitted_again(scorer, sample, model.l2, phi)
            n_failed += new is None
            found += [] if new is None else [new if units is None else units.undone(scorer, new, None)[0]]
            bar.update(b + 1, loss)
    if n_failed:
        raise ValueError(
            f"standard errors: expected a finite fit to each resample, got {n_failed} of {n_bootstrap} without one; "
            "use l2 > 0 in the fit, or kind='sandwich'"
        )
    return np.array(found)


class _Counts:
    """Draws how often each pair is in a resample of clusters."""

    def __init__(self, clusters: Clusters, w: Array) -> None:
        self.index = np.arange(w.size) if clusters.of_pair is None else clusters.of_pair
        self.votes = w if clusters.is_votes else None
        self.drawn = np.flatnonzero(np.bincount(self.index, w) > 0)  # clusters of weight 0 are no data
        self.n = int(self.index.max()) + 1

    def draw(self, rng: np.random.Generator) -> Array:
        if self.votes is not None:
            total = self.votes.sum()
            return rng.multinomial(int(total), self.votes / total) / np.where(self.votes > 0, self.votes, 1.0)
        times = np.bincount(rng.choice(self.drawn, size=self.drawn.size), minlength=self.n)
        return times[self.index].astype(np.float64)


def _reweighted(pairs: PreferencePairs | PreferenceRankings, w: Array) -> PreferencePairs | PreferenceRankings:
    if isinstance(pairs, PreferencePairs):
        return replace(pairs, weights=w)
    return replace(pairs, weights=w[pairs.prompt_index])


def _fitted_again(scorer: Scorer, data: FittedTo, l2: float, phi: Array) -> tuple[Array | None, float]:
    """Return φ of this sample, or None if it has no finite and unique one, and the loss."""
    sample = cast("PreferencePairs", data.pairs)  # rankings offer what is used below, too
    is_free = l2 == 0 and data.centring == 0
    if is_free and isinstance(scorer, TableScorer) and not _has_table_fit(scorer, sample, data.loss):
        return None, float("nan")
    sample = tallied(sample, scorer) if data.loss is None and not data.centring else sample
    objective = Objective(scorer, sample, l2=l2, centring=data.centring, loss=data.loss)
    found = minimise(objective, objective.at(phi), lambda *_: False, max_steps=STEPS, tolerance=TOLERANCE)
    if found.outcome is not Outcome.CONVERGED:
        return None, found.point.loss
    new = found.point.phi
    if isinstance(scorer, TableScorer):
        return new - new.mean(), found.point.loss
    if l2 == 0 and is_dense(new.size):
        hessian = objective.hessian(new) if found.hessian is None else found.hessian
        if null_directions(hessian).shape[1]:
            return None, found.point.loss
    return new, found.point.loss


def _has_table_fit(scorer: TableScorer, sample: PreferencePairs, loss: PairLoss | None) -> bool:
    """Return whether all items met, and -log sigma and Plackett-Luce have a finite minimum (Ford 1957)."""
    if count_connected(scorer.n_items, *met(sample)) > 1:
        return False
    return type(loss) not in {type(None), BradleyTerryLoss} or is_strong(scorer.n_items, *wins(sample))
