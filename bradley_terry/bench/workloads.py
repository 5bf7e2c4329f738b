"""What is measured: contests of contenders that do the same work, the judges of their answers, and the limits.

Ours comes first in each contest. A peer (torch, jax, scikit-learn, …) is imported only when its turn is prepared, and
holds the data as it likes them best before the clock starts. A limit, in brackets, is no rival but the least that any
program must do: copy the bytes, read the data once, the matrix products alone. ``benchmark`` runs all this.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import cycle, pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from . import kernels
from .losses import mean_loss, pair_loss_gradients
from .objective import Objective
from .pairs import PreferencePairs
from .preference import sample_preferences
from .scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from .training import fit

__all__ = ["GROUPS", "PEERS", "Answers", "Call", "Contest", "one_read"]

Array = NDArray[np.float64]
Call = Callable[[], object]  # does the work once and returns its answer
Prepare = Callable[[], Call]  # brings the data into place, untimed, and returns the call to be timed
Answers = Mapping[str, object]

SAME = 1e-6  # relative for losses and gradients, absolute for estimates: what counts as the same answer
GRADIENT = 1e-8  # largest entry of the mean loss's gradient at which a linear fit is done
PEERS = {  # the first word of a contender's name → what to import
    "torch": "torch", "torch.compile": "torch", "jax": "jax", "scikit-learn": "sklearn", "scipy": "scipy",
    "autograd": "autograd", "choix": "choix", "evalica": "evalica",
}  # fmt: skip


@dataclass(frozen=True)
class Contest:
    """Contenders that do the same work; the first of them is ours, and the others are compared with it.

    ``judge`` raises ValueError if their answers are not the same, and returns remarks. ``n_pairs`` is one number for
    all, or one for each, or None where there are no pairs to count.
    """

    group: str
    size: str
    n_pairs: int | Mapping[str, int] | None
    contenders: Mapping[str, Prepare]
    judge: Callable[[Answers], Mapping[str, str]] = lambda _: {}


# ------------------------------------------------------------------------------------------------------- the judges


def _same_loss(answers: Answers) -> dict[str, str]:
    """Raise ValueError unless all answers (loss, gradient) are that of the first; limits answer nothing."""
    flat = {name: _flat(answer) for name, answer in answers.items() if answer is not None}
    loss, gradient = next(iter(flat.values()))
    for name, (its_loss, its_gradient) in flat.items():
        if not abs(its_loss - loss) <= SAME * abs(loss):
            raise ValueError(f"{name} does not do the same work: its loss is {its_loss!r}, ours {loss!r}")
        if not np.abs(its_gradient - gradient).max() <= SAME * np.abs(gradient).max():
            raise ValueError(f"{name} does not do the same work: its gradient differs from ours")
    return {}


def _flat(answer: Any) -> tuple[float, Array]:
    """Return loss and flat gradient from the arrays of any framework."""
    loss, gradient = answer
    parts = gradient if isinstance(gradient, list | tuple) else [gradient]
    return float(loss), np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for part in parts])


def _same_minimum(objective: Objective, answers: Answers) -> dict[str, str]:
    """Raise ValueError unless all φ have the loss of the first; say which gradient each reached."""
    found = {name: objective(np.asarray(phi)) for name, phi in answers.items()}
    _same_loss({name: (loss, 1.0) for name, (loss, _) in found.items()})
    largest = {name: float(np.abs(gradient).max()) for name, (_, gradient) in found.items()}
    return {name: f"gradient {g:.0e}{'' if g <= GRADIENT else ', too early'}" for name, g in largest.items()}


def _same_estimates(answers: Answers) -> dict[str, str]:
    """Raise ValueError unless all rewards, less their mean, are those of the first; say how far apart they are."""
    rewards = {name: np.asarray(answer) for name, answer in answers.items()}
    centred = [r - r.mean() for r in rewards.values()]
    apart = {name: float(np.abs(r - centred[0]).max()) for name, r in zip(rewards, centred, strict=True)}
    for name, distance in apart.items():
        if not distance <= SAME:
            raise ValueError(f"{name} does not do the same work: its estimates differ from ours by {distance:.1e}")
    return {name: f"differs by {distance:.0e}" for name, distance in apart.items() if distance}


# ------------------------------------------------------------------------------------------------------ the contests


def _pair_loss(n: int) -> Iterator[Contest]:
    """Mean loss of n margins and its gradient with respect to each."""
    z = np.random.default_rng(0).normal(1.0, 2.0, n)
    kernel = kernels.mean_loss_and_gradients
    contenders: dict[str, Prepare] = {
        "ours": lambda: lambda: kernel(z),
        "ours, out given": lambda: partial(kernel, z, np.empty(n)),
        "NumPy": lambda: lambda: (mean_loss(z), pair_loss_gradients(z) / n),
        "torch": partial(_torch, _itself, z, [(z,)]),
        "jax": partial(_jax, _itself, z, [(z,)]),
        "scikit-learn": partial(_sklearn_pair_loss, z),
        "scipy": partial(_scipy_pair_loss, z),
        "autograd": partial(_autograd_pair_loss, z),
    }
    if n >= 10_000:  # below that, its seconds of compilation are all that one would notice
        contenders["torch.compile"] = partial(_torch, _itself, z, [(z,)], compiled=True)
    if n >= 1_000_000:
        contenders["ours, float32"] = lambda: partial(kernel, z.astype(np.float32))
    contenders["(copy)"] = partial(_copy, z)
    yield Contest("pair-loss", f"n = {n:,}", n, contenders, _same_loss)


def _growth(k: int, first: int, last: int) -> Iterator[Contest]:
    """Ours alone on 10^first … 10^last pairs: the linear pass with k features, or with none the kernel."""
    while last > first and 16 * 10**last * max(k, 1) > _memory() / 2:
        last -= 1
    rng, sizes = np.random.default_rng(0), {f"ours, n = {10**p:,}": 10**p for p in range(first, last + 1)}
    # The same numbers again and again, so that the mean loss is the same at every size.
    data = np.resize(rng.normal(1.0, 2.0, 10**first * max(k, 1)), 10**last * max(k, 1))
    phi, out = rng.normal(size=k) / (2 * math.sqrt(max(k, 1))), np.empty(0 if k else 10**last)

    def work(n: int) -> Call:
        if k:
            return partial(kernels.linear_loss_and_gradient, data.reshape(-1, k)[:n], phi)
        return lambda: (kernels.mean_loss_and_gradients(data[:n], out[:n])[0], 1.0)

    contenders = {name: partial(work, n) for name, n in sizes.items()}
    yield Contest("growth", f"linear, {k} features" if k else "kernel", sizes, contenders, _same_loss)


def _linear(n: int, k: int) -> Iterator[Contest]:
    """Loss and gradient of a linear scorer on n pairs with k features, at another φ on each call."""
    pairs = _feature_pairs(n, k)
    phis = list(np.random.default_rng(0).normal(size=(2, k)) / math.sqrt(k))
    differences, leaves = np.asarray(pairs.chosen - pairs.rejected, dtype=np.float64), [(phi,) for phi in phis]
    contenders: dict[str, Prepare] = {
        "ours": partial(_ours, LinearScorer(k), pairs, phis),
        "NumPy": partial(_ours, LinearScorer(k), pairs, phis, backend="numpy"),
        "torch": partial(_torch, _linear_margins, differences, leaves),
        "jax": partial(_jax, _linear_margins, differences, leaves),
        "(one read)": lambda: _shared(partial(one_read, differences.reshape(-1)), differences.size),
    }
    yield Contest("linear", f"{n:,} × {k}", n, contenders, _same_loss)


def _linear_fit(n: int, k: int) -> Iterator[Contest]:
    """From the features of both answers to a φ with gradient 1e-8.

    For scikit-learn the answers change places in every second pair, since it wants to see both labels; differences are
    formed within its time, as they are within ours.
    """
    pairs = _feature_pairs(n, k)
    label = np.arange(n) % 2 == 0
    a = np.where(label[:, None], pairs.chosen, pairs.rejected)
    b = np.where(label[:, None], pairs.rejected, pairs.chosen)

    def sklearn_fit(solver: str) -> Call:
        regression = import_module("sklearn.linear_model").LogisticRegression
        model = regression(C=np.inf, fit_intercept=False, tol=GRADIENT, solver=solver, max_iter=1000)
        return lambda: model.fit(a - b, label).coef_[0]

    contenders: dict[str, Prepare] = {
        "ours": lambda: lambda: fit(LinearScorer(k), pairs, tolerance=GRADIENT).phi,
        "scikit-learn lbfgs": partial(sklearn_fit, "lbfgs"),
        "scikit-learn newton-cholesky": partial(sklearn_fit, "newton-cholesky"),
    }
    judge = partial(_same_minimum, Objective(LinearScorer(k), pairs))
    yield Contest("linear-fit", f"{n:,} × {k}", n, contenders, judge)


def _table_fit(n: int, k: int) -> Iterator[Contest]:
    """From n contests between k items to their rewards."""
    rng = np.random.default_rng(0)
    rewards, a = rng.normal(size=k), rng.integers(k, size=n)
    b = (a + rng.integers(1, k, size=n)) % k
    a_wins = sample_preferences(rewards[a], rewards[b], rng)
    pairs = PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a))
    chosen, rejected = pairs.chosen.tolist(), pairs.rejected.tolist()

    def evalica_fit() -> Call:
        evalica, index = import_module("evalica"), import_module("pandas").Index(range(k))
        work = partial(evalica.bradley_terry, chosen, rejected, [evalica.Winner.X] * n, index, tolerance=1e-8)
        return lambda: np.log(work(limit=10_000).scores.sort_index().to_numpy())

    def choix_fit() -> Call:  # it adds alpha·|φ|², and 1e-9 of that is below notice
        contests = list(zip(chosen, rejected, strict=True))
        return partial(import_module("choix").opt_pairwise, k, contests, alpha=1e-9, tol=1e-8)

    contenders: dict[str, Prepare] = {"ours": lambda: lambda: fit(TableScorer(k), pairs).phi, "evalica": evalica_fit}
    if n <= 10_000:  # it works in Python, contest by contest
        contenders["choix"] = choix_fit
    yield Contest("table-fit", f"{n:,} of {k}", n, contenders, _same_estimates)


def _mlp(n: int, k: int, h: int) -> Iterator[Contest]:
    """Loss and gradient of an MLP with h hidden units on n pairs with k features, for tanh and ReLU."""
    pairs, rng = _feature_pairs(n, k), np.random.default_rng(0)
    both, d_hidden = np.concatenate([pairs.chosen, pairs.rejected]), rng.normal(size=(2 * n, h))
    for activation in ("tanh", "relu"):
        scorer = MLPScorer(k, h, activation)
        phis = [scorer.initial(rng) for _ in range(2)]
        leaves = [tuple(scorer.unpack(phi).values()) for phi in phis]
        contenders = {
            "ours": partial(_ours, scorer, pairs, phis),
            "torch": partial(_torch, _mlp_margins, both, leaves, activation=activation),
            "jax": partial(_jax, _mlp_margins, both, leaves, activation=activation),
            "(two products)": partial(_products, both, leaves[0][0], d_hidden),
        }
        yield Contest("mlp", f"{n:,} × {k} → {h}, {activation}", n, contenders, _same_loss)


def _cold_start(*jobs: str) -> Iterator[Contest]:
    """Whole processes, their compiled code already in the cache."""

    def process(*arguments: str) -> Prepare:
        return lambda: partial(subprocess.run, [sys.executable, *arguments], check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as folder:
        imports = {"ours": process("-c", "import bradley_terry"), "(import numpy)": process("-c", "import numpy")}
        train = {"ours": process("-m", "bradley_terry", "train", "--out", folder, "--force")}
        for job in jobs:
            yield Contest("cold-start", job, None, {"import": imports, "train, warm": train}[job])


def _feature_pairs(n: int, k: int) -> PreferencePairs:
    """Draw n pairs with k normal features, chosen by a reward whose margins have variance one."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, n, k))
    a_wins = sample_preferences(a.sum(axis=1) / math.sqrt(2 * k), b.sum(axis=1) / math.sqrt(2 * k), rng)[:, None]
    return PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a))


