"""Which mistake does a wrong gradient look like? It is compared with gradients that are wrong in known ways.

Given the problem (an ``Objective``), the module ``mistakes`` makes the known mistakes of the backward pass on purpose,
one at a time or two at once. Without the problem, only arithmetic can be tried: a constant factor, a transposed matrix,
a clip, or the right numbers in the wrong places. A block that fits no mistake gets no diagnosis, because a wrong
diagnosis is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..logistic import Array
from ..objective import Objective
from ..scorers import MLPScorer
from .blocks import Blocks, slices_of
from .mistakes import one_wrong_pair, two_mistakes, wrong_gradients

__all__ = ["diagnose", "is_about_a_pair", "wrong_gradients"]

# Both are shares of a block's largest entry.
SAME = 1e-6  # two blocks that differ by no more than this count as the same
DIFFERENT = 1e-4  # a mistake is visible if it changes a block by more than this
MOST_SENTENCES = 2  # a longer list would be guessing


def diagnose(
    got: Array, expected: Array, shapes: Blocks, wrong: Mapping[str, bool], objective: Objective | None, phi: Array
) -> dict[str, str]:
    """Return a sentence "looks like: …" for each wrong block that looks like a known mistake.

    One mistake that explains all blocks comes first, then a mistake for each block, then two mistakes that explain all
    blocks together, and last what arithmetic says about a block.

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
    known = expected != got  # in a large gradient, ``expected`` is a copy of ``got`` where it was not checked
    if _differ(right[known], expected[known]):  # mistakes in the objective's loss do not explain another loss
        objective, right = None, expected
    expected = np.where(known, expected, right)

    def possible(gradient: Array) -> bool:
        """Return whether this mistake leaves the blocks that are right as they are."""
        return not any(_differ(gradient[part], expected[part]) for name, part in parts.items() if not wrong[name])

    floor = 1e-13 * float(np.abs(right).max())  # where the terms of a block cancel, only their rounding is left

    def same(gradient: Array, part: slice) -> bool:
        return _same(got[part], gradient[part], floor)

    def fits(gradient: Array, name: str) -> bool:
        part = parts[name]
        return same(gradient, part) and _differ(gradient[part], expected[part])

    whole: list[str] = []  # mistakes that explain all blocks at once, including those that are right
    of_block: dict[str, list[str]] = {name: [] for name in bad}
    alone: dict[str, list[str]] = {name: [] for name in bad}  # made in this block only
    for sentence, gradient in [] if objective is None else wrong_gradients(objective, phi):
        shows = [name for name in bad if fits(gradient, name)]
        for name in shows:
            (of_block if possible(gradient) else alone)[name].append(sentence)
        if shows == bad and possible(gradient) and all(same(gradient, part) for part in parts.values()):
            whole.append(sentence)
    plain = {name: _arithmetic(got[parts[name]], expected[parts[name]], shapes[name]) for name in bad}
    if objective is not None and not whole:
        sentence = _of_all_entries(got, right, phi, objective, bad == list(shapes))
        whole += [sentence] if sentence else []
        whole = whole or [
            sentence
            for sentence, gradient in one_wrong_pair(objective, phi)
            if possible(gradient) and all(same(gradient, part) for part in parts.values())
        ]
    if not whole and objective is not None and not all(of_block.values()) and got.any():
        whole = _two_at_once(got, expected, objective, phi, list(parts.values()))
    few = objective is not None and len(objective.pairs) <= 3
    found = {}
    for name in bad:
        sentences, mere = _without_repeats(whole or of_block[name]), plain[name]
        if mere == MERE[0] and not whole:
            sentences = [mere]
        elif not sentences:
            special = _of_a_block(name, got, right, parts, objective)
            once = [f"in {name} alone, {sentence}" for sentence in _without_repeats(alone[name])]
            sentences = [special or mere] if special or mere else once if got[parts[name]].size > 1 else []
        elif mere and (few or mere in MERE) and not any(s.startswith(mere) for s in sentences):
            sentences.append(mere)
        if 0 < len(sentences) <= MOST_SENTENCES:
            found[name] = "looks like: " + "; or: ".join(sentences)
    return found


