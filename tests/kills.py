"""Kill fits and runs at random moments, and check what is left: ``python -m tests.kills 500``.

A child of this process fits with a checkpoint, or runs ``bradley-terry train``, and is killed with SIGKILL. A checkpoint
must then be absent or complete, and the same call must end with the bits of a fit that was never killed. The folder of a
run must be absent or complete, and all its files must be of one run.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

import bradley_terry as bt
from bradley_terry import losses
from bradley_terry.commands import main

N_PAIRS = 3000


def answers(n: int = N_PAIRS, seed: int = 0) -> bt.PreferencePairs:
    """Return pairs of four features on different scales, with prompts, weights and a few ties."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2, n, 4)) * [1.0, 10.0, 0.1, 1.0] + [0.0, 5.0, 0.0, 0.0]
    margins = (features[0] - features[1]) @ [1.0, -0.05, 3.0, 0.0]
    labels = np.where(np.abs(margins) < 0.2, 0.5, (rng.random(n) < bt.sigmoid(margins)).astype(float))
    return bt.PreferencePairs(*features, prompts=np.arange(n) // 3, weights=rng.uniform(0.5, 2, n), labels=labels)


def plain(n: int = N_PAIRS) -> bt.PreferencePairs:
    """Return the same pairs without ties."""
    pairs = answers(n)
    return pairs.subset(pairs.labels == 1)


def ranked() -> bt.PreferenceRankings:
    """Return rankings of three answers."""
    rng = np.random.default_rng(1)
    rewards, order = rng.normal(size=(600, 3)), np.tile(np.arange(1, 4), 600)
    features = np.column_stack([np.sort(-rewards, axis=1).ravel() + rng.normal(size=1800), rng.normal(size=1800)])
    return bt.PreferenceRankings(features, order, np.repeat(np.arange(600), 3))


def kinds() -> dict[str, Callable[..., bt.RewardModel]]:
    """Return a fit of each kind, as a function of ``checkpoint``, ``every`` and ``callback``."""
    pairs, won, rankings, table = answers(), plain(), ranked(), bt.datasets.citations()
    few = won.subset(np.arange(200))
    items = np.random.default_rng(2).integers(0, 3100, size=(2, 40_000))
    many = bt.PreferencePairs(*items)
    linear, mlp = bt.LinearScorer(4), bt.MLPScorer(4, 8)
    return {
        "newton": lambda **o: bt.fit(linear, pairs, l2=1e-3, tolerance=1e-12, **o),
        "newton, a hinge": lambda **o: bt.fit(linear, won, loss=losses_named("hinge"), method="adam", max_steps=6, **o),
        "newton, many items": lambda **o: bt.fit(bt.TableScorer(3100), many, l2=1e-6, **o),
        "gradient descent": lambda **o: bt.fit(linear, pairs, method="gradient_descent", max_steps=150, **o),
        "adam": lambda **o: bt.fit(mlp, pairs, validation=0.2, max_steps=12, patience=4, seed=3, **o),
        "adam, relu": lambda **o: bt.fit(bt.MLPScorer(4, 8, "relu"), won, l2=1e-3, max_steps=8, batch_size=32, **o),
        "bias reduced": lambda **o: bt.fit(linear, few, bias_reduced=True, **o),
        "ties": lambda **o: bt.fit(linear, pairs, loss=losses_named("rao-kupper"), standardise=True, **o),
        "rankings": lambda **o: bt.fit(bt.LinearScorer(2), rankings, **o),
        "rankings, gradient descent": lambda **o: bt.fit(
            bt.LinearScorer(2), rankings, validation=0.25, method="gradient_descent", max_steps=60, **o
        ),
        "table": lambda **o: bt.fit(bt.TableScorer(4), table, method="gradient_descent", max_steps=200, **o),
    }
