"""Is this gradient right? Referees that know nothing of how it was derived, and a report that says where it is off.

    numerical              (f(φ + h·e_j) - f(φ - h·e_j)) / 2h for each entry j, extrapolated to h = 0
    autograd, jax, torch   the same loss written in plain formulas and differentiated by that library

The error of the central difference is a series in h²: a₂h² + a₄h⁴ + …. Values at h and h/2 combine to cancel a₂h²,
three of them a₄h⁴ too (Richardson 1911); the differences between neighbouring estimates tell how far to trust the best
of them (Ridders 1982). Rounding, about eps·|f|/h, grows as h shrinks and sets the limit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from html import escape
from importlib import import_module
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .diagnosis import diagnose
from .learner import Stop, Watch, call, can_be_called_with, real_numbers
from .losses import BradleyTerryLoss
from .objective import Objective
from .scorers import LinearScorer, MLPScorer, TableScorer

__all__ = [
    "BlockReport",
    "GradientReport",
    "PairReport",
    "StepSweep",
    "autodiff_gradient",
    "check_gradient",
    "numerical_gradient",
    "reference_loss",
    "step_sweep",
]

Array = NDArray[np.float64]
Function = Callable[[Array], tuple[float, Array]]

TOLERANCE = {"numerical": 1e-8, "autograd": 1e-12, "jax": 1e-12, "torch": 1e-12}  # of the expected entry
ROUNDING = {"numerical": 1e-10, "autograd": 1e-14, "jax": 1e-14, "torch": 1e-14}  # of the largest entry in the block

MOST_ENTRIES = 2_000  # beyond that, differences are taken along random directions and for some entries only
N_DIRECTIONS, N_LARGEST, N_RANDOM = 8, 20, 40  # for each block
MOST_PAIRS, MOST_COUPLES, SHOWN_PAIRS = 1_000, 60, 5  # looked at one by one, two by two, and named in the report
SATURATED = 13.8  # |Δ| beyond which σ(−|Δ|) is below 1e-6
MOST_SUSPECTS = 400  # entries with a kink, looked at again a little way off
EPS = float(np.finfo(np.float64).eps)


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
    diagnosis: str = ""
    n_checked: int = 0  # of a large block: entries checked one by one beside the random directions; 0: all of them

    def __str__(self) -> str:
        where = f"{self.name}[{', '.join(map(str, self.worst_index))}]"
        verdict = "ok" if self.passed else f"WRONG in {self.n_wrong} of {self.n_checked or int(np.prod(self.shape))}"
        if self.n_checked:
            verdict += f"; {N_DIRECTIONS} random directions and {self.n_checked} entries were checked"
        return (
            f"{self.against:<10} {where:<24} got {self.got:+.6e}  expected {self.expected:+.6e}  "
            f"off by {self.absolute_error:.1e} ({self.relative_error:.1e} of the block)  {verdict}"
            + (f"\n    {self.diagnosis}" if self.diagnosis else "")
        )


@dataclass(frozen=True)
class PairReport:
    """One pair that disagrees: its margin, and what was got and expected of it.

    ``kind`` says of what: "d_margin" is dL/dΔ of the pair; "slope" is its share of the derivative along a random
    direction.
    """

    index: int
    margin: float
    kind: str
    got: float
    expected: float

    def __str__(self) -> str:
        return f"pair {self.index} (Δ = {self.margin:+.4g}): {self.kind} {self.got:+.6g}, expected {self.expected:+.6g}"


@dataclass(frozen=True)
class GradientReport:
    """The verdict: ``passed`` and one ``BlockReport`` for each block of φ and each referee.

    ``message`` says why a function could not be checked at all, ``warnings`` what makes the verdict less than it seems,
    ``pairs`` which pairs disagree, where that can be told.
    """

    passed: bool
    blocks: tuple[BlockReport, ...]
    message: str = ""
    warnings: tuple[str, ...] = ()
    pairs: tuple[PairReport, ...] = field(default=())

    def __repr__(self) -> str:
        head = "gradient: every entry agrees" if self.passed else "gradient: WRONG"
        lines = [f"gradient: cannot be checked. {self.message}" if self.message else head]
        lines += [f"  {block}" for block in self.blocks]
        lines += [f"  {pair}" for pair in self.pairs]
        return "\n".join(lines + [f"  note: {warning}" for warning in self.warnings])

    def to_dict(self) -> dict[str, object]:
        """Return everything in plain types."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """Return the same as a table for notebooks."""
        heads = ("referee", "block", "worst entry", "got", "expected", "off by", "verdict")
        rows = [
            (
                block.against,
                f"{block.name} {block.shape}",
                str(list(block.worst_index)),
                f"{block.got:+.6e}",
                f"{block.expected:+.6e}",
                f"{block.absolute_error:.1e}",
                "ok" if block.passed else f"wrong in {block.n_wrong}. {block.diagnosis}".strip(),
            )
            for block in self.blocks
        ]
        lines = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
        title = self.message or ("every entry agrees" if self.passed else "wrong")
        notes = "".join(f"<p>{escape(str(line))}</p>" for line in (*self.pairs, *self.warnings))
        return f"<table><caption>gradient: {escape(title)}</caption>{''.join(lines)}</table>{notes}"

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
    reference: Callable[..., Any] | None = None,
    objective: Objective | None = None,
    time_limit: float = 10.0,
) -> GradientReport:
    """Compare a gradient, entry by entry, with one or several referees.

    Parameters
    ----------
    function : callable, phi -> (loss, gradient)
        An ``Objective``, or your own.
    phi : array_like, (n_parameters,)
        Where to check. Not at zero: there wrong gradients of an MLP are zero like the right one, and pass.
    against : "numerical", "autograd", "jax", "torch", or several of them
    names : mapping of block name to shape, optional
        How φ is laid out; taken from an ``Objective``'s scorer unless given, else one block called "phi".
    tolerance : float, optional
        Allowed error as a share of the expected entry: 1e-8 numerical, 1e-12 for the others unless given. What
        rounding leaves open comes on top, so that a true zero passes; so does the jump of the slope where the loss has
        a kink at φ.
    reference : callable, phi -> loss, optional
        Your loss written for the library that is to differentiate it: with ``autograd.numpy``, ``jax.numpy`` or torch.
        Built by us where there is an ``Objective``.
    objective : Objective, optional
        The problem whose loss and gradient your ``function`` should compute: it brings names and references, and a
        wrong gradient is compared with what the usual mistakes would give on these data.
    time_limit : float, seconds
        Longest time for one call of a function of your own, where the system can interrupt it.

    Returns
    -------
    GradientReport
        A function of your own that raises, prints, changes φ, runs for ever or returns anything but a loss and a
        gradient is a line in the report, with the number of the line in your code.

    Notes
    -----
    Every entry is checked. Only if φ has more than 2,000 the numerical referee looks, in each block, along 8 random
    directions, at the 20 largest entries and at 40 others; where a direction disagrees, it is halved again and again
    until the wrong entry is found. The report says so.

    Raises
    ------
    ValueError
        For an unknown referee, or φ and names that do not go together.

    Examples
    --------
    >>> check_gradient(lambda w: (float(w @ w), 2 * w), [1.5, -0.5]).passed
    True
    """
    phi = np.array(phi, dtype=np.float64)
    referees = (against,) if isinstance(against, str) else tuple(against)
    if not referees:
        raise ValueError(f"against: expected at least one of {', '.join(TOLERANCE)}, got none")
    for referee in referees:
        if referee not in TOLERANCE:
            raise ValueError(f"against: expected one of {', '.join(TOLERANCE)}, got {referee!r}")
    problem = function if isinstance(function, Objective) else objective
    shapes = names
    if shapes is None:
        shapes = {"phi": phi.shape} if problem is None else problem.scorer.shapes
    if phi.ndim != 1 or phi.size == 0:
        raise ValueError(f"phi: expected a flat vector of at least one number, got shape {phi.shape}")
    if sum(int(np.prod(shape)) for shape in shapes.values()) != phi.size or any(0 in s for s in shapes.values()):
        raise ValueError(f"names: expected shapes that fill phi, {phi.size} numbers, got {dict(shapes)}")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            with Watch(time_limit) as watch:
                report = _checked(_Asked(function, problem, watch), phi, referees, shapes, reference, tolerance)
        except Stop as stop:
            told = stop.message or "Your function is still to be written."
            report = GradientReport(False, (), told)
    said = dict.fromkeys(f"NumPy warned in line {w.lineno}: {w.message}" for w in heard if w.category is RuntimeWarning)
    for w in heard:
        if w.category is not RuntimeWarning:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    return replace(report, warnings=(*report.warnings, *said))


class _Asked:
    """The function that is judged, called with care if it is somebody's own."""

    def __init__(self, function: Function, problem: Objective | None, watch: Watch) -> None:
        self.function, self.problem, self.watch = function, problem, watch
        self.is_ours = isinstance(function, Objective)
        self.eps = EPS  # of the least precise number it has returned
        self.where = ""  # "" at φ itself
        self.is_noisy = False  # two calls at φ gave two losses

    def __call__(self, phi: Array) -> tuple[float, Array]:
        if self.is_ours:
            return self.function(phi.copy())
        answer = call(self.function, (phi,), ("phi",), self.watch, note=self.where, quiet=False)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise Stop("failed", f"{self.where}function: expected phi -> (loss, gradient), got {type(answer).__name__}")
        loss = real_numbers(answer[0], "loss", (), note=self.where)
        gradient = real_numbers(answer[1], "gradient", phi.shape, note=self.where)
        for part in answer:
            dtype = getattr(part, "dtype", None)
            if dtype in (np.float32, np.float16):
                self.eps = max(self.eps, float(np.finfo(dtype).eps))
        return float(loss), gradient

    def loss(self, phi: Array) -> float:
        self.where = "near phi: "
        return self(phi)[0]


