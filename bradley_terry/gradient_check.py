"""Is this gradient right? Two referees that know nothing of how it was derived, and a report that says where it is off.

    numerical   (f(φ + h·e_j) - f(φ - h·e_j)) / 2h for each entry j, extrapolated to h = 0
    autograd    the same loss written in plain NumPy and differentiated by the library autograd

The error of the central difference is a series in h²: a₂h² + a₄h⁴ + …. Values at h and h/2 combine to cancel a₂h²,
three of them a₄h⁴ too (Richardson 1911); the differences between neighbouring estimates tell how far to trust the best
of them (Ridders 1982). Rounding, about eps·|f|/h, grows as h shrinks and sets the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .losses import BradleyTerryLoss
from .objective import Objective
from .scorers import LinearScorer, MLPScorer, TableScorer

__all__ = [
    "BlockReport",
    "GradientReport",
    "autograd_gradient",
    "autograd_loss",
    "check_gradient",
    "numerical_gradient",
]

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]

TOLERANCE = {"numerical": 1e-8, "autograd": 1e-12}  # of the expected entry
ROUNDING = {"numerical": 1e-9, "autograd": 1e-14}  # of the largest entry in the block


@dataclass(frozen=True)
class BlockReport:
    """One named block of φ against one referee: its worst entry and the verdict."""

    name: str
    shape: tuple[int, ...]
    against: str
    passed: bool
    n_wrong: int
    worst_index: tuple[int, ...]
    got: float
    expected: float
    absolute_error: float
    relative_error: float

    def __str__(self) -> str:
        where = f"{self.name}[{', '.join(map(str, self.worst_index))}]"
        verdict = "ok" if self.passed else f"WRONG in {self.n_wrong} of {int(np.prod(self.shape))}"
        return (
            f"{self.against:<10} {where:<24} got {self.got:+.6e}  expected {self.expected:+.6e}  "
            f"off by {self.absolute_error:.1e} ({self.relative_error:.1e} of the block)  {verdict}"
        )


@dataclass(frozen=True)
class GradientReport:
    """The verdict: ``passed`` and one ``BlockReport`` for each block of φ and each referee."""

    passed: bool
    blocks: tuple[BlockReport, ...]

    def __repr__(self) -> str:
        head = "gradient: every entry agrees" if self.passed else "gradient: WRONG"
        return "\n".join([head, *(f"  {block}" for block in self.blocks)])

    def require(self) -> None:
        """Raise AssertionError with the report as its text unless the gradient passed."""
        if not self.passed:
            raise AssertionError(repr(self))


def check_gradient(
    function: Function,
    phi: ArrayLike,
    *,
    against: str | Sequence[str] = "numerical",
    names: Mapping[str, tuple[int, ...]] | None = None,
    tolerance: float | None = None,
    reference: Callable[[Array], float] | None = None,
) -> GradientReport:
    """Compare a gradient, entry by entry, with one or several referees.

    Parameters
    ----------
    function : callable, phi -> (loss, gradient)
        An ``Objective``, or your own.
    phi : array_like, (n_parameters,)
        Where to check. Not at zero: there wrong gradients of an MLP are zero like the right one, and pass.
    against : "numerical", "autograd", or several of them
    names : mapping of block name to shape, optional
        How φ is laid out; taken from an ``Objective``'s scorer unless given, else one block called "phi".
    tolerance : float, optional
        Allowed error as a share of the expected entry: 1e-8 numerical, 1e-12 autograd unless given. What rounding
        leaves open comes on top, so that a true zero passes.
    reference : callable, phi -> loss, optional
        For autograd: your loss written with ``autograd.numpy``. Built by us for an ``Objective``.

    Returns
    -------
    GradientReport

    Raises
    ------
    ValueError, TypeError
        For an unknown referee, or a function that does not return a loss and a gradient in the shape of φ.

    Examples
    --------
    >>> check_gradient(lambda w: (float(w @ w), 2 * w), [1.5, -0.5]).passed
    True
    """
    phi = np.array(phi, dtype=np.float64)
    referees = (against,) if isinstance(against, str) else tuple(against)
    for referee in referees:
        if referee not in TOLERANCE:
            raise ValueError(f"against: expected one of {', '.join(TOLERANCE)}, got {referee!r}")
    shapes = names
    if shapes is None:
        shapes = function.scorer.shapes if isinstance(function, Objective) else {"phi": phi.shape}
    if phi.ndim != 1 or phi.size == 0:
        raise ValueError(f"phi: expected a flat vector of at least one number, got shape {phi.shape}")
    if sum(int(np.prod(shape)) for shape in shapes.values()) != phi.size:
        raise ValueError(f"names: expected shapes that fill phi, {phi.size} numbers, got {dict(shapes)}")
    loss, got = _called(function, phi)
    blocks: list[BlockReport] = []
    for referee in referees:
        # Rounding: a loss is known to a few eps of itself, so its gradient not better than this per unit of phi.
        uncertainty = np.full(phi.shape, 1e-13 * abs(loss) * max(1.0, 1 / max(float(np.abs(phi).max()), 1e-6)))
        if referee == "numerical":
            expected, spread = numerical_gradient(lambda at: _called(function, at)[0], phi)
            uncertainty = np.maximum(uncertainty, 4 * spread)
        else:
            expected = autograd_gradient(_reference(function, reference), phi)
        share = TOLERANCE[referee] if tolerance is None else tolerance
        blocks += _compare(referee, shapes, got, expected, uncertainty, share)
    return GradientReport(all(block.passed for block in blocks), tuple(blocks))


def _called(function: Function, phi: Array) -> tuple[float, Array]:
    answer = function(phi.copy())
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError(f"function: expected phi -> (loss, gradient), got {type(answer).__name__}")
    loss, gradient = float(answer[0]), np.asarray(answer[1], dtype=np.float64)
    if gradient.shape != phi.shape:
        raise ValueError(f"gradient: expected the shape of phi, {phi.shape}, got {gradient.shape}")
    return loss, gradient


def _compare(
    referee: str,
    shapes: Mapping[str, tuple[int, ...]],
    got: Array,
    expected: Array,
    uncertainty: Array,
    share: float,
) -> list[BlockReport]:
    """Judge entry by entry: each may be off by ``share`` of itself, by its uncertainty, and by the block's rounding."""
    reports, start = [], 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        g, e, u = got[start:stop], expected[start:stop], uncertainty[start:stop]
        start = stop
        scale = float(np.abs(e).max()) if e.size else 0.0
        off = np.abs(g - e)
        allowed = share * np.abs(e) + u + ROUNDING[referee] * scale
        wrong = ~(off <= allowed)  # written so that NaN is wrong
        worst = int(np.where(np.isnan(off), np.inf, off / np.maximum(allowed, 1e-300)).argmax())
        reports.append(
            BlockReport(
                name=name,
                shape=tuple(shape),
                against=referee,
                passed=not wrong.any(),
                n_wrong=int(wrong.sum()),
                worst_index=tuple(int(i) for i in np.unravel_index(worst, shape)),
                got=float(g[worst]),
                expected=float(e[worst]),
                absolute_error=float(off[worst]),
                relative_error=float(off[worst] / scale) if scale > 0 else float(off[worst]),
            )
        )
    return reports


