"""One verdict an entry: right, wrong, or could not be judged. The true gradients here are written by hand in NumPy."""

from importlib.util import find_spec

import numpy as np
import pytest
from tiers import first

import bradley_terry as bt
from bradley_terry.gradient_check import check_hessian

RNG = np.random.default_rng(1)
CHOSEN, REJECTED = RNG.normal(size=(2, 12, 4))
D = CHOSEN - REJECTED
W = RNG.normal(size=4)


def loss_of(w):
    return float(np.mean(np.logaddexp(0, -(D @ w))))


def slopes_of(w):
    """dL/dw = -mean of σ(−Δ)·(x − y)."""
    return -(D.T @ (1 / (1 + np.exp(D @ w)))) / len(D)


def linear(w):
    return loss_of(w), slopes_of(w)


def two_layers(phi, x, y, n_hidden):
    """Loss and gradient of an MLP with a ReLU, pair by pair sums written as matrices."""
    n, d = x.shape
    w1, b1, w2 = np.split(phi, [d * n_hidden, (d + 1) * n_hidden])
    w1 = w1.reshape(d, n_hidden)
    up, down = x @ w1 + b1, y @ w1 + b1
    z = (np.maximum(up, 0) - np.maximum(down, 0)) @ w2
    pull = -1 / (1 + np.exp(z)) / n
    g_up, g_down = pull[:, None] * w2 * (up > 0), -pull[:, None] * w2 * (down > 0)
    return float(np.mean(np.logaddexp(0, -z))), np.concatenate(
        [
            (x.T @ g_up + y.T @ g_down).ravel(),
            (g_up + g_down).sum(axis=0),
            pull @ (np.maximum(up, 0) - np.maximum(down, 0)),
        ]
    )


def n_wrong(report):
    return sum(block.n_wrong for block in report.blocks)


def assert_unsure(report):
    """Require a verdict that is neither right nor wrong, and a note that says why and what to do."""
    assert not report.passed
    assert "could not be judged" in repr(report)
    assert "could not be judged" in report._repr_html_()
    assert any("Check at another phi" in note for note in report.warnings)


# ------------------------------------------------------------------------------------------------ kinks


@pytest.mark.parametrize("n_configurations", [3, pytest.param(150, marks=pytest.mark.full)])
@pytest.mark.full
def test_right_gradients_of_networks_raise_no_alarm(n_configurations):
    """ReLU and tanh networks of up to 5,000 pairs, whose kinks may lie closer together than any step, all pass."""
    for seed in range(n_configurations):
        rng = np.random.default_rng(seed)
        d, h = int(rng.integers(2, 11)), int(rng.integers(2, 17))
        n = int(10 ** rng.uniform(1, np.log10(5000 if n_configurations > 3 else 500)))
        scorer = bt.MLPScorer(d, h, ("relu", "relu", "tanh")[seed % 3])
        pairs = bt.PreferencePairs(*rng.normal(size=(2, n, d)))
        objective = bt.Objective(scorer, pairs, backend="numba")  # a check needs a thousand losses and gradients
        phi = scorer.initial(rng) if seed % 2 else rng.normal(size=scorer.n_parameters)
        bt.check_gradient(objective, phi).require()


@pytest.mark.full
def test_the_relu_gradient_of_two_thousand_pairs_is_right_and_small_mistakes_in_it_are_wrong():
    """The gradient written by hand passes at many φ. One that is off by 1 % or has its mask inverted fails."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 2000, 10))
    for _ in range(3):
        phi = rng.normal(size=12 * 16)
        bt.check_gradient(lambda at: two_layers(at, x, y, 16), phi).require()

        def slightly(at):
            loss, gradient = two_layers(at, x, y, 16)
            gradient[40] *= 1.01
            return loss, gradient

        report = bt.check_gradient(slightly, phi)
        assert n_wrong(report) == 1
        assert report.blocks[0].worst_index == (40,)


@pytest.mark.parametrize(
    "factor", [-1.0, *(pytest.param(f, marks=pytest.mark.full) for f in (1.00001, 0.0, 0.5, 0.99, 1.001, 2.0))]
)
def test_a_wrong_relu_gradient_is_wrong(factor):
    """With 300 pairs, there are 600 kinks for each hidden unit, and they hide nothing."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 300, 3))
    phi = rng.normal(size=20)
    assert bt.check_gradient(lambda at: two_layers(at, x, y, 4), phi).passed
    report = bt.check_gradient(lambda at: (two_layers(at, x, y, 4)[0], factor * two_layers(at, x, y, 4)[1]), phi)
    assert n_wrong(report) >= 15


