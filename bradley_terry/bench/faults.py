"""Simulated training runs with a known fault, and healthy ones, for ``bradley-terry bench --doctor``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..fitting.descent import safe_rate
from ..logistic import Array, sigmoid
from ..model import RewardModel, read_only
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, TableScorer
from ..training import fit

__all__ = ["FAULTS", "HEALTHY", "TOGETHER", "Run", "Scenario"]

W3 = np.array([1.0, -1.5, 0.7])
WEAK = 0.3 * W3 / np.linalg.norm(W3)
Rng = np.random.Generator


class Run(NamedTuple):
    """What ``diagnose`` is given."""

    model: RewardModel
    pairs: PreferencePairs
    validation: PreferencePairs | None = None
    annotators: NDArray[np.int64] | None = None
    initial: Array | None = None


@dataclass(frozen=True)
class Scenario:
    """A kind of run: its faults, their strength in words, and how one is made.

    For a healthy run, ``faults`` names the findings that do not count as false alarms, since its data can really have
    these properties. For example, a weak signal in few pairs looks like coin flips.
    """

    faults: tuple[str, ...]
    strength: str
    make: Callable[[Rng], Run]


def choices(rng: Rng, a: Array, b: Array, margins: Array, prompts: object = None) -> PreferencePairs:
    """Return pairs in which a is preferred with probability sigma(margin)."""
    first = (rng.uniform(size=len(margins)) < sigmoid(margins))[:, None]
    return PreferencePairs(np.where(first, a, b), np.where(first, b, a), prompts=prompts)  # type: ignore[arg-type]


def linear(rng: Rng, n: int = 400, w: Array = W3, shift: float = 0.0) -> PreferencePairs:
    """Return pairs with standard normal features, moved by ``shift``, and the true weights w."""
    a, b = rng.normal(shift, 1, size=(2, n, w.size))
    return choices(rng, a, b, (a - b) @ w)


def fitted(pairs: PreferencePairs, validation: PreferencePairs | None = None, **options: object) -> Run:
    """Return a linear fit to these pairs."""
    model = fit(LinearScorer(pairs.n_features), pairs, validation=validation, **options)  # type: ignore[arg-type]
    return Run(model, pairs, validation)


def by_descent(rng: Rng, times: float, max_steps: int, n: int = 400) -> Run:
    """Return a fit by gradient descent with the default learning rate times a factor."""
    pairs = linear(rng, n)
    rate = times * safe_rate(Objective(LinearScorer(3), pairs))
    return fitted(pairs, linear(rng, 100), method="gradient_descent", learning_rate=rate, max_steps=max_steps)


def by_adam(rng: Rng, rate: float, max_steps: int = 50) -> Run:
    """Return a fit by Adam, with one batch, which is fast."""
    options = {"learning_rate": rate, "max_steps": max_steps, "patience": max_steps, "batch_size": 400}
    return fitted(linear(rng), linear(rng, 100), method="adam", **options)


def network(
    rng: Rng, n: int = 400, k: int = 3, *, n_held_out: int = 200, zero: bool = False, hidden: int = 8, **options: object
) -> Run:
    """Return a fit of a network."""
    w = W3 if k == 3 else rng.normal(size=k) / np.sqrt(k)
    pairs, validation, scorer = linear(rng, n, w), linear(rng, n_held_out, w), MLPScorer(k, hidden)
    start = np.zeros(scorer.n_parameters) if zero else scorer.initial(rng)
    options = {"max_steps": 50, "seed": int(rng.integers(2**31)), "standardise": False, "batch_size": n, **options}
    model = fit(scorer, pairs, validation=validation, initial=start, **options)  # type: ignore[arg-type]
    return Run(model, pairs, validation, initial=start)


def swapped(pairs: PreferencePairs, rows: NDArray[np.bool_] | None = None) -> PreferencePairs:
    """Return pairs in which chosen and rejected are exchanged, everywhere or in some rows."""
    rows = np.ones(len(pairs), dtype=bool) if rows is None else rows
    chosen, rejected = (
        np.where(rows[:, None], pairs.rejected, pairs.chosen),
        np.where(rows[:, None], pairs.chosen, pairs.rejected),
    )
    return replace(pairs, chosen=chosen, rejected=rejected)


def joined(*parts: PreferencePairs) -> PreferencePairs:
    """Return the pairs of all parts."""
    chosen, rejected = (np.concatenate([getattr(part, side) for part in parts]) for side in ("chosen", "rejected"))
    return PreferencePairs(chosen, rejected)


def some(rng: Rng, n: int, share: float) -> NDArray[np.bool_]:
    """Return a mask with this share of n rows, at least one."""
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[: max(1, round(share * n))]] = True
    return mask


def coin_flips(rng: Rng, n: int = 400, k: int = 3) -> PreferencePairs:
    """Return pairs whose choices do not depend on the features."""
    return linear(rng, n, np.zeros(k))


def identical(rng: Rng, share: float) -> Run:
    """Return a fit to pairs, some of which have two equal answers."""
    pairs = linear(rng)
    same = some(rng, len(pairs), share)[:, None]
    return fitted(replace(pairs, rejected=np.where(same, pairs.chosen, pairs.rejected)), linear(rng, 100))


def zero_features(rng: Rng, k: int) -> Run:
    """Return a fit to features that are all 0."""
    return fitted(PreferencePairs(np.zeros((200, k)), np.zeros((200, k))), l2=0.01)


def judged_twice(rng: Rng, share: float, *, opposite: bool) -> PreferencePairs:
    """Return pairs, of which a share occurs a second time: as a copy, or judged the other way."""
    pairs = linear(rng)
    again = pairs.subset(some(rng, len(pairs), share))
    return joined(pairs, swapped(again) if opposite else again)


def confident(rng: Rng, times: float, n: int = 400) -> Run:
    """Return a good fit whose rewards were multiplied."""
    run = fitted(linear(rng, 1000), linear(rng, n))
    return run._replace(model=replace(run.model, phi=read_only(times * run.model.phi)))


def with_position(rng: Rng, size: float, k: int = 3) -> Run:
    """Return a fit to coin flips, with a feature that is larger in the answer that is stored first."""
    pairs = coin_flips(rng, 400, k)
    column = np.full((len(pairs), 1), size)
    chosen, rejected = np.hstack([pairs.chosen, column]), np.hstack([pairs.rejected, 0 * column])
    return fitted(replace(pairs, chosen=chosen, rejected=rejected), l2=1e-3)


def leaking(rng: Rng, share: float) -> Run:
    """Return a fit whose held-out pairs contain training pairs."""
    pairs = linear(rng)
    return fitted(pairs, joined(linear(rng, 100), pairs.subset(some(rng, len(pairs), share * 100 / len(pairs)))))


def leaking_prompts(rng: Rng, per_prompt: int) -> Run:
    """Return a fit whose pairs were divided at random, although several of them share a prompt."""
    pairs = replace(linear(rng), prompts=np.array([f"question {i // per_prompt}" for i in range(400)]))
    held_out = some(rng, 400, 0.2)
    return fitted(pairs.subset(~held_out), pairs.subset(held_out))


def annotated(rng: Rng, n_people: int, each: int | NDArray[np.int64], odd: float) -> Run:
    """Return a fit to the choices of several people, the last of whom uses the weights times ``odd``."""
    people = np.repeat(np.arange(n_people), each)
    a, b = rng.normal(size=(2, people.size, 3))
    factor = np.where(people == n_people - 1, odd, 1.0)
    return fitted(choices(rng, a, b, factor * ((a - b) @ W3)))._replace(annotators=people)


def voted(rng: Rng, hidden: float = 0.0) -> Run:
    """Return a fit to pairs that three people judged independently, also by a quality that is not in the features."""
    a, b = np.repeat(rng.normal(size=(2, 200, 3)), 3, axis=1)
    quality = np.repeat(rng.normal(0, hidden, size=200), 3) if hidden else 0.0
    run = fitted(choices(rng, a, b, (a - b) @ W3 + quality, np.repeat(np.arange(200), 3)))
    return run if hidden else run._replace(annotators=np.tile(np.arange(3), 200))


def discrete(rng: Rng, n_values: int, *, is_named: bool = True, alike: bool = False, l2: float = 0.0) -> Run:
    """Return a fit to features with few values, so that different prompts have equal answers.

    If the answers are alike, those of a pair differ in one feature only.
    """

    def part(name: str, n: int) -> PreferencePairs:
        a, b = rng.integers(0, n_values, size=(2, n, 3)).astype(float)
        if alike:
            one = np.eye(3)[rng.integers(0, 3, size=n)]
            b = (a + one * rng.integers(1, n_values, size=(n, 1))) % n_values
        return choices(rng, a, b, (a - b) @ W3, np.array([f"{name} {i}" for i in range(n)]) if is_named else None)

    return fitted(part("question", 400), part("another question", 100), l2=l2)


def with_target_margins(rng: Rng, m: float) -> Run:
    """Return a fit in which every margin should be at least m."""
    pairs, validation = linear(rng), linear(rng, 100)
    return fitted(
        replace(pairs, target_margins=np.full(len(pairs), m)),
        replace(validation, target_margins=np.full(len(validation), m)),
    )


def shifted(rng: Rng) -> Run:
    """Return a fit to features of mean 3, with weights whose sum is not 0."""
    w = W3 * [1, -1, 1]
    return fitted(linear(rng, w=w, shift=3.0), linear(rng, 100, w, shift=3.0))


def table(rng: Rng, n_items: int = 6, *, islands: bool = False, each: int = 30) -> Run:
    """Return a table fitted to a tournament, or to two tournaments whose items never met."""
    i, j = (np.repeat(side, each) for side in np.triu_indices(n_items, 1))
    if islands:
        i, j = np.concatenate([i, i + n_items]), np.concatenate([j, j + n_items])
    rewards = np.linspace(-0.8, 0.8, n_items)
    first = rng.uniform(size=i.size) < sigmoid(rewards[i % n_items] - rewards[j % n_items])
    pairs = PreferencePairs(np.where(first, i, j), np.where(first, j, i))
    return Run(fit(TableScorer(int(j.max()) + 1), pairs), pairs)


def bent(rng: Rng, column: str) -> Run:
    """Return a fit with one more feature: one that is equal in both answers, or the copy of another."""
    pairs = linear(rng)
    more = np.asarray(pairs.chosen[:, :1]), np.asarray(pairs.rejected[:, :1])
    if column == "equal":
        both = rng.normal(size=(len(pairs), 1))
        more = both, both
    chosen, rejected = np.hstack([pairs.chosen, more[0]]), np.hstack([pairs.rejected, more[1]])
    return fitted(PreferencePairs(chosen, rejected))


def certain(rng: Rng, n: int, k: int, noise: float = 0.0) -> Run:
    """Return a fit to choices that follow the rewards without chance, or to very few pairs."""
    a, b = rng.normal(size=(2, n, k))
    margins = (a - b) @ rng.normal(size=k) + noise * rng.normal(size=n)
    first = (margins > 0)[:, None]
    return fitted(PreferencePairs(np.where(first, a, b), np.where(first, b, a)))


def evaluated_swapped(rng: Rng, share: float, *, only_held_out: bool) -> Run:
    """Return a good fit together with pairs that were exchanged afterwards."""
    run = fitted(linear(rng), linear(rng, 200))
    if only_held_out:
        held_out = run.validation or run.pairs
        return run._replace(validation=swapped(held_out, some(rng, len(held_out), share)))
    return run._replace(pairs=swapped(run.pairs, some(rng, len(run.pairs), share)))


def many_features(rng: Rng, n: int, k: int, l2: float = 0.0) -> Run:
    """Return a fit with many features for few pairs."""
    w = rng.normal(size=k) / np.sqrt(k)
    return fitted(linear(rng, n, w), linear(rng, 400, w), l2=l2)


def drifting(rng: Rng, n: int) -> Run:
    """Return a network that is trained for far too long on few pairs."""
    return network(rng, n, 6, hidden=16, n_held_out=400, learning_rate=0.03, max_steps=150, patience=150)


def _add(name: str, strength: str, make: Callable[[Rng], Run]) -> Scenario:
    return Scenario((name,), strength, make)


FAULTS = (
    _add("stuck at log 2", "learning rate 1e-6 for Adam", lambda r: by_adam(r, 1e-6)),
    _add("stuck at log 2", "coin flips, 400 pairs", lambda r: fitted(coin_flips(r))),
    _add("stuck at log 2", "zero-initialised network", lambda r: network(r, zero=True)),
    _add("stuck at log 2", "all answers identical", lambda r: identical(r, 1.0)),
    _add("stuck at log 2", "all features 0", lambda r: zero_features(r, 3)),
    _add("learning rate too low", "Adam, 1e-6", lambda r: by_adam(r, 1e-6)),
    _add("learning rate too low", "Adam, 1e-4", lambda r: by_adam(r, 1e-4)),
    _add("learning rate too low", "descent, a hundredth of the default", lambda r: by_descent(r, 0.01, 100)),
    _add("learning rate too low", "descent, a thousandth", lambda r: by_descent(r, 0.001, 100)),
    _add("learning rate too low", "network, 1e-6", lambda r: network(r, learning_rate=1e-6)),
    _add("learning rate too high", "Adam, 10", lambda r: by_adam(r, 10.0)),
    _add("learning rate too high", "Adam, 100", lambda r: by_adam(r, 100.0)),
    _add("learning rate too high", "descent, 30 times the default", lambda r: by_descent(r, 30.0, 100)),
    _add("learning rate too high", "descent, 300 times", lambda r: by_descent(r, 300.0, 100)),
    _add("learning rate too high", "network, 10", lambda r: network(r, learning_rate=10.0, patience=100)),
    _add("zero features", "3 features", lambda r: zero_features(r, 3)),
    _add("zero-initialised network", "8 hidden units", lambda r: network(r, zero=True)),
    _add("identical answers", "1 % of 400 pairs", lambda r: identical(r, 0.01)),
    _add("identical answers", "all", lambda r: identical(r, 1.0)),
    _add("coin-flip labels", "200 pairs, 3 features", lambda r: fitted(coin_flips(r, 200))),
    _add("coin-flip labels", "2,000 pairs, 10 features", lambda r: fitted(coin_flips(r, 2000, 10))),
    _add("labels swapped", "all, after the fit", lambda r: evaluated_swapped(r, 1.0, only_held_out=False)),
    _add("labels swapped", "80 %, after the fit", lambda r: evaluated_swapped(r, 0.8, only_held_out=False)),
    _add("labels swapped", "200 held-out pairs", lambda r: evaluated_swapped(r, 1.0, only_held_out=True)),
    _add("contradictory labels", "1 % judged both ways", lambda r: fitted(judged_twice(r, 0.01, opposite=True))),
    _add("contradictory labels", "20 %", lambda r: fitted(judged_twice(r, 0.2, opposite=True))),
    _add("duplicated pairs", "10 % of 400 pairs copied", lambda r: fitted(judged_twice(r, 0.1, opposite=False))),
    _add("duplicated pairs", "25 %", lambda r: fitted(judged_twice(r, 0.25, opposite=False))),
    _add("leak between splits", "2 % of 100 held-out pairs", lambda r: leaking(r, 0.02)),
    _add("leak between splits", "30 %", lambda r: leaking(r, 0.3)),
    _add("leak between splits", "3 pairs for each prompt", lambda r: leaking_prompts(r, 3)),
    _add("annotators disagree", "1 of 5 has the opposite taste", lambda r: annotated(r, 5, 100, -1.0)),
    _add("annotators disagree", "1 of 10 guesses", lambda r: annotated(r, 10, 100, 0.0)),
    _add("order leak", "a feature that is 1 for the first", lambda r: with_position(r, 1.0)),
    _add("order leak", "0.01 for the first, 6 features", lambda r: with_position(r, 0.01, 6)),
    _add("separable data", "400 pairs without chance", lambda r: certain(r, 400, 3)),
    _add("separable data", "12 pairs of 10 features", lambda r: certain(r, 12, 10, noise=3.0)),
    _add("over-fitting", "30 features, 120 pairs", lambda r: many_features(r, 120, 30)),
    _add("over-fitting", "40 features, 120 pairs", lambda r: many_features(r, 120, 40, 1e-4)),
    _add("over-fitting", "network, 100 pairs, 150 passes", lambda r: drifting(r, 100)),
    _add("over-confidence", "margins 1.5 times too large", lambda r: confident(r, 1.5, 1000)),
    _add("over-confidence", "margins twice too large", lambda r: confident(r, 2.0)),
    _add("over-confidence", "30 features, 120 pairs", lambda r: many_features(r, 120, 30)),
    _add("reward scale drifting", "network, 60 pairs, 150 passes", lambda r: drifting(r, 60)),
    _add("reward scale drifting", "network, 100 pairs, 150 passes", lambda r: drifting(r, 100)),
    _add("chosen reward falling", "features of mean 1", lambda r: fitted(linear(r, w=-W3 * [1, -1, 1], shift=1.0))),
    _add("chosen reward falling", "features of mean 3", lambda r: fitted(linear(r, w=-W3 * [1, -1, 1], shift=3.0))),
    _add("rewards not centred", "features of mean 1.5", lambda r: fitted(linear(r, w=W3 * [1, -1, 1], shift=1.5))),
    _add("rewards not centred", "features of mean 3", lambda r: fitted(linear(r, w=W3 * [1, -1, 1], shift=3.0))),
    _add(
        "one feature carries the model", "the only one that counts", lambda r: fitted(linear(r, w=1.5 * np.eye(5)[0]))
    ),
    _add(
        "one feature carries the model",
        "20 times the weight of 4 others",
        lambda r: fitted(linear(r, 2000, np.array([1.5, 0.075, 0.075, 0.075, 0.075]))),
    ),
    _add("undetermined directions", "equal in both answers", lambda r: bent(r, "equal")),
    _add("undetermined directions", "the copy of another feature", lambda r: bent(r, "copy")),
    _add("undetermined directions", "two tournaments", lambda r: table(r, islands=True)),
)
"""Each fault at several strengths."""


def _copies_swapped(rng: Rng) -> Run:
    run = fitted(judged_twice(rng, 0.25, opposite=False))
    return run._replace(pairs=swapped(run.pairs))


def _length_and_identical(rng: Rng) -> Run:
    pairs = linear(rng, w=1.5 * np.eye(5)[0])
    same = some(rng, len(pairs), 0.05)[:, None]
    return fitted(replace(pairs, rejected=np.where(same, pairs.chosen, pairs.rejected)))


def _overfitting_and_leak(rng: Rng) -> Run:
    run = many_features(rng, 120, 30)
    validation = joined(run.validation or run.pairs, run.pairs.subset(some(rng, 120, 0.1)))
    return run._replace(validation=validation)


def _low_and_identical(rng: Rng) -> Run:
    run = identical(rng, 0.1)
    return fitted(run.pairs, run.validation, method="adam", learning_rate=1e-5, max_steps=50, batch_size=400)


def _odd_annotator_and_copies(rng: Rng) -> Run:
    run = annotated(rng, 5, 100, -1.0)
    again = some(rng, len(run.pairs), 0.2)
    people = np.arange(500) // 100
    return fitted(joined(run.pairs, run.pairs.subset(again)))._replace(
        annotators=np.concatenate([people, people[again]])
    )


def _contradictory_and_falling(rng: Rng) -> Run:
    pairs = linear(rng, w=-W3 * [1, -1, 1], shift=2.0)
    return fitted(joined(pairs, swapped(pairs.subset(some(rng, len(pairs), 0.2)))))


TOGETHER = (
    Scenario(("labels swapped", "duplicated pairs"), "all, 25 %", _copies_swapped),
    Scenario(("one feature carries the model", "identical answers"), "5 % identical", _length_and_identical),
    Scenario(("over-fitting", "leak between splits"), "30 features, 12 leaked", _overfitting_and_leak),
    Scenario(("learning rate too low", "identical answers"), "Adam, 1e-5; 10 %", _low_and_identical),
    Scenario(("annotators disagree", "duplicated pairs"), "1 of 5; 20 %", _odd_annotator_and_copies),
    Scenario(
        ("contradictory labels", "chosen reward falling"),
        "20 %; features of mean 2",
        _contradictory_and_falling,
    ),
)
"""Two faults at once."""

_OF_FEW_VALUES = ("contradictory labels", "identical answers")
_TOO_FEW = ("coin-flip labels", "stuck at log 2")

HEALTHY = (
    Scenario((), "linear, 400 pairs", lambda r: fitted(linear(r), linear(r, 100))),
    Scenario((), "10 features, 1,000 pairs", lambda r: many_features(r, 1000, 10)),
    Scenario((), "large margins", lambda r: fitted(linear(r, w=2 * W3), linear(r, 100, 2 * W3))),
    Scenario((), "gradient descent", lambda r: by_descent(r, 1.0, 1000)),
    Scenario((), "Adam", lambda r: by_adam(r, 0.03, 100)),
    Scenario((), "network, 1,000 pairs", lambda r: network(r, 1000, max_steps=80, learning_rate=0.03)),
    Scenario((), "table of 6 items", table),
    Scenario(("contradictory labels",), "three votes on each pair", voted),
    Scenario((), "5 annotators, 500 pairs", lambda r: annotated(r, 5, 100, 1.0)),
    Scenario(("contradictory labels",), "three votes, unobserved quality", lambda r: voted(r, 1.5)),
    Scenario(("identical answers",), "features 0, 1, 2; named prompts", lambda r: discrete(r, 3)),
    Scenario(_OF_FEW_VALUES, "features 0, 1, 2; no prompts", lambda r: discrete(r, 3, is_named=False)),
    Scenario(
        ("contradictory labels",), "0, 1, 2; similar answers", lambda r: discrete(r, 3, is_named=False, alike=True)
    ),
    Scenario(_OF_FEW_VALUES, "features 0, 1; l2 = 0.3", lambda r: discrete(r, 2, is_named=False, l2=0.3)),
    Scenario(_OF_FEW_VALUES, "features 0, 1; l2 = 1", lambda r: discrete(r, 2, is_named=False, l2=1.0)),
    Scenario(_TOO_FEW, "weights of 0.3, 200 pairs", lambda r: fitted(linear(r, 200, WEAK), linear(r, 200, WEAK))),
    Scenario(
        _TOO_FEW, "weights of 0.2, 400 pairs", lambda r: fitted(linear(r, w=WEAK / 1.5), linear(r, 100, WEAK / 1.5))
    ),
    Scenario((), "weights of 0.3, 2,000 pairs", lambda r: fitted(linear(r, 2000, WEAK), linear(r, 200, WEAK))),
    Scenario((), "target margins of 1", lambda r: with_target_margins(r, 1.0)),
    Scenario((), "target margins of 3", lambda r: with_target_margins(r, 3.0)),
    Scenario((), "bias reduced, 15 pairs", lambda r: fitted(linear(r, 15, 3 * W3), bias_reduced=True)),
    Scenario((), "bias reduced, 30 pairs", lambda r: fitted(linear(r, 30, 4 * W3[:2]), bias_reduced=True)),
    Scenario(("rewards not centred",), "features of mean 3", shifted),
    Scenario((), "20 annotators, 20 pairs each", lambda r: annotated(r, 20, 20, 1.0)),
    Scenario((), "annotators with 1 to 128 pairs", lambda r: annotated(r, 8, 2 ** np.arange(8), 1.0)),
)
"""Runs without a fault."""
