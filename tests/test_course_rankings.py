"""Lesson 11: its losses have the pulls and the best margins that the pictures show, and its numbers are true."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from students import limits, nats, plackett_luce, sigma

import bradley_terry as bt
from bradley_terry.course import check
from bradley_terry.course.plots import rankings as ranking_plots
from bradley_terry.course.plots.rankings import LINES, LOSSES

FORMULAS = {
    "plain": nats,
    "target margin 1": lambda z: nats(z - 1),
    "hinge": lambda z: np.maximum(0, 1 - z),
    "label smoothing 0.1": lambda z: 0.9 * nats(z) + 0.1 * nats(-z),
    "square": lambda z: (z - 1) ** 2,
    "exponential": lambda z: np.exp(-z),
}
MARGINS = np.array([-3.0, -0.5, 0.2, 0.9, 1.1, 4.0])  # not 1, where the hinge has a kink

# ---------------------------------------------------------------------------------------------------- known value


def test_a_target_margin_of_1_moves_the_best_margin_of_eight_to_two_to_2_154() -> None:
    """With u = e^Δ, the ratio of the pulls is 4 where u² - 3eu - 4 = 0."""
    u = (3 * np.e + np.sqrt(9 * np.e**2 + 16)) / 2
    assert f"{np.log(u):.3f}" == "2.154"
    assert float(LOSSES["target margin 1"].best(0.8)) == pytest.approx(np.log(u), abs=1e-9)


@pytest.mark.parametrize("m", [0.0, 0.5, 1.0, 3.0])
def test_the_best_margin_under_a_target_margin_has_a_closed_form_and_gives_p_back(m) -> None:
    """The formulas of the fold are right for any m, and σ(Δ) is above p, the more so the larger m is."""
    grid = np.linspace(0, 12, 120_001)
    for p in (0.6, 0.7, 0.95):
        o, q = p / (1 - p), np.exp(-m)
        best = np.log((o - 1 + np.sqrt((o - 1) ** 2 + 4 * o * q**2)) / (2 * q))
        assert best == pytest.approx(grid[np.argmin(p * nats(grid - m) + (1 - p) * nats(-grid - m))], abs=1e-4)
        assert sigma(m + best) / sigma(m - best) == pytest.approx(o)
        assert sigma(m + best) / (sigma(m + best) + sigma(m - best)) == pytest.approx(p)
        assert sigma(best) > p or m == 0
        if (p, m) == (0.7, 1.0):
            assert f"{best:.3f}" == "1.431"


def test_label_smoothing_pulls_back_beyond_logit_of_1_minus_epsilon() -> None:
    """For ε = 0.1 this is 2.20: below it, the pull is positive, and beyond it negative."""
    turn = np.log(0.9 / 0.1)
    assert f"{turn:.2f}" == "2.20"
    pulls = LOSSES["label smoothing 0.1"].pull([turn - 0.01, turn + 0.01])
    assert pulls[0] > 0 > pulls[1]


def test_bfloat16_overflows_as_float32_does_but_saturates_at_5_55() -> None:
    """The solution of Exercise 1 in lesson 9 says so: 88.72 for both, and 8 log 2."""
    assert [f"{x:.2f}" for x in limits(8, 7)] == ["88.72", "5.55"]
    assert f"{limits(8, 23)[0]:.2f}" == "88.72"
    check.format_limits(limits).require()


def test_a_ranking_of_nine_has_as_many_pairs_as_thirty_six_rankings_of_two() -> None:
    """``as_pairs`` makes K (K - 1)/2 pairs, and ``weighting="prompt"`` gives each prompt the weight 1."""
    rankings = bt.PreferenceRankings(np.arange(11.0)[:, None], [*range(1, 10), 1, 2], [0] * 9 + [1] * 2)
    assert len(rankings.as_pairs()) == 36 + 1
    weights = rankings.as_pairs(weighting="prompt").weights
    np.testing.assert_allclose(np.sort(weights), [*[1 / 36] * 36, 1])


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_those_of_their_formulas(name) -> None:
    """Values are the formula's, the pulls minus its slope, and the best margins the lowest points on a fine grid."""
    formula, h = FORMULAS[name], 1e-6
    np.testing.assert_allclose(LOSSES[name].value(MARGINS), formula(MARGINS), rtol=1e-12)
    slopes = (formula(MARGINS + h) - formula(MARGINS - h)) / (2 * h)
    np.testing.assert_allclose(LOSSES[name].pull(MARGINS), -slopes, atol=1e-7)  # truncation h², rounding 1e-16/h
    grid = np.linspace(-6, 6, 12_001)
    for p in (0.2, 0.6, 0.95):
        lowest = grid[np.argmin(p * formula(grid) + (1 - p) * formula(-grid))]
        assert float(LOSSES[name].best(p)) == pytest.approx(lowest, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "hinge"])
