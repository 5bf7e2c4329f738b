"""The state of a fit in a file, so that the fit can go on after a crash, and ends with the same φ, bit for bit.

The file is an NPZ of plain arrays, without pickle. A new state is written under another name, which then replaces the
old file in one step. So a crash leaves either the old state or the new one, never half a file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays.visible import quoted, visible

__all__ = ["Checkpoint"]

FORMAT = "bradley_terry checkpoint, version 1"

State = dict[str, NDArray[np.generic]]


class Checkpoint:
    """A file for the state of one fit. ``identity`` says which fit that is: its data, its scorer and its options."""

    def __init__(self, path: str | Path | None, resume: bool | str | Path, identity: dict[str, object]) -> None:
        if not isinstance(resume, bool):
            if path is not None and Path(path) != Path(resume):
                raise ValueError(f"resume: expected True or the path of the checkpoint, {path}, got {resume}")
            path, resume = resume, True
            if not Path(path).exists():
                raise FileNotFoundError(f"{path}: there is no such checkpoint")
        if resume and path is None:
            raise ValueError("resume: expected the path of a checkpoint to go on from, got none")
        self.path = None if path is None else Path(path)
        self.identity = {"format": FORMAT, **identity}
        self.state: State = {}
        if self.path is None:
            return
        if self.path.exists() and not resume:
            raise FileExistsError(
                f"checkpoint: expected a new file, got {path}, which exists; resume=True goes on from it"
            )
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"checkpoint: expected a file in an existing folder, got {path}")
        if self.path.exists():
            self.state = self._load(self.path)

    def save(self, state: State) -> None:
        """Replace the file by one with this state."""
        if self.path is None:
            return
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as file:
                identity = np.array(json.dumps(self.identity, sort_keys=True))
                np.savez(file, allow_pickle=False, identity=identity, **state)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def _load(self, path: Path) -> State:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                state = {name: archive[name] for name in archive.files}
            found = json.loads(str(state.pop("identity")))
            is_ours = found["format"] == FORMAT
        except Exception as error:  # noqa: BLE001  # damaged bytes can fail in zip, zlib, json, …
            why = visible(str(error), 300)
            raise ValueError(f"{path}: expected a checkpoint, found a file that cannot be read ({why})") from None
        if not is_ours:
            raise ValueError(f"{path}: expected a {FORMAT}, found {quoted(found['format'])}")
        for name, wanted in self.identity.items():
            if found.get(name) != wanted:
                raise ValueError(f"{path}: expected the checkpoint of this fit, found one with another {name}")
        return state
