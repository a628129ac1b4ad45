"""The Hoeffding Adaptive Tree classifier."""

from __future__ import annotations

from typing import Any

from streamlearn.parameters import check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Schema, Shape

from .arrays import ADAPTING, N_ALTERNATES, PRUNED, SWITCHED, HoeffdingTreeArrays
from .hat_kernels import advance
from .one_row import hat_advance_one
from .tree_classifier import TreeClassifier


class HoeffdingAdaptiveTreeClassifier(TreeClassifier):
    """A Hoeffding tree that replaces the parts of itself that a drift made wrong.

    Each split keeps an ADWIN window of the errors that the tree makes on the rows passing it. When they rise, the split
    gets an alternate, a leaf that learns the same rows beside it. The alternate takes the place of the split and all
    below it once it makes clearly fewer errors, or as soon as it has learned enough to split itself; it is given up
    once it makes clearly more. What MOA's ``HoeffdingAdaptiveTree`` does, with its defaults; the names are River's.

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
    bootstrap_sampling : bool
        Whether leaves multiply the weight of a row by a Poisson(1) number, or by 1 where that is 0.
    drift_window_threshold : int >= 1
        Errors that a split and its alternate must both have more of in their windows before they are compared.
    switch_significance : float in (0, 1)
        Allowed probability of a wrong comparison.
    adwin_delta : float in (0, 1)
        Confidence of the windows; smaller ones alarm later.
    binary_split : bool
        Whether nominal fields split in two only ("v or not v"), never one branch a category.
    min_branch_fraction : float in [0, 0.5]
        At least two branches must get more than this share of the weight.
    max_share_to_split : float in (0, 1]
        No attempt where the majority class has a larger share; 1, as in MOA, is no limit (River: 0.99).
    merit_preprune : bool
        Whether a leaf that finds no split starts its statistics anew, as MOA's pre-pruning has it in effect.
    max_nodes : int >= 1
        Alternates included; a split or an alternate that would need more nodes is put off.
    max_active_leaves : int >= 1
        Leaves that keep statistics: a leaf that would be one more keeps class counts only, until a subtree dies. For
        the memory of one see `HoeffdingTreeClassifier`; a split or alternate has a window of 2.5 kB beside.
    seed : int
        Of the Poisson numbers.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing and infinite values are treated as by `HoeffdingTreeClassifier`. In the paper, and in River, alternates grow
    into trees before they are compared; here, as in MOA, one that splits takes the place at once. A subtree that is
    replaced is freed at once. Further differences are listed in ``hat_kernels.py``.

    Examples
    --------
    >>> import streamlearn as sl
    >>> tree = sl.HoeffdingAdaptiveTreeClassifier(seed=1)
    >>> for batch in sl.open_stream("electricity").batches(limit=10_000):
    ...     predictions = tree.test_then_train_many(batch)
    >>> tree.summary()
    {'nodes': 3, 'leaves': 2, 'depth': 1}
    >>> tree.n_alternate_trees, tree.n_switch_alternate_trees, tree.n_pruned_alternate_trees
    (15, 5, 1)

    References
    ----------
    A. Bifet, R. Gavaldà: Adaptive learning from evolving data streams. IDA 2009.
    """

    _advance = staticmethod(advance)
    _advance_one = staticmethod(hat_advance_one)
    _family = ADAPTING

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
        bootstrap_sampling: bool = True,
        drift_window_threshold: int = 300,
        switch_significance: float = 0.05,
        adwin_delta: float = 0.002,
        binary_split: bool = False,
        min_branch_fraction: float = 0.01,
        max_share_to_split: float = 1.0,
        merit_preprune: bool = True,
        max_nodes: int = 1_000_000,
        max_active_leaves: int = 32_768,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        check_range("drift_window_threshold", drift_window_threshold, 1, 10**9, kind=int)
        check_range("switch_significance", switch_significance, 0, 1, open_low=True)
        check_range("adwin_delta", adwin_delta, 0, 1, open_low=True)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        check_flag("bootstrap_sampling", bootstrap_sampling)
        self.bootstrap_sampling, self.drift_window_threshold = bootstrap_sampling, drift_window_threshold
        self.switch_significance, self.adwin_delta, self.seed = switch_significance, adwin_delta, seed
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

    def _allocate(self, shape: Shape) -> HoeffdingTreeArrays:
        arrays = super()._allocate(shape)
        arrays.rng[:] = generator(self.seed)
        return arrays

    def _own_options(self) -> dict[str, Any]:
        return {
            "drift_delta": self.adwin_delta,
            "least_window": self.drift_window_threshold,
            "significance": self.switch_significance,
            "bootstrap": self.bootstrap_sampling,
        }

    def _count(self, number: int) -> int:
        return 0 if self._arrays is None else int(self._arrays.numbers[number])

    @property
    def n_alternate_trees(self) -> int:
        """Alternates that were begun."""
        return self._count(N_ALTERNATES)

    @property
    def n_switch_alternate_trees(self) -> int:
        """Alternates that took the place of a subtree."""
        return self._count(SWITCHED)

    @property
    def n_pruned_alternate_trees(self) -> int:
        """Alternates that were given up."""
        return self._count(PRUNED)
