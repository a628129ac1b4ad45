"""Pipelines from topic to topic of a real Kafka, while workers and brokers are killed, frozen, and started again.

Every cell of the matrix says how often a pipeline commits, what befalls it, how its group works, what it learns, which
client it uses, how many workers it has, where its labels come from, and whether it writes to topics or to files. Up to
three faults come, none before a fifth of the work is done and none after its end. A reader of committed transactions
looks on all the while, and the verifier recomputes from the input topics what must have been written: nothing lost,
nothing twice, in the order of each partition, every prediction and probability equal to the last bit, and so are the
metrics in the last checkpoints.
`benchmarks/exactly_once.py` runs it.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import streamlearn as sl
from streamlearn.testing import Broker

from . import verifier
from .events import FIELDS, TARGET, events

SESSION = 6.0  # seconds of silence after which a group gives up a member
PARTITIONS = 3
RECOVERY = 60.0  # seconds after the last fault within which the work must be done
PATIENCE = 120.0  # seconds without progress after which a cell has failed

COMMITS = {"1 row": 1, "100 rows": 100, "750 rows": 750}
ROWS = {1: 900, 100: 12_000, 750: 30_000}
FAULTS = ("kill", "term", "freeze", "broker", "broker and worker")
GROUPS = {"eager": ("classic", "eager"), "cooperative": ("classic", "cooperative"), "consumer": ("consumer", "eager")}
LEARNERS: dict[str, tuple[str, Callable[[sl.Schema], Any], str | None]] = {
    "tree": (
        "learner: {type: hoeffding_tree_classifier, grace_period: 50, delta: 0.01}",
        lambda schema: sl.HoeffdingTreeClassifier(grace_period=50, delta=0.01, schema=schema),
        None,
    ),
    "neighbours": (
        "learner: {type: knn_classifier, window_size: 200}",
        lambda schema: sl.KNNClassifier(window_size=200, schema=schema),
        None,
    ),
    "network": ("learner: {type: mlp_classifier}", lambda schema: sl.MLPClassifier(schema=schema), None),
    "keyed": (
        "learner: {type: naive_bayes}\nkey: customer\nkeys: {max_hot: 7}",
        lambda schema: sl.NaiveBayes(schema=schema),
        "customer",
    ),
}
CLIENTS = ("confluent", "kafka-python")
SINKS = {
    "topics": (
        'sink: {{type: kafka, bootstrap: "{bootstrap}", topic: {name}-out, client: {client}}}\n'
        'dead_letter: {{type: kafka, bootstrap: "{bootstrap}", topic: {name}-dead, client: {client}, format: raw}}'
    ),
    "files": "sink: {{type: file, path: predictions.jsonl}}\ndead_letter: {{type: file, path: dead.jsonl}}",
}
FACTORS: dict[str, Sequence[Any]] = {
    "commit": tuple(COMMITS),
    "fault": FAULTS,
    "group": tuple(GROUPS),
    "learner": tuple(LEARNERS),
    "client": CLIENTS,
    "workers": (1, 2),
    "labels": ("with the events", "later"),
    "sink": tuple(SINKS),
}
LATEST = 300  # events that may come between one and its label
PIPELINE = """
name: {name}
source:
  type: kafka
  bootstrap: "{bootstrap}"
  topics: [{name}-in]
  group: {name}
  client: {client}
  protocol: {protocol}
  rebalance: {rebalance}
  options: {source_options}
