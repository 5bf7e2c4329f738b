"""Manners of fits: callbacks, progress, arguments that are refused, weights, units, mapped pairs."""

from __future__ import annotations

import signal
import warnings
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.model import HISTORY, Outcome


class _Uphill:
    """A loss whose gradient has the wrong sign."""

    def value(self, z, t):
        return bt.pair_losses(z, labels=t)

    def gradient(self, z, t):
        return -bt.pair_loss_gradients(z, labels=t)

    def curvature(self, z, t):
        return bt.pair_loss_curvatures(z)


def choices(rng, c, r, true_margins, **options) -> bt.PreferencePairs:
    """Return pairs in which simulated people chose between the rows of c and r."""
    won = bt.sample_preferences(true_margins, 0.0, rng)
    side = won if c.ndim == 1 else won[:, None]
    return bt.PreferencePairs(np.where(side, c, r), np.where(side, r, c), **options)


@pytest.fixture
def linear_world(rng) -> tuple[np.ndarray, bt.PreferencePairs]:
    """Return true weights of three features, and 600 choices simulated with them, for 120 prompts."""
    truth = np.array([1.5, -1.0, 0.5])
    c, r = rng.normal(size=(2, 600, 3))
    return truth, choices(rng, c, r, (c - r) @ truth, prompts=np.repeat(np.arange(120), 5))


@pytest.mark.parametrize("method", ["gradient_descent", "adam"])
@pytest.mark.parametrize("yes", [True, np.True_])
def test_callback_sees_every_record_and_can_stop_the_fit(method: str, yes, linear_world) -> None:
    """The callback gets the numbers of the history and a copy of φ. If it returns True, the fit ends there."""
    seen = []

    def stop_at_third(record):
        seen.append(dict(record))
        record["phi"][:] = np.nan
        return yes if len(seen) == 3 else None

    model = bt.fit(bt.LinearScorer(3), linear_world[1], method=method, callback=stop_at_third, max_steps=10)
    assert len(seen) == 3
    assert set(seen[0]) == {*HISTORY, "phi"}
    assert not model.converged
    assert model.message == "stopped by the callback"
    assert np.isfinite(model.phi).all()
    np.testing.assert_array_equal([row["loss"] for row in seen], model.history["loss"])


