"""A baseline for every accuracy on texts: always choose the longer answer.

Annotators often prefer longer answers, and a reward model may learn little else (Singhal et al. 2023,
arXiv:2310.03716). So an accuracy only says something once it is compared with that of the length alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays.single import seed as seed_of
from ..arrays.single import text
from ..arrays.visible import class_name, counted, quoted
from ..evaluation import pairwise_accuracies
from ..files.text import STYLE_FEATURES, text_features
from ..files.texts import Texts
from ..intervals import bootstrap_interval
from ..logistic import Array
from ..losses import weighted_mean
from ..pairs import PreferencePairs
from .slope import fit_slope, loss_at

__all__ = ["LENGTH", "LengthBaseline", "length_baseline"]

LENGTH = STYLE_FEATURES[0]  # log(1 + words)


@dataclass(frozen=True)
class LengthBaseline:
    """The result of ``length_baseline``.

    Attributes
    ----------
    accuracy : float, in [0, 1]
        Weighted share of the pairs whose longer answer was chosen. Two answers of equal length count one half.
    accuracy_interval : (float, float), or None for a single prompt
        95 % bootstrap interval over prompts.
    mean_loss : float, nats
        Mean loss of a model whose margin is b·(difference of the lengths).
    slope : float
        The b of this model, in log-odds per unit of length. ∞ if the longer answer was chosen in every pair, and -∞ if
        the shorter one was.
    slope_standard_error : float
        Standard error of the slope, clustered by prompt. NaN for a single prompt.
    n_pairs : int
    n_equal : int
        Number of pairs with two answers of equal length.
    """

    accuracy: float
    accuracy_interval: tuple[float, float] | None
    mean_loss: float
    slope: float
    slope_standard_error: float
    n_pairs: int
    n_equal: int

    def __str__(self) -> str:
        interval = " (a single prompt gives no interval)"
        if self.accuracy_interval is not None:
            interval = ", 95 % interval from {:.3f} to {:.3f}".format(*self.accuracy_interval)
        count = "which counts" if self.n_equal == 1 else "which count"
        return (
            f"longer answer      chosen in {self.accuracy:.3f} of {counted(self.n_pairs, 'pair', ',')}{interval}\n"
            f"equal lengths      {counted(self.n_equal, 'pair', ',')}, {count} one half\n"
            f"loss, length only  {self.mean_loss:.4f} nats (a coin flip costs log 2 = 0.6931)\n"
            f"slope              {self.slope:+.3f} log-odds per unit of length, standard error "
            f"{self.slope_standard_error:.3f}"
        )


def length_baseline(
    data: PreferencePairs | Texts,
    *,
    fitted_to: PreferencePairs | Texts | None = None,
    feature: str = LENGTH,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> LengthBaseline:
    """Return the accuracy of always choosing the longer answer, and the loss of a model that knows only the lengths.

    Parameters
    ----------
    data : PreferencePairs or Texts
        Pairs from texts, as ``load_pairs`` and ``files.read_texts`` return them. The length is log(1 + words).
    fitted_to : PreferencePairs or Texts, optional
        The pairs to which the slope is fitted, such as the training pairs. By default these are the data themselves,
        which makes the loss a little too small.
    feature : str
        Name of the feature that holds the length, for pairs with features of your own.
    n_bootstrap, seed : int
        As in ``evaluate``.

    Raises
    ------
    ValueError
        If there is no such feature.
    """
    text("feature", feature)
    pairs, x = _lengths("data", data, feature)
    training, its = (pairs, x) if fitted_to is None else _lengths("fitted_to", fitted_to, feature)
    used = its if training.weights is None else its[training.weights > 0]
    right = pairwise_accuracies(x, pairs.labels)
    slope, error = 0.0, float(np.nan)  # if all lengths are equal
    if used.any():
        fitted = fit_slope(its, training)
        slope, error = fitted.b, fitted.standard_error
    return LengthBaseline(
        accuracy=weighted_mean(right, pairs.weights),
        accuracy_interval=bootstrap_interval(
            right,
            pairs.prompt_index,
            weights=pairs.weights,
            n_bootstrap=n_bootstrap,
            rng=np.random.default_rng(seed_of(seed)),
        ),
        mean_loss=loss_at(slope, x, pairs),
        slope=slope,
        slope_standard_error=error,
        n_pairs=len(pairs),
        n_equal=int(np.count_nonzero(x == 0)),
    )


def _lengths(argument: str, data: PreferencePairs | Texts, feature: str) -> tuple[PreferencePairs, Array]:
    """Return the pairs and the length of the chosen answer minus that of the rejected one."""
    if isinstance(data, Texts):
        data = data.to_pairs(_words)
        return data, np.subtract(data.chosen[:, 0], data.rejected[:, 0], dtype=np.float64)
    if not isinstance(data, PreferencePairs):
        raise TypeError(f"{argument}: expected PreferencePairs or Texts, got {class_name(data)}")
    if data.is_items or feature not in (data.feature_names or ()):
        raise ValueError(f"{argument}: expected pairs with a feature {quoted(feature)}, got {data}")
    column = (data.feature_names or ()).index(feature)
    return data, np.subtract(data.chosen[:, column], data.rejected[:, column], dtype=np.float64)


def _words(texts: list[str]) -> Array:
    """Return log(1 + words) of each text, (n_texts, 1)."""
    return text_features([""] * len(texts), texts, n_bins=0)[:, :1]
