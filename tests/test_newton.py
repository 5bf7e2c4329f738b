"""Newton's method: each step lowers the loss, every start leads to one minimum, and the outcome says how it ended."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import newton
from bradley_terry.fitting import hessians as hessians_module
from bradley_terry.fitting import samples
from bradley_terry.fitting.hessians import Hessians
from bradley_terry.fitting.samples import sampled_start
from bradley_terry.model import Outcome
from bradley_terry.newton import controlled_step, minimise, solve
from bradley_terry.objective import Point


class _Square:
    """½(z - t)²: with this loss L(φ) is a parabola."""

    def value(self, z, t):
        return 0.5 * (z - t) ** 2

    def gradient(self, z, t):
        return z - t

    def curvature(self, z, t):
        return np.ones_like(z)


class _Uphill:
    """A loss whose gradient has the wrong sign."""

    def value(self, z, t):
        return bt.pair_losses(z, labels=t)

    def gradient(self, z, t):
        return -bt.pair_loss_gradients(z, labels=t)

    def curvature(self, z, t):
        return bt.pair_loss_curvatures(z)


@pytest.fixture
def objective(random_pairs) -> bt.Objective:
    """60 labelled pairs in three features, with a finite minimum."""
    return bt.Objective(bt.LinearScorer(3), random_pairs(bt.LinearScorer(3), 60, extras=("weights", "labels")))


def run(objective, phi=(0.0, 0.0, 0.0), **options) -> tuple[newton.NewtonResult, list[Point]]:
    """Minimise from φ and return the result and all points of the search, including the first."""
    points = [objective.at(np.array(phi, dtype=np.float64))]
    options = {"max_steps": 50, "tolerance": 1e-10, **options}
    return minimise(objective, points[0], lambda _, point: points.append(point), **options), points


def choices(rng, n: int, truth: np.ndarray, **options) -> bt.PreferencePairs:
    """Return n pairs in which simulated people chose, with ``truth`` as the true weights."""
    a, b = rng.normal(size=(2, n, truth.size))
    won = bt.sample_preferences(a @ truth, b @ truth, rng)[:, None]
    return bt.PreferencePairs(np.where(won, a, b), np.where(won, b, a), **options)


# ---------------------------------------------------------------------------------------------------- known value


def test_solve_by_hand() -> None:
    """For H = [[2, 1], [1, 2]] and g = (3, 0) the solution is s = (2, -1)."""
    np.testing.assert_allclose(solve(np.array([[2.0, 1], [1, 2]]), np.array([3.0, 0])), [2, -1], rtol=1e-12)


def test_a_parabola_takes_one_step(random_pairs, rng) -> None:
    """If L is a parabola, the first step from any φ ends at its minimum."""
    scorer = bt.LinearScorer(4)
    parabola = bt.Objective(scorer, random_pairs(scorer, 60), loss=_Square(), l2=0.1)
    result, points = run(parabola, rng.normal(0, 3, 4))
    assert result.outcome is Outcome.CONVERGED
    assert len(points) == 2
    d, w = parabola.pairs.chosen - parabola.pairs.rejected, parabola.pairs.weights / parabola.pairs.total_weight
    target = parabola.pairs.labels + parabola.pairs.target_margins
    want = np.linalg.solve(d.T @ (w[:, None] * d) + 0.1 * np.eye(4), d.T @ (w * target))
    np.testing.assert_allclose(result.point.phi, want, rtol=1e-10)


# ------------------------------------------------------------------------------------------------------- identity


def test_solve_agrees_with_numpy_in_any_units(rng) -> None:
    """Scaling φ by D turns H into D·H·D, g into D·g and s into s/D, even for factors of a billion."""
    a = rng.normal(size=(5, 5))
    h, g = a @ a.T + np.eye(5), rng.normal(size=5)
    want = np.linalg.solve(h, g)
    np.testing.assert_allclose(solve(h, g), want, rtol=1e-11)
    units = 10.0 ** np.array([-9, -3, 0, 4, 9])
    np.testing.assert_allclose(solve(h * np.outer(units, units), g * units), want / units, rtol=1e-11)


def test_solve_hardly_moves_where_no_pair_says_anything() -> None:
    """If H is singular, as for a table, s has almost no part along the shift; where H and g are zero, s is zero."""
    laplacian = np.array([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2]])
    s = solve(laplacian, np.array([3.0, -3, 0]))
    np.testing.assert_allclose(laplacian @ s, [3, -3, 0], atol=1e-10)
    assert abs(s.sum()) <= 0.1 * np.abs(s).max()  # rounding, 2e-16, over the damping, 1e-14, for each entry
    half, nothing = solve(np.diag([2.0, 0.0]), np.array([1.0, 0.0]))
    assert half == pytest.approx(0.5, rel=1e-13)
    assert nothing == 0


# ------------------------------------------------------------------------------------------------------- calculus


def test_each_step_near_the_minimum_doubles_the_number_of_correct_digits(objective, monkeypatch) -> None:
    """With a new Hessian at each step, the gradient after a step is about the square of the gradient before it."""
    monkeypatch.setattr(hessians_module, "WELL", 0.0)
    _, points = run(objective, (2.0, -2.0, 1.0))
    sizes = np.array([np.abs(point.gradient).max() for point in points])
    near = np.flatnonzero((sizes[:-1] < 0.02) & (sizes[:-1] > 1e-7))
    assert len(near) >= 2
    assert (sizes[near + 1] <= 5 * sizes[near] ** 2).all()


@pytest.mark.parametrize("factor", [1e-3, 0.5, 1.0, 3.0, 100.0, 1e4])
def test_a_step_lowers_the_loss_by_a_share_of_what_its_slope_promises(factor: float, objective, rng) -> None:
    """A step of any length, along Newton's or the steepest direction, lowers L by at least 1e-4·|gᵀs| (Armijo)."""
    for _ in range(5):
        point = objective.at(rng.normal(0, 3, 3))
        for direction in (-solve(objective.hessian(point.phi), point.gradient), -point.gradient):
            new, slope = controlled_step(objective, point, factor * direction)
            step = new.phi - point.phi
            assert slope < 0
            assert point.gradient @ step < 0
            assert new.loss <= point.loss + 1e-4 * point.gradient @ step + 1e-14
            assert new.loss == objective(new.phi)[0]


