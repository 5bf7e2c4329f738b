"""Wrong gradients, computed here pair by pair and without the code of the diagnosis, must get the right diagnosis."""

from itertools import product

import numpy as np
import pytest
from tiers import first

import bradley_terry as bt
from bradley_terry.gradient_check.diagnosis import MERE, diagnose

SCORERS = {
    "linear": bt.LinearScorer(5),
    "tanh": bt.MLPScorer(3, 4),
    "relu": bt.MLPScorer(3, 4, "relu"),
    "table": bt.TableScorer(6),
}
EXTRAS = [(), ("labels",), ("weights",), ("target_margins",), ("l2",), ("labels", "weights", "target_margins", "l2")]
N = 23


def problem(kind: str, extras: tuple[str, ...], seed: int):
    rng = np.random.default_rng(seed)
    scorer = SCORERS[kind]
    if kind == "table":
        chosen = rng.integers(6, size=N)
        rejected = (chosen + rng.integers(1, 6, size=N)) % 6
    else:
        chosen, rejected = rng.normal(size=(2, N, scorer.n_features))
    columns = {
        "labels": rng.uniform(0.6, 1, N),
        "weights": rng.uniform(0.5, 3, N),
        "target_margins": rng.normal(size=N),
    }
    pairs = bt.PreferencePairs(chosen, rejected, **{name: columns[name] for name in columns if name in extras})
    objective = bt.Objective(scorer, pairs, l2=0.3 if "l2" in extras else 0.0)
    return objective, rng.normal(size=scorer.n_parameters)


def row(scorer, phi, x, slip=None):
    """Return dr/dφ of one answer, with a slip inside the network if one is named."""
    if isinstance(scorer, bt.LinearScorer):
        return np.array(x, dtype=float)
    if isinstance(scorer, bt.TableScorer):
        return np.eye(scorer.n_items)[int(x)]
    weights, bias, head = phi[:12].reshape(3, 4), phi[12:16], phi[16:]
    slopes, hidden, inputs = [], [], []
    for j in range(4):
        a = sum(x[i] * weights[i, j] for i in range(3)) + bias[j]
        h = np.tanh(a) if scorer.activation == "tanh" else max(a, 0.0)
        slope = 1 / np.cosh(a) ** 2 if scorer.activation == "tanh" else float(a > 0)
        if slip == "activation":
            slope = 1.0
        elif slip == "one minus h":
            slope = 1 - h
        elif slip == "slope at h":
            slope = 1 / np.cosh(h) ** 2
        slopes.append(slope if slip == "head" else slope * head[j])
        hidden.append(h)
        inputs.append(a)
    d_weights = [x[i] * slopes[j] for i in range(3) for j in range(4)]
    return np.array([*d_weights, *slopes, *(inputs if slip == "a for h" else hidden)])


def together(scorer, phi, x, y, slip):
    """Return dΔ/dφ of a pair whose two answers were wrongly treated as one."""
    if slip == "through":
        return row(scorer, phi, np.asarray(x) - np.asarray(y))
    weights, bias, head = phi[:12].reshape(3, 4), phi[12:16], phi[16:]
    act = np.tanh if scorer.activation == "tanh" else lambda a: np.maximum(a, 0)
    h = act(np.dot(x, weights) + bias) - act(np.dot(y, weights) + bias)
    slopes = head * ((1 - h**2) if scorer.activation == "tanh" else (h > 0))
    return np.concatenate([np.outer(np.asarray(x) - np.asarray(y), slopes).ravel(), slopes, h])


