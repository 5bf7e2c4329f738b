"""Names of items: how they are told from texts, numbered, and paired in matchups."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LONGEST_NAME", "look_like_texts", "matchups_of"]

LONGEST_NAME = 200  # characters; a longer cell is taken for a text instead of the name of an item


def matchups_of(chosen: Sequence[int], rejected: Sequence[int], names: Sequence[str]) -> list[str]:
    """Name the matchup of each pair of items, "Anna vs Bob", independent of which of the two won."""
    return [f"{names[min(a, b)]} vs {names[max(a, b)]}" for a, b in zip(chosen, rejected, strict=True)]


def look_like_texts(answers: Sequence[str], prompts: Sequence[str]) -> bool:
    """Return whether the cells of chosen and rejected are texts and not names of items.

    A cell that is long or has a line break is a text. Otherwise names are used again in other rows, and texts are
    not: where most cells occur once, they are texts if most of them, or most of the prompts, are written like a
    sentence.
    """
    if any(len(cell) > LONGEST_NAME or "\n" in cell for cell in answers):
        return True
    if 2 * len(set(answers)) <= len(answers):
        return False
    has_words = _share(" " in cell for cell in answers)
    sentences = _share(_is_sentence(cell) for cell in answers)
    asked = _share(" " in cell.strip() or cell.endswith(_ENDS) for cell in prompts if cell)
    return sentences > 0.5 or (bool(prompts) and (asked > 0.5 or has_words > 0.5))


_ENDS = (".", "!", "?", "…", "。", "！", "？", ":")


def _is_sentence(cell: str) -> bool:
    return cell.count(" ") >= 3 or (cell.endswith(_ENDS) and " " in cell)


def _share(truths: object) -> float:
    found = list(truths)  # type: ignore[call-overload]
    return sum(found) / max(1, len(found))
