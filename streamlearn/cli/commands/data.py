"""``streamlearn data``: the catalogue of streams and the data directory."""

from __future__ import annotations

from typing import Annotated

import typer

from ...errors import InputError

app = typer.Typer(help="The catalogue of streams and the data directory.", no_args_is_help=True)


@app.command("list")
def list_streams() -> None:
    """List the streams of the catalogue, and whether their files are there."""
    from ..tables import console, data_sets

    console().print(data_sets())


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Names of streams; all that are there by default.")] = None,
) -> None:
    """Compare the files with the catalogue's checksums; exit with 1 if one is damaged, or missing though named."""
    from ...datasets import datasets
    from ...datasets import verify as check

    bad = 0
    for name in names or [entry.name for entry in datasets()]:
        status = check(name)
        typer.echo(f"{name:<16} {status}")
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
