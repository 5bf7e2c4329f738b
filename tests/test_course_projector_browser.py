"""The projector page in a browser: its numbers are the package's, keys and address work, and everything is readable.

All tests here need Chromium, and belong to the full tier.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest

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
    for shifted in ("plus=3", "plus=-2.5", "own=1.7", "plus=1.3&own=0.9"):
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
    {"scene": "expected", "model": "0.4", "pairs": "1700", "seed": "4321", "sure": "0.1"},
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
     ("expected", "model", "expected-expected")],
)  # fmt: skip
def test_keyboard_moves_slider_number_and_picture(open_page, scene, slider, output):
    """Arrows move one step, PageUp and PageDown more, Home and End to the ends; number, picture and address follow."""
    page = open_page(f"scene={scene}")
    page.focus(f"#{slider}")
    low, high = (float(page.get_attribute(f"#{slider}", end)) for end in ("min", "max"))
    start, seen = float(page.input_value(f"#{slider}")), set()
    for key, lands in (
        ("ArrowRight", lambda v: v == pytest.approx(start + 0.1)),
        ("ArrowLeft", lambda v: v == pytest.approx(start)),
        ("PageDown", lambda v: v < start - 0.15),
        ("Home", lambda v: v == low),
        ("PageUp", lambda v: v > low + 0.15),
        ("End", lambda v: v == high),
    ):
        page.keyboard.press(key)
        assert lands(float(page.input_value(f"#{slider}"))), key
        seen.add((page.inner_text(f"#{output}"), picture(page, scene)))
    assert len(seen) == 6
    assert float(address_of(page, f"{slider}={high:g}")[slider]) == high


def test_digits_choose_scenes_but_not_while_a_number_is_typed(open_page):
    """Keys 1 to 4 show a scene and focus its slider. In the seed field they are digits; with Ctrl they do nothing."""
    page = open_page()
    for digit, scene in enumerate(projector.SCENES, start=1):
        page.keyboard.press(str(digit))
        visible = page.evaluate("[...document.querySelectorAll('section')].filter(s => !s.hidden).map(s => s.id)")
        assert visible == [scene]
        assert page.evaluate("document.activeElement.type") == "range"
        assert page.inner_text("nav [aria-current]").startswith(str(digit))
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


def test_copy_opens_at_its_scene(open_page, tmp_path):
    """A copy made with --scene starts at that scene, unless the address names another one."""
    copy = projector.write_copy(tmp_path / "copy.html", scene="confidence")
    assert open_page(address=copy.as_uri()).is_visible("#confidence")
    assert open_page("scene=loss", address=copy.as_uri()).is_visible("#loss")
