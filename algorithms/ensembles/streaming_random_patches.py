"""Streaming random patches of Hoeffding trees."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from streamlearn.errors import OptionError
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.random import below, generator, uniform
from streamlearn.schema import Schema

from ..trees.member_kernels import draw_fields
from .forest import Forest
from .forest_arrays import DRIFT, DRIFT_DELTA, MEAN, N_SEEN, SAME_WEIGHT, WARNING, WARNING_DELTA, WEIGHTED

METHODS = ("patches", "subspaces", "resampling")
DETECTORS = ("off", "warning", "drift")
FEW = 20
"""Up to so many fields, the first members' subspaces are drawn without replacement from all that there are."""


class StreamingRandomPatchesClassifier(Forest):
    """Hoeffding trees that each learn random rows and random fields of the stream, and are replaced when they drift.

    A member knows a random subset of the fields and learns a row with a weight from the Poisson distribution: a patch
    of the stream. An ADWIN window of its errors warns when they rise: a tree with a new subset then begins to grow in
    the background, and takes the place of the old one when a second window is certain of a drift. Votes are weighted
    by accuracy. What MOA's ``StreamingRandomPatches`` does, with its defaults but 10 trees, River's number; the names
    are those of River's ``SRPClassifier``.

    Parameters
    ----------
    n_models : int in 1 … 10,000
        Members.
    subspace_size : float in (0, 1], int >= 1, "sqrt" or "rmsqrt"
        Fields that a member knows: a share of all, rounded; a number; the rounded root of their number, plus 1; or all
        others. At least 2, at most all.
    training_method : "patches", "subspaces" or "resampling"
        Random rows and fields; all rows, each once, and random fields; or random rows and all fields.
    lam : float in (0, 100]
        Mean of the Poisson distribution.
    drift_delta : float in (0, 1)
        Confidence of the windows that replace members; smaller ones alarm later.
    warning_delta : float in (0, 1)
        Confidence of the windows that begin background trees.
    disable_detector : "off", "warning" or "drift"
        Without warnings a drift begins a member anew; without drifts there are no warnings either.
    disable_weighted_vote : bool
        Whether all members' votes count the same.
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
    Missing and infinite values are treated as by `HoeffdingTreeClassifier`. With up to 20 fields the members' first
    subsets differ as far as there are enough. They are drawn from the fields that have a value in the first row; one
    that has its first value later takes, by chance, the place of another in the leaves that begin after that.
    Deliberate differences from MOA: a background tree that took over does not
    go on growing in the background as well (it would learn each row twice); a row's own weight counts.

    Examples
    --------
    >>> import streamlearn as sl
    >>> patches = sl.StreamingRandomPatchesClassifier(n_models=5, seed=1)
    >>> for batch in sl.open_stream("electricity").batches(limit=10_000):
    ...     predictions = patches.test_then_train_many(batch)
    >>> [len(fields) for fields in patches.subspaces], patches.n_warnings_detected() > 0
    ([5, 5, 5, 5, 5], True)

    References
    ----------
    H. Gomes, J. Read, A. Bifet: Streaming random patches for evolving data stream classification. ICDM 2019.
    """

    def __init__(
        self,
        *,
        n_models: int = 10,
        subspace_size: float | str = 0.6,
        training_method: str = "patches",
        lam: float = 6,
        drift_delta: float = 1e-5,
        warning_delta: float = 1e-4,
        disable_detector: str = "off",
        disable_weighted_vote: bool = False,
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
        check_subspace_size(subspace_size)
        check_choice("training_method", training_method, METHODS)
        check_range("lam", lam, 0, 100, open_low=True)
        check_range("drift_delta", drift_delta, 0, 1, open_low=True)
        check_range("warning_delta", warning_delta, 0, 1, open_low=True)
        check_choice("disable_detector", disable_detector, DETECTORS)
        check_flag("disable_weighted_vote", disable_weighted_vote)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        check_range("threads", threads, 1, 1024, kind=int)
        self.n_models, self.subspace_size, self.training_method, self.lam = (
            n_models, subspace_size, training_method, lam
        )  # fmt: skip
        self.drift_delta, self.warning_delta, self.disable_detector = drift_delta, warning_delta, disable_detector
        self.disable_weighted_vote, self.seed, self.threads = disable_weighted_vote, seed, threads
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
        options: dict[int, float] = {WEIGHTED: not self.disable_weighted_vote, SAME_WEIGHT: True}
        if self.training_method != "subspaces":
            options[MEAN] = self.lam
        if self.disable_detector != "drift":
            options[DRIFT_DELTA] = self.drift_delta
            if self.disable_detector != "warning":
                options[WARNING_DELTA] = self.warning_delta
        return options

    def _n_draws(self, n: int) -> int:
        return 0 if self.training_method == "resampling" else number_of_fields(self.subspace_size, n)

    def _own_options(self) -> dict[str, Any]:
        return {"shared": self.training_method != "resampling"}

    # -- subspaces ----------------------------------------------------------------------------------------------------

    def _meet_fields(self, before: int) -> None:
        if self.training_method == "resampling":
            return
        own, trees = self._arrays
        n_seen = int(own.numbers[N_SEEN])
        if before == 0:
            drawn = [tree.drawn for tree in trees[: self.n_models]]
            draw_subspaces(self.seed, self._n_draws(n_seen), own.seen[:n_seen], drawn)
            return
        for n in range(before + 1, n_seen + 1):
            for member, rng in enumerate(own.rng):
                for place in own.slots[member]:
                    if place >= 0:
                        offer_field(rng, own.seen[n - 1], self._n_draws(n), n, trees[place].drawn)

    @property
    def subspaces(self) -> list[list[Any]]:
        """Names of the fields that each member knows now."""
        if self._arrays is None or self._live is None:
            return [[] for _ in range(self.n_models)]
        names = self._live.names
        if self.training_method == "resampling":
            return [list(names) for _ in range(self.n_models)]
        own, trees = self._arrays
        drawn = [trees[self._tree_of(own, member)].drawn for member in range(self.n_models)]
        return [[name for name, known in zip(names, flags, strict=True) if known] for flags in drawn]

    # -- drifts -------------------------------------------------------------------------------------------------------

    def n_drifts_detected(self, tree_id: int | None = None) -> int:
        """Drifts so far: of a member, or of all."""
        return self._alarms(DRIFT, tree_id)

    def n_warnings_detected(self, tree_id: int | None = None) -> int:
        """Warnings so far: of a member, or of all."""
        return self._alarms(WARNING, tree_id)


def draw_subspaces(seed: int, size: int, fields: np.ndarray, drawn: list[np.ndarray]) -> None:
    """Draw the members' first subsets: mark ``size`` of the fields, int32 [n], in each uint8 [D] of ``drawn``."""
    rng = generator(seed, stream=len(drawn))
    n = len(fields)
    if n > FEW:
        for marks in drawn:
            draw_fields(rng, fields, size, marks)
        return
    subsets = list(itertools.combinations(fields.tolist(), size))
    subsets *= -(-len(drawn) // len(subsets))  # if there are too few, some members share one
    del subsets[max(len(drawn), math.comb(n, size)) :]
    for marks in drawn:
        marks[list(subsets.pop(below(rng, len(subsets))))] = 1


def offer_field(rng: np.ndarray, field: int, size: int, n: int, drawn: np.ndarray) -> None:
    """Let a tree that has drawn its fields take a new one, the ``n``-th, if it has room, or by chance for another."""
    known = np.flatnonzero(drawn)
    if len(known) == 0:
        return
    if len(known) >= size:
        if not uniform(rng) < size / n:
            return
        drawn[known[below(rng, len(known))]] = 0
    drawn[field] = 1


def check_subspace_size(size: float | str) -> None:
    """Refuse what is none of the ways to say how many fields a member knows."""
    if isinstance(size, str):
        if size not in ("sqrt", "rmsqrt"):
            raise OptionError(f"subspace_size must be a number, 'sqrt' or 'rmsqrt', got {size!r}")
    elif isinstance(size, float):
        check_range("subspace_size", size, 0, 1, open_low=True)
    else:
        check_range("subspace_size", size, 1, 10**9, kind=int)


def number_of_fields(size: float | str, n: int) -> int:
    """How many of ``n`` fields a member knows: at least 2, at most all."""
    root = math.floor(math.sqrt(n) + 0.5) + 1
    if size == "sqrt":
        m = root
    elif size == "rmsqrt":
        m = n - root
    elif isinstance(size, float):
        m = math.floor(size * n + 0.5)
    else:
        m = int(size)
    return min(max(2, m), n)
