"""The check of a gradient: right answers pass, each mistake gets its own sentence, and nothing ends in a traceback."""

import contextlib
import time

import numpy as np
import pytest

from bradley_terry.course import check


def sigmoid(z):
    return 1 / (1 + np.exp(-np.clip(z, -700, 700)))


def linear(weights, chosen, rejected):
    d = chosen - rejected
    return -(sigmoid(-(d @ weights))[:, None] * d).mean(axis=0)


def mlp(parameters, chosen, rejected, slip=None):
    weights, bias, head = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
    total = {name: np.zeros_like(value) for name, value in parameters.items()}
    rewards = [np.tanh(x @ weights + bias) @ head for x in (chosen, rejected)]
    pull = -sigmoid(-(rewards[0] - rewards[1])) / len(chosen)
    for x, sign in ((chosen, 1), (rejected, -1)):
        h = np.tanh(x @ weights + bias)
        d_a = np.outer(sign * pull, head) * (1 if slip == "no derivative" else 1 - h * h)
        total["hidden_weights"] = total["hidden_weights"] + x.T @ d_a
        total["hidden_bias"] = total["hidden_bias"] + d_a.sum(axis=0)
        total["output_weights"] = total["output_weights"] + h.T @ (sign * pull)
    return total


def test_right_gradients_pass():
    """They pass as an array or a list, for a linear scorer and for an MLP."""
    assert check.gradient(linear).passed
    assert check.gradient(lambda w, c, r: linear(w, c, r).tolist()).passed
    assert check.gradient(mlp, scorer="mlp").passed
    report = check.gradient(linear)
    report.require()
    assert repr(report) == "gradient: passed"


def test_prints_of_a_student_are_not_shown(capsys):
    """If they were shown, a print in a loop would bury the report."""

    def talking(weights, chosen, rejected):
        print("here")
        return linear(weights, chosen, rejected)

    assert check.gradient(talking).passed
    assert capsys.readouterr().out == ""


def raising(weights, chosen, rejected):
    return chosen @ rejected  # the line that is at fault


def changing(weights, chosen, rejected):
    chosen -= rejected
    return np.zeros_like(weights)


def todo(weights, chosen, rejected):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "status", "words"),
    [
        (todo, "not attempted", ""),
        (lambda w, c, r: None, "not attempted", ""),
        ("text", "error", "expected a function of (weights, chosen, rejected), got str"),
        (lambda w: w, "error", "too many positional arguments"),
        (raising, "error", "ValueError in line"),
        (raising, "error", "`return chosen @ rejected  # the line that is at fault`"),
        (raising, "error", "chosen of shape (7, 3)"),
        (changing, "failed", "changes its input chosen"),
        (lambda w, c, r: "text", "failed", "expected real numbers of shape (3,), got str"),
        (lambda w, c, r: {"w": w}, "failed", "expected real numbers of shape (3,), got dict"),
        (lambda w, c, r: linear(w, c, r) * 1j, "failed", "complex numbers"),
        (lambda w, c, r: linear(w, c, r) * np.nan, "failed", "expected finite numbers, got nan at [0]"),
        (lambda w, c, r: [[1.0], [1.0, 2.0]], "failed", "rows of different length"),
        (lambda w, c, r: linear(w, c, r).sum(), "failed", "a single number"),
        (lambda w, c, r: linear(w, c, r)[:, None], "failed", "in another shape"),
        (lambda w, c, r: np.outer(np.ones(len(c)), w), "failed", "one row for each pair"),
        (lambda w, c, r: -linear(w, c, r), "failed", "the sign is flipped"),
        (lambda w, c, r: linear(w, c, r) * len(c), "failed", "the division by n"),
        (lambda w, c, r: linear(-w, c, r), "failed", "σ(Δ) instead of σ(−Δ)"),
        (lambda w, c, r: np.ones_like(w), "failed", "weights["),
        (lambda w, c, r: -(c - r).mean(axis=0), "failed", "the factor σ(−Δ) is missing"),
    ],
)
def test_every_mistake_is_a_report_with_its_own_sentence(function, status, words):
    """The report has the right status, and words that tell the learner what to look for."""
    report = check.gradient(function)
    assert report.status == status
    assert words in repr(report)
    assert not report.passed
    with pytest.raises(AssertionError):
        report.require()
    assert report.to_dict()["status"] == status
    assert report._repr_html_().startswith("<div")


