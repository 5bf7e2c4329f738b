"""Fitting: the minimum is reached, known truths are recovered, and a fit that fails says so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize

import bradley_terry as bt
from bradley_terry import training
from bradley_terry.model import HISTORY

LOG_2 = 0.6931471805599453


def choices(rng, c, r, true_margins, **options) -> bt.PreferencePairs:
    """Let simulated people choose between the rows of c and r."""
    won = bt.sample_preferences(true_margins, 0.0, rng)
    side = won if c.ndim == 1 else won[:, None]
    return bt.PreferencePairs(np.where(side, c, r), np.where(side, r, c), **options)


@pytest.fixture
def linear_world(rng) -> tuple[np.ndarray, bt.PreferencePairs]:
    """600 choices of 120 prompts by a known direction in three features."""
    truth = np.array([1.5, -1.0, 0.5])
    c, r = rng.normal(size=(2, 600, 3))
    return truth, choices(rng, c, r, (c - r) @ truth, prompts=np.repeat(np.arange(120), 5))


# ---------------------------------------------------------------------------------------------------- known value


def test_wikipedia_example_has_its_strengths() -> None:
    """A>B 2, A>D 1, B>A 3, B>C 5, C>B 3, C>D 1, D>A 4, D>C 3: strengths with geometric mean 1, to printed digits."""
    chosen, rejected, wins = np.array(
        [(0, 1, 2), (0, 3, 1), (1, 0, 3), (1, 2, 5), (2, 1, 3), (2, 3, 1), (3, 0, 4), (3, 2, 3)]
    ).T
    model = bt.fit(bt.TableScorer(4), bt.PreferencePairs(chosen, rejected, weights=wins))
    # half a unit of the last printed digit, and a few 1e-9 for a gradient below 1e-9
    np.testing.assert_allclose(np.exp(model.phi), [0.63983482, 1.0433144, 0.6598102, 2.27037663], atol=6e-8)
    assert model.converged
    assert model.message.endswith("<= 1e-09")


def test_two_items_have_the_log_odds_of_their_wins() -> None:
    """7 wins to 3: the fitted margin is log(7/3), and ties pull it by half a win each."""
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1], [1, 0], weights=[7, 3]))
    assert model.phi[0] - model.phi[1] == pytest.approx(np.log(7 / 3), abs=1e-8)
    tied = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1, 0], [1, 0, 1], weights=[6, 2, 2], labels=[1, 1, 0.5]))
    np.testing.assert_allclose(tied.phi, model.phi, atol=1e-8)
    shifted = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0], [1], labels=[0.7], target_margins=[2.0]))
    assert shifted.phi[0] - shifted.phi[1] == pytest.approx(np.log(7 / 3) + 2, abs=1e-8)


@pytest.mark.parametrize("method", ["newton", "gradient_descent", "adam"])
def test_history_of_a_zero_scorer_starts_at_log_two(method: str, linear_world) -> None:
    """The first record is step 0 with loss exactly log 2, accuracy ½, parameter norm 0."""
    history = bt.fit(bt.LinearScorer(3), linear_world[1], method=method, max_steps=30, l2=0.1).history
    assert tuple(history) == HISTORY
    assert (history["step"][0], history["loss"][0], history["accuracy"][0], history["parameter_norm"][0]) == (
        0,
        LOG_2,
        0.5,
        0,
    )
    assert history["loss"][-1] < 0.6
    assert (np.diff(history["step"]) >= 1).all()
    if method != "adam":
        assert (np.diff(history["loss"]) <= 1e-15).all()  # never up, but for the last digit


def test_first_step_of_adam_moves_every_parameter_by_the_learning_rate(linear_world) -> None:
    """At the first step m̂/√v̂ is the sign of the gradient, thanks to both corrections for the start at zero."""
    pairs = linear_world[1]
    model = bt.fit(bt.LinearScorer(3), pairs, method="adam", batch_size=len(pairs), max_steps=1, learning_rate=0.02)
    gradient = bt.Objective(bt.LinearScorer(3), pairs)(np.zeros(3))[1]
    # the 1e-8 beside √v̂ takes 1e-8/|gradient| off each step
    np.testing.assert_allclose(model.phi, -0.02 * np.sign(gradient), rtol=1e-6)


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("scorer", [bt.LinearScorer(4), bt.TableScorer(6)], ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_newton_gradient_descent_and_scipy_find_the_same_minimum(scorer, l2: float, random_pairs) -> None:
    """Three ways to one φ: with weights, labels and target margins in play."""
    pairs = random_pairs(scorer, 120)
    newton = bt.fit(scorer, pairs, l2=l2)
    assert newton.converged
    descent = bt.fit(scorer, pairs, l2=l2, method="gradient_descent", max_steps=20_000, tolerance=1e-8)
    assert descent.converged
    # a gradient below 1e-8 leaves φ within 1e-8 over the least curvature, here above .01
    np.testing.assert_allclose(descent.phi, newton.phi, atol=1e-6)
    numpy = bt.fit(scorer, pairs, l2=l2, backend="numpy")
    np.testing.assert_allclose(numpy.phi, newton.phi, atol=1e-8)
    objective = bt.Objective(scorer, pairs, l2=l2)
    scipy_phi = scipy.optimize.minimize(objective, np.zeros(scorer.n_parameters), jac=True, options={"gtol": 1e-8}).x
    if isinstance(scorer, bt.TableScorer):
        scipy_phi = scipy_phi - scipy_phi.mean()
    np.testing.assert_allclose(scipy_phi, newton.phi, atol=1e-6)
    assert np.abs(objective(newton.phi)[1]).max() <= 1e-9


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 5), bt.MLPScorer(3, 5, "relu")], ids=str)
def test_standardised_fits_fold_back_exactly(scorer, linear_world, rng) -> None:
    """Features of wild units: the returned φ says of raw features what the fit said of standardised ones."""
    base = linear_world[1]
    units, offsets = np.array([1e-3, 1.0, 1e4]), np.array([5.0, -2.0, 3e4])
    pairs = bt.PreferencePairs(base.chosen * units + offsets, base.rejected * units + offsets)
    both = np.concatenate([pairs.chosen, pairs.rejected])
    shift, scale = both.mean(axis=0), both.std(axis=0)
    standard = bt.PreferencePairs((pairs.chosen - shift) / scale, (pairs.rejected - shift) / scale)
    folded = bt.fit(scorer, pairs, standardise=True, l2=0.01, max_steps=20, seed=3)
    inside = bt.fit(scorer, standard, l2=0.01, max_steps=20, seed=3)
    want = bt.Objective(scorer, standard).margins(inside.phi)
    # offsets are up to 5,000 spreads away, which costs four digits of sixteen
    np.testing.assert_allclose(bt.Objective(scorer, pairs).margins(folded.phi), want, atol=1e-9)
    assert folded.history["loss"][-1] == inside.history["loss"][-1]


def test_standard_errors_of_a_standardised_ridge_fit_are_those_of_its_own_penalty(linear_world) -> None:
    """l2 acts on standardised parameters, so the errors in raw units are the standardised ones over the scale."""
    base = linear_world[1]
    units = np.array([1e-2, 1.0, 1e2])
    pairs = bt.PreferencePairs(base.chosen * units, base.rejected * units)
    scale = np.concatenate([pairs.chosen, pairs.rejected]).std(axis=0)
    folded = bt.fit(bt.LinearScorer(3), pairs, standardise=True, l2=0.1)
    inside = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(pairs.chosen / scale, pairs.rejected / scale), l2=0.1)
    np.testing.assert_allclose(folded.phi, inside.phi / scale, rtol=1e-7)
    np.testing.assert_allclose(folded.standard_errors(), inside.standard_errors() / scale, rtol=1e-6)


def test_standardising_a_constant_feature_is_harmless(linear_world) -> None:
    """A feature that is 0.1 everywhere has a spread of 1e-17 by rounding alone; it must not be divided by that."""
    base = linear_world[1]
    tenth = np.full((len(base), 1), 0.1)
    pairs = bt.PreferencePairs(np.hstack([base.chosen, tenth]), np.hstack([base.rejected, tenth]))
    model = bt.fit(bt.MLPScorer(4, 3), pairs, standardise=True, max_steps=5)
    assert np.abs(model.phi).max() < 1e3


def test_units_of_the_features_do_not_matter(linear_world) -> None:
    """Features a million times larger or smaller, or 1e-10 as large, give weights as many times smaller or larger."""
    base = linear_world[1]
    want = bt.fit(bt.LinearScorer(3), base).phi
    for unit in (1e6, 1e-6, 1e-10):
        model = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(base.chosen * unit, base.rejected * unit))
        assert model.converged
        # the gradient is in units of the feature: 1e-9 leaves 1e-9/unit² in the weights, 1e-9/unit relative to them
        np.testing.assert_allclose(model.phi * unit, want, rtol=1e-2)


def test_loose_tolerance_does_not_invent_a_missing_minimum(linear_world) -> None:
    """With l2 > 0 there is always a minimum, and no message may say otherwise."""
    model = bt.fit(bt.LinearScorer(3), linear_world[1], l2=0.1, tolerance=0.05)
    assert model.converged
    assert "no finite minimum" not in model.message


# ----------------------------------------------------------------------------------------------------------- twin


def test_same_seed_gives_the_same_phi_and_another_seed_another(linear_world) -> None:
    """Initial φ, split and mini-batches are drawn from the seed alone."""
    fits = [bt.fit(bt.MLPScorer(3, 4), linear_world[1], validation=0.2, max_steps=5, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(fits[0].phi, fits[1].phi)
    for name in HISTORY:
        np.testing.assert_array_equal(fits[0].history[name], fits[1].history[name])
    assert not np.array_equal(fits[0].phi, fits[2].phi)


def test_model_files_do_not_depend_on_the_number_of_threads(run_python, tmp_path) -> None:
    """Fits of all three scorers in processes of 1 and of 2 threads write the same files, byte for byte."""
    script = (
        "import sys, numpy as np, bradley_terry as bt\n"
        "rng = np.random.default_rng(0)\n"
        "n = 70_000; c, r = rng.normal(size=(2, n, 3))\n"
        "won = bt.sample_preferences(c @ [1, -1, .5], r @ [1, -1, .5], rng)[:, None]\n"
        "pairs = bt.PreferencePairs(np.where(won, c, r), np.where(won, r, c))\n"
        "bt.fit(bt.LinearScorer(3), pairs).save(THREADS + '-linear')\n"
        "bt.fit(bt.MLPScorer(3, 8), pairs, max_steps=2, batch_size=n).save(THREADS + '-mlp')\n"
        "i = rng.integers(40, size=n); j = (i + rng.integers(1, 40, size=n)) % 40\n"
        "bt.fit(bt.TableScorer(40), bt.PreferencePairs(i, j)).save(THREADS + '-table')\n"
    )
    for threads in (1, 2):
        environment = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), threads)
        run_python(f"THREADS = '{threads}'\n{script}", **environment)
    for kind in ("linear", "mlp", "table"):
        assert (tmp_path / f"1-{kind}").read_bytes() == (tmp_path / f"2-{kind}").read_bytes(), kind


# ------------------------------------------------------------------------------------------------------- learning


def test_linear_scorer_recovers_a_known_direction(linear_world) -> None:
    """Every weight is within 4 of its standard errors of the truth, and the direction within a few degrees."""
    truth, pairs = linear_world
    model = bt.fit(bt.LinearScorer(3), pairs)
    assert model.method == "newton"
    assert model.converged
    assert (np.abs(model.phi - truth) <= 4 * model.standard_errors()).all()
    assert model.phi @ truth / np.linalg.norm(model.phi) / np.linalg.norm(truth) > 0.99


def test_table_recovers_the_order_of_the_items(rng) -> None:
    """Items a whole log-odds apart, 300 contests for each pair: the order comes out, the rewards sum to zero."""
    truth = np.array([2.0, -1, 0, 1, -2])
    i, j = (np.repeat(k, 300) for k in np.triu_indices(5, 1))
    model = bt.fit(bt.TableScorer(5), choices(rng, i, j, truth[i] - truth[j]))
    np.testing.assert_array_equal(np.argsort(model.phi), np.argsort(truth))
    assert abs(model.phi.sum()) < 1e-13
    assert (np.abs(model.phi - truth) <= 4 * model.standard_errors()).all()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_mlp_learns_what_a_line_cannot(activation: str, rng) -> None:
    """Reward 3·|x|: a line is no better than a coin, the MLP comes close to the people's own entropy."""
    c, r = rng.uniform(-2, 2, (2, 1500, 1))
    true_margins = 3 * (np.abs(c) - np.abs(r))[:, 0]
    pairs = choices(rng, c, r, true_margins)
    line = bt.fit(bt.LinearScorer(1), pairs)
    assert line.history["loss"][-1] > 0.68
    model = bt.fit(bt.MLPScorer(1, 8, activation), pairs, max_steps=40, learning_rate=0.03, seed=1)
    assert model.method == "adam"
    fresh_c, fresh_r = rng.uniform(-2, 2, (2, 2000, 1))
    fresh = 3 * (np.abs(fresh_c) - np.abs(fresh_r))[:, 0]
    margins = model.reward(fresh_c) - model.reward(fresh_r)
    # log 2 = .693, the floor is about .28; a perfect fit would pay some parameters/pairs = .01 above it
    assert bt.expected_loss(fresh, margins) < bt.loss_floor(fresh) + 0.04