def numerical_gradient(loss: Callable[[Array], float], phi: ArrayLike, *, step: float = 4e-3) -> tuple[Array, Array]:
    """Differentiate numerically, one entry at a time, with an estimate of the error of each.

    Parameters
    ----------
    loss : callable, phi -> float
    phi : array_like, (n_parameters,)
    step : float
        Largest step, in units of max(|φ_j|, 1); it is halved until the estimates stop improving.

    Returns
    -------
    gradient, spread : arrays, (n_parameters,)
        The spread is how much the last two estimates of the extrapolation differ.
    """
    phi = np.array(phi, dtype=np.float64)
    gradient, spread = np.empty_like(phi), np.empty_like(phi)
    noise = float(np.finfo(np.float64).eps) * abs(loss(phi))  # by which rounding alone may change a loss
    for j in range(phi.size):

        def central(h: float, j: int = j) -> float:
            plus, minus = phi.copy(), phi.copy()
            plus[j] += h
            minus[j] -= h
            return float((loss(plus) - loss(minus)) / (plus[j] - minus[j]))  # the step that was really taken

        h = step * max(abs(phi[j]), 1.0)
        while abs(central(h)) * h > 0.1 and h > 1e-12 * max(abs(phi[j]), 1.0):  # a small step, as the loss sees it
            h /= 8
        gradient[j], spread[j] = _ridders(central, h, noise)
    return gradient, spread


