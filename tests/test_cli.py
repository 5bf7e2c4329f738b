"""The command line, run as a person runs it."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands import main

FILES = {
    "model.npz", "history.csv", "report.md", "loss_curve.svg", "loss_curve.png", "margins.svg", "margins.png",
    "reliability.svg", "reliability.png",
}  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


def test_train_without_data_fits_the_travel_modes(here, capsys):
    """One command: a report with loss beside log 2, accuracy with interval, weights by name; files where it says."""
    assert main(["train"]) == 0
    said = capsys.readouterr().out
    for part in ("0.6931 = log 2", "pairwise accuracy", "630 pairs", "210 prompts", "standard error", "Converged"):
        assert part in said
    for name in bt.datasets.travel_modes().feature_names:
        assert name in said
    assert {path.name for path in (here / "runs" / "travel-modes").iterdir()} == FILES


def test_train_again_takes_the_next_free_name(here):
    """The first command can simply be run again."""
    assert main(["train", "citations", "--json"]) == 0
    assert main(["train", "citations", "--json"]) == 0
    assert sorted(path.name for path in (here / "runs").iterdir()) == ["citations", "citations-2"]


def test_train_with_all_the_data_gives_the_published_coefficients(here, capsys):
    """Without hold-out the travel modes come out as published: mean loss .471083, accuracy .7984."""
    assert main(["train", "--validation", "0", "--json", "--out", "all"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["training"]["mean_loss"] == pytest.approx(0.471083, abs=5e-7)  # half a unit of the last digit
    assert report["training"]["accuracy"] == pytest.approx(0.7984, abs=5e-5)
    assert report["converged"]
    model = bt.RewardModel.load(here / "all" / "model.npz")
    published = [-0.016989, -0.068011, 0.021264, 3.395488, 2.879107, 2.016725]
    np.testing.assert_allclose(model.phi, published, atol=5e-7)


def test_train_writes_the_same_model_for_the_same_seed(here):
    """Byte for byte; another seed splits differently and gives another model."""
    for out, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert main(["train", "--seed", seed, "--out", out, "--json"]) == 0
    a, b, c = ((here / out / "model.npz").read_bytes() for out in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("scorer", ["linear", "mlp"])
def test_train_reads_texts_and_says_what_counts(here, answers, capsys, scorer):
    """Texts become named features; the report shows an example's own words."""
    assert main(["train", str(answers), "--scorer", scorer, "--out", "out"]) == 0
    said = capsys.readouterr().out
    assert "a clear and complete reply" in said
    assert "log words" in said or scorer == "mlp"


