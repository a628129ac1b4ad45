"""Finds a file, its format and its compression by its name, and opens its bytes."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, NamedTuple, cast

import pyarrow as pa

from streamlearn.errors import InputError, OptionError

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arff": "arff",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


class MissingFileError(InputError, FileNotFoundError):
    """A file is not there; the message names files that are, where one has nearly the same name."""

    def __str__(self) -> str:  # OSError would show its errno
        return str(self.args[0])


class DataFile(NamedTuple):
    """A file that exists, what is in it, and how that is compressed.

    Attributes
    ----------
    path : Path
    format : str
        One of the values of ``SUFFIXES``.
    compression : str or None
        ``"gzip"``, ``"zstd"``, or None.
    """

    path: Path
    format: str
    compression: str | None

    def stream(self) -> pa.NativeFile:
        """The decompressed bytes from the start, to be read in order and in bounded memory."""
        return pa.input_stream(str(self.path), compression=self.compression)

    def random_access(self) -> pa.NativeFile:
        """The decompressed bytes, to be read in any order, as Parquet and Arrow files need it.

        A compressed file is first decompressed into a temporary file, which vanishes when it is closed: memory stays
        bounded, and the folder for temporary files (``TMPDIR``) needs the room. The file is not memory-mapped, since
        one that somebody truncates meanwhile would kill the process instead of raising an error.

        Raises
        ------
        InputError
            If the compressed bytes are damaged.
        """
        if self.compression is None:
            return pa.OSFile(str(self.path))
        unpacked = tempfile.TemporaryFile(prefix="streamlearn-")  # noqa: SIM115  (the Arrow file closes it)
        try:
            with self.stream() as stream:
                shutil.copyfileobj(cast(IO[bytes], stream), unpacked, 1 << 20)
            unpacked.seek(0)
        except BaseException as error:
            unpacked.close()
            if isinstance(error, OSError):
                raise InputError(self.damaged(error)) from error
            raise
        return pa.PythonFile(unpacked, mode="r")

    def damaged(self, error: Exception) -> str:
        """What to tell about bytes that can't be decompressed."""
        return f"{self.path} is damaged, cut short, or not {self.compression or 'readable'}: {error}"


def locate(path: str | os.PathLike[str], format: str | None = None) -> DataFile:
    """Find the file, its format and its compression.

    Parameters
    ----------
    path
        A file, whose suffix says what it is (``events.csv``, ``events.csv.gz``, ``trips.parquet``); ``~`` is expanded.
    format
        The format, where the suffix does not tell it; a suffix ``.gz`` or ``.zst`` is heeded all the same.

    Raises
    ------
    MissingFileError
        If there is no such file.
    InputError
        If it is a folder.
    OptionError
        If the suffix or the format is unknown; the message lists those that are known.
    """
    found = Path(path).expanduser()
    if found.is_dir():
        raise InputError(f"{found} is a folder: name one of the files in it")
    suffixes = [suffix.lower() for suffix in found.suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    kind = format or SUFFIXES.get("".join(suffixes[-2:-1] if compression else suffixes[-1:]))
    if not found.exists():
        raise MissingFileError(_missing(found))
    if kind is None:
        raise OptionError(
            f"{found}: can't tell the format by the name; known suffixes are {', '.join(SUFFIXES)}, "
            f"each also with {' or '.join(COMPRESSIONS)} behind it; or give format=..."
        )
    if kind not in SUFFIXES.values():
        raise OptionError(f"unknown format {kind!r}; known are {', '.join(dict.fromkeys(SUFFIXES.values()))}")
    return DataFile(found, kind, compression)


def _missing(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no file {path}: there is no folder {folder}"
    near = difflib.get_close_matches(path.name, os.listdir(folder), n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no file {path.name} in {folder.absolute()}{hint}"
