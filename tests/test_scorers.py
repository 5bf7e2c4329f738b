"""Scorers: the rewards have their known values, and backward is the derivative of reward."""

from __future__ import annotations

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import reference_loss

import bradley_terry as bt
from bradley_terry.scorers import forward

SCORERS = [
    bt.LinearScorer(5),
    bt.LinearScorer(1),
    bt.MLPScorer(3, 7),
    bt.MLPScorer(5, 2, "tanh"),
    bt.MLPScorer(3, 4, "relu"),
    bt.MLPScorer(1, 6, "relu"),
    bt.TableScorer(6),
]


def features_for(scorer, rng, n: int = 11) -> np.ndarray:
    """Return n random rows of features, or item numbers."""
    if isinstance(scorer, bt.TableScorer):
        return rng.integers(scorer.n_items, size=n)
    return rng.normal(size=(n, scorer.n_features))


# ---------------------------------------------------------------------------------------------------- known value


def test_rewards_by_hand() -> None:
    """For small integers, x·w, a table's entry and an MLP of two hidden units can be computed by hand."""
    assert bt.LinearScorer(2).reward([1.0, -0.5], np.array([[3.0, 2.0]])) == [2.0]
    np.testing.assert_array_equal(bt.TableScorer(3).reward([0.5, -1, 2], np.array([2, 0, 2])), [2, 0.5, 2])
    # W = [[1, -1], [2, 0]], b = [0, 1], v = [3, 4]; x = [1, 1]: a = [3, 0], x = [-1, 0]: a = [-1, 2]
    phi = [1, -1, 2, 0, 0, 1, 3, 4]
    x = np.array([[1.0, 1.0], [-1.0, 0.0]])
    np.testing.assert_array_equal(bt.MLPScorer(2, 2, "relu").reward(phi, x), [9, 8])
    want = [3 * np.tanh(3) + 4 * np.tanh(0), 3 * np.tanh(-1) + 4 * np.tanh(2)]
    np.testing.assert_allclose(bt.MLPScorer(2, 2).reward(phi, x), want, rtol=1e-15)


def test_shapes_are_those_of_the_contract() -> None:
    """The blocks of φ have these names and shapes, in this order, and φ has as many numbers as all of them together."""
    assert bt.LinearScorer(4).shapes == {"weights": (4,)}
    assert bt.TableScorer(4).shapes == {"rewards": (4,)}
    mlp = bt.MLPScorer(4, 3)
    assert list(mlp.shapes.items()) == [("hidden_weights", (4, 3)), ("hidden_bias", (3,)), ("output_weights", (3,))]
    assert (bt.LinearScorer(4).n_parameters, bt.TableScorer(4).n_parameters, mlp.n_parameters) == (4, 4, 18)
    assert (bt.MLPScorer(4).n_hidden, bt.MLPScorer(4).activation) == (32, "tanh")


def test_initial_rewards_of_an_mlp_are_of_size_one(rng) -> None:
    """W has variance 1/n_features (2/n_features for ReLU), v 1/n_hidden and b is 0; convex scorers start at 0."""
    for activation, gain in (("tanh", 1), ("relu", 2)):
        scorer = bt.MLPScorer(50, 400, activation)
        blocks = scorer.unpack(scorer.initial(rng))
        # the variance of n normal draws has standard error sqrt(2/n); 4 of them
        assert blocks["hidden_weights"].var() == pytest.approx(gain / 50, rel=4 * np.sqrt(2 / 20_000))
        assert blocks["output_weights"].var() == pytest.approx(1 / 400, rel=4 * np.sqrt(2 / 400))
        assert not blocks["hidden_bias"].any()
        assert 0.1 < scorer.reward(scorer.initial(rng), rng.normal(size=(500, 50))).std() < 3
    for scorer in (bt.LinearScorer(3), bt.TableScorer(3)):
        np.testing.assert_array_equal(scorer.initial(rng), np.zeros(3))


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_unpack_gives_views_that_cover_phi_once(scorer) -> None:
    """The blocks in order are φ itself, and writing into a block writes into φ."""
    phi = np.arange(scorer.n_parameters, dtype=np.float64)
    blocks = scorer.unpack(phi)
    np.testing.assert_array_equal(np.concatenate([b.ravel() for b in blocks.values()]), phi)
    assert {name: b.shape for name, b in blocks.items()} == scorer.shapes
    for block in blocks.values():
        np.add(block, 100, out=block)
    np.testing.assert_array_equal(phi, np.arange(scorer.n_parameters) + 100)