def is_about_a_pair(diagnosis: str) -> bool:
    """Return whether a diagnosis says that one pair is treated wrongly, so that its numbers are worth showing, too."""
    return diagnosis.startswith("looks like: pair ")


def _without_repeats(sentences: list[str]) -> list[str]:
    return list(dict.fromkeys(sentences))


def _two_at_once(got: Array, expected: Array, objective: Objective, phi: Array, parts: list[slice]) -> list[str]:
    """Return two sentences that are right together, or none if no two mistakes, or too many, explain the gradient."""
    found: list[tuple[str, str]] = []
    for one, other, gradient in two_mistakes(objective, phi):
        if all(_same(got[part], gradient[part]) for part in parts) and (one, other) not in found:
            found.append((one, other))
    if not 0 < len(found) <= MOST_SENTENCES or not any(_differ(got[part], expected[part]) for part in parts):
        return []
    return [f"two mistakes at once: {one}; and {other}" for one, other in found]


def _of_all_entries(got: Array, right: Array, phi: Array, objective: Objective, all_wrong: bool) -> str:
    """Recognise a decay, a clip and a gradient of a fixed length, which have a free number in them."""
    added, size = got - right, float(np.abs(right).max())
    share = float(added @ phi / (phi @ phi)) if phi.any() else 0.0
    if np.unique(phi[phi != 0]).size > 1 and np.abs(added).max() > DIFFERENT * size and _same(added, share * phi):
        if objective.l2:
            return f"the penalty is {objective.l2 + share:.4g}·φ, and it should be l2·φ with l2 = {objective.l2:g}"
        return f"{share:.4g}·φ is added, as by weight decay, but this loss has no penalty"
    length, its_length = float(np.sqrt(got @ got)), float(np.sqrt(right @ right))
    if (
        all_wrong
        and np.count_nonzero(got) > 1
        and is_round(length)
        and _same(got, right * length / max(its_length, 1e-300))
    ):
        return f"the gradient has the right direction, but its length is {length:.4g}: was it clipped or normalised?"
    return _clipped(got, right)


def _clipped(got: Array, right: Array) -> str:
    most = float(np.abs(got).max())
    n_clipped = int((np.abs(right) > most * (1 + SAME)).sum())
    if not n_clipped or not (n_clipped > 1 or is_round(most)) or n_clipped == np.count_nonzero(right) or most == 0:
        return ""
    if not _same(got, np.clip(right, -most, most)):
        return ""
    entries = "1 entry is" if n_clipped == 1 else f"{n_clipped} entries are"
    return f"{entries} clipped to ±{most:.4g}"


def _of_a_block(name: str, got: Array, right: Array, parts: Mapping[str, slice], objective: Objective | None) -> str:
    """Recognise a division that is wrong in this block alone, and a block that holds the numbers of another."""
    mine, wanted = got[parts[name]], right[parts[name]]
    for other, part in parts.items():
        if other != name and right[part].size == mine.size > 1 and right[part].any() and _same(mine, right[part]):
            return f"{name} holds the gradient of {other}"
    if objective is None or objective.l2 or not wanted.any():  # a penalty is not divided, so that no one factor fits
        return ""
    pairs, scorer, n = objective.pairs, objective.scorer, len(objective.pairs)
    total = n if pairs.weights is None else float(pairs.weights.sum())
    what = f"n = {n}" if pairs.weights is None else f"Σ w = {total:.4g}"
    factor = float(mine @ wanted / (wanted @ wanted))
    if not _same(mine, factor * wanted):
        return ""
    sentences = {
        total: f"{name} was not divided by {what}",
        1 / total: f"{name} was divided by {what} twice",
        0.5 / total: f"{name} was divided by {what} and once more by the number of its rows, 2n",
    }
    if isinstance(scorer, MLPScorer):
        sentences |= {1 / scorer.n_features: f"{name} was divided by the number of features, {scorer.n_features}"}
        sentences |= {1 / scorer.n_hidden: f"{name} was divided by the number of hidden units, {scorer.n_hidden}"}
    near = [words for value, words in sentences.items() if abs(factor / value - 1) < SAME and abs(factor - 1) > SAME]
    return near[0] if len(near) == 1 and (mine.size > 1 or near[0].endswith(what)) else ""


