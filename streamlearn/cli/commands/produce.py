"""``streamlearn produce``: replay a stream into a topic or files, as live records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import OptionError
from ..completion import complete_stream
from ..pairs import parse_pairs

if TYPE_CHECKING:
    from ...replay import Delay, Replayed
    from ...sink import Sink
    from ...source import Source

PLACE = "kafka://host:port/topic, FILE.jsonl, or a FOLDER."


def produce(
    stream: Annotated[
        str,
        typer.Option(
            "--stream",
            "-s",
            help="NAME or NAME:param=value,…, as in 'list streams'; or a file.",
            autocompletion=complete_stream,
        ),
    ],
    to: Annotated[str, typer.Option("--to", help=f"Where the records go: {PLACE}")],
    rate: Annotated[
        float | None, typer.Option("--rate", "-r", help="Rows a second; by default as fast as it goes.")
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", "-n", min=1, help="Stop after so many rows.")] = None,
    start: Annotated[int, typer.Option("--start", min=0, help="Begin with this row of the stream.")] = 0,
    labels_to: Annotated[
        str | None, typer.Option("--labels-to", help=f"Send the labels here, and not in the records: {PLACE}")
    ] = None,
    label_delay: Annotated[
        str | None, typer.Option("--label-delay", help="How much later they come: 5s, 2min, or a number of rows.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The field whose value is the records' key; by default event_id.")
    ] = None,
    partitions: Annotated[
        int | None, typer.Option("--partitions", min=1, help="Deal out to so many partitions by turns, not by key.")
    ] = None,
    rows_per_file: Annotated[
        int, typer.Option("--rows-per-file", min=1, help="Rows of each file in a folder.")
    ] = 10_000,
    target: Annotated[str | None, typer.Option("--target", help="The target column of a file.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Write behind what is in the file already.")] = False,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="KEY=VALUE for the Kafka client, unrenamed; repeatable.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Replay a stream as JSON records with event_id and ts, at a steady rate, labels with or after them.

    streamlearn produce --stream electricity --to kafka://127.0.0.1:9092/events --rate 5000
    """
    from ...evaluation.progress import Progress
    from ...replay import Replay
    from ...source import open_stream

    source = open_stream(stream, target=target)
    if start:
        source.seek({"row": start})
    if label_delay is not None and labels_to is None:
        raise OptionError("--label-delay: say where the labels go (--labels-to)")
    options = parse_pairs("--option", option or [])
    replay = Replay(
        source,
        _sink(to, source, start, rows_per_file, append, options),
        rate=rate,
        rows=rows,
        labels=None if labels_to is None else _sink(labels_to, source, start, rows_per_file, append, options),
        delay=_delay(label_delay),
        key=key,
        partitions=partitions,
    )
    left = None if source.rows is None else source.rows - start
    total = rows if left is None else min(left, rows or left)
    try:
        with Progress(source.name, total, enabled=not quiet) as shown:
            replay.run(shown.count)
    except KeyboardInterrupt:
        typer.echo(_summary(replay.done, to, rate))
        typer.echo(f"interrupted; go on with --start {replay.done.next_row}")
        raise
    typer.echo(_summary(replay.done, to, rate))


def _summary(done: Replayed, to: str, rate: float | None) -> str:
    speed = done.events / done.seconds if done.seconds > 0 else 0.0
    labels = f" and {done.labels:,} labels" if done.labels else ""
    late = "" if rate is None else f", at most {1000 * done.late:,.0f} ms late"
    return f"wrote {done.events:,} records{labels} in {done.seconds:.1f} s ({speed:,.0f} a second{late}) to {to}"


def _sink(address: str, source: Source, start: int, rows_per_file: int, append: bool, options: dict[str, Any]) -> Sink:
    from ...addresses import sink_at, topic_of
    from ...replay import FilesInTurn

    if topic_of(address) is not None:
        return sink_at(address, options=options)
    path = Path(address).expanduser()
    is_folder = path.is_dir() or not path.suffix
    if not append and (any(path.iterdir()) if path.is_dir() else path.exists()):
        raise OptionError(f"{path} is there already: give another name, or write behind it with --append")
    if is_folder and "://" not in address:
        return FilesInTurn(path, name=source.name, rows=rows_per_file, first=start)
    return sink_at(address, options=options)


def _delay(text: str | None) -> Delay | None:
    from ...evaluation.labels import parse_delay
    from ...replay import Delay

    try:
        parsed = parse_delay(text)
    except OptionError as error:
        raise OptionError(f"--label-delay: {error}") from None
    if parsed is None:
        return None
    if parsed.rows is None and parsed.seconds is None:
        raise OptionError("--label-delay: give rows or a time")
    return Delay(parsed.rows or 0, parsed.seconds or 0.0)
