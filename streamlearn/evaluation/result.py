"""The result of an evaluation: numbers and curves of each learner, and their way to tables, files and pictures."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import jsonable
from ..errors import OptionError, StateError
from .classification import ClassificationMetrics
from .metrics import METRICS, SUFFIX, Task
from .regression import RegressionMetrics
from .table import (
    Column,
    as_text,
    best_of,
    for_terminal,
    format_count,
    format_fact,
    format_ram_hours,
    format_setting,
    format_size,
    is_number,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

FORMAT = "streamlearn-result/2"
READABLE = (FORMAT, "streamlearn-result/1")  # the first had no class curves, calibration and memory
PACKAGES = ("streamlearn", "numpy", "scipy", "numba", "pyarrow", "river")


@dataclass(kw_only=True)
class Run:
    """One learner over one stream, with one seed.

    Parameters
    ----------
    label
        What tables and pictures call the learner.
    params
        The learner's parameters, as JSON can hold them.
    seed
        None for a learner without randomness.
    fold
        Which model of a distributed validation; None if there was one model only.
    learned
        Labels that the learner was given, where it was not given all of them.
    rows, labelled, unpredicted
        Rows of the stream, those with a label, and labelled ones for which the learner had no prediction.
    cumulative, window, fading
        Each metric's final value in the three views; NaN where undefined.
    curve : pyarrow.Table
        ``row`` and, for each metric, ``<metric>``, ``<metric>_fading``, ``<metric>_window``.
    classes
        Class labels by code; None for regression.
    confusion : float64 [C, C] or None
        Weight by true (row) and predicted (column) class.
    per_class
        One dict a class: class, support, predicted, precision, recall, f1.
    class_curve : pyarrow.Table or None
        ``row``, ``class`` (its place in `classes`), ``support``, ``predicted``, ``precision``, ``recall``, ``f1``: the
        scores over the window of each of the first 50 classes, at the curve's points, where it occurs in the window.
    calibration
        One dict a bin of the largest probability, over the whole stream: low, high, weight, confidence, accuracy; None
        where no metric of probabilities other than log_loss was measured.
    wall_seconds, cpu_seconds
        Time for predicting, learning and measuring.
    model_bytes, peak_rss_bytes
        Size of the learner's state at the end, and the most memory that the process held; None where unknown.
    memory : pyarrow.Table or None
        ``row`` and ``model_bytes``: the size of the learner's state after each batch; None where unknown.
    ram_hours
        Size of the learner's state in gigabytes (2^30 bytes) times the hours that it was held, as MOA has it; NaN where
        unknown.
    inspection
        What the learner says about itself, such as ``{"nodes": 57, "leaves": 39, "depth": 8}``.
    """

    label: str
    params: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    fold: int | None = None
    learned: int | None = None
    rows: int
    labelled: int
    unpredicted: int = 0
    cumulative: dict[str, float]
    window: dict[str, float]
    fading: dict[str, float]
    curve: pa.Table
    classes: list[Hashable] | None = None
    confusion: np.ndarray | None = None
    per_class: list[dict[str, Any]] | None = None
    class_curve: pa.Table | None = None
    calibration: list[dict[str, float]] | None = None
    wall_seconds: float = math.nan
    cpu_seconds: float = math.nan
    model_bytes: int | None = None
    peak_rss_bytes: int | None = None
    memory: pa.Table | None = None
    ram_hours: float = math.nan
    inspection: dict[str, Any] = field(default_factory=dict)

    @property
    def rows_per_second(self) -> float:
        """Rows by wall time; NaN where no time was taken."""
        return self.rows / self.wall_seconds if self.wall_seconds > 0.0 else math.nan

    @classmethod
    def measured(
        cls,
        metrics: ClassificationMetrics | RegressionMetrics,
        *,
        label: str,
        classes: Sequence[Hashable] | None = None,
        **facts: Any,
    ) -> Run:
        """Make a run of what ``metrics`` have measured.

        Parameters
        ----------
        metrics
        label
        classes
            Class labels by code; codes without a label are named by their number.
        **facts
            The other parameters of a run: params, seed, wall_seconds, cpu_seconds, model_bytes, …
        """
        if isinstance(metrics, ClassificationMetrics):
            facts |= _class_facts(metrics, classes or ())
        return cls(
            label=label,
            rows=metrics.rows,
            labelled=metrics.labelled,
            unpredicted=metrics.unpredicted,
            cumulative=metrics.values("cumulative"),
            window=metrics.values("window"),
            fading=metrics.values("fading"),
            curve=metrics.curve(),
            **facts,
        )


def aggregate(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """One dict a learner, in order of first appearance: the mean over its runs, and the spread where there are several.

    Parameters
    ----------
    runs

    Returns
    -------
    list of dict
        Keys ``learner``, ``seeds`` and ``folds`` (how many; a run for each combination), ``rows``, ``unpredicted``; for
        each metric ``<metric>``, ``<metric>_window`` and ``<metric>_fading``, and with several runs ``<metric>_std``
        (sample standard deviation of the cumulative metric); ``learned``, where not all labels were given;
        ``wall_seconds``, ``cpu_seconds``, ``rows_per_second``, ``model_bytes``, ``ram_hours``, ``peak_rss_bytes`` (the
        largest); and the learner's inspection. Numbers other than counts are means.
    """
    by_label: dict[str, list[Run]] = {}
    for run in runs:
        by_label.setdefault(run.label, []).append(run)
    return [_aggregate_one(label, members) for label, members in by_label.items()]


def _aggregate_one(label: str, runs: list[Run]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "learner": label,
        "seeds": len({run.seed for run in runs}),
        "folds": len({run.fold for run in runs}),
        "rows": runs[0].rows,
        "unpredicted": _mean([run.unpredicted for run in runs]),
    }
    for name in runs[0].cumulative:
        entry[name] = _mean([run.cumulative[name] for run in runs])
        if len(runs) > 1:
            entry[f"{name}_std"] = float(np.std([run.cumulative[name] for run in runs], ddof=1))
        entry[name + SUFFIX["window"]] = _mean([run.window[name] for run in runs])
        entry[name + SUFFIX["fading"]] = _mean([run.fading[name] for run in runs])
    if runs[0].learned is not None:
        entry["learned"] = _mean([run.learned for run in runs])
    for name in ("wall_seconds", "cpu_seconds", "rows_per_second", "model_bytes", "ram_hours"):
        entry[name] = _mean([getattr(run, name) for run in runs])
    peaks = [run.peak_rss_bytes for run in runs if run.peak_rss_bytes is not None]
    entry["peak_rss_bytes"] = max(peaks, default=None)
    for name, value in runs[0].inspection.items():
        entry[name] = _mean([run.inspection.get(name) for run in runs]) if is_number(value) else value
    return entry


def versions() -> dict[str, str]:
    """Versions of Python, of the packages that numbers depend on, and of the machine's system."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {**found, "platform": platform.platform()}


