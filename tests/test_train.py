"""``train`` as a Python function, and the functions behind the other verbs."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands import main
from bradley_terry.commands.check import check_own_gradients
from bradley_terry.commands.data import find_data
from bradley_terry.commands.evaluate import load_model, matched
from bradley_terry.commands.train import TrainingRun, train


@pytest.fixture(scope="module")
def run() -> TrainingRun:
    return train()


@pytest.fixture
def undrawn(monkeypatch):
    """Do not draw figures, but record what they would show."""
    drawn = []
    monkeypatch.setattr("bradley_terry.figures.model_figures", lambda *args, **rest: drawn.append((args, rest)) or [])
    return drawn


# ------------------------------------------------------------------------------------------------------------- train


def test_train_is_offered_at_the_top():
    """``bt.train`` is this function."""
    assert bt.train is train
    assert bt.TrainingRun is TrainingRun


def test_train_fits_splits_and_evaluates(run):
    """The run holds the same results as splitting, fitting and evaluating step by step."""
    training, held_out = bt.datasets.travel_modes().split(0.2)
    model = bt.fit(bt.LinearScorer(6), training, validation=held_out)
    assert run.name == "travel-modes"
    np.testing.assert_array_equal(run.model.phi, model.phi)
    np.testing.assert_array_equal(run.training.chosen, training.chosen)
    np.testing.assert_array_equal(run.held_out.chosen, held_out.chosen)
    assert run.training_evaluation.mean_loss == model.evaluate(training).mean_loss
    assert run.held_out_evaluation.accuracy_interval == model.evaluate(held_out).accuracy_interval
    assert run.evaluation is run.held_out_evaluation
    assert run.weights[0].name == "terminal waiting time"
    assert run.folder is None


def test_run_prints_its_report(run):
    """``print(run)`` and a notebook show the report, and ``repr`` is one line."""
    assert str(run) == run.report == run._repr_markdown_()
    assert run.report.startswith("# Reward model: travel-modes\n")
    assert repr(run) == (
        "TrainingRun('travel-modes', LinearScorer(n_features=6), converged, held-out loss 0.4333, accuracy 0.841)"
    )


@pytest.mark.parametrize("seed", [0, 3])
def test_a_run_can_be_repeated_from_its_report(seed):
    """The report names the seed, and with it the pairs that were held out are found again."""
    run = train(seed=seed)
    said = re.search(r"The seed of the run was (\d+)\.", run.report)
    training, held_out = bt.datasets.travel_modes().split(0.2, seed=int(said[1]))
    np.testing.assert_array_equal(run.held_out.chosen, held_out.chosen)
    np.testing.assert_array_equal(run.training.chosen, training.chosen)


def test_run_as_a_dict_is_what_the_command_line_prints(undrawn, tmp_path, capsys):
    """``to_dict`` is ready for JSON and the same as ``bradley-terry train --json``."""
    assert main(["train", "baseball", "--json", "--out", str(tmp_path / "a")]) == 0
    printed = json.loads(capsys.readouterr().out)
    run = train("baseball", out=tmp_path / "b")
    assert printed.pop("out") == str(tmp_path / "a")
    expected = json.loads(json.dumps(run.to_dict()))
    assert expected.pop("out") == str(run.folder) == str(tmp_path / "b")
    assert printed == expected
    assert printed["held_out"] is None
    assert printed["weights"][0]["name"] == "Milwaukee"


def test_save_writes_a_model_that_loads_again(run, undrawn, tmp_path):
    """The paths are returned; an existing folder is refused without ``force``."""
    paths = run.save(tmp_path / "new" / "run")
    assert [path.name for path in paths] == ["model.npz", "history.csv", "report.md"]
    assert all(path.exists() for path in paths)
    for path in (paths[0], paths[0].parent):
        np.testing.assert_array_equal(load_model(path).phi, run.model.phi)
    with pytest.raises(ValueError, match=r"^folder: expected a new folder, got .*force=True"):
        run.save(tmp_path / "new" / "run")
    assert len(run.save(tmp_path / "new" / "run", force=True)) == 3


@pytest.mark.parametrize("data", ["travel-modes", "citations"])
def test_drawn_margins_are_the_evaluated_ones(data, undrawn, tmp_path):
    """The histogram shows the margins behind the numbers of the report, with their weights."""
    run = train(data, out=tmp_path / "out")
    ((_, evaluation, margins, _), _) = undrawn[0]
    pairs = run.training if run.held_out is None else run.held_out
    assert evaluation is run.evaluation
    assert margins is None  # those of the evaluation are drawn
    assert evaluation.weights is pairs.weights
    assert np.average(evaluation.margins, weights=pairs.weights) == pytest.approx(evaluation.margin_mean, rel=1e-13)
    weights = np.ones(len(pairs)) if pairs.weights is None else pairs.weights
    total = evaluation.mean_loss * pairs.total_weight
    assert bt.pair_losses(evaluation.margins) @ weights == pytest.approx(total, rel=1e-13)


def test_train_takes_paths_names_and_pairs(tmp_path):
    """The same pairs give the same model however they are given, and so do a scorer and its name."""
    pairs = bt.datasets.citations()
    bt.datasets.save_pairs(pairs, tmp_path / "journals.npz")
    by_path, by_text, given = train(tmp_path / "journals.npz"), train(str(tmp_path / "journals.npz")), train(pairs)
    expected = train("citations").model.phi
    for run in (by_path, by_text, given, train(pairs, scorer=bt.TableScorer(4))):
        np.testing.assert_array_equal(run.model.phi, expected)
    assert (by_path.name, by_text.name, given.name) == ("journals", "journals", "pairs")


@pytest.mark.parametrize("standardise", [None, pytest.param(False, marks=pytest.mark.full)])
@pytest.mark.full
def test_mlp_is_standardised_unless_told_otherwise(standardise):
    """By default, an MLP is fitted on standardised features."""
    pairs = bt.datasets.travel_modes().subset(np.arange(15))
    training, held_out = pairs.split(0.2)
    expected = bt.fit(bt.MLPScorer(6, 2), training, validation=held_out, standardise=standardise is None)
    found = train(pairs, scorer="mlp", hidden=2, standardise=standardise)
    np.testing.assert_array_equal(found.model.phi, expected.phi)


def test_example_can_be_left_out(run):
    """Without the example, the report and the dict lack it, and everything else is the same."""
    without = train(example=False)
    assert without.example == ""
    assert without.to_dict()["example"] is None
    assert run.report == f"{without.report}\n## One example\n\n{run.example}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scorer": "forest"}, r"^scorer: expected 'linear', 'mlp', 'table' or a scorer, got 'forest'"),
        ({"data": "citations", "scorer": "mlp"}, r"^scorer: expected data with features for the scorer mlp, but cit"),
        ({"scorer": "table"}, r"^scorer: expected data with item numbers for the scorer table, but travel-modes holds"),
        ({"hidden": 3}, r"^hidden: expected only with the scorer mlp, got the scorer linear"),
        ({"scorer": "mlp", "hidden": 2.5}, r"^hidden: expected a whole number of at least 1, got 2.5"),
        ({"data": "citations", "standardise": True}, r"^standardise: expected data with features"),
        ({"seed": "3"}, r"^seed: expected a whole number of at least 0, got '3'"),
        ({"method": "lbfgs"}, r"^method: expected one of newton, gradient_descent, adam, got 'lbfgs'"),
        ({"backend": "cuda"}, r"^backend: expected"),
        ({"l2": -1.0}, r"^l2: expected"),
        ({"data": "nothing.csv"}, r"^nothing.csv: there is no such file; .* travel-modes, citations, baseball"),
    ],
)
def test_train_refuses_in_one_sentence(arguments, words):
    """The message names the argument as it is called in Python."""
    with pytest.raises((ValueError, FileNotFoundError), match=words) as refused:
        train(**arguments)
    assert "\n" not in str(refused.value)


def test_train_refuses_an_existing_folder_before_the_work(tmp_path, monkeypatch):
    """Nothing is read or fitted, and nothing is written."""
    monkeypatch.setattr("bradley_terry.commands.train.find_data", lambda _: pytest.fail("the data were read"))
    with pytest.raises(ValueError, match=r"^out: expected a new folder"):
        train(out=tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(PermissionError, match="cannot be written to"):
        train(out=tmp_path / "file" / "run")


# --------------------------------------------------------------------------------------------- data, evaluate, check


def test_data_that_ship_are_found_by_name_unless_a_file_has_it(tmp_path, monkeypatch):
    """A file called citations takes precedence over the data set, but a folder of that name does not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "citations").mkdir()
    assert find_data("citations").pairs.n_items == 4
    (tmp_path / "baseball").write_text("chosen,rejected\na,b\n", encoding="utf-8")
    with pytest.raises(ValueError, match="baseball"):  # it has no ending that tells its format
        find_data("baseball")


