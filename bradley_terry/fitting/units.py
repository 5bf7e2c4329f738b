"""Fit on features of mean 0 and variance 1, and return to the original features afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..logistic import Array
from ..pairs import PreferencePairs
from ..scorers import Scorer
from .ranges import refuse_extremes

__all__ = ["Units"]

ROUNDING = 1e-10  # of means and variances of features that somebody standardised


class Units(NamedTuple):
    """The change of units to features of mean 0 and variance 1: u = (x - shift) / scale."""

    shift: Array
    scale: Array

    @classmethod
    def of(cls, pairs: PreferencePairs) -> Units:
        """Return the units of these pairs or rankings, computed over all answers. The scale of a constant feature is 1.

        Because the mean is rounded, the computed spread of a constant is not quite zero. A spread this small counts as
        zero.
        """
        refuse_extremes(pairs)
        answers = [pairs.chosen, pairs.rejected] if isinstance(pairs, PreferencePairs) else [pairs.features]
        both = np.concatenate(answers).astype(np.float64)
        spread = both.std(axis=0)
        return cls(both.mean(axis=0), np.where(spread > 1e-12 * np.abs(both).max(axis=0), spread, 1.0))

    @classmethod
    def unless_theirs(cls, pairs: PreferencePairs) -> Units | None:
        """Return the units of these pairs, or None if their features have mean 0 and variance 1 already."""
        units = cls.of(pairs)
        changes = np.append(np.abs(units.shift), np.abs(units.scale - 1))
        return units if (changes > ROUNDING).any() else None

    def standardised(self, pairs: PreferencePairs) -> PreferencePairs:
        """Return the same pairs or rankings with features in these units."""
        names = ("chosen", "rejected") if isinstance(pairs, PreferencePairs) else ("features",)
        return replace(pairs, **{name: (getattr(pairs, name) - self.shift) / self.scale for name in names})

    def parameters_for_standardised(self, scorer: Scorer, phi: Array) -> Array:
        """Return φ for features in these units, by the inverse change x = (u - (-shift/scale)) / (1/scale)."""
        return scorer.rescaled(phi, -self.shift / self.scale, 1 / self.scale)  # type: ignore[attr-defined]  # checked

    def undone(self, scorer: Scorer, phi: Array, information: Array | None) -> tuple[Array, Array | None]:
        """Return φ and information for the original features.

        Weights become w/scale. So d/dw becomes scale·d/dw, and the information contains two such derivatives.
        """
        phi = scorer.rescaled(phi, self.shift, self.scale)  # type: ignore[attr-defined]  # checked
        return phi, None if information is None else information * np.outer(self.scale, self.scale)
