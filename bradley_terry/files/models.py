"""Save and load reward models: each is an NPZ file of arrays and one JSON text, without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ranking
from ..arrays.single import path as checked_path
from ..logistic import Array
from ..losses import PairLoss
from ..model import HISTORY, Outcome, RewardModel, make_scorer, read_only
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer

__all__ = ["load_model", "save_model"]

FORMAT = "bradley_terry reward model, version 1"


def save_model(model: RewardModel, path: str | Path) -> None:
    """Write a model as an NPZ file of arrays and one JSON text. The same model always gives the same bytes."""
    path = checked_path("path", path)
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
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            _entry("meta.json"), json.dumps(meta, indent=1, sort_keys=True, default=lambda number: number.item())
        )
        for name, values in sorted(arrays.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(values), allow_pickle=False)
            archive.writestr(_entry(f"{name}.npy"), buffer.getvalue())


def load_model(path: str | Path) -> RewardModel:
    """Read a model that ``save_model`` wrote; raise FileNotFoundError, or ValueError for any other file."""
    path = checked_path("path", path)
    try:
        with zipfile.ZipFile(path) as archive:
            meta = json.loads(archive.read("meta.json"))
            arrays = {
                Path(name).stem: np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
                for name in archive.namelist()
                if name.endswith(".npy")
            }
        _check_format(meta["format"])
        scorer = make_scorer(**meta["scorer"])
        phi = _checked(arrays["phi"], (scorer.n_parameters,))
        n_records = len(arrays["history_step"])
        history = {name: _checked(arrays[f"history_{name}"], (n_records,), nan=True) for name in HISTORY}
        information = arrays.get("information")
        _check_outcome(meta)
        names = meta["feature_names"]
        if names is not None:
            _check_names(names, scorer)
        return RewardModel(
            scorer=scorer,
            phi=phi,
            history=history,
            converged=bool(meta["converged"]),
            message=str(meta["message"]),
            feature_names=None if names is None else tuple(names),
            l2=float(meta["l2"]),
            method=str(meta["method"]),
            information=None if information is None else _checked(information, (phi.size, phi.size)),
            outcome=meta.get("outcome"),
            loss=_loss(**meta["loss"]) if "loss" in meta else None,
        )
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such model file") from None
    except Exception as error:  # noqa: BLE001  # a damaged file can break zip, JSON and NPY readers in any way
        raise ValueError(f"{path}: not a reward model that this package saved, or damaged ({error})") from None


def _loss(kind: str, **parameters: object) -> PairLoss:
    """Make a loss from the name of its class and its parameters."""
    if kind not in ranking.__all__:
        raise ValueError(f"loss: expected one of {', '.join(ranking.__all__)}, got {kind!r}")
    made: PairLoss = getattr(ranking, kind)(**parameters)
    return made


def _checked(array: NDArray[np.generic], shape: tuple[int, ...], *, nan: bool = False) -> Array:
    """Check that ``save_model`` could have written this array, and return it as a read-only array."""
    if array.shape != shape or array.dtype.kind not in "fi" or not (nan or np.isfinite(array).all()):
        raise ValueError(f"expected finite numbers of shape {shape}, got {array.dtype} of shape {array.shape}")
    return read_only(array, array.dtype.type)


def _check_outcome(meta: dict[str, Any]) -> None:
    outcome = meta.get("outcome")  # older files have none
    if outcome is not None and Outcome(outcome).is_success != bool(meta["converged"]):
        raise ValueError(f"expected an outcome consistent with converged={meta['converged']}, got {outcome!r}")


def _check_names(names: list[str], scorer: Scorer) -> None:
    shape = next(iter(scorer.shapes.values()))
    if len(names) != shape[0]:
        raise ValueError(f"expected {shape[0]} feature names, got {len(names)}")


def _check_format(found: object) -> None:
    if found != FORMAT:
        raise ValueError(f"expected the format {FORMAT!r}, got {found!r}")


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry of the archive with a fixed date, so that the same model gives the same bytes."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # the same on every platform
    return entry
