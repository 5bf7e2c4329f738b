"""What the data can say about the parameters: their covariance, and which items can be compared at all.

There are three kinds of standard errors, ``model.standard_errors(kind=…)``. Each assumes no more than the one before:

    information   The pairs are independent, and the model gives the right probability of each choice (Fisher).
    sandwich      Different prompts are independent. The pairs of a prompt may depend on each other, and the choices
                  may vary more or less than the model says (White 1982, Econometrica 50(1), 1-25; Liang & Zeger 1986,
                  Biometrika 73(1), 13-22).
    bootstrap     Different prompts are independent, as for the sandwich. The fit is repeated on prompts that are drawn
                  again, so that no linear approximation is needed (Efron 1979, Annals of Statistics 7(1), 1-26).

The sandwich and the bootstrap measure how much prompts differ, so they need many prompts. If each person judged many
prompts, the people are the clusters: ``clusters=`` takes a column of names. For a table, the intervals of
``model.comparison_intervals`` compare any two items (Firth & de Menezes 2004, Biometrika 91(1), 65-80).
"""

from __future__ import annotations

import math

import numpy as np

from .arrays import given, single
from .arrays.room import check_room
from .arrays.visible import quoted
from .fitting.by_component import ComponentFit, component_fits
from .graphs import components, count_connected
from .graphs.wins import met, wins
from .logistic import Array
from .pairs import PreferencePairs
from .scorers import Scorer, TableScorer
from .separation import Separation, separation
from .threads import blas_on_one_thread
from .uncertainty.nested import LikelihoodRatio, likelihood_ratio_test

__all__ = ["ComponentFit", "LikelihoodRatio", "Separation", "component_fits", "connected_groups", "covariance"]
__all__ += ["likelihood_ratio_test", "separation", "strong_components"]


def covariance(scorer: Scorer, information: Array, reference: int | None = None) -> Array:
    """Return the covariance of the estimated parameters, (n_parameters, n_parameters): the inverse information.

    Parameters
    ----------
    scorer : Scorer
        For a table the covariance allows for the fact that all rewards can shift together.
    information : array, (n_parameters, n_parameters)
        Σ w · d²L/dφ², the second derivative of the summed loss; weights are treated as counts. With l2 > 0 the result
        is the Laplace approximation of the posterior, with the Gaussian prior that l2 stands for.
    reference : int, optional
        For a table: the item whose reward is set to 0 and has no error. Without it the rewards sum to zero.

    Raises
    ------
    ValueError
        If the data do not determine some direction of φ other than the shift.

    Notes
    -----
    The information H of a table without l2 has H·1 = 0. Then (H + 11ᵀ/n)⁻¹ - 11ᵀ/n is the pseudo-inverse of H, and the
    covariance of rewards that sum to zero. Rewards relative to item k, A·r with A = I - 1·e_kᵀ, have A·Cov·Aᵀ.
    """
    n = math.isqrt((information := given.float64(information, "information")).size)
    if information.shape != (n, n) or not n or not np.isfinite(information).all():
        raise ValueError(f"information: expected a square matrix of finite numbers, got shape {information.shape}")
    if not isinstance(scorer, TableScorer):
        if reference is not None:
            raise ValueError(f"reference: expected None for {scorer}; only a table's rewards can shift together")
        # Rescale so that every parameter has information 1: then the rank test does not depend on the features' units.
        diagonal = np.diag(information)
        unit = 1 / np.sqrt(np.where(diagonal > 1e-300, diagonal, 1.0))  # the inverse of less might overflow
        return _inverse(information * np.outer(unit, unit)) * np.outer(unit, unit)
    if n == 1:
        return np.zeros((1, 1))  # a single reward is zero by convention
    information = information - information.mean()  # drop what l2 adds for the mean reward, which is zero by definition
    size = float(np.abs(information).max())
    inverse = _inverse(information + size / n)  # size·11ᵀ/n, on the scale of H, so that one rank test is enough
    centre = np.eye(n) - 1 / n
    if reference is not None:
        if not single.is_whole(reference) or not -n <= reference < n:
            raise ValueError(f"reference: expected an item from 0 to {n - 1}, got {quoted(reference)}")
        centre = np.eye(n) - np.eye(n)[reference]
    with blas_on_one_thread(n**3):
        result: Array = centre @ inverse @ centre.T
        return result


def _inverse(information: Array) -> Array:
    """Invert a symmetric matrix, or raise an error that counts the directions which the data leave undetermined."""
    n = len(information)
    with blas_on_one_thread(n**3):
        eigenvalues, vectors = np.linalg.eigh(information)
        weak = eigenvalues <= n * np.finfo(np.float64).eps * max(float(np.abs(information).max()), eigenvalues[-1])
        if not weak.any():
            inverse: Array = (vectors / eigenvalues) @ vectors.T
            return inverse
    worst = int(np.abs(vectors[:, int(np.argmin(eigenvalues))]).argmax())
    raise ValueError(
        f"standard errors: {int(weak.sum())} direction(s) of phi are not determined by these pairs "
        f"(parameter {worst} contributes most to one of them); drop a feature or use l2 > 0"
    )


def strong_components(pairs: PreferencePairs) -> list[list[int]]:
    """Group items so that within a group every item has beaten every other, directly or through a chain of wins.

    A table has a finite best fit, unique up to a shift, exactly when there is one group (Ford 1957). If one group has
    beaten another and never lost to it, their rewards move apart for ever. Groups that never met cannot be compared.

    Parameters
    ----------
    pairs : PreferencePairs of items
        A label strictly between 0 and 1, such as a tie, counts as a win for both.

    Returns
    -------
    list of sorted lists of item numbers
        A group comes before all groups that it has beaten, directly or through others. If this leaves a choice, the
        group with the smallest item number comes first.

    References
    ----------
    Ford, L. R. 1957, American Mathematical Monthly 64(8), 28-33.
    """
    winners, losers = wins(pairs)
    n = pairs.n_items
    check_room("pairs", 16 * n, f"{n} items, whose groups need")
    different = np.sort(winners * n + losers)
    different = different[np.diff(different, prepend=-1) > 0]  # np.unique gives the same result, but many times slower
    return components(n, different // n, different % n)


def connected_groups(pairs: PreferencePairs) -> int:
    """Count the groups of items that have met one another, directly or through other items. Who won is irrelevant."""
    winners, losers = met(pairs)
    check_room("pairs", 16 * pairs.n_items, f"{pairs.n_items} items, whose groups need")
    return count_connected(pairs.n_items, winners, losers)
