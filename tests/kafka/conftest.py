"""Fresh topics, and both clients, for the tests that use a real Kafka."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.clusters import Kafka

MakeTopic = Callable[..., str]

_numbers = itertools.count()


@pytest.fixture(scope="session")
def admin(kafka: Kafka) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap})


@pytest.fixture
def make_topic(admin: AdminClient, kafka: Kafka) -> MakeTopic:
    """Makes a topic of its own for a test."""

    def make(partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        name = f"t{os.getpid()}-{next(_numbers)}"
        for made in admin.create_topics([NewTopic(name, partitions, config=dict(config or {}))]).values():
            made.result(30)
        return name

    return make


@pytest.fixture(params=["confluent", "kafka-python"])
def client(request: pytest.FixtureRequest) -> str:
    return request.param
