"""The command line, run as a person runs it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands import main
from bradley_terry.commands.parser import make_parser

PICTURES = {f"{name}.{kind}" for name in ("loss_curve", "margins", "reliability") for kind in ("svg", "png")}
FILES = {"model.npz", "history.csv", "report.md"} | PICTURES
VERBS = ["train", "evaluate", "split", "check", "demo", "course", "figures", "bench", "doctor"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """Do not draw figures, which takes longer than everything else, but record what they would show."""
    drawn = []
    monkeypatch.setattr("bradley_terry.figures.model_figures", lambda *args, **rest: drawn.append((args, rest)) or [])
    return drawn


@pytest.fixture
def answers(here):
    """Write a small file of texts in which the longer answer always wins."""
    path = here / "answers.jsonl"
    rows = [
        {"prompt": f"Question {i}?", "chosen": "a clear and complete reply " * (i % 4 + 2), "rejected": f"no {i}"}
        for i in range(40)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------------------------------ train


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """Run ``bradley-terry train`` once in an empty folder, and return the folder and what was printed."""
    folder, said = tmp_path_factory.mktemp("first"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.chdir(folder)
        assert main(["train"]) == 0
    return folder / "runs" / "travel-modes", said.getvalue()


def test_train_without_data_fits_the_travel_modes(first_run):
    """One command prints the loss beside log 2, the accuracy with its interval and named weights, and saves it all."""
    folder, said = first_run
    for part in ("0.6931 = log 2", "pairwise accuracy", "630 pairs", "210 prompts", "standard error", "converged"):
        assert part in said
    for name in bt.datasets.travel_modes().feature_names:
        assert name in said
    assert {path.name for path in folder.iterdir()} == FILES
    assert "runs/travel-modes" in said.replace(os.sep, "/")


def test_report_file_is_the_printed_report_with_figures(first_run):
    """report.md shows every figure, with a caption, and is otherwise what was printed."""
    folder, printed = first_run
    paragraphs = (folder / "report.md").read_text(encoding="utf-8").split("\n\n")
    for name in ("loss_curve", "margins", "reliability"):
        shown = next(i for i, paragraph in enumerate(paragraphs) if paragraph.endswith(f"]({name}.svg)"))
        assert (folder / f"{name}.svg").exists()
        del paragraphs[shown : shown + 2]  # the figure and its caption
    assert printed.startswith("\n\n".join(paragraphs))
    assert "![" not in printed


def test_train_again_takes_the_next_free_name(here, undrawn):
    """The same command can be run again."""
    assert main(["train", "citations", "--json"]) == 0
    assert main(["train", "citations", "--json"]) == 0
    assert sorted(path.name for path in (here / "runs").iterdir()) == ["citations", "citations-2"]


def test_train_with_all_the_data_gives_the_published_coefficients(here, undrawn, capsys):
    """Without held-out pairs, the fit to the travel modes is as published: mean loss .471083, accuracy .7984."""
    assert main(["train", "--validation", "0", "--json", "--out", "all"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["training"]["mean_loss"] == pytest.approx(0.471083, abs=5e-7)  # half a unit of the last digit
    assert report["training"]["accuracy"] == pytest.approx(0.7984, abs=5e-5)
    assert report["held_out"] is None
    assert report["converged"]
    model = bt.RewardModel.load(here / "all" / "model.npz")
    published = [-0.016989, -0.068011, 0.021264, 3.395488, 2.879107, 2.016725]
    np.testing.assert_allclose(model.phi, published, atol=5e-7)


def test_train_writes_the_same_model_for_the_same_seed(here, undrawn):
    """The same seed gives the same bytes; another seed splits differently and gives another model."""
    for out, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert main(["train", "--seed", seed, "--out", out, "--json"]) == 0
    a, b, c = ((here / out / "model.npz").read_bytes() for out in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("scorer", ["linear", "mlp"])
def test_train_reads_texts_and_says_what_counts(here, answers, undrawn, capsys, scorer):
    """Texts become named features, and the report quotes an example."""
    options = ["--hidden", "3"] if scorer == "mlp" else []
    assert main(["train", str(answers), "--scorer", scorer, "--out", "out", *options]) == 0
    said = capsys.readouterr().out
    assert "a clear and complete reply" in said
    assert "log words" in said or scorer == "mlp"


@pytest.mark.full
def test_no_example_keeps_the_texts_out(here, answers, undrawn, capsys):
    """With --no-example no text is quoted, neither on the screen nor in report.md nor as JSON."""
    for i, form in enumerate([[], ["--json"]]):
        assert main(["train", str(answers), "--no-example", "--out", f"out{i}", *form]) == 0
        for said in (capsys.readouterr().out, (here / f"out{i}" / "report.md").read_text(encoding="utf-8")):
            assert "complete reply" not in said
            assert "Question" not in said
            assert "One example" not in said
    assert main(["train", str(answers), "--json", "--out", "with"]) == 0
    assert "complete reply" in json.loads(capsys.readouterr().out)["example"]


def test_train_history_is_a_table_of_its_own(here, undrawn):
    """history.csv starts at log 2 and falls."""
    assert main(["train", "baseball", "--out", "out", "--json"]) == 0
    with (here / "out" / "history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in rows]
    assert losses[0] == np.log(2)
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        (["--standardise"], {"standardise": True}),
        (["--method", "newton", "--l2", "0.1"], {"method": "newton", "l2": 0.1}),
        (["--backend", "numpy"], {"backend": "numpy"}),
        pytest.param(["--method", "gradient_descent"], {"method": "gradient_descent"}, marks=pytest.mark.full),
        pytest.param(["--method", "adam"], {"method": "adam"}, marks=pytest.mark.full),
        pytest.param(
            ["--scorer", "mlp", "--no-standardise"], {"scorer": "mlp", "standardise": False}, marks=pytest.mark.full
        ),
    ],
)
def test_options_reach_the_fit(here, undrawn, options, arguments):
    """The model is the one that ``fit`` returns with the same arguments, to the last bit."""
    scorer = bt.MLPScorer(6) if arguments.pop("scorer", "") == "mlp" else bt.LinearScorer(6)
    training, held_out = bt.datasets.travel_modes().split(0.2, seed=5)
    expected = bt.fit(scorer, training, validation=held_out, seed=5, **arguments)
    assert main(["train", "--seed", "5", "--out", "out", "--json", *options]) == 0
    model = bt.RewardModel.load(here / "out" / "model.npz")
    np.testing.assert_array_equal(model.phi, expected.phi)
    assert model.method == expected.method


def test_separable_items_are_reported_not_hidden(here, undrawn, capsys):
    """An item that never won has no finite reward, and the command says so. With --l2 its reward is finite."""
    (here / "chain.csv").write_text("chosen,rejected\na,b\nb,c\n", encoding="utf-8")
    assert main(["train", "chain.csv"]) == 0
    said = capsys.readouterr()
    assert "no finite minimum" in said.out
    assert "no finite minimum" in said.err
    assert main(["train", "chain.csv", "--l2", "0.1", "--out", "cured"]) == 0
    assert "The fit converged" in capsys.readouterr().out


def test_out_is_never_overwritten_without_force(here, undrawn, capsys):
    """An existing folder is left as it is without --force, and other files in it stay even with --force."""
    (here / "out").mkdir()
    (here / "out" / "mine.txt").write_text("keep", encoding="utf-8")
    assert main(["train", "citations", "--out", "out"]) == 2
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in (here / "out").iterdir()] == ["mine.txt"]
    assert main(["train", "citations", "--out", "out", "--force", "--json"]) == 0
    assert (here / "out" / "mine.txt").read_text(encoding="utf-8") == "keep"


# --------------------------------------------------------------------------------------------------------- evaluate


def test_evaluate_reads_a_saved_model(here, undrawn, capsys):
    """A folder and a model.npz are both accepted, and the numbers are those of the model's own ``evaluate``."""
    assert main(["train", "citations", "--out", "out", "--json"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "out", "citations", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    truth = bt.RewardModel.load(here / "out" / "model.npz").evaluate(bt.datasets.citations())
    assert found["mean_loss"] == truth.mean_loss
    assert main(["evaluate", "out/model.npz", "citations"]) == 0
    said = capsys.readouterr().out
    assert "3,727 comparisons (6 matchups)" in said
    assert f"{truth.mean_loss:.4f}" in said


def test_evaluate_finds_items_by_name(here, undrawn, capsys):
    """A file that numbers the same items differently is matched by their names; an unknown item is refused."""
    assert main(["train", "citations", "--out", "out", "--json"]) == 0
    capsys.readouterr()
    (here / "some.csv").write_text("chosen,rejected\nJRSS-B,JASA\nJASA,Comm Statist\n", encoding="utf-8")
    assert main(["evaluate", "out", "some.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1.0
    (here / "other.csv").write_text("chosen,rejected\nJRSS-B,Nature\n", encoding="utf-8")
    assert main(["evaluate", "out", "other.csv"]) == 2
    assert "Nature" in capsys.readouterr().err


def test_evaluate_draws_the_margins_that_it_evaluated(here, undrawn, capsys):
    """--figures draws the model with the margins and weights of the given pairs."""
    assert main(["train", "citations", "--out", "out", "--json"]) == 0
    capsys.readouterr()
    undrawn.clear()
    assert main(["evaluate", "out", "citations", "--figures", "drawn", "--json"]) == 0
    ((model, evaluation, margins, folder), _) = undrawn[0]
    assert json.loads(capsys.readouterr().out)["margin_mean"] == evaluation.margin_mean
    assert margins is None  # those of the evaluation are drawn
    assert np.average(evaluation.margins, weights=evaluation.weights) == pytest.approx(
        evaluation.margin_mean, rel=1e-14
    )
    assert model.scorer == bt.TableScorer(4)
    assert Path(folder) == Path("drawn")


# -------------------------------------------------------------------------------------------------------- bad input

BAD = [
    (["train", "missing.jsonl"], "missing.jsonl"),
    (["train", "out"], "out: there is no such file"),  # not --out
    (["train", "empty.jsonl"], "empty.jsonl"),
    (["train", "bad.jsonl"], "line 2"),
    (["train", "list.jsonl"], "line 1"),
    (["train", "strange.xyz"], "strange.xyz"),
    (["train", "citations", "--scorer", "linear"], "--scorer: expected"),
    (["train", "travel-modes", "--scorer", "table"], "--scorer: expected"),
    (["train", "citations", "--standardise"], "--standardise: expected"),
    (["train", "--method", "newton", "--scorer", "mlp"], "method: 'newton' needs"),
    (["train", "--validation", "1.5"], "--validation: expected a share between 0 and 1, got 1.5"),
    (["train", "--l2", "-1"], "--l2: expected"),
    (["train", "--seed", "-1"], "--seed: expected a whole number of at least 0, got -1"),
    (["train", "--scorer", "mlp", "--hidden", "0"], "--hidden: expected a whole number of at least 1, got 0"),
    (["train", "--out", "empty.jsonl/run"], "empty.jsonl: cannot be written to"),
    (["evaluate", "missing", "travel-modes"], "missing"),
    (["evaluate", "strange.xyz", "travel-modes"], "strange.xyz"),
    (["evaluate", "missing", "travel-modes", "--figures", "empty.jsonl/x"], "empty.jsonl: cannot be written to"),
    (["course", "--lesson", "3", "--check"], "--lesson: expected without"),
    (["figures", "--out", "empty.jsonl"], "empty.jsonl"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_ends_in_one_sentence_and_status_2(here, capsys, arguments, named):
    """Instead of a traceback, one line on stderr names what is wrong, and nothing is written."""
    (here / "empty.jsonl").write_text("", encoding="utf-8")
    good, bad = '{"chosen": "a", "rejected": "b"}', '{"chosen": true, "rejected": "b"}'
    (here / "bad.jsonl").write_text(f"{good}\n{bad}\n", encoding="utf-8")
    (here / "list.jsonl").write_text('["a", "b"]\n', encoding="utf-8")
    (here / "strange.xyz").write_text("?", encoding="utf-8")
    before = sorted(path.name for path in here.iterdir())
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert said.err.startswith("bradley-terry: ")
    assert said.err.count("\n") == 1
    assert sorted(path.name for path in here.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--hidden", "64"], "--hidden: expected only with the scorer mlp"),
        (["train", "--activation", "relu"], "--activation: expected only with the scorer mlp"),
        (["train", "far.npy"], "found 2 items with numbers up to 1000000000"),
        (["bench", "--figure", "times.pdf"], "--figure: expected a file name that ends in .svg"),
    ],
)
def test_what_would_be_lost_or_too_much_is_refused_at_once(arguments, words, here, capsys):
    """Options without effect, item numbers that would fill the memory and unsuitable file names are refused."""
    np.save("far.npy", np.array([[0, 10**9]]))
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "usage", "words"),
    [
        (["tarin"], "usage: bradley-terry [-h]", "got 'tarin'; did you mean train?"),
        (["train", "--methd", "adam"], "usage: bradley-terry train", "no option --methd; did you mean --method?"),
        (["train", "--sed=3"], "usage: bradley-terry train", "no option --sed; did you mean --seed?"),
        (["train", "--xyzzy"], "usage: bradley-terry train", "there is no option --xyzzy\n"),
        (["check", "--musem"], "usage: bradley-terry check", "no option --musem; did you mean --museum?"),
        (["train", "--scorer", "liner"], "usage: bradley-terry train", "got 'liner'; did you mean linear?"),
        (["train", "--scorer", "forest"], "usage: bradley-terry train", "expected one of linear, mlp, table, got"),
        (["train", "--seed", "x"], "usage: bradley-terry train", "--seed"),
        (["demo", "a.csv"], "usage: bradley-terry demo", "unexpected argument 'a.csv'"),
        (["evaluate", "out"], "usage: bradley-terry evaluate", "DATA"),
    ],
)
def test_mistyped_words_get_the_usage_of_their_verb(arguments, usage, words, capsys):
    """The status is 2, the usage is that of the verb, and the closest known word is suggested if one is close."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(usage)
    assert words in said


# ---------------------------------------------------------------------------------------------------- the whole verb


def test_no_words_at_all_are_answered_with_the_help(capsys):
    """The status is 2, since nothing was done."""
    assert main([]) == 2
    said = capsys.readouterr().out
    assert all(verb in said for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb, capsys):
    """--help shows an example that the parser accepts."""
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"example: bradley-terry {verb}" in said
    assert not re.search(r"\w- \w", said)  # no word is broken at its hyphen
    example = said.partition("example: bradley-terry ")[2]
    assert make_parser().parse_args(example.split()).verb == verb


def test_module_can_be_run():
    """``python -m bradley_terry`` is the same program."""
    result = subprocess.run(
        [sys.executable, "-m", "bradley_terry", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"bradley-terry {bt.__version__}\n"


def test_parser_imports_nothing_heavy(run_python):
    """Help and mistakes are answered without waiting for Numba, Matplotlib or Jupyter."""
    script = (
        "import sys, bradley_terry.commands.parser as parser\n"
        "parser.make_parser().parse_args(['train'])\n"
        "heavy = {'numba', 'llvmlite', 'matplotlib', 'scipy', 'tqdm', 'autograd', 'nbclient', 'nbformat', 'IPython'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    assert run_python(script) == "[]"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "bradley-terry: interrupted\n"),
        (MemoryError(), 2, "bradley-terry: these data do not fit into the memory of this machine\n"),
        (OSError(28, "No space left on device", "runs/x"), 2, "bradley-terry: runs/x: No space left on device\n"),
        (ValueError("two\nlines"), 2, "bradley-terry: two lines\n"),
    ],
)
def test_what_stops_the_work_is_one_line(monkeypatch, capsys, error, status, words):
    """Ctrl-C, a full memory, a full disk and an error message with line breaks each give one line."""

    def stop(*_, **__):
        raise error

    monkeypatch.setattr("bradley_terry.commands.train.train", stop)
    assert main(["train"]) == status
    assert capsys.readouterr().err == words


def test_a_closed_pipe_ends_the_work_quietly(tmp_path):
    """With ``bradley-terry demo --out page.html | head -0``, the status is 1 and stderr stays empty."""
    command = [sys.executable, "-m", "bradley_terry", "demo", "--out", str(tmp_path / "page.html")]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


# ------------------------------------------------------------------------------------------------------------ doctor


@pytest.mark.full
def test_doctor_finds_all_well(capsys):
    """``doctor`` lists versions, finds the compiled kernels, and passes its own checks."""
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "All checks passed" in said
    assert "the compiled kernels and NumPy give the same loss" in said
    assert "WRONG" not in said


def test_doctor_finds_a_broken_formula(capsys, monkeypatch):
    """If a formula breaks, the doctor says which, and the status is 1."""
    monkeypatch.setattr("bradley_terry.fitting.compiler.find_spec", lambda _: None)  # nothing to compile
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "All checks passed" in said
    assert "they need Numba, which is not installed" in said
    monkeypatch.setattr("bradley_terry.commands.doctor.pair_losses", lambda margins: np.zeros(len(margins)))
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "WRONG the losses at the margins 0 and 1.5" in said
    assert said.count("WRONG") == 1


# ------------------------------------------------------------------------------------------------------------- bench


def test_bench_without_numba_says_what_it_needs(monkeypatch, capsys):
    """``bench`` measures the compiled kernels, so without numba it has nothing to measure."""
    monkeypatch.setattr("bradley_terry.fitting.compiler.find_spec", lambda _: None)
    assert main(["bench", "--small"]) == 2
    assert "needs Numba" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------------- check


def test_check_shows_the_packages_own_gradients(capsys):
    """``check`` checks all four scorers with finite differences, and one of them with a library."""
    assert main(["check"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("gradient: every entry agrees") == 4
    pytest.importorskip("autograd", reason="the library autograd is not installed")
    for references in (["--against", "autograd", "numerical"], ["--against", "autograd", "--against", "numerical"]):
        assert main(["check", "--scorer", "mlp", *references]) == 0
        printed = capsys.readouterr().out
        assert "autograd" in printed
        assert "numerical" in printed


def test_check_reads_a_gradient_from_a_file(here, capsys):
    """A right gradient passes, a wrong one gets a diagnosis, and a file that cannot be used gets an explanation."""
    file = here / "mine.py"
    file.write_text(
        "import numpy as np\n"
        "def right(w, c, r):\n"
        "    q = np.exp(-np.logaddexp(0, (c - r) @ w))\n"
        "    return -(q[:, None] * (c - r)).mean(axis=0)\n"
        "def climbs(w, c, r):\n"
        "    return -right(w, c, r)\n"
    )
    assert main(["check", f"{file}:right"]) == 0
    assert "gradient: passed" in capsys.readouterr().out
    assert main(["check", f"{file}:climbs"]) == 1
    assert "looks like: the sign is flipped" in capsys.readouterr().out
    for target, words in {
        "nothing.py:f": "there is no such file",
        f"{file}": "expected FILE:FUNCTION",
        f"{file}:": "expected FILE:FUNCTION",
        "C:\\work\\mine.py": "expected FILE:FUNCTION",
        f"{file}:not a name": "expected FILE:FUNCTION",
        f"{file}:other": "this file has no function other; it has right, climbs",
    }.items():
        assert main(["check", target]) == 2
        assert words in capsys.readouterr().err
    for extra, words in {
        "--against autograd": "no --against",
        "--scorer table": "linear or mlp",
        "--museum": "--museum: expected no other options",
        "--activation relu": "--activation: expected only together with FILE:FUNCTION and --scorer mlp",
    }.items():
        assert main(["check", f"{file}:right", *extra.split()]) == 2
        assert words in capsys.readouterr().err
    file.write_text("1 / 0\n")
    assert main(["check", "mine.py:right"]) == 2
    assert "mine.py: line 1: ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert main(["check", f"{file}:right"]) == 2
    assert "mine.py: line 1: ZeroDivisionError: division by zero" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------------- demo


def test_demo_offers_the_scenes_that_there_are():
    """--scene accepts the names of the page's scenes, and no others."""
    from bradley_terry.commands.demo import SCENES
    from bradley_terry.course import projector

    assert SCENES == projector.SCENES
