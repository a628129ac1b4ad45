"""Numbers that stand for ids, so that kernels can work with them; given out anew when an id is forgotten."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from ..jsonable import plain
from .ids import is_id

NOBODY = -1


class Entries:
    """The entries of ids.

    Parameters
    ----------
    ids
        Different from each other; they get the entries 0, 1, ….
    """

    def __init__(self, ids: Sequence[Hashable] = ()) -> None:
        self._ids: list[Hashable] = list(ids)
        self._entries: dict[Hashable, int] = dict(zip(self._ids, range(len(self._ids)), strict=True))
        self._spare: list[int] = []

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def room(self) -> int:
        """All entries are below this."""
        return len(self._ids)

    def enter(self, ids: Sequence[Any]) -> np.ndarray:
        """The entries of ids, int64 [n], made where there are none; -1 for what can't be an id."""
        if not set(map(type, ids)) <= {str, int}:
            ids = [id if is_id(id) else None for id in map(plain, ids)]
        entries = np.fromiter(map(self._entries.get, ids, repeat(NOBODY)), np.int64, len(ids))
        places = [i for i in np.flatnonzero(entries == NOBODY).tolist() if ids[i] is not None]
        if places:
            entries[places] = self._add([ids[i] for i in places])
        return entries

    def _add(self, ids: list[Hashable]) -> list[int]:
        """New entries; an id that is there twice gets one."""
        reused = self._spare[max(0, len(self._spare) - len(ids)) :]
        del self._spare[len(self._spare) - len(reused) :]
        fresh = range(len(self._ids), len(self._ids) + len(ids) - len(reused))
        self._ids += [None] * len(fresh)
        entries, before = [*reused, *fresh], len(self._entries)
        self._entries.update(zip(ids, entries, strict=True))
        if len(self._entries) - before < len(ids):
            used = [self._entries[id] for id in ids]
            self._spare += sorted(set(entries).difference(used))
            entries = used
        for entry, id in zip(entries, ids, strict=True):
            self._ids[entry] = id
        return entries

    def ids(self, entries: np.ndarray) -> list[Hashable]:
        """The ids of entries."""
        ids = self._ids
        return [ids[entry] for entry in entries.tolist()]

    def forget(self, entries: np.ndarray) -> None:
        """Let entries, each named once, stand for nothing."""
        gone = entries.tolist()
        for entry in gone:
            del self._entries[self._ids[entry]]
            self._ids[entry] = None
        self._spare += gone
