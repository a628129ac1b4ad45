"""``streamlearn detect``: how well drift detectors detect."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ... import registry
from ...errors import InputError
from ..completion import complete_detector, complete_learner, complete_signal
from .evaluate import parse_seeds


def detect(
    detector: Annotated[
        list[str] | None,
        typer.Option(
            "--detector",
            "-d",
            help="NAME[:param=value,…]; repeatable.  [default: every one that watches values]",
            autocompletion=complete_detector,
        ),
    ] = None,
    stream: Annotated[
        list[str] | None,
        typer.Option(
            "--stream",
            "-s",
            help="A signal, or a stream that knows its drifts, such as sea_a:rows=100000; repeatable.  "
            "[default: all signals]",
            autocompletion=complete_signal,
        ),
    ] = None,
    learner: Annotated[
        str,
        typer.Option("--learner", "-l", help="Whose errors are watched on streams.", autocompletion=complete_learner),
    ] = "naive_bayes",
    seeds: Annotated[str, typer.Option("--seeds", help="N for the seeds 1 … N, or a list such as 3,7,11.")] = "10",
    max_delay: Annotated[
        int, typer.Option("--max-delay", help="Rows after a change until which an alarm counts as finding it.")
    ] = 1000,
    limit: Annotated[int | None, typer.Option("--limit", help="Rows of each stream to use.")] = None,
    by_stream: Annotated[bool, typer.Option("--by-stream", help="A line for each stream and detector.")] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw delays and alarms, .png or .svg.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, the table only.")] = False,
) -> None:
    """Run drift detectors over sequences whose drifts are known: delays, false alarms, misses. Example:

    streamlearn detect -d adwin -d ddm -s abrupt_errors -s sea_a:rows=100000 --plot detectors.png
    """
    from ...detection import SIGNALS, evaluate_detectors

    for file in (json, plot):
        if file is not None and not file.parent.is_dir():
            raise InputError(f"{file}: there is no folder {file.parent}")
    if plot is not None:
        from ...evaluation.plot import check_plotting

        check_plotting(plot)
    result = evaluate_detectors(
        detector or _all_of_values(),
        stream or list(SIGNALS),
        learner=learner,
        seeds=parse_seeds(seeds),
        max_delay=max_delay,
        limit=limit,
        progress=not quiet,
    )
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(result.table(by_stream=by_stream))
    else:
        typer.echo(result.to_text(by_stream=by_stream))
    if json is not None:
        result.to_json(json)
    if plot is not None:
        result.plot(plot)
    for file in (json, plot):
        if file is not None:
            typer.echo(f"wrote {file}")


def _all_of_values() -> list[str]:
    """Every registered detector that takes in values, not rows."""
    from ...detector import ValueDetector

    return [name for name in registry.names("detectors") if issubclass(registry.load("detectors", name), ValueDetector)]
