"""Dead letters are listed by reason, and their records sent once more: byte for byte, and once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlearn.addresses import sink_at, source_at
from streamlearn.cli import main
from streamlearn.errors import InputError, SinkError
from streamlearn.live import Worker
from streamlearn.records import Records, Rejected
from streamlearn.runtime.deadletters import Ledger, read, replay
from streamlearn.runtime.outputs import DeadLetters
from streamlearn.testing import Item, MemoryBroker, MemorySink, MemorySource

VALUES = [b'{"x": ', b"\xff\xfe", b"", b'{"x":"a"}', b'"\xc3\xa4'] + [b"%d" % i for i in range(20)]


def letters_of(first: int = 0, partition: str = "events-3") -> DeadLetters:
    """Dead letters with keys and headers."""
    n = len(VALUES)
    records = Records(
        partition,
        partition,
        np.arange(first, first + n),
        first + n,
        VALUES,
        keys=[b"k%d" % i if i % 2 else None for i in range(n)],
        headers=[[("trace", b"\x00%d" % i), ("empty", None)] for i in range(n)],
        times=np.arange(n, dtype=float),
    )
    return DeadLetters.of("power", "decode", records, [Rejected(i, f"reason {i % 3}") for i in range(n)], 3)


def written(path: Path, *outputs: DeadLetters) -> Path:
    """A file of dead letters, as a pipeline's sink of files writes it."""
    sink = sink_at(str(path))
    sink.open(Worker("power", single=True))
    sink.restore("s", None)
    for output in outputs:
        sink.write("s", output)
    sink.flush()
    sink.close()
    return path


def sent(broker: MemoryBroker) -> list[tuple[Any, ...]]:
    return [(entry.value, entry.key, list(entry.headers), entry.number) for entry in broker.read("again")]


def expected(first: int = 0) -> list[tuple[Any, ...]]:
    return [
        (
            value,
            b"k%d" % i if i % 2 else None,
            [("trace", b"\x00%d" % i), ("empty", None), ("streamlearn.replayed", b"events-3-%d" % (first + i))],
            3,
        )
        for i, value in enumerate(VALUES)
    ]


def test_records_are_replayed_as_they_came_and_once(tmp_path: Path) -> None:
    path = written(tmp_path / "dead.jsonl", letters_of(), letters_of())  # twice, as after a restart
    broker = MemoryBroker({})
    ledger = tmp_path / "dead.jsonl.replayed"

    def again(**options: Any) -> Any:
        return replay(read(source_at(str(path))), MemorySink(broker, "again"), Ledger(ledger), to="here", **options)

    outcome = again()
    assert (outcome.sent, outcome.before) == (len(VALUES), len(VALUES))
    assert sent(broker) == expected()
    assert again().sent == 0
    written(path, letters_of(first=100))
    assert again().sent == len(VALUES)
    assert sent(broker) == expected() + expected(100)
    assert again(again=True).sent == 2 * len(VALUES)


def test_letters_in_a_topic_are_read_with_their_headers() -> None:
    raw = letters_of().messages("raw")
    assert raw.keys is not None
    assert raw.headers is not None
    items = [Item(value, raw.keys[i], raw.headers[i]) for i, value in enumerate(raw.values)]
    broker = MemoryBroker({"dead": [items[::2], items[1::2]]})
    letters = sorted(read(MemorySource(broker, "dead")), key=lambda letter: letter.offset)
    for letter, original in zip(letters, letters_of().letters, strict=True):
        for name in ("pipeline", "stage", "reason", "partition", "record", "offset", "time", "key", "value"):
            assert getattr(letter, name) == getattr(original, name), name
        assert list(letter.headers) == list(original.headers)


def test_some_are_chosen_and_a_limit_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "dead.jsonl", letters_of())
    broker = MemoryBroker({})
    ledger = Ledger(tmp_path / "ledger")
    sink = MemorySink(broker, "again")
    for limit, count in ((3, 3), (100, 6), (100, 0)):
        letters = read(source_at(str(path)))
        done = replay(letters, sink, ledger, to="x", chosen=lambda letter: letter.reason == "reason 0", limit=limit)
        assert done.sent == count
    assert [entry[0] for entry in sent(broker)] == VALUES[::3]


def test_a_replay_that_fails_notes_nothing_that_was_not_sent(tmp_path: Path) -> None:
    path = written(tmp_path / "dead.jsonl", letters_of())
    broker = MemoryBroker({}, keep_unflushed=False)
    broker.fail("sink.flush", SinkError("full"))
    ledger = tmp_path / "ledger"
    with pytest.raises(SinkError, match="full"):
        replay(read(source_at(str(path))), MemorySink(broker, "again"), Ledger(ledger), to="x")
    assert not ledger.exists()
    assert replay(read(source_at(str(path))), MemorySink(broker, "again"), Ledger(ledger), to="x").sent == len(VALUES)
    ledger.write_bytes(ledger.read_bytes()[:-5])  # torn by a crash: one record is sent again
    assert replay(read(source_at(str(path))), MemorySink(broker, "again"), Ledger(ledger), to="x").sent == 1
    assert [json.loads(line)["to"] for line in ledger.read_text().splitlines()] == ["x"] * len(VALUES)


def test_what_is_no_dead_letter_is_said(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    path.write_text('{"x": 1}\n')
    with pytest.raises(InputError, match=r"record dead\.jsonl-0 is no dead letter"):
        list(read(source_at(str(path))))
    (tmp_path / "ledger").write_text("[]\n")
    with pytest.raises(InputError, match="is no ledger"):
        Ledger(tmp_path / "ledger")


# -- the command


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["streamlearn", "deadletter", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_the_command_lists_and_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "dead.jsonl", letters_of())
    assert run(monkeypatch, "list", "dead.jsonl") == 0
    shown = capsys.readouterr().out
    assert "25 dead letters, 0 of them replayed" in shown
    assert shown.split("\n")[1].split() == ["9", "0", "power", "decode", "reason", "0", "events-3-0", "events-3-24"]
    assert run(monkeypatch, "list", "dead.jsonl", "--records", "--reason", "reason 1", "--limit", 2) == 0
    assert capsys.readouterr().out.splitlines()[0] == "events-3-1  decode: reason 1  b'\\xff\\xfe'"
    assert run(monkeypatch, "list", "dead.jsonl", "--limit", 1) == 0
    assert "2 more reasons" in capsys.readouterr().out
    command = "replay", "dead.jsonl", "--to", "again.jsonl"
    assert run(monkeypatch, *command, "--reason", "reason 0") == 0
    assert "replayed 9 records to again.jsonl" in capsys.readouterr().out
    assert run(monkeypatch, *command) == 0
    assert "replayed 16 records to again.jsonl; 9 were replayed before" in capsys.readouterr().out
    lines = (tmp_path / "again.jsonl").read_bytes().split(b"\n")[:-1]
    assert sorted(lines) == sorted(VALUES)
    assert run(monkeypatch, "replay", "dead.jsonl", "--to", "new.jsonl") == 0
    assert not (tmp_path / "new.jsonl").exists()
    capsys.readouterr()
    assert run(monkeypatch, "list", "dead.jsonl", "--stage", "label") == 0
    assert capsys.readouterr().out == "0 dead letters, 0 of them replayed\n"
    assert run(monkeypatch, "replay", "dead.jsonl", "--to", "again.parquet", "--again") == 1
    assert "not to Parquet" in capsys.readouterr().err
