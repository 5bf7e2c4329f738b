"""The sandwich: standard errors that stay right where pairs of a prompt depend on each other."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from tiers import first

import bradley_terry as bt
from bradley_terry import evaluation, losses
from bradley_terry.fitting import conjugate
from bradley_terry.ranking import Davidson, Ordinal, RaoKupper
from bradley_terry.uncertainty import scores


def brute_force(model, pairs, clusters=None, loss=None):
    """Return H⁻¹ (G/(G - 1)·Σ s_g s_gᵀ) H⁻¹ from the gradient of one objective for each cluster."""
    labels = np.asarray(pairs.prompt_index if clusters is None else clusters)
    names = np.unique(labels)
    total = np.zeros((model.phi.size,) * 2)
    for name in names:
        part = pairs.subset(labels == name)
        s = bt.Objective(model.scorer, part, loss=loss)(model.phi)[1] * part.total_weight
        total += np.outer(s, s)
    inverse = np.linalg.pinv(model.information, rcond=1e-9, hermitian=True)
    return inverse @ total @ inverse * len(names) / (len(names) - 1)


def voted(rng, n=120, k=3, **more):
    """Return pairs of features with clear choices that contradict each other often enough for a finite fit."""
    a, b = rng.normal(size=(2, n, k))
    first = rng.uniform(size=n) < 1 / (1 + np.exp(-(a - b)[:, 0]))
    return bt.PreferencePairs(
        np.where(first[:, None], a, b), np.where(first[:, None], b, a), prompts=rng.integers(30, size=n), **more
    )


# ---------------------------------------------------------------------------------------------------- known value


def test_sandwich_of_two_items_is_the_cluster_variance_of_a_share() -> None:
    """With two items φ is logit p̂, so its variance is Σ_g (Σ_{i in g} (y - p̂))² G/(G - 1) / (n p̂ q̂)²."""
    prompts = np.repeat([0, 1, 2, 3], 3)
    wins = np.array([1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0, 1])
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs(1 - wins, wins, prompts=prompts))
    p = wins.mean()
    spread = sum((wins[prompts == g] - p).sum() ** 2 for g in range(4)) * 4 / 3
    want = np.sqrt(spread) / (12 * p * (1 - p))
    assert model.standard_errors(0, kind="sandwich")[1] == pytest.approx(want, rel=1e-9)
    assert model.standard_errors(1, kind="sandwich")[1] == 0
    np.testing.assert_allclose(model.standard_errors(kind="sandwich"), want / 2, rtol=1e-9)


def test_sandwich_of_two_weighted_items_reads_a_weight_as_equal_votes_of_one_prompt() -> None:
    """A pair of weight 3 is three equal votes that depend on each other; with "votes" they are independent."""
    w, wins = np.array([3.0, 2, 1, 2, 4]), np.array([1, 0, 1, 1, 0])
    model = bt.fit(bt.TableScorer(2), bt.PreferencePairs(1 - wins, wins, weights=w))
    p = (w @ wins) / w.sum()
    bread = w.sum() * p * (1 - p)
    as_prompts = np.sqrt(np.sum((w * (wins - p)) ** 2) * 5 / 4) / bread
    as_votes = np.sqrt(np.sum(w * (wins - p) ** 2) * 12 / 11) / bread
    assert model.standard_errors(0, kind="sandwich")[1] == pytest.approx(as_prompts, rel=1e-9)
    assert model.standard_errors(0, kind="sandwich", clusters="votes")[1] == pytest.approx(as_votes, rel=1e-9)


# ------------------------------------------------------------------------------------------------------- identity

LOSSES = {
    "default": (None, {}),
    "labels": (None, {"labels": True}),
    "target margins": (None, {"target_margins": True}),
    "weights": (None, {"weights": True, "labels": True}),
    "smoothing": (losses.LabelSmoothing(0.1), {}),
    "robust": (losses.Robust(0.1), {"labels": True}),
    "temperature": (losses.Temperature(2.0), {"weights": True}),
    "scaled": (losses.Scaled(), {"target_margins": True}),
    "square": (losses.Square(1.0), {}),
    "exponential": (losses.Exponential(), {"weights": True}),
    "probit": (losses.Probit(), {}),
    "known tie": (RaoKupper(0.4), {}),
}


@pytest.mark.parametrize("name", first(5, LOSSES))
@pytest.mark.parametrize("scorer", first(2, ["linear", "table", "one-hot of our own"]))
def test_sandwich_is_the_sum_over_prompts_of_outer_products(name, scorer, rng) -> None:
    """For any loss that bends, with weights, labels, margins and a penalty, and for another grouping of the pairs."""
    loss, has = LOSSES[name]
    n = 150
    more = {"prompts": rng.integers(40, size=n)}
    more |= {"weights": rng.integers(0, 4, n) + 0.5} if "weights" in has else {}
    more |= {"labels": rng.choice([0.0, 0.5, 1, 0.8], n)} if "labels" in has else {}
    more |= {"target_margins": rng.uniform(0, 1, n)} if "target_margins" in has else {}
    if scorer == "linear":
        pairs, made = bt.PreferencePairs(*rng.normal(size=(2, n, 3)), **more), bt.LinearScorer(3)
    else:
        i = rng.integers(6, size=n)
        pairs = bt.PreferencePairs(i, (i + rng.integers(1, 6, n)) % 6, **more)
        made = bt.TableScorer(6) if scorer == "table" else OwnTable(6)
    for l2 in (0.01, 0.0)[: 1 if scorer.startswith("one-hot") else 2]:
        model = bt.fit(made, pairs, loss=loss, l2=l2)
        column = rng.permutation(n) % 23
        for clusters in (None, column):
            got = model.covariance(kind="sandwich", clusters=clusters)
            want = brute_force(model, pairs, clusters, loss)
            if scorer == "table" and l2:  # the brute force inverts what l2 adds for the mean as well
                want = want - want.mean(axis=0) - want.mean(axis=1, keepdims=True) + want.mean()
            np.testing.assert_allclose(got, want, atol=1e-10 * np.abs(want).max())  # rounding of inverses
            errors = model.standard_errors(kind="sandwich", clusters=clusters)
            np.testing.assert_allclose(errors**2, np.diag(got), rtol=1e-12)
        without = bt.fit(made, replace(pairs, prompts=None), loss=loss, l2=l2)
        one_each = model.covariance(kind="sandwich", clusters=np.arange(n))
        np.testing.assert_allclose(without.covariance(kind="sandwich"), one_each, rtol=1e-7, atol=1e-12)


class OwnTable(bt.TableScorer):
    """A scorer that is linear in φ, of which the package knows only the protocol."""


def test_sandwich_of_a_table_in_other_identifications(rng) -> None:
    """Variances of differences are the same whichever item is the reference, and so are contrasts."""
    i = rng.integers(5, size=200)
    pairs = bt.PreferencePairs(i, (i + rng.integers(1, 5, 200)) % 5, prompts=rng.integers(50, size=200))
    model = bt.fit(bt.TableScorer(5), pairs)
    found = [model.covariance(k, kind="sandwich") for k in (None, 0, 3)]
    spread = [np.diag(c)[:, None] + np.diag(c) - 2 * c for c in found]
    for other in spread[1:]:
        np.testing.assert_allclose(other, spread[0], atol=1e-13)
    np.testing.assert_allclose(found[1][0], 0, atol=1e-16)
    errors = model.standard_errors(3, kind="sandwich", items=[0, 3, 4])
    np.testing.assert_allclose(errors**2, np.diag(found[2])[[0, 3, 4]], rtol=1e-12)


def test_sandwich_does_not_depend_on_the_units_of_a_standardised_fit(rng) -> None:
    """With l2 > 0 and standardise=True, errors of weights are those of the standardised features over their scale."""
    pairs = voted(rng)
    scale = np.array([1e-3, 1, 1e4])
    wide = replace(pairs, chosen=pairs.chosen * scale, rejected=pairs.rejected * scale)
    a = bt.fit(bt.LinearScorer(3), pairs, standardise=True, l2=0.1)
    b = bt.fit(bt.LinearScorer(3), wide, standardise=True, l2=0.1)
    for kind in ("sandwich", "information"):
        np.testing.assert_allclose(b.standard_errors(kind=kind) * scale, a.standard_errors(kind=kind), rtol=1e-7)
    boot = [m.standard_errors(kind="bootstrap", n_bootstrap=20) for m in (a, b)]
    np.testing.assert_allclose(boot[1] * scale, boot[0], rtol=1e-6)


def test_repeating_every_vote_of_a_prompt_changes_nothing(rng) -> None:
    """Copies of a prompt's votes are no new information: the sandwich stays, the information's errors shrink by √3."""
    pairs = voted(rng)
    rows = np.repeat(np.arange(len(pairs)), 3)
    once, thrice = (bt.fit(bt.LinearScorer(3), each) for each in (pairs, pairs.subset(rows)))
    np.testing.assert_allclose(
        thrice.standard_errors(kind="sandwich"), once.standard_errors(kind="sandwich"), rtol=1e-7
    )
    np.testing.assert_allclose(thrice.standard_errors() * np.sqrt(3), once.standard_errors(), rtol=1e-7)
    weighted = bt.fit(bt.LinearScorer(3), replace(pairs, weights=np.full(len(pairs), 3.0)))
    np.testing.assert_allclose(
        weighted.standard_errors(kind="sandwich"), once.standard_errors(kind="sandwich"), rtol=1e-7
    )


def test_votes_of_whole_weights_are_repeated_rows(rng) -> None:
    """With clusters="votes" a row of weight 3 is three rows of prompts of their own; with labels, too."""
    w = rng.integers(1, 5, 80)
    c, r = rng.normal(size=(2, 80, 3))
    t, rows = rng.uniform(size=80), np.repeat(np.arange(80), w)
    for loss in (None, losses.Square(1.0)):
        weighted = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(c, r, weights=w, labels=t), loss=loss)
        repeated = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(c[rows], r[rows], labels=t[rows]), loss=loss)
        np.testing.assert_allclose(
            weighted.standard_errors(kind="sandwich", clusters="votes"),
            repeated.standard_errors(kind="sandwich"),
            rtol=1e-7,
        )


def test_pairs_of_weight_zero_are_no_prompts(rng) -> None:
    """A prompt whose pairs all have weight 0 changes neither the sum nor the number of prompts."""
    pairs = voted(rng)
    keep = pairs.prompt_index < 20
    zero = bt.fit(bt.LinearScorer(3), replace(pairs, weights=keep.astype(float)))
    few = bt.fit(bt.LinearScorer(3), pairs.subset(keep))
    for kind in ("sandwich", "information"):
        np.testing.assert_allclose(zero.standard_errors(kind=kind), few.standard_errors(kind=kind), rtol=1e-7)


FREE = {"Rao-Kupper": RaoKupper(), "Davidson": Davidson(), "Ordinal": Ordinal(4)}


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("votes", [False, True])
def test_sandwich_allows_for_fitted_parameters_of_the_loss(name, votes, rng, differences) -> None:
    """It is the φφ block of the sandwich in (φ, θ), computed here from differences of the joint loss."""
    n, free = 240, FREE[name]
    a, b = rng.normal(size=(2, n, 2))
    z = (a - b) @ [1.0, -0.5] + rng.logistic(size=n)
    cuts = [-1, 0, 1.5] if name == "Ordinal" else [-0.5, 0.5]
    labels = np.digitize(z, cuts) / len(cuts)
    w = rng.integers(1, 4, n).astype(float)
    pairs = bt.PreferencePairs(a, b, labels=labels, weights=w, prompts=rng.integers(60, size=n))
    model = bt.fit(bt.LinearScorer(2), pairs, loss=free)
    fitted = model.loss
    theta = {
        "Rao-Kupper": lambda: [fitted.eta],
        "Davidson": lambda: [np.log(fitted.nu)],
        "Ordinal": lambda: list(fitted.thresholds),
    }[name]()

    def each(x):  # the loss of each pair
        return free.with_parameters(x[2:]).value((a - b) @ x[:2], labels)

    best = np.append(model.phi, theta)
    slopes = differences(each, best)  # (n, 2 + k)
    h = differences(lambda x: w @ differences(each, x), best)
    clusters = np.arange(n) if votes else pairs.prompt_index
    scale = np.sqrt(w) if votes else w
    s = np.stack([np.bincount(clusters, scale * column) for column in slopes.T], axis=1)
    n_clusters = w.sum() if votes else len(s)
    inverse = np.linalg.inv(h)
    want = (inverse @ (s.T @ s) @ inverse * n_clusters / (n_clusters - 1))[:2, :2]
    got = model.covariance(kind="sandwich", clusters="votes" if votes else None)
    np.testing.assert_allclose(got, want, rtol=1e-5)  # differences of differences: eps/h² is about 1e-8 of the loss
    np.testing.assert_allclose(model.covariance(), inverse[:2, :2], rtol=1e-5)


def test_sandwich_with_a_fitted_tie_does_not_depend_on_units(rng) -> None:
    """Standardising features of different sizes changes neither kind of errors, with η fitted or given."""
    a, b = rng.normal(size=(2, 200, 2)) * [100, 0.01]
    pairs = bt.PreferencePairs(a, b, labels=rng.choice([0, 0.5, 1], 200))
    for loss in (RaoKupper(), RaoKupper(0.5)):
        plain, scaled = (bt.fit(bt.LinearScorer(2), pairs, loss=loss, standardise=s) for s in (False, True))
        for kind in ("information", "sandwich"):
            np.testing.assert_allclose(scaled.standard_errors(kind=kind), plain.standard_errors(kind=kind), rtol=1e-6)


def test_sandwich_of_rankings_has_one_cluster_for_each_ranking(rng) -> None:
    """The scores are gradients of one ranking each; sizes may differ, and a column can join rankings."""
    sizes = rng.integers(2, 6, 60)
    prompts = np.repeat(np.arange(60), sizes)
    ranks = np.concatenate([rng.permutation(k) + 1 for k in sizes])
    weights = np.repeat(rng.integers(1, 4, 60), sizes).astype(float)
    x = rng.normal(size=(prompts.size, 2))
    items = np.concatenate([rng.permutation(7)[:k] for k in sizes])
    column = np.arange(60) % 25
    for scorer, features in ((bt.LinearScorer(2), x), (bt.TableScorer(7), items)):
        rankings = bt.PreferenceRankings(features, ranks, prompts, weights=weights)
        model = bt.fit(scorer, rankings)
        s = []
        for g in range(60):
            of_g = prompts == g
            one = bt.PreferenceRankings(features[of_g], ranks[of_g], prompts[of_g], weights=weights[of_g])
            s.append(bt.Objective(scorer, one)(model.phi)[1] * one.total_weight)
        inverse = np.linalg.pinv(model.information, rcond=1e-9, hermitian=True)
        for labels, clusters in ((np.arange(60), None), (column, column)):
            sums = np.array([np.sum(np.array(s)[labels == g], axis=0) for g in np.unique(labels)])
            want = inverse @ sums.T @ sums @ inverse * len(sums) / (len(sums) - 1)
            got = model.covariance(kind="sandwich", clusters=clusters)
            np.testing.assert_allclose(got, want, atol=1e-10 * np.abs(want).max())


def test_rankings_of_two_are_pairs_in_every_kind(rng) -> None:
    """K = 2 is Bradley-Terry: the sandwich and the bootstrap agree with those of the pairs."""
    pairs = replace(voted(rng), prompts=None)
    x = np.stack([pairs.chosen, pairs.rejected], axis=1).reshape(-1, 3)
    rankings = bt.PreferenceRankings(x, np.tile([1, 2], len(pairs)), np.repeat(np.arange(len(pairs)), 2))
    two, one = bt.fit(bt.LinearScorer(3), rankings), bt.fit(bt.LinearScorer(3), pairs)
    for options in ({"kind": "sandwich"}, {"kind": "sandwich", "clusters": "votes"}, {"kind": "bootstrap"}):
        more = {"n_bootstrap": 10} if options["kind"] == "bootstrap" else {}
        np.testing.assert_allclose(
            two.standard_errors(**options, **more), one.standard_errors(**options, **more), rtol=1e-6
        )
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)


# ----------------------------------------------------------------------------------------------------------- twin


@pytest.mark.parametrize("numbers", [1, 7, 64, 100_000])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_sandwich_does_not_depend_on_the_size_of_the_blocks(numbers, is_sorted, rng, monkeypatch) -> None:
    """Clusters that go on in the next block, in mapped order or not, are summed once."""
    pairs = voted(rng)
    prompts = np.sort(pairs.prompts) if is_sorted else pairs.prompts
    pairs = replace(pairs, prompts=prompts)
    model = bt.fit(bt.LinearScorer(3), pairs)
    monkeypatch.setattr(scores, "NUMBERS", numbers)
    want = brute_force(model, pairs)
    np.testing.assert_allclose(model.covariance(kind="sandwich"), want, atol=1e-12 * np.abs(want).max())
    i = rng.integers(30, size=400)
    items = bt.PreferencePairs(i, (i + rng.integers(1, 30, 400)) % 30, prompts=np.arange(400) // 10, labels=[0.5] * 400)
    table = bt.fit(bt.TableScorer(30), items)
    monkeypatch.setattr(scores, "FEW", 2 if is_sorted else 100)
    want = brute_force(table, items)
    np.testing.assert_allclose(table.covariance(kind="sandwich"), want, atol=1e-11 * max(np.abs(want).max(), 1e-3))


def test_sandwich_of_mapped_pairs_reads_blocks(tmp_path, rng, monkeypatch) -> None:
    """15,000 mapped pairs of 60 features have 7 MB of differences; the sandwich takes far less memory than they do."""
    n, k = 15_000, 60
    for name in ("chosen", "rejected"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(n, k)))
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("chosen", "rejected")]
    pairs = bt.PreferencePairs(*mapped, prompts=np.arange(n) // 2)
    model = bt.fit(bt.LinearScorer(k), pairs)
    want = model.standard_errors(kind="sandwich")
    monkeypatch.setattr(scores, "NUMBERS", 20_000)
    monkeypatch.setattr(evaluation, "blocks_of", lambda x: (slice(i, i + 500) for i in range(0, len(x), 500)))
    tracemalloc.start()
    got = model.standard_errors(kind="sandwich")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(got, want, rtol=1e-10)
    assert peak < n * k * 8 / 3


def test_sandwich_without_a_matrix_solves_for_each_item(rng, monkeypatch) -> None:
    """As with thousands of items: with no matrix, the errors of some items are those of the dense formula."""
    i = rng.integers(40, size=900)
    items = bt.PreferencePairs(i, (i + rng.integers(1, 40, 900)) % 40, prompts=rng.integers(99, size=900))
    features = replace(voted(rng, 300), prompts=rng.integers(99, size=300))
    for scorer, pairs, loss in (
        (bt.TableScorer(40), items, None),
        (bt.TableScorer(40), items, losses.Temperature(2.0)),
        (bt.LinearScorer(3), features, None),
    ):
        monkeypatch.undo()
        dense = bt.fit(scorer, pairs, loss=loss)
        monkeypatch.setattr(conjugate, "DENSE", 2)
        model = bt.fit(scorer, pairs, loss=loss)
        assert model.information is None
        with pytest.raises(ValueError, match=r"^standard errors: expected the arguments items and pairs"):
            model.covariance(kind="sandwich")
        for reference in (None, 1)[: 2 if pairs.is_items else 1]:
            for kind in ("sandwich", "information"):
                got = model.standard_errors(reference, kind=kind, items=[2, 0], pairs=pairs)
                want = np.sqrt(np.diag(dense.covariance(reference, kind=kind))[[2, 0]])
                np.testing.assert_allclose(got, want, rtol=1e-6)


# -------------------------------------------------------------------------------------------------------- manners


def test_models_remember_their_pairs_in_memory_only(tmp_path, rng) -> None:
    """A model right after its fit needs no pairs; a saved one does, says so, and then gives the same numbers."""
    pairs = voted(rng)
    model = bt.fit(bt.LinearScorer(3), pairs, validation=0.2)
    assert model.fitted_to.pairs.n_prompts < pairs.n_prompts  # those that were not held out
    assert "fitted_to" not in repr(model)
    model.save(tmp_path / "model.npz")
    again = bt.RewardModel.load(tmp_path / "model.npz")
    assert again.fitted_to is None
    for kind in ("sandwich", "bootstrap"):
        with pytest.raises(ValueError, match=r"^pairs: expected the pairs of the fit for this kind"):
            again.standard_errors(kind=kind)
        of_fit = model.fitted_to.pairs
        np.testing.assert_array_equal(
            again.standard_errors(kind=kind, pairs=of_fit, n_bootstrap=5),
            model.standard_errors(kind=kind, n_bootstrap=5),
        )
        with pytest.raises(ValueError, match=r"^pairs: expected the pairs of the fit, got others"):
            again.standard_errors(kind=kind, pairs=pairs.subset(np.arange(60)))
    mlp = bt.fit(bt.MLPScorer(3, 2), pairs, max_steps=1, method="gradient_descent")
    assert mlp.fitted_to is None
    tied = bt.fit(bt.LinearScorer(3), replace(pairs, labels=rng.choice([0, 0.5, 1], len(pairs))), loss=RaoKupper())
    tied.save(tmp_path / "tied.npz")
    with pytest.raises(ValueError, match=r"^pairs: expected None and a model that comes from fit for RaoKupper"):
        bt.RewardModel.load(tmp_path / "tied.npz").standard_errors(kind="sandwich", pairs=pairs)


def test_bad_options_are_refused_in_one_sentence(rng) -> None:
    """Wrong kinds, clusters and losses are named."""
    pairs = voted(rng)
    model = bt.fit(bt.LinearScorer(3), pairs)
    sandwich = {"kind": "sandwich"}
    for options, message in (
        ({"kind": "robust"}, r"^kind: expected one of information, sandwich, bootstrap, got 'robust'"),
        ({"clusters": pairs.prompts}, r"^clusters: expected None for kind='information'"),
        ({"kind": "sandwich", "clusters": "prompts"}, r"^clusters: expected one label for each pair, or 'votes'"),
        (sandwich | {"clusters": [1, 2, 3]}, r"^clusters: expected shape \(120,\), one name for each pair, got \(3,\)"),
        (sandwich | {"clusters": np.zeros(120)}, r"^clusters: expected at least two prompts or clusters"),
        (sandwich | {"clusters": [None] * 120}, r"^clusters: expected a name for each pair, got None or NaN"),
        (sandwich | {"clusters": np.arange(120) % 3}, r"^clusters: expected more prompts or clusters than the 3 free"),
    ):
        for call in (model.standard_errors, model.covariance, model.intervals):
            with pytest.raises(ValueError, match=message):
                call(**options)
    for kind in ("information", "sandwich", "bootstrap"):
        for call in (model.standard_errors, model.covariance):
            with pytest.raises(ValueError, match=r"^reference: expected None for LinearScorer"):
                call(0, kind=kind)
    with pytest.raises(TypeError, match=r"^pairs: expected PreferencePairs, got list"):
        model.standard_errors(kind="sandwich", pairs=[1])
    with pytest.raises(ValueError, match=r"^clusters: expected weights that are whole numbers for 'votes', got 0.5"):
        bt.fit(bt.LinearScorer(3), replace(pairs, weights=np.full(120, 0.5))).covariance(
            kind="sandwich", clusters="votes"
        )
    square = bt.fit(bt.LinearScorer(3), pairs, loss=losses.Square(1.0))
    with pytest.raises(ValueError, match=r"^standard errors: .*negative log-likelihood, got Square.*; use kind='sand"):
        square.standard_errors()
    hinge = bt.fit(bt.LinearScorer(3), pairs, loss=losses.Hinge(), l2=0.1, max_steps=5)
    for kind in ("information", "sandwich", "bootstrap"):
        with pytest.raises(ValueError, match=r"^standard errors: expected"):
            hinge.standard_errors(kind=kind)
        with pytest.raises(ValueError, match=r"^standard errors: expected a scorer that is linear in phi"):
            bt.fit(bt.MLPScorer(3, 2), pairs, max_steps=1).standard_errors(kind=kind)


# ------------------------------------------------------------------------------------------------------- penalties


@pytest.mark.parametrize("items", [True, False])
def test_centring_adds_to_the_information_but_not_to_the_scores(items, rng) -> None:
    """The sandwich of a centred fit is H⁻¹ M H⁻¹ with H of the whole objective; the bootstrap has about its size."""
    if items:
        i = rng.integers(5, size=400)
        pairs, scorer = bt.PreferencePairs(i, (i + rng.integers(1, 5, 400)) % 5), bt.TableScorer(5)
    else:
        pairs, scorer = replace(voted(rng, 300), prompts=None), bt.LinearScorer(3)
    model = bt.fit(scorer, pairs, centring=0.3, l2=0.01)
    objective = bt.Objective(scorer, pairs, centring=0.3, l2=0.01)
    inverse = np.linalg.inv(objective.hessian(model.phi) * len(pairs))
    want = brute_force(replace(model, information=np.linalg.inv(inverse)), pairs)
    centre = np.eye(5) - 0.2 if items else np.eye(3)
    got = model.covariance(kind="sandwich")
    np.testing.assert_allclose(got, centre @ want @ centre, atol=1e-10 * np.abs(want).max())
    bootstrap = model.standard_errors(kind="bootstrap", n_bootstrap=60)
    np.testing.assert_allclose(bootstrap, np.sqrt(np.diag(got)), rtol=4 / np.sqrt(120) + 0.05)
    unpenalised = bt.fit(scorer, pairs, centring=0.3)
    with pytest.raises(
        ValueError, match=r"^aic: expected a fit that maximises the likelihood alone, got one with cent"
    ):
        _ = unpenalised.aic
    reduced = replace(unpenalised, fitted_to=unpenalised.fitted_to._replace(centring=0.0, bias_reduced=True))
    with pytest.raises(ValueError, match=r"^aic: expected a fit that maximises .* got one with bias_reduced=True"):
        _ = reduced.aic
    with pytest.raises(ValueError, match=r"^kind: expected information or sandwich after a fit with bias_reduced=True"):
        reduced.standard_errors(kind="bootstrap")


def test_sandwich_and_bootstrap_of_list_net(rng) -> None:
    """A loss that is no likelihood has no information errors, but a sandwich, of about the bootstrap's size."""
    ranks = np.concatenate([rng.permutation(4) + 1 for _ in range(150)])
    prompts = np.repeat(np.arange(150), 4)
    x = rng.normal(size=(600, 2))
    rankings = bt.PreferenceRankings(x, ranks, prompts)
    loss = losses.ListNet()
    model = bt.fit(bt.LinearScorer(2), rankings, loss=loss)
    with pytest.raises(
        ValueError, match=r"^standard errors: expected a loss that is a negative log-likelihood, got List"
    ):
        model.standard_errors()
    s = []
    for g in range(150):
        one = bt.PreferenceRankings(x[prompts == g], ranks[prompts == g], prompts[prompts == g])
        s.append(bt.Objective(model.scorer, one, loss=loss)(model.phi)[1])
    inverse = np.linalg.inv(model.information)
    want = inverse @ np.array(s).T @ np.array(s) @ inverse * 150 / 149
    np.testing.assert_allclose(model.covariance(kind="sandwich"), want, rtol=1e-9)
    bootstrap = model.standard_errors(kind="bootstrap", n_bootstrap=60)
    np.testing.assert_allclose(bootstrap, np.sqrt(np.diag(want)), rtol=4 / np.sqrt(120) + 0.05)


