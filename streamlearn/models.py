"""Learners, detectors and cache policies by their registered names, and out of model files."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import container, registry
from .errors import OptionError, SchemaError, StateError
from .jsonable import from_json, to_json
from .learner import Learner
from .schema import Schema

if TYPE_CHECKING:
    from .caching import CachePolicy
    from .detector import Detector


def make_learner(spec: str | Mapping[str, Any], **params: Any) -> Learner:
    """Make a learner by its registered name.

    Parameters
    ----------
    spec
        ``"NAME"`` or ``"NAME:param=value,…"`` with transformers in front as ``"NAME | NAME"``, or a mapping with the
        key ``type`` and the parameters.
    params
        Further parameters.

    Raises
    ------
    OptionError
        If the name or a parameter is unknown (the message suggests the near ones) or a value is out of range.

    Examples
    --------
    >>> make_learner("standard_scaler | logistic_regression:learning_rate=0.1")
    Chain(steps=(StandardScaler(), LogisticRegression(learning_rate=0.1)))
    """
    if isinstance(spec, str):
        steps = [registry.parse_call(step) for step in spec.split("|")]
        learners: list[Learner] = [
            build(name, {**given, **(params if step == len(steps) - 1 else {})})
            for step, (name, given) in enumerate(steps)
        ]
        if len(learners) == 1:
            return learners[0]
        from .chain import Chain

        return Chain(steps=tuple(learners))
    if not isinstance(spec, Mapping) or not isinstance(spec.get("type"), str):
        raise OptionError(f"a learner is written NAME:param=value or as a mapping with the key 'type', not {spec!r}")
    learner: Learner = build(spec["type"], {key: value for key, value in spec.items() if key != "type"} | params)
    return learner


def make_detector(spec: str | Mapping[str, Any], **params: Any) -> Detector:
    """Make a detector of drift by its registered name.

    Parameters
    ----------
    spec
        ``"NAME"`` or ``"NAME:param=value,…"``, or a mapping with the key ``type`` and the parameters.
    params
        Further parameters.

    Raises
    ------
    OptionError
        If the name or a parameter is unknown (the message suggests the near ones) or a value is out of range.

    Examples
    --------
    >>> make_detector("adwin:delta=0.01")
    ADWIN(delta=0.01)
    """
    detector: Detector = build(*_named("a detector", spec, params), "detectors")
    return detector


def make_policy(spec: str | Mapping[str, Any], **params: Any) -> CachePolicy:
    """Make a cache policy by its registered name.

    Parameters
    ----------
    spec
        ``"NAME"`` or ``"NAME:param=value,…"``, or a mapping with the key ``type`` and the parameters.
    params
        Further parameters, such as ``capacity``, which every policy needs.

    Raises
    ------
    OptionError
        If the name or a parameter is unknown (the message suggests the near ones) or a value is out of range.

    Examples
    --------
    >>> make_policy("mark0:seed=3", capacity=100)
    Mark0(capacity=100, seed=3)
    """
    policy: CachePolicy = build(*_named("a policy", spec, params), "policies")
    return policy


def _named(what: str, spec: str | Mapping[str, Any], params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name and the parameters that a specification gives."""
    if isinstance(spec, str):
        name, given = registry.parse_call(spec)
    elif isinstance(spec, Mapping) and isinstance(spec.get("type"), str):
        name, given = spec["type"], {key: value for key, value in spec.items() if key != "type"}
    else:
        raise OptionError(f"{what} is written NAME:param=value or as a mapping with the key 'type', not {spec!r}")
    return name, {**given, **params}


def build(name: str, params: Mapping[str, Any], group: str = "learners") -> Any:
    """Call the constructor of something registered with checked parameter names."""
    cls = registry.load(group, name)
    known = [parameter for parameter in inspect.signature(cls.__init__).parameters if parameter != "self"]
    for param in params:
        if param not in known:
            shown = ", ".join(parameter for parameter in known if parameter != "schema")
            error = registry.unknown_name("parameter", str(param), known)
            raise OptionError(f"{registry.full_name(group, name)}: {error} (parameters: {shown or 'none'})")
    for param, parameter in inspect.signature(cls.__init__).parameters.items():
        if param in known and parameter.default is parameter.empty and param not in params:
            raise OptionError(f"{registry.full_name(group, name)} needs the parameter {param}")
    try:
        return cls(**params)
    except OptionError as error:
        raise OptionError(f"{registry.full_name(group, name)}: {error}") from None


def describe(learner: Learner) -> dict[str, Any]:
    """What a model file holds: the registered type, the parameters, the given schema, the state."""
    name = registry.name_of("learners", type(learner))
    if name is None:
        raise StateError(
            f"{type(learner).__name__} is not registered, so a file could not be read again: register it as an entry "
            "point of the group streamlearn.learners"
        )
    return {
        "type": name,
        "params": {key: _param_to_json(value) for key, value in learner.params.items()},
        "schema": None if learner.schema is None else learner.schema.to_dict(),
        "state": learner.state(),
    }