def test_table_scorer_is_the_linear_scorer_on_one_hot_features(rng) -> None:
    """Reward, backward and Hessian of a table are those of a linear scorer whose features are rows of the identity."""
    items, others = rng.integers(4, size=(2, 30))
    one_hot = np.eye(4)
    phi, d, c = rng.normal(size=4), rng.normal(size=30), rng.uniform(0, 1, 30)
    table, linear = bt.TableScorer(4), bt.LinearScorer(4)
    np.testing.assert_array_equal(table.reward(phi, items), linear.reward(phi, one_hot[items]))
    want = linear.backward(phi, one_hot[items], d)
    np.testing.assert_allclose(table.backward(phi, items, d), want, rtol=1e-13, atol=1e-14)  # order of 30 terms
    want = linear.hessian(one_hot[items], one_hot[others], c)
    np.testing.assert_allclose(table.hessian(items, others, c), want, rtol=1e-13, atol=1e-14)


def test_backward_adds_up_where_an_item_occurs_twice() -> None:
    """The contributions of an item that occurs several times are added; none overwrites another."""
    d = bt.TableScorer(3).backward(np.zeros(3), np.array([1, 1, 0, 1]), np.array([1.0, 2.0, 8.0, 4.0]))
    np.testing.assert_array_equal(d, [8, 7, 0])


