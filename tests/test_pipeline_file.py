"""The pipeline file: what it may say, what overrides it, and what a wrong one is told."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from live_parts import installed

from streamlearn import durations, registry
from streamlearn.errors import OptionError
from streamlearn.runtime import layers
from streamlearn.runtime.config import PipelineConfig

MINIMAL = """\
name: power
source: {type: well, path: events}
schema: {target: class}
learner: naive_bayes
"""


@pytest.fixture(autouse=True, scope="module")
def _parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, installed(tmp_path_factory.mktemp("parts"), patch):
        yield


def load(folder: Path, text: str, *overrides: str, environ: dict[str, str] | None = None) -> PipelineConfig:
    file = folder / "power.yaml"
    file.write_text(text, encoding="utf-8")
    return PipelineConfig.load(file, environ or {}, overrides)


def refusal(folder: Path, text: str, *overrides: str, environ: dict[str, str] | None = None) -> str:
    """What the file's author is told, without the folder."""
    with pytest.raises(OptionError) as raised:
        load(folder, text, *overrides, environ=environ)
    return str(raised.value).replace(f"{folder}/", "")


# -- reading ------------------------------------------------------------------------------------------------------


def test_the_smallest_file_has_safe_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, MINIMAL)
    assert config.guarantee == "at-least-once"
    assert (config.checkpoint.dir, config.checkpoint.every, config.checkpoint.keep) == (Path("state"), 5.0, 3)
    assert config.checkpoint.on_missing == "fail"
    assert config.policy("decode") == "stop"  # nothing is thrown away unless somebody says so
    assert config.sink == []
    assert config.learner_specs == {"champion": "naive_bayes"}
    assert not config.late_labels
    assert config.telemetry.prometheus is None


EVERYTHING = """\
name: fraud-1
source: {type: well, path: events, topics: [a, b], depth: 7, format: plain, options: {sasl.password: hunter2}}
schema:
  target: class
  id: event_id
  event_time: ts
  weight: w
  fields: {day: nominal, none: numeric, 1: nominal}
  unknown: error
  infer_rows: 50
learners:
  champion: standard_scaler | logistic_regression:learning_rate=0.1
  shadow: {type: hoeffding_tree_classifier, grace_period: 50, delta: 1e-5}
key: customer
keys: {max_hot: 10}
scope: worker
labels: {from: {type: well, path: labels}, key: of, label: says, ttl: 7d, default: no, max_rows: 10, max_early: 5}
metrics: [accuracy, kappa]
window: 100
drift: [adwin:delta=0.01, {detector: ddm, warm_start: 50}]
alarms: {type: drain, path: alarms}
sink:
  - {type: drain, path: out}
  - {type: drain, path: copy, password: "1234"}
checkpoint: {dir: ./s, every: 250ms, rows: none, keep: 5, on_missing: fresh}
guarantee: exactly-once
dead_letter: {type: drain, path: dead}
errors: {decode: skip, label: stop, sink: {retries: 2, backoff: 100ms}}
batch: {rows: 10, wait: 0}
telemetry: {prometheus: {port: 0}, logs: {level: debug, format: json}, spans: true, webhook: "https://h/x"}
stop: {rows: 1000, idle: 5s, at_end: false}
"""


def test_every_key(tmp_path: Path) -> None:
    config = load(tmp_path, EVERYTHING)
    assert list(config.learner_specs) == ["champion", "shadow"]
    assert config.schema_.fields == {"day": "nominal", "none": "numeric", "1": "nominal"}
    assert config.labels.ttl == 7 * 86400
    assert config.labels.default == "no"  # YAML 1.2: text, not false
    assert (config.label_key, config.label_field, config.late_labels) == ("of", "says", True)
    assert config.drift == [{"detector": "adwin", "delta": 0.01}, {"detector": "ddm", "warm_start": 50}]
    assert [spec["path"] for spec in config.sink] == ["out", "copy"]
    assert (config.checkpoint.every, config.checkpoint.rows) == (0.25, None)
    assert [config.policy(stage) for stage in ("decode", "process", "label")] == ["skip", "dead_letter", "stop"]
    assert config.errors.sink.backoff == 0.1
    assert config.stop.idle == 5.0
    roles = config.roles("regression")
    assert (roles.target, roles.id, roles.event_time, roles.weight, roles.key) == (
        "class",
        "event_id",
        "ts",
        "w",
        "customer",
    )
    assert (roles.target_kind, roles.unknown) == ("numeric", "error")


