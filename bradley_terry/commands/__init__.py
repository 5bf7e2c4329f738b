"""The command line: ``bradley-terry train``, ``evaluate``, ``check``, ``figures``, ``bench``, ``doctor``.

Every verb does one job, writes only where it is told, and ends with status 2 and one clear sentence when it cannot.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..evaluation import WORTH_COMPILING, evaluate
from ..model import HISTORY, RewardModel
from ..objective import Objective, chosen_backend
from ..pairs import PreferencePairs
from .report import example_in_words, judgement, markdown, weights_by_strength
from ..scorers import LinearScorer, MLPScorer, Scorer, TableScorer
from ..training import ConvergenceWarning, fit

if TYPE_CHECKING:
    from .. import datasets

__all__ = ["main"]

SHIPPED = ("travel-modes", "citations", "baseball")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with these arguments and return its exit status: 0, or 2 with one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that knows no Δ shows a question mark
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.verb is None:
        parser.print_help()
        return 2
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        print("bradley-terry: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever was reading has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        print("bradley-terry: the memory of this machine does not suffice for these data", file=sys.stderr)
        return 2
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        print(f"bradley-terry: {_sentence(error)}", file=sys.stderr)
        return 2
    return status


def _sentence(error: Exception) -> str:
    """Return what went wrong in one line, also for the operating system's own errors."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bradley-terry",
        description="Learn, check and see the loss that trains reward models.",
        epilog="example: bradley-terry train",
    )
    parser.add_argument("--version", action="version", version=f"bradley-terry {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")

    def verb(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=summary, description=summary, epilog=f"example: {example}")

    train = verb(
        "train",
        "fit a reward model to preference pairs, judge it, and explain it",
        "bradley-terry train answers.jsonl --out runs/answers",
    )
    train.add_argument(
        "data",
        nargs="?",
        default="travel-modes",
        metavar="DATA",
        help=f"a .jsonl, .csv, .npz or .npy file (the first two also as .gz), a folder of .npy files, "
        f"or one of {', '.join(SHIPPED)} (default: travel-modes)",
    )
    train.add_argument("--scorer", choices=["linear", "mlp", "table"], help="default: table for items, else linear")
    train.add_argument("--hidden", type=int, metavar="N", help="hidden units of the MLP (default: 32)")
    train.add_argument("--activation", choices=["tanh", "relu"], help="of the MLP (default: tanh)")
    train.add_argument("--l2", type=float, metavar="L2", help="penalty l2/2·|phi|² (default: 0, or 0.03 for text)")
    train.add_argument("--seed", type=int, default=0, help="of split, start and mini-batches (default: 0)")
    train.add_argument(
        "--validation",
        type=float,
        metavar="SHARE",
        help="share of the prompts to hold out, 0 for none (default: 0.2, or 0 for item tables)",
    )
    train.add_argument(
        "--backend", choices=["numba", "numpy"], help="default: numpy for a small convex problem, else numba"
    )
    train.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: runs/NAME, next free name)")
    train.add_argument("--force", action="store_true", help="write into the folder of --out even if it exists")
    train.add_argument("--json", action="store_true", help="print the report as JSON")
    train.set_defaults(run=_train)

    judge = verb(
        "evaluate", "judge a saved model on preference pairs", "bradley-terry evaluate runs/travel-modes travel-modes"
    )
    judge.add_argument("model", type=Path, metavar="MODEL", help="a model.npz, or the folder that train wrote")
    judge.add_argument("data", metavar="DATA", help="as for train")
    judge.add_argument("--json", action="store_true", help="print the result as JSON")
    judge.set_defaults(run=_evaluate)

    figures = verb("figures", "rebuild the figures of the course", "bradley-terry figures --out figures")
    figures.add_argument("--out", type=Path, default=Path("figures"), metavar="FOLDER", help="default: figures")
    figures.set_defaults(run=_figures)

    check = verb(
        "check",
        "check gradients: the package's own, or yours from a file",
        "bradley-terry check my_file.py:my_gradient --scorer linear",
    )
    check.add_argument(
        "target", nargs="?", metavar="FILE:FUNCTION",
        help="your own: f(weights, chosen, rejected) -> gradient; for mlp f(parameters, chosen, rejected) -> dict of "
        "arrays, as parameters is one",
    )  # fmt: skip
    check.add_argument("--scorer", choices=["linear", "mlp", "table"], help="default: all; for yours, linear")
    check.add_argument(
        "--against", nargs="+", action="extend", choices=["numerical", "autograd", "jax", "torch"],
        help="who judges the package's own (default: numerical)",
    )  # fmt: skip
    check.add_argument("--activation", choices=["tanh", "relu"], help="of the MLP that yours is for (default: tanh)")
    check.add_argument("--museum", action="store_true", help="walk through the bug museum instead")
    check.set_defaults(run=_check)
    bench = verb(
        "bench",
        "measure the package beside its peers and the machine's limits",
        "bradley-terry bench --only pair-loss --figure figures/benchmark.svg",
    )
    bench.add_argument(
        "--only",
        nargs="+",
        metavar="GROUP",
        help="of pair-loss, growth, linear, linear-fit, table-fit, mlp, cold-start (default: all)",
    )
    bench.add_argument("--small", action="store_true", help="small sizes, in seconds: does it work, not how fast is it")
    bench.add_argument("--json", action="store_true", help="print the result as JSON")
    bench.add_argument("--figure", type=Path, metavar="PATH", help="draw the pair loss's times, as SVG and PNG")
    bench.set_defaults(run=_bench)

    course = verb("course", "work through the lessons in JupyterLab", "bradley-terry course --lesson 3")
    course.add_argument(
        "--folder", type=Path, metavar="FOLDER",
        help="where your copies are, or shall be laid (default: bradley_terry_course)",
    )  # fmt: skip
    course.add_argument("--lesson", type=int, metavar="N", help="the lesson to open (default: the first)")
    course.add_argument("--no-browser", action="store_true", help="only print the address")
    course.add_argument("--port", type=int, metavar="N", help="where JupyterLab listens (default: 8888 or the next)")
    course.add_argument("--progress", action="store_true", help="say which of your exercises pass, and open nothing")
    course.add_argument("--check", action="store_true", help="run the original lessons and say what is wrong with them")
    course.add_argument("--write", action="store_true", help="run the original lessons and store their outputs")
    course.set_defaults(run=_course)

    demo = verb("demo", "show the loss on a projector: four scenes in a browser", "bradley-terry demo --scene shift")
    demo.add_argument(
        "--scene", choices=["loss", "shift", "confidence", "expected"], help="where to begin (default: loss)"
    )
    demo.add_argument(
        "--out", type=Path, metavar="FILE", help="write the page to an .html file, say on a USB stick, and open nothing"
    )
    demo.set_defaults(run=_demo)

    doctor = verb("doctor", "say what is installed and check that it works", "bradley-terry doctor")
    doctor.set_defaults(run=_doctor)
    return parser


