"""The sink of files: which file each shard has, and what a guarantee needs of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from streamlearn.errors import OptionError, SinkError
from streamlearn.live import Worker
from streamlearn.parameters import call_of, check_choice, parameters_of
from streamlearn.sink import Output, Sink

from .lines_writer import LinesWriter
from .parts_writer import PartsWriter
from .place import kind_of
from .writer import refused

FORMATS = ("json", "parquet")


class FileSink(Sink):
    """Outputs as JSON lines, or as Parquet, one part a commit.

    Where the pipeline has one shard, ``path`` is the file, or for Parquet the folder. Where it has several, each has
    its own: ``predictions.jsonl`` becomes ``predictions-<shard>.jsonl``, and the parts of a Parquet folder lie in
    ``shard=<shard>/``, as Arrow's data sets name them.

    Under exactly-once `restore` takes back what was written after the state: lines are cut off, later parts deleted.
    Under the other guarantees nothing is taken back but a last line that was torn by a crash, so that the next one
    doesn't stick to it. What is flushed is on the disk, since positions are committed behind it; at-most-once doesn't
    wait for that. A file is locked while it is open, so that two workers never write into it.

    Parameters
    ----------
    path
        The file or the folder. A name without a suffix, or of a folder that is there, is a folder, which holds a file
        ``<shard>.jsonl`` for each shard.
    format : "json" or "parquet"
        By default the suffix decides: ``.parquet`` or ``.pq`` mean Parquet, anything else JSON lines.

    Raises
    ------
    OptionError
        If the format is unknown.
    """

    exact = True

    def __init__(self, path: str | Path, *, format: str | None = None) -> None:
        self.path = Path(path).expanduser()
        self.format = format or ("parquet" if kind_of(self.path.name) == "table" else "json")
        check_choice("format", self.format, FORMATS)
        self.name = str(path)
        if self.path.suffix.lower() in (".gz", ".zst"):
            raise OptionError(f"path: {path}: a compressed file can't be continued after a crash; write .jsonl")
        self._writers: dict[str, LinesWriter | PartsWriter] = {}

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that it was made with."""
        return parameters_of(self)

    def __repr__(self) -> str:
        return call_of(self)

    def open(self, worker: Worker) -> None:
        """Make the folder (see `Sink.open`)."""
        self._worker = worker
        self._is_folder = self.format == "parquet" or os.path.isdir(self.path) or not self.path.suffix
        folder = self.path if self._is_folder else self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(folder, error) from error

    def restore(self, shard: str, state: Any | None) -> None:
        """Open the shard's file, and go back to its state (see `Sink.restore`)."""
        self.release(shard)
        path = self.path_of(shard)
        guarantee = self._worker.guarantee
        exact = guarantee == "exactly-once"
        if state is None and not exact and os.path.isfile(path) and os.path.getsize(path):
            self._worker.log.warning("sink %s: %s has lines already; new ones go behind them", self.name, path)
        writer = PartsWriter if self.format == "parquet" else LinesWriter
        self._writers[shard] = writer(path, state, exact=exact, sync=guarantee != "at-most-once")

    def path_of(self, shard: str) -> Path:
        """Where the outputs of a shard are."""
        safe = quote(shard, safe=" @+=,")
        if self.format == "parquet":
            return self.path if self._worker.single else self.path / f"shard={safe}"
        if self._is_folder:
            return self.path / f"{safe}.jsonl"
        return self.path if self._worker.single else self.path.with_stem(f"{self.path.stem}-{safe}")

    def write(self, shard: str, output: Output) -> None:
        """Take outputs (see `Sink.write`)."""
        self._writer_of(shard).write(output)

    def flush(self) -> None:
        """Have everything in the files, and on the disk (see `Sink.flush`)."""
        for writer in self._writers.values():
            writer.flush()

    def state(self, shard: str) -> dict[str, Any]:
        """How far the shard's file goes (see `Sink.state`)."""
        return self._writer_of(shard).state()

    def _writer_of(self, shard: str) -> LinesWriter | PartsWriter:
        if shard not in self._writers:
            raise SinkError(f"sink {self.name}: shard {shard} was not restored")
        return self._writers[shard]

    def release(self, shard: str) -> None:
        """Close the shard's file."""
        writer = self._writers.pop(shard, None)
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Close all files, without flushing."""
        for shard in list(self._writers):
            self.release(shard)
