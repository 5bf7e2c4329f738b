"""The objective L(φ): the mean pair loss as a function of the parameters, with its gradient and its Hessian.

    L(φ)    = Σ w·l(Δ - m, t) / Σ w + (l2/2)·|φ|²                with Δ = r_φ(x, y_chosen) - r_φ(x, y_rejected)
    ∇L(φ)   = Σ w·l'(Δ - m, t)·dΔ/dφ / Σ w + l2·φ
    ∇²L(φ)  = Σ w·l''(Δ - m, t)·d dᵀ / Σ w + l2·I               if Δ is linear in φ, with d = dΔ/dφ

A backend computes everything that depends on the pairs. It is chosen once, when the objective is made: the compiled
kernels for large problems, and NumPy for small ones, which it solves in less time than the kernels take to load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .arrays import given, single
from .backend import Backend, NumpyBackend, subtracts_first
from .fitting.compiler import THE_BACKEND, has_compiler
from .fitting.matching import matched
from .fitting.penalties import Penalties
from .logistic import Array
from .losses import PairLoss
from .pairs import PreferencePairs, check_fit, shifted
from .scorers import MLPScorer, Scorer
from .threads import blas_on_one_thread

__all__ = ["BACKENDS", "COMPILED", "REFERENCE", "Objective", "Point", "blas_on_one_thread", "chosen_backend", "warmup"]

BACKENDS = AUTO, REFERENCE, COMPILED = "auto", "numpy", "numba"
WORTH_COMPILING, PASSES = 1_000_000, 50  # with less work in each of 50 passes, loading the kernels costs more


class Point(NamedTuple):
    """The values of an objective at one φ: loss and gradient with the penalties, and the margins of the pairs."""

    phi: Array
    loss: float
    gradient: Array
    margins: Array


class Objective:
    """L(φ) for one scorer and one set of pairs: call it with φ to get (loss, gradient), as SciPy's ``minimize`` does.

    Parameters
    ----------
    scorer : LinearScorer, MLPScorer, TableScorer or any ``Scorer``
    pairs : PreferencePairs or PreferenceRankings
    l2 : float, at least 0
        Adds ``l2/2·|φ|²`` to the mean loss: a Gaussian prior of variance 1 / (l2·Σ w) on every parameter.
    loss : PairLoss, optional
        By default -log sigma(Δ), or Plackett-Luce for rankings. Others are compiled only for linear scorers of pairs.
    backend : "auto", "numpy" or "numba"
        "numba" means the compiled kernels; "auto" uses them where that is faster. The results agree up to rounding.
    centring : float, at least 0
        Adds this number times the mean of (r_chosen + r_rejected)², which pulls the mean reward of a pair to 0.

    Raises
    ------
    ValueError, TypeError, ModuleNotFoundError
        If scorer and pairs do not fit together, an argument is out of range, or Numba is asked for but missing.

    Examples
    --------
    >>> from bradley_terry import LinearScorer
    >>> loss, gradient = Objective(LinearScorer(1), PreferencePairs([[1.5]], [[0.0]]))([1.0])
    >>> print(f"{loss:.6f} {gradient[0]:.6f}")
    0.201413 -0.273638
    """

    def __init__(
        self,
        scorer: Scorer,
        pairs: PreferencePairs,
        *,
        l2: float = 0.0,
        loss: PairLoss | None = None,
        backend: str = AUTO,
        centring: float = 0.0,
    ) -> None:
        check_fit(scorer, pairs, loss)
        self._penalties = Penalties(scorer, pairs, l2, centring)
        self.scorer, self.pairs, self.l2, self.centring = scorer, pairs, self._penalties.l2, self._penalties.centring
        self.loss: PairLoss = pairs.usual_loss() if loss is None else getattr(loss, "of_pairs", lambda _: loss)(pairs)
        is_usual = type(self.loss) is pairs.usual_loss  # a subclass is another loss
        has_kernels = is_usual or (subtracts_first(scorer) and isinstance(pairs, PreferencePairs))
        chosen = chosen_backend(backend, work_of(scorer, pairs))
        self.backend = chosen if has_kernels else REFERENCE
        self._backend: Backend = getattr(pairs, "reference_backend", NumpyBackend)(scorer, pairs, self.loss)
        if self.backend == COMPILED:
            from .kernels.backends import compiled_backend  # noqa: PLC0415  # imports Numba, on first use

            self._backend = compiled_backend(scorer, pairs, self.loss)

    def __repr__(self) -> str:
        return f"Objective({self.scorer}, {self.pairs}, l2={self.l2:g}, backend={self.backend!r})"

    def __call__(self, phi: ArrayLike) -> tuple[float, Array]:
        """Return the loss, a float in nats, and its gradient, (n_parameters,)."""
        phi = self._checked(phi)
        return self._penalties.added(phi, *self._backend.loss_and_gradient(phi))

    def at(self, phi: ArrayLike) -> Point:
        """Return loss, gradient and margins at φ together, so that nothing is computed twice."""
        phi = self._checked(phi)
        loss, gradient, margins = self._backend.all_at(phi)
        return Point(phi.copy(), *self._penalties.added(phi, loss, gradient), margins)

    def margins(self, phi: ArrayLike) -> Array:
        """Return Δ = r_φ(x, y_chosen) - r_φ(x, y_rejected), (n_pairs,), in log-odds, without target margins."""
        return self._backend.margins(self._checked(phi))

    def shifted(self, margins: Array) -> Array:
        """Return z = Δ - m, (n_pairs,): the margins minus the target margins of the pairs."""
        return shifted(self._of_pairs(margins, "margins"), self.pairs)

    def hessian(self, phi: ArrayLike, *, margins: Array | None = None) -> Array:
        """Return d²L/dφ², (n_parameters, n_parameters), for a scorer that is linear in φ.

        For such a scorer d = dΔ/dφ does not depend on φ, so the chain rule has no further term. If l'' >= 0, L is
        convex. Pass the ``margins`` at φ if you already have them.
        """
        if not self.scorer.linear_in_phi:
            raise TypeError(f"hessian: expected a scorer that is linear in phi, got {self.scorer}")
        delta = self.margins(phi) if margins is None else self._of_pairs(margins, "margins")
        return self.gram(self._backend.curvatures(delta))

    def products(self, margins: Array, curvatures: Array | None = None) -> tuple[Array, Callable[[Array], Array]]:
        """Return d²L/dΔ² for each pair, (n_pairs,), and a function that computes d²L/dφ²·v without the matrix."""
        c = self._backend.curvatures(margins) if curvatures is None else curvatures
        return c, lambda v: self._backend.product(c, v) + self._penalties.product(v)

    def gram(self, d2_margins: Array) -> Array:
        """Return Σ d2_margins[i]·d_i d_iᵀ plus the Hessian of the penalties: the Hessian of L, or a bound on it."""
        return self._penalties.add_hessian(self._backend.gram(self._of_pairs(d2_margins, "d2_margins")))

    def on(self, pairs: PreferencePairs, l2: float | None = None, centring: float | None = None) -> Objective:
        """Return the same objective for other pairs: same loss, same backend, and by default the same penalties."""
        l2, centring = self.l2 if l2 is None else l2, self.centring if centring is None else centring
        pairs = matched(self.scorer, self.pairs.feature_names, pairs)
        return Objective(self.scorer, pairs, l2=l2, centring=centring, loss=self.loss, backend=self.backend)

    def _checked(self, phi: ArrayLike) -> Array:
        return given.float64(phi, "phi", (self.scorer.n_parameters,))

    def _of_pairs(self, values: Array, name: str) -> Array:
        return given.float64(values, name, (len(self.pairs),) if isinstance(self.pairs, PreferencePairs) else None)


def work_of(scorer: Scorer, pairs: PreferencePairs, n_passes: int = PASSES) -> float:
    """Return the work of ``n_passes`` passes over the pairs: numbers in the features × hidden units × passes / 50."""
    features = pairs.chosen if isinstance(pairs, PreferencePairs) else pairs.features
    return features.size * (scorer.n_hidden if type(scorer) is MLPScorer else 1) * n_passes / PASSES


def chosen_backend(backend: str = AUTO, work: float = np.inf) -> str:
    """Return the backend to use, "numpy" or "numba", for work as ``work_of`` counts it."""
    single.one_of("backend", backend, BACKENDS)
    if backend == REFERENCE or (backend == AUTO and work < WORTH_COMPILING):
        return REFERENCE
    return COMPILED if has_compiler(THE_BACKEND if backend == COMPILED else "") else REFERENCE


def warmup() -> None:
    """Compile all kernels before they are needed, for example before a lecture. Without Numba this does nothing."""
    if chosen_backend() == COMPILED:
        from .kernels import warmup as compile_all  # noqa: PLC0415  # imports Numba

        compile_all()
