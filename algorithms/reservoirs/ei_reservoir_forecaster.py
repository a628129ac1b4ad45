"""Forecasts of a series by a reservoir that hears it, and a readout that learns online."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import river.base

from streamlearn.errors import InputError, OptionError
from streamlearn.parameters import call_of, check_range, parameters_of
from streamlearn.schema import Schema

from .ei_reservoir_regressor import EIReservoirRegressor
from .learner_kernels import free_run

MOST_AHEAD = 1_000_000

Row = Mapping[Hashable, Any]


class EIReservoirForecaster(river.base.Estimator):
    """Forecasts a series: the reservoir hears each value, and the readout says the next.

    Has the verbs of River's forecasters, ``learn_one(y, x=None)`` and ``forecast(horizon, xs=None)``.

    Parameters
    ----------
    model : EIReservoirRegressor, optional
        What learns; by default ``EIReservoirRegressor(feedback="target")``. Its ``horizon`` decides how forecasts are
        made. 1: they are free running, each value forecast is fed back as if it had been seen. More: each of so many
        steps ahead has an output of its own, taught by what came, and forecasts up to there are these outputs; longer
        ones are free running as a whole.

    Raises
    ------
    OptionError
        If the model has no feedback, or has a ``key`` or an ``event``.

    Notes
    -----
    A row of the series is its value and, optionally, what is known beforehand about it, by name: fields of ``x``. They
    must be given for the future too then. Where a value is missing (None, NaN), the series goes on by the value that
    was expected. Until the model's warm-up is over, forecasts are the running mean.

    References
    ----------
    Jaeger and Haas, Harnessing nonlinearity, Science 304, 2004 (free running). `EIReservoir` for the reservoir.

    Examples
    --------
    >>> import numpy as np
    >>> import streamlearn as sl
    >>> time = np.arange(2020)
    >>> series = np.sin(0.3 * time) + 0.5 * np.sin(0.11 * time)
    >>> model = sl.EIReservoirRegressor(n_units=100, feedback="target", ridge=1e-7, forgetting=1.0)
    >>> forecaster = sl.EIReservoirForecaster(model=model)
    >>> forecaster.learn_many(series[:2000])
    >>> bool(np.abs(forecaster.forecast(20) - series[2000:]).max() < 0.2)
    True
    """

    def __init__(self, *, model: EIReservoirRegressor | None = None) -> None:
        self.model = EIReservoirRegressor(feedback="target") if model is None else model
        if not isinstance(self.model, EIReservoirRegressor):
            raise OptionError(f"model must be an EIReservoirRegressor, got {type(self.model).__name__}")
        if self.model.feedback == "none" or self.model.key is not None or self.model.event is not None:
            raise OptionError("model must have feedback='target' or 'output', and neither key nor event")

    @property
    def _supervised(self) -> bool:  # what River's checks read
        return True

    @property
    def params(self) -> dict[str, Any]:
        """The constructor's parameters."""
        return parameters_of(self)

    def __repr__(self) -> str:
        return call_of(self)

    # -- learning -------------------------------------------------------------------------------------------------

    def learn_one(self, y: float | None, x: Row | None = None) -> None:
        """Take in the next value of the series.

        Parameters
        ----------
        y
            The value; None or NaN if it is missing.
        x
            What was known beforehand, by name.

        Raises
        ------
        InputError
            If something doesn't fit; nothing is learned then.
        """
        self._begin(x)
        self.model.learn_one({} if x is None else x, y)

    def learn_many(self, y: Any, X: Any = None) -> None:
        """Take in the next values of the series, float64 [n]; ``X`` as in `EIReservoirRegressor.learn_many`."""
        y = np.asarray(y, np.float64)
        self._begin(X)
        self.model.learn_many(np.empty((len(y), 0)) if X is None else X, y)

    def _begin(self, x: Any) -> None:
        """A series without anything beside its values has a schema without fields."""
        if x is None and self.model._live is None:
            self.model._bind(Schema([], target_kind="numeric"))

    # -- forecasts ------------------------------------------------------------------------------------------------

    def forecast(self, horizon: int, xs: Sequence[Row] | None = None) -> list[float]:
        """The next values of the series.

        Parameters
        ----------
        horizon
            How many, 1 … 1,000,000.
        xs
            What is known beforehand about each of them, if the series has such fields.

        Raises
        ------
        InputError
            If ``xs`` has not ``horizon`` rows, or something in it doesn't fit.
        """
        check_range("horizon", horizon, 1, MOST_AHEAD, kind=int)
        if xs is not None and len(xs) != horizon:
            raise InputError(f"xs must have a row for each of the {horizon} steps, got {len(xs)}")
        model = self.model
        if model._live is None:
            return [0.0] * horizon
        rows = [{}] * horizon if xs is None else list(xs)
        X = model._encode(rows, grow=False).X
        out = np.empty(horizon)
        with model._lock:
            free_run(model._struct, X, 1 < model.horizon >= horizon, out)
        return out.tolist()

    # -- life -----------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget the series."""
        self.model.reset()

    def state(self) -> dict[str, Any]:
        """Everything learned: the model's state."""
        return self.model.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave; the forecaster then continues bit for bit."""
        self.model.restore(state)

    def save(self, path: str | Path) -> None:
        """Write the model to a file, from which `load` makes a forecaster, and `streamlearn.load` the model."""
        self.model.save(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a forecaster from a file that `save` wrote.

        Raises
        ------
        StateError
            If the file is damaged, or holds another kind of learner.
        """
        return cls(model=EIReservoirRegressor.load(path))
