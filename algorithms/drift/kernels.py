"""Steps of the detectors that keep a handful of numbers; each takes one value and gives the level after it.

A step is ``(options, numbers, window, random, x) -> level``, see `streamlearn.detector_kernels.watch`. Its own options
and numbers come after the common ones; all numbers are 0 at first, and it restarts after its own drift.
"""

from __future__ import annotations

import math

import numpy as np

from streamlearn.compiled import inlined, undivided
from streamlearn.detector_kernels import DRIFT, IN_CONTROL, LEVEL, WARNING, watch

FIRST, SECOND, THIRD, FOURTH = 3, 4, 5, 6
"""Places of a step's own options."""
N = 2
"""In ``numbers`` of every step: values since the start or the last drift."""


@inlined
def begins(numbers: np.ndarray) -> bool:
    """Whether there is nothing yet, or a drift before; then everything but the common numbers is set to 0."""
    if numbers[N] > 0.0 and numbers[LEVEL] != DRIFT:
        return False
    numbers[N:] = 0.0
    return True


@inlined
def level_of(drift: bool, warning: bool) -> int:
    """The level: drift before warning before neither."""
    return DRIFT if drift else WARNING if warning else IN_CONTROL


# -- DDM (Gama et al. 2004) --------------------------------------------------------------------------------------------


@inlined
def ddm_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """p is the error rate since the start, s its deviation; drift where p + s leaves its minimum too far behind."""
    warm_start, warning, drift = options[FIRST], options[SECOND], options[THIRD]
    P, P_MIN, S_MIN = 3, 4, 5
    if begins(numbers):
        numbers[P_MIN] = numbers[S_MIN] = np.inf
    n = numbers[N] + 1.0
    p = numbers[P] + (x - numbers[P]) / n
    s = math.sqrt(p * (1.0 - p) / n)
    numbers[N], numbers[P] = n, p
    if n + 1.0 < warm_start:
        return IN_CONTROL
    if p + s <= numbers[P_MIN] + numbers[S_MIN]:
        numbers[P_MIN], numbers[S_MIN] = p, s
    p_min, s_min = numbers[P_MIN], numbers[S_MIN]
    return level_of(n + 1.0 > warm_start and p + s > p_min + drift * s_min, p + s > p_min + warning * s_min)


@undivided
def ddm(monitor: int, signal: int) -> int:
    """DDM over a signal."""
    return watch(ddm_step, monitor, signal)


# -- EDDM (Baena-García et al. 2006) -----------------------------------------------------------------------------------


@inlined
def eddm_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """Mean + 2 deviations of the distances between errors; drift where it falls too far below its maximum."""
    warm_start, alpha, beta = options[FIRST], options[SECOND], options[THIRD]
    ERRORS, LAST, MEAN, SQUARES, MAXIMUM = 3, 4, 5, 6, 7
    level = int(numbers[LEVEL])
    if begins(numbers):
        level = IN_CONTROL
    numbers[N] += 1.0
    if x != 1.0:
        return level  # only errors say something new
    numbers[ERRORS] += 1.0
    errors = numbers[ERRORS]
    distance = numbers[N] - numbers[LAST]
    numbers[LAST] = numbers[N]
    before = numbers[MEAN]
    numbers[MEAN] += (distance - before) / errors
    numbers[SQUARES] += (distance - numbers[MEAN]) * (distance - before)
    reach = numbers[MEAN] + 2.0 * math.sqrt(numbers[SQUARES] / errors)
    warm = numbers[N] + 1.0 > warm_start
    if reach > numbers[MAXIMUM]:
        if warm:
            numbers[MAXIMUM] = reach
        return IN_CONTROL
    ratio = reach / numbers[MAXIMUM]
    warm = warm and errors > warm_start
    return level_of(warm and ratio < beta, warm and ratio < alpha)


@undivided
def eddm(monitor: int, signal: int) -> int:
    """EDDM over a signal."""
    return watch(eddm_step, monitor, signal)


# -- HDDM (Frías-Blanco et al. 2015) -----------------------------------------------------------------------------------


@inlined
def hoeffding(n: float, confidence: float) -> float:
    """Hoeffding's bound on the mean of ``n`` values in [0, 1]."""
    return math.sqrt(1.0 / (2.0 * n) * math.log(1.0 / confidence))


