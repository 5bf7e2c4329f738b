"""Pairs of another file, in the numbering and with the features of the pairs that a model was fitted to.

Each file numbers its items in the order of their names. So a file that lacks an item gives other numbers to the items
after it, and the numbers of two files mean the same only after they are matched by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from ..arrays.visible import LONGEST_SHOWN, quoted, visible
from ..pairs import PreferencePairs, check_pairs
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer

__all__ = ["matched", "refuse_other_features"]

Data = TypeVar("Data")  # PreferencePairs or PreferenceRankings


def _are_numbers(names: tuple[str, ...], is_items: bool) -> bool:
    """Return whether these are the names that data without names get."""
    return names == tuple(f"item {i}" if is_items else f"x{i + 1}" for i in range(len(names)))


def refuse_other_features(mine: tuple[str, ...], theirs: tuple[str, ...], name: str) -> None:
    """Raise ValueError for features that are not those of the model, or not in its order."""
    unknown = [feature for feature in theirs if feature not in mine]
    wanted = ", ".join(visible(feature, LONGEST_SHOWN) for feature in mine[:5]) + (", …" if len(mine) > 5 else "")
    got = quoted(unknown[0]) if unknown else "them in another order" if len(mine) == len(theirs) else "only some"
    raise ValueError(f"{name}: expected the features of the model ({wanted}), got {got}")


def matched(scorer: Scorer, mine: tuple[str, ...] | None, pairs: Data, name: str = "pairs") -> Data:
    """Return these pairs or rankings with their items numbered as in ``mine``, the names that a model knows.

    The pairs are returned as they are if both sides have the same names, or if either has none. Names such as x1, x2, …
    or item 0, item 1, …, which data without names get, count as none beside quite other names. Pairs of another kind
    than the scorer's, or with another number of features, are returned, too: the scorer refuses them. ``name`` is what
    error messages call the pairs.

    Raises
    ------
    ValueError
        If the pairs hold an item that is not in ``mine``, or if they have other features or another order of them.
    TypeError
        If these are neither pairs nor rankings.
    """
    check_pairs(pairs, name)
    theirs, is_items = pairs.feature_names, pairs.is_items  # type: ignore[attr-defined]
    of_other_kind = isinstance(scorer, LinearScorer | MLPScorer) if is_items else isinstance(scorer, TableScorer)
    if mine is None or theirs is None or mine is theirs or mine == theirs or of_other_kind:
        return pairs
    is_numbered = _are_numbers(mine, is_items) or _are_numbers(theirs, is_items)
    if is_numbered and set(mine).isdisjoint(theirs):
        return pairs
    if not is_items:
        if len(mine) == len(theirs):
            refuse_other_features(mine, theirs, name)
        return pairs
    from ..files.items import matchups_of  # noqa: PLC0415  # at the top this would be a circle of imports
    from ..uncertainty.clusters import are_independent  # noqa: PLC0415

    names_of_fields = ("chosen", "rejected") if isinstance(pairs, PreferencePairs) else ("features",)
    numbers = [getattr(pairs, field) for field in names_of_fields]
    number = {item: i for i, item in enumerate(mine)}
    unknown = [theirs[i] for i in np.unique(np.concatenate(numbers)) if theirs[i] not in number]
    if unknown:
        raise ValueError(f"{name}: expected items that the model was trained on, got {quoted(unknown[0])}")
    translated = np.array([number.get(item, 0) for item in theirs])
    fields: dict[str, Any] = {field: translated[old] for field, old in zip(names_of_fields, numbers, strict=True)}
    if isinstance(pairs, PreferencePairs) and pairs.prompts is not None and are_independent(pairs):
        # These prompts only name the two items, the one with the lower number first, and must go on doing so.
        fields["prompts"] = matchups_of(fields["chosen"].tolist(), fields["rejected"].tolist(), mine)
    return replace(pairs, **fields, feature_names=mine)  # type: ignore[type-var]
