"""Does a difference add up along a path? The change of the loss is compared with the sum of the function's own slopes.

A loss that is found by an inner iteration or by bisection has a small error of its own, which goes up and down. Its
slope at one point may be off by much more than that error, but along a path this does not add up. A wrong gradient
does: the longer the path, the further the loss and the sum of the slopes grow apart.

An iteration that stops at a tolerance also makes the loss jump, wherever one more step is needed. A jump is found by
halving: it stays as large as it was however short the interval becomes. A wrong gradient of a smooth loss has none.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..logistic import Array
from .differences import EPS, Line, typical_size, unit_of
from .runner import Stop
from .under_test import FunctionUnderTest

__all__ = ["Paths"]

N_NODES = (12, 20)  # of Gauss's rule; the difference of the two sums is its error
FAR = 0.7  # the longest path, in units of φ
GROWS = 10.0  # a constant difference grows eightfold, and one that changes its sign at φ sixty-four fold
LARGE = 1e-3  # a difference that adds up to more than this share of the loss cannot be the error of an iteration
MOST_SEARCHES = 3  # along entries, for jumps
LENGTHS = (0.5, 1.0, 2.0, 4.0)  # of the lines in random directions on which jumps are sought, in typical sizes of φ
N_INTERVALS, N_TRIED, N_HALVINGS = 24, 6, 16
JUMPS = 4.0  # the error of the loss is taken to be at most this many times its largest jump


class Paths:
    """Paths through φ, each along one entry.

    ``jump`` is the largest jump of the loss that was seen, or 0.
    """

    def __init__(self, tested: FunctionUnderTest, phi: Array, loss: float, noise: float) -> None:
        self.tested, self.phi, self.noise = tested, phi, max(noise, EPS)
        self.jump, self.n_searches = 0.0, 0
        self.large = LARGE * max(1.0, abs(loss))

    def difference(self, j: int, difference: float) -> tuple[float, float] | None:
        """Follow entry j along several paths. At φ, its gradient minus the slope of the loss is ``difference``.

        Returns None if the difference adds up on one of them, on both sides of φ. Otherwise the loss has another error,
        and the result is the mean difference along the most accurate path, and how uncertain it is.
        """
        line = Line(self.tested.nearby, self.phi, j)
        unit = unit_of(self.phi, j, typical_size(self.phi))
        off, longest = abs(difference), FAR * unit
        adds_up, _, _ = self._adds_up(line, longest, difference, self.large)
        if adds_up:
            return None
        if self.n_searches < MOST_SEARCHES:
            self.search(line, longest)
        if not self.jump and self._grows(line, longest):
            return None
        error = JUMPS * self.jump
        lengths = [longest, longest / 8, min(longest, line.longest_step(unit, 1.0))]
        lengths += [longest / 64, longest / 512] if error else []
        best: tuple[float, float] | None = None
        for far in sorted(set(lengths), reverse=True):
            adds_up, mean, inexact = self._adds_up(line, far, difference, error)
            if adds_up:
                return None
            doubt = inexact + (error + self.noise) / far
            if inexact <= 0.2 * max(off, error / far) and (best is None or abs(mean) + doubt < abs(best[0]) + best[1]):
                best = mean, doubt
        return best

    def _grows(self, line: Line, far: float) -> bool:
        """Say whether the loss and the sum of the slopes are much further apart at the end than after an eighth.

        The error of an iteration stays as it is. A mistake grows, even if it has opposite signs on the two sides of φ.
        """
        try:
            apart = [max(abs(self._apart(line, end)[0]) for end in (far / k, -far / k)) for k in (1, 8)]
        except Stop:  # the path leaves the domain
            return True
        return apart[0] > GROWS * apart[1] + 8 * self.noise

    def _adds_up(self, line: Line, far: float, difference: float, error: float) -> tuple[bool, float, float]:
        """Say whether the difference adds up to more than ``error``; return its mean and how inexact that is."""
        means, inexact = [], 0.0
        for end in (far, -far):
            try:
                apart, doubt = self._apart(line, end)
            except Stop:  # the path leaves the domain
                continue
            means.append(-apart / end)
            inexact = max(inexact, doubt / far)
        if not means:
            return True, difference, 0.0
        least = (0.4 * abs(difference) * far + error) / far
        mean = sum(means) / len(means)  # what grows with the square of the distance cancels
        exact = inexact <= 0.2 * max(abs(difference), abs(mean))
        return bool(exact and mean * np.sign(difference) > least), mean, inexact

    def _apart(self, line: Line, end: float) -> tuple[float, float]:
        """Return how far the loss and the sum of the slopes are apart at the end, and the error of the sum."""
        sums = []
        for n_nodes in N_NODES:
            nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
            slopes = [line.at(float(end * (node + 1) / 2))[2] for node in nodes]
            sums.append(float(end / 2 * weights @ slopes))
        return line.at(end)[1] - line.at(0.0)[1] - sums[1], abs(sums[1] - sums[0])

    def search(self, line: Line, far: float) -> None:
        """Look for jumps of the loss on a path along this line, and the first time also in a random direction."""
        lines = [(line, far)]
        if not self.n_searches:
            rng, typical = np.random.default_rng(3), typical_size(self.phi)
            for length in LENGTHS:
                direction = rng.choice([-1.0, 1.0], self.phi.size) * rng.uniform(0.5, 1.5, self.phi.size)
                lines.append((Line(self.tested.nearby, self.phi, direction), length * typical))
        self.n_searches += 1
        for path, length in lines:
            try:
                self.jump = max(self.jump, self._largest_jump(path, length))
            except Stop:  # the path leaves the domain
                continue

    def _largest_jump(self, line: Line, far: float) -> float:
        def gap(a: float, b: float) -> float:
            """Return how far the loss departs from Simpson's sum of its slopes between a and b."""
            (x, left, s), (_, _, m), (y, right, t) = line.at(a), line.at((a + b) / 2), line.at(b)
            return abs(right - left - (y - x) / 6 * (s + 4 * m + t))

        ends = np.linspace(-far, far, N_INTERVALS + 1).tolist()
        gaps = [gap(a, b) for a, b in pairwise(ends)]
        sharp = [g - max(before, after) for before, g, after in zip([0.0, *gaps], gaps, [*gaps[1:], 0.0], strict=False)]
        order = np.concatenate(
            [np.argsort(gaps)[: -N_TRIED // 2 - 1 : -1], np.argsort(sharp)[: -N_TRIED // 2 - 1 : -1]]
        )
        found, noise = 0.0, max(self.noise, EPS * max(abs(line.at(end)[1]) for end in ends))
        for k in dict.fromkeys(order.tolist()):
            a, b = ends[k], ends[k + 1]
            sizes = [gaps[k]]
            while len(sizes) < N_HALVINGS and not (len(sizes) > 8 and sizes[-1] < sizes[-5] / 8):
                middle = (a + b) / 2
                a, b = max((a, middle), (middle, b), key=lambda ab: gap(*ab))
                sizes.append(gap(a, b))
            # A gap that keeps growing is a pole, and a large jump is part of the loss itself.
            if max(0.5 * sizes[-5], 40 * noise) < sizes[-1] < min(2 * sizes[-5], self.large):
                found = max(found, sizes[-1])
        return found
