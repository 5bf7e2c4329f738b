"""Ties that count as half a win: how wrong the information's errors are, and what summaries and reports show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import losses
from bradley_terry.bench.coverage import SCENARIOS, TIES
from bradley_terry.commands import main
from bradley_terry.uncertainty.half_wins import SENTENCE, has_half_wins, reported_errors

TIED = next(scenario for scenario in SCENARIOS if "ties" in scenario.name)


def one_item_each(n_wins, n_ties, n_losses):
    """Return games of two equal items."""
    labels = [1.0] * n_wins + [0.5] * n_ties + [0.0] * n_losses
    return bt.PreferencePairs(np.zeros(len(labels), dtype=int), np.ones(len(labels), dtype=int), labels=labels)


# ---------------------------------------------------------------------------------------------------- known value


def test_between_equal_items_the_information_is_too_large_by_a_known_factor() -> None:
    """With 39 ties in 100 games of equals it is √(1/(1 - 0.39)) = 1.28, up to the factor G/(G - 1)."""
    for wins, ties in ((30, 39), (10, 79), (50, 0)):
        n = 2 * wins + ties
        model = bt.fit(bt.TableScorer(2), one_item_each(wins, ties, wins))
        information, sandwich = (model.standard_errors(0, kind=kind)[1] for kind in ("information", "sandwich"))
        assert information == pytest.approx(2 / np.sqrt(n), rel=1e-9)
        assert information / sandwich == pytest.approx(np.sqrt((n - 1) / n / (1 - ties / n)), rel=1e-9)


# ----------------------------------------------------------------------------------------------------- statistics


@pytest.mark.full
def test_information_is_thirty_percent_too_large_with_39_percent_ties() -> None:
    """Over 400 simulated fits the sandwich is the spread of the estimates, and the information a third more."""
    rng, phis, information, sandwich, ties = np.random.default_rng(5), [], [], [], []
    for _ in range(400):
        model = TIED.fit(rng)
        phis.append(model.phi)
        information.append(model.standard_errors())
        sandwich.append(model.standard_errors(kind="sandwich"))
        ties.append(np.mean(model.fitted_to.pairs.labels == 0.5))
    assert np.mean(ties) == pytest.approx(0.39, abs=0.005)
    spread = np.std(phis, axis=0, ddof=1)
    # 4 standard errors 1/√(2·400) of a spread
    np.testing.assert_allclose(np.mean(sandwich, axis=0) / spread, 1, atol=4 * 0.036)
    expected = 1 / np.sqrt(1 - TIES / 2)  # by the design: a label has the variance p q (1 - τ/2)
    assert expected == pytest.approx(1.33, abs=0.01)
    np.testing.assert_allclose(np.mean(information, axis=0) / spread, expected, atol=4 * 0.036 * expected)


# -------------------------------------------------------------------------------------------------------- manners


def test_summary_uses_the_sandwich_for_half_wins_and_says_so(rng) -> None:
    """The numbers in the table are those of kind="sandwich"; without ties they are the information's, with no word."""
    pairs = TIED.draw(rng)
    model = bt.fit(bt.LinearScorer(3), pairs)
    text = str(model.summary())
    assert SENTENCE in text
    for error in model.standard_errors(kind="sandwich"):
        assert f"{error:.4g}" in text
    clear = bt.fit(bt.LinearScorer(3), pairs.subset(pairs.labels != 0.5))
    text = str(clear.summary())
    assert "half wins" not in text
    for error in clear.standard_errors():
        assert f"{error:.4g}" in text
    np.testing.assert_array_equal(model.standard_errors(), model.standard_errors(kind="information"))


def test_what_counts_as_a_half_win() -> None:
    """A label between 0 and 1 does, unless weights make it a share of wins, or its weight is 0."""
    pairs = bt.PreferencePairs([0, 1, 0], [1, 0, 1], labels=[0.5, 1, 0])
    assert has_half_wins(pairs)
    assert has_half_wins(replace(pairs, labels=[0.7, 1, 0]))
    assert has_half_wins(replace(pairs, weights=[2, 1, 1]))
    assert not has_half_wins(replace(pairs, labels=None))
    assert not has_half_wins(replace(pairs, labels=[0, 1, 0]))
    assert not has_half_wins(replace(pairs, weights=[0, 1, 1]))
    assert not has_half_wins(replace(pairs, weights=[9, 1, 1], labels=[0.7, 0.5, 0.2]))  # wins in 9 games
    assert not has_half_wins(None)


