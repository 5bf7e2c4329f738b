"""A fit that is cut short goes on from its checkpoint with the same bits; Ctrl-C ends it with the best model so far."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import distributed
from bradley_terry.bench.coverage import measure_coverage
from bradley_terry.bench.doctor import measure_doctor
from bradley_terry.commands import main
from bradley_terry.fitting.interrupts import Interrupts
from bradley_terry.inference import component_fits
from bradley_terry.model import Outcome
from tests.kills import answers, bits, fits
from tests.tiers import first

ROOT = Path(bt.__file__).parents[1]
KINDS = ["newton", "adam", "gradient descent, rankings", "newton, a loss with ties"]
KINDS += ["newton without a matrix", "newton, bias reduced", "newton, rankings", "gradient descent", "adam, hinge"]

pytestmark = pytest.mark.filterwarnings("ignore::bradley_terry.ConvergenceWarning")


class CrashError(Exception):
    """Stands for whatever may end a process."""


def crash_at(n: int, how=None):
    """Return a callback that raises at the n-th record, or does something else there."""
    seen = []

    def callback(record):
        seen.append(record["step"])
        if len(seen) == n:
            if how is not None:
                return how()
            raise CrashError
        return False

    return callback


def interrupt() -> None:
    """Do what Ctrl-C does."""
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def _no_earlier_ctrl_c(monkeypatch):
    """Let the Ctrl-C of one test not count as the first one of the next test."""
    monkeypatch.setattr(Interrupts, "last", -60.0)


@pytest.fixture
def pairs() -> bt.PreferencePairs:
    return answers(60)


# ------------------------------------------------------------------------------------------------------ checkpoints


def test_every_kind_of_fit_is_tried():
    """The kinds that are tried here are those that are killed in ``tests.kills``."""
    assert sorted(KINDS) == sorted(fits())


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("kind", first(2, KINDS))
def test_a_fit_that_goes_on_after_a_crash_ends_with_the_same_bits(kind, every, tmp_path):
    """φ, history, message, information and the parameters of the loss are those of a fit that never crashed."""
    fit, path = fits()[kind], tmp_path / "state.npz"
    whole = bits(fit())
    for crash in (1, 3, 2):  # twice from the same file
        with pytest.raises(CrashError):
            fit(checkpoint=path, every=every, callback=crash_at(crash))
    assert bits(fit(checkpoint=path, every=every)) == whole
    assert [left.name for left in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize("kind", first(2, KINDS))
def test_a_checkpoint_changes_nothing_and_keeps_the_fitted_model(kind, tmp_path):
    """The same call again computes no step, and says the same."""
    fit, path = fits()[kind], tmp_path / "state.npz"
    whole = bits(fit())
    assert bits(fit(checkpoint=path)) == whole
    assert bits(fit(checkpoint=str(path), callback=crash_at(1))) == whole


def test_the_end_of_a_fit_from_its_checkpoint_warns_again(tmp_path):
    """A fit that did not converge does not look converged the second time."""
    pairs = bt.PreferencePairs([[1.0], [2.0]], [[0.0], [0.0]])
    for _ in range(2):
        with pytest.warns(bt.ConvergenceWarning, match="no finite minimum") as caught:
            model = bt.fit(bt.LinearScorer(1), pairs, checkpoint=tmp_path / "state.npz")
        assert caught[0].filename == __file__
        assert model.outcome is Outcome.NO_MINIMUM


def test_a_fit_that_a_callback_stopped_goes_on(pairs, tmp_path):
    """Its checkpoint holds the last state, even if ``every`` says that it is not yet time to write one."""
    path, whole = tmp_path / "state.npz", bt.fit(bt.LinearScorer(4), pairs, l2=0.01)
    stopped = bt.fit(bt.LinearScorer(4), pairs, l2=0.01, checkpoint=path, every=50, callback=crash_at(3, lambda: True))
    assert stopped.outcome is Outcome.STOPPED_BY_CALLBACK
    seen = []
    model = bt.fit(
        bt.LinearScorer(4), pairs, l2=0.01, checkpoint=path, callback=lambda record: seen.append(record["step"])
    )
    assert bits(model) == bits(whole)
    assert seen == whole.history["step"][2:].tolist()


@dataclass(frozen=True)
class Own(bt.LinearScorer):
    """A scorer of the reader's own, which is another fit than the one of the package."""


