"""Fits on Dask clusters of processes: the same bits for any number of workers, after deaths, and clear refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import bradley_terry as bt
from bradley_terry import distributed
from bradley_terry.commands import main
from bradley_terry.files import save_pairs

dask = pytest.importorskip("dask", reason="fits on clusters need the extra distributed")
from distributed import Client, Future, LocalCluster  # noqa: E402

# Dask leaves some sockets and files to the garbage collector when a process dies.
pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

WIDTH = 3


@dataclass(frozen=True)
class SlowScorer(bt.LinearScorer):
    """A linear scorer that takes its time, so that a worker can be killed while it computes."""

    def reward(self, phi, features):  # noqa: D102
        time.sleep(0.03)
        return super().reward(phi, features)


@dataclass(frozen=True)
class DeadlyScorer(bt.LinearScorer):
    """A scorer that ends its process, as a lack of memory does."""

    def reward(self, phi, features):  # noqa: D102
        os._exit(1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[Path]:
    """Write five shards of different sizes with weights and labels."""
    rng, folder, found = np.random.default_rng(0), tmp_path_factory.mktemp("shards"), []
    for number, n in enumerate((40, 3, 700, 90, 20_000)):
        chosen, rejected = rng.normal(size=(2, n, WIDTH))
        fields = {"weights": rng.uniform(0.1, 2, n), "labels": rng.uniform(0, 1, n), "prompts": rng.integers(n, size=n)}
        found.append(folder / f"{number}.npz")
        save_pairs(bt.PreferencePairs(chosen, rejected, **fields), found[-1])
    return found


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[int, Client]]:
    """Start clusters of one, two and three worker processes; the last one with two threads in each."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 20}):
        clusters = {
            n: LocalCluster(n_workers=n, threads_per_worker=1 + (n == 3), dashboard_address=":0", silence_logs=50)
            for n in (1, 2, 3)
        }
    started = {n: Client(cluster) for n, cluster in clusters.items()}
    yield started
    for n, client in started.items():
        client.close()
        clusters[n].close()


SCORERS = {
    "linear": (bt.LinearScorer(WIDTH), {}),
    "penalty": (bt.LinearScorer(WIDTH), {"l2": 0.1, "standardise": True}),
    "mlp": (bt.MLPScorer(WIDTH, 4), {"max_steps": 2, "batch_size": 5000, "seed": 1}),
}


# ------------------------------------------------------------------------------------------------------- identity


@pytest.mark.parametrize("name", SCORERS)
def test_any_number_of_workers_gives_the_same_bits(name, clients, paths):
    """φ, the information and the history are those of one process."""
    scorer, options = SCORERS[name]
    here = distributed.fit(scorer, paths[:4], validation=paths[4:], **options)
    for client in clients.values():
        model = distributed.fit(scorer, paths[:4], validation=paths[4:], client=client, **options)
        assert model.phi.tobytes() == here.phi.tobytes()
        assert model.message == here.message
        for column, values in here.history.items():
            np.testing.assert_array_equal(model.history[column], values)
        if here.information is not None:
            np.testing.assert_array_equal(model.information, here.information)


def test_a_table_gives_the_same_bits(clients, tmp_path):
    """Items are numbered by the driver, so it does not matter who reads a shard."""
    rng, names, paths = np.random.default_rng(1), np.array(["Anna", "Bob", "Cleo", "Dora", "Emil"]), []
    for number in range(4):
        rows = names[rng.integers(number % 2, 5, size=(60, 2))]
        paths.append(tmp_path / f"{number}.csv")
        paths[-1].write_text("chosen,rejected\n" + "".join(f"{a},{b}\n" for a, b in rows if a != b))
    here = distributed.fit(bt.TableScorer(5), paths)
    for client in clients.values():
        assert distributed.fit(bt.TableScorer(5), paths, client=client).phi.tobytes() == here.phi.tobytes()


# --------------------------------------------------------------------------------------------------------- deaths