def _train(arguments: argparse.Namespace) -> int:
    from ..figures import model_figures

    if arguments.l2 is not None and not 0 <= arguments.l2 < float("inf"):
        raise ValueError(f"--l2: expected a number of at least 0, got {arguments.l2:g}")
    if arguments.seed < 0:
        raise ValueError(f"--seed: expected a whole number of at least 0, got {arguments.seed}")
    name, out = _name_and_folder(arguments)
    pairs, texts = _load(arguments.data)
    scorer = _scorer(arguments, pairs)
    _check_writable(out)
    share = arguments.validation
    if share is None:
        share = 0.0 if pairs.is_items or pairs.n_prompts < 2 else 0.2
    held_out = np.zeros(len(pairs), dtype=bool) if share == 0 else pairs.held_out(share, seed=arguments.seed)
    training = pairs if share == 0 else pairs.subset(~held_out)
    validation = None if share == 0 else pairs.subset(held_out)
    is_small = scorer.linear_in_phi and pairs.chosen.size < WORTH_COMPILING  # done before compiled code is fetched
    backend = arguments.backend or ("numpy" if is_small else "numba")
    l2 = (0.03 if texts is not None else 0.0) if arguments.l2 is None else arguments.l2

    if not arguments.json:
        print(f"{name}: {len(training)} pairs to learn from, {scorer}\n", flush=True)
    with warnings.catch_warnings(record=True) as caught:  # shown below in one line, without the place in our code
        warnings.simplefilter("always", ConvergenceWarning)
        model = fit(
            scorer, training, l2=l2, seed=arguments.seed, validation=validation, backend=backend,
            standardise=isinstance(scorer, MLPScorer), progress=sys.stderr.isatty() and not arguments.json,
        )  # fmt: skip
    for warning in caught:
        print(f"bradley-terry: warning: {warning.message}", file=sys.stderr)
    on_training = model.evaluate(training)
    on_held_out = None if validation is None else model.evaluate(validation)
    weights = weights_by_strength(model, training)
    row = int(np.flatnonzero(held_out)[0]) if held_out.any() else 0
    shown = None if texts is None else (texts.prompts[row], texts.chosen[row], texts.rejected[row])
    report = markdown(
        model,
        name=name,
        training=training,
        training_evaluation=on_training,
        held_out_evaluation=on_held_out,
        weights=weights,
        example=example_in_words(model, pairs.subset([row]), shown),
    )

    out.mkdir(parents=True, exist_ok=arguments.force)
    model.save(out / "model.npz")
    (out / "report.md").write_text(report, encoding="utf-8")
    with (out / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HISTORY)
        writer.writerows(zip(*(model.history[column].tolist() for column in HISTORY), strict=True))
    judged, judged_pairs = on_held_out or on_training, validation or training
    margins = model.reward(judged_pairs.chosen) - model.reward(judged_pairs.rejected)
    model_figures(model, judged, margins, out, weights=judged_pairs.weights)

    if arguments.json:
        print(
            json.dumps(
                {
                    "name": name,
                    "out": str(out),
                    "scorer": str(scorer),
                    "method": model.method,
                    "l2": l2,
                    "seed": arguments.seed,
                    "converged": model.converged,
                    "message": model.message,
                    "training": on_training.to_dict(),
                    "held_out": None if on_held_out is None else on_held_out.to_dict(),
                    "weights": [
                        {
                            "name": w.name,
                            "estimate": w.estimate,
                            "standard_error": w.standard_error,
                            "strength": w.strength,
                        }
                        for w in weights
                    ],
                },
                indent=2,
            )
        )
    else:
        print(f"{report}\nWritten to {out}: model.npz, history.csv, report.md, and the figures loss_curve, margins,")
        print("reliability (SVG and PNG).")
    return 0


