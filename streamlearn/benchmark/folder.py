"""The folder that a benchmark is kept in: what it is a benchmark of, the finished cells, and the failed ones."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..errors import InputError, OptionError, StateError
from .cell import Cell, Finished

FORMAT = "streamlearn-benchmark/1"


class Folder:
    """A benchmark on the disk.

    Parameters
    ----------
    path
        Made if it isn't there.
    rows
        How many rows of each stream at most; None for all. Given by the folder itself, where it has a benchmark.
    must_exist
        Whether there must be a benchmark in it.

    Raises
    ------
    OptionError
        If it holds a benchmark of another length.
    InputError
        If there is none, and must be; or the folder is full of other things.
    """

    def __init__(self, path: str | os.PathLike[str], *, rows: int | None = None, must_exist: bool = False) -> None:
        self.path = Path(path)
        self._cells = self.path / "cells"
        note = self.path / "benchmark.json"
        if note.is_file():
            self.rows = _rows_in(note)
            if not must_exist and self.rows != rows:
                raise OptionError(
                    f"{self.path} holds a benchmark of {_shown(self.rows)}, not of {_shown(rows)}: name another folder"
                )
            return
        if must_exist:
            raise InputError(f"there is no benchmark in {self.path}")
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(f"{self.path} is there already, and holds no benchmark: name another folder")
        self.rows = rows
        self._cells.mkdir(parents=True, exist_ok=True)
        unfinished = note.with_suffix(".part")
        unfinished.write_text(json.dumps({"format": FORMAT, "rows": rows}) + "\n", encoding="utf-8")
        os.replace(unfinished, note)

    def file(self, cell: Cell) -> Path:
        """Where a cell is kept."""
        return self._cells / cell.file_name

    def finished(self) -> list[Finished]:
        """Every finished cell, the oldest first.

        Raises
        ------
        StateError
            If a file is damaged; the message names it.
        """
        paths = sorted(self._cells.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [Finished.read(path) for path in paths]

    def keep(self, cell: Cell, finished: Finished) -> None:
        """Keep a finished cell; an earlier failure of it is forgotten."""
        finished.write(self.file(cell))
        self._failure(cell).unlink(missing_ok=True)

    def keep_failure(self, cell: Cell, message: str, details: str) -> None:
        """Keep why a cell failed; it is tried again the next time."""
        where = f"{cell.entry.label} on {cell.stream.name} (seed {cell.seed})"
        self._failure(cell).write_text(f"{where}: {message}\n\n{details}", encoding="utf-8")

    def failures(self) -> list[str]:
        """A line for each cell that failed and was not finished since."""
        return [
            path.read_text(encoding="utf-8").split("\n")[0]
            for path in sorted(self._cells.glob("*.failed.txt"))
            if not path.with_name(path.name.replace(".failed.txt", ".json")).exists()
        ]

    def _failure(self, cell: Cell) -> Path:
        return self.file(cell).with_suffix(".failed.txt")


def _rows_in(note: Path) -> int | None:
    try:
        document = json.loads(note.read_text(encoding="utf-8"))
        rows = document["rows"]
        if document["format"] != FORMAT or not (rows is None or isinstance(rows, int)):
            raise ValueError(f"expected the format {FORMAT!r} and a number of rows")
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"{note} does not describe a benchmark: {error}") from error
    return rows


def _shown(rows: int | None) -> str:
    return "whole streams" if rows is None else f"{rows:,} rows"
