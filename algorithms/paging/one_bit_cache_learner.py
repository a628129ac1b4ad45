"""A cache policy as a learner: requests come in as rows, what leaves the cache goes out with the predictions."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from itertools import pairwise
from typing import Any, cast

import numpy as np

from streamlearn.batch import Batch
from streamlearn.errors import SchemaError, StateError
from streamlearn.learner import Learner, Outputs
from streamlearn.registry import near
from streamlearn.schema import Schema
from streamlearn.work import test_then_train

from .learned_bit import DEFAULT_EXPERTS, LearnedBit

PREDICTED, LEARNED, BOTH = range(3)
"""What a run of a schedule does with its rows."""


class OneBitCacheLearner(Learner):
    """Follows a stream of requests for keys, and says of each whether it is a hit and which key has to leave.

    The cache itself is somewhere else, such as in front of a service; what it should hold is decided here, by
    `LearnedBit`. A row is a request for the key in one of its fields. To predict a row is to say whether its key is in
    the cache, 1 or 0; to learn it is to serve the request. Outputs of rows that were learned have ``details``: the key
    that was ``evicted`` for it, or None, its ``bit``, 1 where it may leave in the view of the expert that is followed,
    and the ``probability`` behind it.

    A row without a key is no request, nor is one with weight 0. Numbers that differ in their last binary digit only are
    one key. The schema remembers every key that is a text: for endless streams let keys be numbers.

    Parameters
    ----------
    capacity
        How many keys the cache holds, from 1 to 134,217,728.
    field
        The field that holds the key; by default the first one.
    experts, window, memory, learning_rate, pair_rate, epsilon, floor, seed
        See `LearnedBit`.
    schema
        Fields of the rows; by default inferred from the first ones.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import OneBitCacheLearner
    >>> cache = OneBitCacheLearner(capacity=2, field="user")
    >>> cache.test_then_train_many([{"user": 7}, {"user": 8}, {"user": 7}, {"user": 9}]).tolist()
    [0, 0, 1, 0]
    >>> cache.predict_one({"user": 9})
    1
    """

    task = "caching"

    def __init__(
        self,
        *,
        capacity: int = 128,
        field: Hashable = None,
        experts: tuple[str, ...] = DEFAULT_EXPERTS,
        window: int = 8,
        memory: int = 32,
        learning_rate: float = 0.1,
        pair_rate: float = 0.1,
        epsilon: float = 0.1,
        floor: float = 1e-5,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        self.capacity = capacity
        self.field = field
        self.experts = experts if isinstance(experts, str) else tuple(experts)
        self.window, self.memory = window, memory
        self.learning_rate, self.pair_rate = learning_rate, pair_rate
        self.epsilon, self.floor = epsilon, floor
        self.seed = seed
        self._policy = self._new_policy()
        super().__init__(schema=schema)

    @property
    def policy(self) -> LearnedBit:
        """The policy behind it; its pages are keys in another form."""
        return self._policy

    def _new_policy(self) -> LearnedBit:
        given = {name: value for name, value in self.params.items() if name != "field"}
        return LearnedBit(table="hash", **given)

    # -- requests -------------------------------------------------------------------------------------------------

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        n = len(batch)
        keys = self._keys(batch)
        pages = _pages(keys)
        is_request = ~np.isnan(keys)
        if batch.weight is not None:
            is_request &= batch.weight > 0.0
        schedule = test_then_train(n) if schedule is None else schedule
        walk = schedule[(schedule >= 0) | is_request[np.where(schedule < 0, ~schedule, 0)]] if n else schedule
        outputs = self._outputs(n, proba)
        evicted, bits, probability = (np.full(n, None, object) for _ in range(3))
        for kind, rows in _runs(walk):
            if kind == PREDICTED:
                outputs.prediction[rows] = self._policy.holds(pages[rows]) & ~np.isnan(keys[rows])
                continue
            done = self._policy.decide_many(pages[rows])
            if kind == BOTH:
                outputs.prediction[rows] = done.hits
            evicted[rows] = self._names(done.evicted)
            bits[rows], probability[rows] = done.bits.tolist(), done.probabilities.tolist()
        outputs.details = {"evicted": evicted, "bit": bits, "probability": probability}
        return outputs

    def _outputs(self, n: int, proba: bool) -> Outputs:
        return Outputs(np.zeros(n, np.int64))  # an empty cache has no key

    # -- keys -----------------------------------------------------------------------------------------------------

    def _bind(self, schema: Schema) -> None:
        names = [field.name for field in schema.fields]
        if self.field is not None and names and self.field not in names:
            close = near(str(self.field), map(str, names))
            hint = f"did you mean {close[0]!r}?" if close else f"the fields are {', '.join(map(repr, names))}"
            raise SchemaError(f"{type(self).__name__}: rows have no field {self.field!r}; {hint}")
        super()._bind(schema)

    def _place(self) -> int | None:
        """Where in the rows the key is."""
        names = [field.name for field in cast(Schema, self._live).fields]
        if self.field is None:
            return 0 if names else None
        return names.index(self.field) if self.field in names else None

    def _keys(self, batch: Batch) -> np.ndarray:
        """Keys as the batch has them, numbers or codes of categories; NaN where there is none."""
        place = self._place()
        if place is None or place >= batch.X.shape[1]:
            return np.full(len(batch), np.nan)
        return np.ascontiguousarray(batch.X[:, place])

    def _names(self, pages: np.ndarray) -> list[Any]:
        """Keys as they came; None for no page."""
        place = self._place()
        field = None if place is None else cast(Schema, self._live).fields[place]
        values = (pages.astype(np.uint64) << np.uint64(1)).view(np.float64).tolist()
        if field is not None and field.kind == "nominal":
            known = field.categories
            values = [known[int(value)] if 0 <= value < len(known) else None for value in values]
        return [None if page < 0 else value for page, value in zip(pages.tolist(), values, strict=True)]

    # -- life -----------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._policy.reset()

    @property
    def nbytes(self) -> int:
        return self._policy.nbytes

    def summary(self) -> dict[str, int]:
        return {f"faults of {expert}": faults for expert, faults in self._policy.expert_faults.items()}

    def state(self) -> dict[str, Any]:
        return {"schema": None if self._live is None else self._live.to_dict(), "policy": self._policy.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != {"schema", "policy"}:
            raise StateError(f"{type(self).__name__}: a state has the keys 'schema' and 'policy'")
        schema = None if state["schema"] is None else Schema.from_dict(state["schema"])
        policy = self._new_policy()
        policy.restore(state["policy"])
        with self._lock:
            self._policy = policy
            self._live = self._followed = None
            if schema is not None:
                self._bind(schema)


def _pages(keys: np.ndarray) -> np.ndarray:
    """Pages for the policy: the bits of the numbers, without the last one, which leaves room for no sign of its own."""
    bits = (keys + 0.0).view(np.uint64) >> np.uint64(1)  # + 0.0: there is one zero
    return bits.astype(np.int64)


def _runs(walk: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """A schedule as runs of rows that are predicted, that are learned, or that are predicted and at once learned."""
    kinds = np.where(walk >= 0, PREDICTED, LEARNED)
    both = np.flatnonzero((walk[:-1] >= 0) & (walk[1:] == ~walk[:-1]))
    kinds[both] = kinds[both + 1] = BOTH
    bounds = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(walk)]
    for start, stop in pairwise(bounds):
        if start < stop:
            kind, run = int(kinds[start]), walk[start:stop]
            yield kind, run[0::2] if kind == BOTH else np.where(run >= 0, run, ~run)
