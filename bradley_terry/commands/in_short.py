"""The first section of a report: how good the model is on pairs that it has not seen, and whether the run is sound."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..arrays.visible import counted
from ..evaluation import Evaluation
from ..model import Outcome, RewardModel
from .baselines import in_words
from .nouns import Nouns

if TYPE_CHECKING:
    from ..calibration import LengthBaseline
    from ..findings import Diagnosis

__all__ = ["FEW_PROMPTS", "in_short"]

FEW_PROMPTS = 30  # a share estimated from 30 prompts is known only to about ± 0.15


def in_short(
    model: RewardModel,
    training: Evaluation,
    held_out: Evaluation | None,
    nouns: Nouns,
    diagnosis: Diagnosis | str,
    length: LengthBaseline | None = None,
) -> str:
    """Return a section of a few points: the accuracy, the loss, those of the length alone, and the diagnosis."""
    points = [_accuracy(training, held_out, nouns)]
    if loss := _loss(held_out or training, nouns):
        points.append(loss)
    if length is not None:
        rule = f"Always choosing the longer answer has an accuracy of {length.accuracy:.3f} there"
        its_loss = (
            f", and a model that knows only the lengths has a mean loss of {length.mean_loss:.3f}" if loss else ""
        )
        points.append(f"{rule}{its_loss}.")
    if not model.converged and model.outcome is not Outcome.STOPPED_EARLY:
        points.append("**The fit did not converge**; the section “Fit” says why.")
    if not isinstance(diagnosis, str):
        points.append(_findings(diagnosis))
    elif diagnosis:
        points.append("There is no diagnosis.")
    return "\n".join(["## In short", "", *(f"- {point}" for point in points)])


def _accuracy(training: Evaluation, held_out: Evaluation | None, nouns: Nouns) -> str:
    seen = held_out or training
    where = f"the {'held-out' if held_out else 'training'} {nouns.pair}s"
    text = f"On {where}, the accuracy is {seen.accuracy:.3f}"
    text += in_words(seen.accuracy_interval, seen.n_prompts, ", with a 95 % interval from {} to {}")
    if held_out is None:
        return f"{text}. No {nouns.pair}s were held out, so this does not show how good the model is on new ones."
    if seen.n_prompts < FEW_PROMPTS:
        few = f"With only {counted(seen.n_prompts, nouns.prompt, ',')}, the accuracy is uncertain."
        return f"{text}. A coin flip would reach 0.5. {few}"
    low, high = seen.accuracy_interval or (0.0, 1.0)
    if low > 0.5:
        so = f"so the model has learned something that also holds for new {nouns.pair}s"
        return f"{text}. The whole interval is above the 0.5 of a coin flip, {so}."
    if high < 0.5:
        return f"{text}. The whole interval is below the 0.5 of a coin flip, so the model is worse than guessing."
    return f"{text}. The interval contains the 0.5 of a coin flip, so the model may be no better."


def _loss(seen: Evaluation, nouns: Nouns) -> str:
    if math.isnan(seen.mean_loss):
        return ""
    only = "only " if seen.mean_loss > math.log(2) else ""
    of_a_coin_flip = f"that of a coin flip is {only}{math.log(2):.3f}"
    return f"On the same {nouns.pair}s, the mean loss is {seen.mean_loss:.3f}; {of_a_coin_flip}."


def _findings(diagnosis: Diagnosis) -> str:
    if not diagnosis.findings:
        return "The diagnosis found nothing wrong."
    found = {severity: [f.name for f in diagnosis if f.severity == severity] for severity in ("error", "warning")}
    n_notes = len(diagnosis) - sum(map(len, found.values()))
    said = [f"{counted(len(names), severity, ',')}: {', '.join(names)}" for severity, names in found.items() if names]
    said += [counted(n_notes, "note", ",")] if n_notes else []
    text = f"The diagnosis has {'; '.join(said)}."
    if found["error"]:
        return f"**{text}** Do not rely on the other numbers until this is fixed."
    return text
