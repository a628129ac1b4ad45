"""``streamlearn generate``: write a stream, synthetic or not, to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import OptionError
from ..completion import complete_stream


def generate(
    stream: Annotated[
        str,
        typer.Argument(
            help="NAME or NAME:param=value,…, as in 'list streams'; or a file to convert.",
            autocompletion=complete_stream,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file: .parquet, .arrow, .arff, .csv or .jsonl.")],
    rows: Annotated[int | None, typer.Option("--rows", "-n", min=1, help="Rows of the stream.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of a synthetic stream.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="The format, where the suffix does not tell.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that is there.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write a stream to a file, with its drifts where the format can keep them (Parquet, Arrow).

    streamlearn generate sea_a --rows 100000 --out sea.parquet
    """
    from ...evaluation.progress import Progress
    from ...source import is_synthetic, open_stream
    from ...writing import write_stream

    given: dict[str, Any] = {key: value for key, value in (("rows", rows), ("seed", seed)) if value is not None}
    if is_synthetic(stream):
        separator = "," if ":" in stream else ":"
        stream += separator + ",".join(f"{key}={value}" for key, value in given.items()) if given else ""
    elif seed is not None:
        raise OptionError(f"--seed is for synthetic streams; {stream} is not one")
    source = open_stream(stream)
    total = rows if source.rows is None else min(source.rows, rows or source.rows)
    with Progress(source.name, total, enabled=not quiet) as shown:
        written = write_stream(source, out, rows=rows, format=format, force=force, progress=shown.count)
    typer.echo(f"wrote {out}: {written:,} rows of {source.name}")
    if source.drifts:
        typer.echo("drifts at " + ", ".join(f"{drift.row:,}" for drift in source.drifts))
