"""What a mixture of experts did over a stream: which expert was asked, how right each one was; and a picture of it."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamlearn.batch import Batch
from streamlearn.errors import OptionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .drift_moe import DriftMoEClassifier


@dataclass(frozen=True)
class Route:
    """How a mixture answers one row.

    Parameters
    ----------
    expert : int
        The expert that the router trusts most.
    weights : float64 [K]
        What the router gives each expert, 0 … 1.
    answers : list of K labels
        What each expert says alone; with one expert a class, its class or None.
    prediction
        The mixture's answer.
    """

    expert: int
    weights: np.ndarray
    answers: list[Hashable]
    prediction: Hashable


@dataclass(frozen=True)
class Trace:
    """A mixture's course over a stream, window by window.

    Parameters
    ----------
    rows : int64 [T]
        Where each window ends.
    chosen, learned : float64 [T, K]
        Share of the window's rows for which each expert was the router's first choice; that it learned.
    accuracy : float64 [T, K]
        Share of the window's rows that each expert had right, chosen or not.
    correct : float64 [T]
        Share that the mixture had right.
    drifts : list of int
        Rows at which the stream is known to change.
    """

    rows: np.ndarray
    chosen: np.ndarray
    learned: np.ndarray
    accuracy: np.ndarray
    correct: np.ndarray
    drifts: list[int]

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the course to a .png, .svg or .pdf file.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        OptionError
            If the suffix is unknown.
        """
        from streamlearn.evaluation.plot import check_plotting, save

        check_plotting(path)
        save(self._draw(), path)

    def _draw(self) -> Figure:
        """Above, the shares of first choices, stacked; below, each expert's accuracy as a field of colour."""
        from streamlearn.evaluation.plot import figure, head, style_curves

        drawn = figure((9.0, 6.4))
        shares, heat = drawn.subplots(2, 1, sharex=True, height_ratios=(1.0, 1.0))
        K = self.chosen.shape[1]
        edges = np.concatenate([[0], self.rows])
        colours = [f"C{k % 10}" for k in range(K)]
        steps = np.vstack([self.chosen[:1], self.chosen]).T * 100.0
        shares.stackplot(edges, steps, colors=colours, step="pre", alpha=0.85, labels=range(K))
        shares.plot(self.rows, 100.0 * self.correct, color="black", linewidth=1.6, label="mixture right")
        style_curves(shares, "First choices (%)")
        head(shares, "Which expert the router asks, and how right each one is", "Line: accuracy of the mixture")
        mesh = heat.pcolormesh(edges, np.arange(K + 1), 100.0 * self.accuracy.T, cmap="viridis")
        style_curves(heat, "Expert")
        heat.set_yticks(np.arange(K) + 0.5, [str(k) for k in range(K)])
        drawn.colorbar(mesh, ax=heat, label="Accuracy (%)")
        for row in self.drifts:
            for axes in (shares, heat):
                axes.axvline(row, color="white", linewidth=1.4, linestyle=":")
        return drawn


def trace(model: DriftMoEClassifier, stream: Any, *, window: int = 1000, limit: int | None = None) -> Trace:
    """Test then train a mixture on a stream, and note after each window what its experts did.

    Parameters
    ----------
    model
        It learns the stream.
    stream
        Anything that `streamlearn.open_stream` opens.
    window : int >= 1
        Rows.
    limit
        Rows at most; the whole stream by default.

    Returns
    -------
    Trace

    Raises
    ------
    OptionError
        If the stream has no rows, or the window is too small.
    """
    from streamlearn.source import open_stream

    if not isinstance(window, int) or window < 1:
        raise OptionError(f"window must be a whole number >= 1, got {window!r}")
    source = open_stream(stream)
    seen, last, correct, notes = 0, _tallies(model), 0, []
    for batch in _cut(source.batches(limit=limit), window):
        correct += int((model.process(batch).prediction == batch.y).sum())
        seen += len(batch)
        if seen % window == 0:
            now = _tallies(model)
            notes.append((seen, (now - last) / window, correct / window))
            last, correct = now, 0
    if not notes:
        raise OptionError(f"the stream has fewer rows than one window of {window}")
    tallies = np.array([note[1] for note in notes])
    chosen, _, right, learned = np.moveaxis(tallies, 2, 0)
    return Trace(
        rows=np.array([note[0] for note in notes]),
        chosen=chosen,
        learned=learned,
        accuracy=right,
        correct=np.array([note[2] for note in notes]),
        drifts=[int(drift.row) for drift in getattr(source, "drifts", [])],
    )


def _tallies(model: DriftMoEClassifier) -> np.ndarray:
    return np.stack(list(model.routing.values()), axis=1).astype(np.float64)


def _cut(batches: Iterable[Batch], window: int) -> Iterable[Batch]:
    """Batches that end where windows end."""
    seen = 0
    for batch in batches:
        start = 0
        while start < len(batch):
            stop = min(len(batch), start + window - seen % window)
            yield batch.slice(start, stop)
            seen += stop - start
            start = stop
