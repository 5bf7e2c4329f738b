"""From more than two answers to pairs or rankings, and from a verdict to a winner.

Several answers to one prompt become pairs by one rule: each two answers of different rank or score are a pair, with the
better one chosen. Two answers of equal rank or score say nothing about each other. They are left out, and a note counts
them. K different answers give K(K - 1)/2 pairs, each with the weight of its record.

The same answers become a ranking, best first. Answers with equal marks can only share the last rank. Elsewhere each of
them is ranked above all worse answers in a ranking of its own, so that the rankings compare the same pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations, pairwise, product
from math import isfinite
from pathlib import Path
from typing import Any

from .chats import ROLES as _ROLES
from .chats import is_chat
from .messages import as_number, fail, finite_number, is_number, is_vector, name_of, show
from .names import NAMES, STEMS, plain
from .notes import Notes
from .shapes import SIGNED, Shape

__all__ = [
    "answers_of",
    "better_of",
    "marked_answers",
    "note_all_equal",
    "note_alone",
    "note_equal",
    "note_split",
    "note_unscored",
    "pairs_of_lists",
    "pairs_of_marks",
    "rankings_of_lists",
    "rankings_of_marks",
    "score_of",
    "size_of_rankings",
]

Order = tuple[tuple[Any, ...], int]
"""Answers, or their indices, best first, and how many of them share the last rank."""

_TIES = {
    "tie", "ties", "tied", "draw", "d", "equal", "same", "both", "neither", "none", "bothbad", "both_bad", "both_good",
    "tie_(bothbad)", "tie(bothbad)", "tie_(both_bad)", "tie_bothbad", "tie_(bothgood)",
}  # fmt: skip


_SCORES = {*NAMES["rank"], *NAMES["score"]}


def better_of(path: Path | str, place: str, shape: Shape, record: Mapping[str, object]) -> int:  # noqa: RET503
    """Return 1 if the first side of a contest won, -1 if the second did, 0 for a tie; fail if it is not clear."""
    first, second = (plain(name) for name in (shape.first, shape.second))
    if shape.verdict is None and shape.one_hot:
        won = [_is_true(record[name]) for name in shape.one_hot]
        if sum(won) != 1:
            fail(path, f"expected 1 in one of {', '.join(shape.one_hot)}, found it in {sum(won)} of them", place)
        return (1, -1, 0)[won.index(True)]
    if shape.verdict is None:
        of_first, of_second = (finite_number(path, place, name, record[name]) for name in shape.scores)
        return (of_first > of_second) - (of_first < of_second)
    given = record[shape.verdict]
    if plain(shape.verdict) in SIGNED:
        number = finite_number(path, place, shape.verdict, given)
        return (number < 0) - (number > 0)
    a, b = shape.marks
    if first.startswith("human_ref") and plain(shape.verdict).startswith("label"):  # SHP: 1 if the first is preferred
        a, b = "1", "0"
    word = _word_of_text(given) if isinstance(given, str) else _word(given)
    is_first, is_second = _named((a, b), (first, second), word)
    for one, other in _item_fields(shape.first, shape.second, shape.items, shape.marks, tuple(record)):
        names = plain(name_of(record[one])), plain(name_of(record[other]))
        if names[0] != names[1]:
            is_first, is_second = is_first or word == names[0], is_second or word == names[1]
    is_tie = word in _TIES or (word == "0" and (a, b) == ("1", "2"))
    if is_first != is_second and (not is_tie or word == "d"):  # D is a common name of an item
        return 1 if is_first else -1
    if is_first or is_second:
        both = f"{shape.first}, {shape.second} or tie"
        fail(path, f"{shape.verdict}: expected {both}, found {show(given)}, which may mean either of them", place)
    if is_tie:
        return 0
    wanted = f"{shape.first}, {shape.second} or tie"
    fail(path, f"{shape.verdict}: expected {wanted}, found {show(given)}", place)


def _word(given: object) -> str:
    """Return a verdict as a word in lower case, and a whole number without its point."""
    number = as_number(given)
    is_whole = not isinstance(given, bool) and isfinite(number) and number == int(number)
    return plain(int(number) if is_whole else given)


_word_of_text = lru_cache(maxsize=1000)(_word)


@lru_cache(maxsize=1000)
def _named(marks: tuple[str, str], fields: tuple[str, str], word: str) -> tuple[bool, bool]:
    """Return whether a verdict names the first side, and whether it names the second, by its mark or its field."""
    first, second = (
        word in {mark, field} or word in _names_of(mark) for mark, field in zip(marks, fields, strict=True)
    )
    return first, second


@lru_cache(maxsize=100)
def _names_of(mark: str) -> frozenset[str]:
    """Return how a verdict may name the side a: model_a, response_a, wa."""
    stems = (*STEMS["texts"], *STEMS["items"], "w")
    return frozenset(f"{stem}{joint}{mark}" for stem in stems if stem for joint in ("", "_"))


@lru_cache(maxsize=100)
def _item_fields(
    first: str, second: str, items: bool, marks: tuple[str, str], record: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Return the pairs of fields that name the items on both sides, since a verdict may be one of these names."""
    fields = {plain(name): name for name in record}
    both = [tuple(fields.get(f"{stem}_{mark}", "") for mark in marks) for stem in filter(None, STEMS["items"])]
    return (*([(first, second)] if items else []), *((a, b) for a, b in both if a and b))


