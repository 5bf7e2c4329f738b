"""Any function from texts to numbers can make the features, and notes reach the command line in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry.commands import main
from bradley_terry.commands.data import find_data, name_of
from bradley_terry.datasets import load_pairs, read_texts

ROWS = [
    {"prompt": "Hi?", "chosen": "a clear answer", "rejected": "no", "weight": 2},
    {"prompt": "Who?", "chosen": "it is me again", "rejected": "no one"},
    {"prompt": "Hi?", "chosen": "yes", "rejected": "a long but wrong answer"},
]


@pytest.fixture
def path(tmp_path):
    """Write the rows as JSONL."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    return path


def lengths(texts: list[str]) -> list[list[int]]:
    return [[len(text), text.count(" ")] for text in texts]


def test_features_are_those_of_the_function(path) -> None:
    """Row i of chosen is what the function makes of the i-th chosen answer; prompts, weights and names are kept."""
    calls = []

    def function(texts: list[str]) -> np.ndarray:
        calls.append(texts)
        return np.array(lengths(texts), dtype=np.float32)

    pairs = load_pairs(path, featurise=function)
    assert pairs.chosen.tolist() == lengths([row["chosen"] for row in ROWS])
    assert pairs.rejected.tolist() == lengths([row["rejected"] for row in ROWS])
    assert (pairs.feature_names, pairs.chosen.dtype) == (("x1", "x2"), np.float32)
    assert pairs.prompts.tolist() == [0, 1, 0]
    assert pairs.weights.tolist() == [2, 1, 1]
    assert calls == [[*(row["chosen"] for row in ROWS), *(row["rejected"] for row in ROWS)]]  # one call
    in_memory = bt.PreferencePairs.from_records(ROWS, featurise=function)
    np.testing.assert_array_equal(in_memory.chosen, pairs.chosen)
    np.testing.assert_array_equal(read_texts(path).to_pairs(function).rejected, pairs.rejected)


@pytest.mark.full
@pytest.mark.parametrize("kind", ["TfidfVectorizer", "CountVectorizer", "HashingVectorizer"])
def test_vectorisers_of_scikit_learn_make_features(kind, path) -> None:
    """Their sparse matrices become arrays, and the features have the names of the words."""
    text = pytest.importorskip("sklearn.feature_extraction.text")
    vectoriser = getattr(text, kind)(**({"n_features": 16} if kind == "HashingVectorizer" else {}))
    pairs = load_pairs(path, featurise=vectoriser.fit_transform)
    answers = [*(row["chosen"] for row in ROWS), *(row["rejected"] for row in ROWS)]
    expected = vectoriser.transform(answers).toarray()
    np.testing.assert_array_equal(np.vstack([pairs.chosen, pairs.rejected]), expected)
    np.testing.assert_array_equal(load_pairs(path, featurise=vectoriser.transform).chosen, pairs.chosen)
    if kind == "HashingVectorizer":
        assert pairs.feature_names[0] == "x1"
    else:
        assert "answer" in pairs.feature_names
    assert bt.fit(bt.LinearScorer(pairs.n_features), pairs, l2=0.1).converged


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda texts: [len(text) for text in texts], r"one row for each text, got shape \(6,\) and dtype int64"),
        (lambda texts: np.ones((3, 2)), r"expected an array of numbers, \(6, n_features\), .* got shape \(3, 2\)"),
        (lambda texts: [["a"]] * 6, "got shape .* and dtype <U1"),
        (lambda texts: [[1], [1, 2]] * 3, "got one that cannot be read .*2 numbers in row 1"),
        (lambda texts: None, r"got shape \(\) and dtype object"),
        (lambda texts: np.full((6, 1), np.nan), "chosen: expected finite numbers, got nan in row 0, column 0"),
        (lambda texts: np.ones((6, 0)), r"chosen: expected shape \(n_pairs, n_features\)"),
    ],
)
def test_wrong_features_get_one_sentence(made, sentence, path) -> None:
    """The sentence says how many rows the function should return."""
    with pytest.raises(ValueError, match=sentence) as caught:
        load_pairs(path, featurise=made)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_featurise_is_for_texts_only(path, tmp_path) -> None:
    """A thing that cannot be called, and data without texts, are refused."""
    with pytest.raises(TypeError, match="featurise: expected a function of a list of texts, got str"):
        load_pairs(path, featurise="tfidf")
    (tmp_path / "b.csv").write_text("x_chosen,x_rejected\n1,2\n", encoding="utf-8")
    np.savez(tmp_path / "c.npz", chosen=[0], rejected=[1])
    for name in ("b.csv", "c.npz"):
        with pytest.raises(ValueError, match="featurise: expected texts in chosen and rejected, found numbers"):
            load_pairs(tmp_path / name, featurise=lengths)


# ---------------------------------------------------------------------------------------------------- command line


@pytest.mark.full
def test_notes_are_one_line_on_the_command_line(tmp_path, capsys, monkeypatch) -> None:
    """``train`` and ``evaluate`` print a note as one line on stderr that names the file, and go on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bradley_terry.drawing.figures.model_figures", lambda *_, **__: [])
    rows = [f"{a},{b},1" for a, b in ("AB", "BA", "BC", "CB", "CA", "AC")]
    (tmp_path / "games.csv").write_text("\n".join(["winner,loser,wieght", *rows]), encoding="utf-8")
    assert main(["train", "games.csv", "--out", "out", "--json"]) == 0
    note = "bradley-terry: warning: games.csv: line 1: the unknown field wieght is not read; did you mean weight?\n"
    assert capsys.readouterr().err == note
    assert main(["evaluate", "out", "games.csv", "--json"]) == 0
    assert capsys.readouterr().err == note


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.jsonl"])
def test_texts_of_every_format_are_quoted_in_the_report(name, tmp_path) -> None:
    """What ``train`` finds has the texts beside the pairs, whatever the format of the file."""
    rows = [{"prompt": "Who are you?", "chosen": "I am a whole answer.", "rejected": "No, I am not."}] * 3
    lines = ["prompt,chosen,rejected", *(",".join(f'"{text}"' for text in row.values()) for row in rows)]
    contents = {"a.json": json.dumps(rows), "a.csv": "\n".join(lines), "a.jsonl": "\n".join(map(json.dumps, rows))}
    (tmp_path / name).write_text(contents[name], encoding="utf-8")
    found = find_data(tmp_path / name)
    assert found.texts.chosen == ["I am a whole answer."] * 3
    assert len(found.pairs) == 3


@pytest.mark.parametrize(
    ("path", "name"),
    [(r"C:\data\answers.jsonl.gz", "answers"), ("C:/data/answers.csv", "answers"), (r"..\answers.csv", "answers"),
     ("C:answers.csv", "answers"), ("/data/answers.csv", "answers"), (".csv", "run"), (r"\\host\share\a.b.csv", "a")],
)  # fmt: skip
def test_name_of_data_is_the_name_of_the_file(path, name) -> None:
    """A run is named after the file, also if its path is one of Windows."""
    assert name_of(path) == name
