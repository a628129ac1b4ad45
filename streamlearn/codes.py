"""The check of category codes in a matrix, compiled: one pass, in the order in which the matrix lies in memory."""

from __future__ import annotations

import numpy as np

from .compiled import kernel


@kernel
def first_bad_cell(X: np.ndarray, limits: np.ndarray) -> int:
    """Search for an entry that is neither missing nor a whole number from 0 to below its column's limit.

    Parameters
    ----------
    X : float64 [n, d]
    limits : float64 [d]
        NaN for columns that are not checked.

    Returns
    -------
    int
        ``row * d + column`` of the first one, or -1.
    """
    d = X.shape[1]
    for row in range(len(X)):
        for column in range(d):
            limit = limits[column]
            x = X[row, column]
            if limit == limit and x == x and not (0.0 <= x < limit and x == np.floor(x)):
                return int(row * d + column)
    return -1
