"""What each finding means, in three sentences, and what helps.

The first sentence says what was found, the second what it means, and the third how it usually comes about. A name in
braces stands for a number of the evidence.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CAUSES", "MILDER", "SPECIAL", "WORDS", "WORSE", "Words"]


class Words(NamedTuple):
    """The words of a finding."""

    severity: str
    explanation: str
    remedy: str


WORDS = {
    "stuck at log 2": Words(
        "error",
        "The training loss is {training loss:.4f}, and a model that gives both answers of every pair the same reward "
        "has a loss of {loss of equal rewards:.4f}. The difference is no larger than a fit to coin flips would make "
        "it, so this model has learned nothing that can be distinguished from chance. Either the fit did not move, or "
        "the data contain nothing that it could have learned.",
        "look at the probable cause; if none is named, the penalty l2 may be too strong, or the features may not "
        "describe what the annotators judged.",
    ),
    "learning rate too low": Words(
        "error",
        "The fit stopped after {steps} {steps:step|steps} with a training loss of {last loss:.4f}, but a loss of "
        "{attainable loss:.4f} can be reached with these features. The parameters were still far from the minimum "
        "when the fit stopped. Each step moves them by the learning rate times the gradient, so a small rate needs "
        "many steps.",
        "multiply the learning rate by 10, or allow more steps; a linear scorer or a table can use method='newton', "
        "which needs no learning rate.",
    ),
    "learning rate too high": Words(
        "error",
        "In the second half of the fit the training loss rose above its lowest value again and again, or it became "
        "infinite. Each step jumps over the minimum and lands on the other side, higher than before. With a small "
        "enough learning rate the loss of gradient descent never rises, and that of Adam hardly does.",
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
        "{features:The only feature is|All {features} features are} 0 in {pairs:both answers of the only pair|both "
        "answers of all {pairs} pairs}. A linear reward is then 0 for every answer, and nothing can be learned. This "
        "usually happens where features are computed: a lookup that finds nothing, or an array that was made with "
        "zeros and never filled.",
        "print pairs.head() and find the step that loses the numbers.",
    ),
    "identical answers": Words(
        "warning",
        "In {identical pairs} of {pairs} {pairs:pair|pairs} both answers have exactly the same features. Such a pair "
        "always has a loss of log 2 and a gradient of 0, so the model can learn nothing from it. Often two long "
        "texts differ only after the place where they were cut off, or the features leave out what the annotator "
        "looked at.",
        "look at some of these pairs: if their texts are equal, too, raise the limit at which they are cut; if their "
        "texts differ, add features that tell them apart; or leave these pairs out.",
    ),
    "coin-flip labels": Words(
        "error",
        "The choices depend on the features or items no more than coin flips would: the test statistic is "
        "{statistic of the choices:.1f}, and coin flips give more than {99 % quantile of coin flips:.1f} in one case "
        "of a hundred. A model can learn only noise from such pairs, so expect an accuracy of about ½ on new pairs. "
        "The labels may belong to other answers, the annotators may have guessed, or the features may not describe "
        "what they judged.",
        "read a few pairs and check that labels and answers belong together; if they do, add features or pairs.",
    ),
    "labels swapped": Words(
        "error",
        "The accuracy is {accuracy:.3f}, below the ½ of coin flips by more than chance allows. A model that is wrong "
        "so often has learned the right thing with the wrong sign, because a model without knowledge would reach ½. "
        "Usually chosen and rejected were exchanged in one of the files, or a 0 means that the first answer was "
        "preferred.",
        "look at one pair by eye, and exchange chosen and rejected where they are wrong.",
    ),
    "contradictory labels": Words(
        "note",
        "{contradictory pairs} {contradictory pairs:pair of answers was|pairs of answers were} judged both ways. No "
        "model can agree with two opposite judgements of the same pair, nor be sure of ties and of labels between 0 "
        "and 1, so the training loss of any model is at least {loss floor:.4f}. This is normal where people have "
        "different tastes or guess, and it is the reason why the model gives probabilities.",
        "compare the loss with this floor instead of with 0; if judgements of a pair should agree, look for a file "
        "that was read twice with different labels.",
    ),
    "separable data": Words(
        "warning",
        "{separated pairs} of {pairs} {pairs:pair|pairs} can be put in the right order with arbitrarily large margins, "
        "without harm to the others. The parameters then grow without end (in gradient descent, roughly with the "
        "logarithm of the number of steps), the loss keeps falling, and no best fit exists. This happens if there are "
        "few pairs for so many parameters, or if a feature gives the answer away.",
        "use l2 > 0, collect more pairs, or stop at the lowest held-out loss.",
    ),
    "over-fitting": Words(
        "warning",
        "The mean loss is {training loss:.4f} on the training pairs and {held-out loss:.4f} on the held-out pairs: "
        "this difference is larger than chance would explain, or the held-out loss rose again during the fit. The "
        "model has learned peculiarities of its training pairs that new pairs do not share. This happens if there are "
        "many parameters for so few pairs, or if the fit goes on for too long.",
        "use a larger l2, fewer features or hidden units, or more pairs, and keep the step with the lowest held-out "
        "loss.",
    ),
    "over-confidence": Words(
        "warning",
        "The margins of the model must be multiplied by {b:.2f} to fit the held-out choices best (95 % interval from "
        "{from:.2f} to {to:.2f}); a calibrated model would need a factor of 1. On average the model gives the answer "
        "that it prefers a probability of {mean predicted probability:.3f}, but that answer was chosen with a "
        "frequency of {share chosen:.3f}. A model that was fitted too closely to few pairs has margins that are too "
        "large.",
        "divide the rewards by a temperature: calibration.fit_temperature(model, held_out) finds it; a larger l2 "
        "helps as well.",
    ),
    "chosen reward falling": Words(
        "note",
        "The mean reward of the chosen answers changed by {change of the chosen reward:+.3f} during the fit, and that "
        "of the rejected answers by {change of the rejected reward:+.3f}. The loss only looks at the difference, so "
        "it falls as long as the rejected rewards fall faster. This happens if both answers of a pair have much in "
        "common: a step that lowers the reward of one also lowers that of the other.",
        "compare margins, not rewards; if single rewards must be near 0, subtract their mean, or centre the features.",
    ),
    "reward scale drifting": Words(
        "note",
        "After the lowest held-out loss the norm of phi grew from {|phi| at the lowest held-out loss:.3g} to "
        "{|phi| at the end:.3g}, without better predictions. The model is not affected, because it has the parameters "
        "of the lowest held-out loss. Only the pairs limit the scale of the rewards: if the parameters fit them almost "
        "perfectly, the loss still falls a little as all rewards grow.",
        "keep this model; to save time, use fewer steps or a smaller patience, and to limit the scale, l2 > 0.",
    ),
    "rewards not centred": Words(
        "note",
        "The mean reward is {mean reward:+.3f}, while the standard deviation of the rewards is only {standard "
        "deviation:.3f}. The mean cancels in every margin, so the loss does not depend on it and the sign of a single "
        "reward means nothing. Features whose mean is not 0 shift all rewards by the same amount.",
        "subtract the mean reward before you use single rewards, or centre the features; no margin changes.",
    ),
    "one feature carries the model": Words(
        "warning",
        "The feature “{feature}” alone has an accuracy of {of this feature alone:.3f}, and the whole model has "
        "{accuracy of the model:.3f}. At least nine tenths of what the model has learned is in this one feature. If "
        "it is the length of an answer or another matter of style, the model rewards style instead of quality.",
        "look at the loss without the feature, and at the accuracy on pairs in which both answers have the same value "
        "of it; collect pairs in which it does not give the answer away.",
    ),
    "order leak": Words(
        "error",
        "In every pair, the preferred answer gets the same margin from {which}. This works like a bias that is added "
        "to the chosen reward only, so even choices by coin flips could give this accuracy of {accuracy with it:.3f}. "
        "The chosen answer is always stored first, and something in the features or in the scorer depends on this "
        "position.",
        "remove what depends on the position (the number of the answer, the time of writing, an output bias).",
    ),
    "leak between splits": Words(
        "error",
        "{leaked} of {held-out pairs} held-out {held-out pairs:pair|pairs} {leaked:has|have} the prompt of a "
        "training pair. The numbers for {leaked:this pair|these pairs} do not show how good the model is on new "
        "prompts, because {leaked:its prompt is|their prompts are} not new. This happens if pairs are divided at "
        "random instead of prompt by prompt, or if a file contains the same pair twice.",
        "split by prompt, as pairs.split() does, and remove copies first.",
    ),
    "duplicated pairs": Words(
        "note",
        "{repeated pairs} {repeated pairs:pair was|pairs were} judged more than once; {always judged alike} of them "
        "{always judged alike:was|were} always judged in the same way, but independent judgements would agree on only "
        "about {expected of independent judgements:.1f}. If they are copies, they add weight but no information, so "
        "standard errors are too small, and a copy on each side of a split is a leak. Copies come from files that were "
        "joined twice, but people also agree this often if they all see a difference that the features do not contain.",
        "find out where the repeated pairs come from, and delete only what is a copy of the same judgement; judgements "
        "by several people should have the same prompt, and model.standard_errors(kind='sandwich') is then right.",
    ),
    "annotators disagree": Words(
        "warning",
        "Annotator {who differs most} chooses differently from the others: this annotator agrees with the model on "
        "{agreement with the model:.1%} of {pairs of this annotator:,} {pairs of this annotator:pair|pairs}, and the "
        "others on {agreement of the others:.1%} of theirs. One model for "
        "all annotators mixes different tastes, and may describe none of them. The annotator may be careless, may have "
        "misunderstood the task, or may prefer something else.",
        "look at calibration.by_annotator(model, pairs, annotators), talk to the annotator, or fit again with the "
        "weights that it returns.",
    ),
    "undetermined directions": Words(
        "warning",
        "The pairs say nothing about {directions} {directions:direction|directions} of the parameters: {which}. The "
        "loss does not change along such a direction, so the value that the model has there is arbitrary, and "
        "predictions for new pairs may depend on it. A feature may be equal in both answers of every pair, two "
        "features may always move together, or groups of items may never have been compared.",
        "leave the feature out, add pairs in which it differs or pairs that connect the groups, or use l2 > 0.",
    ),
}

MILDER = {
    "stuck at log 2": Words(
        "warning",
        "The training loss is {training loss:.4f}, and a model that gives both answers of every pair the same reward "
        "has a loss of {loss of equal rewards:.4f}. The difference is no larger than a fit to coin flips would make "
        "it, so there is no evidence that the model has learned anything, but {pairs:,.0f} {pairs:pair is|pairs are} "
        "too few to be sure. A weak signal often looks like this, too.",
        "collect more pairs, or look at the loss on many held-out pairs.",
    ),
    "coin-flip labels": Words(
        "warning",
        "There is no evidence that the choices depend on the features or items: the test statistic is "
        "{statistic of the choices:.1f}, and coin flips give more than {99 % quantile of coin flips:.1f} in one case "
        "of a hundred. This does not show that the choices are coin flips, since these pairs count as only "
        "{prompts:,.0f} independent {prompts:one|ones}, too few to find a weak signal. It may be there, or the "
        "features may not describe what the annotators judged.",
        "collect more pairs before you use the model; read a few of them and check that labels and answers belong "
        "together.",
    ),
    "leak between splits": Words(
        "warning",
        "{leaked} of {held-out pairs} held-out {held-out pairs:pair|pairs} {leaked:has|have} both answers of a "
        "training pair, and one of these answers is in no other pair; by chance, about {expected by chance:.1f} would "
        "be expected. If they are the same pairs, the numbers for them do not show how good the model is on new ones. "
        "This happens if a file contains the same pair twice, or if several judgements of a pair are divided at "
        "random; without prompts, one cannot tell which.",
        "give the pairs their prompts and split by prompt, as pairs.split() does.",
    ),
    "over-fitting": Words(
        "note",
        "After step {step of the model} of the fit the held-out loss rose from {lowest held-out loss:.4f} to "
        "{last held-out loss:.4f}, while the training loss fell. The model is not affected, because it has the "
        "parameters of that step, and there its loss on the training pairs is not much lower than on the held-out "
        "pairs. The later steps learned peculiarities of the training pairs that new pairs do not share.",
        "keep this model; a larger l2, fewer hidden units or more pairs may allow a lower held-out loss.",
    ),
}
"""The same for findings that are less severe than usual, as ``Check.is_mild`` says."""

WORSE = {
    "stuck at log 2": Words(
        "error",
        "The training loss is {training loss:.4f}, and a model that gives both answers of every pair the same reward "
        "has a smaller loss, {loss of equal rewards:.4f}. So on its own training pairs this model predicts the choices "
        "worse than one that has learned nothing. Usually the fit started from random rewards and moved too little, or "
        "its steps were so long that the loss rose.",
        "look at the probable cause; if none is named, allow more steps, or start from smaller parameters.",
    ),
}
"""The same for a loss that is clearly above that of equal rewards. The severity is the one it would have otherwise."""

SPECIAL = {
    "stuck at log 2": (
        "ties",
        Words(
            "error",
            "The training loss is {training loss:.4f}, the loss of a model that gives both answers of every pair the "
            "same reward. Every pair is a tie (a label of ½), so no answer was ever preferred, and there is nothing to "
            "learn. Usually the labels were set to ½ for all pairs, or a column of choices was not read.",
            "print the labels, and find the step that makes them all ½; if they are right, collect pairs with a "
            "preference.",
        ),
    ),
    "over-confidence": (
        "margins in units of those in training",
        Words(
            "warning",
            "The margins of the model must be multiplied by {b:.2f} to fit the held-out choices best (95 % interval "
            "from {from:.2f} to {to:.2f}); a calibrated model would need a factor of 1. A typical margin of the "
            "held-out pairs is {margins in units of those in training:.3g} times as large as one of the training "
            "pairs, and if that is far from 1, the two have features in different units. If it is about 1, the model "
            "was fitted too closely to few pairs, or its parameters were scaled after the fit.",
            "give the features of both parts the same units; if they have them, divide the rewards by a temperature, "
            "which calibration.fit_temperature(model, held_out) finds.",
        ),
    ),
}
"""The same where the evidence has a fact that names a cause: first the name of the fact, then the words."""

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
