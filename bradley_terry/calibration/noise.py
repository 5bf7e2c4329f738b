"""The share of choices that are made at random, estimated from the margins of a model and the choices.

An annotator prefers the chosen answer with probability p, the model's, but tosses a coin with probability ε:

    P(ε) = (1 - ε) p + ε/2       Q(ε) = (1 - ε) q + ε/2,  q = 1 - p       P' = -h,  Q' = h,  h = (p - q)/2

    l(ε)   = Σ w (t log P + (1 - t) log Q)
    l'(ε)  = Σ w (-t h/P + (1 - t) h/Q)
    l''(ε) = -Σ w (t h²/P² + (1 - t) h²/Q²)                  at most 0, so l is concave

If l'(0) <= 0, the best ε in [0, 1] is 0, and if l'(1) >= 0, it is 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays.visible import class_name, counted
from ..evaluation import log_odds
from ..fitting.matching import matched
from ..intervals import refuse_nan
from ..intervals.proportions import QUANTILE_95
from ..logistic import Array, sigmoid
from ..losses import pair_losses, weighted_mean
from ..model import RewardModel
from ..pairs import PreferencePairs, check_pairs
from ..ranking.numbers import mixed

__all__ = ["Noise", "annotator_noise", "log_odds_of", "noise_of"]


@dataclass(frozen=True)
class Noise:
    """The result of ``annotator_noise``.

    Attributes
    ----------
    epsilon : float, in [0, 1]
        Estimated share of choices made at random.
    interval : (float, float), or None for a single prompt
        95 % interval of epsilon, from the likelihood ratio.
    n_pairs : int
    n_prompts : int
    loss_before : float, nats
        Mean loss with ε = 0.
    loss_after : float, nats
        Mean loss with the estimated ε.
    accuracy_bound : float, in [1/2, 1]
        1 - ε/2: no model can be more accurate than this, even if all choices that are not random were certain.
    expected_accuracy : float, in [1/2, 1]
        Mean of (1 - ε) max(p, 1 - p) + ε/2: the accuracy that this model reaches if its p and ε are correct.
    """

    epsilon: float
    interval: tuple[float, float] | None
    n_pairs: int
    n_prompts: int
    loss_before: float
    loss_after: float
    accuracy_bound: float
    expected_accuracy: float

    def __str__(self) -> str:
        interval = " (a single prompt gives no interval)"
        if self.interval is not None:
            interval = ", 95 % interval from {:.3f} to {:.3f}".format(*self.interval)
        note = ""
        if self.epsilon == 0:
            note = "\nThe choices follow the model at least as often as it predicts, so there is no sign of noise."
        elif self.epsilon == 1:
            note = "\nThe choices do not follow the model more often than coin tosses would."
        return (
            f"annotator noise    {self.epsilon:.3f}{interval}\n"
            f"pairs              {self.n_pairs} of {counted(self.n_prompts, 'prompt')}\n"
            f"mean loss          {self.loss_before:.4f} without noise, {self.loss_after:.4f} with it\n"
            f"accuracy           at most {self.accuracy_bound:.3f} with this noise; this model expects "
            f"{self.expected_accuracy:.3f}{note}"
        )


def annotator_noise(model: RewardModel, held_out: PreferencePairs) -> Noise:
    """Estimate the share ε of choices made at random, by maximum likelihood of (1 - ε) p + ε/2.

    p is the model's probability of the choice: sigma(Δ - m), or the probability that the margin stands for under
    another loss. If that loss has an ε of its own (``NoisyChoice``), p includes it, and the result is the noise beyond
    it. With the log-likelihood l and its maximum l(ε̂), the interval contains each ε with 2 (l(ε̂) - l(ε)) <= 3.84 c.
    Here c = J/H corrects for pairs of the same prompt: H = -l'', and J is the variance of l', computed from its sums
    over prompts (Chandler & Bate 2007, Biometrika 94, 167-183).

    Parameters
    ----------
    model : RewardModel
    held_out : PreferencePairs
        Pairs that played no part in the fit. On training pairs the estimate is too small, because the model has learned
        some of their noise.

    Raises
    ------
    ValueError
        If the model's loss only orders answers, or all margins are 0, so that every ε fits equally well.

    Notes
    -----
    An overconfident model can look like noisy choices. Only choices against large margins tell the two apart: under
    sigma(Δ/T) they become rarer and rarer as Δ grows, while with noise a share of ε/2 remains. If in doubt, use
    ``fit_temperature`` first.

    References
    ----------
    Christiano et al. 2017, arXiv:1706.03741, use this mixture with ε = 0.1.
    """
    check_pairs(held_out, "held_out")
    z = log_odds_of(model, held_out, "held_out")
    if (noise := noise_of(z, held_out)) is None:
        raise ValueError("held_out: expected margins other than 0, but this model gives both answers the same reward")
    return noise


def log_odds_of(model: RewardModel, pairs: PreferencePairs, name: str = "pairs") -> Array:
    """Return the log-odds of P(chosen preferred), (n_pairs,), or raise ValueError if the model has none."""
    if not isinstance(model, RewardModel):
        raise TypeError(f"model: expected a fitted RewardModel, got {class_name(model)}")
    margins = model.margins(matched(model.scorer, model.feature_names, pairs, name))
    refuse_nan("model", margins, "margins", finite=True)
    if not getattr(model.loss, "gives_probabilities", True):
        model.loss.log_odds(margins)  # type: ignore[union-attr]  # raises, and says why
    return log_odds(margins, pairs, model.loss)


class _Choices:
    """The pairs with weight, and their likelihood as a function of ε."""

    def __init__(self, z: Array, pairs: PreferencePairs) -> None:
        w = np.ones(len(pairs)) if pairs.weights is None else pairs.weights / pairs.weights.max()
        used = w > 0
        self.z, self.w = z[used], w[used]
        self.t = None if pairs.labels is None else pairs.labels[used]
        self.p, self.q = sigmoid(self.z), sigmoid(-self.z)
        self.h = (self.p - self.q) / 2
        _, self.prompt_index = np.unique(pairs.prompt_index[used], return_inverse=True)

    def _mixed(self, epsilon: float) -> tuple[Array, Array]:
        return (1 - epsilon) * self.p + epsilon / 2, (1 - epsilon) * self.q + epsilon / 2

    def losses(self, epsilon: float) -> Array:
        """Return -log of the probability of each choice."""
        if epsilon == 0:
            return np.asarray(pair_losses(self.z, labels=self.t))
        won, lost = self._mixed(epsilon)
        return -np.log(won) if self.t is None else -mixed(self.t, np.log(won), np.log(lost))

    @np.errstate(divide="ignore", over="ignore")
    def scores(self, epsilon: float) -> Array:
        """Return the part of each pair in l'(ε), +∞ where the choice is impossible without noise."""
        won, lost = self._mixed(epsilon)
        return self.w * (-self.h / won if self.t is None else mixed(self.t, -self.h / won, self.h / lost))

    def bend(self, epsilon: float) -> float:
        """Return -l''(ε)."""
        won, lost = self._mixed(epsilon)
        squares = (self.h / won) ** 2
        return float(np.dot(self.w, squares if self.t is None else mixed(self.t, squares, (self.h / lost) ** 2)))

    def best(self) -> float:
        """Return the ε with the largest likelihood, by Newton's method between bounds."""
        if self.scores(0.0).sum() <= 0:
            return 0.0
        if self.scores(1.0).sum() >= 0:
            return 1.0
        low, high, epsilon = 0.0, 1.0, 0.5
        for _ in range(200):
            slope = float(self.scores(epsilon).sum())
            low, high = (epsilon, high) if slope > 0 else (low, epsilon)
            new = epsilon + slope / self.bend(epsilon)
            new = new if low < new < high else 0.5 * (low + high)
            if slope == 0 or abs(new - epsilon) <= 4e-16 * epsilon or new in (low, high):
                break
            epsilon = new
        return epsilon

    def interval(self, best: float) -> tuple[float, float] | None:
        """Return the 95 % interval around the best ε, or None for a single prompt."""
        sums = np.bincount(self.prompt_index, weights=self.scores(best))
        n = len(sums)
        if n < 2:
            return None
        spread = n / (n - 1) * float(np.sum((sums - sums.mean()) ** 2))
        limit = self.cost(best) + 0.5 * QUANTILE_95**2 * spread / self.bend(best)
        return self._end(best, 0.0, limit), self._end(best, 1.0, limit)

    def cost(self, epsilon: float) -> float:
        """Return -l(ε)."""
        return float(np.dot(self.w, self.losses(epsilon)))

    def _end(self, inside: float, outside: float, limit: float) -> float:
        """Return where the cost, which is convex, crosses the limit, or ``outside`` if it does not.

        Newton's steps from outside never pass the crossing. Where the cost is infinite, the distance is halved instead.
        """
        if self.cost(outside) <= limit:
            return outside
        for _ in range(200):
            cost, slope = self.cost(outside), -float(self.scores(outside).sum())
            if np.isfinite(cost) and np.isfinite(slope):
                step = (limit - cost) / slope
                outside += step
                if abs(step) <= 1e-10 * outside:
                    break
            elif self.cost(middle := 0.5 * (inside + outside)) <= limit:
                inside = middle
            else:
                outside = middle
        return outside


def noise_of(z: Array, pairs: PreferencePairs) -> Noise | None:
    """Return the estimate for choices with log-odds z, (n_pairs,), or None if all probabilities are ½."""
    choices = _Choices(z, pairs)
    if not choices.h.any():
        return None
    epsilon = choices.best()
    certainty = np.maximum(choices.p, choices.q)
    return Noise(
        epsilon=epsilon,
        interval=choices.interval(epsilon),
        n_pairs=len(pairs),
        n_prompts=pairs.n_prompts,
        loss_before=weighted_mean(choices.losses(0.0), choices.w),
        loss_after=weighted_mean(choices.losses(epsilon), choices.w),
        accuracy_bound=1 - epsilon / 2,
        expected_accuracy=weighted_mean((1 - epsilon) * certainty + epsilon / 2, choices.w),
    )
