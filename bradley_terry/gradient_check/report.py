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
    directions; ``n_checked`` is their number. It is 0 if all entries were checked. ``n_unsure`` entries could not be
    judged, because they are uncertain by more than a tenth of their size; ``doubt`` is that of the worst entry.
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
    n_unsure: int = 0
    doubt: float = 0.0

    def __str__(self) -> str:
        where = f"{self.name}[{', '.join(map(str, self.worst_index))}]"
        n_entries = self.n_checked or int(np.prod(self.shape))
        verdict = "ok" if self.passed else f"WRONG in {self.n_wrong} of {n_entries}"
        if self.n_unsure:
            verdict = f"{verdict}; " if self.n_wrong else ""
            verdict += f"could not be judged in {self.n_unsure} of {n_entries}: uncertain by {self.doubt:.1e}"
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
    lists the pairs that disagree, if they can be found. ``subject`` says what was checked, a gradient or a Hessian.
    """

    passed: bool
    blocks: tuple[BlockReport, ...]
    message: str = ""
    warnings: tuple[str, ...] = ()
    pairs: tuple[PairReport, ...] = field(default=())
    subject: str = "gradient"

    def __repr__(self) -> str:
        lines = [
            f"{self.subject}: cannot be checked. {self.message}" if self.message else f"{self.subject}: {self._verdict}"
        ]
        lines += [f"  {block}" for block in self.blocks]
        lines += [f"  {pair}" for pair in self.pairs]
        return "\n".join(lines + [f"  note: {warning}" for warning in self.warnings])

    @property
    def _verdict(self) -> str:
        if self.passed:
            return "every entry agrees"
        return "WRONG" if any(block.n_wrong for block in self.blocks) else "could not be judged"

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
                _in_words(block),
            )
            for block in self.blocks
        ]
        lines = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
        title = self.message or self._verdict.lower()
        notes = "".join(f"<p>{escape(str(line))}</p>" for line in (*self.pairs, *self.warnings))
        return f"<table><caption>{self.subject}: {escape(title)}</caption>{''.join(lines)}</table>{notes}"

    def require(self) -> None:
        """Raise AssertionError with the report as its text unless the gradient passed."""
        if not self.passed:
            raise AssertionError(repr(self))


def _in_words(block: BlockReport) -> str:
    if block.passed:
        return "ok"
    unsure = f"could not be judged in {block.n_unsure}" if block.n_unsure else ""
    if not block.n_wrong:
        return unsure
    return f"wrong in {block.n_wrong}. {block.diagnosis}".strip() + (f"; {unsure}" if unsure else "")
