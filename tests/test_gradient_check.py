"""Finite differences and automatic differentiation must catch what is wrong and pass what is right."""

from importlib.util import find_spec

import numpy as np
import pytest
from tiers import first

import bradley_terry as bt
from bradley_terry.gradient_check import numerical_gradient, reference_loss, step_sweep

needs_autograd = pytest.mark.skipif(find_spec("autograd") is None, reason="the library autograd is not installed")


def problem(scorer, rng, n=23):
    """Return an objective with weights, labels, target margins and an L2 penalty, and a non-zero phi."""
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


def square(phi):
    return float(phi @ phi), 2 * phi


def test_numerical_gradient_is_exact_for_a_known_function():
    """d/dx exp(x)·y³ and d/dy of it come out to eleven digits, and the spread covers the error."""
    gradient, spread = numerical_gradient(lambda v: float(np.exp(v[0]) * v[1] ** 3), np.array([0.5, -2.0]))
    truth = np.array([np.exp(0.5) * -8, np.exp(0.5) * 3 * 4])
    np.testing.assert_allclose(gradient, truth, rtol=1e-11)  # rounding eps·f/h with h = 0.05 / 2^k
    assert (np.abs(gradient - truth) <= 4 * spread + 1e-14).all()


def test_the_error_of_a_step_is_a_v():
    """The error at 1e-3 is truncation, f‴h²/6; at 1e-12 it is rounding; the best step is near eps^(1/3)."""
    sweep = step_sweep(lambda v: (float(np.exp(v[0])), np.exp(v)), [0.5])
    assert sweep.exact == np.exp(0.5)
    far, near = step_sweep(lambda v: (float(np.exp(v[0])), np.exp(v)), [0.5], steps=[1e-3, 1e-12]).errors
    assert far == pytest.approx(np.exp(0.5) / 6 * 1e-6, rel=1e-3)
    assert 1e-7 < near < 1e-3
    assert 1e-6 < sweep.best_step < 1e-4
    assert step_sweep(square, [1.0, 2.0], entry=1, steps=[0.5]).errors == pytest.approx([0], abs=1e-15)
    with pytest.raises(ValueError, match=r"^steps: expected a vector of positive numbers"):
        step_sweep(square, [1.0], steps=[0.0])


@needs_autograd
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_check_passes_the_right_gradient(scorer, seed):
    """Our gradients agree with central differences to 1e-8 and with autograd to 1e-12 of each block."""
    objective, phi = problem(scorer, np.random.default_rng(seed))
    report = bt.check_gradient(objective, phi, against=("numerical", "autograd"))
    report.require()
    assert report.passed
    assert len(report.blocks) == 2 * len(scorer.shapes)


@pytest.mark.parametrize(
    "library",
    ["autograd", pytest.param("jax", marks=pytest.mark.full), pytest.param("torch", marks=pytest.mark.full)],
)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_every_library_agrees_with_our_gradients(scorer, library, rng):
    """They agree to 1e-12, in float64 even if that is not the library's default, and an error of 1e-10 fails."""
    pytest.importorskip(library, reason=f"the library {library} is not installed")
    objective, phi = problem(scorer, rng)
    bt.check_gradient(objective, phi, against=library).require()
    gradient = objective(phi)[1]
    gradient[0] *= 1 + 1e-10
    assert not bt.check_gradient(lambda _: (0.0, gradient), phi, against=library, objective=objective).passed


@pytest.mark.parametrize("n_problems", [24, pytest.param(1000, marks=pytest.mark.full)])
@pytest.mark.full
def test_right_gradients_raise_no_alarm_in_random_problems(n_problems):
    """They pass for all scorers and sizes, with weights, labels, target margins and L2, at phi from 1e-3 to 20."""
    for seed in range(n_problems):
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


def test_check_passes_a_gradient_that_is_truly_zero():
    """An output bias has a gradient of exactly zero. The rounding of the differences does not make it fail."""
    assert bt.check_gradient(lambda phi: (0.7, np.zeros(1)), [0.3]).passed


@needs_autograd
def test_check_passes_the_right_gradient_of_features_of_size_a_million():
    """The step adapts to how fast the loss changes."""
    rng = np.random.default_rng(0)
    chosen, rejected = rng.normal(size=(2, 60, 2)) * 1e6
    objective = bt.Objective(bt.LinearScorer(2), bt.PreferencePairs(chosen, rejected, labels=rng.uniform(size=60)))
    assert bt.check_gradient(objective, [1.0, -0.5], against=("numerical", "autograd")).passed