def test_at_the_best_margin_the_ratio_of_the_pulls_is_the_odds(name) -> None:
    """Line 3 of the derivation, for each loss without a kink."""
    for p in (0.3, 0.8, 0.9):
        best = float(LOSSES[name].best(p))
        of_a, of_b = LOSSES[name].pull([best, -best])
        assert of_b / of_a == pytest.approx(p / (1 - p), rel=1e-6)


def test_a_ranking_costs_less_than_its_pairs() -> None:
    """1 + Σu is less than Π(1 + u) for positive u."""
    rng = np.random.default_rng(11)
    for rewards in rng.normal(0, 3, (50, 5)):
        better, worse = np.triu_indices(5, 1)
        assert plackett_luce(rewards) < nats(rewards[better] - rewards[worse]).sum()


def test_each_answer_is_pulled_up_in_its_own_choice_and_down_in_all_up_to_it() -> None:
    """The gradient of a ranking is the sum of p_k(j) over the choices up to j, minus 1; for 2, 1 and 0 as quoted."""

    def slopes(rewards):
        w = np.exp(rewards)
        return np.array([sum(w[j] / w[k:].sum() for k in range(j + 1)) - 1 for j in range(len(w))])

    h, rewards = 1e-6, np.random.default_rng(1).normal(0, 2, 5)
    steps = h * np.eye(5)
    central = [(plackett_luce(rewards + step) - plackett_luce(rewards - step)) / (2 * h) for step in steps]
    np.testing.assert_allclose(slopes(rewards), central, atol=1e-8)  # rounding 1e-16/h
    assert [f"{slope:.3f}" for slope in slopes(np.array([2.0, 1.0, 0.0]))] == ["-0.335", "-0.024", "0.359"]
    assert slopes(rewards).sum() == pytest.approx(0)


def test_in_the_model_of_plackett_and_luce_rewards_differ_by_the_log_odds_of_a_before_b() -> None:
    """Over all 24 orders, P(a before b) is σ(r_a − r_b), and the expected slope is 0 at the true rewards."""
    rewards = np.array([1.2, 0.3, -0.5, -1.0])
    orders = list(itertools.permutations(range(4)))
    shares = np.exp([-plackett_luce(rewards[list(order)]) for order in orders])
    assert shares.sum() == pytest.approx(1)
    before = sum(share for share, order in zip(shares, orders, strict=True) if order.index(0) < order.index(2))
    assert before == pytest.approx(sigma(1.2 + 0.5))

    def expected(r):
        return sum(share * plackett_luce(r[list(order)]) for share, order in zip(shares, orders, strict=True))

    for step in 1e-5 * np.eye(4):
        assert (expected(rewards + step) - expected(rewards - step)) / 2e-5 == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("size", [0.3, 1.0, 2.5])
