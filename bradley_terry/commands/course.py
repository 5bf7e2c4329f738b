"""``bradley-terry course``: the lessons in JupyterLab."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..arrays.visible import visible

SUMMARY = "work through the lessons in JupyterLab"
EXAMPLE = "bradley-terry course --lesson 3"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``course``."""
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="folder for your working copies (default: bradley_terry_course)"
    )
    parser.add_argument("--lesson", type=int, metavar="N", help="lesson to open (default: the first)")
    parser.add_argument("--no-browser", action="store_true", help="print the address instead of opening a browser")
    parser.add_argument(
        "--port", type=int, metavar="N", help="port for JupyterLab (default: 8888, or the next free one)"
    )
    parser.add_argument(
        "--progress", action="store_true", help="list which of your exercises pass, without starting JupyterLab"
    )
    parser.add_argument(
        "--grade", type=Path, metavar="FOLDER", help="run the exercises in all notebooks of a class, below this folder"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="table of results of --grade (default: grades.csv in the current folder)",
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="limit of --grade for one notebook (default: 120)")
    parser.add_argument(
        "--force", action="store_true", help="let --grade replace a file that is not a table of results"
    )
    parser.add_argument("--check", action="store_true", help="run the original lessons and report any problems")
    parser.add_argument("--write", action="store_true", help="run the original lessons and store their outputs")


def run(arguments: Namespace) -> int:
    """Open the lessons, or report on them."""
    from ..course import notebooks

    _check_choice(arguments)
    if arguments.grade is not None:
        return _grade(arguments)
    if arguments.write:
        for path, changed in notebooks.write(notebooks.lessons(notebooks.originals())):
            print(f"{visible(path.name)}: {'written' if changed else 'unchanged'}", flush=True)
        return 0
    if arguments.check:
        passed = True
        for path, problems in notebooks.check(notebooks.lessons(notebooks.originals())):
            print(f"{visible(path.name)}: {'; '.join(problems) or 'ok'}", flush=True)
            passed &= not problems
        return 0 if passed else 1
    folder = arguments.folder
    if folder is None:  # inside a folder of lessons, use that folder
        folder = Path() if (Path() / notebooks.RECORD).exists() else Path("bradley_terry_course")
    if arguments.progress:
        results = notebooks.progress(folder)
        print("The results of your exercises when you last ran and saved them:")
        for name, verdicts in results.items():
            if [status for _, status in verdicts] == [notebooks.NO_RESULTS]:
                print(f"{visible(name)}: {verdicts[0][0]}")
                continue
            exercises = notebooks.of_exercises(verdicts)
            n_passed = sum(status.startswith("passed") for _, status in exercises)  # perhaps with a note
            print(f"{visible(name)}: {n_passed} of {len(exercises)} exercises passed")
            for what, status in verdicts:
                print(visible(f"    {what}: {status}"))
        return 0
    notebooks.check_choice(arguments.lesson, arguments.port)
    for sentence in notebooks.copy_to(folder):
        print(sentence)
    print(f"Your working copies are in {folder}. Press Ctrl-C to stop JupyterLab.", flush=True)
    return notebooks.open_lab(folder, lesson=arguments.lesson, browser=not arguments.no_browser, port=arguments.port)


def _check_choice(arguments: Namespace) -> None:
    """Raise a ValueError if two arguments do not belong together."""
    reports = arguments.check or arguments.write or arguments.progress
    if arguments.lesson is not None and (reports or arguments.grade is not None):
        raise ValueError(
            "lesson: expected without --check, --write, --progress and --grade, since it names the lesson to open"
        )
    if arguments.grade is None and (arguments.out is not None or arguments.seconds is not None or arguments.force):
        raise ValueError("grade: --out, --seconds and --force belong to --grade FOLDER, which is missing")
    if arguments.grade is not None and (reports or arguments.folder is not None):
        raise ValueError("grade: expected without --folder, --progress, --check and --write")


def _grade(arguments: Namespace) -> int:
    """Grade the notebooks of a class, and write the results as a table."""
    from ..course import grading

    out = Path("grades.csv") if arguments.out is None else arguments.out
    seconds = grading.SECONDS if arguments.seconds is None else grading.check_seconds(arguments.seconds)
    grading.check_out(out, force=arguments.force)
    rows: list[grading.Row] = []
    for of_one in grading.grade(arguments.grade, seconds=seconds):
        rows += of_one
        first = of_one[0]
        n_passed = sum(row.status.startswith("passed") for row in of_one)
        print(f"{first.student}, {first.lesson or first.file}: {n_passed} of {len(of_one)} passed", flush=True)
    grading.write_csv(out, rows)
    print(f"\n{grading.table(rows)}\n\nThe results are in {visible(str(out))}.")
    return 0