CHANGES = {
    "l2": {"l2": 0.5},
    "seed": {"seed": 1},
    "tolerance": {"tolerance": 1e-6},
    "max_steps": {"max_steps": 3},
    "method": {"method": "adam"},
    "initial": {"initial": [0.0, 0.0, 0.0, 1.0]},
    "loss": {"loss": bt.losses.LabelSmoothing(0.1)},
    "standardise": {"standardise": True},
    "validation": {"validation": 0.3},
    "centring": {"centring": 0.1},
    "scorer": {"scorer": Own(4)},
    "backend": {"backend": "numpy"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_checkpoint_of_a_fit_with_another_option_is_refused(name, pairs, tmp_path):
    """One sentence names the option; the file stays as it is."""
    path = tmp_path / "state.npz"
    arguments = {"scorer": bt.LinearScorer(4), "pairs": pairs, "checkpoint": path}
    bt.fit(**arguments)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=f"^{path}: expected the checkpoint of this fit, found one that differs in "
    ) as e:
        bt.fit(**{**arguments, **CHANGES[name]})
    assert str(e.value).endswith(f" {name}")
    assert path.read_bytes() == before


@pytest.mark.parametrize("field", ["chosen", "rejected", "weights", "labels", "prompts", "feature_names", "rows"])
def test_the_checkpoint_of_other_pairs_is_refused(field, pairs, tmp_path):
    """One number that differs makes another data set, and so does the order of the pairs."""
    path, fields = tmp_path / "state.npz", ("chosen", "rejected", "weights", "labels", "prompts", "feature_names")
    bt.fit(bt.LinearScorer(4), pairs, checkpoint=path)
    values = {name: getattr(pairs, name) for name in fields}
    if field == "rows":
        values = {name: value[::-1] for name, value in values.items() if value is not None}
    elif field == "feature_names":
        values[field] = ("a", "b", "c", "d")
    else:
        values[field] = values[field].copy()
        values[field].flat[-1] += 1 if field == "prompts" else -0.25 if field == "labels" else 1e-9
        values[field] = np.abs(values[field]) if field == "labels" else values[field]
    other = bt.PreferencePairs(**values)
    with pytest.raises(ValueError, match="expected the checkpoint of this fit, found one that differs in pairs"):
        bt.fit(bt.LinearScorer(4), other, checkpoint=path)
    same = bt.PreferencePairs(**{name: getattr(pairs, name) for name in fields})
    assert bt.fit(bt.LinearScorer(4), same, checkpoint=path).converged


@pytest.mark.parametrize("content", [b"", b"PK\3\4 damaged", "cut", "flipped", "pickled"])
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(content, pairs, tmp_path):
    """Damaged, foreign, or with objects that only pickle could read: one sentence, and the file stays."""
    path = tmp_path / "state.npz"
    bt.fit(bt.LinearScorer(4), pairs, checkpoint=path)
    written = path.read_bytes()
    if content == "cut":
        content = written[: len(written) // 2]
    elif content == "flipped":
        content = bytearray(written)
        content[len(written) // 3] ^= 1
    if content == "pickled":
        np.savez(path, identity=np.array([{}], dtype=object))
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"^{path}: expected a checkpoint, found a file that cannot be read") as caught:
        bt.fit(bt.LinearScorer(4), pairs, checkpoint=path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (bt.files.save_pairs, "pairs"),
        (lambda pairs, path: np.savez_compressed(path, chosen=[1], rejected=[0]), "pairs"),
        (lambda pairs, path: np.savez(path, features=[1, 0], ranks=[1, 2], prompts=[0, 0]), "rankings"),
        (lambda pairs, path: bt.fit(bt.LinearScorer(4), pairs, l2=1.0).save(path), "a saved model"),
        (lambda pairs, path: np.savez(path, y=1, x=2), "another file, which holds x, y"),
        (lambda pairs, path: np.save(path, [1, 2]), r"another file, which begins with b'\\x93NUMPY"),
        (lambda pairs, path: path.write_text("a,b\n1,2\n"), r"another file, which begins with b'a,b"),
    ],
    ids=["pairs", "compressed", "rankings", "model", "other arrays", "NPY", "CSV"],
)
def test_a_file_of_another_kind_is_named_and_kept(write, found, pairs, tmp_path):
    """Someone who gives the data as the checkpoint reads what the file is, and loses nothing."""
    path = tmp_path / "state.npy" if "NUMPY" in found else tmp_path / "state.npz"
    write(pairs, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"^{path}: expected a checkpoint, found {found}") as caught:
        bt.fit(bt.LinearScorer(4), pairs, checkpoint=path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"checkpoint": 3}, TypeError, "checkpoint: expected a str or a Path, got 3"),
        ({"checkpoint": "no/such/folder.npz"}, FileNotFoundError, "checkpoint: expected a file in an existing folder"),
        ({"checkpoint": "."}, FileNotFoundError, "checkpoint: expected a file in an existing folder"),
        ({"checkpoint": "/dev/zero"}, FileNotFoundError, "checkpoint: expected a file in an existing folder"),
        ({"checkpoint": "a.npz", "every": 0}, ValueError, "every: expected"),
        ({"every": 1.5}, TypeError, "every: expected"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(options, error, words, pairs, tmp_path, monkeypatch):
    """One sentence, before any work is done."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises((error, ValueError), match=words):
        bt.fit(bt.LinearScorer(4), pairs, **options)


# ----------------------------------------------------------------------------------------------------------- Ctrl-C


@pytest.mark.parametrize("kind", first(2, KINDS))
def test_ctrl_c_returns_the_best_model_so_far_and_the_fit_can_go_on(kind, tmp_path):
    """The fit ends after its step with a model and a warning; with a checkpoint, the same call ends as if uncut."""
    fit, path = fits()[kind], tmp_path / "state.npz"
    whole = fit()
    with pytest.warns(bt.ConvergenceWarning, match="^interrupted after step ") as caught:
        model = fit(checkpoint=path, every=10, callback=crash_at(2, interrupt))
    assert (model.outcome, model.converged, len(model.history["step"])) == (Outcome.INTERRUPTED, False, 2)
    assert model.message == str(caught[0].message)
    assert model.message.endswith(f"; the same call goes on from {path}")
    assert model.history["loss"][-1] < model.history["loss"][0]
    assert "interrupted" in str(model.summary())
    assert bits(fit(checkpoint=path)) == bits(whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_keeps_the_phi_of_the_best_validation_loss():
    """With validation pairs, the best is not the last."""
    fit, seen = fits()["adam"], []

    def callback(record):
        seen.append((record["validation_loss"], record["phi"]))
        if len(seen) > 2 and seen[-1][0] > min(loss for loss, _ in seen):
            interrupt()

    with pytest.warns(bt.ConvergenceWarning, match="interrupted"):
        model = fit(callback=callback)
    alone = bt.fit(bt.MLPScorer(4, 6), answers(300), validation=0.2, max_steps=len(seen) - 1, seed=3, learning_rate=0.2)
    assert model.phi.tobytes() == alone.phi.tobytes()


def test_a_second_ctrl_c_stops_at_once(pairs):
    """It is the usual KeyboardInterrupt, and Ctrl-C then works as before."""

    def twice():
        interrupt()
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        bt.fit(bt.LinearScorer(4), pairs, callback=crash_at(1, twice))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_stops_a_loop_of_fits(pairs, monkeypatch):
    """If it arrives within two seconds, it counts as the second one in a later fit, too; after that it does not."""
    models = [bt.fit(bt.LinearScorer(4), pairs, callback=crash_at(2, interrupt))]
    with pytest.raises(KeyboardInterrupt):
        bt.fit(bt.LinearScorer(4), pairs, callback=crash_at(2, interrupt))
    now = time.monotonic()
    for later in (2.5, 5.0):
        monkeypatch.setattr(time, "monotonic", lambda later=later: now + later)
        models.append(bt.fit(bt.LinearScorer(4), pairs, callback=crash_at(2, interrupt)))
    assert [model.outcome for model in models] == [Outcome.INTERRUPTED] * 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


MANY_FITS = {
    "component_fits": lambda: component_fits(
        bt.TableScorer(6), bt.PreferencePairs([0, 1, 0, 2, 3, 4, 3, 5, 0], [1, 0, 2, 0, 4, 3, 5, 3, 3])
    ),
    "bench --coverage": lambda: measure_coverage(40, 2),
    "bench --doctor": lambda: measure_doctor(3),
}


@pytest.mark.parametrize("name", MANY_FITS)
@pytest.mark.filterwarnings("error")
def test_work_that_fits_many_models_ends_at_the_first_ctrl_c(name, monkeypatch):
    """No half-finished fit becomes part of a table, even if it is the last one of its kind."""
    from bradley_terry.fitting import records

    add, n_records = records.Recorder.add, []

    def pressed(self, *args):
        add(self, *args)
        n_records.append(1)
        if len(n_records) == 2:
            interrupt()

    monkeypatch.setattr(records.Recorder, "add", pressed)
    with pytest.raises(KeyboardInterrupt):
        MANY_FITS[name]()
    assert len(n_records) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert bt.fit(bt.LinearScorer(4), answers(60)).converged


@pytest.mark.full
@pytest.mark.parametrize("table", ["--doctor", "--coverage"])
def test_bench_ends_with_130_after_one_ctrl_c(table, tmp_path):
    """The status is that of a program that Ctrl-C ended, and nothing but one line is printed."""
    command = [sys.executable, "-m", "bradley_terry", "bench", table]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  # no threads yet
    ) as process:
        time.sleep(5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.splitlines()[-1:]) == (130, "", ["bradley-terry: interrupted"])


def test_a_handler_of_the_reader_keeps_its_place(pairs):
    """Who handles Ctrl-C otherwise still gets it, and the fit goes on."""
    caught, before = [], signal.signal(signal.SIGINT, lambda *_: caught.append(1))
    try:
        model = bt.fit(bt.LinearScorer(4), pairs, callback=crash_at(2, interrupt))
    finally:
        signal.signal(signal.SIGINT, before)
    assert model.converged
    assert caught == [1]


def test_a_fit_in_another_thread_is_not_touched(pairs):
    """Signals arrive in the main thread only, which is not the one that fits."""
    models = []
    thread = threading.Thread(target=lambda: models.append(bt.fit(bt.LinearScorer(4), pairs)))
    thread.start()
    thread.join()
    assert models[0].converged


def test_ctrl_c_in_a_fit_to_shards(pairs, tmp_path):
    """As in a fit to one file, with the checkpoint of shards."""
    bt.files.save_pairs(pairs, tmp_path / "a.npz")
    options = {"checkpoint": tmp_path / "state.npz", "resume": True}
    whole = distributed.fit(bt.LinearScorer(4), [tmp_path / "a.npz"])
    with pytest.warns(bt.ConvergenceWarning, match="^interrupted after step 1: phi is the best so far; "):
        model = distributed.fit(bt.LinearScorer(4), [tmp_path / "a.npz"], callback=crash_at(2, interrupt), **options)
    assert model.outcome is Outcome.INTERRUPTED
    model = distributed.fit(bt.LinearScorer(4), [tmp_path / "a.npz"], **options)
    assert model.phi.tobytes() == whole.phi.tobytes()


@pytest.mark.full
def test_train_saves_what_ctrl_c_left_and_says_so(tmp_path, monkeypatch, capsys):
    """The status is 130. The run is complete, its report has the sentence, and the same command goes on."""
    from bradley_terry.fitting import records

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bradley_terry.figures.model_figures", lambda *_, **__: [])
    report, n_reports = records.Recorder.report, []

    def pressed(self, phi):
        n_reports.append(1)
        if len(n_reports) == 3:
            interrupt()
        return report(self, phi)

    arguments = ["train", "travel-modes", "--checkpoint", "state.npz", "--out"]
    monkeypatch.setattr(records.Recorder, "report", pressed)
    assert main([*arguments, "run"]) == 130
    out, err = capsys.readouterr()
    said = "interrupted after step 2: phi is the best so far; the same call goes on from state.npz"
    assert said in out
    assert err == f"bradley-terry: warning: {said}\n"
    assert said in (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    model = bt.RewardModel.load(tmp_path / "run" / "model.npz")
    assert (model.outcome, model.message) == (Outcome.INTERRUPTED, said)
    assert main([*arguments, "second"]) == 0
    assert main(["train", "travel-modes", "--out", "whole"]) == 0
    for name in ("model.npz", "history.csv"):
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


# ------------------------------------------------------------------------------------------------------------ kills


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the children that are killed are forks")
def test_kills_at_random_moments_leave_nothing_corrupt(tmp_path):
    """A small size of ``python -m tests.kills 500``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "18"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("18 kills of fits with a checkpoint, of 9 kinds: all ")
