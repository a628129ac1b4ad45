"""Files as live streams: every row once and in order, whatever grows, is replaced, killed or full meanwhile."""

from __future__ import annotations

import gzip
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlearn.connectors.live_files import ConsoleSink, FileSink, LiveFileSource
from streamlearn.connectors.live_files.lines import BLOCK

from streamlearn import registry
from streamlearn.errors import OptionError, PositionError, SinkError, SourceError
from streamlearn.live import Worker
from streamlearn.records import Records
from streamlearn.sink import Messages
from streamlearn.testing import Rows

anyhow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EXACTLY = Worker("test", guarantee="exactly-once", single=True)
AT_LEAST = Worker("test", single=True)


def opened(path: Path, position: Any = None, worker: Worker = AT_LEAST, **options: Any) -> LiveFileSource:
    source = LiveFileSource(path, **options)
    source.open(worker)
    source.assign(source.partitions())
    source.seek(source.partitions()[0], position)
    return source


def rows_of(records: Iterable[Records]) -> list[tuple[str, Any]]:
    """Ids and values."""
    found: list[tuple[str, Any]] = []
    for piece in records:
        values = piece.values if piece.table is None else piece.table.to_pylist()
        assert len(values) == len(piece)
        found += zip(piece.ids(np.arange(len(piece))), values, strict=True)
    return found


def read(source: LiveFileSource, rows: int = 100) -> list[tuple[str, Any]]:
    """Everything that is left."""
    found = []
    while not source.finished:
        found += rows_of(source.poll(rows, 0.0))
    return found


def once(source: LiveFileSource, rows: int = 100) -> list[Any]:
    """The values of one poll."""
    return [value for _, value in rows_of(source.poll(rows, 0.0))]


