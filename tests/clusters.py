"""The Kafka that tests run against."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from streamlearn.testing import Broker


@dataclass
class Kafka:
    """A Kafka for tests: its addresses, and the broker if it is ours to kill."""

    bootstrap: str
    own: Broker | None = None

    @property
    def broker(self) -> Broker:
        if self.own is None:
            pytest.skip("the cluster of STREAMLEARN_KAFKA is not ours to kill or to secure")
        return self.own
