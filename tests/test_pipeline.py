"""Pipelines over streams in memory: what is written, learned, measured and set aside."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import river.naive_bayes
import river.tree

import streamlearn as sl
from streamlearn.errors import InputError, OptionError, PositionError, SinkError, StateError
from streamlearn.live import Mark
from streamlearn.records import Records
from streamlearn.runtime.observer import Alarm, CommitDone, Observer
from streamlearn.runtime.shard import Stop
from streamlearn.runtime.worker import Worker
from streamlearn.testing import ABORT, Crash, Item, MemoryBroker, MemorySink, MemorySource


def events(n: int, seed: int = 0) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    rows = []
    for i in range(n):
        x = draw.random()
        rows.append({"x": x, "day": draw.choice("mtw"), "class": "up" if x > 0.5 else "down", "event_id": i})
    return rows


def pipeline(broker: MemoryBroker, folder: Path, **settings: Any) -> sl.Pipeline:
    given: dict[str, Any] = {
        "name": "test",
        "source": MemorySource(broker, "events"),
        "schema": {"target": "class", "id": "event_id"},
        "learner": "hoeffding_tree_classifier",
        "sink": MemorySink(broker, "predictions"),
        "checkpoint": {"dir": str(folder / "state"), "every": 1000},
        "batch": {"rows": 7, "wait": 0},
    }
    return sl.Pipeline(**{**given, **settings})


def test_predictions_are_those_of_a_loop_over_the_events(tmp_path: Path) -> None:
    rows = events(500)
    broker = MemoryBroker({"events": [rows]})
    summary = pipeline(broker, tmp_path).run()
    assert (summary.rows, summary.labelled, summary.rejected) == (500, 500, {})
    learner = sl.HoeffdingTreeClassifier()
    for row, written in zip(rows, broker.documents("predictions"), strict=True):
        x = {"x": row["x"], "day": row["day"]}
        assert written["prediction_id"] == f"events-0-{row['event_id']}"
        assert written["id"] == row["event_id"]
        assert written["prediction"] == learner.predict_one(x)
        assert written["probabilities"] == learner.predict_proba_one(x)
        assert written["model_version"] == "champion/1"
        learner.learn_one(x, row["class"])


def test_shadows_predict_beside_the_champion(tmp_path: Path) -> None:
    rows = events(200)
    broker = MemoryBroker({"events": [rows]})
    models = {"champion": "naive_bayes", "tree": sl.HoeffdingTreeClassifier(), "same": "no_change_classifier"}
    summary = pipeline(broker, tmp_path, learner=None, learners=models, metrics=["accuracy"]).run()
    documents = broker.documents("predictions")
    before = [None, *(row["class"] for row in rows[:-1])]
    assert [document["shadows"]["same"]["prediction"] for document in documents] == before
    assert set(summary.metrics["events-0"]) == set(models)
    right = sum(a == row["class"] for a, row in zip(before, rows, strict=True))
    assert summary.metrics["events-0"]["same"]["accuracy"] == right / 200


def test_one_model_for_each_partition_or_one_for_all(tmp_path: Path) -> None:
    parts = [events(50, seed) for seed in range(3)]
    broker = MemoryBroker({"events": parts})
    summary = pipeline(broker, tmp_path, metrics=["accuracy"]).run()
    assert set(summary.metrics) == {"events-0", "events-1", "events-2"}
    other = MemoryBroker({"events": parts})
    summary = pipeline(other, tmp_path / "one", scope="worker").run()
    assert set(summary.metrics) == {"worker-0"}
    assert summary.rows == 150
    assert summary.labelled == 150


def test_one_model_for_each_key(tmp_path: Path) -> None:
    rows = [{**row, "customer": f"c{i % 5}"} for i, row in enumerate(events(300))]
    broker = MemoryBroker({"events": [[*rows[:100], ABORT, *rows[100:]]]})
    settings: dict[str, Any] = {
        "key": "customer",
        "keys": {"max_hot": 2},
        "learner": "naive_bayes",
        "sink": MemorySink(broker, "predictions", transactional=True),
        "guarantee": "exactly-once",
        "checkpoint": {"dir": str(tmp_path / "state"), "every": 1000, "rows": 20},
    }
    with pytest.raises(Crash):
        pipeline(broker, tmp_path, **settings).run()
    pipeline(broker, tmp_path, **settings).run()
    models = {f"c{i}": sl.NaiveBayes() for i in range(5)}
    schema = sl.Schema([sl.Field("day", "nominal"), sl.Field("x")], target="class")
    for row, written in zip(rows, broker.documents("predictions"), strict=True):
        batch = schema.encode([{"x": row["x"], "day": row["day"]}], [row["class"]])
        assert written["key"] == row["customer"]
        assert written["prediction"] == schema.decode_label(models[row["customer"]].process(batch).prediction[0])


def test_late_labels_are_joined_by_id_and_survive_a_crash(tmp_path: Path) -> None:
    rows = events(200)
    timed = [Item({k: v for k, v in row.items() if k != "class"}, time=float(i)) for i, row in enumerate(rows)]
    labels = [Item({"event_id": row["event_id"], "class": row["class"]}, time=i + 20.5) for i, row in enumerate(rows)]

    def run(broker: MemoryBroker, folder: Path) -> list[Any]:
        settings: dict[str, Any] = {
            "labels": {"from": MemorySource(broker, "labels"), "key": "event_id"},
            "sink": MemorySink(broker, "predictions", transactional=True),
            "guarantee": "exactly-once",
            "checkpoint": {"dir": str(folder / "state"), "every": 1000, "rows": 30},
        }
        while True:
            try:
                summary = pipeline(broker, folder, **settings).run()
            except Crash:
                continue
            assert summary.metrics["events-0"]["champion"]["accuracy"] > 0.8
            return broker.documents("predictions")

    calm = run(MemoryBroker({"events": [timed], "labels": [labels]}), tmp_path / "calm")
    scripts = {
        "events": [[*timed[:50], ABORT, *timed[50:120], ABORT, *timed[120:]]],
        "labels": [[*labels[:77], ABORT, *labels[77:]]],
    }
    assert run(MemoryBroker(scripts), tmp_path / "stormy") == calm
    learner = sl.HoeffdingTreeClassifier()
    for i, (row, written) in enumerate(zip(rows, calm, strict=True)):
        if i > 20:
            late = rows[i - 21]
            learner.learn_one({"x": late["x"], "day": late["day"]}, late["class"])
        assert written["prediction"] == learner.predict_one({"x": row["x"], "day": row["day"]})


def test_a_record_that_cannot_be_read_is_set_aside_alone(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [[*events(20), b"{", None, {"x": "text", "class": "up"}, *events(5)]]})
    summary = pipeline(broker, tmp_path, dead_letter=MemorySink(broker, "dead")).run()
    assert summary.rows == 25
    assert summary.rejected == {"decode": 2}
    dead = broker.documents("dead")
    assert [letter["record"] for letter in dead] == ["events-0-20", "events-0-22"]
    assert dead[0]["value_text"] == "{"
    assert "x" in dead[1]["reason"]


@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_records_are_set_aside_in_the_order_of_the_stream(tmp_path: Path, rows: int) -> None:
    """Whatever the stage, and however the stream is cut into batches."""

    def rule(row: dict[str, Any]) -> str:
        if row["x"] == 2:
            raise ValueError("too much")
        return "up"

    stream: list[Any] = [{"x": 1, "event_id": 0}, {"x": 2, "event_id": 1}, b"{", {"x": 2, "event_id": 3}, b"["]
    labels = [(-0.5, b"late"), (0.5, {"event_id": 0}), (2.5, {"event_id": 3, "class": [1]}), (9.0, b"")]
    scripts = {
        "events": [[Item(event, time=float(i)) for i, event in enumerate(stream)]],
        "labels": [[Item(label, time=when) for when, label in labels]],
    }
    broker = MemoryBroker(scripts)
    told: list[tuple[str, str]] = []

    def tell(stage: str, record: str, reason: Any) -> bool:
        told.append((record, stage))
        return True

    settings = {"labels": {"from": MemorySource(broker, "labels")}, "dead_letter": MemorySink(broker, "dead")}
    pipeline(broker, tmp_path, learner=rule, batch={"rows": rows, "wait": 0}, on_error=tell, **settings).run()
    expected = [
        ("labels-0-0", "label"),
        ("labels-0-1", "label"),
        ("events-0-1", "process"),
        ("events-0-2", "decode"),
        ("labels-0-2", "label"),
        ("events-0-3", "process"),
        ("events-0-4", "decode"),
        ("labels-0-3", "label"),
    ]
    assert [(letter["record"], letter["stage"]) for letter in broker.documents("dead")] == expected
    assert told == expected


def test_a_partition_that_is_added_without_one_for_its_labels_is_refused(tmp_path: Path) -> None:
    class Grows(MemorySource):
        there = 2

        def subscribe(self, assignment: Any) -> None:
            self.there = 3
            super().subscribe(assignment)

        def partitions(self) -> list[str]:
            return super().partitions()[: self.there]

    broker = MemoryBroker({"events": [events(5), events(5), events(5)], "labels": [[], []]})
    labels = {"from": MemorySource(broker, "labels")}
    with pytest.raises(OptionError, match=r"has a partition events-2 now and .* has 2: give both as many"):
        pipeline(broker, tmp_path, source=Grows(broker, "events"), labels=labels).run()


def test_labels_from_elsewhere_are_the_only_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What an event says of its own class is passed over, and said once."""
    rows = [{"x": i, "event_id": i, "class": "claimed"} for i in range(30)]
    labels = [Item({"event_id": i, "class": "true"}, time=i + 0.5) for i in range(20)]
    broker = MemoryBroker({"events": [[Item(row, time=float(row["x"])) for row in rows]], "labels": [labels]})
    summary = pipeline(broker, tmp_path, labels={"from": MemorySource(broker, "labels")}).run()
    written = broker.documents("predictions")
    assert [document["prediction"] for document in written] == [None, *["true"] * 29]
    assert written[-1]["probabilities"] == {"true": 1.0}
    assert (summary.labelled, summary.rejected) == (20, {})
    assert caplog.text.count("events have the target 'class' too") == 1


