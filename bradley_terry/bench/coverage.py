"""How often 95 % intervals contain the truth, in simulated fits: ``bradley-terry bench --coverage``.

Each fit has new choices, drawn from the Bradley-Terry model with a known φ. A correct interval contains φ in
95 % of the fits. Every kind is shown where it should hold, and the information also where it should not: with three
annotators who vote on the same pair, and with ties that count as half wins.

Their votes depend on each other, but each vote alone follows the model with the same φ, so that the fit itself stays
right: each annotator prefers a if a uniform number is below P(a preferred), and with probability 0.7 all three share
that number. Adding a random margin to each pair instead would change the model, and with it the φ that is estimated.

Ties are drawn such that half-win labels still have the mean p = P(a preferred): a tie has the probability 2·τ·p·(1 -
p), one half of which is taken from a win and the other half from a loss. The variance of a label is then
p·(1 - p)·(1 - τ/2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..fitting.interrupts import only_whole_fits
from ..logistic import Array, sigmoid
from ..model import RewardModel
from ..pairs import PreferencePairs
from ..scorers import Features, LinearScorer, TableScorer
from ..training import fit

__all__ = ["SCENARIOS", "Coverage", "Row", "Scenario", "measure_coverage"]

N_FITS, N_BOOTSTRAPPED, RESAMPLES = 2000, 300, 50
LEVEL = 0.95
SHARED = 0.7  # how often the annotators of a pair share one uniform number
TIES = 0.87  # τ: 43 % of ties between equal answers, so that 39 % of the pairs below are ties
WEIGHTS = np.array([0.4, -0.3, 0.2])
REWARDS = np.array([0.8, 0.4, 0.0, -0.3, -0.9])  # they sum to zero, as those of a fit do
PROBABILITY = "probability"  # of choices between new answers, which no fit has seen
NEW_A, NEW_B = np.random.default_rng(99).normal(size=(2, 4, 3))


@dataclass(frozen=True)
class Scenario:
    """What is simulated, and for each kind of interval whether it should contain the truth in 95 % of the fits."""

    name: str
    draw: Callable[[np.random.Generator], PreferencePairs]
    truth: Array
    kinds: tuple[tuple[str, bool], ...]

    def fit(self, rng: np.random.Generator) -> RewardModel:
        """Return the model of one simulated data set."""
        pairs = self.draw(rng)
        return fit(TableScorer(self.truth.size) if pairs.is_items else LinearScorer(self.truth.size), pairs)


@dataclass(frozen=True)
class Row:
    """The shares of intervals that contained the truth, one for each parameter (or probability)."""

    name: str
    kind: str
    n_fits: int
    shares: tuple[float, ...]
    holds: bool

    @property
    def bounds(self) -> tuple[float, float]:
        """The range around 0.95 in which honest intervals are: ± 0.02, or four standard errors if fits are few."""
        half = max(0.02, 4 * np.sqrt(LEVEL * (1 - LEVEL) / self.n_fits))
        return LEVEL - half, min(LEVEL + half, 1.0)

    @property
    def is_inside(self) -> bool:
        """Whether every share is within the bounds."""
        low, high = self.bounds
        return all(low <= share <= high for share in self.shares)

    @property
    def is_as_expected(self) -> bool:
        """Whether every share is within the bounds, or every one outside where the intervals should fail."""
        low, high = self.bounds
        return self.is_inside if self.holds else all(not low <= share <= high for share in self.shares)


@dataclass(frozen=True)
class Coverage:
    """All rows, as a table or as plain types."""

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [
            "How many 95 % intervals contain the truth, for the parameter with the lowest and the highest share",
            f"{'':<{width}}  {'kind':<12}{'fits':>6}{'lowest':>9}{'highest':>9}  expected",
        ]
        for row in self.rows:
            low, high = row.bounds
            expected = f"{'' if row.holds else 'not '}{low:.0%} to {high:.0%}{'' if row.is_as_expected else ' ✗'}"
            share = f"{min(row.shares):>9.1%}{max(row.shares):>9.1%}"
            lines.append(f"{row.name:<{width}}  {row.kind:<12}{row.n_fits:>6,}{share}  {expected}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return everything in plain types."""
        return {
            "rows": [
                {
                    "name": row.name,
                    "kind": row.kind,
                    "fits": row.n_fits,
                    "shares": list(row.shares),
                    "bounds": list(row.bounds),
                    "holds": row.holds,
                    "as_expected": row.is_as_expected,
                }
                for row in self.rows
            ]
        }


