"""The parameters of a loss fitted together with φ: derivatives, optima from mpmath, standard errors and refusals."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from tiers import first

import bradley_terry as bt
from bradley_terry import losses

TIES = (0.0, 0.5, 1.0)
LEVELS = (0.0, 1 / 3, 2 / 3, 1.0)
CASES = [
    (losses.RaoKupper(0.7), TIES, np.array([0.7])),
    (losses.Davidson(1.3), TIES, np.array([np.log(1.3)])),
    (losses.Ordinal(4, (-1.0, 0.2, 2.0)), LEVELS, np.array([-1.0, 0.2, 2.0])),
]


@pytest.mark.parametrize(("loss", "labels", "theta"), CASES, ids=lambda case: type(case).__name__)
def test_derivatives_by_the_parameters_are_those_of_the_loss(loss, labels, theta) -> None:
    """Central differences with a step of 1e-5 are exact to about 1e-10."""
    z = np.repeat([-30.0, -2.0, -0.3, 0.0, 0.4, 3.0, 25.0], len(labels))
    t = np.tile(labels, 7)
    by, h = loss.by_parameters(z, t), 1e-5
    for j in range(theta.size):
        up, down = (loss.with_parameters(theta + s * h * np.eye(theta.size)[j]) for s in (1, -1))
        for got, function in (
            (by.slope[:, j], lambda one: one.value(z, t)),
            (by.cross[:, j], lambda one: one.gradient(z, t)),
            (by.bend[:, j], lambda one: one.by_parameters(z, t).slope),
        ):
            want = (function(up) - function(down)) / (2 * h)
            np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-8)


def win_and_tie(kind, z, theta):
    """Return the probabilities of a win and of a tie, from the papers' formulas."""
    if kind is losses.RaoKupper:
        pi, one, c = mp.exp(z), mp.mpf(1), mp.exp(theta)
        return pi / (pi + c * one), pi * one * (c * c - 1) / ((pi + c * one) * (one + c * pi))
    pi, one, nu = mp.exp(z), mp.mpf(1), mp.exp(theta)
    total = pi + one + nu * mp.sqrt(pi * one)
    return pi / total, nu * mp.sqrt(pi * one) / total


@pytest.mark.parametrize("kind", [losses.RaoKupper, losses.Davidson])
@pytest.mark.parametrize("seed", first(1, range(2)))
def test_ties_reach_the_optimum_of_the_published_likelihood(kind, seed) -> None:
    """Three players with wins and ties; mpmath solves the score equations with 30 digits."""
    rng = np.random.default_rng(seed)
    contests = [(a, b, t) for a, b in ((0, 1), (1, 2), (0, 2)) for t in TIES for _ in range(int(rng.integers(1, 6)))]
    a, b, t = (np.array(column) for column in zip(*contests, strict=True))
    model = bt.fit(bt.TableScorer(3), bt.PreferencePairs(a, b, labels=t), loss=kind())

    def log_likelihood(first, second, theta):
        rewards, total = [first, second, -first - second], mp.mpf(0)
        for i, j, label in contests:
            z = rewards[i] - rewards[j]
            win, tie = win_and_tie(kind, z if label else -z, theta)
            total += mp.log(tie if label == 0.5 else win)
        return total

    with mp.workdps(30):
        score = [lambda *x, n=n: mp.diff(log_likelihood, x, tuple(int(i == n) for i in range(3))) for n in range(3)]
        first, second, theta = mp.findroot(score, (0.1, -0.1, 0.5))
    assert model.converged
    np.testing.assert_allclose(model.phi[:2], [float(first), float(second)], rtol=1e-9, atol=1e-10)
    fitted = model.loss.eta if kind is losses.RaoKupper else np.log(model.loss.nu)
    assert fitted == pytest.approx(float(theta), rel=1e-9)


@pytest.mark.parametrize(("loss", "labels", "theta"), CASES, ids=lambda case: type(case).__name__)
def test_the_joint_fit_is_better_than_its_neighbours_and_survives_a_file(loss, labels, theta, rng, tmp_path) -> None:
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 60, 2)), labels=np.tile(labels, 60)[:60], weights=rng.random(60))
    free = losses.Ordinal(4) if isinstance(loss, losses.Ordinal) else type(loss)()
    model = bt.fit(bt.LinearScorer(2), pairs, loss=free, l2=0.01)
    assert model.converged
    least = bt.Objective(bt.LinearScorer(2), pairs, loss=model.loss, l2=0.01)(model.phi)[0]
    best = np.array({"RaoKupper": [getattr(model.loss, "eta", 0)], "Ordinal": getattr(model.loss, "thresholds", 0),
                     "Davidson": [np.log(getattr(model.loss, "nu", 1))]}[type(loss).__name__])  # fmt: skip
    for direction in (*np.eye(theta.size), *-np.eye(theta.size)):
        other = model.loss.with_parameters(best + 1e-3 * direction)
        assert bt.Objective(bt.LinearScorer(2), pairs, loss=other, l2=0.01)(model.phi)[0] > least
    model.save(tmp_path / "model.npz")
    assert bt.RewardModel.load(tmp_path / "model.npz").loss == model.loss


