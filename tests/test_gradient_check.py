"""The referees: finite differences and autograd must catch what is wrong and pass what is right."""

import signal
import sys
from functools import partial

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.gradient_check import numerical_gradient, reference_loss, step_sweep

autograd = pytest.importorskip("autograd", reason="the library autograd is not installed")


def problem(scorer, rng, n=23):
    """Return an objective with weights, labels, target margins and L2 in play, and a non-zero phi."""
    if isinstance(scorer, bt.TableScorer):
        chosen = rng.integers(scorer.n_items, size=n)
        rejected = (chosen + rng.integers(1, scorer.n_items, size=n)) % scorer.n_items
    else:
        chosen, rejected = rng.normal(size=(2, n, scorer.n_features))
    pairs = bt.PreferencePairs(
        chosen,
        rejected,
        weights=rng.uniform(0.5, 3, n),
        labels=rng.uniform(size=n),
        target_margins=rng.normal(size=n),
    )
    return bt.Objective(scorer, pairs, l2=0.3), rng.normal(size=scorer.n_parameters)


SCORERS = [bt.LinearScorer(5), bt.MLPScorer(3, 4), bt.MLPScorer(3, 4, "relu"), bt.TableScorer(6)]


def test_numerical_gradient_is_exact_for_a_known_function():
    """d/dx exp(x)·y³ and d/dy of it come out to eleven digits, and the spread covers the error."""
    gradient, spread = numerical_gradient(lambda v: float(np.exp(v[0]) * v[1] ** 3), np.array([0.5, -2.0]))
    truth = np.array([np.exp(0.5) * -8, np.exp(0.5) * 3 * 4])
    np.testing.assert_allclose(gradient, truth, rtol=1e-11)  # rounding eps·f/h with h = 0.05 / 2^k
    assert (np.abs(gradient - truth) <= 4 * spread + 1e-14).all()


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_check_passes_the_right_gradient(scorer, seed):
    """Our gradients agree with central differences to 1e-8 and with autograd to 1e-12 of each block."""
    objective, phi = problem(scorer, np.random.default_rng(seed))
    report = bt.check_gradient(objective, phi, against=("numerical", "autograd"))
    report.require()
    assert report.passed
    assert len(report.blocks) == 2 * len(scorer.shapes)


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("against", ["numerical", "autograd"])
def test_check_catches_one_entry_off_by_a_millionth(scorer, against):
    """A relative error of 1e-6 in a single entry fails, and the report names that entry."""
    objective, phi = problem(scorer, np.random.default_rng(1))
    entry = int(np.abs(objective(phi)[1]).argmax())

    def wrong(at):
        loss, gradient = objective(at)
        gradient[entry] *= 1 + 1e-6
        return loss, gradient

    reference = reference_loss(objective, "autograd") if against == "autograd" else None
    report = bt.check_gradient(wrong, phi, against=against, names=scorer.shapes, reference=reference)
    assert not report.passed
    bad = [block for block in report.blocks if not block.passed]
    assert len(bad) == 1
    assert bad[0].n_wrong == 1
    assert "WRONG" in repr(report)
    with pytest.raises(AssertionError, match="WRONG"):
        report.require()


def test_check_catches_a_tiny_wrong_gradient_of_a_saturated_pair():
    """At a margin of 20 the gradient is 2e-9; a wrong sign is caught all the same, and the right one passes."""
    pairs = bt.PreferencePairs([[2.0]], [[0.0]])
    objective = bt.Objective(bt.LinearScorer(1), pairs)
    assert bt.check_gradient(objective, [10.0]).passed
    assert not bt.check_gradient(lambda phi: (objective(phi)[0], -objective(phi)[1]), [10.0]).passed


def test_check_passes_a_gradient_that_is_truly_zero():
    """An output bias has gradient exactly zero; noise of the differences is not held against it."""
    assert bt.check_gradient(lambda phi: (0.7, np.zeros(1)), [0.3]).passed


