"""The family of losses: values and derivatives against mpmath, identities, minimisers, tails and training."""

from __future__ import annotations

import re
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from tiers import first

import bradley_terry as bt
from bradley_terry import losses, ranking

DIGITS = 60
BACKENDS = ["numpy", "numba"]


def softplus(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def sigma(x):
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def mills(x):
    """Return (1 - Φ(x))/φ(x)."""
    return mp.sqrt(mp.pi / 2) * mp.erfc(x / mp.sqrt(2)) * mp.exp(x * x / 2) if x < 25 else _mills_far(x)


def _mills_far(x):
    level = mp.mpf(0)
    for k in range(200, 0, -1):
        level = k / (x + level)
    return 1 / (x + level)


def smoothed(e):
    return lambda z: (
        (1 - e) * softplus(-z) + e * softplus(z),
        e * sigma(z) - (1 - e) * sigma(-z),
        sigma(z) * sigma(-z),
    )


def robust(e):
    return lambda z: (
        ((1 - e) * softplus(-z) - e * softplus(z)) / (1 - 2 * e),
        -((1 - e) * sigma(-z) + e * sigma(z)) / (1 - 2 * e),
        sigma(z) * sigma(-z),
    )


def noisy(e):
    def of(z):
        s, q, a = sigma(z), sigma(-z), 1 - e
        p = a * s + e / 2
        return (
            -mp.log1p(-(a * q + e / 2)) if z > 0 else -mp.log(p),
            -a * s * q / p,
            a * s * q * (a * s * s - (q - s) * e / 2) / p**2,
        )

    return of


def focal(g):
    def of(z):
        s, q, log_s = sigma(z), sigma(-z), -softplus(-z)
        return (
            -(q**g) * log_s,
            q**g * (g * s * log_s - q),
            q**g * s * ((1 + 2 * g) * q + g * log_s * (q - g * s)),
        )

    return of


def probit(z):
    if z >= 0:
        tail = mp.erfc(z / mp.sqrt(2)) / 2
        hazard = mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi) / (1 - tail)
        return -mp.log1p(-tail), -hazard, hazard * (z + hazard)
    ratio = mills(-z)
    return z * z / 2 + mp.log(2 * mp.pi) / 2 - mp.log(ratio), -1 / ratio, (1 / ratio) * (z + 1 / ratio)


def davidson(nu):
    def of(z):
        big = mp.exp(z / 2) + mp.exp(-z / 2) + nu
        down = mp.exp(-z / 2) / big
        bend = (4 + nu * (mp.exp(z / 2) + mp.exp(-z / 2))) / (4 * big * big)
        return mp.log1p((mp.exp(-z / 2) + nu) * mp.exp(-z / 2)), -(2 * down + nu / big) / 2, bend

    return of


M = mp.mpf
EXACT = {  # loss -> z -> value, slope, bend
    losses.LabelSmoothing(0.125): smoothed(M(1) / 8),
    losses.LabelSmoothing(0.0): smoothed(M(0)),
    losses.Robust(0.125): robust(M(1) / 8),
    losses.NoisyChoice(0.25): noisy(M(1) / 4),
    losses.NoisyChoice(2.0**-30): noisy(M(2) ** -30),
    losses.NoisyChoice(0.0): noisy(M(0)),
    losses.Temperature(4.0): lambda z: (softplus(-z / 4), -sigma(-z / 4) / 4, sigma(z / 4) * sigma(-z / 4) / 16),
    losses.Focal(2.0): focal(2),
    losses.Focal(0.5): focal(M(1) / 2),
    losses.Focal(0.0): focal(0),
    losses.Probit(): probit,
    losses.Sigmoid(): lambda z: (sigma(-z), -sigma(z) * sigma(-z), sigma(z) * sigma(-z) * mp.tanh(z / 2)),
    losses.Square(2.0): lambda z: ((z - 2) ** 2, 2 * (z - 2), M(2)),
    losses.Hinge(1.5): lambda z: (max(M(3) / 2 - z, 0), -M(z < M(3) / 2), M(0)),
    losses.Unhinged(): lambda z: (1 - z, M(-1), M(0)),
    losses.Exponential(): lambda z: (mp.exp(-z), -mp.exp(-z), mp.exp(-z)),
    losses.RaoKupper(0.75): lambda z: (
        softplus(M(3) / 4 - z),
        -sigma(M(3) / 4 - z),
        sigma(z - M(3) / 4) * sigma(M(3) / 4 - z),
    ),
    losses.Davidson(1.5): davidson(M(3) / 2),
}