def gradient(objective, phi, slip):
    """Add up the gradient pair by pair, with one thing wrong."""
    if slip == "mean pull":
        d = np.array([one.sum() for one in pulls_of(objective, phi)])
        moved = [row(objective.scorer, phi, c) - row(objective.scorer, phi, r) for c, r in answers(objective)]
        return d.mean() * np.sum(moved, axis=0) + objective.l2 * phi
    pairs, scorer, n = objective.pairs, objective.scorer, len(objective.pairs)
    total = np.zeros(phi.size)
    weight_sum = sum(1.0 if pairs.weights is None else pairs.weights[i] for i in range(n))
    for i in range(n):
        k = (i + {"one before": -1, "one after": 1}.get(slip, 0)) % n  # the pair whose pull is taken
        w = 1.0 if pairs.weights is None or slip == "weights" else pairs.weights[k]
        t = 1.0 if pairs.labels is None or slip == "labels" else pairs.labels[k]
        m = 0.0 if pairs.target_margins is None or slip == "margins" else pairs.target_margins[k]
        up, down = row(scorer, phi, pairs.chosen[i], slip), row(scorer, phi, pairs.rejected[i], slip)
        z = rewards(scorer, phi, pairs.chosen[k]) - rewards(scorer, phi, pairs.rejected[k])
        z += m if slip == "margin added" else -m
        z = 2 * z if slip == "sigma of twice" else z
        p, q = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))  # sigma(z), sigma(-z)
        pull = {
            "sigma": (1 - t) * q - t * p,
            "no sigma": (1 - t) - t,
            "sigma prime": ((1 - t) - t) * p * q,
            "exchanged labels": t * p - (1 - t) * q,
        }.get(slip, (1 - t) * p - t * q)
        if slip in {"only last", "last undivided"}:
            total[:] = 0
        if slip in {"only first", "first undivided"} and i:
            continue
        one, other = {"chosen": (1, 0), "rejected": (0, 1), "added": (1, -1)}.get(slip, (1, 1))
        if slip == "loss":
            pull = np.log(p)
        moved = one * up - other * down
        if slip in {"through", "h of differences"}:
            moved = together(scorer, phi, pairs.chosen[i], pairs.rejected[i], slip)
        total = total + w * pull * moved
    shares = {
        "answers": 2 * weight_sum,
        "sum": 1.0,
        "last undivided": 1.0,
        "first undivided": 1.0,
        "twice": weight_sum**2,
        "n for weights": n,
        "weights": n,
    }
    share = shares.get(slip, weight_sum)
    factor = {"no penalty": 0, "double penalty": 2, "wrong penalty": -1, "half penalty": 0.5}
    return (-1 if slip == "sign" else 1) * (total / share + factor.get(slip, 1) * objective.l2 * phi)


def answers(objective):
    return list(zip(objective.pairs.chosen, objective.pairs.rejected, strict=True))


def pulls_of(objective, phi):
    """Yield dL/dΔ of each pair."""
    pairs = objective.pairs
    w = np.ones(N) if pairs.weights is None else pairs.weights
    t = np.ones(N) if pairs.labels is None else pairs.labels
    m = np.zeros(N) if pairs.target_margins is None else pairs.target_margins
    for i, (c, r) in enumerate(answers(objective)):
        z = rewards(objective.scorer, phi, c) - rewards(objective.scorer, phi, r) - m[i]
        yield np.array(w[i] / w.sum() * ((1 - t[i]) / (1 + np.exp(-z)) - t[i] / (1 + np.exp(z))))


def rewards(scorer, phi, x):
    if isinstance(scorer, bt.LinearScorer):
        return float(np.dot(x, phi))
    if isinstance(scorer, bt.TableScorer):
        return float(phi[int(x)])
    a = np.dot(x, phi[:12].reshape(3, 4)) + phi[12:16]
    return float(np.dot(np.tanh(a) if scorer.activation == "tanh" else np.maximum(a, 0), phi[16:]))


