"""``bradley-terry train`` with several files of data: they are the shards of one fit, perhaps on several machines."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from ..arrays.visible import counted, for_json, visible
from ..files import feature_names as text_features
from ..model import RewardModel
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from .data import SHIPPED, name_of, warnings_in_lines
from .folder import continues, status_of, under_free_name, write_run

if TYPE_CHECKING:
    from ..distributed import Survey

__all__ = ["run"]


def run(arguments: Namespace, *, text_l2: float, share: float) -> int:
    """Fit, save the model and its history, and print the report. The status is 130 after Ctrl-C."""
    from .. import distributed

    if arguments.backend != "auto":
        raise ValueError(f"backend: expected auto for several shards, got {arguments.backend}")
    if arguments.loss is not None:
        raise ValueError(
            f"loss: expected none for several shards, which are fitted with -log sigma, got {arguments.loss}"
        )
    if arguments.workers is not None and arguments.scheduler is not None:
        raise ValueError("scheduler: expected --workers or --scheduler, got both")
    paths = _shards(arguments.data)
    where = arguments.scheduler if arguments.workers is None else arguments.workers
    with nullcontext() if where is None else distributed.cluster(where) as client:
        found = distributed.survey(paths, client=client)
        scorer = _scorer(found, arguments)
        n_held_out = _held_out(len(paths), arguments.validation, 0.0 if found.is_items else share)
        is_text = found.feature_names == text_features()
        with warnings_in_lines():
            model = distributed.fit(
                scorer,
                paths[: len(paths) - n_held_out],
                client=client,
                method=arguments.method,
                l2=(text_l2 if is_text else 0.0) if arguments.l2 is None else arguments.l2,
                seed=arguments.seed,
                validation=paths[len(paths) - n_held_out :],
                progress=sys.stderr.isatty() and not arguments.json,
                standardise=arguments.standardise,
                checkpoint=arguments.checkpoint,
                resume=arguments.checkpoint is not None,
            )
    status = status_of(model)
    report = _report(model, found, n_held_out)
    force = arguments.out is not None and (arguments.force or continues(arguments.out, arguments.checkpoint, model))
    save = partial(write_run, "out", model=model, report=report, force=force)
    out = under_free_name(arguments.out, name_of(arguments.data[0]), save)
    if arguments.json:
        print(json.dumps(for_json({**_numbers(model, found, n_held_out), "out": str(out)}), indent=2))
    else:
        print(f"{report}\nWritten to {visible(str(out))}: model.npz, history.csv and report.md.")
    return status


def _shards(data: Sequence[str]) -> list[str]:
    """Return the paths of the shards; a folder that ``split`` wrote stands for all its shards."""
    found: list[str] = []
    for name in data:
        path = Path(name)
        if name in SHIPPED and not path.exists():
            raise ValueError(f"data: expected files or folders of shards, got the data set {name}; see split --help")
        inside = sorted(str(shard) for shard in path.glob("shard-*")) if path.is_dir() else []
        found += inside or [name]
    return found


def _scorer(found: Survey, arguments: Namespace) -> Scorer:
    kind = arguments.scorer or ("table" if found.is_items else "linear")
    for option in ("hidden", "activation"):
        if kind != "mlp" and getattr(arguments, option) is not None:
            raise ValueError(f"{option}: expected only with the scorer mlp, got the scorer {kind}")
    if (kind == "table") != found.is_items:
        raise ValueError(f"scorer: expected data that suit the scorer {kind}, got {found}")
    if kind == "table":
        return TableScorer(found.n_items)
    if kind == "linear":
        return LinearScorer(found.n_features)
    n_hidden = 32 if arguments.hidden is None else arguments.hidden
    return MLPScorer(found.n_features, n_hidden, arguments.activation or "tanh")


def _held_out(n_shards: int, share: float | None, default: float) -> int:
    """Return how many of the last shards are held out: the share of them, rounded, at least one on each side."""
    if share is None:
        share = default if n_shards > 1 else 0.0
    if not 0 <= share < 1:
        raise ValueError(f"validation: expected a share of at least 0 and below 1, got {share:g}")
    if share > 0 and n_shards < 2:
        raise ValueError("validation: expected at least two shards, of which the last is held out, got one")
    return 0 if share == 0 else min(max(1, round(share * n_shards)), n_shards - 1)


def _numbers(model: RewardModel, found: Survey, n_held_out: int) -> dict[str, object]:
    losses, best = model.history["loss"], -1
    if model.method == "adam":  # it returns its best φ, which need not be the last
        best = int((model.history["validation_loss"] if n_held_out else losses).argmin())
    return {
        "n_shards": len(found.facts),
        "n_held_out_shards": n_held_out,
        "n_pairs": found.n_pairs,
        "scorer": str(model.scorer),
        "method": model.method,
        "l2": model.l2,
        "converged": model.converged,
        "message": model.message,
        "training_loss": float(losses[best]),
        "training_accuracy": float(model.history["accuracy"][best]),
        "held_out_loss": float(model.history["validation_loss"][best]) if n_held_out else None,
    }


def _report(model: RewardModel, found: Survey, n_held_out: int) -> str:
    numbers = _numbers(model, found, n_held_out)
    n = len(found.facts)
    lines = [
        "# A reward model fitted to shards",
        "",
        f"The data are {found.said(',')} in {counted(n, 'shard')}.",
        f"The training loss is {numbers['training_loss']:.4f} nats, and the model prefers the chosen answer in "
        f"{numbers['training_accuracy']:.1%} of the training pairs. A model that knows nothing has a loss of 0.6931.",
    ]
    if n_held_out:
        which = "last shard was" if n_held_out == 1 else f"last {n_held_out} shards were"
        lines.append(f"The {which} held out; the loss there, without penalty, is {numbers['held_out_loss']:.4f}.")
    return "\n".join([*lines, "", indent(model.summary(), "    "), ""])  # a name in it could end a block between fences
