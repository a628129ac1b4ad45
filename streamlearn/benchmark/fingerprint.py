"""Tells whether a number still stands: a digest of the code that a learner or a stream is made of, or of a file."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from ..learner import Learner

SHORT = 16
ROOMS = ("algorithms", "connectors")
"""Our rooms in which methods live. The engine is left out: the laws hold that it changes no result."""


def of_learner(learner: Learner) -> str:
    """Digest of a learner's own code and of the method code that it imports; comments and docstrings don't count."""
    return "+".join(_of_code(type(step).__module__) for step in getattr(learner, "steps", [learner]))


def of_generator(make: Any) -> str:
    """The same of a registered generator."""
    return _of_code(inspect.unwrap(make).__module__)


@cache
def of_file(path: Path, size: int, changed: int) -> str:
    """Digest of a file's bytes; size and time of change are there so that it is read once only."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:SHORT]


@cache
def _of_code(module: str) -> str:
    digest = hashlib.sha256()
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _source_of(name)
        tree = ast.parse(path.read_bytes()) if path is not None else ast.Module([], [])
        waiting += [other for other in _imports(tree, name, path) if _is_method(other, module)]
        found[name] = ast.dump(_without_docstrings(tree))
    for name in sorted(found):
        digest.update(f"{name}\0{found[name]}\0".encode())
    return digest.hexdigest()[:SHORT]


def _is_method(name: str, start: str) -> bool:
    """Whether a module belongs to the same package as ``start``, and is none of the engine's."""
    first, *others = name.split(".")
    return first == start.split(".")[0] and (first != "streamlearn" or (bool(others) and others[0] in ROOMS))


def _source_of(name: str) -> Path | None:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = None if spec is None else spec.origin
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _imports(tree: ast.Module, name: str, path: Path | None) -> Iterator[str]:
    """Every module that may be imported, wherever in the code; names of functions among them lead nowhere."""
    package = name if path is not None and path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            inside = [f"{base}.{alias.name}" for alias in node.names]
            modules = [each for each in inside if _is_method(each, name) and _source_of(each) is not None]
            yield from modules
            if len(modules) < len(inside):
                yield base


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree
