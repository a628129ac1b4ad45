"""Whether a worker is well: what it says of itself, and a watchdog for the loop that no longer says anything."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from typing import Any, NamedTuple

from ...parameters import check_range
from ..observer import Health, Observer, Status
from .redaction import redacted

STALL_AFTER = 30.0
"""Seconds without a turn of the loop after which it counts as stalled."""

FRAMES = 12
"""Calls that are shown of a stack, the innermost ones."""


class Verdict(NamedTuple):
    """How a worker is, and why; no reasons where it is well."""

    health: Health
    reasons: list[str]


def judge(status: Status, stall_after: float = STALL_AFTER) -> Verdict:
    """How a worker is: its own word, unless its loop has stopped turning.

    Parameters
    ----------
    status
        As the worker gives it.
    stall_after
        Seconds; a worker that is running or draining and whose loop took longer for a turn is stalled. While it starts
        it is not: restoring a large state takes as long as it takes.
    """
    reasons = [redacted(status.message)] if status.message and status.health != "ok" else []
    if status.phase == "failed" or status.health == "failed":
        return Verdict("failed", reasons or ["the worker failed; its log says why"])
    if status.phase in ("running", "draining") and status.last_turn > stall_after:
        return Verdict("stalled", [f"the loop has not come around for {status.last_turn:.0f} s", *reasons])
    return Verdict(status.health, reasons)


class Watchdog(Observer):
    """Writes to the log, once, when the loop has stopped turning, with where it hangs, and when it turns again.

    Parameters
    ----------
    stall_after
        Seconds without a turn, above 0.
    log
        Where it reports.
    """

    def __init__(self, *, stall_after: float = STALL_AFTER, log: logging.Logger | None = None) -> None:
        check_range("stall_after", stall_after, 0, 1e6, open_low=True)
        self.stall_after = stall_after
        self._log = log or logging.getLogger("streamlearn")
        self._worker: Any = None
        self._loop_thread: int | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def started(self, worker: Any) -> None:
        self._worker = worker
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="streamlearn-watchdog", daemon=True)
        self._thread.start()

    def stopped(self, error: BaseException | None) -> None:
        self._ended.set()

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def _watch(self) -> None:
        stalled = False
        while not self._ended.wait(min(self.stall_after / 4, 5.0)):
            status = self._worker.status()
            verdict = judge(status, self.stall_after)
            if verdict.health == "stalled" and not stalled:
                fields = {"pipeline": status.pipeline, "worker": status.worker, "stack": self._where()}
                self._log.error(
                    "stalled: %s; it is here:\n%s",
                    verdict.reasons[0],
                    fields["stack"],
                    extra={"event": "stalled", "fields": fields},
                )
            elif stalled and verdict.health != "stalled":
                fields = {"pipeline": status.pipeline, "worker": status.worker}
                self._log.warning("the loop turns again", extra={"event": "recovered", "fields": fields})
            stalled = verdict.health == "stalled"

    def _where(self) -> str:
        """The innermost frames of the loop's stack, so that the log names the call that does not return."""
        frame = sys._current_frames().get(self._loop_thread or 0)
        return "".join(traceback.format_stack(frame, limit=FRAMES)) if frame is not None else "(its thread is gone)"
