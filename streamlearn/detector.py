"""The contract of every detector of drift: what people call, derived once from the one kernel a detector gives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
import river.base

from .compiled import entry_of
from .detector_kernels import (
    DETECTIONS,
    DRIFT,
    IN_CONTROL,
    LARGEST,
    LEVEL,
    N_COMMON,
    N_COMMON_OPTIONS,
    WARNING,
    MonitorArrays,
    SignalArrays,
    make_monitor,
    make_signal,
    monitor_address,
    signal_address,
)
from .errors import InputError, StateError
from .parameters import call_of, parameters_of
from .random import generator
from .saved_arrays import check_arrays

__all__ = ["DRIFT", "IN_CONTROL", "WARNING", "Detector", "ValueDetector"]

Layout = dict[str, tuple[Any, tuple[int, ...]]]
"""For each array of a detector's state: its dtype and its shape."""

_AT_ONCE = 1 << 16
"""Rows in one call of a kernel, which keeps the GIL: other threads wait for no more than some milliseconds."""


class Detector(river.base.DriftDetector):
    """Base of everything that notices drift.

    A detector watches a stream of values (errors of a learner, say) or of rows, and says after each whether it sees
    drift, or, if the method knows such a thing, a warning. It goes on by itself after a drift, from the next value on.
    It is one of River's detectors and can be given to River's ensembles.

    A subclass names the tuple of its arrays (`_arrays_type`), how to pack it and where it lives (`_pack`,
    `_address_of`), and the kernel ``(arrays, signal) -> level`` that takes both by address (`_kernel`); its `_layout`
    and `_allocate` make the arrays, `_rows` reads what people give.
    """

    _arrays_type: ClassVar[Any]
    _pack: ClassVar[Any]
    _address_of: ClassVar[Any]
    _kernel: ClassVar[Any]

    def __init__(self) -> None:
        self._arrays: Any = None
        self._level = IN_CONTROL

    # -- what a subclass gives ------------------------------------------------------------------------------------

    @abstractmethod
    def _layout(self, width: int) -> Layout:
        """Dtypes and shapes of the arrays for rows of ``width`` numbers."""

    @abstractmethod
    def _options(self) -> list[float]:
        """The parameters as the kernel reads them."""

    @abstractmethod
    def _rows(self, values: Any) -> np.ndarray:
        """What `update_many` was given, as float64 [n, width] in C order; refused if it is not what it should be."""

    def _check(self, arrays: Any) -> None:
        """Refuse restored arrays that could lead the kernel astray; dtypes and shapes were compared before."""

    # -- values ---------------------------------------------------------------------------------------------------

    def update_many(self, values: Any) -> np.ndarray:
        """Take in values in order.

        Parameters
        ----------
        values : array-like [n], or [n, d] where the detector takes rows

        Returns
        -------
        uint8 [n]
            The level after each value: 0 in control, 1 warning, 2 drift.

        Raises
        ------
        InputError
            If a value is not what the detector is defined for; the message names the first, and none is taken in.
        """
        rows = self._rows(values)
        levels = np.zeros(len(rows), np.uint8)
        if len(rows) and self._arrays is None:
            self._set(self._allocate(rows.shape[1]))
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            signal = make_signal(SignalArrays(rows[part], levels[part]))
            self._level = self._run(signal_address(signal))
        return levels

    @property
    def drift_detected(self) -> bool:
        """Whether the detector sees drift after the last value."""
        return self._level == DRIFT

    @property
    def warning_detected(self) -> bool:
        """Whether the detector warns after the last value; always False where the method has no warnings."""
        return self._level == WARNING

    @property
    def n_detections(self) -> int:
        """How many drifts there were so far."""
        return 0 if self._arrays is None else int(self._arrays.numbers[DETECTIONS])

    # -- state ----------------------------------------------------------------------------------------------------

    def _allocate(self, width: int) -> Any:
        arrays = self._arrays_type(*(np.zeros(shape, dtype) for dtype, shape in self._layout(width).values()))
        arrays.options[:] = self._options()
        return arrays

    def _set(self, arrays: Any) -> None:
        cls = type(self)
        self._arrays, self._struct = arrays, cls._pack(arrays)  # kernels know it by its address: it is kept alive here
        self._run: Callable[[int], int] = partial(entry_of(cls._kernel, "intp", "intp"), cls._address_of(self._struct))
        self._level = int(arrays.numbers[LEVEL])

    def state(self) -> dict[str, Any]:
        """Everything kept from the values so far: copies of the arrays, or None before the first row."""
        if self._arrays is None:
            return {"arrays": None}
        kept = self._arrays._asdict()
        return {"arrays": {name: kept[name].copy() for name in kept if name != "options"}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; the detector then continues bit for bit.

        Raises
        ------
        StateError
            If the state does not fit this detector, which is then unchanged.
        """
        if not isinstance(state, Mapping) or set(state) != {"arrays"}:
            raise StateError(f"{type(self).__name__}: a state has the key 'arrays'")
        if state["arrays"] is None:
            self.reset()
            return
        arrays = self._unpack(state["arrays"])
        if arrays.numbers[LEVEL] not in (IN_CONTROL, WARNING, DRIFT) or not arrays.numbers[DETECTIONS] >= 0.0:
            raise StateError(f"{type(self).__name__}: array 'numbers' has no level")
        self._check(arrays)
        self._set(arrays)

    def _unpack(self, saved: Any) -> Any:
        """The named tuple of arrays out of a state, copied, with the parameters that belong to it."""
        layout = self._layout(self._width_of(saved))
        kept = {name: layout[name] for name in layout if name != "options"}
        check_arrays(type(self).__name__, saved, kept)
        for name in kept:
            if saved[name].dtype == np.float64 and np.isnan(saved[name]).any():
                raise StateError(f"array {name!r} holds NaN")
        arrays = {name: np.array(saved[name], order="C") for name in kept}
        return self._arrays_type(options=np.array(self._options(), np.float64), **arrays)

    def _width_of(self, saved: Any) -> int:
        """How wide the rows were that a saved state has seen."""
        return 1

    # -- life -----------------------------------------------------------------------------------------------------

    @property
    def params(self) -> dict[str, Any]:
        """The constructor's parameters, as they are set."""
        return parameters_of(self)

    @property
    def nbytes(self) -> int:
        """Size of the detector's arrays in bytes."""
        return 0 if self._arrays is None else sum(array.nbytes for array in self._arrays)

    def reset(self) -> None:
        """Forget every value; the parameters stay."""
        type(self).__init__(self, **self.params)

    def save(self, path: str | Path) -> None:
        """Write parameters and state to a file that holds arrays and JSON only (read it with `streamlearn.load`).

        Raises
        ------
        StateError
            If the detector is not registered.
        OSError
            If the disk refuses; an older file of that name is then untouched.
        """
        from . import container, models

        container.save(path, models.describe_detector(self))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a detector of this class from a file that `save` wrote.

        Raises
        ------
        StateError
            If the file is damaged, made by a newer version, or holds something else.
        """
        from . import models

        detector = models.load(path)
        if not isinstance(detector, cls):
            raise StateError(f"{path} holds a {type(detector).__name__}, not a {cls.__name__}")
        return detector

    def __repr__(self) -> str:
        return call_of(self)

    def __str__(self) -> str:
        return repr(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"params": self.params, "state": self.state()}

    def __setstate__(self, pickled: dict[str, Any]) -> None:
        type(self).__init__(self, **pickled["params"])
        self.restore(pickled["state"])


_ACCEPTED = {"binary": "0 or 1", "unit": "a number from 0 to 1", "real": f"a number within ±{LARGEST:g}"}


class ValueDetector(Detector):
    """Base of detectors that watch one number at a time.

    A subclass says which numbers it is defined for (`accepts`), how many numbers it keeps (`_size`), and gives
    `_parameters`, `_window`, and its kernel, which is `detector_kernels.watch` around its ``step``.
    """

    accepts: ClassVar[Literal["binary", "unit", "real"]] = "real"
    """Values: 0 and 1 only (errors), numbers from 0 to 1, or all numbers within ±1e60."""
    _size: ClassVar[int] = N_COMMON
    _arrays_type = MonitorArrays
    _pack = staticmethod(make_monitor)
    _address_of = staticmethod(monitor_address)

    def __init__(self) -> None:
        super().__init__()
        value = np.zeros((1, 1))
        self._value: Any = memoryview(cast(Any, value.reshape(1)))  # quicker than the array; takes only numbers
        self._signal = make_signal(SignalArrays(value, np.zeros(1, np.uint8)))
        self._set(self._allocate(1))

    @abstractmethod
    def _parameters(self) -> list[float]:
        """The method's own parameters as its kernel reads them."""

    def _window(self) -> tuple[int, int]:
        """Shape of the array of past values."""
        return (0, 0)

    def _options(self) -> list[float]:
        low, high = (-LARGEST, LARGEST) if self.accepts == "real" else (0.0, 1.0)
        return [low, high, float(self.accepts == "binary"), *map(float, self._parameters())]

    def _layout(self, width: int) -> Layout:
        return {
            "options": (np.float64, (N_COMMON_OPTIONS + len(self._parameters()),)),
            "numbers": (np.float64, (self._size,)),
            "window": (np.float64, self._window()),
            "random": (np.uint64, (4 if hasattr(self, "seed") else 0,)),
        }

    def _allocate(self, width: int) -> MonitorArrays:
        arrays: MonitorArrays = super()._allocate(width)
        if hasattr(self, "seed"):
            arrays.random[:] = generator(self.seed)
        return arrays

    def _set(self, arrays: Any) -> None:
        super()._set(arrays)
        self._step = partial(self._run, signal_address(self._signal))

    def update(self, x: float) -> None:
        """Take in a value.

        Parameters
        ----------
        x
            What the detector watches, such as 1 for an error and 0 for a right prediction.

        Raises
        ------
        InputError
            If the detector is not defined for ``x``, which is then not taken in.
        """
        try:
            self._value[0] = x
        except TypeError:
            raise self._refusal("the value", x) from None
        level = self._step()
        if level > DRIFT:
            raise self._refusal("the value", x)
        self._level = level

    def _rows(self, values: Any) -> np.ndarray:
        try:
            column = np.array(values, np.float64, order="C", ndmin=1)
        except (TypeError, ValueError):
            raise InputError(f"{type(self).__name__}: values must be numbers, got {_short(values)}") from None
        if column.ndim != 1:
            raise InputError(f"{type(self).__name__}: values must be one-dimensional, got the shape {column.shape}")
        low, high, whole, *_ = self._options()
        good = (column >= low) & (column <= high)
        if whole:
            good &= column == np.floor(column)
        if not good.all():
            i = int(np.argmin(good))
            raise self._refusal(f"row {i}", column[i])
        return column.reshape(-1, 1)

    def _refusal(self, where: str, value: Any) -> InputError:
        shown = float(value) if isinstance(value, (np.floating, float)) else value
        return InputError(f"{type(self).__name__}: {where} must be {_ACCEPTED[self.accepts]}, got {_short(shown)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
