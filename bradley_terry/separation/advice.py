"""An l2 that suits the data, in one sentence."""

from __future__ import annotations

import numpy as np

from ..files.text import TEXT_L2, feature_names
from ..graphs.wins import as_pairs
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, Scorer

__all__ = ["example_of_l2", "use_l2"]

LOG_ODDS = 5.0  # prior standard deviation of the effect of a typical feature: e^5 is odds of about 150 to 1
ROWS = 100_000  # enough for a root mean square


def use_l2(scorer: Scorer, pairs: PreferencePairs) -> str:
    """Return "use l2 > 0, for example …", with the l2 of ``example_of_l2``."""
    return f"use l2 > 0, for example {example_of_l2(scorer, pairs)}"


def example_of_l2(scorer: Scorer, pairs: PreferencePairs) -> str:
    """Return "l2=…", which is a wide prior for these pairs, and what it means; for texts, the l2 that suits them.

    l2 is a Gaussian prior of variance 1/(l2·Σ w) for each parameter. For rewards its standard deviation is 5 log-odds.
    For weights it is 5 divided by the typical spread of a feature: the median of √(mean square difference / 2).
    """
    if pairs.feature_names == feature_names():
        return f"l2={TEXT_L2}, which train uses for texts"
    size, noun = 1.0, "reward" if pairs.is_items else "parameter"
    if isinstance(scorer, LinearScorer):
        noun = "weight"
        compared = as_pairs(pairs)
        rows = slice(None, None, 1 + len(compared) // ROWS)
        d = np.subtract(compared.chosen[rows], compared.rejected[rows], dtype=np.float64)
        with np.errstate(over="ignore"):
            spread = np.sqrt(np.mean(d * d, axis=0) / 2)
        spread = spread[(spread > 0) & np.isfinite(spread)]
        size = float(np.median(spread)) if spread.size else 1.0
    deviation = float(f"{LOG_ODDS / size:.2g}")
    l2 = 1 / (deviation**2 * pairs.total_weight)
    return f"l2={l2:.2g}, a prior with standard deviation {deviation:g} for each {noun}"