@contextmanager
def killer(client: Client, most: int) -> Iterator[list[int]]:
    """Kill workers of a local cluster while they compute, at most so many; yield the list of those that were killed."""
    killed, done = [], threading.Event()

    def kill() -> None:
        while len(killed) < most and not done.wait(0.05):
            workers = list(client.cluster.scheduler.workers.values())
            busy = [worker.pid for worker in workers if worker.processing and worker.pid not in killed]
            if busy and not done.wait(0.05 * (len(killed) % 4)):  # at different moments of a step
                killed.append(busy[0])
                os.kill(busy[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("most", [1, 4])
def test_killed_workers_do_not_change_a_bit(most, clients, paths):
    """Workers are killed with SIGKILL again and again in the middle of steps, and others take over."""
    here = distributed.fit(SlowScorer(WIDTH), paths, l2=0.01)
    with killer(clients[2], most) as killed:
        model = distributed.fit(SlowScorer(WIDTH), paths, l2=0.01, client=clients[2], timeout=60)
    assert len(killed) == most
    assert model.phi.tobytes() == here.phi.tobytes()
    np.testing.assert_array_equal(model.history["loss"], here.history["loss"])


def test_answers_that_are_lost_before_they_arrive_are_computed_again(clients, paths, monkeypatch):
    """The only worker dies when its task is done, and nobody has fetched the answers yet."""
    here, client, killed = distributed.fit(bt.LinearScorer(WIDTH), paths, l2=0.01), clients[1], []
    ask = Future.exception

    def ask_then_kill(future, **options):
        error = ask(future, **options)
        if not killed:
            [worker] = client.cluster.scheduler.workers.values()
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)
            while any(worker.pid in killed for worker in client.cluster.scheduler.workers.values()):
                time.sleep(0.01)  # until the scheduler knows
        return error

    monkeypatch.setattr(Future, "exception", ask_then_kill)
    model = distributed.fit(bt.LinearScorer(WIDTH), paths, l2=0.01, client=client, timeout=60)
    assert killed
    assert model.phi.tobytes() == here.phi.tobytes()


def test_a_shard_that_kills_every_worker_ends_in_one_sentence(paths):
    """After some tries with every worker the fit gives up, and names the shard."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), distributed.cluster(2) as client:
        with pytest.raises(ConnectionError, match=r"0\.npz: expected a worker to finish this shard") as caught:
            distributed.fit(DeadlyScorer(WIDTH), paths[:1], client=client)
        assert ". " not in str(caught.value)


@contextmanager
def process(kind: str, *arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
    """Start a scheduler or a worker in a process of its own."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments, "--no-dashboard"]
    root = os.pathsep.join([str(Path(bt.__file__).parents[1]), str(Path(__file__).parent)])
    variables = {**os.environ, "PYTHONPATH": root, **environment}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen(command, env=variables, cwd="/", **quiet)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def scheduler(folder: Path, **environment: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Start a scheduler, and yield its address and its process."""
    file = folder / "scheduler.json"
    with process("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), **environment) as p:
        for _ in range(300):
            time.sleep(0.1)
            if file.exists() and file.read_text().strip():
                break
        yield json.loads(file.read_text())["address"], p
    file.unlink(missing_ok=True)


@pytest.mark.parametrize("step", [0, 1])
def test_a_dead_scheduler_is_one_sentence_and_the_fit_can_go_on(step, paths, tmp_path):
    """What the scheduler knew is lost, but the checkpoint is not: going on gives the same φ, here or on a cluster."""
    wanted = distributed.fit(bt.LinearScorer(WIDTH), paths)
    state = tmp_path / "state.npz"

    with scheduler(tmp_path) as (address, dask_scheduler), process("worker", address, "--nthreads", "1"):

        def kill(record):
            if record["step"] == step:
                dask_scheduler.kill()
                dask_scheduler.wait()

        with distributed.cluster(address) as client, pytest.raises(ConnectionError, match="the scheduler at") as caught:
            distributed.fit(bt.LinearScorer(WIDTH), paths, client=client, checkpoint=state, callback=kill)
    assert ". " not in str(caught.value)
    seen = []
    model = distributed.fit(bt.LinearScorer(WIDTH), paths, checkpoint=state, resume=True, callback=seen.append)
    assert seen[0]["step"] == step
    assert model.phi.tobytes() == wanted.phi.tobytes()
    np.testing.assert_array_equal(model.history["loss"], wanted.history["loss"])


def test_a_scheduler_that_dies_in_mid_step_is_one_sentence(paths, tmp_path):
    """The workers are computing when the scheduler is killed."""
    with scheduler(tmp_path) as (address, dask_scheduler), process("worker", address, "--nthreads", "1"):
        timer = threading.Timer(0.25, dask_scheduler.kill)
        with distributed.cluster(address) as client, pytest.raises(ConnectionError, match="the scheduler at"):
            distributed.fit(
                SlowScorer(WIDTH),
                paths,
                client=client,
                tolerance=0.0,
                callback=lambda record: record["step"] or timer.start(),
            )
        timer.join()


# -------------------------------------------------------------------------------------------------------- manners


def test_a_pool_without_workers_does_not_wait_for_ever(paths, tmp_path):
    """The time limit is in the sentence."""
    sentence = r"expected at least one worker at .* within 0\.5 seconds"
    with (
        scheduler(tmp_path) as (address, _),
        distributed.cluster(address) as client,
        pytest.raises(TimeoutError, match=sentence),
    ):
        distributed.fit(bt.LinearScorer(WIDTH), paths, client=client, timeout=0.5)


def test_a_pool_that_loses_all_workers_does_not_wait_for_ever(paths, tmp_path):
    """The last worker dies in mid-fit, and nobody restarts it."""
    with scheduler(tmp_path) as (address, _), process("worker", address, "--nthreads", "1", "--no-nanny") as worker:

        def kill(record):
            worker.kill()
            worker.wait()

        with distributed.cluster(address) as client, pytest.raises(TimeoutError, match="expected at least one worker"):
            distributed.fit(bt.LinearScorer(WIDTH), paths, client=client, timeout=2, callback=kill)


def other_package(folder: Path, init: str) -> str:
    """Write a package bradley_terry with this __init__.py, and return the folder to import it from."""
    (folder / "bradley_terry").mkdir(parents=True)
    (folder / "bradley_terry" / "__init__.py").write_text(init)
    return str(folder)


def test_a_worker_or_scheduler_without_the_package_is_one_sentence(paths, tmp_path):
    """The address of the worker is in the sentence."""
    lacks = other_package(tmp_path / "lacks", "raise ModuleNotFoundError(\"No module named 'bradley_terry'\")")
    for worker, at_scheduler, place in (
        ({"PYTHONPATH": lacks}, {}, "tcp://.*"),
        ({}, {"PYTHONPATH": lacks}, "the sche"),
    ):
        with (
            scheduler(tmp_path, **at_scheduler) as (address, _),
            process("worker", address, **worker),
            distributed.cluster(address) as client,
            pytest.raises(ModuleNotFoundError, match=f"expected bradley_terry .* found {place}.* without it"),
        ):
            distributed.fit(bt.LinearScorer(WIDTH), paths, client=client)


def test_a_worker_with_another_version_is_one_sentence(paths, tmp_path):
    """Both versions and the address of the worker are in the sentence."""
    real = Path(bt.__file__).parent
    text = f"__path__ = [{str(real)!r}]\nexec(open({str(real / '__init__.py')!r}).read())\n__version__ = '0.0.9'\n"
    older = other_package(tmp_path / "older", text)
    with (
        scheduler(tmp_path) as (address, _),
        process("worker", address, PYTHONPATH=older),
        distributed.cluster(address) as client,
        pytest.raises(ValueError, match=r"at the worker tcp.*0\.0\.9"),
    ):
        distributed.fit(bt.LinearScorer(WIDTH), paths, client=client)


def test_a_scorer_that_the_scheduler_cannot_import_is_one_sentence(paths, tmp_path):
    """A scorer of one's own must be in a module that all machines have."""
    with (
        scheduler(tmp_path, PYTHONPATH=str(Path(bt.__file__).parents[1])) as (address, _),
        process("worker", address),
        distributed.cluster(address) as client,
        pytest.raises(ModuleNotFoundError, match="perhaps the class of the scorer") as caught,
    ):
        distributed.fit(SlowScorer(WIDTH), paths, client=client)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "narrower", "empty", "changed"])
