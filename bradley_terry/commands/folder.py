"""The folder of a run: it is written as a whole, under the name that was asked for or the next free one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..arrays.visible import visible
from ..files.saving import new_folder, write_file
from ..model import HISTORY, Outcome, RewardModel
from .interrupts import INTERRUPTED

__all__ = ["check_new", "continues", "is_untrained", "status_of", "under_free_name", "write_run"]

FIGURES = [f"{name}.{kind}" for name in ("loss_curve", "margins", "reliability") for kind in ("svg", "png")]
FILES = ("model.npz", "history.csv", "report.md", *FIGURES)
"""What a run may consist of. With ``force``, these files of an earlier run are removed, and all others stay."""


def check_new(argument: str, folder: Path, force: bool) -> None:
    """Raise ValueError if the folder exists and ``force`` is False."""
    if folder.exists() and not force:
        raise ValueError(
            f"{argument}: expected a new folder, got {visible(str(folder))}, which already exists; choose another one, "
            "or overwrite its files with --force (force=True in Python)"
        )


def continues(folder: Path | None, checkpoint: Path | None, model: RewardModel | None = None) -> bool:
    """Return whether the folder holds a run that Ctrl-C ended, and this fit goes on with it from its checkpoint.

    Then the longer run may replace the other one without ``force``. Before the fit, only the name of the checkpoint can
    be compared. After it, the history of ``model`` must begin with that of the run in the folder.
    """
    if folder is None or checkpoint is None:
        return False
    try:
        run = RewardModel.load(folder / "model.npz")
        is_resumed = checkpoint.exists() and run.message.endswith(f"goes on from {checkpoint}")
    except (OSError, ValueError):  # there is no run, or it cannot be read
        return False
    n = len(run.history["step"])
    is_same = model is None or all(
        np.array_equal(run.history[name], model.history[name][:n], equal_nan=True) for name in HISTORY
    )
    return run.outcome is Outcome.INTERRUPTED and is_resumed and is_same


def is_untrained(model: RewardModel) -> bool:
    """Return whether Ctrl-C came before the first step. Such a model has learned nothing and is not worth saving."""
    return model.outcome is Outcome.INTERRUPTED and not model.history["step"][-1]


def status_of(model: RewardModel) -> int:
    """Return the exit status of a command that has fitted this model.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C came before the first step, so that there is nothing to save.
    """
    if is_untrained(model):
        raise KeyboardInterrupt
    return INTERRUPTED if model.outcome is Outcome.INTERRUPTED else 0


def write_run(
    argument: str,
    folder: Path,
    model: RewardModel,
    report: str,
    *,
    force: bool,
    draw: Callable[[Path], list[Path]] = lambda _: [],
) -> list[Path]:
    """Write model.npz, history.csv, report.md and what ``draw`` draws, and return their paths.

    The files are written to a hidden folder beside, which then gets its name. So the folder is complete or absent, even
    if the process is killed or the disk is full, and nobody sees files of two runs in one folder.

    Raises
    ------
    ValueError
        If the folder exists and ``force`` is False; the message begins with ``argument``.
    OSError
        If the folder cannot be written to.
    """
    check_new(argument, folder, force)
    history = io.StringIO(newline="")
    writer = csv.writer(history)
    writer.writerow(HISTORY)
    writer.writerows(zip(*(model.history[column].tolist() for column in HISTORY), strict=True))
    try:
        with new_folder(folder, FILES if force else None) as made:
            model.save(made / "model.npz")
            write_file(made / "history.csv", history.getvalue())
            write_file(made / "report.md", report)
            drawn = draw(made)
    except FileExistsError:
        check_new(argument, folder, force)  # another process was faster
        raise
    return [folder / name for name in (*FILES[:3], *(path.name for path in drawn))]


def under_free_name(out: Path | None, name: str, save: Callable[[Path], object]) -> Path:
    """Save under the given name, or as runs/name, or else as the next of runs/name-2, runs/name-3, … that is free.

    A name counts as taken only when a complete folder has it. If another process takes it first, the next one is tried.
    """
    number = 1
    while True:
        folder = out or Path("runs") / (name if number == 1 else f"{name}-{number}")
        if out is not None or not folder.exists():
            try:
                save(folder)
            except ValueError:
                if out is not None or not folder.exists():
                    raise
            else:
                return folder
        number += 1
