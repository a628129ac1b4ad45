"""BatchedReservoir: many recurrent reservoirs in lock-step, on the CPU or on a GPU."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from streamlearn.errors import InputError, OptionError, StateError
from streamlearn.parameters import check_choice, check_range

from . import recurrent_kernels as kernels
from .batched_kernels import fill_inputs, run_own, run_shared
from .recurrent import RecurrentReservoir
from .reservoir import taken

BLOCK = 64  # keys whose states are worked on together: they stay in the processor's cache
FEW = 4  # up to so many keys are quicker one by one


class Engine(ABC):
    """What computes the states: built from frozen reservoirs, holds the states of all members."""

    @abstractmethod
    def run(self, U: np.ndarray) -> Any:
        """Step through finite inputs, float64 [T, B, D]; the states [T, B, N], wherever the engine keeps them."""

    @abstractmethod
    def states(self) -> np.ndarray:
        """The present states, float [B, N], copied."""

    @abstractmethod
    def put(self, states: np.ndarray) -> None:
        """Go to these states, float [B, N]."""


class BatchedReservoir:
    """Many recurrent reservoirs that step together.

    Either ``batch`` keys over the weights of one reservoir, each with a state of its own, or several reservoirs of one
    size with their own weights: seeds, scales, balances, targets. The weights are taken as they are now, and stay so.

    Parameters
    ----------
    reservoirs
        An `EIReservoir` or an `EchoStateReservoir`, with its inputs connected; or a sequence of them, all of one class,
        size, dtype and number of inputs.
    batch
        Number of keys, where one reservoir is given.
    backend
        ``"numba"``: compiled, sparse; bit for bit what single reservoirs give. ``"torch"``: dense matrices up to 1000
        units, sparse ones above; sums run in another order, so that states differ by rounding: within 1e-9 in float64
        and 1e-4 in float32 where the network forgets its state (a spectral radius below 1).
    device
        Where torch works, such as ``"cpu"`` or ``"cuda"``. On a GPU the steps are recorded once, and replayed as a
        whole.
    threads
        For ``backend="numba"``: how many share the keys.

    Raises
    ------
    OptionError
        If a parameter is out of range, or reservoirs don't fit together.
    MissingExtraError
        If torch is asked for and not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from streamlearn.algorithms.reservoirs import BatchedReservoir, EIReservoir
    >>> one = EIReservoir(n_units=100)
    >>> one.connect(2)
    >>> keys = BatchedReservoir(one, batch=16)
    >>> keys.run(np.zeros((5, 16, 2))).shape
    (5, 16, 100)
    """

    def __init__(
        self,
        reservoirs: RecurrentReservoir | Sequence[RecurrentReservoir],
        batch: int | None = None,
        *,
        backend: str = "numba",
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        check_choice("backend", backend, ("numba", "torch"))
        check_range("threads", threads, 1, 1024, kind=int)
        shared = isinstance(reservoirs, RecurrentReservoir)
        members = [reservoirs] if isinstance(reservoirs, RecurrentReservoir) else list(reservoirs)
        if shared:
            check_range("batch", batch, 1, 2**31, kind=int)
        elif batch not in (None, len(members)):
            raise OptionError(f"batch={batch!r} for {len(members)} reservoirs: leave it out")
        _check_alike(members)
        self.backend, self.device, self.threads = backend, device, threads
        self.batch = batch if shared and batch is not None else len(members)
        self.n_inputs, self.n_features = members[0].n_inputs, members[0].n_units
        initial = np.array([member.network.initial for member in members])
        self._initial = np.repeat(initial, self.batch, axis=0) if shared else initial
        self._held = np.zeros((self.batch, self.n_inputs))
        self._engine = self._made(members, shared)
        self.reset()

    def _made(self, members: list[RecurrentReservoir], shared: bool) -> Engine:
        if self.backend == "numba":
            if shared and self.batch > FEW:
                return SharedWeights(members[0], self.batch, self.threads)
            return OwnWeights(members * (self.batch // len(members)), self.threads)
        from .batched_torch import TorchOwnWeights, TorchSharedWeights

        if shared:
            return TorchSharedWeights(members[0], self.batch, self.device)
        return TorchOwnWeights(members, self.device)

    def run(self, U: Any) -> np.ndarray:
        """Take in the inputs of many steps.

        Parameters
        ----------
        U : array-like [T, B, D], or [T, D] where all get the same
            Inputs that are not finite are replaced by the last ones of that member.

        Returns
        -------
        float [T, B, N]

        Raises
        ------
        InputError
            If the inputs don't fit.
        """
        states = self.run_on_device(U)
        return states if isinstance(states, np.ndarray) else states.cpu().numpy()

    def run_on_device(self, U: Any) -> Any:
        """As `run`, but the states stay where they were computed: with torch, a tensor on its device."""
        try:
            inputs = np.array(U, np.float64, order="C", copy=None)
        except (TypeError, ValueError):
            raise InputError("inputs must be numbers") from None
        if inputs.ndim == 2:
            inputs = np.repeat(inputs[:, np.newaxis], self.batch, axis=1)
        if inputs.ndim != 3 or inputs.shape[1:] != (self.batch, self.n_inputs):
            raise InputError(
                f"inputs must have the shape [T, {self.batch}, {self.n_inputs}] or [T, {self.n_inputs}], got "
                f"{np.shape(U)}"
            )
        used = np.empty_like(inputs)
        fill_inputs(inputs, self._held, used)
        return self._engine.run(used)

    def step(self, u: Any) -> np.ndarray:
        """Take in the inputs of one step, [B, D]; the states, float [B, N]."""
        return self.run(np.asarray(u)[np.newaxis])[0]

    def reset(self, members: Any = None) -> None:
        """Send all members, or those numbered, back to their first state."""
        chosen = slice(None) if members is None else np.asarray(members)
        states = self._engine.states()
        states[chosen] = self._initial[chosen]
        self._held[chosen] = 0.0
        self._engine.put(states)

    def state(self) -> dict[str, Any]:
        """The states of all members, as copies of arrays; the weights belong to the reservoirs."""
        return {"rate": self._engine.states(), "held": self._held.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave.

        Raises
        ------
        StateError
            If it does not fit, and then nothing changes.
        """
        shapes = {"rate": (self._initial.dtype, self._initial.shape), "held": (self._held.dtype, self._held.shape)}
        arrays = taken(type(self).__name__, state, shapes)
        if (np.abs(arrays["rate"]) > 1.0 + 1e-6).any() or (np.abs(arrays["held"]) > kernels.LIMIT).any():
            raise StateError(f"{type(self).__name__}: arrays 'rate' and 'held' are out of range")
        self._held = arrays["held"]
        self._engine.put(arrays["rate"])


