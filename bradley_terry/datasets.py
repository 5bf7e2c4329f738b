"""Where pairs come from: three tables of real choices, simulated people whose true reward is known, or your files.

    travel_modes, citations, baseball    real choices, with published fits to compare ours with
    synthetic                            preferences drawn from a known reward, to see whether a fit recovers it
    load_pairs, read_texts, save_pairs   files of many formats, see docs/formats.md; defined in ``files``

All of them fill in the prompts and feature names of the pairs.
"""

from __future__ import annotations

import csv
import io
from importlib import resources
from itertools import combinations
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import given, room, single
from .arrays.visible import quoted, visible
from .files import DataNote, Texts, load_pairs, matchups_of, read_texts, save_pairs
from .logistic import Array
from .pairs import PreferencePairs
from .preference import sample_preferences
from .scorers import LinearScorer, Scorer, TableScorer

if TYPE_CHECKING:
    from .ranking.rankings import PreferenceRankings

__all__ = [
    "DataNote",
    "Texts",
    "baseball",
    "citations",
    "load_pairs",
    "read_texts",
    "save_pairs",
    "synthetic",
    "synthetic_phi",
    "travel_modes",
]


def _table(name: str) -> list[dict[str, str]]:
    text = resources.files(__package__).joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


@overload
def travel_modes(*, as_choices: Literal[False] = ...) -> PreferencePairs: ...
@overload
def travel_modes(*, as_choices: Literal[True]) -> PreferenceRankings: ...
def travel_modes(*, as_choices: bool = False) -> PreferencePairs | PreferenceRankings:
    """Return 630 pairs: each of 210 travellers chose one of plane, train, bus and car over the other three.

    Parameters
    ----------
    as_choices : bool
        Return 210 choices of one among four instead, as ``PreferenceRankings``.

    Returns
    -------
    PreferencePairs or PreferenceRankings
        The prompt is the traveller (1 … 210). Each gives three pairs, the chosen mode with each of the others, in the
        order plane, train, bus, car. Features of a mode: "generalised cost" (dollars), "terminal waiting time"
        (minutes), "income x plane" (household income in thousand dollars for the plane, else 0), and "plane", "train",
        "bus" (1 for this mode, else 0; the car is the reference).

    References
    ----------
    Greene, W. H. & Hensher, D. 1997, Multinomial logit and discrete choice models. Public domain.

    Examples
    --------
    >>> pairs = travel_modes()
    >>> len(pairs), pairs.n_prompts
    (630, 210)
    >>> print(pairs.chosen[0], pairs.rejected[0])  # traveller 1 chose the car over the plane
    [30.  0.  0.  0.  0.  0.] [70. 69. 35.  1.  0.  0.]
    """
    rows = _table("travel_modes.csv")
    travellers, is_taken = [int(row["individual"]) for row in rows], [row["choice"] == "1" for row in rows]
    x = [
        [float(row["gc"]), float(row["ttme"]), float(row["hinc"]) * (row["mode"] == "plane")]
        + [float(row["mode"] == mode) for mode in ("plane", "train", "bus")]
        for row in rows
    ]
    names = ("generalised cost", "terminal waiting time", "income x plane", "plane", "train", "bus")
    if single.switch("as_choices", as_choices):
        from .ranking.rankings import PreferenceRankings  # noqa: PLC0415  # rarely needed

        return PreferenceRankings(x, np.where(is_taken, 1, 2), travellers, feature_names=names)
    taken = {traveller: i for i, traveller in enumerate(travellers) if is_taken[i]}
    left = [i for i, chosen in enumerate(is_taken) if not chosen]
    prompts = [travellers[i] for i in left]
    return PreferencePairs(
        [x[taken[prompt]] for prompt in prompts], [x[i] for i in left], prompts=prompts, feature_names=names
    )


def citations() -> PreferencePairs:
    """Return 3,727 citations among four journals of statistics: the cited journal wins against the citing one.

    Returns
    -------
    PreferencePairs of items
        For ``TableScorer(4)``: Biometrika, Comm Statist, JASA, JRSS-B. Every two journals have two rows, one for each
        direction. The weight of a row is its number of citations. Self-citations are left out.
        ``prompts`` names the matchup: "Biometrika vs Comm Statist".

    References
    ----------
    Stigler, S. 1994, Statistical Science 9, 94-108; Agresti 2002, Categorical Data Analysis, p. 448.

    Examples
    --------
    >>> pairs = citations()
    >>> pairs.feature_names[pairs.chosen[0]], pairs.feature_names[pairs.rejected[0]], pairs.weights[0]
    ('Biometrika', 'Comm Statist', np.float64(730.0))
    """
    table = _table("citations.csv")
    journals = [row["cited"] for row in table]
    rows = [row for i, j in combinations(range(len(journals)), 2) for row in ((i, j), (j, i))]  # (cited, citing)
    chosen, rejected = [i for i, _ in rows], [j for _, j in rows]
    counts = [float(table[i][journals[j]]) for i, j in rows]
    return PreferencePairs(
        chosen,
        rejected,
        prompts=matchups_of(chosen, rejected, journals),
        weights=counts,
        feature_names=journals,
    )


