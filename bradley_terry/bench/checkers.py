"""Forty gradients, right and wrong, judged by our check and by those of torch, JAX and SciPy.

Each library is asked with its own default tolerances, in float64. SciPy's ``check_grad`` returns an error instead of a
verdict; here a gradient passes if that error is at most 1e-6 of the gradient's length, or 1e-6 if that is larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import numpy as np

from ..fitting.progress import followed
from ..gradient_check import check_gradient
from ..logistic import Array, sigmoid
from ..losses import pair_losses
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, TableScorer

__all__ = ["CHECKERS", "Case", "Comparison", "cases", "compare_checkers"]

Function = Callable[[Array], tuple[float, Array]]
Change = Callable[[Array, Array], Array]  # from φ and the right gradient to the one that is returned


@dataclass(frozen=True)
class Case:
    """A function phi -> (loss, gradient), where it is checked, and whether its gradient is right."""

    name: str
    function: Function
    phi: Array
    is_right: bool


@dataclass(frozen=True)
class Comparison:
    """The verdict of each checker on each case: True for passed, None if it ended in an error."""

    cases: tuple[Case, ...]
    verdicts: dict[str, tuple[bool | None, ...]]

    def n_right(self, checker: str) -> int:
        """Return in how many cases a checker was right."""
        pairs = zip(self.cases, self.verdicts[checker], strict=True)
        return sum(verdict is not None and verdict == case.is_right for case, verdict in pairs)

    def __str__(self) -> str:
        names = list(self.verdicts)
        width = max(len(case.name) for case in self.cases)
        lines = [f"{'gradient':<{width}}  {'is':<6}" + "".join(f"{name:>14}" for name in names)]
        words = {True: "right", False: "wrong", None: "error"}
        for k, case in enumerate(self.cases):
            said = [words[self.verdicts[name][k]] for name in names]
            marked = [word if word == words[case.is_right] else f"{word} ✗" for word in said]
            lines.append(f"{case.name:<{width}}  {words[case.is_right]:<6}" + "".join(f"{word:>14}" for word in marked))
        total = [f"{self.n_right(name)} of {len(self.cases)}" for name in names]
        lines.append(f"{'verdicts that are correct':<{width}}  {'':<6}" + "".join(f"{word:>14}" for word in total))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return everything in plain types."""
        found = [
            {"case": case.name, "right": case.is_right, **{name: said[k] for name, said in self.verdicts.items()}}
            for k, case in enumerate(self.cases)
        ]
        return {"cases": found, "n_correct": {name: self.n_right(name) for name in self.verdicts}}


def compare_checkers() -> Comparison:
    """Ask every checker that is installed about every case."""
    all_cases = tuple(cases())
    installed = {name: ask for name, (module, ask) in CHECKERS.items() if find_spec(module) is not None}
    return Comparison(
        all_cases,
        {name: tuple(_verdict(ask, case) for case in followed(all_cases, name)) for name, ask in installed.items()},
    )


def _verdict(ask: Callable[[Function, Array], bool], case: Case) -> bool | None:
    try:
        return ask(case.function, case.phi.copy())
    except Exception:  # noqa: BLE001  # a checker that raises has no verdict
        return None


# ------------------------------------------------------------------------------------------------------- the checkers


def by_ours(function: Function, phi: Array) -> bool:
    return check_gradient(function, phi).passed


def by_scipy(function: Function, phi: Array) -> bool:
    check_grad = import_module("scipy.optimize").check_grad
    error = check_grad(lambda at: float(function(at)[0]), lambda at: np.asarray(function(at)[1], dtype=float), phi)
    return bool(error <= 1e-6 * max(1.0, float(np.linalg.norm(function(phi)[1]))))


