"""Kernels of the learners with a reservoir: its step, its readout's prediction and its readout's lesson, row by row.

A row is first kept, until there are enough of them to scale the inputs and to balance the reservoir by; these rows are
then gone through again, and from there on everything happens as rows come.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamlearn.compiled import borrowed, inlined, kernel, struct
from streamlearn.features import LIMIT, ROUNDING, clipped, learn_class, most_likely, write_proba
from streamlearn.random import normal

from .readout_kernels import ROWS, ReadoutArrays, learn, open_features, outputs
from .recurrent_kernels import STEPS as NET_STEPS
from .recurrent_kernels import RecurrentArrays, adapt, commit, design, fire

WASHOUT, READS_INPUTS, FEEDBACK, NOISE, ADAPTS, ADAPT_STEPS, ADAPT_RATE, COOLED, MOST_DESIGNED = range(9)
"""Places in ``options``."""
N_OPTIONS = 9
NO_FEEDBACK, FEED_OUTPUT, FEED_TARGET = 0, 1, 2
"""What comes back into the reservoir."""
STEPS, KNOWN = 0, 1
"""Places in ``numbers``: rows learned; classes learned."""
BUFFERED, LIVE, INPUTS, KEYS, PLACE, LOST = range(6)
"""Places in ``progress``: rows kept for the warm-up; whether it is over; inputs that are open; keys that have a state;
where the next row that waits goes; labels that came too late."""
N_PROGRESS = 6
KEY, EVENT = 0, 1
"""Places in ``roles``: the columns of these fields, -1 for none."""

CUT = 10.0  # deviations at which inputs are cut off
NO_KEY = -2  # of a slot nobody has; -1 is the key of rows without one


class ReservoirLearnerArrays(NamedTuple):
    """State: ``N`` units, ``D`` inputs, ``F`` features, ``R`` outputs, ``K`` keys, ``W`` warm-up rows, ``Q`` that wait.

    ``float`` is the reservoir's dtype.

    Attributes
    ----------
    options, numeric, nominal, offset, numbers, class_of, row_of, seen, mean, variance, scale
        Of `FeatureLearner`.
    input_of : int64 [P]
        The input that each column has become, in the order in which they were first learned; -1 before.
    roles : int64 [2]
    progress : int64 [6]
    rule, counts, weights, square, pending, square_scale, moment, centre
        The readout's, see `ReadoutArrays`. Its features are the constant, the units, and the inputs if it reads them.
    prior : float64 [max(R, 2)]
        Weight of each class; or the weight and the mean of the targets.
    goal : float64 [3]
        Weight, mean and variance of the targets by which what is fed back is scaled.
    net_options, start, inhibitory, sender, synapse, receiver, input_weight, threshold, target_rate, initial, \
