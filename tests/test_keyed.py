"""One model per key equals a dict of learners, whatever rests on the disk, and whatever happens to it there."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamlearn as sl
from streamlearn import container, work
from streamlearn.batch import Batch
from streamlearn.errors import InputError, SchemaError, StateError
from streamlearn.runtime.keyed import KeyedModels
from streamlearn.runtime.segments import Segments
from tests.laws import streams
from tests.laws.equality import bits, same
from tests.naive.keyed import NaiveKeyedModels

KEYS = st.sampled_from(["a", "b", "c", "d", "é", "", None])
PROTOTYPES = [
    sl.NaiveBayes(),
    sl.HoeffdingTreeClassifier(grace_period=5, delta=0.1, tau=0.5),
    sl.StandardScaler() | sl.LogisticRegression(),
    sl.HoeffdingTreeRegressor(grace_period=5),
]


@st.composite
def turns(draw: st.DrawFn) -> list[tuple[list[Any], np.ndarray, list[Any], list[Any], list[float]]]:
    """Turns of a loop: rows, their keys, labels and weights, and the order in which they are predicted and learned."""
    made = []
    for _ in range(draw(st.integers(1, 6))):
        rows = draw(streams.rows(most=8))
        n = len(rows)
        steps = draw(st.lists(st.integers(-n, n - 1), max_size=2 * n))
        schedule = np.array(steps, np.int64) if draw(st.booleans()) else work.test_then_train(n)
        column = [draw(strategy) for strategy in [KEYS] * n]
        labels = [draw(streams.LABELS) for _ in range(n)]
        weights = [draw(streams.WEIGHTS) for _ in range(n)]
        made.append((rows, schedule, column, labels, weights))
    return made


def encoded(schema: sl.Schema, turn: Any) -> tuple[Batch, np.ndarray]:
    """A turn's batch and schedule."""
    rows, schedule, column, labels, weights = turn
    if schema.target_kind == "numeric":
        labels = [None if label is None else float(len(label)) for label in labels]
    batch = schema.encode(rows, labels, weight=weights)
    batch.key = pa.array(column, pa.string())
    return batch, schedule


def new_schema(prototype: sl.Learner) -> sl.Schema:
    fields = [sl.Field("u"), sl.Field("v"), sl.Field("p", "nominal")]  # q is added when it comes
    return sl.Schema(fields, target="y", target_kind="numeric" if prototype.task == "regression" else "nominal")


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda p: type(p).__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_equals_a_dict_of_learners(prototype: sl.Learner, data: st.DataObject, tmp_path_factory: Any) -> None:
    """Bit for bit: under evictions, checkpoints, restarts on the same directory, crashes and replays, tidying up."""
    directory = None if data.draw(st.booleans(), "in memory") else tmp_path_factory.mktemp("keys")

    def keyed() -> KeyedModels:
        made = KeyedModels(prototype, directory=directory, max_hot=data.draw(st.integers(1, 4), "hot"))
        if directory is not None:
            made._cold = Segments(directory, segment_bytes=data.draw(st.sampled_from([1, 3000, 1 << 20]), "segment"))
        return made

    schema, naive, models = new_schema(prototype), NaiveKeyedModels(prototype), keyed()
    # A schema never forgets, so a replay meets it as the crash left it: learners must not care.
    kept = [models.state()]
    since: list[tuple[Batch, np.ndarray]] = []
    for turn in data.draw(turns(), "turns"):
        batch, schedule = encoded(schema, turn)
        given_ = models.process(batch, schedule, proba=True)
        predictions, probabilities = naive.process(batch, schedule)
        assert [bits(p) for p in given_.prediction.tolist()] == [bits(p) for p in predictions]
        if given_.proba is not None:
            assert same(given_.proba, np.array(probabilities).reshape(given_.proba.shape))
        since.append((batch, schedule))
        match data.draw(st.sampled_from(["go on", "checkpoint", "restart", "crash", "tidy"]), "then"):
            case "checkpoint":
                kept, since = [*kept[-1:], container.loads(container.dumps(models.state()))], []
            case "restart":
                kept, since = [*kept[-1:], models.state()], []
                models.close()
                models = keyed()
                models.restore(kept[-1])
            case "crash":
                models.close()
                models = keyed()
                models.restore(kept[-1])
                for old_batch, old_schedule in since:
                    models.process(old_batch, old_schedule)
            case "tidy":
                models.collect(kept)
    models.close()
    learned = {key for key, model in naive.models.items() if key in models}
    assert len(models) == len(learned)