def test_policies_say_what_happens_to_a_bad_record(tmp_path: Path) -> None:
    def broker() -> MemoryBroker:
        return MemoryBroker({"events": [[*events(10), b"{", *events(5)]]})

    assert pipeline(broker(), tmp_path / "skip", errors={"decode": "skip"}).run().rows == 15
    with pytest.raises(Stop, match="events-0-10: decode"):
        pipeline(broker(), tmp_path / "stop").run()  # there is no dead letter, so it is not lost
    asked = []

    def ask(stage: str, record: str, reason: Any) -> bool:
        asked.append((stage, record))
        return False

    with pytest.raises(Stop):
        pipeline(broker(), tmp_path / "ask", errors={"decode": "skip"}, on_error=ask).run()
    assert asked == [("decode", "events-0-10")]


def test_a_function_may_stand_where_a_learner_stands(tmp_path: Path) -> None:
    def rule(row: dict[str, Any]) -> str:
        if row["x"] > 0.99:
            raise ValueError("too much")
        return "up" if row["x"] > 0.5 else "down"

    rows = [*events(300), {"x": 0.995, "day": "m", "class": "up", "event_id": 300}]
    broker = MemoryBroker({"events": [rows]})
    summary = pipeline(broker, tmp_path, learner=rule, dead_letter=MemorySink(broker, "dead")).run()
    bad = [row["event_id"] for row in rows if row["x"] > 0.99]
    assert summary.rejected == {"process": len(bad)}
    assert [letter["record"] for letter in broker.documents("dead")] == [f"events-0-{i}" for i in bad]
    assert {letter["stage"] for letter in broker.documents("dead")} == {"process"}
    assert "ValueError: too much" in broker.documents("dead")[0]["reason"]
    said = {document["id"]: document["prediction"] for document in broker.documents("predictions")}
    assert not set(bad) & set(said)
    assert all(said[row["event_id"]] == row["class"] for row in rows[20:] if row["event_id"] not in bad)


