"""Checks for exercises: give your function, get a report that says what is wrong, and where, in plain words.

    check.gradient(my_gradient)                  f(weights, chosen, rejected) -> (n_features,)
    check.gradient(my_gradient, scorer="mlp")    f(parameters, chosen, rejected) -> dict of arrays
    check.loss(my_loss)                          f(margins) -> losses, (n_pairs,)
    check.probability(my_probability)            f(reward_a, reward_b) -> P(a preferred to b)

A check goes through stages and stops at the first that fails: can it be called, does it run, what does it return, are
its inputs left alone, are the numbers right, does it bear extreme inputs. A mistake of yours is a report, never a
traceback from our code. A stub that returns None or raises NotImplementedError is "not attempted".
"""

from __future__ import annotations

import contextlib
import inspect
import io
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..diagnosis import diagnose
from ..logistic import sigmoid
from ..losses import pair_losses
from ..objective import Objective
from ..pairs import PreferencePairs
from ..scorers import LinearScorer, MLPScorer, Scorer

__all__ = ["Problem", "Report", "gradient", "loss", "probability"]

Array = NDArray[np.float64]
Student = Callable[..., object]

PASSED, FAILED, NOT_ATTEMPTED, ERROR = "passed", "failed", "not attempted", "error"
RELATIVE, ABSOLUTE = 1e-6, 1e-9  # allowed: this share of the expected entry, and of the largest one


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what was got, what was expected, and what it looks like."""

    parameter: str
    index: tuple[int, ...]
    got: float
    expected: float
    absolute_error: float
    relative_error: float
    diagnosis: str = ""

    def __str__(self) -> str:
        where = f"{self.parameter}[{', '.join(map(str, self.index))}]" if self.index else self.parameter
        text = f"{where}: got {self.got:.6g}, expected {self.expected:.6g}, off by {self.absolute_error:.2g}"
        return f"{text}\n  {self.diagnosis}" if self.diagnosis else text


@dataclass(frozen=True)
class Report:
    """What a check found: ``status`` is passed, failed, not attempted or error; ``problems`` name the entries."""

    what: str
    status: str
    message: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def passed(self) -> bool:
        """True if all is right."""
        return self.status == PASSED

    def __repr__(self) -> str:
        return "\n".join(filter(None, [f"{self.what}: {self.status}", self.message, *map(str, self.problems)]))

    def _repr_html_(self) -> str:
        colour = {PASSED: "#007a5e", NOT_ATTEMPTED: "#666666"}.get(self.status, "#b34700")
        lines = [escape(line) for line in repr(self).splitlines()]
        return f'<div style="border-left: 4px solid {colour}; padding-left: 8px">{"<br>".join(lines)}</div>'

    def to_dict(self) -> dict[str, object]:
        """Return everything in plain types."""
        return asdict(self)

    def require(self) -> None:
        """Raise AssertionError with the report as its text unless the check passed."""
        if not self.passed:
            raise AssertionError(repr(self))


class _Stop(Exception):  # noqa: N818  # no error: the end of a check
    def __init__(self, status: str, message: str, problems: Sequence[Problem] = ()) -> None:
        self.status, self.message, self.problems = status, message, tuple(problems)


def _judged(what: str, stages: Callable[[], None]) -> Report:
    try:
        stages()
    except _Stop as stop:
        return Report(what, stop.status, stop.message, stop.problems)
    return Report(what, PASSED)


# --------------------------------------------------------------------------------------------------------- the checks


def gradient(
    function: Student, *, scorer: str = "linear", activation: str = "tanh", time_limit: float = 10.0
) -> Report:
    """Check a gradient of the mean of -log sigma(Δ), on two problems of odd sizes and at extreme margins.

    Parameters
    ----------
    function : callable
        For "linear" f(weights, chosen, rejected) -> (n_features,), with features of shape (n_pairs, n_features). For
        "mlp" f(parameters, chosen, rejected) -> dict, both dicts with the names and shapes of ``MLPScorer.shapes``.
    scorer : "linear" or "mlp"
    activation : "tanh" or "relu"
        Of the MLP.
    time_limit : float, seconds
        Longest time for one call, where the system can interrupt it.

    Returns
    -------
    Report
    """
    if scorer not in {"linear", "mlp"}:
        raise ValueError(f"scorer: expected 'linear' or 'mlp', got {scorer!r}")

    def stages() -> None:
        for seed, (n, k) in enumerate([(7, 3), (4, 5)]):
            rng = np.random.default_rng(seed)
            model: Scorer = LinearScorer(k) if scorer == "linear" else MLPScorer(k, 2 + seed, activation)
            phi = rng.normal(size=model.n_parameters)
            _check_gradient(function, model, phi, rng.normal(size=(2, n, k)), time_limit)
        x, y = 1e4 * rng.normal(size=(2, n, k))
        far = np.array([np.concatenate([x, y]), np.concatenate([y, x])])  # so that there are margins of either sign
        _check_gradient(function, model, phi, far, time_limit, note="with features of size 10,000: ")

    return _judged("gradient", stages)


def _check_gradient(function: Student, scorer: Scorer, phi: Array, x: Array, time_limit: float, note: str = "") -> None:
    chosen, rejected = x
    objective = Objective(scorer, PreferencePairs(chosen, rejected), backend="numpy")
    expected = objective(phi)[1]
    first = phi if isinstance(scorer, LinearScorer) else scorer.unpack(phi)
    answer = _answer(function, (first, chosen, rejected), ("weights", "chosen", "rejected"), time_limit, note)
    shapes = scorer.shapes
    if isinstance(scorer, LinearScorer):
        parts = {"weights": answer}
    elif isinstance(answer, Mapping):
        parts = dict(answer)
        if set(parts) != set(shapes):
            wanted, found = ", ".join(shapes), ", ".join(map(str, parts)) or "none"
            raise _Stop(FAILED, f"{note}expected a dict with the names {wanted}, got {found}")
    else:
        raise _Stop(FAILED, f"{note}expected a dict of arrays, got {type(answer).__name__}")
    arrays = {name: _numbers(parts[name], name, shapes[name], len(chosen), note) for name in shapes}
    got = np.concatenate([arrays[name].ravel() for name in shapes])
    _compare(got, expected, shapes, note, objective, phi)


def loss(function: Student, *, time_limit: float = 10.0) -> Report:
    """Check a pair loss, f(margins) -> losses, both (n_pairs,): values, and no overflow at margins of ±1000.

    Returns
    -------
    Report
    """

    def stages() -> None:
        z = np.array([0.0, 1.5, -2.0, 0.3, -0.7])
        far = np.array([1000.0, -1000.0, 40.0])
        cases: list[tuple[Array, str]] = [(z, ""), (far, "at margins of 1000, -1000 and 40: ")]
        for margins, note in cases:
            answer = _answer(function, (margins,), ("margins",), time_limit, note)
            expected: Array = np.array(pair_losses(margins))
            got = _numbers(answer, "losses", expected.shape, None, note)
            _compare(got, expected, {"losses": expected.shape}, note, wrong=_wrong_losses(margins))

    return _judged("loss", stages)


def _wrong_losses(z: Array) -> Iterator[tuple[str, Array]]:
    right = np.asarray(pair_losses(z))
    yield "the minus is missing: log σ(Δ) instead of −log σ(Δ)", -right
    yield "the margin is turned round: −log σ(−Δ), so the chosen answer is punished for winning", right + z
    yield "the logarithm has base 2: nats need the natural one", right / np.log(2)
    yield "the logarithm has base 10: nats need the natural one", right / np.log(10)
    yield "a probability, not a loss: −log is missing", np.asarray(sigmoid(z))
    yield "1 − σ(Δ) instead of −log σ(Δ)", np.asarray(sigmoid(-z))
    yield "divided by the number of pairs: the mean comes later", right / z.size
    yield "the hinge max(0, 1 − Δ), not −log σ(Δ)", np.maximum(0, 1 - z)
    yield "squared: (1 − σ(Δ))², the Brier score", np.asarray(sigmoid(-z)) ** 2


def probability(function: Student, *, time_limit: float = 10.0) -> Report:
    """Check a preference probability, f(reward_a, reward_b) -> P(a preferred to b): ½ at equal rewards, sum 1, quiet.

    Returns
    -------
    Report
    """

    def stages() -> None:
        a, b = np.array([2.0, 0.0, -1.0, 3.2, 1.0]), np.array([-0.2, 0.0, 1.5, 1.5, -4.0])
        far = np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0])
        for (one, other), note in (((a, b), ""), (far, "at rewards of ±1000: ")):
            answer = _answer(function, (one, other), ("reward_a", "reward_b"), time_limit, note)
            want = np.asarray(sigmoid(one - other))
            got = _numbers(answer, "probability", want.shape, None, note)
            _compare(got, want, {"probability": want.shape}, note, wrong=_wrong_probabilities(one, other))

    return _judged("probability", stages)


def _wrong_probabilities(a: Array, b: Array) -> Iterator[tuple[str, Array]]:
    yield "a and b are exchanged: P(b preferred to a)", np.asarray(sigmoid(b - a))
    yield "σ(2Δ) instead of σ(Δ)", np.asarray(sigmoid(2 * (a - b)))
    yield "the rewards are added where their difference belongs", np.asarray(sigmoid(a + b))
    yield "only the reward of a enters", np.asarray(sigmoid(a))
    yield "−log σ(Δ), a loss, not a probability", np.asarray(pair_losses(a - b))
    yield "all or nothing: the sign of Δ, not its size", (a > b) + 0.5 * (a == b)


# --------------------------------------------------------------------------------------------------------- the stages


def _answer(
    function: Student, arguments: Sequence[object], names: Sequence[str], time_limit: float, note: str
) -> object:
    """Call a learner's function on copies, and return what it returned; everything that can go wrong is a _Stop."""
    wanted = f"a function of ({', '.join(names)})"
    if not callable(function):
        raise _Stop(ERROR, f"expected {wanted}, got {type(function).__name__}")
    with contextlib.suppress(ValueError):  # some built-in functions have no signature
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError as error:
            raise _Stop(ERROR, f"expected {wanted}; yours says: {error}") from None
    copies = [_copied(argument) for argument in arguments]
    try:
        with _limited(time_limit), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("error", RuntimeWarning)
            answer = function(*copies)
    except NotImplementedError:
        raise _Stop(NOT_ATTEMPTED, "") from None
    except _TimeIsUp:
        raise _Stop(ERROR, f"{note}no answer within {time_limit:g} seconds: is there a loop without end?") from None
    except Exception as error:  # noqa: BLE001  # whatever a learner's code may raise
        shapes = ", ".join(f"{name} {_shape(argument)}" for name, argument in zip(names, arguments, strict=True))
        kind = "a warning of NumPy" if isinstance(error, RuntimeWarning) else type(error).__name__
        message = f"{note}{kind} in {_place(function, error)}: {error}\n  it was given {shapes}"
        raise _Stop(FAILED if isinstance(error, RuntimeWarning) else ERROR, message) from None
    if answer is None:
        raise _Stop(NOT_ATTEMPTED, "")
    for name, before, after in zip(names, arguments, copies, strict=True):
        if not _unchanged(before, after):
            raise _Stop(FAILED, f"{note}your function changes its input {name}: work on a copy")
    return answer