def baseball(home_advantage: bool = False) -> PreferencePairs:
    """Return the games of the American League East in 1987: seven teams, no ties.

    Parameters
    ----------
    home_advantage : bool
        False: items for ``TableScorer(7)``, the teams in alphabetical order, Baltimore first. True: features for
        ``LinearScorer(7)``, each 1 or 0: one for each team but Baltimore (the reference), and "at home".

    Returns
    -------
    PreferencePairs
        One row for each home team, away team and winner, if there was such a game. Its weight is the number of games.
        ``prompts`` names the matchup, "Baltimore vs Boston", no matter which team is at home.

    References
    ----------
    Agresti 2002, Categorical Data Analysis, table 10.10.

    Examples
    --------
    >>> baseball().total_weight, baseball(home_advantage=True).feature_names[-1]
    (273.0, 'at home')
    """
    single.switch("home_advantage", home_advantage)
    table = _table("baseball_1987.csv")
    teams = sorted({row["home"] for row in table})
    rows: list[tuple[int, int, float, float]] = []  # winner, loser, is the winner at home, number of games
    for row in table:
        home, away = teams.index(row["home"]), teams.index(row["away"])
        rows += [(home, away, 1.0, float(row["home_wins"])), (away, home, 0.0, float(row["away_wins"]))]
    rows = [row for row in rows if row[3] > 0]
    winners, losers = [row[0] for row in rows], [row[1] for row in rows]
    matchups = matchups_of(winners, losers, teams)
    games = [row[3] for row in rows]
    if not home_advantage:
        return PreferencePairs(winners, losers, prompts=matchups, weights=games, feature_names=teams)
    at_home = np.array([row[2] for row in rows])
    is_team = np.eye(len(teams))[:, 1:]  # Baltimore's row is all zeros
    return PreferencePairs(
        np.column_stack([is_team[winners], at_home]),
        np.column_stack([is_team[losers], 1 - at_home]),
        prompts=matchups,
        weights=games,
        feature_names=[*teams[1:], "at home"],
    )


def synthetic(
    n_pairs: int = 1000,
    *,
    scorer: Scorer | None = None,
    phi: ArrayLike | None = None,
    pairs_per_prompt: int = 1,
    seed: int = 0,
) -> PreferencePairs:
    """Draw preferences of simulated people whose true reward is known: P(a preferred to b) = sigma(r_φ(a) - r_φ(b)).

    Parameters
    ----------
    n_pairs : int, at least 1
    scorer : Scorer, optional
        The form of the true reward. By default a linear scorer with one feature for each entry of φ.
    phi : array_like, (n_parameters,), optional
        The true parameters. By default (1, -2, 0.5), or ``synthetic_phi(scorer, seed)`` if a scorer is given.
    pairs_per_prompt : int, at least 1
        If more than one, all answers to a prompt share a random offset of their features, as answers to one question
        share its subject. With a linear scorer, the offset changes the rewards but not the preferences.
    seed : int, at least 0
        The same seed gives the same pairs.

    Returns
    -------
    PreferencePairs
        Standard normal features (plus the offset), or two different random items. The preferred one is ``chosen``.

    Examples
    --------
    >>> synthetic(6, pairs_per_prompt=3)
    PreferencePairs(6 pairs of 3 features, 2 prompts)
    """
    n_pairs, _ = single.whole("n_pairs", n_pairs), single.whole("pairs_per_prompt", pairs_per_prompt)
    single.seed(seed)
    if scorer is None:
        phi = np.array([1.0, -2.0, 0.5]) if phi is None else given.float64(phi, "phi")
        scorer = LinearScorer(max(1, phi.size))
    is_table = isinstance(scorer, TableScorer)
    size = getattr(scorer, "n_items" if is_table else "n_features", None)
    if not isinstance(size, int | np.integer):
        shown = visible(scorer, 200) if isinstance(scorer, str) else quoted(scorer)
        raise ValueError(f"scorer: expected one with n_features or a TableScorer, got {shown}")
    if is_table and size < 2:
        raise ValueError(f"scorer: expected at least two items to choose between, got {quoted(scorer)}")
    truth = synthetic_phi(scorer, seed) if phi is None else given.float64(phi, "phi")
    scorer.unpack(truth)
    room.check_room("n_pairs", 32 * n_pairs * (1 if is_table else size), f"{n_pairs} pairs, which need")
    rng = np.random.default_rng(seed)
    prompts = np.arange(n_pairs) // pairs_per_prompt
    a: NDArray[np.generic]
    b: NDArray[np.generic]
    if is_table:
        a = rng.integers(size, size=n_pairs)
        b = (a + rng.integers(1, size, size=n_pairs)) % size  # 1 to size - 1 further on, so never the same item
        names = [f"item {i}" for i in range(size)]
    else:
        offset = 0.0 if pairs_per_prompt == 1 else rng.standard_normal((int(prompts[-1]) + 1, size))[prompts]
        a = rng.standard_normal((n_pairs, size)) + offset
        b = rng.standard_normal((n_pairs, size)) + offset
        names = [f"x{i + 1}" for i in range(size)]
    rewards_a, rewards_b = scorer.reward(truth, a), scorer.reward(truth, b)
    if not all(np.isfinite(numbers).all() for numbers in (truth, rewards_a, rewards_b)):
        raise ValueError("phi: expected finite numbers that give finite rewards, got NaN or infinity")
    a_wins = sample_preferences(rewards_a, rewards_b, rng)
    if a.ndim == 2:
        a_wins = a_wins[:, None]
    return PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a), prompts=prompts, feature_names=names)


def synthetic_phi(scorer: Scorer, seed: int = 0) -> Array:
    """Return the true φ that ``synthetic`` uses by default for this scorer and seed.

    If ``scorer.initial`` is random, as for the MLP, it is such an initial φ. Otherwise its entries are standard normal.
    """
    single.seed(seed)
    if not hasattr(scorer, "initial") or isinstance(scorer, type):
        raise TypeError(f"scorer: expected a scorer such as LinearScorer(n_features), got {quoted(scorer)}")
    rng = np.random.default_rng([seed, 1])  # a different stream from that of the features
    phi = scorer.initial(rng)
    return phi if phi.any() else rng.standard_normal(scorer.n_parameters)
