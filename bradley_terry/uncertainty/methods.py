"""The methods of ``RewardModel`` that say how precise its parameters are, and how well the model fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike

from ..arrays.single import number
from ..arrays.visible import quoted
from ..logistic import Array

if TYPE_CHECKING:
    from typing import Unpack

    from ..model import RewardModel
    from ..pairs import PreferencePairs
    from ..ranking.rankings import PreferenceRankings
    from .contrasts import Contrasts
    from .quasi import QuasiVariances

__all__ = ["Options", "Uncertainty"]


class Options(TypedDict, total=False):
    """The options of ``Uncertainty.covariance``, which the other methods hand on to it."""

    kind: str
    pairs: PreferencePairs | PreferenceRankings | None
    clusters: ArrayLike | str | None
    n_bootstrap: int
    seed: int
    progress: bool


class Uncertainty:
    """Standard errors, intervals and fit statistics of a model; docs/standard_errors.md says what each kind assumes.

    Examples
    --------
    >>> from bradley_terry import PreferencePairs, TableScorer, fit
    >>> games = PreferencePairs([0, 0, 0, 1], [1, 1, 1, 0])  # item 0 won three of four
    >>> model = fit(TableScorer(2), games)
    >>> print(f"{model.standard_errors(reference=1)[0]:.4f}")  # of r_0 - r_1: √(4/3)
    1.1547
    """

    def covariance(
        self,
        reference: int | str | None = None,
        *,
        kind: str = "information",
        pairs: PreferencePairs | PreferenceRankings | None = None,
        clusters: ArrayLike | str | None = None,
        n_bootstrap: int = 200,
        seed: int = 0,
        progress: bool = False,
    ) -> Array:
        """Return the covariance of φ, (n_parameters, n_parameters), by default the inverse of ``information``.

        Parameters
        ----------
        reference : int or str, optional
            For a table: the item, by number or name, whose reward is set to 0. Without it the rewards sum to zero.
        kind : "information", "sandwich" or "bootstrap"
            How to estimate the covariance; see docs/standard_errors.md. "information" treats weights as counts of
            independent votes.
        pairs : PreferencePairs or PreferenceRankings, optional
            The pairs of the fit, for the sandwich or the bootstrap of a model that was loaded from a file.
        clusters : array_like, (n_pairs,), or "votes", optional
            One label for each pair (or ranking). Pairs with equal labels may depend on each other. By default these are
            the pairs of a prompt, and a pair of weight 3 then stands for three equal votes. "votes" makes every unit of
            weight an independent vote.
        n_bootstrap : int
            For the bootstrap: the number of resamples.
        seed : int
            For the bootstrap: the same seed gives the same resamples.
        progress : bool
            For the bootstrap: whether to show a progress bar.

        Raises
        ------
        ValueError
            If the scorer is not linear in φ, the fit did not end at a minimum, the data leave a direction of φ
            undetermined, or there are too many parameters for a matrix (see ``standard_errors``). Also if the
            loss is not a likelihood (for the information), if there are not more clusters than free parameters (for the
            sandwich), or if a resample has no finite fit (for the bootstrap).
        """
        from .kinds import Request, covariance_of  # noqa: PLC0415  # imported only when errors are asked for

        model = cast("RewardModel", self)
        return covariance_of(model, model._item(reference), Request(kind, pairs, clusters, n_bootstrap, seed, progress))

    def standard_errors(
        self,
        reference: int | str | None = None,
        *,
        items: Sequence[int | str] | None = None,
        pairs: PreferencePairs | PreferenceRankings | None = None,
        kind: str = "information",
        clusters: ArrayLike | str | None = None,
        n_bootstrap: int = 200,
        seed: int = 0,
        progress: bool = False,
    ) -> Array:
        """Return the standard error of each parameter, (n_parameters,); 0 for the reference item.

        Parameters
        ----------
        reference, kind, clusters, n_bootstrap, seed, progress
            As in ``covariance``.
        items : sequence of int or str, optional
            Return only the errors of these items or features, (n_items,), in this order.
        pairs : PreferencePairs, optional
            The pairs of the fit. With kind="information" and these pairs, a system of equations is solved for each item
            and no matrix is formed. Models with more than 3,000 parameters have no ``information`` and need this. The
            other kinds use the pairs that the model remembers from its fit, and need them here only if the model was
            loaded from a file.

        Examples
        --------
        >>> model.standard_errors("b", items=["a"], pairs=pairs)  # of r_a - r_b  # doctest: +SKIP
        """
        from .kinds import Request, variances_of  # noqa: PLC0415

        model = cast("RewardModel", self)
        rows = None if items is None else model._items(items)
        request = Request(kind, pairs, clusters, n_bootstrap, seed, progress)
        errors: Array = np.sqrt(variances_of(model, rows, model._item(reference), request))
        return errors

    def intervals(self, level: float = 0.95, reference: int | str | None = None, **options: Unpack[Options]) -> Array:
        """Return an interval for each parameter, (n_parameters, 2), from the normal approximation: φ ± z · error.

        The ``options`` are those of ``covariance``: kind, pairs, clusters, n_bootstrap, seed and progress.
        """
        model = cast("RewardModel", self)
        half = quantile_of(level) * self.standard_errors(reference, **options)
        estimate = model.estimates(reference)
        return np.stack([estimate - half, estimate + half], axis=1)

    def contrasts(self, matrix: ArrayLike, **options: Unpack[Options]) -> Contrasts:
        """Return estimates, covariance and standard errors of linear combinations C·φ.

        Parameters
        ----------
        matrix : array_like, (n_contrasts, n_parameters), or one row
            The matrix C. For a table each row must sum to zero, since only differences of rewards are determined.
        options
            As in ``covariance``: kind, pairs, clusters, n_bootstrap, seed and progress.

        Examples
        --------
        >>> model.contrasts([1, -1, 0]).standard_errors  # of r_0 - r_1  # doctest: +SKIP
        """
        from .contrasts import contrasts_of  # noqa: PLC0415

        return contrasts_of(cast("RewardModel", self), matrix, options)

    def probability_intervals(
        self, features_a: ArrayLike, features_b: ArrayLike, *, level: float = 0.95, **options: Unpack[Options]
    ) -> Array:
        """Return an interval for P(a preferred to b) for each row, (n, 2): sigma(Δ ± z · error of Δ).

        If the model was fitted with another loss, the function of that loss replaces sigma, as in
        ``preference_probability``.

        Parameters
        ----------
        features_a, features_b : array_like, (n, n_features), or item numbers, (n,)
        level : float in (0, 1)
        options
            As in ``covariance``: kind, pairs, clusters, n_bootstrap, seed and progress.

        Raises
        ------
        ValueError
            If no probability can be read off the margins of the loss.
        """
        from .contrasts import probability_intervals_of  # noqa: PLC0415

        return probability_intervals_of(cast("RewardModel", self), features_a, features_b, level, options)

    def quasi_variances(self, **options: Unpack[Options]) -> QuasiVariances:
        """Return one variance q for each item of a table, such that the variance of r_a - r_b is about q_a + q_b.

        With three items this holds exactly, but a q may be negative. ``QuasiVariances`` describes the result. The
        ``options`` are those of ``covariance``.
        """
        from .quasi import quasi_variances_of  # noqa: PLC0415

        return quasi_variances_of(cast("RewardModel", self), options)

    def comparison_intervals(self, level: float = 0.95, **options: Unpack[Options]) -> Array:
        """Return r ± z·√q for each item of a table, (n_items, 2), with the quasi-variances q.

        Two items can be compared by these intervals alone, without their covariance (Firth & de Menezes 2004): if two
        intervals do not overlap, the rewards differ significantly (the converse can fail). The method ``intervals``
        instead gives intervals for the difference from the mean or from a reference item.
        """
        from .quasi import comparison_intervals_of  # noqa: PLC0415

        return comparison_intervals_of(cast("RewardModel", self), level, options)

    @property
    def log_likelihood(self) -> float:
        """Σ w·log P of the observed choices at φ, in nats, without penalties. The model must come from ``fit``."""
        from .nested import log_likelihood_of  # noqa: PLC0415

        return log_likelihood_of(cast("RewardModel", self))

    @property
    def aic(self) -> float:
        """Akaike's criterion 2·k - 2·log-likelihood with k free parameters, including fitted ones of the loss.

        The likelihood is that of each single vote. Software that uses the number of wins in each comparison, such as
        R's glm, adds a constant to its criterion. The constant is the same for all models of the same data.
        """
        from .nested import aic_of  # noqa: PLC0415

        return aic_of(cast("RewardModel", self))

    def deviance(self, pairs: PreferencePairs | None = None, *, groups: ArrayLike | None = None) -> float:
        """Return 2·(log-likelihood of the saturated model - that of this model), at least 0.

        The saturated model has a free probability for each comparison.

        Parameters
        ----------
        pairs : PreferencePairs, optional
            By default those of the fit.
        groups : array_like, (n_pairs,), optional
            One label for each pair, for example the home team. The same comparison with another label then counts as
            another comparison.

        Notes
        -----
        Two pairs are the same comparison if they have the same two items, or the same difference of features, in either
        order.
        """
        from .nested import deviance_of  # noqa: PLC0415

        return deviance_of(cast("RewardModel", self), pairs, groups)


def quantile_of(level: float) -> float:
    """Return z such that a share ``level`` of a normal distribution lies within ± z standard deviations."""
    if not 0 < number(level) < 1 or 0.5 + level / 2 == 1:
        raise ValueError(f"level: expected a share between 0 and 1, got {quoted(level)}")
    from statistics import NormalDist  # noqa: PLC0415  # imported here so that the package imports fast

    return NormalDist().inv_cdf(0.5 + level / 2)
