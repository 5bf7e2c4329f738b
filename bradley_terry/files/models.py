"""Save and load reward models: each is an NPZ file of arrays and one JSON text, without pickle."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ranking
from ..arrays import single
from ..arrays.visible import counted, quoted, visible
from ..logistic import Array
from ..losses import PairLoss
from ..model import HISTORY, Outcome, RewardModel, make_scorer, read_only
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from .archives import check_sizes, names_in
from .arrays import unpacked_array
from .characters import Halves, said_of_halves
from .limits import LONGEST_LINE, check_json, shown, within_memory
from .messages import fail
from .notes import Notes
from .objects import decoder
from .opened import open_file, size_of
from .saving import replacing

__all__ = ["load_model", "save_model"]

_FAMILY = "bradley_terry reward model, version "
FORMAT = f"{_FAMILY}1"
_LONGEST = 400  # characters of what is said about a damaged file


def save_model(model: RewardModel, path: str | Path) -> None:
    """Write a model as an NPZ file of arrays and one JSON text. The same model always gives the same bytes.

    An existing file is replaced as a whole, or stays as it is if the new one cannot be written.
    """
    path = single.path("path", path)
    if not isinstance(model.scorer, LinearScorer | MLPScorer | TableScorer):
        raise TypeError(f"save: expected one of this package's scorers, got {model.scorer}")
    meta = {
        "format": FORMAT,
        "scorer": {"kind": type(model.scorer).__name__, **vars(model.scorer)},
        "converged": model.converged,
        "outcome": model.outcome.value,
        "message": model.message,
        "feature_names": model.feature_names,
        "l2": model.l2,
        "method": model.method,
    }
    if model.loss is not None and (kind := type(model.loss).__name__) in ranking.__all__:
        meta["loss"] = {"kind": kind, **vars(model.loss)}
    arrays = {"phi": model.phi, **{f"history_{name}": values for name, values in model.history.items()}}
    if model.information is not None:
        arrays["information"] = model.information
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            _entry("meta.json"), json.dumps(meta, indent=1, sort_keys=True, default=lambda number: number.item())
        )
        for name, values in sorted(arrays.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(values), allow_pickle=False)
            archive.writestr(_entry(f"{name}.npy"), buffer.getvalue())


def load_model(path: str | Path) -> RewardModel:  # noqa: RET503  # fail never returns
    """Read a model that ``save_model`` wrote.

    Raises
    ------
    FileNotFoundError, PermissionError
        If there is no such file, or if it may not be read.
    ValueError
        If it is something else, or damaged, or from a newer version of this package.
    """
    path = single.path("path", path)
    with within_memory(path):
        try:
            with open_file(path, empty=None) as file, zipfile.ZipFile(file) as archive:
                members = names_in(archive)
                check_sizes(path, size_of(file), members.values(), "save writes it uncompressed")
                meta = _meta(path, archive, members.pop("meta.json"))
                newer = _newer_version(meta)
                if newer is None:
                    arrays = {_array_name(name): unpacked_array(archive, members[name]) for name in members}
                    return _model(meta, arrays)
        except FileNotFoundError:
            raise FileNotFoundError(f"{visible(str(path))}: there is no such model file") from None
        except (MemoryError, PermissionError):
            raise
        except Exception as error:  # noqa: BLE001  # a damaged file can break zip, JSON and NPY readers in any way
            said = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            said = " ".join(said.removeprefix(f"{visible(str(path))}: ").split())
            said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
            fail(path, f"not a reward model that this package saved, or damaged ({said})")
    fail(path, f"expected a reward model of version 1, found version {newer}, which a newer bradley_terry has saved")


def _meta(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> dict[str, Any]:
    if info.file_size > LONGEST_LINE:
        raise ValueError(f"expected at most {shown(LONGEST_LINE)} in meta.json, found {shown(info.file_size)}")
    with archive.open(info) as file:
        text = file.read(info.file_size).decode()  # and no more, whatever the member unpacks to
    check_json(path, text)
    meta = decoder().decode(text)
    if not isinstance(meta, dict):
        raise TypeError("expected an object in meta.json")
    whole: dict[str, Any] = Halves().whole(meta)  # type: ignore[assignment]
    if whole != meta:
        notes = Notes(path)
        notes.add("halves", "meta.json", lambda n: said_of_halves(n, "model"))
        notes.give("")
    return whole


def _newer_version(meta: dict[str, Any]) -> str | None:
    """Return the version of a format that is newer than ours, None if it is ours; fail for anything else."""
    found = meta["format"]
    version = re.fullmatch(f"{re.escape(_FAMILY)}([1-9][0-9]{{0,8}})", found) if isinstance(found, str) else None
    if version is None:
        raise ValueError(f"expected the format {quoted(FORMAT)}, got {quoted(found)}")
    return None if found == FORMAT else version[1]


def _array_name(name: str) -> str:
    """Return the name of an array without its ending; fail for an entry that ``save_model`` does not write."""
    if re.fullmatch(r"(phi|information|history_\w+)\.npy", name) is None:
        raise ValueError(f"expected the arrays phi, information and history, found {name}")
    return name.removesuffix(".npy")


def _model(meta: dict[str, Any], arrays: dict[str, NDArray[np.generic]]) -> RewardModel:
    scorer = make_scorer(**meta["scorer"])
    phi = _checked(arrays["phi"], (scorer.n_parameters,))
    n_records = len(arrays["history_step"])
    history = {name: _checked(arrays[f"history_{name}"], (n_records,), nan=True) for name in HISTORY}
    information = arrays.get("information")
    _check_outcome(meta)
    names, l2 = meta["feature_names"], float(meta["l2"])
    if names is not None:
        _check_names(names, scorer)
    if not (np.isfinite(l2) and l2 >= 0):
        raise ValueError(f"expected a finite l2 of at least 0, got {l2}")
    return RewardModel(
        scorer=scorer,
        phi=phi,
        history=history,
        converged=meta["converged"],
        message=str(meta["message"]),
        feature_names=None if names is None else tuple(names),
        l2=l2,
        method=str(meta["method"]),
        information=None if information is None else _checked(information, (phi.size, phi.size)),
        outcome=meta.get("outcome"),  # type: ignore[arg-type]  # its value, of which __post_init__ makes an Outcome
        loss=_loss(**meta["loss"]) if "loss" in meta else None,
    )


def _loss(kind: str, **parameters: object) -> PairLoss:
    """Make a loss from the name of its class and its parameters."""
    if kind not in ranking.__all__:
        raise ValueError(f"loss: expected one of {', '.join(ranking.__all__)}, got {quoted(kind)}")
    made: PairLoss = getattr(ranking, kind)(**parameters)
    return made


def _checked(array: NDArray[np.generic], shape: tuple[int, ...], *, nan: bool = False) -> Array:
    """Check that ``save_model`` could have written this array, and return it as a read-only array."""
    kinds = "fi" if nan else "f"
    is_number = array.dtype.kind in kinds and array.dtype.itemsize == 8
    if array.shape != shape or not is_number or not (nan or np.isfinite(array).all()):
        raise ValueError(f"expected finite numbers of shape {shape}, got {array.dtype} of shape {array.shape}")
    return read_only(array, array.dtype.type)


def _check_outcome(meta: dict[str, Any]) -> None:
    outcome = meta.get("outcome")  # older files have none
    if not isinstance(meta["converged"], bool):
        raise TypeError(f"expected converged to be true or false, got {quoted(meta['converged'])}")
    if outcome is not None and Outcome(outcome).is_success != bool(meta["converged"]):
        raise ValueError(f"expected an outcome consistent with converged={meta['converged']}, got {quoted(outcome)}")


def _check_names(names: list[str], scorer: Scorer) -> None:
    shape = next(iter(scorer.shapes.values()))
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise TypeError("expected feature names that are texts")
    if len(names) != shape[0]:
        raise ValueError(f"expected {counted(shape[0], 'feature name')}, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError("expected different feature names, got the same name twice")


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry of the archive with a fixed date, so that the same model gives the same bytes."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # the same on every platform
    return entry
