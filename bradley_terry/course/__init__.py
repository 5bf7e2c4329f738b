"""What only the lessons need; so far ``check``, which judges the exercises and says what went wrong."""

from __future__ import annotations
