"""The adaptive random forest classifier."""

from __future__ import annotations

import math

from streamlearn.errors import OptionError
from streamlearn.parameters import check_flag, check_range
from streamlearn.schema import Schema

from .forest import Forest
from .forest_arrays import DRIFT, DRIFT_DELTA, MEAN, WARNING, WARNING_DELTA, WEIGHTED


class AdaptiveRandomForestClassifier(Forest):
    """Hoeffding trees that each learn random weights and random fields of the stream, and are replaced when they drift.

    A tree learns a row with a weight from the Poisson distribution, and each of its leaves considers a few fields only,
    drawn at random: so trees differ, and their votes, weighted by their accuracies, are better than any one's. An ADWIN
    window of each tree's errors warns when they rise: a new tree then begins to grow in the background, and takes the
    place of the old one when a second window is certain of a drift.

    What MOA's ``AdaptiveRandomForest`` does, with its defaults but 10 trees, River's number. River's defaults are
    reached with ``max_features="sqrt"``; its forest gives the windows the error before, not after, a tree has learned
    the row, and lets background trees learn with Poisson weights too.

    Parameters
    ----------
    n_models : int in 1 … 10,000
        Trees.
    max_features : float in (0, 1], int >= 1, "sqrt", "log2" or None
        Fields that a leaf considers: a share of all, rounded; a number, at most all; the rounded root or binary
        logarithm of their number; or all.
    lambda_value : float in (0, 100]
        Mean of the Poisson distribution.
    disable_weighted_vote : bool
        Whether all trees' votes count the same.
    drift_delta : float in (0, 1) or None
        Confidence of the windows that replace trees; smaller ones alarm later. None: trees are never replaced, and
        there are no warnings either.
    warning_delta : float in (0, 1) or None
        Confidence of the windows that begin background trees. None: on a drift a tree begins anew.
    grace_period, max_depth, split_criterion, delta, tau, leaf_prediction, nb_threshold
        Of the trees: see `HoeffdingTreeClassifier`.
    binary_split, min_branch_fraction, max_share_to_split, merit_preprune
        Of the trees: see `HoeffdingTreeClassifier`.
    max_nodes, max_active_leaves : int >= 1
        Of each tree: see `HoeffdingTreeClassifier`.
    seed : int
        Of the random numbers.
    threads : int in 1 … 1024
        Threads that share the trees' work on a batch; results do not depend on it.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    Missing and infinite values are treated as by `HoeffdingTreeClassifier`. Fields that appear while the stream goes on
    are considered by leaves that begin after that. Differences from MOA are listed in ``forest_kernels.py``.

    Examples
    --------
    >>> import streamlearn as sl
    >>> forest = sl.AdaptiveRandomForestClassifier(n_models=5, seed=1)
    >>> right = rows = 0
    >>> for batch in sl.open_stream("electricity").batches(limit=10_000):
    ...     right += int((forest.process(batch).prediction == batch.y).sum())
    ...     rows += len(batch)
    >>> right / rows > 0.85, forest.n_warnings_detected() >= forest.n_drifts_detected()
    (True, True)

    References
    ----------
    H. Gomes, A. Bifet, J. Read, J. Barddal, F. Enembreck, B. Pfahringer, G. Holmes, T. Abdessalem: Adaptive random
    forests for evolving data stream classification. Machine Learning 106, 2017.
    """

    def __init__(
        self,
        *,
        n_models: int = 10,
        max_features: float | str | None = 0.6,
        lambda_value: float = 6,
        disable_weighted_vote: bool = False,
        drift_delta: float | None = 0.001,
        warning_delta: float | None = 0.01,
        grace_period: float = 50,
        max_depth: int | None = None,
        split_criterion: str = "info_gain",
        delta: float = 0.01,
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
        check_max_features(max_features)
        check_range("lambda_value", lambda_value, 0, 100, open_low=True)
        check_flag("disable_weighted_vote", disable_weighted_vote)
        for name, confidence in (("drift_delta", drift_delta), ("warning_delta", warning_delta)):
            if confidence is not None:
                check_range(name, confidence, 0, 1, open_low=True)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        check_range("threads", threads, 1, 1024, kind=int)
        self.n_models, self.max_features, self.lambda_value = n_models, max_features, lambda_value
        self.disable_weighted_vote, self.drift_delta, self.warning_delta = (
            disable_weighted_vote, drift_delta, warning_delta
        )  # fmt: skip
        self.seed, self.threads = seed, threads
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
        options: dict[int, float] = {MEAN: self.lambda_value, WEIGHTED: not self.disable_weighted_vote}
        if self.drift_delta is not None:
            options[DRIFT_DELTA] = self.drift_delta
        if self.warning_delta is not None:
            options[WARNING_DELTA] = self.warning_delta
        return options

    def _n_draws(self, n: int) -> int:
        return number_of_features(self.max_features, n)

    def n_drifts_detected(self, tree_id: int | None = None) -> int:
        """Drifts so far: of a tree, or of all."""
        return self._alarms(DRIFT, tree_id)

    def n_warnings_detected(self, tree_id: int | None = None) -> int:
        """Warnings so far: of a tree, or of all."""
        return self._alarms(WARNING, tree_id)


def check_max_features(max_features: float | str | None) -> None:
    """Refuse what is none of the ways to say how many fields to draw."""
    if max_features is None or max_features in ("sqrt", "log2"):
        return
    if isinstance(max_features, str):
        raise OptionError(f"max_features must be a number, 'sqrt', 'log2' or None, got {max_features!r}")
    if isinstance(max_features, float):
        check_range("max_features", max_features, 0, 1, open_low=True)
    else:
        check_range("max_features", max_features, 1, 10**9, kind=int)


def number_of_features(max_features: float | str | None, n: int) -> int:
    """How many of ``n`` fields to draw: at least one, at most all."""
    if max_features is None:
        return n
    if max_features == "sqrt":
        m = round(math.sqrt(n))
    elif max_features == "log2":
        m = round(math.log2(max(1, n)))
    elif isinstance(max_features, float):
        m = math.floor(max_features * n + 0.5)
    else:
        m = int(max_features)
    return min(max(1, m), n)
