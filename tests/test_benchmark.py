"""The benchmark: everyone does the same work, and the arithmetic of its words is right. No time is ever judged here."""

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
from matplotlib.text import Text

import bradley_terry as bt
from bradley_terry import benchmark, contests, kernels
from bradley_terry.benchmark import PROMISES, Measurement, Promise, Report
from bradley_terry.cli import main
from bradley_terry.contests import GROUPS, Contest

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


def contest(judge=contests._same_loss, **answers: object) -> Contest:
    """Return a contest in which everyone answers at once; an exception is raised."""

    def prepare(answer):
        def call():
            if isinstance(answer, Exception):
                raise answer
            return answer

        return lambda: call

    names = {name.replace("_", " "): prepare(answer) for name, answer in answers.items()}
    return Contest("g", "s", 10, names, judge)


# ---------------------------------------------------------------------------------------------------- known value


def test_factors_of_promises_are_those_of_the_medians() -> None:
    """Ours takes 2 s, a peer 10, another 6, a limit 1: 3 times the faster peer, within 2 times the limit, below 3 s."""
    rows = [row("ours", 2.0), row("torch", 10.0), row("jax", 6.0), row("(copy)", 1.0)]
    assert Promise("g", "s", "ours", ("torch",), 5).kept(rows) == (5.0, True)
    assert Promise("g", "s", "ours", ("torch", "jax"), 4).kept(rows) == (3.0, False)
    assert Promise("g", "s", "ours", ("(copy)",), 2, "within").kept(rows) == (2.0, True)
    assert Promise("g", "s", "ours", ("(copy)",), 1.9, "within").kept(rows) == (2.0, False)
    assert Promise("g", "s", "ours", (), 3, "below").kept(rows) == (2.0, True)
    assert Promise("g", "s", "ours", (), 1, "below").kept(rows) == (2.0, False)


def test_growth_is_the_largest_cost_over_the_smallest() -> None:
    """Costs per pair of 1, 1.6 and .8 times the first differ by a factor of 2, wherever the extremes lie."""
    rows = [row("n = 1", 1.0), row("n = 2", 9.0, times_ours=1.6), row("n = 3", 9.0, times_ours=0.8)]
    promise = Promise("g", "s", "n = 1", ("n = 1", "n = 2", "n = 3"), 1.5, "even")
    assert promise.kept(rows) == (2.0, False)
    assert promise.words == "g, s: n = 1 to 3, cost per pair within 1.5 ×"


@pytest.mark.parametrize("missing", ["ours", "torch"])
def test_promise_is_open_where_somebody_was_not_measured(missing) -> None:
    """Neither met nor broken: another group, another size, or a contender who is not here."""
    rows = [row(name, 1.0) for name in ("ours", "torch") if name != missing]
    rows += [row(missing, 1.0, size="t"), row(missing, 1.0, group="h")]
    assert Promise("g", "s", "ours", ("torch",), 5).kept(rows) == (None, None)


def test_rounds_in_which_others_were_busy_do_not_count(monkeypatch) -> None:
    """Of five rounds the two in peace count; where none is, all six do, the row says so and no promise is judged."""
    clock = iter(np.cumsum([0, 9, 0, 0, 0, 9, 0, 9, 0, 0]))  # seconds of others, before and after each round
    monkeypatch.setattr(benchmark, "_busy_elsewhere", lambda: float(next(clock)))
    report = Report(["g"], small=True)
    benchmark.measure(contest(ours=(1.0, 2.0)), report)
    assert (report.rows[0].rounds, report.rows[0].disturbed) == (2, False)
    clock = iter(range(12))
    benchmark.measure(contest(ours=(1.0, 2.0)), report)
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
    """In the unit that suits them; below a microsecond two decimals must do."""
    assert benchmark._time(seconds) == words


