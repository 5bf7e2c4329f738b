"""What a model learned, in words: its weights by strength, and one pair explained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..arrays.visible import LONGEST_SHOWN, visible
from ..evaluation import log_odds
from ..fitting.matching import matched
from ..logistic import sigmoid
from ..losses import pair_losses
from ..model import RewardModel
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, TableScorer
from ..uncertainty.half_wins import reported_errors

__all__ = ["Weight", "example_in_words", "percent", "weights_by_strength"]


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
        """The estimate divided by its standard error, or None if the standard error is unknown or zero."""
        if self.standard_error is None or self.standard_error == 0:
            return None
        return self.estimate / self.standard_error

    def to_dict(self) -> dict[str, object]:
        """Return the name and the numbers, ready for JSON."""
        return asdict(self)


def weights_by_strength(model: RewardModel, pairs: PreferencePairs) -> list[Weight]:
    """Return the named weights of a model, strongest first, or an empty list for an MLP.

    A weight alone says little, since it depends on the units of its feature. Its strength is |weight| times the root
    mean square of the difference between the two answers. It tells how far this feature typically moves the margin.
    """
    if not isinstance(model.scorer, LinearScorer | TableScorer):
        return []
    errors: Sequence[float | None]
    try:
        errors = [float(x) for x in reported_errors(model).errors]
    except ValueError:  # the pairs leave some direction of phi undetermined, so there are no standard errors
        errors = [None] * model.phi.size
    if isinstance(model.scorer, TableScorer):
        strengths, noun = model.phi, "item"
    else:
        pairs = matched(model.scorer, model.feature_names, pairs)
        differences = np.subtract(pairs.chosen, pairs.rejected, dtype=np.float64)
        strengths = np.abs(model.phi) * np.sqrt(np.average(differences**2, axis=0, weights=pairs.weights))
        noun = "feature"
    names = model.feature_names or [f"{noun} {i}" for i in range(model.phi.size)]
    weights = [
        Weight(name, float(estimate), error, float(strength))
        for name, estimate, error, strength in zip(names, model.phi, errors, strengths, strict=True)
    ]
    return sorted(weights, key=lambda weight: -weight.strength)


def example_in_words(model: RewardModel, pair: PreferencePairs, texts: tuple[str, str, str] | None = None) -> str:
    """Explain what the model predicts for one pair, and why.

    Parameters
    ----------
    model : RewardModel
    pair : PreferencePairs of length 1
    texts : (prompt, chosen, rejected), optional
        If the answers are texts, they are quoted, and shortened if they are long.
    """
    pair = matched(model.scorer, model.feature_names, pair, "pair")
    margins = model.margins(pair)
    margin = float(margins[0])
    z = margin if pair.target_margins is None else margin - float(pair.target_margins[0])
    t = 1.0 if pair.labels is None else float(pair.labels[0])
    its = log_odds(margins, pair, model.loss)
    loss = float(np.asarray(pair_losses(its, labels=pair.labels))[0])
    r_chosen, r_rejected = float(model.reward(pair.chosen)[0]), float(model.reward(pair.rejected)[0])
    chosen, rejected = "the chosen answer", "the rejected one"
    if t < 0.5:  # the person preferred the answer that the file calls rejected
        chosen, rejected = "the answer called chosen", "the one called rejected, which the person preferred,"
    if pair.is_items:
        chosen, rejected = _item(model, int(pair.chosen[0])), _item(model, int(pair.rejected[0]))
    lines, head = [], "The model"
    if texts is not None:
        labels = ("Prompt", "Chosen", "Rejected")
        said = {label: _shortened(text) for label, text in zip(labels, texts, strict=True)}
        lines += [f"- {label}: “{text}”" for label, text in said.items() if text or label != "Prompt"] + [""]
    elif pair.is_items:
        first, second = (chosen, rejected) if t >= 0.5 else (rejected, chosen)
        head = f"In this comparison, {first} {'met' if t == 0.5 else 'was chosen over'} {second}. The model"
    elif pair.prompts is not None:
        head = f"For prompt {visible(str(pair.prompts[0]), LONGEST_SHOWN)}, the model"
    shifted = "" if z == margin else f", or {z:+.2f} after subtracting the target margin"
    lines.append(
        f"{head} gives {chosen} the reward {r_chosen:.2f} and {rejected} {r_rejected:.2f}. The margin is "
        f"{margin:+.2f}{shifted}{_chance(chosen, float(its[0]))}. {_verdict(margin, t, pair)}"
    )
    if not math.isnan(loss):
        lines[-1] += (
            f" The loss of this {'comparison' if pair.is_items else 'pair'} is "
            f"{loss:{'.3f' if loss >= 0.001 else '.1e'}} nats; a coin flip would cost {math.log(2):.3f}."
        )
    if isinstance(model.scorer, LinearScorer):
        x = (np.asarray(pair.chosen, dtype=np.float64) - np.asarray(pair.rejected, dtype=np.float64))[0]
        parts = model.phi * x
        names = model.feature_names or [f"feature {i}" for i in range(parts.size)]
        top = [i for i in np.argsort(-np.abs(parts))[:3] if parts[i] != 0]
        if top:
            shown = {i: visible(names[i], LONGEST_SHOWN) for i in top}
            named = [f"{shown[i]} {parts[i]:+.2f} (weight {model.phi[i]:+.4g} × difference {x[i]:+.4g})" for i in top]
            lines += ["", f"The largest contributions to the margin are {'; '.join(named)}."]
    return "\n".join(lines)


def _chance(chosen: str, its: float) -> str:
    return "" if math.isnan(its) else f", which gives {chosen} a probability of {percent(float(sigmoid(its)))}"


def _item(model: RewardModel, number: int) -> str:
    names = model.feature_names
    return f"item {number}" if names is None else visible(names[number], LONGEST_SHOWN)


def _verdict(margin: float, t: float, pair: PreferencePairs) -> str:
    """Say whether the model agrees with the person or, for items, with the result of the comparison."""
    if t == 0.5:
        return "The comparison was a tie." if pair.is_items else "The person called it a tie."
    if margin == 0:
        return "The model cannot tell the two apart."
    agrees = "agrees" if (margin > 0) == (t > 0.5) else "disagrees"
    return f"The model {agrees} with {'the result' if pair.is_items else 'the person'}."


def percent(p: float) -> str:
    """Write a probability in percent, without ever claiming certainty.

    Examples
    --------
    >>> percent(0.8123), percent(0.9987), percent(1 - 1e-9)
    ('81%', '99.87%', 'more than 99.99%')
    """
    if not 0.0001 <= p <= 0.9999:
        return "less than 0.01%" if p < 0.5 else "more than 99.99%"
    return f"{p:.0%}" if 0.01 <= p <= 0.99 else f"{p:.2%}"


def _shortened(text: str, limit: int = 160) -> str:
    text = visible(" ".join(text.split())[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
