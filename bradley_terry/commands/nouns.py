"""What a report calls the data: pairs of answers to prompts, or comparisons of items."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..arrays.visible import counted
from ..evaluation import Evaluation
from ..pairs import PreferencePairs

__all__ = ["Nouns", "nouns_of"]


@dataclass(frozen=True)
class Nouns:
    """What to call the data: pairs of answers to prompts, or comparisons of items."""

    pair: str = "pair"
    prompt: str = "prompt"
    answer: str = "answer"
    outcome: str = "choice"
    counted: bool = False  # the weight of a row is its number of comparisons

    def n(self, evaluation: Evaluation) -> int:
        """Return the number of pairs or comparisons."""
        return int(evaluation.total_weight) if self.counted else evaluation.n_pairs

    def size(self, evaluation: Evaluation) -> str:
        """Return the number of pairs, and how many prompts they are about."""
        size = counted(self.n(evaluation), self.pair, ",")
        return size if self.prompt == self.pair else f"{size} ({counted(evaluation.n_prompts, self.prompt, ',')})"

    def reworded(self, caption: str) -> str:
        """Return the caption of a figure with "pair", "prompt" and "answer" replaced by these nouns."""
        nouns = {"pair": self.pair, "prompt": self.prompt, "answer": self.answer}
        if self.pair == "comparison":
            nouns["the person"] = "the result"
        return re.sub(rf"\b({'|'.join(nouns)})(?=s?\b)", lambda found: nouns[found[0]], caption)


def nouns_of(pairs: PreferencePairs | None) -> Nouns:
    """Return what to call these pairs. The prompt of a comparison is usually just the names of its two items."""
    if pairs is None or not pairs.is_items:
        return Nouns()
    low, high = np.minimum(pairs.chosen, pairs.rejected), np.maximum(pairs.chosen, pairs.rejected)
    names, matchup = np.unique(low * pairs.n_items + high, return_inverse=True)
    n_prompts, n_rows = pairs.n_prompts, len(pairs)
    if len(names) == n_prompts == len(np.unique(matchup * n_prompts + pairs.prompt_index)):
        prompt = "matchup"
    else:
        prompt = "comparison" if n_prompts == n_rows else "prompt"
    counted = pairs.weights is not None and bool((pairs.weights == np.floor(pairs.weights)).all())
    return Nouns("comparison", prompt, "item", "outcome", counted)
