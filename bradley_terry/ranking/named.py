"""Losses by name, as ``bradley-terry train --loss`` takes them: "hinge", "hinge:delta=2", "rao-kupper"."""

from __future__ import annotations

import inspect
import re

from .. import losses, ranking
from ..arrays.visible import quoted
from ..losses import PairLoss

__all__ = ["NAMES", "loss_named"]

_CLASSES = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower(): name
    for name in ("BradleyTerry", *ranking.__all__)
    if name != "MarginLoss"
}
NAMES = tuple(sorted(_CLASSES))


def loss_named(text: str) -> PairLoss:
    """Return the loss with this name and, after a colon, its parameters in the form name=number, with commas between.

    Raises
    ------
    ValueError
        For an unknown name, or parameters that the loss does not have, needs, or allows.
    """
    name, _, rest = text.partition(":")
    if name not in _CLASSES:
        raise ValueError(f"loss: expected one of {', '.join(NAMES)}, got {quoted(name)}")
    kind = getattr(losses, _CLASSES[name])
    known = {
        key: parameter.default is inspect.Parameter.empty
        for key, parameter in inspect.signature(kind).parameters.items()
        if key not in ("m", "thresholds")  # arrays
    }
    given: dict[str, float] = {}
    for part in rest.split(",") if rest else []:
        key, _, number = part.partition("=")
        if key not in known:
            has = f"one of {', '.join(known)}" if known else "no parameters"
            raise ValueError(f"loss: expected {has} for {name}, got {quoted(key)}")
        try:
            given[key] = int(number) if re.fullmatch(r"[+-]?\d+", number) else float(number)
        except ValueError:
            raise ValueError(f"loss: expected a number for {key} of {name}, got {quoted(number)}") from None
    if missing := [key for key, is_needed in known.items() if is_needed and key not in given]:
        raise ValueError(f"loss: expected {name}:{'=…,'.join(missing)}=…, since {name} needs {', '.join(missing)}")
    made: PairLoss = kind(**given)
    return made