def test_a_bad_shard_is_one_sentence_with_its_path(kind, clients, paths, tmp_path):
    """The error of a worker reaches the driver."""
    bad, callback = tmp_path / "bad.npz", None
    rng = np.random.default_rng(0)
    if kind == "narrower":
        save_pairs(bt.PreferencePairs(*rng.normal(size=(2, 5, WIDTH - 1))), bad)
    elif kind == "empty":
        bad.write_bytes(b"")
    elif kind == "changed":
        save_pairs(bt.PreferencePairs(*rng.normal(size=(2, 5, WIDTH))), bad)

        def callback(record):
            save_pairs(bt.PreferencePairs(*rng.normal(size=(2, 5, WIDTH))), bad)

    with pytest.raises((ValueError, FileNotFoundError), match=r"bad\.npz: ") as caught:
        distributed.fit(bt.LinearScorer(WIDTH), [*paths, bad], client=clients[2], callback=callback)
    assert ". " not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("client", ["tcp://127.0.0.1:1", 3, object()], ids=["address", "number", "object"])
def test_a_client_that_is_none_is_refused(client, paths):
    """Only a distributed.Client will do."""
    with pytest.raises(TypeError, match=r"client: expected a distributed\.Client"):
        distributed.fit(bt.LinearScorer(WIDTH), paths, client=client)


