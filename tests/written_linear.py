"""Gradients of a linear scorer as people write them: the right ones in many styles, and changes that make them wrong.

They are source texts, so that one mistake is one replaced piece of text. Nothing here calls the package.
"""

from __future__ import annotations

IMPORTS = "import numpy as np\nfrom itertools import starmap\nfrom functools import reduce\nimport math\n"

RIGHT = {
    "one line": """
def f(w, c, r):
    return -((c - r) * (1 / (1 + np.exp((c - r) @ w)))[:, None]).mean(axis=0)
""",
    "matrix products": """
def f(w, c, r):
    d = c - r
    z = d @ w
    p = np.exp(-np.logaddexp(0, z))
    return -d.T @ p / len(z)
""",
    "einsum": """
def f(w, c, r):
    z = np.einsum("ij,j->i", c - r, w)
    q = np.exp(-np.logaddexp(0, z))
    return -np.einsum("i,ij->j", q, c - r) / z.size
""",
    "loop over pairs": """
def f(w, c, r):
    g = np.zeros(len(w))
    n = len(c)
    for i in range(n):
        z = c[i] @ w - r[i] @ w
        q = 1 / (1 + np.exp(z)) if z < 0 else np.exp(-z) / (1 + np.exp(-z))
        g += -q * (c[i] - r[i]) / n
    return g
""",
    "loop over entries": """
def f(w, c, r):
    n, k = c.shape
    g = []
    for j in range(k):
        total = 0.0
        for i in range(n):
            z = sum((c[i, m] - r[i, m]) * w[m] for m in range(k))
            total -= (c[i, j] - r[i, j]) * (0.5 - 0.5 * math.tanh(z / 2))
        g.append(total / n)
    return g
""",
    "both sides": """
def f(w, chosen, rejected):
    margins = chosen @ w - rejected @ w
    d_margins = -np.exp(-np.logaddexp(0, margins)) / margins.size
    d_chosen, d_rejected = d_margins, -d_margins
    return d_chosen @ chosen + d_rejected @ rejected
""",
    "stacked": """
def f(w, chosen, rejected):
    n = len(chosen)
    x = np.concatenate([chosen, rejected])
    rewards = x @ w
    z = rewards[:n] - rewards[n:]
    d = np.empty(2 * n)
    d[:n] = -np.exp(-np.logaddexp(0, z)) / n
    d[n:] = -d[:n]
    return x.T @ d
""",
    "class": """
class Model:
    def __init__(self, w):
        self.w, self.tape = w, []
    def forward(self, c, r):
        self.d = c - r
        self.z = self.d @ self.w
        return np.logaddexp(0, -self.z).mean()
    def backward(self):
        e = np.exp(-np.abs(self.z))
        q = np.where(self.z > 0, e, 1.0) / (1 + e)
        return -(q @ self.d) / len(self.z)
def f(w, c, r):
    model = Model(w)
    model.forward(c, r)
    return model.backward()
""",
    "in place": """
def f(w, c, r):
    g = np.zeros_like(w)
    d = np.subtract(c, r)
    z = d @ w
    np.logaddexp(0, z, out=z)
    np.exp(-z, out=z)
    np.multiply(d, z[:, None], out=d)
    np.add.reduce(d, axis=0, out=g)
    g /= -len(c)
    return g
""",
    "tape": """
class Value:
    def __init__(self, data, parents=(), slopes=()):
        self.data, self.parents, self.slopes, self.grad = data, parents, slopes, 0.0
    def __add__(self, o):
        return Value(self.data + o.data, (self, o), (1.0, 1.0))
    def times(self, k):
        return Value(self.data * k, (self,), (k,))
    def loss(self):
        z = self.data
        return Value(np.logaddexp(0, -z), (self,), (-np.exp(-np.logaddexp(0, z)),))
    def back(self, g):
        self.grad += g
        for p, s in zip(self.parents, self.slopes):
            p.back(g * s)
def f(w, c, r):
    leaves = [Value(float(x)) for x in w]
    for a, b in zip(c, r):
        z = reduce(lambda u, v: u + v, [leaf.times(float(x - y)) for leaf, x, y in zip(leaves, a, b)])
        z.loss().back(1 / len(c))
    return np.array([leaf.grad for leaf in leaves])
""",
    "list of pairs": """
def pull(z):
    return -np.exp(-np.logaddexp(0, z))
def f(w, c, r):
    rows = [pull((a - b) @ w) * (a - b) for a, b in zip(c, r)]
    return sum(rows) / len(rows)
""",
    "log of a softmax": """
def f(w, c, r):
    rewards = np.stack([c @ w, r @ w], axis=1)
    rewards = rewards - rewards.max(axis=1, keepdims=True)
    share = np.exp(rewards) / np.exp(rewards).sum(axis=1, keepdims=True)
    share[:, 0] -= 1
    return (share[:, :1] * c + share[:, 1:] * r).mean(axis=0)
""",
    "labels": """
def f(w, c, r):
    y = np.ones(len(c))
    p = 0.5 * (1 + np.tanh(0.5 * ((c - r) @ w)))
    return (c - r).T @ (p - y) / y.sum()
""",
    "fortran order": """
def f(w, c, r):
    d = np.asfortranarray(c) - np.asfortranarray(r)
    q = np.exp(-np.logaddexp(0, w @ d.T))
    return np.average(-d, axis=0, weights=q) * q.mean()
""",
    "batches": """
def f(w, c, r):
    g, n = 0, len(c)
    for start in range(0, n, 2):
        d = c[start:start + 2] - r[start:start + 2]
        g = g - np.exp(-np.logaddexp(0, d @ w)) @ d
    return g / n
""",
    "broadcast": """
def f(w, c, r):
    d = (c - r)[..., None]
    z = (d * w[:, None]).sum(axis=1)
    return -(d[..., 0] * np.exp(-np.logaddexp(0, z))).mean(0)
""",
    "with its loss": """
def f(w, c, r):
    z = (c - r) @ w
    loss = np.logaddexp(0, -z).mean()
    return loss, -np.exp(-np.logaddexp(0, z)) @ (c - r) / z.size
""",
    "long double": """
def f(w, c, r):
    d = (c - r).astype(np.longdouble)
    q = np.exp(-np.logaddexp(0, d @ w))
    return (-(q @ d) / len(d)).astype(float)
""",
    "matrix of slopes": """
def f(w, c, r):
    d = c - r
    jacobian = np.diag(-np.exp(-np.logaddexp(0, d @ w))) @ d
    return np.ones(len(d)) @ jacobian / len(d)
""",
    "map and reduce": """
def f(w, c, r):
    def one(a, b):
        return (a - b) * -np.exp(-np.logaddexp(0, (a - b) @ w))
    return reduce(np.add, starmap(one, zip(c, r))) / c.shape[0]
""",
}

