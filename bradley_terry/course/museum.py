"""The bug museum: mistakes found in published code, each with the wrong function, how it hides, and what catches it.

    for exhibit in EXHIBITS:
        print(exhibit)             what it does, how it hides
        print(exhibit.hides())     evidence: numbers that look well
        print(exhibit.caught())    the check that tells

None of them crashes. Most let the loss fall, which is why they lived: a gradient that is wrong in length or in a few
entries still points downhill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation import mean_accuracy
from ..gradient_check import check_gradient
from ..logistic import sigmoid
from ..losses import mean_loss, pair_loss_gradients, pair_losses
from ..objective import Objective
from ..pairs import PreferencePairs
from ..preference import loss_floor, sample_preferences
from ..scorers import LinearScorer, MLPScorer, TableScorer
from . import check

__all__ = ["EXHIBITS", "Exhibit"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Exhibit:
    """One mistake.

    Attributes
    ----------
    name : str
    wrong : callable
        The wrong function itself; what it takes is said in ``what``.
    what, hidden_by, caught_by : str
        What it does, why nobody sees it, which check sees it.
    hides, caught : callables, () -> str
        The evidence for either, computed when called.
    """

    name: str
    wrong: Callable[..., object]
    what: str
    hidden_by: str
    caught_by: str
    hides: Callable[[], str]
    caught: Callable[[], str]

    def __str__(self) -> str:
        return f"{self.name}\n  what   {self.what}\n  hides  {self.hidden_by}\n  caught {self.caught_by}"


def _pairs(n: int = 60) -> PreferencePairs:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, n, 3))
    truth = np.array([1.0, -1.0, 0.5])
    won = np.asarray(sample_preferences(a @ truth, b @ truth, rng))[:, None]
    return PreferencePairs(np.where(won, a, b), np.where(won, b, a))


LINEAR = Objective(LinearScorer(3), _pairs(), backend="numpy")
RIDGE = Objective(LinearScorer(3), _pairs(), l2=0.1, backend="numpy")
CONTESTS = PreferencePairs([0, 0, 1, 2, 3, 0, 1, 0], [1, 2, 2, 3, 0, 3, 3, 1])
TABLE = Objective(TableScorer(4), CONTESTS, backend="numpy")
ONCE = Objective(TableScorer(4), PreferencePairs([0, 2], [1, 3]), backend="numpy")
HERE = {3: np.array([0.4, -0.2, 0.7]), 4: np.array([0.3, -0.5, 0.1, 0.6])}  # where gradients are checked


def _falls(objective: Objective, wrong: Callable[[Array], Array]) -> str:
    """Descend along a wrong gradient and tell what the loss does."""
    phi = np.zeros(objective.scorer.n_parameters)
    losses = []
    for _ in range(30):
        losses.append(objective(phi)[0])
        phi = phi - 0.3 * wrong(phi)
    return f"the loss falls from {losses[0]:.3f} to {losses[-1]:.3f} in 30 steps"


def _passes(objective: Objective, wrong: Callable[[Array], Array], where: str, phi: Array) -> str:
    passed = check_gradient(lambda at: (objective(at)[0], wrong(at)), phi).passed
    return f"{where} it {'passes' if passed else 'fails'} every check"


def _report(objective: Objective, wrong: Callable[[Array], Array]) -> str:
    phi = HERE[objective.scorer.n_parameters]
    return repr(check_gradient(lambda at: (objective(at)[0], wrong(at)), phi, objective=objective))


def _of_gradient(
    name: str,
    objective: Objective,
    wrong: Callable[[Array], Array],
    what: str,
    hidden_by: str,
    hides: Callable[[], str] | None = None,
) -> Exhibit:
    return Exhibit(
        name, wrong, what, hidden_by, "check_gradient, away from zero",
        hides or (lambda: _falls(LINEAR, wrong)), lambda: _report(objective, wrong),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ wrong gradients


def rejected_forgotten(phi: Array) -> Array:
    """Differentiate the chosen answer only."""
    d = pair_loss_gradients(LINEAR.margins(phi)) / len(LINEAR.pairs)
    return np.asarray(d @ LINEAR.pairs.chosen)


def one_off(phi: Array) -> Array:
    """Take each pair's pull from the pair before."""
    d = np.roll(pair_loss_gradients(LINEAR.margins(phi)), 1) / len(LINEAR.pairs)
    return np.asarray(d @ (LINEAR.pairs.chosen - LINEAR.pairs.rejected))


