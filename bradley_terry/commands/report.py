"""A report that a person can read: what was fitted, how good it is, what it learned, one example in words.

Plain Markdown with aligned columns, so that it reads the same in a terminal and on a page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation import Evaluation
from ..logistic import sigmoid
from ..losses import pair_losses
from ..model import RewardModel
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, TableScorer

__all__ = ["Weight", "example_in_words", "markdown", "weights_by_strength"]


@dataclass(frozen=True)
class Weight:
    """One weight of a linear scorer, or one reward of a table."""

    name: str
    estimate: float
    standard_error: float | None
    strength: float
    """|weight| times the root mean square of the feature's difference; for a table, the reward itself."""

    @property
    def z(self) -> float | None:
        """The estimate in standard errors, or None."""
        if self.standard_error is None or self.standard_error == 0:
            return None
        return self.estimate / self.standard_error


def weights_by_strength(model: RewardModel, pairs: PreferencePairs) -> list[Weight]:
    """Return what the model learned, by name, strongest first; empty for an MLP, whose weights have no names.

    A weight alone says little, since it depends on the units of its feature. Times the standard deviation of the
    difference between the two answers it says how far this feature typically moves the margin.
    """
    if not isinstance(model.scorer, LinearScorer | TableScorer):
        return []
    errors: Sequence[float | None]
    try:
        errors = [float(x) for x in model.standard_errors()]
    except ValueError:  # some direction of phi is not determined: no standard errors then
        errors = [None] * model.phi.size
    if isinstance(model.scorer, TableScorer):
        strengths = model.phi
    else:
        differences = np.subtract(pairs.chosen, pairs.rejected, dtype=np.float64)
        strengths = np.abs(model.phi) * np.sqrt(np.average(differences**2, axis=0, weights=pairs.weights))
    names = model.feature_names or [f"{_noun(model)} {i}" for i in range(model.phi.size)]
    weights = [
        Weight(name, float(estimate), error, float(strength))
        for name, estimate, error, strength in zip(names, model.phi, errors, strengths, strict=True)
    ]
    return sorted(weights, key=lambda weight: -weight.strength)


def example_in_words(model: RewardModel, pair: PreferencePairs, texts: tuple[str, str, str] | None = None) -> str:
    """Say what the model thinks of one pair, and why.

    Parameters
    ----------
    model : RewardModel
    pair : PreferencePairs of length 1
    texts : (prompt, chosen, rejected), optional
        Shown, shortened, where the answers are texts.
    """
    r_chosen, r_rejected = float(model.reward(pair.chosen)[0]), float(model.reward(pair.rejected)[0])
    margin = r_chosen - r_rejected
    z = margin if pair.target_margins is None else margin - float(pair.target_margins[0])
    t = 1.0 if pair.labels is None else float(pair.labels[0])
    p = float(sigmoid(z))
    chosen, rejected = "the chosen answer", "the rejected one"
    where = "" if pair.prompts is None or texts is not None else f" (prompt {pair.prompts[0]})"
    lines = []
    if pair.is_items and model.feature_names is not None:
        chosen, rejected = (model.feature_names[int(item[0])] for item in (pair.chosen, pair.rejected))
    if texts is not None:
        labels = ("Prompt", "Chosen", "Rejected")
        lines += [f"- {label}: “{_shortened(text)}”" for label, text in zip(labels, texts, strict=True)] + [""]
    if t == 0.5:
        verdict = "The person called it a tie"
    elif margin == 0:
        verdict = "It cannot tell the two apart"
    else:
        verdict = "It agrees with the person" if (margin > 0) == (t > 0.5) else "The person chose otherwise"
    aside = "" if z == margin else f" ({z:+.2f} after the target margin)"
    loss = float(np.asarray(pair_losses(np.array([margin]), labels=pair.labels, target_margins=pair.target_margins))[0])
    lines.append(
        f"The model rewards {chosen} with {r_chosen:.2f} and {rejected} with {r_rejected:.2f}{where}: a margin of "
        f"{margin:+.2f}{aside}, so it expects this choice with probability {p:.0%}. {verdict}; the pair costs "
        f"{loss:.3f} nats, where a coin flip costs {math.log(2):.3f}."
    )
    if isinstance(model.scorer, LinearScorer):
        x = (np.asarray(pair.chosen, dtype=np.float64) - np.asarray(pair.rejected, dtype=np.float64))[0]
        pull = model.phi * x
        names = model.feature_names or [f"feature {i}" for i in range(pull.size)]
        top = [i for i in np.argsort(-np.abs(pull))[:3] if pull[i] != 0]
        if top:
            parts = [f"{names[i]} {pull[i]:+.2f} (weight {model.phi[i]:+.4g} × difference {x[i]:+.4g})" for i in top]
            lines.append(f"What moved the margin most: {'; '.join(parts)}.")
    return "\n".join(lines)