def rows_of(n: int, keys: int, seed: int = 0, schema: sl.Schema | None = None) -> Batch:
    """Random rows of random keys."""
    rng = np.random.default_rng(seed)
    schema = schema or sl.Schema.of(["u", "v"], target="y", classes=["no", "yes"])
    X = rng.normal(size=(n, 2))
    chosen = pa.array([f"key {i}" for i in rng.integers(0, keys, n)])
    return Batch(schema, X, (X[:, 0] > 0).astype(np.int64), key=chosen)


def predictions_of(models: KeyedModels, batch: Batch) -> bytes:
    """What the models predict as they stand."""
    outputs = models.process(batch, np.arange(len(batch)), proba=True)
    assert outputs.proba is not None
    return outputs.prediction.tobytes() + outputs.proba.tobytes()


def test_keys_are_compared_as_text() -> None:
    models = KeyedModels(sl.NaiveBayes())
    batch = rows_of(3, 1)
    both = pa.UnionArray.from_dense(
        pa.array([0, 1, 1], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array([7]), pa.array(["8", None])]
    )
    for column in (pa.array([7, 8, None]), both, pa.array(["7", "8", None]).dictionary_encode()):
        batch.key = column
        models.process(batch)
    assert len(models) == 3
    assert "7" in models
    assert None in models
    assert 7 not in models
    batch.key = pa.array([[1], [2], [3]])
    with pytest.raises(SchemaError, match="a key must be a text"):
        models.process(batch)
    batch.key = None
    with pytest.raises(SchemaError, match=r"needs a key in every batch.*schema\.key"):
        models.process(batch)


def test_predicting_makes_no_model() -> None:
    models = KeyedModels(sl.NaiveBayes())
    outputs = models.process(rows_of(50, 50), np.arange(50), proba=True)
    assert set(outputs.prediction.tolist()) == {-1 if sl.NaiveBayes().predict_one({"u": 1}) is None else 0}
    assert models.summary() == {"keys": 0, "hot": 0}


def test_memory_is_bounded(tmp_path: Path) -> None:
    models = KeyedModels(sl.NaiveBayes(), directory=tmp_path, max_hot=10)
    models.process(rows_of(500, 100))
    assert models.summary() == {"keys": len({*rows_of(500, 100).key.to_pylist()}), "hot": 10}
    one = models.nbytes // 10
    tight = KeyedModels(sl.NaiveBayes(), directory=tmp_path / "tight", max_bytes=3 * one + 1)
    tight.process(rows_of(500, 100))
    assert tight.summary()["hot"] == 3
    assert tight.nbytes == 3 * one


def test_too_many_keys_in_memory_are_refused_before_anything_is_learned() -> None:
    models = KeyedModels(sl.NaiveBayes(), max_keys=5, max_hot=2)
    models.process(rows_of(100, 5))
    before = predictions_of(models, rows_of(100, 5))
    with pytest.raises(InputError, match=r"more than 5 keys in memory.*checkpoint\.dir"):
        models.process(rows_of(100, 6))
    assert predictions_of(models, rows_of(100, 5)) == before
    assert len(models) == 5


def test_a_river_model_per_key() -> None:
    naive_bayes = pytest.importorskip("river.naive_bayes")
    models, ours = KeyedModels(sl.from_river(naive_bayes.GaussianNB())), NaiveKeyedModels(sl.NaiveBayes())
    batch = rows_of(200, 4)
    models.process(batch)
    assert len(models) == 4
    assert ours.models == {}
    with pytest.raises(StateError, match="wraps a Python object"):
        models.state()


# -- what may happen to the files -------------------------------------------------------------------------------------


def saved(directory: Path, rounds: int = 3) -> tuple[dict[str, Any], bytes]:
    """A checkpoint of 20 models, most of them on the disk, and what they predict."""
    models = KeyedModels(sl.NaiveBayes(), directory=directory, max_hot=3)
    for seed in range(rounds):
        models.process(rows_of(60, 20, seed))
    state = models.state()
    predicted = predictions_of(models, rows_of(60, 20, 99))
    models.close()
    return state, predicted


