"""What the fields of a record are called: one table of names for all formats.

Names are compared without regard to case, and a dash or a space counts as an underscore. ``docs/formats.md`` shows this
table, and a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

__all__ = ["ARRAY_NAMES", "NAMES", "PARTS_OF_PROMPT", "SCORES", "STEMS", "is_origin", "near_miss", "plain"]

NAMES = {
    "chosen": (
        "chosen", "chosen_response", "chosen_answer", "chosen_completion", "chosen_output", "chosen_text", "preferred",
        "preferred_response", "preferred_output", "accepted", "better", "better_response", "better_answer", "good",
        "good_response", "good_answer", "winner",
    ),
    "rejected": (
        "rejected", "rejected_response", "rejected_answer", "rejected_completion", "rejected_output", "rejected_text",
        "dispreferred", "non_preferred_response", "non_preferred_output", "worse", "worse_response", "worse_answer",
        "bad", "bad_response", "bad_answer", "loser",
    ),
    "system": ("system", "system_prompt", "system_message"),
    "context": ("context", "history", "info"),
    "prompt": (
        "prompt", "prompts", "instruction", "question", "query", "user_prompt", "problem", "user_message", "user_input",
        "prompt_text", "input_text",
    ),
    "request": ("post", "request", "task", "user"),
    "prompt_id": ("prompt_id", "question_id", "conversation_id"),
    "input": ("input",),
    "conversation": ("conversations", "conversation", "messages", "dialogue", "dialog"),
    "weight": ("weight", "weights", "sample_weight", "sample_weights"),
    "label": ("label", "labels", "soft_label", "soft_labels"),
    "target_margin": ("target_margin", "target_margins", "margin", "margins"),
    "tie": ("tie", "is_tie", "tied", "ties", "draw", "is_draw", "both_equal"),
    "answers": ("completions", "answers", "responses", "candidates", "outputs", "summaries", "replies", "generations"),
    "answer": ("response", "completion", "answer", "output", "reply", "text", "content"),
    "ranking": ("ranking",),
    "item": ("item", "player", "team", "model", "option", "candidate", "name"),
    "features": ("features", "embedding"),
    "rank": ("rank", "ranks"),
    "score": ("overall_score", "score", "scores", "rating", "ratings", "overall_rating", "helpfulness", "quality"),
    "verdict": (
        "winner", "choice", "preference", "preferred", "better", "better_response_id", "better_response", "verdict",
        "outcome", "result", "selected", "chosen", "label", "labels", "overall_preference", "preference_strength",
    ),
}  # fmt: skip
"""What a field means -> its names; where a record has several of them, the first counts."""

PARTS_OF_PROMPT = ("system", "context", "prompt", "input")
"""The parts of a prompt in words, in the order in which they are joined."""

SCORES = ("score", "rating", "avg_rating")
"""A number of each answer beside a pair: score_chosen and score_rejected, or chosen_score and rejected_score."""

STEMS = {
    "texts": (
        "response", "answer", "completion", "output", "human_ref", "text", "reply", "summary", "conversation",
        "generation", "assistant",
    ),
    "items": ("model", "player", "team", "item", "option", "name", "candidate", ""),
}  # fmt: skip
"""The two sides of a contest: response_a and response_b, or model_a and model_b; "" stands for left and right alone."""

ARRAY_NAMES = {
    "chosen": ("chosen",),
    "rejected": ("rejected",),
    "prompts": NAMES["prompt"][:2],
    "weights": NAMES["weight"],
    "labels": NAMES["label"],
    "target_margins": NAMES["target_margin"],
    "feature_names": ("feature_names",),
    "features": ("features",),
    "ranks": NAMES["rank"],
}
"""The same for the arrays of NPZ and NPY files."""

# Fields with these words in their name describe where a row is from.
_ORIGIN = {
    "id", "ids", "idx", "index", "uuid", "hash", "key", "model", "models", "source", "sources", "name", "names",
    "type", "annotator", "annotators", "labeler", "labeller", "user", "judge", "date", "time", "timestamp", "tstamp",
    "turn", "turns", "language", "lang", "dataset", "split", "url", "domain", "category", "ratio", "is", "num",
    "tokens", "length", "policy", "raw", "original", "avg", "anony", "anonymous", "year", "season", "round", "week",
    "day", "month", "seed", "version", "row", "line", "unnamed:",
}  # fmt: skip


LONGEST_KEPT = 100  # characters of a name that is kept


def plain(name: object) -> str:
    """Return a name in lower case, with underscores for dashes and spaces."""
    text = str(name)  # first, since the cache takes True, 1 and 1.0 for the same, and takes no lists
    return _plain(text) if len(text) <= LONGEST_KEPT else _plain.__wrapped__(text)


@lru_cache(maxsize=2**16)  # names of items are compared too
def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def is_origin(word: str) -> bool:
    """Return whether a name describes where a record is from."""
    return bool(set(word.split("_")) & _ORIGIN)


def near_miss(name: str, is_number: bool, known: Iterable[str]) -> str | None:
    """Return what an unknown field resembles: the known name that it may be meant for, "" for a number, else None."""
    from difflib import get_close_matches  # noqa: PLC0415  # only files with unknown fields need it

    word = plain(name)
    if is_origin(word):
        return None
    names = list(known)
    for close in get_close_matches(word, names, n=3, cutoff=0.8) if names else ():
        if _differ_in_letters(word, close):
            return close
    return "" if is_number else None


def _differ_in_letters(a: str, b: str) -> bool:
    """Return whether two names differ by a few letters, and not by a whole word as prompt and prompt_text do."""
    from difflib import SequenceMatcher  # noqa: PLC0415

    words = (a.split("_"), b.split("_"))
    if len(words[0]) != len(words[1]):
        words = ([a.replace("_", "")], [b.replace("_", "")])
        return words[0] == words[1]
    return all(SequenceMatcher(None, *pair).ratio() >= 0.75 for pair in zip(*words, strict=True))
