"""Pairs and models in which the training doctor has something to find, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

import bradley_terry as bt
from bradley_terry.findings import Check

W = np.array([1.0, -1.5, 0.7])


def choices(n: int = 400, w: np.ndarray = W, seed: int = 0) -> bt.PreferencePairs:
    a, b = np.random.default_rng(seed).normal(size=(2, n, w.size))
    first = bt.sample_preferences(a @ w, b @ w, seed + 1)[:, None]
    return bt.PreferencePairs(np.where(first, a, b), np.where(first, b, a))


def at(phi: Sequence[float] | np.ndarray, pairs: bt.PreferencePairs) -> bt.RewardModel:
    """Return a linear model with these weights, as if a fit had ended there."""
    model = bt.fit(bt.LinearScorer(len(phi)), pairs, l2=1.0)
    return replace(model, phi=np.array(phi), l2=0.0)


def swapped(pairs: bt.PreferencePairs) -> bt.PreferencePairs:
    return replace(pairs, chosen=pairs.rejected, rejected=pairs.chosen)


def joined(*parts: bt.PreferencePairs) -> bt.PreferencePairs:
    return bt.PreferencePairs(*(np.concatenate([getattr(p, side) for p in parts]) for side in ("chosen", "rejected")))


def check_named(found: bt.Diagnosis, name: str) -> Check:
    return next(check for check in found.checks if check.name == name)