def _is_true(value: object) -> bool:
    return (
        value is True or as_number(value) == 1 or (isinstance(value, str) and value.strip().lower() in {"true", "yes"})
    )


def answers_of(value: object) -> list[object]:
    """Return the answers that one side of a pair holds: several in a list, else one."""
    if isinstance(value, list) and len(value) > 1 and all(map(_is_answer_alone, value)):
        return [[one] for one in value]
    if not isinstance(value, list) or not value or is_chat(value) or all(is_number(one) for one in value):
        return [value]
    is_several = all(
        isinstance(one, str | list) or is_chat(one) or _holds_text(one) for one in value if one is not None
    )
    return value if is_several else [value]


def _is_answer_alone(value: object) -> bool:
    """Return whether this is a message of the assistant that calls no tool; several in a row are several answers."""
    is_said = isinstance(value, Mapping) and not {"tool_calls", "function_call"} & set(value)
    return is_said and _ROLES.get(role := str(value.get("role", value.get("from"))), role) == "assistant"  # type: ignore[attr-defined]


def _holds_text(value: object) -> bool:
    return isinstance(value, Mapping) and "text" in value


def pairs_of_lists(chosen: object, rejected: object) -> list[tuple[object, object]]:
    """Return each chosen answer with each rejected one."""
    if isinstance(chosen, str) and isinstance(rejected, str):
        return [(chosen, rejected)]
    return list(product(answers_of(chosen), answers_of(rejected)))


def rankings_of_lists(chosen: object, rejected: object) -> list[Order]:
    """Return each chosen answer above all rejected ones."""
    worse = answers_of(rejected)
    return [((better, *worse), len(worse)) for better in answers_of(chosen)]


def pairs_of_marks(marks: Sequence[float]) -> tuple[list[tuple[int, int]], int]:
    """Return (better, worse) of each two different marks, of which the lower is better, and how many two are equal."""
    pairs, equal = [], 0
    for i, j in combinations(range(len(marks)), 2):
        if marks[i] == marks[j]:
            equal += 1
        else:
            pairs.append((i, j) if marks[i] < marks[j] else (j, i))
    return pairs, equal


def rankings_of_marks(marks: Sequence[float]) -> list[Order]:
    """Return rankings that compare each two different marks once, of which the lower is better.

    Each is (indices, best first; how many share the last rank). If no two marks before the last are equal, there is one
    ranking. Equal marks before the last are each ranked above all that are worse: 1, 2, 2, 3 gives 1 over the other
    three, and each 2 over 3.
    """
    levels: dict[float, list[int]] = {}
    for i, mark in sorted(enumerate(marks), key=lambda one: one[1]):
        levels.setdefault(mark, []).append(i)
    groups = list(levels.values())
    order = [i for group in groups for i in group]
    found: list[Order] = []
    ahead: list[int] = []  # answers with marks of their own, in a row
    end = 0
    for level, group in enumerate(groups[:-1]):
        end += len(group)
        if len(group) > 1:
            found += [((i, *order[end:]), len(order) - end) for i in group]
            continue
        ahead += group
        if len(groups[level + 1]) > 1 or level == len(groups) - 2:
            found.append(((*ahead, *order[end:]), len(order) - end))
            ahead = []
    return found


def size_of_rankings(marks: Sequence[float]) -> int:
    """Return how many answers there are in all rankings of ``rankings_of_marks`` together, or a few more."""
    counts = [n for _, n in sorted(Counter(marks).items())]
    rest = total = len(marks)
    for n, following in pairwise([*counts, 1]):
        rest -= n
        total += n * (rest + 1) if n > 1 else rest * (following > 1)
    return total


