"""Checks of the features: identical, undetermined, one that does all the work, and one that knows the order."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from ..calibration.slope import fit_slope
from ..evaluation import connected_groups, margins_of
from ..fitting.conjugate import is_dense
from ..fitting.determined import null_directions
from ..logistic import Array
from ..losses import pair_losses
from ..newton import minimise
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, TableScorer
from ..threads import blas_on_one_thread
from .case import Case
from .levels import MATTERS, least_pairs, normal_quantile
from .records import Check, Facts

__all__ = [
    "identical_answers",
    "one_feature",
    "order_leak",
    "undetermined_directions",
    "zero_features",
]

ONLY_FEATURES = "items have no features"
CONSTANT = 1e-9  # how far a margin that should be 1 for all pairs may be from 1, by rounding


def identical_answers(case: Case) -> Check:
    """Count pairs whose answers have the same features, for example after truncation."""
    pairs = case.training.pairs
    n = pairs.n_identical
    return Check(
        "identical answers",
        float(n),
        0.0,
        {"identical pairs": n, "pairs": len(pairs), "share": n / len(pairs)},
    )


def zero_features(case: Case) -> Check | str:
    """Find out whether all features of all answers are 0."""
    pairs = case.training.pairs
    if pairs.is_items:
        return ONLY_FEATURES
    is_zero = not (pairs.chosen.any() or pairs.rejected.any())
    return Check("zero features", float(is_zero), 0.0, {"features": pairs.n_features, "pairs": len(pairs)})


def undetermined_directions(case: Case) -> Check | str:
    """Find the directions of φ that no pair says anything about."""
    name, pairs = "undetermined directions", case.training.pairs
    if case.model.l2 > 0:
        return "the penalty determines every direction"
    if isinstance(case.scorer, TableScorer):
        n = connected_groups(pairs) - 1
        which = f"the differences between {n + 1} groups of items that were never compared with each other"
        return Check(name, float(n), 0.0, {"directions": n, "which": which})
    sample = case.training
    if isinstance(case.scorer, MLPScorer):
        is_constant = np.ones(pairs.n_features, dtype=bool)
        for rows, side in product(sample.blocks, (pairs.chosen, pairs.rejected)):
            is_constant &= (side[rows] == pairs.chosen[0]).all(axis=0)
        free = [case.name_of(j) for j in np.flatnonzero(is_constant).tolist()]
        return Check(name, float(len(free)), 0.0, {"directions": len(free), "which": _listed(free)})
    if not isinstance(case.scorer, LinearScorer) or not is_dense(pairs.n_features):
        return "this check needs a table, a network, or a linear scorer with at most a few thousand features"
    gram = np.zeros((pairs.n_features, pairs.n_features))
    with blas_on_one_thread(pairs.chosen.size * pairs.n_features):
        for rows in sample.blocks:
            d = sample.plain_differences(rows) * np.sqrt(sample.w[rows])[:, None]
            gram += d.T @ d
    null = null_directions(gram)
    share = np.einsum("ij,ij->i", null, null)
    names = [case.name_of(j) for j in np.flatnonzero(share > 1e-9).tolist()]
    return Check(name, float(null.shape[1]), 0.0, {"directions": null.shape[1], "which": _listed(names)})


def one_feature(case: Case, is_stuck: bool) -> Check | str:
    """Test whether one feature alone gives nine tenths of what the model has learned.

    With the losses l of the best multiple of the margins, l_j of that of feature j and l_0 of equal rewards, the mean
    of (l_0 - l_j) - 0.9·(l_0 - l) is tested against 0. Feature j is the one that deviates most from coin flips.
    Both losses are those expected on new pairs: a fit of k parameters to n pairs costs k/n more there (Akaike 1974).
    """
    name, pairs = "one feature carries the model", case.training.pairs
    if pairs.is_items:
        return ONLY_FEATURES
    sample = case.thinned
    if is_stuck or sample.losses is None:
        return "the model has learned nothing" if is_stuck else "its loss gives no probabilities"
    fall = sample.mean(sample.equal_losses - sample.losses)
    if fall.mean <= case.chance if case.is_usual else fall.z() <= normal_quantile():
        return "the advantage of the model over a coin flip may be chance"
    if case.training.n < least_pairs(pairs.n_features):
        return "there are too few pairs for each feature"
    d = sample.differences(slice(None))
    size = np.sqrt(np.einsum("ij,ij->j", d, d))
    if np.count_nonzero(size) < 2:
        return "fewer than two features differ between the answers that were and were not preferred"
    with_sign = np.abs(np.einsum("ij,i->j", d, sample.w))
    j = int(np.argmax(np.divide(with_sign, size, out=np.zeros(size.size), where=size > 0)))
    x = np.subtract(sample.pairs.chosen[:, j], sample.pairs.rejected[:, j], dtype=np.float64)
    m = 0.0 if sample.pairs.target_margins is None or not case.is_usual else sample.pairs.target_margins
    z = _best_multiple(x, sample.pairs, m)
    alone = np.asarray(pair_losses(z - m, labels=sample.pairs.labels))
    whole = sample.losses
    if (
        case.is_usual and fall.mean > 0
    ):  # a model that l2 holds back, or that stopped early, has margins that are too small
        scaled = np.asarray(
            pair_losses(_best_multiple(sample.margins, sample.pairs, m) - m, labels=sample.pairs.labels)
        )
        whole = scaled if sample.mean(scaled - whole).mean < 0 else whole
    is_minimum = isinstance(case.scorer, LinearScorer) and case.model.converged and not case.model.l2
    cost = 1 / case.training.n if is_minimum and sample.pairs.target_margins is None else 0.0
    equal = sample.equal_losses
    gains = equal - alone - cost, equal - whole - cost * np.count_nonzero(size)
    mean = sample.mean(gains[0] - (1 - MATTERS) * gains[1])
    w = sample.w / sample.w.sum()
    right = np.where(z > 0, sample.t, np.where(z < 0, 1 - sample.t, 0.5))
    evidence: Facts = {
        "feature": case.name_of(j),
        "accuracy of the model": sample.accuracy,
        "of this feature alone": float(np.dot(w, right)),
        "loss of the model": float(np.dot(w, sample.losses)),
        "loss of this feature alone": float(np.dot(w, alone)),
    }
    check = Check(name, mean.z(), normal_quantile(), evidence)
    if check.is_found:
        loss, accuracy = _refitted(sample.pairs, np.arange(pairs.n_features) != j)
        evidence |= {"accuracy without it": accuracy, "loss without it": loss}
    return check


def order_leak(case: Case) -> Check | str:
    """Find out whether some combination of features tells which answer is stored as the preferred one.

    Then d·v = 1 for every pair and some v. Rewards that contain v have the same margin for every pair, which is an
    output bias in disguise. Of choices between different answers, this happens with probability 0.
    """
    name, pairs = "order leak", case.training.pairs
    swapped = _swapped(pairs)
    if type(case.scorer) not in {LinearScorer, MLPScorer, TableScorer}:
        bias = case.training.margins + margins_of(case.scorer, case.model.phi, swapped)
        if float(np.abs(bias).max()) > CONSTANT * (1 + float(np.abs(case.training.margins).max())):
            said: Facts = {"which": "the scorer itself", "margin of two equal answers": float(bias.mean() / 2)}
            return Check(name, 1.0, 0.0, {**said, "accuracy with it": case.training.accuracy})
    if pairs.is_items:
        return ONLY_FEATURES
    sample = case.thinned
    used = (np.abs(2 * sample.t - 1) == 1) & (sample.w > 0)
    d = sample.differences(used)
    size = np.sqrt(np.mean(d * d, axis=0)) if len(d) else np.zeros(pairs.n_features)
    moving = size > 0
    if len(d) <= 2 * np.count_nonzero(moving):
        return "there are too few pairs for each feature" if len(d) else "no pair has a definite label"
    if not moving.any():
        return Check(name, 0.0, 0.0, {})
    d = d[:, moving] / size[moving]
    v = np.linalg.lstsq(d, np.ones(len(d)), rcond=None)[0]
    is_leak = float(np.abs(d @ v - 1).max()) < CONSTANT
    if is_leak and sample is not case.training:
        whole = case.training
        counts = (np.abs(2 * whole.t - 1) == 1) & (whole.w > 0)
        in_its_units = v / size[moving] * (whole.feature_units / sample.feature_units)[moving]
        far = [np.abs(whole.differences(rows)[:, moving] @ in_its_units - 1) for rows in whole.blocks]
        is_leak = float(np.concatenate(far)[counts].max()) < CONSTANT
    if not is_leak:
        return Check(name, 0.0, 0.0, {})
    parts = np.zeros(pairs.n_features)
    parts[moving] = np.abs(v)
    leaking = parts > 1e-6 * parts.max()
    evidence: Facts = {
        "which": _listed([case.name_of(j) for j in np.flatnonzero(leaking).tolist()]),
        "accuracy with it": case.training.accuracy,
    }
    if not leaking.all():
        evidence["accuracy without it"] = _refitted(sample.pairs, ~leaking)[1]
    return Check(name, 1.0, 0.0, evidence)


def _best_multiple(x: Array, pairs: PreferencePairs, m: Array | float) -> Array:
    """Return b·x with the b that fits the choices best. Where x is 0, so is b·x, even if b is infinite."""
    return np.multiply(x, fit_slope(x, pairs, m).b, out=np.zeros(x.size), where=x != 0)


def _refitted(pairs: PreferencePairs, columns: Array) -> tuple[float, float]:
    """Return the loss and the accuracy of a linear fit to some of the features."""
    some = replace(pairs, chosen=pairs.chosen[:, columns], rejected=pairs.rejected[:, columns], feature_names=None)
    objective = Objective(LinearScorer(some.n_features), some)
    start = objective.at(np.zeros(some.n_features))
    point = minimise(objective, start, lambda *_: False, max_steps=50, tolerance=1e-9).point
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    right = np.where(point.margins > 0, t, np.where(point.margins < 0, 1 - t, 0.5))
    return float(point.loss), float(np.dot(w, right) / w.sum())


def _swapped(pairs: PreferencePairs) -> PreferencePairs:
    return replace(pairs, chosen=pairs.rejected, rejected=pairs.chosen)


def _listed(names: list[str], most: int = 4) -> str:
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} others"
    return " and ".join(names) if len(names) <= 2 else f"{', '.join(names[:-1])} and {names[-1]}"