def test_mlp_mistakes_are_named_by_block():
    """Missing names, transposed blocks and a missing derivative are reported for the blocks that they affect."""
    report = check.gradient(lambda p, c, r: mlp(p, c, r, "no derivative"), scorer="mlp")
    assert [problem.parameter for problem in report.problems] == ["hidden_weights", "hidden_bias"]
    assert all("derivative of the activation is missing" in problem.diagnosis for problem in report.problems)
    report = check.gradient(lambda p, c, r: {"hidden_weights": p["hidden_weights"]}, scorer="mlp")
    assert "names hidden_weights, hidden_bias, output_weights, got hidden_weights" in repr(report)
    report = check.gradient(lambda p, c, r: mlp(p, c, r) | {"hidden_weights": p["hidden_weights"].T}, scorer="mlp")
    assert "looks like its transpose" in repr(report)
    assert "expected a dict of arrays, got ndarray" in repr(check.gradient(lambda p, c, r: c, scorer="mlp"))


def test_a_loop_without_end_is_stopped():
    """The time limit can be set, and an except clause in the student's code does not catch the interruption."""

    def endless(weights, chosen, rejected):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.001)

    start = time.perf_counter()
    report = check.gradient(endless, time_limit=0.05)
    assert time.perf_counter() - start < 5
    assert "no answer within 0.05 seconds" in repr(report)


def test_unknown_scorers_are_refused():
    """The check raises a ValueError, since the mistake is not in the student's function."""
    with pytest.raises(ValueError, match=r"^scorer: expected 'linear' or 'mlp'"):
        check.gradient(linear, scorer="table")


def changed(parameters, chosen, rejected, *, relu=False, change=lambda name, g, n: g):
    """Return the right gradient of an MLP, with one block changed."""
    w, b, v = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
    x, n = np.concatenate([chosen, rejected]), len(chosen)
    a = x @ w + b
    h = np.maximum(a, 0) if relu else np.tanh(a)
    z = h[:n] @ v - h[n:] @ v
    d = -np.exp(-np.logaddexp(0, z)) / n
    d_r = np.concatenate([d, -d])
    d_a = np.outer(d_r, v) * ((a > 0) if relu else 1 - h**2)
    gradient = {"hidden_weights": x.T @ d_a, "hidden_bias": d_a.sum(axis=0), "output_weights": h.T @ d_r}
    return {name: change(name, g, n) for name, g in gradient.items()}


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, g, n: 0 * g if name == "hidden_bias" else g, "zero everywhere: never filled in"),
        (lambda name, g, n: n * g, "a sum over the pairs instead of the mean"),
        (lambda name, g, n: -g, "the sign is flipped"),
        (lambda name, g, n: g / n, "twice"),
        (lambda name, g, n: g / (2 * n) if name == "hidden_bias" else g, "a mean over the rows instead of a sum"),
    ],
)
def test_a_mistake_is_named_in_every_block_of_an_mlp(relu, change, words):
    """Even in the bias of a ReLU network it is named, since each unit is on for some answers and off for others."""
    activation = "relu" if relu else "tanh"
    assert check.gradient(lambda p, c, r: changed(p, c, r, relu=relu), scorer="mlp", activation=activation).passed
    report = check.gradient(
        lambda p, c, r: changed(p, c, r, relu=relu, change=change), scorer="mlp", activation=activation
    )
    assert report.status == "failed"
    assert "hidden_bias" in {problem.parameter for problem in report.problems}
    for problem in report.problems:
        assert words in problem.diagnosis, problem


def test_a_report_counts_the_entries_and_knows_float32():
    """It says how many entries differ, out of how many, and that the numbers have only seven digits."""
    report = check.gradient(lambda w, c, r: np.ones_like(w))
    assert "(3 of 3 entries differ)" in repr(report)
    assert (report.problems[0].n_wrong, report.problems[0].n_entries) == (3, 3)

    def in_float32(w, c, r):
        return (linear(w, c, r) * (1 + 3e-6)).astype(np.float32)

    assert "computed in float32" in repr(check.gradient(in_float32))
