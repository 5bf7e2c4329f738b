"""The middle of the sandwich: Σ_g s_g s_gᵀ, where s_g sums the scores w·l'(Δ - m, t)·d of the pairs of cluster g.

d = dΔ/dφ does not depend on φ if the reward is linear in it. So each pair is known by one number, its slope, and the
rows of scores, (n_pairs, n_parameters), are formed only block by block. A table's d has two entries, so that each
cluster adds only the products of the items that it contains.

If parameters θ of the loss were fitted with φ, the sandwich is that of (φ, θ). Its rows and columns of φ have the same
form, with the information H_φφ - A H_θφ and, in place of s_g,

    s_g - A u_g        where u_g = Σ w·∂l/∂θ over the pairs of the cluster, and A = H_φθ H_θθ⁻¹
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..arrays.frozen import blocks_of
from ..evaluation import margins_of
from ..logistic import Array
from ..losses import BradleyTerryLoss, PairLoss
from ..pairs import PreferencePairs, shifted
from ..scorers import Features, LinearScorer, Scorer, TableScorer
from ..threads import blas_on_one_thread
from .clusters import Clusters, weights_of

if TYPE_CHECKING:
    from ..ranking.joint import FreeLoss
    from ..ranking.listwise import RankingLoss
    from ..ranking.rankings import PreferenceRankings

__all__ = ["Scores"]

NUMBERS = 500_000  # held in memory at once
FEW = 24  # items of a cluster, for which all products of two are formed one by one
LARGE = 200  # power of 2; scores between 2**-200 and 2**200 have squares far from the limits of float64
Index = NDArray[np.int64]


class _Theta(NamedTuple):
    """A, (n_parameters, k), and w·∂l/∂θ for each pair, (n_pairs, k)."""

    by_theta: Array
    slopes: Array


class Scores:
    """The scores of the pairs or rankings of a fit, summed over clusters."""

    def __init__(
        self,
        scorer: Scorer,
        phi: Array,
        pairs: PreferencePairs | PreferenceRankings,
        loss: PairLoss | None,
        clusters: Clusters,
        *,
        theta_is_fitted: bool = False,
    ) -> None:
        self.scorer, self.pairs, self.clusters = scorer, pairs, clusters
        self.factor = clusters.n / (clusters.n - 1)
        self.theta: _Theta | None = None
        self.slopes: Array
        if isinstance(pairs, PreferencePairs):
            self._of_pairs(phi, pairs, loss, theta_is_fitted=theta_is_fitted)
        else:
            self._of_rankings(phi, pairs, loss)

    def rescale(self) -> float:
        """Divide the scores by a power of 2 if their squares would overflow or underflow, and return it, or else 1."""
        exponent = math.frexp(float(np.abs(self.slopes).max(initial=0.0)))[1]
        if self.theta is not None or abs(exponent) < LARGE:
            return 1.0
        self.slopes = np.ldexp(self.slopes, -exponent)
        return math.ldexp(1.0, exponent)

    def _of_pairs(self, phi: Array, pairs: PreferencePairs, loss: PairLoss | None, *, theta_is_fitted: bool) -> None:
        loss = BradleyTerryLoss() if loss is None else loss
        loss = loss.of_pairs(pairs) if hasattr(loss, "of_pairs") else loss
        z, w = shifted(margins_of(self.scorer, phi, pairs), pairs), weights_of(pairs)
        # w votes add w·s sᵀ together, but one pair of weight w adds w²·s sᵀ.
        root = np.sqrt(w) if self.clusters.is_votes else w
        self.slopes = root * loss.gradient(z, pairs.labels)
        self.index, self.n_clusters = self.clusters.of_pair, len(pairs)
        self.sides: tuple[tuple[Features, int], ...] = ((pairs.chosen, 1), (pairs.rejected, -1))
        self.features: tuple[Features, ...] = (pairs.chosen, pairs.rejected)
        if self.index is not None:
            self.n_clusters = int(self.index.max()) + 1
        if theta_is_fitted:
            t = np.ones(len(pairs)) if pairs.labels is None else pairs.labels
            by = cast("FreeLoss", loss).by_parameters(z, t)
            cross = np.stack([self._pull(w * column) for column in by.cross.T], axis=1)
            bend = np.einsum("i,ijk->jk", w, by.bend)
            self.theta = _Theta(np.linalg.solve(bend, cross.T).T, root[:, None] * by.slope)

    def _of_rankings(self, phi: Array, rankings: PreferenceRankings, loss: PairLoss | None) -> None:
        its = cast("RankingLoss", rankings.usual_loss() if loss is None else loss)
        rewards, of_answer = rankings.centred(self.scorer.reward(phi, rankings.features)), rankings.prompt_index
        w = np.sqrt(rankings.ranking_weights) if self.clusters.is_votes else rankings.ranking_weights
        self.slopes = np.empty(of_answer.size)
        for rows, n_choices, numbers in rankings.groups:
            self.slopes[rows] = w[numbers, None] * its.ranking_slopes(rewards[rows], n_choices)
        self.index = of_answer if self.clusters.of_pair is None else self.clusters.of_pair[of_answer]
        self.n_clusters = int(self.index.max()) + 1
        self.sides, self.features = ((rankings.features, 1),), (rankings.features,)

    # ------------------------------------------------------------------------------------------- without a matrix

    def along(self, v: Array) -> Array:
        """Return s_gᵀv for each cluster g, (n_clusters,)."""
        if isinstance(self.pairs, PreferencePairs):
            parts = self.slopes * margins_of(self.scorer, v, self.pairs)
        else:
            parts = self.slopes * self.scorer.reward(v, self.features[0])
        summed = self._summed(parts)
        return summed if self.theta is None else summed - self._theta_of_clusters @ (v @ self.theta.by_theta)

    def _summed(self, values: Array) -> Array:
        if self.index is None:
            return values
        return np.bincount(self.index, values, self.n_clusters).astype(np.float64, copy=False)

    @property
    def _theta_of_clusters(self) -> Array:
        slopes = cast("_Theta", self.theta).slopes
        return np.stack([self._summed(column) for column in slopes.T], axis=1)  # (n_clusters, k)

    def _pull(self, slopes: Array) -> Array:
        """Return Σ slopes[i]·d_i, block by block."""
        total, zeros = np.zeros(self.scorer.n_parameters), np.zeros(self.scorer.n_parameters)
        for rows in blocks_of(self.features[0]):
            if type(self.scorer) is LinearScorer:
                total += np.einsum("i,ij->j", slopes[rows], self._differences(rows))
            else:
                for features, sign in self.sides:
                    total += self.scorer.backward(zeros, features[rows], sign * slopes[rows])
        return total

    def _differences(self, rows: slice | Index) -> Array:
        if len(self.features) == 1:
            return np.asarray(self.features[0][rows], dtype=np.float64)
        return np.subtract(self.features[0][rows], self.features[1][rows], dtype=np.float64)

    # ---------------------------------------------------------------------------------------------- as a matrix

    def matrix(self) -> Array:
        """Return G/(G - 1)·Σ_g s_g s_gᵀ, (n_parameters, n_parameters)."""
        with blas_on_one_thread(self.slopes.size * self.scorer.n_parameters**2):
            if self.index is None:
                result = self._of_single_pairs()
            elif type(self.scorer) is TableScorer:
                result = self._of_tables(self.index)
            else:
                result = self._of_rows(self.index)
            if self.theta is not None:
                a, u = self.theta.by_theta, self._theta_of_clusters
                spread = u if self.index is None else u[self.index]
                cross = np.stack([self._pull(self.slopes * column) for column in spread.T], axis=1) @ a.T
                result = result - cross - cross.T + a @ (u.T @ u) @ a.T
            return result * self.factor

    def _of_single_pairs(self) -> Array:
        """Return Σ_i slope² d_i d_iᵀ, which is a Hessian with other curvatures."""
        total = np.zeros((self.scorer.n_parameters,) * 2)
        for rows in blocks_of(self.features[0]):
            chosen, rejected = (features[rows] for features in self.features)
            total += cast("LinearScorer", self.scorer).hessian(chosen, rejected, self.slopes[rows] ** 2)
        return total

    def _of_rows(self, index: Index) -> Array:
        """Return the sum for features: take the pairs in the order of their clusters, and as many at once as fit."""
        n, k = index.size, self.scorer.n_parameters
        is_sorted = bool((np.diff(index) >= 0).all())
        order = None if is_sorted else np.argsort(index, kind="stable")
        scores = self._scores_of_linear if type(self.scorer) is LinearScorer else self._scores_of_any
        total, last, carried = np.zeros((k, k)), -1, np.zeros(k)
        step = max(1, NUMBERS // k)
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            rows = part if order is None else order[part]
            of_part = index[rows]
            starts = np.flatnonzero(np.diff(of_part, prepend=-1))
            sums = scores(rows, starts)
            if of_part[0] == last:
                sums[0] += carried
            else:
                total += np.outer(carried, carried)
            last, carried = int(of_part[-1]), sums[-1].copy()  # this cluster may go on in the next block
            total += sums[:-1].T @ sums[:-1]
        return total + np.outer(carried, carried)

    def _scores_of_linear(self, rows: slice | Index, starts: Index) -> Array:
        return np.add.reduceat(self._differences(rows) * self.slopes[rows][:, None], starts, axis=0)

    def _scores_of_any(self, rows: slice | Index, starts: Index) -> Array:
        """Return the sums by one backward pass for each cluster, as any scorer that is linear in φ can do it."""
        slopes, zeros = self.slopes[rows], np.zeros(self.scorer.n_parameters)
        stops = np.append(starts[1:], slopes.size)
        sums = np.zeros((starts.size, zeros.size))
        for features, sign in self.sides:
            x = features[rows]
            for g, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
                sums[g] += self.scorer.backward(zeros, x[start:stop], sign * slopes[start:stop])
        return sums

    def _of_tables(self, index: Index) -> Array:
        """Return the sum for items: first one entry for each item of a cluster, then the products of its entries."""
        n = self.scorer.n_parameters
        cell = np.concatenate([index * n + features.ravel() for features, _ in self.sides])
        values = np.concatenate([sign * self.slopes for _, sign in self.sides])
        order = np.argsort(cell, kind="stable")
        starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
        values, cell = np.add.reduceat(values[order], starts), cell[order][starts]
        cluster, item = cell // n, cell % n
        first = np.flatnonzero(np.diff(cluster, prepend=-1))
        sizes = np.diff(np.append(first, cluster.size))
        total = np.zeros((n, n))
        for size in np.unique(sizes).tolist():
            entries = first[sizes == size][:, None] + np.arange(size)
            add = _products_of_few if size <= FEW else _products_of_many
            add(total, item[entries], values[entries])
        return total


def _products_of_few(total: Array, items: Index, values: Array) -> None:
    step = max(1, NUMBERS // items.shape[1] ** 2)
    for start in range(0, len(items), step):
        i, v = items[start : start + step], values[start : start + step]
        np.add.at(total, (i[:, :, None], i[:, None, :]), v[:, :, None] * v[:, None, :])


def _products_of_many(total: Array, items: Index, values: Array) -> None:
    step = max(1, NUMBERS // len(total))
    for start in range(0, len(items), step):
        part = slice(start, start + step)
        rows = np.zeros((len(items[part]), len(total)))
        np.put_along_axis(rows, items[part], values[part], axis=1)
        total += rows.T @ rows
