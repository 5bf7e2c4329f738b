"""The check that compares each annotator with all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..calibration.slope import fit_slope
from ..logistic import Array, sigmoid
from ..losses import pair_losses
from .case import Case
from .levels import LEVEL
from .of_fit import NO_ODDS
from .records import Check, Facts

__all__ = ["annotators_disagree"]

MANY = 20  # features: with more, annotators are compared in one direction, that of the margins
REACH = 100.0  # the largest λ, where the root mean square of the direction is 1. A smaller one than the best is safe.
HALVINGS = 32  # of the interval from -REACH to REACH, so that λ is known to 5e-8


def annotators_disagree(case: Case) -> Check | str:
    """Test whether the choices of one annotator follow weights of their own.

    The log-odds o of all annotators together are compared with o + λ d. The direction d is o itself, whose λ is -1 for
    somebody who guesses and -2 for the opposite taste, or the difference in one feature. The statistic is the largest
    gain g in the log-likelihood of one annotator's choices. If o is right, then for any number of pairs

        P(g ≥ x) ≤ 2 exp(-x).

    Derivation: for a fixed λ, the likelihood of o + λ d divided by that of o has the mean 1, so by Markov's inequality
    it exceeds exp(x) with a probability of at most exp(-x). In one direction, all choices with g ≥ x and λ > 0 exceed
    it at one and the same λ (Chernoff 1952), and λ < 0 doubles the bound. It also holds for labels between 0 and 1 with
    the mean sigma(o) (Hoeffding 1963) and for weights up to 1, since E[L^w] ≤ (E L)^w for a likelihood ratio L.

    The o here is not the true one, but fitted to the same choices. That brings it closer to each annotator, so the
    bound is cautious as long as all judge pairs of the same kind. If a model lacks something, and one annotator judges
    the pairs where it matters, this annotator seems to differ. A penalty on the items of a table does that to an
    annotator who judges items of their own, so such fits are not checked.

    The level is divided by the number of tests (Bonferroni): annotators times directions times two signs. So g must
    exceed log(tests / LEVEL). If o is 0, m choices have 2^m equally probable outcomes, and g is at most m log 2. An
    annotator with fewer than log2(tests / LEVEL) pairs is therefore not tested.
    """
    if case.annotators is None:
        return "the annotators are unknown"
    sample, who = case.training, case.annotators
    if sample.log_odds is None or not case.has_true_odds:
        return NO_ODDS
    if case.is_table and (case.model.l2 > 0 or not case.model.converged):
        return "the rewards of the items are pulled towards 0, for some annotators more than for others"
    judged = np.bincount(who, weights=sample.w > 0, minlength=len(case.annotator_names)).astype(np.int64)
    n = int(np.count_nonzero(judged))
    if n < 2:
        return "there is only one annotator"
    pairs = sample.pairs
    by_feature = case.scorer.linear_in_phi and not pairs.is_items and pairs.n_features <= MANY
    signs = 2 * (1 + pairs.n_features * by_feature)
    fewest = math.ceil(math.log2(n * signs / LEVEL))
    is_tested = judged >= fewest
    n_tested = int(np.count_nonzero(is_tested))
    if not n_tested:
        return f"with {n:,} annotators, this check needs somebody who judged at least {fewest} pairs"
    gains = np.where(is_tested, _gains(case, sample.log_odds, by_feature), -np.inf)
    worst = int(np.argmax(gains))
    rows, threshold = who == worst, math.log(n_tested * signs / LEVEL)
    evidence: Facts = {
        "annotators": len(case.annotator_names),
        "annotators tested": n_tested,
        "fewest pairs of these": fewest,
        "who differs most": case.annotator_names[worst],
        "pairs of this annotator": int(judged[worst]),
        "agreement with the model": float(np.dot(sample.w[rows], sample.right[rows]) / sample.w[rows].sum()),
        "agreement of the others": float(np.dot(sample.w[~rows], sample.right[~rows]) / sample.w[~rows].sum()),
        "p-value": min(1.0, LEVEL * math.exp(threshold - float(gains[worst]))),
    }
    return Check("annotators disagree", float(gains[worst]), threshold, evidence)


def _gains(case: Case, odds: Array, by_feature: bool) -> Array:
    """Return the largest gain of each annotator over the common log-odds, (n_annotators,), in nats."""
    sample, who, n = case.training, case.annotators, len(case.annotator_names)
    assert who is not None
    if odds[sample.w > 0].any():  # a penalty, or an early stop, must not make everybody differ from the model
        factor = fit_slope(odds, sample.pairs).b
        odds = odds * factor if np.isfinite(factor) else odds
    together, best = np.zeros(len(who), dtype=np.int64), np.zeros(n)
    for d in _directions(case, odds, by_feature):
        common = _best_factors(case, odds, d, together, 1)[together]
        own = _best_factors(case, odds, d, who, n)[who]
        before, after = (pair_losses(odds + each * d, labels=sample.pairs.labels) for each in (common, own))
        best = np.maximum(best, np.bincount(who, weights=sample.w * (before - after), minlength=n))
    return best


def _directions(case: Case, odds: Array, by_feature: bool) -> Iterator[Array]:
    """Yield the log-odds and the difference of each feature, (n_pairs,), each with a root mean square of 1."""
    pairs = case.training.pairs
    for number in range(1 + pairs.n_features * by_feature):
        j = number - 1
        d = np.subtract(pairs.chosen[:, j], pairs.rejected[:, j], dtype=np.float64) if number else odds
        d = d / (float(np.abs(d).max()) or 1.0)  # so that no square overflows
        yield d / (float(np.sqrt(np.mean(d * d))) or 1.0)


def _best_factors(case: Case, odds: Array, d: Array, group: NDArray[np.int64], n: int) -> Array:
    """Return the λ with the largest likelihood of o + λ d in each group, (n_groups,), by bisection of its slope."""
    sample = case.training
    low, high = np.full(n, -REACH), np.full(n, REACH)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        slopes = sample.w * d * (sample.t - sigmoid(odds + middle[group] * d))
        rises = np.bincount(group, weights=slopes, minlength=n) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    return 0.5 * (low + high)
