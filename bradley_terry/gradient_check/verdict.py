"""Is this gradient right? Compare it, entry by entry, with gradients that share nothing with its derivation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast, overload

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import given, single
from ..arrays.visible import class_name, quoted
from ..logistic import Array
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import Scorer
from .autodiff import careful_gradient, loss_to_differentiate
from .blocks import Blocks, slices_of
from .diagnosis import diagnose, is_about_a_pair
from .differences import EPS, by_directions, numerical_gradient, typical_size, unit_of
from .doubts import SATURATED, Doubts, doubts_about
from .kinks import look_again, notes_on_kinks
from .process import as_it_was
from .report import UNJUDGED, BlockReport, GradientReport, Mask
from .runner import Stop, Watch, warnings_as_notes
from .state import must_follow_phi
from .under_test import Function, FunctionUnderTest
from .wrong_pairs import pairs_that_disagree

__all__ = ["check_gradient"]

TOLERANCE = {"numerical": 1e-8, "autograd": 1e-12, "jax": 1e-12, "torch": 1e-12}  # of the expected entry
ROUNDING = {"numerical": 1e-10, "autograd": 1e-14, "jax": 1e-14, "torch": 1e-14}  # of the largest entry in the block

SAME_VALUE = 1e-9  # share of its value by which a loss may differ from the objective's and still be the same loss
SAME_GRADIENT = 1e-5  # share of the largest entry by which two gradients of the same loss may differ
TENTH = 0.1  # an entry that is uncertain by more than this share of it could not be judged
MOST_ENTRIES = 500  # with more, differences are taken along random directions and for some entries only


@overload
def check_gradient(
    function: Function,
    phi: ArrayLike | None = None,
    *,
    against: str | Sequence[str] = "numerical",
    names: Mapping[str, tuple[int, ...]] | None = None,
    tolerance: float | None = None,
    reference: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
    objective: Objective | None = None,
    time_limit: float = 10.0,
) -> GradientReport: ...


@overload
def check_gradient(
    function: Scorer,
    phi: PreferencePairs,
    *,
    against: str | Sequence[str] = "numerical",
    names: Mapping[str, tuple[int, ...]] | None = None,
    tolerance: float | None = None,
    reference: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
) -> GradientReport: ...


def check_gradient(
    function: Function | Scorer,
    phi: ArrayLike | PreferencePairs | None = None,
    *,
    against: str | Sequence[str] = "numerical",
    names: Mapping[str, tuple[int, ...]] | None = None,
    tolerance: float | None = None,
    reference: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = None,
    objective: Objective | None = None,
    time_limit: float = 10.0,
) -> GradientReport:
    """Compare a gradient, entry by entry, with one or several references.

    Call it as ``check_gradient(function, phi)``, ``check_gradient(objective)`` or ``check_gradient(scorer, pairs)``.

    Parameters
    ----------
    function : callable, phi -> (loss, gradient)
        An ``Objective`` or your own function. A scorer and its pairs stand for ``Objective(scorer, pairs)``.
    phi : array_like, (n_parameters,), optional
        Where to check. Do not use zero: there the gradient of an MLP is 0, and so are many wrong versions of it.
        With an objective, phi can be left out. Then φ is standard normal, drawn with ``np.random.default_rng(0)``, and
        halved until every margin is within ±13.8. If ``function`` is a scorer, pass its ``PreferencePairs`` here.
    against : "numerical", "autograd", "jax", "torch", or several of them
        The references: finite differences, or a library that differentiates the loss.
    names : mapping of block name to shape, optional
        The layout of φ. By default, that of the objective's scorer, or without one a single block called "phi".
    tolerance : float, optional
        Allowed error as a share of the expected entry; by default 1e-8 for numerical and 1e-12 for the others. The
        rounding error is allowed on top of this, so that an entry whose true value is 0 passes. At a kink, any number
        between the slopes on the two sides passes.
    reference : callable, phi -> loss, or mapping of library to such a callable, optional
        Your loss, written with ``autograd.numpy``, ``jax.numpy`` or torch. An objective provides its own.
    objective : Objective, optional
        What your own function should compute. It provides the names and a reference, and the gradient is also
        compared with its gradient. The diagnosis then compares a wrong gradient with those that the usual mistakes
        would give on these data.
    time_limit : float, seconds
        Longest time for one call of your own function or for the gradient of your own reference, where the system can
        interrupt it. The time in which Numba compiles does not count.

    Raises
    ------
    TypeError, ValueError
        For an unknown reference, or for φ, names, scorer and pairs that do not fit together.

    Notes
    -----
    If φ has more than 500 entries, the numerical reference checks 8 random directions, the 12 largest entries and 20
    random ones in each block, or fewer where there are more than five blocks. If a direction disagrees, its entries are
    divided into halves again and again until a wrong one is found. An error in your own function appears as a line of
    the report, with the line number in your code.

    Examples
    --------
    >>> check_gradient(lambda w: (float(w @ w), 2 * w), [1.5, -0.5]).passed
    True
    """
    references = (against,) if isinstance(against, str) else tuple(single.names("against", against))
    if not references:
        raise ValueError(f"against: expected at least one of {', '.join(TOLERANCE)}, got none")
    for name in references:
        single.one_of("against", name, tuple(TOLERANCE))
    if tolerance is not None and not 0 <= single.number(tolerance) < np.inf:
        raise ValueError(f"tolerance: expected a number of at least 0, got {quoted(tolerance)}")
    if names is not None and not isinstance(names, Mapping):
        raise TypeError(f"names: expected a mapping of block name to shape, got {quoted(names)}")
    if isinstance(phi, PreferencePairs) or (not callable(function) and hasattr(type(function), "backward")):
        function, phi = _objective_of(cast("Scorer", function), phi), None
    function = cast("Function", function)
    if objective is not None and not isinstance(objective, Objective):
        raise TypeError(f"objective: expected an Objective, got {class_name(objective)}")
    problem = cast("Objective", function) if issubclass(type(function), Objective) else objective
    at = _random_phi(problem) if phi is None else given.float64(phi, "phi").copy()
    blocks = _blocks_of(at, names, problem)
    losses = dict(reference) if isinstance(reference, Mapping) else dict.fromkeys(references, reference)
    with as_it_was() as left, warnings_as_notes() as said:
        try:
            with Watch(time_limit) as watch:
                tested = FunctionUnderTest(function, problem, watch)
                report = _verdict(tested, at, references, blocks, losses, tolerance)
        except Stop as stop:
            report = GradientReport((), stop.message or "Your function is not written yet.", stopped=stop.status)
    return replace(report, warnings=(*report.warnings, *said, *left))


def _objective_of(scorer: Scorer, pairs: object) -> Objective:
    if not isinstance(pairs, PreferencePairs):
        raise TypeError(
            f"phi: expected PreferencePairs after a scorer, got {class_name(pairs)}; to choose phi, call "
            "check_gradient(Objective(scorer, pairs), phi)"
        )
    return Objective(scorer, pairs)


def _random_phi(objective: Objective | None) -> Array:
    """Return a random φ, the same in every call, at which no pair is saturated."""
    if objective is None:
        raise ValueError("phi: expected a vector of parameters, got None; it can be left out only with an Objective")
    phi: Array = np.random.default_rng(0).normal(size=objective.scorer.n_parameters)
    for n_halvings in range(60):
        smaller: Array = phi / 2**n_halvings
        with np.errstate(all="ignore"):  # huge features may overflow at first
            margins = objective.margins(smaller)
        if np.abs(margins).max() <= SATURATED:
            return smaller
    return phi  # for a scorer whose margins do not shrink with φ


def _blocks_of(phi: Array, names: Blocks | None, objective: Objective | None) -> Blocks:
    """Return the layout of φ, or raise ValueError if they do not fit together."""
    if objective is not None and phi.shape != (objective.scorer.n_parameters,):
        scorer = objective.scorer
        raise ValueError(f"phi: expected shape ({scorer.n_parameters},) for {scorer}, got {phi.shape}")
    if phi.ndim != 1 or phi.size == 0:
        raise ValueError(f"phi: expected a flat vector of at least one number, got shape {phi.shape}")
    if names is None:
        return {"phi": phi.shape} if objective is None else objective.scorer.shapes
    for name, shape in names.items():
        if not isinstance(name, str) or not isinstance(shape, tuple | list) or not all(map(single.is_whole, shape)):
            got = f"{quoted(name)}: {quoted(shape)}"
            raise TypeError(f"names: expected block names with their shapes, such as {{'a': (3,)}}, got {got}")
    if sum(int(np.prod(shape)) for shape in names.values()) != phi.size or any(0 in s for s in names.values()):
        raise ValueError(f"names: expected shapes that fill phi, {phi.size} numbers, got {dict(names)}")
    return names


def _verdict(
    tested: FunctionUnderTest,
    phi: Array,
    references: Sequence[str],
    blocks: Blocks,
    own_losses: Mapping[str, Callable[..., Any] | None],
    tolerance: float | None,
) -> GradientReport:
    """Compare the gradient at φ with each reference.

    Each entry has an uncertainty, from rounding, noise and the error of the reference. The entry is wrong if it is off
    by more than this, unless a second look finds a kink or noise that explains it. It could not be judged if the
    uncertainty is more than a tenth of its size. Otherwise it agrees.
    """
    tested.must_accept(phi)
    loss, got = tested(phi)
    doubts = doubts_about(tested, phi, loss, got)
    reports: list[BlockReport] = []
    found, has_kinks = got, False
    for name in references:
        reference = _reference(name, tested, phi, loss, got, blocks, own_losses, doubts)
        share = TOLERANCE[name] if tolerance is None else tolerance
        judged = _judged(name, reference, share, tested, phi, loss, got, blocks, doubts)
        compared = [
            BlockReport.of(block, blocks[block], name, part, got, reference.expected, *judged[:3])
            for block, part in slices_of(blocks).items()
        ]
        bad = {block.name: block.n_wrong > 0 for block in compared}
        found = reference.expected if any(bad.values()) else found
        has_kinks = has_kinks or judged.has_kinks
        mistakes = diagnose(got, reference.expected, blocks, bad, tested.objective, phi)
        reports += [
            replace(block, diagnosis=mistakes.get(block.name, ""), n_checked=reference.n_checked.get(block.name, 0))
            for block in compared
        ]
    beside, is_wrong = tested.beside, any(block.n_wrong for block in reports)
    if beside is not None and not has_kinks and all(block.passed for block in reports):
        found = beside(phi)[1]
        reports += _beside_the_objective(beside, tested, phi, loss, got, blocks, doubts)
    elif beside is not None and is_wrong:
        its_loss, its_gradient = beside(phi)
        if np.array_equal(got, its_gradient):
            doubts.notes.append("the gradient is that of the objective, so the mistake is in the loss that is returned")
        elif not _is_same_loss(loss, its_loss):
            doubts.notes.append(
                f"the loss of your function is not that of the objective either: got {loss:.6g}, expected "
                f"{its_loss:.6g} at this phi; perhaps your loss has a penalty, which Objective takes as l2=, or your "
                "phi is in a different order from objective.scorer.shapes"
            )
    passed = all(block.passed for block in reports)
    if passed and not tested.is_ours and not has_kinks and phi.any() and "numerical" in references:
        note = must_follow_phi(tested, phi, got, doubts.noise_of_loss)
        doubts.notes += [note] if note else []
    named = any(block.diagnosis and not is_about_a_pair(block.diagnosis) for block in reports)
    pairs = () if named or not any(block.n_wrong for block in reports) else pairs_that_disagree(tested, phi, got, found)
    return GradientReport(tuple(reports), "", tuple(dict.fromkeys(doubts.notes)), pairs)


def _beside_the_objective(
    objective: Objective,
    tested: FunctionUnderTest,
    phi: Array,
    loss: float,
    got: Array,
    blocks: Blocks,
    doubts: Doubts,
) -> list[BlockReport]:
    """Compare a gradient that belongs to its loss with that of the objective; report on the blocks that differ."""
    its_loss, expected = objective(phi)
    rounding = _share_of_rounding(tested) * max(_largest(expected), _largest(got))
    doubt = np.full(phi.shape, rounding + doubts.noise_of_gradient)
    wrong = np.abs(got - expected) > doubt
    if not wrong.any() or _is_same_loss(loss, its_loss):  # at a kink, one loss has several gradients
        return []
    doubts.notes.append(
        "the gradient is right for the loss that your function returns, but this loss is not that of the objective: "
        f"got {loss:.6g}, expected {its_loss:.6g} at this phi"
    )
    parts = slices_of(blocks)
    bad = {name: bool(wrong[part].any()) for name, part in parts.items()}
    mistakes = diagnose(got, expected, blocks, bad, objective, phi)
    unsure = np.zeros(phi.size, dtype=bool)
    return [
        replace(
            BlockReport.of(name, blocks[name], "objective", parts[name], got, expected, doubt, wrong, unsure),
            diagnosis=mistakes.get(name, ""),
        )
        for name in blocks
        if bad[name]
    ]


class _Reference(NamedTuple):
    """What the gradient is compared with.

    ``spread`` is the error of the differences, ``n_checked`` the number of entries that were differentiated one by one
    in each large block, and ``rounding`` the error allowed as a share of the largest entry of a block.
    """

    expected: Array
    spread: Array
    n_checked: dict[str, int]
    rounding: float


def _reference(
    name: str,
    tested: FunctionUnderTest,
    phi: Array,
    loss: float,
    got: Array,
    blocks: Blocks,
    own_losses: Mapping[str, Callable[..., Any] | None],
    doubts: Doubts,
) -> _Reference:
    """Differentiate the loss at φ, by differences or by a library."""
    rounding, noise = ROUNDING[name], doubts.noise_of_loss
    if name == "numerical" and phi.size > MOST_ENTRIES:
        return _Reference(*by_directions(tested.loss, phi, got, blocks, noise), rounding)
    if name == "numerical":
        return _Reference(*numerical_gradient(tested.loss, phi, noise=noise, step=doubts.step), {}, rounding)
    to_differentiate = loss_to_differentiate(own_losses.get(name), tested.objective, name)
    watch = None if own_losses.get(name) is None else tested.watch
    expected, precision = careful_gradient(to_differentiate, phi, name, loss, watch)
    if precision > EPS:
        rounding = max(rounding, 30 * precision)
        doubts.notes.append(
            f"the reference for {name} computes with {-int(np.floor(np.log10(precision)))} digits (float32 or less), "
            "so entries are compared only to this precision. Use float64 for a closer check"
        )
    return _Reference(expected, np.zeros_like(phi), {}, rounding)


class _Judged(NamedTuple):
    """For each entry: how uncertain it is, and whether it is wrong or could not be judged."""

    doubt: Array
    wrong: Mask
    unsure: Mask
    has_kinks: bool


def _judged(
    name: str,
    reference: _Reference,
    share: float,
    tested: FunctionUnderTest,
    phi: Array,
    loss: float,
    got: Array,
    blocks: Blocks,
    doubts: Doubts,
) -> _Judged:
    """Decide about each entry, and look again at those that differ from finite differences."""
    expected, spread, _, rounding = reference
    # A loss is known only to within a few eps of its size, so its gradient no better than that per unit of phi.
    coarse = tested.eps / EPS
    doubt = np.full(phi.shape, 1e-13 * abs(loss) / max(float(np.abs(phi).max()), 1e-6))
    doubt = coarse * doubt + doubts.noise_of_gradient + (4 * tested.eps * np.abs(got) if coarse > 1 else 0.0)
    floor = np.empty_like(phi)
    for part in slices_of(blocks).values():
        floor[part] = rounding * _largest(expected[part])
    if name == "numerical":  # where entries have different units, the rounding of one may dwarf another
        typical = typical_size(phi)
        units = np.array([unit_of(phi, j, typical) for j in range(phi.size)])
        floor = np.minimum(floor, rounding * _largest(expected * units) / units)
    tolerated = share * np.abs(expected) + floor + doubt
    doubt = np.maximum(doubt, 4 * spread)
    allowed = share * np.abs(expected) + floor + doubt
    _must_be_precise_enough(tested, expected, doubt)
    wrong, is_kink = ~(np.abs(got - expected) <= allowed), np.zeros(phi.size, dtype=bool)
    is_outside = is_kink  # the slopes on the two sides of a kink
    is_special = False  # a kink, or an inexact loss
    vague = ~wrong & _too_uncertain(tested, phi, got, expected, doubt)[0]
    if name == "numerical" and (wrong | vague).any():
        confirmed = _confirmed(tested, phi, loss, got, expected, allowed)
        noise = doubts.noise_of_loss
        look = look_again(
            tested, phi, got, expected, doubt, allowed, tolerated, vague, confirmed, noise, doubts.step, share
        )
        wrong, is_kink, is_outside = look.wrong, look.kink, look.outside
        doubt = np.where(look.wrong, doubt, np.maximum(doubt, look.doubt))
        doubts.notes += notes_on_kinks(look, blocks)
        is_special = bool(look.kink.any() or look.along_path.any())
    unsure, tiny = (~wrong & ~is_kink & mask for mask in _too_uncertain(tested, phi, got, expected, doubt))
    if tiny.any():
        doubts.notes.append(
            f"{int(tiny.sum())} of {tiny.size} entries are tiny compared with the largest one and uncertain by more "
            "than a tenth of their size, so a small mistake in them would not show"
        )
    if (uncertain := unsure & ~is_outside).any():
        doubts.notes.append(_why_unsure(name, uncertain, got, expected, doubt, doubts.noise_of_loss))
    return _Judged(doubt, wrong, unsure | is_outside, is_special)


def _confirmed(tested: FunctionUnderTest, phi: Array, loss: float, got: Array, expected: Array, allowed: Array) -> Mask:
    """Return where ``expected`` agrees with the objective's gradient and ``got`` differs by more than rounding."""
    nowhere = np.zeros(phi.size, dtype=bool)
    if tested.beside is None:
        return nowhere
    its_loss, gradient = tested.beside(phi)
    if not _is_same_loss(loss, its_loss):
        return nowhere
    rounding = _share_of_rounding(tested) * max(_largest(expected), _largest(got))
    return (np.abs(got - expected) > np.maximum(rounding, allowed)) & (np.abs(expected - gradient) <= allowed)


