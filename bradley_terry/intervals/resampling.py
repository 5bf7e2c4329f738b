"""The bootstrap over prompts, and its normal approximation for very many prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import checked
from ..arrays.given import vector, whole_numbers
from ..arrays.single import number
from ..arrays.visible import quoted
from ..fitting.progress import followed
from ..logistic import Array
from ..scorers import check_size

__all__ = ["bootstrap_interval", "refuse_nan"]

MOST_RESAMPLED = 50_000  # prompts; the interval of more is computed without a bootstrap


def bootstrap_interval(
    values: ArrayLike,
    prompt_index: ArrayLike,
    *,
    rng: np.random.Generator,
    weights: ArrayLike | None = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return a percentile bootstrap interval of the weighted mean of ``values``, from resamples of whole prompts.

    Pairs of one prompt are not independent: they share answers and often the annotator. Resampling them one by one
    would pretend to more data than there is and give intervals that are too narrow. Beyond 50,000 prompts the
    distribution of the mean over the resamples is as good as normal, so the interval is computed without resampling:
    mean ± z·√(Σ e²)/Σ W, with W the weight of a prompt and e the sum of w·(value - mean) over its pairs. If weights
    differ, (Σ W)²/Σ W² takes the place of the number of prompts.

    Parameters
    ----------
    values : array_like, (n_pairs,)
    prompt_index : array_like of int, (n_pairs,)
        Number of each pair's prompt, 0 … n_prompts - 1.
    rng : numpy.random.Generator
    weights : array_like, (n_pairs,), optional
    n_bootstrap : int
        Number of resamples.
    level : float in (0, 1)

    Returns
    -------
    (low, high), or None for a single prompt, which cannot be resampled

    Raises
    ------
    ValueError
        If a value is NaN or infinite.
    """
    check_size("n_bootstrap", n_bootstrap)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng: expected a numpy.random.Generator, got {quoted(rng)}")
    if not 0 < number(level) < 1:
        raise ValueError(f"level: expected a share between 0 and 1, got {quoted(level)}")
    v = vector(values, "values")
    refuse_nan("values", v, finite=True)
    prompts = whole_numbers(prompt_index, "prompt_index", v.size)
    w = np.ones(v.shape) if weights is None else np.asarray(checked.weights(weights, v.size))
    n = int(prompts.max()) + 1
    if n < 2:
        return None
    w = np.ldexp(w, -int(np.frexp(w.max())[1]))  # the same digits, and squares that do not overflow
    unit = 2.0 ** int(np.frexp(np.abs(v).max())[1] - 1)
    v = v / unit  # the same digits, too
    weight: Array = np.bincount(prompts, weights=w, minlength=n).astype(np.float64, copy=False)  # (n_prompts,)
    total: Array = np.bincount(prompts, weights=w * v, minlength=n).astype(np.float64, copy=False)
    if weight.sum() ** 2 > MOST_RESAMPLED * np.sum(weight * weight):
        ends = _normal_interval(weight, total, level)
    else:
        means = []
        for _ in followed(range(n_bootstrap), "resamples of the prompts"):
            times = np.bincount(rng.integers(n, size=n), minlength=n)  # how often each prompt was drawn
            drawn = np.sum(times * weight)
            if drawn > 0:
                means.append(np.sum(times * total) / drawn)
        tail = (1 - level) / 2
        ends = np.quantile(means, [tail, 1 - tail])
    low, high = np.clip(ends, v.min(), v.max()) * unit
    return float(low), float(high)


def _normal_interval(weight: Array, total: Array, level: float) -> Array:
    """Return the interval of Σ total / Σ weight over independent prompts, to first order in the deviations from it."""
    from statistics import NormalDist  # noqa: PLC0415  # imported here so that the package imports fast

    mean = float(total.sum() / weight.sum())
    error = float(np.sqrt(np.sum((total - mean * weight) ** 2)) / weight.sum())
    half = NormalDist().inv_cdf(0.5 + level / 2) * error
    return np.array([mean - half, mean + half])


def refuse_nan(argument: str, values: Array, what: str = "values", *, finite: bool = False) -> None:
    """Raise ValueError if a value is NaN, since its pair can neither be counted as right nor as wrong.

    With ``finite``, infinite values are refused, too: they have no mean.
    """
    if (bad := ~np.isfinite(values) if finite else np.isnan(values)).any():
        first = int(np.argmax(bad))
        found = "NaN" if np.isnan(values[first]) else f"{values[first]:g}"
        got = f"{found} for {np.count_nonzero(bad)} of {len(values)} pairs, the first of them pair {first}"
        raise ValueError(f"{argument}: expected {what} that are {'finite ' * finite}numbers, got {got}")
