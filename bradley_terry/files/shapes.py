"""Which shape a record has: what the names of its fields, taken together, say about the answers that it compares.

pair        chosen and rejected, each an answer, a list of answers, a name of an item, or a list of numbers
contest     two sides, such as response_a and response_b or model_a and model_b, and which of them won
answers     a list of answers with their ranks or scores, or two answers and the number of the better one
answer      a text, an item or features with its rank or score; it is compared with other answers to the same prompt
features    name_chosen and name_rejected for each feature
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from ..arrays.visible import LONGEST_SHOWN, visible
from .messages import as_number, fail, is_number, listed
from .names import NAMES, PARTS_OF_PROMPT, SCORES, STEMS, is_origin, near_miss, plain
from .notes import Notes

__all__ = ["SIGNED", "Shape", "shape_of"]

_SUFFIXES = (("a", "b"), ("0", "1"), ("1", "2"), ("left", "right"), ("first", "second"))
SIGNED = ("overall_preference", "preference_strength")  # negative: the first is better (HelpSteer)
_MEANT = {  # what a misspelt name may stand for
    name
    for key in (*PARTS_OF_PROMPT, "conversation", "chosen", "rejected", "weight", "label", "target_margin", "tie")
    for name in NAMES[key]
}
_MOST_COMPARED = 1000  # unknown fields of a file that are compared with these names, which takes about a millisecond
_OTHER_SIDE = {"chosen": "rejected", "rejected": "chosen", "winner": "loser", "loser": "winner"}
_KNOWN = {name for names in NAMES.values() for name in names}


class Shape(NamedTuple):
    """The shape of a record, and the names of the fields that it is read from."""

    kind: str
    prompt: tuple[str, ...]
    conversation: str | None
    numbers: dict[str, str]  # weight, label and target_margin -> name in the record
    tie: str | None = None
    first: str = ""  # of a pair: chosen; of answers: the list; of an answer: its text
    second: str = ""
    items: bool = False
    verdict: str | None = None
    marks: tuple[str, str] = ("", "")  # how a verdict names the two sides: a and b, 0 and 1
    scores: tuple[str, ...] = ()  # of both sides; of answers and of an answer: the rank or the score
    one_hot: tuple[str, ...] = ()  # winner_model_a, winner_model_b, and perhaps winner_tie
    same: str | None = None  # the number of the prompt, which says what belongs together where no prompt is given
    columns: tuple[tuple[tuple[str, str], ...], ...] = ()  # of chosen and rejected: (feature, name in the record)


def shape_of(
    path: Path | str, place: str, record: Mapping[str, object], missing: Sequence[str], *, table: bool, notes: Notes
) -> Shape:
    """Return the shape of a record whose missing values are gone; note its unknown fields, and fail if it has none.

    ``missing`` names the fields whose values are missing.
    """
    fields: dict[str, str] = {}
    for name in record:
        if fields.setdefault(plain(name), name) != name:
            fail(path, f"expected different names, found {fields[plain(name)]} and {name}", place)
    made = (
        _pair(fields, record)
        or _contest(fields)
        or _answers(fields, record)
        or _answer(fields, {plain(name): name for name in missing})
        or _features(path, place, fields, record, table)
        or _long(path, place, fields, record, missing)
    )
    if made is None:
        _refuse(path, place, fields, record, missing, table)
    shape = _with_parts(path, place, fields, made, record)
    _note_unknown("line 1" if table and _is_line(place) else place, fields, record, shape, notes)
    return shape


def _find(fields: Mapping[str, str], meaning: str) -> str | None:
    return next((fields[name] for name in NAMES[meaning] if name in fields), None)


def _pair(fields: dict[str, str], record: Mapping[str, object]) -> Shape | None:
    chosen, rejected = _find(fields, "chosen"), _find(fields, "rejected")
    if chosen is None and rejected is not None:
        chosen = _find(fields, "conversation")  # it ends with the chosen answer, as in ms-swift
    if chosen is None or rejected is None:
        for stem in STEMS["texts"]:
            a, b = fields.get(f"{stem}_chosen"), fields.get(f"{stem}_rejected")
            if a and b and as_number(record[a]) != as_number(record[a]):  # NaN: no number
                chosen, rejected = a, b
    if chosen is None or rejected is None:
        return None
    scores = next((pair for score in SCORES for pair in _of_both(fields, score)), ())
    is_items = (plain(chosen), plain(rejected)) == ("winner", "loser")
    tie = _find(fields, "tie")
    return Shape("pair", (), None, {}, tie, chosen, rejected, items=is_items, scores=scores)


def _of_both(fields: Mapping[str, str], score: str) -> list[tuple[str, str]]:
    names = ((f"{score}_chosen", f"{score}_rejected"), (f"chosen_{score}", f"rejected_{score}"))
    return [(fields[a], fields[b]) for a, b in names if a in fields and b in fields]


def _sides(fields: Mapping[str, str]) -> tuple[str, str, tuple[str, str], bool] | None:
    """Return the fields of the two sides, how they are told apart, and whether they name items."""
    for kind, stems in STEMS.items():
        for stem in stems:
            for a, b in _SUFFIXES:
                for joined in (f"{stem}_", stem) if stem else ("",):
                    if joined + a in fields and joined + b in fields and (stem or not a.isdigit()):
                        return fields[joined + a], fields[joined + b], (a, b), kind == "items"
    return None


def _contest(fields: dict[str, str]) -> Shape | None:
    sides = _sides(fields)
    if sides is None:
        return None
    first, second, marks, items = sides
    scores = next(
        ((fields[f"{s}_{marks[0]}"], fields[f"{s}_{marks[1]}"]) for s in SCORES if f"{s}_{marks[0]}" in fields
         and f"{s}_{marks[1]}" in fields), ()
    )  # fmt: skip
    hot = tuple(f"winner_{side}" for side in (plain(first), plain(second)))
    if not set(hot) <= set(fields):
        hot = tuple(f"winner_model_{mark}" for mark in marks)
    one_hot = tuple(fields[name] for name in (*hot, "winner_tie") if name in fields)
    verdict = _find(fields, "verdict")
    if not (verdict or len(one_hot) > 1 or (scores and not items)):
        return None
    tie = _find(fields, "tie")
    return Shape("contest", (), None, {}, tie, first, second, items, verdict, marks, tuple(scores), one_hot)


def _answers(fields: dict[str, str], record: Mapping[str, object]) -> Shape | None:
    answers = next((n for name in NAMES["answers"] if isinstance(record.get(n := fields.get(name, "")), list)), None)
    if answers is None:
        ranking = _find(fields, "ranking") or ""
        ranked = record.get(ranking)
        if not isinstance(ranked, list):
            return None
        is_items = all(isinstance(one, str) or is_number(one) for one in ranked)
        return Shape("answers", (), None, {}, None, ranking, items=is_items)
    scores = [name for meaning in ("rank", "score") if (name := _find(fields, meaning)) is not None]
    verdict = _find(fields, "verdict")
    return Shape("answers", (), None, {}, None, answers, verdict=verdict, scores=tuple(scores[:1]))


def _answer(fields: dict[str, str], missing: dict[str, str]) -> Shape | None:
    answer = _find(fields, "answer") or _find(fields, "features")
    fields = missing | fields  # an answer may lack its score
    scores = [name for meaning in ("rank", "score") if (name := _find(fields, meaning)) is not None]
    return Shape("answer", (), None, {}, None, answer, scores=tuple(scores[:1])) if answer and scores else None


def _features(
    path: Path | str, place: str, fields: dict[str, str], record: Mapping[str, object], table: bool
) -> Shape | None:
    names: dict[str, None] = {}  # in order
    for name in record:
        feature, _, side = name.rpartition("_")
        if plain(name) in _KNOWN or not feature or side not in {"chosen", "rejected"}:
            continue
        partner = f"{feature}_{'rejected' if side == 'chosen' else 'chosen'}"
        if partner not in record:
            kind = "column" if table else "field"
            missing, found = visible(partner, LONGEST_SHOWN), visible(name, LONGEST_SHOWN)
            fail(
                path, f"expected a {kind} {missing} beside {found}, found none", "line 1" if _is_line(place) else place
            )
        names[feature] = None
    columns = tuple(tuple((name, f"{name}_{side}") for name in names) for side in ("chosen", "rejected"))
    return Shape("features", (), None, {}, _find(fields, "tie"), columns=columns) if names else None


def _long(
    path: Path | str, place: str, fields: dict[str, str], record: Mapping[str, object], missing: Sequence[str]
) -> Shape | None:
    """Return the shape of a table with one row for each answer, which is an item or has features."""
    if not any(name in fields for part in (*PARTS_OF_PROMPT, "prompt_id") for name in NAMES[part]):
        return None
    known = {plain(name): name for name in missing} | fields
    item, rank = _find(fields, "item"), _find(known, "rank")
    mark = rank or (_find(known, "score") if item else None)
    if mark is None:
        return None
    features = [
        name
        for word, name in fields.items()
        if word not in _KNOWN
        and not _ROW & set(word.split("_"))
        and (record[name] == "" or _is_cell_of_number(record[name]))
    ]
    if item and features:
        fail(path, f"expected an item or features of each answer, found both {item} and {features[0]}", place)
    if item:
        return Shape("answer", (), None, {}, None, item, items=True, scores=(mark,))
    return (
        Shape("answer", (), None, {}, scores=(mark,), columns=(tuple((x, x) for x in features),)) if features else None
    )


_ROW = {"id", "ids", "idx", "index", "uuid"}  # numbers of rows, which are no features


def _is_line(place: str) -> bool:
    return place.startswith("line")


def _with_parts(
    path: Path | str, place: str, fields: dict[str, str], shape: Shape, record: Mapping[str, object]
) -> Shape:
    """Add the prompt and the numbers, none of which may be a field that the shape already uses."""
    used = {shape.first, shape.second, shape.verdict, *shape.scores, *shape.one_hot}
    free = {name: field for name, field in fields.items() if field not in used}
    numbers = {}
    for key in ("label", "weight", "target_margin"):
        found = [free[name] for name in NAMES[key] if name in free]
        if len(found) > 1:
            fail(path, f"expected one of {found[0]} and {found[1]}, found both", place)
        if found:
            numbers[key] = found[0]
    if shape.tie is not None and "label" in numbers:
        at = "line 1" if _is_line(place) else place
        fail(path, f"expected a column {shape.tie} or a column {numbers['label']}, found both", at)
    parts = tuple(free[name] for part in PARTS_OF_PROMPT for name in NAMES[part] if name in free)
    if len(parts) > 1:
        parts = tuple(name for name in parts if plain(name) != "info")  # which then holds other things than the prompt
    conversation = shape.first if plain(shape.first) in NAMES["conversation"] else _find(free, "conversation")
    if not parts and conversation is None and not shape.items:
        asked = [free[name] for name in NAMES["request"] if name in free and not _is_cell_of_number(record[free[name]])]
        parts = tuple(asked[:1])
    same = None if shape.items and shape.kind in {"pair", "contest"} else _find(free, "prompt_id")
    return shape._replace(prompt=parts, conversation=conversation, numbers=numbers, same=same)


def _is_cell_of_number(value: object) -> bool:
    return is_number(value) or as_number(value) == as_number(value)  # not NaN


def _note_unknown(place: str, fields: dict[str, str], record: Mapping[str, object], shape: Shape, notes: Notes) -> None:
    """Note each field that is not read although it looks like data for the training."""
    used = {column for side in shape.columns for _, column in side}
    used |= {*shape.prompt, *shape.numbers.values(), shape.first, shape.second, *shape.scores, *shape.one_hot}
    used |= {shape.verdict, shape.conversation, shape.tie, shape.same}  # type: ignore[arg-type]
    scores = {f"{s}_{side}" for s in SCORES for side in ("chosen", "rejected", *shape.marks)}
    scores |= {f"{side}_{s}" for s in SCORES for side in ("chosen", "rejected")}
    _note_prompt(place, fields, record, shape, used, notes)
    for word, name in fields.items():
        value = record[name]
        is_bool = isinstance(value, bool) or (isinstance(value, str) and value.lower() in {"true", "false"})
        numeric = not isinstance(value, bool) and as_number(value) == as_number(value)  # not NaN
        feature, _, side = word.rpartition("_")
        other = _OTHER_SIDE.get(side)
        if name in used or word in scores or (word in _KNOWN and not (numeric or is_bool)):
            continue
        if feature and other and numeric and (partner := fields.get(f"{feature}_{other}")):
            if side in {"chosen", "winner"}:
                said = f"{name} and {partner} are not read, since {shape.first} and {shape.second} are the answers"
                _note(notes, place, said, only="items")
            continue
        notes.n_compared += 1
        meant = near_miss(name, numeric or is_bool, _MEANT if notes.n_compared <= _MOST_COMPARED else ())
        if meant:
            only = "items" if meant in NAMES["tie"] else ""
            _note(notes, place, f"the unknown field {name} is not read; did you mean {meant}?", only)
        elif meant is not None:
            or_prompt = "" if _has_prompt(shape) else "prompt, "
            hint = f"; if the fit needs it, call it {or_prompt}weight, label or target_margin"
            _note(notes, place, f"the field {name} is not read{'' if shape.kind == 'answer' else hint}")


def _note_prompt(
    place: str, fields: dict[str, str], record: Mapping[str, object], shape: Shape, used: set[str], notes: Notes
) -> None:
    """Note the first text that is not read and could be the prompt, if none is given.

    Beside numbers, any text may say which rows belong together, such as the name of a customer.
    """
    if _has_prompt(shape):
        return
    answer = record.get(shape.first)
    unread = [(word, name) for word, name in fields.items() if name not in used and isinstance(record[name], str)]
    if shape.kind == "features" or (isinstance(answer, list) and answer and is_number(answer[0])):
        names = [name for word, name in unread if _may_name_a_group(word, str(record[name]))]
        if names:
            are, it = ("is", "it") if len(names) == 1 else ("are", "one of them")
            hint = f"if {it} says which rows belong together, such as those of one person, call it prompt"
            _note(notes, place, f"no prompt is found, and {listed(names)} {are} not read; {hint}")
        return
    if (isinstance(answer, list) and len(answer) > 1) or (isinstance(answer, str) and "Assistant:" in answer):
        return
    for word, name in unread:
        if " " in str(record[name]).strip() and not is_origin(word):
            sentence = f"no prompt is found, and the text {name} is not read; if it is the prompt, call it prompt"
            _note(notes, place, sentence, only="texts")
            return


def _has_prompt(shape: Shape) -> bool:
    return bool(shape.prompt or shape.conversation or shape.same or shape.items)


def _may_name_a_group(word: str, value: str) -> bool:
    """Return whether a text beside numbers may say which rows belong together, as a column customer_id does."""
    is_name = bool(value.strip()) and value.strip().lower() not in {"true", "false"}
    return is_name and as_number(value) != as_number(value) and not is_origin(word.removesuffix("_id"))  # no number


def _note(notes: Notes, place: str, sentence: str, only: str = "") -> None:
    notes.add(sentence, place, lambda _: sentence, only, "fields that are not read")


def _refuse(
    path: Path | str,
    place: str,
    fields: dict[str, str],
    record: Mapping[str, object],
    missing: Sequence[str],
    table: bool,
) -> NoReturn:
    """Fail with what was expected, what the record looks like, and what to do about it."""
    names = listed(record)
    sides = _sides(fields)
    answer, label = _find(fields, "answer"), _find(fields, "label")
    rank = _find(fields, "rank")
    hint = ""
    if rank is not None:
        hint = f"{rank} looks like the rank of one answer; a prompt would tell which answers it is compared with"
    elif sides is not None:
        hint = f"{sides[0]} and {sides[1]} look like two answers, but no field such as winner says which is better"
    elif answer is not None and label is not None:
        hint = f"{answer} and {label} look like single answers with a vote; a pair needs two answers to a prompt"
    elif answer is not None:
        hint = f"{answer} looks like a single answer; a score or a rank would tell which answers to a prompt are better"
    elif all(isinstance(value, dict) and "0" in value for value in record.values()) and len(record) > 1:
        hint = 'these look like whole columns; write records instead: df.to_json(path, orient="records", lines=True)'
    elif "input_ids_chosen" in fields or "chosen_input_ids" in fields:
        hint = "these look like token numbers; a reward model of texts needs the texts"
    elif _find(fields, "chosen") is None and _find(fields, "rejected") is None:
        hint = "they may also be called better and worse, good and bad, or preferred and dispreferred"
    null = [name for name in missing if plain(name) in _KNOWN]
    if null:
        hint = f"{listed(null)} {'is' if len(null) == 1 else 'are'} {'empty' if table else 'null'}"
    if not table or not _is_line(place):
        fail(path, f"expected the keys chosen and rejected, found {names}" + (f"; {hint}" if hint else ""), place)
    either = "expected columns name_chosen and name_rejected, or chosen and rejected"
    unknown = [name for word, name in fields.items() if word not in _KNOWN]
    found = names if not unknown else unknown[0]
    fail(path, f"{either}{f' ({hint})' if hint else ''}; found {found}", 1)
