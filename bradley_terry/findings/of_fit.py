"""Checks of the fit: stuck, learning rate, separable data, over-fitting, confidence, and the rewards themselves."""

from __future__ import annotations

import numpy as np

from ..calibration.slope import fit_slope
from ..intervals.proportions import QUANTILE_95
from ..logistic import sigmoid
from ..losses import pair_losses
from ..model import Outcome
from ..scorers import MLPScorer, TableScorer
from ..separation.report import separation
from .case import MOST_FEATURES, MOST_NUMBERS, OTHER_LOSS, Case
from .levels import LEVEL, MATTERS, in_errors, least_pairs, normal_quantile, would_tell
from .records import Check, Facts
from .sample import rewards_of

__all__ = [
    "chosen_falling",
    "is_above",
    "learning_rate_too_high",
    "learning_rate_too_low",
    "not_centred",
    "over_confidence",
    "over_fitting",
    "scale_drifting",
    "separable_data",
    "stuck",
    "zero_network",
]

NO_HELD_OUT = "there are no held-out pairs"
NO_RATE = "Newton's method has no learning rate"
NO_ODDS = "its loss, or a target margin, gives no probabilities of the choices"
VISIBLE = 1e-3  # nats: two losses that differ by more differ in the digits that are printed
NOTHING = 1e-9  # nats: a loss this close to that of equal rewards is the same
FEW = 8  # records of a history, with fewer of which its second half says little
LEAST_SPREAD = (
    3  # prompts: a standard error from two is often far too small, as Student's t with 1 degree of freedom shows
)
LARGEST = 1e300  # a reward at the start, so that no sum over the pairs overflows


def stuck(case: Case) -> Check | str:
    """Compare the fall of the training loss with what a fit to coin flips makes it fall."""
    if not case.is_usual:
        return OTHER_LOSS
    loss = float(case.losses[case.kept])
    k = case.degrees_of_freedom
    is_enough = case.training.n >= least_pairs(k)
    chance = max(case.chance, NOTHING) if is_enough else NOTHING  # few pairs are easily fitted, whatever the choices
    evidence: Facts = {
        "training loss": loss,
        "loss of equal rewards": case.equal_loss,
        "fall by chance": chance,
        "pairs": case.training.n,
    }
    n = case.training.n / max(1.0, case.training.dispersion)
    is_mild = is_enough and not would_tell(k, n)
    if case.training.is_tied and case.training.pairs.target_margins is None:
        evidence["ties"], is_mild = len(case.training.pairs), False
    return Check("stuck at log 2", chance, max(case.equal_loss - loss, 1e-300), evidence, is_mild)


def is_above(stuck: Check) -> bool:
    """Say whether the training loss is clearly above that of equal rewards, instead of about the same."""
    above = float(stuck.evidence["training loss"]) - float(stuck.evidence["loss of equal rewards"])
    return above > max(float(stuck.evidence["fall by chance"]), VISIBLE)


def zero_network(case: Case) -> Check | str:
    """Find out whether all parameters of a network are still exactly 0."""
    if not isinstance(case.scorer, MLPScorer):
        return "the scorer has no hidden layer"
    n_moved = int(np.count_nonzero(case.model.phi))
    evidence: Facts = {"parameters": case.model.phi.size, "other than 0": n_moved}
    return Check("zero-initialised network", float(n_moved == 0), 0.0, evidence)


