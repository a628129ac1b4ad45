"""``streamlearn run`` and ``streamlearn schema``: pipelines over live streams, and the form of their files."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import (
    CheckpointError,
    FencedError,
    MissingExtraError,
    OptionError,
    SinkError,
    SourceError,
    StreamlearnError,
    UncertainError,
    may_pass,
)

if TYPE_CHECKING:
    from ...runtime.config import PipelineConfig

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

FAILURE, CONFIGURATION, AGAIN = 1, 2, 75
"""Exit statuses; 75 is EX_TEMPFAIL: a later start may well succeed."""


def run(
    file: Annotated[Path, typer.Argument(help="The pipeline file, see docs/pipelines.md.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE overrides the file, such as checkpoint.dir=./state. Repeatable."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The pipeline's name, instead of the file's.")] = None,
    worker: Annotated[
        str | None,
        typer.Option(
            "--worker",
            envvar="STREAMLEARN_WORKER",
            help="This worker's name: unique in the pipeline, the same after a restart.  [default: 0]",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Start so many workers, and start them again when they fail.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin afresh where the checkpoint of committed positions is gone.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Check the file and connect, but take in nothing.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print all settings, secrets masked, and stop.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Show on the terminal what happens.")] = False,
) -> None:
    """Run a pipeline over a live stream, until it ends or is told to stop (Ctrl-C, SIGTERM).

    Exits with 0 when done or stopped, 1 for a failure, 2 for a wrong option, 75 where starting again may help. Example:

    streamlearn run power.yaml --set checkpoint.every=1s --live
    """
    from ...runtime.config import PipelineConfig

    given = [*(set_ or []), *([f'name="{name}"'] if name else [])]
    first = ["checkpoint.on_missing=fresh"] if fresh else []
    with statuses():
        if worker is not None and not re.fullmatch(NAME, worker):
            raise OptionError(f"--worker {worker}: a name has letters, digits, '.', '_' and '-' only")
        try:
            config = PipelineConfig.load(file, overrides=[*given, *first])
        except FileNotFoundError:
            raise OptionError(f"{file}: there is no such file") from None
        if show:
            typer.echo(config.to_yaml(), nl=False)
        elif workers is not None and not check:
            if live:
                raise OptionError("--live shows one worker; watch several by telemetry.prometheus")
            raise typer.Exit(_supervise(config, file, given, first, worker, workers))
        else:
            _work(config, worker or "0", check=check, live=live)


def _work(config: PipelineConfig, worker: str, *, check: bool, live: bool) -> None:
    """Be a worker."""
    from ...runtime.pipeline import Pipeline
    from ...runtime.supervisor import watch_supervisor
    from ...runtime.telemetry import make_observers

    pipeline = Pipeline.from_config(config)
    if check:
        pipeline.check(worker=worker)
        typer.echo(f"{config.name}: all is well; nothing was read")
        return
    _say_what_is_compiled(pipeline.plan.learners)
    observers = make_observers(config.telemetry.model_dump(), pipeline=config.name, worker=worker, live=live)
    try:
        watch_supervisor(pipeline.stop)
        with stopping(pipeline.stop, "stopping: the batch is finished and committed; once more ends at once"):
            summary = pipeline.run(worker=worker, observers=observers)
    except StreamlearnError:
        raise
    except Exception as error:  # of a model of the user's own, or a bug: the log has told where
        typer.echo(f"streamlearn: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(FAILURE) from error
    finally:
        for observer in observers:
            observer.close()
    typer.echo(f"{config.name}: {summary}", err=True)


def _say_what_is_compiled(learners: Mapping[str, Any]) -> None:
    """Say why the first rows take long: kernels are compiled when they are first used on a machine."""
    from ...array_learner import ArrayLearner
    from ...compiled import is_compiled

    for name, learner in learners.items():
        core = learner.steps[-1] if hasattr(learner, "steps") else learner
        if isinstance(core, ArrayLearner) and not is_compiled(type(core)._advance):
            typer.echo(f"streamlearn: compiling {name} (once; kept on disk)", err=True)


def _supervise(
    config: PipelineConfig, file: Path, given: list[str], first: list[str], worker: str | None, workers: int
) -> int:
    """Be the supervisor of workers; their names are 0, 1, … or NAME-0, NAME-1, …"""
    from ...runtime.supervisor import Supervisor

    if workers > 1 and not getattr(config.make_source(), "grouped", False):
        raise OptionError(
            f"--workers {workers}: the source does not share its records out among workers, as a Kafka source with a "
            "group does: each would read them all"
        )
    names = [str(i) if worker is None else f"{worker}-{i}" for i in range(workers)]
    ports = config.telemetry.prometheus

    def command(named: str, restarts: int) -> list[str]:
        settings = [*given, *(first if restarts == 0 else [])]
        if ports is not None and ports.port:
            settings.append(f"telemetry.prometheus.port={ports.port + names.index(named)}")
        options = [text for setting in settings for text in ("--set", setting)]
        return [sys.executable, "-m", "streamlearn", "run", str(file), "--worker", named, *options]

    supervisor = Supervisor(names, command, prefix=config.telemetry.logs.format == "text")
    with stopping(supervisor.stop):
        return supervisor.run()


def schema(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file to write it to.")] = None,
) -> None:
    """Print the JSON schema of pipeline files, with the options of all that is installed, for editors. Example:

    streamlearn schema --out pipeline.schema.json
    """
    import json

    from ...runtime.config import PipelineConfig

    text = json.dumps(PipelineConfig.json_schema(), indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"wrote {out}")


@contextmanager
def stopping(stop: Callable[[], None], message: str = "") -> Iterator[None]:
    """Let SIGTERM and SIGINT call ``stop``: every time, or with a message once, after which they end the process."""
    told = 0

    def tell(number: int, frame: Any) -> None:
        nonlocal told
        told += 1
        if told > 1 and message:
            os._exit(128 + number)  # as by kill -9, which loses nothing either
        if message:
            os.write(2, f"streamlearn: {message}\n".encode())
        stop()

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def statuses() -> Iterator[None]:
    """Turn errors into messages and exit statuses that tell a supervisor whether starting again may help."""
    try:
        yield
    except StreamlearnError as error:
        typer.echo(f"streamlearn: {error}", err=True)
        raise typer.Exit(status_of(error)) from error


def status_of(error: StreamlearnError) -> int:
    """The exit status for an error that ended a worker."""
    if isinstance(error, (OptionError, MissingExtraError)):
        return CONFIGURATION
    passing = isinstance(error, (SourceError, SinkError, FencedError, UncertainError)) or (
        isinstance(error, CheckpointError) and isinstance(error.__cause__, OSError)  # such as a full disk
    )
    if passing and may_pass(error):
        return AGAIN
    return FAILURE
