"""OPTgen as its definition says: the occupancy of every request, searched and raised one by one."""

from __future__ import annotations


def hindsight_bits(pages: list[int], k: int, window: int | None = None) -> tuple[list[int], list[int]]:
    """Bits, and when each is known; see `streamlearn.algorithms.paging.hindsight_bits`."""
    n = len(pages)
    width = n if window is None else window
    bits, known = [1] * n, [min(i + width, n) if window is None else i + min(width, n) for i in range(n)]
    occupancy: list[int] = []
    latest: dict[int, int] = {}
    for i, page in enumerate(pages):
        before = latest.get(page)
        if before is not None and i - before < width:
            between = range(before + 1, i)
            if all(occupancy[j] < k for j in between):
                bits[before] = 0
                known[before] = i
                for j in between:
                    occupancy[j] += 1
        for j in range(i):  # pages requested before a full request, and not again since, can't be kept
            if any(occupancy[u] >= k for u in range(j + 1, i)):
                known[j] = min(known[j], i)
        occupancy.append(1)
        latest[page] = i
    return bits, known
