"""The reference backend and the compiled ones are separate programs that must compute the same numbers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.backend import NumpyBackend
from bradley_terry.losses import BradleyTerryLoss
from bradley_terry.objective import COMPILED, REFERENCE

SCORERS = [
    bt.LinearScorer(5),
    bt.LinearScorer(1),
    bt.MLPScorer(3, 7, "tanh"),
    bt.MLPScorer(4, 3, "relu"),
    bt.TableScorer(6),
]
EXTRAS = ("weights", "labels", "target_margins")
SUBSETS = [names for k in range(4) for names in itertools.combinations(EXTRAS, k)]
BACKENDS = (COMPILED, REFERENCE)


@dataclass(frozen=True)
class _Cubed:
    """r = w³·x with one parameter: a scorer that is not one of ours."""

    linear_in_phi: ClassVar[bool] = False
    shapes: ClassVar[dict[str, tuple[int, ...]]] = {"root": (1,)}
    n_parameters: ClassVar[int] = 1

    def initial(self, rng):
        return rng.normal(size=1)

    def unpack(self, phi):
        return {"root": phi}

    def reward(self, phi, features):
        return phi[0] ** 3 * features[:, 0]

    def backward(self, phi, features, d_rewards):
        return np.array([3 * phi[0] ** 2 * (d_rewards @ features[:, 0])])

    def check_features(self, features, name):
        pass


# ---------------------------------------------------------------------------------------------------- known value


def test_reference_backend_of_two_pairs_by_hand() -> None:
    """Margins 0 and 2 with weights 1 and 3: each of the five answers of a backend can be computed by hand."""
    pairs = bt.PreferencePairs([[1.0, 0.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]], weights=[1, 3])
    backend = NumpyBackend(bt.LinearScorer(2), pairs, BradleyTerryLoss())
    phi = np.array([0.0, 5.0])
    np.testing.assert_array_equal(backend.margins(phi), [0, 0])
    phi = np.array([1.0, 5.0])
    np.testing.assert_array_equal(backend.margins(phi), [1, 2])
    loss, gradient = backend.loss_and_gradient(phi)
    assert loss == pytest.approx((0.313262 + 3 * 0.126928) / 4, abs=5e-7)
    # -sigma(-1) = -.268941 on d = (1, 0) and -sigma(-2) = -.119203 on d = (2, 0)
    np.testing.assert_allclose(gradient, [(-0.268941 - 3 * 2 * 0.119203) / 4, 0], atol=1e-6)
    curvatures = backend.curvatures(np.array([0.0, 0.0]))
    np.testing.assert_array_equal(curvatures, [0.25 / 4, 3 * 0.25 / 4])
    np.testing.assert_array_equal(backend.gram(np.array([1.0, 10.0])), [[1 + 40, 0], [0, 0]])


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_answer_on_both_sides_of_a_pair_gets_both_contributions(backend: str) -> None:
    """Both answers go through the same φ: the chosen row adds to the gradient and the rejected row subtracts."""
    pairs = bt.PreferencePairs([[2.0]], [[3.0]])
    scorer = bt.MLPScorer(1, 1, "relu")
    phi = np.array([1.0, 0.0, 1.0])  # r = x for positive x, so Δ = -1
    slope = -1 / (1 + np.exp(-1.0))  # -sigma(1)
    gradient = scorer.unpack(bt.Objective(scorer, pairs, backend=backend)(phi)[1])
    np.testing.assert_allclose(gradient["hidden_weights"], [[slope * (2 - 3)]], rtol=1e-15)
    np.testing.assert_allclose(gradient["hidden_bias"], [0], atol=1e-16)
    np.testing.assert_allclose(gradient["output_weights"], [slope * (2 - 3)], rtol=1e-15)


# ----------------------------------------------------------------------------------------------------------- twin


def compare_backends(scorer, pairs, phi) -> None:
    """Assert that loss, margins, gradient and Hessian agree to 1e-13 of the largest entry."""
    fast, plain = (bt.Objective(scorer, pairs, l2=0.01, backend=backend) for backend in BACKENDS)
    assert (fast.backend, plain.backend) == BACKENDS
    have, want = fast.at(phi), plain.at(phi)
    assert have.loss == pytest.approx(want.loss, rel=1e-13)
    for name in ("gradient", "margins"):
        assert np.abs(getattr(have, name) - getattr(want, name)).max() <= 1e-13 * np.abs(getattr(want, name)).max()
    if scorer.linear_in_phi:
        hessian = plain.hessian(phi)
        assert np.abs(fast.hessian(phi) - hessian).max() <= 1e-13 * np.abs(hessian).max()


@pytest.mark.parametrize("names", SUBSETS, ids=str)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_backends_agree(scorer, names, random_pairs, rng) -> None:
    """The backends agree for every scorer and every combination of weights, labels and target margins."""
    compare_backends(scorer, random_pairs(scorer, 501, seed=5, extras=names), 3 * rng.normal(size=scorer.n_parameters))


@pytest.mark.full
@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.TableScorer(50), bt.MLPScorer(2, 3)], ids=str)
def test_backends_agree_on_three_hundred_thousand_pairs(scorer, random_pairs, rng) -> None:
    """The bound is the same for many pairs on several threads, so rounding errors do not add up."""
    compare_backends(scorer, random_pairs(scorer, 300_000), rng.normal(size=scorer.n_parameters))


def test_backends_agree_on_a_scorer_of_your_own(rng) -> None:
    """Any scorer with ``reward`` and ``backward`` works with both backends; only its loss is compiled."""
    pairs = bt.PreferencePairs(rng.normal(size=(50, 1)), rng.normal(size=(50, 1)), labels=rng.uniform(size=50))
    compare_backends(_Cubed(), pairs, np.array([1.3]))
    margins = bt.Objective(_Cubed(), pairs).margins([1.3])
    np.testing.assert_allclose(margins, 1.3**3 * (pairs.chosen - pairs.rejected)[:, 0], rtol=1e-13)


@pytest.mark.parametrize("base", [bt.LinearScorer(2), bt.MLPScorer(2, 3)], ids=str)
@pytest.mark.parametrize("backend", BACKENDS)
def test_methods_that_a_derived_scorer_overrides_are_used(base, backend: str, rng) -> None:
    """Shortcuts for our own scorers, such as subtracting features first, are not taken for derived classes."""

    class Doubled(type(base)):
        def reward(self, phi, features):
            return 2 * super().reward(phi, features)

        def backward(self, phi, features, d_rewards):
            return 2 * super().backward(phi, features, d_rewards)

    pairs = bt.PreferencePairs(rng.normal(size=(20, 2)), rng.normal(size=(20, 2)))
    phi = rng.normal(size=base.n_parameters)
    ours = bt.Objective(base, pairs, backend=backend).at(phi)
    doubled = bt.Objective(Doubled(**vars(base)), pairs, backend=backend).at(phi)
    np.testing.assert_allclose(doubled.margins, 2 * ours.margins, rtol=0, atol=1e-14)
    assert doubled.loss == pytest.approx(bt.mean_loss(2 * ours.margins), rel=1e-13)
    want = base.backward(phi, pairs.chosen, (slopes := 2 * bt.pair_loss_gradients(2 * ours.margins) / 20))
    want = want - base.backward(phi, pairs.rejected, slopes)
    np.testing.assert_allclose(doubled.gradient, want, rtol=0, atol=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_mlp_in_blocks_agrees_with_the_mlp_in_one_piece(activation: str, kernels, rng) -> None:
    """Many blocks, one of them without weight, give the numbers of NumPy, and the same bits on 1, 2 and 3 threads."""
    n = 1500
    weights = rng.uniform(0.5, 2, n)
    weights[128:256] = 0
    pairs = bt.PreferencePairs(
        rng.normal(size=(n, 5)),
        rng.normal(size=(n, 5)),
        weights=weights,
        labels=rng.uniform(size=n),
        target_margins=rng.normal(size=n),
    )
    scorer = bt.MLPScorer(5, 7, activation)
    phi = rng.normal(size=scorer.n_parameters)
    want_loss, want = bt.Objective(scorer, pairs, l2=0.1, backend=REFERENCE)(phi)
    answers = []
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        loss, gradient = bt.Objective(scorer, pairs, l2=0.1, backend=COMPILED)(phi)
        assert loss == pytest.approx(want_loss, rel=1e-13)
        np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * np.abs(want).max())
        answers.append((loss, gradient.tobytes()))
    assert answers[1:] == answers[:1] * 2


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_in_phi_is_nan_in_the_gradient(activation: str, backend: str, rng) -> None:
    """If one weight is NaN, the loss and every entry of the gradient are NaN: no branch hides it."""
    pairs = bt.PreferencePairs(rng.normal(size=(20, 5)), rng.normal(size=(20, 5)))
    scorer = bt.MLPScorer(5, 4, activation)
    phi = rng.normal(size=scorer.n_parameters)
    phi[0] = np.nan
    loss, gradient = bt.Objective(scorer, pairs, backend=backend)(phi)
    assert np.isnan(loss)
    assert np.isnan(gradient).all()


# -------------------------------------------------------------------------------------------------------- manners


def test_mlp_goes_forward_once_for_each_side(monkeypatch, rng) -> None:
    """The reference keeps the hidden layer for going back, so loss, gradient and margins take two forward passes."""
    calls = []
    forward = bt.MLPScorer.forward

    def counted(self, blocks, features):
        calls.append(len(features))
        return forward(self, blocks, features)

    monkeypatch.setattr(bt.MLPScorer, "forward", counted)
    scorer = bt.MLPScorer(2, 3)
    objective = bt.Objective(scorer, bt.PreferencePairs(rng.normal(size=(7, 2)), np.zeros((7, 2))), backend=REFERENCE)
    phi = rng.normal(size=scorer.n_parameters)
    for ask in (objective, objective.at, objective.margins):
        calls.clear()
        ask(phi)
        assert calls == [7, 7]


def test_a_loss_cannot_change_the_margins_that_it_is_given(rng) -> None:
    """The history and Newton's method use these margins too, so a loss gets them read-only."""

    class Careless:
        def value(self, z, t):
            np.clip(z, -1, 1, out=z)
            return z

    pairs = bt.PreferencePairs(*rng.normal(size=(2, 5, 2)))
    with pytest.raises(ValueError, match="read-only"):
        bt.Objective(bt.LinearScorer(2), pairs, loss=Careless()).at([1.0, 2.0])


