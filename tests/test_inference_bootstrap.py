"""The bootstrap of φ: fits to resampled prompts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import losses
from bradley_terry.ranking import RaoKupper


def votes(rng, n=300, k=2, per_prompt=3):
    a, b = rng.normal(size=(2, n, k))
    first = rng.uniform(size=n) < 1 / (1 + np.exp(-(a - b)[:, 0]))
    return bt.PreferencePairs(
        np.where(first[:, None], a, b), np.where(first[:, None], b, a), prompts=np.arange(n) // per_prompt
    )


@pytest.mark.full
def test_bootstrap_of_two_items_is_the_spread_of_logits_of_binomial_shares() -> None:
    """With two items, φ of a resample is logit(Binomial(n, p̂)/n); the tolerance is 4 standard errors of a spread."""
    wins, n, b = 60, 100, 400
    pairs = bt.PreferencePairs(*np.where(np.arange(n) < wins, [[0], [1]], [[1], [0]]))
    got = bt.fit(bt.TableScorer(2), pairs).standard_errors(1, kind="bootstrap", n_bootstrap=b)[0]
    k = np.arange(1, n)
    log_odds = np.log(k / (n - k))
    log_p = np.array([sum(np.log(np.arange(n - j + 1, n + 1) / np.arange(1, j + 1))) for j in k])
    p = np.exp(log_p + k * np.log(0.6) + (n - k) * np.log(0.4))
    want = np.sqrt(p @ log_odds**2 - (p @ log_odds) ** 2)
    assert got == pytest.approx(want, rel=4 / np.sqrt(2 * b))


@pytest.mark.full
def test_bootstrap_agrees_with_the_sandwich_where_there_are_many_prompts(rng) -> None:
    """Its errors are within 4 standard errors of a spread, 1/√(2 B), of the sandwich; both exceed the information's."""
    one = votes(rng, 200, per_prompt=1)
    pairs = one.subset(np.repeat(np.arange(200), 3))  # three equal votes for each prompt
    model = bt.fit(bt.LinearScorer(2), pairs)
    bootstrap = model.standard_errors(kind="bootstrap", n_bootstrap=300)
    np.testing.assert_allclose(bootstrap, model.standard_errors(kind="sandwich"), rtol=4 / np.sqrt(600) + 0.03)
    assert (bootstrap > 1.4 * model.standard_errors()).all()


