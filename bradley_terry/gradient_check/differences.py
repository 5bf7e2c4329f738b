"""Derivatives by finite differences, with an estimate of the error of each.

    central difference     (f(φ + h·e_j) - f(φ - h·e_j)) / 2h = f′ + a₂h² + a₄h⁴ + …

Values at h and h/2 can be combined so that a₂h² cancels, and three of them so that a₄h⁴ cancels too (Richardson 1911).
The differences between neighbouring estimates tell how far the best of them can be trusted (Ridders 1982). Rounding
adds an error of about eps·|f|/h, which grows as h shrinks and sets the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.given import vector, whole_numbers
from ..arrays.single import function as function_of
from ..arrays.single import number, whole
from ..arrays.visible import quoted
from ..logistic import Array
from .blocks import Blocks, slices_of
from .progress import followed
from .runner import OutOfTime, Stop

__all__ = [
    "EPS",
    "N_DIRECTIONS",
    "STEP",
    "Line",
    "Loss",
    "StepSweep",
    "by_directions",
    "extrapolated",
    "moved",
    "numerical_gradient",
    "step_sweep",
    "typical_size",
    "unit_of",
]

Loss = Callable[[Array], float]

EPS = float(np.finfo(np.float64).eps)
STEP = 4e-3  # the longest step, in units of the size of φ
N_DIRECTIONS, N_LARGEST, N_RANDOM = 8, 12, 20  # for each block of a large φ
MOST_SEARCHES = 3  # for wrong entries, in each block


class Line:
    """The loss along one direction through φ, and the slopes that the function itself returns at the same points.

    ``function`` is phi -> (loss, gradient), and the gradient may be None. ``direction`` is the number of an entry, or a
    vector like φ. Each point is computed once.
    """

    def __init__(self, function: Callable[[Array], tuple[float, Array | None]], phi: Array, direction: int | Array):
        self.function, self.phi, self.direction = function, phi, direction
        self._known: dict[float, tuple[float, float, float]] = {}

    def at(self, h: float) -> tuple[float, float, float]:
        """Return how far φ moves, which may be rounded, then the loss and the function's own slope there."""
        if h not in self._known:
            entry = self.direction
            if isinstance(entry, int):
                other = moved(self.phi, entry, h)
                (loss, gradient), far = self.function(other), float(other[entry] - self.phi[entry])
                slope = np.nan if gradient is None else float(gradient[entry])
            else:
                (loss, gradient), far = self.function(self.phi + h * entry), h
                slope = np.nan if gradient is None else float(gradient @ entry)
            self._known[h] = far, loss, slope
        return self._known[h]

    def central(self, h: float) -> float:
        """Return the slope of the loss between -h and h."""
        (up, plus, _), (down, minus, _) = self.at(h), self.at(-h)
        return (plus - minus) / (up - down)  # after rounding, the step is not exactly 2h

    def sides(self, h: float) -> tuple[float, float]:
        """Return the slope of the loss between -h and 0, and between 0 and h."""
        (up, plus, _), (down, minus, _), (_, here, _) = self.at(h), self.at(-h), self.at(0.0)
        return (minus - here) / down, (plus - here) / up

    def bend(self, h: float) -> float:
        """Return how much the slopes of the loss on the two sides differ."""
        left, right = self.sides(h)
        return abs(right - left)

    def change(self, h: float, slope: float) -> float:
        """Return how much the function's own slope changes from ``slope`` between -h and h."""
        return max(abs(self.at(h)[2] - slope), abs(self.at(-h)[2] - slope))

    def longest_step(self, unit: float, step: float) -> float:
        """Return the first of step, step/8, … units at which the loss is a number and changes only a little."""
        h, size = step * unit, abs(self.at(0.0)[1])
        while h > 1e-12 * unit:
            try:
                small = abs(self.central(h)) * h <= 0.1 * max(1.0, size)
                if small and max(abs(self.at(end)[1] - self.at(0.0)[1]) for end in (h, -h)) <= 0.5 * max(1.0, size):
                    break  # beyond a pole, as of 1/p, the loss may be as large on both sides of it
            except OutOfTime:
                raise
            except Stop:  # φ may be near the edge of the domain, as for log p at a small p
                if h <= 1e-9 * unit:
                    raise
            h /= 8
        return h

    def slope(self, unit: float, noise: float, step: float = STEP) -> tuple[float, float]:
        """Return the derivative, extrapolated to h = 0, and its spread.

        Where φ is tiny, steps in units of φ may change the loss by less than its rounding. Then a unit of 1 is tried.
        """
        value, spread = self._slope(unit, noise, step)
        if unit < 1e-4 and spread > 0.02 * abs(value):
            try:
                return min((value, spread), self._slope(1.0, noise, step), key=lambda pair: pair[1])
            except Stop:
                return value, spread
        return value, spread

    def _slope(self, unit: float, noise: float, step: float) -> tuple[float, float]:
        h = self.longest_step(unit, step)
        if isinstance(self.direction, int):
            # φ_j is rounded too, by eps·|φ_j|. Where the loss is 0, that is the only noise.
            noise = max(noise, EPS * abs(self.phi[self.direction] * self.central(h)))
        return extrapolated(self.central, h, noise)


