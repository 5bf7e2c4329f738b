"""Do the people who judged the same things agree? Krippendorff's α, and the highest accuracy that repeats allow.

Each unit has m_u ratings. Only units with at least two can be compared; n is the number of their ratings, and n_c how
many of these are c. Two ratings of a unit differ by d(c, k), which is 0 if they are equal:

    observed   D_o = 1/n Σ_u 1/(m_u - 1) Σ_{i≠j} d(i, j)         two ratings of the same unit
    expected   D_e = 1/(n (n - 1)) Σ_c Σ_k n_c n_k d(c, k)       any two ratings
    α = 1 - D_o / D_e                                            1 is perfect, 0 is what chance gives

    nominal    d = 1 if c ≠ k
    interval   d = (c - k)²
    ordinal    d = (n_c/2 + the n between c and k + n_k/2)²
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays.frozen import blocks_of
from ..arrays.given import unmasked
from ..arrays.single import is_missing, names, one_of
from ..arrays.visible import counted, quoted
from ..evaluation import refuse_rankings
from ..logistic import Array
from ..pairs import PreferencePairs, check_pairs

__all__ = ["Agreement", "PairAgreement", "agreement", "keys_of", "krippendorff_alpha", "pair_agreement"]

LEVELS = ("nominal", "ordinal", "interval")
CHOICES = np.array([0.0, 0.5, 1.0])  # the second answer, a tie, the first answer


@dataclass(frozen=True)
class Agreement:
    """The result of ``agreement``.

    Attributes
    ----------
    alpha : float, at most 1
        Krippendorff's α. NaN if all ratings are equal, because then the agreement by chance is perfect, too.
    observed : float, in [0, 1]
        Probability that two ratings of the same unit are equal.
    expected : float, in [0, 1]
        Probability that any two ratings are equal.
    n_units : int
        Number of units with at least two ratings.
    n_ratings : int
        Number of their ratings.
    level : str
        As in ``agreement``.
    """

    alpha: float
    observed: float
    expected: float
    n_units: int
    n_ratings: int
    level: str = "nominal"

    def __str__(self) -> str:
        return (
            f"Krippendorff's α   {_alpha(self.alpha)} ({self.level})\n"
            f"agreement          {self.observed:.3f} of two ratings of the same unit; {self.expected:.3f} of any two\n"
            f"units              {self.n_units:,} with two ratings or more, {counted(self.n_ratings, 'rating', ',')}"
        )


@dataclass(frozen=True)
class PairAgreement:
    """The result of ``pair_agreement``: how far repeated judgements of the same pair agree.

    Attributes
    ----------
    alpha : float, at most 1
        Krippendorff's α of the judgements (first answer, second answer or tie).
    agreement : float, in [0, 1]
        Probability that two judgements of the same pair are equal.
    accuracy_ceiling : float, in [1/2, 1]
        The highest accuracy that any model can have on these repeated pairs: that of predicting the majority's choice
        for each pair. If each pair has only a few judgements, it is higher than what a model can reach on new ones.
    n_repeated : int
        Number of pairs that were judged more than once.
    n_judgements : int
        Number of their judgements.
    """

    alpha: float
    agreement: float
    accuracy_ceiling: float
    n_repeated: int
    n_judgements: int

    def __str__(self) -> str:
        return (
            f"Krippendorff's α   {_alpha(self.alpha)}\n"
            f"agreement          {self.agreement:.3f} of two judgements of the same pair\n"
            f"accuracy ceiling   {self.accuracy_ceiling:.3f} on these pairs, for any model\n"
            f"repeated pairs     {self.n_repeated:,}, with {counted(self.n_judgements, 'judgement', ',')}"
        )


def krippendorff_alpha(ratings: Iterable[Sequence[object]] | ArrayLike, *, level: str = "nominal") -> float:
    """Return Krippendorff's α of ratings; see ``agreement``.

    Examples
    --------
    Of eight units, two are judged differently, and 4 of 16 ratings are "b": 1 - (4/16)/(2·12·4/(16·15)) = 1 - .25/.4.

    >>> print(f"{krippendorff_alpha([('a', 'b'), ('b', 'a'), ('b', 'b'), *5 * [('a', 'a')]]):.3f}")
    0.375
    """
    return agreement(ratings, level=level).alpha


def agreement(ratings: Iterable[Sequence[object]] | ArrayLike, *, level: str = "nominal") -> Agreement:
    """Measure how far raters agree: Krippendorff's α, which corrects for chance, and the plain share of equal ratings.

    Parameters
    ----------
    ratings : array_like, (n_units, n_raters), or sequence of sequences
        One row for each unit that was rated. The rows may have different lengths, and None and NaN are missing ratings.
        Which rater gave a rating does not matter.
    level : "nominal", "ordinal" or "interval"
        Whether the ratings are names (numbers or texts), numbers of which only the order matters, or numbers whose
        differences matter.

    Raises
    ------
    ValueError
        If no unit has two ratings, or a rating is not a number where the level needs numbers.

    References
    ----------
    Krippendorff, K. 2011, Computing Krippendorff's alpha-reliability, University of Pennsylvania.

    Examples
    --------
    >>> found = agreement([(1, 1), (2, 2), (1, 2), (1,)])  # a unit with one rating does not count
    >>> print(f"{found.alpha:.3f} {found.observed:.3f} {found.n_units}")
    0.444 0.667 3
    """
    one_of("level", level, LEVELS)
    units = [[one for one in row if not is_missing(one)] for row in _rows(ratings)]
    if not all(isinstance(one, Hashable) for unit in units for one in unit):
        raise TypeError("ratings: expected rows of numbers or names, got a list within a row")
    numbers: dict[object, int] = {}
    if level != "nominal":
        for number, one in ((i, one) for i, unit in enumerate(units) for one in unit):
            if isinstance(one, bool | np.bool_) or not isinstance(one, int | float | np.integer | np.floating):
                raise ValueError(f"ratings: expected numbers for the level {level}, got {quoted(one)} in unit {number}")
        numbers = {one: i for i, one in enumerate(sorted({one for unit in units for one in unit}))}  # type: ignore[type-var]
    for unit in units:
        for one in unit:
            numbers.setdefault(one, len(numbers))
    counts = np.zeros((len(units), len(numbers)))
    for row, unit in zip(counts, units, strict=True):
        for one in unit:
            row[numbers[one]] += 1
    try:
        values = np.array([float(one) for one in numbers]) if level != "nominal" else np.zeros(len(numbers))  # type: ignore[arg-type]
    except OverflowError:  # a whole number of hundreds of digits
        values = np.array([np.inf])
    if not np.isfinite(values).all():
        raise ValueError(f"ratings: expected finite numbers for level={level!r}, got one that is not")
    return _of_counts(counts, values, level)


def pair_agreement(pairs: PreferencePairs) -> PairAgreement | None:
    """Measure how far repeated judgements agree: pairs with the same prompt and the same two answers.

    The two answers may be stored in either order, and pairs of identical answers are left out. α counts each
    pair in both orders, because it is arbitrary which answer is called the first. So the expected agreement does not
    depend on how the pairs are stored. If all weights are whole numbers, a pair counts as that many judgements. Other
    weights affect only the accuracy ceiling.

    Returns
    -------
    PairAgreement, or None
        None if no pair was judged more than once, or a label is not 0, ½ or 1 and so is not a single judgement.

    Examples
    --------
    >>> pairs = PreferencePairs([0, 0, 1, 2], [1, 1, 0, 3], prompts=["q", "q", "q", "r"])
    >>> found = pair_agreement(pairs)  # of 0 and 1, two people preferred 0 and one preferred 1
    >>> print(f"{found.agreement:.3f} {found.accuracy_ceiling:.3f}")
    0.333 0.667
    """
    refuse_rankings(pairs)
    check_pairs(pairs)
    labels = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
    if not np.isin(labels, CHOICES).all():
        return None
    weights = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    times = weights if (weights == np.floor(weights)).all() else np.ones(len(pairs))
    if pairs.n_prompts == len(pairs) and times.max() <= 1:
        return None
    if times.max() <= 1 and _all_differ(pairs):
        return None
    unit, is_turned, is_same = _units(pairs)
    t = np.where(is_turned, 1 - labels, labels)
    times, weights = np.where(is_same, 0.0, times), np.where(is_same, 0.0, weights)
    n_units = int(unit.max()) + 1
    counts = np.zeros((n_units, 3))
    np.add.at(counts, (unit, (2 * t).astype(np.int64)), times)
    repeated = counts.sum(axis=1) > 1
    if not repeated.any():
        return None
    found = _of_counts(np.concatenate([counts, counts[:, ::-1]]), CHOICES, "nominal")
    first, second = (np.bincount(unit, weights=weights * share, minlength=n_units)[repeated] for share in (t, 1 - t))
    return PairAgreement(
        alpha=found.alpha,
        agreement=found.observed,
        accuracy_ceiling=float(np.maximum(first, second).sum() / (first + second).sum()),
        n_repeated=int(repeated.sum()),
        n_judgements=int(counts[repeated].sum()),
    )


def _of_counts(counts: Array, values: Array, level: str) -> Agreement:
    """Return the agreement from the number of ratings of each value, (n_units, n_values), in ascending order."""
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ValueError("ratings: expected at least one unit with two ratings or more, got none")
    of_unit, of_value = counts.sum(axis=1), counts.sum(axis=0)
    n = of_unit.sum()
    share = counts / (of_unit - 1)[:, None]  # a pair of ratings of a unit counts 1/(m_u - 1)
    together = counts.T @ share - np.diag(share.sum(axis=0))
    apart = (np.outer(of_value, of_value) - np.diag(of_value)) / (n - 1)
    if level == "nominal":
        distance = 1.0 - np.eye(len(of_value))
    elif level == "interval":
        largest = (
            float(np.abs(values).max()) or 1.0
        )  # the unit does not matter, but squares could overflow or underflow
        distance = np.subtract.outer(values / largest, values / largest) ** 2
    else:
        middle = np.cumsum(of_value) - of_value / 2
        distance = np.subtract.outer(middle, middle) ** 2
    disagreement, by_chance = float(np.sum(together * distance)), float(np.sum(apart * distance))
    return Agreement(
        alpha=1 - disagreement / by_chance if by_chance > 0 else float(np.nan),
        observed=float(np.trace(together) / n),
        expected=float(np.trace(apart) / n),
        n_units=len(counts),
        n_ratings=int(n),
        level=level,
    )


def _units(pairs: PreferencePairs) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a number for each pair of answers to a prompt, whether it is stored turned, and whether both are equal."""
    a, b, prompt = keys_of(pairs.chosen), keys_of(pairs.rejected), pairs.prompt_index
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((high, low, prompt))
    is_new = np.zeros(len(pairs), dtype=bool)
    for key in (prompt, low, high):
        is_new[1:] |= key[order][1:] != key[order][:-1]
    unit = np.empty(len(pairs), dtype=np.int64)
    unit[order] = np.cumsum(is_new)
    return unit, b < a, a == b