def _checked(
    asked: _Asked,
    phi: Array,
    referees: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]],
    reference: Callable[..., Any] | None,
    tolerance: float | None,
) -> GradientReport:
    if not asked.is_ours:
        can_be_called_with(asked.function, (phi,), ("phi",))
    loss, got = asked(phi)
    notes, noise, shaky = _doubts(asked, phi, loss, got)
    blocks: list[BlockReport] = []
    found = got
    for referee in referees:
        # Rounding: a loss is known to a few eps of itself, so its gradient not better than this per unit of phi.
        coarse = asked.eps / EPS
        uncertainty = np.full(phi.shape, 1e-13 * abs(loss) / max(float(np.abs(phi).max()), 1e-6))
        uncertainty = coarse * uncertainty + shaky + (4 * asked.eps * np.abs(got) if coarse > 1 else 0.0)
        n_checked = dict.fromkeys(shapes, 0)  # entries looked at one by one, where not all are
        if referee == "numerical" and phi.size > MOST_ENTRIES:
            expected, spread, n_checked = _by_directions(asked.loss, phi, got, shapes, noise)
            uncertainty = np.maximum(uncertainty, 4 * spread)
        elif referee == "numerical":
            expected, spread = numerical_gradient(asked.loss, phi, noise=noise)
            uncertainty = np.maximum(uncertainty, 4 * spread)
        else:
            expected = autodiff_gradient(_reference(asked.problem, reference, referee), phi, library=referee)
        share = TOLERANCE[referee] if tolerance is None else tolerance
        largest, doubt = float(np.abs(expected).max()), float(uncertainty.max())
        if (asked.eps > EPS or asked.is_noisy) and 0 < 10 * largest < 100 * doubt:
            raise Stop("error", f"its numbers are too coarse to judge: entries up to {largest:.1e}, doubts {doubt:.1e}")
        if referee == "numerical":
            jumps = _second_look(asked, phi, got, expected, uncertainty, share, noise)
            uncertainty += jumps
            notes += _kinks(jumps, shapes)
        judged = _compare(referee, shapes, got, expected, uncertainty, share)
        wrong = {block.name: not block.passed for block in judged}
        found = expected if any(wrong.values()) else found
        names_of_mistakes = diagnose(got, expected, shapes, wrong, asked.problem, phi)
        blocks += [
            replace(block, diagnosis=names_of_mistakes.get(block.name, ""), n_checked=n_checked.get(block.name, 0))
            for block in judged
        ]
    passed = all(block.passed for block in blocks)
    pairs = () if passed or asked.problem is None else _pairs_that_disagree(asked, phi, got, found)
    return GradientReport(passed, tuple(blocks), "", tuple(notes), pairs)


