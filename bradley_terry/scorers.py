"""Scorers: how r_φ(x, y) is computed, with forward and backward side by side.

A scorer holds shapes, never parameters. The parameters are one flat float64 vector φ, and ``unpack`` gives named views
of it. ``reward`` goes forward, from features to one number for each answer. ``backward`` goes back: given
d_rewards = dL/dr for each answer it returns dL/dφ = Σ_i d_rewards[i] · ∇φ r(features[i]), a flat vector like φ.

Products with a vector are written as sums over named indices (einsum), which NumPy adds in a fixed order. Products of
two matrices use the BLAS library on one thread (see ``threads``). So the number of cores does not change a single bit.

No scorer has an output bias. A bias added to both rewards would cancel in Δ = r_chosen - r_rejected: its gradient would
be exactly zero, and no data could ever determine it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import given, room, single
from .arrays.visible import quoted
from .logistic import Array

__all__ = ["Features", "LinearScorer", "MLPScorer", "Scorer", "TableScorer", "forward"]

Features = Array | NDArray[np.float32] | NDArray[np.int64]
"""Rows of features, or item numbers."""


class Scorer(Protocol):
    """What ``Objective`` and ``fit`` need from a scorer. A scorer of your own must have these attributes and methods.

    A scorer that is linear in φ also needs ``hessian``, and ``fit(standardise=True)`` needs ``rescaled``, both as in
    ``LinearScorer``.
    """

    linear_in_phi: ClassVar[bool]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each block of φ, in order."""

    @property
    def n_parameters(self) -> int:
        """Length of φ."""

    def initial(self, rng: np.random.Generator) -> Array:
        """Return a φ to start training from."""

    def unpack(self, phi: Array) -> dict[str, Array]:
        """Return named views of φ."""

    def reward(self, phi: Array, features: Features) -> Array:
        """Return r_φ for each row of features, (n,)."""

    def backward(self, phi: Array, features: Features, d_rewards: Array) -> Array:
        """Return Σ_i d_rewards[i] · ∇φ r(features[i]), (n_parameters,)."""

    def check_features(self, features: Features, name: str) -> None:
        """Raise ValueError if these features do not fit this scorer."""


def forward(scorer: Scorer, phi: Array, features: Features) -> tuple[Array, Callable[[Array], Array]]:
    """Return the rewards, (n,), and the backward pass: a function from d_rewards to the gradient, (n_parameters,).

    An MLP keeps its hidden layer for the backward pass, so that it needs only one forward pass.
    """
    if type(scorer) is MLPScorer:  # a class derived from it may compute something else
        blocks = scorer.unpack(phi)
        rewards, h = scorer.forward(blocks, features)
        return rewards, partial(scorer.backward_from, blocks, features, h)
    return scorer.reward(phi, features), partial(scorer.backward, phi, features)


far_out = np.errstate(over="ignore", invalid="ignore")  # a reward beyond the largest double is infinite


@lru_cache(maxsize=64)
def _layout(scorer: _Layout) -> tuple[tuple[str, int, int, tuple[int, ...]], ...]:
    """Return name, start, stop and shape of each block of φ, cached for scorers of the same sizes."""
    blocks, start = [], 0
    for name, shape in scorer.shapes.items():
        stop = start + math.prod(shape)
        blocks.append((name, start, stop, shape))
        start = stop
    return tuple(blocks)


class _Layout:
    """How the flat vector φ is divided into named blocks. All scorers share this code."""

    shapes: dict[str, tuple[int, ...]]

    @property
    def n_parameters(self) -> int:
        """Length of φ."""
        return _layout(self)[-1][2]

    def unpack(self, phi: ArrayLike) -> dict[str, Array]:
        """Return the blocks of φ by name, as views. Writing into a view changes φ.

        Raises
        ------
        ValueError
            If φ is not a flat vector of ``n_parameters`` numbers.
        """
        phi = given.float64(phi, "phi")
        if phi.shape != (self.n_parameters,):
            raise ValueError(f"phi: expected shape ({self.n_parameters},) for {self}, got {phi.shape}")
        return {name: phi[start:stop].reshape(shape) for name, start, stop, shape in _layout(self)}

    def initial(self, rng: np.random.Generator) -> Array:
        """Return zeros. The loss there is exactly log 2. Since the loss is convex, every start leads to the minimum."""
        room.check_room("scorer", 8 * self.n_parameters, f"{self}, whose φ needs")
        return np.zeros(self.n_parameters)


