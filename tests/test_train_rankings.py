"""``bradley-terry train`` with the losses of rankings."""

from __future__ import annotations

import json

import numpy as np
import pytest
from real_rankings import oasst

import bradley_terry as bt
from bradley_terry.commands import main


@pytest.mark.full
def test_train_fits_rankings(capsys, tmp_path, monkeypatch) -> None:
    """On the travel modes, --loss plackett-luce finds the conditional logit that Greene and Hensher published."""
    monkeypatch.chdir(tmp_path)
    run = bt.train("travel-modes", loss="plackett-luce", validation=0)
    published = [-0.015502, -0.096125, 0.013287, 5.207443, 3.869043, 3.163194]
    np.testing.assert_allclose(run.model.phi, published, rtol=0, atol=5e-7)
    assert run.model.history["loss"][-1] * 210 == pytest.approx(199.128369, abs=5e-7)
    assert "with the loss PlackettLuce()" in run.report
    assert "averages over the training rankings. The loss in this table is PlackettLuce()" in run.report
    assert "all pairs as independent" not in run.report
    given = bt.train(bt.datasets.travel_modes(as_choices=True), validation=0)
    assert given.model.phi.tolist() == run.model.phi.tolist()
    arguments = ["train", "travel-modes", "--loss", "plackett-luce", "--validation", "0", "--json", "--out", "run"]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["loss"] == "PlackettLuce()"
    assert [weight["estimate"] for weight in printed["weights"]] == pytest.approx(
        [published[i] for i in (1, 3, 4, 5, 0, 2)], abs=5e-7
    )
    assert bt.RewardModel.load(tmp_path / "run" / "model.npz").phi.tolist() == run.model.phi.tolist()


@pytest.mark.full
@pytest.mark.parametrize("loss", ["plackett-luce", "list-net", "list-net:scale=2"])
def test_train_holds_out_whole_rankings(loss, tmp_path) -> None:
    """A fifth of the rankings of texts is held out, and texts have the penalty 0.03 as they have as pairs."""
    path = oasst(tmp_path / "a.jsonl")
    run = bt.train(path, loss=loss)
    assert run.training.n_prompts + run.held_out.n_prompts == 212
    assert run.held_out.n_prompts == round(0.2 * 212)
    assert len(run.training) + len(run.held_out) == 754
    assert run.model.l2 == 0.03
    rankings = bt.load_rankings(path)
    kept = ~np.isin(np.arange(212), run.held_out.prompts)
    expected = bt.fit(run.model.scorer, rankings.subset(kept), l2=0.03, loss=run.model.loss)
    np.testing.assert_allclose(run.model.phi, expected.phi, rtol=0, atol=1e-9)


def test_train_says_what_a_loss_of_rankings_needs() -> None:
    """Pairs, and data sets that are no rankings, are refused in a sentence."""
    with pytest.raises(
        ValueError, match="data: expected a file of rankings or travel-modes for a loss of rankings, got cit"
    ):
        bt.train("citations", loss="plackett-luce")
    with pytest.raises(TypeError, match="data: expected a file or PreferenceRankings for a loss of rankings, got Pref"):
        bt.train(bt.datasets.citations(), loss=bt.losses.PlackettLuce())
    with pytest.raises(
        TypeError, match=r"loss: expected PlackettLuce\(\) or ListNet\(\) with PreferenceRankings, got Hinge"
    ):
        bt.train(bt.datasets.travel_modes(as_choices=True), loss="hinge")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        bt.train("nowhere.jsonl", loss="list-net")