def markdown(
    model: RewardModel,
    *,
    name: str,
    training: PreferencePairs,
    training_evaluation: Evaluation,
    held_out_evaluation: Evaluation | None,
    weights: Sequence[Weight],
    example: str,
) -> str:
    """Return the whole report as Markdown."""
    judged = held_out_evaluation or training_evaluation
    parts = [f"# Reward model: {name}", _data(training_evaluation, held_out_evaluation), _fit(model)]
    columns = {"training": training_evaluation} | ({"held out": held_out_evaluation} if held_out_evaluation else {})
    quality = _quality(columns)
    if held_out_evaluation and model.method != "newton":
        quality += (
            " The held-out prompts also decided which step of the fit to keep, so their numbers flatter a little."
        )
    parts.append(quality)
    parts.append(_calibration(judged, "held-out" if held_out_evaluation else "training"))
    parts.append(_learned(model, weights, shared_prompts=training.n_prompts < len(training)))
    parts.append(f"## One example\n\n{example}")
    return "\n\n".join(parts) + "\n"


def judgement(evaluation: Evaluation) -> str:
    """Return how good a model is on some pairs, and how well it knows that, as Markdown."""
    return "\n\n".join([str(evaluation), _quality({"these pairs": evaluation}), _calibration(evaluation, "given")])


def _data(training: Evaluation, held_out: Evaluation | None) -> str:
    n_pairs = training.n_pairs + (held_out.n_pairs if held_out else 0)
    n_prompts = training.n_prompts + (held_out.n_prompts if held_out else 0)
    total = training.total_weight + (held_out.total_weight if held_out else 0)
    weighed = "" if total == n_pairs else f" of total weight {total:g}"
    text = f"{_count(n_pairs, 'pair')}{weighed} about {_count(n_prompts, 'prompt')}. "
    if held_out is None:
        text += "All were used for the fit; nothing was held out."
    else:
        text += (
            f"Fitted on {_count(training.n_pairs, 'pair')} of {_count(training.n_prompts, 'prompt')}, judged on "
            f"{_count(held_out.n_pairs, 'pair')} of {_count(held_out.n_prompts, 'other prompt')}."
        )
    n_identical = training.n_identical + (held_out.n_identical if held_out else 0)
    if n_identical:
        text += (
            f" Two answers with identical features: {_count(n_identical, 'pair')}. Such a pair costs log 2 whatever "
            "the model says, and teaches nothing."
        )
    return f"## Data\n\n{text}"


def _fit(model: RewardModel) -> str:
    history = model.history
    n = len(history["step"])
    # The recorded loss has the penalty in it; without, it can be compared with the held-out loss and with log 2.
    losses = history["loss"] - 0.5 * model.l2 * history["parameter_norm"] ** 2
    shown = sorted({0, 1, 2, n - 1, *np.linspace(0, n - 1, min(n, 8)).round().astype(int).tolist()} & set(range(n)))
    held_out = not np.isnan(history["validation_loss"]).any()
    rows = []
    for i in shown:
        row = [f"{history['step'][i]:.0f}", f"{losses[i]:.6f}"]
        if held_out:
            row.append(f"{history['validation_loss'][i]:.6f}")
        rows.append([*row, f"{history['accuracy'][i]:.3f}", f"{history['gradient_norm'][i]:.1e}"])
    head = ["step", "loss", *(["held-out loss"] if held_out else []), "accuracy", "gradient norm"]
    table = _table(head, rows)
    early = model.message.startswith("no better validation loss")
    state = "Stopped early" if early else "Converged" if model.converged else "**Did not converge**"
    penalty = f", l2 = {model.l2:g}" if model.l2 else ""
    message = model.message.removeprefix("not converged: ")
    return f"## Fit\n\n{model.scorer}, method {model.method}{penalty}. {state}: {message}.\n\n{table}"


