"""Random tests explore anew for a developer and repeat themselves in CI; a real Kafka for the tests that ask."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from streamlearn.errors import StreamlearnError
from streamlearn.testing import Broker
from tests.clusters import Kafka

settings.register_profile("ci", derandomize=True, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One Kafka a session: the cluster at STREAMLEARN_KAFKA, or one of the jars in KAFKA_HOME/libs, or none."""
    running, home = os.environ.get("STREAMLEARN_KAFKA"), os.environ.get("KAFKA_HOME")
    if running:
        yield Kafka(running)
        return
    if not home:
        pytest.skip("no Kafka: set KAFKA_HOME to a Kafka download, or STREAMLEARN_KAFKA to a cluster's address")
    broker = Broker(home, tmp_path_factory.mktemp("kafka"), config={"auto.create.topics.enable": "false"})
    try:
        with broker:
            yield Kafka(broker.bootstrap, broker)
    except StreamlearnError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
