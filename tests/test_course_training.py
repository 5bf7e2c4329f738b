"""Lesson 10: its two exercises, its slider, its figure, and the numbers in its text."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from students import leaking, nats

import bradley_terry as bt
from bradley_terry.course import check, figures, notebooks, sliders
from bradley_terry.course.causes import CAUSES, causes_of, numbers_of
from bradley_terry.course.plots import training as training_plots
from bradley_terry.drawing import figure_of

LETTERS = "ABCDEF"


@pytest.fixture(scope="module")
def named():
    """Return the six runs of the lesson by letter, with their names."""
    return figures.six_runs_data()


@pytest.fixture(scope="module")
def runs(named):
    return {letter: tuple(run) for letter, (_, *run) in named.items()}


@pytest.fixture(scope="module")
def answers(named):
    return {letter: name for letter, (name, *_) in named.items()}


@pytest.fixture(scope="module")
def cells():
    (path,) = [path for path in notebooks.lessons(notebooks.originals()) if path.name.startswith("10_")]
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


# ------------------------------------------------------------------------------------------------------ the six runs


def test_the_figure_shows_the_runs_of_the_lesson(cells, named) -> None:
    """The cells of the lesson, run here, give the same names and losses as the figure."""
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    space: dict[str, object] = {}
    for source in code[: 1 + next(i for i, source in enumerate(code) if "runs = {" in source)]:
        if "check." not in source:
            exec(source, space)  # noqa: S102  # the lesson's own cells
    assert space["drawn"].tolist() == [name for name, *_ in named.values()]
    for letter, (model, _, _) in space["runs"].items():
        for name in ("loss", "validation_loss"):
            np.testing.assert_allclose(model.history[name], named[letter][1].history[name], rtol=1e-6)


def test_every_run_of_the_lesson_has_one_cause_and_the_doctor_agrees(named, runs) -> None:
    """No number contradicts the recipe, some number contradicts each other candidate, and the doctor finds it too."""
    for letter, (name, model, training, held_out) in named.items():
        assert causes_of(runs[letter]) == (name,)
        assert name in bt.diagnose(model, training, validation=held_out).names
    assert len({name for name, *_ in named.values()}) == 6


def test_the_caption_says_what_the_runs_do(named, answers) -> None:
    """Run A ends far above log 2, B at step 0, C falls to the end, D and F stay near log 2, and E jumps."""
    history = {letter: model.history for letter, (_, model, _, _) in named.items()}
    assert history["A"]["validation_loss"][-1] > 2 * np.log(2) > 4 * history["A"]["loss"][-1]
    assert history["B"]["step"].tolist() == [0]
    assert (np.diff(history["C"]["loss"]) < 0).all()
    assert history["C"]["loss"][-1] < 0.1
    for letter in "DF":
        assert np.abs(history[letter]["loss"] - np.log(2)).max() < 0.01
    assert answers["D"] != answers["F"]
    assert np.count_nonzero(np.diff(history["E"]["loss"]) > 0) > 100


def test_the_numbers_do_not_depend_on_rounding(named) -> None:
    """A start that differs by 1e-9 leads to the same printed losses, even where the rate is too high."""
    _, model, training, held_out = named["E"]
    nearly = bt.fit(
        model.scorer, training, method="gradient_descent", learning_rate=12.0, validation=held_out, max_steps=300,
        patience=300, tolerance=0, initial=np.full(4, 1e-9), backend="numpy",
    )  # fmt: skip
    np.testing.assert_allclose(nearly.history["loss"][-5:], model.history["loss"][-5:], atol=1e-6)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 9))
def test_other_seeds_give_runs_that_can_be_told_apart(seed) -> None:
    """With other random numbers, too, the recipe is among the causes that no number contradicts."""
    for name, *run in figures.six_runs_data(seed).values():
        if name != "over-fitting":  # thirty features and a hundred pairs: sometimes chance is too large to say
            assert causes_of(tuple(run)) == (name,), seed
        else:
            assert causes_of(tuple(run)) in {(name,), ("coin-flip labels",)}


# ------------------------------------------------------------------------------------------------ exercise 1: causes


def test_the_right_causes_pass(runs, answers) -> None:
    """As a dict or as a list, and in capital letters."""
    assert repr(check.causes(answers, runs)) == "causes: passed"
    assert check.causes(list(answers.values()), runs).passed
    assert check.causes({letter: f" {name.upper()} " for letter, name in answers.items()}, runs).passed


def test_causes_that_nobody_named_are_not_attempted(runs, answers) -> None:
    """None for every run, or nothing at all; a single answer is judged, and the rest is missing."""
    for nothing in ({}, None, dict.fromkeys(LETTERS), [None] * 6):
        assert repr(check.causes(nothing, runs)) == "causes: not attempted"
    report = check.causes({"A": answers["A"]}, runs)
    assert report.status == "failed"
    assert "B: no answer yet" in report.message
    assert report.message.endswith("right: A")


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("name", CAUSES)
def test_a_wrong_cause_is_contradicted_by_a_number_of_the_run(runs, answers, letter, name) -> None:
    """The reason is about this run and does not name the right cause."""
    report = check.causes({**answers, letter: name}, runs)
    if answers[letter] == name:
        assert report.passed
        return
    assert report.status == "failed"
    first, last = report.message.splitlines()
    assert first.startswith(f"{letter} is not a case of “{name}”: ")
    assert last == f"right: {', '.join(other for other in LETTERS if other != letter)}"
    reason = first.partition("”: ")[2]
    assert re.search(r"\d|linear", reason)
    assert answers[letter] not in reason


def test_no_single_answer_and_no_permutation_passes(runs, answers) -> None:
    """Right by luck is hopeless: the same cause everywhere, a shifted list, and a thousand random lists all fail."""
    names = list(answers.values())
    assert not any(check.causes([name] * 6, runs).passed for name in CAUSES)
    assert not any(check.causes(names[k:] + names[:k], runs).passed for k in range(1, 6))
    fits = {letter: set(causes_of(run)) for letter, run in runs.items()}
    assert np.prod([len(some) / len(CAUSES) for some in fits.values()]) < 1e-6


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"G": "healthy"}, "error", "there is no run 'G'"),
        (["healthy"] * 5, "error", "got 5 names"),
        ("over-fitting", "error", "got str"),
        (3, "error", "got int"),
        ({"A": ["over-fitting"]}, "error", "A: expected the name of one cause, got list"),
        ({"A": "bad luck"}, "failed", "A: 'bad luck' is not one of the candidates: zero features, identical answers"),
    ],
)
def test_answers_in_another_form_get_a_sentence(runs, said, status, words) -> None:
    """A wrong name, letter or type is said, and never raises."""
    report = check.causes(said, runs)
    assert report.status == status
    assert words in report.message


@pytest.mark.parametrize("kept", ["A", "BD", "ABCDE", "BCDEF"])
def test_all_six_runs_of_the_lesson_are_asked_for(runs, answers, kept) -> None:
    """Who deletes the runs without an answer does not pass."""
    some = {letter: runs[letter] for letter in kept}
    report = check.causes({letter: answers[letter] for letter in kept}, some)
    assert report.status == "error"
    missing = [letter for letter in LETTERS if letter not in kept]
    assert ", ".join(missing) in report.message
    assert report.message.endswith("missing: run the cell that makes all six runs again")
    assert check.causes({"mine": answers["A"]}, {"mine": runs["A"]}).passed  # other names are other runs


def test_things_that_are_no_runs_are_our_error(runs) -> None:
    """The second argument comes from the lesson."""
    for wrong in (3, (1, 2, 3), runs["A"][:2]):
        with pytest.raises(TypeError, match=r"^runs: expected \(model, training pairs, held-out pairs\) .* for A$"):
            check.causes({}, {"A": wrong})


def people(rng, n, taste):
    a, b = rng.normal(size=(2, n, len(taste)))
    a_wins = bt.sample_preferences(a @ taste, b @ taste, rng)[:, None]
    return bt.PreferencePairs(np.where(a_wins, a, b), np.where(a_wins, b, a), prompts=rng.integers(10**9, size=n))


def turned(pairs):
    return bt.PreferencePairs(pairs.rejected, pairs.chosen, prompts=pairs.prompts)


TASTE = np.array([1.0, -0.5, 0.5, 0.0])


@pytest.mark.parametrize("seed", range(1, 4))
def test_causes_that_the_lesson_does_not_draw_are_recognised_too(seed) -> None:
    """Swapped labels, a leak, a network of zeros, zero features, and a healthy run."""
    rng = np.random.default_rng(seed)
    training, held_out = people(rng, 400, TASTE), people(rng, 200, TASTE)
    model = bt.fit(bt.LinearScorer(4), training, validation=held_out)
    assert causes_of((model, training, held_out)) == ("healthy",)
    swapped = turned(held_out)
    model = bt.fit(bt.LinearScorer(4), training, validation=swapped)
    assert causes_of((model, training, swapped)) == ("labels swapped",)
    copies = training[:100]
    model = bt.fit(bt.LinearScorer(4), training, validation=copies)
    assert causes_of((model, training, copies)) == ("leak between splits",)
    assert "its 200 held-out pairs" in CAUSES["leak between splits"](numbers_of((model, training, held_out)))
    scorer = bt.MLPScorer(4, 3)
    model = bt.fit(scorer, training, validation=held_out, initial=np.zeros(scorer.n_parameters))
    assert causes_of((model, training, held_out)) == ("zero-initialised network",)
    zeros = bt.PreferencePairs(0 * training.chosen, 0 * training.chosen)
    model = bt.fit(bt.LinearScorer(4), zeros, validation=zeros[:50])
    assert causes_of((model, zeros, zeros[:50])) == ("zero features",)


# ------------------------------------------------------------------------------------------------- exercise 2: leaks


def by_loops(training, held_out):
    return {
        i
        for i in range(len(held_out["prompts"]))
        for j in range(len(training["prompts"]))
        if held_out["prompts"][i] == training["prompts"][j]
        or {*map(tuple, (held_out["chosen"][i], held_out["rejected"][i]))}
        == {*map(tuple, (training["chosen"][j], training["rejected"][j]))}
    }


@pytest.mark.parametrize(
    "function",
    [
        leaking,
        by_loops,
        lambda t, h: tuple(leaking(t, h)),
        lambda t, h: np.array(leaking(t, h)[::-1], dtype=int),
        lambda t, h: np.array(leaking(t, h), dtype=float),
    ],
)
def test_all_leaks_in_any_order_and_form_pass(function) -> None:
    """A list, a set, a tuple, or an array."""
    assert repr(check.leaks(function)) == "leaks: passed"


def rows_where(test):
    """Make an answer from a test of (training, prompt, chosen, rejected)."""

    def function(training, held_out):
        sides = (held_out["prompts"], held_out["chosen"], held_out["rejected"])
        return [i for i, (p, c, r) in enumerate(zip(*sides, strict=True)) if test(training, p, tuple(c), tuple(r))]

    return function


def prompts_of(t):
    return set(t["prompts"].tolist())


def pairs_of(t):
    return {(tuple(c), tuple(r)) for c, r in zip(t["chosen"], t["rejected"], strict=True)}


def answers_of(t):
    return {tuple(x) for x in (*t["chosen"], *t["rejected"])}


MISTAKES = [
    ("only the prompts are compared", rows_where(lambda t, p, c, r: p in prompts_of(t))),
    ("only the answers are compared", rows_where(lambda t, p, c, r: {(c, r), (r, c)} & pairs_of(t))),
    ("the two answers may be exchanged", rows_where(lambda t, p, c, r: p in prompts_of(t) or (c, r) in pairs_of(t))),
    ("and the prompts are not compared", rows_where(lambda t, p, c, r: (c, r) in pairs_of(t))),
    (
        "a pair counts as soon as one answer is known",
        rows_where(lambda t, p, c, r: p in prompts_of(t) or {c, r} & answers_of(t)),
    ),
    (
        "but not in the same training pair",
        rows_where(lambda t, p, c, r: p in prompts_of(t) or {c, r} <= answers_of(t)),
    ),
    ("these are the pairs that do not leak", lambda t, h: set(range(len(h["prompts"]))) - set(leaking(t, h))),
    ("every pair is returned", lambda t, h: range(len(h["prompts"]))),
    ("no pair is returned", lambda t, h: []),
]


@pytest.mark.parametrize(("words", "function"), MISTAKES)
def test_a_common_mistake_about_leaks_is_recognised(words, function) -> None:
    """The report says what it looks like, and about which pair it is wrong and why."""
    report = check.leaks(function)
    assert report.status == "failed"
    (said,) = re.findall("looks like: (.*)", report.message)
    assert words in said
    assert re.search(r"held-out pair \d+ (is missing: it (has|is)|does not leak: (its|only))", report.message)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda t, h: np.isin(np.arange(len(h["prompts"])), leaking(t, h)), "np.flatnonzero turns these into row"),
        (lambda t, h: leaking(h, t), "expected rows of the held-out pairs, 0 to 8"),
        (lambda t, h: leaking(t, h) * 2, "occurs more than once"),
        (lambda t, h: [i + 0.5 for i in leaking(t, h)], "expected whole numbers"),
        (lambda t, h: [-1], "got -1"),
        (lambda t, h: "0 1", "got str"),
        (lambda t, h: len(leaking(t, h)), "got shape ()"),
        (lambda t, h: [[0], [1, 2]], "rows of different lengths"),
        (lambda t, h: [h["chosen"][i] for i in leaking(t, h)], "got shape"),
        (lambda t, h: leaking(t, h)[:1], "is missing: it"),
    ],
)
def test_other_answers_about_leaks_get_a_sentence(function, words) -> None:
    """A mask, rows of the wrong side, or something that is no list."""
    report = check.leaks(function)
    assert report.status == "failed"
    assert words in report.message


def test_leaks_must_be_right_in_every_case() -> None:
    """A function that forgets the last training pair, or is lucky where nothing leaks, fails later."""
    assert check.leaks(lambda t, h: leaking({k: v[:-1] for k, v in t.items()}, h)).status == "failed"
    turns = iter(range(100))
    lucky = check.leaks(lambda t, h: leaking(t, h) if next(turns) < 3 else [])
    assert "where every pair leaks" in lucky.message
    silent = iter(range(100))
    report = check.leaks(lambda t, h: leaking(t, h) if next(silent) < 1 else None)
    assert report.status == "failed"
    assert "your function returns nothing" in report.message


def test_a_stub_about_leaks_is_not_attempted_and_a_changed_input_is_noticed() -> None:
    """As in every exercise."""

    def stub(training, held_out):
        raise NotImplementedError

    def changing(training, held_out):
        found = leaking(training, held_out)
        held_out["prompts"][0] = -1
        return found

    assert repr(check.leaks(stub)) == "leaks: not attempted"
    assert "changes its input held_out" in check.leaks(changing).message
    assert check.leaks(3).status == "error"


def test_random_rows_do_not_find_the_leaks() -> None:
    """Six problems in a row are never guessed."""
    rng = np.random.default_rng(0)

    def guess(training, held_out):
        return np.flatnonzero(rng.random(len(held_out["prompts"])) < 0.5)

    assert not any(check.leaks(guess).passed for _ in range(50))


# --------------------------------------------------------------------------------------------------- slider and plots


@pytest.fixture(scope="module")
def sides():
    rng = np.random.default_rng(3)
    return people(rng, 300, TASTE), people(rng, 200, TASTE)


def test_the_slider_shows_real_fits(sides) -> None:
    """The sentence has the loss after fifty steps by hand, and how often it rose."""
    training, held_out = sides
    d = training.chosen - training.rejected
    for exponent, rate in ((-3.0, 0.001), (0.0, 1.0), (1.25, 10**1.25)):
        w, losses = np.zeros(4), []
        for _ in range(51):
            z = d @ w
            losses.append(nats(z).mean())
            w = w + rate * np.exp(-np.logaddexp(0, z)) @ d / len(d)
        ax, words = sliders.draw_learning_rate(training, held_out, exponent)
        assert f"ends at {losses[-1]:.4f}" in words
        assert f"rises in {np.count_nonzero(np.diff(losses) > 0)} of 50 steps" in words
        np.testing.assert_allclose(ax.lines[0].get_ydata(), losses, rtol=1e-6)
        dot = next(line for line in figure_of(ax).axes[1].lines if line.get_marker() == "o")
        assert dot.get_xdata()[0] == pytest.approx(rate)
        assert dot.get_ydata()[0] == pytest.approx(min(losses[-1], training_plots.HIGHEST), rel=1e-6)


def test_both_ends_of_the_slider_are_stuck(sides) -> None:
    """Too small and too large a rate both end above 0.68, and only the second one makes the loss rise."""
    small, best, large = (sliders.draw_learning_rate(*sides, exponent)[1] for exponent in (-3.0, 0.0, 2.0))
    ends = [float(re.findall(r"ends at (\S+)", words)[0]) for words in (small, best, large)]
    assert min(ends[0], ends[2]) > 0.68
    assert ends[1] < 0.6
    assert "rises in 0 of" in small
    assert "rises in 0 of" not in large


@pytest.mark.full
def test_the_slider_moves(sides) -> None:
    """It starts at the smallest rate, and picture and sentence change."""
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    box = sliders.learning_rate(*sides)
    control, picture, sentence = box.children
    before = bytes(picture.value), sentence.value
    assert before[1].startswith("rate 0.001")
    control.value = 1.0
    assert bytes(picture.value) != before[0]
    assert sentence.value.startswith("rate 10")


def test_the_slider_fits_a_screen(sides) -> None:
    """At 72 pixels per inch, picture, control and sentence fit 1280 × 720."""
    width, height = figure_of(sliders.draw_learning_rate(*sides, 0.0)[0]).get_size_inches()
    assert width <= 10
    assert height <= 4.4


def test_six_panels_share_their_axes_and_mark_where_a_fit_ended(named) -> None:
    """Each panel has both losses, a ring at their end, and the letter of its run."""
    ax = training_plots.plot_runs({letter: model for letter, (_, model, _, _) in named.items()})
    panels = figure_of(ax).axes
    assert [panel.get_title(loc="left") for panel in panels] == [f"run {letter}" for letter in LETTERS]
    assert len({panel.get_ylim() for panel in panels}) == len({panel.get_xlim() for panel in panels}) == 1
    for panel, (_, model, _, _) in zip(panels, named.values(), strict=True):
        np.testing.assert_array_equal(panel.lines[0].get_ydata(), model.history["loss"])
        np.testing.assert_array_equal(panel.lines[2].get_ydata(), model.history["validation_loss"])
        assert panel.lines[3].get_xdata()[0] == model.history["step"][-1]
    assert [text.get_text() for text in panels[1].texts] == ["ended at step 0"]


def test_one_and_four_runs_can_be_drawn(named) -> None:
    """The rows are as many as are needed."""
    models = [model for _, model, _, _ in named.values()]
    assert len(figure_of(training_plots.plot_runs({"A": models[0]})).axes) == 1
    assert len(figure_of(training_plots.plot_runs(dict(zip("ABCD", models, strict=False)))).axes) == 6


# ------------------------------------------------------------------------------------------- numbers in the lesson


def test_numbers_of_the_text_are_those_of_the_cells(cells, runs) -> None:
    """Losses that the text quotes are printed by a cell, or computed here."""
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    printed = "".join("".join(output.get("text", "")) for output in outputs)
    newton = {letter: numbers_of(run).attainable for letter, run in runs.items()}
    p = 0.66
    known = {
        "0.643": np.log(2) - 0.05,
        "0.693": np.log(2),
        "0.562": -0.75 * np.log(0.75) - 0.25 * np.log(0.25),
        "1.099": np.log(3),
        "0.687": newton["D"],
        "0.464": newton["F"],
        "0.641": -p * np.log(p) - (1 - p) * np.log(1 - p),
    }
    for number in re.findall(r"(?<![\d.])\d\.\d{3}(?!\d)", prose):
        assert number in printed or (number in known and f"{known[number]:.3f}" == number), number
    for number, value in known.items():
        assert f"{value:.3f}" == number
    assert 0.74 - known["0.641"] == pytest.approx(0.10, abs=0.005)
    assert f"{0.74 - 0.31:.2f}" == "0.43"
    z, n = 1.96, 200  # Wilson's interval, as in lesson 5
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert [f"{(middle + side) / (1 + z**2 / n):.2f}" for side in (-half, half)] == ["0.59", "0.72"]


def test_the_doctor_of_the_lesson_names_every_recipe(cells, answers) -> None:
    """The stored output of the last comparison begins each line with a letter and contains the recipe.

    The first line gives nothing away, since JupyterLab shows it while the output is folded.
    """
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    first, *lines = next(t for t in ("".join(o.get("text", "")) for o in outputs) if "\nA · " in t).splitlines()
    assert not any(name in first for name in answers.values())
    for line, (letter, name) in zip(lines, answers.items(), strict=True):
        assert line.startswith(f"{letter} · ")
        assert name in line
