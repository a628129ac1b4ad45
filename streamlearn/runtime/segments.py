"""Records by key in append-only files, of which a checkpoint names the lengths: where keyed models rest.

A *segment* is two files: ``000007.models`` holds records one after the other, ``000007.index`` says where those of
which keys are. Both are only appended to, and only by the object that created them; a checkpoint says how much of them
counts. So

- a crash between an append and the checkpoint leaves bytes behind the recorded length, which nobody reads;
- whoever restores an older checkpoint, or takes the shard over while its former owner still writes, begins segments of
  its own and never touches the others': two owners can't damage each other's files;
- a checkpoint costs what changed since the last one, not what there is.

A key's newest record counts. Segments that are mostly outdated are copied forward (`Segments.collect`), and removed
when no kept checkpoint names them any more.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from ..errors import StateError

Key = str | None
"""A key as text; None is the key of rows without one."""

SEGMENT_BYTES = 64 << 20
"""A segment that is as long as this is closed; offsets in a segment must stay below 2**32."""
_BUFFER_BYTES = 1 << 20
_FRAME = struct.Struct("<II")  # length and CRC-32 of what follows
_READ = 4096  # bytes asked for at first: most small models come in one read
_OPEN_FILES = 64
_NAME = re.compile(r"\d{6,12}")


class Store(Protocol):
    """Where records rest: in `Segments`, or in `Memory`."""

    def __len__(self) -> int: ...
    def __contains__(self, key: Key) -> bool: ...
    def __iter__(self) -> Iterator[Key]: ...
    def read(self, key: Key) -> bytes: ...
    def append(self, key: Key, record: bytes) -> None: ...
    def sync(self) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: Any) -> None: ...
    def collect(self, kept: Iterable[Any]) -> None: ...
    def close(self) -> None: ...


class Memory:
    """Records in memory: the state holds them all."""

    def __init__(self) -> None:
        self._records: dict[Key, bytes] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: Key) -> bool:
        return key in self._records

    def __iter__(self) -> Iterator[Key]:
        return iter(self._records)

    def read(self, key: Key) -> bytes:
        return self._records[key]

    def append(self, key: Key, record: bytes) -> None:
        self._records[key] = record

    def sync(self) -> None:
        """Nothing to make safe."""

    def state(self) -> dict[str, Any]:
        keys = sorted(self._records, key=lambda key: (key is not None, key or ""))  # whatever the order of eviction
        records = [self._records[key] for key in keys]
        return {
            "keys": keys,
            "sizes": np.array([len(record) for record in records], np.int64),
            "records": np.frombuffer(b"".join(records), np.uint8).copy(),
        }

    def restore(self, state: Any) -> None:
        if not isinstance(state, Mapping) or set(state) != {"keys", "sizes", "records"}:
            raise StateError("keyed models in memory have the keys 'keys', 'sizes' and 'records'")
        keys, sizes, records = state["keys"], state["sizes"], state["records"]
        if not isinstance(keys, list) or not all(key is None or isinstance(key, str) for key in keys):
            raise StateError("keyed models: a key is a text, or null")
        if not isinstance(sizes, np.ndarray) or sizes.dtype != np.int64 or sizes.shape != (len(keys),):
            raise StateError("keyed models: there must be one size, int64, for each key")
        if not isinstance(records, np.ndarray) or records.dtype != np.uint8 or records.ndim != 1:
            raise StateError("keyed models: the records must be bytes, uint8")
        if (sizes < 0).any() or sum(sizes.tolist()) != len(records) or len(set(keys)) != len(keys):
            raise StateError("keyed models: keys, sizes and records do not belong together")
        data, ends = records.tobytes(), np.cumsum(sizes).tolist()
        starts = [0, *ends][:-1]
        self._records = {key: data[start:end] for key, start, end in zip(keys, starts, ends, strict=True)}

    def collect(self, kept: Iterable[Any]) -> None:
        """Nothing is left behind."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class _Segment:
    """A segment as it counts: bytes of its two files, its records, and how many of them are their keys' newest."""

    number: int
    size: int = 0
    index_size: int = 0
    records: int = 0
    live: int = 0

    @property
    def name(self) -> str:
        return f"{self.number:06d}"


