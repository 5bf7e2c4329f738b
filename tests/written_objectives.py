# ruff: noqa: E501  # the rows of a table
"""Functions phi -> (loss, gradient) as people write them, for weighted pairs with labels, margins and a penalty.

Each is a source text with one or more places to be changed. ``D`` holds the data of a problem: c and r (features or
item numbers), w, t, m, l2, and for a network the shapes (k, h). Nothing here calls the package.
"""

from __future__ import annotations

IMPORTS = "import numpy as np\n"

COMMON = """
    z = z - D.m
    loss = D.w @ (D.t * np.logaddexp(0, -z) + (1 - D.t) * np.logaddexp(0, z)) / D.w.sum()
    loss += D.l2 / 2 * phi @ phi
    d = D.w * ((1 - D.t) * np.exp(-np.logaddexp(0, -z)) - D.t * np.exp(-np.logaddexp(0, z))) / D.w.sum()
"""
LINEAR = (
    """
def f(phi):
    x = D.c - D.r
    z = x @ phi"""
    + COMMON
    + """
    g = x.T @ d
    return loss, g + D.l2 * phi
"""
)
TABLE = (
    """
def f(phi):
    z = phi[D.c] - phi[D.r]"""
    + COMMON
    + """
    g = np.zeros(len(phi))
    np.add.at(g, D.c, d)
    np.add.at(g, D.r, -d)
    return loss, g + D.l2 * phi
"""
)
NETWORK = (
    """
def f(phi):
    k, h = D.k, D.h
    W, b, v = phi[:k * h].reshape(k, h), phi[k * h:k * h + h], phi[k * h + h:]
    up, down = np.tanh(D.c @ W + b), np.tanh(D.r @ W + b)
    z = (up - down) @ v"""
    + COMMON
    + """
    d_up, d_down = np.outer(d, v) * (1 - up**2), np.outer(-d, v) * (1 - down**2)
    g_W = D.c.T @ d_up + D.r.T @ d_down
    g_b = d_up.sum(0) + d_down.sum(0)
    g = np.concatenate([g_W.ravel(), g_b, (up - down).T @ d])
    return loss, g + D.l2 * phi
"""
)
TEXTS = {"linear": LINEAR, "table": TABLE, "network": NETWORK}

# Other ways to write the same, as (kind, what is replaced, by what): each of them is right.
RIGHT: list[tuple[str, str, str]] = [
    ("linear", "g = x.T @ d", "g = (x * d[:, None]).sum(axis=0)"),
    ("linear", "g = x.T @ d", "g = np.einsum('ij,i', x, d)"),
    ("linear", "g = x.T @ d", "g = sum(di * xi for di, xi in zip(d, x))"),
    ("linear", "return loss, g", "return np.array(loss), g"),
    ("linear", "return loss, g", "return loss.item(), g"),
    ("linear", "g + D.l2 * phi", "(g + D.l2 * phi).tolist()"),
    ("linear", "g + D.l2 * phi", "np.asfortranarray(g) + phi * D.l2"),
    ("linear", "z = x @ phi", "z = np.array([xi.dot(phi) for xi in x])"),
    ("linear", "g = x.T @ d", "g = np.float32(0) + x.T @ d"),
    ("linear", "return loss, g + D.l2 * phi", "return np.float32(loss), (g + D.l2 * phi).astype(np.float32)"),
    ("linear", "return loss,", "return loss + 5.0,"),
    ("linear", "g = x.T @ d", "g = np.zeros(len(phi))\n    for i in range(len(d)):\n        g += d[i] * x[i]"),
    ("table", "np.add.at(g, D.c, d)", "g += np.bincount(D.c, d, len(phi))"),
    ("table", "np.add.at(g, D.r, -d)", "g -= np.bincount(D.r, d, len(phi))"),
    ("table", "np.add.at(g, D.c, d)", "for i, di in zip(D.c, d):\n        g[i] += di"),
    ("table", "np.add.at(g, D.r, -d)", "g -= np.eye(len(phi))[D.r].T @ d"),
    ("table", "return loss, g", "return loss, 0 + g"),
    ("network", "1 - up**2", "1 / np.cosh(D.c @ W + b)**2"),
    ("network", "g_b = d_up.sum(0) + d_down.sum(0)", "g_b = (d_up + d_down).T @ np.ones(len(d))"),
    ("network", "np.tanh(D.c @ W + b), ", "2 / (1 + np.exp(-2 * (D.c @ W + b))) - 1, "),
    ("network", "g_W = D.c.T @ d_up", "g_W = np.einsum('ij,ik->jk', D.c, d_up)"),
    ("network", "g_W.ravel()", "g_W.reshape(-1)"),
]

