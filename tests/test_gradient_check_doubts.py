"""Doubts and kinks: what weakens a verdict is a note in the report, and does not hide a wrong gradient."""

from itertools import product

import numpy as np
import pytest

import bradley_terry as bt


def square(phi):
    return float(phi @ phi), 2 * phi


@pytest.fixture
def network(random_pairs):
    scorer = bt.MLPScorer(3, 4)
    return bt.Objective(scorer, random_pairs(scorer)), np.random.default_rng(0).normal(size=scorer.n_parameters)


def test_zero_saturation_and_kinks_are_notes(network):
    """The report notes a phi of zeros, pairs with a tiny gradient, and a ReLU whose input is 0."""
    objective, phi = network
    assert "a wrong MLP gradient passes: all ten that we tried did" in repr(bt.check_gradient(objective, 0 * phi))
    assert not bt.check_gradient(objective, phi).warnings
    pairs = bt.PreferencePairs([[20.0], [1.0], [-30.0]], [[0.0], [0.0], [0.0]])
    assert "2 of 3 pairs are saturated" in repr(bt.check_gradient(bt.Objective(bt.LinearScorer(1), pairs), [1.0]))
    scorer = bt.MLPScorer(1, 1, "relu")
    kinked = bt.Objective(scorer, bt.PreferencePairs([[1.0]], [[-2.0]]))
    report = bt.check_gradient(kinked, [1.0, -1.0, 0.5])  # x W + b = 0 for the chosen answer
    assert report.passed
    assert "kink at phi (a ReLU or a hinge at 0) in hidden_weights, hidden_bias" in repr(report)


def test_wrong_gradients_of_an_mlp_pass_at_zero_which_is_why_not_to_check_there(network):
    """At φ = 0 even a gradient of zeros passes. At a random φ it fails."""
    objective, phi = network

    def always_zero(at):
        return objective(at)[0], np.zeros_like(at)

    assert bt.check_gradient(always_zero, np.zeros_like(phi)).passed
    assert not bt.check_gradient(always_zero, phi).passed


def test_a_constant_is_noticed():
    """The gradient 0 of a constant loss is right, but probably not intended, and the report says so."""
    report = bt.check_gradient(lambda phi: (3.0, np.zeros(2)), [1.0, 2.0])
    assert report.passed
    assert "the loss is the same number at every phi that was tried" in repr(report)
    assert not bt.check_gradient(square, [1.0, 2.0]).warnings


def test_float32_is_a_note_not_a_verdict():
    """A right gradient in float32 passes, and one that is off by a hundredth fails."""

    def in_float32(phi, factor=1.0):
        small = phi.astype(np.float32)
        return small @ small, np.float32(2 * factor) * small

    report = bt.check_gradient(in_float32, [0.3, -1.7])
    assert report.passed
    assert "float32" in repr(report)
    assert not bt.check_gradient(lambda phi: in_float32(phi, 1.01), [0.3, -1.7]).passed


def test_float32_is_noticed_in_a_list_of_python_numbers():
    """A right gradient passes, with the note."""

    def in_float32(phi):
        t = phi.astype(np.float32)
        return float(t @ t), (2 * t).tolist()

    for seed in range(20):
        report = bt.check_gradient(in_float32, np.random.default_rng(seed).normal(size=4))
        report.require()
        assert "float32 or less" in repr(report)
    assert "float32" not in repr(bt.check_gradient(square, [1.5, -0.5]))  # whose numbers are float32 by chance


def test_noise_is_a_note_not_a_verdict():
    """A function that draws random numbers is compared only as closely as its noise allows."""
    rng = np.random.default_rng(0)

    def noisy(phi, factor=1.0):
        return float(phi @ phi) + 1e-7 * rng.normal(), 2 * factor * phi

    report = bt.check_gradient(noisy, [1.0, 2.0])
    assert report.passed
    assert "two calls at the same phi differ" in repr(report)
    assert not bt.check_gradient(lambda phi: noisy(phi, 1.1), [1.0, 2.0]).passed


def test_the_last_digit_may_differ_from_call_to_call(rng):
    """The last digit may differ, for instance if threads add in another order. The gradient still passes."""

    def last_digit(phi):
        return float(phi @ phi), 2 * phi * (1 + 2.3e-16 * rng.integers(0, 2, phi.size))

    assert all(bt.check_gradient(last_digit, [0.3, -1.7, 0.9]).passed for _ in range(10))


def test_a_gradient_that_depends_on_earlier_calls_cannot_be_checked(rng):
    """The loss is the same but the gradients differ at one phi: a sum was not reset, or random numbers were drawn."""
    kept = [np.zeros(2)]

    def accumulating(phi):
        kept[0] = kept[0] + 2 * phi
        return float(phi @ phi), kept[0]

    for function in (accumulating, lambda phi: (float(phi @ phi), 10 * rng.normal(size=2))):
        report = bt.check_gradient(function, [0.3, -1.7])
        assert not report.passed
        assert "does one call change something that the next one uses?" in repr(report)


