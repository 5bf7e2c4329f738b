"""How fast, beside whom, and how near to what the machine allows: ``bradley-terry bench``.

Contenders that do the same work form a contest: ours, those peers that are installed, and in brackets the limits, which
are not rivals but the least that any program must do: copy the bytes, read the data once, the matrix products alone.

    same work   the first call of each is not timed: it compiles, and its answer must agree with ours
    same hour   everyone has one turn in each round, there and back and from another start each time, so that whatever
                else the machine does meets all alike; a pause before each turn lets the last one's threads fall asleep
    same means  torch and scikit-learn get as many threads as ours; jax computes in float64 here and takes all cores,
                since it cannot be told; everyone holds the data as it likes them best before the clock starts
    one turn    as many calls as take 30 ms, at least one, after 50 ms of the same to warm up again: a core that has
                rested is slow at first, and whoever computes would pay for that more than whoever waits for memory

Reported are median and quartiles over the rounds. What the package promises is ``PROMISES``, beside what was found.
Where other programs keep the cores busy, whoever shares work among threads waits for the slowest of them: torch and the
BLAS above all, up to a hundred times as long. Rounds in which that happened do not count; where too few are left, all
do, and the rows say so, from which no promise can be judged.
"""

from __future__ import annotations

import gc
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__, kernels
from .contests import GROUPS, PEERS, Call, Contest

__all__ = ["PROMISES", "Measurement", "Promise", "Report", "draw", "measure", "run"]

PAUSE, WARM, TURN = (
    0.03,
    0.05,
    0.03,
)  # seconds: idle threads spin, those of OpenBLAS for 2^26 ticks of a clock of about 2.6 GHz
MOST_ROUNDS = 25
PEACE = 0.25  # cores that other programs may keep busy during a round that counts


