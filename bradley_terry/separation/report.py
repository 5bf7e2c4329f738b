"""Whether choices have a finite best fit; if not, what is infinite, and which wins would change that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arrays.frozen import locked
from ..arrays.room import check_room
from ..arrays.visible import LONGEST_SHOWN, visible
from ..backend import sides_of, subtracts_first
from ..graphs import connected
from ..graphs.wins import met, wins
from ..logistic import Array
from ..pairs import PreferencePairs, check_fit
from ..scorers import LinearScorer, Scorer, TableScorer
from .certificate import Cone, separating
from .groups import Ladder, ladder

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["Separation", "forward_pairs", "islands", "listed", "rows_of", "separation"]

SHOWN = 3  # names in a sentence, before "and n others"


@dataclass(frozen=True, eq=False, repr=False)
class Separation:
    """Whether there is a finite best fit, and if not, why.

    This holds for -log sigma, and for every other loss whose infimum is reached only at Δ = ∞.

    Attributes
    ----------
    is_separated : bool
        True if there is no finite best fit: along ``direction`` the loss falls for ever.
    direction : array, (n_parameters,)
        A direction of φ along which no margin falls and the margins of the separated pairs grow. Zeros if there is
        none.
    separated_pairs : array of bool, (n_pairs,)
        The pairs whose margin grows without end. Pairs of weight 0 are never among them.
    infinite : array of int, (n_parameters,)
        +1 or -1 for a parameter that goes to +∞ or -∞, else 0. All are 0 if so many parameters are undetermined that
        finding out would take too long. For a table: +1 for the items of a group that never lost to other items, -1 for
        those of a group that never won, 0 for groups in between.
    determined : array of bool, (n_parameters,)
        True for the parameters that stay finite and that the other pairs determine. For a table there are none if it is
        separated, since only differences within a group stay finite.
    groups : tuple of tuples of item numbers
        For a table: the groups of ``strong_components``, strongest first; else empty.
    never_met : tuple of tuples of item numbers
        For a table: the items of each group that met no item of another group, if there are several such groups.
    connecting_wins : tuple of (winner, loser)
        For a table: a smallest set of additional wins, as item numbers, after which all items that have met, directly
        or through others, have a finite best fit.
    names : tuple of str
        One name for each parameter.
    """

    is_separated: bool
    direction: Array
    separated_pairs: NDArray[np.bool_]
    infinite: NDArray[np.int64]
    determined: NDArray[np.bool_]
    groups: tuple[tuple[int, ...], ...] = ()
    never_met: tuple[tuple[int, ...], ...] = ()
    connecting_wins: tuple[tuple[int, int], ...] = ()
    names: tuple[str, ...] = ()
    found: Cone | Ladder | None = field(default=None)

    def __repr__(self) -> str:
        if not self.is_separated:
            met = f", but {self.islands}" if self.never_met else ""
            return f"Separation(none: there is a finite best fit{met})"
        return f"Separation({self.reason})"

    @cached_property
    def reason(self) -> str:
        """The end of the sentence "There is no finite minimum, because …", or "" if there is one."""
        if not self.is_separated and not self.never_met:
            return ""
        if self.groups:
            n, also = len(self.groups), f"; also, {self.islands}" if self.never_met else ""
            return f"the items fall into {n} groups of which some never lost to the others: {self._items()}{also}"
        return f"some direction of phi contradicts no choice and the rewards grow without end: {self._weights()}"

    @property
    def islands(self) -> str:
        """A clause that names an item of each group that never met, or ""."""
        return _clause([self.names[items[0]] for items in self.never_met]) if self.never_met else ""

    def _items(self) -> str:
        found = self.found
        if not isinstance(found, Ladder):
            return ""
        said = []
        for groups, verb in ((found.unbeaten, "lost"), (found.winless, "won")):
            items = [item for group in groups for item in self.groups[group]]
            outside = "" if len(items) == len(groups) else " outside their own group"
            said.append(f"{listed([self.names[item] for item in items])} never {verb}{outside}")
        shown = [
            (visible(self.names[a], LONGEST_SHOWN), visible(self.names[b], LONGEST_SHOWN))
            for a, b in self.connecting_wins
        ]
        wins = [f"{winner} over {loser}" for winner, loser in shown]
        win = "a win of" if len(wins) == 1 else "wins of"
        return f"{'; '.join([*said, f'{win} {listed(wins)}'])} would connect them"

    def _weights(self) -> str:
        up, down = ([self.names[j] for j in np.flatnonzero(self.infinite == sign)] for sign in (1, -1))
        free = [self.names[j] for j in np.flatnonzero(~self.determined & (self.infinite == 0))]
        noun = "weight" if self.names[:1] != ("parameter 0",) else "value"
        several_free = f"{len(free)} {noun}s have no finite best value together" * (not self._has_signs)
        free = free if self._has_signs else []
        n, total = int(self.separated_pairs.sum()), len(self.separated_pairs)
        said = [f"{n} of {total} pair{'s' * (total != 1)} {'is' if n == 1 else 'are'} separated"]
        for names, one, several in (
            (up, "goes to +inf", "go to +inf"),
            (down, "goes to -inf", "go to -inf"),
            (free, "may take any value", "may take any value"),
        ):
            if names:
                said.append(f"the {noun}{'s' * (len(names) > 1)} of {listed(names)} {several if names[1:] else one}")
        said += [several_free] * bool(several_free)
        return f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0]

    @property
    def _has_signs(self) -> bool:
        return not isinstance(self.found, Cone) or self.found.has_signs


def separation(scorer: Scorer, pairs: PreferencePairs | PreferenceRankings) -> Separation:
    """Find out whether these pairs have a finite best fit, and if not, which parameters are infinite.

    For a table this takes time nearly proportional to the number of pairs (Ford 1957). For other scorers that are
    linear in φ it takes a few times n_parameters passes over the pairs. Target margins make no difference.

    Parameters
    ----------
    scorer : LinearScorer, TableScorer or any scorer that is linear in φ
    pairs : PreferencePairs or PreferenceRankings
        A label strictly between 0 and 1, such as a tie, counts for both answers, so its pair is never separated. A
        ranking is a choice from several answers at each rank, and its pairs are those of ``as_pairs``.

    Raises
    ------
    ValueError
        If the scorer is not linear in φ, or cannot read the features.

    Examples
    --------
    >>> separation(TableScorer(3), PreferencePairs([0, 1, 2], [1, 2, 1], feature_names=["a", "b", "c"])).connecting_wins
    ((1, 0),)
    """
    check_fit(scorer, pairs)  # type: ignore[arg-type]  # it takes rankings, too
    if not scorer.linear_in_phi:
        raise ValueError(f"scorer: expected one that is linear in phi, got {scorer}")
    pairs = pairs if isinstance(pairs, PreferencePairs) else pairs.as_pairs()
    return _of_table(scorer, pairs) if type(scorer) is TableScorer else _of_linear(scorer, pairs)


def islands(scorer: Scorer, pairs: PreferencePairs) -> str:
    """Return "; " and a note if the items of a table form groups that never met, which names an item of each."""
    firsts = np.unique(connected(scorer.n_parameters, *met(pairs)))
    if firsts.size == 1:
        return ""
    names = _names(scorer, pairs)
    return f"; {_clause([names[item] for item in firsts.tolist()])}"


def _clause(names: Sequence[str]) -> str:
    groups = f"the items form {len(names)} groups with no comparisons between them: compare rewards within a group only"
    return f"{groups} (the first items of these groups are {listed(names)})"


def _of_table(scorer: TableScorer, pairs: PreferencePairs) -> Separation:
    check_room("scorer", 16 * scorer.n_items, f"{scorer}, whose groups of items need")
    winners, losers = wins(pairs)
    found = ladder(scorer.n_items, winners, losers)
    is_separated, group = bool(found.winners.size), found.group
    between = winners[group[winners] != group[losers]], losers[group[winners] != group[losers]]
    direction = found.heights(*between, np.ones(between[0].size))[group]
    infinite = np.zeros(scorer.n_items, dtype=np.int64)
    infinite[np.isin(group, found.unbeaten)] = 1
    infinite[np.isin(group, found.winless)] = -1
    parts = np.unique(found.part)
    separated = group[pairs.chosen] != group[pairs.rejected]
    return Separation(
        is_separated,
        locked(direction - direction.mean()),
        locked(separated if pairs.weights is None else separated & (pairs.weights > 0)),
        locked(infinite),
        locked(np.full(scorer.n_items, not is_separated and parts.size == 1)),
        tuple(map(tuple, found.groups)),
        tuple(tuple(np.flatnonzero(found.part == part).tolist()) for part in parts) if parts.size > 1 else (),
        tuple(found.connecting_wins()),
        _names(scorer, pairs),
        found,
    )


def _of_linear(scorer: Scorer, pairs: PreferencePairs) -> Separation:
    d, (forward, counts) = rows_of(scorer, pairs), forward_pairs(pairs)
    signed = np.where(forward[:, None], d, -d)
    decided = counts if pairs.labels is None else counts & ((pairs.labels == 0) | (pairs.labels == 1))
    both = counts & ~decided
    cone = separating(np.concatenate([signed[decided], d[both], -d[both]]))
    n_decided = int(decided.sum())
    separated = np.zeros(len(pairs), dtype=bool)
    separated[np.flatnonzero(decided)] = cone.separated[:n_decided]
    is_separated = bool(separated.any())
    return Separation(
        is_separated,
        locked(cone.direction / cone.units),
        locked(separated),
        locked(cone.signs(signed[decided], cone.separated[:n_decided])),
        locked(cone.determined),
        names=_names(scorer, pairs),
        found=cone,
    )


def rows_of(scorer: Scorer, pairs: PreferencePairs) -> Array:
    """Return d = dΔ/dφ for each pair, (n_pairs, n_parameters), for a scorer that is linear in φ."""
    if subtracts_first(scorer):
        return np.asarray(sides_of(scorer, pairs.chosen, pairs.rejected)[0][0])
    axes = np.eye(scorer.n_parameters)
    columns = [scorer.reward(axis, pairs.chosen) - scorer.reward(axis, pairs.rejected) for axis in axes]
    return np.stack(columns, axis=1)


def forward_pairs(pairs: PreferencePairs) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pairs have the chosen answer preferred, and which have a positive weight, each (n_pairs,)."""
    yes = np.ones(len(pairs), dtype=bool)
    return yes if pairs.labels is None else pairs.labels > 0, yes if pairs.weights is None else pairs.weights > 0


def listed(names: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c" or "a, b, c and n others"."""
    names = [visible(name, 2 * LONGEST_SHOWN + len(" over ")) for name in names]
    if len(names) <= SHOWN + 1:
        return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} others"


def _names(scorer: Scorer, pairs: PreferencePairs) -> tuple[str, ...]:
    if pairs.feature_names is not None and len(pairs.feature_names) == scorer.n_parameters:
        return pairs.feature_names
    is_table, is_linear = isinstance(scorer, TableScorer), isinstance(scorer, LinearScorer)
    noun = "item" if is_table else "feature" if is_linear else "parameter"
    return tuple(f"{noun} {i}" for i in range(scorer.n_parameters))
