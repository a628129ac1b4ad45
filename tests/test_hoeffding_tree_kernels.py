"""The compiled Hoeffding tree agrees with the obvious one: every prediction, every node, every bit of every count."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed import benchmark_stream
from naive import hoeffding_tree as naive
from streamlearn.algorithms.trees import arrays as layout
from streamlearn.algorithms.trees.arrays import HoeffdingTreeArrays, Sizes, make_tree, tree_options
from streamlearn.algorithms.trees.check import check_tree
from streamlearn.algorithms.trees.kernels import advance, find_leaves, find_path
from streamlearn.algorithms.trees.normal import ndtr
from streamlearn.algorithms.trees.observers import density

import streamlearn as sl
from streamlearn import work as works
from streamlearn.work import WorkArrays, make_work, predicting

MANY = settings(max_examples=300, deadline=None)
KINDS = {layout.NUMERIC: "numeric", layout.BINARY: "binary", layout.MULTIWAY: "multiway"}
OPTION_NAMES = {"grace": "grace_period"}  # where the oracle is shorter
NOTHING = np.empty((0, 0))


# -- a driver, and what it is compared with ----------------------------------------------------------------------------


@dataclasses.dataclass
class Rows:
    """Rows, and in what order to predict (``i``) and to learn (``~i``) them."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    nominal: list[bool]
    schedule: np.ndarray

    def before(self, start: int, stop: int) -> Rows:
        """The part of the schedule from ``start`` to ``stop``."""
        return dataclasses.replace(self, schedule=self.schedule[start:stop])


class Driver:
    """Hands rows to the kernels and makes room when they ask for it."""

    def __init__(self, cardinality: Sequence[int], n_classes: int, **options: Any) -> None:
        options = {OPTION_NAMES.get(name, name): value for name, value in options.items()}
        self.arrays = layout.allocate(cardinality, n_classes, tree_options(**options))
        self.growths = 0

    def make_room(self, cardinality: Sequence[int], n_classes: int) -> None:
        """Room for more fields, categories and classes."""
        old = layout.sizes_of(self.arrays)
        wider = [max(a, b) for a, b in zip(old.cardinality, cardinality, strict=False)]
        sizes = old._replace(cardinality=(*wider, *cardinality[len(wider) :]), n_classes=max(old.n_classes, n_classes))
        if sizes != old:
            self.arrays = layout.grow(self.arrays, sizes)

    def run(self, rows: Rows, proba: np.ndarray = NOTHING) -> np.ndarray:
        """Walk the schedule; the last prediction of each row, -7 for rows that it does not predict."""
        prediction = np.full(len(rows.X), -7)
        work = make_work(WorkArrays(rows.X, rows.y, rows.weight, rows.schedule, prediction, proba))
        done = advance(make_tree(self.arrays), work, 0)
        while done < len(rows.schedule):
            self.arrays = layout.extend(self.arrays)
            self.growths += 1
            done = advance(make_tree(self.arrays), work, done)
        return prediction


def run_naive(tree: naive.NaiveHoeffdingTree, rows: Rows) -> tuple[list[int], dict[int, list[float]]]:
    """Predictions, as `Driver.run` gives them, and probabilities by row."""
    prediction, proba = [-7] * len(rows.X), {}
    X, y, w = rows.X.tolist(), rows.y.tolist(), rows.weight.tolist()
    for operation in rows.schedule.tolist():
        if operation >= 0:
            prediction[operation], proba[operation] = tree.predict(X[operation]), tree.proba(X[operation])
        else:
            tree.learn(X[~operation], y[~operation], w[~operation])
    return prediction, proba