@dataclass(slots=True)
class _Writing:
    """The segment that is appended to: what is not in its files yet."""

    segment: _Segment
    models: int
    index: int
    buffer: bytearray = field(default_factory=bytearray)
    keys: list[Key] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)

    @property
    def written(self) -> int:
        """Where the buffer begins in the file."""
        return self.segment.size - len(self.buffer)


class Segments:
    """Records by key, in files.

    Parameters
    ----------
    directory
        Of the segments, and nothing else; made when the first record is appended. It may be shared by machines.
    segment_bytes
        When to begin another segment.
    """

    def __init__(self, directory: str | Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = Path(directory)
        self._segment_bytes = segment_bytes
        self._places: dict[Key, int] = {}  # segment number << 32 | offset
        self._segments: dict[int, _Segment] = {}
        self._writing: _Writing | None = None
        self._reading: dict[int, int] = {}  # file descriptors by segment number, the one opened longest ago first
        self._ours: set[int] = set()  # segments that we created, or that were there when we came
        self._failure: str | None = None

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: Key) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    # -- one record ---------------------------------------------------------------------------------------------------

    def append(self, key: Key, record: bytes) -> None:
        """Make this the key's record.

        Raises
        ------
        StateError
            If the disk refuses; nothing is lost then, and it may be tried again.
        """
        writing = self._writing or self._begin()
        segment = writing.segment
        offset, body = segment.size, _body(key, record)
        writing.buffer += _FRAME.pack(len(body), zlib.crc32(body))
        writing.buffer += body
        segment.size += _FRAME.size + len(body)
        segment.records += 1
        writing.keys.append(key)
        writing.offsets.append(offset)
        self._move(key, segment, offset)
        if len(writing.buffer) >= _BUFFER_BYTES:
            self._flush(writing)
        if segment.size >= self._segment_bytes:
            self.sync()
            self._end()

    def read(self, key: Key) -> bytes:
        """The key's record.

        Raises
        ------
        StateError
            If it is damaged; the message names the segment.
        """
        place = self._places[key]
        number, offset = place >> 32, place & 0xFFFFFFFF
        writing = self._writing
        if writing is not None and number == writing.segment.number and offset >= writing.written:
            start = offset - writing.written
            data = bytes(writing.buffer[start : start + _FRAME.size + _FRAME.unpack_from(writing.buffer, start)[0]])
        else:
            data = self._read_file(number, offset)
        length, crc = _FRAME.unpack_from(data) if len(data) >= _FRAME.size else (-1, 0)
        body = data[_FRAME.size :]
        own, record = _parts(body) if len(body) == length and zlib.crc32(body) == crc else (key, b"")
        if not record or own != key:
            path = self._path(self._segments[number], "models")
            raise StateError(
                f"{path}: the model of key {key!r} at byte {offset} is damaged: restore another checkpoint"
            )
        return record

    def _read_file(self, number: int, offset: int) -> bytes:
        descriptor = self._reading.get(number)
        try:
            if descriptor is None:
                if len(self._reading) >= _OPEN_FILES:
                    os.close(self._reading.pop(next(iter(self._reading))))
                descriptor = os.open(self._path(self._segments[number], "models"), os.O_RDONLY)
                self._reading[number] = descriptor
            data = os.pread(descriptor, _READ, offset)
            if len(data) >= _FRAME.size:
                missing = _FRAME.size + _FRAME.unpack_from(data)[0] - len(data)
                if 0 < missing <= self._segments[number].size:
                    data += os.pread(descriptor, missing, offset + len(data))
                elif missing < 0:
                    data = data[:missing]
        except OSError as error:
            raise StateError(f"{self._path(self._segments[number], 'models')}: {error}") from error
        return data

    def _move(self, key: Key, segment: _Segment, offset: int) -> None:
        """The key's record is now there."""
        before = self._places.get(key)
        if before is not None:
            self._segments[before >> 32].live -= 1
        segment.live += 1
        self._places[key] = segment.number << 32 | offset

    # -- files --------------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Return when everything appended is on the disk."""
        writing = self._writing
        if writing is None or not writing.keys:
            return
        if self._failure is not None:
            raise StateError(self._failure)
        self._flush(writing)
        segment = writing.segment
        try:
            block = _framed(_index_block(writing.keys, writing.offsets))
            _write(writing.index, block, segment.index_size)
        except OSError as error:
            raise _refused(self._path(segment, "index"), error) from error
        try:
            os.fsync(writing.models)
            os.fsync(writing.index)
        except OSError as error:
            # The system may have dropped what it could not write, and would then say "synced" to a second call.
            self._failure = str(_refused(self._path(segment, "models"), error))
            raise StateError(self._failure) from error
        segment.index_size += len(block)
        writing.keys, writing.offsets = [], []

    def _flush(self, writing: _Writing) -> None:
        if not writing.buffer:
            return
        try:
            # At its place, not at the end: what an attempt that failed half-way left there is written over.
            _write(writing.models, writing.buffer, writing.written)
        except OSError as error:
            raise _refused(self._path(writing.segment, "models"), error) from error
        writing.buffer = bytearray()

    def _begin(self) -> _Writing:
        """Create a segment that is nobody else's."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            there = _numbers(self.directory)
            if not self._ours:
                self._ours |= there
            number = max(there | self._ours, default=0) + 1
            while True:
                segment = _Segment(number)
                try:
                    models = _create(self._path(segment, "models"))
                    break
                except FileExistsError:  # another owner was quicker
                    number += 1
            index = _create(self._path(segment, "index"))
            _sync_directory(self.directory)
        except OSError as error:
            raise _refused(self.directory, error) from error
        self._ours.add(number)
        self._segments[number] = segment
        self._writing = _Writing(segment, models, index)
        return self._writing

    def _end(self) -> None:
        if self._writing is not None:
            os.close(self._writing.models)
            os.close(self._writing.index)
            self._writing = None

    def _path(self, segment: _Segment, kind: str) -> Path:
        return self.directory / f"{segment.name}.{kind}"

    def close(self) -> None:
        """Close all files; what was not synced is lost."""
        self._end()
        for descriptor in self._reading.values():
            os.close(descriptor)
        self._reading = {}

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What counts, after `sync`: the segments' names, and the lengths of their two files."""
        return {"segments": [[s.name, s.size, s.index_size] for s in self._segments.values() if s.records]}

    def restore(self, state: Any) -> None:
        """Go back to what `state` gave, reading the indexes; the files are left as they are.

        Raises
        ------
        StateError
            If a segment is missing, shorter than it was, or its index is damaged; the message names the file.
        """
        segments = _checked_state(state)
        fresh = Segments(self.directory, segment_bytes=self._segment_bytes)
        fresh._ours = _numbers(self.directory)
        for segment in segments:
            fresh._segments[segment.number] = segment
            if _size(fresh._path(segment, "models")) < segment.size:
                raise StateError(f"{fresh._path(segment, 'models')} is shorter than the checkpoint says")
            fresh._read_index(segment)
        self.close()
        self._places, self._segments, self._ours = fresh._places, fresh._segments, fresh._ours
        self._failure = None

    def _read_index(self, segment: _Segment) -> None:
        path = self._path(segment, "index")
        if _size(path) < segment.index_size:
            raise StateError(f"{path} is shorter than the checkpoint says")
        data = memoryview(path.read_bytes())[: segment.index_size]
        at = 0
        while at < len(data):
            length, crc = _FRAME.unpack_from(data, at) if len(data) - at >= _FRAME.size else (len(data), 0)
            block = data[at + _FRAME.size : at + _FRAME.size + length]
            if len(block) != length or zlib.crc32(block) != crc:
                raise StateError(f"{path} is damaged at byte {at}: restore another checkpoint")
            keys, offsets = _parsed_index_block(block)
            for key, offset in zip(keys, offsets, strict=True):
                if not 0 <= offset < segment.size:
                    raise StateError(f"{path} names a place outside its segment")
                self._move(key, segment, offset)
            segment.records += len(keys)
            at += _FRAME.size + length

    def collect(self, kept: Iterable[Any]) -> None:
        """Copy one segment that is mostly outdated forward, and remove files that nobody needs.

        Parameters
        ----------
        kept
            States of all checkpoints that may be restored yet.

        Raises
        ------
        StateError
            If a kept state is none: then nothing is removed.
        """
        named = {segment.number for state in kept for segment in _checked_state(state)}
        open_number = None if self._writing is None else self._writing.segment.number
        for segment in list(self._segments.values()):
            live_bytes = segment.size * segment.live // max(segment.records, 1)
            if segment.number != open_number and 2 * live_bytes < self._segment_bytes:
                self._copy_forward(segment)
                break
        # Never one that somebody else made after we came: another owner may have taken over without our knowing yet.
        for number in self._ours - named - self._segments.keys():
            for kind in ("models", "index"):
                self._path(_Segment(number), kind).unlink(missing_ok=True)
            self._ours.discard(number)

    def _copy_forward(self, segment: _Segment) -> None:
        """Append the records of a segment that still count to the newest; the segment is then named no more."""
        for key in [key for key, place in self._places.items() if place >> 32 == segment.number]:
            self.append(key, self.read(key))
        self.sync()
        descriptor = self._reading.pop(segment.number, None)
        if descriptor is not None:
            os.close(descriptor)
        del self._segments[segment.number]


