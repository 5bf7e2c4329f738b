"""After the fit: how good a model's probabilities are, and how far the people who judged the pairs agree.

    fit_temperature      one number T by which the rewards are divided, so that held-out choices are best predicted
    annotator_noise      the share ε of choices made at random, from the margins and the choices
    by_annotator         agreement, noise and loss of each annotator
    krippendorff_alpha   agreement of any number of raters, corrected for chance; ``agreement`` has more numbers
    pair_agreement       the same for pairs that were judged more than once, and the highest accuracy on them
    length_baseline      the accuracy of always choosing the longer answer

The page ``docs/after_the_fit.md`` has an example of each.
"""

from .agreement import Agreement, PairAgreement, agreement, krippendorff_alpha, pair_agreement
from .annotators import Annotator, Annotators, by_annotator
from .length import LengthBaseline, length_baseline
from .noise import Noise, annotator_noise
from .temperature import TemperatureFit, fit_temperature

__all__ = [
    "Agreement",
    "Annotator",
    "Annotators",
    "LengthBaseline",
    "Noise",
    "PairAgreement",
    "TemperatureFit",
    "agreement",
    "annotator_noise",
    "by_annotator",
    "fit_temperature",
    "krippendorff_alpha",
    "length_baseline",
    "pair_agreement",
]
