"""Strongly connected groups and connected groups in a graph whose edges lead from winners to losers."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["components", "connected", "count_connected", "count_strong", "is_strong"]

Items = NDArray[np.int64]
MANY = 1_000_000  # edges; with fewer, a search in plain Python is fast
SWEEPS = 20  # over all edges, before a search follows single edges


def components(n: int, winners: Items, losers: Items) -> list[list[int]]:
    """Return the strongly connected groups of items 0 … n - 1; a group comes before all groups that it has beaten.

    Within a group every item has beaten every other, directly or through a chain of wins. Where several
    orders are possible, the group with the smallest item comes first. Each (winner, loser) is needed only once.

    Tarjan's algorithm (1972, SIAM Journal on Computing 1(2), 146-160) finds each group after all groups below it.
    The reverse of that order is one of many that run from strong to weak. Kahn's algorithm finds the one described.
    """
    number, n_left, tails, heads = _contracted(n, winners, losers)
    group = _group_of_each_item(n_left, tails, heads)[number]
    smallest = np.unique(group, return_index=True)[1]
    group = np.argsort(np.argsort(smallest))[group]  # numbered by the smallest item in each group
    items, stops = np.argsort(group, kind="stable").tolist(), np.cumsum(np.bincount(group)).tolist()
    members = [items[start:stop] for start, stop in pairwise([0, *stops])]
    between = group[winners] != group[losers]
    order = _strongest_first(len(members), group[winners[between]], group[losers[between]])
    return [members[g] for g in order]


def count_connected(n: int, winners: Items, losers: Items) -> int:
    """Count the groups of items that have met, directly or through other items. It does not matter who won."""
    return len(np.unique(connected(n, winners, losers)))


def connected(n: int, winners: Items, losers: Items) -> Items:
    """Return, for each item, the smallest item that it has met, directly or through other items, (n_items,)."""
    group = np.arange(n)  # each group is numbered by one of its items
    while True:
        a, b = group[winners], group[losers]
        if np.array_equal(a, b):
            return group
        np.minimum.at(group, np.maximum(a, b), np.minimum(a, b))  # each group takes the smallest number that it has met
        while not np.array_equal(group, group[group]):  # follow the numbers to the end of each chain
            group = group[group]


def is_strong(n: int, winners: Items, losers: Items) -> bool:
    """Return whether every connected group of items is also strongly connected.

    That is so exactly if wins lead from one item of each group to all others, and losses do too.
    """
    if winners.size < MANY:
        return count_strong(n, winners, losers) == count_connected(n, winners, losers)
    start = connected(n, winners, losers) == np.arange(n)
    return bool(reached(start, winners, losers).all() and reached(start, losers, winners).all())


def count_strong(n: int, winners: Items, losers: Items) -> int:
    """Count the strongly connected groups of items."""
    _, n, winners, losers = _contracted(n, winners, losers)
    n_unbeaten = 0
    if winners.size >= MANY:
        n_unbeaten, n, winners, losers = _without_unbeaten(n, winners, losers)
    return n_unbeaten + (int(_group_of_each_item(n, winners, losers).max()) + 1 if n else 0)


def reached(start: NDArray[np.bool_], tails: Items, heads: Items) -> NDArray[np.bool_]:
    """Return which items can be reached from those in ``start`` along edges from tails to heads, (n_items,).

    Each sweep looks at all edges at once, which is fast if few sweeps are needed. After some sweeps, the search follows
    only the edges that start at newly reached items.
    """
    found = start.copy()
    for _ in range(SWEEPS):
        new = np.zeros_like(found)
        new[heads[found[tails]]] = True
        new &= ~found
        if not new.any():
            return found
        found |= new
    heads, stops = _in_order(found.size, tails, heads)
    front = np.flatnonzero(new)
    while front.size:
        front = np.unique(_heads_of(front, heads, stops))
        front = front[~found[front]]
        found[front] = True
    return found


def _in_order(n: int, tails: Items, heads: Items) -> tuple[Items, Items]:
    """Return heads in the order of their tails, and where those of each tail start and stop, (n + 1,)."""
    keys = tails.astype(np.uint16) if n <= 1 << 16 else tails  # NumPy sorts 16 bits by counting
    order = np.argsort(keys, kind="stable")
    return heads[order], np.append(0, np.cumsum(np.bincount(tails, minlength=n)))


def _heads_of(front: Items, heads: Items, stops: Items) -> Items:
    """Return the heads of all edges that start at items of ``front``, with heads and stops as in ``_in_order``."""
    counts = stops[front + 1] - stops[front]
    skipped = stops[front] - np.append(0, np.cumsum(counts)[:-1])
    return heads[np.repeat(skipped, counts) + np.arange(counts.sum())]


def _without_unbeaten(n: int, winners: Items, losers: Items) -> tuple[int, int, Items, Items]:
    """Remove the items that never lost, then those that only lost to them, and so on. Each is a group of its own.

    Return how many were removed, how many are left, and the wins among those that are left.
    """
    ordered, stops = _in_order(n, winners, losers)
    n_above = np.bincount(losers, minlength=n)
    left = np.ones(n, dtype=bool)
    front = np.flatnonzero(n_above == 0)
    while front.size:
        left[front] = False
        beaten = _heads_of(front, ordered, stops)
        np.subtract.at(n_above, beaten, 1)
        front = np.unique(beaten[n_above[beaten] == 0])
    number, inside = np.cumsum(left) - 1, left[winners]  # an item that is left has beaten only items that are left
    return int(n - left.sum()), int(left.sum()), number[winners[inside]], number[losers[inside]]


def _contracted(n: int, winners: Items, losers: Items) -> tuple[Items, int, Items, Items]:
    """Replace one large strongly connected group by a single item, and drop edges within it.

    Return the new number of each item, (n_items,), how many there are, and the remaining winners and losers. The group
    is that of the item with the most edges. In most data it holds nearly all items, so that little work is left. With
    few edges, nothing is replaced.
    """
    if winners.size < MANY:
        return np.arange(n), n, winners, losers
    start = np.zeros(n, dtype=bool)
    start[np.argmax(np.bincount(winners, minlength=n) + np.bincount(losers, minlength=n))] = True
    inside = reached(start, winners, losers) & reached(start, losers, winners)
    smallest = int(np.argmax(inside))
    kept = ~inside
    kept[smallest] = True
    number = np.cumsum(kept) - 1
    number[inside] = number[smallest]
    between = ~(inside[winners] & inside[losers])
    return number, int(kept.sum()), number[winners[between]], number[losers[between]]


def _beaten(n: int, winners: Items, losers: Items) -> list[list[int]]:
    """Return, for each of n items, the list of the items it has beaten."""
    order = np.argsort(winners, kind="stable")
    starts, losers_in_order = np.searchsorted(winners[order], np.arange(n + 1)).tolist(), losers[order].tolist()
    return [losers_in_order[start:stop] for start, stop in pairwise(starts)]


def _group_of_each_item(n: int, winners: Items, losers: Items) -> Items:
    """Return the number of each item's group, (n_items,), by Tarjan's algorithm, without recursion.

    A depth-first search numbers the items as it finds them. ``low`` is the smallest number that an item is known to
    lead back to. If it is the item's own number, the item and all later ones that have no group yet form a group.
    """
    beaten = [iter(items) for items in _beaten(n, winners, losers)]  # an iterator knows where the search must resume
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
    """Order 0 … n - 1 so that winners come before losers, taking the smallest free number each time (Kahn)."""
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