def test_wrong_gradients_of_an_mlp_pass_at_zero_which_is_why_not_to_check_there():
    """At φ = 0 even a gradient of all zeros passes; at a random φ it fails."""
    objective, phi = problem(bt.MLPScorer(3, 4), np.random.default_rng(0))
    lazy = bt.Objective(objective.scorer, objective.pairs)

    def always_zero(at):
        return lazy(at)[0], np.zeros_like(at)

    assert bt.check_gradient(always_zero, np.zeros_like(phi)).passed
    assert not bt.check_gradient(always_zero, phi).passed


def test_check_leaves_phi_alone():
    """A function that scribbles on its argument cannot change the caller's phi."""

    def scribbler(phi):
        value, gradient = float(phi @ phi), 2 * phi.copy()
        phi[:] = 7
        return value, gradient

    phi = np.array([1.0, 2.0])
    assert "changes its input phi" in repr(bt.check_gradient(scribbler, phi))
    np.testing.assert_array_equal(phi, [1.0, 2.0])


def test_check_counts_nan_as_wrong():
    """A NaN in the gradient never passes."""
    assert not bt.check_gradient(lambda phi: (float(phi @ phi), np.full(2, np.nan)), [1.0, 2.0]).passed


def test_check_refuses_bad_input_in_one_sentence():
    """Unknown referees, wrong shapes, missing references: each names its argument."""

    def square(phi):
        return float(phi @ phi), 2 * phi

    with pytest.raises(ValueError, match=r"^against: expected one of"):
        bt.check_gradient(square, [1.0], against="oracle")
    with pytest.raises(ValueError, match=r"^reference: expected your loss written for autograd"):
        bt.check_gradient(square, [1.0], against="autograd")


def test_check_catches_a_wrong_entry_beside_one_a_billion_times_larger():
    """Each entry is judged by its own size: 50 times too large with the wrong sign does not hide in a big block."""
    rng = np.random.default_rng(0)
    units = np.array([1e3, 1e-6])
    chosen, rejected = rng.normal(size=(2, 60, 2)) * units
    objective = bt.Objective(bt.LinearScorer(2), bt.PreferencePairs(chosen, rejected, labels=rng.uniform(size=60)))
    phi = np.array([1e-3, 1.0])
    assert bt.check_gradient(objective, phi, against=("numerical", "autograd")).passed
    assert not bt.check_gradient(lambda at: (objective(at)[0], objective(at)[1] * [1, -50]), phi).passed


def test_check_passes_the_right_gradient_of_features_of_size_a_million():
    """The step adapts to how fast the loss moves."""
    rng = np.random.default_rng(0)
    chosen, rejected = rng.normal(size=(2, 60, 2)) * 1e6
    objective = bt.Objective(bt.LinearScorer(2), bt.PreferencePairs(chosen, rejected, labels=rng.uniform(size=60)))
    assert bt.check_gradient(objective, [1.0, -0.5], against=("numerical", "autograd")).passed


def test_check_wants_shapes_that_fill_phi():
    """Names that leave part of φ unchecked are refused, and so is an empty φ."""
    with pytest.raises(ValueError, match=r"^names: expected shapes that fill phi"):
        bt.check_gradient(lambda phi: (0.0, np.zeros(2)), [1.0, 2.0], names={"a": (1,)})
    with pytest.raises(ValueError, match=r"^phi: expected a flat vector"):
        bt.check_gradient(lambda phi: (0.0, phi), [])


@pytest.mark.parametrize("library", ["autograd", "jax", "torch"])
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_every_library_agrees_with_our_gradients(scorer, library, rng):
    """To 1e-12 in float64, with weights, labels, target margins and L2, whatever the library's own default is."""
    pytest.importorskip(library, reason=f"the library {library} is not installed")
    objective, phi = problem(scorer, rng)
    bt.check_gradient(objective, phi, against=library).require()
    gradient = objective(phi)[1]
    gradient[0] *= 1 + 1e-10
    assert not bt.check_gradient(lambda _: (0.0, gradient), phi, against=library, objective=objective).passed


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_one_wrong_entry_among_five_thousand_is_found(activation):
    """By random directions and halving: a relative error of 1e-5 in an entry of ordinary size, wherever it is."""
    rng = np.random.default_rng(0)
    scorer = bt.MLPScorer(30, 156, activation)
    objective = bt.Objective(scorer, bt.PreferencePairs(*rng.normal(size=(2, 256, 30))))
    phi = scorer.initial(rng)
    report = bt.check_gradient(objective, phi)
    report.require()
    assert "8 random directions and" in repr(report)
    right = objective(phi)[1]
    ordinary = np.flatnonzero(np.abs(right) > 0.1 * np.sqrt(np.mean(right**2)))
    for entry in rng.choice(ordinary, 5, replace=False):

        def wrong(at, entry=entry):
            loss, gradient = objective(at)
            gradient[entry] *= 1 + 1e-5
            return loss, gradient

        report = bt.check_gradient(wrong, phi, names=scorer.shapes)
        bad = [block for block in report.blocks if not block.passed]
        assert len(bad) == 1
        start = {"hidden_weights": 0, "hidden_bias": 30 * 156, "output_weights": 31 * 156}[bad[0].name]
        assert np.ravel_multi_index(bad[0].worst_index, bad[0].shape) + start == entry