NAMES = {  # slip → words that its diagnosis must contain
    "sign": "sign is flipped",
    "sum": "is missing: a sum",
    "twice": "twice",
    "sigma": "σ(Δ) instead of σ(−Δ)",
    "no sigma": "factor σ(−Δ) is missing",
    "sigma prime": "σ′(Δ)",
    "chosen": "only the chosen",
    "rejected": "only the rejected",
    "added": "two answers are added",
    "only last": "only the last pair",
    "only first": "only the first pair",
    "answers": "number of answers, 2n",
    "mean pull": "every pair has the mean pull",
    "last undivided": "only the last pair counts, and the division",
    "first undivided": "only the first pair counts, and the division",
    "sigma of twice": "σ(2Δ) instead of σ(Δ)",
    "one before": "pull of the pair before it",
    "one after": "pull of the pair after it",
}
EXTRA_NAMES = {
    "labels": {"labels": "labels are ignored", "exchanged labels": "P(rejected preferred)"},
    "weights": {"weights": "weights are ignored", "n for weights": "instead of Σ w"},
    "target_margins": {"margins": "target margins are ignored", "margin added": "target margins are added"},
    "l2": {
        "no penalty": "penalty l2·φ is missing",
        "double penalty": "penalty counts twice",
        "wrong penalty": "penalty has the wrong sign",
        "half penalty": "half the penalty",
    },
}
MLP_NAMES = {
    "activation": "derivative of the activation is missing",
    "head": "output weights are missing",
    "a for h": "uses a = x W + b",
    "through": "went through the network",
    "h of differences": "difference of the two h",
}
TANH_NAMES = {"one minus h": "1 − h", "slope at h": "taken at h"}


def cases(all_extras=EXTRAS, seeds=range(3)):
    for kind, extras, seed in product(SCORERS, all_extras, seeds):
        names = NAMES | {k: v for extra in extras for k, v in EXTRA_NAMES[extra].items()}
        names |= {} if "labels" in extras else {"loss": "the loss instead of its slope"}
        names |= MLP_NAMES if kind in {"tanh", "relu"} else {}
        names |= TANH_NAMES if kind == "tanh" else {}
        yield from ((kind, extras, seed, slip, words) for slip, words in names.items())


def of_the_report(objective, phi, wrong):
    """Return the diagnosis of each wrong block, as the gradient check gives it."""
    report = bt.check_gradient(lambda at: (objective(at)[0], wrong), phi, objective=objective)
    return {block.name: block.diagnosis for block in report.blocks if not block.passed}


def of_the_blocks(objective, phi, wrong):
    """Return the diagnoses without differences: a block is wrong if it differs from the objective's own."""
    shapes, right, parts = objective.scorer.shapes, objective(phi)[1], objective.scorer.unpack
    differs = {name: not np.allclose(parts(wrong)[name], parts(right)[name], rtol=1e-8) for name in shapes}
    found = diagnose(wrong, right, shapes, differs, objective, phi)
    return {name: found.get(name, "") for name in shapes if differs[name]}


@pytest.mark.parametrize(
    ("diagnosed", "some_cases", "at_least"),
    [
        pytest.param(of_the_blocks, list(cases([EXTRAS[0]], range(1))), 150, id="plain"),
        pytest.param(of_the_blocks, list(cases([EXTRAS[-1]], range(1))), 150, id="blocks", marks=pytest.mark.full),
        pytest.param(of_the_report, list(cases()), 1000, id="report", marks=pytest.mark.full),
    ],
)
def test_every_wrong_gradient_gets_the_right_diagnosis_and_none_a_wrong_one(diagnosed, some_cases, at_least):
    """Over mistakes × scorers × extras × seeds, 95 of 100 wrong blocks are diagnosed, and no diagnosis is wrong."""
    n, n_right, misnamed = 0, 0, []
    for kind, extras, seed, slip, words in some_cases:
        objective, phi = problem(kind, extras, seed)
        found = diagnosed(objective, phi, gradient(objective, phi, slip))
        assert found, (kind, extras, slip)
        for name, diagnosis in found.items():
            n += 1
            others = [s for s in diagnosis.removeprefix("looks like: ").split("; or: ") if words not in s]
            n_right += words in diagnosis
            if diagnosis and (words not in diagnosis or set(others) - set(MERE)):
                misnamed.append((kind, extras, seed, slip, name, diagnosis))
    assert not misnamed
    assert n > at_least
    assert n_right >= 0.95 * n


