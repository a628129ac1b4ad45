"""What all ensembles of Hoeffding trees share: how they hold their members, give them room, and save them.

How to build one
----------------
A member is a Hoeffding tree with arrays of its own (`HoeffdingTreeArrays`), which grow when that tree needs more room.
Kernels get an array of addresses, one a tree, and work on members through `trees.member_kernels`, whose docstring shows
the calls. What the ensemble itself knows (generators, detectors, weights of votes) is a named tuple of arrays, its
*own* arrays, made into a struct like that of any learner. So an ensemble is

1. in its kernels' file, ``<Name>Arrays`` (with a field ``addresses``, int64 [trees]) and its struct;
2. a subclass of `TreeEnsemble` that gives ``_own_type``, ``_pack``, `_own_layout` (the arrays a state holds),
   `_room_layout` (addresses and space to work in: not part of the state), `_n_trees`, and, where zeros are not the
   beginning, `_allocate_own`; `_check_own` bounds what a model file may say.
3. a kernel. Where members do not depend on each other, subclass `forest.Forest`: a chunk of rows passes through one
   member after the other. Where they do, ``_advance(struct, work, start) -> done`` walks the schedule row by row: it
   first asks `shortage_at` for each tree (before anything of the row was learned or drawn), and returns where it stands
   if one lacks room; `_extend` then gives room to every tree whose ``numbers[SHORT]`` says so.

Random numbers: member ``i``'s generator is ``generator(seed, i)`` (`streamlearn.random`), and is kept in the ensemble's
own arrays, since a background tree of the member uses the same one. For each row a member draws its Poisson number
first; then each leaf that learns its first row draws its fields, if it does, the foreground tree before the background
tree. A generator of the ensemble itself is stream ``n_models``.

A tree's place in the list of trees is its number; an ensemble whose members have background trees has two trees a
member, and own arrays that say which is which.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from streamlearn.array_learner import Classifier, Layout, capacity
from streamlearn.errors import StateError
from streamlearn.random import generator
from streamlearn.schema import Shape

from ..trees import arrays as tree_arrays
from ..trees.arrays import ENOUGH, SHORT, HoeffdingTreeArrays, make_tree
from ..trees.growth import Growth, room_of
from ..trees.inspection import TreeView
from ..trees.one_row import tree_address
from . import members


class Ensemble(NamedTuple):
    """All arrays of an ensemble.

    Attributes
    ----------
    own
        The ensemble's own, a named tuple.
    trees
        One `HoeffdingTreeArrays` a tree.
    """

    own: Any
    trees: list[HoeffdingTreeArrays]


class TreeEnsemble(Growth, Classifier):
    """Base of the ensembles; see above for what a subclass gives."""

    _own_type: ClassVar[Any]
    _arrays_type = dict

    n_models: int

    # -- what a subclass gives ----------------------------------------------------------------------------------------

    @abstractmethod
    def _own_layout(self, shape: Shape) -> Layout:
        """Dtypes and shapes of the own arrays that a state holds."""

    @abstractmethod
    def _room_layout(self, shape: Shape) -> Layout:
        """Dtypes and shapes of the other own arrays: ``addresses``, and space whose content no result depends on."""

    def _allocate_own(self, shape: Shape) -> dict[str, np.ndarray]:
        """The own arrays that a state holds, before the first row; zeros unless a subclass knows better."""
        return {name: np.zeros(size, dtype) for name, (dtype, size) in self._own_layout(shape).items()}

    def _check_own(self, own: Any) -> None:
        """Refuse own arrays that could lead a kernel astray; dtypes and shapes are right."""

    @property
    def _n_trees(self) -> int:
        """Trees, background trees included."""
        return self.n_models

    def _trees_for(self, shape: Shape) -> int:
        """As many, for data of this shape."""
        return self._n_trees

    def _tree_of(self, own: Any, member: int) -> int:
        """The number of the tree by which a member predicts."""
        return member

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _empty_tree(self, shape: Shape) -> HoeffdingTreeArrays:
        return tree_arrays.allocate(room_of(shape), capacity(shape.n_classes), self._options())

    def _with_room(self, own: Mapping[str, np.ndarray], shape: Shape) -> Any:
        """The own arrays that a state holds, and room to work in."""
        room = {name: np.zeros(size, dtype) for name, (dtype, size) in self._room_layout(shape).items()}
        return self._own_type(**own, **room)

    def _allocate(self, shape: Shape) -> Ensemble:
        trees = [self._empty_tree(shape) for _ in range(self._trees_for(shape))]
        return Ensemble(self._with_room(self._allocate_own(shape), shape), trees)

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> Ensemble:
        own = self._allocate_own(new)
        for name, after in own.items():
            before = getattr(arrays.own, name)
            after[tuple(slice(0, size) for size in before.shape)] = before
        return Ensemble(self._with_room(own, new), [self._grown(tree, new) for tree in arrays.trees])

    def _grown(self, tree: HoeffdingTreeArrays, new: Shape) -> HoeffdingTreeArrays:
        """A tree with room for a larger shape."""
        sizes = tree_arrays.sizes_of(tree)
        cardinality, n_classes = room_of(new), capacity(new.n_classes)
        if sizes.cardinality == cardinality and sizes.n_classes == n_classes:
            return tree
        return tree_arrays.grow(tree, sizes._replace(cardinality=cardinality, n_classes=n_classes))

    def _extend(self, arrays: Any) -> Ensemble:
        """Room for each tree that noted that it lacks some."""
        short = [tree.numbers[SHORT] != ENOUGH for tree in arrays.trees]
        if not any(short):
            super()._extend(arrays)
        trees = [tree_arrays.extend(tree) if lacks else tree for tree, lacks in zip(arrays.trees, short, strict=True)]
        return Ensemble(arrays.own, trees)

    def _set(self, arrays: Any) -> None:
        old: Sequence[Any] = () if self._arrays is None else self._arrays.trees
        held = {id(tree): struct for tree, struct in zip(old, self._tree_structs, strict=True)}
        structs = [held.get(id(tree)) or make_tree(tree) for tree in arrays.trees]
        arrays.own.addresses[:] = [tree_address(struct) for struct in structs]
        self._tree_structs = structs  # kernels know trees by address: somebody must hold them
        self._arrays, self._struct = arrays, type(self)._pack(arrays.own)
        self._row = None  # its calls know the arrays

    def _forget(self) -> None:
        super()._forget()
        self._tree_structs: list[Any] = []

    # -- state --------------------------------------------------------------------------------------------------------

    def _layout(self, shape: Shape) -> Layout:
        return {**self._own_layout(shape), **members.layout(self._empty_tree(shape))}

    def _used(self, arrays: Any) -> Any:
        own = {name: getattr(arrays.own, name) for name in self._own_layout(self._shape)}  # type: ignore[arg-type]
        return _Saved({**own, **members.joined(arrays.trees)})

    def _unpack(self, saved: Any, shape: Shape) -> Ensemble:
        flat: Any = super()._unpack(saved, shape)
        own = {name: flat[name] for name in self._own_layout(shape)}
        for name, (dtype, size) in self._own_layout(shape).items():
            if own[name].shape != size:
                raise StateError(f"array {name!r}: expected {np.dtype(dtype)} {size}, got {own[name].shape}")
        trees = members.parted(flat, self._empty_tree(shape), self._trees_for(shape))
        return Ensemble(self._with_room(own, shape), trees)

    def _check(self, arrays: Any, shape: Shape) -> None:
        self._check_own(arrays.own)

    @property
    def nbytes(self) -> int:
        if self._arrays is None:
            return 0
        parts = (self._arrays.own, *self._arrays.trees)
        return sum({id(array): array.nbytes for part in parts for array in part}.values())

    # -- inspection ---------------------------------------------------------------------------------------------------

    @property
    def members(self) -> list[TreeView]:
        """The trees by which the members predict, each as a `TreeView`."""
        if self._arrays is None:
            return [TreeView(None, None)] * self.n_models
        own, trees = self._arrays
        return [TreeView(trees[self._tree_of(own, member)], self._live) for member in range(self.n_models)]

    def summary(self) -> dict[str, int]:
        """Nodes and leaves of all members, and the depth of the deepest.

        Returns
        -------
        dict
            Keys ``nodes``, ``leaves``, ``depth``.
        """
        views = self.members
        return {
            "nodes": sum(view.n_nodes for view in views),
            "leaves": sum(view.n_leaves for view in views),
            "depth": max(view.height for view in views),
        }


class _Saved(dict[str, np.ndarray]):
    """Arrays by name, as a named tuple shows them."""

    def _asdict(self) -> dict[str, np.ndarray]:
        return self


def check_generators(rng: np.ndarray) -> None:
    """Refuse generators that stand still, with which a kernel could wait forever; uint64 [n, 4]."""
    if not rng.any(axis=1).all():
        raise StateError("array 'rng': a generator's state is zero")


def generators(seed: int, n: int) -> np.ndarray:
    """The generators of members ``0 … n-1``, uint64 [n, 4]."""
    return np.stack([generator(seed, member) for member in range(n)])
