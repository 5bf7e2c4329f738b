"""Checks of the choices: swapped, random, contradictory, copied or leaked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..calibration.slope import fit_slope
from ..logistic import Array, sigmoid
from ..pairs import PreferencePairs
from ..scorers import MLPScorer
from ..threads import blas_on_one_thread
from .case import Case
from .levels import LEVEL, MATTERS, at_least, chi_squared_quantile, least_pairs, normal_quantile, would_tell
from .of_fit import NO_ODDS
from .records import Check, Facts
from .sample import Sample, keys_of_answers, keys_of_pairs, mixed

__all__ = [
    "coin_flip_labels",
    "contradictory_labels",
    "duplicated_pairs",
    "labels_swapped",
    "leak_between_splits",
]

FOR_FEATURES = "a table learns one reward for each item, so repeated pairs are what it needs"


def labels_swapped(case: Case) -> Check:
    """Test whether the accuracy is below ½, on the training or on the held-out pairs."""
    worst = min(case.samples, key=lambda sample: sample.accuracy_z())
    evidence: Facts = {
        f"accuracy on the {'training' if sample is case.training else 'held-out'} pairs": sample.accuracy
        for sample in case.samples
    }
    evidence["prompts"] = worst.n_prompts
    threshold = normal_quantile(LEVEL / len(case.samples))
    return Check("labels swapped", -worst.accuracy_z(), threshold, {"accuracy": worst.accuracy, **evidence})


def coin_flip_labels(case: Case, is_stuck: bool) -> Check | str:
    """Test whether the choices depend on the features or items: the score test of φ = 0, robust to prompts."""
    if case.is_table:
        if isinstance(case.attainable, str):
            return case.attainable
        fall = (case.equal_loss - case.attainable) / case.training.dispersion
        found, k = 2 * case.training.n * fall, case.degrees_of_freedom
    else:
        answer = _score_test(case.training)
        if isinstance(answer, str):
            return answer
        found, k = answer
    if isinstance(case.scorer, MLPScorer) and not is_stuck:
        held_out = case.held_out
        if held_out is None or held_out.losses is None:
            return "a network can learn more than a linear test of the features shows, and there are no held-out pairs"
        if held_out.mean(held_out.equal_losses - held_out.losses).z() > normal_quantile():
            found = np.inf
    least = chi_squared_quantile(k)
    n = case.training.n_prompts
    evidence: Facts = {
        "statistic of the choices": found,
        "99 % quantile of coin flips": least,
        "degrees of freedom": k,
        "prompts": n,
    }
    return Check("coin-flip labels", least, max(found, 1e-300), evidence, not would_tell(k, n))


def _score_test(sample: Sample) -> tuple[float, int] | str:
    """Return (Σ s)ᵀ(Σ s sᵀ)⁻¹(Σ s) over the scores s of the prompts, and its degrees of freedom."""
    n, k = 0, sample.pairs.n_features
    total, squares = np.zeros(k), np.zeros((k, k))
    with blas_on_one_thread(sample.pairs.chosen.size * k):
        for scores in sample.prompt_sums():
            n += int(np.count_nonzero(scores.any(axis=1)))
            total += scores.sum(axis=0)
            squares += scores.T @ scores
        unit = np.sqrt(np.diag(squares))
        moving = unit > 0
        if not moving.any():
            return _why_zero(sample)
        k = int(np.count_nonzero(moving))
        if n < least_pairs(k):
            return "there are too few prompts for each feature"
        total, unit = total[moving] / unit[moving], unit[moving]
        sizes, basis = np.linalg.eigh(squares[np.ix_(moving, moving)] / np.outer(unit, unit))
    kept = sizes > 1e-12 * k * sizes[-1]
    return float(np.sum((total @ basis[:, kept]) ** 2 / sizes[kept])), int(np.count_nonzero(kept))


def _why_zero(sample: Sample) -> str:
    """Say why the scores of all prompts are 0."""
    if not any(sample.plain_differences(rows)[sample.w[rows] > 0].any() for rows in sample.blocks):
        return "the answers of a pair never differ"
    if sample.is_tied:
        return "every pair is a tie"
    return "the judgements of each prompt cancel each other, or are ties"


def contradictory_labels(case: Case) -> Check | str:
    """Count pairs that were judged in both ways, which keeps every loss above 0."""
    pairs = case.training.pairs
    if pairs.is_items:
        return FOR_FEATURES
    unit, turned, same = case.training.units
    n, w, t = int(unit.max()) + 1, case.training.w, np.where(turned, 1 - case.training.t, case.training.t)
    counts = (w > 0) & ~same
    up = np.bincount(unit, weights=counts & (t > 0.5), minlength=n) > 0
    down = np.bincount(unit, weights=counts & (t < 0.5), minlength=n) > 0
    both = up & down
    weight = np.bincount(unit, weights=w, minlength=n)
    share = np.divide(np.bincount(unit, weights=w * t, minlength=n), weight, out=np.full(n, 0.5), where=weight > 0)
    share[np.bincount(unit, weights=same, minlength=n) > 0] = 0.5
    entropy = np.zeros(n)
    inner = (share > 0) & (share < 1)
    entropy[inner] = -(share[inner] * np.log(share[inner]) + (1 - share[inner]) * np.log1p(-share[inner]))
    evidence: Facts = {
        "contradictory pairs": int(both.sum()),
        "judgements of them": int(np.count_nonzero(counts & both[unit])),
        "loss floor": float(np.dot(weight, entropy) / weight.sum()),
    }
    if case.training.losses is not None:
        evidence["mean loss"] = float(np.dot(w, case.training.losses) / w.sum())
    return Check("contradictory labels", float(both.sum()), 0.0, evidence)


def duplicated_pairs(case: Case) -> Check | str:
    """Test whether repeated pairs agree more often than independent judgements with the model's probabilities.

    The margins of the model are multiplied by the factor that fits the training pairs best, if it is above 1, since a
    weak fit would expect too many disagreements. The repeats themselves must disagree less than a tenth as often as
    expected, since a difference that the model does not know lets independent judgements agree as well.
    If the annotators are known, only pairs that the same annotator judged again are compared.
    """
    pairs, sample = case.training.pairs, case.training
    if pairs.is_items:
        return FOR_FEATURES
    if sample.log_odds is None or not case.has_true_odds:
        return NO_ODDS
    unit, turned, same = case.training.units
    if case.annotators is not None:
        unit = unit * len(case.annotator_names) + case.annotators
    factor = fit_slope(sample.log_odds, pairs).b if sample.log_odds[sample.w > 0].any() else 1.0
    odds = sample.log_odds * (max(factor, 1.0) if np.isfinite(factor) else 1.0)
    hard = (np.abs(2 * sample.t - 1) == 1) & (sample.w > 0) & ~same
    _, unit = np.unique(unit[hard], return_inverse=True)
    if not unit.size:
        return "no pair of different answers has a definite label"
    up = np.where(turned, 1 - sample.t, sample.t)[hard]
    z = np.where(turned, -odds, odds)[hard]
    judged, chosen = np.bincount(unit), np.bincount(unit, weights=up)
    mean_z = np.bincount(unit, weights=z) / judged
    repeated = judged > 1
    m, p, q = judged[repeated], sigmoid(mean_z[repeated]), sigmoid(-mean_z[repeated])
    unanimous = (chosen[repeated] == 0) | (chosen[repeated] == m)
    by_chance = p**m + q**m
    n_unanimous = int(unanimous.sum())
    chance = at_least(n_unanimous, by_chance) if m.size else 1.0
    if m.size - n_unanimous > MATTERS * float(np.sum(1 - by_chance)):
        chance = 1.0
    evidence: Facts = {
        "repeated pairs": int(m.size),
        "always judged alike": n_unanimous,
        "expected of independent judgements": float(by_chance.sum()),
        "copies": int((m - 1)[unanimous].sum()),
        "share of all pairs": float((m - 1)[unanimous].sum() / len(pairs)),
    }
    return Check("duplicated pairs", _improbability(chance), _improbability(LEVEL), evidence)


def _improbability(chance: float) -> float:
    """Return -log10 of a probability: 2 for 1 %, and 0 for a certain event."""
    return 0.0 - math.log10(max(chance, 1e-300))


def leak_between_splits(case: Case) -> Check | str:
    """Count held-out pairs whose prompt is one of the training prompts, if both sides name their prompts.

    Without names, both answers of a pair are looked for among the training pairs. If the features have few values, they
    may be there by chance. So a pair counts only if one of its answers is in no other training pair, and the number of
    such pairs is tested: two answers with the shares p and q are expected in 2 n p q of n training pairs.
    """
    if case.held_out is None:
        return "there are no held-out pairs"
    if case.training.pairs.is_items:
        return FOR_FEATURES
    mine, theirs = case.training.pairs, case.held_out.pairs
    n, by_chance, statistic, threshold = len(theirs), 0.0, 0.0, 0.0
    names = mine.prompts, theirs.prompts
    is_named = names[0] is not None and names[1] is not None and not _counts_up(names[1])
    if names[0] is not None and names[1] is not None and is_named:
        known = set(names[0].tolist())
        leaked = np.array([prompt in known for prompt in names[1].tolist()])
        statistic = float(leaked.sum())
    else:
        leaked, chance = _with_equal_answers(mine, theirs)
        by_chance = float(chance.sum())
        found = at_least(int(leaked.sum()), chance) if leaked.any() else 1.0
        statistic, threshold = _improbability(found), _improbability(LEVEL)
    evidence: Facts = {"held-out pairs": n, "leaked": int(leaked.sum()), "expected by chance": by_chance}
    right, w = case.held_out.right, case.held_out.w
    for words, rows in (("accuracy on these", leaked), ("accuracy on the others", ~leaked)):
        if w[rows].sum() > 0:
            evidence[words] = float(np.dot(w[rows], right[rows]) / w[rows].sum())
    return Check("leak between splits", statistic, threshold, evidence, not is_named)


def _with_equal_answers(mine: PreferencePairs, theirs: PreferencePairs) -> tuple[NDArray[np.bool_], Array]:
    """Return which held-out pairs have the answers of a training pair, one of them in no other, and P(equal ones)."""
    answers, pairs = np.concatenate(keys_of_answers(mine)), np.tile(keys_of_pairs(mine).both, 2)
    different, place, counts = np.unique(answers, return_inverse=True, return_counts=True)
    once = np.unique(mixed(answers, pairs), return_index=True)[1]  # each answer of each different pair
    n_pairs_of = np.bincount(place[once])
    sides = keys_of_answers(theirs)
    expected, fewest = np.full(len(theirs), float(len(mine))), np.full(len(theirs), len(mine))
    for side in sides:
        row = np.minimum(np.searchsorted(different, side), different.size - 1)
        expected *= np.where(different[row] == side, counts[row] / answers.size, 0.0)
        fewest = np.minimum(fewest, n_pairs_of[row])
    leaked = np.isin(keys_of_pairs(theirs).both, pairs) & (fewest == 1)
    return leaked, -np.expm1(-np.where(sides[0] == sides[1], 1.0, 2.0) * expected)


def _counts_up(prompts: NDArray[np.generic]) -> bool:
    """Return whether prompts are numbered from 0 without gaps, as in a file of its own.

    Then equal numbers on the other side need not mean equal prompts.
    """
    if prompts.dtype.kind not in "iu":
        return False
    different = np.unique(prompts)
    return int(different[0]) == 0 and int(different[-1]) == different.size - 1