def restored(directory: Path, state: Any) -> KeyedModels:
    models = KeyedModels(sl.NaiveBayes(), directory=directory, max_hot=3)
    models.restore(state)
    return models


def test_a_checkpoint_is_small_and_moves_with_the_directory(tmp_path: Path) -> None:
    state, predicted = saved(tmp_path / "here")
    assert len(container.dumps(state)) < 4000
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert predictions_of(restored(tmp_path / "there", state), rows_of(60, 20, 99)) == predicted


def test_what_was_appended_after_the_checkpoint_does_not_count(tmp_path: Path) -> None:
    state, predicted = saved(tmp_path)
    for path in tmp_path.iterdir():
        with path.open("ab") as file:
            file.write(b"torn" * 100)
    models = restored(tmp_path, state)
    assert predictions_of(models, rows_of(60, 20, 99)) == predicted
    models.process(rows_of(60, 20, 7))
    again = models.state()
    predicted = predictions_of(models, rows_of(60, 20, 99))
    assert predictions_of(restored(tmp_path, again), rows_of(60, 20, 99)) == predicted


def test_a_missing_or_short_file_is_named(tmp_path: Path) -> None:
    state, _ = saved(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        with pytest.raises(StateError, match=rf"{path.name} is shorter than the checkpoint says"):
            restored(tmp_path, state)
        path.unlink()
        with pytest.raises(StateError, match=rf"{path.name} is missing"):
            restored(tmp_path, state)
        path.write_bytes(content)
    restored(tmp_path, state)


def test_a_failed_restore_leaves_the_models_as_they_were(tmp_path: Path) -> None:
    state, _ = saved(tmp_path / "one")
    _, predicted = saved(tmp_path / "two")
    models = restored(tmp_path / "two", saved(tmp_path / "two")[0])
    for path in (tmp_path / "one").iterdir():
        path.unlink()
    state["models"]["segments"][0][0] = "000099"
    with pytest.raises(StateError, match="missing"):
        models.restore(state)
    assert predictions_of(models, rows_of(60, 20, 99)) == predicted


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    """In an index when it is restored, in a model when it wakes; never another model instead."""
    state, predicted = saved(tmp_path, rounds=1)
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        for at in rng.integers(0, len(content), 150).tolist():
            damaged = bytearray(content)
            damaged[at] ^= 1 << rng.integers(0, 8)
            path.write_bytes(damaged)
            try:
                outcome: Any = predictions_of(restored(tmp_path, state), rows_of(60, 20, 99))
            except StateError as error:
                outcome = str(error)
            assert outcome == predicted or path.stem in str(outcome)  # a byte of an outdated model does no harm
        path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("layouts"),
        lambda state: state.update(layouts=[]),
        lambda state: state.update(layouts=[["<f8", 1]]),
        lambda state: state.update(layouts=[[["schema"], [["|O", 1]]]]),
        lambda state: state.update(prototype=None),
        lambda state: state.update(models={"segments": [["../../etc", 1, 1]]}),
        lambda state: state.update(models={"segments": [["000001", -1, 1]]}),
        lambda state: state.update(models={"segments": state["models"]["segments"] * 2}),
        lambda state: state["models"]["segments"][0].__setitem__(2, state["models"]["segments"][0][2] - 1),
    ],
)
def test_hostile_states_are_refused(tmp_path: Path, damage: Any) -> None:
    state, _ = saved(tmp_path)
    damage(state)
    with pytest.raises(StateError):
        predictions_of(restored(tmp_path, state), rows_of(60, 20, 99))


def test_other_parameters_are_refused(tmp_path: Path) -> None:
    state, _ = saved(tmp_path)
    models = KeyedModels(sl.HoeffdingTreeClassifier(), directory=tmp_path)
    with pytest.raises(StateError, match=r"has one 'naive_bayes' per key.*HoeffdingTreeClassifier"):
        models.restore(state)