def test_a_large_wrong_gradient_gets_its_name(rng):
    """The diagnosis works where only some entries are looked at one by one."""
    scorer = bt.MLPScorer(30, 80)
    objective = bt.Objective(scorer, bt.PreferencePairs(*rng.normal(size=(2, 40, 30))))
    phi = scorer.initial(rng)
    report = bt.check_gradient(lambda at: (objective(at)[0], -objective(at)[1]), phi, objective=objective)
    assert not report.passed
    assert all("the sign is flipped" in block.diagnosis for block in report.blocks)


def test_a_kink_at_phi_is_no_mistake_and_no_excuse():
    """At a ReLU's corner either slope is right; a slope beyond both is wrong, and so is a small slip on a curve."""

    def corner(phi):
        return float(max(phi[0], 0.0) + 0.3 * phi[1] ** 2), np.array([float(phi[0] > 0), 0.6 * phi[1]])

    for x in (0.0, 1e-12, -1e-12, 1e-9):
        bt.check_gradient(corner, [x, 0.8]).require()
    for wrong in (1.6, -0.6):
        assert not bt.check_gradient(lambda phi, g=wrong: (corner(phi)[0], np.array([g, 0.48])), [0.0, 0.8]).passed
    for slope, passes in ((-1.0, True), (-0.5, True), (0.0, True), (0.3, False), (-1.01, False), (7.0, False)):
        # a hinge at its corner, where the loss is 0 and only the rounding of phi makes noise
        report = bt.check_gradient(lambda z, g=slope: (float(max(0.0, 1 - z[0])), np.array([g])), [1.0])
        assert report.passed == passes, slope
    for slip in (1e-4, 1e-5, 1e-6):
        report = bt.check_gradient(lambda phi, s=slip: (corner(phi)[0], np.array([1.0, 0.48 * (1 + s)])), [1.0, 0.8])
        assert not report.passed


def test_right_gradients_raise_no_alarm_in_a_thousand_random_problems():
    """Scorers, sizes, weights, labels, target margins, L2, and scales of phi from 1e-3 to 20."""
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        d, n = int(rng.integers(1, 9)), int(rng.integers(1, 60))
        h = int(rng.integers(1, 6))
        scorer = (bt.LinearScorer(d), bt.MLPScorer(d, h), bt.MLPScorer(d, h, "relu"), bt.TableScorer(d + 1))[seed % 4]
        if isinstance(scorer, bt.TableScorer):
            chosen = rng.integers(d + 1, size=n)
            rejected = (chosen + rng.integers(1, d + 1, size=n)) % (d + 1)
        else:
            chosen, rejected = rng.normal(size=(2, n, d))
        pairs = bt.PreferencePairs(
            chosen,
            rejected,
            weights=rng.uniform(0.1, 3, n) if seed % 3 else None,
            labels=rng.uniform(size=n) if seed % 5 else None,
            target_margins=rng.normal(size=n) if seed % 2 else None,
        )
        objective = bt.Objective(scorer, pairs, l2=float(rng.choice([0, 0.1])))
        phi = rng.normal(size=scorer.n_parameters) * 10 ** rng.uniform(-3, 1.3)
        bt.check_gradient(objective, phi).require()


# ------------------------------------------------------------------------------- functions of somebody who is learning


def raising(phi):
    return phi @ np.ones(17), phi  # at fault