mean_rate, net_counts
        The network, see `RecurrentArrays`.
    rate : float [K, N]
        The state of each key.
    held : float64 [K, D]
        The last inputs of each.
    fed : float64 [K]
        What comes back to each.
    age, used_at, key_of : int64 [K]
        Rows of each so far; when it had its last one; its category.
    latest : float64 [K]
        The last event of each.
    past_x : float64 [W, d], past_y, past_w : float64 [W]
        The warm-up rows; y is the row of the class, or NaN.
    wait_x : float64 [Q, F], wait_event : float64 [Q], wait_key : int64 [Q]
        Features of rows that wait for their labels; or, where there are outputs for later rows, features and targets of
        the last rows.
    random : uint64 [4]
    """

    options: np.ndarray
    numeric: np.ndarray
    nominal: np.ndarray
    offset: np.ndarray
    numbers: np.ndarray
    class_of: np.ndarray
    row_of: np.ndarray
    seen: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    scale: np.ndarray
    input_of: np.ndarray
    roles: np.ndarray
    progress: np.ndarray
    rule: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    square: np.ndarray
    pending: np.ndarray
    square_scale: np.ndarray
    moment: np.ndarray
    centre: np.ndarray
    prior: np.ndarray
    goal: np.ndarray
    net_options: np.ndarray
    start: np.ndarray
    inhibitory: np.ndarray
    sender: np.ndarray
    synapse: np.ndarray
    receiver: np.ndarray
    input_weight: np.ndarray
    threshold: np.ndarray
    target_rate: np.ndarray
    initial: np.ndarray
    mean_rate: np.ndarray
    net_counts: np.ndarray
    rate: np.ndarray
    held: np.ndarray
    fed: np.ndarray
    age: np.ndarray
    used_at: np.ndarray
    key_of: np.ndarray
    latest: np.ndarray
    past_x: np.ndarray
    past_y: np.ndarray
    past_w: np.ndarray
    wait_x: np.ndarray
    wait_event: np.ndarray
    wait_key: np.ndarray
    random: np.ndarray


ReservoirLearner, ReservoirLearnerType = struct(ReservoirLearnerArrays)


@kernel
def make_reservoir_learner(a: ReservoirLearnerArrays) -> Any:
    """Pack the arrays into the struct that the kernels take."""
    return ReservoirLearner(
        a.options,
        a.numeric,
        a.nominal,
        a.offset,
        a.numbers,
        a.class_of,
        a.row_of,
        a.seen,
        a.mean,
        a.variance,
        a.scale,
        a.input_of,
        a.roles,
        a.progress,
        a.rule,
        a.counts,
        a.weights,
        a.square,
        a.pending,
        a.square_scale,
        a.moment,
        a.centre,
        a.prior,
        a.goal,
        a.net_options,
        a.start,
        a.inhibitory,
        a.sender,
        a.synapse,
        a.receiver,
        a.input_weight,
        a.threshold,
        a.target_rate,
        a.initial,
        a.mean_rate,
        a.net_counts,
        a.rate,
        a.held,
        a.fed,
        a.age,
        a.used_at,
        a.key_of,
        a.latest,
        a.past_x,
        a.past_y,
        a.past_w,
        a.wait_x,
        a.wait_event,
        a.wait_key,
        a.random,
    )


@kernel
def network(s: Any, rate: np.ndarray, held: np.ndarray) -> Any:
    """The reservoir, with a state of its own: as a tuple, since a struct made in a kernel would never be freed."""
    return RecurrentArrays(
        s.net_options,
        s.start,
        s.inhibitory,
        s.sender,
        s.synapse,
        s.receiver,
        s.input_weight,
        s.threshold,
        s.target_rate,
        s.initial,
        rate,
        held,
        s.mean_rate,
        s.net_counts,
    )


ROW, MISSING = 0, 1
"""Places in ``Room.looked``: the row whose step is at hand, -1 for none; how many of its inputs were missing."""


class Room(NamedTuple):
    """Room to work in, made once a call; a row that is predicted and then learned takes its step once."""

    u: np.ndarray
    used: np.ndarray
    still: np.ndarray
    new: np.ndarray
    x: np.ndarray
    more: np.ndarray
    looked: np.ndarray
    targets: np.ndarray
    out: np.ndarray
    readout: ReadoutArrays


@inlined
def make_room(s: Any) -> Room:
    """Room for one call; ``still`` [D] are the inputs held before there are any."""
    D, F, R = s.held.shape[1], s.weights.shape[1], s.weights.shape[0]
    return Room(
        np.zeros(D),
        np.zeros(D),
        np.zeros(D),
        np.empty_like(s.initial),
        np.zeros(F),
        np.empty(F),
        np.full(2, -1),
        np.zeros(R),
        np.zeros(R),
        ReadoutArrays(s.rule, s.counts, s.weights, s.square, s.pending, s.square_scale, s.moment, s.centre),
    )


# -- inputs ------------------------------------------------------------------------------------------------------------


@inlined
def is_input(column: int, roles: np.ndarray) -> bool:
    """Whether a field is an input, not the key or the event's number."""
    return column not in (roles[KEY], roles[EVENT])