def _all_differ(pairs: PreferencePairs) -> bool:
    """Return whether the first feature of the two answers already tells all pairs apart."""
    if pairs.is_items:
        return False
    first = np.stack([pairs.chosen[:, 0], pairs.rejected[:, 0]], dtype=np.float64)
    sums = np.sort(first[0] + first[1])  # equal for equal pairs, in either order
    return bool((np.diff(sums) > 0).all())


def keys_of(side: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Return a number of 64 bits for each answer, equal for equal features or items, and in practice only for these.

    The bits of the features are mixed one column after the other, by the last steps of SplitMix64 (Steele et al. 2014,
    OOPSLA), which never map two different numbers to the same one.
    """
    keys = np.zeros(len(side), dtype=np.uint64)
    for rows in blocks_of(side):
        block = side[rows].reshape(-1, 1) if side.ndim == 1 else side[rows]
        for column in np.add(block, 0.0, dtype=np.float64).T:  # 0.0 and -0.0 become the same
            mixed = (keys[rows] + np.uint64(0x9E3779B97F4A7C15)) ^ np.ascontiguousarray(column).view(np.uint64)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            keys[rows] = mixed ^ (mixed >> np.uint64(31))
    return keys


def _rows(ratings: Iterable[Sequence[object]] | ArrayLike) -> list[list[object]]:
    """Return the ratings of each unit as a list."""
    rows = []
    if isinstance(ratings, np.ndarray):
        ratings = unmasked(ratings, "ratings").tolist()
    for row in names("ratings", ratings):
        if isinstance(row, str) or not isinstance(row, Iterable):
            raise ValueError(f"ratings: expected a row of ratings for each unit, got {quoted(row)}")
        rows.append(row.tolist() if isinstance(row, np.ndarray) else list(row))
    return rows


def _alpha(alpha: float) -> str:
    return "not defined, since all ratings are equal" if np.isnan(alpha) else f"{alpha:.3f}"
