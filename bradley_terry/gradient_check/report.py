"""What a check found: the verdict, one line for each block of φ and each reference, and which pairs disagree."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from html import escape

import numpy as np

from .differences import N_DIRECTIONS

__all__ = ["BlockReport", "GradientReport", "PairReport"]


@dataclass(frozen=True)
class BlockReport:
    """One named block of φ, compared with one reference: its worst entry and the verdict.

    ``against`` names the reference. In a large block only some entries are checked one by one, besides the random
    directions; ``n_checked`` is their number. It is 0 if all entries were checked.
    """

    name: str
    shape: tuple[int, ...]
    against: str
    passed: bool
    n_wrong: int
    worst_index: tuple[int, ...]
    got: float
    expected: float
    absolute_error: float
    relative_error: float
    diagnosis: str = ""
    n_checked: int = 0

    def __str__(self) -> str:
        where = f"{self.name}[{', '.join(map(str, self.worst_index))}]"
        verdict = "ok" if self.passed else f"WRONG in {self.n_wrong} of {self.n_checked or int(np.prod(self.shape))}"
        if self.n_checked:
            verdict += f"; {N_DIRECTIONS} random directions and {self.n_checked} entries were checked"
        return (
            f"{self.against:<10} {where:<24} got {self.got:+.6e}  expected {self.expected:+.6e}  "
            f"off by {self.absolute_error:.1e} ({self.relative_error:.1e} of the block)  {verdict}"
            + (f"\n    {self.diagnosis}" if self.diagnosis else "")
        )


@dataclass(frozen=True)
class PairReport:
    """One pair that disagrees: its margin, the number that the gradient implies, and the expected number.

    ``kind`` says which number: "d_margin" is dL/dΔ of the pair; "slope" is the derivative of its loss along a random
    direction.
    """

    index: int
    margin: float
    kind: str
    got: float
    expected: float

    def __str__(self) -> str:
        return f"pair {self.index} (Δ = {self.margin:+.4g}): {self.kind} {self.got:+.6g}, expected {self.expected:+.6g}"


@dataclass(frozen=True)
class GradientReport:
    """The verdict: ``passed``, and one ``BlockReport`` for each block of φ and each reference.

    ``message`` says why a function could not be checked at all, and ``warnings`` what weakens the verdict. ``pairs``
    lists the pairs that disagree, if they can be found.
    """

    passed: bool
    blocks: tuple[BlockReport, ...]
    message: str = ""
    warnings: tuple[str, ...] = ()
    pairs: tuple[PairReport, ...] = field(default=())

    def __repr__(self) -> str:
        head = "gradient: every entry agrees" if self.passed else "gradient: WRONG"
        lines = [f"gradient: cannot be checked. {self.message}" if self.message else head]
        lines += [f"  {block}" for block in self.blocks]
        lines += [f"  {pair}" for pair in self.pairs]
        return "\n".join(lines + [f"  note: {warning}" for warning in self.warnings])

    def to_dict(self) -> dict[str, object]:
        """Return everything in plain types."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """Return the report as a table for notebooks."""
        heads = ("reference", "block", "worst entry", "got", "expected", "off by", "verdict")
        rows = [
            (
                block.against,
                f"{block.name} {block.shape}",
                str(list(block.worst_index)),
                f"{block.got:+.6e}",
                f"{block.expected:+.6e}",
                f"{block.absolute_error:.1e}",
                "ok" if block.passed else f"wrong in {block.n_wrong}. {block.diagnosis}".strip(),
            )
            for block in self.blocks
        ]
        lines = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
        title = self.message or ("every entry agrees" if self.passed else "wrong")
        notes = "".join(f"<p>{escape(str(line))}</p>" for line in (*self.pairs, *self.warnings))
        return f"<table><caption>gradient: {escape(title)}</caption>{''.join(lines)}</table>{notes}"

    def require(self) -> None:
        """Raise AssertionError with the report as its text unless the gradient passed."""
        if not self.passed:
            raise AssertionError(repr(self))
