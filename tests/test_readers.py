"""Readers of files: what they read equals what was written, from any row on, however it is cut; errors name the row."""

from __future__ import annotations

import csv
import gzip
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlearn.connectors.files import BadRowError, RecordReader, open_reader
from streamlearn.connectors.files.csv_rows import RowEnds

from streamlearn.datasets import find
from streamlearn.errors import InputError, OptionError

anyhow = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
DRIFT = Path(os.environ.get("STREAMLEARN_DATA") or Path(__file__).parents[2] / "shared" / "data" / "drift")


def rows_of(path: Path, chunk: int = 1000, **options: Any) -> list[dict[str, Any]]:
    with open_reader(path, options=options) as reader:
        rows: list[dict[str, Any]] = []
        while (batch := reader.read(chunk)) is not None:
            assert 0 < batch.num_rows <= chunk
            assert batch.schema.equals(reader.schema)
            rows += batch.to_pylist()
            assert reader.position == len(rows)
        assert reader.read(chunk) is None
        return rows


def drained(reader: RecordReader) -> int:
    """Read to the end; how many rows came."""
    count = 0
    while (batch := reader.read(500)) is not None:
        count += batch.num_rows
    return count


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def bad_row(path: Path, **options: Any) -> BadRowError:
    with pytest.raises(BadRowError) as caught:
        rows_of(path, **options)
    return caught.value


# -- every format, the same table ---------------------------------------------------------------------------------

DAYS = ["tue", "mon", "it's", 'a "b", c']
TABLE = pa.table(
    {
        "number": [None if i % 7 == 3 else i / 8 for i in range(1000)],
        "text": [None if i % 11 == 5 else f"row {i}, é\n" if i % 3 else f"r{i}" for i in range(1000)],
        "day": pa.DictionaryArray.from_arrays(
            pa.array([None if i % 13 == 4 else i * i % 4 for i in range(1000)], pa.int8()), pa.array(DAYS)
        ),
    }
)
ROWS = TABLE.to_pylist()
KINDS = {"number": "number", "text": "text", "day": "text"}


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_MINIMAL)
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=i % 2 == 0) + "\n" for i, row in enumerate(rows)), "utf-8")


def quoted(text: str) -> str:
    for plain, escape in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escape)
    return f"'{text}'"