def test_a_river_model_needs_leave_to_be_pickled_and_then_resumes(tmp_path: Path) -> None:
    rows = events(100)
    with pytest.raises(OptionError, match="pickle: true"):
        pipeline(MemoryBroker({"events": [rows]}), tmp_path, learner=river.naive_bayes.GaussianNB())

    def run(script: list[Any], folder: Path) -> list[Any]:
        broker = MemoryBroker({"events": [script]})
        while True:
            settings = {
                "learner": river.tree.HoeffdingTreeClassifier(grace_period=20),
                "sink": MemorySink(broker, "predictions", transactional=True),
                "guarantee": "exactly-once",
                "checkpoint": {"dir": str(folder / "state"), "every": 1000, "rows": 20, "pickle": True},
            }
            try:
                pipeline(broker, folder, **settings).run()
            except Crash:
                continue
            return broker.documents("predictions")

    assert run([*rows[:60], ABORT, *rows[60:]], tmp_path / "a") == run(rows, tmp_path / "b")


def test_drift_is_an_event(tmp_path: Path) -> None:
    rows = events(1500)
    turned = [{**row, "class": {"up": "down", "down": "up"}[row["class"]]} for row in events(1500, 1)]
    broker = MemoryBroker({"events": [rows + turned]})
    heard: list[Alarm] = []

    class Listener(Observer):
        def alarm(self, alarm: Alarm) -> None:
            heard.append(alarm)

    line = pipeline(broker, tmp_path, drift=["adwin", sl.DDM()], alarms=MemorySink(broker, "alarms"))
    summary = line.run(observers=[Listener()])
    drifts = [alarm for alarm in broker.documents("alarms") if alarm["level"] == "drift"]
    assert {alarm["detector"] for alarm in drifts} == {"adwin", "ddm"}
    first = min(int(alarm["record"].rpartition("-")[2]) for alarm in drifts if alarm["detector"] == "ddm")
    assert 1500 <= first < 1700
    assert len(heard) == summary.alarms == len(broker.documents("alarms"))


