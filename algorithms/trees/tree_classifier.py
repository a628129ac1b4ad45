"""What all tree classifiers share: their arrays, and ways to look at the tree."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np

from streamlearn.array_learner import Classifier, Layout, capacity
from streamlearn.errors import StateError
from streamlearn.learner import Outputs
from streamlearn.schema import Shape
from streamlearn.work import predicting

from . import arrays as tree_arrays
from .arrays import HoeffdingTreeArrays, Sizes, make_tree
from .check import check_tree
from .growth import Growth, room_of
from .inspection import Explanation, TreeView
from .one_row import tree_address


class TreeClassifier(Growth, Classifier):
    """Base of the tree classifiers; a subclass has a kernel, and says by `_own_options` what it adds to growing."""

    _arrays_type = HoeffdingTreeArrays
    _pack = staticmethod(make_tree)
    _address_of = staticmethod(tree_address)

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _layout(self, shape: Shape) -> Layout:
        return tree_arrays.layout(Sizes(room_of(shape), capacity(shape.n_classes), 1, 1, 0, 0, self._family))

    def _allocate(self, shape: Shape) -> HoeffdingTreeArrays:
        return tree_arrays.allocate(room_of(shape), capacity(shape.n_classes), self._options())

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> HoeffdingTreeArrays:
        sizes = tree_arrays.sizes_of(arrays)
        cardinality, n_classes = room_of(new), capacity(new.n_classes)
        if sizes.cardinality == cardinality and sizes.n_classes == n_classes:
            return cast(HoeffdingTreeArrays, arrays)
        return tree_arrays.grow(arrays, sizes._replace(cardinality=cardinality, n_classes=n_classes))

    def _extend(self, arrays: Any) -> HoeffdingTreeArrays:
        return tree_arrays.extend(arrays)

    def _check(self, arrays: Any, shape: Shape) -> None:
        check_tree(arrays)
        sizes = tree_arrays.sizes_of(arrays)
        expected = (room_of(shape), capacity(shape.n_classes), self._family)
        if (sizes.cardinality, sizes.n_classes, sizes.family) != expected:
            raise StateError("the tree's arrays do not fit the schema")
        arrays.options[:] = self._options()  # a file's parameters count, not what its arrays say of them

    def _used(self, arrays: Any) -> HoeffdingTreeArrays:
        return tree_arrays.trim(arrays)

    # -- inspection ---------------------------------------------------------------------------------------------------

    @property
    def view(self) -> TreeView:
        """The tree as it is now, node by node."""
        return TreeView(self._arrays, self._live)

    @property
    def n_nodes(self) -> int:
        """Nodes: splits and leaves."""
        return self.view.n_nodes

    @property
    def n_leaves(self) -> int:
        """Leaves."""
        return self.view.n_leaves

    @property
    def height(self) -> int:
        """Splits on the longest path; 0 for a single leaf."""
        return self.view.height

    def summary(self) -> dict[str, int]:
        """Nodes, leaves and depth.

        Returns
        -------
        dict
            Keys ``nodes``, ``leaves``, ``depth``.
        """
        return {"nodes": self.n_nodes, "leaves": self.n_leaves, "depth": self.height}

    @property
    def feature_importances(self) -> dict[Hashable, float]:
        """Each field's share of the merit of all splits, weighted by the rows they were decided on; sums to 1."""
        return self.view.importances()

    def to_text(self, max_depth: int | None = None) -> str:
        """The tree as indented text, down to ``max_depth``."""
        return self.view.to_text(max_depth)

    def to_graphviz(self, max_depth: int | None = None) -> str:
        """The tree in Graphviz' dot language, down to ``max_depth``."""
        return self.view.to_graphviz(max_depth)

    def explain_one(self, x: Mapping[Hashable, Any]) -> Explanation:
        """Say why a row gets its prediction.

        Parameters
        ----------
        x
            Field values by name.

        Returns
        -------
        Explanation
            The tests that the row passed, the leaf's class counts, how the leaf predicts, and the probabilities.

        Raises
        ------
        StateError
            If nothing was learned yet.
        """
        with self._lock:
            if self._live is None:
                raise StateError("nothing was learned yet, so there is nothing to explain")
            batch = self._encode([x], grow=False)
            outputs: Outputs = self._process(batch, predicting(1), True)
            label = self._live.decode_label(outputs.prediction.item(0))
            proba = dict(zip(self._live.classes, cast(np.ndarray, outputs.proba)[0].tolist(), strict=True))
            return self.view.explain(self._struct, batch.X, label, proba)

    def debug_one(self, x: Mapping[Hashable, Any]) -> str:
        """`explain_one` as text; River's name for it."""
        return str(self.explain_one(x)) if self._live is not None else "nothing was learned yet"