@pytest.fixture(scope="module")
def margins() -> np.ndarray:
    rng = np.random.default_rng(3)
    parts = [rng.uniform(-10, 10, 80), rng.uniform(-700, 700, 60), rng.uniform(-1e4, 1e4, 40)]
    return np.concatenate([*parts, rng.normal(size=10) * 1e-6, [0, 1.0, -1.0, 2.0, 36.7, -36.7, 745, -745, 1e4, -1e4]])


@pytest.mark.parametrize("loss", EXACT, ids=repr)
def test_value_gradient_and_curvature_are_exact(loss, margins) -> None:
    """To 1e-12 of the value, from -10,000 to 10,000, where mpmath's number is a double at all; nothing overflows."""
    with mp.workdps(DIGITS), np.errstate(over="ignore" if isinstance(loss, losses.Exponential) else "raise"):
        for order, got in enumerate((loss.value, loss.gradient, loss.curvature)):
            found = got(margins, None)
            for z, number in zip(margins.tolist(), found.tolist(), strict=True):
                # Where the second derivative crosses zero, its terms cancel, here and in 60 digits of a rounded z.
                want = EXACT[loss](mp.mpf(z))[order]
                slack = 1e-15 * float(abs(EXACT[loss](mp.mpf(z))[1])) if order == 2 else 0.0
                if abs(want) > mp.mpf("1.7e308"):
                    assert np.isinf(number)
                elif abs(want) > mp.mpf("1e-290"):
                    assert abs(number - want) <= 1e-11 * abs(want) + slack, (z, order, number, want)
                else:
                    assert abs(number) <= 1e-289


@pytest.mark.parametrize("loss", [*EXACT, losses.Ordinal(5, (-2, -0.5, 0.5, 2))], ids=repr)
def test_gradient_and_curvature_are_the_derivatives(loss) -> None:
    """Central differences of the value and of the gradient, for all labels that the loss knows."""
    z = np.linspace(-6, 6, 40) + 0.013
    if isinstance(loss, losses.RaoKupper | losses.Davidson):
        labels = (None, 0.0, 0.5, 1.0)
    elif isinstance(loss, losses.Ordinal):
        labels = (0.0, 0.25, 0.5, 0.75, 1.0)
    else:
        labels = (None, 0.0, 0.3, 1.0)
    for t in labels:
        one = None if t is None else np.full(z.size, t)
        h = 1e-5
        slope = (loss.value(z + h, one) - loss.value(z - h, one)) / (2 * h)
        bend = (loss.gradient(z + h, one) - loss.gradient(z - h, one)) / (2 * h)
        np.testing.assert_allclose(loss.gradient(z, one), slope, rtol=1e-6, atol=1e-8)
        if not isinstance(loss, losses.Hinge):
            np.testing.assert_allclose(loss.curvature(z, one), bend, rtol=1e-5, atol=1e-8)


BRADLEY_TERRY = [
    losses.LabelSmoothing(0.0),
    losses.Robust(0.0),
    losses.NoisyChoice(0.0),
    losses.Temperature(1.0),
    losses.Focal(0.0),
    losses.RaoKupper(0.0),
    losses.Davidson(0.0),
    losses.Ordinal(2, (0.0,)),
]


@pytest.mark.parametrize("loss", BRADLEY_TERRY, ids=repr)
def test_each_parameter_has_a_value_that_gives_bradley_terry(loss, margins) -> None:
    """With ε = 0, T = 1, γ = 0, η = 0, ν = 0 or two levels, the loss is -log sigma(z)."""
    z = margins[np.abs(margins) < 700]
    for t in (None, np.zeros(z.size), np.ones(z.size)):
        np.testing.assert_allclose(loss.value(z, t), bt.pair_losses(z, labels=t), rtol=1e-13)
        np.testing.assert_allclose(loss.gradient(z, t), bt.pair_loss_gradients(z, labels=t), rtol=1e-12)
        np.testing.assert_allclose(loss.curvature(z, t), bt.pair_loss_curvatures(z), rtol=1e-12)


def test_the_target_margin_is_the_win_term_of_rao_and_kupper() -> None:
    """-log sigma(Δ - m) with m = η."""
    z = np.linspace(-9, 9, 50)
    np.testing.assert_allclose(losses.RaoKupper(0.8).value(z, None), bt.pair_losses(z, target_margins=0.8), rtol=1e-15)


