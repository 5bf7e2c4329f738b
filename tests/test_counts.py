"""Numbers as a reader sees them: one of something is singular, a count is whole, zero has no sign, help is narrow."""

from __future__ import annotations

import re

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.arrays.visible import counted
from bradley_terry.calibration.length import LENGTH
from bradley_terry.commands.parser import VERBS, make_parser
from bradley_terry.findings.doctor import _Words
from bradley_terry.findings.words import MILDER, WORDS
from bradley_terry.intervals import effective_numbers

ONE = re.compile(r"(?<![\d.,])1 (\w+ )?(pairs|prompts|items|features|steps|passes|records|names)\b")


def test_a_noun_is_singular_only_after_one() -> None:
    """Zero pairs, one pair, two pairs."""
    assert [counted(n, "pair") for n in (0, 1, 2, 1.5)] == ["0 pairs", "1 pair", "2 pairs", "1.5 pairs"]
    assert counted(12_000, "held-out pair", ",") == "12,000 held-out pairs"


def one_pair() -> bt.PreferencePairs:
    return bt.PreferencePairs([[1.0]], [[0.0]], prompts=["a"], feature_names=[LENGTH])


def test_one_pair_is_described_in_the_singular() -> None:
    """Its repr, and what the length, the doctor and an interrupted fit say about it."""
    assert repr(one_pair()) == "PreferencePairs(1 pair of 1 feature, 1 prompt)"
    assert "in 1.000 of 1 pair (" in str(bt.calibration.length_baseline(one_pair()))
    equal = bt.PreferencePairs([[1.0], [2.0]], [[1.0], [1.0]], feature_names=[LENGTH])
    assert "1 pair, which counts one half" in str(bt.calibration.length_baseline(equal))
    found = bt.diagnose(bt.fit(bt.LinearScorer(1), one_pair(), l2=0.1), one_pair(), validation=one_pair())
    assert "on 1 pair and 1 held-out pair:" in str(found)
    assert "1 of 1 held-out pair has the prompt of a training pair. The numbers for this pair do not" in (
        found["leak between splits"].explanation
    )
    assert ONE.search(str(found)) is None


@pytest.mark.filterwarnings("ignore::bradley_terry.ConvergenceWarning")
@pytest.mark.parametrize(
    ("method", "words"),
    [("newton", "after 1 Newton step"), ("adam", "limit of 1 pass,"), ("gradient_descent", "limit of 1 step,")],
)
def test_a_fit_of_one_step_says_so_in_the_singular(method, words) -> None:
    """The limit of one step, of one pass or of one Newton step."""
    model = bt.fit(bt.LinearScorer(3), bt.datasets.synthetic(50), method=method, max_steps=1)
    assert re.search(rf"{words.rstrip(',')}(,|$)", model.message)


def test_a_message_that_expects_one_name_is_singular() -> None:
    """A data set with one feature needs one name."""
    with pytest.raises(ValueError, match="expected 1 name, one for each feature, got 2"):
        bt.PreferencePairs([[1.0]], [[0.0]], feature_names=["a", "b"])


@pytest.mark.parametrize("words", [*WORDS.values(), *MILDER.values()], ids=[*WORDS, *MILDER])
def test_every_finding_is_grammatical_about_one_and_about_two(words) -> None:
    """With 1 for every number no plural follows "1"; with 2, no alternative of the text is left over."""

    class Every(dict):
        def __missing__(self, key: str) -> float:
            return self["n"]

    one, two = (_Words().vformat(words.explanation, (), Every(n=n)) for n in (1, 2))
    assert ONE.search(one) is None
    assert not re.search(r"\b1 \w+( \w+)? (were|are|have) ", one)
    assert "|" not in one + two


def test_equal_prompts_are_counted_exactly() -> None:
    """200 prompts of two pairs each are 200 trials, not 200.00000000000065, and so are weights that are all equal."""
    prompts, bins = np.repeat(np.arange(200), 2), np.zeros(400, dtype=np.int64)
    for w in (np.ones(400), np.full(400, 0.1), np.full(400, 1e300)):
        assert effective_numbers(bins, prompts, w, 1)[0] == 200
    assert np.isnan(effective_numbers(bins, prompts, np.zeros(400), 1)[0])


def test_the_evidence_of_swapped_labels_has_a_whole_number_of_prompts() -> None:
    """The held-out answers are exchanged; the evidence counts the 200 pairs."""
    pairs = bt.datasets.synthetic(400, pairs_per_prompt=2)
    training, other = pairs[:200], pairs[200:]
    held_out = bt.PreferencePairs(other.rejected, other.chosen)
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), training), training, validation=held_out)
    assert found["labels swapped"].evidence["prompts"] == 200
    assert found["labels swapped"].numbers.endswith("prompts 200")


LOSSES = [
    bt.losses.BradleyTerry(), bt.losses.Hinge(), bt.losses.NoisyChoice(0.1), bt.losses.Temperature(2.0),
    bt.losses.LabelSmoothing(0.1), bt.losses.Robust(0.1), bt.losses.Probit(), bt.losses.Scaled(), bt.losses.Square(),
    bt.losses.Exponential(), bt.losses.Focal(2.0), bt.losses.Sigmoid(), bt.losses.Unhinged(), bt.losses.Ordinal(4),
    bt.losses.RaoKupper(1.0), bt.losses.Davidson(1.0),
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_slope_that_ends_at_zero_ends_at_plus_zero(loss) -> None:
    """No loss says that its slope far out is -0.0."""
    assert "-0.0" not in [repr(end) for end in loss.tails]


def test_the_gradient_of_the_hinge_beyond_its_margin_is_plus_zero() -> None:
    """So it is printed as 0."""
    assert str(bt.losses.Hinge().gradient(np.array([-1.0, 2.0]), None)) == "[-1.  0.]"
    assert np.signbit(bt.losses.Hinge().gradient(np.array([0.5, 1.0, 2.0]), None)).tolist() == [True, False, False]


def test_no_check_of_the_doctor_has_a_negative_zero() -> None:
    """A model on its own training pairs, which repeat nothing and leak nothing."""
    pairs = bt.datasets.synthetic(100)
    rest = bt.datasets.synthetic(100, seed=1)
    other = bt.PreferencePairs(rest.chosen, rest.rejected)
    found = bt.diagnose(bt.fit(bt.LinearScorer(3), pairs), pairs, validation=other)
    assert {"duplicated pairs", "leak between splits"} <= {check.name for check in found.checks}
    assert [check.name for check in found.checks if check.statistic == 0 and np.signbit(check.statistic)] == []


@pytest.mark.parametrize("words", [[], *([verb.__name__.rpartition(".")[2]] for verb in VERBS)], ids=str)
def test_every_help_text_fits_a_terminal_of_80_columns(words, capsys, monkeypatch) -> None:
    """No line is longer, the usage included."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        make_parser().parse_args([*words, "--help"])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80
