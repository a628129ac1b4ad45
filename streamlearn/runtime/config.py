"""The pipeline file: its keys, how they are checked, and the parts that they describe."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from .. import models, registry
from ..durations import PATTERN, parse_duration
from ..errors import OptionError, StreamlearnError
from ..format import Format, Roles
from ..live import Guarantee, LiveSource
from ..schema import Kind, Policy
from ..sink import Sink
from . import parts
from .layers import Layers, Path_, add_environment, add_flags, dotted, from_file, from_mapping, to_yaml
from .secrets import is_secret, masked


def _typed(spec: Any) -> Any:
    if not isinstance(spec, dict) or not isinstance(spec.get("type"), str):
        raise ValueError("write a mapping with the key type, such as {type: file, path: …}")
    return spec


def _learner(spec: Any) -> Any:
    if isinstance(spec, str) and spec.strip():
        return spec
    if not isinstance(spec, dict) or not isinstance(spec.get("type"), str):
        raise ValueError("write NAME:param=value or a mapping with the key type")
    return spec


def _detector(spec: Any) -> Any:
    if isinstance(spec, str) and spec.strip():
        name, params = registry.parse_call(spec)
        return {"detector": name, **params}
    if not isinstance(spec, dict) or not isinstance(spec.get("detector"), str):
        raise ValueError("write NAME:param=value or a mapping with the key detector")
    return spec


def _listed(value: Any) -> Any:
    return [] if value is None else value if isinstance(value, list) else [value]


def _part(name: str, *, text: bool = False) -> WithJsonSchema:
    """A place for a registered part in the JSON schema, which json_schema.py fills."""
    of = {"part": name}
    return WithJsonSchema({"anyOf": [{"type": "string"}, of]} if text else of)


def _one_or_more(name: str, *, text: bool = False) -> WithJsonSchema:
    one = [{"part": name}, *([{"type": "string"}] if text else [])]
    return WithJsonSchema({"anyOf": [*one, {"type": "array", "items": {"anyOf": one}}, {"type": "null"}]})


Source = Annotated[dict[str, Any], BeforeValidator(_typed), _part("source")]
SinkSpec = Annotated[dict[str, Any], BeforeValidator(_typed), _part("sink")]
Sinks = Annotated[list[SinkSpec], BeforeValidator(_listed), _one_or_more("sink")]
LearnerSpec = Annotated[str | dict[str, Any], BeforeValidator(_learner), _part("learner", text=True)]
Detectors = Annotated[
    list[Annotated[dict[str, Any], BeforeValidator(_detector)]],
    BeforeValidator(_listed),
    _one_or_more("detector", text=True),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{PATTERN}$"}]}),
]
PositiveSeconds = Annotated[Seconds, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
RowPolicy = Literal["dead_letter", "skip", "stop"]


class Keys(BaseModel):
    """Keys of the file: unknown ones are errors, and what is read does not change."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, masked(value, name)


class SchemaConfig(Keys):
    """What the columns of the stream mean."""

    target: str | None = None
    """The column with the label."""
    id: str | None = None
    """The column that identifies an event; late labels find it by this, or else by the record's id."""
    event_time: str | None = None
    """The column that says when an event happened: seconds since the epoch, or ISO 8601 text."""
    weight: str | None = None
    """The column with a row's weight."""
    fields: dict[str, Kind] = {}
    """Kinds of fields, numeric or nominal; those not listed are inferred from the first rows, then fixed."""
    unknown: Policy = "grow"
    """What an unknown field, category or class does: error rejects the record, ignore drops it, grow adds it."""
    infer_rows: int = Field(default=1000, ge=1)
    """Rows from which the fields are inferred."""


