"""What the report says is true, in words that suit the data."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands.report import example_in_words, judgement, markdown, weights_by_strength


def report_on(model, pairs, held_out=None, **rest):
    return markdown(
        model,
        name="test",
        training=pairs,
        training_evaluation=model.evaluate(pairs, n_bootstrap=50),
        held_out_evaluation=None if held_out is None else model.evaluate(held_out, n_bootstrap=50),
        weights=weights_by_strength(model, pairs),
        example=example_in_words(model, pairs.subset([0])),
        **rest,
    )


@pytest.fixture(scope="module")
def journals():
    pairs = bt.datasets.citations()
    return bt.fit(bt.TableScorer(4), pairs), pairs


@pytest.fixture(scope="module")
def travellers():
    pairs = bt.datasets.travel_modes()
    return bt.fit(bt.LinearScorer(6), pairs), pairs


# ----------------------------------------------------------------------------------------------------- known numbers


def test_strength_is_weight_times_typical_difference(travellers):
    """|w| times the root mean square of x_chosen - x_rejected, largest first."""
    model, pairs = travellers
    weights = weights_by_strength(model, pairs)
    typical = np.sqrt(np.mean((pairs.chosen - pairs.rejected) ** 2, axis=0))
    want = dict(zip(pairs.feature_names, np.abs(model.phi) * typical, strict=True))
    assert [w.strength for w in weights] == sorted(want.values(), reverse=True)
    assert {w.name: w.strength for w in weights} == pytest.approx(want)


def test_table_is_listed_strongest_first(journals):
    """Items are listed by reward, with standard errors of rewards that sum to zero."""
    weights = weights_by_strength(*journals)
    assert [w.name for w in weights] == ["JRSS-B", "Biometrika", "JASA", "Comm Statist"]
    assert weights[0].standard_error == pytest.approx(0.05304699, abs=5e-9)  # expected.csv of the citations
    p = bt.preference_probability(weights[0].estimate, weights[-1].estimate)
    assert f"gives JRSS-B a probability of {p:.0%} of being chosen over Comm Statist." in report_on(*journals)


def test_training_loss_of_the_report_has_no_penalty_in_it():
    """With l2, the last line of the table of the fit is the mean loss of the pairs, comparable with log 2."""
    pairs = bt.datasets.travel_modes()
    model = bt.fit(bt.LinearScorer(6), pairs, l2=0.05)
    mean_loss = model.evaluate(pairs, n_bootstrap=1).mean_loss
    assert model.history["loss"][-1] > mean_loss + 0.01
    said = report_on(model, pairs)
    assert f"{mean_loss:.6f}" in said
    assert "L2 penalty of 0.05" in said
    assert "The loss does not include the penalty" in said


# ----------------------------------------------------------------------------------------------------------- example


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        (1.0, "The model agrees with the person."),
        (0.1, "The model disagrees with the person."),
        (0.5, "The person called it a tie."),
    ],
)
def test_example_knows_whom_the_person_preferred(label: float, sentence: str):
    """A label below one half means that the rejected answer was preferred."""
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], labels=[0.8, 0.4]))
    assert sentence in example_in_words(model, bt.PreferencePairs([[1.0]], [[0.0]], labels=[label]))


@pytest.mark.parametrize(
    ("label", "sentences"),
    [
        (1.0, ["In this comparison, a was chosen over b.", "agrees with the result."]),
        (0.2, ["In this comparison, b was chosen over a.", "disagrees with the result."]),
        (0.5, ["In this comparison, a met b.", "The comparison was a tie."]),
    ],
)
def test_example_of_a_comparison_names_its_items(label: float, sentences: list[str]):
    """The example says which item was chosen over which, and does not mention a person."""
    comparisons = bt.PreferencePairs([0, 0, 1], [1, 1, 0], feature_names=["a", "b"])
    model = bt.fit(bt.TableScorer(2), comparisons)
    said = example_in_words(model, bt.PreferencePairs([0], [1], labels=[label], feature_names=["a", "b"]))
    assert all(sentence in said for sentence in sentences)
    assert "person" not in said
    assert "gives a a probability of 67%" in said


def test_example_that_cannot_be_told_apart_says_so():
    """With a margin of exactly zero, the model neither agrees nor disagrees."""
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], labels=[0.8, 0.4]))
    assert "cannot tell the two apart" in example_in_words(model, bt.PreferencePairs([[1.0]], [[1.0]]))


def test_example_takes_the_target_margin_into_account():
    """The probability and the loss are those of Δ - m, and both margins are named."""
    model = bt.fit(bt.LinearScorer(1), bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], labels=[0.9, 0.1]))
    said = example_in_words(model, bt.PreferencePairs([[1.0]], [[0.0]], target_margins=[2.0]))
    z = np.log(9) - 2
    assert f"{1 / (1 + np.exp(-z)):.0%}" in said
    assert f"{np.log1p(np.exp(-z)):.3f} nats" in said
    assert f"{z:+.2f} after subtracting the target margin" in said


@pytest.mark.parametrize(("prompt", "n_lines"), [("Why?", 1), ("", 0), (" \n", 0)])
def test_the_example_has_no_line_for_a_prompt_that_is_not_given(prompt, n_lines):
    """Texts without prompts are shown as two answers."""
    pairs = bt.PreferencePairs([[1.0]], [[0.0]])
    said = example_in_words(bt.fit(bt.LinearScorer(1), pairs, l2=1.0), pairs, (prompt, "yes", ""))
    assert said.count("- Prompt: “Why?”") == said.count("Prompt") == n_lines
    assert "- Chosen: “yes”\n- Rejected: “”\n\n" in said


def test_example_has_the_margin_that_is_evaluated():
    """What both answers share cancels before it is weighted. Rewards of 1e16, rounded, would lose the margin."""
    shared, own = np.full((1, 3), 1e16), np.array([[2.0, 0.0, -2.0]])
    pair = bt.PreferencePairs(shared + own, shared)
    both = bt.PreferencePairs(
        np.concatenate([pair.chosen, pair.rejected]), np.concatenate([pair.rejected, pair.chosen]), labels=[0.7, 0.4]
    )
    model = bt.fit(bt.LinearScorer(3), both, l2=0.1)
    margin = model.evaluate(pair, n_bootstrap=1).margin_mean
    assert f"The margin is {margin:+.2f}" in example_in_words(model, pair)
    assert f"{margin:+.2f}" != f"{float(model.reward(pair.chosen)[0] - model.reward(pair.rejected)[0]):+.2f}"


# ------------------------------------------------------------------------------------------------------------- words


def test_comparisons_are_not_called_prompts(journals):
    """Citations are comparisons of items in matchups; there is no prompt, no answer and no person."""
    captions = {
        name: (name, "Of all pairs, an answer to a prompt agrees with the person.")
        for name in ("loss_curve", "margins")
    }
    said = report_on(*journals, figures=captions) + judgement(
        journals[0].evaluate(journals[1], n_bootstrap=50), journals[1]
    )
    assert "3,727 comparisons between 4 items in 6 matchups of two items, stored in 12 rows with weights." in said
    assert said.count("an item to a matchup agrees with the result.") == 2
    assert not re.search("prompt|answer|person|pairs", said)
    counts = [int(n.replace(",", "")) for n in re.findall(r"^\| 0\.\d\d–\d\.\d\d \| +([\d,]+) \|", said, re.MULTILINE)]
    assert sum(counts) == 2 * 3727


def test_comparisons_with_prompts_of_their_own_keep_them(rng):
    """If the items are models that answer the same prompts, the report speaks of prompts."""
    a = rng.integers(3, size=40)
    b = (a + rng.integers(1, 3, size=40)) % 3
    pairs = bt.PreferencePairs(a, b, prompts=np.arange(40) // 2)
    said = report_on(bt.fit(bt.TableScorer(3), pairs, l2=0.1), pairs)
    assert "resampling whole prompts" in said
    assert "40 comparisons between 3 items." in said
    assert "matchup" not in said
    alone = bt.PreferencePairs(a, b)
    assert "resampling whole comparisons" in report_on(bt.fit(bt.TableScorer(3), alone, l2=0.1), alone)


def test_held_out_is_one_word_everywhere():
    """The column of the history is called validation_loss, but the report says held out."""
    training, held_out = bt.datasets.travel_modes().split(seed=1)
    model = bt.fit(bt.LinearScorer(6), training, validation=held_out, method="gradient_descent", max_steps=3)
    said = report_on(model, training, held_out)
    assert "504 pairs (168 prompts). The remaining 126 pairs (42 prompts) were held out" in said
    assert "held-out loss" in said
    assert "validation" not in said
    assert "held out pairs" not in said


def test_report_shows_the_figures_it_is_given(travellers):
    """Each figure is in its own section, with its title and caption."""
    figures = {name: (f"Title of {name}", f"Caption of {name}.") for name in ("loss_curve", "margins", "reliability")}
    sections = report_on(*travellers, figures=figures).split("\n## ")
    for name, section in (("loss_curve", "Fit"), ("margins", "How good"), ("reliability", "Is its confidence")):
        (found,) = [part for part in sections if f"![Title of {name}]({name}.svg)\n\nCaption of {name}." in part]
        assert found.startswith(section)
    assert "![" not in report_on(*travellers)


def test_report_says_what_is_not_certain():
    """Few prompts, features that never differ and a fit without a minimum each get a sentence."""
    pairs = bt.PreferencePairs([[1.0, 5.0], [2.0, 5.0]], [[0.0, 5.0], [0.0, 5.0]], feature_names=["a", "b"])
    with pytest.warns(bt.ConvergenceWarning, match="no finite minimum"):
        model = bt.fit(bt.LinearScorer(2), pairs)
    said = report_on(model, pairs)
    assert "**The fit did not converge**" in said
    assert "these are not estimates" in said
    assert "is based on only 2 prompts" in said
    assert "1 feature is left out, since the answers of a pair never differ in it." in said
    assert "The fit of this model did not converge" in judgement(model.evaluate(pairs), pairs, model=model)


def test_report_says_that_early_stopping_is_optimistic():
    """The kept step is marked. The held-out pairs chose it, so they do not test it quite fairly."""
    training, held_out = bt.datasets.travel_modes().split(seed=1)
    model = bt.fit(bt.MLPScorer(6, 4), training, validation=held_out, standardise=True, patience=3, learning_rate=0.1)
    said = report_on(model, training, held_out)
    best = int(np.argmin(model.history["validation_loss"]))
    assert "The fit stopped early" in said
    assert f"was no lower in the {len(model.history['step']) - 1 - best} passes over the data that followed" in said
    assert f"| {model.history['step'][best]} (kept)" in said
    assert "slightly optimistic" in said


def test_report_on_an_early_stop_says_why_there_are_no_standard_errors():
    """The data determine every weight, but the fit did not go to the minimum."""
    rng = np.random.default_rng(0)
    pairs = bt.PreferencePairs(rng.normal(size=(300, 3)), rng.normal(size=(300, 3)))
    training, held_out = pairs.split(seed=0)
    model = bt.fit(bt.LinearScorer(3), training, validation=held_out, method="gradient_descent", patience=2)
    assert "The fit stopped early" in report_on(model, training, held_out)
    said = report_on(model, training, held_out)
    assert "no standard errors, since the fit stopped before the minimum" in said
    assert "never differ" not in said


def test_report_on_an_mlp_says_where_to_look_instead():
    """The weights of an MLP have no meaning one by one."""
    pairs = bt.datasets.travel_modes().subset(np.arange(12))
    model = bt.fit(bt.MLPScorer(6, 2), pairs, max_steps=1)
    assert "--scorer linear" in report_on(model, pairs)


def test_report_stays_a_table_whatever_the_names():
    """A bar in a name does not end its cell, and items without names are called by their numbers."""
    pairs = bt.PreferencePairs([[1.0], [0.0]], [[0.0], [1.0]], labels=[0.8, 0.4], feature_names=["a|b"])
    assert "\n| a\\|b" in report_on(bt.fit(bt.LinearScorer(1), pairs), pairs)
    comparisons = bt.PreferencePairs([0, 1, 2], [1, 2, 0])
    model = bt.fit(bt.TableScorer(3), comparisons)
    assert "In this comparison, item 0 was chosen over item 1." in report_on(model, comparisons)


def test_long_lists_are_cut_and_counted(rng):
    """Twenty weights are shown, and the report says how many are not."""
    pairs = bt.PreferencePairs(rng.normal(size=(60, 23)), rng.normal(size=(60, 23)))
    said = report_on(bt.fit(bt.LinearScorer(23), pairs, l2=0.1), pairs)
    assert len(re.findall(r"^\| feature \d+ ", said, re.MULTILINE)) == 20
    assert "3 weaker features are not shown, but saved in model.npz." in said
    chain = bt.PreferencePairs(np.arange(21), np.arange(1, 22) % 21)
    said = report_on(bt.fit(bt.TableScorer(21), chain), chain)
    assert "1 weaker item is not shown" in said


def test_judgement_shows_quality_and_calibration(travellers):
    """``evaluate`` prints the loss beside log 2, and the bins of the reliability diagram."""
    model, pairs = travellers
    said = judgement(model.evaluate(pairs))
    assert "0.6931 = log 2" in said
    assert "mean predicted" in said
    assert "630 pairs (210 prompts)" in said


def test_report_offers_the_sandwich_where_prompts_have_several_pairs(tmp_path):
    """The call that it names works with the saved model and the pairs, and counts prompts."""
    rng = np.random.default_rng(0)
    pairs = bt.PreferencePairs(rng.normal(size=(300, 2)), rng.normal(size=(300, 2)), prompts=np.arange(300) // 3)
    model = bt.fit(bt.LinearScorer(2), pairs)
    assert "model.standard_errors(kind='sandwich', pairs=…) takes each prompt as a whole" in report_on(model, pairs)
    model.save(tmp_path / "model.npz")
    loaded = bt.RewardModel.load(tmp_path / "model.npz")
    errors = loaded.standard_errors(kind="sandwich", pairs=pairs)
    np.testing.assert_allclose(errors, model.standard_errors(kind="sandwich"), rtol=1e-9)


@pytest.mark.parametrize(
    ("rejected", "words"),
    [
        (["one #", "two #"], "In 2 pairs, both answers have the same features and the same text."),
        (["one #", "two @"], "In 2 pairs, both answers have the same features (in 1 of these, also the same text)."),
        (["one @", "two @"], "In 2 pairs, both answers have the same features, although their texts differ."),
        (["one #", "more words"], "In 1 pair, both answers have the same features and the same text."),
    ],
)
def test_report_tells_equal_texts_from_equal_features(tmp_path, rejected, words):
    """Equal texts were cut off, or are copies. If only the features are equal, others may help."""
    rows = [{"chosen": c, "rejected": r} for c, r in zip(["one #", "two #"], rejected, strict=True)]
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert words in bt.train(path, validation=0).report
