"""Takes a chunk of rows through one member after the other, in as many threads as wanted.

So a member's tree stays in the processor's cache while it learns the chunk. Each member has its own generator, and the
members' votes are stored and then combined in their order: results depend neither on how rows are cut into batches or
chunks, nor on the number of threads. The vote of a member on a row is taken before that member learns that row, so
test-then-train is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar

from .held_trees import HeldTrees


class MemberMajor(HeldTrees):
    """Base of ensembles whose members do not depend on each other.

    The own arrays have ``places``, the operation that each member comes to next, and ``votes``, whose second dimension
    is the length of a chunk.
    """

    _learn_chunk: ClassVar[Callable[..., int]]
    """A kernel ``learn_chunk(struct, work, start, stop, low, high) -> waiting``: it takes members ``low … high-1``
    through the operations from their places on, writes the votes, and returns how many members stopped because their
    trees lack room."""

    n_models: int
    threads: int

    def _combine(self, work: Any, start: int, stop: int) -> None:
        """Turn the votes on operations ``start … stop-1`` into predictions."""
        raise NotImplementedError

    def _chunk_end(self, work: Any, start: int, stop: int) -> int:
        """Where a chunk ends that may go to ``stop``; for ensembles that stop before certain rows."""
        return stop

    def _run(self, work: Any, steps: int) -> None:
        self._arrays.own.places[:] = 0
        chunk = self._arrays.own.votes.shape[1]
        threads = min(self.threads, self.n_models) if steps > 1 else 1
        with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
            start = 0
            while start < steps:
                stop = self._chunk_end(work, start, min(start + chunk, steps))
                while self._waiting(work, start, stop, pool) > 0:
                    self._set(self._extend(self._arrays))
                self._combine(work, start, stop)
                start = stop

    def _waiting(self, work: Any, start: int, stop: int, pool: ThreadPoolExecutor | None) -> int:
        """Let members work off a chunk; how many lack room."""
        if pool is None:
            return self._learn_chunk(self._struct, work, start, stop, 0, self.n_models)
        one = partial(self._learn_chunk, self._struct, work, start, stop)
        return sum(pool.map(one, range(self.n_models), range(1, self.n_models + 1)))

    def _operation(self, work: Any) -> Callable[[], int]:
        return partial(self._one_operation, work)

    def _one_operation(self, work: Any) -> int:
        self._run(work, 1)
        return 1
