"""Rankings whose rewards grow without end: the choices that stay uncertain in the limit."""

from __future__ import annotations

import numpy as np

from ..ranking.rankings import PreferenceRankings
from .report import Separation

__all__ = ["remaining_choices"]


def remaining_choices(rankings: PreferenceRankings, found: Separation) -> PreferenceRankings | None:
    """Return the choices at each rank without the answers that surely lose, or None if no choice is left.

    A ranking is a sequence of choices, each from the answers that are left. In the limit, a choice is only between its
    winner and those answers from which the winner is not separated. Each choice becomes a ranking 1, 2, 2, … of its
    own, with the weight of its ranking.
    """
    better, worse, choice, weights = [], [], [], []
    for rows, n_choices, numbers in rankings.groups:  # in the order of ``as_pairs``
        j, other = np.triu_indices(rows.shape[1], 1)
        compared = j < n_choices[:, None]
        better.append(rows[:, j][compared])
        worse.append(rows[:, other][compared])
        choice.append((numbers[:, None] * rankings.features.shape[0] + j)[compared])
        weights.append((rankings.ranking_weights[numbers][:, None] * compared)[compared])
    winner, loser, number, w = (np.concatenate(parts) for parts in (better, worse, choice, weights))
    order = np.argsort(rankings.prompt_index[winner], kind="stable")
    order = order[~found.separated_pairs]
    winner, loser, number, w = winner[order], loser[order], number[order], w[order]
    if not w.any():
        return None
    first = np.unique(number, return_index=True)[1]
    return PreferenceRankings(
        rankings.features[np.append(winner[first], loser)],
        np.append(np.full(first.size, 1), np.full(loser.size, 2)),
        np.append(number[first], number),
        weights=np.append(w[first], w),
        feature_names=rankings.feature_names,
    )
