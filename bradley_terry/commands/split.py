"""``bradley-terry split``: divide data into shards, for a fit on several machines."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ..arrays import single
from ..arrays.visible import counted, quoted, visible
from ..pairs import PreferencePairs
from ..scorers import check_size
from .data import DATA_HELP, check_writable, find_data

__all__ = ["split"]

SUMMARY = "divide data into shards, for a fit on several machines"
EXAMPLE = "bradley-terry split answers.jsonl --shards 8 --out shards"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``split``."""
    parser.add_argument("data", metavar="DATA", help=DATA_HELP)
    parser.add_argument("--shards", type=int, required=True, metavar="K", help="number of shards")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="new folder for the shards")
    parser.add_argument(
        "--format",
        choices=["npz", "npy"],
        default="npz",
        help="write each shard as one .npz file or as a folder of .npy files (default: npz)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the division (default: 0)")


def run(arguments: Namespace) -> int:
    """Write the shards and say what was written."""
    found = find_data(arguments.data)
    paths = split(found.pairs, arguments.shards, arguments.out, file_format=arguments.format, seed=arguments.seed)
    out = visible(str(arguments.out))
    names = f"{paths[0].name} to {paths[-1].name}" if len(paths) > 1 else paths[0].name
    print(f"Written to {out}: {counted(len(paths), 'shard')}, {names}, of {found.pairs}.")
    if found.texts is not None:
        print("The shards hold the features of the texts. As for texts, train uses --l2 0.03 for them by default.")
    return 0


def split(
    pairs: PreferencePairs, n_shards: int, folder: str | Path, *, file_format: str = "npz", seed: int = 0
) -> list[Path]:
    """Write pairs into shards of about equal size, and return their paths in order.

    Each shard gets a random sample of the prompts, with all pairs of each. So the last shards can serve as held-out
    data. Within a shard the pairs keep their order.

    Parameters
    ----------
    pairs : PreferencePairs
    n_shards : int
        At most the number of prompts.
    folder : str or Path
        A folder that does not exist yet, or is empty.
    file_format : "npz" or "npy"
        One NPZ file for each shard, or one folder of NPY files.
    seed : int
        The same seed gives the same shards.

    Raises
    ------
    ValueError, TypeError, OSError
        The message names the argument and says what was expected and what was found.
    """
    from ..distributed.shards import cut_by_prompt
    from ..files import FIELDS, save_pairs
    from ..files.saving import new_folder, replacing
    from ..fitting.arguments import generator

    folder = single.path("folder", folder)
    check_size("shards", n_shards)
    if n_shards > pairs.n_prompts:
        raise ValueError(f"shards: expected at most {pairs.n_prompts}, the number of prompts, got {n_shards}")
    if file_format not in {"npz", "npy"}:
        raise ValueError(f"format: expected npz or npy, got {quoted(file_format)}")
    check_writable(folder)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"out: expected a new or empty folder, got {folder}, which holds files")
    parts = cut_by_prompt(pairs, n_shards, generator(seed))
    if not all(part.size for part in parts):
        raise ValueError(f"shards: expected fewer shards, since some prompts have so many pairs, got {n_shards}")
    if pairs.weights is not None and not all(pairs.weights[part].any() for part in parts):
        raise ValueError(f"shards: expected fewer shards, since one would have no pair with a weight, got {n_shards}")
    names = [f"shard-{number:0{len(str(n_shards - 1))}}" for number in range(n_shards)]
    names = [f"{name}.npz" for name in names] if file_format == "npz" else names
    with new_folder(folder) as made:  # complete or absent
        for name, rows in zip(names, parts, strict=True):
            shard, path = pairs.subset(rows), made / name
            if file_format == "npz":
                save_pairs(shard, path)
                continue
            path.mkdir()
            for field in FIELDS:
                if (values := getattr(shard, field)) is not None:
                    with replacing(path / f"{field}.npy") as file:
                        # For a true file, NumPy ignores an error when it is closed, such as that of a full disk.
                        np.save(SimpleNamespace(write=file.write), np.asarray(values), allow_pickle=False)
    return [folder / name for name in names]
