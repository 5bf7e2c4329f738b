"""The benchmark: all implementations do the same work, and its report says what was measured. No test judges a time."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from bradley_terry.cli import main
from matplotlib.text import Text

import bradley_terry as bt
from bradley_terry import bench
from bradley_terry.bench import GROUPS, PROMISES, Measurement, Promise, Report, Workload, limits, timing, workloads
from bradley_terry.bench.agreement import same_estimates, same_loss, same_minimum
from bradley_terry.bench.limits import one_read
from bradley_terry.bench.peers import PEERS
from bradley_terry.bench.promises import time_in_words
from bradley_terry.threads import get_threads, set_threads

GROUP_OF_PEER = {
    "torch": "pair-loss", "jax": "pair-loss", "scikit-learn": "pair-loss", "scipy": "pair-loss",
    "autograd": "pair-loss", "scikit-learn lbfgs": "linear-fit", "evalica": "table-fit", "choix": "table-fit",
}  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Run all groups small, once, through the command line; return the JSON and the folder of the figure."""
    folder, said = tmp_path_factory.mktemp("figure"), io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["bench", "--small", "--json", "--figure", str(folder / "benchmark.svg")]) == 0
    return json.loads(said.getvalue()), folder


def row(contender: str, median: float, **others: object) -> Measurement:
    """Return a row of a group "g" at size "s" with n = 1000."""
    values = {
        "group": "g", "size": "s", "contender": contender, "rounds": 5, "median": median, "lower_quartile": median,
        "upper_quartile": median, "least": median, "n_pairs": 1000, "ns_per_pair": 1e6 * median, "times_ours": median,
        "disturbed": False, "remark": "",
    }  # fmt: skip
    return Measurement(**{**values, **others})


def workload(check=same_loss, **answers: object) -> Workload:
    """Return a workload whose implementations give these answers at once, or raise them if they are exceptions."""

    def prepare(answer):
        def call():
            if isinstance(answer, Exception):
                raise answer
            return answer

        return lambda: call

    names = {name.replace("_", " "): prepare(answer) for name, answer in answers.items()}
    return Workload("g", "s", 10, names, check)


# ---------------------------------------------------------------------------------------------------- known value


def test_factors_of_promises_are_those_of_the_medians() -> None:
    """Ours takes 2 s, two peers 10 and 6 s, a limit 1 s: ours is 3 times as fast as the faster peer, and so on."""
    rows = [row("ours", 2.0), row("torch", 10.0), row("jax", 6.0), row("(copy)", 1.0)]
    assert Promise("g", "s", "ours", ("torch",), 5).kept(rows) == (5.0, True)
    assert Promise("g", "s", "ours", ("torch", "jax"), 4).kept(rows) == (3.0, False)
    assert Promise("g", "s", "ours", ("(copy)",), 2, "within").kept(rows) == (2.0, True)
    assert Promise("g", "s", "ours", ("(copy)",), 1.9, "within").kept(rows) == (2.0, False)
    assert Promise("g", "s", "ours", (), 3, "below").kept(rows) == (2.0, True)
    assert Promise("g", "s", "ours", (), 1, "below").kept(rows) == (2.0, False)


def test_growth_is_the_largest_cost_over_the_smallest() -> None:
    """Costs per pair of 1, 1.6 and 0.8 times the first differ by a factor of 2."""
    rows = [row("n = 1", 1.0), row("n = 2", 9.0, times_ours=1.6), row("n = 3", 9.0, times_ours=0.8)]
    promise = Promise("g", "s", "n = 1", ("n = 1", "n = 2", "n = 3"), 1.5, "even")
    assert promise.kept(rows) == (2.0, False)
    assert promise.words == "g, s: n = 1 to 3: time per pair varies by at most 1.5 ×"