def test_a_tie_costs_least_at_a_margin_of_zero(size) -> None:
    """Half a choice of each answer costs log 2 there; the formulas of the fold are those of the package."""
    z = np.linspace(-4, 4, 801)
    tie = np.full(z.shape, 0.5)
    half = (nats(z) + nats(-z)) / 2
    davidson = np.log1p(2 / size * np.cosh(z / 2))
    rao_kupper = -np.log(1 - sigma(z - size) - sigma(-z - size))
    np.testing.assert_allclose(davidson, bt.losses.Davidson(size).value(z, tie), rtol=1e-9)
    np.testing.assert_allclose(rao_kupper, bt.losses.RaoKupper(size).value(z, tie), rtol=1e-9)
    for costs in (half, davidson, rao_kupper):
        assert z[np.argmin(costs)] == pytest.approx(0)
        assert (np.diff(costs[400:]) > 0).all()
        np.testing.assert_allclose(costs, costs[::-1])
    assert half.min() == pytest.approx(np.log(2))


def test_the_slope_of_a_level_has_the_form_of_the_fold() -> None:
    """It is 1 − σ(ζ_{k+1} − Δ) − σ(ζ_k − Δ); for the highest level, that of a target margin of ζ_k."""
    zeta, z, h = np.array([-np.inf, -0.4, 1.3, np.inf]), np.linspace(-3, 3, 13), 1e-6
    ordinal = bt.losses.Ordinal(3, zeta[1:-1])
    for k in range(3):
        label = np.full(z.shape, k / 2)
        central = (ordinal.value(z + h, label) - ordinal.value(z - h, label)) / (2 * h)
        np.testing.assert_allclose(1 - sigma(zeta[k + 1] - z) - sigma(zeta[k] - z), central, atol=1e-8)
    np.testing.assert_allclose(central, -sigma(-(z - 1.3)), atol=1e-8)


def test_without_ties_davidsons_winners_are_bradley_terry_and_rao_kuppers_are_not() -> None:
    """P(a) / (P(a) + P(b)) is σ(Δ) under Davidson's model, and more under Rao and Kupper's."""
    z, eta = 1.0, 0.5
    assert np.exp(z / 2) / (np.exp(z / 2) + np.exp(-z / 2)) == pytest.approx(sigma(z))
    assert sigma(z - eta) / (sigma(z - eta) + sigma(-z - eta)) > sigma(z) + 0.04


# ------------------------------------------------------------------------------------------------------- pictures


def test_the_figure_draws_pulls_and_best_margins_of_four_losses() -> None:
    """Each line is the formula; the second panel shares its colours and dashes with the first."""
    left = ranking_plots.plot_ranking_losses()
    _, right = left.figure.axes
    for name, pull, best in zip(LINES, left.lines, right.lines, strict=False):
        x, y = pull.get_xydata().T
        np.testing.assert_allclose(y, LOSSES[name].pull(x))
        p, margin = best.get_xydata().T
        np.testing.assert_allclose(margin, LOSSES[name].best(p))
        assert (pull.get_color(), pull.get_linestyle()) == (best.get_color(), best.get_linestyle())
    assert len({(line.get_color(), line.get_linestyle()) for line in left.lines[: len(LINES)]}) == len(LINES)


@pytest.mark.parametrize(("name", "margin", "is_inside"), [("hinge", 0.5, True), ("exponential", -3.0, False)])
def test_the_dot_shows_now(name, margin, is_inside) -> None:
    """It lies on the curve; a point above the frame is drawn hollow at its edge."""
    left = ranking_plots.plot_ranking_loss(name, margin)
    for ax, height in zip(left.figure.axes, (LOSSES[name].value(margin)[0], LOSSES[name].pull(margin)[0]), strict=True):
        dot = ax.lines[-1]
        assert dot.get_xdata()[0] == margin
        assert dot.get_ydata()[0] == pytest.approx(height if is_inside else ax.get_ylim()[1])
        assert (dot.get_markerfacecolor() != "white") == is_inside


def test_an_unknown_loss_is_refused() -> None:
    """The message lists the names."""
    with pytest.raises(ValueError, match=r"^name: expected one of plain, target margin 1, .*, got 'zero-one'"):
        ranking_plots.plot_ranking_loss("zero-one", 0.0)