def missing_argument(phi, data):
    return float(phi @ data), data


def endless(phi):
    while True:
        pass


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raising, "ValueError in line"),
        (raising, "`return phi @ np.ones(17), phi  # at fault`"),
        (missing_argument, "expected a function of (phi); yours says: missing a required argument: 'data'"),
        (endless, "no answer within 0.3 seconds"),
        ("text", "expected a function of (phi), got str"),
        (lambda phi: None, "is a return missing?"),
        (lambda phi: 0.0, "expected phi -> (loss, gradient), got float"),
        (lambda phi: (0.0, "text"), "gradient: expected real numbers of shape (2,), got str"),
        (lambda phi: (np.ones(2), phi), "loss: expected one real number, got shape (2,)"),
        (lambda phi: (0.0, np.zeros(3)), "gradient: expected real numbers of shape (2,), got shape (3,)"),
        (lambda phi: (0.0, phi * 1j), "got complex numbers"),
        (lambda phi: (np.nan, phi), "loss: expected finite numbers, got nan"),
        (lambda phi: (0.0, phi * np.inf), "gradient: expected finite numbers, got inf at [0]"),
        (lambda phi: (np.nan if phi[0] != 1.0 else 1.0, phi), "near phi: loss: expected finite numbers"),
        (lambda phi: sys.exit(), "SystemExit in line"),
    ],
)
def test_whatever_a_function_does_is_a_line_in_the_report(function, words):
    """Never a traceback from our code, and never passed."""
    report = bt.check_gradient(function, [1.0, 2.0], time_limit=0.3)
    assert not report.passed
    assert words in repr(report)
    assert words.replace("'", "&#x27;").replace(">", "&gt;") in report._repr_html_()
    with pytest.raises(AssertionError):
        report.require()


def square(phi):
    return float(phi @ phi), 2 * phi


def test_prints_are_swallowed_and_warnings_of_numpy_told(capsys):
    """A print in a function that is called a hundred times would drown the report."""

    def talking(phi):
        print("here")
        np.log(np.zeros(1))
        return square(phi)

    report = bt.check_gradient(talking, [1.0, 2.0])
    assert report.passed
    assert capsys.readouterr().out == ""
    assert len(report.warnings) == 1
    assert "divide by zero" in report.warnings[0]


def test_a_constant_is_noticed():
    """Its gradient of 0 is right, but hardly meant: the report says so."""
    report = bt.check_gradient(lambda phi: (3.0, np.zeros(2)), [1.0, 2.0])
    assert report.passed
    assert "the same number wherever it is asked" in repr(report)
    assert not bt.check_gradient(square, [1.0, 2.0]).warnings


def test_float32_is_a_note_not_a_verdict():
    """A right gradient in float32 passes, one that is off by a hundredth does not."""

    def half_blind(phi, factor=1.0):
        small = phi.astype(np.float32)
        return small @ small, np.float32(2 * factor) * small

    report = bt.check_gradient(half_blind, [0.3, -1.7])
    assert report.passed
    assert "float32" in repr(report)
    assert not bt.check_gradient(lambda phi: half_blind(phi, 1.01), [0.3, -1.7]).passed


def test_noise_is_a_note_not_a_verdict():
    """A function that draws random numbers is compared as closely as its noise allows."""
    rng = np.random.default_rng(0)

    def noisy(phi, factor=1.0):
        return float(phi @ phi) + 1e-7 * rng.normal(), 2 * factor * phi

    report = bt.check_gradient(noisy, [1.0, 2.0])
    assert report.passed
    assert "two calls at the same phi differ" in repr(report)
    assert not bt.check_gradient(lambda phi: noisy(phi, 1.1), [1.0, 2.0]).passed


