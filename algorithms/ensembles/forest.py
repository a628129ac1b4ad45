"""Ensembles whose members do not depend on each other: a chunk of rows passes through one member after the other.

So a member's tree stays in the processor's cache while it learns the chunk, and members can work in parallel. Each has
its own generator, and the members' votes are stored and then summed in their order: results depend neither on how rows
are cut into batches or chunks, nor on the number of threads. The vote of a member on a row is taken before that member
learns that row, so test-then-train is exact.

A subclass gives its parameters to `forest_kernels.learn_chunk` by `_forest_options`; where that is not enough, it gives
a kernel of its own: ``learn_chunk(struct, work, start, stop, low, high) -> waiting`` takes members ``low … high-1``
through the operations from their places on, writes the votes, and returns how many members stopped because their trees
lack room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from streamlearn.array_learner import Layout, capacity
from streamlearn.errors import StateError
from streamlearn.parameters import check_range
from streamlearn.schema import Shape

from ..drift.adwin_kernels import adwin_is_sound
from ..trees.arrays import SUBSPACE
from .ensemble import TreeEnsemble, check_generators, generators
from .forest_arrays import (
    ACTIVE,
    BACKGROUND,
    DRIFT_DELTA,
    N_NUMBERS,
    N_OPTIONS,
    N_SEEN,
    WARNING_DELTA,
    WINDOW_SIZE,
    ForestArrays,
    combine_votes,
    make_forest,
    note_fields,
)
from .forest_kernels import learn_chunk

MOST_VOTES = 2**20
"""Numbers in the room for votes, about: 8 MiB."""


class Forest(TreeEnsemble):
    """Base of the ensembles that work member by member."""

    _own_type = ForestArrays
    _pack = staticmethod(make_forest)
    _advance = _learn_chunk = staticmethod(learn_chunk)

    seed: int
    threads: int

    def _forest_options(self) -> dict[int, float]:
        """The algorithm's parameters, by their places in ``options``; the others are 0."""
        return {}

    @property
    def _adapts(self) -> bool:
        """Whether members watch their errors."""
        return DRIFT_DELTA in self._forest_options()

    @property
    def _has_background(self) -> bool:
        """Whether members grow trees in the background: tree ``n_models + i`` is member ``i``'s second one."""
        return self._adapts and WARNING_DELTA in self._forest_options()

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _own_layout(self, shape: Shape) -> Layout:
        return {
            "numbers": (np.int64, (N_NUMBERS,)),
            "options": (np.float64, (N_OPTIONS,)),
            "rng": (np.uint64, (self.n_models, 4)),
            "seen": (np.int32, (len(shape.cardinality),)),
            "slots": (np.int64, (self.n_models, 2)),
            "windows": (np.float64, (self.n_models if self._adapts else 0, 2, WINDOW_SIZE)),
            "alarms": (np.int64, (self.n_models, 2)),
            "hits": (np.float64, (self.n_models, 2)),
        }

    def _room_layout(self, shape: Shape) -> Layout:
        C = capacity(shape.n_classes)
        chunk = min(1024, max(16, MOST_VOTES // (self.n_models * C)))
        return {
            "n_draws": (np.int64, (len(shape.cardinality) + 1,)),
            "addresses": (np.int64, (self._n_trees,)),
            "places": (np.int64, (self.n_models,)),
            "votes": (np.float64, (self.n_models, chunk, C)),
        }

    def _allocate_own(self, shape: Shape) -> dict[str, np.ndarray]:
        own = super()._allocate_own(shape)
        self._set_options(own["options"])
        own["rng"][:] = generators(self.seed, self.n_models)
        own["slots"][:, ACTIVE] = np.arange(self.n_models)
        own["slots"][:, BACKGROUND] = -1
        return own

    def _set_options(self, options: np.ndarray) -> None:
        options[:] = 0.0
        for place, value in self._forest_options().items():
            options[place] = value

    def _n_draws(self, n: int) -> int:
        """How many of ``n`` fields a leaf draws, or a tree for its leaves; it grows with ``n``."""
        return 0

    def _with_room(self, own: Mapping[str, np.ndarray], shape: Shape) -> Any:
        arrays = super()._with_room(own, shape)
        arrays.n_draws[1:] = [self._n_draws(n) for n in range(1, len(arrays.n_draws))]
        return arrays

    def _tree_options(self, shape: Shape) -> np.ndarray:
        options = self._options()
        options[SUBSPACE] = self._n_draws(len(shape.cardinality)) if shape.cardinality else 0
        return options

    def _check_own(self, own: ForestArrays) -> None:
        check_generators(own.rng)
        self._set_options(own.options)  # a file's parameters count, not what its arrays say of them
        n_seen, D = own.numbers[N_SEEN], len(own.seen)
        if not 0 <= n_seen <= D or not np.array_equal(np.unique(own.seen[:n_seen]), np.sort(own.seen[:n_seen])):
            raise StateError("array 'seen': a field is seen twice")
        if ((own.seen < 0) | (own.seen >= max(1, D))).any():
            raise StateError("array 'seen': a field is not there")
        active, background = own.slots.T
        first = np.arange(self.n_models)
        second = first + self.n_models if self._has_background else first
        mine = (active == first) | (active == second)
        if not (mine & ((background == -1) | ((background == first + second - active) & (first < second)))).all():
            raise StateError("array 'slots': a member has a tree that is not its own")
        if not adwin_is_sound(own.windows.reshape(-1, WINDOW_SIZE)):
            raise StateError("array 'windows': a window's buckets disagree with its width")

    @property
    def _n_trees(self) -> int:
        return 2 * self.n_models if self._has_background else self.n_models

    def _tree_of(self, own: ForestArrays, member: int) -> int:
        return int(own.slots[member, ACTIVE])

    def _alarms(self, kind: int, tree_id: int | None) -> int:
        """`DRIFT` or `WARNING` alarms so far: of a member, or of all."""
        if tree_id is not None:
            check_range("tree_id", tree_id, 0, self.n_models - 1, kind=int)
        if self._arrays is None:
            return 0
        alarms = self._arrays.own.alarms[:, kind]
        return int(alarms.sum() if tree_id is None else alarms[tree_id])

    # -- the core -----------------------------------------------------------------------------------------------------

    def _run(self, work: Any, steps: int) -> None:
        self._arrays.own.places[:] = 0
        chunk = self._arrays.own.votes.shape[1]
        threads = min(self.threads, self.n_models) if steps > 1 else 1
        with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
            start = 0
            while start < steps:
                own = self._arrays.own
                stop = note_fields(own.numbers, own.seen, work, start, min(start + chunk, steps))
                self._work_off(work, start, stop, pool)
                start = stop

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