schema: {{target: class, id: event_id, fields: {{f0: numeric, f1: numeric, f2: numeric, f3: numeric, colour: nominal}}}}
{learner}
labels: {labels}
{sinks}
checkpoint: {{dir: state, rows: {rows}, every: 1s}}
batch: {{rows: {batch}, wait: 10ms}}
guarantee: exactly-once
errors: {{sink: {{retries: 1000, backoff: 200ms}}}}
"""


@dataclass(frozen=True)
class Cell:
    """One combination of the matrix; ``str`` gives its values."""

    commit: str
    fault: str
    group: str
    learner: str
    client: str
    workers: int
    labels: str
    sink: str

    @property
    def possible(self) -> bool:
        """kafka-python has no KIP-848."""
        return self.client == "confluent" or self.group != "consumer"

    def __str__(self) -> str:
        return ", ".join(map(str, asdict(self).values()))


@dataclass
class Outcome:
    """What came of a cell."""

    cell: dict[str, Any]
    number: int
    seed: int
    ok: bool = False
    rows: int = 0
    faults: int = 0
    kills: int = 0
    seconds: float = 0.0
    recovery: float = 0.0  # from the last fault to the end of the work, in seconds
    markers_skipped: int = 0  # by the broker, see `Broker.markers_skipped`
    ended_by_themselves: list[str] = field(default_factory=list)
    findings: str = ""


def cells() -> list[Cell]:
    """All that are possible, in a fixed order."""
    made = [Cell(*values) for values in itertools.product(*FACTORS.values())]
    return [cell for cell in made if cell.possible]


def covering(all_cells: Sequence[Cell], strength: int, seed: int) -> list[Cell]:
    """Few cells in which every combination of ``strength`` values that can meet does.

    Greedily: the next cell is the one that brings most combinations that are new.
    """

    def combinations(cell: Cell) -> set[Any]:
        return set(itertools.combinations(asdict(cell).items(), strength))

    left = set().union(*map(combinations, all_cells))
    shuffled = random.Random(seed).sample(list(all_cells), len(all_cells))
    chosen = []
    while left:
        best = max(shuffled, key=lambda cell: len(combinations(cell) & left))
        chosen.append(best)
        left -= combinations(best)
    return chosen


class Reader(threading.Thread):
    """Reads the output topics, committed transactions only, from the beginning and while everything else goes on."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "the-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(topic, p, 0) for topic in topics for p in range(PARTITIONS)])
        self.messages: list[Any] = []
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.is_set():
            for message in self._consumer.consume(1000, 0.1):
                if message.error() is None:
                    self.messages.append(message)

    def close(self) -> None:
        self._ending.set()
        self.join()
        self._consumer.close()


