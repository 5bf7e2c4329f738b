"""Values of any size and form, given to the central functions: the answer is the same number, or a named refusal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import bradley_terry as bt
from bradley_terry import evaluation, losses

X, Y = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, 1.0], [0.5, -1.0]]), np.zeros((4, 2))
PAIRS = bt.PreferencePairs(X, Y, prompts=[0, 0, 1, 1])
MODEL = bt.fit(bt.LinearScorer(2), PAIRS, l2=0.1)
ANY = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FORMS = {
    "list": np.ndarray.tolist,
    "tuple": lambda x: tuple(x.tolist()),
    "objects": lambda x: x.astype(object),
    "strided": lambda x: np.repeat(x, 3)[::3],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "other byte order": lambda x: x.astype(x.dtype.newbyteorder()),
    "long double": lambda x: x.astype(np.longdouble),
    "without a mask": np.ma.masked_array,
}
NATURAL = {
    "subset by a mask of the wrong length": (lambda: PAIRS.subset(np.ones(5, dtype=bool)), "index"),
    "subset by a row that is not there": (lambda: PAIRS.subset([0, 4]), "index"),
    "split by None": (lambda: PAIRS.split(None), "validation"),
    "split by True": (lambda: PAIRS.split(True), "validation"),
    "held_out with a seed of 1.5": (lambda: PAIRS.held_out(seed=1.5), "seed"),
    "head of half a pair": (lambda: PAIRS.head(0.5), "n"),
    "evaluate on None": (lambda: MODEL.evaluate(None), "pairs"),
    "evaluate with a seed of -1": (lambda: MODEL.evaluate(PAIRS, seed=-1), "seed"),
    "fit with a loss of 1": (lambda: bt.fit(bt.LinearScorer(2), PAIRS, loss=1), "loss"),
    "fit with progress='no'": (lambda: bt.fit(bt.LinearScorer(2), PAIRS, progress="no"), "progress"),
    "fit with a callback that is none": (lambda: bt.fit(bt.LinearScorer(2), PAIRS, callback=3), "callback"),
    "gram of a short list": (lambda: bt.Objective(bt.LinearScorer(2), PAIRS).gram([1.0]), "d2_margins"),
    "floor of dates": (lambda: bt.loss_floor(np.array(["2024-06-11"], "M8[D]")), "true_margins"),
    "prompts without a date": (
        lambda: bt.PreferencePairs(X, Y, prompts=np.full(4, np.datetime64("NaT", "D"))),
        "prompts",
    ),
    "prompts under a mask": (lambda: bt.PreferencePairs(X, Y, prompts=np.ma.masked_equal([0, 1, 1, 2], 2)), "prompts"),
    "names that are a number": (lambda: bt.PreferencePairs(X, Y, feature_names=2), "feature_names"),
    "one thread by True": (lambda: bt.kernels.set_threads(True), "n_threads"),
    "a loss of labels above 1": (lambda: losses.Hinge().value([1.0], [2.0]), "t"),
    "a loss of margins as texts": (lambda: losses.Probit().gradient(["1"], None), "z"),
    "intervals of texts": (lambda: evaluation.wilson_intervals(["0.5"], 10), "shares"),
    "components of an array": (lambda: evaluation.strong_components(X), "pairs"),
    "rewards of dates": (lambda: MODEL.reward(X.astype("M8[s]")), "features"),
    "a duration as l2": (lambda: bt.fit(bt.LinearScorer(2), PAIRS, l2=np.timedelta64(1, "s")), "l2"),
    "resamples beyond 64 bits": (lambda: MODEL.evaluate(PAIRS, n_bootstrap=2**70), "n_bootstrap"),
}


@pytest.mark.parametrize("name", NATURAL)
def test_natural_mistakes_are_refused_by_name(name) -> None:
    """Each is a ValueError or TypeError of one sentence that begins with the argument."""
    call, argument = NATURAL[name]
    with pytest.raises((ValueError, TypeError), match=rf"^{argument}: expected [^\n]+$"):
        call()


@pytest.mark.full
@pytest.mark.parametrize("form", FORMS)
@given(z=hnp.arrays(np.float64, st.integers(1, 5), elements=ANY))
def test_losses_are_the_same_in_every_form_of_the_margins(form, z) -> None:
    """Lists, objects, strides, byte orders and long doubles give the bits of a plain array, and nothing is changed."""
    before, other = z.copy(), FORMS[form](z)
    for function in (bt.sigmoid, bt.pair_losses, bt.pair_loss_gradients, bt.pair_loss_curvatures):
        np.testing.assert_array_equal(function(other), function(z))
    np.testing.assert_array_equal(z, before)


@pytest.mark.full
@given(z=ANY)
def test_losses_of_both_answers_differ_by_the_margin(z) -> None:
    """softplus(-z) - softplus(z) = -z for every finite z; NaN stays NaN, and infinity costs nothing or all."""
    won, lost = float(bt.pair_losses(z)), float(bt.pair_losses(-z))
    if math.isnan(z):
        assert math.isnan(won)
    elif math.isinf(z):
        assert {won, lost} == {0.0, math.inf}
    else:
        assert won - lost == pytest.approx(-z, rel=1e-15, abs=1e-15)


@pytest.mark.full
@given(
    chosen=hnp.arrays(np.float64, (3, 2), elements=ANY),
    weights=hnp.arrays(np.float64, 3, elements=st.floats(0, 1e6)),
)
def test_pairs_keep_finite_numbers_and_refuse_the_others(chosen, weights) -> None:
    """What is stored is what was given, to the bit; a number that is not finite is named with its row."""
    if not np.isfinite(chosen).all():
        with pytest.raises(
            ValueError, match=r"^chosen: expected finite numbers, got (nan|-?inf) in row \d, column \d$"
        ):
            bt.PreferencePairs(chosen, np.zeros((3, 2)))
        return
    if not weights.any():
        with pytest.raises(ValueError, match=r"^weights: expected numbers of at least 0 with a positive sum"):
            bt.PreferencePairs(chosen, np.zeros((3, 2)), weights=weights)
        return
    if weights.max() < 1e-290:  # then products with them lose digits
        with pytest.raises(ValueError, match=r"^weights: expected a largest weight of at least 1e-290, got "):
            bt.PreferencePairs(chosen, np.zeros((3, 2)), weights=weights)
        return
    pairs = bt.PreferencePairs(chosen.tolist(), np.zeros((3, 2)), weights=tuple(weights.tolist()))
    np.testing.assert_array_equal(pairs.chosen, chosen)
    np.testing.assert_array_equal(pairs.weights, weights)


@pytest.mark.full
@given(index=st.one_of(st.lists(st.integers(-9, 9), max_size=5), st.lists(st.booleans(), max_size=6)))
def test_subset_takes_what_a_list_would_give_or_names_the_index(index) -> None:
    """Row numbers and masks select as in NumPy; an index that does not fit is refused."""
    try:
        expected = X[np.array(index, dtype=None if index else np.int64)]
    except IndexError:
        expected = X[:0]
    if len(expected):
        np.testing.assert_array_equal(PAIRS.subset(index).chosen, expected)
    else:
        with pytest.raises(ValueError, match=r"^index: expected "):
            PAIRS.subset(index)


@pytest.mark.full
@given(phi=hnp.arrays(np.float64, 2, elements=FINITE))
def test_objective_never_warns_and_never_falls_below_zero(phi) -> None:
    """For every finite φ, however large, the loss is a number of at least 0, perhaps infinite."""
    for scorer, at in ((bt.LinearScorer(2), phi), (bt.MLPScorer(2, 1), np.tile(phi, 2))):
        loss, gradient = bt.Objective(scorer, PAIRS, backend="numpy")(at)
        assert math.isnan(loss) or loss >= 0
        assert gradient.shape == at.shape
        assert scorer.reward(at, X).shape == (4,)


@pytest.mark.full
@settings(max_examples=30)
@given(difference=hnp.arrays(np.float64, (6, 2), elements=st.floats(-5, 5).map(lambda v: round(v, 3))))
def test_fit_and_evaluation_agree_on_any_small_data(difference) -> None:
    """With a penalty there is always a minimum, no worse than knowing nothing, and the evaluation has its loss."""
    pairs = bt.PreferencePairs(difference, np.zeros((6, 2)), prompts=[0, 0, 1, 1, 2, 2])
    model = bt.fit(bt.LinearScorer(2), pairs, l2=0.1)
    result = model.evaluate(pairs, n_bootstrap=20)
    assert model.converged
    assert result.mean_loss <= math.log(2) + 1e-12
    assert result.mean_loss == pytest.approx(bt.mean_loss(model.margins(pairs)), rel=1e-12)
    assert 0 <= result.accuracy <= 1
    assert 0 <= result.brier <= 1
