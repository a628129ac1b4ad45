"""Streams as files: what is written is read back, with its drifts, whole or not at all; and the command for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlearn.connectors.generators import LED, ClassImbalance, LabelNoise, MissingValues

import streamlearn as sl
from streamlearn.cli import main
from streamlearn.cli.completion import complete_name, complete_stream
from streamlearn.writing import FORMATS, write_stream

anyhow = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEEPING_KINDS = ("parquet", "arrow", "arff")


def decoded(source: sl.Source) -> list[tuple[dict[Any, Any], Any]]:
    """Rows as people see them, and labels or targets."""
    rows = []
    nominal = source.schema.target_kind == "nominal"
    for batch in source.batches():
        for x, y in zip(batch.X, batch.y, strict=True):
            label = (source.schema.decode_label(int(y)) if y >= 0 else None) if nominal else float(y)
            rows.append((source.schema.decode_row(x), label))
    return rows


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stream", ["sea_a", "led_g", "agr_g", "rtg", "stagger_a", "friedman_gsg"])
def test_what_is_written_is_read_back(stream: str, format: str, tmp_path: Path) -> None:
    source = sl.open_stream(f"{stream}:rows=1500,seed=3")
    path = tmp_path / f"it.{format}"
    assert write_stream(source, path) == 1500
    source.seek({"row": 0})
    if format in KEEPING_KINDS:
        again = sl.open_stream(path)
        target = "target" if format == "arff" else None
        assert [field.name for field in again.schema.fields] == [field.name for field in source.schema.fields], target
        assert [field.categories for field in again.schema.fields] == [f.categories for f in source.schema.fields]
        assert again.schema.classes == source.schema.classes
    else:
        kinds = {field.name: "text" for field in source.schema.fields if field.kind == "nominal"}
        if source.schema.target_kind == "nominal":
            kinds["class"] = "text"
        again = sl.open_stream(path, schema=source.schema, options={"types": kinds})
    for _ in range(2):
        ours, theirs = list(source.batches()), list(again.batches())
        np.testing.assert_array_equal(np.concatenate([b.X for b in theirs]), np.concatenate([b.X for b in ours]))
        np.testing.assert_array_equal(np.concatenate([b.y for b in theirs]), np.concatenate([b.y for b in ours]))
        source.seek({"row": 700})
        again.seek({"row": 700})
    if format in ("parquet", "arrow"):
        assert tuple(again.drifts) == tuple(source.drifts)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", FORMATS)
def test_missing_values_and_labels_and_rare_categories(format: str, tmp_path: Path) -> None:
    source = MissingValues(ClassImbalance(LED(), proportions={"9": 1}), share=0.3)
    path = tmp_path / f"it.{format}"
    write_stream(source, path, rows=300)
    source.seek({"row": 0})
    if format in KEEPING_KINDS:
        again = sl.open_stream(path)
        assert again.schema.classes == source.schema.classes  # although but one of them occurs
    else:
        types = dict.fromkeys([*source.schema.names, "class"], "text")
        again = sl.open_stream(path, schema=source.schema, options={"types": types})
    whole = next(again.batches())
    np.testing.assert_array_equal(whole.X, source.poll(300).X)
    assert (whole.y == 9).all()


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)


@pytest.mark.parametrize("format", FORMATS)
@anyhow
@given(
    names=st.lists(NAMES.filter(lambda name: name.strip() == name), min_size=4, max_size=7, unique=True),
    numbers=st.lists(st.floats(allow_infinity=False), min_size=20, max_size=20),
)
def test_any_name_and_number_survives(format: str, names: list[str], numbers: list[float], tmp_path: Path) -> None:
    field, target, *categories = names
    target += "3"
    fields = [sl.Field(field, "nominal", categories), sl.Field(field + "2")]
    schema = sl.Schema(fields, target=target, classes=names)
    X = np.column_stack([np.arange(20) % len(categories), numbers])
    source = sl.open_stream((X, [names[i % len(names)] for i in range(20)]), schema=schema)
    path = tmp_path / f"it.{format}"
    write_stream(source, path, force=True)
    source.seek({"row": 0})
    if format in KEEPING_KINDS:
        again = sl.open_stream(path, target=target)
    else:
        again = sl.open_stream(path, schema=schema, options={"types": {field: "text", target: "text"}})
    assert decoded(again) == decoded(source)


def test_nothing_is_replaced_or_left_half_written(tmp_path: Path) -> None:
    path = tmp_path / "sea.csv"
    path.write_text("precious")
    with pytest.raises(sl.OptionError, match=r"is there already.*--force"):
        write_stream(sl.open_stream("sea:rows=10"), path)
    assert path.read_text() == "precious"

    class Failing(LabelNoise):
        def poll(self, max_rows: int = 10, timeout: float = 0.0) -> sl.Batch | None:
            if self.position()["row"] >= 20:
                raise RuntimeError("the source broke")
            return super().poll(10)

    with pytest.raises(RuntimeError, match="broke"):
        write_stream(Failing(sl.open_stream("sea"), noise=0.1), path, rows=100, force=True)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]
    write_stream(sl.open_stream("sea:rows=10"), path, force=True)
    assert path.read_text().startswith("attrib1,")


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("sea.xlsx", {"rows": 5}, "can't tell the format"),
        ("sea", {"rows": 5, "format": "parket"}, "did you mean parquet"),
        ("sea.csv", {}, "sea has no end"),
        ("no/such/sea.csv", {"rows": 5}, "there is no folder"),
    ],
)
def test_what_can_not_be_written(path: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        write_stream(sl.open_stream("sea"), tmp_path / path, **options)
    assert list(tmp_path.iterdir()) == []


def test_json_refuses_infinity(tmp_path: Path) -> None:
    with pytest.raises(sl.InputError, match="no infinite numbers"):
        write_stream(sl.open_stream((np.array([[np.inf]]), ["a"])), tmp_path / "it.jsonl")


@pytest.mark.parametrize("note", [b"{", b"[]", b'{"drifts": 3}', b'{"drifts": [[1]]}', b'{"drifts": [[-1, 2]]}'])
def test_a_damaged_note_is_an_error(note: bytes, tmp_path: Path) -> None:
    table = pa.table({"a": [1.0], "class": ["x"]}).replace_schema_metadata({b"streamlearn": note})
    pq.write_table(table, tmp_path / "it.parquet")
    with pytest.raises(sl.InputError, match=r"it\.parquet"):
        sl.open_stream(tmp_path / "it.parquet")


def test_event_times_and_weights_are_written_where_the_schema_names_them(tmp_path: Path) -> None:
    schema = sl.Schema([sl.Field("x")], target="y", event_time="t", weight="w")
    table = pa.table({"x": [1.0, 2.0], "y": ["a", "b"], "t": [5.0, 6.5], "w": [1.0, 3.0]})
    write_stream(sl.open_stream(table, schema=schema), tmp_path / "it.arrow")
    again = sl.open_stream(tmp_path / "it.arrow", schema=schema).poll()
    assert (again.event_time.tolist(), again.weight.tolist()) == ([5.0, 6.5], [1.0, 3.0])


# -- the command line


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Done]:
    """Runs the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["streamlearn", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return Done(int(stopped.value.code or 0), *capsys.readouterr())

    return command


def test_generate(run: Callable[..., Done], tmp_path: Path) -> None:
    done = run("generate", "sea_a", "--rows", "4000", "--seed", "5", "--out", "sea.parquet")
    assert done.code == 0, done.err
    assert "4,000 rows of sea_a" in done.out
    assert "drifts at 1,000, 2,000, 3,000" in done.out
    stream = sl.open_stream(tmp_path / "sea.parquet")
    np.testing.assert_array_equal(stream.poll(4000).X, sl.open_stream("sea_a:rows=4000,seed=5").poll(4000).X)
    again = run("generate", "sea_a", "--rows", "4000", "--out", "sea.parquet")
    assert again.code == 2
    assert "--force" in again.err
    assert run("generate", "sea:noise=0", "--rows", "9", "-o", "sea.parquet", "-f").code == 0
    converted = run("generate", "sea.parquet", "--out", "sea.jsonl")
    assert converted.code == 0, converted.err
    lines = (tmp_path / "sea.jsonl").read_text().splitlines()
    assert len(lines) == 9
    assert set(json.loads(lines[0])) == {"attrib1", "attrib2", "attrib3", "class"}
    assert "not one" in run("generate", "sea.parquet", "--seed", "3", "-o", "x.csv").err


def test_evaluate_list_describe_and_completion_know_synthetic_streams(run: Callable[..., Done], tmp_path: Path) -> None:
    done = run("evaluate", "-s", "sea_a:rows=5000", "-l", "naive_bayes", "--json", "r.json")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "r.json").read_text())["stream"] == "sea_a"
    endless = run("evaluate", "-s", "sea", "-l", "naive_bayes")
    assert endless.code == 2
    assert "sea has no end" in endless.err
    listed = run("list", "streams").out
    for name in ("electricity", "sea_a", "rbf_f5", "random_tree"):
        assert f"\n{name} " in listed
    assert "LED digits, 1, 3, 5, then 7 segments in other places" in listed
    described = run("describe", "agrawal").out
    assert "Agrawal(function=1, perturbation=0.05" in described
    assert "did you mean sea_a" in run("describe", "sea_aa").err
    assert complete_stream("sea") == ["sea", "sea_a", "sea_g"]
    assert complete_stream("elec") == ["electricity"]
    assert complete_name("sta") == ["stacking_classifier", "stagger", "stagger_a", "standard_scaler"]
