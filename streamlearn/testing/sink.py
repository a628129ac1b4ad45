"""A sink that keeps outputs in a broker in memory, with or without transactions."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from ..errors import FencedError, OptionError, SinkError, UncertainError
from ..live import Worker
from ..sink import Messages, Output, Sink
from .broker import Entry, MemoryBroker, Producer


class Rows(Output):
    """Whatever JSON can express as the rows of an output, to try a sink with.

    Examples
    --------
    >>> from streamlearn.testing import Rows
    >>> Rows({"a": 1}, {"a": 2}).messages().values
    [b'{"a": 1}', b'{"a": 2}']
    """

    def __init__(self, *rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def messages(self, format: str = "json") -> Messages:
        """One a row, as JSON."""
        return Messages([json.dumps(row).encode() for row in self.rows])

    def table(self) -> pa.RecordBatch:
        """The same as columns, where rows are dicts."""
        return pa.RecordBatch.from_pylist(list(self.rows))


class MemorySink(Sink):
    """Outputs in a topic of a `MemoryBroker`.

    Parameters
    ----------
    broker
        Where they are kept; see its `read`.
    topic
        The name to keep them under.
    transactional
        Whether to write inside transactions under exactly-once, as Kafka's sink does.
    exact
        Whether to take back what was written after a state under exactly-once, as the sink of files does.
    format
        The format that outputs are asked for.
    """

    __test__ = False

    def __init__(
        self,
        broker: MemoryBroker,
        topic: str = "predictions",
        *,
        transactional: bool = False,
        exact: bool = False,
        format: str = "json",
    ) -> None:
        if transactional and exact:
            raise OptionError("a sink is transactional or exact, not both")
        self.broker, self.topic, self.format = broker, topic, format
        self.name, self.exact = topic, exact
        self._may_be_transactional = transactional
        self._producer: Producer | None = None
        self._shards: set[str] = set()
        self._ours: list[Entry] = []  # not flushed yet

    def open(self, worker: Worker) -> None:
        """Fence the predecessor of the same worker's name (see `Sink.open`)."""
        self._worker, self._life = worker, self.broker.life_of(worker)
        with self.broker.visit("sink.open", self._life):
            exactly = worker.guarantee == "exactly-once"
            if exactly and not (self._may_be_transactional or self.exact):
                raise OptionError(f"sink {self.name}: exactly-once needs a sink that is transactional or exact")
            self.transactional = self._may_be_transactional and exactly
            self._shards, self._ours = set(), []
            if self.transactional:
                self._producer = self._shared_producer()

    def _shared_producer(self) -> Producer:
        key = (self.broker, "producer")
        producer: Producer | None = self._worker.shared.get(key)
        id = f"{self._worker.pipeline}-{self._worker.name}"
        if producer is None or producer.unsure or self.broker.producers.get(id) is not producer:
            producer = self._worker.shared[key] = Producer(self.broker, id, self._life)
            producer.take_over()
        return producer

    def restore(self, shard: str, state: Any | None) -> None:
        """Go back to a state (see `Sink.restore`)."""
        self._check_alive()
        self._shards.add(shard)
        if not self.exact or self._worker.guarantee != "exactly-once":
            return
        log = self.broker.outputs.get(self.topic, [])
        there = [entry for entry in log if entry.shard == shard]
        if state is None and there:
            raise SinkError(f"{self.topic} has outputs of shard {shard} that no checkpoint knows of")
        rows = 0 if state is None else state["rows"]
        if len(there) < rows:
            raise SinkError(f"{self.topic} has {len(there)} outputs of shard {shard}, and {rows} were committed")
        later = {id(entry) for entry in there[rows:]}
        self.broker.outputs[self.topic] = [entry for entry in log if id(entry) not in later]

    def write(self, shard: str, output: Output) -> None:
        """Take outputs (see `Sink.write`)."""
        with self.broker.visit("sink.write", self._life):
            if shard not in self._shards:
                raise SinkError(f"sink {self.name}: shard {shard} was not restored")
            transaction = self._checked_producer().open_transaction() if self.transactional else None
            messages = output.messages(self.format)
            log = self.broker.outputs.setdefault(self.topic, [])
            for i, value in enumerate(messages.values):
                key = None if messages.keys is None else messages.keys[i]
                headers = () if messages.headers is None else messages.headers[i]
                entry = Entry(shard, value, key, headers, messages.number, self._life, transaction)
                log.append(entry)
                self._ours.append(entry)

    def flush(self) -> None:
        """Have everything safe."""
        with self.broker.visit("sink.flush", self._life):
            if self._producer is not None:
                self._producer.check()
            for entry in self._ours:
                entry.flushed = True
            self._ours = []

    def state(self, shard: str) -> Any:
        """How many outputs of the shard there are, for an exact sink."""
        self._check_alive()
        if not self.exact:
            return None
        if self._ours:
            raise SinkError(f"sink {self.name}: state was asked for before flush")
        return {"rows": sum(entry.shard == shard for entry in self.broker.outputs.get(self.topic, []))}

    def begin(self) -> None:
        """Begin the process's transaction, or take part in it if another sink began it."""
        with self.broker.visit("sink.begin", self._life):
            self._checked_producer().begin(self)

    def commit(self, offsets: Any) -> None:
        """Commit the process's transaction; nothing is left to do for further sinks that took part in it."""
        producer = self._checked_producer()
        try:
            with self.broker.visit("sink.commit", self._life):
                if producer.settled_for(self):
                    return
                if offsets is not None:
                    marks = offsets["marks"]
                    if offsets["grouped"]:
                        self.broker.check_owner(offsets["topic"], offsets["life"], marks)
                    self.broker.store(offsets["topic"], marks)
                producer.end("committed")
        except UncertainError:
            producer.unsure = True
            raise
        except FencedError:
            producer.end("aborted")
            raise

    def abort(self) -> None:
        """Give up the process's transaction."""
        self._check_alive()
        self._ours = []
        if self._producer is not None and not self._producer.unsure:
            self._producer.end("aborted")

    def release(self, shard: str) -> None:
        """The shard goes away."""
        self._shards.discard(shard)

    def close(self) -> None:
        """Drop what was not flushed. A transaction that is open stays so until the next `open` aborts it."""
        self._shards, self._ours, self._producer = set(), [], None

    def _checked_producer(self) -> Producer:
        if self._producer is None:
            raise SinkError(f"sink {self.name} has no transactions")
        self._producer.check()
        return self._producer

    def _check_alive(self) -> None:
        with self.broker.visit("alive", self._life):
            pass
