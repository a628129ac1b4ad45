"""Smooth online boosting of Hoeffding trees."""

from __future__ import annotations

from streamlearn.parameters import check_range
from streamlearn.schema import Schema

from .booster import Booster
from .boosting_kernels import SMOOTH


class OnlineSmoothBoostClassifier(Booster):
    """Hoeffding trees of which each learns less of the rows that the trees before it had right already.

    A row's weight is 1 for the first member, and never more: so rows that are wrong because of noise don't take over.
    Behind members of which more are right than wrong it is ``(1 - gamma) ** (margin / 2)``, where each right member
    adds 1 to the margin, each wrong one subtracts 1, and each subtracts ``gamma / (2 + gamma)``. The members' class
    probabilities are averaged. What MOA's ``OnlineSmoothBoost`` does, with its defaults; nothing in it is random.

    Parameters
    ----------
    n_models : int in 1 … 10,000
        Trees.
    gamma : float in (0, 1)
        How fast the weight falls: the advantage over guessing that each member is expected to have.
    grace_period, max_depth, split_criterion, delta, tau, leaf_prediction, nb_threshold
        Of the trees: see `HoeffdingTreeClassifier`.
    binary_split, min_branch_fraction, max_share_to_split, merit_preprune
        Of the trees: see `HoeffdingTreeClassifier`.
    max_nodes, max_active_leaves : int >= 1
        Of each tree: see `HoeffdingTreeClassifier`.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing and infinite values are treated as by `HoeffdingTreeClassifier`. A row's own weight multiplies what each
    member learns of it; MOA ignores it.

    Examples
    --------
    >>> import streamlearn as sl
    >>> boost = sl.OnlineSmoothBoostClassifier(grace_period=50)
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = boost.test_then_train_many(batch)
    >>> len(boost.members), boost.summary()["nodes"] > 10
    (10, True)

    References
    ----------
    S.-T. Chen, H.-T. Lin, C.-J. Lu: An online boosting algorithm with theoretical justifications. ICML 2012.
    """

    _rule = SMOOTH

    def __init__(
        self,
        *,
        n_models: int = 10,
        gamma: float = 0.1,
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
        check_range("n_models", n_models, 1, 10_000, kind=int)
        check_range("gamma", gamma, 0, 1 - 1e-9, open_low=True)
        self.n_models, self.gamma = n_models, gamma
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