@pytest.mark.parametrize("missing", ["ours", "torch"])
def test_promise_is_open_if_an_implementation_was_not_measured(missing) -> None:
    """Rows of another group or another size do not decide it: it is neither met nor broken."""
    rows = [row(name, 1.0) for name in ("ours", "torch") if name != missing]
    rows += [row(missing, 1.0, size="t"), row(missing, 1.0, group="h")]
    assert Promise("g", "s", "ours", ("torch",), 5).kept(rows) == (None, None)


@pytest.mark.full
def test_rounds_in_which_others_were_busy_do_not_count(monkeypatch) -> None:
    """Of five rounds the two quiet ones count. If none is quiet, all six count, and no promise is judged by them."""
    clock = iter(np.cumsum([0, 9, 0, 0, 0, 9, 0, 9, 0, 0]))  # seconds of other programs, before and after each round
    monkeypatch.setattr(timing, "busy_elsewhere", lambda: float(next(clock)))
    report = Report(["g"], small=True)
    bench.measure(workload(ours=(1.0, 2.0)), report)
    assert (report.rows[0].rounds, report.rows[0].disturbed) == (2, False)
    clock = iter(range(12))
    bench.measure(workload(ours=(1.0, 2.0)), report)
    assert (report.rows[1].rounds, report.rows[1].disturbed) == (6, True)
    assert "disturbed" in str(report)
    found, met = Promise("g", "s", "ours", (), 9, "below").kept(report.rows)
    assert found is not None
    assert met is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2.0, "2.00 s"), (0.99951, "1.00 s"), (0.012345, "12.3 ms"), (0.9994, "999 ms"), (4.56e-6, "4.56 µs"),
        (9.996e-6, "10.0 µs"), (123.4, "123 s"), (2e-8, "0.02 µs"),
    ],
)  # fmt: skip
def test_times_have_three_digits(seconds, words) -> None:
    """In the unit that suits them; below a microsecond there are two decimals."""
    assert time_in_words(seconds) == words


@pytest.mark.full
def test_one_read_is_a_sum_with_vector_instructions(rng) -> None:
    """Compiled and in plain Python, over a part of the array; the order of additions is free, which costs some ulp."""
    values = rng.normal(size=1001)
    for read in (one_read, one_read.py_func):
        assert read(values, 3, 998) == pytest.approx(values[3:998].sum(), rel=1e-12)
    code = "".join(one_read.inspect_asm().values())
    assert re.search(r"addpd|fadd\S*\s+v\d+\.2d|fadd\.2d", code), "a limit must use vector instructions"


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_shared_work_covers_every_row_once(threads) -> None:
    """On any number of threads; a small range goes to one thread."""
    before = get_threads()
    set_threads(threads)
    try:
        for n, parts in ((100_003, threads), (1000, 1)):
            ranges = []
            limits.shared(lambda first, last, to=ranges: to.append((first, last)), n)()
            assert sorted(i for first, last in ranges for i in (first, last))[:: 2 * parts - 1] == [0, n]
            assert sum(last - first for first, last in ranges) == n
            assert len(ranges) == parts
    finally:
        set_threads(before)


# ------------------------------------------------------------------------------------------------------- identity


def test_same_answers_agree_in_arrays_of_any_kind() -> None:
    """A gradient may be one array, several arrays, or float32; a limit has no answer."""
    gradient = np.array([1.0, -2.0, 3.0])
    answers = {
        "ours": (0.5, gradient),
        "torch": (0.5 + 4e-7, [gradient[:1], gradient[1:].reshape(2, 1)]),
        "jax": (np.float32(0.5), gradient.astype(np.float32)),
        "(copy)": None,
    }
    assert same_loss(answers) == {}


@pytest.mark.parametrize(
    ("other", "named"),
    [((0.5001, [1.0, 2.0]), "its loss is 0.5001"), ((np.nan, [1.0, 2.0]), "nan"), ((0.5, [1.0, 2.001]), "gradient")],
)
@pytest.mark.full
def test_a_different_answer_is_refused(other, named) -> None:
    """One sentence says whose answer differs and in what, and nothing is measured."""
    report = Report(["g"], small=True)
    with pytest.raises(ValueError, match=f"^NumPy does not do the same work: .*{named}"):
        bench.measure(workload(ours=(0.5, [1.0, 2.0]), NumPy=other), report)
    assert report.rows == []


