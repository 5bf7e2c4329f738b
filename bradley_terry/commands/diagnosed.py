"""``bradley-terry doctor RUN_FOLDER [DATA]``: the diagnosis of a run that ``train`` saved."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..arrays import single
from ..evaluation import mean_accuracy
from ..findings import Diagnosis, diagnose
from ..findings.case import SAME_LOSS, kept_record, plain_losses
from ..model import HISTORY, RewardModel
from ..objective import Objective
from ..pairs import PreferencePairs
from .data import SHIPPED, find_data
from .evaluate import matched
from .train import VALIDATION

__all__ = ["diagnose_run"]

FILES = ("model.npz", "history.csv", "report.md")
LONGEST_NUMBER = 40  # letters of a number in history.csv, with its comma


def diagnose_run(
    folder: str | Path,
    data: str | Path | PreferencePairs | None = None,
    *,
    seed: int = 0,
    validation: float | None = None,
    held_out: str | Path | PreferencePairs | None = None,
) -> Diagnosis:
    """Diagnose a run that ``train`` saved.

    The folder holds the model and its history, but no pairs. They are read again and divided again, as ``train`` did.
    Accuracy and loss of the model on them must be those in its history, so that a diagnosis never mixes two runs.

    Parameters
    ----------
    folder : str or Path
    data : str, Path or PreferencePairs, optional
        What the model was fitted to. It can be left out if this was a data set of the package.
    seed, validation : int, float
        As given to ``train``, with the same defaults.
    held_out : str, Path or PreferencePairs, optional
        Other held-out pairs than those of the split.

    Raises
    ------
    ValueError, TypeError, OSError
        If this is no run, its history is damaged, or these are not the pairs of its fit.
    """
    folder = single.path("folder", folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        found = "no folder" if not folder.is_dir() else f"a folder without {missing[0]}"
        raise ValueError(f"{folder}: expected a folder that train wrote, with {', '.join(FILES)}, got {found}")
    model = RewardModel.load(folder / "model.npz")
    check_history(folder / "history.csv", model)
    if hasattr(model.loss, "ranking_slopes"):
        raise ValueError(f"{folder}: expected a model that was fitted to pairs, got one fitted to rankings")
    data = _data_of(folder) if data is None else data
    name = "data" if isinstance(data, PreferencePairs) else str(data)
    pairs = matched(model, find_data(data).pairs, name=name)
    training, rest = _divided(model, pairs, seed, validation)
    _check_fitted_to(model, training, name)
    if held_out is not None:
        where = "held_out" if isinstance(held_out, PreferencePairs) else str(held_out)
        rest = matched(model, find_data(held_out).pairs, name=where)
    return diagnose(model, training, validation=rest)


def check_history(path: Path, model: RewardModel) -> None:
    """Raise ValueError unless this file holds the history of the model, as ``train`` wrote it."""
    n = len(model.history["step"])
    with path.open(encoding="utf-8", newline="") as file:
        try:
            text = file.read((n + 1) * len(HISTORY) * LONGEST_NUMBER + 1)
        except UnicodeDecodeError:
            raise ValueError(f"{path}: expected text in UTF-8, got other bytes") from None
    rows = [line.split(",") for line in text[: (n + 1) * len(HISTORY) * LONGEST_NUMBER].splitlines()]  # no quotes
    if not rows or tuple(rows[0]) != HISTORY:
        raise ValueError(f"{path}: line 1: expected the columns {', '.join(HISTORY)}, got others")
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(HISTORY) or not all(map(_is_number, row)):
            raise ValueError(f"{path}: line {line}: expected {len(HISTORY)} numbers, got something else")
    if len(rows) != n + 1:
        raise ValueError(f"{path}: expected the {n} records of model.npz, got {len(rows) - 1}")
    written = np.array(rows[1:], dtype=np.float64).T
    for column, values in zip(HISTORY, written, strict=True):
        if not np.array_equal(values, np.asarray(model.history[column], dtype=np.float64), equal_nan=True):
            raise ValueError(
                f"{path}: expected the history of model.npz, got another {column}: two runs are mixed here"
            )


def _check_fitted_to(model: RewardModel, pairs: PreferencePairs, name: str) -> None:
    """Raise ValueError unless accuracy and loss of the model on these pairs are those in its history."""
    kept = kept_record(model)
    accuracy = mean_accuracy(model.margins(pairs), pairs.labels, pairs.weights)
    loss = Objective(model.scorer, pairs, loss=model.loss).at(model.phi).loss
    for what, recorded, found, tolerance in (
        ("accuracy", float(model.history["accuracy"][kept]), accuracy, 1e-9),
        ("loss", float(plain_losses(model)[kept]), loss, SAME_LOSS),
    ):
        if not math.isclose(recorded, found, rel_tol=tolerance, abs_tol=tolerance):
            is_mirrored = what == "accuracy" and math.isclose(found, 1 - recorded, abs_tol=tolerance)
            hint = "give --seed and --validation as for train"
            if is_mirrored:
                hint = "chosen and rejected seem to be exchanged in one of the two files"
            raise ValueError(
                f"{name}: expected the pairs that the model was fitted to, on which its {what} was {recorded:.6g}, got "
                f"pairs on which it is {found:.6g}; {hint}"
            )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _data_of(folder: Path) -> str:
    """Return the data set of the package that the report names, or ask for the data."""
    with (folder / "report.md").open(encoding="utf-8", errors="replace") as file:
        head = file.readline(1000).removeprefix("# Reward model: ").strip()
    if head in SHIPPED:
        return head
    raise ValueError(
        f"data: expected the file that the model was fitted to, since {folder} does not contain it: "
        f"bradley-terry doctor {folder} DATA"
    )


def _divided(
    model: RewardModel, pairs: PreferencePairs, seed: int, validation: float | None
) -> tuple[PreferencePairs, PreferencePairs | None]:
    """Return training and held-out pairs, divided as ``train`` does; a fit without held-out pairs used all of them."""
    if np.isnan(model.history["validation_loss"]).all() or validation == 0:
        return pairs, None
    return pairs.split(VALIDATION if validation is None else validation, seed=seed)
