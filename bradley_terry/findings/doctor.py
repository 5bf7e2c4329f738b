"""``diagnose``: all checks of one training run."""

from __future__ import annotations

import re
from dataclasses import replace
from numbers import Real
from string import Formatter

from numpy.typing import ArrayLike

from ..arrays.visible import LONGEST_SHOWN, class_name, counted, visible
from ..calibration.annotators import numbered
from ..evaluation import refuse_rankings
from ..fitting.arguments import start
from ..fitting.matching import matched
from ..model import HISTORY, RewardModel
from ..pairs import PreferencePairs
from . import of_annotators, of_features, of_fit, of_labels
from .case import Case
from .records import SEVERITIES, Check, Diagnosis, Finding
from .words import CAUSES, MILDER, SPECIAL, WORDS, WORSE

__all__ = ["diagnose"]


def diagnose(
    model: RewardModel,
    pairs: PreferencePairs,
    *,
    validation: PreferencePairs | None = None,
    annotators: ArrayLike | None = None,
    initial: ArrayLike | None = None,
) -> Diagnosis:
    """Look for what is wrong with a training run: 21 checks of the history, the model and its pairs.

    Each check is a test at the level of 1 %, or an exact fact such as a copy. "Stuck at log 2" and "coin-flip labels"
    say that there is no evidence of a signal. ``docs/doctor.md`` has the thresholds.
    Checks for which the run has no data are left out, and ``not_checked`` says why.

    Parameters
    ----------
    model : RewardModel
        As ``fit`` returned it, with its history.
    pairs : PreferencePairs
        The training pairs of the fit.
    validation : PreferencePairs, optional
        Held-out pairs. Without them nothing can be said about over-fitting, over-confidence and leaks.
    annotators : array_like, (n_pairs,), optional
        Name or number of the person who judged each training pair.
    initial : array_like, (n_parameters,), optional
        φ at the start of the fit, to see where the rewards went. By default zeros for scorers that are linear in φ.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit the others. The message names it, what was expected and what was found.

    Examples
    --------
    >>> import numpy as np
    >>> from bradley_terry import LinearScorer, fit
    >>> pairs = PreferencePairs(np.eye(2)[[0] * 5], np.eye(2)[[1] * 5])
    >>> diagnose(fit(LinearScorer(2), pairs, l2=0.1), pairs).names
    ('order leak',)
    """
    if not isinstance(model, RewardModel):
        raise TypeError(f"model: expected a fitted RewardModel, got {class_name(model)}")
    for name, part in (("pairs", pairs), ("validation", validation)):
        if part is not None or name == "pairs":
            refuse_rankings(part)
            if not isinstance(part, PreferencePairs):
                raise TypeError(f"{name}: expected PreferencePairs, got {class_name(part)}")
    if not set(HISTORY) <= set(model.history) or not len(model.history["step"]):
        raise ValueError("model: expected a model with the history of its fit, got one without records")
    pairs = matched(model.scorer, model.feature_names, pairs)
    if validation is not None:
        validation = matched(model.scorer, model.feature_names, validation, "validation")
    names, index = ([], None) if annotators is None else numbered(annotators, len(pairs))
    phi = None if initial is None else start(model.scorer, initial)
    case = Case(model, pairs, validation, index, names, phi)
    answers = _answers(case)
    checks = {name: answer for name, answer in answers.items() if isinstance(answer, Check)}
    found = {name: check for name, check in checks.items() if check.is_found}
    if any(_is_error(found[cause]) for cause in CAUSES["stuck at log 2"] if cause in found):
        found = {n: replace(check, is_mild=check.is_mild and n != "stuck at log 2") for n, check in found.items()}
    findings = [
        _finding(check, tuple(cause for cause in CAUSES.get(name, ()) if cause in found))
        for name, check in found.items()
    ]
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), len(finding.causes)))
    subject = f"{model.scorer} on {counted(len(pairs), 'pair', ',')}"
    n_held_out = 0 if validation is None else len(validation)
    return Diagnosis(
        subject if validation is None else f"{subject} and {counted(n_held_out, 'held-out pair', ',')}",
        tuple(findings),
        tuple(checks.values()),
        {name: answer for name, answer in answers.items() if isinstance(answer, str)},
    )


