"""Exercises of lesson 11: the gradient of a loss with target margins, and the loss of a whole ranking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...logistic import Array, sigmoid, softplus
from ...losses import pair_loss_gradients, pair_losses
from ..engine import LIMIT, Case, Report, Student, Wrong, about_softmax, check_values
from .by_hand import by_hand

__all__ = ["margin_gradient", "ranking_loss"]

Index = NDArray[np.int64]


def margin_gradient(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(rewards, chosen, rejected, target_margins) -> gradient with respect to each reward, (n_answers,).

    ``chosen`` and ``rejected``, (n_pairs,), are positions in ``rewards``; an answer may be in several pairs or in none.
    The loss is the mean of −log σ(Δ − m) over the pairs.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def gradient(rewards, chosen, rejected, target_margins):
    ...     slopes = -1 / (1 + np.exp(rewards[chosen] - rewards[rejected] - target_margins))
    ...     g = np.zeros(len(rewards))
    ...     g[chosen] += slopes / len(chosen)
    ...     g[rejected] -= slopes / len(chosen)
    ...     return g
    >>> print(check.margin_gradient(gradient).problems[0].diagnosis)
    looks like: an answer in several pairs gets the slope of one pair only:
    g[chosen] += … adds one, but np.add.at adds all
    """
    rng = np.random.default_rng(11)
    cases: list[Case] = [(_ranking_as_pairs(rng.normal(0, 1, 4), rng), "")]
    for n_answers, n_pairs in ((7, 5), (5, 12)):
        chosen = rng.integers(n_answers, size=n_pairs)
        rejected = (chosen + rng.integers(1, n_answers, size=n_pairs)) % n_answers
        given = (rng.normal(0, 2, n_answers), chosen, rejected, rng.uniform(0.2, 2, n_pairs))
        cases.append((given, f"with {n_pairs} pairs of {n_answers} answers: "))
    far = (np.array([1000.0, -1000.0, 0.0]), np.array([0, 1, 2]), np.array([1, 2, 0]), np.array([3.0, 0.5, 0.0]))
    cases.append((far, "at rewards of ±1000: "))

    def wrong(r: Array, c: Index, j: Index, m: Array) -> Wrong:
        z, n = r[c] - r[j], len(c)
        slopes = _slopes(z - m) / n
        right = _added(r, c, j, slopes, -slopes)
        yield "the target margin is added: subtract it, Δ − m", _added_at(r, c, j, z + m)
        yield "the target margin is not used", _added_at(r, c, j, z)
        yield "chosen and rejected are exchanged: Δ = r_rejected − r_chosen", _added_at(r, j, c, -z - m)
        yield "σ(Δ − m) instead of σ(m − Δ)", _added(r, c, j, -sigmoid(z - m) / n, sigmoid(z - m) / n)
        yield "the sign is flipped", -right
        yield "a sum instead of a mean: divide by the number of pairs", right * n
        yield "divided by the number of answers, not of pairs", right * n / r.size
        yield "only the chosen rewards: a rejected reward has the opposite slope", _added(r, c, j, slopes, 0 * slopes)
        yield "only the rejected rewards: a chosen reward has the opposite slope", _added(r, c, j, 0 * slopes, -slopes)
        lost = np.zeros(r.size)
        lost[c] += slopes
        lost[j] -= slopes
        yield (
            "an answer in several pairs gets the slope of one pair only: g[chosen] += … adds one, but np.add.at adds "
            "all",
            lost,
        )
        last = np.zeros(r.size)
        for at_c, at_j, slope in zip(c, j, slopes, strict=True):
            last[at_c], last[at_j] = slope, -slope
        yield "each pair overwrites what earlier pairs gave to its answers: use += instead of =", last

    names = ("rewards", "chosen", "rejected", "target_margins")
    report = check_values(
        "margin gradient", function, names, cases,
        lambda r, c, j, m: _added_at(r, c, j, r[c] - r[j] - m), wrong, time_limit,
    )  # fmt: skip
    return by_hand(report, function, names, cases, time_limit)


