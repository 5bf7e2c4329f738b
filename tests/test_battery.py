"""Whatever is given to a public function, the answer is right or is one sentence that names the argument.

The battery in ``battery/`` finds every public function, class, method and property by introspection, and puts hostile
values in the place of every argument: wrong types, shapes and dtypes, NaN and infinities, empty, huge and tiny values,
masks, texts, dates, complex numbers, and objects whose own methods raise.
"""

from __future__ import annotations

import numpy as np
import pytest
from battery import arguments, calls
from battery import entries as found
from battery.calls import breaches_of, calls_of

QUICK, FULL = 200, 5  # the quick tier makes every 200th call, the full tier every fifth; python -m battery makes all
LARGEST = {  # path and argument: near the largest or smallest double, a sum or a product of these overflows
    ("bt.check_hessian", "phi"),
    ("bt.fit", "l2"),
    ("bt.train", "l2"),
    ("evaluation.covariance", "information"),
}


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory):
    """Write the files that are read, and work in a folder of our own."""
    arguments.prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("battery"))
        yield


def broken(entries, part) -> list[str]:
    return [
        str(breach)
        for entry in entries
        for name, tag, value in calls_of(entry, part)
        for breach in breaches_of(entry, name, tag, value)
        if not (breach.tag in {"huge", "tiny"} and (breach.path, breach.argument) in LARGEST)
    ]


def is_costly(entry: found.Entry) -> bool:
    """Return whether a call loads the kernels, trains or draws."""
    return "numba" in str(entry.owner) or entry.path.startswith(("bt.TrainingRun", "bt.train", "kernels.", "plots."))


def test_a_sample_of_hostile_calls_over_every_public_name_breaks_no_promise() -> None:
    """Every 200th call; each entry begins with another one, so that all values occur."""
    entries = [entry for entry in found.entries() if not is_costly(entry)]
    assert len(entries) > 400
    assert [line for number, entry in enumerate(entries) for line in broken([entry], (number % QUICK, QUICK))] == []


@pytest.mark.full
@pytest.mark.parametrize("module", found.modules())
def test_hostile_calls_break_no_promise(module) -> None:
    """The right answer or one sentence that names the argument; no warning, no change of the input, bounded time."""
    assert broken([entry for entry in found.entries() if entry.path.startswith(f"{module or 'bt'}.")], (2, FULL)) == []


def careless(margins: object, weights: object = None) -> float:
    """Check nothing, and use what is given as it is."""
    z = np.asarray(margins, dtype=np.float64)
    z += 0.0
    return float(np.sum(np.exp(z) if weights is None else np.exp(z) * weights))


def test_the_battery_finds_what_a_function_without_checks_does() -> None:
    """It takes texts for numbers, drops masks, lets warnings escape, and raises errors of other kinds and names."""
    entry = found.Entry("bt.careless", careless, ("margins", "weights"))
    kinds = {breach.kind for call in calls_of(entry) for breach in breaches_of(entry, *call)}
    assert kinds >= {"exception", "unnamed", "taken", "warning", "mask"}


def test_the_battery_finds_a_changed_argument_and_a_call_without_end(monkeypatch) -> None:
    """A function that sorts in place is caught, and one that never returns is interrupted."""
    sorts = found.Entry("bt.sorts", lambda margins: np.asarray(margins).sort(), ("margins",))
    assert [one.kind for one in breaches_of(sorts, "margins", "number", np.array([2.0, 1.0]))] == ["changed"]
    monkeypatch.setattr(calls, "LONGEST", 0.2)
    endless = found.Entry("bt.endless", lambda margins: [None for _ in iter(int, 1)], ("margins",))
    assert [one.kind for one in breaches_of(endless, "margins", "number", 1.0)] == ["slow"]


def test_a_new_parameter_or_class_must_be_added_to_the_battery() -> None:
    """The sentence says where, so that a new public name cannot escape."""
    with pytest.raises(LookupError, match=r"'brand_new' of bt\.brand_new, got none; add a line to VALUES"):
        arguments.value("bt.brand_new", "brand_new", None)
    with pytest.raises(LookupError, match=r"class bt\.BrandNew, got none; add a line to EXAMPLES"):
        arguments.examples("bt.BrandNew")
