"""The training doctor: each finding has the evidence that can be computed by hand, and healthy runs have none."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from diagnosed import W, at, check_named, choices, joined, swapped
from hypothesis import given, settings
from hypothesis import strategies as st

import bradley_terry as bt
from bradley_terry.findings import Check
from bradley_terry.findings.levels import (
    at_least,
    chi_squared_quantile,
    in_errors,
    mean_of,
    normal_quantile,
)
from bradley_terry.findings.words import CAUSES, MILDER, SPECIAL, WORDS, WORSE

# ---------------------------------------------------------------------------------------------------- known value


def test_loss_floor_of_contradictory_labels_is_the_entropy_of_the_judgements() -> None:
    """Of 8 pairs one is judged 3 : 1, which costs H(1/4) = 0.562335 for 4 of 8 judgements; the others can cost 0."""
    pair = bt.PreferencePairs([[1.0, 2.0]], [[0.0, 1.0]])
    others = bt.PreferencePairs(np.arange(8.0).reshape(4, 2) ** 2, -np.arange(8.0).reshape(4, 2))
    pairs = joined(pair, pair, swapped(pair), pair, others)
    found = bt.diagnose(bt.fit(bt.LinearScorer(2), pairs, l2=0.1), pairs)["contradictory labels"]
    assert found.evidence["contradictory pairs"] == 1
    assert found.evidence["judgements of them"] == 4
    assert found.evidence["loss floor"] == pytest.approx(0.5 * 0.562335, abs=1e-6)
    assert found.evidence["mean loss"] >= found.evidence["loss floor"]
    assert found.severity == "note"


@pytest.mark.parametrize(("n", "is_found"), [(6, False), (7, True), (10, True)])
def test_copies_are_found_if_independent_judgements_would_not_agree_so_often(n: int, is_found: bool) -> None:
    """At Δ = 0 two judgements agree with probability ½, those of n pairs with 2⁻ⁿ: 1/64 is more than 1 %, 1/128 less.

    -log10 of it is compared with 2.
    """
    pairs = choices(40)
    pairs = joined(pairs, pairs[:n])
    found = bt.diagnose(at([0.0, 0.0, 0.0], pairs), pairs)
    check = check_named(found, "duplicated pairs")
    assert check.statistic == pytest.approx(n * np.log10(2))
    assert check.threshold == pytest.approx(2)
    assert ("duplicated pairs" in found.names) == is_found


def test_accuracy_of_swapped_labels_is_counted_in_standard_errors_of_coin_flips() -> None:
    """100 prompts, all wrong: the accuracy 0 is 0.5/0.05 = 10 standard errors below ½."""
    x = np.random.default_rng(0).uniform(1, 2, size=(100, 1))
    pairs = bt.PreferencePairs(-x, x)
    found = bt.diagnose(at([1.0], pairs), pairs)
    assert check_named(found, "labels swapped").statistic == pytest.approx(10)
    assert check_named(found, "labels swapped").threshold == pytest.approx(2.326348, abs=1e-6)  # 1 % of a normal
    assert "labels swapped" in found.names
    three_each = replace(pairs, prompts=np.arange(100) // 4)  # 25 prompts: half as many standard errors
    assert check_named(bt.diagnose(at([1.0], pairs), three_each), "labels swapped").statistic == pytest.approx(5)


@pytest.mark.full
@pytest.mark.parametrize("k", [1, 2, 3, 7, 20, 133])
@pytest.mark.parametrize("level", [0.01, 0.05, 1e-4])
def test_quantiles_are_those_of_scipy(k: int, level: float) -> None:
    """scipy.stats.chi2.isf and norm.isf, to ten digits."""
    stats = pytest.importorskip("scipy.stats")
    assert chi_squared_quantile(k, level) == pytest.approx(stats.chi2.isf(level, k), rel=1e-9)
    assert normal_quantile(level) == pytest.approx(stats.norm.isf(level), rel=1e-9)


@pytest.mark.full
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(0, 9))
@settings(max_examples=50)
def test_number_of_independent_events_is_counted_exactly(probabilities: list[float], least: int) -> None:
    """The sum over all 2ⁿ outcomes with at least so many events."""
    n = len(probabilities)
    outcomes = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    chance = np.prod(np.where(outcomes, probabilities, 1 - np.array(probabilities)), axis=1)
    assert at_least(least, np.array(probabilities)) == pytest.approx(chance[outcomes.sum(axis=1) >= least].sum())


def test_standard_error_of_a_mean_over_prompts() -> None:
    """Prompts with means 1, 2 and 6: mean 3, variance of the three means 7, error √(7/3)."""
    found = mean_of(np.array([1, 1, 2, 2, 5, 7.0]), np.ones(6), np.array([0, 0, 1, 1, 2, 2]))
    assert (found.mean, found.standard_error) == (pytest.approx(3), pytest.approx(np.sqrt(7 / 3)))
    assert in_errors(1e-15, 0.0) == 0  # rounding
    assert in_errors(-0.1, 0.0) == -np.inf


# ------------------------------------------------------------------------------------------------------- findings


def test_causes_of_a_loss_of_log_two_are_told_apart() -> None:
    """Five ways to have a loss of log 2; each names its own cause and none of the others."""
    rng, pairs = np.random.default_rng(0), choices()
    zeros, same = np.zeros((100, 3)), rng.normal(size=(100, 3))
    network = bt.MLPScorer(3, 4)
    slow = {"method": "gradient_descent", "learning_rate": 1e-6, "max_steps": 50}
    runs = {
        "zero features": (bt.LinearScorer(3), bt.PreferencePairs(zeros, zeros), {}),
        "identical answers": (bt.LinearScorer(3), bt.PreferencePairs(same, same), {}),
        "coin-flip labels": (bt.LinearScorer(3), choices(w=np.zeros(3)), {}),
        "zero-initialised network": (network, pairs, {"initial": np.zeros(network.n_parameters)}),
        "learning rate too low": (bt.LinearScorer(3), pairs, slow),
    }
    for cause, (scorer, data, options) in runs.items():
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always", bt.ConvergenceWarning)
            found = bt.diagnose(bt.fit(scorer, data, **options), data)
        assert "stuck at log 2" in found.names
        expected = {"zero features", "identical answers"} if cause == "zero features" else {cause}
        assert set(found["stuck at log 2"].causes) == expected
        assert set(runs) & set(found.names) == expected


def test_order_leak_is_found_with_the_accuracy_that_is_left_without_it() -> None:
    """A feature that is 1 for the answer stored first gives an accuracy of 1 on coin flips, and about ½ without it."""
    flips = choices(500, np.zeros(2))
    one = np.ones((500, 1))
    pairs = bt.PreferencePairs(np.hstack([flips.chosen, one]), np.hstack([flips.rejected, 0 * one]))
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), pairs, l2=1e-4), pairs)["order leak"]
    assert found.evidence["which"] == "feature 2"
    assert found.evidence["accuracy with it"] == 1
    assert abs(found.evidence["accuracy without it"] - 0.5) < 0.1
    honest = bt.diagnose(bt.fit(bt.LinearScorer(2), flips), flips)
    assert "order leak" not in honest.names


class BiasedScorer(bt.LinearScorer):
    """A scorer that adds 5 to the first array it is asked about: a bias inside Δ."""

    calls = 0

    def reward(self, phi, features):
        """Return the rewards, with the bias."""
        type(self).calls += 1
        return super().reward(phi, features) + 5.0 * (type(self).calls % 2)


def test_bias_of_a_scorer_is_an_order_leak() -> None:
    """Exchanging both answers must turn the sign of Δ. With a bias of 5 inside Δ, it does not."""
    pairs = choices(100, np.zeros(3))
    model = replace(at([0.0, 0.0, 0.0], pairs), scorer=BiasedScorer(3))
    found = bt.diagnose(model, pairs)["order leak"]
    assert found.evidence["margin of two equal answers"] == pytest.approx(5)
    assert found.evidence["accuracy with it"] == 1


@pytest.mark.full
def test_one_feature_is_found_with_its_ablation() -> None:
    """If only one of four features counts, the accuracy without it is about ½."""
    pairs = replace(choices(600, np.array([0, 2.0, 0, 0])), feature_names=("a", "length", "c", "d"))
    found = bt.diagnose(bt.fit(bt.LinearScorer(4), pairs), pairs)["one feature carries the model"]
    assert found.evidence["feature"] == "length"
    assert abs(found.evidence["accuracy without it"] - 0.5) < 0.06
    assert abs(found.evidence["accuracy of the model"] - found.evidence["of this feature alone"]) < 0.02
    assert "“length”" in found.explanation


@pytest.mark.full
def test_annotator_with_the_opposite_taste_is_named() -> None:
    """Ann and Bob choose by W, Eve by -W."""
    own, turned = choices(400, seed=1), choices(150, -W, seed=2)
    names = ["Ann"] * 200 + ["Bob"] * 200 + ["Eve"] * 150
    pairs = joined(own, turned)
    model = bt.fit(bt.LinearScorer(3), pairs)
    found = bt.diagnose(model, pairs, annotators=names)["annotators disagree"]
    assert found.evidence["who differs most"] == "Eve"
    assert found.evidence["agreement with the model"] < 0.5 < found.evidence["agreement of the others"]
    three = bt.diagnose(bt.fit(bt.LinearScorer(3), own), own, annotators=names[:400])
    assert "annotators disagree" not in three.names


def test_separable_data_are_counted_and_named_a_warning() -> None:
    """Every margin can be made as large as one likes if the choices follow the rewards without chance."""
    a, b = np.random.default_rng(4).normal(size=(2, 60, 2))
    first = (((a - b) @ [1.0, 2.0]) > 0)[:, None]
    pairs = bt.PreferencePairs(np.where(first, a, b), np.where(first, b, a))
    with pytest.warns(bt.ConvergenceWarning):
        model = bt.fit(bt.LinearScorer(2), pairs)
    assert bt.diagnose(model, pairs)["separable data"].evidence["separated pairs"] == 60
    penalised = bt.diagnose(bt.fit(bt.LinearScorer(2), pairs, l2=0.01), pairs)
    assert "penalty" in penalised.not_checked["separable data"]


@pytest.mark.full
def test_over_confidence_measures_the_factor_of_the_margins() -> None:
    """Margins that are 2.5 times too large: held-out choices follow 1/2.5 = 0.4 times them."""
    pairs, held_out = choices(2000), choices(2000, seed=5)
    model = bt.fit(bt.LinearScorer(3), pairs)
    found = bt.diagnose(replace(model, phi=2.5 * model.phi), pairs, validation=held_out)["over-confidence"]
    assert found.evidence["from"] < 0.4 < found.evidence["to"]
    assert "over-confidence" not in bt.diagnose(model, pairs, validation=held_out).names


def test_mean_rewards_are_compared_with_their_start() -> None:
    """Features with mean 2 and a negative weight: the chosen reward falls, but the rejected one falls further."""
    pairs = choices(400, np.array([-1.0, 0.5]))
    moved = replace(pairs, chosen=pairs.chosen + 2, rejected=pairs.rejected + 2)
    model = bt.fit(bt.LinearScorer(2), moved)
    found = bt.diagnose(model, moved)["chosen reward falling"]
    assert found.evidence["change of the rejected reward"] < found.evidence["change of the chosen reward"] < 0
    assert found.evidence["change of the chosen reward"] == pytest.approx(model.reward(moved.chosen).mean())
    from_there = bt.diagnose(model, moved, initial=model.phi)
    assert "chosen reward falling" not in from_there.names  # nothing has moved since that start


def test_undetermined_directions_are_named() -> None:
    """A feature that is equal in both answers, and a table of two groups with no comparisons between them."""
    pairs = choices(100)
    same = np.random.default_rng(1).normal(size=(100, 1))
    names = ("a", "b", "c", "subject")
    more = bt.PreferencePairs(np.hstack([pairs.chosen, same]), np.hstack([pairs.rejected, same]), feature_names=names)
    found = bt.diagnose(bt.fit(bt.LinearScorer(4), more), more)["undetermined directions"]
    assert (found.evidence["directions"], found.evidence["which"]) == (1, "subject")
    games = bt.PreferencePairs([0, 1, 2, 3] * 3, [1, 0, 3, 2] * 3)
    table = bt.diagnose(bt.fit(bt.TableScorer(4), games), games)["undetermined directions"]
    assert table.evidence["directions"] == 1


# --------------------------------------------------------------------------------------------------------- identity


@pytest.mark.full
@pytest.mark.parametrize("fault", ["none", "swapped", "copies", "identical", "contradictory"])
def test_it_does_not_matter_how_pairs_are_stored(fault: str) -> None:
    """The rejected answer first with the label 0, other units of the features, or another order: the same findings."""
    pairs = choices(300)
    if fault == "copies":
        pairs = joined(pairs, pairs[:60])
    elif fault == "contradictory":
        pairs = joined(pairs, swapped(pairs[:60]))
    elif fault == "identical":
        pairs = joined(pairs, replace(pairs[:20], rejected=pairs[:20].chosen))
    model = bt.fit(bt.LinearScorer(3), pairs)
    shown = swapped(pairs) if fault == "swapped" else pairs
    turned = replace(swapped(shown), labels=np.zeros(len(shown)))
    order = np.random.default_rng(2).permutation(len(shown))
    names = bt.diagnose(model, shown).names
    expected = {"swapped": "labels swapped", "copies": "duplicated pairs", "identical": "identical answers"}
    assert names == ((expected.get(fault, "contradictory labels"),) if fault != "none" else ())
    assert bt.diagnose(model, turned).names == names
    assert bt.diagnose(model, shown[order]).names == names
    unit = np.array([1e-3, 1.0, 1e4])
    scaled = replace(shown, chosen=shown.chosen * unit, rejected=shown.rejected * unit)
    assert bt.diagnose(replace(model, phi=model.phi / unit), scaled).names == names


@pytest.mark.parametrize("data", ["citations", "baseball"])
def test_published_tables_are_healthy(data: str) -> None:
    """Tables with a known good fit have neither errors nor warnings."""
    pairs = getattr(bt.datasets, data)()
    found = bt.diagnose(bt.fit(bt.TableScorer(pairs.n_items), pairs), pairs)
    assert found.is_healthy
    assert "items have no features" in found.not_checked["order leak"]


def test_travel_modes_are_healthy() -> None:
    """Its costs have a mean far from 0, so its rewards do, too: notes, but no warning."""
    pairs = bt.datasets.travel_modes()
    found = bt.diagnose(bt.fit(bt.LinearScorer(6), pairs), pairs)
    assert found.names == ("chosen reward falling", "rewards not centred")
    assert found.is_healthy


# ---------------------------------------------------------------------------------------------------------- manners


def test_every_explanation_has_three_sentences_and_every_cause_exists() -> None:
    """What was found, what it means, how it comes about."""
    assert set(MILDER) | set(WORSE) | set(SPECIAL) <= set(WORDS)
    special = [(name, words) for name, (_, words) in SPECIAL.items()]
    for name, words in (*WORDS.items(), *MILDER.items(), *WORSE.items(), *special):
        sentences = re.findall(r"[.?]( |$)", re.sub(r"\{[^}]*\}|\d\.\d+", "x", words.explanation))
        assert len(sentences) == 3, name
        assert words.severity in {"error", "warning", "note"}
        assert words.remedy.endswith(".")
    assert {*CAUSES, *(cause for causes in CAUSES.values() for cause in causes)} <= set(WORDS)


def test_a_diagnosis_is_text_markdown_and_json() -> None:
    """Each form names every finding, and every check is either made or has a reason why it was not."""
    pairs = choices(100)
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), pairs), swapped(pairs), validation=choices(50, seed=3))
    assert found.names[0] == "labels swapped"
    assert found.findings[0].severity == "error"
    assert not found.is_healthy
    for text in (str(found), found.to_markdown()):
        assert "labels swapped" in text
        assert "{" not in text
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [finding["name"] for finding in plain["findings"]] == list(found.names)
    assert {check.name for check in found.checks} | set(found.not_checked) == set(WORDS)
    assert not {check.name for check in found.checks} & set(found.not_checked)
    with pytest.raises(KeyError, match="expected one of labels swapped"):
        found["nothing"]


def test_pairs_are_left_as_they_were_and_weights_count() -> None:
    """A pair of weight 0 does not count: neither as swapped nor as contradictory."""
    pairs = choices(100)
    model = bt.fit(bt.LinearScorer(3), pairs)
    both = replace(joined(pairs, swapped(pairs)), weights=np.repeat([1.0, 0.0], 100))
    found = bt.diagnose(model, both)
    assert not {"labels swapped", "contradictory labels"} & set(found.names)


def test_other_losses_leave_out_what_needs_the_usual_one() -> None:
    """A hinge loss gives no probabilities, so nothing is said about confidence."""
    pairs, held_out = choices(200), choices(100, seed=3)
    model = bt.fit(bt.LinearScorer(3), pairs, loss=bt.losses.Hinge(), method="adam", max_steps=20)
    found = bt.diagnose(model, pairs, validation=held_out)
    assert "probabilities" in found.not_checked["over-confidence"]
    assert "-log sigma" in found.not_checked["stuck at log 2"]


@pytest.mark.parametrize("scale", [1e-280, 1e-160, 1e160, 1e300])
def test_units_and_weights_of_any_size_change_nothing(scale: float) -> None:
    """Features and weights near the ends of the double range: the same findings, and no warning."""
    pairs = choices(120)
    pairs = joined(pairs, swapped(pairs[:10]))
    model = bt.fit(bt.LinearScorer(3), pairs)
    people = np.arange(130) % 3
    names = bt.diagnose(model, pairs, validation=choices(50, seed=3), annotators=people).names
    moved = bt.PreferencePairs(pairs.chosen * scale, pairs.rejected * scale, weights=np.full(130, scale))
    held_out = choices(50, seed=3)
    held_out = bt.PreferencePairs(held_out.chosen * scale, held_out.rejected * scale)
    with np.errstate(over="ignore"):
        phi = model.phi / scale
    if np.isfinite(phi).all():
        found = bt.diagnose(replace(model, phi=phi), moved, validation=held_out, annotators=people)
        assert found.names == names == ("contradictory labels",)


def test_rewards_of_any_size_are_diagnosed() -> None:
    """Weights of 1e300: the model is far too sure of itself, and no square overflows."""
    pairs = choices(100)
    model = bt.fit(bt.LinearScorer(3), pairs)
    found = bt.diagnose(replace(model, phi=1e300 * model.phi), pairs, validation=choices(100, seed=3))
    assert "over-confidence" in found.names


def test_bad_arguments_are_named() -> None:
    """One sentence that begins with the name of the argument."""
    pairs = choices(30)
    model = bt.fit(bt.LinearScorer(3), pairs)
    for wrong, error, said in (
        (lambda: bt.diagnose("model", pairs), TypeError, "model: expected a fitted RewardModel, got str"),
        (
            lambda: bt.diagnose(replace(model, history={}), pairs),
            ValueError,
            "model: expected a model with the history",
        ),
        (
            lambda: bt.diagnose(model, bt.datasets.travel_modes(as_choices=True)),
            TypeError,
            "pairs: expected Preference",
        ),
        (lambda: bt.diagnose(model, [1, 2]), TypeError, "pairs: expected PreferencePairs, got list"),
        (lambda: bt.diagnose(model, pairs, validation=0.2), TypeError, "validation: expected PreferencePairs"),
        (lambda: bt.diagnose(model, choices(30, np.ones(2))), ValueError, r"chosen: expected shape \(n, 3\)"),
        (lambda: bt.diagnose(model, bt.datasets.baseball()), ValueError, "chosen: expected shape"),
        (lambda: bt.diagnose(model, pairs, annotators=["a"]), ValueError, r"annotators: expected shape \(30,\)"),
        (
            lambda: bt.diagnose(model, pairs, initial=[1.0]),
            ValueError,
            r"initial: expected shape \(3,\)",
        ),
    ):
        with pytest.raises(error, match=said):
            wrong()


def test_ratios_tell_findings_from_the_rest() -> None:
    """Above 1 there is a finding; an exact fact is at 0 or at infinity."""
    assert Check("a", 3.0, 2.0).ratio == 1.5
    assert Check("a", 0.0, 0.0).ratio == 0
    assert Check("a", 2.0, 0.0).ratio == np.inf
    assert not Check("a", 2.0, 2.0).is_found
