"""A Kafka topic as a sink: idempotent, or inside the transaction that commits the source's positions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from streamlearn.errors import FencedError, OptionError, SinkError, UncertainError
from streamlearn.live import Worker
from streamlearn.parameters import call_of, parameters_of
from streamlearn.sink import Output, Sink

from . import options as owned
from .client import Offsets, Writer, Writing, checked_options, choose, open_writer, servers

LONGEST_COMMIT = 60.0  # seconds that a transaction may last beyond the three commits that it is given


class KafkaSink(Sink):
    """Outputs as records of a topic.

    At-least-once: a record is written once as long as this producer lives, retries included, and perhaps again after a
    restart. Exactly-once: readers of committed transactions (``isolation.level=read_committed``) see records when the
    source's positions are committed, together, or never. All Kafka sinks of a worker on one cluster share one producer,
    and so one transaction.

    Outputs of an input partition go to the partition of the same number, if the topic has that many, so that their
    order survives; else to the partition that their key's hash says (murmur2, as Java's clients).

    Parameters
    ----------
    bootstrap
        Addresses of brokers: ``"host:port,host:port"`` or a list.
    topic
        The topic; the brokers make it now if they are set to.
    format
        ``"json"``, or another that the outputs know.
    client
        As in `KafkaSource`; under exactly-once the source's.
    options
        The client's own options, unrenamed.

    Raises
    ------
    OptionError
        If an option is one that streamlearn sets itself.

    Examples
    --------
    >>> from streamlearn.connectors.kafka import KafkaSink
    >>> KafkaSink(bootstrap="127.0.0.1:9092", topic="predictions")
    KafkaSink(bootstrap='127.0.0.1:9092', topic='predictions')
    """

    def __init__(
        self,
        *,
        bootstrap: str | Iterable[str],
        topic: str,
        format: str = "json",
        client: str = "auto",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(topic, str) or not topic:
            raise OptionError(f"topic must be a topic's name, got {topic!r}")
        self.bootstrap = bootstrap
        self.topic = topic
        self.format = format
        self.client = client
        self.options = options
        self.name = f"kafka:{topic}"
        self._servers = servers(bootstrap)
        self._client = choose(client, options or {})
        self._options = checked_options(options, owned.WRITER[self._client])
        self._channel: _Channel | None = None
        self._partitions = 0

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that it was made with."""
        return parameters_of(self)

    def __repr__(self) -> str:
        return call_of(self).replace(f"options={self.options!r}", "options={…}")  # there may be passwords in it

    def open(self, worker: Worker) -> None:
        if worker.guarantee == "exactly-once":
            self._check_timeout(worker)
        self.transactional = worker.guarantee == "exactly-once"
        key = ("kafka", self._client, ",".join(sorted(self._servers.split(","))))
        channel = worker.shared.setdefault(key, _Channel(self._writing(worker)))
        if channel.writing.options != self._options:
            raise OptionError(f"{self.name}: sinks on {self._servers} share a producer: give all the same options")
        channel.open(self, self._client)
        self._channel = channel
        try:
            self._partitions = channel.writer.partitions(self.topic)
            if not self._partitions:
                raise SinkError(
                    f"no topic {self.topic!r} at {self._servers}, and the brokers do not make it: create it"
                )
        except BaseException:
            self.close()
            raise

    def _check_timeout(self, worker: Worker) -> None:
        """F12: a transaction that outlasts its time-out is aborted by the brokers, at every commit."""
        given = self._options.get("transaction.timeout.ms", self._options.get("transaction_timeout_ms"))
        if given is not None and float(given) < 2000 * worker.commit_every:
            raise OptionError(
                f"{self.name}: transactions time out after {float(given) / 1000:g} s, but are committed every "
                f"{worker.commit_every:g} s: raise transaction.timeout.ms to three times that, or commit more often"
            )

    def _writing(self, worker: Worker) -> Writing:
        options = dict(self._options)
        given = options.get("transaction.timeout.ms", options.get("transaction_timeout_ms"))
        timeout = 3 * worker.commit_every + LONGEST_COMMIT if given is None else float(given) / 1000
        name = f"{worker.pipeline}-{worker.name}" if self.transactional else None
        return Writing(self._servers, name, timeout, options, worker.log)

    @property
    def _open(self) -> _Channel:
        if self._channel is None:
            raise SinkError(f"{self.name} is not open")
        return self._channel

    def write(self, shard: str, output: Output) -> None:
        if not len(output):
            return
        messages = output.messages(self.format)
        number = messages.number
        keep = number is not None and number < self._partitions
        with self._open.going_on() as writer:
            writer.send(self.topic, messages, number if keep else None)

    def flush(self) -> None:
        with self._open.going_on() as writer:
            writer.flush()

    def begin(self) -> None:
        self._open.begin()

    def commit(self, offsets: Any) -> None:
        self._open.commit(offsets)

    def abort(self) -> None:
        self._open.abort()

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close(self)
            self._channel = None


@dataclass
class _Channel:
    """The producer that a worker's sinks on one cluster share, and its transaction.

    States: closed → open ⇄ in a transaction; ``broken`` once the producer can't go on, and then `open` makes a new
    one: its start fences the old one and ends its transaction, so that what became of it can be asked (the rule that
    Jepsen's report on the transaction protocol draws: never go on with a producer after an answer that did not come).
    """

    writing: Writing
    _writer: Writer | None = None
    _client: str = ""
    _users: set[int] = field(default_factory=set)
    _begun: bool = False
    _broken: bool = False

    @property
    def writer(self) -> Writer:
        """The producer."""
        if self._writer is None or self._broken:
            raise SinkError("the producer can't go on after an error: open the sink again")
        return self._writer

    @contextmanager
    def going_on(self) -> Iterator[Writer]:
        """The producer, watched for what ends it."""
        writer = self.writer
        try:
            yield writer
        except (UncertainError, FencedError):
            self._broken = True
            raise
        except SinkError:
            self._broken = writer.spent
            raise

    def open(self, sink: KafkaSink, client: str) -> None:
        self._users.add(id(sink))
        if self._broken:
            self._drop()
        if self._writer is None:
            self._client = client
            self._writer = open_writer(client, self.writing)

    def begin(self) -> None:
        with self.going_on() as writer:
            if not self._begun:  # of several sinks the first begins
                writer.begin()
                self._begun = True

    def commit(self, offsets: Offsets | None) -> None:
        with self.going_on() as writer:
            if not self._begun:  # of several sinks the first commits: all have flushed before
                return
            if offsets is not None:
                self._fits(offsets, writer)
                writer.send_offsets(offsets)
            writer.commit()
            self._begun = False

    def _fits(self, offsets: Offsets, writer: Writer) -> None:
        if offsets.client != self._client:
            raise OptionError(f"exactly-once needs one client for source and sink: {offsets.client} and {self._client}")
        if offsets.cluster and writer.cluster and offsets.cluster != writer.cluster:
            raise OptionError("exactly-once needs source and sink on one Kafka cluster: a transaction can't span two")

    def abort(self) -> None:
        if self._begun:
            self._begun = False
            if self._writer is not None and not self._broken:
                self._writer.abort()

    def close(self, sink: KafkaSink) -> None:
        self._users.discard(id(sink))
        if not self._users:
            self._drop()

    def _drop(self) -> None:
        writer, self._writer = self._writer, None
        self._begun = self._broken = False
        if writer is not None:
            writer.close()
