"""Kernels of recurrent reservoirs: one step of the network, the local rule that balances it, and figures about it.

A step is in two halves, so that a prediction can look at the next state without changing anything: `fire` finds the
next rates, `commit` makes them the present ones. Learners call both from their own kernels, with a state for each key.

Every sum runs in the order of its entries, and nothing is reassociated: the same network and inputs give the same bits
alone, in a batch, and inside any other kernel.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct

KIND, GAIN, LEAK, LARGEST, GATED, ONLINE = range(6)
"""Places in ``options``: kind of unit; steepness c; leak a; bound of inhibitory weights; whether the local rule is
gated; rate of the local rule in each step, 0 for none."""
N_OPTIONS = 6
SIGMOID, TANH = 0, 1
"""Kinds of units."""
STEPS, FILLED, AVERAGED = range(3)
"""Places in ``counts``: steps so far; inputs in them that were not finite; how many steps the means are of."""
N_COUNTS = 3

MEMORY = 2000  # steps over which mean rates are taken
LIMIT = 1e30  # inputs are cut off here: weights times inputs must stay within the range of float32
STEEPEST = 40.0  # beyond this the sigmoid is 0 or 1 to the last bit but one


class RecurrentArrays(NamedTuple):
    """A network of ``N`` units with ``Z`` synapses, ``M`` of the units with inputs, of which there are ``D``.

    ``float`` stands for float64 or float32.

    Attributes
    ----------
    options : float64 [6]
        The parameters, as numbers.
    start : int64 [N + 1]
        Where each receiver's synapses begin; ``start[N] = Z``.
    inhibitory : int64 [N]
        Where each receiver's inhibitory synapses begin, which come after its excitatory ones.
    sender : uint32 [Z]
        The sending unit of each synapse.
    weight : float [Z]
        Signed weights.
    receiver : uint32 [M]
        The units that get inputs.
    input_weight : float [M, D]
    threshold : float64 [N]
        What is subtracted from each unit's input.
    target : float64 [N]
        Rates that the local rule aims at.
    initial : float [N]
        The state to begin with.
    rate : float [N]
        The present state.
    held : float64 [D]
        The last inputs used.
    mean_rate : float64 [N]
        Running means of the rates.
    counts : int64 [3]
    """

    options: np.ndarray
    start: np.ndarray
    inhibitory: np.ndarray
    sender: np.ndarray
    weight: np.ndarray
    receiver: np.ndarray
    input_weight: np.ndarray
    threshold: np.ndarray
    target: np.ndarray
    initial: np.ndarray
    rate: np.ndarray
    held: np.ndarray
    mean_rate: np.ndarray
    counts: np.ndarray


Recurrent, RecurrentType = struct(RecurrentArrays)


@kernel
def make_recurrent(a: RecurrentArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return Recurrent(
        a.options,
        a.start,
        a.inhibitory,
        a.sender,
        a.weight,
        a.receiver,
        a.input_weight,
        a.threshold,
        a.target,
        a.initial,
        a.rate,
        a.held,
        a.mean_rate,
        a.counts,
    )


# -- one step ----------------------------------------------------------------------------------------------------------


@inlined
def sigmoid(z: float) -> float:
    """1 / (1 + exp(-z)) within 3e-16, without a branch or a call: the compiler makes vector instructions of it.

    exp(x) = 2**n exp(r) with r = x - n ln 2 and a polynomial for exp(r). Adding 1.5 · 2**52 rounds to a whole number,
    which is then in the low bits: from there it is shifted to where a float64 has its exponent.
    """
    x = -min(max(z, -STEEPEST), STEEPEST)
    whole = np.float64(x * 1.4426950408889634 + 6755399441055744.0)
    n = whole - 6755399441055744.0
    r = (x - n * 0.693145751953125) - n * 1.42860682030941723212e-6
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return float(1.0 / (1.0 + p * np.int64((whole.view(np.int64) + 1023) << 52).view(np.float64)))


@inlined
def respond(options: np.ndarray, threshold: np.ndarray, rate: np.ndarray, new: np.ndarray) -> None:
    """Turn the units' inputs, in ``new``, into their next rates."""
    gain, leak = options[GAIN], options[LEAK]
    if options[KIND] == TANH:
        for i in range(len(new)):
            level = 2.0 * sigmoid(2.0 * gain * (new[i] - threshold[i])) - 1.0
            new[i] = (1.0 - leak) * rate[i] + leak * level
    else:
        for i in range(len(new)):
            new[i] = (1.0 - leak) * rate[i] + leak * sigmoid(gain * (new[i] - threshold[i]))