def _name_and_folder(arguments: argparse.Namespace) -> tuple[str, Path]:
    """Return the name of the run and a folder to write to: what was asked for, or the next free one under runs/."""
    name = Path(arguments.data).name.split(".")[0] or "run"
    if arguments.out is not None:
        if arguments.out.exists() and not arguments.force:
            raise ValueError(
                f"--out: {arguments.out} exists already; name another folder, or add --force to overwrite it"
            )
        return name, arguments.out
    free, number = Path("runs") / name, 1
    while free.exists():
        number += 1
        free = Path("runs") / f"{name}-{number}"
    return name, free


def _load(data: str) -> tuple[PreferencePairs, datasets.Texts | None]:
    """Return the pairs that DATA names, and their texts where they are texts."""
    from .. import datasets

    shipped = {"travel-modes": datasets.travel_modes, "citations": datasets.citations, "baseball": datasets.baseball}
    path = Path(data)
    if data in shipped and not path.is_file():
        return shipped[data](), None
    if not path.exists():
        raise FileNotFoundError(f"{data}: there is no such file, and it is none of {', '.join(shipped)}")
    texts = datasets.read_texts(path) if path.name.lower().removesuffix(".gz").endswith(".jsonl") else None
    return datasets.load_pairs(path) if texts is None else texts.to_pairs(), texts


def _scorer(arguments: argparse.Namespace, pairs: PreferencePairs) -> Scorer:
    kind = arguments.scorer or ("table" if pairs.is_items else "linear")
    if (kind == "table") != pairs.is_items:
        found = "item numbers" if pairs.is_items else "features"
        wanted = "item numbers" if kind == "table" else "features"
        raise ValueError(f"--scorer: {kind} needs {wanted}, but {arguments.data} holds {found}")
    for option in ("hidden", "activation"):
        if kind != "mlp" and getattr(arguments, option) is not None:
            raise ValueError(f"--{option}: expected together with --scorer mlp, got it for the scorer {kind}")
    if kind == "table":
        used = len(np.unique(np.concatenate([pairs.chosen, pairs.rejected])))
        if pairs.n_items > max(1000, 10 * used):
            raise ValueError(
                f"{arguments.data}: expected items numbered from 0 on, found {used} of them and numbers up to "
                f"{pairs.n_items - 1}"
            )
        return TableScorer(pairs.n_items)
    if kind == "mlp":
        hidden = 32 if arguments.hidden is None else arguments.hidden
        return MLPScorer(pairs.n_features, hidden, arguments.activation or "tanh")
    return LinearScorer(pairs.n_features)