def test_a_step_that_overshoots_is_halved(random_pairs) -> None:
    """On a parabola L falls by gᵀs·(f - f²/2) along f times Newton's step: f = 1.999 is enough, f = 1.9999 is not."""
    scorer = bt.LinearScorer(2)
    parabola = bt.Objective(scorer, random_pairs(scorer, 40), loss=_Square())
    point = parabola.at(np.zeros(2))
    newton_step = -solve(parabola.hessian(point.phi), point.gradient)
    for factor, taken in ((1.0, 1.0), (1.999, 1.999), (1.9999, 1.9999 / 2), (3.0, 1.5), (6.0, 1.5)):
        new, _ = controlled_step(parabola, point, factor * newton_step)
        np.testing.assert_allclose(new.phi, taken * newton_step, rtol=1e-12)


def test_no_part_of_a_step_uphill_is_taken(objective, rng) -> None:
    """Along the gradient itself the loss rises, so there is no new point, and the slope is positive."""
    point = objective.at(rng.normal(size=3))
    new, slope = controlled_step(objective, point, point.gradient)
    assert new is None
    assert slope == pytest.approx(point.gradient @ point.gradient)


def test_a_step_far_too_long_is_cut_to_margins_of_twenty() -> None:
    """If all pairs agree and the loss is almost straight, no margin changes by more than 20 in one step."""
    agreeing = bt.Objective(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [2.0]], [[0.0], [0.0]]))
    new, _ = controlled_step(agreeing, agreeing.at(np.zeros(1)), np.array([1e9]))
    np.testing.assert_allclose(new.margins, [10, 20], rtol=1e-12)


# ------------------------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("start", [36.0, 700.0, 1e6])
def test_newton_finds_its_way_back_from_saturated_margins(start: float) -> None:
    """Two wins to one give a margin of log 2, even if the search starts where the loss is almost straight."""
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 0, 1], [1, 1, 0]), initial=[start, -start])
    assert model.phi[0] - model.phi[1] == pytest.approx(np.log(2), abs=1e-8)  # gradient 1e-9 / curvature 2/9
    shifted = bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], target_margins=[start, -start])
    assert bt.fit(bt.LinearScorer(1), shifted).phi[0] == pytest.approx(start, rel=1e-9)


@pytest.mark.parametrize("start", [(0.0, 0.0, 0.0), (30.0, -20.0, 10.0), (-1e4, 1e4, 0.0)])
def test_the_loss_never_rises_and_every_start_leads_to_one_minimum(start, objective) -> None:
    """The loss is convex, so every starting point leads to the same minimum."""
    result, points = run(objective, start)
    assert result.outcome is Outcome.CONVERGED
    assert (np.diff([point.loss for point in points]) <= 1e-15).all()
    np.testing.assert_allclose(result.point.phi, run(objective)[0].point.phi, rtol=0, atol=1e-8)


def test_units_of_the_features_do_not_matter(rng) -> None:
    """If features are multiplied by 1e6, 1e-6 or 1e-10, their weights are divided by the same factor."""
    base = choices(rng, 600, np.array([1.5, -1.0, 0.5]))
    want = bt.fit(bt.LinearScorer(3), base).phi
    for unit in (1e6, 1e-6, 1e-10):
        model = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(base.chosen * unit, base.rejected * unit))
        assert model.converged
        # the gradient is in units of the feature: 1e-9 leaves 1e-9/unit² in the weights, 1e-9/unit relative to them
        np.testing.assert_allclose(model.phi * unit, want, rtol=1e-2)


