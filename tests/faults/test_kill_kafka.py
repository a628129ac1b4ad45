"""Topics to topics and files, exactly once, through a real Kafka, whatever is killed, halted, stopped or restarted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clusters import Kafka

from .kafka_matrix import Cell, Outcome, cells, covering, run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
FEW = [cell for cell in cells() if cell.commit == "100 rows" and cell.learner in ("tree", "keyed")]
PAIRS = covering(FEW, 2, seed=1)
EACH = covering(cells(), 1, seed=2)


def expect(outcome: Outcome) -> None:
    """All is well, or the broker itself lost a transaction that it had committed."""
    if not outcome.ok and outcome.markers_skipped:
        pytest.xfail(f"KAFKA-20734: {outcome}")
    assert outcome.ok, outcome


@pytest.mark.parametrize("cell", PAIRS, ids=str)
def test_every_two_values_once(cell: Cell, kafka: Kafka, tmp_path: Path) -> None:
    """A fault each, at one size of commits, with one model and with models by key."""
    expect(run(cell, cells().index(cell), 1, kafka.broker, tmp_path, rows=6_000, faults=1))


@pytest.mark.skipif("STREAMLEARN_LONG" not in os.environ, reason="takes minutes: set STREAMLEARN_LONG=1")
@pytest.mark.parametrize("cell", EACH, ids=str)
def test_every_learner_and_size_of_commits(cell: Cell, kafka: Kafka, tmp_path: Path) -> None:
    """Three faults each; ``benchmarks/exactly_once.py`` runs more of the matrix."""
    expect(run(cell, cells().index(cell), 1, kafka.broker, tmp_path))
