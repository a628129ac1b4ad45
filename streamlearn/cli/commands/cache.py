"""``streamlearn cache``: what policies make of recorded requests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ...errors import InputError
from ..completion import complete_policy

app = typer.Typer(help="Caches: compare policies on recorded requests.", no_args_is_help=True)

SIZES = ["0.1%", "1%", "10%"]


@app.command("simulate")
def simulate(
    trace: Annotated[
        Path,
        typer.Argument(help="Recorded requests: .parquet, .csv, .txt (a key a line), .oracleGeneral, also compressed."),
    ],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            "-p",
            help="NAME[:param=value,…], or opt for the best that is possible; repeatable.  "
            "[default: lru, s3_fifo, sieve, learned_bit, opt]",
            autocompletion=complete_policy,
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            "-s",
            help="Pages in the cache, or a share of the trace's keys; repeatable, or with commas.  "
            "[default: 0.1%,1%,10%]",
        ),
    ] = None,
    key: Annotated[str | None, typer.Option("--key", help="The column of the keys.")] = None,
    instance: Annotated[
        str | None, typer.Option("--instance", help="The column that tells apart parts with a cold cache each.")
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", help="parquet, csv, text, oracleGeneral, uint32 or uint64.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Requests to use.")] = None,
    wrong: Annotated[
        float, typer.Option("--wrong", min=0.0, max=1.0, help="Share of wrong bits for policies that are given bits.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of random numbers.")] = 0,
    json: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw miss-ratio curves, .png, .svg or .pdf.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, the table only.")] = False,
) -> None:
    """Serve recorded requests with several policies and sizes: miss ratios and speed. Example:

    streamlearn cache simulate requests.parquet -p lru -p learned_bit -p opt --size 1%,5%,10% --plot curves.png
    """
    from ...caching.simulate import DEFAULT_POLICIES
    from ...caching.simulate import simulate as run
    from ...caching.traces import open_trace

    for file in (json, plot):
        if file is not None and not file.parent.is_dir():
            raise InputError(f"{file}: there is no folder {file.parent}")
    if plot is not None:
        from ...evaluation.plot import check_plotting

        check_plotting(plot)
    requests = open_trace(trace, key=key, instance=instance, format=format, limit=limit)
    sizes = [part for given in size or SIZES for part in given.split(",") if part.strip()]
    result = run(requests, policy or DEFAULT_POLICIES, sizes, wrong=wrong, seed=seed, progress=not quiet)
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(result.table(console.width))
    else:
        typer.echo(result.to_text())
    if json is not None:
        result.to_json(json)
    if plot is not None:
        result.plot(plot)
    for file in (json, plot):
        if file is not None:
            typer.echo(f"wrote {file}")
