"""A worker as people run it, ``streamlearn run FILE``: started, killed, looked at from outside."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streamlearn.demo.committed import Committed


@dataclass
class Worker:
    """One worker of a pipeline in a folder of its own.

    Parameters
    ----------
    folder
        Where its file, its log and its checkpoints are.
    settings
        The keys of the pipeline file; the checkpoints go to ``state`` in the folder.
    """

    folder: Path
    settings: dict[str, Any]
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def start(self) -> None:
        """Start it, or start it again."""
        file = self.folder / "pipeline.yaml"
        file.write_text(yaml.safe_dump(self.settings))
        with (self.folder / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "streamlearn", "run", str(file)]
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)

    def kill(self) -> None:
        """As ``kill -9`` does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Let it commit and end."""
        self.process.terminate()
        self.process.wait(120)

    def committed(self) -> Committed:
        """How far it is."""
        return Committed.of(self.state)

    def wait(self, reached: Callable[[Committed], bool], *, patience: float = 180.0, every: float = 0.02) -> Committed:
        """Look until something is true of what is committed by this process."""
        until = time.monotonic() + patience
        while True:
            found = self.committed()
            if self.process.pid in found.owners and reached(found):
                return found
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(
                    f"the worker ended or hangs; its log:\n{(self.folder / 'worker.log').read_text()[-3000:]}"
                )
            time.sleep(every)
