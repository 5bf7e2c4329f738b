"""The figures: what they show is true, their captions match, and they come out the same every time."""

from __future__ import annotations

import dataclasses
from html import unescape
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from bradley_terry.figures import captions, loss_curve_figure, model_figures
from drawn import settings_now

import bradley_terry as bt
from bradley_terry import figures as model_figures_module
from bradley_terry.course import figures, sliders
from bradley_terry.course.plots import naive_losses, plot_scaling

COMMITTED = Path(__file__).parents[1] / "figures"


@pytest.fixture(scope="module")
def samples() -> figures.EmpiricalAndExpected:
    """Return the data of the figure on empirical and expected loss."""
    return figures.empirical_and_expected_data()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> list[Path]:
    """Draw all figures, once."""
    return figures.build_figures(tmp_path_factory.mktemp("figures") / "made" / "on the way")


@pytest.fixture(scope="module")
def pairs() -> bt.PreferencePairs:
    rng = np.random.default_rng(20240611)
    return bt.PreferencePairs(rng.normal(0.5, 1, (40, 2)), rng.normal(0, 1, (40, 2)))


@pytest.fixture(scope="module")
def model(pairs) -> bt.RewardModel:
    return bt.fit(bt.LinearScorer(2), pairs, validation=0.25, l2=0.1)


# ---------------------------------------------------------------------------------------------------- known value


def test_shift_invariance_starts_from_the_pairs_of_the_course() -> None:
    """The four pairs have mean loss .5187; over the factors drawn it is lowest at α = 2.0, .4701."""
    chosen, rejected, shifts, factors = figures.shift_invariance_data()
    assert f"{bt.mean_loss(chosen - rejected):.4f}" == "0.5187"
    assert (shifts.min(), shifts.max()) == (-10, 10)
    losses = plot_scaling(chosen, rejected, factors).lines[0].get_ydata()
    assert factors[losses.argmin()] == pytest.approx(2.0)
    assert f"{losses.min():.4f}" == "0.4701"


def test_rewards_to_probability_marks_what_its_caption_says() -> None:
    """σ(2.2) = .900250 for the course's rewards 2.0 and −0.2, σ(0) = ½, and σ(−2) = 1 − σ(2) = .119203."""
    margins, p = figures.rewards_to_probability_figure().axes[0].lines[1].get_xydata().T
    assert margins.tolist() == [-2.0, 0.0, 2.2]
    np.testing.assert_allclose(p, [0.119203, 0.5, 0.900250], atol=5e-7)


def test_pulls_fall_from_full_force_to_nearly_none() -> None:
    """σ(6) = .9975 is only a twentieth more than σ(3) = .9526. The pull is ½ at 0, and below .02 at 4."""
    margins, pulls = figures.pulls_figure().axes[0].lines[1].get_xydata().T
    assert margins.tolist() == list(figures.PULLING)
    np.testing.assert_allclose(pulls[:4], [0.997527, 0.952574, 0.731059, 0.5], atol=5e-7)
    assert 0.01 < pulls[-1] < 0.02


def test_the_step_sweep_is_a_v_with_its_bend_near_a_hundred_thousandth() -> None:
    """A step a hundred times longer has about 100² times the error. The shortest steps have an error near eps/h."""
    sweep = sliders.lesson_sweep()
    assert 1e-6 < sweep.best_step < 1e-4
    long, longer = (float(np.interp(np.log(h), np.log(sweep.steps), np.log(sweep.errors))) for h in (1e-3, 1e-1))
    assert np.exp(longer - long) == pytest.approx(1e4, rel=0.3)  # ∝ h², but for the term in h⁴
    assert 1e-6 < np.median(sweep.errors[sweep.steps < 1e-11]) < 1e-3


