"""Named points at which a test lets the process die, as by kill -9: the worst moments, hit every time.

``STREAMLEARN_CRASH_AT=after-checkpoint:3`` kills the process when it reaches that point for the third time. Without the
variable nothing happens.
"""

from __future__ import annotations

import os
import signal

from ..errors import OptionError

VARIABLE = "STREAMLEARN_CRASH_AT"
POINTS = (
    "on-restore",  # a shard's state was restored, nothing was processed yet
    "mid-batch",  # learners have learned, outputs are not written
    "before-flush",
    "after-flush",  # outputs are safe, the checkpoint is not begun
    "before-checkpoint",
    "after-checkpoint",  # the checkpoint is durable, the commit is not begun
    "before-commit",
    "after-commit",
    "before-prune",
)

_left: dict[str, int] = {}


def _parse(text: str) -> dict[str, int]:
    point, _, count = text.partition(":")
    if point not in POINTS or not (count or "1").isdecimal():
        raise OptionError(f"{VARIABLE}={text}: expected POINT or POINT:COUNT, with a point of {', '.join(POINTS)}")
    return {point: int(count or "1")}


def reach(point: str) -> None:
    """The process is at this point now."""
    if point not in _left:
        return
    _left[point] -= 1
    if _left[point] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


if VARIABLE in os.environ:
    _left = _parse(os.environ[VARIABLE])