def test_a_former_owner_that_still_writes_harms_nobody(tmp_path: Path) -> None:
    zombie = KeyedModels(sl.NaiveBayes(), directory=tmp_path, max_hot=3)
    zombie.process(rows_of(60, 20, 0))
    state = zombie.state()
    owner = restored(tmp_path, state)
    expected = KeyedModels(sl.NaiveBayes())
    expected.process(rows_of(60, 20, 0))
    for seed in range(1, 6):
        zombie.process(rows_of(60, 20, 100 + seed))
        zombie.prepare()
        owner.process(rows_of(60, 20, seed))
        expected.process(rows_of(60, 20, seed))
        state = owner.state()
        zombie.collect([zombie.state()])
    owner.collect([state])
    after = restored(tmp_path, state)
    for models in (owner, after):
        assert predictions_of(models, rows_of(60, 20, 99)) == predictions_of(expected, rows_of(60, 20, 99))


def test_tidying_up_bounds_the_disk_and_spares_kept_checkpoints(tmp_path: Path) -> None:
    models = KeyedModels(sl.NaiveBayes(), directory=tmp_path, max_hot=3)
    models._cold = Segments(tmp_path, segment_bytes=20_000)
    expected = KeyedModels(sl.NaiveBayes())
    kept: list[tuple[dict[str, Any], bytes]] = []
    sizes = []
    for seed in range(40):
        for m in (models, expected):
            m.process(rows_of(60, 20, seed))
        kept = [*kept[-2:], (models.state(), predictions_of(expected, rows_of(60, 20, 99)))]
        models.collect([state for state, _ in kept])
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    assert max(sizes[20:]) <= 1.3 * max(sizes[:20])
    for state, predicted in kept:
        assert predictions_of(restored(tmp_path, state), rows_of(60, 20, 99)) == predicted


def test_tidying_up_removes_nothing_if_a_checkpoint_is_unreadable(tmp_path: Path) -> None:
    state, _ = saved(tmp_path)
    models = restored(tmp_path, state)
    there = set(os.listdir(tmp_path))
    with pytest.raises(StateError, match="nothing is removed"):
        models.collect([{}])
    assert set(os.listdir(tmp_path)) == there


def test_a_full_disk_costs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models, expected = KeyedModels(sl.NaiveBayes(), directory=tmp_path, max_hot=3), KeyedModels(sl.NaiveBayes())
    for m in (models, expected):
        m.process(rows_of(60, 20, 0))
    state = models.state()
    before = predictions_of(models, rows_of(60, 20, 99))
    for m in (models, expected):
        m.process(rows_of(60, 20, 1))

    def full(descriptor: int, data: Any, offset: int) -> int:
        if len(data) > 10:
            return write(descriptor, data[:10], offset)  # some of it gets through
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StateError, match=r"can't be written: No space left.*earlier checkpoints are intact"):
        models.prepare()
    assert predictions_of(restored(tmp_path, state), rows_of(60, 20, 99)) == before
    monkeypatch.undo()
    state = models.state()  # there is room again
    after = predictions_of(expected, rows_of(60, 20, 99))
    assert predictions_of(restored(tmp_path, state), rows_of(60, 20, 99)) == after


def test_after_a_failed_sync_nothing_is_promised_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second fsync may say that all is well although the first one dropped what it could not write."""
    models = KeyedModels(sl.NaiveBayes(), directory=tmp_path, max_hot=3)
    models.process(rows_of(60, 20, 0))

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(StateError, match=r"can't be written"):
            models.prepare()
    with pytest.raises(StateError, match="can't be written"):
        models.prepare()


def test_large_models_rest_too(tmp_path: Path) -> None:
    schema = sl.Schema.of([f"f{i}" for i in range(200)], target="y", classes=["no", "yes"])
    rng = np.random.default_rng(0)
    models, expected = KeyedModels(sl.NaiveBayes(), directory=tmp_path, max_hot=1), KeyedModels(sl.NaiveBayes())
    for _ in range(3):
        batch = Batch(schema, rng.normal(size=(20, 200)), rng.integers(0, 2, 20), key=pa.array(list("abcde") * 4))
        assert same(models.process(batch).prediction, expected.process(batch).prediction)
        models.prepare()
    assert models.nbytes > 4096  # more than one read
