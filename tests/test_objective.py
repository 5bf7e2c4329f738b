"""L(φ), its gradient and its Hessian: against differences, against autograd, and one backend against the other."""

from __future__ import annotations

import itertools

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.optimize

import bradley_terry as bt

SCORERS = [
    bt.LinearScorer(5),
    bt.LinearScorer(1),
    bt.MLPScorer(3, 7, "tanh"),
    bt.MLPScorer(4, 3, "relu"),
    bt.TableScorer(6),
]
CONVEX = [bt.LinearScorer(5), bt.LinearScorer(1), bt.TableScorer(6)]
EXTRAS = ("weights", "labels", "target_margins")
SUBSETS = [names for k in range(4) for names in itertools.combinations(EXTRAS, k)]
BACKENDS = ("numba", "numpy")
LOG_2 = 0.6931471805599453


def loss_in_autograd(scorer, pairs, l2):
    """Write L(φ) once more from its formula, naively, in numbers that autograd follows."""

    def reward(phi, features):
        if isinstance(scorer, bt.LinearScorer):
            return anp.dot(features, phi)
        if isinstance(scorer, bt.TableScorer):
            return phi[features]
        d, k = scorer.n_features, scorer.n_hidden
        a = anp.dot(features, anp.reshape(phi[: d * k], (d, k))) + phi[d * k : d * k + k]
        return anp.dot(anp.tanh(a) if scorer.activation == "tanh" else anp.where(a > 0, a, 0.0), phi[d * k + k :])

    n = len(pairs)
    w = np.ones(n) if pairs.weights is None else pairs.weights
    t = np.ones(n) if pairs.labels is None else pairs.labels
    m = np.zeros(n) if pairs.target_margins is None else pairs.target_margins

    def loss(phi):
        z = reward(phi, pairs.chosen) - reward(phi, pairs.rejected) - m
        p = 1 / (1 + anp.exp(-z))
        return anp.sum(w * -(t * anp.log(p) + (1 - t) * anp.log(1 - p))) / np.sum(w) + l2 / 2 * anp.sum(phi**2)

    return loss


