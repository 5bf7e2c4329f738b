"""The command line as a process: closed and full outputs, Ctrl-C at any moment, and modules in the current folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import bradley_terry as bt
from bradley_terry.commands import main
from bradley_terry.model import Outcome

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the shell and the signals of POSIX")
full = pytest.mark.full


def variables(**others: str) -> dict[str, str]:
    """Return the environment of a process that finds this package."""
    return {**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1]), **others}


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a line of the shell in which ``$BT`` is the command line of this package."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=tmp_path, env=variables(BT=f"{sys.executable} -m bradley_terry"),
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return run


def is_one_sentence(text: str) -> bool:
    return text.startswith("bradley-terry: ") and text.count("\n") == 1


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


# --------------------------------------------------------------------------------------------------- closed and full


@full
@needs_full
@pytest.mark.parametrize("verb", ["--help", "--version", "train --help", "evaluate no-such-model no-such-data"])
@pytest.mark.parametrize("output", [">&-", ">/dev/full", "2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_an_output_that_cannot_be_written_is_a_sentence(verb: str, output: str, shell) -> None:
    """Without standard output the status is not 0. Without standard error nothing is said, and the rest is right."""
    done = shell(f"$BT {verb} {output}")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if verb.startswith("evaluate"):
        assert done.returncode == 2
    elif output.startswith("2"):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
    else:
        assert done.returncode == 2
        if "2>" not in output:
            assert is_one_sentence(done.stderr)
            assert "standard output cannot be written" in done.stderr


@full
@needs_full
@pytest.mark.parametrize("output", [">&-", ">/dev/full", "2>&-", ">&- 2>&-", "| head -1"])
def test_a_run_is_saved_even_if_its_report_cannot_be_printed(output: str, shell, tmp_path) -> None:
    """The model in the folder can be loaded, and only the status says that the report is missing."""
    done = shell(f"$BT train baseball --backend numpy --no-example --out run {output}")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert bt.RewardModel.load(tmp_path / "run" / "model.npz").converged
    assert (tmp_path / "run" / "report.md").exists()
    # A short report may be in the pipe before its reader leaves.
    assert done.returncode in {"2>&-": [0], "| head -1": [0, 1]}.get(output, [2])
    assert done.stderr == "" or is_one_sentence(done.stderr)


@full
def test_a_reader_that_has_read_enough_ends_the_command_quietly(shell) -> None:
    """As for every program in a pipe, this is no error that deserves a sentence."""
    done = shell("$BT train --help | true")
    assert done.returncode in (0, 1)
    assert done.stderr == ""


def test_the_streams_of_a_caller_stay_as_they_are(capsys) -> None:
    """A test or a notebook may have put its own streams in place of those of the process."""
    before = sys.stdout, sys.stderr
    assert main(["evaluate", "no-such-model", "no-such-data"]) == 2
    assert (sys.stdout, sys.stderr) == before
    assert is_one_sentence(capsys.readouterr().err)


# ------------------------------------------------------------------------------------------------------------ Ctrl-C


def test_an_interrupt_that_python_would_ignore_still_ends_the_command(monkeypatch, capsys) -> None:
    """Python prints and forgets an exception in a finalizer or a callback."""

    class Finalizer:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    def interrupted(_: object) -> int:
        Finalizer()
        time.sleep(0.2)
        return 0

    monkeypatch.setattr("bradley_terry.commands.doctor.run", interrupted)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "bradley-terry: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_interrupt_at_the_very_end_counts_too(monkeypatch, capsys) -> None:
    """The command ends before the interrupt could be sent again."""

    class Finalizer:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("bradley_terry.commands.doctor.run", lambda _: bool(Finalizer()) - 1)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "bradley-terry: interrupted\n"


def begun(words: str, folder: Path, cache: Path) -> subprocess.Popen[str]:
    """Start a command in a folder, with this folder for compiled code."""
    return subprocess.Popen(
        [sys.executable, "-m", "bradley_terry", *words.split()],
        cwd=folder, env=variables(XDG_CACHE_HOME=str(cache)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def assert_script_runs(script: str, folder: Path) -> None:
    """Run a script from a file, since Numba keeps the code only of functions that are in one; it must print nothing."""
    (folder / "script.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, folder / "script.py"],
        env=variables(XDG_CACHE_HOME=str(folder)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@full
@pytest.mark.parametrize("words", ["doctor", "train --backend numba --out run"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_ctrl_c_ends_a_command_with_130_and_no_traceback(words: str, share: float, tmp_path) -> None:
    """It may arrive while the package is imported, while kernels are compiled, or while the model is fitted."""
    start = time.monotonic()
    version = begun("--version", tmp_path, tmp_path / "cache")
    version.communicate(timeout=120)
    assert version.returncode == 0
    a_start = time.monotonic() - start
    process = begun(words, tmp_path, tmp_path / "cache")
    time.sleep(a_start + 8 * (share - 0.2))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode in (130, -signal.SIGINT, 0)  # 0 if it was ready; the shell shows 130 for -SIGINT too
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@full
def test_ctrl_c_before_the_first_step_leaves_no_run(tmp_path) -> None:
    """While the kernels are compiled, the model has learned nothing that would be worth a folder."""
    process = begun("train --backend numba --out run", tmp_path, tmp_path / "cache")
    assert "compiling its kernels" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err.splitlines()[-1]) == (130, "", "bradley-terry: interrupted")
    assert not (tmp_path / "run").exists()


@full
def test_the_same_call_finishes_a_run_that_ctrl_c_ended(tmp_path) -> None:
    """The checkpoint is for the same call, so this must not ask for --force because of what it has written itself."""
    cache, state, run = tmp_path / "cache", tmp_path / "state.npz", tmp_path / "run"
    words = "train travel-modes --scorer mlp --hidden 64 --backend numpy --checkpoint state.npz --out run"
    process, end = begun(words, tmp_path, cache), time.monotonic() + 60
    written: set[tuple[int, int]] = set()  # each state is a new file
    while len(written) < 4 and time.monotonic() < end:
        written |= {(found.st_ino, found.st_mtime_ns) for found in [state.stat()]} if state.exists() else set()
        time.sleep(0.001)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same call goes on from state.npz" in err
    interrupted = (run / "model.npz").read_bytes()
    assert bt.RewardModel.load(run / "model.npz").outcome is Outcome.INTERRUPTED
    for other in (words.replace("state", "another"), words.replace(" --checkpoint state.npz", "")):
        process = begun(other, tmp_path, cache)  # another fit does not go on with this run
        assert "out: expected a new folder, got run, which already exists" in process.communicate(timeout=120)[1]
    assert (run / "model.npz").read_bytes() == interrupted
    process = begun(words, tmp_path, cache)
    assert (process.communicate(timeout=120)[1], process.returncode) == ("", 0)
    assert bt.RewardModel.load(run / "model.npz").converged
    process = begun(words, tmp_path, cache)  # a run that is complete is not replaced
    assert "out: expected a new folder, got run, which already exists" in process.communicate(timeout=120)[1]


@full
def test_ctrl_c_while_a_kernel_is_compiled_is_a_keyboard_interrupt(tmp_path) -> None:
    """Without this, about one in five of them is lost, with a traceback and without the compiled code."""
    assert_script_runs(
        "import _thread, random, threading, time\n"
        "from bradley_terry.kernels.caching import compiled\n"
        "def fresh():\n"
        "    inner = compiled(set())(lambda x: 3.0 * x)\n"
        "    return compiled(set())(lambda x: inner(x) + 1.0)\n"
        "fresh()(1.0)\n"
        "start = time.perf_counter()\n"
        "fresh()(1.0)\n"
        "seconds, draw = time.perf_counter() - start, random.Random(0)\n"
        "for _ in range(60):\n"
        "    kernel = fresh()\n"
        "    timer = threading.Timer(draw.uniform(0, seconds), _thread.interrupt_main)\n"
        "    try:\n"
        "        timer.start()\n"
        "        kernel(1.0)\n"
        "        timer.join()\n"
        "        time.sleep(0.01)\n"
        "        raise SystemExit('the interrupt was lost')\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    assert kernel(1.0) == 4.0\n",
        tmp_path,
    )


@full
def test_one_ctrl_c_while_a_kernel_is_compiled_reaches_asyncio_once(tmp_path) -> None:
    """Programs with an event loop may count them: the second one often ends the program at once."""
    assert_script_runs(
        "import asyncio, os, signal, threading\n"
        "from bradley_terry.kernels.caching import compiled\n"
        "kernel, seen = compiled(set())(lambda x: x + 1.0), []\n"
        "async def main():\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, seen.append, 1)\n"
        "    threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "    kernel(1.0)\n"
        "    await asyncio.sleep(1)\n"
        "asyncio.run(main())\n"
        "assert seen == [1], seen\n",
        tmp_path,
    )


# ------------------------------------------------------------------------------------- modules in the current folder

PLANTED = ("random", "typing", "signal", "threading", "json", "csv", "tempfile", "secrets", "numba", "tqdm")


@full
def test_a_module_in_the_current_folder_is_not_run(shell, tmp_path) -> None:
    """``python -m`` would look there first, also for the modules that Python, NumPy and this package import later."""
    for name in PLANTED:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py was run')", encoding="utf-8")
    done = shell("$BT train baseball --backend numpy --no-example --out run")
    assert (done.returncode, done.stderr) == (0, "")


@full
def test_the_package_is_still_found_in_the_current_folder() -> None:
    """In a checkout without an installation, ``python -m bradley_terry`` works, and so does what it starts."""
    root = Path(bt.__file__).parents[1]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "bradley_terry", "evaluate", "--help"]
    assert subprocess.run(command, cwd=root, env=variables, capture_output=True, check=False).returncode == 0


@full
def test_jupyterlab_does_not_import_from_the_current_folder(tmp_path, monkeypatch) -> None:
    """The interpreter that the course starts leaves the current folder out of the module path."""
    from bradley_terry.course import notebooks

    pytest.importorskip("jupyterlab")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("open('was_run', 'w')", encoding="utf-8")
    started = []

    def start(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        started.append(command)
        at = command.index("jupyterlab") - 1
        return popen([*command[:at], "-c", "import random"], **options)

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)
    notebooks.copy_to(tmp_path / "lessons")
    assert notebooks.open_lab(tmp_path / "lessons", browser=False) == 0
    assert started
    assert not (tmp_path / "was_run").exists()
