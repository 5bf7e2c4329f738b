"""How the flat vector φ is divided into named blocks, such as the weights and the bias of a layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["Blocks", "slices_of"]

Blocks = Mapping[str, tuple[int, ...]]
"""Name and shape of each block, in the order of φ."""


def slices_of(blocks: Blocks) -> dict[str, slice]:
    """Return the slice of φ that belongs to each block."""
    slices, start = {}, 0
    for name, shape in blocks.items():
        stop = start + int(np.prod(shape))
        slices[name] = slice(start, stop)
        start = stop
    return slices