def test_train_history_is_a_table_of_its_own(here):
    """history.csv starts at log 2 and falls."""
    assert main(["train", "baseball", "--out", "out", "--json"]) == 0
    with (here / "out" / "history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    losses = [float(row["loss"]) for row in rows]
    assert losses[0] == np.log(2)
    assert losses == sorted(losses, reverse=True)


def test_evaluate_judges_a_saved_model(here, capsys):
    """A folder or a model.npz will do, and the numbers are those of the model's own evaluate."""
    assert main(["train", "citations", "--out", "out", "--json"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "out", "citations", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    truth = bt.RewardModel.load(here / "out" / "model.npz").evaluate(bt.datasets.citations())
    assert found["mean_loss"] == truth.mean_loss
    assert main(["evaluate", "out/model.npz", "citations"]) == 0


def test_evaluate_finds_items_by_name(here, capsys):
    """A file that numbers the same items differently is judged by their names; an unknown item is refused."""
    assert main(["train", "citations", "--out", "out", "--json"]) == 0
    capsys.readouterr()
    (here / "some.csv").write_text("chosen,rejected\nJRSS-B,JASA\nJASA,Comm Statist\n", encoding="utf-8")
    assert main(["evaluate", "out", "some.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1.0
    (here / "other.csv").write_text("chosen,rejected\nJRSS-B,Nature\n", encoding="utf-8")
    assert main(["evaluate", "out", "other.csv"]) == 2
    assert "Nature" in capsys.readouterr().err


def test_separable_items_are_reported_not_hidden(here, capsys):
    """A winless item has no finite reward: the command says so, and l2 cures it."""
    (here / "chain.csv").write_text("chosen,rejected\na,b\nb,c\n", encoding="utf-8")
    assert main(["train", "chain.csv"]) == 0
    said = capsys.readouterr()
    assert "no finite minimum" in said.out
    assert "no finite minimum" in said.err
    assert main(["train", "chain.csv", "--l2", "0.1", "--out", "cured"]) == 0
    assert "Converged" in capsys.readouterr().out


def test_out_is_never_overwritten_without_force(here, capsys):
    """An existing folder stays as it is unless --force is given."""
    (here / "out").mkdir()
    (here / "out" / "mine.txt").write_text("keep", encoding="utf-8")
    assert main(["train", "citations", "--out", "out"]) == 2
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in (here / "out").iterdir()] == ["mine.txt"]
    assert main(["train", "citations", "--out", "out", "--force", "--json"]) == 0
    assert (here / "out" / "mine.txt").read_text(encoding="utf-8") == "keep"


BAD = [
    (["train", "missing.jsonl"], "missing.jsonl"),
    (["train", "empty.jsonl"], "empty.jsonl"),
    (["train", "bad.jsonl"], "line 2"),
    (["train", "list.jsonl"], "line 1"),
    (["train", "strange.xyz"], "strange.xyz"),
    (["train", "citations", "--scorer", "linear"], "--scorer"),
    (["train", "travel-modes", "--scorer", "table"], "--scorer"),
    (["train", "--validation", "1.5"], "validation"),
    (["train", "--l2", "-1"], "l2"),
    (["train", "--scorer", "mlp", "--hidden", "0"], "n_hidden"),
    (["evaluate", "missing", "travel-modes"], "missing"),
    (["evaluate", "strange.xyz", "travel-modes"], "strange.xyz"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_ends_in_one_sentence_and_status_2(here, capsys, arguments, named):
    """No traceback: one line on stderr that names what is wrong, nothing written."""
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


@pytest.mark.parametrize("arguments", [["tarin"], ["train", "--scorer", "forest"], ["train", "--seed", "x"]])
def test_unknown_words_end_with_status_2(arguments, capsys):
    """The parser says what it expected."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_no_words_at_all_are_answered_with_the_help(capsys):
    """And with status 2, since nothing was done."""
    assert main([]) == 2
    assert "bench" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["train", "evaluate", "figures", "doctor"])
def test_every_verb_has_help_with_an_example(verb, capsys):
    """--help shows an example."""
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert f"example: bradley-terry {verb}" in capsys.readouterr().out


def test_doctor_finds_all_well(capsys):
    """Versions, backend, cache, self-check."""
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "all is well" in said
    assert "numba" in said
    assert "WRONG" not in said


def test_doctor_finds_a_broken_gradient(capsys, monkeypatch):
    """If a formula breaks, the doctor says which, and the status is not zero."""
    monkeypatch.setattr("bradley_terry.commands.doctor.pair_losses", lambda margins: np.zeros(len(margins)))
    assert main(["doctor"]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_module_can_be_run():
    """``python -m bradley_terry`` is the same program."""
    result = subprocess.run(
        [sys.executable, "-m", "bradley_terry", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"bradley-terry {bt.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--hidden", "64"], "--hidden: expected together with --scorer mlp"),
        (["train", "--activation", "relu"], "--activation: expected together with --scorer mlp"),
        (["train", "far.npy"], "found 2 of them and numbers up to 1000000000"),
        (["bench", "--figure", "times.pdf"], "--figure: expected a file name that ends in .svg"),
    ],
)
def test_what_would_be_lost_or_too_much_is_said_at_once(arguments, words, tmp_path, monkeypatch, capsys):
    """An option that would do nothing, item numbers that would fill the memory, a name that would be changed."""
    monkeypatch.chdir(tmp_path)
    np.save("far.npy", np.array([[0, 10**9]]))
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_bench_without_numba_says_what_it_needs(monkeypatch, capsys):
    """It measures the compiled kernels, so there is nothing to measure."""
    monkeypatch.setattr("bradley_terry.commands.chosen_backend", lambda _: "numpy")
    assert main(["bench", "--small"]) == 2
    assert "needs numba" in capsys.readouterr().err


def test_check_shows_the_packages_own_gradients(capsys):
    """All four scorers against differences, and one against a library."""
    assert main(["check"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("gradient: every entry agrees") == 4
    pytest.importorskip("autograd", reason="the library autograd is not installed")
    for referees in (["--against", "autograd", "numerical"], ["--against", "autograd", "--against", "numerical"]):
        assert main(["check", "--scorer", "mlp", *referees]) == 0
        printed = capsys.readouterr().out
        assert "autograd" in printed
        assert "numerical" in printed


def test_check_judges_a_gradient_from_a_file(tmp_path, monkeypatch, capsys):
    """Right, wrong, and what cannot be read; each in words."""
    file = tmp_path / "mine.py"
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
        f"{file}:other": "there is no other in this file, but right, climbs",
    }.items():
        assert main(["check", target]) == 2
        assert words in capsys.readouterr().err
    for extra, words in {
        "--against autograd": "no --against",
        "--scorer table": "linear or mlp",
        "--museum": "alone",
    }.items():
        assert main(["check", f"{file}:right", *extra.split()]) == 2
        assert words in capsys.readouterr().err
    file.write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    assert main(["check", "mine.py:right"]) == 2
    assert "mine.py: line 1: ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert main(["check", f"{file}:right"]) == 2
    assert "mine.py: line 1: ZeroDivisionError: division by zero" in capsys.readouterr().err
