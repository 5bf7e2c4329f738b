"""The questions that each lesson asks before it gives the answer, each with three options and a reply to each option.

Intuition often gives the wrong answer to them. ``check.prediction("03.1", "b")`` returns the reply. Tests compute every
number in a reply.
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
        a=("It stays the same: a is still twice as good as b.",
           "No. Scores are not strengths: their difference matters, not their ratio, and it grew from 1 to 2."),
        b=("It doubles.",
           "No. It was 0.731, and twice that, 1.46, is no probability. The margin doubles, so the odds are squared."),
        c=("It rises, but does not double.",
           "Yes. The margin grows from 1 to 2, the odds from e to e², the probability from 0.731 to σ(2) = 0.881."),
    ),
    "02.1": _asked(
        "Pair A is scored 3.2 and 1.5, pair B −0.5 and −2.0, the chosen answer first. Which pair has the higher loss?",
        "b",
        a=("Pair A: its rejected answer has a high score.",
           "No. The loss depends only on the margin, not on single scores. Pair A has margin 1.7 and loss 0.168."),
        b=("Pair B, by a little.",
           "Yes. The margins are 1.7 and 1.5 and the losses 0.168 and 0.201: the smaller margin has the higher loss."),
        c=("Pair B, by a lot: both of its scores are negative.",
           "It is pair B, but only by a little: 0.201 against 0.168. The sign of a score does not matter."),
    ),
    "03.1": _asked(
        "A trained model scores an answer to prompt 1 with 7 and an answer to prompt 2 with 4. Which is better?",
        "c",
        a=("The one scored 7.",
           "No. Adding −5 to all answers to prompt 1 changes no margin, and then the scores are 2 and 4."),
        b=("The one scored 7, with probability σ(3) = 0.95.",
           "No. Nobody was asked to compare answers to different prompts, so the loss never sees Δ between prompts."),
        c=("The model cannot say.",
           "Yes. The loss sees only margins within a prompt. Each prompt may have a shift that no choice reveals."),
    ),
    "03.2": _asked(
        "A linear model has the smallest loss possible on its choices. You double every reward, so the order of the "
        "answers stays the same. What happens to the loss?",
        "c",
        a=("It stays the same: the order of all answers is the same.",
           "No. The loss depends on how far apart the answers are, not only on their order."),
        b=("It falls: chosen answers lead by more.",
           "No. Where the rejected answer leads, it also leads by more, and that costs more than the others save."),
        c=("It rises.",
           "Yes. At the smallest loss the scale of the rewards is already right: any factor but 1 raises the loss."),
    ),
    "04.1": _asked(
        "Two models rank 9 of 10 pairs correctly. Each time, the first gives its choice a probability of 0.7, the "
        "second 0.99. Which has the smaller mean loss?",
        "a",
        a=("The first.",
           "Yes. 0.441 against 0.470: one confident mistake costs 4.6, and nine confident hits save only 0.35 each."),
        b=("The second: it is more confident where it is right.",
           "No. It saves 0.35 nats on each hit but pays 4.61 instead of 1.20 for its mistake: 0.470 against 0.441."),
        c=("They are equal: the accuracy is the same.",
           "No. Accuracy ignores how confident a model is, but the loss does not. It is 0.441 against 0.470."),
    ),
    "05.1": _asked(
        "People choose the better answer of each pair 7 times in 10, and you know exactly which is better. "
        "What is the smallest expected loss of any model?",
        "c",
        a=("0.", "No. A model that predicts certainty pays an unlimited loss for each of the 30 % of surprises."),
        b=("0.357, which is −log 0.7.",
           "No. That is the loss of the likely outcome. The unlikely one costs −log 0.3 = 1.204, three times in ten."),
        c=("0.611.",
           "Yes. 0.7·0.357 + 0.3·1.204 = 0.611, the entropy of the choice. A smaller loss means memorised choices."),
    ),
    "06.1": _asked(
        "Training is over: the gradient of the mean loss is zero. How hard do the pairs still pull?",
        "c",
        a=("Not at all: each has settled.",
           "No. A pair stops pulling only if the model is right and very confident, and people contradict any model."),
        b=("All equally hard.", "No. They pull equally hard before training, when all margins are zero."),
        c=("Some hardly at all, others with almost full force.",
           "Yes. A pair pulls as hard as it surprises the model. For each weight, the pulls up and down cancel."),
    ),
    "07.1": _asked(
        "You check a gradient by finite differences with a step of 1e-12 instead of 1e-5. What happens to the error?",
        "c",
        a=("It shrinks: a derivative is a limit, and the step is closer to 0.",
           "No. That needs infinitely many digits. In f(x + h) − f(x − h) almost no correct digit is left here."),
        b=("It stays the same: both steps are small.",
           "No. It is some ten million times larger: the rounding error, about 1e-16, is divided by the step."),
        c=("It grows.", "Yes. The rounding error, about 1e-16, is divided by the step: 1e-16/1e-12 = 1e-4."),
    ),
    "08.1": _asked(
        "People like answers of medium length. A linear scorer has learned from 600 choices. How much do ten times as "
        "many choices lower its loss on fresh pairs?",
        "b",
        a=("By half of its gap to the best possible loss.",
           "No. More choices lead to the best straight line, which it had almost found already."),
        b=("By almost nothing.",
           "Yes. It lacks the right shape, not data: a reward that is linear in length has no maximum in the middle."),
        c=("By the whole gap: with enough choices it finds the middle.",
           "No. A reward that is linear in length only rises or only falls, however many choices there are."),
    ),
    "09.1": _asked(
        "A margin falls from −1 to −10, to −100. At which margin does log(1 + exp(−Δ)) first fail in float32?",
        "b",
        a=("About −709.",
           "No. That is where exp overflows in float64. The largest float32 is 3.4e38, which is e to the 88.7."),
        b=("About −89.", "Yes. exp(88.73) exceeds the largest float32, 3.4e38, so from there on the loss is infinite."),
        c=("It does not fail: the result is a small number.",
           "No. The result, 89, is small, but exp(89) overflows on the way to it."),
    ),
    "10.1": _asked(
        "The labels of 200 pairs are coin flips, and a linear scorer has 20 features. You train it to the end. "
        "What does the training loss do?",
        "b",
        a=("It stays at log 2 = 0.693, since there is nothing to learn.",
           "No. There is nothing to learn about people, but the scorer fits the chance in these 200 labels."),
        b=("It falls to about 0.64.",
           "Yes. By chance each feature lowers the loss by about 1/(2n) = 0.0025, and 20 features lower it by 0.05."),
        c=("It falls to almost 0, since the model memorises the choices.",
           "No. 20 weights cannot put 200 coin flips in the right order: the loss falls by only about 0.05."),
    ),
}  # fmt: skip