def test_items_are_matched_by_name():
    """Pairs that number the items differently get the numbers of the model, and everything else stays."""
    pairs = bt.datasets.citations()
    model = bt.fit(bt.TableScorer(4), pairs)
    order = np.array([2, 0, 3, 1])  # old number of each new item
    new = np.argsort(order)
    renamed = bt.PreferencePairs(
        new[pairs.chosen],
        new[pairs.rejected],
        prompts=pairs.prompts,
        weights=pairs.weights,
        feature_names=[pairs.feature_names[i] for i in order],
    )
    found = matched(model, renamed)
    np.testing.assert_array_equal(found.chosen, pairs.chosen)
    np.testing.assert_array_equal(found.rejected, pairs.rejected)
    np.testing.assert_array_equal(found.weights, pairs.weights)
    np.testing.assert_array_equal(found.prompts, pairs.prompts)
    assert found.feature_names == pairs.feature_names
    assert model.evaluate(found).mean_loss == model.evaluate(pairs).mean_loss
    assert matched(model, pairs) is pairs


def test_pairs_that_do_not_match_are_refused():
    """Pairs for another kind of scorer, with an unknown item, or with other or reordered features are refused."""
    table = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1, 0], [1, 0, 1], feature_names=["a", "b"]))
    linear = bt.fit(bt.LinearScorer(2), bt.PreferencePairs(np.eye(2), np.eye(2)[::-1], feature_names=["x", "y"]))
    features = bt.PreferencePairs([[1.0, 2.0]], [[0.0, 1.0]], feature_names=["y", "x"])
    with pytest.raises(ValueError, match=r"^mine.csv: expected pairs for TableScorer\(n_items=2\), got Preference"):
        matched(table, features, name="mine.csv")
    with pytest.raises(ValueError, match=r"^pairs: expected items that the model was trained on, got 'c'"):
        matched(table, bt.PreferencePairs([0], [1], feature_names=["a", "c"]))
    with pytest.raises(ValueError, match=r"^pairs: expected the features of the model \(x, y\), got them in another"):
        matched(linear, features)
    with pytest.raises(ValueError, match=r"^pairs: expected the features of the model \(x, y\), got 'z'"):
        matched(linear, bt.PreferencePairs([[1.0, 2.0]], [[0.0, 1.0]], feature_names=["x", "z"]))


