"""The contest's results as a table, as sentences, as a picture and as JSON."""

from __future__ import annotations

import itertools
import json
import math
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from contest import Standing
from peers import PEERS

OURS = ("streamlearn", "streamlearn-parquet")
HEADINGS = (
    "learner",
    "contestant",
    "rows",
    "rows/s best",
    "median",
    "ratio",
    "accuracy %",
    "peak MB",
    "ready MB",
    "warm-up s",
)
COLOURS = ("#1b6ca8", "#7fb2d9", "#d1495b", "#e8a0a9", "#edae49", "#66a182", "#8d6a9f", "#6b7280")


def base_of(standing: Standing, standings: Sequence[Standing]) -> Standing | None:
    """Our entry that a standing is compared with: same stream, same rows, and the same learner if we have it."""
    ours = [
        other
        for other in standings
        if other.entry.peer in OURS
        and other.entry.stream == standing.entry.stream
        and other.entry.rows == standing.entry.rows
    ]
    same = [other for other in ours if other.entry.learner == standing.entry.learner]
    return next(iter(same or ours), None)


def ratio_of(standing: Standing, standings: Sequence[Standing]) -> float:
    """How many times as fast as this contestant we are, best pass against best pass; NaN for ourselves."""
    base = base_of(standing, standings)
    return math.nan if base is None or standing.entry.peer in OURS else base.best / standing.best


