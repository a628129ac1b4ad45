"""Online boosting of Hoeffding trees."""

from __future__ import annotations

from streamlearn.parameters import check_range
from streamlearn.schema import Schema

from .booster import Booster
from .boosting_kernels import OZA


class OzaBoostClassifier(Booster):
    """Hoeffding trees of which each learns more of the rows that the trees before it got wrong.

    The first member learns a row as often as a Poisson(1) number says. Those that get it right hand it on with a
    smaller mean, those that get it wrong with a larger one, so that for each member the rows that it has right and
    those that it has wrong weigh the same in what the next one learns. Members vote by the logarithms of their odds to
    be right, up to the first that is wrong more often than not. What MOA's ``OzaBoost`` does, with its defaults;
    River's ``AdaBoostClassifier`` is alike.

    Parameters
    ----------
    n_models : int in 1 … 10,000
        Trees.
    grace_period, max_depth, split_criterion, delta, tau, leaf_prediction, nb_threshold
        Of the trees: see `HoeffdingTreeClassifier`.
    binary_split, min_branch_fraction, max_share_to_split, merit_preprune
        Of the trees: see `HoeffdingTreeClassifier`.
    max_nodes, max_active_leaves : int >= 1
        Of each tree: see `HoeffdingTreeClassifier`.
    seed : int
        Of the random numbers.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing and infinite values are treated as by `HoeffdingTreeClassifier`. While no member has a say, since the first
    one is never wrong, or mostly, all vote alike: MOA then always predicts the first class. A row of weight w
    counts w times in the balance of right and wrong.

    Examples
    --------
    >>> import streamlearn as sl
    >>> boost = sl.OzaBoostClassifier(grace_period=50)
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = boost.test_then_train_many(batch)
    >>> len(boost.members), boost.summary()["nodes"] > 10
    (10, True)

    References
    ----------
    N. Oza, S. Russell: Online bagging and boosting. AISTATS 2001.
    """

    _rule = OZA

    def __init__(
        self,
        *,
        n_models: int = 10,
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
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        check_range("n_models", n_models, 1, 10_000, kind=int)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        self.n_models, self.seed = n_models, seed
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
