"""Ensembles whose members depend on each other: all are taken through a chunk of rows by one thread.

A kernel ``learn_chunk`` as in `forest` decides how far a member may go before the next one has its turn; what one
leaves for the other is in the ensemble's own arrays.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.schema import Shape

from .ensemble import TreeEnsemble, check_generators, generators
from .forest import Forest
from .forest_arrays import N_NUMBERS


class Chain(Forest):
    """Base of these ensembles; a subclass adds its own arrays to the layouts, and gives their type and kernels."""

    seed: int = 0
    threads: int = 1

    @abstractmethod
    def _chain_options(self) -> np.ndarray:
        """The algorithm's parameters as its kernel takes them, float64."""

    def _own_layout(self, shape: Shape) -> Layout:
        return {
            "numbers": (np.int64, (N_NUMBERS,)),
            "options": (np.float64, self._chain_options().shape),
            "rng": (np.uint64, (self.n_models, 4)),
        }

    def _allocate_own(self, shape: Shape) -> dict[str, np.ndarray]:
        own = TreeEnsemble._allocate_own(self, shape)
        own["options"][:] = self._chain_options()
        own["rng"][:] = generators(self.seed, self.n_models)
        return own

    def _check_own(self, own: Any) -> None:
        check_generators(own.rng)
        own.options[:] = self._chain_options()  # a file's parameters count, not what its arrays say of them

    @property
    def _n_trees(self) -> int:
        return self.n_models

    def _tree_of(self, own: Any, member: int) -> int:
        return member