def _doubts(asked: _Asked, phi: Array, loss: float, got: Array) -> tuple[list[str], float, float]:
    """Return what makes a verdict less than it seems, the noise of the loss, and that of the gradient."""
    notes = []
    if not phi.any():
        notes.append(
            "phi is 0 everywhere. There σ(Δ) = σ(−Δ), and the gradient of an MLP vanishes: ten of ten wrong MLP "
            "gradients pass here. Check at a random phi"
        )
    if asked.problem is not None:
        z = asked.problem.shifted(asked.problem.margins(phi))
        n_saturated = int((np.abs(z) > SATURATED).sum())
        if n_saturated:
            notes.append(
                f"{n_saturated} of {z.size} pairs are saturated, |Δ| > {SATURATED}: right ones pull with less than "
                "1e-6, and a mistake in them hardly shows. Check at a smaller phi, too"
            )
    flat = False if asked.is_ours else _probed(asked, phi, loss)
    noise, shaky = max(asked.eps * abs(loss), _rounding(asked, phi, loss)), 0.0
    if asked.eps > EPS:
        notes.append(
            f"the function returns numbers with {-int(np.floor(np.log10(asked.eps)))} digits, float32 or less: "
            "no more can be compared. Compute in float64 to check"
        )
    if not asked.is_ours:
        again, gradient = asked(phi)
        differ = abs(again - loss)
        shaky = 4 * float(np.abs(gradient - got).max())
        if shaky > 400 * asked.eps * float(np.abs(got).max()) and not differ:
            raise Stop(
                "error",
                "two calls at the same phi return one loss and two gradients: does a call leave something behind for "
                "the next one?",
            )
        asked.is_noisy = differ > 0
        if differ:
            third = asked(phi)[0]
            noise += 3 * max(differ, abs(third - loss))
            notes.append(
                f"two calls at the same phi differ, the loss by {differ:.1e}: does it draw random numbers? Entries are "
                "compared no closer than this noise allows"
            )
        if flat:
            notes.append("the loss is the same number wherever it is asked: does it use phi?")
    return notes, noise, shaky


