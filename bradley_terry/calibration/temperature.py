"""Temperature scaling: one number T that makes the probabilities of a fitted model fit held-out choices."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..arrays.visible import class_name, counted
from ..evaluation import evaluate, mean_accuracy
from ..fitting.matching import matched
from ..intervals.proportions import QUANTILE_95
from ..logistic import Array
from ..model import RewardModel, read_only
from ..pairs import PreferencePairs
from .slope import fit_slope

__all__ = ["TemperatureFit", "fit_temperature"]


UNDECIDED = "the interval contains 1, so no correction may be needed"


@dataclass(frozen=True)
class TemperatureFit:
    """The result of ``fit_temperature``.

    Attributes
    ----------
    T : float, above 0
        The temperature. Above 1, the model was too sure of itself; below 1, not sure enough.
    standard_error : float
        Standard error of T, clustered by prompt. NaN for a single prompt.
    interval : (float, float)
        95 % interval of T: the reciprocals of 1/T ± 1.96 standard errors. Its upper end is infinite if 1/T may be 0.
    model : RewardModel
        The same model with its rewards divided by T. Its probabilities are sigma(Δ).
    n_pairs : int
    n_prompts : int
    loss_before : float, nats
        Mean loss on the held-out pairs; NaN if the model's loss only orders answers.
    loss_after : float, nats
        Mean loss after the rewards were divided by T.
    ece_before : float
        Expected calibration error on the held-out pairs, with ten bins.
    ece_after : float
        The same after the rewards were divided by T.
    """

    T: float
    standard_error: float
    interval: tuple[float, float]
    model: RewardModel = field(repr=False)
    n_pairs: int
    n_prompts: int
    loss_before: float
    loss_after: float
    ece_before: float
    ece_after: float

    def __str__(self) -> str:
        interval = " (a single prompt gives no interval)"
        if not np.isnan(self.standard_error):
            interval = ", 95 % interval from {:.3f} to {:.3f}".format(*self.interval)
        low, high = self.interval
        was = "the model was too sure" if low > 1 else "the model was not sure enough" if high < 1 else UNDECIDED
        return (
            f"temperature        {self.T:.3f}{interval}; {was}\n"
            f"held-out pairs     {self.n_pairs} of {counted(self.n_prompts, 'prompt')}\n"
            f"mean loss          {self.loss_before:.4f} before, {self.loss_after:.4f} after\n"
            f"calibration error  {self.ece_before:.3f} before, {self.ece_after:.3f} after (ECE)"
        )


def fit_temperature(model: RewardModel, held_out: PreferencePairs) -> TemperatureFit:
    """Find the T > 0 that minimises the mean of -log sigma(Δ/T - m) over held-out pairs.

    The loss is convex in 1/T, and Newton's method finds its minimum. The order of the answers and the accuracy stay the
    same. A model that was fitted with another loss, even one that only orders answers, gets probabilities this way.

    Parameters
    ----------
    model : RewardModel
    held_out : PreferencePairs
        Pairs that played no part in the fit. On the training pairs, T would be close to 1, even if the model is far
        too sure of itself on new ones. Target margins m, labels, weights and prompts count as in the fit.

    Raises
    ------
    ValueError
        If no T is best, because no pair is in the wrong order (the loss falls as T shrinks to 0), the margins are no
        better than chance (the best 1/T is not positive), or all margins are 0. Also if the scorer is not one of this
        package.

    References
    ----------
    Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. 2017, On calibration of modern neural networks, arXiv:1706.04599.
    """
    if not isinstance(model, RewardModel):
        raise TypeError(f"model: expected a fitted RewardModel, got {class_name(model)}")
    held_out = matched(model.scorer, model.feature_names, held_out, "held_out")
    before = evaluate(model, held_out, n_bootstrap=1)
    margins, shifts = before.margins, getattr(model.loss, "shifts", True)
    used = np.ones(len(held_out), dtype=bool) if held_out.weights is None else held_out.weights > 0
    if not margins[used].any():
        raise ValueError("held_out: expected margins other than 0, but this model gives both answers the same reward")
    m = 0.0 if held_out.target_margins is None or not shifts else held_out.target_margins
    slope = fit_slope(margins, held_out, m)
    if slope.b == np.inf:
        raise ValueError(
            "held_out: expected at least one pair that the model orders wrongly, since without one the loss falls "
            f"without end as T shrinks to 0; got {counted(len(held_out), 'pair')}, all in the right order"
        )
    if slope.b <= 0:
        accuracy = mean_accuracy(margins, held_out.labels, held_out.weights)
        raise ValueError(
            "held_out: expected choices that follow the rewards more often than chance, but the best 1/T is "
            f"{slope.b:.3g} and no temperature is negative: these pairs, with an accuracy of {accuracy:.3f}, give no "
            "reason to trust the margins"
        )
    low, high = slope.b - QUANTILE_95 * slope.standard_error, slope.b + QUANTILE_95 * slope.standard_error
    T = 1 / slope.b
    scaled = _divided(model, T)
    after = evaluate(scaled, held_out, n_bootstrap=1)
    return TemperatureFit(
        T=T,
        standard_error=slope.standard_error * T * T,  # dT = -T² d(1/T)
        interval=(1 / high, float(np.inf) if low <= 0 else 1 / low),
        model=scaled,
        n_pairs=len(held_out),
        n_prompts=held_out.n_prompts,
        loss_before=before.mean_loss,
        loss_after=after.mean_loss,
        ece_before=before.ece,
        ece_after=after.ece,
    )


def _divided(model: RewardModel, T: float) -> RewardModel:
    """Return the model with its rewards divided by T, and no standard errors: its φ is no longer a minimum."""
    scorer = model.scorer
    phi: Array = np.array(model.phi)
    if scorer.linear_in_phi:
        phi /= T
    elif "output_weights" in scorer.shapes:
        scorer.unpack(phi)["output_weights"][...] /= T
    else:
        raise ValueError(f"model: expected a scorer whose rewards can be divided by T, got {scorer}")
    return replace(
        model,
        phi=read_only(phi),
        loss=None if getattr(model.loss, "shifts", True) else model.loss,
        information=None,
        message=f"{model.message.rstrip('.')}; afterwards the rewards were divided by T = {T:.4g}",
    )
