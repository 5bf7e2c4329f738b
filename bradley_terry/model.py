"""The reward model: a fitted scorer that gives rewards, standard errors and a summary, and is saved without pickle."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .arrays import given, single
from .arrays.shown import Text
from .arrays.visible import quoted, visible
from .evaluation import Evaluation, evaluate, margins_of
from .fitting.matching import matched
from .logistic import Array
from .losses import PairLoss
from .pairs import PreferencePairs
from .preference import preference_probability
from .scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from .uncertainty.methods import Uncertainty

if TYPE_CHECKING:
    from pathlib import Path

    from .ranking.rankings import PreferenceRankings

__all__ = ["HISTORY", "FittedTo", "Outcome", "RewardModel", "make_scorer"]

HISTORY = ("step", "loss", "validation_loss", "accuracy", "gradient_norm", "parameter_norm")


class Outcome(enum.Enum):
    """How a fit ended. The value of each member is a short phrase to print."""

    CONVERGED = "converged"
    STOPPED_EARLY = "stopped early"
    """The validation loss did not improve for ``patience`` records."""
    STOPPED_BY_CALLBACK = "stopped by the callback"
    STEP_LIMIT = "reached the step limit"
    NO_MINIMUM = "found no finite minimum"
    """The loss falls for ever as the rewards grow."""
    NO_DESCENT = "found no step that lowers the loss"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"
    """The loss became infinite."""

    @property
    def is_success(self) -> bool:
        """True if the fit ended as intended, so that its parameters can be used as estimates."""
        return self in {Outcome.CONVERGED, Outcome.STOPPED_EARLY}


class FittedTo(NamedTuple):
    """The pairs and options of a fit. ``loss`` is the loss as it was given, before its parameters were fitted."""

    pairs: PreferencePairs | PreferenceRankings
    loss: PairLoss | None = None
    standardise: bool = False
    centring: float = 0.0
    bias_reduced: bool = False


@dataclass(frozen=True, eq=False)
class RewardModel(Uncertainty):
    """A scorer together with its fitted parameters.

    Attributes
    ----------
    scorer : Scorer
    phi : array, (n_parameters,)
        The fitted parameters, read-only. The rewards of a table sum to zero.
    history : dict of arrays, with one value for each record
        step, loss, validation_loss (NaN without validation), accuracy, gradient_norm, parameter_norm.
    converged : bool
        True if the fit ended as intended: it converged, or stopped early at the best validation loss.
    message : str
        A sentence that says why the fit stopped.
    feature_names : tuple of str, or None
        One name for each feature, or for each item of a table.
    l2 : float
    method : str
    information : array, (n_parameters, n_parameters), or None
        (Σ w)·d²L/dφ² at φ, the observed information, for scorers linear in φ with at most 3,000 parameters.
    outcome : Outcome
        How the fit ended. If it is omitted or contradicts ``converged``, it becomes CONVERGED or STEP_LIMIT.
    loss : PairLoss, or None for -log sigma
        The loss that was minimised. If it has parameters that were fitted with φ, it holds their values.
    fitted_to : FittedTo, or None
        The pairs and options of the fit, if the scorer is linear in φ. ``save`` does not write them to the file.
    """

    scorer: Scorer
    phi: Array
    history: dict[str, Array] = field(repr=False)
    converged: bool
    message: str
    feature_names: tuple[str, ...] | None = field(default=None, repr=False)
    l2: float = 0.0
    method: str = ""
    information: Array | None = field(default=None, repr=False)
    outcome: Outcome = None  # type: ignore[assignment]  # __post_init__ puts an Outcome here
    loss: PairLoss | None = field(default=None, repr=False)
    fitted_to: FittedTo | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        outcome = None if self.outcome is None else Outcome(self.outcome)
        if outcome is None or outcome.is_success != self.converged:  # as in dataclasses.replace(model, converged=False)
            outcome = Outcome.CONVERGED if self.converged else Outcome.STEP_LIMIT
        object.__setattr__(self, "outcome", outcome)

    def __repr__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED"
        return visible(f"RewardModel({self.scorer}, {state}: {self.message.removeprefix('not converged: ')})", 2000)

    @property
    def parameters(self) -> dict[str, Array]:
        """The named blocks of φ, as read-only views."""
        return self.scorer.unpack(self.phi)

    def reward(self, features: ArrayLike) -> Array:
        """Return r_φ for each row of features (or each item number), (n,), in log-odds.

        Rewards of answers to different prompts cannot be compared: the data say nothing about their difference.
        """
        return self.scorer.reward(self.phi, given.real(features, "features"))

    def margins(self, pairs: PreferencePairs) -> Array:
        """Return Δ = r_φ(x, y_chosen) - r_φ(x, y_rejected) for each pair, (n_pairs,), in log-odds.

        Items are matched by name if the pairs and the model have names; features with other names are refused.
        """
        return margins_of(self.scorer, self.phi, matched(self.scorer, self.feature_names, pairs))

    def preference_probability(self, features_a: ArrayLike, features_b: ArrayLike) -> Array:
        """Return P(a preferred to b) for each row, (n,): sigma(r_a - r_b), or another function if ``loss`` has one."""
        x, y = given.real(features_a, "features_a"), given.real(features_b, "features_b")
        self.scorer.check_features(x, "features_a")
        self.scorer.check_features(y, "features_b")
        a, b = self.reward(x), self.reward(y)
        given.check_broadcast(rewards_a=a, rewards_b=b)
        its_own = getattr(self.loss, "probability", None)
        return preference_probability(a, b) if its_own is None else its_own(a - b)

    def evaluate(
        self, pairs: PreferencePairs, *, n_bins: int = 10, n_bootstrap: int = 2000, seed: single.Seed = 0
    ) -> Evaluation:
        """Measure how good this model is on pairs; see ``bradley_terry.evaluate``."""
        return evaluate(self, pairs, n_bins=n_bins, n_bootstrap=n_bootstrap, seed=seed)

    def _check_minimum(self, kind: str = "information") -> None:
        """Raise ValueError unless φ is a minimum at which this kind of standard errors makes sense."""
        if not self.scorer.linear_in_phi:
            raise ValueError(f"standard errors: expected a scorer that is linear in phi, got {self.scorer}")
        if self.outcome is not Outcome.CONVERGED:
            said = visible(self.message.removeprefix("not converged: "), 1000)
            raise ValueError(f"standard errors: expected a fit that converged, got one that did not: {said}")
        if kind == "information" and not getattr(self.loss, "is_likelihood", True):
            raise ValueError(
                f"standard errors: expected a loss that is a negative log-likelihood, got {self.loss}; "
                "use kind='sandwich'"
            )
        if not getattr(self.loss, "bends", True):
            raise ValueError(f"standard errors: expected a loss with positive curvature, got {self.loss}")

    def estimates(self, reference: int | str | None = None) -> Array:
        """Return φ, (n_parameters,). For a table with a reference item, these are the rewards relative to that item."""
        item = self._item(reference)
        if item is None:
            return self.phi
        if not isinstance(self.scorer, TableScorer):
            raise ValueError(f"reference: expected None for {self.scorer}; only a table's rewards can shift together")
        relative: Array = self.phi - self.phi[item]
        return relative

    def summary(self) -> Text:
        """Return a text that says what was fitted, how the fit ended, and what the parameters are."""
        from .fitting.summaries import summary  # noqa: PLC0415  # imported only when a summary is read

        return Text(summary(self))

    def _items(self, items: Sequence[int | str]) -> list[int]:
        return [item for wanted in single.names("items", items) if (item := self._item(wanted, "items")) is not None]

    def _item(self, wanted: int | str | None, argument: str = "reference") -> int | None:
        if isinstance(wanted, str):
            if self.feature_names is None or wanted not in self.feature_names:
                raise ValueError(f"{argument}: expected one of {quoted(self.feature_names)}, got {quoted(wanted)}")
            return self.feature_names.index(wanted)
        if wanted is None:
            return None
        if not single.is_whole(wanted):
            raise TypeError(f"{argument}: expected an item's number or name, got {quoted(wanted)}")
        if not -self.phi.size <= wanted < self.phi.size:
            raise ValueError(f"{argument}: expected an item from 0 to {self.phi.size - 1}, got {quoted(int(wanted))}")
        return int(wanted)

    def save(self, path: str | Path) -> None:
        """Write the model as an NPZ file of arrays and one JSON text. The same model always gives the same bytes."""
        from .files.models import save_model  # noqa: PLC0415  # imported only when a file is written

        save_model(self, path)

    @staticmethod
    def load(path: str | Path) -> RewardModel:
        """Read a model that ``save`` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a model of this package, or is damaged.
        """
        from .files.models import load_model  # noqa: PLC0415  # imported only when a file is read

        return load_model(path)


def make_scorer(kind: str, **sizes: object) -> Scorer:
    """Make a scorer from the name of its class and its sizes, as saved in a model file."""
    classes = {"LinearScorer": LinearScorer, "MLPScorer": MLPScorer, "TableScorer": TableScorer}
    if kind not in classes:
        raise ValueError(f"scorer: expected one of {', '.join(classes)}, got {quoted(kind)}")
    scorer: Scorer = classes[kind](**sizes)
    return scorer


def read_only(array: ArrayLike, dtype: type = np.float64) -> Array:
    """Return a copy that cannot be written to."""
    array = np.array(array, dtype=dtype)
    array.flags.writeable = False
    return array
