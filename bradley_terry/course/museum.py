"""The bug museum: mistakes from published code, each with the wrong function, how it hides, and what catches it.

    for exhibit in EXHIBITS:
        print(exhibit)             what the mistake is, why it is overlooked, what catches it, what to do instead
        print(exhibit.hides())     numbers that make the wrong code look right
        print(exhibit.caught())    the report of the check that finds it

None of these mistakes crashes a program. With most of them the loss still falls, which is why nobody noticed. A
step against a gradient still goes downhill if the gradient has the wrong length, and often if a few entries are wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..evaluation import mean_accuracy
from ..gradient_check import check_gradient
from ..logistic import Array, sigmoid
from ..losses import mean_loss, pair_loss_gradients, pair_losses
from ..objective import Objective
from ..pairs import PreferencePairs
from ..preference import loss_floor, sample_preferences
from ..scorers import LinearScorer, MLPScorer, TableScorer
from . import check

__all__ = ["EXHIBITS", "Exhibit"]


@dataclass(frozen=True)
class Exhibit:
    """One mistake.

    Attributes
    ----------
    name : str
    wrong : callable
        The wrong function itself.
    what, hidden_by, caught_by : str
        What is wrong, why it is overlooked, and which check finds it.
    hides, caught : callables, () -> str
        The evidence for the last two, computed when called.
    cure : str
        What to write instead.
    """

    name: str
    wrong: Callable[..., object]
    what: str
    hidden_by: str
    caught_by: str
    hides: Callable[[], str]
    caught: Callable[[], str]
    cure: str

    def __str__(self) -> str:
        said = {"mistake": self.what, "hidden by": self.hidden_by, "caught by": self.caught_by, "instead": self.cure}
        return "\n".join([self.name, *(f"  {word:<9}  {words}" for word, words in said.items())])


def _pairs(n: int = 60) -> PreferencePairs:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, n, 3))
    truth = np.array([1.0, -1.0, 0.5])
    won = np.asarray(sample_preferences(a @ truth, b @ truth, rng))[:, None]
    return PreferencePairs(np.where(won, a, b), np.where(won, b, a))


LINEAR = Objective(LinearScorer(3), _pairs())
RIDGE = Objective(LinearScorer(3), _pairs(), l2=0.1)
COMPARISONS = PreferencePairs([0, 0, 1, 2, 3, 0, 1, 0], [1, 2, 2, 3, 0, 3, 3, 1])
TABLE = Objective(TableScorer(4), COMPARISONS)
ONCE = Objective(TableScorer(4), PreferencePairs([0, 2], [1, 3]))
HERE = {3: np.array([0.4, -0.2, 0.7]), 4: np.array([0.3, -0.5, 0.1, 0.6])}  # where the gradients are checked


def _falls(objective: Objective, wrong: Callable[[Array], Array]) -> str:
    """Take 30 steps against a wrong gradient and say what the loss does."""
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
    cure: str,
    hides: Callable[[], str] | None = None,
) -> Exhibit:
    return Exhibit(
        name, wrong, what, hidden_by, "check_gradient at a phi that is not zero",
        hides or (lambda: _falls(LINEAR, wrong)), lambda: _report(objective, wrong), cure,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ wrong gradients


def rejected_forgotten(phi: Array) -> Array:
    """Differentiate only the chosen answer."""
    d = pair_loss_gradients(LINEAR.margins(phi)) / len(LINEAR.pairs)
    return d @ LINEAR.pairs.chosen


def one_off(phi: Array) -> Array:
    """Give each pair the pull of the pair before it."""
    d = np.roll(pair_loss_gradients(LINEAR.margins(phi)), 1) / len(LINEAR.pairs)
    return d @ (LINEAR.pairs.chosen - LINEAR.pairs.rejected)


def divided_inside(phi: Array) -> Array:
    """Divide by n inside the loop, and once more after it."""
    return LINEAR(phi)[1] / len(LINEAR.pairs)


def assigned(phi: Array, objective: Objective = TABLE) -> Array:
    """Write = instead of +=, so that only the last of an item's comparisons is kept."""
    d = np.asarray(pair_loss_gradients(objective.margins(phi))) / len(objective.pairs)
    gradient, other = np.zeros(phi.size), np.zeros(phi.size)
    gradient[objective.pairs.chosen] = d
    other[objective.pairs.rejected] = -d
    return gradient + other


