"""The JSON schema of the pipeline file, by which editors complete and check it as it is written."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_type_hints

from pydantic import BaseModel, PydanticUserError, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from .. import registry
from ..errors import StreamlearnError
from .parts import options_of

GROUPS = {"source": "live_sources", "sink": "sinks", "learner": "learners", "detector": "detectors"}
"""What the models call the kinds of parts, and where they are registered."""


def json_schema(config: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model, with the options of every registered part, from its constructor and its docstring."""
    from ..evaluation.metrics import METRICS

    schema = _linked(config.model_json_schema(by_alias=True))
    definitions = schema.setdefault("$defs", {})
    for reference, group in GROUPS.items():
        named_by = "detector" if reference == "detector" else "type"
        parts = [_part(named_by, name, registry_entry) for name, registry_entry in _registered(group)]
        definitions[reference] = {"anyOf": [*parts, *(_IMPORTED if reference == "learner" else [])]}
    definitions["sink"]["anyOf"].append(_WEBHOOK)
    definitions["metric"] = {"enum": sorted(METRICS)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "streamlearn pipeline"}


def _linked(schema: Any) -> Any:
    """The models' schema with references to the parts, and with the ways in which a file says null."""
    if isinstance(schema, dict):
        if schema == {"type": "null"}:
            return {"enum": [None, "none"]}
        if "part" in schema:
            return {"$ref": f"#/$defs/{schema['part']}"} | {k: v for k, v in schema.items() if k != "part"}
        return {key: _linked(value) for key, value in schema.items()}
    return [_linked(value) for value in schema] if isinstance(schema, list) else schema


def _registered(group: str) -> Iterator[tuple[str, Any]]:
    for name in registry.names(group):
        try:
            yield name, registry.load(group, name)
        except StreamlearnError:  # somebody else's package must not hide all others
            continue


def _part(named_by: str, name: str, made_by: Any) -> dict[str, Any]:
    """The object that describes one registered part."""
    document = inspect.getdoc(made_by) or ""
    described = dict(parameters(document))
    properties = {}
    required = [named_by]
    for option, parameter in options_of(made_by).items():
        default = {} if parameter.default in (parameter.empty, ()) else {"default": parameter.default}
        properties[option] = _type(made_by, option) | _json(default) | _text(described.get(option))
        if parameter.default is parameter.empty:
            required.append(option)
    return {
        "type": "object",
        "description": document.split("\n\n")[0].replace("\n", " "),
        "properties": {named_by: {"const": name}, **properties},
        "required": required,
        "additionalProperties": False,
    }


def _text(description: str | None) -> dict[str, str]:
    return {} if description is None else {"description": description}


def _json(default: dict[str, Any]) -> dict[str, Any]:
    value = default.get("default")
    return default if value is None or isinstance(value, (bool, int, float, str)) else {}


def _type(made_by: Any, option: str) -> dict[str, Any]:
    """What a constructor's annotation says, where JSON can say it."""
    try:
        hints = get_type_hints(made_by.__init__ if inspect.isclass(made_by) else made_by)
        found = TypeAdapter(hints[option]).json_schema()
    except (
        KeyError,
        NameError,
        TypeError,
        PydanticUserError,
        PydanticSchemaGenerationError,
        PydanticInvalidForJsonSchema,
    ):
        return {}
    return {} if "$defs" in found else found


def parameters(document: str) -> Iterable[tuple[str, str]]:
    """The parameters that a docstring in NumPy's style describes, each with its text on one line."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)", document, re.MULTILINE | re.DOTALL)
    if section is None:
        return
    for entry in re.finditer(r"^(\S[^\n]*)\n((?:[ \t]+[^\n]*\n?|\n)*)", section[1], re.MULTILINE):
        text = " ".join(entry[2].split())
        for name in entry[1].split(" : ")[0].split(","):
            yield name.strip(), text


_WEBHOOK = {
    "type": "object",
    "description": "An address to which drift alarms are posted as JSON; for alarms only.",
    "properties": {"type": {"const": "webhook"}, "url": {"type": "string"}},
    "required": ["type", "url"],
}
_NAMED = {"type": "string", "pattern": "^[^:]+:[^:]+$", "description": "What to import, as module:name."}
_IMPORTED = [
    {
        "type": "object",
        "description": "A function of your own, in the place of a learner; other keys are its keyword arguments.",
        "properties": {
            "type": {"const": "function"},
            "call": _NAMED,
            "task": {"enum": ["classification", "regression"], "default": "classification"},
        },
        "required": ["type", "call"],
    },
    {
        "type": "object",
        "description": "A River model; other keys are its keyword arguments.",
        "properties": {"type": {"const": "river"}, "model": _NAMED},
        "required": ["type", "model"],
    },
    {
        "type": "object",
        "description": "A scikit-learn estimator with partial_fit; other keys are its keyword arguments.",
        "properties": {
            "type": {"const": "sklearn"},
            "model": _NAMED,
            "classes": {"type": "array"},
            "rows_per_step": {"type": "integer", "minimum": 1},
        },
        "required": ["type", "model"],
    },
]