def naive(files: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """The rows of files of lines, the obvious way."""
    rows = []
    for name in sorted(files):
        for number, line in enumerate(files[name].removeprefix(b"\xef\xbb\xbf").split(b"\n")):
            if line.removesuffix(b"\r"):
                rows.append((f"{name}-{number}", line.removesuffix(b"\r")))
    return rows


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


# -- lines


texts = st.lists(st.sampled_from([b"", b"{}", b'{"a":1}', b'"\xc3\xa4"', b"{}\r", b"\r", b"x" * 300]), max_size=30)


@anyhow
@given(
    st.dictionaries(st.sampled_from(["a.jsonl", "b.jsonl", "c.ndjson"]), texts, min_size=1), st.booleans(), st.data()
)
def test_rows_are_those_of_the_files_from_any_position(
    tmp_path_factory: pytest.TempPathFactory, lines: dict[str, list[bytes]], ended: bool, data: st.DataObject
) -> None:
    files = {name: b"\n".join(some) + b"\n" * ended for name, some in lines.items()}
    folder = write(tmp_path_factory.mktemp("files"), files)
    expected = naive(files)
    source = opened(folder)
    found: list[tuple[str, Any]] = []
    positions: list[tuple[int, Any]] = [(0, None)]
    while not source.finished:
        polled = source.poll(data.draw(st.integers(1, 9)), 0.0)
        found += rows_of(polled)
        positions += [(len(found), json.loads(json.dumps(piece.next))) for piece in polled]
    assert found == expected
    done, position = data.draw(st.sampled_from(positions))
    assert read(opened(folder, position), 4) == expected[done:]


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_lines_across_the_blocks_that_are_read(tmp_path: Path, size: int) -> None:
    files = {"a.jsonl": b"x" * (size - 3) + b"\nyz\n" + b"w" * size + b"\n\n" + b"v" * 5}
    assert read(opened(write(tmp_path, files), max_line=4 * BLOCK)) == naive(files)


def test_many_lines_come_as_they_are(tmp_path: Path) -> None:
    files = {"a.jsonl": b"".join(b'{"row":%d}\n' % row for row in range(50_000))}
    assert read(opened(write(tmp_path, files)), 999) == naive(files)


def test_a_poll_is_as_long_as_it_may_be_within_bounds(tmp_path: Path) -> None:
    few, many = b"%s\n" % (b"x" * 1_000_000), b"1\n"
    source = opened(write(tmp_path, {"a.jsonl": many * 200_000 + few * 60}))
    assert [len(source.poll(rows, 0.0)[0]) for rows in (150_000, 50_000)] == [150_000, 50_000]
    lengths = []
    while not source.finished:
        lengths += [len(piece) for piece in source.poll(1000, 0.0)]
    assert (sum(lengths), max(lengths) < 25) == (60, True)  # not all of the long lines at once


def test_a_line_that_is_too_long_is_cut_and_counted(tmp_path: Path) -> None:
    limit = BLOCK
    files = {"a.jsonl": b"1\n" + b"7" * limit + b"\n" + b"9" * (5 * limit + 17) + b"\n4\n" + b"8" * (limit + 1)}
    folder = write(tmp_path, files)
    source = opened(folder, max_line=limit)
    found = read(source, 1)
    assert [id for id, _ in found] == [f"a.jsonl-{row}" for row in range(5)]
    assert found[1][1] == b"7" * limit
    for row in (2, 4):
        assert len(found[row][1]) < limit + 100
        with pytest.raises(ValueError):
            json.loads(found[row][1])
    assert b"the line has 655377 bytes" in found[2][1]
    source.seek(folder.name, None)
    pieces = [source.poll(1, 0.0)[0] for _ in range(5)]
    assert read(opened(folder, pieces[2].next, max_line=limit)) == found[3:]
    with pytest.raises(OptionError, match="max_line"):
        LiveFileSource(folder, max_line=100)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_lines_are_resumed_too(tmp_path: Path, suffix: str) -> None:
    plain = b"".join(b'{"row":%d}\n' % row for row in range(40_000))
    if suffix == ".gz":  # in two members, as concatenated logs are
        (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(plain[:1000]) + gzip.compress(plain[1000:]))
    else:
        with pa.CompressedOutputStream(str(tmp_path / "a.jsonl.zst"), "zstd") as file:
            file.write(plain)
    expected = [value for _, value in naive({"a": plain})]
    source = opened(tmp_path)
    piece = source.poll(12_345, 0.0)[0]
    rest = [value for _, value in read(opened(tmp_path, piece.next), 5000)]
    assert [*piece.values, *rest] == expected
    packed = (tmp_path / f"a.jsonl{suffix}").read_bytes()
    (tmp_path / f"a.jsonl{suffix}").write_bytes(packed[:-30])
    with pytest.raises(SourceError, match="can't read"):
        read(opened(tmp_path))
    with pytest.raises(SourceError, match="can't be followed"):
        opened(tmp_path, follow=True).poll(1, 0.0)


def test_lag_falls_to_nothing(tmp_path: Path) -> None:
    source = opened(write(tmp_path, dict.fromkeys(("a.jsonl", "b.jsonl"), b'{"x": 12345}\n' * 1000)))
    name = tmp_path.name
    assert source.lag()[name] > 0
    source.poll(100, 0.0)
    assert source.lag() == {name: 1900}
    read(source)
    assert (source.lag(), source.poll(1, 0.0)) == ({name: 0}, [])


def test_a_partition_that_is_paused_gives_nothing(tmp_path: Path) -> None:
    source = opened(write(tmp_path, {"a.jsonl": b"1\n"}))
    source.pause([tmp_path.name])
    assert source.poll(1, 0.0) == []
    source.resume([tmp_path.name])
    assert once(source) == [b"1"]


def test_the_partition_is_assigned_in_the_first_poll(tmp_path: Path) -> None:
    class Assignment:
        def assigned(self, partitions: Sequence[str]) -> None:
            for partition in partitions:
                source.seek(partition, None)

        def revoked(self, partitions: Sequence[str]) -> None: ...

        def lost(self, partitions: Sequence[str]) -> None: ...

    source = LiveFileSource(write(tmp_path, {"a.jsonl": b"1\n"}) / "a.jsonl")
    source.open(AT_LEAST)
    source.subscribe(Assignment())
    assert once(source) == [b"1"]
    assert source.partitions() == ["a.jsonl"]
    with pytest.raises(SourceError, match=r"one partition, a\.jsonl"):
        source.seek("b", None)


# -- which files


def test_files_are_chosen_by_pattern_and_read_by_name(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "b/1.jsonl", "a/9.jsonl", "a/_x.jsonl", "a/.y.jsonl", "c.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f'"{name}"\n')
    found = read(opened(tmp_path / "*" / "*.jsonl"))
    assert [id for id, _ in found] == ["a/9.jsonl-0", "b/1.jsonl-0", "b/2.jsonl-0"]
    assert [id for id, _ in read(opened(tmp_path))] == ["c.jsonl-0"]
    assert [id for id, _ in read(opened(tmp_path, pattern="b/*"))] == ["b/1.jsonl-0", "b/2.jsonl-0"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no folder"):
        opened(tmp_path / "no" / "a.jsonl")
    (tmp_path / "events.csv").write_text("")
    with pytest.raises(SourceError, match=r"no file is there; .* has events\.csv"):
        opened(tmp_path / "event.jsonl")
    with pytest.raises(SourceError, match="no file is there"):
        opened(tmp_path)
    with pytest.raises(OptionError, match="a pattern chooses among the files of a folder"):
        LiveFileSource(tmp_path / "events.csv", pattern="*.csv")
    with pytest.raises(OptionError, match="follow must be true or false"):
        LiveFileSource(tmp_path, follow="yes")  # type: ignore[arg-type]


def test_files_of_two_kinds_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": b"1\n"})
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with pytest.raises(SourceError, match="one kind"):
        opened(tmp_path)
    assert opened(tmp_path, pattern="*.parquet").format == "table"
    (tmp_path / "b.parquet").unlink()
    source = opened(tmp_path, follow=True)
    assert once(source) == [b"1"]
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    poll_until_refused(source, SourceError, r"b\.parquet is no file of the format json")


# -- positions


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.write_bytes(b"z" * 100), "is not the file"),
        (lambda path: path.write_bytes(path.read_bytes()[:10]), "is not the file"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"3", b"5")), "is not the file"),
        (lambda path: path.unlink(), "is gone"),
    ],
)
def test_a_file_that_is_no_longer_the_same_is_noticed(tmp_path: Path, change: Callable[[Path], Any], said: str) -> None:
    folder = write(tmp_path / "in", {"a.jsonl": b"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "b.jsonl": b"10\n"})
    position = opened(folder).poll(6, 0.0)[0].next
    change(folder / "a.jsonl")
    with pytest.raises(PositionError, match=said):
        opened(folder, position)


def test_a_file_that_grew_is_the_same(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.jsonl": b"1\n2\n"})
    position = opened(folder).poll(2, 0.0)[0].next
    with (folder / "a.jsonl").open("ab") as file:
        file.write(b"3\n")
    assert read(opened(folder, position)) == [("a.jsonl-2", b"3")]


def test_reading_goes_on_behind_a_file_that_is_gone_if_asked_to(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.jsonl": b"1\n2\n", "b.jsonl": b"3\n"})
    position = opened(folder).poll(2, 0.0)[0].next
    (folder / "a.jsonl").unlink()
    assert read(opened(folder, position, on_expired="next")) == [("b.jsonl-0", b"3")]


@pytest.mark.parametrize("position", [7, {}, {"file": "a.jsonl", "row": -1, "byte": 0, "mark": "", "before": 0}, "x"])
def test_what_is_no_position_is_said(tmp_path: Path, position: Any) -> None:
    with pytest.raises(PositionError, match="no position"):
        opened(write(tmp_path, {"a.jsonl": b"1\n"}), position)


def test_a_file_that_came_too_late_is_never_passed_over_silently(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path, {"b.jsonl": b"1\n2\n"})
    position = opened(folder).poll(1, 0.0)[0].next
    write(folder, {"a.jsonl": b"0\n"})
    with pytest.raises(SourceError, match=r"1 files came before b\.jsonl.*lost.*on_late: warn"):
        opened(folder, position)
    with caplog.at_level(logging.WARNING, "streamlearn"):
        assert read(opened(folder, position, on_late="warn")) == [("b.jsonl-1", b"2")]
    assert "would be lost" in caplog.text


# -- times


def test_a_field_may_say_when_a_record_was_written(tmp_path: Path) -> None:
    lines = [b'{"x":1,"ts":12.5}', b'{"x":2}', b'{"ts":13,"x":{"ts":99}}', b'{"ts":"soon"}', b"{", b'{"ts":null}']
    source = opened(write(tmp_path, {"a.jsonl": b"\n".join([*lines, b""])}), time="ts")
    records = source.poll(10, 0.0)[0]
    assert records.values == lines
    np.testing.assert_array_equal(records.times, [12.5, np.nan, 13, np.nan, np.nan, np.nan])
    assert opened(tmp_path).poll(10, 0.0)[0].times is None


@pytest.mark.parametrize("kind", [pa.float64(), pa.int64(), pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.string()])
def test_a_column_may_say_it_too(tmp_path: Path, kind: pa.DataType) -> None:
    seconds = pa.array([12, None, 1_700_000_000], pa.timestamp("s") if pa.types.is_timestamp(kind) else pa.int64())
    pq.write_table(pa.table({"ts": seconds.cast(kind)}), tmp_path / "a.parquet")
    times = opened(tmp_path, time="ts").poll(10, 0.0)[0].times
    np.testing.assert_array_equal(times, [12, np.nan, 1_700_000_000])
    assert np.isnan(opened(tmp_path, time="no").poll(10, 0.0)[0].times).all()


# -- following


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_a_growing_file_gives_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    source = opened(path, follow=True)
    assert (once(source), source.finished, source.bounded) == ([], False, False)
    append(path, b"1\n2")
    assert once(source) == [b"1"]
    append(path, b"3")
    assert once(source) == []
    append(path, b"\n4\n")
    pieces = source.poll(10, 0.0)
    assert rows_of(pieces) == [("a.jsonl-1", b"23"), ("a.jsonl-2", b"4")]
    append(path, b"5\n6")
    again = opened(path, pieces[-1].next, follow=True)
    assert once(again) == once(source) == [b"5"]


def test_what_comes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    source = opened(path, follow=True)
    timer = threading.Timer(0.1, append, (path, b"1\n"))
    timer.start()
    started = time.monotonic()
    assert rows_of(source.poll(10, 30.0)) == [("a.jsonl-0", b"1")]
    assert time.monotonic() - started < 20
    timer.join()


def later(source: LiveFileSource, rows: int) -> list[Any]:
    """The values of the next so many rows."""
    found: list[Any] = []
    until = time.monotonic() + 20
    while len(found) < rows and time.monotonic() < until:
        found += [value for _, value in rows_of(source.poll(10, 0.05))]
    return found


def test_a_folder_is_followed_from_file_to_file(tmp_path: Path) -> None:
    source = opened(tmp_path, follow=True)
    assert once(source) == []
    write(tmp_path, {"a.jsonl": b"1\n2"})
    assert later(source, 1) == [b"1"]
    write(tmp_path, {"b.jsonl": b"", "c.jsonl": b"4\n"})
    assert later(source, 2) == [b"2", b"4"]  # a.jsonl is complete now, its last line without an end


def test_a_folder_cleaned_meanwhile_is_followed_on(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": b"1\n"})
    source = opened(tmp_path, follow=True)
    assert once(source) == [b"1"]
    (tmp_path / "a.jsonl").unlink()
    assert once(source) == []
    write(tmp_path, {"b.jsonl": b"2\n"})
    assert later(source, 1) == [b"2"]


def test_a_file_that_comes_between_is_read_in_its_turn(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": b"1\n1\n", "c.jsonl": b"3\n"})
    source = opened(tmp_path, follow=True)
    assert once(source, 1) == [b"1"]
    write(tmp_path, {"b.jsonl": b"2\n"})
    time.sleep(0.25)  # listings have a pause between them
    assert later(source, 3) == [b"1", b"2", b"3"]


def test_nothing_is_assigned_and_nothing_comes(tmp_path: Path) -> None:
    source = LiveFileSource(write(tmp_path, {"a.jsonl": b"1\n"}))
    source.open(AT_LEAST)
    source.assign([])
    assert (source.poll(1, 0.0), source.finished, source.lag()) == ([], True, {})


def poll_until_refused(source: LiveFileSource, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        later(source, 1)


def test_rows_that_would_be_lost_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"b.jsonl": b"1\n"})
    source = opened(tmp_path, follow=True)
    assert once(source) == [b"1"]
    write(tmp_path, {"a.jsonl": b"0\n"})
    poll_until_refused(source, SourceError, r"a\.jsonl came after b\.jsonl")


def test_a_file_that_grows_after_its_successor_was_begun_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"a.jsonl": b"1\n", "b.jsonl": b"2\n"})
    source = opened(tmp_path, follow=True)
    assert later(source, 2) == [b"1", b"2"]
    append(tmp_path / "a.jsonl", b"0\n")
    poll_until_refused(source, SourceError, r"a\.jsonl grew after b\.jsonl was begun")


def replaced(path: Path) -> None:
    new = path.with_name("new")
    new.write_bytes(b"7\n8\n9\n")
    new.rename(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: os.truncate(path, 2), "was cut short"),
        (lambda path: path.write_bytes(b"7\n8\n9\n"), "was written anew"),
        (replaced, "was replaced by another file"),
    ],
)
def test_a_file_that_is_followed_may_only_grow(tmp_path: Path, change: Callable[[Path], Any], said: str) -> None:
    path = write(tmp_path, {"a.jsonl": b"1\n2\n"}) / "a.jsonl"
    source = opened(path, follow=True)
    assert once(source) == [b"1", b"2"]
    assert once(source) == []
    change(path)
    poll_until_refused(source, PositionError, said)


def test_a_writer_and_a_reader_that_is_killed_again_and_again(tmp_path: Path) -> None:
    """Lines are written in torn pieces over many files, while a reader is thrown away and resumed."""
    lines = [b'{"row":%d}' % row for row in range(3000)]

    def produce() -> None:
        random = np.random.default_rng(3)
        for number in range(10):
            with (tmp_path / f"{number:02}.jsonl").open("wb", buffering=0) as file:
                text = b"\n".join(lines[300 * number : 300 * (number + 1)]) + b"\n"
                while text:
                    cut = int(random.integers(1, 400))
                    file.write(text[:cut])
                    text = text[cut:]
                    time.sleep(0.0003)

    writer = threading.Thread(target=produce)
    writer.start()
    found: list[Any] = []
    position = None
    random = np.random.default_rng(4)
    until = time.monotonic() + 60
    while len(found) < len(lines) and time.monotonic() < until:
        source = opened(tmp_path, position, follow=True)
        for _ in range(int(random.integers(1, 6))):
            for piece in source.poll(int(random.integers(1, 200)), 0.01):
                found += piece.values
                position = json.loads(json.dumps(piece.next))
        source.close()
    writer.join()
    assert found == lines


# -- Parquet


def table(first: int, rows: int) -> pa.Table:
    return pa.table({"x": np.arange(first, first + rows) / 2, "c": [f"c{i % 3}" for i in range(rows)]})


def test_tables_come_as_columns_from_any_row(tmp_path: Path) -> None:
    pq.write_table(table(0, 1000), tmp_path / "a.parquet", row_group_size=70)
    pq.write_table(table(1000, 10), tmp_path / "b.parquet")
    expected = [
        (f"{name}-{row}", values)
        for name, part in (("a.parquet", table(0, 1000)), ("b.parquet", table(1000, 10)))
        for row, values in enumerate(part.to_pylist())
    ]
    source = opened(tmp_path)
    assert (source.format, source.lag()[tmp_path.name] > 0) == ("table", True)
    found, positions = [], []
    while not source.finished:
        for piece in source.poll(64, 0.0):
            found += rows_of([piece])
            positions.append((len(found), piece.next))
    assert found == expected
    for done, position in positions:
        assert read(opened(tmp_path, position), 500) == expected[done:]
    pq.write_table(table(5, 1000), tmp_path / "a.parquet", row_group_size=70)
    with pytest.raises(PositionError, match="is not the file"):
        opened(tmp_path, positions[0][1])
    pq.write_table(table(5, 10), tmp_path / "a.parquet")
    with pytest.raises(PositionError, match="shorter"):
        opened(tmp_path, positions[0][1])


def test_a_table_that_is_still_written_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = opened(tmp_path, follow=True, pattern="*.parquet")
    whole = tmp_path / "_whole"
    pq.write_table(table(0, 10), whole)
    (tmp_path / "a.parquet").write_bytes(whole.read_bytes()[:100])
    assert rows_of(source.poll(10, 0.5)) == []
    (tmp_path / "a.parquet").write_bytes(whole.read_bytes())
    assert len(later(source, 10)) == 10
    assert "waiting until a.parquet is whole" in caplog.text
    (tmp_path / "b.parquet").write_bytes(b"")
    (tmp_path / "c.parquet").write_bytes(b"")
    poll_until_refused(source, SourceError, r"b\.parquet is not a whole Parquet file")


# -- the sink: lines


def sink_of(path: Path, state: Any, worker: Worker = EXACTLY, **options: Any) -> FileSink:
    sink = FileSink(path, **options)
    sink.open(worker)
    sink.restore("s", state)
    return sink


def lines_in(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_came_after_the_state_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.jsonl"
    sink = sink_of(path, None)
    states = [sink.state("s")]
    for row in range(5):
        sink.write("s", Rows(row, row))
        sink.flush()
        states.append(json.loads(json.dumps(sink.state("s"))))
    sink.close()
    for rows in (5, 3, 3, 0):
        sink = sink_of(path, states[rows])
        assert lines_in(path) == [row for row in range(rows) for _ in range(2)]
        assert sink.state("s") == states[rows]
        sink.close()


def test_nothing_is_taken_away_that_may_be_somebody_elses(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("not ours\n")
    with pytest.raises(SinkError, match="move the file away"):
        sink_of(path, None)
    assert path.read_text() == "not ours\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: os.truncate(path, 3), "outputs are lost"),
        (lambda path: path.unlink(), "outputs are lost"),
        (lambda path: path.write_text("9\n9\n9\n"), "is not the file"),
    ],
)
def test_outputs_that_are_gone_are_an_error(tmp_path: Path, change: Callable[[Path], Any], said: str) -> None:
    path = tmp_path / "out.jsonl"
    sink = sink_of(path, None)
    sink.write("s", Rows(1, 2))
    sink.flush()
    state = sink.state("s")
    sink.close()
    change(path)
    with pytest.raises(SinkError, match=said):
        sink_of(path, state)


@pytest.mark.parametrize("state", [3, {}, {"bytes": -1, "rows": 0, "mark": ""}, {"parts": 1, "rows": 1}])
def test_what_is_no_state_is_said(tmp_path: Path, state: Any) -> None:
    with pytest.raises(SinkError, match="no state"):
        sink_of(tmp_path / "out.jsonl", state)


@pytest.mark.parametrize(
    ("there", "then"),
    [
        (b"1\n2\n", [1, 2, 3]),
        (b'1\n{"x": ', [1, 3]),
        (b'{"x": ', [3]),
        (b"1\n2", [1, 2, 3]),
        (b"", [3]),
        (b"1\n" + b"[" * 70_000, [1, 3]),
    ],
)
def test_a_torn_line_never_sticks_to_the_next(tmp_path: Path, there: bytes, then: list[Any]) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(there)
    sink = sink_of(path, None, AT_LEAST)
    sink.write("s", Rows(3))
    sink.flush()
    assert lines_in(path) == then


def test_at_least_once_takes_nothing_back(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = sink_of(path, None, AT_LEAST)
    sink.write("s", Rows(1))
    sink.flush()
    state = sink.state("s")
    sink.write("s", Rows(2))
    sink.flush()
    sink.close()
    sink = sink_of(path, state, AT_LEAST)
    sink.write("s", Rows(2))
    sink.flush()
    sink.close()
    assert lines_in(path) == [1, 2, 2]
    path.unlink()  # rotated
    sink = sink_of(path, state, AT_LEAST)
    sink.write("s", Rows(3))
    sink.flush()
    assert (lines_in(path), sink.state("s")["rows"]) == ([3], 1)


def test_each_shard_has_a_file_of_its_own(tmp_path: Path) -> None:
    many = Worker("test")
    for shards in (("events-0", "events-1"), ("a/b c",)):
        sink = FileSink(tmp_path / "out.jsonl")
        sink.open(many)
        for shard in shards:
            sink.restore(shard, None)
            sink.write(shard, Rows(shard))
        sink.flush()
        sink.close()
    names = ["out-a%2Fb c.jsonl", "out-events-0.jsonl", "out-events-1.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert lines_in(tmp_path / "out-events-1.jsonl") == ["events-1"]
    folder = FileSink(tmp_path / "folder")
    folder.open(many)
    assert folder.path_of("events-0") == tmp_path / "folder" / "events-0.jsonl"


def test_two_workers_never_write_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlearn.connectors.live_files.writer.WAIT_FOR_LOCK", 0.1)
    for name in ("out.jsonl", "out.parquet"):
        first = sink_of(tmp_path / name, None)
        with pytest.raises(SinkError, match="another worker or sink writes"):
            sink_of(tmp_path / name, None)
        first.release("s")
        sink_of(tmp_path / name, None).close()


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.rename(path.with_suffix(".1"))])
def test_a_file_that_is_removed_while_it_is_written_is_noticed(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    """Bytes go on into a file that has no name any more, or another: nothing of them may be committed."""
    path = tmp_path / "out.jsonl"
    for worker, said in ((EXACTLY, "bring the file back"), (AT_LEAST, "what was not committed goes to a new one")):
        sink = sink_of(path, None, worker)
        sink.write("s", Rows(1))
        sink.flush()
        state = sink.state("s")
        change(path)
        sink.write("s", Rows(2))
        with pytest.raises(SinkError, match=f"removed or replaced while it was written: {said}"):
            sink.flush()
        with pytest.raises(SinkError, match="removed or replaced"):
            sink.flush()
        sink.close()
    again = sink_of(path, state, AT_LEAST)  # it was rotated, and nothing but that
    again.write("s", Rows(2))
    again.flush()
    assert lines_in(path) == [2]


def test_a_record_with_a_line_end_is_refused(tmp_path: Path) -> None:
    class Torn(Rows):
        def messages(self, format: str = "json") -> Messages:
            return Messages([b"1\n2"])

    with pytest.raises(SinkError, match="line end"):
        sink_of(tmp_path / "out.jsonl", None).write("s", Torn(1))


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="compressed"):
        FileSink(tmp_path / "out.jsonl.gz")
    with pytest.raises(OptionError, match="format must be one of 'json', 'parquet'"):
        FileSink(tmp_path / "out.jsonl", format="avro")
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"can't write .*a file is in the way"):
        FileSink(tmp_path / "file" / "out.jsonl").open(EXACTLY)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 5)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 1_000)),
    ),
    max_size=25,
)