def divided_inside(phi: Array) -> Array:
    """Divide by n in the loop, and once more after it."""
    return LINEAR(phi)[1] / len(LINEAR.pairs)


def assigned(phi: Array, objective: Objective = TABLE) -> Array:
    """Write = where += belongs: of an item's contests the last one stays."""
    d = np.asarray(pair_loss_gradients(objective.margins(phi))) / len(objective.pairs)
    gradient, other = np.zeros(phi.size), np.zeros(phi.size)
    gradient[objective.pairs.chosen] = d
    other[objective.pairs.rejected] = -d
    return gradient + other


def penalty_backwards(phi: Array) -> Array:
    """Subtract the penalty's gradient."""
    return LINEAR(phi)[1] - RIDGE.l2 * phi


def penalty_doubled(phi: Array) -> Array:
    """Differentiate l2·|φ|² where l2/2·|φ|² was meant: the prior's variance is off by a factor of 2."""
    return LINEAR(phi)[1] + 2 * RIDGE.l2 * phi


def sigmoid_of_twice(phi: Array) -> Array:
    """Use a "sigmoid" made of tanh without the half: (1 + tanh x)/2 is σ(2x)."""
    z = LINEAR.margins(phi)
    d = -(1 + np.tanh(-z)) / 2 / z.size
    return np.asarray(d @ (LINEAR.pairs.chosen - LINEAR.pairs.rejected))


NETWORK = Objective(MLPScorer(3, 4), _pairs(), backend="numpy")


def checked_at_zero(phi: Array) -> Array:
    """Forget tanh' on the way back through an MLP."""
    blocks, total = NETWORK.scorer.unpack(phi), np.zeros(phi.size)
    d = np.asarray(pair_loss_gradients(NETWORK.margins(phi))) / len(NETWORK.pairs)
    for x, d_rewards in ((NETWORK.pairs.chosen, d), (NETWORK.pairs.rejected, -d)):
        h = np.tanh(x @ blocks["hidden_weights"] + blocks["hidden_bias"])
        d_a = np.outer(d_rewards, blocks["output_weights"])
        total += np.concatenate([np.ravel(x.T @ d_a), d_a.sum(axis=0), d_rewards @ h])
    return total


# ------------------------------------------------------------------------------------------------ wrong losses


def overflows(margins: Array) -> Array:
    """log(1 + exp(-Δ)), as it stands in the book."""
    with np.errstate(over="ignore"):
        return np.asarray(np.log(1 + np.exp(-margins)))


def with_a_grain(margins: Array) -> Array:
    """-log(σ(Δ) + 1e-8): the grain was to keep the logarithm from zero."""
    return np.asarray(-np.log(np.asarray(sigmoid(margins)) + 1e-8))


def zero_times_infinity(margins: Array) -> Array:
    """-(t·log p + (1 - t)·log(1 - p)) with t = 1: 1 - p is 0 from Δ = 36.7 on, and 0·(-inf) is NaN."""
    p = np.asarray(sigmoid(margins))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-(1.0 * np.log(p) + 0.0 * np.log(1 - p)))


# ------------------------------------------------------------------------------------------------ wrong checks and data


def loose_check(wrong: float, right: float) -> bool:
    """Accept what is within 1e-6, whatever the size of the numbers."""
    return abs(wrong - right) < 1e-6