def test_rankings_without_a_matrix_solve_for_each_item(rng, monkeypatch) -> None:
    """As with thousands of items: the errors of some items are those of the dense formula."""
    items = np.concatenate([rng.permutation(12)[:4] for _ in range(200)])
    ranks = np.concatenate([rng.permutation(4) + 1 for _ in range(200)])
    rankings = bt.PreferenceRankings(items, ranks, np.repeat(np.arange(200), 4))
    dense = bt.fit(bt.TableScorer(12), rankings)
    monkeypatch.setattr(conjugate, "DENSE", 2)
    model = bt.fit(bt.TableScorer(12), rankings)
    assert model.information is None
    for kind in ("sandwich", "information"):
        got = model.standard_errors(3, kind=kind, items=[2, 0], pairs=rankings)
        want = np.sqrt(np.diag(dense.covariance(3, kind=kind))[[2, 0]])
        np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("options", [{"centring": 0.3}, {"bias_reduced": True}], ids=str)
def test_errors_without_a_matrix_know_how_the_model_was_fitted(options, rng) -> None:
    """Solving a system for each item gives the diagonal of the inverse information, with centring too."""
    x = rng.normal(size=(80, 2))
    pairs = bt.PreferencePairs(x, 0 * x, labels=rng.integers(2, size=80).astype(float))
    model = bt.fit(bt.LinearScorer(2), pairs, **options)
    np.testing.assert_allclose(model.standard_errors(pairs=pairs), model.standard_errors(), rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-280, 1e-170, 1e-160, 1e155, 1e170])
