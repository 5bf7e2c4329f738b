"""Trees of messages, as OpenAssistant publishes them: each message with ranked replies becomes a ranking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

__all__ = ["without_trees"]

Records = Iterable[tuple[str, dict[str, object]]]


def without_trees(records: Records) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield records as they are, and for each tree one record for every message with at least two ranked replies."""
    for place, record in records:
        root = record.get("prompt")
        if isinstance(root, Mapping) and isinstance(root.get("replies"), list):
            yield from ((place, ranking) for ranking in _rankings(root, []))
        else:
            yield place, record


def _rankings(message: Mapping[str, object], earlier: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Yield {prompt, answers} for a message and for all below it; the prompt is the way from the root."""
    turns = [*earlier, {"role": message.get("role", "prompter"), "content": message.get("text")}]
    replies = message.get("replies")
    below = [reply for reply in replies if isinstance(reply, Mapping)] if isinstance(replies, list) else []
    ranked = [{"text": one.get("text"), "rank": one["rank"]} for one in below if one.get("rank") is not None]
    if len(ranked) > 1:
        yield {"prompt": turns, "answers": ranked}
    for reply in below:
        yield from _rankings(reply, turns)
