"""Named points at which a test lets the process die, as by kill -9: the worst moments, hit every time.

``STREAMLEARN_CRASH_AT=after-checkpoint:3`` kills the process when it is at that point for the third time. Without the
variable nothing happens.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

from ..errors import OptionError

VARIABLE = "STREAMLEARN_CRASH_AT"
POINTS = (
    "on-restore",  # a shard's state was restored, nothing is processed yet
    "mid-batch",  # learners have learned, outputs are not written
    "before-flush",
    "after-flush",  # outputs are safe, the checkpoint is not begun
    "before-checkpoint",
    "after-checkpoint",  # the checkpoint is durable, nothing refers to it yet
    "before-commit",
    "after-commit",
    "before-prune",
)

_times: Counter[str] = Counter()


def reach(point: str) -> None:
    """The process is at this point now."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    name, _, count = wanted.partition(":")
    if name not in POINTS or not (count or "1").isdecimal():
        raise OptionError(f"{VARIABLE}={wanted}: expected POINT or POINT:COUNT, with a point of {', '.join(POINTS)}")
    _times[point] += 1
    if point == name and _times[point] >= int(count or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