def _rounding(asked: _Asked, phi: Array, loss: float) -> float:
    """Measure how much of the loss is rounding: what bends, where φ moves back and forth in its last digits."""
    rng, bends = np.random.default_rng(0), [0.0]
    for _ in range(4):
        step = phi * EPS * rng.integers(-8, 9, phi.size)
        try:
            bends.append(abs(asked.loss(phi + step) + asked.loss(phi - step) - 2 * loss) / 2)
        except Stop:  # it will be told by whoever asks next
            break
    asked.where = ""
    return max(bends)


def _probed(asked: _Asked, phi: Array, loss: float) -> bool:
    """Ask at three points near phi: notice numbers that were computed in float32, and say if the loss never changes."""
    rng, typical = np.random.default_rng(0), float(np.sqrt(np.mean(phi**2))) or 1.0
    losses, numbers = [], []
    asked.where = "near phi: "
    for _ in range(3):
        try:
            value, gradient = asked(phi + 0.01 * typical * rng.normal(size=phi.size))
        except Stop:  # what fails a little way off may still be right here
            break
        losses.append(value)
        numbers.append(np.append(gradient, value))
    asked.where = ""
    with np.errstate(all="ignore"):  # of numbers that float32 cannot hold, none is equal to what it makes of them
        is_float32 = np.array_equal(numbers, np.array(numbers).astype(np.float32))
    if len(set(losses)) > 1 and is_float32 and np.any(np.array(numbers)[:, :-1]):
        asked.eps = max(asked.eps, float(np.finfo(np.float32).eps))
    return len(losses) == 3 and all(value == loss for value in losses)