def test_zero_saturation_and_kinks_are_notes():
    """All-zero phi, pairs that hardly pull, and a ReLU whose input is 0."""
    rng = np.random.default_rng(0)
    objective, phi = problem(bt.MLPScorer(3, 4), rng)
    assert "ten of ten wrong MLP gradients" in repr(bt.check_gradient(objective, 0 * phi))
    assert not bt.check_gradient(objective, phi).warnings
    pairs = bt.PreferencePairs([[20.0], [1.0], [-30.0]], [[0.0], [0.0], [0.0]])
    assert "2 of 3 pairs are saturated" in repr(bt.check_gradient(bt.Objective(bt.LinearScorer(1), pairs), [1.0]))
    scorer = bt.MLPScorer(1, 1, "relu")
    kinked = bt.Objective(scorer, bt.PreferencePairs([[1.0]], [[-2.0]]))
    report = bt.check_gradient(kinked, [1.0, -1.0, 0.5])  # x W + b = 0 for the chosen answer
    assert report.passed
    assert "kink at phi (a ReLU or a hinge at 0) in hidden_weights, hidden_bias" in repr(report)


@pytest.mark.parametrize("wrong_pairs", [[4], [2, 9]])
def test_pairs_that_disagree_are_named_with_their_pull(wrong_pairs):
    """Where few pairs pull wrongly, the report says which, with what, and with what they should."""
    rng = np.random.default_rng(3)
    chosen, rejected = rng.normal(size=(2, 12, 5))
    objective = bt.Objective(bt.LinearScorer(5), bt.PreferencePairs(chosen, rejected))
    phi = rng.normal(size=5)
    pulls = bt.pair_loss_gradients(objective.margins(phi)) / 12
    broken = pulls.copy()
    broken[wrong_pairs] *= -1
    report = bt.check_gradient(lambda at: (objective(at)[0], broken @ (chosen - rejected)), phi, objective=objective)
    assert [pair.index for pair in report.pairs] == wrong_pairs
    np.testing.assert_allclose([pair.got for pair in report.pairs], broken[wrong_pairs], rtol=1e-4)
    np.testing.assert_allclose([pair.expected for pair in report.pairs], pulls[wrong_pairs], rtol=1e-12)
    assert f"pair {wrong_pairs[0]} (Δ" in repr(report)
    assert report.to_dict()["pairs"][0]["kind"] == "d_margin"


def test_no_pair_is_blamed_where_all_are_wrong():
    """A flipped sign is no matter of some pairs."""
    rng = np.random.default_rng(3)
    chosen, rejected = rng.normal(size=(2, 12, 5))
    objective = bt.Objective(bt.LinearScorer(5), bt.PreferencePairs(chosen, rejected))
    report = bt.check_gradient(
        lambda at: (objective(at)[0], -objective(at)[1]), rng.normal(size=5), objective=objective
    )
    assert not report.passed
    assert report.pairs == ()


def test_pairs_with_a_wrong_slope_are_named_for_a_scorer_of_ones_own():
    """A scorer whose backward pass is wrong for large features only: the pairs that have them."""

    class Clipped(bt.LinearScorer):
        def backward(self, phi, features, d_rewards):
            return super().backward(phi, np.clip(features, -2, 2), d_rewards)

    chosen, rejected = np.random.default_rng(5).uniform(-1, 1, size=(2, 9, 3))
    chosen[6, 1] = 4.0
    objective = bt.Objective(Clipped(3), bt.PreferencePairs(chosen, rejected), backend="numpy")
    report = bt.check_gradient(objective, np.array([0.3, -0.4, 0.9]))
    assert [pair.index for pair in report.pairs] == [6]


def test_the_error_of_a_step_is_a_v():
    """A step of 1e-3 shows truncation, a₂h² with a₂ = f‴/6; one of 1e-12 rounding; the best lies near eps^(1/3)."""
    sweep = step_sweep(lambda v: (float(np.exp(v[0])), np.exp(v)), [0.5])
    assert sweep.exact == np.exp(0.5)
    far, near = step_sweep(lambda v: (float(np.exp(v[0])), np.exp(v)), [0.5], steps=[1e-3, 1e-12]).errors
    assert far == pytest.approx(np.exp(0.5) / 6 * 1e-6, rel=1e-3)
    assert 1e-7 < near < 1e-3
    assert 1e-6 < sweep.best_step < 1e-4
    assert step_sweep(square, [1.0, 2.0], entry=1, steps=[0.5]).errors == pytest.approx([0], abs=1e-15)
    with pytest.raises(ValueError, match=r"^steps: expected a vector of positive numbers"):
        step_sweep(square, [1.0], steps=[0.0])


# ------------------------------------------------------------------------------------------ what a reviewer broke


