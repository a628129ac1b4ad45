"""The demonstration over a real Kafka."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.clusters import Kafka


def test_the_job_is_killed_resumed_and_proven(kafka: Kafka, tmp_path: Path) -> None:
    options = ["--bootstrap", kafka.bootstrap, "--rows", "4000", "--kill-at", "0.3", "--keep", str(tmp_path / "kept")]
    command = [sys.executable, "-m", "streamlearn", "demo", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  ok  ") == 6  # the accuracy of each of two partitions
    assert "restored from checkpoint" in (tmp_path / "kept" / "run.log").read_text()
