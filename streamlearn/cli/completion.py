"""What the shell completes: names of streams, learners and detectors."""

from __future__ import annotations

from collections.abc import Iterable

from .. import registry


def complete_stream(incomplete: str) -> list[str]:
    """Names of data sets and synthetic streams that begin so."""
    from ..datasets import datasets

    return _beginning(incomplete, [*(entry.name for entry in datasets()), *registry.names("streams")])


def complete_signal(incomplete: str) -> list[str]:
    """Names of signals and synthetic streams that begin so."""
    from ..detection import SIGNALS

    return _beginning(incomplete, [*SIGNALS, *registry.names("streams")])


def complete_learner(incomplete: str) -> list[str]:
    """Names of learners that begin so."""
    return _beginning(incomplete, registry.names("learners"))


def complete_detector(incomplete: str) -> list[str]:
    """Names of detectors that begin so."""
    return _beginning(incomplete, registry.names("detectors"))


def complete_policy(incomplete: str) -> list[str]:
    """Names of cache policies that begin so."""
    return _beginning(incomplete, [*registry.names("policies"), "opt"])


def complete_name(incomplete: str) -> list[str]:
    """Names of streams, learners, detectors and cache policies that begin so."""
    registered = (name for group in ("learners", "detectors", "policies") for name in registry.names(group))
    return sorted([*complete_stream(incomplete), *_beginning(incomplete, list(registered))])


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
