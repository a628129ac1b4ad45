"""EIReservoir: excitatory and inhibitory units under Dale's law, with inhibition that balances itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from streamlearn.errors import InputError, OptionError, StateError
from streamlearn.parameters import check_choice, check_range

from . import recurrent_kernels as kernels
from .recurrent import NETWORK, RecurrentReservoir
from .recurrent_kernels import RecurrentArrays, strengths
from .targets import HIGHEST, LOWEST, auto_gain, check_reachable, draw_targets, implied_balance, matched_threshold
from .wiring import draw_balanced, rng_of

MOST_DESIGNED = 50.0  # factor by which the design may scale a unit's inhibition
TOLERANCE = 0.01  # of mean rates about their targets, on average over the units, where they have converged
COOLED = 0.01  # of the local rule's rate at the end of `EIReservoir.adapt`
SATURATED, SILENT = 0.95, 0.05  # mean rates


@dataclass(frozen=True)
class Diagnostics:
    """How a network of excitatory and inhibitory units stands.

    Parameters
    ----------
    rates, targets : float64 [N]
        Running mean of each unit's rate, and the rate that the local rule aims at.
    beta : float64 [N]
        Each unit's balance, 1 - inhibitory / excitatory in-strength; NaN where there is no excitation.
    beta_eff
        The same of the mean in-strengths.
    mean_abs_error
        Of the rates about their targets.
    n_saturated, n_silent
        Units whose mean rate is above 0.95, and below 0.05.
    spectral_radius
        Of the network, linearised at the mean rates: below 1 it forgets its state.
    steps, inputs_filled
        Steps so far, and inputs in them that were not finite.
    """

    rates: np.ndarray
    targets: np.ndarray
    beta: np.ndarray
    beta_eff: float
    mean_abs_error: float
    n_saturated: int
    n_silent: int
    spectral_radius: float
    steps: int
    inputs_filled: int


@dataclass(frozen=True)
class Adaptation:
    """What `EIReservoir.adapt` did: how many steps, whether the rates came to their targets, and how it now stands."""

    steps: int
    converged: bool
    mean_abs_error: float
    n_saturated: int
    n_silent: int
    beta_eff: float
    spectral_radius: float


@dataclass(frozen=True)
class Design:
    """What `EIReservoir.design` did: units that would need a factor outside 0 … 50, units without any inhibition."""

    n_clipped: int
    n_skipped: int


class EIReservoir(RecurrentReservoir):
    """A reservoir of excitatory and inhibitory units that balances itself.

    The state is the rate of each unit, between 0 and 1::

        V(t+1) = W r(t) + W_in u(t+1)
        r(t+1) = (1 - leak) r(t) + leak · sigmoid(c (V(t+1) - theta))

    ``W`` is sparse. A unit sends with one sign to all its targets (Dale's law), in all four combinations of
    populations. `adapt` lets each unit change the inhibition it receives until its mean rate is its target rate;
    `design` finds nearly the same inhibition from the weights alone.

    Parameters
    ----------
    n_units
        Units, 4 … 1,000,000.
    f_exc
        Share of excitatory units.
    k
        Mean number of synapses that a unit receives.
    connectivity
        ``"er"``: random in-degrees (Erdős and Rényi; at least 2 inhibitory synapses each); ``"fixed"``: exactly ``k``.
        Adaptation gains much with the first and little with the second, where all units are alike.
    beta
        Global balance before adaptation, at most 1: 0 is balanced, above 0 excitation dominates, below 0 inhibition.
    c
        Steepness of the sigmoid, or ``"auto"``: such that the random part of the balanced network has the radius 0.95
        at the mean target rate.
    theta
        Threshold of every unit, or ``"match"``: such that each unit has its target where inputs cancel.
    leak
        Share of the new rate in a step; 1 is no leak.
    f_in
        Share of units that get inputs.
    input_scale
        Bound of the uniform input weights.
    targets
        Target rates: ``"const"``, ``"beta"``, ``"lognormal"``, or one number for each unit, 0.02 … 0.98.
    target_rate
        Their mean, 0.02 … 0.98.
    concentration
        Of the Beta distribution, the sum of its parameters: large is homogeneous.
    target_sd
        Standard deviation of the logarithm, for ``"lognormal"``.
    rule
        ``"gated"``: an inhibitory synapse changes in proportion to what it sends; ``"plain"``: regardless of it.
    delta
        Rate of the local rule in `adapt`; by default 0.4 / k (gated) or 0.001 (plain).
    online_delta
        Rate of the local rule in every step, where ``adaptation="online"``. Keep it ten times slower than what learns
        from the reservoir, whose features it moves.
    adaptation
        What a learner does with its first rows, and this reservoir in its steps: ``"off"``: nothing, the network stays
        as it was drawn; ``"warmup"``: `adapt`, then freeze; ``"online"``: `adapt`, then go on slowly in every step.
    seed
        Decides all that is drawn, in an order that does not depend on anything else.
    dtype
        ``"float64"`` or ``"float32"``: of weights and rates.

    Raises
    ------
    OptionError
        If a parameter is out of range, or the network can't hold the target rates.

    Warns
    -----
    UserWarning
        If the mean target rate is below 0.12 or above 0.88: the network may fall into another stable state.

    Notes
    -----
    After "Boosting reservoir computing with brain-inspired adaptive control of E-I balance" (Nature Communications,
    2025; arXiv 2504.12480). Its abstract was at hand, its text was not: populations, default sizes, weights and the
    plain rule follow a public re-implementation that cites it. Random in-degrees, the gated rule, the automatic gain,
    the matched thresholds, the lognormal targets and the test of convergence are ours.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.algorithms.reservoirs import EIReservoir
    >>> reservoir = EIReservoir(n_units=200, seed=1)
    >>> report = reservoir.adapt(np.random.default_rng(0).uniform(-1, 1, 2000))
    >>> report.converged, report.n_saturated, report.n_silent
    (True, 0, 0)
    >>> reservoir.run([0.1, -0.3, 0.2]).shape
    (3, 200)
    """

    def __init__(
        self,
        *,
        n_units: int = 500,
        f_exc: float = 0.8,
        k: int = 40,
        connectivity: str = "er",
        beta: float = 0.0,
        c: float | Literal["auto"] = "auto",
        theta: float | Literal["match"] = 0.0,
        leak: float = 1.0,
        f_in: float = 0.3,
        input_scale: float = 0.1,
        targets: str | Sequence[float] | np.ndarray = "beta",
        target_rate: float = 0.5,
        concentration: float = 20.0,
        target_sd: float = 0.5,
        rule: str = "gated",
        delta: float | None = None,
        online_delta: float = 1e-5,
        adaptation: str = "warmup",
        seed: int = 0,
        dtype: str = "float64",
    ) -> None:
        self.n_units = n_units
        self.f_exc = f_exc
        self.k = k
        self.connectivity = connectivity
        self.beta = beta
        self.c = c
        self.theta = theta
        self.leak = leak
        self.f_in = f_in
        self.input_scale = input_scale
        self.targets = targets if isinstance(targets, str) else _rates(targets)
        self.target_rate = target_rate
        self.concentration = concentration
        self.target_sd = target_sd
        self.rule = rule
        self.delta = delta
        self.online_delta = online_delta
        self.adaptation = adaptation
        self.seed = seed
        self.dtype = dtype
        self._check_parameters()
        self._draw()

    def _check_parameters(self) -> None:
        check_range("n_units", self.n_units, 4, 1_000_000, kind=int)
        check_range("f_exc", self.f_exc, 0.0, 1.0, open_low=True)
        check_range("k", self.k, 1, self.n_units, kind=int)
        check_choice("connectivity", self.connectivity, ("er", "fixed"))
        check_range("beta", self.beta, -1000.0, 1.0)
        if self.c != "auto":
            check_range("c", self.c, 0.0, 1000.0, open_low=True)
        if self.theta != "match":
            check_range("theta", self.theta, -1000.0, 1000.0)
        check_range("leak", self.leak, 0.0, 1.0, open_low=True)
        check_range("f_in", self.f_in, 0.0, 1.0, open_low=True)
        check_range("input_scale", self.input_scale, 0.0, 1e6)
        if isinstance(self.targets, str):
            check_choice("targets", self.targets, ("const", "beta", "lognormal"))
        elif len(self.targets) != self.n_units:
            raise OptionError(f"targets has {len(self.targets)} rates for n_units={self.n_units}")
        check_range("target_rate", self.target_rate, LOWEST, HIGHEST)
        check_range("concentration", self.concentration, 0.0, 1e9, open_low=True)
        check_range("target_sd", self.target_sd, 0.0, 10.0)
        check_choice("rule", self.rule, ("gated", "plain"))
        if self.delta is not None:
            check_range("delta", self.delta, 0.0, 1.0, open_low=True)
        check_range("online_delta", self.online_delta, 0.0, 1.0, open_low=True)
        check_choice("adaptation", self.adaptation, ("off", "warmup", "online"))
        check_range("seed", self.seed, -(2**63), 2**64 - 1, kind=int)
        check_choice("dtype", self.dtype, ("float64", "float32"))
        n_inhibitory, of_each = self.n_units - self.n_excitatory, round(self.k * self.n_excitatory / self.n_units)
        if self.n_excitatory < 1 or n_inhibitory < 2:
            raise OptionError(
                f"f_exc={self.f_exc!r} leaves {self.n_excitatory} excitatory and {n_inhibitory} inhibitory of "
                f"{self.n_units} units: there must be 1 and 2 at least"
            )
        if self.connectivity == "fixed" and (of_each < 1 or not 2 <= self.k - of_each <= n_inhibitory):
            raise OptionError(
                f"connectivity='fixed' gives each unit {of_each} excitatory and {self.k - of_each} inhibitory "
                f"synapses, from {self.n_excitatory} and {n_inhibitory} units: there must be 1 and 2 at least; change "
                f"k={self.k} or f_exc={self.f_exc!r}"
            )

    @property
    def n_excitatory(self) -> int:
        """How many units are excitatory: the first ones."""
        return round(self.f_exc * self.n_units)

    def _draw(self) -> None:
        rng = rng_of(self.seed, NETWORK)
        wiring = draw_balanced(rng, self.n_units, self.n_excitatory, self.k, self.connectivity, self.beta)
        target = draw_targets(rng, self.n_units, self.targets, self.target_rate, self.concentration, self.target_sd)
        initial = rng.random(self.n_units)
        k_excitatory = self.k * self.n_excitatory / self.n_units
        k_inhibitory = self.k - k_excitatory
        gain = auto_gain(target, k_excitatory, k_inhibitory, self.theta) if self.c == "auto" else self.c
        threshold = matched_threshold(target, gain) if self.theta == "match" else np.full(self.n_units, self.theta)
        threshold = threshold.astype(np.float64)
        if self.adaptation != "off":
            check_reachable(target, threshold, gain)
        options = np.zeros(kernels.N_OPTIONS)
        options[kernels.KIND] = kernels.SIGMOID
        options[kernels.GAIN] = gain
        options[kernels.LEAK] = self.leak
        options[kernels.LARGEST] = MOST_DESIGNED / k_inhibitory
        options[kernels.GATED] = self.rule == "gated"
        options[kernels.ONLINE] = self.online_delta if self.adaptation == "online" else 0.0
        self._build(options, wiring, threshold, target, initial)

    def _check(self, a: RecurrentArrays) -> None:
        super()._check(a)
        excites = np.arange(len(a.sender)) < np.repeat(a.inhibitory, np.diff(a.start))
        largest = a.options[kernels.LARGEST]
        if not np.where(excites, a.weight >= 0.0, (a.weight <= 0.0) & (a.weight >= -largest * (1.0 + 1e-6))).all():
            raise StateError(f"{type(self).__name__}: array 'weight' breaks Dale's law, or is out of range")
        if not np.array_equal(a.sender < self.n_excitatory, excites):
            raise StateError(f"{type(self).__name__}: array 'sender' has units of the wrong population")
        if not ((a.target >= LOWEST) & (a.target <= HIGHEST)).all():
            raise StateError(f"{type(self).__name__}: array 'target' must be within {LOWEST} … {HIGHEST}")

    # -- balance --------------------------------------------------------------------------------------------------

    @property
    def gain(self) -> float:
        """The steepness c in use."""
        return float(self._arrays.options[kernels.GAIN])

    @property
    def implied_beta(self) -> float:
        """The balance that the target rates imply, (theta + logit(rate) / c) / rate: what `adapt` will come to."""
        return implied_balance(self._arrays.target, self._arrays.threshold, self.gain)

    def design(self, u_mean: Any = 0.0) -> Design:
        """Scale each unit's inhibition such that its rate is its target if inputs and all other rates are their means.

        Needs no simulation: O(synapses). The state is not touched.

        Parameters
        ----------
        u_mean : array-like [D], or one number
            Means of the inputs.
        """
        self._check_reachable()
        mean = self._inputs(u_mean, 1)[0]
        if not np.isfinite(mean).all():
            raise InputError("design: means of inputs must be finite")
        mean = np.clip(mean, -kernels.LIMIT, kernels.LIMIT)
        return Design(*kernels.design(self._struct, mean, MOST_DESIGNED))

    def adapt(self, U: Any, steps: int = 4000, *, delta: float | None = None, from_design: bool = True) -> Adaptation:
        """Run over inputs with the local rule on, until mean rates are their targets.

        Per inhibitory synapse and step: ``w ← clip(w + delta · (rate - target) · gate, 0, w_max)``, where ``gate`` is
        what the synapse sends (``rule="gated"``) or 1. Synapses neither come nor go. In the second half ``delta`` falls
        to a hundredth. Rates have converged if their means over that half are within 0.01 of the targets, on average
        over the units. It never ends early: the memory of the network still improves after that.

        Parameters
        ----------
        U : array-like [T, D], or [T] where there is one input
            Inputs such as those of the task; begun again at the end.
        steps
            At most.
        delta
            Instead of the reservoir's own.
        from_design
            Whether to begin with `design`.
        """
        self._check_reachable()
        check_range("steps", steps, 1, 2**53, kind=int)
        if delta is None:
            delta = self.delta or (0.4 / self.k if self.rule == "gated" else 1e-3)
        check_range("delta", delta, 0.0, 1.0, open_low=True)
        inputs = self._inputs(U, 2)
        if len(inputs) == 0:
            raise InputError("adapt: there are no inputs")
        if from_design:
            finite = np.ma.masked_invalid(np.clip(inputs, -kernels.LIMIT, kernels.LIMIT))
            self.design(finite.mean(axis=0).filled(0.0))
        kernels.adapt(self._struct, inputs, steps, delta, COOLED)
        found = self.diagnostics()
        return Adaptation(
            steps=steps,
            converged=found.mean_abs_error < TOLERANCE,
            mean_abs_error=found.mean_abs_error,
            n_saturated=found.n_saturated,
            n_silent=found.n_silent,
            beta_eff=found.beta_eff,
            spectral_radius=found.spectral_radius,
        )

    def _check_reachable(self) -> None:
        check_reachable(self._arrays.target, self._arrays.threshold, self.gain)

    def diagnostics(self) -> Diagnostics:
        """How the network stands: rates against targets, balance, spectral radius."""
        a = self._arrays
        excitation, inhibition = np.empty(self.n_units), np.empty(self.n_units)
        strengths(self._struct, excitation, inhibition)
        with np.errstate(divide="ignore", invalid="ignore"):
            beta = np.where(excitation > 0.0, 1.0 - inhibition / excitation, np.nan)
        rates = a.mean_rate.copy()
        return Diagnostics(
            rates=rates,
            targets=a.target.copy(),
            beta=beta,
            beta_eff=float(1.0 - inhibition.mean() / excitation.mean()) if excitation.any() else float("nan"),
            mean_abs_error=float(np.abs(rates - a.target).mean()),
            n_saturated=int((rates > SATURATED).sum()),
            n_silent=int((rates < SILENT).sum()),
            spectral_radius=self._radius(self.gain * rates * (1.0 - rates), self.leak),
            steps=int(a.counts[kernels.STEPS]),
            inputs_filled=int(a.counts[kernels.FILLED]),
        )

    def plot(self, path: str | os.PathLike[str], U: Any = None) -> None:
        """Draw how the network stands: rates against targets, balance, eigenvalues, and, given inputs, rates in time.

        Parameters
        ----------
        path
            Ends in .png, .svg or .pdf.
        U : array-like [T, D], or [T] where there is one input
            Inputs over which a copy of the reservoir runs.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        from .picture import plot_reservoir

        plot_reservoir(self, path, U)


def _rates(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    try:
        rates = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        rates = np.empty((0, 0))
    if rates.ndim != 1 or not ((rates >= LOWEST) & (rates <= HIGHEST)).all():
        raise OptionError(f"targets must be 'const', 'beta', 'lognormal' or numbers within {LOWEST} … {HIGHEST}")
    return tuple(rates.tolist())
