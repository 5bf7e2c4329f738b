"""Special hints: for tests of losses and of strengths, calls of the package, and a kernel that is almost right."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from students import kernel_of, nats, sigma, slow_kernel, tells_losses_apart, tells_strengths_apart

import bradley_terry as bt
from bradley_terry.course import check
from bradley_terry.course.exercises.probabilities import STRENGTHS
from bradley_terry.course.exercises.shifts import LOSSES

REASONS: list[tuple[str, bool, str]] = [
    ("−log σ(r_c − r_r)", True, "it depends only on the difference"),
    ("the hinge max(0, 1 − Δ)", True, "it depends only on the difference"),
    ("−log σ(r_c)", False, "the rejected answer is not used"),
    ("−log σ(−r_r)", False, "the chosen answer is not used"),
    ("−log σ(r_c + r_r)", False, "counted twice"),
    ("−log σ(r_c − 2·r_r)", False, "do not cancel"),
    ("−log σ(Δ) + 0.01·(r_c² + r_r²)", False, "the penalty depends on the rewards themselves"),
    ("−log σ(r_c,i − r_r,j) over all i, j", False, "each prompt may have its own shift"),
    ("−log of the share exp(r_c)/(exp(r_c) + exp(r_r) + 1)", False, "a third answer that is not shifted"),
    ("−log of the share exp(r_c)/(exp(r_c) + exp(r_r))", True, "multiplies all three exponentials"),
    ("−log σ((r_c + 1000) − (r_r + 1000))", True, "the 1000 cancels"),
]


def misjudging(*wrongly):
    turn = itertools.count()
    return lambda loss: bool(tells_losses_apart(loss)) != (next(turn) in wrongly)


@pytest.mark.parametrize("k", range(11))
def test_a_misjudged_loss_is_named_with_the_reason(k) -> None:
    """The report does not mention the other ten losses."""
    name, invariant, why = REASONS[k]
    report = check.shift_invariance_test(misjudging(k))
    hint, misjudged = report.message.split("misjudged:\n")
    assert report.status == "failed"
    assert misjudged.startswith(f"  {name} is {'' if invariant else 'not '}invariant, since ")
    assert why in misjudged
    assert len(misjudged.splitlines()) == 1
    assert bool(hint) == (k == 7 or invariant)


def without_shift(loss):
    rewards = np.arange(6.0).reshape(2, 3)
    return bool(np.isclose(loss(*rewards), loss(*rewards)))


def one_shift_for_all(loss):
    chosen, rejected = np.random.default_rng(1).normal(size=(2, 20))
    return bool(np.isclose(loss(chosen, rejected), loss(chosen + 3, rejected + 3)))


def two_different_shifts(loss):
    chosen, rejected, one, other = np.random.default_rng(1).normal(size=(4, 20))
    return bool(np.isclose(loss(chosen, rejected), loss(chosen + one, rejected + other)))


def to_the_last_bit(loss):
    triples = np.random.default_rng(1).normal(size=(50, 3))
    return all(bool(loss([c], [r]) == loss([c + shift], [r + shift])) for c, r, shift in triples)


def with_equals(seed, n=20):
    """Make an answer that is right up to the last step: it compares with ==, always with the same rewards."""

    def function(loss):
        chosen, rejected, shift = np.random.default_rng(seed).normal(size=(3, n))
        return bool(loss(chosen + shift, rejected + shift) == loss(chosen, rejected))

    return function


def test_equal_up_to_the_last_bit_is_not_what_invariant_means() -> None:
    """With 20 pairs, fewer than 3 % of all fixed rewards hide that two values were compared with ==."""
    reports = [check.shift_invariance_test(with_equals(seed)) for seed in range(100)]
    assert sum(report.passed for report in reports) <= 2
    refused = [report.message for report in reports if not report.passed]
    assert all("np.isclose" in message for message in refused)
    assert any(message.startswith("it returns False for an invariant loss: == is too strict") for message in refused)

    def of_whole_numbers(loss):
        chosen, rejected, shift = np.array([[1.0, 2.0, 3.0], [0.0, 3.0, 1.0], [5.0, -2.0, 1.0]])
        return bool(loss(chosen + shift, rejected + shift) == loss(chosen, rejected))

    assert not check.shift_invariance_test(of_whole_numbers).passed


@pytest.mark.parametrize("size", [0.01, 1, 1000, 1e6])
def test_a_comparison_up_to_rounding_passes_with_shifts_of_all_sizes(size) -> None:
    """The rounding of every invariant loss is far below the tolerance of np.isclose."""
    chosen, rejected, shift = np.random.default_rng(5).normal(size=(3, 20))
    for _, invariant, _, loss in LOSSES:
        assert np.isclose(loss(chosen + size * shift, rejected + size * shift), loss(chosen, rejected)) or not invariant


TRUE, FALSE, ONE = "True for every loss", "False for every loss", "it adds the same number to all rewards"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (without_shift, TRUE),
        (lambda loss: True, TRUE),
        (two_different_shifts, FALSE),
        (to_the_last_bit, FALSE),
        (lambda loss: np.False_, FALSE),
        (one_shift_for_all, ONE),
        (lambda loss: 1, "expected True or False, got int"),
        (lambda loss: str(loss([0.0], [1.0])), "expected True or False, got str"),
        (lambda loss: loss([0.0], [1.0, 2.0, 3.0], 4.0), "given −log σ(r_c − r_r): TypeError in line"),
    ],
)
def test_a_test_of_losses_that_tests_nothing_is_told_why(function, words) -> None:
    """The losses that a test misjudges show what is wrong with the test."""
    report = check.shift_invariance_test(function)
    assert words in repr(report)
    assert sum(hint in repr(report) for hint in (TRUE, FALSE, ONE)) == (words in {TRUE, FALSE, ONE})
    assert not report.passed


@pytest.mark.parametrize("wrongly", [(0, 2), (1, 4, 8), (2, 7), (0, 7), (5, 6)])
def test_other_patterns_of_misjudged_losses_get_no_hint(wrongly) -> None:
    """Such losses are only listed."""
    report = check.shift_invariance_test(misjudging(*wrongly))
    assert report.message.startswith("misjudged:\n")
    assert len(report.message.splitlines()) == 1 + len(wrongly)


def test_one_pair_is_too_few() -> None:
    """With one pair, there is only one shift, and no answer to another prompt."""

    def of_one_pair(loss):
        return bool(np.isclose(loss([0.3], [0.9]), loss([3.3], [3.9])))

    message = check.shift_invariance_test(of_one_pair).message
    assert "use several pairs, and give each a shift of its own" in message


# ------------------------------------------------------------------------------------------------ tests of strengths


def share(strength, a, b):
    return strength(a) / (strength(a) + strength(b))


def by_whole_numbers(strength):
    a, b = np.random.default_rng(1).normal(size=(2, 20))
    return np.allclose(share(strength, a, b), share(strength, a + 5, b + 5))


def by_a_half(strength):
    return bool(np.isclose(share(strength, 1.0, 0.0), share(strength, 1.5, 0.5)))


def as_the_hint_says(strength):
    return bool(np.isclose(share(strength, 0.3, 0.0), share(strength, 0.8, 0.5)))


def without_a_shift(strength):
    return bool(np.isclose(share(strength, 1.0, 0.0), share(strength, 1.0, 0.0)))


def equal_rewards(strength):
    return bool(np.isclose(share(strength, 2.0, 2.0), share(strength, 7.3, 7.3)))


def other_differences(strength):
    return bool(np.isclose(share(strength, 1.0, 0.0), share(strength, 2.0, 0.3)))


def bit_by_bit(strength):
    triples = np.random.default_rng(1).normal(size=(50, 3))
    return all(bool(share(strength, a, b) == share(strength, a + t, b + t)) for a, b, t in triples)


def like_the_sigmoid(strength):
    a, b = np.random.default_rng(1).normal(size=(2, 20))
    return np.allclose(share(strength, a, b), sigma(a - b))


def products_of_strengths(strength):
    a, b = np.random.default_rng(1).normal(size=(2, 20))
    return np.allclose(strength(a + b), strength(a) * strength(b))


EVERY_TRUE, EVERY_FALSE = "it returns True for every map", "it returns False for every map"
WHOLE, SIGMOID = "rewards at which the sine changes nothing", "compare the share with σ(r_a − r_b)"
PRODUCT = "s(a + b) = s(a)·s(b)"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (without_a_shift, EVERY_TRUE),
        (equal_rewards, EVERY_TRUE),
        (lambda strength: True, EVERY_TRUE),
        (lambda strength: False, EVERY_FALSE),
        (bit_by_bit, EVERY_FALSE),
        (other_differences, EVERY_FALSE),
        (by_whole_numbers, WHOLE),
        (by_a_half, WHOLE),
        (like_the_sigmoid, SIGMOID),
        (products_of_strengths, PRODUCT),
        (lambda strength: 1, "expected True or False, got int"),
        (lambda strength: strength(0.0, 1.0), "given exp(r): TypeError in line"),
    ],
)
def test_a_test_of_strengths_that_is_wrong_is_told_why(function, words) -> None:
    """The maps that a test misjudges show what it does."""
    report = check.depends_on_differences(function)
    assert not report.passed
    assert words in repr(report)
    hints = (EVERY_TRUE, EVERY_FALSE, WHOLE, SIGMOID, PRODUCT)
    assert sum(hint in repr(report) for hint in hints) == (words in hints)


def test_the_rewards_in_the_hint_find_the_sine() -> None:
    """A test that compares (0.3, 0) with (0.8, 0.5) passes."""
    assert check.depends_on_differences(as_the_hint_says).passed


@pytest.mark.parametrize("k", range(10))
def test_a_misjudged_strength_is_named_with_the_reason(k) -> None:
    """The report names this map, and no other."""
    turn = itertools.count()
    report = check.depends_on_differences(lambda s: bool(tells_strengths_apart(s)) != (next(turn) == k))
    name, is_so, why, _ = STRENGTHS[k]
    (line,) = report.message.split("misjudged:\n")[1].splitlines()
    assert (
        line == f"  {name}: the share {'depends' if is_so else 'does not depend'} on the difference only, since {why}"
    )


def test_the_strengths_are_what_the_exercise_says() -> None:
    """All ten are positive, and the share of five of them is that of the difference, over many rewards and shifts."""
    a, b, shift = np.random.default_rng(3).normal(0, 2, size=(3, 500))
    for name, depends, _, strength in STRENGTHS:
        assert (strength(a) > 0).all(), name
        assert strength(0.5) == pytest.approx(strength(np.array([0.5]))[0])
        moved = np.abs(share(strength, a, b) - share(strength, a + shift, b + shift))
        assert (moved.max() < 1e-12) if depends else (moved.max() > 0.01), name
    assert [depends for _, depends, _, _ in STRENGTHS].count(True) == 5


@pytest.mark.parametrize("compared", [share, lambda s, a, b: s(a) / s(b)])
def test_strengths_that_are_compared_bit_by_bit_are_misjudged(compared) -> None:
    """Even with one pair of rewards and one shift, at most 6 % of all fixed rewards hide that == was used."""
    n_right = 0
    for seed in range(200):
        a, b, t = np.random.default_rng(seed).normal(size=3)
        n_right += all(bool(compared(s, a + t, b + t) == compared(s, a, b)) == ok for _, ok, _, s in STRENGTHS)
    assert n_right <= 12

    def bit_by_bit(strength):
        return bool(compared(strength, 1.3, 1.0) == compared(strength, 0.83, 0.53))

    report = check.depends_on_differences(bit_by_bit)
    assert "np.isclose" in report.message


@pytest.mark.parametrize("seed", range(30))
def test_every_comparison_bit_by_bit_is_told_about_rounding(seed) -> None:
    """Which maps it misjudges is chance, but the hint is always the same."""
    a, b, t = np.random.default_rng(seed).normal(size=3)
    report = check.depends_on_differences(lambda s: bool(share(s, a + t, b + t) == share(s, a, b)))
    assert report.passed or "np.isclose" in report.message


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_test_of_strengths_that_passes_by_luck_is_asked_again(n) -> None:
    """It compares random numbers with ==, or it guesses: rounding or chance makes it differ sooner or later."""
    rng = np.random.default_rng(0)

    def lucky(strength):
        a, b, shift = rng.normal(size=(3, n))
        return bool((share(strength, a, b) == share(strength, a + shift, b + shift)).all())

    def luckier(strength):  # it is never wrong about the maps that do not depend on differences only
        return bool(tells_strengths_apart(strength)) and rng.random() < 0.95

    for function in (lucky, luckier, lambda _: bool(rng.random() < 0.5)):
        assert not any(check.depends_on_differences(function).passed for _ in range(10))


# ----------------------------------------------------------------------------------------------- calls of the package


def in_a_corner(z):
    far = np.abs(z) > 100
    return np.where(far, bt.pair_losses(z), nats(z)) if far.any() else nats(z)


@pytest.mark.parametrize(
    ("name", "function", "words"),
    [
        ("probability", bt.preference_probability, "preference_probability"),
        ("probability", lambda a, b: bt.sigmoid(a - b), "sigmoid"),
        ("loss", bt.pair_losses, "pair_losses"),
        ("loss", lambda z: bt.logistic.softplus(-z), "softplus"),
        ("loss", in_a_corner, "pair_losses"),
        ("slope", bt.pair_loss_gradients, "pair_loss_gradients"),
        ("slope", lambda z: bt.sigmoid(z) - 1, "sigmoid"),
    ],
)
def test_an_exercise_by_hand_is_not_solved_by_the_package(name, function, words) -> None:
    """The text says NumPy, so a right answer that calls this package fails, and the report names what it calls."""
    report = getattr(check, name)(function)
    assert report.status == "failed"
    assert f"the numbers are right, but your function calls {words} from bradley_terry: use NumPy" in repr(report)


def test_a_wrong_answer_is_not_told_that_it_calls_the_package() -> None:
    """The numbers are the first thing to mend."""
    report = check.slope(bt.sigmoid)
    assert "the inner derivative" in repr(report)
    assert "use NumPy" not in repr(report)


def test_listening_for_the_package_leaves_prints_and_profilers_alone(capsys) -> None:
    """A print is caught by a class of this package, which is no call of the student's."""
    seen = []

    def mine(frame, event, _):
        seen.append(event)

    def talking(z):
        print("here")
        return nats(z)

    before = sys.getprofile()
    sys.setprofile(mine)
    try:
        report = check.loss(talking)
        after = sys.getprofile()
    finally:
        sys.setprofile(before)
    report.require()
    assert after is mine
    assert capsys.readouterr().out == ""