def _numbers(answer: object, name: str, shape: tuple[int, ...], n_pairs: int | None, note: str) -> Array:
    """Return an answer as float64 of this shape, or stop and say what is the matter."""
    try:
        array = np.asarray(answer)
    except ValueError:
        raise _Stop(FAILED, f"{note}{name}: expected an array of shape {shape}, got rows of different length") from None
    if array.dtype.kind not in "fiub":
        kind = "complex numbers" if array.dtype.kind == "c" else f"{type(answer).__name__}"
        raise _Stop(FAILED, f"{note}{name}: expected real numbers of shape {shape}, got {kind}")
    if array.shape != shape:
        hint = ""
        if n_pairs is not None and array.shape == (n_pairs, *shape):
            hint = ": looks like one row for each pair; take the mean over the pairs"
        elif array.shape == shape[::-1] and len(shape) == 2:
            hint = ": looks like its transpose"
        elif array.size == int(np.prod(shape)):
            hint = ": the right number of entries, in another shape"
        elif array.shape == ():
            hint = ": a single number; was a sum or mean taken too many?"
        raise _Stop(FAILED, f"{note}{name}: expected shape {shape}, got {array.shape}{hint}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise _Stop(FAILED, f"{note}{name}: expected finite numbers, got {array[where]} at {list(where)}")
    return np.asarray(array, dtype=np.float64)


def _compare(
    got: Array,
    expected: Array,
    shapes: Mapping[str, tuple[int, ...]],
    note: str,
    objective: Objective | None = None,
    phi: Array | None = None,
    wrong: Iterator[tuple[str, Array]] | None = None,
) -> None:
    """Stop with the worst entry of each wrong block, and what the mistake looks like, unless all entries agree."""
    problems, start, failed = [], 0, {}
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        g, e = got[start:stop], expected[start:stop]
        off = np.abs(g - e)
        allowed = RELATIVE * np.abs(e) + ABSOLUTE * max(float(np.abs(e).max()), 1e-3)
        failed[name] = bool((off > allowed).any())
        if failed[name]:
            worst = int((off / allowed).argmax())
            index = tuple(int(i) for i in np.unravel_index(worst, shape))
            scale = max(abs(float(e[worst])), 1e-300)
            problems.append(Problem(name, index, g[worst], e[worst], off[worst], off[worst] / scale))
        start = stop
    if not problems:
        return
    if wrong is not None:
        same = [words for words, value in wrong if np.allclose(got, value, rtol=1e-6, atol=1e-9)]
        words = {name: f"looks like: {'; or: '.join(same)}" for name in failed if 0 < len(same) <= 2}
    else:
        words = diagnose(got, expected, shapes, failed, objective, np.empty(0) if phi is None else phi)
    named = [Problem(**{**asdict(problem), "diagnosis": words.get(problem.parameter, "")}) for problem in problems]
    raise _Stop(FAILED, f"{note}these entries are wrong, the worst of each:", named)


class _TimeIsUp(BaseException):
    """Not an Exception, so that a learner's ``except Exception`` does not catch it."""


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Interrupt what runs longer, where the system can: in the main thread, on POSIX."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _place(function: Student, error: BaseException) -> str:
    """Return the line in the learner's own code at which an error arose."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is our call
    code = getattr(inspect.unwrap(function), "__code__", None)
    mine = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    if not (mine or frames):
        return "the call of your function"
    frame = (mine or frames)[-1]
    return f"line {frame.lineno} of {frame.name}" + (f", `{frame.line}`" if frame.line else "")


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: np.array(array) for name, array in value.items()}
    return np.array(value)


def _unchanged(before: object, after: object) -> bool:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return set(before) == set(after) and all(np.array_equal(before[name], after[name]) for name in before)
    return bool(np.array_equal(np.asarray(before), np.asarray(after)))


def _shape(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {np.shape(array)}" for name, array in value.items()) + "}"
    return str(np.shape(np.asarray(value)))