def ranking_loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the Plackett-Luce loss, f(rewards) -> −log of the probability of the ranking, one number.

    The rewards are in ranked order, best answer first. Rewards of ±1000 must give finite numbers.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def of_pairs(rewards):
    ...     margins = np.subtract.outer(rewards, rewards)[np.triu_indices(len(rewards), 1)]
    ...     return np.mean(np.logaddexp(0, -margins))
    >>> check.ranking_loss(of_pairs).problems[0].diagnosis
    "looks like: the mean of the pairs' losses"
    """
    rng = np.random.default_rng(12)
    cases: list[Case] = [
        ((np.array([2.0, 1.0, 0.0]),), ""),
        ((np.array([0.3, -1.2, 0.9, 0.4]),), "for four answers: "),
        ((np.array([-0.4, 0.7]),), "for two answers: "),
        ((rng.normal(0, 2, 8),), "for eight answers: "),
        ((np.array([1000.0, 0.0, -1000.0]),), "at rewards of 1000, 0 and -1000: "),
        ((np.array([-1000.0, 0.0, 1000.0]),), "at rewards of -1000, 0 and 1000: "),
    ]

    def wrong(r: Array) -> Wrong:
        right, k, pairs = _ranking_loss(r), r.size, pair_losses(_differences(r))
        lowest_first = np.logaddexp.accumulate(r)
        yield "the sum of the pairs' losses: the pairs are not independent; a ranking is K − 1 choices", pairs.sum()
        yield "the mean of the pairs' losses", pairs.mean()
        yield "neighbours only: each answer is chosen from all that are left", pair_losses(r[:-1] - r[1:]).sum()
        yield "the first choice only", np.logaddexp.reduce(r) - r[0]
        yield "every choice is made among all answers: leave out those that are already ranked", _each_among_all(r)
        yield (
            "the sums run over the answers ranked above each one: they should run over those below it",
            (lowest_first - r).sum(),
        )
        yield "the chosen answer is missing from its own sum", _without_itself(r)
        yield "the minus sign is missing", -right
        yield "a probability, not a loss: −log is missing", np.exp(-right)
        yield "the logarithm has base 2: nats need the natural one", right / np.log(2)
        yield "divided by the number of choices: the loss of a ranking is a sum", right / (k - 1)
        yield "divided by the number of answers: the loss of a ranking is a sum", right / k

    report = check_values("ranking loss", function, ("rewards",), cases, _ranking_loss, wrong, time_limit)
    return by_hand(about_softmax(report), function, ("rewards",), cases, time_limit)


def _ranking_as_pairs(rewards: Array, rng: np.random.Generator) -> tuple[Array, Index, Index, Array]:
    """Return the arguments for all pairs of one ranking, best answer first."""
    chosen, rejected = np.triu_indices(rewards.size, 1)
    return rewards, chosen, rejected, rng.uniform(0.2, 2, chosen.size)


def _slopes(z: Array) -> Array:
    return np.asarray(pair_loss_gradients(z), dtype=np.float64)


def _added(rewards: Array, chosen: Index, rejected: Index, of_chosen: Array, of_rejected: Array) -> Array:
    total = np.zeros(rewards.size)
    np.add.at(total, chosen, of_chosen)
    np.add.at(total, rejected, of_rejected)
    return total


def _added_at(rewards: Array, chosen: Index, rejected: Index, z: Array) -> Array:
    """Return the gradient of the mean of −log σ(z) with respect to the rewards, if dz/dr is 1 and −1."""
    slopes = _slopes(z) / len(chosen)
    return _added(rewards, chosen, rejected, slopes, -slopes)


def _ranking_loss(rewards: Array) -> float:
    later = np.logaddexp.accumulate(rewards[::-1])[::-1]
    return float(softplus(later[1:] - rewards[:-1]).sum())


def _differences(rewards: Array) -> Array:
    better, worse = np.triu_indices(rewards.size, 1)
    return np.asarray(rewards[better] - rewards[worse])


def _each_among_all(rewards: Array) -> float:
    return float((np.logaddexp.reduce(rewards) - rewards[:-1]).sum())


def _without_itself(rewards: Array) -> float:
    later = np.logaddexp.accumulate(rewards[::-1])[::-1]
    return float((later[1:] - rewards[:-1]).sum())
