"""JSONL: one pair on each line, a JSON object with ``chosen``, ``rejected`` and perhaps ``prompt``.

Each of the three is a text or a list of chat messages. These three lines are read as the same pair. Here ask stands for
{"role": "user", "content": "Hi?"}, and hello and no stand for messages with the role "assistant":

    {"prompt": "Hi?", "chosen": "Hello!", "rejected": "No"}
    {"prompt": [ask], "chosen": [hello], "rejected": [no]}
    {"chosen": [ask, hello], "rejected": [ask, no]}
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..pairs import PreferencePairs
from .lines import numbered_lines
from .messages import NUMBERS, fail, finite_number, listed, make_pairs, show
from .text import feature_names, text_features

Messages = list[tuple[str, str]]  # (role, content)


@dataclass(frozen=True)
class Texts:
    """Pairs of answers as texts, as ``read_texts`` finds them in a file.

    Attributes
    ----------
    path : Path
        The file.
    prompts, chosen, rejected : lists of str, of the same length
        A prompt is empty if the file gives none.
    labels, weights, target_margins : lists of float, or None
        None if no line of the file has one.
    """

    path: Path
    prompts: list[str]
    chosen: list[str]
    rejected: list[str]
    labels: list[float] | None = None
    weights: list[float] | None = None
    target_margins: list[float] | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    def to_pairs(self) -> PreferencePairs:
        """Return the pairs with the features of ``text_features``; prompts with equal texts get the same number."""
        numbers: dict[str, int] = {}
        prompts = []
        for row, prompt in enumerate(self.prompts):
            key = prompt or f"\0{row}"  # two empty prompts are two different prompts
            prompts.append(numbers.setdefault(key, len(numbers)))
        return make_pairs(
            self.path,
            text_features(self.prompts, self.chosen),
            text_features(self.prompts, self.rejected),
            prompts=prompts,
            feature_names=feature_names(),
            labels=self.labels,
            weights=self.weights,
            target_margins=self.target_margins,
        )


def read_pairs(path: Path) -> PreferencePairs:
    """Read a JSONL file and compute the features of its texts."""
    return read_texts(path).to_pairs()


def read_texts(path: str | Path) -> Texts:
    r"""Read the texts of a JSONL file: one JSON object on each line, with ``chosen``, ``rejected``, perhaps ``prompt``.

    Parameters
    ----------
    path : str or Path
        UTF-8, perhaps compressed by gzip. Each of the three is a text or a list of messages
        [{"role": "user", "content": "…"}, …]. ``label``, ``weight`` and ``target_margin`` are optional numbers.
        Other keys and empty lines are ignored.

    Returns
    -------
    Texts
        Messages that both answers begin with become the prompt, or are added to its end. If no prompt is given and
        both answers are transcripts "\n\nHuman: …\n\nAssistant: …" (HH-RLHF), the prompt is what they share, up to
        the last "\n\nAssistant:" that both have.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        "path: line N: what was expected, what was found".
    """
    path = Path(path)
    prompts: list[str] = []
    chosen: list[str] = []
    rejected: list[str] = []
    numbers: dict[str, dict[int, float]] = {key: {} for key in NUMBERS}
    for line, text in numbered_lines(path):
        if not text.strip():
            continue
        record = _json_object(path, line, text)
        for key in ("chosen", "rejected"):
            if key not in record:
                fail(path, f"expected the keys chosen and rejected, found {listed(record)}", line)
        good, bad = (_text_or_messages(path, line, key, record[key]) for key in ("chosen", "rejected"))
        given = _text_or_messages(path, line, "prompt", record["prompt"]) if "prompt" in record else ""
        for key in NUMBERS:
            if key in record:
                numbers[key][len(chosen)] = finite_number(path, line, key, record[key])
        for texts, part in zip((prompts, chosen, rejected), _split_prompt(given, good, bad), strict=True):
            texts.append(part)
    if not chosen:
        fail(path, "expected at least one pair, found an empty file")
    default = {"label": 1.0, "weight": 1.0, "target_margin": 0.0}
    columns = {
        NUMBERS[key]: [found.get(row, default[key]) for row in range(len(chosen))]
        for key, found in numbers.items()
        if found
    }
    return Texts(path, prompts, chosen, rejected, **columns)


def _json_object(path: Path, line: int, text: str) -> dict[str, object]:
    import json  # noqa: PLC0415

    try:
        record: object = json.loads(text)
    except json.JSONDecodeError as error:
        fail(path, f"expected a JSON object, found text that is not JSON ({error.msg}, column {error.colno})", line)
    except (ValueError, RecursionError):  # a number with thousands of digits, or thousands of nested lists
        fail(path, "expected a JSON object, found JSON that is too large or too deeply nested to read", line)
    if not isinstance(record, dict):
        fail(path, f"expected a JSON object, found {show(record)}", line)
    return record


def _text_or_messages(path: Path, line: int, key: str, value: object) -> str | Messages:
    wanted = "expected a text or a list of messages"
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        fail(path, f"{key}: {wanted}, found {show(value)}", line)
    if not value:
        fail(path, f"{key}: {wanted}, found an empty list", line)
    messages = []
    for message in value:
        if not isinstance(message, dict) or not {"role", "content"} <= set(message):
            fail(path, f"{key}: expected messages with role and content, found {show(message)}", line)
        for name in ("role", "content"):
            if not isinstance(message[name], str):
                fail(path, f"{key}: expected a text as the {name} of a message, found {show(message[name])}", line)
        messages.append((message["role"], message["content"]))
    return messages


def _split_prompt(given: str | Messages, chosen: str | Messages, rejected: str | Messages) -> tuple[str, str, str]:
    """Return prompt, chosen and rejected as texts; the beginning that both answers share moves into the prompt."""
    prompt = _as_text(given)
    if isinstance(chosen, list) and isinstance(rejected, list):
        n = 0
        while n < min(len(chosen), len(rejected)) - 1 and chosen[n] == rejected[n]:  # the last message is an answer
            n += 1
        shared = _as_text(chosen[:n])
        prompt = shared if prompt in shared else "\n\n".join(filter(None, [prompt, shared]))
        return prompt, _as_text(chosen[n:]), _as_text(rejected[n:])
    good, bad = _as_text(chosen), _as_text(rejected)
    if not prompt:
        turn = "\n\nAssistant:"
        both = os.path.commonprefix([good, bad])  # noqa: RUF071  # comparing letter by letter is intended
        if turn in both:
            prompt = both[: both.rindex(turn) + len(turn)]
    elif not prompt.rstrip().endswith("Assistant:"):
        return prompt, good, bad
    if good.startswith(prompt) and bad.startswith(prompt):  # transcripts repeat their prompt
        good, bad = good[len(prompt) :], bad[len(prompt) :]
    return prompt.strip(), good.strip(), bad.strip()


def _as_text(value: str | Messages) -> str:
    """Write one message as its content, and several messages with their roles."""
    if isinstance(value, str):
        return value
    if len(value) == 1:
        return value[0][1]
    return "\n\n".join(f"{role}: {content}" for role, content in value)