def numerical_gradient(
    loss: Loss,
    phi: ArrayLike,
    *,
    step: float = STEP,
    entries: NDArray[np.int64] | None = None,
    noise: float | None = None,
) -> tuple[Array, Array]:
    """Differentiate numerically, one entry at a time, and estimate the error of each entry.

    Parameters
    ----------
    loss : callable, phi -> float
    phi : array_like, (n_parameters,)
    step : float
        The largest step, in units of ``|φ_j|`` or of the typical size of φ, whichever is larger, but at most 1. It is
        halved until the estimates stop improving.
    entries : array of int, optional
        Which entries to differentiate, by default all of them. The others are NaN.
    noise : float, optional
        How far two values of the loss may differ by chance. By default, the rounding of the loss in float64.

    Returns
    -------
    gradient, spread : arrays, (n_parameters,)
        The spread is the difference between the last two estimates of the extrapolation.

    Examples
    --------
    >>> numerical_gradient(lambda phi: float(phi @ phi), [1.5, -0.5])[0].round(6)  # 2 phi
    array([ 3., -1.])
    """
    phi = vector(phi, "phi").copy()
    function_of("loss", loss)
    if not (np.abs(phi) < 1e100).all():
        raise ValueError("phi: expected finite numbers below 1e100")
    if not 1e-100 < number(step) < 1e100:
        raise ValueError(f"step: expected a positive number, got {quoted(step)}")
    if noise is not None and not 0 <= number(noise) < np.inf:
        raise ValueError(f"noise: expected a number of at least 0, got {quoted(noise)}")
    noise = None if noise is None else number(noise)
    if entries is not None and (entries := whole_numbers(entries, "entries")).max(initial=0) >= phi.size:
        raise ValueError(f"entries: expected numbers below {phi.size}, got {entries.max()}")
    gradient, spread = np.full_like(phi, np.nan), np.full_like(phi, np.nan)
    here = loss(phi)
    noise = EPS * abs(here) if noise is None else noise
    typical = typical_size(phi)
    for j in followed(range(phi.size) if entries is None else entries.tolist(), "entries of the gradient"):
        line = Line(lambda at: (loss(at), None), phi, j)
        gradient[j], spread[j] = line.slope(unit_of(phi, j, typical), noise, step)
    return gradient, spread


def extrapolated(
    central: Callable[[float], float], h: float, noise: float, n_halvings: int = 12
) -> tuple[float, float]:
    """Extrapolate central differences to h = 0; return the best estimate and how well its neighbours agree with it.

    ``noise`` is how far rounding may move the loss, so the error is never taken to be less than noise/h. If a kink (a
    ReLU at 0) lies within h, the estimates jump from step to step. They settle once h is shorter than the distance to
    the kink.
    """
    row = [central(h)]
    best, error = row[0], np.inf
    for _ in range(n_halvings):
        h /= 2
        new = [central(h)]
        for k, before in enumerate(row, start=1):
            new.append(new[-1] + (new[-1] - before) / (4.0**k - 1))  # cancels the term in h to the power 2k
            doubt = max(abs(new[k] - new[k - 1]), abs(new[k] - before), noise / h)
            if doubt <= error and k > 1:  # two steps alone can agree by chance
                best, error = new[k], doubt
        if error <= max(1e-11 * abs(best), 4 * noise / h):  # smaller steps would only add rounding
            # Look ahead: a kink between h/4 and h would show as more than the remainder of a₂h².
            if abs(central(h / 4) - best) <= abs(new[0] - best) / 8 + 80 * noise / h:
                break
            best, error = new[-1], np.inf
        row = new
    return best, float(error if np.isfinite(error) else doubt)  # with an infinite error everything would pass


def moved(phi: Array, j: int, h: float) -> Array:
    """Return a copy of φ in which entry j has moved by h."""
    other = phi.copy()
    other[j] += h
    return other


def typical_size(phi: Array) -> float:
    """Return the root mean square of φ, or 1 where φ is zero, or so small that a step of its size would vanish."""
    largest = float(np.abs(phi).max())
    return largest * float(np.sqrt(np.mean((phi / largest) ** 2))) if largest > 1e-160 else 1.0


def unit_of(phi: Array, j: int, typical: float) -> float:
    """Return the unit in which steps of entry j are measured: |φ_j| or the typical size, but at most max(|φ_j|, 1)."""
    return float(min(max(abs(phi[j]), typical), max(abs(phi[j]), 1.0)))


