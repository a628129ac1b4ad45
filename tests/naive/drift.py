"""Detectors of drift in the obvious way: each keeps plain lists and dictionaries, and `update` gives the level."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streamlearn.random import below

from .adwin import NaiveADWIN

IN_CONTROL, WARNING, DRIFT = 0, 1, 2


class Restarting:
    """After a drift, the next value is the first of all."""

    def __init__(self) -> None:
        self.level = DRIFT

    def update(self, x: float) -> int:
        if self.level == DRIFT:
            self.start()
        self.level = self.step(x)
        return self.level

    def start(self) -> None:
        raise NotImplementedError

    def step(self, x: float) -> int:
        raise NotImplementedError


def graded(drift: bool, warning: bool) -> int:
    return DRIFT if drift else WARNING if warning else IN_CONTROL


class ADWIN:
    def __init__(self, one_sided: bool = False, **options: Any) -> None:
        self.window, self.one_sided = NaiveADWIN(**options), one_sided

    def update(self, x: float) -> int:
        before = self.window.estimation
        cut = self.window.update(x)
        return DRIFT if cut and (not self.one_sided or self.window.estimation > before) else IN_CONTROL


class DDM(Restarting):
    def __init__(self, warm_start: int = 30, warning_threshold: float = 2.0, drift_threshold: float = 3.0) -> None:
        super().__init__()
        self.warm_start, self.warning, self.drift = warm_start, warning_threshold, drift_threshold

    def start(self) -> None:
        self.n, self.p, self.low = 0, 0.0, (math.inf, math.inf)

    def step(self, x: float) -> int:
        self.n += 1
        self.p += (x - self.p) / self.n
        s = math.sqrt(self.p * (1 - self.p) / self.n)
        if self.n < self.warm_start - 1:
            return IN_CONTROL
        if self.p + s <= sum(self.low):
            self.low = (self.p, s)
        p_min, s_min = self.low
        late = self.n >= self.warm_start
        return graded(late and self.p + s > p_min + self.drift * s_min, self.p + s > p_min + self.warning * s_min)


class EDDM(Restarting):
    def __init__(self, warm_start: int = 30, alpha: float = 0.95, beta: float = 0.9) -> None:
        super().__init__()
        self.warm_start, self.alpha, self.beta = warm_start, alpha, beta

    def start(self) -> None:
        self.n, self.errors, self.last, self.mean, self.squares, self.highest = 0, 0, 0, 0.0, 0.0, 0.0
        self.level = IN_CONTROL

    def step(self, x: float) -> int:
        self.n += 1
        if x == 0:
            return self.level
        distance, self.last = self.n - self.last, self.n
        self.errors += 1
        old = self.mean
        self.mean += (distance - old) / self.errors
        self.squares += (distance - self.mean) * (distance - old)
        reach = self.mean + 2 * math.sqrt(self.squares / self.errors)
        if reach > self.highest:
            if self.n >= self.warm_start:
                self.highest = reach
            return IN_CONTROL
        if self.n < self.warm_start or self.errors <= self.warm_start:
            return IN_CONTROL
        return graded(reach / self.highest < self.beta, reach / self.highest < self.alpha)


class RDDM:
    """Keeps all values since the start of the stream; `kept` says from where on they count as stored."""

    def __init__(
        self,
        warm_start: int = 129,
        warning_threshold: float = 1.773,
        drift_threshold: float = 2.258,
        max_size_concept: int = 40_000,
        min_size_stable_concept: int = 7_000,
        warn_limit: int = 1_400,
    ) -> None:
        self.warm_start, self.warning, self.drift = warm_start, warning_threshold, drift_threshold
        self.longest, self.size, self.warn_limit = max_size_concept, min_size_stable_concept, warn_limit
        self.values: list[float] = []
        self.kept = 0
        self.warned_at: int | None = None
        self.n, self.p, self.low = 0, 0.0, (math.inf, math.inf)
        self.drifted = self.stale = False

    def learn(self, x: float) -> float:
        self.n += 1
        self.p += (x - self.p) / self.n
        return math.sqrt(self.p * (1 - self.p) / self.n)

    def restart(self) -> None:
        if self.warned_at is not None and self.warned_at >= self.kept:
            self.kept = self.warned_at
        if self.drifted:
            self.low = (math.inf, math.inf)
        self.n, self.p = 0, 0.0
        for x in self.values[self.kept :]:
            s = self.learn(x)
            if self.drifted and self.n > self.warm_start and self.p + s < sum(self.low):
                self.low = (self.p, s)
        self.warned_at = None
        self.drifted = self.stale = False

    def update(self, x: float) -> int:
        if self.drifted or self.stale:
            self.restart()
        self.values.append(x)
        now = len(self.values) - 1
        self.kept = max(self.kept, len(self.values) - self.size)
        s = self.learn(x)
        if self.n + 1 <= self.warm_start:
            return IN_CONTROL
        if self.p + s < sum(self.low):
            self.low = (self.p, s)
        p_min, s_min = self.low
        if self.p + s > p_min + self.drift * s_min:
            self.drifted = True
            if self.warned_at is None:
                self.kept = now
            return DRIFT
        if self.p + s > p_min + self.warning * s_min:
            if self.warned_at is not None and now - self.warned_at >= self.warn_limit:
                self.drifted, self.kept, self.warned_at = True, now, None
                return DRIFT
            if self.warned_at is None:
                self.warned_at = now
            return WARNING
        self.warned_at = None
        self.stale = self.n + 1 > self.longest
        return IN_CONTROL


class HDDM_A(Restarting):  # noqa: N801
    def __init__(
        self,
        drift_confidence: float = 0.001,
        warning_confidence: float = 0.005,
        two_sided_test: bool = False,
        on_decrease: str = "alarm",
    ) -> None:
        super().__init__()
        self.drift, self.warning = drift_confidence, warning_confidence
        self.two_sided, self.silent = two_sided_test, on_decrease == "restart"

    def start(self) -> None:
        self.n, self.total = 0, 0.0
        self.low: tuple[int, float] | None = None
        self.high: tuple[int, float] | None = None

    def bound(self, n: int) -> float:
        return math.sqrt(1 / (2 * n) * math.log(1 / self.drift))

    def parted(self, cut: tuple[int, float], confidence: float, sign: int) -> bool:
        n, total = cut
        if n == self.n:
            return False
        m = (self.n - n) / n * (1 / self.n)
        return sign * (self.total / self.n - total / n) >= math.sqrt(m / 2 * math.log(2 / confidence))

    def step(self, x: float) -> int:
        self.n += 1
        self.total += x
        now = (self.n, self.total)
        mean, bound = self.total / self.n, self.bound(self.n)
        if self.low is None or self.low[1] / self.low[0] + self.bound(self.low[0]) >= mean + bound:
            self.low = now
        if self.high is None or self.high[1] / self.high[0] - self.bound(self.high[0]) <= mean - bound:
            self.high = now
        drift, warning = self.parted(self.low, self.drift, 1), self.parted(self.low, self.warning, 1)
        if self.two_sided and not drift:
            falls = self.parted(self.high, self.drift, -1)
            if not self.silent:
                drift, warning = falls, warning or self.parted(self.high, self.warning, -1)
            elif falls:
                self.start()
        return graded(drift, warning)


class HDDM_W(Restarting):  # noqa: N801
    """A weighted mean is a pair (mean, sum of squared weights), or None without a value."""

    def __init__(
        self,
        drift_confidence: float = 0.001,
        warning_confidence: float = 0.005,
        lambda_val: float = 0.05,
        two_sided_test: bool = False,
        on_decrease: str = "alarm",
    ) -> None:
        super().__init__()
        self.drift, self.warning, self.rate = drift_confidence, warning_confidence, lambda_val
        self.two_sided, self.silent = two_sided_test, on_decrease == "restart"

    def start(self) -> None:
        self.total: Any = None
        self.low: Any = None
        self.above: Any = None
        self.high: Any = None
        self.below: Any = None
        self.low_cut, self.high_cut = math.inf, -math.inf

    def weighed(self, mean: Any, x: float) -> tuple[float, float]:
        if mean is None:
            return x, 1.0
        rate, keep = self.rate, 1 - self.rate
        return rate * x + keep * mean[0], rate * rate + keep * keep * mean[1]

    def parted(self, lower: Any, upper: Any, confidence: float) -> bool:
        if lower is None or upper is None:
            return False
        return bool(upper[0] - lower[0] > math.sqrt((lower[1] + upper[1]) * math.log(1 / confidence) / 2))

    def step(self, x: float) -> int:
        self.total = self.weighed(self.total, x)
        bound = math.sqrt(self.total[1] * math.log(1 / self.drift) / 2)
        if self.total[0] + bound < self.low_cut:
            self.low_cut, self.low, self.above = self.total[0] + bound, self.total, None
        else:
            self.above = self.weighed(self.above, x)
        if self.total[0] - bound > self.high_cut:
            self.high_cut, self.high, self.below = self.total[0] - bound, self.total, None
        else:
            self.below = self.weighed(self.below, x)
        drift, warning = (self.parted(self.low, self.above, confidence) for confidence in (self.drift, self.warning))
        if self.two_sided and not drift:
            falls = self.parted(self.below, self.high, self.drift)
            if not self.silent:
                drift, warning = falls, warning or self.parted(self.below, self.high, self.warning)
            elif falls:
                self.start()
        return graded(drift, warning)


class PageHinkley(Restarting):
    """With ``minimum=False``, what the MOA in CapyMOA 0.15.1 does: the sum itself, not its rise, is tested."""

    def __init__(
        self,
        min_instances: int = 30,
        delta: float = 0.005,
        threshold: float = 50.0,
        alpha: float = 1 - 0.0001,
        mode: str = "both",
        minimum: bool = True,
    ) -> None:
        super().__init__()
        self.least, self.delta, self.threshold, self.alpha = min_instances, delta, threshold, alpha
        self.mode, self.minimum = mode, minimum

    def start(self) -> None:
        self.n, self.mean, self.rise, self.fall = 0, 0.0, 0.0, 0.0
        self.lowest, self.highest = (math.inf, -math.inf) if self.minimum else (0.0, 0.0)

    def step(self, x: float) -> int:
        self.n += 1
        self.mean += (x - self.mean) / self.n
        self.rise = self.alpha * self.rise + (x - self.mean - self.delta)
        self.fall = self.alpha * self.fall + (x - self.mean + self.delta)
        if self.minimum:
            self.lowest, self.highest = min(self.lowest, self.rise), max(self.highest, self.fall)
        if self.n + 1 < self.least:
            return IN_CONTROL
        up, down = self.rise - self.lowest > self.threshold, self.highest - self.fall > self.threshold
        return graded((self.mode != "down" and up) or (self.mode != "up" and down), False)


class CUSUM(Restarting):
    def __init__(self, min_instances: int = 30, delta: float = 0.005, threshold: float = 50.0) -> None:
        super().__init__()
        self.least, self.delta, self.threshold = min_instances, delta, threshold

    def start(self) -> None:
        self.n, self.mean, self.sum = 0, 0.0, 0.0

    def step(self, x: float) -> int:
        self.n += 1
        self.mean += (x - self.mean) / self.n
        self.sum = max(0.0, self.sum + x - self.mean - self.delta)
        return graded(self.n + 1 >= self.least and self.sum > self.threshold, False)


class GeometricMovingAverage(Restarting):
    def __init__(self, min_instances: int = 30, threshold: float = 1.0, alpha: float = 0.99) -> None:
        super().__init__()
        self.least, self.threshold, self.alpha = min_instances, threshold, alpha

    def start(self) -> None:
        self.n, self.mean, self.moving = 0, 0.0, 0.0

    def step(self, x: float) -> int:
        self.n += 1
        self.mean += (x - self.mean) / self.n
        self.moving = self.alpha * self.moving + (1 - self.alpha) * (x - self.mean)
        return graded(self.n + 1 >= self.least and self.moving > self.threshold, False)


class EWMAChart(Restarting):
    limits = {  # noqa: RUF012
        100: lambda p: 2.76 + -6.23 * p + 18.12 * p**3.0 + -312.45 * p**5.0 + 1002.18 * p**7.0,
        400: lambda p: 3.97 + -6.56 * p + 48.73 * p**3.0 + -330.13 * p**5.0 + 848.18 * p**7.0,
        1000: lambda p: 1.17 + 7.56 * p + -21.24 * p**3.0 + 112.12 * p**5.0 + -987.23 * p**7.0,
    }

    def __init__(self, min_instances: int = 30, lambda_val: float = 0.2, arl0: int = 400) -> None:
        super().__init__()
        self.least, self.rate, self.limit = min_instances, lambda_val, self.limits[arl0]

    def start(self) -> None:
        self.values: list[float] = []
        self.z = 0.0

    def step(self, x: float) -> int:
        self.values.append(x)
        n = len(self.values)
        p = sum(self.values) / n
        s = math.sqrt(p * (1 - p) * self.rate * (1 - (1 - self.rate) ** (2.0 * n)) / (2 - self.rate))
        self.z += self.rate * (x - self.z)
        if n + 1 < self.least:
            return IN_CONTROL
        limit = self.limit(p)
        return graded(n + 1 > self.least and self.z > p + limit * s, self.z > p + 0.5 * limit * s)


class STEPD(Restarting):
    """With ``absolute``, what MOA does where the correction exceeds the difference."""

    def __init__(
        self, window_size: int = 30, alpha_drift: float = 0.003, alpha_warning: float = 0.05, absolute: bool = False
    ) -> None:
        super().__init__()
        self.size, self.drift, self.warning, self.absolute = window_size, alpha_drift, alpha_warning, absolute

    def start(self) -> None:
        self.values: list[float] = []

    def step(self, x: float) -> int:
        self.values.append(x)
        before, recent = self.values[: -self.size], self.values[-self.size :]
        if len(before) < self.size:
            return IN_CONTROL
        n0, n1 = len(before), len(recent)
        r0, r1 = n0 - sum(before), n1 - sum(recent)
        inverse = 1 / n0 + 1 / n1
        p = (r0 + r1) / (n0 + n1)
        z = abs(r0 / n0 - r1 / n1) - inverse / 2
        if self.absolute:
            z = abs(z)
            chance = math.erfc(z / math.sqrt(p * (1 - p) * inverse) / math.sqrt(2)) if 0 < p < 1 else 0.0
        elif z <= 0 or p in (0, 1):
            chance = 1.0
        else:
            chance = math.erfc(z / math.sqrt(p * (1 - p) * inverse) / math.sqrt(2))
        return graded(chance < self.drift, chance < self.warning)


class KSWIN:
    """The samples are drawn with the library's generator; the statistic is counted at every value of both samples."""

    def __init__(self, critical: int, window_size: int, stat_size: int, random: np.ndarray) -> None:
        self.critical, self.length, self.size, self.random = critical, window_size, stat_size, random
        self.values: list[float] = []

    def update(self, x: float) -> int:
        self.values.append(x)
        del self.values[: -self.length]
        if len(self.values) < self.length:
            return IN_CONTROL
        old, recent = self.values[: -self.size], self.values[-self.size :]
        drawn = []
        for i in range(self.size):
            j = i + below(self.random, len(old) - i)
            old[i], old[j] = old[j], old[i]
            drawn.append(old[i])
        distance = max(abs(sum(a <= v for a in drawn) - sum(b <= v for b in recent)) for v in drawn + recent)
        if distance < self.critical:
            return IN_CONTROL
        self.values = recent
        return DRIFT


