"""Checks for exercises: give your function, get a report that says what is wrong, and where, in plain words.

    lesson  check.…                    your function
    1       probability                f(reward_a, reward_b) -> P(a preferred to b)
            margin                     f(probability) -> Δ
    2       loss                       f(margins) -> losses, one for each pair
            mean_loss                  f(rewards_chosen, rewards_rejected) -> one number
    3       shift_invariance_test      f(loss) -> True or False, where loss(rewards_chosen, rewards_rejected) -> number
            centring                   f(rewards, prompts) -> rewards
    4       accuracy                   f(margins) -> share
            best_temperature           f(margins) -> T
    5       expected_loss              f(true_margins, margins) -> one number
            ceiling                    f(true_margins) -> share
    6       gradient                   f(weights, chosen, rejected) -> (n_features,)
            training_step              f(weights, chosen, rejected, learning_rate) -> weights
    7       central_difference         f(function, x, h) -> gradient at x
    8       reward                     f(parameters, features) -> rewards
            gradient(…, scorer="mlp")  f(parameters, chosen, rejected) -> dict of arrays
    9       overflow_limit             f(dtype) -> largest x whose exp is finite
            kernel                     f(margins) -> mean loss, gradients; compiled
    all     prediction                 what you guessed, and why it is so

A check goes through stages and stops at the first that fails: can it be called, does it run, what does it return, are
its inputs left alone, are the numbers right, does it bear extreme inputs. A mistake of yours is a report, never a
traceback from our code. A stub that returns None or raises NotImplementedError is "not attempted".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..gradient_check.diagnosis import diagnose
from ..gradient_check.runner import ERROR, FAILED, NOT_ATTEMPTED, PASSED, Stop, call, can_be_called_with, real_numbers
from ..logistic import log_sigmoid, logit, sigmoid
from ..losses import mean_loss as right_mean_loss
from ..losses import pair_loss_gradients, pair_losses
from ..objective import Objective
from ..pairs import PreferencePairs
from ..preference import accuracy_ceiling
from ..preference import expected_loss as right_expected_loss
from ..scorers import LinearScorer, MLPScorer, Scorer
from .engine import RELATIVE, Case, Problem, Report, Student, Wrong, check_values, compare, judged, mind_the_order
from .predictions import PREDICTIONS

__all__ = [
    "Problem",
    "Report",
    "accuracy",
    "best_temperature",
    "ceiling",
    "central_difference",
    "centring",
    "expected_loss",
    "gradient",
    "kernel",
    "loss",
    "margin",
    "mean_loss",
    "overflow_limit",
    "prediction",
    "probability",
    "reward",
    "shift_invariance_test",
    "training_step",
]

Array = NDArray[np.float64]
mind_the_order()

LIMIT = 10.0  # seconds for one call


# ------------------------------------------------------------------------------------------------ lessons 1 and 2


def probability(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a preference probability, f(reward_a, reward_b) -> P(a preferred to b): ½ at equal rewards, quiet far out.

    Returns
    -------
    Report
    """
    a, b = np.array([2.0, 0.6, -1.0, 3.2, 1.0]), np.array([-0.2, 0.6, 1.5, 1.5, -4.0])
    far = np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0])

    def wrong(a: Array, b: Array) -> Wrong:
        yield "a and b are exchanged: P(b preferred to a)", sigmoid(b - a)
        yield "σ(2Δ) instead of σ(Δ)", sigmoid(2 * (a - b))
        yield "the rewards are added where their difference belongs", sigmoid(a + b)
        yield "only the reward of a enters", sigmoid(a)
        yield "−log σ(Δ), a loss, not a probability", pair_losses(a - b)
        yield "all or nothing: the sign of Δ, not its size", (a > b) + 0.5 * (a == b)
        yield "rewards taken for strengths: a/(a + b), where exp(a)/(exp(a) + exp(b)) belongs", _share(a, b)

    return check_values(
        "probability", function, ("reward_a", "reward_b"), [((a, b), ""), (far, "at rewards of ±1000: ")],
        lambda a, b: sigmoid(a - b), wrong, time_limit,
    )  # fmt: skip


def _share(a: Array, b: Array) -> Array:
    total = a + b
    return np.asarray(np.divide(a, total, out=np.full(a.shape, 0.5), where=total != 0))


