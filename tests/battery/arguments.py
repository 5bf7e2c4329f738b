"""Valid values for every parameter, by its name, and an example of every public class.

A new public function whose parameters have names that are here needs nothing. For another name, add a line to VALUES:
the kind of the parameter and a function that makes a valid value. If the same name means something else in one place,
add the line to SPECIAL, under the path of the entry.

Kinds: ``numbers`` an array of real numbers · ``wholes`` an array of whole numbers · ``labels`` an array of names ·
``number``, ``whole``, ``switch`` one of them · ``function`` · ``object`` · ``path`` a file: OSError is allowed, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

import bradley_terry as bt
from bradley_terry import calibration, gradient_check, inference, losses

__all__ = ["CALLED", "OPTIONS", "RESULTS", "examples", "kind", "prepare", "value"]

X = np.array([[1.0, 0.0], [-1.0, 0.5], [0.0, 1.0], [0.5, -1.0], [1.0, 1.0], [-1.0, -0.5]])
Y = np.array([[0.0, 0.5], [0.0, 0.0], [0.5, 0.0], [0.0, 0.0], [0.25, 0.0], [0.0, 0.0]])
WINNERS, LOSERS = np.array([0, 1, 2, 0, 0, 2]), np.array([1, 2, 0, 2, 1, 1])
PROMPTS = np.array([0, 0, 1, 1, 2, 2])
MARGINS = np.array([0.5, -1.25, 2.0, 0.0, -0.75, 3.5])
PHI = {"LinearScorer": np.array([0.5, -1.5]), "TableScorer": np.array([0.5, -0.75, 0.25])}
PHI["MLPScorer"] = np.array([0.5, -0.25, 1.0, 0.75, 0.1, -0.2, 1.5, -0.5])
FOLDER = Path(tempfile.gettempdir()) / "bradley-terry-battery"


@lru_cache(maxsize=1)
def linear_pairs() -> bt.PreferencePairs:
    return bt.PreferencePairs(X, Y, prompts=PROMPTS, feature_names=["a", "b"])


@lru_cache(maxsize=1)
def table_pairs() -> bt.PreferencePairs:
    return bt.PreferencePairs(WINNERS, LOSERS, prompts=PROMPTS, feature_names=["x", "y", "z"])


@lru_cache(maxsize=1)
def rankings() -> bt.PreferenceRankings:
    return bt.PreferenceRankings(X, [1, 2, 3, 2, 1, 3], [0, 0, 0, 1, 1, 1], clusters=[0, 0, 0, 1, 1, 1])


@lru_cache(maxsize=1)
def model() -> bt.RewardModel:
    return bt.fit(bt.LinearScorer(2), linear_pairs())


@lru_cache(maxsize=1)
def table_model() -> bt.RewardModel:
    return bt.fit(bt.TableScorer(3), table_pairs())


@lru_cache(maxsize=1)
def objective() -> bt.Objective:
    return bt.Objective(bt.LinearScorer(2), linear_pairs())


@lru_cache(maxsize=1)
def evaluated() -> bt.Evaluation:
    return model().evaluate(linear_pairs(), n_bootstrap=10)


@lru_cache(maxsize=1)
def probit_model() -> bt.RewardModel:
    return bt.fit(bt.LinearScorer(2), linear_pairs(), loss=losses.Probit())


@lru_cache(maxsize=1)
def smaller_model() -> bt.RewardModel:
    return bt.fit(bt.LinearScorer(1), bt.PreferencePairs(X[:, :1], Y[:, :1], prompts=PROMPTS))


@lru_cache(maxsize=1)
def axes() -> object:
    return bt.plots.new_axes()[0]


@lru_cache(maxsize=1)
def checked() -> bt.GradientReport:
    return bt.check_gradient(square, [1.0, 2.0])


@lru_cache(maxsize=1)
def diagnosed() -> bt.Diagnosis:
    ordered = bt.PreferencePairs(np.eye(2)[[0] * 5], np.eye(2)[[1] * 5])
    return bt.diagnose(bt.fit(bt.LinearScorer(2), ordered, l2=0.1), ordered)


@lru_cache(maxsize=1)
def trained() -> bt.TrainingRun:
    return bt.train(linear_pairs(), validation=0.34)


def texts() -> object:
    return bt.datasets.Texts("x", ["p", "q"], ["a b", "c"], ["d", "e f g"])


def square(phi: np.ndarray) -> tuple[float, np.ndarray]:
    return float(np.asarray(phi) @ np.asarray(phi)), 2 * np.asarray(phi)


def _scorer_of(owner: object) -> object:
    return getattr(owner, "scorer", owner)


def _phi(owner: object) -> np.ndarray:
    return PHI.get(type(_scorer_of(owner)).__name__, PHI["LinearScorer"]).copy()


def _rows(owner: object, side: int = 0) -> np.ndarray:
    return (WINNERS, LOSERS)[side].copy() if isinstance(_scorer_of(owner), bt.TableScorer) else (X, Y)[side].copy()


def _pairs(owner: object) -> bt.PreferencePairs:
    return table_pairs() if isinstance(_scorer_of(owner), bt.TableScorer) else linear_pairs()


Makes = Callable[[object], object]
VALUES: dict[str, tuple[str, Makes]] = {
    # arrays of numbers
    **dict.fromkeys(("margins", "values", "estimates", "rewards", "z"), ("numbers", lambda _: MARGINS.copy())),
    **dict.fromkeys(("true_margins", "rewards_a", "rewards_b"), ("numbers", lambda _: MARGINS[::-1].copy())),
    **dict.fromkeys(("p", "q", "shares"), ("numbers", lambda _: np.array([0.25, 0.5, 0.9, 0.1, 0.75, 0.6]))),
    **dict.fromkeys(("labels", "t"), ("numbers", lambda _: np.array([1.0, 0.5, 0.0, 1.0, 0.5, 1.0]))),
    "weights": ("numbers", lambda _: np.array([1.0, 2.0, 0.5, 3.0, 1.0, 0.25])),
    "target_margins": ("numbers", lambda _: np.array([0.5, 0.0, 1.0, 0.25, 0.0, 2.0])),
    "m": ("numbers", lambda _: np.array([0.5, 0.0, 1.0, 0.25, 0.0, 2.0])),
    **dict.fromkeys(("phi", "initial"), ("numbers", _phi)),
    "shift": ("numbers", lambda _: np.array([0.5, -1.0])),
    "scale": ("numbers", lambda _: np.array([2.0, 0.5])),
    **dict.fromkeys(("chosen", "features", "features_a"), ("numbers", _rows)),
    **dict.fromkeys(("rejected", "features_b"), ("numbers", lambda owner: _rows(owner, 1))),
    **dict.fromkeys(("d_rewards", "d2_margins", "curvatures"), ("numbers", lambda _: np.abs(MARGINS) / 8)),
    "matrix": ("numbers", lambda owner: np.array([[1.0, -1.0, 0.0]][:1])[:, : _phi(owner).size].copy()),
    "information": ("numbers", lambda _: np.array([[2.0, 0.5], [0.5, 1.0]])),
    "intervals": ("numbers", lambda _: np.stack([MARGINS - 1, MARGINS + 1], axis=1)),
    "n_trials": ("numbers", lambda _: np.array([10.0, 20.0, 5.0, 8.0, 3.0, 100.0])),
    "steps": ("numbers", lambda _: np.array([1e-2, 1e-4, 1e-6])),
    "out": ("numbers", lambda _: None),
    "thresholds": ("numbers", lambda _: np.array([-0.5, 0.5])),
    # arrays of whole numbers
    "prompt_index": ("wholes", lambda _: PROMPTS.copy()),
    "index": ("wholes", lambda _: np.array([0, 1])),
    "ranks": ("wholes", lambda _: np.array([1, 2, 3, 2, 1, 3])),
    "entries": ("wholes", lambda _: np.array([0, 1])),
    # arrays of names
    **dict.fromkeys(("prompts", "clusters", "groups", "annotators"), ("labels", lambda _: PROMPTS.copy())),
    # one number
    **dict.fromkeys(("l2", "centring"), ("number", lambda _: 0.1)),
    **dict.fromkeys(("tolerance",), ("number", lambda _: 1e-6)),
    **dict.fromkeys(("learning_rate", "step", "noise"), ("number", lambda _: 0.01)),
    **dict.fromkeys(("epsilon", "nu", "gamma", "delta", "target", "T", "eta"), ("number", lambda _: 0.25)),
    "level": ("number", lambda _: 0.9),
    "validation": ("number", lambda _: 0.34),
    "tangent_at": ("number", lambda _: 0.5),
    "work": ("number", lambda _: 10.0),
    "time_limit": ("number", lambda _: 2.0),
    "value": ("number", lambda _: 0.5),
    # one whole number
    **dict.fromkeys(("n_features", "n_hidden", "hidden"), ("whole", lambda _: 2)),
    **dict.fromkeys(("n_items", "n_levels"), ("whole", lambda _: 3)),
    **dict.fromkeys(("n", "n_bins", "batch_size", "patience", "max_steps"), ("whole", lambda _: 3)),
    "n_bootstrap": ("whole", lambda _: 10),
    "n_pairs": ("whole", lambda _: 6),
    "pairs_per_prompt": ("whole", lambda _: 2),
    "n_threads": ("whole", lambda _: 1),
    **dict.fromkeys(("n_panels", "n_rows"), ("whole", lambda _: 1)),
    "entry": ("whole", lambda _: 0),
    "seed": ("whole", lambda _: 3),
    "every": ("whole", lambda _: 2),
    # switches
    **dict.fromkeys(("progress", "bias_reduced", "as_choices", "home_advantage", "force"), ("switch", lambda _: False)),
    **dict.fromkeys(("standardise", "share_y", "example"), ("switch", lambda _: False)),
    # everything else
    "rng": ("object", lambda _: np.random.default_rng(0)),
    "scorer": ("object", lambda _: bt.LinearScorer(2)),
    "pairs": ("object", _pairs),
    **dict.fromkeys(("held_out", "fitted_to"), ("object", lambda _: linear_pairs())),
    "data": ("object", lambda _: linear_pairs()),
    **dict.fromkeys(("model", "history", "larger"), ("object", lambda _: model())),
    "smaller": ("object", lambda _: smaller_model()),
    "loss": ("object", lambda _: None),
    "objective": ("object", lambda _: objective()),
    "reliability": ("object", lambda _: evaluated()),
    "reference": ("object", lambda owner: 0 if isinstance(_scorer_of(owner), bt.TableScorer) else None),
    "items": ("object", lambda _: [0, 1]),
    **dict.fromkeys(("featurise", "callback", "hessian"), ("function", lambda _: None)),
    **dict.fromkeys(("method", "format", "names", "ax"), ("object", lambda _: None)),
    **dict.fromkeys(("x_label", "title", "caption", "size"), ("object", lambda _: None)),
    "backend": ("object", lambda _: "numpy"),
    "activation": ("object", lambda _: "tanh"),
    "weighting": ("object", lambda _: "pair"),
    "against": ("object", lambda _: "numerical"),
    "library": ("object", lambda _: "autograd"),
    "function": ("function", lambda _: square),
    "feature_names": ("object", lambda _: None),
    "feature": ("object", lambda _: "a"),
    "name": ("object", lambda _: "training"),
    "figure": ("object", lambda _: axes()),
    "losses": ("object", lambda _: [losses.Hinge(), losses.Probit()]),
    "kind": ("object", lambda _: "sandwich"),
    "form": ("object", lambda _: "g"),
    "records": ("object", lambda _: [{"chosen": [1.0], "rejected": [0.0]}, {"chosen": [0.0], "rejected": [1.0]}]),
    "diagnosis": ("object", lambda _: diagnosed()),
    "ratings": ("object", lambda _: [["a", "b"], ["a", "a"], ["b", "b"]]),
    "answers": ("object", lambda _: ["a b", "c"]),
    "path": ("path", lambda _: FOLDER / "file.npz"),
    "path_without_suffix": ("path", lambda _: FOLDER / "figure"),
    "checkpoint": ("path", lambda _: None),
    "folder": ("path", lambda _: Path(tempfile.mkdtemp(dir=FOLDER)) / "run"),
}
SPECIAL: dict[tuple[str, str], tuple[str, Makes]] = {
    ("bt.Objective.product", "v"): ("numbers", _phi),
    ("bt.Objective.hessian", "margins"): ("object", lambda _: None),
    ("losses.BradleyTerryLoss.curvature", "t"): ("object", lambda _: None),
    ("bt.PreferencePairs.__getitem__", "index"): ("object", lambda _: 0),
    ("bt.PreferencePairs", "chosen"): ("numbers", lambda _: X.copy()),
    ("bt.Diagnosis.__getitem__", "name"): ("object", lambda _: "order leak"),
    ("bt.diagnose", "validation"): ("object", lambda _: None),
    ("bt.check_gradient", "phi"): ("object", lambda _: np.array([1.0, 2.0])),
    ("bt.check_gradient", "reference"): ("function", lambda _: None),
    ("bt.check_gradient", "objective"): ("object", lambda _: None),
    ("calibration.length_baseline", "fitted_to"): ("object", lambda _: None),
    ("bt.evaluate", "phi"): ("numbers", _phi),
    ("bt.LinearScorer.hessian", "d2_margins"): ("numbers", lambda _: np.abs(MARGINS)),
    ("bt.PreferenceRankings.accuracy", "rewards"): ("numbers", lambda _: MARGINS.copy()),
    ("bt.PreferenceRankings", "prompts"): ("labels", lambda _: np.array([0, 0, 0, 1, 1, 1])),
    ("bt.PreferenceRankings", "clusters"): ("labels", lambda _: np.array([0, 0, 0, 1, 1, 1])),
    ("bt.PreferenceRankings", "weights"): ("numbers", lambda _: np.array([2.0, 2.0, 2.0, 0.5, 0.5, 0.5])),
    ("bt.RewardModel.reward", "features"): ("numbers", _rows),
    ("bt.train", "data"): ("path", lambda _: linear_pairs()),
    ("bt.train", "activation"): ("object", lambda _: None),
    ("bt.train", "hidden"): ("whole", lambda _: None),
    ("bt.train", "out"): ("path", lambda _: None),
    ("bt.train", "scorer"): ("object", lambda _: None),
    ("calibration.agreement", "level"): ("object", lambda _: "nominal"),
    ("calibration.krippendorff_alpha", "level"): ("object", lambda _: "nominal"),
    ("datasets.Texts", "labels"): ("object", lambda _: None),
    ("datasets.Texts", "path"): ("object", lambda _: "x"),
    ("datasets.Texts", "prompts"): ("object", lambda _: ["p", "q"]),
    ("datasets.Texts", "chosen"): ("object", lambda _: ["a b", "c"]),
    ("datasets.Texts", "rejected"): ("object", lambda _: ["d", "e f g"]),
    ("datasets.Texts", "weights"): ("object", lambda _: None),
    ("datasets.Texts", "target_margins"): ("object", lambda _: None),
    ("datasets.Texts", "groups"): ("object", lambda _: None),
    ("datasets.synthetic", "phi"): ("numbers", lambda _: np.array([0.5, -1.5])),
    ("files.feature_names", "n_bins"): ("whole", lambda _: 3),
    ("files.matchups_of", "chosen"): ("object", lambda _: [0, 1]),
    ("files.matchups_of", "rejected"): ("object", lambda _: [1, 0]),
    ("files.matchups_of", "names"): ("object", lambda _: ["x", "y"]),
    ("files.text_features", "prompts"): ("object", lambda _: ["p", "q"]),
    ("gradient_check.autodiff_gradient", "loss"): ("function", lambda _: lambda phi: (phi**2).sum()),
    ("gradient_check.numerical_gradient", "loss"): ("function", lambda _: lambda phi: float(phi @ phi)),
    ("model.make_scorer", "kind"): ("object", lambda _: "LinearScorer"),
    ("plots.plot_weights", "names"): ("object", lambda _: list("abcdef")),
    ("plots.plot_losses", "margins"): ("numbers", lambda _: np.linspace(-2, 2, 5)),
    ("plots.plot_loss_and_gradient", "margins"): ("numbers", lambda _: np.linspace(-2, 2, 5)),
    ("ranking.ListNet", "scale"): ("number", lambda _: 1.0),
    ("bt.load_pairs", "path"): ("path", lambda _: FOLDER / "pairs.npz"),
    ("datasets.load_pairs", "path"): ("path", lambda _: FOLDER / "pairs.npz"),
    ("files.read_file", "path"): ("path", lambda _: FOLDER / "pairs.npz"),
    ("bt.load_rankings", "path"): ("path", lambda _: FOLDER / "rankings.jsonl"),
    ("datasets.read_texts", "path"): ("path", lambda _: FOLDER / "texts.jsonl"),
    ("bt.RewardModel.load", "path"): ("path", lambda _: FOLDER / "model.npz"),
    ("evaluation.connected_groups", "pairs"): ("object", lambda _: table_pairs()),
    ("evaluation.strong_components", "pairs"): ("object", lambda _: table_pairs()),
    ("inference.component_fits", "pairs"): ("object", lambda _: table_pairs()),
    ("inference.component_fits", "scorer"): ("object", lambda _: bt.TableScorer(3)),
    ("calibration.Annotators.__getitem__", "name"): ("object", lambda _: 0),
    ("plots.figure_of", "ax"): ("object", lambda _: axes()),
    ("evaluation.bootstrap_interval", "rng"): ("object", lambda _: np.random.default_rng(0)),
}
OPTIONS = {"Unpack[Options]": ("kind", "pairs", "clusters", "n_bootstrap", "seed", "progress")}
CALLED: dict[tuple[str, str], str] = {  # what a message may say in place of the name of the parameter
    ("", "z"): "z|margins",
    ("", "t"): "t|labels",
    ("", "rewards_a"): "rewards_a|rewards",
    ("", "rewards_b"): "rewards_b|rewards",
    ("", "values"): "values|margins",
    ("", "features_a"): "features_a|rewards_a",
    ("", "features_b"): "features_b|rewards_b",
    ("bt.PreferenceRankings", "prompts"): "prompts|prompt",
    ("evaluation.covariance", "information"): "information|standard errors",
    ("files.matchups_of", "names"): "names|chosen",
    ("files.text_features", "prompts"): "prompts|answers",
    ("plots.plot_weights", "estimates"): "estimates|estimate",
    ("ranking.Ordinal", "n_levels"): "n_levels|thresholds",
    ("gradient_check.numerical_gradient", "phi"): "phi|entries",
}
RESULTS: dict[str, Callable[[], list[object]]] = {  # classes whose objects the package makes
    "bt.Diagnosis": lambda: [diagnosed()],
    "bt.Evaluation": lambda: [evaluated()],
    "bt.GradientReport": lambda: [checked()],
    "bt.RewardModel": lambda: [model(), table_model(), probit_model()],
    "bt.TrainingRun": lambda: [trained()],
    "calibration.Agreement": lambda: [calibration.agreement([["a", "b"], ["a", "a"]])],
    "calibration.Annotator": lambda: list(calibration.by_annotator(model(), linear_pairs(), PROMPTS).rows[:1]),
    "calibration.Annotators": lambda: [calibration.by_annotator(model(), linear_pairs(), PROMPTS)],
    "calibration.LengthBaseline": lambda: [calibration.length_baseline(linear_pairs(), feature="a", n_bootstrap=9)],
    "calibration.Noise": lambda: [calibration.annotator_noise(model(), linear_pairs())],
    "calibration.PairAgreement": lambda: [calibration.pair_agreement(bt.datasets.citations())],
    "calibration.TemperatureFit": lambda: [calibration.fit_temperature(table_model(), table_pairs())],
    "evaluation.Reliability": lambda: [evaluated().reliability],
    "findings.Check": lambda: list(diagnosed().checks[:1]),
    "findings.Finding": lambda: list(diagnosed().findings[:1]),
    "gradient_check.BlockReport": lambda: list(checked().blocks[:1]),
    "gradient_check.PairReport": lambda: [],
    "gradient_check.StepSweep": lambda: [gradient_check.step_sweep(square, [1.0, 2.0])],
    "inference.ComponentFit": lambda: inference.component_fits(bt.TableScorer(3), table_pairs()),
    "inference.LikelihoodRatio": lambda: [],
    "inference.Separation": lambda: [inference.separation(bt.TableScorer(3), table_pairs())],
    "model.FittedTo": lambda: [model().fitted_to],
    "objective.Point": lambda: [objective().at([0.5, 0.5])],
    "pairs.Pair": lambda: [linear_pairs()[0]],
    "ranking.MarginLoss": lambda: [],
}
EXAMPLES: dict[str, Callable[[], list[object]]] = {  # classes whose objects users make
    "bt.LinearScorer": lambda: [bt.LinearScorer(2)],
    "bt.MLPScorer": lambda: [bt.MLPScorer(2, 2)],
    "bt.TableScorer": lambda: [bt.TableScorer(3)],
    "bt.Objective": lambda: [
        objective(),
        bt.Objective(bt.TableScorer(3), table_pairs(), backend="numpy", centring=0.5),
        bt.Objective(bt.LinearScorer(2), linear_pairs(), backend="numba", l2=0.5),
    ],
    "bt.PreferencePairs": lambda: [linear_pairs(), table_pairs()],
    "bt.PreferenceRankings": lambda: [rankings()],
    "datasets.Texts": lambda: [texts()],
    "losses.BradleyTerryLoss": lambda: [losses.BradleyTerryLoss()],
    "ranking.Davidson": lambda: [losses.Davidson(0.5)],
    "ranking.Exponential": lambda: [losses.Exponential()],
    "ranking.Focal": lambda: [losses.Focal(2.0)],
    "ranking.Hinge": lambda: [losses.Hinge()],
    "ranking.LabelSmoothing": lambda: [losses.LabelSmoothing(0.1)],
    "ranking.ListNet": lambda: [losses.ListNet()],
    "ranking.NoisyChoice": lambda: [losses.NoisyChoice(0.1)],
    "ranking.Ordinal": lambda: [losses.Ordinal(3, [-0.5, 0.5])],
    "ranking.PlackettLuce": lambda: [losses.PlackettLuce()],
    "ranking.Probit": lambda: [losses.Probit()],
    "ranking.RaoKupper": lambda: [losses.RaoKupper(0.5)],
    "ranking.Robust": lambda: [losses.Robust(0.1)],
    "ranking.Scaled": lambda: [losses.Scaled(np.array([0.5, 1.0, 1.0, 2.0, 0.25, 1.0]))],
    "ranking.Sigmoid": lambda: [losses.Sigmoid()],
    "ranking.Square": lambda: [losses.Square()],
    "ranking.Temperature": lambda: [losses.Temperature(2.0)],
    "ranking.Unhinged": lambda: [losses.Unhinged()],
}


def prepare() -> None:
    """Write the files that are read."""
    FOLDER.mkdir(exist_ok=True)
    bt.datasets.save_pairs(linear_pairs(), FOLDER / "pairs.npz")
    model().save(FOLDER / "model.npz")
    (FOLDER / "texts.jsonl").write_text('{"prompt": "p", "chosen": "a b", "rejected": "c"}\n' * 2)
    ranked = '{"prompt": "p", "answers": [{"text": "a b", "rank": 1}, {"text": "c", "rank": 2}]}\n'
    (FOLDER / "rankings.jsonl").write_text(ranked)


def value(path: str, name: str, owner: object) -> object:
    """Return a valid value for this parameter, made anew, or fail and say what to add."""
    return _line(path, name)[1](owner)


def kind(path: str, name: str) -> str:
    """Return the kind of this parameter."""
    return _line(path, name)[0]


def _line(path: str, name: str) -> tuple[str, Makes]:
    place = path.partition("[")[0] + path.partition("]")[2]
    if (place, name) in SPECIAL:
        return SPECIAL[place, name]
    if name not in VALUES:
        raise LookupError(
            f"tests/battery/arguments.py: expected a valid value for the parameter {name!r} of {path}, got none; add a "
            "line to VALUES with the kind of the parameter and a function that makes a valid value"
        )
    return VALUES[name]


def examples(path: str) -> list[object]:
    """Return examples of a public class, or fail and say what to add."""
    found = {**EXAMPLES, **RESULTS}.get(path)
    if found is None:
        raise LookupError(
            f"tests/battery/arguments.py: expected an example of the public class {path}, got none; add a line to "
            "EXAMPLES, or to RESULTS if users do not make its objects themselves"
        )
    return found()