@dataclass(kw_only=True)
class Result:
    """What an evaluation found out: one `Run` for each learner and seed.

    Parameters
    ----------
    stream
        The stream's name.
    task : "classification" or "regression"
    runs
    settings
        How it was evaluated: window, fading, every, delay, …
    versions
        Of Python, the packages and the system; taken now by default.
    drifts
        One dict a known change of concept: row, width.
    disagreements
        One dict a pair of learners and seed: a, b, seed, only_a_right, only_b_right, the rows that only one of the two
        predicted rightly.

    Examples
    --------
    >>> metrics = ClassificationMetrics(metrics=["accuracy", "kappa"])
    >>> metrics.update(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    >>> print(Result(stream="tiny", task="classification", runs=[Run.measured(metrics, label="mine")]))
    tiny: 4 rows
    <BLANKLINE>
    Learner  Accuracy %  Kappa %
    -------  ----------  -------
    mine        75.0000    50.00
    """

    stream: str
    task: Task
    runs: list[Run]
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)
    drifts: list[dict[str, int]] = field(default_factory=list)
    disagreements: list[dict[str, Any]] = field(default_factory=list)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, in the order in which they were asked for."""
        return tuple(self.runs[0].cumulative) if self.runs else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The learners' labels, in order of first appearance."""
        return tuple(dict.fromkeys(run.label for run in self.runs))

    @property
    def summary(self) -> list[dict[str, Any]]:
        """One dict a learner; see `aggregate`."""
        return aggregate(self.runs)

    @property
    def windows(self) -> pa.Table:
        """All curves as one table: learner, seed, row, and for each metric its value in the three views."""
        schema = pa.schema([("learner", pa.string()), ("seed", pa.int64()), ("row", pa.int64())])
        for name in self.metrics:
            for suffix in SUFFIX.values():
                schema = schema.append(pa.field(name + suffix, pa.float64()))
        return pa.concat_tables([schema.empty_table(), *(_with_names(run).cast(schema) for run in self.runs)])

    def __repr__(self) -> str:
        return f"Result(stream={self.stream!r}, learners={list(self.labels)}, metrics={list(self.metrics)})"

    def __str__(self) -> str:
        return "\n".join([self._title(), "", *as_text(summary_columns(self)), *(f"\n{note}" for note in self._notes())])

    def table(self, width: int | None = None) -> Table:
        """The summary as a table for the terminal; the best mean of each metric is bold.

        Parameters
        ----------
        width
            Characters that there is room for: columns at the right that don't fit are left out, and a note names them.
            Default: show all.
        """
        return for_terminal(summary_columns(self), self._title(), self._notes(), width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Let ``rich.print(result)`` show the table, as wide as the terminal."""
        yield self.table(options.max_width)

    def _title(self) -> str:
        rows = max((run.rows for run in self.runs), default=0)
        settings = [f"{name} {format_setting(value)}" for name, value in self.settings.items() if value is not None]
        return ", ".join([f"{self.stream}: {rows:,} rows", *settings])

    def _notes(self) -> list[str]:
        several = [name for name in ("seeds", "folds") if any(entry[name] > 1 for entry in self.summary)]
        notes = []
        if several:
            notes.append(f"Mean ± standard deviation over {' and '.join(several)}.")
        for entry in self.summary:
            if entry["unpredicted"] > 1:  # the first row, which nobody can predict, is not worth a note
                how = "counted as wrong" if self.task == "classification" else "left out of the errors"
                notes.append(f"{entry['learner']}: no prediction for {entry['unpredicted']:,.6g} rows, {how}.")
            if "learned" in entry:
                share = 100.0 * entry["learned"] / max(entry["rows"], 1)
                notes.append(f"{entry['learner']}: learned {entry['learned']:,.6g} labels, {share:.1f} % of the rows.")
        return notes

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Everything as strict JSON (an undefined number becomes null); also written to ``path`` if given."""
        document = {
            "format": FORMAT,
            "stream": self.stream,
            "task": self.task,
            "settings": self.settings,
            "versions": self.versions,
            "summary": self.summary,
            "drifts": self.drifts,
            "disagreements": self.disagreements,
            "runs": [_run_to_json(run) for run in self.runs],
        }
        text = json.dumps(strict(document), allow_nan=False, ensure_ascii=False, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Result:
        """Read what `to_json` made: the JSON text itself, or the path of a file.

        Raises
        ------
        StateError
            If it is not the JSON of a result, or of another version.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        try:
            document = json.loads(text)
            if document["format"] not in READABLE:
                raise StateError(f"can't read a result of format {document['format']!r}, only {', '.join(READABLE)}")
            return cls(
                stream=document["stream"],
                task=document["task"],
                runs=[_run_from_json(run) for run in document["runs"]],
                settings=document["settings"],
                versions=document["versions"],
                drifts=document.get("drifts", []),
                disagreements=document.get("disagreements", []),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, StateError):
                raise
            raise StateError(f"not the JSON of a result: {type(error).__name__} {error}") from error

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write `windows` as a Parquet file, with stream, settings, versions and summary (JSON) in its metadata."""
        about = {
            "format": FORMAT,
            "stream": self.stream,
            "task": self.task,
            "settings": self.settings,
            "versions": self.versions,
            "summary": self.summary,
        }
        windows = self.windows
        text = json.dumps(strict(about), allow_nan=False, ensure_ascii=False)
        pq.write_table(windows.replace_schema_metadata({"streamlearn": text}), path)

    def plot(self, path: str | os.PathLike[str], metric: str | None = None) -> None:
        """Draw a metric over the stream, a line a learner, as PNG, SVG or PDF by the suffix of ``path``.

        Parameters
        ----------
        path
        metric
            Default: the first one.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If the metric was not measured, or the suffix is unknown.
        """
        from .plot import plot_curves

        plot_curves(self, path, metric)

    def plot_confusion(self, path: str | os.PathLike[str], label: str | None = None) -> None:
        """Draw the confusion matrix and the per-class scores of one learner (default: the first); seeds are summed.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If there is no such learner or no confusion matrix, or the suffix is unknown.
        """
        from .plot import plot_confusion

        plot_confusion(self, path, label)

    def plot_classes(self, path: str | os.PathLike[str], label: str | None = None, score: str = "recall") -> None:
        """Draw the recall (or precision, f1) of each class over the window, along the stream, for one learner.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If there is no such learner, score or curve of classes, or the suffix is unknown.
        """
        from .plot_classes import plot_classes

        plot_classes(self, path, label, score)

    def plot_calibration(self, path: str | os.PathLike[str], label: str | None = None) -> None:
        """Draw how often the learners (or one of them) are right, by how sure they are; seeds are added up.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If there is no such learner, no metric of probabilities was measured, or the suffix is unknown.
        """
        from .plot_calibration import plot_calibration

        plot_calibration(self, path, label)

    def report(self, path: str | os.PathLike[str], *, command: str | None = None) -> None:
        """Write all of it as one HTML page that needs no other file: words, tables, pictures, settings.

        Parameters
        ----------
        path
        command
            What was typed to get here, to be shown for others to repeat.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        from .comparison import Comparison
        from .report import write_report

        write_report(Comparison(results=[self]), path, command=command)

    def runs_of(self, label: str) -> list[Run]:
        """The runs of one learner, one a seed.

        Raises
        ------
        OptionError
            If there is no such learner.
        """
        runs = [run for run in self.runs if run.label == label]
        if not runs:
            raise OptionError(f"no learner {label!r} in this result: use one of {', '.join(self.labels)}")
        return runs


def _class_facts(metrics: ClassificationMetrics, classes: Sequence[Hashable]) -> dict[str, Any]:
    """Names, confusion matrix and scores of all classes, also of those declared that never occurred."""
    names = [jsonable.plain(name) for name in classes]
    names += range(len(names), metrics.n_known)
    absent = len(names) - metrics.n_known
    columns = {name: np.pad(column, (0, absent)).tolist() for name, column in metrics.per_class().items()}
    confusion = metrics.confusion
    return {
        "classes": names,
        "confusion": None if confusion is None else np.pad(confusion, (0, absent)),
        "class_curve": metrics.class_curve(),
        "calibration": metrics.calibration(),
        "per_class": [
            dict(zip(("class", *columns), row, strict=True)) for row in zip(names, *columns.values(), strict=True)
        ],
    }


def _mean(values: Sequence[Any]) -> Any:
    """Mean of the numbers, exact for one; None if one is missing."""
    if any(value is None for value in values):
        return None
    return values[0] if len(values) == 1 else float(np.mean(values))


def _with_names(run: Run) -> pa.Table:
    n = run.curve.num_rows
    named = run.curve.add_column(0, "seed", pa.array([run.seed] * n, pa.int64()))
    return named.add_column(0, "learner", pa.array([run.label] * n, pa.string()))


# -- tables ------------------------------------------------------------------------------------------------------------


def summary_columns(result: Result) -> list[Column]:
    """What a table of the summary shows; a column without any content is left out."""
    summary = result.summary
    columns = [Column("Learner", [entry["learner"] for entry in summary], is_text=True)]
    if any(entry["seeds"] > 1 for entry in summary):
        columns.append(Column("Seeds", [str(entry["seeds"]) for entry in summary]))
    if any(entry["folds"] > 1 for entry in summary):
        columns.append(Column("Folds", [str(entry["folds"]) for entry in summary]))
    columns += [_metric_column(name, summary) for name in result.metrics]
    columns.append(Column("Rows/s", [format_count(entry["rows_per_second"]) for entry in summary]))
    columns.append(Column("Model", [format_size(entry["model_bytes"]) for entry in summary]))
    inspected = dict.fromkeys(name for run in result.runs for name in run.inspection)
    columns += [Column(name.capitalize(), [format_fact(entry.get(name)) for entry in summary]) for name in inspected]
    columns.append(Column("RAM-hours", [format_ram_hours(entry["ram_hours"]) for entry in summary]))
    return [column for column in columns if any(column.cells)]


def _metric_column(name: str, summary: list[dict[str, Any]]) -> Column:
    metric = METRICS[name]
    shown = [format_metric(name, entry[name], entry.get(f"{name}_std")) for entry in summary]
    best = best_of([entry[name] for entry in summary], higher_is_better=metric.higher_is_better)
    return Column(metric.title + (" %" if metric.percent else ""), shown, best=best)


def format_metric(name: str, value: float, std: float | None = None) -> str:
    """Show a metric's value as its column in a table does, with ``± std`` if given; "–" where it is undefined.

    Examples
    --------
    >>> format_metric("accuracy", 0.7919536), format_metric("kappa", 0.5723), format_metric("mae", 12.5, 0.25)
    ('79.1954', '57.23', '12.5000 ± 0.2500')
    """
    metric = METRICS[name]
    scale = 100.0 if metric.percent else 1.0
    if not math.isfinite(value):
        return "–"
    shown = f"{scale * value:,.{metric.decimals}f}"
    return shown if std is None else f"{shown} ± {scale * std:,.{metric.decimals}f}"


# -- JSON --------------------------------------------------------------------------------------------------------------


def strict(value: Any) -> Any:
    """Make a value that strict JSON can hold: no NaN, no infinity, no NumPy scalars, string keys."""
    value = jsonable.plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): strict(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return strict(value.tolist())
    if isinstance(value, (list, tuple)):
        return [strict(part) for part in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _run_to_json(run: Run) -> dict[str, Any]:
    return {
        "label": run.label,
        "params": run.params,
        "seed": run.seed,
        "fold": run.fold,
        "learned": run.learned,
        "rows": run.rows,
        "labelled": run.labelled,
        "unpredicted": run.unpredicted,
        "cumulative": run.cumulative,
        "window": run.window,
        "fading": run.fading,
        "curve": run.curve.to_pydict(),
        "classes": None if run.classes is None else [jsonable.to_json(name) for name in run.classes],
        "confusion": run.confusion,
        "per_class": None if run.per_class is None else [_class_to_json(row) for row in run.per_class],
        "class_curve": None if run.class_curve is None else run.class_curve.to_pydict(),
        "calibration": run.calibration,
        "wall_seconds": run.wall_seconds,
        "cpu_seconds": run.cpu_seconds,
        "rows_per_second": run.rows_per_second,
        "model_bytes": run.model_bytes,
        "peak_rss_bytes": run.peak_rss_bytes,
        "memory": None if run.memory is None else run.memory.to_pydict(),
        "ram_hours": run.ram_hours,
        "inspection": run.inspection,
    }


def _class_to_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "class": jsonable.to_json(row["class"])}


def _run_from_json(document: Mapping[str, Any]) -> Run:
    fields = {name: value for name, value in document.items() if name != "rows_per_second"}
    for view in SUFFIX:
        fields[view] = {name: _number(value) for name, value in document[view].items()}
    rows, *metrics = document["curve"].items()
    columns = {name: pa.array([_number(value) for value in column], pa.float64()) for name, column in metrics}
    fields["curve"] = pa.table({rows[0]: pa.array(rows[1], pa.int64()), **columns})
    for name in ("wall_seconds", "cpu_seconds", "ram_hours"):
        fields[name] = _number(document.get(name))
    for name, counts in (("class_curve", ("row", "class")), ("memory", ("row", "model_bytes"))):
        if document.get(name) is not None:
            kinds = {column: pa.int64() if column in counts else pa.float64() for column in document[name]}
            fields[name] = pa.table(document[name], pa.schema(kinds))
    if document["classes"] is not None:
        fields["classes"] = [jsonable.from_json(name) for name in document["classes"]]
        fields["per_class"] = [{**row, "class": jsonable.from_json(row["class"])} for row in document["per_class"]]
    if document["confusion"] is not None:
        size = len(document["confusion"])
        fields["confusion"] = np.array(document["confusion"], np.float64).reshape(size, size)
    return Run(**fields)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
