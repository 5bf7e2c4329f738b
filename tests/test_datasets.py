"""Tables that ship, worlds with a known truth, and files: read whole or refused in one sentence."""

from __future__ import annotations

import gzip
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import datasets
from bradley_terry.datasets import load_pairs, read_texts, save_pairs, synthetic, synthetic_phi
from bradley_terry.text import feature_names, text_features


def write(path: Path, *lines: object) -> Path:
    """Write lines of text, or one JSON object on each."""
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_bytes((text + "\n").encode("utf-8"))
    return path


def same_pairs(a: bt.PreferencePairs, b: bt.PreferencePairs) -> None:
    for name in datasets.FIELDS:
        have, want = getattr(a, name), getattr(b, name)
        if want is None:
            assert have is None, name
        else:
            np.testing.assert_array_equal(have, want, err_msg=name)


# ---------------------------------------------------------------------------------------------------- known value


def test_travel_modes_are_630_choices_of_210_travellers() -> None:
    """Each traveller gives three pairs; traveller 1 took the car rather than plane, train and bus, in this order."""
    pairs = datasets.travel_modes()
    assert (len(pairs), pairs.n_prompts, pairs.n_identical) == (630, 210, 0)
    np.testing.assert_array_equal(pairs.prompts, np.repeat(np.arange(1, 211), 3))
    np.testing.assert_array_equal(pairs.chosen[:3], [[30, 0, 0, 0, 0, 0]] * 3)
    np.testing.assert_array_equal(
        pairs.rejected[:3], [[70, 69, 35, 1, 0, 0], [71, 34, 0, 0, 1, 0], [70, 35, 0, 0, 0, 1]]
    )
    # plane 58, train 63, bus 30, car 59 travellers: the shares that Greene prints
    chosen = pairs.chosen[::3, 3:].sum(axis=0)
    np.testing.assert_array_equal(chosen, [58, 63, 30])


def test_citations_are_the_published_counts() -> None:
    """Twelve rows hold the 3,727 citations off the diagonal; Biometrika was cited 730 times by Comm Statist."""
    pairs = datasets.citations()
    assert pairs.feature_names == ("Biometrika", "Comm Statist", "JASA", "JRSS-B")
    assert (len(pairs), pairs.n_prompts, pairs.total_weight) == (12, 6, 3727)
    table = np.zeros((4, 4))
    table[pairs.chosen, pairs.rejected] = pairs.weights
    # column-major with the diagonal, Agresti 2002, p. 448
    printed = np.reshape([714, 33, 320, 284, 730, 425, 813, 276, 498, 68, 1072, 325, 221, 17, 142, 188], (4, 4)).T
    np.testing.assert_array_equal(table, printed - np.diag(np.diag(printed)))
    assert pairs.prompts[:2].tolist() == ["Biometrika vs Comm Statist"] * 2


def test_baseball_has_thirteen_games_of_each_two_teams() -> None:
    """Seven teams, 21 match-ups, 13 games each; Baltimore is first and nothing is listed that did not happen."""
    pairs = datasets.baseball()
    assert pairs.feature_names == ("Baltimore", "Boston", "Cleveland", "Detroit", "Milwaukee", "New York", "Toronto")
    assert pairs.n_prompts == 21
    np.testing.assert_array_equal(np.bincount(pairs.prompt_index, weights=pairs.weights), np.full(21, 13))
    assert (pairs.weights > 0).all()


# ---------------------------------------------------------------------------------------------------- identity


def test_baseball_at_home_is_baseball_with_one_more_feature() -> None:
    """Row by row the features are the items, one-hot without Baltimore, and exactly one side plays at home."""
    items, features = datasets.baseball(), datasets.baseball(home_advantage=True)
    assert features.feature_names == (*(items.feature_names or ())[1:], "at home")
    one_hot = np.eye(7)[:, 1:]
    np.testing.assert_array_equal(features.chosen[:, :-1], one_hot[items.chosen])
    np.testing.assert_array_equal(features.rejected[:, :-1], one_hot[items.rejected])
    np.testing.assert_array_equal(features.chosen[:, -1] + features.rejected[:, -1], np.ones(len(items)))
    np.testing.assert_array_equal(features.prompts, items.prompts)
    np.testing.assert_array_equal(features.weights, items.weights)


