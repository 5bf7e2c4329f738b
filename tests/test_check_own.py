"""``bradley-terry check FILE:FUNCTION`` on the learner's own pairs, and functions of φ alone."""

from __future__ import annotations

import numpy as np
import pytest
from bradley_terry.cli import main

TEXT = """
import numpy as np
def pull(z):
    return -np.exp(-np.logaddexp(0, z))
def right(w, c, r):
    return pull((c - r) @ w) @ (c - r) / len(c)
def both(w, c, r):
    return np.logaddexp(0, -((c - r) @ w)).mean(), right(w, c, r)
def summed(w, c, r):
    return right(w, c, r) * len(c)
def of_items(rewards, c, r):
    d = pull(rewards[c] - rewards[r]) / len(c)
    return np.bincount(c, d, len(rewards)) - np.bincount(r, d, len(rewards))
def dictionary(p, c, r):
    return {"hidden_weights": p["hidden_weights"]}
def by_values(p, c, r):
    w, b, v = p.values()
    return {"hidden_weights": w}
def mlp(hidden_weights, **more):
    return {}
def by_names(p, c, r):
    return mlp(**p)
def by_attribute(p, c, r):
    return p.hidden_weights
def by_copy(p, c, r):
    return {name: 0 * array for name, array in dict(p).items()}
C, R = np.random.default_rng(3).normal(size=(2, 9, 2))
def of_phi(phi):
    return both(phi, C, R)
def of_phi_wrong(phi):
    loss, gradient = both(phi, C, R)
    return loss, gradient * 9
def of_phi_with_penalty(phi):
    loss, gradient = both(phi, C, R)
    return loss + 0.05 * phi @ phi, gradient + 0.1 * phi
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(TEXT, encoding="utf-8")
    chosen, rejected = np.random.default_rng(3).normal(size=(2, 9, 2))
    np.savez(tmp_path / "pairs.npz", chosen=chosen, rejected=rejected)
    np.savez(tmp_path / "weighted.npz", chosen=chosen, rejected=rejected, weights=np.arange(1.0, 10))
    (tmp_path / "games.csv").write_text("winner,loser\nann,bob\nbob,cy\nann,cy\ncy,ann\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["dictionary", "by_values", "by_names", "by_attribute", "by_copy"])
def test_a_function_that_wants_a_dict_gets_a_hint(mine, capsys, name) -> None:
    """The parameters of an MLP are a dict, and the default is a linear scorer, whose weights are an array."""
    assert main(["check", f"mine.py:{name}"]) == 1
    assert "Does your function take a dict of parameters? Then check it with --scorer mlp." in capsys.readouterr().out
    main(["check", "mine.py:summed"])
    assert "--scorer" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("right --data pairs.npz", 0, "gradient: passed"),
        ("both --data pairs.npz", 0, "gradient: passed"),
        ("both", 0, "gradient: passed"),
        ("right --data weighted.npz", 0, "the pairs have weights, and your function has no argument for them"),
        ("summed --data pairs.npz", 1, "the division by n = 9 is missing"),
        ("of_items --data games.csv", 0, "gradient: passed"),
        ("of_phi --data pairs.npz", 0, "gradient: every entry agrees"),
        ("of_phi --parameters 2", 0, "gradient: every entry agrees"),
        ("of_phi_wrong --data pairs.npz", 1, "the division by n = 9 is missing"),
        ("dictionary", 1, "--scorer mlp"),
    ],
)
def test_a_function_is_checked_on_the_learners_own_pairs(mine, capsys, arguments, status, words) -> None:
    """The report is the same as on random pairs; its sentences have the numbers of these pairs."""
    function, *options = arguments.split()
    assert main(["check", f"mine.py:{function}", *options]) == status
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mine.py:of_phi"], "FILE:FUNCTION: expected --data FILE or --parameters N"),
        (["mine.py:of_phi", "--parameters", "2", "--scorer", "mlp"], "--scorer: expected only together with --data"),
        (["mine.py:of_phi", "--parameters", "0"], "--parameters: expected a positive number, got 0"),
        (["mine.py:of_phi", "--data", "pairs.npz", "--parameters", "5"], "--parameters: expected 2"),
        (["mine.py:right", "--parameters", "2"], "--parameters: expected only for a function of phi alone"),
        (["--data", "pairs.npz"], "--data: expected only together with FILE:FUNCTION"),
        (["mine.py:right", "--data", "none.npz"], "none.npz"),
    ],
)
def test_arguments_that_do_not_fit_get_one_sentence(mine, capsys, arguments, words) -> None:
    """The status is 2, and nothing is checked."""
    assert main(["check", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_function_with_a_loss_of_its_own_gets_a_note(mine, capsys) -> None:
    """Its gradient is right for its loss, which is not the mean of -log sigma(Δ) over the pairs of the file."""
    assert main(["check", "mine.py:of_phi_with_penalty", "--data", "pairs.npz"]) == 0
    said = capsys.readouterr().out
    assert "every entry agrees" in said
    assert "this loss is not the mean of -log sigma(Δ) over these pairs: got" in said
    assert main(["check", "mine.py:of_phi", "--data", "pairs.npz"]) == 0
    assert "this loss is not" not in capsys.readouterr().out


def test_a_wrong_gradient_of_phi_alone_comes_with_the_way_to_a_name(tmp_path, monkeypatch, capsys) -> None:
    """Without pairs the mistake cannot be named, and a right gradient needs no hint."""
    monkeypatch.chdir(tmp_path)
    code = (
        "def wrong(phi):\n    return (phi @ phi) / 2, phi[::-1]\n\n\ndef right(phi):\n    return (phi @ phi) / 2, phi\n"
    )
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    assert main(["check", "own.py:wrong", "--parameters", "3"]) == 1
    assert "bt.check_gradient with objective= can name the mistake" in capsys.readouterr().out
    assert main(["check", "own.py:right", "--parameters", "3"]) == 0
    assert "objective=" not in capsys.readouterr().out