def test_estimates_must_agree_up_to_a_constant() -> None:
    """Rewards are compared after their mean is subtracted, to 1e-6."""
    rewards = np.array([0.3, -0.1, -0.2])
    assert same_estimates({"ours": rewards, "choix": rewards + 5 + np.array([4e-7, 0, 0])}) == {
        "choix": "differs by 3e-07"
    }
    with pytest.raises(ValueError, match=r"^choix .* its estimates differ from ours by 1\.3e-06"):
        same_estimates({"ours": rewards, "choix": rewards + np.array([2e-6, 0, 0])})


def test_a_fit_says_which_gradient_it_reached(random_pairs) -> None:
    """A fit that stopped before 1e-8 is marked, although its loss is the same to many digits."""
    scorer = bt.LinearScorer(2)
    pairs = random_pairs(scorer, 60, extras=())
    phi = bt.fit(scorer, pairs).phi
    remarks = same_minimum(bt.Objective(scorer, pairs), {"ours": phi, "scikit-learn": phi + 1e-5})
    assert re.fullmatch(r"gradient \de-1\d", remarks["ours"])
    assert re.fullmatch(r"gradient \de-0[56], stopped too early", remarks["scikit-learn"])


def test_every_promise_is_about_something_that_a_full_run_measures() -> None:
    """The workloads have the groups, sizes and names that the promises use (checked where making them is cheap)."""
    names = {}
    for group in ("pair-loss", "table-fit", "mlp", "cold-start"):
        for size in GROUPS[group].full_sizes:
            names |= {(group, made.size): set(made.implementations) for made in GROUPS[group].workloads(*size)}
    for promise in PROMISES:
        assert promise.group in GROUPS
        if promise.group in {group for group, _ in names}:
            assert {promise.ours, *promise.others} <= names[promise.group, promise.size], promise.words


# -------------------------------------------------------------------------------------------------------- manners


def test_names_of_bench_can_be_imported_and_are_listed() -> None:
    """All public names of the folder, and the older name of a workload."""
    for name in bench.__all__:
        assert getattr(bench, name).__doc__
        assert name in dir(bench)
    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        _ = bench.rnu
    assert workloads.Contest is Workload


@pytest.mark.full
def test_figure_needs_no_numba(run_python) -> None:
    """Where Numba is missing, the plot can still be drawn, since only the measurements need compiled code."""
    script = (
        "import sys\n"
        "sys.modules['numba'] = None\n"
        "from bradley_terry.bench import plot_times\n"
        "print(len(plot_times({'ours': ([10, 20], [1.0, 2.0])}, ours='ours').lines))\n"
    )
    assert run_python(script) == "1"


def test_table_explains_its_marks() -> None:
    """Brackets, remarks and "disturbed" are explained below the table; the last only if a row is disturbed."""
    rows = [row("ours", 1.0), row("(copy)", 0.5)]
    table = str(Report(["g"], small=True, rows=rows))
    for mark in ("× ours", "(copy)", "(one read)", "(two products)", "out given", "gradient", "differs by"):
        assert mark in table
    assert "disturbed" not in table
    assert '"disturbed" means' in str(Report(["g"], small=True, rows=[*rows, row("jax", 2.0, disturbed=True)]))