def margin(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the way back, f(probability) -> Δ with σ(Δ) = probability: log-odds.

    Returns
    -------
    Report
    """
    p = np.array([0.5, 0.9, 0.2, 0.75, 0.01])

    def wrong(p: Array) -> Wrong:
        yield "the odds p/(1 − p): their logarithm is still to be taken", p / (1 - p)
        yield "log p, not log of the odds p/(1 − p)", np.log(p)
        yield "the sign is flipped: log((1 − p)/p)", -np.asarray(logit(p))
        yield "the logarithm has base 10: log-odds need the natural one", np.asarray(logit(p)) / np.log(10)
        yield "the logarithm has base 2: log-odds need the natural one", np.asarray(logit(p)) / np.log(2)
        yield "σ(p): the way there, not the way back", sigmoid(p)
        yield "1 − p: the probability of the other answer, not a margin", 1 - p
        yield "2p − 1: right in sign, but a straight line", 2 * p - 1

    return check_values(
        "margin", function, ("probability",), [((p,), ""), ((np.array([1e-12, 1e-300]),), "at tiny probabilities: ")],
        logit, wrong, time_limit,
    )  # fmt: skip


def loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a pair loss, f(margins) -> losses, both (n_pairs,): values, and no overflow at margins of ±1000.

    Returns
    -------
    Report
    """
    z, far = np.array([0.0, 1.5, -2.0, 0.3, -0.7]), np.array([1000.0, -1000.0, 40.0])

    def wrong(z: Array) -> Wrong:
        right = np.asarray(pair_losses(z))
        yield "the minus is missing: log σ(Δ) instead of −log σ(Δ)", -right
        yield "the margin is turned round: −log σ(−Δ), so the chosen answer is punished for winning", right + z
        yield "the logarithm has base 2: nats need the natural one", right / np.log(2)
        yield "the logarithm has base 10: nats need the natural one", right / np.log(10)
        yield "a probability, not a loss: −log is missing", sigmoid(z)
        yield "1 − σ(Δ) instead of −log σ(Δ)", sigmoid(-z)
        yield "divided by the number of pairs: the mean comes later", right / z.size
        yield "the hinge max(0, 1 − Δ), not −log σ(Δ)", np.maximum(0, 1 - z)
        yield "squared: (1 − σ(Δ))², the Brier score", np.asarray(sigmoid(-z)) ** 2
        yield "0 for a large negative margin: a clip hides the straight tail", np.where(z < -50, 0.0, right)
        yield "−log(σ(Δ) + 1e-8): the added 1e-8 keeps the loss below 18.42, and such a pair does not pull", _grain(z)

    cases = [((z,), ""), ((far,), "at margins of 1000, -1000 and 40: ")]
    return check_values("losses", function, ("margins",), cases, pair_losses, wrong, time_limit)


def _grain(z: Array) -> Array:
    return np.asarray(-np.log(np.asarray(sigmoid(z)) + 1e-8))


def mean_loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the loss of a model, f(rewards_chosen, rewards_rejected) -> one number, the mean of −log σ(r_c − r_r).

    Returns
    -------
    Report
    """
    one = np.array([3.2, -0.5, 0.4, 1.0]), np.array([1.5, -2.0, 1.1, 1.0])
    far = np.array([900.0, -3.0]), np.array([-900.0, 800.0])

    def wrong(c: Array, r: Array) -> Wrong:
        z, right = c - r, right_mean_loss(c - r)
        yield "a sum: the mean divides by the number of pairs", right * z.size
        yield "the minus is missing: the mean of log σ(Δ)", -right
        yield "chosen and rejected are exchanged: Δ = r_rejected − r_chosen", right_mean_loss(-z)
        yield "−log of the mean probability: the mean belongs outside the logarithm", -np.log(np.mean(sigmoid(z)))
        yield "−log σ(mean Δ): the mean belongs outside, not on the margins", pair_losses(z.mean())
        yield "the rejected rewards do not enter", right_mean_loss(c)
        yield "a mean probability, not a loss", np.mean(sigmoid(z))
        yield "the squared distance of σ(Δ) from 1, the Brier score", np.mean(np.asarray(sigmoid(-z)) ** 2)
        yield "divided by the number of answers, 2n, instead of pairs", right / 2

    return check_values(
        "mean loss", function, ("rewards_chosen", "rewards_rejected"), [(one, ""), (far, "at rewards of ±900: ")],
        lambda c, r: right_mean_loss(c - r), wrong, time_limit,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ lesson 3


def _row(values: Array) -> Array:
    return np.asarray(values, dtype=np.float64)


def _across(c: Array, r: Array) -> float:
    return float(np.mean(pair_losses(np.subtract.outer(_row(c), _row(r)))))


LOSSES: tuple[tuple[str, bool, str, Callable[[Array, Array], float]], ...] = (
    ("−log σ(r_c − r_r)", True, "only the difference enters", lambda c, r: right_mean_loss(_row(c) - _row(r))),
    ("the hinge max(0, 1 − Δ)", True, "only the difference enters",
     lambda c, r: float(np.mean(np.maximum(0, 1 - (_row(c) - _row(r)))))),
    ("−log σ(r_c)", False, "the rejected answer does not enter", lambda c, _: right_mean_loss(_row(c))),
    ("−log σ(−r_r)", False, "the chosen answer does not enter",
     lambda _, r: right_mean_loss(-_row(r))),
    ("−log σ(r_c + r_r)", False, "a shift counts twice instead of not at all",
     lambda c, r: right_mean_loss(_row(c) + _row(r))),
    ("−log σ(r_c − 2·r_r)", False, "the shift of the two does not cancel",
     lambda c, r: right_mean_loss(_row(c) - 2 * _row(r))),
    ("−log σ(Δ) + 0.01·(r_c² + r_r²)", False, "the penalty on rewards sees the shift",
     lambda c, r: right_mean_loss(_row(c) - _row(r)) + 0.01 * float(np.mean(_row(c) ** 2 + _row(r) ** 2))),
    ("−log σ(r_c,i − r_r,j) over all i, j", False, "answers to different prompts are compared, so it matters that each "
     "prompt may have a shift of its own", _across),
    ("−log of the share exp(r_c)/(exp(r_c) + exp(r_r) + 1)", False, "the 1 is a third answer that is not shifted",
     lambda c, r: float(np.mean(np.logaddexp(np.logaddexp(_row(c), _row(r)), 0) - _row(c)))),
)  # fmt: skip
"""Losses f(rewards_chosen, rewards_rejected): name, whether a shift c(x) per prompt changes nothing, why, the loss."""


def shift_invariance_test(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check a test of losses, f(loss) -> True if adding c(x) to both rewards of a prompt never changes the loss.

    It is given nine losses of (rewards_chosen, rewards_rejected), (n_pairs,) each, two of which are invariant.

    Returns
    -------
    Report
        The losses that it misjudges, with the reason.
    """

    def stages() -> None:
        can_be_called_with(function, (LOSSES[0][3],), ("loss",))
        said = {}
        for name, _, _, its_loss in LOSSES:
            answer = call(function, (its_loss,), ("loss",), time_limit, note=f"given {name}: ")
            if not isinstance(answer, bool | np.bool_):
                raise Stop(FAILED, f"expected True or False, got {type(answer).__name__}")
            said[name] = bool(answer)
        missed = [(name, is_so, why) for name, is_so, why, _ in LOSSES if said[name] != is_so]
        if not missed:
            return
        hint = ""
        if set(said.values()) == {True}:
            hint = "it says True to every loss: does it compare two values, one with a shift that is not 0?\n"
        elif not any(said.values()):
            hint = (
                "it says False to every loss, the right one among them: is the same shift added to both rewards, "
                "and are values compared up to rounding, as by np.isclose?\n"
            )
        elif [name for name, *_ in missed] == [LOSSES[7][0]]:
            hint = (
                "it adds one number to all rewards; each prompt may have a shift of its own: draw one for each pair\n"
            )
        lines = [f"{name}: is {'' if is_so else 'not '}invariant, since {why}" for name, is_so, why in missed]
        raise Stop(FAILED, hint + "misjudged:\n  " + "\n  ".join(lines))

    return judged("shift invariance test", stages)


def centring(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(rewards, prompts) -> rewards with mean zero within each prompt; prompts are numbers, (n_answers,).

    Returns
    -------
    Report
    """
    rewards = np.array([2.0, -1.0, 0.5, 7.0, 9.0, -3.0, 4.0])
    prompts = np.array([0, 0, 0, 5, 5, 2, 0])

    def within(rewards: Array, prompts: Array, of: Callable[[Array], float]) -> Array:
        result = np.array(rewards)
        for prompt in np.unique(prompts):
            result[prompts == prompt] = of(rewards[prompts == prompt])
        return result

    def wrong(r: Array, x: Array) -> Wrong:
        yield "the mean over all answers was subtracted: each prompt has its own", r - r.mean()
        yield "the means were added", r + within(r, x, np.mean)
        yield "the means themselves, not the rewards less their mean", within(r, x, np.mean)
        yield "the largest reward of the prompt was subtracted, not the mean", r - within(r, x, np.max)
        yield "the sum over the prompt was subtracted, not the mean", r - within(r, x, np.sum)
        yield "the first answer of the prompt was subtracted, not the mean", r - within(r, x, lambda v: v[0])
        yield "the median of the prompt was subtracted, not the mean", r - within(r, x, np.median)
        right = r - within(r, x, np.mean)
        yield "prompt by prompt, and no longer in the order of the answers", right[np.argsort(x, kind="stable")]

    cases = [((rewards, prompts), ""), ((rewards[::-1].copy(), prompts), "in another order: ")]
    return check_values(
        "rewards", function, ("rewards", "prompts"), cases, lambda r, x: r - within(r, x, np.mean), wrong, time_limit
    )


# ------------------------------------------------------------------------------------------------ lessons 4 and 5


def accuracy(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the pairwise accuracy, f(margins) -> share of margins above 0, a margin of 0 counted half.

    Returns
    -------
    Report
    """
    z = np.array([1.0, -2.0, 0.0, 0.3, 4.0, 0.0, 0.0, -0.1, 2.0])

    def wrong(z: Array) -> Wrong:
        yield "ties count as right: a margin of 0 is a coin flip, so it counts half", np.mean(z >= 0)
        yield "ties count as wrong: a margin of 0 is a coin flip, so it counts half", np.mean(z > 0)
        yield "the share of wrong answers", np.mean(z < 0) + 0.5 * np.mean(z == 0)
        yield "a number of pairs, not a share", np.sum(z > 0) + 0.5 * np.sum(z == 0)
        yield "the mean probability σ(Δ), which knows how sure the model is; accuracy does not", np.mean(sigmoid(z))
        yield "ties are left out: they count half", np.mean(z[z != 0] > 0) if z.any() else np.nan
        yield "a percentage: a share lies between 0 and 1", 100 * (np.mean(z > 0) + 0.5 * np.mean(z == 0))
        yield "the mean of the sign, from −1 to 1", np.mean(np.sign(z))
        yield "only the ties were divided by the number of pairs: parentheses", np.sum(z > 0) + 0.5 * np.mean(z == 0)

    return check_values(
        "accuracy", function, ("margins",), [((z,), ""), ((np.zeros(4),), "where all margins are 0: ")],
        lambda z: np.mean(z > 0) + 0.5 * np.mean(z == 0), wrong, time_limit,
    )  # fmt: skip


def _temperature(margins: Array) -> float:
    """Minimise the mean loss of Δ/T: with s = 1/T its derivative -mean(Δ·σ(-sΔ)) grows with s; halve the interval."""
    low, high = 0.0, 1.0
    while np.mean(margins * np.asarray(sigmoid(-high * margins))) > 0:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if np.mean(margins * np.asarray(sigmoid(-middle * margins))) > 0:
            low = middle
        else:
            high = middle
    return 1 / middle


def best_temperature(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(margins) -> the T > 0 at which the mean loss of Δ/T is least, to 1 %.

    Returns
    -------
    Report
    """
    rng = np.random.default_rng(4)
    sure = 6 * rng.normal(0.25, 1.0, 400)
    shy = 0.2 * rng.normal(1.0, 1.0, 300)

    def wrong(z: Array) -> Wrong:
        best = _temperature(z)
        yield "1/T: margins are divided by T, not multiplied", 1 / best
        yield "T = 1 whatever the margins", 1.0
        yield "T² where T belongs", best**2
        yield "√T where T belongs", np.sqrt(best)
        yield "the mean of |Δ|: the size of the margins, not how far they are to be trusted", np.abs(z).mean()
        yield "the standard deviation of Δ: the size of the margins, not how far they are to be trusted", z.std()

    return check_values(
        "temperature", function, ("margins",), [((sure,), "of an overconfident model: "), ((shy,), "of a shy model: ")],
        _temperature, wrong, time_limit, tolerance=0.01,
    )  # fmt: skip


def expected_loss(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(true_margins, margins) -> one number, the mean loss on endless fresh choices of people with true margins.

    Returns
    -------
    Report
    """
    true, model = np.array([2.0, -1.0, 0.5, 0.25]), np.array([1.0, 0.5, 0.5, -3.0])
    cases: list[Case] = [((true, model), ""), ((true, true), "where the model is the truth: ")]
    cases.append(((np.array([1.0, -2.0]), np.array([800.0, -900.0])), "at margins of 800 and -900: "))

    def wrong(true: Array, z: Array) -> Wrong:
        p, q = np.asarray(sigmoid(true)), np.asarray(sigmoid(-true))
        right = p * np.asarray(pair_losses(z)) + q * np.asarray(pair_losses(-z))
        yield (
            "only the likelier outcome was counted: the other one happens too",
            np.mean(pair_losses(np.where(true >= 0, z, -z))),
        )
        yield (
            "only the outcome “a preferred”, with weight p: the other one happens too",
            np.mean(p * np.asarray(pair_losses(z))),
        )
        yield "the loss as if a always won: p does not enter", np.mean(pair_losses(z))
        yield "p and 1 − p are exchanged", np.mean(q * np.asarray(pair_losses(z)) + p * np.asarray(pair_losses(-z)))
        yield "truth and model are exchanged", right_expected_loss(z, true)
        yield "the model's own probability is the weight: it marks its own work", right_expected_loss(z, z)
        yield "the entropy of the truth, its floor: the model does not enter", right_expected_loss(true, true)
        yield "a sum: the mean divides by the number of pairs", np.sum(right)
        yield "the minus is missing", -np.mean(right)
        yield (
            "true margins used as probabilities: σ of them is",
            np.mean(true * np.asarray(pair_losses(z)) + (1 - true) * np.asarray(pair_losses(-z))),
        )

    return check_values(
        "expected loss", function, ("true_margins", "margins"), cases, right_expected_loss, wrong, time_limit
    )


def ceiling(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(true_margins) -> the highest pairwise accuracy that any model can expect.

    Returns
    -------
    Report
    """
    true = np.array([3.0, -1.0, 0.5, 0.0, -2.0])

    def wrong(true: Array) -> Wrong:
        p = np.asarray(sigmoid(true))
        yield "the mean of p: where p < ½ the best guess is the other answer", p.mean()
        yield "the largest p: the ceiling is a mean over all pairs", np.maximum(p, 1 - p).max()
        yield "1: even the truth is contradicted by a share of choices", 1.0
        yield "the share of true margins above 0, which treats people as if they never disagreed", np.mean(true > 0)
        yield "the mean of p² + (1 − p)²: that is guessing by p, not always the likelier", np.mean(p**2 + (1 - p) ** 2)
        yield (
            "the mean was taken first: which answer is likelier differs from pair to pair",
            max(p.mean(), 1 - p.mean()),
        )
        yield "σ of the mean |Δ|: the mean belongs outside, over probabilities", sigmoid(np.abs(true).mean())
        yield "the mean of min(p, 1 − p): the share that no model can get right", np.minimum(p, 1 - p).mean()

    cases = [((true,), ""), ((np.zeros(3),), "where people toss a coin: ")]
    return check_values("ceiling", function, ("true_margins",), cases, accuracy_ceiling, wrong, time_limit)


# ------------------------------------------------------------------------------------------------ lessons 6 to 8


def gradient(
    function: Student, *, scorer: str = "linear", activation: str = "tanh", time_limit: float = LIMIT
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
            x = rng.normal(size=(2, n, k))
            while scorer == "mlp" and not _all_units_matter(model, phi, x):
                phi = rng.normal(size=model.n_parameters)
            _check_gradient(function, model, phi, x, time_limit)
        x, y = rng.normal(size=(2, n, k))
        if scorer == "mlp":
            phi[-model.shapes["output_weights"][0] :] *= 1e4
        else:
            x, y = 1e4 * x, 1e4 * y
        far = np.array([np.concatenate([x, y]), np.concatenate([y, x])])  # so that there are margins of either sign
        _check_gradient(
            function, model, phi, far, time_limit, note="right at ordinary sizes; with rewards of size 10,000: "
        )

    return judged("gradient", stages)


def _all_units_matter(model: Scorer, phi: Array, x: Array) -> bool:
    """Say if each hidden unit is positive for some answers and negative for others: else no ReLU would be told."""
    blocks = model.unpack(phi)
    a = x.reshape(-1, x.shape[-1]) @ blocks["hidden_weights"] + blocks["hidden_bias"]
    return bool(((a > 0).any(axis=0) & (a < 0).any(axis=0)).all())


def _check_gradient(function: Student, scorer: Scorer, phi: Array, x: Array, time_limit: float, note: str = "") -> None:
    chosen, rejected = x
    objective = Objective(scorer, PreferencePairs(chosen, rejected), backend="numpy")
    expected = objective(phi)[1]
    is_linear = isinstance(scorer, LinearScorer)
    names = ("weights" if is_linear else "parameters", "chosen", "rejected")
    arguments = (phi if is_linear else scorer.unpack(phi), chosen, rejected)
    can_be_called_with(function, arguments, names)
    answer = call(function, arguments, names, time_limit, note=note)
    shapes = scorer.shapes
    if is_linear:
        parts = {"weights": answer}
    elif isinstance(answer, Mapping):
        parts = dict(answer)
        if set(parts) != set(shapes):
            wanted, found = ", ".join(shapes), ", ".join(map(str, parts)) or "none"
            raise Stop(FAILED, f"{note}expected a dict with the names {wanted}, got {found}")
    else:
        raise Stop(FAILED, f"{note}expected a dict of arrays, got {type(answer).__name__}")
    arrays = {name: real_numbers(parts[name], name, shapes[name], n_pairs=len(chosen), note=note) for name in shapes}
    got = np.concatenate([arrays[name].ravel() for name in shapes])
    compare(
        got, expected, shapes, note, RELATIVE, lambda failed: diagnose(got, expected, shapes, failed, objective, phi)
    )


def _linear(w: Array, chosen: Array, rejected: Array) -> Array:
    d = chosen - rejected
    return np.asarray(np.asarray(pair_loss_gradients(d @ w)) @ d / len(d))


def training_step(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check one step of gradient descent, f(weights, chosen, rejected, learning_rate) -> the new weights.

    Returns
    -------
    Report
    """
    rng = np.random.default_rng(6)
    cases: list[Case] = [((rng.normal(size=3), *rng.normal(size=(2, 6, 3)), rate), "") for rate in (0.25, 3.0)]

    def wrong(w: Array, c: Array, r: Array, rate: float) -> Wrong:
        g = _linear(w, c, r)
        yield "uphill: the step goes against the gradient", w + rate * g
        yield "the step alone: the weights it starts from are missing", -rate * g
        yield "the gradient, not the new weights", g
        yield "the learning rate is missing", w - g
        yield "divided by the learning rate", w - g / rate
        yield "the gradient is summed over the pairs instead of averaged", w - rate * g * len(c)
        yield "divided by the number of pairs twice", w - rate * g / len(c)
        yield "the step has length learning_rate whatever the gradient", w - rate * g / np.sqrt(g @ g)
        yield "only the sign of the gradient enters", w - rate * np.sign(g)
        yield "no step was taken: the weights come back as they were", w

    return check_values(
        "weights", function, ("weights", "chosen", "rejected", "learning_rate"), cases,
        lambda w, c, r, rate: w - rate * _linear(w, c, r), wrong, time_limit,
    )  # fmt: skip


def central_difference(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(function, x, h) -> gradient of ``function`` at x, (n,), by (f(x + h·e_j) − f(x − h·e_j)) / 2h.

    Returns
    -------
    Report
    """

    def cubic(x: Array) -> float:
        x = np.asarray(x, dtype=np.float64)
        return float(np.sum(x**3) + x[0] * x[-1] + 2 * np.sum(x))

    def moved(x: Array, j: int, h: float) -> Array:
        other = np.array(x)
        other[j] += h
        return other

    def each(x: Array, of: Callable[[int], float]) -> Array:
        return np.array([of(j) for j in range(x.size)])

    def right(f: Callable[[Array], float], x: Array, h: float) -> Array:
        return each(x, lambda j: (f(moved(x, j, h)) - f(moved(x, j, -h))) / (2 * h))

    def wrong(f: Callable[[Array], float], x: Array, h: float) -> Wrong:
        central = right(f, x, h)
        yield (
            "a forward difference: (f(x + h) − f(x))/h, whose error falls with h, not with h²",
            each(x, lambda j: (f(moved(x, j, h)) - f(x)) / h),
        )
        yield (
            "a backward difference: (f(x) − f(x − h))/h, whose error falls with h, not with h²",
            each(x, lambda j: (f(x) - f(moved(x, j, -h))) / h),
        )
        yield "divided by h: the two points lie 2h apart", 2 * central
        yield "divided by 2 instead of 2h", central * h
        yield "not divided by 2h", central * 2 * h
        yield "divided by h²", central * 2 / h
        yield "multiplied by h: / 2 * h is not / (2 * h)", central * h * h
        yield "zero: b = a gives a second name, not a copy; x.copy() does", 0 * x
        yield "the sign is flipped: f(x − h) − f(x + h)", -central
        together = (f(x + h) - f(x - h)) / (2 * h)
        yield "all entries move at once: one at a time", np.full(x.size, together)
        stays = np.array(x)
        left = []
        for j in range(x.size):
            stays[j] += h
            up = f(stays)
            stays[j] -= 2 * h
            left.append((up - f(stays)) / (2 * h))
        yield "an entry is not put back before the next one moves", np.array(left)
        upto = np.tril(np.full((x.size, x.size), h))
        yield (
            "the steps add up: each entry needs a step of its own",
            each(x, lambda j: (f(x + upto[j]) - f(x - upto[j])) / (2 * h)),
        )

    x = np.array([0.7, -1.2, 2.0, 0.4])
    cases: list[Case] = [((cubic, x, 0.1), "with h = 0.1: "), ((cubic, x[:2], 1e-5), "with h = 1e-5: ")]
    return check_values("central difference", function, ("function", "x", "h"), cases, right, wrong, time_limit)


def reward(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check the forward pass of an MLP scorer, f(parameters, features) -> rewards, r = v · tanh(x W + b).

    ``parameters`` is a dict: hidden_weights (n_features, n_hidden), hidden_bias and output_weights (n_hidden,).

    Returns
    -------
    Report
    """
    cases: list[Case] = []
    for seed, (n, k, h) in enumerate([(5, 3, 4), (2, 4, 3)]):
        rng = np.random.default_rng(80 + seed)
        scorer = MLPScorer(k, h)
        cases.append(((scorer.unpack(rng.normal(size=scorer.n_parameters)), rng.normal(size=(n, k))), ""))

    def right(parameters: Mapping[str, Array], x: Array) -> Array:
        w, b, v = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
        return np.asarray(np.tanh(x @ w + b) @ v)

    def wrong(parameters: Mapping[str, Array], x: Array) -> Wrong:
        w, b, v = (parameters[name] for name in ("hidden_weights", "hidden_bias", "output_weights"))
        yield "the activation is missing: without it two layers are one", (x @ w + b) @ v
        yield "the hidden bias is missing", np.tanh(x @ w) @ v
        yield "the bias is added after the activation", (np.tanh(x @ w) + b) @ v
        yield "ReLU where tanh belongs", np.maximum(x @ w + b, 0) @ v
        yield "σ where tanh belongs", np.asarray(sigmoid(x @ w + b)) @ v
        yield "tanh of the reward as well: a reward has no bounds", np.tanh(np.tanh(x @ w + b) @ v)
        yield "the output weights are missing: a sum over the hidden units", np.tanh(x @ w + b).sum(axis=1)
        yield "a mean over the hidden units where v · h belongs", np.tanh(x @ w + b).mean(axis=1)

    return check_values("rewards", function, ("parameters", "features"), cases, right, wrong, time_limit)


# ------------------------------------------------------------------------------------------------ lesson 9


def overflow_limit(function: Student, *, time_limit: float = LIMIT) -> Report:
    """Check f(dtype) -> the largest x at which exp(x) is finite in that floating-point type, to 0.1 %.

    Returns
    -------
    Report
    """

    def wrong(dtype: type[np.floating]) -> Wrong:
        info = np.finfo(dtype)
        yield "the largest number itself: of exp(x), not of x", float(info.max)
        yield "the logarithm has base 2: exp has base e", float(np.log2(float(info.max)))
        yield "the logarithm has base 10: exp has base e", float(np.log10(float(info.max)))
        yield "where exp(x) falls to zero, not where it overflows", float(np.log(float(info.tiny)))
        yield "the limit of float64, whatever the dtype", float(np.log(np.finfo(np.float64).max))
        yield "the limit of float32, whatever the dtype", float(np.log(float(np.finfo(np.float32).max)))
        yield "−log ε, near which 1 + exp(−x) becomes 1", -float(np.log(float(info.eps)))

    types = (np.float64, np.float32, np.float16)
    cases: list[Case] = [((dtype,), f"for {dtype.__name__}: ") for dtype in types]
    return check_values(
        "limit", function, ("dtype",), cases, lambda dtype: np.log(float(np.finfo(dtype).max)), wrong, time_limit,
        tolerance=1e-3,
    )  # fmt: skip


def kernel(function: Student, *, time_limit: float = 60.0) -> Report:
    """Check a compiled kernel, f(margins) -> (mean loss, gradients): values, extremes, NaN, compiled.

    The gradients are those of the mean, −σ(−Δ)/n. The time limit covers the first call, which compiles.

    Returns
    -------
    Report
    """
    rng = np.random.default_rng(9)
    cases = [
        (rng.normal(0, 2, 7), ""),
        (np.array([0.5]), "for a single pair: "),
        (rng.normal(0, 2, 1000), "for 1,000 pairs: "),
        (np.array([1000.0, -1000.0, 0.0, 40.0, -40.0]), "at margins of ±1000: "),
    ]

    def stages() -> None:
        can_be_called_with(getattr(function, "py_func", function), (cases[0][0],), ("margins",))
        for z, note in cases:
            answer = call(function, (z,), ("margins",), time_limit, note=note)
            mean, gradients = _pair(answer, z, note)
            right = np.append(right_mean_loss(z), np.asarray(pair_loss_gradients(z)) / z.size)
            got = np.append(mean, gradients)

            def named(failed: Mapping[str, bool], got: Array = got, z: Array = z) -> dict[str, str]:
                found = {}
                for block, wrong in (("mean loss", _wrong_means(z)), ("gradients", _wrong_gradients(z))):
                    mine = got[:1] if block == "mean loss" else got[1:]
                    same = [words for words, value in wrong if np.allclose(mine, value, rtol=1e-6, atol=1e-12)]
                    if failed[block] and 0 < len(same) <= 2:
                        found[block] = f"looks like: {'; or: '.join(same)}"
                return found

            compare(got, right, {"mean loss": (), "gradients": z.shape}, note, RELATIVE, named)

        with_nan = np.array([0.5, np.nan, -1.0])
        mean, gradients = _pair(
            call(function, (with_nan,), ("margins",), time_limit, note="given a NaN: "), with_nan, "given a NaN: "
        )
        if not (np.isnan(mean) and np.isnan(gradients[1])):
            raise Stop(FAILED, "given a NaN: it gives a number back; a NaN must stay one, or nobody hears of it")
        if not hasattr(function, "py_func"):
            raise Stop(FAILED, "the numbers are right, but it is plain Python: put @njit on the line above def")

    return judged("kernel", stages)


def _pair(answer: object, z: Array, note: str) -> tuple[float, Array]:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise Stop(FAILED, f"{note}expected a mean loss and an array of gradients, got {type(answer).__name__}")
    if np.isnan(z).any():
        mean_of, each = (np.asarray(part) for part in answer)
        if mean_of.dtype.kind != "f" or mean_of.shape or each.dtype.kind != "f" or each.shape != z.shape:
            raise Stop(FAILED, f"{note}expected a number and {z.size} gradients, got {answer!r:.80}")
        return float(mean_of), each
    mean = real_numbers(answer[0], "mean loss", (), note=note)
    return float(mean), real_numbers(answer[1], "gradients", z.shape, note=note)


def _wrong_means(z: Array) -> Wrong:
    right = right_mean_loss(z)
    yield "a sum: the mean divides by the number of pairs", right * z.size
    yield "the minus is missing", -right
    yield "the margin is turned round", right_mean_loss(-z)
    yield "the loss of the last pair: += belongs in the loop", pair_losses(z[-1])
    yield "a share of the last pair alone: += belongs in the loop", np.asarray(pair_losses(z[-1])) / z.size


def _wrong_gradients(z: Array) -> Wrong:
    right = np.asarray(pair_loss_gradients(z)) / z.size
    yield "the division by the number of pairs is missing", right * z.size
    yield "the sign is flipped", -right
    yield "σ(Δ) stands where σ(−Δ) belongs", -np.asarray(sigmoid(z)) / z.size
    yield "σ′(Δ) stands where σ(−Δ) belongs", -np.asarray(sigmoid(z)) * np.asarray(sigmoid(-z)) / z.size
    yield "zero everywhere: never filled in", 0 * z
    yield "σ(−|Δ|) everywhere: where Δ < 0 it is 1 − e/(1 + e)", -np.asarray(sigmoid(-np.abs(z))) / z.size
    yield "losses instead of gradients", np.asarray(-np.asarray(log_sigmoid(z)))


# ------------------------------------------------------------------------------------------------ predictions


def prediction(question: str, answer: object) -> Report:
    """Answer a guess: whether it was right, and why it is so. Nothing is recorded.

    Parameters
    ----------
    question : str
        Its number, such as "03.1": lesson and question.
    answer : str or None
        One of the options, by its letter; None is "not attempted".

    Returns
    -------
    Report
    """
    if question not in PREDICTIONS:
        raise ValueError(f"question: expected one of {', '.join(PREDICTIONS)}, got {question!r}")
    asked = PREDICTIONS[question]
    what = f"prediction {question}"
    if answer is None:
        return Report(what, NOT_ATTEMPTED)
    letter = str(answer).strip().lower()
    if letter not in asked.options:
        return Report(what, ERROR, f"expected one of {', '.join(map(repr, asked.options))}, got {answer!r}")
    return Report(what, PASSED if letter == asked.right else FAILED, asked.options[letter])
