r"""Half characters: what is left in a text of an emoji that was cut in two.

JSON writes an emoji as two codes, "\ud83d\ude00". A text that was cut between them ends in "\ud83d", a lone surrogate,
which no file of texts can hold. So it is read as "�", the replacement character, as browsers do, and a note says so.
"""

from __future__ import annotations

import re

from ..arrays.visible import quoted

__all__ = ["REPLACEMENT", "Halves", "may_have_halves", "merged_names", "said_of_halves"]

REPLACEMENT = "\ufffd"

_HALF_OR_REPLACED = re.compile("[\ud800-\udfff\ufffd]")


def may_have_halves(value: object) -> bool:
    """Return whether a text holds half a character or "�", or any text within lists and dicts."""
    if isinstance(value, str):
        return not value.isascii() and _HALF_OR_REPLACED.search(value) is not None
    if isinstance(value, dict):
        return any(map(may_have_halves, value)) or any(map(may_have_halves, value.values()))
    if isinstance(value, list):
        return not set(map(type, value)) <= {float, int} and any(map(may_have_halves, value))
    return False


class Halves:
    """Replaces half characters, and remembers what it has replaced, so that different names never become one."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self.merged: set[str] = set()  # texts that are read for two different ones

    def whole(self, value: object) -> object:
        """Return the same value with "�" in place of each half character; raise ValueError if two keys become one."""
        if isinstance(value, str):
            read = _whole(value)
            if REPLACEMENT in read and self._texts.setdefault(read, value) != value:
                self.merged.add(read)
            return read
        if isinstance(value, dict):
            return {self._name(name): self.whole(inner) for name, inner in value.items()}
        return [self.whole(inner) for inner in value] if isinstance(value, list) else value

    def _name(self, name: object) -> object:
        if not isinstance(name, str):
            return name
        read = _whole(name)
        if REPLACEMENT in read and self._names.setdefault(read, name) != name:
            raise ValueError(merged_names(read))
        return read


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def merged_names(read: str) -> str:
    """Return what is wrong with names that would be read as the same one."""
    return f"expected names that differ in more than half characters, found two that are read as {quoted(read)}"


def said_of_halves(n: int, what: str) -> str:
    """Return a note in words."""
    verb = "hold" if n > 1 else "holds"
    return (
        f"{n} {what}{'s' * (n > 1)} {verb} half a character, as an emoji that was cut leaves it, read as {REPLACEMENT}"
    )