def test_a_target_that_is_not_there_is_named(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(10)]})
    with pytest.raises(InputError, match="klass"):
        pipeline(broker, tmp_path, schema={"target": "klass"}).run()


def test_a_changed_configuration_is_refused(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(10)]})
    pipeline(broker, tmp_path).run()
    broker.append("events-0", events(10))
    with pytest.raises(StateError, match=r"learners.*naive_bayes"):
        pipeline(broker, tmp_path, learner="naive_bayes").run()
    with pytest.raises(StateError, match="schema"):
        pipeline(broker, tmp_path, schema={"target": "class"}).run()
    assert pipeline(broker, tmp_path).run().rows == 10


def test_a_change_is_named_down_to_the_key(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(10)]})
    pipeline(broker, tmp_path).run()
    changed = {"target": "class", "id": "event_id", "unknown": "ignore"}
    with pytest.raises(StateError, match=r"made with schema\.unknown: 'grow', but the pipeline now says 'ignore'"):
        pipeline(broker, tmp_path, schema=changed).run()


def test_a_checkpoint_directory_that_is_removed_meanwhile_is_noticed(tmp_path: Path) -> None:
    """The worker that wrote it knows better than to begin with an empty model."""
    path = tmp_path / "events.jsonl"
    text = b"".join(msgspec.json.encode(row) + b"\n" for row in events(20))
    path.write_bytes(text)

    class Remover(Observer):
        def committed(self, done: CommitDone) -> None:
            if path.stat().st_size == len(text):
                shutil.rmtree(tmp_path / "state")
                path.write_bytes(text + text)

    settings: dict[str, Any] = {
        "source": {"type": "file", "path": str(path), "follow": True},
        "sink": {"type": "file", "path": str(tmp_path / "out.jsonl")},
        "schema": {"target": "class", "infer_rows": 5},
        "checkpoint": {"dir": str(tmp_path / "state"), "every": 1000, "rows": 10},
        "errors": {"sink": {"backoff": 0.001}},
        "stop": {"idle": 0.5},
    }
    made = sl.Pipeline(name="test", learner="naive_bayes", **settings)
    with pytest.raises(StateError, match="was removed while the pipeline ran"):
        made.run(observers=[Remover()])
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) < 60  # nothing was done from the beginning