def revive(description: Mapping[str, Any]) -> Learner:
    """Make the learner that `describe` described.

    Raises
    ------
    StateError
        If anything does not fit.
    """
    if not isinstance(description, Mapping) or set(description) != {"type", "params", "schema", "state"}:
        raise StateError("a model has the keys type, params, schema and state")
    if not isinstance(description["type"], str) or not isinstance(description["params"], Mapping):
        raise StateError("a model's type is a name and its params are an object")
    if description["type"] not in registry.names("learners"):
        raise StateError(f"the model is a {description['type']!r}, which no installed package registers")
    try:
        params = {key: _param_from_json(value) for key, value in description["params"].items()}
        if description["schema"] is not None:
            params["schema"] = Schema.from_dict(description["schema"])
        learner: Learner = build(description["type"], params)
        if description["state"] is not None:
            learner.restore(description["state"])
    except StateError:
        raise
    except (OptionError, SchemaError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise StateError(f"the model does not fit {description['type']}: {error}") from error
    return learner


def describe_detector(detector: Detector) -> dict[str, Any]:
    """What a detector's file holds: the registered type, the parameters, the state."""
    return _describe("detectors", "detector", detector)


def describe_policy(policy: CachePolicy) -> dict[str, Any]:
    """What a cache policy's file holds: the registered type, the parameters, the state."""
    return _describe("policies", "policy", policy)


def _describe(group: str, kind: str, made: Any) -> dict[str, Any]:
    name = registry.name_of(group, type(made))
    if name is None:
        raise StateError(
            f"{type(made).__name__} is not registered, so a file could not be read again: register it as an entry "
            f"point of the group streamlearn.{group}"
        )
    params = {key: _param_to_json(value) for key, value in made.params.items()}
    return {kind: name, "params": params, "state": made.state()}


def revive_detector(description: Mapping[str, Any]) -> Detector:
    """Make the detector that `describe_detector` described.

    Raises
    ------
    StateError
        If anything does not fit.
    """
    detector: Detector = _revive("detectors", "detector", description)
    return detector


def revive_policy(description: Mapping[str, Any]) -> CachePolicy:
    """Make the cache policy that `describe_policy` described.

    Raises
    ------
    StateError
        If anything does not fit.
    """
    policy: CachePolicy = _revive("policies", "policy", description)
    return policy


def _revive(group: str, kind: str, description: Mapping[str, Any]) -> Any:
    if not isinstance(description, Mapping) or set(description) != {kind, "params", "state"}:
        raise StateError(f"a {kind} has the keys {kind}, params and state")
    name = description[kind]
    if not isinstance(name, str) or not isinstance(description["params"], Mapping):
        raise StateError(f"a {kind}'s name is text and its params are an object")
    if name not in registry.names(group):
        raise StateError(f"the file holds a {name!r}, which no installed package registers")
    try:
        made = build(name, {key: _param_from_json(value) for key, value in description["params"].items()}, group)
        made.restore(description["state"])
    except StateError:
        raise
    except (OptionError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise StateError(f"the state does not fit {name}: {error}") from error
    return made


def load(path: str | Path) -> Any:
    """Read any learner, detector or cache policy from a file that its ``save`` wrote.

    The file can't run code: its type is looked up among the registered ones, its arrays are checked against the
    layout and the index ranges that the type's kernels rely on.

    Raises
    ------
    StateError
        If the file is damaged, hostile, made by a newer version, or of a type that is not installed.
    FileNotFoundError
        If there is no such file.
    """
    content = container.load(path)
    try:
        if "detector" in content:
            return revive_detector(content)
        return revive_policy(content) if "policy" in content else revive(content)
    except StateError as error:
        raise StateError(f"{path}: {error}") from None


def _param_to_json(value: Any) -> Any:
    if isinstance(value, Learner):
        return {"learner": {**describe(value), "state": None}}  # the state of a part is in the state of the whole
    if isinstance(value, (list, tuple)):
        return [_param_to_json(part) for part in value]
    if isinstance(value, Mapping):  # of field names, which need not be strings
        return {"mapping": [[to_json(key), _param_to_json(part)] for key, part in value.items()]}
    return value


def _param_from_json(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"learner"}:
        return revive(value["learner"])
    if isinstance(value, dict) and set(value) == {"mapping"}:
        return {from_json(key): _param_from_json(part) for key, part in value["mapping"]}
    if isinstance(value, list):
        return tuple(_param_from_json(part) for part in value)
    return value