def test_sum_that_serves_as_one_read_is_the_sum(rng) -> None:
    """Compiled and plain, over any range; the order of addition is free, which costs some ulp."""
    values = rng.normal(size=1001)
    for read in (contests.one_read, contests.one_read.py_func):
        assert read(values, 3, 998) == pytest.approx(values[3:998].sum(), rel=1e-12)
    code = "".join(contests.one_read.inspect_asm().values())
    assert re.search(r"addpd|fadd\S*\s+v\d+\.2d|fadd\.2d", code), "a limit must use vector instructions"


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_shared_work_covers_every_row_once(threads) -> None:
    """Whatever the number of threads; a small range goes to one."""
    before = kernels.get_threads()
    kernels.set_threads(threads)
    try:
        for n, parts in ((100_003, threads), (1000, 1)):
            ranges = []
            contests._shared(lambda first, last, to=ranges: to.append((first, last)), n)()
            assert sorted(i for first, last in ranges for i in (first, last))[:: 2 * parts - 1] == [0, n]
            assert sum(last - first for first, last in ranges) == n
            assert len(ranges) == parts
    finally:
        kernels.set_threads(before)


# ------------------------------------------------------------------------------------------------------- identity


def test_same_answers_pass_whatever_arrays_they_come_in() -> None:
    """A gradient may be one array, several, or float32; a limit has no answer."""
    gradient = np.array([1.0, -2.0, 3.0])
    answers = {
        "ours": (0.5, gradient),
        "torch": (0.5 + 4e-7, [gradient[:1], gradient[1:].reshape(2, 1)]),
        "jax": (np.float32(0.5), gradient.astype(np.float32)),
        "(copy)": None,
    }
    assert contests._same_loss(answers) == {}


@pytest.mark.parametrize(
    ("other", "named"),
    [((0.5001, [1.0, 2.0]), "its loss is 0.5001"), ((np.nan, [1.0, 2.0]), "nan"), ((0.5, [1.0, 2.001]), "gradient")],
)
def test_another_answer_is_not_the_same_work(other, named) -> None:
    """One sentence says whose answer differs, and in what; nothing is measured."""
    report = Report(["g"], small=True)
    with pytest.raises(ValueError, match=f"^NumPy does not do the same work: .*{named}"):
        benchmark.measure(contest(ours=(0.5, [1.0, 2.0]), NumPy=other), report)
    assert report.rows == []


def test_estimates_agree_up_to_a_constant_or_it_is_said() -> None:
    """Rewards are compared less their mean, to 1e-6."""
    rewards = np.array([0.3, -0.1, -0.2])
    assert contests._same_estimates({"ours": rewards, "choix": rewards + 5 + np.array([4e-7, 0, 0])}) == {
        "choix": "differs by 3e-07"
    }
    with pytest.raises(ValueError, match=r"^choix .* its estimates differ from ours by 1\.3e-06"):
        contests._same_estimates({"ours": rewards, "choix": rewards + np.array([2e-6, 0, 0])})


def test_a_fit_says_which_gradient_it_reached(random_pairs) -> None:
    """One that stopped before 1e-8 is told so, though its loss is the same to many digits."""
    scorer = bt.LinearScorer(2)
    pairs = random_pairs(scorer, 60, extras=())
    phi = bt.fit(scorer, pairs).phi
    remarks = contests._same_minimum(bt.Objective(scorer, pairs), {"ours": phi, "scikit-learn": phi + 1e-5})
    assert re.fullmatch(r"gradient \de-1\d", remarks["ours"])
    assert re.fullmatch(r"gradient \de-0[56], too early", remarks["scikit-learn"])


def test_every_promise_speaks_of_what_a_full_run_measures() -> None:
    """Group, size and contenders bear the names that the contests give them, where making these is cheap."""
    names = {}
    for group in ("pair-loss", "table-fit", "mlp", "cold-start"):
        for size in GROUPS[group][1]:
            names |= {(group, made.size): set(made.contenders) for made in GROUPS[group][0](*size)}
    for promise in PROMISES:
        assert promise.group in GROUPS
        if promise.group in {group for group, _ in names}:
            assert {promise.ours, *promise.others} <= names[promise.group, promise.size], promise.words


