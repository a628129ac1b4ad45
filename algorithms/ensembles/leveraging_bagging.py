"""Leveraging bagging of Hoeffding trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.errors import StateError
from streamlearn.parameters import check_choice, check_range
from streamlearn.schema import Schema, Shape

from ..drift.adwin_kernels import adwin_is_sound, adwin_size
from .chain import Chain
from .leveraging_kernels import (
    ADWIN_DELTA,
    METHOD,
    METHODS,
    N_CHANGES,
    N_NUMBERS,
    N_OPTIONS,
    LeveragingArrays,
    W,
    learn_chunk,
    make_leveraging,
)


class LeveragingBaggingClassifier(Chain):
    """Online bagging with more weight and more randomness, in which the worst tree starts anew when errors rise.

    A member learns a row with a weight from the Poisson distribution with mean ``w``. Each member has an ADWIN window
    of its errors. When the errors of any member rise, the one with the most errors in its window is replaced by an
    empty tree. What MOA's ``LeveragingBag`` does, with its defaults; the names are River's.

    Parameters
    ----------
    n_models : int in 1 … 10,000
        Trees.
    w : float in (0, 100]
        Mean of the Poisson numbers of ``bagging_method="bag"``.
    adwin_delta : float in (0, 1)
        Confidence of the windows; smaller ones alarm later.
    bagging_method : "bag", "me", "half", "wt" or "subag"
        How often a member learns a row: Poisson(w) times; "me": once if it gets it wrong, else with the odds of an
        error; "half": once or not at all, by chance; "wt": 1 + Poisson(1) times; "subag": once if a Poisson(1) number
        is not 0.
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
    Missing and infinite values are treated as by `HoeffdingTreeClassifier`. A member is right or wrong, for its window,
    about a row that it has just learned, as in MOA; River asks before. Output codes are left out.

    Examples
    --------
    >>> import streamlearn as sl
    >>> bag = sl.LeveragingBaggingClassifier(n_models=5, seed=1)
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = bag.test_then_train_many(batch)
    >>> len(bag.members), bag.n_detected_changes > 0
    (5, True)

    References
    ----------
    A. Bifet, G. Holmes, B. Pfahringer: Leveraging bagging for evolving data streams. ECML PKDD 2010.
    """

    _own_type = LeveragingArrays
    _pack = staticmethod(make_leveraging)
    _advance = staticmethod(learn_chunk)

    def __init__(
        self,
        *,
        n_models: int = 10,
        w: float = 6,
        adwin_delta: float = 0.002,
        bagging_method: str = "bag",
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
        check_range("w", w, 0, 100, open_low=True)
        check_range("adwin_delta", adwin_delta, 0, 1, open_low=True)
        check_choice("bagging_method", bagging_method, METHODS)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        self.n_models, self.w, self.adwin_delta, self.bagging_method = n_models, w, adwin_delta, bagging_method
        self.seed = seed
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

    @property
    def n_detected_changes(self) -> int:
        """How often errors rose, and the worst member was replaced."""
        return 0 if self._arrays is None else int(self._arrays.own.numbers[N_CHANGES])

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _chain_options(self) -> np.ndarray:
        options = np.zeros(N_OPTIONS)
        options[METHOD], options[W] = METHODS.index(self.bagging_method), self.w
        options[ADWIN_DELTA] = self.adwin_delta
        return options

    def _own_layout(self, shape: Shape) -> Layout:
        windows = (np.float64, (self.n_models, adwin_size()))
        return {**super()._own_layout(shape), "numbers": (np.int64, (N_NUMBERS,)), "windows": windows}

    def _room_layout(self, shape: Shape) -> Layout:
        return {**super()._room_layout(shape), "border": (np.int64, (2,))}

    def _check_own(self, own: LeveragingArrays) -> None:
        super()._check_own(own)
        if not adwin_is_sound(own.windows):
            raise StateError("array 'windows': a window's buckets disagree with its width")

    def _run(self, work: Any, steps: int) -> None:
        self._arrays.own.border[:] = 0
        super()._run(work, steps)
