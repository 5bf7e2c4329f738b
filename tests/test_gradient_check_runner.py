"""Somebody else's function: every failure is one line of the report, and names the line in their code."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import bradley_terry as bt


def square(phi):
    return float(phi @ phi), 2 * phi


def raising(phi):
    return phi @ np.ones(17), phi  # at fault


def missing_argument(phi, data):
    return float(phi @ data), data


def endless(phi):
    while True:
        pass


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raising, "ValueError in line"),
        (raising, "`return phi @ np.ones(17), phi  # at fault`"),
        (
            missing_argument,
            "expected a function of (phi), got one that does not take these arguments: missing a required argument: "
            "'data'; it takes (phi, data)",
        ),
        (endless, "no answer within 0.3 seconds"),
        ("text", "expected a function of (phi), got str"),
        (lambda phi: None, "is a return missing?"),
        (lambda phi: 0.0, "expected phi -> (loss, gradient), got float: return the gradient as well"),
        (lambda phi: 2 * phi, "expected phi -> (loss, gradient), got ndarray: return the loss as well"),
        (lambda phi: (0.0, phi, phi), "expected phi -> (loss, gradient), got a tuple of three items"),
        (lambda phi: (0.0,), "expected phi -> (loss, gradient), got a tuple of one item"),
        (lambda phi: [0.0, phi], "expected phi -> (loss, gradient), got a list of two items"),
        (lambda phi: (0.0, "text"), "gradient: expected real numbers of shape (2,), got str"),
        (lambda phi: (np.ones(2), phi), "loss: expected one real number, got shape (2,)"),
        (lambda phi: (0.0, np.zeros(3)), "gradient: expected real numbers of shape (2,), got shape (3,)"),
        (lambda phi: (0.0, phi * 1j), "got complex numbers"),
        (lambda phi: (np.nan, phi), "loss: expected finite numbers, got nan"),
        (lambda phi: (0.0, phi * np.inf), "gradient: expected finite numbers, got inf at [0]"),
        (lambda phi: (np.nan if phi[0] != 1.0 else 1.0, phi), "near phi: loss: expected finite numbers"),
        (lambda phi: sys.exit(), "SystemExit in line"),
    ],
)
def test_every_failure_of_a_function_is_a_line_in_the_report(function, words):
    """The check neither passes nor raises an error of its own."""
    report = bt.check_gradient(function, [1.0, 2.0], time_limit=0.3)
    assert not report.passed
    assert words in repr(report)
    assert words.replace("'", "&#x27;").replace(">", "&gt;") in report._repr_html_()
    with pytest.raises(AssertionError):
        report.require()


def test_check_leaves_phi_alone():
    """A function that changes its argument fails, and the caller's phi stays as it was."""

    def overwriting(phi):
        value, gradient = float(phi @ phi), 2 * phi.copy()
        phi[:] = 7
        return value, gradient

    phi = np.array([1.0, 2.0])
    assert "changes its input phi" in repr(bt.check_gradient(overwriting, phi))
    np.testing.assert_array_equal(phi, [1.0, 2.0])


class NoArray:
    """Refuses to become an array, like a tensor that requires its gradient."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("call detach first")


def test_an_answer_that_cannot_become_an_array_is_a_line_in_the_report():
    """The line names its type and repeats its own message."""
    report = bt.check_gradient(lambda phi: (float(phi @ phi), NoArray()), [1.0, 2.0])
    assert not report.passed
    assert "got NoArray: call detach first" in repr(report)


def test_prints_are_suppressed_and_numpy_warnings_are_notes(capsys):
    """A function that prints is called a hundred times, and what it prints would bury the report."""

    def talking(phi):
        print("here")
        np.log(np.zeros(1))
        return square(phi)

    report = bt.check_gradient(talking, [1.0, 2.0])
    assert report.passed
    assert capsys.readouterr().out == ""
    assert len(report.warnings) == 1
    assert "divide by zero" in report.warnings[0]


def test_a_warning_is_told_with_the_line_in_the_users_code():
    """NumPy may warn deep inside itself, as for the mean of nothing."""

    def warning(phi):
        np.mean(phi[:0])  # of nothing
        return square(phi)

    report = bt.check_gradient(warning, [1.0, 2.0])
    assert report.passed
    line = warning.__code__.co_firstlineno + 1
    assert report.warnings[0] == f"NumPy warned in line {line}, `np.mean(phi[:0])  # of nothing`: Mean of empty slice"
    assert all(f"line {line}," in note for note in report.warnings)


class CallableObject:
    """An object with a ``__call__`` that fails inside NumPy."""

    def __call__(self, phi):  # noqa: D102
        return float(phi @ phi), np.linalg.inv(phi)  # the line that is at fault


def test_the_line_named_is_in_the_users_code():
    """The function may be a partial or a callable object, and NumPy may raise. NumPy's settings stay as they were."""

    def with_more(phi, power):
        np.seterr(all="raise")
        return float(phi @ phi), np.linalg.inv(phi)  # at fault, too

    settings = np.geterr()
    for function in (CallableObject(), partial(with_more, power=2)):
        assert "at fault" in repr(bt.check_gradient(function, [1.0, 2.0]))
    assert np.geterr() == settings


