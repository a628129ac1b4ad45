"""The predictor of bits, one request after the other in plain Python: labels by brute force, one weight at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tests.naive.hindsight import hindsight_bits


@dataclass
class Page:
    latest: int = 0
    gaps: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    count: int = 0
    decayed: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0])
    labels: list[int] = field(default_factory=lambda: [0, 0])


def log2(number: float) -> float:
    """Linear between powers of 2."""
    mantissa, exponent = math.frexp(number)
    return exponent - 1 + 2 * mantissa - 1


def bucket(number: float, most: int) -> int:
    return min(most - 1, int(2.0 * log2(number + 1)))


def seen(record: Page, page: int, capacity: int, window: int) -> tuple[list[float], list[object]]:
    """What the model sees: numbers, and keys of combinations."""
    far = record.gaps[0] == 0.0 or record.gaps[0] >= window
    gaps = [0.0 if g == 0.0 else (log2(min(g, window) + 1) - log2(capacity + 1)) / 4 for g in record.gaps]
    count = log2(record.count + 1) / 4
    decayed = [log2(d + 1) / 2 for d in record.decayed]
    label = record.labels[0] / 2
    numbers = [1.0, float(far), *gaps, float(record.gaps[1] == 0), float(record.gaps[2] == 0), count, *decayed, label]
    numbers = [float(np.float32(number)) for number in numbers]
    g, e, c, b = numbers[2], numbers[8], numbers[7], numbers[11]
    numbers += [float(np.float32(product)) for product in (g * g, g * e, g * c, g * b)]
    gap_bucket = 0 if far else bucket(record.gaps[0], 32)
    before = bucket(min(record.gaps[1], window), 32)
    counts = bucket(record.count, 16)
    recent, frequent = bucket(record.decayed[0], 16), bucket(record.decayed[1], 16)
    return numbers, [
        ("gaps", gap_bucket, before, record.labels[0]),
        ("counts", gap_bucket, counts, frequent),
        ("labels", *record.labels, gap_bucket, recent),
        ("page", page),
    ]


def probabilities(
    pages: list[int], capacity: int, window: int, memory: int, rate: float, pair_rate: float
) -> list[float]:
    """Probabilities as `OnlineBitPredictor.predict_many` gives them, for a capacity of at least 2."""
    width, length = max(2, capacity * window), max(2, capacity * memory)
    bits, known = hindsight_bits(pages, capacity, width)
    weights: dict[object, float] = {}
    squares: dict[object, float] = {}
    saw: list[tuple[list[float], list[object]]] = []
    records: dict[int, Page] = {}
    given: list[float] = []

    def terms(i: int) -> list[tuple[object, float, float]]:
        numbers, pairs = saw[i]
        return [(j, number, rate) for j, number in enumerate(numbers)] + [(pair, 1.0, pair_rate) for pair in pairs]

    def probability(i: int) -> float:
        return 1.0 / (1.0 + math.exp(-sum(weights.get(key, 0.0) * number for key, number, _ in terms(i))))

    def learn(i: int) -> None:
        gradient = probability(i) - bits[i]
        for key, number, step in terms(i):
            squares[key] = squares.get(key, 0.0) + (gradient * number) ** 2
            weights[key] = weights.get(key, 0.0) - step * gradient * number / math.sqrt(squares[key] + 1e-8)
        record = records[pages[i]]
        record.labels = [2 * bits[i] - 1, record.labels[0]]

    for now, page in enumerate(pages):
        for i in sorted((i for i in range(now) if known[i] == now), key=lambda i: (bits[i], i)):
            if pages[i] not in pages[i + 1 : now] or bits[i] == 0:
                learn(i)
        records = {p: r for p, r in records.items() if now - r.latest < length}
        if page in records:
            record = records[page]
            gap = now - record.latest
            record.gaps = [float(gap), *record.gaps[:2]]
            horizons = [capacity, 8 * capacity, 64 * capacity]
            record.decayed = [
                float(np.float32(1.0 + d * 2.0 ** (-gap / h))) for d, h in zip(record.decayed, horizons, strict=True)
            ]
        else:
            record = records[page] = Page()
        record.latest = now
        record.count += 1
        saw.append(seen(record, page, capacity, width))
        given.append(probability(now))
    return given