def test_a_mapping_says_the_same_as_the_file(tmp_path: Path) -> None:
    spec = yaml.safe_load(MINIMAL)
    assert PipelineConfig.from_mapping(spec).to_dict() == load(tmp_path, MINIMAL).to_dict()
    assert spec == yaml.safe_load(MINIMAL)  # untouched


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-7", 1e-7),
        ("-.5", -0.5),
        ("010", 10),
        ("no", "no"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("12:30", "12:30"),
        ("true", True),
        ("none", None),
        ('"none"', "none"),
        ("~", None),
        ("", None),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("nothing", "nothing"),
    ],
)
def test_values_are_read_as_yaml_12_reads_them(tmp_path: Path, written: str, value: Any) -> None:
    config = load(
        tmp_path, MINIMAL.replace("path: events", "path: events, options: {x: VALUE}").replace("VALUE", written)
    )
    found = config.source["options"]["x"]
    assert (found, type(found)) == (value, type(value))


def test_anchors_share_options(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "source: {type: well, path: events}",
        "source: &well\n  type: well\n  path: $${X}${Y:-z}\nlabels:\n  key: id\n  from: {<<: *well, depth: 9}",
    )
    config = load(tmp_path, text)
    assert config.source == {"type": "well", "path": "${X}z"}
    assert config.labels.from_ == {"type": "well", "path": "${X}z", "depth": 9}


# -- what overrides the file --------------------------------------------------------------------------------------


def test_environment_overrides_the_file_and_flags_override_both(tmp_path: Path) -> None:
    environ = {
        "STREAMLEARN__CHECKPOINT__DIR": "/from/environment",
        "STREAMLEARN__CHECKPOINT__EVERY": "2s",
        "STREAMLEARN__SCHEMA__FIELDS__DAYOFWEEK": "numeric",
        "STREAMLEARN__BATCH__ROWS": "7",
        "STREAMLEARN__SOURCE__OPTIONS": "{security.protocol: SSL}",
        "STREAMLEARN_DATA": "/elsewhere",
    }
    text = MINIMAL.replace("{target: class}", "{target: class, fields: {dayOfWeek: nominal}}")
    config = load(tmp_path, text, "checkpoint.every=3s", "learner=hoeffding_tree_classifier", environ=environ)
    assert config.checkpoint.dir == Path("/from/environment")
    assert config.checkpoint.every == 3.0
    assert config.schema_.fields == {"dayOfWeek": "numeric"}
    assert config.batch.rows == 7
    assert config.source["options"] == {"security.protocol": "SSL"}
    assert config.learner == "hoeffding_tree_classifier"


def test_flags_reach_into_lists_and_below_options(tmp_path: Path) -> None:
    text = MINIMAL + "sink: [{type: drain, path: a}, {type: drain, path: b}]\n"
    config = load(tmp_path, text, "sink.1.path=c", "source.options.sasl.mechanism=PLAIN", "stop.rows=none")
    assert [spec["path"] for spec in config.sink] == ["a", "c"]
    assert config.source["options"] == {"sasl.mechanism": "PLAIN"}


def test_secrets_from_outside_stay_text(tmp_path: Path) -> None:
    text = MINIMAL + "sink: {type: drain, path: a, password: none}\n"
    assert load(tmp_path, text, environ={"STREAMLEARN__SINK__PASSWORD": "0042"}).sink[0]["password"] == "0042"
    assert load(tmp_path, text, "sink.password=12").sink[0]["password"] == "12"
    written = MINIMAL + "sink:\n  type: drain\n  path: a\n  password: ${PW}\n"
    assert load(tmp_path, written, environ={"PW": "1e5"}).sink[0]["password"] == "1e5"


def test_variables_stand_for_themselves_in_values(tmp_path: Path) -> None:
    text = MINIMAL.replace("{type: well, path: events}", "\n  type: well\n  path: ${DIR}/x\n  depth: ${DEPTH:-12}")
    config = load(tmp_path, text, environ={"DIR": "/data"})
    assert config.source == {"type": "well", "path": "/data/x", "depth": 12}
    injected = load(tmp_path, text, environ={"DIR": "a\nname: evil", "DEPTH": "1"})
    assert injected.source["path"] == "a\nname: evil/x"
    assert injected.name == "power"


