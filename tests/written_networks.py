"""Gradients of an MLP as people write them: the right ones in many styles, and changes that make them wrong.

In each text, ACT and SLOPE stand for the activation and its derivative, so that it serves tanh and ReLU.
"""

from __future__ import annotations

IMPORTS = "import numpy as np\n"
ACT = {"tanh": "np.tanh(a)", "relu": "np.maximum(a, 0)"}
SLOPE = {"tanh": "(1 - h**2)", "relu": "(a > 0)"}

RIGHT = {
    "two passes": """
def f(p, chosen, rejected):
    w, b, v = p["hidden_weights"], p["hidden_bias"], p["output_weights"]
    def forward(x):
        a = x @ w + b
        h = ACT
        return a, h, h @ v
    n = len(chosen)
    z = forward(chosen)[2] - forward(rejected)[2]
    d = -np.exp(-np.logaddexp(0, z)) / n
    g = {name: np.zeros_like(value) for name, value in p.items()}
    for x, d_r in ((chosen, d), (rejected, -d)):
        a, h, _ = forward(x)
        d_h = np.outer(d_r, v)
        d_a = d_h * SLOPE
        g["output_weights"] += h.T @ d_r
        g["hidden_bias"] += d_a.sum(axis=0)
        g["hidden_weights"] += x.T @ d_a
    return g
""",
    "stacked": """
def f(p, chosen, rejected):
    x, n = np.concatenate([chosen, rejected]), len(chosen)
    a = x @ p["hidden_weights"] + p["hidden_bias"]
    h = ACT
    r = h @ p["output_weights"]
    d = np.zeros(2 * n)
    d[:n] = -np.exp(-np.logaddexp(0, r[:n] - r[n:])) / n
    d[n:] = -d[:n]
    d_a = d[:, None] * p["output_weights"] * SLOPE
    return dict(output_weights=d @ h, hidden_weights=x.T @ d_a, hidden_bias=d_a.sum(0))
""",
    "einsum": """
def f(p, chosen, rejected):
    x = np.stack([chosen, rejected])
    a = np.einsum("snk,kh->snh", x, p["hidden_weights"]) + p["hidden_bias"]
    h = ACT
    r = np.einsum("snh,h->sn", h, p["output_weights"])
    q = np.exp(-np.logaddexp(0, r[0] - r[1])) / chosen.shape[0]
    d = np.stack([-q, q])
    d_a = np.einsum("sn,h,snh->snh", d, p["output_weights"], SLOPE)
    g_w = np.einsum("snk,snh->kh", x, d_a)
    g_b = np.einsum("snh->h", d_a)
    g_v = np.einsum("sn,snh->h", d, h)
    return {"hidden_bias": g_b, "output_weights": g_v, "hidden_weights": g_w}
""",
    "loops": """
def f(p, chosen, rejected):
    w, b, v = p["hidden_weights"], p["hidden_bias"], p["output_weights"]
    n, k = chosen.shape
    g_w, g_b, g_v = np.zeros(w.shape), np.zeros(b.shape), np.zeros(v.shape)
    for i in range(n):
        hidden = []
        for x in (chosen[i], rejected[i]):
            a = w.T @ x + b
            h = ACT
            hidden.append((x, a, h))
        z = hidden[0][2] @ v - hidden[1][2] @ v
        pull = -np.exp(-np.logaddexp(0, z)) / n
        for sign, (x, a, h) in zip((1, -1), hidden):
            for j in range(len(b)):
                slope = SLOPE[j] * v[j] * sign * pull
                g_b[j] += slope
                g_v[j] += sign * pull * h[j]
                for m in range(k):
                    g_w[m, j] += slope * x[m]
    return {"hidden_weights": g_w, "hidden_bias": g_b, "output_weights": g_v}
""",
    "classes": """
class Layer:
    def __init__(self, p):
        self.w, self.b, self.v = (p[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
    def __call__(self, x):
        self.x = x
        self.a = a = x @ self.w + self.b
        self.h = ACT
        return self.h @ self.v
    def back(self, d):
        a, h = self.a, self.h
        d_a = np.multiply.outer(d, self.v) * SLOPE
        return self.x.T @ d_a, d_a.sum(axis=0), d @ h
def f(p, chosen, rejected):
    up, down = Layer(p), Layer(p)
    z = up(chosen) - down(rejected)
    d = -np.exp(-np.logaddexp(0, z)) / len(z)
    parts = [s + t for s, t in zip(up.back(d), down.back(-d))]
    return dict(zip(("hidden_weights", "hidden_bias", "output_weights"), parts))
""",
    "with its loss": """
def f(p, c, r):
    w, b, v = p["hidden_weights"], p["hidden_bias"], p["output_weights"]
    rows = []
    for x in (c, r):
        a = x @ w + b
        h = ACT
        rows.append((x, h, SLOPE * v))
    z = (rows[0][1] - rows[1][1]) @ v
    q = 1 / (1 + np.exp(z))
    q = np.exp(-np.logaddexp(0, z)) / z.size
    g_w = -(rows[0][0] * q[:, None]).T @ rows[0][2] + (rows[1][0] * q[:, None]).T @ rows[1][2]
    g_b = -q @ (rows[0][2] - rows[1][2])
    return np.logaddexp(0, -z).mean(), {
        "output_weights": -q @ (rows[0][1] - rows[1][1]), "hidden_bias": g_b, "hidden_weights": g_w}
""",
}