@kernel
def learn_inputs(s: Any, X: np.ndarray, i: int, w: float, enough: float) -> bool:
    """Open the inputs that row ``i`` has, and learn their scales, each from so many rows (West 1979), then no more.

    A field that has not varied until then goes on: as long as it does not, it is 0. Returns whether anything changed.
    """
    news = False
    numeric, nominal, offset, roles = borrowed(s.numeric), borrowed(s.nominal), borrowed(s.offset), borrowed(s.roles)
    seen, mean, variance, scale = borrowed(s.seen), borrowed(s.mean), borrowed(s.variance), borrowed(s.scale)
    input_of, progress, room = borrowed(s.input_of), borrowed(s.progress), s.held.shape[1]
    for k in range(len(numeric)):
        value = X[i, numeric[k]]
        if not abs(value) <= LIMIT or not is_input(numeric[k], roles):
            continue
        if input_of[1 + k] < 0 and progress[INPUTS] < room:
            input_of[1 + k] = progress[INPUTS]
            progress[INPUTS] += 1
            news = True
        if seen[k] < enough or scale[k] == 0.0:
            news = True
            seen[k] += w
            distance = value - mean[k]
            mean[k] += w * distance / seen[k]
            variance[k] += w * (distance * (value - mean[k]) - variance[k]) / seen[k]
            scale[k] = 1.0 / np.sqrt(variance[k]) if variance[k] > ROUNDING * mean[k] * mean[k] else 0.0
    for m in range(len(nominal)):
        code = X[i, nominal[m]]
        if not 0.0 <= code < offset[m + 1] - offset[m] or not is_input(nominal[m], roles):
            continue
        column = offset[m] + int(code)
        if input_of[column] < 0 and progress[INPUTS] < room:
            input_of[column] = progress[INPUTS]
            progress[INPUTS] += 1
            news = True
    return news


@kernel
def read_inputs(s: Any, X: np.ndarray, i: int, fed: float, u: np.ndarray) -> None:
    """Inputs of row ``i``: standardised numbers, NaN where one is missing, and 1 for each category that it has."""
    numeric, nominal, offset, input_of = (
        borrowed(s.numeric),
        borrowed(s.nominal),
        borrowed(s.offset),
        borrowed(s.input_of),
    )
    mean, scale = borrowed(s.mean), borrowed(s.scale)
    u[:] = 0.0
    if s.options[FEEDBACK] != NO_FEEDBACK:
        u[0] = fed
    for k in range(len(numeric)):
        if input_of[1 + k] >= 0:
            value = X[i, numeric[k]]
            here = abs(value) <= LIMIT
            u[input_of[1 + k]] = clipped((value - mean[k]) * scale[k], CUT) if here else np.nan
    for m in range(len(nominal)):
        code = X[i, nominal[m]]
        if 0.0 <= code < offset[m + 1] - offset[m] and input_of[offset[m] + int(code)] >= 0:
            u[input_of[offset[m] + int(code)]] = 1.0


@kernel
def features(s: Any, room: Room) -> int:
    """The readout's features of a step into ``room.x``; how many there are."""
    x, new, used = room.x, room.new, room.used
    N, first = len(new), 0 if s.options[FEEDBACK] == NO_FEEDBACK else 1
    x[0] = 1.0
    for i in range(N):
        x[1 + i] = new[i]
    if s.options[READS_INPUTS] == 0.0:
        return 1 + N
    open_inputs = s.progress[INPUTS] - first
    for d in range(open_inputs):
        x[1 + N + d] = used[first + d]
    return 1 + N + int(open_inputs)


@inlined
def scaled_target(goal: np.ndarray, value: float) -> float:
    """A target, or an output, as the reservoir gets it back."""
    return clipped((value - goal[1]) / np.sqrt(goal[2]), CUT) if goal[2] > ROUNDING * goal[1] * goal[1] else 0.0


# -- keys --------------------------------------------------------------------------------------------------------------


@inlined
def key_in(s: Any, X: np.ndarray, i: int) -> int:
    """The category that names the series of row ``i``, -1 if there is none."""
    column = s.roles[KEY]
    if column < 0:
        return -1
    code = X[i, column]
    return int(code) if code >= 0.0 else -1


@inlined
def find_key(key_of: np.ndarray, keys: int, key: int) -> int:
    """The slot of a key, -1 if it has none."""
    for slot in range(keys):
        if key_of[slot] == key:
            return slot
    return -1


