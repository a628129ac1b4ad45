"""``streamlearn list``, ``describe`` and ``inspect``."""

from __future__ import annotations

import inspect
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import registry
from ...errors import OptionError, UnknownNameError
from ..completion import complete_name
from ..tables import is_here

if TYPE_CHECKING:
    from ...datasets import Dataset


class Group(StrEnum):
    """What can be listed."""

    learners = "learners"
    detectors = "detectors"
    policies = "policies"
    streams = "streams"
    metrics = "metrics"


def list_names(
    what: Annotated[Group, typer.Argument(help="learners, detectors, policies, streams or metrics")],
) -> None:
    """List learners, detectors, cache policies, streams or metrics, each with one line about it."""
    from .. import tables

    tables.console().print(getattr(tables, what.value)())


def describe(
    name: Annotated[
        str,
        typer.Argument(help="A learner, a detector, a policy, a stream, or a metric.", autocompletion=complete_name),
    ],
) -> None:
    """Describe a learner, a detector or a cache policy (parameters and their meaning), a stream or a metric."""
    from ...datasets import datasets
    from ...evaluation.metrics import METRICS

    streams = {entry.name: entry for entry in datasets()}
    if name in streams:
        typer.echo(_stream(streams[name]))
    elif name in METRICS:
        metric = METRICS[name]
        better = "higher" if metric.higher_is_better else "lower"
        typer.echo(f"{name}: {metric.description} ({metric.task}; {better} is better)")
    else:
        group = _group_of(name, [*streams, *METRICS])
        cls = registry.load(group, name)
        typer.echo(f"{registry.full_name(group, name)}: {cls.__name__}{_signature(cls)}\n")
        typer.echo(inspect.getdoc(cls))


def _group_of(name: str, others: list[str]) -> str:
    """The group in which a name is registered; the error for an unknown one lists the near ones of all kinds."""
    groups = ("learners", "detectors", "policies", "streams")
    for group in groups:
        if name in registry.names(group):
            return group
    for group in groups:
        try:
            registry.full_name(group, name)
        except UnknownNameError:
            continue
        return group
    known = [*others, *(registered for group in groups for registered in registry.names(group))]
    raise registry.unknown_name("name", name, known)


def _stream(entry: Dataset) -> str:
    facts = {
        "rows": f"{entry.rows:,}",
        "fields": f"{entry.features} ({entry.nominal} nominal)",
        "target": f"{entry.target}, {entry.classes} classes",
        "drifts": ", ".join(f"{drift.row:,}" for drift in entry.drifts),
        "file": f"{entry.file_name} ({'here' if is_here(entry.name) else 'missing'})",
        "copies": ", ".join(entry.files),
        "sha256": entry.sha256,
        "licence": entry.licence,
        "source": entry.source,
        "cite": entry.citation,
    }
    return "\n".join(
        [f"{entry.name}: {entry.description}", *(f"{key:<8} {value}" for key, value in facts.items() if value)]
    )


def _signature(cls: Any) -> str:
    parameters = [p for p in inspect.signature(cls).parameters.values() if p.name != "schema"]
    given = (p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters)
    return f"({', '.join(given)})"


def inspect_model(
    model: Annotated[Path, typer.Argument(help="A file that a learner, a detector or a cache policy was saved to.")],
    schema: Annotated[bool, typer.Option("--schema", help="Print the schema as well.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Draw a tree as text.")] = False,
    graphviz: Annotated[bool, typer.Option("--graphviz", help="Write a tree as Graphviz dot.")] = False,
) -> None:
    """Show what a model file holds: type, parameters, classes, size, and for trees their nodes."""
    from ...caching import CachePolicy
    from ...detector import Detector
    from ...models import load

    learner: Any = load(model)
    if graphviz or text:
        for step in reversed(getattr(learner, "steps", (learner,))):
            if hasattr(step, "to_graphviz"):
                typer.echo(step.to_graphviz() if graphviz else step.to_text())
                return
        raise OptionError(f"{model} holds {learner!r}, which is no tree")
    typer.echo(repr(learner))
    typer.echo(f"file       {model.stat().st_size:,} bytes; in memory {learner.nbytes:,}")
    if isinstance(learner, Detector):
        typer.echo(f"drifts     {learner.n_detections:,}")
        return
    if isinstance(learner, CachePolicy):
        typer.echo(f"cached     {len(learner.cached):,}")
        return
    if learner.classes:
        typer.echo(f"classes    {', '.join(map(str, learner.classes))}")
    for name, value in learner.summary().items():
        typer.echo(f"{name:<10} {value:,}")
    if schema:
        typer.echo(f"\n{learner._live if learner._live is not None else 'no schema yet'}")
