"""A second look at entries that differ: it separates mistakes from kinks, jumps and noise, which mislead differences.

At a kink, as at the corner of a ReLU or a hinge, the slopes on the two sides differ. Either slope is a correct
gradient, and so is any number between them. Where kinks lie close together, or where the loss has more noise than its
rounding, the extrapolation to h = 0 is misled by an amount that changes from point to point. A mistake stays the same.
So an entry is wrong if one of two things holds:

1. The steps do not explain it. With a step h, a right entry differs from the central difference by at most half the
   difference between the slopes of the loss on the two sides, plus the change of the function's own slope, plus
   rounding. For at least half of the steps the entry is off by more, each time by about the same amount.
2. The difference persists: it is about the same at points near φ.

In both cases it must also add up along a longer path, which the module ``paths`` looks at.

An entry may also be wrong at φ alone, such as a number that is written for the corner of a kink. It is wrong if it lies
clearly outside the slopes on the two sides, and the function itself returns these slopes there, and no others beside φ.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from ..logistic import Array
from .blocks import Blocks, slices_of
from .differences import EPS, Line, typical_size, unit_of
from .paths import Paths
from .report import Mask
from .runner import Stop
from .under_test import FunctionUnderTest

__all__ = ["SecondLook", "look_again", "notes_on_kinks"]

SMALL = 1e-3  # a difference below this share of the largest entry must always add up along a path
MOST_THAT_ADD_UP = 4  # larger differences must add up only until this many have done so
MOST_SUSPECTS = 30  # entries that are also checked at points near φ
FAR = 2e-3  # how far the points near φ are, in units of each entry or of the typical size of φ
IS_CLOSE = (False, True, True, False, True, True, False, True, True)
BESIDE, MOST_MOVED = 1e-8, 500  # how far, in units of an entry, and with how many entries this is tried
TINY = 1e3 * EPS  # a step that is not lost in the rounding of a sum, in the same units
N_ROUNDED = 32  # points that differ from φ in the last digits
N_SETTLED = 3  # slopes on a side of φ, each from smaller steps than the one before, that must be about the same
STEPS = tuple(10.0**-k for k in range(3, 9))


@dataclass
class SecondLook:
    """For each entry: whether it is wrong, how uncertain it is, and whether the loss has a kink or a jump at φ.

    The entries ``along_path`` differ at φ, but not along a path. Those ``outside`` lie outside the slopes on the two
    sides of φ, but it is not certain that they are wrong.
    """

    wrong: Array
    doubt: Array
    kink: Array
    jump: Array
    along_path: Array
    outside: Array


def look_again(
    tested: FunctionUnderTest,
    phi: Array,
    got: Array,
    expected: Array,
    doubt: Array,
    allowed: Array,
    tolerated: Array,
    vague: Array,
    confirmed: Mask,
    noise: float,
    step: float,
    share: float,
) -> SecondLook:
    """Decide about the entries of ``got`` that differ from ``expected`` by more than ``allowed``.

    Entries are wrong without a second look where an objective's gradient has ``confirmed`` the expected number.

    Where a short step is more accurate than the extrapolation, its slope replaces the number in ``expected``. This is
    also tried for the entries that are ``vague``, and replaces their ``doubt``.
    ``tolerated`` is the part of ``allowed`` that is not an error of the differences, and ``share`` the error that is
    allowed as a share of an entry.
    """
    off = np.abs(got - expected)
    look = SecondLook(*(np.zeros(phi.size, dtype=kind) for kind in (bool, float, bool, bool, bool, bool)))
    differ = np.flatnonzero(~(off <= allowed) | (vague != 0))
    differ = differ[np.argsort(-(off / np.maximum(allowed, 1e-300))[differ], kind="stable")]
    near, paths = _PointsNear(tested, phi, noise, step, tolerated), Paths(tested, phi, tested.loss(phi), noise)
    n_persist, n_vanish, n_add_up = 0, 0, 0
    small = SMALL * max(float(np.abs(expected).max()), float(np.abs(got).max()))
    look.wrong[confirmed] = True
    for j in differ[~confirmed[differ]].tolist():
        steps = _Steps(tested, phi, j, float(got[j]), noise)
        if off[j] <= allowed[j]:  # it agrees, but so would other numbers
            if steps.is_inside and not steps.jump and steps.doubt < doubt[j]:
                expected[j], doubt[j] = steps.best, steps.doubt
            continue
        if steps.explain_nothing:
            look.wrong[j] = True
        elif n_persist + n_vanish < MOST_SUSPECTS:
            look.wrong[j] = near.persists(j, float(got[j] - expected[j]))
            n_persist, n_vanish = n_persist + look.wrong[j], n_vanish + (not look.wrong[j])
        else:  # not all can be checked at other points
            look.wrong[j] = not n_vanish
        if look.wrong[j] and (off[j] <= small or n_add_up < MOST_THAT_ADD_UP):
            mean = paths.difference(j, float(got[j] - expected[j]))
            n_add_up += mean is None
            if mean is not None:
                look.wrong[j], look.along_path[j], look.doubt[j] = False, True, abs(mean[0]) + mean[1]
                if look.doubt[j] <= off[j]:
                    expected[j] = got[j] - mean[0]
                continue
        if look.wrong[j]:
            continue
        look.jump[j], look.kink[j] = steps.jump, steps.kink and not steps.jump
        look.doubt[j] = max(float(off[j]), near.noise.get(j, 0.0))
        beyond = steps.beyond(share, float(tolerated[j])) if look.kink[j] else None
        if beyond is not None and not (beyond.is_alone and near.is_limit(j, float(got[j]), beyond)):
            look.wrong[j] = beyond.is_certain and near.is_of_two_slopes(j, beyond)
            look.outside[j], look.kink[j] = not look.wrong[j], bool(look.wrong[j]) and beyond.has_kink
            expected[j] = beyond.nearest
            continue
        if steps.is_inside and not look.jump[j] and j not in near.noise:
            expected[j], look.doubt[j] = steps.best, steps.doubt
    tested.where = ""
    return look


class _Steps:
    """What differences with six steps say about one entry."""

    def __init__(self, tested: FunctionUnderTest, phi: Array, j: int, got: float, noise: float) -> None:
        line = Line(tested.nearby, phi, j)
        self.got, self._line, self._at, self._unit = got, line, float(phi[j]), unit_of(phi, j, typical_size(phi))
        longest = line.longest_step(self._unit, STEPS[0])
        slopes, doubts, sizes = [], [], []
        sides, own, roundings = [], [], []
        for h in (longest * step / STEPS[0] for step in STEPS):
            if phi[j] + h == phi[j] or phi[j] - h == phi[j]:
                break
            slope, bend, change = line.central(h), line.bend(h), line.change(h, got)
            rounding = 8 * max(noise, EPS * abs(phi[j] * slope)) / h
            slopes.append(slope)
            doubts.append(bend / 2 + change + rounding)
            sizes.append(bend + change if bend + change > 5 * rounding else 0.0)
            sides.append(line.sides(h))
            own.append((line.at(-h)[2], line.at(h)[2]))
            roundings.append(8 * max(noise, EPS * abs(phi[j]) * float(np.abs(sides[-1]).max())) / h)
        d, u = np.array(slopes), np.array(doubts)
        outside = np.abs(got - d) > u
        apart = d[outside]
        agree = apart.size > 0 and np.ptp(apart) <= 0.5 * np.abs(got - apart).min()
        self.explain_nothing = bool(2 * outside.sum() >= d.size and agree)
        ratios = [b / a for a, b in pairwise(sizes) if a > 0]
        # With a tenth of the step, the two slopes of a smooth curve differ by a tenth as much. At a kink they differ as
        # much as before, and at a jump they grow tenfold.
        self.kink = any(r > 0.5 for r in ratios)
        self.jump = sum(r > 5 for r in ratios) >= 2
        best = int(np.argmin(u))
        self.best, self.doubt, self.is_inside = float(d[best]), float(u[best]), not outside[best]
        self._sides, self._own, self._roundings = np.array(sides), np.array(own), np.array(roundings)

    def beyond(self, share: float, tolerated: float) -> _Beyond | None:
        """Say how far the entry lies outside the slopes of the loss on the two sides as h goes to 0, or return None.

        Two steps, h and h/10, give a slope (10·s(h/10) − s(h))/9 on each side, in which the curvature cancels. With
        ``gap`` for the distance of the entry from these slopes, at the last three with a rounding of at most gap/10,
        they must change by at most gap/10. What is left of the curvature shrinks a hundredfold from one to the next, so
        the last slopes are off by at most gap/990 + gap/10, much less than the gap. If the rounding leaves fewer than
        three, they must agree with the slope at h/10 itself, and nothing is certain.

        The function itself should return about these slopes on the two sides, both at such a step and at a tiny one.
        If it does not at the smallest step there is, φ may lie between kinks that no difference tells apart.
        """
        slopes, roundings = (10 * self._sides[1:] - self._sides[:-1]) / 9, 1.2 * self._roundings[1:]
        gaps = np.maximum(np.maximum(slopes.min(axis=1) - self.got, self.got - slopes.max(axis=1)), 0.0)
        last = np.flatnonzero(10 * roundings <= gaps.max(initial=0.0))[-N_SETTLED:]
        if not last.size:
            return None
        is_settled = last.size == N_SETTLED
        seen = slopes[last] if is_settled else np.vstack([slopes[last], self._sides[last[0] + 1]])
        gap, changes = float(gaps[last].min()), float(np.ptp(seen, axis=0).max())
        low, high = np.sort(slopes[last[-1]]).tolist()
        allowed = share * max(abs(low), abs(high)) + tolerated
        if gap <= allowed or changes > gap / 10:
            return None
        inexact = 2 * (changes + float(roundings[last[-1]]))
        # If all that depends on the entry is a ReLU at 0, the chain rule gives 0 or the sum of the two slopes, as ReLUs
        # at 0 count as off or as on.
        by_chain_rule = abs(self.got) <= allowed or abs(self.got - (low + high)) <= allowed + inexact
        least = float(np.spacing(abs(self._at))) if self._at else 1e-18 * self._unit
        own = [
            self._own[last[-1] + 1],
            *((self._line.at(-h)[2], self._line.at(h)[2]) for h in (TINY * self._unit, least)),
        ]
        *at_steps, at_least = [float(np.abs(pair - slopes[last[-1]]).max()) <= gap / 2 for pair in own]
        return _Beyond(
            gap,
            low,
            high,
            nearest=low if self.got < low else high,
            is_alone=all(at_steps),
            is_certain=is_settled and all(at_steps) and at_least and not by_chain_rule,
            has_kink=high - low > inexact,
        )


@dataclass
class _Beyond:
    """By how much an entry is outside the slopes on the two sides of φ, and these slopes."""

    gap: float
    low: float
    high: float
    nearest: float
    is_alone: bool
    is_certain: bool
    has_kink: bool


class _PointsNear:
    """Points near φ, at which the function's own gradient is compared with differences once more.

    At the close ones each entry moves by a share of itself, and a mistake stays about the same. At the others each
    entry moves by a share of the typical size of φ, so that even a tiny entry leaves the neighbourhood of a kink.
    """

    def __init__(self, tested: FunctionUnderTest, phi: Array, noise: float, step: float, tolerated: Array) -> None:
        self.tested, self.phi, self.loss_noise, self.tolerated = tested, phi, noise, tolerated
        self.step = step
        self.known: list[tuple[Array, Array, bool]] | None = None
        self.noise: dict[int, float] = {}
        self.beside: Array | None = None
        self.in_last_digits: list[Array] | None = None

    def points(self) -> list[tuple[Array, Array, bool]]:
        """Return points, the gradients there, and which are close; points at which the function fails are left out."""
        if self.known is None:
            rng, typical, self.known = np.random.default_rng(0), typical_size(self.phi), []
            for is_close in IS_CLOSE:
                sizes = np.where(self.phi != 0, np.abs(self.phi), typical) if is_close else typical
                at = self.phi + FAR * sizes * rng.normal(size=self.phi.size)
                try:
                    self.known.append((at, self.tested.nearby(at)[1], is_close))
                except Stop:
                    continue
        return self.known

    def persists(self, j: int, difference: float) -> bool:
        """Say whether the gradient is off by about as much close to φ as it is at φ, and also off further away."""
        close, visible, n_invisible, largest = [difference], [True], 0, abs(difference)
        for at, gradient, is_close in self.points():
            try:
                unit = unit_of(at, j, typical_size(at))
                slope, spread = Line(self.tested.nearby, at, j).slope(unit, self.loss_noise, self.step)
            except Stop:
                continue
            off = float(gradient[j]) - slope
            is_visible = abs(off) > 4 * spread + self.tolerated[j]
            n_invisible, largest = n_invisible + (not is_visible), max(largest, abs(off))
            if n_invisible > 1:
                return False  # the gradient is right at two of the points
            if is_close:
                close.append(off)
                visible.append(bool(is_visible))
        if len(close) < 3:
            return True  # there is nothing to say against the difference at φ
        differences = np.array(close)
        keep = np.ones(differences.size, dtype=bool)
        if differences.size > 4:  # one of them may be misled by a kink
            keep[np.argmax(np.abs(differences - np.median(differences)))] = False
        kept = differences[keep]
        persists = bool(np.array(visible)[keep].all() and kept.std() <= 0.25 * abs(kept.mean()))
        if not persists:
            self.noise[j] = largest
        return persists

    def is_limit(self, j: int, got: float, beyond: _Beyond) -> bool:
        """Say whether an entry is within the range of the function's own slopes right beside φ.

        Where several ReLUs of one hidden unit are at 0, the chain rule may give a number that is not between the slopes
        along this entry. A step along another entry, such as the bias, turns all of them off or on, and shows it.
        """
        slopes = self._beside()[:, j]
        return bool(slopes.min() - beyond.gap / 4 <= got <= slopes.max() + beyond.gap / 4)

    def is_of_two_slopes(self, j: int, beyond: _Beyond) -> bool:
        """Say whether the function's own slopes right beside φ are all about one or the other of the two slopes.

        This includes points at which all entries differ in their last digits. They show corners that would be at φ in
        exact arithmetic, and of which rounding has moved some to one side and some to the other.
        """
        if self.in_last_digits is None:
            rng, self.in_last_digits = np.random.default_rng(5), []
            digit = np.where(self.phi != 0, np.spacing(np.abs(self.phi)), 0.1 * EPS * typical_size(self.phi))
            for _ in range(N_ROUNDED):
                moves = rng.choice([-1, 1], digit.size) * rng.integers(1, 9, digit.size)
                with suppress(Stop):
                    self.in_last_digits.append(self.tested.nearby(self.phi + moves * digit)[1])
        slopes = np.array([gradient[j] for gradient in (*self._beside(), *self.in_last_digits)])
        close = min(beyond.gap / 4, (beyond.high - beyond.low) / 20) if beyond.has_kink else beyond.gap / 4
        return bool((np.minimum(np.abs(slopes - beyond.low), np.abs(slopes - beyond.high)) <= close).all())

    def _beside(self) -> Array:
        """Return the gradients at points beside φ, or one of NaN if there are too many entries.

        At each point one entry moves by ``BESIDE``, and all others by a thousandth of it, to leave their own kinks.
        """
        if self.beside is None:
            size, typical, rng, found = self.phi.size, typical_size(self.phi), np.random.default_rng(4), []
            units = np.array([unit_of(self.phi, j, typical) for j in range(size)])
            for j, side in product(range(size if size <= MOST_MOVED else 0), (1, -1)):
                moves = rng.choice([-1e-3, 1e-3], size) * rng.uniform(0.5, 1.5, size)
                moves[j] = side
                with suppress(Stop):
                    found.append(self.tested.nearby(self.phi + BESIDE * units * moves)[1])
            self.beside = np.array(found or [np.full(size, np.nan)])
        return self.beside


def notes_on_kinks(look: SecondLook, blocks: Blocks) -> list[str]:
    """Name the blocks that have a kink or a jump at φ."""
    notes = []
    if names := [name for name, part in slices_of(blocks).items() if look.kink[part].any()]:
        notes.append(
            f"the loss has a kink at phi (a ReLU or a hinge at 0) in {', '.join(names)}: the slopes on its two sides "
            "are both correct, and so is any number between them. Check at another phi, too"
        )
    if names := [name for name, part in slices_of(blocks).items() if look.jump[part].any()]:
        notes.append(
            f"the loss jumps at phi in {', '.join(names)}: it has no slope there that a gradient could be compared "
            "with. Check at another phi"
        )
    if names := [name for name, part in slices_of(blocks).items() if look.outside[part].any()]:
        notes.append(
            f"in {', '.join(names)} the gradient is not between the slopes of the loss on the two sides of phi. It may "
            "be wrong, or it may be what the chain rule gives where several ReLUs or hinges are at 0. Check at another "
            "phi"
        )
    if look.along_path.any():
        notes.append(
            "the slope of the loss at phi differs a little from the gradient, but the difference does not grow along a "
            "longer path, as if the loss were found by an iteration that stops early. Entries with such a difference "
            "were compared along longer paths. Let the iteration run longer for a closer check"
        )
    return notes
