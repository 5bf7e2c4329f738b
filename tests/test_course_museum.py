"""The museum: every exhibit looks right where it says so, and its check really catches it."""

import numpy as np
import pytest
from bradley_terry.cli import main

import bradley_terry as bt
from bradley_terry.course import museum

NAMES = {exhibit.name: exhibit for exhibit in museum.EXHIBITS}


def test_there_are_sixteen_and_no_two_alike():
    """All names differ, and each exhibit says what is wrong, why it is overlooked, and what catches it."""
    assert len(NAMES) == len(museum.EXHIBITS) == 16
    for exhibit in museum.EXHIBITS:
        assert all((exhibit.what, exhibit.hidden_by, exhibit.caught_by))
        assert callable(exhibit.wrong)


LOOKS = {  # the evidence of those exhibits that do not make a loss fall
    "off by one": "at phi = 0 it passes every check",
    "= instead of +=": "where each item occurs once it passes every check",
    "checked at zero": "checked at phi = 0 it passes",
    "the textbook formula": "for margins from -5 to 5 it is off by up to about",
    "an added 1e-8": "for margins from -5 to 5 it is off by up to about 1.5e-06",
    "zero times infinity": "for margins from -5 to 5 it is off by up to about",
    "the check that passes everything": "at a margin of 15 the slope is -3.1e-07; with its sign flipped it passes",
    "the assert with a comma": "assert 2.0, 3.0 passes: True",
    "a bias that learns the order": "loss 0.0051 and accuracy 100% on coin flips",
    "cut too short": "loss 0.6931 for every phi",
    "a floor that is too low": "at p = ½ both agree: 0.25 and 0.25",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_should_look_right_looks_right(name):
    """A loss that is said to fall does fall, and a check that is said to pass does pass."""
    evidence = NAMES[name].hides()
    if evidence.startswith("the loss falls"):
        first, last = (float(word) for word in evidence.split() if word.startswith(("0.", "1.", "2.")))
        assert last < first - 0.01
    else:
        assert evidence.startswith(LOOKS[name])


CAUSES = {
    "the rejected answer left out": "only the chosen answer was differentiated",
    "off by one": "pull of the pair before it",
    "= instead of +=": "overwrites its earlier gradient",
    "divided twice": "divided by n = 60 twice",
    "the penalty with the wrong sign": "the penalty has the wrong sign",
    "the penalty counted twice": "the penalty counts twice",
    "σ(2x) instead of σ(x)": "σ(2Δ)",
    "checked at zero": "the derivative of the activation is missing",
    "the textbook formula": "expected finite numbers, got inf",
    "an added 1e-8": "the added 1e-8 keeps the loss below 18.42",
    "zero times infinity": "expected finite numbers, got nan",
    "the check that passes everything": "the sign is flipped",
    "the assert with a comma": "False",
    "a bias that learns the order": "0.6931",
    "cut too short": "60 of 60 pairs",
    "a floor that is too low": "the smallest is 0.16",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_exhibit_is_caught_and_its_cause_named(name):
    """The check names the cause in words, wherever it can find it."""
    assert CAUSES[name] in NAMES[name].caught()


def test_numbers_in_the_descriptions_are_true():
    """The losses, the margins at which something happens, and the pull that an added 1e-8 leaves."""
    loss, accuracy = museum.bias_in_the_margin()
    assert (round(loss, 4), accuracy) == (0.0051, 1.0)
    assert museum.with_a_grain(np.array([-1000.0]))[0] == pytest.approx(18.4207, abs=1e-4)
    assert np.isnan(museum.zero_times_infinity(np.array([36.74]))[0])
    assert np.isfinite(museum.zero_times_infinity(np.array([36.73]))[0])
    above, below = museum.with_a_grain(np.array([[-10.01, -25.01], [-9.99, -24.99]]))
    assert (above - below)[0] / 0.02 > 0.999
    assert (above - below)[1] / 0.02 < 0.01  # "almost no pull"
    assert abs(bt.pair_loss_gradients(13.82)) < 1e-6 < abs(bt.pair_loss_gradients(13.81))
    assert abs(2 * bt.pair_loss_gradients(14.51)) < 1e-6 < abs(2 * bt.pair_loss_gradients(14.5))  # the wrong sign
    p = 0.8
    assert p * (1 - p) ** 2 + (1 - p) * p**2 == pytest.approx(p * (1 - p))
    assert museum.never_fails(2.0, 3.0)


@pytest.mark.full
def test_the_command_line_shows_every_exhibit(capsys):
    """``bradley-terry check --museum`` prints all of them."""
    assert main(["check", "--museum"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in NAMES)