def _evaluate(arguments: argparse.Namespace) -> int:
    path = arguments.model / "model.npz" if arguments.model.is_dir() else arguments.model
    model = RewardModel.load(path)
    pairs, _ = _load(arguments.data)
    pairs = _matched(model, pairs, arguments)
    result = evaluate(model.scorer, model.phi, pairs)
    print(json.dumps(result.to_dict(), indent=2) if arguments.json else f"{model}\n\n{judgement(result)}")
    return 0


def _matched(model: RewardModel, pairs: PreferencePairs, arguments: argparse.Namespace) -> PreferencePairs:
    """Return the pairs with their items numbered as the model numbers them; features must bear the same names."""
    mine, theirs = model.feature_names, pairs.feature_names
    if pairs.is_items != isinstance(model.scorer, TableScorer):
        raise ValueError(f"{arguments.data}: expected pairs for {model.scorer}, got {pairs}")
    if mine is None or theirs is None or mine == theirs:
        return pairs
    if not pairs.is_items:
        strange = next((name for name in theirs if name not in mine), "in another order")
        wanted = ", ".join(mine[:5]) + (", …" if len(mine) > 5 else "")
        raise ValueError(f"{arguments.data}: expected the features of the model ({wanted}), got {strange!r}")
    number = {name: item for item, name in enumerate(mine)}
    used = {int(item) for item in np.unique(np.concatenate([pairs.chosen, pairs.rejected]))}
    unknown = [theirs[item] for item in sorted(used) if theirs[item] not in number]
    if unknown:
        raise ValueError(f"{arguments.data}: expected items that the model was trained on, got {unknown[0]!r}")
    translated = np.array([number.get(name, 0) for name in theirs])
    return PreferencePairs(
        translated[pairs.chosen],
        translated[pairs.rejected],
        prompts=pairs.prompts,
        weights=pairs.weights,
        labels=pairs.labels,
        target_margins=pairs.target_margins,
        feature_names=mine,
    )


def _figures(arguments: argparse.Namespace) -> int:
    from ..course.figures import build_figures

    for path in build_figures(arguments.out):
        print(path)
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    if chosen_backend("numba") == "numpy":
        raise ModuleNotFoundError("bench measures the compiled kernels, and needs numba: python -m pip install numba")
    from ..benchmark import draw, run

    if arguments.figure is not None:  # said now, not after minutes
        if arguments.figure.suffix not in {".svg", ".png"} or arguments.figure.is_dir():
            raise ValueError(f"--figure: expected a file name that ends in .svg, got {arguments.figure}")
        if arguments.only and "pair-loss" not in arguments.only:
            raise ValueError("--figure: expected pair-loss among the groups of --only, since it shows that one")
        if not arguments.figure.parent.is_dir():
            raise ValueError(f"--figure: expected a folder that exists, got {arguments.figure.parent}")
    report = run(
        arguments.only,
        small=arguments.small,
        tell=(lambda words: print(words, file=sys.stderr)) if sys.stderr.isatty() else lambda _: None,
    )
    print(json.dumps(report.to_dict(), indent=2, ensure_ascii=False) if arguments.json else report, flush=True)
    written = [] if arguments.figure is None else draw(report, arguments.figure)
    if not arguments.json:
        print(*(f"Written: {path}" for path in written), sep="\n", end="\n" if written else "")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    if arguments.museum and (arguments.target or arguments.scorer or arguments.against):
        raise ValueError("--museum: expected alone, since it judges neither your gradients nor ours")
    if arguments.activation and (arguments.target is None or arguments.scorer != "mlp"):
        raise ValueError("--activation: expected together with FILE:FUNCTION and --scorer mlp")
    if arguments.target is not None and (arguments.against or arguments.scorer == "table"):
        raise ValueError(
            "FILE:FUNCTION: is judged by the checks of the course: for --scorer linear or mlp, no --against"
        )
    if arguments.museum:
        from ..course.museum import EXHIBITS

        for exhibit in EXHIBITS:
            print(f"{exhibit}\n\n  looks well: {exhibit.hides()}\n\n{indent(exhibit.caught(), '  | ')}\n")
        return 0
    if arguments.target is not None:
        from ..course.check import gradient

        report = gradient(
            _function(arguments.target), scorer=arguments.scorer or "linear", activation=arguments.activation or "tanh"
        )
        print(report)
        return 0 if report.passed else 1
    from ..gradient_check import check_gradient

    well, rng = True, np.random.default_rng(0)
    chosen, rejected = rng.normal(size=(2, 23, 4))
    items = rng.integers(6, size=23)
    w, t, m = rng.uniform(0.5, 3, 23), rng.uniform(size=23), rng.normal(size=23)
    features = PreferencePairs(chosen, rejected, weights=w, labels=t, target_margins=m)
    contests = PreferencePairs(items, (items + 1) % 6, weights=w, labels=t, target_margins=m)
    scorers: dict[str, list[Scorer]] = {
        "linear": [LinearScorer(4)],
        "mlp": [MLPScorer(4, 5, "tanh"), MLPScorer(4, 5, "relu")],
        "table": [TableScorer(6)],
    }
    for kind in [arguments.scorer] if arguments.scorer else list(scorers):
        for scorer in scorers[kind]:
            objective = Objective(scorer, contests if kind == "table" else features, l2=0.3)
            phi = rng.normal(size=scorer.n_parameters)
            found = check_gradient(objective, phi, against=arguments.against or "numerical")
            print(f"{scorer}\n{found}\n")
            well &= found.passed
    return 0 if well else 1


