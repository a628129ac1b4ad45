"""Runs the measured programs as processes, and prints tables of what they tell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parent.parent
LONGEST = 900


def start(module: str, spec: dict[str, Any]) -> subprocess.Popen[str]:
    """Start one of the modules here with a specification."""
    command = [sys.executable, "-m", f"live_kafka.{module}", json.dumps(spec)]
    return subprocess.Popen(command, cwd=BENCHMARKS, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it printed when it ended."""
    out, _ = process.communicate(timeout=LONGEST)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, process.args))} ended with {process.returncode}")  # type: ignore[arg-type]
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Run a subject to its end."""
    return result(start("subjects", spec))


def best(results: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The one with the least processor time a row."""
    return min(results, key=lambda found: found["cpu"] / found["rows"])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print(flush=True)
