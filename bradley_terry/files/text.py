"""From texts to numbers: named features of an answer, which a linear scorer can weigh and a person can read.

The features of an answer depend only on its text and its prompt; nothing is learnt from the data. There are two kinds:

    style       length, lists, digits, questions, …: each has a name, so its weight can say "longer answers win"
    word bins   which words and pairs of adjacent words occur, sorted into a few bins by a hash

Why a hash? A vocabulary would have to be collected from the training texts, saved with the model, and extended for
every new word. A hash is a fixed rule that sends any word to a bin. The bin is the same on every machine, today and in
ten years:

    "thank you"  ->  its bytes  ->  CRC-32, a number of 32 bits  ->  bin = number mod n_bins, sign = the highest bit

Different words share a bin. The sign makes that harmless on average. Half of the words count +1 and half count -1, so
two words in one bin are as likely to cancel as to add up, and the inner product of two texts' bins is on average what
the words themselves would give (Weinberger et al. 2009, arXiv:0902.2206). The price is that a bin means nothing to a
reader, which is why there are style features with names. Python's own hash() would not work, because it changes each
time Python starts. CRC-32 spreads ordinary words well, but it was made to find transmission errors. Similar words, such
as "w1", "w2" and "w3", do not fall into bins at random.

Counts enter as log(1 + count), other style features as shares or as 0 and 1, and the bins of one answer form a vector
of length about 1. So a difference of 1 is a clear difference in every feature, and an L2 penalty treats all alike.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise
from math import log1p, sqrt

import numpy as np

from ..arrays.single import names as names_of
from ..arrays.single import whole
from ..logistic import Array

__all__ = ["DEFAULT_BINS", "STYLE_FEATURES", "TEXT_L2", "feature_names", "hash_bin", "text_features"]

# On the two sets of real texts in the tests, any number of bins up to 64 is equally good within the noise if l2 is at
# least 0.03. Without l2, more bins cost accuracy (PandaLM: .69 with none, .67 with 8, .62 with 64).
DEFAULT_BINS = 8
TEXT_L2 = 0.03

STYLE_FEATURES = (
    "length (log words)",  # log(1 + words)
    "words per sentence",  # log(1 + words / sentences)
    "lines",  # log(1 + line breaks)
    "list items",  # log(1 + lines that begin with a dash, a bullet or a number)
    "code",  # log(1 + ``` fences and `quoted` code)
    "numbers",  # log(1 + numbers)
    "question marks",  # log(1 + count)
    "exclamation marks",  # log(1 + count)
    "capital letters",  # share of the letters
    "distinct words",  # different words / words
    "words from the prompt",  # share of the words that are also in the prompt
    "empty answer",  # 1 if it has no words
    "apology or refusal",  # 1 if it says sorry, unfortunately, I cannot, as an AI
    "thanks",  # 1 if it says thanks, glad, happy to
)

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？]")
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*•+]|\d{1,9}[.)])[ \t]+\S", re.MULTILINE)
_CODE = re.compile(r"```|`[^`\n]+`")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_APOLOGY = re.compile(
    r"\b(?:sorry|apologi[sz]e|unfortunately|as an ai"
    r"|i (?:can['’]t|cannot|can not|am unable|am not able|won['’]t|don['’]t know))\b"
)
_THANKS = re.compile(r"\b(?:thanks|thank you|you['’]re welcome|glad|happy to)\b")


def feature_names(n_bins: int = DEFAULT_BINS) -> tuple[str, ...]:
    """Name the columns of ``text_features``: the style features, then "word bin 0", "word bin 1" and so on.

    Examples
    --------
    >>> feature_names(1)[0], feature_names(1)[-1]
    ('length (log words)', 'word bin 0')
    """
    n_bins = whole("n_bins", n_bins, 0, 2**31)
    return STYLE_FEATURES + tuple(f"word bin {number}" for number in range(n_bins))


def hash_bin(ngram: str, n_bins: int = DEFAULT_BINS) -> tuple[int, int]:
    """Sort a word, or a few words separated by spaces, into one of ``n_bins`` bins, with a sign.

    Parameters
    ----------
    ngram : str
        In lower case, as in ``text_features``.
    n_bins : int, at least 1

    Returns
    -------
    (bin, sign)
        CRC-32 of the UTF-8 bytes, modulo n_bins; +1 if its highest bit is set, else -1.

    Examples
    --------
    CRC-32 of "123456789" is 0xCBF43926 = 3421780262, the check value that descriptions of CRC-32 give.

    >>> hash_bin("123456789", 1000)
    (262, 1)
    """
    code = zlib.crc32(ngram.encode("utf-8", "surrogatepass"))  # a broken JSON escape leaves a lone surrogate
    return code % n_bins, 1 if code >> 31 else -1


def text_features(prompts: Sequence[str], answers: Sequence[str], n_bins: int = DEFAULT_BINS) -> Array:
    """Turn answers into features: one row for each answer, with the columns that ``feature_names`` names.

    Parameters
    ----------
    prompts, answers : sequences of str, of the same length
    n_bins : int, at least 0
        Number of word bins.

    Returns
    -------
    array, (n, 14 + n_bins), finite
        Style features are at least 0. The word bins are sums of signs over the n different words and pairs of
        adjacent words, divided by √n. So a long answer does not have larger bins, and their squares sum to about 1.

    Raises
    ------
    ValueError, TypeError
        If the lengths differ, an entry is not a str, or n_bins is not a whole number of at least 0.

    Examples
    --------
    >>> x = text_features(["Who are you?"], ["I am Ada. Who are you?"], n_bins=0)
    >>> print(x[0, :2].round(4), x[0, 10])  # log 7, log(1 + 6/2); "who", "are" and "you" are three of the six words
    [1.9459 1.3863] 0.5
    """
    n_bins = whole("n_bins", n_bins, 0, 2**31)
    for name, texts in (("prompts", prompts), ("answers", answers)):
        if isinstance(texts, str) or not all(isinstance(text, str) for text in names_of(name, texts)):
            raise TypeError(f"{name}: expected a sequence of texts, each a str")
    if len(prompts) != len(answers):
        raise ValueError(f"answers: expected {len(prompts)}, one for each prompt, got {len(answers)}")
    n_style = len(STYLE_FEATURES)
    features = np.zeros((len(answers), n_style + n_bins))
    asked = {prompt: frozenset(_WORD.findall(prompt.lower())) for prompt in set(prompts)}
    for row, prompt, answer in zip(features, prompts, answers, strict=True):
        words = _WORD.findall(answer.lower())
        row[:n_style] = _style(asked[prompt], answer, words)
        if n_bins and words:
            row[n_style:] = _word_bins(words, n_bins)
    return features


def _word_bins(words: list[str], n_bins: int) -> list[float]:
    bins = [0.0] * n_bins
    ngrams = {*words, *map(" ".join, pairwise(words))}
    for ngram in ngrams:
        number, sign = hash_bin(ngram, n_bins)
        bins[number] += sign  # sums of whole numbers are exact, so the order of the set does not matter
    return [total / sqrt(len(ngrams)) for total in bins]


def _style(words_of_prompt: frozenset[str], answer: str, words: list[str]) -> list[float]:
    lowered = answer.lower()
    n_words = len(words)
    per_word = 1 / max(1, n_words)
    return [
        log1p(n_words),
        log1p(n_words / max(1, len(_SENTENCE_END.findall(answer)))),
        log1p(answer.strip().count("\n")),
        log1p(len(_LIST_ITEM.findall(answer))),
        log1p(len(_CODE.findall(answer))),
        log1p(len(_NUMBER.findall(answer))),
        log1p(answer.count("?")),
        log1p(answer.count("!")),
        sum(map(str.isupper, answer)) / max(1, sum(map(str.isalpha, answer))),
        len(set(words)) * per_word,
        sum(word in words_of_prompt for word in words) * per_word,
        float(n_words == 0),
        float(_APOLOGY.search(lowered) is not None),
        float(_THANKS.search(lowered) is not None),
    ]