def test_noisy_labels_are_learnt_as_probabilities() -> None:
    """Where annotators say .8, the model's probability becomes .8."""
    pairs = bt.PreferencePairs(np.ones((50, 1)), np.zeros((50, 1)), labels=np.full(50, 0.8))
    model = bt.fit(bt.LinearScorer(1), pairs)
    np.testing.assert_allclose(model.preference_probability([[1.0]], [[0.0]]), 0.8, atol=1e-8)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_separable_data_have_no_minimum_and_the_fit_says_so(backend: str) -> None:
    """Without l2 the fit is not converged, with a warning that names the cure; with l2 it converges."""
    separable = bt.PreferencePairs([[1.0], [2.0], [0.5]], [[0.0], [1.0], [0.0]])
    with pytest.warns(bt.ConvergenceWarning, match=r"no finite minimum.*use l2 > 0"):
        model = bt.fit(bt.LinearScorer(1), separable, backend=backend)
    assert not model.converged
    assert "NOT CONVERGED" in repr(model)
    assert bt.fit(bt.LinearScorer(1), separable, l2=0.01, backend=backend).converged


def test_items_that_never_lost_are_named_as_the_reason() -> None:
    """An undefeated item: the message says how many groups the items fall into; one tie is a cure, l2 another."""
    with pytest.warns(bt.ConvergenceWarning, match="the items fall into 2 groups"):
        model = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2], [1, 2, 2, 1]))
    assert not model.converged
    assert bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2], [1, 2, 2, 1], labels=[0.5, 1, 1, 1])).converged
    assert bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2], [1, 2, 2, 1]), l2=0.1).converged


