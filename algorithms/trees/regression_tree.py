"""The Hoeffding tree for regression."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

import numpy as np

from streamlearn.array_learner import Layout, Regressor
from streamlearn.schema import Schema, Shape

from . import regression_arrays as tree_arrays
from .regression_arrays import RegressionTreeArrays, Sizes, make_regression_tree
from .regression_check import check_regression_tree
from .regression_growth import RegressionGrowth
from .regression_kernels import advance
from .regression_one_row import advance_one, tree_address
from .regression_view import RegressionTreeView


class HoeffdingTreeRegressor(RegressionGrowth, Regressor):
    """A tree of linear models that splits a leaf once enough rows prove which field is best.

    A leaf collects targets, and what its linear model leaves of them, by intervals of each numeric field and by
    category. Every `grace_period` of weight it takes the best split of each field, the one that takes away most of
    their variance, and compares the best field with the second best: if the Hoeffding bound says that it would stay the
    best on endless data, or that the two are as good as equal, the leaf splits. Each row is seen once, and memory
    depends on the size of the tree only.

    Parameters
    ----------
    grace_period : float > 0
        Weight that a leaf learns between two attempts to split.
    max_depth : int or None
        A leaf at this depth never splits.
    delta : float in (0, 1)
        Allowed probability that a split is not on the best field.
    tau : float >= 0
        Hoeffding bound below which the best of equally good splits is taken.
    leaf_prediction : "mean", "model" or "adaptive"
        Leaves predict the mean of their targets, by a linear model, or by whichever had the lower error lately.
    residual_weight : float in [0, 1]
        A split's merit is the share of variance that it takes away: of what the leaf's linear model leaves unexplained,
        with this weight, and of the targets, with the rest. 0 is the paper's tree, and River's. Leaves that only
        predict means have no residuals.
    learning_rate : float in (0, 1]
        Rate of the linear models.
    model_selector_decay : float in [0, 1]
        By what the squared errors so far are multiplied at each row, where leaves choose by them.
    min_samples_split : float >= 0
        Weight that each branch of a split must have.
    binary_split : bool
        Whether nominal fields split in two only ("v or not v"), never one branch a category.
    n_bins : int in 8 … 4096
        Intervals that a leaf keeps of each numeric field; up to as many different values it knows each by itself.
    max_nodes : int >= 1
        A split that would need more nodes is not made; the tree goes on learning in its leaves.
    max_active_leaves : int >= 1
        Leaves that collect statistics for a split. With ``d`` numeric fields and ``v`` categories (each field's up to
        the next power of two, as room for more), a leaf's take ``56 d n_bins + 40 v`` bytes, and each node
        ``124 + 40 d + 8 v``; room is at most doubled.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    A row that misses the field of a split goes where most rows went when the split was made. A category that a split
    has not seen gets a new leaf when it is learned. Missing values, infinities and numbers beyond ±1e100 are left out
    of statistics, and contribute nothing to linear models. Rows with such targets are not learned.

    Names and meaning of the parameters are River's, with these differences. `residual_weight` is new. The models
    standardise their fields by the mean and deviation in the leaf, as FIMT-DD does, so nothing need be scaled
    beforehand; values more than ten deviations out count as ten; a step never goes past the target; they start at the
    first target instead of 0. Numeric fields are observed in `n_bins` intervals of any width instead of by River's
    splitters, which round values to one decimal or assume a scale, and grow without bound. Merits and the bound count
    what the leaf's own observers saw; River's subtract them from statistics that include what was inherited. Memory is
    bounded by counts, not by estimated bytes. `merit_preprune` is not offered: a split that lowers no variance is never
    made.

    Examples
    --------
    >>> import streamlearn as sl
    >>> tree = sl.HoeffdingTreeRegressor(grace_period=50)
    >>> for i in range(2000):
    ...     kind, size = ("small", i % 10) if i % 3 else ("large", 10 * (i % 7))
    ...     tree.learn_one({"kind": kind, "size": size}, 3.0 * size if kind == "small" else 200.0 - size)
    >>> round(tree.predict_one({"kind": "small", "size": 4})), round(tree.predict_one({"kind": "large", "size": 30}))
    (12, 170)

    References
    ----------
    E. Ikonomovska, J. Gama, S. Džeroski: Learning model trees from evolving data streams. Data Mining and Knowledge
    Discovery 23, 2011. S. M. Mastelini, A. C. P. L. F. de Carvalho: Using dynamical quantization to perform split
    attempts in online tree regressors. Pattern Recognition Letters 145, 2021.
    """

    _arrays_type = RegressionTreeArrays
    _pack = staticmethod(make_regression_tree)
    _advance = staticmethod(advance)
    _advance_one = staticmethod(advance_one)
    _address_of = staticmethod(tree_address)
    _monitored = False

    def __init__(
        self,
        *,
        grace_period: float = 200,
        max_depth: int | None = None,
        delta: float = 1e-7,
        tau: float = 0.05,
        leaf_prediction: str = "adaptive",
        residual_weight: float = 0.75,
        learning_rate: float = 0.01,
        model_selector_decay: float = 0.95,
        min_samples_split: float = 5,
        binary_split: bool = False,
        n_bins: int = 32,
        max_nodes: int = 1_000_000,
        max_active_leaves: int = 32_768,
        schema: Schema | None = None,
    ) -> None:
        self._set_growth(
            grace_period=grace_period,
            max_depth=max_depth,
            delta=delta,
            tau=tau,
            leaf_prediction=leaf_prediction,
            residual_weight=residual_weight,
            learning_rate=learning_rate,
            model_selector_decay=model_selector_decay,
            min_samples_split=min_samples_split,
            binary_split=binary_split,
            n_bins=n_bins,
            max_nodes=max_nodes,
            max_active_leaves=max_active_leaves,
        )
        super().__init__(schema=schema)

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _generator(self) -> np.ndarray:
        """First state of the generator of random numbers; this tree needs none."""
        return np.zeros(0, np.uint64)

    def _sizes(self, shape: Shape) -> Sizes:
        return super()._sizes(shape)._replace(monitored=self._monitored)

    def _layout(self, shape: Shape) -> Layout:
        return tree_arrays.layout(self._sizes(shape))

    def _allocate(self, shape: Shape) -> RegressionTreeArrays:
        return tree_arrays.allocate(self._sizes(shape), self._options(), self._generator())

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> RegressionTreeArrays:
        sizes, cardinality = tree_arrays.sizes_of(arrays), self._sizes(new).cardinality
        if sizes.cardinality == cardinality:
            return cast(RegressionTreeArrays, arrays)
        return tree_arrays.rebuilt(arrays, sizes._replace(cardinality=cardinality))

    def _extend(self, arrays: Any) -> RegressionTreeArrays:
        return tree_arrays.extend(arrays)

    def _check(self, arrays: Any, shape: Shape) -> None:
        check_regression_tree(arrays, self._sizes(shape))
        arrays.options[:] = self._options()  # a file's parameters count, not what its arrays say of them

    def _used(self, arrays: Any) -> RegressionTreeArrays:
        return tree_arrays.trim(arrays)

    # -- inspection ---------------------------------------------------------------------------------------------------

    @property
    def view(self) -> RegressionTreeView:
        """The tree as it is now, node by node."""
        return RegressionTreeView(self._arrays, self._live)

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
        view = self.view
        return {"nodes": view.n_nodes, "leaves": view.n_leaves, "depth": view.height}

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
