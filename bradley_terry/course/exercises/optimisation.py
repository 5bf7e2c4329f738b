"""Exercises of lesson 12: the policy that a KL penalty allows, and the penalty that people like best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...logistic import Array
from ..engine import LIMIT, Case, Report, Student, Wrong, about_softmax, check_values
from .by_hand import by_hand

__all__ = ["choose_beta", "tilted_policy"]


def _tilted(reference: Array, rewards: Array, beta: float) -> Array:
    """Return π ∝ π_ref·exp(r/β) along the last axis. The largest exponent among possible answers is 0."""
    exponents = np.where(reference > 0, rewards, -np.inf) / beta
    weights = reference * np.exp(exponents - exponents.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _divergences(policy: Array, reference: Array) -> Array:
    """Return KL(π‖π_ref) along the last axis, in nats. An answer that the policy never gives adds 0."""
    given = policy > 0
    ratio = np.where(given, policy, 1.0) / np.where(given, reference, 1.0)
    return np.asarray(np.sum(policy * np.log(ratio), axis=-1))


def tilted_policy(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(reference_probabilities, rewards, beta) -> π ∝ π_ref·exp(r/β), for each prompt.

    The arrays are (n_answers,) or (n_prompts, n_answers). Rewards of ±1,000,000 must not overflow, and an answer that
    the reference policy never gives keeps probability 0, however high its reward. It must not call this package.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> def softmax(reference_probabilities, rewards, beta):
    ...     weights = np.exp(rewards / beta)
    ...     return weights / weights.sum(axis=-1, keepdims=True)
    >>> print(check.tilted_policy(softmax).problems[0].diagnosis)
    looks like: the reference probabilities are not used: this is a softmax of r/β
    """
    one = np.array([0.5, 0.2, 0.2, 0.1]), np.array([1.0, 3.0, -0.5, 2.0])
    rng = np.random.default_rng(12)
    several = rng.dirichlet(np.ones(5), size=3), rng.normal(0.0, 2.0, (3, 5)) + np.array([[0.0], [4.0], [-3.0]])
    extreme = np.array([[0.3, 0.6, 0.1], [0.8, 0.1, 0.1]]), np.array([[1e6, 1e6, -1e6], [-1e6, -1e6, -1e6 + 0.5]])
    never = np.array([0.0, 0.4, 0.6]), np.array([1000.0, 1.0, 0.5])

    def wrong(p: Array, r: Array, beta: float) -> Wrong:
        flat = np.full(p.shape, 1 / p.shape[-1])
        best = r == r.max(axis=-1, keepdims=True)
        yield (
            "the rewards are multiplied by β: divide by it, so that a small β moves the policy far",
            _tilted(p, r, 1 / beta),
        )
        yield "β is not used", _tilted(p, r, 1.0)
        yield "the reference probabilities are not used: this is a softmax of r/β", _tilted(flat, r, beta)
        yield (
            "the reference probabilities are added to r/β: multiply exp(r/β) by them",
            _tilted(flat, p + r / beta, 1.0),
        )
        yield "the rewards are not used", p
        yield "the sign of the rewards is flipped: bad answers become likely", _tilted(p, -r, beta)
        yield "all probability on the best answer: that is the limit of a small β", best / best.sum(-1, keepdims=True)
        if np.abs(r / beta).max() < 500:  # there the plain exponential is finite
            plain = p * np.exp(r / beta)
            yield "not normalised: the probabilities of each prompt must add up to 1", plain
            yield "normalised over all prompts together: each row is a prompt of its own", plain / plain.sum()
            yield (
                "normalised along axis 0, over the prompts: each row is a prompt, so use axis=-1",
                plain / plain.sum(0),
            )
            below = p * np.exp((r - r.max(axis=-1, keepdims=True)) / beta)
            yield (
                "the largest reward of each row is subtracted, but the sums run over the prompts: use axis=-1 twice",
                below / below.sum(axis=0),
            )
        relative = _tilted(p, r, beta)
        yield "divided by the largest weight instead of the sum", relative / relative.max(axis=-1, keepdims=True)

    cases: list[Case] = [
        ((*one, 2.0), "for one prompt: "),
        ((*several, 0.5), "for three prompts: "),
        ((*several, 1e6), "with β = 1e6: "),
        ((*extreme, 0.25), "at rewards of ±1,000,000: "),
        ((*never, 1.0), "where the reference never gives the answer with the highest reward: "),
    ]
    names = ("reference_probabilities", "rewards", "beta")
    report = check_values("tilted policy", function, names, cases, _tilted, wrong, time_limit)
    return by_hand(about_softmax(report), function, names, cases[:1], time_limit)