def _quality(columns: Mapping[str, Evaluation]) -> str:
    def row(name: str, show: str, knowing_nothing: str) -> list[str]:
        return [name, *(show.format(e=e, interval=_interval(e)) for e in columns.values()), knowing_nothing]

    rows = [
        row("mean loss (nats)", "{e.mean_loss:.4f}", f"{math.log(2):.4f} = log 2"),
        row("pairwise accuracy", "{e.accuracy:.3f}{interval}", "0.500"),
        row("Brier score", "{e.brier:.4f}", "0.2500"),
        row("calibration error (ECE)", "{e.ece:.3f}", "–"),
        row("reward, chosen / rejected", "{e.reward_mean_chosen:.2f} / {e.reward_mean_rejected:.2f}", "equal"),
        row("margin, mean ± sd", "{e.margin_mean:.2f} ± {e.margin_sd:.2f}", "0"),
    ]
    table = _table(["", *columns, "knowing nothing"], rows)
    note = "In brackets: 95 % intervals from resampling whole prompts."
    fewest = min(evaluation.n_prompts for evaluation in columns.values())
    if fewest < 30:
        note += f" With only {_count(fewest, 'prompt')} to judge by, none of these numbers is firm."
    return f"## How good is it?\n\n{table}\n\n{note}"


def _interval(evaluation: Evaluation) -> str:
    interval = evaluation.accuracy_interval
    return "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"


def _calibration(evaluation: Evaluation, where: str) -> str:
    table = evaluation.reliability
    rows = [
        [f"{low:.2f}–{high:.2f}", str(n_pairs), f"{predicted:.3f}", f"{observed:.3f}"]
        for low, high, n_pairs, weight, predicted, observed in zip(
            table.edges[:-1], table.edges[1:], table.n_pairs, table.weight, table.predicted, table.observed, strict=True
        )
        if weight > 0
    ]
    return (
        "## Does it know how sure it may be?\n\n"
        f"{_table(['predicted', 'pairs', 'mean predicted', 'observed'], rows)}\n\n"
        f"Of the {where} pairs where the model gave its favourite the probability in the third column, the share in "
        "the fourth was chosen. Equal columns mean honest confidence."
    )


def _learned(model: RewardModel, weights: Sequence[Weight], *, shared_prompts: bool) -> str:
    if not weights:
        return (
            "## What did it learn?\n\nThe weights of a hidden layer have no names to be read by. "
            "A linear scorer on the same features tells what counts: --scorer linear."
        )
    table = isinstance(model.scorer, TableScorer)
    rows = []
    idle = 0 if table else sum(weight.strength == 0 for weight in weights)
    shown = weights[: min(20, len(weights) - idle)]
    for weight in shown:
        z = weight.z
        error = "–" if weight.standard_error is None else f"{weight.standard_error:.4g}"
        row = [weight.name, f"{weight.estimate:+.4g}", error, "–" if z is None else f"{z:+.1f}"]
        rows.append(row if table else [*row, f"{weight.strength:.3f}"])
    head = [_noun(model), "reward" if table else "weight", "standard error", "z"]
    note = (
        "Rewards in log-odds, strongest first. Only their differences are determined; here they sum to zero."
        if table
        else "Strongest first: strength is |weight| × the typical (root mean square) difference between two answers, "
        "how far the feature usually moves the margin."
    )
    if weights[0].standard_error is None:
        note += " No standard errors: some direction of the parameters is not determined by these pairs."
    elif shared_prompts and not table:
        note += (
            " Standard errors take pairs as independent; pairs of one prompt share an answer or a person, so the "
            "truth is somewhat less sure."
        )
    if len(weights) - idle > len(shown):
        note += f" Weaker still, and only in model.npz: {_count(len(weights) - idle - len(shown), 'feature')}."
    if idle:
        note += f" Left out, since they never differ between two answers: {_count(idle, 'feature')}."
    if any(weight.name.startswith("word bin") for weight in shown):
        note += " A word bin counts words that a hash puts together; it has no meaning of its own."
    if not model.converged:
        note += " The fit did not converge: this is where it stopped, not an estimate."
    grid = _table(head if table else [*head, "strength"], rows)
    return f"## What did it learn?\n\n{grid}\n\n{note}{_top(model, weights)}"


def _top(model: RewardModel, weights: Sequence[Weight]) -> str:
    """Put the strongest weight that is clearly not zero into words."""
    sure = [weight for weight in weights if weight.z is not None and abs(weight.z) > 2]
    if isinstance(model.scorer, TableScorer) or not sure:
        return ""
    top = sure[0]
    verb = "wins" if top.estimate > 0 else "loses"
    return f"\n\nIn words: with all else equal, the answer with more “{top.name}” more often {verb}."


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _noun(model: RewardModel) -> str:
    return "item" if isinstance(model.scorer, TableScorer) else "feature"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns, the first to the left and numbers to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(3, *(len(cell) for cell in column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(aligned)} |"

    rule = "|".join(["", *("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)), ""])
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def _shortened(text: str, limit: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
