"""The tables that ship with the package, and simulated people whose true reward is known."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
from test_files import same_pairs

import bradley_terry as bt
from bradley_terry import datasets
from bradley_terry.datasets import synthetic, synthetic_phi

# ---------------------------------------------------------------------------------------------------- known value


def test_travel_modes_are_630_choices_of_210_travellers() -> None:
    """Each traveller gives three pairs. Traveller 1 chose the car over plane, train and bus, in this order."""
    pairs = datasets.travel_modes()
    assert (len(pairs), pairs.n_prompts, pairs.n_identical) == (630, 210, 0)
    np.testing.assert_array_equal(pairs.prompts, np.repeat(np.arange(1, 211), 3))
    np.testing.assert_array_equal(pairs.chosen[:3], [[30, 0, 0, 0, 0, 0]] * 3)
    np.testing.assert_array_equal(
        pairs.rejected[:3], [[70, 69, 35, 1, 0, 0], [71, 34, 0, 0, 1, 0], [70, 35, 0, 0, 0, 1]]
    )
    # 58 chose the plane, 63 the train, 30 the bus and 59 the car, as Greene prints
    chosen = pairs.chosen[::3, 3:].sum(axis=0)
    np.testing.assert_array_equal(chosen, [58, 63, 30])


def test_citations_are_the_published_counts() -> None:
    """Twelve rows hold the 3,727 citations off the diagonal. Comm Statist cited Biometrika 730 times."""
    pairs = datasets.citations()
    assert pairs.feature_names == ("Biometrika", "Comm Statist", "JASA", "JRSS-B")
    assert (len(pairs), pairs.n_prompts, pairs.total_weight) == (12, 6, 3727)
    table = np.zeros((4, 4))
    table[pairs.chosen, pairs.rejected] = pairs.weights
    # by columns and with the diagonal: Agresti 2002, p. 448
    printed = np.reshape([714, 33, 320, 284, 730, 425, 813, 276, 498, 68, 1072, 325, 221, 17, 142, 188], (4, 4)).T
    np.testing.assert_array_equal(table, printed - np.diag(np.diag(printed)))
    assert pairs.prompts[:2].tolist() == ["Biometrika vs Comm Statist"] * 2


def test_baseball_has_thirteen_games_of_each_two_teams() -> None:
    """Seven teams play 21 matchups of 13 games each; Baltimore comes first, and no row stands for zero games."""
    pairs = datasets.baseball()
    assert pairs.feature_names == ("Baltimore", "Boston", "Cleveland", "Detroit", "Milwaukee", "New York", "Toronto")
    assert pairs.n_prompts == 21
    np.testing.assert_array_equal(np.bincount(pairs.prompt_index, weights=pairs.weights), np.full(21, 13))
    assert (pairs.weights > 0).all()


# ---------------------------------------------------------------------------------------------------- identity


def test_baseball_at_home_is_baseball_with_one_more_feature() -> None:
    """In each row the features are the two items, one-hot without Baltimore, and one of the two plays at home."""
    items, features = datasets.baseball(), datasets.baseball(home_advantage=True)
    assert features.feature_names == (*(items.feature_names or ())[1:], "at home")
    one_hot = np.eye(7)[:, 1:]
    np.testing.assert_array_equal(features.chosen[:, :-1], one_hot[items.chosen])
    np.testing.assert_array_equal(features.rejected[:, :-1], one_hot[items.rejected])
    np.testing.assert_array_equal(features.chosen[:, -1] + features.rejected[:, -1], np.ones(len(items)))
    np.testing.assert_array_equal(features.prompts, items.prompts)
    np.testing.assert_array_equal(features.weights, items.weights)


def test_the_data_folder_holds_the_three_tables_and_their_sources() -> None:
    """Only three tables ship, and the README beside them gives the citation, source and licence of each."""
    folder = resources.files("bradley_terry").joinpath("data")
    tables = {"travel_modes.csv", "citations.csv", "baseball_1987.csv"}
    assert {entry.name for entry in folder.iterdir()} == {*tables, "README.md"}
    readme = folder.joinpath("README.md").read_text(encoding="utf-8")
    for name in tables:
        section = readme.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for word in ("**Citation**", "**Source**", "**Licence**", "| column | meaning | unit |"):
            assert word in section, f"{name} lacks {word}"


SCORERS = [bt.LinearScorer(4), bt.MLPScorer(3, 5), bt.TableScorer(6)]


@pytest.mark.parametrize("scorer", SCORERS)
def test_synthetic_pairs_depend_on_the_seed_alone(scorer) -> None:
    """The same seed gives the same pairs, and another seed gives other pairs."""
    same_pairs(synthetic(50, scorer=scorer, seed=3), synthetic(50, scorer=scorer, seed=3))
    other = synthetic(50, scorer=scorer, seed=4)
    assert not np.array_equal(synthetic(50, scorer=scorer, seed=3).chosen, other.chosen)


def test_answers_to_one_prompt_share_an_offset() -> None:
    """The offset of a prompt, of variance 1, shows in the variance between the means of prompts."""
    pairs = synthetic(4000, pairs_per_prompt=4)
    assert (pairs.n_prompts, len(pairs)) == (1000, 4000)
    both = (pairs.chosen + pairs.rejected).reshape(1000, 4, 3) / 2  # offset + a mean of two: variance 1 + 1/2
    between = both.mean(axis=1).var(axis=0)  # 1 + 1/8
    np.testing.assert_allclose(between, 1.125, atol=5 * 1.125 * np.sqrt(2 / 1000))  # five standard errors


def test_default_truth_of_a_scorer_can_be_asked_for() -> None:
    """``synthetic`` without phi uses ``synthetic_phi``, which is never zero, so preferences are not coin flips."""
    for scorer in SCORERS:
        truth = synthetic_phi(scorer, 9)
        assert truth.shape == (scorer.n_parameters,)
        assert truth.any()
        same_pairs(synthetic(30, scorer=scorer, seed=9), synthetic(30, scorer=scorer, phi=truth, seed=9))


# ---------------------------------------------------------------------------------------------------- statistics


@pytest.mark.parametrize("scorer", SCORERS)
def test_synthetic_preferences_follow_their_truth(scorer) -> None:
    """The loss of the true φ on its own choices is their entropy, within four standard errors."""
    pairs = synthetic(20_000, scorer=scorer, pairs_per_prompt=2, seed=1)
    truth = synthetic_phi(scorer, 1)
    margins = scorer.reward(truth, pairs.chosen) - scorer.reward(truth, pairs.rejected)
    error = np.std(bt.pair_losses(margins)) / np.sqrt(len(pairs))
    assert abs(bt.mean_loss(margins) - bt.loss_floor(margins)) < 4 * error
    assert error < 0.01


def test_synthetic_items_are_never_compared_with_themselves() -> None:
    """The two items of a pair differ, and all items appear."""
    pairs = synthetic(500, scorer=bt.TableScorer(3))
    assert pairs.n_identical == 0
    assert set(np.concatenate([pairs.chosen, pairs.rejected]).tolist()) == {0, 1, 2}


# ---------------------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("pairs_per_prompt", [1, 5])
def test_linear_scorer_recovers_the_known_direction(pairs_per_prompt) -> None:
    """A fit to 5,000 pairs finds (1, -2, 0.5) within four standard errors, with and without offsets of prompts."""
    model = bt.fit(bt.LinearScorer(3), synthetic(5000, pairs_per_prompt=pairs_per_prompt))
    assert (np.abs(model.phi - [1, -2, 0.5]) < 4 * model.standard_errors()).all()
    assert model.standard_errors().max() < 0.06


# ---------------------------------------------------------------------------------------------------- manners


class Foreign:
    """A scorer from elsewhere that does not say how many features it reads."""

    linear_in_phi = False
    n_parameters = 1

    def initial(self, rng: np.random.Generator) -> np.ndarray:
        """Return a φ."""
        return rng.standard_normal(1)

    def unpack(self, phi: np.ndarray) -> dict[str, np.ndarray]:
        """Return φ under a name."""
        return {"w": phi}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n_pairs": 0}, "n_pairs: expected a whole number of at least 1, got 0"),
        ({"pairs_per_prompt": 1.5}, "pairs_per_prompt: expected a whole number of at least 1, got 1.5"),
        ({"scorer": bt.LinearScorer(2), "phi": [1.0]}, r"phi: expected shape \(2,\)"),
        ({"phi": [[1.0, 2.0]]}, "phi: expected shape"),
        ({"scorer": bt.TableScorer(1)}, "scorer: expected at least two items"),
        ({"scorer": Foreign()}, "scorer: expected one with n_features"),
        ({"scorer": "linear"}, "scorer: expected one with n_features or a TableScorer, got linear"),
        ({"scorer": bt.LinearScorer}, "scorer: expected one with n_features or a TableScorer, got <class"),
        ({"seed": -1}, "seed: expected a whole number of at least 0, got -1"),
        ({"seed": None}, "seed: expected a whole number of at least 0, got None"),
        ({"seed": True}, "seed: expected a whole number of at least 0, got True"),
    ],
)
def test_impossible_arguments_of_synthetic_are_refused(arguments, sentence) -> None:
    """The message names the argument and says what was expected and what was found."""
    with pytest.raises(ValueError, match=sentence):
        synthetic(**arguments)


def test_the_true_phi_is_not_modified() -> None:
    """φ stays as it was given, and without a scorer it may have any length."""
    phi = np.array([1.0, 2.0])
    assert synthetic(5, phi=phi).n_features == 2
    np.testing.assert_array_equal(phi, [1.0, 2.0])


@pytest.mark.full
def test_datasets_need_neither_matplotlib_nor_numba(run_python) -> None:
    """Reading a table does not import what draws or compiles."""
    script = (
        "import sys; from bradley_terry import datasets; datasets.travel_modes();"
        "print([m for m in ('matplotlib', 'numba', 'pandas') if m in sys.modules])"
    )
    assert run_python(script) == "[]"