def _body(key: Key, record: bytes) -> bytes:
    text = b"" if key is None else key.encode("utf-8", "surrogatepass")
    return struct.pack("<i", -1 if key is None else len(text)) + text + record


def _parts(body: bytes) -> tuple[Key, bytes]:
    (length,) = struct.unpack_from("<i", body)
    if length < 0:
        return None, body[4:]
    return body[4 : 4 + length].decode("utf-8", "surrogatepass"), body[4 + length :]


def _framed(data: bytes) -> bytes:
    return _FRAME.pack(len(data), zlib.crc32(data)) + data


def _index_block(keys: list[Key], offsets: list[int]) -> bytes:
    """Keys and places as an Arrow stream."""
    table = pa.RecordBatch.from_arrays(
        [pa.array(keys, pa.large_string()), pa.array(offsets, pa.int64())], ["key", "at"]
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    return bytes(sink.getvalue())


def _parsed_index_block(data: memoryview) -> tuple[list[Key], list[int]]:
    try:
        table = pa.ipc.open_stream(pa.py_buffer(data)).read_all()
        table.validate(full=True)
        if table.schema.names != ["key", "at"] or table.schema.types != [pa.large_string(), pa.int64()]:
            raise StateError("not an index of keyed models")
        return table.column("key").to_pylist(), table.column("at").to_pylist()
    except pa.ArrowException as error:
        raise StateError(f"not an index of keyed models: {error}") from error


def _checked_state(state: Any) -> list[_Segment]:
    segments = state.get("segments") if isinstance(state, Mapping) and set(state) == {"segments"} else None
    if not isinstance(segments, list):
        raise StateError("keyed models in files have the key 'segments'")
    found: dict[int, _Segment] = {}
    for entry in segments:
        known = isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], str)
        if not known or not _NAME.fullmatch(entry[0]) or not all(type(size) is int and size >= 0 for size in entry[1:]):
            raise StateError(f"a segment is its name and two lengths, not {entry!r:.80}")
        found[int(entry[0])] = _Segment(int(entry[0]), *entry[1:])
    if len(found) != len(segments):
        raise StateError("a segment is named twice")
    return list(found.values())


def _numbers(directory: Path) -> set[int]:
    """The segments that are there."""
    return {int(path.stem) for path in directory.glob("*.models") if _NAME.fullmatch(path.stem)}


def _create(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)


def _write(descriptor: int, data: bytes | bytearray, offset: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise StateError(f"{path} is missing: the checkpoint names it, so put it back or restore another") from None
    except OSError as error:
        raise StateError(f"{path}: {error}") from error


def _refused(path: Path, error: OSError) -> StateError:
    return StateError(f"{path}: models can't be written: {error.strerror or error}; earlier checkpoints are intact")


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
