"""One training run: a model with its history, the pairs of its fit, and held-out pairs if there are any."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array
from ..model import Outcome, RewardModel
from ..newton import minimise
from ..objective import Objective
from ..pairs import PreferencePairs, check_fit
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from .levels import chi_squared_quantile
from .sample import Sample

__all__ = ["LOG_TWO", "Case", "kept_record", "lowest_loss"]

LOG_TWO = float(np.log(2.0))
ENOUGH = 5  # pairs for each parameter, below which the chi-squared distribution is a poor guide
MOST_NUMBERS, MOST_FEATURES = 4_000_000, 1000  # beyond these, the attainable loss is not computed
THINNED = 1_000_000  # numbers in the features with which a check begins; only a finding is checked on all pairs


class Case:
    """What the checks look at."""

    def __init__(
        self,
        model: RewardModel,
        pairs: PreferencePairs,
        validation: PreferencePairs | None,
        annotators: NDArray[np.int64] | None,
        names: list[str],
        initial: Array | None,
    ) -> None:
        self.model, self.scorer, self.annotators, self.annotator_names = model, model.scorer, annotators, names
        self.initial = initial
        for part in (pairs, validation):
            if part is not None:
                check_fit(model.scorer, part)
        self.training = Sample(model, pairs, "pairs")
        self.held_out = None if validation is None else Sample(model, validation, "validation")

    @property
    def samples(self) -> list[Sample]:
        """The training pairs, and the held-out pairs if there are any."""
        return [self.training] if self.held_out is None else [self.training, self.held_out]

    @property
    def is_table(self) -> bool:
        """Whether the scorer is a table of items."""
        return isinstance(self.scorer, TableScorer)

    @property
    def is_usual(self) -> bool:
        """Whether the loss is -log sigma(Δ), and the fit was one to pairs."""
        fitted_to = self.model.fitted_to
        return self.model.loss is None and (fitted_to is None or isinstance(fitted_to.pairs, PreferencePairs))

    @property
    def degrees_of_freedom(self) -> int:
        """Free parameters of a scorer linear in φ; for a network, those of a linear scorer with the same features."""
        if isinstance(self.scorer, TableScorer):
            return max(1, self.scorer.n_items - 1)
        return self.scorer.n_parameters if self.scorer.linear_in_phi else self.training.pairs.n_features

    @cached_property
    def losses(self) -> Array:
        """The training loss at each record of the fit, without the penalty."""
        history = self.model.history
        return history["loss"] - 0.5 * self.model.l2 * history["parameter_norm"] ** 2

    @cached_property
    def kept(self) -> int:
        """The record whose parameters the model has."""
        return kept_record(self.model)

    @property
    def is_standardised(self) -> bool:
        """Whether the history is about standardised features, so that its norms are not those of φ."""
        recorded, found = float(self.model.history["parameter_norm"][self.kept]), float(np.linalg.norm(self.model.phi))
        return not self.is_table and abs(recorded - found) > 1e-6 * (recorded + found)

    @property
    def chance(self) -> float:
        """The fall of the mean loss, in nats, that a fit to coin flips exceeds with probability ``LEVEL``.

        Twice the fall of the summed loss is then chi-squared (Wilks 1938).
        """
        return chi_squared_quantile(self.degrees_of_freedom) / (2 * self.training.n)

    @cached_property
    def attainable(self) -> float | None:
        """The lowest training loss of a linear scorer (or table), by Newton's method; None if it is unknown.

        For a scorer linear in φ this is the minimum of the same objective, without the penalty at that minimum.
        """
        pairs, n = self.training.pairs, self.training.pairs.n_pairs
        scorer: Scorer = self.scorer
        if isinstance(scorer, MLPScorer):
            scorer = LinearScorer(scorer.n_features)
        k = scorer.n_parameters
        if not self.is_usual or not scorer.linear_in_phi or n < ENOUGH * k or n * k > MOST_NUMBERS or k > MOST_FEATURES:
            return None
        if self.model.l2 and (self.is_standardised or scorer is not self.scorer):
            return None
        return lowest_loss(scorer, pairs, self.model.l2)

    @cached_property
    def thinned(self) -> Sample:
        """The training pairs, or every so many of them if their features are large."""
        pairs = self.training.pairs
        if pairs.is_items or pairs.chosen.size <= THINNED:
            return self.training
        stride = -(-pairs.chosen.size // THINNED)
        rows = np.arange(0, len(pairs), stride)
        return Sample(self.model, pairs.subset(rows), "pairs")

    def name_of(self, feature: int) -> str:
        """Return the name of a feature."""
        names = self.model.feature_names or self.training.pairs.feature_names
        return names[feature] if names is not None else f"feature {feature}"


def kept_record(model: RewardModel) -> int:
    """Return the record whose parameters the model has: the last one, or the best of gradient descent or Adam."""
    held_out = not np.isnan(model.history["validation_loss"]).any()
    losses = model.history["validation_loss" if held_out else "loss"]
    if model.method == "newton" or (model.outcome is Outcome.CONVERGED and not held_out):
        return len(losses) - 1
    return int(np.argmin(losses) if held_out else np.flatnonzero(losses <= losses.min() * (1 + 1e-15))[-1])


def lowest_loss(scorer: Scorer, pairs: PreferencePairs, l2: float = 0.0) -> float:
    """Return the mean loss at the minimum that Newton's method finds, without the penalty."""
    objective = Objective(scorer, pairs, l2=l2)
    found = minimise(
        objective, objective.at(np.zeros(scorer.n_parameters)), lambda *_: False, max_steps=50, tolerance=1e-9
    )
    return float(found.point.loss - 0.5 * l2 * np.dot(found.point.phi, found.point.phi))