@pytest.mark.parametrize("wrong", [1e-6, 1e12, -1e12])
def test_a_hessian_that_does_not_serve_is_replaced(wrong: float, objective) -> None:
    """An older Hessian that is far too small or too large, or has the wrong sign, only costs some steps."""
    want = run(objective)[0].point.phi
    result, _ = run(objective, (0.1, 0.1, 0.1), hessian=wrong * np.eye(3), max_steps=100)
    assert result.outcome is Outcome.CONVERGED
    np.testing.assert_allclose(result.point.phi, want, rtol=0, atol=1e-8)


def test_old_hessians_save_work_and_lead_to_the_same_minimum(objective, monkeypatch) -> None:
    """A Hessian is reused while its steps shrink the gradient well, so fewer Hessians are computed."""
    computed = []
    hessian = bt.Objective.hessian

    def counted(self, *arguments, **options):
        computed.append(1)
        return hessian(self, *arguments, **options)

    monkeypatch.setattr(bt.Objective, "hessian", counted)
    with_old, points = run(objective)
    n_with_old, n_steps = len(computed), len(points) - 1
    computed.clear()
    monkeypatch.setattr(hessians_module, "WELL", 0.0)
    without_old, points = run(objective)
    assert n_with_old < n_steps
    assert len(computed) >= len(points) - 1
    np.testing.assert_allclose(with_old.point.phi, without_old.point.phi, rtol=0, atol=1e-9)


def test_hessians_are_kept_while_they_serve_and_computed_anew_afterwards(objective) -> None:
    """``at`` returns the last Hessian until a step shrinks the gradient too little, or an exact one is asked for."""
    near, far = objective.at(np.zeros(3)), objective.at(np.ones(3))
    hessians = Hessians(objective)
    first = hessians.at(near, exact=False)
    assert hessians.is_exact
    np.testing.assert_array_equal(first, objective.hessian(near.phi))
    hessians.after_step(1.0, 0.1)
    assert hessians.at(far, exact=False) is first
    assert not hessians.is_exact
    np.testing.assert_array_equal(hessians.at(far, exact=True), objective.hessian(far.phi))
    hessians.after_step(1.0, 0.11)
    np.testing.assert_array_equal(hessians.at(near, exact=False), first)
    assert hessians.is_exact


def test_a_sample_of_many_pairs_leads_to_the_same_minimum(rng, monkeypatch) -> None:
    """With 3,000 pairs for each parameter a fit starts from a sample. Minimum and standard errors stay the same."""
    n = 9_000
    pairs = choices(rng, n, np.array([1.0, -0.5, 0.0]), weights=rng.integers(0, 3, n))
    model = bt.fit(bt.LinearScorer(3), pairs)
    monkeypatch.setattr(samples, "WORTH_SAMPLING", np.inf)
    plain = bt.fit(bt.LinearScorer(3), pairs)
    assert model.converged
    assert model.history["loss"][0] == plain.history["loss"][0] == pytest.approx(np.log(2), abs=1e-15)
    assert model.history["loss"][1] < plain.history["loss"][1]  # the minimum of a sample is nearer than a Newton step
    np.testing.assert_allclose(model.phi, plain.phi, rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.information, plain.information, rtol=1e-6)


def test_a_sample_comes_close_to_minimum_and_hessian_of_all_pairs(rng) -> None:
    """300 pairs give the Hessian of three parameters to 2·√(3/300), a fifth, and φ to a few standard errors."""
    objective = bt.Objective(bt.LinearScorer(3), choices(rng, 9_000, np.array([1.0, -0.5, 0.0])))
    start = objective.at(np.zeros(3))
    point, hessian = sampled_start(objective, start, 1e-9)
    model = bt.fit(bt.LinearScorer(3), objective.pairs)
    assert point.loss < start.loss
    assert (np.abs(point.phi - model.phi) <= 4 * np.sqrt(30) * model.standard_errors()).all()  # √(9000/300)
    exact = objective.hessian(point.phi)
    assert np.linalg.norm(hessian - exact, 2) <= 0.4 * np.linalg.norm(exact, 2)  # twice a fifth
    few = bt.Objective(bt.LinearScorer(3), objective.pairs[:2_399])
    assert sampled_start(few, few.at(np.zeros(3)), 1e-9)[1] is None


