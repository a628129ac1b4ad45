"""Structured logs: a line an event, for people or as JSON, written by a thread so that no reader holds up the loop."""

from __future__ import annotations

import datetime
import json
import logging
import math
import queue
import sys
import threading
import time
import traceback
from typing import Any, TextIO

from ...errors import StreamlearnError
from ...parameters import check_choice
from ..observer import Alarm, CommitDone, Observer, Stage
from .redaction import printable, redacted

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
WAITING_LINES = 10_000
"""Lines that wait for a reader that does not read; later ones are dropped and counted."""


class _Named(logging.Formatter):
    """Knows who logs.

    Parameters
    ----------
    pipeline, worker
        Put into lines that do not have their own.
    """

    def __init__(self, *, pipeline: str = "", worker: str = "") -> None:
        super().__init__()
        self._names = {"pipeline": pipeline, "worker": worker}


class JsonFormatter(_Named):
    """One JSON object a line: ``time``, ``level``, ``event``, ``message``, then the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            "message": redacted(record.getMessage()),
            **self._names,
        }
        line |= {name: _plain(value) for name, value in getattr(record, "fields", {}).items()}
        if record.name != "streamlearn":
            line["logger"] = record.name
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = redacted("".join(traceback.format_exception(record.exc_info[1])))
        return json.dumps(line, ensure_ascii=False, allow_nan=False)


class TextFormatter(_Named):
    """Lines for people: local time, level, pipeline/worker, what happened. Control characters are shown escaped."""

    def format(self, record: logging.LogRecord) -> str:
        names = {**self._names, **getattr(record, "fields", {})}
        who = "/".join(filter(None, (str(names["pipeline"]), str(names["worker"]))))
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        text = printable(redacted(text)).replace("\n", "\n    ")  # indented: no line poses as another's
        return f"{when} {record.levelname:<7} {who + ': ' if who else ''}{text}"


class LineHandler(logging.Handler):
    """Writes lines on a thread of its own. A stream that nobody reads costs lines, which are counted, never time.

    Parameters
    ----------
    stream
        Where to; by default standard error, whatever that is when a line is written.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream
        self._queue: queue.Queue[str | threading.Event | None] = queue.Queue(WAITING_LINES)
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._write, name="streamlearn-logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._put(self.format(record))
        except Exception:  # as the standard handlers do: a bad log call is reported, and harms nothing
            self.handleError(record)

    def flush(self, timeout: float = 2.0) -> None:
        """Wait until what was logged is written, ``timeout`` seconds at most."""
        written = threading.Event()
        if self._thread.is_alive() and self._put(written):
            written.wait(timeout)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.flush()
            self._put(None)
        super().close()

    def _put(self, line: str | threading.Event | None) -> bool:
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += isinstance(line, str)
            return False
        return True

    def _write(self) -> None:
        while (line := self._queue.get()) is not None:
            if isinstance(line, threading.Event):
                line.set()
                continue
            if self._dropped:
                lost, self._dropped = self._dropped, 0
                line = self._note_of(lost) + "\n" + line
            stream = self._stream or sys.stderr
            try:
                stream.write(line + "\n")
                stream.flush()
            except (OSError, ValueError):  # nobody is there to be told
                self._dropped += 1

    def _note_of(self, lost: int) -> str:
        fields = {"event": "lines_dropped", "fields": {"lines": lost}}
        message = f"{lost} log lines were dropped, since nobody read them"
        about = {"name": "streamlearn", "levelno": logging.WARNING, "levelname": "WARNING", "msg": message, **fields}
        return self.format(logging.makeLogRecord(about))


