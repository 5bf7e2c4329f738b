"""What the report says must be so."""

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands.report import example_in_words, judgement, markdown, weights_by_strength


def report_on(model, pairs, held_out=None):
    return markdown(
        model,
        name="test",
        training=pairs,
        training_evaluation=model.evaluate(pairs),
        held_out_evaluation=None if held_out is None else model.evaluate(held_out),
        weights=weights_by_strength(model, pairs),
        example=example_in_words(model, pairs.subset([0])),
    )


def test_strength_is_weight_times_typical_difference():
    """|w| times the root mean square of x_chosen - x_rejected, largest first."""
    pairs = bt.datasets.travel_modes()
    model = bt.fit(bt.LinearScorer(6), pairs)
    weights = weights_by_strength(model, pairs)
    typical = np.sqrt(np.mean((pairs.chosen - pairs.rejected) ** 2, axis=0))
    want = dict(zip(pairs.feature_names, np.abs(model.phi) * typical, strict=True))
    assert [w.strength for w in weights] == sorted(want.values(), reverse=True)
    assert {w.name: w.strength for w in weights} == pytest.approx(want)


def test_table_is_listed_strongest_first():
    """Items by reward, with standard errors of rewards that sum to zero."""
    pairs = bt.datasets.citations()
    weights = weights_by_strength(bt.fit(bt.TableScorer(4), pairs), pairs)
    assert [w.name for w in weights] == ["JRSS-B", "Biometrika", "JASA", "Comm Statist"]
    assert weights[0].standard_error == pytest.approx(0.05304699, abs=5e-9)  # expected.csv of the citations


def test_training_loss_of_the_report_has_no_penalty_in_it():
    """With l2 the last line of the fit's table is the mean loss of the pairs, comparable with log 2."""
    pairs = bt.datasets.travel_modes()
    model = bt.fit(bt.LinearScorer(6), pairs, l2=0.05)
    mean_loss = model.evaluate(pairs).mean_loss
    assert model.history["loss"][-1] > mean_loss + 0.01
    assert f"{mean_loss:.6f}" in report_on(model, pairs)


@pytest.mark.parametrize(
    ("label", "sentence"),
    [(1.0, "It agrees with the person"), (0.1, "The person chose otherwise"), (0.5, "The person called it a tie")],
)
def test_example_knows_whom_the_person_preferred(label: float, sentence: str):
    """A label below one half means that the rejected answer was preferred."""
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], labels=[0.8, 0.4]))
    assert sentence in example_in_words(model, bt.PreferencePairs([[1.0]], [[0.0]], labels=[label]))


def test_example_takes_the_target_margin_into_account():
    """Probability and price are those of Δ - m, and the two margins are both named."""
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], labels=[0.9, 0.1]))
    said = example_in_words(model, bt.PreferencePairs([[1.0]], [[0.0]], target_margins=[2.0]))
    z = np.log(9) - 2
    assert f"{1 / (1 + np.exp(-z)):.0%}" in said
    assert f"{np.log1p(np.exp(-z)):.3f} nats" in said
    assert "after the target margin" in said


def test_report_says_what_is_not_sure():
    """Few prompts, features that never differ, a fit without a minimum: each gets its sentence."""
    pairs = bt.PreferencePairs([[1.0, 5.0], [2.0, 5.0]], [[0.0, 5.0], [0.0, 5.0]], feature_names=["a", "b"])
    with pytest.warns(bt.ConvergenceWarning, match="no finite minimum"):
        model = bt.fit(bt.LinearScorer(2), pairs)
    said = report_on(model, pairs)
    assert "**Did not converge**" in said
    assert "not an estimate" in said
    assert "With only 2 prompts" in said
    assert "they never differ between two answers: 1 feature." in said


def test_report_says_that_early_stopping_flatters():
    """Prompts that chose the stopping point are not quite fair judges of it."""
    training, held_out = bt.datasets.travel_modes().split(seed=1)
    model = bt.fit(bt.MLPScorer(6, 4), training, validation=held_out, standardise=True, patience=3)
    said = report_on(model, training, held_out)
    assert "Stopped early" in said
    assert "flatter a little" in said


def test_judgement_shows_quality_and_calibration():
    """``evaluate`` prints loss beside log 2 and the bins of the reliability diagram."""
    pairs = bt.datasets.travel_modes()
    said = judgement(bt.fit(bt.LinearScorer(6), pairs).evaluate(pairs))
    assert "0.6931 = log 2" in said
    assert "mean predicted" in said
