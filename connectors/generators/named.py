"""The streams that papers name: each a function of the seed and the length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from streamlearn.parameters import check_range
from streamlearn.source import Source

from .agrawal import Agrawal
from .concept_drift import concepts
from .friedman import FriedmanDrift
from .generator import MAX_ROWS, key
from .hyperplane import Hyperplane
from .input_drift import InputDrift
from .led import LEDDrift
from .lorenz import Lorenz
from .mackey_glass import MackeyGlass
from .memory import Memory
from .narma import NARMA
from .random_rbf import RandomRBFDrift
from .random_tree import RandomTree
from .sea import SEA
from .sine import Mixed, Sine
from .stagger import STAGGER

MILLION = 1_000_000
FIRST_OF_ABRUPT = (249_975, 499_975, 749_975)
FIRST_OF_GRADUAL = (225_000, 475_000, 725_000)
QUARTERS = (250_000, 500_000, 750_000)


def led_a(*, seed: int = 1, rows: int = MILLION) -> Source:
    """LED digits, 1, 3, 5, then 7 segments in other places: three abrupt drifts (width 50)."""
    return _led("led_a", FIRST_OF_ABRUPT, 50, seed, rows)


def led_g(*, seed: int = 1, rows: int = MILLION) -> Source:
    """LED digits, 1, 3, 5, then 7 segments in other places: three gradual drifts (width 50,000)."""
    return _led("led_g", FIRST_OF_GRADUAL, 50_000, seed, rows)


def sea_a(*, seed: int = 1, rows: int = MILLION) -> Source:
    """SEA concepts 1, 2, 4, 1: three abrupt drifts (width 50)."""
    return _sea("sea_a", FIRST_OF_ABRUPT, 50, seed, rows)


def sea_g(*, seed: int = 1, rows: int = MILLION) -> Source:
    """SEA concepts 1, 2, 4, 1: three gradual drifts (width 50,000)."""
    return _sea("sea_g", FIRST_OF_GRADUAL, 50_000, seed, rows)


def agr_a(*, seed: int = 1, rows: int = MILLION) -> Source:
    """Agrawal's functions 1, 2, 1, 4: three abrupt drifts (width 50)."""
    return _agrawal("agr_a", 50, seed, rows)


def agr_g(*, seed: int = 1, rows: int = MILLION) -> Source:
    """Agrawal's functions 1, 2, 1, 4: three gradual drifts (width 50,000)."""
    return _agrawal("agr_g", 50_000, seed, rows)


def rbf_m(*, seed: int = 1, model_seed: int | None = None, rows: int = MILLION) -> Source:
    """Random RBF with 2 classes, all 50 centroids moving at moderate speed (0.0001 a row)."""
    return _rbf("rbf_m", 2, 1e-4, seed, model_seed, rows)


def rbf_f(*, seed: int = 1, model_seed: int | None = None, rows: int = MILLION) -> Source:
    """Random RBF with 2 classes, all 50 centroids moving fast (0.001 a row)."""
    return _rbf("rbf_f", 2, 1e-3, seed, model_seed, rows)


def rbf_m5(*, seed: int = 1, model_seed: int | None = None, rows: int = MILLION) -> Source:
    """Random RBF with 5 classes, all 50 centroids moving at moderate speed (0.0001 a row), as in the ARF paper."""
    return _rbf("rbf_m5", 5, 1e-4, seed, model_seed, rows)


def rbf_f5(*, seed: int = 1, model_seed: int | None = None, rows: int = MILLION) -> Source:
    """Random RBF with 5 classes, all 50 centroids moving fast (0.001 a row), as in the ARF paper."""
    return _rbf("rbf_f5", 5, 1e-3, seed, model_seed, rows)


def hyper_m(*, seed: int = 1, rows: int = MILLION) -> Source:
    """A hyperplane whose ten weights change at moderate speed (0.0001 a row)."""
    return _named("hyper_m", Hyperplane(n_drift_features=10, mag_change=1e-4, seed=seed, rows=rows))


def hyper_f(*, seed: int = 1, rows: int = MILLION) -> Source:
    """A hyperplane whose ten weights change fast (0.001 a row): the ARF paper's HYPER."""
    return _named("hyper_f", Hyperplane(n_drift_features=10, mag_change=1e-3, seed=seed, rows=rows))


def rtg(*, seed: int = 1, model_seed: int | None = None, rows: int = MILLION) -> Source:
    """A random tree over five nominal and five numeric fields, without drift."""
    return _named("rtg", RandomTree(seed=seed, model_seed=model_seed, rows=rows))


def sine1_a(*, seed: int = 1, rows: int = 100_000) -> Source:
    """SINE1: the classes under and over a sine curve swap four times, abruptly; balanced."""
    return _alternating("sine1_a", lambda i, s: Sine(function=1 + i % 2, balance_classes=True, seed=s), seed, rows)


def sine2_a(*, seed: int = 1, rows: int = 100_000) -> Source:
    """SINE2: the classes under and over a wave swap four times, abruptly; balanced."""
    return _alternating("sine2_a", lambda i, s: Sine(function=3 + i % 2, balance_classes=True, seed=s), seed, rows)


def mixed_a(*, seed: int = 1, rows: int = 100_000) -> Source:
    """MIXED: the classes of two truth values and a wave swap four times, abruptly; balanced."""
    return _alternating("mixed_a", lambda i, s: Mixed(function=1 + i % 2, balance_classes=True, seed=s), seed, rows)


