"""Which files a path means, in which order, and what each is called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamlearn.errors import OptionError

LINES = (".jsonl", ".ndjson", ".json")
COMPRESSED = (".gz", ".zst")
TABLES = (".parquet", ".pq")
_GLOB = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Place:
    """A file, or the files of a folder that fit a pattern.

    Parameters
    ----------
    root
        The folder that names are relative to.
    pattern
        What names must fit; None means every file of a kind that can be read.
    file
        The file's name, if the path named one file.
    """

    root: Path
    pattern: str | None = None
    file: str | None = None

    @property
    def partition(self) -> str:
        """What the partition is called: the file or the folder, without its path."""
        return self.file or self.root.resolve().name or "files"

    def __str__(self) -> str:
        return str(self.root / (self.file or self.pattern or ""))

    def path(self, name: str) -> Path:
        """Where the file of this name is."""
        return self.root / name

    def names(self) -> list[str]:
        """The files that are there now, in the order in which they are read: by name.

        Names that begin with a dot or an underscore are passed over: so are files called that are not complete yet.
        """
        if self.file is not None:
            return [self.file] if self.path(self.file).is_file() else []
        found = self.root.glob(self.pattern) if self.pattern is not None else self.root.iterdir()
        names = [path.relative_to(self.root).as_posix() for path in found if path.is_file()]
        shown = [name for name in names if not any(part[0] in "._" for part in name.split("/"))]
        return sorted(shown if self.pattern is not None else [name for name in shown if kind_of(name) is not None])


def place_of(path: str | Path, pattern: str | None) -> Place:
    """The place that a path names: a file, a folder, or a pattern such as ``logs/2026-*.jsonl``.

    Raises
    ------
    OptionError
        If there is a pattern twice, or one for a single file.
    """
    path = Path(path).expanduser()
    parts = path.parts
    first = next((i for i, part in enumerate(parts) if _GLOB & set(part)), None)
    if first is not None:
        if pattern is not None:
            raise OptionError(f"pattern: the path {path} is a pattern already; give one or the other")
        return Place(Path(*parts[:first]), str(Path(*parts[first:])))
    if path.is_dir() or pattern is not None or not path.suffix:
        if path.is_file():
            raise OptionError(f"pattern: {path} is a file; a pattern chooses among the files of a folder")
        return Place(path, pattern)
    return Place(path.parent, None, path.name)


def kind_of(name: str) -> str | None:
    """What a file holds, by its name: ``"lines"``, ``"table"``, or None."""
    name = name.lower()
    for suffix in COMPRESSED:
        if name.endswith(suffix):
            return "lines" if name.removesuffix(suffix).endswith(LINES) else None
    return "lines" if name.endswith(LINES) else "table" if name.endswith(TABLES) else None


def is_compressed(name: str) -> bool:
    """Whether a file is compressed, by its name."""
    return name.lower().endswith(COMPRESSED)
