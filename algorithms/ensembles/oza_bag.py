"""Online bagging of Hoeffding trees."""

from __future__ import annotations

from streamlearn.parameters import check_range
from streamlearn.schema import Schema

from .forest import Forest
from .forest_arrays import MEAN


class OzaBagClassifier(Forest):
    """Hoeffding trees that each learn every row a random number of times, as if from bootstrap samples of the stream.

    A member learns a row with a weight from the Poisson distribution with mean 1, which is how often the row would be
    in a bootstrap sample; the members' class probabilities are averaged. Like its trees, it does not forget: where
    concepts drift, see `AdaptiveRandomForestClassifier`. What MOA's ``OzaBag`` does, with its defaults; River's
    ``BaggingClassifier(model=HoeffdingTreeClassifier())`` lets members vote by their predicted class instead.

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
    threads : int in 1 … 1024
        Threads that share the members' work on a batch; results do not depend on it.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing and infinite values are treated as by `HoeffdingTreeClassifier`.

    Examples
    --------
    >>> import streamlearn as sl
    >>> bag = sl.OzaBagClassifier(n_models=5, grace_period=50)
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = bag.test_then_train_many(batch)
    >>> len(bag.members), bag.members[0].n_nodes > 1
    (5, True)

    References
    ----------
    N. Oza, S. Russell: Online bagging and boosting. AISTATS 2001.
    """

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
        threads: int = 1,
        schema: Schema | None = None,
    ) -> None:
        check_range("n_models", n_models, 1, 10_000, kind=int)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        check_range("threads", threads, 1, 1024, kind=int)
        self.n_models, self.seed, self.threads = n_models, seed, threads
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

    def _forest_options(self) -> dict[int, float]:
        return {MEAN: 1.0}
