"""The losses of a margin once more, in plain formulas that autograd, jax and torch can differentiate.

The formulas are those of the papers, and share nothing with ``ranking``, so agreement with them is evidence. They are
written with softplus(x) = log(e^0 + e^x), which the libraries compute without overflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..logistic import Array
from ..losses import BradleyTerryLoss, PairLoss
from ..objective import Objective
from ..pairs import PreferencePairs
from ..ranking import (
    Davidson,
    Exponential,
    Focal,
    Hinge,
    LabelSmoothing,
    ListNet,
    NoisyChoice,
    Ordinal,
    PlackettLuce,
    Probit,
    RaoKupper,
    Robust,
    Scaled,
    Sigmoid,
    Square,
    Temperature,
    Unhinged,
)

if TYPE_CHECKING:
    from ..ranking.rankings import PreferenceRankings

__all__ = ["Library", "plain_loss", "plain_mean"]


@dataclass(frozen=True)
class Library:
    """A library that differentiates: its name, its functions with NumPy's names, and a way to make its arrays."""

    name: str
    xp: Any
    constant: Callable[[Any], Any]

    def softplus(self, x: Any) -> Any:
        """Return log(1 + e^x)."""
        return self.xp.logaddexp(self.constant(0.0), x)

    def log_of_sum(self, x: Any, number: float) -> Any:
        """Return log(e^x + number)."""
        return self.xp.logaddexp(x, self.constant(np.log(number))) if number > 0 else x

    def log_normal_cdf(self, x: Any) -> Any:
        """Return log Φ(x). Autograd needs SciPy for it."""
        if self.name == "torch":
            return import_module("torch").special.log_ndtr(x)
        return import_module(f"{self.name}.scipy.stats").norm.logcdf(x)


def plain_mean(objective: Objective, library: Library) -> Callable[[list[Any]], Any]:
    """Return the mean loss with its centring, without its L2 penalty, as a function of the rewards.

    The argument has the rewards of the chosen and of the rejected answers, or those of all answers of rankings.

    Raises
    ------
    ValueError
        If the loss is the caller's own.
    """
    made = _mean_of_pairs if isinstance(objective.pairs, PreferencePairs) else _mean_of_rankings
    mean = made(objective, library)
    if mean is None:
        name = library.name
        raise ValueError(f"reference: expected your loss written for {name}, since the objective's loss is your own")
    return mean


def _mean_of_pairs(objective: Objective, f: Library) -> Callable[[list[Any]], Any] | None:
    pairs, loss, n = objective.pairs, plain_loss(objective.loss, f), len(objective.pairs)
    w = f.constant(np.ones(n) if pairs.weights is None else pairs.weights)
    t = np.ones(n) if pairs.labels is None else np.asarray(pairs.labels)
    m = np.zeros(n) if pairs.target_margins is None else np.asarray(pairs.target_margins)

    def mean(rewards: list[Any]) -> Any:
        one, other = rewards
        losses = cast("Callable[..., Any]", loss)(one - other - f.constant(m), t, m)
        return f.xp.sum(w * (losses + objective.centring * (one + other) ** 2)) / f.xp.sum(w)

    return None if loss is None else mean


def _mean_of_rankings(objective: Objective, f: Library) -> Callable[[list[Any]], Any] | None:
    rankings, loss = cast("PreferenceRankings", objective.pairs), OF_RANKING.get(type(objective.loss))

    def mean(rewards: list[Any]) -> Any:
        total, weights = f.constant(0.0), rankings.ranking_weights
        for rows, n_choices, numbers in rankings.groups:
            r = [rewards[0][f.constant(column)] for column in rows.T]
            losses = cast("Callable[..., Any]", loss)(f, objective.loss, r, n_choices)
            total = total + f.xp.sum(f.constant(weights[numbers]) * (losses + objective.centring * sum(r) ** 2))
        return total / weights.sum()

    return None if loss is None else mean


def plain_loss(loss: PairLoss, library: Library) -> Callable[[Any, Array, Array], Any] | None:
    """Return the loss of each pair as a function of z = Δ - m, its label t and its target margin m.

    The result is None if the loss is the caller's own.
    """
    kind = type(loss)
    if kind in OF_OUTCOME:
        return lambda z, t, m: OF_OUTCOME[kind](library, loss, z, t)
    if kind is Scaled:
        return lambda z, t, m: library.constant(m) * _mixed(library, _bradley_terry, loss, z + library.constant(m), t)
    if kind in OF_CHOICE:
        return lambda z, t, m: _mixed(library, OF_CHOICE[kind], loss, z, t)
    return None


def _mixed(library: Library, formula: Callable[[Library, Any, Any], Any], loss: Any, z: Any, t: Array) -> Any:
    one, other = formula(library, loss, z), formula(library, loss, -z)
    return library.constant(t) * one + library.constant(1 - t) * other


