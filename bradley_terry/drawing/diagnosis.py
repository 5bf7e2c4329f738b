"""A picture of a diagnosis: how far each check is from its threshold."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from ..arrays.visible import class_name
from ..findings import Diagnosis
from .axes import EMPIRICAL, EXPECTED, QUIET, REJECTED, TEXT_SIZE, finish, given_or_new, style
from .marks import note, points

__all__ = ["plot_diagnosis"]

FAR = 100.0  # the axis shows ratios from 1/FAR to FAR; what lies beyond is drawn at its ends


@style()
def plot_diagnosis(diagnosis: Diagnosis, *, ax: Axes | None = None) -> Axes:
    """Draw each check of a diagnosis: its statistic divided by its threshold, so that a finding lies to the right of 1.

    Findings come first and are filled squares with their severity; the other checks are hollow circles. A check of an
    exact fact, such as a copied pair, is at the right end if it found one, and else at the left end.

    Parameters
    ----------
    diagnosis : Diagnosis
        As ``diagnose`` returns it.
    ax : Axes, optional

    Returns
    -------
    Axes
        The checks are at heights 0, 1, … from the top.
    """
    if not isinstance(diagnosis, Diagnosis):
        raise TypeError(f"diagnosis: expected a Diagnosis, as diagnose returns it, got {class_name(diagnosis)}")
    severities = {finding.name: finding.severity for finding in diagnosis.findings}
    order = list(severities)
    found = sorted((check for check in diagnosis.checks if check.is_found), key=lambda check: order.index(check.name))
    passed = sorted((check for check in diagnosis.checks if not check.is_found), key=lambda check: -check.ratio)
    checks = [*found, *passed]
    ax = given_or_new(ax, size=(9.0, 1.6 + 0.4 * len(checks)))
    ax.set_xscale("log")
    ax.axvline(1, color=EXPECTED, linewidth=1.5, zorder=0)
    for row, check in enumerate(checks):
        x = float(np.clip(check.ratio, 1 / FAR, FAR))
        ax.hlines(row, min(x, 1), max(x, 1), color=QUIET, linewidth=1, linestyle=":", zorder=1)
        if check.is_found:
            points(ax, [x], [row], REJECTED, marker="s")
            note(ax, (x * 1.35, row), severities[check.name], REJECTED)
        else:
            points(ax, [x], [row], EMPIRICAL, hollow=True)
    ax.set_yticks(range(len(checks)), [check.name for check in checks])
    ax.set(ylim=(max(len(checks), 1) - 0.5, -0.5), xlim=(0.7 / FAR, 6 * FAR))
    ax.xaxis.set_major_locator(FixedLocator([1 / FAR, 0.1, 1, 10, FAR]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([f"≤ {1 / FAR:g}", "0.1", "1", "10", f"≥ {FAR:g}"])
    finish(ax, "statistic / threshold (a finding is above 1)", "")
    ax.tick_params(axis="y", length=0, labelsize=TEXT_SIZE)
    ax.spines["left"].set_visible(False)
    return ax