# -------------------------------------------------------------------------------------------------------- manners


def test_small_run_measures_every_group_and_all_who_are_here(small) -> None:
    """Every time is a positive number, quartiles are in order, ours is 1 × ours; nobody is left out."""
    found, _ = small
    assert found["groups"] == list(GROUPS)
    assert {row["group"] for row in found["rows"]} == set(GROUPS)
    assert found["left_out"] == {}
    assert found["promises"] == []  # small sizes say nothing about them
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
        installed = find_spec(contests.PEERS[peer.split()[0]]) is not None
        assert ((group, peer) in there) == installed
        assert (peer.split()[0] in found["not_installed"]) == (not installed)


def test_small_run_draws_its_figure(small) -> None:
    """SVG and PNG, where it was told."""
    _, folder = small
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark.png", "benchmark.svg"]


def test_figure_is_the_same_again_for_the_same_numbers(tmp_path) -> None:
    """One line for each contender, named at its end; rows of other groups and variants of ours stay out."""
    costs = {"ours": 2e-9, "ours, out given": 1e-9, "NumPy": 4e-8, "torch": 4.1e-8, "(copy)": 1e-9}
    rows = [
        row(name, cost * n, group="pair-loss", n_pairs=n) for n in (32, 1000, 10**6) for name, cost in costs.items()
    ]
    report = Report(["pair-loss"], small=False, rows=[*rows, row("choix", 1.0)])
    one, two = benchmark.draw(report, tmp_path / "one.svg"), benchmark.draw(report, tmp_path / "two")
    assert [path.name for path in one + two] == ["one.svg", "one.png", "two.svg", "two.png"]
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_plot_of_times_shows_each_line_and_name_apart() -> None:
    """Data as given on two log axes; names at the ends do not overlap, even where lines end together."""
    from bradley_terry import plots

    times = {
        name: ([10, 1000], [1e-6, end]) for name, end in {"a": 1e-3, "b": 1e-3, "ours": 1e-4, "c": 1.01e-3}.items()
    }
    ax = plots.plot_times({**times, "limit": ([10, 1000], [1e-7, 1e-5])}, ours="ours", limits=["limit"])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    np.testing.assert_array_equal(ax.lines[2].get_xydata(), [[10, 1e-6], [1000, 1e-4]])
    assert ax.lines[2].get_color() == plots.EMPIRICAL
    assert ax.lines[4].get_linestyle() == ":"
    figure = plots.figure_of(ax)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without the line that leads there
    assert [text.get_text() for text in ax.texts] == ["limit", "ours", "a", "b", "c"]
    assert all(upper.y0 > lower.y1 for lower, upper in pairwise(boxes))


def test_absent_peers_are_named_in_one_line(monkeypatch, capsys) -> None:
    """Who is not installed is not measured, and the table says so; ours is."""
    monkeypatch.setattr(benchmark, "find_spec", lambda name: None)
    assert main(["bench", "--small", "--only", "pair-loss", "mlp"]) == 0
    said = capsys.readouterr().out
    assert "not installed: autograd, jax, scikit-learn, scipy, torch\n" in said
    assert "ours" in said
    assert "(two products)" in said
    assert "pair-loss, n" not in said  # no promise is about small sizes


def test_a_peer_that_fails_is_left_out_with_its_reason() -> None:
    """No compiler, another version: the others are measured. Our own failure is a failure."""
    report = Report(["g"], small=True)
    failing = RuntimeError("no compiler\nand much more")
    same = contest(ours=(1.0, 2.0), scipy=failing, autograd=(1.0, 2.0))
    benchmark.measure(same, report)
    assert [row.contender for row in report.rows] == ["ours", "autograd"] if find_spec("autograd") else ["ours"]
    assert report.left_out == {"scipy": "RuntimeError: no compiler"}
    assert "left out: scipy, RuntimeError: no compiler\n" in f"{report}\n"
    with pytest.raises(RuntimeError, match="no compiler"):
        benchmark.measure(contest(ours=failing), report)


