"""What is measured: workloads, each with several implementations that do the same work.

Our implementation comes first. The others are peers (torch, jax, scikit-learn, …), which are measured if they are
installed, and limits of the machine, whose names are in brackets.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from itertools import cycle
from typing import Any, NamedTuple, cast

import numpy as np

from .. import kernels
from ..logistic import Array
from ..losses import PairLoss, mean_loss, pair_loss_gradients
from ..objective import COMPILED, REFERENCE, Objective
from ..pairs import PreferencePairs
from ..preference import sample_preferences
from ..ranking import Probit, Scaled
from ..ranking.rankings import PreferenceRankings
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from ..training import fit
from . import limits, peers, plain_forms
from .agreement import GRADIENT, Answers, same_estimates, same_loss, same_minimum
from .limits import one_read
from .peers import PEERS, Call

__all__ = ["GROUPS", "PEERS", "Answers", "Call", "Contest", "Group", "Workload", "one_read"]

Prepare = Callable[[], Call]  # prepares the data, which is not measured, and returns the call to be measured


@dataclass(frozen=True)
class Workload:
    """One piece of work and its implementations. The first of them is ours, and the others are compared with it.

    ``check`` raises ValueError if their answers differ, and returns remarks for the table. ``n_pairs`` is one number
    for all implementations, or one number for each, or None if the work has no pairs.
    """

    group: str
    size: str
    n_pairs: int | Mapping[str, int] | None
    implementations: Mapping[str, Prepare]
    check: Callable[[Answers], Mapping[str, str]] = lambda _: {}


Contest = Workload  # an older name


def pair_loss(n: int) -> Iterator[Workload]:
    """Mean loss of n margins and its gradient with respect to each margin."""
    z = np.random.default_rng(0).normal(1.0, 2.0, n)
    kernel = kernels.mean_loss_and_gradients
    implementations: dict[str, Prepare] = {
        "ours": lambda: lambda: kernel(z),
        "ours, out given": lambda: partial(kernel, z, np.empty(n)),
        "NumPy": lambda: lambda: (mean_loss(z), pair_loss_gradients(z) / n),
        "torch": partial(peers.torch_call, peers.margins_themselves, z, [(z,)]),
        "jax": partial(peers.jax_call, peers.margins_themselves, z, [(z,)]),
        "scikit-learn": partial(peers.sklearn_pair_loss, z),
        "scipy": partial(peers.scipy_pair_loss, z),
        "autograd": partial(peers.autograd_pair_loss, z),
    }
    if n >= 10_000:  # for fewer pairs, the seconds that it takes to compile are not worth it
        compiled = partial(peers.torch_call, peers.margins_themselves, z, [(z,)], compiled=True)
        implementations["torch.compile"] = compiled
    if n >= 1_000_000:
        implementations["ours, float32"] = lambda: partial(kernel, z.astype(np.float32))
    implementations["(copy)"] = partial(limits.copy, z)
    yield Workload("pair-loss", f"n = {n:,}", n, implementations, same_loss)


def growth(k: int, first: int, last: int) -> Iterator[Workload]:
    """Time our code on 10^first … 10^last pairs: a linear scorer with k features, or the pair-loss kernel if k = 0."""
    while last > first and 16 * 10**last * max(k, 1) > limits.memory() / 2:
        last -= 1
    rng, sizes = np.random.default_rng(0), {f"ours, n = {10**p:,}": 10**p for p in range(first, last + 1)}
    # The same numbers are repeated, so that the mean loss is the same at every size.
    data = np.resize(rng.normal(1.0, 2.0, 10**first * max(k, 1)), 10**last * max(k, 1))
    phi, out = rng.normal(size=k) / (2 * math.sqrt(max(k, 1))), np.empty(0 if k else 10**last)

    def work(n: int) -> Call:
        if k:
            return partial(kernels.linear_loss_and_gradient, data.reshape(-1, k)[:n], phi)
        return lambda: (kernels.mean_loss_and_gradients(data[:n], out[:n])[0], 1.0)

    implementations = {name: partial(work, n) for name, n in sizes.items()}
    yield Workload("growth", f"linear, {k} features" if k else "kernel", sizes, implementations, same_loss)


def linear(n: int, k: int) -> Iterator[Workload]:
    """Loss and gradient of a linear scorer on n pairs with k features, at one φ after the other."""
    pairs = _feature_pairs(n, k)
    phis = list(np.random.default_rng(0).normal(size=(2, k)) / math.sqrt(k))
    differences, points = np.asarray(pairs.chosen - pairs.rejected, dtype=np.float64), [(phi,) for phi in phis]
    implementations: dict[str, Prepare] = {
        "ours": partial(_objective_call, LinearScorer(k), pairs, phis),
        "NumPy": partial(_objective_call, LinearScorer(k), pairs, phis, backend=REFERENCE),
        "torch": partial(peers.torch_call, peers.linear_margins, differences, points),
        "jax": partial(peers.jax_call, peers.linear_margins, differences, points),
        "(one read)": lambda: limits.shared(partial(one_read, differences.reshape(-1)), differences.size),
    }
    yield Workload("linear", f"{n:,} × {k}", n, implementations, same_loss)


def linear_fit(n: int, k: int) -> Iterator[Workload]:
    """Fit a linear scorer: from the features of both answers to a φ whose gradient is at most 1e-8.

    scikit-learn needs both labels, so every second pair is given to it in reverse. The time to form the differences
    counts for every implementation, ours included.
    """
    pairs = _feature_pairs(n, k)
    label = np.arange(n) % 2 == 0
    a = np.where(label[:, None], pairs.chosen, pairs.rejected)
    b = np.where(label[:, None], pairs.rejected, pairs.chosen)

    def sklearn_fit(solver: str) -> Call:
        regression = import_module("sklearn.linear_model").LogisticRegression
        model = regression(C=np.inf, fit_intercept=False, tol=GRADIENT, solver=solver, max_iter=1000)
        return lambda: model.fit(a - b, label).coef_[0]

    implementations: dict[str, Prepare] = {
        "ours": lambda: lambda: fit(LinearScorer(k), pairs, tolerance=GRADIENT, backend=COMPILED).phi,
        "scikit-learn lbfgs": partial(sklearn_fit, "lbfgs"),
        "scikit-learn newton-cholesky": partial(sklearn_fit, "newton-cholesky"),
    }
    check = partial(same_minimum, Objective(LinearScorer(k), pairs, backend=COMPILED))
    yield Workload("linear-fit", f"{n:,} × {k}", n, implementations, check)


def table_fit(n: int, k: int) -> Iterator[Workload]:
    """Fit a table: from n comparisons between k items to the rewards of the items."""
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

    def choix_fit() -> Call:  # it adds alpha·|φ|² to the loss; 1e-9 is too little to change the compared digits
        comparisons = list(zip(chosen, rejected, strict=True))
        return partial(import_module("choix").opt_pairwise, k, comparisons, alpha=1e-9, tol=1e-8)

    implementations: dict[str, Prepare] = {
        "ours": lambda: lambda: fit(TableScorer(k), pairs, backend=COMPILED).phi,
        "evalica": evalica_fit,
    }
    if n <= 10_000:  # choix loops over the comparisons in Python
        implementations["choix"] = choix_fit
    yield Workload("table-fit", f"{n:,} pairs, {k} items", n, implementations, same_estimates)


def mlp(n: int, k: int, h: int) -> Iterator[Workload]:
    """Loss and gradient of an MLP with h hidden units on n pairs with k features, for tanh and ReLU."""
    pairs, rng = _feature_pairs(n, k), np.random.default_rng(0)
    both, d_hidden = np.concatenate([pairs.chosen, pairs.rejected]), rng.normal(size=(2 * n, h))
    for activation in ("tanh", "relu"):
        scorer = MLPScorer(k, h, activation)
        phis = [scorer.initial(rng) for _ in range(2)]
        points = [tuple(scorer.unpack(phi).values()) for phi in phis]
        implementations = {
            "ours": partial(_objective_call, scorer, pairs, phis),
            "torch": partial(peers.torch_call, peers.mlp_margins, both, points, activation=activation),
            "jax": partial(peers.jax_call, peers.mlp_margins, both, points, activation=activation),
            "(two products)": partial(limits.two_products, both, points[0][0], d_hidden),
        }
        yield Workload("mlp", f"{n:,} × {k} → {h}, {activation}", n, implementations, same_loss)


def rankings(n: int, answers: int, k: int) -> Iterator[Workload]:
    """Plackett-Luce of a linear scorer: loss and gradient on n rankings of several answers with k features."""
    rng = np.random.default_rng(0)
    x, phis = rng.normal(size=(n, answers, k)), list(rng.normal(size=(2, k)) / math.sqrt(k))
    ranks, prompts = np.tile(np.arange(1, answers + 1), n), np.repeat(np.arange(n), answers)
    data, points = PreferenceRankings(x.reshape(-1, k), ranks, prompts), [(phi,) for phi in phis]
    implementations: dict[str, Prepare] = {
        "ours": partial(_objective_call, LinearScorer(k), data, phis),
        "NumPy": partial(_objective_call, LinearScorer(k), data, phis, backend=REFERENCE),
        "torch": partial(peers.torch_ranking_call, x, points),
        "(one read)": lambda: limits.shared(partial(one_read, x.reshape(-1)), x.size),
    }
    yield Workload("rankings", f"{n:,} × {answers} × {k}", n, implementations, same_loss)


def family(n: int, k: int) -> Iterator[Workload]:
    """Loss and gradient of a linear scorer with each loss of the family, beside the form one would first write."""
    pairs, phi = _feature_pairs(n, k), np.random.default_rng(0).normal(size=k) / math.sqrt(k)
    pairs = replace(pairs, target_margins=np.full(n, plain_forms.M))
    plain, differences = replace(pairs, target_margins=None), pairs.chosen - pairs.rejected

    def plain_call(loss: PairLoss) -> Call:
        form = plain_forms.plain_form(loss)

        def call() -> object:
            losses, slopes = form(differences @ phi)
            return losses.mean(), differences.T @ slopes / n

        return call

    for loss in plain_forms.LOSSES:
        data = pairs if isinstance(loss, Scaled) else plain
        implementations: dict[str, Prepare] = {
            "ours": partial(_objective_call, LinearScorer(k), data, [phi], loss=loss),
            "scipy" if isinstance(loss, Probit) else "NumPy": partial(plain_call, loss),
        }
        yield Workload("losses", f"{type(loss).__name__}, {n:,} × {k}", n, implementations, same_loss)


def cold_start(*jobs: str) -> Iterator[Workload]:
    """Whole processes, with their compiled code already in the cache."""

    def process(*arguments: str) -> Prepare:
        return lambda: partial(subprocess.run, [sys.executable, *arguments], check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as folder:
        imports = {"ours": process("-c", "import bradley_terry"), "(import numpy)": process("-c", "import numpy")}
        train = {"ours": process("-m", "bradley_terry", "train", "--out", folder, "--force")}
        for job in jobs:
            yield Workload("cold-start", job, None, {"import": imports, "train, warm": train}[job])


def _objective_call(
    scorer: Scorer,
    pairs: PreferencePairs | PreferenceRankings,
    phis: Sequence[Array],
    backend: str = COMPILED,
    loss: PairLoss | None = None,
) -> Call:
    """Return a call that computes loss and gradient with this package, at one φ after the other."""
    data = cast("PreferencePairs", pairs)  # rankings are taken, too
    objective, next_phi = Objective(scorer, data, backend=backend, loss=loss), cycle(phis)
    return lambda: objective(next(next_phi))


def _feature_pairs(n: int, k: int) -> PreferencePairs:
    """Draw n pairs with k normal features; the true reward has margins of variance 1."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, n, k))
    a_wins = sample_preferences(a.sum(axis=1) / math.sqrt(2 * k), b.sum(axis=1) / math.sqrt(2 * k), rng)[:, None]
    return PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a))


