"""Kernels of naive Bayes: per-class statistics of each field, the votes as defined, and a quick way to their winner.

A class's vote is the plain product of its share of the weight and, field by field, the likelihood of the value; the
product decides, with its underflow to 0 and its ties, as in MOA. Multiplying it out costs an exponential function a
class and field. So `decide` first looks at logarithms, whose constants are cached per class, and answers if the best
class leads by more than all rounding can amount to and its product can neither underflow nor overflow on the way;
otherwise it leaves the answer to the product. So both ways always agree, and which one was taken never shows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import approximate, inlined, kernel, struct

LIMIT = 1e100  # numbers beyond it count as missing: their squares would overflow
TINY = 1e-130  # squares of differences between numbers that are 0 or not below it don't underflow
HUGE = 1e300  # precision of a field that never varied: any difference ends the class's chances
TAU = 2.0 * math.pi
SQRT_TAU = math.sqrt(TAU)

UNDECIDED = -1
MARGIN = 1e-9  # a lead in log votes above all rounding errors, with MARGIN_PER_FIELD
MARGIN_PER_FIELD = 1e-12
UNDERFLOW = 600.0  # partial products stay above exp(-600) / MOST_WEIGHT, within the normal numbers
MOST_WEIGHT = 1e40
LEAST_LIKELIHOOD = 1e-290


class BayesArrays(NamedTuple):
    """State of `NaiveBayes`: ``N`` numeric, ``M`` nominal fields, room for ``C`` classes and ``V`` categories in all.

    Attributes
    ----------
    place : int64 [N + M]
        Of each field, its column ``k`` among the numeric or ``~m`` among the nominal ones.
    numeric : int64 [N]
        Field numbers of the numeric fields.
    nominal : int64 [M]
        Field numbers of the nominal fields.
    offset : int64 [M + 1]
        First row of each nominal field's categories in ``tally``.
    observed : bool [N + M]
        Whether any value of the field was learned.
    known : int64 [1]
        Highest class learned, plus 1.
    total : float64 [1]
        Weight learned in all.
    class_weight : float64 [C]
        Weight learned of each class.
    weight, mean, spread : float64 [C, N]
        Weight, mean and sum of squared deviations of the values learned.
    tally : float64 [V, C]
        Weight of each category of each nominal field.
    present : float64 [M, C]
        Weight of all its categories.
    slots : int64 [M, C]
        Highest category learned with the class, plus 1.
    precision : float64 [C, N]
        Cached ``1 / (2 variance)``; `HUGE` where the variance is 0, NaN where nothing was learned.
    share : float64 [M, C]
        Cached ``1 / (present + slots)``, 0 where nothing was learned.
    log_constant : float64 [C]
        Cached logarithm of the vote, up to what depends on the row; -inf where the class was not learned, NaN where
        only the product can tell.
    log_peak : float64 [C]
        Cached sum of the logarithms of those densities' peaks that exceed 1: the exponential bounds partial products.
    """

    place: np.ndarray
    numeric: np.ndarray
    nominal: np.ndarray
    offset: np.ndarray
    observed: np.ndarray
    known: np.ndarray
    total: np.ndarray
    class_weight: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    tally: np.ndarray
    present: np.ndarray
    slots: np.ndarray
    precision: np.ndarray
    share: np.ndarray
    log_constant: np.ndarray
    log_peak: np.ndarray


Bayes, BayesType = struct(BayesArrays)


@kernel
def make_bayes(a: BayesArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Bayes(
        a.place,
        a.numeric,
        a.nominal,
        a.offset,
        a.observed,
        a.known,
        a.total,
        a.class_weight,
        a.weight,
        a.mean,
        a.spread,
        a.tally,
        a.present,
        a.slots,
        a.precision,
        a.share,
        a.log_constant,
        a.log_peak,
    )


@inlined
def is_number(x: float) -> bool:
    """Whether ``x`` is neither NaN nor infinite nor out of range."""
    return abs(x) <= LIMIT


@inlined
def is_category(x: float) -> bool:
    """Whether ``x`` is a category's code, seen or unseen."""
    return 0.0 <= x < 1e15


@inlined
def density(x: float, weight: float, mean: float, spread: float) -> float:
    """Normal density at ``x``, with MOA's conventions for values that never varied or were never seen."""
    if weight <= 0.0:
        return 0.0
    deviation = math.sqrt(spread / (weight - 1.0)) if weight > 1.0 else 0.0
    if deviation > 0.0:
        distance = x - mean
        return 1.0 / (SQRT_TAU * deviation) * math.exp(-(distance * distance / (2.0 * deviation * deviation)))
    return 1.0 if x == mean else 0.0