@pytest.mark.parametrize("scorer", first(2, SCORERS), ids=str)
@pytest.mark.parametrize("against", ["numerical", pytest.param("autograd", marks=needs_autograd)])
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
    """At a margin of 20 the gradient is 2e-9. The right one passes, and a wrong sign is still caught."""
    pairs = bt.PreferencePairs([[2.0]], [[0.0]])
    objective = bt.Objective(bt.LinearScorer(1), pairs)
    assert bt.check_gradient(objective, [10.0]).passed
    assert not bt.check_gradient(lambda phi: (objective(phi)[0], -objective(phi)[1]), [10.0]).passed


@needs_autograd
def test_check_catches_a_wrong_entry_beside_one_a_billion_times_larger():
    """Each entry is compared at its own size, so a small wrong one cannot hide among large ones."""
    rng = np.random.default_rng(0)
    units = np.array([1e3, 1e-6])
    chosen, rejected = rng.normal(size=(2, 60, 2)) * units
    objective = bt.Objective(bt.LinearScorer(2), bt.PreferencePairs(chosen, rejected, labels=rng.uniform(size=60)))
    phi = np.array([1e-3, 1.0])
    assert bt.check_gradient(objective, phi, against=("numerical", "autograd")).passed
    assert not bt.check_gradient(lambda at: (objective(at)[0], objective(at)[1] * [1, -50]), phi).passed


def test_check_counts_nan_as_wrong():
    """A NaN in the gradient never passes."""
    assert not bt.check_gradient(lambda phi: (float(phi @ phi), np.full(2, np.nan)), [1.0, 2.0]).passed


@pytest.mark.full
def test_one_wrong_entry_of_a_large_phi_is_found():
    """Random directions show that one of 2,240 entries is off by 1e-5, and halving finds this entry."""
    rng = np.random.default_rng(0)
    scorer = bt.MLPScorer(30, 70)
    objective = bt.Objective(scorer, bt.PreferencePairs(*rng.normal(size=(2, 20, 30))))
    phi = scorer.initial(rng)

    def wrong(at):
        loss, gradient = objective(at)
        gradient[500] *= 1 + 1e-5
        return loss, gradient

    assert abs(objective(phi)[1][500]) < np.sort(np.abs(objective(phi)[1]))[-100]  # not one of the largest
    report = bt.check_gradient(wrong, phi, names=scorer.shapes)
    assert [block.passed for block in report.blocks] == [False, True, True]
    assert report.blocks[0].worst_index == np.unravel_index(500, (30, 70))
    assert "8 random directions and" in repr(report)


@pytest.mark.full
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_one_wrong_entry_among_five_thousand_is_found(activation):
    """Random directions and halving find a relative error of 1e-5 in any entry of ordinary size."""
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


@pytest.mark.full
def test_two_errors_do_not_cancel_along_all_directions():
    """In a large gradient, an exchange of two entries is found for every two that are tried."""
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


@pytest.mark.full
def test_a_large_wrong_gradient_gets_its_name(rng):
    """The diagnosis also works where only some entries are checked one by one."""
    scorer = bt.MLPScorer(30, 80)
    objective = bt.Objective(scorer, bt.PreferencePairs(*rng.normal(size=(2, 40, 30))))
    phi = scorer.initial(rng)
    report = bt.check_gradient(lambda at: (objective(at)[0], -objective(at)[1]), phi, objective=objective)
    assert not report.passed
    assert all("the sign is flipped" in block.diagnosis for block in report.blocks)


@pytest.mark.parametrize("wrong_pairs", [[4], [2, 9]])
def test_pairs_that_disagree_are_named_with_their_pull(wrong_pairs):
    """If only a few pairs have a wrong d_margin, the report names them, with this d_margin and the expected one."""
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


def test_no_pair_is_named_where_all_are_wrong():
    """A flipped sign is not a mistake of a few pairs."""
    rng = np.random.default_rng(3)
    chosen, rejected = rng.normal(size=(2, 12, 5))
    objective = bt.Objective(bt.LinearScorer(5), bt.PreferencePairs(chosen, rejected))
    report = bt.check_gradient(
        lambda at: (objective(at)[0], -objective(at)[1]), rng.normal(size=5), objective=objective
    )
    assert not report.passed
    assert report.pairs == ()


def test_pairs_with_a_wrong_slope_are_named_for_a_scorer_of_ones_own():
    """If a scorer's backward pass is wrong for large features only, the pairs that have them are named."""

    class Clipped(bt.LinearScorer):
        def backward(self, phi, features, d_rewards):
            return super().backward(phi, np.clip(features, -2, 2), d_rewards)

    chosen, rejected = np.random.default_rng(5).uniform(-1, 1, size=(2, 9, 3))
    chosen[6, 1] = 4.0
    objective = bt.Objective(Clipped(3), bt.PreferencePairs(chosen, rejected))
    report = bt.check_gradient(objective, np.array([0.3, -0.4, 0.9]))
    assert [pair.index for pair in report.pairs] == [6]