def test_table_shows_times_promises_and_remarks() -> None:
    """Each row with its unit; each promise about these groups with what was found."""
    rows = [
        row("ours", 4e-6, group="pair-loss", size="n = 32", remark="well"),
        row("ours", 0.4, group="cold-start", size="import", n_pairs=None, ns_per_pair=None),
        row("(import numpy)", 0.2, group="cold-start", size="import", n_pairs=None, ns_per_pair=None),
    ]
    report = Report(["pair-loss", "cold-start"], small=False, rows=rows)
    table = re.sub(" +", " ", str(report))
    assert "n = 32 ours 4.00 µs 4.00 µs – 4.00 µs 4.00 0.00 well\n" in table
    assert "pair-loss, n = 32: ours at most 5.00 µs 4.00 µs met\n" in table
    assert "cold-start, import: ours at most 1.25 × (import numpy) 2.00 × NOT MET\n" in table
    assert "pair-loss, n = 1,000,000: ours at least 10 × as fast as torch not measured\n" in table
    assert "linear" not in table
    kept = {p["promise"]: (p["measured"], p["met"]) for p in report.to_dict()["promises"]}
    assert kept["cold-start, import: ours at most 1.25 × (import numpy)"] == (2.0, False)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--only", "pair-los"], "--only: expected one of pair-loss, growth"),
        (["--only", "mlp", "--figure", "f.svg"], "--figure: expected pair-loss among the groups"),
        (["--figure", "nowhere/f.svg"], "--figure: expected a folder that exists"),
    ],
)
def test_bench_that_cannot_be_done_is_one_sentence(arguments, named, capsys, tmp_path, monkeypatch) -> None:
    """Status 2 and one line, before anything is measured."""
    monkeypatch.chdir(tmp_path)
    assert main(["bench", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"bradley-terry: {named}")
    assert (said.err.count("\n"), said.out) == (1, "")


def test_bench_has_help_with_an_example(capsys) -> None:
    """--help shows an example and names every group."""
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "example: bradley-terry bench" in said
    assert all(name in said for name in GROUPS)


def test_growth_stops_at_half_of_the_memory(monkeypatch) -> None:
    """A machine of 1 MB compares 10^2 to 10^4 pairs, not 10^5."""
    monkeypatch.setattr(contests, "_memory", lambda: 1e6)
    (made,) = contests._growth(0, 2, 6)
    assert list(made.contenders) == ["ours, n = 100", "ours, n = 1,000", "ours, n = 10,000"]


def test_settings_of_peers_are_put_back() -> None:
    """Threads of torch, numbers of jax, and Python's garbage collector are afterwards as they were."""
    import gc

    peers = [peer for peer in ("torch", "jax") if find_spec(peer)]
    if "torch" in peers:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(before + 1)
    with contextlib.suppress(RuntimeError), benchmark._set_up(peers, benchmark.Report([], small=True)):
        assert not gc.isenabled()
        if "torch" in peers:
            assert torch.get_num_threads() == kernels.get_threads()
        if "jax" in peers:
            import jax

            assert jax.config.jax_enable_x64
        raise RuntimeError  # even if somebody fails
    assert gc.isenabled()
    if "torch" in peers:
        assert torch.get_num_threads() == before + 1
        torch.set_num_threads(before)
    if "jax" in peers:
        assert not jax.config.jax_enable_x64


def test_a_peer_that_cannot_be_imported_is_left_out(tmp_path, monkeypatch, capsys):
    """A library that is there but broken ends in one line of the report, and the others are measured."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch.so: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    report = benchmark.run(["mlp"], small=True)
    assert report.left_out["torch"] == "OSError: libtorch.so: cannot open"
    assert {row.contender for row in report.rows} >= {"ours", "(two products)"}
    assert "left out: torch, OSError" in str(report)
