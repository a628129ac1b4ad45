"""``streamlearn data``: the catalogue of streams and the data directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import InputError

app = typer.Typer(help="The catalogue of streams and the data directory.", no_args_is_help=True)


@app.command("list")
def list_streams() -> None:
    """List the streams of the catalogue, and whether their files are there."""
    from ..tables import console, data_sets

    console().print(data_sets())


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A stream of the catalogue.")],
    file: Annotated[Path, typer.Argument(help="A copy: ARFF, CSV, Parquet; the target in its last column.")],
    labels: Annotated[Path | None, typer.Argument(help="A second file, with one label a line.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Convert your copy of a stream of the catalogue to Parquet, in the data directory."""
    from ...datasets import add as add_copy

    added = add_copy(name, file, labels, force=force)
    typer.echo(f"wrote {added.path}: {added.rows:,} rows" + (f"; {added.note}" if added.note else ""))


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Names of streams; all that are there by default.")] = None,
) -> None:
    """Compare the files with the catalogue; exit with 1 if one is damaged, or missing though named.

    "ok" is the project's own file, "own" a conversion of yours with the right rows and columns.
    """
    from ...datasets import datasets
    from ...datasets import verify as check

    bad = 0
    for name in names or [entry.name for entry in datasets()]:
        status = check(name)
        typer.echo(f"{name:<40} {status}")
        bad += status == "damaged" or (status == "missing" and bool(names))
    if bad:
        raise InputError(f"{bad} of the streams failed; 'streamlearn describe NAME' says where to get a file")


@app.command("path")
def path(
    name: Annotated[str | None, typer.Argument(help="A stream; without one, the data directory is printed.")] = None,
) -> None:
    """Print where a stream's file is, or where the data directory is."""
    from ...datasets import data_directory, find

    typer.echo(data_directory() if name is None else find(name))