def _kinks(jumps: Array, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Name the blocks that have a kink at φ."""
    names, start = [], 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        names += [name] if jumps[start:stop].any() else []
        start = stop
    if not names:
        return []
    return [
        f"the loss has a kink at phi (a ReLU or a hinge at 0) in {', '.join(names)}: the slopes on its two sides are "
        "as right as each other, and so is what lies between. Check at another phi, too"
    ]


def _pairs_that_disagree(asked: _Asked, phi: Array, got: Array, expected: Array) -> tuple[PairReport, ...]:
    """Return the worst few pairs whose share of the gradient is wrong, where that can be told."""
    problem = asked.problem
    if problem is None or not np.isfinite(got).all():
        return ()
    delta = np.asarray(problem.margins(phi))
    if asked.is_ours:
        return _pairs_with_a_wrong_slope(problem, phi, delta)
    # got - expected = Σ c_i · ∂Δ_i/∂φ: which few pairs, with which wrong pulls, explain the difference?
    pairs, difference = problem.pairs, got - expected
    if len(pairs) * phi.size > 10**7:
        return ()
    rows = np.empty((len(pairs), phi.size))
    for i in range(len(pairs)):
        one = np.ones(1)
        rows[i] = problem.scorer.backward(phi, pairs.chosen[i : i + 1], one)
        rows[i] += problem.scorer.backward(phi, pairs.rejected[i : i + 1], -one)
    for few in _few_rows(rows, difference):
        pulls = np.linalg.lstsq(rows[few].T, difference, rcond=None)[0]
        if np.abs(difference - pulls @ rows[few]).max() <= 1e-5 * np.abs(difference).max():
            w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
            right = w / w.sum() * problem.loss.gradient(problem.shifted(delta), pairs.labels)
            return tuple(
                PairReport(i, float(delta[i]), "d_margin", float(right[i] + c), float(right[i]))
                for i, c in sorted(zip(few, pulls.tolist(), strict=True))
            )
    return ()


def _few_rows(rows: Array, target: Array) -> Iterator[list[int]]:
    """Yield small sets of rows of which the target may be made: each one, each two, then ever more, greedily.

    They must be fewer than the entries of the target, or any rows would do.
    """
    lengths = np.sqrt((rows**2).sum(axis=1))
    usable = np.flatnonzero(lengths > 0)
    if target.size < 2 or not usable.size:
        return
    yield [int(usable[np.argmax(np.abs(rows[usable] @ target) / lengths[usable])])]
    if target.size > 3 and usable.size <= MOST_COUPLES:  # with fewer entries some couple fits by chance
        yield from (list(couple) for couple in combinations(usable.tolist(), 2))
    few: list[int] = []
    left: Array = target
    while len(few) < min(SHOWN_PAIRS, target.size - 1):
        few.append(int(usable[np.argmax(np.abs(rows[usable] @ left) / lengths[usable])]))
        pulls = np.linalg.lstsq(rows[few].T, target, rcond=None)[0]
        left = np.asarray(target - pulls @ rows[few])
        yield few


def _pairs_with_a_wrong_slope(problem: Objective, phi: Array, delta: Array) -> tuple[PairReport, ...]:
    """Ask for the gradient of each pair alone, along a random direction."""
    direction = np.random.default_rng(0).choice([-1.0, 1.0], phi.size)
    noise, reports = EPS, []
    for i in range(min(len(problem.pairs), MOST_PAIRS)):
        alone = problem.on(problem.pairs.subset([i]), l2=0.0)

        @cache
        def central(h: float, alone: Objective = alone) -> float:
            return (alone(phi + h * direction)[0] - alone(phi - h * direction)[0]) / (2 * h)

        want, spread = _ridders(central, 1e-2 * min(float(np.sqrt(np.mean(phi**2))) or 1.0, 1.0), noise)
        slope = float(alone(phi)[1] @ direction)
        if not abs(slope - want) <= 1e-6 * abs(want) + 10 * spread + 1e-9:
            reports.append(PairReport(i, float(delta[i]), "slope", slope, want))
    return tuple(sorted(reports, key=lambda pair: -abs(pair.got - pair.expected))[:SHOWN_PAIRS])


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


def numerical_gradient(
    loss: Callable[[Array], float],
    phi: ArrayLike,
    *,
    step: float = 4e-3,
    entries: NDArray[np.int64] | None = None,
    noise: float | None = None,
) -> tuple[Array, Array]:
    """Differentiate numerically, one entry at a time, with an estimate of the error of each.

    Parameters
    ----------
    loss : callable, phi -> float
    phi : array_like, (n_parameters,)
    step : float
        Largest step, in units of |φ_j| or, if that is less, of the typical size of φ, at most 1; it is halved until
        the estimates stop improving.
    entries : array of int, optional
        Which entries to look at; all of them unless given, and NaN in the others.
    noise : float, optional
        By how much two values of the loss may differ for no reason; its rounding in float64 unless given.

    Returns
    -------
    gradient, spread : arrays, (n_parameters,)
        The spread is how much the last two estimates of the extrapolation differ.
    """
    phi = np.array(phi, dtype=np.float64)
    gradient, spread = np.full_like(phi, np.nan), np.full_like(phi, np.nan)
    size = abs(loss(phi))
    noise = EPS * size if noise is None else noise
    typical = float(np.sqrt(np.mean(phi**2))) or 1.0
    for j in range(phi.size) if entries is None else entries.tolist():

        @cache
        def central(h: float, j: int = j) -> float:
            return _central_difference(loss, phi, j, h)

        unit = _unit(phi, j, typical)
        h = step * unit
        while abs(central(h)) * h > 0.1 * max(1.0, size) and h > 1e-12 * unit:  # a small step, as the loss sees it
            h /= 8
        # φ_j itself is rounded, too, by eps·|φ_j|: where the loss is 0, that is all the noise there is.
        gradient[j], spread[j] = _ridders(central, h, max(noise, EPS * abs(phi[j] * central(h))))
    return gradient, spread


def _second_look(
    asked: _Asked,
    phi: Array,
    got: Array,
    expected: Array,
    uncertainty: Array,
    share: float,
    noise: float,
) -> Array:
    """Look again at entries that differ: a kink, of a ReLU or a hinge, may have fooled the differences.

    Where one lies near φ, very short steps do not reach it: their estimate takes the place of the other, in
    ``expected`` and ``uncertainty``. Where one lies at φ, the slopes on its two sides are as right as each other, and
    the central difference sees their mean; returned is half their distance. Where they are nearer than any step is
    short, returned is how far the entry is from the estimate. But these are kinks only if, a little way off, the
    function's own gradient is right: a wrong one is wrong there, too.
    """
    typical = min(float(np.sqrt(np.mean(phi**2))) or 1.0, 1.0)
    differ = np.flatnonzero(np.abs(got - expected) > share * np.abs(expected) + uncertainty).tolist()
    jumps, measured, at_phi = np.zeros_like(phi), np.zeros_like(phi), asked.loss(phi)

    def jump(j: int, h: float) -> float:
        plus, minus = _moved(phi, j, h), _moved(phi, j, -h)
        ahead, behind = asked.loss(plus) - at_phi, at_phi - asked.loss(minus)
        return float(abs(ahead / (plus[j] - phi[j]) - behind / (phi[j] - minus[j])))

    for j in differ:
        short, bend, rounding = _short_difference(asked.loss, phi, j, noise)
        apart, doubt = abs(short - expected[j]), bend + rounding
        fooled = apart > 2 * (uncertainty[j] + doubt) or bend > 100 * rounding
        if apart > 10 * (uncertainty[j] + doubt):
            expected[j], uncertainty[j] = short, doubt
        for h in (1e-3 * typical, 1e-5 * typical, 1e-7 * typical):
            wide, narrow = jump(j, h), jump(j, h / 4)
            # For a quarter of the step, the slopes of a curve differ by a quarter; those at a kink as before.
            if wide > 40 * noise / h and narrow > 0.7 * wide:
                measured[j] = max(measured[j], max(wide, (4 * narrow - wide) / 3) / 2 + 4 * noise / h)
        # Kinks may be so near that it takes the function's own word, if that is right a little way off.
        jumps[j] = abs(got[j] - expected[j]) if fooled else measured[j]
    suspects = np.flatnonzero(jumps).tolist()
    if suspects:
        right = _right_a_little_way_off(asked, phi, suspects[:MOST_SUSPECTS], noise)
        for j in suspects:
            if j not in right:  # of so many, the rest must lie between their slopes
                jumps[j] = measured[j] if all(right.values()) else 0.0
            elif not right[j]:
                jumps[j] = 0.0
            elif got[j] == 0.0:  # where many kinks meet, 0 is a custom, and not always between the slopes
                jumps[j] = max(jumps[j], abs(expected[j]))
    asked.where = ""
    return jumps


def _right_a_little_way_off(asked: _Asked, phi: Array, entries: list[int], noise: float) -> dict[int, bool]:
    """Say of each entry whether the function's gradient agrees with short differences at two of eight near points.

    At the others a kink may be in the way, as at φ.
    """
    rng, typical = np.random.default_rng(0), min(float(np.sqrt(np.mean(phi**2))) or 1.0, 1.0)
    n_right = dict.fromkeys(entries, 0)
    for _ in range(8):
        near = phi + 1e-4 * typical * rng.normal(size=phi.size)
        gradient = asked(near)[1]
        for j in [j for j in entries if n_right[j] < 2]:
            short, bend, rounding = _short_difference(asked.loss, near, j, noise)
            n_right[j] += abs(gradient[j] - short) <= 1e-7 * abs(short) + 2 * (min(bend, rounding) + rounding)
    return {j: n >= 2 for j, n in n_right.items()}


def _short_difference(loss: Callable[[Array], float], phi: Array, j: int, noise: float) -> tuple[float, float, float]:
    """Return a central difference with a step as short as rounding bears, its change at half of it, its rounding."""
    typical = float(np.sqrt(np.mean(phi**2))) or 1.0

    central = partial(_central_difference, loss, phi, j)
    unit = _unit(phi, j, typical)
    h = 1e-6 * unit
    while abs(central(h)) * h > 1e-3 and h > 1e-12 * unit:
        h /= 8
    value, half = central(h), central(h / 2)
    return value, abs(value - half), 8 * max(noise, EPS * abs(phi[j] * value)) / h


def _central_difference(loss: Callable[[Array], float], phi: Array, j: int, h: float) -> float:
    plus, minus = _moved(phi, j, h), _moved(phi, j, -h)
    return float((loss(plus) - loss(minus)) / (plus[j] - minus[j]))  # the step that was really taken


def _unit(phi: Array, j: int, typical: float) -> float:
    """Return what a step of entry j is measured by: its size, or the typical one if that is more, at most 1."""
    return float(min(max(abs(phi[j]), typical), max(abs(phi[j]), 1.0)))


def _moved(phi: Array, j: int, h: float) -> Array:
    other = phi.copy()
    other[j] += h
    return other


def _by_directions(
    loss: Callable[[Array], float], phi: Array, got: Array, shapes: Mapping[str, tuple[int, ...]], noise: float
) -> tuple[Array, Array, dict[str, int]]:
    """Differentiate along random directions of each block and for some of its entries.

    A direction v has the derivative v·g: one wrong entry anywhere shows in all directions. Its place is
    found by halving. Entries that nobody looked at are returned as they were got.
    """
    rng = np.random.default_rng(0)
    typical = min(float(np.sqrt(np.mean(phi**2))) or 1.0, 1.0)

    def disagrees(direction: Array) -> bool:
        @cache
        def central(h: float) -> float:
            return float((loss(phi + h * direction) - loss(phi - h * direction)) / (2 * h))

        h = 4e-3 * typical
        while abs(central(h)) * h > 0.1 and h > 1e-12 * typical:
            h /= 8
        found, spread = _ridders(central, h, noise)
        part = got * direction
        return not abs(found - part.sum()) <= 4 * spread + 1e-9 * float(np.linalg.norm(part)) + 1e-13

    expected, spreads, n_checked = got.copy(), np.zeros_like(got), {}
    start = 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        block = np.arange(start, stop)
        start = stop
        largest = block[np.argsort(-np.abs(got[block]), kind="stable")[:N_LARGEST]]
        entries = {*largest.tolist(), *rng.choice(block, min(N_RANDOM, block.size), replace=False).tolist()}
        for _ in range(N_DIRECTIONS):
            direction = np.zeros_like(phi)
            # of sizes that no two errors have in common, or these could cancel
            direction[block] = rng.choice([-1.0, 1.0], block.size) * rng.uniform(0.5, 1.5, block.size)
            suspects = block if disagrees(direction) else block[:0]
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
        if error <= max(1e-11 * abs(best), 4 * noise / h):  # smaller steps would only bring more rounding
            # A look ahead: a kink between h/4 and h would show as more than what is left of a₂h².
            if abs(central(h / 4) - best) <= abs(new[0] - best) / 8 + 80 * noise / h:
                break
            best, error = new[-1], np.inf
        row = new
    return best, float(error if np.isfinite(error) else doubt)  # an endless doubt would let everything pass


@dataclass(frozen=True)
class StepSweep:
    """The error of the central difference for many steps: too long, and the curve bends away; too short, and it rounds.

    Attributes
    ----------
    steps, errors : arrays, (n_steps,)
        The error is the distance from ``exact``.
    exact : float
        The derivative of the function under test.
    entry : int
        Of φ.
    """

    steps: Array
    errors: Array
    exact: float
    entry: int

    @property
    def best_step(self) -> float:
        """The step with the least error, near eps^(1/3) times the scale of φ."""
        return float(self.steps[int(np.argmin(self.errors))])


def step_sweep(function: Function, phi: ArrayLike, *, entry: int = 0, steps: ArrayLike | None = None) -> StepSweep:
    """Measure how far the central difference is from the gradient, step by step: the V of truncation and rounding.

    Parameters
    ----------
    function : callable, phi -> (loss, gradient)
    phi : array_like, (n_parameters,)
    entry : int
        Which entry of φ to move.
    steps : array_like, optional
        1e-13 to 1, eight a decade, unless given.

    Returns
    -------
    StepSweep
    """
    at = np.array(phi, dtype=np.float64)
    h = np.logspace(-13, 0, 105) if steps is None else np.array(steps, dtype=np.float64)
    if h.ndim != 1 or not (h > 0).all():
        raise ValueError("steps: expected a vector of positive numbers")
    exact = float(function(at)[1][entry])
    errors = np.empty_like(h)
    for k, step in enumerate(h):
        plus, minus = _moved(at, entry, step), _moved(at, entry, -step)
        errors[k] = abs((function(plus)[0] - function(minus)[0]) / (2 * step) - exact)
    return StepSweep(h, errors, exact, entry)


def autodiff_gradient(loss: Callable[..., Any], phi: ArrayLike, *, library: str = "autograd") -> Array:
    """Differentiate a loss written for a library, by its reverse-mode automatic differentiation, in float64.

    Parameters
    ----------
    loss : callable, phi -> loss
        Written with ``autograd.numpy``, ``jax.numpy`` or torch.
    phi : array_like, (n_parameters,)
    library : "autograd", "jax" or "torch"

    Raises
    ------
    ModuleNotFoundError
        If the library is not installed.
    """
    at = np.array(phi, dtype=np.float64)
    module = _library(library)
    if library == "autograd":
        return np.asarray(module.grad(loss)(at))
    if library == "jax":
        with (module if hasattr(module, "enable_x64") else import_module("jax.experimental")).enable_x64(True):
            return np.asarray(module.grad(loss)(module.numpy.asarray(at)))
    leaf = module.from_numpy(at).requires_grad_()
    loss(leaf).backward()
    return np.asarray(leaf.grad.numpy())


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"against={name!r} needs the library {name}: python -m pip install {name}") from None


def _reference(problem: Objective | None, reference: Callable[..., Any] | None, library: str) -> Callable[..., Any]:
    if reference is not None:
        return reference
    if problem is not None:
        return reference_loss(problem, library)
    raise ValueError(
        f"reference: expected your loss written for {library}, got None; only with an Objective is none needed"
    )


def reference_loss(objective: Objective, library: str = "autograd") -> Callable[..., Any]:
    """Write L(φ) of an objective once more, in plain formulas that a library can follow.

    Nothing of the scorers or losses is used here but their shapes and the data, so that agreement is evidence.
    """
    scorer, pairs = objective.scorer, objective.pairs
    _library(library)
    if not isinstance(objective.loss, BradleyTerryLoss):
        raise ValueError(f"reference: expected your loss written for {library}, since the objective has its own loss")
    if type(scorer) not in (LinearScorer, MLPScorer, TableScorer):
        raise ValueError(f"reference: expected your loss written for {library}, for a scorer of your own, {scorer}")
    xp = import_module({"autograd": "autograd.numpy", "jax": "jax.numpy", "torch": "torch"}[library])

    def constant(values: NDArray[np.generic]) -> Any:
        return xp.asarray(np.array(values)) if library == "torch" else np.asarray(values)

    n = len(pairs)
    w = constant(np.ones(n) if pairs.weights is None else pairs.weights)
    t = constant(np.ones(n) if pairs.labels is None else pairs.labels)
    m = constant(np.zeros(n) if pairs.target_margins is None else pairs.target_margins)
    kind = np.int64 if isinstance(scorer, TableScorer) else np.float64
    chosen, rejected = (constant(np.asarray(x, dtype=kind)) for x in (pairs.chosen, pairs.rejected))
    zero = constant(np.zeros(()))

    def reward(phi: Any, x: Any) -> Any:
        if isinstance(scorer, TableScorer):
            return phi[x.reshape(-1)]
        if isinstance(scorer, MLPScorer):
            d, h = scorer.n_features, scorer.n_hidden
            a = xp.matmul(x, phi[: d * h].reshape((d, h))) + phi[d * h : d * h + h]
            hidden = xp.tanh(a) if scorer.activation == "tanh" else xp.where(a > 0, a, zero)
            return xp.matmul(hidden, phi[d * h + h :])
        return xp.matmul(x, phi)

    def loss(phi: Any) -> Any:
        z = reward(phi, chosen) - reward(phi, rejected) - m
        # Two branches for log(1 + exp(±z)), each used where its exponential is small.
        up, down = xp.logaddexp(zero, -z), xp.logaddexp(zero, z)
        return xp.sum(w * (t * up + (1 - t) * down)) / xp.sum(w) + 0.5 * objective.l2 * xp.sum(phi * phi)

    return loss