def test_three_levels_are_rao_and_kupper() -> None:
    """With thresholds ±η, the middle level is a tie."""
    z, ordinal, ties = np.linspace(-30, 30, 61), losses.Ordinal(3, (-0.8, 0.8)), losses.RaoKupper(0.8)
    for t in (0.0, 0.5, 1.0):
        label = np.full(z.size, t)
        for name in ("value", "gradient", "curvature"):
            got, want = getattr(ordinal, name)(z, label), getattr(ties, name)(z, label)
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (losses.RaoKupper(0.8), (0, 0.5, 1)),
        (losses.Davidson(1.3), (0, 0.5, 1)),
        (losses.Ordinal(4, (-1, 0.2, 3)), (0, 1 / 3, 2 / 3, 1)),
    ],
    ids=repr,
)
def test_probabilities_of_all_outcomes_add_up_to_one(loss, labels) -> None:
    """exp(-loss) is the probability of the outcome."""
    z = np.linspace(-20, 20, 41)
    total = sum(np.exp(-loss.value(z, np.full(z.size, float(t)))) for t in labels)
    np.testing.assert_allclose(total, 1, rtol=1e-13)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.71, 0.98])
@pytest.mark.parametrize("loss", [loss for loss in EXACT if loss.is_proper], ids=repr)
def test_the_minimiser_has_no_slope(loss, p) -> None:
    """At the best Δ for a probability p the expected loss is flat, and the Bradley-Terry formula is logit p."""
    best = float(loss.minimiser(p))
    if np.isfinite(best):
        z = np.array([best])
        assert abs(float((p * loss.gradient(z, None) - (1 - p) * loss.gradient(-z, None))[0])) < 1e-10


def test_minimisers_that_have_no_slope_there() -> None:
    """Losses that only order: the hinge stops at ±δ, and two grow for ever."""
    assert losses.Hinge(2.0).minimiser([0.2, 0.5, 0.8]).tolist() == [-2.0, 0.0, 2.0]
    assert losses.Sigmoid().minimiser([0.2, 0.5, 0.8]).tolist() == [-np.inf, 0.0, np.inf]
    assert losses.Unhinged().minimiser(0.51) == np.inf
    assert losses.LabelSmoothing(0.1).minimiser(1.0) == pytest.approx(np.log(9), abs=1e-15)
    assert losses.Robust(0.1).minimiser(0.95) == np.inf


@pytest.mark.parametrize(
    ("loss", "tails"),
    [
        (losses.LabelSmoothing(0.1), (-0.9, 0.1)),
        (losses.Robust(0.1), (-1.125, -0.125)),
        (losses.NoisyChoice(0.1), (0, 0)),
        (losses.NoisyChoice(0.0), (-1, 0)),
        (losses.Temperature(4.0), (-0.25, 0)),
        (losses.Hinge(), (-1, 0)),
        (losses.Square(1.0), (-np.inf, np.inf)),
        (losses.Exponential(), (-np.inf, 0)),
        (losses.Focal(2.0), (-1, 0)),
        (losses.Probit(), (-np.inf, 0)),
        (losses.Sigmoid(), (0, 0)),
        (losses.Unhinged(), (-1, -1)),
        (losses.RaoKupper(0.7), (-1, 0)),
        (losses.Davidson(0.7), (-1, 0)),
        (losses.Ordinal(3, (-1, 1)), (-1, 0)),
    ],
    ids=repr,
)
def test_tails(loss, tails) -> None:
    """The slopes at minus and plus infinity."""
    np.testing.assert_allclose(loss.tails, tails, rtol=1e-15, atol=0)