class LogObserver(Observer):
    """Logs what a worker does under the logger ``streamlearn``; records set aside are summed up, not logged one by one.

    Parameters
    ----------
    level : "debug", "info", "warning" or "error"
        What is logged: commits are ``debug``; starts, restores, partitions that come and go are ``info``; retries,
        alarms, records set aside are ``warning``.
    format : "text" or "json"
    pipeline, worker
        Who it is.
    stream
        Where to; by default standard error.
    every
        Seconds between two lines about records that were set aside.
    """

    def __init__(
        self,
        *,
        level: str = "info",
        format: str = "text",
        pipeline: str = "",
        worker: str = "0",
        stream: TextIO | None = None,
        every: float = 10.0,
    ) -> None:
        check_choice("level", level, LEVELS)
        check_choice("format", format, FORMATS)
        self._names = {"pipeline": pipeline, "worker": worker}
        self._every = every
        self._log = logging.getLogger("streamlearn")
        self._handler = LineHandler(stream)
        formatter = JsonFormatter if format == "json" else TextFormatter
        self._handler.setFormatter(formatter(pipeline=pipeline, worker=worker))
        self._handler.addFilter(self._is_ours)
        self._before = self._log.level, self._log.propagate
        self._log.addHandler(self._handler)
        self._log.setLevel(level.upper())
        self._log.propagate = False  # or the root logger's handlers would write each line again
        self._set_aside: dict[Stage, int] = {}
        self._reported = -math.inf

    def started(self, worker: Any) -> None:
        status = worker.status()
        self._write(logging.INFO, "started", f"started, {status.guarantee}".rstrip(", "), guarantee=status.guarantee)

    def assigned(self, shards: list[str]) -> None:
        self._write(logging.INFO, "assigned", f"has {_listed(shards)} now", shards=shards)

    def released(self, shards: list[str], *, lost: bool) -> None:
        level = logging.WARNING if lost else logging.INFO
        how = "lost, without a commit" if lost else "given away after a commit"
        self._write(level, "released", f"{_listed(shards)} {how}", shards=shards, lost=lost)

    def committed(self, done: CommitDone) -> None:
        text = f"committed checkpoint {done.checkpoint}: {done.rows:,} rows, {done.bytes:,} bytes, {done.seconds:.3f} s"
        fields = {"checkpoint": done.checkpoint, "rows": done.rows, "bytes": done.bytes, "seconds": done.seconds}
        self._write(logging.DEBUG, "committed", f"{text} ({done.reason})", **fields, reason=done.reason)
        self._sum_up()

    def rejected(self, shard: str, record: str, stage: Stage, reason: str) -> None:
        self._set_aside[stage] = self._set_aside.get(stage, 0) + 1
        if time.monotonic() - self._reported >= self._every:
            count = sum(self._set_aside.values())
            text = f"set aside {record} ({stage}): {reason}"
            if count > 1:
                text += f"; {count - 1:,} more since the last such line"
            self._write(
                logging.WARNING, "rejected", text, shard=shard, record=record, stage=stage, reason=reason, count=count
            )
            self._begin_anew()

    def alarm(self, alarm: Alarm) -> None:
        what = "drift" if alarm.level == "drift" else "a warning of drift"
        text = f"{alarm.detector} reports {what} of {alarm.learner} at row {alarm.row:,} ({alarm.record})"
        fields = ("shard", "learner", "detector", "record", "row", "event_time")
        self._write(logging.WARNING, alarm.level, text, **{name: getattr(alarm, name) for name in fields})

    def restored(self, shard: str, checkpoint: str | None, replayed: bool, seconds: float = 0.0) -> None:
        how = f"restored from checkpoint {checkpoint}" if checkpoint is not None else "begins afresh"
        how += ", replays what it had already written" if replayed else ""
        fields = {"shard": shard, "checkpoint": checkpoint, "replayed": replayed, "seconds": seconds}
        self._write(logging.INFO, "restored", f"shard {shard} {how}", **fields)

    def retrying(self, what: str, error: Exception, wait: float) -> None:
        if what == "worker":  # which logs that itself, as it must where nobody observes it
            return
        text = f"{what} failed: {error}; tried again in {wait:.1f} s"
        self._write(logging.WARNING, "retrying", text, what=what, wait=wait, error=f"{type(error).__name__}: {error}")

    def stopped(self, error: BaseException | None) -> None:
        self._sum_up(now=True)
        if error is None:
            self._write(logging.INFO, "stopped", "stopped")
        else:
            # An error that we raise on purpose says it all; of others it matters where they came from.
            ours = isinstance(error, StreamlearnError) and not self._log.isEnabledFor(logging.DEBUG)
            exc_info = None if ours else error
            self._write(logging.ERROR, "failed", f"failed: {error}", error_type=type(error).__name__, exc_info=exc_info)
        self._handler.flush()  # the process may end at once

    def close(self) -> None:
        if self._handler in self._log.handlers:
            self._log.removeHandler(self._handler)
            self._log.level, self._log.propagate = self._before
        self._handler.close()

    def _sum_up(self, *, now: bool = False) -> None:
        """Say how many records were set aside since this was last said."""
        if self._set_aside and (now or time.monotonic() - self._reported >= self._every):
            parts = ", ".join(f"{stage} {count:,}" for stage, count in self._set_aside.items())
            text = f"set aside {sum(self._set_aside.values()):,} more records ({parts})"
            self._write(logging.WARNING, "rejected", text, counts=dict(self._set_aside))
            self._begin_anew()

    def _is_ours(self, record: logging.LogRecord) -> bool:
        """Whether the line is this worker's, or nobody's: two workers of one process share the logger."""
        names = {**self._names, **getattr(record, "fields", {})}
        return all(names[name] == own for name, own in self._names.items())

    def _begin_anew(self) -> None:
        self._set_aside.clear()
        self._reported = time.monotonic()

    def _write(self, level: int, event: str, message: str, **fields: Any) -> None:
        if self._log.isEnabledFor(level):
            exc_info = fields.pop("exc_info", None)
            extra = {"event": event, "fields": {**self._names, **fields}}
            self._log.log(level, "%s", message, extra=extra, exc_info=exc_info)


def _listed(shards: list[str], limit: int = 8) -> str:
    if not shards:
        return "no shards"
    rest = len(shards) - limit
    return ", ".join(shards[:limit]) + (f" and {rest} more" if rest > 0 else "")


def _plain(value: Any) -> Any:
    """The value as strict JSON; texts without secrets."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, (bool, int, float)) else redacted(str(value))
