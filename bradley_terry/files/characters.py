r"""Half characters: what is left in a text of an emoji that was cut in two.

JSON writes an emoji as two codes, "\ud83d\ude00". A text that was cut between them ends in "\ud83d", a lone surrogate,
which no file of texts can hold. So it is read as "�", the replacement character, as browsers do, and a note says so.
"""

from __future__ import annotations

import re

__all__ = ["REPLACEMENT", "has_halves", "said_of_halves", "whole"]

REPLACEMENT = "\ufffd"

_HALF = re.compile("[\ud800-\udfff]")


def has_halves(value: object) -> bool:
    """Return whether a text holds half a character, or any text within lists and dicts."""
    if isinstance(value, str):
        return not value.isascii() and _HALF.search(value) is not None
    if isinstance(value, dict):
        return any(map(has_halves, value)) or any(map(has_halves, value.values()))
    if isinstance(value, list):
        return not set(map(type, value)) <= {float, int} and any(map(has_halves, value))
    return False


def whole(value: object) -> object:
    """Return the same value with "�" in place of each half character."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {whole(name): whole(inner) for name, inner in value.items()}
    return [whole(inner) for inner in value] if isinstance(value, list) else value


def said_of_halves(n: int, what: str) -> str:
    """Return a note in words."""
    verb = "hold" if n > 1 else "holds"
    return (
        f"{n} {what}{'s' * (n > 1)} {verb} half a character, as an emoji that was cut leaves it, read as {REPLACEMENT}"
    )
