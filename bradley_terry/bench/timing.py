"""Measure workloads fairly: the implementations take turns, and rounds in which other programs were busy do not count.

    same work    The first call of each implementation is not measured, since it may compile. Its answer must agree
                 with ours.
    turns        In each round every implementation has one turn. The order is different in every round, forwards or
                 backwards from another start, so that a slow phase of the machine affects all of them alike. A pause
                 before each turn lets the threads of the previous one fall asleep.
    one turn     First the call runs for 50 ms to warm up, then as many times as fit into 30 ms, at least once. A core
                 that was idle is slow at first, which would hurt programs that mostly compute more than programs that
                 mostly wait for memory.
    settings     torch and scikit-learn get as many threads as ours. jax computes in float64 and takes all cores, since
                 it has no setting for threads. Every library gets the data in the form it prefers before the clock
                 starts.

The table gives the median and the quartiles over the rounds. While other programs keep the cores busy, a program that
shares its work among threads waits for the slowest of them; torch and the BLAS then take up to a hundred times as long.
Such rounds do not count. If too few rounds remain, all of them count and the rows are marked as disturbed. Such
rows say nothing about a promise.
"""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..arrays.visible import quoted
from ..fitting.interrupts import only_whole_fits
from ..logistic import Array
from ..threads import get_threads
from .peers import PEERS, Call
from .promises import Measurement
from .report import Report, describe_machine
from .workloads import GROUPS, Workload

__all__ = ["measure", "run"]


@dataclass(frozen=True)
class Protocol:
    """How long to measure; all times in seconds."""

    rounds: int  # at least this many that count
    seconds: float  # at least this long
    pause: float  # before each turn: idle threads of OpenBLAS spin for 2^26 ticks of a clock of about 2.6 GHz
    warm_up: float
    turn: float


FULL = Protocol(rounds=5, seconds=4.0, pause=0.03, warm_up=0.05, turn=0.03)
SMALL = Protocol(rounds=2, seconds=0.0, pause=0.0, warm_up=0.0, turn=1e-4)
MOST_ROUNDS = 25
MOST_BUSY = 0.25  # cores that other programs may keep busy during a round that counts


@only_whole_fits()
def run(
    only: Sequence[str] | None = None, *, small: bool = False, tell: Callable[[str], object] = lambda _: None
) -> Report:
    """Measure the groups of workloads named in ``only``, or all groups.

    Parameters
    ----------
    only : sequence of str, optional
        Names from ``GROUPS``.
    small : bool
        Use small sizes and few rounds. This takes seconds, and shows that everything works and agrees. It does not
        show how fast it is.
    tell : callable
        Called with the name and size of each workload before it is measured.

    Raises
    ------
    ValueError
        For an unknown group, or if the answer of an implementation differs from ours.
    """
    for name in only or []:
        if name not in GROUPS:
            raise ValueError(f"only: expected one of {', '.join(GROUPS)}, got {quoted(name)}")
    report = Report([name for name in GROUPS if not only or name in only], small)
    for name in report.groups:
        group = GROUPS[name]
        for size in group.small_sizes if small else group.full_sizes:
            for workload in group.workloads(*size):
                tell(f"{name}: {workload.size}")
                measure(workload, report)
    report.machine = describe_machine({row.contender.split()[0] for row in report.rows})
    return report


def measure(workload: Workload, report: Report) -> None:
    """Check that all implementations do the same work, measure them in turn, and add the rows to the report."""
    protocol = SMALL if report.small else FULL
    first_words = {name.split()[0] for name in workload.implementations}
    absent = first_words & {peer for peer in PEERS if not find_spec(PEERS[peer])}
    report.not_installed += sorted(absent - {*report.not_installed, "torch.compile"})
    here = [name for name in workload.implementations if name.split()[0] not in absent]
    with peers_set_up(here, report):
        calls, remarks = _prepare(workload, here, report, protocol.turn)
        times, disturbed = _take_turns(list(calls.values()), protocol)
    first, quartiles = 0.0, np.quantile(times, [0.5, 0.25, 0.75, 0], axis=0).T.tolist()
    for name, (median, lower, upper, least) in zip(calls, quartiles, strict=True):
        n = workload.n_pairs[name] if isinstance(workload.n_pairs, Mapping) else workload.n_pairs
        cost, remark = median / (n or 1), remarks.get(name, "")
        first, ns = first or cost, n and 1e9 * cost
        row = (name, len(times), median, lower, upper, least, n, ns, cost / first, disturbed, remark)
        report.rows.append(Measurement(workload.group, workload.size, *row))


