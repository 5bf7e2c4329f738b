"""What is computed for one shard. These functions run on the workers, or in this process if there are none.

A function is given the path of a shard and φ, and keeps nothing between calls except a cache of loaded shards. So any
worker can compute any shard at any time, and the death of a worker loses nothing.
"""

from __future__ import annotations

import hashlib
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..evaluation import mean_accuracy
from ..files import load_pairs
from ..files.opened import open_file
from ..fitting.convex import largest_of
from ..fitting.tally import tallied
from ..fitting.units import Units
from ..logistic import Array
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import Scorer, TableScorer

__all__ = ["Answer", "Facts", "Shard", "batch", "cut_by_prompt", "extremes", "hessian", "inspect", "moments", "sums"]

MOST_KEPT = 2**30  # bytes of loaded shards that a process keeps; a shard that was dropped is loaded again

Answer = tuple[Array, Array]
"""Numbers that are added over the shards, and numbers of which the largest over the shards is taken."""


class Facts(NamedTuple):
    """What the driver must know about a shard. ``n_items`` is 0 for features, ``n_features`` is 0 for items."""

    path: str
    digest: str
    n_pairs: int
    n_features: int
    n_items: int
    names: tuple[str, ...] | None


class Shard(NamedTuple):
    """One shard of a fit, with all that a worker needs to compute its part of the objective.

    ``numbering`` gives the number of each of its items in the whole fit, if that differs from the number in the shard.
    """

    path: str
    digest: str
    number: int
    fit: str  # a name for this fit, different from the names of all others
    scorer: Scorer
    numbering: NDArray[np.int64] | None
    units: Units | None
    is_tallied: bool


def inspect(path: str) -> Facts:
    """Load a shard and return what the driver must know about it."""
    loaded = _load(path)
    pairs = loaded.pairs
    n_items = pairs.n_items if pairs.is_items else 0
    return Facts(
        path, loaded.digest, len(pairs), 0 if pairs.is_items else pairs.n_features, n_items, pairs.feature_names
    )


def moments(path: str, digest: str, shift: Array) -> Answer:
    """Return Σ (x - shift), Σ (x - shift)² and the largest |x| of each feature, over both answers of each pair."""

    def compute(loaded: _Loaded) -> Answer:
        both = np.concatenate([loaded.pairs.chosen, loaded.pairs.rejected]).astype(np.float64)
        largest = np.abs(both).max(axis=0)
        both -= shift
        return np.stack([both.sum(axis=0), np.einsum("ij,ij->j", both, both)]), largest

    return _unchanged(path, digest, compute)


def sums(shard: Shard, phi: Array) -> Answer:
    """Return Σ w, Σ w·loss, Σ w·accuracy and Σ w·gradient as one vector, and the largest |Δ - m|."""

    def compute(loaded: _Loaded) -> Answer:
        objective = loaded.objective(shard)
        point, pairs = objective.at(phi), objective.pairs
        accuracy = mean_accuracy(point.margins, pairs.labels, pairs.weights)
        means = np.concatenate([[1.0, point.loss, accuracy], point.gradient])
        return pairs.total_weight * means, _largest(objective.shifted(point.margins))

    return _unchanged(shard.path, shard.digest, compute)


def hessian(shard: Shard, phi: Array) -> Answer:
    """Return Σ w·Hessian, (n_parameters, n_parameters)."""

    def compute(loaded: _Loaded) -> Answer:
        objective = loaded.objective(shard)
        return objective.pairs.total_weight * objective.hessian(phi), np.zeros(1)

    return _unchanged(shard.path, shard.digest, compute)


def extremes(shard: Shard, phi: Array) -> Answer:
    """Return the largest |Δ| at φ."""
    return _unchanged(
        shard.path, shard.digest, lambda loaded: (np.zeros(0), _largest(loaded.objective(shard).margins(phi)))
    )


def batch(shard: Shard, phi: Array, seed: int, n_pass: int, number: int, n_batches: int) -> Answer:
    """Return Σ w·gradient over one of the ``n_batches`` mini-batches into which a pass divides this shard."""

    def compute(loaded: _Loaded) -> Answer:
        objective = loaded.objective(shard)
        parts = loaded.parts((shard.fit, seed, n_pass, shard.number, n_batches), objective.pairs)
        rows = parts[number]
        if objective.pairs.weights is not None:
            rows = rows[objective.pairs.weights[rows] > 0]
        if not rows.size:
            return np.zeros(phi.size), np.zeros(1)
        part = objective.on(objective.pairs.subset(rows), l2=0.0)
        return part.pairs.total_weight * part(phi)[1], np.zeros(1)

    return _unchanged(shard.path, shard.digest, compute)


