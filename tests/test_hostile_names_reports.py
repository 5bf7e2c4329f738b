"""Names and texts of strangers on every public way: files, fits, reports, messages, the command line, checks."""

from __future__ import annotations

import csv
import json
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hostile import HOSTILE, page_of, unseen
from tiers import first

import bradley_terry as bt
from bradley_terry.arrays.visible import visible
from bradley_terry.commands import main
from bradley_terry.files import DataNote

FIRST = ["runs a script", "ends the line", "colours a terminal"]
ALL = [*FIRST, *(kind for kind in HOSTILE if kind not in FIRST)]
KINDS = first(len(FIRST), ALL)


def shown(name: str) -> str:
    """Return a name as a table shows it."""
    return visible(name, 100)


def features(names: list[str], rng: np.random.Generator, n: int = 60) -> bt.PreferencePairs:
    """Return pairs with these features, of which the first decides, and a prompt that is named like it."""
    chosen, rejected = rng.normal(size=(2, n, len(names)))
    wins = (chosen - rejected)[:, 0] + rng.logistic(size=n) > 0
    chosen, rejected = np.where(wins[:, None], chosen, rejected), np.where(wins[:, None], rejected, chosen)
    prompts = [f"{names[0]} {i // 2}" for i in range(n)]
    return bt.PreferencePairs(chosen, rejected, prompts=prompts, feature_names=names)


def items(names: list[str], rng: np.random.Generator, n: int = 60) -> bt.PreferencePairs:
    """Return comparisons of items with these names."""
    a = rng.integers(len(names), size=n)
    b = (a + rng.integers(1, len(names), size=n)) % len(names)
    return bt.PreferencePairs(a, b, feature_names=names)


def words_of(found: object) -> list[str]:
    """Return all that Python and a notebook show of an object."""
    said = [repr(found), str(found)]
    return said + [getattr(found, way)() for way in ("_repr_html_", "_repr_markdown_") if hasattr(found, way)]


# ------------------------------------------------------------------------------------------------------------- reports


@pytest.mark.parametrize("case", first(3, [(items, FIRST[0]), *((features, kind) for kind in ALL)]))
def test_report_has_the_structure_of_a_report_with_ordinary_names(case):
    """Whatever the names are, a page has the same elements, and the names are in it as text."""
    of, kind = case
    names = [HOSTILE[kind], HOSTILE[kind][::-1], "Aordinary nameZ"]
    plain = ["AnameZ", "AotherZ", "Aordinary nameZ"]
    runs = [bt.train(of(those, np.random.default_rng(0)), validation=0) for those in (names, plain)]
    for text, ordinary in zip(*(words_of(run)[1:] for run in runs), strict=True):
        assert not unseen(text)
        assert page_of(text).elements == page_of(ordinary).elements or text == str(runs[0])
    page = page_of(runs[0].report)
    assert page.elements == page_of(runs[1].report).elements
    assert page_of(runs[0].report, with_tables=False).elements == page_of(runs[1].report, with_tables=False).elements
    for name in names[:2]:
        assert " ".join(shown(name).split()) in " ".join(page.text.split())
        assert " ".join(shown(name).split()) in " ".join(str(runs[0]).split())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::bradley_terry.datasets.DataNote")