@pytest.mark.parametrize(
    "scorer",
    [bt.LinearScorer(8), pytest.param(bt.TableScorer(50), marks=pytest.mark.full)],
    ids=str,
)
def test_objective_does_not_depend_on_the_number_of_kernel_threads(scorer, kernels, random_pairs, rng) -> None:
    """Loss, gradient, margins and Hessian of 140,000 pairs have the same bits on 1, 2 and 3 threads."""
    objective = bt.Objective(scorer, random_pairs(scorer, 140_000), backend=COMPILED)
    phi = rng.normal(size=scorer.n_parameters)
    results = []
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        _, loss, gradient, margins = objective.at(phi)
        results.append((loss, gradient.tobytes(), margins.tobytes(), objective.hessian(phi).tobytes()))
    assert results[1:] == results[:1] * 2


@pytest.mark.full
def test_objective_does_not_depend_on_the_threads_of_the_blas(run_python) -> None:
    """Whether the BLAS may use one thread or two, loss, gradient and Hessian have the same bits."""
    cases = ((COMPILED, 50_000, 1), (COMPILED, 100_000, 100), (REFERENCE, 20_000, 100))
    script = (
        "import hashlib, numpy as np, bradley_terry as bt\n"
        f"for backend, n, k in {cases}:\n"
        "    rng = np.random.default_rng(0)\n"
        "    pairs = bt.PreferencePairs(rng.normal(size=(n, k)), np.zeros((n, k)))\n"
        "    objective, phi = bt.Objective(bt.LinearScorer(k), pairs, backend=backend), rng.normal(size=k)\n"
        "    loss, gradient = objective(phi)\n"
        "    bits = np.array([loss]).tobytes() + gradient.tobytes() + objective.hessian(phi).tobytes()\n"
        "    print(hashlib.sha256(bits).hexdigest())\n"
    )
    one, two = (run_python(script, OPENBLAS_NUM_THREADS=t, OMP_NUM_THREADS=t, NUMBA_NUM_THREADS=t) for t in (1, 2))
    assert len(one.splitlines()) == 3
    assert one == two
