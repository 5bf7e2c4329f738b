"""Gradients that agree with their own loss only, and small mistakes in smooth losses."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt


def square(phi):
    return float(phi @ phi), 2 * phi


def n_wrong(report) -> int:
    return sum(block.n_wrong for block in report.blocks)


# ------------------------------------------------------------------------------------------------ another loss


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("sum", "off by a factor of 12"),
        ("exchanged", "chosen and rejected are exchanged throughout"),
        ("unweighted", "the weights are ignored"),
        ("another", ""),
    ],
)
def test_a_right_gradient_of_another_loss_is_not_that_of_the_objective(kind, words):
    """The function agrees with itself, but it does not compute the objective: the report says so, and which mistake."""
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(2, 12, 4))
    w = rng.uniform(0.5, 2, 12)
    objective = bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(x, y, weights=w))
    other = {
        "sum": lambda at: tuple(12 * part for part in objective(at)),
        "exchanged": bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(y, x, weights=w)).__call__,
        "unweighted": bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(x, y)).__call__,
        "another": lambda at: (float(at @ at) / 2, at),
    }[kind]
    phi = rng.normal(size=4)
    report = bt.check_gradient(other, phi, objective=objective)
    assert report.status == "failed"
    assert f"got {other(phi)[0]:.6g}, expected {objective(phi)[0]:.6g}" in repr(report)
    assert words in repr(report)
    assert bt.check_gradient(other, phi).passed


def test_a_constant_added_to_the_loss_is_no_mistake_and_a_loss_with_a_wrong_sign_is():
    """The gradient is right in both cases; in the second one the report says that the loss is wrong."""
    rng = np.random.default_rng(12)
    objective = bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(*rng.normal(size=(2, 12, 4))))
    phi = rng.normal(size=4)
    assert bt.check_gradient(lambda at: (objective(at)[0] + 3, objective(at)[1]), phi, objective=objective).passed
    report = bt.check_gradient(lambda at: (-objective(at)[0], objective(at)[1]), phi, objective=objective)
    assert report.status == "failed"
    assert "the mistake is in the loss" in repr(report)
    assert "looks like" not in repr(report)


def test_a_random_loss_and_absolute_values_are_told_in_words():
    """The reason is named instead of a consequence of it."""
    rng = np.random.default_rng(13)
    objective = bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(*rng.normal(size=(2, 12, 4))))
    phi = rng.normal(size=4)
    noisy = bt.check_gradient(lambda at: (float(rng.normal()), objective(at)[1]), phi, objective=objective)
    assert "two calls at the same phi return different losses" in noisy.message
    positive = bt.check_gradient(lambda at: (objective(at)[0], abs(objective(at)[1])), phi, objective=objective)
    assert "the absolute value of what it should be" in repr(positive)


# --------------------------------------------------------------------------------------- small entries, smooth losses


@pytest.mark.parametrize(("factor", "entry"), [(1.01, 1e-4), (1.1, 1e-5), (2.0, 1e-6), (0.9, -1e-4)])
def test_a_wrong_factor_of_a_small_entry_is_wrong(factor, entry):
    """The entry changes quickly near φ, and the mistake in it with it. The extrapolation is exact all the same."""
    report = bt.check_gradient(lambda x: (float(x @ x), 2 * x * [1, factor]), [1.0, entry])
    assert report.status == "failed"
    assert n_wrong(report) == 1


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 10))])
def test_a_smooth_loss_is_not_excused_as_an_iteration(seed):
    """Close to the zero of an entry, 3 % of it is little, but the loss has no error of its own that explains it."""
    rng = np.random.default_rng(seed)
    objective = bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(*rng.normal(size=(2, 40, 4))), l2=0.1)
    phi = rng.normal(size=4)
    for _ in range(60):  # Newton's method for the zero of entry 0
        phi[0] -= objective(phi)[1][0] / objective.hessian(phi)[0, 0]
    phi[0] += 1e-4
    assert bt.check_gradient(objective.__call__, phi).passed
    assert bt.check_gradient(lambda at: (objective(at)[0], objective(at)[1] * [1.03, 1, 1, 1]), phi).status == "failed"


def test_a_ripple_of_the_loss_is_not_taken_for_state():
    """x·x + sin(300(x - 1))/1000 has the slope 2.3 at 1. The gradient 2 is right on average, and is not cached."""
    report = bt.check_gradient(lambda x: (float(x @ x + 1e-3 * np.sin(300 * (x - 1)).sum()), 2 * x), [1.0, 1.0])
    assert "first call" not in repr(report)
    assert report.status != "passed"


# ---------------------------------------------------------------------------------------------- the process around it


def test_two_checks_at_once_leave_the_process_as_it_was():
    """Each check replaces os._exit and input for its time, and neither puts back what the other has replaced."""
    before = os._exit, builtins.input, sys.stdin

    def slow(x):
        time.sleep(0.002)
        return float(x @ x), 2 * x

    other = threading.Thread(target=bt.check_gradient, args=(slow, np.ones(6)))
    other.start()
    time.sleep(0.01)
    assert bt.check_gradient(slow, np.ones(2)).passed
    other.join()
    assert (os._exit, builtins.input, sys.stdin) == before


def test_a_function_may_change_the_folder_and_the_folder_may_be_gone(tmp_path, monkeypatch):
    """The current directory is put back after an error, too; a check also runs where the directory was deleted."""
    gone = tmp_path / "gone"
    gone.mkdir()
    here = Path.cwd()

    def leaves(x):
        os.chdir(tmp_path)
        raise ValueError("no")

    assert not bt.check_gradient(leaves, [1.0]).passed
    assert Path.cwd() == here
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert bt.check_gradient(lambda x: (float(x @ x), 2 * x), [1.0]).passed


def test_little_noise_of_the_gradient_is_a_note_and_no_error():
    """A sum in another order each time changes the last digits: that is no state."""
    rng = np.random.default_rng(0)
    noisy = bt.check_gradient(lambda x: (float(x @ x), 2 * x * (1 + 1e-12 * rng.normal(size=2))), [1.0, 2.0])
    assert noisy.status == "passed with a note"
    assert "gradients that differ" in repr(noisy)


def test_a_scaled_gradient_of_two_items_is_not_called_clipped():
    """Its two entries have the same size, so that any factor looks like a clip."""
    objective = bt.Objective(bt.TableScorer(2), bt.PreferencePairs([0, 1, 0], [1, 0, 1]))
    report = bt.check_gradient(lambda at: (objective(at)[0], 0.77 * objective(at)[1]), [0.3, -0.2], objective=objective)
    assert report.blocks[0].diagnosis == "looks like: every entry is off by a factor of 0.77"


def test_a_mistake_is_named_by_the_loss_of_the_function():
    """With a penalty of its own, the function has another loss than the objective, which explains nothing then."""
    rng = np.random.default_rng(1)
    objective = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(*rng.normal(size=(2, 20, 3))))
    report = bt.check_gradient(
        lambda at: (objective(at)[0] + 0.05 * float(at @ at), objective(at)[1] - 0.1 * at),
        [0.3, -0.2, 0.5],
        objective=objective,
    )
    assert report.status == "failed"
    assert "has no penalty" not in repr(report)


# ------------------------------------------------------------------------------------------------ notes and statuses


def test_a_tiny_entry_that_could_hide_a_mistake_gets_a_note():
    """With 1e7 added to the loss, 5 % of an entry of 1e-5 cannot be seen beside an entry of 1."""
    report = bt.check_gradient(lambda x: (1e7 + float(0.5 * x @ x), x * [1, 1.05]), [1.0, 1e-5])
    assert report.status == "passed with a note"
    assert "1 of 2 entries are tiny" in repr(report)


def test_too_much_noise_leaves_nothing_to_judge():
    """A loss of another mini-batch in each call says nothing about the gradient."""
    rng = np.random.default_rng(2)
    report = bt.check_gradient(lambda x: (float(x @ x) + rng.normal(), 2 * x), [1.0, 2.0])
    assert report.status == "could not be judged"
    assert "random numbers" in report.message


def test_loss_and_gradient_in_the_wrong_order_are_recognised():
    """The two are exchanged."""
    report = bt.check_gradient(lambda x: (2 * x, float(x @ x)), [1.0, 2.0])
    assert "expected phi -> (loss, gradient), got (gradient, loss)" in report.message


def test_a_gradient_of_each_pair_is_recognised():
    """With the objective, the number of pairs is known."""
    x = np.random.default_rng(4).normal(size=(2, 9, 3))
    objective = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(*x))
    report = bt.check_gradient(lambda at: (objective(at)[0], -(x[0] - x[1])), np.ones(3), objective=objective)
    assert "looks like one row for each pair; sum over the pairs" in report.message


def test_a_warning_of_the_function_is_passed_on_once():
    """The function is called many times, and the caller hears of it once."""

    def warns(x):
        warnings.warn("mind the gap", UserWarning, stacklevel=1)
        return float(x @ x), 2 * x

    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert bt.check_gradient(warns, [1.0, 2.0]).passed
    assert [str(w.message) for w in heard] == ["mind the gap"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="nothing can interrupt a call here")
def test_a_reference_that_never_ends_is_stopped():
    pytest.importorskip("autograd")

    def endless(phi):
        while True:
            pass

    report = bt.check_gradient(square, [1.5, -0.5], against="autograd", reference=endless, time_limit=0.2)
    assert not report.passed
    assert "your loss for autograd gave no answer within 0.2 seconds" in repr(report)


def test_a_reference_with_short_numbers_is_not_taken_for_float32():
    pytest.importorskip("autograd")
    report = bt.check_gradient(square, [1.0, 2.0], against="autograd", reference=lambda w: (w**2).sum())
    assert report.passed
    assert report.warnings == ()


@pytest.mark.parametrize(
    "function", [lambda w: (float(np.log(w).sum()), 1 / w), lambda w: (float(np.sqrt(w).sum()), 0.5 / np.sqrt(w))]
)
def test_warnings_at_points_outside_the_domain_are_not_those_of_the_function(function):
    report = bt.check_gradient(function, [1e-6, 2.0])
    assert report.passed
    assert "NumPy warned" not in repr(report)


def test_a_coroutine_is_no_tuple_and_no_warning_of_numpy():
    async def later(phi):
        return square(phi)

    report = bt.check_gradient(later, [1.5])
    assert "got coroutine" in repr(report)
    assert "NumPy" not in repr(report)


def test_a_warning_of_a_hessian_is_a_note(rng):
    objective = bt.Objective(bt.LinearScorer(2), bt.PreferencePairs(*rng.normal(size=(2, 9, 2))))

    def hessian(phi):
        np.log(np.zeros(1))
        return objective.hessian(phi)

    report = bt.check_hessian(objective, rng.normal(size=2), hessian=hessian)
    assert report.passed
    assert any("NumPy warned" in note and "divide by zero" in note for note in report.warnings)


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.MLPScorer(3, 4, "relu")], ids=str)
def test_the_calls_that_a_wrong_gradient_costs_are_few_if_the_objective_is_known(scorer, rng):
    """The objective's own gradient confirms the differences, so that no entry needs a second look."""
    objective = bt.Objective(scorer, bt.PreferencePairs(*rng.normal(size=(2, 9, 3))))
    phi, calls = rng.normal(size=scorer.n_parameters), []

    def wrong(at):
        calls.append(at)
        loss, gradient = objective(at)
        return loss, -gradient

    assert not bt.check_gradient(wrong, phi, objective=objective).passed
    assert len(calls) <= 20 * phi.size


