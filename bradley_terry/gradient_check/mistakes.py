"""The known mistakes of a backward pass, made on purpose, one at a time or two at once.

A backward pass is described by the few numbers and rules that it is made of. A mistake replaces one of them. Two
mistakes in different places can be made together.

    Δ = r_chosen - r_rejected        z = Δ - m        d_margins = w·slope(z, t) / total
    gradient = backward(chosen, +d_margins) + backward(rejected, -d_margins) + l2·φ
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array, sigmoid
from ..losses import pair_losses
from ..objective import Objective
from ..scorers import MLPScorer, TableScorer
from .blocks import slices_of
from .slips import slip_of_pairs, slipped_backward

__all__ = ["Backward", "Mistake", "mistakes", "one_wrong_pair", "two_mistakes", "wrong_gradients"]

Slope = Callable[[Array, Array], Array]
MOST_WORK = 20_000  # pairs times parameters up to which two mistakes at once are tried
SHOWN_ALONE = 300  # up to this number of pairs, each is left out once

# Mistakes on the way back through the layers of an MLP, made in ``slips``.
FOR_TANH = {
    "1 - h": "tanh' is 1 − h², and here it is 1 − h",
    "tanh' at h": "the derivative of the activation is taken at h = act(a) instead of at a",
    "tanh' at a without tanh": "tanh' is 1 − h² with h = tanh(a), and here it is 1 − a²",
    "h (1 - h)": "tanh' is 1 − h², and here it is h·(1 − h), which is the derivative of σ",
    "σ' at a": "the derivative is that of σ, σ(a)·(1 − σ(a)), but the activation is tanh",
    "1 + h²": "tanh' is 1 − h², and here it is 1 + h²",
    "h² - 1": "tanh' is 1 − h², and here it is h² − 1",
    "h²": "tanh' is 1 − h², and here it is h²",
    "√(1 - h²)": "tanh' is 1 − h², and here it is √(1 − h²)",
    "act": "the activation h is used in place of its derivative, 1 − h²",
    "twice": "the derivative of the activation is applied twice",
    "relu'": "the derivative is that of ReLU, but the activation is tanh",
}
FOR_RELU = {
    "inverted": "the mask of the ReLU is inverted: the derivative is 1 where a > 0, and here it is 1 where a ≤ 0",
    "1 - h²": "the derivative is 1 − h², that of tanh, but the activation is ReLU",
    "tanh' at a": "the derivative is 1 − tanh(a)², that of tanh, but the activation is ReLU",
    "h (1 - h)": "the derivative is h·(1 − h), that of σ, but the activation is ReLU",
    "leaky": "the derivative is that of a leaky ReLU, 0.01 where a < 0, but the activation is ReLU",
    "act": "the activation h is used in place of its derivative, which is 1 where a > 0 and 0 elsewhere",
    "sign": "the derivative of ReLU is 0 where a < 0, and here it is −1",
}
MEAN_BIAS = "the gradient of the bias is a mean over the rows instead of a sum"
FOR_BOTH = {
    "none": "the derivative of the activation is missing",
    "no head": "the output weights are missing on the way back to the hidden layer",
    "a for h": "the gradient of the output weights uses a = x W + b instead of h = act(a)",
    "mean bias": MEAN_BIAS,
    "mean bias of pairs": MEAN_BIAS,
    "no bias behind": "the hidden bias is missing in a = x W + b, from which the derivative is taken",
    "slope in head": "the derivative of the activation is applied to the output weights' gradient, too",
    "head in head": "the gradient of the output weights is multiplied by the output weights",
}
SLIPS_OF_PAIRS = {
    "slope of difference": "act′ is taken at the difference of the two h, but each answer needs its own slope",
    "through": "the difference of the answers went through the network: each answer must go through separately",
    "slope of chosen": "act′ is taken at the chosen answer for both, but each answer needs its own slope",
    "slope of rejected": "act′ is taken at the rejected answer for both, but each answer needs its own slope",
}
COMMON = {"none", "1 - h", "tanh' at h", "tanh' at a without tanh", "no head", "a for h", "mean bias", "through"}
"""The slips that are also tried together with a mistake elsewhere."""


def slips_of(scorer: MLPScorer) -> dict[str, str]:
    """Return the slips that are possible with this activation, each with its sentence."""
    return FOR_BOTH | (FOR_TANH if scorer.activation == "tanh" else FOR_RELU) | SLIPS_OF_PAIRS


def _with(**changes: Any) -> Callable[[Backward], Backward]:
    """Return what replaces these fields of a backward pass."""
    return lambda b: replace(b, **changes)


def logistic_slope(z: Array, t: Array) -> Array:
    """Return the derivative of -t·log sigma(z) - (1 - t)·log sigma(-z)."""
    return (1 - t) * sigmoid(z) - t * sigmoid(-z)


@dataclass(frozen=True)
class Backward:
    """What the gradient is made of; every field can be wrong."""

    objective: Objective
    phi: Array
    z: Array
    t: Array
    w: Array
    total: float
    penalty: Array
    slope: Slope = logistic_slope
    shared: Callable[[Array], Array] = lambda d: d  # which pair gets which pull
    sides: tuple[float, float] = (1.0, -1.0)
    slip: str = ""
    of_data: float = 1.0
    of_all: float = 1.0

    @classmethod
    def of(cls, objective: Objective, phi: Array) -> Backward:
        """Return the right backward pass."""
        pairs, margins = objective.pairs, np.asarray(objective.margins(phi))
        ones = np.ones(len(pairs))
        w = ones if pairs.weights is None else pairs.weights
        t = ones if pairs.labels is None else pairs.labels
        z = margins if pairs.target_margins is None else margins - pairs.target_margins
        return cls(objective, phi, z, t, w, float(w.sum()), objective.l2 * phi)

    def gradient(self) -> Array:
        """Return the gradient that results, (n_parameters,)."""
        d = self.shared(self.w * self.slope(self.z, self.t) / self.total)
        pairs, scorer = self.objective.pairs, self.objective.scorer
        if self.slip in (OVERWRITTEN, ONE_ARRAY):
            data = _overwritten(self.objective, d, self.sides, in_one_array=self.slip == ONE_ARRAY)
        elif self.slip in SLIPS_OF_PAIRS and isinstance(scorer, MLPScorer):
            data = slip_of_pairs(scorer, self.objective, self.phi, d, self.slip)
        elif self.slip and isinstance(scorer, MLPScorer):
            chosen, rejected = (
                slipped_backward(scorer, self.phi, x, side * d, self.slip)
                for x, side in zip((pairs.chosen, pairs.rejected), self.sides, strict=True)
            )
            data = chosen + rejected
        else:
            data = scorer.backward(self.phi, pairs.chosen, self.sides[0] * d)
            data = data + scorer.backward(self.phi, pairs.rejected, self.sides[1] * d)
        return np.asarray(self.of_all * (self.of_data * data + self.penalty))


OVERWRITTEN = "an item that occurs again overwrites its earlier gradient instead of adding to it"
ONE_ARRAY = "overwritten in one array"


@dataclass(frozen=True)
class Mistake:
    """One mistake: where it is made, the sentence that names it, and what it makes of a backward pass."""

    place: str
    sentence: str
    of: Callable[[Backward], Backward]
    is_rare: bool = False  # not tried together with another mistake


def wrong_gradients(objective: Objective, phi: Array) -> Iterator[tuple[str, Array]]:
    """Yield (what is wrong, the gradient that results) for every known mistake that is possible in this problem.

    They come in the order of the backward pass: at the margin, between the margin and the answers, inside the scorer,
    and in the penalty.
    """
    right = Backward.of(objective, phi)
    for mistake in mistakes(right):
        yield mistake.sentence, mistake.of(right).gradient()


def one_wrong_pair(objective: Objective, phi: Array) -> Iterator[tuple[str, Array]]:
    """Yield a sentence and the gradient that results if the share of one pair is left out, doubled or negated."""
    right, n = Backward.of(objective, phi), len(objective.pairs)
    if not 3 < n <= SHOWN_ALONE:
        return
    whole = right.gradient()
    for i in range(n):
        share = replace(right, shared=partial(_only, i)).gradient() - right.penalty
        if 0 < i < n - 1:  # the first and the last are among the known mistakes
            yield f"pair {i} is left out", whole - share
        yield f"pair {i} counts twice", whole + share
        yield f"pair {i} has the wrong sign", whole - 2 * share


def two_mistakes(objective: Objective, phi: Array) -> Iterator[tuple[str, str, Array]]:
    """Yield two sentences and the gradient that results for every two mistakes in different places.

    Nothing is yielded for a large problem, since there are many hundreds of combinations.
    """
    if len(objective.pairs) * phi.size > MOST_WORK:
        return
    right = Backward.of(objective, phi)
    for one, other in combinations([m for m in mistakes(right) if not m.is_rare], 2):
        if one.place != other.place:
            yield one.sentence, other.sentence, other.of(one.of(right)).gradient()


def mistakes(right: Backward) -> Iterator[Mistake]:
    """Yield the mistakes that are possible in this problem."""
    yield Mistake(
        "sign", "the sign is flipped: gradient descent would raise the loss", lambda b: replace(b, of_all=-b.of_all)
    )
    yield from _of_the_division(right)
    yield from _of_the_slope(right)
    yield from _of_the_data(right)
    yield from _mixed_up(right)
    sides = {
        "only the chosen answer was differentiated": (1.0, 0.0),
        "only the rejected answer was differentiated": (0.0, -1.0),
        "the gradients of the two answers are added: that of the rejected one needs a minus sign": (1.0, 1.0),
    }
    for sentence, two in sides.items():
        yield Mistake("sides", sentence, _with(sides=two))
    scorer = right.objective.scorer
    if isinstance(scorer, TableScorer):
        yield Mistake("scorer", OVERWRITTEN, _with(slip=OVERWRITTEN))
        yield Mistake("scorer", OVERWRITTEN, _with(slip=ONE_ARRAY))
    if isinstance(scorer, MLPScorer):
        for slip, sentence in slips_of(scorer).items():
            yield Mistake("scorer", sentence, _with(slip=slip), slip not in COMMON)
        yield _other_activation(scorer, right)
    yield from _of_the_penalty(right)


def _other_activation(scorer: MLPScorer, right: Backward) -> Mistake:
    """Compute everything with the other activation, rewards and margins included."""
    used, wanted = ("relu", "tanh") if scorer.activation == "tanh" else ("tanh", "relu")
    other = Objective(MLPScorer(scorer.n_features, scorer.n_hidden, used), right.objective.pairs, l2=right.objective.l2)
    shift = np.asarray(other.margins(right.phi)) - np.asarray(right.objective.margins(right.phi))
    sentence = f"the activation is {used}, in the rewards too, and it should be {wanted}"
    return Mistake("scorer", sentence, lambda b: replace(b, objective=other, z=b.z + shift))


def _only(i: int, d: Array) -> Array:
    return np.where(np.arange(d.size) == i, d, 0.0)


def _of_the_division(right: Backward) -> Iterator[Mistake]:
    pairs, scorer, n = right.objective.pairs, right.objective.scorer, right.z.size
    total = "Σ w" if pairs.weights is not None else f"n = {n}"

    def by(sentence: str, divisor: float) -> Mistake:
        return Mistake("division", sentence, lambda b: replace(b, of_data=b.of_data * right.total / divisor))

    yield by(f"the division by {total} is missing: a sum over the pairs instead of the mean", 1.0)
    yield by(f"divided by {total} twice", right.total**2)
    yield by("divided by the number of answers, 2n, but the mean is over the n pairs", 2 * right.total)
    if n > 2:
        yield by("divided by n − 1 instead of n", right.total - 1)
    if pairs.weights is not None:
        yield by(f"weighted, but divided by n = {n} instead of Σ w", n)
    counts = {}
    if not isinstance(scorer, TableScorer) and np.ndim(pairs.chosen) == 2:
        counts["features"] = int(np.shape(pairs.chosen)[1])
    if isinstance(scorer, TableScorer):
        counts["items"] = scorer.n_items
    if isinstance(scorer, MLPScorer):
        counts["hidden units"] = scorer.n_hidden
    for what, k in counts.items():
        if k in (1, 2, right.total):
            continue
        yield by(f"divided by the number of {what}, {k}, instead of {total}", k)
        yield by(f"divided by the number of {what}, {k}, as well, but the mean is over the pairs only", k * right.total)


def _of_the_slope(right: Backward) -> Iterator[Mistake]:
    labelled = right.objective.pairs.labels is not None

    def at(sentence: str, slope: Slope, is_rare: bool = False) -> Mistake:
        return Mistake("slope", sentence, _with(slope=slope), is_rare)

    def flat(t: Array) -> Array:
        return 1 - 2 * t

    whole = logistic_slope

    def scaled(s: float) -> Slope:
        return lambda z, t: s * whole(s * z, t)

    def clipped(most: float) -> Slope:
        return lambda z, t: whole(np.clip(z, -most, most), t)

    def cut(most: float) -> Slope:
        return lambda z, t: whole(z, t) * (np.abs(z) <= most)

    yield at(
        "σ(Δ) instead of σ(−Δ): wrongly ranked pairs should have the largest factor",
        lambda z, t: whole(-z, t),
    )
    yield at("σ(2Δ) instead of σ(Δ): (1 + tanh x)/2 is σ(2x)", lambda z, t: whole(2 * z, t))
    yield at("the factor σ(−Δ) is missing: every pair pulls with full force", lambda z, t: flat(t) + 0 * z)
    yield at(
        "σ′(Δ) instead of σ(−Δ): the derivative of σ, not of −log σ",
        lambda z, t: flat(t) * sigmoid(z) * sigmoid(-z),
    )
    if not labelled:
        yield at("the loss instead of its slope σ(−Δ)", lambda z, t: flat(t) * pair_losses(z))
        if (right.z > 1).any():  # otherwise it cannot be told from full force for every pair
            yield at(
                "the slope of the hinge max(0, 1 − Δ): full force below Δ = 1, none above",
                lambda z, t: -np.where(z < 1, 1.0, 0.0),
            )
        yield at(
            "only pairs that are ranked wrongly pull, all with full force",
            lambda z, t: -np.where(z < 0, 1.0, 0.0),
            True,
        )
        yield at("the slope of the Brier score (1 − σ(Δ))²", lambda z, t: -2 * sigmoid(-z) ** 2 * sigmoid(z), True)
        yield at("exp(−Δ) instead of σ(−Δ): it grows without bound", lambda z, t: -np.exp(np.minimum(-z, 700)), True)
        yield at("σ(−Δ)² instead of σ(−Δ)", lambda z, t: -(sigmoid(-z) ** 2), True)
        yield at("1 + σ(−Δ) instead of σ(−Δ)", lambda z, t: -1 - sigmoid(-z), True)
        yield at("½ − σ(−Δ) instead of −σ(−Δ)", lambda z, t: 0.5 - sigmoid(-z), True)
    for scale in (0.1, 0.5, 2.0):
        yield at(
            f"the margins are multiplied by {scale:g}: −log σ({scale:g}·Δ)",
            scaled(scale),
            True,
        )
    yield at("σ(Δ/2) instead of σ(Δ)", lambda z, t: whole(z / 2, t))
    for most in (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0):
        if (np.abs(right.z) > most).sum() > 1:  # of a single pair, one could also say that it is left out
            yield at(f"the margins are clipped to ±{most:g}", clipped(most), True)
            yield at(
                f"the margins are clipped to ±{most:g}, so that pairs with a larger |Δ| have no pull",
                cut(most),
                True,
            )
    if right.z.size > 1:
        yield at(
            "σ of the mean margin: each pair has its own σ(−Δ)",
            lambda z, t: whole(np.full_like(z, z.mean()), t),
            True,
        )


def _of_the_data(right: Backward) -> Iterator[Mistake]:
    pairs = right.objective.pairs
    m = 0 * right.z if pairs.target_margins is None else pairs.target_margins

    def data(sentence: str, of: Callable[[Backward], Backward]) -> Mistake:
        return Mistake("data", sentence, of)

    if pairs.labels is None or pairs.target_margins is not None:  # else it is the same as to read labels the other way
        yield Mistake(
            "sign",
            "chosen and rejected are exchanged throughout: Δ = r_rejected − r_chosen",
            lambda b: replace(b, z=-(b.z + m) - m, sides=(-b.sides[0], -b.sides[1])),
        )
    if pairs.labels is not None:
        yield data("the labels are ignored: every pair counts as certain", lambda b: replace(b, t=np.ones_like(b.t)))
        yield data("labels are read as P(rejected preferred)", lambda b: replace(b, t=1 - b.t))
        if (right.t < 0.5).any():
            yield data("the labels are rounded to 0 or 1", lambda b: replace(b, t=np.round(b.t)))
    if pairs.weights is not None:
        n = right.z.size
        yield data("the weights are ignored", lambda b: replace(b, w=np.ones(n), total=n))
        yield data("the weights count twice: w² instead of w", lambda b: replace(b, w=b.w**2))
        yield data("the weights are missing in the sum, which is divided by Σ w", lambda b: replace(b, w=np.ones(n)))
    if pairs.target_margins is not None:
        yield data("the target margins are ignored", lambda b: replace(b, z=b.z + m))
        yield data("the target margins are added where they should be subtracted", lambda b: replace(b, z=b.z + 2 * m))


def _mixed_up(right: Backward) -> Iterator[Mistake]:
    """Yield mistakes that mix up the pairs, or lose some of them."""
    n, w = right.z.size, right.w
    total = "Σ w" if right.objective.pairs.weights is not None else f"n = {n}"

    def moved(sentence: str, shared: Callable[[Array], Array], is_rare: bool = False) -> Mistake:
        return Mistake("pairs", sentence, _with(shared=shared), is_rare)

    def kept(rows: NDArray[np.bool_], factor: float = 1.0) -> Callable[[Array], Array]:
        return lambda d: np.where(rows, factor * d, 0.0)

    if n > 1:
        yield moved(
            "every pair has the mean pull: multiply the difference of each pair by its own factor, then average",
            lambda d: np.full(n, d.mean()),
        )
        number = np.arange(n)
        alone = {"only the last pair counts: sum over the pairs": n - 1, "only the first pair counts": 0}
        for sentence, row in alone.items():
            yield moved(sentence, kept(number == row))
            undivided = f"{sentence.partition(':')[0]}, and the division by {total} is missing"
            yield moved(undivided, kept(number == row, right.total), True)
    if n > 2:
        for where, shift in {"before": 1, "after": -1}.items():
            sentence = f"each pair has the pull of the pair {where} it: an index is off by one"
            yield moved(sentence, partial(np.roll, shift=shift))
        yield moved("the pulls are in reverse order", lambda d: d[::-1], True)
        for which, rows in {"first": number > 0, "last": number < n - 1}.items():
            sentence = f"the {which} pair is left out: the loop should run over all {n} pairs"
            yield moved(sentence, kept(rows))
            yield moved(
                f"{sentence}, and the mean should be over {n}", kept(rows, right.total / float(w[rows].sum())), True
            )
    if n > 3:
        halves = {
            "the first half of the pairs counts": number < n // 2,
            "the second half of the pairs counts": number >= n // 2,
            "every second pair counts, from the first on": number % 2 == 0,
            "every second pair counts, from the second on": number % 2 == 1,
        }
        for sentence, rows in halves.items():
            yield moved(f"only {sentence}", kept(rows), True)
            yield moved(f"only {sentence}, as in a mini-batch", kept(rows, right.total / float(w[rows].sum())), True)


def _of_the_penalty(right: Backward) -> Iterator[Mistake]:
    if not right.objective.l2:
        return
    n, pen, phi = right.z.size, right.penalty, right.phi

    def with_penalty(sentence: str, value: Array, is_rare: bool = False) -> Mistake:
        return Mistake("penalty", sentence, _with(penalty=value), is_rare)

    yield with_penalty("the penalty l2·φ is missing", 0 * pen)
    yield with_penalty("the penalty counts twice: the derivative of l2/2·|φ|² is l2·φ", 2 * pen)
    yield with_penalty("the penalty has the wrong sign", -pen)
    yield with_penalty("half the penalty: the ½ of l2/2·|φ|² cancels the 2 of the derivative", pen / 2)
    yield with_penalty(f"the penalty is divided by n = {n}: only the sum over the pairs should be", pen / n)
    yield with_penalty(f"the penalty counts n = {n} times: it should be added once, after the mean", pen * n)
    yield with_penalty("φ is added instead of l2·φ", phi)
    yield with_penalty("l2·sign(φ) is added instead of l2·φ", right.objective.l2 * np.sign(phi), True)
    yield with_penalty("l2²·φ is added instead of l2·φ", right.objective.l2 * pen, True)
    parts = slices_of(right.objective.scorer.shapes)
    if len(parts) > 1:
        for name, part in parts.items():
            some = pen.copy()
            some[part] = 0
            yield with_penalty(f"the penalty l2·φ is missing in {name}", some, True)
            alone = 0 * pen
            alone[part] = pen[part]
            yield with_penalty(f"the penalty l2·φ is added in {name} only", alone, True)


def _overwritten(objective: Objective, d: Array, sides: tuple[float, float], *, in_one_array: bool) -> Array:
    """Assign instead of adding, so that only the last pair in which an item occurs counts."""
    gradient = np.zeros(objective.scorer.n_parameters)
    for items, side in zip((objective.pairs.chosen, objective.pairs.rejected), sides, strict=True):
        if in_one_array:
            gradient[np.ravel(items)] = side * d
        else:
            part = np.zeros_like(gradient)
            part[np.ravel(items)] = side * d
            gradient += part
    return gradient
