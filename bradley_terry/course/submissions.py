"""The notebooks of a class: find them below a folder, and read the lesson and the student of each off its path.

The usual downloads give these paths:

    Moodle              Ada Lovelace_123_assignsubmission_file_/02_the_loss.ipynb
    Canvas              submissions/lovelaceada_123_456_02_the_loss.ipynb
    nbgrader            submitted/ada/ps1/02_the_loss.ipynb
    GitHub Classroom    lesson-2-submissions/lesson-2-ada/02_the_loss.ipynb
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

__all__ = ["found_in", "lesson_of", "students_of", "why_closed"]

MOST_SEARCHED = 1000  # files and folders behind a link
NOTEBOOK = ".ipynb"


def found_in(folder: Path) -> list[Path]:
    """Return the paths of all notebooks below a folder, and of the folders that are closed to us, in order.

    Closed are folders that may not be read, and links to folders that hold notebooks: a link is not followed, since it
    may lead anywhere. Hidden folders are left out, because they hold the copies that Jupyter makes.
    """
    found: list[Path] = []

    def closed(error: OSError) -> None:
        if error.filename and Path(error.filename) != folder:
            found.append(Path(error.filename))

    for place, folders, files in os.walk(folder, onerror=closed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        here = [Path(place, name) for name in (*folders, *files) if not name.startswith(".")]
        found += [path for path in here if _is_notebook(path) or _leads_to_notebooks(path)]
    return sorted(found)


def _is_notebook(path: Path) -> bool:
    return path.suffix.lower() == NOTEBOOK


def _leads_to_notebooks(path: Path) -> bool:
    return path.is_symlink() and path.is_dir() and any(map(_is_notebook, islice(path.rglob("*"), MOST_SEARCHED)))


def why_closed(path: Path) -> str:
    """Return why we do not look into a folder, or "" if this is a notebook."""
    if _is_notebook(path):
        return ""
    if path.is_symlink():
        return "this is a link to a folder, and links are not followed: put the folder itself in its place"
    return "this folder may not be read"


NUMBER = re.compile(r"lesson[ _-]*0*(\d{1,2})(?!\d)")
COPY = re.compile(r"-copy\d*|\(\d+\)|\.new(\.\d+)?$", re.IGNORECASE)  # of JupyterLab, of a browser, of ``course``


def lesson_of(relative: Path, lessons: Collection[str]) -> str:
    """Return the lesson that a path names, in any case, or "". The file name counts first, then the nearest folder."""
    return next(filter(None, (_lesson_in(part, lessons) for part in reversed(relative.parts))), "")


def _lesson_in(name: str, lessons: Collection[str]) -> str:
    name = name.lower()
    numbered = {int(lesson[:2]): lesson for lesson in lessons}
    by_number = NUMBER.search(name)
    return next(
        (lesson for lesson in lessons if lesson in name),
        numbered.get(int(by_number[1]), "") if by_number else "",
    )


def _without(lesson: str, name: str) -> str:
    """Return what remains of a name without the lesson."""
    rest = re.sub(f"{re.escape(lesson)}|{NUMBER.pattern}" if lesson else "$^", "_", name, flags=re.IGNORECASE)
    return re.sub(r"[ _-]{2,}", "_", rest).strip(" _-.")


def students_of(relatives: Sequence[Path], lessons: Collection[str]) -> list[str]:
    """Return the student of each path.

    This is the first folder that names no lesson. Without one, it is the rest of the file name, or else the rest of a
    folder that names a lesson. If the same lesson would then be there several times for one student, in different
    places, the names get longer, part by part, until nobody is hidden: group A/ada instead of group A. They also do if
    all notebooks are in one folder, such as submitted, which holds several others.
    """
    names = [_names_on(relative, lessons) for relative in relatives]
    of_lesson = [lesson_of(relative, lessons) for relative in relatives]
    places = _places(relatives, names, of_lesson)
    n_parts = [1 + _are_in_one_folder(relatives, lessons)] * len(names)
    while True:
        students = [
            "/".join(name for _, name in sorted(some[:n])) or "(no name)"
            for some, n in zip(names, n_parts, strict=True)
        ]
        seen = defaultdict(set)
        for student, lesson, place in zip(students, of_lesson, places, strict=True):
            seen[student, lesson].add(place)
        crowded = {student for (student, lesson), some in seen.items() if lesson and len(some) > 1}
        longer = [i for i, student in enumerate(students) if student in crowded and n_parts[i] < len(names[i])]
        if not longer:
            return students
        for i in longer:
            n_parts[i] += 1


def _are_in_one_folder(relatives: Sequence[Path], lessons: Collection[str]) -> bool:
    """Return whether all notebooks are in folders within one folder, and not all in the same one of these."""
    folders = [[part for part in relative.parts[:-1] if not _lesson_in(part, lessons)] for relative in relatives]
    outer = {(*some, "", "")[0] for some in folders}
    inner = {(*some, "", "")[1] for some in folders}
    return len(outer) == 1 and len(inner) > 1 and "" not in inner


Name = tuple[int, str]  # where on the path it stands, and what remains of that part without the lesson


def _names_on(relative: Path, lessons: Collection[str]) -> list[Name]:
    """Return all names on a path; that which most likely is the student's comes first."""
    plain, beside_lesson = [], []
    for at, part in enumerate(relative.parts[:-1]):
        if not (lesson := _lesson_in(part, lessons)):
            plain.append((at, part))
        elif rest := _without(lesson, part):
            beside_lesson.append((at, rest))
    rest = _without(lesson_of(relative, lessons), COPY.sub("", relative.stem))
    of_file = [(len(relative.parts), rest)] if rest else []
    nearest = beside_lesson[::-1]
    return [*plain, *nearest, *of_file] if plain else [*of_file, *nearest]


def _places(
    relatives: Sequence[Path], names: Sequence[Sequence[Name]], of_lesson: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return the place of each notebook. Several versions by one student, such as copies, share a place.

    It consists of the names of the folders. The name of the file counts, too, unless the folder is that of one student:
    it holds one notebook of this lesson without a name of its own, and at most one with a name, such as "v2".
    """
    folders = [
        tuple(name for at, name in sorted(some) if at < len(relative.parts))
        for relative, some in zip(relatives, names, strict=True)
    ]
    full = [tuple(name for _, name in sorted(some)) for some in names]
    here = defaultdict(set)
    for folder, all_names, lesson in zip(folders, full, of_lesson, strict=True):
        here[folder, lesson].add(all_names)
    of_one = {(folder, lesson) for (folder, lesson), some in here.items() if folder in some and len(some) <= 2}
    return [
        folder if (folder, lesson) in of_one else all_names
        for folder, all_names, lesson in zip(folders, full, of_lesson, strict=True)
    ]
