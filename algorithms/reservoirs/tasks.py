"""The tasks by which reservoirs are compared: memory, nonlinear systems, chaotic series; each gives one figure.

Each runs a reservoir over a series, leaves out the first steps, fits a ridge readout to the next, and measures it on
the rest. The reservoir's weights stay as they are; where it stood before is lost.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from streamlearn.errors import OptionError
from streamlearn.parameters import check_choice, check_range
from streamlearn.source import open_stream

from .reservoir import Reservoir

LORENZ_EXPONENT = 0.9056
"""Lyapunov's largest exponent of Lorenz's attractor at rho = 28: errors grow by e in 1 / 0.9056 units of time."""
LORENZ_STEP = 0.02
WASHOUT = 200
FUNCTIONS = ("linear", "legendre2", "legendre3", "product")
TOO_FAR = 0.4
"""The error, in standard deviations, at which a forecast no longer counts as valid."""


def nrmse(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Root of the mean squared error, in units of the targets' standard deviation; 1 is what their mean would have.

    Parameters
    ----------
    targets, predictions : float [n]

    Examples
    --------
    >>> import numpy as np
    >>> nrmse(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0]))
    1.0
    """
    return float(np.sqrt(np.mean((predictions - targets) ** 2) / np.var(targets)))


def ridge(R: np.ndarray, Y: np.ndarray, penalty: float = 1e-8) -> np.ndarray:
    """Weights of the readout, float64 [F + 1, M], the constant's last: ``(XᵀX + penalty T I)⁻¹ XᵀY``.

    Parameters
    ----------
    R : float [T, F]
        Features.
    Y : float [T, M]
        Targets.
    penalty : float
        Above 0, in units of a feature's mean square.
    """
    X = with_constant(R)
    gram = X.T @ X
    gram.flat[:: len(gram) + 1] += penalty * len(X)
    return linalg.solve(gram, X.T @ Y, assume_a="pos", overwrite_a=True)


def with_constant(R: np.ndarray) -> np.ndarray:
    """The features and a one, float64 [T, F + 1]."""
    return np.column_stack([R, np.ones(len(R))]).astype(np.float64, copy=False)


def held_out(
    reservoir: Reservoir, U: np.ndarray, Y: np.ndarray, *, train: int, washout: int = WASHOUT, penalty: float = 1e-8
) -> np.ndarray:
    """What a readout fitted to ``train`` steps says of the steps after them.

    Parameters
    ----------
    reservoir : Reservoir
    U : float [T, D]
        Inputs.
    Y : float [T, M]
        Targets.
    train, washout : int
        Steps to fit to, after so many that are left out.
    penalty : float
        Of `ridge`.

    Returns
    -------
    float64 [T - washout - train, M]
        Predictions of the last rows of ``Y``.
    """
    check_range("washout", washout, 0, len(U), kind=int)
    check_range("train", train, 1, len(U) - washout, kind=int)
    check_range("penalty", penalty, 0, 1e6, open_low=True)
    reservoir.reset()
    R = reservoir.run(U)
    fitted = slice(washout, washout + train)
    return with_constant(R[washout + train :]) @ ridge(R[fitted], Y[fitted], penalty)


# -- memory ------------------------------------------------------------------------------------------------------------


def memory_curve(
    reservoir: Reservoir,
    *,
    delays: int = 100,
    function: str = "linear",
    train: int = 3000,
    test: int = 1000,
    washout: int = WASHOUT,
    penalty: float = 1e-8,
    seed: int = 0,
) -> np.ndarray:
    """How well a readout recalls the input of 1 … ``delays`` steps ago, as squared correlations.

    Parameters
    ----------
    reservoir : Reservoir
        Its input is uniform in [-1, 1).
    delays : int
        1 … 10,000.
    function : "linear", "legendre2", "legendre3" or "product"
        What of that input: itself, Legendre's polynomials of it, or its product with the input before.
    train, test, washout : int
        Steps.
    penalty : float
        Of `ridge`.
    seed : int
        Of the inputs.

    Returns
    -------
    float64 [delays]
        Each 0 … 1.

    References
    ----------
    Jaeger, "Short term memory in echo state networks", GMD report 152, 2002; Dambre et al., "Information processing
    capacity of dynamical systems", Scientific Reports 2, 2012.
    """
    check_range("delays", delays, 1, 10_000, kind=int)
    check_choice("function", function, FUNCTIONS)
    u = np.random.default_rng(seed).uniform(-1.0, 1.0, washout + train + test + delays + 1)
    past = np.lib.stride_tricks.sliding_window_view(u, delays + 2)[:, ::-1]  # row t: u(t), u(t-1), …
    v = past[:, 1:-1]
    targets = {
        "linear": lambda: v,
        "legendre2": lambda: 0.5 * (3.0 * v**2 - 1.0),
        "legendre3": lambda: 0.5 * (5.0 * v**3 - 3.0 * v),
        "product": lambda: v * past[:, 2:],
    }[function]()
    predictions = held_out(reservoir, past[:, :1], targets, train=train, washout=washout, penalty=penalty)
    return _squared_correlations(targets[-test:], predictions)


