"""Answers to the exercises as students might write them: right ones, and ones with the mistakes that checks know.

They are written in plain NumPy. Nothing here calls the package that is tested, so an error in it cannot hide.
"""

from __future__ import annotations

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


def by_prompt(of):
    """Make an answer to ``centring`` from what becomes of the rewards of one prompt."""

    def centred(rewards, prompts):
        result = np.zeros(rewards.size)
        for prompt in set(prompts.tolist()):
            result[prompts == prompt] = of(rewards[prompts == prompt])
        return result

    return centred


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


def fresh(true, z):
    return np.mean(sigma(true) * nats(z) + sigma(-true) * nats(-z))


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


def slow_kernel(margins):
    total, gradients = 0.0, np.zeros(margins.size)
    for i in range(margins.size):
        e = np.exp(-abs(margins[i]))
        total += np.log1p(e) + max(-margins[i], 0.0)
        gradients[i] = -(e if margins[i] > 0 else 1.0) / (1 + e) / margins.size
    return total / margins.size, gradients


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
    "mean_loss": lambda c, r: nats(c - r).mean(),
    "shift_invariance_test": tells_losses_apart,
    "centring": by_prompt(lambda v: v - v.mean()),
    "accuracy": share_right,
    "best_temperature": search,
    "expected_loss": fresh,
    "ceiling": lambda t: sigma(np.abs(t)).mean(),
    "training_step": lambda w, c, r, rate: w - rate * slope(w, c, r),
    "central_difference": entry_by_entry(lambda f, x, e, h: (f(x + e) - f(x - e)) / (2 * h)),
    "reward": forward,
    "overflow_limit": lambda dtype: np.log(float(np.finfo(dtype).max)),
    "leaks": leaking,
}

ALSO_RIGHT: list[tuple[str, Function]] = [
    ("probability", lambda a, b: (0.5 + 0.5 * np.tanh((a - b) / 2)).tolist()),
    ("margin", lambda p: 2 * np.arctanh(2 * p - 1) if p.min() > 0.001 else np.log(p)),
    ("loss", lambda z: np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))),
    ("mean_loss", lambda c, r: float(sum(nats(a - b) for a, b in zip(c, r, strict=True))) / len(c)),
    ("centring", by_counting),
    ("accuracy", lambda z: np.where(z > 0, 1, np.where(z < 0, 0, 0.5)).mean()),
    ("ceiling", lambda t: np.maximum(sigma(t), sigma(-t)).mean()),
    ("overflow_limit", bisected),
    ("overflow_limit", lambda dtype: np.log(np.finfo(dtype).max)),
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


WRONG: dict[str, list[tuple[str, Function]]] = {
    "probability": [
        ("a and b are exchanged", lambda a, b: sigma(b - a)),
        ("σ(2Δ) instead", lambda a, b: sigma(2 * (a - b))),
        ("the rewards are added instead", lambda a, b: sigma(a + b)),
        ("only the reward of a", lambda a, b: sigma(a)),
        ("a loss, not a probability", lambda a, b: nats(a - b)),
        ("only the sign of Δ", lambda a, b: (np.sign(a - b) + 1) / 2),
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
        ("a straight line", lambda p: p - (1 - p)),
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
    "expected_loss": [
        ("only the likelier outcome", lambda t, z: np.where(t >= 0, nats(z), nats(-z)).mean()),
        ("only the outcome “a preferred”", lambda t, z: np.mean(sigma(t) * nats(z))),
        ("as if a always won", lambda t, z: nats(z).mean()),
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
    "overflow_limit": [
        ("the largest number itself", lambda dtype: float(np.finfo(dtype).max)),
        ("base 2", lambda dtype: float(np.finfo(dtype).maxexp)),
        ("base 10", lambda dtype: np.log10(float(np.finfo(dtype).max))),
        ("falls to zero", lambda dtype: np.finfo(dtype).minexp * np.log(2)),
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
    ("expected_loss", lambda t, z: nats(t).mean()),
    ("expected_loss", lambda t, z: np.mean((sigma(t) - sigma(z)) ** 2)),
    ("expected_loss", lambda t, z: fresh(t, z) - fresh(t, t)),
    ("ceiling", lambda t: np.abs(t).mean()),
    ("ceiling", lambda t: sigma(2 * np.abs(t)).mean()),
    ("ceiling", lambda t: np.sqrt(np.mean(sigma(t) ** 2))),
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
    ("kernel", kernel_of(lambda z, n: np.median(nats(z)), lambda z, n: -sigma(-z) / (n + 1))),
    ("kernel", kernel_of(lambda z, n: nats(z).sum() / (n - 1), lambda z, n: -sigma(-2 * z) / n)),
    ("kernel", kernel_of(lambda z, n: nats(2 * z).mean(), lambda z, n: z / n)),
]