def test_items_that_only_others_know_may_be_named():
    """A name that no pair uses does not matter."""
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs([0, 1, 0], [1, 0, 1], feature_names=["a", "b"]))
    found = matched(model, bt.PreferencePairs([2], [0], feature_names=["a", "unused", "b"]))
    assert (found.chosen[0], found.rejected[0]) == (1, 0)


def test_own_gradients_pass():
    """There is a report for each scorer of the kind that was asked for, and all pass."""
    found = check_own_gradients("mlp")
    assert list(found) == [bt.MLPScorer(4, 5, "tanh"), bt.MLPScorer(4, 5, "relu")]
    assert all(report.passed for report in found.values())
    with pytest.raises(ValueError, match=r"^scorer: expected one of linear, mlp, table, got 'forest'"):
        check_own_gradients("forest")


def test_data_of_another_kind_are_refused_by_naming_what_is_expected():
    """A number is no data; the message names files, data sets and pairs."""
    with pytest.raises(TypeError, match=r"^data: expected a file, the name of a data set or PreferencePairs, got 42$"):
        train(42)


def test_report_of_labelled_pairs_says_who_was_preferred():
    """With labels, the accuracy is about the preferred answer, and the example says which one the person preferred."""
    pairs = bt.PreferencePairs([[1.0], [2], [0]], [[0.0], [1], [1]], labels=[0, 0.9, 0.5])
    report = str(train(pairs, validation=0, l2=0.1))
    assert "in which the preferred answer has the higher reward (a pair labelled as a tie counts one half)" in report
    assert "gives the answer called chosen the reward" in report
    assert "the one called rejected, which the person preferred, " in report
    assert "the chosen answer has the higher reward" not in report