def test_a_shadow_may_come_and_go(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(10)]})
    both = {"champion": "naive_bayes", "shadow": "no_change_classifier"}
    pipeline(broker, tmp_path, learner=None, learners={"champion": "naive_bayes"}).run()
    broker.append("events-0", events(10))
    pipeline(broker, tmp_path, learner=None, learners=both).run()
    broker.append("events-0", events(10))
    pipeline(broker, tmp_path, learner=None, learners={"champion": "naive_bayes"}).run()
    assert len(broker.documents("predictions")) == 30


def test_at_most_once_never_repeats(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(100)]})
    settings: dict[str, Any] = {"guarantee": "at-most-once", "checkpoint": {"dir": str(tmp_path / "state"), "rows": 30}}
    broker.fail("sink.write", Crash, after=5)
    with pytest.raises(Crash):
        pipeline(broker, tmp_path, **settings).run()
    pipeline(broker, tmp_path, **settings).run()
    ids = [document["id"] for document in broker.documents("predictions")]
    assert len(ids) == len(set(ids))
    assert 100 - 7 <= len(ids) < 100


def test_wrong_settings_are_named() -> None:
    for settings, said in [
        ({"source": {"type": "flie", "path": "x"}}, "did you mean file"),
        ({"source": {"type": "file", "path": "x"}, "lerner": "naive_bayes"}, "did you mean learner"),
        ({"source": {"type": "file", "path": "x"}}, "say which learner"),
        ({"source": {"type": "file", "path": "x"}, "learner": "naive_bays"}, "naive_bayes"),
    ]:
        with pytest.raises(OptionError, match=said):
            sl.Pipeline(**settings)


def test_a_slow_batch_is_no_idleness(tmp_path: Path) -> None:
    class Slow(sl.PriorClassifier):
        def process(self, *args: Any, **more: Any) -> Any:
            time.sleep(0.02)
            return super().process(*args, **more)

    broker = MemoryBroker({"events": [events(30)]})
    schema = {"target": "class", "id": "event_id", "infer_rows": 1}
    assert pipeline(broker, tmp_path, schema=schema, learner=Slow(), stop={"idle": 0.01}).run().rows == 30


def exactly_once(broker: MemoryBroker, folder: Path, **more: Any) -> sl.Pipeline:
    sink = MemorySink(broker, "predictions", transactional=True)
    return pipeline(broker, folder, sink=sink, guarantee="exactly-once", **more)


def test_offsets_that_belong_to_no_checkpoint_are_refused(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(20)]})
    exactly_once(broker, tmp_path).run()
    committed = broker.groups["events"].committed
    noted = committed["events-0"]
    committed["events-0"] = Mark(5)  # as a tool sets it
    with pytest.raises(StateError, match="somebody else has set them"):
        exactly_once(broker, tmp_path).run()
    del committed["events-0"]
    with pytest.raises(StateError, match="group has no offsets"):
        exactly_once(broker, tmp_path).run()
    committed["events-0"] = noted
    broker.append("events-0", events(5))
    assert exactly_once(broker, tmp_path).run().rows == 5


def test_records_that_are_gone_are_not_waited_for(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(20)]})
    exactly_once(broker, tmp_path).run()
    broker.append("events-0", events(20))
    broker.expire("events-0", 30)
    began = time.monotonic()
    with pytest.raises(PositionError):
        exactly_once(broker, tmp_path, errors={"sink": {"retries": 5, "backoff": 10}}).run()
    assert time.monotonic() - began < 5


class Lives(Observer):
    """Counts restores and retries."""

    def __init__(self) -> None:
        self.restores: list[str | None] = []
        self.retries: list[str] = []

    def restored(self, shard: str, checkpoint: str | None, replayed: bool, seconds: float = 0.0) -> None:
        self.restores.append(checkpoint)

    def retrying(self, what: str, error: Exception, wait: float) -> None:
        self.retries.append(str(error))