def test_first_order_methods_say_when_they_stop_early(linear_world) -> None:
    """At the limit of steps without a small gradient the fit is not converged, and says what is left."""
    for method in ("gradient_descent", "adam"):
        model = bt.fit(bt.LinearScorer(3), linear_world[1], method=method, max_steps=3)
        assert not model.converged
        assert model.message.startswith("not converged: stopped at the limit of 3 passes, largest gradient entry")
        assert model.history["step"][-1] >= 3
    with pytest.warns(bt.ConvergenceWarning, match="after 1 Newton steps"):
        assert not bt.fit(bt.LinearScorer(3), linear_world[1], max_steps=1).converged


def test_early_stopping_keeps_the_best(rng) -> None:
    """A wide MLP on few pairs overfits: the φ kept is the one of least validation loss, patience records earlier."""
    c, r = rng.normal(size=(2, 60, 4))
    pairs = choices(rng, c, r, c[:, 0] - r[:, 0])
    training, held_out = pairs.subset(np.arange(30)), pairs.subset(np.arange(30, 60))
    model = bt.fit(bt.MLPScorer(4, 32), training, validation=held_out, patience=7, learning_rate=0.05)
    losses = model.history["validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 7 + 1
    assert model.converged
    assert "kept the best" in model.message
    assert bt.Objective(model.scorer, held_out)(model.phi)[0] == losses[best]
    assert losses[-1] > losses[best]


def test_validation_share_is_held_out_of_the_fit(linear_world) -> None:
    """validation=0.25 fits on the other prompts of ``pairs.split`` and records the loss of these."""
    pairs = linear_world[1]
    training, held_out = pairs.split(0.25, seed=4)
    model = bt.fit(bt.LinearScorer(3), pairs, validation=0.25, seed=4)
    np.testing.assert_array_equal(model.phi, bt.fit(bt.LinearScorer(3), training).phi)
    assert model.history["validation_loss"][-1] == bt.Objective(bt.LinearScorer(3), held_out)(model.phi)[0]
    assert model.history["validation_loss"][0] == LOG_2
    np.testing.assert_allclose(model.standard_errors(), bt.fit(bt.LinearScorer(3), training).standard_errors())


def test_validation_loss_has_no_penalty_in_it(linear_world) -> None:
    """l2 belongs to the training loss alone; validation is judged by -log sigma."""
    training, held_out = linear_world[1].split(0.3)
    model = bt.fit(bt.LinearScorer(3), training, validation=held_out, l2=0.5)
    assert model.history["validation_loss"][-1] == bt.Objective(model.scorer, held_out)(model.phi)[0]
    assert model.history["loss"][-1] == bt.Objective(model.scorer, training, l2=0.5)(model.phi)[0]


# -------------------------------------------------------------------------------------------------------- manners


@pytest.mark.parametrize("method", ["gradient_descent", "adam"])
@pytest.mark.parametrize("yes", [True, np.True_])
def test_callback_sees_every_record_and_can_stop_the_fit(method: str, yes, linear_world) -> None:
    """It gets the history's names and φ, and True ends the fit there; φ is its own copy."""
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


def test_callback_stops_newton_too(linear_world) -> None:
    """A stopped Newton fit has not converged; since it was asked to stop, it does not warn."""
    model = bt.fit(bt.LinearScorer(3), linear_world[1], callback=lambda record: record["step"] == 1)
    assert (model.converged, model.message) == (False, "stopped by the callback")
    assert model.history["step"].tolist() == [0, 1]


def test_progress_bar_writes_to_stderr_only_on_request(linear_world, capsys) -> None:
    """Silence unless asked; then a bar with the method's name."""
    bt.fit(bt.LinearScorer(3), linear_world[1])
    assert capsys.readouterr() == ("", "")
    bt.fit(bt.LinearScorer(3), linear_world[1], progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "newton" in err


def test_start_and_pairs_are_left_alone(linear_world) -> None:
    """The initial φ given is where the fit starts, and is not written to; the model keeps a φ of its own."""
    start = np.array([0.1, 0.2, 0.3])
    model = bt.fit(bt.LinearScorer(3), linear_world[1], initial=start, max_steps=3, method="gradient_descent")
    np.testing.assert_array_equal(start, [0.1, 0.2, 0.3])
    assert model.history["parameter_norm"][0] == pytest.approx(np.linalg.norm(start), rel=1e-15)
    assert not np.shares_memory(model.phi, start)


def test_diverging_descent_says_so(linear_world) -> None:
    """A learning rate far too large ends in a message that names it, not in numbers that look fine."""
    # |φ| grows by a factor |1 - 10| a step until its square overflows
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
    ({"backend": "gpu"}, r"^backend: expected 'numba' or 'numpy', got 'gpu'"),
    ({"initial": [1.0]}, r"^(initial|phi): expected shape \(3,\)"),
    ({"initial": [np.nan, 0, 0]}, r"^initial: "),
]


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_bad_arguments_of_fit_are_refused_by_name(arguments, message: str, linear_world) -> None:
    """Each unsuitable argument ends in one sentence with what was found and what was wanted."""
    with pytest.raises(ValueError, match=message):
        bt.fit(bt.LinearScorer(3), linear_world[1], **arguments)


def test_bad_scorers_and_pairs_of_fit_are_refused_by_name(linear_world) -> None:
    """Newton wants a convex loss; pairs want to be pairs; validation pairs want the same features."""
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_kernels_work_in_a_forked_child_after_threads_were_used(run_python) -> None:
    """A child process makes its own pool of threads instead of waiting for the parent's."""
    script = (
        "import os, numpy as np, warnings; warnings.simplefilter('ignore')\n"
        "from bradley_terry import kernels\n"
        "kernels.set_threads(2); z = np.zeros(300_000); kernels.mean_loss_and_gradients(z)\n"
        "pid = os.fork()\n"
        "if pid == 0: os._exit(0 if kernels.mean_loss_and_gradients(z)[0] == np.log(2) else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    assert run_python(script) == "0"


def test_adam_honours_weights_however_they_fall_into_batches() -> None:
    """Heavy pairs count as much in small batches as in Newton's whole sum, and batches without weight do no harm."""
    d = np.ones((200, 1))
    d[:20] = -1
    weights = np.ones(200)
    weights[:20] = 20
    weights[190:] = 0
    pairs = bt.PreferencePairs(d, np.zeros((200, 1)), weights=weights)
    want = bt.fit(bt.LinearScorer(1), pairs).phi
    for batch_size in (4, 16):
        got = bt.fit(bt.LinearScorer(1), pairs, method="adam", batch_size=batch_size, learning_rate=0.003).phi
        np.testing.assert_allclose(got, want, atol=0.05)  # Adam goes on trembling by a few learning rates


@pytest.mark.parametrize("start", [36.0, 700.0, 1e6])
def test_newton_finds_its_way_back_from_saturated_margins(start: float) -> None:
    """Two wins to one is log 2, also when the search starts where the loss is all but straight."""
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 0, 1], [1, 1, 0]), initial=[start, -start])
    assert model.phi[0] - model.phi[1] == pytest.approx(np.log(2), abs=1e-8)  # gradient 1e-9 / curvature 2/9
    shifted = bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], target_margins=[start, -start])
    assert bt.fit(bt.LinearScorer(1), shifted).phi[0] == pytest.approx(start, rel=1e-9)


