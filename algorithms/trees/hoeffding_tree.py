"""The Hoeffding tree classifier."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np

from streamlearn.array_learner import Classifier, Layout, capacity
from streamlearn.errors import OptionError, StateError
from streamlearn.learner import Outputs
from streamlearn.parameters import check_choice, check_range
from streamlearn.schema import Schema, Shape
from streamlearn.work import predicting

from . import arrays as tree_arrays
from .arrays import CRITERIA, DEEPEST, LEAF_MODES, HoeffdingTreeArrays, Sizes, make_tree
from .check import check_tree
from .inspection import Explanation, TreeView
from .kernels import advance
from .one_row import advance_one, tree_address


class HoeffdingTreeClassifier(Classifier):
    """A decision tree that splits a leaf once enough rows prove which field is best, exactly as MOA's does.

    A leaf collects statistics of each field. Every `grace_period` of weight it compares the best split with the second
    best: if the Hoeffding bound says that the better one would stay so on endless data, or that the two are as good as
    equal, the leaf splits. Each row is seen once, and memory depends on the size of the tree only.

    Names and meaning of the parameters are River's, with MOA's defaults, so that figures equal MOA's to every digit
    (River's own tree differs: see `max_share_to_split`; it estimates memory where this one counts leaves).

    Parameters
    ----------
    grace_period : float > 0
        Weight that a leaf learns between two attempts to split.
    max_depth : int or None
        A leaf at this depth never splits.
    split_criterion : "info_gain" or "gini"
        What a split is measured by.
    delta : float in (0, 1)
        Allowed probability that a split is not the best one.
    tau : float >= 0
        Hoeffding bound below which the best of equally good splits is taken.
    leaf_prediction : "mc", "nb" or "nba"
        Leaves predict the majority class, by naive Bayes, or by whichever was right more often at that leaf.
    nb_threshold : float >= 0
        Weight from which on an "nb" leaf uses naive Bayes.
    binary_split : bool
        Whether nominal fields split in two only ("v or not v"), never one branch a category.
    min_branch_fraction : float in [0, 0.5]
        At least two branches must get more than this share of the weight.
    max_share_to_split : float in (0, 1]
        No attempt where the majority class has a larger share; 1, as in MOA, is no limit (River: 0.99).
    merit_preprune : bool
        Whether a leaf that finds no split starts its statistics anew, as MOA's pre-pruning has it in effect.
    max_nodes : int >= 1
        A split that would need more nodes ends all growth; the tree goes on learning in its leaves.
    max_active_leaves : int >= 1
        Leaves that keep statistics: a leaf that would be one more keeps class counts only, and growth ends. With ``d``
        numeric fields, ``v`` categories in all and ``c`` classes (each up to the next power of two, as room for more),
        a leaf's statistics take about ``c * (48 d + 8 v)`` bytes, a node ``64 + 8 c``; room is at most doubled.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing and infinite values are left out of statistics and of naive Bayes. A row that misses the field of a split is
    predicted from the split's class counts, and not learned. A category that a split has not seen gets a new leaf when
    it is learned. Deliberate differences from MOA, none of which shows in its published figures, are listed in
    ``kernels.py``.

    Examples
    --------
    >>> import streamlearn as sl
    >>> tree = sl.HoeffdingTreeClassifier(grace_period=50)
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = tree.test_then_train_many(batch)
    >>> tree.summary()
    {'nodes': 33, 'leaves': 22, 'depth': 5}

    References
    ----------
    P. Domingos, G. Hulten: Mining high-speed data streams. KDD 2000. G. Holmes, R. Kirkby, B. Pfahringer:
    Stress-testing Hoeffding trees. PKDD 2005 (adaptive leaves).
    """

    _arrays_type = HoeffdingTreeArrays
    _pack = staticmethod(make_tree)
    _advance = staticmethod(advance)
    _advance_one = staticmethod(advance_one)
    _address_of = staticmethod(tree_address)

    def __init__(
        self,
        *,
        grace_period: float = 200,
        max_depth: int | None = None,
        split_criterion: str = "info_gain",
        delta: float = 1e-7,
        tau: float = 0.05,
        leaf_prediction: str = "nba",
        nb_threshold: float = 0,
        binary_split: bool = False,
        min_branch_fraction: float = 0.01,
        max_share_to_split: float = 1.0,
        merit_preprune: bool = True,
        max_nodes: int = 1_000_000,
        max_active_leaves: int = 32_768,
        schema: Schema | None = None,
    ) -> None:
        check_range("grace_period", grace_period, 0, 1e12, open_low=True)
        if max_depth is not None:
            check_range("max_depth", max_depth, 0, DEEPEST, kind=int)
        check_choice("split_criterion", split_criterion, CRITERIA)
        check_range("delta", delta, 0, 1, open_low=True)
        check_range("tau", tau, 0, 1e6)
        check_choice("leaf_prediction", leaf_prediction, LEAF_MODES)
        check_range("nb_threshold", nb_threshold, 0, 1e12)
        check_range("min_branch_fraction", min_branch_fraction, 0, 0.5)
        check_range("max_share_to_split", max_share_to_split, 0, 1, open_low=True)
        check_range("max_nodes", max_nodes, 1, 2**30, kind=int)
        check_range("max_active_leaves", max_active_leaves, 1, 2**30, kind=int)
        for name, flag in (("binary_split", binary_split), ("merit_preprune", merit_preprune)):
            if not isinstance(flag, bool):
                raise OptionError(f"{name} must be true or false, got {flag!r}")
        self.grace_period, self.max_depth, self.split_criterion = grace_period, max_depth, split_criterion
        self.delta, self.tau = delta, tau
        self.leaf_prediction, self.nb_threshold = leaf_prediction, nb_threshold
        self.binary_split, self.min_branch_fraction = binary_split, min_branch_fraction
        self.max_share_to_split, self.merit_preprune = max_share_to_split, merit_preprune
        self.max_nodes, self.max_active_leaves = max_nodes, max_active_leaves
        super().__init__(schema=schema)

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _layout(self, shape: Shape) -> Layout:
        return tree_arrays.layout(Sizes(_room(shape), capacity(shape.n_classes), 1, 1, 0))

    def _allocate(self, shape: Shape) -> HoeffdingTreeArrays:
        return tree_arrays.allocate(_room(shape), capacity(shape.n_classes), self._options())

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> HoeffdingTreeArrays:
        sizes = tree_arrays.sizes_of(arrays)
        cardinality, n_classes = _room(new), capacity(new.n_classes)
        if sizes.cardinality == cardinality and sizes.n_classes == n_classes:
            return cast(HoeffdingTreeArrays, arrays)
        return tree_arrays.grow(arrays, sizes._replace(cardinality=cardinality, n_classes=n_classes))

    def _extend(self, arrays: Any) -> HoeffdingTreeArrays:
        return tree_arrays.extend(arrays)

    def _check(self, arrays: Any, shape: Shape) -> None:
        check_tree(arrays)
        sizes = tree_arrays.sizes_of(arrays)
        if sizes.cardinality != _room(shape) or sizes.n_classes != capacity(shape.n_classes):
            raise StateError("the tree's arrays do not fit the schema")
        arrays.options[:] = self._options()  # a file's parameters count, not what its arrays say of them

    def _used(self, arrays: Any) -> HoeffdingTreeArrays:
        return tree_arrays.trim(arrays)

    def _options(self) -> np.ndarray:
        """The parameters as the kernel takes them."""
        return tree_arrays.tree_options(
            grace_period=self.grace_period,
            delta=self.delta,
            tau=self.tau,
            leaf=self.leaf_prediction,
            nb_threshold=self.nb_threshold,
            criterion=self.split_criterion,
            binary_only=self.binary_split,
            preprune=self.merit_preprune,
            min_branch_fraction=self.min_branch_fraction,
            max_share=self.max_share_to_split,
            max_depth=DEEPEST if self.max_depth is None else self.max_depth,
            max_nodes=self.max_nodes,
            max_blocks=self.max_active_leaves,
        )

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


def _room(shape: Shape) -> tuple[int, ...]:
    """Room for categories of each field: a power of two for a nominal one, 0 for a numeric one."""
    return tuple(capacity(n) if nominal else 0 for n, nominal in zip(shape.cardinality, shape.nominal, strict=True))
