"""The processes that work on cells side by side; one that dies takes its own cell with it, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

from .worker import Failed, Message, Progress, Task, work


class Crew:
    """Up to ``jobs`` worker processes.

    Parameters
    ----------
    jobs
        At least 1.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for worker in self._workers:
            worker.end()

    @property
    def has_room(self) -> bool:
        """Whether a task would be begun at once."""
        return sum(worker.tag is not None for worker in self._workers) < self.jobs

    @property
    def is_busy(self) -> bool:
        """Whether there is a task that isn't finished."""
        return any(worker.tag is not None for worker in self._workers)

    def give(self, tag: Any, task: Task) -> None:
        """Begin a task; what comes of it is told under its tag."""
        idle = next((worker for worker in self._workers if worker.tag is None), None)
        if idle is None:
            idle = _Worker()
            self._workers.append(idle)
        idle.give(tag, task)

    def news(self, timeout: float) -> Iterator[tuple[Any, Message]]:
        """What the workers have told, waiting for it up to ``timeout`` seconds."""
        by_end = {worker.connection: worker for worker in self._workers if worker.tag is not None}
        for end in wait(list(by_end), timeout):
            worker = by_end[end]  # type: ignore[index]
            tag = worker.tag
            message = worker.hear()
            if not isinstance(message, Progress):
                worker.tag = None
            if worker.is_lost:
                self._workers.remove(worker)
            yield tag, message


class _Worker:
    def __init__(self) -> None:
        # Spawned rather than forked: Numba's and Arrow's threads don't survive a fork.
        context = get_context("spawn")
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.tag: Any = None
        self.is_lost = False

    def give(self, tag: Any, task: Task) -> None:
        self.tag = tag
        try:
            self.connection.send(task)
        except OSError:  # it died while it was idle: `hear` finds that out
            return

    def hear(self) -> Message:
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            self.is_lost = True
            self._process.join()
            code = self._process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            return Failed(f"the process that ran it ended by {how}", "")
        return message

    def end(self) -> None:
        self.connection.close()
        self._process.terminate()
        self._process.join()
