"""What a check found: the verdict, the numbers behind it, and notes. Every check returns a report of this family.

Report            what all of them have: status, text, table, plain types
GradientReport    what ``check_gradient`` and ``check_hessian`` return
course.check      the reports of the exercises
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..arrays.visible import LONGEST_SHOWN, in_html, visible
from ..logistic import Array
from .differences import N_DIRECTIONS
from .runner import ERROR, FAILED, NOT_ATTEMPTED, PASSED

__all__ = [
    "AS_EXPECTED",
    "NOTED",
    "SURPRISE",
    "UNJUDGED",
    "BlockReport",
    "GradientReport",
    "Mask",
    "PairReport",
    "Report",
    "in_words",
    "worst_of",
]

NOTED, UNJUDGED = "passed with a note", "could not be judged"
AS_EXPECTED, SURPRISE = "as expected", "a surprise"  # of predictions, which are neither right nor wrong work
GREEN, GREY, RED = "#007a5e", "#666666", "#b34700"
COLOURS = {PASSED: GREEN, NOTED: GREEN, AS_EXPECTED: GREEN, UNJUDGED: GREY, NOT_ATTEMPTED: GREY, SURPRISE: GREY}
COLOURS |= {FAILED: RED, ERROR: RED}

Row = tuple[str, ...]
Mask = NDArray[np.bool_]


class Report:
    """What all reports have. ``status`` is one of these verdicts.

    passed                 everything agrees
    passed with a note     everything agrees, but there is something to know about it
    could not be judged    the numbers are too uncertain, and a note says what to do
    failed                 some numbers are wrong, and the report says which
    error                  the function could not be checked, and the report says why
    not attempted          the function is not written yet, or nothing was guessed
    as expected            what was predicted is what happens
    a surprise             something else happens, and the report says why
    """

    status: str

    @property
    def passed(self) -> bool:
        """True if the status is "passed", "passed with a note" or "as expected"."""
        return self.status in {PASSED, NOTED, AS_EXPECTED}

    def require(self) -> None:
        """Raise an AssertionError with the text of the report unless the check passed."""
        if not self.passed:
            raise AssertionError(repr(self))

    def to_dict(self) -> dict[str, object]:
        """Return the report as a dict of plain types."""
        return {"passed": self.passed, "status": self.status, **asdict(self)}  # type: ignore[call-overload]

    def _as_html(self, title: str, heads: Row, rows: Sequence[Row], notes: Iterable[object]) -> str:
        """Return the report as a box with a title, a table and notes, for notebooks."""
        table = [_row("th", heads), *(_row("td", row) for row in rows)] if rows else []
        parts = [_lines(title), f"<table>{''.join(table)}</table>" if table else "", *(_lines(str(n)) for n in notes)]
        box = f"border-left: 4px solid {COLOURS[self.status]}; padding-left: 8px"
        return f'<div style="{box}">{"".join(parts)}</div>'


def _row(tag: str, cells: Row) -> str:
    """Return a row; only the last cell, with the words, may be broken into lines."""
    style = "text-align: left; vertical-align: top"
    written = [f'<{tag} style="{style}; white-space: nowrap">{in_html(cell)}</{tag}>' for cell in cells[:-1]]
    written.append(f'<{tag} style="{style}">{in_html(cells[-1])}</{tag}>')
    return f"<tr>{''.join(written)}</tr>"


def _lines(text: str) -> str:
    return f"<div>{'<br>'.join(map(in_html, text.split(chr(10))))}</div>" if text else ""


def worst_of(off: Array, allowed: Array, among: Mask) -> int:
    """Return the entry whose error is the largest multiple of what is allowed.

    If any entries are marked, only those count.
    """
    ratio = np.where(np.isnan(off), np.inf, off / np.maximum(allowed, 1e-300))
    return int(np.where(among if among.any() else True, ratio, -1.0).argmax())


@dataclass(frozen=True)
class BlockReport:
    """One named block of φ, compared with one reference: its worst entry and the verdict.

    ``against`` names the reference. In a large block only some entries are checked one by one, besides the random
    directions; ``n_checked`` is their number. It is 0 if all entries were checked. ``n_unsure`` entries could not be
    judged, because they are uncertain by more than a tenth of their size. ``doubt`` is the uncertainty of the worst
    entry.
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

    @classmethod
    def of(
        cls,
        name: str,
        shape: tuple[int, ...],
        against: str,
        part: slice | tuple[slice, slice],
        got: Array,
        expected: Array,
        doubt: Array,
        wrong: Mask,
        unsure: Mask,
    ) -> BlockReport:
        """Compare the entries of one block.

        The entry that is shown is the worst of those that are wrong. If none is wrong, it is the worst of those that
        could not be judged, and otherwise the worst of all.
        """
        got, expected, doubt = got[part].ravel(), expected[part].ravel(), doubt[part].ravel()
        wrong, unsure = wrong[part].ravel(), unsure[part].ravel()
        off, scale = np.abs(got - expected), float(np.abs(expected).max())
        if wrong.any() or not unsure.any():
            worst = worst_of(off, 1e-10 * (np.abs(expected) + scale) + doubt, wrong)
        else:
            worst = worst_of(doubt, np.maximum(np.abs(expected), np.abs(got)), unsure)
        n_wrong, n_unsure = int(wrong.sum()), int(unsure.sum())
        return cls(
            name=name,
            shape=tuple(shape),
            against=against,
            passed=not n_wrong and not n_unsure,
            n_wrong=n_wrong,
            worst_index=tuple(int(i) for i in np.unravel_index(worst, shape)),
            got=float(got[worst]),
            expected=float(expected[worst]),
            absolute_error=float(off[worst]),
            relative_error=float(off[worst] / scale) if scale > 0 else float(off[worst]),
            n_unsure=n_unsure,
            doubt=float(doubt[worst]),
        )

    def __str__(self) -> str:
        where = f"{visible(self.name, LONGEST_SHOWN)}[{', '.join(map(str, self.worst_index))}]"
        n_entries = self.n_checked or int(np.prod(self.shape))
        verdict = "ok" if self.passed else f"WRONG in {self.n_wrong} of {n_entries} entries"
        if self.n_unsure:
            verdict = f"{verdict}; " if self.n_wrong else ""
            verdict += f"could not be judged in {self.n_unsure} of {n_entries}: uncertain by {self.doubt:.1e}"
        if self.n_checked:
            verdict += f"; {N_DIRECTIONS} random directions and {self.n_checked} entries were checked"
        return (
            f"{self.against:<10} {where:<24} got {self.got:+.6e}  expected {self.expected:+.6e}  off by "
            f"{self.absolute_error:.1e} ({self.relative_error:.1e} of the largest entry)  {verdict}"
            + (f"\n    {self.diagnosis}" if self.diagnosis else "")
        )