class _FeatureScorer(_Layout):
    """A scorer whose input is rows of features."""

    n_features: int

    def check_features(self, features: Features, name: str) -> None:
        """Raise an error unless features are real numbers, (n, n_features)."""
        self._rows(features, name)

    def _units(self, shift: Array, scale: Array) -> tuple[Array, Array]:
        shift, scale = (given.float64(x, name, (self.n_features,)) for name, x in (("shift", shift), ("scale", scale)))
        if not (scale > 0).all():
            raise ValueError("scale: expected numbers above 0")
        return shift, scale

    def _rows(self, features: Features, name: str) -> NDArray[Any]:
        rows = given.real(features, name)
        if rows.ndim != 2 or rows.shape[1] != self.n_features:
            hint = "; write features[None, :] for a single answer" if rows.shape == (self.n_features,) else ""
            raise ValueError(f"{name}: expected shape (n, {self.n_features}) for {self}, got {rows.shape}{hint}")
        return rows


@dataclass(frozen=True)
class LinearScorer(_FeatureScorer):
    """r = x · w: one weight for each feature.

    Parameters
    ----------
    n_features : int, at least 1

    Notes
    -----
    φ has one block, ``weights`` w (n_features,). Δ is the reward of the difference x_chosen - x_rejected, and a pair
    pulls w in that direction, since dr/dw = x. The loss is convex in w. A feature that is equal in both answers cancels
    in Δ. If that holds for every pair, its weight is undetermined.

    Examples
    --------
    >>> LinearScorer(2).reward(np.array([1.0, -0.5]), np.array([[3.0, 2.0]]))
    array([2.])
    """

    n_features: int
    linear_in_phi: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size("n_features", self.n_features)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        """Name and shape of each block of φ."""
        return {"weights": (self.n_features,)}

    @far_out
    def reward(self, phi: ArrayLike, features: Features) -> Array:
        """Return x · w for each row, (n,), in log-odds."""
        weights = self.unpack(phi)["weights"]  # (n_features,)
        x = self._rows(features, "features")
        return np.asarray(np.einsum("ij,j->i", x, weights), dtype=np.float64)  # (n,)

    @far_out
    def backward(self, phi: ArrayLike, features: Features, d_rewards: Array) -> Array:
        """Return Σ_i d_rewards[i] · x_i, (n_features,), since dr/dw = x."""
        self.unpack(phi)
        x = self._rows(features, "features")
        d_rewards = given.float64(d_rewards, "d_rewards", x.shape[:1])
        return np.asarray(np.einsum("i,ij->j", d_rewards, x), dtype=np.float64)  # (n_features,)

    @far_out
    def hessian(self, chosen: Features, rejected: Features, d2_margins: Array) -> Array:
        """Return Σ_i d2_margins[i] · d_i d_iᵀ with d = x_chosen - x_rejected, (n_features, n_features).

        Δ is linear in w with dΔ/dw = d, so d²L/dw² = Σ l''(Δ_i) d_i d_iᵀ, with no further term.
        """
        x, y = self._rows(chosen, "chosen"), self._rows(rejected, "rejected")
        d = np.subtract(x, given.of_shape(x.shape, y, "rejected"), dtype=np.float64)
        return d.T @ (d * given.float64(d2_margins, "d2_margins", d.shape[:1])[:, None])

    @far_out
    def rescaled(self, phi: Array, shift: Array, scale: Array) -> Array:
        """Return φ' = w / scale: r_φ'(x) = r_φ((x - shift) / scale) up to a constant, which cancels in Δ."""
        return self.unpack(phi)["weights"] / self._units(shift, scale)[1]