def test_standard_errors_do_not_depend_on_the_units_of_a_feature(linear_world) -> None:
    """A feature in units 1e8 times smaller has a weight and an error 1e8 times larger, and both are determined."""
    base, units = linear_world[1], np.array([1e8, 1.0, 1e-4])
    scaled = bt.PreferencePairs(base.chosen * units, base.rejected * units)
    want = bt.fit(bt.LinearScorer(3), base).standard_errors()
    np.testing.assert_allclose(bt.fit(bt.LinearScorer(3), scaled).standard_errors() * units, want, rtol=1e-6)


def test_groups_that_never_met_are_mentioned() -> None:
    """Each group has its own finite fit; the message warns of comparing across."""
    model = bt.fit(bt.TableScorer(4), bt.PreferencePairs([0, 1, 2, 3], [1, 0, 3, 2]))
    assert model.converged
    assert "2 groups that never met" in model.message


def test_blas_threads_come_back_after_overlapping_fits() -> None:
    """Whoever leaves last puts the number of threads back, in whatever order contexts are left."""
    from threadpoolctl import threadpool_info

    from bradley_terry.threads import blas_on_one_thread

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    first, second = blas_on_one_thread(10**6), blas_on_one_thread(10**6)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(threads()) <= {1}
    second.__exit__(None, None, None)
    assert threads() == before