def test_check_refuses_bad_input_in_one_sentence():
    """For an unknown reference, no reference at all, or a missing loss, the message names the argument."""
    with pytest.raises(ValueError, match=r"^against: expected one of"):
        bt.check_gradient(square, [1.0], against="oracle")
    with pytest.raises(ValueError, match=r"^against: expected at least one of"):
        bt.check_gradient(square, [1.0], against=())
    with pytest.raises(ValueError, match=r"^reference: expected your loss written for autograd"):
        bt.check_gradient(square, [1.0], against="autograd")


def test_check_wants_shapes_that_fill_phi():
    """Names that leave a part of φ unchecked are refused, as are a block without entries and an empty φ."""
    with pytest.raises(ValueError, match=r"^names: expected shapes that fill phi"):
        bt.check_gradient(lambda phi: (0.0, np.zeros(2)), [1.0, 2.0], names={"a": (1,)})
    with pytest.raises(ValueError, match=r"^names: expected shapes that fill phi"):
        bt.check_gradient(square, [1.0, 2.0], names={"a": (2,), "b": (0,)})
    with pytest.raises(ValueError, match=r"^phi: expected a flat vector"):
        bt.check_gradient(lambda phi: (0.0, phi), [])


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_a_scorer_is_checked_with_its_pairs_at_a_random_phi(scorer, random_pairs):
    """The report is that of ``Objective(scorer, pairs)`` at a standard normal phi from seed 0."""
    pairs = random_pairs(scorer)
    objective = bt.Objective(scorer, pairs)
    phi = np.random.default_rng(0).normal(size=scorer.n_parameters)
    expected = bt.check_gradient(objective, phi).to_dict()
    assert np.abs(objective.margins(phi)).max() <= 13.8  # else phi would be halved
    assert bt.check_gradient(scorer, pairs).to_dict() == expected
    assert bt.check_gradient(objective).to_dict() == expected
    assert bt.check_gradient(objective.__call__, objective=objective).passed  # a function of one's own


def test_a_random_phi_saturates_no_pair():
    """With features of a million, a standard normal phi would saturate all pairs; the check makes it smaller."""
    pairs = bt.PreferencePairs(*1e6 * np.random.default_rng(1).normal(size=(2, 30, 3)))
    report = bt.check_gradient(bt.LinearScorer(3), pairs)
    assert report.passed
    assert not report.warnings
    assert min(abs(block.expected) for block in report.blocks) > 1e3


def test_a_wrong_scorer_fails_at_the_random_phi():
    """A hand-written backward pass without its minus is found by the shortest call."""

    class Flipped(bt.LinearScorer):
        def backward(self, phi, features, d_rewards):
            return -super().backward(phi, features, d_rewards)

    pairs = bt.PreferencePairs(*np.random.default_rng(1).normal(size=(2, 30, 3)))
    assert not bt.check_gradient(Flipped(3), pairs).passed


def test_a_phi_that_does_not_fit_is_named():
    """The message is about phi. It gives the scorer and both shapes, or says what to pass instead."""
    pairs = bt.PreferencePairs(*np.random.default_rng(1).normal(size=(2, 30, 3)))
    objective = bt.Objective(bt.LinearScorer(3), pairs)
    expected = r"^phi: expected shape \(3,\) for LinearScorer\(n_features=3\), got \(2,\)$"
    with pytest.raises(ValueError, match=expected):
        bt.check_gradient(objective, [1.0, 2.0])
    with pytest.raises(ValueError, match=expected):
        bt.check_gradient(lambda phi: (float(phi @ np.ones(3)), np.ones(3)), [1.0, 2.0], objective=objective)
    with pytest.raises(ValueError, match=r"^phi: expected a vector of parameters, got None"):
        bt.check_gradient(square)
    for wrong in (None, [1.0, 2.0, 3.0]):
        with pytest.raises(
            TypeError, match=r"^phi: expected PreferencePairs after a scorer, got .*Objective\(scorer, "
        ):
            bt.check_gradient(bt.LinearScorer(3), wrong)
    with pytest.raises(TypeError, match=r"^scorer: expected a scorer"):
        bt.check_gradient(square, pairs)


@pytest.mark.parametrize("names", [{"a": 3}, {1: (3,)}, {"a": (3.0,)}, {"a": "3"}])
def test_names_of_blocks_have_shapes(names) -> None:
    """Anything else is refused by name."""
    with pytest.raises(TypeError, match=r"^names: expected block names with their shapes"):
        bt.check_gradient(lambda x: (float(x @ x), 2 * x), [1.0, 2.0, 3.0], names=names)