def table(stream: str, standings: Sequence[Standing]) -> str:
    """A stream's standings as aligned text; ``ratio`` says how many times as fast as the contestant we are."""
    lines = [HEADINGS] + [_cells(s, standings) for s in standings if s.entry.stream == stream]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    shown = [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    return "\n".join([f"== {stream}", *(line.rstrip() for line in shown)])


def _cells(s: Standing, standings: Sequence[Standing]) -> tuple[str, ...]:
    return (
        s.entry.learner,
        s.title,
        f"{s.entry.rows:,}",
        f"{s.best:,.0f}",
        f"{s.median:,.0f}",
        _times(ratio_of(s, standings)),
        f"{100.0 * s.accuracy:.4f}",
        f"{s.peak_mb:,.0f}",
        f"{s.ready_mb:,.0f}",
        f"{s.warm_up_seconds:.1f}",
    )


def _times(ratio: float) -> str:
    if math.isnan(ratio):
        return ""
    return f"{ratio:,.0f}×" if ratio >= 10.0 else f"{ratio:.2f}×"


def differences(stream: str, standings: Sequence[Standing]) -> list[str]:
    """For each learner that we share with a peer: how far apart the accuracies are."""
    lines = []
    for standing in standings:
        base = base_of(standing, standings)
        if standing.entry.stream != stream or standing.entry.peer in OURS or base is None:
            continue
        if base.entry.learner == standing.entry.learner:
            gap = round(100.0 * (base.accuracy - standing.accuracy), 4) + 0.0  # no "-0.0000"
            rows = f"{standing.entry.rows:,} rows"
            lines.append(f"{standing.entry.learner}: streamlearn − {standing.title} = {gap:+.4f} points ({rows})")
    return lines


def winner(stream: str, standings: Sequence[Standing], y: np.ndarray) -> str:
    """Who predicts best over the whole stream, with "the same as last time" as the mark to beat."""
    whole = [s for s in standings if s.entry.stream == stream and s.entry.rows == len(y)]
    best = max(whole, key=lambda s: s.accuracy)
    mark = float(np.mean(np.concatenate([[0], y[:-1]]) == y))
    top = [s for s in whole if s.accuracy == best.accuracy]
    names = " and ".join(s.title if s.entry.learner in s.title else f"{s.title} ({s.entry.learner})" for s in top)
    verdict = "more" if best.accuracy > mark else "no more"
    return (
        f"most accurate: {names}, {100.0 * best.accuracy:.2f} %; {verdict} than repeating the last label, "
        f"{100.0 * mark:.2f} %"
    )


def plot(path: Path, standings: Sequence[Standing]) -> None:
    """Draw rows per second on a log axis, one panel a learner, with the ratios on the bars."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    learners = list(dict.fromkeys(s.entry.learner for s in standings if s.entry.peer in OURS))
    peers = list(PEERS)
    titles = list(dict.fromkeys(s.title for s in sorted(standings, key=lambda s: peers.index(s.entry.peer))))
    colours = dict(zip(titles, itertools.cycle(COLOURS), strict=False))
    panels = [_bars_of(learner, learner == learners[0], standings) for learner in learners]
    height = 1.6 + 0.28 * max(sum(1 + len(group) for _, group in panel) for panel in panels)
    figure, axes = plt.subplots(1, len(learners), figsize=(6.4 * len(learners), height), squeeze=False, sharex=True)
    for axis, learner, panel in zip(axes[0], learners, panels, strict=True):
        _draw(axis, panel, colours, standings)
        axis.set_title(learner.replace("_", " "))
    figure.supxlabel(
        "rows per second, best pass; in brackets: how many times as fast streamlearn is on the same rows", fontsize=10
    )
    handles = [Patch(color=colours[title]) for title in titles]
    figure.legend(handles, titles, loc="upper center", ncols=min(4, len(titles)), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.55 / height))
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _bars_of(learner: str, first: bool, standings: Sequence[Standing]) -> list[tuple[str, list[Standing]]]:
    """For each stream the bars of a panel; learners that only a peer has go to the first panel."""
    ours = {s.entry.learner for s in standings if s.entry.peer in OURS}
    shown = [s for s in standings if s.entry.learner == learner or (first and s.entry.learner not in ours)]
    longest: dict[tuple[str, str], Standing] = {}  # ours on a peer's fewer rows has a place in the table only
    for s in shown:
        key = (s.entry.stream, s.title)
        if key not in longest or s.entry.rows > longest[key].entry.rows:
            longest[key] = s
    streams = dict.fromkeys(stream for stream, _ in longest)
    return [(stream, [s for (name, _), s in longest.items() if name == stream]) for stream in streams]


def _draw(
    axis: Any, panel: list[tuple[str, list[Standing]]], colours: dict[str, str], standings: Sequence[Standing]
) -> None:
    place, ticks = 0.0, []
    for _, group in panel:
        for i, s in enumerate(group):
            axis.barh(place + i, s.best, height=0.85, color=colours[s.title])
            ratio = ratio_of(s, standings)
            label = f"{s.best:,.0f}" + ("" if math.isnan(ratio) else f"   ({_times(ratio)})")
            axis.annotate(
                label, (s.best, place + i), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
            )
        ticks.append(place + (len(group) - 1) / 2)
        place += len(group) + 1
    axis.set_yticks(ticks, [stream for stream, _ in panel])
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xlim(1e3, 10 * max(s.best for s in standings))
    axis.spines[["top", "right"]].set_visible(False)


def facts() -> dict[str, Any]:
    """Where the numbers come from: command line, versions, processor, system."""
    packages = sorted({package for peer in PEERS.values() for package in peer.packages})
    return {
        "command": " ".join(sys.argv),
        "cpu": _cpu(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "java": _java(),
        "packages": {package: _version(package) for package in packages},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _java() -> str | None:
    if shutil.which("java") is None:
        return None
    lines = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr.splitlines()
    return lines[1] if len(lines) > 1 else None  # the line that names the build


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write_json(path: Path, standings: Sequence[Standing]) -> None:
    """Write everything that was measured, with where it was."""
    entries = []
    for s in standings:
        ratio = ratio_of(s, standings)
        derived = {"best": s.best, "median": s.median, "ratio": None if math.isnan(ratio) else ratio}
        entries.append({**asdict(s), "title": s.title, "rows_per_second": derived})
    path.write_text(json.dumps({**facts(), "standings": entries}, indent=1), encoding="utf-8")