class Workers:
    """The processes of a cell, each in a process group of its own."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.ended: list[str] = []
        for number in range(count):
            self.start(number)

    def start(self, number: int) -> None:
        with (self.folder / f"worker-{number}.log").open("ab") as log:
            self.processes[number] = subprocess.Popen(
                [sys.executable, "-P", "-m", "streamlearn", "run", "pipeline.yaml", "--worker", f"w{number}"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: int, what: int) -> None:
        if self.processes[number].poll() is None:
            os.killpg(self.processes[number].pid, what)

    def revive(self) -> None:
        """Start again what ended, as a supervisor would, and remember that it did."""
        for number, process in self.processes.items():
            if process.poll() is not None:
                self.ended.append(f"w{number}: status {process.returncode}")
                self.start(number)

    def kill(self, number: int) -> None:
        self.signal(number, signal.SIGKILL)
        self.processes[number].wait()
        self.start(number)

    def terminate(self, number: int) -> None:
        self.signal(number, signal.SIGTERM)
        self._finish(number)
        self.start(number)

    def stop(self) -> None:
        """Stop all in good order."""
        for number in self.processes:
            self.signal(number, signal.SIGTERM)
        for number in self.processes:
            self._finish(number)

    def _finish(self, number: int) -> None:
        try:
            status = self.processes[number].wait(60)
        except subprocess.TimeoutExpired:
            self.signal(number, signal.SIGKILL)
            status = self.processes[number].wait()
            self.ended.append(f"w{number}: did not stop within 60 s")
        if status not in (0, -signal.SIGTERM):  # before it listens to signals it dies of them
            self.ended.append(f"w{number}: stopped with status {status}")

    def destroy(self) -> None:
        for number in self.processes:
            self.signal(number, signal.SIGCONT)
            self.signal(number, signal.SIGKILL)
            self.processes[number].wait()


def strike(fault: str, broker: Broker, workers: Workers, choose: random.Random) -> int:
    """Let something happen; how many processes it killed."""
    victim = choose.choice(list(workers.processes))
    if fault == "kill":
        workers.kill(victim)
    elif fault == "term":
        workers.terminate(victim)
    elif fault == "freeze":
        workers.signal(victim, signal.SIGSTOP)
        time.sleep(1.5 * SESSION)
        workers.signal(victim, signal.SIGCONT)
    else:
        broker.kill()
        if fault == "broker and worker":
            workers.kill(victim)
        time.sleep(choose.uniform(0.0, 2.0))
        broker.restart(timeout=180.0)  # where much else runs it takes its time
    return {"kill": 1, "broker": 1, "broker and worker": 2}.get(fault, 0)


def run(
    cell: Cell, number: int, seed: int, broker: Broker, folder: Path, *, rows: int | None = None, faults: int = 3
) -> Outcome:
    """One cell, from its input to the verdict."""
    outcome = Outcome(asdict(cell), number, seed)
    began, skipped = time.monotonic(), broker.markers_skipped
    choose = random.Random(f"{seed}/{number}")
    name = f"eos{number}-{seed}-{os.getpid()}"
    topics = [f"{name}-{role}" for role in ("in", "out", "dead", "labels")]
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for made in admin.create_topics([NewTopic(topic, PARTITIONS) for topic in topics]).values():
        made.result(30)
    later = cell.labels == "later"
    rows = rows or ROWS[COMMITS[cell.commit]]
    inputs = produce(broker.bootstrap, topics[0], topics[3] if later else None, rows, seed)
    _, learner, key = LEARNERS[cell.learner]
    fields = FIELDS if key else {**FIELDS, "customer": "nominal"}
    task = verifier.Task(learner, fields, TARGET, id="event_id", key=key, labels_in_records=not later)
    truth = verifier.recompute(inputs, task)
    (folder / "pipeline.yaml").write_text(pipeline(cell, name, broker.bootstrap))
    reader = Reader(broker.bootstrap, topics[1:3])
    reader.start()
    workers = Workers(folder, cell.workers)
    last = None
    try:
        wanted, done = wanted_of(truth, cell.sink == "topics"), Counter[str]()
        due = [0.2 * (fault + 1) for fault in range(faults)]  # of the rows, by the checkpoints: a reader may be behind
        newest = time.monotonic()
        while done != wanted and time.monotonic() - newest < PATIENCE and len(workers.ended) < 20:
            time.sleep(0.05)
            workers.revive()
            before, done = done, verifier.counted(folder / "state")
            done["read"] = len(reader.messages)
            if done != before:
                newest = time.monotonic()
            if due and done["rows"] >= due[0] * wanted["rows"]:
                del due[0]
                outcome.kills += strike(cell.fault, broker, workers, choose)
                outcome.faults += 1
                last = newest = time.monotonic()
        outcome.recovery = 0.0 if last is None else newest - last
        workers.stop()
        time.sleep(1.0)  # what would come twice comes now
    finally:
        workers.destroy()
        reader.close()
    outcome.ended_by_themselves = workers.ended
    findings = verifier.Findings()
    if cell.sink == "topics":
        verify_topics(truth, reader.messages, topics, findings)
    else:
        verify_files(truth, folder, findings)
    verify_metrics(truth, folder / "state", findings)
    outcome.rows, outcome.findings = findings.rows, str(findings)
    outcome.markers_skipped = broker.markers_skipped - skipped
    outcome.ok = findings.ok and outcome.faults >= 1 and outcome.recovery <= RECOVERY
    outcome.seconds = time.monotonic() - began
    return outcome


def pipeline(cell: Cell, name: str, bootstrap: str) -> str:
    """The pipeline's file."""
    commit = COMMITS[cell.commit]
    protocol, rebalance = GROUPS[cell.group]
    session = "session.timeout.ms" if cell.client == "confluent" else "session_timeout_ms"
    options = {session: int(1000 * SESSION)} if protocol == "classic" else {}  # with KIP-848 the brokers decide
    labels = {"type": "kafka", "bootstrap": bootstrap, "client": cell.client, "topics": [f"{name}-labels"]}
    return PIPELINE.format(
        name=name,
        bootstrap=bootstrap,
        client=cell.client,
        protocol=protocol,
        rebalance=rebalance,
        source_options=json.dumps(options),
        learner=LEARNERS[cell.learner][0],
        labels=json.dumps({"from": labels, "key": "event_id"} if cell.labels == "later" else {}),
        sinks=SINKS[cell.sink].format(name=name, bootstrap=bootstrap, client=cell.client),
        rows=commit,
        batch=min(commit, 500),
    )


def wanted_of(truth: verifier.Truth, read: bool) -> Counter[str]:
    """What the checkpoints count in the end, labels that come last included, and how much there is to read."""
    rows, dead = sum(map(len, truth.predictions.values())), len(truth.dead)
    return Counter(rows=rows, rejected=dead, labelled=truth.labelled.total(), read=rows + dead if read else 0)