@kernel
def vote(s: Any, X: np.ndarray, i: int, c: int) -> float:
    """The vote of class ``c`` for row ``i``: the plain product, field by field."""
    result: float = s.class_weight[c] / s.total[0]
    for field in range(len(s.place)):
        x, k = X[i, field], s.place[field]
        if result == 0.0:
            break
        if not s.observed[field]:
            continue
        if k >= 0:
            if is_number(x):
                result *= density(x, s.weight[c, k], s.mean[c, k], s.spread[c, k])
        elif is_category(x):
            m, code = ~k, int(x)
            if s.slots[m, c] == 0:
                return 0.0
            row = s.offset[m] + code
            seen = s.tally[row, c] if row < s.offset[m + 1] else 0.0
            result *= (seen + 1.0) / (s.present[m, c] + s.slots[m, c])
    return result


@kernel
def multiply_out(s: Any, X: np.ndarray, i: int, votes: np.ndarray) -> int:
    """Fill in the votes; returns the class with the greatest, the lowest on ties, class 0 if all are 0."""
    best, greatest = 0, 0.0
    for c in range(s.known[0]):
        votes[c] = vote(s, X, i, c)
        if votes[c] > greatest:
            best, greatest = c, votes[c]
    return best


@kernel
def decide(s: Any, X: np.ndarray, i: int, values: np.ndarray, likelihood: np.ndarray) -> int:
    """The class that `multiply_out` would choose, or `UNDECIDED` where only the product can tell.

    ``values`` [N] and ``likelihood`` [C] are scratch space.
    """
    numeric, mean, precision, log_constant, log_peak = s.numeric, s.mean, s.precision, s.log_constant, s.log_peak
    fields, has_nominal = len(s.place), len(s.nominal) > 0
    for k in range(len(numeric)):
        x = X[i, numeric[k]]
        size = abs(x)
        if not size <= LIMIT or (size < TINY and size != 0.0):
            return UNDECIDED
        values[k] = x
    if has_nominal:
        multiply_nominal(s, X, i, likelihood)
    best, best_is_safe = UNDECIDED, False
    lead, most_of_best, rival = -np.inf, -np.inf, -np.inf
    for c in range(s.known[0]):
        score = log_constant[c]
        if score == -np.inf:
            continue
        score -= squared_distance(values, mean[c], precision[c])
        if has_nominal:
            score += math.log(max(likelihood[c], LEAST_LIKELIHOOD))
        if math.isnan(score):
            return UNDECIDED
        # No partial product of a safe class underflows. Those of any other may, and are then rounded up by a factor of
        # 2 a field at worst.
        is_safe = log_peak[c] - score < UNDERFLOW
        most = score if is_safe else score + fields + 1.0
        if score > lead:
            rival = max(rival, most_of_best)
            best, lead, most_of_best, best_is_safe = c, score, most, is_safe
        else:
            rival = max(rival, most)
    if best_is_safe and lead - rival > MARGIN + MARGIN_PER_FIELD * fields and s.total[0] < MOST_WEIGHT:
        return best
    return UNDECIDED


@inlined
def multiply_nominal(s: Any, X: np.ndarray, i: int, likelihood: np.ndarray) -> None:
    """The product of the nominal fields' likelihoods, for all classes at once, unknown ones included: whole vectors."""
    nominal, offset, observed, tally, share = s.nominal, s.offset, s.observed, s.tally, s.share
    likelihood[:] = 1.0
    for m in range(len(nominal)):
        x = X[i, nominal[m]]
        if not (is_category(x) and observed[nominal[m]]):
            continue
        row = offset[m] + int(x)
        if row < offset[m + 1]:
            for c in range(len(likelihood)):
                likelihood[c] *= (tally[row, c] + 1.0) * share[m, c]
        else:
            for c in range(len(likelihood)):
                likelihood[c] *= share[m, c]


