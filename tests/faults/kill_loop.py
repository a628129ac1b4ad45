"""Kills a pipeline again and again, at random moments and at the worst ones, until it has done its work all the same.

The kinds of death:

- ``random``: kill -9 at a random moment, from the first instruction of a life on;
- a crash point: the process dies by itself, as of kill -9, at a named point of the commit protocol;
- ``term``: SIGTERM, upon which it must finish in good order;
- ``freeze``: SIGSTOP, for a while in which a second worker of the same name must be refused, then SIGCONT.

All choices come from a seed. A process that ends in any other way is a failure, and so is one that makes no progress.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import verifier
from .launcher import Launcher

CRASH_POINTS = (
    "on-restore",
    "mid-batch",
    "before-flush",
    "after-flush",
    "before-checkpoint",
    "after-checkpoint",
    "before-commit",
    "after-commit",
)
IDLE_LIVES = 100  # lives in a row that may make no progress: some die of their crash point before the first commit
PATIENCE = 60.0  # seconds that a life may go without progress, or take to end
FROZEN = 0.05


class Stuck(Exception):  # noqa: N818 - a test's finding, which shows the log
    """A process ended by itself, or made no progress."""


@dataclass
class Life:
    """How one process ended."""

    kind: str
    seconds: float
    status: int
    rows: int  # of the newest checkpoints afterwards


@dataclass
class Loop:
    """A command that is killed until it is done.

    Parameters
    ----------
    launcher
        Starts it.
    argv
        After ``streamlearn``.
    folder
        Its working directory, where its log goes too.
    state
        Its checkpoint directory.
    seed
        Of all choices.
    moments
        Between which seconds of a life it is killed at random.
    kinds
        Weights of the kinds of death.
    point
        The crash point, with its count, of which all lives die instead.
    """

    launcher: Launcher
    argv: Sequence[str]
    folder: Path
    state: Path
    seed: int
    moments: tuple[float, float]
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {"random": 0.6, "point": 0.34, "term": 0.03, "freeze": 0.03}
    )
    point: str | None = None
    lives: list[Life] = field(default_factory=list)

    def run(self, most: int) -> None:
        """Kill up to ``most`` lives, then let the last one finish.

        Raises
        ------
        Stuck
            If a life ends by itself before it is done, or none makes progress.
        """
        choose = random.Random(self.seed)
        idle, rows = 0, verifier.counted(self.state)["rows"]
        while len(self.lives) < most:
            kind = "point" if self.point else choose.choices(list(self.kinds), list(self.kinds.values()))[0]
            life = self._live(kind, choose)
            self.lives.append(life)
            if life.status == 0 and kind != "term":
                return
            if life.rows < rows:
                raise self._stuck(f"the newest checkpoint had {rows} rows, and now {life.rows}")
            idle, rows = (0 if life.rows > rows else idle + 1), life.rows
            if idle >= IDLE_LIVES:
                raise self._stuck(f"{IDLE_LIVES} lives without progress")
        pid = self._start({})
        status = self.launcher.wait(pid, PATIENCE)
        if status is None:
            os.killpg(pid, signal.SIGKILL)
            raise self._stuck(f"not done after {PATIENCE} s")
        if status != 0:
            raise self._stuck(f"ended by itself with status {status}")
        self.lives.append(Life("none", 0.0, status, verifier.counted(self.state)["rows"]))

    def _live(self, kind: str, choose: random.Random) -> Life:
        """One life, and its end."""
        environment: dict[str, str] = {}
        label = kind
        if kind == "point":
            point = choose.choice(CRASH_POINTS)
            times = 1 if point == "on-restore" else choose.randint(1, 4)  # that one comes once in a life
            label = self.point or f"{point}:{times}"
            environment["STREAMLEARN_CRASH_AT"] = label
        moment = choose.uniform(*self.moments)
        began = time.monotonic()
        pid = self._start(environment)
        expected = (0, -signal.SIGKILL)
        if kind == "point":
            status = self.launcher.wait(pid, PATIENCE)
        else:
            status = self.launcher.wait(pid, moment)
            if status is None and kind == "random":
                os.killpg(pid, signal.SIGKILL)
            elif status is None and kind == "term":
                expected = (0, -signal.SIGTERM)  # before it listens to signals, it dies of them
                os.killpg(pid, signal.SIGTERM)
            elif status is None:
                os.killpg(pid, signal.SIGSTOP)
                time.sleep(FROZEN)
                os.killpg(pid, signal.SIGCONT)
                self.launcher.wait(pid, moment)
                if self.launcher.status(pid) is None:
                    os.killpg(pid, signal.SIGKILL)
            status = self.launcher.wait(pid, PATIENCE)
        if status is None:
            os.killpg(pid, signal.SIGKILL)
            raise self._stuck(f"{label}: still there after {PATIENCE} s")
        if status not in expected:
            raise self._stuck(f"{label}: ended by itself with status {status}")
        return Life(label, time.monotonic() - began, status, verifier.counted(self.state)["rows"])

    def _start(self, environment: Mapping[str, str]) -> int:
        return self.launcher.start(self.argv, self.folder, environment, self.log)

    @property
    def log(self) -> Path:
        """What the processes said."""
        return self.folder / "log.txt"

    def _stuck(self, why: str) -> Stuck:
        lives = "\n".join(f"  {life}" for life in self.lives[-5:])
        log = self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""
        files = "\n".join(
            f"  {path} {path.stat().st_size}" for path in sorted(self.folder.rglob("*")) if path.is_file()
        )
        return Stuck(f"seed {self.seed}, life {len(self.lives)}: {why}\n{lives}\nlog:\n{log}\nfiles:\n{files[-4000:]}")

    def summary(self) -> str:
        """How often each kind of death came."""
        deaths = Counter(life.kind for life in self.lives if life.status != 0)
        return ", ".join(f"{count} {kind}" for kind, count in sorted(deaths.items()))

    @property
    def kills(self) -> int:
        """Lives that were ended."""
        return sum(life.status != 0 or life.kind == "term" for life in self.lives)


def undisturbed(launcher: Launcher, argv: Sequence[str], folder: Path, state: Path) -> tuple[float, float]:
    """Run a command to its end: the seconds until its first checkpoint, and in all.

    Raises
    ------
    Stuck
        If it fails.
    """
    loop = Loop(launcher, argv, folder, state, 0, (0.0, 0.0))
    began = time.monotonic()
    pid = loop._start({})
    first = None
    while launcher.wait(pid, 0.005) is None and time.monotonic() - began < PATIENCE:
        if first is None and verifier.counted(state)["rows"]:
            first = time.monotonic() - began
    total = time.monotonic() - began
    if launcher.status(pid) != 0:
        if launcher.status(pid) is None:
            os.killpg(pid, signal.SIGKILL)
        raise loop._stuck(f"undisturbed, it ended with status {launcher.status(pid)}")
    return first or total, total