def _prepare(
    workload: Workload, names: Sequence[str], report: Report, turn: float
) -> tuple[dict[str, tuple[Call, int]], Mapping[str, str]]:
    """Return each call with the number of times it fits into a turn, and the remarks of the check of the answers.

    A peer that fails, for example because it finds no compiler, is left out, and the others are still measured.
    """
    calls: dict[str, tuple[Call, int]] = {}
    answers: dict[str, object] = {}
    for name in [name for name in names if name not in report.left_out]:
        try:
            call = workload.implementations[name]()
            answer = call()
            n_calls = _calls_in_a_turn(call, turn)
        except Exception as error:
            if name.split()[0] not in PEERS:
                raise
            report.left_out[name] = _in_one_line(error)
            continue
        calls[name], answers[name] = (call, n_calls), answer
    return calls, workload.check(answers)


def _take_turns(calls: Sequence[tuple[Call, int]], protocol: Protocol) -> tuple[Array, bool]:
    """Return the seconds of each call in each round, (n_rounds, n_calls), and whether other programs disturbed them."""
    times, start, quiet = np.empty((0, len(calls))), time.perf_counter(), []
    while True:
        busy, since = busy_elsewhere(), time.perf_counter()
        times = np.vstack([times, np.empty(len(calls))])
        turns = np.roll(np.arange(len(calls)), len(times))
        for k in turns if len(times) % 2 else turns[::-1]:  # so that no call always follows the same other call
            time.sleep(protocol.pause)
            call, n_calls = calls[k]
            times[-1, k] = _turn(call, n_calls, protocol.warm_up)
        now = time.perf_counter()
        if busy_elsewhere() - busy <= MOST_BUSY * (now - since):
            quiet.append(len(times) - 1)
        if len(quiet) >= protocol.rounds and (now - start >= protocol.seconds or len(times) >= MOST_ROUNDS):
            return times[quiet], False
        if len(times) >= 3 * protocol.rounds and now - start >= 3 * protocol.seconds:
            return times, True


def _calls_in_a_turn(call: Call, seconds: float) -> int:
    """Call repeatedly for as long as a turn takes, and return how often the fastest of these calls fits into it."""
    fastest, end = math.inf, time.perf_counter() + seconds
    while math.isinf(fastest) or time.perf_counter() < end:
        fastest = min(fastest, _turn(call, 1, 0.0))
    return math.ceil(seconds / fastest)


def _turn(call: Call, n_calls: int, warm_up: float) -> float:
    """Return the seconds of one call: the mean of ``n_calls``, after ``warm_up`` seconds of the same call."""
    end = time.perf_counter() + warm_up
    while time.perf_counter() < end:
        call()
    start = time.perf_counter()
    for _ in range(n_calls):
        call()
    return (time.perf_counter() - start) / n_calls


@contextmanager
def peers_set_up(names: Collection[str], report: Report) -> Iterator[None]:
    """Give torch as many threads as we use and let jax use float64; afterwards restore the previous settings.

    Python's garbage collector is switched off meanwhile, so that it does not run during a turn.
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
            except Exception as error:  # noqa: BLE001  # a peer that cannot be imported must not stop the others
                mine = [other for other in names if other.startswith(name)]
                report.left_out |= dict.fromkeys(mine, _in_one_line(error))
        yield


def _set_up_torch() -> Callable[[], object]:
    torch = import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(get_threads())
    return lambda: torch.set_num_threads(before)


def _set_up_jax() -> Callable[[], object]:
    config = import_module("jax").config
    before = config.jax_enable_x64
    config.update("jax_enable_x64", True)
    return lambda: config.update("jax_enable_x64", before)


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def busy_elsewhere() -> float:
    """Return the seconds that the cores have worked for other programs so far, or 0 if the system does not say."""
    if not Path("/proc/stat").exists():
        return 0.0
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text(encoding="ascii").split()[1:9])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])