def _check_writable(path: Path) -> None:
    """Refuse before the work is done what could not be written after it."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise PermissionError(f"{there}: cannot be written; choose another place with --out")


def _function(target: str) -> Callable[..., object]:
    """Return the function that FILE:FUNCTION names; the file is run, as by ``import``."""
    from importlib.util import module_from_spec, spec_from_file_location

    file, colon, name = target.rpartition(":")
    if not colon or not name:
        raise ValueError(f"{target}: expected FILE:FUNCTION, as in my_file.py:my_gradient")
    if not Path(file).is_file():
        raise ValueError(f"{file}: there is no such file")
    spec = spec_from_file_location("learners_file", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{target}: expected a Python file, which ends in .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # as import does: dataclasses look there
    sys.path.insert(0, str(Path(file).resolve().parent))  # and a file may import its neighbours, also later
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a learner's file may raise
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename in (file, spec.origin)]
        where = f"line {lines[-1]}: " if lines else ""
        raise ValueError(f"{file}: {where}{type(error).__name__}: {error}") from None
    if not hasattr(module, name):
        there = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"{target}: there is no {name} in this file, but {', '.join(there) or 'no function at all'}")
    function: Callable[..., object] = getattr(module, name)
    return function


def _course(arguments: argparse.Namespace) -> int:
    from ..course import notebooks

    if arguments.lesson is not None and (arguments.check or arguments.write or arguments.progress):
        raise ValueError("--lesson: expected with no other task; it says which lesson to open")
    if arguments.write:
        for path, changed in notebooks.write(notebooks.lessons(notebooks.originals())):
            print(f"{path.name}: {'written' if changed else 'unchanged'}", flush=True)
        return 0
    if arguments.check:
        well = True
        for path, problems in notebooks.check(notebooks.lessons(notebooks.originals())):
            print(f"{path.name}: {'; '.join(problems) or 'well'}", flush=True)
            well &= not problems
        return 0 if well else 1
    folder = arguments.folder
    if folder is None:  # within the course, not a second course inside it
        folder = Path() if (Path() / notebooks.RECORD).exists() else Path("bradley_terry_course")
    if arguments.progress:
        print("As last run and saved:")
        for name, verdicts in notebooks.progress(folder).items():
            passed = sum(status == "passed" for _, status in verdicts)
            print(f"{name}: {passed} of {len(verdicts)} passed")
            for what, status in verdicts:
                print(f"    {what}: {status}")
        return 0
    notebooks.check_choice(arguments.lesson, arguments.port)
    for sentence in notebooks.copy_to(folder):
        print(sentence)
    print(f"Your copies are in {folder}. Stop with Ctrl-C.", flush=True)
    return notebooks.open_lab(folder, lesson=arguments.lesson, browser=not arguments.no_browser, port=arguments.port)


def _demo(arguments: argparse.Namespace) -> int:
    from ..course import projector

    if arguments.out is not None:
        print(f"Written: {projector.write_copy(arguments.out, scene=arguments.scene)}")
        return 0
    address, opened = projector.show(arguments.scene)
    print(f"Opened {address}" if opened else f"No browser could be opened here; open this page in one: {address}")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from .doctor import examine

    report, well = examine()
    print(report)
    return 0 if well else 1