def penalty_backwards(phi: Array) -> Array:
    """Subtract the gradient of the penalty instead of adding it."""
    return LINEAR(phi)[1] - RIDGE.l2 * phi


def penalty_doubled(phi: Array) -> Array:
    """Differentiate l2·|φ|² instead of l2/2·|φ|²: the variance of the prior is off by a factor of 2."""
    return LINEAR(phi)[1] + 2 * RIDGE.l2 * phi


def sigmoid_of_twice(phi: Array) -> Array:
    """Build the sigmoid from tanh(x) instead of tanh(x/2): (1 + tanh x)/2 is σ(2x)."""
    z = LINEAR.margins(phi)
    d = -(1 + np.tanh(-z)) / 2 / z.size
    return d @ (LINEAR.pairs.chosen - LINEAR.pairs.rejected)


NETWORK = Objective(MLPScorer(3, 4), _pairs())


def checked_at_zero(phi: Array) -> Array:
    """Leave out tanh' in the backward pass of an MLP."""
    blocks, total = NETWORK.scorer.unpack(phi), np.zeros(phi.size)
    d = np.asarray(pair_loss_gradients(NETWORK.margins(phi))) / len(NETWORK.pairs)
    for x, d_rewards in ((NETWORK.pairs.chosen, d), (NETWORK.pairs.rejected, -d)):
        h = np.tanh(x @ blocks["hidden_weights"] + blocks["hidden_bias"])
        d_a = np.outer(d_rewards, blocks["output_weights"])
        total += np.concatenate([np.ravel(x.T @ d_a), d_a.sum(axis=0), d_rewards @ h])
    return total


# ------------------------------------------------------------------------------------------------ wrong losses


def overflows(margins: Array) -> Array:
    """Compute log(1 + exp(-Δ)) exactly as the formula is written."""
    with np.errstate(over="ignore"):
        return np.log(1 + np.exp(-margins))


def with_a_grain(margins: Array) -> Array:
    """Add 1e-8 so that the logarithm never sees a zero: -log(σ(Δ) + 1e-8)."""
    return -np.log(sigmoid(margins) + 1e-8)


def zero_times_infinity(margins: Array) -> Array:
    """Compute -(t·log p + (1 - t)·log(1 - p)) at t = 1: above Δ = 36.74, 1 - p is 0, and 0·(-inf) is NaN."""
    p = sigmoid(margins)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -(1.0 * np.log(p) + 0.0 * np.log(1 - p))


# ------------------------------------------------------------------------------------------------ wrong checks and data


def loose_check(wrong: float, right: float) -> bool:
    """Accept every difference below 1e-6, even if the numbers themselves are smaller."""
    return abs(wrong - right) < 1e-6


def never_fails(value: float, expected: float) -> bool:
    """Write ``assert value, expected``: the comma makes ``expected`` the message, and nothing is compared."""
    assert value, expected  # this is the exhibit
    return True


def bias_in_the_margin(n: int = 2000) -> tuple[float, float]:
    """Add a bias to Δ while the chosen answer is always first; return mean loss and accuracy on coin flips."""
    margins = np.full(n, 5.27)  # the size to which training grows the bias
    return mean_loss(margins), mean_accuracy(margins)


def cut_too_short(pairs: PreferencePairs) -> PreferencePairs:
    """Keep only what both answers share, as happens when a long prompt fills the whole context."""
    return PreferencePairs(pairs.chosen[:, :1] * 0, pairs.rejected[:, :1] * 0)


