"""Checks of the choices: swapped, random, contradictory, copied, leaked, or made by people who disagree."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..logistic import Array, sigmoid
from ..scorers import MLPScorer
from ..threads import blas_on_one_thread
from ..uncertainty.chi_squared import upper_tail
from .case import ENOUGH, LOG_TWO, Case
from .levels import LEVEL, at_least, chi_squared_quantile, normal_quantile
from .records import Check, Facts
from .sample import Sample, keys_of_pairs

__all__ = [
    "annotators_disagree",
    "coin_flip_labels",
    "contradictory_labels",
    "duplicated_pairs",
    "labels_swapped",
    "leak_between_splits",
]

FOR_FEATURES = "a table learns one reward for each item, so repeated pairs are what it needs"
MANY = 20  # features: with more, annotators are compared in one direction, that of the margins


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
        if case.attainable is None:
            return "there are too few comparisons for each item"
        found, k = 2 * case.training.n * (LOG_TWO - case.attainable), case.degrees_of_freedom
    else:
        answer = _score_test(case.thinned)
        if case.thinned is not case.training and (
            isinstance(answer, str) or answer[0] <= chi_squared_quantile(answer[1])
        ):
            answer = _score_test(case.training)
        if isinstance(answer, str):
            return answer
        found, k = answer
    if isinstance(case.scorer, MLPScorer) and not is_stuck:
        held_out = case.held_out
        if held_out is None or held_out.losses is None:
            return "a network can learn more than a linear test of the features shows, and there are no held-out pairs"
        if held_out.mean(LOG_TWO - held_out.losses).z() > normal_quantile():
            found = np.inf
    least = chi_squared_quantile(k)
    evidence: Facts = {"statistic of the choices": found, "coin flips exceed in 1 %": least, "df": k}
    return Check("coin-flip labels", least, max(found, 1e-300), evidence)


def _score_test(sample: Sample) -> tuple[float, int] | str:
    """Return (Σ s)ᵀ(Σ s sᵀ)⁻¹(Σ s) over the scores s of the prompts, and its degrees of freedom."""
    scores = np.zeros((int(sample.prompts.max()) + 1, sample.pairs.n_features))
    np.add.at(scores, sample.prompts, sample.differences * sample.w[:, None])
    scores = scores[:, np.abs(scores).max(axis=0) > 0]
    if not scores.size:
        return "the answers of a pair never differ"
    scores = scores[np.abs(scores).max(axis=1) > 0]
    if len(scores) < ENOUGH * scores.shape[1]:
        return "there are too few prompts for each feature"
    scores /= np.abs(scores).max(axis=0)
    with blas_on_one_thread(scores.size * scores.shape[1]):
        basis, sizes, _ = np.linalg.svd(scores, full_matrices=False)
    basis = basis[:, sizes > sizes[0] * 1e-12 * len(scores)]
    return float(np.sum(basis.sum(axis=0) ** 2)), basis.shape[1]


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
    """Test whether repeated pairs agree more often than independent judgements with the model's probabilities."""
    pairs, sample = case.training.pairs, case.training
    if pairs.is_items:
        return FOR_FEATURES
    if sample.log_odds is None:
        return "its loss gives no probabilities"
    unit, turned, same = case.training.units
    hard = (np.abs(2 * sample.t - 1) == 1) & (sample.w > 0) & ~same
    _, unit = np.unique(unit[hard], return_inverse=True)
    if not unit.size:
        return "no pair has a definite label"
    up = np.where(turned, 1 - sample.t, sample.t)[hard]
    z = np.where(turned, -sample.log_odds, sample.log_odds)[hard]
    judged, chosen = np.bincount(unit), np.bincount(unit, weights=up)
    mean_z = np.bincount(unit, weights=z) / judged
    repeated = judged > 1
    m, p, q = judged[repeated], sigmoid(mean_z[repeated]), sigmoid(-mean_z[repeated])
    unanimous = (chosen[repeated] == 0) | (chosen[repeated] == m)
    by_chance = p**m + q**m
    n_unanimous = int(unanimous.sum())
    chance = at_least(n_unanimous, by_chance) if m.size else 1.0
    evidence: Facts = {
        "repeated pairs": int(m.size),
        "always judged alike": n_unanimous,
        "expected of independent judgements": float(by_chance.sum()),
        "copies": int((m - 1)[unanimous].sum()),
        "share of all pairs": float((m - 1)[unanimous].sum() / len(pairs)),
    }
    return Check("duplicated pairs", -math.log10(max(chance, 1e-300)), -math.log10(LEVEL), evidence)