def _is_same_loss(loss: float, other: float) -> bool:
    return abs(loss - other) <= SAME_VALUE * max(abs(loss), abs(other))


def _share_of_rounding(tested: FunctionUnderTest) -> float:
    """Return by which share of the largest entry the gradients of two programs for one loss may differ."""
    return max(SAME_GRADIENT, 1e3 * tested.eps)


def _largest(values: Array) -> float:
    return float(np.abs(values).max()) if values.size else 0.0


def _too_uncertain(
    tested: FunctionUnderTest, phi: Array, got: Array, expected: Array, doubt: Array
) -> tuple[Mask, Mask]:
    """Return which entries are uncertain by more than a tenth of their size: those that matter, and the tiny ones.

    An entry is tiny if its doubt is little beside the largest entry. A true zero is uncertain by its rounding, and is
    in neither group.
    """
    too_much = doubt > TENTH * np.maximum(np.abs(expected), np.abs(got))
    is_zero = (got == 0) & (expected == 0)
    if not phi.any() or typical_size(phi) >= 1e-6:
        is_zero |= (doubt <= 1e-9) & (np.abs(got) <= doubt) & (np.abs(expected) <= doubt)
    is_tiny = doubt <= (1e-2 if tested.eps > EPS else 3e-5) * max(_largest(expected), _largest(got))
    return too_much & ~is_zero & ~is_tiny, too_much & ~is_zero & is_tiny


