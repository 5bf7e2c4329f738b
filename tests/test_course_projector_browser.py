"""The projector page in a browser: its numbers are the package's, keys and address work, and everything is readable.

All tests here need Chromium, and belong to the full tier.
"""

from __future__ import annotations

import io
import re
import warnings
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl

import numpy as np
import pytest
from PIL import Image

import bradley_terry as bt
from bradley_terry.course import projector
from bradley_terry.preference import expected_loss, loss_floor

pytestmark = pytest.mark.full

ADDRESS = (Path(projector.__file__).parent / "projector.html").as_uri()
TRUE = np.array([0.2, 0.6, 1, 1.4, 1.8, 2.2, 2.6, 3])  # the true margins of scene 4
SIX = np.array([-1, 0.6, 0.8, 1, 1.2, 1.5])  # the pairs of scene 3


def said(page, name):
    """Return the number that an output shows."""
    return float(page.inner_text(f"#{name}").replace("−", "-").replace(",", ""))


def picture(page, scene):
    return page.inner_html(f"#{scene} svg")


def set_state(page, hash_):
    """Apply a hash at once, as the page itself does when the address changes."""
    page.evaluate("hash => { state = read(hash); render(); }", f"#{hash_}")


def address_of(page, wanted):
    """Return the address as a dict, once it contains the wanted value. It is written after a slider has stopped."""
    page.wait_for_function("wanted => location.hash.includes(wanted)", arg=wanted)
    return {name: values[0] for name, values in parse_qs(page.evaluate("location.hash.slice(1)")).items()}


def test_formulas_of_the_page_are_those_of_the_package(open_page):
    """σ, softplus, loss and slope agree over ±800, finely around 0, and in the tails.

    Both sides are within 2 ulp (4e-16) of the exact value if the browser's exp and log1p are within 1; 1e-14 allows for
    a less accurate browser. Below 2.2e-308 a double has fewer digits, so a few of its last units, 5e-324 each, are
    allowed.
    """
    z = np.concatenate([np.linspace(-800, 800, 1601), np.linspace(-2, 2, 401), [-745.1, 708.4, 1e-300, -1e-17, 0.0]])
    got = open_page().evaluate(
        "z => ['sigmoid', 'softplus', 'pairLoss', 'pairLossGradient'].map(name => z.map(formulas[name]))", z.tolist()
    )
    want = [bt.preference_probability(z, 0.0), bt.pair_losses(-z), bt.pair_losses(z), bt.pair_loss_gradients(z)]
    for ours, theirs in zip(want, got, strict=True):
        np.testing.assert_allclose(np.array(theirs, dtype=float), ours, rtol=1e-14, atol=5e-323)


def test_expectations_of_the_page_are_those_of_the_package(open_page):
    """Mean and expected loss, floor and entropy, accuracy, and the standard deviation of one loss, at several scales.

    A sum of 12 terms of one sign has 12 more roundings than a single term: 1e-14.
    """
    page, rng = open_page(), np.random.default_rng(3)
    for scale in (0.01, 1.0, 20.0, 300.0):
        true, margins = rng.normal(0, scale, (2, 12))
        got = page.evaluate(
            """([t, z]) => [formulas.expectedLoss(t, z), formulas.lossFloor(t), formulas.entropy(t[0]),
                            formulas.meanLoss(z), formulas.accuracy([...z, 0])]""",
            [true.tolist(), margins.tolist()],
        )
        right = (np.count_nonzero(margins > 0) + 0.5) / 13
        want = [expected_loss(true, margins), loss_floor(true), loss_floor(true[0]), bt.mean_loss(margins), right]
        np.testing.assert_allclose(got, want, rtol=1e-14)
    true, margins = TRUE, 2 * TRUE
    p = bt.preference_probability(true, 0.0) / len(true)
    outcomes = [
        np.concatenate([p, 1 / len(true) - p]),
        np.concatenate([bt.pair_losses(margins), bt.pair_losses(-margins)]),
    ]
    average = np.sum(outcomes[0] * outcomes[1])
    deviation = np.sqrt(np.sum(outcomes[0] * (outcomes[1] - average) ** 2))  # all 16 outcomes, one by one
    got = page.evaluate("([t, z]) => formulas.lossDeviation(t, z)", [true.tolist(), margins.tolist()])
    assert got == pytest.approx(deviation, rel=1e-12)  # a difference of squares there, a sum here


