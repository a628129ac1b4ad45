"""Places of records as people write them: ``kafka://host:port/topic``, a file, or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from . import registry
from .errors import OptionError
from .live import LiveSource
from .sink import Sink

KAFKA = "kafka://"


def sink_at(address: str, *, options: Mapping[str, Any] | None = None) -> Sink:
    """The sink that writes to an address.

    Parameters
    ----------
    address
        ``kafka://host:port,host:port/topic``, or the path of a file or a folder.
    options
        Of the Kafka client, unrenamed.

    Raises
    ------
    OptionError
        If the address is malformed, or a file has options.
    """
    if address.startswith(KAFKA):
        bootstrap, topic = _broker_and_topic(address)
        return cast(Sink, registry.load("sinks", "kafka")(bootstrap=bootstrap, topic=topic, options=options))
    return cast(Sink, registry.load("sinks", "file")(_path(address, options)))


def source_at(address: str, *, options: Mapping[str, Any] | None = None) -> LiveSource:
    """The live source that reads from an address, from its beginning.

    Parameters
    ----------
    address, options
        As in `sink_at`.

    Raises
    ------
    OptionError
        If the address is malformed, or a file has options.
    """
    if address.startswith(KAFKA):
        bootstrap, topic = _broker_and_topic(address)
        make = registry.load("live_sources", "kafka")
        return cast(LiveSource, make(bootstrap=bootstrap, topics=[topic], start="earliest", options=options))
    return cast(LiveSource, registry.load("live_sources", "file")(_path(address, options)))


def topic_of(address: str) -> str | None:
    """The topic that an address names, if it is one of Kafka's."""
    return _broker_and_topic(address)[1] if address.startswith(KAFKA) else None


def _broker_and_topic(address: str) -> tuple[str, str]:
    bootstrap, slash, topic = address.removeprefix(KAFKA).partition("/")
    if not (bootstrap and slash and topic) or "/" in topic:
        raise OptionError(f"{address!r}: write kafka://host:port/topic, with more brokers as host:port,host:port")
    return bootstrap, topic


def _path(address: str, options: Mapping[str, Any] | None) -> str:
    scheme, separator, _ = address.partition("://")
    if separator:
        raise OptionError(f"{address!r}: no such place as {scheme}://; write kafka://host:port/topic, or a path")
    if options:
        raise OptionError(f"{address!r} is a path: client options are for kafka://…")
    return address