def _why_unsure(name: str, unsure: Array, got: Array, expected: Array, doubt: Array, noise: float) -> str:
    sizes = np.maximum(np.abs(expected), np.abs(got))[unsure]
    return (
        f"{int(unsure.sum())} of {unsure.size} entries could not be judged against the reference “{name}”: they are at "
        f"most {sizes.max():.1e} and uncertain by up to {doubt[unsure].max():.1e}, since the loss is known only to "
        f"within {noise:.1e}. Check at another phi, or remove rounding, noise or a large constant from the loss"
    )


def _must_be_precise_enough(tested: FunctionUnderTest, expected: Array, uncertainty: Array) -> None:
    """Stop if the numbers are so coarse or noisy that a wrong gradient would pass."""
    largest, doubt = float(np.abs(expected).max()), float(uncertainty.max())
    if (tested.eps > EPS or tested.is_noisy) and 0 < 10 * largest < 100 * doubt:
        if tested.is_noisy:
            raise Stop(
                UNJUDGED,
                "two calls at the same phi return different losses: does the function draw random numbers, as for a "
                "mini-batch or dropout? Use the same random numbers in every call, since otherwise their changes hide "
                "the effect of phi",
            )
        raise Stop(
            UNJUDGED,
            "the numbers that your function returns are too coarse to check: no entry is larger than "
            f"{largest:.1e}, and the uncertainty is up to {doubt:.1e}",
        )
