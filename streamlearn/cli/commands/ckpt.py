"""``streamlearn ckpt``: look at a pipeline's checkpoints, check them, compare them, go back to one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import CheckpointError, OptionError, StateError
from ...registry import unknown_name

if TYPE_CHECKING:
    from ...runtime.checkpoints import CheckpointId, CheckpointStore, Lineage, Summary

app = typer.Typer(help="A pipeline's checkpoints: list, show, verify, diff, rollback.", no_args_is_help=True)

Directory = Annotated[Path, typer.Argument(help="The pipeline's checkpoint.dir.", show_default=False)]
Shard = Annotated[str | None, typer.Argument(help="A shard, such as events-3.  [default: all, or the only one]")]
Id = Annotated[str | None, typer.Argument(help="A checkpoint, such as 2-17.  [default: the newest]")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_checkpoints(directory: Directory, shard: Shard = None, as_json: Json = False) -> None:
    """List checkpoints, the newest first; arrays are not read (verify does)."""
    from rich.table import Table

    from ..tables import console

    found = [(lineage, id) for lineage in _lineages(_store(directory), shard) for id in lineage.ids()]
    if as_json:
        _print_json([_entry(lineage, id) for lineage, id in found])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("shard", "checkpoint", "age", "bytes", "rows", "positions", "readable"):
        right = column in ("bytes", "rows")
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right)
    for lineage, id in found:
        try:
            summary = lineage.summary(id)
        except StateError as error:
            table.add_row(lineage.shard, str(id), "", "", "", "", f"no: {error}")
        else:
            about = summary.about
            rows, positions = _number(about.get("rows", "")), _pairs(about.get("positions"))
            table.add_row(lineage.shard, str(id), _age(summary), f"{summary.bytes:,}", rows, positions, "yes")
    console().print(table)


@app.command("show")
def show(directory: Directory, shard: Shard = None, id: Id = None, as_json: Json = False) -> None:
    """Show what a checkpoint says about itself: rows, positions, learners, metrics, sinks, sizes."""
    lineage = _only(_store(directory), shard)
    summary = lineage.summary(_id(lineage, id))
    if as_json:
        _print_json(_entry(lineage, summary.id) | {"note": summary.note, "about": summary.about})
        return
    about = dict(summary.about)
    owner = lineage.owner()
    learners, metrics, sinks = (_mapping(about.pop(key, None)) for key in ("learners", "metrics", "sinks"))
    lines: list[tuple[str, Any]] = [
        ("shard", lineage.shard),
        (
            "checkpoint",
            f"{summary.id}, {_age(summary)} old, written {summary.created} by streamlearn {summary.version}",
        ),
        ("file", f"{lineage.directory / summary.id.file_name}, {summary.bytes:,} bytes"),
        ("sha256", summary.digest),
        ("owner", "nobody" if owner is None else f"{owner}"),
        *[("note", _pairs(summary.note))] * bool(summary.note),
        *((key, _pairs(value) if isinstance(value, dict) else _number(value)) for key, value in about.items()),
        *(("learner", f"{name}: {_learner(learner)}") for name, learner in learners.items()),
        *(("metrics", f"{name}: {_pairs(values)}") for name, values in metrics.items()),
        *(("sink", f"{name}: {_text(state)}") for name, state in sinks.items()),
        *(("holds", f"{key}: {size:,} bytes of arrays") for key, size in _sizes(summary.content).items() if size),
    ]
    for label, value in lines:
        typer.echo(f"{label:<10} {value}")


@app.command("verify")
def verify(directory: Directory, shard: Shard = None, id: Id = None) -> None:
    """Read checkpoints to the last byte and compare their checksums; exit with 1 if one is damaged."""
    damaged = total = 0
    for lineage in _lineages(_store(directory), shard):
        for each in [_id(lineage, id)] if id else lineage.ids():
            total += 1
            try:
                checkpoint = lineage.read(each)
            except StateError as error:
                damaged += 1
                typer.echo(str(error))
            else:
                typer.echo(f"checkpoint {each} of shard {lineage.shard!r}: sound, {checkpoint.bytes:,} bytes")
    if damaged:
        raise StateError(f"{damaged} of {total} checkpoints can't be restored")


@app.command("diff")
def diff(
    directory: Directory,
    shard: Shard = None,
    old: Annotated[str | None, typer.Argument(help="A checkpoint.  [default: the one before the newest]")] = None,
    new: Annotated[str | None, typer.Argument(help="Another.  [default: the newest]")] = None,
    as_json: Json = False,
) -> None:
    """Say what changed from one checkpoint to another: values, and in arrays how many items and how much."""
    from ...runtime.difference import differences

    lineage = _only(_store(directory), shard)
    ids = lineage.ids()
    if old is None and len(ids) < 2:
        raise CheckpointError(f"shard {lineage.shard!r} has {len(ids)} checkpoints: name two to compare")
    before = lineage.read(_id(lineage, old) if old else ids[1])
    after = lineage.read(_id(lineage, new))
    found = differences(before.content, after.content)
    if as_json:
        _print_json([asdict(difference) for difference in found])
        return
    typer.echo(f"from {before.id} ({before.created}) to {after.id} ({after.created}): {len(found)} differences")
    for difference in found:
        if difference.count is None:
            typer.echo(f"{difference.path}: {_text(difference.old)} -> {_text(difference.new)}{_change(difference)}")
        else:
            changed = f"{difference.count:,} items differ, by at most {difference.largest:g}"
            typer.echo(f"{difference.path}: {difference.new}, {changed}")


@app.command("rollback")
def rollback(
    directory: Directory,
    shard: Annotated[str, typer.Argument(help="A shard, such as events-3.")],
    id: Annotated[str, typer.Argument(help="The checkpoint to go back to, such as 2-17.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make an older checkpoint the newest: a copy of it is written in a new epoch, and nothing is removed.

    The pipeline's workers must be stopped. When they start again, records after the checkpoint's positions are
    processed once more, with the model as it was.
    """
    from ...runtime.lock import running

    store = _store(directory)
    holders = running(directory)
    if holders:
        raise CheckpointError(f"{directory} is in use by {'; '.join(holders)}: stop it first")
    lineage = _only(store, shard)
    target = lineage.read(_id(lineage, id))
    for line in _consequences(lineage, target):
        typer.echo(line)
    if not yes:
        typer.confirm(f"Go back to {target.id}?", abort=True)
    lineage.begin()
    written = lineage.rollback(target.id)
    typer.echo(f"wrote {written.id}, a copy of {target.id}: workers start from it")


