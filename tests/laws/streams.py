"""Random streams that are as unpleasant as real ones: mixed fields, missing values, late categories and classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

Row = dict[str, Any]

NUMBERS = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3)),
    st.sampled_from([0.0, math.nan, math.inf, -math.inf, 1e300, -1e-300]),
)
CATEGORIES = st.sampled_from(["a", "b", "c", "d", None])


@st.composite
def rows(draw: st.DrawFn, *, least: int = 1, most: int = 40) -> list[Row]:
    """Rows with two numeric and two nominal fields; any of them may be missing."""
    n = draw(st.integers(least, most))
    numbers = draw(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=n, max_size=n))
    categories = draw(st.lists(st.tuples(CATEGORIES, CATEGORIES), min_size=n, max_size=n))
    made = [{"u": u, "v": v, "p": p, "q": q} for (u, v), (p, q) in zip(numbers, categories, strict=True)]
    made[0].update(p="a", q="b")  # the kind of a field is fixed by its first value
    return made


LABELS = st.sampled_from(["yes", "no", "perhaps", None])
TARGETS = st.one_of(st.integers(-5, 5).map(float), st.none())
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0, 3.0])


def cuts(n: int) -> st.SearchStrategy[list[int]]:
    """Where to cut ``n`` rows into batches."""
    return st.lists(st.integers(0, n), max_size=4).map(lambda inner: sorted({0, n, *inner}))


def drifting(n: int, seed: int = 0) -> tuple[list[Row], list[str], list[float]]:
    """A longer stream whose concept changes half-way: rows, labels, numeric targets."""
    rng = np.random.default_rng(seed)
    made, labels, targets = [], [], []
    for i in range(n):
        u, v = rng.normal(), rng.uniform()
        p, q = rng.choice(["a", "b", "c"]), rng.choice(["x", "y"])
        score = (u + v if i < n // 2 else u - 3 * v) + (1.0 if p == "a" else 0.0)
        made.append({"u": u, "v": v, "p": str(p), "q": str(q)})
        labels.append("high" if score > 1 else "middle" if score > 0 else "low")
        targets.append(score)
    return made, labels, targets
