"""Fit each strongly connected group of a table on its own, where the whole table has no finite fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays.visible import class_name, quoted
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer
from ..separation import separation

if TYPE_CHECKING:
    from ..model import RewardModel

__all__ = ["ComponentFit", "component_fits"]


class ComponentFit(NamedTuple):
    """The items of a group, and the model that was fitted to their comparisons, or None for a single item.

    Item ``items[i]`` has the number i in the model, whose rewards sum to zero.

    Examples
    --------
    >>> unbeaten, rest = component_fits(TableScorer(3), PreferencePairs([0, 1, 2], [1, 2, 1]))
    >>> unbeaten.items, unbeaten.model is None, rest.items
    ((0,), True, (1, 2))
    """

    items: tuple[int, ...]
    model: RewardModel | None


def component_fits(scorer: Scorer, pairs: PreferencePairs, **options: object) -> list[ComponentFit]:
    """Fit each group of ``strong_components`` on its own, with these options of ``fit``; strongest first.

    Returns
    -------
    list of (items, model)
        The model has the rewards of these items, in this order; it is None for a group of one item.

    Raises
    ------
    ValueError, TypeError
        If the scorer is not a ``TableScorer``, the items do not fit it, or ``fit`` refuses an option.
    KeyboardInterrupt
        After Ctrl-C, since not all groups would be fitted.

    Examples
    --------
    >>> games = PreferencePairs([0, 1, 1, 1, 2], [1, 2, 2, 2, 1])  # item 0 never lost
    >>> unbeaten, rest = component_fits(TableScorer(3), games)
    >>> print(rest.items, rest.model.phi.round(4))  # 3 wins of 4: log 3 apart
    (1, 2) [ 0.5493 -0.5493]
    """
    # These modules import ``inference``, which imports this one.
    from ..training import fit  # noqa: PLC0415
    from .interrupts import only_whole_fits  # noqa: PLC0415

    if type(scorer) is not TableScorer:
        raise ValueError(f"scorer: expected a TableScorer, since only items form groups, got {quoted(scorer)}")
    if not isinstance(pairs, PreferencePairs):
        raise TypeError(f"pairs: expected PreferencePairs, got {class_name(pairs)}")
    scorer.check_features(pairs.chosen, "chosen")
    scorer.check_features(pairs.rejected, "rejected")
    found, groups = [], separation(scorer, pairs).groups
    group, place = np.empty((2, scorer.n_items), dtype=np.int64)
    for number, items in enumerate(groups):
        group[list(items)], place[list(items)] = number, np.arange(len(items))
    counts = np.ones(len(pairs), dtype=bool) if pairs.weights is None else pairs.weights > 0
    inside = np.flatnonzero((group[pairs.chosen] == group[pairs.rejected]) & counts)
    inside = inside[np.argsort(group[pairs.chosen[inside]], kind="stable")]
    starts = np.searchsorted(group[pairs.chosen[inside]], np.arange(len(groups) + 1)).tolist()
    for number, items in enumerate(groups):
        model = None
        if len(items) > 1:
            rows = inside[starts[number] : starts[number + 1]]
            part = {
                name: None if values is None else values[rows]
                for name in ("prompts", "weights", "labels", "target_margins")
                for values in [getattr(pairs, name)]
            }
            names = None if pairs.feature_names is None else [pairs.feature_names[item] for item in items]
            own = PreferencePairs(place[pairs.chosen[rows]], place[pairs.rejected[rows]], feature_names=names, **part)
            with only_whole_fits():
                model = fit(TableScorer(len(items)), own, **options)  # type: ignore[arg-type]  # fit checks them
        found.append(ComponentFit(items, model))
    return found
