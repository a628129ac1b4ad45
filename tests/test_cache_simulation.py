"""Traces, simulations of caches, and the command that shows them."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlearn.algorithms.paging import LRU, opt
from streamlearn.algorithms.paging import next_arrivals as exact_arrivals

from streamlearn.caching import noisy_arrivals, wrong_bits
from streamlearn.caching.simulate import discard_bits, next_arrivals, simulate
from streamlearn.caching.traces import as_trace, open_trace, sizes_of
from streamlearn.cli import main
from streamlearn.errors import InputError, OptionError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run ``streamlearn cache simulate …``; exit status, output, errors."""

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamlearn", "cache", "simulate", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as exited:
            status = int(exited.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


KEYS = [70, 30, 70, 10, 30, 30]
CODES = [0, 1, 0, 2, 1, 1]


def oracle_general(keys: list[int]) -> bytes:
    records = np.zeros(len(keys), [("time", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
    records["id"] = keys
    return records.tobytes()


FORMATS = {
    "a.csv": b"time,key\n" + b"".join(b"%d,%d\n" % pair for pair in enumerate(KEYS)),
    "a.txt": b"".join(b"%d\n" % key for key in KEYS),
    "a.txt.gz": gzip.compress(b"\r\n".join(b"%d" % key for key in KEYS)),
    "a.oracleGeneral": oracle_general(KEYS),
    "a.oracleGeneral.gz": gzip.compress(oracle_general(KEYS)),
    "a.u32": np.array(KEYS, "<u4").tobytes(),
    "a.u64": np.array(KEYS, "<u8").tobytes(),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMATS[name])
    trace = open_trace(tmp_path / name)
    assert (trace.name, [part.tolist() for part in trace.parts]) == ("a", [CODES])
    assert (trace.requests, trace.keys) == (6, 3)
    assert open_trace(tmp_path / name, limit=4).parts[0].tolist() == CODES[:4]


def test_parquet_with_instances(tmp_path: Path) -> None:
    table = pa.table({"instance": ["x", "y", "x", "x", "y", "y"], "object_id": KEYS})
    pa.parquet.write_table(table, tmp_path / "b.parquet")
    trace = open_trace(tmp_path / "b.parquet")
    assert [part.tolist() for part in trace.parts] == [[0, 0, 1], [0, 0, 0]]
    assert open_trace(tmp_path / "b.parquet", key="instance", instance="object_id").requests == 6


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    def written(name: str, content: bytes | pa.Table) -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pa.parquet.write_table(content, path)
        return path

    missing = pa.table({"key": [1, None, 3]})
    for path, options, said in [
        (tmp_path / "none.csv", {}, "no such file"),
        (written("a.dat", b""), {}, "say its format"),
        (written("a.parquet", b"nonsense"), {}, "not a readable parquet"),
        (written("a.oracleGeneral", b"12345"), {}, "24 bytes"),
        (written("empty.txt", b""), {}, "no requests"),
        (written("m.parquet", missing), {}, "'key': row 1 has no value"),
        (written("c.parquet", pa.table({"kee": [1], "b": [2]})), {"key": "key"}, "did you mean 'kee'"),
        (written("d.parquet", pa.table({"a": [1], "b": [2]})), {}, "--key"),
        (written("l.parquet", pa.table({"key": [[1], [2]]})), {}, "numbers or texts"),
    ]:
        with pytest.raises((InputError, OptionError), match=said):
            open_trace(path, **options)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="columns"):
        open_trace(written("t.txt", b"1\n"), key="a")


def test_sizes() -> None:
    trace = as_trace(np.arange(1000))
    assert sizes_of(["1%", 5, "10", "0.001%", "1_0"], trace) == [1, 5, 10]
    for wrong in ("0", "-1", "x", "101%", "0%", 1.5):
        with pytest.raises(OptionError, match="size"):
            sizes_of([wrong], trace)  # type: ignore[list-item]


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.integers(1, 5))
def test_the_future_is_that_of_the_optimal_policy(keys: list[int], k: int) -> None:
    pages = np.array(keys)
    assert np.array_equal(next_arrivals(pages), exact_arrivals(pages))
    best = opt(pages, k)
    result = simulate(keys, ["opt", "bitlru", "mark0", "lru"], [k])
    misses = {run.policy: run.misses for run in result.runs}
    least = int((~best.hits).sum())
    assert misses["opt"] == misses["bitlru"] == misses["mark0"] == least
    assert misses["lru"] == int((~LRU(capacity=k).access_many(pages).hits).sum())


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.integers(1, 5))
def test_discard_bits(keys: list[int], k: int) -> None:
    evicted = LRU(capacity=k).access_many(keys).evicted
    expected = []
    for i, key in enumerate(keys):
        again = next((j for j in range(i + 1, len(keys)) if keys[j] == key), len(keys))
        expected.append(int(key in evicted[i + 1 : again]))
    assert discard_bits(np.array(keys), evicted).tolist() == expected


def test_simulation_of_parts_and_of_wrong_bits(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    keys = random.zipf(1.3, 4000) % 300
    instances = np.repeat([0, 1], 2000)
    pa.parquet.write_table(pa.table({"key": keys, "instance": instances}), tmp_path / "t.parquet")
    path = tmp_path / "t.parquet"
    both = simulate(path, ["lru", "bitlru", "learned_bit:epsilon=0.2"], [5, "10%"])
    each = [simulate(keys[instances == part], ["lru"], [5]).runs[0].misses for part in (0, 1)]
    assert both.of("lru")[0].misses == sum(each)
    wrong = simulate(path, ["bitlru"], [5], wrong=0.3)
    assert wrong.runs[0].misses > both.of("bitlru")[0].misses
    assert wrong.to_dict() | {"runs": []} == simulate(path, ["bitlru"], [5], wrong=0.3).to_dict() | {"runs": []}
    assert both.to_dict()["runs"][0]["miss_ratio"] == both.runs[0].misses / 4000


def test_the_command(run: Run, tmp_path: Path) -> None:
    keys = np.random.default_rng(1).zipf(1.3, 3000) % 200
    (tmp_path / "t.txt").write_text("".join(f"{key}\n" for key in keys))
    picture, data = tmp_path / "curves.svg", tmp_path / "curves.json"
    status, out, err = run(
        tmp_path / "t.txt", "-p", "lru", "-p", "opt", "-s", "5,10%", "--json", data, "--plot", picture
    )
    assert (status, err) == (0, "")
    written = json.loads(data.read_text())
    assert [(r["policy"], r["size"]) for r in written["runs"]][:3] == [
        ("lru", 5),
        ("opt", 5),
        ("lru", written["sizes"][1]),
    ]
    for run_ in written["runs"]:
        assert f"{run_['miss_ratio']:.4f}" in out
    assert "Miss ratio" in picture.read_text()
    for arguments, said in [
        (["-p", "lruu"], "did you mean"),
        (["-p", "mark_and_predict"], "phase bits"),
        (["-s", "0"], "size"),
        (["--format", "arff"], "format"),
        (["--json", tmp_path / "no" / "a.json"], "no folder"),
    ]:
        status, _, err = run(tmp_path / "t.txt", *arguments)
        assert status != 0
        assert said in err


def test_predictions_that_are_wrong_to_a_known_degree() -> None:
    true = (np.arange(20_000) % 3 == 0).astype(np.uint8)
    bits = wrong_bits(true, ones=0.2, zeros=0.05, seed=4)
    assert np.array_equal(bits, wrong_bits(true, ones=0.2, zeros=0.05, seed=4))
    assert abs((bits[true == 1] == 0).mean() - 0.2) < 0.02
    assert abs((bits[true == 0] == 1).mean() - 0.05) < 0.01
    noise = noisy_arrivals(np.arange(20_000), sigma=2.0, seed=1) - np.arange(20_000)
    logarithms = np.log(noise[noise > 1e-6])
    assert abs(logarithms.mean()) < 0.05
    assert abs(logarithms.std() - 2.0) < 0.05
    for wrong in (lambda: wrong_bits([0, 2], ones=0.1), lambda: wrong_bits([[1]], ones=0.1)):
        with pytest.raises(InputError, match="0 and 1"):
            wrong()
    with pytest.raises(OptionError, match="zeros"):
        wrong_bits([1], ones=0.1, zeros=1.1)
