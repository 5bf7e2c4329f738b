"""What the training doctor must not say: healthy runs of many kinds, and how severe a finding is that may be wrong."""

from __future__ import annotations

import tracemalloc
import warnings
from dataclasses import replace

import numpy as np
import pytest
from diagnosed import W, at, check_named, choices, joined, swapped

import bradley_terry as bt
from bradley_terry.findings.levels import would_tell
from bradley_terry.findings.words import WORDS


def few_values(n: int, seed: int = 0, prompts: np.ndarray | None = None) -> bt.PreferencePairs:
    """Return pairs with three features of 0, 1 or 2."""
    a, b = np.random.default_rng(seed).integers(0, 3, size=(2, n, 3)).astype(float)
    first = bt.sample_preferences(a @ W, b @ W, seed + 1)[:, None]
    return bt.PreferencePairs(np.where(first, a, b), np.where(first, b, a), prompts=prompts)


@pytest.mark.parametrize("hidden", [0.7, 1.5, 4.0])
def test_votes_that_agree_about_something_unobserved_are_no_copies(hidden: float) -> None:
    """Three honest votes on each pair, which also depend on a quality that the features do not contain."""
    rng = np.random.default_rng(8)
    a, b = np.repeat(rng.normal(size=(2, 200, 3)), 3, axis=1)
    quality = np.repeat(rng.normal(0, hidden, size=200), 3)
    first = bt.sample_preferences(a @ W + quality, b @ W, 9)[:, None]
    pairs = bt.PreferencePairs(np.where(first, a, b), np.where(first, b, a), prompts=np.repeat(np.arange(200), 3))
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), pairs), pairs)
    assert "duplicated pairs" not in found.names
    assert check_named(found, "duplicated pairs").evidence["repeated pairs"] == 200


@pytest.mark.parametrize("l2", [0.0, 0.3, 3.0])
def test_equal_features_with_equal_choices_are_no_copies(l2: float) -> None:
    """Few values, so most pairs occur again; a strong penalty makes a model expect too much disagreement."""
    pairs = few_values(400)
    assert "duplicated pairs" not in bt.diagnose(bt.fit(bt.LinearScorer(3), pairs, l2=l2), pairs).names


def test_votes_that_agree_more_than_a_model_held_back_by_l2_expects_are_no_copies() -> None:
    """Two votes on clear pairs, and a penalty that makes all margins small: their size is no news about the votes."""
    a, b = np.repeat(np.random.default_rng(1).normal(size=(2, 200, 3)), 2, axis=1)
    first = bt.sample_preferences(6 * a @ W, 6 * b @ W, 4)[:, None]
    pairs = bt.PreferencePairs(np.where(first, a, b), np.where(first, b, a), prompts=np.repeat(np.arange(200), 2))
    assert "duplicated pairs" not in bt.diagnose(bt.fit(bt.LinearScorer(3), pairs, l2=3.0), pairs).names


def test_only_repeats_by_the_same_annotator_are_copies() -> None:
    """Forty pairs, judged twice alike: by two people that is a vote, and by one person a copy, which is a note."""
    pairs = choices(400)
    pairs = joined(pairs, pairs[:40])
    model = bt.fit(bt.LinearScorer(3), pairs)
    ann, twice = ["Ann"] * 400, {"Bob": False, "Ann": True}
    for second, is_found in twice.items():
        found = bt.diagnose(model, pairs, annotators=ann + [second] * 40)
        assert ("duplicated pairs" in found.names) == is_found
    assert found["duplicated pairs"].severity == "note"


def test_leaks_are_counted_by_prompt_or_by_answers() -> None:
    """Two known prompts: an error. Without prompts a copy and an exchanged copy: a warning."""
    pairs, new = choices(50), choices(10, seed=9)
    model = bt.fit(bt.LinearScorer(3), pairs)
    held_out = joined(new, pairs[:1], swapped(pairs[1:2]))
    by_answers = bt.diagnose(model, pairs, validation=held_out)["leak between splits"]
    assert (by_answers.evidence["leaked"], by_answers.severity) == (2, "warning")
    assert by_answers.evidence["expected by chance"] < 0.1
    named = replace(pairs, prompts=np.array([f"p{i}" for i in range(50)]))
    theirs = replace(new, prompts=np.array(["p0", "p49", *(f"q{i}" for i in range(8))]))
    by_prompt = bt.diagnose(model, named, validation=theirs)["leak between splits"]
    assert (by_prompt.evidence["leaked"], by_prompt.severity) == (2, "error")
    numbered = replace(pairs, prompts=np.arange(50)), replace(new, prompts=np.arange(10))
    assert "leak between splits" not in bt.diagnose(model, numbered[0], validation=numbered[1]).names