def test_bootstrap_is_decided_by_its_seed(rng) -> None:
    """The same seed gives the same numbers, in all methods; no global random state is read or changed."""
    model = bt.fit(bt.LinearScorer(2), votes(rng))
    options = {"kind": "bootstrap", "n_bootstrap": 10}
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    first = model.standard_errors(**options, seed=1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_array_equal(model.standard_errors(**options, seed=1), first)
    assert (model.standard_errors(**options, seed=2) != first).all()
    np.testing.assert_allclose(np.sqrt(np.diag(model.covariance(**options, seed=1))), first, rtol=1e-12)
    low, high = model.intervals(**options, seed=1).T
    np.testing.assert_allclose((high - low) / 2, 1.959963984540054 * first, rtol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("case", ["table", "linear", "standardised", "loss", "rankings", "ranked table", "votes"])
def test_bootstrap_takes_everything_that_newton_fits(case, rng) -> None:
    """Its errors are finite and of the size of the sandwich's, for tables, penalties, losses and rankings."""
    options = {}
    if case in ("table", "votes"):
        i = np.repeat(np.arange(5), 80)
        pairs = bt.PreferencePairs(i, (i + rng.integers(1, 5, 400)) % 5)
        if case == "votes":
            pairs, options = replace(pairs, weights=rng.integers(1, 3, 400)), {"clusters": "votes"}
        model = bt.fit(bt.TableScorer(5), pairs)
    elif "rank" in case:
        ranks = np.concatenate([rng.permutation(4) + 1 for _ in range(150)])
        x = np.tile(np.arange(4), 150) if "table" in case else rng.normal(size=(600, 2))
        scorer = bt.TableScorer(4) if "table" in case else bt.LinearScorer(2)
        model = bt.fit(scorer, bt.PreferenceRankings(x, ranks, np.repeat(np.arange(150), 4)))
    else:
        more = {"standardised": {"standardise": True, "l2": 0.1}, "loss": {"loss": losses.Probit()}}.get(case, {})
        pairs = votes(rng)
        wide = replace(pairs, chosen=1e3 * pairs.chosen, rejected=1e3 * pairs.rejected)
        model = bt.fit(bt.LinearScorer(2), wide if case == "standardised" else pairs, **more)
    errors = model.standard_errors(kind="bootstrap", n_bootstrap=100, **options)
    np.testing.assert_allclose(errors, model.standard_errors(kind="sandwich", **options), rtol=4 / np.sqrt(200) + 0.05)
    if isinstance(model.scorer, bt.TableScorer):
        assert model.standard_errors(1, kind="bootstrap", n_bootstrap=5, **options)[1] == 0
        c = model.covariance(kind="bootstrap", n_bootstrap=20, **options)
        np.testing.assert_allclose(c.sum(axis=0), 0, atol=1e-14)


@pytest.mark.full
def test_resamples_without_a_finite_fit_are_counted_and_refused(rng) -> None:
    """One loss that often is not drawn, islands, a rare feature: one sentence counts them; l2 > 0 is the way out."""
    i, j = np.array([0] * 20 + [1]), np.array([1] * 20 + [0])
    few = bt.PreferencePairs(i, j)
    islands = bt.PreferencePairs([0, 1, 1, 2, 2, 1] + [0, 1] * 20, [1, 0, 2, 1, 1, 2] + [1, 0] * 20)
    x = np.zeros((40, 2))
    x[:, 0] = rng.normal(size=40)
    x[:2, 1] = [1, -1]
    rare = bt.PreferencePairs(x, np.zeros((40, 2)))
    ranked = bt.PreferenceRankings([0, 1] * 21, [1, 2] * 20 + [2, 1], np.repeat(np.arange(21), 2))
    for scorer, pairs in (
        (bt.TableScorer(2), few),
        (bt.TableScorer(3), islands),
        (bt.LinearScorer(2), rare),
        (bt.TableScorer(2), ranked),
    ):
        model = bt.fit(scorer, pairs)
        with pytest.raises(
            ValueError,
            match=r"^standard errors: expected a finite fit to each resample, got \d+ of 50 without one; use l2 > 0 in "
            r"the fit, or kind='sandwich'$",
        ):
            model.standard_errors(kind="bootstrap", n_bootstrap=50)
        safe = bt.fit(scorer, pairs, l2=0.1).standard_errors(kind="bootstrap", n_bootstrap=50)
        assert np.isfinite(safe).all()
        assert (safe > 0).all()


@pytest.mark.full
def test_count_of_failed_resamples_is_right() -> None:
    """One loss among 21 pairs is missing in a share (20/21)^21 = 0.36 of all resamples."""
    i, j = np.array([0] * 20 + [1]), np.array([1] * 20 + [0])
    with pytest.raises(ValueError, match="got") as caught:
        bt.fit(bt.TableScorer(2), bt.PreferencePairs(i, j)).standard_errors(kind="bootstrap", n_bootstrap=400)
    count = int(str(caught.value).split("got ")[1].split(" of 400")[0])
    p = (20 / 21) ** 21
    assert abs(count - 400 * p) < 4 * np.sqrt(400 * p * (1 - p))


def test_a_resample_that_leaves_a_parameter_open_is_refused(rng) -> None:
    """One prompt alone speaks of an item, or of a feature: without it the fit is not unique."""
    prompts = np.append(np.arange(20) // 2, [10, 10])
    items = bt.PreferencePairs([0, 1] * 10 + [1, 2], [1, 0] * 10 + [2, 1], prompts=prompts)
    x = np.zeros((22, 2))
    x[:20, 0] = rng.normal(size=20)
    x[20:, 1] = 1
    features = bt.PreferencePairs(x, 0 * x, prompts=prompts, labels=[0.0, 1.0] * 11)
    for scorer, pairs in ((bt.TableScorer(3), items), (bt.LinearScorer(2), features)):
        with pytest.raises(ValueError, match=r"^standard errors: expected a finite fit to each resample") as caught:
            bt.fit(scorer, pairs).standard_errors(kind="bootstrap", n_bootstrap=40)
        count, share = int(str(caught.value).split("got ")[1].split(" of 40")[0]), (10 / 11) ** 11
        assert abs(count - 40 * share) < 4 * np.sqrt(40 * share * (1 - share)) + 2


def test_a_resample_without_a_finite_fit_is_refused() -> None:
    """One loss that often is not drawn: one sentence counts the resamples without it; l2 > 0 removes the problem."""
    pairs = bt.PreferencePairs([0] * 20 + [1], [1] * 20 + [0])
    with pytest.raises(ValueError, match=r"^standard errors: expected a finite fit to each resample, got \d of 10 "):
        bt.fit(bt.TableScorer(2), pairs).standard_errors(kind="bootstrap", n_bootstrap=10)
    safe = bt.fit(bt.TableScorer(2), pairs, l2=0.1).standard_errors(kind="bootstrap", n_bootstrap=10)
    assert np.isfinite(safe).all()


def test_bootstrap_shows_a_bar_if_asked(rng, capsys) -> None:
    """The bar is on stderr, and counts the resamples."""
    model = bt.fit(bt.LinearScorer(2), votes(rng))
    model.standard_errors(kind="bootstrap", n_bootstrap=5)
    assert capsys.readouterr().err == ""
    model.standard_errors(kind="bootstrap", n_bootstrap=5, progress=True)
    shown = capsys.readouterr().err
    assert "bootstrap" in shown
    assert "5/5" in shown or "/5" in shown


def test_bootstrap_refuses_what_it_cannot_do(rng) -> None:
    """Wrong numbers, losses with fitted parameters and losses for gradient descent: one sentence each."""
    pairs = votes(rng)
    model = bt.fit(bt.LinearScorer(2), pairs)
    for options, message in (
        ({"n_bootstrap": 1}, r"^n_bootstrap: expected at least 2 resamples, got 1"),
        ({"n_bootstrap": 0}, r"^n_bootstrap: expected a whole number of at least 1, got 0"),
        ({"n_bootstrap": 2.5}, r"^n_bootstrap: expected a whole number"),
        ({"seed": -1}, r"^seed: expected a whole number of at least 0, got -1"),
        ({"clusters": np.zeros(300)}, r"^clusters: expected at least two"),
    ):
        with pytest.raises(ValueError, match=message):
            model.standard_errors(kind="bootstrap", **options)
    tied = replace(pairs, labels=rng.choice([0, 0.5, 1], 300))
    with pytest.raises(ValueError, match=r"^kind: expected information or sandwich for RaoKupper"):
        bt.fit(bt.LinearScorer(2), tied, loss=RaoKupper()).standard_errors(kind="bootstrap")
    noisy = bt.fit(
        bt.LinearScorer(2), pairs, loss=losses.NoisyChoice(0.2), method="gradient_descent", max_steps=5000,
        tolerance=1e-7,
    )  # fmt: skip
    assert noisy.converged
    assert np.isfinite(noisy.standard_errors(kind="sandwich")).all()
    with pytest.raises(ValueError, match=r"^kind: expected a loss that Newton's method can minimise for 'bootstrap'"):
        noisy.standard_errors(kind="bootstrap")
