"""The compiled EFDT and Hoeffding Adaptive Tree agree with the obvious ones, bit for bit, whatever the stream."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mixed import benchmark_stream
from naive import adaptive_trees as naive
from naive import hoeffding_tree as plain
from streamlearn.algorithms.trees import arrays as layout
from streamlearn.algorithms.trees import efdt_kernels, hat_kernels
from streamlearn.algorithms.trees.arrays import ADAPTING, ANYTIME, HoeffdingTreeArrays, make_tree, tree_options
from streamlearn.algorithms.trees.check import check_tree
from test_hoeffding_tree_kernels import (
    NOTHING,
    OPTION_NAMES,
    OPTIONS,
    STREAMS,
    Rows,
    cuts,
    described,
    described_naive,
    room_for,
    run_naive,
)

import streamlearn as sl
from streamlearn import work as works
from streamlearn.random import generator, poisson
from streamlearn.work import WorkArrays, make_work

MANY = settings(max_examples=150, deadline=None)
KERNELS = {ANYTIME: efdt_kernels.advance, ADAPTING: hat_kernels.advance}

ANYTIME_OPTIONS = st.tuples(
    OPTIONS, st.sampled_from([1, 3, 8, 20]), st.fixed_dictionaries({"reevaluate": st.sampled_from([1, 5, 50])})
).map(lambda parts: {**parts[0], "grace": parts[1], **parts[2]})
ADAPTIVE_OPTIONS = st.tuples(
    OPTIONS,
    st.fixed_dictionaries(
        {
            "drift_delta": st.sampled_from([0.002, 0.3, 0.9]),
            "least_window": st.sampled_from([5.0, 20.0]),
            "significance": st.sampled_from([0.05, 0.5, 1.0]),
        }
    ),
).map(lambda parts: {**parts[0], **parts[1]})


class Driver:
    """Hands rows to the kernel of a family and makes room when it asks for it."""

    def __init__(self, family: int, cardinality: list[int], n_classes: int, **options: Any) -> None:
        options = {OPTION_NAMES.get(name, name): value for name, value in options.items()}
        self.arrays = layout.allocate(cardinality, n_classes, tree_options(family=family, **options))
        self.kernel = KERNELS[family]
        if family == ADAPTING:
            self.arrays.rng[:] = generator(0)

    def run(self, rows: Rows, proba: np.ndarray = NOTHING) -> np.ndarray:
        """Walk the schedule; the last prediction of each row, -7 for rows that it does not predict."""
        prediction = np.full(len(rows.X), -7)
        work = make_work(WorkArrays(rows.X, rows.y, rows.weight, rows.schedule, prediction, proba))
        done = self.kernel(make_tree(self.arrays), work, 0)
        while done < len(rows.schedule):
            self.arrays = layout.extend(self.arrays)
            done = self.kernel(make_tree(self.arrays), work, done)
        return prediction


def adaptive_oracle(nominal: list[bool], bootstrap: bool = True, **options: Any) -> naive.NaiveHAT:
    """An oracle that draws the numbers that the kernel draws."""
    rng = generator(0)
    draw = (lambda leaf: poisson(rng, 1.0)) if bootstrap else (lambda leaf: 1)
    return naive.NaiveHAT(nominal, poisson=draw, **options)


def tree_proper(a: HoeffdingTreeArrays) -> HoeffdingTreeArrays:
    """The arrays as if no split had an alternate, for `described`, which wants every node to be a child."""
    numbers = a.numbers.copy()
    numbers[layout.N_NODES] -= len(layout.alternates_of(a)[1])
    return a._replace(numbers=numbers)


def compare_nodes(a: HoeffdingTreeArrays, oracle: plain.NaiveHoeffdingTree) -> None:
    check_tree(a)
    children = oracle.nodes() if not isinstance(oracle, naive.NaiveHAT) else plain.NaiveHoeffdingTree.nodes(oracle)
    theirs = described_naive(_Only(children))  # type: ignore[arg-type]
    for ours, expected in zip(described(tree_proper(a)), theirs, strict=True):
        assert ours == expected
    assert a.numbers[layout.ATTEMPTS] == oracle.attempts
    assert a.numbers[layout.RESTARTS] == oracle.restarts


@dataclasses.dataclass
class _Only:
    """Stands for an oracle of which only the nodes count."""

    found: list[plain.Node]

    def nodes(self) -> list[plain.Node]:
        return self.found


def run_both(driver: Driver, oracle: plain.NaiveHoeffdingTree, rows: Rows, n_classes: int, seed: int) -> None:
    for start, stop in cuts(seed, len(rows.schedule)):
        proba = np.zeros((len(rows.X), n_classes)) if seed % 2 else NOTHING
        part = rows.before(start, stop)
        prediction = driver.run(part, proba)
        expected, expected_proba = run_naive(oracle, part)
        assert prediction.tolist() == expected
        for row, votes in expected_proba.items() if seed % 2 else ():
            assert proba[row].tolist() == pytest.approx(votes + [0.0] * (n_classes - len(votes)), rel=1e-9, abs=1e-25)
    compare_nodes(driver.arrays, oracle)


@MANY
@given(rows=STREAMS, options=ANYTIME_OPTIONS, seed=st.integers(0, 1000))
def test_anytime_trees_agree_row_by_row_and_node_by_node(rows: Rows, options: dict[str, Any], seed: int) -> None:
    cardinality, n_classes = room_for(rows)
    oracle = naive.NaiveEFDT(list(rows.nominal), **options)
    driver = Driver(ANYTIME, cardinality, n_classes, **options)
    run_both(driver, oracle, rows, n_classes, seed)
    assert driver.arrays.numbers[layout.REPLACED] == oracle.replaced


@MANY
@given(rows=STREAMS, options=ADAPTIVE_OPTIONS, seed=st.integers(0, 1000), bootstrap=st.booleans())
def test_adaptive_trees_agree_row_by_row_and_node_by_node(
    rows: Rows, options: dict[str, Any], seed: int, bootstrap: bool
) -> None:
    cardinality, n_classes = room_for(rows)
    oracle = adaptive_oracle(list(rows.nominal), bootstrap, **options)
    driver = Driver(ADAPTING, cardinality, n_classes, bootstrap=bootstrap, **options)
    run_both(driver, oracle, rows, n_classes, seed)
    ours = driver.arrays.numbers[[layout.N_ALTERNATES, layout.SWITCHED, layout.PRUNED]].tolist()
    assert ours == [oracle.begun, oracle.switched, oracle.pruned]


def drifting(n: int = 6000, period: int = 1000) -> Rows:
    """Mixed fields whose meaning changes every ``period`` rows."""
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=n), rng.integers(0, 4, n), rng.normal(size=n), rng.integers(0, 3, n)])
    first = np.arange(n) // period % 2 == 0
    y = np.where(first, (X[:, 0] > 0) & (X[:, 1] != 2), (X[:, 2] > 0.3) | (X[:, 3] == 1)) ^ (rng.random(n) < 0.05)
    return Rows(X, y.astype(np.int64), np.ones(n), [False, True, False, True], works.test_then_train(n))


FAMILIES = {
    ANYTIME: {"grace": 40, "tau": 0.2, "delta": 1e-3, "reevaluate": 30},
    ADAPTING: {"grace": 40.0, "tau": 0.2, "delta": 1e-3, "least_window": 60.0},
}


def grown(family: int, **options: Any) -> Driver:
    driver = Driver(family, [0, 4, 0, 3], 2, **{**FAMILIES[family], **options})
    driver.run(drifting())
    return driver


@pytest.mark.parametrize("family", FAMILIES)
def test_subtrees_die_on_a_drifting_stream_and_the_oracle_agrees(family: int) -> None:
    rows = drifting()
    make = naive.NaiveEFDT if family == ANYTIME else adaptive_oracle
    driver = Driver(family, [0, 4, 0, 3], 2, **FAMILIES[family])
    run_both(driver, make(list(rows.nominal), **FAMILIES[family]), rows, 2, 5)  # type: ignore[operator]
    if family == ANYTIME:
        assert driver.arrays.numbers[layout.REPLACED] >= 3
    else:
        assert (driver.arrays.numbers[[layout.N_ALTERNATES, layout.SWITCHED]] >= 3).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_room_and_cuts_change_nothing(family: int) -> None:
    rows, once = drifting(), grown(family)
    roomy = Driver(family, [0, 8, 0, 8], 5, **FAMILIES[family])
    tight = Driver(family, [0, 4, 0, 3], 2, **FAMILIES[family])
    for start, stop in cuts(8, len(rows.schedule)):
        assert tight.run(rows.before(start, stop)).tolist() == roomy.run(rows.before(start, stop)).tolist()
    for ours, theirs in zip(layout.trim(tight.arrays), layout.trim(once.arrays), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    check_tree(layout.trim(tight.arrays))
    assert described(tree_proper(tight.arrays)) == described(tree_proper(roomy.arrays))


@pytest.mark.parametrize("family", FAMILIES)
def test_bounds_hold_and_growth_goes_on_after_a_death(family: int) -> None:
    rows, deaths = drifting(12_000), 0
    for limits in ({"max_nodes": 30}, {"max_blocks": 3}, {"max_depth": 1}):
        driver = Driver(family, [0, 4, 0, 3], 2, **{**FAMILIES[family], **limits})
        for start in range(0, len(rows.schedule), 4000):
            driver.run(rows.before(start, start + 4000))
            a = driver.arrays
            check_tree(a)
            assert a.numbers[layout.N_NODES] <= limits.get("max_nodes", np.inf)
            assert a.numbers[layout.N_BLOCKS] <= limits.get("max_blocks", np.inf)
            assert a.nodes["depth"][: a.numbers[layout.N_NODES]].max() <= limits.get("max_depth", np.inf)
        deaths += int(driver.arrays.numbers[[layout.REPLACED, layout.SWITCHED]].sum())
    assert deaths > 0


INDICES = ["feature", "child", "block", "parent", "length", "depth", "kind"]
VALUES = [-(2**15), -2, -1, 0, 1, 2, 3, 4, 5, 7, 100, 2**15 - 1]


@example(family=ANYTIME, field="numbers", at=layout.GROWING, value=0)
@settings(max_examples=300, deadline=None)
@given(
    family=st.sampled_from([ANYTIME, ADAPTING]),
    field=st.sampled_from([*INDICES, "links", "free_windows", "windows", "ages", "numbers", "free_blocks", "children"]),
    at=st.integers(0, 2**16),
    value=st.sampled_from(VALUES),
)
def test_a_damaged_tree_is_refused_or_harmless(family: int, field: str, at: int, value: int) -> None:
    """Whatever passes the check still ends and stays a tree."""
    a = GROWN[family]
    a = HoeffdingTreeArrays(*(array.copy() for array in a))
    target = a.nodes[field][: a.numbers[layout.N_NODES]] if field in INDICES else getattr(a, field).reshape(-1)
    if len(target) == 0:
        return
    target[at % len(target)] = value
    driver = Driver(family, [0, 4, 0, 3], 2, **FAMILIES[family])
    driver.arrays = a
    try:
        check_tree(a)
        driver.run(dataclasses.replace(drifting(), schedule=works.test_then_train(700)))
    except sl.StateError:
        return
    check_tree(driver.arrays)


GROWN = {family: layout.trim(grown(family).arrays) for family in FAMILIES}


@pytest.mark.parametrize("name", ["electricity", "chess", "keystroke"])
def test_the_oracle_of_the_adaptive_tree_is_moas_to_every_digit(name: str) -> None:
    """With Java's random numbers; so what tells the kernel from MOA is these numbers only."""
    tree, right, rows = None, 0, 0
    batches = sl.open_stream(name).batches() if name == "electricity" else [benchmark_stream(name)]
    for batch in batches:
        nominal = [bool(flag) for flag in batch.schema.shape.nominal]
        tree = tree or naive.NaiveHAT(nominal, poisson=naive.java_poisson, new_categories=False)
        for x, y in zip(batch.X.tolist(), batch.y.tolist(), strict=True):
            right += max(0, tree.predict(x)) == y
            rows += 1
            tree.learn(x, y)
    accuracy = {"electricity": 83.3863, "chess": 65.0099, "keystroke": 78.2500}
    assert math.isclose(100.0 * right / rows, accuracy[name], abs_tol=5e-5)
