"""Special hints: for the exercise on shift invariance, and for a kernel that is almost right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from students import kernel_of, nats, sigma, slow_kernel, tells_losses_apart

from bradley_terry.course import check

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
]


def misjudging(*wrongly):
    turn = itertools.count()
    return lambda loss: bool(tells_losses_apart(loss)) != (next(turn) in wrongly)


@pytest.mark.parametrize("k", range(9))
def test_a_misjudged_loss_is_named_with_the_reason(k) -> None:
    """The report does not mention the other eight losses."""
    name, invariant, why = REASONS[k]
    report = check.shift_invariance_test(misjudging(k))
    hint, misjudged = report.message.split("misjudged:\n")
    assert report.status == "failed"
    assert misjudged.startswith(f"  {name}: is {'' if invariant else 'not '}invariant, since ")
    assert why in misjudged
    assert len(misjudged.splitlines()) == 1
    assert bool(hint) == (k == 7)


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


# ------------------------------------------------------------------------------------------------ hints of the kernel


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (slow_kernel, "the numbers are right, but it is plain Python: put @njit on the line above def"),
        (lambda z: slow_kernel(np.nan_to_num(z)), "given a NaN: it returns a number"),
        (lambda z: (slow_kernel(z)[0], np.nan_to_num(slow_kernel(z)[1])), "given a NaN: it returns a number"),
        (lambda z: (nats(z[~np.isnan(z)]).mean(), slow_kernel(z)[1]), "given a NaN: it returns a number"),
        (lambda z: list(slow_kernel(z)), "expected a mean loss and an array of gradients, got list"),
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