def test_a_path_that_is_forbidden_is_not_tried_again(tmp_path: Path) -> None:
    """Only what may pass is waited for."""
    (tmp_path / "out-events-0.jsonl").mkdir()
    (tmp_path / "file").touch()
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    forbidden = {
        "out.jsonl": "Is a directory",
        "file/out.jsonl": "a file is in the way",
        "n" * 300 + ".jsonl": "File name too long",
        **({} if os.geteuid() == 0 else {"locked/out.jsonl": "Permission denied"}),
    }
    for path, why in forbidden.items():
        lives = Lives()
        broker = MemoryBroker({"events": [events(20), events(20)]})
        made = pipeline(broker, tmp_path / "run", sink={"type": "file", "path": str(tmp_path / path)})
        with pytest.raises(SinkError, match=f"can't write .*{why}: give the sink another path"):
            made.run(observers=[lives])
        assert lives.retries == []


def test_an_error_that_may_pass_is_tried_again(tmp_path: Path) -> None:
    lives = Lives()
    broker = MemoryBroker({"events": [events(20)]})
    broker.fail("sink.flush", SinkError)
    broker.fail("sink.flush", SinkError)
    pipeline(broker, tmp_path, errors={"sink": {"backoff": 0.001}}).run(observers=[lives])
    assert len(lives.retries) == 2


def test_only_a_checkpoint_that_holds_something_is_restored(tmp_path: Path) -> None:
    """A shard writes down at once how its files stood, and comes back to that after an early crash."""
    broker = MemoryBroker({"events": [[*events(20), ABORT, *events(20), ABORT, *events(20)]]})
    settings: dict[str, Any] = {
        "schema": {"target": "class", "infer_rows": 5},
        "sink": MemorySink(broker, "predictions", exact=True),
        "guarantee": "exactly-once",
        "checkpoint": {"dir": str(tmp_path / "state"), "every": 1000, "rows": 25},
    }
    lives = Lives()
    restores = []
    for crashes in (True, True, False):
        made = pipeline(broker, tmp_path, **settings)
        if crashes:
            with pytest.raises(Crash):
                made.run(observers=[lives])
        else:
            made.run(observers=[lives])
        status = made.status()
        assert status is not None
        restores.append(status.restores)
    assert restores == [0, 0, 1]
    assert [checkpoint is None for checkpoint in lives.restores] == [True, True, False]


def test_a_stop_ends_the_wait_for_the_next_try(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(20)]})
    line = exactly_once(broker, tmp_path, errors={"sink": {"retries": 5, "backoff": 60}})

    class Impatient(Observer):
        def retrying(self, what: str, error: BaseException, wait: float) -> None:
            line.stop()

    broker.fail("sink.commit", SinkError)
    began = time.monotonic()
    line.run(observers=[Impatient()])
    assert time.monotonic() - began < 5
    assert broker.documents("predictions") == []
    assert exactly_once(broker, tmp_path).run().rows == 20


def test_an_idle_worker_sleeps(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(20)]})

    class Waiting(MemorySource):
        polls = 0

        def poll(self, max_rows: int, timeout: float) -> list[Records]:
            Waiting.polls += 1
            found = super().poll(max_rows, timeout)
            if not found:
                time.sleep(timeout)
            return found

    line = pipeline(broker, tmp_path, source=Waiting(broker, "events", bounded=False), stop={"idle": 1.0})
    assert line.run().rows == 20
    assert Waiting.polls < 30


def test_checking_disturbs_nobody(tmp_path: Path) -> None:
    broker = MemoryBroker({"events": [events(20)]})
    line = exactly_once(broker, tmp_path)
    turns = Worker(line.plan).turns()
    next(turns)
    exactly_once(broker, tmp_path).check()
    for _ in turns:
        pass
    assert len(broker.documents("predictions")) == 20


def test_an_observer_that_fails_stops_nothing(tmp_path: Path) -> None:
    class Broken(Observer):
        def batch(self, batch: Any) -> None:
            raise RuntimeError("no")

    broker = MemoryBroker({"events": [events(20)]})
    assert pipeline(broker, tmp_path).run(observers=[Broken()]).rows == 20