def test_too_coarse_numbers_are_not_called_right():
    """In float16 the rounding of the differences hides a gradient of a half beside a loss of 1, so nothing passes."""

    def coarse(phi):
        return float(np.float16(1 + 0.5 * phi.sum())), np.zeros(2, np.float16)

    report = bt.check_gradient(coarse, [0.3, -1.7])
    assert not report.passed
    assert "too coarse to check" in repr(report)


@pytest.mark.parametrize("size", [1e9, 1e12])
def test_a_large_loss_is_no_excuse(size):
    """A relative error of 1e-4 fails, even if the loss is a billion or a trillion."""

    def large(phi, factor=1.0):
        return float(size * phi @ phi), 2 * size * factor * phi

    assert bt.check_gradient(large, [1.5, -0.5]).passed
    assert not bt.check_gradient(lambda phi: large(phi, 1.0001), [1.5, -0.5]).passed


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.5])
@pytest.mark.parametrize("size", [2e4, 1e6, 1e8])
@pytest.mark.full
def test_a_steep_loss_is_no_excuse(factor, size):
    """With large features at phi = 0, the loss bends within the step. This is not mistaken for a kink."""
    rng = np.random.default_rng(0)
    objective = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(*size * rng.normal(size=(2, 30, 3))))
    assert bt.check_gradient(objective, np.zeros(3)).passed
    assert not bt.check_gradient(lambda at: (objective(at)[0], factor * objective(at)[1]), np.zeros(3)).passed


def test_a_kink_at_phi_is_no_mistake_and_no_excuse():
    """At a ReLU's corner both slopes pass. A slope outside them fails, and so does a small error on a smooth curve."""

    def corner(phi):
        return float(max(phi[0], 0.0) + 0.3 * phi[1] ** 2), np.array([float(phi[0] > 0), 0.6 * phi[1]])

    for x in (0.0, 1e-12, -1e-12, 1e-9):
        bt.check_gradient(corner, [x, 0.8]).require()
    for wrong in (1.6, -0.6):
        assert not bt.check_gradient(lambda phi, g=wrong: (corner(phi)[0], np.array([g, 0.48])), [0.0, 0.8]).passed
    for slope, passes in ((-1.0, True), (-0.5, True), (0.0, True), (0.3, False), (-1.01, False), (7.0, False)):
        # At the corner of a hinge the loss is 0, and the only noise is the rounding of phi.
        report = bt.check_gradient(lambda z, g=slope: (float(max(0.0, 1 - z[0])), np.array([g])), [1.0])
        assert report.passed == passes, slope
    for slip in (1e-4, 1e-5, 1e-6):
        report = bt.check_gradient(lambda phi, s=slip: (corner(phi)[0], np.array([1.0, 0.48 * (1 + s)])), [1.0, 0.8])
        assert not report.passed


@pytest.mark.parametrize("bend", [0.0, -3.0])
@pytest.mark.parametrize("at", [0.0, 0.7, -40.0])
@pytest.mark.parametrize(
    ("shares", "status"),
    [
        ((0.0, 0.25, 1.0, 1 + 1e-10), "passed with a note"),  # the differences allow an error of 1e-8
        ((-9.0, -0.5, -1e-4, 1 + 1e-4, 1.5, 3.0, 100.0), "failed"),
    ],
)
def test_a_number_for_the_corner_alone_must_lie_between_the_slopes_on_its_two_sides(shares, status, at, bend):
    """Elsewhere the gradient is right. At the kink, 0 and 1 are the slopes on the two sides, each on a curve."""
    left, right = 0.4, 1.3

    def corner(phi, share):
        z = phi[0] - at
        slope = left + share * (right - left) if z == 0 else left if z < 0 else right
        loss = left * min(z, 0.0) + right * max(z, 0.0) + bend * z**2 + phi[1] ** 2
        return loss, np.array([slope + 2 * bend * z, 2 * phi[1]])

    for share in shares:
        report = bt.check_gradient(lambda phi, s=share: corner(phi, s), [at, 1.0])
        assert report.status == status, share
        assert "the loss has a kink at phi" in repr(report)


@pytest.mark.parametrize("wrong", [3.0, -1.5, 0.5])
def test_a_wrong_number_at_one_point_of_a_smooth_loss_is_wrong(wrong):
    """There are no two slopes at phi, so there is nothing between them, and the report speaks of no kink."""

    def parabola(phi):
        return float(phi @ phi), np.where(phi == 1.0, wrong, 2 * phi)

    report = bt.check_gradient(parabola, [1.0, -0.4])
    assert report.status == "failed"
    assert "kink" not in repr(report)
    assert bt.check_gradient(parabola, [0.9, -0.4]).status == "passed"


