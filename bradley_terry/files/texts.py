"""Texts, before they become features: pairs of answers, and one rule that makes the features of any answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import checked
from ..arrays.visible import class_name
from ..pairs import PreferencePairs
from .messages import fail, make_pairs
from .text import feature_names, text_features

__all__ = ["Featurise", "Texts", "features_of", "number_prompts"]

Featurise = Callable[[list[str]], object]
"""Texts in, an array of features, (n, d), out; the array may be a sparse matrix, or a tensor of torch or JAX."""


@dataclass(frozen=True)
class Texts:
    """Pairs of answers as texts, as ``read_texts`` finds them in a file.

    Attributes
    ----------
    path : Path or str
        The file, or "records" if they came from memory.
    prompts : list of str
        The prompt of each pair; empty if the file gives none.
    chosen : list of str, as long as prompts
    rejected : list of str, as long as prompts
    labels : list of float, or None
        None if no line of the file has one.
    weights : list of float, or None
    target_margins : list of float, or None
    groups : list of int or str, optional
        The group of each pair. Pairs with an empty prompt count as pairs of one prompt if their groups are equal, such
        as the pairs of one record.
    """

    path: Path | str
    prompts: list[str]
    chosen: list[str]
    rejected: list[str]
    labels: list[float] | None = None
    weights: list[float] | None = None
    target_margins: list[float] | None = None
    groups: list[int | str] | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    def to_pairs(self, featurise: Featurise | None = None) -> PreferencePairs:
        """Return the pairs with features. Prompts with equal texts get the same number.

        Parameters
        ----------
        featurise : callable, optional
            ``featurise(texts)`` returns the features of a list of texts, (n_texts, n_features). It is called once.
            The list holds each different answer once, in the order in which they first appear among all chosen answers
            and then all rejected ones. By default the features are ``text_features``, which also look at the prompt.
        """
        n = len(self)
        prompts, answers = [*self.prompts, *self.prompts], [*self.chosen, *self.rejected]
        both_sides, names = features_of(self.path, prompts, answers, featurise)
        return make_pairs(
            self.path,
            both_sides[:n],
            both_sides[n:],
            prompts=number_prompts(self.prompts, self.groups),
            feature_names=names,
            labels=self.labels,
            weights=self.weights,
            target_margins=self.target_margins,
        )


def features_of(
    path: Path | str, prompts: list[str], answers: list[str], featurise: Featurise | None
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the features of answers, (n_answers, n_features), and their names; equal answers are computed once."""
    rows: dict[tuple[str, str], int] = {}  # (prompt, answer) -> row of its features
    if featurise is not None:
        prompts = [""] * len(answers)
    row_of = [rows.setdefault(both, len(rows)) for both in zip(prompts, answers, strict=True)]
    different = [answer for _, answer in rows]
    features: NDArray[Any]
    if featurise is None:
        features, names = text_features([prompt for prompt, _ in rows], different), feature_names()
    else:
        features, names = _featurised(path, featurise, different)
    return features[row_of], names


def number_prompts(prompts: list[str], groups: Sequence[int | str] | None = None) -> list[int]:
    """Return a number for each prompt, in the order in which they appear; each group of empty prompts gets its own.

    Pairs of one record, whose group is its number, share a prompt even if their messages begin differently.
    """
    numbers: dict[tuple[str, int | str], int] = {}
    of_record: dict[int, tuple[str, int | str]] = {}
    found = []
    for prompt, group in zip(prompts, range(len(prompts)) if groups is None else groups, strict=True):
        key = (prompt, "" if prompt else group)
        if isinstance(group, int):
            key = of_record.setdefault(group, key)
        found.append(numbers.setdefault(key, len(numbers)))
    return found


def _featurised(
    path: Path | str, featurise: Featurise, texts: list[str]
) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    """Return the features of texts and their names, after checking that there is one row for each text."""
    if not callable(featurise):
        raise TypeError(f"featurise: expected a function of a list of texts, got {class_name(featurise)}")
    wanted = f"featurise: expected an array of numbers, ({len(texts)}, n_features), one row for each text"
    made = featurise(texts)
    try:
        features = checked.as_numpy(made.toarray() if hasattr(made, "toarray") else made, "featurise")
    except (ValueError, TypeError) as error:
        fail(path, f"{wanted}, got one that cannot be read ({error})")
    if features.ndim != 2 or len(features) != len(texts) or features.dtype.kind not in "fiub":
        fail(path, f"{wanted}, got shape {features.shape} and dtype {features.dtype}")
    owner = getattr(featurise, "__self__", None)  # a bound method of a vectoriser, which may know the names
    try:
        names = tuple(str(name) for name in owner.get_feature_names_out())  # type: ignore[union-attr]
    except (AttributeError, TypeError, ValueError):
        names = ()
    if len(set(names)) != features.shape[1]:
        names = tuple(f"x{i + 1}" for i in range(features.shape[1]))
    return features, names
