"""ADWIN in the obvious way: a list of rows of (total, squared deviations) buckets, oldest first."""

from __future__ import annotations

import math


class NaiveADWIN:
    """Bifet and Gavaldà 2007 with MOA's constants; `update` says whether the window was cut."""

    def __init__(
        self, delta: float = 0.002, clock: int = 32, max_buckets: int = 5, min_window: int = 5, grace: int = 10
    ) -> None:
        self.delta, self.clock, self.max_buckets = delta, clock, max_buckets
        self.min_window, self.grace = min_window, grace
        self.rows: list[list[tuple[float, float]]] = [[]]
        self.width, self.total, self.variance, self.time = 0, 0.0, 0.0, 0

    @property
    def estimation(self) -> float:
        return self.total / self.width if self.width else 0.0

    def update(self, value: float) -> bool:
        self.time += 1
        self.insert(value)
        changed = False
        if self.time % self.clock == 0 and self.width > self.grace:
            while self.has_cut():
                self.delete_oldest()
                changed = True
        return changed

    def insert(self, value: float) -> None:
        self.width += 1
        self.rows[0].append((value, 0.0))
        if self.width > 1:
            distance = value - self.total / (self.width - 1)
            self.variance += (self.width - 1) * distance * distance / self.width
        self.total += value
        r = 0
        while len(self.rows[r]) > self.max_buckets:
            n = 2.0**r
            (t0, v0), (t1, v1) = self.rows[r][:2]
            del self.rows[r][:2]
            if r + 1 == len(self.rows):
                self.rows.append([])
            distance = t0 / n - t1 / n
            self.rows[r + 1].append((t0 + t1, v0 + v1 + n * n * distance * distance / (n + n)))
            r += 1

    def delete_oldest(self) -> None:
        total, variance = self.rows[-1].pop(0)
        n = 2.0 ** (len(self.rows) - 1)
        self.width -= int(n)
        self.total -= total
        distance = total / n - self.total / self.width
        self.variance -= variance + n * self.width * distance * distance / (n + self.width)
        while len(self.rows) > 1 and not self.rows[-1]:
            self.rows.pop()

    def has_cut(self) -> bool:
        buckets = [(2.0**r, total) for r in range(len(self.rows) - 1, -1, -1) for total, _ in self.rows[r]]
        n0, u0, n1, u1 = 0.0, 0.0, float(self.width), self.total
        dd = math.log(2.0 * math.log(self.width) / self.delta)
        v = self.variance / self.width
        for n, total in buckets[:-1] if self.rows[0] else buckets:
            n0, u0, n1, u1 = n0 + n, u0 + total, n1 - n, u1 - total
            if n0 > self.min_window + 1 and n1 > self.min_window + 1:
                m = 1.0 / (n0 - self.min_window + 1.0) + 1.0 / (n1 - self.min_window + 1.0)
                spread = 2.0 * m * v * dd  # rounding may take it below 0; then there is no bound, and no cut
                if spread >= 0.0 and abs(u0 / n0 - u1 / n1) > math.sqrt(spread) + 2.0 / 3.0 * dd * m:
                    return True
        return False