class SEED:
    """Blocks are lists [count, sum, squares], the oldest first."""

    def __init__(
        self,
        delta: float = 0.05,
        block_size: int = 32,
        epsilon_prime: float = 0.01,
        alpha: float = 0.8,
        compress_term: int = 75,
    ) -> None:
        self.delta, self.block_size, self.term = delta, block_size, compress_term
        self.first_step = epsilon_prime * alpha
        self.blocks: list[list[float]] = [[0, 0.0, 0.0]]
        self.n, self.width, self.total, self.squares, self.begun = 0, 0, 0.0, 0.0, 0

    def update(self, x: float) -> int:
        if self.blocks[-1][0] == self.block_size:
            if len(self.blocks) > 1 and self.begun > self.term:
                self.begun = 0
                self.compress()
            self.blocks.append([0, 0.0, 0.0])
            self.begun += 1
        tail = self.blocks[-1]
        tail[0] += 1
        tail[1] += x
        self.total += x
        self.width += 1
        self.n += 1
        if self.width >= 2:
            distance = x - self.total / (self.width - 1)
            squares = (self.width - 1) * distance * distance / self.width
            self.squares += squares
            tail[2] += squares
        return self.test() if self.n % self.block_size == 0 and len(self.blocks) > 1 else IN_CONTROL

    def compress(self) -> None:
        epsilon = 0.0
        for i in range(len(self.blocks) - 1, 0, -1):
            epsilon += self.first_step
            newer, older = self.blocks[i], self.blocks[i - 1]
            if abs(older[1] / older[0] - newer[1] / newer[0]) < epsilon:
                self.blocks[i - 1 : i + 1] = [[a + b for a, b in zip(newer, older, strict=True)]]

    def test(self) -> int:
        n0, u0, n1, u1 = float(self.width), self.total, 0.0, 0.0
        dd = math.log(2 * math.log(self.width) / self.delta)
        v = self.squares / self.width
        for i in range(len(self.blocks) - 1, 0, -1):
            n0, u0 = n0 - self.blocks[i][0], u0 - self.blocks[i][1]
            n1, u1 = n1 + self.blocks[i][0], u1 + self.blocks[i][1]
            m = 1 / n0 + 1 / n1
            spread = 2 * m * v * dd
            if spread >= 0 and abs(u1 / n1 - u0 / n0) > math.sqrt(spread) + 2 / 3 * dd * m:
                for count, total, squares in reversed(self.blocks[:i]):
                    self.width -= int(count)
                    self.total -= total
                    self.squares -= squares
                del self.blocks[:i]
                return DRIFT
        return IN_CONTROL