def test_counting_contests_changes_nothing(rng) -> None:
    """With more pairs than pairs of items a table is fitted on counts: same rewards, errors and accuracy."""
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


def test_a_sample_of_many_pairs_leads_to_the_same_minimum(rng, monkeypatch) -> None:
    """With 3,200 pairs a parameter a fit starts from a sample: the minimum is the same, and so are standard errors."""
    n, true = 40_000, np.array([1.0, -0.5, 0.0])
    chosen, rejected = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
    lost = rng.random(n) > bt.preference_probability(chosen @ true, rejected @ true)
    chosen[lost], rejected[lost] = rejected[lost], chosen[lost]
    weights = rng.integers(0, 3, n)
    pairs = bt.PreferencePairs(chosen, rejected, weights=weights)
    model = bt.fit(bt.LinearScorer(3), pairs)
    monkeypatch.setattr(training, "WORTH_SAMPLING", np.inf)
    plain = bt.fit(bt.LinearScorer(3), pairs)
    assert model.converged
    assert model.history["loss"][0] == plain.history["loss"][0] == pytest.approx(np.log(2), abs=1e-15)
    assert model.history["loss"][1] < plain.history["loss"][1]  # a sample knows the way better than one Newton step
    np.testing.assert_allclose(model.phi, plain.phi, rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.information, plain.information, rtol=1e-6)


