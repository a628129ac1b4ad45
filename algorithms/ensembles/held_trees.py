"""How an ensemble holds its trees: each has arrays of its own, and kernels know it by address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from streamlearn.array_learner import ArrayLearner

ENOUGH = 0
"""What ``numbers`` says of a tree that has room, whatever its kind."""


class Ensemble(NamedTuple):
    """All arrays of an ensemble.

    Attributes
    ----------
    own
        The ensemble's own, a named tuple, with ``addresses``, int64 [trees].
    trees
        The arrays of each tree, named tuples with ``numbers``.
    """

    own: Any
    trees: list[Any]


class HeldTrees(ArrayLearner):
    """Base of learners whose arrays are an `Ensemble`; a subclass names what its kind of tree needs."""

    _arrays_type = dict
    _make_tree: ClassVar[Any]
    """The kernel that packs a tree's arrays."""
    _tree_address: ClassVar[Any]
    """The kernel that says where a tree's struct lives."""
    _tree_with_room: ClassVar[Any]
    """Gives a tree the room that it lacks."""
    _short: ClassVar[int]
    """Where a tree's ``numbers`` say what it lacks."""

    _tree_structs: list[Any]

    def _set(self, arrays: Any) -> None:
        old: Sequence[Any] = () if self._arrays is None else self._arrays.trees
        held = {id(tree): struct for tree, struct in zip(old, self._tree_structs, strict=True)}
        structs = [held.get(id(tree)) or self._make_tree(tree) for tree in arrays.trees]
        arrays.own.addresses[:] = [self._tree_address(struct) for struct in structs]
        self._tree_structs = structs  # kernels know trees by address: somebody must hold them
        self._arrays, self._struct = arrays, type(self)._pack(arrays.own)
        self._row = None  # its calls know the arrays

    def _forget(self) -> None:
        super()._forget()
        self._tree_structs = []

    def _extend(self, arrays: Any) -> Ensemble:
        """Room for each tree that noted that it lacks some."""
        short = [tree.numbers[self._short] != ENOUGH for tree in arrays.trees]
        if not any(short):
            super()._extend(arrays)
        trees = [self._tree_with_room(tree) if lacks else tree for tree, lacks in zip(arrays.trees, short, strict=True)]
        return Ensemble(arrays.own, trees)

    @property
    def nbytes(self) -> int:
        if self._arrays is None:
            return 0
        parts = (self._arrays.own, *self._arrays.trees)
        return sum({id(array): array.nbytes for part in parts for array in part}.values())


class Saved(dict[str, Any]):
    """Arrays by name, as a named tuple shows them."""

    def _asdict(self) -> dict[str, Any]:
        return self
