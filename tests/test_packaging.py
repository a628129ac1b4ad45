"""The installed package: its folders, names, stub, entry points and extras agree, and importing it is light."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import streamlearn

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = PROJECT["tool"]["setuptools"]["package-dir"]  # import name: folder
EXTRAS = PROJECT["project"]["optional-dependencies"]
PUBLIC = sorted(set(streamlearn.__all__) - {"__version__"})


def test_packages_are_the_folders_that_hold_python() -> None:
    found = []
    for package, folder in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found.append(".".join([package, *init.parent.relative_to(ROOT / folder).parts]))
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(found)


def test_no_module_lies_outside_the_packages() -> None:
    modules = [module for folder in FOLDERS.values() for module in (ROOT / folder).rglob("*.py")]
    assert [str(module) for module in modules if not (module.parent / "__init__.py").exists()] == []


ENTRY_POINTS = [
    EntryPoint(name, value, group)
    for group, entries in {
        "console_scripts": PROJECT["project"]["scripts"],
        **PROJECT["project"]["entry-points"],
    }.items()
    for name, value in entries.items()
]


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: f"{entry.group}-{entry.name}")
def test_entry_points_load(entry: EntryPoint) -> None:
    assert callable(entry.load())


def test_importing_the_package_is_light() -> None:
    program = (
        "import json, sys, time; started = time.perf_counter(); import streamlearn;"
        "print(json.dumps([time.perf_counter() - started, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, modules = json.loads(done.stdout)
    print(f"import streamlearn: {seconds:.3f} s")
    assert set(modules) & {"numba", "torch", "matplotlib", "pyarrow.parquet", "pandas"} == set()


def test_the_command_line_is_light() -> None:
    program = "import sys, streamlearn.cli; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"numba", "pyarrow", "scipy", "torch", "matplotlib", "pandas"} == set()


def imports(source: str, package: str) -> Iterator[str]:
    """Every dotted name that a module of ``package`` imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            home = ".".join(filter(None, [base, node.module]))
            yield from (f"{home}.{alias.name}" for alias in node.names)


def leaves_the_engine(name: str) -> bool:
    return re.match(r"(streamlearn\.)?(algorithms|connectors)(\.|$)", name) is not None


def test_the_engine_never_imports_algorithms_or_connectors() -> None:
    offences = []
    for module in (ROOT / "streamlearn").rglob("*.py"):
        package = ".".join(module.parent.relative_to(ROOT).parts)
        for name in imports(module.read_text(encoding="utf-8"), package):
            if leaves_the_engine(name):
                offences.append(f"{module.relative_to(ROOT)} imports {name}")
    assert offences == []


@pytest.mark.parametrize(
    "line",
    [
        "import streamlearn.algorithms.trees",
        "from streamlearn import connectors",
        "from streamlearn.algorithms import trees",
        "from ..connectors.files import FileSource",
        "from .. import algorithms",
        "def f():\n    from ..algorithms.trees import kernels",
    ],
)
def test_such_imports_would_be_seen(line: str) -> None:
    assert any(map(leaves_the_engine, imports(line, "streamlearn.evaluation")))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_docstrings(name: str) -> None:
    assert (getattr(streamlearn, name).__doc__ or "").strip()


def test_the_stub_lists_exactly_the_public_names() -> None:
    stub = ast.parse((ROOT / "streamlearn" / "__init__.pyi").read_text(encoding="utf-8"))
    listed = []
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            listed += [alias.asname for alias in node.names if alias.asname == alias.name]
        elif isinstance(node, ast.AnnAssign):
            listed.append(ast.unparse(node.target))
    assert sorted(listed) == sorted(streamlearn.__all__)


def test_the_version_is_the_same_everywhere() -> None:
    assert streamlearn.__version__ == PROJECT["project"]["version"]
    assert f"[{streamlearn.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_extras_exist() -> None:
    assert {"torch", "confluent", "avro", "otel", "serve", "plot", "ray", "peers", "dev", "all"} <= set(EXTRAS)


def test_constraints_pin_what_is_installed_here_and_fit_the_project() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    wanted = [
        Requirement(text)
        for texts in (PROJECT["build-system"]["requires"], PROJECT["project"]["dependencies"], *EXTRAS.values())
        for text in texts
    ]
    installed = [*PROJECT["project"]["dependencies"], *EXTRAS["dev"], *EXTRAS["plot"]]
    assert {canonicalize_name(Requirement(text).name) for text in installed} - set(pins) == set()
    misfits = [r for r in wanted if (name := canonicalize_name(r.name)) in pins and pins[name] not in r.specifier]
    assert misfits == []