def _ridders(central: Callable[[float], float], h: float, noise: float, n_halvings: int = 12) -> tuple[float, float]:
    """Extrapolate central differences to h = 0; return the best estimate and how well its neighbours agree.

    ``noise`` is how far rounding may move the loss, so noise/h is the least doubt. Where a kink (a ReLU at 0) lies
    within h, estimates jump from step to step; they settle once h has shrunk past it.
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
        if error <= 1e-11 * abs(best):
            break
        row = new
    return best, float(error)


def autograd_gradient(loss: Callable[[Array], float], phi: ArrayLike) -> Array:
    """Differentiate a loss written with ``autograd.numpy``, by reverse-mode automatic differentiation.

    Raises
    ------
    ModuleNotFoundError
        If autograd is not installed: ``pip install "bradley-terry[autodiff]"``.
    """
    try:
        from autograd import grad  # noqa: PLC0415  # optional
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "against='autograd' needs the library autograd: python -m pip install autograd"
        ) from None
    return np.asarray(grad(loss)(np.array(phi, dtype=np.float64)))


def _reference(function: Function, reference: Callable[[Array], float] | None) -> Callable[[Array], float]:
    if reference is not None:
        return reference
    if isinstance(function, Objective):
        return autograd_loss(function)
    raise ValueError(
        "reference: expected your loss written with autograd.numpy, got None; only an Objective needs none"
    )


def autograd_loss(objective: Objective) -> Callable[[Array], float]:
    """Write L(φ) of an objective once more, in plain formulas that autograd can follow.

    Nothing of the scorers or losses is used here but their shapes and the data, so that agreement is evidence.
    """
    import autograd.numpy as anp  # noqa: PLC0415  # optional

    scorer, pairs = objective.scorer, objective.pairs
    if not isinstance(objective.loss, BradleyTerryLoss):
        raise ValueError(
            "reference: expected your loss written with autograd.numpy, since the objective has its own loss"
        )
    n = len(pairs)
    w = np.ones(n) if pairs.weights is None else pairs.weights
    t = np.ones(n) if pairs.labels is None else pairs.labels
    m = np.zeros(n) if pairs.target_margins is None else pairs.target_margins

    def reward(phi: Array, x: NDArray[np.generic]) -> Array:
        if isinstance(scorer, TableScorer):
            return phi[np.ravel(x)]
        if isinstance(scorer, LinearScorer):
            return anp.dot(x, phi)  # type: ignore[no-any-return]
        if isinstance(scorer, MLPScorer):
            d, h = scorer.n_features, scorer.n_hidden
            a = anp.dot(x, anp.reshape(phi[: d * h], (d, h))) + phi[d * h : d * h + h]
            hidden = anp.tanh(a) if scorer.activation == "tanh" else anp.where(a > 0, a, 0.0)
            return anp.dot(hidden, phi[d * h + h :])  # type: ignore[no-any-return]
        raise ValueError(
            f"reference: expected your loss written with autograd.numpy, for a scorer of your own, {scorer}"
        )

    def loss(phi: Array) -> float:
        z = reward(phi, pairs.chosen) - reward(phi, pairs.rejected) - m
        # Two branches for log(1 + exp(±z)), each used where its exponential is small.
        up = anp.logaddexp(0.0, -z)
        down = anp.logaddexp(0.0, z)
        return anp.sum(w * (t * up + (1 - t) * down)) / anp.sum(w) + 0.5 * objective.l2 * anp.sum(phi * phi)  # type: ignore[no-any-return]

    return loss
