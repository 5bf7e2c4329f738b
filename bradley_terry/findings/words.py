"""What each finding means, in three sentences, and what helps.

The first sentence says what was found, the second what it means, and the third how it usually comes about. A name in
braces stands for a number of the evidence.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAUSES", "WORDS", "Words"]


class Words(NamedTuple):
    """The words of a finding."""

    severity: str
    explanation: str
    remedy: str


WORDS = {
    "stuck at log 2": Words(
        "error",
        "The training loss is {training loss:.4f}, and it has fallen below log 2 = 0.6931 by no more than a fit to "
        "coin flips would make it fall. A loss of log 2 is what a model has that gives both answers of every pair "
        "the same reward, so this model has learned nothing that can be told from chance. Either the fit did not "
        "move, or there is nothing in the data that it could have learned.",
        "look at the cause below; if none is named, there are probably too few pairs, or the penalty l2 is too strong.",
    ),
    "learning rate too low": Words(
        "error",
        "The fit stopped after {steps} steps with a training loss of {last loss:.4f}, but a loss of {attainable "
        "loss:.4f} can be reached with these features. The parameters were still on their way when the steps ran "
        "out. Each step moves them by the learning rate times the gradient, so a small rate needs many steps.",
        "multiply the learning rate by 10, or allow more steps; a linear scorer or a table can use method='newton', "
        "which needs no learning rate.",
    ),
    "learning rate too high": Words(
        "error",
        "In the second half of the fit the training loss was not falling: it kept climbing above its own best "
        "value, or it became infinite. Each step jumps over the minimum and lands on the other side, higher than "
        "before. With a small enough learning rate the loss of gradient descent never rises, and that of Adam "
        "hardly does.",
        "divide the learning rate by 10, or leave it out to get the default.",
    ),
    "zero-initialised network": Words(
        "error",
        "All {parameters} parameters of the network are exactly 0. At this point the gradient is exactly 0 as well: "
        "the hidden layer is 0, so the output weights get no gradient, and the output weights are 0, so the hidden "
        "layer gets none. A fit that starts there never moves, whatever the learning rate.",
        "start from random parameters, as scorer.initial(rng) gives them; fit does so if initial is left out.",
    ),
    "zero features": Words(
        "error",
        "All {features} features are 0 in both answers of all {pairs} pairs. A linear reward is then 0 for every "
        "answer, and nothing can be learned. This usually happens where features are computed: a lookup that finds "
        "nothing, or an array that was made with zeros and never filled.",
        "print pairs.head() and find the step that loses the numbers.",
    ),
    "identical answers": Words(
        "warning",
        "In {identical pairs} of {pairs} pairs both answers have exactly the same features. Such a pair always "
        "costs log 2 and has a gradient of 0, so the model can learn nothing from it. Often two long texts differ "
        "only after the place where they were cut off, or the features leave out what the person looked at.",
        "raise the limit at which texts are cut, add features that differ, or leave these pairs out.",
    ),
    "coin-flip labels": Words(
        "error",
        "The choices depend on the features no more than coin flips would: their test statistic is {statistic of "
        "the choices:.1f}, and coin flips exceed {coin flips exceed in 1 %:.1f} in one case of a hundred. Whatever "
        "a model learns from such pairs is chance, and its accuracy on new pairs is ½. The labels may have been "
        "shuffled against the answers, the people may have guessed, or the features do not describe what they "
        "judged.",
        "read a few pairs and check that labels and answers belong together; if they do, add features or pairs.",
    ),
    "labels swapped": Words(
        "error",
        "The accuracy is {accuracy:.3f}, far below the ½ of coin flips. A model that is wrong so often has learned "
        "the right thing with the wrong sign, because mere ignorance would give ½. Usually chosen and rejected were "
        "exchanged in one of the files, or a 0 means that the first answer was preferred.",
        "look at one pair by eye, and exchange chosen and rejected where they are wrong.",
    ),
    "contradictory labels": Words(
        "note",
        "{contradictory pairs} pairs of answers were judged in both ways. No model can agree with two opposite "
        "judgements of the same pair, so the training loss of any model is at least {loss floor:.4f}. This is "
        "normal where people have different tastes or guess, and it is the reason why the model gives "
        "probabilities.",
        "compare the loss with this floor instead of with 0; if judgements of a pair should agree, look for a file "
        "that was read twice with different labels.",
    ),
    "separable data": Words(
        "warning",
        "{separated pairs} of {pairs} pairs can be put in the right order with a margin as large as one likes. The "
        "loss then falls for ever while the parameters grow, roughly with the logarithm of the number of steps, and "
        "there is no best fit. This happens if there are few pairs for so many parameters, or if a feature gives "
        "the answer away.",
        "use l2 > 0, collect more pairs, or stop at the lowest held-out loss.",
    ),
    "over-fitting": Words(
        "warning",
        "The mean loss is {training loss:.4f} on the training pairs and {held-out loss:.4f} on the held-out pairs, "
        "or the held-out loss rose again during the fit. The model has learned peculiarities of its training pairs "
        "that new pairs do not share. This happens if there are many parameters for so few pairs, or if the fit "
        "goes on for too long.",
        "use a larger l2, fewer features or hidden units, or more pairs, and keep the step with the lowest held-out "
        "loss.",
    ),
    "over-confidence": Words(
        "warning",
        "The held-out choices follow {b:.2f} times the margins of the model (95 % interval from {from:.2f} to "
        "{to:.2f}), where 1 would be right. On average the model gives its favourite a probability of {mean "
        "predicted probability:.3f}, but the favourite was chosen with a frequency of {share chosen:.3f}. A model "
        "that was fitted too closely to few pairs has margins that are too large.",
        "divide the rewards by a temperature: calibration.fit_temperature(model, held_out) finds it; a larger l2 "
        "helps as well.",
    ),
    "chosen reward falling": Words(
        "note",
        "The mean reward of the chosen answers changed by {change of the chosen reward:+.3f} during the fit, and "
        "that of the rejected answers by {change of the rejected reward:+.3f}. The loss only looks at the "
        "difference, so it falls as long as the rejected rewards fall faster. This happens if both answers of a "
        "pair have much in common: what pushes one of them down also pushes the other.",
        "judge by margins, not by rewards; if rewards must stay near 0, use fit(…, centring=0.01).",
    ),
    "reward scale drifting": Words(
        "warning",
        "Since the lowest held-out loss the length of phi has grown from {|phi| at the lowest held-out loss:.3g} to "
        "{|phi| at the end:.3g}. The rewards become larger without predicting the choices better. Nothing but the "
        "pairs holds the scale, and where these are fitted almost perfectly, the loss still falls a little as "
        "everything grows.",
        "keep the step with the lowest held-out loss, or use l2 > 0.",
    ),
    "rewards not centred": Words(
        "note",
        "The mean reward is {mean reward:+.3f}, while the rewards differ from each other by only {standard "
        "deviation:.3f} (standard deviation). The loss does not see the mean, since it cancels in every margin, so "
        "the sign of a reward means nothing here. Features whose mean is not 0 shift all rewards by the same "
        "amount.",
        "subtract the mean reward before using single rewards, or use fit(…, centring=0.01).",
    ),
    "one feature carries the model": Words(
        "warning",
        "The feature “{feature}” alone has an accuracy of {of this feature alone:.3f}, and the whole model has "
        "{accuracy of the model:.3f}. At least nine tenths of what the model has learned is in this one feature. If "
        "it is the length of an answer or another matter of form, the model rewards the form and not the quality.",
        "look at the loss without the feature, and compare the accuracy on pairs in which it is equal; collect "
        "pairs in which it does not give the answer away.",
    ),
    "order leak": Words(
        "error",
        "{which} gives every pair the same margin in favour of the preferred answer. This works like a bias that is "
        "added to the chosen reward only: it makes the accuracy {accuracy with it:.3f} even if the choices are coin "
        "flips. The chosen answer is always stored first, and something in the features or in the scorer knows the "
        "position.",
        "remove what depends on the position (the number of the answer, the time of writing, an output bias).",
    ),
    "leak between splits": Words(
        "error",
        "{leaked} of {held-out pairs} held-out pairs share their prompt, or both answers, with training pairs. The "
        "numbers for these pairs do not show how good the model is on new prompts, because it has seen them. This "
        "happens if pairs are divided at random instead of prompt by prompt, or if a file contains the same pair "
        "twice.",
        "split by prompt, as pairs.split() does, and remove copies first.",
    ),
    "duplicated pairs": Words(
        "warning",
        "{repeated pairs} pairs were judged more than once, and {always judged alike} of them always in the same "
        "way, where independent judgements would give about {expected of independent judgements:.1f}. Copies add "
        "weight but no information, so standard errors are too small, and copies on both sides of a split leak. "
        "They come from files that were joined twice, or from people who saw each other's answers.",
        "remove the copies, or give all copies of a pair the same prompt and use kind='sandwich' for standard errors.",
    ),
    "annotators disagree": Words(
        "warning",
        "Annotator {who differs most} chooses by other criteria than the rest: the agreement with the model is "
        "{agreement with the model:.3f}, and that of the others is {agreement of the others:.3f}. One model for all "
        "gives a mixture of tastes that may be nobody's. The annotator may be careless, may have misunderstood the "
        "task, or may want something else.",
        "look at calibration.by_annotator(model, pairs, annotators), talk to the annotator, or use its weights.",
    ),
    "undetermined directions": Words(
        "warning",
        "The pairs say nothing about {directions} direction(s) of the parameters: {which}. The loss is the same for "
        "every value there, so the value that the model has is arbitrary, and predictions for new pairs depend on "
        "it. A feature may be equal in both answers of every pair, two features may always move together, or groups "
        "of items may never have met.",
        "leave the feature out, add pairs in which it differs, or use l2 > 0.",
    ),
}

CAUSES = {
    "stuck at log 2": (
        "zero features",
        "identical answers",
        "zero-initialised network",
        "learning rate too low",
        "learning rate too high",
        "coin-flip labels",
    ),
    "undetermined directions": ("zero features", "identical answers"),
    "identical answers": ("zero features",),
    "separable data": ("order leak",),
    "one feature carries the model": ("order leak",),
    "over-fitting": ("coin-flip labels", "separable data"),
    "over-confidence": ("over-fitting", "learning rate too high", "coin-flip labels"),
    "reward scale drifting": ("separable data", "over-fitting", "learning rate too high"),
    "leak between splits": ("duplicated pairs",),
}
"""Which findings explain which others."""