@inlined
def take_inputs(u: np.ndarray, held: np.ndarray, used: np.ndarray) -> int:
    """The inputs to use: ``u``, or the last one where it is not finite; returns how many of these there are."""
    filled = 0
    for d in range(len(used)):
        if math.isfinite(u[d]):
            used[d] = min(max(u[d], -LIMIT), LIMIT)
        else:
            used[d] = held[d]
            filled += 1
    return filled


@kernel
def fire(net: Any, rate: np.ndarray, held: np.ndarray, u: np.ndarray, used: np.ndarray, new: np.ndarray) -> int:
    """The next state of the network, from the state ``rate`` and ``held`` and the inputs ``u``; changes neither.

    Writes the inputs as used to ``used`` [D] and the next rates to ``new`` [N]; returns the number of inputs that were
    not finite.
    """
    start, sender, weight = borrowed(net.start), borrowed(net.sender), borrowed(net.weight)
    receiver, input_weight = borrowed(net.receiver), borrowed(net.input_weight)
    filled = take_inputs(u, held, used)
    for i in range(len(new)):
        total = weight.dtype.type(0.0)
        for e in range(start[i], start[i + 1]):
            total += weight[e] * rate[sender[e]]
        new[i] = total
    for m in range(len(receiver)):
        i = receiver[m]
        for d in range(len(used)):
            new[i] += input_weight[m, d] * used[d]
    respond(borrowed(net.options), borrowed(net.threshold), rate, new)
    return filled


@kernel
def commit(net: Any, rate: np.ndarray, held: np.ndarray, used: np.ndarray, new: np.ndarray, filled: int) -> None:
    """Make what `fire` found the present state, let the local rule learn from it, and count it."""
    counts, mean_rate = borrowed(net.counts), borrowed(net.mean_rate)
    delta = net.options[ONLINE]
    if delta > 0.0:
        balance(net, delta, rate, new)
    counts[STEPS] += 1
    counts[FILLED] += filled
    counts[AVERAGED] = min(counts[AVERAGED] + 1, MEMORY)
    share = 1.0 / counts[AVERAGED]
    for i in range(len(new)):
        mean_rate[i] += share * (new[i] - mean_rate[i])
        rate[i] = new[i]
    for d in range(len(used)):
        held[d] = used[d]


@kernel
def run(net: Any, U: np.ndarray, R: np.ndarray) -> None:
    """Step through the inputs ``U`` [T, D] from the network's own state on; the states go to ``R`` [T, N]."""
    rate, held = net.rate, net.held
    used = np.empty(len(held))
    for t in range(len(U)):
        filled = fire(net, rate, held, U[t], used, R[t])
        commit(net, rate, held, used, R[t], filled)


# -- balance -----------------------------------------------------------------------------------------------------------


@inlined
def balance(net: Any, delta: float, rate: np.ndarray, new: np.ndarray) -> None:
    """The local rule: a unit above its target gets more inhibition from those that inhibit it; below it, less."""
    start, inhibitory, sender = borrowed(net.start), borrowed(net.inhibitory), borrowed(net.sender)
    weight, target, options = borrowed(net.weight), borrowed(net.target), borrowed(net.options)
    gated, least = options[GATED] > 0.0, -options[LARGEST]
    for i in range(len(new)):
        change = delta * (new[i] - target[i])
        for e in range(inhibitory[i], start[i + 1]):
            moved = weight[e] - (change * rate[sender[e]] if gated else change)
            weight[e] = min(max(moved, least), 0.0)