@pytest.mark.parametrize("scorer", first(1, [bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.TableScorer(6)]), ids=str)
@pytest.mark.parametrize("loss", EXACT, ids=repr)
def test_every_loss_with_every_scorer_has_the_right_gradient(loss, scorer) -> None:
    """Through the backward pass, with weights and target margins, and with labels that the loss knows."""
    rng = np.random.default_rng(5)
    answers = rng.normal(size=(2, 15, 3)) if scorer.n_parameters != 6 else [np.arange(15) % 6, (np.arange(15) + 2) % 6]
    labels = rng.choice([0.0, 0.5, 1.0], 15)
    pairs = bt.PreferencePairs(*answers, labels=labels, weights=rng.uniform(0.5, 2, 15), target_margins=labels)
    bt.check_gradient(bt.Objective(scorer, pairs, loss=loss, l2=0.1)).require()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: losses.LabelSmoothing(0.5), "epsilon: expected a finite number of at least 0 and below 0.5, got 0.5"),
        (lambda: losses.Robust(-0.1), "epsilon: expected"),
        (lambda: losses.NoisyChoice(np.nan), "epsilon: expected"),
        (lambda: losses.Temperature(0), "T: expected a finite number above 0, got 0"),
        (lambda: losses.Temperature(1e200), "T: expected a finite number of at least 1e-150 and below 1e.150, got"),
        (lambda: losses.Temperature(1e-200), "T: expected a finite number of at least 1e-150 and below 1e.150, got"),
        (lambda: losses.Hinge(np.inf), "delta: expected"),
        (lambda: losses.RaoKupper(-1.0), "eta: expected a finite number of at least 0, got -1.0"),
        (lambda: losses.Davidson("2"), "nu: expected"),
        (lambda: losses.Focal(True), "gamma: expected"),
        (lambda: losses.Ordinal(1, ()), "n_levels: expected a whole number of at least 2, got 1"),
        (lambda: losses.Ordinal(3, (1.0, 1.0)), "thresholds: expected 2 finite numbers in increasing order"),
        (lambda: losses.RaoKupper(1.0).value(np.zeros(1), np.array([0.7])), "labels: expected 1 .chosen., 0.5"),
        (lambda: losses.Ordinal(3, (-1, 1)).value(np.zeros(1), np.array([0.7])), "labels: expected levels 0, …, 2"),
        (lambda: losses.Probit().minimiser(1.5), "p: expected probabilities"),
        (lambda: losses.NoisyChoice(0.5), "epsilon: expected a finite number of at least 0 and below 0.5, got 0.5"),
        (lambda: losses.RaoKupper(0.0).value(np.zeros(1), np.array([0.5])), "eta: expected a number above 0 with ties"),
        (lambda: losses.Davidson(0.0).value(np.zeros(1), np.array([0.5])), "nu: expected a number above 0 with ties"),
    ],
)
def test_wrong_parameters_are_refused_by_name(make, words) -> None:
    """One sentence with the name, what was expected and what was found."""
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 4)], ids=str)
def test_scaled_multiplies_the_loss_of_a_pair_by_its_target_margin(scorer) -> None:
    """The mean of m·softplus(-Δ): the same as weights of m, up to the sum that it is divided by."""
    rng = np.random.default_rng(6)
    answers, m = rng.normal(size=(2, 12, 3)), rng.uniform(0, 3, 12)
    t, w = rng.uniform(size=12), rng.uniform(0.5, 2, 12)
    pairs = bt.PreferencePairs(*answers, target_margins=m, labels=t, weights=w)
    objective = bt.Objective(scorer, pairs, loss=losses.Scaled())
    phi = rng.normal(size=scorer.n_parameters)
    want, slopes = bt.Objective(scorer, bt.PreferencePairs(*answers, labels=t, weights=w * m))(phi)
    share = (w * m).sum() / w.sum()
    loss, gradient = objective(phi)
    assert loss == pytest.approx(want * share, rel=1e-13)
    np.testing.assert_allclose(gradient, slopes * share, rtol=1e-11)
    bt.check_gradient(objective).require()
    with pytest.raises(ValueError, match="target_margins: expected a number of at least 0 for each pair"):
        bt.Objective(scorer, bt.PreferencePairs(*answers), loss=losses.Scaled())


@pytest.mark.parametrize("loss", [loss for loss in EXACT if loss.is_proper and loss.is_convex], ids=repr)
def test_a_fit_of_two_items_finds_the_minimiser(loss) -> None:
    """Item 0 is chosen 7 times of 10: the difference of the two rewards is the best Δ for p = 0.7."""
    pairs = bt.PreferencePairs([0] * 7 + [1] * 3, [1] * 7 + [0] * 3)
    model = bt.fit(bt.TableScorer(2), pairs, loss=loss)
    assert model.converged
    assert model.phi[0] - model.phi[1] == pytest.approx(float(loss.minimiser(0.7)), abs=1e-8)


@pytest.mark.parametrize(
    "loss", first(1, [losses.Hinge(), losses.Unhinged(), losses.Sigmoid(), losses.Focal(2.0)]), ids=repr
)
def test_losses_without_newton_are_fitted_by_adam(loss) -> None:
    """They do not bend, or are not convex: Newton's method is refused, and the default learns to order the answers."""
    rng = np.random.default_rng(8)
    answers = rng.normal(size=(2, 200, 2))
    won = (answers[0] @ [2.0, -1.0] > answers[1] @ [2.0, -1.0])[:, None]
    pairs = bt.PreferencePairs(np.where(won, *answers), np.where(won, *answers[::-1]))
    model = bt.fit(bt.LinearScorer(2), pairs, loss=loss, l2=0.1)
    assert model.method == "adam"
    assert (model.margins(pairs) > 0).mean() > 0.9
    with pytest.raises(ValueError, match="method: 'newton' needs a loss that is convex and has curvature, got"):
        bt.fit(bt.LinearScorer(2), pairs, loss=loss, method="newton")