WRONG_FLAGS = [
    ("checkpoint.evry=1s", "--set checkpoint.evry: checkpoint.evry: unknown key; did you mean every?"),
    ("checkpoint", "--set checkpoint: write key=value, such as checkpoint.dir=./state"),
    ("learner.delta=1", "--set learner.delta: learner is 'naive_bayes', which has no keys: write it as a mapping"),
    ("batch.rows=many", "--set batch.rows: batch.rows: should be a valid integer, unable to parse"),
    ("drift.2=adwin", "--set drift.2: drift is a list of 1: write its number, from 0, not 2"),
    ("metrics=[a", "--set metrics: not readable as YAML: "),
]


@pytest.mark.parametrize(("override", "message"), WRONG_FLAGS)
def test_a_wrong_flag_is_told_apart(tmp_path: Path, override: str, message: str) -> None:
    assert refusal(tmp_path, MINIMAL + "drift: [ddm]\n", override).startswith(message)


def test_a_wrong_variable_is_told_apart(tmp_path: Path) -> None:
    environ = {"STREAMLEARN__BATCH__ROWS": "0"}
    assert refusal(tmp_path, MINIMAL, environ=environ) == (
        "STREAMLEARN__BATCH__ROWS: batch.rows: should be greater than or equal to 1, got 0"
    )


# -- what a wrong file is told ------------------------------------------------------------------------------------

