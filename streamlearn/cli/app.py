"""The commands and how they report errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .. import __version__
from ..errors import OptionError, StreamlearnError
from .commands import (
    bench,
    cache,
    ckpt,
    data,
    deadletter,
    demo,
    detect,
    doctor,
    evaluate,
    generate,
    produce,
    run,
    show,
    tune,
)

USAGE_ERROR, FAILURE, INTERRUPTED = 2, 1, 130

app = typer.Typer(
    name="streamlearn",
    help="Online learning on streams: evaluate learners prequentially, look at models, streams and this installation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("evaluate")(evaluate.evaluate)
app.command("detect")(detect.detect)
app.command("tune")(tune.tune)
app.command("generate")(generate.generate)
app.command("run")(run.run)
app.command("schema")(run.schema)
app.command("produce")(produce.produce)
app.command("demo")(demo.demo)
app.add_typer(bench.app, name="bench")
app.add_typer(cache.app, name="cache")
app.add_typer(deadletter.app, name="deadletter")
app.command("list")(show.list_names)
app.command("describe")(show.describe)
app.command("inspect")(show.inspect_model)
app.add_typer(data.app, name="data")
app.add_typer(ckpt.app, name="ckpt")
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamlearn {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Online learning on streams."""


def main() -> None:
    """Run a command; exit with 2 for a wrong option, 1 for input that doesn't fit, 130 after Ctrl-C."""
    try:
        app()
    except StreamlearnError as error:
        typer.echo(f"streamlearn: {error}", err=True)
        sys.exit(USAGE_ERROR if isinstance(error, OptionError) else FAILURE)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        sys.stderr.close()
        sys.exit(FAILURE)
    except OSError as error:
        typer.echo(f"streamlearn: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
        sys.exit(FAILURE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
