"""Exactly once through a real Kafka, while workers and brokers are killed, frozen, stopped and started again.

Every cell of the matrix is a pipeline from topic to topic: how often it commits, what befalls it, how its group works,
what it learns, which client it uses. Three faults come, none before a fifth of the work is done. A reader of
committed transactions looks on all the while, and an independent verifier (tests/faults/verifier.py) recomputes from
the input topic what must have been read: nothing lost, nothing twice, in the order of each partition, every prediction
and probability equal to the last bit, and so are the metrics in the last checkpoints.

    KAFKA_HOME=… python benchmarks/exactly_once.py             # a pairwise subset: every pair of values meets once
    KAFKA_HOME=… python benchmarks/exactly_once.py --all       # all cells
    KAFKA_HOME=… python benchmarks/exactly_once.py --cell 7 --seed 3

Results go to the file named by ``--out``, a JSON line a cell.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import streamlearn as sl
from streamlearn.testing.kafka_broker import Broker
from tests.faults import verifier
from tests.faults.events import FIELDS, TARGET, events

SESSION = 6.0  # seconds of silence after which a group gives up a member
PARTITIONS = 3
PATIENCE = 120.0  # seconds without anything new to read after which a cell has failed

COMMITS = {"1 row": 1, "100 rows": 100, "750 rows": 750}
ROWS = {1: 900, 100: 12_000, 750: 30_000}
FAULTS = ("kill", "term", "freeze", "broker", "broker and worker")
GROUPS: dict[str, tuple[str, dict[str, Any]]] = {
    "eager": ("classic", {"partition.assignment.strategy": "range"}),
    "cooperative": ("classic", {"partition.assignment.strategy": "cooperative-sticky"}),
    "consumer": ("consumer", {}),
}
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
FACTORS: dict[str, Sequence[Any]] = {
    "commit": tuple(COMMITS),
    "fault": FAULTS,
    "group": tuple(GROUPS),
    "learner": tuple(LEARNERS),
    "client": CLIENTS,
    "workers": (1, 2),
}
PIPELINE = """
name: {name}
source:
  type: kafka
  bootstrap: "{bootstrap}"
  topics: [{name}-in]
  group: {name}
  client: {client}
  protocol: {protocol}
  options: {source_options}
schema: {{target: class, id: event_id, fields: {{f0: numeric, f1: numeric, f2: numeric, f3: numeric, colour: nominal}}}}
{learner}
sink: {{type: kafka, bootstrap: "{bootstrap}", topic: {name}-out, client: {client}}}
dead_letter: {{type: kafka, bootstrap: "{bootstrap}", topic: {name}-dead, client: {client}, format: raw}}
checkpoint: {{dir: state, rows: {rows}, every: 1s}}
batch: {{rows: {batch}, wait: 10ms}}
guarantee: exactly-once
errors: {{sink: {{retries: 1000, backoff: 200ms}}}}
"""


@dataclass(frozen=True)
class Cell:
    """One combination of the matrix."""

    commit: str
    fault: str
    group: str
    learner: str
    client: str
    workers: int

    @property
    def possible(self) -> bool:
        """kafka-python has the classic group protocol only, and its assignors are no text that a file could name."""
        return self.client == "confluent" or self.group == "cooperative"


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
    recovery: float = 0.0  # from the last fault to the last prediction, in seconds
    ended_by_themselves: list[str] = field(default_factory=list)
    findings: str = ""


def cells() -> list[Cell]:
    """All that are possible, in a fixed order."""
    made = [Cell(*values) for values in itertools.product(*FACTORS.values())]
    return [cell for cell in made if cell.possible]


def pairwise(all_cells: Sequence[Cell], seed: int) -> list[Cell]:
    """Few cells in which every two values that can meet do: greedily the one that brings most pairs that are new."""

    def pairs(cell: Cell) -> set[Any]:
        return set(itertools.combinations(asdict(cell).items(), 2))

    left = set().union(*map(pairs, all_cells))
    shuffled = random.Random(seed).sample(list(all_cells), len(all_cells))
    chosen = []
    while left:
        best = max(shuffled, key=lambda cell: len(pairs(cell) & left))
        chosen.append(best)
        left -= pairs(best)
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
        self.newest = time.monotonic()
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.is_set():
            for message in self._consumer.consume(1000, 0.1):
                if message.error() is None:
                    self.messages.append(message)
                    self.newest = time.monotonic()

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
        broker.restart()
    return {"kill": 1, "broker": 1, "broker and worker": 2}.get(fault, 0)


def run(cell: Cell, number: int, seed: int, broker: Broker, folder: Path) -> Outcome:
    """One cell, from its input to the verdict."""
    outcome = Outcome(asdict(cell), number, seed)
    began = time.monotonic()
    choose = random.Random(f"{seed}/{number}")
    name = f"eos{number}-{seed}-{os.getpid()}"
    topics = [f"{name}-{role}" for role in ("in", "out", "dead")]
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    for made in admin.create_topics([NewTopic(topic, PARTITIONS) for topic in topics]).values():
        made.result(30)
    commit = COMMITS[cell.commit]
    spec, learner, key = LEARNERS[cell.learner]
    protocol, options = GROUPS[cell.group]
    if cell.client == "kafka-python":
        options = {}
    if protocol == "classic":
        name_of_it = "session.timeout.ms" if cell.client == "confluent" else "session_timeout_ms"
        options = {**options, name_of_it: int(1000 * SESSION)}
    inputs = list(produce(broker.bootstrap, topics[0], ROWS[commit], seed))
    fields = FIELDS if key else {**FIELDS, "customer": "nominal"}
    truth = verifier.recompute(inputs, verifier.Task(learner, fields, TARGET, key=key))
    wanted = sum(map(len, truth.predictions.values())) + len(truth.dead)
    (folder / "pipeline.yaml").write_text(
        PIPELINE.format(
            name=name,
            bootstrap=broker.bootstrap,
            client=cell.client,
            protocol=protocol,
            source_options=json.dumps(options),
            learner=spec,
            rows=commit,
            batch=min(commit, 500),
        )
    )
    reader = Reader(broker.bootstrap, topics[1:])
    reader.start()
    workers = Workers(folder, cell.workers)
    last = 0.0
    try:
        due = [0.2, 0.45, 0.7]
        while len(reader.messages) < wanted and time.monotonic() - reader.newest < PATIENCE and len(workers.ended) < 20:
            time.sleep(0.05)
            workers.revive()
            if due and len(reader.messages) >= due[0] * wanted:
                del due[0]
                outcome.kills += strike(cell.fault, broker, workers, choose)
                outcome.faults += 1
                last = reader.newest = time.monotonic()
        outcome.recovery = reader.newest - last if last else 0.0
        workers.stop()
        time.sleep(1.0)  # what would come twice comes now
    finally:
        workers.destroy()
        reader.close()
    outcome.ended_by_themselves = workers.ended
    findings = verify(truth, reader.messages, topics, folder / "state")
    outcome.rows, outcome.ok, outcome.findings = findings.rows, findings.ok and outcome.faults == 3, str(findings)
    outcome.seconds = time.monotonic() - began
    return outcome


def produce(bootstrap: str, topic: str, rows: int, seed: int) -> Iterator[verifier.Input]:
    """Write the input, and say what was written where."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "log_level": 0})
    offsets = [0] * PARTITIONS
    for row, value in enumerate(events(rows, seed)):
        partition = row % PARTITIONS
        while True:
            try:
                producer.produce(topic, value, partition=partition)
                break
            except BufferError:
                producer.poll(0.1)
        yield verifier.Input(str(partition), f"{topic}-{partition}-{offsets[partition]}", value)
        offsets[partition] += 1
    if producer.flush(60):
        raise RuntimeError("the input could not be written")


