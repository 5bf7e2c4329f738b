"""Right answers in every style pass the checks, and wrong ones do not pass by the choice of the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from students import sigma

from bradley_terry.course import check
from bradley_terry.course.exercises.diagnosis import KINDS, SIMILAR, _problem

# -------------------------------------------------------------------------------------------- lesson 6: a balance


def doubled_and_halved(times, until=0.0):
    """Make an answer to ``equilibrium`` as hint 2 says: double both ends, then halve the interval."""

    def weight(counts, differences):
        def pull(w):
            return np.sum(counts * differences * sigma(-w * differences))

        low, high = -1.0, 1.0
        while pull(low) < 0:
            low *= 2
        while pull(high) > 0:
            high *= 2
        for _ in range(times):
            if high - low <= until:
                break
            middle = (low + high) / 2
            low, high = (middle, high) if pull(middle) >= 0 else (low, middle)
        return (low + high) / 2

    return weight


@pytest.mark.parametrize(
    "function",
    [
        doubled_and_halved(30),
        doubled_and_halved(200, until=1e-6),
        lambda n, d: optimize.minimize_scalar(lambda w: np.sum(n * np.logaddexp(0, -w * d))).x,
        lambda n, d: optimize.brentq(lambda w: np.sum(n * d * sigma(-w * d)), -1e4, 1e4),
    ],
)
def test_a_balance_may_be_found_to_the_precision_that_the_text_asks_for(function) -> None:
    """0.01 % of every balance is far above the error of 30 halvings, of 1e-6, and of a minimiser of the loss."""
    check.equilibrium(function).require()


def test_a_balance_that_is_off_by_a_tenth_of_a_per_cent_fails() -> None:
    """The absolute allowance does not hide it, since no balance lies close to 0."""
    assert not check.equilibrium(lambda n, d: 1.001 * doubled_and_halved(100)(n, d)).passed
    assert not check.equilibrium(lambda n, d: 0.0).passed


# --------------------------------------------------------------------------------------- lesson 10: leaks, right styles


def rows_of_prompts(t, h):
    return set(np.flatnonzero(np.isin(h["prompts"], t["prompts"])).tolist())


def with_array_equal(t, h):
    def same(i, j):
        pairs = [(h["chosen"][i], h["rejected"][i]), (h["rejected"][i], h["chosen"][i])]
        known = (t["chosen"][j], t["rejected"][j])
        return any(all(map(np.array_equal, pair, known)) for pair in pairs)

    n, m = len(h["prompts"]), len(t["prompts"])
    return rows_of_prompts(t, h) | {i for i in range(n) if any(same(i, j) for j in range(m))}


def by_broadcasting(t, h):
    def equal(one, other):
        return (h[one][:, None] == t[other][None]).all(axis=2)

    same = equal("chosen", "chosen") & equal("rejected", "rejected")
    turned = equal("chosen", "rejected") & equal("rejected", "chosen")
    return np.flatnonzero((same | turned).any(axis=1) | np.isin(h["prompts"], t["prompts"]))


def by_sorted_texts(t, h):
    def text(side, i):
        return sorted(str(side[name][i].tolist()) for name in ("chosen", "rejected"))

    known = [text(t, j) for j in range(len(t["prompts"]))]
    return [i for i in range(len(h["prompts"])) if text(h, i) in known or i in rows_of_prompts(t, h)]


def by_distance(t, h):
    old, new = (np.hstack([side["chosen"], side["rejected"]]) for side in (t, h))
    turned = np.hstack([h["rejected"], h["chosen"]])
    nearest = [np.abs(x[:, None] - old[None]).max(axis=2).min(axis=1) for x in (new, turned)]
    return np.array(sorted(set(np.flatnonzero(np.minimum(*nearest) < 1e-9).tolist()) | rows_of_prompts(t, h)))


@pytest.mark.parametrize("function", [with_array_equal, by_broadcasting, by_sorted_texts, by_distance])
def test_leaks_that_are_found_in_any_style_pass(function) -> None:
    """Equal arrays, broadcasting, texts in a list, and distances of 0."""
    assert check.leaks(function).status == "passed"


def alike(key, *, turned=True):
    """Make an answer to ``leaks`` that compares pairs by a key of their two answers."""

    def function(t, h):
        known = [key(c, r) for c, r in zip(t["chosen"], t["rejected"], strict=True)]
        new = [(key(c, r), key(r, c)) for c, r in zip(h["chosen"], h["rejected"], strict=True)]
        return rows_of_prompts(t, h) | {i for i, (a, b) in enumerate(new) if a in known or (turned and b in known)}

    return function


def any_instead_of_all(t, h):
    def equal(one, other):
        return (h[one][:, None] == t[other][None]).any(axis=2)

    same = equal("chosen", "chosen") & equal("rejected", "rejected")
    turned = equal("chosen", "rejected") & equal("rejected", "chosen")
    return np.flatnonzero((same | turned).any(axis=1) | np.isin(h["prompts"], t["prompts"]))


LIKE_A_LEAK = [
    (any_instead_of_all, "compare all of them, as in (a == b).all()"),
    (alike(lambda c, r: (c[0], r[0])), "only the first feature"),
    (alike(lambda c, r: (c - r).tolist()), "only the difference of the two answers"),
    (alike(lambda c, r: (c.sum(), r.sum())), "only the sums of the features"),
    (alike(lambda c, r: frozenset([*c, *r])), "are put into one set"),
    (alike(lambda c, r: (c[-1], r[-1])), ""),
    (alike(lambda c, r: sorted([*c, *r])), ""),
    (alike(lambda c, r: (sorted(c), sorted(r))), ""),
    (alike(lambda c, r: np.abs(c - r).tolist()), ""),
    (alike(lambda c, r: (c + r).tolist()), ""),
    (alike(lambda c, r: np.sort([c, r], axis=0).tolist()), ""),
    (alike(lambda c, r: c.sum() - r.sum()), ""),
    (alike(lambda c, r: (c[:2].tolist(), r[:2].tolist())), ""),
    (alike(lambda c, r: (c.min(), c.max(), r.min(), r.max())), ""),
    (alike(lambda c, r: (c.tolist(), r.tolist()), turned=False), "only copies in the same order"),
]


@pytest.mark.parametrize(("function", "words"), LIKE_A_LEAK)
def test_pairs_that_only_look_like_a_training_pair_do_not_leak(function, words) -> None:
    """Features that are whole numbers agree in parts all the time, so a comparison of parts finds too many pairs."""
    report = check.leaks(function)
    assert report.status == "failed"
    assert words in report.message


@pytest.mark.parametrize("seed", range(20))
def test_only_copies_and_swapped_pairs_leak_by_their_answers(seed) -> None:
    """Other new pairs share answers, features, differences or sums with training pairs, but are not one of them."""
    kinds = (*KINDS, *SIMILAR) * 3
    training, held_out = _problem(np.random.default_rng(seed), 20, kinds, 2 + seed % 3)
    expected = {i for i, kind in enumerate(kinds) if kind in {"same prompt", "copy", "swapped"}}
    assert set(by_sorted_texts(training, held_out)) == expected
    old, new = (np.stack([side["chosen"], side["rejected"]], axis=1) for side in (training, held_out))
    for i, kind in enumerate(kinds):
        if kind == "same difference":
            assert (np.diff(new[i], axis=0) == np.diff(old, axis=1)[:, 0]).all(axis=1).any()
        if kind == "same sums":
            assert (new[i].sum(axis=1) == old.sum(axis=2)).all(axis=1).any()
        if kind == "same numbers":
            assert any(sorted(new[i].ravel()) == sorted(each.ravel()) for each in old)
