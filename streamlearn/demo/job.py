"""The demonstration's plot: learn, kill -9, resume, run the same undisturbed, prove."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from ..errors import StreamlearnError
from . import proof
from .committed import Committed
from .places import Place

STREAM = "electricity"
LEARNER = "hoeffding_tree_classifier"
COMMIT_EVERY = 1.0
PIPELINE = f"""\
name: demo
source: {{source}}
schema: {{{{target: target, id: event_id, event_time: ts}}}}
learner: {{{{type: {LEARNER}}}}}
sink: {{sink}}
checkpoint: {{{{dir: state, every: {COMMIT_EVERY:g}s}}}}
guarantee: exactly-once
"""
LOOK_EVERY = 0.1
TELL_EVERY = 1.0
STUCK_AFTER = 120.0
"""Seconds without a commit after which the job is given up."""
SHOW_CURSOR = "\x1b[?25h"  # a live view that was killed could not do it


class DemoError(StreamlearnError):
    """A process of the demonstration ended when it should not have, or did not come on."""


@dataclass(slots=True)
class Child:
    """A streamlearn command in a process of its own."""

    words: list[str]
    process: subprocess.Popen[bytes]
    log: Path | None

    def check(self) -> None:
        """See that it has not failed."""
        if self.process.poll():
            tail = "" if self.log is None else "\n" + self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise DemoError(f"streamlearn {' '.join(self.words)} ended with {self.process.returncode}{tail}")

    def finish(self) -> None:
        """Wait until it ends."""
        self.process.wait(STUCK_AFTER)
        self.check()

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        self.process.kill()
        self.process.wait()


@dataclass
class Job:
    """A live job in a folder, and those who take part in it; a context manager that leaves no process behind.

    Parameters
    ----------
    folder
        An empty folder for everything that is written.
    place
        Where events and predictions are.
    rows, rate
        How many events, and how many a second.
    kill_at
        The share of the events after which the worker is killed.
    say
        Prints a line.
    terminal
        Whether the workers show themselves on the terminal; otherwise a line is printed every second.
    """

    folder: Path
    place: Place
    rows: int
    rate: float
    kill_at: float
    say: Callable[[str], None]
    terminal: bool = False
    _held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self._held.callback(self.place.close)
        self.place.open(self.folder)
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()

    def play(self) -> bool:
        """Everything, to the proof; whether it holds.

        Raises
        ------
        DemoError
            If a process failed, or nothing came on for two minutes.
        """
        settings = PIPELINE.format(source=self.place.source, sink=self.place.sink)
        (self.folder / "demo.yaml").write_text(settings, encoding="utf-8")
        self.say("The pipeline, demo.yaml:\n")
        self.say("".join(f"    {line}\n" for line in settings.splitlines()))

        worker = self._worker("demo.yaml", "--live")
        self._watch("state", worker, 0)
        producer = self._start(
            "produce", "--stream", STREAM, *self.place.produce, "--rate", f"{self.rate:g}", "--rows", str(self.rows),
            "--quiet",
        )  # fmt: skip
        self._watch("state", worker, max(1, int(self.kill_at * self.rows)), producer)
        time.sleep(COMMIT_EVERY / 2)  # in the middle between two commits, so that there is something to lose
        worker.kill()
        self.say(
            f"{SHOW_CURSOR if self.terminal else ''}\nkill -9 of the worker, process {worker.process.pid}: "
            f"{self._committed('state').rows:,} events were committed, what it did since is gone.\n"
            "The producer goes on. The same command again:\n"
        )
        worker = self._worker("demo.yaml", "--live")
        self._watch("state", worker, self.rows, producer)
        producer.finish()
        self._stop(worker)

        self.say("\nThe same events once more, undisturbed, to compare with:\n")
        settings_again = ["checkpoint.dir=again", *self.place.again]
        words = [word for setting in settings_again for word in ("--set", setting)]
        worker = self._worker("demo.yaml", "--name", "again", *words, *(["--live"] if self.terminal else []))
        self._watch("again", worker, self.rows)
        self._stop(worker)
        return self._prove()

    # -- processes ----------------------------------------------------------------------------------------------------

    def _worker(self, *words: str) -> Child:
        return self._start("run", *words)

    def _start(self, *words: str) -> Child:
        """Start a command in the folder. On a terminal a worker's live view is seen; all else goes into a log."""
        self.say(f"$ streamlearn {' '.join(words)}")
        log = None if self.terminal and words[0] == "run" else self.folder / f"{words[0]}.log"
        with ExitStack() as opened:
            to = None if log is None else opened.enter_context(log.open("ab"))
            process = subprocess.Popen(
                [sys.executable, "-m", "streamlearn", *words],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=to,
            )
        child = Child(list(words), process, log)
        self._held.callback(child.kill)
        return child

    def _stop(self, worker: Child) -> None:
        """Ask a worker to commit and end."""
        worker.process.terminate()
        worker.finish()

    def _watch(self, state: str, worker: Child, rows: int, *others: Child) -> None:
        """Wait until the worker has its shards, and so many events are committed; tell meanwhile how it goes."""
        began = last = time.monotonic()
        told, seen = began, Committed()
        while True:
            found, now = self._committed(state), time.monotonic()
            if (found.rows, found.owners) != (seen.rows, seen.owners):
                last, seen = now, found
            enough = found.rows >= rows and worker.process.pid in found.owners
            if rows and not self.terminal and (now - told >= TELL_EVERY or enough):
                told = now
                accuracy = f", accuracy {found.mean_accuracy:.1%}" if found.rows else ""
                self.say(f"  {now - began:5.1f} s {found.rows:>9,} events committed{accuracy}")
            if enough:
                return
            for child in (worker, *others):
                child.check()
            if now - last > STUCK_AFTER:
                raise DemoError(f"nothing came on for {STUCK_AFTER:g} s; --keep FOLDER keeps the logs")
            time.sleep(LOOK_EVERY)

    def _committed(self, state: str) -> Committed:
        return Committed.of(self.folder / state)

    # -- the proof ----------------------------------------------------------------------------------------------------

    def _prove(self) -> bool:
        """Let an interpreter that sees nothing of this package compare the files."""
        committed = self._committed("state")
        parts = [
            {**part, "checkpoint": {"rows": committed.shards[name]["rows"], "accuracy": committed.accuracy(name)}}
            for part in self.place.parts(self.folder)
            for name in [part["name"]]
        ]
        file = self.folder / "proof.json"
        file.write_text(json.dumps({"rows": self.rows, "parts": parts}, indent=1), encoding="utf-8")
        command = ["-I", str(Path(proof.__file__)), str(file)]
        self.say(f"\nThe proof, by a program that shares no code with streamlearn:\n\n$ python {' '.join(command)}")
        sys.stdout.flush()
        return subprocess.run([sys.executable, *command]).returncode == 0


def is_warm() -> bool:
    """Whether the learner is compiled on this machine."""
    from .. import registry
    from ..compiled import is_compiled

    return is_compiled(registry.load("learners", LEARNER)._advance)


def warm_up() -> None:
    """Compile the learner, so that it is not waited for in the middle of a stream."""
    from ..evaluation import evaluate

    evaluate(STREAM, LEARNER, limit=1000)