def write_arff(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = ["@relation test", "@attribute number numeric", "@attribute text string"]
    lines += ["@attribute day {" + ",".join(map(quoted, DAYS)) + "}", "@data"]
    for row in rows:
        values = (row["number"], row["text"], row["day"])
        lines.append(",".join("?" if v is None else quoted(v) if isinstance(v, str) else repr(v) for v in values))
    path.write_text("\n".join(lines), "utf-8")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(TABLE, path, row_group_size=300)


def write_arrow(path: Path, rows: list[dict[str, Any]]) -> None:
    with pa.ipc.new_file(path, TABLE.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
        file.write_table(TABLE, max_chunksize=170)


def write_arrow_stream(path: Path, rows: list[dict[str, Any]]) -> None:
    with pa.ipc.new_stream(path, TABLE.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as file:
        file.write_table(TABLE, max_chunksize=170)


def write_feather(path: Path, rows: list[dict[str, Any]]) -> None:
    pa.feather.write_feather(TABLE, path, chunksize=400)


FORMATS: dict[str, tuple[Callable[[Path, list[dict[str, Any]]], None], dict[str, Any]]] = {
    "csv": (write_csv, {"types": KINDS, "block_bytes": 3000}),
    "jsonl": (write_jsonl, {"types": KINDS, "block_bytes": 3000}),
    "arff": (write_arff, {"block_bytes": 3000}),
    "parquet": (write_parquet, {"batch_rows": 128}),
    "arrow": (write_arrow, {}),
    "arrows": (write_arrow_stream, {}),
    "feather": (write_feather, {}),
}


@pytest.fixture(params=[f"{name}{suffix}" for name in FORMATS for suffix in ("", ".gz", ".zst")])
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    name, _, compression = request.param.partition(".")
    write, options = FORMATS[name]
    path = tmp_path / f"sample.{name}"
    write(path, ROWS)
    if compression:
        packed = tmp_path / f"sample.{request.param}"
        with pa.output_stream(packed, compression={"gz": "gzip", "zst": "zstd"}[compression]) as stream:
            stream.write(path.read_bytes())
        path = packed
    return path, options


@pytest.mark.parametrize("chunk", [1, 7, 250, 10_000])
def test_reads_what_was_written(sample: tuple[Path, dict[str, Any]], chunk: int) -> None:
    path, options = sample
    assert rows_of(path, chunk, **options) == ROWS


def test_seek_equals_skipping(sample: tuple[Path, dict[str, Any]]) -> None:
    path, options = sample
    with open_reader(path, options=options) as reader:
        for row in (0, 500, 501, 3, 999, 1000, 299, 300, 301, 170, 0, 700, 650):
            reader.seek(row)
            assert reader.position == row
            batch = reader.read(40)
            assert (batch.to_pylist() if batch else []) == ROWS[row : row + (batch.num_rows if batch else 0)]
            assert (batch is None) == (row == 1000)
        with pytest.raises(InputError, match="it has 1000 rows"):
            reader.seek(1001)
        with pytest.raises(OptionError):
            reader.seek(-1)
        with pytest.raises(OptionError):
            reader.read(0)


@pytest.mark.parametrize("name", ["arff", "parquet", "arrow", "arrows", "feather"])
def test_declared_order_is_kept(name: str, tmp_path: Path) -> None:
    FORMATS[name][0](tmp_path / f"x.{name}", ROWS)
    with open_reader(tmp_path / f"x.{name}") as reader:
        assert reader.declared == {"day": DAYS}
        assert reader.schema.field("day").type == pa.dictionary(pa.int32(), pa.string())
        assert reader.default_target == ("day" if name == "arff" else None)
        assert reader.rows == (1000 if name == "parquet" else None)
        batch = reader.read(10)
        assert batch is not None
        assert batch.column("day").dictionary.to_pylist() == DAYS


# -- random tables ------------------------------------------------------------------------------------------------

numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
printable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=12)
texts = st.none() | printable.filter(lambda text: text not in ("", "?", "NA", "NaN", "nan", "null"))
tables = st.lists(
    st.fixed_dictionaries({"number": numbers, "text": texts, "day": st.sampled_from([None, *DAYS])}),
    min_size=1,
    max_size=30,
)


@anyhow
@given(rows=tables, block=st.integers(1, 200), chunk=st.integers(1, 40), start=st.integers(0, 30))
@pytest.mark.parametrize("name", ["csv", "jsonl", "arff"])
def test_text_formats_round_trip(
    name: str, rows: list[dict[str, Any]], block: int, chunk: int, start: int, tmp_path: Path
) -> None:
    write, options = FORMATS[name]
    path = tmp_path / f"random.{name}"
    write(path, rows)
    options = {**options, "block_bytes": block}
    assert rows_of(path, chunk, **options) == rows
    with open_reader(path, options=options) as reader:
        reader.read(chunk)
        reader.seek(min(start, len(rows)))
        rest: list[dict[str, Any]] = []
        while (batch := reader.read(chunk)) is not None:
            rest += batch.to_pylist()
    assert rest == rows[start:]


def naive_ends(data: str) -> list[int]:
    """Where rows end, blank lines belonging to the row before them, by looking at one character after the other."""
    ends: list[int] = []
    state = "start of row"
    for i, character in enumerate(data, 1):
        if state == "quoted":
            state = "after quote" if character == '"' else "quoted"
        elif state == "after quote" and character == '"':
            state = "quoted"
        elif character == "\n" and state == "start of row":
            ends[-1:] = [i] if ends else []
        elif character == "\n":
            ends.append(i)
            state = "start of row"
        elif character == ",":
            state = "start of value"
        elif character == '"' and state in ("start of row", "start of value"):
            state = "quoted"
        else:
            state = "within value"
    return ends


@settings(anyhow, max_examples=300)
@given(data=st.text(st.sampled_from('a,"\n'), max_size=40))
def test_rows_end_where_the_naive_reading_ends_them(data: str) -> None:
    rows = RowEnds(",")
    ends = naive_ends(data)
    assert list(rows.each(data.encode())) == ends
    assert rows.last(data.encode()) >= max(ends, default=0)
    assert rows.last(data.encode()) in {0, *ends} or not data[max(ends, default=0) : rows.last(data.encode())].strip()
    middle = rows.middle(data.encode())
    assert middle in ends if ends else middle == 0
    if len(ends) > 1:
        assert middle < len(data)


@anyhow
@given(
    lines=st.lists(
        st.sampled_from(["1,x", '2,"a\nb"', '3,"q""r"', "oops,y", "4", "5,z,z", '6,5" pipe', ""]), max_size=25
    ),
    block=st.integers(1, 60),
    chunk=st.integers(1, 9),
)
def test_bad_csv_rows_can_be_stepped_over(lines: list[str], block: int, chunk: int, tmp_path: Path) -> None:
    path = written(tmp_path / "bad.csv", "\n".join(["number,text", *lines, ""]))
    meant = {"1,x": (1, "x"), '2,"a\nb"': (2, "a\nb"), '3,"q""r"': (3, 'q"r'), '6,5" pipe': (6, '5" pipe')}
    rows = [line for line in lines if line]
    good, bad = [], []
    with open_reader(path, options={"types": {"number": "number", "text": "text"}, "block_bytes": block}) as reader:
        while True:
            try:
                batch = reader.read(chunk)
            except BadRowError as error:
                bad.append((error.row, reader.position + 1, error.text.decode()))
                reader.seek(error.row)
                continue
            if batch is None:
                break
            good += [tuple(row.values()) for row in batch.to_pylist()]
        assert reader.position == len(rows)
    assert good == [meant[line] for line in rows if line in meant]
    assert bad == [(i, i, line) for i, line in enumerate(rows, 1) if line not in meant]


# -- CSV ----------------------------------------------------------------------------------------------------------


def test_csv_infers_kinds_and_missing_values(tmp_path: Path) -> None:
    path = written(
        tmp_path / "kinds.csv",
        b"\xef\xbb\xbfwhole,number,text,flag,day,time,empty,clock\r\n"
        b"1,1.5,x,true,2024-02-01,2024-02-01T10:00:00,,10:00:00\r\n\r\n"
        b"?,NA,?,null,NaN,,?,11:30:00\r\n",
    )
    with open_reader(path) as reader:
        kinds = {field.name: str(field.type) for field in reader.schema}
        assert reader.integers == {"whole"}
    assert kinds == {
        "whole": "double",
        "number": "double",
        "text": "string",
        "flag": "bool",
        "day": "timestamp[us]",
        "time": "timestamp[us]",
        "empty": "double",
        "clock": "string",
    }
    first, second = rows_of(path)
    assert (first["whole"], first["number"], first["text"], first["flag"], first["empty"]) == (1, 1.5, "x", True, None)
    assert set(second.values()) == {None, "11:30:00"}


def test_csv_whole_numbers_may_become_fractions_later(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "a\n" + "1\n" * 2000 + "2.5\n")
    rows = rows_of(path, block_bytes=1000)
    assert rows[-1] == {"a": 2.5}
    assert len(rows) == 2001


def test_csv_names_the_cell_that_is_no_number(tmp_path: Path) -> None:
    lines = [f"{i},{i / 4},x{i}" for i in range(1, 3001)]
    lines[1233] = "1234,abc,x1234"
    path = written(tmp_path / "prices.csv", "id,price,text\n" + "\n".join(lines))
    error = bad_row(path)
    assert str(error).startswith(f"{path}, row 1234, column 'price': expected a number, got 'abc'")
    assert (error.row, error.field, error.text) == (1234, "price", b"1234,abc,x1234")
    assert "types={'price': 'text'}" in str(error)
    assert rows_of(path, types={"price": "text"})[1233]["price"] == "abc"
    with open_reader(path) as reader:  # what comes before is handed out, and the reader can go on behind
        with pytest.raises(BadRowError):
            drained(reader)
        assert reader.position == 1233
        with pytest.raises(BadRowError, match="row 1234"):
            reader.read(1)
        reader.seek(1234)
        assert reader.read(1).to_pylist() == [{"id": 1235.0, "price": 308.75, "text": "x1235"}]  # type: ignore[union-attr]
    assert pickle.loads(pickle.dumps(error)).row == 1234


@pytest.mark.parametrize(
    ("content", "row", "field", "reason"),
    [
        ("a,b\n1,2\n3\n", 2, None, "expected 2 values, got 1"),
        ("a,b\n1,2\n3,4,5\n", 2, None, "expected 2 values, got 3"),
        (b"a,b\n1,x\n2,\xff\n", 2, "b", "not UTF-8"),
        ('a,b\n1,x\n2,"y\n3,z\n', 2, None, "never closed"),
        ("a,b\n1,x\r2,y\n", 1, None, "carriage return"),
    ],
)
def test_csv_names_the_bad_row(content: str | bytes, row: int, field: str | None, reason: str, tmp_path: Path) -> None:
    error = bad_row(written(tmp_path / "bad.csv", content))
    assert (error.row, error.field) == (row, field)
    assert reason in error.reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("a,b,a\n1,2,3\n", "two columns are named 'a'"),
        (",b\n1,2\n", "column 1 has no name"),
        (b"a\xff,b\n1,2\n", "header is not UTF-8"),
        ('a,"b\n1,2\n', "a quote is opened in the header"),
    ],
)
def test_csv_refuses_bad_headers(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        open_reader(written(tmp_path / "bad.csv", content))


def test_csv_header_only_has_no_rows(tmp_path: Path) -> None:
    assert rows_of(written(tmp_path / "x.csv", "a,b")) == []


def test_csv_without_header_and_with_other_delimiter(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "1;x\n2;y\n")
    assert rows_of(path, names=["n", "t"], delimiter=";") == [{"n": 1, "t": "x"}, {"n": 2, "t": "y"}]
    assert rows_of(written(tmp_path / "x.tsv", "n\tt\n1\t2,3\n")) == [{"n": 1, "t": "2,3"}]


def test_csv_large_whole_numbers_stay_exact_if_asked(tmp_path: Path) -> None:
    path = written(tmp_path / "x.csv", "id\n9007199254740993\n")
    assert rows_of(path, types={"id": "integer"}) == [{"id": 9007199254740993}]


# -- JSON lines ---------------------------------------------------------------------------------------------------


def test_jsonl_infers_kinds(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", '{"a": 1, "t": "2024-02-01 10:00:00", "n": null}\n\n{"a": 2.5, "b": true}')
    with open_reader(path) as reader:
        assert [str(field.type) for field in reader.schema] == ["double", "timestamp[us]", "double", "bool"]
    assert [row["b"] for row in rows_of(path)] == [None, True]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (b'{"a": "x", "b": "y"}', "a", "expected a number, got 'x'"),
        (b'{"a": 1, "b": 2}', "b", "expected text, got 2"),
        (b'{"a": true}', "a", "expected a number, got True"),
        (b'{"a": 1, "c": 2}', "c", "unknown='ignore'"),
        (b'{"a": {"x": 1}}', "a", "flatten"),
        (b'{"a": [1]}', "a", "flatten"),
        (b'{"a": 1', None, "not valid JSON"),
        (b'{"a": 1}{"a": 2}', None, "not valid JSON"),
        (b'{"a": 1, "a": 2}', None, "'a' is there twice"),
        (b'{"b": "\xff"}', None, "not UTF-8"),
        (b"3", None, "expected an object"),
    ],
)
def test_jsonl_names_the_bad_row(line: bytes, field: str | None, reason: str, tmp_path: Path) -> None:
    good = b'{"a": 1, "b": "x"}\n'
    path = written(tmp_path / "bad.jsonl", good * 40 + line + b"\n" + good * 40)
    error = bad_row(path, block_bytes=300)
    assert (error.row, error.field, error.text) == (41, field, line)
    assert reason in error.reason


