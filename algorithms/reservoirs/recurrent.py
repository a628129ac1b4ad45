"""What reservoirs that are recurrent networks share: their arrays, their steps, and the checks of a saved state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamlearn.errors import StateError

from . import recurrent_kernels as kernels
from .recurrent_kernels import RecurrentArrays, growth, make_recurrent
from .reservoir import Layout, Reservoir, taken
from .wiring import Wiring, draw_receivers, rng_of

NETWORK, INPUTS, FIRST_COLUMN = 0, 1, 2
"""Parts of what a seed decides: the network; which units get inputs; the weights of the first input."""
SLACK = 1e-6  # rounding, also in float32
HEAVIEST = 1e6  # weights, thresholds and gains stay within: no sum can leave the range of float32


class RecurrentReservoir(Reservoir):
    """Base of recurrent reservoirs; a subclass sets the attributes that bear the parameters' names, then `_build`."""

    n_units: int
    f_in: float
    input_scale: float
    leak: float
    seed: int
    dtype: str

    def _build(
        self, options: np.ndarray, wiring: Wiring, threshold: np.ndarray, target: np.ndarray, initial: np.ndarray
    ) -> None:
        """Take a drawn network over; it has no inputs yet."""
        kind = np.dtype(self.dtype)
        receiver = draw_receivers(rng_of(self.seed, INPUTS), self.n_units, self.f_in)
        self._set(
            RecurrentArrays(
                options=options,
                start=wiring.start.astype(np.int64),
                inhibitory=wiring.inhibitory.astype(np.int64),
                sender=wiring.sender,
                weight=wiring.weight.astype(kind),
                receiver=receiver,
                input_weight=np.zeros((len(receiver), 0), kind),
                threshold=threshold.astype(np.float64),
                target=target.astype(np.float64),
                initial=initial.astype(kind),
                rate=initial.astype(kind),
                held=np.zeros(0),
                mean_rate=initial.astype(kind).astype(np.float64),
                counts=np.zeros(kernels.N_COUNTS, np.int64),
            )
        )

    def _set(self, arrays: RecurrentArrays) -> None:
        self._arrays, self._struct = arrays, make_recurrent(arrays)

    @property
    def network(self) -> RecurrentArrays:
        """The arrays themselves, not copies: for kernels that run reservoirs from outside."""
        return self._arrays

    @property
    def struct(self) -> Any:
        """The same arrays as kernels take them."""
        return self._struct

    # -- contract -------------------------------------------------------------------------------------------------

    @property
    def n_inputs(self) -> int:
        return len(self._arrays.held)

    @property
    def n_features(self) -> int:
        return self.n_units

    def _connect(self, n_inputs: int) -> None:
        old = self._arrays
        weights = np.empty((len(old.receiver), n_inputs), old.weight.dtype)
        weights[:, : self.n_inputs] = old.input_weight
        for d in range(self.n_inputs, n_inputs):  # a generator for each: inputs that come later change none before
            drawn = rng_of(self.seed, FIRST_COLUMN + d).uniform(-self.input_scale, self.input_scale, len(weights))
            weights[:, d] = drawn
        held = np.zeros(n_inputs)
        held[: self.n_inputs] = old.held
        self._set(old._replace(input_weight=weights, held=held))

    def _run(self, U: np.ndarray) -> np.ndarray:
        states = np.empty((len(U), self.n_units), self._arrays.rate.dtype)
        kernels.run(self._struct, U, states)
        return states

    def reset(self) -> None:
        arrays = self._arrays
        arrays.rate[:] = arrays.mean_rate[:] = arrays.initial
        arrays.held[:] = 0.0
        arrays.counts[:] = 0

    def weights(self) -> np.ndarray:
        """The weights between units as a dense matrix, float [N, N], rows are receivers."""
        a = self._arrays
        dense = np.zeros((self.n_units, self.n_units), a.weight.dtype)
        dense[np.repeat(np.arange(self.n_units), np.diff(a.start)), a.sender] = a.weight
        return dense

    @property
    def nbytes(self) -> int:
        """Size of the reservoir's arrays in bytes."""
        return sum(array.nbytes for array in self._arrays)

    def state(self) -> dict[str, Any]:
        return {name: array.copy() for name, array in self._arrays._asdict().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        arrays = RecurrentArrays(**taken(type(self).__name__, state, self._layout(state)))
        self._check(arrays)
        self._set(arrays)

    def _layout(self, state: Any) -> Layout:
        """Dtypes and shapes of the arrays, for as many synapses and inputs as a state has."""
        N, kind = self.n_units, np.dtype(self.dtype)
        M = len(self._arrays.receiver)
        Z, D = (np.size(state.get(name, 0)) if isinstance(state, Mapping) else 0 for name in ("sender", "held"))
        return {
            "options": (np.float64, (kernels.N_OPTIONS,)),
            "start": (np.int64, (N + 1,)),
            "inhibitory": (np.int64, (N,)),
            "sender": (np.uint32, (Z,)),
            "weight": (kind, (Z,)),
            "receiver": (np.uint32, (M,)),
            "input_weight": (kind, (M, D)),
            "threshold": (np.float64, (N,)),
            "target": (np.float64, (N,)),
            "initial": (kind, (N,)),
            "rate": (kind, (N,)),
            "held": (np.float64, (D,)),
            "mean_rate": (np.float64, (N,)),
            "counts": (np.int64, (kernels.N_COUNTS,)),
        }

    def _check(self, a: RecurrentArrays) -> None:
        """Refuse arrays that could lead a kernel astray, or that are not such a network."""
        name, N = type(self).__name__, self.n_units
        grows = a.start[0] == 0 and a.start[-1] == len(a.sender) and (a.start[:-1] <= a.start[1:]).all()
        if not grows or not ((a.start[:-1] <= a.inhibitory) & (a.inhibitory <= a.start[1:])).all():
            raise StateError(f"{name}: arrays 'start' and 'inhibitory' don't divide the synapses by their receivers")
        if (a.sender >= N).any() or (a.receiver >= N).any():
            raise StateError(f"{name}: arrays 'sender' and 'receiver' must name units 0 … {N - 1}")
        mine = self._arrays.options
        fixed = [place for place in range(kernels.N_OPTIONS) if place != kernels.GAIN]
        if not np.array_equal(a.options[fixed], mine[fixed]) or not 0.0 < a.options[kernels.GAIN] <= HEAVIEST:
            raise StateError(f"{name}: array 'options' does not belong to the parameters")
        furthest = {"held": kernels.LIMIT, "input_weight": self.input_scale * (1.0 + SLACK)}
        for field, bound in ({"weight": HEAVIEST, "threshold": HEAVIEST} | furthest).items():
            if (np.abs(getattr(a, field)) > bound).any():
                raise StateError(f"{name}: array {field!r} must be within ±{bound:g}")
        low = -1.0 if mine[kernels.KIND] == kernels.TANH else 0.0
        for field in ("initial", "rate", "mean_rate"):
            if not ((low - SLACK <= getattr(a, field)) & (getattr(a, field) <= 1.0 + SLACK)).all():
                raise StateError(f"{name}: array {field!r} must be within {low:g} … 1")
        if (a.counts < 0).any() or a.counts[kernels.AVERAGED] > kernels.MEMORY:
            raise StateError(f"{name}: array 'counts' is out of range")

    # -- figures --------------------------------------------------------------------------------------------------

    def _radius(self, slope: np.ndarray, leak: float) -> float:
        """Spectral radius of the network linearised where its units have these slopes."""
        x = np.random.default_rng(0).standard_normal(self.n_units)
        return growth(self._struct, slope, leak, x, 200, 1000)
