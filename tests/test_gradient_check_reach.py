"""Over 80 right and 160 wrong solutions in many styles: no right one fails, and no wrong one passes or is misnamed."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import written_linear as linear
import written_networks as networks
import written_objectives as objectives
from students import ALSO_RIGHT, RIGHT, WRONG

import bradley_terry as bt
from bradley_terry.course import check


def built(text: str, **scope: object):
    """Return the function f of a source text."""
    exec(compile(text, "a learner's file", "exec"), scope)  # noqa: S102  # the texts are those of the tables
    return scope["f"]


def replaced(text: str, old: str, new: str) -> str:
    assert old in text, old
    return text.replace(old, new)


def network(style: str, activation: str, old: str = "", new: str = "") -> str:
    text = replaced(networks.RIGHT[style], old, new) if old else networks.RIGHT[style]
    text = text.replace("ACT", networks.ACT[activation]).replace("SLOPE", networks.SLOPE[activation])
    return networks.IMPORTS + text


def problem(kind: str) -> tuple[bt.Objective, np.ndarray, SimpleNamespace]:
    """Return an objective with weights, labels, target margins and a penalty, a φ, and the same data for a text."""
    rng, n = np.random.default_rng(5), 23
    scorer = {"linear": bt.LinearScorer(4), "table": bt.TableScorer(5), "network": bt.MLPScorer(3, 4)}[kind]
    w, t, m = rng.uniform(0.5, 3, n), rng.uniform(0.3, 1, n), rng.normal(size=n)
    c, r = rng.normal(size=(2, n, 3 if kind == "network" else 4))
    if kind == "table":
        c = rng.integers(5, size=n)
        r = (c + rng.integers(1, 5, size=n)) % 5
    objective = bt.Objective(scorer, bt.PreferencePairs(c, r, weights=w, labels=t, target_margins=m), l2=0.3)
    phi = rng.normal(size=scorer.n_parameters)
    return objective, phi, SimpleNamespace(c=c, r=r, w=w, t=t, m=m, l2=0.3, k=3, h=4)


def of_phi(kind: str, old: str = "", new: str = ""):
    objective, phi, data = problem(kind)
    text = replaced(objectives.TEXTS[kind], old, new) if old else objectives.TEXTS[kind]
    return bt.check_gradient(built(objectives.IMPORTS + text, D=data), phi, objective=objective)


def right_ones() -> Iterator[tuple[str, object]]:
    """Yield a name and a call that returns a report, for each right solution."""
    for style, text in linear.RIGHT.items():
        yield f"linear: {style}", lambda text=text: check.gradient(built(linear.IMPORTS + text))
    for style in networks.RIGHT:
        for kind in ("tanh", "relu"):
            yield (
                f"{kind}: {style}",
                lambda s=style, a=kind: check.gradient(built(network(s, a)), scorer="mlp", activation=a),
            )
    for kind in objectives.TEXTS:
        yield f"phi: {kind}", lambda kind=kind: of_phi(kind)
    for kind, old, new in objectives.RIGHT:
        yield f"phi: {kind}: {new[:40]}", lambda k=kind, o=old, n=new: of_phi(k, o, n)
    for name, function in [*RIGHT.items(), *ALSO_RIGHT]:
        yield f"exercise {name}", lambda name=name, f=function: getattr(check, name)(f)


def wrong_ones() -> Iterator[tuple[str, str, object]]:
    """Yield a name, the words that name the mistake ("" if it has no name), and a call that returns a report."""
    for style, old, new, words in linear.WRONG:
        text = replaced(linear.RIGHT[style], old, new)
        yield f"linear: {style}: {new}", words, lambda text=text: check.gradient(built(linear.IMPORTS + text))
    for style, kinds, old, new, words in networks.WRONG:
        for kind in ("tanh", "relu") if kinds == "both" else (kinds,):
            text = network(style, kind, old, new)
            yield (
                f"{kind}: {style}: {new}",
                words,
                lambda text=text, a=kind: check.gradient(built(text), scorer="mlp", activation=a),
            )
    for kind, old, new, words in objectives.WRONG:
        yield f"phi: {kind}: {new}", words, lambda k=kind, o=old, n=new: of_phi(k, o, n)
    for name, rows in WRONG.items():
        for words, function in rows:
            yield f"exercise {name}: {words}", words, lambda name=name, f=function: getattr(check, name)(f)


@pytest.mark.full
def test_no_right_solution_fails() -> None:
    """They are written with loops, einsum, classes, tapes, long doubles, float32, and in place."""
    reports = {f"{k}: {name}": call() for k, (name, call) in enumerate(right_ones())}
    assert len(reports) >= 80
    assert [f"{name}\n{report}" for name, report in reports.items() if not report.passed] == []


@pytest.mark.full
def test_a_right_gradient_by_torch_passes() -> None:
    """A learner may let a library differentiate the loss."""
    pytest.importorskip("torch", reason="the library torch is not installed")
    check.gradient(built(linear.TORCH)).require()


def names_nothing_else(text: str, words: str) -> bool:
    """Return whether every "looks like" of a report has these words."""
    said = [line for line in text.splitlines() if "looks like: " in line]
    return bool(words) and all(words in line for line in said)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:overflow encountered in divide:RuntimeWarning")
def test_no_wrong_solution_passes_and_most_are_named() -> None:
    """At least 85 of 100 get their name, and none gets a wrong one."""
    passed, misnamed, n, n_named = [], [], 0, 0
    for name, words, call in wrong_ones():
        report, n = call(), n + 1
        text = repr(report)
        if report.passed:
            passed.append(name)
        n_named += bool(words) and words in text
        if "looks like: " in text and not names_nothing_else(text, words):
            misnamed.append(f"{name}\n{text}")
    print(f"{n} wrong solutions, {len(passed)} passed, {n_named / n:.1%} named, {len(misnamed)} misnamed")
    assert n >= 160
    assert not passed
    assert misnamed == []
    assert n_named >= 0.85 * n


# One mistake of each family, for the quick tier.
QUICK = [row for k, row in enumerate(linear.WRONG) if k % 12 == 0 and row[3]]


@pytest.mark.parametrize(("style", "old", "new", "words"), QUICK)
def test_a_mistake_in_a_linear_gradient_is_named(style, old, new, words) -> None:
    """The same, for a few."""
    report = check.gradient(built(linear.IMPORTS + replaced(linear.RIGHT[style], old, new)))
    assert not report.passed
    assert words in repr(report)
