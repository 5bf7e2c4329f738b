"""Fits without a finite minimum: what is infinite, what stays finite, and which wins would change it.

least_squares   least squares with coefficients of at least 0
certificate     a direction of φ that contradicts no choice, for rewards that are linear in φ
groups          tables: groups that never lost or never won, and the wins that would connect them
report          ``Separation``: the result, in numbers and in words
choices         rankings: the choices that stay uncertain
advice          an l2 that fits the data
errors          standard errors of what stays finite
"""

from .report import Separation, separation

__all__ = ["Separation", "separation"]