def never_fails(value: float, expected: float) -> bool:
    """``assert value, expected``: the comma makes ``expected`` the message, and nothing is compared."""
    assert value, expected  # this is the exhibit
    return True


def bias_in_the_margin(n: int = 2000) -> tuple[float, float]:
    """Let Δ have a bias of its own, with the chosen answer always first: (mean loss, accuracy) on coin flips."""
    margins = np.full(n, 5.27)  # what the bias grows to: it only has to say "the first"
    return mean_loss(margins), mean_accuracy(margins)


def cut_too_short(pairs: PreferencePairs) -> PreferencePairs:
    """Keep what both answers share and cut the rest, as a tokenizer does with a long prompt."""
    return PreferencePairs(pairs.chosen[:, :1] * 0, pairs.rejected[:, :1] * 0)


def brier_floor(p: float) -> float:
    """Take min(p, 1 - p)² for the least Brier score of an outcome of probability p; it is p(1 - p)."""
    return min(p, 1 - p) ** 2


def _at_zero() -> str:
    zero = np.zeros(NETWORK.scorer.n_parameters)
    report = check_gradient(lambda at: (NETWORK(at)[0], checked_at_zero(at)), zero, names=NETWORK.scorer.shapes)
    return f"checked at phi = 0 it {'passes' if report.passed else 'fails'}"


def _away_from_zero() -> str:
    phi = np.random.default_rng(1).normal(size=NETWORK.scorer.n_parameters)
    return repr(check_gradient(lambda at: (NETWORK(at)[0], checked_at_zero(at)), phi, objective=NETWORK))


def _worst_in_between(wrong: Callable[[Array], Array]) -> str:
    z = np.linspace(-5, 5, 201)
    return f"for margins of -5 to 5 it is right to {np.abs(wrong(z) - np.asarray(pair_losses(z))).max():.0e}"


def _saturated() -> str:
    right = float(np.asarray(pair_loss_gradients(15.0)))
    verdict = "passes" if loose_check(-right, right) else "fails"
    return f"at a margin of 15 the gradient is {right:.1e}; with its sign flipped it {verdict}"


def _saturated_caught() -> str:
    objective = Objective(LinearScorer(1), PreferencePairs([[15.0]], [[0.0]]))
    return repr(check_gradient(lambda at: (objective(at)[0], -objective(at)[1]), [1.0], objective=objective))


def _cut_caught() -> str:
    cut = cut_too_short(_pairs())
    return f"{cut.n_identical} of {len(cut)} pairs have two identical answers"


