"""Prints outputs as JSON lines."""

from __future__ import annotations

import sys

from streamlearn.errors import OptionError, SinkError
from streamlearn.live import Worker
from streamlearn.sink import Output, Sink


class ConsoleSink(Sink):
    """Outputs on the standard output, one JSON object a line; what was printed can't be taken back.

    Raises
    ------
    OptionError
        From `open`, under exactly-once.
    """

    name = "console"

    def open(self, worker: Worker) -> None:
        """Refuse what can't be kept (see `Sink.open`)."""
        if worker.guarantee == "exactly-once":
            raise OptionError("sink console: exactly-once needs a sink of type file or kafka: print can't be undone")

    def write(self, shard: str, output: Output) -> None:
        """Print outputs (see `Sink.write`)."""
        values = output.messages("json").values
        try:
            sys.stdout.write("".join(value.decode() + "\n" for value in values))
        except OSError as error:
            raise SinkError(f"sink console: {error.strerror}") from error

    def flush(self) -> None:
        """Have it all printed."""
        try:
            sys.stdout.flush()
        except OSError as error:
            raise SinkError(f"sink console: {error.strerror}") from error