@dataclass(frozen=True)
class Measurement:
    """A row of the table: seconds for one call, and ``times_ours``, the cost per pair as a multiple of the first's."""

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
    """What we say of ourselves at one size: ``kind`` says what ``factor`` means, see ``words``."""

    group: str
    size: str
    ours: str
    others: tuple[str, ...]
    factor: float
    kind: str = "faster"  # or "within", "below", "even"

    @property
    def words(self) -> str:
        """Return the promise as a sentence."""
        others = " or ".join(self.others)
        claims = {
            "faster": f"at least {self.factor:g} × as fast as {others}",
            "within": f"at most {self.factor:g} × {others}",
            "below": f"at most {_time(self.factor)}",
            "even": f"to {others.split(' ')[-1]}, cost per pair within {self.factor:g} ×",
        }
        return f"{self.group}, {self.size}: {self.ours} {claims[self.kind]}"

    def kept(self, rows: Iterable[Measurement]) -> tuple[float | None, bool | None]:
        """Return the factor found (for "below" the seconds), if all it names was measured, and whether that will do.

        The latter is open (None) if the rows were disturbed.
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


_BIG, _FITS = ("n = 1,000,000", "n = 10,000,000"), ("scikit-learn lbfgs", "scikit-learn newton-cholesky")
_GROWTH = {name: tuple(f"ours, n = {10**p:,}" for p in range(5, last + 1)) for name, last in (("16", 7), ("", 8))}
_MLPS = {"64 × 16 → 32": 8, "256 × 32 → 64": 2.5, "2,048 × 128 → 256": 1.4}
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
    Promise("table-fit", "1,000,000 of 200", "ours", ("evalica",), 5),
    Promise("table-fit", "10,000 of 200", "ours", ("choix",), 100),
    *(Promise("mlp", f"{size}, tanh", "ours", ("torch",), factor) for size, factor in _MLPS.items()),
    *(Promise("mlp", f"{size}, relu", "ours", ("torch",), factor) for size, factor in _MLPS.items()),
    Promise("mlp", "2,048 × 128 → 256, tanh", "ours", ("(two products)",), 1.8, "within"),
    Promise("mlp", "2,048 × 128 → 256, relu", "ours", ("(two products)",), 1.4, "within"),
    Promise("cold-start", "import", "ours", ("(import numpy)",), 1.25, "within"),
    Promise("cold-start", "train, warm", "ours", (), 2.0, "below"),
)

LEGEND = (
    "× ours: the time of a call as a multiple of ours (in growth, of a pair as a multiple of the first row's);",
    "above 1 is slower. In brackets: limits, the least that any program must do, with as many threads as ours; (two",
    "products) are the matrix products of an MLP's step. out given: gradients go into an array that is there already.",
    "gradient: its largest entry where the fit stopped. differs: largest difference of the estimates from ours.",
)

CAPTION = (
    "Mean loss and gradient of n pairs: median time of a call against n, ours (green) beside its peers (grey) and a "
    "copy of the same bytes (dotted). A small call costs what it costs to begin; from some thousands of pairs on, time "
    "grows with n."
)


@dataclass
class Report:
    """All that one run found; ``str`` of it is the table."""

    groups: list[str]
    small: bool
    machine: dict[str, str] = field(default_factory=dict)
    rows: list[Measurement] = field(default_factory=list)
    not_installed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)  # contender → why

    def to_dict(self) -> dict[str, Any]:
        """Return everything in plain types, with the promises about these groups; small sizes can keep none."""
        mine = [] if self.small else [promise for promise in PROMISES if promise.group in self.groups]
        kept = [(promise, *promise.kept(self.rows)) for promise in mine]
        promises = [{"promise": p.words, **asdict(p), "measured": found, "met": met} for p, found, met in kept]
        return {**asdict(self), "promises": promises}

    def __str__(self) -> str:
        lines = [f"{name:<8} {value}" for name, value in self.machine.items()]
        group = size = None
        for row in self.rows:
            if row.group != group:
                group, size = row.group, None
                lines += ["", f"{group:<49} {'median':>9} {'quartiles':>19} {'ns/pair':>8} {'× ours':>8}"]
            quartiles = f"{_time(row.lower_quartile)} – {_time(row.upper_quartile)}"
            cost = "" if row.ns_per_pair is None else f"{row.ns_per_pair:.2f}"
            lines.append(
                f"{'' if row.size == size else row.size:<24} {row.contender:<28} {_time(row.median):>9} "
                f"{quartiles:>19} {cost:>8} {row.times_ours:>8.2f}  {'disturbed ' * row.disturbed}{row.remark}".rstrip()
            )
            size = row.size
        lines += ["", *LEGEND, ""]
        lines += [f"not installed: {', '.join(self.not_installed)}"] if self.not_installed else []
        lines += [f"left out: {name}, {why}" for name, why in self.left_out.items()]
        promises = self.to_dict()["promises"]
        lines += ["What the package promises, and what was found:"] if promises else []
        for p in promises:
            found = p["measured"]
            said = "" if found is None else _time(found) if p["kind"] == "below" else f"{found:.2f} ×"
            verdict = {True: "met", False: "NOT MET", None: "disturbed" if said else "not measured"}[p["met"]]
            lines.append(f"{p['promise']:<104} {said:>9}  {verdict}")
        if any(row.disturbed for row in self.rows):
            lines.append("disturbed: other programs kept the cores busy, so there is no verdict; close them and repeat")
        return "\n".join(lines).rstrip()


def run(
    only: Sequence[str] | None = None, *, small: bool = False, tell: Callable[[str], object] = lambda _: None
) -> Report:
    """Measure the groups of contests named in ``only``, or all; ``tell`` gets a word on each as it begins.

    ``small`` is for small sizes and few rounds: it shows within seconds that all works and agrees, not how fast it is.

    Raises
    ------
    ValueError
        For an unknown group, or where a contender's answer differs from ours: then it is not the same work.
    """
    for name in only or []:
        if name not in GROUPS:
            raise ValueError(f"--only: expected one of {', '.join(GROUPS)}, got {name!r}")
    report = Report([name for name in GROUPS if not only or name in only], small)
    for name in report.groups:
        contests, full_sizes, small_sizes = GROUPS[name]
        for size in small_sizes if small else full_sizes:
            for contest in contests(*size):
                tell(f"{name}: {contest.size}")
                measure(contest, report)
    report.machine = _machine({row.contender.split()[0] for row in report.rows})
    return report


def measure(contest: Contest, report: Report) -> None:
    """Let everyone show that it does the same work, then measure in turns; the rows go into the report."""
    rounds, seconds = (2, 0.0) if report.small else (5, 4.0)  # at least
    pause, warm, turn = (0.0, 0.0, 1e-4) if report.small else (PAUSE, WARM, TURN)
    calls: dict[str, Call] = {}
    answers: dict[str, object] = {}
    n_calls: dict[str, int] = {}
    absent = {name.split()[0] for name in contest.contenders} & {peer for peer in PEERS if not find_spec(PEERS[peer])}
    report.not_installed += sorted(absent - {*report.not_installed, "torch.compile"})
    here = [name for name in contest.contenders if name.split()[0] not in absent]
    with _set_up(here, report):
        for name in [name for name in here if name not in report.left_out]:
            try:
                call = contest.contenders[name]()
                answer = call()
                n_calls[name] = _calls_in_a_turn(call, turn)
            except Exception as error:
                if name.split()[0] not in PEERS:
                    raise
                # whatever ails a peer (no compiler, another version), the others can be measured
                report.left_out[name] = _in_one_line(error)
                continue
            calls[name], answers[name] = call, answer
        remarks = contest.judge(answers)
        answers.clear()
        order, times, start = list(calls), np.empty((0, len(calls))), time.perf_counter()
        quiet: list[int] = []
        while True:
            before, since = _busy_elsewhere(), time.perf_counter()
            times = np.vstack([times, np.empty(len(order))])
            turns = np.roll(np.arange(len(order)), len(times))
            for k in turns if len(times) % 2 else turns[::-1]:  # so that nobody always follows the same rival
                time.sleep(pause)
                times[-1, k] = _turn(calls[order[k]], n_calls[order[k]], warm)
            now = time.perf_counter()
            quiet += [len(times) - 1] if _busy_elsewhere() - before <= PEACE * (now - since) else []
            if len(quiet) >= rounds and (now - start >= seconds or len(times) >= MOST_ROUNDS):
                break
            if len(times) >= 3 * rounds and now - start >= 3 * seconds:
                break
    disturbed = len(quiet) < rounds
    times = times if disturbed else times[quiet]
    first, quartiles = 0.0, np.quantile(times, [0.5, 0.25, 0.75, 0], axis=0).T.tolist()
    for name, (median, lower, upper, least) in zip(order, quartiles, strict=True):
        n = contest.n_pairs[name] if isinstance(contest.n_pairs, Mapping) else contest.n_pairs
        cost, remark = median / (n or 1), remarks.get(name, "")
        first, ns = first or cost, n and 1e9 * cost
        row = (name, len(times), median, lower, upper, least, n, ns, cost / first, disturbed, remark)
        report.rows.append(Measurement(contest.group, contest.size, *row))


def _calls_in_a_turn(call: Call, seconds: float) -> int:
    """Call again and again for as long as a turn takes, and count how often the fastest of these fits into it."""
    fastest, end = math.inf, time.perf_counter() + seconds
    while math.isinf(fastest) or time.perf_counter() < end:
        fastest = min(fastest, _turn(call, 1, 0.0))
    return math.ceil(seconds / fastest)


def _turn(call: Call, n_calls: int, warm: float) -> float:
    """Return the seconds of one call, the mean of so many after ``warm`` seconds of the same."""
    end = time.perf_counter() + warm
    while time.perf_counter() < end:
        call()
    start = time.perf_counter()
    for _ in range(n_calls):
        call()
    return (time.perf_counter() - start) / n_calls


@contextmanager
def _set_up(names: Sequence[str], report: Report) -> Iterator[None]:
    """Give torch as many threads as ours and jax float64, if they are among these, and afterwards what they had.

    Python's garbage collector waits meanwhile, so that it does not run in somebody's turn.
    """
    with ExitStack() as afterwards:
        gc.collect()
        if gc.isenabled():
            afterwards.callback(gc.enable)
            gc.disable()
        for name, set_up in {"torch": _set_up_torch, "jax": _set_up_jax}.items():
            try:
                if name in names:
                    afterwards.callback(set_up())
            except Exception as error:  # noqa: BLE001  # whatever ails a peer, the others can be measured
                mine = [other for other in names if other.startswith(name)]
                report.left_out |= dict.fromkeys(mine, _in_one_line(error))
        yield


def _set_up_torch() -> Callable[[], object]:
    torch = import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(kernels.get_threads())
    return lambda: torch.set_num_threads(before)


def _set_up_jax() -> Callable[[], object]:
    config = import_module("jax").config
    before = config.jax_enable_x64
    config.update("jax_enable_x64", True)
    return lambda: config.update("jax_enable_x64", before)


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def draw(report: Report, path: Path) -> list[Path]:
    """Write the figure, time against n for the pair loss, as SVG and PNG, and return what was written."""
    from .plots import figure_of, plot_times, save_figure  # noqa: PLC0415  # matplotlib, only where asked for

    lines: dict[str, tuple[list[int], list[float]]] = {}
    for row in report.rows:
        if row.group == "pair-loss" and not row.contender.startswith("ours,"):
            sizes, seconds = lines.setdefault(row.contender.strip("()"), ([], []))
            sizes.append(row.n_pairs or 0)
            seconds.append(row.median)
    base = path.with_suffix("") if path.suffix in (".svg", ".png") else path
    return save_figure(figure_of(plot_times(lines, ours="ours", limits=["copy"])), base, title=CAPTION)


def _machine(names: set[str]) -> dict[str, str]:
    """Say on what, with what and on how many threads this was measured."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    versions = {d.name.lower(): d.version for d in metadata.distributions() if d.name}
    beside = ["numpy", "numba", *sorted(names & set(PEERS) - {"torch.compile"})]
    return {
        "machine": f"{model or platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "threads": str(kernels.get_threads()),
        "ours": f"bradley_terry {__version__}, Python {platform.python_version()}",
        "beside": ", ".join(f"{name} {versions.get(name, '')}".rstrip() for name in beside),
    }


def _busy_elsewhere() -> float:
    """Return the seconds that the cores have worked for other programs so far, 0 where the system does not say."""
    if not Path("/proc/stat").exists():
        return 0.0
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text(encoding="ascii").split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def _time(seconds: float) -> str:
    """Write a time with three digits in the unit that suits it."""
    unit, size = next(((u, s) for u, s in (("s", 1.0), ("ms", 1e-3)) if seconds >= 0.9995 * s), ("µs", 1e-6))
    value = float(f"{seconds / size:.3g}")
    return f"{value:.{2 - math.floor(math.log10(min(max(value, 1), 100)))}f} {unit}"
