"""Reservoirs in lock-step give the bits of single ones, or on torch nearly so, on the CPU and on a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from streamlearn.algorithms.reservoirs import BatchedReservoir

import streamlearn as sl

STEPS, BATCH = 150, 37  # more than a block of keys, more than a recorded chunk of steps
NEAR = {"float64": 1e-9, "float32": 1e-4}


def inputs(steps: int = STEPS, batch: int = BATCH) -> np.ndarray:
    U = np.random.default_rng(0).uniform(-1.0, 1.0, (steps, batch, 2))
    U[3, 2, 1], U[5, 2] = np.nan, np.inf
    return U


def one(kind: str = "ei", dtype: str = "float64", n_units: int = 70, **options: Any) -> Any:
    if kind == "ei":
        reservoir: Any = sl.EIReservoir(n_units=n_units, k=20, dtype=dtype, **options)
        reservoir.design([0.0, 0.0])
    else:
        reservoir = sl.EchoStateReservoir(n_units=n_units, bias=0.1, dtype=dtype, **options)
        reservoir.connect(2)
    return reservoir


def variants(kind: str, dtype: str = "float64", n_units: int = 70, count: int = 5) -> list[Any]:
    made = []
    for i in range(count):
        own: dict[str, Any] = {"beta": -0.1 * i} if kind == "ei" else {"spectral_radius": 0.5 + 0.1 * i}
        leak = 1.0 if i % 2 else 0.6
        made.append(one(kind, dtype, n_units, seed=i, leak=leak, input_scale=0.1 * (i + 1), **own))
    return made


def singly(members: Sequence[Any], U: np.ndarray) -> np.ndarray:
    """What single reservoirs give, each with its own inputs."""
    copies = [member.copy() for member in members]
    for copy in copies:
        copy.reset()
    return np.stack([copy.run(U[:, b]) for b, copy in enumerate(copies)], axis=1)


def in_parts(batched: BatchedReservoir, U: np.ndarray) -> np.ndarray:
    cut = len(U) // 2 + 1
    return np.concatenate([batched.run(part) for part in (U[:1], U[1:cut], U[cut:cut], U[cut:])])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["ei", "echo state"])
def test_keys_and_variants_have_the_bits_of_single_reservoirs(kind: str, dtype: str, threads: int) -> None:
    U, shared = inputs(), one(kind, dtype, leak=0.7)
    keys = BatchedReservoir(shared, BATCH, threads=threads)
    assert (in_parts(keys, U) == singly([shared] * BATCH, U)).all()
    members = variants(kind, dtype)
    assert (in_parts(BatchedReservoir(members, threads=threads), U[:, :5]) == singly(members, U)[:, :5]).all()


@pytest.fixture
def torch() -> Iterator[Any]:
    """Torch with one thread: its threads wait actively, which takes minutes where others work too."""
    module = pytest.importorskip("torch")
    threads = module.get_num_threads()
    module.set_num_threads(1)
    yield module
    module.set_num_threads(threads)


def check_torch(device: str, kind: str, dtype: str, n_units: int, steps: int, batch: int) -> None:
    U, shared = inputs(steps, batch), one(kind, dtype, n_units, leak=0.7)
    keys = BatchedReservoir(shared, batch, backend="torch", device=device)
    states = in_parts(keys, U)
    assert states.dtype == dtype
    assert states == pytest.approx(singly([shared] * batch, U), abs=NEAR[dtype])
    members = variants(kind, dtype, n_units)
    own = BatchedReservoir(members, backend="torch", device=device)
    assert in_parts(own, U[:, :5]) == pytest.approx(singly(members, U[:, :5]), abs=NEAR[dtype])
    saved = own.state()
    again = own.run(U[:, :5])
    own.restore(saved)
    assert own.run(U[:, :5]) == pytest.approx(again, abs=NEAR[dtype])
    own.reset()
    assert in_parts(own, U[:, :5]) == pytest.approx(singly(members, U[:, :5]), abs=NEAR[dtype])


@pytest.mark.parametrize("n_units", [70, 1100])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["ei", "echo state"])
def test_torch_agrees_on_the_cpu(torch: Any, kind: str, dtype: str, n_units: int) -> None:
    check_torch("cpu", kind, dtype, n_units, 20, 6)


@pytest.mark.gpu
@pytest.mark.parametrize("n_units", [70, 1100])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["ei", "echo state"])
def test_torch_agrees_on_a_gpu(torch: Any, kind: str, dtype: str, n_units: int) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    check_torch("cuda", kind, dtype, n_units, STEPS, BATCH)
    keys = BatchedReservoir(one(kind, dtype, n_units), 8, backend="torch", device="cuda")
    assert keys.run_on_device(inputs(100, 8)).device.type == "cuda"


def test_a_batch_is_frozen_and_leaves_its_reservoirs_alone() -> None:
    shared = one()
    before, keys = shared.state(), BatchedReservoir(shared, 4)
    U = inputs(50, 4)
    first = keys.run(U)
    assert all((before[name] == array).all() for name, array in shared.state().items())
    shared.adapt(U[:, 0], 200)
    keys.reset()
    assert (keys.run(U) == first).all()


def test_all_members_may_get_the_same_inputs_and_step_one_by_one() -> None:
    U, shared = inputs(20), one()
    same, steps = BatchedReservoir(shared, 3), BatchedReservoir(shared, 3)
    states = same.run(U[:, 0])
    assert (states[:, 0] == states[:, 2]).all()
    assert (states == np.array([steps.step(np.repeat(u[None, :1], 3, axis=1)[0]) for u in U])).all()


def test_one_key_is_reset_without_the_others() -> None:
    shared, U = one(), inputs(20, 3)
    keys = BatchedReservoir(shared, 3)
    keys.run(U)
    going_on = BatchedReservoir(shared, 3)
    going_on.restore(keys.state())
    keys.reset([1])
    states, expected = keys.run(U), going_on.run(U)
    assert (states[:, [0, 2]] == expected[:, [0, 2]]).all()
    assert (states[:, 1] == BatchedReservoir(shared, 3).run(U)[:, 1]).all()


def test_what_does_not_fit_together_is_refused() -> None:
    shared, echo = one(), one("echo state")
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (shared, {}, "batch"),
        (shared, {"batch": 0}, "batch"),
        ([shared, one()], {"batch": 3}, "batch"),
        ([], {}, "sequence"),
        ([shared, 3], {}, "sequence"),
        ([shared, echo], {}, "class"),
        ([shared, one(n_units=80)], {}, "n_units"),
        ([shared, one(dtype="float32")], {}, "dtype"),
        (sl.EIReservoir(n_units=50), {"batch": 2}, "connect"),
        (one(adaptation="online"), {"batch": 2}, "online"),
        (shared, {"batch": 2, "backend": "jax"}, "backend"),
        (shared, {"batch": 2, "threads": 0}, "threads"),
    ]
    for reservoirs, options, told in cases:
        with pytest.raises(sl.OptionError, match=told):
            BatchedReservoir(reservoirs, **options)
    keys = BatchedReservoir(shared, 4)
    for bad in (np.zeros((5, 3, 2)), np.zeros((5, 4, 1)), np.zeros((5, 1)), "abc", 1.0):
        with pytest.raises(sl.InputError):
            keys.run(bad)
    state = keys.state()
    for change in ({"rate": state["rate"][:2]}, {"rate": state["rate"] + 2.0}, {"held": state["held"] * np.nan}):
        with pytest.raises(sl.StateError):
            keys.restore(state | change)


def test_a_device_that_is_not_there_is_refused(torch: Any) -> None:
    for device in ("nonsense", *(() if torch.cuda.is_available() else ("cuda",))):
        with pytest.raises(sl.OptionError, match="device"):
            BatchedReservoir(one(), 2, backend="torch", device=device)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(sl.MissingExtraError, match=r"streamlearn\[torch\]"):
        BatchedReservoir(one(), 2, backend="torch")
