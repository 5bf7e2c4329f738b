"""Exercises of lesson 10: the causes of runs whose names are hidden, and pairs that leak between splits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from ...arrays.visible import class_name, quoted
from ...logistic import Array
from ...model import RewardModel
from ...pairs import PreferencePairs
from ..causes import CAUSES, Run, Side, leaking, numbers_of
from ..engine import (
    ERROR,
    FAILED,
    LIMIT,
    NOT_ATTEMPTED,
    PASSED,
    Report,
    Stop,
    Student,
    call,
    can_be_called_with,
    judged,
    missing_branch,
    with_their_objects,
)

__all__ = ["causes", "leaks"]

LETTERS = tuple("ABCDEF")  # the names of the runs of lesson 10


def causes(answers: object, runs: Mapping[str, Run]) -> Report:
    """Check a diagnosis of several runs. The report gives a number of the run that contradicts a wrong answer.

    Parameters
    ----------
    answers : dict, or list in the order of the runs
        For each run the name of a cause, or None where there is no answer yet.
    runs : mapping from a name to (model, training pairs, held-out pairs)
        If the names are letters from A to F, these are the runs of lesson 10, and all six have to be there.

    Raises
    ------
    TypeError
        If ``runs`` is not such a mapping.

    Examples
    --------
    >>> import bradley_terry as bt
    >>> from bradley_terry.course import check
    >>> pairs = bt.PreferencePairs(np.ones((9, 2)), np.ones((9, 2)))  # both answers of each pair are the same
    >>> run = bt.fit(bt.LinearScorer(2), pairs, l2=0.1), pairs, pairs
    >>> check.causes({"run A": "identical answers"}, {"run A": run})
    causes: passed
    """
    if not isinstance(runs, Mapping):
        raise TypeError(f"runs: expected a mapping from names to runs, got {quoted(runs)}")
    for name, run in runs.items():
        kinds = (RewardModel, PreferencePairs, PreferencePairs)
        if not isinstance(run, tuple) or len(run) != 3 or not all(map(isinstance, run, kinds)):
            raise TypeError(
                f"runs: expected (model, training pairs, held-out pairs) for each run, got something else for {name}"
            )
    what = "causes"
    missing = [letter for letter in LETTERS if letter not in runs]
    if missing and runs and set(runs) <= set(LETTERS):
        runs_missing = f"run {missing[0]} is" if len(missing) == 1 else f"runs {', '.join(missing)} are"
        return Report(what, ERROR, f"{runs_missing} missing: run the cell that makes all six runs again")
    try:
        said = _said(answers, tuple(runs))
    except Stop as stop:
        return Report(what, stop.status, stop.message)
    if all(answer is None for answer in said.values()):
        return Report(what, NOT_ATTEMPTED)
    right, lines = [], []
    for name, answer in said.items():
        if answer is None:
            lines.append(f"{name}: no answer yet")
        elif answer not in CAUSES:
            lines.append(f"{name}: {quoted(answer)} is not one of the candidates: {', '.join(CAUSES)}")
        elif words := CAUSES[answer](numbers_of(runs[name])):
            lines.append(f"{name} is not a case of “{answer}”: {words}")
        else:
            right.append(name)
    if not lines:
        return Report(what, PASSED)
    lines.append(f"right: {', '.join(right) or 'none yet'}")
    return Report(what, FAILED, "\n".join(lines))


def _said(answers: object, names: Sequence[str]) -> dict[str, str | None]:
    """Return the answer to each run, in lower case; None where there is none."""
    wanted = f"a dict from {', '.join(names)} to the name of a cause, or a list of {len(names)} names"
    with with_their_objects("reading your answers"):
        if isinstance(answers, Mapping):
            unknown = [name for name in answers if name not in names]
            if unknown:
                raise Stop(ERROR, f"there is no run {quoted(unknown[0])}: expected {wanted}")
            of_each = {name: answers.get(name) for name in names}
        elif isinstance(answers, list | tuple) and len(answers) == len(names):
            of_each = dict(zip(names, answers, strict=True))
        elif answers is None:
            of_each = dict.fromkeys(names)
        else:
            found = f"{len(answers)} names" if isinstance(answers, list | tuple) else class_name(answers)
            raise Stop(ERROR, f"expected {wanted}, got {found}")
        for name, answer in of_each.items():
            if answer is not None and not isinstance(answer, str):
                raise Stop(ERROR, f"{name}: expected the name of one cause, got {class_name(answer)}")
        return {name: None if answer is None else _plain(answer) for name, answer in of_each.items()}


def _plain(answer: str) -> str:
    """Return the candidate with this name, however it is spelled; an unknown name is only put into lower case."""

    def letters(name: str) -> str:
        return re.sub(r"[-_\s]", "", name.lower()).replace("initialized", "initialised")

    return next((name for name in CAUSES if letters(name) == letters(answer)), " ".join(answer.lower().split()))


NAMES = ("training", "held_out")


def _problem(rng: np.random.Generator, n: int, kinds: Sequence[str], n_features: int) -> tuple[Side, Side]:
    """Make n training pairs, and one held-out pair of each kind.

    Training prompts occur up to three times, and some answers are the standard refusal, which many pairs share. The
    features are whole numbers, such as lengths, so different answers often agree in one of them.
    """
    prompts = rng.permutation(
        np.sort(rng.choice(np.arange(100, 100 + 10 * n), -(-n // 2), replace=False)).repeat(2)[:n]
    )
    pairs = _lengths(rng, (n, 2, n_features))
    pairs[rng.random(n) < 0.2, 1] = _lengths(rng, (n_features,))
    fresh = 10_000 + rng.permutation(len(kinds))
    new_prompts = np.array(
        [rng.choice(prompts) if kind == "same prompt" else own for kind, own in zip(kinds, fresh, strict=True)]
    )
    new = np.array([_new_pair(kind, pairs, rng) for kind in kinds])
    training = {"prompts": prompts, "chosen": pairs[:, 0], "rejected": pairs[:, 1]}
    return training, {"prompts": new_prompts, "chosen": new[:, 0], "rejected": new[:, 1]}


def _lengths(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(1, 13, shape).astype(np.float64)


def _new_pair(kind: str, pairs: Array, rng: np.random.Generator) -> Array:
    """Return the two answers of a held-out pair, (2, n_features); only a copy and a swapped pair leak."""
    while True:
        pair, other = pairs[rng.integers(len(pairs))], pairs[rng.integers(len(pairs))]
        fresh, feature = _lengths(rng, pair.shape), int(rng.integers(pair.shape[1]))
        new = _looking_like(kind, pair, other, fresh, feature)
        leaks = [np.array_equal(new, known) or np.array_equal(new[::-1], known) for known in pairs]
        if any(leaks) == (kind in {"copy", "swapped"}):
            return new


def _looking_like(kind: str, pair: Array, other: Array, fresh: Array, feature: int) -> Array:
    """Return two answers that have something in common with those of a training pair."""
    new = fresh
    if kind in {"copy", "swapped"}:
        new = pair if kind == "copy" else pair[::-1]
    elif kind == "one answer":
        new[feature % 2] = pair[int(fresh[0, 0]) % 2]
    elif kind == "two pairs":
        new = np.array([pair[0], other[0]])
    elif kind == "one feature":
        new[:, feature] = pair[:, feature]
    elif kind == "same difference":
        new = pair + fresh[0]
    elif kind == "same numbers":  # exchanged within the answers, or between them
        new = np.roll(pair, 1, axis=1)
        if fresh[0, 0] > 6:
            new = pair.copy()
            new[:, feature] = pair[::-1, feature]
    elif kind == "same sums":
        new = pair.copy()
        new[:, feature] += [1, -1]
        new[:, feature - 1] -= [1, -1]
    return new.copy()


KINDS = ("same prompt", "copy", "swapped", "one answer", "two pairs", "clean")
SIMILAR = ("same numbers", "one feature", "same difference", "same sums")  # as a training pair, but it does not leak


def _leak_cases() -> list[tuple[tuple[Side, Side], str]]:
    rng = np.random.default_rng(11)
    cases = []
    for n, n_new, k, kinds, note in (
        (12, 9, 2, KINDS + SIMILAR, ""),
        (7, 24, 3, KINDS + SIMILAR, "with more held-out than training pairs: "),
        (60, 40, 4, KINDS + SIMILAR, "with 60 training pairs: "),
        (15, 14, 2, ("one answer", "two pairs", "clean", *SIMILAR), "where nothing leaks: "),
        (10, 5, 3, ("same prompt", "copy", "swapped"), "where every pair leaks: "),
        (1, 3, 1, ("swapped", "clean", "same prompt"), "with a single training pair: "),
    ):
        some = [kinds[i % len(kinds)] for i in range(n_new)]
        cases.append((_problem(rng, n, [some[i] for i in rng.permutation(n_new)], k), note))
    return cases


def leaks(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(training, held_out) -> the row numbers of the held-out pairs that leak, in any order.

    Both arguments are dicts of arrays: prompts (n_pairs,), chosen and rejected (n_pairs, n_features). A pair leaks if
    its prompt is a training prompt, or if both of its answers are those of one training pair, in either order.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def same_prompt(training, held_out):
    ...     return np.flatnonzero(np.isin(held_out["prompts"], training["prompts"]))
    >>> print(check.leaks(same_prompt).message.splitlines()[-1])
    looks like: only the prompts are compared:
    a pair may return under another prompt number
    """

    def stages() -> None:
        cases = _leak_cases()
        can_be_called_with(function, cases[0][0], NAMES)
        for number, (arguments, note) in enumerate(cases):
            try:
                found = _rows(
                    call(function, arguments, NAMES, time_limit, note=note), len(arguments[1]["prompts"]), note
                )
            except Stop as stop:
                others = [arguments for arguments, _ in cases[1:]]
                raise stop if number else missing_branch(stop, function, others, NAMES, time_limit) from None
            reasons = leaking(*arguments)
            if found == set(reasons):
                continue
            lines = [f"held-out pair {row} is missing: it {reasons[row]}" for row in sorted(set(reasons) - found)[:2]]
            lines += [
                f"held-out pair {row} does not leak: {_why_not(row, *arguments)}"
                for row in sorted(found - set(reasons))[:2]
            ]
            if said := _looks_like(found, *arguments):
                lines.append(f"looks like: {said}")
            raise Stop(
                FAILED,
                f"{note}{len(reasons)} pairs leak, and your function returned {len(found)}\n  " + "\n  ".join(lines),
            )

    return judged("leaks", stages)