def _bradley_terry(f: Library, loss: Any, z: Any) -> Any:
    return f.softplus(-z)


def _smoothed(f: Library, loss: Any, z: Any) -> Any:
    return (1 - loss.epsilon) * f.softplus(-z) + loss.epsilon * f.softplus(z)


def _robust(f: Library, loss: Any, z: Any) -> Any:
    return ((1 - loss.epsilon) * f.softplus(-z) - loss.epsilon * f.softplus(z)) / (1 - 2 * loss.epsilon)


def _noisy(f: Library, loss: Any, z: Any) -> Any:
    return -f.log_of_sum(float(np.log1p(-loss.epsilon)) - f.softplus(-z), loss.epsilon / 2)


def _hinge(f: Library, loss: Any, z: Any) -> Any:
    return f.xp.where(z < loss.delta, loss.delta - z, 0 * z)


OF_CHOICE: Mapping[type, Callable[[Library, Any, Any], Any]] = {
    BradleyTerryLoss: _bradley_terry,
    LabelSmoothing: _smoothed,
    Robust: _robust,
    NoisyChoice: _noisy,
    Hinge: _hinge,
    Temperature: lambda f, loss, z: f.softplus(-z / loss.T),
    Exponential: lambda f, loss, z: f.xp.exp(-z),
    Square: lambda f, loss, z: (z - loss.target) ** 2,
    Focal: lambda f, loss, z: f.xp.exp(-loss.gamma * f.softplus(z)) * f.softplus(-z),
    Probit: lambda f, loss, z: -f.log_normal_cdf(z),
    Sigmoid: lambda f, loss, z: f.xp.exp(-f.softplus(z)),
    Unhinged: lambda f, loss, z: 1 - z,
}


def _rao_kupper(f: Library, loss: Any, z: Any, t: Array) -> Any:
    """Return the loss of a win by more than η, or of a tie, which has the rest of the probability."""
    win, lose, is_tie = f.softplus(loss.eta - z), f.softplus(loss.eta + z), t == 0.5
    total = f.constant(np.where(is_tie, 1.0, t)) * win + f.constant(np.where(is_tie, 1.0, 1 - t)) * lose
    return total - f.constant(np.where(is_tie, np.log(np.expm1(2 * loss.eta)), 0.0))


def _davidson(f: Library, loss: Any, z: Any, t: Array) -> Any:
    """Return the loss of one of three outcomes, which have the weights e^(z/2), e^(-z/2) and ν."""
    log_total = f.log_of_sum(f.xp.logaddexp(z / 2, -z / 2), loss.nu)
    return log_total - f.constant(t - 0.5) * z - f.constant(np.where(t == 0.5, np.log(loss.nu), 0.0))


def _ordinal(f: Library, loss: Any, z: Any, t: Array) -> Any:
    """Return the loss of a level, which lies between two thresholds; the lowest and the highest have only one."""
    ends = np.array([0.0, *loss.thresholds, 0.0])
    level = np.rint(t * (loss.n_levels - 1)).astype(int)
    low, high = ends[level], ends[level + 1]
    has_low, has_high = level > 0, level < loss.n_levels - 1
    gap = np.where(has_low & has_high, high - low, np.inf)
    above = f.constant(1.0 * has_high) * f.softplus(z - f.constant(high))
    below = f.constant(1.0 * has_low) * f.softplus(f.constant(low) - z)
    return above + below - f.constant(np.log(-np.expm1(-gap)))


OF_OUTCOME: Mapping[type, Callable[[Library, Any, Any, Array], Any]] = {
    RaoKupper: _rao_kupper,
    Davidson: _davidson,
    Ordinal: _ordinal,
}


def _plackett_luce(f: Library, loss: Any, r: list[Any], n_choices: Any) -> Any:
    """Return Σ_k log Σ_{j>=k} e^(r_j) - r_k over the observed choices; r has the rewards of each place."""
    log_left, total = r[-1], 0 * r[-1]
    for k in range(len(r) - 2, -1, -1):
        log_left = f.xp.logaddexp(log_left, r[k])
        total = total + f.constant(1.0 * (k < n_choices)) * (log_left - r[k])
    return total


def _list_net(f: Library, loss: Any, r: list[Any], n_choices: Any) -> Any:
    """Return -Σ_j P_j log p_j with P the softmax of -scale·rank and p that of the rewards."""
    log_all = r[0]
    for reward in r[1:]:
        log_all = f.xp.logaddexp(log_all, reward)
    target = np.exp(-loss.scale * np.minimum(np.arange(len(r))[:, None], n_choices))
    shares = target / target.sum(axis=0)
    return sum(f.constant(share) * (log_all - reward) for share, reward in zip(shares, r, strict=True))


OF_RANKING: Mapping[type, Callable[[Library, Any, list[Any], Any], Any]] = {
    PlackettLuce: _plackett_luce,
    ListNet: _list_net,
}