class LabelsConfig(Keys):
    """Where labels come from, and how long a prediction waits for its own."""

    from_: Annotated[
        Literal["record"] | dict[str, Any],
        BeforeValidator(lambda value: value if value == "record" else _typed(value)),
        WithJsonSchema({"anyOf": [{"const": "record"}, {"part": "source"}]}),
    ] = Field(default="record", alias="from")
    """``record``: each event has its label in it; or a source of labels that come later."""
    key: str | None = None
    """The field of a label that says whose it is; by default it is called as schema.id."""
    label: str | None = None
    """The field with the label itself; by default it is called as schema.target."""
    ttl: PositiveSeconds | None = None
    """How long after its event, in event time, a label is waited for; none waits for ever, within the bounds."""
    default: str | int | float | bool | None = None
    """The label that is learned when none came in time; none learns nothing then."""
    max_rows: int = Field(default=1_000_000, ge=1)
    """Predictions that wait at most; the oldest is given up for a new one."""
    max_early: int = Field(default=100_000, ge=0)
    """Labels that came before their events and are kept, at most."""


class KeysConfig(Keys):
    """How many of the models, one a key, are kept in memory."""

    max_hot: int = Field(default=10_000, ge=1)
    """Models in memory; others lie on the disk until their key comes again."""


class CheckpointConfig(Keys):
    """Where and how often the state is made safe."""

    dir: Path = Path("state")
    """The folder of the checkpoints, one for the pipeline; relative paths begin in the current directory."""
    every: PositiveSeconds = 5.0
    """Time between two commits."""
    rows: int | None = Field(default=None, ge=1)
    """Rows after which a commit takes place even before its time."""
    keep: int = Field(default=3, ge=1)
    """Checkpoints that are kept."""
    pickle: bool = False
    """Whether River's and scikit-learn's models may be kept as pickles, which run code when they are read."""
    on_missing: Literal["fail", "fresh"] = "fail"
    """Where positions were committed but the checkpoint that belongs to them is gone: fail, or begin afresh."""


class SinkErrors(Keys):
    """How often writing is tried again."""

    retries: int = Field(default=6, ge=0)
    """Times that a failed write is tried again before the worker ends; by default for about a minute, which is longer
    than a group remembers a worker that was killed (45 s)."""
    backoff: PositiveSeconds = 1.0
    """The first wait; it doubles each time."""


class ErrorsConfig(Keys):
    """What happens to a record that can't be used; by default it becomes a dead letter, or stops the worker if there is
    no dead_letter."""

    decode: RowPolicy | None = None
    """A record that can't be read."""
    process: RowPolicy | None = None
    """A row that the learner refuses."""
    label: RowPolicy | None = None
    """A label that can't be read, or is none."""
    sink: SinkErrors = SinkErrors()
    """Writing that fails."""


class BatchConfig(Keys):
    """How many records are taken at a time."""

    rows: int = Field(default=1000, ge=1, le=1_000_000)
    """Records at most."""
    wait: Seconds = 0.01
    """How long the first record of a batch is waited for."""


class PrometheusConfig(Keys):
    """Where metrics and health are served."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=9108, ge=0, le=65535)
    """The port; the second of several workers takes the next one, and so on. 0: any that is free."""
    max_series: int = Field(default=200, ge=1, le=100_000)
    """Series at most of a metric that has one for each partition, shard or learner."""


class LogsConfig(Keys):
    """What is logged, to the standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """From which level on."""
    format: Literal["text", "json"] = "text"
    """Lines for people, or an object a line."""


class TelemetryConfig(Keys):
    """How the pipeline can be watched."""

    prometheus: PrometheusConfig | None = None
    """The endpoint for Prometheus, with /health, /ready and /status; none: no endpoint."""
    logs: LogsConfig = LogsConfig()
    """Logs."""
    spans: bool = False
    """Whether OpenTelemetry spans are made."""
    webhook: str | dict[str, Any] | None = None
    """An address to which drift alarms are posted as JSON; the same as ``alarms: {type: webhook, url: …}``."""
    stall_after: PositiveSeconds = 30.0
    """Time without a turn of the loop after which the worker counts as stalled."""


