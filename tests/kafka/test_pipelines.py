"""Pipelines on a real broker, disturbed in every way: what readers of committed records see is what a loop predicts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

import streamlearn as sl
from streamlearn.errors import PositionError, StateError
from streamlearn.runtime.checkpoints import CheckpointStore
from streamlearn.testing.kafka_broker import Broker, find_java
from tests.clusters import Kafka
from tests.kafka.jobs import Job, Reader, events, expected, told, write

pytestmark = pytest.mark.kafka
LONG = pytest.mark.skipif(
    not os.environ.get("STREAMLEARN_LONG"), reason="takes a minute: set STREAMLEARN_LONG=1 to run it"
)
NewJob = Callable[..., Job]


@pytest.fixture
def new_job(kafka: Kafka, make_topic: Callable[..., str], tmp_path: Path) -> NewJob:
    def new(client: str = "confluent", partitions: int = 2) -> Job:
        return Job(kafka.bootstrap, make_topic, tmp_path, client, partitions)

    return new


def test_topic_to_topic_though_killed(new_job: NewJob, client: str) -> None:
    job, rows = new_job(client), events(12_000)
    job.set(batch={"rows": 10})
    job.write(rows)
    with job.reader() as reader:
        with job.worker() as worker:
            reader.until(lambda: len(reader) >= 2400, alive=[worker])
            worker.kill()
        assert len(reader) < 12_000
        with job.worker() as worker:
            reader.until(lambda: len(reader) >= 12_000, alive=[worker])
            worker.stop()
        reader.rest()
        assert told(reader) == expected(rows, 2)


# -- labels from a second topic ---------------------------------------------------------------------------------------


def with_labels(job: Job, rows: list[dict[str, Any]], make_topic: Callable[..., str], delay: int) -> None:
    """Write events, and their classes ``delay`` seconds later to a topic of their own; an event comes each second."""
    labels, start = make_topic(job.partitions), float(int(time.time()) - 100_000)  # older ones would expire
    job.write([{k: v for k, v in row.items() if k != "class"} for row in rows], [start + row["n"] for row in rows])
    late = [{"n": row["n"], "class": row["class"]} for row in rows]
    write(job.bootstrap, labels, late, job.partitions, [start + row["n"] + delay + 0.5 for row in rows])
    source = {key: job.settings["source"][key] for key in ("type", "bootstrap", "client")}
    job.set(labels={"from": {**source, "topics": [labels]}, "key": "n"})


def expected_late(rows: list[dict[str, Any]], partitions: int, delay: int, *, keyed: bool) -> Any:
    """What a loop predicts that learns each class ``delay`` seconds after its event; models by key share a schema."""
    found: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    models: dict[Any, sl.NaiveBayes] = defaultdict(sl.NaiveBayes)
    names = ["kind", "x"] if keyed else ["kind", "who", "x"]

    def fields() -> list[sl.Field]:
        return [sl.Field(name, "numeric" if name == "x" else "nominal") for name in names]

    schemas = [sl.Schema(fields(), target="class") for _ in range(partitions)]

    def walk(row: dict[str, Any], step: int, *label: Any) -> Any:
        number = row["n"] % partitions
        batch = schemas[number].encode([{name: row[name] for name in names}], list(label) or None)
        made = models[number, row["who"] if keyed else None].process(batch, np.array([step]))
        return schemas[number].decode_label(made.prediction[0])

    for row in rows[: 100 * partitions]:  # from which the pipeline infers its schema
        schemas[row["n"] % partitions].encode([{name: row[name] for name in names}])
    for row in rows:
        n = row["n"]
        for late in rows[n - delay - 1 : n - delay] if n > delay else []:
            walk(late, -1, late["class"])
        found[n % partitions].append((n, walk(row, 0)))
    return dict(found)


def test_labels_from_a_second_topic_though_killed(new_job: NewJob, make_topic: Callable[..., str], client: str) -> None:
    job, rows = new_job(client), events(3000)
    job.set(batch={"rows": 40})
    with_labels(job, rows, make_topic, 40)
    with job.reader() as reader:
        with job.worker() as worker:
            reader.until(lambda: len(reader) >= 600, alive=[worker])
            worker.kill()
        with job.worker() as worker:
            reader.until(lambda: len(reader) >= 3000, alive=[worker])
            worker.stop()
        reader.rest()
        assert told(reader) == expected_late(rows, 2, 40, keyed=False)


# -- workers come and go ----------------------------------------------------------------------------------------------


def owners(job: Job) -> set[str]:
    store = CheckpointStore(job.folder / "state")
    found = [store.lineage(shard).owner() for shard in store.shards()]
    return {owner.worker for owner in found if owner is not None}


def test_one_worker_then_three_then_two(new_job: NewJob, make_topic: Callable[..., str]) -> None:
    """Models by key and waiting predictions move with their partitions."""
    job, rows = new_job(partitions=4), events(24_000)
    job.short_sessions().set(batch={"rows": 4}, key="who", keys={"max_hot": 4})
    with_labels(job, rows, make_topic, 80)
    with job.reader() as reader, job.worker("a") as a:
        reader.until(lambda: len(reader) >= 1000, alive=[a])
        with job.worker("b") as b, job.worker("c") as c:
            reader.until(lambda: owners(job) == {"a", "b", "c"}, alive=[a, b, c])
            assert len(reader) < 24_000
            b.stop()
            reader.until(lambda: owners(job) == {"a", "c"}, alive=[a, c])
            reader.until(lambda: len(reader) >= 24_000, 120, alive=[a, c])
            c.stop()
        a.stop()
        reader.rest()
        assert told(reader) == expected_late(rows, 4, 80, keyed=True)


def test_a_zombie_writes_nothing(new_job: NewJob) -> None:
    """A worker that is halted for longer than its session: another goes on, and what it does later is refused."""
    job, rows = new_job(), events(30_000)
    job.short_sessions().set(batch={"rows": 4})
    job.write(rows)
    with job.reader() as reader, job.worker("zombie") as zombie:
        reader.until(lambda: len(reader) >= 600, alive=[zombie])
        zombie.signal(signal.SIGSTOP)
        with job.worker("heir") as heir:
            reader.until(lambda: owners(job) == {"heir"}, alive=[heir])
            seen = len(reader)
            reader.until(lambda: len(reader) > seen, alive=[heir])
            zombie.signal(signal.SIGCONT)
            reader.until(lambda: len(reader) >= 30_000, alive=[heir, zombie])
            assert "FencedError" in zombie.log() or "lost" in zombie.log()
            heir.stop()
            zombie.stop()
        reader.rest()
        assert told(reader) == expected(rows, 2)


# -- checkpoints and offsets that are not there -----------------------------------------------------------------------


def test_a_damaged_newest_checkpoint_is_replayed_silently(new_job: NewJob, client: str) -> None:
    job, rows = new_job(client, partitions=1), events(2000)
    job.set(checkpoint={"dir": str(job.folder / "state"), "rows": 100, "every": "60s"}, batch={"rows": 50})
    job.write(rows[:1000])
    job.run()
    lineage = CheckpointStore(job.folder / "state").lineage(f"{job.events}-0")
    newest = lineage.directory / lineage.ids()[0].file_name
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    job.write(rows[1000:])
    assert job.run().rows > 1000  # some again
    with job.reader() as reader:
        reader.until(lambda: len(reader) >= 2000)
        reader.rest()
        assert told(reader) == expected(rows, 1)


def test_what_is_gone_is_an_error_at_once(new_job: NewJob, admin: AdminClient) -> None:
    job, rows = new_job(partitions=1).short_sessions(), events(400)
    state = job.folder / "state"
    job.write(rows[:200])
    job.run()

    shutil.move(state, job.folder / "elsewhere")
    with pytest.raises(StateError, match="not in the checkpoint directory"):
        job.run()
    shutil.rmtree(state)
    shutil.move(job.folder / "elsewhere", state)

    group = job.settings["source"]["group"]
    began = time.monotonic()
    while True:  # a static member that is gone is still known until its session ends
        try:
            admin.delete_consumer_groups([group])[group].result(10)
            break
        except Exception:
            assert time.monotonic() < began + 30
            time.sleep(0.2)
    with pytest.raises(StateError, match="group has no offsets"):
        job.run()
    fresh = {"dir": str(job.folder / "fresh"), "every": "100ms"}
    assert job.run(checkpoint=fresh).rows == 200

    job.write(rows[200:])
    partition = TopicPartition(job.events, 0, 300)
    admin.delete_records([partition])[partition].result(10)
    began = time.monotonic()
    with pytest.raises(PositionError, match="position 200"):
        job.run(checkpoint=fresh)
    assert time.monotonic() - began < 20  # it is not tried again and again


def test_going_on_with_an_empty_model_if_told_to(new_job: NewJob) -> None:
    job, rows = new_job(partitions=1), events(400)
    job.write(rows[:200])
    job.run()
    shutil.rmtree(job.folder / "state")
    job.write(rows[200:])
    assert job.run(checkpoint={"dir": str(job.folder / "state"), "on_missing": "fresh"}).rows == 200


# -- brokers that die -------------------------------------------------------------------------------------------------


def under_load(job: Job, rows: list[dict[str, Any]], disturb: Callable[[Reader], None]) -> None:
    """Events come while the brokers are disturbed; an idempotent producer repeats nothing."""

    def write_all() -> None:
        for i in range(0, len(rows), 500):
            job.write(rows[i : i + 500])

    writing = threading.Thread(target=write_all)
    with job.reader() as reader, job.worker() as worker:
        writing.start()
        reader.until(lambda: len(reader) >= len(rows) // 5, alive=[worker])
        disturb(reader)
        writing.join(120)
        reader.until(lambda: len(reader) >= len(rows), 120, alive=[worker])
        worker.stop()
        reader.rest()
        assert told(reader) == expected(rows, job.partitions)


@LONG
def test_the_broker_is_killed_and_comes_back(new_job: NewJob, kafka: Kafka, client: str) -> None:
    broker = kafka.broker

    def disturb(reader: Reader) -> None:
        broker.kill()
        time.sleep(1.0)
        broker.restart()

    job = new_job(client)
    job.set(errors={"sink": {"retries": 20, "backoff": "200ms"}}, batch={"rows": 20})
    under_load(job, events(10_000), disturb)


@LONG
def test_one_of_three_nodes_is_killed(tmp_path: Path) -> None:
    home = os.environ.get("KAFKA_HOME")
    if home is None:
        pytest.skip("no Kafka: set KAFKA_HOME to a Kafka download")
    with Broker(home, tmp_path / "kafka", nodes=3) as broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        names = iter(["events", "predictions"])

        def make(partitions: int) -> str:
            name = next(names)
            admin.create_topics([NewTopic(name, partitions, 3)])[name].result(30)
            return name

        job = Job(broker.bootstrap, make, tmp_path, "confluent", 2)
        job.set(errors={"sink": {"retries": 20, "backoff": "200ms"}}, batch={"rows": 20})
        under_load(job, events(10_000), lambda reader: broker.kill(1))


# -- foreign clients --------------------------------------------------------------------------------------------------


def java(home: Path, main: str, *arguments: str, text: str = "") -> str:
    command = [find_java(), "-Xmx96m", "-XX:TieredStopAtLevel=1", "-cp", f"{home}/libs/*", main, *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True).stdout


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_kafkas_own_console_tools(new_job: NewJob, kafka: Kafka) -> None:
    job, rows = new_job(partitions=1), events(200)
    home, servers = kafka.broker.home, ["--bootstrap-server", kafka.bootstrap]
    java(home, "org.apache.kafka.tools.ConsoleProducer", *servers, "--topic", job.events, text=lines(rows))
    assert job.run().rows == 200
    committed = ["--from-beginning", "--max-messages", "200", "--timeout-ms", "20000"]
    committed += ["--command-property", "isolation.level=read_committed"]
    reader = "org.apache.kafka.tools.consumer.ConsoleConsumer"
    out = java(home, reader, *servers, "--topic", job.predictions, *committed)
    found = [json.loads(line) for line in out.splitlines()]
    assert [(document["id"], document["prediction"]) for document in found] == expected(rows, 1)[0]


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed (apt install kcat)")
def test_kcat(new_job: NewJob, kafka: Kafka) -> None:
    job, rows = new_job(partitions=1), events(200)
    tool = ["kcat", "-b", kafka.bootstrap]
    subprocess.run([*tool, "-P", "-t", job.events], input=lines(rows), text=True, check=True, timeout=30)
    assert job.run().rows == 200
    read = [*tool, "-C", "-t", job.predictions, "-e", "-q", "-o", "beginning", "-X", "isolation.level=read_committed"]
    out = subprocess.run(read, capture_output=True, text=True, check=True, timeout=30).stdout
    found = [json.loads(line) for line in out.splitlines()]
    assert [(document["id"], document["prediction"]) for document in found] == expected(rows, 1)[0]
