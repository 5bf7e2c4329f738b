"""Exercises of lesson 10: the causes of runs whose names are hidden, and pairs that leak between splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays.visible import class_name, quoted
from ...evaluation import mean_accuracy
from ...findings.case import lowest_loss
from ...gradient_check.report import ERROR
from ...logistic import Array
from ...losses import mean_loss, pair_losses
from ...model import RewardModel
from ...pairs import PreferencePairs
from ...scorers import LinearScorer, MLPScorer
from ..engine import (
    FAILED,
    LIMIT,
    NOT_ATTEMPTED,
    PASSED,
    Case,
    Report,
    Stop,
    Student,
    can_be_called_with,
    judged,
    with_their_objects,
)
from ..engine import call as called

__all__ = ["CAUSES", "Numbers", "Run", "causes", "causes_of", "leaks", "numbers_of"]

Run = tuple[RewardModel, PreferencePairs, PreferencePairs]  # a fitted model, its training pairs, its held-out pairs

ERRORS = 3.0  # standard errors, beyond which a difference is more than chance
ALMOST = 1e-4  # the penalty with which the attainable loss is computed, so that separable pairs have a minimum


# ------------------------------------------------------------------------------------------------------ six runs


@dataclass(frozen=True)
class Numbers:
    """What a person reads off a run in order to find its cause.

    Attributes
    ----------
    loss, held_out : float, nats
        The mean losses at the last record of the fit.
    first_gradient, last_gradient, norm : float
        The length of the gradient at the first and the last record, and of φ at the last.
    rise : float, nats
        How far the training loss is above its lowest value so far, on average over the second half of the fit.
    attainable : float, nats
        The training loss that a linear scorer reaches by Newton's method.
    by_chance : float, nats
        A fall of the training loss that coin flips hardly ever exceed: ``ERRORS`` standard deviations above k/2n.
    largest_feature, largest_difference : float
        The largest absolute value of a feature, and of a difference between the two answers of a pair.
    gap, gap_error : float, nats
        Held-out loss minus training loss, and its standard error.
    accuracy, held_out_accuracy : float
        Of the model on its training and held-out pairs.
    accuracy_error : float
        The standard error of the accuracy of coin flips on the held-out pairs.
    leaked, n_held_out : int
        The number of held-out pairs with a prompt or with both answers of a training pair, and the number of all.
    zero_network : bool
        Whether the model is a network with all parameters 0.
    grew : float
        How much longer φ became in the second half of the fit, as a share.
    """

    loss: float
    held_out: float
    first_gradient: float
    last_gradient: float
    norm: float
    rise: float
    attainable: float
    by_chance: float
    largest_feature: float
    largest_difference: float
    gap: float
    gap_error: float
    accuracy: float
    held_out_accuracy: float
    accuracy_error: float
    leaked: int
    n_held_out: int
    zero_network: bool
    grew: float


def numbers_of(run: Run) -> Numbers:
    """Measure a run: a model with its history, its training pairs and its held-out pairs."""
    model, training, held_out = run
    history, n, k = model.history, len(training), training.n_features
    losses, norms = history["loss"] - model.l2 / 2 * history["parameter_norm"] ** 2, history["parameter_norm"]
    half = len(losses) // 2
    margins, new_margins = model.margins(training), model.margins(held_out)
    spread = np.hypot(np.std(pair_losses(margins)) / np.sqrt(n), np.std(pair_losses(new_margins)) / np.sqrt(len(held_out)))
    last_held_out = float(history["validation_loss"][-1])
    last_held_out = mean_loss(new_margins) if np.isnan(last_held_out) else last_held_out
    return Numbers(
        loss=float(losses[-1]),
        held_out=last_held_out,
        first_gradient=float(history["gradient_norm"][0]),
        last_gradient=float(history["gradient_norm"][-1]),
        norm=float(norms[-1]),
        rise=float((losses - np.minimum.accumulate(losses))[half:].mean()),
        attainable=lowest_loss(LinearScorer(k), training, ALMOST),
        by_chance=(k + ERRORS * np.sqrt(2 * k)) / (2 * n),
        largest_feature=float(max(np.abs(training.chosen).max(), np.abs(training.rejected).max())),
        largest_difference=float(np.abs(training.chosen - training.rejected).max()),
        gap=last_held_out - float(losses[-1]),
        gap_error=float(max(spread, 1e-12)),
        accuracy=float(history["accuracy"][-1]),
        held_out_accuracy=mean_accuracy(new_margins),
        accuracy_error=float(0.5 / np.sqrt(len(held_out))),
        leaked=len(_reasons(_arrays(training), _arrays(held_out))),
        n_held_out=len(held_out),
        zero_network=isinstance(model.scorer, MLPScorer) and not model.phi.any(),
        grew=float(norms[-1] / norms[half] - 1) if norms[half] else 0.0,
    )


LOG_TWO = float(np.log(2))


def _zero_features(run: Numbers) -> str:
    return f"its features are not 0: the largest is {run.largest_feature:.3g}" if run.largest_feature else ""


def _identical_answers(run: Numbers) -> str:
    if not run.largest_feature:
        return "all of its features are 0, so the answers were lost before they could be compared"
    if run.largest_difference:
        return f"the two answers of its pairs do differ: the largest difference is {run.largest_difference:.3g}"
    return ""


def _zero_network(run: Numbers) -> str:
    if run.zero_network:
        return ""
    if run.first_gradient:
        return f"the gradient of a network of zeros is exactly 0, and its first gradient is {run.first_gradient:.3g}"
    return "its scorer is linear, and has no hidden layer"


def _no_slope(run: Numbers) -> str:
    """Return why neither the learning rate nor the labels can be the cause: there is nothing that they could move."""
    if not run.first_gradient:
        return "its first gradient is exactly 0, and neither a learning rate nor labels make it so"
    return ""


def _rate_too_low(run: Numbers) -> str:
    if words := _no_slope(run):
        return words
    if run.rise > 1e-3:
        return f"its training loss rises again and again, by {run.rise:.3g} on average, which small steps never do"
    if run.loss - run.attainable <= max(run.by_chance, 0.1 * (LOG_TWO - run.attainable)):
        return (
            f"its training loss of {run.loss:.3f} is as good as it gets: Newton's method, which needs no rate, reaches "
            f"{run.attainable:.3f}"
        )
    return ""


def _rate_too_high(run: Numbers) -> str:
    if words := _no_slope(run):
        return words
    if run.rise <= max(1e-3, run.by_chance):
        return "its training loss hardly ever rises, and steps that are too long make it jump up and down"
    return ""


def _coin_flips(run: Numbers) -> str:
    if words := _no_slope(run):
        return words
    if LOG_TWO - run.attainable > run.by_chance:
        return (
            f"a linear scorer can reach a training loss of {run.attainable:.3f}, and with coin flips chance would "
            f"hardly ever bring it below {LOG_TWO - run.by_chance:.3f}"
        )
    return ""


def _swapped(run: Numbers) -> str:
    if run.held_out_accuracy < 0.5 - ERRORS * run.accuracy_error:
        return ""
    return (
        f"its accuracy on the held-out pairs is {run.held_out_accuracy:.2f}, and swapped labels would bring it far "
        "below one half"
    )


def _separable(run: Numbers) -> str:
    if run.attainable > 0.1:
        return (
            f"its training loss cannot go to 0: even Newton's method reaches only {run.attainable:.3f}, so some pairs "
            "stay in the wrong order"
        )
    if run.grew < 0.05:
        return f"|φ| has stopped at {run.norm:.3g}, and separable pairs let it grow for ever"
    if run.gap > ERRORS * run.gap_error and run.held_out > LOG_TWO:
        return f"its held-out loss is {run.held_out:.3f}: what it has learned does not hold for new pairs"
    return ""


def _over_fitting(run: Numbers) -> str:
    if run.rise > max(1e-3, run.by_chance):
        return f"its training loss is not small: {run.loss:.3f}, and it jumps up and down"
    if LOG_TWO - run.loss <= run.by_chance:
        return f"its training loss of {run.loss:.3f} is so close to log 2 that it has hardly memorised anything"
    if run.gap <= ERRORS * run.gap_error:
        return (
            f"its held-out loss of {run.held_out:.3f} is about its training loss of {run.loss:.3f}: the standard error "
            f"of the difference is {run.gap_error:.2g}"
        )
    if not _swapped(run):
        return f"its held-out accuracy is {run.held_out_accuracy:.2f}: it is not forgetful, but wrong"
    return ""


def _leak(run: Numbers) -> str:
    if run.leaked and run.largest_difference:
        return ""
    if run.leaked:
        return "both answers of each pair are equal, so equal answers do not show that a pair was copied"
    return f"none of its {run.n_held_out} held-out pairs has a prompt or both answers of a training pair"


def _healthy(run: Numbers) -> str:
    if LOG_TWO - run.loss <= run.by_chance:
        return f"its training loss of {run.loss:.3f} is that of knowing nothing, up to chance"
    for name, contradicted_by in CAUSES.items():
        if name != "healthy" and not contradicted_by(run):
            return (
                f"training loss {run.loss:.3f}, held-out loss {run.held_out:.3f}, |φ| {run.norm:.3g}: a healthy run "
                "has two losses that fall, come to rest, and stay close together"
            )
    return ""


CAUSES: dict[str, Callable[[Numbers], str]] = {
    "zero features": _zero_features,
    "identical answers": _identical_answers,
    "zero-initialised network": _zero_network,
    "learning rate too low": _rate_too_low,
    "learning rate too high": _rate_too_high,
    "coin-flip labels": _coin_flips,
    "labels swapped": _swapped,
    "separable data": _separable,
    "over-fitting": _over_fitting,
    "leak between splits": _leak,
    "healthy": _healthy,
}
"""The candidates, by the names that ``bt.diagnose`` uses. Each says which number of a run contradicts it, or ""."""


def causes_of(run: Run) -> tuple[str, ...]:
    """Return the candidates that no number of the run contradicts."""
    numbers = numbers_of(run)
    return tuple(name for name, contradicted_by in CAUSES.items() if not contradicted_by(numbers))


def causes(answers: object, runs: Mapping[str, Run]) -> Report:
    """Check a diagnosis of several runs. Each wrong answer is contradicted by a number of that run.

    Parameters
    ----------
    answers : dict, or list in the order of the runs
        For each run the name of a cause, or None where there is no answer yet.
    runs : mapping from a name to (model, training pairs, held-out pairs)

    Raises
    ------
    TypeError
        If ``runs`` are not runs.
    """
    for name, run in runs.items():
        kinds = (RewardModel, PreferencePairs, PreferencePairs)
        if not isinstance(run, tuple) or len(run) != 3 or not all(map(isinstance, run, kinds)):
            raise TypeError(f"runs: expected (model, training pairs, held-out pairs) for each run, got others for {name}")
    what = "causes"
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
            lines.append(f"{name}: {quoted(answer)} is none of the candidates: {', '.join(CAUSES)}")
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
        return {name: None if answer is None else " ".join(answer.lower().split()) for name, answer in of_each.items()}


# ---------------------------------------------------------------------------------------------------------- leaks

Side = Mapping[str, NDArray[np.generic]]
NAMES = ("training", "held_out")


def _arrays(pairs: PreferencePairs) -> Side:
    """Return prompts, chosen and rejected as arrays. Without names of prompts, no two prompts are the same."""
    prompts = np.full(len(pairs), np.nan) if pairs.prompts is None else pairs.prompts
    return {"prompts": prompts, "chosen": pairs.chosen, "rejected": pairs.rejected}


def _reasons(training: Side, held_out: Side) -> dict[int, str]:
    """Return the held-out pairs that leak, each with the reason."""
    rows_of: dict[object, int] = {}
    for row, prompt in reversed(list(enumerate(training["prompts"].tolist()))):
        rows_of[prompt] = row
    pair_of: dict[tuple[bytes, bytes], int] = {}
    for row in reversed(range(len(training["chosen"]))):
        pair_of[training["chosen"][row].tobytes(), training["rejected"][row].tobytes()] = row
    found: dict[int, str] = {}
    for row, prompt in enumerate(held_out["prompts"].tolist()):
        chosen, rejected = held_out["chosen"][row].tobytes(), held_out["rejected"][row].tobytes()
        if prompt in rows_of:
            found[row] = f"has prompt {prompt}, like training pair {rows_of[prompt]}"
        elif (chosen, rejected) in pair_of:
            found[row] = f"is a copy of training pair {pair_of[chosen, rejected]}, under another prompt number"
        elif (rejected, chosen) in pair_of:
            found[row] = f"has the answers of training pair {pair_of[rejected, chosen]}, the other way round"
    return found


def _problem(rng: np.random.Generator, n: int, kinds: Sequence[str], n_features: int) -> tuple[Side, Side]:
    """Make n training pairs, and one held-out pair of each kind.

    Training prompts occur up to three times, and some answers are the standard refusal, which many pairs share.
    """
    prompts = rng.permutation(np.sort(rng.choice(np.arange(100, 100 + 10 * n), -(-n // 2), replace=False)).repeat(2)[:n])
    chosen, rejected = rng.normal(size=(2, n, n_features)).round(3)
    refusal = rng.normal(size=n_features).round(3)
    rejected[rng.random(n) < 0.2] = refusal
    fresh = 10_000 + rng.permutation(len(kinds))
    new_prompts, new = fresh.copy(), rng.normal(size=(2, len(kinds), n_features)).round(3)
    for row, kind in enumerate(kinds):
        i, j = rng.choice(n, 2, replace=False) if n > 1 else (0, 0)
        if kind == "same prompt":
            new_prompts[row] = prompts[i]
        elif kind == "copy":
            new[:, row] = chosen[i], rejected[i]
        elif kind == "swapped":
            new[:, row] = rejected[i], chosen[i]
        elif kind == "one answer":
            new[row % 2, row] = (chosen, rejected)[rng.integers(2)][i]
        elif kind == "two pairs" and n > 1:
            new[:, row] = chosen[i], chosen[j]
    training = {"prompts": prompts, "chosen": chosen, "rejected": rejected}
    return training, {"prompts": new_prompts, "chosen": new[0], "rejected": new[1]}


KINDS = ("same prompt", "copy", "swapped", "one answer", "two pairs", "clean")


def _leak_cases() -> list[Case]:
    rng = np.random.default_rng(10)
    cases: list[Case] = []
    for n, n_new, k, kinds, note in (
        (12, 9, 2, KINDS, ""),
        (7, 24, 3, KINDS, "with more held-out than training pairs: "),
        (60, 40, 4, KINDS, "with 60 training pairs: "),
        (15, 6, 2, ("one answer", "two pairs", "clean"), "where nothing leaks: "),
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
    """

    def stages() -> None:
        cases = _leak_cases()
        can_be_called_with(function, cases[0][0], NAMES)
        for number, (arguments, note) in enumerate(cases):
            try:
                found = _rows(called(function, arguments, NAMES, time_limit, note=note), arguments, note)
            except Stop as stop:
                if number and stop.status == NOT_ATTEMPTED:
                    raise Stop(FAILED, f"{note or 'on other data: '}your function returns nothing") from None
                raise
            reasons = _reasons(*arguments)
            if found == set(reasons):
                continue
            lines = [f"held-out pair {row} is missing: it {reasons[row]}" for row in sorted(set(reasons) - found)[:2]]
            lines += [
                f"held-out pair {row} does not leak: {_why_not(row, *arguments)}" for row in sorted(found - set(reasons))[:2]
            ]
            if said := _looks_like(found, *arguments):
                lines.append(f"looks like: {said}")
            raise Stop(FAILED, f"{note}{len(reasons)} pairs leak, and your function found {len(found)}\n  " + "\n  ".join(lines))

    return judged("leaks", stages)