# ------------------------------------------------------------------------------------------------ hints of the kernel


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (slow_kernel, "the numbers are right, but it is plain Python: put @njit on the line above def"),
        (lambda z: slow_kernel(np.nan_to_num(z)), "given a NaN: it returns a number"),
        (lambda z: (slow_kernel(z)[0], np.nan_to_num(slow_kernel(z)[1])), "given a NaN: it returns a number"),
        (lambda z: (nats(z[~np.isnan(z)]).mean(), slow_kernel(z)[1]), "given a NaN: it returns a number"),
        (lambda z: list(slow_kernel(z)), "expected a mean loss and an array of gradients, got a list"),
        (lambda z: slow_kernel(z)[0], "expected a mean loss and an array of gradients, got float"),
        (lambda z: (nats(z), slow_kernel(z)[1]), "mean loss: expected one real number, got shape (7,)"),
        (lambda z: (slow_kernel(z)[0], 0.5), "gradients: expected real numbers of shape (7,), got shape ()"),
        (
            kernel_of(lambda z, n: np.log(1 + np.exp(-z)).mean(), None),
            "at margins of ±1000: a NumPy warning in line",
        ),
    ],
)
def test_a_kernel_that_is_almost_right_is_told_what_is_missing(function, words) -> None:
    """A kernel must be compiled, keep a NaN, return two answers, and not overflow."""
    report = check.kernel(function)
    assert words in repr(report)
    assert "looks like" not in repr(report)
    assert report.status == "failed"


def test_two_mistakes_of_a_kernel_are_both_named() -> None:
    """The loss and its gradients are compared separately."""
    report = check.kernel(kernel_of(lambda z, n: nats(z).sum(), lambda z, n: sigma(-z) / n))
    loss, gradients = report.problems
    assert (loss.parameter, gradients.parameter) == ("mean loss", "gradients")
    assert "a sum" in loss.diagnosis
    assert "the sign is flipped" in gradients.diagnosis


def test_note_on_an_overflow_says_what_cannot_overflow() -> None:
    """The numbers are right, so it is a note, with the way out."""

    def gradient(weights, chosen, rejected):
        d = chosen - rejected
        return -(1 / (1 + np.exp(d @ weights))) @ d / len(d)

    report = check.gradient(gradient)
    assert report.passed
    (note,) = report.notes
    assert "a warning on the way: with rewards of size 10,000: a NumPy warning" in note
    assert note.endswith("overflow encountered in exp; bt.sigmoid, or a formula with exp(-abs(x)), cannot overflow")
