"""Alarms set against drifts, one alarm at a time."""

from __future__ import annotations

from streamlearn.source import Drift


def judge(
    alarms: list[int], drifts: list[Drift], optional: list[Drift], rows: int, max_delay: int
) -> tuple[dict[int, int], list[int]]:
    """By place of each drift found, the alarm that found it; and the false alarms."""
    changes = [(drift.row - drift.width // 2, drift.width, i) for i, drift in enumerate(drifts)]
    changes += [(drift.row - drift.width // 2, drift.width, None) for drift in optional]
    changes.sort(key=lambda change: change[0])
    found: dict[int, int] = {}
    told: set[int] = set()
    false = []
    for alarm in alarms:
        latest = None
        for place, (onset, _, _) in enumerate(changes):
            if onset <= alarm < rows:
                latest = place
        if latest is None:
            false.append(alarm)
            continue
        onset, width, which = changes[latest]
        under_way = alarm < onset + width
        if latest not in told and alarm < onset + width + max_delay:
            told.add(latest)
            if which is not None:
                found[which] = alarm
        elif not under_way:
            false.append(alarm)
    return found, false