def test_a_closed_client_is_one_sentence(paths, tmp_path):
    """It has no connection to a scheduler."""
    with scheduler(tmp_path) as (address, _):
        with distributed.cluster(address) as client:
            pass
        with pytest.raises(ConnectionError, match="no connection"):
            distributed.fit(bt.LinearScorer(WIDTH), paths, client=client)


def test_the_command_line_trains_on_workers(paths, tmp_path, capfd):
    """The model has the same bits as without workers, Dask says nothing, and a wrong address is one sentence."""
    shards = [str(path) for path in paths]
    assert main(["train", "--workers", "2", *shards, "--out", str(tmp_path / "a")]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert "pairs of 3 features in 5 shards" in said.out
    assert main(["train", *shards, "--out", str(tmp_path / "b")]) == 0
    a, b = (bt.RewardModel.load(tmp_path / name / "model.npz") for name in "ab")
    assert a.phi.tobytes() == b.phi.tobytes()
    capfd.readouterr()
    assert main(["train", "--scheduler", "tcp://127.0.0.1:1", *shards, "--out", str(tmp_path / "c")]) == 2
    said = capfd.readouterr()
    assert len(said.err.strip().splitlines()) == 1
    assert "--scheduler: expected the address of a running scheduler" in said.err


SCRIPT = """
from bradley_terry import distributed

with distributed.cluster(2) as client:
    print(len(client.scheduler_info()["workers"]), "workers")
"""


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess:
    """Run a script in a process of its own."""
    (folder / "my_script.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(Path(bt.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "my_script.py"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=environment,
        check=False,
    )


def test_a_script_without_the_line_for_workers_is_told_which_line_is_missing(tmp_path):
    """There is one traceback, of the script, and it ends in one sentence. With the line, the script runs."""
    ended = run_script(tmp_path, SCRIPT)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("Traceback") == 1
    assert ended.stderr.splitlines()[-1] == (
        "RuntimeError: workers: expected a script that calls cluster below the line if __name__ == '__main__':, but "
        "my_script.py has no such line, and each worker runs the script again when it starts"
    )
    guarded = SCRIPT.replace("with ", 'if __name__ == "__main__":\n  with ')
    ended = run_script(tmp_path, guarded)
    assert (ended.returncode, ended.stdout) == (0, "2 workers\n"), ended.stderr
