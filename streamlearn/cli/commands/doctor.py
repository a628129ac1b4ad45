"""``streamlearn doctor``: what is installed, what is compiled, what is missing and what it would give."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from pathlib import Path

import typer

from ... import __version__, registry
from ...errors import StreamlearnError
from ..tables import is_here

EXTRAS = {
    "plot": ("matplotlib", "curves and pictures as PNG and SVG"),
    "torch": ("torch", "neural learners on CPU and GPU"),
    "kafka": ("kafka", "live Kafka topics, pure Python client"),
    "confluent": ("confluent_kafka", "live Kafka topics, librdkafka"),
    "serve": ("starlette", "the HTTP service"),
    "ray": ("ray", "jobs across machines"),
    "peers": ("capymoa", "benchmarks against MOA, Vowpal Wabbit and scikit-learn"),
}
CORE = ("numpy", "numba", "pyarrow", "river", "safetensors", "pydantic", "typer", "rich")


def doctor() -> None:
    """Say which versions are here, which kernels are compiled, which data and extras are there."""
    from ...datasets import data_directory, datasets

    typer.echo(f"streamlearn {__version__} on Python {platform.python_version()}, {platform.platform()}")
    typer.echo("\nlibraries")
    for name in CORE:
        typer.echo(f"  {name:<12} {importlib.metadata.version(name)}")
    typer.echo("\nkernels (compiled at first use, then kept on disk)")
    for name, compiled in kernels().items():
        typer.echo(f"  {name:<28} {'compiled' if compiled else 'not compiled yet'}")
    typer.echo(f"  cache: {cache_directory()}")
    here = [entry.name for entry in datasets() if is_here(entry.name)]
    typer.echo(f"\ndata directory {data_directory()} (set STREAMLEARN_DATA to change it)")
    typer.echo(f"  streams that are there: {', '.join(here)}")
    typer.echo("\nextras")
    for extra, (module, gives) in EXTRAS.items():
        found = importlib.util.find_spec(module) is not None
        hint = "" if found else f"   pip install 'streamlearn[{extra}]'"
        typer.echo(f"  {extra:<10} {'yes' if found else 'no ':<4} {gives}{hint}")


def kernels() -> dict[str, bool]:
    """For each learner with a compiled core, whether its kernel is compiled."""
    from ...compiled import is_compiled

    found = {}
    for name in registry.names("learners"):
        try:
            advance = getattr(registry.load("learners", name), "_advance", None)
        except StreamlearnError as error:
            typer.echo(f"  {error}")
            continue
        if advance is not None:
            found[name] = is_compiled(advance)
    return found


def cache_directory() -> Path:
    """Where Numba keeps compiled kernels of this installation."""
    from ...work import make_work

    return Path(make_work._cache.cache_path)  # type: ignore[attr-defined]