class ABCD:
    """The paper's detector with principal components, by NumPy's eigenvectors and plain means over lists of losses."""

    def __init__(
        self,
        delta_drift: float = 0.002,
        delta_warn: float = 0.01,
        encoding_factor: float = 0.5,
        n_min: int = 100,
        num_splits: int = 20,
        max_size: int = 1000,
        maximum_absolute_value: float = 1.0,
    ) -> None:
        self.drift, self.warn, self.share, self.n_min = delta_drift, delta_warn, encoding_factor, n_min
        self.splits, self.max_size, self.M = num_splits, max_size, maximum_absolute_value
        self.training: list[Any] = []
        self.rows: list[Any] = []
        self.losses: list[float] = []

    def scaled(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.low) / self.span, -1.0, 2.0)

    def train(self) -> None:
        X = np.array(self.training)
        self.low, self.span = X.min(0), np.where(np.ptp(X, axis=0) > 0, np.ptp(X, axis=0), 1.0)
        Z = self.scaled(X)
        self.mean = Z.mean(0)
        values, vectors = np.linalg.eigh(np.cov(Z.T, bias=True))
        self.components = vectors[:, np.argsort(-values)[: int(X.shape[1] * self.share)]].T

    def residual(self, x: np.ndarray) -> np.ndarray:
        z = self.scaled(x) - self.mean
        return z - self.components.T @ (self.components @ z)

    def chance(self, a: Any, b: Any) -> Any:
        n0, n1 = len(a), len(b)
        k, eps = n1 / (n0 + n1), np.abs(np.mean(b, 0) - np.mean(a, 0))
        e0 = n0 * (k * eps) ** 2 / (2 * (np.var(a, 0) + self.M * k * eps / 3 + 2e-7))
        e1 = n1 * ((1 - k) * eps) ** 2 / (2 * (np.var(b, 0) + self.M * (1 - k) * eps / 3 + 2e-7))
        return 2 * (np.exp(-e0) + np.exp(-e1))

    def update(self, x: np.ndarray) -> int:
        if len(self.training) < self.n_min:
            self.training.append(x)
            if len(self.training) == self.n_min:
                self.train()
            return IN_CONTROL
        if len(self.losses) == 2 * self.max_size:
            del self.losses[: self.max_size], self.rows[: self.max_size]
        self.rows.append(x)
        self.losses.append(float(np.mean(self.residual(x) ** 2)))
        n = len(self.losses)
        if n <= 60:
            return IN_CONTROL
        step = max(1, (n - 60) // self.splits)
        places = [n - 30 - j * step for j in range(self.splits) if n - 30 - j * step >= 30]
        chances = [float(self.chance(self.losses[:k], self.losses[k:])) for k in places]
        least = min(chances)
        if least >= self.drift:
            return graded(False, least < self.warn)
        k = places[chances.index(least)]
        squares = np.array([self.residual(row) ** 2 for row in self.rows])
        self.chances = self.chance(squares[:k], squares[k:])
        self.training, self.rows, self.losses = self.rows[k:][-self.n_min :], [], []
        if len(self.training) == self.n_min:
            self.train()
        return DRIFT
