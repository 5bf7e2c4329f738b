"""What is wrong with a training run: named findings, each with evidence, a severity, an explanation and a remedy.

records       ``Finding``, ``Check`` and ``Diagnosis``: the results, in numbers and in words
levels        the error level of every check, and the tests that hold it
sample        the pairs as a model sees them: margins, losses and prompts
case          one run: model, history, training pairs and held-out pairs
of_labels     checks of the choices: swapped, random, contradictory, copied or leaked
of_annotators the check that compares each annotator with all of them together
of_features   checks of the features: identical, undetermined, one that does all the work, order leak
of_fit        checks of the fit: stuck, learning rate, separable data, over-fitting, confidence, rewards
words         what each finding means, and what helps
doctor        ``diagnose``: all checks of one run

The page docs/doctor.md derives the threshold of each check and shows how often the checks are right.
"""

from .doctor import diagnose
from .records import Check, Diagnosis, Finding

__all__ = ["Check", "Diagnosis", "Finding", "diagnose"]
