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
    "CachePolicy": "caching",
    "Chain": "chain",
    "Classifier": "array_learner",
    "Clusterer": "unsupervised",
    "Comparison": "evaluation",
    "Detector": "detector",
    "Drift": "source",
    "Field": "schema",
    "InputError": "errors",
    "Learner": "learner",
    "MissingExtraError": "errors",
    "OneBitCache": "caching",
    "OptionError": "errors",
    "Range": "tuning",
    "Regressor": "array_learner",
    "Result": "evaluation",
    "Schema": "schema",
    "SchemaError": "errors",
    "Source": "source",
    "StateError": "errors",
    "StreamlearnError": "errors",
    "Transformer": "transformer",
    "UnknownNameError": "errors",
    "compare": "evaluation",
    "evaluate": "evaluation",
    "evaluate_detectors": "detection",
    "Pipeline": "runtime.pipeline",
    "from_function": "adapters",
    "from_river": "adapters",
    "from_sklearn": "adapters",
    "load": "models",
    "make_detector": "models",
    "make_learner": "models",
    "make_policy": "models",
    "one_bit_cache": "caching",
    "open_stream": "source",
    "tune": "tuning",
}

_GROUPS = ("learners", "detectors", "policies", "reservoirs", "forecasters")
"""Groups of the registry whose classes are public names."""


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
    """A class of a registered learner, detector, policy, reservoir or forecaster, by its name."""
    from . import registry

    for group in _GROUPS:
        if name in registry.classes(group):
            return registry.load(group, name)
    close = registry.near(name, __dir__())
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f"; {close[0]}?" if close else ""))


def __dir__() -> list[str]:
    from . import registry

    return sorted({*_HOMES, *(name for group in _GROUPS for name in registry.classes(group)), "__version__"})
