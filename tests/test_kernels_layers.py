"""The compiled passes of linear scorers and MLPs: against the layers in NumPy, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import kernels as compiled
from bradley_terry.kernels import passes
from bradley_terry.objective import COMPILED, REFERENCE
from bradley_terry.threads import blas_on_one_thread

full = pytest.mark.full


@pytest.fixture
def plain(monkeypatch):
    """Run every kernel as plain Python, which tests its source code instead of its compiled form."""
    for module in (compiled.compiled, passes):
        for name, function in list(vars(module).items()):
            if hasattr(function, "py_func"):
                monkeypatch.setattr(module, name, function.py_func)
    assert not hasattr(compiled.plain_blocks, "py_func")
    return compiled


@pytest.mark.parametrize(
    ("n", "d"), [(1, 1), (7, 3), (4097, 5), pytest.param(300, 64, marks=full), pytest.param(9000, 33, marks=full)]
)
def test_linear_pass_agrees_with_separate_steps(n: int, d: int, rng) -> None:
    """One pass gives the same loss and gradient as computing margins, losses and a matrix product one by one."""
    rows, phi = rng.normal(size=(n, d)), rng.normal(size=d)
    options = {"weights": rng.integers(0, 3, n) + (np.arange(n) == 0), "labels": rng.uniform(size=n)}
    options["target_margins"] = rng.normal(size=n)
    for chosen_options in ({}, {"labels": options["labels"]}, options):
        kept = np.empty(n)
        mean, gradient = compiled.linear_loss_and_gradient(rows, phi, margins=kept, **chosen_options)
        margins = rows @ phi
        w = chosen_options.get("weights", np.ones(n))
        rest = {name: v for name, v in chosen_options.items() if name != "weights"}
        want = (w * bt.pair_loss_gradients(margins, **rest) / w.sum()) @ rows
        assert mean == pytest.approx(bt.mean_loss(margins, **chosen_options), rel=1e-13)
        np.testing.assert_allclose(compiled.linear_margins(rows, phi), margins, rtol=0, atol=1e-14 * d)
        np.testing.assert_array_equal(kept, compiled.linear_margins(rows, phi))
        np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * np.abs(rows).max())


@full
def test_linear_pass_and_gram_do_not_depend_on_the_number_of_threads(kernels, rng) -> None:
    """Blocks and parts are the same for any number of threads, so 1, 2 and 3 threads give the same bits."""
    rows, phi, w = rng.normal(size=(200_001, 7)), rng.normal(size=7), rng.uniform(size=200_001)
    results = []
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        loss, gradient = kernels.linear_loss_and_gradient(rows, phi, weights=w)
        margins = kernels.linear_margins(rows, phi)
        results.append((loss, gradient.tobytes(), margins.tobytes(), kernels.weighted_gram(rows, w).tobytes()))
    assert results[1:] == results[:1] * 2


def test_gram_is_the_weighted_sum_of_outer_products(rng) -> None:
    """The Gram matrix is Σ w·d dᵀ, also if the last block is short."""
    rows, w = rng.normal(size=(5000, 4)), rng.uniform(size=5000)
    np.testing.assert_allclose(compiled.weighted_gram(rows, w), (rows * w[:, None]).T @ rows, rtol=1e-12)


@pytest.mark.parametrize("names", [(), ("labels", "weights")])
def test_linear_kernel_is_the_same_as_plain_python(names: tuple[str, ...], plain, rng) -> None:
    """Run as plain Python on a little more than one block, the linear kernel gives the numbers of the reference."""
    rows, phi = rng.normal(size=(1024 + 70, 3)), rng.normal(size=3)
    every = {"weights": rng.uniform(size=len(rows)), "labels": rng.uniform(size=len(rows))}
    options = {name: every[name] for name in names}
    mean, gradient = plain.linear_loss_and_gradient(rows, phi, **options)
    pairs = bt.PreferencePairs(rows, 0 * rows, **options)
    want_mean, want = bt.Objective(bt.LinearScorer(3), pairs, backend=REFERENCE)(phi)
    assert mean == pytest.approx(want_mean, rel=1e-13)
    np.testing.assert_allclose(gradient, want, rtol=1e-12)
    np.testing.assert_allclose(plain.linear_margins(rows, phi), rows @ phi, rtol=0, atol=1e-14)


# --------------------------------------------------------------------------------------------------- twin: the MLP


@pytest.mark.parametrize("options", [(), ("labels",), ("labels", "target_margins", "weights")])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("n", [1, 128, 129, pytest.param(9000, marks=full)])
def test_mlp_pass_agrees_with_the_layers_in_numpy(n: int, activation: str, options: tuple[str, ...], rng) -> None:
    """The pass over blocks gives the loss and gradient of the layers written in NumPy."""
    every = {"weights": rng.integers(0, 3, n) + (np.arange(n) == 0.0), "labels": rng.uniform(size=n)}
    every["target_margins"] = rng.normal(size=n)
    pairs = bt.PreferencePairs(
        rng.normal(size=(n, 5)), rng.normal(size=(n, 5)), **{name: every[name] for name in options}
    )
    scorer = bt.MLPScorer(5, 9, activation)
    phi = rng.normal(size=scorer.n_parameters)
    ours, twin = (bt.Objective(scorer, pairs, backend=backend) for backend in (COMPILED, REFERENCE))
    (loss, gradient), (want_loss, want) = ours(phi), twin(phi)
    assert loss == pytest.approx(want_loss, rel=1e-13)
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13 * max(1, np.abs(want).max()))
    np.testing.assert_allclose(ours.margins(phi), twin.margins(phi), rtol=0, atol=1e-13)


def test_mlp_pass_does_not_depend_on_the_number_of_threads(kernels, rng) -> None:
    """Several blocks, large enough for several threads, give the same bits on 1, 2 and 3 threads."""
    chosen, rejected = rng.normal(size=(2000, 128)), rng.normal(size=(2000, 128))
    phi = rng.normal(size=130 * 256) / 16
    results = []
    for threads in (1, 2, 3):
        kernels.set_threads(threads)
        with blas_on_one_thread(10**9):
            loss, gradient = kernels.mlp_loss_and_gradient(chosen, rejected, phi, 256)
        results.append((loss, gradient.tobytes()))
    assert results[1:] == results[:1] * 2


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("names", [(), ("labels", "weights")])
def test_mlp_kernel_is_the_same_as_plain_python(activation: str, names: tuple[str, ...], plain, rng) -> None:
    """Run as plain Python, the code between the two matrix products gives the numbers of the reference."""
    scorer = bt.MLPScorer(3, 4, activation)
    every = {"weights": rng.uniform(size=130), "labels": rng.uniform(size=130)}
    options = {name: every[name] for name in names}
    pairs = bt.PreferencePairs(rng.normal(size=(130, 3)), rng.normal(size=(130, 3)), **options)
    phi = rng.normal(size=scorer.n_parameters)
    mean, gradient = plain.mlp_loss_and_gradient(pairs.chosen, pairs.rejected, phi, 4, activation=activation, **options)
    want_mean, want = bt.Objective(scorer, pairs, backend=REFERENCE)(phi)
    assert mean == pytest.approx(want_mean, rel=1e-13)
    np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-13)