def stagger_a(*, seed: int = 1, rows: int = 120_000) -> Source:
    """STAGGER's three concepts, each for a third of the rows: two abrupt drifts."""
    functions = (1, 2, 3)
    third = MILLION // 3
    return _drifting(
        "stagger_a", lambda i, s: STAGGER(function=functions[i], seed=s), (third, 2 * third), 0, seed, rows
    )


def friedman_lea(*, seed: int = 1, rows: int = 200_000) -> Source:
    """Friedman's regression with local, expanding, abrupt drifts at each quarter."""
    quarters = tuple(_scaled(row, rows) for row in QUARTERS)
    return _named("friedman_lea", FriedmanDrift(drift_type="lea", positions=quarters, seed=seed, rows=rows))


def friedman_gra(*, seed: int = 1, rows: int = 200_000) -> Source:
    """Friedman's regression with global, recurring, abrupt drifts at a quarter and three quarters."""
    changes = _scaled(QUARTERS[0], rows), _scaled(QUARTERS[2], rows)
    return _named("friedman_gra", FriedmanDrift(drift_type="gra", positions=changes, seed=seed, rows=rows))


def friedman_gsg(*, seed: int = 1, rows: int = 200_000) -> Source:
    """Friedman's regression with global, slow, gradual drifts from a quarter and three quarters on."""
    changes = _scaled(QUARTERS[0], rows), _scaled(QUARTERS[2], rows)
    window = _scaled(50_000, rows)
    return _named(
        "friedman_gsg",
        FriedmanDrift(drift_type="gsg", positions=changes, transition_window=window, seed=seed, rows=rows),
    )


def memory_a(*, seed: int = 1, rows: int = 30_000) -> Source:
    """Recall the input of ten rows ago; for the middle third all inputs are halved and shifted by 1."""
    source = Memory(delay=10, seed=seed, rows=rows)
    return _named("memory_a", InputDrift(source, positions=_thirds(rows), gain=0.5, offset=1.0))


def narma_a(*, seed: int = 1, rows: int = 30_000) -> Source:
    """NARMA of order 10, for the middle third of order 20: two abrupt drifts of the system."""
    return _named("narma_a", NARMA(order=10, then=20, positions=_thirds(rows), seed=seed, rows=rows))


def narma_offset_a(*, seed: int = 1, rows: int = 30_000) -> Source:
    """NARMA of order 10 whose inputs, in [0, 0.5], show 0.375 too much for the middle third."""
    source = NARMA(order=10, seed=seed, rows=rows)
    return _named("narma_offset_a", InputDrift(source, positions=_thirds(rows), offset=0.375))


def mackey_glass_a(*, horizon: int = 20, seed: int = 1, rows: int = 30_000) -> Source:
    """The Mackey-Glass series with a delay of 17, for the middle third of 30."""
    source = MackeyGlass(tau=17, then=30, horizon=horizon, positions=_thirds(rows), seed=seed, rows=rows)
    return _named("mackey_glass_a", source)


def lorenz_a(*, horizon: int = 5, seed: int = 1, rows: int = 30_000) -> Source:
    """Lorenz's attractor with a rho of 28, for the middle third of 35."""
    source = Lorenz(rho=28.0, then=35.0, horizon=horizon, positions=_thirds(rows), seed=seed, rows=rows)
    return _named("lorenz_a", source)


def _thirds(rows: int) -> tuple[int, int]:
    check_range("rows", rows, 100, MAX_ROWS, kind=int)
    return rows // 3, 2 * rows // 3


def _led(name: str, positions: Sequence[int], width: int, seed: int, rows: int) -> Source:
    return _drifting(name, lambda i, s: LEDDrift(n_drift_features=1 + 2 * i, seed=s), positions, width, seed, rows)


def _sea(name: str, positions: Sequence[int], width: int, seed: int, rows: int) -> Source:
    functions = (1, 2, 4, 1)
    return _drifting(name, lambda i, s: SEA(function=functions[i], seed=s), positions, width, seed, rows)


def _agrawal(name: str, width: int, seed: int, rows: int) -> Source:
    functions = (1, 2, 1, 4)
    return _drifting(name, lambda i, s: Agrawal(function=functions[i], seed=s), QUARTERS, width, seed, rows)


def _rbf(name: str, n_classes: int, speed: float, seed: int, model_seed: int | None, rows: int) -> Source:
    return _named(
        name, RandomRBFDrift(n_classes=n_classes, change_speed=speed, seed=seed, model_seed=model_seed, rows=rows)
    )


def _alternating(name: str, make: Callable[[int, int], Source], seed: int, rows: int) -> Source:
    """Two concepts in turns, five fifths long."""
    return _drifting(name, make, tuple(MILLION // 5 * i for i in range(1, 5)), 0, seed, rows)


def _drifting(
    name: str, make: Callable[[int, int], Source], positions: Sequence[int], width: int, seed: int, rows: int
) -> Source:
    """Concepts behind each other; positions and the width are for a million rows, and in proportion for others.

    Each concept draws rows of its own (MOA's concepts of one stream replay the same draws).
    """
    check_range("seed", seed, 0, 2**63, kind=int)
    check_range("rows", rows, 100, MAX_ROWS, kind=int)
    sources = [make(i, seed if i == 0 else int(key(seed, stream=100 + i))) for i in range(len(positions) + 1)]
    scaled = [_scaled(position, rows) for position in positions]
    return concepts(sources, scaled, _scaled(width, rows), seed=seed, rows=rows, name=name)


def _scaled(row: int, rows: int) -> int:
    return round(row * rows / MILLION)


def _named(name: str, source: Source) -> Source:
    source.name = name
    return source