@dataclass(frozen=True)
class MLPScorer(_FeatureScorer):
    """r = v · act(x W + b): one hidden layer and a linear head, like a tiny language model with a reward head.

    Parameters
    ----------
    n_features, n_hidden : int, at least 1
    activation : "tanh" or "relu"

    Notes
    -----
    φ has three blocks: ``hidden_weights`` W (n_features, n_hidden), ``hidden_bias`` b (n_hidden,), ``output_weights`` v
    (n_hidden,). Both rewards use the same φ, so the gradient is the sum of two contributions. There is no output bias,
    because it would cancel in Δ. At φ = 0 the gradient with respect to W and b is zero, so training starts from random
    weights.
    """

    n_features: int
    n_hidden: int = 32
    activation: str = "tanh"
    linear_in_phi: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_size("n_features", self.n_features)
        check_size("n_hidden", self.n_hidden)
        if not isinstance(self.activation, str) or self.activation not in {"tanh", "relu"}:
            raise ValueError(f"activation: expected 'tanh' or 'relu', got {quoted(self.activation)}")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        """Name and shape of each block of φ, in order."""
        return {
            "hidden_weights": (self.n_features, self.n_hidden),
            "hidden_bias": (self.n_hidden,),
            "output_weights": (self.n_hidden,),
        }

    def initial(self, rng: np.random.Generator) -> Array:
        """Return random weights and zero bias. W has variance 1/n_features (2/n_features for ReLU), v has 1/n_hidden.

        If the features have variance one, the inputs of the hidden units have variance one, or two for ReLU (Glorot &
        Bengio 2010, He et al. 2015). The first rewards are about ±1, so the loss starts near log 2, not exactly at it.
        """
        rng, phi = single.generator(rng), super().initial(rng)
        blocks = self.unpack(phi)
        gain = 2.0 if self.activation == "relu" else 1.0
        blocks["hidden_weights"][:] = rng.normal(0, np.sqrt(gain / self.n_features), (self.n_features, self.n_hidden))
        blocks["output_weights"][:] = rng.normal(0, np.sqrt(1 / self.n_hidden), self.n_hidden)
        return phi

    @far_out
    def reward(self, phi: ArrayLike, features: Features) -> Array:
        """Return v · act(x W + b) for each row, (n,), in log-odds."""
        return self.forward(self.unpack(phi), features)[0]

    def forward(self, blocks: dict[str, Array], features: Features) -> tuple[Array, Array]:
        """Return the rewards, (n,), and the hidden layer h, (n, n_hidden), which ``backward_from`` needs."""
        h = np.asarray(self._rows(features, "features") @ blocks["hidden_weights"], dtype=np.float64)  # (n, n_hidden)
        h += blocks["hidden_bias"]
        h = np.tanh(h, out=h) if self.activation == "tanh" else np.maximum(h, 0.0, out=h)
        return np.einsum("ij,j->i", h, blocks["output_weights"]), h

    @far_out
    def backward(self, phi: ArrayLike, features: Features, d_rewards: Array) -> Array:
        """Return Σ_i d_rewards[i] · ∇φ r(x_i), (n_parameters,), by the chain rule; see ``backward_from``."""
        blocks, x = self.unpack(phi), self._rows(features, "features")
        d_rewards = given.float64(d_rewards, "d_rewards", x.shape[:1])
        return self.backward_from(blocks, x, self.forward(blocks, x)[1], d_rewards)

    def backward_from(self, blocks: dict[str, Array], features: Features, h: Array, d_rewards: Array) -> Array:
        """Return the gradient, (n_parameters,), from the hidden layer of ``forward``, starting at the last layer.

        | r = h · v:      d_v = hᵀ d_r,             d_h = d_r vᵀ
        | h = act(a):     d_a = d_h · act'(a),      tanh' = 1 - tanh² = 1 - h²,  relu' = 1 where a > 0, else 0
        | a = x W + b:    d_W = xᵀ d_a,             d_b = Σ_i d_a[i]
        """
        d_a = 1 - h * h if self.activation == "tanh" else (h > 0).astype(np.float64)  # act'(a); h > 0 where a > 0
        d_a *= blocks["output_weights"]
        d_a *= d_rewards[:, None]  # (n, n_hidden)
        gradient = np.empty(self.n_parameters)
        d = self.unpack(gradient)
        np.matmul(features.T, d_a, out=d["hidden_weights"])  # (n_features, n) @ (n, n_hidden)
        d_a.sum(axis=0, out=d["hidden_bias"])
        np.einsum("i,ij->j", d_rewards, h, out=d["output_weights"])
        return gradient

    @far_out
    def rescaled(self, phi: Array, shift: Array, scale: Array) -> Array:
        """Return φ' with r_φ'(x) = r_φ((x - shift) / scale).

        ((x - shift) / scale) W + b = x (W / scale) + (b - (shift / scale) W), so W and b absorb the change.
        """
        phi = given.float64(phi, "phi").copy()
        blocks, (shift, scale) = self.unpack(phi), self._units(shift, scale)
        blocks["hidden_bias"][:] -= (shift / scale) @ blocks["hidden_weights"]
        blocks["hidden_weights"][:] /= scale[:, None]
        return phi