def test_information_accounts_for_the_fitted_parameter(rng) -> None:
    """It is the inverse of the φ block of the inverse of the whole Hessian, here from differences of the gradient."""
    d, t = rng.normal(size=(80, 1)), np.resize([1.0, 1.0, 0.5, 0.0], 80)
    pairs = bt.PreferencePairs(d, np.zeros_like(d), labels=t)
    model = bt.fit(bt.LinearScorer(1), pairs, loss=losses.RaoKupper())

    def total(x):
        return 80 * bt.Objective(bt.LinearScorer(1), pairs, loss=losses.RaoKupper(float(x[1])))(x[:1])[0]

    at, h = np.array([model.phi[0], model.loss.eta]), 1e-4
    hessian = np.empty((2, 2))
    for i, e in enumerate(h * np.eye(2)):
        for j, f in enumerate(h * np.eye(2)):
            hessian[i, j] = (total(at + e + f) - total(at + e - f) - total(at - e + f) + total(at - e - f)) / (
                4 * h * h
            )
    assert model.standard_errors()[0] == pytest.approx(np.sqrt(np.linalg.inv(hessian)[0, 0]), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "labels", "words"),
    [
        (losses.RaoKupper(), [1, 1, 0], "labels: expected both ties .labels of 0.5. and other labels to fit eta"),
        (losses.Davidson(), [0.5, 0.5, 0.5], "labels: expected both ties .* to fit nu, got 100% ties"),
        (losses.Ordinal(3), [1, 0, 0], "labels: expected each of the 3 levels at least once .* none of level 1"),
        (losses.RaoKupper(), None, "labels: expected both ties"),
    ],
)
def test_parameters_that_the_labels_do_not_determine_are_refused(loss, labels, words) -> None:
    pairs = bt.PreferencePairs([0, 1, 2], [1, 2, 0], labels=labels)
    with pytest.raises(ValueError, match=words):
        bt.fit(bt.TableScorer(3), pairs, loss=loss)


def test_a_free_loss_is_refused_where_it_cannot_be_fitted(rng) -> None:
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 6, 2)), labels=[1, 0.5, 0, 1, 0.5, 0])
    with pytest.raises(ValueError, match=r"eta: expected a number, got None; bt\.fit finds it together with phi"):
        bt.Objective(bt.LinearScorer(2), pairs, loss=losses.RaoKupper())(np.zeros(2))
    with pytest.raises(ValueError, match=r"loss: expected numbers as parameters, since .* is not linear in phi, got"):
        bt.fit(bt.MLPScorer(2, 3), pairs, loss=losses.Davidson())


def test_only_likelihoods_have_standard_errors(rng) -> None:
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 30, 2)))
    model = bt.fit(bt.LinearScorer(2), pairs, loss=losses.Square(), l2=0.1)
    with pytest.raises(ValueError, match="standard errors: expected a loss that is a negative log-likelihood, got Sq"):
        model.standard_errors()
    assert np.isfinite(bt.fit(bt.LinearScorer(2), pairs, loss=losses.Probit(), l2=0.1).standard_errors()).all()


@pytest.mark.parametrize("loss", [losses.RaoKupper(), losses.Davidson(), losses.Ordinal(3)], ids=repr)
def test_labels_that_can_be_told_apart_exactly_have_no_fit(loss, rng) -> None:
    """Every win lies beyond every tie, so that φ and the width of a tie grow without end together."""
    x = rng.normal(size=(30, 1))
    labels = np.where(x[:, 0] > 0.3, 1.0, np.where(x[:, 0] < -0.3, 0.0, 0.5))
    pairs = bt.PreferencePairs(x, 0 * x, labels=labels)
    with pytest.warns(bt.ConvergenceWarning, match=r"grow without end together; use l2 > 0, for example l2="):
        model = bt.fit(bt.LinearScorer(1), pairs, loss=loss)
    assert not model.converged
    with pytest.raises(ValueError, match="standard errors: expected a fit that converged"):
        model.standard_errors()
    assert bt.fit(bt.LinearScorer(1), pairs, loss=loss, l2=0.1).converged


def test_a_fit_of_the_parameters_that_was_cut_off_says_so(rng) -> None:
    x = rng.normal(size=(200, 2))
    z = x @ [1.0, -0.5] + rng.logistic(size=200)
    labels = np.where(z > 0.5, 1.0, np.where(z < -0.5, 0.0, 0.5))
    pairs = bt.PreferencePairs(x, 0 * x, labels=labels)
    with pytest.warns(bt.ConvergenceWarning, match="fitted together: largest gradient entry .* after 2 Newton steps"):
        model = bt.fit(bt.LinearScorer(2), pairs, loss=losses.RaoKupper(), max_steps=2)
    assert not model.converged