@pytest.mark.full
def test_small_run_measures_every_group_and_every_installed_peer(small) -> None:
    """Every time is a positive number, the quartiles are in order, and nothing is left out."""
    found, _ = small
    assert found["groups"] == list(GROUPS)
    assert {row["group"] for row in found["rows"]} == set(GROUPS)
    assert found["left_out"] == {}
    assert found["promises"] == []  # none of them is about small sizes
    for row in found["rows"]:
        assert 0 < row["least"] <= row["lower_quartile"] <= row["median"] <= row["upper_quartile"]
        assert row["times_ours"] > 0
        assert row["rounds"] >= 2
        if row["n_pairs"]:
            assert row["ns_per_pair"] == pytest.approx(1e9 * row["median"] / row["n_pairs"])
        if row["contender"] == "ours":
            assert row["times_ours"] == 1.0
    there = {(row["group"], row["contender"]) for row in found["rows"]}
    for peer, group in GROUP_OF_PEER.items():
        installed = find_spec(PEERS[peer.split()[0]]) is not None
        assert ((group, peer) in there) == installed
        assert (peer.split()[0] in found["not_installed"]) == (not installed)


@pytest.mark.full
def test_small_run_draws_its_figure(small) -> None:
    """SVG and PNG, in the folder that was asked for."""
    _, folder = small
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark.png", "benchmark.svg"]


@pytest.mark.full
def test_figure_has_the_same_bytes_for_the_same_numbers(tmp_path) -> None:
    """Drawn twice from the same report. Rows of other groups, and other variants of ours, do not matter."""
    costs = {"ours": 2e-9, "ours, out given": 1e-9, "NumPy": 4e-8, "torch": 4.1e-8, "(copy)": 1e-9}
    rows = [
        row(name, cost * n, group="pair-loss", n_pairs=n) for n in (32, 1000, 10**6) for name, cost in costs.items()
    ]
    report = Report(["pair-loss"], small=False, rows=[*rows, row("choix", 1.0)])
    one, two = bench.draw(report, tmp_path / "one.svg"), bench.draw(report, tmp_path / "two")
    assert [path.name for path in one + two] == ["one.svg", "one.png", "two.svg", "two.png"]
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.full
def test_plot_of_times_shows_each_line_and_name_apart() -> None:
    """The data are drawn on two log axes, and the names at the ends do not overlap even if lines end together."""
    from bradley_terry import plots

    times = {
        name: ([10, 1000], [1e-6, end]) for name, end in {"a": 1e-3, "b": 1e-3, "ours": 1e-4, "c": 1.01e-3}.items()
    }
    ax = bench.plot_times({**times, "limit": ([10, 1000], [1e-7, 1e-5])}, ours="ours", limits=["limit"])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    np.testing.assert_array_equal(ax.lines[2].get_xydata(), [[10, 1e-6], [1000, 1e-4]])
    assert ax.lines[2].get_color() == plots.EMPIRICAL
    assert ax.lines[4].get_linestyle() == ":"
    figure = plots.figure_of(ax)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the leader lines
    assert [text.get_text() for text in ax.texts] == ["limit", "ours", "a", "b", "c"]
    assert all(upper.y0 > lower.y1 for lower, upper in pairwise(boxes))


@pytest.mark.full
def test_absent_peers_are_named_in_one_line(monkeypatch, capsys) -> None:
    """What is not installed is not measured, and the table says so; ours is measured."""
    monkeypatch.setattr(timing, "find_spec", lambda name: None)
    assert main(["bench", "--small", "--only", "pair-loss", "mlp"]) == 0
    said = capsys.readouterr().out
    assert "not installed: autograd, jax, scikit-learn, scipy, torch\n" in said
    assert "ours" in said
    assert "(two products)" in said
    assert "pair-loss, n" not in said  # no promise is about small sizes


def test_a_peer_that_fails_is_left_out_with_its_reason() -> None:
    """The other peers are measured. An error in our own code is raised."""
    report = Report(["g"], small=True)
    failing = RuntimeError("no compiler\nand much more")
    bench.measure(workload(ours=(1.0, 2.0), scipy=failing, autograd=(1.0, 2.0)), report)
    assert [row.contender for row in report.rows] == ["ours", "autograd"] if find_spec("autograd") else ["ours"]
    assert report.left_out == {"scipy": "RuntimeError: no compiler"}
    assert "left out: scipy, RuntimeError: no compiler\n" in f"{report}\n"
    with pytest.raises(RuntimeError, match="no compiler"):
        bench.measure(workload(ours=failing), report)