@anyhow
@given(steps, st.booleans(), st.booleans())
def test_whatever_a_crash_leaves_of_what_was_not_committed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], exactly: bool, zeros: bool
) -> None:
    """A crash keeps what a commit made safe, and of the rest any part: torn, or filled up with zeros by the disk."""
    worker = EXACTLY if exactly else AT_LEAST
    path = tmp_path_factory.mktemp("sink") / "out.jsonl"
    sink = sink_of(path, None, worker)
    row, most, committed, state = 0, 0, 0, sink.state("s")
    for step, number in [*steps, ("crash", 0), ("write", 1), ("commit", 0)]:
        if step == "write":
            sink.write("s", Rows(*({"row": r} for r in range(row, row + number))))
            row += number
            most = max(most, row)
        elif step == "flush":
            sink.flush()
        elif step == "commit":
            sink.flush()
            committed, state = row, json.loads(json.dumps(sink.state("s")))
        else:
            sink.close()
            size, safe = path.stat().st_size, state["bytes"]
            kept = safe + number % (size - safe + 1)
            os.truncate(path, kept)
            if zeros and exactly:
                os.truncate(path, size)
            sink = sink_of(path, state, worker)
            row = committed
    sink.close()
    found = [line["row"] for line in lines_in(path)]
    if exactly:
        assert found == list(range(row))
    else:
        assert set(range(row)) <= set(found) <= set(range(most))
        assert all(after <= before + 1 for before, after in itertools.pairwise(found))


