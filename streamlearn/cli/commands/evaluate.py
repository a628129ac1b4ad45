"""``streamlearn evaluate``: run learners test-then-train over a stream."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ... import registry
from ...errors import InputError, OptionError
from ..completion import complete_learner, complete_stream

if TYPE_CHECKING:
    from ...evaluation import Comparison, Result


class EvaluationFile(BaseModel):
    """What a YAML file for ``streamlearn evaluate`` may say; its keys are the long options."""

    model_config = ConfigDict(extra="forbid")

    stream: str | list[str] = []
    target: str | None = None
    nominal: list[str] = []
    numeric: list[str] = []
    format: str | None = None
    learners: list[str | dict[str, Any]] | dict[str, str | dict[str, Any]] = []
    metrics: list[str] = []
    window: int = Field(1000, ge=1)
    fading: float = Field(0.999, gt=0, le=1)
    every: int | None = Field(None, ge=1)
    seeds: list[int] = []
    limit: int | None = Field(None, ge=1)
    json_file: Path | None = Field(None, alias="json")
    parquet: Path | None = None
    plot: Path | None = None
    report: Path | None = None
    delay: int | str | None = None
    labels: float = Field(1.0, ge=0, le=1)
    query: str | None = None
    folds: int | None = Field(None, ge=2)
    fold_mode: str = "cross-validation"
    seed: int = 0
    event_time: str | None = None
    jobs: int = Field(1, ge=1)
    keep: Path | None = None
    save: Path | None = None


def evaluate(
    stream: Annotated[
        list[str] | None,
        typer.Option(
            "--stream",
            "-s",
            help="A name (see 'list streams'), NAME:param=value,… or a file's path. Repeatable: learners are compared.",
            autocompletion=complete_stream,
        ),
    ] = None,
    learner: Annotated[
        list[str] | None,
        typer.Option(
            "--learner",
            "-l",
            help="NAME[:param=value,…]; transformers in front: 'standard_scaler | logistic_regression'. Repeatable.  "
            "[default: stacking_classifier; for numbers, adaptive_random_forest_regressor]",
            autocompletion=complete_learner,
        ),
    ] = None,
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
    metric: Annotated[
        list[str] | None, typer.Option("--metric", "-m", help="A metric, see 'list metrics'. Repeatable.")
    ] = None,
    window: Annotated[int | None, typer.Option("--window", help="Rows of the sliding window.  [default: 1000]")] = None,
    fading: Annotated[
        float | None, typer.Option("--fading", help="Factor of the fading metrics, per row.  [default: 0.999]")
    ] = None,
    every: Annotated[
        int | None, typer.Option("--every", help="Rows between points of the curves.  [default: the window]")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", help="N for the seeds 1 … N, or a list such as 3,7,11; mean ± std is shown."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Stop after so many rows.")] = None,
    delay: Annotated[
        str | None,
        typer.Option("--delay", help="When labels come: rows later, '5min' after the event time, or 'stream'."),
    ] = None,
    labels: Annotated[float | None, typer.Option("--labels", help="Share of labels that learners are given.")] = None,
    query: Annotated[
        str | None,
        typer.Option("--query", help="Which labels to ask for, such as 'variable_uncertainty:budget=0.1'."),
    ] = None,
    folds: Annotated[int | None, typer.Option("--folds", help="Models of each learner, on shares of the rows.")] = None,
    fold_mode: Annotated[str | None, typer.Option("--fold-mode", help="cross-validation, split or bootstrap.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the draws of labels and folds.")] = None,
    event_time: Annotated[
        str | None, typer.Option("--event-time", help="The column that says when a row happened.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result as JSON.")] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write the curves as Parquet.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the curves, .png or .svg.")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write words, tables and pictures as one HTML page.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", help="Of several streams, go through so many at once.  [default: 1]")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Of several streams, keep finished ones' results in this folder, to go on later."),
    ] = None,
    save: Annotated[Path | None, typer.Option("--save", help="Save the trained learner (one learner only).")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A YAML file with these options; options given here win.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, the table only.")] = False,
) -> None:
    """Run learners test-then-train over one stream or several, and measure them.

    Each row is predicted before it is learned. Example:

    streamlearn evaluate --stream electricity --learner hoeffding_tree_classifier --report electricity.html
    """
    given = {
        "stream": stream,
        "target": target,
        "nominal": nominal,
        "numeric": numeric,
        "format": format,
        "learners": learner,
        "metrics": metric,
        "window": window,
        "fading": fading,
        "every": every,
        "seeds": None if seeds is None else parse_seeds(seeds),
        "limit": limit,
        "delay": delay,
        "labels": labels,
        "query": query,
        "folds": folds,
        "fold_mode": fold_mode,
        "seed": seed,
        "event_time": event_time,
        "json": json,
        "parquet": parquet,
        "plot": plot,
        "report": report,
        "jobs": jobs,
        "keep": keep,
        "save": save,
    }
    run(read(config, {key: value for key, value in given.items() if value is not None and value != []}), quiet=quiet)


def read(config: Path | None, given: dict[str, Any]) -> EvaluationFile:
    """The options of a YAML file, overridden by those given on the command line.

    Raises
    ------
    OptionError
        If a key is unknown (the message suggests the near one) or a value is of the wrong kind.
    """
    written: Any = {}
    where = "options"
    if config is not None:
        where = str(config)
        try:
            written = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise OptionError(f"{config}: not readable as YAML: {error}") from None
        if not isinstance(written, dict):
            raise OptionError(f"{config}: expected a mapping of options, got a {type(written).__name__}")
    try:
        return EvaluationFile.model_validate({**written, **given})
    except ValidationError as error:
        raise OptionError(f"{where}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    known = [field.alias or name for name, field in EvaluationFile.model_fields.items()]
    messages = []
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            close = registry.near(path, known)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            messages.append(f"unknown key {path!r}; {hint}")
        else:
            messages.append(f"{path}: {problem['msg'].lower()}, got {problem['input']!r}")
    return "; ".join(messages)


def parse_seeds(text: str) -> list[int]:
    """``"3"`` → 1, 2, 3; ``"3,7"`` → 3, 7.

    Raises
    ------
    OptionError
        If it is neither.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise OptionError(f"--seeds {text!r}: give a number of seeds, or a list such as 3,7,11") from None
    if len(numbers) == 1 and "," not in text:
        if not 1 <= numbers[0] <= 1000:
            raise OptionError(f"--seeds {text}: the number of seeds must be 1 … 1000")
        return list(range(1, numbers[0] + 1))
    return numbers


