"""The journal of a search: a line a finished run, so that a search that was killed goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import OptionError

Run = tuple[int, int]
"""A trial's number, and how many rows it ran over."""


class Journal:
    """Scores by run, kept in a file of JSON lines if there is one.

    Parameters
    ----------
    path
        The file; it is made, or read and continued. None keeps the scores in memory only.
    search
        What the search is, as JSON: a file of another search is refused.

    Raises
    ------
    OptionError
        If the file belongs to another search, or is no journal.
    """

    def __init__(self, path: str | os.PathLike[str] | None, search: dict[str, Any]) -> None:
        self.scores: dict[Run, float] = {}
        self.seconds: dict[Run, float] = {}
        self._file: Any = None
        if path is None:
            return
        file = Path(path)
        whole = self._read(file, search) if file.exists() else 0
        self._file = file.open("ab")
        self._file.truncate(whole)  # a line that a killed process left unfinished
        if whole == 0:
            self._append({"search": search})

    def _read(self, file: Path, search: dict[str, Any]) -> int:
        content = file.read_bytes()
        whole = content.rfind(b"\n") + 1
        try:
            lines = [json.loads(line) for line in content[:whole].splitlines()]
            if lines and lines[0]["search"] != json.loads(json.dumps(search)):
                raise OptionError(
                    f"{file} is the journal of another search ({_difference(lines[0]['search'], search)}): "
                    "name another file, or remove this one"
                )
            for line in lines[1:]:
                run = (line["trial"], line["rows"])
                self.scores[run] = float("nan") if line["score"] is None else line["score"]
                self.seconds[run] = line["seconds"]
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(f"{file} is no journal of a search: {type(error).__name__} {error}") from None
        return whole

    def add(self, run: Run, score: float, seconds: float) -> None:
        """Note a finished run; it is on the disk when this returns."""
        self.scores[run], self.seconds[run] = score, seconds
        known = None if score != score else score
        self._append({"trial": run[0], "rows": run[1], "score": known, "seconds": round(seconds, 3)})

    def _append(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _difference(theirs: Any, ours: dict[str, Any]) -> str:
    differing = [key for key in ours if not isinstance(theirs, dict) or theirs.get(key) != ours[key]]
    return f"differing in {', '.join(differing) or 'its form'}"