def _rows(answer: object, n: int, note: str) -> set[int]:
    """Return the row numbers, 0 to n - 1, of an answer, or stop and say what is wrong with it."""
    with with_their_objects(f"{note}reading the row numbers"):
        items = list(answer) if isinstance(answer, set | frozenset | range) else answer
        try:
            rows = np.asarray(items)
        except ValueError:
            raise Stop(FAILED, f"{note}expected a list of row numbers, got rows of different lengths") from None
        if rows.dtype.kind == "b" and rows.shape == (n,):
            raise Stop(FAILED, f"{note}got True or False for each pair: np.flatnonzero turns these into row numbers")
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iuf"):
            found = f"shape {rows.shape}" if rows.dtype.kind in "iufb" else class_name(answer)
            if isinstance(answer, tuple) and len(answer) == 1 and isinstance(answer[0], np.ndarray):
                found += ": np.nonzero and np.where return a tuple, so take its first entry, [0]"
            elif rows.ndim == 1:
                found = f"a {found} of {class_name(rows.tolist()[0])}"
            raise Stop(FAILED, f"{note}expected a list of row numbers, got {found}")
        if (rows != np.round(rows)).any() if rows.dtype.kind == "f" else False:
            raise Stop(FAILED, f"{note}expected whole numbers, got {rows[rows != np.round(rows)][0]:.6g}")
        if rows.size and not ((rows >= 0) & (rows < n)).all():
            wrong = int(rows[(rows < 0) | (rows >= n)][0])
            raise Stop(FAILED, f"{note}expected rows of the held-out pairs, 0 to {n - 1}, got {wrong}")
        if len(set(rows.tolist())) < rows.size:
            raise Stop(FAILED, f"{note}a row number occurs more than once: return each pair once")
        return {int(row) for row in rows}