def test_what_the_chain_rule_gives_at_several_corners_is_not_called_wrong():
    """relu(z) - relu(-2z) has the slopes 1 and 2 at 0. The chain rule gives 0, 1.5 or 3, as ReLU' is 0, 0.5 or 1."""

    def two_units(phi, slope_at_0):
        z = phi[0]
        on, off = (slope_at_0,) * 2 if z == 0 else (float(z > 0), float(z < 0))
        return float(max(z, 0) - max(-2 * z, 0) + phi[1] ** 2), np.array([on + 2 * off, 2 * phi[1]])

    for slope_at_0, status in ((0, "could not be judged"), (0.5, "passed"), (1, "could not be judged")):
        report = bt.check_gradient(lambda phi, s=slope_at_0: two_units(phi, s), [0.0, 1.0])
        assert report.status == status
    assert "what the chain rule gives where several ReLUs" in repr(report)
    assert bt.check_gradient(lambda phi: two_units(phi, 4.0), [0.0, 1.0]).status == "failed"


@pytest.mark.parametrize("unit", [1.0, 0.1])
@pytest.mark.parametrize("seed", [pytest.param(k, marks=() if k < 10 else pytest.mark.full) for k in range(150)])
def test_a_network_with_round_numbers_has_many_corners_at_phi_and_raises_no_alarm(seed, unit):
    """Several answers put a hidden unit at 0. With 0.1 instead of 1, rounding moves some of them to either side."""
    rng = np.random.default_rng(seed)
    scorer = bt.MLPScorer(3, 4, "relu")
    pairs = bt.PreferencePairs(*unit * np.round(rng.normal(size=(2, int(rng.integers(1, 30)), 3))))
    objective = bt.Objective(scorer, pairs, backend="numba")
    report = bt.check_gradient(objective, unit * np.round(2 * rng.normal(size=scorer.n_parameters)))
    assert report.status != "failed"


def test_a_number_for_the_corner_alone_does_not_pass_where_the_slopes_are_uncertain():
    """With noise, or with more entries than are moved one by one, it could not be judged."""

    def corner(phi, size, constant=0.0):
        return float(np.abs(phi).sum() + constant), np.where(phi == 0, size, np.sign(phi))

    assert bt.check_gradient(lambda phi: corner(phi, 3.0, 1e9), [0.0, 1.0, -2.0]).status == "could not be judged"
    many = np.append(0.0, np.random.default_rng(0).uniform(1, 2, 600))
    assert bt.check_gradient(lambda phi: corner(phi, 3.0), many).status == "could not be judged"
    assert bt.check_gradient(lambda phi: corner(phi, 1.0), many).status == "passed with a note"


@pytest.mark.parametrize("seed", [pytest.param(k, marks=() if k < 5 else pytest.mark.full) for k in range(100)])
def test_corners_closer_than_any_step_raise_no_alarm(seed):
    """Up to six corners lie at phi and within 1e-13 to 0.1 of it, each bending the loss up or down."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    distances = 10.0 ** rng.uniform(-13, -1, n) * rng.choice([-1, 1], n) * (rng.random(n) > 0.4)
    sizes, at, side = (
        rng.normal(size=n) * 10.0 ** rng.uniform(-2, 1, n),
        rng.choice([0.0, 1.0, 30.0]),
        rng.choice([-1, 1]),
    )

    def corners(phi):
        away = phi[0] - at - distances
        signs = np.where(away == 0, side, np.sign(away))
        return float(sizes @ np.abs(away) + phi[1] ** 2), np.array([sizes @ signs, 2 * phi[1]])

    report = bt.check_gradient(corners, [at, 0.8])
    assert report.status != "failed"


@pytest.mark.parametrize(
    ("seed", "size"),
    [pytest.param(*case, marks=pytest.mark.full) for case in product(range(30), [0.01, 0.1, 1.0])],
)
def test_many_kinks_near_phi_raise_no_alarm_and_hide_nothing(seed, size):
    """A ReLU network with small features and biases of zero, as at the start of training, has 1,600 kinks near phi."""
    rng = np.random.default_rng(seed)
    scorer = bt.MLPScorer(6, 8, "relu")
    chosen, rejected = size * rng.normal(size=(2, 100, 6))
    chosen[0] = 0
    objective = bt.Objective(scorer, bt.PreferencePairs(chosen, rejected), backend="numba")  # called 12,000 times
    phi = scorer.initial(rng)

    def wrong(at):
        loss, gradient = objective(at)
        return loss, 1.01 * gradient

    bt.check_gradient(objective, phi).require()
    assert not bt.check_gradient(wrong, phi).passed


@pytest.mark.parametrize("n", [12, pytest.param(300, marks=pytest.mark.full)])
def test_many_kinks_at_phi_do_not_let_a_gradient_of_zero_pass(n):
    """The slopes at each corner are 5 on the left and 5.5 to 6.5 on the right, so zero is not between them."""
    slopes = np.linspace(0.5, 1.5, n)

    def corners(phi, wrong=()):
        gradient = 5 + slopes * (phi > 0)
        gradient[list(wrong)] = 0.0
        return float(np.sum(5 * phi + slopes * np.maximum(0, phi))), gradient

    assert bt.check_gradient(corners, np.zeros(n)).passed
    for wrong in ((1,), range(1, n, 3)):
        assert not bt.check_gradient(lambda phi, w=wrong: corners(phi, w), np.zeros(n)).passed