def test_a_sample_that_misleads_is_left_alone(rng, monkeypatch) -> None:
    """If the sample sees nothing of a feature, or only agreeing pairs, the fit still finds the minimum of all pairs."""
    n = 20_000
    d = np.zeros((n, 2))
    d[:, 0] = rng.normal(size=n)
    rare = rng.choice(n, 12, replace=False)
    d[rare, 1] = np.where(np.arange(12) < 8, 1.0, -1.0)
    pairs = bt.PreferencePairs(d, np.zeros((n, 2)))
    model = bt.fit(bt.LinearScorer(2), pairs, tolerance=1e-10)
    monkeypatch.setattr(training, "WORTH_SAMPLING", np.inf)
    plain = bt.fit(bt.LinearScorer(2), pairs, tolerance=1e-10)
    assert model.converged
    np.testing.assert_allclose(model.phi, plain.phi, rtol=0, atol=1e-5)
    assert 0.5 < model.phi[1] < 0.9  # about log(8/4)


def test_pairs_mapped_from_a_file_are_fitted_as_in_memory_without_being_held(tmp_path, run_python) -> None:
    """The same bits as in memory, and next to no memory but that of the file."""
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
pairs = bt.datasets.load_pairs(folder)
mapped = bt.fit(bt.LinearScorer(d), pairs, callback=watch, l2=1e-3)
print(round(most - before), mapped.converged)
held = bt.fit(bt.LinearScorer(d), bt.PreferencePairs(np.array(pairs.chosen), np.array(pairs.rejected)), l2=1e-3)
print(held.phi.tobytes() == mapped.phi.tobytes(), held.information.tobytes() == mapped.information.tobytes())
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc, which this system does not have")
    growth, converged, same_phi, same_information = run_python(script).split()
    assert int(growth) < 60  # megabytes; the file has 192, its differences would have 96
    assert (converged, same_phi, same_information) == ("True", "True", "True")


