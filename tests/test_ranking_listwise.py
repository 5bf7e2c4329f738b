"""ListNet, centring, compiled Plackett-Luce, and fits of rankings with every method and scorer."""

from __future__ import annotations

import pickle

import mpmath as mp
import numpy as np
import pytest
from tiers import first

import bradley_terry as bt

SCORERS = [bt.LinearScorer(3), bt.MLPScorer(3, 4), bt.MLPScorer(3, 4, "relu"), bt.TableScorer(6)]
LINEAR = [bt.LinearScorer(3), bt.TableScorer(6)]
LOSSES = [bt.losses.PlackettLuce(), bt.losses.ListNet(), bt.losses.ListNet(2.5)]


def rankings_for(scorer, rng, n=30):
    """Return rankings of 2 to 5 answers in random order; some of the last answers share a rank."""
    sizes = rng.integers(2, 6, n)
    prompts = np.repeat(np.arange(n), sizes)
    ranks = np.concatenate([np.minimum(np.arange(1, k + 1), rng.integers(2, k + 1)) for k in sizes])
    if isinstance(scorer, bt.TableScorer):
        x = np.concatenate([rng.permutation(scorer.n_items)[:k] for k in sizes])
    else:
        x = rng.normal(size=(prompts.size, 3))
    order, w = rng.permutation(prompts.size), rng.uniform(0.5, 2, n)[prompts]
    return bt.PreferenceRankings(x[order], ranks[order], prompts[order], weights=w[order])


def pairs_for(scorer, rng, n=40):
    """Return weighted pairs that the scorer can read."""
    if isinstance(scorer, bt.TableScorer):
        sides = rng.integers(scorer.n_items, size=(2, n))
    else:
        sides = rng.normal(size=(2, n, 3))
    return bt.PreferencePairs(*sides, weights=rng.uniform(0.5, 2, n), labels=rng.uniform(size=n))


# --------------------------------------------------------------------------------------------------- known values


@pytest.mark.parametrize("scale", first(1, [0.3, 1.0, 4.0]))
@pytest.mark.parametrize("size", first(2, [3.0, 1e4, 0.1, 40.0]))
@pytest.mark.parametrize(("k", "m"), [(2, 1), (4, 3), (8, 3)])
def test_list_net_is_the_cross_entropy_of_two_softmaxes(k, m, size, scale, rng) -> None:
    loss = bt.losses.ListNet(scale)
    for rewards in size * rng.normal(size=(5, k)):
        n_choices = np.array([m])
        value, slopes = loss.ranking_losses(rewards[None], n_choices)[0], loss.ranking_slopes(rewards[None], n_choices)
        with mp.workdps(60):
            r = [mp.mpf(float(x)) for x in rewards]
            target = [mp.exp(-scale * min(j, m)) for j in range(k)]
            target = [x / sum(target) for x in target]
            total = sum(mp.exp(x) for x in r)
            want = -sum(t * (x - mp.log(total)) for t, x in zip(target, r, strict=True))
            assert value == pytest.approx(float(want), rel=1e-13)
            for slope, t, x in zip(slopes[0], target, r, strict=True):
                assert slope == pytest.approx(float(mp.exp(x) / total - t), abs=1e-15)


def test_list_net_by_hand() -> None:
    """With equal rewards, the loss is log K for every target; P of ranks 1, 2 at scale 1 is σ(1), σ(-1)."""
    loss, zero = bt.losses.ListNet(), np.zeros((1, 2))
    assert loss.ranking_losses(np.zeros((1, 3)), np.array([2]))[0] == pytest.approx(np.log(3), rel=1e-15)
    assert loss.ranking_slopes(zero, np.array([1]))[0] == pytest.approx([0.5 - bt.sigmoid(1.0), 0.5 - bt.sigmoid(-1.0)])


def test_list_net_of_two_answers_is_a_soft_label(rng) -> None:
    """K = 2: cross-entropy with the label σ(scale) on the better answer."""
    rewards = rng.normal(size=(20, 2)) * 5
    got = bt.losses.ListNet(0.7).ranking_losses(rewards, np.ones(20, dtype=int))
    labels = np.full(20, bt.sigmoid(0.7))
    np.testing.assert_allclose(got, bt.pair_losses(rewards[:, 0] - rewards[:, 1], labels=labels), rtol=1e-13)


def test_list_net_of_a_large_scale_is_a_choice(rng) -> None:
    """As the scale grows, only the best answer counts, which is Plackett-Luce with one choice."""
    rewards, n_choices = rng.normal(size=(20, 5)), np.full(20, 4)
    got = bt.losses.ListNet(800.0).ranking_losses(rewards, n_choices)
    want = bt.losses.PlackettLuce().ranking_losses(rewards, np.ones(20, dtype=int))
    np.testing.assert_allclose(got, want, rtol=1e-13)