# -- the sink: disks that are full, processes that are killed

CHILD = """
import json, resource, signal, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from test_live_files import EXACTLY, Rows, sink_of
from streamlearn.errors import SinkError
"""


def run_child(program: str, **options: Any) -> subprocess.Popen[str]:
    text = CHILD.format(tests=str(Path(__file__).parent)) + program
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, **options)


def test_a_full_disk_is_said_and_mended(tmp_path: Path) -> None:
    """The limit on a file's size stands for the disk; when there is room again, not a byte is lost or doubled."""
    path = tmp_path / "out.jsonl"
    child = run_child(f"""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sink = sink_of(Path({str(path)!r}), None)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_003, resource.RLIM_INFINITY))
row = 0
try:
    while True:
        sink.write("s", Rows(*range(row, row + 1000)))
        row += 1000
        sink.flush()
except SinkError as error:
    print(error)
try:
    sink.flush()
except SinkError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sink.flush()
print(json.dumps([row, sink.state("s")]))
""")
    first, second, last = child.communicate(timeout=60)[0].splitlines()
    assert first.partition(" (")[0] == second.partition(" (")[0]  # how much is free may have changed
    assert "full" in first
    assert "make room" in first
    rows, state = json.loads(last)
    assert lines_in(path) == list(range(rows))
    assert (state["bytes"], state["rows"]) == (path.stat().st_size, rows)