def test_table_hessian_is_a_graph_laplacian(rng) -> None:
    """A table's Hessian is symmetric with rows that sum to zero. An item compared with itself adds nothing."""
    c, r = rng.integers(5, size=(2, 40))
    h = bt.TableScorer(5).hessian(c, r, rng.uniform(0, 1, 40))
    np.testing.assert_allclose(h.sum(axis=0), 0, atol=1e-14)  # 40 numbers of at most 1
    np.testing.assert_array_equal(h, h.T)
    assert not bt.TableScorer(2).hessian(np.array([1, 0]), np.array([1, 0]), np.ones(2)).any()


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_backward_is_linear_in_the_incoming_derivatives(scorer, rng) -> None:
    """backward(3·d + e) = 3·backward(d) + backward(e), and the answer for all rows is the sum over single rows."""
    phi, features = rng.normal(size=scorer.n_parameters), features_for(scorer, rng)
    d, e = rng.normal(size=(2, 11))
    whole = scorer.backward(phi, features, 3 * d + e)
    parts = 3 * scorer.backward(phi, features, d) + scorer.backward(phi, features, e)
    np.testing.assert_allclose(whole, parts, rtol=1e-13, atol=1e-13)  # a few dozen roundings of numbers near 1
    rows = sum(scorer.backward(phi, features[i : i + 1], d[i : i + 1]) for i in range(11))
    np.testing.assert_allclose(scorer.backward(phi, features, d), rows, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("scorer", [s for s in SCORERS if not isinstance(s, bt.TableScorer)], ids=str)
def test_rescaled_parameters_absorb_a_change_of_units(scorer, rng) -> None:
    """r_φ'(x) = r_φ((x - shift)/scale) up to a constant that cancels in every margin."""
    phi, x = rng.normal(size=scorer.n_parameters), features_for(scorer, rng)
    before = phi.copy()
    shift, scale = rng.normal(size=scorer.n_features), rng.uniform(0.1, 10, scorer.n_features)
    raw = scorer.reward(scorer.rescaled(phi, shift, scale), x)
    standard = scorer.reward(phi, (x - shift) / scale)
    # the features reach 30 after scaling, so a few hundred eps
    np.testing.assert_allclose(raw - raw[0], standard - standard[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(phi, before)


# ------------------------------------------------------------------------------------------------------- calculus


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_backward_is_the_derivative_of_the_rewards(scorer, rng, differences) -> None:
    """Backward agrees with five-point differences of Σ d_rewards·r, to 1e-8 of its largest entry."""
    phi, features, d = rng.normal(size=scorer.n_parameters), features_for(scorer, rng), rng.normal(size=11)
    h = 1e-3 if getattr(scorer, "activation", "tanh") == "tanh" else 1e-6
    if h == 1e-6:  # away from its kinks a ReLU is linear, so only rounding, eps/h = 2e-10, is left
        blocks = scorer.unpack(phi)
        a = features @ blocks["hidden_weights"] + blocks["hidden_bias"]
        assert np.abs(a).min() > 1e-4, "choose another seed: a hidden unit is at its kink"
    want = differences(lambda p: d @ scorer.reward(p, features), phi, h)
    got = scorer.backward(phi, features, d)
    assert np.abs(got - want).max() <= 1e-8 * np.abs(want).max()


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_backward_agrees_with_autograd(scorer, rng) -> None:
    """The hand-written chain rule agrees with automatic differentiation to 1e-12 of the largest entry."""
    phi, features, d = rng.normal(size=scorer.n_parameters), features_for(scorer, rng), rng.normal(size=11)
    want = autograd.grad(lambda p: anp.sum(d * reference_loss.reward(scorer, p, features)))(phi)
    np.testing.assert_allclose(scorer.reward(phi, features), reference_loss.reward(scorer, phi, features), rtol=1e-12)
    assert np.abs(scorer.backward(phi, features, d) - want).max() <= 1e-12 * np.abs(want).max()


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_forward_returns_the_rewards_and_the_way_back(scorer, rng) -> None:
    """``forward`` gives the bits of ``reward`` and a function that gives those of ``backward``, any number of times."""
    phi, features = rng.normal(size=scorer.n_parameters), features_for(scorer, rng)
    rewards, back = forward(scorer, phi, features)
    np.testing.assert_array_equal(rewards, scorer.reward(phi, features))
    for d in rng.normal(size=(2, 11)):
        np.testing.assert_array_equal(back(d), scorer.backward(phi, features, d))


def test_relu_passes_nothing_back_where_its_input_is_not_positive() -> None:
    """The derivative is 0 for a < 0 and, by convention, at a = 0."""
    scorer = bt.MLPScorer(1, 1, "relu")
    np.testing.assert_array_equal(scorer.backward([1, 0, 5], np.array([[-1.0]]), np.ones(1)), [0, 0, 0])
    np.testing.assert_array_equal(scorer.backward([1, 0, 5], np.array([[0.0]]), np.ones(1)), [0, 0, 0])
    np.testing.assert_array_equal(scorer.backward([1, 0, 5], np.array([[2.0]]), np.ones(1)), [10, 5, 2])


# -------------------------------------------------------------------------------------------------------- manners


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_inputs_are_left_alone_and_odd_arrays_are_read_correctly(scorer, rng) -> None:
    """Arrays may be read-only, and Fortran order, strides, byte order, float32 and a list give the same numbers."""
    phi, features, d = rng.normal(size=scorer.n_parameters), features_for(scorer, rng), rng.normal(size=11)
    features = np.round(features * 4) / 4 if features.dtype.kind == "f" else features  # exact in float32 too
    for array in (phi, features, d):
        array.flags.writeable = False
    reward, back = scorer.reward(phi, features), scorer.backward(phi, features, d)
    swapped = features.astype(features.dtype.newbyteorder(">"))
    small = features.astype(np.float32 if features.dtype.kind == "f" else np.uint8)
    for odd in (np.asfortranarray(features), np.repeat(features, 2, axis=0)[::2], swapped, small):
        # another memory layout may add in another order: a few roundings
        np.testing.assert_allclose(scorer.reward(phi.tolist(), odd), reward, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(scorer.backward(phi.tolist(), odd, d), back, rtol=1e-12, atol=1e-13)
        assert scorer.reward(phi, odd).dtype == np.float64
        assert scorer.backward(phi, odd, d).dtype == np.float64


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_phi_of_a_wrong_length_is_refused(scorer) -> None:
    """The message names φ, its shape and the shape that was expected."""
    with pytest.raises(
        ValueError, match=rf"^phi: expected shape \({scorer.n_parameters},\) for {type(scorer).__name__}"
    ):
        scorer.unpack(np.zeros(scorer.n_parameters + 1))
    with pytest.raises(ValueError, match=r"^phi: expected shape"):
        scorer.reward(np.zeros((1, scorer.n_parameters)), features_for(scorer, np.random.default_rng(0)))


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 2)], ids=str)
def test_features_of_a_wrong_shape_are_refused(scorer) -> None:
    """A scorer of 3 features expects shape (n, 3)."""
    for bad in (np.zeros((2, 4)), np.zeros(3), np.zeros((1, 2, 3))):
        with pytest.raises(ValueError, match=r"^features: expected shape \(n, 3\)"):
            scorer.reward(np.zeros(scorer.n_parameters), bad)
        with pytest.raises(ValueError, match=r"^features: expected shape \(n, 3\)"):
            scorer.backward(np.zeros(scorer.n_parameters), bad, np.zeros(2))


@pytest.mark.parametrize("scorer", [bt.LinearScorer(3), bt.MLPScorer(3, 2)], ids=str)
def test_the_features_of_a_single_answer_are_refused_with_advice(scorer) -> None:
    """The message says how to write one answer as a row, and such a row is accepted."""
    one = np.zeros(3)
    with pytest.raises(ValueError, match=r"got \(3,\); write features\[None, :\] for a single answer$"):
        scorer.reward(np.zeros(scorer.n_parameters), one)
    assert scorer.reward(np.zeros(scorer.n_parameters), one[None, :]).shape == (1,)
    with pytest.raises(ValueError, match=r"got \(4,\)$"):  # no advice where it would not help
        scorer.reward(np.zeros(scorer.n_parameters), np.zeros(4))


def test_numbers_that_are_not_items_are_refused() -> None:
    """Item numbers are whole and in range, one for each row; a column of them is accepted."""
    table = bt.TableScorer(3)
    np.testing.assert_array_equal(table.reward([1, 2, 3], np.array([[2], [0]])), [3, 1])
    for bad in (3, -1):
        with pytest.raises(ValueError, match=rf"^features: item {bad} is out of range, expected 0 to 2"):
            table.reward(np.zeros(3), np.array([0, bad]))
    for bad in (np.array([0.0, 1.0]), np.zeros((2, 2), dtype=int), np.array(["a"]), np.array([True])):
        with pytest.raises(ValueError, match=r"^features: expected item numbers"):
            table.reward(np.zeros(3), bad)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "3", True, None])
def test_bad_sizes_are_refused(bad) -> None:
    """Sizes are whole numbers of at least 1, and the message names the one that is not."""
    for name, make in (
        ("n_features", bt.LinearScorer),
        ("n_items", bt.TableScorer),
        ("n_features", bt.MLPScorer),
        ("n_hidden", lambda k: bt.MLPScorer(2, k)),
    ):
        with pytest.raises(ValueError, match=f"^{name}: expected a whole number of at least 1"):
            make(bad)


def test_unknown_activation_is_refused() -> None:
    """The only activations are tanh and relu, and the message names both."""
    with pytest.raises(ValueError, match=r"^activation: expected 'tanh' or 'relu', got 'gelu'"):
        bt.MLPScorer(2, 2, "gelu")