def _answers(case: Case) -> dict[str, Check | str]:
    """Make every check; a text says why one could not be made."""
    stuck, too_high = of_fit.stuck(case), of_fit.learning_rate_too_high(case)
    is_stuck = isinstance(stuck, Check) and stuck.is_found
    too_low = of_fit.learning_rate_too_low(case, isinstance(too_high, Check) and too_high.is_found)
    swapped: Check | str = of_labels.labels_swapped(case)
    if isinstance(too_low, Check) and too_low.is_found:
        swapped = "the fit stopped too far from its minimum"
    return {
        "stuck at log 2": stuck,
        "zero features": of_features.zero_features(case),
        "identical answers": of_features.identical_answers(case),
        "coin-flip labels": of_labels.coin_flip_labels(case, is_stuck),
        "zero-initialised network": of_fit.zero_network(case),
        "learning rate too low": too_low,
        "learning rate too high": too_high,
        "labels swapped": swapped,
        "contradictory labels": of_labels.contradictory_labels(case),
        "annotators disagree": of_annotators.annotators_disagree(case),
        "duplicated pairs": of_labels.duplicated_pairs(case),
        "leak between splits": of_labels.leak_between_splits(case),
        "order leak": of_features.order_leak(case),
        "separable data": of_fit.separable_data(case),
        "over-fitting": of_fit.over_fitting(case),
        "over-confidence": of_fit.over_confidence(case),
        "reward scale drifting": of_fit.scale_drifting(case),
        "chosen reward falling": of_fit.chosen_falling(case),
        "rewards not centred": of_fit.not_centred(case),
        "one feature carries the model": of_features.one_feature(case, is_stuck),
        "undetermined directions": of_features.undetermined_directions(case),
    }


class _Words(Formatter):
    """Fills in numbers, and chooses words by them: ``{pairs:pair is|pairs are}`` depends on whether there is one."""

    def format_field(self, value: object, spec: str) -> str:
        """Return the value as text, or one of two texts."""
        one, choice, several = spec.partition("|")
        if not choice:
            return str(super().format_field(value, _with_digits(value, spec)))
        return one if isinstance(value, Real) and f"{value:.0f}" == "1" else several


def _with_digits(value: object, spec: str) -> str:
    """Ask for three significant digits where a fixed number of decimals would show too many digits, or only one."""
    fixed = re.fullmatch(r"(\+?)\.([1-9])f", spec)
    if fixed is None or not isinstance(value, Real) or value == 0:
        return spec
    decimals = int(fixed[2])
    least = 10.0 ** (1 - decimals) if decimals > 1 else 0.05
    return spec if least <= abs(float(value)) < 1e6 else f"{fixed[1]}.3g"


def _is_error(check: Check) -> bool:
    return _finding(check, ()).severity == "error"


def _finding(check: Check, causes: tuple[str, ...]) -> Finding:
    words = MILDER[check.name] if check.is_mild and check.name in MILDER else WORDS[check.name]
    severity = words.severity
    if check.name in WORSE and of_fit.is_above(check):
        words = WORSE[check.name]
    elif check.name in SPECIAL and SPECIAL[check.name][0] in check.evidence:
        words = SPECIAL[check.name][1]
        severity = words.severity
    seen = {key: visible(it, LONGEST_SHOWN) if isinstance(it, str) else it for key, it in check.evidence.items()}
    explanation = _Words().vformat(words.explanation, (), seen)
    if check.name == "identical answers" and check.evidence["share"] == 1:
        severity = "error"
    return Finding(
        check.name, severity, check.evidence, explanation, f"{words.remedy[0].upper()}{words.remedy[1:]}", causes
    )