def test_the_data_folder_holds_the_three_tables_and_their_sources() -> None:
    """Nothing else ships, and every table has its citation, source and licence beside it."""
    folder = resources.files("bradley_terry").joinpath("data")
    tables = {"travel_modes.csv", "citations.csv", "baseball_1987.csv"}
    assert {entry.name for entry in folder.iterdir()} == {*tables, "README.md"}
    readme = folder.joinpath("README.md").read_text(encoding="utf-8")
    for name in tables:
        section = readme.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for word in ("**Citation**", "**Source**", "**Licence**", "| column | meaning | unit |"):
            assert word in section, f"{name} lacks {word}"


SCORERS = [bt.LinearScorer(4), bt.MLPScorer(3, 5), bt.TableScorer(6)]


@pytest.mark.parametrize("scorer", SCORERS)
def test_synthetic_pairs_depend_on_the_seed_alone(scorer) -> None:
    """The same seed gives the same pairs, another seed others."""
    same_pairs(synthetic(50, scorer=scorer, seed=3), synthetic(50, scorer=scorer, seed=3))
    other = synthetic(50, scorer=scorer, seed=4)
    assert not np.array_equal(synthetic(50, scorer=scorer, seed=3).chosen, other.chosen)


def test_answers_to_one_prompt_share_an_offset() -> None:
    """Features of one prompt lie together: the variance between prompts is that of the offset, 1, as within them."""
    pairs = synthetic(4000, pairs_per_prompt=4)
    assert (pairs.n_prompts, len(pairs)) == (1000, 4000)
    both = (pairs.chosen + pairs.rejected).reshape(1000, 4, 3) / 2  # offset + a mean of two: variance 1 + 1/2
    between = both.mean(axis=1).var(axis=0)  # 1 + 1/8
    np.testing.assert_allclose(between, 1.125, atol=5 * 1.125 * np.sqrt(2 / 1000))  # five standard errors


def test_default_truth_of_a_scorer_is_told() -> None:
    """``synthetic`` without phi uses ``synthetic_phi``, which is never the zero world of coin flips."""
    for scorer in SCORERS:
        truth = synthetic_phi(scorer, 9)
        assert truth.shape == (scorer.n_parameters,)
        assert truth.any()
        same_pairs(synthetic(30, scorer=scorer, seed=9), synthetic(30, scorer=scorer, phi=truth, seed=9))


# ---------------------------------------------------------------------------------------------------- statistics


@pytest.mark.parametrize("scorer", SCORERS)
def test_synthetic_preferences_follow_their_truth(scorer) -> None:
    """The loss of the truth on its own choices is the entropy of those choices, within four standard errors."""
    pairs = synthetic(20_000, scorer=scorer, pairs_per_prompt=2, seed=1)
    truth = synthetic_phi(scorer, 1)
    margins = scorer.reward(truth, pairs.chosen) - scorer.reward(truth, pairs.rejected)
    error = np.std(bt.pair_losses(margins)) / np.sqrt(len(pairs))
    assert abs(bt.mean_loss(margins) - bt.loss_floor(margins)) < 4 * error
    assert error < 0.01


def test_table_worlds_never_set_an_item_against_itself() -> None:
    """The two items of a pair differ, and all of them appear."""
    pairs = synthetic(500, scorer=bt.TableScorer(3))
    assert pairs.n_identical == 0
    assert set(np.concatenate([pairs.chosen, pairs.rejected]).tolist()) == {0, 1, 2}