@pytest.mark.parametrize("rate", [0.1, 0.5, 2.0, 4.0])
def test_training_of_the_page_is_that_of_the_package(open_page, rate):
    """A hundred steps on the travel choices have the losses, accuracies and gradients of ``fit``, at every rate.

    Both sum 630 terms in 100 steps, each in its own order; with a rate that is too large, rounding errors grow first.
    """
    page = open_page()
    pairs = bt.datasets.travel_modes()
    spread = np.concatenate([pairs.chosen, pairs.rejected]).std(axis=0)
    np.testing.assert_allclose(page.evaluate("DIFFERENCES"), (pairs.chosen - pairs.rejected) / spread, rtol=1e-13)
    states = page.evaluate("rate => gradientDescent(DIFFERENCES, rate, 100)", rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bt.ConvergenceWarning)  # 100 steps are not enough
        fitted = bt.fit(
            bt.LinearScorer(6), pairs, method="gradient_descent", learning_rate=rate, standardise=True, max_steps=100
        )
    for ours, theirs in (("loss", "loss"), ("accuracy", "accuracy"), ("gradient_norm", "gradient")):
        np.testing.assert_allclose([state[theirs] for state in states], fitted.history[ours], rtol=1e-9)
    lengths = [np.linalg.norm(state["w"]) for state in states]
    np.testing.assert_allclose(lengths, fitted.history["parameter_norm"], rtol=1e-9)


def test_gradient_of_the_page_is_that_of_the_objective(open_page):
    """At random weights of several sizes, margins and gradient are the package's, also where margins are extreme."""
    page, rng = open_page(), np.random.default_rng(5)
    pairs = bt.PreferencePairs(*rng.normal(size=(2, 30, 4)))
    differences = (pairs.chosen - pairs.rejected).tolist()
    for scale in (0.1, 1.0, 10.0, 300.0):
        w = rng.normal(0, scale, 4)
        got = page.evaluate("([w, x]) => [linearMargins(w, x), linearGradient(w, x)]", [w.tolist(), differences])
        margins, gradient = got
        np.testing.assert_allclose(margins, (pairs.chosen - pairs.rejected) @ w, rtol=1e-12, atol=1e-13 * scale)
        np.testing.assert_allclose(gradient, bt.Objective(bt.LinearScorer(4), pairs)(w)[1], rtol=1e-11, atol=1e-14)


def test_rewards_against_the_distance_are_those_of_the_tilted_policy(open_page):
    """The closed forms agree with π ∝ π_ref exp(s u·y) itself, whose KL, proxy and true reward are integrated here.

    Gauss-Hermite quadrature with 60 nodes is exact up to rounding for a Gaussian times exp, up to s of about 5.
    """
    page = open_page()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    quality, length = np.meshgrid(nodes, nodes, indexing="ij")
    start = np.outer(weights, weights) / weights.sum() ** 2
    for n in (200, 2000, 20000):
        w = page.evaluate("n => PROXIES[n].w", n)
        proxy = w[0] * quality + w[1] * length
        true = page.evaluate(
            "([q, l]) => q.map((a, i) => trueReward(a, l[i]))", [quality.ravel().tolist(), length.ravel().tolist()]
        )
        true = np.reshape(true, quality.shape)
        np.testing.assert_allclose(true, quality + 0.6 * length - 0.3 * length**2, rtol=1e-12, atol=1e-12)
        for d in (0.0, 0.5, 1.0, 2.0, 3.0):
            tilted = start * np.exp(np.sqrt(2) * d * proxy / np.hypot(*w))
            tilted /= tilted.sum()
            kl = np.sum(tilted * np.log(np.where(tilted > 0, tilted / start, 1.0)))
            got = page.evaluate("([w, d]) => [proxyGain(w, d), trueGain(w, d)]", [w, d])
            want = [np.sum((tilted - start) * reward) for reward in (proxy, true)]
            np.testing.assert_allclose([d**2, *got], [kl, *want], rtol=1e-8, atol=1e-10)
        best = page.evaluate("w => bestDistance(w)", w)
        around = page.evaluate("([w, d]) => [d - 0.01, d, d + 0.01].map(at => trueGain(w, at))", [w, best])
        assert around[1] > max(around[0], around[2])


def test_published_maxima_are_reached(open_page):
    """With 200 pairs the true reward is highest, 3.23, at d = 3.94, and the page says so at the nearest position."""
    page = open_page("scene=optimising&distance=3.9")
    w = page.evaluate("PROXIES[200].w")
    assert page.evaluate("w => [bestDistance(w), trueGain(w, bestDistance(w))]", w) == pytest.approx(
        [3.94, 3.23], abs=5e-3
    )
    assert said(page, "optimising-true") == 3.23
    assert "maximum here, 3.23" in page.inner_text("#optimising-sentence")
    for distance, words in (
        (0, "still where it started"),
        (2, "Both rewards rise"),
        (5.5, "Too far"),
        (8, "worse than before"),
    ):
        set_state(page, f"scene=optimising&distance={distance}")
        assert words in page.inner_text("#optimising-sentence")
    peaks = page.evaluate("Object.values(PROXIES).map(({ w }) => bestDistance(w))")
    assert peaks == sorted(peaks)  # more data: later, but there is still a maximum
    assert peaks[-1] < 8


