"""Names of items: how they are told from texts, numbered, and paired in matchups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..arrays import single

__all__ = ["LONGEST_NAME", "look_like_texts", "matchups_of"]

LONGEST_NAME = 200  # characters; a longer cell is taken for a text instead of the name of an item


def matchups_of(chosen: Sequence[int], rejected: Sequence[int], names: Sequence[str]) -> list[str]:
    """Name the matchup of each pair of items, "Anna vs Bob", independent of which of the two won.

    Examples
    --------
    >>> matchups_of([0, 1], [1, 0], ["Anna", "Bob"])
    ['Anna vs Bob', 'Anna vs Bob']
    """
    chosen, rejected = (single.names(name, items) for name, items in {"chosen": chosen, "rejected": rejected}.items())
    names = single.texts("names", names)
    for name, items in {"chosen": chosen, "rejected": rejected}.items():
        if not all(single.is_whole(item) and 0 <= item < len(names) for item in items):
            raise ValueError(f"{name}: expected item numbers from 0 to {len(names) - 1}")
    if len(chosen) != len(rejected):
        raise ValueError(f"rejected: expected as many items as chosen, {len(chosen)}, got {len(rejected)}")
    return [f"{names[min(a, b)]} vs {names[max(a, b)]}" for a, b in zip(chosen, rejected, strict=True)]


def look_like_texts(answers: Sequence[tuple[str, str]], prompts: Sequence[str], *, lean: bool = False) -> bool:
    """Return whether the cells of chosen and rejected are texts and not names of items.

    A cell that is long or has a line break is a text. Otherwise names are used again in other rows, and texts are
    not: where most cells occur once, they are texts if most of them, or most of the prompts, are written like a
    sentence. Where cells are used again, most must be whole sentences. Rows that occur twice count once.

    Parameters
    ----------
    answers : sequence of (chosen, rejected)
    prompts : sequence of str, as long as answers, or empty if there are no prompts
    lean : bool
        Take the cells for texts unless one is chosen in one row and rejected in another, as items are.
    """
    different = {(*pair, *prompts[row : row + 1]) for row, pair in enumerate(answers)}
    cells = [cell for row in different for cell in row[:2]]
    asked = [row[2] for row in different if len(row) > 2 and row[2]]
    distinct = set(cells)
    if any(len(cell) > LONGEST_NAME or "\n" in cell for cell in distinct):
        return True
    if lean and not {row[0] for row in different} & {row[1] for row in different}:
        return True
    words = 8 if len(distinct) <= len(different) else 4
    sentences = {cell for cell in distinct if _is_sentence(cell, words)}
    is_sentence = _share(cell in sentences for cell in cells) > 0.5
    if words == 8:
        return is_sentence
    if is_sentence:
        return True
    if not asked:
        return False
    return _share(" " in cell for cell in cells) > 0.5 or _share(" " in q or q.endswith(_ENDS) for q in asked) > 0.5


_ENDS = (".", "!", "?", "…", "。", "！", "？", ":")


def _is_sentence(cell: str, words: int) -> bool:
    """Return whether a text has this many words, or a space and the mark with which a sentence ends."""
    return cell.count(" ") + 1 >= words or (cell.endswith(_ENDS) and " " in cell)


def _share(truths: Iterable[bool]) -> float:
    found = list(truths)
    return sum(found) / max(1, len(found))
