"""The Hoeffding adaptive tree for regression."""

from __future__ import annotations

import numpy as np

from streamlearn.parameters import check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Schema

from . import regression_arrays as tree_arrays
from .monitoring import advance_monitored
from .regression_one_row import advance_monitored_one
from .regression_tree import HoeffdingTreeRegressor


class HoeffdingAdaptiveTreeRegressor(HoeffdingTreeRegressor):
    """A `HoeffdingTreeRegressor` that follows drift: splits whose errors rise are replaced by newly grown trees.

    Each split watches the absolute errors of the rows that pass it, by ADWIN. Where they rise, an alternate tree begins
    to grow on the same rows, and replaces the split, with all that is below it, once its errors are significantly
    lower; if they are significantly higher, it is given up.

    Parameters
    ----------
    grace_period, max_depth, delta, tau, leaf_prediction, residual_weight, learning_rate, model_selector_decay
        As in `HoeffdingTreeRegressor`.
    min_samples_split, binary_split, n_bins, max_nodes, max_active_leaves
        As in `HoeffdingTreeRegressor`; alternate trees count.
    bootstrap_sampling : bool
        Whether leaves weigh a row by a Poisson number of mean 1, but at least 1, as in River.
    drift_window_threshold : int >= 2
        Rows that both trees must have predicted before they are compared.
    drift_delta : float in (0, 1)
        ADWIN's delta: the allowed probability that it takes chance for drift.
    switch_significance : float in (0, 1]
        Level of the two-sided z-test between the mean errors of a tree and its alternate.
    seed : int
        Of the bootstrap's random numbers.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    A split and its window of errors take 2.1 kB more than in the other tree. What has been replaced or given up is
    freed.

    Differences from River, apart from those of `HoeffdingTreeRegressor`: ADWIN is given errors as shares of three root
    mean squares of all errors so far, as its bounds assume numbers in 0 … 1 (River describes such a scaling, and gives
    it the errors as they are); ADWIN's window, not the last error, says whether errors rise or fall; only splits have
    windows, as only they act on them; a tree and its alternate are compared on the same rows, from the alternate's
    first split on if it has one; predictions are those of the tree, not averaged with the alternate trees'.

    Examples
    --------
    >>> import streamlearn as sl
    >>> tree = sl.HoeffdingAdaptiveTreeRegressor(grace_period=50)
    >>> for i in range(6000):
    ...     x = {"a": i % 7, "b": i % 11}
    ...     tree.learn_one(x, 100.0 * (x["a"] > 3) if i < 3000 else 100.0 * (x["b"] > 5))
    >>> round(tree.predict_one({"a": 0, "b": 9})), tree.summary()["switched"] > 0
    (100, True)

    References
    ----------
    A. Bifet, R. Gavaldà: Adaptive learning from evolving data streams. IDA 2009.
    """

    _advance = staticmethod(advance_monitored)
    _advance_one = staticmethod(advance_monitored_one)
    _monitored = True

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
        bootstrap_sampling: bool = True,
        drift_window_threshold: int = 300,
        drift_delta: float = 0.002,
        switch_significance: float = 0.05,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        check_flag("bootstrap_sampling", bootstrap_sampling)
        check_range("drift_window_threshold", drift_window_threshold, 2, 10**12, kind=int)
        check_range("drift_delta", drift_delta, 0, 1, open_low=True)
        check_range("switch_significance", switch_significance, 0, 1, open_low=True)
        check_range("seed", seed, -(2**63), 2**64, kind=int)
        self.bootstrap_sampling, self.drift_window_threshold = bootstrap_sampling, drift_window_threshold
        self.drift_delta, self.switch_significance, self.seed = drift_delta, switch_significance, seed
        super().__init__(
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
            schema=schema,
        )

    def _options(self) -> np.ndarray:
        options = super()._options()
        options[tree_arrays.BOOTSTRAP] = self.bootstrap_sampling
        options[tree_arrays.MIN_WINDOW] = self.drift_window_threshold
        options[tree_arrays.DRIFT_DELTA] = self.drift_delta
        options[tree_arrays.SIGNIFICANCE] = self.switch_significance
        return options

    def _generator(self) -> np.ndarray:
        return generator(self.seed)

    def summary(self) -> dict[str, int]:
        """Nodes, leaves and depth of the tree; alternate trees growing, and those that took a place or were given up.

        Returns
        -------
        dict
            Keys ``nodes``, ``leaves``, ``depth``, ``alternates``, ``switched``, ``pruned``.
        """
        numbers = None if self._arrays is None else self._arrays.numbers
        places = {
            "alternates": tree_arrays.ALTERNATES,
            "switched": tree_arrays.SWITCHED,
            "pruned": tree_arrays.PRUNED,
        }
        counts = {name: 0 if numbers is None else int(numbers[place]) for name, place in places.items()}
        return super().summary() | counts