WRONG = [
    ("checkpont: {dir: a}", "5: checkpont: unknown key; did you mean checkpoint?"),
    ("checkpoint:\n  dir: a\n  evry: 3", "7: checkpoint.evry: unknown key; did you mean every?"),
    ("errors: {sink: {retry: 1}}", "5: errors.sink.retry: unknown key; did you mean retries?"),
    ("checkpoint: {every: soon}", "5: checkpoint.every: a duration is a number of seconds, or text such as '250ms', "
     "'90s', '5min' or '7d'; got 'soon'"),
    ("checkpoint: {every: 0}", "5: checkpoint.every: should be greater than 0, got 0"),
    ("guarantee: exactly", "5: guarantee: should be 'at-most-once', 'at-least-once' or 'exactly-once', got 'exactly'"),
    ("metrics: [acuracy]", "5: metrics.0: unknown metric 'acuracy'; did you mean accuracy or balanced_accuracy?"),
    ("drift: adwim", "5: drift.detector: unknown detector 'adwim'; did you mean adwin or ddm?"),
    ("drift: [adwin:detla=1]", "5: drift.0.detla: adwin has no option 'detla'; did you mean delta?"),
    ("drift: {type: adwin}", "5: drift: write NAME:param=value or a mapping with the key detector"),
    ("sink: predictions.jsonl", "5: sink: write a mapping with the key type, such as {type: file, path: …}"),
    ("sink: {type: drian, path: x}", "5: sink.type: unknown sink 'drian'; did you mean drain?"),
    ("sink: {type: drain}", "5: sink: drain needs path"),
    ("sink:\n - {type: drain, path: x}\n - {type: drain, pth: x, path: y}", "7: sink.1.pth: drain has no option 'pth'; "
     "did you mean path?"),
    ("errors: {decode: dead_letter}", "5: errors.decode: there is no dead_letter: say where they go, such as "
     "{type: file, path: dead.jsonl}"),
    ("keys: {max_hot: 5}", "5: keys: is for models by key: name the column, key: …"),
    ("labels: {ttl: 7d}", "5: labels.ttl: is for labels that come later: say from which source, "
     "labels: {from: {type: …}}"),
    ("labels: {from: {type: well, path: l}}", "5: labels: say which field of a label names its event, "
     "labels: {key: …} or schema: {id: …}"),
    ("learners: {a: naive_bayes}", "1: say which learner: learner: NAME, or several under learners"),
    ("alarms: {type: webhook}", "1: one webhook takes alarms, written alarms: {type: webhook, url: …}"),
    ("window: no", "5: window: should be a valid integer, unable to parse string as an integer, got 'no'"),
    ("window: 1\nwindow: 2", "6: window is written twice, first in line 5"),
    ("labels: &a {from: *a}", "5: labels.from: an alias contains itself"),
    ("sink: {type: drain, path: ${X}}", "5: not readable as YAML: "),
    ("sink: {type: drain, path: \"${X}\"}", "5: sink.path: the environment variable X is not set; a default is "
     "written ${X:-…}"),
    ("? [a]\n: 1", "5: a key must be text"),
    ("x: [", "6: not readable as YAML"),
    ("window: !!int x", " not readable as YAML"),
    ("window: !!python/object:os.system {}", "5: not readable as YAML"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    found = refusal(tmp_path, MINIMAL + line + "\n")
    assert found.startswith(f"power.yaml:{message}")
    assert "\n" not in found


WRONG_PARTS = [
    ("naive_bayes", "naive_bays", "4: learner: unknown learner 'naive_bays'; did you mean naive_bayes?"),
    ("naive_bayes", "{type: naive_bayes, x: 1}", "4: learner.x: naive_bayes has no option 'x'"),
    ("naive_bayes", "{type: river, model: x}", "4: learner.model: say what to import: model: 'module:name'"),
    ("naive_bayes", "{type: function}", "4: learner: say what to import: call: 'module:name'"),
    ("naive_bayes", "{type: chain, steps: [standard_scalr, naive_bayes]}", "4: learner.steps.0: unknown learner"),
    ("naive_bayes", "naive_bayes | | x:y", "4: learner: "),
    ("well", "wells", "2: source.type: unknown live source 'wells'; did you mean well?"),
    ("events", "events, format: jsn", "2: source.format: unknown format 'jsn'"),
    ("events", "events, format: {type: sealed}", "2: source.format: sealed needs schema_file"),
    ("events", "events, format: {schema_file: x}", "2: source.format: write a format's name, or a mapping with"),
    ("power", "a b", "1: name: a name has letters, digits, '.', '_' and '-' only, got 'a b'"),
]


@pytest.mark.parametrize(("word", "wrong", "message"), WRONG_PARTS, ids=[wrong for _, wrong, _ in WRONG_PARTS])
def test_a_wrong_part_is_named(tmp_path: Path, word: str, wrong: str, message: str) -> None:
    assert refusal(tmp_path, MINIMAL.replace(word, wrong)).startswith(f"power.yaml:{message}")


@pytest.mark.parametrize("text", ["", "- a", "words"])
def test_a_file_is_a_mapping(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text) == "power.yaml: expected a mapping of keys, such as name: …"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, "name: a") == "power.yaml:1: source: is missing"


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = MINIMAL.replace("naive_bayes", "naive_bays") + "drift: adwim\nmetrics: [acuracy]\n"
    lines = refusal(tmp_path, text).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["power.yaml:4", "power.yaml:5", "power.yaml:6"]


def test_ranges_are_told_with_their_place_when_parts_are_made(tmp_path: Path) -> None:
    config = load(
        tmp_path, MINIMAL.replace("events}", "events, depth: -1}").replace("naive_bayes", "pa_classifier:C=-1")
    )
    with pytest.raises(OptionError, match=r"power\.yaml:2: source: well: depth must be a whole number >= 0, got -1"):
        config.make_source()
    with pytest.raises(OptionError, match=r"power\.yaml:4: learner: pa_classifier: C must be"):
        config.make_learners()


@given(st.text(alphabet="abc:{}[]#&*!|>'\"%@`-,? \n\t$\\\x00é", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(OptionError):
        assert isinstance(layers.from_text(text, "x.yaml", {}).values, dict)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")))
PLAIN = st.sampled_from(["none", "no", "1e3", "${A}", "$${A}", "~", "<<", "010"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | PLAIN,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_is_written_is_read_again(values: dict[str, Any]) -> None:
    assert layers.from_text(layers.to_yaml(values), "x.yaml", {}).values == values


# -- parts --------------------------------------------------------------------------------------------------------


def test_parts_are_made_with_their_options(tmp_path: Path) -> None:
    text = EVERYTHING.replace("format: plain", "format: {type: sealed, schema_file: a.avsc}")
    config = load(tmp_path, text)
    source = config.make_source()
    assert (source.path, source.topics, source.depth, source.format) == ("events", ["a", "b"], 7, "sealed")  # type: ignore[attr-defined]
    assert config.make_format("sealed").schema_file == "a.avsc"  # type: ignore[attr-defined]
    labels = config.make_labels_source()
    assert labels is not None
    assert labels.path == "labels"  # type: ignore[attr-defined]
    assert [config.make_sink("sink", i).path for i in range(2)] == ["out", "copy"]  # type: ignore[attr-defined]
    assert config.make_sink("alarms", 0).path == "alarms"  # type: ignore[attr-defined]
    dead = config.make_dead_letter()
    assert dead is not None
    assert [repr(config.make_detector(i)) for i in range(2)] == ["ADWIN(delta=0.01)", "DDM(warm_start=50)"]
    learners = config.make_learners()
    assert list(learners) == ["champion", "shadow"]
    assert learners["shadow"].params["grace_period"] == 50


def test_learners_of_ones_own(tmp_path: Path) -> None:
    text = MINIMAL.replace(
        "learner: naive_bayes",
        "learners:\n"
        "  f: {type: function, call: 'live_parts_module:always', answer: no}\n"
        "  r: {type: river, model: 'live_parts_module:make_bayes', smoothing: 2}\n"
        "  t: {type: river, model: 'river.tree:HoeffdingTreeClassifier', grace_period: 50}\n"
        "  s: {type: sklearn, model: 'sklearn.linear_model:SGDClassifier', classes: [a, b], alpha: 1e-4}\n"
        "  c: {type: chain, steps: [standard_scaler, {type: pa_classifier, C: 0.5}]}",
    )
    made = load(tmp_path, text).make_learners()
    assert made["f"].call({"x": 1}) == "no"
    assert made["r"].model.alpha == 2
    assert made["t"].model.grace_period == 50
    assert made["s"].model.alpha == 1e-4
    assert made["c"].steps[1].params["C"] == 0.5


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{type: function, call: 'no_such_module:f'}", "no_such_module:f can't be imported: No module named"),
        ("{type: function, call: 'math:f'}", "math:f can't be imported"),
        ("{type: function, call: 'math:pi'}", "math:pi is a float, which can't be called"),
        ("{type: river, model: 'river.tree:HoeffdingTreeClassifier', grace: 1}", "can't be called with grace"),
        ("{type: river, model: 'builtins:dict'}", "from_river takes a River classifier"),
        ("{type: sklearn, model: 'builtins:dict'}", "dict has none"),
    ],
)
def test_what_cannot_be_imported_is_told(tmp_path: Path, spec: str, message: str) -> None:
    config = load(tmp_path, MINIMAL.replace("naive_bayes", spec))
    with pytest.raises(OptionError, match=f"power.yaml:4: learner: .*{re.escape(message)}"):
        config.make_learners()


def test_a_module_in_the_current_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_model.py").write_text("def guess(x):\n    return 'a'\n")
    (tmp_path / "json.py").write_text("raise SystemExit('a file that stands in for a module of Python')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    config = load(tmp_path, MINIMAL.replace("naive_bayes", "{type: function, call: 'my_own_model:guess'}"))
    assert config.make_learners()["champion"].call({}) == "a"


def test_a_program_may_give_objects_which_are_listed_by_a_type_of_their_own() -> None:
    always = object()
    given = {"type": "given", "object": "Mine()"}
    settings = {"name": "a", "source": given, "learners": {"x": given}, "sink": [given], "dead_letter": given}
    config = PipelineConfig.from_mapping({**settings, "drift": [{"detector": "given", "object": "Mine()"}]})
    assert config.fingerprint()["learners"] == {"x": given}
    assert config.make_learners({"x": always}) == {"x": always}


# -- fingerprint, secrets, schema ---------------------------------------------------------------------------------


def test_the_fingerprint_does_not_depend_on_how_things_are_written(tmp_path: Path) -> None:
    texts = [
        "naive_bayes",
        "{type: naive_bayes}",
        "{type: NaiveBayes}",
        "naive_b",
    ]
    found = [load(tmp_path, MINIMAL.replace("naive_bayes", text)).fingerprint() for text in texts]
    assert all(one == found[0] for one in found)
    tree = [
        load(tmp_path, MINIMAL.replace("naive_bayes", text)).fingerprint()["learners"]["champion"]
        for text in ("hoeffding_tree_classifier:grace_period=200,delta=1e-5", "{type: hoeffding_tree_c, delta: 1e-5}")
    ]
    assert tree == [{"type": "hoeffding_tree_classifier", "delta": 1e-5}] * 2  # 200 is the default
    chains = [
        load(tmp_path, MINIMAL.replace("naive_bayes", text)).fingerprint()["learners"]["champion"]
        for text in (
            "standard_scaler | pa_classifier:C=2",
            "{type: chain, steps: [standard_scaler, {type: PAClassifier, C: 2}]}",
        )
    ]
    assert chains[0] == chains[1]


def test_the_fingerprint_tells_what_matters_and_only_that(tmp_path: Path) -> None:
    before = load(tmp_path, EVERYTHING).fingerprint()
    assert json.loads(json.dumps(before)) == before
    moved = ("source.path=elsewhere", "checkpoint.every=9s", "batch.rows=5", "sink.0.path=x", "labels.max_rows=9")
    assert load(tmp_path, EVERYTHING, *moved).fingerprint() == before
    for override, path in {
        "learners.shadow.grace_period=51": ("learners", "shadow"),
        "schema.target=other": ("schema", "target"),
        "key=other": ("key",),
        "scope=partition": ("scope",),
        "labels.ttl=6d": ("labels", "ttl"),
        "labels.default=yes": ("labels", "default"),
    }.items():
        after: Any = load(tmp_path, EVERYTHING, override).fingerprint()
        was: Any = before
        for key in path:
            after, was = after[key], was[key]
        assert after != was


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    text = EVERYTHING.replace('webhook: "https://h/x"', 'webhook: "https://user:hunter2@h/T1234"')
    config = load(tmp_path, text.replace("path: labels", "path: 'https://me:hunter2@host/labels'"))
    for shown in (repr(config), str(config), json.dumps(config.to_dict()), repr(config.telemetry)):
        assert "hunter2" not in shown
        assert "1234" not in shown
    assert config.to_dict()["source"]["options"] == {"sasl.password": "***"}
    assert config.source["options"] == {"sasl.password": "hunter2"}
    wrong = refusal(
        tmp_path, EVERYTHING, "source.options.sasl.password=hunter3", "batch.rows=0", "source.password=hunter4"
    )
    assert "hunter" not in wrong


def test_a_webhook_may_stand_among_the_alarms(tmp_path: Path) -> None:
    config = load(
        tmp_path, MINIMAL + "alarms: [{type: webhook, url: 'http://h/x', timeout: 2}, {type: drain, path: a}]\n"
    )
    assert config.telemetry.webhook == {"url": "http://h/x", "timeout": 2}
    assert config.alarms == [{"type": "drain", "path": "a"}]


def test_the_schema_describes_every_key_and_every_registered_part() -> None:
    schema = PipelineConfig.json_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["name", "source"]
    undescribed = [key for key, value in schema["properties"].items() if "description" not in value]
    assert undescribed == []
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references <= schema["$defs"].keys()
    types = {part["properties"]["type"]["const"]: part for part in schema["$defs"]["learner"]["anyOf"]}
    assert set(registry.names("learners")) | {"function", "river", "sklearn"} == types.keys()
    grace = types["hoeffding_tree_classifier"]["properties"]["grace_period"]
    assert (grace["type"], grace["default"]) == ("number", 200)
    assert "leaf" in grace["description"]
    well = next(part for part in schema["$defs"]["source"]["anyOf"] if part["properties"]["type"]["const"] == "well")
    assert well["properties"]["depth"] == {"type": "integer", "default": 3, "description": "How deep, in metres."}
    assert well["required"] == ["type", "path"]


def test_the_command_prints_a_schema_and_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL + "widow: 3\n")
    command = [sys.executable, "-m", "streamlearn"]
    printed = subprocess.run([*command, "schema"], capture_output=True, text=True, cwd=tmp_path)
    assert json.loads(printed.stdout)["properties"]["window"]["default"] == 1000
    refused = subprocess.run([*command, "run", "a.yaml"], capture_output=True, text=True, cwd=tmp_path)
    assert refused.returncode == 2
    assert "a.yaml:5: widow: unknown key; did you mean window?" in refused.stderr
    missing = subprocess.run([*command, "run", "b.yaml"], capture_output=True, text=True, cwd=tmp_path)
    assert (missing.returncode, missing.stderr) == (2, "streamlearn: b.yaml: there is no such file\n")


# -- durations ----------------------------------------------------------------------------------------------------


def test_durations() -> None:
    assert durations.parse_duration("250ms") == 0.25
    assert durations.parse_duration("1.5h") == 5400.0
    assert durations.parse_duration(" 7 d ") == 604800.0
    for wrong in ("soon", "-1s", "1 month", True, None, -1, float("nan"), float("inf"), "1e3s"):
        with pytest.raises(OptionError, match="a duration is"):
            durations.parse_duration(wrong)
