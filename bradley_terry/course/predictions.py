"""The questions that each lesson asks before it shows: three options, and a reply to each.

Every question is one that intuition tends to get wrong. ``check.prediction("03.1", "b")`` gives the reply; the numbers
in the replies are tested.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PREDICTIONS", "Prediction"]


@dataclass(frozen=True)
class Prediction:
    """A question, its options and replies by letter, and the right letter."""

    question: str
    choices: dict[str, str]
    options: dict[str, str]
    right: str


def _asked(question: str, right: str, **answers: tuple[str, str]) -> Prediction:
    return Prediction(
        question,
        {letter: choice for letter, (choice, _) in answers.items()},
        {letter: reply for letter, (_, reply) in answers.items()},
        right,
    )


PREDICTIONS: dict[str, Prediction] = {
    "01.1": _asked(
        "Answer a is scored 2.0 and answer b 1.0. Now both scores double, to 4.0 and 2.0. "
        "What happens to the probability that a is preferred?",
        "c",
        a=("It stays: a is still twice as good as b.",
           "No. Scores are not strengths: their ratio means nothing, only their difference does. It grew from 1 to 2."),
        b=("It doubles.",
           "No. It was 0.731 already, and no probability is 1.46. The margin doubles, the odds are squared."),
        c=("It rises, but does not double.",
           "Yes. The margin grows from 1 to 2, the odds from e to e², the probability from 0.731 to σ(2) = 0.881."),
    ),
    "02.1": _asked(
        "Pair A is scored 3.2 and 1.5, pair B −0.5 and −2.0; the chosen answer comes first. Which pair costs more?",
        "b",
        a=("Pair A: its rejected answer has a high score.",
           "No. Scores by themselves cost nothing. Pair A has the margin 1.7 and costs 0.168."),
        b=("Pair B, by a little.",
           "Yes. Margins are 1.7 and 1.5, so the losses are 0.168 and 0.201: the smaller margin costs more."),
        c=("Pair B, by far: both of its scores are negative.",
           "It is pair B, but only by a little: 0.201 against 0.168. The sign of a score means nothing."),
    ),
    "03.1": _asked(
        "A trained model scores an answer to prompt 1 with 7 and an answer to prompt 2 with 4. Which is better?",
        "c",
        a=("The one scored 7.", "No. Adding −5 to all answers of prompt 1 moves no margin; then it is 2 against 4."),
        b=("The one scored 7, with probability σ(3) = 0.95.",
           "No. Nobody was asked to compare answers of two prompts; Δ across prompts has no meaning to the loss."),
        c=("The model cannot say.",
           "Yes. The loss sees margins within a prompt; each may have a shift of its own, and no choice tells."),
    ),
    "03.2": _asked(
        "A linear model has the least loss that its choices allow. You double every reward, so no answer changes its "
        "place. What happens to the loss?",
        "c",
        a=("It stays: the order of all answers is the same.",
           "No. The loss knows how far apart answers are, not only which comes first."),
        b=("It falls: chosen answers lead by more.",
           "No. Where the rejected one leads, it leads by more, too, and that costs more than the others save."),
        c=("It rises.",
           "Yes. The least loss has the best scale as well: any other factor than 1 costs more."),
    ),
    "04.1": _asked(
        "Two models rank 9 of 10 pairs rightly. The first says 0.7 of its choice each time, the second 0.99. "
        "Which has the smaller mean loss?",
        "a",
        a=("The first.", "Yes. 0.441 against 0.470: one confident mistake costs 4.6, nine sure hits save 0.35 each."),
        b=("The second: it is surer where it is right.",
           "No. It saves 0.35 nats on each hit, and pays 4.61 instead of 1.20 for its mistake: 0.470 against 0.441."),
        c=("They are equal: the accuracy is the same.",
           "No. Accuracy does not know how sure the model is; the loss does. It is 0.441 against 0.470."),
    ),
    "05.1": _asked(
        "People choose the better answer of each pair 7 times in 10, and you know exactly which is better. "
        "What is the smallest expected loss of any model?",
        "c",
        a=("0.", "No. Whoever predicts certainty pays without bound for each of the 30 % of surprises."),
        b=("0.357, which is −log 0.7.",
           "No. That is the cost of the likely outcome. The unlikely one costs −log 0.3 = 1.204, three times in ten."),
        c=("0.611.", "Yes. 0.7·0.357 + 0.3·1.204 = 0.611, the entropy of the choice. Less is memory, not knowledge."),
    ),
    "06.1": _asked(
        "Training is over: the gradient of the mean loss is zero. How hard do the pairs still pull?",
        "c",
        a=("Not at all: each has found its place.",
           "No. A pair rests only where the model is right and quite sure, and people contradict any model."),
        b=("All alike.", "No. They pull alike before training, when all margins are zero."),
        c=("From hardly at all to nearly with full force.",
           "Yes. A pair pulls as hard as the model is surprised by it; for each weight the pulls up and down cancel."),
    ),
    "07.1": _asked(
        "You check a gradient by differences with a step of 1e-12 instead of 1e-5. What happens to the error?",
        "c",
        a=("It shrinks: a derivative is a limit, and the step is closer to 0.",
           "No. That holds for numbers with endless digits. Here f(x + h) − f(x − h) keeps almost none of its own."),
        b=("It stays: the step is small either way.",
           "No. It is some ten million times larger: rounding, about 1e-16, is divided by the step."),
        c=("It grows.", "Yes. Rounding, about 1e-16, is divided by the step: 1e-16/1e-12 = 1e-4."),
    ),
    "08.1": _asked(
        "People like answers of medium length. A linear scorer has learned from 600 choices. What do ten times as many "
        "choices save on fresh pairs?",
        "b",
        a=("Half of what it loses to the truth.",
           "No. More choices bring the best straight line, which it had nearly found already."),
        b=("Next to nothing.",
           "Yes. What it lacks is no choice but a shape: a reward that is linear in length has no top in the middle."),
        c=("All of it: with enough choices it finds the middle.",
           "No. A reward that is linear in length rises or falls all the way, however many choices there are."),
    ),
    "09.1": _asked(
        "A margin falls from −1 to −10, to −100. At which margin does log(1 + exp(−Δ)) first fail in float32?",
        "b",
        a=("About −709.", "No. That is where exp overflows in float64. float32 ends at 3.4e38, e to the 88.7."),
        b=("About −89.", "Yes. exp(88.73) is past the largest float32, 3.4e38, so from there on the loss is infinite."),
        c=("It does not fail: the result is a small number.",
           "No. The result, 89, is small; what overflows is exp(89) on the way to it."),
    ),
}  # fmt: skip
