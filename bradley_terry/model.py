"""The reward model: a fitted scorer that gives rewards, standard errors and a summary, and is saved without pickle."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .arrays.shown import Text
from .evaluation import Evaluation, evaluate, margins_of
from .inference import covariance
from .logistic import Array
from .pairs import PreferencePairs
from .preference import preference_probability
from .scorers import LinearScorer, MLPScorer, Scorer, TableScorer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HISTORY", "Outcome", "RewardModel", "make_scorer"]

HISTORY = ("step", "loss", "validation_loss", "accuracy", "gradient_norm", "parameter_norm")
ROWS_OF_A_SUMMARY = 20


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
    DIVERGED = "diverged"
    """The loss became infinite."""

    @property
    def is_success(self) -> bool:
        """True if the fit ended as intended, so that its parameters can be used as estimates."""
        return self in {Outcome.CONVERGED, Outcome.STOPPED_EARLY}


@dataclass(frozen=True, eq=False)
class RewardModel:
    """A scorer together with its fitted parameters.

    Attributes
    ----------
    scorer : Scorer
    phi : array, (n_parameters,)
        The fitted parameters, read-only. A table's rewards sum to zero.
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
        Σ w · d²L/dφ² at φ, for scorers linear in φ.
    outcome : Outcome
        How the fit ended. If it is omitted or contradicts ``converged``, it becomes CONVERGED or STEP_LIMIT.
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

    def __post_init__(self) -> None:
        outcome = None if self.outcome is None else Outcome(self.outcome)
        if outcome is None or outcome.is_success != self.converged:  # as in dataclasses.replace(model, converged=False)
            outcome = Outcome.CONVERGED if self.converged else Outcome.STEP_LIMIT
        object.__setattr__(self, "outcome", outcome)

    def __repr__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED"
        return f"RewardModel({self.scorer}, {state}: {self.message.removeprefix('not converged: ')})"

    @property
    def parameters(self) -> dict[str, Array]:
        """The named blocks of φ, as read-only views."""
        return self.scorer.unpack(self.phi)

    def reward(self, features: ArrayLike) -> Array:
        """Return r_φ for each row of features (or each item number), (n,), in log-odds.

        Rewards of answers to different prompts cannot be compared: the data say nothing about their difference.
        """
        return self.scorer.reward(self.phi, np.asarray(features))

    def margins(self, pairs: PreferencePairs) -> Array:
        """Return Δ = r_φ(x, y_chosen) - r_φ(x, y_rejected) for each pair, (n_pairs,), in log-odds."""
        return margins_of(self.scorer, self.phi, pairs)

    def preference_probability(self, features_a: ArrayLike, features_b: ArrayLike) -> Array:
        """Return P(a preferred to b) = sigma(r_a - r_b) for each row, (n,)."""
        return preference_probability(self.reward(features_a), self.reward(features_b))

    def evaluate(
        self, pairs: PreferencePairs, *, n_bins: int = 10, n_bootstrap: int = 2000, seed: int = 0
    ) -> Evaluation:
        """Measure how good this model is on pairs; see ``bradley_terry.evaluation.evaluate``."""
        return evaluate(self, pairs, n_bins=n_bins, n_bootstrap=n_bootstrap, seed=seed)

    def covariance(self, reference: int | str | None = None) -> Array:
        """Return the covariance of φ, the inverse of ``information``. Weights are treated as counts.

        Parameters
        ----------
        reference : int or str, optional
            For a table: the item, by number or name, whose reward is set to 0. Without it the rewards sum to zero.

        Raises
        ------
        ValueError
            If the scorer is not linear in φ, or the data leave a direction of φ undetermined.
        """
        if self.information is None and self.scorer.linear_in_phi:
            raise ValueError("standard errors: expected a model with its information matrix, got None")
        if self.information is None:
            raise ValueError(f"standard errors: expected a scorer that is linear in phi, got {self.scorer}")
        return covariance(self.scorer, self.information, self._item(reference))

    def standard_errors(self, reference: int | str | None = None) -> Array:
        """Return the standard error of each parameter, (n_parameters,); 0 for the reference item."""
        variances = np.maximum(np.diag(self.covariance(reference)), 0.0)  # rounding may leave -1e-19 at the reference
        errors: Array = np.sqrt(variances)
        return errors

    def estimates(self, reference: int | str | None = None) -> Array:
        """Return φ, (n_parameters,). For a table with a reference item, these are the rewards relative to that item."""
        item = self._item(reference)
        if item is None:
            return self.phi
        if not isinstance(self.scorer, TableScorer):
            raise ValueError(f"reference: expected None for {self.scorer}; only a table's rewards can shift together")
        relative: Array = self.phi - self.phi[item]
        return relative

    def intervals(self, level: float = 0.95, reference: int | str | None = None) -> Array:
        """Return an interval for each parameter, (n_parameters, 2), from the normal approximation: φ ± z · error."""
        if not 0 < level < 1:
            raise ValueError(f"level: expected a share between 0 and 1, got {level!r}")
        from statistics import NormalDist  # noqa: PLC0415  # imported here so that the package imports fast

        half = NormalDist().inv_cdf(0.5 + level / 2) * self.standard_errors(reference)
        estimate = self.estimates(reference)
        return np.stack([estimate - half, estimate + half], axis=1)

    def summary(self) -> Text:
        """Return a text that says what was fitted, how the fit ended, and what the parameters are."""
        steps = self.history.get("step", np.zeros(0))
        after = f" after {steps[-1]} step{'' if steps[-1] == 1 else 's'}" if len(steps) else ""
        return Text(
            f"scorer      {self.scorer}\n"
            f"method      {self.method.replace('_', ' ')}{f', l2 = {self.l2:g}' if self.l2 else ''}\n"
            f"outcome     {self.outcome.value}{after}\n"
            f"message     {self.message}\n"
            f"{self._parameter_table() if self.scorer.linear_in_phi else self._parameter_blocks()}"
        )

    def _parameter_blocks(self) -> str:
        blocks = ", ".join(f"{name} {' × '.join(map(str, shape))}" for name, shape in self.scorer.shapes.items())
        return (
            f"parameters  {self.phi.size}: {blocks}\n\n"
            "The parameters have no names, and no standard errors, because the reward is not linear in them."
        )

    def _parameter_table(self) -> str:
        is_table = isinstance(self.scorer, TableScorer)
        kind = "item" if is_table else "feature" if isinstance(self.scorer, LinearScorer) else "parameter"
        names = self.feature_names or ()
        if len(names) != self.phi.size:
            names = tuple(f"{kind} {i}" for i in range(self.phi.size))
        head, columns = [kind, "reward" if is_table else "weight"], [names, [f"{x:+.4g}" for x in self.phi]]
        notes = ["Rewards are in log-odds. Only their differences are determined; here they sum to zero."] * is_table
        size = np.abs(self.phi)
        try:
            errors = self.standard_errors()
        except ValueError as error:
            notes.append(f"There are no standard errors: {str(error).removeprefix('standard errors: ')}.")
        else:
            z = np.divide(self.phi, errors, out=np.zeros(errors.shape), where=errors > 0)
            head += ["standard error", "z"]
            columns += [[f"{x:.4g}" for x in errors], [f"{x:+.1f}" for x in z]]
            notes.append("z is the estimate divided by its standard error.")
            size = np.abs(z)
        if not self.outcome.is_success:
            notes.append("The fit did not end as intended: these are the parameters where it stopped, not estimates.")
        order = np.argsort(-self.phi if is_table else -size, kind="stable")[:ROWS_OF_A_SUMMARY]
        rows = [head, *([column[i] for column in columns] for i in order.tolist())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        rest = [f"and {self.phi.size - len(order)} more"] * (self.phi.size > len(order))
        return "\n".join(["", *lines, *rest, "", *notes])

    def _item(self, reference: int | str | None) -> int | None:
        if isinstance(reference, str):
            if self.feature_names is None or reference not in self.feature_names:
                raise ValueError(f"reference: expected one of {self.feature_names}, got {reference!r}")
            return self.feature_names.index(reference)
        if reference is None:
            return None
        if not isinstance(reference, int | np.integer) or isinstance(reference, bool):
            raise TypeError(f"reference: expected an item's number or name, got {reference!r}")
        if not -self.phi.size <= reference < self.phi.size:
            raise ValueError(f"reference: expected an item from 0 to {self.phi.size - 1}, got {reference}")
        return int(reference)

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
        raise ValueError(f"scorer: expected one of {', '.join(classes)}, got {kind!r}")
    scorer: Scorer = classes[kind](**sizes)
    return scorer


def read_only(array: ArrayLike, dtype: type = np.float64) -> Array:
    """Return a copy that cannot be written to."""
    array = np.array(array, dtype=dtype)
    array.flags.writeable = False
    return array
