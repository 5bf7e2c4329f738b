"""Which results are equal to the bit, and which up to rounding.

To the bit: the same call again, also in another process; any number of threads of ours and of the BLAS; arrays given in
another memory order, or mapped from a file. Up to rounding: the two backends, another order of the pairs, and float32
features compared with the same numbers in float64 (equal to the bit, where the reward is linear).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import bradley_terry as bt
from bradley_terry import inference


def data(n: int, dtype: type = np.float64, seed: int = 0) -> bt.PreferencePairs:
    """Return pairs with prompts, weights, labels and target margins."""
    rng = np.random.default_rng(seed)
    chosen, rejected = rng.normal(size=(2, n, 4)).astype(dtype)
    return bt.PreferencePairs(
        chosen,
        rejected,
        prompts=rng.integers(n // 3, size=n),
        weights=rng.uniform(0.5, 2, n),
        labels=rng.uniform(0.3, 1, n),
        target_margins=rng.normal(0, 0.1, n),
    )


def table(n: int) -> bt.PreferencePairs:
    rng = np.random.default_rng(1)
    a = rng.integers(12, size=n)
    return bt.PreferencePairs(a, (a + rng.integers(1, 12, n)) % 12)


def rankings(n: int) -> bt.PreferenceRankings:
    rng = np.random.default_rng(2)
    order = np.concatenate([rng.permutation(3) for _ in range(n)]) + 1
    return bt.PreferenceRankings(rng.normal(size=(3 * n, 4)), order, np.repeat(np.arange(n), 3))


def numbers(n: int, backend: str) -> dict[str, list[float]]:
    """Return what the public functions say about these data, as plain numbers, which keep every bit."""
    pairs, model = data(n), bt.fit(bt.LinearScorer(4), data(n), backend=backend)
    network = bt.fit(
        bt.MLPScorer(4, 3), data(min(n, 3000)), backend=backend, max_steps=2, validation=0.2, batch_size=512
    )
    descent = bt.fit(bt.LinearScorer(4), pairs, method="gradient_descent", backend=backend, max_steps=5)
    hinge = bt.Objective(bt.LinearScorer(4), pairs, loss=bt.losses.LabelSmoothing(0.1), backend=backend)
    ranked = bt.fit(bt.LinearScorer(4), rankings(n // 3), backend=backend)
    items = bt.fit(bt.TableScorer(12), table(n), backend=backend)
    firth = bt.fit(bt.LinearScorer(4), data(300), bias_reduced=True, backend=backend)
    evaluation = model.evaluate(pairs, n_bootstrap=50)
    tied = bt.PreferencePairs(pairs.chosen, pairs.rejected, labels=np.random.default_rng(3).choice([0, 0.5, 1], n))
    with_ties = bt.fit(bt.LinearScorer(4), tied, loss=bt.losses.RaoKupper(), backend=backend)
    found = {
        "ties": [*with_ties.phi, with_ties.loss.eta],
        "newton": [*model.phi, *model.history["loss"], *model.history["gradient_norm"]],
        "errors": [*model.standard_errors(), *model.standard_errors(kind="sandwich")],
        "bootstrap": [*firth.phi, *items.standard_errors(kind="bootstrap", n_bootstrap=3)],
        "network": [*network.phi, *network.history["validation_loss"]],
        "descent": [*descent.phi],
        "family": [hinge(model.phi)[0], *hinge(model.phi)[1], *hinge.hessian(model.phi).ravel()],
        "rankings": [*ranked.phi, *ranked.history["loss"]],
        "items": [*items.phi, *items.standard_errors()],
        "evaluation": [evaluation.mean_loss, evaluation.brier, evaluation.ece, *evaluation.accuracy_interval],
        "margins": [evaluation.margin_mean, evaluation.margin_sd, evaluation.reward_sd, *evaluation.margin_quantiles],
        "separated": [float(inference.separation(bt.LinearScorer(4), data(200)).is_separated)],
    }
    return {name: [float(x) for x in values] for name, values in found.items()}


def in_bits(found: dict[str, list[float]]) -> dict[str, list[str]]:
    return {name: [x.hex() for x in values] for name, values in found.items()}


SIZES = [900, pytest.param(60_000, marks=pytest.mark.full)]


@pytest.mark.full
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("n", [900, 60_000])
def test_threads_change_no_bit_of_any_result(n: int, backend: str) -> None:
    """Neither ours nor those of the BLAS, for one, two and five of each."""
    before, found = bt.threads.get_threads(), []
    try:
        for ours, of_blas in ((1, 1), (2, 4), (5, 2)):
            bt.threads.set_threads(ours)
            with threadpool_limits(of_blas, user_api="blas"):
                found.append(in_bits(numbers(n, backend)))
    finally:
        bt.threads.set_threads(before)
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.full
def test_another_process_finds_the_same_bits() -> None:
    """With another hash seed, too, since no result depends on the order of a set."""
    code = "import json, sys; sys.path.insert(0, sys.argv[1]); import test_numbers_equal as t\n"
    code += "print(json.dumps([t.in_bits(t.numbers(900, b)) for b in ('numpy', 'numba')]))"
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1]), "PYTHONHASHSEED": "77"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(here)], capture_output=True, text=True, env=environment, check=True
    )
    assert json.loads(done.stdout) == [in_bits(numbers(900, backend)) for backend in ("numpy", "numba")]


@pytest.mark.full
@pytest.mark.parametrize("n", [900, 60_000])
def test_backends_agree_up_to_rounding(n: int) -> None:
    """Fitted parameters to 1e-9 of their size, and means to 1e-14."""
    one, other = numbers(n, "numpy"), numbers(n, "numba")
    for name in one:
        k = min(len(one[name]), len(other[name])) if name in {"newton", "rankings"} else len(one[name])
        k = min(k, 4) if name in {"newton", "rankings"} else k  # a fit may take another number of steps
        np.testing.assert_allclose(one[name][:k], other[name][:k], rtol=1e-9, atol=1e-11, err_msg=name)
    assert one["evaluation"][0] == pytest.approx(other["evaluation"][0], rel=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_float32_features_give_the_bits_of_the_same_numbers_in_float64(backend: str) -> None:
    """A linear scorer subtracts in float64, so only the rounding of the features themselves is lost."""
    narrow = data(500, np.float32)
    wide = bt.PreferencePairs(
        narrow.chosen.astype(np.float64),
        narrow.rejected.astype(np.float64),
        prompts=narrow.prompts,
        weights=narrow.weights,
        labels=narrow.labels,
        target_margins=narrow.target_margins,
    )
    phi = np.array([0.3, -1.0, 0.5, 2.0])
    found = [bt.Objective(bt.LinearScorer(4), pairs, backend=backend) for pairs in (narrow, wide)]
    assert found[0](phi)[0] == found[1](phi)[0]
    np.testing.assert_array_equal(found[0](phi)[1], found[1](phi)[1])
    np.testing.assert_array_equal(found[0].hessian(phi), found[1].hessian(phi))
    fits = [bt.fit(bt.LinearScorer(4), pairs, backend=backend).phi for pairs in (narrow, wide)]
    np.testing.assert_array_equal(*fits)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_rounding_features_to_float32_changes_losses_by_a_millionth(backend: str) -> None:
    """Features rounded by 6e-8 move each margin by |φ|·|x|·1e-7 at most, and the loss by no more than that."""
    pairs, narrow = data(500), data(500, np.float32)
    phi = np.array([0.3, -1.0, 0.5, 2.0])
    wide, rounded = (bt.Objective(bt.LinearScorer(4), p, backend=backend)(phi)[0] for p in (pairs, narrow))
    most = 2.0**-24 * (np.abs(pairs.chosen) + np.abs(pairs.rejected)) @ np.abs(phi)
    assert 0 < abs(wide - rounded) <= most.max()
    network = np.random.default_rng(0).normal(size=18)
    wide, rounded = (bt.Objective(bt.MLPScorer(4, 3), p, backend=backend)(network)[0] for p in (pairs, narrow))
    assert wide == pytest.approx(rounded, rel=1e-5)


def test_float32_margins_give_losses_that_are_right_to_float32() -> None:
    """The mean of the compiled pass is kept in float64: its error is that of the losses, about 1e-7 of the mean."""
    z = np.random.default_rng(0).normal(0, 3, 2000).astype(np.float32)
    want = bt.mean_loss(z.astype(np.float64))
    assert bt.kernels.mean_loss_and_gradients(z)[0] == pytest.approx(want, rel=3e-7)
    assert bt.mean_loss(z) == pytest.approx(want, rel=3e-7)
    assert bt.pair_losses(z).dtype == np.float32


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_memory_order_and_maps_change_no_bit(backend: str, tmp_path: Path) -> None:
    """An array in column order, a strided one, and a mapped file hold the same numbers."""
    pairs = data(700)
    phi = np.array([0.3, -1.0, 0.5, 2.0])
    wanted = bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(pairs.chosen, pairs.rejected), backend=backend)(phi)
    np.savez(tmp_path / "pairs.npz", chosen=pairs.chosen, rejected=pairs.rejected)
    forms = [
        bt.PreferencePairs(np.asfortranarray(pairs.chosen), np.asfortranarray(pairs.rejected)),
        bt.PreferencePairs(np.repeat(pairs.chosen, 2, axis=1)[:, ::2], np.repeat(pairs.rejected, 2, axis=0)[::2]),
        bt.load_pairs(tmp_path / "pairs.npz"),
    ]
    for form in forms:
        loss, gradient = bt.Objective(bt.LinearScorer(4), form, backend=backend)(phi)
        assert loss == wanted[0]
        np.testing.assert_array_equal(gradient, wanted[1])
