"""Losses with a small error of their own: found by an inner iteration, by bisection, by quadrature or in a table.

Their right gradients are never called wrong, and wrong gradients of them never pass. Gradients are from the implicit
function theorem.
"""

from itertools import product

import numpy as np
import pytest

import bradley_terry as bt

D = np.random.default_rng(1).normal(size=(12, 4))


def of_pairs(w):
    """Return the mean of −log σ(D w) and its gradient."""
    z = D[:, : w.size] @ w
    return float(np.mean(np.logaddexp(0, -z))), -(D[:, : w.size].T @ (1 / (1 + np.exp(z)))) / len(D)


def plus(w, s, ds, u):
    loss, gradient = of_pairs(w)
    return loss + 0.3 * s, gradient + 0.3 * ds * u


def fixed_point(rate, damping=1.0, start=0.0):
    """Solve s = a·sin s + sin(u·w), where a depends on w, too."""

    def function(w, tolerance):
        u = np.linspace(0.3, 0.8, w.size)
        a, s = rate * (0.9 + 0.1 * np.tanh(u @ w)), start
        while True:
            step = damping * (a * np.sin(s) + np.sin(u @ w) - s)
            s += step
            if abs(step) < tolerance:
                break
        da = 0.1 * rate * (1 - np.tanh(u @ w) ** 2)
        return plus(w, s, (da * np.sin(s) + np.cos(u @ w)) / (1 - a * np.cos(s)), u)

    return function


def bisection(w, tolerance):
    """Solve s = c·cos s, where c = tanh(u·w)/2."""
    u = np.linspace(0.3, 0.8, w.size)
    c, low, high = 0.5 * np.tanh(u @ w), -1.0, 1.0
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if middle > c * np.cos(middle) else (middle, high)
    s = (low + high) / 2
    return plus(w, s, np.cos(s) / (1 + c * np.sin(s)) * 0.5 * (1 - np.tanh(u @ w) ** 2), u)


def newton(w, tolerance):
    """Find the same s by Newton's method, which stops at a small residual."""
    u = np.linspace(0.3, 0.8, w.size)
    c, s = 0.5 * np.tanh(u @ w), 0.9
    while abs(s - c * np.cos(s)) >= tolerance:
        s -= (s - c * np.cos(s)) / (1 + c * np.sin(s))
    return plus(w, s, np.cos(s) / (1 + c * np.sin(s)) * 0.5 * (1 - np.tanh(u @ w) ** 2), u)


def steps_that_depend_on_phi(w, tolerance):
    """Find the same s in a number of iterations that depends on w."""
    u = np.linspace(0.3, 0.8, w.size)
    c, s = 0.5 * np.tanh(u @ w), 0.0
    for _ in range(int(-1.5 * np.log(tolerance) + abs(10 * w.sum()))):
        s = c * np.cos(s)
    return plus(w, s, np.cos(s) / (1 + c * np.sin(s)) * 0.5 * (1 - np.tanh(u @ w) ** 2), u)


def series(w, tolerance):
    """Add up −log(1 − x) as a sum that stops at a small term, x = .8·tanh(u·w)."""
    u = np.linspace(0.3, 0.8, w.size)
    x, s, k = 0.8 * np.tanh(u @ w), 0.0, 1
    while abs(x**k / k) > tolerance:
        s, k = s + x**k / k, k + 1
    return plus(w, s, 0.8 * (1 - np.tanh(u @ w) ** 2) / (1 - x), u)


def gauss_seidel(w, tolerance):
    """Compute q·A⁻¹p, where the diagonal of A depends on w, by sweeps until no entry changes much."""
    rng = np.random.default_rng(5)
    rows, p, q = rng.normal(size=(6, w.size)), *rng.normal(size=(2, 6))
    matrix = rng.normal(size=(6, 6))
    diagonal = np.exp(0.3 * np.tanh(rows @ w))
    matrix += matrix.T + np.diag(1.1 * np.abs(matrix + matrix.T).sum(axis=0) + diagonal)
    x, change = np.zeros(6), np.inf
    while change >= tolerance:
        before = x.copy()
        for i in range(6):
            x[i] += (p[i] - matrix[i] @ x) / matrix[i, i]
        change = np.abs(x - before).max()
    y = np.linalg.solve(matrix, q)
    loss, gradient = of_pairs(w)
    return loss + float(q @ x), gradient - rows.T @ (y * x * diagonal * 0.3 * (1 - np.tanh(rows @ w) ** 2))


KINDS = {
    "rate 0.3": fixed_point(0.3),
    "rate 0.6": fixed_point(0.6),
    "rate 0.6, damped": fixed_point(0.6, damping=0.5),
    "rate 0.9, another start": fixed_point(0.9, start=2.0),
    "rate 0.97": fixed_point(0.97),
    "rate 0.99": fixed_point(0.99),
    "bisection": bisection,
    "Newton": newton,
    "number of steps": steps_that_depend_on_phi,
    "series": series,
    "Gauss-Seidel": gauss_seidel,
}
QUICK = [("rate 0.6", 1e-6, 0), ("bisection", 1e-9, 1)]
ALL = [case for case in product(KINDS, (1e-6, 1e-9, 1e-12), range(8)) if case not in QUICK]
LIMIT = pytest.mark.xfail(reason="so coarse a loss has steps that a small error hides in", strict=False)
COARSE = [(kind, 1e-6, seed) for kind in ("bisection", "Gauss-Seidel") for seed in range(8)]


@pytest.mark.parametrize(
    ("kind", "tolerance", "seed"),
    [*QUICK, *(pytest.param(*case, marks=LIMIT if case in COARSE else ()) for case in ALL)],
)
@pytest.mark.full
def test_the_right_gradient_of_an_inexact_loss_is_not_wrong(kind, tolerance, seed):
    """It passes, or could not be judged. Wrong gradients do not pass: the sign, 2 %, one entry off by 5 %, a zero."""
    w = np.random.default_rng(seed).normal(size=(1, 2, 4)[seed % 3]) * (1, 0.3, 2)[seed % 3]
    report = bt.check_gradient(lambda w: KINDS[kind](w, tolerance), w)
    assert not any(block.n_wrong for block in report.blocks)
    assert not report.message
    largest = np.arange(w.size) == np.argmax(np.abs(KINDS[kind](w, tolerance)[1]))
    for factor in (-1.0, 1.02, 1 + 0.05 * largest, 1.0 - largest):

        def wrong(w, factor=factor):
            loss, gradient = KINDS[kind](w, tolerance)
            return loss, factor * gradient

        assert not bt.check_gradient(wrong, w).passed


@pytest.mark.parametrize("n_steps", [3, 6])
def test_a_fixed_number_of_steps_makes_another_loss(n_steps):
    """The error of a fixed number of steps is a smooth function of φ: the loss has another gradient than its limit."""

    def function(w, exact):
        c, s = 0.5 * np.tanh(w.sum()), 0.0
        for _ in range(n_steps):
            s = c * np.cos(s)
        at = s
        for _ in range(100):
            at = c * np.cos(at)
        slope = np.cos(at) / (1 + c * np.sin(at)) if exact else derivative(c)
        return s, slope * 0.5 * (1 - np.tanh(w.sum()) ** 2) * np.ones(w.size)

    def derivative(c):
        s = ds = 0.0
        for _ in range(n_steps):
            s, ds = c * np.cos(s), np.cos(s) - c * np.sin(s) * ds
        return ds

    w = np.array([0.4, 0.3])
    assert bt.check_gradient(lambda w: function(w, exact=False), w).passed
    assert not bt.check_gradient(lambda w: function(w, exact=True), w).passed
