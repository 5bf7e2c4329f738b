"""``survey`` looks through the shards, and ``fit`` fits a scorer to them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ..arrays.visible import LONGEST_SHOWN, counted, quoted, visible
from ..fitting.arguments import STEPS, checked_standardise, generator
from ..fitting.checkpoint import Checkpoint
from ..fitting.conjugate import DENSE, is_dense
from ..fitting.convex import largest_of
from ..fitting.determined import SATURATED, rounded_away, undetermined
from ..fitting.identity import identity_of
from ..fitting.interrupts import interrupted, interruptible
from ..fitting.penalties import checked_strength
from ..fitting.records import Bar, Callback
from ..fitting.units import Units
from ..fitting.usefulness import ending
from ..graphs import count_connected
from ..logistic import Array
from ..model import Outcome, RewardModel, read_only
from ..scorers import Scorer, TableScorer, check_size
from ..threads import blas_on_one_thread
from ..training import ConvergenceWarning
from . import shards as work
from .pool import Here, Pool, Workers
from .shards import Answer, Facts, Shard
from .summed import Records, Summed, adam, added, newton

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Survey", "fit", "survey"]

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True)
class Survey:
    """What a set of shards contains.

    Attributes
    ----------
    facts : tuple
        For each shard: path, SHA-256 of its content, number of pairs, and names of its features or items.
    feature_names : tuple of str, or None
        One name for each feature, or for each item of all shards together.
    """

    facts: tuple[Facts, ...]
    feature_names: tuple[str, ...] | None

    def __repr__(self) -> str:
        return f"Survey({counted(len(self.facts), 'shard')}, {self.said()})"

    def said(self, form: str = "") -> str:
        """Return the content in words, such as "630 pairs of 6 features". ``form`` formats the number of pairs."""
        what = counted(self.n_items, "item") if self.is_items else counted(self.n_features, "feature")
        return f"{counted(self.n_pairs, 'pair', form)} of {what}"

    @property
    def n_pairs(self) -> int:
        """Number of pairs in all shards."""
        return sum(facts.n_pairs for facts in self.facts)

    @property
    def is_items(self) -> bool:
        """True if the shards hold item numbers."""
        return self.facts[0].n_items > 0

    @property
    def n_features(self) -> int:
        """Number of features of one answer; 0 for items."""
        return self.facts[0].n_features

    @property
    def n_items(self) -> int:
        """Number of items of all shards together; 0 for features."""
        return max(len(self.feature_names or ()), *(facts.n_items for facts in self.facts)) if self.is_items else 0

    @cached_property
    def numberings(self) -> list[NDArray[np.int64] | None]:
        """For each shard, the number of each of its items in the numbering of all shards; None if it is the same."""
        if not self.is_items or self.feature_names is None:
            return [None] * len(self.facts)
        number = {name: i for i, name in enumerate(self.feature_names)}
        found = [np.array([number[name] for name in facts.names or ()], dtype=np.int64) for facts in self.facts]
        return [None if np.array_equal(new, np.arange(len(new))) else new for new in found]


def survey(paths: Paths, *, client: Client | None = None, timeout: float = 30.0) -> Survey:
    """Look through all shards, and check that they belong together.

    Parameters
    ----------
    paths : sequence of paths
        Files or folders that ``load_pairs`` reads. Every worker must find them under the same path.
    client : distributed.Client, optional
        The cluster whose workers read the shards; by default this process does.
    timeout : float
        How long to wait if there is no worker, in seconds.

    Raises
    ------
    ValueError
        If a shard cannot be read, has other features than the first, or is given twice. The message names its path.
    FileNotFoundError
        If there is no such shard.
    ConnectionError, TimeoutError
        If there is no scheduler, or no worker.
    """
    return _survey(_checked(paths), Here() if client is None else Workers(client, timeout))


def _checked(paths: Paths) -> list[str]:
    several = [paths] if isinstance(paths, str | Path) else paths
    if not isinstance(several, Sequence) or not all(isinstance(path, str | Path) for path in several):
        raise TypeError(f"paths: expected paths of shards, got {quoted(paths)}")
    found = [str(Path(path).absolute()) for path in several]
    if not found:
        raise ValueError("paths: expected at least one shard, got none")
    for path in found:
        if found.count(path) > 1:
            raise ValueError(f"{path}: expected each shard once, found it {found.count(path)} times")
    return found


def _survey(paths: list[str], pool: Pool) -> Survey:
    facts = pool.ask(work.inspect, [(path,) for path in paths])
    first = facts[0]
    for other in facts[1:]:
        if (other.n_items > 0) != (first.n_items > 0):
            kinds = ("items", "features") if first.n_items else ("features", "items")
            raise ValueError(f"{other.path}: expected {kinds[0]}, as in {first.path}, found {kinds[1]}")
        if other.n_features != first.n_features:
            raise ValueError(
                f"{other.path}: expected {counted(first.n_features, 'feature')}, as in {first.path}, "
                f"found {other.n_features}"
            )
        if (other.names is None) != (first.names is None):
            raise ValueError(f"{other.path}: expected names as in {first.path}, which both shards have or neither has")
        if not first.n_items and (other.names or ()) != (first.names or ()):
            mine, theirs = next((a, b) for a, b in zip(first.names or (), other.names or (), strict=True) if a != b)
            names = [visible(name, LONGEST_SHOWN) for name in (mine, theirs)]
            raise ValueError(f"{other.path}: expected the feature {names[0]}, as in {first.path}, found {names[1]}")
    if not first.n_items or first.names is None:
        return Survey(tuple(facts), first.names)
    longest: tuple[str, ...] = max((shard.names or () for shard in facts), key=len)
    if any(shard.names != longest[: len(shard.names or ())] for shard in facts):
        longest = tuple(sorted({name for shard in facts for name in shard.names or ()}))
    return Survey(tuple(facts), longest)


@interruptible
def fit(
    scorer: Scorer,
    paths: Paths | Survey,
    *,
    client: Client | None = None,
    method: str | None = None,
    l2: float = 0.0,
    seed: int = 0,
    validation: Paths = (),
    progress: bool = False,
    callback: Callback | None = None,
    max_steps: int | None = None,
    tolerance: float = 1e-9,
    learning_rate: float = 0.01,
    batch_size: int = 1024,
    patience: int = 20,
    standardise: bool | None = None,
    checkpoint: str | Path | None = None,
    resume: bool | str | Path = False,
    timeout: float = 30.0,
) -> RewardModel:
    """Fit a scorer to the pairs of many shards, in this process or on the workers of a Dask cluster.

    Parameters
    ----------
    scorer : Scorer
    paths : sequence of paths, or what ``survey`` returned
        Files or folders that ``load_pairs`` reads. Every worker must find them under the same path.
    client : distributed.Client, optional
        The cluster that does the work. By default everything is computed in this process. φ is the same in both cases,
        bit for bit.
    method : "newton" or "adam", optional
        By default Newton for scorers linear in φ, Adam for the MLP.
    l2, seed, progress, callback, tolerance, learning_rate, patience, standardise
        As in ``bradley_terry.fit``.
    validation : sequence of paths
        Held-out shards. The model is not fitted to them, but their loss is in the history. With them, Adam returns the
        φ with the smallest validation loss, and without them the φ with the smallest training loss.
    max_steps : int, optional
        Steps of Newton's method, by default 100, or passes of Adam over the data, by default 300.
    batch_size : int
        For Adam: the number of pairs that one step takes from the largest shard.
    checkpoint : path, optional
        A file for the state, replaced after each step of Newton's method or pass of Adam.
    resume : bool or path
        True continues from the state in ``checkpoint`` if that file exists. A path continues from the state in that
        file.
    timeout : float
        How long to wait if there is no worker, in seconds.

    Returns
    -------
    RewardModel

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        If an argument or a shard is invalid; the message names it. Also if a shard changes during the fit.
    ConnectionError, TimeoutError
        If the scheduler died, if every worker that was given a certain shard died, or if there was no worker for
        ``timeout`` seconds.

    Warns
    -----
    ConvergenceWarning
        As in ``bradley_terry.fit``.
    """
    pool: Pool = Here() if client is None else Workers(client, timeout)
    found = paths if isinstance(paths, Survey) else _survey(_checked(paths), pool)
    method, steps = _check(scorer, found, method, max_steps, l2, tolerance, learning_rate)
    standardise = checked_standardise(scorer, standardise)
    check_size("batch_size", batch_size)
    check_size("patience", patience)
    phi = np.array(scorer.initial(generator(seed)), dtype=np.float64)
    held_out = [] if isinstance(validation, Sequence) and not validation else _checked(validation)
    if both := {facts.path for facts in found.facts} & set(held_out):
        raise ValueError(f"{min(both)}: expected a shard for training or for validation, got it for both")
    everything = _survey([*(facts.path for facts in found.facts), *held_out], pool) if held_out else found
    names = everything.feature_names
    if found.is_items and (new := set(names or ()) - set(found.feature_names or ())):
        raise ValueError(f"validation: expected items that the training shards hold, found {quoted(min(new))}")
    units = _units(found, pool) if standardise and not isinstance(scorer, TableScorer) else None
    identity = {
        "shards": [facts.digest for facts in everything.facts],
        "division into training and validation": len(held_out),
        **identity_of({"scorer": scorer}),
        "method": method,
        "l2": float(l2),
        "seed": int(seed),
        "option": [float(tolerance), standardise] + ([float(learning_rate), batch_size] if method == "adam" else []),
    }
    saved, this_fit = Checkpoint(_path(checkpoint, resume), identity), uuid4().hex
    parts = [
        Shard(facts.path, facts.digest, i, this_fit, scorer, numbering, units, method == "newton")
        for i, (facts, numbering) in enumerate(zip(everything.facts, everything.numberings, strict=True))
    ]
    n = len(found.facts)
    objective = Summed(pool, parts[:n], parts[n:], float(l2), saved)
    with Bar(progress, method, steps) as bar, blas_on_one_thread(phi.size**3):
        records = Records(objective, callback, bar)
        if method == "newton":
            phi, outcome, message, hessian = newton(objective, phi, records, steps, tolerance)
        else:
            n_batches = -(-max(facts.n_pairs for facts in found.facts) // batch_size)
            phi, outcome, message, hessian = adam(
                objective,
                phi,
                records,
                steps,
                tolerance,
                rate=learning_rate,
                n_batches=n_batches,
                seed=seed,
                patience=patience,
            )
        if records.interrupts.asked and outcome is Outcome.STOPPED_BY_CALLBACK:
            outcome, message = interrupted(records.rows, saved.path, "resume=True")
        elif hessian is None and scorer.linear_in_phi:
            hessian = objective.hessian(phi)
    if isinstance(scorer, TableScorer):
        phi = phi - phi.mean()
        if hessian is not None and outcome.is_success:
            groups = count_connected(phi.size, *np.nonzero(np.triu(hessian, 1)))
            if groups > 1:
                message += (
                    f"; the items form {groups} groups with no comparisons between them: "
                    "compare rewards within a group only"
                )
    if hessian is not None and outcome.is_success and l2 == 0:
        outcome, message = _determined(objective, phi, hessian, names, (outcome, message))
    information = None if hessian is None else hessian * objective.total_weight
    if units is not None:
        phi, information = units.undone(scorer, phi, information)
    message, is_alarming = ending(outcome, message, method)
    if is_alarming:
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return RewardModel(
        scorer=scorer,
        phi=read_only(phi),
        history=records.history(),
        converged=outcome.is_success,
        message=message,
        feature_names=None if isinstance(scorer, TableScorer) and len(names or ()) != scorer.n_items else names,
        l2=float(l2),
        method=method,
        information=None if information is None else read_only(information),
        outcome=outcome,
    )


def _path(checkpoint: str | Path | None, resume: bool | str | Path) -> str | Path | None:
    """Return the path of the checkpoint. A file that exists is used only if this is asked for."""
    if not isinstance(resume, bool):
        if checkpoint is not None and Path(checkpoint) != Path(resume):
            raise ValueError(f"resume: expected True or the path of the checkpoint, {checkpoint}, got {resume}")
        if not Path(resume).exists():
            raise FileNotFoundError(f"{resume}: there is no such checkpoint")
        return resume
    if resume and checkpoint is None:
        raise ValueError("resume: expected the path of a checkpoint to go on from, got none")
    if checkpoint is not None and Path(checkpoint).exists() and not resume:
        raise FileExistsError(
            f"checkpoint: expected a new file, got {checkpoint}, which exists; resume=True goes on from it"
        )
    return checkpoint


def _check(
    scorer: Scorer,
    found: Survey,
    method: str | None,
    max_steps: int | None,
    l2: float,
    tolerance: float,
    learning_rate: float,
) -> tuple[str, int]:
    """Return the method and the limit of steps, or raise an error if an argument is wrong."""
    if not hasattr(scorer, "backward") or isinstance(scorer, type):
        raise TypeError(f"scorer: expected a scorer such as LinearScorer(n_features), got {quoted(scorer)}")
    first = found.facts[0].path
    if found.is_items != isinstance(scorer, TableScorer):
        raise ValueError(f"{first}: expected {'items' if found.n_features else 'features'} for {scorer}, found {found}")
    if isinstance(scorer, TableScorer) and found.n_items > scorer.n_items:
        raise ValueError(f"scorer: expected TableScorer({found.n_items}), the number of items, got {scorer}")
    if scorer.linear_in_phi and not is_dense(scorer.n_parameters):
        raise ValueError(f"scorer: expected at most {DENSE} parameters for data in shards, got {scorer}")
    if not found.is_items and (n_features := getattr(scorer, "n_features", found.n_features)) != found.n_features:
        raise ValueError(f"{first}: expected {counted(n_features, 'feature')} for {scorer}, found {found.n_features}")
    method = ("newton" if scorer.linear_in_phi else "adam") if method is None else method
    if method not in {"newton", "adam"}:
        raise ValueError(f"method: expected newton or adam for data in shards, got {quoted(method)}")
    if method == "newton" and not scorer.linear_in_phi:
        raise ValueError(f"method: 'newton' needs a scorer that is linear in phi, got {scorer}; use 'adam'")
    if max_steps is not None:
        check_size("max_steps", max_steps)
    for name, value in {"l2": l2, "tolerance": tolerance, "learning_rate": learning_rate}.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
            raise ValueError(f"{name}: expected a finite number of at least 0, got {quoted(value)}")
    checked_strength("l2", l2)
    if not learning_rate:
        raise ValueError("learning_rate: expected a positive number, got 0")
    return method, max_steps or STEPS[method]


def _units(found: Survey, pool: Pool) -> Units:
    """Return the mean and the standard deviation of each feature, over both answers of all pairs."""

    def total(shift: Array) -> Answer:
        return added(pool.ask(work.moments, [(facts.path, facts.digest, shift) for facts in found.facts]))

    mean = total(np.zeros(found.n_features))[0][0] / (2 * found.n_pairs)
    (_, squares), largest = total(mean)
    spread = np.sqrt(squares / (2 * found.n_pairs))
    return Units(mean, np.where(spread > 1e-12 * largest, spread, 1.0))


def _determined(
    objective: Summed, phi: Array, hessian: Array, names: tuple[str, ...] | None, ended: tuple[Outcome, str]
) -> tuple[Outcome, str]:
    """Return how a fit ended, as ``fitting.determined.determined`` does, if all curvatures are rounded away."""
    if not hessian.any() and (largest := largest_of(objective.at(phi).margins)) > SATURATED:
        return Outcome.NO_DESCENT, rounded_away(largest)
    return ended[0], ended[1] + undetermined(objective.shards[0].scorer, hessian, names)