@kernel
def adapt(net: Any, U: np.ndarray, steps: int, delta: float, cooled: float) -> None:
    """Run over ``U`` again and again for ``steps`` steps, with the local rule.

    Its rate is ``delta`` for the first half; then it falls geometrically to ``cooled · delta``: the weights end where
    rates balance on average, not where the last steps pushed them. The mean rates are those of the second half.
    """
    rate, held = net.rate, net.held
    online = net.options[ONLINE]
    used, new = np.empty(len(held)), np.empty_like(rate)
    for step in range(steps):
        if 2 * step <= steps:
            net.counts[AVERAGED] = 0
        net.options[ONLINE] = delta * cooled ** max(0.0, 2.0 * step / steps - 1.0)
        filled = fire(net, rate, held, U[step % len(U)], used, new)
        commit(net, rate, held, used, new, filled)
    net.options[ONLINE] = online


@kernel
def design(net: Any, u_mean: np.ndarray, most: float) -> tuple[int, int]:
    """Scale each unit's inhibition so that it has its target rate if all others have theirs and inputs their mean.

    Returns how many units would have needed a factor outside ``0 … most``, and how many have no inhibition to scale.
    """
    start, inhibitory, sender, weight, target = net.start, net.inhibitory, net.sender, net.weight, net.target
    gain, largest = net.options[GAIN], net.options[LARGEST]
    offset = np.zeros(len(target))
    for m in range(len(net.receiver)):
        for d in range(len(u_mean)):
            offset[net.receiver[m]] += net.input_weight[m, d] * u_mean[d]
    clipped, skipped = 0, 0
    for i in range(len(target)):
        needed = offset[i] - net.threshold[i] - math.log(target[i] / (1.0 - target[i])) / gain
        for e in range(start[i], inhibitory[i]):
            needed += weight[e] * target[sender[e]]
        present = 0.0
        for e in range(inhibitory[i], start[i + 1]):
            present -= weight[e] * target[sender[e]]
        if present == 0.0:
            skipped += 1
            continue
        factor = needed / present
        if factor < 0.0 or factor > most:
            clipped += 1
            factor = min(max(factor, 0.0), most)
        for e in range(inhibitory[i], start[i + 1]):
            weight[e] = max(factor * weight[e], -largest)
    return clipped, skipped


# -- figures -----------------------------------------------------------------------------------------------------------


@kernel
def strengths(net: Any, excitation: np.ndarray, inhibition: np.ndarray) -> None:
    """Sums of each unit's excitatory and of its inhibitory weights, both >= 0."""
    start, inhibitory, weight = net.start, net.inhibitory, net.weight
    for i in range(len(excitation)):
        excitation[i], inhibition[i] = 0.0, 0.0
        for e in range(start[i], inhibitory[i]):
            excitation[i] += weight[e]
        for e in range(inhibitory[i], start[i + 1]):
            inhibition[i] -= weight[e]


@kernel
def growth(net: Any, slope: np.ndarray, leak: float, x: np.ndarray, skip: int, steps: int) -> float:
    """How much the linearised network, ``(1 - leak) + leak · slope_i · w_ij``, multiplies ``x`` in a step, on average.

    After the first ``skip`` steps that is the spectral radius, also where the largest eigenvalues are complex.
    """
    start, sender, weight = net.start, net.sender, net.weight
    total = 0.0
    y = np.empty_like(x)
    for step in range(skip + steps):
        size = 0.0
        for i in range(len(x)):
            value = 0.0
            for e in range(start[i], start[i + 1]):
                value += weight[e] * x[sender[e]]
            y[i] = (1.0 - leak) * x[i] + leak * slope[i] * value
            size += y[i] * y[i]
        size = math.sqrt(size)
        if size < 1e-300:
            return 0.0
        for i in range(len(x)):
            x[i] = y[i] / size
        if step >= skip:
            total += math.log(size)
    return math.exp(total / steps)