def test_a_sample_that_misleads_does_no_harm(rng, monkeypatch) -> None:
    """If a feature is almost absent from the sample, the fit still finds the minimum of all pairs."""
    n = 20_000
    d = np.zeros((n, 2))
    d[:, 0] = rng.normal(size=n)
    rare = rng.choice(n, 12, replace=False)
    d[rare, 1] = np.where(np.arange(12) < 8, 1.0, -1.0)
    pairs = bt.PreferencePairs(d, np.zeros((n, 2)))
    model = bt.fit(bt.LinearScorer(2), pairs, tolerance=1e-10)
    monkeypatch.setattr(samples, "WORTH_SAMPLING", np.inf)
    plain = bt.fit(bt.LinearScorer(2), pairs, tolerance=1e-10)
    assert model.converged
    np.testing.assert_allclose(model.phi, plain.phi, rtol=0, atol=1e-5)
    assert 0.5 < model.phi[1] < 0.9  # about log(8/4)


def test_a_sample_without_minimum_or_without_weight_is_no_start(rng) -> None:
    """If all pairs of the sample agree, or none has a weight, the fit starts without the sample and converges."""
    d = np.abs(rng.normal(size=(5000, 1))) + 0.1
    d[2500] *= -1  # the only pair that contradicts the others; a sample of 100 misses it
    agreeing = bt.Objective(bt.LinearScorer(1), bt.PreferencePairs(d, 0 * d))
    start = agreeing.at(np.zeros(1))
    point, hessian = sampled_start(agreeing, start, 1e-9)
    assert point is start
    assert hessian is None
    assert bt.fit(bt.LinearScorer(1), agreeing.pairs).converged
    d[2499:2501, 0], weights = (1, -1), np.zeros(5000)
    weights[2499:2501] = (2, 1)
    weightless = bt.Objective(bt.LinearScorer(1), bt.PreferencePairs(d, 0 * d, weights=weights))
    assert sampled_start(weightless, weightless.at(np.zeros(1)), 1e-9)[1] is None
    assert bt.fit(bt.LinearScorer(1), weightless.pairs).phi[0] == pytest.approx(np.log(2), abs=1e-8)


# -------------------------------------------------------------------------------------------------------- manners


def test_record_is_called_after_each_step_and_may_stop(objective) -> None:
    """``record`` gets the number of the step and the new point. If it returns True, the search ends at that point."""
    seen = []
    point = objective.at(np.zeros(3))
    result = minimise(
        objective, point, lambda *row: seen.append(row) or len(seen) == 2, first_step=5, max_steps=50, tolerance=1e-12
    )
    assert [step for step, _ in seen] == [5, 6]
    assert result.point is seen[1][1]
    assert (result.outcome, result.reason) == (Outcome.STOPPED_BY_CALLBACK, "stopped by the callback")
    assert seen[0][1].loss == objective(seen[0][1].phi)[0]


def test_a_search_that_converges_returns_the_hessian_of_its_last_point(objective) -> None:
    """The reason names the largest entry of the gradient, and the Hessian there is exact."""
    result, points = run(objective)
    assert result.outcome is Outcome.CONVERGED
    assert result.point is points[-1]
    assert result.reason == f"largest gradient entry {np.abs(result.point.gradient).max():.1e} <= 1e-10"
    np.testing.assert_array_equal(result.hessian, objective.hessian(result.point.phi))


def test_a_search_ends_at_its_limit_of_steps(objective) -> None:
    """After ``max_steps`` steps the outcome is STEP_LIMIT, and the reason gives the number of steps."""
    result, points = run(objective, max_steps=2)
    assert len(points) == 3
    assert result.outcome is Outcome.STEP_LIMIT
    assert result.reason.endswith("after 2 Newton steps")


def test_pairs_that_can_be_separated_have_no_minimum_even_where_the_gradient_is_small() -> None:
    """Each further step still moves a margin by about 1, which does not happen at a minimum."""
    agreeing = bt.Objective(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [2.0]], [[0.0], [0.0]]))
    result, points = run(agreeing, (0.0,), tolerance=1e-4)
    assert result.outcome is Outcome.NO_MINIMUM
    assert np.abs(points[-1].gradient).max() <= 1e-4


def test_a_gradient_with_the_wrong_sign_ends_in_no_descent(random_pairs) -> None:
    """No step in the direction of such a gradient lowers the loss, and the outcome says so."""
    scorer = bt.LinearScorer(2)
    result, points = run(bt.Objective(scorer, random_pairs(scorer), loss=_Uphill()), (1.0, 1.0))
    assert result.outcome is Outcome.NO_DESCENT
    assert result.reason.startswith("no step lowers the loss, largest gradient entry")
    assert len(points) == 1


def test_a_loose_tolerance_does_not_invent_a_missing_minimum(objective) -> None:
    """With l2 > 0 there is always a minimum, and no message says otherwise."""
    model = bt.fit(objective.scorer, objective.pairs, l2=0.1, tolerance=0.05)
    assert model.converged
    assert "no finite minimum" not in model.message
