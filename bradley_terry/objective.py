"""The objective L(φ): the mean pair loss as a function of the parameters, with its gradient and its Hessian.

    forward   r_c = r_φ(x, y_c),  r_r = r_φ(x, y_r)     Δ = r_c - r_r     L = Σ w·l(Δ - m, t) / Σ w + (l2/2)·|φ|²
    back      d_margins = w·l'(Δ - m, t) / Σ w          d_r_c = +d_margins,  d_r_r = -d_margins
              dL/dφ = backward(y_c, d_r_c) + backward(y_r, d_r_r) + l2·φ

Both answers go through the same φ, so the gradient adds what each of them says, with opposite signs.

Products of matrices are the work of a BLAS, which may cut its sums differently for another number of threads. Here it
works on one thread, so that the same data give the same numbers, bit for bit, on any number of cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .losses import BradleyTerryLoss, PairLoss, weighted_mean
from .pairs import PreferencePairs
from .scorers import Features, LinearScorer, MLPScorer, Scorer

if TYPE_CHECKING:
    from threadpoolctl import LibController

__all__ = ["Objective", "blas_on_one_thread", "chosen_backend", "warmup"]

Array = NDArray[np.float64]

REFERENCE = "numpy"
COMPILED = "numba"

LARGE = 2**23  # entries of features, 64 MB of differences, beyond which mapped files are streamed


class _HasHessian(Protocol):
    def hessian(self, chosen: Features, rejected: Features, d2_margins: Array) -> Array: ...


class Objective:
    """L(φ) for one scorer and one set of pairs: call it with φ to get (loss, gradient).

    Parameters
    ----------
    scorer : LinearScorer, MLPScorer, TableScorer or any ``Scorer``
    pairs : PreferencePairs
    l2 : float, at least 0
        Adds l2/2·|φ|² once: a Gaussian prior of variance 1 / (l2·Σ w) on every parameter.
    loss : PairLoss, optional
        Another loss of the margin; -log sigma unless given.
    backend : "numba" or "numpy"
        Who computes the pair losses. Both give the same numbers; without Numba installed, NumPy serves.

    Raises
    ------
    ValueError
        If scorer and pairs do not fit together, or an argument is out of range.

    Notes
    -----
    The callable is what ``scipy.optimize.minimize(objective, phi, jac=True)`` wants. Because L is a weighted mean, the
    objectives of shards of the data, each times its Σ w, add up to the objective of all the data.

    Examples
    --------
    >>> objective = Objective(LinearScorer(1), PreferencePairs([[1.5]], [[0.0]]))
    >>> loss, gradient = objective(np.array([1.0]))
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
        backend: str = "numba",
    ) -> None:
        if not isinstance(pairs, PreferencePairs):
            raise TypeError(f"pairs: expected PreferencePairs, got {type(pairs).__name__}")
        if not hasattr(scorer, "backward") or isinstance(scorer, type):
            raise TypeError(f"scorer: expected a scorer such as LinearScorer(n_features), got {scorer!r}")
        if not isinstance(l2, int | float | np.floating | np.integer) or isinstance(l2, bool) or not 0 <= l2 < np.inf:
            raise ValueError(f"l2: expected a finite number of at least 0, got {l2!r}")
        scorer.check_features(pairs.chosen, "chosen")
        scorer.check_features(pairs.rejected, "rejected")
        self.scorer = scorer
        self.pairs = pairs
        self.l2 = float(l2)
        self._shape = (scorer.n_parameters,)
        self.backend = chosen_backend(backend) if loss is None else "numpy"
        self.loss: PairLoss = BradleyTerryLoss() if loss is None else loss
        # A linear reward of a difference is the difference of the rewards. Subtracting first is cheaper, and what both
        # answers share (a shift of features, a large offset) then cancels exactly. Large files that are mapped may not
        # fit the memory: their differences are formed block by block, each time anew.
        self._differences: Features | None = None
        self._minus: Features | None = None
        self._latest: tuple[Array, Array] = np.empty(0), np.empty(0)  # the last φ asked about, and its margins
        if type(scorer) is LinearScorer:  # a class derived from it may have other ideas
            if self.backend == "numba" and pairs.chosen.size > LARGE and pairs.is_mapped:
                self._differences, self._minus = pairs.chosen, pairs.rejected
            elif self.backend == "numba":
                self._differences = _kernels().differences_of(pairs.chosen, pairs.rejected)
            else:
                self._differences = np.subtract(pairs.chosen, pairs.rejected, dtype=np.float64, order="C")

    def __repr__(self) -> str:
        return f"Objective({self.scorer}, {self.pairs}, l2={self.l2:g}, backend={self.backend!r})"

    def __call__(self, phi: ArrayLike) -> tuple[float, Array]:
        """Return the loss, a float in nats, and its gradient, (n_parameters,)."""
        phi = self._checked(phi)
        pairs, differences = self.pairs, self._differences
        if self.backend == "numba" and (differences is not None or type(self.scorer) is MLPScorer):
            loss, gradient = self._in_one_pass(phi)
        else:
            with blas_on_one_thread(len(pairs) * phi.size):
                loss, d_margins = self._loss_and_d_margins(self._margins(phi))
                if differences is not None:
                    gradient = self.scorer.backward(phi, differences, d_margins)
                else:
                    gradient = self.scorer.backward(phi, pairs.chosen, d_margins)
                    gradient += self.scorer.backward(phi, pairs.rejected, -d_margins)
        if self.l2:
            loss += 0.5 * self.l2 * float(np.einsum("i,i->", phi, phi))
            gradient += self.l2 * phi
        return loss, gradient

    def _in_one_pass(self, phi: Array) -> tuple[float, Array]:
        """Let the kernels go forward and back block by block; the margins that a linear pass meets are kept.

        Those of an MLP are not: in a product of matrices the last bit of a row may depend on its place, and the margin
        of two equal answers must be exactly 0.
        """
        pairs = self.pairs
        if self._differences is not None:
            self._forget_margins()
            margins = np.empty(len(pairs))
            loss, gradient = _kernels().linear_loss_and_gradient(
                self._differences,
                phi,
                minus=self._minus,
                weights=pairs.weights,
                labels=pairs.labels,
                target_margins=pairs.target_margins,
                margins=margins,
            )
            self._keep_margins(phi, margins)
        else:
            scorer = cast("MLPScorer", self.scorer)
            # Matrix products alone: a BLAS shares those among threads only from 262,144 single products on.
            with blas_on_one_thread(len(pairs) * phi.size // 8):
                loss, gradient = _kernels().mlp_loss_and_gradient(
                    pairs.chosen,
                    pairs.rejected,
                    phi,
                    scorer.n_hidden,
                    activation=scorer.activation,
                    weights=pairs.weights,
                    labels=pairs.labels,
                    target_margins=pairs.target_margins,
                )
        return loss, gradient

    def margins(self, phi: ArrayLike) -> Array:
        """Return Δ = r_φ(x, y_chosen) - r_φ(x, y_rejected), (n_pairs,), in log-odds; target margins do not enter.

        Those of the φ last asked about are kept, hence the array is read-only.
        """
        phi = self._checked(phi)
        with blas_on_one_thread(len(self.pairs) * phi.size):
            return self._margins(phi)

    def hessian(self, phi: ArrayLike) -> Array:
        """Return d²L/dφ², (n_parameters, n_parameters), for a scorer that is linear in φ.

        There dΔ/dφ = d does not depend on φ, so d²L/dφ² = Σ w·l''(Δ - m)·d dᵀ / Σ w + l2·I, with no further term. It is
        positive semi-definite, so L is convex.

        Raises
        ------
        TypeError
            If the scorer is not linear in φ.
        """
        phi = self._checked(phi)
        if not self.scorer.linear_in_phi:
            raise TypeError(f"hessian: expected a scorer that is linear in phi, got {self.scorer}")
        pairs, d2_margins = self.pairs, None
        if self._minus is None:
            margins = self._margins(phi)
        else:  # not for keeping: the curvatures may take their place
            self._forget_margins()
            margins = d2_margins = _kernels().linear_margins(self._differences, phi, minus=self._minus)
        if self.backend == "numba":
            d2_margins = _kernels().curvatures(
                margins, d2_margins, weights=pairs.weights, target_margins=pairs.target_margins
            )
        else:
            curvature = self.loss.curvature(self.shifted(margins), pairs.labels)
            d2_margins = _per_weight(curvature, pairs.weights)
        return self.gram(d2_margins)

    def gram(self, d2_margins: Array) -> Array:
        """Return Σ d2_margins[i]·d_i d_iᵀ + l2·I, for a scorer that is linear in φ: the Hessian, or a bound of it."""
        result: Array
        with blas_on_one_thread(len(self.pairs) * self.scorer.n_parameters**2):
            if self._differences is not None and self.backend == "numba":
                result = _kernels().weighted_gram(self._differences, d2_margins, minus=self._minus)
            else:
                scorer = cast("_HasHessian", self.scorer)
                result = scorer.hessian(self.pairs.chosen, self.pairs.rejected, d2_margins)
        result[np.diag_indices_from(result)] += self.l2
        return result

    def _checked(self, phi: ArrayLike) -> Array:
        array = np.asarray(phi, dtype=np.float64)
        if array.shape != self._shape:
            self.scorer.unpack(array)  # says what is wrong
        return array

    def _forget_margins(self) -> None:
        """Of pairs that may be larger than the memory, the margins of one φ are enough."""
        if self._minus is not None:
            self._latest = np.empty(0), np.empty(0)

    def _margins(self, phi: Array) -> Array:
        latest_phi, latest_margins = self._latest
        if np.array_equal(latest_phi, phi):
            return latest_margins
        del latest_margins
        self._forget_margins()
        margins: Array
        if self._differences is not None and self.backend == "numba":
            margins = _kernels().linear_margins(self._differences, phi, minus=self._minus)
        elif self._differences is not None:
            margins = self.scorer.reward(phi, self._differences)
        else:
            margins = self.scorer.reward(phi, self.pairs.chosen) - self.scorer.reward(phi, self.pairs.rejected)
        return self._keep_margins(phi, margins)

    def _keep_margins(self, phi: Array, margins: Array) -> Array:
        margins.flags.writeable = False
        self._latest = phi.copy(), margins.view()  # a view of a locked array cannot be unlocked
        return self._latest[1]

    def on(self, pairs: PreferencePairs, l2: float | None = None) -> Objective:
        """Return the same objective for other pairs, with the same penalty unless another is given."""
        loss = None if self.backend == "numba" else self.loss
        return Objective(self.scorer, pairs, l2=self.l2 if l2 is None else l2, loss=loss, backend=self.backend)

    def shifted(self, margins: Array) -> Array:
        """Return z = Δ - m, (n_pairs,): the margins less the target margins of the pairs."""
        return margins if self.pairs.target_margins is None else margins - self.pairs.target_margins

    def _loss_and_d_margins(self, margins: Array) -> tuple[float, Array]:
        pairs = self.pairs
        if self.backend == "numba":
            mean, d_margins = _kernels().mean_loss_and_gradients(
                margins, weights=pairs.weights, labels=pairs.labels, target_margins=pairs.target_margins
            )
            return mean, d_margins
        z = self.shifted(margins)
        mean = weighted_mean(self.loss.value(z, pairs.labels), pairs.weights)
        return mean, _per_weight(self.loss.gradient(z, pairs.labels), pairs.weights)


def chosen_backend(backend: str) -> str:
    """Return the backend that will serve: "numpy" where it was asked for or where Numba is not installed."""
    if backend not in {"numba", "numpy"}:
        raise ValueError(f"backend: expected 'numba' or 'numpy', got {backend!r}")
    if backend == "numba":
        from importlib.util import find_spec  # noqa: PLC0415  # not needed for the package's own import

        return "numba" if find_spec("numba") else "numpy"
    return backend


def blas_on_one_thread(n_products: int) -> AbstractContextManager[None]:
    """Let matrix products use one thread in this context; work too small for a BLAS to share needs no such care."""
    return nullcontext() if n_products <= 8_000 else _one_thread()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Set the number of threads of the BLAS to one, and put it back.

    It belongs to the whole process. Where several of our threads are here at once, the first to enter sets it and the
    last to leave puts it back.
    """
    with _blas.lock:
        _blas.depth += 1
        if _blas.depth == 1:
            _blas.before = [(library, library.get_num_threads()) for library in _blas.libraries()]
            for library, n_threads in _blas.before:
                if n_threads != 1:
                    library.set_num_threads(1)
    try:
        yield
    finally:
        with _blas.lock:
            _blas.depth -= 1
            if _blas.depth == 0:
                for library, n_threads in _blas.before:
                    if n_threads != 1:
                        library.set_num_threads(n_threads)


class _Blas:
    """Who is inside ``blas_on_one_thread``, and how to put things back."""

    def __init__(self) -> None:
        self.lock, self.depth = Lock(), 0
        self.before: list[tuple[LibController, int]] = []

    @lru_cache(maxsize=1)  # noqa: B019  # there is one instance, for good
    def libraries(self) -> list[LibController]:
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415  # on first use: keeps the package's import light

        return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


_blas = _Blas()


def _per_weight(values: Array, weights: Array | None) -> Array:
    """Return w·v / Σ w, or v / n."""
    return values / values.size if weights is None else values * weights / weights.sum()


def warmup() -> None:
    """Compile all kernels before they are needed, for a classroom; without Numba there is nothing to do.

    The first call ever takes some seconds, and leaves the compiled code where the next start finds it.
    """
    if chosen_backend("numba") == "numba":
        _kernels().warmup()


@lru_cache(maxsize=1)
def _kernels() -> ModuleType:
    """Enter the room of compiled kernels: Numba is imported here, on first use, not with the package."""
    from . import kernels  # noqa: PLC0415

    return kernels