def described(a: HoeffdingTreeArrays) -> list[dict[str, Any]]:
    """All nodes of compiled arrays in words and plain numbers, breadth first."""
    nodes, found = [0], []
    for node in nodes:
        record = a.nodes[node]
        kind, place = int(record["kind"]), int(a.place[record["feature"]])
        children: dict[int, int] = {}
        if kind == layout.MULTIWAY:
            room = int(a.first[~place + 1] - a.first[~place])
            slots = a.children[record["child"] : record["child"] + room].tolist()
            children = {value: child for value, child in enumerate(slots) if child >= 0}
        elif kind in KINDS:
            children = {0: int(record["child"]), 1: int(record["child"]) + 1}
        nodes += children.values()
        found.append(
            {
                "kind": KINDS.get(kind, "leaf"),
                "counts": a.counts[node, : record["length"]].tolist(),
                "depth": int(record["depth"]),
                "branches": list(children),
                "active": kind != layout.INACTIVE,
                "test": None if kind not in KINDS else (int(record["feature"]), _value(kind, record["threshold"])),
                "merit": None if kind not in KINDS else float(record["merit"]),
                "adaptive": (float(record["mc_ok"]), float(record["nb_ok"])),
                "observers": _observers(a, int(record["block"])),
            }
        )
    assert len(found) == a.numbers[layout.N_NODES]
    return found


def _value(kind: int, threshold: float) -> float | None:
    return None if kind == layout.MULTIWAY else float(threshold)


def _observers(a: HoeffdingTreeArrays, block: int) -> list[dict[int, list[float]]] | None:
    if block < 0:
        return None
    found = []
    for place in a.place.tolist():
        of_class = {}
        for c in range(a.counts.shape[1]):
            n_slots = 0 if place >= 0 else int(a.slots[block, c, ~place])
            if place >= 0 and a.numeric[block, c, layout.WEIGHT, place] > 0.0:
                of_class[c] = a.numeric[block, c, : layout.INVERSE, place].tolist()
            elif n_slots:
                start = int(a.first[~place])
                of_class[c] = a.tables[block, start : start + n_slots, c].tolist()
        found.append(of_class)
    return found


def described_naive(tree: naive.NaiveHoeffdingTree) -> list[dict[str, Any]]:
    """All nodes of the oracle, as `described` gives them."""
    return [
        {
            "kind": node.split.kind if node.split else "leaf",
            "counts": node.counts,
            "depth": node.depth,
            "branches": sorted(node.children),
            "active": node.active,
            "test": _test(node.split),
            "merit": node.split.merit if node.split else None,
            "adaptive": (0.0, 0.0) if node.split else (node.mc_ok, node.nb_ok),
            "observers": None if node.observers is None else [_memory(observer) for observer in node.observers],
        }
        for node in tree.nodes()
    ]


def _test(split: naive.Split | None) -> tuple[int, float | None] | None:
    return split and (split.attribute, None if math.isnan(split.value) else split.value)


def _memory(observer: naive.Observer) -> dict[int, list[float]]:
    if isinstance(observer, naive.NominalObserver):
        return observer.of_class
    return {y: [g.n, g.mean, g.S, g.low, g.high] for y, g in observer.of_class.items()}


def assert_same_tree(a: HoeffdingTreeArrays, oracle: naive.NaiveHoeffdingTree) -> None:
    check_tree(a)
    for ours, theirs in zip(described(a), described_naive(oracle), strict=True):
        assert ours == theirs
    assert a.numbers[layout.ATTEMPTS] == oracle.attempts
    assert a.numbers[layout.RESTARTS] == oracle.restarts
    assert bool(a.numbers[layout.GROWING]) == oracle.growing


# -- streams that hypothesis makes up ----------------------------------------------------------------------------------

OPTIONS = st.fixed_dictionaries(
    {
        "grace": st.sampled_from([1.0, 3.0, 7.5, 20.0]),
        "delta": st.sampled_from([1e-7, 0.05, 0.7, 0.9]),
        "tau": st.sampled_from([0.0, 0.05, 0.5, 2.0, 2.0]),
        "leaf": st.sampled_from(["nba", "nba", "nb", "mc"]),
        "nb_threshold": st.sampled_from([0.0, 5.0]),
        "criterion": st.sampled_from(["info_gain", "info_gain", "gini"]),
        "binary_only": st.booleans(),
        "preprune": st.booleans(),
        "min_branch_fraction": st.sampled_from([0.0, 0.01, 0.2]),
        "max_share": st.sampled_from([1.0, 1.0, 0.8]),
    },
    optional={
        "max_depth": st.sampled_from([0, 1, 2]),
        "max_nodes": st.sampled_from([1, 4, 9]),
        "max_blocks": st.sampled_from([1, 2, 4]),
    },
)