def _rows(answer: object, arguments: Sequence[object], note: str) -> set[int]:
    """Return the row numbers of an answer, or stop and say what is wrong with it."""
    training, held_out = arguments
    n = len(held_out["prompts"])  # type: ignore[call-overload,index]
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
            raise Stop(FAILED, f"{note}expected a list of row numbers, got {found}")
        if (rows != np.round(rows)).any() if rows.dtype.kind == "f" else False:
            raise Stop(FAILED, f"{note}expected whole numbers, got {rows[rows != np.round(rows)][0]:.6g}")
        if rows.size and not ((rows >= 0) & (rows < n)).all():
            wrong = int(rows[(rows < 0) | (rows >= n)][0])
            raise Stop(FAILED, f"{note}expected rows of the held-out pairs, 0 to {n - 1}, got {wrong}")
        if len(set(rows.tolist())) < rows.size:
            raise Stop(FAILED, f"{note}a row number occurs more than once: name each pair once")
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
        if found == other and other != set(_reasons(training, held_out)):
            return words
    return ""


def _mistakes(training: Side, held_out: Side) -> Iterable[tuple[str, set[int]]]:
    right, n = set(_reasons(training, held_out)), len(held_out["prompts"])
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
        ("only copies in the same order are found, and prompts are not compared", copies),
        ("a pair counts as soon as one answer is known, but many pairs share an answer such as a refusal", prompts | shared),
        ("both answers are looked for, but not in the same training pair", prompts | both),
        ("these are the pairs that do not leak", set(range(n)) - right),
        ("all pairs are named", set(range(n))),
        ("no pair is named", set()),
    ]
