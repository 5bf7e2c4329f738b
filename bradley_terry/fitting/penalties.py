"""What an objective adds to the mean loss: l2/2·|φ|², and λ times the mean square of the summed rewards of a prompt.

    centring   C(φ)   = λ·Σ w·s² / Σ w              with s = r_chosen + r_rejected, or the sum over a ranking
               ∇C(φ)  = 2λ·Σ w·s·ds/dφ / Σ w        so the slope 2λ·w·s / Σ w goes to each reward of the pair
               ∇²C(φ) = 2λ·Σ w·ds/dφ·(ds/dφ)ᵀ / Σ w   for a scorer that is linear in φ

The loss of a pair does not change if both rewards rise together. Centring fixes that freedom: it pulls the sum of the
rewards of each pair towards 0 (Eisenstein et al. 2023, arXiv:2312.09244). This chooses a zero for each prompt, but it
adds no information, so rewards of different prompts still cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..arrays.single import number
from ..arrays.visible import quoted
from ..logistic import Array
from ..pairs import PreferencePairs
from ..scorers import Features, LinearScorer, Scorer, TableScorer, forward

__all__ = ["Penalties", "checked_strength"]


STRONGEST = 1e150  # times the sum of the weights, it stays below the largest double


def checked_strength(name: str, value: float) -> float:
    """Return a penalty's strength, or raise ValueError unless it is a number from 0 to 1e150."""
    if not 0 <= number(value) < np.inf:
        raise ValueError(f"{name}: expected a finite number of at least 0, got {quoted(value)}")
    if float(value) > STRONGEST:  # which a float32 cannot be compared with
        raise ValueError(f"{name}: expected at most {STRONGEST:g}, got {quoted(value)}")
    return float(value)


class Penalties:
    """The two penalties for one scorer and one set of pairs or rankings. Penalties of strength 0 cost nothing."""

    def __init__(self, scorer: Scorer, pairs: PreferencePairs, l2: float, centring: float) -> None:
        self.scorer, self.pairs = scorer, pairs
        self.l2, self.centring = checked_strength("l2", l2), checked_strength("centring", centring)

    @np.errstate(over="ignore", invalid="ignore")
    def added(self, phi: Array, loss: float, gradient: Array) -> tuple[float, Array]:
        """Return loss and gradient with the penalties."""
        if self.l2:
            loss, gradient = loss + 0.5 * self.l2 * float(np.einsum("i,i->", phi, phi)), gradient + self.l2 * phi
        if self.centring:
            ways = [forward(self.scorer, phi, features) for features in self._answers]
            sums, pull = self._sums([rewards for rewards, _ in ways]), 2 * self.centring * self._shares
            loss += self.centring * float(np.einsum("i,i,i->", self._shares, sums, sums))
            gradient = gradient + self._back([backward for _, backward in ways], pull * sums)
        return loss, gradient

    @np.errstate(over="ignore", invalid="ignore")
    def add_hessian(self, hessian: Array) -> Array:
        """Add the second derivatives to a matrix, for a scorer that is linear in φ, and return it."""
        hessian[np.diag_indices_from(hessian)] += self.l2
        if self.centring:
            hessian += self._hessian_of_centring
        return hessian

    @np.errstate(over="ignore", invalid="ignore")
    def product(self, v: Array) -> Array:
        """Return the second derivatives times v, for a scorer that is linear in φ."""
        if not self.centring:
            return self.l2 * v
        ways = [forward(self.scorer, v, features) for features in self._answers]
        sums = self._sums([rewards for rewards, _ in ways])
        return self.l2 * v + self._back([way for _, way in ways], 2 * self.centring * self._shares * sums)

    @cached_property
    def _hessian_of_centring(self) -> Array:
        scorer, pairs = self.scorer, self.pairs
        if isinstance(scorer, TableScorer):
            return self._hessian_of_table()
        if isinstance(scorer, LinearScorer) and isinstance(pairs, PreferencePairs):
            minus = np.negative(pairs.rejected, dtype=np.float64)
            return scorer.hessian(pairs.chosen, minus, 2 * self.centring * self._shares)
        only = Penalties(scorer, pairs, 0.0, self.centring)
        return np.array([only.product(column) for column in np.eye(scorer.n_parameters)])

    def _hessian_of_table(self) -> Array:
        n, result = self.scorer.n_parameters, np.zeros(self.scorer.n_parameters**2)
        for items, share in self._items_together():
            for one in items.T:
                for other in items.T:
                    result += np.bincount(one * n + other, 2 * self.centring * share, n * n)
        return result.reshape(n, n)

    def _items_together(self) -> list[tuple[NDArray[np.int64], Array]]:
        """Return the items of each pair, (n_pairs, 2), or of each ranking, (n_rankings, K), and their shares."""
        if isinstance(self.pairs, PreferencePairs):
            return [(np.stack([self.pairs.chosen, self.pairs.rejected], axis=1), self._shares)]
        return [(self.pairs.features[rows], self._shares[numbers]) for rows, _, numbers in self.pairs.groups]

    @property
    def _answers(self) -> list[Features]:
        pairs = self.pairs
        return [pairs.chosen, pairs.rejected] if isinstance(pairs, PreferencePairs) else [pairs.features]

    @cached_property
    def _shares(self) -> Array:
        w = self.pairs.weights if isinstance(self.pairs, PreferencePairs) else self.pairs.ranking_weights
        return np.full(len(self.pairs), 1 / len(self.pairs)) if w is None else w / w.sum()

    def _sums(self, rewards: list[Array]) -> Array:
        """Return the summed rewards of each pair, or of each ranking."""
        if isinstance(self.pairs, PreferencePairs):
            return rewards[0] + rewards[1]
        return np.bincount(self.pairs.prompt_index, rewards[0], len(self.pairs))

    def _back(self, ways_back: list[Callable[[Array], Array]], d_sums: Array) -> Array:
        """Return Σ d_sums·ds/dφ: each reward of a pair or ranking gets the slope of the sum."""
        is_paired = isinstance(self.pairs, PreferencePairs)
        d_rewards = d_sums if is_paired else d_sums[self.pairs.prompt_index]
        return np.sum([np.array(backward(d_rewards)) for backward in ways_back], axis=0)
