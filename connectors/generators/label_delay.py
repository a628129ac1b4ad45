"""Labels that come later than their rows: verification latency."""

from __future__ import annotations

import math

import numpy as np

from streamlearn.batch import Batch
from streamlearn.compiled import kernel
from streamlearn.parameters import check_choice, check_range
from streamlearn.random import restart, uniform
from streamlearn.source import Source

from .modifier import Modifier

SHAPES = ("fixed", "uniform", "exponential")


class LabelDelay(Modifier):
    """A source that says of each row when its label becomes known.

    The batches get `Batch.label_time`: the row's event time and a delay. The targets themselves are in the batch as
    before; whoever reads it decides what to know when.

    Parameters
    ----------
    source : Source
        A source without event times gets them here: row n, counted from 0, happens at ``n * interval``.
    delay : float
        Mean delay in seconds, >= 0; with the default interval, in rows.
    shape : "fixed", "uniform" or "exponential"
        Every delay the same; uniform between 0 and twice the mean; or exponential, so that some labels come very late.
    interval : float
        Seconds between rows of a source without event times, > 0.
    seed : int
        Of what is drawn here.

    Examples
    --------
    >>> from streamlearn.connectors.generators import LabelDelay, SEA
    >>> batch = LabelDelay(SEA(), delay=100).poll(3)
    >>> batch.event_time, batch.label_time
    (array([0., 1., 2.]), array([100., 101., 102.]))
    """

    def __init__(
        self, source: Source, *, delay: float, shape: str = "fixed", interval: float = 1.0, seed: int = 1
    ) -> None:
        check_range("delay", delay, 0, 1e15)
        check_choice("shape", shape, SHAPES)
        check_range("interval", interval, 0, 1e15, open_low=True)
        super().__init__(source, seed=seed)
        self.delay, self.shape, self.interval = delay, shape, interval

    def _change(self, batch: Batch, first: int) -> None:
        if batch.event_time is None:
            batch.event_time = np.arange(first, first + len(batch)) * float(self.interval)
        delays = np.full(len(batch), float(self.delay))
        if self.shape != "fixed":
            _spread(self._key, first, delays, self.shape == "uniform")
        batch.label_time = batch.event_time + delays


@kernel
def _spread(key: np.uint64, first: int, delays: np.ndarray, is_uniform: bool) -> None:
    """Replace each mean delay by a random one."""
    state = np.empty(4, np.uint64)
    for i in range(len(delays)):
        restart(state, key, first + i)
        delays[i] *= 2.0 * uniform(state) if is_uniform else -math.log(1.0 - uniform(state))
