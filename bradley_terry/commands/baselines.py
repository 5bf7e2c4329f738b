"""What the report compares an accuracy with: that of the longer answer, and how far repeated judgements agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ..calibration import LengthBaseline, PairAgreement, length_baseline, pair_agreement
from ..calibration.length import LENGTH
from ..evaluation import Evaluation, pairwise_accuracies
from ..intervals import bootstrap_interval
from ..pairs import PreferencePairs

__all__ = ["Beside", "beside", "in_json", "in_words", "length_rows", "on_length", "on_repeats"]

LEAST_PROMPTS = 5  # of fewer, the resamples are so few that their interval can be a single point


@dataclass(frozen=True)
class Beside:
    """What to compare an accuracy with. Both parts may be None: no texts, or no pair that was judged twice.

    ``gain`` is the model's accuracy minus that of the longer answer, with its 95 % bootstrap interval over prompts.
    """

    length: LengthBaseline | None = None
    gain: float = 0.0
    gain_interval: tuple[float, float] | None = None
    repeats: PairAgreement | None = None


def beside(
    evaluation: Evaluation,
    pairs: PreferencePairs | None,
    fitted_to: PreferencePairs | None = None,
    *,
    only_length: bool = False,
    seed: int = 0,
) -> Beside:
    """Compute it for these pairs; the fit of the length alone is to ``fitted_to``, by default to the same pairs."""
    if pairs is None or len(evaluation.margins) != len(pairs):
        return Beside()
    repeats = None if only_length else pair_agreement(pairs)
    if pairs.is_items or LENGTH not in (pairs.feature_names or ()):
        return Beside(repeats=repeats)
    length = length_baseline(pairs, fitted_to=fitted_to, seed=seed)
    if only_length:
        return Beside(length)
    column = (pairs.feature_names or ()).index(LENGTH)
    longer = np.subtract(pairs.chosen[:, column], pairs.rejected[:, column], dtype=np.float64)
    by_length = pairwise_accuracies(longer, pairs.labels)
    difference = pairwise_accuracies(evaluation.margins, pairs.labels) - by_length
    return Beside(
        length=length,
        gain=evaluation.accuracy - length.accuracy,
        gain_interval=bootstrap_interval(
            difference, pairs.prompt_index, weights=pairs.weights, rng=np.random.default_rng(seed)
        ),
        repeats=repeats,
    )


def in_words(interval: tuple[float, float] | None, n_prompts: int, words: str, number: str = ".3f") -> str:
    """Return the words with the ends of the interval in them, or nothing where there are too few prompts for one."""
    if interval is None or n_prompts < LEAST_PROMPTS:
        return ""
    return words.format(*(format(end, number) for end in interval))


def length_rows(columns: Mapping[str, Beside], evaluations: Mapping[str, Evaluation]) -> list[list[str]]:
    """Return the two rows of the length alone for the table, or none if there is a column without texts."""
    known = {name: found.length for name, found in columns.items() if found.length is not None}
    if not known or len(known) < len(columns):
        return []
    shares = [
        f"{length.accuracy:.3f}" + in_words(length.accuracy_interval, evaluations[name].n_prompts, " [{}, {}]")
        for name, length in known.items()
    ]
    return [
        ["accuracy of the longer answer", *shares, "0.500"],
        ["mean loss of the length alone", *(f"{length.mean_loss:.4f}" for length in known.values()), "0.6931 = log 2"],
    ]


def on_length(found: Beside, where: str, n_prompts: int) -> str:
    """Say what these rows are, and whether the model is better than the length of the answers."""
    if found.length is None:
        return ""
    said = (
        "The longer answer is the one with more words, and the loss of the length alone is that of a fit with the "
        "difference of log(1 + words) as its only feature. "
    )
    said += (
        f"The accuracy of the model on the {where} pairs differs from that of the longer answer by {found.gain:+.3f}"
    )
    interval = in_words(found.gain_interval, n_prompts, ", with a 95 % interval from {} to {}", "+.3f")
    if found.gain_interval is None or not interval:
        return f"{said}."
    said += interval
    low, high = found.gain_interval
    if found.length.accuracy < 0.5:  # the model need not know more than that the shorter answer wins
        return f"{said}. In these pairs the shorter answer is chosen more often, so compare the losses instead."
    if low > 0:
        return f"{said}, so the model has learned more than length."
    if high < 0:
        return f"{said}, so the model is worse than this rule."
    return f"{said}, so this difference may be chance. Compare the losses, too."


def on_repeats(found: Beside, *, items: bool) -> str:
    """Say how far repeated judgements agree, and what that means for the accuracy of any model."""
    repeats = found.repeats
    if repeats is None:
        return ""
    n, total = f"{repeats.n_repeated:,}", f"{repeats.n_judgements:,}"
    many = repeats.n_repeated != 1
    if items:
        said = f"In {n} case{'s' * many}, the same two items were compared more than once ({total} comparisons). "
        said += "Two comparisons of the same items have the same outcome"
    else:
        said = (
            f"{n} pair{'s' * many} of answers {'were' if many else 'was'} judged more than once ({total} judgements). "
        )
        said += "Two judgements of the same pair agree"
    said += f" with a probability of {repeats.agreement:.3f}"
    if not np.isnan(repeats.alpha):
        said += f". Krippendorff's α is {repeats.alpha:.3f}, where 0 is agreement by chance and 1 is perfect agreement"
    if repeats.accuracy_ceiling == 1:
        return f"{said}."
    return (
        f"{said}. On them, no model can have an accuracy above {repeats.accuracy_ceiling:.3f}, because it is wrong "
        f"about one of two {'outcomes' if items else 'judgements'} that differ."
    )


def in_json(found: Beside) -> dict[str, object]:
    """Return what there is of it, ready for JSON."""
    result: dict[str, object] = {}
    if found.length is not None:
        plain = {name: None if value in (np.inf, -np.inf) else value for name, value in asdict(found.length).items()}
        plain = {name: None if value != value else value for name, value in plain.items()}  # noqa: PLR0124  # NaN
        result["length_only"] = {**plain, "gain": found.gain, "gain_interval": found.gain_interval}
    if found.repeats is not None:
        repeats = asdict(found.repeats)
        result["repeats"] = {name: None if value != value else value for name, value in repeats.items()}  # noqa: PLR0124
    return result
