"""``streamlearn demo``: a live job that is killed with kill -9, resumed, and found to have lost nothing."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import OptionError

if TYPE_CHECKING:
    from ...demo.places import Place

ROWS = 45_312  # all of electricity


def demo(
    rows: Annotated[int, typer.Option("--rows", "-n", min=100, max=ROWS, help="Events.")] = ROWS,
    rate: Annotated[float, typer.Option("--rate", "-r", min=1, help="Events a second.")] = 2_000.0,
    kill_at: Annotated[
        float, typer.Option("--kill-at", min=0.0, max=0.9, help="The share of the events after which it is killed.")
    ] = 0.5,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="A new folder for all files, instead of one that is removed.")
    ] = None,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Over a Kafka: that of --bootstrap, or one started from KAFKA_HOME.")
    ] = False,
    bootstrap: Annotated[
        str | None, typer.Option("--bootstrap", help="A running Kafka, HOST:PORT; its topics are removed afterwards.")
    ] = None,
) -> None:
    """Learn a stream live, kill the worker with kill -9, resume it, and prove that nothing was lost or done twice.

    streamlearn demo
    """
    from ...demo.job import Job, is_warm, warm_up

    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # not without ending its processes
    with ExitStack() as held:
        if keep is None:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="streamlearn-demo-")))
        else:
            folder = keep.expanduser().absolute()
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise OptionError(f"--keep: {folder} is there already: name a new folder")
            folder.mkdir(parents=True, exist_ok=True)
        place = _place(held, folder, kafka=kafka or bootstrap is not None, bootstrap=bootstrap)
        typer.echo(f"{rows:,} events of electricity, {rate:,.0f} a second, through a Hoeffding tree, exactly once")
        typer.echo(f"in {folder}\n")
        if not is_warm():
            typer.echo("Compiling the tree: once on this machine, a minute at most.\n")
            warm_up()
        job = held.enter_context(Job(folder, place, rows, rate, kill_at, typer.echo, terminal=sys.stderr.isatty()))
        good = job.play()
    seconds = time.monotonic() - began
    typer.echo(f"\n{'Nothing was lost, nothing was done twice' if good else 'THE PROOF FAILED'} ({seconds:.0f} s).")
    if not good:
        raise typer.Exit(1)


def _place(held: ExitStack, folder: Path, *, kafka: bool, bootstrap: str | None) -> Place:
    from ...demo.places import Files, Kafka

    if not kafka:
        return Files()
    if bootstrap is None:
        home = os.environ.get("KAFKA_HOME")
        if not home:
            raise OptionError(
                "--kafka: name a running Kafka by --bootstrap HOST:PORT, or by the environment variable KAFKA_HOME a "
                "folder of Kafka's jars, from which one is started (needs Java)"
            )
        from ...testing.kafka_broker import Broker

        typer.echo(f"starting a Kafka from {home} …")
        at = held.enter_context(tempfile.TemporaryDirectory(prefix="streamlearn-kafka-"))
        bootstrap = held.enter_context(Broker(home, at)).bootstrap
    return Kafka(bootstrap)