def test_list_net_has_the_ranks_as_best_rewards() -> None:
    """Rankings that never contradict each other: the fitted rewards differ by the scale."""
    made = bt.PreferenceRankings([0, 1, 2, 2, 1, 0], [1, 2, 3, 3, 2, 1], [0, 0, 0, 1, 1, 1])
    model = bt.fit(bt.TableScorer(3), made, loss=bt.losses.ListNet(0.6))
    assert model.converged
    np.testing.assert_allclose(model.phi, [0.6, 0.0, -0.6], atol=1e-9)
    assert model.loss == bt.losses.ListNet(0.6)
    with pytest.raises(ValueError, match="expected a loss that is a negative log-likelihood"):
        model.standard_errors()


def test_centring_by_hand() -> None:
    """Rewards 3 and 1, λ = .5: .5·(3 + 1)² = 8 is added, and 2·.5·4 = 4 to the slope of each reward."""
    pairs = bt.PreferencePairs([0], [1])
    phi = np.array([3.0, 1.0])
    plain, centred = bt.Objective(bt.TableScorer(2), pairs), bt.Objective(bt.TableScorer(2), pairs, centring=0.5)
    assert centred(phi)[0] - plain(phi)[0] == pytest.approx(8.0, rel=1e-15)
    np.testing.assert_allclose(centred(phi)[1] - plain(phi)[1], [4.0, 4.0], rtol=1e-15)


# ----------------------------------------------------------------------------------------------------- identities


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_slopes_of_a_ranking_sum_to_zero_except_under_centring(loss, rng) -> None:
    """Only differences of rewards count, unless rewards are centred."""
    made = rankings_for(bt.TableScorer(6), rng, n=1)
    phi = rng.normal(size=6)
    assert bt.Objective(bt.TableScorer(6), made, loss=loss)(phi)[1].sum() == pytest.approx(0, abs=1e-15)
    assert abs(bt.Objective(bt.TableScorer(6), made, loss=loss, centring=0.1)(phi)[1].sum()) > 1e-3


def test_two_doors_to_centring(rng) -> None:
    """Two answers a prompt: centring adds the same to pairs and to rankings."""
    x = rng.normal(size=(20, 3))
    made = bt.PreferenceRankings(x, np.tile([1, 2], 10), np.repeat(np.arange(10), 2))
    for scorer in SCORERS[:3]:
        phi = rng.normal(size=scorer.n_parameters)
        one, other = (bt.Objective(scorer, data, centring=0.7) for data in (made, made.as_pairs()))
        assert one(phi)[0] == pytest.approx(other(phi)[0], rel=1e-13)
        np.testing.assert_allclose(one(phi)[1], other(phi)[1], rtol=1e-10, atol=1e-13)


def test_centring_gives_every_prompt_the_same_zero(rng) -> None:
    """The table's shift is fixed by the penalty, and the differences move less than their errors."""
    pairs = bt.PreferencePairs(rng.integers(0, 3, 400), rng.integers(3, 6, 400), labels=rng.uniform(size=400))
    plain, centred = bt.fit(bt.TableScorer(6), pairs), bt.fit(bt.TableScorer(6), pairs, centring=1e-4)
    assert centred.converged
    np.testing.assert_allclose(centred.phi - centred.phi[0], plain.phi - plain.phi[0], atol=1e-3)
    sums = centred.phi[pairs.chosen] + centred.phi[pairs.rejected]
    assert abs(sums.mean()) < 1e-9  # the derivative of the penalty by a common shift is zero
    np.testing.assert_allclose(centred.standard_errors(0), plain.standard_errors(0), rtol=0.01)


def test_pointwise_pairwise_and_listwise_find_the_same_order(rng) -> None:
    """One data set of 400 rankings of 4 answers: a regression on ranks, pairs, Plackett-Luce and ListNet."""
    truth, x = np.array([1.0, -2.0, 0.5]), rng.normal(size=(400, 4, 3))
    scores = x @ truth + rng.gumbel(size=(400, 4))
    ranks = (-scores).argsort(axis=1).argsort(axis=1) + 1
    made = bt.PreferenceRankings(x.reshape(-1, 3), ranks.ravel(), np.repeat(np.arange(400), 4))
    scorer = bt.LinearScorer(3)
    pointwise = np.linalg.lstsq(made.features, -made.ranks + 2.5, rcond=None)[0]
    fits = [pointwise, bt.fit(scorer, made.as_pairs()).phi, bt.fit(scorer, made).phi]
    fits.append(bt.fit(scorer, made, loss=bt.losses.ListNet()).phi)
    directions = [phi / np.linalg.norm(phi) for phi in [truth, *fits]]
    assert min(directions[0] @ direction for direction in directions) > 0.99
    errors = bt.fit(scorer, made).standard_errors()
    assert (np.abs(fits[2] - truth) < 4 * errors).all()  # only Plackett-Luce has the scale of the truth: Luce's model