EXHIBITS: tuple[Exhibit, ...] = (
    _of_gradient(
        "the forgotten answer", LINEAR, rejected_forgotten,
        "the term of the rejected answer is missing from the gradient of a linear scorer",
        "half of the signal still points downhill",
    ),
    _of_gradient(
        "one place off", LINEAR, one_off,
        "each pair's pull -σ(-Δ)/n is taken from the pair before",
        "at phi = 0 every pull is -½/n, so the first step is right, and so is a check there",
        lambda: _passes(LINEAR, one_off, "at phi = 0", np.zeros(3)),
    ),
    _of_gradient(
        "= for +=", TABLE, assigned,
        "an item that occurs in several contests keeps the last one only",
        "where each item occurs once, as in many a unit test, it is right",
        lambda: _passes(ONCE, lambda phi: assigned(phi, ONCE), "where each item occurs once", HERE[4]),
    ),
    _of_gradient(
        "divided inside the loop", LINEAR, divided_inside,
        "the batch size divides once inside the loop and once after it",
        "the direction is right; it only learns n times as slowly",
    ),
    _of_gradient(
        "the penalty turned round", RIDGE, penalty_backwards,
        "the gradient of l2/2·|φ|² is subtracted",
        "the loss without the penalty, which one watches, falls, and rewards grow as if the model learned",
    ),
    _of_gradient(
        "a prior of half the variance", RIDGE, penalty_doubled,
        "2·l2·φ stands where l2·φ belongs",
        "estimates are a little smaller, as they should be with a penalty",
    ),
    _of_gradient(
        "a sigmoid of 2x", LINEAR, sigmoid_of_twice,
        "(1 + tanh x)/2 is taken for σ(x); it is σ(2x)",
        "probabilities lie in [0, 1], ½ at zero, and weights come out at half their size",
    ),
    Exhibit(
        "checked at zero", checked_at_zero,
        "tanh' is missing in the gradient of an MLP, and the check is done at phi = 0",
        "there the hidden layer is 0, so is its gradient, and ten of ten wrong gradients pass",
        "check_gradient at a random phi", _at_zero, _away_from_zero,
    ),
    Exhibit(
        "the book's formula", overflows,
        "log(1 + exp(-Δ)) overflows: in float64 from Δ = -709.8 on, in float32 from -88.7 on",
        "rewards are small when training begins", "check.loss, which tries margins of ±1000",
        lambda: _worst_in_between(overflows), lambda: repr(check.loss(overflows)),
    ),
    Exhibit(
        "a grain of 1e-8", with_a_grain,
        "-log(σ(Δ) + 1e-8) cannot exceed 18.4, so a pair that is badly wrong does not pull at all",
        "it never is NaN, and small margins look right", "check.loss, which tries margins of ±1000",
        lambda: _worst_in_between(with_a_grain), lambda: repr(check.loss(with_a_grain)),
    ),
    Exhibit(
        "zero times infinity", zero_times_infinity,
        "t·log p + (1 - t)·log(1 - p) is NaN for a certain label once |Δ| > 36.7",
        "it appears only when the model has become sure, hours into a run", "check.loss, which tries margins of ±1000",
        lambda: _worst_in_between(zero_times_infinity), lambda: repr(check.loss(zero_times_infinity)),
    ),
    Exhibit(
        "the check that passes all", loose_check,
        "a gradient is accepted once it is within 1e-6 of the right one, whatever its size",
        "from Δ = 13.8 on every gradient is smaller than that", "check_gradient: its tolerance follows the gradient",
        _saturated, _saturated_caught,
    ),
    Exhibit(
        "the assert with a comma", never_fails,
        "assert value, expected compares nothing", "the test is green, for ever",
        "break the code on purpose once and see the test fail",
        lambda: f"assert 2.0, 3.0 passes: {never_fails(2.0, 3.0)}", lambda: f"2.0 == 3.0 is {2.0 == 3.0}",  # noqa: PLR0133
    ),
    Exhibit(
        "the first is always better", bias_in_the_margin,
        "Δ has a bias, and the chosen answer is always stored first",
        "the loss goes to zero and the accuracy to 100 %", "coin flips: no model can beat log 2 on them",
        lambda: "loss {:.4f}, accuracy {:.0%}, on coin flips".format(*bias_in_the_margin()),
        lambda: f"the least expected loss on coin flips is {loss_floor(0.0):.4f}",
    ),
    Exhibit(
        "cut too short", cut_too_short,
        "after truncation both answers are the same",
        "the loss is a steady .6931, as of a model that has not learned yet", "PreferencePairs.n_identical",
        lambda: f"loss {Objective(LinearScorer(1), cut_too_short(_pairs()))([3.0])[0]:.4f}, whatever phi", _cut_caught,
    ),
    Exhibit(
        "a floor in the cellar", brier_floor,
        "min(p, 1 - p)² is taken for the least expected Brier score; it is p(1 - p)",
        "both are 0 for certain outcomes and ¼ at p = ½", "the expectation: p(1 - p)² + (1 - p)p² = p(1 - p)",
        lambda: f"at p = ½: {brier_floor(0.5)} and {0.5 * 0.5}",
        lambda: f"at p = 0.8: {brier_floor(0.8):.2f} where {0.8 * 0.2:.2f} is the least",
    ),
)  # fmt: skip
