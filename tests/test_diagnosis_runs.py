"""``bradley-terry doctor RUN_FOLDER [DATA]``: runs that were saved, and folders that are none."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands import main
from bradley_terry.commands.train import train
from bradley_terry.files import save_pairs
from bradley_terry.model import HISTORY


def write_run(folder: Path, model: bt.RewardModel, name: str = "pairs") -> Path:
    """Write model.npz, history.csv and report.md as ``train`` does, but without figures."""
    folder.mkdir()
    model.save(folder / "model.npz")
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HISTORY)
        writer.writerows(zip(*(model.history[column].tolist() for column in HISTORY), strict=True))
    (folder / "report.md").write_text(f"# Reward model: {name}\n", encoding="utf-8")
    return folder


@pytest.fixture
def run(tmp_path) -> tuple[Path, str]:
    """Return a run with held-out pairs, as ``train`` divides them, and the file of its pairs."""
    pairs = bt.datasets.synthetic(300, seed=3)
    training, held_out = pairs.split(0.2, seed=0)
    model = bt.fit(bt.LinearScorer(3), training, validation=held_out)
    save_pairs(pairs, tmp_path / "pairs.npz")
    return write_run(tmp_path / "run", model), str(tmp_path / "pairs.npz")


def test_saved_run_is_diagnosed_with_its_data(run, capsys) -> None:
    """The pairs are divided as they were for the fit, and the status is 0 if there is no error."""
    folder, data = run
    assert main(["doctor", str(folder), data]) == 0
    said = capsys.readouterr().out
    assert "on 240 pairs and 60 held-out pairs: no findings" in said
    assert main(["doctor", str(folder), data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


SEPARABLE = bt.PreferencePairs(np.arange(1.0, 9.0)[:, None], np.zeros((8, 1)))


@pytest.mark.filterwarnings("ignore::bradley_terry.ConvergenceWarning")
@pytest.mark.parametrize("method", ["newton", "gradient_descent"])
@pytest.mark.parametrize("options", [{}, {"l2": 0.1}, {"centring": 0.1}, {"bias_reduced": True}], ids=str)
@pytest.mark.parametrize("pairs", [SEPARABLE, bt.datasets.synthetic(200, seed=3)], ids=["separable", "not separable"])
def test_a_saved_model_gets_the_checks_of_the_fitted_one(pairs, options, method, tmp_path) -> None:
    """The file does not say whether a penalty other than l2 kept the rewards finite, but the checks are the same."""
    if "bias_reduced" in options and method != "newton":
        pytest.skip("bias reduction needs Newton's method")
    model = bt.fit(bt.LinearScorer(pairs.n_features), pairs, method=method, **options)
    model.save(tmp_path / "model.npz")
    fitted, saved = (bt.diagnose(one, pairs) for one in (model, bt.RewardModel.load(tmp_path / "model.npz")))
    assert [check.name for check in saved.checks] == [check.name for check in fitted.checks]
    assert saved.not_checked == fitted.not_checked
    assert saved.names == fitted.names
    assert ("separable data" in saved.not_checked) == bool(options)


def test_error_in_a_run_is_the_status_one(run, tmp_path, capsys) -> None:
    """Held-out pairs with exchanged answers: the finding is printed, and the status is 1."""
    folder, data = run
    other = bt.datasets.synthetic(200, seed=8)
    swapped = bt.PreferencePairs(other.rejected, other.chosen, feature_names=other.feature_names)
    save_pairs(swapped, tmp_path / "swapped.npz")
    assert main(["doctor", str(folder), data, "--held-out", str(tmp_path / "swapped.npz")]) == 1
    said = capsys.readouterr().out
    assert "error: labels swapped" in said
    assert "What to do: Look at one pair by eye" in said


def test_data_set_of_the_package_needs_no_name(tmp_path, capsys) -> None:
    """The report names the data set. Any other data must be given, since the folder does not contain them."""
    pairs = bt.datasets.baseball()
    folder = write_run(tmp_path / "run", bt.fit(bt.TableScorer(pairs.n_items), pairs), "baseball")
    assert main(["doctor", str(folder)]) == 0
    (folder / "report.md").write_text("# Reward model: answers\n", encoding="utf-8")
    assert main(["doctor", str(folder)]) == 2
    assert "data: expected the file that the model was fitted to" in capsys.readouterr().err


def test_other_pairs_or_another_split_are_refused(run, tmp_path, capsys) -> None:
    """The accuracy in the history must be that on the pairs, so that a diagnosis is never about two runs."""
    folder, data = run
    save_pairs(bt.datasets.synthetic(300, seed=4), tmp_path / "other.npz")
    for arguments in ([data, "--seed", "5"], [data, "--validation", "0.5"], [str(tmp_path / "other.npz")]):
        assert main(["doctor", str(folder), *arguments]) == 2
        assert "expected the pairs that the model was fitted to" in capsys.readouterr().err
    assert main(["doctor", str(folder), "baseball"]) == 2
    assert "baseball: expected pairs for LinearScorer" in capsys.readouterr().err


def test_another_split_is_refused_even_if_the_accuracy_is_the_same(tmp_path, capsys) -> None:
    """Choices without chance are all predicted correctly, whatever the split. The loss still tells the splits apart."""
    a, b = np.random.default_rng(0).normal(size=(2, 60, 2))
    first = (((a - b) @ [1.0, 2.0]) > 0)[:, None]
    pairs = bt.PreferencePairs(np.where(first, a, b), np.where(first, b, a))
    training, held_out = pairs.split(0.2, seed=0)
    model = bt.fit(bt.LinearScorer(2), training, validation=held_out, l2=1e-3)
    assert model.evaluate(pairs).accuracy == 1
    save_pairs(pairs, tmp_path / "pairs.npz")
    folder, data = write_run(tmp_path / "run", model), str(tmp_path / "pairs.npz")
    assert main(["doctor", str(folder), data]) == 0
    assert main(["doctor", str(folder), data, "--seed", "5"]) == 2
    assert "on which its loss was" in capsys.readouterr().err


def damaged(text: str, kind: str) -> bytes:
    lines = text.splitlines(keepends=True)
    return {
        "cut in a line": text[: len(text) - 9],
        "cut after a line": "".join(lines[:-1]),
        "another column": text.replace("loss", "cost", 1),
        "a word": text.replace(lines[1].split(",")[1], "much", 1),
        "another number": text.replace(lines[2].split(",")[1], "0.5", 1),
        "one more line": text + lines[-1],
        "endless": text + "1," * 100_000,
        "empty": "",
        "a quote that never ends": text.replace(",", ',"', 1),
    }[kind].encode() + (b"" if kind != "empty" else b"\xff\xfe\x00")


@pytest.mark.parametrize(
    "kind",
    [
        "cut in a line",
        "cut after a line",
        "another column",
        "a word",
        "another number",
        "one more line",
        "endless",
        "empty",
        "a quote that never ends",
    ],
)
def test_damaged_history_is_refused_in_one_sentence(run, kind: str, capsys) -> None:
    """A history that was cut, changed or taken from another run is named, with the line if there is one."""
    folder, data = run
    path = folder / "history.csv"
    path.write_bytes(damaged(path.read_text(encoding="utf-8"), kind))
    assert main(["doctor", str(folder), data]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"bradley-terry: {path}: ")
    assert "expected" in said
    assert said.count("\n") == 1


def test_folder_that_is_no_run_is_refused(tmp_path, run, capsys) -> None:
    """A missing folder, a file, an empty folder, and a run without one of its files."""
    folder, data = run
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "nothing", tmp_path / "pairs.npz", tmp_path / "empty"):
        assert main(["doctor", str(path), data]) == 2
        assert f"{path}: expected a folder that train wrote" in capsys.readouterr().err
    (folder / "history.csv").unlink()
    assert main(["doctor", str(folder), data]) == 2
    assert "without history.csv" in capsys.readouterr().err
    (folder / "history.csv").write_text("", encoding="utf-8")
    (folder / "model.npz").write_bytes(b"PK\x03\x04 cut")
    assert main(["doctor", str(folder), data]) == 2
    assert "not a reward model" in capsys.readouterr().err


def test_options_of_a_run_need_a_run(capsys) -> None:
    """``doctor --json`` and the like are refused; they would say nothing about the installation."""
    for option in (["--json"], ["--seed", "3"], ["--held-out", "x"]):
        assert main(["doctor", *option]) == 2
        assert f"{option[0]}: expected only with the folder of a run" in capsys.readouterr().err


@pytest.mark.full
def test_run_is_saved_without_a_diagnosis_if_there_is_no_memory_for_it(tmp_path, monkeypatch) -> None:
    """The fit has ended by then, so its model must not be lost. The report says why it has no diagnosis."""

    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("bradley_terry.findings.diagnose", no_memory)
    monkeypatch.setattr("bradley_terry.drawing.figures.model_figures", lambda *_: [])
    run = train(bt.datasets.synthetic(100, seed=3), example=False)
    run.save(tmp_path / "run")
    assert "no diagnosis, because there was not enough memory" in (tmp_path / "run" / "report.md").read_text()
    assert bt.RewardModel.load(tmp_path / "run" / "model.npz").phi.tobytes() == run.model.phi.tobytes()


@pytest.mark.full
def test_what_train_saves_can_be_diagnosed_and_its_report_has_a_section(tmp_path, capsys) -> None:
    """Another seed and another share than the usual ones, as long as both commands get the same."""
    pairs = bt.datasets.synthetic(300, seed=3)
    one = np.hstack([pairs.chosen, np.ones((300, 1))]), np.hstack([pairs.rejected, np.zeros((300, 1))])
    save_pairs(bt.PreferencePairs(*one), tmp_path / "leaky.npz")
    split = ["--seed", "4", "--validation", "0.3"]
    data, out = str(tmp_path / "leaky.npz"), str(tmp_path / "run")
    assert main(["train", data, "--out", out, "--l2", "0.001", *split]) == 0
    assert "## Diagnosis" in capsys.readouterr().out
    assert "**order leak** (error)" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert main(["doctor", out, data, *split]) == 1
    assert "error: order leak" in capsys.readouterr().out


def test_a_report_says_what_was_not_checked() -> None:
    """A fit without held-out pairs cannot show over-fitting, and its report must not look as if it had."""
    pairs = bt.datasets.synthetic(60, seed=0)
    diagnosis = bt.diagnose(bt.fit(bt.MLPScorer(3, n_hidden=4), pairs, max_steps=5), pairs)
    said = diagnosis.to_markdown().splitlines()[-1]
    assert said.startswith("Not checked: ")
    assert "over-fitting" in said
    assert "held-out pairs" in said


def test_a_saved_fit_with_held_out_pairs_is_still_checked_for_separation(tmp_path: Path) -> None:
    """Its history is that of a part of the pairs, which must not be taken for a penalty."""
    rng = np.random.default_rng(0)
    pairs = bt.PreferencePairs(rng.normal(size=(60, 3)) + 4, rng.normal(size=(60, 3)))
    model = bt.fit(bt.LinearScorer(3), pairs, method="adam", validation=0.3, max_steps=300)
    model.save(tmp_path / "model.npz")
    names = [bt.diagnose(it, pairs).names for it in (model, bt.RewardModel.load(tmp_path / "model.npz"))]
    assert "separable data" in names[0]
    assert "separable data" in names[1]