def test_a_gradient_that_depends_on_earlier_calls_cannot_be_checked(rng):
    """One loss and two gradients at one phi: a sum that was not reset, or random numbers where none belong."""
    kept = [np.zeros(2)]

    def accumulating(phi):
        kept[0] = kept[0] + 2 * phi
        return float(phi @ phi), kept[0]

    for function in (accumulating, lambda phi: (float(phi @ phi), 10 * rng.normal(size=2))):
        report = bt.check_gradient(function, [0.3, -1.7])
        assert not report.passed
        assert "does a call leave something behind" in repr(report)


def test_too_coarse_numbers_are_not_called_right():
    """In float16 a gradient of a half beside a loss of 1 is lost in the rounding of the differences: no verdict."""

    def coarse(phi):
        return float(np.float16(1 + 0.5 * phi.sum())), np.zeros(2, np.float16)

    report = bt.check_gradient(coarse, [0.3, -1.7])
    assert not report.passed
    assert "too coarse to judge" in repr(report)


def test_float32_is_noticed_in_whatever_form_it_comes():
    """As a list of Python numbers, too: right ones pass, with the note."""

    def in_float32(phi):
        t = phi.astype(np.float32)
        return float(t @ t), (2 * t).tolist()

    for seed in range(20):
        report = bt.check_gradient(in_float32, np.random.default_rng(seed).normal(size=4))
        report.require()
        assert "float32 or less" in repr(report)
    assert "float32" not in repr(bt.check_gradient(square, [1.5, -0.5]))  # whose numbers are float32 by chance


@pytest.mark.parametrize("factor", [-1.0, 0.0, 1.5])
@pytest.mark.parametrize("size", [2e4, 1e6, 1e8])
def test_a_steep_loss_is_no_excuse(factor, size):
    """Features of any size at phi = 0: the loss bends within the step, but it has no kink."""
    rng = np.random.default_rng(0)
    objective = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(*size * rng.normal(size=(2, 30, 3))))
    assert bt.check_gradient(objective, np.zeros(3)).passed
    assert not bt.check_gradient(lambda at: (objective(at)[0], factor * objective(at)[1]), np.zeros(3)).passed


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("size", [0.01, 0.1, 1.0])
def test_kinks_all_round_raise_no_alarm_and_hide_nothing(seed, size):
    """A ReLU network with small features and biases of zero, as one starts: 1,600 kinks within a few steps of phi."""
    rng = np.random.default_rng(seed)
    scorer = bt.MLPScorer(6, 8, "relu")
    chosen, rejected = size * rng.normal(size=(2, 100, 6))
    chosen[0] = 0
    objective = bt.Objective(scorer, bt.PreferencePairs(chosen, rejected))
    phi = scorer.initial(rng)
    bt.check_gradient(objective, phi).require()
    assert not bt.check_gradient(lambda at: (objective(at)[0], 1.01 * objective(at)[1]), phi).passed


def test_two_errors_do_not_cancel_along_all_directions():
    """Of a large phi, two exchanged entries are found, whichever they are."""
    rng = np.random.default_rng(0)
    scorer = bt.MLPScorer(30, 80)
    objective = bt.Objective(scorer, bt.PreferencePairs(*rng.normal(size=(2, 40, 30))))
    phi = scorer.initial(rng)
    for one in range(0, 24, 4):
        for other in range(one + 4, 24, 4):

            def exchanged(at, one=one, other=other):
                loss, gradient = objective(at)
                gradient[[one, other]] = gradient[[other, one]]
                return loss, gradient

            assert not bt.check_gradient(exchanged, phi, names=scorer.shapes).passed, (one, other)


def test_no_referee_is_no_verdict():
    """An empty list of referees is refused, and so is a block without entries."""
    with pytest.raises(ValueError, match=r"^against: expected at least one of"):
        bt.check_gradient(square, [1.0], against=())
    with pytest.raises(ValueError, match=r"^names: expected shapes that fill phi"):
        bt.check_gradient(square, [1.0, 2.0], names={"a": (2,), "b": (0,)})


