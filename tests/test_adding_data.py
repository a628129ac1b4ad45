"""Copies of benchmark streams, in the forms in which they travel, become files that their names find."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import streamlearn as sl
from streamlearn.datasets import add, datasets, find, verify
from streamlearn.errors import InputError, OptionError

CATALOGUE = {data.name: data for data in datasets()}
ROWS = 120


@pytest.fixture(autouse=True)
def data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("STREAMLEARN_DATA", str(folder))
    return folder


def numbers(name: str) -> tuple[np.ndarray, list[int]]:
    """Rows and labels of the shape that the data set has."""
    data = CATALOGUE[name]
    X = np.round(np.random.default_rng(3).normal(size=(ROWS, data.features)), 4)
    return X, [int(label) for label in (np.arange(ROWS) * 7) % data.classes]


def lines(X: np.ndarray, labels: list[int] | None, delimiter: str) -> str:
    rows = [delimiter.join(map(str, row)) for row in X.tolist()]
    if labels is not None:
        rows = [f"{row}{delimiter}{label}" for row, label in zip(rows, labels, strict=True)]
    return "\n".join(rows) + "\n"


def check(name: str, X: np.ndarray, labels: list[int]) -> None:
    stream = sl.open_stream(name)
    batch = stream.poll(1000)
    assert batch is not None
    np.testing.assert_array_equal(batch.X, X)
    assert stream.schema.classes == [str(code) for code in range(CATALOGUE[name].classes)]
    assert batch.y is not None
    assert batch.y.tolist() == labels
    assert stream.schema.names == list(CATALOGUE[name].columns)


def test_features_and_labels_in_two_files(tmp_path: Path) -> None:
    X, labels = numbers("rialto")
    (tmp_path / "rialto.data").write_text(lines(X, None, " "))
    (tmp_path / "rialto.labels").write_text("".join(f"{label}\n" for label in labels))
    added = add("rialto", tmp_path / "rialto.data", tmp_path / "rialto.labels")
    assert added.rows == ROWS
    assert "82,250" in added.note
    assert added.path == find("rialto")
    check("rialto", X, labels)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_text_without_a_header(tmp_path: Path, delimiter: str) -> None:
    X, labels = numbers("rialto")
    (tmp_path / "copy.txt").write_text(lines(X, labels, delimiter))
    add("rialto", tmp_path / "copy.txt")
    check("rialto", X, labels)


def test_compressed_text_with_a_header_keeps_its_names(tmp_path: Path) -> None:
    X, labels = numbers("rialto")
    header = ",".join([*(f"bin{i}" for i in range(27)), "building"])
    (tmp_path / "rialto.csv.gz").write_bytes(gzip.compress(f"{header}\n{lines(X, labels, ',')}".encode()))
    add("rialto", tmp_path / "rialto.csv.gz")
    assert pq.read_schema(find("rialto")).names == [*(f"bin{i}" for i in range(27)), "target"]


def test_arff_keeps_the_declared_order_and_the_catalogue_adds_the_drifts(tmp_path: Path) -> None:
    X, labels = numbers("insects_abrupt_balanced")
    species = ["zz", "b", "a", "q", "y y", "c"]
    header = ["@relation insects", *(f"@attribute Att{i} numeric" for i in range(1, 34))]
    quoted = [f"'{name}'" for name in species]
    header += [f"@ATTRIBUTE class {{{','.join(quoted)}}}", "@DATA", ""]
    rows = [f"{','.join(map(str, row))},{quoted[label]}" for row, label in zip(X.tolist(), labels, strict=True)]
    (tmp_path / "INSECTS-abrupt_balanced_norm.arff").write_text("\n".join(header + rows) + "\n")
    add("insects_abrupt_balanced", tmp_path / "INSECTS-abrupt_balanced_norm.arff")
    stream = sl.open_stream("insects_abrupt_balanced")
    assert stream.schema.classes == species
    assert [drift.row for drift in stream.drifts] == [14_352, 19_500, 33_240, 38_682, 39_510]
    batch = stream.poll(1000)
    assert batch is not None
    assert batch.y is not None
    assert batch.y.tolist() == labels


def test_nominal_fields_of_text_come_from_the_catalogue_sorted_by_value(tmp_path: Path) -> None:
    X, labels = numbers("poker_hand")
    X[:, ::2] = np.array([3, 1, 10, 2])[np.arange(ROWS * 5).reshape(ROWS, 5) % 4]
    rows = [f"{','.join(f'{v:g}' for v in row)},{label}" for row, label in zip(X.tolist(), labels, strict=True)]
    (tmp_path / "poker.csv").write_text("\n".join(rows) + "\n")
    add("poker_hand", tmp_path / "poker.csv")
    schema = sl.open_stream("poker_hand").schema
    assert [f.kind for f in schema.fields] == ["nominal", "numeric"] * 5
    assert schema.fields[0].categories == ["1", "2", "3", "10"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n", "expected 28 columns"),
        ("", "expected 28 columns"),
        (lines(*numbers("rialto"), ",").replace(",9\n", ",8\n"), "expected 10 classes"),
    ],
)
def test_other_data_are_refused_and_nothing_is_written(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "copy.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        add("rialto", tmp_path / "copy.csv")
    assert verify("rialto") == "missing"


def test_files_of_different_length_are_refused(tmp_path: Path) -> None:
    X, labels = numbers("rialto")
    (tmp_path / "rialto.data").write_text(lines(X, None, " "))
    (tmp_path / "rialto.labels").write_text("".join(f"{label}\n" for label in labels[:-1]))
    with pytest.raises(InputError, match="differ in length: one of them ends before row 120"):
        add("rialto", tmp_path / "rialto.data", tmp_path / "rialto.labels")


def test_a_file_is_replaced_only_when_asked_and_a_shipped_one_never(tmp_path: Path) -> None:
    (tmp_path / "copy.csv").write_text(lines(*numbers("rialto"), ","))
    add("rialto", tmp_path / "copy.csv")
    with pytest.raises(OptionError, match="--force"):
        add("rialto", tmp_path / "copy.csv")
    assert add("rialto", tmp_path / "copy.csv", force=True).rows == ROWS
    with pytest.raises(OptionError, match="comes with the package"):
        add("electricity", tmp_path / "copy.csv")


def test_a_conversion_of_your_own_has_the_right_shape(tmp_path: Path, data_directory: Path) -> None:
    X = np.random.default_rng(1).normal(size=(503, 8))
    (tmp_path / "chess.csv").write_text(lines(X, [int(i % 2) for i in range(503)], ","))
    add("chess", tmp_path / "chess.csv")
    assert verify("chess") == "own"
    (tmp_path / "short.csv").write_text(lines(X[:9], [int(i % 2) for i in range(9)], ","))
    assert add("chess", tmp_path / "short.csv", force=True).note
    assert verify("chess") == "damaged"
    with pytest.raises(InputError, match="it has 9 rows, expected 503"):
        verify("chess", strict=True)
