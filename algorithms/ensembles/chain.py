"""Ensembles whose members depend on each other: one thread takes them all through a chunk of rows.

A subclass gives a kernel ``_advance(struct, work, start, stop) -> waiting``: it takes every member through the
operations from its place on to ``stop``, writes the votes, and returns how many members stopped because a tree lacks
room. How far a member may go before the next one has its turn is the algorithm's; what one leaves for the other is in
the ensemble's own arrays.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from streamlearn.array_learner import Layout, capacity
from streamlearn.schema import Shape

from .ensemble import TreeEnsemble, check_generators, generators
from .forest_arrays import combine_votes

MOST_VOTES = 2**20
"""Numbers in the room for votes, about: 8 MiB."""


class Chain(TreeEnsemble):
    """Base of these ensembles; a subclass adds its own arrays to the layouts, and gives their type and kernels."""

    seed: int = 0

    @abstractmethod
    def _chain_options(self) -> np.ndarray:
        """The algorithm's parameters as its kernel takes them, float64."""

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _own_layout(self, shape: Shape) -> Layout:
        return {
            "numbers": (np.int64, (1,)),
            "options": (np.float64, self._chain_options().shape),
            "rng": (np.uint64, (self.n_models, 4)),
        }

    def _room_layout(self, shape: Shape) -> Layout:
        C = capacity(shape.n_classes)
        chunk = min(1024, max(16, MOST_VOTES // (self.n_models * C)))
        return {
            "addresses": (np.int64, (self.n_models,)),
            "places": (np.int64, (self.n_models,)),
            "votes": (np.float64, (self.n_models, chunk, C)),
        }

    def _allocate_own(self, shape: Shape) -> dict[str, np.ndarray]:
        own = super()._allocate_own(shape)
        own["options"][:] = self._chain_options()
        own["rng"][:] = generators(self.seed, self.n_models)
        return own

    def _check_own(self, own: Any) -> None:
        check_generators(own.rng)
        own.options[:] = self._chain_options()  # a file's parameters count, not what its arrays say of them

    # -- the core -----------------------------------------------------------------------------------------------------

    def _run(self, work: Any, steps: int) -> None:
        self._arrays.own.places[:] = 0
        chunk = self._arrays.own.votes.shape[1]
        for start in range(0, steps, chunk):
            stop = min(start + chunk, steps)
            while self._advance(self._struct, work, start, stop) > 0:
                self._set(self._extend(self._arrays))
            own = self._arrays.own
            combine_votes(own.numbers, own.votes, work, start, stop)

    def _operation(self, work: Any) -> Callable[[], int]:
        return partial(self._one_operation, work)

    def _one_operation(self, work: Any) -> int:
        self._run(work, 1)
        return 1