def test_reports_choose_the_clusters_that_the_data_have(rng) -> None:
    """Counted games without prompts are independent votes; too few prompts leave the information, with a warning."""
    i = rng.integers(4, size=120)
    j, t = (i + rng.integers(1, 4, 120)) % 4, rng.choice([0, 0.5, 1], 120)
    counted = bt.PreferencePairs(i, j, labels=t, weights=rng.integers(1, 4, 120))
    model = bt.fit(bt.TableScorer(4), counted)
    found = reported_errors(model)
    np.testing.assert_allclose(found.errors, model.standard_errors(kind="sandwich", clusters="votes"))
    few = bt.fit(bt.TableScorer(4), bt.PreferencePairs(i, j, labels=t, prompts=i % 2))
    found = reported_errors(few)
    np.testing.assert_array_equal(found.errors, few.standard_errors())
    assert "too few prompts" in found.sentence
    other = bt.fit(bt.TableScorer(4), counted, loss=losses.RaoKupper())
    assert reported_errors(other).sentence == ""
    islands = bt.fit(bt.TableScorer(4), bt.PreferencePairs([0, 1, 2, 3], [1, 0, 3, 2], labels=[0.5] * 4))
    with pytest.raises(ValueError, match=r"^standard errors: 1 direction"):
        reported_errors(islands)


@pytest.mark.full
def test_report_of_train_shows_the_sandwich_for_ties(tmp_path, capsys, rng) -> None:
    """The report has the sandwich's errors and the same sentence, for features and for items, on the command line."""
    i = rng.integers(4, size=300)
    items = bt.PreferencePairs(i, (i + rng.integers(1, 4, 300)) % 4, labels=rng.choice([0, 0.5, 1], 300))
    for pairs in (TIED.draw(rng), items):
        run = bt.train(pairs)
        assert SENTENCE in run.report
        by_name = {f"{'item' if pairs.is_items else 'feature'} {k}": k for k in range(run.model.phi.size)}
        errors = run.model.standard_errors(kind="sandwich")
        for weight in run.weights:
            assert weight.standard_error == pytest.approx(errors[by_name[weight.name]], rel=1e-12)
            assert f"{weight.standard_error:.4g}" in run.report
        clear = bt.train(pairs.subset(pairs.labels != 0.5))
        assert "half wins" not in clear.report
    lines = ["x_chosen,y_chosen,x_rejected,y_rejected,label"]
    tied = TIED.draw(rng)
    for a, b, t in zip(tied.chosen.tolist(), tied.rejected.tolist(), tied.labels.tolist(), strict=True):
        lines.append(f"{a[0]},{a[1]},{b[0]},{b[1]},{t}")
    (tmp_path / "ties.csv").write_text("\n".join(lines) + "\n")
    assert main(["train", str(tmp_path / "ties.csv")]) == 0
    assert SENTENCE in capsys.readouterr().out


def test_contests_without_prompts_are_independent_of_each_other(tmp_path, rng) -> None:
    """A loader takes the matchup for the prompt; six clusters would give errors that are far too small.

    For equal items and a share τ of ties, they are √(1 - τ) times those of the information.
    """
    path, names = tmp_path / "contests.csv", ["Ann", "Bob", "Cem", "Dee"]
    lines = ["model_a,model_b,winner"]
    for _ in range(2000):
        a, b = rng.choice(4, 2, replace=False)
        lines.append(f"{names[a]},{names[b]},{rng.choice(['model_a', 'model_b', 'tie'], p=[0.3, 0.3, 0.4])}")
    path.write_text("\n".join(lines))
    pairs = bt.load_pairs(path)
    assert pairs.n_prompts == 6
    model = bt.fit(bt.TableScorer(4), pairs)
    found = model.standard_errors(kind="sandwich")
    one_by_one = model.standard_errors(kind="sandwich", clusters=np.arange(2000))
    np.testing.assert_allclose(found, one_by_one, rtol=1e-12)
    np.testing.assert_allclose(found, np.sqrt(0.6) * model.standard_errors(), rtol=0.06)
    asked = replace(pairs, prompts=[f"question {i}" for i in pairs.prompt_index])
    assert not np.allclose(bt.fit(bt.TableScorer(4), asked).standard_errors(kind="sandwich"), found, rtol=0.01)