# ---------------------------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("pairs_per_prompt", [1, 5])
def test_linear_scorer_recovers_the_known_direction(pairs_per_prompt) -> None:
    """A fit to 5,000 pairs finds (1, -2, 0.5) within four standard errors, whatever offset the prompts have."""
    model = bt.fit(bt.LinearScorer(3), synthetic(5000, pairs_per_prompt=pairs_per_prompt))
    assert (np.abs(model.phi - [1, -2, 0.5]) < 4 * model.standard_errors()).all()
    assert model.standard_errors().max() < 0.06


# ---------------------------------------------------------------------------------------------------- files: texts


def test_texts_become_features_of_the_answers(tmp_path) -> None:
    """Each pair's features are those of its two texts beside their prompt, named, and equal prompts are one prompt."""
    rows = [("Hi?", "Hello, how are you?", "No."), ("Bye?", "See you!", ""), ("Hi?", "same", "same")]
    path = write(tmp_path / "a.jsonl", *({"prompt": p, "chosen": c, "rejected": r, "id": 7} for p, c, r in rows))
    pairs, texts = load_pairs(path), read_texts(path)
    assert (texts.prompts, texts.chosen, texts.rejected) == tuple(map(list, zip(*rows, strict=True)))
    assert len(texts) == 3
    np.testing.assert_array_equal(pairs.chosen, text_features(texts.prompts, texts.chosen))
    np.testing.assert_array_equal(pairs.rejected, text_features(texts.prompts, texts.rejected))
    assert pairs.feature_names == feature_names()
    assert pairs.prompts.tolist() == [0, 1, 0]
    assert pairs.n_identical == 1  # kept


def test_empty_prompts_are_no_common_prompt(tmp_path) -> None:
    """Rows without a prompt, or with an empty one, are prompts of their own: they can be split."""
    path = write(tmp_path / "a.jsonl", {"chosen": "a", "rejected": "b"}, {"prompt": "", "chosen": "c", "rejected": "d"})
    assert load_pairs(path).n_prompts == 2


def test_messages_are_the_same_as_texts(tmp_path) -> None:
    """Explicit prompt, implicit prompt and plain texts say the same, and so do texts that repeat their prompt."""
    user, good, bad = (
        {"role": role, "content": text}
        for role, text in (("user", "Hi?"), ("assistant", "Hello!"), ("assistant", "No"))
    )
    for row in (
        {"prompt": "Hi?", "chosen": "Hello!", "rejected": "No"},
        {"prompt": [user], "chosen": [good], "rejected": [bad]},
        {"chosen": [user, good], "rejected": [user, bad]},
        {"prompt": "Hi?", "chosen": [user, good], "rejected": [user, bad]},
        {"prompt": [user], "chosen": "Hello!", "rejected": "No"},
    ):
        texts = read_texts(write(tmp_path / "a.jsonl", row))
        assert (texts.prompts, texts.chosen, texts.rejected) == (["Hi?"], ["Hello!"], ["No"])


def test_shared_messages_are_the_prompt_and_the_rest_the_answers(tmp_path) -> None:
    """Of a longer conversation, all that both sides share is the prompt, but never the whole of an answer."""
    turns = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b"), ("user", "c"))]
    last, other = {"role": "assistant", "content": "d"}, {"role": "assistant", "content": "e"}
    path = write(
        tmp_path / "a.jsonl",
        {"chosen": [*turns, last], "rejected": [*turns, other]},
        {"chosen": [*turns, last], "rejected": [*turns, last]},
        {"prompt": "system", "chosen": [turns[1], turns[2], last], "rejected": [turns[1], turns[2], other]},
        {"chosen": [turns[0], last, *turns], "rejected": [turns[0], other]},
    )
    texts = read_texts(path)
    whole = "user: a\n\nassistant: b\n\nuser: c"
    assert texts.prompts == [whole, whole, "system\n\nassistant: b\n\nuser: c", "a"]
    assert texts.chosen == ["d", "d", "d", "assistant: d\n\nuser: a\n\nassistant: b\n\nuser: c"]
    assert texts.rejected == ["e", "d", "e", "e"]