# ------------------------------------------------------------------------------------------------ few digits


@pytest.mark.parametrize("rounded", [round, lambda loss, k: float(f"{loss:.{k}g}")], ids=["decimals", "digits"])
@pytest.mark.parametrize(
    "digits",
    [pytest.param(k, marks=() if k in (3, 9) else pytest.mark.full) for k in range(2, 15)],
)
def test_a_rounded_loss_never_makes_a_right_gradient_wrong(digits, rounded):
    """The right gradient is never WRONG, and a passed check has a note. The opposite gradient never passes."""
    for seed in range(3):
        w = np.random.default_rng(seed).normal(size=4)
        report = bt.check_gradient(lambda w: (rounded(loss_of(w), digits), slopes_of(w)), w)
        assert n_wrong(report) == 0
        assert report.passed or "could not be judged" in repr(report)
        assert report.passed or digits <= 6
        assert digits > 12 or "as if it had been rounded" in repr(report)
        assert not bt.check_gradient(lambda w: (rounded(loss_of(w), digits), -slopes_of(w)), w).passed


def by_bisection(w, tolerance):
    """Return the loss plus s, where s = c·cos s is found by halving an interval."""
    c = 0.5 * np.tanh(w.sum())
    low, high = -1.0, 1.0
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if middle > c * np.cos(middle) else (middle, high)
    s = (low + high) / 2
    ds = np.cos(s) / (1 + c * np.sin(s)) * 0.5 * (1 - np.tanh(w.sum()) ** 2)
    return loss_of(w) + s, slopes_of(w) + ds


@pytest.mark.full
@pytest.mark.parametrize("tolerance", [1e-9, 1e-12])
def test_a_loss_found_by_an_inner_iteration_is_compared_as_closely_as_it_is_known(tolerance):
    """The right gradient passes, and one that is off by 1 % is wrong."""
    for seed in range(6):
        w = np.random.default_rng(seed).normal(size=4)
        bt.check_gradient(lambda w: by_bisection(w, tolerance), w).require()
        assert n_wrong(
            bt.check_gradient(lambda w: (by_bisection(w, tolerance)[0], 1.01 * by_bisection(w, 1e-12)[1]), w)
        )


# ------------------------------------------------------------------------------------------------ not judged


@pytest.mark.parametrize("size", first(1, [1e-12, 1e-8, 1e-10, 1e-15, 1e-100]))
def test_a_tiny_phi_with_the_sign_flipped_does_not_pass(size):
    """There the gradient of a network is far below what the rounding of its loss shows."""
    x, y = CHOSEN, REJECTED
    phi = size * np.random.default_rng(2).normal(size=18)
    report = bt.check_gradient(lambda at: (two_layers(at, x, y, 3)[0], -two_layers(at, x, y, 3)[1]), phi)
    assert not report.passed
    assert bt.check_gradient(linear, size * W).passed  # this gradient is of ordinary size
    assert n_wrong(bt.check_gradient(lambda w: (loss_of(w), -slopes_of(w)), size * W)) == 4


def test_an_offset_that_hides_the_loss_leaves_nothing_to_judge():
    """With 1e12 added, float64 keeps four digits of the loss after the point: 1 % cannot be seen, the sign can."""
    assert_unsure(bt.check_gradient(lambda w: (1e12 + loss_of(w), 1.01 * slopes_of(w)), W))
    assert_unsure(bt.check_gradient(lambda w: (1e12 + loss_of(w), slopes_of(w)), W))
    assert n_wrong(bt.check_gradient(lambda w: (1e12 + loss_of(w), -slopes_of(w)), W))