SUM, TWICE, SIGN = "a sum over the pairs", "divided by n = 7 twice", "the sign is flipped"
MISSING, HEAD, A_FOR_H = "derivative of the activation is missing", "output weights are missing", "uses a = x W + b"
ADDED, CHOSEN, REJECTED = "the two answers are added", "only the chosen answer", "only the rejected answer"
ZERO, MEAN = "zero everywhere", "mean over the rows"

# style, activation or "both", what is replaced, by what, words that name the mistake
WRONG: list[tuple[str, str, str, str, str]] = [
    ("two passes", "both", "d_h * SLOPE", "d_h", MISSING),
    ("two passes", "both", "np.outer(d_r, v)", "np.outer(d_r, np.ones_like(v))", HEAD),
    ("two passes", "both", "h.T @ d_r", "a.T @ d_r", A_FOR_H),
    ("two passes", "both", "d_a.sum(axis=0)", "d_a.mean(axis=0)", MEAN),
    ("two passes", "both", "(rejected, -d)", "(rejected, d)", ADDED),
    ("two passes", "both", "((chosen, d), (rejected, -d))", "((chosen, d),)", CHOSEN),
    ("two passes", "both", "((chosen, d), (rejected, -d))", "((rejected, -d),)", REJECTED),
    ("two passes", "both", "-np.exp(", "np.exp(", SIGN),
    ("two passes", "both", " / n\n", "\n", SUM),
    ("two passes", "both", " / n\n", " / n / n\n", TWICE),
    ("two passes", "both", 'g["hidden_bias"] += d_a.sum(axis=0)', "pass", ZERO),
    ("two passes", "both", 'g["hidden_bias"] +=', 'g["hidden_bias"] -=', "sign is flipped"),
    ("two passes", "both", "logaddexp(0, z)", "logaddexp(0, -z)", "σ(Δ) instead"),
    ("two passes", "tanh", "SLOPE", "(1 - a**2)", "1 − a²"),
    ("two passes", "tanh", "SLOPE", "(1 - h)", "here it is 1 − h"),
    ("two passes", "tanh", "SLOPE", "h * (1 - h)", "h·(1 − h)"),
    ("two passes", "tanh", "SLOPE", "(1 + h**2)", "1 + h²"),
    ("two passes", "tanh", "SLOPE", "(h**2 - 1)", "h² − 1"),
    ("two passes", "tanh", "SLOPE", "(1 - np.tanh(h)**2)", "taken at h"),
    ("two passes", "tanh", "SLOPE", "(a > 0)", "that of ReLU"),
    ("two passes", "tanh", "ACT", "np.maximum(a, 0)", "the activation is relu"),
    ("two passes", "relu", "SLOPE", "(a <= 0)", "mask of the ReLU is inverted"),
    ("two passes", "relu", "SLOPE", "(a < 0)", "mask of the ReLU is inverted"),
    ("two passes", "relu", "SLOPE", "(1 - h**2)", "that of tanh"),
    ("two passes", "relu", "SLOPE", "np.where(a > 0, 1, 0.01)", "leaky"),
    ("two passes", "relu", "SLOPE", "h", "the activation h is used in place of its derivative"),
    ("stacked", "both", " * SLOPE", "", MISSING),
    ("stacked", "both", "hidden_bias=d_a.sum(0)", "hidden_bias=d_a.mean(0)", MEAN),
    ("stacked", "both", "hidden_bias=d_a.sum(0)", "hidden_bias=n * d_a.sum(0)", "was not divided by n = 7"),
    ("stacked", "both", "output_weights=d @ h", "output_weights=n * d @ h", "was not divided by n = 7"),
    ("stacked", "both", "output_weights=d @ h", "output_weights=d @ a", A_FOR_H),
    ("stacked", "both", "output_weights=d @ h", "output_weights=d_a.sum(0)", "holds the gradient of hidden_bias"),
    ("stacked", "both", "x.T @ d_a", "-x.T @ d_a", "sign is flipped"),
    ("stacked", "both", "d[n:] = -d[:n]", "d[n:] = d[:n]", ADDED),
    ("stacked", "both", "/ n\n", "/ (2 * n)\n", "2n"),
    ("stacked", "both", "/ n\n", "/ x.shape[1]\n", "number of features, 3"),
    ("stacked", "both", "x.T @ d_a", "2 * x.T @ d_a", "twice what it should be"),
    ("stacked", "both", "x.T @ d_a", "0.3 * x.T @ d_a", "off by a factor of 0.3"),
    ("stacked", "both", "x.T @ d_a", "d_a.T @ x", "looks like its transpose"),
    ("stacked", "both", "output_weights=d @ h, ", "", "expected a dict with the names"),
    ("stacked", "tanh", "SLOPE", "(1 - h)", "here it is 1 − h"),
    ("stacked", "tanh", "SLOPE", "(1 + h**2)", "1 + h²"),
    ("einsum", "both", "chosen.shape[0]", "chosen.shape[1]", "number of features, 3"),
    ("einsum", "both", " / chosen.shape[0]", "", SUM),
    ("einsum", "both", "[-q, q]", "[q, -q]", SIGN),
    ("einsum", "both", "[-q, q]", "[-q, -q]", ADDED),
    ("einsum", "both", "[-q, q]", "[-q, 0 * q]", CHOSEN),
    ("einsum", "both", 'p["output_weights"], SLOPE)', 'np.ones_like(p["output_weights"]), SLOPE)', HEAD),
    ("einsum", "both", "r[0] - r[1]", "r[1] - r[0]", "σ(Δ) instead"),
    ("loops", "both", "SLOPE[j] * v[j]", "v[j]", MISSING),
    ("loops", "both", "SLOPE[j] * v[j]", "SLOPE[j]", HEAD),
    ("loops", "both", "for i in range(n)", "for i in range(n - 1)", "the last pair is left out"),
    ("loops", "both", "for i in range(n)", "for i in range(1, n)", "the first pair is left out"),
    ("loops", "both", "pull * h[j]", "pull * a[j]", A_FOR_H),
    ("loops", "both", "g_b[j] += slope", "g_b[j] = slope", ""),
    ("loops", "both", "zip((1, -1), hidden)", "zip((1, 1), hidden)", ADDED),
    ("classes", "both", ", down.back(-d)", ", down.back(d)", ADDED),
    ("classes", "both", "up, down = Layer(p), Layer(p)", "up = down = Layer(p)", ZERO),
    ("classes", "both", "/ len(z)", "", SUM),
    ("classes", "tanh", "SLOPE", "(1 - a**2)", "1 − a²"),
    ("with its loss", "both", ".mean(), {", ".sum(), {", "a sum instead of a mean"),
    ("with its loss", "both", "g_b = -q", "g_b = q", "sign is flipped"),
    ("with its loss", "tanh", "rows.append((x, h, SLOPE * v))", "rows.append((x, h, SLOPE))", HEAD),
    # two mistakes at once
    ("two passes", "both", "-np.exp(-np.logaddexp(0, z)) / n", "np.exp(-np.logaddexp(0, z))", "two mistakes at once"),
]
