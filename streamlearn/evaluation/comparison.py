"""Learners compared over several streams: scores, ranks, and whether the differences are more than chance."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import OptionError, StateError
from . import statistics, verdict
from .metrics import METRICS, Task
from .result import Result, format_metric, strict
from .table import Column, as_text, best_of, for_terminal

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

FORMAT = "streamlearn-comparison/1"
ROPE = 0.01
"""Differences of up to one percent point count as practically none, unless said otherwise."""


@dataclass(kw_only=True)
class Comparison:
    """Results of the same learners on several streams.

    Made by `compare`, or by `from_results`.

    Parameters
    ----------
    results
        One a stream, in the order of the streams.

    Examples
    --------
    >>> import streamlearn as sl
    >>> learners = {"majority": sl.PriorClassifier(), "last label": sl.NoChangeClassifier()}
    >>> print(sl.compare(["electricity"], learners, metrics=["accuracy"], limit=5000))
    1 stream, accuracy in %
    <BLANKLINE>
    Learner     Mean rank  electricity
    ----------  ---------  -----------
    last label       1.00      84.1000
    majority         2.00      60.9400
    """

    results: list[Result]

    def __post_init__(self) -> None:
        if not self.results or not all(result.runs for result in self.results):
            raise OptionError("a comparison needs at least one result, each with runs")
        first = _kind(self.results[0])
        for result in self.results[1:]:
            for what, value in _kind(result).items():
                if value != first[what]:
                    raise OptionError(
                        f"can't compare: {what} {value} on {result.stream!r}, but {first[what]} on {self.streams[0]!r}"
                    )
        if len(set(self.streams)) < len(self.streams):
            twice = next(name for name in self.streams if self.streams.count(name) > 1)
            raise OptionError(f"there are two results on the stream {twice!r}: give streams different names")

    @classmethod
    def from_results(cls, results: Iterable[Result | str | os.PathLike[str]]) -> Comparison:
        """Compare saved results: `Result` objects, or the JSON files that `Result.to_json` wrote.

        Results on the same stream with the same number of rows, such as one file a learner, become one.

        Raises
        ------
        OptionError
            If the learners, the metrics or the tasks are not the same on every stream.
        StateError
            If a file is not the JSON of a result.
        """
        joined: dict[str, Result] = {}
        for given in results:
            result = given if isinstance(given, Result) else Result.from_json(given)
            known = joined.get(result.stream)
            joined[result.stream] = result if known is None else _joined(known, result)
        return cls(results=list(joined.values()))

    # -- what was compared ----------------------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        """ "classification" or "regression"."""
        return self.results[0].task

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams' names."""
        return tuple(result.stream for result in self.results)

    @property
    def labels(self) -> tuple[str, ...]:
        """The learners' labels."""
        return self.results[0].labels

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that all results have."""
        return self.results[0].metrics

    # -- numbers --------------------------------------------------------------------------------------------------

    def scores(self, metric: str | None = None) -> np.ndarray:
        """Each learner's metric over each whole stream, the mean over its seeds.

        Parameters
        ----------
        metric
            Default: the first one.

        Returns
        -------
        float64 [streams, learners]

        Raises
        ------
        OptionError
            If the metric was not measured.
        """
        name = self._metric(metric)
        means = [{entry["learner"]: entry[name] for entry in result.summary} for result in self.results]
        return np.array([[row[label] for label in self.labels] for row in means], np.float64)

    def ranks(self, metric: str | None = None) -> np.ndarray:
        """The learners' ranks on each stream, float64 [streams, learners], the best 1; equal ones share the mean."""
        name = self._metric(metric)
        return statistics.average_ranks(self.scores(name), higher_is_better=METRICS[name].higher_is_better)

    def mean_ranks(self, metric: str | None = None) -> dict[str, float]:
        """Each learner's mean rank over the streams, the best first."""
        means = self.ranks(metric).mean(axis=0).tolist()
        return dict(sorted(zip(self.labels, means, strict=True), key=lambda item: item[1]))

    # -- statistics -----------------------------------------------------------------------------------------------

    def friedman(self, metric: str | None = None) -> statistics.Friedman | None:
        """Whether some learner differs from the others; None for fewer than 2 streams or 2 learners."""
        enough = len(self.streams) >= 2 and len(self.labels) >= 2
        return statistics.friedman(self.ranks(metric)) if enough else None

    def critical_difference(self, alpha: float = 0.05) -> float:
        """Nemenyi's critical difference of mean ranks at the level ``alpha``."""
        return statistics.critical_difference(len(self.labels), len(self.streams), alpha)

    def pairs(self, metric: str | None = None, *, rope: float | None = None, seed: int = 0) -> list[dict[str, Any]]:
        """What sets each two learners apart over the streams.

        Parameters
        ----------
        metric
            Default: the first one.
        rope
            Differences of the metric that don't matter in practice, in its own unit. Default: 0.01, which is one
            percent point, for metrics that are shares, and 0 for others.
        seed
            Of the Monte Carlo samples of the posterior distribution.

        Returns
        -------
        list of dict
            One for each two learners, ``a`` having the better mean rank: see `pair`, and ``wilcoxon_holm``, the p-value
            adjusted for all pairs. Pairs that no stream has a defined metric of are left out.
        """
        every = [self.pair(a, b, metric, rope=rope, seed=seed) for a, b in combinations(self.mean_ranks(metric), 2)]
        found = [entry for entry in every if entry is not None]
        for entry, adjusted in zip(found, statistics.holm([entry["wilcoxon"] for entry in found]), strict=True):
            entry["wilcoxon_holm"] = adjusted
        return found

    def pair(
        self, a: str, b: str, metric: str | None = None, *, rope: float | None = None, seed: int = 0
    ) -> dict[str, Any] | None:
        """What sets two learners apart over the streams.

        Parameters
        ----------
        a, b
            Their labels.
        metric, rope, seed
            As in `pairs`.

        Returns
        -------
        dict or None
            Keys ``a``, ``b``, ``difference`` (mean of a's metric less b's), ``wins``, ``ties``, ``losses`` (streams on
            which a is better than, equal to, worse than b), ``wilcoxon`` (p-value), and the posterior probabilities
            ``p_a``, ``p_equivalent``, ``p_b`` of the Bayesian signed-rank test. Streams on which the metric is
            undefined are left out; None if it is on all.

        Raises
        ------
        OptionError
            If there is no such learner, or the metric was not measured.
        """
        name = self._metric(metric)
        for label in (a, b):
            if label not in self.labels:
                raise OptionError(f"no learner {label!r} in this comparison: use one of {', '.join(self.labels)}")
        scores, better = self.scores(name), 1.0 if METRICS[name].higher_is_better else -1.0
        difference = scores[:, self.labels.index(a)] - scores[:, self.labels.index(b)]
        gain = better * difference[np.isfinite(difference)]
        if not gain.size:
            return None
        posterior = statistics.bayesian_signed_rank(gain, rope=_rope(name) if rope is None else rope, seed=seed)
        return {
            "a": a,
            "b": b,
            "difference": float(better * gain.mean()),
            "wins": int(np.sum(gain > 0.0)),
            "ties": int(np.sum(gain == 0.0)),
            "losses": int(np.sum(gain < 0.0)),
            "wilcoxon": statistics.wilcoxon(gain).p_value,
            "p_a": posterior.first,
            "p_equivalent": posterior.equivalent,
            "p_b": posterior.second,
        }

    # -- showing --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Comparison(streams={list(self.streams)}, learners={list(self.labels)}, metrics={list(self.metrics)})"

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, metric: str | None = None) -> str:
        """The table of scores and mean ranks, and in words what the differences mean."""
        notes = [f"\n{note}" for note in self.notes(metric)]
        return "\n".join([self._title(metric), "", *as_text(self.columns(metric)), *notes])

    def table(self, width: int | None = None, metric: str | None = None) -> Table:
        """Scores and mean ranks as a table for the terminal; the best of each stream is bold.

        Parameters
        ----------
        width
            Characters that there is room for. Default: show all.
        metric
            Default: the first one.
        """
        return for_terminal(self.columns(metric), self._title(metric), self.notes(metric), width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Let ``rich.print(comparison)`` show the table, as wide as the terminal."""
        yield self.table(options.max_width)

    def notes(self, metric: str | None = None, alpha: float = 0.05) -> list[str]:
        """In words: whether the learners differ by more than chance, and how sure it is that the best one is."""
        return verdict.over_streams(self, self._metric(metric), alpha)

    def _title(self, metric: str | None) -> str:
        measured = METRICS[self._metric(metric)]
        count = f"{len(self.streams)} stream" + ("s" if len(self.streams) > 1 else "")
        return f"{count}, {verdict.in_sentence(measured.title)}" + (" in %" if measured.percent else "")

    def columns(self, metric: str | None = None) -> list[Column]:
        """What a table shows: the learners by their mean rank, that rank, and their scores on each stream."""
        name = self._metric(metric)
        ranks, scores = self.mean_ranks(name), self.scores(name)
        order = [self.labels.index(label) for label in ranks]
        columns = [
            Column("Learner", list(ranks), is_text=True),
            Column(
                "Mean rank",
                [f"{rank:.2f}" for rank in ranks.values()],
                best=best_of(list(ranks.values()), higher_is_better=False),
            ),
        ]
        for result, row in zip(self.results, scores[:, order], strict=True):
            spread = {entry["learner"]: entry.get(f"{name}_std") for entry in result.summary}
            cells = [
                format_metric(name, value, spread[label]) for label, value in zip(ranks, row.tolist(), strict=True)
            ]
            best = best_of(row.tolist(), higher_is_better=METRICS[name].higher_is_better)
            columns.append(Column(result.stream, cells, best=best))
        return columns

    def _metric(self, metric: str | None) -> str:
        name = self.metrics[0] if metric is None else metric
        if name not in self.metrics:
            raise OptionError(f"metric {name!r} was not measured: use one of {', '.join(self.metrics)}")
        return name

    # -- pictures -------------------------------------------------------------------------------------------------

    def plot(self, path: str | os.PathLike[str], metric: str | None = None) -> None:
        """Draw each learner's score on each stream as a dot, as PNG, SVG or PDF by the suffix of ``path``.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If the metric was not measured, or the suffix is unknown.
        """
        from .plot_comparison import plot_scores

        plot_scores(self, path, metric)

    def plot_critical_difference(
        self, path: str | os.PathLike[str], metric: str | None = None, alpha: float = 0.05
    ) -> None:
        """Draw the mean ranks, with bars over learners that Nemenyi's test does not tell apart.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If there is one learner only, the metric was not measured, or the suffix is unknown.
        """
        from .plot_comparison import plot_critical_difference

        plot_critical_difference(self, path, metric, alpha)

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
        from .report import write_report

        write_report(self, path, command=command)

    # -- files ----------------------------------------------------------------------------------------------------

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Everything as strict JSON: scores, ranks, statistics and the results; also written to ``path`` if given."""
        document = {
            "format": FORMAT,
            "streams": self.streams,
            "learners": self.labels,
            "metrics": {name: self._facts(name) for name in self.metrics},
            "results": [json.loads(result.to_json()) for result in self.results],
        }
        text = json.dumps(strict(document), allow_nan=False, ensure_ascii=False, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def _facts(self, name: str) -> dict[str, Any]:
        test = self.friedman(name)
        return {
            "scores": self.scores(name),
            "mean_ranks": self.mean_ranks(name),
            "friedman": None if test is None else test._asdict(),
            "critical_difference": None if test is None else self.critical_difference(),
            "pairs": self.pairs(name),
        }

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Comparison:
        """Read what `to_json` made: the JSON text itself, or the path of a file.

        Raises
        ------
        StateError
            If it is not the JSON of a comparison, or of another version.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise StateError(f"can't read a comparison of format {document['format']!r}, only {FORMAT!r}")
            return cls(results=[Result.from_json(json.dumps(result)) for result in document["results"]])
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, StateError):
                raise
            raise StateError(f"not the JSON of a comparison: {type(error).__name__} {error}") from error

    @property
    def windows(self) -> pa.Table:
        """All curves as one table: stream, learner, seed, row, and for each metric its value in the three views."""
        tables = []
        for result in self.results:
            table = result.windows
            tables.append(table.add_column(0, "stream", pa.array([result.stream] * table.num_rows, pa.string())))
        return pa.concat_tables(tables, promote_options="default")

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write `windows` as a Parquet file."""
        pq.write_table(self.windows, path)


def _rope(name: str) -> float:
    """The region of practical equivalence by default: a percent point, where the metric is a share."""
    return ROPE if METRICS[name].percent else 0.0


def _kind(result: Result) -> dict[str, Any]:
    """What all results of a comparison have in common."""
    return {"task": result.task, "learners": sorted(result.labels), "metrics": sorted(result.metrics)}


def _joined(one: Result, other: Result) -> Result:
    """Two results on one stream as one."""
    if {run.rows for run in one.runs} != {run.rows for run in other.runs}:
        raise OptionError(f"two results on the stream {one.stream!r} are over different numbers of rows")
    twice = [label for label in other.labels if label in one.labels]
    if twice:
        raise OptionError(f"two results on the stream {one.stream!r} both have the learner {twice[0]!r}")
    return replace(one, runs=[*one.runs, *other.runs], disagreements=[*one.disagreements, *other.disagreements])
