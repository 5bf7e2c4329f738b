"""The state of a fit in a file, so that the fit can go on after a crash, and ends with the same φ, bit for bit.

The file is an NPZ of plain arrays, without pickle. It is replaced as a whole, so a crash leaves either the old state or
the new one, never half a file. A state is taken only between two steps, and holds all that decides the next steps: φ,
the history, and for example the Hessian that Newton's method still uses, or the moments and the random generator of
Adam. What can be computed again with the same result, such as the features in other units, is not in it. The file also
has the SHA-256 of each array, so a file that lacks an array, or has another one in its place, is refused.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import single
from ..arrays.visible import quoted, visible
from ..files.archives import array_name
from ..files.messages import listed
from ..files.saving import replacing
from ..losses import PairLoss
from ..model import HISTORY, FittedTo, Outcome, RewardModel, read_only
from ..objective import chosen_backend
from ..scorers import Scorer
from .identity import described, identity_of

__all__ = ["Checkpoint", "State", "checkpoint_of"]

FORMAT = "bradley_terry checkpoint, version 2"
NOT_OPTIONS = {"progress", "callback", "checkpoint", "every"}  # of ``fit``: they do not change its result

State = dict[str, NDArray[np.generic]]


class Checkpoint:
    """A file for the state of one fit. ``identity`` says which fit that is: its data, its scorer and its options."""

    def __init__(self, path: str | Path | None, identity: Mapping[str, object], every: int = 1) -> None:
        self.path = None if path is None else Path(path)
        self.identity, self.every = {"format": FORMAT, **identity}, every
        self.state: State = {}
        if self.path is None:
            return
        if not self.path.parent.is_dir() or (self.path.exists() and not self.path.is_file()):
            raise FileNotFoundError(f"checkpoint: expected a file in an existing folder, got {visible(str(path))}")
        if self.path.exists():
            self.state = self._load(self.path)

    def save(self, state: State) -> None:
        """Replace the file by one with this state."""
        if self.path is None:
            return
        identity = np.array(json.dumps({**self.identity, "entries": _entries(state)}, sort_keys=True))
        with replacing(self.path) as file:
            np.savez(file, allow_pickle=False, identity=identity, **state)

    def _load(self, path: Path) -> State:
        shown = visible(str(path), 1000)
        read = partial(np.lib.format.read_array, allow_pickle=False)
        try:
            _refuse_other(path)
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                stored = [info for info in archive.infolist() if not info.compress_type]  # so none is a bomb
                state = {info.filename.removesuffix(".npy"): read(archive.open(info)) for info in stored}
            found = json.loads(str(state.pop("identity")))
            is_ours = found["format"] == FORMAT
            if is_ours:
                _check_entries(found.pop("entries"), state)
        except _OtherFileError as error:
            raise ValueError(f"{shown}: expected a checkpoint, found {visible(str(error), 300)}") from None
        except Exception as error:  # noqa: BLE001  # damaged bytes can fail in zip, zlib, json, …
            why = visible(str(error), 300)
            raise ValueError(f"{shown}: expected a checkpoint, found a file that cannot be read ({why})") from None
        if not is_ours:
            raise ValueError(f"{shown}: expected a {FORMAT}, found {quoted(found['format'])}")
        if name := _differing(self.identity, found):
            raise ValueError(f"{shown}: expected the checkpoint of this fit, found one that differs in {name}")
        return state

    @property
    def is_finished(self) -> bool:
        """True if the fit has ended, so that the file holds its model."""
        return "outcome" in self.state

    def finished(self, model: RewardModel, is_alarming: bool) -> RewardModel:
        """Put the fitted model into the file, and return it. If the fit was stopped, the file keeps its last state."""
        if model.outcome in {Outcome.INTERRUPTED, Outcome.STOPPED_BY_CALLBACK}:
            return model
        state: State = {f"history_{name}": model.history[name] for name in HISTORY}
        state |= {"phi": model.phi, "outcome": np.array(model.outcome.value), "message": np.array(model.message)}
        state["is_alarming"] = np.array(is_alarming)
        if model.information is not None:
            state["information"] = model.information
        if getattr(model.loss, "is_free", None) is False:  # its parameters may have been fitted
            state["loss"] = np.array(json.dumps(vars(model.loss), default=np.ndarray.tolist))
        self.save(state)
        return model

    def model(
        self,
        scorer: Scorer,
        feature_names: tuple[str, ...] | None,
        l2: float,
        method: str,
        loss: PairLoss | None,
        fitted_to: FittedTo | None,
    ) -> RewardModel:
        """Return the model in the file. What is not in it was given again, and is the same."""
        from ..training import ConvergenceWarning  # noqa: PLC0415  # it imports this module

        state, outcome = self.state, Outcome(str(self.state["outcome"]))
        columns = {name: state[f"history_{name}"] for name in HISTORY}
        if "loss" in state and loss is not None:
            loss = type(loss)(**json.loads(str(state["loss"])))
        if state["is_alarming"]:
            warnings.warn(str(state["message"]), ConvergenceWarning, stacklevel=4)
        return RewardModel(
            scorer=scorer,
            phi=read_only(state["phi"]),
            history={name: read_only(column, column.dtype.type) for name, column in columns.items()},
            converged=outcome.is_success,
            message=str(state["message"]),
            feature_names=feature_names,
            l2=l2,
            method=method,
            information=read_only(state["information"]) if "information" in state else None,
            outcome=outcome,
            loss=loss,
            fitted_to=fitted_to,
        )


class _OtherFileError(ValueError):
    """A file that is whole, but no checkpoint."""


def _refuse_other(path: Path) -> None:
    """Raise ``_OtherFileError``, which says what the file is, if its beginning or its entries show that."""
    with path.open("rb") as file:
        head = file.read(8)
        if head and not head.startswith(b"PK"):
            raise _OtherFileError(f"another file, which begins with {quoted(head)}")
        with zipfile.ZipFile(file) as archive:
            names = {array_name(info) for info in archive.infolist()}
    if "meta.json" in names:
        raise _OtherFileError("a saved model")
    if {"chosen", "rejected"} <= names:
        raise _OtherFileError("pairs")
    if {"features", "ranks"} <= names:
        raise _OtherFileError("rankings")
    if "identity" not in names:
        raise _OtherFileError(f"another file, which holds {listed(sorted(names))}")


def _entries(state: State) -> dict[str, object]:
    return {name: described(np.asarray(value)) for name, value in state.items()}


def _check_entries(written: Mapping[str, object], state: State) -> None:
    if name := _differing(written, _entries(state)):
        raise ValueError(f"its entry {name} is missing or is not the one that was written")


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> str | None:
    return next((name for name in (*one, *other) if one.get(name) != other.get(name)), None)


def checkpoint_of(path: str | Path, every: int, options: Mapping[str, object]) -> Checkpoint:
    """Return the checkpoint of a call of ``fit`` with these arguments."""
    identity = identity_of({name: value for name, value in options.items() if name not in NOT_OPTIONS})
    identity["backend"] = [options["backend"], chosen_backend()]  # "auto" depends on whether Numba is installed
    return Checkpoint(single.path("checkpoint", path), identity, every)