# -------------------------------------------------------------------------------------------------------- calculus


@pytest.mark.parametrize("centring", [0.0, 0.3])
@pytest.mark.parametrize("loss", first(2, LOSSES), ids=str)
@pytest.mark.parametrize("scorer", first(2, SCORERS), ids=str)
def test_gradients_of_rankings_are_right(scorer, loss, centring, rng) -> None:
    """Against finite differences and autograd, with both backends; the Hessian, too, if there is one."""
    made, phi = rankings_for(scorer, rng), rng.normal(size=scorer.n_parameters)
    objective = bt.Objective(scorer, made, l2=0.1, loss=loss, centring=centring)
    for against in ("numerical", "autograd"):
        bt.check_gradient(objective, phi, against=against).require()
    if scorer.linear_in_phi:
        bt.check_hessian(objective, phi).require()


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_gradients_of_centred_pairs_are_right(scorer, rng) -> None:
    pairs, phi = pairs_for(scorer, rng), rng.normal(size=scorer.n_parameters)
    objective = bt.Objective(scorer, pairs, l2=0.1, centring=0.3)
    for against in ("numerical", "autograd"):
        bt.check_gradient(objective, phi, against=against).require()
    if scorer.linear_in_phi:
        bt.check_hessian(objective, phi).require()
    compiled = bt.Objective(scorer, pairs, l2=0.1, centring=0.3, backend="numba")(phi)
    np.testing.assert_allclose(compiled[1], objective(phi)[1], rtol=1e-11, atol=1e-13)