def test_transcripts_share_their_prompt(tmp_path) -> None:
    """Of two HH-RLHF transcripts the prompt is what they share up to the last common "Assistant:"."""
    start = "\n\nHuman: What is tea?\n\nAssistant:"
    more = start + " A drink.\n\nHuman: Hot?\n\nAssistant:"
    path = write(
        tmp_path / "a.jsonl",
        {"chosen": start + " A drink.", "rejected": start + " A dog."},
        {"chosen": more + " Yes.", "rejected": more + " Yes, or iced."},
        {"chosen": more + " Yes.", "rejected": start + " A dog."},
        {"chosen": more + " Yes.", "rejected": more + " Yes."},
        {"prompt": start, "chosen": start + " A drink.", "rejected": start + " A dog."},
        {"prompt": start, "chosen": " A drink.", "rejected": " A dog."},
    )
    texts = read_texts(path)
    first, second = start.strip(), more.strip()
    assert texts.prompts == [first, second, first, second, first, first]
    drink_and_more = "A drink.\n\nHuman: Hot?\n\nAssistant: Yes."
    assert texts.chosen == ["A drink.", "Yes.", drink_and_more, "Yes.", "A drink.", "A drink."]
    assert texts.rejected == ["A dog.", "Yes, or iced.", "A dog.", "Yes.", "A dog.", "A dog."]
    assert load_pairs(path).n_identical == 1


def test_answers_that_begin_alike_lose_nothing_without_a_transcript(tmp_path) -> None:
    """A shared beginning of plain texts is part of the answers, not a prompt."""
    texts = read_texts(write(tmp_path / "a.jsonl", {"prompt": "Yes", "chosen": "Yes, sir", "rejected": "Yes"}))
    assert (texts.prompts, texts.chosen, texts.rejected) == (["Yes"], ["Yes, sir"], ["Yes"])


def test_labels_and_weights_are_read_from_texts(tmp_path) -> None:
    """Lines without a label, weight or target margin get 1, 1 and 0; files without any get none."""
    row = {"chosen": "a", "rejected": "b"}
    pairs = load_pairs(write(tmp_path / "a.jsonl", row, {**row, "label": 0.5, "weight": 3, "target_margin": -1.5}))
    np.testing.assert_array_equal(pairs.labels, [1, 0.5])
    np.testing.assert_array_equal(pairs.weights, [1, 3])
    np.testing.assert_array_equal(pairs.target_margins, [0, -1.5])
    plain = load_pairs(write(tmp_path / "b.jsonl", row))
    assert plain.labels is None
    assert plain.weights is None


def test_compression_byte_order_mark_and_line_ends_do_not_matter(tmp_path) -> None:
    """The same lines, compressed, with a BOM, with empty lines or Windows line ends, are the same pairs."""
    lines = [
        json.dumps({"chosen": "a\u2028b é", "rejected": "b"}, ensure_ascii=False),
        '{"chosen": "c", "rejected": ""}',
    ]
    expected = load_pairs(write(tmp_path / "a.jsonl", *lines))
    plain = "\n".join(lines).encode()
    for name, data in {
        "b.jsonl": b"\xef\xbb\xbf" + plain,
        "c.JSONL": plain.replace(b"\n", b"\r\n\r\n"),
        "d.jsonl.gz": gzip.compress(plain),
    }.items():
        (tmp_path / name).write_bytes(data)
        same_pairs(load_pairs(tmp_path / name), expected)
    (tmp_path / "e.txt").write_bytes(plain)
    same_pairs(load_pairs(tmp_path / "e.txt", format="jsonl"), expected)


# ---------------------------------------------------------------------------------------------------- files: tables


