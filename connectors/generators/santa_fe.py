"""The Santa Fe laser: a recorded series of 10,093 intensities, read from where reservoirpy keeps it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from streamlearn.connectors.memory import ArraySource

from streamlearn.errors import InputError
from streamlearn.parameters import check_range
from streamlearn.source import Source

from .generator import schema_of

LENGTH = 10_093


def santa_fe(*, horizon: int = 1, rows: int = LENGTH - 1) -> Source:
    """A far-infrared laser's intensity, to be predicted ``horizon`` steps ahead; needs reservoirpy's copy.

    Parameters
    ----------
    horizon : int
        1 … 10,092.
    rows : int
        How many rows at most; there are 10,093 - horizon.

    Raises
    ------
    InputError
        If reservoirpy isn't installed; the message says what to do.

    References
    ----------
    Hübner, Abraham and Weiss, "Dimensions and entropies of chaotic intensity pulsations in a single-mode far-infrared
    NH3 laser", Physical Review A 40, 1989; series A of the Santa Fe competition.
    """
    check_range("horizon", horizon, 1, LENGTH - 1, kind=int)
    check_range("rows", rows, 0, LENGTH - 1, kind=int)
    series = _recording()
    n = min(rows, len(series) - horizon)
    source = ArraySource(series[:n, None], series[horizon : horizon + n], schema=schema_of(["x"], None))
    source.name = "santa_fe"
    return source


def _recording() -> np.ndarray:
    """The intensities, float64 [10093]."""
    spec = find_spec("reservoirpy")
    if spec is None or spec.origin is None:
        raise InputError("santa_fe: the recording comes with reservoirpy: pip install reservoirpy")
    path = Path(spec.origin).parent / "datasets" / "santafe_laser.npy"
    if not path.is_file():
        raise InputError(f"santa_fe: this reservoirpy has no {path.name}: pip install 'reservoirpy>=0.4'")
    return np.load(path, allow_pickle=False).ravel().astype(np.float64)