def _chosen(reference: Array, proxy: Array, measured: Array, betas: Array, max_kl: float) -> float:
    """Return the β of the highest mean measured reward among those whose mean KL is at most ``max_kl``."""
    policies = [_tilted(reference, proxy, beta) for beta in betas]
    divergence = np.array([np.mean(_divergences(policy, reference)) for policy in policies])
    return _best(betas, _means(policies, measured), divergence <= max_kl)


def _means(policies: list[Array], rewards: Array) -> Array:
    return np.array([np.mean(np.sum(policy * rewards, axis=-1)) for policy in policies])


def _best(betas: Array, values: Array, allowed: NDArray[np.bool_]) -> float:
    return float(betas[np.argmax(np.where(allowed, values, -np.inf))]) if allowed.any() else np.nan


def _answers(
    seed: int, shape: tuple[int, int], bend: float, betas: Array, max_kl: float
) -> tuple[Array, Array, Array, Array, float]:
    """Return the arguments of one case: the proxy likes length without limit, people like it up to a point."""
    rng = np.random.default_rng(seed)
    quality, length = rng.normal(size=(2, *shape))
    measured = quality + 0.6 * length - bend * length**2
    return rng.dirichlet(np.ones(shape[1]), size=shape[0]), quality + 0.8 * length, measured, betas, max_kl


def choose_beta(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(reference_probabilities, proxy_rewards, measured_rewards, betas, max_kl) -> one of the betas.

    It is the β whose policy π ∝ π_ref·exp(proxy/β) has the highest mean measured reward, among those with a mean KL of
    at most ``max_kl`` nats. Arrays are (n_prompts, n_answers), and ``betas`` are in no order. In every case the mean
    measured reward of the best β is at least 0.02 above the next one, and no KL is within 0.02 of the limit.

    Examples
    --------
    >>> from bradley_terry.course import check
    >>> report = check.choose_beta(lambda reference, proxy, measured, betas, max_kl: max(betas))
    >>> report.problems[0].diagnosis
    'looks like: the largest β: it moves the policy least, which is safe but rarely best'
    """

    def wrong(reference: Array, proxy: Array, measured: Array, betas: Array, max_kl: float) -> Wrong:
        policies = [_tilted(reference, proxy, beta) for beta in betas]
        each = np.array([_divergences(policy, reference) for policy in policies])
        means, divergence = _means(policies, measured), each.mean(axis=1)
        allowed = divergence <= max_kl
        with np.errstate(divide="ignore"):
            back = np.array([np.mean(np.sum(reference * np.log(reference / q), axis=-1)) for q in policies])
        yield (
            "the highest proxy reward: choose by the reward that people measured",
            (_best(betas, _means(policies, proxy), allowed)),
        )
        yield "the KL limit is not used", _best(betas, means, divergence < np.inf)
        yield "the largest β: it moves the policy least, which is safe but rarely best", betas.max()
        yield "the smallest β of all", betas.min()
        yield (
            "the KL the other way round, KL(π_ref‖π): the average is over the new policy",
            (_best(betas, means, back <= max_kl)),
        )
        yield (
            "the KL was summed over the prompts: the limit is for their mean",
            (_best(betas, means, each.sum(axis=1) <= max_kl)),
        )
        yield (
            "the rewards are multiplied by β instead of divided",
            _chosen(reference, proxy, measured, 1 / betas, max_kl) ** -1,
        )
        yield "the highest measured reward, not the β that reaches it", np.where(allowed, means, -np.inf).max()
        yield (
            "the largest KL of the prompts was compared with the limit, which is for their mean",
            (_best(betas, means, each.max(axis=1) <= max_kl)),
        )
        position = int(np.argmax(np.where(allowed, means, -np.inf)))
        yield (
            "the position of the best β in the list, not the β itself",
            np.nan if position in betas else float(position),
        )
        underflows = np.array([bool((policy == 0).any()) for policy in policies])
        yield (
            "a β was left out because its KL was NaN: where π is 0, π·log(π/π_ref) counts as 0",
            (_best(betas, means, allowed & ~underflows)),
        )

    grid = np.random.default_rng(0).permutation(np.geomspace(0.04, 30, 25)).round(3)
    few = np.array([1.0, 0.001, 10.0, 0.3, 3.0])
    cases: list[Case] = [
        (_answers(127, (6, 12), 0.4, grid, 1.0), "where the limit decides: "),
        (_answers(72, (5, 10), 0.8, grid, 1.5), "where the limit does not decide: "),
        (_answers(2, (4, 8), 0.0, few, np.inf), "where the proxy is nearly right and there is no limit: "),
        (_answers(8, (1, 9), 1.0, grid, 0.5), "for one prompt: "),
    ]
    names = ("reference_probabilities", "proxy_rewards", "measured_rewards", "betas", "max_kl")
    return about_softmax(check_values("best β", function, names, cases, _chosen, wrong, time_limit))
