"""From the ``telemetry`` section of a pipeline file to the observers that it asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ... import registry
from ...errors import OptionError
from ..observer import Observer
from .endpoint import Endpoint
from .health import STALL_AFTER, Watchdog
from .live_view import LiveView
from .logs import LogObserver
from .prometheus import Metrics
from .spans import SpanObserver
from .webhook import WebhookObserver

KEYS = ("prometheus", "logs", "spans", "webhook", "stall_after")


def make_observers(
    telemetry: Mapping[str, Any] | None = None, *, pipeline: str = "", worker: str = "0", live: bool = False
) -> list[Observer]:
    """The observers of a worker; whoever makes them closes them, in the end, each with `Observer.close`.

    Parameters
    ----------
    telemetry
        Any of these keys; what is not given, None or False is left out:

        ``prometheus``
            ``host`` and ``port`` of the endpoint, and ``max_series``; True for the defaults.
        ``logs``
            ``level`` and ``format``; True for the defaults.
        ``spans``
            True for OpenTelemetry spans.
        ``webhook``
            The URL that drift alarms are posted to, or a mapping with ``url`` and other options of `WebhookObserver`.
        ``stall_after``
            Seconds without a turn of the loop after which the worker counts as stalled.
    pipeline, worker
        Who it is.
    live
        Whether to show the worker on the terminal.

    Returns
    -------
    list of Observer
        A `Watchdog` always, and what was asked for. If one can't be made, those made before it are closed.

    Raises
    ------
    OptionError
        If a key or an option is unknown or out of range, or the endpoint's port is taken.
    MissingExtraError
        If spans are asked for and OpenTelemetry is not installed.

    Examples
    --------
    >>> observers = make_observers({"prometheus": {"port": 0}}, pipeline="power")
    >>> [type(observer).__name__ for observer in observers]
    ['Watchdog', 'Metrics', 'Endpoint']
    >>> for observer in observers:
    ...     observer.close()
    """
    wanted = {key: value for key, value in (telemetry or {}).items() if value is not None and value is not False}
    for key in wanted:
        if key not in KEYS:
            raise registry.unknown_name("key of telemetry", key, KEYS)
    made: list[Observer] = []
    try:
        _make(made, wanted, {"pipeline": pipeline, "worker": worker}, live)
    except BaseException:
        for observer in made:
            observer.close()
        raise
    return made


def _make(made: list[Observer], wanted: Mapping[str, Any], names: dict[str, Any], live: bool) -> None:
    """Make one after the other, so that what is made is known if the next one fails."""
    stall_after = wanted.get("stall_after", STALL_AFTER)
    made.append(Watchdog(stall_after=stall_after))
    if "logs" in wanted:  # first, so that the others' words are written
        made.append(_called("logs", LogObserver, wanted["logs"], **names))
    counts: Mapping[str, int] | None = None
    if "webhook" in wanted:
        given = wanted["webhook"]
        webhook = _called("webhook", WebhookObserver, {"url": given} if isinstance(given, str) else given)
        made.append(webhook)
        counts = webhook.counts
    if "prometheus" in wanted:
        given = {} if wanted["prometheus"] is True else dict(wanted["prometheus"])
        own = {key: given.pop(key) for key in ("max_series", "restarts") if key in given}
        metrics = Metrics(**own, **names, stall_after=stall_after, webhook=counts)
        made.append(metrics)
        made.append(_called("prometheus", Endpoint, given, metrics=metrics, stall_after=stall_after))
    if "spans" in wanted:
        made.append(SpanObserver(**names))
    if live:
        made.append(LiveView(stall_after=stall_after))


def _called(key: str, make: Any, given: Any, **own: Any) -> Any:
    """Make an observer with the options of a section, whose unknown ones are named."""
    options = {} if given is True else given
    if not isinstance(options, Mapping):
        raise OptionError(f"telemetry.{key} must be a mapping of options, got {given!r}")
    known = set(inspect.signature(make).parameters) - set(own)
    for option in options:
        if option not in known:
            raise registry.unknown_name(f"option of telemetry.{key}", option, known)
    return make(**options, **own)
