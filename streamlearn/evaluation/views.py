"""What the metrics of both tasks share: three views of a stream, the curve, and state that can be saved."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa

from ..errors import OptionError, StateError
from ..schema import MAX_CLASSES
from . import kernels
from .arrays import doubled, padded, saved, state_parts
from .kernels import WINDOW
from .metrics import DEFAULT_METRICS, SUFFIX, VIEWS, Task, View, check_metrics

FIRST_POINTS = 64


class Metrics:
    """What the metrics of both tasks share: options, the curve, and state that can be saved."""

    task: ClassVar[Task]
    _order: ClassVar[tuple[str, ...]]  # the metrics in the kernels' order
    _arrays: Any  # a NamedTuple of arrays, the state
    _packed: Any  # the same arrays as the struct that kernels take

    def __init__(self, metrics: Iterable[str] | None, window: int, fading: float, every: int | None) -> None:
        self.metrics = check_metrics(DEFAULT_METRICS[self.task] if metrics is None else metrics, self.task)
        self.window = _positive("window", window)
        self.every = self.window if every is None else _positive("every", every)
        if not 0.001 <= fading <= 1.0:
            raise OptionError(f"fading is {fading!r}: give a factor from 0.001 (forgets at once) to 1 (never forgets)")
        self.fading = float(fading)

    def _shared_arrays(self, declared: bool) -> dict[str, np.ndarray]:
        plain = [name for name in self.metrics if name in self._order]
        return {
            "numbers": np.zeros(kernels.N_NUMBERS, np.int64),
            "options": np.array([self.every, declared], np.int64),
            "scale": np.array([1.0 / self.fading, 1.0]),
            "wanted": np.array([self._order.index(name) for name in plain], np.int64),
            "point_row": np.zeros(FIRST_POINTS, np.int64),
            "points": np.zeros((FIRST_POINTS, len(VIEWS), len(plain))),
            "values": np.zeros(len(self._order)),
        }

    def _parameters(self) -> dict[str, Any]:
        return {"metrics": list(self.metrics), "window": self.window, "fading": self.fading, "every": self.every}

    def _scalars(self) -> dict[str, Any]:
        """The parameters as JSON scalars."""
        return {**self._parameters(), "metrics": ",".join(self.metrics)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._parameters().items())})"

    @property
    def rows(self) -> int:
        """Rows seen, unlabelled ones included."""
        return int(self._arrays.numbers[kernels.SEEN])

    @property
    def labelled(self) -> int:
        """Labelled rows seen: those that are measured."""
        return int(self._arrays.numbers[kernels.LABELLED])

    @property
    def unpredicted(self) -> int:
        """Labelled rows for which there was no prediction."""
        return int(self._arrays.numbers[kernels.UNPREDICTED])

    def values(self, view: View = "cumulative") -> dict[str, float]:
        """Each metric's present value; NaN where it is undefined.

        Parameters
        ----------
        view
            "cumulative" over all rows, "window" over the last `window` labelled rows, or "fading", where the weight of
            a row shrinks by the factor `fading` with each later labelled row.

        Raises
        ------
        OptionError
            If there is no such view.
        """
        if view not in VIEWS:
            raise OptionError(f"view is {view!r}: use one of {', '.join(VIEWS)}")
        return dict(zip(self.metrics, self._now()[VIEWS.index(view)].tolist(), strict=True))

    def curve(self) -> pa.Table:
        """The points recorded so far, and one for the rows since the last of them, if any.

        Returns
        -------
        pyarrow.Table
            Column ``row`` (int64: rows of the stream seen, unlabelled ones included), then for each metric (float64)
            ``<metric>``, ``<metric>_fading`` and ``<metric>_window``.
        """
        rows, points = self._point_rows(), self._points()
        if len(rows) > len(points):
            points = np.concatenate([points, self._now()[None]])
        columns: dict[str, Any] = {"row": pa.array(rows)}
        for j, name in enumerate(self.metrics):
            for v, view in enumerate(VIEWS):
                columns[name + SUFFIX[view]] = pa.array(np.ascontiguousarray(points[:, v, j]))
        return pa.table(columns)

    def _point_rows(self) -> np.ndarray:
        """The row of each point so far, and of one for the rows since the last of them, if any."""
        rows = self._arrays.point_row[: self._arrays.numbers[kernels.POINTS]]
        return np.append(rows, self.rows) if self.labelled % self.every else rows

    def _points(self) -> np.ndarray:
        """The values recorded so far, float64 ``[points, 3, m]``."""
        return self._arrays.points[: self._arrays.numbers[kernels.POINTS]]

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit: the parameters, and copies of the arrays, without spare room."""
        arrays = {name: part.copy() for name, part in self._used().items()}
        return {"parameters": self._scalars(), "arrays": arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state`` was taken.

        Raises
        ------
        StateError
            If the state is damaged or was taken with other parameters; the message names what differs. The metrics
            then stay as they were.
        """
        parameters, arrays = state_parts(state)
        for name, value in self._scalars().items():
            if parameters.get(name) != value:
                raise StateError(f"metrics with {name}={value!r} can't restore a state with {parameters.get(name)!r}")
        fresh = type(self)(**self._parameters())
        fresh._load(arrays)
        self._adopt(fresh)

    def _adopt(self, fresh: Self) -> None:
        self._arrays, self._packed = fresh._arrays, fresh._packed

    def _load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Fill these fresh metrics from saved arrays, checking each one's shape."""
        numbers = saved(arrays, "numbers", self._arrays.numbers.shape, np.dtype(np.int64))
        seen, labelled, unpredicted, points, *classes = numbers.tolist()
        if not 0 <= unpredicted <= labelled <= seen or not all(0 <= code <= MAX_CLASSES for code in classes):
            raise StateError("the state of the metrics is damaged: its counts of rows or classes contradict each other")
        if points != labelled // self.every:
            raise StateError("the state of the metrics is damaged: the number of points doesn't fit the labelled rows")
        saved(arrays, "point_row", (points,), np.dtype(np.int64))  # before making room for a number that may be a lie
        self._arrays.numbers[:] = numbers
        self._make_room(numbers[kernels.KNOWN], points)
        for name, part in self._used().items():
            part[...] = saved(arrays, name, part.shape, part.dtype)
        growth, gain = self._arrays.scale
        if growth != 1.0 / self.fading or not 0.0 < gain < math.inf:
            raise StateError("the state of the metrics is damaged: scale doesn't fit the fading factor")

    def _used(self) -> dict[str, np.ndarray]:
        """Views of the part of each array that carries state: neither spare room nor scratch space."""
        a = self._arrays
        filled, points = min(self.labelled, self.window), int(a.numbers[kernels.POINTS])
        used: dict[str, np.ndarray] = {"numbers": a.numbers, "scale": a.scale, "tally": a.tally[:WINDOW]}
        used |= {name: getattr(a, name)[:filled] for name in self._rings()}
        return used | {"point_row": a.point_row[:points], "points": a.points[:points]}

    def _rings(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _pack(self) -> None:
        raise NotImplementedError

    def _now(self) -> np.ndarray:
        """Present values, float64 ``[3, m]``."""
        raise NotImplementedError

    def _make_room(self, classes: int, points: int) -> None:
        """Double arrays until there is room for so many classes and points."""
        room = len(self._arrays.point_row)
        if points > room:
            grown = doubled(room, points)
            self._arrays = self._arrays._replace(
                point_row=padded(self._arrays.point_row, grown),
                points=padded(self._arrays.points, grown, *self._arrays.points.shape[1:]),
            )
        self._pack()


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise OptionError(f"{name} is {value!r}: give a whole number of rows, 1 or more")
    return int(value)
