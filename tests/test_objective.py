"""L(φ), its gradient and its Hessian, compared with differences of the loss and with automatic differentiation."""

from __future__ import annotations

import dataclasses
import itertools

import autograd
import numpy as np
import pytest
import reference_loss
import scipy.optimize

import bradley_terry as bt
from bradley_terry.losses import BradleyTerryLoss
from bradley_terry.objective import COMPILED, REFERENCE

SCORERS = [
    bt.LinearScorer(5),
    bt.LinearScorer(1),
    bt.MLPScorer(3, 7, "tanh"),
    bt.MLPScorer(4, 3, "relu"),
    bt.TableScorer(6),
]
CONVEX = [bt.LinearScorer(5), bt.LinearScorer(1), bt.TableScorer(6)]
EXTRAS = ("weights", "labels", "target_margins")
SUBSETS = [  # the quick tier takes none of the three, the labels alone, and all three
    names if len(names) in (0, 3) or names == ("labels",) else pytest.param(names, marks=pytest.mark.full)
    for k in range(4)
    for names in itertools.combinations(EXTRAS, k)
]
BACKENDS = (COMPILED, REFERENCE)
LOG_2 = 0.6931471805599453


class _Square:
    """½(z - t)²: a loss that is not ours, with a minimum that least squares can find."""

    def value(self, z, t):
        return 0.5 * (z - t) ** 2

    def gradient(self, z, t):
        return z - t

    def curvature(self, z, t):
        return np.ones_like(z)