@pytest.mark.parametrize("got", [1.0, 0.0, -1e6])
def test_a_jump_at_phi_has_no_slope(got):
    """The difference across the jump is 1/h for every step h, and no number agrees with it."""
    report = bt.check_gradient(lambda w: (loss_of(w) + (w[0] >= W[0]), slopes_of(w) * [got, 1, 1, 1]), W)
    assert not report.passed
    assert "could not be judged in 1 of 4" in repr(report) or n_wrong(report) == 1


def test_noise_hides_no_error_of_one_percent():
    """The loss has noise of 1e-7, so the steps become longer. The right gradient passes with a note."""
    rng = np.random.default_rng(5)
    assert "two calls at the same phi differ" in repr(
        bt.check_gradient(lambda w: (loss_of(w) + 1e-7 * rng.normal(), slopes_of(w)), W)
    )
    for factor in (1.01, 0.99):
        report = bt.check_gradient(lambda w, f=factor: (loss_of(w) + 1e-7 * rng.normal(), f * slopes_of(w)), W)
        assert not report.passed
    assert not bt.check_gradient(lambda w: (loss_of(w) + 0.1 * rng.normal(), slopes_of(w)), W).passed


EDGES = {
    "-log p": (lambda q: -np.log(q), lambda q: -1 / q, 0.0),
    "sqrt": (np.sqrt, lambda q: 0.5 / np.sqrt(q), 0.0),
    "log1p": (np.log1p, lambda q: 1 / (1 + q), -1.0),
    "arccosh": (np.arccosh, lambda q: 1 / np.sqrt(q * q - 1), 1.0),
    "p log p": (lambda q: q * np.log(q), lambda q: np.log(q) + 1, 0.0),
    "1/p": (lambda q: 1 / q, lambda q: -1 / q**2, 0.0),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # beyond the edge the learner's function gives NaN and a warning
@pytest.mark.parametrize("p", first(1, [1e-3, 1e-6]))
@pytest.mark.parametrize("name", first(3, EDGES))
def test_the_step_shortens_at_the_edge_of_the_domain(name, p):
    """A step of the size of the other entry would leave the domain. One entry off by 1 % is wrong."""
    f, df, edge = EDGES[name]
    at = np.array([edge + p, edge + 0.5])
    assert bt.check_gradient(lambda q: (float(f(q).sum()), df(q)), at).passed
    for factor in (-1.0, 1.01, np.array([1.01, 1.0])):
        report = bt.check_gradient(lambda q, k=factor: (float(f(q).sum()), k * df(q)), at)
        assert n_wrong(report) > 0


@pytest.mark.parametrize("power", [-6, -3, 0, 3])
def test_entries_of_different_sizes_are_compared_in_their_own_units(power):
    """A feature of 1e-6 beside one of 1e3 has a gradient of 1e-7, and 1 % of it is not taken for rounding."""
    units = np.array([1e3, 1.0, 1e-3, 10.0**power])
    rows, at = D * units, W / units

    def scaled(w, factor=1.0):
        gradient = -(rows.T @ (1 / (1 + np.exp(rows @ w)))) / len(rows)
        gradient[3] *= factor
        return float(np.mean(np.logaddexp(0, -(rows @ w)))), gradient

    bt.check_gradient(scaled, at).require()
    report = bt.check_gradient(lambda w: scaled(w, 1.01), at)
    assert n_wrong(report) == 1
    assert report.blocks[0].worst_index == (3,)


# ------------------------------------------------------------------------------------------------ state


def test_an_array_that_is_used_again_for_every_answer_is_no_mistake():
    """The answer is copied when it arrives."""
    buffer = np.zeros(4)

    def reusing(w):
        buffer[:] = slopes_of(w)
        return loss_of(w), buffer

    bt.check_gradient(reusing, W).require()


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("calls_before", [0, 2])
def test_a_forgotten_zero_grad_has_its_sentence(in_place, calls_before):
    """Gradients that add up are recognised, whether or not the array is the same, and whether or not it began at 0."""
    total = [np.zeros(4)]

    def adding(w):
        if in_place:
            total[0] += slopes_of(w)
        else:
            total[0] = total[0] + slopes_of(w)
        return loss_of(w), total[0]

    for _ in range(calls_before):
        adding(W)
    report = bt.check_gradient(adding, W)
    assert not report.passed
    assert "zero_grad" in repr(report)


def test_a_forward_pass_that_is_kept_for_ever_fails():
    """The gradient uses the margins of the first call, which are right at φ only."""
    kept = {}

    def cached(w):
        z = kept.setdefault("z", D @ w)
        return loss_of(w), -(D.T @ (1 / (1 + np.exp(z)))) / len(D)

    report = bt.check_gradient(cached, W)
    assert not report.passed
    assert "does it keep numbers from its first call" in repr(report)
    kept.clear()
    right = slopes_of(W)
    report = bt.check_gradient(lambda w: (loss_of(w), right), W)  # meant for this φ alone
    assert report.passed
    assert "the same array at every phi" in repr(report)


# ------------------------------------------------------------------------------------------------ references


@pytest.mark.skipif(find_spec("torch") is None, reason="the library torch is not installed")
def test_a_reference_in_float32_is_compared_as_closely_as_it_is_known():
    """A right float64 gradient passes with a note, and one that is off by a thousandth is wrong."""
    import torch

    rows = torch.tensor(D)
    references = [
        lambda w: torch.nn.functional.softplus(-(rows.float() @ w.float())).mean(),
        lambda w: torch.nn.functional.softplus(-(rows.float().double() @ w)).mean(),
    ]
    for reference in references:
        report = bt.check_gradient(linear, W, against="torch", reference=reference)
        report.require()
        assert "float32" in repr(report)
        wrong = bt.check_gradient(lambda w: (loss_of(w), 1.001 * slopes_of(w)), W, against="torch", reference=reference)
        assert n_wrong(wrong)
    for bad, words in [
        (lambda w: w.mul_(2).sum(), "in-place"),
        (lambda w: w.sum().item(), "without its graph"),
        (lambda w: w.detach().sum(), "without its graph"),
        (lambda w: rows @ w, "to return one number, got (12,)"),
        (lambda w: None, "got None"),
        (lambda w: 1 / 0, "ZeroDivisionError in line"),
    ]:
        report = bt.check_gradient(linear, W, against="torch", reference=bad)
        assert not report.passed
        assert words in report.message


@pytest.mark.skipif(find_spec("autograd") is None, reason="the library autograd is not installed")
def test_each_library_can_have_its_own_reference():
    """``reference`` may be a mapping from library to loss."""
    import autograd.numpy as anp

    references = {"autograd": lambda w: anp.mean(anp.logaddexp(0.0, -anp.dot(D, w)))}
    report = bt.check_gradient(linear, W, against=("numerical", "autograd"), reference=references)
    assert report.passed
    assert [block.against for block in report.blocks] == ["numerical", "autograd"]
    with pytest.raises(ValueError, match=r"^reference: expected your loss written for autograd"):
        bt.check_gradient(linear, W, against="autograd", reference={"torch": loss_of})


# ------------------------------------------------------------------------------------------------ pairs


@pytest.mark.full
def test_innocent_pairs_are_not_accused():
    """In a table of items, pairs depend on each other, so the pairs named are the wrong ones or none at all."""
    n_named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        k, n = int(rng.integers(3, 8)), int(rng.integers(4, 25))
        chosen = rng.integers(k, size=n)
        rejected = (chosen + rng.integers(1, k, size=n)) % k
        rows = np.eye(k)[chosen] - np.eye(k)[rejected]
        objective = bt.Objective(bt.TableScorer(k), bt.PreferencePairs(chosen, rejected))
        phi = rng.normal(size=k)
        guilty = rng.choice(n, int(rng.integers(1, 4)), replace=False)
        factors = np.ones(n)
        factors[guilty] = rng.choice([-1.0, 0.0, 2.5], guilty.size)

        def wrong(at, rows=rows, factors=factors, n=n):
            z = rows @ at
            return float(np.mean(np.logaddexp(0, -z))), -((factors / (1 + np.exp(z))) @ rows) / n

        report = bt.check_gradient(wrong, phi, objective=objective)
        assert not report.passed
        named = {pair.index for pair in report.pairs}
        assert named <= set(guilty.tolist())
        assert not named or not any(block.diagnosis for block in report.blocks)
        n_named += bool(named)


def test_a_pair_that_occurs_twice_is_not_named():
    """Either copy may be the wrong one."""
    chosen, rejected = np.random.default_rng(3).normal(size=(2, 12, 5))
    chosen[7], rejected[7] = chosen[2], rejected[2]
    objective = bt.Objective(bt.LinearScorer(5), bt.PreferencePairs(chosen, rejected))
    phi = np.random.default_rng(4).normal(size=5)
    for pair, is_named in ((2, False), (7, False), (5, True)):
        factors = np.ones(12)
        factors[pair] = -0.5

        def wrong(at, factors=factors):
            pulls = bt.pair_loss_gradients((chosen - rejected) @ at) / 12
            return objective(at)[0], (factors * pulls) @ (chosen - rejected)

        assert [p.index for p in bt.check_gradient(wrong, phi, objective=objective).pairs] == [pair] * is_named


# ------------------------------------------------------------------------------------------------ long checks


@pytest.mark.parametrize("n", [500, 501, 2000, 2001, pytest.param(20_000, marks=pytest.mark.full)])
def test_a_large_gradient_costs_a_limited_number_of_calls(n):
    """2,000 entries cost no more than a few times what 2,001 do, and 20,000 fewer than 3,000 calls."""
    calls = [0]

    def counting(w):
        calls[0] += 1
        return float(np.sum(np.cos(w)) / n), -np.sin(w) / n

    bt.check_gradient(counting, np.random.default_rng(0).normal(size=n)).require()
    assert calls[0] < (8000 if n <= 500 else 3000)


# ------------------------------------------------------------------------------------------------ Hessians


@pytest.mark.parametrize("seed", range(4))
def test_the_hessian_is_compared_with_differences_of_the_gradient(seed):
    """H = Σ σ(Δ)σ(−Δ)·d dᵀ/n + l2·I passes; a sign, a lost penalty, one entry or an asymmetry does not."""
    rng = np.random.default_rng(seed)
    chosen, rejected = rng.normal(size=(2, 20, 3))
    d, phi = chosen - rejected, rng.normal(size=3)
    objective = bt.Objective(bt.LinearScorer(3), bt.PreferencePairs(chosen, rejected), l2=0.1)

    def by_hand(at):
        p = 1 / (1 + np.exp(-(d @ at)))
        return (d * (p * (1 - p))[:, None]).T @ d / 20 + 0.1 * np.eye(3)

    for right in (None, by_hand):
        report = check_hessian(objective, phi, hessian=right)
        report.require()
        assert repr(report).startswith("Hessian: every entry agrees")
    one = np.zeros((3, 3))
    one[0, 2] = 1e-4
    for change in (lambda h: -h, lambda h: h - 0.1 * np.eye(3), lambda h: h + one, lambda h: h * 1.001):
        assert not check_hessian(objective, phi, hessian=lambda at, c=change: c(by_hand(at))).passed
    assert "not symmetric" in repr(check_hessian(objective, phi, hessian=lambda at: by_hand(at) + one))
    assert "got shape (3,)" in repr(check_hessian(objective, phi, hessian=lambda at: at))


def test_a_hessian_check_names_the_bad_argument():
    """A function instead of an objective, a φ of another length, or a scorer without a Hessian is refused."""
    objective = bt.Objective(bt.LinearScorer(4), bt.PreferencePairs(CHOSEN, REJECTED))
    with pytest.raises(TypeError, match=r"^objective: expected an Objective, got function"):
        check_hessian(linear, W)
    with pytest.raises(ValueError, match=r"^phi: expected shape \(4,\) for LinearScorer"):
        check_hessian(objective, [1.0])
    network = bt.Objective(bt.MLPScorer(4, 2), bt.PreferencePairs(CHOSEN, REJECTED))
    with pytest.raises(TypeError, match=r"^hessian: expected a scorer that is linear in phi"):
        check_hessian(network, np.ones(12))
