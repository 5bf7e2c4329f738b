"""The first lines of a report say how good the model is, and whether anything is wrong."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands.report import judgement


def in_short(pairs: bt.PreferencePairs, **options: object) -> str:
    """Return the section of a run on these pairs."""
    report = bt.train(pairs, **options).report  # type: ignore[arg-type]
    return report.split("## In short\n\n")[1].split("\n\n")[0]


def of_a_signal(n: int, strength: float, seed: int = 0) -> bt.PreferencePairs:
    """Return pairs of two features, of which the first decides."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n, 2))
    wins = bt.sample_preferences(strength * a[:, 0], strength * b[:, 0], rng)[:, None]
    return bt.PreferencePairs(np.where(wins, a, b), np.where(wins, b, a))


def test_numbers_are_those_of_the_held_out_pairs() -> None:
    """Accuracy, interval and loss are those of the evaluation."""
    run = bt.train(of_a_signal(400, 2))
    seen = run.held_out_evaluation
    assert seen is not None
    assert seen.accuracy_interval is not None
    said = run.report.split("## In short")[1].split("##")[0]
    low, high = seen.accuracy_interval
    assert f"On the held-out pairs, the accuracy is {seen.accuracy:.3f}, " in said
    assert f"interval from {low:.3f} to {high:.3f}. The whole interval is above the 0.5 of a coin flip" in said
    assert f"On the same pairs, the mean loss is {seen.mean_loss:.3f}; that of a coin flip is 0.693." in said


def test_coin_flips_are_no_success() -> None:
    """The interval contains ½, and the warning or error is named."""
    said = in_short(of_a_signal(2000, 0))
    assert "The interval contains the 0.5 of a coin flip, so the model may be no better." in said
    assert "coin-flip labels" in said
    assert "learned something" not in said


def test_few_prompts_leave_the_accuracy_uncertain() -> None:
    """All of five held-out pairs may be right by chance, so no conclusion is drawn."""
    said = in_short(of_a_signal(25, 9), l2=0.1)
    assert "With only 5 prompts, the accuracy is uncertain." in said
    assert "learned" not in said


@pytest.mark.parametrize(("n_prompts", "is_shown"), [(2, False), (4, False), (5, True)])
def test_a_handful_of_prompts_has_no_interval(n_prompts: int, is_shown: bool) -> None:
    """The resamples of two prompts are so few that an interval could be a single point, such as from 0.5 to 0.5."""
    pairs = of_a_signal(20 * n_prompts, 1)
    held_out = replace(pairs, prompts=np.arange(len(pairs)) % n_prompts)
    model = bt.fit(bt.LinearScorer(2), pairs)
    said = judgement(model.evaluate(held_out), held_out)
    assert (re.search(r"pairwise accuracy.*\[0\.\d+, ", said) is not None) == is_shown
    assert ("95 % bootstrap interval" in said) == is_shown


def test_longer_answer_has_no_interval_on_a_handful_of_prompts() -> None:
    """Neither its accuracy nor the difference from it has one."""
    records = [
        {"prompt": f"p{i % 4}", "chosen": "word " * (2 + i), "rejected": "word " * (3 + 7 * i % 5)} for i in range(40)
    ]
    pairs = bt.PreferencePairs.from_records(records)
    said = judgement(bt.fit(bt.LinearScorer(pairs.n_features), pairs, l2=0.1).evaluate(pairs), pairs)
    assert "accuracy of the longer answer" in said
    assert "interval" not in said.split("## Is its confidence")[0]


def test_accuracy_on_training_pairs_is_called_so() -> None:
    """Nothing was held out, so nothing is said about new pairs."""
    said = in_short(of_a_signal(200, 2), validation=0)
    assert said.startswith("- On the training pairs, ")
    assert "No pairs were held out" in said


def test_loss_above_that_of_a_coin_flip_is_compared() -> None:
    """The model orders the held-out pairs better than chance, but margins that are far too large cost more."""
    run = bt.train(of_a_signal(400, 2))
    held_out = run.held_out
    assert held_out is not None
    confident = replace(run.model, phi=40 * run.model.phi)
    run = replace(run, model=confident, held_out_evaluation=confident.evaluate(held_out))
    assert "; that of a coin flip is only 0.693." in run.report


def test_length_of_texts_stands_beside_the_model() -> None:
    """Its accuracy and loss are those of the table; features without texts have no length."""
    rng = np.random.default_rng(0)
    records = [
        {"prompt": f"case {i}", "chosen": "word " * int(a), "rejected": "other " * int(b)}
        for i, (a, b) in enumerate(np.sort(rng.integers(1, 30, size=(150, 2)))[:, ::-1])
    ]
    run = bt.train(bt.PreferencePairs.from_records(records))
    assert run.held_out is not None
    length = bt.calibration.length_baseline(run.held_out, fitted_to=run.training)
    said = run.report.split("## In short")[1].split("\n\nThe model")[0]
    assert f"Always choosing the longer answer has an accuracy of {length.accuracy:.3f} there, and" in said
    assert f"a model that knows only the lengths has a mean loss of {length.mean_loss:.3f}." in said
    assert "length" not in in_short(of_a_signal(50, 1))


def test_nothing_found_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A healthy run says so, and so does a run without a diagnosis."""
    run = bt.train("baseball")
    assert not run.diagnosis.findings
    assert "- The diagnosis found nothing wrong.\n" in run.report

    def without_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("bradley_terry.findings.diagnose", without_memory)
    assert "- There is no diagnosis.\n" in bt.train("baseball").report


def test_errors_come_with_a_warning() -> None:
    """Identical answers are an error, and numbers beside an error mean little."""
    x = np.random.default_rng(0).normal(size=(100, 2))
    said = in_short(bt.PreferencePairs(x, x), l2=0.1)
    assert "**The diagnosis has 2 errors: identical answers, stuck at log 2.** Do not rely on" in said


@pytest.mark.parametrize(("options", "is_named"), [({"max_steps": 1}, True), ({}, False)])
def test_fit_that_did_not_converge_is_named(options: dict[str, int], is_named: bool) -> None:
    """It is one of the first things to know, and silence means that all is well."""
    pairs = of_a_signal(100, 2)
    run = bt.train(pairs, validation=0)
    with pytest.warns(bt.ConvergenceWarning) if is_named else nullcontext():
        model = bt.fit(bt.LinearScorer(2), pairs, **options)  # type: ignore[arg-type]
    assert ("The fit did not converge" in replace(run, model=model).report.split("##")[1]) == is_named