def leak_between_splits(case: Case) -> Check | str:
    """Count held-out pairs whose prompt, or whose two answers, are among the training pairs."""
    if case.held_out is None:
        return "there are no held-out pairs"
    if case.training.pairs.is_items:
        return FOR_FEATURES
    mine, theirs = case.training.pairs, case.held_out.pairs
    n = len(theirs)
    by_prompt = np.zeros(n, dtype=bool)
    if mine.prompts is not None and theirs.prompts is not None and not _numbered_apart(mine.prompts, theirs.prompts):
        known = set(mine.prompts.tolist())
        by_prompt = np.array([prompt in known for prompt in theirs.prompts.tolist()])
    by_pair = np.isin(keys_of_pairs(theirs).both, keys_of_pairs(mine).both)
    leaked = by_prompt | by_pair
    evidence: Facts = {
        "held-out pairs": n,
        "with a prompt of the training pairs": int(by_prompt.sum()),
        "with both answers of a training pair": int(by_pair.sum()),
        "leaked": int(leaked.sum()),
    }
    right, w = case.held_out.right, case.held_out.w
    for words, rows in (("accuracy on these", leaked), ("accuracy on the others", ~leaked)):
        if w[rows].sum() > 0:
            evidence[words] = float(np.dot(w[rows], right[rows]) / w[rows].sum())
    return Check("leak between splits", float(leaked.sum()), 0.0, evidence)


def _numbered_apart(mine: NDArray[np.generic], theirs: NDArray[np.generic]) -> bool:
    """Return whether both sides count their prompts from 0, so that equal numbers need not mean equal prompts."""

    def counts_up(prompts: NDArray[np.generic]) -> bool:
        if prompts.dtype.kind not in "iu":
            return False
        different = np.unique(prompts)
        return int(different[0]) == 0 and int(different[-1]) == different.size - 1

    return counts_up(mine) and counts_up(theirs)


def annotators_disagree(case: Case) -> Check | str:
    """Test whether somebody chooses by other weights than the others: a score test for each annotator.

    With the scores s = w (t - p) d and the information H = Σ w p q d dᵀ, annotator a has s_a = Σ_a s - H_a H⁻¹ Σ s,
    with the variance H_a - H_a H⁻¹ H_a. The level is divided by the number of annotators (Bonferroni).
    """
    if case.annotators is None:
        return "the annotators are unknown"
    sample = case.training
    if sample.log_odds is None:
        return "its loss gives no probabilities"
    n = len(case.annotator_names)
    sizes = np.bincount(case.annotators, minlength=n)
    if n < 2:
        return "there is only one annotator"
    d = _directions(case, int(sizes.min()))
    p, q = sigmoid(sample.log_odds), sigmoid(-sample.log_odds)
    s = (sample.w * (sample.t * q - (1 - sample.t) * p))[:, None] * d
    bend = sample.w * p * q
    whole, score = d.T @ (d * bend[:, None]), s.sum(axis=0)
    worst, who, k = -np.inf, 0, d.shape[1]
    for number in range(n):
        rows = case.annotators == number
        information = d[rows].T @ (d[rows] * bend[rows, None])
        share = information @ np.linalg.pinv(whole, rcond=1e-12, hermitian=True)
        own = s[rows].sum(axis=0) - share @ score
        variance = information - share @ information
        found = float(own @ np.linalg.pinv(variance, rcond=1e-9, hermitian=True) @ own)
        if found > worst:
            worst, who = found, number
    rows = case.annotators == who
    evidence: Facts = {
        "annotators": n,
        "who differs most": case.annotator_names[who],
        "pairs of this annotator": int(sizes[who]),
        "agreement with the model": float(np.dot(sample.w[rows], sample.right[rows]) / sample.w[rows].sum()),
        "agreement of the others": float(np.dot(sample.w[~rows], sample.right[~rows]) / sample.w[~rows].sum()),
        "p-value": min(1.0, n * upper_tail(worst, k)),
    }
    return Check("annotators disagree", worst, chi_squared_quantile(k, LEVEL / n), evidence)


def _directions(case: Case, fewest: int) -> Array:
    """Return dΔ/dφ of each pair for a linear scorer with few features, else the margin itself as the only direction."""
    pairs = case.training.pairs
    if case.scorer.linear_in_phi and not pairs.is_items and pairs.n_features <= min(MANY, fewest // ENOUGH):
        return case.training.plain_differences
    largest = float(np.abs(case.training.margins).max()) or 1.0
    return case.training.margins[:, None] / largest
