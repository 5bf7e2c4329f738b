"""``bradley-terry train``: fit a reward model to preference pairs, evaluate it, and explain what it learned.

``train`` does it all and returns a ``TrainingRun``; the verb calls it, saves the run and prints its report.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from operator import eq
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arrays import single
from ..arrays.visible import for_json, from_markdown, in_notebook, quoted, visible
from ..evaluation import Evaluation
from ..files import feature_names
from ..files.text import TEXT_L2
from ..losses import PairLoss
from ..model import RewardModel
from ..objective import AUTO, BACKENDS
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer, check_size
from ..training import fit
from .baselines import beside, in_json
from .data import DATA_HELP, check_writable, find_data, find_rankings, name_of, warnings_in_lines
from .folder import check_new, continues, is_untrained, status_of, under_free_name, write_run
from .report import Weight, example_in_words, markdown, weights_by_strength

if TYPE_CHECKING:
    from ..findings import Diagnosis
    from ..ranking.listwise import RankingLoss
    from ..ranking.rankings import PreferenceRankings

__all__ = ["TrainingRun", "train"]

SUMMARY = "fit a reward model to preference pairs, evaluate it, and explain what it learned"
EXAMPLE = "bradley-terry train answers.jsonl --out runs/answers"

VALIDATION = 0.2  # share of the prompts that are held out
NO_DIAGNOSIS = (
    "There is no diagnosis, because there was not enough memory for it. `bradley-terry doctor RUN_FOLDER DATA` makes "
    "it where there is more."
)


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """A fitted model with the pairs it was fitted to and tested on, its evaluations, and a report in words.

    Attributes
    ----------
    name : str
        Name of the data.
    model : RewardModel
    training : PreferencePairs
    held_out : PreferencePairs, or None
        None if all pairs were used for the fit.
    training_evaluation : Evaluation
    held_out_evaluation : Evaluation, or None
    weights : list of Weight
        What the model learned, the strongest first; empty for an MLP, whose weights have no names.
    example : str
        One pair, explained in words; empty if no example was asked for.
    seed : int
    folder : Path, optional
        Where the run was saved.
    n_equal_texts : int, or None
        The number of pairs in which both answers have the same text; None if the answers are no texts.
    """

    name: str
    model: RewardModel
    training: PreferencePairs
    held_out: PreferencePairs | None
    training_evaluation: Evaluation
    held_out_evaluation: Evaluation | None
    weights: list[Weight]
    example: str = ""
    seed: int = 0
    folder: Path | None = field(default=None)
    n_equal_texts: int | None = None

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation on the held-out pairs, or on the training pairs if none were held out."""
        return self.held_out_evaluation or self.training_evaluation

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What the training doctor finds in this run; see ``diagnose``."""
        from ..findings import diagnose

        return diagnose(self.model, self.training, validation=self.held_out)

    @property
    def report(self) -> str:
        """The report as Markdown, without its figures."""
        return self._markdown()

    def _markdown(self, figures: Mapping[str, tuple[str, str]] | None = None) -> str:
        diagnosis: Diagnosis | str
        try:
            diagnosis = self.diagnosis
        except MemoryError:  # the model is worth more than its diagnosis
            diagnosis = NO_DIAGNOSIS
        return markdown(
            self.model,
            name=self.name,
            training=self.training,
            training_evaluation=self.training_evaluation,
            held_out_evaluation=self.held_out_evaluation,
            weights=self.weights,
            example=self.example,
            figures=figures,
            held_out_pairs=self.held_out,
            diagnosis=diagnosis,
            n_equal_texts=self.n_equal_texts,
            seed=self.seed,
        )

    def __repr__(self) -> str:
        state = "converged" if self.model.converged else "NOT CONVERGED"
        where = "training" if self.held_out is None else "held-out"
        return visible(
            f"TrainingRun({self.name!r}, {self.model.scorer}, {state}, "
            f"{where} loss {self.evaluation.mean_loss:.4f}, accuracy {self.evaluation.accuracy:.3f})"
        )

    def __str__(self) -> str:
        return from_markdown(self.report)

    def _repr_markdown_(self) -> str:
        return in_notebook(self.report)

    def save(self, folder: str | Path, *, force: bool = False) -> list[Path]:
        """Write model.npz, history.csv, report.md and its figures into a folder, and return their paths.

        The folder is written as a whole. If this is interrupted, the folder keeps its earlier content, or is not
        created.

        Raises
        ------
        ValueError
            If the folder exists and ``force`` is False. With ``force``, the files of an earlier run are removed from
            it, and all other files in it stay.
        OSError
            If the folder cannot be written to. An earlier run in it then stays as it is.
        """
        from ..drawing import figures

        folder = single.path("folder", folder)
        single.switch("force", force)
        captions = figures.captions(self.model, labelled=self.evaluation.labels is not None)
        shown = {name: (title, captions[name]) for name, title in figures.TITLES.items()}
        draw = partial(figures.model_figures, self.model, self.evaluation, None)
        return write_run("folder", Path(folder), self.model, self._markdown(shown), force=force, draw=draw)

    def to_dict(self) -> dict[str, object]:
        """Return the run as a dict of plain types, as ``bradley-terry train --json`` prints it."""
        held_out = self.held_out_evaluation
        return {
            "name": self.name,
            "out": None if self.folder is None else str(self.folder),
            "scorer": str(self.model.scorer),
            "method": self.model.method,
            "l2": self.model.l2,
            "loss": "BradleyTerry()" if self.model.loss is None else repr(self.model.loss),
            "seed": self.seed,
            "converged": self.model.converged,
            "message": self.model.message,
            "training": self.training_evaluation.to_dict(),
            "held_out": None if held_out is None else held_out.to_dict(),
            "weights": [weight.to_dict() for weight in self.weights],
            "example": self.example or None,
            **in_json(beside(self.evaluation, self.held_out or self.training, self.training)),
        }


def train(
    data: str | Path | PreferencePairs | PreferenceRankings = "travel-modes",
    *,
    scorer: str | Scorer | None = None,
    hidden: int | None = None,
    activation: str | None = None,
    method: str | None = None,
    standardise: bool | None = None,
    l2: float | None = None,
    loss: str | PairLoss | RankingLoss | None = None,
    seed: int = 0,
    validation: float | None = None,
    example: bool = True,
    progress: bool = False,
    backend: str = AUTO,
    out: str | Path | None = None,
    force: bool = False,
    checkpoint: str | Path | None = None,
) -> TrainingRun:
    """Fit a reward model to preference pairs, evaluate it on held-out pairs, and explain what it learned.

    ``print(train())`` shows the report that ``bradley-terry train`` prints.

    Parameters
    ----------
    data : str, Path, PreferencePairs or PreferenceRankings
        A file that ``load_pairs`` reads, one of "travel-modes", "citations" and "baseball", or the pairs themselves.
        With a loss of rankings, ``load_rankings`` reads the file. The evaluation then uses all pairs of each ranking.
    scorer : "linear", "mlp", "table" or a scorer, optional
        By default "table" for item numbers and "linear" for features.
    hidden : int, optional
        Number of hidden units of the MLP, by default 32.
    activation : "tanh" or "relu", optional
        Activation of the MLP, by default "tanh".
    method : "newton", "gradient_descent", "adam", optional
        As in ``fit``.
    standardise : bool, optional
        As in ``fit``: scale the features to mean 0 and variance 1. By default True for the MLP, False for the others.
    l2 : float, optional
        Adds ``l2/2·|φ|²`` to the loss. By default 0, or 0.03 for texts.
    loss : str or a loss, optional
        Another loss than -log sigma(Δ), such as ``bt.losses.Hinge(2.0)``, or its name, such as "hinge:delta=2". The
        losses of rankings are "plackett-luce", the default for rankings, and "list-net".
    seed : int
        Seed of the split, the initial φ and the mini-batches.
    validation : float, optional
        Share of the prompts to hold out; 0 holds out none. By default 0.2, or 0 for items.
    example : bool
        Explain one pair in words. If the data are texts, the report quotes those of this pair.
    progress : bool
        Show a progress bar.
    backend : str
        As in ``Objective``.
    out : str or Path, optional
        Folder to save the run in. By default the run is not saved, and it never is if Ctrl-C came before the first
        step.
    force : bool
        Replace the files of an earlier run in ``out``. Other files in it stay.
    checkpoint : str or Path, optional
        As in ``fit``: a file for the state of the fit, from which the same call goes on. If Ctrl-C ended the run in
        ``out``, the same call replaces it without ``force``.

    Returns
    -------
    TrainingRun

    Raises
    ------
    ValueError, TypeError, OSError
        The message names the argument and says what was expected and what was found.

    Warns
    -----
    ConvergenceWarning
        As in ``fit``.
    """
    single.seed(seed)
    for name, value in {"standardise": standardise, "example": example, "progress": progress, "force": force}.items():
        if value is not None:
            single.switch(name, value)
    folder = None if out is None else single.path("out", out)
    saved_in = None if checkpoint is None else single.path("checkpoint", checkpoint)
    if folder is not None:
        check_new("out", folder, force or continues(folder, saved_in))
        check_writable(folder)
    if isinstance(loss, str):
        from ..ranking.named import loss_named

        loss = loss_named(loss)
    is_ranked = hasattr(data, "reference_backend")  # that is for rankings
    if loss is None and is_ranked:
        loss = data.usual_loss()  # type: ignore[union-attr]
    found = find_rankings(data) if is_ranked or hasattr(loss, "ranking_slopes") else find_data(data)  # type: ignore[arg-type]
    pairs, texts = found.pairs, found.texts
    scorer = _scorer(found.name if data is pairs or is_ranked else str(data), pairs, scorer, hidden, activation)
    if standardise and pairs.is_items:
        raise ValueError("standardise: expected data with features, got item numbers")
    is_held_out = _held_out(pairs, validation, seed)
    training = pairs.subset(~is_held_out) if is_held_out.any() else pairs
    held_out = pairs.subset(is_held_out) if is_held_out.any() else None
    fitted, tested = training, held_out
    if found.rankings is not None:
        is_tested = np.isin(found.rankings.cluster_index, np.unique(pairs.prompt_index[is_held_out]))
        fitted = found.rankings.subset(~is_tested)  # type: ignore[assignment]
        tested = found.rankings.subset(is_tested) if is_tested.any() else None  # type: ignore[assignment]
    model = fit(
        scorer,
        fitted,
        method=method,
        l2=(TEXT_L2 if texts is not None or pairs.feature_names == feature_names() else 0.0) if l2 is None else l2,
        seed=seed,
        validation=tested,
        progress=progress,
        standardise=standardise,
        loss=loss,  # type: ignore[arg-type]  # or a loss of rankings
        backend=backend,
        checkpoint=checkpoint,
    )
    if found.rankings is not None:
        model = replace(model, loss=loss)  # type: ignore[arg-type]  # the report says what the model was fitted with
    said = ""
    if example:
        row = int(np.argmax(is_held_out))  # the first pair that was held out, or the first pair
        words = None if texts is None else (texts.prompts[row], texts.chosen[row], texts.rejected[row])
        said = example_in_words(model, pairs.subset([row]), words)
    run = TrainingRun(
        name=found.name,
        model=model,
        training=training,
        held_out=held_out,
        training_evaluation=model.evaluate(training),
        held_out_evaluation=None if held_out is None else model.evaluate(held_out),
        weights=weights_by_strength(model, training),
        example=said,
        seed=seed,
        folder=None if is_untrained(model) else folder,
        n_equal_texts=None if texts is None else sum(map(eq, texts.chosen, texts.rejected)),
    )
    if run.folder is not None:
        run.save(run.folder, force=force or continues(run.folder, saved_in, model))
    return run


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``train``."""
    parser.add_argument(
        "data",
        nargs="*",
        default=["travel-modes"],
        metavar="DATA",
        help=f"{DATA_HELP} (default: travel-modes). If you give several, they are the shards of one fit",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="fit to the shards in N processes on this machine")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="fit to the shards on a running Dask cluster")
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="save the state of the fit in FILE after each step, and go on from FILE if it exists; the same call after "
        "Ctrl-C needs no --force",
    )
    parser.add_argument(
        "--scorer",
        choices=["linear", "mlp", "table"],
        help="scorer to fit (default: table for comparisons of items, otherwise linear)",
    )
    parser.add_argument("--hidden", type=int, metavar="N", help="number of hidden units of the MLP (default: 32)")
    parser.add_argument("--activation", choices=["tanh", "relu"], help="activation of the MLP (default: tanh)")
    parser.add_argument(
        "--method",
        choices=["newton", "gradient_descent", "adam"],
        help="how to minimise the loss (default: adam for the MLP, otherwise newton)",
    )
    parser.add_argument(
        "--standardise",
        action=BooleanOptionalAction,
        help="scale the features to mean 0 and variance 1 for the fit (default: only for the MLP)",
    )
    parser.add_argument(
        "--l2", type=float, metavar="L2", help="add the penalty L2/2·|phi|² to the loss (default: 0, or 0.03 for texts)"
    )
    parser.add_argument(
        "--loss",
        metavar="NAME",
        help="a loss other than -log sigma, with its parameters after a colon, as in hinge:delta=2 or "
        "label-smoothing:epsilon=0.1; for pairs: exponential, focal, hinge, label-smoothing, noisy-choice, probit, "
        "robust, scaled, sigmoid, square, temperature, unhinged; for ties and grades: davidson, ordinal, rao-kupper; "
        "for rankings: list-net, plackett-luce",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of the split, the initial parameters and the mini-batches (default: 0)",
    )
    parser.add_argument(
        "--validation",
        type=float,
        metavar="SHARE",
        help="share of the prompts to hold out from the fit; 0 for none (default: 0.2, or 0 for comparisons of items). "
        "With several shards, it is the share of the shards to hold out; the last ones are held out",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=AUTO,
        help="what computes the loss: numpy, the compiled kernels of numba, or the faster of the two (default: auto)",
    )
    parser.add_argument(
        "--no-example",
        dest="example",
        action="store_false",
        help="leave the example out of the report; use this if your texts must not be quoted",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder to write to (default: runs/NAME, or the next free runs/NAME-2)",
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier run in --out; other files stay")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: Namespace) -> int:
    """Train, save the run, and print its report. After Ctrl-C this is the best model so far, and the status is 130."""
    out, folder = arguments.out, Path(arguments.data[0])
    if out is not None:
        check_new("out", out, arguments.force or continues(out, arguments.checkpoint))
    check_writable(out or Path("runs"))
    is_sharded = len(arguments.data) > 1 or (folder.is_dir() and any(folder.glob("shard-*")))
    if is_sharded or arguments.workers is not None or arguments.scheduler:
        from .sharded import run as run_sharded

        return run_sharded(arguments, text_l2=TEXT_L2, share=VALIDATION)
    with warnings_in_lines():
        result = train(
            arguments.data[0],
            scorer=arguments.scorer,
            hidden=arguments.hidden,
            activation=arguments.activation,
            method=arguments.method,
            standardise=arguments.standardise,
            l2=arguments.l2,
            loss=arguments.loss,
            seed=arguments.seed,
            validation=arguments.validation,
            example=arguments.example,
            progress=sys.stderr.isatty() and not arguments.json,
            backend=arguments.backend,
            checkpoint=arguments.checkpoint,
        )
    status = status_of(result.model)
    force = out is not None and (arguments.force or continues(out, arguments.checkpoint, result.model))
    out = under_free_name(out, name_of(arguments.data[0]), partial(result.save, force=force))
    if arguments.json:
        print(json.dumps(for_json(replace(result, folder=out).to_dict()), indent=2))
    else:
        print(
            f"{result}\nWritten to {visible(str(out))}: model.npz, history.csv, report.md, and the figures loss_curve,"
        )
        has_reliability = (out / "reliability.svg").exists()  # not if the loss only orders answers
        print(f"margins{' and reliability' if has_reliability else ''}, each as SVG and PNG.")
    return status


def _held_out(pairs: PreferencePairs, share: float | None, seed: int) -> NDArray[np.bool_]:
    """Return the mask, (n_pairs,), of the pairs to hold out."""
    if share is None:
        share = 0.0 if pairs.is_items or pairs.n_prompts < 2 else VALIDATION
    share = share if np.isnan(single.number(share)) else single.number(share)
    return (
        np.zeros(len(pairs), dtype=bool)
        if isinstance(share, float) and share == 0
        else pairs.held_out(share, seed=seed)
    )


def _scorer(
    name: str, pairs: PreferencePairs, scorer: str | Scorer | None, hidden: int | None, activation: str | None
) -> Scorer:
    """Return the scorer that was asked for, or refuse it if it does not suit the pairs."""
    if scorer is not None and not isinstance(scorer, str) and not hasattr(scorer, "backward"):
        wanted = "'linear', 'mlp', 'table' or a scorer"
        raise TypeError(f"scorer: expected {wanted}, got {quoted(scorer)}")
    kind = scorer or ("table" if pairs.is_items else "linear")
    for option, value in {"hidden": hidden, "activation": activation}.items():
        if kind != "mlp" and value is not None:
            raise ValueError(f"{option}: expected only with the scorer mlp, got the scorer {kind}")
    if not isinstance(kind, str):
        return kind
    if kind not in {"linear", "mlp", "table"}:
        raise ValueError(f"scorer: expected 'linear', 'mlp', 'table' or a scorer, got {quoted(scorer)}")
    if (kind == "table") != pairs.is_items:
        wanted, got = ("item numbers", "features") if kind == "table" else ("features", "item numbers")
        raise ValueError(
            f"scorer: expected data with {wanted} for the scorer {kind}, but {visible(name, 1000)} holds {got}"
        )
    if kind == "table":
        used = len(np.unique(np.concatenate([pairs.chosen, pairs.rejected])))
        if pairs.n_items > max(1000, 10 * used):
            raise ValueError(
                f"{name}: expected items numbered from 0, found {used} items with numbers up to {pairs.n_items - 1}"
            )
        return TableScorer(pairs.n_items)
    if kind == "mlp":
        n_hidden = 32 if hidden is None else hidden
        check_size("hidden", n_hidden)
        return MLPScorer(pairs.n_features, n_hidden, activation or "tanh")
    return LinearScorer(pairs.n_features)
