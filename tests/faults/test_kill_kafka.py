"""Topics to topics of a real Kafka, exactly once: each kind of fault, learner, client and group once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clusters import Kafka

from .kafka_matrix import Cell, cells, covering, run

CELLS = covering(cells(), 1, seed=2)


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.skipif("STREAMLEARN_LONG" not in os.environ, reason="takes minutes: set STREAMLEARN_LONG=1")
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_exactly_once(cell: Cell, kafka: Kafka, tmp_path: Path) -> None:
    """``benchmarks/exactly_once.py`` runs more of the matrix."""
    outcome = run(cell, cells().index(cell), 1, kafka.broker, tmp_path)
    assert outcome.ok, outcome