def is_round(value: float) -> bool:
    """Return whether a number has at most two significant digits."""
    return value > 0 and abs(value - float(f"{value:.2g}")) <= 1e-9 * value


# ------------------------------------------------------------------------------------------------ arithmetic alone


MERE = ("zero everywhere: never filled in", "twice what it should be", "half of what it should be")
"""Many mistakes look like these, so they are named even beside a more specific diagnosis."""


LOG_2, LOG_10 = float(np.log(2)), float(np.log(10))
BASE_2, BASE_10 = (f"the logarithm has base {base}: nats need the natural one" for base in (2, 10))


def _arithmetic(got: Array, expected: Array, shape: tuple[int, ...]) -> str:
    """Say how a wrong block is related to the right one, or return "" if that is not obvious."""
    if not got.any():
        return MERE[0]
    if not _differ(got, expected):
        return ""  # a small difference can have any cause
    factor = float(got @ expected / (expected @ expected)) if expected.any() else 0.0
    if abs(factor - 1) > DIFFERENT and np.allclose(got, factor * expected, rtol=SAME, atol=0):
        names = {-1.0: "the sign is flipped", 2.0: MERE[1], 0.5: MERE[2], 1 / LOG_2: BASE_2, 1 / LOG_10: BASE_10}
        names |= {LOG_2: f"every entry is multiplied by log 2 = {LOG_2:.4f}"}
        length = float(np.sqrt(got @ got))
        if is_round(length) and np.count_nonzero(got) > 1 and factor > 0 and not is_round(factor):
            return (
                f"the gradient has the right direction, but its length is {length:.4g}: was it clipped or normalised?"
            )
        near = next((name for value, name in names.items() if abs(factor - value) < 1e-6), "")
        divisor = round(1 / abs(factor)) if factor else 0
        part = f", 1/{divisor}" if divisor > 1 and abs(abs(factor) * divisor - 1) < 1e-6 else ""
        return near or (f"every entry is off by a factor of {factor:.6g}{part}" if got.size > 1 else "")
    if len(shape) == 2 and min(shape) > 1 and _same(got, expected.reshape(shape).T.ravel()):
        return "the matrix is transposed"
    said = "the absolute value of what it should be" if _same(got, np.abs(expected)) else _clipped(got, expected)
    return said or _masked(got, expected) or _displaced(got, expected, int(np.prod(shape[1:])))


def _masked(got: Array, expected: Array) -> str:
    """Recognise entries that were set to zero, while the others are right or all scaled alike, as by dropout."""
    lost = (got == 0) & (expected != 0)
    n_lost, kept = int(lost.sum()), ~lost & (expected != 0)
    if not n_lost or kept.sum() < 2:
        return ""
    factor = float(got[kept] @ expected[kept] / (expected[kept] @ expected[kept]))
    if not _same(got, np.where(lost, 0.0, factor * expected)):
        return ""
    scaled = "right" if abs(factor - 1) <= SAME else f"{factor:.4g} times what they should be, as by dropout"
    are = "1 entry is" if n_lost == 1 else f"{n_lost} of {got.size} entries are"
    return f"{are} zero, and the others are {scaled}"


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


def _same(a: Array, b: Array, floor: float = 1e-300) -> bool:
    return bool(np.abs(a - b).max() <= max(SAME * float(np.abs(b).max()), floor))


def _differ(a: Array, b: Array) -> bool:
    return bool(np.abs(a - b).max() > DIFFERENT * max(float(np.abs(a).max()), float(np.abs(b).max())))