def test_extreme_numbers_cause_no_warnings_or_notes():
    """The check raises nothing under np.errstate(all="raise"), and adds no note for a huge or a constant loss."""
    with np.errstate(all="raise"):
        assert bt.check_gradient(lambda w: (float(np.exp(-w @ w)), -2 * w * np.exp(-w @ w)), [8.5, -8.5]).passed
    assert "NumPy warned" not in repr(bt.check_gradient(lambda w: (1e50 * float(w @ w), 2e50 * w), [1.0, 2.0]))
    assert "float32" not in repr(bt.check_gradient(lambda w: (0.25, np.zeros(3)), [1.0, 2.0, 3.0]))


@pytest.mark.full
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system cannot interrupt")
def test_a_call_that_catches_the_alarm_is_stopped_and_other_alarms_continue():
    """An endless loop with a bare except is still stopped, and an alarm that was set before is still set."""

    def stubborn(phi):
        while True:
            try:
                while True:
                    pass
            except:  # noqa: E722, S110
                pass

    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    tracer = sys.gettrace()
    try:
        signal.setitimer(signal.ITIMER_REAL, 30.0)
        report = bt.check_gradient(stubborn, [1.0], time_limit=0.2)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < 30
        assert "no answer within 0.2 seconds" in repr(report)

        def patient(phi):
            return float(bt.check_gradient(stubborn, phi, time_limit=5.0).passed), phi

        assert "no answer within 0.3 seconds" in repr(bt.check_gradient(patient, [1.0], time_limit=0.3))
        assert sys.gettrace() is tracer
        with pytest.raises(ValueError, match=r"^time_limit: expected a positive number"):
            bt.check_gradient(stubborn, [1.0], time_limit=-1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not rang


# -------------------------------------------------------------------------------------------------------------- Numba


def test_the_time_in_which_numba_compiles_does_not_count(monkeypatch):
    """A module that calls itself numba.core.… stands in for the compiler; a gradient and a Hessian may wait for it."""
    compiler = ModuleType("numba.core.stand_in")
    exec("import time\ndef compile(seconds):\n    time.sleep(seconds)\n", vars(compiler))  # noqa: S102
    monkeypatch.setitem(sys.modules, compiler.__name__, compiler)
    objective = bt.Objective(bt.LinearScorer(1), bt.PreferencePairs([[1.0]], [[0.0]]))
    limit, compiled = 0.1, []

    def compiling(phi):
        if not compiled:
            compiled.append([compiler.compile(0.02) for _ in range(10)])
        return square(phi)

    def slow(phi):
        time.sleep(2 * limit)
        return square(phi)

    bt.check_gradient(compiling, [1.0, 2.0], time_limit=limit).require()
    assert "no answer within 0.1 seconds" in repr(bt.check_gradient(slow, [1.0, 2.0], time_limit=limit))
    compiled.clear()

    def hessian(phi):
        compiling(phi)
        return objective.hessian(phi)

    bt.gradient_check.check_hessian(objective, [1.0], hessian=hessian, time_limit=limit).require()
    assert "no answer within" in repr(bt.gradient_check.check_hessian(objective, [1.0], hessian=slow, time_limit=limit))


COMPILED = """
import numba, numpy as np, bradley_terry as bt

@numba.njit
def by_numba(phi):
    total = 0.0
    gradient = np.zeros(phi.size)
    for j in range(phi.size):
        total += np.log1p(np.exp(-phi[j]))
        gradient[j] = -1 / (1 + np.exp(phi[j]))
    return total, gradient

print(bt.check_gradient(by_numba, [0.5, -1.0, 2.0], time_limit=0.2))
"""


@pytest.mark.full
def test_a_function_that_numba_compiles_during_the_check_passes(tmp_path):
    """Compiling takes seconds, and the limit for a call is 0.2 seconds. The cache of Numba is empty."""
    pytest.importorskip("numba")
    script = tmp_path / "mine.py"
    script.write_text(COMPILED, encoding="utf-8")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(bt.__file__).parents[1])}
    run = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.startswith("gradient: every entry agrees"), run.stdout + run.stderr


class TypingError(Exception):
    """The first line of Numba's errors names a stage of its compiler."""


TypingError.__module__ = "numba.core.errors"


def test_an_error_of_numba_is_told_with_its_useful_line_and_the_line_in_the_users_code():
    """The message has the form that Numba gives to it, with the file and the line in the middle."""
    line = raising.__code__.co_firstlineno + 1
    text = f"""Failed in nopython mode pipeline (step: nopython frontend)
No implementation of function Function(<built-in function matmul>) found for signature:

 >>> matmul(array(float64, 1d, C), array(int64, 1d, C))

There are 4 candidate implementations:
During: typing of intrinsic-call at {__file__} ({line})

File "{Path(__file__).name}", line {line}:
<source elided>
"""

    def compiled(phi):
        raise TypingError(text.replace(Path(__file__).name, __file__))

    said = repr(bt.check_gradient(compiled, [1.0]))
    assert (
        f"in line {line} of your file, Numba cannot compile this: No implementation of function "
        "Function(<built-in function matmul>) found for signature: >>> matmul(array(float64, 1d, C)"
    ) in said
    assert "`return phi @ np.ones(17), phi  # at fault`" in said
    assert "nopython mode pipeline" not in said


@pytest.mark.full
def test_a_real_error_of_numba_names_the_line():
    """An array and a text cannot be added."""
    numba = pytest.importorskip("numba")

    def mixed(phi):
        return phi + "a", phi

    said = repr(bt.check_gradient(numba.njit(mixed), [1.0]))
    line = mixed.__code__.co_firstlineno + 1
    assert f"in line {line} of your file, Numba cannot compile this: No implementation of function" in said
    assert '`return phi + "a", phi`' in said