def test_a_sync_that_failed_is_final_until_the_state_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed sync Linux calls the lost pages clean, and a second sync succeeds: it must not be believed."""
    sink = sink_of(tmp_path / "out.jsonl", None)
    sink.write("s", Rows(1))
    sink.flush()
    state = sink.state("s")
    sink.write("s", Rows(2))

    def fail(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(SinkError, match="could not be synced"):
            sink.flush()
    for call in (sink.flush, lambda: sink.write("s", Rows(3))):
        with pytest.raises(SinkError, match="go back to the last checkpoint"):
            call()
    sink.restore("s", state)
    assert lines_in(tmp_path / "out.jsonl") == [1]


def test_a_part_that_a_full_disk_cut_short_never_appears(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    child = run_child(f"""
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rows = [{{"x": str(x * 7919 % 1_000_003)}} for x in range(50_000)]
sink = sink_of(Path({str(path)!r}), None)
sink.write("s", Rows(*rows[:10]))
sink.flush()
state = sink.state("s")
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        sink.write("s", Rows(*rows))
        sink.flush()
    except SinkError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sink.restore("s", state)
print(sorted(path.name for path in Path({str(path)!r}).iterdir()))
sink.write("s", Rows(*rows[10:]))
sink.flush()
""")
    first, second, names = child.communicate(timeout=60)[0].splitlines()
    assert "full" in first
    assert "go back to the last checkpoint" in second
    assert names == "['.lock', 'part-00000000.parquet']"
    assert pq.read_table(path).column("x").to_pylist() == [str(x * 7919 % 1_000_003) for x in range(50_000)]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_writer_that_is_killed_leaves_each_row_once(tmp_path: Path, name: str) -> None:
    """A worker writes, flushes and commits its state, and is killed at random; its successor goes on from the state."""
    path, states = tmp_path / name, tmp_path / "states"
    program = f"""
