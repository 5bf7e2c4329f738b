"""A report that a person can read: what was fitted, how good it is, what it learned, one example in words.

Plain Markdown with aligned columns, so that it reads the same in a terminal and on a page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .evaluation import Evaluation
from .logistic import sigmoid
from .losses import pair_losses
from .model import RewardModel
from .pairs import PreferencePairs
from .scorers import LinearScorer, TableScorer

__all__ = ["Weight", "example_in_words", "markdown", "weights_by_strength"]


@dataclass(frozen=True)
class Weight:
    """One weight of a linear scorer, or one reward of a table."""

    name: str
    estimate: float
    standard_error: float | None
    strength: float
    """|weight| times the standard deviation of the feature's difference; for a table, the reward itself."""

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
    p = float(sigmoid(margin))
    chosen, rejected = "the chosen answer", "the rejected one"
    where = "" if pair.prompts is None or texts is not None else f" (prompt {pair.prompts[0]})"
    lines = []
    if pair.is_items and model.feature_names is not None:
        chosen, rejected = (model.feature_names[int(item[0])] for item in (pair.chosen, pair.rejected))
    if texts is not None:
        labels = ("Prompt", "Chosen", "Rejected")
        lines += [f"- {label}: “{_shortened(text)}”" for label, text in zip(labels, texts, strict=True)] + [""]
    verdict = (
        "agrees with the person" if margin > 0 else "cannot tell" if margin == 0 else "would have chosen otherwise"
    )
    loss = float(np.asarray(pair_losses(np.array([margin]), labels=pair.labels, target_margins=pair.target_margins))[0])
    lines.append(
        f"The model rewards {chosen} with {r_chosen:.2f} and {rejected} with {r_rejected:.2f}{where}: a margin of "
        f"{margin:+.2f}, so it expects this choice with probability {p:.0%}. It {verdict}; the pair costs "
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
    parts.append(_quality(training_evaluation, held_out_evaluation))
    parts.append(_calibration(judged, held_out=held_out_evaluation is not None))
    parts.append(_learned(model, weights, shared_prompts=training.n_prompts < len(training)))
    parts.append(f"## One example\n\n{example}")
    return "\n\n".join(parts) + "\n"


def _data(training: Evaluation, held_out: Evaluation | None) -> str:
    n_pairs = training.n_pairs + (held_out.n_pairs if held_out else 0)
    n_prompts = training.n_prompts + (held_out.n_prompts if held_out else 0)
    total = training.total_weight + (held_out.total_weight if held_out else 0)
    weighed = "" if total == n_pairs else f" of total weight {total:g}"
    text = f"{n_pairs} pairs{weighed} about {n_prompts} prompts. "
    if held_out is None:
        text += "All were used for the fit; nothing was held out."
    else:
        text += (
            f"Fitted on {training.n_pairs} pairs of {training.n_prompts} prompts, judged on {held_out.n_pairs} pairs "
            f"of {held_out.n_prompts} other prompts."
        )
    n_identical = training.n_identical + (held_out.n_identical if held_out else 0)
    if n_identical:
        text += (
            f" {n_identical} pair(s) have two answers with identical features: each costs log 2 whatever the model "
            "says, and teaches nothing."
        )
    return f"## Data\n\n{text}"


def _fit(model: RewardModel) -> str:
    history = model.history
    n = len(history["step"])
    shown = sorted({0, 1, 2, n - 1, *np.linspace(0, n - 1, min(n, 8)).round().astype(int).tolist()} & set(range(n)))
    rows = []
    for i in shown:
        validation = history["validation_loss"][i]
        rows.append(
            [
                f"{history['step'][i]:.0f}",
                f"{history['loss'][i]:.6f}",
                "–" if np.isnan(validation) else f"{validation:.6f}",
                f"{history['accuracy'][i]:.3f}",
                f"{history['gradient_norm'][i]:.1e}",
            ]
        )
    table = _table(["step", "loss", "held-out loss", "accuracy", "gradient norm"], rows)
    state = "Converged" if model.converged else "**Did not converge**"
    penalty = f", l2 = {model.l2:g}" if model.l2 else ""
    message = model.message.removeprefix("not converged: ")
    return f"## Fit\n\n{model.scorer}, method {model.method}{penalty}. {state}: {message}.\n\n{table}"


def _quality(training: Evaluation, held_out: Evaluation | None) -> str:
    columns = [("training", training)] + ([("held out", held_out)] if held_out else [])

    def row(name: str, show: str, knowing_nothing: str) -> list[str]:
        return [name, *(show.format(e=e, interval=_interval(e)) for _, e in columns), knowing_nothing]

    rows = [
        row("mean loss (nats)", "{e.mean_loss:.4f}", f"{math.log(2):.4f} = log 2"),
        row("pairwise accuracy", "{e.accuracy:.3f}{interval}", "0.500"),
        row("Brier score", "{e.brier:.4f}", "0.2500"),
        row("calibration error (ECE)", "{e.ece:.3f}", "–"),
        row("reward, chosen / rejected", "{e.reward_mean_chosen:.2f} / {e.reward_mean_rejected:.2f}", "equal"),
        row("margin, mean ± sd", "{e.margin_mean:.2f} ± {e.margin_sd:.2f}", "0"),
    ]
    table = _table(["", *(name for name, _ in columns), "knowing nothing"], rows)
    note = "In brackets: 95 % intervals from resampling whole prompts."
    return f"## How good is it?\n\n{table}\n\n{note}"


def _interval(evaluation: Evaluation) -> str:
    interval = evaluation.accuracy_interval
    return "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"


def _calibration(evaluation: Evaluation, *, held_out: bool) -> str:
    table = evaluation.reliability
    rows = [
        [f"{low:.2f}–{high:.2f}", f"{weight:.0%}", f"{predicted:.3f}", f"{observed:.3f}"]
        for low, high, weight, predicted, observed in zip(
            table.edges[:-1], table.edges[1:], table.weight, table.predicted, table.observed, strict=True
        )
        if weight > 0
    ]
    where = "held-out" if held_out else "training"
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
    for weight in weights[:20]:
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
    if len(weights) > len(rows):
        note += f" The {len(weights) - len(rows)} weakest are in model.npz."
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
