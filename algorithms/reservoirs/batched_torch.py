"""Many reservoirs in lock-step on torch: one matrix product a step for all of them, recorded once on a GPU."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np

from streamlearn.errors import MissingExtraError, OptionError

from . import recurrent_kernels as kernels
from .batched import Engine
from .recurrent import RecurrentReservoir

Tensor = Any  # torch is an optional dependency: nothing here needs it before an engine is made

MOST_DENSE = 1000  # units up to which a dense product beats a sparse one
CHUNK = 64  # steps that are recorded together on a GPU


def load_torch() -> Any:
    """The module torch.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "BatchedReservoir(backend='torch')") from error
    return torch


class TorchEngine(Engine):
    """Steps as ``x ← act(W x + P[t])``: what the inputs bring to all steps of a chunk, ``P``, is one product before.

    Gains and thresholds are in ``W`` and ``P`` already. States have the shape ``[…, N, …]`` that a subclass chooses.
    """

    def __init__(self, reservoir: RecurrentReservoir, device: str) -> None:
        self._torch = torch = load_torch()
        try:
            self._device = torch.device(device)
            torch.empty(0, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise OptionError(f"device={device!r} can't be used: {error}") from None
        self._dtype = torch.float64 if reservoir.dtype == "float64" else torch.float32
        self._tanh = reservoir.network.options[kernels.KIND] == kernels.TANH
        self._replay: Any = None

    # -- what a subclass gives ------------------------------------------------------------------------------------

    @abstractmethod
    def _drive(self, U: Tensor) -> Tensor:
        """What inputs [T, B, D] bring to the units in each step, ``[T, *shape of the states]``."""

    @abstractmethod
    def _multiply(self, drive: Tensor, x: Tensor, out: Tensor) -> None:
        """``out = W x + drive``."""

    @abstractmethod
    def _by_member(self, states: Tensor) -> Tensor:
        """States ``[T, *shape of the states]`` as [T, B, N]."""

    # -- steps ----------------------------------------------------------------------------------------------------

    _x: Tensor
    _leak: Any

    def _tensor(self, array: np.ndarray) -> Tensor:
        return self._torch.as_tensor(np.ascontiguousarray(array), dtype=self._dtype, device=self._device)

    def _sparse(self, start: np.ndarray, sender: np.ndarray, weight: np.ndarray, N: int) -> Tensor:
        """A square matrix in compressed rows."""
        places = (self._torch.as_tensor(part.astype(np.int64), device=self._device) for part in (start, sender))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return self._torch.sparse_csr_tensor(*places, self._tensor(weight), (N, N), check_invariants=True)

    def _steps(self, x: Tensor, drive: Tensor, states: Tensor) -> Tensor:
        """Fill ``states`` from the state ``x`` on; returns the last one."""
        for t in range(len(drive)):
            new = states[t]
            self._multiply(drive[t], x, new)
            (new.tanh_ if self._tanh else new.sigmoid_)()
            if self._leak is not None:
                self._torch.lerp(x, new, self._leak, out=new)
            x = new
        return x

    def run(self, U: np.ndarray) -> Tensor:
        drive = self._drive(self._tensor(U))
        states = self._torch.empty_like(drive)
        if self._device.type == "cuda":
            with self._torch.cuda.device(self._device):
                self._run_recorded(drive, states)
        elif len(U):
            self._x = self._steps(self._x, drive, states).clone()
        return self._by_member(states).contiguous()

    def _run_recorded(self, drive: Tensor, states: Tensor) -> None:
        """Replay the recorded chunk; what is over after the last whole one runs step by step."""
        whole = len(drive) - len(drive) % CHUNK
        if whole and self._replay is None:
            self._record(drive[:CHUNK])
        for start in range(0, whole, CHUNK):
            graph, begin, given, taken = self._replay
            begin.copy_(self._x)
            given.copy_(drive[start : start + CHUNK])
            graph.replay()
            states[start : start + CHUNK] = taken
            self._x = taken[-1].clone()
        if whole < len(drive):
            self._x = self._steps(self._x, drive[whole:], states[whole:]).clone()

    def _record(self, drive: Tensor) -> None:
        torch = self._torch
        begin, given, taken = self._x.clone(), drive.clone(), torch.empty_like(drive)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries allocate their workspaces before anything is recorded
            self._steps(begin, given, taken)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._steps(begin, given, taken)
        self._replay = graph, begin, given, taken

    def states(self) -> np.ndarray:
        return self._by_member(self._x[None])[0].cpu().numpy().copy()


class TorchSharedWeights(TorchEngine):
    """Keys over the weights of one reservoir; states are [N, B]."""

    def __init__(self, reservoir: RecurrentReservoir, batch: int, device: str) -> None:
        super().__init__(reservoir, device)
        net = reservoir.network
        gain, leak = net.options[kernels.GAIN], net.options[kernels.LEAK]
        self._leak = None if leak == 1.0 else float(leak)
        N = reservoir.n_units
        if N <= MOST_DENSE:
            self._W = self._tensor(gain * reservoir.weights())
        else:
            self._W = self._sparse(net.start, net.sender, gain * net.weight, N)
        self._W_in = self._tensor(gain * dense_inputs(reservoir))
        self._offset = self._tensor(gain * net.threshold[:, None])
        self._x = self._torch.zeros((N, batch), dtype=self._dtype, device=self._device)

    def _drive(self, U: Tensor) -> Tensor:
        return self._torch.matmul(self._W_in, U.transpose(1, 2)) - self._offset

    def _multiply(self, drive: Tensor, x: Tensor, out: Tensor) -> None:
        self._torch.addmm(drive, self._W, x, out=out)

    def _by_member(self, states: Tensor) -> Tensor:
        return states.transpose(1, 2)

    def put(self, states: np.ndarray) -> None:
        self._x = self._tensor(states.T)


class TorchOwnWeights(TorchEngine):
    """Reservoirs with their own weights; states are [B, N, 1], or [B · N, 1] under one sparse matrix of blocks."""

    def __init__(self, reservoirs: list[RecurrentReservoir], device: str) -> None:
        super().__init__(reservoirs[0], device)
        nets = [reservoir.network for reservoir in reservoirs]
        B, N = len(nets), reservoirs[0].n_units
        gains = np.array([net.options[kernels.GAIN] for net in nets])[:, None, None]
        leaks = np.array([net.options[kernels.LEAK] for net in nets])
        self._dense = N <= MOST_DENSE
        if self._dense:
            self._W = self._tensor(gains * np.array([reservoir.weights() for reservoir in reservoirs]))
        else:
            start = np.concatenate([[0], *(np.diff(net.start) for net in nets)]).cumsum()
            sender = np.concatenate([net.sender.astype(np.int64) + b * N for b, net in enumerate(nets)])
            weight = np.concatenate([gain * net.weight for gain, net in zip(gains.ravel(), nets, strict=True)])
            self._W = self._sparse(start, sender, weight, B * N)
        self._shape = (B, N, 1) if self._dense else (B * N, 1)
        self._leak = None
        if (leaks != 1.0).any():
            shares = np.broadcast_to(leaks[:, None, None], (B, N, 1)).reshape(self._shape)
            self._leak = self._tensor(shares)
        self._W_in = self._tensor(gains * np.array([dense_inputs(reservoir) for reservoir in reservoirs]))
        self._offset = self._tensor(gains * np.array([net.threshold for net in nets])[:, :, None])
        self._x = self._torch.zeros(self._shape, dtype=self._dtype, device=self._device)

    def _drive(self, U: Tensor) -> Tensor:
        drive = self._torch.matmul(self._W_in, U[..., None]) - self._offset
        return drive.reshape(len(U), *self._shape)

    def _multiply(self, drive: Tensor, x: Tensor, out: Tensor) -> None:
        if self._dense:
            self._torch.baddbmm(drive, self._W, x, out=out)
        else:
            self._torch.addmm(drive, self._W, x, out=out)

    def _by_member(self, states: Tensor) -> Tensor:
        B, N, _ = self._W_in.shape
        return states.reshape(len(states), B, N)

    def put(self, states: np.ndarray) -> None:
        self._x = self._tensor(states).reshape(self._shape)


def dense_inputs(reservoir: RecurrentReservoir) -> np.ndarray:
    """The weights from inputs to all units, float [N, D]."""
    net = reservoir.network
    weights = np.zeros((reservoir.n_units, reservoir.n_inputs), net.input_weight.dtype)
    weights[net.receiver] = net.input_weight
    return weights
