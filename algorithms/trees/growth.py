"""The parameters that say how a Hoeffding tree grows, for trees and for ensembles of them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from streamlearn.array_learner import capacity
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.schema import Shape

from . import arrays as tree_arrays
from .arrays import CRITERIA, DEEPEST, LEAF_MODES, PLAIN


class Growth:
    """Keeps the parameters, checks them, and hands them to the kernels; a learner inherits it."""

    _family: ClassVar[int] = PLAIN

    grace_period: float
    max_depth: int | None
    split_criterion: str
    delta: float
    tau: float
    leaf_prediction: str
    nb_threshold: float
    binary_split: bool
    min_branch_fraction: float
    max_share_to_split: float
    merit_preprune: bool
    max_nodes: int
    max_active_leaves: int

    def _set_growth(self, **params: Any) -> None:
        """Check the parameters that all trees share, and keep them."""
        check_range("grace_period", params["grace_period"], 0, 1e12, open_low=True)
        if params["max_depth"] is not None:
            check_range("max_depth", params["max_depth"], 0, DEEPEST, kind=int)
        check_choice("split_criterion", params["split_criterion"], CRITERIA)
        check_range("delta", params["delta"], 0, 1, open_low=True)
        check_range("tau", params["tau"], 0, 1e6)
        check_choice("leaf_prediction", params["leaf_prediction"], LEAF_MODES)
        check_range("nb_threshold", params["nb_threshold"], 0, 1e12)
        check_range("min_branch_fraction", params["min_branch_fraction"], 0, 0.5)
        check_range("max_share_to_split", params["max_share_to_split"], 0, 1, open_low=True)
        check_range("max_nodes", params["max_nodes"], 1, 2**30, kind=int)
        check_range("max_active_leaves", params["max_active_leaves"], 1, 2**30, kind=int)
        for name in ("binary_split", "merit_preprune"):
            check_flag(name, params[name])
        for name, value in params.items():
            setattr(self, name, value)

    def _own_options(self) -> dict[str, Any]:
        """What a family adds to the options."""
        return {}

    def _options(self) -> np.ndarray:
        """The parameters as the kernel takes them."""
        return tree_arrays.tree_options(
            family=self._family,
            grace_period=self.grace_period,
            delta=self.delta,
            tau=self.tau,
            leaf=self.leaf_prediction,
            nb_threshold=self.nb_threshold,
            criterion=self.split_criterion,
            binary_only=self.binary_split,
            preprune=self.merit_preprune,
            min_branch_fraction=self.min_branch_fraction,
            max_share=self.max_share_to_split,
            max_depth=DEEPEST if self.max_depth is None else self.max_depth,
            max_nodes=self.max_nodes,
            max_blocks=self.max_active_leaves,
            **self._own_options(),
        )


def room_of(shape: Shape) -> tuple[int, ...]:
    """Room for categories of each field: a power of two for a nominal one, 0 for a numeric one."""
    return tuple(capacity(n) if nominal else 0 for n, nominal in zip(shape.cardinality, shape.nominal, strict=True))
