"""The Extremely Fast Decision Tree classifier."""

from __future__ import annotations

from typing import Any

from streamlearn.parameters import check_range
from streamlearn.schema import Schema

from .arrays import ANYTIME
from .efdt_kernels import advance
from .one_row import efdt_advance_one
from .tree_classifier import TreeClassifier


class ExtremelyFastDecisionTreeClassifier(TreeClassifier):
    """A Hoeffding tree that splits as soon as a split is better than none, and later replaces it by a better one.

    A leaf does not wait until the best field is proven better than the second best: it splits once the best is proven
    better than not to split. In return splits go on collecting statistics, and every `min_samples_reevaluate` rows
    those on the path of that row are held against their alternatives; one that loses is replaced, and the subtree
    below it goes. So the tree learns faster from few rows, and follows a stream that drifts. Equal to MOA's ``EFDT``,
    whose defaults it has; the names of the parameters are River's.

    Parameters
    ----------
    grace_period : int >= 1
        Rows that a leaf learns between two attempts to split (rows, not weight, as in MOA).
    max_depth : int or None
        A leaf at this depth never splits.
    min_samples_reevaluate : int >= 1
        Rows of the stream between two looks at the splits on a row's path (River: 20, counted at each split).
    split_criterion : "info_gain" or "gini"
        What a split is measured by.
    delta : float in (0, 1)
        Allowed probability that a split is not better than what it is compared with.
    tau : float >= 0
        Hoeffding bound below which a leaf takes the best split anyway, and a split gives way to one that has been
        better by ``tau / 2`` on average.
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
        Whether a leaf none of whose fields offers a split starts its statistics anew; without it, the only field that
        offers one is taken unasked, as in MOA.
    max_nodes : int >= 1
        A split that would need more nodes is put off.
    max_active_leaves : int >= 1
        Nodes that keep statistics, splits included: a leaf that would be one more keeps class counts only, until a
        subtree dies. For the memory of one see `HoeffdingTreeClassifier`; here it is ``8 d`` bytes more.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing and infinite values are left out of statistics and of naive Bayes. A row that misses the field of a split is
    predicted from the split's class counts, and learned by the nodes down to it. A replaced subtree is freed at once.
    What MOA does beyond the paper, and the few deliberate differences, are listed in ``efdt_kernels.py``. MOA counts as
    nodes all splits ever made; here they are the nodes there are.

    Examples
    --------
    >>> import streamlearn as sl
    >>> tree = sl.ExtremelyFastDecisionTreeClassifier()
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = tree.test_then_train_many(batch)
    >>> tree.summary()
    {'nodes': 16, 'leaves': 11, 'depth': 4}

    References
    ----------
    C. Manapragada, G. I. Webb, M. Salehi: Extremely fast decision tree. KDD 2018.
    """

    _advance = staticmethod(advance)
    _advance_one = staticmethod(efdt_advance_one)
    _family = ANYTIME

    def __init__(
        self,
        *,
        grace_period: int = 200,
        max_depth: int | None = None,
        min_samples_reevaluate: int = 2000,
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
        check_range("grace_period", grace_period, 1, 10**12, kind=int)
        check_range("min_samples_reevaluate", min_samples_reevaluate, 1, 10**12, kind=int)
        self.min_samples_reevaluate = min_samples_reevaluate
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

    def _own_options(self) -> dict[str, Any]:
        return {"reevaluate": self.min_samples_reevaluate}