class Clinging:
    """Like a tensor that requires its gradient."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("call detach first")


def test_what_will_not_be_an_array_is_a_line_in_the_report():
    """With the type and its own words."""
    report = bt.check_gradient(lambda phi: (float(phi @ phi), Clinging()), [1.0, 2.0])
    assert not report.passed
    assert "got Clinging: call detach first" in repr(report)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system cannot interrupt")
def test_a_call_that_swallows_the_alarm_is_stopped_and_other_alarms_go_on():
    """Even a bare except in a loop without end; and an alarm that was set before still rings."""

    def stubborn(phi):
        while True:
            try:
                while True:
                    pass
            except:  # noqa: E722, S110
                pass

    rang = []
    before = signal.signal(signal.SIGALRM, lambda *_: rang.append(True))
    tracer = sys.gettrace()
    try:
        signal.setitimer(signal.ITIMER_REAL, 30.0)
        report = bt.check_gradient(stubborn, [1.0], time_limit=0.2)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] < 30
        assert "no answer within 0.2 seconds" in repr(report)

        def patient(phi):
            return float(bt.check_gradient(stubborn, phi, time_limit=5.0).passed), phi

        assert "no answer within 0.3 seconds" in repr(bt.check_gradient(patient, [1.0], time_limit=0.3))
        assert sys.gettrace() is tracer
        with pytest.raises(ValueError, match=r"^time_limit: expected a positive number"):
            bt.check_gradient(stubborn, [1.0], time_limit=-1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not rang


class Model:
    """A function in the shape of an object."""

    def __call__(self, phi):  # noqa: D102
        return float(phi @ phi), np.linalg.inv(phi)  # the line that is at fault


def test_the_line_is_the_learners_whatever_holds_the_function():
    """A partial, an object with __call__, np.linalg inside; the settings of NumPy are as they were."""

    def with_more(phi, power):
        np.seterr(all="raise")
        return float(phi @ phi), np.linalg.inv(phi)  # at fault, too

    settings = np.geterr()
    for function in (Model(), partial(with_more, power=2)):
        assert "at fault" in repr(bt.check_gradient(function, [1.0, 2.0]))
    assert np.geterr() == settings


def test_of_many_kinks_none_is_an_excuse():
    """Three hundred corners at phi, with slopes of 5.5 and 6.5: zero lies between none of them."""
    slopes = np.linspace(0.5, 1.5, 300)

    def corners(phi, wrong=()):
        gradient = 5 + slopes * (phi > 0)
        gradient[list(wrong)] = 0.0
        return float(np.sum(5 * phi + slopes * np.maximum(0, phi))), gradient

    assert bt.check_gradient(corners, np.zeros(300)).passed
    for wrong in ((1,), range(1, 300, 3)):
        assert not bt.check_gradient(lambda phi, w=wrong: corners(phi, w), np.zeros(300)).passed


@pytest.mark.parametrize("size", [1e9, 1e12])
def test_a_large_loss_is_no_excuse(size):
    """Off by a ten-thousandth, of a loss of a billion or a trillion."""

    def large(phi, factor=1.0):
        return float(size * phi @ phi), 2 * size * factor * phi

    assert bt.check_gradient(large, [1.5, -0.5]).passed
    assert not bt.check_gradient(lambda phi: large(phi, 1.0001), [1.5, -0.5]).passed


def test_the_last_digit_may_differ_from_call_to_call(rng):
    """As where threads add in another order: no reason to refuse."""

    def last_digit(phi):
        return float(phi @ phi), 2 * phi * (1 + 2.3e-16 * rng.integers(0, 2, phi.size))

    assert all(bt.check_gradient(last_digit, [0.3, -1.7, 0.9]).passed for _ in range(10))


def test_extreme_numbers_leave_no_trace_of_ours():
    """Loud settings of NumPy, a huge loss, a flat one whose numbers fit float32."""
    with np.errstate(all="raise"):
        assert bt.check_gradient(lambda w: (float(np.exp(-w @ w)), -2 * w * np.exp(-w @ w)), [8.5, -8.5]).passed
    assert "NumPy warned" not in repr(bt.check_gradient(lambda w: (1e50 * float(w @ w), 2e50 * w), [1.0, 2.0]))
    assert "float32" not in repr(bt.check_gradient(lambda w: (0.25, np.zeros(3)), [1.0, 2.0, 3.0]))