@kernel
def slot_for(s: Any, key: int) -> int:
    """The slot of a key; a new one takes a free slot, or that of the key whose last row is longest ago."""
    key_of, used_at, progress = borrowed(s.key_of), borrowed(s.used_at), borrowed(s.progress)
    slot = find_key(key_of, progress[KEYS], key)
    if slot < 0:
        if progress[KEYS] < len(key_of):
            slot = progress[KEYS]
            progress[KEYS] += 1
        else:
            slot = 0
            for other in range(1, len(key_of)):
                if used_at[other] < used_at[slot]:
                    slot = other
        key_of[slot] = key
        s.rate[slot, :] = s.initial
        s.held[slot, :] = 0.0
        s.fed[slot], s.age[slot], s.latest[slot] = 0.0, 0, -np.inf
    used_at[slot] = s.net_counts[NET_STEPS]
    return int(slot)


# -- one row -----------------------------------------------------------------------------------------------------------


@kernel
def look(s: Any, net: Any, room: Room, X: np.ndarray, i: int, M: int) -> bool:
    """Predict row ``i`` into ``room.out`` without changing anything; False where there is only the prior to go by."""
    if s.progress[LIVE] == 0 or s.counts[ROWS] == 0:
        return False
    slot, D = find_key(s.key_of, s.progress[KEYS], key_in(s, X, i)), s.progress[INPUTS]
    if slot < 0:
        if s.options[WASHOUT] > 0.0:
            return False
        read_inputs(s, X, i, 0.0, room.u)
        room.looked[MISSING] = fire(net, s.initial, room.still[:D], room.u[:D], room.used[:D], room.new)
    else:
        if s.age[slot] < s.options[WASHOUT]:
            return False
        read_inputs(s, X, i, s.fed[slot], room.u)
        room.looked[MISSING] = fire(net, s.rate[slot], s.held[slot, :D], room.u[:D], room.used[:D], room.new)
    features(s, room)
    outputs(room.readout, room.x, M, room.out)
    room.looked[ROW] = i
    return True


@kernel
def teach(s: Any, room: Room, w: float, M: int) -> None:
    """Let the readout learn the features and targets in ``room``."""
    learn(room.readout, room.x, room.targets, room.out, M, w, room.more)


@inlined
def wait(s: Any, room: Room, label: float, key: int) -> None:
    """Keep the row's features, in place of those that are kept the longest."""
    place = s.progress[PLACE]
    s.wait_x[place, :] = room.x
    s.wait_event[place], s.wait_key[place] = label, key
    s.progress[PLACE] = (place + 1) % len(s.wait_event)


@kernel
def learn_ahead(s: Any, room: Room, y: float, w: float, M: int) -> None:
    """Teach the row of ``M - 1`` rows ago all that came since: its own target and those of the rows up to this one."""
    wait(s, room, y, 0)
    first = s.progress[PLACE]
    if s.wait_key[first] == NO_KEY:
        return
    for k in range(M):
        room.targets[k] = s.wait_event[(first + k) % M]
        if room.targets[k] != room.targets[k]:
            return
    room.x[:] = s.wait_x[first]
    teach(s, room, w, M)


@kernel
def take_late(s: Any, room: Room, key: int, event: float, w: float, M: int) -> bool:
    """Learn the label of a row that has passed, with the features that it had; False where they are not kept."""
    for place in range(len(s.wait_event)):
        if s.wait_event[place] == event and s.wait_key[place] == key:
            room.x[:] = s.wait_x[place]
            s.wait_event[place], s.wait_key[place] = np.nan, NO_KEY
            if room.x[0] > 0.0:
                teach(s, room, w, M)
            return True
    s.progress[LOST] += 1
    return False