def away_from_kinks(scorer, pairs, phi, distance: float) -> bool:
    """Return whether every input of a ReLU is at least this far from 0, where its derivative jumps."""
    if getattr(scorer, "activation", "tanh") == "tanh":
        return True
    blocks = scorer.unpack(phi)
    both = np.concatenate([pairs.chosen, pairs.rejected])
    return np.abs(both @ blocks["hidden_weights"] + blocks["hidden_bias"]).min() > distance


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize("backend", BACKENDS)
def test_objective_of_one_pair_by_hand(backend: str) -> None:
    """One feature, difference 1.5, weight 1: loss .201413, gradient -1.5·.182426, Hessian 2.25·.182426·.817574."""
    objective = bt.Objective(bt.LinearScorer(1), bt.PreferencePairs([[1.5]], [[0.0]]), backend=backend)
    loss, gradient = objective([1.0])
    assert loss == pytest.approx(0.201413, abs=5e-7)
    np.testing.assert_allclose(gradient, [-0.273639], atol=8e-7)
    np.testing.assert_allclose(objective.hessian([1.0]), [[2.25 * 0.182426 * 0.817574]], atol=3e-6)
    np.testing.assert_array_equal(objective.margins([2.0]), [3.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_item_in_many_pairs_gets_the_sum_of_their_gradients(backend: str) -> None:
    """Item 0 beats item 1 twice and loses to item 2 once, so at φ = 0 its gradient is -1/2·(2 - 1)/3, by hand."""
    objective = bt.Objective(bt.TableScorer(3), bt.PreferencePairs([0, 0, 2], [1, 1, 0]), backend=backend)
    np.testing.assert_allclose(objective(np.zeros(3))[1], [-1 / 6, 2 / 6, -1 / 6], rtol=1e-15)
    np.testing.assert_allclose(objective.hessian(np.zeros(3)), np.array([[3, -2, -1], [-2, 2, 0], [-1, 0, 1]]) / 12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("names", [(), ("weights",), ("labels",), ("weights", "labels")])
def test_loss_of_a_scorer_of_zeros_is_exactly_log_two(scorer, names, backend: str, random_pairs) -> None:
    """The loss is log 2 to the last bit, for any data, weights and labels."""
    for n in (1, 10, 49, 1003):
        objective = bt.Objective(scorer, random_pairs(scorer, n, extras=names), l2=0.3, backend=backend)
        assert objective(np.zeros(scorer.n_parameters))[0] == LOG_2


@pytest.mark.parametrize("backend", BACKENDS)
def test_l2_adds_half_its_squares_once(backend: str, random_pairs, rng) -> None:
    """The loss gains l2/2·|φ|², the gradient l2·φ and the Hessian l2·I, for any n and any weights."""
    scorer = bt.LinearScorer(5)
    phi = rng.normal(size=5)
    plain, ridge = (bt.Objective(scorer, random_pairs(scorer), l2=l2, backend=backend) for l2 in (0.0, 0.7))
    assert ridge(phi)[0] - plain(phi)[0] == pytest.approx(0.35 * phi @ phi, rel=1e-14)
    np.testing.assert_allclose(ridge(phi)[1] - plain(phi)[1], 0.7 * phi, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(ridge.hessian(phi) - plain.hessian(phi), 0.7 * np.eye(5), atol=1e-15)


def test_another_loss_gives_its_own_value_gradient_and_hessian(random_pairs, rng) -> None:
    """The loss ½(z - t)² turns L(φ) into weighted least squares, whose minimum NumPy can find."""
    scorer = bt.LinearScorer(3)
    pairs = random_pairs(scorer, 40)
    objective = bt.Objective(scorer, pairs, loss=_Square())
    assert objective.backend == REFERENCE
    d = pairs.chosen - pairs.rejected
    w = pairs.weights / pairs.weights.sum()
    target = pairs.labels + pairs.target_margins
    phi = rng.normal(size=3)
    residual = d @ phi - target
    assert objective(phi)[0] == pytest.approx(0.5 * w @ residual**2, rel=1e-13)
    np.testing.assert_allclose(objective(phi)[1], d.T @ (w * residual), rtol=1e-12)
    np.testing.assert_allclose(objective.hessian(phi), d.T @ (w[:, None] * d), rtol=1e-12)
    best = np.linalg.lstsq(d * np.sqrt(w)[:, None], np.sqrt(w) * target)[0]
    np.testing.assert_allclose(bt.fit(scorer, pairs, loss=_Square()).phi, best, rtol=1e-9)  # gradient below 1e-9


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("n", [23, 3000])
def test_a_point_holds_what_separate_calls_return(scorer, backend: str, n: int, random_pairs, rng) -> None:
    """``objective.at(phi)`` gives the loss, gradient and margins of separate calls, equal in every bit."""
    objective = bt.Objective(scorer, random_pairs(scorer, n), l2=0.1, backend=backend)
    phi = rng.normal(size=scorer.n_parameters)
    point = objective.at(phi)
    loss, gradient = objective(phi)
    assert point.loss == loss
    np.testing.assert_array_equal(point.phi, phi)
    np.testing.assert_array_equal(point.gradient, gradient)
    np.testing.assert_array_equal(point.margins, objective.margins(phi))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", CONVEX, ids=str)
def test_hessian_from_known_margins_is_the_hessian(scorer, backend: str, random_pairs, rng) -> None:
    """``hessian(phi, margins=…)`` gives the same bits as ``hessian(phi)``, and other margins give another Hessian."""
    objective = bt.Objective(scorer, random_pairs(scorer), l2=0.1, backend=backend)
    phi = rng.normal(size=scorer.n_parameters)
    want = objective.hessian(phi)
    np.testing.assert_array_equal(objective.hessian(phi, margins=objective.at(phi).margins), want)
    assert np.abs(objective.hessian(phi, margins=np.full(23, 5.0)) - want).max() > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_offset_that_both_answers_share_changes_nothing(backend: str, rng) -> None:
    """A linear scorer sees only differences, so offsets of a prompt, here up to 2⁴⁰, do not change a single bit."""
    c, r = rng.integers(-8, 9, (2, 40, 3)) / 4  # quarters below 2⁴⁰: added without rounding
    offsets = np.repeat(rng.integers(-(2**40), 2**40, (10, 3)), 4, axis=0)
    phi = rng.normal(size=3)
    options = {"weights": rng.uniform(0, 1, 40), "labels": rng.uniform(0, 1, 40)}
    near = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(c, r, **options), backend=backend)
    far = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(c + offsets, r + offsets, **options), backend=backend)
    assert near(phi)[0] == far(phi)[0]
    np.testing.assert_array_equal(near(phi)[1], far(phi)[1])
    np.testing.assert_array_equal(near.hessian(phi), far.hessian(phi))
    np.testing.assert_array_equal(near.margins(phi), far.margins(phi))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shift_of_all_rewards_changes_nothing(backend: str, random_pairs, rng) -> None:
    """A table plus a constant has the same loss, and its gradient and Hessian are zero along the shift."""
    scorer = bt.TableScorer(6)
    objective = bt.Objective(scorer, random_pairs(scorer, 200), backend=backend)
    phi = rng.integers(-20, 21, 6) / 4
    assert objective(phi + 1024)[0] == objective(phi)[0]
    assert abs(objective(phi)[1].sum()) <= 1e-16 * 10  # six numbers of about 0.1, each rounded
    np.testing.assert_allclose(objective.hessian(phi) @ np.ones(6), 0, atol=1e-16)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_output_bias_would_have_no_gradient(backend: str, random_pairs, rng) -> None:
    """A hidden unit with the same value for all answers is an output bias, and its weight has gradient zero."""
    scorer = bt.MLPScorer(3, 4)
    phi = rng.normal(size=scorer.n_parameters)
    blocks = scorer.unpack(phi)
    blocks["hidden_weights"][:, 2] = 0
    gradient = scorer.unpack(bt.Objective(scorer, random_pairs(scorer), backend=backend)(phi)[1])
    assert abs(gradient["output_weights"][2]) <= 1e-16 * 10  # a sum of +d and -d that cancels to rounding
    assert np.abs(gradient["output_weights"]).max() > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_integer_weights_are_repeated_rows(scorer, backend: str, random_pairs, rng) -> None:
    """Loss, gradient and Hessian of weighted pairs are those of repeated pairs, and weight 0 means no pair."""
    n = 30
    pairs = random_pairs(scorer, n, extras=("labels", "target_margins"))
    w = rng.integers(0, 4, n)
    weighted, repeated = dataclasses.replace(pairs, weights=w), pairs.subset(np.repeat(np.arange(n), w))
    phi = rng.normal(size=scorer.n_parameters)
    a, b = (bt.Objective(scorer, p, l2=0.1, backend=backend) for p in (weighted, repeated))
    # 60 terms added in another order, relative to the largest entry
    assert a(phi)[0] == pytest.approx(b(phi)[0], rel=1e-13)
    np.testing.assert_allclose(a(phi)[1], b(phi)[1], atol=1e-13 * np.abs(b(phi)[1]).max(), rtol=0)
    if scorer.linear_in_phi:
        np.testing.assert_allclose(a.hessian(phi), b.hessian(phi), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_label_t_on_a_pair_is_label_one_minus_t_on_the_swapped_pair(scorer, backend, random_pairs, rng) -> None:
    """(c, r, t, m) and (r, c, 1-t, -m) mean the same, so they have equal loss, gradient and Hessian."""
    pairs = random_pairs(scorer)
    swapped = bt.PreferencePairs(
        pairs.rejected,
        pairs.chosen,
        weights=pairs.weights,
        labels=1 - pairs.labels,
        target_margins=-pairs.target_margins,
    )
    phi = rng.normal(size=scorer.n_parameters)
    a, b = (bt.Objective(scorer, p, backend=backend) for p in (pairs, swapped))
    assert a(phi)[0] == pytest.approx(b(phi)[0], rel=1e-14)
    np.testing.assert_allclose(a(phi)[1], b(phi)[1], atol=1e-14 * np.abs(b(phi)[1]).max(), rtol=0)
    if scorer.linear_in_phi:
        np.testing.assert_allclose(a.hessian(phi), b.hessian(phi), rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_label_one_is_no_label_and_weight_one_no_weight(scorer, backend: str, random_pairs, rng) -> None:
    """Weights and labels of 1 and target margins of 0 give the numbers of pairs without them."""
    pairs = random_pairs(scorer, extras=())
    n = len(pairs)
    spelled_out = dataclasses.replace(pairs, weights=np.ones(n), labels=np.ones(n), target_margins=np.zeros(n))
    phi = rng.normal(size=scorer.n_parameters)
    a, b = (bt.Objective(scorer, p, backend=backend) for p in (pairs, spelled_out))
    assert a(phi)[0] == pytest.approx(b(phi)[0], rel=1e-15)
    np.testing.assert_allclose(a(phi)[1], b(phi)[1], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_objectives_of_shards_add_up(scorer, backend: str, random_pairs, rng) -> None:
    """The objectives of shards, each times its Σ w, add up to the objective of the whole."""
    pairs = random_pairs(scorer, 50)
    shards = [pairs[:17], pairs[17:]]
    phi = rng.normal(size=scorer.n_parameters)
    loss, gradient = bt.Objective(scorer, pairs, backend=backend)(phi)
    parts = [(s.total_weight, *bt.Objective(scorer, s, backend=backend)(phi)) for s in shards]
    assert sum(w * v for w, v, _ in parts) == pytest.approx(pairs.total_weight * loss, rel=1e-14)
    total = sum(w * g for w, _, g in parts)
    np.testing.assert_allclose(total, pairs.total_weight * gradient, atol=1e-13 * np.abs(total).max(), rtol=0)


# ------------------------------------------------------------------------------------------------------- calculus


@pytest.mark.parametrize("names", SUBSETS, ids=str)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_gradient_agrees_with_differences_of_the_loss(scorer, names, random_pairs, rng, differences) -> None:
    """At random non-zero φ and with l2, each block of the gradient agrees to 1e-8 of its largest entry."""
    pairs = random_pairs(scorer, 13, extras=names)
    phi = rng.normal(size=scorer.n_parameters)
    relu = getattr(scorer, "activation", "tanh") == "relu"
    h = 2e-4 if relu else 1e-3  # truncation h⁴/30, rounding eps·L/h = 1e-12
    while not away_from_kinks(scorer, pairs, phi, 5e-3):  # 2h·|x| < 5e-3: no step crosses a kink
        phi = rng.normal(size=scorer.n_parameters)
    for backend in BACKENDS:
        objective = bt.Objective(scorer, pairs, l2=0.05, backend=backend)
        want = scorer.unpack(differences(lambda p, o=objective: o(p)[0], phi, h))
        for name, block in scorer.unpack(objective(phi)[1]).items():
            assert np.abs(block - want[name]).max() <= 1e-8 * np.abs(want[name]).max(), name


@pytest.mark.parametrize("names", SUBSETS, ids=str)
@pytest.mark.parametrize("scorer", CONVEX, ids=str)
def test_hessian_agrees_with_differences_of_the_gradient(scorer, names, random_pairs, rng, differences) -> None:
    """The Hessian agrees with five-point differences to 1e-8 of its largest entry; it is symmetric and at least l2."""
    pairs = random_pairs(scorer, 17, extras=names)
    phi = rng.normal(size=scorer.n_parameters)
    for backend in BACKENDS:
        objective = bt.Objective(scorer, pairs, l2=0.05, backend=backend)
        hessian = objective.hessian(phi)
        want = differences(lambda p, o=objective: o(p)[1], phi)
        assert np.abs(hessian - want).max() <= 1e-8 * np.abs(want).max()
        np.testing.assert_allclose(hessian, hessian.T, rtol=1e-13, atol=1e-16)
        assert np.linalg.eigvalsh(hessian)[0] >= 0.05 * (1 - 1e-12)  # the loss is convex, and l2 is added


@pytest.mark.parametrize("names", SUBSETS, ids=str)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_loss_gradient_and_hessian_agree_with_autograd(scorer, names, random_pairs, rng) -> None:
    """All three agree to 1e-12 with the naive formula and its automatic derivatives."""
    pairs = random_pairs(scorer, 29, seed=3, extras=names)
    phi = rng.normal(size=scorer.n_parameters)
    naive = reference_loss.loss_of(scorer, pairs, 0.05)
    want = scorer.unpack(autograd.grad(naive)(phi))
    second = autograd.hessian(naive)(phi) if scorer.linear_in_phi else None
    for backend in BACKENDS:
        objective = bt.Objective(scorer, pairs, l2=0.05, backend=backend)
        loss, gradient = objective(phi)
        assert loss == pytest.approx(naive(phi), rel=1e-12)
        for name, block in scorer.unpack(gradient).items():
            assert np.abs(block - want[name]).max() <= 1e-12 * np.abs(want[name]).max(), name
        if second is not None:
            assert np.abs(objective.hessian(phi) - second).max() <= 1e-12 * np.abs(second).max()


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradient_of_large_margins_agrees_with_differences(backend: str, random_pairs, differences) -> None:
    """With φ about twenty times as large, the margins reach ±50, and the gradient still agrees to 1e-8."""
    scorer = bt.LinearScorer(4)
    objective = bt.Objective(scorer, random_pairs(scorer, 40), backend=backend)
    phi = np.array([20.0, -15, 10, 25])
    assert np.abs(objective.margins(phi)).max() > 50
    want = differences(lambda p: objective(p)[0], phi)
    assert np.abs(objective(phi)[1] - want).max() <= 1e-8 * np.abs(want).max()


# ------------------------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_scipy_can_minimise_an_objective(scorer, random_pairs, rng) -> None:
    """``scipy.optimize.minimize(objective, phi, jac=True)`` lowers the loss to a point where the gradient vanishes."""
    objective = bt.Objective(scorer, random_pairs(scorer, 40), l2=0.1)
    start = rng.normal(size=scorer.n_parameters)
    result = scipy.optimize.minimize(objective, start, jac=True)
    assert result.fun < objective(start)[0]
    if getattr(scorer, "activation", "tanh") == "tanh":  # a ReLU's minimum may lie on a kink
        assert np.abs(objective(result.x)[1]).max() <= 1e-4  # scipy's own gradient tolerance is 1e-5


# -------------------------------------------------------------------------------------------------------- manners


def test_auto_takes_numpy_below_a_million_numbers_and_the_kernels_from_there_on(rng) -> None:
    """What counts is the number of feature values, times the hidden units for an MLP; auto is the default."""
    x = rng.normal(size=(1000, 1000))
    for n, want in ((999, REFERENCE), (1000, COMPILED)):
        pairs = bt.PreferencePairs(x[:n], -x[:n])
        assert bt.Objective(bt.LinearScorer(1000), pairs).backend == want
        assert bt.Objective(bt.LinearScorer(1000), pairs, backend="auto").backend == want
    small = bt.PreferencePairs(x[:100, :10], -x[:100, :10])
    for n_hidden, want in ((999, REFERENCE), (1000, COMPILED)):
        assert bt.Objective(bt.MLPScorer(10, n_hidden), small).backend == want
    assert bt.Objective(bt.TableScorer(2), bt.PreferencePairs([0] * 999, [1] * 999)).backend == REFERENCE


@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
def test_the_backend_you_name_is_the_one_you_get(backend: str, random_pairs) -> None:
    """A backend that is named is used for problems of any size, and the repr says which one is used."""
    scorer = bt.LinearScorer(2)
    objective = bt.Objective(scorer, random_pairs(scorer), l2=0.5, backend=backend)
    want = REFERENCE if backend == "auto" else backend
    assert objective.backend == want
    assert repr(objective).startswith("Objective(LinearScorer(n_features=2), PreferencePairs(23")
    assert repr(objective).endswith(f"l2=0.5, backend={want!r})")


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_objective_on_other_pairs_inherits_backend_penalty_and_loss(backend: str, random_pairs, rng) -> None:
    """``on`` keeps all three unless another penalty is given, even if auto would choose another backend."""
    scorer = bt.LinearScorer(3)
    pairs, others = random_pairs(scorer, 40), random_pairs(scorer, 9, seed=1)
    phi = rng.normal(size=3)
    whole = bt.Objective(scorer, pairs, l2=0.2, backend=backend)
    for part, l2 in ((whole.on(others), 0.2), (whole.on(others, l2=0.0), 0.0)):
        fresh = bt.Objective(scorer, others, l2=l2, backend=backend)
        assert (part.backend, part.l2) == (backend, l2)
        assert part(phi)[0] == fresh(phi)[0]
        np.testing.assert_array_equal(part(phi)[1], fresh(phi)[1])
    square = bt.Objective(scorer, pairs, loss=_Square()).on(others)
    assert square(phi)[0] == bt.Objective(scorer, others, loss=_Square())(phi)[0]


def test_the_objective_of_a_large_problem_passes_its_kernels_on_to_small_ones(rng) -> None:
    """Held-out pairs and mini-batches use the backend of the whole problem, even if they are few."""
    x = rng.normal(size=(100, 10))
    whole = bt.Objective(bt.MLPScorer(10, 1000), bt.PreferencePairs(x, -x))
    assert whole.backend == whole.on(bt.PreferencePairs(x[:1], -x[:1])).backend == COMPILED


def test_a_loss_derived_from_ours_is_kept_for_other_pairs(random_pairs, rng) -> None:
    """A class that overrides one method of ``BradleyTerryLoss`` counts as another loss, in ``on`` too."""

    class Doubled(BradleyTerryLoss):
        def value(self, z, t):
            return 2 * super().value(z, t)

    scorer = bt.LinearScorer(3)
    pairs, phi = random_pairs(scorer), rng.normal(size=3)
    doubled = bt.Objective(scorer, pairs, loss=Doubled())
    assert doubled(phi)[0] == pytest.approx(2 * bt.Objective(scorer, pairs)(phi)[0], rel=1e-14)
    assert doubled.on(pairs)(phi)[0] == doubled(phi)[0]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_phi_is_left_alone_and_results_belong_to_the_caller(scorer, backend: str, random_pairs, rng) -> None:
    """φ may be read-only or a list, and writing into results changes no later result."""
    objective = bt.Objective(scorer, random_pairs(scorer), l2=0.1, backend=backend)
    phi = rng.normal(size=scorer.n_parameters)
    before = phi.copy()
    phi.flags.writeable = False
    loss, gradient = objective(phi)
    kept = gradient.copy()
    gradient[:] = np.nan
    point = objective.at(phi)
    point.gradient[:] = point.margins[:] = np.nan
    if scorer.linear_in_phi:
        objective.hessian(phi)[:] = np.nan
    again, fresh = objective(phi.tolist())
    assert again == loss
    assert isinstance(loss, float)
    np.testing.assert_array_equal(fresh, kept)
    np.testing.assert_array_equal(phi, before)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_margins_do_not_depend_on_earlier_calls_and_are_a_new_array(scorer, backend, random_pairs, rng) -> None:
    """An objective remembers nothing: each call returns its own array, which the caller may write to."""
    pairs = random_pairs(scorer, 500)
    phi = rng.normal(size=scorer.n_parameters)
    used, fresh = (bt.Objective(scorer, pairs, backend=backend) for _ in range(2))
    used(phi), used.at(2 * phi)
    margins = used.margins(phi)
    assert margins.tobytes() == fresh.margins(phi).tobytes()
    margins[:] = np.nan
    assert used.margins(phi).tobytes() == fresh.margins(phi).tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", [bt.LinearScorer(16), bt.MLPScorer(16, 1), bt.MLPScorer(16, 7, "relu")], ids=str)
@pytest.mark.parametrize("n", [5, 13, 1001])
def test_equal_answers_have_a_margin_of_exactly_zero(scorer, n: int, backend: str, rng) -> None:
    """Equal answers have a margin of exactly 0, so their accuracy is exactly one half, whatever the rounding."""
    x = rng.normal(size=(n, 16))
    objective = bt.Objective(scorer, bt.PreferencePairs(x, x.copy()), backend=backend)
    phi = rng.normal(size=scorer.n_parameters)
    np.testing.assert_array_equal(objective.margins(phi), np.zeros(n))
    np.testing.assert_array_equal(objective.at(phi).margins, np.zeros(n))


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_and_odd_features_give_the_numbers_of_plain_ones(backend: str, rng) -> None:
    """float32, integer, byte-swapped, strided and Fortran-ordered features give the same numbers to rounding."""
    c, r = rng.integers(-4, 5, (2, 30, 3))
    for scorer in (bt.LinearScorer(3), bt.MLPScorer(3, 2)):
        phi = rng.normal(size=scorer.n_parameters)
        want = bt.Objective(scorer, bt.PreferencePairs(c.astype(float), r.astype(float)), backend=backend)(phi)
        for odd in (np.float32, ">f8", ">f4", np.int16, "F", "strided"):
            if odd == "F":
                x, y = np.asfortranarray(c), np.asfortranarray(r)
            elif odd == "strided":
                x, y = np.repeat(c, 2, axis=1)[:, ::2], r[::-1][::-1]
            else:
                x, y = c.astype(odd), r.astype(odd)
            loss, gradient = bt.Objective(scorer, bt.PreferencePairs(x, y), backend=backend)(phi)
            assert loss == pytest.approx(want[0], rel=1e-13)
            np.testing.assert_allclose(gradient, want[1], rtol=1e-11, atol=1e-14)
            assert gradient.dtype == np.float64


def test_scorers_and_pairs_that_do_not_fit_are_refused() -> None:
    """The message names the argument, the shape it has and the shape that the scorer expects."""
    pairs, items = bt.PreferencePairs(np.ones((3, 2)), np.zeros((3, 2))), bt.PreferencePairs([0, 3], [1, 1])
    with pytest.raises(ValueError, match=r"^chosen: expected shape \(n, 4\) for LinearScorer.*got \(3, 2\)"):
        bt.Objective(bt.LinearScorer(4), pairs)
    with pytest.raises(ValueError, match=r"^chosen: item 3 is out of range, expected 0 to 1"):
        bt.Objective(bt.TableScorer(2), items)
    with pytest.raises(ValueError, match=r"^rejected: item 3 is out of range"):
        bt.Objective(bt.TableScorer(3), bt.PreferencePairs([1, 1], [0, 3]))
    with pytest.raises(ValueError, match=r"^chosen: expected item numbers"):
        bt.Objective(bt.TableScorer(2), pairs)
    with pytest.raises(ValueError, match=r"^chosen: expected shape"):
        bt.Objective(bt.MLPScorer(1), items)


def test_bad_arguments_of_an_objective_are_refused(random_pairs) -> None:
    """Each bad scorer, pairs, l2, backend and φ gets its own message, and an MLP has no Hessian."""
    scorer = bt.LinearScorer(2)
    pairs = random_pairs(scorer)
    for bad in (-1, np.nan, np.inf, "much", None, [0.1], True):
        with pytest.raises(ValueError, match=r"^l2: expected a finite number of at least 0, got"):
            bt.Objective(scorer, pairs, l2=bad)
    with pytest.raises(ValueError, match=r"^backend: expected one of auto, numpy, numba, got 'fortran'$"):
        bt.Objective(scorer, pairs, backend="fortran")
    with pytest.raises(TypeError, match=r"^pairs: expected PreferencePairs, got tuple"):
        bt.Objective(scorer, (1, 2))
    for bad in ("linear", bt.LinearScorer):
        with pytest.raises(TypeError, match=r"^scorer: expected a scorer such as"):
            bt.Objective(bad, pairs)
    objective = bt.Objective(scorer, pairs)
    for method in (objective, objective.at, objective.margins, objective.hessian):
        with pytest.raises(ValueError, match=r"^phi: expected shape \(2,\)"):
            method(np.zeros(3))
    mlp = bt.MLPScorer(2, 2)
    with pytest.raises(TypeError, match=r"^hessian: expected a scorer that is linear in phi, got MLPScorer"):
        bt.Objective(mlp, pairs).hessian(np.zeros(mlp.n_parameters))


def test_an_unknown_backend_is_refused_even_where_there_is_no_choice():
    """A network with another loss always uses NumPy, and a name that is misspelt is still noticed."""
    pairs = bt.datasets.synthetic(20, seed=0)
    with pytest.raises(ValueError, match="backend"):
        bt.Objective(bt.MLPScorer(3), pairs, loss=bt.losses.Hinge(), backend="nunba")
    assert bt.Objective(bt.MLPScorer(3), pairs, loss=bt.losses.Hinge()).backend == "numpy"
