"""What a pipeline writes: predictions, dead letters and alarms, as JSON lines, as messages and as columns."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Self

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType

from ..errors import OptionError
from ..records import Header, Records, Rejected
from ..sink import Messages, Output, only_json
from .observer import Alarm, Stage

_EXCERPT = 200  # characters of a dead letter's value that are shown as text

_utf8 = codecs.getincrementaldecoder("utf-8")
_encoder = msgspec.json.Encoder(enc_hook=str)


@dataclass(slots=True)
class Answers:
    """What one learner said of some rows.

    Parameters
    ----------
    prediction : int64 [n] or float64 [n]
        Codes of classes, -1 where there is no prediction yet; or numbers, NaN where there is none.
    probabilities : float64 [n, k], optional
        Of the first ``k`` classes.
    known : int64 [n], optional
        How many classes were known when each row was predicted, never falling: others are not told of, so that what
        is written does not depend on how rows are cut into batches. By default all.
    """

    prediction: np.ndarray
    probabilities: np.ndarray | None = None
    known: np.ndarray | None = None


class _Line(msgspec.Struct, gc=False):
    prediction_id: str
    id: Any
    key: Any
    event_time: Any
    prediction: Any
    probabilities: Any
    model_version: Any
    details: Any
    shadows: Any


class _Answer(msgspec.Struct, gc=False):
    prediction: Any
    probabilities: Any


@dataclass(slots=True)
class Predictions(Output):
    """Predictions of consecutive rows of one partition.

    As JSON, one object a prediction: ``prediction_id``, ``id``, ``key`` and ``event_time`` where the schema names such
    columns, ``prediction`` (the label as it came, or a number), ``probabilities`` by label where the learner gives
    them, ``model_version``, ``details`` where the learner says more, such as what leaves a cache, and ``shadows`` by
    name where there are some. What is not known is null.

    Parameters
    ----------
    prediction_id
        The ids of the records.
    champion
        The answers that count.
    classes
        The labels in code order; None where predictions are numbers.
    otherwise
        The label that stands for -1: the first class where classes are declared.
    id, event_time, key
        The columns of the `Batch`.
    model_version
        Which model predicted.
    details
        What else the learner says of each row, by name.
    shadows
        The answers of others, which are only written down.
    record_keys
        The records' keys, to be passed on.
    number
        As in `Messages`.

    Examples
    --------
    >>> champion = Answers(np.array([1, -1]), np.array([[0.25, 0.75], [np.nan, np.nan]]))
    >>> predictions = Predictions(["t-0-7", "t-0-8"], champion, ["no", "yes"], model_version="3")
    >>> for line in predictions.messages().values:
    ...     print(line.decode())
    {"prediction_id":"t-0-7","prediction":"yes","probabilities":{"no":0.25,"yes":0.75},"model_version":"3"}
    {"prediction_id":"t-0-8","prediction":null,"probabilities":{"no":null,"yes":null},"model_version":"3"}
    """

    prediction_id: Sequence[str]
    champion: Answers
    classes: Sequence[Hashable] | None = None
    otherwise: Hashable | None = None
    id: pa.Array | None = None
    event_time: np.ndarray | None = None
    key: pa.Array | None = None
    model_version: str | None = None
    details: Mapping[str, np.ndarray] | None = None
    shadows: Mapping[str, Answers] = field(default_factory=dict)
    record_keys: Sequence[bytes | None] | None = None
    number: int | None = None

    def __len__(self) -> int:
        return len(self.prediction_id)

    def messages(self, format: str = "json") -> Messages:
        """One JSON object a prediction, under the key of its record.

        Raises
        ------
        OptionError
            If the format is another.
        """
        only_json("predictions", format)
        n = len(self)
        texts = None if self.classes is None else _texts(tuple(self.classes))
        lines = map(
            _Line,
            self.prediction_id,
            _absent(n) if self.id is None else self.id.to_pylist(),
            _absent(n) if self.key is None else self.key.to_pylist(),
            _absent(n) if self.event_time is None else self.event_time.tolist(),
            self._labels(self.champion),
            self._probabilities(self.champion, texts),
            _absent(n) if self.model_version is None else [self.model_version] * n,
            self._details(),
            self._shadows(texts) if self.shadows else _absent(n),
        )
        return Messages(_lines(list(lines)), keys=self.record_keys, number=self.number)

    def table(self) -> pa.RecordBatch:
        """Columns of the same names; ids and labels as text, so that their types stay what they are."""
        n = len(self)
        columns: dict[str, pa.Array] = {"prediction_id": pa.array(self.prediction_id, pa.string())}
        for name, values in (("id", self.id), ("key", self.key)):
            if values is not None:
                columns[name] = pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())
        if self.event_time is not None:
            columns["event_time"] = _numbers(self.event_time)
        columns["prediction"] = self._column(self.champion)
        if self.classes is not None:
            columns["probabilities"] = _maps(self.champion, _texts(tuple(self.classes)), n)
        columns["model_version"] = pa.array([self.model_version] * n, pa.string())
        for name, values in (self.details or {}).items():
            columns[f"detail.{name}"] = pa.array(values.tolist())
        for name, answers in self.shadows.items():
            columns[f"shadow.{name}"] = self._column(answers)
        return pa.RecordBatch.from_pydict(columns)

    def _labels(self, answers: Answers) -> list[Any]:
        if self.classes is None:
            return answers.prediction.tolist()
        labels = [*self.classes, self.otherwise]  # the last one is that of -1
        return [labels[code] for code in answers.prediction.tolist()]

    def _column(self, answers: Answers) -> pa.Array:
        if self.classes is None:
            return _numbers(answers.prediction)
        texts = [*_texts(tuple(self.classes)), None if self.otherwise is None else _text(self.otherwise)]
        return pa.array([texts[code] for code in answers.prediction.tolist()], pa.string())

    def _probabilities(self, answers: Answers, texts: tuple[str, ...] | None) -> Sequence[Any]:
        if answers.probabilities is None or texts is None:
            return _absent(len(self))
        told: list[Any] = []
        for start, stop, k in _runs(answers, len(self)):
            told += _by_name(texts[:k])(answers.probabilities[start:stop, :k])
        return told

    def _details(self) -> Sequence[Any]:
        if self.details is None:
            return _absent(len(self))
        return [dict(zip(self.details, row, strict=True)) for row in zip(*self.details.values(), strict=True)]

    def _shadows(self, texts: tuple[str, ...] | None) -> Sequence[Any]:
        each = [
            list(map(_Answer, self._labels(answers), self._probabilities(answers, texts)))
            for answers in self.shadows.values()
        ]
        names = list(self.shadows)
        return [dict(zip(names, row, strict=True)) for row in zip(*each, strict=True)]


class Letter(msgspec.Struct):
    """A dead letter as JSON; bytes are in base64, and `decode` gives them back.

    Attributes
    ----------
    record
        The record's id.
    time
        When the record was written, in seconds since the epoch, where that is known.
    value_text
        The beginning of the value, for reading; None where it is no text.
    """

    pipeline: str
    stage: str
    reason: str
    partition: str
    record: str
    offset: int
    time: float | None
    key: bytes | None
    headers: list[tuple[str, bytes | None]]
    value: bytes | None
    value_text: str | None

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Read what `DeadLetters.messages` wrote.

        Raises
        ------
        ValueError
            If it is no dead letter.
        """
        return msgspec.json.decode(line, type=cls)