@dataclass(frozen=True)
class PairReport:
    """One pair that disagrees: its margin, the number that the gradient implies for it, and the expected number.

    ``kind`` says which number this is: "d_margin" is dL/dΔ of the pair, and "slope" is the derivative of its loss along
    a random direction of φ.
    """

    index: int
    margin: float
    kind: str
    got: float
    expected: float

    def __str__(self) -> str:
        text = f"pair {self.index} (Δ = {self.margin:+.4g}): {self.kind} {self.got:+.6g}, expected {self.expected:+.6g}"
        known = {0.0: "it is left out", 2.0: "it counts twice", -1.0: "it has the wrong sign"}
        share = self.got / self.expected if self.expected else np.nan
        return text + "".join(f": {words}" for value, words in known.items() if abs(share - value) < 1e-6)


@dataclass(frozen=True, repr=False)
class GradientReport(Report):
    """The verdict on a gradient: one ``BlockReport`` for each block of φ and each reference.

    If a function could not be checked at all, ``message`` says why, and ``stopped`` is the status. ``warnings`` name
    what makes the verdict less certain. ``pairs`` lists the pairs that disagree, if they can be found. ``subject`` says
    what was checked, a gradient or a Hessian.
    """

    blocks: tuple[BlockReport, ...]
    message: str = ""
    warnings: tuple[str, ...] = ()
    pairs: tuple[PairReport, ...] = field(default=())
    subject: str = "gradient"
    stopped: str = ""

    @property
    def status(self) -> str:  # type: ignore[override]
        """The verdict: passed, passed with a note, could not be judged, failed, error, or not attempted."""
        if self.message:
            return self.stopped or ERROR
        if any(block.n_wrong for block in self.blocks):
            return FAILED
        if not all(block.passed for block in self.blocks):
            return UNJUDGED
        return NOTED if self.warnings else PASSED

    def __repr__(self) -> str:
        lines = [self._title, *(f"  {line}" for line in (*self.blocks, *self.pairs))]
        return visible("\n".join(lines + [f"  note: {warning}" for warning in self.warnings]), keep="\n\t")

    @property
    def _title(self) -> str:
        words = {PASSED: "every entry agrees", NOTED: "every entry agrees", FAILED: "WRONG", UNJUDGED: UNJUDGED}
        said = f"cannot be checked. {self.message}" if self.message else words[self.status]
        return f"{self.subject}: {said}"

    def _repr_html_(self) -> str:
        heads = ("reference", "block", "worst entry", "got", "expected", "off by", "verdict")
        rows = [
            (
                block.against,
                f"{visible(block.name, LONGEST_SHOWN)} {block.shape}",
                str(list(block.worst_index)),
                f"{block.got:+.6e}",
                f"{block.expected:+.6e}",
                f"{block.absolute_error:.1e}",
                in_words(block.n_wrong, block.n_unsure, block.n_checked or int(np.prod(block.shape)), block.diagnosis),
            )
            for block in self.blocks
        ]
        notes = (*self.pairs, *(f"note: {warning}" for warning in self.warnings))
        return self._as_html(self._title, heads, rows, notes)


def in_words(n_wrong: int, n_unsure: int, n_entries: int, diagnosis: str) -> str:
    """Return the verdict on one block in words."""
    parts = [f"wrong in {n_wrong} of {n_entries}"] if n_wrong else []
    parts += [f"could not be judged in {n_unsure} of {n_entries}"] if n_unsure else []
    return ("; ".join(parts) or "ok") + (f". {diagnosis[0].upper()}{diagnosis[1:]}" if diagnosis else "")