@approximate
def squared_distance(values: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> float:
    """Sum of squared distances from a class's means, each by its precision, in any order: `MARGIN` covers rounding."""
    result = 0.0
    for k in range(len(values)):
        distance = values[k] - mean[k]
        result += distance * distance * precision[k]
    return result


@kernel
def learn(s: Any, X: np.ndarray, i: int, c: int, w: float) -> None:
    """Learn row ``i`` with class ``c`` and weight ``w > 0``."""
    s.class_weight[c] += w
    s.total[0] += w
    s.known[0] = max(s.known[0], c + 1)
    if len(s.nominal):
        learn_categories(s, X, i, c, w)
    learn_numbers(s, X, i, c, w)
    cache_constants(s, c)


@inlined
def learn_categories(s: Any, X: np.ndarray, i: int, c: int, w: float) -> None:
    """Count the categories of row ``i``."""
    nominal, offset, observed, tally = s.nominal, s.offset, s.observed, s.tally
    present, slots, share = s.present, s.slots, s.share
    for m in range(len(nominal)):
        x = X[i, nominal[m]]
        if is_category(x) and offset[m] + int(x) < offset[m + 1]:
            observed[nominal[m]] = True
            tally[offset[m] + int(x), c] += w
            present[m, c] += w
            slots[m, c] = max(slots[m, c], int(x) + 1)
            share[m, c] = 1.0 / (present[m, c] + slots[m, c])


@inlined
def learn_numbers(s: Any, X: np.ndarray, i: int, c: int, w: float) -> None:
    """Update weighted means and squared deviations (West 1979) by row ``i``."""
    numeric, observed, weight, mean, spread = s.numeric, s.observed, s.weight, s.mean, s.spread
    for k in range(len(numeric)):
        x = X[i, numeric[k]]
        if not is_number(x):
            continue
        observed[numeric[k]] = True
        if weight[c, k] == 0.0:
            weight[c, k], mean[c, k] = w, x
        else:
            distance = x - mean[c, k]
            weight[c, k] += w
            mean[c, k] += w * distance / weight[c, k]
            spread[c, k] += w * distance * (x - mean[c, k])


@inlined
def cache_constants(s: Any, c: int) -> None:
    """Recompute what `decide` needs of class ``c``: the logarithm of all its densities' peaks, by few calls of log."""
    weights, mean, spread, precision = s.weight, s.mean, s.spread, s.precision
    high, low, log_high, log_low = 1.0, 1.0, 0.0, 0.0  # products of squared peaks above 1 and below, inverted
    only_product = False
    for k in range(len(s.numeric)):
        weight = weights[c, k]
        variance = spread[c, k] / (weight - 1.0) if weight > 1.0 else 0.0
        if variance > 0.0:
            precision[c, k] = 0.5 / variance
            inverse_square = TAU * variance
            if inverse_square < 1.0:
                high *= inverse_square
                if high < 1e-100:
                    log_high += math.log(high)
                    high = 1.0
            else:
                low *= inverse_square
                if low > 1e100:
                    log_low += math.log(low)
                    low = 1.0
        elif weight > 0.0:
            precision[c, k] = HUGE
            size = abs(mean[c, k])
            only_product |= size < TINY and size != 0.0
    peak = -0.5 * (log_high + math.log(high))
    s.log_peak[c] = peak
    s.log_constant[c] = math.log(s.class_weight[c]) + peak - 0.5 * (log_low + math.log(low))
    if only_product or peak >= UNDERFLOW:
        s.log_constant[c] = np.nan


@kernel
def advance(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; returns how far it got, which is always the end."""
    X, y, weight, schedule = work.X, work.y, work.weight, work.schedule
    prediction, proba = work.prediction, work.proba
    values, votes = np.empty(len(s.numeric)), np.empty(len(s.class_weight))
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i < 0:
            if y[~i] >= 0 and weight[~i] > 0.0:
                learn(s, X, ~i, y[~i], weight[~i])
        elif len(proba):
            prediction[i] = multiply_out(s, X, i, votes) if s.known[0] else -1
            normalise(votes, s.known[0], prediction[i], proba[i])
        elif s.known[0]:
            c = decide(s, X, i, values, votes)
            prediction[i] = c if c != UNDECIDED else multiply_out(s, X, i, votes)
        else:
            prediction[i] = -1
    return len(schedule)


@kernel
def normalise(votes: np.ndarray, known: int, best: int, proba: np.ndarray) -> None:
    """Votes as probabilities: all alike if all are 0, all on the best class if they overflow."""
    proba[:] = 0.0
    total = 0.0
    for c in range(known):
        total += votes[c]
    if total == 0.0:
        proba[:known] = 1.0 / known if known else 0.0
    elif math.isfinite(total):
        for c in range(known):
            proba[c] = votes[c] / total
    else:
        proba[best] = 1.0
