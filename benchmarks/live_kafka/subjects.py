"""The programs that are measured, each in a process of its own: ``python -m live_kafka.subjects JSON`` prints JSON.

What counts begins with the assignment of the partition, when everything is imported, compiled and connected, and ends
when the last row is processed, flushed and committed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .events import FIELDS, TARGET, Events

BATCH = 1000
GROUP = "bench"
PREDICTION = (
    b'{"prediction_id":"bench-abcdef-events-0-123456","id":"e-000123456","event_time":1795667812.325123,"prediction":"up",'
    b'"probabilities":{"down":0.3141592653589793,"up":0.6858407346410207},"model_version":"champion/1"}'
)


class Clock:
    """Wall and processor time of this process, all its threads included."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.perf_counter() - self._wall, "cpu": time.process_time() - self._cpu}


# -- bare clients -----------------------------------------------------------------------------------------------------


def confluent_batches(spec: dict[str, Any]) -> Iterator[list[bytes]]:
    """The values of a topic, by confluent-kafka."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": spec["bootstrap"], "group.id": GROUP, "enable.auto.commit": False})
    consumer.assign([TopicPartition(spec["topic"], 0, 0)])
    seen = 0
    while seen < spec["rows"]:
        values = [message.value() for message in consumer.consume(BATCH, 0.05)]
        seen += len(values)
        if values:
            yield values
    consumer.close()


def kafka_python_batches(spec: dict[str, Any]) -> Iterator[list[bytes]]:
    """The values of a topic, by kafka-python."""
    from kafka import KafkaConsumer, TopicPartition

    partition = TopicPartition(spec["topic"], 0)
    consumer = KafkaConsumer(bootstrap_servers=spec["bootstrap"], enable_auto_commit=False)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    seen = 0
    while seen < spec["rows"]:
        for records in consumer.poll(timeout_ms=50, max_records=BATCH).values():
            values = [record.value for record in records]
            seen += len(values)
            yield values
    consumer.close()


def confluent_sender(spec: dict[str, Any]) -> tuple[Callable[[list[bytes]], None], Callable[[], object]]:
    """Send values; see that all are sent."""
    from confluent_kafka import Producer

    producer, out = Producer({"bootstrap.servers": spec["bootstrap"], "linger.ms": 5}), spec["out"]

    def send(values: list[bytes]) -> None:
        for value in values:
            while True:
                try:
                    producer.produce(out, value)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)  # once a batch: once a record costs 0.3 µs more

    return send, producer.flush


def kafka_python_sender(spec: dict[str, Any]) -> tuple[Callable[[list[bytes]], None], Callable[[], object]]:
    """Send values; see that all are sent."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=spec["bootstrap"], linger_ms=5)

    def send(values: list[bytes]) -> None:
        for value in values:
            producer.send(spec["out"], value)

    return send, producer.flush


BATCHES = {"confluent": confluent_batches, "kafka-python": kafka_python_batches}
SENDERS = {"confluent": confluent_sender, "kafka-python": kafka_python_sender}


def consume(spec: dict[str, Any]) -> dict[str, Any]:
    """Consume, and nothing else."""
    clock = Clock()
    rows = sum(map(len, BATCHES[spec["client"]](spec)))
    return {"rows": rows, **clock.read()}


