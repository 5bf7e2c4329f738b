"""How reliable each annotator is, measured by how often the choices agree with a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.checked import index_by_first_appearance
from ..arrays.given import as_numpy, unmasked
from ..arrays.single import is_missing, written
from ..arrays.visible import LONGEST_SHOWN, class_name, counted, quoted, visible
from ..evaluation import pairwise_accuracies, refuse_rankings
from ..intervals import effective_numbers, refuse_nan, wilson_intervals
from ..logistic import Array
from ..losses import pair_losses, weighted_mean
from ..model import RewardModel
from ..pairs import PreferencePairs, check_pairs
from .noise import log_odds_of, noise_of

__all__ = ["Annotator", "Annotators", "by_annotator", "numbered"]


@dataclass(frozen=True)
class Annotator:
    """The results of ``by_annotator`` for one annotator.

    Attributes
    ----------
    name : str
    n_pairs : int
    n_prompts : int
    agreement : float, in [0, 1]
        Weighted share of the pairs in which the model gives the higher reward to the answer that was preferred.
    agreement_interval : (float, float)
        Its 95 % Wilson interval, which counts prompts instead of pairs.
    epsilon : float, in [0, 1]
        Share of this annotator's choices that look random, estimated as in ``annotator_noise``. NaN if all margins are
        0 or the model's loss only orders answers.
    epsilon_interval : (float, float), or None for a single prompt
        95 % interval of epsilon.
    mean_loss : float, nats
        Mean loss of the model on this annotator's pairs. NaN if the model's loss only orders answers.
    """

    name: str
    n_pairs: int
    n_prompts: int
    agreement: float
    agreement_interval: tuple[float, float]
    epsilon: float
    epsilon_interval: tuple[float, float] | None
    mean_loss: float


@dataclass(frozen=True)
class Annotators:
    """The annotators, the most reliable first, and a weight for each pair.

    Attributes
    ----------
    rows : tuple of Annotator
        Sorted by agreement with the model, the highest first.
    weights : array, (n_pairs,), in [0, 1], or None
        1 - ε of the annotator of each pair: the share of that annotator's choices that are not random. You can use them
        as weights of the pairs, with ``dataclasses.replace(pairs, weights=…)``. Near Δ = 0 all choices have about the
        same variance, and the probability of a choice changes with Δ less by the factor 1 - ε. There these weights give
        the smallest standard errors. None if an ε is unknown.
    """

    rows: tuple[Annotator, ...]
    weights: Array | None = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Annotator]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Annotator:
        """Return the annotator with this name."""
        for row in self.rows:
            if isinstance(name, str) and row.name == name:
                return row
        raise KeyError(f"{quoted(name)}: expected one of {visible(', '.join(row.name for row in self.rows), 1000)}")

    def __str__(self) -> str:
        head = ["annotator", "pairs", "agreement", "95 % interval", "noise ε", "95 % interval", "mean loss"]
        lines = [head, *(_cells(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines)

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'annotator')}>\n{self}"


def _cells(row: Annotator) -> list[str]:
    def between(ends: tuple[float, float] | None) -> str:
        return "–" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"

    known = not np.isnan(row.epsilon)
    return [
        visible(row.name, LONGEST_SHOWN),
        f"{row.n_pairs:,}",
        f"{row.agreement:.3f}",
        between(row.agreement_interval),
        f"{row.epsilon:.3f}" if known else "–",
        between(row.epsilon_interval),
        "–" if np.isnan(row.mean_loss) else f"{row.mean_loss:.3f}",
    ]


def by_annotator(model: RewardModel, pairs: PreferencePairs, annotators: ArrayLike) -> Annotators:
    """Compare each annotator's choices with a model that was fitted to the choices of all, or of others.

    The model stands for what the annotators have in common. An annotator with little agreement may be careless or may
    have different preferences; the numbers do not tell which.

    Parameters
    ----------
    model : RewardModel
    pairs : PreferencePairs
        Pairs that played no part in the fit, if possible: a model has learned some of the noise of its training pairs.
    annotators : array_like, (n_pairs,)
        Name or number of the annotator of each pair.

    Raises
    ------
    ValueError, TypeError
        If there is not exactly one annotator for each pair.
    """
    check_pairs(pairs)
    refuse_rankings(pairs)
    names, index = numbered(annotators, len(pairs))
    if not isinstance(model, RewardModel):
        raise TypeError(f"model: expected a fitted RewardModel, got {class_name(model)}")
    margins = model.margins(pairs)
    refuse_nan("model", margins, "margins", finite=True)
    known = getattr(model.loss, "gives_probabilities", True)
    z = log_odds_of(model, pairs) if known else np.full(len(pairs), np.nan)
    w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    for number, name in enumerate(names):
        if not w[index == number].any():
            shown = visible(name, LONGEST_SHOWN)
            raise ValueError(
                f"weights: expected a positive weight for at least one pair of annotator {shown}, got none"
            )
    right = pairwise_accuracies(margins, pairs.labels)
    shares = np.bincount(index, weights=w * right) / np.bincount(index, weights=w)
    trials = effective_numbers(index, pairs.prompt_index, w, len(names))
    intervals = wilson_intervals(shares, trials)
    rows = []
    for number, name in enumerate(names):
        mine = pairs.subset(index == number)
        its = z[index == number]
        noise = noise_of(its, mine) if known else None
        losses = np.asarray(pair_losses(its, labels=mine.labels))
        rows.append(
            Annotator(
                name=name,
                n_pairs=len(mine),
                n_prompts=mine.n_prompts,
                agreement=float(shares[number]),
                agreement_interval=(float(intervals[number, 0]), float(intervals[number, 1])),
                epsilon=float(np.nan) if noise is None else noise.epsilon,
                epsilon_interval=None if noise is None else noise.interval,
                mean_loss=weighted_mean(losses, mine.weights),
            )
        )
    reliability = 1 - np.array([row.epsilon for row in rows])
    return Annotators(
        rows=tuple(sorted(rows, key=lambda row: (-row.agreement, -row.n_pairs))),
        weights=None if np.isnan(reliability).any() else reliability[index],
    )


def numbered(annotators: ArrayLike, n: int) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of the annotators and the number of each pair's annotator."""
    array = unmasked(as_numpy(annotators, "annotators"), "annotators")
    if array.shape != (n,):
        raise ValueError(f"annotators: expected shape ({n},), one annotator for each pair, got {array.shape}")
    missing = [i for i, one in enumerate(array.tolist()) if is_missing(one) or (isinstance(one, str) and one == "")]
    if missing:
        raise ValueError(f"annotators: expected an annotator for each pair, got none for pair {missing[0]}")
    of_bytes = next((one for one in array.tolist() if isinstance(one, bytes)), None)
    if of_bytes is not None:
        raise TypeError(f"annotators: expected names as texts, or numbers, got {quoted(of_bytes)}; decode them first")
    if array.dtype.kind == "O":
        array = np.array([written("annotators", one) for one in array.tolist()], dtype=object)
    index = index_by_first_appearance(array)
    names: dict[int, str] = {}
    for number, one in zip(index.tolist(), array.tolist(), strict=True):
        names.setdefault(number, str(one))
    return list(names.values()), index
