"""What is special about rankings in files: they have no labels, and each of them counts as a prompt of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .messages import fail
from .notes import Notes
from .rows import Row

__all__ = ["names_of_rankings", "pairs_within", "refuse_repeated", "without_labels"]

_LONG = 50  # answers


def pairs_within(row: Row) -> list[Row]:
    """Return the pairs of answers that a row compares; of a long ranking, each answer with the two that follow it."""
    n, answers, last = len(row.answers), row.answers, len(row.answers) - row.n_last - 1
    reach = n if n <= _LONG else 2  # since the number of all pairs grows with the square
    ends = [n if i == last else min(n, i + 1 + reach) for i in range(last + 1)]
    pairs = [(answers[i], answers[j]) for i, end in enumerate(ends) for j in range(i + 1, end)]
    return [row._replace(answers=pair, n_last=1) for pair in pairs]


def without_labels(path: Path | str, notes: Notes, rows: list[Row]) -> list[Row]:
    """Turn around what has the label 0, leave out ties, refuse other labels, and note target margins.

    Rankings have neither labels nor target margins.
    """
    kept = []
    for row in rows:
        label = row.numbers.get("label", 1.0)
        if "target_margin" in row.numbers:
            notes.add("margins", row.place, lambda n: f"{n} row{'s' * (n > 1)} with a target margin, which is not read")
        if label == 0.5:
            notes.add("ties", row.place, lambda n: f"{n} tie{'s' * (n > 1)}, left out")
        elif label == 1 or (label == 0 and len(row.answers) == 2):
            kept.append(row if label else row._replace(answers=row.answers[::-1]))
        else:
            said = (
                "label: expected 1, or 1/2 for a tie, or 0 for two answers in the wrong order, since rankings have no"
            )
            fail(path, f"{said} labels, found {label:g}; load_pairs reads any label", row.place)
    return kept


def refuse_repeated(path: Path | str, rows: list[Row]) -> None:
    """Fail if an item occurs twice in a ranking."""
    for row in rows:
        if len(set(row.answers)) < len(row.answers):
            seen: set[object] = set()
            twice = next(name for name in row.answers if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            fail(path, f"expected each item once in a ranking, found {twice} twice", row.place)


def names_of_rankings(prompts: Sequence[str | None]) -> list[str | int]:
    """Return a different name for each ranking: its prompt, with a number if that has several; or numbers alone.

    Rankings without a prompt are numbered in the order of the file.
    """
    if not any(prompts):
        return [*range(len(prompts))]
    taken: dict[str, None] = {}  # in order
    count: dict[str, int] = {}
    for i, prompt in enumerate(prompts):
        name = stem = prompt or f"ranking {i}"
        while name in taken:
            count[stem] = count.get(stem, 1) + 1
            name = f"{stem} ({count[stem]})"
        taken[name] = None
    return [*taken]
