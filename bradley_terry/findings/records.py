"""The results of ``diagnose``, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import fill

from ..arrays.visible import LONGEST_SHOWN, counted, in_markdown, quoted, visible

__all__ = ["SEVERITIES", "Check", "Diagnosis", "Evidence", "Facts", "Finding"]

SEVERITIES = ("error", "warning", "note")
"""error: the numbers of the run do not mean what they seem to. warning: the model could be better, or its numbers are
uncertain. note: normal, but worth knowing."""

Evidence = Mapping[str, float | int | str]
Facts = dict[str, float | int | str]


@dataclass(frozen=True)
class Check:
    """One measurement, compared with its threshold. There is a finding if the statistic is larger.

    Attributes
    ----------
    name : str
    statistic : float
        For most checks a test statistic; for exact facts, such as copies, a count.
    threshold : float
        For most checks the 99 % quantile of the statistic; for exact facts 0.
    evidence : mapping from words to numbers or names
    is_mild : bool
        Whether the finding, if there is one, is less severe than usual and is worded accordingly.
    """

    name: str
    statistic: float
    threshold: float
    evidence: Evidence = field(default_factory=dict)
    is_mild: bool = False

    @property
    def is_found(self) -> bool:
        """Whether the statistic is beyond the threshold."""
        return self.statistic > self.threshold

    @property
    def ratio(self) -> float:
        """The statistic divided by the threshold. Above 1 there is a finding. It is 0 or ∞ if the threshold is 0."""
        if self.threshold <= 0:
            return math.inf if self.is_found else 0.0
        return max(0.0, self.statistic / self.threshold)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run.

    Attributes
    ----------
    name : str
        Such as "labels swapped".
    severity : "error", "warning" or "note"
        An error means that the numbers of the run do not mean what they seem to mean. A warning means that the model
        could be better. A note is worth knowing.
    evidence : mapping from words to numbers or names
    explanation : str
        Three sentences: what was found, what it means, and how it comes about.
    remedy : str
    causes : tuple of str
        Names of other findings that explain this one.
    """

    name: str
    severity: str
    evidence: Evidence
    explanation: str
    remedy: str
    causes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.severity}: {self.name}", filled(self.explanation)]
        if self.evidence:
            lines.append(filled(f"Evidence: {self.numbers}."))
        if self.causes:
            lines.append(filled(f"Probably because of: {', '.join(self.causes)}."))
        return "\n   ".join("\n".join([*lines, filled(f"What to do: {self.remedy}")]).splitlines())

    @property
    def numbers(self) -> str:
        """The evidence as one line of text."""
        return ", ".join(f"{words} {shown(value)}" for words, value in self.evidence.items())


@dataclass(frozen=True)
class Diagnosis:
    """The result of ``diagnose``.

    Attributes
    ----------
    subject : str
        The model and its pairs, in words.
    findings : tuple of Finding
        The most severe first.
    checks : tuple of Check
        Every measurement that was made, including those that found nothing.
    not_checked : mapping from name to reason
        The checks for which this run has no data, each with the reason.
    """

    subject: str
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...] = field(repr=False)
    not_checked: Mapping[str, str] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    @property
    def is_healthy(self) -> bool:
        """True if there is no error and no warning."""
        return all(finding.severity == "note" for finding in self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __getitem__(self, name: str) -> Finding:
        """Return the finding with this name."""
        for finding in self.findings:
            if isinstance(name, str) and finding.name == name:
                return finding
        raise KeyError(f"{quoted(name)}: expected one of {', '.join(self.names) or 'no findings'}")

    def __str__(self) -> str:
        parts = [f"{self.subject}: {self.in_short}"]
        parts += [f"{number}. {finding}" for number, finding in enumerate(self.findings, 1)]
        if passed := [check.name for check in self.checks if not check.is_found]:
            parts.append(filled(f"These checks found nothing: {', '.join(passed)}."))
        parts += [filled(f"Not checked, because {why}: {', '.join(names)}.") for why, names in self._left_out()]
        return "\n\n".join(parts)

    @property
    def in_short(self) -> str:
        """The number of findings and of checks, in words."""
        n = len(self.findings)
        return f"{n or 'no'} finding{'s' * (n != 1)} in {counted(len(self.checks), 'check')}"

    def to_markdown(self) -> str:
        """Return the findings as a list in Markdown, and below it what could not be checked, and why."""
        lines = [f"There {'is' if len(self) == 1 else 'are'} {self.in_short}."]
        lines += [""] if self.findings else []
        for finding in self.findings:
            because = f" Probably because of: {', '.join(finding.causes)}." if finding.causes else ""
            said = f"- **{finding.name}** ({finding.severity}). {in_markdown(finding.explanation)}{because}"
            lines.append(f"{said} *What to do:* {in_markdown(finding.remedy)}")
        if self.not_checked:
            left_out = [f"{', '.join(names)} ({in_markdown(reason)})" for reason, names in self._left_out()]
            lines += ["", f"Not checked: {'; '.join(left_out)}."]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return everything in plain types, ready for JSON."""
        return {
            "subject": self.subject,
            "findings": [
                {
                    "name": finding.name,
                    "severity": finding.severity,
                    "evidence": {words: _plain(value) for words, value in finding.evidence.items()},
                    "explanation": finding.explanation,
                    "remedy": finding.remedy,
                    "causes": list(finding.causes),
                }
                for finding in self.findings
            ],
            "checks": [
                {"name": check.name, "statistic": _plain(check.statistic), "threshold": _plain(check.threshold)}
                for check in self.checks
            ],
            "not_checked": dict(self.not_checked),
        }

    def _left_out(self) -> list[tuple[str, list[str]]]:
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.not_checked.items():
            by_reason.setdefault(reason, []).append(name)
        return list(by_reason.items())


def shown(value: float | int | str) -> str:
    """Return a value of the evidence as text."""
    if isinstance(value, str):
        return visible(value, LONGEST_SHOWN)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}"
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def filled(text: str) -> str:
    """Break a paragraph into lines of at most 100 letters, between words only."""
    return fill(text, 100, break_on_hyphens=False, break_long_words=False)


def _plain(value: float | int | str) -> float | int | str | None:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