@pytest.mark.parametrize("wrong", ["too large a step", "no step at all"])
def test_a_hessian_of_a_sample_that_does_not_serve_is_replaced(wrong: str, linear_world, monkeypatch) -> None:
    """A sample's curvature that is a millionth of the truth, or a trillion times it, only costs a step."""
    _, pairs = linear_world
    plain = bt.fit(bt.LinearScorer(3), pairs)
    factor = {"too large a step": 1e-6, "no step at all": -1e12}[wrong]

    def from_sample(objective, phi, loss, tolerance):
        if len(objective.pairs) < len(pairs):
            return None
        start = phi + 0.1
        return start, *objective(start), factor * np.eye(3)

    monkeypatch.setattr(training, "_from_sample", from_sample)
    model = bt.fit(bt.LinearScorer(3), pairs)
    assert model.converged
    np.testing.assert_allclose(model.phi, plain.phi, rtol=0, atol=1e-8)


def test_a_sample_that_can_be_separated_is_no_start(rng) -> None:
    """All pairs of the sample agree, so its fit finds no minimum: it is left, and the pairs are fitted plainly."""
    d = np.abs(rng.normal(size=(5000, 1))) + 0.1
    rows = np.sort(np.random.default_rng(0).choice(5000, 100, replace=False))
    d[np.setdiff1d(np.arange(5000), rows)[:1500]] *= -1
    objective = bt.Objective(bt.LinearScorer(1), bt.PreferencePairs(d, 0 * d))
    phi = np.zeros(1)
    assert training._from_sample(objective, phi, objective(phi)[0], 1e-9) is None
    assert bt.fit(bt.LinearScorer(1), objective.pairs).converged