def test_csv_of_features_pairs_its_columns_by_name(tmp_path) -> None:
    """Columns name_chosen and name_rejected belong together, in any order; the rest goes where its name says."""
    path = write(
        tmp_path / "a.csv",
        "weight,price_rejected,price_chosen,speed_chosen,prompt,speed_rejected,label,target_margin",
        "2,1.5,1,-3e2,home,4,1,0",
        "",
        '0, 2 ,2,7,"a, b",7,.5,-1',
    )
    pairs = load_pairs(path)
    expected = bt.PreferencePairs(
        [[1, -300], [2, 7]],
        [[1.5, 4], [2, 7]],
        prompts=["home", "a, b"],
        weights=[2, 0],
        labels=[1, 0.5],
        target_margins=[0, -1],
        feature_names=["price", "speed"],
    )
    same_pairs(pairs, expected)
    assert pairs.n_identical == 1


def test_csv_without_prompts_makes_every_row_a_prompt(tmp_path) -> None:
    """Features without a prompt column: rows are prompts of their own."""
    assert load_pairs(write(tmp_path / "a.csv", "x_chosen,x_rejected", "1,2", "3,4")).prompts.tolist() == [0, 1]


def test_csv_of_contests_numbers_items_by_name(tmp_path) -> None:
    """Items are numbered in sorted order, a tie has label 1/2, and the prompt names the two items either way round."""
    path = write(tmp_path / "a.csv", "chosen,rejected,tie,weight", "Cy,Al,0,2", "Al, Cy ,true,1", "Bo,Bo,,1")
    pairs = load_pairs(path)
    expected = bt.PreferencePairs(
        [2, 0, 1],
        [0, 2, 1],
        prompts=["Al vs Cy", "Al vs Cy", "Bo vs Bo"],
        weights=[2, 1, 1],
        labels=[1, 0.5, 1],
        feature_names=["Al", "Bo", "Cy"],
    )
    same_pairs(pairs, expected)
    assert pairs.n_identical == 1  # kept and counted


def test_csv_of_contests_may_name_its_prompts(tmp_path) -> None:
    """A prompt column is used as it is."""
    pairs = load_pairs(write(tmp_path / "a.csv", "prompt,chosen,rejected", "x,A,B", "y,A,B"))
    assert pairs.prompts.tolist() == ["x", "y"]


@pytest.mark.parametrize("make", [datasets.travel_modes, datasets.citations, lambda: datasets.baseball(True)])
def test_saved_pairs_come_back(make, tmp_path) -> None:
    """NPZ keeps every field, and the same pairs give the same bytes."""
    pairs = make()
    save_pairs(pairs, tmp_path / "a.npz")
    save_pairs(pairs, tmp_path / "b.npz")
    same_pairs(load_pairs(tmp_path / "a.npz"), pairs)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_npz_without_prompts_and_names_gets_them(tmp_path) -> None:
    """Every loader fills in prompts and names."""
    np.savez(tmp_path / "a.npz", chosen=np.eye(2, dtype=np.float32), rejected=np.ones((2, 2), dtype=np.float32))
    pairs = load_pairs(tmp_path / "a.npz")
    assert (pairs.prompts.tolist(), pairs.feature_names, pairs.chosen.dtype) == ([0, 1], ("x1", "x2"), np.float32)
    np.savez(tmp_path / "b.npz", chosen=np.array([0, 2]), rejected=np.array([1, 0]))
    assert load_pairs(tmp_path / "b.npz").feature_names == ("item 0", "item 1", "item 2")
    np.savez(tmp_path / "c.npz", chosen=np.array([0]), rejected=np.array([10**15]))  # names would fill the memory
    assert load_pairs(tmp_path / "c.npz").feature_names is None


# ---------------------------------------------------------------------------------------------------- manners

