"""The formulas of the synthetic streams, a row at a time, as the papers and MOA's sources give them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

DIGITS = ("1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011")


def sea(function: int, x: Sequence[float]) -> int:
    threshold = {1: 8, 2: 9, 3: 7, 4: 9.5}[function]
    return 0 if x[0] + x[1] <= threshold else 1


def sine(function: int, x: float, y: float) -> int:
    below = y < math.sin(x) if function in (1, 2) else y < 0.5 + 0.3 * math.sin(3 * math.pi * x)
    positive = below if function in (1, 3) else not below
    return 0 if positive else 1


def mixed(function: int, v: float, w: float, x: float, y: float) -> int:
    z = y < 0.5 + 0.3 * math.sin(3 * math.pi * x)
    most = (v == 1 and w == 1) or (v == 1 and z) or (w == 1 and z)
    return 0 if most == (function == 1) else 1


def stagger(function: int, size: str, color: str, shape: str) -> bool:
    return {
        1: size == "small" and color == "red",
        2: color == "green" or shape == "circle",
        3: size in ("medium", "large"),
    }[function]


def agrawal(function: int, r: dict[str, Any]) -> str:
    """The group of an application, all ten functions written out as on page 924 of the paper."""
    age, salary, loan = r["age"], r["salary"], r["loan"]
    level = int(r["elevel"].removeprefix("level"))
    total = salary + r["commission"]
    young, middle = age < 40, 40 <= age < 60
    if function == 1:
        a = age < 40 or age >= 60
    elif function in (2, 6):
        pay = salary if function == 2 else total
        if young:
            a = 50_000 <= pay <= 100_000
        elif middle:
            a = 75_000 <= pay <= 125_000
        else:
            a = 25_000 <= pay <= 75_000
    elif function == 3:
        a = level in ([0, 1] if young else [1, 2, 3] if middle else [2, 3, 4])
    elif function == 4:
        if young:
            a = 25_000 <= salary <= 75_000 if level in (0, 1) else 50_000 <= salary <= 100_000
        elif middle:
            a = 50_000 <= salary <= 100_000 if level in (1, 2, 3) else 75_000 <= salary <= 125_000
        else:
            a = 50_000 <= salary <= 100_000 if level in (2, 3, 4) else 25_000 <= salary <= 75_000
    elif function == 5:
        if young:
            a = 100_000 <= loan <= 300_000 if 50_000 <= salary <= 100_000 else 200_000 <= loan <= 400_000
        elif middle:
            a = 200_000 <= loan <= 400_000 if 75_000 <= salary <= 125_000 else 300_000 <= loan <= 500_000
        else:
            a = 300_000 <= loan <= 500_000 if 25_000 <= salary <= 75_000 else 100_000 <= loan <= 300_000
    elif function == 7:
        a = 2 / 3 * total - loan / 5 - 20_000 > 0
    elif function == 8:
        a = 2 / 3 * total - 5_000 * level - 20_000 > 0
    elif function == 9:
        a = 2 / 3 * total - 5_000 * level - loan / 5 - 10_000 > 0
    else:
        equity = 0.1 * r["hvalue"] * max(r["hyears"] - 20, 0)
        a = 2 / 3 * total - 5_000 * level + equity / 5 - 10_000 > 0
    return "groupA" if a else "groupB"


def friedman(x: Sequence[float]) -> float:
    return 10 * math.sin(math.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4]


def friedman_lea(x: Sequence[float], passed: int) -> float:
    """Local, expanding, abrupt: ``passed`` is how many changes there were."""
    low = [x[1] < 0.3, x[2] < 0.3, x[3] > 0.7, x[4] < 0.3]
    high = [x[1] > 0.7, x[2] > 0.7, x[3] < 0.3, x[4] > 0.7]
    conditions = 5 - passed  # four after the first change, then three, then two
    if passed and all(low[:conditions]):
        return 10 * x[0] * x[1] + 20 * (x[2] - 0.5) + 10 * x[3] + 5 * x[4]
    if passed and all(high[:conditions]):
        return 10 * math.cos(x[0] * x[1]) + 20 * (x[2] - 0.5) + math.exp(x[3]) + 5 * x[4] ** 2
    return friedman(x)


def moved(start: float, step: float, steps: int) -> float:
    """Where a coordinate is after so many steps, which end and turn round at walls at 0 and 1."""
    place = start
    for _ in range(steps):
        place += step
        if place > 1 or place < 0:
            place = 1.0 if place > 1 else 0.0
            step = -step
    return place


def share_after(n: int, position: int, width: int) -> float:
    """The probability that row ``n``, counted from 1, comes from the new concept."""
    return 1 / (1 + math.exp(-4 * (n - position) / width))


def narma(order: int, u: Sequence[float]) -> list[float]:
    """The outputs y(1) … y(n) of the textbook's system for the inputs u(0) … u(n-1), all zero before."""
    a, b, c, d = {10: (0.3, 0.05, 1.5, 0.1), 20: (0.3, 0.05, 1.5, 0.01), 30: (0.2, 0.04, 1.5, 0.001)}[order]
    y = [0.0] * order
    for t, now in enumerate(u):
        before = u[t - order + 1] if t >= order - 1 else 0.0
        following = a * y[-1] + b * y[-1] * sum(reversed(y[-order:])) + c * before * now + d
        y.append(math.tanh(following) if order == 20 else following)
    return y[order:]


def mackey_glass(tau: int, past: float, n: int, step: float = 0.1) -> list[float]:
    """The values at times 1, 2, … n after a constant past, by Runge and Kutta's method."""

    def slope(x: float, delayed: float) -> float:
        return 0.2 * delayed / (1 + delayed**10) - 0.1 * x

    per_unit = round(1 / step)
    x = [past] * (tau * per_unit + 1)
    for _ in range(n * per_unit):
        begin, end = x[-1 - tau * per_unit], x[-tau * per_unit]
        middle = (begin + end) / 2
        k1 = slope(x[-1], begin)
        k2 = slope(x[-1] + step * k1 / 2, middle)
        k3 = slope(x[-1] + step * k2 / 2, middle)
        k4 = slope(x[-1] + step * k3, end)
        x.append(x[-1] + step * (k1 + 2 * k2 + 2 * k3 + k4) / 6)
    return x[tau * per_unit + 1 :][per_unit - 1 :: per_unit]


def lorenz_slope(point: Sequence[float], rho: float) -> list[float]:
    x, y, z = point
    return [10 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z]