TORCH = """
import torch
def f(w, c, r):
    w, c, r = (torch.tensor(x, dtype=torch.float64) for x in (w, c, r))
    w.requires_grad_(True)
    loss = -torch.nn.functional.logsigmoid((c - r) @ w).mean()
    loss.backward()
    return w.grad.numpy()
"""

SUM, TWICE, SIGN = "a sum over the pairs", "divided by n = 7 twice", "the sign is flipped"
SIGMA, FULL, PRIME = "σ(Δ) instead of σ(−Δ)", "every pair pulls with full force", "σ′(Δ) instead"
CHOSEN, REJECTED, ADDED = "only the chosen answer", "only the rejected answer", "the two answers are added"
FIRST, LAST, ONLY_LAST = "the first pair is left out", "the last pair is left out", "only the last pair"
FEATURES, EXCHANGED = "the number of features, 3", "chosen and rejected are exchanged"

# style, what is replaced, by what, words that name the mistake
WRONG: list[tuple[str, str, str, str]] = [
    ("one line", "-((c", "((c", SIGN),
    ("one line", ".mean(axis=0)", ".sum(axis=0)", SUM),
    ("one line", "np.exp((c - r)", "np.exp((r - c)", SIGMA),
    ("one line", ".mean(axis=0)", ".mean(axis=0) / len(c)", TWICE),
    ("one line", ".mean(axis=0)", ".sum(axis=0) / len(w)", FEATURES),
    ("one line", "* (1 / (1 + np.exp((c - r) @ w)))[:, None]", "", FULL),
    ("matrix products", "d = c - r", "d = r - c", EXCHANGED),
    ("matrix products", "/ len(z)", "/ len(w)", FEATURES),
    ("matrix products", "/ len(z)", "/ (2 * len(z))", "2n"),
    ("matrix products", "logaddexp(0, z)", "logaddexp(0, 2 * z)", "σ(2Δ)"),
    ("matrix products", "-d.T @ p", "-d.T @ (p * (1 - p))", PRIME),
    ("matrix products", "-d.T @ p", "-c.T @ p", CHOSEN),
    ("matrix products", "-d.T @ p", "r.T @ p", REJECTED),
    ("matrix products", "-d.T @ p", "-(c + r).T @ p", ADDED),
    ("matrix products", "-d.T @ p", "-d.T @ (z < 1)", "slope of the hinge"),
    ("matrix products", "-d.T @ p", "-d.T @ (z < 0)", "ranked wrongly pull"),
    ("matrix products", "-d.T @ p", "-d.T @ p**2", "σ(−Δ)² instead"),
    ("matrix products", "-d.T @ p", "-d.T @ np.exp(-z)", "exp(−Δ) instead"),
    ("matrix products", "-d.T @ p", "-d.T @ np.logaddexp(0, -z)", "the loss instead of its slope"),
    ("matrix products", "-d.T @ p", "-d.T @ np.roll(p, 1)", "of the pair before it"),
    ("matrix products", "-d.T @ p", "-d.T @ np.roll(p, -1)", "of the pair after it"),
    ("matrix products", "-d.T @ p", "-d.T @ p[::-1]", "in reverse order"),
    ("matrix products", "-d.T @ p / len(z)", "-d.mean(axis=0) * p.mean()", "has the mean pull"),
    ("matrix products", "z = d @ w", "z = np.full(len(d), (d @ w).mean())", "σ of the mean margin"),
    ("matrix products", "z = d @ w", "z = np.clip(d @ w, -1, 1)", "clipped to ±1"),
    ("matrix products", "/ len(z)", "/ np.log(2) / len(z)", "base 2"),
    ("matrix products", "/ len(z)", "/ np.log(10) / len(z)", "base 10"),
    ("matrix products", "/ len(z)", "/ (len(z) - 1)", "n − 1"),
    ("matrix products", "return", "return 0.1 * w +", "0.1·φ is added"),
    ("matrix products", "/ len(z)", "/ len(z) * 0", "never filled in"),
    ("einsum", "-np.einsum", "np.einsum", SIGN),
    ("einsum", " / z.size", "", SUM),
    ("einsum", "z = np.einsum(", "z = -np.einsum(", SIGMA),
    ("einsum", '"i,ij->j", q, c - r', '"i,ij->j", q, c', CHOSEN),
    ("einsum", '"i,ij->j", q, c - r', '"i,ij->j", q, c + r', ADDED),
    ("einsum", '"i,ij->j", q', '"k,ij->j", q / len(q)', "has the mean pull"),
    ("einsum", "/ z.size", "/ z.size**2", TWICE),
    ("loop over pairs", "range(n)", "range(n - 1)", LAST),
    ("loop over pairs", "range(n)", "range(1, n)", FIRST),
    ("loop over pairs", "g +=", "g =", ONLY_LAST),
    ("loop over pairs", " / n\n", "\n", SUM),
    ("loop over pairs", "g += -q", "g -= -q", SIGN),
    ("loop over pairs", "(c[i] - r[i]) / n", "c[i] / n", CHOSEN),
    ("loop over pairs", "(c[i] - r[i]) / n", "(c[i] + r[i]) / n", ADDED),
    ("loop over pairs", "return g", "return g / n", TWICE),
    ("loop over pairs", "    return g", "        return g", "only the first pair"),
    ("loop over pairs", "range(n)", "range(n // 2)", "the first half of the pairs"),
    ("loop over pairs", "range(n)", "range(0, n, 2)", "every second pair"),
    ("loop over pairs", "(c[i] - r[i]) / n", "(c[i - 1] - r[i - 1]) / n", "of the pair after it"),
    ("loop over pairs", "range(n)", "[0, 1, 2, 2, 3, 4, 5, 6]", "pair 2 counts twice"),
    ("loop over pairs", "range(n)", "[0, 1, 2, 4, 5, 6]", "pair 3 is left out"),
    ("loop over entries", "total / n", "total / k", FEATURES),
    ("loop over entries", "total / n", "total", SUM),
    ("loop over entries", "total -=", "total +=", SIGN),
    ("loop over entries", "range(n)", "range(n - 1)", LAST),
    ("loop over entries", "z / 2", "z", "σ(2Δ)"),
    ("loop over entries", "0.5 - 0.5 * math", "0.5 + 0.5 * math", SIGMA),
    ("loop over entries", "g.append(", "g.insert(0, ", "wrong places"),
    ("loop over entries", "total -= ", "total = -", ONLY_LAST),
    ("both sides", "= d_margins, -d_margins", "= d_margins, d_margins", ADDED),
    ("both sides", " + d_rejected @ rejected", "", CHOSEN),
    ("both sides", "d_chosen @ chosen + ", "", REJECTED),
    ("both sides", "chosen @ w - rejected @ w", "rejected @ w - chosen @ w", SIGMA),
    ("both sides", "= d_margins, -d_margins", "= -d_margins, d_margins", SIGN),
    ("both sides", " / margins.size", "", SUM),
    ("both sides", "d_chosen @ chosen + d_rejected @ rejected", "d_chosen @ rejected + d_rejected @ chosen", SIGN),
    ("stacked", "d[n:] = -d[:n]", "d[n:] = d[:n]", ADDED),
    ("stacked", "d[n:] = -d[:n]", "d[n:] = 0", CHOSEN),
    ("stacked", "/ n\n", "/ (2 * n)\n", "2n"),
    ("stacked", "rewards[:n] - rewards[n:]", "rewards[n:] - rewards[:n]", SIGMA),
    ("stacked", "/ n\n", "\n", SUM),
    ("class", "q = np.where(self.z > 0, e, 1.0)", "q = np.where(self.z > 0, 1.0, e)", SIGMA),
    ("class", "-(q @ self.d)", "(q @ self.d)", SIGN),
    ("class", " / len(self.z)", "", SUM),
    ("class", "q @ self.d", "np.ones_like(q) @ self.d", FULL),
    ("class", "q @ self.d", "(q * (1 - q)) @ self.d", PRIME),
    ("class", "    return model.backward()", "    return 2 * model.backward()", "twice what it should be"),
    ("class", "self.d = c - r", "self.d = r - c", EXCHANGED),
    ("in place", "g /= -len(c)", "g /= len(c)", SIGN),
    ("in place", "g /= -len(c)", "g *= -1", SUM),
    ("in place", "g /= -len(c)", "g /= -len(c) ** 2", TWICE),
    ("in place", "np.subtract(c, r)", "np.add(c, r)", ""),
    ("in place", "np.subtract(c, r)", "np.subtract(c, r, out=c)", "changes its input chosen"),
    ("tape", "self.grad += g", "self.grad = g", ONLY_LAST),
    ("tape", "1 / len(c)", "1.0", SUM),
    ("tape", "1 / len(c)", "-1 / len(c)", SIGN),
    ("tape", "float(x - y)", "float(y - x)", EXCHANGED),
    ("tape", "float(x - y)", "float(x)", ""),
    ("list of pairs", "return sum(rows) / len(rows)", "return rows[-1] / len(rows)", ONLY_LAST),
    ("list of pairs", "sum(rows) / len(rows)", "sum(rows)", SUM),
    ("list of pairs", "sum(rows) / len(rows)", "np.median(rows, axis=0)", ""),
    ("list of pairs", "sum(rows) / len(rows)", "np.array(rows)", "sum over the pairs"),
    ("list of pairs", "sum(rows) / len(rows)", "np.mean(rows)", "one sum or mean too many"),
    ("list of pairs", "sum(rows) / len(rows)", "sum(rows[1:]) / len(rows)", FIRST),
    ("list of pairs", "sum(rows) / len(rows)", "sum(rows[:-1]) / len(rows[:-1])", LAST),
    ("log of a softmax", "share[:, 0] -= 1", "share[:, 1] -= 1", EXCHANGED),
    ("log of a softmax", "share[:, 0] -= 1", "pass", ""),
    ("log of a softmax", "+ share[:, 1:] * r", "", CHOSEN),
    ("log of a softmax", "+ share[:, 1:] * r", "- share[:, 1:] * r", ADDED),
    ("log of a softmax", "share[:, :1] * c + ", "", REJECTED),
    ("labels", "p - y", "y - p", SIGN),
    ("labels", "p - y", "p", EXCHANGED),
    ("labels", "0.5 * ((c - r) @ w)", "(c - r) @ w", "σ(2Δ)"),
    ("labels", "/ y.sum()", "", SUM),
    ("labels", "y = np.ones(len(c))", "y = np.zeros(len(c))", "divide by zero"),
    ("fortran order", "* q.mean()", "", "every entry is off by a factor of 2.55516"),
    ("batches", "range(0, n, 2)", "range(0, n - 1, 2)", LAST),
    ("batches", "g = g - ", "g = -", ONLY_LAST),
    ("batches", "/ n\n", "/ n / 2\n", "2n"),
    ("broadcast", ".mean(0)", ".sum(0)", SUM),
    ("broadcast", ".sum(axis=1)", ".sum(axis=0)", "could not be broadcast"),
    ("with its loss", ".mean()", ".sum()", "a sum instead of a mean"),
    ("with its loss", "logaddexp(0, -z)", "logaddexp(0, z)", "chosen and rejected are exchanged"),
    ("with its loss", "-np.exp(", "np.exp(", SIGN),
    ("long double", "-(q @ d)", "np.clip(-(q @ d), -0.5, 0.5)", "clipped"),
    ("long double", "return (-(q @ d) / len(d))", "g = -(q @ d)\n    return (g / np.sqrt(g @ g))", "its length is 1"),
    ("matrix of slopes", "np.diag(-np.exp(-np.logaddexp(0, d @ w)))", "np.diag(-np.ones(len(d)))", FULL),
    ("matrix of slopes", "np.ones(len(d))", "np.eye(len(d))[0]", "only the first pair"),
    ("map and reduce", "c.shape[0]", "c.shape[1]", FEATURES),
    ("map and reduce", "starmap(one, zip(c, r))", "starmap(one, zip(c, r[1:]))", ""),
    ("one line", ".mean(axis=0)", ".mean(axis=0) + np.random.normal(size=len(w))", "two calls on the same input"),
    (
        "matrix products",
        "d = c - r",
        "i = np.random.permutation(len(c))[:5]\n    d = (c - r)[i]",
        "two calls on the same",
    ),
    ("matrix products", "d = c - r", "d = (c - r) * (np.random.random(c.shape) < 0.5)", "two calls on the same input"),
    # two mistakes at once
    ("matrix products", "-d.T @ p / len(z)", "d.T @ p", "two mistakes at once: the sign is flipped"),
    ("matrix products", "-d.T @ p / len(z)", "-c.T @ p", "two mistakes at once"),
    ("matrix products", "-d.T @ p / len(z)", "-d.T @ p[::1] / len(z) / 2 - c.T @ p / len(z) / 3", ""),
    ("einsum", '-np.einsum("i,ij->j", q, c - r) / z.size', "np.einsum('i,ij->j', q, c) / z.size", "two mistakes"),
    ("loop over pairs", "g += -q * (c[i] - r[i]) / n", "g = -q * c[i] / n", "two mistakes at once"),
]
