"""The function under test: phi -> (loss, gradient), called with care unless it is an ``Objective``."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from ..logistic import Array
from ..objective import Objective
from .differences import EPS
from .runner import FAILED, Stop, Watch, call, can_be_called_with, kind_of, real_numbers, with_their_objects

__all__ = ["Function", "FunctionUnderTest"]

Function = Callable[[Array], tuple[float, Array]]


class FunctionUnderTest:
    """A function phi -> (loss, gradient) and what its calls have shown so far.

    Parameters
    ----------
    function : callable
    objective : Objective, optional
        The problem that the function should solve.
    watch : Watch
        Interrupts a call that takes too long.

    Attributes
    ----------
    is_ours : bool
        Whether it is an ``Objective``, which needs no care.
    beside : Objective or None
        The objective, if it is not the function itself. Its gradient can be compared with that of the function.
    eps : float
        The relative precision of the numbers that it returns: that of the least precise dtype seen so far.
    is_noisy : bool
        Whether two calls at the same φ gave two losses.
    losses : list of float
        The losses of the first calls.
    is_one_array : bool
        Whether every call so far returned the same array object as its gradient.
    where : str
        The beginning of every message, for instance "near phi: ". It is empty at φ itself.
    """

    def __init__(self, function: Function, objective: Objective | None, watch: Watch) -> None:
        self.function, self.objective, self.watch = function, objective, watch
        self.is_ours = issubclass(type(function), Objective)
        self.beside = None if self.is_ours else objective
        self.eps = EPS
        self.is_noisy = False
        self.losses: list[float] = []
        self.array: object = None
        self.is_one_array = True
        self.where = ""

    def must_accept(self, phi: Array) -> None:
        """Stop unless the function can be called with φ alone."""
        if not self.is_ours:
            can_be_called_with(self.function, (phi,), ("phi",))

    def __call__(self, phi: Array) -> tuple[float, Array]:
        """Return the loss and the gradient as float64, or stop and say what is wrong."""
        if self.is_ours:
            return self.function(phi.copy())
        answer = call(self.function, (phi,), ("phi",), self.watch, note=self.where, quiet=False)
        with with_their_objects(f"{self.where}looking at what your function returned", self.watch):
            return self._numbers_of(answer, phi)

    def _numbers_of(self, answer: object, phi: Array) -> tuple[float, Array]:
        if not isinstance(answer, tuple) or len(answer) != 2:
            got = kind_of(answer)
            if isinstance(answer, float | np.floating):
                got += ": return the gradient as well"
            elif getattr(answer, "shape", None) == phi.shape != (1,):
                got += ": return the loss as well"
            raise Stop(FAILED, f"{self.where}function: expected phi -> (loss, gradient), got {got}")
        if getattr(answer[0], "shape", ()) == phi.shape and isinstance(answer[1], float | np.floating):
            raise Stop(FAILED, f"{self.where}function: expected phi -> (loss, gradient), got (gradient, loss)")
        loss = real_numbers(answer[0], "loss", (), note=self.where)
        n_pairs = None if self.objective is None else len(self.objective.pairs)
        gradient = real_numbers(answer[1], "gradient", phi.shape, n_pairs=n_pairs, note=self.where)
        for part in answer:
            dtype = getattr(part, "dtype", None)
            if dtype in (np.float32, np.float16):
                self.eps = max(self.eps, float(np.finfo(dtype).eps))
        if len(self.losses) < 60:
            self.losses.append(float(loss))
        self.is_one_array = self.is_one_array and (self.array is None or answer[1] is self.array)
        self.array = answer[1]
        return float(loss), gradient

    def nearby(self, phi: Array) -> tuple[float, Array]:
        """Return loss and gradient. From now on, messages say that they are about a point near φ.

        NumPy's warnings are dropped, since a point near φ may lie outside the domain of the loss.
        """
        self.where = "near phi: "
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return self(phi)

    def loss(self, phi: Array) -> float:
        """Return the loss alone, like ``nearby``."""
        return self.nearby(phi)[0]
