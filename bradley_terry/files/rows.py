"""From records to rows: each record becomes one or more pairs or rankings of texts, names of items or numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from .characters import Halves, may_have_halves, said_of_halves
from .chats import Messages, as_text, is_chat, refuse_other_values, split_prompt, text_or_messages
from .contests import (
    answers_of,
    better_of,
    marked_answers,
    note_all_equal,
    note_alone,
    note_equal,
    note_split,
    note_unscored,
    pairs_of_lists,
    pairs_of_marks,
    rankings_of_lists,
    rankings_of_marks,
    score_of,
    size_of_rankings,
)
from .limits import MOST_PAIRS, MOST_PAIRS_OF_RECORD
from .messages import NUMBERS, are_numbers, as_number, fail, finite_number, is_number, is_vector, name_of, show
from .names import NAMES, plain
from .notes import Notes
from .shapes import SIGNED, Shape, shape_of
from .trees import without_trees

__all__ = ["Reader", "Row"]

# In these columns of a table an empty cell means "not given".
_BLANK = {name for key in (*NUMBERS, "tie", "rank", "score", "input") for name in NAMES[key]}
_NAMED = ("model", "player", "team", "item", "name")  # these sides of a contest are always names of items
_EITHER = ("chosen", "preferred", "accepted", "better")  # in a table, these may be texts or names of items


Record = tuple[str, dict[str, object]]
"""The place of a record, such as "line 3", and its fields."""


class Row(NamedTuple):
    """One pair or one ranking: answers, best first, of which the last ``n_last`` are not compared with each other.

    The prompt is None if none is given.

    ``kind`` is "texts", "items", "vectors" (lists of numbers), "named" (numbers with names), or, where it may be texts
    or items, "words" or "names"; the latter are rather items. Rows of one record, or with one id, have one ``group``.
    """

    place: str
    kind: str
    prompt: str | Messages | None
    answers: tuple[object, ...]
    numbers: dict[str, float]
    group: int | str
    n_last: int = 1


class Reader:
    """Turns records into rows, and remembers the shape of each set of names.

    A row is a pair, or, with ``as_rankings``, a ranking of two or more answers.
    """

    def __init__(self, path: Path | str, notes: Notes, table: bool, *, as_rankings: bool = False) -> None:
        self.path, self.notes, self.table, self.as_rankings = path, notes, table, as_rankings
        self.halves = Halves()
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._texts: dict[str, str] = {}  # equal prompts become one object
        self._singles: list[tuple[str, Shape, dict[str, object]]] = []  # records of one answer each
        self._lists: list[tuple[str, Shape, dict[str, object], int]] = []  # records of several answers
        self._zero: tuple[str, str] | None = None  # the first verdict of 0 between the sides 1 and 2, and its place
        self._has_two = False  # whether a verdict is 2
        self._group: int | str = 0
        self._counted = ""  # the field ties, if it counts votes
        self._tied: list[dict[str, float]] = []  # the numbers of the pairs that it has called ties
        self._n_counted = 0  # pairs, or answers in rankings, that lists have become

    def rows(self, records: Iterable[tuple[str, dict[str, object]]]) -> Iterator[Row]:
        """Yield the pairs or rankings of all records, one after the other."""
        plain_shapes: dict[tuple[str, ...], str] = {}
        nothing: dict[str, float] = {}
        columns = None  # the place and shape of the first record, if it may hold the columns of a table
        n = -1
        for n, (place, record) in enumerate(self._whole(without_trees(records))):  # n tells below how many there were
            given = {name: value for name, value in record.items() if value or not self._is_missing(name, value)}
            lists = [name for name in given if type(given[name]) is list]
            key = (*record, "", *given, "", *lists) if lists or len(given) < len(record) else tuple(record)
            shape = self._shapes.get(key)
            if shape is None:
                self._check_missing(place, record, given)
                missing = [name for name in record if name not in given]
                shape = shape_of(self.path, place, given, missing, table=self.table, notes=self.notes)
                self._shapes[key] = shape
                if self._is_plain(shape):
                    plain_shapes[key] = self._kind_of(place, shape, shape.first, "")
            kind = plain_shapes.get(key)
            if (
                n == 0
                and shape.kind == "pair"
                and not shape.prompt
                and _are_as_long(given[shape.first], given[shape.second])
            ):
                columns = place, shape
            if kind is not None and isinstance(given[shape.first], str) and isinstance(given[shape.second], str):
                yield Row(place, kind, None, (given[shape.first], given[shape.second]), nothing, n)
            elif shape.kind == "answers":
                self._lists.append((place, shape, given, n))  # which score counts is known at the end
            elif shape.kind == "answer":
                self._singles.append((place, shape, given))
            else:
                self._group = n
                self._group = self._group_of(shape, given)
                yield from self._rows_of(place, shape, given)
        if columns is not None and n == 0:
            self._refuse_columns(*columns)
        self._check_zero()
        self._without_counts()
        yield from self._listed()
        yield from self._compared()

    def _whole(self, records: Iterable[Record]) -> Iterator[Record]:
        """Replace half characters, which no file of texts could hold, and note it."""
        for place, record in records:
            if any(map(may_have_halves, record.values())) or may_have_halves("".join(record)):
                try:
                    whole = self.halves.whole(record)
                except ValueError as error:
                    fail(self.path, str(error), place)
                if whole != record:
                    self.notes.add("halves", place, lambda n: said_of_halves(n, "record"))
                yield place, whole  # type: ignore[misc]
            else:
                yield place, record

    def _count(self, place: str, n: int) -> None:
        """Count pairs, or answers in rankings, that come from one record or prompt; fail if they are too many."""
        self._n_counted += n
        for most, found, where in (
            (MOST_PAIRS_OF_RECORD, n, "a record"),
            (MOST_PAIRS, self._n_counted, "a file, up to here"),
        ):
            if found > most:
                what = "answers in rankings" if self.as_rankings else "pairs"
                fail(
                    self.path, f"expected lists that become at most {most:,} {what} in {where}, found {found:,}", place
                )

    def _without_counts(self) -> None:
        """Take back the ties of a field that turned out to count the votes for a tie."""
        if self._counted:
            for numbers in self._tied:
                del numbers["label"]
            said = f"the field {self._counted} is not read, since it holds numbers above 1"
            self.notes.add("counted", "the file", lambda _: said, "items")

    def _check_zero(self) -> None:
        """Fail if verdicts about the sides 1 and 2 are 1 and 0, since 0 may then mean a tie or the second side."""
        if self._zero is not None and not self._has_two:
            verdict, place = self._zero
            said = f"{verdict}: expected 1 or 2, and 0 or tie for a tie, found 0 in a file without 2"
            fail(
                self.path,
                f"{said}, where it may mean either; write 2 if the second side won and tie if none did",
                place,
            )

    def _refuse_columns(self, place: str, shape: Shape) -> None:
        hint = 'write records instead: df.to_json(path, orient="records", lines=True)'
        said = f"expected one record, found whole columns, {shape.first} and {shape.second}; {hint}"
        fail(self.path, said, place)

    def _is_plain(self, shape: Shape) -> bool:
        """Return whether records of this shape are two words in a table and no more, which need no further look."""
        rest = (*shape.prompt, *shape.numbers, *shape.scores, shape.conversation, shape.tie)
        return self.table and shape.kind == "pair" and not any(rest)

    def _check_missing(self, place: str, record: dict[str, object], given: dict[str, object]) -> None:
        """Fail if an answer is null, or one of the two values of a feature."""
        has_answers = any(plain(name) in NAMES["chosen"] for name in given)
        for name in record.keys() - given.keys():
            if plain(name) in {"chosen", "rejected"}:
                text_or_messages(self.path, place, name, None)  # says what was expected
            feature, _, side = name.rpartition("_")
            partner = f"{feature}_{'rejected' if side == 'chosen' else 'chosen'}"
            if side in {"chosen", "rejected"} and not has_answers and is_number(given.get(partner)):
                fail(self.path, f"{name}: expected a finite number, found null", place)

    def _is_missing(self, name: str, value: object) -> bool:
        """Return whether a field is not given: null, or an empty cell where a number belongs."""
        return value is None or (self.table and isinstance(value, str) and not value and plain(name) in _BLANK)

    def _rows_of(self, place: str, shape: Shape, record: dict[str, object]) -> Iterator[Row]:
        path = self.path
        if _are_columns(shape, record):
            self._refuse_columns(place, shape)
        numbers = self._numbers(place, shape, record)
        prompt = self._prompt(place, shape, record)
        if shape.kind == "features":
            better, worse = (
                {name: finite_number(path, place, column, record[column]) for name, column in side}
                for side in shape.columns
            )
            yield Row(place, "named", prompt, (better, worse), numbers, self._group)
            return
        for answers, n_last in self._two_sides(place, shape, record, numbers):
            yield self._row(place, shape, prompt, answers, numbers, n_last)

    def _two_sides(
        self, place: str, shape: Shape, record: dict[str, object], numbers: dict[str, float]
    ) -> list[tuple[tuple[object, ...], int]]:
        """Return what a record of the shape "pair" or "contest" compares; a tie sets the label to 1/2."""
        first, second, scores = record[shape.first], record[shape.second], shape.scores
        won = 1
        if shape.kind == "contest":
            won = better_of(self.path, place, shape, record)
            if shape.verdict is not None and shape.marks == ("1", "2") and plain(shape.verdict) not in SIGNED:
                number = as_number(record[shape.verdict])
                self._has_two = self._has_two or number == 2
                if number == 0 and self._zero is None:
                    self._zero = shape.verdict, place
            if won == 0 and shape.verdict is None and not shape.one_hot:
                note_equal(self.notes, place, " and ".join(scores))
                return []
            if won < 0:
                first, second, scores = second, first, scores[::-1]
            first, second = (_joined(value) for value in (first, second))
        elif shape.first == shape.conversation and is_chat(first):
            first = first[-1:] if isinstance(first, list) else [first]  # its beginning is the prompt
        if shape.tie is not None and shape.tie in record and self._says_tie(place, shape.tie, record[shape.tie]):
            if plain(shape.tie) == "ties" and won != 0:
                self._tied.append(numbers)
            won = 0
        if won == 0:
            numbers["label"] = 0.5
        elif scores:
            self._compare_scores(place, scores, record)
        if shape.kind != "pair":
            return [((first, second), 1)]
        if all(isinstance(side, list) and len(side) > 1 and all(map(_is_digits, side)) for side in (first, second)):
            said = f"{shape.first}: expected texts or numbers, found a list of numbers that are written as texts"
            fail(self.path, f"{said}, {show(first)}; write them without quotes", place)
        return self._orders_of_lists(place, first, second)

    def _orders_of_lists(self, place: str, chosen: object, rejected: object) -> list[tuple[tuple[object, ...], int]]:
        if isinstance(chosen, list) or isinstance(rejected, list):
            better, worse = len(answers_of(chosen)), len(answers_of(rejected))
            if better > 1 or worse > 1:
                self._count(place, better * (worse + self.as_rankings))
        if self.as_rankings:
            return rankings_of_lists(chosen, rejected)
        return [(pair, 1) for pair in pairs_of_lists(chosen, rejected)]

    def _says_tie(self, place: str, name: str, value: object) -> bool:
        """Return whether a field says that a pair is a tie; ``ties`` may be a number of votes instead."""
        if plain(name) == "ties" and as_number(value) > 1:
            self._counted = self._counted or name
            return False
        return _is_tie(self.path, place, name, value)

    def _compare_scores(self, place: str, scores: tuple[str, ...], record: dict[str, object]) -> None:
        a, b = (as_number(record.get(name)) for name in scores)
        better, worse = scores
        if a == b:
            self.notes.add(
                "equal", place, lambda n: f"{better} and {worse} are equal in {_rows(n)}, read as pairs all the same"
            )
        elif a < b:
            said = f"{better} is below {worse}, although that answer is the chosen one"
            self.notes.add("contradicting", place, lambda n: f"{said}, in {_rows(n)}")

    def _group_of(self, shape: Shape, record: dict[str, object]) -> int | str:
        """Return what pairs without a prompt have in common: the number of their prompt, or their record."""
        return self._group if shape.same is None else f"{shape.same} {name_of(record[shape.same])}"

    def _numbers(self, place: str, shape: Shape, record: dict[str, object]) -> dict[str, float]:
        return {key: finite_number(self.path, place, name, record[name], key) for key, name in shape.numbers.items()}

    def _prompt(self, place: str, shape: Shape, record: dict[str, object]) -> str | Messages | None:
        """Join the parts of the prompt; one that is a conversation stays one."""
        parts: list[str | Messages] = []
        for name in shape.prompt:
            value = record[name]
            if value == [] and plain(name) in NAMES["context"]:
                continue  # no earlier turns
            if isinstance(value, list) and not is_chat(value):
                value = _joined(value)
            if is_number(value):
                value = name_of(value)  # the number of a prompt
            part = text_or_messages(self.path, place, name, value)
            if part or part == "":
                parts.append(part)
        if shape.conversation is not None and record[shape.conversation] != []:
            turns = text_or_messages(self.path, place, shape.conversation, record[shape.conversation])
            if not any(as_text(part) for part in parts):
                parts = [self._without_answer(place, turns, shape, record)]
            elif not all(_flat(as_text(part)) in _flat(as_text(turns)) for part in parts):
                parts.append(self._without_answer(place, turns, shape, record))
        if not parts:
            return None
        if len(parts) == 1 and not isinstance(parts[0], str):
            return parts[0]
        said: list[str] = []
        for part in map(as_text, parts):
            if part and part not in said:
                said.append(part)
        prompt = "\n\n".join(said)
        return self._texts.setdefault(prompt, prompt)

    def _without_answer(
        self, place: str, turns: str | Messages, shape: Shape, record: dict[str, object]
    ) -> str | Messages:
        """Leave out the last message of a conversation if it is one of the answers."""
        if isinstance(turns, str) or not turns or turns[-1][0] != "assistant":
            return turns
        if shape.first == shape.conversation:
            return turns[:-1]
        for name in filter(None, (shape.first, shape.second)):
            value = record[name]
            if isinstance(value, str) or is_chat(value):
                answer = text_or_messages(self.path, place, name, value)
                if (answer if isinstance(answer, str) else answer[-1][1]) == turns[-1][1]:
                    return turns[:-1]
        return turns

    def _row(
        self,
        place: str,
        shape: Shape,
        prompt: str | Messages | None,
        answers: tuple[object, ...],
        numbers: dict[str, float],
        n_last: int,
    ) -> Row:
        name_of_others = shape.second or shape.first
        names = [shape.first, *(name_of_others for _ in answers[1:])]
        kinds = [self._kind_of(place, shape, name, value) for name, value in zip(names, answers, strict=True)]
        kind, different = kinds[0], set(kinds)
        if len(different) > 1 and different <= {"texts", "words", "names"}:
            kind = "texts"
        elif len(different) > 1 and different <= {"items", "words", "names"}:
            kind = "words"
        elif len(different) > 1:
            for name, value, its in zip(names, answers, kinds, strict=True):
                if its == "texts":
                    text_or_messages(self.path, place, name, value)  # which fails for what is no answer at all
            wanted = {"vectors": "a list of numbers", "named": "named numbers", "items": "the name of an item"}
            what = wanted.get(kind, "a text")
            found = next(show(answer) for answer, other in zip(answers, kinds, strict=True) if other != kind)
            fail(self.path, f"{name_of_others}: expected {what} like {shape.first}, found {found}", place)
        if kind == "items" and not self.table and not shape.items and isinstance(prompt, str) and self._asks(prompt):
            kind = "texts"  # a number beside a question, which is refused
        if kind == "texts":
            said = [text_or_messages(self.path, place, *one) for one in zip(names, answers, strict=True)]
            asked, texts = split_prompt("" if prompt is None else prompt, said)
            return Row(place, kind, asked, tuple(texts), numbers, self._group, n_last)
        if kind in {"words", "names", "items"}:
            answers = tuple(map(name_of, answers))
        return Row(place, kind, prompt, answers, numbers, self._group, n_last)

    @staticmethod
    def _asks(prompt: str) -> bool:
        return as_number(prompt) != as_number(prompt)  # NaN: it is no number of a prompt

    def _kind_of(self, place: str, shape: Shape, name: str, value: object) -> str:
        if isinstance(value, str):
            if shape.items:
                return "items" if plain(shape.first).startswith(_NAMED) else "names"
            return "words" if self.table and plain(shape.first) in _EITHER else "texts"
        if is_vector(value):
            return "vectors"
        if isinstance(value, Mapping) and not is_chat(value) and are_numbers(list(value.values())):
            for one, inner in value.items():
                finite_number(self.path, place, f"{one} of {name}", inner)
            return "named"
        if is_number(value) and (shape.items or shape.kind in {"pair", "contest"}):
            if not as_number(value).is_integer():
                both = f"{shape.first} and {shape.second}"
                hint = f"; if these are a feature, name them x_chosen and x_rejected instead of {both}"
                wanted = "expected a text or the name of an item"
                fail(self.path, f"{name}: {wanted}, found the number {show(value)}{hint * bool(shape.second)}", place)
            return "items"
        refuse_other_values(self.path, place, name, value)
        return "texts"

    def _listed(self) -> Iterator[Row]:
        """Compare the answers of each list with each other."""
        key = score_of(entry for _, shape, record, _ in self._lists for entry in record[shape.first])  # type: ignore[attr-defined]
        for place, shape, record, n in self._lists:
            numbers, prompt = self._numbers(place, shape, record), self._prompt(place, shape, record)
            self._group = n
            self._group = self._group_of(shape, record)
            answers, marks, name = marked_answers(self.path, place, shape, record, self.notes, key)
            for order, n_last in self._orders(place, marks, name):
                yield self._row(place, shape, prompt, tuple(answers[i] for i in order), numbers, n_last)

    def _orders(self, place: str, marks: Sequence[float], name: str) -> list[tuple[tuple[int, ...], int]]:
        """Return what answers with these marks compare, as pairs or as rankings, and note the equal ones."""
        n = len(marks)
        if n > 2:
            self._count(place, size_of_rankings(marks) if self.as_rankings else n * (n - 1) // 2)
        if self.as_rankings:
            rankings = rankings_of_marks(marks)
            if len(marks) > 1 and not rankings:
                note_all_equal(self.notes, place, name)
            if len(rankings) > 1:
                note_split(self.notes, place, name)
            return rankings
        pairs, equal = pairs_of_marks(marks)
        for _ in range(equal):
            note_equal(self.notes, place, name)
        return [(pair, 1) for pair in pairs]

    def _compared(self) -> Iterator[Row]:
        """Compare the single answers to each prompt with each other, by the one score that counts in this file."""
        score = score_of(record for *_, record in self._singles)
        answers: dict[tuple[str, int | str], list[tuple[str, object, float]]] = {}  # (place, answer, score)
        for place, shape, record in self._singles:
            if shape.numbers:
                name = next(iter(shape.numbers.values()))
                fail(self.path, f"{name}: expected none beside a single answer, found one", place)
            name = next((name for name in record if plain(name) == score), "")
            if not name:
                note_unscored(self.notes, place, score)
                continue
            self._group = ""
            asked = as_text(self._prompt(place, shape, record) or "")
            group = "" if asked else self._group_of(shape, record)
            value = finite_number(self.path, place, name, record[name])
            answers.setdefault((asked, group), []).append((place, self._single(place, shape, record), value))
        one = self._singles[0][1] if self._singles else Shape("answer", (), None, {})
        shape = Shape("answers", (), None, {}, first=one.first if one.items else "answer", items=one.items)
        for (asked, self._group), found in answers.items():
            place = found[0][0]
            if not (asked or self._group) or len(found) == 1:
                for _ in found:
                    note_alone(self.notes, place)
                continue
            sign = 1.0 if score in NAMES["rank"] else -1.0
            for order, n_last in self._orders(place, [sign * value for *_, value in found], score):
                ranked = tuple(found[i][1] for i in order)
                yield self._row(found[order[0]][0], shape, asked, ranked, {}, n_last)

    def _single(self, place: str, shape: Shape, record: dict[str, object]) -> object:
        """Return the answer of a record that holds one: its text, its item, or its features."""
        if not shape.columns:
            return record[shape.first]
        return {name: finite_number(self.path, place, column, record[column]) for name, column in shape.columns[0]}


def _are_columns(shape: Shape, record: Mapping[str, object]) -> bool:
    """Return whether a record holds all rows of a table, as pandas writes it with its other choices of ``orient``."""
    if shape.kind != "pair" or not isinstance(record[shape.first], list | Mapping):
        return False
    columns = [record[name] for name in (shape.first, shape.second, *shape.prompt)]
    if all(isinstance(column, Mapping) and "0" in column for column in columns):
        return True
    is_list = all(isinstance(column, list) and len(column) > 1 and isinstance(column[0], str) for column in columns)
    return is_list and bool(shape.prompt) and len({len(column) for column in columns}) == 1  # type: ignore[arg-type]


def _are_as_long(chosen: object, rejected: object) -> bool:
    """Return whether both sides hold several answers, and as many: perhaps the columns of a table."""
    return isinstance(chosen, list) and 1 < len(answers_of(chosen)) == len(answers_of(rejected))


def _is_digits(value: object) -> bool:
    return isinstance(value, str) and isfinite(as_number(value))


def _rows(n: int) -> str:
    return f"{n} row" + ("s" if n > 1 else "")


def _flat(text: str) -> str:
    return " ".join(text.split())


def _joined(value: object) -> object:
    """Return the texts of a list, one below the other: the turns of one side of a contest."""
    if isinstance(value, list) and not is_chat(value) and not all(map(is_number, value)):
        inner = [_joined(one) for one in value if one is not None]
        if all(isinstance(one, str) for one in inner):
            return "\n\n".join(map(str, inner))
    return value


def _is_tie(path: Path | str, place: str, name: str, value: object) -> bool:
    word = str(value).strip().lower()
    if word not in {"1", "1.0", "true", "yes", "y", "t", "tie", "0", "0.0", "false", "no", "n", "f"}:
        fail(path, f"column {name}: expected true or false, found {show(value)}", place)
    return word in {"1", "1.0", "true", "yes", "y", "t", "tie"}
