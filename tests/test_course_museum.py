"""The museum: every exhibit really looks well where it says so, and is really caught."""

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.cli import main
from bradley_terry.course import museum

NAMES = {exhibit.name: exhibit for exhibit in museum.EXHIBITS}


def test_there_are_at_least_twelve_and_no_two_alike():
    """Names differ, and each says what, how it hides, and what catches it."""
    assert len(NAMES) == len(museum.EXHIBITS) >= 12
    for exhibit in museum.EXHIBITS:
        assert all((exhibit.what, exhibit.hidden_by, exhibit.caught_by))
        assert callable(exhibit.wrong)


LOOKS = {  # what is to be seen of those that do not make a loss fall
    "one place off": "at phi = 0 it passes every check",
    "= for +=": "where each item occurs once it passes every check",
    "checked at zero": "checked at phi = 0 it passes",
    "the book's formula": "for margins of -5 to 5 it is right to",
    "a grain of 1e-8": "for margins of -5 to 5 it is right to 1e-06",
    "zero times infinity": "for margins of -5 to 5 it is right to",
    "the check that passes all": "at a margin of 15 the gradient is -3.1e-07; with its sign flipped it passes",
    "the assert with a comma": "assert 2.0, 3.0 passes: True",
    "the first is always better": "loss 0.0051, accuracy 100%, on coin flips",
    "cut too short": "loss 0.6931, whatever phi",
    "a floor in the cellar": "at p = ½: 0.25 and 0.25",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_looks_well_looks_well(name):
    """A loss that is said to fall does; a check that is said to pass does."""
    evidence = NAMES[name].hides()
    if evidence.startswith("the loss falls"):
        first, last = (float(word) for word in evidence.split() if word.startswith(("0.", "1.", "2.")))
        assert last < first - 0.01
    else:
        assert evidence.startswith(LOOKS[name])


CAUSES = {
    "the forgotten answer": "only the chosen answer was differentiated",
    "one place off": "pull of the pair before it",
    "= for +=": "overwrites its earlier gradient",
    "divided inside the loop": "divided by n = 60 twice",
    "the penalty turned round": "the penalty has the wrong sign",
    "a prior of half the variance": "the penalty counts twice",
    "a sigmoid of 2x": "σ(2Δ)",
    "checked at zero": "the derivative of the activation is missing",
    "the book's formula": "expected finite numbers, got inf",
    "a grain of 1e-8": "the added 1e-8 keeps the loss below 18.42",
    "zero times infinity": "expected finite numbers, got nan",
    "the check that passes all": "the sign is flipped",
    "the assert with a comma": "False",
    "the first is always better": "0.6931",
    "cut too short": "60 of 60 pairs",
    "a floor in the cellar": "0.16 is the least",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_exhibit_is_caught_and_its_cause_named(name):
    """In plain words where the checker can tell."""
    assert CAUSES[name] in NAMES[name].caught()


def test_numbers_on_the_labels_are_true():
    """.0051 for a bias of 5.27, 18.4 for the grain, 36.7 where 1 - p is 0, 13.8 where gradients fall below 1e-6."""
    loss, accuracy = museum.bias_in_the_margin()
    assert (round(loss, 4), accuracy) == (0.0051, 1.0)
    assert museum.with_a_grain(np.array([-1000.0]))[0] == pytest.approx(18.4207, abs=1e-4)
    assert np.isnan(museum.zero_times_infinity(np.array([37.0]))[0])
    assert np.isfinite(museum.zero_times_infinity(np.array([36.7]))[0])
    assert abs(bt.pair_loss_gradients(13.9)) < 1e-6 < abs(bt.pair_loss_gradients(13.8))
    p = 0.8
    assert p * (1 - p) ** 2 + (1 - p) * p**2 == pytest.approx(p * (1 - p))
    assert museum.never_fails(2.0, 3.0)


def test_the_command_line_walks_through(capsys):
    """``bradley-terry check --museum``."""
    assert main(["check", "--museum"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES)
