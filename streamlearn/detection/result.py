"""What detectors found, as a table, as JSON and as a picture."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.result import strict
from ..evaluation.table import rendered
from ..source import Drift
from .scoring import Score, summarise

if TYPE_CHECKING:
    from rich.table import Table

ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionRun:
    """One detector on one sequence.

    Attributes
    ----------
    detector, stream : str
    seed : int or None
    drifts, optional : tuple of Drift
        The changes to find, and those that may be told or not.
    alarms : int64 [a]
        Rows after which it raised an alarm.
    warnings : int
        Rows after which it was in its warning zone.
    score : Score
    seconds : float
        Time that it took.
    """

    detector: str
    stream: str
    seed: int | None
    drifts: tuple[Drift, ...]
    optional: tuple[Drift, ...]
    alarms: np.ndarray
    warnings: int
    score: Score
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionResult:
    """How well detectors did.

    Attributes
    ----------
    runs : list of DetectionRun
    settings : dict
    skipped : dict of (detector, stream) to str
        Detectors that sat a sequence out, and why.
    """

    runs: list[DetectionRun]
    settings: dict[str, Any]
    skipped: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def detectors(self) -> list[str]:
        """Labels of the detectors."""
        return list(dict.fromkeys(run.detector for run in self.runs))

    @property
    def streams(self) -> list[str]:
        """Names of the sequences."""
        return list(dict.fromkeys(run.stream for run in self.runs))

    @property
    def summary(self) -> list[dict[str, Any]]:
        """One entry a detector, over all sequences (see `scoring.summarise` for the figures)."""
        return [self._entry(detector, self.streams) for detector in self.detectors]

    @property
    def by_stream(self) -> list[dict[str, Any]]:
        """One entry a sequence and detector."""
        return [
            {"stream": stream, **self._entry(detector, [stream])}
            for stream in self.streams
            for detector in self.detectors
            if any(run.detector == detector and run.stream == stream for run in self.runs)
        ]

    def _entry(self, detector: str, streams: list[str]) -> dict[str, Any]:
        runs = [run for run in self.runs if run.detector == detector and run.stream in streams]
        rows = sum(run.score.rows for run in runs)
        return {
            "detector": detector,
            **summarise([run.score for run in runs]),
            "warnings": 1000.0 * sum(run.warnings for run in runs) / rows,
            "ns_per_value": 1e9 * sum(run.seconds for run in runs) / rows,
        }

    def table(self, *, by_stream: bool = False) -> Table:
        """The figures as a table for the terminal; the best mean time ratio is bold.

        Parameters
        ----------
        by_stream
            A line for each sequence and detector, instead of one for each detector.
        """
        from rich import box
        from rich.table import Table

        entries = self.by_stream if by_stream else self.summary
        seeds = len({(run.stream, run.seed) for run in self.runs})
        table = Table(
            title=f"{len(self.streams)} streams, {seeds} sequences; an alarm counts up to "
            f"{self.settings['max_delay']:,} rows after a change",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            caption="\n".join(
                [
                    "Delay: mean rows from a drift's onset to its alarm. False alarms and warnings: per 1,000 rows. "
                    "Mean time ratio: rows between false alarms over delay, times the share found.",
                    *self._notes(),
                ]
            ),
            caption_justify="left",
        )
        if by_stream:
            table.add_column("Stream")
        table.add_column("Detector")
        for title in (
            "Found",
            "Missed %",
            "Delay",
            "False alarms",
            "Rows between",
            "Warnings",
            "Mean time ratio",
            "ns",
        ):
            table.add_column(title, justify="right")
        best: dict[str, float] = {}
        for entry in entries:
            ratio = entry["mean_time_ratio"]
            if not math.isnan(ratio):
                key = entry.get("stream", ALL)
                best[key] = max(best.get(key, 0.0), ratio)
        for entry in entries:
            cells = [
                *([entry["stream"]] if by_stream else []),
                entry["detector"],
                f"{entry['found']} of {entry['drifts']}",
                _number(100.0 * entry["missed"], 1),
                _number(entry["delay"], 0) + (f" ± {entry['delay_std']:,.0f}" if entry["delay_std"] >= 0.0 else ""),
                _number(entry["false_alarms"], 3),
                _number(entry["time_between_false_alarms"], 0),
                _number(entry["warnings"], 1),
                _number(entry["mean_time_ratio"], 1),
                _number(entry["ns_per_value"], 0),
            ]
            is_best = len(self.detectors) > 1 and entry["mean_time_ratio"] == best.get(entry.get("stream", ALL))
            table.add_row(*cells, style="bold" if is_best else None)
        return table

    def _notes(self) -> list[str]:
        streams: dict[str, list[str]] = {}
        for detector, stream in self.skipped:
            streams.setdefault(stream, []).append(detector)
        return [f"Not defined for the values of {name}: {', '.join(labels)}." for name, labels in streams.items()]

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, *, by_stream: bool = False) -> str:
        """The table as plain text."""
        return rendered(self.table(by_stream=by_stream))

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Everything as strict JSON (an undefined or infinite number becomes null); also written to ``path``."""
        document = {
            "settings": self.settings,
            "summary": self.summary,
            "skipped": [{"detector": d, "stream": s, "why": why} for (d, s), why in self.skipped.items()],
            "by_stream": self.by_stream,
            "runs": [
                {
                    "detector": run.detector,
                    "stream": run.stream,
                    "seed": run.seed,
                    "rows": run.score.rows,
                    "drifts": [{"row": drift.row, "width": drift.width} for drift in run.drifts],
                    "alarms": run.alarms.tolist(),
                    "found": run.score.found.tolist(),
                    "false_alarms": run.score.false_alarms.tolist(),
                    "warnings": run.warnings,
                    "seconds": run.seconds,
                }
                for run in self.runs
            ],
        }
        text = json.dumps(strict(document), allow_nan=False, ensure_ascii=False, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw delay against false alarms, and each sequence's alarms over its rows, as PNG, SVG or PDF.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If the suffix is unknown.
        """
        from .plot import plot_detection

        plot_detection(self, path)


def _number(value: float, decimals: int) -> str:
    if math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:,.{decimals}f}"