def test_jsonl_unknown_keys_may_be_ignored_or_named(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", '{"a": 1}\n' * 9 + '{"a": 2, "late": 3}\n')
    small = {"block_bytes": 20}
    assert rows_of(path, unknown="ignore", **small)[-1] == {"a": 2}
    assert rows_of(path, types={"late": "number"}, **small)[-1] == {"a": 2, "late": 3}
    with pytest.raises(OptionError, match="unknown must be"):
        open_reader(path, options={"unknown": "maybe"})


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), ('[{"a": 1}]', "array"), ('{"a": {"b": 1}}\n', "column 'a' holds nested values.*flatten")],
)
def test_jsonl_refuses_what_is_not_lines_of_records(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        open_reader(written(tmp_path / "x.json", content))


def test_jsonl_rows_longer_than_a_block(tmp_path: Path) -> None:
    rows = [{"a": "x" * 700_000}, {"a": "y"}]
    path = tmp_path / "x.jsonl"
    write_jsonl(path, rows)
    assert rows_of(path) == rows
    assert rows_of(path, block_bytes=1000) == rows


# -- ARFF ---------------------------------------------------------------------------------------------------------

HEADER = """% comment
@RELATION 'some name'
@Attribute 'the number' REAL   % knots
@attribute  kind\t{a, 'b c', "d,e"}
@attribute text STRING
@attribute when date "yyyy-MM-dd HH:mm"

@DATA
"""


def test_arff_reads_quotes_comments_and_missing_values(tmp_path: Path) -> None:
    data = "1,a,hello,'2024-02-01 10:00'\n% comment\n 2 , 'b c' , 'it\\'s' , ?  % trailing\r\n?,\"d,e\",'?',?\n"
    first, second, third = rows_of(written(tmp_path / "x.arff", HEADER + data))
    assert list(first) == ["the number", "kind", "text", "when"]
    assert first["when"].isoformat() == "2024-02-01T10:00:00"
    assert list(second.values()) == [2, "b c", "it's", None]
    assert list(third.values()) == [None, "d,e", "?", None]


@pytest.mark.parametrize("style", ["1,a", "1, a", "1 ,\ta", "1,'a'", '1,"a"', "1, 'a'", "'1',a"])
def test_arff_styles_mean_the_same(style: str, tmp_path: Path) -> None:
    path = written(tmp_path / "x.arff", "@relation x\n@attribute n integer\n@attribute k {b,a}\n@data\n" + style)
    assert rows_of(path) == [{"n": 1, "k": "a"}]


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("1,zz,x,?", "kind", "category 'zz' is not declared; declared are a, b c, d,e"),
        ("x,a,x,?", "the number", "expected a number, got 'x'"),
        ("1,a,x,'2024'", "when", "expected a date and time"),
        ("1,a,x", None, "expected 4 values separated by commas, got 3"),
        ("1,a,'x,?", None, "a quote is not closed"),
        ("{0 1, 1 a}", None, "sparse"),
        ("1,a,x,?,{5}", None, "weights"),
    ],
)
def test_arff_names_the_bad_row(line: str, field: str | None, reason: str, tmp_path: Path) -> None:
    good = "1,a,hello,?\n"
    error = bad_row(written(tmp_path / "x.arff", HEADER + good * 50 + line + "\n" + good), block_bytes=400)
    assert (error.row, error.field, error.text) == (51, field, line.encode())
    assert reason in error.reason


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("@attribute a {x,x}\n@data\n", "category 'x' is declared twice"),
        ("@attribute a {x,y\n@data\n", "list of categories"),
        ("@attribute a relational\n@data\n", "'relational' is not supported"),
        ("@attribute a date 'EEE'\n@data\n", "date format 'EEE'"),
        ("@attribute a real\n@attribute a real\n@data\n", "two columns are named 'a'"),
        ("@attribute a real\n", "no line '@data'"),
        ("hello\n@data\n", "expected @relation"),
        ("@relation x\n@data\n", "no columns"),
    ],
)
def test_arff_refuses_bad_headers(header: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        open_reader(written(tmp_path / "x.arff", header))


# -- Parquet and Arrow --------------------------------------------------------------------------------------------


def dictionary(values: list[str], codes: list[int | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(values))


DIFFERING = pa.table({"k": pa.chunked_array([dictionary(["b", "a"], [0, 1]), dictionary(["c", "b"], [1, 0, None])])})


@pytest.mark.parametrize("name", ["x.parquet", "x.arrows"])
def test_differing_dictionaries_are_unified(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "x.parquet":
        with pq.ParquetWriter(path, DIFFERING.schema) as writer:
            for batch in DIFFERING.to_batches():
                writer.write_batch(batch)
    else:
        with pa.ipc.new_stream(path, DIFFERING.schema) as stream:
            stream.write_table(DIFFERING)
    with open_reader(path) as reader:
        assert reader.declared == {"k": ["b", "a"]}
        first, second = reader.read(2), reader.read(9)
        assert first is not None
        assert second is not None
        assert first.column("k").indices.to_pylist() == [0, 1]
        assert second.column("k").dictionary.to_pylist() == ["b", "a", "c"]
        assert second.column("k").indices.to_pylist() == [0, 2, None]


def test_null_within_a_dictionary_is_missing(tmp_path: Path) -> None:
    table = pa.table({"k": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["a", None, "b"]))})
    with pa.ipc.new_stream(tmp_path / "x.arrow", table.schema) as stream:
        stream.write_table(table)
    assert rows_of(tmp_path / "x.arrow") == [{"k": "a"}, {"k": None}, {"k": "b"}]


def test_plain_strings_stay_plain(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"s": pa.array(["x", None], pa.large_string()), "i": pa.array([1, 2], pa.int16())}), tmp_path / "x.pq"
    )
    with open_reader(tmp_path / "x.pq") as reader:
        assert reader.schema == pa.schema([("s", pa.string()), ("i", pa.int16())])
        assert reader.declared == {}
    assert rows_of(tmp_path / "x.pq") == [{"s": "x", "i": 1}, {"s": None, "i": 2}]


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.arrows", "x.parquet.gz"])
def test_other_bytes_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.(parquet|arrow)"):
        open_reader(written(tmp_path / name, b"hello world, this is not it"))
    with pytest.raises(InputError, match=r"x\.(parquet|arrow)"):
        open_reader(written(tmp_path / name, b""))