@pytest.mark.full
def test_two_hidden_units_learn_what_a_line_cannot() -> None:
    """Of three answers that differ only in length, the MLP prefers the middle one to both. No linear reward can."""
    linear, bent, _ = sliders.curved_models()
    lengths = np.array([[-1.5, 0.0], [0.0, 0.0], [1.5, 0.0]])
    short, middle, long = bent.reward(lengths)
    assert middle > max(short, long) + 1
    short, middle, long = linear.reward(lengths)
    assert middle == pytest.approx((short + long) / 2, abs=1e-12)


def test_naive_form_is_infinite_from_where_its_caption_says() -> None:
    """exp(88.7) is finite in float32 and exp(88.8) is not."""
    losses = naive_losses("log(1 + exp(-z))", [-88.7, -88.8], np.float32)
    assert np.isfinite(losses[0])
    assert np.isinf(losses[1])


def test_training_curve_says_what_its_caption_says() -> None:
    """On 168 travellers, Newton stops after 3 steps, gradient descent after 255, both from log 2, at the same loss."""
    models = figures.training_curve_data()
    newton, descent = models["newton"], models["gradient_descent"]
    assert newton.converged
    assert descent.converged
    assert newton.history["step"][-1] == 3
    assert abs(int(descent.history["step"][-1]) - 255) <= 1  # one step more or less where rounding differs
    for model in (newton, descent):
        assert model.history["loss"][0] == np.log(2)
        assert model.history["validation_loss"][0] == np.log(2)
        assert model.history["validation_loss"][-1] < model.history["loss"][-1]
    # both gradients are below 1e-3, so the losses differ by about a gradient squared over a curvature of 1/100
    assert newton.history["loss"][-1] == pytest.approx(descent.history["loss"][-1], abs=1e-4)
    training, held_out = bt.datasets.travel_modes().split(0.2)
    assert (training.n_prompts, held_out.n_prompts) == (168, 42)


def test_held_out_below_training_is_the_luck_of_the_split() -> None:
    """Over 20 other splits the held-out loss ends above the training loss in some and below it in others."""
    pairs = bt.datasets.travel_modes()
    lower = 0
    for seed in range(1, 21):
        history = bt.fit(bt.LinearScorer(6), pairs, validation=0.2, seed=seed).history
        lower += bool(history["validation_loss"][-1] < history["loss"][-1])
    assert 5 <= lower <= 15


# ---------------------------------------------------------------------------------------------------- identity


def test_expected_loss_lies_above_the_floor(samples) -> None:
    """A model that says 2Δ* has an expected loss above the entropy of the preferences and below log 2."""
    assert samples.floor < samples.expected < np.log(2)


def test_loss_curve_of_a_fit_shows_loss_and_gradient_side_by_side(model) -> None:
    """On the left is the loss without the penalty, training and held-out; on the right the length of the gradient."""
    left, right = loss_curve_figure(model).axes
    assert left.lines[0].get_ydata()[0] == np.log(2)
    np.testing.assert_array_equal(left.lines[1].get_ydata(), model.history["validation_loss"])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), model.history["gradient_norm"])
    assert right.get_yscale() == "log"


def test_captions_say_what_is_in_the_figures(model, pairs) -> None:
    """Held-out pairs, early stopping and Newton's method are mentioned where the figure shows them, and only there."""
    said = captions(model)
    assert list(said) == list(model_figures_module.TITLES) == ["loss_curve", "margins", "reliability"]
    assert "held-out pairs" in said["loss_curve"]
    assert "Newton's method" in said["loss_curve"]
    assert "95 % interval" in said["reliability"]
    alone = captions(bt.fit(bt.LinearScorer(2), pairs))
    assert not any("held-out" in words for words in alone.values())
    adam = bt.fit(bt.MLPScorer(2, 2), pairs, validation=0.25, max_steps=2)
    rising = dataclasses.replace(adam, history={**adam.history, "validation_loss": np.array([0.5, 0.4, 0.45])})
    assert "a square marks the lowest point, and the model has the parameters" in captions(rising)["loss_curve"]
    assert "mini-batch" in captions(rising)["loss_curve"]
    falling = dataclasses.replace(adam, history={**adam.history, "validation_loss": np.array([0.5, 0.45, 0.4])})
    assert "square" not in captions(falling)["loss_curve"]
    diverged = dataclasses.replace(rising, outcome=bt.model.Outcome.DIVERGED)
    assert "parameters of that step" not in captions(diverged)["loss_curve"]