def _squared_correlations(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Of each column of the one with that of the other; 0 where one is constant."""
    A, B = A - A.mean(axis=0), B - B.mean(axis=0)
    together = (A * B).sum(axis=0) ** 2
    apart = (A**2).sum(axis=0) * (B**2).sum(axis=0)
    return np.divide(together, apart, out=np.zeros_like(apart), where=apart > 0.0)


def memory_capacity(reservoir: Reservoir, *, delays: int = 100, seed: int = 0, **options: int | float | str) -> float:
    """Jaeger's memory capacity: the sum of `memory_curve`, at most the number of features.

    Parameters
    ----------
    reservoir : Reservoir
    delays : int
        How far back; what would be recalled from before does not count.
    seed : int
        Of the inputs.
    **options
        As of `memory_curve`.

    Examples
    --------
    >>> from streamlearn.algorithms.reservoirs import EchoStateReservoir
    >>> capacity = memory_capacity(EchoStateReservoir(n_units=20, seed=1), delays=30)
    >>> 8 < capacity < 20.5
    True
    """
    return float(memory_curve(reservoir, delays=delays, seed=seed, **options).sum())  # type: ignore[arg-type]


# -- one prediction a step ---------------------------------------------------------------------------------------------


def stream_error(
    reservoir: Reservoir,
    stream: str,
    *,
    train: int = 2000,
    test: int = 1000,
    washout: int = WASHOUT,
    penalty: float = 1e-8,
) -> float:
    """The held-out `nrmse` on a stream with a numeric target, such as ``"narma:order=10,seed=3"``.

    Parameters
    ----------
    reservoir : Reservoir
        Its inputs are the stream's fields, each brought to [-1, 1] by its range in the rows before the test.
    stream : str
        As for `streamlearn.open_stream`: `NARMA`, `MackeyGlass`, `Lorenz`, ``santa_fe``, or any other.
    train, test, washout : int
        Steps.
    penalty : float
        Of `ridge`.

    Raises
    ------
    OptionError
        If the stream has too few rows, or classes.

    Examples
    --------
    >>> from streamlearn.algorithms.reservoirs import EchoStateReservoir
    >>> error = stream_error(EchoStateReservoir(n_units=50, seed=1), "narma:order=10")
    >>> 0.3 < error < 0.9
    True
    """
    U, y = series_of(stream, washout + train + test, seen=washout + train)
    return nrmse(y[-test:], held_out(reservoir, U, y[:, None], train=train, washout=washout, penalty=penalty)[:, 0])


def series_of(stream: str, n: int, *, seen: int) -> tuple[np.ndarray, np.ndarray]:
    """The first rows of a stream as a reservoir's inputs, and their targets.

    Parameters
    ----------
    stream : str
        As for `streamlearn.open_stream`; its target must be a number.
    n : int
        How many rows.
    seen : int
        Each field is brought to [-1, 1] by its range in so many rows: those before the test.

    Returns
    -------
    U, y : float64 [n, D] and [n]

    Raises
    ------
    OptionError
        If the stream has too few rows, or classes.

    Examples
    --------
    >>> U, y = series_of("narma:order=10", 100, seen=50)
    >>> U.shape, float(U[:50].min()), float(U[:50].max())
    ((100, 1), -1.0, 1.0)
    """
    source = open_stream(stream)
    if source.schema.target_kind != "numeric":
        raise OptionError(f"{stream}: the target {source.schema.target!r} is nominal; these tasks predict numbers")
    batches = list(source.batches(limit=n))
    U = np.concatenate([batch.X for batch in batches])
    if len(U) < n:
        raise OptionError(f"{stream} has {len(U):,} rows: washout, train and test need {n:,}")
    low, high = U[:seen].min(axis=0), U[:seen].max(axis=0)
    U = 2.0 * (U - low) / np.where(high > low, high - low, 1.0) - 1.0
    return U, np.concatenate([batch.y for batch in batches if batch.y is not None])


# -- running free ------------------------------------------------------------------------------------------------------


def free_run(
    reservoir: Reservoir,
    series: np.ndarray,
    *,
    steps: int,
    train: int,
    starts: int,
    between: int,
    washout: int = WASHOUT,
    penalty: float = 1e-8,
) -> tuple[np.ndarray, np.ndarray]:
    """Let a reservoir go on by itself, its predictions as its inputs, from several places of a series.

    Parameters
    ----------
    reservoir : Reservoir
    series : float [T, D]
        The readout learns the next row of it.
    steps : int
        How long each run is.
    train, washout : int
        Steps to fit to, after so many that are left out.
    starts, between : int
        How many runs there are, the first right after the training, and the steps from one to the next, in which the
        reservoir sees the series.
    penalty : float
        Of `ridge`.

    Returns
    -------
    targets, predictions : float64 [starts, steps, D]
        What the series does after each start, and what the reservoir does; NaN after it has left all numbers.
    """
    seen = washout + train
    needed = seen + (starts - 1) * between + steps + 1
    if len(series) < needed:
        raise OptionError(f"the series has {len(series):,} rows, these runs need {needed:,}")
    reservoir.reset()
    R = reservoir.run(series[:seen])
    weights = ridge(R[washout:], series[washout + 1 : seen + 1], penalty)
    targets = np.empty((starts, steps, series.shape[1]))
    predictions = np.full_like(targets, np.nan)
    features = R[-1]
    for start in range(starts):
        at = seen + start * between
        targets[start] = series[at : at + steps]
        held = reservoir.state()
        running = features
        for step in range(steps):
            following = np.append(running, 1.0) @ weights
            if not np.isfinite(following).all():
                break
            predictions[start, step] = following
            running = reservoir.step(following)
        reservoir.restore(held)
        if start + 1 < starts:
            features = reservoir.run(series[at : at + between])[-1]
    return targets, predictions


def mackey_glass_free_error(
    reservoir: Reservoir,
    *,
    horizon: int = 84,
    tau: int = 17,
    starts: int = 50,
    train: int = 3000,
    washout: int = WASHOUT,
    penalty: float = 1e-8,
    seed: int = 0,
) -> float:
    """The error of a reservoir that ran free for ``horizon`` steps of the Mackey-Glass series, over several starts.

    Parameters
    ----------
    reservoir : Reservoir
        Its input is the series, brought to [-1, 1].
    horizon : int
        Steps; 84 gives the literature's NRMSE₈₄.
    tau : int
        The series' delay.
    starts : int
        Runs, 50 steps from one to the next.
    train, washout : int
        Steps.
    penalty : float
        Of `ridge`.
    seed : int
        Of the series.

    Returns
    -------
    float
        In the series' standard deviations; infinite if a run left all numbers.

    References
    ----------
    Jaeger and Haas, "Harnessing nonlinearity", Science 304, 2004.
    """
    between = 50
    n = washout + train + (starts - 1) * between + horizon + 1
    series, _ = series_of(f"mackey_glass:tau={tau},seed={seed}", n, seen=washout + train)
    targets, predictions = free_run(
        reservoir,
        series,
        steps=horizon,
        train=train,
        starts=starts,
        between=between,
        washout=washout,
        penalty=penalty,
    )
    errors = (predictions - targets)[:, -1, 0]
    return float(np.sqrt(np.mean(errors**2) / series.var())) if np.isfinite(errors).all() else float("inf")


def lorenz_valid_time(
    reservoir: Reservoir,
    *,
    starts: int = 20,
    train: int = 4000,
    washout: int = WASHOUT,
    penalty: float = 1e-8,
    seed: int = 0,
) -> float:
    """For how long a reservoir that runs free stays near Lorenz's trajectory, on average over several starts.

    The run is near as long as the distance, in units of the attractor's root mean squared distance from its centre, is
    at most 0.4. Coordinates are brought to [-1, 1].

    Parameters
    ----------
    reservoir : Reservoir
        Its inputs are x, y and z, a step every 0.02 units of time.
    starts : int
        Runs, 200 steps from one to the next.
    train, washout : int
        Steps.
    penalty : float
        Of `ridge`.
    seed : int
        Of the trajectory.

    Returns
    -------
    float
        In Lyapunov times, of which one is 55 steps; at most 11.

    References
    ----------
    Pathak et al., "Model-free prediction of large spatiotemporally chaotic systems from data: a reservoir computing
    approach", Physical Review Letters 120, 2018.
    """
    steps, between = 608, 200
    n = washout + train + (starts - 1) * between + steps + 1
    series, _ = series_of(f"lorenz:seed={seed}", n, seen=washout + train)
    targets, predictions = free_run(
        reservoir,
        series,
        steps=steps,
        train=train,
        starts=starts,
        between=between,
        washout=washout,
        penalty=penalty,
    )
    apart = np.sqrt(((predictions - targets) ** 2).sum(axis=2) / series.var(axis=0).sum())
    lost = ~(apart <= TOO_FAR)
    valid = np.where(lost.any(axis=1), lost.argmax(axis=1), steps)
    return float(valid.mean() * LORENZ_STEP * LORENZ_EXPONENT)