def brier_floor(p: float) -> float:
    """Return min(p, 1 - p)² as the smallest expected Brier score at probability p. The right one is p(1 - p)."""
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
    return f"for margins from -5 to 5 it is off by up to about {np.abs(wrong(z) - pair_losses(z)).max():.1e}"


def _saturated() -> str:
    right = float(pair_loss_gradients(15.0))
    verdict = "passes" if loose_check(-right, right) else "fails"
    return f"at a margin of 15 the slope is {right:.1e}; with its sign flipped it {verdict}"


def _saturated_caught() -> str:
    objective = Objective(LinearScorer(1), PreferencePairs([[1.0]], [[0.0]]))
    return repr(check_gradient(lambda at: (objective(at)[0], -objective(at)[1]), [15.0], objective=objective))


def _cut_caught() -> str:
    cut = cut_too_short(_pairs())
    return f"in {cut.n_identical} of {len(cut)} pairs the two answers are identical"


EXHIBITS: tuple[Exhibit, ...] = (
    _of_gradient(
        "the rejected answer left out", LINEAR, rejected_forgotten,
        "the term of the rejected answer is missing from the gradient of a linear scorer",
        "a step against the other half of the gradient still goes downhill",
        "add the term of the rejected answer, with the opposite sign",
    ),
    _of_gradient(
        "off by one", LINEAR, one_off,
        "each pair is given the pull -σ(-Δ)/n of the pair before it",
        "at phi = 0 every pull is -½/n, so the first step is right, and a check there passes",
        "give each pair the pull that belongs to its own margin",
        lambda: _passes(LINEAR, one_off, "at phi = 0", np.zeros(3)),
    ),
    _of_gradient(
        "= instead of +=", TABLE, assigned,
        "only the last of an item's comparisons is kept",
        "it is right where each item occurs once, as in many unit tests",
        "use np.add.at or np.bincount, which add up all comparisons of an item",
        lambda: _passes(ONCE, lambda phi: assigned(phi, ONCE), "where each item occurs once", HERE[4]),
    ),
    _of_gradient(
        "divided twice", LINEAR, divided_inside,
        "the gradient is divided by the batch size inside the loop and again after it",
        "the direction is right, and the model only learns n times more slowly",
        "divide once, where the mean over the pairs is taken",
    ),
    _of_gradient(
        "the penalty with the wrong sign", RIDGE, penalty_backwards,
        "the gradient of l2/2·|φ|² is subtracted",
        "the loss that is watched leaves out the penalty and falls, and rewards grow as if the model were learning",
        "add l2·φ to the gradient of the data",
    ),
    _of_gradient(
        "the penalty counted twice", RIDGE, penalty_doubled,
        "the gradient of the penalty is 2·l2·φ instead of l2·φ",
        "the estimates are a little smaller, as one expects with a penalty",
        "add l2·φ, since the ½ in the penalty cancels the 2 that the derivative brings",
    ),
    _of_gradient(
        "σ(2x) instead of σ(x)", LINEAR, sigmoid_of_twice,
        "(1 + tanh x)/2 is used as σ(x), but it is σ(2x)",
        "it lies in [0, 1] and is ½ at zero, and training compensates for it by halving the weights",
        "write σ(x) = (1 + tanh(x/2))/2",
    ),
    Exhibit(
        "checked at zero", checked_at_zero,
        "tanh' is missing in the gradient of an MLP, and the gradient is checked at phi = 0",
        "at phi = 0 the hidden layer and its gradient are 0, and all ten wrong gradients that we tried pass",
        "check_gradient at a random phi", _at_zero, _away_from_zero,
        "multiply by the derivative of tanh, 1 - h², and check at a random phi",
    ),
    Exhibit(
        "the textbook formula", overflows,
        "log(1 + exp(-Δ)) overflows below Δ = -709.8 in float64, and below -88.73 in float32",
        "rewards are small at the start of training", "check.loss, which tries margins of ±1000",
        lambda: _worst_in_between(overflows), lambda: repr(check.loss(overflows)),
        "max(-Δ, 0) + log(1 + exp(-|Δ|)) is the same number, and its exponential cannot overflow",
    ),
    Exhibit(
        "an added 1e-8", with_a_grain,
        "-log(σ(Δ) + 1e-8) stays below 18.43, so a pair far below Δ = -18 has almost no pull",
        "it is never NaN, and it hardly differs from the right loss unless a pair is badly wrong",
        "check.loss, which tries margins of ±1000",
        lambda: _worst_in_between(with_a_grain), lambda: repr(check.loss(with_a_grain)),
        "leave out the 1e-8, and compute max(-Δ, 0) + log(1 + exp(-|Δ|))",
    ),
    Exhibit(
        "zero times infinity", zero_times_infinity,
        "above Δ = 36.74, p is rounded to 1. For t = 1, (1 - t)·log(1 - p) is then 0·(-∞), which is NaN",
        "this happens only when the model has become confident, hours into a run",
        "check.loss, which tries margins of ±1000",
        lambda: _worst_in_between(zero_times_infinity), lambda: repr(check.loss(zero_times_infinity)),
        "compute both logarithms from Δ: log p = -max(-Δ, 0) - log(1 + exp(-|Δ|)), and log(1 - p) = log p - Δ",
    ),
    Exhibit(
        "the check that passes everything", loose_check,
        "a gradient is accepted if it is within 1e-6 of the right one, however small the right one is",
        "beyond Δ = 13.82 the pull σ(-Δ) of a pair is below 1e-6",
        "check_gradient, whose tolerance scales with the gradient",
        _saturated, _saturated_caught,
        "allow an error that is a share of the gradient itself, such as 1e-6·|expected|",
    ),
    Exhibit(
        "the assert with a comma", never_fails,
        "assert value, expected compares nothing", "the test passes for every value except 0",
        "break the code on purpose once and see the test fail",
        lambda: f"assert 2.0, 3.0 passes: {never_fails(2.0, 3.0)}", lambda: f"2.0 == 3.0 is {2.0 == 3.0}",  # noqa: PLR0133
        "write assert value == expected",
    ),
    Exhibit(
        "a bias that learns the order", bias_in_the_margin,
        "Δ has a bias, and the chosen answer is always stored first",
        "the loss goes to 0 and the accuracy to 100 %",
        "coin flips, for which no model can have an expected loss below log 2",
        lambda: "loss {:.4f} and accuracy {:.0%} on coin flips".format(*bias_in_the_margin()),
        lambda: f"the smallest possible expected loss on coin flips is {loss_floor(0.0):.4f}",
        "leave the bias out, or put the chosen answer first in half of the pairs and second in the others",
    ),
    Exhibit(
        "cut too short", cut_too_short,
        "after truncation the two answers are identical",
        "the loss stays at 0.6931, like that of a model that has not learned yet", "PreferencePairs.n_identical",
        lambda: f"loss {Objective(LinearScorer(1), cut_too_short(_pairs()))([3.0])[0]:.4f} for every phi", _cut_caught,
        "shorten the prompt, so that the answers stay whole",
    ),
    Exhibit(
        "a floor that is too low", brier_floor,
        "min(p, 1 - p)² is used as the smallest expected Brier score, which is p(1 - p)",
        "both are 0 for certain outcomes and ¼ at p = ½", "the expectation: p(1 - p)² + (1 - p)p² = p(1 - p)",
        lambda: f"at p = ½ both agree: {brier_floor(0.5)} and {0.5 * 0.5}",
        lambda: f"at p = 0.8 it is {brier_floor(0.8):.2f}, but the smallest is {0.8 * 0.2:.2f}",
        "use p(1 - p)",
    ),
)  # fmt: skip