def learning_rate_too_high(case: Case) -> Check | str:
    """Measure how far the training loss climbs above its own best in the second half of the fit.

    There is a finding if that is more than chance and more than a tenth of what was learned.

    With a rate small enough, gradient descent never climbs at all.
    """
    name = "learning rate too high"
    if case.model.method == "newton":
        return NO_RATE
    if not case.is_usual:
        return OTHER_LOSS
    if case.model.outcome is Outcome.DIVERGED:
        return Check(name, np.inf, 1.0, {"loss": "infinite", "records": len(case.losses)})
    losses = case.losses
    if len(losses) < FEW:
        return "the history is too short"
    climb = losses - np.minimum.accumulate(losses)
    mean_climb = float(climb[len(losses) // 2 :].mean())
    learned = max(case.equal_loss - float(losses.min()), 0.0)
    evidence: Facts = {
        "mean climb above the best loss": mean_climb,
        "largest climb": float(climb.max()),
        "best loss": float(losses.min()),
        "last loss": float(losses[-1]),
    }
    return Check(name, mean_climb, max(case.chance, MATTERS * learned), evidence)


def learning_rate_too_low(case: Case, is_too_high: bool) -> Check | str:
    """Measure how far a fit that reached its step limit is from the attainable loss, beyond chance and a tenth."""
    name = "learning rate too low"
    if case.model.method == "newton":
        return NO_RATE
    if not case.is_usual:
        return OTHER_LOSS
    last = float(case.losses[-1])
    is_unfinished = case.model.outcome in {Outcome.STEP_LIMIT, Outcome.STOPPED_BY_CALLBACK}
    if not is_unfinished or is_too_high or case.model.history["gradient_norm"][-1] == 0:
        return Check(name, 0.0, case.chance, {"last loss": last})
    if isinstance(case.attainable, str):
        return case.attainable
    left = last - case.attainable
    evidence: Facts = {
        "last loss": last,
        "attainable loss": case.attainable,
        "steps": int(case.model.history["step"][-1]),
        "last gradient norm": float(case.model.history["gradient_norm"][-1]),
    }
    return Check(name, left, max(case.chance, MATTERS * (case.equal_loss - case.attainable)), evidence)


def separable_data(case: Case) -> Check | str:
    """Count the pairs that some φ puts in the right order with any margin, without harm to the others."""
    name, pairs, history = "separable data", case.training.pairs, case.model.history
    if case.model.l2 > 0:
        return "the penalty keeps the rewards finite"
    if not case.is_usual:
        return OTHER_LOSS
    if case.is_bounded:
        return "a penalty or the reduction of bias keeps the rewards finite"
    counts, t = case.training.w > 0, case.training.t
    decided = counts & (np.abs(2 * t - 1) == 1)
    k = case.scorer.n_parameters
    is_small = isinstance(case.scorer, TableScorer) or (k <= MOST_FEATURES and len(pairs) * k <= MOST_NUMBERS)
    if case.scorer.linear_in_phi and is_small:
        n_separated = int(separation(case.scorer, pairs).separated_pairs.sum())
    elif case.scorer.linear_in_phi or isinstance(case.scorer, MLPScorer):
        is_right = np.where(t > 0.5, case.training.margins, -case.training.margins) > 0
        n_separated = int(decided.sum()) if bool(decided[counts].all() and is_right[counts].all()) else 0
    else:
        return "this check needs a scorer that is linear in phi, or a network"
    evidence: Facts = {
        "separated pairs": n_separated,
        "pairs": len(pairs),
        "last loss": float(case.losses[-1]),
    }
    late = np.arange(len(history["step"])) >= len(history["step"]) // 2
    late &= history["step"] > 0
    late &= np.isfinite(history["parameter_norm"])
    if case.model.method != "newton" and late.sum() >= FEW // 2:
        slope = np.polyfit(np.log(history["step"][late]), history["parameter_norm"][late], 1)[0]
        evidence["growth of |phi| for each e-fold of steps"] = float(slope)
    return Check(name, float(n_separated), 0.0, evidence)


def over_fitting(case: Case) -> Check | str:
    """Test whether the held-out loss is above the training loss, or has risen above its own lowest value.

    A rise that happened after the step that the model comes from is only a mild finding.
    """
    held_out, training = case.held_out, case.training
    if held_out is None:
        return NO_HELD_OUT
    if held_out.losses is None or training.losses is None:
        return "its loss gives no probabilities"
    if held_out.accuracy_z() < -normal_quantile(LEVEL / 2):
        return "the held-out labels look swapped"
    if held_out.n_prompts < LEAST_SPREAD:
        return "one or two held-out prompts do not show how much the loss varies"
    theirs, mine = held_out.mean(held_out.losses), training.mean(training.losses)
    gap = theirs.mean - mine.mean
    gap_z = in_errors(gap, float(np.hypot(theirs.standard_error, mine.standard_error)))
    evidence: Facts = {
        "training loss": mine.mean,
        "held-out loss": theirs.mean,
        "gap in standard errors": gap_z,
    }
    history, steps, rises = case.model.history["validation_loss"], case.model.history["step"], [0.0, 0.0]
    if case.is_usual and not np.isnan(history).any() and len(history) > 1:
        best = int(np.argmin(history))
        for place, at in enumerate((case.kept, len(history) - 1)):
            if case.losses[at] <= case.losses[best] and np.isfinite(history[at]):  # else the learning rate is too high
                rises[place] = in_errors(float(history[at] - history[best]), theirs.standard_error)
        evidence |= {
            "lowest held-out loss": float(history[best]),
            "at step": int(steps[best]),
            "step of the model": int(steps[case.kept]),
            "last held-out loss": float(history[-1]),
            "rise in standard errors": rises[1],
        }
    threshold, of_the_model = normal_quantile(LEVEL / 2), max(gap_z, rises[0])
    return Check("over-fitting", max(of_the_model, rises[1]), threshold, evidence, of_the_model <= threshold)


def over_confidence(case: Case) -> Check | str:
    """Test whether held-out choices follow b times the log-odds of the model, with b below 1.

    The standard error of b is √(s² + 1/Σ w p q z²). The first term comes from the held-out prompts. The second is the
    uncertainty of the scale that the training pairs determined, so that this uncertainty is not a finding.

    With few pairs, or probabilities near 0 and 1, this error is often too small. So a finding must also be one for the
    root of twice the log-likelihood ratio of b and 1, whose distribution is much closer to the normal one.
    """
    held_out = case.held_out
    if held_out is None:
        return NO_HELD_OUT
    z, theirs, mine = held_out.log_odds, held_out.losses, case.training.log_odds
    if not case.has_true_odds or z is None or theirs is None or mine is None:
        return NO_ODDS
    if held_out.accuracy_z() < -normal_quantile(LEVEL / 2):
        return "the held-out labels look swapped"
    if not z[held_out.w > 0].any():
        return "all margins are 0"
    fitted = fit_slope(z, held_out.pairs)
    if not np.isfinite(fitted.b) or not fitted.standard_error > 0:
        return Check("over-confidence", 0.0, normal_quantile(), {"b": fitted.b})
    low, high = fitted.b - QUANTILE_95 * fitted.standard_error, fitted.b + QUANTILE_95 * fitted.standard_error
    own = case.training.scale_information
    error = float(np.hypot(fitted.standard_error, own**-0.5 if own else 0.0))
    predicted = held_out.mean(sigmoid(np.abs(z)))
    evidence: Facts = {
        "b": fitted.b,
        "from": low,
        "to": high,
        "mean predicted probability": predicted.mean,
        "share chosen": held_out.accuracy,
    }
    statistic = (1 - fitted.b) / error
    if statistic > normal_quantile():
        best = np.asarray(pair_losses(fitted.b * z, labels=held_out.pairs.labels))
        gain = max(held_out.mean(theirs - best).mean, 0.0) * held_out.n
        statistic = min(statistic, float(np.sqrt(2 * gain / (1 + (held_out.scale_information / own if own else 0.0)))))
    here, in_training = (float(np.median(np.abs(one))) for one in (z, mine))
    if fitted.b < MATTERS and in_training > 0:
        evidence["margins in units of those in training"] = here / in_training
    return Check("over-confidence", statistic, normal_quantile(), evidence)


def chosen_falling(case: Case) -> Check | str:
    """Test whether the mean reward of the chosen answers fell since the start, although the margins grew."""
    pairs, sample, start = case.training.pairs, case.training, case.initial
    if start is None and not case.scorer.linear_in_phi:
        return "the initial parameters are unknown; give initial= to diagnose"
    before = np.zeros(len(pairs)) if start is None else rewards_of(case.scorer, start, pairs.chosen)
    before_rejected = np.zeros(len(pairs)) if start is None else rewards_of(case.scorer, start, pairs.rejected)
    if not (np.abs([before, before_rejected]) < LARGEST).all():
        raise ValueError(f"initial: expected parameters that give rewards below {LARGEST:g}, got larger rewards")
    preferred, other = sample.rewards
    turned = sample.t < 0.5
    rise = np.where(turned, other - before_rejected, preferred - before)
    fall = np.where(turned, preferred - before, other - before_rejected)
    moved, other_moved = sample.mean(rise), sample.mean(fall)
    evidence: Facts = {"change of the chosen reward": moved.mean, "change of the rejected reward": other_moved.mean}
    grows = moved.mean > other_moved.mean
    return Check("chosen reward falling", -moved.z() if grows else 0.0, normal_quantile(), evidence)


def scale_drifting(case: Case) -> Check | str:
    """Test whether |φ| grew after the lowest held-out loss by more than the pairs can tell.

    The model has the parameters of the lowest held-out loss, so this says what more steps would do to it.
    """
    history, held_out = case.model.history, case.held_out
    if case.model.method == "newton":
        return "Newton's method goes straight to the minimum"
    if not case.is_usual or not case.has_true_odds:
        return OTHER_LOSS if not case.is_usual else NO_ODDS
    losses, norms = history["validation_loss"], history["parameter_norm"]
    if held_out is None:
        return NO_HELD_OUT
    if np.isnan(losses).any():
        return "the fit recorded no held-out losses"
    best = int(np.argmin(losses))
    at_best, last = float(norms[best]), float(norms[-1])
    informations = case.training.scale_information, held_out.scale_information
    if min(at_best, last, *informations) == 0 or not np.isfinite(last):
        return "the parameters were 0 or infinite, or the pairs say nothing about their scale"
    error = float(np.sqrt(sum(1 / information for information in informations)))
    growth = float(np.log(last / at_best))
    evidence: Facts = {
        "|phi| at the lowest held-out loss": at_best,
        "|phi| at the end": last,
        "growth of its logarithm": growth,
        "standard error of the scale": error,
    }
    return Check("reward scale drifting", growth / error, normal_quantile(), evidence)


def not_centred(case: Case) -> Check:
    """Test whether the mean of all rewards is further from 0 than one standard deviation of the rewards."""
    sample = case.training
    chosen, rejected = sample.rewards
    middle = sample.mean(chosen / 2 + rejected / 2)
    unit = float(max(np.abs(chosen).max(), np.abs(rejected).max())) or 1.0  # so that no square overflows
    squares = ((chosen - middle.mean) / unit) ** 2 + ((rejected - middle.mean) / unit) ** 2
    spread = unit * float(np.sqrt(sample.mean(squares / 2).mean))
    evidence: Facts = {"mean reward": middle.mean, "standard deviation": spread}
    beyond = abs(middle.mean) - spread
    return Check("rewards not centred", in_errors(beyond, middle.standard_error), normal_quantile(), evidence)
