"""Tables that ``streamlearn list`` and ``data list`` print."""

from __future__ import annotations

import inspect
import sys

from rich.console import Console
from rich.table import Table

from .. import registry
from ..errors import InputError, StreamlearnError


def console() -> Console:
    """Where tables are printed: as wide as the terminal; elsewhere wide enough for every line."""
    return Console() if sys.stdout.isatty() else Console(width=200)


def learners() -> Table:
    """Registered learners with the first sentence of their docstrings."""
    return _registered("learners", "task")


def detectors() -> Table:
    """Registered detectors with the first sentence of their docstrings."""
    return _registered("detectors", "accepts")


def policies() -> Table:
    """Registered cache policies with the first sentence of their docstrings."""
    return _registered("policies", "advice")


def _registered(group: str, trait: str) -> Table:
    table = _table(registry.singular(group), trait, "what it is")
    for name in registry.names(group):
        try:
            cls = registry.load(group, name)
        except StreamlearnError as error:  # somebody else's package must not hide all others
            table.add_row(name, "", str(error))
        else:
            table.add_row(name, getattr(cls, trait, "any"), (inspect.getdoc(cls) or "").split("\n")[0])
    return table


def data_sets() -> Table:
    """The catalogue's streams and whether their files are there."""
    from ..datasets import datasets

    table = _table("stream", "rows", "fields", "classes", "file", "what it is")
    for entry in datasets():
        table.add_row(
            entry.name,
            f"{entry.rows:,}",
            f"{entry.features} ({entry.nominal} nominal)",
            str(entry.classes),
            "here" if is_here(entry.name) else "missing",
            entry.description,
        )
    return table


def streams() -> Table:
    """The catalogue's streams, then the synthetic ones."""
    table = data_sets()
    for name in registry.names("streams"):
        try:
            make = registry.load("streams", name)
        except StreamlearnError as error:  # somebody else's package must not hide all others
            table.add_row(name, "", "", "", "", str(error))
        else:
            rows = inspect.signature(make).parameters.get("rows")
            length = "" if rows is None else "endless" if rows.default is None else f"{rows.default:,}"
            table.add_row(name, length, "", "", "generated", (inspect.getdoc(make) or "").split("\n")[0])
    return table


def is_here(name: str) -> bool:
    """Whether the file of a stream of the catalogue is there."""
    from ..datasets import find

    try:
        find(name)
    except InputError:
        return False
    return True


def metrics() -> Table:
    """The metrics by task."""
    from ..evaluation.metrics import METRICS

    table = _table("metric", "task", "better", "what it is")
    for name, metric in METRICS.items():
        table.add_row(name, metric.task, "higher" if metric.higher_is_better else "lower", metric.description)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column != "what it is")
    return table
