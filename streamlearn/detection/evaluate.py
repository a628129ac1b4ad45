"""Runs drift detectors over sequences with known drifts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from .. import models
from ..detector import Detector, ValueDetector
from ..errors import InputError, OptionError
from ..evaluation.progress import Progress
from ..learner import Learner
from ..registry import parse_call
from ..source import Source, is_synthetic, open_stream
from .result import DetectionResult, DetectionRun
from .scoring import score_alarms
from .signals import SIGNALS, Signal, make_signal

DEFAULT_SIGNALS = tuple(SIGNALS)
WARNING, DRIFT = 1, 2  # levels of a detector


def evaluate_detectors(
    detectors: Any,
    streams: Any = DEFAULT_SIGNALS,
    *,
    learner: str = "naive_bayes",
    seeds: int | Sequence[int] = 10,
    max_delay: int = 1000,
    limit: int | None = None,
    progress: bool = False,
) -> DetectionResult:
    """Run drift detectors over sequences with known drifts and measure delays, false alarms and misses.

    A detector takes in a signal's values, or the errors that a learner makes on a stream, test-then-train, where the
    stream knows its drifts; the learner goes on learning and is never reset, so that all detectors see the same errors.
    A detector of the input takes in the rows instead. Detectors that raise an alarm restart by themselves. One that is
    not defined for a sequence's values (DDM takes errors, 0 or 1) sits that sequence out.

    Parameters
    ----------
    detectors
        A detector, or several as a list or as a dict by label: registered names with parameters, such as
        ``"ddm:drift_threshold=2.5"``, detectors of ours, or River's.
    streams
        A signal (see `SIGNALS`), a `Signal`, the name of a stream that knows its drifts (``"sea_a:rows=100000"``), or
        several of these. All signals by default.
    learner
        Registered name of the classifier whose errors are watched on streams.
    seeds
        A number of seeds, counted from 1, or the seeds themselves. Each makes a signal or a synthetic stream anew; a
        stream without a seed is run once.
    max_delay
        Rows after a change until which an alarm still counts as finding it.
    limit
        Rows of each stream to use.
    progress
        Whether to show progress on stderr.

    Returns
    -------
    DetectionResult

    Raises
    ------
    OptionError
        If a name or an option is unknown or out of range, or a stream does not know its drifts.

    Examples
    --------
    >>> import streamlearn as sl
    >>> result = sl.evaluate_detectors(["adwin", "hddm_a"], "abrupt_errors", seeds=3)
    >>> [(entry["detector"], entry["found"], entry["drifts"]) for entry in result.summary]
    [('adwin', 3, 3), ('hddm_a', 3, 3)]
    """
    named = _named(detectors)
    wanted = [streams] if isinstance(streams, (str, Signal, Source)) else list(streams)
    if not wanted:
        raise OptionError("give at least one signal or stream")
    numbers = list(range(1, seeds + 1)) if isinstance(seeds, int) else list(seeds)
    if not numbers:
        raise OptionError("give at least one seed")
    runs: list[DetectionRun] = []
    skipped: dict[tuple[str, str], str] = {}
    for what in wanted:
        for seed in numbers if _takes_seed(what) else [None]:
            signal, rows = _sequence(what, seed, learner, limit, any(map(_watches_rows, named.values())))
            with Progress(signal.name, None, enabled=progress) as shown:
                shown.say(f"{signal.name}{'' if seed is None else f', seed {seed}'}: {len(signal.values):,} rows")
                for label, detector in named.items():
                    fresh = detector.clone()
                    taken = rows if _watches_rows(detector) else signal.values
                    if taken is None:
                        raise OptionError(f"{label} watches rows, and {signal.name} has values only: name a stream")
                    started = time.perf_counter()
                    try:
                        levels = levels_of(fresh, taken)
                    except InputError as error:
                        skipped[label, signal.name] = str(error)
                        continue
                    seconds = time.perf_counter() - started
                    alarms = np.flatnonzero(levels == DRIFT)
                    runs.append(
                        DetectionRun(
                            detector=label,
                            stream=signal.name,
                            seed=seed,
                            drifts=tuple(signal.drifts),
                            alarms=alarms,
                            warnings=int((levels == WARNING).sum()),
                            optional=tuple(signal.optional),
                            score=score_alarms(alarms, signal.drifts, len(signal.values), max_delay, signal.optional),
                            seconds=seconds,
                        )
                    )
    settings = {"learner": learner, "max_delay": max_delay, "limit": limit}
    if not runs:
        raise InputError(f"no detector takes in these values: {next(iter(skipped.values()))}")
    return DetectionResult(runs=runs, settings=settings, skipped=skipped)


def levels_of(detector: Any, values: np.ndarray) -> np.ndarray:
    """The detector's level after each value, uint8 [n]: 0 in control, 1 warning, 2 drift.

    Detectors without an array API, such as River's, are fed value by value.
    """
    if hasattr(detector, "update_many"):
        return cast(np.ndarray, detector.update_many(values))
    levels = np.zeros(len(values), np.uint8)
    takes: Callable[[float], Any] = float if not _is_binary(detector) else lambda value: value != 0.0
    for i, value in enumerate(values.tolist()):
        detector.update(takes(value))
        levels[i] = DRIFT if detector.drift_detected else WARNING * bool(getattr(detector, "warning_detected", False))
    return levels


def _is_binary(detector: Any) -> bool:
    """Whether it is one of River's detectors of True and False."""
    return any(cls.__name__.startswith("Binary") for cls in type(detector).__mro__)