def away_from_kinks(scorer, pairs, phi, distance: float) -> bool:
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
def test_an_item_in_many_pairs_is_pulled_by_each_of_them(backend: str) -> None:
    """Item 0 beats 1 twice and loses to 2 once: at φ = 0 its gradient is -1/2·(2 - 1)/3, by hand."""
    objective = bt.Objective(bt.TableScorer(3), bt.PreferencePairs([0, 0, 2], [1, 1, 0]), backend=backend)
    np.testing.assert_allclose(objective(np.zeros(3))[1], [-1 / 6, 2 / 6, -1 / 6], rtol=1e-15)
    np.testing.assert_allclose(objective.hessian(np.zeros(3)), np.array([[3, -2, -1], [-2, 2, 0], [-1, 0, 1]]) / 12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("names", [(), ("weights",), ("labels",), ("weights", "labels")])
def test_a_scorer_of_zeros_pays_exactly_log_two(scorer, names, backend: str, random_pairs) -> None:
    """Whatever the data, their weights and their labels."""
    for n in (1, 10, 49, 1003):
        objective = bt.Objective(scorer, random_pairs(scorer, n, extras=names), l2=0.3, backend=backend)
        assert objective(np.zeros(scorer.n_parameters))[0] == LOG_2


def test_l2_adds_half_its_squares_once(random_pairs, rng) -> None:
    """l2/2·|φ|² joins the loss, l2·φ the gradient, l2·I the Hessian: once, whatever n and the weights."""
    scorer = bt.LinearScorer(5)
    phi = rng.normal(size=5)
    for backend in BACKENDS:
        plain, ridge = (bt.Objective(scorer, random_pairs(scorer), l2=l2, backend=backend) for l2 in (0.0, 0.7))
        assert ridge(phi)[0] - plain(phi)[0] == pytest.approx(0.35 * phi @ phi, rel=1e-14)
        np.testing.assert_allclose(ridge(phi)[1] - plain(phi)[1], 0.7 * phi, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(ridge.hessian(phi) - plain.hessian(phi), 0.7 * np.eye(5), atol=1e-15)


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_offset_that_both_answers_share_changes_nothing(backend: str, rng) -> None:
    """A linear scorer sees only differences: offsets of a prompt, here up to 2⁴⁰, leave every bit in place."""
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


def test_a_shift_of_all_rewards_changes_nothing(random_pairs, rng) -> None:
    """A table plus any constant has the same loss, and its gradient and Hessian have nothing along the shift."""
    scorer = bt.TableScorer(6)
    objective = bt.Objective(scorer, random_pairs(scorer, 200))
    phi = rng.integers(-20, 21, 6) / 4
    assert objective(phi + 1024)[0] == objective(phi)[0]
    assert abs(objective(phi)[1].sum()) <= 1e-16 * 10  # six numbers of about 0.1, each rounded
    np.testing.assert_allclose(objective.hessian(phi) @ np.ones(6), 0, atol=1e-16)


def test_an_output_bias_would_have_no_gradient(random_pairs, rng) -> None:
    """A hidden unit that is the same for all answers is an output bias: the gradient of its weight is zero."""
    scorer = bt.MLPScorer(3, 4)
    phi = rng.normal(size=scorer.n_parameters)
    blocks = scorer.unpack(phi)
    blocks["hidden_weights"][:, 2] = 0
    gradient = scorer.unpack(bt.Objective(scorer, random_pairs(scorer))(phi)[1])
    assert abs(gradient["output_weights"][2]) <= 1e-16 * 10  # a sum of +d and -d that cancels to rounding
    assert np.abs(gradient["output_weights"]).max() > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_integer_weights_are_repeated_rows(scorer, backend: str, random_pairs, rng) -> None:
    """Loss, gradient and Hessian of weighted pairs are those of repeated pairs, weight 0 meaning no pair."""
    n = 30
    pairs = random_pairs(scorer, n, extras=("labels", "target_margins"))
    w = rng.integers(0, 4, n)
    weighted = bt.PreferencePairs(
        pairs.chosen, pairs.rejected, weights=w, labels=pairs.labels, target_margins=pairs.target_margins
    )
    repeated = pairs.subset(np.repeat(np.arange(n), w))
    phi = rng.normal(size=scorer.n_parameters)
    a, b = (bt.Objective(scorer, p, l2=0.1, backend=backend) for p in (weighted, repeated))
    # 60 terms added in another order, relative to the largest entry
    assert a(phi)[0] == pytest.approx(b(phi)[0], rel=1e-13)
    np.testing.assert_allclose(a(phi)[1], b(phi)[1], atol=1e-13 * np.abs(b(phi)[1]).max(), rtol=0)
    if scorer.linear_in_phi:
        np.testing.assert_allclose(a.hessian(phi), b.hessian(phi), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_label_t_on_a_pair_is_label_one_minus_t_on_the_pair_turned_round(scorer, backend, random_pairs, rng) -> None:
    """(c, r, t, m) and (r, c, 1-t, -m) say the same: equal loss, gradient and Hessian."""
    pairs = random_pairs(scorer)
    turned = bt.PreferencePairs(
        pairs.rejected,
        pairs.chosen,
        weights=pairs.weights,
        labels=1 - pairs.labels,
        target_margins=-pairs.target_margins,
    )
    phi = rng.normal(size=scorer.n_parameters)
    a, b = (bt.Objective(scorer, p, backend=backend) for p in (pairs, turned))
    assert a(phi)[0] == pytest.approx(b(phi)[0], rel=1e-14)
    np.testing.assert_allclose(a(phi)[1], b(phi)[1], atol=1e-14 * np.abs(b(phi)[1]).max(), rtol=0)
    if scorer.linear_in_phi:
        np.testing.assert_allclose(a.hessian(phi), b.hessian(phi), rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_label_one_is_no_label_and_weight_one_no_weight(scorer, random_pairs, rng) -> None:
    """Ones and zeros in the extras give the numbers of pairs without extras."""
    pairs = random_pairs(scorer, extras=())
    n = len(pairs)
    spelled = bt.PreferencePairs(
        pairs.chosen, pairs.rejected, weights=np.ones(n), labels=np.ones(n), target_margins=np.zeros(n)
    )
    phi = rng.normal(size=scorer.n_parameters)
    for backend in BACKENDS:
        a, b = (bt.Objective(scorer, p, backend=backend) for p in (pairs, spelled))
        assert a(phi)[0] == pytest.approx(b(phi)[0], rel=1e-15)
        np.testing.assert_allclose(a(phi)[1], b(phi)[1], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_objectives_of_shards_add_up(scorer, random_pairs, rng) -> None:
    """Shards, each times its Σ w, add up to the whole: batches and clusters need no new mathematics."""
    pairs = random_pairs(scorer, 50)
    shards = [pairs.subset(np.arange(0, 17)), pairs.subset(np.arange(17, 50))]
    phi = rng.normal(size=scorer.n_parameters)
    loss, gradient = bt.Objective(scorer, pairs)(phi)
    parts = [(s.total_weight, *bt.Objective(scorer, s)(phi)) for s in shards]
    assert sum(w * v for w, v, _ in parts) == pytest.approx(pairs.total_weight * loss, rel=1e-14)
    total = sum(w * g for w, _, g in parts)
    np.testing.assert_allclose(total, pairs.total_weight * gradient, atol=1e-13 * np.abs(total).max(), rtol=0)


# ------------------------------------------------------------------------------------------------------- calculus


@pytest.mark.parametrize("names", SUBSETS, ids=str)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_gradient_agrees_with_differences_of_the_loss(scorer, names, random_pairs, rng, differences) -> None:
    """At random non-zero φ, with every set of extras and l2, each block agrees to 1e-8 of its largest entry."""
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
    """d²L/dφ² is what five-point differences of the gradient say, to 1e-8 of its largest entry, and symmetric."""
    pairs = random_pairs(scorer, 17, extras=names)
    phi = rng.normal(size=scorer.n_parameters)
    for backend in BACKENDS:
        objective = bt.Objective(scorer, pairs, l2=0.05, backend=backend)
        hessian = objective.hessian(phi)
        want = differences(lambda p, o=objective: o(p)[1], phi)
        assert np.abs(hessian - want).max() <= 1e-8 * np.abs(want).max()
        np.testing.assert_allclose(hessian, hessian.T, rtol=1e-13, atol=1e-16)
        assert np.linalg.eigvalsh(hessian)[0] >= 0.05 * (1 - 1e-12)  # convex, and l2 on top


@pytest.mark.parametrize("names", SUBSETS, ids=str)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_loss_and_gradient_agree_with_autograd(scorer, names, random_pairs, rng) -> None:
    """Loss, gradient and Hessian agree to 1e-12 with the formula differentiated by a machine."""
    pairs = random_pairs(scorer, 29, seed=3, extras=names)
    phi = rng.normal(size=scorer.n_parameters)
    naive = loss_in_autograd(scorer, pairs, 0.05)
    want = scorer.unpack(autograd.grad(naive)(phi))
    for backend in BACKENDS:
        objective = bt.Objective(scorer, pairs, l2=0.05, backend=backend)
        loss, gradient = objective(phi)
        assert loss == pytest.approx(naive(phi), rel=1e-12)
        for name, block in scorer.unpack(gradient).items():
            assert np.abs(block - want[name]).max() <= 1e-12 * np.abs(want[name]).max(), name
        if scorer.linear_in_phi:
            second = autograd.hessian(naive)(phi)
            assert np.abs(objective.hessian(phi) - second).max() <= 1e-12 * np.abs(second).max()


def test_gradient_of_large_margins_agrees_with_differences(random_pairs, differences) -> None:
    """At φ twenty times as large margins reach ±100, and the gradient still agrees to 1e-8 of its largest entry."""
    scorer = bt.LinearScorer(4)
    objective = bt.Objective(scorer, random_pairs(scorer, 40))
    phi = np.array([20.0, -15, 10, 25])
    assert np.abs(objective.margins(phi)).max() > 50
    want = differences(lambda p: objective(p)[0], phi)
    assert np.abs(objective(phi)[1] - want).max() <= 1e-8 * np.abs(want).max()


# ----------------------------------------------------------------------------------------------------------- twin


@pytest.mark.parametrize("names", SUBSETS, ids=str)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_backends_agree(scorer, names, random_pairs, rng) -> None:
    """Numba and NumPy give the same loss, gradient and Hessian to 1e-13, relative to the largest entry."""
    pairs = random_pairs(scorer, 501, seed=5, extras=names)
    compare_backends(scorer, pairs, 3 * rng.normal(size=scorer.n_parameters))


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.TableScorer(50), bt.MLPScorer(2, 3)], ids=str)
def test_backends_agree_on_three_hundred_thousand_pairs(scorer, random_pairs, rng) -> None:
    """Rounding does not pile up: the same 1e-13 where the kernels run on several threads."""
    compare_backends(scorer, random_pairs(scorer, 300_000), rng.normal(size=scorer.n_parameters))


def compare_backends(scorer, pairs, phi) -> None:
    fast, plain = (bt.Objective(scorer, pairs, l2=0.01, backend=backend) for backend in BACKENDS)
    assert (fast.backend, plain.backend) == BACKENDS
    (fast_loss, fast_gradient), (loss, gradient) = fast(phi), plain(phi)
    assert fast_loss == pytest.approx(loss, rel=1e-13)
    assert np.abs(fast_gradient - gradient).max() <= 1e-13 * np.abs(gradient).max()
    if scorer.linear_in_phi:
        hessian = plain.hessian(phi)
        assert np.abs(fast.hessian(phi) - hessian).max() <= 1e-13 * np.abs(hessian).max()


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.TableScorer(50)], ids=str)
def test_objective_does_not_depend_on_the_number_of_kernel_threads(scorer, kernels, random_pairs, rng) -> None:
    """Loss, gradient and Hessian of 300,000 pairs are the same, bit for bit, on 1, 2 and 3 threads."""
    objective = bt.Objective(scorer, random_pairs(scorer, 300_000))
    phi = rng.normal(size=scorer.n_parameters)
    results = []
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        loss, gradient = objective(phi)
        results.append((loss, gradient.tobytes(), objective.hessian(phi).tobytes()))
    assert results[1:] == results[:1] * 2


@pytest.mark.parametrize(("n", "k"), [(50_000, 1), (100_000, 100)])
def test_objective_does_not_depend_on_the_threads_of_blas(n: int, k: int, run_python) -> None:
    """Sums over pairs do not leave their order to the BLAS library: same bits on one thread and on two."""
    script = (
        "import hashlib, numpy as np, bradley_terry as bt\n"
        f"rng = np.random.default_rng(0); n, k = {n}, {k}\n"
        "objective = bt.Objective(bt.LinearScorer(k), bt.PreferencePairs(rng.normal(size=(n, k)), np.zeros((n, k))))\n"
        "phi = rng.normal(size=k); loss, gradient = objective(phi)\n"
        "bits = np.array([loss]).tobytes() + gradient.tobytes() + objective.hessian(phi).tobytes()\n"
        "print(hashlib.sha256(bits).hexdigest())\n"
    )
    one, two = (run_python(script, OPENBLAS_NUM_THREADS=t, OMP_NUM_THREADS=t, NUMBA_NUM_THREADS=t) for t in (1, 2))
    assert one == two


def test_another_loss_is_taken_at_its_word(random_pairs, rng) -> None:
    """A loss of the caller's own, here ½(z - t)², is what value, gradient and Hessian are made of."""

    class Square:
        def value(self, z, t):
            return 0.5 * (z - t) ** 2

        def gradient(self, z, t):
            return z - t

        def curvature(self, z, t):
            return np.ones_like(z)

    scorer = bt.LinearScorer(3)
    pairs = random_pairs(scorer, 40)
    objective = bt.Objective(scorer, pairs, loss=Square())
    assert objective.backend == "numpy"
    d = pairs.chosen - pairs.rejected
    w = pairs.weights / pairs.weights.sum()
    target = pairs.labels + pairs.target_margins
    phi = rng.normal(size=3)
    residual = d @ phi - target
    assert objective(phi)[0] == pytest.approx(0.5 * w @ residual**2, rel=1e-13)
    np.testing.assert_allclose(objective(phi)[1], d.T @ (w * residual), rtol=1e-12)
    np.testing.assert_allclose(objective.hessian(phi), d.T @ (w[:, None] * d), rtol=1e-12)
    best = np.linalg.lstsq(d * np.sqrt(w)[:, None], np.sqrt(w) * target)[0]
    np.testing.assert_allclose(bt.fit(scorer, pairs, loss=Square()).phi, best, rtol=1e-9)  # gradient below 1e-9


# ------------------------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_objective_is_what_scipy_minimises(scorer, random_pairs, rng) -> None:
    """``scipy.optimize.minimize(objective, phi, jac=True)`` works and only ever lowers the loss."""
    objective = bt.Objective(scorer, random_pairs(scorer, 40), l2=0.1)
    start = rng.normal(size=scorer.n_parameters)
    result = scipy.optimize.minimize(objective, start, jac=True)
    assert result.fun < objective(start)[0]
    if getattr(scorer, "activation", "tanh") == "tanh":  # a ReLU's minimum may lie on a kink
        assert np.abs(objective(result.x)[1]).max() <= 1e-4  # scipy's own gradient tolerance is 1e-5


# -------------------------------------------------------------------------------------------------------- manners


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_phi_is_left_alone_and_results_are_the_callers(scorer, random_pairs, rng) -> None:
    """φ, read-only or a list, is not written to; a returned gradient or Hessian may be written to without harm."""
    objective = bt.Objective(scorer, random_pairs(scorer), l2=0.1)
    phi = rng.normal(size=scorer.n_parameters)
    before = phi.copy()
    phi.flags.writeable = False
    loss, gradient = objective(phi)
    kept = gradient.copy()
    gradient[:] = np.nan
    if scorer.linear_in_phi:
        objective.hessian(phi)[:] = np.nan
    again, fresh = objective(phi.tolist())
    assert again == loss
    assert isinstance(loss, float)
    np.testing.assert_array_equal(fresh, kept)
    np.testing.assert_array_equal(phi, before)


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_and_odd_features_give_the_numbers_of_plain_ones(backend: str, rng) -> None:
    """float32, integer, byte-swapped, strided and Fortran-ordered features: the same loss and gradient to rounding."""
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
    """The sentence names the argument, the shape it got and the shape the scorer wants."""
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
    """scorer, pairs, l2, backend and φ each have their sentence, and an MLP has no Hessian."""
    scorer = bt.LinearScorer(2)
    pairs = random_pairs(scorer)
    for bad in (-1, np.nan, np.inf, "much", None, [0.1]):
        with pytest.raises((ValueError, TypeError), match=r"^l2: expected a finite number of at least 0"):
            bt.Objective(scorer, pairs, l2=bad)
    with pytest.raises(ValueError, match=r"^backend: expected 'numba' or 'numpy', got 'fortran'"):
        bt.Objective(scorer, pairs, backend="fortran")
    with pytest.raises(TypeError, match=r"^pairs: expected PreferencePairs, got tuple"):
        bt.Objective(scorer, (1, 2))
    with pytest.raises(TypeError, match=r"^scorer: expected a scorer such as"):
        bt.Objective("linear", pairs)
    with pytest.raises(ValueError, match=r"^phi: expected shape \(2,\)"):
        bt.Objective(scorer, pairs)(np.zeros(3))
    mlp = bt.MLPScorer(2, 2)
    with pytest.raises(TypeError, match=r"^hessian: expected a scorer that is linear in phi"):
        bt.Objective(mlp, pairs).hessian(np.zeros(mlp.n_parameters))
    assert repr(bt.Objective(scorer, pairs, l2=0.5)).startswith(
        "Objective(LinearScorer(n_features=2), PreferencePairs(23"
    )


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_mlp_in_blocks_is_the_mlp_at_once(activation: str, kernels, rng) -> None:
    """Many blocks, some without weight, on 1, 2 and 3 threads: the reference's numbers, and the same bits."""
    n = 1500
    weights = rng.uniform(0.5, 2, n)
    weights[128:256] = 0  # a block that says nothing
    pairs = bt.PreferencePairs(
        rng.normal(size=(n, 5)),
        rng.normal(size=(n, 5)),
        weights=weights,
        labels=rng.uniform(size=n),
        target_margins=rng.normal(size=n),
    )
    scorer = bt.MLPScorer(5, 7, activation)
    phi = rng.normal(size=scorer.n_parameters)
    want_loss, want = bt.Objective(scorer, pairs, l2=0.1, backend="numpy")(phi)
    answers = []
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        loss, gradient = bt.Objective(scorer, pairs, l2=0.1)(phi)
        assert loss == pytest.approx(want_loss, rel=1e-13)
        np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * np.abs(want).max())
        answers.append((loss, gradient.tobytes()))
    assert answers[1:] == answers[:1] * 2