def test_training_scene_tells_the_rates_apart(open_page):
    """It starts at log 2. A good rate comes close to the minimum; one that is too large is worse than the start."""
    page = open_page("scene=training")
    assert said(page, "training-loss") == pytest.approx(np.log(2), abs=5e-5)
    assert said(page, "training-accuracy") == 0.5
    losses = {}
    for rate in (0.1, 0.5, 2, 4):
        set_state(page, f"scene=training&step=100&rate={rate}")
        losses[rate] = said(page, "training-loss")
        right, wrong = page.evaluate(
            "['right', 'wrong'].map(w => Number([...document.querySelectorAll('#training text')]"
            ".find(t => t.textContent.endsWith(w)).textContent.match(/\\d+/)))"
        )
        assert right + wrong == 630
        assert said(page, "training-accuracy") == pytest.approx(right / 630, abs=5e-4)
    assert 0.471 < losses[0.5] < losses[2] < losses[0.1] < np.log(2) < losses[4]
    assert "worse than before training" in page.inner_text("#training-sentence")
    set_state(page, "scene=training&step=5&rate=2")
    assert "jumped across the minimum" in page.inner_text("#training-sentence")


def test_best_confidence_is_where_the_derivative_vanishes(open_page):
    """The derivative of the mean loss of αΔ, the mean of -Δ σ(-αΔ), is zero at the α that the page marks."""
    alpha = open_page().evaluate("formulas.bestScale(SIX)")
    assert np.mean(SIX * bt.pair_loss_gradients(alpha * SIX)) == pytest.approx(0, abs=1e-14)  # rounding of six terms
    assert 1 < alpha < 2


def _scramble(h):
    """MurmurHash3's finaliser, on numbers modulo 2^32."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> shift)) * factor % 2**32
    return h ^ (h >> 16)


def test_random_numbers_are_those_of_the_seed_and_uniform(open_page):
    """They depend only on seed and counter, agree with a second version here, and are uniform up to chance."""
    page, n = open_page(), 16_000
    first = page.evaluate("[0, 1, 9999].flatMap(seed => [0, 1, 2, 77].map(k => formulas.uniform(seed, k)))")
    twin = [
        _scramble((_scramble(seed + 1) + (k + 1) * 0x9E3779B9) % 2**32) / 2**32
        for seed in (0, 1, 9999)
        for k in (0, 1, 2, 77)
    ]
    assert first == twin
    for seed in (0, 1, 9999):
        u = np.array(
            page.evaluate("([seed, n]) => Array.from({length: n}, (_, k) => formulas.uniform(seed, k))", [seed, n])
        )
        assert abs(u.mean() - 1 / 2) < 4 * np.sqrt(1 / 12 / n)
        assert (
            abs(np.mean(u[:-1] * u[1:]) - 1 / 4) < 4 * np.sqrt(7 / 144 / n) * 1.5
        )  # neighbouring products are slightly correlated
        counts = np.bincount((u * 64).astype(int), minlength=64)
        assert abs(np.sum((counts - n / 64) ** 2) / (n / 64) - 63) < 4 * np.sqrt(2 * 63)  # chi squared


def test_loss_scene_shows_known_numbers(open_page):
    """At Δ = 1.5 and Δ = -2, the page shows the published digits."""
    page = open_page("scene=loss&delta=1.5")
    names = [f"loss-{name}" for name in ("probability", "loss", "slope", "pull")]
    assert [said(page, name) for name in names] == [0.8176, 0.2014, -0.1824, 0.1824]
    set_state(page, "scene=loss&delta=-2")
    assert [said(page, name) for name in names] == [0.1192, 2.1269, -0.8808, 0.8808]
    set_state(page, "scene=loss&delta=0")
    assert "log 2 = 0.6931" in page.inner_text("#loss-sentence")


def test_shift_moves_marks_but_no_number_and_scale_moves_both(open_page):
    """Shifts change the rewards but no margin, probability, loss or accuracy. A factor changes all but the accuracy."""
    margins = np.array([2.2, 1.7, 1.5, -1.2])

    def look(hash_):
        set_state(page, f"scene=shift&{hash_}")
        words = page.evaluate("[...document.querySelectorAll('#shift svg text')].map(t => t.textContent).join(' ')")
        marks = page.evaluate(
            "[...document.querySelectorAll('#shift svg circle:not(.ghost)')].map(c => Number(c.getAttribute('cx')))"
        )
        return words, marks, said(page, "shift-loss"), said(page, "shift-accuracy")

    page = open_page("scene=shift")
    words, marks, loss, accuracy = look("")
    assert loss == pytest.approx(bt.mean_loss(margins), abs=5e-5)  # four digits are shown
    assert accuracy == 0.75
    for margin in margins:
        assert f"{margin:+.2f}".replace("-", "−") in words
        assert f"{float(bt.pair_losses(margin)):.3f}" in words
    for shifted in ("plus=2", "plus=-1.5", "own=1.3", "own=-1.5", "plus=1.3&own=0.9"):
        words_now, marks_now, *numbers = look(shifted)
        assert (words_now, *numbers) == (words, loss, accuracy)
        assert all(abs(a - b) > 1 for a, b in zip(marks, marks_now, strict=True))
    for scale in (0.3, 2.0):
        words_now, _, loss_now, accuracy_now = look(f"plus=-1&own=0.5&scale={scale}")
        assert loss_now == pytest.approx(bt.mean_loss(scale * margins), abs=5e-5)
        assert accuracy_now == accuracy
        assert words_now != words
    assert look("scale=0")[2:] == (0.6931, 0.5)


def test_confidence_keeps_accuracy_and_moves_the_loss(open_page):
    """For every α, five of six pairs are right, the losses are the package's, and the wrong pair stays in view."""
    page, steps = open_page("scene=confidence"), np.round(np.arange(1, 61) / 10, 1)
    seen = page.evaluate(
        """steps => steps.map(sure => {
             state = read(`#scene=confidence&sure=${sure}`);
             render();
             const number = id => Number(document.getElementById(`confidence-${id}`).textContent);
             const mark = document.querySelector('#confidence rect').getBBox();
             const { width, height } = document.querySelector('#confidence svg').viewBox.baseVal;
             const room = [mark.x, mark.y, width - mark.x - mark.width, height - mark.y - mark.height];
             return [number('accuracy'), number('loss'), number('wrong'), Math.min(...room)]; })""",
        steps.tolist(),
    )
    accuracy, loss, wrong, room = np.transpose(seen)
    assert set(accuracy) == {0.833}
    np.testing.assert_allclose(loss, [bt.mean_loss(sure * SIX) for sure in steps], atol=5.1e-5)  # four digits are shown
    np.testing.assert_allclose(wrong, bt.pair_losses(-steps), atol=5.1e-5)
    assert room.min() > 0
    assert "worse than that of a coin flip" in page.inner_text("#confidence-sentence")
    set_state(page, "scene=confidence&sure=1.5")
    assert "mean loss has its minimum" in page.inner_text("#confidence-sentence")