@pytest.mark.parametrize(("held_out", "easier"), [(0.4, True), (0.6, False)])
def test_caption_explains_a_held_out_loss_below_the_training_loss(model, held_out, easier) -> None:
    """The caption calls this chance if, and only if, it happened."""
    history = {**model.history, "loss": np.array([np.log(2), 0.5]), "validation_loss": np.array([np.log(2), held_out])}
    history = {name: values[:2] for name, values in history.items()}
    changed = dataclasses.replace(model, l2=0.0, history=history)
    assert ("happen to be the easier ones" in captions(changed)["loss_curve"]) is easier


# ---------------------------------------------------------------------------------------------------- statistics


def test_samples_scatter_around_the_expected_loss_like_one_over_root_n(samples) -> None:
    """Each size's mean is within 4 standard errors of the expected loss, its spread within 45 % of spread/sqrt(n).

    The relative error of a standard deviation from 40 samples is about 1/sqrt(2·39) = 11 %, and 4 of these are 45 %.
    """
    n_samples = samples.empirical_losses.shape[1]
    for n, losses in zip(samples.sample_sizes, samples.empirical_losses, strict=True):
        standard_error = samples.spread / np.sqrt(n)
        assert abs(losses.mean() - samples.expected) < 4 * standard_error / np.sqrt(n_samples)
        assert losses.std(ddof=1) == pytest.approx(standard_error, rel=0.45)


@pytest.mark.full
def test_spread_is_the_standard_deviation_of_one_loss() -> None:
    """Pooled over 8 sizes and 300 samples, n·(mean - expected)² averages to spread², within 4·sqrt(2/2400) = 12 %."""
    data = figures.empirical_and_expected_data(n_samples=300)
    squares = data.sample_sizes[:, None] * (data.empirical_losses - data.expected) ** 2
    assert squares.mean() == pytest.approx(data.spread**2, rel=0.12)


