"""What learners that are made of learners do with their parts: keep to one schema, and be restored together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import StateError
from .learner import Learner
from .schema import Schema


def fit_parts(parts: Sequence[Learner], live: Schema) -> None:
    """Let each part follow the schema of the whole, which may have grown."""
    for part in parts:
        if part._live is None:
            part._bind(live.copy())
        else:
            part._live.update(live)
            part._fit()


def restore_parts(parts: Sequence[Learner], saved: Sequence[Mapping[str, Any]]) -> None:
    """Restore each part, or none.

    Raises
    ------
    StateError
        If a part refuses its state; all are then as they were.
    """
    before = [part.state() for part in parts]
    try:
        for part, state in zip(parts, saved, strict=True):
            part.restore(state)
    except StateError:
        for part, state in zip(parts, before, strict=True):
            part.restore(state)
        raise