@dataclass(slots=True)
class DeadLetters(Output):
    """Records that were set aside, with their bytes as they came.

    Examples
    --------
    >>> records = Records("t-0", "t-0", np.array([7]), 8, [b"{"])
    >>> letters = DeadLetters.of("power", "decode", records, [Rejected(0, "Input data was truncated")])
    >>> Letter.decode(letters.messages().values[0]).value
    b'{'
    """

    letters: list[Letter]
    number: int | None = None

    @classmethod
    def of(
        cls, pipeline: str, stage: Stage, records: Records, rejected: Sequence[Rejected], number: int | None = None
    ) -> Self:
        """The dead letters of some ``records``; a columnar record becomes a JSON object."""
        letters = []
        for bad in rejected:
            row = bad.row
            value = _row_of(records.table, row) if records.table is not None else records.values[row]
            letters.append(
                Letter(
                    pipeline,
                    stage,
                    bad.reason,
                    records.partition,
                    records.id(row),
                    int(records.offsets[row]),
                    None if records.times is None else _known(float(records.times[row])),
                    None if records.keys is None else records.keys[row],
                    [] if records.headers is None else list(records.headers[row]),
                    value,
                    _excerpt(value),
                )
            )
        return cls(letters, number)

    def __len__(self) -> int:
        return len(self.letters)

    def messages(self, format: str = "json") -> Messages:
        """One JSON object a letter; or ``"raw"``: the record as it came, with headers ``streamlearn.…`` that say why.

        Raises
        ------
        OptionError
            If the format is another.
        """
        if format == "json":
            return Messages(_lines(self.letters), number=self.number)
        if format == "raw":
            return Messages(
                [letter.value or b"" for letter in self.letters],
                [letter.key for letter in self.letters],
                [[*letter.headers, *_notes(letter)] for letter in self.letters],
                self.number,
            )
        raise OptionError(f"dead letters are written as json or raw, not as {format!r}")

    def table(self) -> pa.RecordBatch:
        """Columns of the same names, bytes as binary."""
        header = pa.struct([("name", pa.string()), ("value", pa.binary())])
        text, binary = pa.string(), pa.binary()
        kinds = [text, text, text, text, text, pa.int64(), pa.float64(), binary, pa.list_(header), binary, text]
        schema = pa.schema(list(zip(Letter.__struct_fields__, kinds, strict=True)))
        rows = [
            {
                **msgspec.structs.asdict(letter),
                "headers": [{"name": name, "value": value} for name, value in letter.headers],
            }
            for letter in self.letters
        ]
        return pa.RecordBatch.from_pylist(rows, schema=schema)


