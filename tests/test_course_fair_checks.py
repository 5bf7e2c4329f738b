"""Right answers in every style pass the checks, and wrong ones do not pass by the choice of the numbers."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from scipy import optimize
from students import RIGHT, sigma

from bradley_terry.course import check
from bradley_terry.course.exercises.diagnosis import KINDS, SIMILAR, _problem
from bradley_terry.course.exercises.differences import GRADIENTS

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


def by_broadcasting(t, h, all_or_any=np.all):
    def equal(one, other):
        return all_or_any(h[one][:, None] == t[other][None], axis=2)

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
    return by_broadcasting(t, h, np.any)


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


# ---------------------------------------------------------------------------------------- lesson 8: between the corners


def parameters(weights, bias, head):
    return {"hidden_weights": np.array(weights), "hidden_bias": np.array(bias), "output_weights": np.array(head)}


@pytest.mark.parametrize(
    "phi",
    [
        parameters([[1.25, 0.5], [0.25, 1.25]], [-1.0, 0.25], [-5.5, 12.25]),
        parameters([[-3.0, -0.5], [0.25, 1.25]], [-1.5, 0.25], [-3.25, 8.5]),
    ],
)
def test_a_ridge_holds_for_any_politeness(phi) -> None:
    """At politeness −1, 0 and 1 the middle leads by more than 1, but between them by less."""
    report = check.middle_is_best(lambda: phi)
    assert report.status == "failed"
    found = re.search(
        r"at politeness (\S+): the middle leads the short answer by (\S+) and the long one by", report.message
    )
    politeness = float(found[1])
    assert politeness not in {-1.0, 0.0, 1.0}
    middle, short, long = (
        np.tanh(np.array([length, politeness]) @ phi["hidden_weights"] + phi["hidden_bias"]) @ phi["output_weights"]
        for length in (0.0, -1.5, 1.5)
    )
    assert f"the short answer by {middle - short:.2f} and the long one by {middle - long:.2f};" in report.message
    assert min(middle - short, middle - long) < 1


@pytest.mark.parametrize("size", [1e7, 1e154, 1e300])
def test_numbers_that_nobody_chooses_on_paper_are_refused_without_a_warning(size) -> None:
    """Every float beyond 2⁵³ is a multiple of ¼, and products of such numbers overflow."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = check.middle_is_best(lambda: parameters([[1, -1], [0.25, 0.25]], [1, 1], [size, size]))
    assert report.status == "failed"
    assert "output_weights[0]: expected a multiple of 0.25, chosen by hand, between -1,000,000 and" in report.message


# ------------------------------------------------------------------------------------------- a branch without an answer


def only_true(compared):
    return lambda given: True if compared(given) else None


def only_false(compared):
    return lambda given: None if compared(given) else False


@pytest.mark.parametrize("one_sided", [only_true, only_false])
@pytest.mark.parametrize("name", ["depends_on_differences", "shift_invariance_test"])
def test_a_branch_without_an_answer_is_a_failure(name, one_sided) -> None:
    """A test that returns True in one branch and nothing in the other has been attempted."""
    report = getattr(check, name)(one_sided(RIGHT[name]))
    assert report.status == "failed"
    assert re.match("given .*: your function returns nothing here, but something in other cases", report.message)


@pytest.mark.parametrize("letters", ["abcde", "a", "f", "bcdef"])
def test_a_verdict_without_a_last_branch_is_a_failure(letters) -> None:
    """The report says for which gradient nothing was returned."""

    def verdict(gradient):
        chosen, rejected = np.random.default_rng(1).normal(size=(2, 4, 3))
        d, w = chosen - rejected, np.array([0.7, -1.1, 0.4])
        p = sigma(-(d @ w))
        known = {"a": -p @ d / 4, "b": -p @ d, "c": -p @ chosen / 4, "d": -(1 - p) @ d / 4, "e": -np.roll(p, 1) @ d / 4}
        found = gradient(w, chosen, rejected)
        letter = next((letter for letter, value in known.items() if np.allclose(found, value)), "f")
        return letter if letter in letters else None

    report = check.name_the_bug(verdict)
    assert report.status == "failed"
    what = re.match("given (.*): your function returns nothing here", report.message)[1]
    assert {true for true, of, *_ in GRADIENTS if of == what}.isdisjoint(letters)


def test_an_answer_for_one_shape_only_is_a_failure() -> None:
    """The first case is one prompt, about which a function for several prompts says nothing, or the other way round."""
    tilted = RIGHT["tilted_policy"]
    for axes in (1, 2):
        report = check.tilted_policy(lambda p, r, beta, axes=axes: tilted(p, r, beta) if p.ndim == axes else None)
        assert report.status == "failed"
        assert "your function returns nothing here" in report.message
    report = check.gradient(lambda w, c, r: RIGHT["training_step"](w, c, r, 1.0) - w if len(w) == 3 else None)
    assert report.status == "failed"
    report = check.gradient(lambda w, c, r: -sigma(-((c - r) @ w)) @ (c - r) / len(c) if len(w) == 3 else None)
    assert (report.status, "returns nothing here" in report.message) == ("failed", True)


def unwritten(*arguments):
    raise NotImplementedError


@pytest.mark.parametrize("name", sorted(RIGHT))
@pytest.mark.parametrize("stub", [unwritten, lambda *arguments: None, lambda *arguments: print(arguments)])
def test_a_stub_is_still_not_attempted(name, stub) -> None:
    """It returns nothing in all cases."""
    assert getattr(check, name)(stub).status == "not attempted"


# --------------------------------------------------------------------------------------- signs and factors that show


def changed(name, change):
    return lambda *arguments: change(np.asarray(RIGHT[name](*arguments), dtype=float))


NUMBERS = sorted(set(RIGHT) - {"leaks", "depends_on_differences", "shift_invariance_test", "choose_beta"})
NEVER_NEGATIVE = {
    "probability", "loss", "mean_loss", "accuracy", "best_temperature", "expected_loss", "ceiling", "format_limits",
    "overflow_limit", "ranking_loss", "tilted_policy", "interval_by_prompts",
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_no_check_is_blind_to_a_sign_or_a_factor(name) -> None:
    """The absolute value, the positive part, and one and a half times the right numbers fail."""
    for change in (lambda x: -x, lambda x: 1.5 * x, lambda x: x + 0.02 * np.abs(x).max()):
        assert not getattr(check, name)(changed(name, change)).passed
    if name not in NEVER_NEGATIVE:
        for change in (np.abs, lambda x: np.maximum(x, 0), lambda x: -np.abs(x)):
            is_slope = name == "slope" and change(np.array(1.0)) < 0
            assert getattr(check, name)(changed(name, change)).passed == is_slope


def test_a_small_margin_is_no_tie() -> None:
    """Margins between −1 and 1 are not all counted half, and they do not cancel by chance."""
    for round_off in (np.trunc, np.round, lambda z: np.where(np.abs(z) < 0.5, 0, z)):
        report = check.accuracy(lambda z, round_off=round_off: RIGHT["accuracy"](round_off(z)))
        assert report.status == "failed"