def _choices(
    margins: Array, uniform: Array, a: Features, b: Features, prompts: NDArray[np.int64] | None = None
) -> PreferencePairs:
    """Return pairs in which a is chosen where the uniform number is below sigma(Δ)."""
    first = uniform < sigmoid(margins)
    first = first if a.ndim == 1 else first[:, None]
    return PreferencePairs(np.where(first, a, b), np.where(first, b, a), prompts=prompts)


def _of_features(rng: np.random.Generator, n: int = 400) -> PreferencePairs:
    a, b = rng.normal(size=(2, n, 3))
    return _choices((a - b) @ WEIGHTS, rng.uniform(size=n), a, b)


def _of_items(rng: np.random.Generator) -> PreferencePairs:
    i, j = (np.repeat(side, 40).astype(np.int64) for side in np.triu_indices(REWARDS.size, 1))
    return _choices(REWARDS[i] - REWARDS[j], rng.uniform(size=i.size), i, j)


def _of_three_annotators(rng: np.random.Generator, n: int = 200) -> PreferencePairs:
    a, b = np.repeat(rng.normal(size=(2, n, 3)), 3, axis=1)
    own, shared = rng.uniform(size=(n, 3)), rng.uniform(size=(n, 1))
    uniform = np.where(rng.uniform(size=(n, 1)) < SHARED, shared, own).ravel()
    return _choices((a - b) @ WEIGHTS, uniform, a, b, prompts=np.repeat(np.arange(n), 3))


def _of_ties(rng: np.random.Generator, n: int = 400) -> PreferencePairs:
    a, b = rng.normal(size=(2, n, 3))
    p, uniform = sigmoid((a - b) @ WEIGHTS), rng.uniform(size=n)
    tie = 2 * TIES * p * (1 - p)
    win = p - tie / 2
    return PreferencePairs(a, b, labels=np.where(uniform < win, 1.0, np.where(uniform < win + tie, 0.5, 0.0)))


SCENARIOS = (
    Scenario(
        "linear scorer, independent pairs",
        _of_features,
        WEIGHTS,
        (("information", True), ("sandwich", True), (PROBABILITY, True)),
    ),
    Scenario("table of five items", _of_items, REWARDS, (("information", True), ("sandwich", True))),
    Scenario(
        "three annotators vote on each pair",
        _of_three_annotators,
        WEIGHTS,
        (("information", False), ("sandwich", True), ("bootstrap", True)),
    ),
    Scenario("39 % ties as half wins", _of_ties, WEIGHTS, (("information", False), ("sandwich", True))),
)
"""What the command simulates."""


@only_whole_fits()
def measure_coverage(
    n_fits: int = N_FITS, n_bootstrapped: int = N_BOOTSTRAPPED, *, tell: Callable[[str], object] = lambda _: None
) -> Coverage:
    """Simulate every scenario; only the first fits are bootstrapped, since that repeats each of them 50 times."""
    rows: list[Row] = []
    for seed, scenario in enumerate(SCENARIOS):
        tell(f"{n_fits:,} fits: {scenario.name} …")
        rows += _rows(scenario, n_fits, n_bootstrapped, seed)
    return Coverage(tuple(rows))


def _rows(scenario: Scenario, n_fits: int, n_bootstrapped: int, seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    found: dict[str, list[Array]] = {kind: [] for kind, _ in scenario.kinds}
    for b in range(n_fits):
        model = scenario.fit(rng)
        for kind, contains in found.items():
            if kind != "bootstrap" or b < n_bootstrapped:
                contains.append(_contains(model, kind, scenario.truth, seed=b))
    return [
        Row(scenario.name, kind, len(found[kind]), tuple(np.mean(found[kind], axis=0).tolist()), holds)
        for kind, holds in scenario.kinds
    ]


def _contains(model: RewardModel, kind: str, truth: Array, *, seed: int) -> Array:
    """Return for each parameter (or probability) whether the interval contains the truth."""
    if kind == PROBABILITY:
        truth = sigmoid((NEW_A - NEW_B) @ truth)
        low, high = model.probability_intervals(NEW_A, NEW_B, level=LEVEL).T
    elif kind == "bootstrap":
        low, high = model.intervals(LEVEL, kind=kind, n_bootstrap=RESAMPLES, seed=seed).T
    else:
        low, high = model.intervals(LEVEL, kind=kind).T
    return (low <= truth) & (truth <= high)