@dataclass(slots=True)
class Alarms(Output):
    """Drifts and warnings, as events."""

    alarms: list[Alarm]
    number: int | None = None

    def __len__(self) -> int:
        return len(self.alarms)

    def messages(self, format: str = "json") -> Messages:
        """One JSON object an alarm, with the members of `Alarm`.

        Raises
        ------
        OptionError
            If the format is another.
        """
        only_json("alarms", format)
        return Messages(_lines(self.alarms), number=self.number)

    def table(self) -> pa.RecordBatch:
        """Columns of the same names."""
        text = pa.string()
        schema = pa.schema(
            [
                *((name, text) for name in ("pipeline", "shard", "learner", "detector", "level", "record")),
                ("row", pa.int64()),
                ("event_time", pa.float64()),
            ]
        )
        rows = [asdict(alarm) for alarm in self.alarms]
        return pa.RecordBatch.from_pylist(rows, schema=schema)


# -- JSON


def _lines(rows: Sequence[Any]) -> list[bytes]:
    """Each row as JSON: in one call, which is far quicker than a call a row; a line end is never inside a value."""
    return _encoder.encode_lines(rows).split(b"\n")[:-1] if rows else []


def _absent(n: int) -> list[UnsetType]:
    return [UNSET] * n


def _text(label: Hashable) -> str:
    return label if isinstance(label, str) else msgspec.json.encode(label, enc_hook=str).decode()


def _texts(classes: tuple[Hashable, ...]) -> tuple[str, ...]:
    """The classes as the names of members; should a number look like a text, its type tells them apart."""
    taken = {label for label in classes if isinstance(label, str)}
    texts = []
    for label in classes:
        text = _text(label)
        texts.append(f"{text} ({type(label).__name__})" if not isinstance(label, str) and text in taken else text)
    return tuple(texts)


@lru_cache(maxsize=64)
def _by_name(names: tuple[str, ...]) -> Callable[[np.ndarray], list[Any]]:
    """Makes of a matrix one object a row, with a member a column; a struct, since it is encoded faster than a dict."""
    members = [(f"f{i}", float, msgspec.field(name=name)) for i, name in enumerate(names)]
    try:
        struct: Any = msgspec.defstruct("Probabilities", members, gc=False)
    except ValueError:  # a name that a struct can't have, such as one with a quote in it
        return lambda matrix: [dict(zip(names, row, strict=True)) for row in matrix.tolist()]
    if not names:
        return lambda matrix: [{} for _ in matrix]
    return lambda matrix: list(map(struct, *matrix.T.tolist()))


# -- columns


def _numbers(values: np.ndarray) -> pa.Array:
    floats = values.astype(np.float64)
    return pa.array(floats, mask=np.isnan(floats))


def _maps(answers: Answers, names: tuple[str, ...], n: int) -> pa.Array:
    kind = pa.map_(pa.string(), pa.float64())
    matrix = answers.probabilities
    if matrix is None:
        return pa.nulls(n, kind)
    parts = []
    for start, stop, k in _runs(answers, n):
        offsets = pa.array(np.arange(stop - start + 1, dtype=np.int32) * k)
        keys = pa.array(list(names[:k]) * (stop - start), pa.string())
        parts.append(pa.MapArray.from_arrays(offsets, keys, _numbers(matrix[start:stop, :k].ravel())))
    return pa.concat_arrays(parts) if parts else pa.array([], kind)


def _runs(answers: Answers, n: int) -> list[tuple[int, int, int]]:
    """Runs of rows for which as many classes were known: their beginning, their end, the number of classes."""
    assert answers.probabilities is not None
    width = answers.probabilities.shape[1]
    if answers.known is None or not n:
        return [(0, n, width)]
    known = np.minimum(answers.known, width)
    bounds = [0, *(np.flatnonzero(np.diff(known)) + 1).tolist(), n]
    return [(start, stop, int(known[start])) for start, stop in pairwise(bounds)]


# -- dead letters


def _row_of(table: pa.RecordBatch, row: int) -> bytes:
    return msgspec.json.encode(table.slice(row, 1).to_pylist()[0], enc_hook=str)


def _known(number: float) -> float | None:
    return None if number != number else number


def _excerpt(value: bytes | None) -> str | None:
    if value is None:
        return None
    head = value[: 4 * _EXCERPT]
    try:
        return _utf8().decode(head, final=len(head) == len(value))[:_EXCERPT]  # else the last character may be cut
    except UnicodeDecodeError:
        return None


def _notes(letter: Letter) -> list[Header]:
    notes: dict[str, str] = {
        "reason": letter.reason,
        "stage": letter.stage,
        "record": letter.record,
        "pipeline": letter.pipeline,
    }
    if letter.time is not None:
        notes["time"] = repr(letter.time)
    return [(f"streamlearn.{name}", text.encode()) for name, text in notes.items()]
