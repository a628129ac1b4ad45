"""A pipeline's settings before they are checked: file, environment and flags in layers, each value with its origin.

The file is YAML 1.2: ``no`` and ``on`` are text, ``1e-7`` is a number. Beyond that, a plain ``none`` is null, a key
written twice is an error, and ``${NAME}`` or ``${NAME:-default}`` in a value stands for an environment variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import OptionError
from .secrets import is_secret, masked

Key = str | int
Path_ = tuple[Key, ...]

PREFIX = "STREAMLEARN__"
OPEN = ("options", "fields")
"""Keys below which all the rest of a dotted name is one name, such as ``security.protocol``."""

_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass
class Layers:
    """Settings, and where each came from.

    Parameters
    ----------
    values
        The mapping that was read.
    origins
        Of each path of keys: ``"power.yaml:7"``, ``"--set checkpoint.dir"`` or the name of an environment variable.
    name
        What messages call the whole.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path_, str] = field(default_factory=dict)
    name: str = "pipeline"

    def origin(self, path: Path_) -> str:
        """Where the value at a path, or the nearest one above it, came from."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path, self.name)

    def put(self, path: Path_, value: Any, origin: str) -> None:
        """Set a value, and the mappings that lead to it.

        Raises
        ------
        OptionError
            If the path leads through something that has no keys.
        """
        at: Any = self.values
        for depth, key in enumerate(path[:-1]):
            at = self._step(at, key, path[:depth], origin)
        if isinstance(at, list):
            self._step(at, path[-1], path[:-1], origin)  # an entry that is there
            at[int(path[-1])] = value
        elif isinstance(at, dict):
            at[path[-1]] = value
        else:
            raise self._keyless(at, path[:-1], origin)
        for old in [old for old in self.origins if old[: len(path)] == path]:
            del self.origins[old]
        self.origins[path] = origin

    def _step(self, at: Any, key: Key, above: Path_, origin: str) -> Any:
        if isinstance(at, list):
            if not (isinstance(key, int) or key.isdigit()) or not 0 <= int(key) < len(at):
                raise OptionError(
                    f"{origin}: {dotted(above)} is a list of {len(at)}: write its number, from 0, not {key!r}"
                )
            return at[int(key)]
        if not isinstance(at, dict):
            raise self._keyless(at, above, origin)
        if at.get(key) is None:
            at[key] = {}
        return at[key]

    @staticmethod
    def _keyless(at: Any, path: Path_, origin: str) -> OptionError:
        shown = masked(at, path[-1] if path else None)
        return OptionError(f"{origin}: {dotted(path)} is {shown!r}, which has no keys: write it as a mapping")


def dotted(path: Path_) -> str:
    """A path as messages write it."""
    return ".".join(map(str, path))


def from_mapping(values: Mapping[str, Any], name: str = "pipeline") -> Layers:
    """Settings that a program gives."""
    layers = Layers(_copied(values), name=name)
    _note(layers.values, (), name, layers.origins)
    return layers


def from_file(path: Path, environ: Mapping[str, str]) -> Layers:
    """Settings of a YAML file.

    Raises
    ------
    OptionError
        If it is no YAML, or no mapping; a key is written twice; or it names an environment variable that is not set.
    FileNotFoundError
        If there is no such file.
    """
    try:
        return from_text(path.read_text(encoding="utf-8-sig"), str(path), environ)
    except UnicodeDecodeError as error:
        raise OptionError(f"{path}: not UTF-8: {error}") from None


def from_text(text: str, name: str, environ: Mapping[str, str]) -> Layers:
    """Settings of a YAML document, which messages call ``name``; raises as `from_file`."""
    layers = Layers(name=name)
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise OptionError(f"{name}: expected a mapping of keys, such as name: …")
        _Walk(loader, layers, environ).visit(root, ())
        layers.values = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        hint = '; inside { } write "${NAME}" in quotes' if "${" in text and "flow" in str(error) else ""
        raise OptionError(f"{name}{line}: not readable as YAML: {error.problem or error.context}{hint}") from None
    except OptionError:
        raise
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:  # such as of ``!!int x``
        raise OptionError(f"{name}: not readable as YAML: {' '.join(str(error).split())}") from None
    return layers


def add_environment(layers: Layers, environ: Mapping[str, str]) -> None:
    """Let variables such as ``STREAMLEARN__CHECKPOINT__DIR`` override; case does not matter."""
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX):
            path: Path_ = ()
            at: Any = layers.values
            for part in variable[len(PREFIX) :].split("__"):
                known = [key for key in at if str(key).lower() == part.lower()] if isinstance(at, dict) else []
                key: Key = known[0] if known else part.lower()
                path += (int(key) if isinstance(at, list) and str(key).isdigit() else key,)
                at = at.get(key) if isinstance(at, dict) else at[path[-1]] if _has(at, path[-1]) else None
            layers.put(path, _value(environ[variable], path, variable), variable)


def add_flags(layers: Layers, overrides: Iterable[str]) -> None:
    """Let texts such as ``checkpoint.dir=./state`` override.

    Raises
    ------
    OptionError
        If one is not ``key=value``.
    """
    for text in overrides:
        name, equals, value = text.partition("=")
        origin = f"--set {name}"
        if not equals or not name.strip():
            raise OptionError(f"--set {text}: write key=value, such as checkpoint.dir=./state")
        path = _path(name.strip().split("."), layers.values)
        layers.put(path, _value(value, path, origin), origin)


def _path(parts: list[str], values: Any) -> Path_:
    path: Path_ = ()
    at = values
    while parts:
        if path and path[-1] in OPEN:
            return (*path, ".".join(parts))
        part = parts.pop(0)
        path += (int(part) if isinstance(at, list) and part.isdigit() else part,)
        at = at.get(part) if isinstance(at, dict) else at[path[-1]] if _has(at, path[-1]) else None
    return path


def _has(at: Any, key: Key) -> bool:
    return isinstance(at, list) and isinstance(key, int) and key < len(at)


def _value(text: str, path: Path_, origin: str) -> Any:
    """A value as YAML reads it; a secret is always text."""
    if is_secret(path[-1]):
        return text
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:
        raise OptionError(f"{origin}: not readable as YAML: {' '.join(str(error).split())}") from None


class _Walk:
    """Through the nodes of a file: notes their lines, puts in environment variables, refuses keys written twice."""

    def __init__(self, loader: _Loader, layers: Layers, environ: Mapping[str, str]) -> None:
        self._loader, self._layers, self._environ = loader, layers, environ
        self._substituted: set[int] = set()  # an alias shows a node again
        self._open: set[int] = set()

    def visit(self, node: yaml.Node, path: Path_) -> None:
        where = self._where(node, path)
        self._layers.origins.setdefault(path, where.partition(": ")[0])
        if id(node) in self._open:
            raise OptionError(f"{where}: an alias contains itself")
        self._open.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            self._substitute(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for i, entry in enumerate(node.value):
                self.visit(entry, (*path, i))
        elif isinstance(node, yaml.MappingNode):
            self._keys(node, path)
            for key, value in node.value:
                below = (*path, key.value)
                self._layers.origins[below] = self._where(key, ()).partition(": ")[0]
                self.visit(value, below)
        self._open.discard(id(node))

    def _keys(self, node: yaml.MappingNode, path: Path_) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise OptionError(f"{self._where(key, path)}: a key must be text")
            if key.tag == _MERGE:
                continue
            key.tag = _TEXT  # a column may be called 1 or none
            if key.value in seen:
                where = self._where(key, (*path, key.value))
                raise OptionError(f"{where} is written twice, first in line {seen[key.value]}")
            seen[key.value] = key.start_mark.line + 1
        self._loader.flatten_mapping(node)

    def _substitute(self, node: yaml.ScalarNode, path: Path_) -> None:
        """Put environment variables into a value, which is then read as if it had been written so."""
        if "${" in node.value and id(node) not in self._substituted:
            self._substituted.add(id(node))
            node.value = _VARIABLE.sub(lambda match: self._variable(match, self._where(node, path)), node.value)
            if node.style is None:
                node.tag = self._loader.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
        if path and is_secret(path[-1]) and node.tag in (_INT, _FLOAT, _BOOL):
            node.tag = _TEXT

    def _variable(self, match: re.Match[str], where: str) -> str:
        name = match["name"]
        if name is None:
            return "${"  # was $${
        value = self._environ.get(name, match["default"])
        if value is None:
            raise OptionError(
                f"{where}: the environment variable {name} is not set; a default is written ${{{name}:-…}}"
            )
        return value

    def _where(self, node: yaml.Node, path: Path_) -> str:
        return ": ".join(filter(None, [f"{self._layers.name}:{node.start_mark.line + 1}", dotted(path)]))


_NULL, _BOOL, _INT, _FLOAT, _TEXT, _MERGE = (
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "merge")
)


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, not PyYAML's 1.1, which takes ``no`` for false and ``1e-7`` for text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - instead of the inherited ones


for _tag, _form, _first in (
    (_NULL, r"~|null|Null|NULL|none|None|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?[0-9]+", list("-+0123456789")),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    (_MERGE, r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_form})\Z"), _first)
_Loader.add_constructor(_INT, lambda loader, node: int(node.value))
_Loader.add_constructor(_BOOL, lambda loader, node: node.value.lower() == "true")
_Loader.add_constructor(_FLOAT, lambda loader, node: float(re.sub(r"\.(?=[in])", "", node.value.lower())))


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what `_Loader` would not take for text."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def to_yaml(values: Mapping[str, Any]) -> str:
    """A file that `from_file` reads as these values."""
    return yaml.dump(_escaped(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _escaped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _escaped(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(part) for part in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, (list, tuple)) else value


def _note(value: Any, path: Path_, name: str, origins: dict[Path_, str]) -> None:
    origins[path] = name
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        _note(part, (*path, key), name, origins)
