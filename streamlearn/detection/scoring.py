"""Sets alarms against known drifts: which drift did an alarm find, after how many rows, and which alarms are false."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError
from ..source import Drift


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the drifts and the alarms of one sequence.

    Attributes
    ----------
    rows : int
    drifts : int
    delays : tuple of int
        Rows from the onset of each drift found to the alarm that found it.
    found : int64 [drifts]
        The row of the alarm that found each drift; -1 where it was missed.
    false_alarms : int64 [f]
        Rows of the alarms that found nothing.
    """

    rows: int
    drifts: int
    delays: tuple[int, ...]
    found: np.ndarray
    false_alarms: np.ndarray


def score_alarms(
    alarms: Sequence[int] | np.ndarray,
    drifts: Sequence[Drift],
    rows: int,
    max_delay: int,
    optional: Sequence[Drift] = (),
) -> Score:
    """Match alarms with drifts.

    A drift begins at its onset, half its width before its centre. The first alarm from then on finds it, if it comes
    before the end of the change plus ``max_delay`` rows, and before the next drift begins. Further alarms while the
    change is under way are neither false nor new; all others are false, also a second one after an abrupt drift, since
    it would throw away what was just learned.

    Parameters
    ----------
    alarms
        Rows (0-based, rising) after which the detector raised an alarm.
    drifts
        The known drifts, in the order of their rows.
    rows
        Length of the sequence.
    max_delay
        Rows after the end of a change until which an alarm still counts, >= 1.
    optional
        Changes that need not be found: the first alarm after one, by the same rule, is neither false nor a find.

    Raises
    ------
    OptionError
        If ``max_delay`` is out of range.

    Examples
    --------
    >>> score = score_alarms([100, 1010, 1020, 3000], [Drift(1000), Drift(2000)], 4000, max_delay=500)
    >>> score.delays, score.found.tolist(), score.false_alarms.tolist()
    ((10,), [1010, -1], [100, 1020, 3000])
    """
    if max_delay < 1:
        raise OptionError(f"max_delay must be at least 1 row, got {max_delay}")
    at = np.asarray(alarms, np.int64)
    is_false = np.ones(len(at), bool)
    found = []
    delays = []
    changes = sorted(
        [(drift.row - drift.width // 2, drift.width, True) for drift in drifts]
        + [(drift.row - drift.width // 2, drift.width, False) for drift in optional]
    )
    for i, (onset, width, counts) in enumerate(changes):
        next_onset = changes[i + 1][0] if i + 1 < len(changes) else rows
        inside = np.flatnonzero((at >= onset) & (at < min(onset + width + max_delay, next_onset)))
        is_false[inside[:1]] = False
        is_false[inside[at[inside] < onset + width]] = False
        if counts:
            found.append(at[inside[0]] if len(inside) else -1)
            delays += [int(at[inside[0]]) - max(onset, 0)] if len(inside) else []
    return Score(rows, len(drifts), tuple(delays), np.array(found, np.int64), at[is_false])


def summarise(scores: Sequence[Score]) -> dict[str, float]:
    """The figures of several sequences together; NaN where there is nothing to count.

    ``missed`` is a share of all drifts; ``delay`` the mean time to detection in rows; ``false_alarms`` are per 1,000
    rows; ``time_between_false_alarms`` in rows (infinite without any); ``mean_time_ratio`` is the latter (without
    any: all rows) over the former, times the share of drifts found (Bifet, 2017): the larger, the better.
    """
    rows, drifts = sum(score.rows for score in scores), sum(score.drifts for score in scores)
    delays = [delay for score in scores for delay in score.delays]
    false = sum(len(score.false_alarms) for score in scores)
    delay = float(np.mean(delays)) if delays else math.nan
    between = rows / false if false else math.inf
    found = len(delays) / drifts if drifts else math.nan
    return {
        "drifts": drifts,
        "found": len(delays),
        "missed": 1.0 - found,
        "delay": delay,
        "delay_std": float(np.std(delays, ddof=1)) if len(delays) > 1 else math.nan,
        "false_alarms": 1000.0 * false / rows if rows else math.nan,
        "time_between_false_alarms": between,
        "mean_time_ratio": rows / max(false, 1) / max(delay, 1.0) * found if delays else (0.0 if drifts else math.nan),
    }