def test_damage_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    whole = find("electricity").read_bytes()
    with pytest.raises(InputError, match="not a whole Parquet file"):
        open_reader(written(tmp_path / "short.parquet", whole[: len(whole) // 2]))
    write_arrow_stream(tmp_path / "whole.arrows", ROWS)
    stream = (tmp_path / "whole.arrows").read_bytes()
    with open_reader(written(tmp_path / "short.arrows", stream[: len(stream) // 2])) as reader:
        with pytest.raises(InputError, match="damaged behind row"):
            drained(reader)
        with pytest.raises(InputError, match="damaged behind row"):
            reader.read(100)


def test_nested_columns_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [[1], [2]]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="column 'a' holds nested values"):
        open_reader(tmp_path / "x.parquet")


# -- opening ------------------------------------------------------------------------------------------------------


def test_missing_file_names_near_ones(tmp_path: Path) -> None:
    written(tmp_path / "events.csv", "a\n1\n")
    with pytest.raises(InputError, match=r"did you mean events\.csv") as caught:
        open_reader(tmp_path / "event.csv")
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(InputError, match="there is no folder"):
        open_reader(tmp_path / "nowhere" / "event.csv")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        open_reader(tmp_path)
    path = written(tmp_path / "x.data", "a\n1\n")
    with pytest.raises(OptionError, match=r"\.csv.*\.parquet.*\.gz"):
        open_reader(path)
    with pytest.raises(OptionError, match="known are csv"):
        open_reader(path, format="excel")
    with pytest.raises(OptionError, match="did you mean delimiter"):
        open_reader(path, format="csv", options={"delimeter": ";"})
    with pytest.raises(OptionError, match="did you mean price"):
        open_reader(written(tmp_path / "y.csv", "price\n1\n"), options={"types": {"prise": "text"}})
    with pytest.raises(OptionError, match="'float' is not one of"):
        open_reader(tmp_path / "y.csv", options={"types": {"price": "float"}})
    with open_reader(path, format="csv") as reader:
        assert reader.read(5).to_pylist() == [{"a": 1.0}]  # type: ignore[union-attr]


def test_damaged_compression_is_an_error(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(50_000)))
    path = written(tmp_path / "x.csv.gz", packed[: len(packed) // 2])
    with open_reader(path, options={"block_bytes": 5000}) as reader:
        for _ in range(2):  # the second time too
            with pytest.raises(InputError, match="damaged, cut short, or not gzip"):
                drained(reader)
        assert reader.position > 1000
    with pytest.raises(InputError, match="not gzip"):
        open_reader(written(tmp_path / "y.csv.gz", b"a,b\n1,2\n"))


def test_endless_row_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlearn.connectors.files.text.MAX_ROW_BYTES", 10_000)
    path = written(tmp_path / "x.csv", "a,b\n1,2\n" + '3,"' + "x\n" * 20_000)
    with pytest.raises(InputError, match="row 2 is longer"):
        rows_of(path, types={"a": "number", "b": "text"}, block_bytes=1000)


# -- real data ----------------------------------------------------------------------------------------------------


def real_files() -> list[Path]:
    return [find("electricity"), *sorted(DRIFT.glob("*.parquet"))] if DRIFT.is_dir() else [find("electricity")]


@pytest.mark.parametrize("path", real_files(), ids=lambda path: path.stem)
def test_real_streams_keep_their_declared_order(path: Path) -> None:
    whole = pq.read_table(path)
    declared = {
        name: whole[name].chunk(0).dictionary.to_pylist()
        for name in whole.schema.names
        if pa.types.is_dictionary(whole.schema.field(name).type)
    }
    assert "target" in declared
    with open_reader(path) as reader:
        assert reader.rows == whole.num_rows
        assert reader.declared == declared
        middle = whole.num_rows // 2
        reader.seek(middle)
        batch = reader.read(100)
        assert batch is not None
        assert batch.to_pylist() == whole.slice(middle, batch.num_rows).to_pylist()
        assert batch.column("target").dictionary.to_pylist() == declared["target"]


def test_real_stream_as_csv_and_jsonl(tmp_path: Path) -> None:
    whole = pq.read_table(find("electricity")).slice(0, 5000)
    plain = whole.set_column(1, "day", whole["day"].cast(pa.string())).set_column(
        8, "target", whole["target"].cast(pa.string())
    )
    pa.csv.write_csv(plain, tmp_path / "e.csv")
    write_jsonl(tmp_path / "e.jsonl", plain.to_pylist())
    assert rows_of(tmp_path / "e.csv", types={"day": "text"}) == plain.to_pylist()
    assert rows_of(tmp_path / "e.jsonl", 333) == plain.to_pylist()
