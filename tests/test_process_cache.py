"""The compiled code in the cache: a damaged file costs a compilation, and only a folder of our own is trusted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.full, pytest.mark.skipif(os.name != "posix", reason="the permissions of POSIX")]

NAMES = ("truncated", "emptied", "flipped", "first_flipped", "text", "swapped", "unreadable", "whole")
MODULE = "from bradley_terry.kernels import caching\n" + "".join(
    f"@caching.compiled(set())\ndef {name}(x):\n    return {k}.0 * x\n" for k, name in enumerate(NAMES)
)
CALL = """
import sys, warnings
sys.path.insert(0, {folder!r})
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import functions
    mine = [getattr(functions, name) for name in {names}]
    is_right = [f(1.5) for f in mine] == [1.5 * {names}.index(f.__name__) for f in mine]
print(is_right, sum(bool(f.stats.cache_hits) for f in mine), len(caught), functions.caching.CACHE_FOLDER)
print(*[warning.message for warning in caught], end="")
"""


@pytest.fixture
def call(run_python, tmp_path) -> Callable[..., list[str]]:
    """Call eight compiled functions in a fresh process.

    Return whether they are right, how many were loaded, the number of warnings, and the folder and warnings.
    """
    place = tmp_path / "functions"
    place.mkdir()
    (place / "functions.py").write_text(MODULE, encoding="utf-8")

    def run(**variables: object) -> list[str]:
        default = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": tmp_path / "cache"}
        return run_python(CALL.format(folder=str(place), names=NAMES), **(default | variables)).split(maxsplit=3)

    return run


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def damaged(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    return {
        "truncated": content[:-1],
        "emptied": b"",
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "first_flipped": bytes([content[0] ^ 1]) + content[1:],
        "text": b"this is no compiled code",
    }.get(how, content)


def test_a_damaged_file_is_compiled_and_written_again(call, tmp_path) -> None:
    """The results are right without a word, and the next process loads what was saved."""
    assert call()[:3] == ["True", "0", "0"]
    assert call()[:3] == ["True", "8", "0"]
    files = {path.name.split(".")[1].split("-")[0]: path for path in files_of(tmp_path / "cache")}
    assert set(files) == set(NAMES)
    for how, path in files.items():
        path.write_bytes(damaged(path.read_bytes(), how))
    files["swapped"].write_bytes(files["whole"].read_bytes())  # the code of another function
    files["unreadable"].chmod(0)
    n_loaded = 2 if os.geteuid() == 0 else 1  # root reads everything
    assert call()[:3] == ["True", str(n_loaded), "0"]
    assert call()[:3] == ["True", "8", "0"]


def test_a_file_that_cannot_be_replaced_is_one_warning(call, tmp_path) -> None:
    """A folder lies where the file should be, so the code can neither be loaded nor saved."""
    call()
    for path in files_of(tmp_path / "cache"):
        path.unlink()
        path.mkdir()
        (path / "full").touch()
    told = call()
    assert told[:3] == ["True", "0", "1"]
    assert "compiled kernels cannot be saved in" in told[3]


def test_the_doctor_passes_with_damaged_files(run_python, tmp_path) -> None:
    """It lists what is installed and checks the kernels as usual."""
    script = "from bradley_terry.commands.doctor import examine\nprint(examine()[1])\n"
    variables = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": tmp_path / "cache"}
    assert run_python(script, **variables) == "True"
    for path in files_of(tmp_path / "cache"):
        path.write_bytes(damaged(path.read_bytes(), "truncated"))
    assert run_python(script, **variables) == "True"


@pytest.mark.parametrize("given", ["", "relative", "./cache", "~/cache"])
def test_a_cache_home_that_is_not_absolute_counts_as_not_set(given: str, call, tmp_path) -> None:
    """So says the XDG specification; the current folder is never searched for code to execute."""
    home = tmp_path / "home"
    home.mkdir()
    told = call(XDG_CACHE_HOME=given, HOME=home)
    assert told[:3] == ["True", "0", "0"]
    assert Path(told[3]) == home / ".cache" / "bradley_terry"
    assert not list(tmp_path.glob("**/relative")) + list(tmp_path.glob("bradley_terry"))


def reachable(path: Path) -> None:
    """Let others enter the folders above, which pytest closes."""
    for above in path.parents:
        if above.name.startswith("pytest-") or any(part.startswith("pytest-") for part in above.parts):
            above.chmod(0o755)


@pytest.mark.parametrize("level", ["the folder", "above it", "further up"])
def test_a_folder_in_which_others_can_write_is_not_used(level: str, call, tmp_path) -> None:
    """Its files are executed. One warning says so, and nothing is written or loaded."""
    up = tmp_path / "shared"
    place = up / "cache" / "bradley_terry"
    place.mkdir(parents=True)
    for path in (up, up / "cache", place):
        path.chmod(0o755)
    {"the folder": place, "above it": place.parent, "further up": up}[level].chmod(0o777)
    reachable(up)
    told = call(XDG_CACHE_HOME=up / "cache")
    assert told[:3] == ["True", "0", "1"]
    assert told[3].startswith("None")
    assert "its files are executed, and others can write to it" in told[3]
    assert files_of(up) == []


def test_a_sticky_folder_further_up_protects_ours(call, tmp_path) -> None:
    """As in /tmp, others can write beside our folder, but cannot rename it."""
    up = tmp_path / "shared"
    up.mkdir()
    up.chmod(0o1777)
    assert call(XDG_CACHE_HOME=up / "cache")[:3] == ["True", "0", "0"]
    assert files_of(up)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(call, tmp_path) -> None:
    """Its owner can change the files."""
    place = tmp_path / "cache" / "bradley_terry"
    place.mkdir(parents=True)
    os.chown(place, 12345, 12345)
    told = call()
    assert told[:3] == ["True", "0", "1"]
    assert files_of(place) == []


def test_our_folder_is_closed_to_others_whatever_the_umask(call, tmp_path) -> None:
    """Many systems let the group write by default."""
    before = os.umask(0)
    try:
        (tmp_path / "cache").mkdir(mode=0o755)
        assert call()[:3] == ["True", "0", "0"]
    finally:
        os.umask(before)
    assert (tmp_path / "cache" / "bradley_terry").stat().st_mode & 0o077 == 0
    assert files_of(tmp_path / "cache")
