"""Which streams and which learners meet, and how people name further ones."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from .. import models, registry
from ..datasets import datasets
from ..errors import OptionError, UnknownNameError
from ..learner import Learner
from ..source import is_synthetic

MILLION = 1_000_000
UNKNOWN_WIDTH = 10


class Stream(NamedTuple):
    """A stream of the benchmark.

    Parameters
    ----------
    name
        What tables call it.
    what
        A generator with its parameters, a data set of the catalogue, or a path.
    generated
        Whether it is made anew for each seed; a file is the same for all of them.
    rows
        Of the whole stream, where that is known beforehand.
    features
        Its fields, from which work is estimated.
    """

    name: str
    what: str
    generated: bool
    rows: int | None = None
    features: int = UNKNOWN_WIDTH

    def spec(self, seed: int, rows: int | None) -> str:
        """What `open_stream` makes the stream of, ``rows`` long if it is generated."""
        if not self.generated:
            return self.what
        separator = "," if ":" in self.what else ":"
        return f"{self.what}{separator}seed={seed},rows={rows or MILLION}"

    def length(self, rows: int | None) -> int:
        """How many rows are gone through, as far as is known."""
        whole = MILLION if self.rows is None else self.rows
        return whole if rows is None else rows if self.generated else min(rows, whole)


class Entry:
    """A learner of the benchmark.

    Parameters
    ----------
    label
        What tables call it.
    spec
        As the command line writes it: ``NAME:param=value``.

    Raises
    ------
    OptionError
        If there is no such learner or parameter.
    """

    def __init__(self, label: str, spec: str) -> None:
        self.label, self.spec = label, spec
        learner = self.learner
        if learner.task != "classification":
            raise OptionError(f"{label}: the benchmark is for classifiers, and this is for {learner.task}")
        if "seed" in registry.parse_call(spec.split("|")[-1])[1]:
            raise OptionError(f"{label}: leave the seed to --seeds")

    @cached_property
    def learner(self) -> Learner:
        """An untrained one."""
        return models.make_learner(self.spec)

    @property
    def call(self) -> str:
        """The call that makes it: the same for every way to write it."""
        return repr(self.learner)

    @property
    def is_random(self) -> bool:
        """Whether it takes a seed."""
        return "seed" in inspect.signature(type(self.learner).__init__).parameters

    @property
    def members(self) -> int:
        """How many models it is made of, as far as its parameters tell; work is estimated from it."""
        counts = [value for name, value in self.learner.params.items() if name in ("n_models", "n_experts")]
        return max([1, *(value for value in counts if isinstance(value, int))])

    def __repr__(self) -> str:
        return f"Entry({self.label!r}, {self.spec!r})"


def _real(name: str) -> Stream:
    data = next(data for data in datasets() if data.name == name)
    return Stream(name, name, False, data.rows, data.features)


PAPER = ("led_a", "led_g", "sea_a", "sea_g", "rbf_m", "rbf_f", "airlines", "electricity", "covertype")
"""The nine streams of the DriftMoE paper; ranks over all nine are what papers compare."""
WIDTHS = {"led_a": 24, "led_g": 24, "sea_a": 3, "sea_g": 3}
GENERATED = ("led_a", "led_g", "sea_a", "sea_g", "rbf_m", "rbf_f", "rbf_m5", "rbf_f5")
REAL = ("airlines", "electricity", "covertype")
DEFAULTS = {
    "no-change": "no_change_classifier",
    "HT": "hoeffding_tree_classifier",
    "Stacking": "stacking_classifier",
    "ARF-100": "adaptive_random_forest_classifier:n_models=100",
    "SRP-100": "streaming_random_patches_classifier:n_models=100",
    "LevBag-100": "leveraging_bagging_classifier:n_models=100",
    "OzaBag-100": "oza_bag_classifier:n_models=100",
    "OzaBoost-10": "oza_boost_classifier:n_models=10",
    "SmoothBoost-100": "online_smooth_boost_classifier:n_models=100",
    "DriftMoE-data": "drift_moe_classifier:variant=data,fidelity=published",
    "DriftMoE-task": "drift_moe_classifier:variant=task,fidelity=published",
    "DriftMoE-data-corrected": "drift_moe_classifier:variant=data",
    "DriftMoE-task-corrected": "drift_moe_classifier:variant=task",
}
"""Who takes part where nobody says otherwise, by label; the paper's learners with the paper's settings."""
OTHERS = {
    "naive-bayes": "naive_bayes",
    "HAT": "hoeffding_adaptive_tree_classifier",
    "EFDT": "extremely_fast_decision_tree_classifier",
    "ARF-10": "adaptive_random_forest_classifier:n_models=10",
    "SRP-10": "streaming_random_patches_classifier:n_models=10",
    "LevBag-10": "leveraging_bagging_classifier:n_models=10",
    "OzaBag-10": "oza_bag_classifier:n_models=10",
    "SmoothBoost-10": "online_smooth_boost_classifier:n_models=10",
}
"""Further ones that have a label of their own."""
LEARNERS = {**DEFAULTS, **OTHERS}


def default_streams() -> list[Stream]:
    """The streams of the benchmark."""
    made = [Stream(name, name, True, MILLION, WIDTHS.get(name, UNKNOWN_WIDTH)) for name in GENERATED]
    return [*made, *map(_real, REAL)]


def default_learners() -> list[Entry]:
    """The learners of the benchmark."""
    return [Entry(label, spec) for label, spec in DEFAULTS.items()]


@cache
def labels_by_call() -> dict[str, str]:
    """The benchmark's own labels, by the call that makes the learner; without learners that aren't installed."""
    found = {}
    for label, spec in LEARNERS.items():
        with suppress(UnknownNameError):
            found[Entry(label, spec).call] = label
    return found


def parse_streams(texts: Sequence[str]) -> list[Stream]:
    """The streams that are asked for; all of them, if none is.

    Parameters
    ----------
    texts
        Names of the benchmark, ``NAME:param=value`` of other generators, data sets, paths; each perhaps as
        ``NAME=…``, to be called so, and held against what was published for the stream of that name.

    Raises
    ------
    OptionError
        If a stream is named twice, or its length or seed is given.
    """
    if not texts:
        return default_streams()
    known = {stream.name: stream for stream in default_streams()}
    found = [known.get(text) or _stream(text) for text in texts]
    _check_once([stream.name for stream in found])
    return found


def _stream(text: str) -> Stream:
    name, what = (text, text) if Path(text).exists() else _labelled(text)
    if not is_synthetic(what):
        data = next((data for data in datasets() if data.name == what), None)
        if data is None and not Path(what).expanduser().is_file():
            raise registry.unknown_name(
                "stream", what, [*GENERATED, *registry.names("streams"), *(data.name for data in datasets())]
            )
        shown = Path(what).stem if name == what else name
        return Stream(shown, what, False, *((data.rows, data.features) if data else ()))
    given = registry.parse_call(what)[1]
    for option in ("seed", "rows"):
        if option in given:
            raise OptionError(f"{what}: leave {option} to --{'seeds' if option == 'seed' else 'rows'}")
    return Stream(name, what, True)


def parse_learners(texts: Sequence[str]) -> list[Entry]:
    """The learners that are asked for; those of the benchmark, if none is.

    Parameters
    ----------
    texts
        Labels of the benchmark's own, ``NAME:param=value``, or ``LABEL=NAME:param=value``.

    Raises
    ------
    OptionError
        If a learner or a parameter is unknown, or a label is given twice.

    Examples
    --------
    >>> parse_learners(["HT", "quick=hoeffding_tree_classifier:grace_period=50"])
    [Entry('HT', 'hoeffding_tree_classifier'), Entry('quick', 'hoeffding_tree_classifier:grace_period=50')]
    """
    if not texts:
        return default_learners()
    found = [Entry(text, LEARNERS[text]) if text in LEARNERS else Entry(*_labelled(text)) for text in texts]
    _check_once([entry.label for entry in found])
    return found


def _labelled(text: str) -> tuple[str, str]:
    """``LABEL=SPEC``, or a spec that is its own label; an equals sign behind a colon belongs to a parameter."""
    label, equals, spec = text.partition("=")
    return (label, spec) if equals and ":" not in label and spec else (text, text)


def _check_once(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise OptionError(f"{name!r} is named twice")
        seen.add(name)
