"""Preference pairs: checked once, when they are made, and frozen afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import ClassVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import checked, single
from .arrays.frozen import blocks_of, is_map, locked
from .arrays.shown import Pair, Text
from .arrays.visible import class_name, counted, quoted
from .logistic import Array
from .losses import BradleyTerryLoss
from .scorers import Features, Scorer

__all__ = ["Pair", "PreferencePairs", "check_fit", "check_loss", "shifted"]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class PreferencePairs:
    """Pairs of answers to the same prompt, one of them chosen over the other.

    Parameters
    ----------
    chosen, rejected : array_like, (n_pairs, n_features) real or (n_pairs,) integer
        Features of the two answers, all finite, or their item numbers for a ``TableScorer``. Row i is one pair.
    prompts : array_like, optional, (n_pairs,)
        The prompt x of each pair, by number or name. Splits and resampling never separate the pairs of a prompt. By
        default every pair has a prompt of its own.
    weights : array_like, optional, (n_pairs,), at least 0 with a positive sum
        The w in the loss Σ w·l / Σ w, by default 1. Standard errors treat weights as counts.
    labels : array_like, optional, (n_pairs,), in [0, 1]
        t = P(chosen preferred), by default 1. 0.5 is a tie; 0.9 is a choice that is right with probability 0.9.
    target_margins : array_like, optional, (n_pairs,), log-odds
        The m in -log sigma(Δ - m), by default 0.
    feature_names : sequence of str, optional
        One name for each feature, or for each item.

    Raises
    ------
    ValueError, TypeError
        If an argument is invalid. The message names it, what was expected and what was found.

    Notes
    -----
    Arrays are copied unless they are memory-mapped or already read-only. float32 features stay float32; all other real
    features become float64. A mapped array of another type is converted and therefore held in memory, as are the rows
    that ``subset`` and ``split`` select. ``dataclasses.replace(pairs, labels=…)`` makes pairs with other labels.

    Mapped arrays are checked only once. If their file is changed later, the pairs change without notice. If the file is
    cut short, the system may kill the process that reads it. Write a new file and rename it, as ``save_pairs`` does.

    Examples
    --------
    >>> pairs = PreferencePairs([[3.0], [1.0]], [[1.0], [2.0]], prompts=["a", "b"], feature_names=["words"])
    >>> pairs[1]
    pair 1, prompt b: chosen words = 1; rejected words = 2
    """

    chosen: Features
    rejected: Features
    prompts: NDArray[np.generic] | None
    weights: Array | None
    labels: Array | None
    target_margins: Array | None
    feature_names: tuple[str, ...] | None
    usual_loss: ClassVar[type] = BradleyTerryLoss

    def __init__(
        self,
        chosen: ArrayLike,
        rejected: ArrayLike,
        *,
        prompts: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        target_margins: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        x_chosen, x_rejected = checked.features(chosen, "chosen"), checked.features(rejected, "rejected")
        if x_chosen.shape != x_rejected.shape:
            raise ValueError(
                f"rejected: expected the shape of chosen, {x_chosen.shape}, one row for each pair, "
                f"got {x_rejected.shape}"
            )
        if (x_chosen.dtype.kind == "i") != (x_rejected.dtype.kind == "i"):
            raise ValueError("rejected: expected item numbers like chosen, or features like chosen, not one of each")
        n = x_chosen.shape[0]
        if n == 0:
            raise ValueError("chosen: expected at least one pair, got none")
        vars(self).update(
            chosen=x_chosen,
            rejected=x_rejected,
            prompts=checked.prompts(prompts, n),
            weights=checked.weights(weights, n),
            labels=checked.labels(labels, n),
            target_margins=checked.numbers(target_margins, "target_margins", n),
            feature_names=checked.names(feature_names, x_chosen, x_rejected),
        )

    @classmethod
    def from_records(cls, records: object, *, featurise: Callable[..., object] | None = None) -> PreferencePairs:
        """Make pairs from a data frame or a list of dicts, as ``load_pairs`` does from a file (docs/formats.md)."""
        from .files import from_records  # noqa: PLC0415  # files imports this module

        return from_records(records, featurise=featurise)

    def __reduce__(self) -> tuple[object, ...]:  # for pickle: the constructor makes and freezes the copy
        return partial(PreferencePairs, **{field.name: getattr(self, field.name) for field in fields(self)}), ()

    def __len__(self) -> int:
        return int(self.chosen.shape[0])

    def __repr__(self) -> str:
        what = "items" if self.is_items else counted(self.n_features, "feature")
        prompts = f", {counted(self.n_prompts, 'prompt')}" if self.prompts is not None else ""
        extras = [f", {name}" for name in ("weights", "labels", "target_margins") if getattr(self, name) is not None]
        return f"PreferencePairs({counted(len(self), 'pair')} of {what}{prompts}{''.join(extras)})"

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice | ArrayLike) -> PreferencePairs: ...
    def __getitem__(self, index: int | slice | ArrayLike) -> Pair | PreferencePairs:
        """Return one pair to look at, as in ``pairs[0]``, or several, as in ``pairs[:10]`` and ``pairs[mask]``."""
        if isinstance(index, slice):
            return self.subset(checked.sliced(index, len(self)))
        if not single.is_whole(index):
            return self.subset(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index: expected a pair from 0 to {len(self) - 1}, got {quoted(int(index))}")
        row = int(index) % len(self)  # a negative number counts from the end
        return Pair(
            index=row,
            chosen=self.chosen[row],
            rejected=self.rejected[row],
            prompt=row if self.prompts is None else self.prompts[row],
            weight=1.0 if self.weights is None else float(self.weights[row]),
            label=1.0 if self.labels is None else float(self.labels[row]),
            target_margin=0.0 if self.target_margins is None else float(self.target_margins[row]),
            feature_names=self.feature_names,
        )

    def head(self, n: int = 5) -> Text:
        """Return the first ``n`` pairs as text, one on each line."""
        return Text("\n".join(str(self[row]) for row in range(min(single.whole("n", n, 0, float("inf")), len(self)))))

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self)

    @property
    def is_items(self) -> bool:
        """True if chosen and rejected are item numbers."""
        return self.chosen.ndim == 1

    @property
    def is_mapped(self) -> bool:
        """True if chosen and rejected are memory-mapped files."""
        return is_map(self.chosen) and is_map(self.rejected)

    @property
    def n_features(self) -> int:
        """Number of features of one answer; 1 for item numbers."""
        return 1 if self.is_items else int(self.chosen.shape[1])

    @property
    def n_items(self) -> int:
        """Number of items: the number of names if there are names, else one more than the largest item number."""
        if not self.is_items:
            raise ValueError("n_items: these pairs hold features, not item numbers")
        if self.feature_names is not None:
            return len(self.feature_names)
        return int(max(self.chosen.max(), self.rejected.max())) + 1

    @property
    def prompt_index(self) -> NDArray[np.int64]:
        """Number of each pair's prompt, (n_pairs,), from 0 to n_prompts - 1 in the order in which prompts appear."""
        return locked(np.arange(len(self))) if self.prompts is None else self._index_of_prompts

    @cached_property
    def _index_of_prompts(self) -> NDArray[np.int64]:  # computed on first use; many fits never need it
        return locked(checked.index_by_first_appearance(np.asarray(self.prompts)))

    @property
    def n_prompts(self) -> int:
        """Number of different prompts."""
        return len(self) if self.prompts is None else int(self.prompt_index.max()) + 1

    @property
    def total_weight(self) -> float:
        """Σ w, or n_pairs without weights."""
        return float(len(self)) if self.weights is None else float(self.weights.sum())

    @property
    def n_identical(self) -> int:
        """Number of pairs whose two answers have equal features. Each has the loss log 2 and a zero gradient."""
        total = 0
        for rows in blocks_of(self.chosen):
            same = self.chosen[rows] == self.rejected[rows]
            total += int(np.count_nonzero(same if self.is_items else same.all(axis=1)))
        return total

    def subset(self, index: ArrayLike) -> PreferencePairs:
        """Return the pairs at ``index`` (integers or a boolean mask), in that order, with their prompts, labels etc."""
        rows = checked.rows(index, len(self), "row numbers or a mask selecting at least one pair")
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        kept |= {name: locked(values[rows]) for name, values in kept.items() if isinstance(values, np.ndarray)}
        return PreferencePairs(**kept)

    def split(self, validation: float = 0.2, *, seed: single.Seed = 0) -> tuple[PreferencePairs, PreferencePairs]:
        """Split by prompt into (training, validation) pairs. No prompt is in both parts.

        Parameters
        ----------
        validation : float in (0, 1)
            Share of the prompts that go to validation, rounded to whole prompts, with at least one in each part.
        seed : int or numpy.random.Generator
            The same seed gives the same split.

        Raises
        ------
        ValueError
            If there are fewer than two prompts, or a part would have a total weight of 0.
        """
        held_out = self.held_out(validation, seed=seed)
        return self.subset(~held_out), self.subset(held_out)

    def held_out(self, validation: float = 0.2, *, seed: single.Seed = 0) -> NDArray[np.bool_]:
        """Return the mask, (n_pairs,), of the pairs that ``split`` puts into validation."""
        if not 0 < single.number(validation) < 1:
            raise ValueError(f"validation: expected a share between 0 and 1, got {quoted(validation)}")
        n = self.n_prompts
        if n < 2:
            raise ValueError(f"prompts: expected at least two to split by, got {n}")
        n_held_out = min(max(round(validation * n), 1), n - 1)
        prompt_held_out = np.zeros(n, dtype=bool)
        prompt_held_out[single.generator(seed, "seed").permutation(n)[:n_held_out]] = True
        return prompt_held_out if self.prompts is None else prompt_held_out[self.prompt_index]


