"""``streamlearn run --workers 2`` on a real broker: the topic is shared out, and a worker that is killed comes back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

PARTITIONS = 4
PIPELINE = """\
name: shared
source: {{type: kafka, bootstrap: "{bootstrap}", topics: [{events}], group: "{group}"}}
schema: {{target: class, id: n}}
learner: naive_bayes
sink: {{type: kafka, bootstrap: "{bootstrap}", topic: "{predictions}"}}
checkpoint: {{dir: state, every: 200ms}}
guarantee: exactly-once
"""


class Read:
    """What transactions committed to a topic, as far as it was read."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.ids: Counter[str] = Counter()
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": f"reader-of-{topic}", "isolation.level": "read_committed"}
        )
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])

    def until(self, enough: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < end, f"only {len(self.ids)} predictions came"
            for message in self._consumer.consume(1000, 0.5):
                value = message.value()
                if message.error() is None and value is not None:
                    self.ids[json.loads(value)["prediction_id"]] += 1

    def close(self) -> None:
        self._consumer.close()


def write(bootstrap: str, topic: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for n in numbers:
        row = {"n": n, "x": n % 10, "class": "odd" if n % 2 else "even"}
        producer.produce(topic, json.dumps(row).encode(), partition=n % PARTITIONS)
    assert producer.flush(30) == 0


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.kafka
def test_two_workers_share_a_topic_and_a_killed_one_comes_back(kafka: Any, make_topic: Any, tmp_path: Path) -> None:
    events, predictions = make_topic(PARTITIONS), make_topic(PARTITIONS)
    (tmp_path / "shared.yaml").write_text(
        PIPELINE.format(bootstrap=kafka.bootstrap, events=events, predictions=predictions, group=f"group-{events}")
    )
    write(kafka.bootstrap, events, range(2000))
    read = Read(kafka.bootstrap, predictions)
    log = tmp_path / "log"
    with log.open("wb") as err:
        command = [sys.executable, "-m", "streamlearn", "run", "shared.yaml", "--workers", "2"]
        supervisor = subprocess.Popen(command, cwd=tmp_path, stderr=err, start_new_session=True)
    try:
        read.until(lambda: len(read.ids) >= 1000)
        os.kill(children(supervisor.pid)[0], signal.SIGKILL)
        write(kafka.bootstrap, events, range(2000, 4000))
        read.until(lambda: len(read.ids) >= 4000)
        deadline = time.monotonic() + 30
        while len(children(supervisor.pid)) < 2 or log.read_text().count(": started") < 3:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(60) == 0
        with contextlib.suppress(AssertionError):
            read.until(lambda: False, seconds=2.0)  # nothing more comes
    finally:
        read.close()
        supervisor.kill()  # its workers end themselves
        supervisor.wait()
    assert len(read.ids) == 4000
    assert set(read.ids.values()) == {1}
    text = log.read_text()
    assert "was killed by SIGKILL; it starts again" in text
    assert text.count("is done") == 2