@pytest.mark.parametrize("kind", first(1, SCORERS))
def test_the_gradient_computed_here_passes_without_a_slip(kind):
    """The sums over pairs above are right, so it is the slip alone that makes them wrong."""
    for extras in EXTRAS:
        objective, phi = problem(kind, extras, 0)
        right = gradient(objective, phi, None)
        report = bt.check_gradient(lambda at, g=right, o=objective: (o(at)[0], g), phi, objective=objective)
        report.require()
        assert not any(block.diagnosis for block in report.blocks)


@pytest.mark.full
def test_a_gradient_that_fits_no_mistake_gets_no_diagnosis(rng):
    """Random numbers, a single wrong entry, or two mistakes at once fail, and nothing is guessed."""
    objective, phi = problem("tanh", (), 0)
    right = objective(phi)[1]
    one = right.copy()
    one[5] *= 1.01
    two = gradient(objective, phi, "sigma prime") * 1.7 + gradient(objective, phi, "chosen")
    for wrong in (rng.normal(size=right.size), one, two):
        report = bt.check_gradient(lambda at, g=wrong: (objective(at)[0], g), phi, objective=objective)
        assert not report.passed
        assert not any(block.diagnosis for block in report.blocks)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: -g, "the sign is flipped"),
        (lambda g: 2 * g, "twice what it should be"),
        (lambda g: g / 2, "half of what it should be"),
        (lambda g: 0.3 * g, "every entry is off by a factor of 0.3"),
        (lambda g: 0 * g, "never filled in"),
        (lambda g: g.reshape(2, 3).T.ravel(), "the matrix is transposed"),
        (lambda g: np.roll(g, 1), "every entry is 1 place too late"),
        (lambda g: np.roll(g, -2), "every entry is 2 places too early"),
        (lambda g: g[[1, 0, 3, 2, 5, 4]], "the right numbers in the wrong places"),
    ],
)
def test_without_an_objective_arithmetic_is_tried(change, words):
    """Here the origin of the function is unknown; only its loss and its gradient are given."""
    phi = np.array([0.3, -1.0, 2.0, 0.7, -0.2, 1.1])

    def function(at):
        return float((at**4).sum() / 4), change(at**3)

    report = bt.check_gradient(function, phi, names={"matrix": (2, 3)})
    assert words in report.blocks[0].diagnosis
    assert words in repr(report)
    assert words in report._repr_html_()
    assert words in report.to_dict()["blocks"][0]["diagnosis"]


@pytest.mark.parametrize(
    ("factor", "words"), [(0, "it is left out"), (2, "it counts twice"), (-1, "it has the wrong sign"), (0.7, "")]
)
def test_a_pair_that_disagrees_is_told_in_words(factor, words):
    """A d_margin of 0, of twice the right one or of its negative is explained; another number is only shown."""
    rng = np.random.default_rng(5)
    chosen, rejected = rng.normal(size=(2, 12, 6))
    objective, phi = bt.Objective(bt.LinearScorer(6), bt.PreferencePairs(chosen, rejected)), rng.normal(size=6)
    pulls = bt.pair_loss_gradients(objective.margins(phi)) / 12
    pulls[[3, 7]] *= factor
    report = bt.check_gradient(lambda at: (objective(at)[0], pulls @ (chosen - rejected)), phi, objective=objective)
    assert [pair.index for pair in report.pairs] == [3, 7]
    assert all(str(pair).endswith(words) for pair in report.pairs)
    assert words or all(str(pair)[-1].isdigit() for pair in report.pairs)


def test_penalty_that_the_objective_does_not_have_is_suggested() -> None:
    """With the same penalty in the objective, half of its gradient gets its name."""
    pairs = bt.datasets.synthetic(30, seed=2)
    plain, penalised = (bt.Objective(bt.LinearScorer(3), pairs, l2=l2) for l2 in (0.0, 0.1))

    def half(phi):
        loss, gradient = penalised(phi)
        return loss, gradient - 0.05 * phi

    phi = np.array([0.3, -0.7, 1.1])
    report = bt.check_gradient(half, phi, objective=plain)
    assert not report.passed
    assert "perhaps your loss has a penalty, which Objective takes as l2=" in str(report)
    assert "half the penalty" in str(bt.check_gradient(half, phi, objective=penalised))