def by_torch(function: Function, phi: Array) -> bool:
    torch = import_module("torch")

    class Wrapped(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, at: Any) -> Any:
            loss, gradient = function(at.detach().numpy().copy())
            ctx.save_for_backward(torch.tensor(np.asarray(gradient), dtype=torch.float64))
            return torch.tensor(float(loss), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, d_loss: Any) -> Any:
            return d_loss * ctx.saved_tensors[0]

    at = torch.tensor(phi, dtype=torch.float64, requires_grad=True)
    return bool(torch.autograd.gradcheck(Wrapped.apply, (at,), raise_exception=False))


def by_jax(function: Function, phi: Array) -> bool:
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    check_grads = import_module("jax.test_util").check_grads
    with (jax if hasattr(jax, "enable_x64") else import_module("jax.experimental")).enable_x64(True):
        one, many = jax.ShapeDtypeStruct((), jnp.float64), jax.ShapeDtypeStruct(phi.shape, jnp.float64)

        @jax.custom_vjp  # type: ignore[untyped-decorator]
        def loss(at: Any) -> Any:
            return jax.pure_callback(lambda x: np.float64(function(np.array(x))[0]), one, at)

        def forward(at: Any) -> Any:
            return loss(at), at

        def backward(at: Any, d_loss: Any) -> Any:
            gradient = jax.pure_callback(lambda x: np.asarray(function(np.array(x))[1], dtype=np.float64), many, at)
            return (d_loss * gradient,)

        loss.defvjp(forward, backward)
        try:
            check_grads(loss, (jnp.asarray(phi),), order=1, modes=["rev"])
        except AssertionError:
            return False
    return True


CHECKERS: dict[str, tuple[str, Callable[[Function, Array], bool]]] = {
    "bradley_terry": ("numpy", by_ours),
    "torch": ("torch", by_torch),
    "jax": ("jax", by_jax),
    "scipy": ("scipy", by_scipy),
}
"""Name → the module that must be installed, and what asks the checker: (function, phi) -> passed."""


# ---------------------------------------------------------------------------------------------------------- the cases


def cases() -> Iterator[Case]:
    """Yield twenty problems, each with its right gradient and with one that is wrong."""
    for name, function, phi, what, change in _problems():

        def wrong(at: Array, function: Function = function, change: Change = change) -> tuple[float, Array]:
            loss, gradient = function(at)
            return loss, change(at, np.array(gradient))

        yield Case(name, function, phi, is_right=True)
        yield Case(f"{name}: {what}", wrong, phi, is_right=False)


def _scaled(entry: int, factor: float) -> Change:
    def change(_: Array, gradient: Array) -> Array:
        gradient[entry] *= factor
        return gradient

    return change


def _smallest(factor: float) -> Change:
    def change(_: Array, gradient: Array) -> Array:
        gradient[np.argmin(np.abs(gradient))] *= factor
        return gradient

    return change