def consume_with(loads: Callable[[bytes], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def run(spec: dict[str, Any]) -> dict[str, Any]:
        clock, rows = Clock(), 0
        for values in BATCHES[spec["client"]](spec):
            rows += len([loads(value) for value in values])
        return {"rows": rows, **clock.read()}

    return run


def consume_json(spec: dict[str, Any]) -> dict[str, Any]:
    """Consume, and read each record with the json module."""
    return consume_with(json.loads)(spec)


def consume_orjson(spec: dict[str, Any]) -> dict[str, Any]:
    """Consume, and read each record with orjson."""
    import orjson

    return consume_with(orjson.loads)(spec)


def consume_msgspec(spec: dict[str, Any]) -> dict[str, Any]:
    """Consume, and read each record into a struct of its members with msgspec, which gives no columns yet."""
    import msgspec

    struct = msgspec.defstruct(
        "Event", [("event_id", str), ("ts", float), *((f, float) for f in FIELDS), (TARGET, str)]
    )
    return consume_with(msgspec.json.Decoder(struct).decode)(spec)


def consume_decode(spec: dict[str, Any]) -> dict[str, Any]:
    """Consume, and decode into a matrix by our format."""
    return _decoding(spec, lambda values: None)


def consume_decode_write(spec: dict[str, Any]) -> dict[str, Any]:
    """Consume, decode, and write as many records as came, of the size of a prediction: a pipeline that does nothing."""
    send, flush = SENDERS[spec["client"]](spec)

    return _decoding(spec, lambda values: send([PREDICTION] * len(values)), flush)


def _decoding(
    spec: dict[str, Any], use: Callable[[list[bytes]], None], finish: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    from streamlearn.connectors.formats import JsonFormat

    from streamlearn.format import Roles
    from streamlearn.records import Records

    format, roles = JsonFormat(), Roles(target=TARGET, id="event_id", event_time="ts")
    first = Records("t-0", "t-0", np.arange(BATCH), BATCH, Events().take(BATCH))
    schema = format.infer(first, roles)
    format.decode(first, schema, roles)
    clock, rows = Clock(), 0
    for values in BATCHES[spec["client"]](spec):
        offsets = np.arange(rows, rows + len(values))
        rows += len(values)
        decoded = format.decode(Records("t-0", "t-0", offsets, rows, values), schema, roles)
        assert len(decoded.rows) == len(values)
        use(values)
    finish()
    return {"rows": rows, **clock.read()}


# -- topic to topic ---------------------------------------------------------------------------------------------------


def river_loop(spec: dict[str, Any]) -> dict[str, Any]:
    """What one writes around River: read, predict, learn, write; no metrics, no checkpoints, no commits."""
    from river.tree import HoeffdingTreeClassifier

    model = HoeffdingTreeClassifier()
    send, flush = SENDERS[spec["client"]](spec)
    clock, rows, right = Clock(), 0, 0
    for values in BATCHES[spec["client"]](spec):
        answers = []
        for value in values:
            event = json.loads(value)
            x = {name: event[name] for name in FIELDS}
            proba = model.predict_proba_one(x)
            y = max(proba, key=proba.__getitem__) if proba else None
            model.learn_one(x, event[TARGET])
            right += y == event[TARGET]
            answer = {
                "prediction_id": f"{spec['topic']}-0-{rows}",
                "id": event["event_id"],
                "event_time": event["ts"],
                "prediction": y,
                "probabilities": proba,
            }
            answers.append(json.dumps(answer).encode())
            rows += 1
        send(answers)
    flush()
    return {"rows": rows, **clock.read(), "accuracy": right / rows}


def pipeline_settings(spec: dict[str, Any], state: str) -> dict[str, Any]:
    """Our pipeline from topic to topic; the same keys as in a file."""
    address = {"bootstrap": spec["bootstrap"], "client": spec["client"]}
    return {
        "name": spec.get("name", GROUP),
        "source": {
            "type": "kafka", **address, "topics": [spec["topic"]], "group": spec.get("name", GROUP) + "-" + spec["out"],
        },
        "schema": {"target": TARGET, "id": "event_id", "event_time": "ts"},
        "learner": {"type": "hoeffding_tree_classifier"},
        "sink": {"type": "kafka", **address, "topic": spec["out"]},
        "checkpoint": {"dir": state, "every": spec.get("every", 1.0)},
        "guarantee": spec.get("guarantee", "at-least-once"),
    }  # fmt: skip


def ours(spec: dict[str, Any]) -> dict[str, Any]:
    """Our pipeline from topic to topic."""
    import streamlearn as sl
    from streamlearn.runtime.observer import BatchDone, CommitDone, Observer

    class Watch(Observer):
        """Starts the clock when the partition is there, stops it at the last commit, and adds up the loop's parts."""

        def __init__(self) -> None:
            self.clock = Clock()
            self.found: dict[str, Any] = {}
            self.parts = {"decode": 0.0, "process": 0.0, "write": 0.0}
            self.commits: list[float] = []

        def assigned(self, shards: list[str]) -> None:
            self.clock.start()

        def batch(self, done: BatchDone) -> None:
            for name in self.parts:
                self.parts[name] += getattr(done, name)

        def committed(self, done: CommitDone) -> None:
            self.commits.append(done.seconds)
            self.found = self.clock.read()

    warm_up(spec)
    watch = Watch()
    with tempfile.TemporaryDirectory() as state:
        pipeline = sl.Pipeline(**pipeline_settings(spec, state), stop={"rows": spec["rows"]})
        summary = pipeline.run(observers=[watch])
    (metrics,) = summary.metrics.values()
    return {
        "rows": summary.rows,
        **watch.found,
        "accuracy": metrics["champion"]["accuracy"],
        "parts": {**watch.parts, "commit": sum(watch.commits)},
        "commits": len(watch.commits),
        "longest_commit": max(watch.commits),
    }


def warm_up(spec: dict[str, Any]) -> None:
    """Compile and import all that the pipeline needs, by a short one over the same topics."""
    import streamlearn as sl

    with tempfile.TemporaryDirectory() as state:
        settings = pipeline_settings({**spec, "name": "warm"}, state)
        sl.Pipeline(**settings, stop={"rows": 2 * BATCH}).run()


SUBJECTS = {
    subject.__name__: subject
    for subject in (
        consume,
        consume_decode,
        consume_decode_write,
        consume_json,
        consume_orjson,
        consume_msgspec,
        river_loop,
        ours,
    )
}

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(SUBJECTS[given["subject"]](given)))