@pytest.mark.parametrize("alike", [False, True])
def test_equal_features_are_no_leak_where_chance_or_other_prompts_explain_them(alike: bool) -> None:
    """With three features of 0, 1 or 2 most held-out pairs have the features of a training pair, and none is a leak."""
    pairs, held_out = few_values(400), few_values(100, seed=9)
    if alike:  # the answers of a pair differ in one feature only, so there are only 81 different pairs
        pairs, held_out = (
            replace(p, rejected=np.hstack([p.rejected[:, :1], p.chosen[:, 1:]])) for p in (pairs, held_out)
        )
    model = bt.fit(bt.LinearScorer(3), pairs, l2=0.1)
    assert not check_named(bt.diagnose(model, pairs, validation=held_out), "leak between splits").is_found
    known = joined(held_out, pairs[:100])
    apart = replace(pairs, prompts=np.arange(400) + 7), replace(known, prompts=np.arange(200) + 500)
    assert "leak between splits" not in bt.diagnose(model, apart[0], validation=apart[1]).names


@pytest.mark.full
def test_steps_that_were_discarded_are_only_worth_a_note() -> None:
    """A network that goes on for too long: the model has the parameters of the lowest held-out loss, and is fine."""
    w = np.array([1.0, -1.5, 0.7, 0.0, 0.0, 0.0])
    pairs, held_out = choices(100, w, seed=1), choices(400, w, seed=2)
    options = {"learning_rate": 0.03, "max_steps": 150, "patience": 150, "batch_size": 100, "standardise": False}
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always", bt.ConvergenceWarning)
        model = bt.fit(bt.MLPScorer(6, 16), pairs, validation=held_out, **options)
    found = bt.diagnose(model, pairs, validation=held_out)
    drifting = found["reward scale drifting"]
    assert drifting.severity == "note"
    assert drifting.evidence["|phi| at the lowest held-out loss"] == pytest.approx(np.linalg.norm(model.phi))
    over = found["over-fitting"]
    assert over.severity == "note"
    assert found.is_healthy
    assert (
        over.evidence["step of the model"]
        == over.evidence["at step"]
        == model.history["step"][np.argmin(model.history["validation_loss"])]
    )
    later = replace(model, history={**model.history, "validation_loss": np.full(len(model.history["step"]), np.nan)})
    assert "reward scale drifting" in bt.diagnose(later, pairs, validation=held_out).not_checked


def test_equal_answers_are_expected_as_often_as_chance_gives_them() -> None:
    """Of 4 training answers ½ are x and ½ are y: x against y is expected 2·2·¼ = 1 time, so P = 1 - 1/e for each."""
    pairs = bt.PreferencePairs([[0.0], [1.0]], [[1.0], [0.0]])
    held_out = bt.PreferencePairs([[0.0]] * 3, [[1.0]] * 3)
    check = check_named(
        bt.diagnose(bt.fit(bt.LinearScorer(1), pairs), pairs, validation=held_out), "leak between splits"
    )
    assert check.evidence["expected by chance"] == pytest.approx(3 * (1 - np.exp(-1)))
    assert check.statistic == pytest.approx(-3 * np.log10(1 - np.exp(-1)))


@pytest.mark.parametrize("m", [0.5, 1.0, 3.0, 8.0])
def test_loss_is_compared_with_that_of_equal_rewards(m: float) -> None:
    """A target margin m for every pair: equal rewards cost log(1 + eᵐ) instead of log 2."""
    pairs = replace(choices(), target_margins=np.full(400, m))
    model = bt.fit(bt.LinearScorer(3), pairs)
    found = bt.diagnose(model, pairs, validation=replace(choices(100, seed=7), target_margins=np.full(100, m)))
    check = check_named(found, "stuck at log 2")
    assert check.evidence["loss of equal rewards"] == pytest.approx(np.log1p(np.exp(m)))
    assert found.names == ()
    flips = replace(choices(600, np.zeros(3), seed=3), target_margins=np.full(600, m))
    assert "stuck at log 2" in bt.diagnose(bt.fit(bt.LinearScorer(3), flips), flips).names