def test_table_shows_times_promises_and_remarks() -> None:
    """Each row has its units, and each promise about these groups has the number that was measured."""
    rows = [
        row("ours", 4e-6, group="pair-loss", size="n = 32", remark="well"),
        row("ours", 0.4, group="cold-start", size="import", n_pairs=None, ns_per_pair=None),
        row("(import numpy)", 0.2, group="cold-start", size="import", n_pairs=None, ns_per_pair=None),
    ]
    report = Report(["pair-loss", "cold-start"], small=False, rows=rows)
    table = re.sub(" +", " ", str(report))
    assert "n = 32 ours 4.00 µs 4.00 µs – 4.00 µs 4.00 0.00 well\n" in table
    assert "pair-loss, n = 32: ours takes at most 5.00 µs 4.00 µs met\n" in table
    assert "cold-start, import: ours takes at most 1.25 × the time of (import numpy) 2.00 × NOT MET\n" in table
    assert "pair-loss, n = 1,000,000: ours is at least 10 × as fast as torch not measured\n" in table
    assert "linear" not in table
    kept = {p["promise"]: (p["measured"], p["met"]) for p in report.to_dict()["promises"]}
    assert kept["cold-start, import: ours takes at most 1.25 × the time of (import numpy)"] == (2.0, False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--only", "pair-los"], "--only: expected one of pair-loss, growth"),
        (["--only", "mlp", "--figure", "f.svg"], "--figure: expected pair-loss among the groups"),
        (["--figure", "nowhere/f.svg"], "--figure: expected a folder that exists"),
    ],
)
def test_bench_refuses_bad_arguments_in_one_sentence(arguments, named, capsys, tmp_path, monkeypatch) -> None:
    """The exit status is 2 and the message one line, before anything is measured."""
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"bradley-terry: {named}")
    assert (said.err.count("\n"), said.out) == (1, "")


def test_bench_has_help_with_an_example(capsys) -> None:
    """--help shows an example and the name of every group."""
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "example: bradley-terry bench" in said
    assert all(name in said for name in GROUPS)


def test_growth_stops_at_half_of_the_memory(monkeypatch) -> None:
    """A machine with 1 MB compares 10^2 to 10^4 pairs, not 10^5."""
    monkeypatch.setattr(limits, "memory", lambda: 1e6)
    (made,) = GROUPS["growth"].workloads(0, 2, 6)
    assert list(made.implementations) == ["ours, n = 100", "ours, n = 1,000", "ours, n = 10,000"]


@pytest.mark.full
def test_settings_of_peers_are_put_back() -> None:
    """The threads of torch, the precision of jax and Python's garbage collector are as before, even after an error."""
    import gc

    peers = [peer for peer in ("torch", "jax") if find_spec(peer)]
    if "torch" in peers:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(before + 1)
    with contextlib.suppress(RuntimeError), timing.peers_set_up(peers, Report([], small=True)):
        assert not gc.isenabled()
        if "torch" in peers:
            assert torch.get_num_threads() == get_threads()
        if "jax" in peers:
            import jax

            assert jax.config.jax_enable_x64
        raise RuntimeError
    assert gc.isenabled()
    if "torch" in peers:
        assert torch.get_num_threads() == before + 1
        torch.set_num_threads(before)
    if "jax" in peers:
        assert not jax.config.jax_enable_x64


@pytest.mark.full
def test_a_peer_that_cannot_be_imported_is_left_out(tmp_path, monkeypatch, capsys):
    """A broken library becomes one line of the report, and the others are measured."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch.so: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    report = bench.run(["mlp"], small=True)
    assert report.left_out["torch"] == "OSError: libtorch.so: cannot open"
    assert {row.contender for row in report.rows} >= {"ours", "(two products)"}
    assert "left out: torch, OSError" in str(report)