def test_a_scorer_derived_from_ours_is_asked_itself(rng) -> None:
    """A class that overrides the reward is not passed by on the fast road of its base."""

    class Doubled(bt.MLPScorer):
        def reward(self, phi, features):
            return 2 * super().reward(phi, features)

    pairs = bt.PreferencePairs(rng.normal(size=(20, 2)), rng.normal(size=(20, 2)))
    phi = rng.normal(size=bt.MLPScorer(2, 3).n_parameters)
    ours, doubled = bt.Objective(bt.MLPScorer(2, 3), pairs), bt.Objective(Doubled(2, 3), pairs)
    assert doubled(phi)[0] == pytest.approx(bt.mean_loss(2 * ours.margins(phi)), rel=1e-13)


@pytest.mark.parametrize("scorer", [bt.LinearScorer(16), bt.MLPScorer(16, 1), bt.MLPScorer(16, 7, "relu")], ids=str)
@pytest.mark.parametrize("n", [5, 13, 1001])
def test_equal_answers_have_a_margin_of_exactly_zero(scorer, n: int, rng) -> None:
    """Whatever was asked before; so that their accuracy is exactly one half, neither luck nor skill."""
    x = rng.normal(size=(n, 16))
    objective = bt.Objective(scorer, bt.PreferencePairs(x, x.copy()))
    phi = rng.normal(size=scorer.n_parameters)
    objective(phi)
    np.testing.assert_array_equal(objective.margins(phi), np.zeros(n))


@pytest.mark.parametrize("scorer", [bt.LinearScorer(5), bt.MLPScorer(5, 9), bt.TableScorer(4)], ids=str)
def test_margins_do_not_depend_on_what_was_asked_before(scorer, random_pairs, rng) -> None:
    """Those kept from a pass are those computed alone, and nobody can write to them."""
    pairs = random_pairs(scorer, 500)
    phi = rng.normal(size=scorer.n_parameters)
    asked, fresh = bt.Objective(scorer, pairs), bt.Objective(scorer, pairs)
    asked(phi)
    margins = asked.margins(phi)
    assert margins.tobytes() == fresh.margins(phi).tobytes()
    with pytest.raises(ValueError, match="read-only"):
        margins[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        margins.flags.writeable = True
