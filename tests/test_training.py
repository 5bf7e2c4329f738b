"""Fitting: the minimum is reached, known truths are recovered, and a fit that fails says so."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.model import HISTORY, Outcome
from bradley_terry.objective import COMPILED, REFERENCE

LOG_2 = 0.6931471805599453
BACKENDS = (COMPILED, REFERENCE)


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


def adam_batches(n: int, size: int, seed: int = 0, prompts=None) -> list[np.ndarray]:
    """Return the rows of each mini-batch in one pass of Adam over n pairs, as a scorer sees them."""
    seen = []

    class Watching(bt.LinearScorer):
        def backward(self, phi, features, d_rewards):
            if features[0, 0] > 0:  # the chosen answers, whose feature is the number of the row, plus one
                seen.append(features[:, 0].astype(int) - 1)
            return super().backward(phi, features, d_rewards)

    numbers = np.arange(1.0, n + 1)[:, None]
    pairs = bt.PreferencePairs(numbers, -numbers, prompts=prompts)
    bt.fit(Watching(1), pairs, method="adam", max_steps=1, batch_size=size, seed=seed)
    return seen[1:-1]  # before the pass and after it, the loss of all pairs is recorded


# ---------------------------------------------------------------------------------------------------- known value


def test_wikipedia_example_has_its_strengths() -> None:
    """The strengths of four items after 22 comparisons agree with the printed digits; their geometric mean is 1."""
    chosen, rejected, wins = np.array(
        [(0, 1, 2), (0, 3, 1), (1, 0, 3), (1, 2, 5), (2, 1, 3), (2, 3, 1), (3, 0, 4), (3, 2, 3)]
    ).T
    model = bt.fit(bt.TableScorer(4), bt.PreferencePairs(chosen, rejected, weights=wins))
    # half a unit of the last printed digit, and a few 1e-9 for a gradient below 1e-9
    np.testing.assert_allclose(np.exp(model.phi), [0.63983482, 1.0433144, 0.6598102, 2.27037663], atol=6e-8)
    assert model.converged
    assert model.message.endswith("<= 1e-09")


def test_two_items_have_the_log_odds_of_their_wins() -> None:
    """After 7 wins to 3 the fitted margin is log(7/3), and a tie counts as half a win for each."""
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1], [1, 0], weights=[7, 3]))
    assert model.phi[0] - model.phi[1] == pytest.approx(np.log(7 / 3), abs=1e-8)
    tied = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1, 0], [1, 0, 1], weights=[6, 2, 2], labels=[1, 1, 0.5]))
    np.testing.assert_allclose(tied.phi, model.phi, atol=1e-8)
    shifted = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0], [1], labels=[0.7], target_margins=[2.0]))
    assert shifted.phi[0] - shifted.phi[1] == pytest.approx(np.log(7 / 3) + 2, abs=1e-8)


@pytest.mark.parametrize("method", ["newton", "gradient_descent", "adam"])
def test_history_of_a_zero_scorer_starts_at_log_two(method: str, linear_world) -> None:
    """The first record is that of step 0, with loss exactly log 2, accuracy ½ and parameter norm 0."""
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
        assert (np.diff(history["loss"]) <= 1e-15).all()  # it never rises, except in the last digit


def test_first_step_of_adam_moves_every_parameter_by_the_learning_rate(linear_world) -> None:
    """At the first step m̂/√v̂ is the sign of the gradient, because both means are corrected for their start at zero."""
    pairs = linear_world[1]
    model = bt.fit(bt.LinearScorer(3), pairs, method="adam", batch_size=len(pairs), max_steps=1, learning_rate=0.02)
    gradient = bt.Objective(bt.LinearScorer(3), pairs)(np.zeros(3))[1]
    # the 1e-8 beside √v̂ takes 1e-8/|gradient| off each step
    np.testing.assert_allclose(model.phi, -0.02 * np.sign(gradient), rtol=1e-6)


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("scorer", [bt.LinearScorer(4), bt.TableScorer(6)], ids=str)
@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_newton_gradient_descent_and_scipy_find_the_same_minimum(scorer, l2: float, random_pairs) -> None:
    """With weights, labels and target margins, three methods and both backends find the same φ."""
    pairs = random_pairs(scorer, 120)
    newton = bt.fit(scorer, pairs, l2=l2)
    assert newton.converged
    descent = bt.fit(scorer, pairs, l2=l2, method="gradient_descent", max_steps=20_000, tolerance=1e-8)
    assert descent.converged
    # a gradient below 1e-8 leaves φ within 1e-8 over the smallest curvature, here above .01
    np.testing.assert_allclose(descent.phi, newton.phi, atol=1e-6)
    compiled = bt.fit(scorer, pairs, l2=l2, backend=COMPILED)
    np.testing.assert_allclose(compiled.phi, newton.phi, atol=1e-8)
    objective = bt.Objective(scorer, pairs, l2=l2)
    scipy_phi = scipy.optimize.minimize(objective, np.zeros(scorer.n_parameters), jac=True, options={"gtol": 1e-8}).x
    if isinstance(scorer, bt.TableScorer):
        scipy_phi = scipy_phi - scipy_phi.mean()
    np.testing.assert_allclose(scipy_phi, newton.phi, atol=1e-6)
    assert np.abs(objective(newton.phi)[1]).max() <= 1e-9


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 5), bt.MLPScorer(3, 5, "relu")], ids=str)
def test_standardised_fits_fold_back_exactly(scorer, linear_world, rng) -> None:
    """For features in very different units, the returned φ gives raw features the margins of standardised ones."""
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
    """l2 acts on standardised parameters, so errors in raw units are the standardised ones divided by the scale."""
    base = linear_world[1]
    units = np.array([1e-2, 1.0, 1e2])
    pairs = bt.PreferencePairs(base.chosen * units, base.rejected * units)
    scale = np.concatenate([pairs.chosen, pairs.rejected]).std(axis=0)
    folded = bt.fit(bt.LinearScorer(3), pairs, standardise=True, l2=0.1)
    inside = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(pairs.chosen / scale, pairs.rejected / scale), l2=0.1)
    np.testing.assert_allclose(folded.phi, inside.phi / scale, rtol=1e-7)
    np.testing.assert_allclose(folded.standard_errors(), inside.standard_errors() / scale, rtol=1e-6)


def test_standardising_does_not_divide_a_constant_feature_by_rounding(linear_world) -> None:
    """A feature that is 0.1 everywhere has a computed spread of 1e-17, which is only a rounding error."""
    base = linear_world[1]
    tenth = np.full((len(base), 1), 0.1)
    pairs = bt.PreferencePairs(np.hstack([base.chosen, tenth]), np.hstack([base.rejected, tenth]))
    model = bt.fit(bt.MLPScorer(4, 3), pairs, standardise=True, max_steps=5)
    assert np.abs(model.phi).max() < 1e3


# ----------------------------------------------------------------------------------------------------------- twin


def test_same_seed_gives_the_same_phi_and_another_seed_another(linear_world) -> None:
    """The initial φ, the split and the mini-batches depend on the seed and on nothing else."""
    fits = [bt.fit(bt.MLPScorer(3, 4), linear_world[1], validation=0.2, max_steps=5, seed=s) for s in (1, 1, 2)]
    np.testing.assert_array_equal(fits[0].phi, fits[1].phi)
    for name in HISTORY:
        np.testing.assert_array_equal(fits[0].history[name], fits[1].history[name])
    assert not np.array_equal(fits[0].phi, fits[2].phi)


@pytest.mark.full
def test_model_files_do_not_depend_on_the_number_of_threads(run_python, tmp_path) -> None:
    """Fits of all three scorers in a process with 1 thread and in one with 2 write the same files, byte for byte."""
    script = (
        "import sys, numpy as np, bradley_terry as bt\n"
        "rng = np.random.default_rng(0)\n"
        "n = 70_000; c, r = rng.normal(size=(2, n, 3))\n"
        "won = bt.sample_preferences(c @ [1, -1, .5], r @ [1, -1, .5], rng)[:, None]\n"
        "pairs = bt.PreferencePairs(np.where(won, c, r), np.where(won, r, c))\n"
        "i = rng.integers(40, size=n); j = (i + rng.integers(1, 40, size=n)) % 40\n"
        f"for backend in {BACKENDS}:\n"
        "    name = f'{THREADS}-{backend}-'\n"
        "    bt.fit(bt.LinearScorer(3), pairs, backend=backend).save(name + 'linear')\n"
        "    bt.fit(bt.MLPScorer(3, 8), pairs, max_steps=2, batch_size=n, backend=backend).save(name + 'mlp')\n"
        "    bt.fit(bt.TableScorer(40), bt.PreferencePairs(i, j), backend=backend).save(name + 'table')\n"
    )
    for threads in (1, 2):
        environment = dict.fromkeys(("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), threads)
        run_python(f"THREADS = '{threads}'\n{script}", **environment)
    files = sorted(path.name[2:] for path in tmp_path.glob("1-*"))
    assert len(files) == 6
    for name in files:
        assert (tmp_path / f"1-{name}").read_bytes() == (tmp_path / f"2-{name}").read_bytes(), name


# ------------------------------------------------------------------------------------------------------- learning


def test_linear_scorer_recovers_a_known_direction(linear_world) -> None:
    """Every weight is within 4 standard errors of the truth, and the direction within a few degrees."""
    truth, pairs = linear_world
    model = bt.fit(bt.LinearScorer(3), pairs)
    assert model.method == "newton"
    assert model.converged
    assert (np.abs(model.phi - truth) <= 4 * model.standard_errors()).all()
    assert model.phi @ truth / np.linalg.norm(model.phi) / np.linalg.norm(truth) > 0.99


def test_table_recovers_the_order_of_the_items(rng) -> None:
    """With rewards 1 apart and 300 comparisons of every two items, the order is found and the rewards sum to zero."""
    truth = np.array([2.0, -1, 0, 1, -2])
    i, j = (np.repeat(k, 300) for k in np.triu_indices(5, 1))
    model = bt.fit(bt.TableScorer(5), choices(rng, i, j, truth[i] - truth[j]))
    np.testing.assert_array_equal(np.argsort(model.phi), np.argsort(truth))
    assert abs(model.phi.sum()) < 1e-13
    assert (np.abs(model.phi - truth) <= 4 * model.standard_errors()).all()


@pytest.mark.parametrize("activation", ["tanh", pytest.param("relu", marks=pytest.mark.full)])
def test_mlp_learns_what_a_line_cannot(activation: str, rng) -> None:
    """If the reward is 3·|x|, a line does no better than a coin, and the MLP comes close to the smallest loss."""
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
    # log 2 = .693, and the floor is about .28; a good fit costs about parameters/pairs = .01 more
    assert bt.expected_loss(fresh, margins) < bt.loss_floor(fresh) + 0.04


def test_noisy_labels_are_learnt_as_probabilities() -> None:
    """If annotators give a probability of .8, the fitted probability is .8."""
    pairs = bt.PreferencePairs(np.ones((50, 1)), np.zeros((50, 1)), labels=np.full(50, 0.8))
    model = bt.fit(bt.LinearScorer(1), pairs)
    np.testing.assert_allclose(model.preference_probability([[1.0]], [[0.0]]), 0.8, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_separable_data_have_no_minimum_and_the_fit_says_so(backend: str) -> None:
    """Without l2 the fit warns and recommends l2 > 0. With it, the fit converges."""
    separable = bt.PreferencePairs([[1.0], [2.0], [0.5]], [[0.0], [1.0], [0.0]])
    with pytest.warns(bt.ConvergenceWarning, match=r"no finite minimum.*use l2 > 0"):
        model = bt.fit(bt.LinearScorer(1), separable, backend=backend)
    assert not model.converged
    assert "NOT CONVERGED" in repr(model)
    assert bt.fit(bt.LinearScorer(1), separable, l2=0.01, backend=backend).converged


def test_items_that_never_lost_are_named_as_the_reason() -> None:
    """With an undefeated item the message counts the groups of items; a tie or l2 > 0 makes the fit converge."""
    with pytest.warns(bt.ConvergenceWarning, match="the items fall into 2 groups"):
        model = bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2], [1, 2, 2, 1]))
    assert not model.converged
    assert bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2], [1, 2, 2, 1], labels=[0.5, 1, 1, 1])).converged
    assert bt.fit(bt.TableScorer(3), bt.PreferencePairs([0, 0, 1, 2], [1, 2, 2, 1]), l2=0.1).converged


def test_a_fit_that_reaches_its_limit_of_steps_says_so(linear_world) -> None:
    """The fit has not converged, and the message gives the largest gradient entry. Only Newton's method warns."""
    for method, unit in (("gradient_descent", "steps"), ("adam", "passes")):
        model = bt.fit(bt.LinearScorer(3), linear_world[1], method=method, max_steps=3)
        assert not model.converged
        assert model.message.startswith(f"not converged: stopped at the limit of 3 {unit}, largest gradient")
        assert model.history["step"][-1] >= 3
    with pytest.warns(bt.ConvergenceWarning, match="after 1 Newton step"):
        assert not bt.fit(bt.LinearScorer(3), linear_world[1], max_steps=1).converged