@dataclass(frozen=True)
class TableScorer(_Layout):
    """r = φ[item]: one reward for each item, which is the model that Bradley and Terry published.

    Parameters
    ----------
    n_items : int, at least 1

    Notes
    -----
    Features are item numbers 0 … n_items - 1, shape (n,). This is the linear scorer on one-hot features, but the zeros
    are not stored. Adding c to all rewards does not change Δ, so only differences are determined. ``fit`` returns
    rewards that sum to zero.
    """

    n_items: int
    linear_in_phi: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size("n_items", self.n_items)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:  # type: ignore[override]
        """Name and shape of each block of φ."""
        return {"rewards": (self.n_items,)}

    def reward(self, phi: ArrayLike, features: Features) -> Array:
        """Return the table's entry for each item, (n,), in log-odds."""
        return self.unpack(phi)["rewards"][self._items(features, "features")]

    def backward(self, phi: ArrayLike, features: Features, d_rewards: Array) -> Array:
        """Return the sum of d_rewards over the rows of each item, (n_items,): dr/dφ is 1 at the item, else 0."""
        self.unpack(phi)
        items = self._items(features, "features")
        d_rewards = given.float64(d_rewards, "d_rewards", items.shape)
        found = np.bincount(items, d_rewards, self.n_items)  # an item may occur more than once
        return found.astype(np.float64, copy=False)

    @far_out
    def hessian(self, chosen: Features, rejected: Features, d2_margins: Array) -> Array:
        """Return Σ_i d2_margins[i] · d_i d_iᵀ with d = e_chosen - e_rejected, (n_items, n_items).

        d dᵀ has +1 at (c, c) and (r, r) and -1 at (c, r) and (r, c), so the sum is the Laplacian of the graph whose
        edges are the pairs. Its rows sum to zero, because adding the same constant to all rewards changes nothing.
        """
        n = self.n_items
        room.check_room("scorer", 8 * n * n, f"{self}, whose Hessian needs")
        c, r = self._items(chosen, "chosen"), self._items(rejected, "rejected")
        weights, r = given.float64(d2_margins, "d2_margins", c.shape), given.of_shape(c.shape, r, "rejected")
        edges = np.bincount(c * n + r, weights=weights, minlength=n * n).reshape(n, n)
        edges = edges + edges.T
        np.fill_diagonal(edges, 0.0)  # an item against itself has Δ = 0 for every φ
        return np.diag(edges.sum(axis=1)) - edges

    def check_features(self, features: Features, name: str) -> None:
        """Raise ValueError unless features are item numbers, (n,), in 0 … n_items - 1."""
        self._items(features, name)

    def _items(self, features: Features, name: str) -> NDArray[np.int64]:
        items = given.plain(features, name)
        if items.ndim == 2 and items.shape[1] == 1:
            items = items[:, 0]
        if items.ndim != 1 or items.dtype.kind not in "iu":
            raise ValueError(
                f"{name}: expected item numbers, shape (n,) and integer dtype, for {self}, "
                f"got shape {items.shape} and dtype {items.dtype}"
            )
        if items.size and (items.min() < 0 or items.max() >= self.n_items):
            bad = int(items.min()) if items.min() < 0 else int(items.max())
            raise ValueError(f"{name}: item {bad} is out of range, expected 0 to {self.n_items - 1} for {self}")
        return items.astype(np.int64, copy=False)


check_size = single.whole  # (name, value): raises ValueError unless value is a whole number of at least 1
