"""Tables of items: groups that never lost or never won, the wins that would connect them, and rewards in the limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..graphs import components, connected
from ..logistic import Array

__all__ = ["Ladder", "ladder"]

Items = NDArray[np.int64]


class Ladder(NamedTuple):
    """Strongly connected groups of items, strongest first, and the wins between them.

    ``group`` is the group of each item, (n_items,). ``part`` is the smallest item that each item has met, directly or
    through others, (n_items,). ``winners`` and ``losers`` are the groups of each win from one group over another, each
    once.
    """

    groups: list[list[int]]
    group: Items
    part: Items
    winners: Items
    losers: Items

    @property
    def unbeaten(self) -> list[int]:
        """The groups that never lost, and won."""
        return list(np.setdiff1d(self.winners, self.losers).tolist())

    @property
    def winless(self) -> list[int]:
        """The groups that never won, and lost."""
        return list(np.setdiff1d(self.losers, self.winners).tolist())

    def connecting_wins(self) -> list[tuple[int, int]]:
        """Return as few (winner, loser) as possible that would make each connected part one strong group.

        Eswaran & Tarjan (1976, SIAM Journal on Computing 5(4), 653-665): if p groups never lost and q never won, max(p,
        q) wins are enough, and no fewer. Searches from each unbeaten group to a winless one, which no search has seen,
        give pairs (u, w). A ring of wins of each w over the next u connects these pairs. The groups that are not in a
        pair are connected to each other, and the surplus to the first pair.
        """
        beaten: list[list[int]] = [[] for _ in self.groups]
        for winner, loser in zip(self.winners.tolist(), self.losers.tolist(), strict=True):
            beaten[winner].append(loser)
        first_items = [items[0] for items in self.groups]
        seen = [False] * len(self.groups)
        by_part: dict[int, tuple[list[tuple[int, int]], list[int], list[int]]] = {}
        for group in self.unbeaten:
            pairs, alone, _ = by_part.setdefault(int(self.part[first_items[group]]), ([], [], []))
            end = _unseen_end(group, beaten, seen)
            if end is None:
                alone.append(group)
            else:
                pairs.append((group, end))
        for group in self.winless:
            if not seen[group]:
                by_part[int(self.part[first_items[group]])][2].append(group)
        wins: list[tuple[int, int]] = []
        for pairs, unbeaten, winless in by_part.values():
            wins += [(pairs[i - 1][1], pairs[i][0]) for i in range(len(pairs))]
            wins += zip(winless, unbeaten, strict=False)
            wins += [(group, pairs[0][0]) for group in winless[len(unbeaten) :]]
            wins += [(pairs[0][1], group) for group in unbeaten[len(winless) :]]
        return [(first_items[winner], first_items[loser]) for winner, loser in wins]

    def heights(self, winners: Items, losers: Items, least: Array) -> Array:
        """Return the smallest number >= 0 for each group, so that every win i between groups has a gap >= least_i."""
        height = [0.0] * len(self.groups)
        order = np.argsort(-self.group[winners], kind="stable")  # from the weakest, so that all groups below are done
        above, below = self.group[winners[order]].tolist(), self.group[losers[order]].tolist()
        for winner, loser, gap in zip(above, below, least[order].tolist(), strict=True):
            height[winner] = max(height[winner], height[loser] + gap)
        return np.array(height)


def ladder(n: int, winners: Items, losers: Items) -> Ladder:
    """Return the groups of n items, given winner and loser of each comparison."""
    different = _different(n, winners, losers)
    groups = components(n, *different)
    group = np.empty(n, dtype=np.int64)
    for number, items in enumerate(groups):
        group[items] = number
    above, below = group[different[0]], group[different[1]]
    between = above != below
    return Ladder(
        groups,
        group,
        connected(n, *different),
        *_different(len(groups), above[between], below[between]),
    )


def _different(n: int, winners: Items, losers: Items) -> tuple[Items, Items]:
    """Return each (winner, loser) once."""
    edges = np.sort(winners * n + losers)
    edges = edges[np.diff(edges, prepend=-1) > 0]
    return edges // n, edges % n


def _unseen_end(start: int, beaten: Sequence[Sequence[int]], seen: list[bool]) -> int | None:
    """Search below ``start`` for a winless group that no search has seen, and mark what the search sees."""
    path = [start]
    seen[start] = True
    waiting = [iter(beaten[start])]
    while path:
        for loser in waiting[-1]:
            if not seen[loser]:
                seen[loser] = True
                if not beaten[loser]:
                    return loser
                path.append(loser)
                waiting.append(iter(beaten[loser]))
                break
        else:
            path.pop()
            waiting.pop()
    return None
