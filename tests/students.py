"""Answers to the exercises as students might write them: right ones, and ones with the mistakes that checks know.

They are written in plain NumPy. Nothing here calls the package that is tested, so an error in it cannot hide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

Function = Callable[..., object]


def sigma(z):
    return np.exp(-np.logaddexp(0, -z))


def nats(z):
    return np.logaddexp(0, -z)


# --------------------------------------------------------------------------------------------------- right answers


def tells_losses_apart(loss):
    rng = np.random.default_rng(1)
    chosen, rejected, shift = rng.normal(size=(3, 20))
    return np.isclose(loss(chosen, rejected), loss(chosen + 3 * shift, rejected + 3 * shift))


def tells_strengths_apart(strength):
    rng = np.random.default_rng(1)
    a, b, shift = rng.normal(size=(3, 20))
    return np.allclose(strength(a) / strength(b), strength(a + shift) / strength(b + shift))


def by_prompt(of):
    """Make an answer to ``centring`` from what becomes of the rewards of one prompt."""

    def centred(rewards, prompts):
        result = np.zeros(rewards.size)
        for prompt in set(prompts.tolist()):
            result[prompts == prompt] = of(rewards[prompts == prompt])
        return result

    return centred


def without_the_last_prompt(rewards, prompts):
    centred = rewards.copy()
    for prompt in range(prompts.max()):
        if (prompts == prompt).any():
            centred[prompts == prompt] -= rewards[prompts == prompt].mean()
    return centred


def by_neighbours(rewards, prompts):
    centred = []
    for _, run in itertools.groupby(range(len(rewards)), key=lambda i: prompts[i]):
        rows = list(run)
        centred.extend(rewards[rows] - rewards[rows].mean())
    return centred


def sums_of_neighbours(correct, prompts):
    runs = itertools.groupby(range(len(correct)), key=lambda i: prompts[i])
    squares = [sum(correct[i] - correct.mean() for i in run) ** 2 for _, run in runs]
    half = 1.96 * np.sqrt(sum(squares)) / len(correct)
    return correct.mean() - half, correct.mean() + half


def by_counting(rewards, prompts):
    _, number = np.unique(prompts, return_inverse=True)
    return rewards - (np.bincount(number, rewards) / np.bincount(number))[number]


def share_right(z):
    return (np.mean(np.sign(z)) + 1) / 2


def search(z, lowest=-5.0):
    """Find the best temperature on a coarse grid, then on a fine one around the best point, to half a per cent."""
    best = 0.0
    for offsets in (np.arange(lowest, 5, 0.1), np.arange(-0.1, 0.1, 0.005)):
        log_temperatures = best + offsets
        best = log_temperatures[np.argmin(nats(z * np.exp(-log_temperatures)[:, None]).mean(axis=1))]
    return np.exp(best)


def best_margin(loss, p, reach=10.0):
    """Find the margin with the least expected loss by cutting an interval into thirds again and again."""
    low, high = -reach, reach
    for _ in range(100):
        one, other = low + (high - low) / 3, high - (high - low) / 3
        costs = [p * loss(z) + (1 - p) * loss(-z) for z in (one, other)]
        low, high = (low, other) if costs[0] < costs[1] else (one, high)
    return (low + high) / 2


def least_cost(loss, p):
    z = best_margin(loss, p)
    return p * loss(z) + (1 - p) * loss(-z)


def on_a_grid(loss, p, step=0.001, reach=10.0):
    z = np.arange(-reach, reach + step / 2, step)
    return z[np.argmin(p * loss(z) + (1 - p) * loss(-z))]


def fresh(true, z):
    return np.mean(sigma(true) * nats(z) + sigma(-true) * nats(-z))


def by_prompts(correct, prompts, error=lambda sums, n: np.sqrt(np.sum(sums**2)) / n, middle=None):
    """Make the ends of an interval from the sums of the deviations within each prompt, and the number of pairs."""
    p = correct.mean()
    sums = np.array([np.sum(correct[prompts == each] - p) for each in set(prompts.tolist())])
    middle, half = p if middle is None else middle, 1.96 * error(sums, correct.size)
    return middle - half, middle + half


def by_sorting(correct, prompts):
    """Add up the deviations of each prompt with a running sum over the sorted pairs."""
    order = np.argsort(prompts)
    running = np.cumsum(correct[order] - correct.mean())
    last = np.append(np.diff(prompts[order]) != 0, True)
    half = 1.96 * np.linalg.norm(np.diff(running[last], prepend=0.0)) / len(correct)
    return [correct.mean() - half, correct.mean() + half]


def of_shares(correct, prompts, ddof):
    shares = [correct[prompts == each].mean() for each in np.unique(prompts)]
    half = 1.96 * np.std(shares, ddof=ddof) / np.sqrt(len(shares))
    return np.mean(shares) - half, np.mean(shares) + half


def wilson(p, n, z=1.959963984540054):
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)


def balanced(counts, differences, pull=lambda w, n, d: n * d * sigma(-w * d)):
    """Halve an interval around the weight at which the pulls of all groups add up to zero."""
    low, high = -1e4, 1e4
    for _ in range(80):
        w = (low + high) / 2
        up = sum(pull(w, n, d) for n, d in zip(counts, differences, strict=True)) > 0
        low, high = (w, high) if up else (low, w)
    return w


def by_newton(counts, differences):
    w = 0.0
    for _ in range(2000):
        up, p = counts * differences, sigma(-w * differences)
        step = (up @ p) / np.sum(up * differences * p * (1 - p))
        w += np.clip(step, -2 / np.abs(differences).max(), 2 / np.abs(differences).max())
    return w


def slope(w, c, r):
    d = c - r
    return -sigma(-(d @ w)) @ d / len(d)


def entry_by_entry(quotient):
    """Make an answer to ``central_difference`` from f, x, a step along one axis, and h."""

    def gradient(function, x, h):
        return np.array([quotient(function, x, step, h) for step in h * np.eye(x.size)])

    return gradient


def forward(parameters, features, activation=np.tanh):
    hidden = activation(features @ parameters["hidden_weights"] + parameters["hidden_bias"])
    return hidden @ parameters["output_weights"]


def bisected(dtype):
    low, high = 0.0, 2000.0
    with np.errstate(over="ignore"):
        while high - low > 0.001:
            middle = (low + high) / 2
            low, high = (middle, high) if np.isfinite(np.exp(np.array(middle, dtype=dtype))) else (low, middle)
    return low


def limits(exponent_bits, fraction_bits):
    largest = 2 ** (exponent_bits - 1) - 1
    return (largest + 1) * np.log(2) + np.log1p(-(0.5 ** (fraction_bits + 1))), (fraction_bits + 1) * np.log(2)


def with_margins(r, c, j, m, slopes=lambda z, m: -sigma(m - z), of_chosen=1, of_rejected=-1):
    at = slopes(r[c] - r[j], m) / len(c)
    return np.bincount(c, of_chosen * at, r.size) + np.bincount(j, of_rejected * at, r.size)


def pair_by_pair(rewards, chosen, rejected, target_margins):
    gradient = [0.0] * len(rewards)
    for c, j, m in zip(chosen, rejected, target_margins, strict=True):
        push = np.exp(-np.logaddexp(0, rewards[c] - rewards[j] - m)) / len(chosen)
        gradient[c] -= push
        gradient[j] += push
    return gradient


def plackett_luce(rewards):
    return sum(np.logaddexp.reduce(rewards[k:]) - rewards[k] for k in range(len(rewards)))


def choice_by_choice(rewards):
    total = 0.0
    for k in range(rewards.size - 1):
        left = rewards[k:] - rewards[k:].max()
        total += np.log(np.exp(left).sum()) - left[0]
    return total


def product_of_choices(rewards):
    strengths = np.exp(rewards)
    return np.prod([strengths[k] / strengths[k:].sum() for k in range(rewards.size)])


def from_exponentials(rewards):
    return sum(np.log(np.exp(rewards[k:]).sum()) - rewards[k] for k in range(rewards.size))


def all_pairs(rewards):
    return [nats(a - b) for i, a in enumerate(rewards) for b in rewards[i + 1 :]]


def slow_kernel(margins):
    total, gradients = 0.0, np.zeros(margins.size)
    for i in range(margins.size):
        e = np.exp(-abs(margins[i]))
        total += np.log1p(e) + max(-margins[i], 0.0)
        gradients[i] = -(e if margins[i] > 0 else 1.0) / (1 + e) / margins.size
    return total / margins.size, gradients


def tilted(reference, rewards, beta):
    possible = np.where(reference > 0, rewards, -np.inf)
    weights = reference * np.exp((possible - possible.max(axis=-1, keepdims=True)) / beta)
    return weights / weights.sum(axis=-1, keepdims=True)


def tilted_by_row(reference, rewards, beta):
    """Work in logarithms, prompt by prompt, and only with answers that the reference gives."""
    if reference.ndim == 2:
        return [tilted_by_row(p, r, beta) for p, r in zip(reference, rewards, strict=True)]
    given = reference > 0
    logs = np.log(reference[given]) + rewards[given] / beta
    policy = np.zeros(reference.size)
    policy[given] = np.exp(logs - np.logaddexp.reduce(logs))
    return policy


def over_prompts(reference, rewards, beta):
    weights = reference * np.exp((rewards - rewards.max(axis=-1, keepdims=True)) / beta)
    return weights / weights.sum(axis=0)


def nats_away(policy, reference):
    """Return KL(policy‖reference) of each prompt."""
    given = np.where(policy > 0, policy, 1)
    return np.sum(policy * (np.log(given) - np.log(np.where(policy > 0, reference, 1))), axis=-1)


def best_beta(*, judge=None, divergence=nats_away, over_prompts=np.mean, policy_of=tilted, answer=None):
    """Make an answer to ``choose_beta``; by default the right one."""

    def choose(reference, proxy, measured, betas, max_kl):
        found = []
        for k, beta in enumerate(betas):
            policy = policy_of(reference, proxy, beta)
            reward = np.mean(np.sum(policy * (proxy if judge == "proxy" else measured), axis=-1))
            if judge == "no limit" or over_prompts(divergence(policy, reference)) <= max_kl:
                found.append((reward, beta, k))
        reward, beta, k = max(found)
        return {"reward": reward, "position": k}.get(answer, beta)

    return choose


def naive_nats(policy, reference):
    with np.errstate(all="ignore"):
        return np.sum(policy * np.log(policy / reference), axis=-1)


def reversed_nats(policy, reference):
    with np.errstate(all="ignore"):
        return np.sum(reference * np.log(reference / policy), axis=-1)


def leaking(training, held_out):
    answers = list(zip(training["chosen"].tolist(), training["rejected"].tolist(), strict=True))
    found = []
    for i, prompt in enumerate(held_out["prompts"]):
        c, r = held_out["chosen"][i].tolist(), held_out["rejected"][i].tolist()
        if prompt in training["prompts"] or (c, r) in answers or (r, c) in answers:
            found.append(i)
    return found


RIGHT: dict[str, Function] = {
    "probability": lambda a, b: sigma(a - b),
    "margin": lambda p: np.log(p / (1 - p)),
    "loss": nats,
    "slope": lambda z: -sigma(-z),
    "mean_loss": lambda c, r: nats(c - r).mean(),
    "depends_on_differences": tells_strengths_apart,
    "shift_invariance_test": tells_losses_apart,
    "centring": by_prompt(lambda v: v - v.mean()),
    "accuracy": share_right,
    "best_temperature": search,
    "minimiser": best_margin,
    "expected_loss": fresh,
    "ceiling": lambda t: sigma(np.abs(t)).mean(),
    "interval_by_prompts": by_prompts,
    "equilibrium": balanced,
    "training_step": lambda w, c, r, rate: w - rate * slope(w, c, r),
    "central_difference": entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / (2 * h)),
    "reward": forward,
    "format_limits": limits,
    "overflow_limit": lambda dtype: np.log(float(np.finfo(dtype).max)),
    "leaks": leaking,
    "margin_gradient": with_margins,
    "ranking_loss": plackett_luce,
    "tilted_policy": tilted,
    "choose_beta": best_beta(),
}

ALSO_RIGHT: list[tuple[str, Function]] = [
    ("probability", lambda a, b: (0.5 + 0.5 * np.tanh((a - b) / 2)).tolist()),
    ("margin", lambda p: 2 * np.arctanh(2 * p - 1) if p.min() > 0.001 else np.log(p)),
    ("loss", lambda z: np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))),
    ("slope", lambda z: (np.tanh(z / 2) - 1) / 2),
    ("slope", lambda z: -1 / (1 + np.exp(np.minimum(z, 700)))),
    ("mean_loss", lambda c, r: float(sum(nats(a - b) for a, b in zip(c, r, strict=True))) / len(c)),
    ("centring", by_counting),
    ("accuracy", lambda z: np.where(z > 0, 1, np.where(z < 0, 0, 0.5)).mean()),
    ("minimiser", on_a_grid),
    ("ceiling", lambda t: np.maximum(sigma(t), sigma(-t)).mean()),
    ("interval_by_prompts", by_sorting),
    ("interval_by_prompts", lambda y, x: np.array(by_prompts(y, x)) - [2e-6, -2e-6]),  # as with 1.96 rounded otherwise
    ("equilibrium", by_newton),
    ("format_limits", lambda e, f: [np.log((2 - 2.0**-f) * 2.0 ** (2.0 ** (e - 1) - 1)), np.log(2 * 2.0**f)]),
    ("overflow_limit", bisected),
    ("overflow_limit", lambda dtype: np.log(np.finfo(dtype).max)),
    ("margin_gradient", pair_by_pair),
    ("ranking_loss", choice_by_choice),
    ("tilted_policy", tilted_by_row),
    ("choose_beta", best_beta(policy_of=lambda p, r, beta: np.array(tilted_by_row(p, r, beta)))),
]


# --------------------------------------------------------------------------------------------------- wrong answers


def steps_add_up(f, x, h):
    step, found = np.zeros(len(x)), []
    for j in range(len(x)):
        step[j] = h
        found.append((f(x + step) - f(x - step)) / (2 * h))
    return np.array(found)


def not_put_back(function, x, h):
    x, slopes = x.copy(), []
    for j in range(x.size):
        x[j] += h
        up = function(x)
        x[j] -= 2 * h
        slopes.append((up - function(x)) / (2 * h))
    return slopes


def strengths(a, b):
    total = np.where(a + b == 0, 1, a + b)
    return np.where(a + b == 0, 0.5, a / total)


def without_bias(p, x):
    return np.tanh(x @ p["hidden_weights"]) @ p["output_weights"]


def late_bias(p, x):
    return (np.tanh(x @ p["hidden_weights"]) + p["hidden_bias"]) @ p["output_weights"]


def hidden(p, x):
    return np.tanh(x @ p["hidden_weights"] + p["hidden_bias"])


def stepping(how):
    """Make an answer to ``training_step`` from weights, gradient, learning rate and number of pairs."""
    return lambda w, c, r, rate: how(w, slope(w, c, r), rate, len(c))


def kernel_of(mean, gradients):
    """Make an answer to ``kernel`` from margins and their number, with the right one for what is None."""
    mean = mean or (lambda z, n: nats(z).sum() / n)
    gradients = gradients or (lambda z, n: -sigma(-z) / n)
    return lambda z: (mean(z, z.size), gradients(z, z.size))


def written(assign):
    """Make an answer to ``margin_gradient`` that writes the slopes of all pairs into an array of zeros at once."""

    def gradient(r, c, j, m):
        total = np.zeros(r.size)
        assign(total, c, j, -sigma(m - r[c] + r[j]) / len(c))
        return total

    return gradient


def buffered(total, c, j, slopes):
    total[c] += slopes
    total[j] -= slopes


def overwriting(total, c, j, slopes):
    for i, slope in enumerate(slopes):
        total[c[i]] = slope
        total[j[i]] = -slope


def shifted_limits(change):
    """Make an answer to ``format_limits`` from the right numbers, the largest exponent and the bits of the fraction."""
    return lambda e, f: change(*limits(e, f), 2 ** (e - 1) - 1, f)


WRONG: dict[str, list[tuple[str, Function]]] = {
    "probability": [
        ("a and b are exchanged", lambda a, b: sigma(b - a)),
        ("σ(2Δ) instead", lambda a, b: sigma(2 * (a - b))),
        ("the rewards are added instead", lambda a, b: sigma(a + b)),
        ("only the reward of a", lambda a, b: sigma(a)),
        ("a loss, not a probability", lambda a, b: nats(a - b)),
        ("only the sign of Δ", lambda a, b: (np.sign(a - b) + 1) / 2),
        ("the margin Δ itself", lambda a, b: a - b),
        ("exp(Δ), the odds", lambda a, b: np.exp(a - b)),
        ("a percentage", lambda a, b: 100 / (1 + np.exp(b - a))),
        ("parentheses are missing", lambda a, b: 1 / 1 + np.exp(-(a - b))),
        ("used as strengths", strengths),
    ],
    "margin": [
        ("take their logarithm", lambda p: p / (1 - p)),
        ("log p, not the log of the odds", np.log),
        ("the sign is flipped", lambda p: np.log((1 - p) / p)),
        ("base 10", lambda p: np.log10(p / (1 - p))),
        ("base 2", lambda p: np.log2(p / (1 - p))),
        ("its inverse is needed", sigma),
        ("the probability of the other answer", lambda p: 1 - p),
        ("a linear function", lambda p: p - (1 - p)),
    ],
    "loss": [
        ("the minus sign is missing", lambda z: np.log(sigma(z))),
        ("the margin has the wrong sign", lambda z: nats(-z)),
        ("base 2", lambda z: -np.log2(sigma(z))),
        ("base 10", lambda z: -np.log10(sigma(z))),
        ("a probability, not a loss", lambda z: 1 / (1 + np.exp(-z))),
        ("1 − σ(Δ) instead", lambda z: 1 - sigma(z)),
        ("the mean is taken later", lambda z: nats(z) / len(z)),
        ("the hinge", lambda z: np.where(z < 1, 1 - z, 0)),
        ("the Brier score", lambda z: (1 - sigma(z)) ** 2),
        ("0 at a large negative margin", lambda z: np.where(np.abs(z) > 100, 0, nats(z))),
        ("the added 1e-8 keeps the loss below 18.42", lambda z: -np.log(np.exp(-nats(z)) + 1e-8)),
        ("the added 1e-10 keeps the loss below 23.03", lambda z: -np.log(np.exp(-nats(z)) + 1e-10)),
        ("the added 1e-12 keeps the loss below 27.63", lambda z: -np.log(np.exp(-nats(z)) + 1e-12)),
        ("log(1 + exp(−|Δ|)) alone", lambda z: np.log(1 + np.exp(-abs(z)))),
        ("max(−Δ, 0) alone", lambda z: -z * (z < 0)),
    ],
    "slope": [
        ("the minus sign is missing", lambda z: sigma(-z)),
        ("the inner derivative", lambda z: 1 / (1 + np.exp(-z))),
        ("−σ(Δ) instead of −σ(−Δ)", lambda z: -sigma(z)),
        ("the slope of the probability", lambda z: sigma(z) * (1 - sigma(z))),
        ("the slope of 1 − σ(Δ)", lambda z: -sigma(z) * sigma(-z)),
        ("−1/σ(Δ)", lambda z: -1 - np.exp(-z)),
        ("the loss itself", nats),
        ("divided by the number of pairs", lambda z: -sigma(-z) / len(z)),
        ("the hinge loss", lambda z: np.where(z < 1, -1.0, 0.0)),
    ],
    "mean_loss": [
        ("a sum", lambda c, r: nats(c - r).sum()),
        ("the minus sign is missing", lambda c, r: np.log(sigma(c - r)).mean()),
        ("chosen and rejected are exchanged", lambda c, r: nats(r - c).mean()),
        ("−log of the mean probability", lambda c, r: -np.log(sigma(c - r).mean())),
        ("−log σ(mean Δ)", lambda c, r: nats(np.mean(c) - np.mean(r))),
        ("the rejected rewards are not used", lambda c, r: nats(c).mean()),
        ("the mean probability, not a loss", lambda c, r: sigma(c - r).mean()),
        ("the Brier score", lambda c, r: ((sigma(c - r) - 1) ** 2).mean()),
        ("divided by the number of answers", lambda c, r: nats(c - r).sum() / (len(c) + len(r))),
    ],
    "centring": [
        ("over all answers", lambda r, x: r - r.mean()),
        ("the means were added", by_prompt(lambda v: v + v.mean())),
        ("the sign is flipped", by_prompt(lambda v: v.mean() - v)),
        ("the last prompt is left as it was", without_the_last_prompt),
        ("as itertools.groupby does", by_neighbours),
        ("the means themselves", by_prompt(np.mean)),
        ("the largest reward", by_prompt(lambda v: v - v.max())),
        ("the sum over the prompt", by_prompt(lambda v: v - v.sum())),
        ("the first answer", by_prompt(lambda v: v - v[0])),
        ("the median", by_prompt(lambda v: v - np.median(v))),
        ("grouped by prompt", lambda r, x: np.concatenate([r[x == p] - r[x == p].mean() for p in np.unique(x)])),
    ],
    "accuracy": [
        ("ties count as right", lambda z: np.mean(z >= 0)),
        ("ties count as wrong", lambda z: np.mean(z > 0)),
        ("ranked wrong, not right", lambda z: 1 - share_right(z)),
        ("a number of pairs", lambda z: sum(1.0 if m > 0 else 0.5 if m == 0 else 0.0 for m in z)),
        ("the mean probability", lambda z: sigma(z).mean()),
        ("ties are left out", lambda z: np.sum(z > 0) / np.sum(z != 0)),
        ("a percentage", lambda z: 100 * share_right(z)),
        ("only the ties were divided", lambda z: np.sum(z > 0) + 0.5 * np.sum(z == 0) / len(z)),
        ("the mean of the sign", lambda z: np.sign(z).mean()),
    ],
    "best_temperature": [
        ("1/T instead", lambda z: 1 / search(z)),
        ("T = 1, which", lambda z: 1.0),
        ("T² instead", lambda z: search(z) ** 2),
        ("√T instead", lambda z: np.sqrt(search(z))),
        ("the mean of |Δ|", lambda z: np.mean(np.abs(z))),
        ("the standard deviation", np.std),
    ],
    "minimiser": [
        ("p and 1 − p are exchanged", lambda loss, p: best_margin(loss, 1 - p)),
        ("right for −log σ(Δ) alone", lambda loss, p: np.log(p / (1 - p))),
        ("right for the squared loss alone", lambda loss, p: 2 * p - 1),
        ("the smallest expected loss", least_cost),
        ("the probability σ(Δ)", lambda loss, p: sigma(best_margin(loss, p))),
        ("the minimum of ℓ(Δ) alone", lambda loss, p: best_margin(loss, 1.0)),
        ("the minimum for p = ½", lambda loss, p: 0.0),
    ],
    "expected_loss": [
        ("only the likelier outcome", lambda t, z: np.where(t >= 0, nats(z), nats(-z)).mean()),
        ("only the outcome “a preferred”", lambda t, z: np.mean(sigma(t) * nats(z))),
        ("as if everyone chose a", lambda t, z: nats(z).mean()),
        ("p and 1 − p are exchanged", lambda t, z: fresh(-t, z)),
        ("truth and model are exchanged", lambda t, z: fresh(z, t)),
        ("the model's own probabilities are the weights", lambda t, z: fresh(z, z)),
        (
            "the entropy of",
            lambda t, z: -np.mean(sum(p * np.log(p) for p in (sigma(t), sigma(-t)))),
        ),
        ("a sum", lambda t, z: fresh(t, z) * len(t)),
        ("the minus sign is missing", lambda t, z: -fresh(t, z)),
        ("used as probabilities", lambda t, z: np.mean(t * nats(z) + (1 - t) * nats(-z))),
    ],
    "ceiling": [
        ("the mean of p:", lambda t: sigma(t).mean()),
        ("the largest p", lambda t: sigma(np.abs(t)).max()),
        ("even the true rewards are contradicted", lambda t: 1),
        ("as if they never disagreed", lambda t: np.mean(t > 0)),
        ("guessing a with probability p", lambda t: np.mean(sigma(t) ** 2 + sigma(-t) ** 2)),
        ("the mean of p was taken first", lambda t: max(sigma(t).mean(), sigma(-t).mean())),
        ("σ of the mean |Δ|", lambda t: sigma(np.abs(t).mean())),
        ("no model can get right", lambda t: sigma(-np.abs(t)).mean()),
    ],
    "interval_by_prompts": [
        ("the interval of independent pairs", lambda y, x: by_prompts(y, np.arange(y.size))),
        ("Wilson", lambda y, x: wilson(y.mean(), y.size)),
        (
            "by the number of prompts, as if",
            lambda y, x: by_prompts(y, x, lambda sums, n: np.sqrt(y.mean() * (1 - y.mean()) / len(sums))),
        ),
        ("the mean of the prompts' shares: every", lambda y, x: of_shares(y, x, 0)),
        ("the mean of the prompts' shares with its", lambda y, x: of_shares(y, x, 1)),
        (
            "for few prompts",
            lambda y, x: by_prompts(y, x, lambda sums, n: np.sqrt(len(sums) / (len(sums) - 1) * np.sum(sums**2)) / n),
        ),
        (
            "divided by the number of prompts, not of",
            lambda y, x: by_prompts(y, x, lambda sums, n: np.sqrt(np.sum(sums**2)) / len(sums)),
        ),
        ("no width", lambda y, x: by_prompts(y, x, lambda sums, n: 0.0)),
        ("as itertools.groupby does", sums_of_neighbours),
        ("the square root is missing", lambda y, x: by_prompts(y, x, lambda sums, n: np.sum(sums**2) / n**2)),
        ("divide by n, not by √n", lambda y, x: by_prompts(y, x, lambda sums, n: np.sqrt(np.sum(sums**2) / n))),
        ("one standard error", lambda y, x: by_prompts(y, x, lambda sums, n: np.sqrt(np.sum(sums**2)) / n / 1.96)),
        ("the two ends are exchanged", lambda y, x: by_prompts(y, x)[::-1]),
        ("half of the width", lambda y, x: (y.mean(), by_prompts(y, x)[1] - y.mean())),
    ],
    "equilibrium": [
        ("the differences are not used", lambda n, d: np.log(n[0] / n[1])),
        ("log(n₁/n₂)/d₁", lambda n, d: np.log(n[0] / n[1]) / d[0]),
        ("log(n₁/n₂)/d₂", lambda n, d: np.log(n[0] / n[1]) / -d[1]),
        ("the sign is flipped", lambda n, d: -balanced(n, d)),
        ("the counts are not used", lambda n, d: balanced(np.ones(2), d)),
        ("n₁ and n₂ are exchanged", lambda n, d: balanced(n[::-1], d)),
        (
            "the pulls on the margins balance",
            lambda n, d: balanced(n, d, lambda w, n, d: n * np.sign(d) * sigma(-w * d)),
        ),
        (
            "the losses of the two groups are equal",
            lambda n, d: balanced(n, d, lambda w, n, d: n * np.sign(d) * nats(w * d)),
        ),
        ("the margin of the first", lambda n, d: d[0] * balanced(n, d)),
        ("the margin of the second", lambda n, d: d[1] * balanced(n, d)),
        ("one step from w = 0", lambda n, d: np.mean(n * d) / np.sum(n)),
    ],
    "training_step": [
        ("uphill", stepping(lambda w, g, rate, n: w + rate * g)),
        ("the step alone", stepping(lambda w, g, rate, n: -rate * g)),
        ("the gradient, not the new weights", stepping(lambda w, g, rate, n: g)),
        ("the learning rate is missing", stepping(lambda w, g, rate, n: w - g)),
        ("divided by the learning rate", stepping(lambda w, g, rate, n: w - g / rate)),
        ("is summed over the pairs", stepping(lambda w, g, rate, n: w - rate * n * g)),
        ("divided by the number of pairs twice", stepping(lambda w, g, rate, n: w - rate * g / n)),
        ("always has length learning_rate", stepping(lambda w, g, rate, n: w - rate * g / np.linalg.norm(g))),
        ("only the sign", stepping(lambda w, g, rate, n: w - rate * np.sign(g))),
        ("no step was taken", stepping(lambda w, g, rate, n: w)),
    ],
    "central_difference": [
        ("a forward difference", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x)) / h)),
        ("a backward difference", entry_by_entry(lambda f, x, e, h: (f(x) - f(x - e)) / h)),
        ("divided by h: the two points", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / h)),
        ("divided by 2 instead", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / 2)),
        ("not divided by 2h", entry_by_entry(lambda f, x, e, h: f(x + e) - f(x - e))),
        ("divided by h²", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / h**2)),
        ("the sign is flipped", entry_by_entry(lambda f, x, e, h: (f(x - e) - f(x + e)) / (2 * h))),
        ("the absolute value", entry_by_entry(lambda f, x, e, h: abs(f(x + e) - f(x - e)) / (2 * h))),
        ("all entries move at once", entry_by_entry(lambda f, x, e, h: (f(x + h) - f(x - h)) / (2 * h))),
        ("not put back", not_put_back),
        ("multiplied by h", entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / 2 * h)),
        ("a second name for the same array", lambda f, x, h: np.zeros(len(x))),
        ("the steps add up", steps_add_up),
    ],
    "reward": [
        ("the activation is missing", lambda p, x: forward(p, x, activation=lambda a: a)),
        ("the hidden bias is missing", without_bias),
        ("added after the activation", late_bias),
        ("ReLU instead", lambda p, x: forward(p, x, activation=lambda a: a * (a > 0))),
        ("σ instead", lambda p, x: forward(p, x, activation=sigma)),
        ("tanh is applied to the reward", lambda p, x: np.tanh(forward(p, x))),
        ("a sum over the hidden units", lambda p, x: hidden(p, x).sum(axis=1)),
        ("a mean over the hidden units", lambda p, x: hidden(p, x).mean(axis=1)),
    ],
    "format_limits": [
        ("base 2", shifted_limits(lambda x, z, k, f: (x / np.log(2), z / np.log(2)))),
        ("base 10", shifted_limits(lambda x, z, k, f: (x / np.log(10), z / np.log(10)))),
        ("the two numbers are exchanged", shifted_limits(lambda x, z, k, f: (z, x))),
        ("the two arguments are exchanged", lambda e, f: limits(f, e)),
        ("the largest number itself", shifted_limits(lambda x, z, k, f: ((2 - 0.5**f) * 2.0**k, z))),
        ("the other half", shifted_limits(lambda x, z, k, f: (x + (k + 1) * np.log(2), z))),
        ("the highest exponent", shifted_limits(lambda x, z, k, f: (x + np.log(2), z))),
        ("the fraction is missing", shifted_limits(lambda x, z, k, f: (k * np.log(2), z))),
        ("the Δ at which exp(−Δ) is ε", shifted_limits(lambda x, z, k, f: (x, f * np.log(2)))),
        ("the wrong sign", shifted_limits(lambda x, z, k, f: (x, -z))),
    ],
    "margin_gradient": [
        ("is added", lambda r, c, j, m: with_margins(r, c, j, -m)),
        ("is not used", lambda r, c, j, m: with_margins(r, c, j, 0 * m)),
        ("exchanged", lambda r, c, j, m: with_margins(r, j, c, m)),
        ("σ(Δ − m) instead", lambda r, c, j, m: with_margins(r, c, j, m, lambda z, m: -sigma(z - m))),
        ("the sign is flipped", lambda r, c, j, m: with_margins(r, c, j, m, lambda z, m: sigma(m - z))),
        ("a sum", lambda r, c, j, m: with_margins(r, c, j, m) * m.size),
        ("the number of answers", lambda r, c, j, m: with_margins(r, c, j, m) * m.size / r.size),
        ("only the chosen", lambda r, c, j, m: with_margins(r, c, j, m, of_rejected=0)),
        ("only the rejected", lambda r, c, j, m: with_margins(r, c, j, m, of_chosen=0)),
        ("adds one", written(buffered)),
        ("overwrites", written(overwriting)),
    ],
    "ranking_loss": [
        ("the sum of the pairs'", lambda r: sum(all_pairs(r))),
        ("the mean of the pairs'", lambda r: np.mean(all_pairs(r))),
        ("neighbours only", lambda r: -np.log(sigma(r[:-1] - r[1:])).sum()),
        ("the first choice only", lambda r: np.log(np.exp(r).sum()) - r[0]),
        ("every choice is made among all", lambda r: sum(np.log(np.exp(r).sum()) - x for x in r[:-1])),
        ("answers ranked above each one", lambda r: plackett_luce(r[::-1])),
        ("missing from its own sum", lambda r: sum(np.log(np.exp(r[k + 1 :]).sum()) - r[k] for k in range(r.size - 1))),
        ("the minus sign", lambda r: -plackett_luce(r)),
        ("a probability", lambda r: np.exp(-plackett_luce(r))),
        ("base 2", lambda r: plackett_luce(r) / np.log(2)),
        ("the number of choices", lambda r: plackett_luce(r) / (r.size - 1)),
        ("the number of answers", lambda r: plackett_luce(r) / r.size),
    ],
    "overflow_limit": [
        ("the largest number itself", lambda dtype: float(np.finfo(dtype).max)),
        ("base 2", lambda dtype: float(np.finfo(dtype).maxexp)),
        ("base 10", lambda dtype: np.log10(float(np.finfo(dtype).max))),
        ("smallest normal number", lambda dtype: np.finfo(dtype).minexp * np.log(2)),
        ("the limit of float64", lambda dtype: 709.78),
        ("the limit of float32", lambda dtype: 88.72),
        ("−log ε", lambda dtype: -np.log(float(np.finfo(dtype).eps))),
    ],
    "kernel": [
        ("a sum", kernel_of(lambda z, n: nats(z).sum(), None)),
        ("the minus sign is missing", kernel_of(lambda z, n: np.log(sigma(z)).mean(), None)),
        ("the margin has the wrong sign", kernel_of(lambda z, n: nats(-z).mean(), None)),
        ("the loss of the last pair only", kernel_of(lambda z, n: nats(z[n - 1]), None)),
        ("share of the mean only", kernel_of(lambda z, n: nats(z[n - 1]) / n, None)),
        ("the division by the number of pairs", kernel_of(None, lambda z, n: -sigma(-z))),
        ("the sign is flipped", kernel_of(None, lambda z, n: sigma(-z) / n)),
        ("σ(Δ) instead", kernel_of(None, lambda z, n: -sigma(z) / n)),
        ("σ′(Δ) instead", kernel_of(None, lambda z, n: -sigma(z) * (1 - sigma(z)) / n)),
        ("never filled in", kernel_of(None, lambda z, n: np.zeros(n))),
        ("losses instead of gradients", kernel_of(None, lambda z, n: nats(z))),
        ("for both signs", kernel_of(None, lambda z, n: -sigma(-np.abs(z)) / n)),
    ],
    "tilted_policy": [
        ("multiplied by β: divide", lambda p, r, beta: tilted(p, r * beta, 1)),
        ("β is not used", lambda p, r, beta: tilted(p, r, 1)),
        ("a softmax of r/β", lambda p, r, beta: tilted(np.ones(p.shape), r, beta)),
        ("are added to r/β", lambda p, r, beta: tilted(np.ones(p.shape), p + r / beta, 1)),
        ("the rewards are not used", lambda p, r, beta: p),
        ("the sign of the rewards", lambda p, r, beta: tilted(p, -r, beta)),
        ("the limit of a small β", lambda p, r, beta: tilted(np.ones(p.shape), r, 1e-9)),
        ("not normalised", lambda p, r, beta: p * np.exp(r / beta)),
        ("over all prompts together", lambda p, r, beta: p * np.exp(r / beta) / np.sum(p * np.exp(r / beta))),
        ("normalised along axis 0", lambda p, r, beta: p * np.exp(r / beta) / np.sum(p * np.exp(r / beta), axis=0)),
        ("but the sums run over the prompts", over_prompts),
        (
            "the largest weight instead of the sum",
            lambda p, r, beta: tilted(p, r, beta) / tilted(p, r, beta).max(axis=-1, keepdims=True),
        ),
    ],
    "choose_beta": [
        ("the highest proxy reward", best_beta(judge="proxy")),
        ("the KL limit is not used", best_beta(judge="no limit")),
        ("the largest β", lambda p, r, m, betas, limit: max(betas)),
        ("the smallest β", lambda p, r, m, betas, limit: min(betas)),
        ("the other way round", best_beta(divergence=reversed_nats)),
        ("summed over the prompts", best_beta(over_prompts=np.sum)),
        ("multiplied by β instead", best_beta(policy_of=lambda p, r, beta: tilted(p, r * beta, 1))),
        ("the highest measured reward", best_beta(answer="reward")),
        ("the largest KL of the prompts", best_beta(over_prompts=np.max)),
        ("the position of the best β", best_beta(answer="position")),
        ("its KL was NaN", best_beta(divergence=naive_nats)),
    ],
}


UNKNOWN: list[tuple[str, Function]] = [
    ("probability", lambda a, b: sigma(0.5 * (a - b))),
    ("probability", lambda a, b: np.clip(0.5 + (a - b) / 10, 0, 1)),
    ("probability", lambda a, b: 0.5 + np.arctan(a - b) / np.pi),
    ("margin", lambda p: np.log(p) / (1 - p)),
    ("margin", lambda p: 4 * (p - 0.5)),
    ("margin", lambda p: np.log(p / (1 - p) + 0.01)),
    ("loss", lambda z: nats(z - 1)),
    ("loss", lambda z: np.exp(-z)),
    ("loss", lambda z: np.log(1 + np.exp(z)) ** 2),
    ("slope", lambda z: -sigma(-2 * z)),
    ("slope", lambda z: -2 * sigma(-z)),
    ("slope", np.zeros_like),
    ("mean_loss", lambda c, r: np.median(nats(c - r))),
    ("mean_loss", lambda c, r: nats(c - r).max()),
    ("mean_loss", lambda c, r: nats(2 * (c - r)).mean()),
    ("centring", by_prompt(lambda v: v - v.min())),
    ("centring", by_prompt(lambda v: v / v.mean())),
    ("centring", by_prompt(lambda v: v - v.sum() / (v.size + 1))),
    ("accuracy", lambda z: np.mean(z > 0.5)),
    ("accuracy", lambda z: np.mean(z > 0) / np.mean(z < 0)),
    ("accuracy", lambda z: np.mean(z > 0) + 0.25 * np.mean(z == 0)),
    ("best_temperature", lambda z: 3 * search(z)),
    ("best_temperature", lambda z: np.abs(z).max()),
    ("best_temperature", lambda z: 0.3),
    ("minimiser", lambda loss, p: 2 * best_margin(loss, p)),
    ("minimiser", lambda loss, p: best_margin(loss, p**2)),
    ("minimiser", lambda loss, p: 3.0),
    ("expected_loss", lambda t, z: nats(t).mean()),
    ("expected_loss", lambda t, z: np.mean((sigma(t) - sigma(z)) ** 2)),
    ("expected_loss", lambda t, z: fresh(t, z) - fresh(t, t)),
    ("ceiling", lambda t: np.abs(t).mean()),
    ("ceiling", lambda t: sigma(2 * np.abs(t)).mean()),
    ("ceiling", lambda t: np.sqrt(np.mean(sigma(t) ** 2))),
    ("interval_by_prompts", lambda y, x: (0.5, 0.8)),
    ("interval_by_prompts", lambda y, x: by_prompts(y, x, lambda sums, n: np.abs(sums).sum() / n)),
    ("interval_by_prompts", lambda y, x: by_prompts(y, x, middle=0.5)),
    ("equilibrium", lambda n, d: 0.0),
    ("equilibrium", lambda n, d: np.sum(n * d)),
    ("equilibrium", lambda n, d: balanced(n, d / 2)),
    ("training_step", stepping(lambda w, g, rate, n: w - rate * 2 * g)),
    ("training_step", stepping(lambda w, g, rate, n: (1 - rate) * w - rate * g)),
    ("training_step", stepping(lambda w, g, rate, n: w - rate * g[::-1])),
    ("central_difference", entry_by_entry(lambda f, x, e, h: (f(x + e / 2) - f(x - e / 2)) / (2 * h))),
    ("central_difference", entry_by_entry(lambda f, x, e, h: (f(x + 2 * e) - f(x)) / (2 * h))),
    ("central_difference", lambda f, x, h: 3 * x**2),
    ("reward", lambda p, x: forward(p, x, activation=np.sin)),
    ("reward", lambda p, x: forward(p, -x)),
    ("reward", lambda p, x: hidden(p, x).max(axis=1)),
    ("overflow_limit", lambda dtype: 0.5 * np.log(float(np.finfo(dtype).max))),
    ("overflow_limit", lambda dtype: float(np.finfo(dtype).bits)),
    ("overflow_limit", lambda dtype: 100.0),
    ("format_limits", lambda e, f: (100.0, 10.0)),
    ("format_limits", lambda e, f: (2.0**e, 2.0**f)),
    ("margin_gradient", lambda r, c, j, m: with_margins(r, c, j, 2 * m)),
    ("margin_gradient", lambda r, c, j, m: with_margins(r, c, j, m, lambda z, m: -sigma(-z) * m)),
    ("margin_gradient", lambda r, c, j, m: with_margins(r, c, j, m, lambda z, m: -1.0 * (z < m))),
    ("ranking_loss", lambda r: max(all_pairs(r))),
    ("ranking_loss", lambda r: nats(r[0] - r[-1])),
    ("ranking_loss", lambda r: plackett_luce(r / 2)),
    ("ranking_loss", lambda r: 0.720868),
    ("kernel", kernel_of(lambda z, n: np.median(nats(z)), lambda z, n: -sigma(-z) / (n + 1))),
    ("kernel", kernel_of(lambda z, n: nats(z).sum() / (n - 1), lambda z, n: -sigma(-2 * z) / n)),
    ("kernel", kernel_of(lambda z, n: nats(2 * z).mean(), lambda z, n: z / n)),
    ("tilted_policy", lambda p, r, beta: tilted(p, r, 2 * beta)),
    ("tilted_policy", lambda p, r, beta: tilted(p**2, r, beta)),
    ("tilted_policy", lambda p, r, beta: np.full(p.shape, 1 / p.shape[-1])),
    ("choose_beta", lambda p, r, m, betas, limit: np.median(betas)),
    ("choose_beta", lambda p, r, m, betas, limit: 1.0),
    ("choose_beta", lambda p, r, m, betas, limit: 2 * best_beta()(p, r, m, betas, limit)),
]