def test_expected_loss_is_never_below_the_floor(open_page):
    """A model that is too cautious or too confident is above the floor; the true margins give the floor itself."""
    page = open_page("scene=expected")
    for model in (0, 0.3, 0.9, 1, 1.1, 2, 3):
        set_state(page, f"scene=expected&model={model}")
        expected, floor = said(page, "expected-expected"), said(page, "expected-floor")
        assert expected == pytest.approx(expected_loss(TRUE, model * TRUE), abs=5.1e-5)
        assert floor == pytest.approx(loss_floor(TRUE), abs=5.1e-5)
        assert expected == floor if model == 1 else expected > floor
        sentence = page.inner_text("#expected-sentence")
        assert sentence.startswith("With all margins 0, every loss is log 2") == (model == 0)
        assert ("true margins" in sentence) == (model == 1)


def test_more_pairs_extend_the_sample_of_the_seed(open_page):
    """+100 adds pairs to the present sample, which depends only on the seed; reset returns to its first 100 pairs."""
    page = open_page("scene=expected&seed=7")
    start, drawn = said(page, "expected-empirical"), picture(page, "expected")
    page.click("#more")
    page.click("#more")
    assert said(page, "expected-pairs") == 300
    assert picture(page, "expected") != drawn
    assert address_of(page, "pairs=300")["seed"] == "7"
    after = said(page, "expected-empirical")
    again = open_page(page.evaluate("location.hash.slice(1)"))
    assert said(again, "expected-empirical") == after
    again.fill("#seed", "8")
    assert said(again, "expected-empirical") != after
    page.click("#many")
    assert said(page, "expected-pairs") == 1300
    page.click("#reset")
    assert (said(page, "expected-pairs"), said(page, "expected-empirical")) == (100, start)
    assert page.evaluate("means => runningMeans(TRUE, TRUE, 7, 300).slice(0, 100).join() === means.join()",
                         page.evaluate("runningMeans(TRUE, TRUE, 7, 100)"))  # fmt: skip
    set_state(page, "scene=expected&pairs=20000")
    assert page.is_disabled("#more")


def test_empirical_loss_lies_within_four_standard_errors(open_page):
    """Samples of 20,000 pairs, for ten seeds, scatter around the expected loss as their standard error says."""
    page = open_page()
    for model in (0.5, 1.0, 2.5):
        off = page.evaluate(
            """model => Array.from({ length: 10 }, (_, seed) => {
                 const margins = TRUE.map(margin => model * margin), n = 20000;
                 const away = runningMeans(TRUE, margins, seed, n).at(-1) - expectedLoss(TRUE, margins);
                 return away * Math.sqrt(n) / lossDeviation(TRUE, margins); })""",
            model,
        )
        assert max(map(abs, off)) < 4
        assert np.sqrt(np.mean(np.square(off))) > 0.3  # they do scatter


STATES = [
    {"scene": "loss", "delta": "-2.3"},
    {"scene": "shift", "plus": "-1.5", "own": "0.7", "scale": "1.6", "theme": "dark"},
    {"scene": "confidence", "sure": "4.5", "delta": "0.5", "theme": "light"},
    {"scene": "expected", "model": "0.4", "pairs": "1734", "seed": "4321", "sure": "0.1"},
    {"scene": "training", "step": "17", "rate": "4", "predict": "1"},
    {"scene": "optimising", "distance": "3.9", "proxy": "20000", "rate": "0.1", "show": "example"},
]