def test_too_few_pairs_are_no_proof_of_coin_flips() -> None:
    """Coin flips are an error if 2,000 pairs would have shown a signal, a warning with 200, and nothing with 20."""
    for n, severity in ((2000, "error"), (200, "warning")):
        flips = choices(n, np.zeros(3), seed=2)
        found = bt.diagnose(bt.fit(bt.LinearScorer(3), flips), flips)
        assert {found[name].severity for name in ("coin-flip labels", "stuck at log 2")} == {severity}
        assert ("no evidence" in found["coin-flip labels"].explanation) == (severity == "warning")
    few = choices(20)
    assert (
        "too few prompts" in bt.diagnose(bt.fit(bt.LinearScorer(3), few, l2=0.1), few).not_checked["coin-flip labels"]
    )
    same = bt.PreferencePairs(np.ones((6, 1)), np.zeros((6, 1)))
    assert "coin-flip labels" not in bt.diagnose(bt.fit(bt.LinearScorer(1), same, l2=0.1), same).names
    zeros = bt.PreferencePairs(np.zeros((50, 2)), np.zeros((50, 2)))
    found = bt.diagnose(bt.fit(bt.LinearScorer(2), zeros, l2=0.1), zeros)
    assert found["stuck at log 2"].severity == "error"  # whatever the number of pairs: the features are 0


@pytest.mark.parametrize("size", [1.0, 0.01])
def test_a_loss_above_log_two_is_not_explained_as_if_it_were_log_two(size: float) -> None:
    """From random parameters the loss starts at 0.895, from small ones at 0.693, and the tiny rate changes neither."""
    scorer, pairs = bt.MLPScorer(3, n_hidden=8), bt.datasets.synthetic(400, seed=1)
    start = size * scorer.initial(np.random.default_rng(0))
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always", bt.ConvergenceWarning)
        model = bt.fit(scorer, pairs, initial=start, learning_rate=1e-6, max_steps=50)
    found = bt.diagnose(model, pairs)
    assert found.names == ("learning rate too low", "stuck at log 2")
    stuck = found["stuck at log 2"]
    is_above = stuck.evidence["training loss"] > 0.7
    assert is_above == (size == 1.0)
    assert ("has a smaller loss, 0.6931" in stuck.explanation) == is_above
    assert ("worse than one that has learned nothing" in stuck.explanation) == is_above
    assert ("no larger than a fit to coin flips would make it" in stuck.explanation) == (not is_above)
    assert stuck.severity == "error"
    assert stuck.causes == ("learning rate too low",)


@pytest.mark.full
def test_number_of_pairs_that_would_tell() -> None:
    """SciPy's ncx2.sf(chi2.isf(0.01, k), k, 2·n·0.0201355) is at least 0.99 where the normal approximation says so."""
    stats = pytest.importorskip("scipy.stats")
    fall = np.log(2) + 0.6 * np.log(0.6) + 0.4 * np.log(0.4)
    for k in (1, 3, 10, 40):
        n = next(n for n in range(100, 10_000, 10) if would_tell(k, n))
        assert 0.99 <= stats.ncx2.sf(stats.chi2.isf(0.01, k), k, 2 * n * fall) < 0.9999


def test_bias_reduced_fits_and_centred_ones_have_a_best_fit() -> None:
    """Separable pairs: Firth's penalty keeps the rewards finite, so nothing is without end."""
    pairs = bt.PreferencePairs(np.arange(1.0, 9.0)[:, None], np.zeros((8, 1)))
    model = bt.fit(bt.LinearScorer(1), pairs, bias_reduced=True)
    assert model.converged
    assert "finite" in bt.diagnose(model, pairs).not_checked["separable data"]


