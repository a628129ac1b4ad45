"""The Hoeffding tree classifier."""

from __future__ import annotations

from streamlearn.schema import Schema

from .kernels import advance
from .one_row import advance_one
from .tree_classifier import TreeClassifier


class HoeffdingTreeClassifier(TreeClassifier):
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

    _advance = staticmethod(advance)
    _advance_one = staticmethod(advance_one)

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
        self._set_growth(
            grace_period=grace_period,
            max_depth=max_depth,
            split_criterion=split_criterion,
            delta=delta,
            tau=tau,
            leaf_prediction=leaf_prediction,
            nb_threshold=nb_threshold,
            binary_split=binary_split,
            min_branch_fraction=min_branch_fraction,
            max_share_to_split=max_share_to_split,
            merit_preprune=merit_preprune,
            max_nodes=max_nodes,
            max_active_leaves=max_active_leaves,
        )
        super().__init__(schema=schema)
