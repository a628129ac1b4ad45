"""Drift alarms for a webhook: posted as JSON by a thread of their own, so that no server can hold up the loop."""

from __future__ import annotations

import logging
import queue
import random
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import OptionError
from ...parameters import check_choice, check_range
from ..observer import Alarm, Observer

LEVELS = ("warning", "drift")
LONGEST_WAIT = 60.0
"""Seconds between two tries, at most."""


def document(alarm: Alarm) -> dict[str, Any]:
    """An alarm as the JSON object that is posted.

    ``id`` is the same when the alarm is raised again in a replay after a crash, so that receivers can tell; ``text``
    is a sentence, which chat services show as it is.
    """
    id = "-".join([alarm.pipeline, alarm.record, alarm.learner, alarm.detector, alarm.level])
    what = "drift" if alarm.level == "drift" else "a warning of drift"
    text = f"{alarm.pipeline}: {alarm.detector} reports {what} of {alarm.learner} at row {alarm.row:,} ({alarm.record})"
    fields = ("pipeline", "shard", "learner", "detector", "level", "record", "row", "event_time")
    return {"id": id, "text": text, **{name: getattr(alarm, name) for name in fields}}


class WebhookObserver(Observer):
    """Posts each alarm to a URL.

    Alarms wait in a queue; when it is full, new ones are dropped and counted. A post that fails for a passing reason
    (no connection, a time-out, 408, 429, 5xx) is tried again, with waits that double; any other answer than 2xx gives
    the alarm up, redirections included, since following one would turn the post into a get.

    Parameters
    ----------
    url
        ``http`` or ``https``; what follows the host stays out of logs, for it may hold a secret.
    timeout
        Seconds that a server may leave a connection or a read without an answer.
    retries
        Further tries after the first, 0 or more.
    backoff
        Seconds before the second try.
    capacity
        Alarms that may wait.
    level : "drift" or "warning"
        ``warning`` posts warnings as well as drifts.
    headers
        Further headers, such as ``Authorization``.

    Attributes
    ----------
    counts : dict of int
        Alarms so far: ``delivered``, ``failed``, ``dropped``.

    Raises
    ------
    OptionError
        If the URL is not one of http or https, or an option is out of range.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        retries: int = 3,
        backoff: float = 1.0,
        capacity: int = 1000,
        level: str = "drift",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = _parts_of(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OptionError("webhook: the URL must begin with http:// or https:// and name a host")
        check_range("timeout", timeout, 0, 600, open_low=True)
        check_range("retries", retries, 0, 100, kind=int)
        check_range("backoff", backoff, 0, 600)
        check_range("capacity", capacity, 1, 1_000_000, kind=int)
        check_choice("level", level, LEVELS)
        self._url = url
        self._place = f"{parts.scheme}://{parts.hostname}"
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._level = level
        self._headers = {"Content-Type": "application/json", "User-Agent": "streamlearn", **(headers or {})}
        self._opener = urllib.request.build_opener(_NoRedirection)
        self._log = logging.getLogger("streamlearn")
        self.counts = {"delivered": 0, "failed": 0, "dropped": 0}
        self._queue: queue.Queue[Alarm] = queue.Queue(capacity)
        self._closing = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._deliver, name="streamlearn-webhook", daemon=True)
        self._thread.start()

    def alarm(self, alarm: Alarm) -> None:
        if alarm.level == "warning" and self._level == "drift":
            return
        try:
            self._queue.put_nowait(alarm)
        except queue.Full:
            self.counts["dropped"] += 1  # no lock: only the worker's thread counts these
            if self.counts["dropped"] % 1000 == 1:
                self._log.warning("webhook: alarms are dropped, since %s takes them too slowly", self._place)

    def close(self, timeout: float = 5.0) -> None:
        """Deliver what waits, for ``timeout`` seconds at most; what is left then is counted as dropped."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(timeout)
        self._given_up.set()
        left = self._drain()
        self.counts["dropped"] += left
        if left:
            self._log.warning("webhook: %d alarms could not be delivered in time to %s", left, self._place)

    def _deliver(self) -> None:
        while not self._given_up.is_set():
            try:
                alarm = self._queue.get(timeout=0.1)
            except queue.Empty:
                if self._closing.is_set():
                    return
                continue
            self.counts["delivered" if self._post(alarm) else "failed"] += 1

    def _post(self, alarm: Alarm) -> bool:
        """Whether the alarm was delivered, after as many tries as there are."""
        found = document(alarm)
        body = msgspec.json.encode(found)
        headers = {**self._headers, "Idempotency-Key": urllib.parse.quote(found["id"])}
        for attempt in range(self._retries + 1):
            request = urllib.request.Request(self._url, body, headers, method="POST")
            wait = min(self._backoff * 2.0**attempt, LONGEST_WAIT) * random.uniform(0.5, 1.0)
            try:
                with self._opener.open(request, timeout=self._timeout):
                    return True
            except urllib.error.HTTPError as error:
                error.close()
                problem = f"HTTP {error.code}"
                if error.code not in (408, 429) and error.code < 500:
                    break
                wait = max(wait, _asked_for(error))
            except Exception as error:  # a broken answer must not end the thread
                problem = type(error).__name__ if not isinstance(error, OSError) else str(error)
            if attempt < self._retries and self._given_up.wait(wait):
                break
        self._log.warning("webhook: an alarm was not delivered to %s: %s", self._place, problem)
        return False

    def _drain(self) -> int:
        left = 0
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                return left
            left += 1


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _parts_of(url: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(url)
    except ValueError as error:
        raise OptionError(f"webhook: the URL is malformed: {error}") from None


def _asked_for(error: urllib.error.HTTPError) -> float:
    """Seconds that the server asks to wait, where it says so in seconds."""
    text = error.headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT) if text.isdecimal() else 0.0