@pytest.mark.full
@pytest.mark.parametrize("library", ["torch", "jax"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
def test_gradients_of_rankings_agree_with_autodiff_to_twelve_digits(scorer, loss, library, rng) -> None:
    pytest.importorskip(library)
    from bradley_terry.gradient_check.autodiff import autodiff_gradient, reference_loss

    made, phi = rankings_for(scorer, rng), rng.normal(size=scorer.n_parameters)
    objective = bt.Objective(scorer, made, l2=0.1, loss=loss, centring=0.2)
    want = autodiff_gradient(reference_loss(objective, library), phi, library=library)
    np.testing.assert_allclose(objective(phi)[1], want, rtol=1e-12, atol=1e-12 * np.abs(want).max())


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_product_is_the_hessian_times_the_vector(loss, rng) -> None:
    """The way of conjugate gradients, for thousands of items, which has no matrix."""
    for scorer in LINEAR:
        objective = bt.Objective(scorer, rankings_for(scorer, rng), l2=0.1, loss=loss, centring=0.2)
        phi, v = rng.normal(size=(2, scorer.n_parameters))
        _, times = objective.products(objective.margins(phi))
        np.testing.assert_allclose(times(v), objective.hessian(phi) @ v, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_bound_of_the_curvature_is_one(loss, rng) -> None:
    """For any rewards, the bound minus the second derivative is positive semi-definite (Böhning 1992)."""
    for k, m in [(2, 1), (5, 4), (5, 2)]:
        n_choices = np.array([m])
        j, other = np.triu_indices(k, 1)
        d = np.eye(k)[j] - np.eye(k)[other]
        bound = d.T @ (d * loss.largest_curvatures(k, n_choices)[0][:, None])
        for rewards in rng.normal(size=(20, k)) * rng.choice([0.1, 1, 5], size=(20, 1)):
            h = d.T @ (d * loss.pair_curvatures(rewards[None], n_choices)[0][:, None])
            assert np.linalg.eigvalsh(bound - h).min() > -1e-14


# ------------------------------------------------------------------------------------------------------------ twin


@pytest.mark.parametrize("size", first(1, [5.0, 0.1, 400.0]))
@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.full
def test_compiled_rankings_are_those_of_numpy(scorer, size, rng) -> None:
    """Loss, gradient and margins; 700 rankings fill several blocks."""
    made, phi = rankings_for(scorer, rng, n=700), size * rng.normal(size=scorer.n_parameters)
    points = [bt.Objective(scorer, made, backend=backend).at(phi) for backend in ("numpy", "numba")]
    assert points[1].loss == pytest.approx(points[0].loss, rel=1e-13)
    scale = np.abs(points[0].gradient).max()
    np.testing.assert_allclose(points[1].gradient, points[0].gradient, rtol=1e-11, atol=1e-13 * scale)
    np.testing.assert_allclose(points[1].margins, points[0].margins, rtol=1e-12, atol=1e-12 * size)


@pytest.mark.full
def test_the_kernel_as_plain_python(rng) -> None:
    from bradley_terry.kernels import ranking_blocks, ranking_loss_and_gradient

    rows, phi, n_choices = rng.normal(size=(30, 2)), rng.normal(size=2), np.array([1, 2] * 5)
    shares, rewards = np.full(10, 0.1), np.empty((10, 3))
    loss, gradient = ranking_loss_and_gradient(rows, phi, n_choices, shares, rewards)
    gradients, sums, flat = np.zeros((1, 2)), np.zeros((1, 2)), np.empty(30)  # a sum, and what its rounding lost
    ranking_blocks.py_func(rows, phi, flat, n_choices, shares, np.empty(0), gradients, sums, 0, 1)
    assert sums[0].sum() == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(gradients[0], gradient, rtol=1e-12)
    np.testing.assert_array_equal(flat.reshape(10, 3), rewards)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.full
def test_compiled_rankings_do_not_depend_on_the_number_of_threads(n_threads, rng) -> None:
    made, phi = rankings_for(bt.LinearScorer(3), rng, n=3000), rng.normal(size=3)
    before = bt.kernels.get_threads()
    want = bt.Objective(bt.LinearScorer(3), made, backend="numba")(phi)
    try:
        bt.kernels.set_threads(n_threads)
        got = bt.Objective(bt.LinearScorer(3), made, backend="numba")(phi)
    finally:
        bt.kernels.set_threads(before)
    assert got[0] == want[0]
    np.testing.assert_array_equal(got[1], want[1])


# -------------------------------------------------------------------------------------------------------- learning


def curved(rng, n=300):
    """Rankings whose rewards are x₁² - x₂, which no line can follow."""
    x = rng.normal(size=(n, 4, 2))
    scores = 2 * x[..., 0] ** 2 - x[..., 1] + rng.gumbel(size=(n, 4)) * 0.5
    ranks = (-scores).argsort(axis=1).argsort(axis=1) + 1
    return bt.PreferenceRankings(x.reshape(-1, 2), ranks.ravel(), np.repeat(np.arange(n), 4))


@pytest.mark.full
@pytest.mark.parametrize("loss", [None, bt.losses.ListNet()], ids=str)
def test_an_mlp_learns_a_curve_from_rankings(loss, rng) -> None:
    made = curved(rng)
    training, held_out = made.split(0.3, seed=1)
    line = bt.fit(bt.LinearScorer(2), training, loss=loss)
    net = bt.fit(bt.MLPScorer(2, 16), training, loss=loss, validation=held_out)
    accuracy = [held_out.accuracy(model.reward(held_out.features)) for model in (line, net)]
    assert accuracy[0] < 0.75
    assert accuracy[1] > 0.85


@pytest.mark.parametrize("loss", [None, bt.losses.ListNet()], ids=str)
def test_every_method_finds_the_same_minimum(loss, rng) -> None:
    made = rankings_for(bt.LinearScorer(3), rng)
    newton = bt.fit(bt.LinearScorer(3), made, loss=loss, l2=0.05)
    descent = bt.fit(bt.LinearScorer(3), made, loss=loss, l2=0.05, method="gradient_descent", max_steps=5000)
    assert newton.converged
    assert descent.converged
    np.testing.assert_allclose(descent.phi, newton.phi, atol=1e-6)
    scaled = bt.fit(bt.LinearScorer(3), made, loss=loss, standardise=True)
    np.testing.assert_allclose(scaled.phi, bt.fit(bt.LinearScorer(3), made, loss=loss).phi, rtol=1e-6)


def test_a_fit_of_rankings_is_saved_and_loaded(tmp_path, rng) -> None:
    for loss in (None, bt.losses.ListNet(0.5)):
        model = bt.fit(bt.LinearScorer(3), rankings_for(bt.LinearScorer(3), rng), loss=loss, l2=0.1)
        model.save(tmp_path / "model.npz")
        again = bt.RewardModel.load(tmp_path / "model.npz")
        np.testing.assert_array_equal(again.phi, model.phi)
        assert again.loss == loss


# --------------------------------------------------------------------------------------------------------- manners


def test_parts_of_rankings(rng) -> None:
    made = rankings_for(bt.LinearScorer(3), rng, n=12)
    one, other = made.split(0.25, seed=3)
    assert (len(one), len(other)) == (9, 3)
    assert not {*one.prompts.tolist()} & {*other.prompts.tolist()}
    part = made.subset([4, 0])
    assert part.prompts[0] == np.unique(made.prompts)[0] or len(part) == 2
    objective = bt.Objective(bt.LinearScorer(3), made)
    phi, w = rng.normal(size=3), made.ranking_weights
    shards = [bt.Objective(bt.LinearScorer(3), made.subset([i]))(phi)[0] for i in range(12)]
    assert objective(phi)[0] == pytest.approx(w @ shards / w.sum(), rel=1e-13)
    assert len(made.subset([1, 1])) == 2
    for bad in ([], ["a"], [0.5]):
        with pytest.raises(ValueError, match="index: expected numbers of rankings"):
            made.subset(bad)
    copy = pickle.loads(pickle.dumps(made))  # noqa: S301  # our own bytes
    np.testing.assert_array_equal(copy.features, made.features)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, "1", True, None])
def test_a_centring_that_is_no_strength_is_refused(value) -> None:
    pairs = bt.PreferencePairs([0], [1])
    with pytest.raises(ValueError, match=f"centring: expected a finite number of at least 0, got {value!r}"):
        bt.Objective(bt.TableScorer(2), pairs, centring=value)


@pytest.mark.parametrize("loss", ["hinge", bt.losses.Hinge, bt.losses.PlackettLuce, 3, abs])
def test_something_that_is_no_loss_is_refused(loss) -> None:
    for data in (bt.PreferencePairs([0], [1]), bt.PreferenceRankings([0, 1], [1, 2], [0, 0])):
        with pytest.raises(TypeError, match="loss: expected a loss such as"):
            bt.Objective(bt.TableScorer(2), data, loss=loss)


def test_losses_of_rankings_are_refused_for_pairs() -> None:
    pairs = bt.PreferencePairs([0, 1], [1, 0])
    for loss in LOSSES:
        with pytest.raises(TypeError, match=r"loss: expected a loss of pairs with PreferencePairs, got .*\(.*\)"):
            bt.fit(bt.TableScorer(2), pairs, loss=loss)
    with pytest.raises(ValueError, match="scale: expected a finite number above 0"):
        bt.losses.ListNet(0.0)
    with pytest.raises(ValueError, match="centring: expected 0 for a loss whose parameters are fitted with phi"):
        bt.fit(bt.TableScorer(2), pairs, loss=bt.losses.Davidson(), centring=1.0)


def test_rankings_of_a_cluster_stay_together(rng) -> None:
    """Five prompts with four rankings each: splits, the sandwich and pairs go by prompt."""
    n = 20
    prompts, clusters = np.repeat(np.arange(n), 3), np.repeat(np.arange(n) % 5, 3)
    made = bt.PreferenceRankings(rng.normal(size=(3 * n, 1)), np.tile([1, 2, 3], n), prompts, clusters=clusters)
    one, other = made.split(0.4, seed=2)
    assert (len(one), len(other)) == (12, 8)
    assert not {*one.clusters.tolist()} & {*other.clusters.tolist()}
    assert made.as_pairs().n_prompts == 5
    alone = bt.PreferenceRankings(made.features, made.ranks, prompts)
    fits = [bt.fit(bt.LinearScorer(1), data) for data in (made, alone)]
    by_cluster, by_ranking = (model.standard_errors(kind="sandwich") for model in fits)
    np.testing.assert_allclose(
        by_cluster, fits[1].standard_errors(kind="sandwich", clusters=np.arange(n) % 5), rtol=1e-12
    )
    assert by_cluster != by_ranking
    with pytest.raises(ValueError, match="clusters: expected one cluster for all answers of a ranking, got several"):
        bt.PreferenceRankings([0, 1], [1, 2], [0, 0], clusters=["a", "b"])
    with pytest.raises(ValueError, match=r"clusters: expected shape \(2,\)"):
        bt.PreferenceRankings([0, 1], [1, 2], [0, 0], clusters=["a"])


def test_rankings_are_evaluated_as_pairs() -> None:
    made = bt.PreferenceRankings([0, 1, 1, 0], [1, 2, 1, 2], [0, 0, 1, 1])
    model = bt.fit(bt.TableScorer(2), made)
    for use in (model.evaluate, model.margins, lambda data: bt.calibration.fit_temperature(model, data)):
        with pytest.raises(TypeError, match=r"pairs: expected PreferencePairs, got PreferenceRankings.*as_pairs"):
            use(made)
    assert model.evaluate(made.as_pairs()).accuracy == 0.5