def _watches_rows(detector: Any) -> bool:
    return isinstance(detector, Detector) and not isinstance(detector, ValueDetector)


def _named(detectors: Any) -> dict[str, Any]:
    if isinstance(detectors, Mapping):
        return {str(label): _made(detector) for label, detector in detectors.items()}
    several = list(detectors) if isinstance(detectors, (list, tuple)) else [detectors]
    if not several:
        raise OptionError("give at least one detector")
    named: dict[str, Any] = {}
    for spec in several:
        label = spec if isinstance(spec, str) else type(spec).__name__
        if label in named:
            raise OptionError(f"two detectors are called {label}: give them as a dict by label")
        named[label] = _made(spec)
    return named


def _made(detector: Any) -> Any:
    if isinstance(detector, str):
        return models.make_detector(detector)
    if not hasattr(detector, "update") or not hasattr(detector, "drift_detected"):
        raise OptionError(f"{detector!r} is no drift detector: it has no update or no drift_detected")
    return detector


def _takes_seed(what: Any) -> bool:
    if not isinstance(what, str):
        return False
    name, options = parse_call(what)
    return name in SIGNALS or (is_synthetic(what) and "seed" not in options)


def _sequence(
    what: Any, seed: int | None, learner: str, limit: int | None, with_rows: bool
) -> tuple[Signal, np.ndarray | None]:
    """The values that detectors take in, and the rows behind them where there are any."""
    if isinstance(what, Signal):
        return what, None
    if isinstance(what, str) and parse_call(what)[0] in SIGNALS:
        return make_signal(what, seed=seed or 0), None
    text = what if seed is None else f"{what}{',' if ':' in what else ':'}seed={seed}"
    source = open_stream(text)
    with source:
        drifts = [drift for drift in source.drifts if limit is None or drift.row < limit]
        if not source.drifts:
            raise OptionError(f"{source.name} does not know its drifts, so alarms can't be judged")
        errors, rows = _errors_of(source, models.make_learner(learner), limit, with_rows)
        return Signal(source.name, errors, drifts), rows


def _errors_of(
    source: Source, learner: Learner, limit: int | None, with_rows: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """The learner's errors on the stream, test-then-train: 0 or 1 for classes, absolute for values."""
    errors, rows = [np.empty(0)], []
    for batch in source.batches(limit=limit):
        predicted, truth = learner.process(batch).prediction, learner.targets(batch)
        if learner.task == "regression":
            errors.append(np.abs(truth - predicted))
        else:
            errors.append((truth != predicted).astype(np.float64))
        if with_rows:
            rows.append(batch.X)
    return np.concatenate(errors), np.concatenate(rows) if rows else None
