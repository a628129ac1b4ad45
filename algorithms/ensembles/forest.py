"""Ensembles whose members do not depend on each other: a chunk of rows passes through one member after the other.

So a member's tree stays in the processor's cache while it learns the chunk, and members can work in parallel. Each has
its own generator, and the members' votes are stored and then summed in their order: results depend neither on how rows
are cut into batches or chunks, nor on the number of threads. The vote of a member on a row is taken before that member
learns that row, so test-then-train is exact.

A subclass gives a kernel ``learn_chunk(struct, work, start, stop, low, high) -> waiting``: it takes members ``low …
high-1`` through the operations from their places on, writes the votes, and returns how many members stopped because
their trees lack room.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ClassVar

import numpy as np

from streamlearn.array_learner import Layout, capacity
from streamlearn.errors import StateError
from streamlearn.schema import Shape

from ..drift.adwin_kernels import adwin_is_sound
from .ensemble import TreeEnsemble, check_generators, generators
from .forest_arrays import ACTIVE, BACKGROUND, N_NUMBERS, WINDOW_SIZE, ForestArrays, combine_votes, make_forest

MOST_VOTES = 2**20
"""Numbers in the room for votes, about: 8 MiB."""


class Forest(TreeEnsemble):
    """Base of the ensembles that work member by member."""

    _own_type = ForestArrays
    _pack = staticmethod(make_forest)
    _learn_chunk: ClassVar[Callable[..., int]]
    _adapts: ClassVar[bool] = False
    """Whether members watch their errors, and have background trees: tree ``n_models + i`` is member ``i``'s second."""

    seed: int
    threads: int

    def _forest_options(self) -> np.ndarray:
        """The algorithm's parameters as its kernel takes them, float64."""
        return np.empty(0)

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _own_layout(self, shape: Shape) -> Layout:
        n_watched = self.n_models if self._adapts else 0
        return {
            "numbers": (np.int64, (N_NUMBERS,)),
            "options": (np.float64, self._forest_options().shape),
            "rng": (np.uint64, (self.n_models, 4)),
            "slots": (np.int64, (n_watched, 2)),
            "windows": (np.float64, (n_watched, 2, WINDOW_SIZE)),
            "alarms": (np.int64, (n_watched, 2)),
            "hits": (np.float64, (n_watched, 2)),
        }

    def _room_layout(self, shape: Shape) -> Layout:
        C = capacity(shape.n_classes)
        chunk = min(1024, max(16, MOST_VOTES // (self.n_models * C)))
        return {
            "addresses": (np.int64, (self._n_trees,)),
            "places": (np.int64, (self.n_models,)),
            "votes": (np.float64, (self.n_models, chunk, C)),
        }

    def _allocate_own(self, shape: Shape) -> dict[str, np.ndarray]:
        own = super()._allocate_own(shape)
        own["options"][:] = self._forest_options()
        own["rng"][:] = generators(self.seed, self.n_models)
        own["slots"][:, ACTIVE] = np.arange(len(own["slots"]))
        own["slots"][:, BACKGROUND] = -1
        return own

    def _check_own(self, own: ForestArrays) -> None:
        check_generators(own.rng)
        own.options[:] = self._forest_options()  # a file's parameters count, not what its arrays say of them
        active, background = own.slots.T
        first = np.arange(len(active))
        other = 2 * first + self.n_models - active
        own_tree = (active == first) | (active == first + self.n_models)
        if not (own_tree & ((background == -1) | (background == other))).all():
            raise StateError("array 'slots': a member has a tree that is not its own")
        if self._adapts and not adwin_is_sound(own.windows.reshape(-1, WINDOW_SIZE)):
            raise StateError("array 'windows': a window's buckets disagree with its width")

    @property
    def _n_trees(self) -> int:
        return 2 * self.n_models if self._adapts else self.n_models

    def _tree_of(self, own: ForestArrays, member: int) -> int:
        return int(own.slots[member, ACTIVE]) if self._adapts else member

    # -- the core -----------------------------------------------------------------------------------------------------

    def _run(self, work: Any, steps: int) -> None:
        self._arrays.own.places[:] = 0
        chunk = self._arrays.own.votes.shape[1]
        threads = min(self.threads, self.n_models) if steps > 1 else 1
        if threads == 1:
            for start in range(0, steps, chunk):
                self._work_off(work, start, min(start + chunk, steps), None)
            return
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, steps, chunk):
                self._work_off(work, start, min(start + chunk, steps), pool)

    def _work_off(self, work: Any, start: int, stop: int, pool: ThreadPoolExecutor | None) -> None:
        """Take all members through a chunk of the schedule, giving them room whenever they ask."""
        while self._waiting(work, start, stop, pool) > 0:
            self._set(self._extend(self._arrays))
        own = self._arrays.own
        combine_votes(own.numbers, own.votes, work, start, stop)

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
