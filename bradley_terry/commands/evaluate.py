"""``bradley-terry evaluate``: evaluate a saved model on preference pairs."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..arrays.visible import from_markdown, visible
from ..evaluation import evaluate
from ..fitting.matching import matched as in_numbering_of
from ..fitting.matching import refuse_other_features
from ..model import RewardModel
from ..pairs import PreferencePairs
from ..scorers import TableScorer
from .baselines import beside, in_json
from .data import DATA_HELP, check_writable, find_data, warnings_in_lines
from .report import judgement

__all__ = ["load_model", "matched"]

SUMMARY = "evaluate a saved model on preference pairs"
EXAMPLE = "bradley-terry evaluate runs/travel-modes travel-modes"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model.npz file, or the folder that train wrote")
    parser.add_argument("data", metavar="DATA", help=DATA_HELP)
    parser.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="folder to write figures to (default: draw none)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: Namespace) -> int:
    """Evaluate the model and print the result."""
    if arguments.figures is not None:
        check_writable(arguments.figures)
    model = load_model(arguments.model)
    with warnings_in_lines():
        pairs = matched(model, find_data(arguments.data).pairs, name=arguments.data)
    result = evaluate(model, pairs)
    if arguments.figures is not None:
        from ..drawing.figures import model_figures

        for path in model_figures(model, result, None, arguments.figures, evaluated="pairs"):
            print(f"wrote {visible(str(path))}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(result.to_dict() | in_json(beside(result, pairs)), indent=2))
    else:
        title = f"Evaluation: {arguments.model} on {arguments.data}"
        print(from_markdown(judgement(result, pairs, model=model, title=title)), end="")
    return 0


def load_model(path: str | Path) -> RewardModel:
    """Return a saved model, from its file or from the folder that ``train`` wrote."""
    path = Path(path)
    return RewardModel.load(path / "model.npz" if path.is_dir() else path)


def matched(model: RewardModel, pairs: PreferencePairs, *, name: str = "pairs") -> PreferencePairs:
    """Return these pairs with their items numbered as the model numbers them.

    A file of comparisons numbers its items in the order of their names. If it does not hold all the items that the
    model was trained on, its numbers differ from those of the model, so the items are matched by name. Features must
    have the same names as those of the model, in the same order.

    Parameters
    ----------
    model : RewardModel
    pairs : PreferencePairs
    name : str
        Name of the pairs in error messages.

    Raises
    ------
    ValueError
        If the pairs do not suit this kind of scorer, have other features, or hold an item that the model has not seen.
    """
    if pairs.is_items != isinstance(model.scorer, TableScorer):
        raise ValueError(f"{name}: expected pairs for {model.scorer}, got {pairs}")
    mine, theirs = model.feature_names, pairs.feature_names
    if not pairs.is_items and mine is not None and theirs is not None and len(mine) != len(theirs):
        refuse_other_features(mine, theirs, name)
    return in_numbering_of(model.scorer, mine, pairs, name)
