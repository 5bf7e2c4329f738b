"""What train and evaluate say about length, about repeated judgements, and about losses that are not -log sigma."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.calibration import length_baseline, pair_agreement
from bradley_terry.commands import main
from bradley_terry.commands.report import judgement

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Return a file of 120 pairs of texts, of which the longer one was chosen in about three quarters."""
    rng = np.random.default_rng(11)
    path = tmp_path_factory.mktemp("texts") / "answers.jsonl"
    lines = []
    for i in range(120):
        short, long = (" ".join(rng.choice(WORDS, size=n)) for n in (rng.integers(1, 6), rng.integers(6, 15)))
        chosen, rejected = (long, short) if rng.random() < 0.75 else (short, long)
        lines.append(json.dumps({"prompt": f"question {i // 2}", "chosen": chosen, "rejected": rejected}))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def row_of(report: str, name: str) -> list[str]:
    """Return the cells of a row of a table of the report."""
    line = next(line for line in report.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


@pytest.mark.full
def test_the_accuracy_of_the_longer_answer_is_beside_that_of_texts(texts) -> None:
    """In the table of ``train``: both columns, with intervals; the length alone is fitted to the training pairs."""
    run = bt.train(texts, example=False)
    for column, pairs in enumerate((run.training, run.held_out)):
        want = length_baseline(pairs, fitted_to=run.training)
        low, high = want.accuracy_interval
        shown = f"{want.accuracy:.3f} [{low:.3f}, {high:.3f}]"
        assert row_of(run.report, "accuracy of the longer answer")[column] == shown
        assert row_of(run.report, "mean loss of the length alone")[column] == f"{want.mean_loss:.4f}"
    gain = run.evaluation.accuracy - length_baseline(run.held_out).accuracy
    assert (
        f"on the held-out pairs differs from that of the longer answer by {gain:+.3f}, with a 95 % interval"
        in run.report
    )


def test_train_has_it_in_json(texts) -> None:
    """The numbers of the held-out pairs, with the slope of the training pairs."""
    run = bt.train(texts, example=False)
    found = json.loads(json.dumps(run.to_dict(), allow_nan=False))["length_only"]
    want = length_baseline(run.held_out, fitted_to=run.training)
    assert (found["accuracy"], found["slope"]) == (want.accuracy, want.slope)
    assert found["gain"] == run.evaluation.accuracy - want.accuracy


@pytest.mark.full
def test_evaluate_has_it_too(texts, tmp_path, capsys) -> None:
    """In words, and in JSON under length_only."""
    run = bt.train(texts, example=False)
    run.model.save(tmp_path / "model.npz")
    assert main(["evaluate", str(tmp_path), str(texts)]) == 0
    said = capsys.readouterr().out
    want = length_baseline(bt.load_pairs(texts))
    assert row_of(said, "accuracy of the longer answer")[0].startswith(f"{want.accuracy:.3f} [")
    assert main(["evaluate", str(tmp_path), str(texts), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["length_only"]["accuracy"] == want.accuracy
    assert found["length_only"]["gain"] == pytest.approx(found["accuracy"] - want.accuracy, abs=1e-15)


def test_a_model_that_knows_more_than_length_is_said_to(texts) -> None:
    """A model with the right answer for every pair is clearly better than the length; one of the length is not."""
    pairs = bt.load_pairs(texts)
    length = bt.RewardModel(bt.LinearScorer(pairs.n_features), np.eye(pairs.n_features)[0], {}, True, "")
    said = judgement(length.evaluate(pairs), pairs, model=length)
    interval = "with a 95 % interval from +0.000 to +0.000"
    assert f"by +0.000, {interval}, so this difference may be chance. Compare the losses, too." in said
    oracle = bt.PreferencePairs(
        np.c_[pairs.chosen, np.ones(len(pairs))],
        np.c_[pairs.rejected, np.zeros(len(pairs))],
        prompts=pairs.prompts,
        feature_names=[*pairs.feature_names, "truth"],
    )
    model = bt.RewardModel(bt.LinearScorer(pairs.n_features + 1), np.eye(pairs.n_features + 1)[-1], {}, True, "")
    assert "so the model has learned more than length." in judgement(model.evaluate(oracle), oracle, model=model)


def test_other_data_have_no_length() -> None:
    """Numbers and items are no texts, so nothing is said about length, and pairs judged once have no agreement."""
    run = bt.train("travel-modes", example=False)
    assert "longer answer" not in run.report
    assert "Krippendorff" not in run.report


def test_repeated_judgements_are_reported_with_the_ceiling() -> None:
    """For answers and, in other words, for items."""
    rng = np.random.default_rng(2)
    x, prompts = rng.normal(size=(20, 2)), np.arange(20)
    wins = rng.random(60) < 0.7
    a, b = np.repeat(x, 3, axis=0), np.repeat(rng.normal(size=(20, 2)), 3, axis=0)
    pairs = bt.PreferencePairs(
        np.where(wins[:, None], a, b), np.where(wins[:, None], b, a), prompts=np.repeat(prompts, 3)
    )
    model = bt.fit(bt.LinearScorer(2), pairs)
    found, said = pair_agreement(pairs), judgement(model.evaluate(pairs), pairs, model=model)
    assert "20 pairs of answers were judged more than once (60 judgements)." in said
    assert f"with a probability of {found.agreement:.3f}. Krippendorff's α is {found.alpha:.3f}" in said
    assert f"no model can have an accuracy above {found.accuracy_ceiling:.3f}" in said
    citations = bt.datasets.citations()
    found = pair_agreement(citations)
    said = bt.train("citations", example=False).report
    assert "In 6 cases, the same two items were compared more than once (3,727 comparisons)." in said
    assert f"above {found.accuracy_ceiling:.3f}, because it is wrong about one of two outcomes that differ." in said


@pytest.mark.full
def test_a_loss_that_only_orders_has_a_report_without_probabilities(tmp_path) -> None:
    """Accuracy, margins and two figures; dashes for the rest, and no word of a probability in the example."""
    run = bt.train("travel-modes", loss="hinge", out=tmp_path / "run")
    said = run.report
    for name in ("mean loss", "Brier score", "calibration error"):
        assert row_of(said, name)[:2] == ["–", "–"]
    assert float(row_of(said, "pairwise accuracy")[0][:5]) > 0.7
    assert "nan" not in said.replace("finance", "")
    assert "which gives the chosen answer a probability" not in said
    assert "bt.calibration.fit_temperature" in said
    assert "reliability.svg" not in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert not (tmp_path / "run" / "reliability.svg").exists()
    assert (tmp_path / "run" / "margins.svg").exists()
    json.dumps(run.to_dict(), allow_nan=False)


@pytest.mark.full
def test_a_probit_report_uses_the_normal_distribution() -> None:
    """The example's probability is Φ(Δ), and the losses of the two tables agree."""
    run = bt.train("travel-modes", loss="probit", validation=0)
    margin = run.model.margins(run.training.subset([0]))[0]
    p = float(bt.losses.Probit().probability(margin))
    assert f"a probability of {p:.0%}." in run.report
    assert f"{run.training_evaluation.mean_loss:.6f}" == f"{run.model.history['loss'][-1]:.6f}"
    assert "−log p(Δ)" in run.report


def test_an_infinite_loss_is_explained() -> None:
    """The square loss makes large margins certain, and a certain mistake costs infinitely much."""
    pairs = bt.PreferencePairs([[5.0], [-5.0]], [[0.0], [0.0]])
    model = bt.RewardModel(bt.LinearScorer(1), np.ones(1), {}, True, "", loss=bt.losses.Square(1.0))
    said = judgement(model.evaluate(pairs), pairs, model=model)
    assert row_of(said, "mean loss")[0] == "inf"
    assert "An infinite loss means that the model gave a probability of 0 to a choice that was made" in said


def test_a_table_names_the_probability_of_its_loss() -> None:
    """In words: the first item against the last, with Φ of the difference of their rewards."""
    run = bt.train("citations", loss="probit", example=False)
    phi = np.sort(run.model.phi)
    p = float(bt.losses.Probit().probability(phi[-1] - phi[0]))
    assert f"gives JRSS-B a probability of {p:.0%} of being chosen over Comm Statist." in run.report