@inlined
def rises(n_cut: float, sum_cut: float, n: float, total: float, confidence: float, sign: float) -> bool:
    """Whether the mean of all ``n`` values is above (sign 1) or below (sign -1) that of the first ``n_cut``."""
    if n_cut == n:
        return False
    m = (n - n_cut) / n_cut * (1.0 / n)
    return sign * (total / n - sum_cut / n_cut) >= math.sqrt(m / 2.0 * math.log(2.0 / confidence))


@inlined
def hddm_a_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """Means up to the best cut and up to now, parted by Hoeffding's bound."""
    drift, warning, decreases = options[FIRST], options[SECOND], options[THIRD]
    SUM, N_LOW, SUM_LOW, N_HIGH, SUM_HIGH = 3, 4, 5, 6, 7
    started = begins(numbers)
    numbers[N] += 1.0
    numbers[SUM] += x
    n, total = numbers[N], numbers[SUM]
    if started:
        numbers[N_LOW] = numbers[N_HIGH] = n
        numbers[SUM_LOW] = numbers[SUM_HIGH] = total
    mean, bound = total / n, hoeffding(n, drift)
    if numbers[SUM_LOW] / numbers[N_LOW] + hoeffding(numbers[N_LOW], drift) >= mean + bound:
        numbers[N_LOW], numbers[SUM_LOW] = n, total
    if numbers[SUM_HIGH] / numbers[N_HIGH] - hoeffding(numbers[N_HIGH], drift) <= mean - bound:
        numbers[N_HIGH], numbers[SUM_HIGH] = n, total
    n_low, low, n_high, high = numbers[N_LOW], numbers[SUM_LOW], numbers[N_HIGH], numbers[SUM_HIGH]
    drifts = rises(n_low, low, n, total, drift, 1.0)
    warns = rises(n_low, low, n, total, warning, 1.0)
    if decreases > 0.0 and not drifts:
        falls = rises(n_high, high, n, total, drift, -1.0)
        if decreases == 1.0:
            drifts, warns = falls, warns or rises(n_high, high, n, total, warning, -1.0)
        elif falls:
            numbers[N] = 0.0  # forgets without a word, as MOA does
    return level_of(drifts, warns)


@undivided
def hddm_a(monitor: int, signal: int) -> int:
    """HDDM_A over a signal."""
    return watch(hddm_a_step, monitor, signal)


MEAN, SPREAD = 0, 1
"""Places in a weighted mean: the mean, and the sum of the squares of its weights, 0 while there is no value."""


@inlined
def weigh(mean: np.ndarray, x: float, rate: float) -> None:
    """Move an exponentially weighted mean towards ``x``."""
    if mean[SPREAD] == 0.0:
        mean[MEAN], mean[SPREAD] = x, 1.0
    else:
        keep = 1.0 - rate
        mean[MEAN] = rate * x + keep * mean[MEAN]
        mean[SPREAD] = rate * rate + keep * keep * mean[SPREAD]


@inlined
def exceeds(lower: np.ndarray, upper: np.ndarray, confidence: float) -> bool:
    """Whether one weighted mean is above another by more than McDiarmid's bound."""
    if lower[SPREAD] == 0.0 or upper[SPREAD] == 0.0:
        return False
    bound = math.sqrt((lower[SPREAD] + upper[SPREAD]) * math.log(1.0 / confidence) / 2.0)
    return upper[MEAN] - lower[MEAN] > bound


@inlined
def hddm_w_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """Weighted means up to the best cut and since it, parted by McDiarmid's bound."""
    drift, warning, rate, decreases = options[FIRST], options[SECOND], options[THIRD], options[FOURTH]
    LOW_CUT, HIGH_CUT = 3, 4
    total, low, above, high, below = numbers[5:7], numbers[7:9], numbers[9:11], numbers[11:13], numbers[13:15]
    if begins(numbers):
        numbers[LOW_CUT], numbers[HIGH_CUT] = np.inf, -np.inf
    numbers[N] += 1.0
    weigh(total, x, rate)
    bound = math.sqrt(total[SPREAD] * math.log(1.0 / drift) / 2.0)
    if total[MEAN] + bound < numbers[LOW_CUT]:
        numbers[LOW_CUT] = total[MEAN] + bound
        low[:], above[:] = total, 0.0
    else:
        weigh(above, x, rate)
    if total[MEAN] - bound > numbers[HIGH_CUT]:
        numbers[HIGH_CUT] = total[MEAN] - bound
        high[:], below[:] = total, 0.0
    else:
        weigh(below, x, rate)
    drifts, warns = exceeds(low, above, drift), exceeds(low, above, warning)
    if decreases > 0.0 and not drifts:
        falls = exceeds(below, high, drift)
        if decreases == 1.0:
            drifts, warns = falls, warns or exceeds(below, high, warning)
        elif falls:
            numbers[N] = 0.0
    return level_of(drifts, warns)


