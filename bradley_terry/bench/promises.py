"""What the package promises about its speed, and whether the measurements meet these promises."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["PROMISES", "Measurement", "Promise", "time_in_words"]


@dataclass(frozen=True)
class Measurement:
    """One row of the table: the time of one implementation (``contender``) of a workload, in seconds for one call.

    ``times_ours`` is the cost per pair as a multiple of the first row's. ``disturbed`` says that other programs kept
    the processor busy meanwhile.
    """

    group: str
    size: str
    contender: str
    rounds: int
    median: float
    lower_quartile: float
    upper_quartile: float
    least: float
    n_pairs: int | None
    ns_per_pair: float | None
    times_ours: float
    disturbed: bool
    remark: str


@dataclass(frozen=True)
class Promise:
    """What the package promises about one workload. ``kind`` says what ``factor`` means (see ``words``)."""

    group: str
    size: str
    ours: str
    others: tuple[str, ...]
    factor: float
    kind: str = "faster"  # or "within", "below", "even"

    @property
    def words(self) -> str:
        """Return the promise as a sentence."""
        others, ours = " or ".join(self.others), self.ours + "," * ("," in self.ours)
        claims = {
            "faster": f"{ours} is at least {self.factor:g} × as fast as {others}",
            "within": f"{ours} takes at most {self.factor:g} × the time of {others}",
            "below": f"{ours} takes at most {time_in_words(self.factor)}",
            "even": f"{self.ours} to {others.split(' ')[-1]}: time per pair varies by at most {self.factor:g} ×",
        }
        return f"{self.group}, {self.size}: {claims[self.kind]}"

    def kept(self, rows: Iterable[Measurement]) -> tuple[float | None, bool | None]:
        """Return the factor that was measured (for "below" the seconds), and whether it meets the promise.

        Both are None if something that the promise names was not measured, and the second is None if the rows were
        disturbed.
        """
        here = {row.contender: row for row in rows if (row.group, row.size) == (self.group, self.size)}
        if not {*self.others, self.ours} <= set(here):
            return None, None
        ours, others = here[self.ours].median, [here[name] for name in self.others]
        if self.kind == "faster":
            found = min(row.median for row in others) / ours
        elif self.kind == "even":
            found = max(row.times_ours for row in others) / min(row.times_ours for row in others)
        else:
            found = ours / (others[0].median if others else 1.0)
        met = found >= self.factor if self.kind == "faster" else found <= self.factor
        return found, None if here[self.ours].disturbed else met


def time_in_words(seconds: float) -> str:
    """Write a time with three digits in the unit that suits it."""
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= 0.9995 * s), ("µs", 1e-6))
    value = float(f"{seconds / size:.3g}")
    return f"{value:.{2 - math.floor(math.log10(min(max(value, 1), 100)))}f} {unit}"


_BIG, _FITS = ("n = 1,000,000", "n = 10,000,000"), ("scikit-learn lbfgs", "scikit-learn newton-cholesky")
_GROWTH = {name: tuple(f"ours, n = {10**p:,}" for p in range(5, last + 1)) for name, last in (("16", 7), ("", 8))}
_MLPS = {"64 × 16 → 32": 8, "256 × 32 → 64": 2.5, "2,048 × 128 → 256": 1.4}
_LOSSES = (
    "BradleyTerryLoss", "Scaled", "LabelSmoothing", "Robust", "NoisyChoice", "Temperature", "Exponential",
    "Square", "Focal", "Hinge", "Sigmoid", "Unhinged", "RaoKupper", "Davidson", "Ordinal",
)  # fmt: skip
PROMISES = (
    *(
        Promise("pair-loss", size, "ours", (peer,), factor)
        for size, torch in zip(_BIG, (10, 8), strict=True)
        for peer, factor in {"torch": torch, "torch.compile": 5, "jax": 4, "scikit-learn": 5, "NumPy": 8}.items()
    ),
    *(Promise("pair-loss", size, "ours, out given", ("(copy)",), 5, "within") for size in _BIG),
    *(Promise("pair-loss", size, "ours, float32", ("ours",), 1.6) for size in _BIG),
    Promise("pair-loss", "n = 32", "ours", (), 5e-6, "below"),
    Promise("growth", "kernel", _GROWTH[""][0], _GROWTH[""], 1.5, "even"),
    Promise("growth", "linear, 16 features", _GROWTH["16"][0], _GROWTH["16"], 1.5, "even"),
    Promise("linear", "500,000 × 64", "ours", ("torch",), 5),
    Promise("linear", "500,000 × 64", "ours", ("jax",), 2),
    Promise("linear", "500,000 × 64", "ours", ("(one read)",), 1.4, "within"),
    *(Promise("linear-fit", size, "ours", _FITS, 3) for size in ("20,000 × 32", "500,000 × 64")),
    Promise("table-fit", "1,000,000 pairs, 200 items", "ours", ("evalica",), 5),
    Promise("table-fit", "10,000 pairs, 200 items", "ours", ("choix",), 100),
    *(Promise("mlp", f"{size}, tanh", "ours", ("torch",), factor) for size, factor in _MLPS.items()),
    *(Promise("mlp", f"{size}, relu", "ours", ("torch",), factor) for size, factor in _MLPS.items()),
    Promise("mlp", "2,048 × 128 → 256, tanh", "ours", ("(two products)",), 1.8, "within"),
    Promise("mlp", "2,048 × 128 → 256, relu", "ours", ("(two products)",), 1.4, "within"),
    Promise("rankings", "200,000 × 8 × 16", "ours", ("torch",), 5),
    *(Promise("losses", f"{name}, 200,000 × 16", "ours", ("NumPy",), 1.5, "within") for name in _LOSSES),
    Promise("losses", "Probit, 200,000 × 16", "ours", ("scipy",), 1.5, "within"),
    Promise("cold-start", "import", "ours", ("(import numpy)",), 1.25, "within"),
    Promise("cold-start", "train, warm", "ours", (), 2.0, "below"),
)
