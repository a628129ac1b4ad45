"""What the shell completes: names of streams."""

from __future__ import annotations

from .. import registry


def complete_stream(incomplete: str) -> list[str]:
    """Names of data sets and synthetic streams that begin so."""
    from ..datasets import datasets

    names = [*(entry.name for entry in datasets()), *registry.names("streams")]
    return sorted(name for name in names if name.startswith(incomplete))
