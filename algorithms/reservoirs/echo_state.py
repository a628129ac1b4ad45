"""EchoStateReservoir: the classical random network of tanh units, as a baseline with the same interface."""

from __future__ import annotations

import numpy as np

from streamlearn.errors import OptionError
from streamlearn.parameters import check_choice, check_range

from . import recurrent_kernels as kernels
from .recurrent import NETWORK, RecurrentReservoir
from .wiring import draw_sparse, rng_of


class EchoStateReservoir(RecurrentReservoir):
    """A leaky echo-state network: random, sparse, tanh, scaled to a spectral radius.

    The state is the activation of each unit, between -1 and 1::

        r(t+1) = (1 - leak) r(t) + leak · tanh(W r(t) + W_in u(t+1) + b)

    Parameters
    ----------
    n_units
        Units, 1 … 1,000,000.
    density
        Share of pairs of units that are joined.
    spectral_radius
        Of ``W``. Below 1 the network forgets its state; near 1 it remembers longest.
    leak
        Share of the new activation in a step; 1 is no leak.
    f_in
        Share of units that get inputs.
    input_scale
        Bound of the uniform input weights.
    bias
        Bound of the uniform biases ``b``.
    seed
        Decides all that is drawn.
    dtype
        ``"float64"`` or ``"float32"``: of weights and states.

    Raises
    ------
    OptionError
        If a parameter is out of range, or the network has no cycle, so that no spectral radius can be given to it.

    Notes
    -----
    After Jaeger, "The 'echo state' approach to analysing and training recurrent neural networks" (GMD report 148,
    2001); leak as in Jaeger, Lukoševičius, Popovici and Siewert (Neural Networks, 2007).

    Examples
    --------
    >>> from streamlearn.algorithms.reservoirs import EchoStateReservoir
    >>> EchoStateReservoir(n_units=100, spectral_radius=0.95).run([0.1, -0.3, 0.2]).shape
    (3, 100)
    """

    def __init__(
        self,
        *,
        n_units: int = 500,
        density: float = 0.1,
        spectral_radius: float = 0.9,
        leak: float = 1.0,
        f_in: float = 1.0,
        input_scale: float = 0.1,
        bias: float = 0.0,
        seed: int = 0,
        dtype: str = "float64",
    ) -> None:
        self.n_units = n_units
        self.density = density
        self.spectral_radius = spectral_radius
        self.leak = leak
        self.f_in = f_in
        self.input_scale = input_scale
        self.bias = bias
        self.seed = seed
        self.dtype = dtype
        check_range("n_units", n_units, 1, 1_000_000, kind=int)
        check_range("density", density, 0.0, 1.0, open_low=True)
        check_range("spectral_radius", spectral_radius, 0.0, 100.0)
        check_range("leak", leak, 0.0, 1.0, open_low=True)
        check_range("f_in", f_in, 0.0, 1.0, open_low=True)
        check_range("input_scale", input_scale, 0.0, 1e6)
        check_range("bias", bias, 0.0, 1e6)
        check_range("seed", seed, -(2**63), 2**64 - 1, kind=int)
        check_choice("dtype", dtype, ("float64", "float32"))
        self._draw()

    def _draw(self) -> None:
        rng = rng_of(self.seed, NETWORK)
        wiring = draw_sparse(rng, self.n_units, self.density)
        bias = rng.uniform(-1.0, 1.0, self.n_units) * self.bias
        options = np.zeros(kernels.N_OPTIONS)
        options[kernels.KIND] = kernels.TANH
        options[kernels.GAIN] = 1.0
        options[kernels.LEAK] = self.leak
        none = np.zeros(self.n_units)
        self._build(options, wiring, -bias, none, none)
        radius = self._radius(np.ones(self.n_units), leak=1.0)
        if radius == 0.0:
            raise OptionError(
                f"{self.n_units} units with density={self.density!r} have no cycle of synapses, so the network can't "
                f"have a spectral radius: raise density"
            )
        self._arrays.weight[:] *= self.spectral_radius / radius
