"""The function under test: phi -> (loss, gradient), called with care unless it is an ``Objective``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..logistic import Array
from ..objective import Objective
from .differences import EPS
from .runner import FAILED, Stop, Watch, call, can_be_called_with, real_numbers

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
    eps : float
        The relative precision of the numbers that it returns: that of the least precise dtype seen so far.
    is_noisy : bool
        Whether two calls at the same φ gave two losses.
    where : str
        The beginning of every message, for instance "near phi: ". It is empty at φ itself.
    """

    def __init__(self, function: Function, objective: Objective | None, watch: Watch) -> None:
        self.function, self.objective, self.watch = function, objective, watch
        self.is_ours = isinstance(function, Objective)
        self.eps = EPS
        self.is_noisy = False
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
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise Stop(FAILED, f"{self.where}function: expected phi -> (loss, gradient), got {type(answer).__name__}")
        loss = real_numbers(answer[0], "loss", (), note=self.where)
        gradient = real_numbers(answer[1], "gradient", phi.shape, note=self.where)
        for part in answer:
            dtype = getattr(part, "dtype", None)
            if dtype in (np.float32, np.float16):
                self.eps = max(self.eps, float(np.finfo(dtype).eps))
        return float(loss), gradient

    def loss(self, phi: Array) -> float:
        """Return the loss alone. From now on, messages say that they are about a point near φ."""
        self.where = "near phi: "
        return self(phi)[0]