GOOD = '{"chosen": "a", "rejected": "b"}'
BAD_FILES = {  # name, contents, sentence after the path
    "empty": ("a.jsonl", "", "expected at least one pair, found an empty file"),
    "blank": ("a.jsonl", "\n \n", "expected at least one pair, found an empty file"),
    "not JSON": ("a.jsonl", f"{GOOD}\nchosen", "line 2: expected a JSON object, found text that is not JSON"),
    "truncated": ("a.jsonl", f"{GOOD}\n{GOOD[:20]}", "line 2: expected a JSON object, found text that is not JSON"),
    "list": ("a.jsonl", '["a", "b"]', r'line 1: expected a JSON object, found \["a", "b"\]'),
    "nested": ("a.jsonl", "[" * 100_000, "line 1: expected a JSON object, found "),
    "number": ("a.jsonl", "1" * 5000, "line 1: expected a JSON object, found JSON that is too large"),
    "no rejected": ("a.jsonl", f'{GOOD}\n\n{{"chosen": "a"}}', "line 3: expected the keys .*, found chosen$"),
    "no keys": ("a.jsonl", "{}", "line 1: expected the keys chosen and rejected, found none"),
    "true": (
        "a.jsonl",
        '{"chosen": true, "rejected": "b"}',
        "line 1: chosen: expected a text or a list of messages, f",
    ),
    "null": ("a.jsonl", '{"chosen": "b", "rejected": null}', "line 1: rejected: expected a text .*, found null"),
    "prompt": ("a.jsonl", '{"chosen":"b","rejected":"a","prompt":3}', "line 1: prompt: expected a text .*, found 3"),
    "no messages": ("a.jsonl", '{"chosen": [], "rejected": "b"}', "line 1: chosen: .*, found an empty list"),
    "message": ("a.jsonl", '{"chosen": ["x"], "rejected": "b"}', "line 1: chosen: expected messages with role and con"),
    "content": (
        "a.jsonl",
        '{"chosen": [{"role": "user", "content": null}], "rejected": "b"}',
        "line 1: chosen: expected a text as content of a message, found null",
    ),
    "label": ("a.jsonl", GOOD[:-1] + ', "label": 2}', r"line 1: label: expected a number in \[0, 1\], found 2"),
    "weight": ("a.jsonl", GOOD[:-1] + ', "weight": "heavy"}', 'expected a finite number, found "heavy"'),
    "bool weight": ("a.jsonl", GOOD[:-1] + ', "weight": true}', "weight: expected a finite number, found true"),
    "huge weight": (
        "a.jsonl",
        GOOD[:-1] + ', "weight": 1' + "0" * 400 + "}",
        "weight: expected a finite number, found",
    ),
    "no weight": ("a.jsonl", GOOD[:-1] + ', "weight": 0}', "weights: expected .* positive sum"),
    "latin-1": ("a.jsonl", GOOD.encode() + b"\n\xe9", "line 2: expected UTF-8 text, found the byte 0xe9"),
    "not gzip": ("a.jsonl.gz", GOOD, "expected a gzip file, found a file that begins with"),
    "cut gzip": (
        "a.jsonl.gz",
        gzip.compress(GOOD.encode())[:-9],
        "expected a whole gzip file, found one that ends too",
    ),
    "bad gzip": (
        "a.jsonl.gz",
        gzip.compress(GOOD.encode())[:10] + b"\xff" * 40,
        "expected a gzip file, found a damaged one",
    ),
    "other ending": ("a.parquet", "PAR1", "expected a name that ends in .jsonl, .jsonl.gz, .csv, .csv.gz, .npz"),
    "empty csv": ("a.csv", "\n\n", "expected a header and at least one row, found an empty file"),
    "header only": ("a.csv", "chosen,rejected\n", "expected at least one row below the header, found none"),
    "no columns": ("a.csv", "a,b\n1,2", "line 1: expected columns name_chosen and name_rejected, .*; found a$"),
    "no features": ("a.csv", "prompt,weight\n1,2", "line 1: expected columns name_chosen and .*; found prompt, weight"),
    "semicolons": ("a.csv", "x_chosen;x_rejected\n1;2", "line 1: expected a column .* beside x_chosen;x_rejected"),
    "no partner": (
        "a.csv",
        "x_chosen,y_rejected\n1,2",
        "line 1: expected a column x_rejected beside x_chosen, found n",
    ),
    "line break": ("a.csv", 'chosen,rejected,"a\nb"\na,b,1', "line 1: expected columns .*; found a b"),
    "misspelt": ("a.csv", "chosen,rejected,wieght\na,b,1", "line 1: expected columns .*weight; found wieght"),
    "twice": ("a.csv", "x_chosen,x_chosen\n1,2", "line 1: expected different column names, found x_chosen twice"),
    "nameless": ("a.csv", "x_chosen,,x_rejected\n1,2,3", "line 1: expected a name for each column"),
    "ragged": ("a.csv", "x_chosen,x_rejected\n1,2\n3", "line 3: expected 2 cells, .*, found 1"),
    "word": ("a.csv", "x_chosen,x_rejected\n1,two", 'line 2: column x_rejected: expected a finite number, found "two"'),
    "NaN": ("a.csv", "x_chosen,x_rejected\nnan,2", 'line 2: column x_chosen: expected a finite number, found "nan"'),
    "underscore": ("a.csv", "x_chosen,x_rejected\n1_0,2", "line 2: column x_chosen: expected a finite number"),
    "no number": ("a.csv", "x_chosen,x_rejected\n1,\n", 'line 2: column x_rejected: .* found ""'),
    "negative": ("a.csv", "chosen,rejected,weight\na,b,-1", "line 2: column weight: expected a number of at least 0"),
    "no item": ("a.csv", "chosen,rejected\na, ", "line 2: column rejected: expected a name, found an empty cell"),
    "no prompt": ("a.csv", "chosen,rejected,prompt\na,b,", "line 2: column prompt: expected a name, found an empty ce"),
    "text": ("a.csv", "chosen,rejected\n" + "word " * 99 + ",b", "line 2: column chosen: .* texts are read from JSONL"),
    "tie": ("a.csv", "chosen,rejected,tie\na,b,maybe", 'line 2: column tie: expected true or false, found "maybe"'),
    "tie and label": ("a.csv", "chosen,rejected,tie,label\na,b,1,1", "line 1: expected one of the columns tie and lab"),
    "quotes": ("a.csv", 'chosen,rejected\n"a,b', "line 2: expected cells separated by commas"),
    "not NPZ": ("a.npz", "chosen", "expected an NPZ file of arrays, found a file that begins with b'chosen'"),
    "broken NPZ": ("a.npz", b"PK\x03\x04" + b"0" * 50, "expected an NPZ file of plain arrays, found a damaged"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_gets_one_sentence_that_begins_with_its_path(case, tmp_path) -> None:
    """Path, line where there is one, what was wanted and what was found; no half-read pairs."""
    name, contents, sentence = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"chosen": [[1.0]]}, "expected the fields chosen and rejected, found chosen"),
        ({"chosen": [[1.0]], "rejected": [[2.0]], "score": [1.0]}, "expected the fields chosen, .*, found score"),
        ({"chosen": [[1.0]], "rejected": [[2.0]], "feature_names": [1.0]}, "feature_names: expected a list of texts"),
        ({"chosen": [[1.0]], "rejected": [[2.0], [3.0]]}, "rejected: expected the shape of chosen"),
        ({"chosen": [[1.0]], "rejected": [[np.nan]]}, "rejected: expected finite numbers, got nan"),
        ({"chosen": 1.0, "rejected": 2.0}, "chosen: expected shape"),
        ({"chosen": [["a"]], "rejected": [["b"]]}, "chosen: expected an array of real numbers"),
        (
            {"chosen": np.array([{}]), "rejected": [1]},
            "expected an NPZ file of plain arrays, found a damaged or foreign",
        ),
    ],
)
def test_bad_arrays_get_one_sentence(fields, sentence, tmp_path) -> None:
    """Unknown, missing and wrong fields of an NPZ file are named; pickled objects are never opened."""
    np.savez(tmp_path / "a.npz", **fields)
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(tmp_path / "a.npz")
    assert str(caught.value).startswith(f"{tmp_path / 'a.npz'}: ")