def by_directions(
    loss: Loss, phi: Array, got: Array, blocks: Blocks, noise: float
) -> tuple[Array, Array, dict[str, int]]:
    """Check a large gradient along random directions of each block, and only some of its entries one by one.

    The derivative along v is v·g, so a single wrong entry shows in every direction. Halving the direction again and
    again then finds that entry. For entries that are not checked, ``expected`` is a copy of ``got``.

    Returns
    -------
    expected, spread : arrays, (n_parameters,)
    n_checked : dict
        For each block, how many entries were differentiated one by one.
    """
    rng = np.random.default_rng(0)
    typical = min(typical_size(phi), 1.0)

    def disagrees(direction: Array) -> bool:
        found, spread = Line(lambda at: (loss(at), None), phi, direction).slope(typical, noise)
        part = got * direction
        return not abs(found - part.sum()) <= 4 * spread + 1e-9 * float(np.linalg.norm(part)) + 1e-13

    expected, spreads, n_checked = got.copy(), np.zeros_like(got), {}
    few, some = (max(4, n // max(1, len(blocks) // 3)) for n in (N_LARGEST, N_RANDOM))
    for name, part in slices_of(blocks).items():
        block = np.arange(part.start, part.stop)
        largest = block[np.argsort(-np.abs(got[block]), kind="stable")[:few]]
        entries = {*largest.tolist(), *rng.choice(block, min(some, block.size), replace=False).tolist()}
        searches = MOST_SEARCHES
        for _ in followed(range(N_DIRECTIONS), f"directions in {name}"):
            direction = np.zeros_like(phi)
            # Every entry moves by a different distance. With equal distances, two errors could cancel.
            direction[block] = rng.choice([-1.0, 1.0], block.size) * rng.uniform(0.5, 1.5, block.size)
            suspects = block if searches and disagrees(direction) else block[:0]
            searches -= suspects.size > 0
            while suspects.size > 1:
                half = np.zeros_like(phi)
                half[suspects[: suspects.size // 2]] = direction[suspects[: suspects.size // 2]]
                suspects = suspects[: suspects.size // 2] if disagrees(half) else suspects[suspects.size // 2 :]
            entries |= set(suspects.tolist())
        chosen = np.array(sorted(entries))
        values, doubts = numerical_gradient(loss, phi, entries=chosen, noise=noise)
        expected[chosen], spreads[chosen] = values[chosen], doubts[chosen]
        n_checked[name] = chosen.size
    return expected, spreads, n_checked


@dataclass(frozen=True)
class StepSweep:
    """The error of the central difference for many steps: truncation at long steps, rounding at short ones.

    Attributes
    ----------
    steps : array, (n_steps,)
    errors : array, (n_steps,)
        The distance of the central difference from ``exact``.
    exact : float
        The derivative that the function itself returns.
    entry : int
        The entry of φ that was moved.
    """

    steps: Array
    errors: Array
    exact: float
    entry: int

    @property
    def best_step(self) -> float:
        """The step with the smallest error; it is near eps^(1/3) times the scale of φ."""
        return float(self.steps[int(np.argmin(self.errors))])


def step_sweep(
    function: Callable[[Array], tuple[float, Array]],
    phi: ArrayLike,
    *,
    entry: int = 0,
    steps: ArrayLike | None = None,
) -> StepSweep:
    """Measure how far the central difference is from the gradient for many steps. Plotted, the errors form a V.

    Parameters
    ----------
    function : callable, phi -> (loss, gradient)
    phi : array_like, (n_parameters,)
    entry : int
        Which entry of φ to move.
    steps : array_like, optional
        By default from 1e-13 to 1, with eight steps per decade.

    Returns
    -------
    StepSweep

    Examples
    --------
    >>> exponential = lambda phi: (float(np.exp(phi[0])), np.exp(phi))
    >>> sweep = step_sweep(exponential, [0.0], steps=[0.1, 0.01])
    >>> print(f"{sweep.errors[0]:.5f} {sweep.errors[1]:.7f}")  # about h²/6
    0.00167 0.0000167
    """
    at = vector(phi, "phi").copy()
    function_of("function", function)
    if whole("entry", entry, -at.size) >= at.size:
        raise ValueError(f"entry: expected a number below {at.size}, got {entry}")
    h = np.logspace(-13, 0, 105) if steps is None else vector(steps, "steps").copy()
    if not ((h > 0) & (h < 1e100)).all():
        raise ValueError("steps: expected a vector of positive numbers")
    exact = float(function(at)[1][entry])
    errors = np.empty_like(h)
    for k, step in enumerate(h):
        plus, minus = moved(at, entry, step), moved(at, entry, -step)
        errors[k] = abs((function(plus)[0] - function(minus)[0]) / (2 * step) - exact)
    return StepSweep(h, errors, exact, entry)
