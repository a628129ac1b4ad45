"""``streamlearn bench``: benchmarks that are long, kept in a folder, and go on where they were stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import MissingExtraError, OptionError
from ..completion import complete_learner, complete_stream
from .evaluate import typed

app = typer.Typer(help="Benchmarks that go on where they were stopped.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Benchmarks that go on where they were stopped."""


@app.command("drift")
def drift(
    stream: Annotated[
        list[str] | None,
        typer.Option(
            "--stream",
            "--streams",
            "-s",
            help="One of the benchmark, or another, perhaps as LABEL=…; repeatable.  [default: all of it]",
            autocompletion=complete_stream,
        ),
    ] = None,
    learner: Annotated[
        list[str] | None,
        typer.Option(
            "--learner",
            "--learners",
            "-l",
            help="A label of the benchmark, or [LABEL=]NAME:param=value,…; repeatable.  [default: all of it]",
            autocompletion=complete_learner,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to keep it in.  [default: drift, or drift-quick]")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="How many seeds each cell has in the end.")] = 1,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Cells that run at once, each in a process.")] = 1,
    budget: Annotated[
        float | None, typer.Option("--budget", help="Minutes; a cell that would need longer is not begun.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", help="Of each stream at most.  [default: 1,000,000, or the whole file]")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="2,000 rows of each stream: does it work?")] = False,
    report: Annotated[bool, typer.Option("--report", help="Run nothing: show what the folder has.")] = False,
    any_version: Annotated[
        bool, typer.Option("--any-version", help="Don't repeat what another version of the code has run.")
    ] = False,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw, and write the HTML page.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, the tables only.")] = False,
) -> None:
    """Run learners over the streams of the drift benchmark, and hold them against a paper's figures.

    Each learner, stream and seed is a cell that is kept as soon as it is finished; the same command goes on after a
    stop of any kind. Tables, pictures and an HTML page are written into the folder. Example:

    streamlearn bench drift --jobs 2 --seeds 3 --budget 120
    """
    from ...benchmark import Board
    from ...benchmark import drift as run
    from ...benchmark.lineup import parse_learners, parse_streams
    from ...benchmark.run import QUICK_ROWS

    if quick and rows is not None:
        raise OptionError("--quick says how many rows, and so does --rows: give one of them")
    folder = out or Path("drift-quick" if quick else "drift")
    if pictures:
        _check_pictures()
    if report:
        board = Board.read(folder, parse_streams(stream) if stream else (), parse_learners(learner) if learner else ())
    else:
        board = run(
            folder,
            streams=stream or (),
            learners=learner or (),
            seeds=seeds,
            rows=QUICK_ROWS if quick else rows,
            jobs=jobs,
            budget=budget,
            any_version=any_version,
            progress=not quiet,
        )
    typer.echo(str(board))
    typer.echo("")
    for file in board.write(folder, command=typed(), pictures=pictures):
        typer.echo(f"wrote {file}")


def _check_pictures() -> None:
    from ...evaluation.plot import check_plotting

    try:
        check_plotting("curves.png")
    except MissingExtraError as error:
        raise MissingExtraError("plot", "drawing the benchmark (--no-pictures writes tables alone)") from error