GROUPS: dict[str, tuple[Callable[..., Iterator[Contest]], Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]]] = {
    "pair-loss": (_pair_loss, [(32,), (10_000,), (100_000,), (1_000_000,), (10_000_000,)], [(32,), (1_000,)]),
    "growth": (_growth, [(0, 5, 8), (16, 5, 7)], [(0, 2, 4), (3, 2, 3)]),
    "linear": (_linear, [(500_000, 64)], [(2_000, 8)]),
    "linear-fit": (_linear_fit, [(20_000, 32), (500_000, 64)], [(500, 4)]),
    "table-fit": (_table_fit, [(10_000, 200), (1_000_000, 200)], [(500, 6)]),
    "mlp": (_mlp, [(64, 16, 32), (256, 32, 64), (2_048, 128, 256)], [(20, 4, 8)]),
    "cold-start": (_cold_start, [("import", "train, warm")], [("import",)]),
}
"""Name → contests, and the arguments for their full and their small sizes."""


# ---------------------------------------------------------------------------------------------------- the contenders

# A formula takes the data, a function x, W, b → act(x W + b), and parameters ("leaves"), and returns margins.


def _itself(data: Any, layer: Any, z: Any) -> Any:
    return z


def _linear_margins(data: Any, layer: Any, phi: Any) -> Any:
    return data @ phi