def test_quoted_texts_stay_quotes(kind, tmp_path):
    """The prompt and the answers of the example are in the report as text, in one line each."""
    text, path = HOSTILE[kind], tmp_path / "answers.jsonl"
    rows = [
        {"prompt": f"{text} {i % 7}", "chosen": f"{text} yes {'word ' * (i % 5)}", "rejected": f"no {i} {text}"}
        for i in range(40)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    run = bt.train(path)
    assert page_of(run.report.partition("## One example")[2]).elements == ["ul", "li", "li", "li", "p", "p"]
    assert not unseen(run.report + str(run) + run.example)
    assert sum(line.startswith(("- Prompt: “", "- Chosen: “", "- Rejected: “")) for line in run.report.split("\n")) == 3


@pytest.mark.full
def test_saved_run_of_hostile_names_is_text(tmp_path):
    """Every file can be written, is UTF-8 without unseen characters, and the model comes back with the same names.

    Only half a character, which no file in UTF-8 can hold, comes back as �, with a note.
    """
    names = [*HOSTILE.values()]
    run = bt.train(features(names, np.random.default_rng(1), 600), out=tmp_path / "run")
    for path in (tmp_path / "run").iterdir():
        if path.suffix in {".md", ".csv", ".svg"}:
            assert not unseen(path.read_text(encoding="utf-8").replace("\r\n", "\n"))
    assert run.model.feature_names == tuple(names)
    with pytest.warns(DataNote, match="half a character"):
        loaded = bt.RewardModel.load(tmp_path / "run" / "model.npz")
    assert loaded.feature_names == tuple(re.sub("[\ud800-\udfff]", "\ufffd", name) for name in names)


# ---------------------------------------------------------------------------------------------- in Python, in messages


def separated(names):
    """Return a fit that has no minimum, and says so."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pairs = bt.PreferencePairs([0, 1], [1, 2], feature_names=names)
        model = bt.fit(bt.TableScorer(3), pairs)
        undetermined = bt.PreferencePairs([[1.0, 1.0, 0.0]] * 3, [[0.0, 0.0, 1.0]] * 3, feature_names=names)
        linear = bt.fit(bt.LinearScorer(3), replace(undetermined, labels=[1, 0, 1]))
        rng = np.random.default_rng(6)
        x, y = (np.repeat(rng.normal(size=(40, 2)), [1, 2], axis=1) for _ in range(2))
        twins = bt.fit(bt.LinearScorer(3), bt.PreferencePairs(x, y, feature_names=names[::-1]))
    assert "only in combination" in twins.message
    assert not unseen(twins.message, lines=False)
    found = [
        twins,
        bt.inference.separation(bt.TableScorer(3), pairs),
        bt.inference.separation(linear.scorer, undetermined),
    ]
    return [str(warning.message) for warning in caught], [model, linear, model.summary(), linear.summary(), *found]


@pytest.mark.parametrize("kind", KINDS)
def test_objects_show_hostile_names_as_text(kind):
    """In Python: pairs, models, their summaries, and what a fit says if something cannot be determined."""
    names, rng = [HOSTILE[kind], HOSTILE[kind][::-1], "third"], np.random.default_rng(2)
    by_feature, by_item = features(names, rng), items(names, rng)
    ranked = bt.PreferenceRankings(np.arange(3), [1, 2, 3], [names[0]] * 3, feature_names=names)
    linear, table = bt.fit(bt.LinearScorer(3), by_feature), bt.fit(bt.TableScorer(3), by_item)
    warned, found = separated(names)
    objects = [
        by_feature, by_item, by_feature[0], by_item[0], by_feature.head(3), by_item.head(3), ranked, linear, table,
        linear.summary(), table.summary(), linear.evaluate(by_feature), *found,
        replace(linear, message=names[0], method=names[1]), replace(linear, message=names[0]).summary(),
        bt.calibration.by_annotator(linear, by_feature, names * 20),
    ]  # fmt: skip
    for one in objects:
        assert not unseen("".join(words_of(one)))
        assert all(len(line) < 3000 for line in str(one).split("\n"))
    assert warned
    for message in warned:
        assert not unseen(message, lines=False)
    assert shown(names[0]) in str(by_feature[0])
    assert shown(names[0]) in str(table.summary())


REFUSED = {
    "items that are not in the model": lambda bad, model, pairs: bt.commands.evaluate.matched(
        model, replace(pairs, feature_names=[bad, "b", "c"])
    ),
    "an item that is not in the table": lambda bad, model, pairs: model.estimates(bad),
    "a feature that is not there": lambda bad, model, pairs: bt.calibration.length_baseline(pairs, feature=bad),
    "a question that is not asked": lambda bad, model, pairs: bt.course.check.prediction(bad, "a"),
    "a scene that is not shown": lambda bad, model, pairs: bt.course.projector.page(bad),
    "a model without names": lambda bad, model, pairs: replace(model, feature_names=(bad, "b", "c")).estimates("d"),
    "an outcome that did not converge": lambda bad, model, pairs: replace(
        model, message=bad, converged=False
    ).standard_errors(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", REFUSED)
def test_messages_quote_names_as_text(kind, what):
    """They are one line, of bounded length."""
    import bradley_terry.commands.evaluate
    import bradley_terry.course.check
    import bradley_terry.course.projector  # noqa: F401

    pairs = items(["a", "b", "c"], np.random.default_rng(3))
    model = bt.fit(bt.TableScorer(3), pairs)
    with pytest.raises((ValueError, TypeError)) as caught:
        REFUSED[what](HOSTILE[kind], model, pairs)
    assert not unseen(str(caught.value), lines=False)
    assert len(str(caught.value)) < 2500


def written(path, rows):
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_loaders_quote_files_as_text(kind, tmp_path):
    """Headers, cells, fields of JSON, names of arrays and of the file itself, in errors and in notes."""
    bad = HOSTILE[kind]
    rows = [
        [{"prompt": bad, "chosen": bad}],
        [{bad: 1, "other": 2}],
        [{"chosen": [1.0, 2.0], "rejected": [1.0, bad]}],
        [{"chosen": {bad: 1.0}, "rejected": {"x": 1.0}}],
        [{"winner": "a", "loser": "b", "weight": bad}],
        [{"a": bad, "model_a": "x", "model_b": "y", "winner": bad}],
        [{"chosen": "yes it is", "rejected": "no it is not", "label": bad}],
        [bad],
    ]
    for number, lines in enumerate(rows):
        (tmp_path / f"{number}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    written(tmp_path / "a.csv", [["x_chosen", "x_rejected", bad], [1, 2, 3]])
    written(tmp_path / "b.csv", [[bad, bad], [1, 2]])
    written(tmp_path / "c.csv", [["x_chosen", "x_rejected"], [1, bad]])
    name = bad.replace("/", "-").replace("\0", "0").encode("utf-8", "surrogatepass").decode("utf-8", "replace")[:40]
    (tmp_path / f"{name}.jsonl").write_text('{"chosen": 1}')
    said: list[str] = []
    for path in sorted(tmp_path.iterdir()):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", DataNote)
            try:
                bt.load_pairs(path)
            except ValueError as error:
                said.append(str(error))
        said += [str(warning.message) for warning in caught]
    assert len(said) > 6
    for sentence in said:
        assert not unseen(sentence, lines=False)
        assert len(sentence) < 2500
    assert not unseen("".join(words_of(bt.load_pairs)[0]))


# ---------------------------------------------------------------------------------------------------- the command line


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::bradley_terry.datasets.DataNote")
def test_command_line_prints_hostile_files_as_text(tmp_path, capsys, monkeypatch):
    """Train, evaluate and their JSON, on standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    names = [*HOSTILE.values()]
    bt.files.save_pairs(features(names, np.random.default_rng(4)), "data.npz")
    bt.files.save_pairs(features([f"x{i}" for i in range(len(names))], np.random.default_rng(4)), "plain.npz")
    assert main(["train", "data.npz", "--out", f"run {HOSTILE['colours a terminal']}"]) == 0
    run = f"run {HOSTILE['colours a terminal']}"
    assert main(["evaluate", run, "data.npz"]) == 0
    assert main(["evaluate", run, "data.npz", "--json"]) == 0
    assert main(["evaluate", run, "plain.npz"]) == 2
    assert main(["split", "data.npz", "--shards", "2", "--out", "shards"]) == 0
    assert main(["train", "shards", "--out", "run3"]) == 0
    report = (tmp_path / "run3" / "report.md").read_text(encoding="utf-8")
    assert page_of(report).elements == ["h1", "p", "pre", "code"]
    heard = capsys.readouterr()
    assert not unseen(heard.out)
    assert not unseen(heard.err)
    assert sum(shown(name) in heard.out for name in names) >= 20  # as many as the table has


@pytest.mark.parametrize("kind", HOSTILE)
def test_command_line_quotes_arguments_as_text(kind, capsys):
    """Also arguments that only argparse has read."""
    bad = HOSTILE[kind].replace("\0", "0")
    for arguments in (
        ["train", "--loss", bad], ["train", bad], ["evaluate", bad, "citations"], ["train", f"--x{bad}"],
        ["train", "--method", bad], ["train", "--seed", bad], [bad], ["check", bad],
    ):  # fmt: skip
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code
        assert status == 2
    heard = capsys.readouterr()
    assert not unseen(heard.out + heard.err)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::bradley_terry.datasets.DataNote")
def test_json_is_valid_and_nothing_else_is_printed(tmp_path, capsys, monkeypatch):
    """The names are whole, apart from halves of characters, which are read as �."""
    monkeypatch.chdir(tmp_path)
    names = [*HOSTILE.values()]
    bt.files.save_pairs(items(names, np.random.default_rng(5), 200), "data.npz")
    assert main(["train", "data.npz", "--json", "--out", "run"]) == 0
    heard = capsys.readouterr()
    found = json.loads(heard.out, parse_constant=pytest.fail)
    whole = {re.sub("[\ud800-\udfff]", "�", name) for name in names}
    assert {weight["name"] for weight in found["weights"]} == whole
    json.dumps(found, ensure_ascii=False).encode("utf-8")


# -------------------------------------------------------------------------------------------------- learners' functions


@pytest.mark.parametrize("kind", KINDS)
def test_checks_show_what_a_function_says_as_text(kind, tmp_path):
    """What it raises and prints, its name, and the names of its parameters, as text and as HTML."""
    from bradley_terry.course import check

    bad = HOSTILE[kind]

    def raises(weights, chosen, rejected):
        print(bad)
        raise ValueError(bad)

    def returns(parameters, chosen, rejected):
        return {bad: parameters["hidden_weights"]}

    def phi_alone(phi):
        raise RuntimeError(bad)

    raises.__name__ = raises.__qualname__ = bad.replace("\0", "0").encode("utf-8", "replace").decode()
    reports = [
        check.gradient(raises),
        check.gradient(returns, scorer="mlp"),
        bt.check_gradient(phi_alone, np.ones(3)),
        check.prediction("01.1", bad),
    ]
    for report in reports:
        assert not report.passed
        assert not unseen("".join(words_of(report)))
        page = page_of(report._repr_html_())
        assert set(page.elements) <= {"div", "br", "table", "tr", "th", "td"}
    (tmp_path / "own.py").write_text(f"raise ValueError({bad!r})\n")
    with pytest.raises(ValueError, match=r"own\.py") as caught:
        bt.commands.check.load_function(f"{tmp_path / 'own.py'}:f")
    assert not unseen(str(caught.value), lines=False)
