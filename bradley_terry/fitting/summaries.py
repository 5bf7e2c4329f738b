"""A fitted model in words: what was fitted, how the fit ended, and what the parameters are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..arrays.visible import LONGEST_SHOWN, counted, visible
from ..model import Outcome
from ..scorers import LinearScorer, TableScorer
from ..uncertainty.half_wins import reported_errors

if TYPE_CHECKING:
    from ..model import RewardModel

__all__ = ["summary", "without_end"]

ROWS = 20
LONGEST = 2000  # characters of a line


def summary(model: RewardModel) -> str:
    """Return the text of ``RewardModel.summary``."""
    steps = model.history.get("step", np.zeros(0))
    after = f" after {counted(steps[-1], 'step')}" if len(steps) else ""
    return (
        f"scorer      {visible(str(model.scorer), LONGEST)}\n"
        f"method      {visible(model.method.replace('_', ' '), LONGEST)}{f', l2 = {model.l2:g}' if model.l2 else ''}\n"
        f"{'' if model.loss is None else f'loss        {visible(str(model.loss), LONGEST)}{chr(10)}'}"
        f"outcome     {model.outcome.value}{after}\n"
        f"message     {visible(model.message, LONGEST)}\n"
        f"{_parameter_table(model) if model.scorer.linear_in_phi else _parameter_blocks(model)}"
    )


def _parameter_blocks(model: RewardModel) -> str:
    blocks = ", ".join(
        f"{visible(name, LONGEST_SHOWN)} {' × '.join(map(str, shape))}" for name, shape in model.scorer.shapes.items()
    )
    return (
        f"parameters  {model.phi.size}: {blocks}\n\n"
        "The parameters have no names, and no standard errors, because the reward is not linear in them."
    )


def without_end(model: RewardModel) -> str:
    """Return a sentence about what grows without end if there is no finite fit but something has a limit, or ""."""
    if model.outcome is not Outcome.NO_MINIMUM or model.information is None:
        return ""
    grow = "differences between groups of items grow" if isinstance(model.scorer, TableScorer) else "some values grow"
    rest = "Differences within a group" if isinstance(model.scorer, TableScorer) else "The others"
    return f"There is no finite fit: {grow} without end. {rest} approach limits, which are shown."


def _parameter_table(model: RewardModel) -> str:
    is_table = isinstance(model.scorer, TableScorer)
    kind = "item" if is_table else "feature" if isinstance(model.scorer, LinearScorer) else "parameter"
    names = model.feature_names or ()
    if len(names) != model.phi.size:
        names = tuple(f"{kind} {i}" for i in range(model.phi.size))
    names = tuple(visible(name, LONGEST_SHOWN) for name in names)
    head, columns = (
        [kind, "reward" if is_table else "weight"],
        [names, [f"{x:+.4g}" for x in model.phi]],
    )
    notes = ["Rewards are in log-odds. Only their differences are determined; here the rewards sum to zero."] * is_table
    size = np.abs(model.phi)
    try:
        errors, sentence = reported_errors(model)
    except ValueError as error:
        notes.append(f"There are no standard errors: {str(error).removeprefix('standard errors: ')}.")
    else:
        z = np.divide(model.phi, errors, out=np.zeros(errors.shape), where=errors > 0)
        head += ["standard error", "z"]
        columns += [[f"{x:.4g}" for x in errors], [f"{x:+.1f}" for x in z]]
        limits = np.where(np.isinf(errors), np.copysign(np.inf, model.phi), model.phi)
        columns[1] = [f"{x:+.4g}" for x in limits]
        notes.append("z is the estimate divided by its standard error.")
        notes += [sentence] * bool(sentence)
        size = np.abs(z)
    if not model.outcome.is_success:
        stopped = "The fit did not end as intended: these are the parameters where it stopped, not estimates."
        notes.append(without_end(model) or stopped)
    order = np.argsort(-model.phi if is_table else -size, kind="stable")[:ROWS]
    rows = [head, *([column[i] for column in columns] for i in order.tolist())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    rest = [f"and {model.phi.size - len(order)} more"] * (model.phi.size > len(order))
    return "\n".join(["", *lines, *rest, "", *notes])