ENDS = {  # arguments of a fit that ends this way, and the beginning of its message
    Outcome.CONVERGED: ({}, "largest gradient entry "),
    Outcome.STOPPED_EARLY: (
        {"method": "adam", "validation": 0.25, "patience": 1, "learning_rate": 0.5},
        "no better validation loss for 1 record; kept the best validation loss, 0.",
    ),
    Outcome.STOPPED_BY_CALLBACK: ({"callback": lambda record: record["step"] == 1}, "stopped by the callback"),
    Outcome.STEP_LIMIT: ({"max_steps": 1}, "not converged: largest gradient entry "),
    Outcome.NO_MINIMUM: ({"pairs": ([[1.0, 0, 0]], [[0.0, 0, 0]])}, "not converged: there is no finite minimum, "),
    Outcome.NO_DESCENT: ({"loss": _Uphill(), "initial": [1.0, 1, 1]}, "not converged: no step lowers the loss, "),
    Outcome.INTERRUPTED: (
        {"callback": lambda record: record["step"] == 1 and signal.raise_signal(signal.SIGINT)},
        "interrupted after step 1: phi is the best so far",
    ),
    Outcome.DIVERGED: (
        {"method": "gradient_descent", "l2": 1.0, "learning_rate": 10.0, "max_steps": 500},
        "not converged: the loss became infinite at step ",
    ),
}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_of_a_fit(outcome: Outcome, linear_world) -> None:
    """Each way to end has its outcome and its message; a fit warns unless it ended as intended or as asked."""
    options, message = ENDS[outcome]
    options = dict(options)
    pairs = bt.PreferencePairs(*options.pop("pairs")) if "pairs" in options else linear_world[1]
    warns = outcome not in {Outcome.CONVERGED, Outcome.STOPPED_EARLY, Outcome.STOPPED_BY_CALLBACK}
    with np.errstate(over="ignore"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = bt.fit(bt.LinearScorer(3), pairs, **options)
    assert model.outcome is outcome
    assert model.converged == outcome.is_success == (outcome in {Outcome.CONVERGED, Outcome.STOPPED_EARLY})
    assert model.message.startswith(message)
    assert [warning.category for warning in caught] == [bt.ConvergenceWarning] * warns
    assert [str(warning.message) for warning in caught] == [model.message] * warns


def test_callback_stops_newton_too(linear_world) -> None:
    """A fit that was asked to stop has not converged, and does not warn."""
    model = bt.fit(bt.LinearScorer(3), linear_world[1], callback=lambda record: record["step"] == 1)
    assert (model.converged, model.message) == (False, "stopped by the callback")
    assert model.history["step"].tolist() == [0, 1]


def test_progress_bar_writes_to_stderr_only_on_request(linear_world, capsys) -> None:
    """A fit is silent unless asked for a bar, which shows the name of the method."""
    bt.fit(bt.LinearScorer(3), linear_world[1])
    assert capsys.readouterr() == ("", "")
    bt.fit(bt.LinearScorer(3), linear_world[1], progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "newton" in err


def test_start_and_pairs_are_left_alone(linear_world) -> None:
    """The fit starts at the given φ and does not write to it, and the model has an array of its own."""
    start = np.array([0.1, 0.2, 0.3])
    model = bt.fit(bt.LinearScorer(3), linear_world[1], initial=start, max_steps=3, method="gradient_descent")
    np.testing.assert_array_equal(start, [0.1, 0.2, 0.3])
    assert model.history["parameter_norm"][0] == pytest.approx(np.linalg.norm(start), rel=1e-15)
    assert not np.shares_memory(model.phi, start)


def test_diverging_descent_says_so(linear_world) -> None:
    """If the learning rate is far too large, the message says so."""
    # |φ| grows by a factor |1 - 10| in each step until its square overflows
    with np.errstate(over="ignore"), pytest.warns(bt.ConvergenceWarning, match="became infinite"):
        model = bt.fit(
            bt.LinearScorer(3), linear_world[1], method="gradient_descent", l2=1.0, learning_rate=10.0, max_steps=500
        )
    assert not model.converged
    assert "use a smaller learning_rate" in model.message


ARGUMENTS = [
    ({"method": "magic"}, r"^method: expected one of newton, gradient_descent, adam, got 'magic'"),
    ({"l2": -1}, r"^l2: expected a finite number of at least 0, got -1"),
    ({"l2": np.nan}, r"^l2: expected"),
    ({"validation": 1.5}, r"^validation: expected a share between 0 and 1, got 1.5"),
    ({"validation": 0.0}, r"^validation: expected a share between 0 and 1"),
    ({"max_steps": 0}, r"^max_steps: expected a whole number of at least 1, got 0"),
    ({"max_steps": 2.5}, r"^max_steps: expected a whole number"),
    ({"batch_size": 0}, r"^batch_size: expected a whole number of at least 1"),
    ({"patience": -1}, r"^patience: expected a whole number of at least 1"),
    ({"tolerance": -1e-9}, r"^tolerance: expected a number of at least 0"),
    ({"tolerance": np.nan}, r"^tolerance: expected a number of at least 0"),
    ({"learning_rate": 0.0}, r"^learning_rate: expected a positive number, got 0.0"),
    ({"learning_rate": np.inf}, r"^learning_rate: expected a positive number"),
    ({"backend": "gpu"}, r"^backend: expected one of auto, numpy, numba, got 'gpu'$"),
    ({"initial": [1.0]}, r"^(initial|phi): expected shape \(3,\)"),
    ({"initial": [np.nan, 0, 0]}, r"^initial: "),
]


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_bad_arguments_of_fit_are_refused_by_name(arguments, message: str, linear_world) -> None:
    """The message names the argument, what was expected and what was found."""
    with pytest.raises(ValueError, match=message):
        bt.fit(bt.LinearScorer(3), linear_world[1], **arguments)


def test_bad_scorers_and_pairs_of_fit_are_refused_by_name(linear_world) -> None:
    """Newton needs a linear scorer, pairs must be PreferencePairs, and validation pairs must have the same features."""
    pairs = linear_world[1]
    with pytest.raises(ValueError, match=r"^method: 'newton' needs a scorer that is linear in phi, got MLPScorer"):
        bt.fit(bt.MLPScorer(3, 2), pairs, method="newton")
    with pytest.raises(TypeError, match=r"^pairs: expected PreferencePairs, got list"):
        bt.fit(bt.LinearScorer(3), [1, 2])
    with pytest.raises(ValueError, match=r"^chosen: expected shape \(n, 2\)"):
        bt.fit(bt.LinearScorer(2), pairs)
    with pytest.raises(ValueError, match=r"expected shape \(n, 3\)"):
        bt.fit(bt.LinearScorer(3), pairs, validation=bt.PreferencePairs([[1.0]], [[0.0]]))
    with pytest.raises(TypeError, match=r"^scorer: expected a scorer"):
        bt.fit("linear", pairs)


@pytest.mark.parametrize("size", [pytest.param(4, marks=pytest.mark.full), 16])
def test_adam_honours_weights_in_batches_of_any_size(size: int) -> None:
    """Pairs of large weight count as much in small batches as in the whole sum, and pairs of weight 0 do no harm."""
    d = np.ones((60, 1))
    d[:6] = -1
    weights = np.ones(60)
    weights[:6] = 20
    weights[57:] = 0
    pairs = bt.PreferencePairs(d, np.zeros((60, 1)), weights=weights)
    want = bt.fit(bt.LinearScorer(1), pairs).phi
    n_passes = {4: 150, 16: 300}[size]
    options = {"method": "adam", "batch_size": size, "learning_rate": 0.003, "max_steps": n_passes}
    got = bt.fit(bt.LinearScorer(1), pairs, **options).phi
    np.testing.assert_allclose(got, want, atol=0.05)  # Adam goes on moving by a few learning rates


def test_standard_errors_do_not_depend_on_the_units_of_a_feature(linear_world) -> None:
    """A feature in units 1e8 times smaller has a weight and a standard error that are 1e8 times larger."""
    base, units = linear_world[1], np.array([1e8, 1.0, 1e-4])
    scaled = bt.PreferencePairs(base.chosen * units, base.rejected * units)
    want = bt.fit(bt.LinearScorer(3), base).standard_errors()
    np.testing.assert_allclose(bt.fit(bt.LinearScorer(3), scaled).standard_errors() * units, want, rtol=1e-6)


def test_groups_that_never_met_are_mentioned() -> None:
    """Each group has a finite fit of its own, and the message warns against comparing rewards of two groups."""
    model = bt.fit(bt.TableScorer(4), bt.PreferencePairs([0, 1, 2, 3], [1, 0, 3, 2]))
    assert model.converged
    assert "2 groups with no comparisons between them" in model.message


def test_counting_comparisons_changes_nothing(rng) -> None:
    """A table with many pairs is fitted to counts, with the same rewards, errors and accuracy as pair by pair."""
    n = 3000
    chosen = rng.integers(5, size=n)
    rejected = (chosen + rng.integers(1, 5, size=n)) % 5
    labels, weights = rng.choice([0.5, 0.9, 1.0], size=n), rng.uniform(size=n)
    pairs = bt.PreferencePairs(chosen, rejected, labels=labels, weights=weights)
    one_hot = np.eye(5)
    slow = bt.fit(
        bt.LinearScorer(5), bt.PreferencePairs(one_hot[chosen], one_hot[rejected], labels=labels, weights=weights)
    )
    fast = bt.fit(bt.TableScorer(5), pairs)
    np.testing.assert_allclose(fast.phi, slow.phi - slow.phi.mean(), atol=1e-8)  # both gradients are below 1e-9
    assert fast.history["loss"][-1] == pytest.approx(slow.history["loss"][-1], rel=1e-12)
    assert fast.history["accuracy"][-1] == pytest.approx(slow.history["accuracy"][-1], rel=1e-12)
    np.testing.assert_allclose(fast.information, slow.information, rtol=1e-6)


@pytest.mark.full
def test_pairs_mapped_from_a_file_are_fitted_as_in_memory_without_being_held(tmp_path, run_python) -> None:
    """A fit of mapped pairs gives the same bits as one in memory, and needs little memory of its own."""
    script = f"""
import numpy as np, bradley_terry as bt
folder = {str(tmp_path)!r}
n, d = 300_000, 40
rng = np.random.default_rng(0)
for name, shift in (("chosen", 0.1), ("rejected", 0.0)):
    file = np.lib.format.open_memmap(f"{{folder}}/{{name}}.npy", "w+", np.float64, (n, d))
    for start in range(0, n, 10_000):
        file[start : start + 10_000] = rng.normal(shift, 1, size=(10_000, d))
    del file
bt.fit(bt.LinearScorer(d), bt.PreferencePairs(rng.normal(size=(100, d)), np.zeros((100, d))), l2=0.1, backend="numba")
def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024
before, most = anonymous(), 0.0
def watch(record):
    global most
    most = max(most, anonymous())
pairs = bt.load_pairs(folder)
mapped = bt.fit(bt.LinearScorer(d), pairs, callback=watch, l2=1e-3)
print(round(most - before), mapped.converged)
held = bt.fit(bt.LinearScorer(d), bt.PreferencePairs(np.array(pairs.chosen), np.array(pairs.rejected)), l2=1e-3)
print(held.phi.tobytes() == mapped.phi.tobytes(), held.information.tobytes() == mapped.information.tobytes())
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc, which this system does not have")
    growth, converged, same_phi, same_information = run_python(script).split()
    assert int(growth) < 60  # megabytes; the files have 192, and their differences would have 96
    assert (converged, same_phi, same_information) == ("True", "True", "True")


def test_pairs_of_another_size_are_refused_before_anything_is_computed_from_them():
    """With a start of one's own, too, the message is about the features, not about an inner change of units."""
    scorer = bt.MLPScorer(5)
    with pytest.raises(ValueError, match=r"chosen: expected shape \(n, 5\)"):
        bt.fit(scorer, bt.datasets.synthetic(30), initial=np.zeros(scorer.n_parameters))
