"""Online learning on streams: predict each event, learn from its label, measure, notice drift, survive.

Public names load on first use, so that importing the package stays light; the stub ``__init__.pyi`` lists them all.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "AnomalyDetector": "unsupervised",
    "Batch": "batch",
    "Chain": "chain",
    "Classifier": "array_learner",
    "Clusterer": "unsupervised",
    "Drift": "source",
    "Field": "schema",
    "InputError": "errors",
    "Learner": "learner",
    "MissingExtraError": "errors",
    "OptionError": "errors",
    "Regressor": "array_learner",
    "Result": "evaluation",
    "Schema": "schema",
    "SchemaError": "errors",
    "Source": "source",
    "StateError": "errors",
    "StreamlearnError": "errors",
    "Transformer": "transformer",
    "UnknownNameError": "errors",
    "evaluate": "evaluation",
    "from_river": "adapters",
    "from_sklearn": "adapters",
    "load": "models",
    "make_learner": "models",
    "open_stream": "source",
}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    if name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name[:1].isupper():
        value = _registered(name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _registered(name: str) -> Any:
    """A learner's class, found by its name among what packages register."""
    from . import registry

    for entry in registry.classes("learners"):
        if entry == name:
            return registry.load("learners", name)
    close = registry.near(name, [*_HOMES, *registry.classes("learners")])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f"; {close[0]}?" if close else ""))


def __dir__() -> list[str]:
    from . import registry

    return sorted({*_HOMES, *registry.classes("learners"), "__version__"})