ODD = np.array([np.nan, np.inf, -np.inf, 5e-324, -1e-200, 3e-130, 1e150, -1e99])


def made_up(draw_seed: int, n: int, odd: float, whole: bool) -> Rows:
    """Rows of mixed fields in which labels depend on values, so that trees grow; ties and constants are common."""
    rng = np.random.default_rng(draw_seed)
    d, n_classes = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    nominal = (rng.random(d) < 0.4).tolist()
    X = np.empty((n, d))
    for field in range(d):
        match int(rng.integers(4)):
            case _ if nominal[field]:
                X[:, field] = np.minimum(rng.geometric(0.4, n) - 1, rng.integers(1, 6))
            case 0:
                X[:, field] = rng.integers(-2, 3, n)
            case 1:
                X[:, field] = rng.normal(size=n)
            case 2:
                X[:, field] = rng.normal(size=n) * 10.0 ** rng.integers(-30, 30)
            case _:
                X[:, field] = 1.0
    y = (np.argsort(np.argsort(X @ rng.normal(size=d))) * n_classes) // n
    y = np.where(rng.random(n) < 0.2, rng.integers(-1, n_classes, n), y)
    strange = rng.random((n, d)) < odd
    for field in range(d):
        numbers = ODD if not nominal[field] else np.array([np.nan, -1.0])
        X[:, field] = np.where(strange[:, field], rng.choice(numbers, n), X[:, field])
    weight = rng.choice([1.0, 1.0, 2.0, 6.0, 0.0] if whole else [1.0, 0.5, 0.3, 2.7, 0.0], n)
    return Rows(X, y.astype(np.int64), weight, nominal, in_some_order(rng, n))


def in_some_order(rng: np.random.Generator, n: int) -> np.ndarray:
    """Test, then train; or each row is learned twice and predicted in between; or at once or later, or never."""
    kind = rng.integers(4)
    if kind <= 1:
        return works.test_then_train(n)
    if kind == 2:
        return (np.arange(n)[:, None] ^ np.array([0, -1, 0, -1, 0])).ravel()  # i ^ -1 is ~i
    late = np.where(rng.random(n) < 0.5, 0, rng.integers(0, 20, n))
    times = [(2.0 * i, i) for i in range(n)] + [(2.0 * (i + late[i]) + 1.0, ~i) for i in range(n) if rng.random() < 0.9]
    times += [(2.0 * (i + late[i]) + 0.5, i) for i in range(n) if rng.random() < 0.1]
    return np.array([operation for _, operation in sorted(times)], np.int64)


STREAMS = st.builds(
    made_up,
    st.integers(0, 2**32 - 1),
    st.sampled_from([20, 150, 400, 400]),
    st.sampled_from([0.0, 0.0, 0.02, 0.2]),
    st.booleans(),
)


def cuts(seed: int, steps: int) -> Iterator[tuple[int, int]]:
    """Cut a schedule into calls at random."""
    rng = np.random.default_rng(seed)
    ends = sorted({*rng.integers(0, steps + 1, rng.integers(0, 12)).tolist(), steps})
    return zip([0, *ends[:-1]], ends, strict=True)


def room_for(rows: Rows) -> tuple[list[int], int]:
    """The least room in which these rows fit: categories of each field, and classes."""
    highest = np.where(np.isfinite(rows.X) & rows.nominal, rows.X, 0).max(axis=0, initial=0)
    cardinality = [int(code) + 1 if nominal else 0 for code, nominal in zip(highest, rows.nominal, strict=True)]
    return cardinality, int(rows.y.max(initial=0)) + 1


