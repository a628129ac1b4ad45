"""Finds the files of benchmark streams, in the package or in the user's data directory, and checks them."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from streamlearn.errors import InputError
from streamlearn.registry import names, unknown_name
from streamlearn.source import Drift

VARIABLE = "STREAMLEARN_DATA"
Status = Literal["ok", "own", "missing", "damaged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A benchmark stream: one Parquet file, its rows in stream order, the target in its last column.

    Attributes
    ----------
    name : str
    description : str
        One line.
    rows, features, classes : int
        Sizes, as the literature gives them.
    columns : tuple of str
        Names of the features, for files without a header; by default ``f0, f1, …``.
    nominal_fields : tuple of str
        Those that are nominal, for files that don't say so.
    target : str
        Name of the target column.
    drifts : tuple of Drift
        Known changes of concept.
    files : tuple of str
        Names under which copies travel.
    sha256 : str
        Checksum of the project's own Parquet file; empty where there is none.
    licence : str
        As far as known.
    source : str
        Where the data can be had.
    citation : str
    shipped : bool
        Whether the file comes with the package.
    """

    name: str
    description: str
    rows: int
    features: int
    classes: int
    licence: str
    source: str
    citation: str
    columns: tuple[str, ...] = ()
    nominal_fields: tuple[str, ...] = ()
    target: str = "target"
    drifts: tuple[Drift, ...] = ()
    files: tuple[str, ...] = ()
    sha256: str = ""
    shipped: bool = False

    def __post_init__(self) -> None:
        if not self.columns:
            object.__setattr__(self, "columns", tuple(f"f{i}" for i in range(self.features)))

    @property
    def nominal(self) -> int:
        """How many of the features are nominal."""
        return len(self.nominal_fields)

    @property
    def file_name(self) -> str:
        """Name of the file, in the data directory or in the package."""
        return f"{self.name}.parquet"


def datasets() -> list[Dataset]:
    """All data sets of the catalogue, by name.

    Examples
    --------
    >>> [data.name for data in datasets() if data.shipped]
    ['electricity']
    """
    return list(_catalogue().values())


def data_directory(directory: str | os.PathLike[str] | None = None) -> Path:
    """The folder in which users keep data sets; it need not exist.

    Parameters
    ----------
    directory
        The folder, where it is named by the caller; otherwise the environment variable ``STREAMLEARN_DATA`` names it,
        and failing that it is ``streamlearn/data`` in the user's cache folder.
    """
    named = directory or os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else _cache_folder(sys.platform, os.environ) / "streamlearn" / "data"


def find(name: str | os.PathLike[str], *, directory: str | os.PathLike[str] | None = None) -> Path:
    """The file of a data set.

    Parameters
    ----------
    name
        A name in the catalogue; or a path, which is returned as it is (``~`` expanded). A string is a path if it has a
        separator or a suffix, or if such a file exists and the catalogue has no such name.
    directory
        Where to look; see `data_directory`. Shipped data sets are found in the package, wherever one looks.

    Raises
    ------
    InputError
        If the file is not there; the message says how to get it and where to put it.
    UnknownNameError
        If the catalogue has no such name; the message suggests near ones.

    Examples
    --------
    >>> find("electricity").name
    'electricity.parquet'
    >>> find("rides/today.csv").name
    'today.csv'
    """
    if _is_path(name):
        return Path(name).expanduser()
    data = entry(str(name))
    path = _path(data, directory)
    if not path.is_file():
        raise InputError(
            f"data set {data.name!r}: there is no file {path.name} in {path.parent}. Get the data from {data.source}, "
            f"then run: streamlearn data add {data.name} FILE (ARFF, CSV or Parquet, with the target in the last "
            f"column); or set {VARIABLE} to the folder that has the file"
        )
    return path


def target_of(name: str | os.PathLike[str]) -> str | None:
    """The target column of a data set of the catalogue; None for anything else, such as a path.

    Examples
    --------
    >>> target_of("electricity"), target_of("rides.csv")
    ('target', None)
    """
    data = _catalogue().get(str(name))
    return None if data is None else data.target


def drifts_of(name: str | os.PathLike[str]) -> tuple[Drift, ...]:
    """The known drifts of a data set of the catalogue; none for anything else, such as a path.

    Examples
    --------
    >>> drifts_of("insects_gradual_balanced")
    (Drift(row=14028, width=0),)
    """
    data = _catalogue().get(str(name))
    return () if data is None else data.drifts


def verify(name: str, *, directory: str | os.PathLike[str] | None = None, strict: bool = False) -> Status:
    """Compare a data set's file with the catalogue: by its checksum, and failing that by its rows and columns.

    Parameters
    ----------
    name
        A name in the catalogue.
    directory
        Where to look; see `data_directory`.
    strict
        Raise an error instead of returning ``"missing"`` or ``"damaged"``.

    Returns
    -------
    "ok", "own", "missing" or "damaged"
        ``"own"`` is a conversion of your own: the right rows and columns, whose checksum nobody knows.

    Raises
    ------
    InputError
        With ``strict``: if the file is missing, or differs from what the catalogue says; the message names both.
    UnknownNameError
        If the catalogue has no such name; the message suggests near ones.

    Examples
    --------
    >>> verify("electricity")
    'ok'
    """
    data = entry(name)
    path = find(name, directory=directory) if strict else _path(data, directory)
    if not path.is_file():
        return "missing"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found == data.sha256:
        return "ok"
    differs = _difference(data, path)
    if not differs:
        return "own"
    if strict:
        raise InputError(
            f"data set {name!r}: {path} is damaged or another version: {differs}; its SHA-256 is {found}"
            + (f", expected {data.sha256}" if data.sha256 else "")
        )
    return "damaged"


def _difference(data: Dataset, path: Path) -> str:
    """How a file's rows and columns differ from what the catalogue says; empty if they don't."""
    try:
        about = pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        return f"it is no Parquet file ({error})"
    names = about.schema.names
    if len(names) != data.features + 1 or names[-1] != data.target:
        return f"it has {len(names)} columns, the last {names[-1]!r}, expected {data.features + 1} and {data.target!r}"
    return "" if about.num_rows == data.rows else f"it has {about.num_rows:,} rows, expected {data.rows:,}"


def _catalogue() -> dict[str, Dataset]:
    from .entries import ENTRIES

    return {data.name: data for data in sorted(ENTRIES, key=lambda data: data.name)}


def entry(name: str) -> Dataset:
    """The data set of that name.

    Raises
    ------
    UnknownNameError
        If the catalogue has no such name; the message suggests near ones.
    """
    catalogue = _catalogue()
    if name not in catalogue:
        raise unknown_name("stream", name, [*catalogue, *names("streams")])
    return catalogue[name]


def _is_path(name: str | os.PathLike[str]) -> bool:
    if not isinstance(name, str):
        return True
    looks_so = "/" in name or os.sep in name or bool(Path(name.partition(":")[0]).suffix)
    return looks_so or (name not in _catalogue() and name != "" and Path(name).exists())


def _path(data: Dataset, directory: str | os.PathLike[str] | None) -> Path:
    folder = Path(__file__).parent if data.shipped else data_directory(directory)
    return folder / data.file_name


def _cache_folder(platform: str, environment: Mapping[str, str]) -> Path:
    home = Path.home()
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if platform == "darwin":
        return home / "Library" / "Caches"
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