@pytest.mark.parametrize("wanted", STATES, ids=lambda wanted: wanted["scene"])
def test_state_goes_through_the_address_and_back(open_page, wanted):
    """The settings are written to the address, and a page opened at that address is the same page."""
    page = open_page("&".join(f"{name}={value}" for name, value in wanted.items()))
    before = page.evaluate("JSON.stringify(state)")
    page.evaluate("change({})")
    assert address_of(page, wanted["scene"]) == wanted
    page.reload()
    assert page.evaluate("JSON.stringify(state)") == before
    assert page.is_visible(f"#{wanted['scene']}")


SCENES_OF_TEACHING = re.findall(
    r"`#(scene=[^`]+)`", (Path(__file__).parents[1] / "notebooks" / "TEACHING.md").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("address", SCENES_OF_TEACHING)
def test_the_scenes_of_the_page_for_teachers_open_as_they_are_written(open_page, address):
    """Each setting in the address is one that the page knows and keeps."""
    page = open_page(address)
    wanted = dict(parse_qsl(address))
    assert page.is_visible(f"#{wanted['scene']}")
    page.evaluate("change({})")
    assert wanted.items() <= dict(parse_qsl(page.evaluate("location.hash.slice(1)"))).items()


def test_changes_of_the_address_take_effect(open_page):
    """A new address changes scene, slider and number at once; an empty one shows the initial state."""
    page = open_page()
    page.evaluate("location.hash = 'scene=confidence&sure=3.2'")
    page.wait_for_selector("#confidence:visible")
    assert page.input_value("#sure") == "3.2"
    assert said(page, "confidence-wrong") == pytest.approx(float(bt.pair_losses(-3.2)), abs=5e-5)
    page.evaluate("location.hash = ''")
    page.wait_for_selector("#loss:visible")
    assert page.input_value("#sure") == "1"


BAD = [
    ("scene=nowhere&delta=2", {"scene": "loss", "delta": 2}),
    ("delta=99", {"delta": 6}),
    ("delta=-Infinity", {"delta": -6}),
    ("delta=NaN&scale=&sure=%20&seed=1e999", {"delta": 1.5, "scale": 1, "sure": 1, "seed": 9999}),
    ("delta=two&model=0x", {"delta": 1.5, "model": 2}),
    ("delta=0.123456", {"delta": 0.1}),
    ("delta=-0.04", {"delta": 0}),
    ("pairs=-5&seed=3.6", {"pairs": 100, "seed": 4}),
    ("pairs=1e9&sure=0", {"pairs": 20000, "sure": 0.1}),
    ("step=7.6&rate=3&proxy=2e2&distance=-1", {"step": 8, "rate": 0.5, "proxy": 200, "distance": 0}),
    ("show=nothing&predict=yes", {"show": None, "predict": False}),
    ("theme=<b>&__proto__=1&constructor=2", {"theme": None}),
    ("%%%&=&&scene=shift&scene=loss", {"scene": "shift"}),
    ("#", {"scene": "loss"}),
]


def test_bad_addresses_are_ignored_or_moved_into_range(open_page):
    """With any text after the #, at the start or later, the page shows numbers and reports no error."""
    page = open_page("delta=two&&%%%=%&scene=")
    state_at = """hash => new Promise(done => {  // the page's own listener is called first
        addEventListener('hashchange', () => done(state), { once: true }); location.hash = hash; })"""
    for bad, found in BAD:
        state = page.evaluate(state_at, bad)
        assert {name: state[name] for name in found} == found, bad
        assert "NaN" not in page.inner_html(".page"), bad
    assert open_page(BAD[3][0]).evaluate("state.delta") == 1.5


@pytest.mark.parametrize(
    ("scene", "slider", "output"),
    [("loss", "delta", "loss-loss"), ("shift", "scale", "shift-loss"), ("confidence", "sure", "confidence-loss"),
     ("expected", "model", "expected-expected"), ("training&step=50", "step", "training-gradient"),
     ("optimising&distance=4", "distance", "optimising-proxy")],
)  # fmt: skip
def test_keyboard_moves_slider_number_and_picture(open_page, scene, slider, output):
    """Arrows move one step, PageUp and PageDown more, Home and End to the ends; number, picture and address follow."""
    page, scene = open_page(f"scene={scene}"), scene.partition("&")[0]
    page.focus(f"#{slider}")
    step = float(page.get_attribute(f"#{slider}", "step"))
    low, high = (float(page.get_attribute(f"#{slider}", end)) for end in ("min", "max"))
    start, seen = float(page.input_value(f"#{slider}")), set()
    for key, lands in (
        ("ArrowRight", lambda v: v == pytest.approx(start + step)),
        ("ArrowLeft", lambda v: v == pytest.approx(start)),
        ("PageDown", lambda v: v < start - 1.5 * step),
        ("Home", lambda v: v == low),
        ("PageUp", lambda v: v > low + 1.5 * step),
        ("End", lambda v: v == high),
    ):
        page.keyboard.press(key)
        assert lands(float(page.input_value(f"#{slider}"))), key
        seen.add((page.inner_text(f"#{output}"), picture(page, scene)))
    assert len(seen) == 6
    assert float(address_of(page, f"{slider}={high:g}")[slider]) == high


def test_digits_choose_scenes_but_not_while_a_number_is_typed(open_page):
    """Keys 1 to 6 show a scene and focus its slider. In the seed field they are digits; with Ctrl they do nothing."""
    page = open_page()
    for digit, scene in enumerate(projector.SCENES, start=1):
        page.keyboard.press(str(digit))
        visible = page.evaluate("[...document.querySelectorAll('section')].filter(s => !s.hidden).map(s => s.id)")
        assert visible == [scene]
        assert page.evaluate("document.activeElement.type") == "range"
        assert page.inner_text("nav [aria-current]").startswith(str(digit))
    page.keyboard.press("4")
    page.click("#seed")
    page.keyboard.press("Control+a")
    page.keyboard.type("12")
    assert page.is_visible("#expected")
    assert page.evaluate("state.seed") == 12
    page.keyboard.press("Control+a")
    page.keyboard.type("99999")
    page.keyboard.press("Tab")
    assert page.input_value("#seed") == "9999"  # held in range, and shown to be
    page.keyboard.press("Control+2")
    page.keyboard.press("9")
    assert page.is_visible("#expected")
    page.click("text=1 Loss")
    assert page.is_visible("#loss")


def test_training_plays_pauses_and_stops_at_the_end(open_page):
    """Play advances by itself until Pause, another scene or the last step. Only then is the sentence announced."""
    page = open_page("scene=training")
    page.click("#play")
    assert page.inner_text("#play") == "Pause"
    assert page.get_attribute("#training-sentence", "aria-live") == "off"
    page.wait_for_function("state.step >= 3")
    page.keyboard.press("Space")  # on the button, which has the focus
    paused = page.evaluate("state.step")
    assert page.inner_text("#play") == "Play"
    assert page.get_attribute("#training-sentence", "aria-live") == "polite"
    page.wait_for_timeout(400)
    assert page.evaluate("state.step") == paused
    page.keyboard.press("n")
    assert page.evaluate("state.step") == paused + 1
    page.focus("#step")
    page.keyboard.press("Space")
    page.wait_for_function("before => state.step > before + 1", arg=paused)
    page.keyboard.press("1")
    left = page.evaluate("state.step")
    page.wait_for_timeout(400)
    assert page.evaluate("state.step") == left
    set_state(page, "scene=training&step=98")
    page.click("#play")
    page.wait_for_function("state.step === 100")
    assert page.is_disabled("#play")
    assert page.evaluate("playing") is None
    page.click("#again")
    assert page.evaluate("state.step") == 0


def test_readers_who_want_no_motion_see_the_end_at_once(open_page):
    """With prefers-reduced-motion, the button reads "To the end" and jumps there in one change."""
    page = open_page("scene=training", reduced_motion="reduce")
    assert page.inner_text("#play") == "To the end"
    page.click("#play")
    assert page.evaluate("[state.step, playing]") == [100, None]


def test_predict_first_hides_the_answer_until_asked(open_page):
    """A question replaces the sentence, results are "?", and no answer is visible, in every scene and in its label."""
    page = open_page("predict=1")
    for scene in projector.SCENES:
        set_state(page, f"scene={scene}&predict=1")
        question = page.inner_text(f"#{scene}-sentence")
        assert question.startswith("Predict first. ")
        assert "?" in question
        assert page.get_attribute(f"#{scene} svg", "aria-label") == question
        assert page.evaluate(
            """scene => [...document.querySelectorAll(`#${scene} .answer *`)]
                 .every(e => getComputedStyle(e).visibility === 'hidden')""",
            scene,
        )
        assert page.locator(f"#{scene} .answer").count() > 0
        hidden = page.evaluate(
            "scene => [...document.querySelectorAll(`#${scene} dd:not(.given, .small)`)].map(d => d.textContent)", scene
        )
        assert hidden
        assert set(hidden) == {"?"}
        page.click(f"#{scene} .reveal")
        assert not page.is_visible(f"#{scene} .reveal")
        assert page.inner_text(f"#{scene}-sentence") != question
        assert "?" not in page.inner_text(f"#{scene} dl")
    page.keyboard.press("p")
    assert page.get_attribute("#predict", "aria-pressed") == "true"
    assert address_of(page, "predict=1")["predict"] == "1"
    page.click("#predict")
    assert page.evaluate("state.predict") is False


def test_example_and_keys_open_and_close(open_page):
    """Keys open and close the dialogs, the address keeps them, and the numbers of the example are the package's."""
    page = open_page()
    page.keyboard.press("?")
    assert page.is_visible("#keys")
    page.keyboard.press("e")
    assert page.is_visible("#example")
    assert not page.is_visible("#keys")
    assert address_of(page, "show=example")["show"] == "example"
    words = page.inner_text("#example")
    assert "Δ = 2.0 − 0.5 = 1.5" in words
    assert f"σ(Δ) = {bt.preference_probability(2.0, 0.5):.4f}" in words
    assert f"−log σ(Δ) = {float(bt.pair_losses(1.5)):.4f}" in words
    for label in ("chosen", "rejected"):
        assert label in words
    page.keyboard.press("Escape")
    page.wait_for_selector("#example", state="hidden")
    page.wait_for_function("!location.hash.includes('show')")
    page.click("text=Keys")
    page.click("#keys [data-close]")
    assert not page.is_visible("#keys")
    page.keyboard.press("e")
    page.keyboard.press("e")
    assert not page.is_visible("#example")
    page.keyboard.press("e")
    page.keyboard.press("3")
    assert not page.is_visible("#example")
    assert page.is_visible("#confidence")


def test_every_key_of_the_list_works(open_page):
    """The key d changes the theme, f asks for the full screen, n adds pairs or a step; with Ctrl they do nothing."""
    page = open_page("scene=expected")
    page.evaluate(
        "document.documentElement.requestFullscreen = () => { window.asked = true; return Promise.resolve(); }"
    )
    page.keyboard.press("Control+d")
    assert page.get_attribute("html", "data-theme") == "light"
    page.keyboard.press("d")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.keyboard.press("f")
    assert page.evaluate("window.asked") is True
    page.keyboard.press("n")
    assert page.evaluate("state.pairs") == 200
    page.click("#full")


def test_everything_can_be_reached_with_tab(open_page):
    """Every visible button and input of every scene gets the focus in turn; no picture traps it."""
    page = open_page()
    for scene in projector.SCENES:
        set_state(page, f"scene={scene}&predict=1")
        wanted = page.evaluate(
            """[...document.querySelectorAll('button, input')].filter(e => e.getClientRects().length && !e.disabled)
                 .map((e, i) => { e.dataset.number = i; return String(i); })"""
        )
        page.evaluate("document.activeElement.blur()")
        reached = set()
        for _ in range(len(wanted) + 2):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.dataset.number"))
        assert reached >= set(wanted), scene


# The scene, the slider, a value, and the mark of the picture that is exactly above the thumb.
MARKS = {
    "delta": ("loss", (-6, -2.3, 0, 6), "#loss circle.ink"),
    "plus": ("shift", (-2, 0.7, 2), "#shift .guide"),
    "own": ("shift&plus=1", (-1.5, 0.4, 1.5), "#shift .guide ~ .guide"),
    "scale": ("shift", (0.1, 1, 2), "#shift path.wide"),
    "sure": ("confidence", (0.1, 1.5, 6), "#confidence circle.green"),
    "pairs": ("expected", (100, 777, 20000), "#expected circle.green"),
    "model": ("expected", (0, 1.2, 3), "#expected circle.ink"),
    "step": ("training", (0, 31, 100), "#training circle.green"),
    "distance": ("optimising", (0, 3.3, 8), "#optimising circle.green"),
}


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (390, 844)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_thumbs_stand_under_the_points_that_they_move(open_page, size):
    """On a screenshot, the middle of each thumb is within 1.5 px of its point (a screenshot has whole pixels)."""
    page = open_page(size=size)
    for slider, (scene, values, mark) in MARKS.items():
        for value in values:
            set_state(page, f"scene={scene}&{slider}={value}")
            right = page.evaluate("mark => document.querySelector(mark).getBoundingClientRect().right", mark)
            left = page.evaluate("mark => document.querySelector(mark).getBoundingClientRect().left", mark)
            point = right if slider == "scale" else (left + right) / 2
            page.locator(f"#{slider}").scroll_into_view_if_needed()
            frame = page.locator(f"#{slider}").bounding_box()
            pixels = np.asarray(Image.open(io.BytesIO(page.locator(f"#{slider}").screenshot())).convert("L"))
            dark = np.flatnonzero(pixels[pixels.shape[0] // 2] < 60)  # the track is grey
            thumb = np.floor(frame["x"]) + (dark[0] + dark[-1] + 1) / 2
            assert thumb == pytest.approx(point, abs=1.5), (slider, value)
            below = page.evaluate(
                "scene => document.querySelector(`#${scene} svg`).getBoundingClientRect().top", scene.split("&")[0]
            )
            assert frame["y"] > below


# The scene, the mark that is dragged and its number among those, how far in px, and the slider that follows.
DRAGS = [
    ("loss", "#loss circle.ink", 0, -150, "delta"),
    ("shift", "#shift circle:not(.ghost)", 2, 25, "own"),
    ("shift", "#shift rect:not(.ghost)", 1, 25, "own"),
    ("shift", "#shift path.wide", 0, -30, "scale"),
    ("confidence&sure=3", "#confidence circle.green", 0, 60, "sure"),
    ("confidence&sure=2", "#confidence rect", 0, -60, "sure"),
    ("expected", "#expected circle.green", 0, 80, "pairs"),
    ("expected", "#expected circle.ink", 0, -40, "model"),
    ("training&step=20", "#training circle.green", 0, 100, "step"),
    ("optimising&distance=3", "#optimising circle.green", 0, 90, "distance"),
]


@pytest.mark.parametrize("drag", DRAGS, ids=lambda drag: f"{drag[0]}-{drag[4]}-{drag[3]}-{drag[2]}")
def test_points_can_be_dragged(open_page, drag):
    """A point follows the mouse to the nearest step of its slider, which gets the focus, until it is released."""
    scene, mark, number, by, slider = drag
    page = open_page(f"scene={scene}", size=(1366, 768))

    def place():
        frame = page.locator(mark).nth(number).evaluate("mark => mark.getBoundingClientRect()")
        end = frame["width"] if slider == "scale" else frame["width"] / 2  # of a bar, its right end is dragged
        return frame["x"] + end, frame["y"] + frame["height"] / 2

    x, y = place()
    before = page.evaluate("name => state[name]", slider)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by / 2, y + 3)
    page.mouse.move(x + by, y)
    after = page.evaluate("name => state[name]", slider)
    assert after != before
    assert place()[0] == pytest.approx(x + by, abs=5)  # half a step of every slider is less than 5 px
    assert page.evaluate("document.activeElement.id") == slider
    page.mouse.up()
    page.mouse.move(x - by, y)
    assert page.evaluate("name => state[name]", slider) == after
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("name => state[name]", slider) < after


def test_curves_can_be_clicked_and_planes_dragged(open_page):
    """A click moves the point below the cursor's position; the mean answer of scene 6 moves along its line only."""
    page = open_page("scene=loss", size=(1366, 768))
    frame = page.locator("#loss svg").bounding_box()
    page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + 40)
    assert abs(page.evaluate("state.delta")) < 0.5
    set_state(page, "scene=optimising&distance=2")
    box = page.locator("#optimising svg circle.ink").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] - 80)
    page.mouse.up()
    assert page.evaluate("state.distance") > 3
    page.mouse.click(frame["x"] + frame["width"] / 2, frame["y"] + 40, button="right")  # the menu of the browser
    set_state(page, "scene=training&step=5")
    cloud = page.locator("#training path.dots").bounding_box()
    page.mouse.click(cloud["x"] + 20, cloud["y"] + 20)
    assert page.evaluate("state.step") == 5


