"""``streamlearn tune``: search for hyper-parameters over a stream."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import InputError, OptionError
from ..completion import complete_learner, complete_stream
from .evaluate import parse_seeds


class Search(StrEnum):
    """How to search."""

    halving = "halving"
    random = "random"
    grid = "grid"


def tune(
    stream: Annotated[
        str,
        typer.Option(
            "--stream", "-s", help="A name of the catalogue or a file's path.", autocompletion=complete_stream
        ),
    ],
    learner: Annotated[
        str, typer.Option("--learner", "-l", help="NAME[:param=value,…].", autocompletion=complete_learner)
    ],
    param: Annotated[
        list[str],
        typer.Option(
            "--param",
            "-p",
            help="What to try: 'grace_period=50,200', 'tau=0.01..0.2' or 'delta=1e-7..1e-2:log'. Repeatable.",
        ),
    ],
    search: Annotated[
        Search, typer.Option("--search", help="Successive halving over the stream, or every trial to its end.")
    ] = Search.halving,
    trials: Annotated[int, typer.Option("--trials", help="Candidates that halving and random search draw.")] = 27,
    points: Annotated[int, typer.Option("--points", help="Numbers that grid search takes of a range.")] = 5,
    eta: Annotated[int, typer.Option("--eta", help="Halving keeps one candidate in so many.")] = 3,
    metric: Annotated[
        str | None, typer.Option("--metric", "-m", help="What to compare by.  [default: accuracy or mae]")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.")] = 0,
    seeds: Annotated[str | None, typer.Option("--seeds", help="Seeds of the learner, whose mean counts.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Rows to tune on.")] = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="The target column.")] = None,
    nominal: Annotated[
        list[str] | None, typer.Option("--nominal", help="A field to take as nominal. Repeatable.")
    ] = None,
    numeric: Annotated[
        list[str] | None, typer.Option("--numeric", help="A field to take as numeric. Repeatable.")
    ] = None,
    format: Annotated[
        str | None, typer.Option("--format", help="The file's format, where its suffix does not tell.")
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="Runs at a time.  [default: all cores]")] = None,
    journal: Annotated[
        Path | None, typer.Option("--journal", help="A file that notes each run; a search that has one goes on there.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all trials as JSON.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, the table only.")] = False,
) -> None:
    """Search for the hyper-parameters with which a learner does best, test-then-train. Example:

    streamlearn tune -s electricity -l hoeffding_tree_classifier -p grace_period=50..400 -p delta=1e-7..1e-1:log
    """
    from ...tuning import tune as search_parameters
    from ...tuning.space import parse_param

    space = dict(parse_param(text) for text in param)
    if len(space) < len(param):
        raise OptionError("--param: a parameter is named twice")
    for file in (json, journal):
        if file is not None and not file.parent.is_dir():
            raise InputError(f"{file}: there is no folder {file.parent}")
    kinds: dict[Any, Any] = dict.fromkeys(nominal or [], "nominal") | dict.fromkeys(numeric or [], "numeric")
    tuning = search_parameters(
        stream,
        learner,
        space,
        search=search.value,
        trials=trials,
        points=points,
        eta=eta,
        metric=metric,
        seed=seed,
        seeds=None if seeds is None else parse_seeds(seeds),
        limit=limit,
        target=target,
        kinds=kinds or None,
        format=format,
        jobs=jobs,
        journal=journal,
        progress=not quiet,
    )
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(tuning.table())
    else:
        typer.echo(str(tuning))
    typer.echo(f"best: {tuning.spec}")
    if json is not None:
        tuning.to_json(json)
        typer.echo(f"wrote {json}")
