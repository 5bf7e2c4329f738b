"""What a person reads off a training run in order to find its cause, and the number that contradicts each candidate.

Lesson 10 has the same tests as a table. They are written separately from ``bt.diagnose``, with which the lesson
compares them, and use plain rules instead of exact levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..drawing import LOG_TWO
from ..evaluation import mean_accuracy
from ..findings.case import lowest_loss
from ..losses import mean_loss, pair_losses
from ..model import RewardModel
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer

__all__ = ["CAUSES", "Numbers", "Run", "Side", "causes_of", "leaking", "numbers_of"]

Run = tuple[RewardModel, PreferencePairs, PreferencePairs]  # a fitted model, its training pairs, its held-out pairs

ERRORS = 3.0  # standard errors, beyond which a difference is more than chance
STOPPED = 0.05  # by which φ becomes longer in the second half of a fit that comes to rest
TINY = 1e-9  # nats; a rise of this size is rounding
ALMOST = 1e-4  # the penalty with which the attainable loss is computed, so that separable pairs have a minimum


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
    spread = np.hypot(
        np.std(pair_losses(margins)) / np.sqrt(n), np.std(pair_losses(new_margins)) / np.sqrt(len(held_out))
    )
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
        leaked=len(leaking(_arrays(training), _arrays(held_out))),
        n_held_out=len(held_out),
        zero_network=isinstance(model.scorer, MLPScorer) and not model.phi.any(),
        grew=float(norms[-1] / norms[half] - 1) if norms[half] else 0.0,
    )


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
    return "its scorer is linear and has no hidden layer"


def _no_slope(run: Numbers) -> str:
    """Return why neither the learning rate nor the labels can be the cause: there is nothing that they could move."""
    if not run.first_gradient:
        return "its first gradient is exactly 0, and neither the learning rate nor the labels can make it 0"
    return ""


def _rate_too_low(run: Numbers) -> str:
    if words := _no_slope(run):
        return words
    if run.rise > 1e-3:
        return f"its training loss rises again and again, by {run.rise:.3g} on average; with small steps it never rises"
    if run.loss - run.attainable <= max(run.by_chance, 0.1 * (LOG_TWO - run.attainable)):
        return (
            f"its training loss of {run.loss:.3f} cannot fall much further: Newton's method, which needs no rate, "
            f"reaches {run.attainable:.3f}"
        )
    return ""


def _rate_too_high(run: Numbers) -> str:
    if words := _no_slope(run):
        return words
    if run.rise <= max(1e-3, run.by_chance):
        rises = f"is on average only {run.rise:.2g} nats above its lowest value so far"
        rises = rises if run.rise > TINY else f"never rises, and it ends at {run.loss:.3f}"
        return (
            f"in the second half of the fit its training loss {rises}, but steps that are too long would make it jump "
            "up and down"
        )
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
    if run.grew < STOPPED:
        return f"|φ| has stopped at {run.norm:.3g}, and separable pairs let it grow for ever"
    if run.gap > ERRORS * run.gap_error and run.held_out > LOG_TWO:
        return f"its held-out loss is {run.held_out:.3f}: what it has learned does not hold for new pairs"
    return ""


def _over_fitting(run: Numbers) -> str:
    if run.rise > max(1e-3, run.by_chance):
        return f"its training loss is not small: {run.loss:.3f}, and it jumps up and down"
    if words := _above_log_two(run):
        return words
    if LOG_TWO - run.loss <= run.by_chance:
        return f"its training loss of {run.loss:.3f} is so close to log 2 that it has hardly memorised anything"
    if run.gap <= ERRORS * run.gap_error:
        return (
            f"its held-out loss of {run.held_out:.3f} is close to its training loss of {run.loss:.3f}: the standard "
            f"error of the difference is {run.gap_error:.2g}"
        )
    if not _swapped(run):
        return f"its held-out accuracy is {run.held_out_accuracy:.2f}: over-fitting does not bring it that low"
    return ""


def _leak(run: Numbers) -> str:
    if run.leaked and run.largest_difference:
        return ""
    if run.leaked:
        return "both answers of each pair are equal, so equal answers do not show that a pair was copied"
    return f"none of its {run.n_held_out} held-out pairs has a prompt or both answers of a training pair"


def _jumps(run: Numbers) -> bool:
    return run.rise > max(1e-3, run.by_chance)


def _above_log_two(run: Numbers) -> str:
    if run.loss - LOG_TWO <= run.by_chance:
        return ""
    jumps = ", and it jumps up and down" if _jumps(run) else ""
    return f"its training loss of {run.loss:.3f} is above log 2 = {LOG_TWO:.3f}, the loss of a coin flip{jumps}"


def _sign_of_trouble(run: Numbers) -> str:
    """Return the number that shows that something is wrong with a run, or ""."""
    if run.leaked:
        return f"{run.leaked} of its {run.n_held_out} held-out pairs have a prompt or both answers of a training pair"
    if not _swapped(run):
        return f"its accuracy on the held-out pairs is {run.held_out_accuracy:.2f}, far below one half"
    if _jumps(run):
        return f"its training loss jumps up and down, to {run.rise:.3g} nats above its lowest value on average"
    if run.gap > ERRORS * run.gap_error:
        return (
            f"its held-out loss of {run.held_out:.3f} is above its training loss of {run.loss:.3f} by more than chance"
        )
    if run.grew >= STOPPED:
        return f"|φ| is still growing: it became {run.grew:.0%} longer in the second half of the fit"
    return ""


def _healthy(run: Numbers) -> str:
    if words := _above_log_two(run):
        return words
    if LOG_TWO - run.loss <= run.by_chance:
        return f"its training loss of {run.loss:.3f} is, up to chance, that of a model that has learned nothing"
    for name, contradicted_by in CAUSES.items():
        if name != "healthy" and not contradicted_by(run):
            numbers = f"training loss {run.loss:.3f}, held-out loss {run.held_out:.3f}, |φ| {run.norm:.3g}"
            return (
                f"{_sign_of_trouble(run) or numbers}; a healthy run has two losses that fall, come to rest, and stay "
                "close together"
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


Side = Mapping[str, NDArray[np.generic]]


def _arrays(pairs: PreferencePairs) -> Side:
    """Return prompts, chosen and rejected as arrays. Without names of prompts, no two prompts are the same."""
    prompts = np.full(len(pairs), np.nan) if pairs.prompts is None else pairs.prompts
    return {"prompts": prompts, "chosen": pairs.chosen, "rejected": pairs.rejected}


def leaking(training: Side, held_out: Side) -> dict[int, str]:
    """Return the held-out pairs that leak, each with the reason."""
    first_of = {prompt: row for row, prompt in reversed(list(enumerate(training["prompts"].tolist())))}
    pair_of: dict[tuple[bytes, bytes], int] = {}
    for row in reversed(range(len(training["chosen"]))):
        pair_of[training["chosen"][row].tobytes(), training["rejected"][row].tobytes()] = row
    found: dict[int, str] = {}
    for row, prompt in enumerate(held_out["prompts"].tolist()):
        chosen, rejected = held_out["chosen"][row].tobytes(), held_out["rejected"][row].tobytes()
        if prompt in first_of:
            found[row] = f"has prompt {prompt}, like training pair {first_of[prompt]}"
        elif (chosen, rejected) in pair_of:
            found[row] = f"is a copy of training pair {pair_of[chosen, rejected]}, under another prompt number"
        elif (rejected, chosen) in pair_of:
            found[row] = f"has the answers of training pair {pair_of[rejected, chosen]}, the other way round"
    return found