def test_a_finger_moves_points_too(browser):
    """On a phone, a tap on a curve or a slider moves the point, and so does a finger that moves sideways.

    A finger that scrolls the page moves no point.
    """
    context = browser.new_context(offline=True, has_touch=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{ADDRESS}#scene=loss&delta=3")
    frame = page.locator("#loss svg").bounding_box()
    page.touchscreen.tap(frame["x"] + frame["width"] / 2, frame["y"] + 30)
    assert abs(page.evaluate("state.delta")) < 0.7
    track = page.locator("#delta").bounding_box()
    page.touchscreen.tap(track["x"] + track["width"] * 0.9, track["y"] + track["height"] / 2)
    page.wait_for_function("state.delta > 4")
    before = page.evaluate("state.delta")
    x, y = frame["x"] + frame["width"] / 3, frame["y"] + 250
    touch = context.new_cdp_session(page)

    def swipe(right, up):
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for part in np.linspace(0, 1, 21)[1:]:
            point = {"x": x + part * right, "y": y - part * up}
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    swipe(10, 200)
    page.wait_for_function("scrollY > 50")
    assert page.evaluate("state.delta") == before
    page.evaluate("scrollTo(0, 0)")
    swipe(-80, 10)
    assert page.evaluate("state.delta") < -3
    context.close()


def test_slider_of_pairs_is_logarithmic_and_never_stuck(open_page):
    """Each arrow changes the number of pairs, from both ends, and a screen reader hears the number itself."""
    page = open_page("scene=expected")
    page.focus("#pairs")
    numbers = [100]
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        numbers.append(page.evaluate("state.pairs"))
    assert all(a < b for a, b in pairwise(numbers))
    page.keyboard.press("End")
    assert page.evaluate("state.pairs") == 20000
    assert page.get_attribute("#pairs", "aria-valuetext") == "20,000 pairs"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("state.pairs") < 20000


def test_copy_opens_at_its_scene(open_page, tmp_path):
    """A copy made with --scene starts at that scene, unless the address names another one."""
    copy = projector.write_copy(tmp_path / "copy.html", scene="confidence")
    assert open_page(address=copy.as_uri()).is_visible("#confidence")
    assert open_page("scene=loss", address=copy.as_uri()).is_visible("#loss")
