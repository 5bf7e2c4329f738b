"""Texts and chat messages: what the ways of writing them mean, and which part of two conversations is the prompt.

A conversation is a list of messages, or one message. A message has ``role`` and ``content`` (OpenAI, TRL) or ``from``
and ``value`` (ShareGPT). Its content is a text, a list of parts, or missing; what it calls as a tool counts as text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..arrays.visible import quoted
from .messages import fail, is_number, show

Messages = list[tuple[str, str]]  # (role, content)

ROLES = {"human": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_BESIDE_CONTENT = {  # a message may lack its content if it has nothing but these
    "role", "name", "tool_calls", "function_call", "tool_call_id", "reasoning_content", "refusal", "audio",
    "annotations", "id", "weight",
}  # fmt: skip
_TEXT = (
    "text",
    "content",
    "full_text",
    "post",
    "article",
    "answer",
    "response",
    "completion",
    "output",
)  # of an object


def text_or_messages(path: Path | str, place: str, key: str, value: object) -> str | Messages:
    """Read a text, an object that holds one, a message, or a list of messages; fail for anything else."""
    wanted = "expected a text or a list of messages"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        if isinstance(value.get("messages"), list):  # the input of OpenAI's files of preferences
            return text_or_messages(path, place, key, value["messages"])
        if not {"role", "from"} & set(value):
            for name in _TEXT:
                if isinstance(value.get(name), str):
                    return str(value[name])
        value = [value]
    if not isinstance(value, list):
        fail(path, f"{key}: {wanted}, found {show(value)}", place)
    if not value:
        fail(path, f"{key}: {wanted}, found an empty list", place)
    return [turn for message in value for turn in _turns(path, place, key, message)]


def is_chat(value: object) -> bool:
    """Return whether this is a message or a list of messages, and not a list of answers."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Mapping) and is_chat(value[0])
    return isinstance(value, Mapping) and bool({"role", "from", "messages"} & set(value))


def as_text(value: str | Messages) -> str:
    """Write one message as its content, and several messages with their roles."""
    if isinstance(value, str):
        return value
    if len(value) == 1:
        return value[0][1]
    return "\n\n".join(f"{role}: {content}" for role, content in value)


def split_prompt(given: str | Messages, answers: Sequence[str | Messages]) -> tuple[str, list[str]]:
    """Return the prompt and the answers as texts; the beginning that all answers share moves into the prompt."""
    prompt = as_text(given)
    chats = [answer for answer in answers if isinstance(answer, list)]
    if len(chats) == len(answers):
        n, first = 0, chats[0]
        while n < min(map(len, chats)) - 1 and all(chat[n] == first[n] for chat in chats):  # the last is an answer
            n += 1
        shared = as_text(first[:n])
        prompt = shared if prompt in shared else "\n\n".join(filter(None, [prompt, shared]))
        return prompt, [as_text(chat[n:]) for chat in chats]
    texts = [as_text(answer) for answer in answers]
    if not prompt:
        turn = "\n\nAssistant:"
        same = os.path.commonprefix(texts)  # noqa: RUF071  # comparing letter by letter is intended
        if turn in same:
            prompt = same[: same.rindex(turn) + len(turn)]
    elif not prompt.rstrip().endswith("Assistant:"):
        return prompt, texts
    if all(text.startswith(prompt) for text in texts):  # transcripts repeat their prompt
        texts = [text[len(prompt) :] for text in texts]
    return prompt.strip(), [text.strip() for text in texts]


def refuse_other_values(path: Path | str, place: str, key: str, value: object) -> None:
    """Fail if a list or an object holds values that no answer has, such as dates, complex numbers, or True and False.

    Texts, messages and nested lists are left to the functions that read them.
    """
    if not isinstance(value, list | Mapping):
        return
    inner = list(value.values()) if isinstance(value, Mapping) else value
    others = [one for one in inner if one is not None and not is_number(one)]
    if others and not any(isinstance(one, str | list | Mapping) for one in others):
        found = show(value) if all(isinstance(one, bool) for one in others) else quoted(value)
        fail(path, f"{key}: expected real numbers, found {found}", place)


def _turns(path: Path | str, place: str, key: str, message: object) -> Messages:  # noqa: RET503
    """Return one message as (role, content); a turn of Argilla, an input and its output, is two."""
    if isinstance(message, Mapping):
        if {"input", "output"} <= set(message):
            both = (("user", message["input"]), ("assistant", message["output"]))
            return [(role, _content(path, place, key, text)) for role, text in both if text is not None]
        for role_name, content_name in (("role", "content"), ("from", "value"), ("role", "text")):
            is_bare = content_name == "content" and set(message) <= _BESIDE_CONTENT
            if role_name in message and (content_name in message or is_bare):
                role = message[role_name]
                if not isinstance(role, str):
                    fail(path, f"{key}: expected a text as the {role_name} of a message, found {show(role)}", place)
                content = _content(path, place, key, message.get(content_name))
                thought = message.get("reasoning_content")
                said = [part for part in (thought, content, *_tool_calls(message)) if isinstance(part, str) and part]
                return [(ROLES.get(role, role), "\n".join(said))]
    fail(path, f"{key}: expected messages with role and content, found {show(message)}", place)


def _content(path: Path | str, place: str, key: str, content: object) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list) else [content]
    said = []
    for part in parts:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, Mapping) and isinstance(part.get("text"), str):
            said.append(part["text"])
        elif isinstance(part, Mapping) and part.get("type") == "tool_use":
            said.append(f"{part.get('name')}({_arguments(part.get('input'))})")
        elif isinstance(part, Mapping) and part.get("type") == "tool_result":
            said.append(_content(path, place, key, part.get("content")))
        elif isinstance(part, Mapping) and isinstance(part.get("type"), str):
            said.append(f"[{part['type']}]")  # an image or a sound
        else:
            fail(path, f"{key}: expected a text as the content of a message, found {show(content)}", place)
    return "\n".join(said)


def _tool_calls(message: Mapping[str, object]) -> list[str]:
    """Write each call of a tool as name(arguments)."""
    calls = message.get("tool_calls") or message.get("function_call") or []
    said = []
    for call in calls if isinstance(calls, list) else [calls]:
        inner = call.get("function", call) if isinstance(call, Mapping) else call
        if isinstance(inner, Mapping) and "name" in inner:
            said.append(f"{inner['name']}({_arguments(inner.get('arguments'))})")
        else:
            said.append(_arguments(inner))
    return said


def _arguments(given: object) -> str:
    """Write the arguments of a call in full, since two calls may differ in their last one only."""
    import json  # noqa: PLC0415

    if given is None or isinstance(given, str):
        return given or ""
    return json.dumps(given, ensure_ascii=False, default=str) if given else ""