def _consequences(lineage: Lineage, target: Summary) -> Iterator[str]:
    """What will be done again after going back, as far as the newest readable checkpoint tells."""
    for id in lineage.ids():
        try:
            current = lineage.summary(id)
        except StateError:
            continue
        break
    yield f"from {current.id}, {_age(current)} old, back to {target.id}, {_age(target)} old"
    now, then = _mapping(current.about.get("positions")), _mapping(target.about.get("positions"))
    for partition in sorted(now.keys() | then.keys()):
        if now.get(partition) != then.get(partition):
            before, after = now.get(partition), then.get(partition, "the start")
            again = f": {before - after:,} again" if isinstance(before, int) and isinstance(after, int) else ""
            yield f"position {partition}: {_text(before)} -> {_text(after)}{again}"
    now, then = _mapping(current.about.get("sinks")), _mapping(target.about.get("sinks"))
    for sink in sorted(now.keys() | then.keys()):
        if now.get(sink) != then.get(sink):
            yield (
                f"sink {sink}: {_text(now.get(sink))} -> {_text(then.get(sink))}; what was written in between is taken "
                "back where the sink can (files, exactly-once), and otherwise written again"
            )


# -- finding


def _store(directory: Path) -> CheckpointStore:
    from ...runtime.checkpoints import CheckpointStore

    store = CheckpointStore(directory)
    if not store.shards():
        raise CheckpointError(f"no checkpoints in {directory}: name the checkpoint.dir of a pipeline")
    return store


def _lineages(store: CheckpointStore, shard: str | None) -> list[Lineage]:
    shards = store.shards()
    if shard is not None and shard not in shards:
        raise unknown_name("shard", shard, shards)
    return [store.lineage(name) for name in shards if shard in (None, name)]


def _only(store: CheckpointStore, shard: str | None) -> Lineage:
    lineages = _lineages(store, shard)
    if len(lineages) > 1:
        raise OptionError(f"name a shard: {', '.join(lineage.shard for lineage in lineages)}")
    return lineages[0]


def _id(lineage: Lineage, text: str | None) -> CheckpointId:
    from ...runtime.checkpoints import CheckpointId

    if text is not None:
        return CheckpointId.parse(text)
    ids = lineage.ids()
    if not ids:
        raise CheckpointError(f"shard {lineage.shard!r} has no checkpoints yet")
    return ids[0]


# -- showing


def _entry(lineage: Lineage, id: CheckpointId) -> dict[str, Any]:
    entry: dict[str, Any] = {"shard": lineage.shard, "id": str(id), "readable": True}
    try:
        summary = lineage.summary(id)
    except StateError as error:
        return entry | {"readable": False, "reason": str(error)}
    about = {key: summary.about.get(key) for key in ("pipeline", "rows", "positions")}
    return entry | {"created": summary.created, "bytes": summary.bytes, "sha256": summary.digest} | about


def _print_json(value: Any) -> None:
    from ...evaluation.result import strict

    typer.echo(json.dumps(strict(value), allow_nan=False, ensure_ascii=False, indent=1))


def _age(summary: Summary) -> str:
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(summary.created)).total_seconds()
    except (ValueError, TypeError):
        return "?"
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pairs(value: Any) -> str:
    return ", ".join(f"{key}: {_text(part)}" for key, part in _mapping(value).items())


def _learner(learner: Any) -> str:
    learner = _mapping(learner)
    params = ", ".join(f"{key}={part!r}" for key, part in _mapping(learner.get("params")).items())
    size = f", {_number(learner['bytes'])} bytes" if "bytes" in learner else ""
    return f"{learner.get('type', '?')}({params}){size}"


def _sizes(content: dict[str, Any]) -> dict[str, int]:
    """Bytes of arrays below each of the outermost keys."""

    def size(value: Any) -> int:
        if isinstance(value, dict):
            return sum(map(size, value.values()))
        if isinstance(value, list):
            return sum(map(size, value))
        return getattr(value, "nbytes", 0)

    return {key: size(part) for key, part in content.items()}


def _change(difference: Any) -> str:
    numbers = (difference.old, difference.new)
    if all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
        return (
            f" ({numbers[1] - numbers[0]:+,.6g})"
            if isinstance(numbers[1], float)
            else f" ({numbers[1] - numbers[0]:+,})"
        )
    return ""
