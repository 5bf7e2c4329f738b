"""Whatever is written is complete or absent: on a full disk, after a crash, and with several processes at once."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import plots
from bradley_terry.commands import main
from bradley_terry.commands.diagnosed import diagnose_run
from bradley_terry.commands.split import split
from bradley_terry.commands.train import train
from bradley_terry.course import notebooks, projector
from bradley_terry.files import save_pairs
from bradley_terry.files.saving import new_folder, replacing, write_file
from tests.tiers import first

resource = pytest.importorskip("resource")  # not on Windows
# Python and JAX warn of forks in a process with threads. The children here only write files.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork")


@contextlib.contextmanager
def disk_with(n_bytes: int):
    """Let no file grow beyond so many bytes, so that writing more fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pairs(rng) -> bt.PreferencePairs:
    return bt.PreferencePairs(rng.normal(size=(300, 3)), rng.normal(size=(300, 3)), prompts=np.arange(300) // 2)


@pytest.fixture
def undrawn(monkeypatch):
    """Draw nothing: figures take longer than everything else."""
    monkeypatch.setattr("bradley_terry.figures.model_figures", lambda *_, **__: [])


# ------------------------------------------------------------------------------------------------------ single files

WRITERS = {  # what writes a file, given the pairs, a path and a number that changes the content
    "model.npz": lambda pairs, path, l2: bt.fit(bt.LinearScorer(3), pairs, l2=l2).save(path),
    "pairs.npz": lambda pairs, path, l2: save_pairs(pairs.subset(np.arange(int(100 * l2))), path),
    "state.npz": lambda pairs, path, l2: bt.fit(bt.LinearScorer(3), pairs, l2=1.0, checkpoint=path, max_steps=20),
    "page.html": lambda pairs, path, l2: projector.write_copy(path, scene="shift" if l2 == 1 else None),
    "figure.svg": lambda pairs, path, l2: plots.save_figure(
        plots.plot_loss_and_gradient(), path.with_suffix(""), caption=f"l2 = {l2}"
    ),
    "text.txt": lambda pairs, path, l2: write_file(path, "long " * 1000 * int(l2)),
}


@pytest.mark.parametrize("name", first(5, sorted(WRITERS, key="figure.svg".__eq__)))
def test_a_full_disk_leaves_the_old_file_or_none(name, pairs, tmp_path):
    """The error says which file could not be written, and nothing else is left in the folder."""
    path, write = tmp_path / name, WRITERS[name]
    with disk_with(1000), pytest.raises(OSError, match="File too large") as caught:
        write(pairs, path, 1.0)
    assert caught.value.filename == str(path)
    assert content(tmp_path) == {}
    write(pairs, path, 1.0)
    before = content(tmp_path)
    if name != "state.npz":  # the fit has ended, and its checkpoint is only read
        with disk_with(1000), pytest.raises(OSError, match="File too large"):
            write(pairs, path, 2.0)
        assert content(tmp_path) == before
        write(pairs, path, 2.0)
        assert content(tmp_path).keys() == before.keys()
        assert content(tmp_path)[name] != before[name]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    """Also one that has nothing to do with the disk, such as Ctrl-C."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), replacing(path) as file:  # noqa: PT012  # the error comes from the block
            file.write(b"half")
            raise error
        assert content(tmp_path) == {"a.txt": b"old"}


def test_a_file_keeps_its_permissions_and_a_link_still_points_to_it(tmp_path):
    """A private file stays private, and who reads through the link sees the new content."""
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    write_file(link, "new")
    assert (link.is_symlink(), path.read_text(), path.stat().st_mode & 0o777) == (True, "new", 0o600)
    new = tmp_path / "new.txt"
    write_file(new, "new")
    (tmp_path / "usual.txt").write_text("usual")
    assert new.stat().st_mode == (tmp_path / "usual.txt").stat().st_mode


def test_who_has_opened_a_file_keeps_reading_the_old_one(tmp_path):
    """The new content is another file, which takes the name in one step."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with path.open() as file:
        write_file(path, "new")
        assert file.read() == "old"
    assert path.read_text() == "new"


def test_a_device_is_written_to_directly():
    """It cannot be replaced; and a full one is an error that names it."""
    write_file("/dev/null", "nothing")
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_file("/dev/full", "too much")


def test_unfinished_files_of_killed_processes_are_removed_but_not_those_of_others(tmp_path):
    """The lock tells them apart: the system releases it when a process ends."""
    path = tmp_path / "a.txt"
    child = os.fork()
    if not child:
        with replacing(path) as file:
            file.write(b"half")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1
    with replacing(path) as mine:
        mine.write(b"mine")
        thread = threading.Thread(target=write_file, args=(path, "theirs"))
        thread.start()
        thread.join()
        assert len(list(tmp_path.iterdir())) == 2
    assert content(tmp_path) == {"a.txt": b"mine"}


def test_several_at_once_write_one_file_without_an_error(tmp_path):
    """Nobody takes the finished file of another for abandoned; in the end the file is that of one of them."""
    path = tmp_path / "a.txt"
    failed = []

    def write(who):
        for _ in range(100):
            try:
                write_file(path, who * 1000)
            except OSError as error:
                failed.append(error)

    threads = [threading.Thread(target=write, args=(who,)) for who in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert content(tmp_path).popitem() in {("a.txt", who.encode() * 1000) for who in "xyz"}


# ----------------------------------------------------------------------------------------------------------- folders


def test_a_folder_is_absent_until_it_is_complete(tmp_path):
    """It appears at the end, and if something fails, neither it nor anything else is there."""
    place = tmp_path / "runs" / "a"
    with pytest.raises(ValueError, match="stop"), new_folder(place) as made:  # noqa: PT012  # as above
        (made / "one.txt").write_text("1")
        raise ValueError("stop")
    assert list((tmp_path / "runs").iterdir()) == []
    with new_folder(place) as made:
        (made / "one.txt").write_text("1")
        assert not place.exists()
    assert content(tmp_path) == {"runs/a/one.txt": b"1"}
    with pytest.raises(FileExistsError), new_folder(place) as made:
        (made / "two.txt").write_text("2")
    assert content(tmp_path) == {"runs/a/one.txt": b"1"}


@pytest.mark.parametrize("stays", [False, True])
def test_a_folder_is_exchanged_and_what_else_lay_in_it_stays(stays, tmp_path, monkeypatch):
    """Also if it cannot be renamed, because somebody works in it. An old file of the run without a new one goes."""
    place = tmp_path / "a"
    (place / "sub").mkdir(parents=True)
    for name in ("model", "figure", "notes", "sub/more"):
        (place / name).write_text("old")
    (place / "link").symlink_to("notes")
    if stays:
        monkeypatch.chdir(place)
    kept = {"notes": b"old", "sub/more": b"old", "link": b"old"}
    with pytest.raises(ValueError, match="stop"), new_folder(place, {"model", "figure"}):
        raise ValueError("stop")
    assert content(place) == {"model": b"old", "figure": b"old", **kept}
    with new_folder(place, {"model", "figure"}) as made:
        (made / "model").write_text("new")
        assert (place / "model").read_text() == "old"
    assert content(place) == {"model": b"new", **kept}
    assert (place / "link").is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


EVENTS = ("os.", "open", "shutil.", "fcntl.", "ctypes.")  # of Python's audit hooks, before each change to the disk


def killed_at(number: int, work) -> bool:
    """Do the work in a child that kills itself just before its n-th use of the disk; return False if it had ended."""
    child = os.fork()
    if not child:
        left = [number]

        def hook(event, _):
            if event.startswith(EVENTS):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] != 0


@pytest.fixture(params=["exchange", "one by one"])
def can_exchange(request, monkeypatch):
    """Return whether the system can exchange two folders in one step; the second time, pretend that it cannot."""
    if request.param == "one by one":
        monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    return request.param == "exchange"


RUN = ("figure", "history", "model")


def write_as(place: Path, words: str) -> None:
    """Write a run of three files that all say the same."""
    with new_folder(place, RUN) as made:
        for name in RUN:
            (made / name).write_text(words)


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere two folders may not be exchanged in one step")
def test_a_folder_is_the_old_or_the_new_one_wherever_its_process_is_killed(can_exchange, tmp_path):
    """Also between any two steps of the exchange; the notes in it stay. Without an exchange, old and new never mix."""
    place, number, seen, is_killed = tmp_path / "a", 0, [], True
    while is_killed:
        number += 1
        write_as(place, "old")
        (place / "notes").write_text("mine")
        (place / "sub").mkdir(exist_ok=True)
        (place / "sub" / "more").write_text("mine")
        is_killed = killed_at(number, lambda: write_as(place, "new"))
        found = content(place)
        assert (found.pop("notes"), found.pop("sub/more")) == (b"mine", b"mine")
        assert len(set(found.values())) < 2
        assert found.keys() == set(RUN) or not can_exchange
        seen.append(set(found.values()))
        write_as(place, "old")
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
        assert content(place).keys() == {*RUN, "notes", "sub/more"}
    assert number > 20
    assert {b"old"} in seen
    assert seen[-1] == {b"new"}
    assert seen[-2] == {b"new"} or not can_exchange  # a kill while the old folder is removed


@pytest.mark.full
@pytest.mark.parametrize("within", [(), (0, 1), (0,)], ids=["beside it", "within it", "one within it"])
def test_processes_that_write_to_one_folder_at_once_never_mix(within, can_exchange, tmp_path):
    """All files are those of one of them, whether or not they work in the folder; no file of anybody else goes."""
    place = tmp_path / "a"
    for _ in range(40):
        place.mkdir(exist_ok=True)
        (place / "notes").write_text("mine")
        children = []
        for number in range(2):
            children.append(os.fork())
            if not children[-1]:
                status = 1
                try:
                    if number in within:
                        os.chdir(place)
                    write_as(place, str(number))
                    status = 0
                except FileNotFoundError:
                    status = 0 if len(within) == 1 else 1  # the folder in which it worked was exchanged
                finally:
                    os._exit(status)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
        found = content(place)
        assert found.pop("notes") == b"mine"
        assert found.keys() == set(RUN)
        assert len(set(found.values())) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_with_the_name_of_a_file_of_the_run_is_not_removed(tmp_path):
    """It cannot be a file of an earlier run, so nothing at all is changed."""
    write_as(tmp_path / "a", "old")
    (tmp_path / "a" / "model").unlink()
    (tmp_path / "a" / "model").mkdir()
    (tmp_path / "a" / "model" / "notes").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(IsADirectoryError):
        write_as(tmp_path / "a", "new")
    assert content(tmp_path) == before


def test_a_run_replaces_a_run_as_a_whole(pairs, tmp_path, undrawn):
    """With ``force`` no old file of a run is left beside the new ones, but the notes of the reader are."""
    run, place = train(pairs, example=False), tmp_path / "run"
    run.save(place)
    (place / "notes.txt").write_text("mine")
    (place / "reliability.svg").write_text("old")
    with disk_with(2000), pytest.raises(OSError, match="File too large"):
        run.save(place, force=True)
    assert content(place).keys() == {"model.npz", "history.csv", "report.md", "notes.txt", "reliability.svg"}
    run.save(place, force=True)
    assert content(place).keys() == {"model.npz", "history.csv", "report.md", "notes.txt"}
    with disk_with(2000), pytest.raises(OSError, match="File too large"):
        run.save(tmp_path / "second")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("out", first(2, ["run", ".", "new/run", "../here"]))
@pytest.mark.parametrize("n_bytes", first(1, [3000, 300]))
def test_a_failed_write_names_the_path_that_was_given(out, n_bytes, pairs, tmp_path, undrawn, monkeypatch, capsys):
    """The hidden folder in which the run is written first is not named, in Python or on the command line."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    save_pairs(pairs, tmp_path / "mine.npz")
    (Path(out) / "notes.txt").parent.mkdir(parents=True, exist_ok=True)
    (Path(out) / "notes.txt").write_text("mine")
    names = [str(Path(out) / name) for name in ("model.npz", "history.csv", "report.md")]
    with disk_with(n_bytes), pytest.raises(OSError, match="File too large") as caught:
        train(pairs, example=False, out=out, force=True)
    assert caught.value.filename in names
    with disk_with(n_bytes):
        assert main(["train", str(tmp_path / "mine.npz"), "--out", out, "--force"]) == 2
    assert capsys.readouterr().err in [f"bradley-terry: {name}: File too large\n" for name in names]
    assert content(Path(out)) == {"notes.txt": b"mine"}


def test_a_failed_write_of_shards_names_the_folder_that_was_given(pairs, tmp_path):
    """Also inside a shard that is a folder of its own."""
    with disk_with(1000), pytest.raises(OSError, match="File too large") as caught:
        split(pairs, 2, tmp_path / "shards", file_format="npy")
    assert caught.value.filename == str(tmp_path / "shards" / "shard-0" / "chosen.npy")
    assert content(tmp_path) == {}


def test_train_without_force_refuses_a_folder_before_it_fits(pairs, tmp_path, monkeypatch, capsys):
    """No work is lost, and nothing in the folder changes."""
    save_pairs(pairs, tmp_path / "mine.npz")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    monkeypatch.setattr("bradley_terry.objective.Objective.at", lambda *_: pytest.fail("a fit has begun"))
    assert main(["train", str(tmp_path / "mine.npz"), "--out", str(tmp_path / "run")]) == 2
    assert "which already exists; choose another one" in capsys.readouterr().err
    with pytest.raises(ValueError, match="which already exists; choose another one"):
        train(pairs, out=tmp_path / "run")
    assert content(tmp_path / "run") == {"notes.txt": b"mine"}


def test_two_runs_at_once_take_different_names(pairs, tmp_path, undrawn, monkeypatch, capsys):
    """The name counts as taken when the other run is complete, even if it was free at the beginning."""
    monkeypatch.chdir(tmp_path)
    save_pairs(pairs, tmp_path / "mine.npz")
    save, others = bt.TrainingRun.save, []

    def late(run, folder, **options):
        if not others:
            others.append(save(run, folder, **options))  # somebody else is faster
        return save(run, folder, **options)

    monkeypatch.setattr(bt.TrainingRun, "save", late)
    assert main(["train", "mine.npz", "--force"]) == 0
    assert "Written to runs/mine-2: " in capsys.readouterr().out
    assert sorted(path.name for path in Path("runs").iterdir()) == ["mine", "mine-2"]


def test_shards_and_their_runs_are_complete_or_absent(pairs, tmp_path, monkeypatch, capsys):
    """The folder of shards, and the run fitted to them, also with --force and with the next free name."""
    monkeypatch.chdir(tmp_path)
    with disk_with(3000), pytest.raises(OSError, match="File too large"):
        split(pairs, 2, "shards")
    assert list(tmp_path.iterdir()) == []
    split(pairs, 2, "shards")
    with disk_with(500):
        assert main(["train", "shards"]) == 2
    assert re.fullmatch(r"bradley-terry: .*model\.npz: File too large\n", capsys.readouterr().err)
    assert not list(Path("runs").iterdir())
    for _ in range(2):
        assert main(["train", "shards"]) == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["shards", "shards-2"]
    Path("runs/shards/notes.txt").write_text("mine")
    assert main(["train", "shards", "--l2", "1", "--out", "runs/shards", "--force"]) == 0
    assert content(Path("runs/shards")).keys() == {"model.npz", "history.csv", "report.md", "notes.txt"}
    assert bt.RewardModel.load("runs/shards/model.npz").l2 == 1


@pytest.mark.parametrize("damage", first(3, ["\r", '"', "\0", "\n", ",", "\x85", "\u2028", "\x1a"]), ids=ascii)
def test_one_damaged_character_in_history_csv_is_one_sentence(damage, pairs, tmp_path, undrawn):
    """Wherever it is inserted, doctor names the file and says what it expected, or still reads the same numbers."""
    run, path = train(pairs, example=False, out=tmp_path / "run"), tmp_path / "run" / "history.csv"
    written, sentences = path.read_bytes().decode(), []
    for at in range(0, len(written), 17):
        path.write_bytes((written[:at] + damage + written[at:]).encode())
        try:
            found = diagnose_run(tmp_path / "run", pairs)
        except ValueError as error:
            sentences.append(str(error))
        else:
            assert found.names == run.diagnosis.names
    assert len(sentences) > len(written) / 17 / 2
    assert all(re.fullmatch(rf"{path}: (line \d+: )?expected .*", said) for said in sentences)


# ------------------------------------------------------------------------------------------------- other people's files


@pytest.mark.parametrize("theirs", ["<html><title>My thesis</title>", "", "no page at all"])
def test_demo_replaces_its_own_page_and_any_other_only_with_force(theirs, tmp_path, capsys):
    """One sentence says so; an earlier copy of the page, at any scene, is replaced."""
    path = tmp_path / "index.html"
    path.write_text(theirs)
    assert main(["demo", "--out", str(path)]) == 2
    assert "not a copy of this page; choose another name, or use --force\n" in capsys.readouterr().err
    assert path.read_text() == theirs
    assert main(["demo", "--out", str(path), "--force"]) == 0
    assert path.read_text(encoding="utf-8") == projector.page()
    for scene in projector.SCENES:
        assert main(["demo", "--out", str(path), "--scene", scene]) == 0
    assert path.read_text(encoding="utf-8") == projector.page(projector.SCENES[-1])


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Return a folder of two files that stand in for the lessons."""
    folder = tmp_path / "originals"
    folder.mkdir()
    for name in ("01_first.ipynb", "02_second.ipynb", "README.md"):
        (folder / name).write_text("version 1")
    monkeypatch.setattr(notebooks, "originals", lambda: folder)
    monkeypatch.setattr(notebooks, "_trust", lambda _: None)
    return folder


@pytest.mark.parametrize("exists", [True, False])
def test_the_lessons_are_never_written_through_a_link(exists, shelf, tmp_path):
    """A link counts as edited: the newer version is saved beside it, and what it points to is as it was."""
    mine, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    elsewhere.mkdir()
    notebooks.copy_to(mine)
    for name in ("01_first.ipynb", "README.md"):  # the learner keeps these on another disk, or has lost them there
        (mine / name).rename(elsewhere / name)
        (mine / name).symlink_to(elsewhere / name)
        if not exists:
            (elsewhere / name).unlink()
    before = content(elsewhere)
    for path in shelf.iterdir():
        path.write_text("version 2")
    notebooks.copy_to(mine)
    assert content(elsewhere) == before
    assert (mine / "README.md").is_symlink()
    assert (mine / "01_first.ipynb").is_symlink()
    assert (mine / "01_first.new.ipynb").read_text() == "version 2"
    assert (mine / "02_second.ipynb").read_text() == "version 2"


def test_a_newer_version_beside_an_edited_one_is_not_overwritten_once_it_is_edited(shelf, tmp_path):
    """Nothing that a learner wrote is lost, whatever the file is called."""
    mine = tmp_path / "mine"
    notebooks.copy_to(mine)
    (mine / "01_first.ipynb").write_text("edited")
    for version in ("version 2", "version 3"):  # not edited, so the second replaces the first
        (shelf / "01_first.ipynb").write_text(version)
        notebooks.copy_to(mine)
        assert (mine / "01_first.new.ipynb").read_text() == version
    (mine / "01_first.new.ipynb").write_text("edited, too")
    (shelf / "01_first.ipynb").write_text("version 4")
    (said,) = notebooks.copy_to(mine)
    assert said.endswith("in 01_first.new.2.ipynb")
    assert content(mine).keys() >= {"01_first.ipynb", "01_first.new.ipynb", "01_first.new.2.ipynb"}
    assert (mine / "01_first.new.ipynb").read_text() == "edited, too"
    assert (mine / "01_first.new.2.ipynb").read_text() == "version 4"
    assert [path.name for path in notebooks.lessons(mine)] == ["01_first.ipynb", "02_second.ipynb"]