def _check_alike(members: list[RecurrentReservoir]) -> None:
    if not members or not all(isinstance(member, RecurrentReservoir) for member in members):
        raise OptionError("reservoirs must be an EIReservoir, an EchoStateReservoir, or a sequence of some")
    for name in ("n_units", "dtype", "n_inputs"):
        values = {getattr(member, name) for member in members}
        if len(values) > 1:
            raise OptionError(f"the reservoirs of a batch must have the same {name}, got {sorted(values)}")
    if len({type(member) for member in members}) > 1:
        raise OptionError("the reservoirs of a batch must be of one class")
    if members[0].n_inputs == 0:
        raise OptionError("the reservoirs have no inputs yet: connect(n_inputs) first")
    if any(member.network.options[kernels.ONLINE] > 0.0 for member in members):
        raise OptionError("a batch has frozen weights: reservoirs with adaptation='online' can't be in one")


class SharedWeights(Engine):
    """Keys over the weights of one reservoir; columns of states go through the network in blocks."""

    def __init__(self, reservoir: RecurrentReservoir, batch: int, threads: int) -> None:
        self._copy = reservoir.copy()  # the kernel reads its weights: they must not change under it
        self._net = self._copy.struct
        self._blocks = [(low, min(low + BLOCK, batch)) for low in range(0, batch, BLOCK)]
        shape, kind = reservoir.n_units, self._copy.network.rate.dtype
        self._rates = [np.zeros((shape, high - low), kind) for low, high in self._blocks]
        self._batch, self._threads = batch, threads

    def run(self, U: np.ndarray) -> np.ndarray:
        R = np.empty((*U.shape[:2], len(self._rates[0])), self._rates[0].dtype)

        def advance(block: int) -> None:
            run_shared(self._net, self._rates[block], U, R, *self._blocks[block])

        each(advance, len(self._blocks), self._threads)
        return R

    def states(self) -> np.ndarray:
        return np.ascontiguousarray(np.concatenate(self._rates, axis=1).T)

    def put(self, states: np.ndarray) -> None:
        for rate, (low, high) in zip(self._rates, self._blocks, strict=True):
            rate[:] = states[low:high].T


class OwnWeights(Engine):
    """Reservoirs with their own weights, one after the other: in a sparse network there is nothing to share."""

    def __init__(self, reservoirs: list[RecurrentReservoir], threads: int) -> None:
        self._copies = [reservoir.copy() for reservoir in reservoirs]
        self._rates = np.array([copy.network.rate for copy in self._copies])
        self._threads = threads

    def run(self, U: np.ndarray) -> np.ndarray:
        R = np.empty((*U.shape[:2], self._rates.shape[1]), self._rates.dtype)

        def advance(b: int) -> None:
            run_own(self._copies[b].struct, self._rates[b], U, R, b)

        each(advance, len(self._copies), self._threads)
        return R

    def states(self) -> np.ndarray:
        return self._rates.copy()

    def put(self, states: np.ndarray) -> None:
        self._rates[:] = states


def each(advance: Any, count: int, threads: int) -> None:
    """Call ``advance(0 … count - 1)``, in as many threads; kernels run without the interpreter's lock."""
    if threads == 1 or count == 1:
        for number in range(count):
            advance(number)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(advance, range(count)))