@kernel
def take(s: Any, net: Any, room: Room, X: np.ndarray, i: int, w: float, labelled: bool, M: int) -> bool:
    """Let row ``i`` happen: step, predict, learn ``room.targets`` if it is labelled.

    In the warm-up the row was kept before, and the scales of its inputs were learned then. False: the label is for a
    row that is not there any more.
    """
    options, looked = borrowed(s.options), room.looked[ROW] == i
    room.looked[ROW] = -1
    key = key_in(s, X, i)
    slot = slot_for(s, key)
    event = X[i, s.roles[EVENT]] if s.roles[EVENT] >= 0 else np.nan
    if event <= s.latest[slot]:
        if labelled:
            return take_late(s, room, key, event, w, M)
        return False
    if event == event:
        s.latest[slot] = event
    news = s.progress[LIVE] == 1 and learn_inputs(s, X, i, w, float(len(s.past_y)))
    D = s.progress[INPUTS]
    if news or not looked:
        read_inputs(s, X, i, s.fed[slot], room.u)
        room.looked[MISSING] = fire(net, s.rate[slot], s.held[slot, :D], room.u[:D], room.used[:D], room.new)
        open_features(room.readout, features(s, room))
    settled = s.age[slot] >= options[WASHOUT]
    back, predicted = room.targets[0], s.goal[1]
    if settled:
        outputs(room.readout, room.x, M, room.out)
        predicted = room.out[0]
        if len(s.wait_event) and s.roles[EVENT] < 0:
            learn_ahead(s, room, back if labelled else np.nan, w, M)
        elif labelled:
            teach(s, room, w, M)
        elif event == event:
            wait(s, room, event, key)
    elif not labelled and event == event:
        room.x[0] = 0.0  # in the washout: it is known when its label comes, and not learned
        wait(s, room, event, key)
    if options[FEEDBACK] != NO_FEEDBACK:
        if options[FEEDBACK] == FEED_OUTPUT or not labelled:
            back = predicted
        s.fed[slot] = scaled_target(s.goal, back)
        if options[NOISE] > 0.0:
            s.fed[slot] += options[NOISE] * normal(s.random)
    commit(net, s.rate[slot], s.held[slot, :D], room.used[:D], room.new, room.looked[MISSING])
    s.age[slot] += 1
    return True


@kernel
def free_run(s: Any, X: np.ndarray, direct: bool, out: np.ndarray) -> None:
    """Forecast the rows ``X`` that come next into ``out``, without changing anything.

    Each row's output is fed back as if it had been the target; or the outputs for later rows are those of the first.
    """
    if s.progress[LIVE] == 0 or s.counts[ROWS] == 0:
        out[:] = s.prior[1]
        return
    M, D = s.weights.shape[0], s.progress[INPUTS]
    room, net = make_room(s), network(s, s.initial, s.held[0])
    rate, held, fed = s.rate[0].copy(), s.held[0, :D].copy(), s.fed[0]
    for t in range(len(out)):
        read_inputs(s, X, t, fed, room.u)
        fire(net, rate, held, room.u[:D], room.used[:D], room.new)
        features(s, room)
        outputs(room.readout, room.x, M, room.out)
        if direct:
            out[:] = room.out[: len(out)]
            return
        out[t] = room.out[0]
        fed = scaled_target(s.goal, out[t])
        rate[:] = room.new
        held[:] = room.used[:D]


# -- warm-up -----------------------------------------------------------------------------------------------------------


@kernel
def keep(s: Any, X: np.ndarray, i: int, target: float, w: float) -> None:
    """Keep a row for the warm-up."""
    place = s.progress[BUFFERED]
    for column in range(X.shape[1]):
        s.past_x[place, column] = X[i, column]
    s.past_y[place], s.past_w[place] = target, w
    s.progress[BUFFERED] += 1
    learn_inputs(s, X, i, w, float(len(s.past_y)))


@kernel
def finish_warm_up(s: Any, classes: int) -> None:
    """Balance the reservoir by the rows that were kept, then take these one by one; -1 ``classes`` is regression."""
    W = int(s.progress[BUFFERED])
    room = make_room(s)
    D, M = s.progress[INPUTS], len(room.targets) if classes < 0 else classes
    net = network(s, s.initial.copy(), np.zeros(D))
    if s.options[ADAPTS] > 0.0:
        U, mean = np.zeros((W, D)), np.zeros(D)
        back = 0.0
        for i in range(W):
            read_inputs(s, s.past_x, i, back, U[i])
            if s.past_y[i] == s.past_y[i] and classes < 0:
                back = scaled_target(s.goal, s.past_y[i])
            for d in range(len(mean)):
                if U[i, d] != U[i, d]:
                    U[i, d] = 0.0
                mean[d] += U[i, d] / W
        design(net, mean, s.options[MOST_DESIGNED])
        if s.options[ADAPT_STEPS] > 0.0:
            adapt(net, U, int(s.options[ADAPT_STEPS]), s.options[ADAPT_RATE], s.options[COOLED])
    for i in range(W):
        labelled = s.past_y[i] == s.past_y[i]
        fill_targets(room.targets, s.past_y[i], labelled, classes)
        take(s, net, room, s.past_x, i, s.past_w[i], labelled, M)
    s.progress[LIVE] = 1