def _mlp_margins(data: Any, layer: Any, weights: Any, bias: Any, head: Any) -> Any:
    rewards = layer(data, weights, bias) @ head
    return rewards[: len(rewards) // 2] - rewards[len(rewards) // 2 :]


def _ours(scorer: Scorer, pairs: PreferencePairs, phis: Sequence[Array], backend: str = "numba") -> Call:
    objective, turn = Objective(scorer, pairs, backend=backend), cycle(phis)
    return lambda: objective(next(turn))


def _torch(
    formula: Callable[..., Any], data: Array, leaves: Any, *, activation: str = "tanh", compiled: bool = False
) -> Call:
    torch = import_module("torch")
    x, act = torch.from_numpy(data), getattr(torch, activation)
    turn = cycle([tuple(torch.from_numpy(leaf.copy()).requires_grad_() for leaf in some) for some in leaves])

    def loss_of(*some: Any) -> Any:
        margins = formula(x, lambda x, weights, bias: act(torch.addmm(bias, x, weights)), *some)
        return -torch.nn.functional.logsigmoid(margins).mean()

    forward = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def call() -> object:
        some = next(turn)
        for leaf in some:
            leaf.grad = None
        loss = forward(*some)
        loss.backward()
        return loss.item(), [leaf.grad for leaf in some]

    return call


def _jax(formula: Callable[..., Any], data: Array, leaves: Any, *, activation: str = "tanh") -> Call:
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    x, act = jnp.asarray(data), getattr(jax.nn, activation)
    turn = cycle([tuple(jnp.asarray(leaf) for leaf in some) for some in leaves])

    def loss_of(some: Any, x: Any) -> Any:
        return -jax.nn.log_sigmoid(formula(x, lambda x, weights, bias: act(x @ weights + bias), *some)).mean()

    step = jax.jit(jax.value_and_grad(loss_of))
    return lambda: jax.block_until_ready(step(next(turn), x))


def _autograd_pair_loss(z: Array) -> Call:
    xp = import_module("autograd.numpy")
    step = import_module("autograd").value_and_grad(lambda z: xp.mean(xp.logaddexp(0.0, -z)))
    return lambda: step(z)


def _sklearn_pair_loss(z: Array) -> Call:
    """Every label is 1, every weight 1/n; it is given arrays to write to, as by scikit-learn's own solvers."""
    work = import_module("sklearn._loss").HalfBinomialLoss().loss_gradient
    ones, shares, losses, gradients = np.ones_like(z), np.full_like(z, 1 / z.size), np.empty_like(z), np.empty_like(z)
    threads = kernels.get_threads()
    return lambda: (work(ones, z, shares, losses, gradients, threads)[0].sum(), gradients)


def _scipy_pair_loss(z: Array) -> Call:
    special = import_module("scipy.special")
    return lambda: (-special.log_expit(z).mean(), special.expit(-z) / -z.size)


# ---------------------------------------------------------------------------------------------------------- the limits


def _shared(work: Callable[[int, int], object], n: int) -> Call:
    """Return a call of work(first, last) on ranges that make up 0 … n - 1, shared among as many threads as ours."""
    n_threads = kernels.get_threads() if n >= 100_000 else 1  # less is not worth waking a thread for
    edges, pool = [n * part // n_threads for part in range(n_threads + 1)], ThreadPoolExecutor(n_threads)

    def call() -> None:
        if n_threads == 1:
            work(0, n)
            return
        for future in [pool.submit(work, first, last) for first, last in pairwise(edges)]:
            future.result()

    return call


def _copy(values: Array) -> Call:
    """As many bytes read and written as ours reads and writes."""
    out = np.empty_like(values)
    return _shared(lambda first, last: np.copyto(out[first:last], values[first:last]), values.size)


@numba.njit(nogil=True, fastmath={"reassoc", "nsz"})
def one_read(values, first, last):  # type: ignore[no-untyped-def]
    """Return a sum: it reads and adds, several numbers at a time ("reassoc"), and does nothing else."""
    part, result = values[first:last], 0.0
    for i in range(part.size):
        result += part[i]
    return result


def _products(x: Array, weights: Array, d_hidden: Array) -> Call:
    """Return a call of the two matrix products of a step, x W and xᵀ dA, with as many threads as the BLAS likes."""
    hidden, d_weights = np.empty_like(d_hidden), np.empty(weights.shape)

    def call() -> None:
        np.matmul(x, weights, out=hidden)
        np.matmul(x.T, d_hidden, out=d_weights)

    return call


def _memory() -> float:
    """Return the machine's memory in bytes, 8 GB where it does not say."""
    known = hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) if known else 8e9
