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
        "Answer a has a reward of 2.0 and answer b has 1.0. Now both rewards double, to 4.0 and 2.0. "
        "What happens to the probability that a is preferred?",
        "c",
        a=("It stays the same: a is still twice as good as b.",
           "No. What counts is not the ratio of the rewards but their difference, and that grows from 1 to 2."),
        b=("It doubles.",
           "No. It was 0.731, and twice that, 1.46, is above 1. The margin doubles, so the odds are squared."),
        c=("It rises, but does not double.",
           "Yes. The margin grows from 1 to 2, the odds from e to e², and the probability from 0.731 to 0.881."),
    ),
    "02.1": _asked(
        "A pair with equal rewards costs 0.693. In another pair the chosen answer has a reward of 2 and the rejected "
        "answer 1, so the order is right. What does this pair cost?",
        "c",
        a=("Nothing: the order is right.",
           "No. The order is right, but the model gave the choice a probability of 0.731, not 1. It costs 0.313."),
        b=("Less than 0.1: little is left to improve.",
           "No. For a loss below 0.1 the margin must be larger than 2.25. Here it is 1, and the pair costs 0.313."),
        c=("About 0.3, almost half as much as equal rewards.",
           "Yes. The model gave the choice a probability of σ(1) = 0.731, and −log 0.731 = 0.313."),
    ),
    "03.1": _asked(
        "A trained reward model gives the best answer to one prompt a reward of 3.81, and the best answer to another "
        "prompt 2.82. Which of these two answers is better?",
        "c",
        a=("The one with 3.81.",
           "No. Subtract 2 from all rewards of its prompt: no margin changes, but now it has 1.81 against 2.82."),
        b=("The one with 3.81, with probability σ(0.99) = 0.73.",
           "No. People compared only answers to the same prompt. Nobody compared answers to different prompts."),
        c=("The rewards do not say.",
           "Yes. The loss sees only margins within a prompt. Each prompt may have a shift that no choice reveals."),
    ),
    "03.2": _asked(
        "You add a number to every reward. It is either 10, or a number f(prompt) that depends on the prompt, or a "
        "number f(length) that depends on the length of the answer. Which of these can change the loss?",
        "a",
        a=("Only f(length).",
           "Yes. The 10 and f(prompt) are the same for both answers, so they cancel. But the lengths may differ."),
        b=("f(prompt) and f(length).",
           "No. f(prompt) differs between prompts, but both answers to a prompt get the same number, so it cancels."),
        c=("All three.",
           "No. A margin is the difference of two rewards of one prompt, so the 10 and f(prompt) cancel in it."),
    ),
    "04.1": _asked(
        "Two models each rank 9 of 10 pairs correctly. In every pair, the first gives its favourite a probability of "
        "0.7, and the second 0.99. Which has the smaller mean loss?",
        "a",
        a=("The first.",
           "Yes. It is 0.441 against 0.470. The confident mistake costs 4.6, and each right pair saves only 0.35."),
        b=("The second: it is more confident where it is right.",
           "No. It saves 0.35 on each right pair, but its mistake costs 4.61 instead of 1.20: 0.470 against 0.441."),
        c=("They are equal: the accuracy is the same.",
           "No. Accuracy ignores how confident a model is, but the loss does not. It is 0.441 against 0.470."),
    ),
    "05.1": _asked(
        "In each pair of answers, 8 of 10 people choose the better answer. You know exactly which answer is better. "
        "What is the smallest expected loss that a model can have?",
        "c",
        a=("0.", "No. A model that is certain has an infinite loss on the 20 % of choices that surprise it."),
        b=("0.223, which is −log 0.8.",
           "No. That is the loss of the likely choice. The unlikely one costs −log 0.2 = 1.609 and happens, too."),
        c=("0.500.",
           "Yes. The best model says 0.8. Its expected loss is 0.8·0.223 + 0.2·1.609 = 0.500, the entropy."),
    ),
    "06.1": _asked(
        "Training is over: the gradient of the mean loss is zero. How hard do the pairs still pull?",
        "c",
        a=("Not at all: they have all come to rest.",
           "No. A pair hardly pulls only if the model is right and very confident, and people contradict any model."),
        b=("All equally hard.", "No. They pull equally hard only before training, when all margins are zero."),
        c=("Some hardly at all, others with almost full force.",
           "Yes. The more a pair surprises the model, the harder it pulls. For each weight, the pulls cancel."),
    ),
    "07.1": _asked(
        "You check a gradient by finite differences with a step of 1e-12 instead of 1e-5. What happens to the error?",
        "c",
        a=("It shrinks: a derivative is a limit, and the step is closer to 0.",
           "No. That needs infinitely many digits. With this h, f(x + h) − f(x − h) has only about four correct "
           "digits."),
        b=("It stays the same: both steps are small.",
           "No. It is about ten million times as large: the rounding error, up to 1e-16, is divided by the step."),
        c=("It grows.",
           "Yes. The rounding error, up to about 1e-16, is divided by the step: up to 1e-16/1e-12 = 1e-4."),
    ),
    "08.1": _asked(
        "People like answers of medium length. A linear scorer has learned from 600 choices. How much do ten times as "
        "many choices lower its loss on fresh pairs?",
        "b",
        a=("By half of its gap to the best possible loss.",
           "No. More choices lead to the best linear scorer, which it had almost found already."),
        b=("By almost nothing.",
           "Yes. It has enough data but the wrong shape: a reward that is linear in length has no peak in the middle."),
        c=("By the whole gap: with enough choices it finds the middle.",
           "No. A reward that is linear in length only rises or only falls, however many choices there are."),
    ),
    "09.1": _asked(
        "A margin falls from −1 to −10 and then to −100. At which margin does log(1 + exp(−Δ)) first fail in float32?",
        "b",
        a=("About −709.",
           "No. That is where exp overflows in float64. The largest float32 is 3.4e38, which is about exp(88.7)."),
        b=("About −89.",
           "Yes. exp(88.73) exceeds the largest float32, 3.4e38, so the loss is infinite at margins below −88.73."),
        c=("It does not fail: the result is only about 100.",
           "No. At −100 the result should be 100, but exp(100) overflows on the way to it."),
    ),
    "10.1": _asked(
        "The labels of 200 pairs are coin flips, and a linear scorer has 20 features. You train it until it converges. "
        "What does the training loss do?",
        "b",
        a=("It stays at log 2 = 0.693, since there is nothing to learn.",
           "No. There is nothing to learn about people, but the scorer fits the noise in these 200 labels."),
        b=("It falls to about 0.64.",
           "Yes. By chance each feature lowers the loss by about 1/(2n) = 0.0025, and 20 features lower it by 0.05."),
        c=("It falls to almost 0, since the model memorises the choices.",
           "No. 20 weights cannot put 200 coin flips in the right order: the loss falls by only about 0.05."),
    ),
    "11.1": _asked(
        "People prefer a to b 7 times out of 10. Training with the plain loss, −log σ(Δ), gives a margin of logit 0.7 "
        "= log(0.7/0.3) = 0.85. Now every pair has a target margin of 1: its loss is −log σ(Δ − 1), whichever answer "
        "was chosen. Which margin is learned?",
        "b",
        a=("0.85, as before: a constant in the loss does not move the minimum.",
           "No. The 1 is not added to the loss. It is inside σ, so it changes the pull of each pair."),
        b=("1.43.",
           "Yes. The margin grows, but by less than 1: the 3 choices of b ask for a margin of 1, too, and pull back."),
        c=("1.85, which is 0.85 + 1.",
           "No. The 7 choices of a ask for a larger margin, but the 3 choices of b ask for one the other way round."),
    ),
    "11.2": _asked(
        "A person ranks three answers in the order of their rewards, which are 2, 1 and 0. The loss of this ranking is "
        "−log of its probability. Is it the sum of the losses of the three pairs?",
        "c",
        a=("Yes: a ranking says the same thing as its pairs.",
           "No. The pairs cost 0.753 together, the ranking 0.721. Three pairs are not three independent choices."),
        b=("No, it is larger.",
           "No. It is smaller, 0.721 against 0.753: the best of three is chosen, then the better of the other two."),
        c=("No, it is smaller.",
           "Yes. The ranking costs 0.721, its pairs 0.753 together. The ranking is made of two choices, not of three."),
    ),
    "12.1": _asked(
        "A reward model has learned from 2,000 choices. It puts 92 % of fresh pairs in the order of the true "
        "reward. A policy is optimised against it, more and more strongly. "
        "What happens to the true reward of its answers?",
        "b",
        a=("It rises, then stays level.",
           "No. It rises by 4.08, but then it falls, and twice as far from the start the whole gain is lost."),
        b=("It rises, then falls, and ends below its starting value.",
           "Yes. It rises by 4.08 and then falls. Twice as far from the start the gain is lost, and the reward falls "
           "further."),
        c=("It rises as long as the proxy reward rises.",
           "No. The model is 92 % accurate on pairs like those it learned from, but the policy moves elsewhere."),
    ),
}  # fmt: skip
