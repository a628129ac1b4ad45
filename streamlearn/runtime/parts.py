"""The parts that a pipeline file names: their options are checked against the constructors, then the parts are made."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .. import adapters, models, registry
from ..errors import OptionError, StreamlearnError, UnknownNameError
from ..learner import Learner
from .layers import Path_

Problem = tuple[Path_, str]

IMPORTED = ("function", "river", "sklearn")
"""Learners that are no registered ones: something of the user's own, imported by its name."""
GIVEN = "given"
"""The type that stands for an object which a program gave."""


def problems(group: str, spec: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with ``{type: NAME, option: value, …}``, as far as names tell without making the part."""
    if spec["type"] == GIVEN:
        return
    try:
        name = registry.full_name(group, spec["type"])
        options = options_of(registry.load(group, name))
    except StreamlearnError as error:
        yield ("type",), str(error)
        return
    given = [key for key in spec if key != "type"]
    for key in given:
        if key not in options:
            hint = str(registry.unknown_name("option", key, options)).partition("; ")[2] if options else "it takes none"
            yield (key,), f"{name} has no option {key!r}; {hint}"
    missing = [key for key, option in options.items() if option.default is option.empty and key not in given]
    if missing:
        yield (), f"{name} needs {' and '.join(missing)}"


def options_of(constructor: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The options of a constructor by name."""
    parameters = inspect.signature(constructor).parameters
    return {name: parameter for name, parameter in parameters.items() if name != "schema"}


def make(group: str, spec: Mapping[str, Any]) -> Any:
    """Make a part; nothing is connected yet.

    Raises
    ------
    OptionError
        If a name is unknown, or an option out of range; the message names the part.
    """
    return models.build(spec["type"], {key: value for key, value in spec.items() if key != "type"}, group)


def learner_problems(spec: Any) -> Iterator[Problem]:
    """What is wrong with a learner as the file writes it, as far as names tell."""
    if isinstance(spec, str):
        steps = spec.split("|")
        for step in steps:
            try:
                name, params = registry.parse_call(step)
            except OptionError as error:
                yield (), str(error)
                continue
            for path, message in problems("learners", {"type": name, **params}):
                yield () if path == ("type",) else path, message
    elif spec["type"] in IMPORTED:
        key = "call" if spec["type"] == "function" else "model"
        if not isinstance(spec.get(key), str) or ":" not in spec[key]:
            yield (key,) if key in spec else (), f"say what to import: {key}: 'module:name'"
    else:
        yield from problems("learners", spec)
        for i, step in enumerate(spec["steps"] if _is_chain(spec) else ()):
            for path, message in learner_problems(step):
                yield ("steps", i, *path), message


def make_learner(spec: Any) -> Learner:
    """Make a learner as the file writes it.

    ``{type: function, call: "module:function", task: …, …}`` calls the function, the rest being its keyword arguments.
    ``{type: river, model: "module:name", …}`` and ``{type: sklearn, model: "module:name", …}`` give the model that the
    named class or function returns, as a learner.

    Raises
    ------
    OptionError
        If something can't be imported, is no model, or an option is out of range.
    """
    if isinstance(spec, str):
        return models.make_learner(spec)
    kind, params = spec["type"], {key: value for key, value in spec.items() if key != "type"}
    if kind == "function":
        function, task = imported(params.pop("call")), params.pop("task", "classification")
        return adapters.FunctionLearner(call=functools.partial(function, **params) if params else function, task=task)
    if kind == "river":
        return adapters.from_river(_model(params))
    if kind == "sklearn":
        ours = {key: params.pop(key) for key in ("classes", "rows_per_step") if key in params}
        return adapters.from_sklearn(_model(params), **ours)
    if _is_chain(spec):
        return models.make_learner({**spec, "steps": tuple(make_learner(step) for step in spec["steps"])})
    return models.make_learner(spec)


def _is_chain(spec: Mapping[str, Any]) -> bool:
    try:
        return registry.full_name("learners", spec["type"]) == "chain" and isinstance(spec.get("steps"), list)
    except UnknownNameError:
        return False


def _model(params: dict[str, Any]) -> Any:
    name = params.pop("model")
    try:
        return imported(name)(**params)
    except TypeError as error:
        raise OptionError(f"{name} can't be called with {', '.join(params) or 'no options'}: {error}") from None


def imported(name: str) -> Callable[..., Any]:
    """What ``module:name`` names, from an installed package or a module in the current directory.

    Raises
    ------
    OptionError
        If there is no such thing, or it can't be called.
    """
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # behind all others, so that a file there can't stand in for an installed module
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise OptionError(f"{name} can't be imported: {error}") from error
    if not callable(found):
        raise OptionError(f"{name} is a {type(found).__name__}, which can't be called")
    return found


def normal_form(group: str, spec: Any) -> Any:
    """A learner's or a detector's description in one form, however it was written, without options at defaults."""
    if isinstance(spec, str):
        calls = [registry.parse_call(step) for step in spec.split("|")]
        steps = [normal_form(group, {"type": name, **params}) for name, params in calls]
        return steps[0] if len(steps) == 1 else {"type": "chain", "steps": steps}
    if spec["type"] in (*IMPORTED, GIVEN):
        return dict(spec)
    name = registry.full_name(group, spec["type"])
    options = options_of(registry.load(group, name))
    form: dict[str, Any] = {"type": name}
    for key in sorted(spec.keys() - {"type"}):
        if key == "steps" and name == "chain":
            form[key] = [normal_form(group, step) for step in spec[key]]
        elif key not in options or options[key].default != spec[key]:
            form[key] = spec[key]
    return form