@undivided
def hddm_w(monitor: int, signal: int) -> int:
    """HDDM_W over a signal."""
    return watch(hddm_w_step, monitor, signal)


# -- control charts ----------------------------------------------------------------------------------------------------


@inlined
def page_hinkley_step(
    options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float
) -> int:
    """Sums of deviations from the mean, faded by alpha; drift where one leaves its extreme by the threshold."""
    least, delta, threshold, alpha, mode = options[3], options[4], options[5], options[6], options[7]
    AVERAGE, RISE, LOWEST, FALL, HIGHEST = 3, 4, 5, 6, 7
    if begins(numbers):
        numbers[LOWEST], numbers[HIGHEST] = np.inf, -np.inf
    numbers[N] += 1.0
    numbers[AVERAGE] += (x - numbers[AVERAGE]) / numbers[N]
    numbers[RISE] = alpha * numbers[RISE] + (x - numbers[AVERAGE] - delta)
    numbers[FALL] = alpha * numbers[FALL] + (x - numbers[AVERAGE] + delta)
    numbers[LOWEST] = min(numbers[LOWEST], numbers[RISE])
    numbers[HIGHEST] = max(numbers[HIGHEST], numbers[FALL])
    if numbers[N] + 1.0 < least:
        return IN_CONTROL
    up = mode >= 0.0 and numbers[RISE] - numbers[LOWEST] > threshold
    down = mode <= 0.0 and numbers[HIGHEST] - numbers[FALL] > threshold
    return level_of(up or down, False)


@undivided
def page_hinkley(monitor: int, signal: int) -> int:
    """Page-Hinkley over a signal."""
    return watch(page_hinkley_step, monitor, signal)


@inlined
def cusum_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """The sum of what exceeds the mean by delta, never below 0; drift where it passes the threshold."""
    least, delta, threshold = options[FIRST], options[SECOND], options[THIRD]
    AVERAGE, SUM = 3, 4
    begins(numbers)
    numbers[N] += 1.0
    numbers[AVERAGE] += (x - numbers[AVERAGE]) / numbers[N]
    numbers[SUM] = max(0.0, numbers[SUM] + x - numbers[AVERAGE] - delta)
    return level_of(numbers[N] + 1.0 >= least and numbers[SUM] > threshold, False)


@undivided
def cusum(monitor: int, signal: int) -> int:
    """CUSUM over a signal."""
    return watch(cusum_step, monitor, signal)


@inlined
def gma_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """The moving average of deviations from the mean; drift where it passes the threshold."""
    least, threshold, alpha = options[FIRST], options[SECOND], options[THIRD]
    AVERAGE, MOVING = 3, 4
    begins(numbers)
    numbers[N] += 1.0
    numbers[AVERAGE] += (x - numbers[AVERAGE]) / numbers[N]
    numbers[MOVING] = alpha * numbers[MOVING] + (1.0 - alpha) * (x - numbers[AVERAGE])
    return level_of(numbers[N] + 1.0 >= least and numbers[MOVING] > threshold, False)


@undivided
def gma(monitor: int, signal: int) -> int:
    """The geometric moving average over a signal."""
    return watch(gma_step, monitor, signal)


@inlined
def ewma_chart_step(options: np.ndarray, numbers: np.ndarray, window: np.ndarray, random: np.ndarray, x: float) -> int:
    """The moving error rate z against its limits around the error rate p (Ross et al. 2012, section 3)."""
    least, rate, order = options[FIRST], options[SECOND], options[THIRD:]
    SUM, Z = 3, 4
    begins(numbers)
    numbers[N] += 1.0
    numbers[SUM] += x
    n = numbers[N]
    p = numbers[SUM] / n
    s = math.sqrt(p * (1.0 - p) * rate * (1.0 - (1.0 - rate) ** (2.0 * n)) / (2.0 - rate))
    numbers[Z] += rate * (x - numbers[Z])
    z = numbers[Z]
    limit = order[0] + order[1] * p + order[2] * p**3.0 + order[3] * p**5.0 + order[4] * p**7.0
    if n + 1.0 < least:
        return IN_CONTROL
    return level_of(n + 1.0 > least and z > p + limit * s, z > p + 0.5 * limit * s)


@undivided
def ewma_chart(monitor: int, signal: int) -> int:
    """The EWMA chart over a signal."""
    return watch(ewma_chart_step, monitor, signal)