def produce(bootstrap: str, topic: str, labels: str | None, rows: int, seed: int) -> list[verifier.Input]:
    """Write the input, and say what was written where, in the order of its times.

    With a topic for ``labels``, the events have none, and they follow some time later.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "log_level": 0})
    begun = int(1000 * (time.time() - 3600))
    choose = random.Random(seed)
    offsets = [0] * PARTITIONS
    events_: list[tuple[int, verifier.Input]] = []
    labels_: list[tuple[int, verifier.Input]] = []
    for row, value in enumerate(events(rows, seed)):
        partition, at = row % PARTITIONS, begun + 10 * row
        if labels is not None:
            value, label = _without_label(value)
            if label is not None:
                record = verifier.Input(str(partition), "", label, label_of=json.loads(label)["event_id"])
                labels_.append((at + 10 * choose.randrange(LATEST) + choose.choice([0, 5]), record))
        events_.append((at, verifier.Input(str(partition), f"{topic}-{partition}-{offsets[partition]}", value)))
        offsets[partition] += 1
    labels_.sort(key=lambda pair: pair[0])
    for to, records in ((topic, events_), (labels, labels_)):
        for at, record in records:
            while True:
                try:
                    producer.produce(to, record.value, partition=int(record.partition), timestamp=at)
                    break
                except BufferError:
                    producer.poll(0.1)
    if producer.flush(60):
        raise RuntimeError("the input could not be written")
    return [record for _, record in sorted(events_ + labels_, key=lambda pair: pair[0])]  # of equal times events first


def _without_label(value: bytes) -> tuple[bytes, bytes | None]:
    """An event without its label, and the record that brings it."""
    try:
        event = json.loads(value)
        label = event.pop(TARGET)
        given = {"event_id": event["event_id"], TARGET: label}
    except (ValueError, KeyError, AttributeError, TypeError):
        return value, None
    return json.dumps(event).encode(), None if label is None else json.dumps(given).encode()


def verify_topics(
    truth: verifier.Truth, messages: Sequence[Any], topics: Sequence[str], findings: verifier.Findings
) -> None:
    """Compare what was read with what must have been written, where, and once."""
    out, dead = topics[1:3]
    verifier.compare(truth, [json.loads(m.value()) for m in messages if m.topic() == out], findings)
    for message in messages:
        if message.topic() == out:
            _in_place(json.loads(message.value()), str(message.partition()), findings)
    seen: dict[str, bytes] = {}
    for message in messages:
        if message.topic() == dead:
            record = dict(message.headers())["streamlearn.record"].decode()
            if record in seen:
                findings.say("dead_duplicate", record)
            seen[record] = message.value()
    for record, value in truth.dead.items():
        if record not in seen:
            findings.say("dead_lost", record)
        elif seen[record] != value:
            findings.say("dead_different", record)


def verify_files(truth: verifier.Truth, folder: Path, findings: verifier.Findings) -> None:
    """The same of files, of which each shard has its own."""
    outputs = {path: verifier.lines(path, findings) for path in sorted(folder.glob("predictions-*.jsonl"))}
    verifier.compare(truth, [output for found in outputs.values() for output in found], findings)
    for path, found in outputs.items():
        for output in found:
            _in_place(output, path.stem.rpartition("-")[2], findings)
    dead = [letter for path in sorted(folder.glob("dead-*.jsonl")) for letter in verifier.lines(path, findings)]
    verifier.compare_dead(truth, dead, findings)


def _in_place(output: Any, partition: str, findings: verifier.Findings) -> None:
    if output["prediction_id"].split("-")[-2] != partition:
        findings.say("disordered", f"{output} is in partition {partition}")


def verify_metrics(truth: verifier.Truth, state: Path, findings: verifier.Findings) -> None:
    """Compare what the last checkpoints say."""
    for partition in truth.predictions:
        shards = [
            path for path in state.iterdir() if path.name.endswith(f"-in-{partition}") and any(path.glob("*.ckpt"))
        ]
        if len(shards) != 1:
            findings.say("metrics", f"partition {partition} has {len(shards)} lineages of checkpoints")
            continue
        about = verifier.about(max(shards[0].glob("*.ckpt")))
        verifier.compare_accuracy(truth, partition, about["metrics"]["champion"], findings)