def test_cut_or_altered_npz_is_refused(tmp_path) -> None:
    """Wherever a file of arrays is cut, and whichever byte of its first header changes, the answer is a sentence."""
    save_pairs(bt.PreferencePairs([[1.0, 2.0]], [[3.0, 4.0]]), tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for stop in range(0, len(whole) - 1, 7):
        (tmp_path / "b.npz").write_bytes(whole[:stop])
        with pytest.raises(ValueError, match=r"b\.npz: expected"):
            load_pairs(tmp_path / "b.npz")
    start = whole.index(b"descr")
    for place in range(start, start + 60):
        (tmp_path / "b.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"b\.npz: expected"):  # at the latest by the checksum
            load_pairs(tmp_path / "b.npz")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.npz", "a", "a.jsonl.gz"])
def test_missing_file_is_not_found(name, tmp_path) -> None:
    """A missing file is a FileNotFoundError that names it, whatever its ending."""
    with pytest.raises(FileNotFoundError, match=f"{name}: there is no such file"):
        load_pairs(tmp_path / name)


def test_folder_is_no_file(tmp_path) -> None:
    """A folder is refused in the same way as a file of another format."""
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(ValueError, match=r"a\.jsonl: expected a file, found a folder"):
        load_pairs(tmp_path / "a.jsonl")


def test_unknown_format_is_named(tmp_path) -> None:
    """An unknown format is refused before the file is looked for."""
    with pytest.raises(ValueError, match="format: expected one of jsonl, csv, npz, got 'xml'"):
        load_pairs(tmp_path / "a.xml", format="xml")


class Foreign:
    """A scorer of another house, which does not say how many features it reads."""

    linear_in_phi = False
    n_parameters = 1

    def initial(self, rng: np.random.Generator) -> np.ndarray:
        """Return a φ."""
        return rng.standard_normal(1)

    def unpack(self, phi: np.ndarray) -> dict[str, np.ndarray]:
        """Return φ under a name."""
        return {"w": phi}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n_pairs": 0}, "n_pairs: expected a whole number of at least 1, got 0"),
        ({"pairs_per_prompt": 1.5}, "pairs_per_prompt: expected a whole number of at least 1, got 1.5"),
        ({"scorer": bt.LinearScorer(2), "phi": [1.0]}, r"phi: expected shape \(2,\)"),
        ({"phi": [[1.0, 2.0]]}, "phi: expected shape"),
        ({"scorer": bt.TableScorer(1)}, "scorer: expected at least two items"),
        ({"scorer": Foreign()}, "scorer: expected one with n_features"),
    ],
)
def test_impossible_worlds_are_refused(arguments, sentence) -> None:
    """What is wrong is named, with what was wanted."""
    with pytest.raises(ValueError, match=sentence):
        synthetic(**arguments)


def test_the_truth_is_not_modified() -> None:
    """φ stays as it was given; one given as a list may have any length."""
    phi = np.array([1.0, 2.0])
    assert synthetic(5, phi=phi).n_features == 2
    np.testing.assert_array_equal(phi, [1.0, 2.0])


def test_datasets_need_neither_matplotlib_nor_numba(run_python) -> None:
    """Reading a table draws nothing and compiles nothing."""
    script = (
        "import sys; from bradley_terry import datasets; datasets.travel_modes();"
        "print([m for m in ('matplotlib', 'numba', 'pandas') if m in sys.modules])"
    )
    assert run_python(script) == "[]"
