"""What the data can say about the parameters: their covariance, and which items can be compared at all."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .logistic import Array
from .pairs import PreferencePairs
from .scorers import Scorer, TableScorer
from .threads import blas_on_one_thread

__all__ = ["connected_groups", "covariance", "strong_components"]

Items = NDArray[np.int64]


def covariance(scorer: Scorer, information: Array, reference: int | None = None) -> Array:
    """Return the covariance of the estimated parameters, (n_parameters, n_parameters): the inverse information.

    Parameters
    ----------
    scorer : Scorer
        For a table the covariance allows for the fact that all rewards can shift together.
    information : array, (n_parameters, n_parameters)
        Σ w · d²L/dφ², the second derivative of the summed loss, with weights read as counts. With l2 > 0 the result
        is the Laplace approximation of the posterior, where l2 stands for a Gaussian prior.
    reference : int, optional
        For a table: the item whose reward is set to 0 and has no error. Without it the rewards sum to zero.

    Raises
    ------
    ValueError
        If the data do not determine some direction of φ other than the shift.

    Notes
    -----
    For a table without l2, H·1 = 0. H + 11ᵀ/n is invertible, and (H + 11ᵀ/n)⁻¹ - 11ᵀ/n is the pseudo-inverse of H, the
    covariance of rewards that sum to zero. Rewards relative to item k are A·r with A = I - 1·e_kᵀ: A·Cov·Aᵀ.
    """
    n = len(information)
    if not isinstance(scorer, TableScorer):
        if reference is not None:
            raise ValueError(f"reference: expected None for {scorer}; only a table's rewards can shift together")
        # In units in which every parameter has information 1, the rank test does not depend on the features' units.
        diagonal = np.diag(information)
        unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        return _inverse(information * np.outer(unit, unit)) * np.outer(unit, unit)
    if n == 1:
        return np.zeros((1, 1))  # a single reward is zero by convention
    information = information - information.mean()  # l2 also fixes the mean reward, which is zero here by definition
    size = float(np.abs(information).max())
    inverse = _inverse(information + size / n)  # size·11ᵀ/n is 11ᵀ/n on the scale of H, so that one rank test suffices
    centre = np.eye(n) - 1 / n
    if reference is not None:
        if not -n <= reference < n:
            raise ValueError(f"reference: expected an item from 0 to {n - 1}, got {reference}")
        centre = np.eye(n) - np.eye(n)[reference]
    with blas_on_one_thread(n**3):
        result: Array = centre @ inverse @ centre.T
        return result


def _inverse(information: Array) -> Array:
    """Invert a symmetric matrix, or raise an error that counts the directions which the data leave undetermined."""
    n = len(information)
    with blas_on_one_thread(n**3):
        eigenvalues, vectors = np.linalg.eigh(information)
        weak = eigenvalues <= n * np.finfo(np.float64).eps * max(float(np.abs(information).max()), eigenvalues[-1])
        if not weak.any():
            inverse: Array = (vectors / eigenvalues) @ vectors.T
            return inverse
    worst = int(np.abs(vectors[:, int(np.argmin(eigenvalues))]).argmax())
    raise ValueError(
        f"standard errors: {int(weak.sum())} direction(s) of phi are not determined by these pairs "
        f"(parameter {worst} is the largest part of one); drop a feature or use l2 > 0"
    )


def strong_components(pairs: PreferencePairs) -> list[list[int]]:
    """Group items so that within a group every item has beaten every other, directly or through a chain of wins.

    A table has a finite best fit, unique up to a shift, exactly when there is one group (Ford 1957). If a group has
    beaten another and never lost to it, its rewards grow without end; groups that never met cannot be compared.

    Parameters
    ----------
    pairs : PreferencePairs of items
        A label strictly between 0 and 1, such as a tie, counts as a win for both.

    Returns
    -------
    list of sorted lists of item numbers
        A group comes before all groups that it has beaten, directly or through others. Wherever this leaves a choice,
        the group with the smallest item number comes first.

    Notes
    -----
    These are the strongly connected components of the graph of wins. Tarjan's algorithm (1972, SIAM Journal on
    Computing 1(2), 146-160) finds them in time proportional to items plus pairs, each after all groups below it. The
    reverse of that order is one of many that run from strong to weak; Kahn's algorithm finds the one described above.
    Ford's theorem is in the American Mathematical Monthly 64(8), 28-33.
    """
    winners, losers = _wins(pairs)
    group = _group_of_each_item(pairs.n_items, winners, losers)
    smallest = np.unique(group, return_index=True)[1]
    group = np.argsort(np.argsort(smallest))[group]  # numbered by the smallest item in each group
    items, stops = np.argsort(group, kind="stable").tolist(), np.cumsum(np.bincount(group)).tolist()
    members = [items[start:stop] for start, stop in pairwise([0, *stops])]
    between = group[winners] != group[losers]
    order = _strongest_first(len(members), group[winners[between]], group[losers[between]])
    return [members[g] for g in order]


def _wins(pairs: PreferencePairs) -> tuple[Items, Items]:
    """Return winners and losers of all pairs that have weight, each combination once."""
    if not pairs.is_items:
        raise ValueError("pairs: expected item numbers, got features")
    n = pairs.n_items
    chosen, rejected = pairs.chosen.astype(np.int64), pairs.rejected.astype(np.int64)
    t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    forward, backward = (t > 0) & (w > 0), (t < 1) & (w > 0)
    wins = np.sort(np.concatenate([(chosen * n + rejected)[forward], (rejected * n + chosen)[backward]]))
    wins = wins[np.diff(wins, prepend=-1) > 0]  # np.unique gives the same, many times slower
    return wins // n, wins % n


def _beaten(n: int, winners: Items, losers: Items) -> list[list[int]]:
    """Return for each of n winners the list of those it has beaten."""
    order = np.argsort(winners, kind="stable")
    starts, losers_in_order = np.searchsorted(winners[order], np.arange(n + 1)).tolist(), losers[order].tolist()
    return [losers_in_order[start:stop] for start, stop in pairwise(starts)]


def _group_of_each_item(n: int, winners: Items, losers: Items) -> Items:
    """Return the number of each item's group, (n_items,), by Tarjan's algorithm, without recursion.

    A depth-first walk numbers the items as it finds them, and ``low`` is the smallest number an item is known to lead
    back to. Where that is its own number, it closes a group: itself and all items found since that have no group yet.
    """
    beaten = [iter(items) for items in _beaten(n, winners, losers)]  # an iterator knows where the walk must resume
    number, low, group = [0] * n, [0] * n, [0] * n  # a low of 0 means "not found yet", n + 1 "already in a group"
    waiting: list[int] = []  # found, but not yet in a group
    n_found, n_groups = 0, 0
    for root in range(n):
        path = [] if low[root] else [root]
        while path:
            item = path[-1]
            if not low[item]:
                n_found += 1
                number[item] = low[item] = n_found
                waiting.append(item)
            for loser in beaten[item]:
                if not low[loser]:
                    path.append(loser)
                    break
                if low[loser] < low[item]:  # noqa: PLR1730  # min() would cost a call for every win
                    low[item] = low[loser]
            else:
                path.pop()
                if low[item] < number[item]:
                    low[path[-1]] = min(low[path[-1]], low[item])
                    continue
                while low[item] <= n:
                    group[waiting[-1]], low[waiting.pop()] = n_groups, n + 1
                n_groups += 1
    return np.array(group, dtype=np.int64)


def _strongest_first(n: int, winners: Items, losers: Items) -> list[int]:
    """Order 0 … n - 1 so that winners come before losers, always taking the smallest number that is free (Kahn)."""
    beaten = _beaten(n, winners, losers)
    n_above = np.bincount(losers, minlength=n).tolist()
    free = [group for group in range(n) if not n_above[group]]  # sorted, and therefore a heap
    order = []
    while free:
        order.append(heappop(free))
        for loser in beaten[order[-1]]:
            n_above[loser] -= 1
            if not n_above[loser]:
                heappush(free, loser)
    return order


def connected_groups(pairs: PreferencePairs) -> int:
    """Count the groups of items that have met one another, directly or through other items, whoever won."""
    a, b = _wins(pairs)
    group = np.arange(pairs.n_items)
    while True:  # each item takes the smallest group number among those it met, until nothing changes
        new = group.copy()
        np.minimum.at(new, a, group[b])
        np.minimum.at(new, b, group[a])
        new = new[new]  # and then that number's own number, so that the distance covered doubles in each round
        if np.array_equal(new, group):
            return len(np.unique(group))
        group = new
