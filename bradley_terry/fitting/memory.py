"""What a fit needs in memory, and what there is. A fit that surely does not fit is refused before it starts.

``needed`` counts only the arrays that must be in memory at the same time, so it is a lower bound: measured peaks were
1.0 to 1.6 times as high. ``arrays.room`` knows what there is.
"""

from __future__ import annotations

from ..arrays.room import BEYOND, SURELY_SMALL, available, check_room, said
from ..objective import COMPILED, chosen_backend, work_of
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, Scorer
from .compiler import has_compiler
from .conjugate import is_dense

__all__ = ["available", "needed", "refuse_too_large"]

MAPPED = 2**23  # numbers, as in ``kernels.backends``: the differences of a larger mapped file are not kept


def needed(scorer: Scorer, pairs: PreferencePairs, backend: str, standardise: bool) -> int:
    """Return a lower bound on the bytes that a fit allocates, besides the pairs; 0 if this is not known.

    standardise    four copies of the features while their mean and variance are computed
    linear         the differences; without compiled kernels also their copy and their products with the curvatures
    MLP            the hidden layer of one answer; without compiled kernels of both, and two arrays of the way back
    """
    if type(scorer) not in {LinearScorer, MLPScorer} or not isinstance(pairs, PreferencePairs):
        return 0
    is_compiled = chosen_backend(backend, work_of(scorer, pairs)) == COMPILED
    numbers = pairs.chosen.size
    if isinstance(scorer, MLPScorer):
        passes = (1 if is_compiled else 4) * len(pairs) * scorer.n_hidden
    elif is_compiled:
        passes = 0 if pairs.is_mapped and numbers > MAPPED else numbers
    else:
        passes = (3 if is_dense(scorer.n_parameters) else 1) * numbers
    return 8 * (max(passes, 4 * numbers * standardise) + len(pairs))


def refuse_too_large(scorer: Scorer, pairs: PreferencePairs, backend: str, standardise: bool) -> None:
    """Raise ValueError if a fit needs more memory than there is."""
    check_room("scorer", 16 * scorer.n_parameters, f"{scorer}, whose φ and gradient need")
    need = needed(scorer, pairs, backend, standardise)
    if need < SURELY_SMALL or need <= BEYOND * (there := available()):
        return
    is_linear = type(scorer) is LinearScorer
    ways = ["write an NPZ file or a folder of NPY files, which load_pairs maps"] * (is_linear and not pairs.is_mapped)
    ways += ["use standardise=False"] * standardise
    is_compiled = chosen_backend(backend, work_of(scorer, pairs)) == COMPILED
    ways += [f"use backend={COMPILED!r}"] * (has_compiler() and not is_compiled)
    ways += ["fit shards with bradley_terry.distributed"]
    raise ValueError(
        f"pairs: expected a fit that fits into memory, got {len(pairs):,} pairs of {pairs.n_features} features, which "
        f"need at least {said(need)} besides the pairs, but only {said(there)} is available; {', or '.join(ways)}"
    )