def verify(truth: verifier.Truth, messages: Sequence[Any], topics: Sequence[str], state: Path) -> verifier.Findings:
    """Compare what was read, and what the last checkpoints say, with what must be."""
    findings = verifier.Findings()
    _, out, dead = topics
    verifier.compare(truth, [json.loads(m.value()) for m in messages if m.topic() == out], findings)
    for message in messages:
        if message.topic() == out and json.loads(message.value())["prediction_id"].split("-")[-2] != str(
            message.partition()
        ):
            findings.say("disordered", f"{message.value()!r} is in partition {message.partition()}")
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
    for partition in truth.predictions:
        shards = [
            path for path in state.iterdir() if path.name.endswith(f"-in-{partition}") and any(path.glob("*.ckpt"))
        ]
        if len(shards) != 1:
            findings.say("metrics", f"partition {partition} has {len(shards)} lineages of checkpoints")
            continue
        about = verifier.about(max(shards[0].glob("*.ckpt")))
        verifier.compare_accuracy(truth, partition, about["learners"]["champion"]["metrics"], findings)
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=os.environ.get("KAFKA_HOME"), help="a folder of Kafka's jars")
    parser.add_argument("--all", action="store_true", help="all cells, not a pairwise subset")
    parser.add_argument("--cell", type=int, action="append", help="only this one, by its number; repeatable")
    parser.add_argument("--most", type=int, help="stop after so many cells")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("exactly_once.jsonl"))
    parser.add_argument("--keep", type=Path, help="keep the folders of cells that fail, here")
    given = parser.parse_args()
    if given.home is None:
        parser.error("name a folder of Kafka's jars: --home, or KAFKA_HOME")
    everything = cells()
    chosen = everything if given.all else pairwise(everything, given.seed)
    if given.cell:
        chosen = [everything[number] for number in given.cell]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, Broker(given.home, Path(folder) / "kafka") as broker:
        for cell in chosen[: given.most]:
            number = everything.index(cell)
            place = Path(folder) / f"cell-{number}"
            place.mkdir()
            outcome = run(cell, number, given.seed, broker, place)
            outcomes.append(outcome)
            with given.out.open("a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
            told = ", ".join(map(str, outcome.cell.values()))
            print(
                f"{'ok  ' if outcome.ok else 'FAIL'} cell {number:3} ({told}): {outcome.rows:,} rows, "
                f"{outcome.faults} faults, {outcome.kills} kills, {outcome.seconds:.0f} s, "
                f"back after {outcome.recovery:.1f} s",
                flush=True,
            )
            if not outcome.ok:
                print(f"  {outcome.findings}\n  again: --cell {number} --seed {given.seed}", flush=True)
                if given.keep:
                    shutil.copytree(place, given.keep / place.name, dirs_exist_ok=True)
            shutil.rmtree(place)
    bad = [outcome for outcome in outcomes if not outcome.ok]
    print(f"{len(outcomes)} cells, {sum(o.kills for o in outcomes)} kills, {len(bad)} failed")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
