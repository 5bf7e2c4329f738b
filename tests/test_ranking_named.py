"""Losses by name: ``bradley-terry train --loss``, ``bt.train(loss=…)``, and what the report says of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from bradley_terry.cli import main

import bradley_terry as bt
from bradley_terry import losses
from bradley_terry.ranking.named import NAMES, loss_named


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("hinge", losses.Hinge()),
        ("hinge:delta=2", losses.Hinge(2)),
        ("label-smoothing:epsilon=0.1", losses.LabelSmoothing(0.1)),
        ("noisy-choice:epsilon=1e-3", losses.NoisyChoice(0.001)),
        ("temperature:T=2", losses.Temperature(2)),
        ("rao-kupper", losses.RaoKupper()),
        ("davidson:nu=.5", losses.Davidson(0.5)),
        ("ordinal:n_levels=5", losses.Ordinal(5)),
        ("square:target=0.5", losses.Square(0.5)),
        ("probit", losses.Probit()),
    ],
)
def test_a_name_stands_for_a_loss(text, loss) -> None:
    assert loss_named(text) == loss


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hinges", "loss: expected one of bradley-terry, davidson, exponential, .*, got 'hinges'"),
        ("hinge:gamma=2", "loss: expected one of delta for hinge, got 'gamma'"),
        ("probit:x=1", "loss: expected no parameters for probit, got 'x'"),
        ("hinge:delta=two", "loss: expected a number for delta of hinge, got 'two'"),
        ("hinge:delta", "loss: expected a number for delta of hinge, got ''"),
        ("focal", "loss: expected focal:gamma=…, since focal needs gamma"),
        ("robust:epsilon=0.6", "epsilon: expected a finite number of at least 0 and below 0.5, got 0.6"),
        ("", "loss: expected one of .*, got ''"),
    ],
)
def test_a_wrong_name_or_parameter_is_one_sentence(text, words) -> None:
    with pytest.raises(ValueError, match=words):
        loss_named(text)


def test_every_loss_of_the_family_has_a_name() -> None:
    assert len(NAMES) == 18  # 16 of pairs and 2 of rankings


@pytest.mark.full
def test_train_takes_a_loss_and_the_report_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b = rng.integers(5, size=(2, 80))
    pairs = bt.PreferencePairs(a[a != b], b[a != b], labels=rng.choice([0.0, 0.5, 1.0], (a != b).sum()))
    bt.datasets.save_pairs(pairs, "ties.npz")
    assert main(["train", "ties.npz", "--loss", "rao-kupper", "--out", "run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    model = bt.RewardModel.load("run/model.npz")
    assert said["loss"] == repr(model.loss)
    assert model.loss == bt.fit(bt.TableScorer(5), pairs, loss=losses.RaoKupper()).loss
    assert f"with the loss {model.loss}" in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert f"loss        {model.loss}\n" in str(model.summary())
    assert main(["train", "ties.npz", "--loss", "hinge:delta=x", "--out", "other"]) == 2
    assert "--loss: expected a number for delta of hinge" in capsys.readouterr().err


def test_help_of_train_names_every_loss(capsys: pytest.CaptureFixture[str]) -> None:
    """A user need not look for the names elsewhere."""
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.replace("-\n", "-").split()).replace("- ", "-")
    assert [name for name in NAMES if name not in said and name != "bradley-terry"] == []
