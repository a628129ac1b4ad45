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
OURS = frozenset({"metrics", "pipeline", "worker", "restarts", "webhook", "stall_after", "stream"})
"""Parameters of observers that no section sets: they come from elsewhere."""


def make_observers(
    telemetry: Mapping[str, Any] | None = None, *, pipeline: str = "", worker: str = "0", live: bool = False
) -> list[Observer]:
    """The observers of a worker; whoever makes them closes them, in the end, each with `Observer.close`.

    Parameters
    ----------
    telemetry
        Any of these keys; what is not given, None or False is left out:

        ``prometheus``
            ``host``, ``port`` and ``max_series`` of the endpoint; True for the defaults.
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
        made.append(LogObserver(**_options("logs", wanted["logs"], LogObserver), **names))
    counts: Mapping[str, int] | None = None
    if "webhook" in wanted:
        given = wanted["webhook"]
        given = {"url": given} if isinstance(given, str) else given
        webhook = WebhookObserver(**_options("webhook", given, WebhookObserver))
        made.append(webhook)
        counts = webhook.counts
    if "prometheus" in wanted:
        where = dict(_options("prometheus", wanted["prometheus"], Endpoint, Metrics))
        bound = {"max_series": where.pop("max_series")} if "max_series" in where else {}
        metrics = Metrics(**bound, **names, stall_after=stall_after, webhook=counts)
        made.append(metrics)
        made.append(Endpoint(metrics, **where, stall_after=stall_after))
    if "spans" in wanted:
        made.append(SpanObserver(**names))
    if live:
        made.append(LiveView(stall_after=stall_after))


def _options(key: str, given: Any, *makes: Any) -> Mapping[str, Any]:
    """The options of a section, if ``makes`` take each of them, people may set it, and none is missing."""
    options = {} if given is True else given
    if not isinstance(options, Mapping):
        raise OptionError(f"telemetry.{key} must be a mapping of options, got {given!r}")
    parameters = {name: each for make in makes for name, each in inspect.signature(make).parameters.items()}
    known = {name: each for name, each in parameters.items() if name not in OURS}
    for option in options:
        if option not in known:
            raise registry.unknown_name(f"option of telemetry.{key}", option, known)
    for name, each in known.items():
        if each.default is each.empty and name not in options:
            raise OptionError(f"telemetry.{key} needs the option {name}")
    return options
