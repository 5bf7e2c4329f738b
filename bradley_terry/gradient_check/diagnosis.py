"""Which mistake does a wrong gradient look like? It is compared with gradients that are wrong in known ways.

Given the problem (an ``Objective``), ``wrong_gradients`` makes the known mistakes of the backward pass on purpose, one
at a time, and yields a sentence and the numbers for each. Without the problem, only arithmetic can be tried: a constant
factor, a transposed matrix, or the right numbers in the wrong places. A block that fits no mistake gets no diagnosis,
because a wrong diagnosis is worse than none.

    Δ = r_chosen - r_rejected        z = Δ - m        d_margins = w·((1 - t)·sigma(z) - t·sigma(-z)) / Σ w
    gradient = backward(chosen, +d_margins) + backward(rejected, -d_margins) + l2·φ
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array, sigmoid
from ..losses import pair_losses
from ..objective import Objective
from ..scorers import MLPScorer, TableScorer
from .blocks import Blocks, slices_of

__all__ = ["diagnose", "wrong_gradients"]

# Both are shares of a block's largest entry.
SAME = 1e-6  # two blocks that differ by no more than this count as the same
DIFFERENT = 1e-4  # a mistake is visible if it changes a block by more than this


def diagnose(
    got: Array, expected: Array, shapes: Blocks, wrong: Mapping[str, bool], objective: Objective | None, phi: Array
) -> dict[str, str]:
    """Return a sentence "looks like: …" for each wrong block that looks like a known mistake.

    Parameters
    ----------
    got, expected : arrays, (n_parameters,)
    shapes : mapping of block name to shape, in the order of φ
    wrong : mapping of block name to whether it failed
    objective : Objective, optional
        The problem whose gradient this should be. Without it, only arithmetic is tried.
    phi : array, (n_parameters,)
    """
    parts = slices_of(shapes)
    right = expected if objective is None else objective(phi)[1]
    bad = [name for name in shapes if wrong[name] and not np.array_equal(got[parts[name]], right[parts[name]])]
    if not bad or not np.isfinite(got).all():
        return {}
    fits: dict[str, list[str]] = {name: [] for name in bad}
    whole = []  # mistakes that explain all blocks at once, including those that are right
    for sentence, gradient in [] if objective is None else wrong_gradients(objective, phi):
        explained = {name: _same(got[part], gradient[part]) for name, part in parts.items()}
        spoils = {name: _differ(gradient[part], expected[part]) for name, part in parts.items()}
        if any(spoils[name] and not wrong[name] for name in parts):
            continue  # this mistake would have spoilt a block that is right
        shows = [name for name in bad if explained[name] and spoils[name]]
        for name in shows:
            fits[name].append(sentence)
        if shows == bad and all(explained.values()):
            whole.append(sentence)
    found = {}
    for name in bad:
        sentences = list(dict.fromkeys(whole or fits[name]))
        plain = _arithmetic(got[parts[name]], expected[parts[name]], shapes[name])
        few = objective is not None and len(objective.pairs) <= 3
        if not sentences or (plain and (few or plain in MERE)):
            sentences += [plain] if plain and not any(s.startswith(plain) for s in sentences) else []
        if 0 < len(sentences) <= 2:  # a longer list would be guessing
            found[name] = "looks like: " + "; or: ".join(sentences)
    return found


def wrong_gradients(objective: Objective, phi: Array) -> Iterator[tuple[str, Array]]:
    """Yield (what is wrong, the gradient that results) for every known mistake that is possible in this problem.

    They come in the order of the backward pass: at the margin, between the margin and the answers, inside the scorer,
    and in the penalty.
    """
    pairs, scorer, penalty = objective.pairs, objective.scorer, objective.l2 * phi

    def back(d_chosen: Array, d_rejected: Array) -> Array:
        gradient = scorer.backward(phi, pairs.chosen, d_chosen)
        return gradient + scorer.backward(phi, pairs.rejected, d_rejected) + penalty

    d, mistakes = _d_margins(objective, np.asarray(objective.margins(phi)))
    right, zero = back(d, -d), 0 * d
    yield "the sign is flipped: gradient descent would raise the loss", -right
    for sentence, wrong in mistakes:
        yield sentence, back(wrong, -wrong)
    yield "only the chosen answer was differentiated", back(d, zero)
    yield "only the rejected answer was differentiated", back(zero, -d)
    yield "the gradients of the two answers are added: that of the rejected one needs a minus sign", back(d, d)
    if isinstance(scorer, TableScorer):
        sentence = "an item that occurs again overwrites its earlier gradient instead of adding to it"
        yield sentence, _overwritten(objective, d) + penalty
    if isinstance(scorer, MLPScorer):
        for sentence in MLP_SLIPS:
            if scorer.activation == "relu" and sentence in MLP_SLIPS[1:3]:
                continue  # these are mistakes for tanh only
            one, other = ((pairs.chosen, d), (pairs.rejected, -d))
            yield sentence, _mlp_slip(scorer, phi, *one, sentence) + _mlp_slip(scorer, phi, *other, sentence) + penalty
        for sentence, gradient in _mlp_slips_of_pairs(scorer, objective, phi, d, right - penalty):
            yield sentence, gradient + penalty
    if objective.l2:
        yield "the penalty l2·φ is missing", right - penalty
        yield "the penalty counts twice: the derivative of l2/2·|φ|² is l2·φ", right + penalty
        yield "the penalty has the wrong sign", right - 2 * penalty
        yield "half the penalty: the ½ of l2/2·|φ|² cancels against the 2 of the derivative", right - penalty / 2


def _d_margins(objective: Objective, delta: Array) -> tuple[Array, Iterator[tuple[str, Array]]]:
    """Return dL/dΔ of each pair, and what the usual mistakes would give instead."""
    pairs = objective.pairs
    n, ones = len(pairs), np.ones(len(pairs))
    w = ones if pairs.weights is None else pairs.weights
    t = ones if pairs.labels is None else pairs.labels
    m = 0 * ones if pairs.target_margins is None else pairs.target_margins
    z = delta - m

    def pull(z: Array, t: Array = t, w: Array = w) -> Array:
        return w * ((1 - t) * sigmoid(z) - t * sigmoid(-z)) / w.sum()

    d = pull(z)

    def mistakes() -> Iterator[tuple[str, Array]]:
        total = "Σ w" if pairs.weights is not None else f"n = {n}"
        yield f"the division by {total} is missing: a sum over the pairs instead of the mean", d * w.sum()
        yield f"divided by {total} twice", d / w.sum()
        yield "divided by the number of answers, 2n: the mean is over pairs", d / 2
        yield "σ(Δ) instead of σ(−Δ): correctly ranked pairs pull, and wrongly ranked ones hardly do", pull(-z)
        yield "σ(2Δ) instead of σ(Δ): (1 + tanh x)/2 is σ(2x)", pull(2 * z)
        flat = w * (1 - 2 * t) / w.sum()
        yield "the factor σ(−Δ) is missing: every pair pulls with full force", flat
        bell = flat * sigmoid(z) * sigmoid(-z)
        yield "σ′(Δ) instead of σ(−Δ): the derivative of σ, not of −log σ", bell
        if pairs.labels is None:
            yield "the loss instead of its slope σ(−Δ)", flat * pair_losses(z)
        else:
            yield "the labels are ignored: every pair counts as certain", pull(z, t=ones)
            yield "labels are read as P(rejected preferred)", pull(z, t=1 - t)
        if pairs.weights is not None:
            yield "the weights are ignored", pull(z, w=ones)
            yield f"weighted, but divided by n = {n} instead of Σ w", d * w.sum() / n
        if pairs.target_margins is not None:
            yield "the target margins are ignored", pull(delta)
            yield "the target margins are added where they should be subtracted", pull(delta + m)
        yield from _mixed_up(d, w.sum(), total)

    return d, mistakes()


def _mixed_up(d: Array, total_weight: float, total: str) -> Iterator[tuple[str, Array]]:
    """Yield dL/dΔ with the pairs mixed up, or with most of them lost."""
    n = len(d)
    if n > 1:
        yield "every pair has the mean pull: a mean of products is not a product of means", np.full(n, d.mean())
        rows = {"only the last pair counts: sum over the pairs": n - 1, "only the first pair counts": 0}
        for sentence, row in rows.items():
            alone = np.where(np.arange(n) == row, d, 0.0)
            yield sentence, alone
            undivided = f"{sentence.partition(':')[0]}, and the division by {total} is missing"
            yield undivided, alone * total_weight
    if n > 2:
        for where, shift in {"before": 1, "after": -1}.items():
            yield f"each pair has the pull of the pair {where} it: an index is off by one", np.roll(d, shift)


MLP_SLIPS = (
    "the derivative of the activation is missing",
    "tanh' is 1 − h², and here it is 1 − h",
    "the derivative of the activation is taken at h = act(a) instead of at a",
    "the output weights are missing on the way back to the hidden layer",
    "the gradient of the output weights uses a = x W + b instead of h = act(a)",
    "the gradient of the bias is a mean over the rows instead of a sum",
)


def _mlp_slip(scorer: MLPScorer, phi: Array, x: NDArray[np.generic], d_rewards: Array, slip: str) -> Array:
    """Go back through the layers as ``MLPScorer.backward`` does, except for one slip."""
    blocks, features = scorer.unpack(phi), np.asarray(x, dtype=np.float64)
    a = features @ blocks["hidden_weights"] + blocks["hidden_bias"]
    is_tanh = scorer.activation == "tanh"
    h = np.tanh(a) if is_tanh else np.maximum(a, 0)
    at = h if slip == MLP_SLIPS[2] else a
    derivative = 1 - np.tanh(at) ** 2 if is_tanh else (at > 0).astype(float)
    if slip == MLP_SLIPS[0]:
        derivative = np.ones_like(a)
    elif slip == MLP_SLIPS[1] and is_tanh:
        derivative = 1 - h
    head = np.ones_like(blocks["output_weights"]) if slip == MLP_SLIPS[3] else blocks["output_weights"]
    d_a = derivative * head * d_rewards[:, None]
    d_bias = d_a.mean(axis=0) if slip == MLP_SLIPS[5] else d_a.sum(axis=0)
    d_output = d_rewards @ (a if slip == MLP_SLIPS[4] else h)
    return np.concatenate([np.ravel(features.T @ d_a), d_bias, d_output])


def _mlp_slips_of_pairs(
    scorer: MLPScorer, objective: Objective, phi: Array, d: Array, right: Array
) -> Iterator[tuple[str, Array]]:
    """Yield the mistakes that come from treating the two answers of a pair as one."""
    n = len(d)
    chosen, rejected = (np.asarray(x, dtype=np.float64) for x in (objective.pairs.chosen, objective.pairs.rejected))
    blocks, mean_bias = scorer.unpack(phi), right.copy()
    scorer.unpack(mean_bias)["hidden_bias"][...] /= 2 * n
    yield MLP_SLIPS[5], mean_bias
    a = [x @ blocks["hidden_weights"] + blocks["hidden_bias"] for x in (chosen, rejected)]
    act = np.tanh if scorer.activation == "tanh" else partial(np.maximum, 0)
    h = act(a[0]) - act(a[1])
    slope = 1 - h**2 if scorer.activation == "tanh" else (h > 0).astype(float)
    d_a = slope * blocks["output_weights"] * d[:, None]
    parts = [np.ravel((chosen - rejected).T @ d_a), d_a.sum(axis=0), d @ h]
    yield "act′ is taken at the difference of the two h: each answer has its own slope", np.concatenate(parts)
    through = scorer.backward(phi, chosen - rejected, d)
    yield "the difference of the answers went through the network: each answer must go through separately", through


def _overwritten(objective: Objective, d_margins: Array) -> Array:
    """Assign instead of adding, so that only the last pair in which an item occurs counts."""
    gradient = np.zeros(objective.scorer.n_parameters)
    for items, d_rewards in ((objective.pairs.chosen, d_margins), (objective.pairs.rejected, -d_margins)):
        part = np.zeros_like(gradient)
        part[np.ravel(items)] = d_rewards
        gradient += part
    return gradient


# ------------------------------------------------------------------------------------------------ arithmetic alone


MERE = ("zero everywhere: never filled in", "twice what it should be", "half of what it should be")
"""Many mistakes look like these, so they are named even beside a more specific diagnosis."""


def _arithmetic(got: Array, expected: Array, shape: tuple[int, ...]) -> str:
    """Say how a wrong block is related to the right one, or return "" if that is not obvious."""
    if not got.any():
        return MERE[0]
    if not _differ(got, expected):
        return ""  # a small difference can have any cause
    factor = float(got @ expected / (expected @ expected)) if expected.any() else 0.0
    if abs(factor - 1) > DIFFERENT and np.allclose(got, factor * expected, rtol=SAME, atol=0):
        names = {-1.0: "the sign is flipped", 2.0: MERE[1], 0.5: MERE[2]}
        near = next((name for value, name in names.items() if abs(factor - value) < 1e-6), "")
        return near or (f"every entry is off by the factor {factor:.6g}" if got.size > 1 else "")
    if len(shape) == 2 and min(shape) > 1 and _same(got, expected.reshape(shape).T.ravel()):
        return "the matrix is transposed"
    return _displaced(got, expected, int(np.prod(shape[1:])))


def _displaced(got: Array, expected: Array, width: int) -> str:
    """Say how the right numbers were displaced, or return "" if the numbers differ. A row has ``width`` entries."""
    if not _same(np.sort(got), np.sort(expected)):
        return ""
    shifts = [k for far in range(1, min(got.size // 2, 50) + 1) for k in (far, -far)]
    shift = next((k for k in shifts if _same(got, np.roll(expected, k))), 0)
    if shift and got.size > 2:
        far, what = (abs(shift) // width, "row") if abs(shift) % width == 0 and width > 1 else (abs(shift), "entry")
        places = f"{far} {'place' if far == 1 else 'places'}"
        return f"every {what} is {places} too {'late' if shift > 0 else 'early'}: an index is off by {far}"
    return "the right numbers in the wrong places"


def _same(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() <= SAME * max(float(np.abs(b).max()), 1e-300))


def _differ(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() > DIFFERENT * max(float(np.abs(a).max()), float(np.abs(b).max())))
