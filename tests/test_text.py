"""Text features can be counted by hand, are the same on every machine, are of order one, and are fast."""

from __future__ import annotations

import time
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bradley_terry.files.text import DEFAULT_BINS, STYLE_FEATURES, feature_names, hash_bin, text_features


def named(prompt: str, answer: str) -> dict[str, float]:
    """Return the style features of one answer by name."""
    return dict(zip(feature_names(0), text_features([prompt], [answer], 0)[0].tolist(), strict=True))


# ---------------------------------------------------------------------------------------------------- known value


@pytest.mark.parametrize(
    ("name", "answer", "value"),
    [
        ("length (log words)", "One two, three.", np.log(4)),
        ("words per sentence", "One two three. Four!", np.log(3)),
        ("lines", "a\nb\nc\n", np.log(3)),
        ("list items", "Try:\n- tea\n* cake\n2. rest\n-5 degrees", np.log(4)),
        ("code", "Use `ls` or\n```\ncd\n```", np.log(4)),
        ("numbers", "3.14 is 22/7 or so", np.log(4)),
        ("question marks", "What? Why??", np.log(4)),
        ("exclamation marks", "No!", np.log(2)),
        ("capital letters", "ABcd 12", 0.5),
        ("distinct words", "no No no yes", 0.5),
        ("words from the prompt", "Tea is hot", 1 / 3),
        ("empty answer", " \n… ", 1.0),
        ("empty answer", "ok", 0.0),
        ("apology or refusal", "Sorry, I can’t.", 1.0),
        ("apology or refusal", "As an AI model I have no body", 1.0),
        ("apology or refusal", "It cannot rain", 0.0),
        ("thanks", "Thank you!", 1.0),
        ("thanks", "A thankless job", 0.0),
    ],
)
def test_style_feature_is_what_its_name_says(name, answer, value) -> None:
    """Each named feature has the value that a person counts by hand."""
    assert named("I like tea", answer)[name] == pytest.approx(value, rel=1e-15)  # one log or one division


@pytest.mark.parametrize(("ngram", "code"), [("123456789", 0xCBF43926), ("", 0), ("a", 0xE8B7BE43)])
def test_hash_is_crc_32(ngram, code) -> None:
    """The bin and the sign follow from published values of CRC-32, so they are the same on every machine."""
    assert hash_bin(ngram, 64) == (code % 64, 1 if code >= 2**31 else -1)


def test_word_bins_are_signed_sums_over_different_ngrams() -> None:
    """The bins of "to be or to be" add the signs of three words and three different pairs of words, over √6."""
    ngrams = ["to", "be", "or", "to be", "be or", "or to"]
    expected = np.zeros(5)
    for ngram in ngrams:
        code = zlib.crc32(ngram.encode())
        expected[code % 5] += (1 if code >= 2**31 else -1) / np.sqrt(6)
    features = text_features([""], ["To be, or to be"], 5)[0, len(STYLE_FEATURES) :]
    np.testing.assert_allclose(features, expected, rtol=1e-15)  # a sum of six against a division of whole numbers


# ---------------------------------------------------------------------------------------------------- identity


def test_names_and_columns_agree() -> None:
    """For any number of bins, each column has its own name, and the first is the length."""
    for n_bins in (0, 1, DEFAULT_BINS, 64):
        names = feature_names(n_bins)
        assert len(set(names)) == len(names) == text_features(["a"], ["b"], n_bins).shape[1]
        assert names[0] == "length (log words)"


def test_features_of_an_answer_do_not_depend_on_other_answers() -> None:
    """An answer has the same features among others as alone, so nothing is learnt from the data."""
    prompts, answers = ["a b", "c", ""], ["A b c.", "", "Sorry!\n- x"]
    together = text_features(prompts, answers)
    for row, prompt, answer in zip(together, prompts, answers, strict=True):
        np.testing.assert_array_equal(row, text_features([prompt], [answer])[0])


