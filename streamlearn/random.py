"""Random numbers whose generator is an array, so that a checkpoint holds it like any other state.

The generator is xoshiro256++ (Blackman and Vigna, 2021, https://prng.di.unimi.it), seeded by splitmix64.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import inlined, kernel

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def generator(seed: int, stream: int = 0) -> np.ndarray:
    """State of a new generator, uint64 [4].

    Parameters
    ----------
    seed
        Any integer; it is taken modulo 2**64.
    stream
        Number of an independent stream of the same seed, such as a member of an ensemble.

    Examples
    --------
    >>> state = generator(42)
    >>> [round(float(uniform(state)), 4) for _ in range(3)]
    [0.8143, 0.3188, 0.9839]
    """
    x = (seed ^ (stream * 0xD1342543DE82EF95)) & _MASK
    words = []
    for _ in range(4):
        x = (x + _GOLDEN) & _MASK
        z = x
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        words.append(z ^ (z >> 31))
    return np.array(words, np.uint64)


@inlined
def restart(state: np.ndarray, seed: np.uint64, stream: int) -> None:
    """Make ``state`` what `generator` gives for the seed and the stream: a new generator for, say, each row."""
    x = seed ^ (np.uint64(stream) * np.uint64(0xD1342543DE82EF95))
    for word in range(4):
        x += np.uint64(_GOLDEN)
        z = x
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state[word] = z ^ (z >> np.uint64(31))


@kernel
def next_bits(state: np.ndarray) -> np.uint64:
    """Advance the generator; the next 64 random bits."""
    total = state[0] + state[3]
    result = ((total << np.uint64(23)) | (total >> np.uint64(41))) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = (state[3] << np.uint64(45)) | (state[3] >> np.uint64(19))
    return np.uint64(result)


@kernel
def uniform(state: np.ndarray) -> float:
    """The next float64 in [0, 1), uniform over multiples of 2**-53."""
    return float((next_bits(state) >> np.uint64(11)) * 2.0**-53)


@kernel
def below(state: np.ndarray, n: int) -> int:
    """The next integer in 0 … n-1, unbiased (values above the last multiple of ``n`` are drawn again)."""
    size = np.uint64(n)
    rejected = (np.uint64(0) - size) % size
    while True:
        bits = next_bits(state)
        if bits >= rejected:
            return int(bits % size)


@kernel
def normal(state: np.ndarray) -> float:
    """The next standard normal number (Marsaglia's polar method; the second of each pair is thrown away)."""
    while True:
        u = 2.0 * uniform(state) - 1.0
        v = 2.0 * uniform(state) - 1.0
        s = u * u + v * v
        if 0.0 < s < 1.0:
            return float(u * math.sqrt(-2.0 * math.log(s) / s))


@kernel
def poisson(state: np.ndarray, mean: float) -> int:
    """The next Poisson number, by inversion of one uniform number (for means up to about 30)."""
    return int(_poisson_of(uniform(state), mean))


@kernel
def _poisson_of(u: float, mean: float) -> int:
    probability = math.exp(-mean)
    cumulative = probability
    k = 0
    limit = max(100, 10 * math.ceil(mean))
    while cumulative <= u and k < limit:
        k += 1
        probability *= mean / k
        cumulative += probability
    return k


@kernel
def poisson_sums(mean: float) -> np.ndarray:
    """The probabilities of at most 0, 1, 2 … 15, float64 [16], for many draws by `poisson_by`."""
    sums = np.empty(16)
    probability = math.exp(-mean)
    cumulative = probability
    for k in range(len(sums)):
        sums[k] = cumulative
        probability *= mean / (k + 1)
        cumulative += probability
    return sums


@inlined
def poisson_by(state: np.ndarray, mean: float, sums: np.ndarray) -> int:
    """What `poisson` draws, given `poisson_sums`: a third of the time."""
    u = uniform(state)
    k = 0
    for j in range(len(sums)):
        k += sums[j] <= u
    return k if k < len(sums) else _poisson_of(u, mean)