@inlined
def fill_targets(targets: np.ndarray, y: float, labelled: bool, classes: int) -> None:
    """The outputs wanted: the value, or 1 for the class's row and 0 for the others; -1 ``classes`` is regression."""
    if classes < 0:
        targets[0] = y
        return
    targets[:] = 0.0
    if labelled:
        targets[int(y)] = 1.0


# -- schedules ---------------------------------------------------------------------------------------------------------


@kernel
def advance_regression(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; stops where the warm-up's rows are complete and another one comes."""
    X, y, weight, schedule, prediction = work.X, work.y, work.weight, work.schedule, work.prediction
    room, net = make_room(s), network(s, s.initial, s.held[0])
    prior, goal, progress, M = s.prior, s.goal, s.progress, len(room.targets)
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i >= 0:
            prediction[i] = room.out[0] if look(s, net, room, X, i, M) else prior[1]
            continue
        i = ~i
        if weight[i] <= 0.0:
            continue
        if progress[LIVE] == 0 and progress[BUFFERED] == len(s.past_y):
            return step
        w = weight[i]
        labelled = abs(y[i]) <= LIMIT
        s.numbers[STEPS] += 1
        if labelled and (goal[0] < len(s.past_y) or goal[2] == 0.0):
            goal[0] += w
            distance = y[i] - goal[1]
            goal[1] += w * distance / goal[0]
            goal[2] += w * (distance * (y[i] - goal[1]) - goal[2]) / goal[0]
        heard = True
        if progress[LIVE] == 0:
            keep(s, X, i, y[i] if labelled else np.nan, w)
        else:
            room.targets[0] = y[i]
            heard = take(s, net, room, X, i, w, labelled, M)
        if labelled and heard:
            prior[0] += w
            prior[1] += w * (y[i] - prior[1]) / prior[0]
    return len(schedule)


@kernel
def advance_classification(s: Any, work: Any, start: int) -> int:
    """Walk the schedule from operation ``start``; stops where the warm-up's rows are complete and another one comes."""
    X, y, weight, schedule = work.X, work.y, work.weight, work.schedule
    prediction, proba = work.prediction, work.proba
    room, net = make_room(s), network(s, s.initial, s.held[0])
    prior, progress, numbers, class_of, row_of = s.prior, s.progress, s.numbers, s.class_of, s.row_of
    shares = np.empty(len(prior))
    for step in range(start, len(schedule)):
        i = schedule[step]
        if i >= 0:
            known = numbers[KNOWN]
            if known == 0:
                prediction[i] = -1
                continue
            told = look(s, net, room, X, i, known)
            to_shares(room.out if told else prior, known, shares)
            prediction[i] = most_likely(class_of, known, shares)
            if len(proba):
                write_proba(class_of, known, shares, proba[i])
            continue
        i = ~i
        if weight[i] <= 0.0:
            continue
        if progress[LIVE] == 0 and progress[BUFFERED] == len(s.past_y):
            return step
        w = weight[i]
        labelled = y[i] >= 0
        numbers[STEPS] += 1
        row = -1.0
        if labelled:
            numbers[KNOWN] = learn_class(y[i], numbers[KNOWN], class_of, row_of)
            row = float(row_of[y[i]])
        heard = True
        if progress[LIVE] == 0:
            keep(s, X, i, row if labelled else np.nan, w)
        else:
            fill_targets(room.targets, row, labelled, numbers[KNOWN])
            heard = take(s, net, room, X, i, w, labelled, numbers[KNOWN])
        if labelled and heard:
            prior[int(row)] += w
    return len(schedule)


@inlined
def to_shares(out: np.ndarray, known: int, shares: np.ndarray) -> None:
    """Outputs, which are about 0 or 1, as probabilities."""
    total = 0.0
    for row in range(known):
        shares[row] = max(out[row], 1e-6)
        total += shares[row]
    for row in range(known):
        shares[row] /= total