@given(st.lists(st.integers(0, 12), min_size=1, max_size=200), st.integers(1, 50), st.integers(0, 99))
def test_batches_hold_whole_prompts_and_every_row_once(prompts: list[int], size: int, seed: int) -> None:
    """A mini-batch of Adam has at least half the requested size, unless there are fewer pairs in all."""
    batches = adam_batches(len(prompts), size, seed, prompts)
    names = np.array(prompts)
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(len(prompts)))
    seen: set[int] = set()
    for rows in batches:
        here = set(names[rows].tolist())
        assert not here & seen
        seen |= here
        assert len(rows) >= min(size / 2, len(prompts))


def test_batches_without_prompts_have_the_size_asked_for() -> None:
    """100 pairs in batches of 32 are 32, 32 and 36, as a remainder of 4 joins the last one. Their order is random."""
    assert [len(rows) for rows in adam_batches(100, 32)] == [32, 32, 36]
    assert [len(rows) for rows in adam_batches(100, 40)] == [40, 40, 20]
    one, again, other = (np.concatenate(adam_batches(100, 32, seed)) for seed in (1, 1, 2))
    assert not np.array_equal(one, np.arange(100))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_early_stopping_keeps_the_best(rng) -> None:
    """A wide MLP overfits few pairs, and the fit returns the φ that had the smallest validation loss."""
    c, r = rng.normal(size=(2, 60, 4))
    pairs = choices(rng, c, r, c[:, 0] - r[:, 0])
    training, held_out = pairs.subset(np.arange(30)), pairs.subset(np.arange(30, 60))
    model = bt.fit(bt.MLPScorer(4, 32), training, validation=held_out, patience=7, learning_rate=0.05)
    losses = model.history["validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 7 + 1
    assert model.converged
    assert model.outcome is Outcome.STOPPED_EARLY
    assert "kept the best" in model.message
    assert bt.Objective(model.scorer, held_out)(model.phi)[0] == losses[best]
    assert losses[-1] > losses[best]


def test_validation_share_is_held_out_of_the_fit(linear_world) -> None:
    """With validation=0.25 the fit uses one side of ``pairs.split(0.25)`` and records the loss of the other."""
    pairs = linear_world[1]
    training, held_out = pairs.split(0.25, seed=4)
    model = bt.fit(bt.LinearScorer(3), pairs, validation=0.25, seed=4)
    np.testing.assert_array_equal(model.phi, bt.fit(bt.LinearScorer(3), training).phi)
    assert model.history["validation_loss"][-1] == bt.Objective(bt.LinearScorer(3), held_out)(model.phi)[0]
    assert model.history["validation_loss"][0] == LOG_2
    np.testing.assert_allclose(model.standard_errors(), bt.fit(bt.LinearScorer(3), training).standard_errors())


def test_validation_loss_has_no_penalty_in_it(linear_world) -> None:
    """l2 is part of the training loss only; the validation loss is the mean of -log sigma."""
    training, held_out = linear_world[1].split(0.3)
    model = bt.fit(bt.LinearScorer(3), training, validation=held_out, l2=0.5)
    assert model.history["validation_loss"][-1] == bt.Objective(model.scorer, held_out)(model.phi)[0]
    assert model.history["loss"][-1] == bt.Objective(model.scorer, training, l2=0.5)(model.phi)[0]


# -------------------------------------------------------------------------------------------------------- manners