def run(options: EvaluationFile, *, quiet: bool) -> None:
    """Evaluate, print the table, write the files."""
    from ... import models
    from ...evaluation import compare
    from ...evaluation import evaluate as evaluate_learners

    streams = [options.stream] if isinstance(options.stream, str) else options.stream
    if not streams:
        raise OptionError("say which stream: --stream NAME_OR_PATH (see 'streamlearn list streams')")
    if options.save is not None and (len(options.learners) != 1 or len(options.seeds) > 1 or len(streams) > 1):
        raise OptionError("--save takes one stream, one --learner and one seed")
    if len(streams) == 1 and (options.jobs > 1 or options.keep is not None):
        raise OptionError("--jobs and --keep are for several streams")
    _check_files(options)
    specs = options.learners
    learners: Any = (
        {label: models.make_learner(spec) for label, spec in specs.items()}
        if isinstance(specs, dict)
        else {
            (spec if isinstance(spec, str) else spec.get("label", spec.get("type", "?"))): _make(spec) for spec in specs
        }
    )
    if len(learners) < len(specs):
        raise OptionError("two learners are written alike: give each a label of its own in a --config file")
    kinds: dict[Any, Any] = dict.fromkeys(options.nominal, "nominal") | dict.fromkeys(options.numeric, "numeric")
    settings: dict[str, Any] = {
        "target": options.target,
        "kinds": kinds or None,
        "format": options.format,
        "metrics": options.metrics or None,
        "window": options.window,
        "fading": options.fading,
        "every": options.every,
        "seeds": options.seeds or None,
        "limit": options.limit,
        "delay": options.delay,
        "labels": options.labels,
        "query": options.query,
        "folds": options.folds,
        "fold_mode": options.fold_mode,
        "seed": options.seed,
        "event_time": options.event_time,
        "progress": not quiet,
    }
    result: Result | Comparison = (
        evaluate_learners(streams[0], learners or None, **settings)
        if len(streams) == 1
        else compare(streams, learners or None, jobs=options.jobs, keep=options.keep, **settings)
    )
    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        console.print(result.table(width=console.width))
    else:
        typer.echo(str(result))
    if options.json_file is not None:
        result.to_json(options.json_file)
    if options.parquet is not None:
        result.to_parquet(options.parquet)
    if options.plot is not None:
        result.plot(options.plot)
    if options.report is not None:
        result.report(options.report, command=typed())
    if options.save is not None:
        next(iter(learners.values())).save(options.save)
    for file in _written(options):
        typer.echo(f"wrote {file}")


def _written(options: EvaluationFile) -> list[Path]:
    """The files that were asked for."""
    files = (options.json_file, options.parquet, options.plot, options.report, options.save)
    return [file for file in files if file is not None]


def _check_files(options: EvaluationFile) -> None:
    """Make sure, before long work, that its results can be written."""
    for file in _written(options):
        if not file.parent.is_dir():
            raise InputError(f"{file}: there is no folder {file.parent}")
    if options.plot is not None or options.report is not None:
        from ...evaluation.plot import check_plotting

        check_plotting(options.plot or "curves.svg")  # a report holds SVG


def typed() -> str:
    """The command line, as it can be typed again."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _make(spec: str | dict[str, Any]) -> Any:
    from ... import models

    if isinstance(spec, dict):
        spec = {key: value for key, value in spec.items() if key != "label"}
    return models.make_learner(spec)