PENALTY = "g + D.l2 * phi"
WRONG: list[tuple[str, str, str, str]] = []
for _kind in TEXTS:
    WRONG += [
        (_kind, PENALTY, "g", "the penalty l2·φ is missing"),
        (_kind, PENALTY, "g + 2 * D.l2 * phi", "the penalty counts twice"),
        (_kind, PENALTY, "g - D.l2 * phi", "the penalty has the wrong sign"),
        (_kind, PENALTY, "g + D.l2 / 2 * phi", "half the penalty"),
        (_kind, PENALTY, "g + D.l2 * phi / len(d)", "the penalty is divided by n"),
        (_kind, PENALTY, "g + phi", "φ is added instead"),
        (_kind, PENALTY, "g + D.l2 * np.sign(phi)", "l2·sign(φ)"),
        (_kind, PENALTY, "g + (D.l2 + 0.01) * phi", "the penalty is 0.31·φ"),
        (_kind, PENALTY, "-(g + D.l2 * phi)", "the sign is flipped"),
        (_kind, PENALTY, "g * D.w.sum() + D.l2 * phi", "the division by Σ w is missing"),
        (_kind, PENALTY, "g * D.w.sum() / len(d) + D.l2 * phi", "divided by n = 23 instead of Σ w"),
        (_kind, PENALTY, "g / D.w.sum() + D.l2 * phi", "divided by Σ w twice"),
        (_kind, "    d = D.w *", "    d =", "the weights are missing in the sum"),
        (_kind, "(1 - D.t) * np.exp(-np.logaddexp(0, -z)) - D.t *", "-", "the labels are ignored"),
        (_kind, "((1 - D.t) * np.exp", "(D.t * np.exp", ""),
        (_kind, "    d = D.w", "    z = z + D.m\n    d = D.w", "the target margins are ignored"),
        (_kind, "    d = D.w", "    z = z + 2 * D.m\n    d = D.w", "the target margins are added"),
        (_kind, "    d = D.w *", "    d = D.w**2 *", "the weights count twice"),
        (_kind, PENALTY, "np.roll(g + D.l2 * phi, 1)", "every entry is 1 place too late" if _kind != "network" else ""),
        (_kind, PENALTY, "g * D.w.sum()", "two mistakes at once"),
    ]
WRONG += [
    ("table", "np.add.at(g, D.c, d)", "g[D.c] += d", ""),
    ("table", "np.add.at(g, D.c, d)\n    np.add.at(g, D.r, -d)", "g[D.c] += d\n    g[D.r] -= d", "overwrites its earlier"),
    ("table", "np.add.at(g, D.c, d)\n    np.add.at(g, D.r, -d)", "g[D.c] = d\n    g[D.r] = -d", "overwrites its earlier"),
    ("table", "np.add.at(g, D.r, -d)", "np.add.at(g, D.r, d)", "the two answers are added"),
    ("table", "np.add.at(g, D.r, -d)", "pass", "only the chosen answer"),
    ("linear", "g = x.T @ d", "g = D.c.T @ d", "only the chosen answer"),
    ("linear", "g = x.T @ d", "g = np.zeros(len(phi))\n    for i in range(len(d) - 1):\n        g += d[i] * x[i]", "the last pair"),
    ("linear", "return loss, g", "return loss, g * (np.arange(len(g)) > 0)", ""),
    ("network", PENALTY, "g + D.l2 * np.where(np.arange(len(g)) < k * h, phi, 0)", "the penalty l2·φ is added in hidden_weights"),
    ("network", PENALTY, "g + D.l2 * np.where(np.arange(len(g)) < k * h, 0, phi)", "l2·φ is missing in hidden_weights"),
    ("network", "(1 - up**2), np", "(1 - up), np", ""),
    ("network", "(1 - up**2), np.outer(-d, v) * (1 - down**2)", "1, np.outer(-d, v)", "of the activation is missing"),
    ("network", "(1 - down**2)", "(1 - up**2)", "act′ is taken at the chosen answer"),
    ("network", "+ d_down.sum(0)", "- d_down.sum(0)", "in hidden_bias alone, the gradients of the two answers are added"),
    ("network", "g_W.ravel()", "g_W.T.ravel()", ""),
]  # fmt: skip