def _problems() -> Iterator[tuple[str, Function, Array, str, Change]]:
    rng = np.random.default_rng(12)
    a, b = rng.normal(size=(2, 40, 4))
    w, t, m = rng.uniform(0.5, 3, 40), rng.uniform(size=40), rng.normal(size=40)
    phi = rng.normal(size=4)
    plain = PreferencePairs(a, b)
    items = rng.integers(5, size=40)
    table = PreferencePairs(items, (items + rng.integers(1, 5, size=40)) % 5)
    linear, tanh, relu = LinearScorer(4), MLPScorer(4, 3), MLPScorer(4, 3, "relu")
    of_mlp = rng.normal(size=tanh.n_parameters)

    def ours(scorer: LinearScorer | MLPScorer | TableScorer, pairs: PreferencePairs, l2: float = 0.0) -> Function:
        return Objective(scorer, pairs, l2=l2).__call__

    yield "linear", ours(linear, plain), phi, "the sign is flipped", lambda _, g: -g
    yield "linear, one entry", ours(linear, plain), phi, "one entry is off by 1e-4", _scaled(2, 1 + 1e-4)
    yield (
        "linear, features of 1e-4", ours(linear, PreferencePairs(1e-4 * a, 1e-4 * b)), phi,
        "twice as large", lambda _, g: 2 * g,
    )  # fmt: skip
    yield (
        "linear, features of 1e4", ours(linear, PreferencePairs(1e4 * a, 1e4 * b)), 1e-4 * phi,
        "off by 1e-4", lambda _, g: g * (1 + 1e-4),
    )  # fmt: skip
    yield (
        "linear, features of different sizes",
        ours(linear, PreferencePairs(a * [1e3, 1, 1e-3, 1e-6], b * [1e3, 1, 1e-3, 1e-6])),
        phi * [1e-3, 1, 1e3, 1e6], "the smallest entry is off by 1 %", _smallest(1.01),
    )  # fmt: skip
    saturated = PreferencePairs(a[:5] + 8 * np.sign(phi), b[:5])
    yield "linear, saturated", ours(linear, saturated), phi, "the sign is flipped", lambda _, g: -g
    yield "linear, phi = 0", ours(linear, plain), 0 * phi, "half as large", lambda _, g: g / 2
    yield "linear, one pair", ours(linear, PreferencePairs(a[:1], b[:1])), phi, "off by 1e-3", lambda _, g: g * 1.001
    yield "linear, weights", ours(linear, PreferencePairs(a, b, weights=w)), phi, "off by 1e-4", lambda _, g: g * 1.0001
    yield "linear, labels", ours(linear, PreferencePairs(a, b, labels=t)), phi, "an entry is 0", _scaled(0, 0.0)
    yield (
        "linear, target margins", ours(linear, PreferencePairs(a, b, target_margins=m)), phi,
        "two entries are exchanged", lambda _, g: g[[1, 0, 2, 3]],
    )  # fmt: skip
    yield (
        "linear, a small penalty", ours(linear, plain, 1e-5), phi,
        "the penalty is missing", lambda at, g: g - 1e-5 * at,
    )  # fmt: skip
    yield (
        "table",
        ours(TableScorer(5), table),
        rng.normal(size=5),
        "the smallest entry has the wrong sign",
        _smallest(-1),
    )
    yield "tanh network", ours(tanh, plain), of_mlp, "the bias is off by 1e-4", _scaled(12, 1 + 1e-4)
    yield "tanh network, small phi", ours(tanh, plain), 1e-3 * of_mlp, "one entry is 0", _scaled(3, 0.0)
    yield "ReLU network", ours(relu, plain), of_mlp, "the smallest entry is off by 1 %", _smallest(1.01)
    at_a_kink = of_mlp.copy()
    at_a_kink[12] = -a[0] @ at_a_kink[:12].reshape(4, 3)[:, 0] + 1e-7  # a hidden unit is 1e-7 from its corner
    yield "ReLU network near a kink", ours(relu, plain), at_a_kink, "the bias is off by 5 %", _scaled(12, 1.05)
    many = PreferencePairs(*rng.normal(size=(2, 3000, 4)))

    def summed(at: Array) -> tuple[float, Array]:
        z = (many.chosen - many.rejected) @ at
        return float(np.sum(pair_losses(z))), -sigmoid(-z) @ (many.chosen - many.rejected)

    yield "sum over 3,000 pairs", summed, phi, "off by 1e-5", lambda _, g: g * (1 + 1e-5)

    def with_offset(at: Array) -> tuple[float, Array]:
        loss, gradient = Objective(linear, plain)(at)
        return loss + 1e4, gradient

    yield "a loss that is 10,000 too large", with_offset, phi, "off by 1e-3", lambda _, g: g * 1.001

    def in_float32(at: Array) -> tuple[float, Array]:
        loss, gradient = Objective(linear, plain)(at)
        return cast("float", np.float32(loss)), cast("Array", gradient.astype(np.float32))

    yield "float32", in_float32, phi, "off by 3 %", lambda _, g: (g * np.float32(1.03)).astype(np.float32)
