"""The checks of the exercises: right answers pass, each wrong one gets its own sentence, never a traceback."""

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


def test_right_answers_pass():
    """Also as a list, with prints, and with keyword defaults."""
    assert check.gradient(linear).passed
    assert check.gradient(lambda w, c, r: linear(w, c, r).tolist()).passed
    assert check.gradient(mlp, scorer="mlp").passed
    assert check.loss(lambda z: np.logaddexp(0, -z)).passed
    assert check.probability(lambda a, b: sigmoid(a - b)).passed
    report = check.gradient(linear)
    report.require()
    assert repr(report) == "gradient: passed"


def test_prints_of_a_learner_are_swallowed(capsys):
    """A print in a loop would drown the report."""

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
        (
            lambda w, c, r: -((c - r) / (1 + np.exp((c - r) @ w))[:, None]).mean(axis=0),
            "failed",
            "right at ordinary sizes; with rewards of size 10,000: a NumPy warning",
        ),
    ],
)
def test_every_mistake_is_a_report_with_its_own_sentence(function, status, words):
    """Status, and words that tell the learner what to look for."""
    report = check.gradient(function)
    assert report.status == status
    assert words in repr(report)
    assert not report.passed
    with pytest.raises(AssertionError):
        report.require()
    assert report.to_dict()["status"] == status
    assert report._repr_html_().startswith("<div")


def test_mlp_mistakes_are_named_by_block():
    """Missing names, transposed blocks, and a missing derivative in the blocks it touches."""
    report = check.gradient(lambda p, c, r: mlp(p, c, r, "no derivative"), scorer="mlp")
    assert [problem.parameter for problem in report.problems] == ["hidden_weights", "hidden_bias"]
    assert all("derivative of the activation is missing" in problem.diagnosis for problem in report.problems)
    report = check.gradient(lambda p, c, r: {"hidden_weights": p["hidden_weights"]}, scorer="mlp")
    assert "names hidden_weights, hidden_bias, output_weights, got hidden_weights" in repr(report)
    report = check.gradient(lambda p, c, r: mlp(p, c, r) | {"hidden_weights": p["hidden_weights"].T}, scorer="mlp")
    assert "looks like its transpose" in repr(report)
    assert "expected a dict of arrays, got ndarray" in repr(check.gradient(lambda p, c, r: c, scorer="mlp"))


def test_a_loop_without_end_is_stopped():
    """The limit can be set, and a learner's except does not swallow it."""

    def endless(weights, chosen, rejected):
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0.001)

    start = time.perf_counter()
    report = check.gradient(endless, time_limit=0.2)
    assert time.perf_counter() - start < 5
    assert "no answer within 0.2 seconds" in repr(report)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda z: -np.logaddexp(0, -z), "the minus is missing"),
        (lambda z: np.logaddexp(0, z), "turned round"),
        (lambda z: np.logaddexp(0, -z) / np.log(2), "base 2"),
        (lambda z: np.logaddexp(0, -z) / np.log(10), "base 10"),
        (sigmoid, "a probability, not a loss"),
        (lambda z: sigmoid(-z), "1 − σ(Δ) instead"),
        (lambda z: np.maximum(0, 1 - z), "the hinge"),
        (lambda z: np.logaddexp(0, -z).mean(), "a single number"),
        (lambda z: np.log(1 + np.exp(-z)), "at margins of 1000, -1000 and 40: a NumPy warning"),
    ],
)
def test_wrong_losses_are_named(function, words):
    """Each of the usual slips, and the naive form at its limits."""
    assert words in repr(check.loss(function))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda a, b: sigmoid(b - a), "exchanged"),
        (lambda a, b: sigmoid(2 * (a - b)), "σ(2Δ)"),
        (lambda a, b: sigmoid(a + b), "added"),
        (lambda a, b: sigmoid(a), "only the reward of a"),
        (lambda a, b: np.exp(a) / (np.exp(a) + np.exp(b)), "at rewards of ±1000: a NumPy warning"),
    ],
)
def test_wrong_probabilities_are_named(function, words):
    """Each of the usual slips, and the naive form at its limits."""
    assert words in repr(check.probability(function))


def test_unknown_scorers_are_refused():
    """By us, since that is no mistake of the learner's function."""
    with pytest.raises(ValueError, match=r"^scorer: expected 'linear' or 'mlp'"):
        check.gradient(linear, scorer="table")


# ------------------------------------------------------------------------------------------ what a reviewer broke


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
def test_every_block_of_an_mlp_can_be_told_wrong(relu, change, words):
    """Also the hidden bias of a ReLU network, whose units must be on for some answers and off for others."""
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
    """How many differ, of how many; and numbers of seven digits are called that."""
    report = check.gradient(lambda w, c, r: np.ones_like(w))
    assert "(3 of 3 entries differ)" in repr(report)
    assert (report.problems[0].n_wrong, report.problems[0].n_entries) == (3, 3)

    def in_float32(w, c, r):
        return (linear(w, c, r) * (1 + 3e-6)).astype(np.float32)

    assert "computed in float32" in repr(check.gradient(in_float32))
