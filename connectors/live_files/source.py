"""A file, or the files of a folder, as a live source: read to the end or followed, resumed at any row."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal

from streamlearn.errors import PositionError, SourceError
from streamlearn.live import Assignment, LiveSource, Worker
from streamlearn.parameters import call_of, check_choice, check_flag, check_range, parameters_of
from streamlearn.records import Records

from .lines import BLOCK, LinesPart
from .part import Part
from .place import is_compressed, kind_of, place_of
from .stamps import Stamps
from .table import TablePart

LOOK_AGAIN = 0.005
"""Seconds between two looks at a file that is followed."""
LIST_AGAIN = 0.2
"""Seconds between two listings of a folder at least; and twenty times what the last one took."""
REMEMBERED = 100
"""Files read to their ends whose sizes are still watched."""


class LiveFileSource(LiveSource):
    """JSON lines or Parquet files as records of one partition, in the order of names and rows.

    A record's id is ``<file>-<row>``: the file's name relative to the path, the row counted from 0. A row is a line,
    empty ones included, which are passed over; or a row of a table. A position is ``{"file", "row", "byte", "mark",
    "before"}``: where the next row begins, a checksum of the file's bytes around what was read, and how many files
    come before it. So a file that was replaced, edited or cut short is noticed when reading goes on.

    When files are followed, a writer completes a file before it begins the next, and gives the next a name that sorts
    behind. Only whole lines are delivered; a last line without an end is one when a later file is there.

    Parameters
    ----------
    path
        A file, a folder, or a pattern such as ``logs/2026-*.jsonl``. ``.jsonl``, ``.ndjson`` and ``.json`` hold lines,
        also with ``.gz`` or ``.zst`` behind; ``.parquet`` and ``.pq`` hold tables.
    format
        The registered format of the lines; of Parquet it is ``"table"``. By default the files' names decide.
    follow
        Go on when the end is reached: wait for more lines, and in a folder for more files. Compressed files can't be
        followed.
    pattern
        Which files of a folder; by default all with one of the suffixes above.
    time
        The field that says when a record was written, in seconds since the epoch; latencies are measured from it, and
        labels merged with events by it. By default records have no times.
    max_line
        Bytes of the longest line, at least 131,072. A longer one is delivered cut, and no JSON decoder accepts it.
    on_expired : "fail" or "next"
        What to do if the file of a position is gone: raise, or go on with the first one behind it.
    on_late : "fail" or "warn"
        What to do about rows that would be lost: a file whose name sorts before the current one, or one that grew
        after a later one was begun.

    Raises
    ------
    OptionError
        If an option is out of range.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.jsonl").write_text('{"x": 1}\\n\\n{"x": 2}\\n')
    >>> source = LiveFileSource(folder)
    >>> source.open(Worker("example"))
    >>> source.assign(source.partitions())
    >>> source.seek(folder.name, None)
    >>> records = source.poll(10, 0.0)[0]
    >>> records.values, records.id(1), records.next["row"]
    ([b'{"x": 1}', b'{"x": 2}'], 'a.jsonl-2', 3)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        format: str | None = None,
        follow: bool = False,
        pattern: str | None = None,
        time: str | None = None,
        max_line: int = 1 << 24,
        on_expired: Literal["fail", "next"] = "fail",
        on_late: Literal["fail", "warn"] = "fail",
    ) -> None:
        check_flag("follow", follow)
        check_range("max_line", max_line, BLOCK, 1 << 40, kind=int)
        check_choice("on_expired", on_expired, ("fail", "next"))
        check_choice("on_late", on_late, ("fail", "warn"))
        self.path, self.follow, self.pattern = path, follow, pattern
        self.time = time
        self.max_line, self.on_expired, self.on_late = max_line, on_expired, on_late
        self._place = place_of(path, pattern)
        self._format = format
        self._stamps = None if time is None else Stamps(time)
        self.bounded = not follow
        self.name = str(self._place)
        self.format = format or _format_of([self._place.file or self._place.pattern or ""]) or "json"
        self._partition = self._place.partition
        self._assignment: Assignment | None = None
        self._ours = self._sought = self._paused = self._done = False
        self._part: Part | None = None
        self._file: str | None = None  # the name of the file that `_part` reads, or that was read last
        self._names: list[str] = []
        self._listed, self._listing_took = -1e9, 0.0
        self._ended: dict[str, int] = {}  # sizes of files when they were read to their ends
        self._warned: set[str] = set()

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that it was made with."""
        return parameters_of(self)

    def __repr__(self) -> str:
        return call_of(self)

    # -- the contract -------------------------------------------------------------------------------------------------

    def open(self, worker: Worker) -> None:
        """Look at what is there (see `LiveSource.open`)."""
        self._log = worker.log
        if not self._place.root.is_dir():
            raise SourceError(f"source {self.name}: there is no folder {self._place.root.absolute()}")
        self._list()
        if not self._names and not self.follow:
            raise SourceError(f"source {self.name}: no file is there{_others(self._place.root)}")
        found = _format_of(self._names)
        if self._names and found is None and self._format is None:
            raise SourceError(
                f"source {self.name}: files of one kind are needed, lines or Parquet, all with their suffixes"
            )
        self.format = self._format or found or self.format

    def subscribe(self, assignment: Assignment) -> None:
        """The partition is ours from the first `poll` on."""
        self._assignment = assignment

    def assign(self, partitions: Sequence[str]) -> None:
        """Take the partition."""
        self._check_partitions(partitions)
        self._ours = bool(partitions)
        self._done = self.bounded and not self._ours

    def partitions(self) -> list[str]:
        """The one partition: the file's or the folder's name."""
        return [self._partition]

    def seek(self, partition: str, position: Any | None) -> None:
        """Go to a position, or to the beginning of the first file (see `LiveSource.seek`)."""
        self._check_partitions([partition])
        self._let_go()
        self._file, self._ended, self._done = None, {}, False
        self._list()
        if position is not None:
            self._go_to(position)
        self._sought = True

    def poll(self, max_rows: int, timeout: float) -> list[Records]:
        """The next rows (see `LiveSource.poll`)."""
        if self._assignment is not None and not self._ours:
            self._ours = True
            self._assignment.assigned([self._partition])
        until = monotonic() + timeout
        while True:
            if self._sought and not self._paused and not self._done:
                try:
                    records = self._next(max_rows)
                except OSError as error:
                    raise SourceError(f"source {self.name}: {self._file} can't be read: {error}") from error
                if records is not None:
                    return [records]
            left = until - monotonic()
            if left <= 0 or self._done:
                return []
            sleep(min(LOOK_AGAIN, left))

    def pause(self, partitions: Sequence[str]) -> None:
        """Deliver nothing until `resume`."""
        self._paused = self._paused or self._partition in partitions

    def resume(self, partitions: Sequence[str]) -> None:
        """Deliver again."""
        self._paused = self._paused and self._partition not in partitions

    def lag(self) -> dict[str, int]:
        """About how many rows are left, by the files' sizes and the lengths of the rows so far."""
        if not (self._ours and self._sought):
            return {}
        if self._done:
            return {self._partition: 0}
        behind = sum(self._size(name) for name in self._behind(most=len(self._names)))
        if self._part is not None:
            return {self._partition: self._part.rows_left(behind)}
        return {self._partition: behind // 200}  # no row was seen yet

    @property
    def finished(self) -> bool:
        """Whether the last row of the last file was delivered, where files are not followed."""
        return self._done

    def close(self) -> None:
        """Let go of the file."""
        self._let_go()
        self._sought = False

    # -- from row to row, and from file to file -----------------------------------------------------------------------

    def _next(self, max_rows: int) -> Records | None:
        """The next rows; None if there are none at the moment, with `_done` set if there never will be."""
        while True:
            if self._part is None and not self._open_behind():
                return None
            part = self._part
            assert part is not None
            piece = part.read(max_rows, complete=False)
            if piece is None:
                self._check_replaced(part)
                complete = not self.follow or self._successor() is not None
                if not complete:
                    return None
                # The end was seen before the next file was: only now is the end final.
                piece = part.read(max_rows, complete=True)
            if piece is not None:
                return Records(
                    self._partition,
                    self._file or "",
                    piece.offsets,
                    self._position(part),
                    piece.values,
                    piece.table,
                    times=None if self._stamps is None else self._stamps.of(piece),
                )
            self._ended[self._file or ""] = self._size(self._file or "")
            while len(self._ended) > REMEMBERED:
                del self._ended[next(iter(self._ended))]
            if self._successor() is None:  # keep the part: the lag and a later `seek` ask it
                self._done = True
                return None
            self._let_go()

    def _open_behind(self) -> bool:
        """Open the file behind the current one; False if there is none yet."""
        name = self._successor()
        if name is None:
            self._done = not self.follow
            return False
        try:
            self._part = self._open_part(name)
        except SourceError as error:
            # Parquet can be read only when it is whole: the writer may still be at it.
            if not self.follow or self.format != "table" or self._has_later(name):
                raise
            self._warn(f"waiting until {name} is whole: {error}")
            return False
        self._file = name
        return True

    def _open_part(self, name: str, row: int = 0, byte: int = 0) -> Part:
        path = self._place.path(name)
        if (kind_of(name) == "table") != (self.format == "table"):
            raise SourceError(
                f"source {self.name}: {name} is no file of the format {self.format}: choose files by a pattern"
            )
        if self.format == "table":
            return TablePart(path, row=row)
        if self.follow and is_compressed(name):
            raise SourceError(f"source {self.name}: {name} is compressed, and such a file can't be followed")
        return LinesPart(path, row=row, byte=byte, max_line=self.max_line)

    def _let_go(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None

    def _check_replaced(self, part: Part) -> None:
        if isinstance(part, LinesPart) and not part.same_file:
            raise PositionError(
                f"source {self.name}: {self._file} was replaced by another file after {part.row} rows of it were read. "
                f"Give each file its own name, and follow their folder"
            )

    # -- positions ----------------------------------------------------------------------------------------------------

    def _position(self, part: Part) -> dict[str, Any]:
        before = bisect_left(self._names, self._file or "")
        return {"file": self._file, "row": part.row, "byte": part.byte, "mark": part.mark(), "before": before}

    def _go_to(self, position: Any) -> None:
        name, row, byte, mark, before = _fields_of(position, self.name)
        there = bisect_left(self._names, name)
        if there > before:
            self._late(f"{there - before} files came before {name}, which had been reached")
        if name not in self._names:
            if self.on_expired == "fail":
                raise PositionError(
                    f"source {self.name}: {name} is gone, and {row} rows of it were read. Bring it back; or, if it was "
                    f"read to its end, go on behind it with the option on_expired: next"
                )
            self._warn(f"{name} is gone after {row} rows of it were read; going on behind it")
            self._file = name
            return
        part = self._open_part(name, row, byte)
        try:
            same = part.mark() == mark
        except OSError as error:
            raise SourceError(f"source {self.name}: {name} can't be read: {error}") from error
        if not same:
            part.close()
            raise PositionError(
                f"source {self.name}: {name} is not the file of which {row} rows were read: it was replaced, edited or "
                f"cut short. Bring the old one back, or start afresh without the checkpoint"
            )
        self._part, self._file = part, name

    # -- the folder ---------------------------------------------------------------------------------------------------

    def _list(self) -> None:
        """List the folder, and refuse rows that would never be read."""
        started = monotonic()
        try:
            names = self._place.names()
        except OSError as error:
            raise SourceError(f"source {self.name}: can't list the files: {error}") from error
        self._listed = monotonic()
        self._listing_took = self._listed - started
        if self._file is not None:
            known = set(self._names)
            late = [name for name in names if name < self._file and name not in known]
            if late:
                self._late(f"{late[0]} came after {self._file}, before which it sorts")
            for name, size in self._ended.items():
                if name < self._file and self._size(name) > size:
                    self._late(f"{name} grew after {self._file} was begun")
                    self._ended[name] = self._size(name)
        self._names = names

    def _successor(self) -> str | None:
        """The file behind the current one, as far as the folder was listed lately."""
        if monotonic() - self._listed >= max(LIST_AGAIN, 20 * self._listing_took):
            self._list()
        behind = self._behind()
        return behind[0] if behind else None

    def _behind(self, most: int = 1) -> list[str]:
        first = 0 if self._file is None else bisect_right(self._names, self._file)
        return self._names[first : first + most]

    def _has_later(self, name: str) -> bool:
        return bool(self._names) and self._names[-1] > name

    def _size(self, name: str) -> int:
        try:
            return self._place.path(name).stat().st_size
        except OSError:  # removed since it was listed
            return 0

    # -- what is wrong ------------------------------------------------------------------------------------------------

    def _late(self, what: str) -> None:
        text = f"source {self.name}: {what}; its rows would be lost"
        if self.on_late == "fail":
            raise SourceError(f"{text}. Give it a name that sorts behind, or allow this with the option on_late: warn")
        self._warn(text)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._log.warning("%s", text)

    def _check_partitions(self, partitions: Iterable[str]) -> None:
        for partition in partitions:
            if partition != self._partition:
                raise SourceError(f"source {self.name} has one partition, {self._partition}, and no {partition}")


def _format_of(names: Sequence[str]) -> str | None:
    """The format of the records in files of these names, if they are all of one kind."""
    kinds = {kind_of(name) for name in names}
    return {"lines": "json", "table": "table"}.get(next(iter(kinds)) or "") if len(kinds) == 1 else None


def _fields_of(position: Any, source: str) -> tuple[str, int, int, str, int]:
    """The parts of a position that `Records.next` gave."""
    if isinstance(position, Mapping):
        name, mark = position.get("file"), position.get("mark")
        row, byte, before = (position.get(key) for key in ("row", "byte", "before"))
        counts = all(type(n) is int and n >= 0 for n in (row, byte, before))
        if isinstance(name, str) and isinstance(mark, str) and counts:
            return name, row, byte, mark, before  # type: ignore[return-value]  # checked in a loop
    raise PositionError(f"source {source}: {position!r} is no position of a file source")


def _others(folder: Path) -> str:
    """What there is instead, for an error."""
    names = sorted(path.name for path in folder.iterdir())[:3]
    return f"; {folder.absolute()} has {', '.join(names)}" if names else f"; {folder.absolute()} is empty"