class StopConfig(Keys):
    """When the pipeline ends by itself; for tests and bounded runs."""

    rows: int | None = Field(default=None, ge=1)
    """After so many events."""
    idle: PositiveSeconds | None = None
    """When nothing came for so long."""
    at_end: bool = True
    """At the end of a bounded source."""


class PipelineConfig(Keys):
    """A pipeline over a live stream: source, learner, sinks, and what keeps them safe."""

    name: Name
    """Names the checkpoints, the metrics and, with the worker's name, the transactional id."""
    source: Source
    """Where events come from."""
    schema_: SchemaConfig = Field(default=SchemaConfig(), alias="schema")
    """What the columns mean."""
    learner: LearnerSpec | None = None
    """The learner, NAME:param=value or {type: NAME, param: value}."""
    learners: dict[Name, LearnerSpec] | None = Field(default=None, min_length=1)
    """Several learners by name, instead: the first is the champion, whose predictions count."""
    key: str | None = None
    """A column; one model is kept for each of its values."""
    keys: KeysConfig = KeysConfig()
    """Bounds of the models by key."""
    scope: Literal["partition", "worker"] = "partition"
    """One model for each partition, which moves with it; or one for all partitions of a worker."""
    labels: LabelsConfig = LabelsConfig()
    """Where labels come from."""
    metrics: list[Annotated[str, _part("metric")]] | None = None
    """What is measured, test-then-train; by default accuracy and kappa, or mae and rmse."""
    window: int = Field(default=1000, ge=1)
    """Rows of the metrics' sliding window."""
    drift: Detectors = []
    """Detectors that watch each learner's errors."""
    alarms: Sinks = []
    """Where drift alarms go: sinks, or {type: webhook, url: …}."""
    sink: Sinks = []
    """Where predictions go."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """Checkpoints."""
    guarantee: Guarantee = "at-least-once"
    """What is promised about each event, whatever crashes."""
    dead_letter: Annotated[
        dict[str, Any] | None,
        BeforeValidator(lambda value: value if value is None else _typed(value)),
        WithJsonSchema({"anyOf": [{"part": "sink"}, {"type": "null"}]}),
    ] = None
    """Where records go that can't be used."""
    errors: ErrorsConfig = ErrorsConfig()
    """What is done about records that can't be used, and writes that fail."""
    batch: BatchConfig = BatchConfig()
    """How records are taken together."""
    telemetry: TelemetryConfig = TelemetryConfig()
    """Metrics, logs, spans."""
    stop: StopConfig = StopConfig()
    """When it ends by itself."""

    _layers: Layers = PrivateAttr(default_factory=Layers)

    # -- reading --------------------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls, path: str | Path, environ: Mapping[str, str] | None = None, overrides: Iterable[str] = ()
    ) -> PipelineConfig:
        """Read a pipeline file; the environment overrides it, and ``overrides`` override both.

        Parameters
        ----------
        path
            A YAML file.
        environ
            Environment variables, by default those of this process: ``STREAMLEARN__CHECKPOINT__DIR`` overrides
            ``checkpoint.dir``, and ``${NAME}`` in a value stands for the variable.
        overrides
            Texts such as ``"checkpoint.dir=./state"``.

        Raises
        ------
        OptionError
            If anything is unknown or out of range: the message names the line, the key, and the near name.
        FileNotFoundError
            If there is no such file.
        """
        environ = os.environ if environ is None else environ
        layers = from_file(Path(path), environ)
        add_environment(layers, environ)
        add_flags(layers, overrides)
        return cls._checked(layers)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], overrides: Iterable[str] = ()) -> PipelineConfig:
        """Check settings that a program gives, with the keys of the pipeline file.

        Raises
        ------
        OptionError
            As of `load`.

        Examples
        --------
        >>> PipelineConfig.from_mapping({"name": "power", "source": {"type": "file"}, "lerner": "naive_bayes"})
        Traceback (most recent call last):
        streamlearn.errors.OptionError: pipeline: lerner: unknown key; did you mean learner?
        """
        layers = from_mapping(values)
        add_flags(layers, overrides)
        return cls._checked(layers)

    @classmethod
    def _checked(cls, layers: Layers) -> PipelineConfig:
        try:
            config = cls.model_validate(layers.values)
        except ValidationError as error:
            raise _explained([_problem(cls, details) for details in error.errors()], layers) from None
        config._layers = layers
        wrong = list(config._problems())
        if wrong:
            raise _explained(wrong, layers)
        return config

    @model_validator(mode="before")
    @classmethod
    def _webhook_among_alarms(cls, values: Any) -> Any:
        """``alarms: {type: webhook, url: …}`` says the same as ``telemetry: {webhook: …}``: it is no sink."""
        alarms = _listed(values.get("alarms")) if isinstance(values, dict) else []
        hooks = [spec for spec in alarms if isinstance(spec, dict) and spec.get("type") == "webhook"]
        if not hooks:
            return values
        telemetry = values.get("telemetry") or {}
        if len(hooks) > 1 or not isinstance(hooks[0].get("url"), str) or telemetry.get("webhook"):
            raise ValueError("one webhook takes alarms, written alarms: {type: webhook, url: …}")
        webhook = {key: value for key, value in hooks[0].items() if key != "type"}
        others = [spec for spec in alarms if spec is not hooks[0]]
        return {**values, "alarms": others, "telemetry": {**telemetry, "webhook": webhook}}

    def _problems(self) -> Iterator[parts.Problem]:
        """What is wrong between keys, and in what registered parts are given."""
        yield from _below(("source",), _source_problems(self.source))
        for name, spec in self._learners_as_written():
            yield from _below(name, parts.learner_problems(spec))
        if (self.learner is None) == (self.learners is None):
            yield (), "say which learner: learner: NAME, or several under learners"
        if isinstance(self.labels.from_, dict):
            yield from _below(("labels", "from"), _source_problems(self.labels.from_))
            if self.label_key is None:
                yield ("labels",), "say which field of a label names its event, labels: {key: …} or schema: {id: …}"
            if self.label_field is None:
                yield ("labels",), "say what the label is called, labels: {label: …} or schema: {target: …}"
        else:
            unused = ("key", "ttl", "default", "max_rows", "max_early")
            for key in [key for key in unused if getattr(self.labels, key) != getattr(LabelsConfig(), key)]:
                yield ("labels", key), "is for labels that come later: say from which source, labels: {from: {type: …}}"
        for key in ("sink", "alarms"):
            for i, spec in enumerate(getattr(self, key)):
                yield from _below((key, i), parts.problems("sinks", spec))
        if self.dead_letter is not None:
            yield from _below(("dead_letter",), parts.problems("sinks", self.dead_letter))
        for stage in ("decode", "process", "label"):
            if getattr(self.errors, stage) == "dead_letter" and self.dead_letter is None:
                yield (
                    ("errors", stage),
                    "there is no dead_letter: say where they go, such as {type: file, path: dead.jsonl}",
                )
        for i, spec in enumerate(self.drift):
            for path, message in parts.problems("detectors", _as_typed(spec)):
                yield ("drift", i, *(("detector",) if path == ("type",) else path)), message
        if self.keys != KeysConfig() and self.key is None:
            yield ("keys",), "is for models by key: name the column, key: …"
        if self.metrics is not None:
            yield from _metric_problems(self.metrics)

    def _learners_as_written(self) -> Iterator[tuple[Path_, Any]]:
        if self.learner is not None:
            yield ("learner",), self.learner
        for name, spec in (self.learners or {}).items():
            yield ("learners", name), spec

    # -- what the rest of the runtime asks ------------------------------------------------------------------------

    @property
    def learner_specs(self) -> dict[str, Any]:
        """The learners as written, by name, the champion first; a single one is called ``champion``."""
        return dict(self.learners) if self.learners is not None else {"champion": self.learner}

    @property
    def label_field(self) -> str | None:
        """What the label is called where it is read."""
        return self.labels.label or self.schema_.target

    @property
    def label_key(self) -> str | None:
        """The field of a late label that names its event."""
        return self.labels.key or self.schema_.id

    @property
    def late_labels(self) -> bool:
        """Whether labels come from a source of their own."""
        return self.labels.from_ != "record"

    def policy(self, stage: Literal["decode", "process", "label"]) -> RowPolicy:
        """What is done with a record that a stage refuses."""
        written: RowPolicy | None = getattr(self.errors, stage)
        return written or ("stop" if self.dead_letter is None else "dead_letter")

    def roles(self, task: str = "classification") -> Roles:
        """What the columns mean, for a format."""
        kinds = self.schema_
        return Roles(
            target=kinds.target or self.label_field,
            id=kinds.id,
            event_time=kinds.event_time,
            weight=kinds.weight,
            key=self.key,
            fields=cast(Any, kinds.fields),
            target_kind="numeric" if task == "regression" else "nominal",
            unknown=kinds.unknown,
            labelled=not self.late_labels,
        )

    def make_source(self) -> LiveSource:
        """The source of events, not yet open."""
        with self._located(("source",)):
            source: LiveSource = parts.make("live_sources", _plain_format(self.source))
        return source

    def make_labels_source(self) -> LiveSource | None:
        """The source of labels, not yet open; None if events have theirs in them."""
        if not isinstance(self.labels.from_, dict):
            return None
        with self._located(("labels", "from")):
            source: LiveSource = parts.make("live_sources", _plain_format(self.labels.from_))
        return source

    def make_format(self, name: str, of: Literal["source", "labels"] = "source") -> Format:
        """The format of a source's records: the one that `LiveSource.format` names, with the options of the file."""
        spec = self.source if of == "source" else self.labels.from_
        assert isinstance(spec, dict)
        written = spec.get("format")
        options = {**written, "type": name} if isinstance(written, dict) else {"type": name}
        with self._located(("source", "format") if of == "source" else ("labels", "from", "format")):
            format: Format = parts.make("formats", options)
        return format

    def make_learners(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The learners by name, the champion first: those given, and else made: learners, or the user's functions."""
        made = {}
        for (path, spec), name in zip(self._learners_as_written(), self.learner_specs, strict=True):
            if given and name in given:
                made[name] = given[name]
                continue
            with self._located(path):
                made[name] = parts.make_learner(spec)
        return made

    def make_detector(self, i: int) -> Any:
        """A detector for one learner's errors."""
        with self._located(("drift", i)):
            return models.make_detector(_as_typed(self.drift[i]))

    def make_sink(self, key: Literal["sink", "alarms"], i: int) -> Sink:
        """A sink of predictions or of drift alarms, not yet open; a webhook is none."""
        return self._make_sinks(key, [getattr(self, key)[i]], i)[0]

    def make_dead_letter(self) -> Sink | None:
        """The sink of records that can't be used, not yet open."""
        return None if self.dead_letter is None else self._make_sinks("dead_letter", [self.dead_letter])[0]

    def _make_sinks(self, key: str, specs: list[dict[str, Any]], first: int = 0) -> list[Sink]:
        made: list[Sink] = []
        for i, spec in enumerate(specs, first):
            with self._located((key, i)):
                made.append(parts.make("sinks", spec))
        return made

    @contextmanager
    def _located(self, path: Path_) -> Iterator[None]:
        """Say in errors where the file describes the part."""
        try:
            yield
        except OptionError as error:
            raise OptionError(f"{self._layers.origin(path)}: {dotted(_shown(path, self._layers))}: {error}") from error

    def fingerprint(self) -> dict[str, Any]:
        """What a checkpoint depends on, in one form however it was written, as nested JSON."""
        return {
            "learners": {name: parts.normal_form("learners", spec) for name, spec in self.learner_specs.items()},
            "schema": self.schema_.model_dump(mode="json"),
            "key": self.key,
            "scope": self.scope,
            "labels": {
                "from": "source" if self.late_labels else "record",
                "key": self.label_key if self.late_labels else None,
                "label": self.label_field,
                "ttl": self.labels.ttl,
                "default": self.labels.default,
            },
            "metrics": self.metrics,
            "window": self.window,
            "drift": [parts.normal_form("detectors", _as_typed(spec)) for spec in self.drift],
        }

    def to_dict(self) -> dict[str, Any]:
        """All settings, defaults included and secrets masked, as JSON: for logs and people."""
        shown: dict[str, Any] = masked(self.model_dump(mode="json", by_alias=True))
        return shown

    def to_yaml(self) -> str:
        """A pipeline file with all settings, defaults included and secrets masked."""
        return to_yaml(self.to_dict())

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON schema of the file, with the options of every registered part."""
        from .json_schema import json_schema

        return json_schema(cls)


def _below(path: Path_, problems: Iterable[parts.Problem]) -> Iterator[parts.Problem]:
    for rest, message in problems:
        yield (*path, *rest), message


def _plain_format(spec: dict[str, Any]) -> dict[str, Any]:
    """A source's options; of a format with options it is told the name."""
    return {**spec, "format": spec["format"].get("type")} if isinstance(spec.get("format"), dict) else spec


def _source_problems(spec: dict[str, Any]) -> Iterator[parts.Problem]:
    yield from parts.problems("live_sources", _plain_format(spec))
    written = spec.get("format")
    if isinstance(written, dict):
        if isinstance(written.get("type"), str):
            yield from _below(("format",), parts.problems("formats", written))
        else:
            yield ("format",), "write a format's name, or a mapping with the key type"
    elif written is not None and written not in registry.names("formats"):
        try:
            yield ("format",), str(registry.unknown_name("format", str(written), registry.names("formats")))
        except StreamlearnError as error:
            yield ("format",), str(error)


def _as_typed(spec: dict[str, Any]) -> dict[str, Any]:
    return {"type": spec["detector"]} | {key: value for key, value in spec.items() if key != "detector"}


def _metric_problems(metrics: list[str]) -> Iterator[parts.Problem]:
    from ..evaluation.metrics import METRICS

    for i, name in enumerate(metrics):
        if name not in METRICS:
            yield ("metrics", i), str(registry.unknown_name("metric", name, METRICS))


def _explained(problems: list[parts.Problem], layers: Layers) -> OptionError:
    """One error for all problems, a line each: where it is, the key, what is wrong."""
    lines = []
    for path, message in sorted(problems, key=lambda problem: _line(layers.origin(problem[0]))):
        shown = dotted(_shown(path, layers))
        lines.append(": ".join(filter(None, [layers.origin(path), shown, message])))
    return OptionError("\n".join(lines))


def _line(origin: str) -> int:
    number = origin.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _shown(path: Path_, layers: Layers) -> Path_:
    """A path as it was written: a single sink is no list."""
    if len(path) > 1 and path[1] == 0 and path[:2] not in layers.origins:
        return (path[0], *path[2:])
    return path


def _problem(top: type[BaseModel], details: Any) -> parts.Problem:
    """What pydantic found, in our words."""
    path: Path_ = tuple(details["loc"])
    if details["type"] == "extra_forbidden":
        known = _known_keys(top, path[:-1])
        close = registry.near(str(path[-1]), known)
        return path, "unknown key; " + (f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}")
    if details["type"] == "missing":
        return path, "is missing"
    if details["type"] == "string_pattern_mismatch":
        return path, f"a name has letters, digits, '.', '_' and '-' only, got {details['input']!r}"
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if details["type"] == "value_error" or is_secret(path[-1] if path else None):
        return path, message
    return path, f"{message}, got {masked(details['input'], path[-1])!r}"


def _known_keys(model: type[BaseModel], path: Path_) -> list[str]:
    """The keys that are known at a path of the file."""
    for key in path:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        model = next(_models(fields[str(key)].annotation), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
