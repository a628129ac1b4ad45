"""A package of somebody else's with live sources, sinks and formats, as the tests of pipeline files name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamlearn import registry

MODULE = '''
"""Parts that keep their options."""

from streamlearn.errors import OptionError


class Well:
    """A source that is deep.

    Parameters
    ----------
    path
        Where it is.
    topics
        What is in it.
    depth
        How deep, in metres.
    format
        The records' format.
    options
        Whatever else.
    """

    name = "well"

    def __init__(self, *, path: str, topics: list[str] | str = (), depth: int = 3, format: str = "json", options=None):
        if depth < 0:
            raise OptionError(f"depth must be a whole number >= 0, got {depth!r}")
        self.path, self.topics, self.depth, self.format, self.options = path, topics, depth, format, options


class Drain:
    """A sink."""

    def __init__(self, *, path: str, format: str = "json", password: str | None = None):
        self.path, self.format, self.password = path, format, password


class Plain:
    """A format without options."""


class Sealed:
    """A format with options."""

    def __init__(self, *, schema_file: str, registry: str | None = None):
        self.schema_file, self.registry = schema_file, registry


def always(x, answer="yes"):
    return answer


def make_bayes(smoothing=1.0):
    from river.naive_bayes import BernoulliNB

    return BernoulliNB(alpha=smoothing)
'''

ENTRY_POINTS = """
[streamlearn.live_sources]
well = live_parts_module:Well
[streamlearn.sinks]
drain = live_parts_module:Drain
[streamlearn.formats]
plain = live_parts_module:Plain
sealed = live_parts_module:Sealed
"""


@contextmanager
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install the package in a folder that is put on the path."""
    (folder / "live_parts_module.py").write_text(MODULE)
    about = folder / "live_parts-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: live-parts\nVersion: 1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(folder))
    registry.refresh()
    yield folder
    registry.refresh()
