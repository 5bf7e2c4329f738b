"""The report in words: what was fitted, how good the model is, what it learned, and one example.

It is plain Markdown with aligned columns, so that it reads the same in a terminal and on a page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays.visible import LONGEST_SHOWN, counted, in_markdown, visible
from ..evaluation import Evaluation
from ..fitting.conjugate import is_dense
from ..fitting.summaries import without_end
from ..logistic import sigmoid
from ..model import Outcome, RewardModel
from ..pairs import PreferencePairs
from ..scorers import TableScorer
from ..uncertainty.half_wins import reported_errors
from .baselines import Beside, beside, in_words, length_rows, on_length, on_repeats
from .in_short import FEW_PROMPTS, in_short
from .learned import Weight, example_in_words, percent, weights_by_strength
from .nouns import Nouns, nouns_of

if TYPE_CHECKING:
    from ..findings import Diagnosis

__all__ = ["Weight", "example_in_words", "judgement", "markdown", "weights_by_strength"]

METHODS = {"newton": "Newton's method", "gradient_descent": "gradient descent", "adam": "Adam"}
MOST_STEPS = 12  # a longer fit is shown by at most eleven of its records
MOST_WEIGHTS = 20  # rows of the table of weights
LONGEST_NAME, LONGEST_MESSAGE = 500, 2000  # characters


def markdown(
    model: RewardModel,
    *,
    name: str,
    training: PreferencePairs,
    training_evaluation: Evaluation,
    held_out_evaluation: Evaluation | None,
    weights: Sequence[Weight],
    example: str = "",
    figures: Mapping[str, tuple[str, str]] | None = None,
    held_out_pairs: PreferencePairs | None = None,
    diagnosis: Diagnosis | str = "",
    n_equal_texts: int | None = None,
    seed: int | None = None,
) -> str:
    """Return the whole report as Markdown.

    Parameters
    ----------
    model : RewardModel
    name : str
        Name of the data.
    training : PreferencePairs
    training_evaluation, held_out_evaluation : Evaluation
        The latter is None if no pairs were held out.
    weights : sequence of Weight
        See ``weights_by_strength``.
    example : str
        See ``example_in_words``. If it is empty, this section is left out.
    figures : mapping from name to (title, caption), optional
        Figures that are saved as ``name.svg`` beside the report: "loss_curve", "margins" and "reliability".
    held_out_pairs : PreferencePairs, optional
        The held-out pairs themselves, to compare the accuracy with that of the longer answer and to find repeats.
    diagnosis : Diagnosis or str
        What the training doctor found, or why there is no diagnosis. If it is empty, this section is left out.
    n_equal_texts : int, optional
        In how many pairs both answers have the same text.
    seed : int, optional
        The seed of the split, the initial parameters and the mini-batches.
    """
    held_out, nouns = held_out_evaluation, nouns_of(training)
    is_ranked = hasattr(model.loss, "ranking_slopes")  # its standard errors take each ranking as a whole
    columns = {"training": training_evaluation} | ({} if held_out is None else {"held out": held_out})
    baselines = {"training": beside(training_evaluation, training, only_length=held_out is not None)}
    if held_out is not None:
        baselines["held out"] = beside(held_out, held_out_pairs, training)
    where = "training" if held_out is None else "held-out"

    def figure(file: str) -> str:
        title, caption = (figures or {}).get(file, ("", ""))
        return f"\n\n![{title}]({file}.svg)\n\n{nouns.reworded(caption)}" if caption else ""

    parts = [
        f"# Reward model: {in_markdown(name, LONGEST_NAME)}",
        in_short(model, training_evaluation, held_out, nouns, diagnosis, list(baselines.values())[-1].length),
        _idea(model, nouns),
        _data(training, training_evaluation, held_out, nouns, n_equal_texts, seed),
        _fit(model, nouns) + figure("loss_curve"),
        f"{_quality(columns, nouns, baselines)} {_caveat(model, held_out is not None, nouns)}"
        + _compared(list(baselines.values())[-1], nouns, where, (held_out or training_evaluation).n_prompts)
        + figure("margins"),
        _calibration(held_out or training_evaluation, where, nouns)
        + (figure("reliability") if (held_out or training_evaluation).reliability.weight.any() else ""),
        _learned(model, weights, shared_prompts=training.n_prompts < len(training) and not is_ranked),
    ]
    said = diagnosis if isinstance(diagnosis, str) else diagnosis.to_markdown()
    parts += [f"## Diagnosis\n\n{said}"] if said else []
    quoted = "\n".join(map(in_markdown, example.split("\n")))
    return "\n\n".join([*parts, f"## One example\n\n{quoted}"] if example else parts) + "\n"


def judgement(
    evaluation: Evaluation, pairs: PreferencePairs | None = None, *, model: RewardModel | None = None, title: str = ""
) -> str:
    """Return how good a model is on some pairs, and whether its confidence is justified, as Markdown."""
    nouns = nouns_of(pairs)
    size, here, found = nouns.size(evaluation), f"these {nouns.pair}s", beside(evaluation, pairs)
    head = f"{size}." if model is None else f"{in_markdown(str(model.scorer), LONGEST_NAME)}, evaluated on {size}."
    if model is not None and not model.converged:
        head += f" **The fit of this model did not converge**: {_message(model)}."
    caveat = f"If the model was fitted to some of these {nouns.pair}s, expect worse numbers on new ones."
    parts = [
        head,
        f"{_quality({here: evaluation}, nouns, {here: found})} {caveat}"
        + _compared(found, nouns, "evaluated", evaluation.n_prompts),
        _calibration(evaluation, "evaluated", nouns),
    ]
    return "\n\n".join([f"# {in_markdown(title, 2 * LONGEST_NAME)}", *parts] if title else parts) + "\n"


def _idea(model: RewardModel, nouns: Nouns) -> str:
    pair, answer, outcome = nouns.pair, nouns.answer, nouns.outcome
    margin = f"the reward of the chosen {answer} minus that of the rejected one"
    if model.loss is None or not hasattr(model.loss, "log_odds"):
        says = f"The model predicts this {outcome} with probability σ(Δ) = 1/(1 + exp(−Δ)), where the margin Δ is "
        says += f"{margin}."
    elif getattr(model.loss, "gives_probabilities", True):
        says = f"The model predicts this {outcome} with a probability p(Δ) that depends on the loss it was fitted with "
        says += f"(see the page “After the fit” of the documentation). The margin Δ is {margin}."
    else:
        says = f"The margin Δ, {margin}, is positive if the model agrees with this {outcome}. The model gives no "
        says += "probabilities."
    return (
        f"## The model\n\nThe model gives each {answer} a number, its reward. In each {pair}, one {answer} was chosen "
        f"and the other rejected. {says} Only differences of rewards matter."
    )


def _data(
    training: PreferencePairs,
    fitted: Evaluation,
    held_out: Evaluation | None,
    nouns: Nouns,
    n_equal_texts: int | None,
    seed: int | None,
) -> str:
    both = [fitted] if held_out is None else [fitted, held_out]
    n, n_prompts = sum(nouns.n(e) for e in both), sum(e.n_prompts for e in both)
    total = sum(e.total_weight for e in both)
    if training.is_items:
        text = f"{counted(n, 'comparison', ',')} between {counted(training.n_items, 'item', ',')}"
        text += f" in {counted(n_prompts, 'matchup', ',')} of two items" if nouns.prompt == "matchup" else ""
        text += f", stored in {counted(sum(e.n_pairs for e in both), 'row', ',')} with weights" if nouns.counted else ""
    else:
        text = f"{counted(n, 'pair', ',')} of answers to {counted(n_prompts, 'prompt', ',')}"
    text += f", with a total weight of {total:g}" if total != n else ""
    if held_out is None:
        text += f". The model was fitted to all of these {nouns.pair}s; none were held out."
    else:
        text += f". The model was fitted to {nouns.size(fitted)}. "
        verb = "was" if nouns.n(held_out) == 1 else "were"
        text += f"The remaining {nouns.size(held_out)} {verb} held out to test it."
    text += "" if seed is None else f" The seed of the run was {seed}."
    n_identical = sum(e.n_identical for e in both)
    if n_identical:
        row, alike = "row" if nouns.counted else nouns.pair, "both answers have the same features"
        if n_equal_texts == n_identical:
            alike += " and the same text"
        elif n_equal_texts is not None:
            some = f" (in {n_equal_texts:,} of these, also the same text)"
            alike += some if n_equal_texts else ", although their texts differ"
        alike = "both items are the same" if training.is_items else alike
        text += (
            f" In {counted(n_identical, row, ',')}, {alike}. Such a {row} "
            "has a margin of 0 for all parameters, so the model can learn nothing from it."
        )
    return f"## Data\n\n{text}"


def _fit(model: RewardModel, nouns: Nouns) -> str:
    history = model.history
    n = len(history["step"])
    # The recorded loss includes the penalty. Without it, the loss can be compared with the held-out loss and log 2.
    losses = history["loss"] - 0.5 * model.l2 * history["parameter_norm"] ** 2
    held_out = not np.isnan(history["validation_loss"]).any()
    kept = _kept(model, held_out)
    shown = {*range(3), kept, *np.linspace(0, n - 1, 8).round().astype(int).tolist()}
    rows = []
    for i in range(n) if n <= MOST_STEPS else sorted(shown):
        row = [f"{history['step'][i]:.0f}{' (kept)' if i == kept < n - 1 else ''}", f"{losses[i]:.6f}"]
        row += [f"{history['validation_loss'][i]:.6f}"] if held_out else []
        rows.append([*row, f"{history['accuracy'][i]:.3f}", f"{history['gradient_norm'][i]:.1e}"])
    table = _table(["step", "loss", *(["held-out loss"] if held_out else []), "accuracy", "gradient norm"], rows)
    text = f"{in_markdown(str(model.scorer), LONGEST_NAME)}, fitted by "
    text += METHODS.get(model.method, in_markdown(model.method, LONGEST_NAME))
    loss = in_markdown(str(model.loss), LONGEST_NAME)
    text += f" with the loss {loss}" if model.loss is not None else ""
    text += f" {'and' if model.loss is not None else 'with'} an L2 penalty of {model.l2:g}" if model.l2 else ""
    if model.outcome is Outcome.STOPPED_EARLY:
        since = "passes over the data" if model.method == "adam" else "steps"
        text += (
            f". The fit stopped early: the held-out loss was lowest at step {history['step'][kept]:.0f} and was no "
            f"lower in the {n - 1 - kept} {since} that followed, so the parameters of that step were kept."
        )
    elif model.converged:
        text += f". The fit converged: {_message(model)}."
    else:
        text += f". **The fit did not converge**: {_message(model)}."
    of = "ranking" if hasattr(model.loss, "ranking_slopes") else nouns.pair
    note = (
        f"The table shows {len(rows)} of {n} records; the history of the model holds all of them. "
        if len(rows) < n
        else ""
    )
    note += f"The loss and the accuracy are averages over the training {of}s"
    note += f"; the held-out loss is an average over the held-out {of}s" if held_out else ""
    note += ". The loss does not include the penalty, but the gradient does" if model.l2 else ""
    if model.loss is None:
        note += f". A coin flip has a loss of log 2 = {math.log(2):.6f}"
    else:
        note += f". The loss in this table is {loss}. {_on_probabilities(model)}"
    note += ". At the minimum, the gradient is zero." if getattr(model.loss, "bends", True) else "."
    return f"## Fit\n\n{text}\n\n{table}\n\n{note}"


def _on_probabilities(model: RewardModel) -> str:
    """Say where the other losses of the report come from, without a full stop."""
    if getattr(model.loss, "gives_probabilities", True):
        its = "p(Δ)" if hasattr(model.loss, "log_odds") else "σ(Δ)"
        return f"All other losses in this report are −log {its}, with {its} for the probability of a choice"
    return (
        "A model with this loss only orders answers, so this report has no numbers that need probabilities; "
        "bt.calibration.fit_temperature(model, held_out) returns a model with probabilities"
    )


def _kept(model: RewardModel, held_out: bool) -> int:
    """Return the record whose parameters the model has: the last one, or the best of gradient descent or Adam."""
    losses = model.history["validation_loss" if held_out else "loss"]
    if model.method == "newton" or (model.outcome is Outcome.CONVERGED and not held_out):
        return len(losses) - 1
    best = losses.min()
    return int(np.argmin(losses) if held_out else np.flatnonzero(losses <= best * (1 + 1e-15))[-1])


def _message(model: RewardModel) -> str:
    message = model.message.removeprefix("not converged: ").replace("validation loss", "held-out loss")
    return in_markdown(message, LONGEST_MESSAGE)


def _quality(columns: Mapping[str, Evaluation], nouns: Nouns, baselines: Mapping[str, Beside]) -> str:
    def row(name: str, show: str, coin_flip: str) -> list[str]:
        cells = [show.format(e=e, interval=_interval(e)) for e in columns.values()]
        return [name, *("–" if cell == "nan" else cell for cell in cells), coin_flip]

    rows = [
        row("mean loss (nats)", "{e.mean_loss:.4f}", f"{math.log(2):.4f} = log 2"),
        row("pairwise accuracy", "{e.accuracy:.3f}{interval}", "0.500"),
        *length_rows(baselines, columns),
        row("Brier score", "{e.brier:.4f}", "0.2500"),
        row("calibration error (ECE)", "{e.ece:.3f}", "–"),
        row("mean reward, chosen / rejected", "{e.reward_mean_chosen:.2f} / {e.reward_mean_rejected:.2f}", "equal"),
        row("margin, mean ± sd", "{e.margin_mean:.2f} ± {e.margin_sd:.2f}", "0"),
    ]
    table = _table(["", *columns, "coin flip"], rows)
    labelled = any(evaluation.labels is not None for evaluation in columns.values())
    has_losses = not any(math.isnan(evaluation.mean_loss) for evaluation in columns.values())
    note = f"The loss of a {nouns.pair} is −log of the probability that the model gave to the {nouns.outcome}. "
    note = note if has_losses else ""
    note += (
        f"The accuracy is the share of {nouns.pair}s in which the {'preferred' if labelled else 'chosen'} "
        f"{nouns.answer} has the higher reward{' (a pair labelled as a tie counts one half)' if labelled else ''}"
    )
    if any(map(_interval, columns.values())):
        note += f"; the brackets show its 95 % bootstrap interval, found by resampling whole {nouns.prompt}s"
    if has_losses:
        note += ". The Brier score is the mean squared error of the predicted probability. A lower loss or Brier score "
        note += "is better."
    else:
        note += ". A dash stands for a number that needs probabilities."
    fewest = min(columns, key=lambda column: columns[column].n_prompts)
    if columns[fewest].n_prompts < FEW_PROMPTS:
        rest_on = counted(columns[fewest].n_prompts, nouns.prompt, ",")
        note += f" The column “{fewest}” is based on only {rest_on}, so its numbers are uncertain."
    if any(math.isinf(evaluation.mean_loss) for evaluation in columns.values()):
        note += " An infinite loss means that the model gave a probability of 0 to a choice that was made: with the "
        note += "loss of this fit, a large enough margin counts as certainty."
    return f"## How good is it?\n\n{table}\n\n{note}"


def _compared(found: Beside, nouns: Nouns, where: str, n_prompts: int) -> str:
    """Return what to compare the accuracy with, each in a paragraph of its own."""
    said = (on_length(found, where, n_prompts), on_repeats(found, items=nouns.pair == "comparison"))
    return "".join(f"\n\n{paragraph}" for paragraph in said if paragraph)


def _interval(evaluation: Evaluation) -> str:
    return in_words(evaluation.accuracy_interval, evaluation.n_prompts, " [{}, {}]")


def _caveat(model: RewardModel, held_out: bool, nouns: Nouns) -> str:
    if not held_out:
        return f"The model was fitted to these {nouns.pair}s, so expect worse numbers on new ones."
    if model.method == "newton":
        return f"The held-out {nouns.pair}s played no part in the fit."
    return (
        f"The held-out {nouns.pair}s also decided which step of the fit to keep, so their numbers are slightly "
        "optimistic."
    )


def _calibration(evaluation: Evaluation, where: str, nouns: Nouns) -> str:
    table = evaluation.reliability
    if not table.weight.any():
        return (
            "## Is its confidence justified?\n\nThis loss does not turn margins into probabilities, so there is no "
            "confidence to compare with the choices."
        )
    n_pairs = np.round(table.weight * evaluation.total_weight).astype(int) if nouns.counted else table.n_pairs
    rows = [
        [
            f"{table.edges[i]:.2f}–{table.edges[i + 1]:.2f}",
            f"{n_pairs[i]:,}",
            f"{table.predicted[i]:.3f}",
            f"{table.observed[i]:.3f}",
            "[{:.3f}, {:.3f}]".format(*table.intervals[i]),
        ]
        for i in np.flatnonzero(table.weight > 0)
    ]
    grid = _table(["predicted", f"{nouns.pair}s", "mean predicted", "observed", "95 % interval"], rows)
    return (
        f"## Is its confidence justified?\n\n{grid}\n\n"
        f"In each {nouns.pair}, the {nouns.answer} with the higher reward is the model's favourite. The table sorts "
        f"the {where} {nouns.pair}s by the probability that the model predicted for its favourite. The "
        "column “observed” gives the share in which the favourite was chosen, with its 95 % interval. If the "
        "confidence is justified, “observed” is close to “mean predicted”, and the interval contains “mean predicted” "
        f"in most rows. The calibration error, {evaluation.ece:.3f}, is the mean distance between the two columns "
        f"over all {nouns.pair}s. With few {nouns.pair}s, it is large by chance, so look at the intervals first."
    )


def _learned(model: RewardModel, weights: Sequence[Weight], *, shared_prompts: bool) -> str:
    head = "## What did it learn?"
    if not weights:
        return (
            f"{head}\n\nThe weights of a hidden layer have no meaning on their own. To see which features matter, fit "
            "a linear scorer to the same data: --scorer linear."
        )
    if isinstance(model.scorer, TableScorer):
        return f"{head}\n\n{_rewards(model, weights)}{_stopped(model)}"
    return f"{head}\n\n{_weights(model, weights, shared_prompts=shared_prompts)}{_stopped(model)}"


def _about_errors(model: RewardModel) -> str:
    """Return a sentence about the kind of standard errors if it is not the usual one, or ""."""
    try:
        return reported_errors(model).sentence
    except ValueError:  # there are none
        return ""


def _stopped(model: RewardModel) -> str:
    """Return what the numbers of a fit that did not converge are, or ""."""
    stopped = "The fit did not converge, so these are not estimates, only the values at which it stopped."
    return "" if model.converged else f" {without_end(model) or stopped}"


def _rewards(model: RewardModel, weights: Sequence[Weight]) -> str:
    """Return the table of the items and their rewards, and what the numbers mean."""
    known, about_errors = weights[0].standard_error is not None, _about_errors(model)
    rows = [[visible(w.name, LONGEST_SHOWN), f"{w.estimate:+z.3f}", *_uncertainty(w)] for w in weights[:MOST_WEIGHTS]]
    note = "Rewards are in log-odds. The data determine only their differences; here the rewards sum to zero."
    if known:
        note += " The standard error is that of the difference from the average item. z is reward / standard error."
        note += f" {about_errors}" * bool(about_errors)
    else:
        note += _no_errors(len(weights), model, "these comparisons leave some difference of rewards undetermined")
    if len(weights) > MOST_WEIGHTS:
        note += f" {_are(len(weights) - MOST_WEIGHTS, 'weaker item')} not shown, but saved in model.npz."
    if known and model.converged and len(weights) > 1 and getattr(model.loss, "gives_probabilities", True):
        first, last = weights[0], weights[-1]
        ours, theirs = (in_markdown(weight.name, LONGEST_SHOWN) for weight in (first, last))
        p = percent(float(getattr(model.loss, "probability", sigmoid)(first.estimate - last.estimate)))
        note += f"\n\nIn words: the model gives {ours} a probability of {p} of being chosen over {theirs}."
    return f"{_table(['item', 'reward', 'standard error', 'z'], rows)}\n\n{note}"


def _weights(model: RewardModel, weights: Sequence[Weight], *, shared_prompts: bool) -> str:
    """Return the table of the features and their weights, and what the numbers mean."""
    active = [weight for weight in weights if weight.strength]
    shown = active[:MOST_WEIGHTS]
    rows = [
        [visible(w.name, LONGEST_SHOWN), f"{w.estimate:+.4g}", *_uncertainty(w), f"{w.strength:.3f}"] for w in shown
    ]
    note = (
        "One more unit of a feature adds its weight to the reward. The strength is |weight| × the typical (root mean "
        "square) difference between the two answers. It tells how far the feature usually moves the margin."
    )
    if weights[0].standard_error is None:
        note += _no_errors(len(weights), model, "these pairs leave some direction of the parameters undetermined")
    else:
        note += " z is weight / standard error. If it is between −2 and 2, the true weight may well be zero."
        if about_errors := _about_errors(model):
            note += f" {about_errors}"
        elif shared_prompts:
            note += " The standard errors treat all pairs as independent, but pairs of the same prompt are not, so the "
            note += "true uncertainty may be larger. model.standard_errors(kind='sandwich', pairs=…) takes each prompt "
            note += "as a whole; it needs many prompts."
    if len(active) > len(shown):
        note += f" {_are(len(active) - len(shown), 'weaker feature')} not shown, but saved in model.npz."
    if len(weights) > len(active):
        why = "the answers of a pair never differ in" if model.phi.any() else "no margin depends on"
        note += f" {_are(len(weights) - len(active), 'feature')} left out, since {why} "
        note += "it." if len(weights) - len(active) == 1 else "them."
    if any(weight.name.startswith("word bin") for weight in shown):
        note += " A word bin holds all words that a hash function puts into it, so it has no meaning of its own."
    sure = next((weight for weight in weights if weight.z is not None and abs(weight.z) > 2), None)
    if sure is not None and model.converged:
        often = "more" if sure.estimate > 0 else "less"
        name = in_markdown(sure.name, LONGEST_SHOWN)
        note += f"\n\nIn words: all else being equal, the answer with more “{name}” is chosen {often} often."
    return f"{_table(['feature', 'weight', 'standard error', 'z', 'strength'], rows)}\n\n{note}"


def _no_errors(n: int, model: RewardModel, undetermined: str) -> str:
    """Say why there are no standard errors."""
    if model.outcome is Outcome.STOPPED_EARLY:
        return " There are no standard errors, since the fit stopped before the minimum of its loss."
    if not model.converged:
        return " There are no standard errors, since the fit did not converge."
    if not is_dense(n):
        return " There are no standard errors here, but model.standard_errors(items=…, pairs=…) computes some."
    return f" There are no standard errors, since {undetermined}."


def _uncertainty(weight: Weight) -> list[str]:
    """Return the cells for standard error and z."""
    error, z = weight.standard_error, weight.z
    shown = "–" if z is None else f"{z:+z.1f}"
    return ["–" if error is None else f"{error:.4g}", "0.0" if shown == "+0.0" else shown]


def _are(n: int, noun: str) -> str:
    return f"{counted(n, noun, ',')} {'is' if n == 1 else 'are'}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns: the first to the left, the others to the right.

    The cells are texts; whatever would be markup in Markdown is escaped. The columns are aligned in a terminal.
    """
    columns = list(zip(head, *rows, strict=True))
    widths = [max(3, *(len(cell) for cell in column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(map(in_markdown, aligned))} |"

    rule = "|".join(["", *("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)), ""])
    return "\n".join([line(head), rule, *(line(row) for row in rows)])