@MANY
@given(rows=STREAMS, options=OPTIONS, seed=st.integers(0, 1000))
def test_every_row_and_every_node_agree_with_the_oracle(rows: Rows, options: dict[str, Any], seed: int) -> None:
    cardinality, n_classes = room_for(rows)
    driver = Driver(cardinality, n_classes, **options)
    oracle = naive.NaiveHoeffdingTree(list(rows.nominal), **options)
    for start, stop in cuts(seed, len(rows.schedule)):
        proba = np.zeros((len(rows.X), n_classes)) if seed % 2 else NOTHING
        part = rows.before(start, stop)
        prediction = driver.run(part, proba)
        expected, expected_proba = run_naive(oracle, part)
        assert prediction.tolist() == expected
        for row, votes in expected_proba.items() if seed % 2 else ():
            assert proba[row].tolist() == pytest.approx(votes + [0.0] * (n_classes - len(votes)), rel=1e-9, abs=1e-25)
    assert_same_tree(driver.arrays, oracle)


@MANY
@given(rows=STREAMS, options=OPTIONS, seed=st.integers(0, 1000))
def test_room_and_cuts_change_nothing(rows: Rows, options: dict[str, Any], seed: int) -> None:
    cardinality, n_classes = room_for(rows)
    tight = Driver(cardinality, n_classes, **options)
    roomy = Driver([2 * n + 3 * (n > 0) for n in cardinality], n_classes + 5, **options)
    once = Driver(cardinality, n_classes, **options)
    for start, stop in cuts(seed, len(rows.schedule)):
        assert tight.run(rows.before(start, stop)).tolist() == roomy.run(rows.before(start, stop)).tolist()
    once.run(rows)
    assert described(tight.arrays) == described(roomy.arrays)
    for ours, theirs in zip(layout.trim(tight.arrays), layout.trim(once.arrays), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    check_tree(layout.trim(tight.arrays))


@MANY
@given(rows=STREAMS, options=OPTIONS, seed=st.integers(0, 1000))
def test_fields_categories_and_classes_may_come_later(rows: Rows, options: dict[str, Any], seed: int) -> None:
    """Each call has just enough room for what it learns; the last column appears half-way."""
    fields = rows.X.shape[1]
    fewer = max(1, fields - 1)
    half = dataclasses.replace(rows, X=np.ascontiguousarray(rows.X[:, :fewer]), nominal=rows.nominal[:fewer])
    driver, oracle = Driver([], 1, **options), naive.NaiveHoeffdingTree([], **options)
    for start, stop in cuts(seed, len(rows.schedule)):
        part = (rows if 2 * start > len(rows.schedule) else half).before(start, stop)
        while len(oracle.nominal) < len(part.nominal):
            oracle.add_attribute(part.nominal[len(oracle.nominal)])
        learned = ~part.schedule[part.schedule < 0]
        known = dataclasses.replace(part, X=part.X[learned], y=part.y[learned])
        driver.make_room(*room_for(known))
        check_tree(driver.arrays)
        assert driver.run(part).tolist() == run_naive(oracle, part)[0]
    assert_same_tree(driver.arrays, oracle)


@MANY
@given(rows=STREAMS, options=OPTIONS)
def test_predicting_changes_nothing(rows: Rows, options: dict[str, Any]) -> None:
    cardinality, n_classes = room_for(rows)
    driver = Driver(cardinality, n_classes + 1, **options)
    driver.run(rows)
    before = [array.tobytes() for array in driver.arrays]
    odd = rows.X.copy()
    odd[:, rows.nominal] += 1e6  # categories that no table has room for
    for X in (rows.X, odd):
        asked = dataclasses.replace(rows, X=X, schedule=predicting(len(X)))
        driver.run(asked, np.zeros((len(X), n_classes)))
    assert [array.tobytes() for array in driver.arrays] == before


# -- real streams ------------------------------------------------------------------------------------------------------

SETTINGS = {"default": {}, "expert": {"grace": 50.0, "preprune": False}}


@pytest.mark.parametrize(
    ("name", "mode"),
    [("outdoor", "default"), *itertools.product(["electricity", "keystroke", "chess", "phishing"], SETTINGS)],
)
def test_real_streams_agree_with_the_oracle(name: str, mode: str) -> None:
    """Row by row; `test_hoeffding_tree` holds the figures against MOA's."""
    batch = next(sl.open_stream(name).batches(8_000)) if name == "electricity" else benchmark_stream(name)
    cardinality = [n if nominal else 0 for n, nominal in zip(*batch.schema.shape[:2], strict=True)]
    n = len(batch)
    rows = Rows(batch.X, batch.y, np.ones(n), [size > 0 for size in cardinality], works.test_then_train(n))
    driver = Driver(cardinality, batch.schema.shape.n_classes, **SETTINGS[mode])
    oracle = naive.NaiveHoeffdingTree(rows.nominal, **SETTINGS[mode])  # type: ignore[arg-type]
    assert driver.run(rows).tolist() == run_naive(oracle, rows)[0]
    assert_same_tree(driver.arrays, oracle)


# -- parts -------------------------------------------------------------------------------------------------------------


def test_normal_distribution_is_cephes_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    edges = [
        0.0,
        -0.0,
        1.0,
        math.sqrt(2.0),
        math.nextafter(math.sqrt(2.0), 2),
        8 * math.sqrt(2.0),
        37.6,
        40.0,
        math.inf,
    ]
    points = np.concatenate([rng.normal(0.0, s, 20_000) for s in (0.3, 1.0, 4.0, 12.0)] + [edges, np.negative(edges)])
    assert np.array([ndtr(a) for a in points]).tobytes() == scipy.special.ndtr(points).tobytes()
    assert math.isnan(ndtr(math.nan))


def test_density_of_a_gaussian_without_spread() -> None:
    assert density(1.0, 1.0, 0.0) == 1.0
    assert density(1.0, 2.0, 0.0) == 0.0
    assert density(0.0, 0.0, 2.0) == pytest.approx(1.0 / math.sqrt(8.0 * math.pi))


def grown(**options: Any) -> tuple[Driver, Rows]:
    """A tree with splits of all kinds."""
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.normal(size=3000), rng.integers(0, 4, 3000), rng.integers(0, 3, 3000)])
    y = ((X[:, 0] > 0) ^ (X[:, 1] == 2) ^ (X[:, 2] == 1)).astype(np.int64)
    rows = Rows(X, y, np.ones(3000), [False, True, True], works.test_then_train(3000))
    driver = Driver([0, 4, 3], 2, **{"grace": 40.0, "tau": 0.3, **options})
    driver.run(rows)
    return driver, rows


