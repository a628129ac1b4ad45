"""What the shell completes: names of streams and learners."""

from __future__ import annotations

from .. import registry


def complete_stream(incomplete: str) -> list[str]:
    """Names of data sets and synthetic streams that begin so."""
    from ..datasets import datasets

    names = [*(entry.name for entry in datasets()), *registry.names("streams")]
    return sorted(name for name in names if name.startswith(incomplete))


def complete_name(incomplete: str) -> list[str]:
    """Names of streams and learners that begin so."""
    learners = [name for name in registry.names("learners") if name.startswith(incomplete)]
    return sorted([*complete_stream(incomplete), *learners])