def test_the_scale_of_the_weights_cancels(scale) -> None:
    """H⁻¹JH⁻¹ has the weights twice above and twice below the line, also where their squares are no float64."""
    pairs = bt.datasets.travel_modes()
    weights = np.random.default_rng(0).random(len(pairs)) + 0.5
    usual, scaled = (
        bt.fit(bt.LinearScorer(6), replace(pairs, weights=weights * s)).standard_errors(kind="sandwich")
        for s in (1.0, scale)
    )
    np.testing.assert_allclose(scaled, usual, rtol=1e-9)


def test_a_level_that_rounds_to_certainty_is_refused() -> None:
    """There is no finite quantile."""
    model = bt.fit(bt.LinearScorer(6), bt.datasets.travel_modes())
    with pytest.raises(ValueError, match=r"^level: expected a share between 0 and 1"):
        model.intervals(np.nextafter(1, 0))


@pytest.mark.parametrize("reference", ["a", 1.0, None, [0]])
def test_a_reference_is_an_item(reference) -> None:
    """Anything but a whole number is refused by name; None is no reference."""
    information = np.array([[1.0, -1.0], [-1.0, 1.0]])
    if reference is None:
        assert bt.inference.covariance(bt.TableScorer(2), information).shape == (2, 2)
        return
    with pytest.raises(ValueError, match=r"^reference: expected an item from 0 to 1, got"):
        bt.inference.covariance(bt.TableScorer(2), information, reference=reference)