@pytest.mark.full
def test_features_do_not_depend_on_the_hash_seed_of_python(run_python) -> None:
    """Two interpreters with different seeds for hash() compute the same bytes."""
    script = (
        "from bradley_terry.files.text import text_features;"
        "print(text_features(['who are you'], ['I am who I am, and you are you']).tobytes().hex())"
    )
    assert run_python(script, PYTHONHASHSEED=1) == run_python(script, PYTHONHASHSEED=2)


# ---------------------------------------------------------------------------------------------------- statistics


def test_bins_of_different_texts_are_uncorrelated_on_average(rng) -> None:
    """Texts without a common word have bins whose product is zero on average, since the signs cancel."""
    letters = rng.integers(ord("a"), ord("z") + 1, 480_000, dtype=np.uint8).tobytes().decode()
    words = [letters[i : i + 12] for i in range(0, len(letters), 12)]
    assert len(set(words)) == 40_000
    answers = [" ".join(words[i : i + 20]) for i in range(0, len(words), 20)]
    bins = text_features([""] * len(answers), answers, 16)[:, len(STYLE_FEATURES) :]
    products = (bins[0::2] * bins[1::2]).sum(axis=1)
    assert abs(products.mean()) < 4 * products.std() / np.sqrt(products.size)  # four standard errors
    assert (bins**2).sum(axis=1).mean() == pytest.approx(1, abs=0.05)  # 2000 texts, each of sd about √(2/16)


# ---------------------------------------------------------------------------------------------------- manners


@given(st.text(st.characters(), max_size=300), st.text(st.characters(), max_size=300))
def test_features_of_any_text_are_finite_and_of_order_one(prompt, answer) -> None:
    """Features of any characters, lone surrogates included, are finite, and shares are in [0, 1]."""
    row = text_features([prompt], [answer])[0]
    assert np.isfinite(row).all()
    style = dict(zip(STYLE_FEATURES, row, strict=False))
    assert all(0 <= value < np.log(302) for value in style.values())
    for name in STYLE_FEATURES[8:]:
        assert style[name] <= 1 + 1e-15  # n · (1/n) may round up
    assert np.abs(row[len(STYLE_FEATURES) :]).max() <= np.sqrt(599)  # all different ngrams in one bin


def test_lone_surrogates_are_hashed_like_any_letter() -> None:
    """A broken JSON escape leaves half a character, which strict UTF-8 cannot encode."""
    assert hash_bin("\ud800", 8) == (zlib.crc32(b"\xed\xa0\x80") % 8, 1 if zlib.crc32(b"\xed\xa0\x80") >> 31 else -1)


def test_no_answers_give_no_rows() -> None:
    """Without answers the array has no rows and the usual columns."""
    assert text_features([], [], 3).shape == (0, len(STYLE_FEATURES) + 3)


@pytest.mark.full
def test_thousand_pairs_take_less_than_a_second_or_so() -> None:
    """2,000 answers of 120 words take about 0.2 s on a laptop; the limit allows for a busy machine."""
    answer = " ".join(f"word{i % 90}" for i in range(120))
    start = time.perf_counter()
    text_features(["some prompt"] * 2000, [answer] * 2000)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ((["a"], []), ValueError, "answers: expected 1, one for each prompt, got 0"),
        (("a", ["a"]), TypeError, "prompts: expected a sequence of texts"),
        ((["a"], [True]), TypeError, "answers: expected a sequence of texts"),
        ((["a"], ["b"], -1), ValueError, "n_bins: expected a whole number of at least 0, got -1"),
        ((["a"], ["b"], 2.5), ValueError, "n_bins: expected a whole number of at least 0, got 2.5"),
        ((["a"], ["b"], True), ValueError, "n_bins: expected a whole number of at least 0, got True"),
    ],
)
def test_bad_input_gets_one_clear_sentence(arguments, error, sentence) -> None:
    """The sentence names the argument and what was expected."""
    with pytest.raises(error, match=sentence):
        text_features(*arguments)