@pytest.mark.parametrize("library", first(1, ["autograd", "torch", "jax"]))
@pytest.mark.parametrize("scorer", first(1, [bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.TableScorer(6)]), ids=str)
@pytest.mark.parametrize("loss", first(6, [*EXACT, losses.Scaled(), losses.Ordinal(4, (-1.0, 0.2, 3.0))]), ids=repr)
def test_autodiff_of_the_published_formula_agrees(loss, scorer, library) -> None:
    """The formulas are written a second time for the libraries, which differentiate them."""
    pytest.importorskip(library)
    if library == "autograd" and isinstance(loss, losses.Probit):
        pytest.importorskip("scipy")
    rng = np.random.default_rng(9)
    answers = rng.normal(size=(2, 15, 3)) if scorer.n_parameters != 6 else [np.arange(15) % 6, (np.arange(15) + 2) % 6]
    m = rng.uniform(0.5, 2, 15)
    pairs = bt.PreferencePairs(*answers, labels=labels_of(loss, rng), weights=rng.uniform(0.5, 2, 15), target_margins=m)
    bt.check_gradient(bt.Objective(scorer, pairs, loss=loss, l2=0.1), against=library).require()


def labels_of(loss, rng):
    """Return labels that the loss knows."""
    if isinstance(loss, losses.Ordinal):
        return rng.integers(loss.n_levels, size=15) / (loss.n_levels - 1)
    if isinstance(loss, losses.RaoKupper | losses.Davidson):
        return rng.choice([0.0, 0.5, 1.0], 15)
    return rng.uniform(size=15)


def test_the_usual_loss_by_name_is_computed_by_the_kernels_too(rng) -> None:
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 50, 3)))
    phi = rng.normal(size=3)
    for backend in ("numpy", "numba"):
        named = bt.Objective(bt.LinearScorer(3), pairs, loss=losses.BradleyTerry(), backend=backend)
        default = bt.Objective(bt.LinearScorer(3), pairs, backend=backend)
        assert named.backend == default.backend
        assert named(phi)[0] == default(phi)[0]
        assert (named(phi)[1] == default(phi)[1]).all()


@pytest.mark.parametrize("loss", first(8, [*EXACT, losses.Scaled(), losses.Ordinal(4, (-1.0, 0.2, 3.0))]), ids=repr)
def test_kernels_of_a_linear_scorer_serve_every_loss(loss, rng) -> None:
    """Both backends give the same loss, gradient, margins, Hessian and products, with all options."""
    n, scorer = 9000, bt.LinearScorer(3)  # the kernels take them in three parts, of which the first has no weight
    m, weights = rng.uniform(0.5, 2, n), np.where(np.arange(n) < 4000, 0.0, rng.uniform(0.5, 2, n))
    pairs = bt.PreferencePairs(
        *rng.normal(size=(2, n, 3)),
        labels=np.resize(labels_of(loss, rng), n),
        weights=weights,
        target_margins=m,
    )
    phi, v = rng.normal(size=(2, 3))
    reference, kernels = (bt.Objective(scorer, pairs, loss=loss, l2=0.1, backend=name) for name in BACKENDS)
    assert [reference.backend, kernels.backend] == BACKENDS
    want, got = reference.at(phi), kernels.at(phi)
    assert got.loss == pytest.approx(want.loss, rel=1e-13)
    np.testing.assert_allclose(got.gradient, want.gradient, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(got.margins, want.margins, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(kernels.hessian(phi), reference.hessian(phi), rtol=1e-11, atol=1e-13)
    products = [objective.products(objective.margins(phi))[1](v) for objective in (kernels, reference)]
    np.testing.assert_allclose(*products, rtol=1e-11, atol=1e-13)


def test_a_loss_without_kernels_is_computed_in_numpy_even_if_kernels_are_asked_for(rng) -> None:
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 50, 3)))
    objective = bt.Objective(bt.MLPScorer(3, 4), pairs, loss=losses.Hinge(), backend="numba")
    assert objective.backend == "numpy"


# ------------------------------------------------------------------------------------------------ pictures