def test_another_seed_draws_other_samples_of_the_same_kind() -> None:
    """The same seed gives the same samples, and another seed gives other samples."""
    one, again, other = (figures.empirical_and_expected_data(n_samples=2, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.empirical_losses, again.empirical_losses)
    assert not np.array_equal(one.empirical_losses, other.empirical_losses)


# ---------------------------------------------------------------------------------------------------- manners


def test_committed_figures_have_their_titles_and_captions() -> None:
    """The figures in the folder and their README have the present captions."""
    if not COMMITTED.exists():
        pytest.skip("the figures are not beside an installed package")
    readme = (COMMITTED / "README.md").read_text(encoding="utf-8")
    assert list(figures.TITLES) == list(figures.CAPTIONS) == list(figures.FIGURES)
    for name, caption in figures.CAPTIONS.items():
        title = figures.TITLES[name]
        assert f"## {title}\n\n![{title}]({name}.svg)\n\n{caption}\n" in readme
        svg = (COMMITTED / f"{name}.svg").read_text(encoding="utf-8")[:3000]
        assert 'role="img"' in svg
        assert f">{title}</title>" in svg
        assert f">{caption}</desc>" in unescape(svg)


@pytest.mark.full
def test_committed_readme_is_the_one_that_the_code_writes(built) -> None:
    """The folder of the project holds the same files; pixels may differ between font libraries."""
    if not COMMITTED.exists():
        pytest.skip("the figures are not beside an installed package")
    assert {path.name for path in COMMITTED.iterdir()} >= {path.name for path in built}
    assert (COMMITTED / "README.md").read_bytes() == built[-1].read_bytes()


@pytest.mark.full
def test_figures_are_the_same_bytes_on_two_builds_and_leave_settings_alone(built, tmp_path) -> None:
    """Every SVG, every PNG and the README are the same under unusual settings, and the settings stay as they are."""
    with mpl.rc_context({"font.family": "serif", "svg.hashsalt": "other", "savefig.dpi": 30}):
        before = settings_now()
        again = figures.build_figures(tmp_path)
        assert settings_now() == before
    assert [path.name for path in built] == [path.name for path in again]
    for a, b in zip(built, again, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


@pytest.mark.full
def test_every_figure_is_written_twice_and_has_a_caption(built) -> None:
    """One SVG and one PNG for each caption, and a README."""
    assert {path.name for path in built} == {
        f"{name}{end}" for name in figures.CAPTIONS for end in (".svg", ".png")
    } | {"README.md"}


def clear(figure) -> None:
    """Assert that no two texts overlap or leave the picture."""
    figure.draw_without_rendering()
    texts = [
        text
        for ax in figure.axes
        for text in [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label]
        if text.get_text() and text.get_visible()
    ]
    boxes = [text.get_window_extent() for text in texts]
    for (one, box), (two, other) in combinations(zip(texts, boxes, strict=True), 2):
        assert not box.overlaps(other), (one, two)
    for text, box in zip(texts, boxes, strict=True):
        assert figure.bbox.x0 <= box.x0, text
        assert box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0, text
        assert box.y1 <= figure.bbox.y1, text


@pytest.mark.full
@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_word_in_a_figure_stands_clear(name) -> None:
    """In none of the figures do two texts overlap or leave the picture."""
    clear(figures.FIGURES[name]())


@pytest.mark.full
@pytest.mark.parametrize("method", ["newton", "gradient_descent", "adam"])
def test_every_word_in_the_loss_curve_of_a_fit_stands_clear(method) -> None:
    """The texts are clear with few steps and with many, on the data that ``train`` uses by default."""
    scorer = bt.MLPScorer(6, 8) if method == "adam" else bt.LinearScorer(6)
    pairs = bt.datasets.travel_modes()
    clear(loss_curve_figure(bt.fit(scorer, pairs, method=method, validation=0.2, standardise=True)))


def test_model_figures_draw_what_was_evaluated(model, pairs, tmp_path, monkeypatch) -> None:
    """If no margins are given, the histogram shows those of the evaluation. Each figure has a title and a caption."""
    saved = {}

    def save(figure, path, **words):
        saved[path.name] = (figure, words)
        return [path]

    monkeypatch.setattr(model_figures_module, "save_figure", save)
    evaluation = model.evaluate(pairs, n_bootstrap=10)
    paths = model_figures(model, evaluation, None, tmp_path)
    assert [path.name for path in paths] == list(saved) == ["loss_curve", "margins", "reliability"]
    said = captions(model)
    assert all(words["caption"] == said[name] and words["title"] for name, (_, words) in saved.items())
    (ax,) = saved["margins"][0].axes
    assert f"right side: {evaluation.accuracy:.1%}" in [text.get_text() for text in ax.texts]
    model_figures(model, evaluation, [-1.0, 2.0, 3.0], tmp_path, weights=[1, 1, 2])
    (ax,) = saved["margins"][0].axes
    assert "right side: 75.0%" in [text.get_text() for text in ax.texts]


@pytest.mark.full
@pytest.mark.parametrize("scorer", [bt.LinearScorer(2), bt.MLPScorer(2, 3)])
def test_model_figures_are_written_as_svg_and_png(scorer, pairs, tmp_path) -> None:
    """Six files for any fitted model, in a folder that is made for them; the margins stay as they were."""
    model = bt.fit(scorer, pairs, validation=0.25, l2=0.1)
    margins = model.reward(pairs.chosen) - model.reward(pairs.rejected)
    before = margins.copy()
    paths = model_figures(model, model.evaluate(pairs, n_bootstrap=10), margins, tmp_path / "new")
    assert [path.name for path in paths] == [
        f"{name}{end}" for name in ("loss_curve", "margins", "reliability") for end in (".svg", ".png")
    ]
    assert all(path.stat().st_size > 1000 for path in paths)
    np.testing.assert_array_equal(margins, before)