def cut_by_prompt(pairs: PreferencePairs, n_parts: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return the rows of ``n_parts`` parts of about equal size, in random order, with no prompt in two parts.

    A part is empty if there are too few prompts. Within a part the rows keep their order.
    """
    index = pairs.prompt_index
    place = rng.permutation(int(index.max()) + 1)[index]  # position of each row's prompt in the random order
    rows, ends = np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))  # where each prompt ends
    wanted = np.arange(1, n_parts) * len(pairs) / n_parts
    return [np.sort(part) for part in np.split(rows, ends[np.searchsorted(ends, wanted - 0.5)])]


class _Loaded:
    """A shard in memory, with what tells whether its file has changed since."""

    def __init__(self, path: str) -> None:
        self.stamp = _stamp(path)
        self.pairs, self.digest = load_pairs(path), _digest(path)  # the first refuses what is no file of data
        self._objective: tuple[str, Objective] | None = None
        self._parts: tuple[object, list[NDArray[np.int64]]] | None = None

    @property
    def n_bytes(self) -> int:
        """An estimate of the memory that the shard and its differences chosen - rejected need."""
        return 8 * self.pairs.chosen.size * (1 if self.pairs.is_mapped else 3)

    def objective(self, shard: Shard) -> Objective:
        """Return the objective of this shard without a penalty, made on first use in each fit."""
        made = self._objective
        if made is None or made[0] != shard.fit:
            pairs = self.pairs
            if shard.numbering is not None:
                chosen, rejected = (shard.numbering[items] for items in (pairs.chosen, pairs.rejected))
                pairs = replace(pairs, chosen=chosen, rejected=rejected, feature_names=None)
            elif isinstance(shard.scorer, TableScorer):
                pairs = replace(pairs, feature_names=None)  # it need not name all items of the fit
            if shard.units is not None:
                pairs = shard.units.standardised(pairs)
            pairs = tallied(pairs, shard.scorer) if shard.is_tallied else pairs
            made = self._objective = shard.fit, Objective(shard.scorer, pairs)
        return made[1]

    def parts(self, seeds: tuple[str, int, int, int, int], pairs: PreferencePairs) -> list[NDArray[np.int64]]:
        """Return the mini-batches of a pass over these pairs; the last pass is kept."""
        made = self._parts
        if made is None or made[0] != seeds:
            made = self._parts = seeds, cut_by_prompt(pairs, seeds[-1], np.random.default_rng(seeds[1:-1]))
        return made[1]


_kept: OrderedDict[str, _Loaded] = OrderedDict()


def _load(path: str) -> _Loaded:
    """Return a shard from the cache, or load it if it is not there or its file has changed."""
    loaded = _kept.get(path)
    if loaded is None or loaded.stamp != _stamp(path):
        loaded = _Loaded(path)
    _kept[path] = loaded
    _kept.move_to_end(path)
    n_bytes = sum(kept.n_bytes for kept in list(_kept.values()))
    for other in list(_kept)[:-1]:
        if n_bytes <= MOST_KEPT:
            break
        if (dropped := _kept.pop(other, None)) is not None:  # another thread of this worker may have dropped it
            n_bytes -= dropped.n_bytes
    return loaded


def _unchanged(path: str, digest: str, compute: Callable[[_Loaded], Answer]) -> Answer:
    """Return what is computed from a shard, if its content is that of ``digest`` before and after."""
    for _ in range(2):
        loaded = _load(path)
        if loaded.digest != digest:
            break
        answer = compute(loaded)
        if _stamp(path) == loaded.stamp:
            return answer
    raise ValueError(f"{path}: expected the shard to stay the same during the fit, found that it has changed")


def _files(path: str) -> list[Path]:
    place = Path(path)
    return sorted(place.glob("*.npy")) if place.is_dir() else [place]


def _stamp(path: str) -> tuple[tuple[int, ...], ...]:
    """Return what changes on this machine when a file of the shard is written."""
    try:
        states = [file.stat() for file in _files(path)]
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such shard on {socket.gethostname()}") from None
    return tuple((s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in states)


def _digest(path: str) -> str:
    """Return the SHA-256 of the content, which is the same for a copy of the shard on another machine."""
    whole = hashlib.sha256()
    for place in _files(path):
        with open_file(place, empty=None) as file:
            whole.update(place.name.encode() + hashlib.file_digest(file, "sha256").digest())  # type: ignore[arg-type]
    return whole.hexdigest()


def _largest(values: Array) -> Array:
    return np.array([largest_of(values)])