def shifted(margins: Array, pairs: PreferencePairs) -> Array:
    """Return z = Δ - m, (n_pairs,), read-only: the margins minus the target margins of the pairs."""
    return locked(margins.view() if pairs.target_margins is None else margins - pairs.target_margins)


def check_pairs(pairs: object, name: str = "pairs") -> None:
    """Raise TypeError unless these are pairs or rankings."""
    if not isinstance(pairs, PreferencePairs) and not hasattr(pairs, "reference_backend"):
        raise TypeError(f"{name}: expected PreferencePairs, got {class_name(pairs)}")


def check_loss(loss: object) -> None:
    """Raise TypeError unless this is None or a loss."""
    if isinstance(loss, type) or not (loss is None or hasattr(loss, "value") or hasattr(loss, "ranking_slopes")):
        raise TypeError(f"loss: expected a loss such as bradley_terry.losses.Hinge(), got {quoted(loss)}")


def check_fit(scorer: Scorer, pairs: PreferencePairs, loss: object = None) -> None:
    """Raise an error if an argument has the wrong type, or does not fit the others."""
    check_pairs(pairs)
    if not hasattr(scorer, "backward") or isinstance(scorer, type):
        raise TypeError(f"scorer: expected a scorer such as LinearScorer(n_features), got {quoted(scorer)}")
    for side in ("chosen", "rejected") if isinstance(pairs, PreferencePairs) else ("features",):
        scorer.check_features(getattr(pairs, side), side)
    check_loss(loss)
    if loss is not None and hasattr(loss, "ranking_slopes") == isinstance(pairs, PreferencePairs):
        wanted = "a loss of pairs" if isinstance(pairs, PreferencePairs) else "PlackettLuce() or ListNet()"
        raise TypeError(f"loss: expected {wanted} with {class_name(pairs)}, got {loss}")