class Group(NamedTuple):
    """Workloads of one kind: the function that makes them, its arguments for each size, and what is measured."""

    workloads: Callable[..., Iterator[Workload]]
    full_sizes: Sequence[tuple[Any, ...]]
    small_sizes: Sequence[tuple[Any, ...]]
    about: str


GROUPS: dict[str, Group] = {
    "pair-loss": Group(
        pair_loss,
        [(32,), (10_000,), (100_000,), (1_000_000,), (10_000_000,)],
        [(32,), (1_000,)],
        "mean loss of n margins, and its gradient",
    ),
    "growth": Group(growth, [(0, 5, 8), (16, 5, 7)], [(0, 2, 4), (3, 2, 3)], "our time per pair as n grows"),
    "linear": Group(linear, [(500_000, 64)], [(2_000, 8)], "loss and gradient, pairs × features"),
    "linear-fit": Group(
        linear_fit, [(20_000, 32), (500_000, 64)], [(500, 4)], "fit of a linear scorer, pairs × features"
    ),
    "table-fit": Group(table_fit, [(10_000, 200), (1_000_000, 200)], [(500, 6)], "fit of one reward for each item"),
    "mlp": Group(
        mlp,
        [(64, 16, 32), (256, 32, 64), (2_048, 128, 256)],
        [(20, 4, 8)],
        "loss and gradient, pairs × features → hidden units",
    ),
    "rankings": Group(
        rankings, [(200_000, 8, 16)], [(200, 4, 3)], "Plackett-Luce, loss and gradient, rankings × answers × features"
    ),
    "losses": Group(family, [(200_000, 16)], [(500, 4)], "every loss of the family, pairs × features"),
    "cold-start": Group(
        cold_start, [("import", "train, warm")], [("import",)], "a new process, kernels already compiled"
    ),
}
