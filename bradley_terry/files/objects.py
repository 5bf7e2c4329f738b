"""JSON in which no object has two fields of the same name.

JSON allows them, and the reader of Python keeps the last one without a word. Such a record says two things about one
field, so it is refused, as a CSV with two columns of one name is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from .messages import listed

if TYPE_CHECKING:
    from json import JSONDecoder

__all__ = ["RepeatedNameError", "decoder", "refuse_repeated_names"]


class RepeatedNameError(ValueError):
    """Two fields of an object, or two columns of a table, have the same name."""


@lru_cache(maxsize=1)
def decoder() -> JSONDecoder:
    """Return a decoder that raises ``RepeatedNameError``; ``json`` is imported only when it is needed."""
    from json import JSONDecoder  # noqa: PLC0415

    return JSONDecoder(object_pairs_hook=_object)


def _object(fields: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(fields)
    if len(made) < len(fields):
        refuse_repeated_names(name for name, _ in fields)
    return made


def refuse_repeated_names(names: Iterable[object], what: str = "names") -> None:
    """Raise ``RepeatedNameError`` if two of these are written alike."""
    seen: set[str] = set()
    for name in map(str, names):
        if name in seen:
            raise RepeatedNameError(f"expected different {what}, found {listed([name])} twice")
        seen.add(name)
