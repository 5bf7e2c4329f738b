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

__all__ = ["OTHER_LOSS", "SAME_LOSS", "Case", "kept_record", "lowest_loss", "plain_losses"]

ENOUGH = 5  # pairs for each parameter, below which the chi-squared distribution is a poor guide
MOST_NUMBERS, MOST_FEATURES = 4_000_000, 1000  # beyond these, the attainable loss is not computed
OTHER_LOSS = "the fit did not minimise -log sigma over pairs"
SAME_LOSS = 1e-5  # the rounding of features in single precision, which a fit may have standardised, moves it by less
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
    def is_bounded(self) -> bool:
        """Whether something else than l2 keeps the rewards finite, even if the choices can be separated."""
        fitted_to = self.model.fitted_to
        if fitted_to is not None:
            return fitted_to.bias_reduced or fitted_to.centring > 0
        if not self.scorer.linear_in_phi or self.model.outcome is Outcome.NO_MINIMUM or self.training.losses is None:
            return False
        is_minimum = self.model.method == "newton" and self.model.outcome is Outcome.CONVERGED
        if np.isfinite(self.model.history["validation_loss"]).any() and not is_minimum:
            return False  # the history may be that of a part of the pairs
        # A saved model does not say how it was fitted, but the losses of its history are then not those of the pairs.
        recorded, found = self.losses[self.kept], np.dot(self.training.w, self.training.losses) / self.training.w.sum()
        return not np.isclose(recorded, found, rtol=SAME_LOSS, atol=SAME_LOSS)

    @property
    def degrees_of_freedom(self) -> int:
        """Free parameters of a scorer linear in φ; for a network, those of a linear scorer with the same features."""
        if isinstance(self.scorer, TableScorer):
            return max(1, self.scorer.n_items - 1)
        return self.scorer.n_parameters if self.scorer.linear_in_phi else self.training.pairs.n_features

    @cached_property
    def losses(self) -> Array:
        """The training loss at each record of the fit, without the penalty."""
        return plain_losses(self.model)

    @cached_property
    def equal_loss(self) -> float:
        """The training loss if both answers of every pair have the same reward: log 2 without target margins."""
        return self.training.mean(self.training.equal_losses).mean

    @property
    def has_true_odds(self) -> bool:
        """Whether the model gives log-odds that claim to be those of the choices. With target margins they do not."""
        return all(one.log_odds is not None and one.pairs.target_margins is None for one in self.samples)

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

        Twice the fall of the summed loss is then chi-squared (Wilks 1938), times the dispersion of the pairs. That is
        too much for large target margins m. There the loss falls by at most the mean of its slope times Δ, and so by no
        more than √(χ²/n) times the root mean square of Δ (Cauchy-Schwarz), while the fit aims at margins like m.
        """
        sample, least = self.training, chi_squared_quantile(self.degrees_of_freedom)
        by_curvature, m = sample.dispersion * least / (2 * sample.n), sample.pairs.target_margins
        if m is None or not m.any():
            return by_curvature
        return min(by_curvature, float(np.sqrt(least / sample.n)) * float(np.abs(m).max()))

    @cached_property
    def attainable(self) -> float | str:
        """The lowest training loss of a linear scorer (or table), by Newton's method; or why it is unknown.

        For a scorer linear in φ this is the minimum of the same objective, without the penalty at that minimum.
        """
        pairs, n = self.training.pairs, self.training.pairs.n_pairs
        scorer: Scorer = self.scorer
        if isinstance(scorer, MLPScorer):
            scorer = LinearScorer(scorer.n_features)
        k = scorer.n_parameters
        if not self.is_usual:
            return OTHER_LOSS
        if not scorer.linear_in_phi:
            return "the lowest loss of this scorer is unknown"
        if n < ENOUGH * k:
            return f"there are fewer than {ENOUGH} pairs for each parameter"
        if n * k > MOST_NUMBERS or k > MOST_FEATURES:
            return "the lowest loss would take long to compute for so many pairs and parameters"
        if self.model.l2 and (self.is_standardised or scorer is not self.scorer):
            return "the lowest loss is unknown with this penalty"
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


def plain_losses(model: RewardModel) -> Array:
    """Return the training loss at each record of the fit, without the penalty; infinite where the fit diverged."""
    losses, norms = np.array(model.history["loss"]), model.history["parameter_norm"]
    finite = np.isfinite(losses) & np.isfinite(norms)
    losses[finite] -= 0.5 * (np.sqrt(model.l2) * norms[finite]) ** 2
    return losses


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