def test_paths_lead_to_leaves() -> None:
    driver, rows = grown()
    tree, a = make_tree(driver.arrays), driver.arrays
    assert set(a.nodes["kind"][: a.numbers[layout.N_NODES]]) >= {layout.LEAF, layout.NUMERIC, layout.MULTIWAY}
    leaves = np.empty(len(rows.X), np.int64)
    find_leaves(tree, rows.X, leaves)
    assert (a.nodes["kind"][leaves] == layout.LEAF).all()
    for row in range(0, 3000, 100):
        path = find_path(tree, rows.X, row)
        assert path[0] == 0
        assert path[-1] == leaves[row]
        assert (a.nodes["parent"][path[1:]] == path[:-1]).all()


def test_bounds_on_nodes_and_blocks_hold() -> None:
    for limits in ({"max_nodes": 7}, {"max_blocks": 3}, {"max_depth": 1}):
        a = grown(**limits)[0].arrays
        assert a.numbers[layout.N_NODES] <= limits.get("max_nodes", np.inf)
        assert a.numbers[layout.N_BLOCKS] <= limits.get("max_blocks", np.inf)
        assert a.nodes["depth"].max() <= limits.get("max_depth", np.inf)
        assert a.counts.sum() > 1000.0


def test_probabilities_survive_underflow_and_agree_with_the_winner() -> None:
    """200 fields whose product of densities underflows: as in MOA the first class wins, and nothing is claimed."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 200)) * 1e4
    y = np.arange(400) % 3
    rows = Rows(X, y, np.ones(400), [False] * 200, works.test_then_train(400))
    driver, oracle = Driver([0] * 200, 3), naive.NaiveHoeffdingTree([False] * 200)
    proba = np.zeros((400, 3))
    prediction = driver.run(rows, proba)
    assert prediction.tolist() == run_naive(oracle, rows)[0]
    assert (prediction[100:] == 0).all()
    assert (proba[100:] == 0.0).all()


def test_rows_narrower_than_the_tree_are_refused() -> None:
    driver, rows = grown()
    with pytest.raises(sl.StateError, match="fewer columns"):
        driver.run(dataclasses.replace(rows, X=np.ascontiguousarray(rows.X[:, :2])))


def test_nothing_is_learned_from_rows_that_say_nothing() -> None:
    driver, rows = grown()
    before = [array.tobytes() for array in driver.arrays]
    learned = dataclasses.replace(rows, schedule=~np.arange(3))
    for y, w in ((-1, 1.0), (0, 0.0), (0, -1.0), (0, math.nan), (0, math.inf), (2, 1.0), (10**9, 1.0)):
        driver.run(dataclasses.replace(learned, y=np.full(3000, y), weight=np.full(3000, w)))
    assert [array.tobytes() for array in driver.arrays] == before
    beyond = rows.X.copy()
    beyond[:, 1:] = [1e9, -5.0]
    driver.run(dataclasses.replace(learned, X=beyond))
    check_tree(driver.arrays)


# -- damaged and hostile states ----------------------------------------------------------------------------------------

INDICES = {"nodes": ["feature", "child", "block", "parent", "length", "depth", "kind"]}
VALUES = [-(2**15), -2, -1, 0, 1, 2, 3, 4, 5, 7, 100, 2**15 - 1]


def copied(a: HoeffdingTreeArrays) -> HoeffdingTreeArrays:
    return HoeffdingTreeArrays(*(array.copy() for array in a))


@pytest.mark.parametrize("name", ["numbers", "place", "numeric_fields", "nominal_fields", "first", "children", "slots"])
def test_no_index_may_leave_its_range(name: str) -> None:
    a = grown()[0].arrays
    for value in (-(2**30), 2**30):
        hostile = copied(a)
        getattr(hostile, name).flat[0] = value
        with pytest.raises(sl.StateError, match="array '"):
            check_tree(hostile)


@settings(max_examples=500, deadline=None)
@given(
    field=st.sampled_from(INDICES["nodes"]),
    node=st.integers(0, 60),
    value=st.sampled_from(VALUES),
    other=st.sampled_from(["children", "free_blocks", "numbers", None]),
    place=st.integers(0, 9),
)
def test_a_damaged_tree_is_refused_or_harmless(field: str, node: int, value: int, other: Any, place: int) -> None:
    """Whatever passes the check still ends and stays a tree."""
    driver, rows = grown()
    a = driver.arrays
    if other is None:
        a.nodes[field][node % a.numbers[layout.N_NODES]] = value
    else:
        getattr(a, other)[place % len(getattr(a, other))] = value
    try:
        check_tree(a)
    except sl.StateError:
        return
    try:
        driver.run(dataclasses.replace(rows, schedule=rows.schedule[:1000]))
    except sl.StateError:
        return
    check_tree(driver.arrays)


@pytest.mark.parametrize("name", HoeffdingTreeArrays._fields)
def test_wrong_dtypes_and_shapes_are_refused(name: str) -> None:
    a = grown()[0].arrays
    array = getattr(a, name)
    others = [np.zeros(array.shape, np.float32), np.stack([array, array])]
    if name != "children" and len(array):  # may have any room; a plain tree has no use for some arrays
        others.append(array[:-1])
    for wrong in others:
        with pytest.raises(sl.StateError, match="array '"):
            check_tree(a._replace(**{name: wrong}))


def test_growing_keeps_the_tree() -> None:
    driver, rows = grown()
    before, sizes = described(driver.arrays), layout.sizes_of(driver.arrays)
    larger = Sizes((0, 9, 5, 0, 2), 6, 2 * sizes.nodes, 2 * sizes.blocks, 3 * sizes.children)
    driver.arrays = layout.grow(driver.arrays, larger)
    check_tree(driver.arrays)
    after = described(driver.arrays)
    for node in after:
        node["observers"] = node["observers"] and node["observers"][:3]
    assert after == before
    with pytest.raises(sl.StateError, match="though it had room"):
        layout.extend(driver.arrays)
    assert rows.X.shape[1] == 3
