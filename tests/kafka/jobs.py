"""Pipelines over real topics: their files, their processes, what they wrote, and what they should have written."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

import streamlearn as sl
from streamlearn.runtime.config import PipelineConfig
from streamlearn.runtime.pipeline import Pipeline, Summary


def events(rows: int, seed: int = 0) -> list[dict[str, Any]]:
    """Events whose class depends on two of their fields, and now and then on nothing."""
    draw = random.Random(seed)
    found = []
    for n in range(rows):
        x, kind = draw.random(), draw.choice("abc")
        noisy = draw.random() < 0.1
        found.append(
            {
                "n": n,
                "x": x,
                "kind": kind,
                "who": f"w{draw.randrange(7)}",
                "class": "up" if (x > 0.5) ^ noisy else "down",
            }
        )
    return found


def write(
    bootstrap: str, topic: str, rows: Sequence[dict[str, Any]], partitions: int, times: Sequence[float] | None = None
) -> None:
    """Row n goes to partition n modulo their number, written at a time in seconds."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    for i, row in enumerate(rows):
        at: dict[str, Any] = {} if times is None else {"timestamp": int(times[i] * 1000)}
        producer.produce(topic, json.dumps(row).encode(), partition=row["n"] % partitions, **at)
        if i % 1000 == 0:
            producer.poll(0)
    assert producer.flush(30) == 0


class Reader:
    """What committed transactions have written to a topic, as another program sees it: by partition, in order."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"reader-of-{topic}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
            }
        )
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])

    def __len__(self) -> int:
        return sum(map(len, self.found.values()))

    def until(self, enough: Callable[[], bool], seconds: float = 90.0, *, alive: Sequence[Worker] = ()) -> None:
        end = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < end, f"only {len(self)} predictions came; {[w.log() for w in alive]}"
            for worker in alive:
                assert worker.process.poll() is None, (worker.process.returncode, worker.log())
            self._read(0.2)

    def rest(self, seconds: float = 1.0) -> None:
        """Whatever still comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read(0.2)

    def _read(self, seconds: float) -> None:
        for message in self._consumer.consume(1000, seconds):
            error, value, partition = message.error(), message.value(), message.partition()
            if error is None and value is not None and partition is not None:
                self.found[partition].append(json.loads(value))
            else:
                assert error is None or error.retriable() or error.code() == KafkaError._ALL_BROKERS_DOWN, error

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Worker:
    """A process of ``streamlearn run``."""

    def __init__(self, file: Path, name: str = "0", *more: str) -> None:
        self._log = file.parent / f"log-{name}"
        self._before = len(self._log.read_text()) if self._log.exists() else 0
        command = [sys.executable, "-m", "streamlearn", "run", file.name, "--worker", name, *more]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=file.parent, stderr=log, start_new_session=True)

    def log(self) -> str:
        """The end of what it said, without what the client says of its connections."""
        said = [line for line in self._log.read_text().splitlines() if not line.startswith("%")]
        return "\n".join(said)[-6000:]

    def kill(self) -> None:
        """As ``kill -9``."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        """Let it end in good order; a process that has not started yet would not."""
        end = time.monotonic() + 30
        while ": started" not in self._log.read_text()[self._before :] and time.monotonic() < end:
            time.sleep(0.05)
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Job:
    """A pipeline from topic to topic, exactly once."""

    def __init__(
        self, bootstrap: str, make_topic: Callable[..., str], folder: Path, client: str, partitions: int
    ) -> None:
        self.bootstrap, self.folder, self.partitions = bootstrap, folder, partitions
        self.events, self.predictions = make_topic(partitions), make_topic(partitions)
        kafka = {"type": "kafka", "bootstrap": bootstrap, "client": client}
        self.settings: dict[str, Any] = {
            "name": f"job-{self.events}",
            "source": {**kafka, "topics": [self.events], "group": f"group-{self.events}"},
            "schema": {"target": "class", "id": "n", "infer_rows": 100},
            "learner": "naive_bayes",
            "sink": {**kafka, "topic": self.predictions},
            "checkpoint": {"dir": str(folder / "state"), "every": "100ms"},
            "guarantee": "exactly-once",
        }

    def set(self, **settings: Any) -> Job:
        self.settings |= settings
        return self

    def short_sessions(self) -> Job:
        """Let the partitions of a worker that is gone go to others soon: it is a static member, and expected back."""
        self.settings["source"]["options"] = {"session.timeout.ms": 2000, "heartbeat.interval.ms": 500}
        return self

    @property
    def file(self) -> Path:
        path = self.folder / "job.yaml"
        path.write_text(json.dumps(self.settings))  # JSON is YAML
        return path

    def write(self, rows: Sequence[dict[str, Any]], times: Sequence[float] | None = None) -> None:
        write(self.bootstrap, self.events, rows, self.partitions, times)

    def reader(self) -> Reader:
        return Reader(self.bootstrap, self.predictions, self.partitions)

    def worker(self, name: str = "0", *more: str) -> Worker:
        return Worker(self.file, name, *more)

    def run(self, **settings: Any) -> Summary:
        """Run here, until nothing comes for a second."""
        config = PipelineConfig.from_mapping({**self.settings, "stop": {"idle": "1s"}, **settings})
        return Pipeline.from_config(config).run()


def expected(rows: Sequence[dict[str, Any]], partitions: int, hidden: Sequence[str] = ("n", "class")) -> Any:
    """By partition what a loop over its events predicts, test-then-train: id and prediction of each."""
    found: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    models = {partition: sl.NaiveBayes() for partition in range(partitions)}
    for row in rows:
        x = {name: value for name, value in row.items() if name not in hidden}
        model = models[row["n"] % partitions]
        found[row["n"] % partitions].append((row["n"], model.predict_one(x)))
        model.learn_one(x, row["class"])
    return dict(found)


def told(reader: Reader) -> Any:
    return {
        partition: [(document["id"], document["prediction"]) for document in documents]
        for partition, documents in reader.found.items()
    }