def test_rewards_off_centre_are_mended_without_a_change_of_the_model() -> None:
    """The remedies of both findings: centred features, or the mean subtracted. Every margin stays, and so does φ."""
    pairs = choices(400, np.array([-1.0, 0.5]))
    moved = replace(pairs, chosen=pairs.chosen + 3, rejected=pairs.rejected + 3)
    model = bt.fit(bt.LinearScorer(2), moved)
    names = {"chosen reward falling", "rewards not centred"}
    found = bt.diagnose(model, moved)
    assert names <= set(found.names)
    assert all("centre the features" in found[name].remedy for name in names)
    assert not any("centring" in words.remedy for words in WORDS.values())  # that penalty changes the margins
    middle = np.concatenate([moved.chosen, moved.rejected]).mean(axis=0)
    centred = replace(moved, chosen=moved.chosen - middle, rejected=moved.rejected - middle)
    again = bt.fit(bt.LinearScorer(2), centred)
    assert again.phi == pytest.approx(model.phi, rel=1e-9)
    assert "rewards not centred" not in bt.diagnose(again, centred).names


@pytest.mark.full
def test_large_pairs_are_diagnosed_block_by_block(tmp_path) -> None:
    """Mapped features of 64 MB, whose differences would take 64 MB more: no such array is ever made."""
    rng = np.random.default_rng(0)
    for name in ("chosen", "rejected"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(200_000, 40)).astype(np.float32) + 0.1 * (name == "chosen"))
    pairs = bt.load_pairs(tmp_path)
    assert pairs.is_mapped
    few = bt.PreferencePairs(np.array(pairs.chosen[:2000]), np.array(pairs.rejected[:2000]))
    model = bt.fit(bt.LinearScorer(40), few)
    tracemalloc.start()
    try:
        found = bt.diagnose(model, pairs, annotators=np.arange(200_000) % 50)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "coin-flip labels" not in found.names
    assert peak < 64e6


@pytest.mark.full
@pytest.mark.parametrize("n_prompts", [1000, 30_000])
def test_statistic_of_the_choices_is_that_of_all_prompts_together(n_prompts: int) -> None:
    """(Σ s)ᵀ(Σ s sᵀ)⁻¹(Σ s) by NumPy in one piece, although the prompts are spread over blocks of a million numbers."""
    pairs = choices(30_000, 0.02 * np.ones(40))
    prompts = np.random.default_rng(5).integers(0, n_prompts, size=30_000)
    pairs = replace(pairs, prompts=prompts, weights=np.random.default_rng(6).uniform(0.5, 1, size=30_000))
    s = np.zeros((n_prompts, 40))
    np.add.at(s, prompts, pairs.weights[:, None] * (pairs.chosen - pairs.rejected))
    found = bt.diagnose(at(np.ones(40), pairs), pairs)
    total = s.sum(axis=0)
    expected = total @ np.linalg.solve(s.T @ s, total)
    assert check_named(found, "coin-flip labels").threshold == pytest.approx(expected, rel=1e-9)


def test_no_warning_escapes_from_odd_runs() -> None:
    """A loss with probabilities of 0 and 1, a fit that diverged, an annotator whose pairs have no weight."""
    pairs, held_out = choices(), choices(100, seed=5)
    square = bt.fit(bt.LinearScorer(3), pairs, loss=bt.losses.Square())
    assert "probabilities" in bt.diagnose(square, pairs, validation=held_out).not_checked["over-confidence"]
    options = {"method": "gradient_descent", "learning_rate": 1e300, "max_steps": 20}
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always", bt.ConvergenceWarning)
        diverged = bt.fit(bt.LinearScorer(3), pairs, validation=held_out, **options)
    for l2 in (0.0, 0.1):
        found = bt.diagnose(replace(diverged, l2=l2), pairs, validation=held_out)
        assert "learning rate too high" in found.names
    weighted = replace(pairs, weights=np.repeat([0.0, 1.0], [80, 320]))
    model = bt.fit(bt.LinearScorer(3), weighted)
    for people in (np.arange(400) // 80, (np.arange(400) >= 80).astype(int)):
        found = bt.diagnose(model, weighted, annotators=people)
        assert "annotators disagree" not in found.names
    assert found.not_checked["annotators disagree"] == "there is only one annotator"