def test_plot_losses_shows_each_loss_and_its_pull_unclipped() -> None:
    z = np.linspace(-6, 6, 25)
    shown = [losses.Hinge(), losses.Exponential(), losses.Square()]
    panels = bt.plots.plot_losses(shown, margins=z)
    assert len(panels) == 6
    for loss, above, below in zip(shown, panels[:3], panels[3:], strict=True):
        assert above.get_title() == repr(loss)
        for ax, want in ((above, loss.value(z, None)), (below, -loss.gradient(z, None))):
            np.testing.assert_array_equal(ax.lines[0].get_ydata(), want)
            low, high = ax.get_ylim()
            assert low <= want.min()
            assert want.max() <= high


@pytest.mark.parametrize("n", [0, 7])
def test_plot_losses_has_room_for_six(n) -> None:
    with pytest.raises(ValueError, match=f"losses: expected 1 to 6 losses, got {n}"):
        bt.plots.plot_losses([losses.Hinge()] * n)


# ------------------------------------------------------------------------------------------------ gradient descent


@pytest.mark.parametrize("loss", [*EXACT, losses.Ordinal(4, (-1.0, 0.2, 3.0))], ids=repr)
def test_no_curvature_is_larger_than_the_loss_says(loss) -> None:
    z = np.linspace(-60, 60, 24_001)
    for t in (None, *([np.full(z.size, k / 3) for k in range(4)] if isinstance(loss, losses.Ordinal) else [])):
        assert np.abs(loss.curvature(z, t)).max() <= loss.most_bend


@pytest.mark.parametrize(
    "loss", [losses.Square(1.0), losses.Probit(), losses.Temperature(0.1), losses.LabelSmoothing(0.1), losses.Scaled()]
)
def test_gradient_descent_never_overshoots(loss, rng) -> None:
    """With the default learning rate the loss falls in every step."""
    pairs = bt.PreferencePairs(*3 * rng.normal(size=(2, 60, 3)), target_margins=rng.uniform(0.5, 9, 60))
    model = bt.fit(bt.LinearScorer(3), pairs, method="gradient_descent", max_steps=60, loss=loss, l2=0.01)
    assert (np.diff(model.history["loss"]) <= 1e-14 * model.history["loss"][:-1]).all()


def test_gradient_descent_on_a_curvature_without_bound_needs_a_rate(rng) -> None:
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 20, 2)))
    with pytest.raises(ValueError, match=r"learning_rate: expected a number with Exponential\(\)"):
        bt.fit(bt.LinearScorer(2), pairs, method="gradient_descent", loss=losses.Exponential())
    bt.fit(bt.LinearScorer(2), pairs, method="gradient_descent", loss=losses.Exponential(), learning_rate=0.01)


# ----------------------------------------------------------------------------------------------------------- docs


def test_the_docs_list_every_loss_and_derive_it() -> None:
    """Each loss has an entry in docs/losses.md, whose name leads to a section of docs/derivations.md."""
    docs = Path(__file__).parents[1] / "docs"
    page = (docs / "losses.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)$", (docs / "derivations.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    entries = dict(re.findall(r"^- \[`(\w+)\(.*?\)`\]\(derivations\.md#([\w-]+)\)", page, flags=re.MULTILINE))
    assert set(entries) == {"BradleyTerry", *ranking.__all__} - {"MarginLoss"}
    assert set(entries.values()) <= anchors


def test_the_usual_loss_says_of_itself_what_the_others_say() -> None:
    usual = losses.BradleyTerry()
    assert (usual.tails, usual.is_convex, usual.is_proper, repr(usual)) == ((-1.0, 0.0), True, True, "BradleyTerry()")
    np.testing.assert_allclose(usual.minimiser([0.5, 0.9]), [0.0, np.log(9)], rtol=1e-15)


def test_the_minimiser_of_uneven_levels_is_that_of_the_expected_loss() -> None:
    """Thresholds -1, 0, 1.5: with the top and the bottom level equally likely, Δ = ¼ is best, by symmetry about it."""
    loss = losses.Ordinal(4, (-1.0, 0.0, 1.5))
    assert float(loss.minimiser(0.5)) == pytest.approx(0.25, abs=1e-12)
    for p in (0.2, 0.7):
        z = float(loss.minimiser(p)) + np.array([-1e-3, 0.0, 1e-3])
        expected = p * loss.value(z, np.ones(3)) + (1 - p) * loss.value(z, np.zeros(3))
        assert expected.argmin() == 1