def marked_answers(
    path: Path | str, place: str, shape: Shape, record: Mapping[str, object], notes: Notes, score: str
) -> tuple[list[object], list[float], str]:
    """Return the answers of a list, their marks, of which the lower is better, and the field that the marks are from.

    The marks are ranks or scores, or say which of two answers a verdict prefers, or where in a ranking an answer is.
    ``score`` is the field of an answer that counts in the whole file, or "" if no answer has one.
    """
    given = record[shape.first]
    assert isinstance(given, list)
    if plain(shape.first) in NAMES["ranking"]:
        ranked = [one if is_number(one) else _answer(path, place, shape, one) for one in given]
        return ranked, [float(i) for i in range(len(given))], shape.first
    inner = [{plain(name): value for name, value in one.items()} if isinstance(one, Mapping) else {} for one in given]
    key = score
    values: list[object]
    if key and any(set(one) & _SCORES for one in inner):
        values = [one.get(key) for one in inner]
    elif shape.scores and isinstance(beside := record[shape.scores[0]], list):
        key, values = shape.scores[0], beside
        if len(values) != len(given):
            fail(
                path, f"{key}: expected {len(given)} numbers, one for each of {shape.first}, found {len(values)}", place
            )
    elif shape.verdict is not None and len(given) == 2:
        best = as_number(record[shape.verdict])
        if best not in {0, 1}:
            fail(path, f"{shape.verdict}: expected 0 or 1, found {show(record[shape.verdict])}", place)
        return [_answer(path, place, shape, one) for one in given], [best, 1 - best], shape.verdict
    else:
        wanted = 'answers with a rank or a score each, such as {"text": "…", "rank": 1}'
        fail(path, f"{shape.first}: expected {wanted}, found {show(given)}", place)
    kept = [i for i, value in enumerate(values) if value is not None]
    if len(kept) < len(given):
        notes.add(
            f"no {key}", place, lambda n: f"{_times(n, 'record')} with answers that have no {key}, which are left out"
        )
    elif len(given) == 1:
        note_alone(notes, place)
    sign = 1.0 if plain(key) in NAMES["rank"] else -1.0
    marks = [sign * finite_number(path, place, key, values[i]) for i in kept]
    return [_answer(path, place, shape, given[i]) for i in kept], marks, key


def score_of(records: Iterable[object]) -> str:
    """Return the first rank or score in the table of names that any of these records gives, or ""."""
    given = {
        word
        for record in records
        if isinstance(record, Mapping)
        for name, value in record.items()
        if value is not None and (word := plain(name)) in _SCORES
    }
    return next((name for meaning in ("rank", "score") for name in NAMES[meaning] if name in given), "")


def note_alone(notes: Notes, place: str) -> None:
    """Count an answer that is left out since it is the only one to its prompt."""
    notes.add("alone", place, lambda n: f"{_times(n, 'row')} with the only answer to a prompt, left out")


def note_unscored(notes: Notes, place: str, score: str) -> None:
    """Count an answer that is left out since it lacks the rank or score that counts in its file."""
    said = f"has no {score}" if score else "has no score"
    notes.add("unscored", place, lambda n: f"{_times(n, 'row')} whose answer {said}, left out")


def note_equal(notes: Notes, place: str, key: str) -> None:
    """Count two answers that are left out since their rank or score is the same."""
    notes.add(f"equal {key}", place, lambda n: f"{_times(n, 'pair')} of answers with an equal {key}, left out")


def note_all_equal(notes: Notes, place: str, key: str) -> None:
    """Count a prompt that is left out since none of its answers is better than another."""
    notes.add(
        f"all equal {key}", place, lambda n: f"{_times(n, 'prompt')} whose answers are all equal in {key}, left out"
    )


def note_split(notes: Notes, place: str, key: str) -> None:
    """Count a prompt that needs several rankings, since some of its answers are equal."""
    said = f"with answers before the last that are equal in {key}, split into several rankings"
    notes.add(f"split {key}", place, lambda n: f"{_times(n, 'prompt')} {said}")


def _times(n: int, what: str) -> str:
    return f"{n} {what}" + ("s" if n > 1 else "")


def _answer(path: Path | str, place: str, shape: Shape, value: object) -> object:  # noqa: RET503
    """Return the answer that an entry of a list holds: a text, messages, or an object with one of the usual names."""
    if isinstance(value, str) or is_chat(value) or is_vector(value):
        return value
    if isinstance(value, Mapping):
        named = {plain(name): inner for name, inner in value.items()}
        for name in (*NAMES["answer"], "messages"):
            if isinstance(named.get(name), str) or is_chat(named.get(name)):
                return named[name]
        for name in NAMES["features"]:
            if is_vector(named.get(name)) or isinstance(named.get(name), Mapping):
                return named[name]
    names = "response, text or answer"
    fail(path, f"{shape.first}: expected answers with a field {names}, found {show(value)}", place)
