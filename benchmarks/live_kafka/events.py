"""Events of about 200 bytes: ten numbers, a class, an id and a time, as JSON."""

from __future__ import annotations

import time

import numpy as np

FIELDS = [f"f{i}" for i in range(10)]
TARGET = "class"
_TEMPLATE = (
    '{"event_id":"e-%09d","ts":%.6f,' + ",".join(f'"{name}":%.6f' for name in FIELDS) + f',"{TARGET}":"%s"' + "}"
)


class Events:
    """An endless, seeded stream: a class that depends on three of the numbers, one label in ten wrong.

    Parameters
    ----------
    first
        The number of the first event, which is in its id; other numbers, other events.
    """

    def __init__(self, first: int = 0) -> None:
        self._rng = np.random.default_rng(first)
        self._made = first

    def take(self, n: int, times: np.ndarray | None = None) -> list[bytes]:
        """The next events; ``times`` go into their ``ts``, by default the present."""
        X = self._rng.random((n, len(FIELDS)))
        up = (X[:, 0] + X[:, 1] * X[:, 2] > 0.75) ^ (self._rng.random(n) < 0.1)
        stamps = np.full(n, time.time()) if times is None else times
        rows = zip(stamps.tolist(), X.tolist(), up.tolist(), strict=True)
        made = [
            (_TEMPLATE % (self._made + i, stamp, *x, "up" if y else "down")).encode()
            for i, (stamp, x, y) in enumerate(rows)
        ]
        self._made += n
        return made
