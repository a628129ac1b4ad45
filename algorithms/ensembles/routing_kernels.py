"""A look at one row through a mixture's eyes."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.compiled import kernel

from ..trees.member_kernels import new_space, vote_at
from ..trees.one_row import tree_at
from .drift_moe_kernels import open_router, score, tree_of
from .router_kernels import Router, sigmoid


@kernel
def look(s: Any, X: np.ndarray, weights: np.ndarray, winners: np.ndarray) -> None:
    """Write what the router gives each expert for row 0, and the class that each gives it, float64 and int64 [K]."""
    look_with(s, X, weights, winners, open_router(s))


@kernel
def look_with(s: Any, X: np.ndarray, weights: np.ndarray, winners: np.ndarray, r: Router) -> None:
    """`look`, given space for one row."""
    tree = tree_at(s.addresses[0])
    space = new_space(len(tree.numeric_fields), len(tree.nominal_fields), tree.counts.shape[1])
    score(s, r, X, 0)
    for k in range(len(weights)):
        weights[k] = sigmoid(r.logits[k])
        winners[k] = vote_at(tree_of(s, k), X, 0, space, np.empty(0))