path, states = Path({str(path)!r}), Path({str(states)!r})
row, state = json.loads(states.read_text()) if states.exists() else (0, None)
sink = sink_of(path, state)
while row < 10_000:
    for _ in range(5):
        sink.write("s", Rows(*({{"row": r}} for r in range(row, row + 20))))
        row += 20
    sink.flush()
    new = states.with_name("new")
    new.write_text(json.dumps([row, sink.state("s")]))
    if row == 100:
        print("begun", flush=True)
    new.replace(states)
    time.sleep(0.002)
print("begun\\ndone", flush=True)
time.sleep(60)
"""
    sink_of(path, None).close()
    states.write_text(json.dumps([0, sink_state(path)]))
    random = np.random.default_rng(5)
    killed_at = []
    for kill in range(7):
        child = run_child(program)
        assert child.stdout is not None
        if kill < 6:
            if kill == 0:
                child.stdout.readline()
            else:
                wait_for_new(states)
            time.sleep(float(random.uniform(0, 0.05)))
            child.send_signal(signal.SIGKILL)
            killed_at.append(json.loads(states.read_text())[0])
        else:
            assert "done" in [child.stdout.readline().strip() for _ in range(2)]
            child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
    rows = lines_in(path) if name.endswith("jsonl") else pq.read_table(path).to_pylist()
    assert rows == [{"row": row} for row in range(10_000)]
    assert killed_at[2] < 10_000  # it was killed at work, not at rest


def sink_state(path: Path) -> Any:
    sink = sink_of(path, None)
    state = sink.state("s")
    sink.close()
    return state


def wait_for_new(path: Path) -> None:
    """Wait until a file is written again."""
    before, until = path.stat().st_mtime_ns, time.monotonic() + 30
    while path.stat().st_mtime_ns == before and time.monotonic() < until:
        if json.loads(path.read_text())[0] >= 10_000:
            return
        time.sleep(0.005)


# -- the sink: Parquet


def test_each_commit_with_rows_is_a_part(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = sink_of(path, None)
    states = []
    for rows in ([{"x": 1}, {"x": 2}], [], [{"x": 3}]):
        sink.write("s", Rows(*rows))
        sink.flush()
        states.append(sink.state("s"))
    assert states == [{"parts": 1, "rows": 2}, {"parts": 1, "rows": 2}, {"parts": 2, "rows": 3}]
    assert pq.read_table(path).to_pylist() == [{"x": 1}, {"x": 2}, {"x": 3}]
    sink.write("s", Rows({"x": 4}))
    sink.close()
    sink = sink_of(path, states[1])
    assert pq.read_table(path).to_pylist() == [{"x": 1}, {"x": 2}]
    sink.close()
    with pytest.raises(SinkError, match="1 parts that this pipeline's checkpoints know nothing of"):
        sink_of(path, None)
    sink = sink_of(path, states[0], AT_LEAST)
    sink.write("s", Rows({"x": 5}))
    sink.flush()
    assert sorted(p.name for p in path.glob("part*")) == ["part-00000000.parquet", "part-00000001.parquet"]


def test_committed_parts_may_be_moved_away(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = sink_of(path, None)
    sink.write("s", Rows({"x": 1}))
    sink.flush()
    state = sink.state("s")
    sink.close()
    (path / "part-00000000.parquet").unlink()
    sink = sink_of(path, state)
    sink.write("s", Rows({"x": 2}))
    sink.flush()
    assert [p.name for p in path.glob("part*")] == ["part-00000001.parquet"]


def test_many_rows_of_a_part_do_not_wait_in_memory(tmp_path: Path) -> None:
    sink = sink_of(tmp_path / "out.parquet", None)
    for first in range(0, 200_000, 50_000):
        sink.write("s", Rows(*({"x": x} for x in range(first, first + 50_000))))
    assert not list((tmp_path / "out.parquet").glob("part*"))
    sink.flush()
    found = pq.ParquetFile(tmp_path / "out.parquet" / "part-00000000.parquet")
    assert (found.metadata.num_rows, found.metadata.num_row_groups) == (200_000, 2)


def test_shards_are_parts_of_one_data_set(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "out", format="parquet")
    sink.open(Worker("test"))
    for shard in ("events-0", "events-1"):
        sink.restore(shard, None)
        sink.write(shard, Rows({"x": shard[-1]}))
    sink.flush()
    found = pq.read_table(tmp_path / "out").to_pylist()
    assert found == [{"x": "0", "shard": "events-0"}, {"x": "1", "shard": "events-1"}]


# -- the console


def test_the_console_prints_lines(capsys: pytest.CaptureFixture[str]) -> None:
    sink = ConsoleSink()
    sink.open(AT_LEAST)
    sink.restore("s", None)
    sink.write("s", Rows({"x": 1}, {"x": "ä"}))
    sink.flush()
    assert capsys.readouterr().out == '{"x": 1}\n{"x": "\\u00e4"}\n'
    with pytest.raises(OptionError, match="type file or kafka"):
        sink.open(EXACTLY)


def test_they_are_found_by_name() -> None:
    assert registry.load("live_sources", "file") is LiveFileSource
    assert registry.load("sinks", "file") is FileSink
    assert registry.load("sinks", "console") is ConsoleSink