# ------------------------------------------------------------------------------------ right, with the objective known


def in_float32(objective, phi):
    gradient = np.zeros(phi.size)
    gradient[:] = objective(phi)[1].astype(np.float32)
    return gradient


def by_central_differences(objective, phi, h=1e-6):
    steps = h * np.eye(phi.size)
    return np.array([(objective(phi + e)[0] - objective(phi - e)[0]) / (2 * h) for e in steps])


@pytest.mark.parametrize("gradient", [in_float32, by_central_differences])
@pytest.mark.parametrize(
    "scorer", [bt.LinearScorer(4), pytest.param(bt.MLPScorer(4, 3, "relu"), marks=pytest.mark.full)], ids=str
)
@pytest.mark.parametrize("seed", range(3))
def test_the_rounding_of_a_gradient_is_no_mistake_when_the_objective_is_known(gradient, scorer, seed):
    rng = np.random.default_rng(seed)
    objective = bt.Objective(scorer, bt.PreferencePairs(*rng.normal(size=(2, 20, 4))))
    phi = rng.normal(size=scorer.n_parameters)
    assert bt.check_gradient(lambda at: (objective(at)[0], gradient(objective, at)), phi, objective=objective).passed


@pytest.mark.parametrize("slope", [-0.01, 0.0, 0.004, 0.01])
def test_any_slope_at_the_corner_of_a_penalty_is_right_when_the_objective_is_known(slope, rng):
    """At w[1] = 0, every number from -0.01 to 0.01 is a slope of 0.01·|w[1]|."""
    objective = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(*rng.normal(size=(2, 20, 3))))

    def lasso(at):
        loss, gradient = objective(at)
        return loss + 0.01 * np.abs(at).sum(), gradient + np.where(at == 0, slope, 0.01 * np.sign(at))

    phi = np.array([0.5, 0.0, -0.3])
    report = bt.check_gradient(lasso, phi, objective=objective)
    assert not [block for block in report.blocks if block.against == "numerical" and not block.passed]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_any_slope_at_the_corner_of_a_relu_is_right_when_the_objective_is_known(share):
    """Autograd's maximum takes half the slope at its corner, torch's relu takes 0."""
    scorer = bt.MLPScorer(1, 1, "relu")
    chosen, rejected = np.array([[1.0], [2.0], [0.5]]), np.array([[3.0], [-1.0], [2.5]])
    objective = bt.Objective(scorer, bt.PreferencePairs(chosen, rejected))
    phi = np.array([1.0, -1.0, 0.7])  # a = x - 1 is 0 for the first chosen answer

    def loss_and_gradient(at):
        w, b, v = at
        a = [x @ np.array([w]) + b for x in (chosen, rejected)]
        d = -1 / (1 + np.exp(v * (np.maximum(a[0], 0) - np.maximum(a[1], 0)))) / 3
        slopes = [np.where(z == 0, share, z > 0) for z in a]
        grads = [
            np.array([side * d * v * s @ x[:, 0], side * d * v @ s, side * d @ np.maximum(z, 0)])
            for side, x, z, s in zip((1, -1), (chosen, rejected), a, slopes, strict=True)
        ]
        return objective(at)[0], grads[0] + grads[1]

    assert bt.check_gradient(loss_and_gradient, phi, objective=objective).passed


def test_a_function_may_rely_on_the_warnings_of_numpy():
    """It takes another formula where the first one overflows, also near phi."""
    x = np.array([[800.0, 1.0], [1.0, -2.0], [0.5, 1.0]])

    def careful(w):
        d = x @ w
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                e = np.exp(-d)
                losses, pulls = np.log(1 + e), -e / (1 + e)
            except RuntimeWarning:
                losses, pulls = np.logaddexp(0, -d), -np.exp(-np.logaddexp(0, d))
        return float(losses.mean()), x.T @ pulls / 3

    assert bt.check_gradient(careful, [-1.0, 0.3]).passed


def test_a_float32_reference_is_noticed_even_if_its_loss_is_returned(rng):
    torch = pytest.importorskip("torch")
    d = rng.normal(size=(12, 3))

    def reference(w):
        return torch.nn.functional.softplus(-(torch.tensor(d).float() @ w.float())).mean().double()

    def function(w):
        value = float(reference(torch.tensor(w)))
        return value, -np.exp(-np.logaddexp(0, d @ w)) @ d / 12

    report = bt.check_gradient(function, rng.normal(size=3), against="torch", reference=reference)
    assert report.passed
    assert "float32" in repr(report)