def _why_not(row: int, training: Side, held_out: Side) -> str:
    """Say why a held-out pair does not leak."""
    answers = [held_out[side][row].tobytes() for side in ("chosen", "rejected")]
    known = {x.tobytes() for side in ("chosen", "rejected") for x in training[side]}
    n_known = sum(answer in known for answer in answers)
    if n_known == 2:
        return "its two answers come from two different training pairs"
    return "only one of its answers is in the training pairs" if n_known else "its prompt and its answers are new"


def _looks_like(found: set[int], training: Side, held_out: Side) -> str:
    """Return what the mistake looks like, or ""."""
    for words, other in _mistakes(training, held_out):
        if found == other and other != set(leaking(training, held_out)):
            return words
    return ""


def _same_in_one_feature(training: Side, held_out: Side) -> set[int]:
    old, new = (np.stack([side["chosen"], side["rejected"]], axis=1) for side in (training, held_out))
    same = [(new[:, None] == each[None]).any(axis=3).all(axis=2).any(axis=1) for each in (old, old[:, ::-1])]
    return set(np.flatnonzero(same[0] | same[1]).tolist())


def _mistakes(training: Side, held_out: Side) -> Iterable[tuple[str, set[int]]]:
    right, n = set(leaking(training, held_out)), len(held_out["prompts"])

    def alike(key: Callable[[Array, Array], object]) -> set[int]:
        """Return the rows that are found if pairs are compared by this key, in both orders, and by their prompts."""
        known = {key(c, r) for c, r in zip(training["chosen"], training["rejected"], strict=True)}
        rows = enumerate(zip(held_out["chosen"], held_out["rejected"], strict=True))
        return prompts | {row for row, (c, r) in rows if known & {key(c, r), key(r, c)}}

    prompts = set(np.flatnonzero(np.isin(held_out["prompts"], training["prompts"])).tolist())
    of_training = [(c.tobytes(), r.tobytes()) for c, r in zip(training["chosen"], training["rejected"], strict=True)]
    new = [(c.tobytes(), r.tobytes()) for c, r in zip(held_out["chosen"], held_out["rejected"], strict=True)]
    copies = {row for row, pair in enumerate(new) if pair in set(of_training)}
    turned = {row for row, (c, r) in enumerate(new) if (r, c) in set(of_training)}
    firsts, seconds = {c for c, _ in of_training}, {r for _, r in of_training}
    known = firsts | seconds
    shared = {row for row, pair in enumerate(new) if set(pair) & known}
    both = {row for row, pair in enumerate(new) if set(pair) <= known}
    return [
        ("only the prompts are compared: a pair may return under another prompt number", prompts),
        ("only the answers are compared: another pair of a training prompt leaks as well", copies | turned),
        ("only copies in the same order are found: the two answers may be exchanged", prompts | copies),
        ("only copies in the same order are found, and the prompts are not compared", copies),
        (
            "a pair counts as soon as one answer is known, but many pairs share an answer, such as a refusal",
            prompts | shared,
        ),
        ("both answers are looked for, but not in the same training pair", prompts | both),
        (
            "two answers count as equal although only one feature is equal: compare all of them, as in (a == b).all()",
            prompts | _same_in_one_feature(training, held_out),
        ),
        ("only the first feature of each answer is compared", alike(lambda c, r: (c[0], r[0]))),
        (
            "only the difference of the two answers is compared, which different pairs may share",
            alike(lambda c, r: tuple(c - r)),
        ),
        ("only the sums of the features are compared", alike(lambda c, r: (c.sum(), r.sum()))),
        (
            "the numbers of a pair are put into one set, so it is lost which answer and which feature they belong to",
            alike(lambda c, r: frozenset([*c, *r])),
        ),
        ("training and held_out are exchanged", set(leaking(held_out, training))),
        ("these are the pairs that do not leak", set(range(n)) - right),
        ("every pair is returned", set(range(n))),
        ("no pair is returned", set()),
    ]
