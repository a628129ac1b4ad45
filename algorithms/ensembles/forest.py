"""Ensembles of classification trees whose members do not depend on each other.

A subclass gives its parameters to `forest_kernels.learn_chunk` by `_forest_options`; where that is not enough, it gives
a kernel of its own, as `member_major` wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from streamlearn.array_learner import Layout, capacity
from streamlearn.errors import StateError
from streamlearn.parameters import check_range
from streamlearn.schema import Shape

from ..drift.adwin_kernels import adwin_is_sound
from ..trees.arrays import SUBSPACE
from .ensemble import Ensemble, TreeEnsemble, check_generators, generators
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
from .member_major import MemberMajor

MOST_VOTES = 2**20
"""Numbers in the room for votes, about: 8 MiB."""
MUCH = 2**20
"""Bytes: a tree without a member may keep as much room."""


class Forest(MemberMajor, TreeEnsemble):
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

    def _meet_fields(self, before: int) -> None:
        """Take note that fields had their first value, those from place ``before`` in ``seen`` on."""

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
        if not 0 <= n_seen <= D:
            raise StateError("array 'numbers': more fields are seen than there are")
        if not np.array_equal(np.unique(own.seen[:n_seen]), np.sort(own.seen[:n_seen])):
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

    def _extend(self, arrays: Any) -> Ensemble:
        """Room for each tree that lacks some; trees that no member uses, which are empty, give back what is much."""
        trees, used = list(arrays.trees), set(arrays.own.slots.ravel().tolist())
        for t in set(range(self._n_trees)) - used:
            if sum(array.nbytes for array in trees[t]) > MUCH:
                trees[t] = self._empty_tree(cast(Shape, self._shape))
        return super()._extend(Ensemble(arrays.own, trees))

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

    def _chunk_end(self, work: Any, start: int, stop: int) -> int:
        own = self._arrays.own
        before = int(own.numbers[N_SEEN])
        stop = note_fields(own.numbers, own.seen, work, start, stop)
        if own.numbers[N_SEEN] > before:
            self._meet_fields(before)
        return stop

    def _combine(self, work: Any, start: int, stop: int) -> None:
        own = self._arrays.own
        combine_votes(own.numbers, own.votes, work, start, stop)
