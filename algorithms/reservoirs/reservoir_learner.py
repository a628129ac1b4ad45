"""What the learners with a reservoir share: their parameters, the arrays of their state, and their warm-up."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from streamlearn.array_learner import Layout
from streamlearn.errors import OptionError, SchemaError, StateError
from streamlearn.feature_learner import FeatureLearner
from streamlearn.features import offsets
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Schema, Shape

from . import learner_kernels as kernels
from . import recurrent_kernels
from .echo_state import EchoStateReservoir
from .ei_reservoir import COOLED, MOST_DESIGNED, EIReservoir
from .learner_kernels import ReservoirLearnerArrays, finish_warm_up, make_reservoir_learner
from .readout_regressor import check_opened, check_readout
from .readouts import NLMS, RLS, IncrementalRidge, Readout
from .recurrent import RecurrentReservoir

RESERVOIRS = ("ei", "tanh")
READOUTS = ("rls", "nlms", "ridge")
FEEDBACKS = ("none", "output", "target")
MOST_INPUTS = 256  # columns beyond it are left out: features are as many as units and inputs, the state is their square

NETWORK = {
    "net_options": "options",
    "start": "start",
    "inhibitory": "inhibitory",
    "sender": "sender",
    "synapse": "weight",
    "receiver": "receiver",
    "input_weight": "input_weight",
    "threshold": "threshold",
    "target_rate": "target",
    "initial": "initial",
    "mean_rate": "mean_rate",
    "net_counts": "counts",
}
"""Arrays of the network, and what the reservoir calls them."""
LEARNED = ("synapse", "mean_rate", "net_counts")
"""Those that change."""


class ReservoirLearner(FeatureLearner):
    """Base of the learners with a reservoir; a subclass sets the attributes that bear the parameters' names."""

    reservoir: str
    n_units: int
    leak: float
    input_scale: float
    adaptation: str
    options: Mapping[str, Any] | None
    readout: str
    forgetting: float
    ridge: float
    learning_rate: float
    every: int
    read_inputs: bool
    feedback: str = "none"
    noise: float = 0.0
    horizon: int = 1
    warm_up: int
    washout: int
    adapt_steps: int
    key: Hashable | None
    max_keys: int
    event: Hashable | None
    max_waiting: int
    seed: int
    standardize = True

    _arrays_type = ReservoirLearnerArrays
    _pack = staticmethod(make_reservoir_learner)
    _column_axis = MappingProxyType({"input_of": 0})

    def _check_parameters(self) -> None:
        check_choice("reservoir", self.reservoir, RESERVOIRS)
        check_range("n_units", self.n_units, 4, 100_000, kind=int)
        check_choice("readout", self.readout, READOUTS)
        check_flag("read_inputs", self.read_inputs)
        check_choice("feedback", self.feedback, FEEDBACKS)
        check_range("noise", self.noise, 0.0, 10.0)
        check_range("horizon", self.horizon, 1, 10_000, kind=int)
        check_range("warm_up", self.warm_up, 1, 1_000_000, kind=int)
        check_range("washout", self.washout, 0, 1_000_000, kind=int)
        check_range("adapt_steps", self.adapt_steps, 0, 1_000_000, kind=int)
        check_range("max_keys", self.max_keys, 1, 1_000_000, kind=int)
        check_range("max_waiting", self.max_waiting, 1, 1_000_000, kind=int)
        if self.options is not None and not isinstance(self.options, Mapping):
            raise OptionError(f"options must be a mapping of a reservoir's parameters, got {self.options!r}")
        for name in {"n_units", "leak", "input_scale", "seed", "adaptation"} & set(self.options or {}):
            raise OptionError(f"options: {name} is a parameter of its own")
        if self.washout >= self.warm_up:
            raise OptionError(f"washout must be < warm_up, got washout={self.washout}, warm_up={self.warm_up}")
        if self.horizon > 1 and (self.key is not None or self.event is not None):
            raise OptionError("horizon > 1 is for one series whose targets come at once: leave key and event out")
        if self.key is not None and self.key == self.event:
            raise OptionError(f"key and event can't both be {self.key!r}")
        self._readout()
        self._network: RecurrentReservoir = self._make_reservoir()

    def _make_reservoir(self) -> RecurrentReservoir:
        given = {"n_units": self.n_units, "leak": self.leak, "input_scale": self.input_scale, "seed": self.seed}
        try:
            if self.reservoir == "tanh":
                return EchoStateReservoir(**{**given, **(self.options or {})})
            balanced = {"k": min(40, self.n_units), "adaptation": self.adaptation}
            return EIReservoir(**{**given, **balanced, **(self.options or {})})
        except TypeError as error:
            raise OptionError(f"options: {error}") from None

    def _readout(self) -> Readout:
        if self.readout == "rls":
            return RLS(forgetting=self.forgetting, ridge=self.ridge)
        if self.readout == "nlms":
            return NLMS(learning_rate=self.learning_rate)
        return IncrementalRidge(forgetting=self.forgetting, ridge=self.ridge, every=self.every)

    def _options(self) -> np.ndarray:
        options = np.zeros(kernels.N_OPTIONS)
        options[kernels.WASHOUT] = self.washout
        options[kernels.READS_INPUTS] = self.read_inputs
        options[kernels.FEEDBACK] = FEEDBACKS.index(self.feedback)
        options[kernels.NOISE] = self.noise
        network = self._network
        if isinstance(network, EIReservoir):
            options[kernels.ADAPTS] = network.adaptation != "off"
            options[kernels.ADAPT_STEPS] = self.adapt_steps
            options[kernels.ADAPT_RATE] = network.delta or (0.4 / network.k if network.rule == "gated" else 1e-3)
            options[kernels.COOLED] = COOLED
            options[kernels.MOST_DESIGNED] = MOST_DESIGNED
        return options

    @property
    def hears_rows(self) -> bool:  # type: ignore[override]  # an attribute elsewhere
        """Whether engines that hold labels back let it hear rows at once: it can tell which one a label is for."""
        return self.event is not None

    # -- arrays ---------------------------------------------------------------------------------------------------

    @property
    def _first_input(self) -> int:
        """Inputs that are no fields: what is fed back."""
        return 0 if self.feedback == "none" else 1

    def _inputs(self, shape: Shape) -> int:
        """Inputs to make room for."""
        columns = min(int(offsets(shape)[-1]) - 1, MOST_INPUTS)
        return max(1, self._first_input + columns)

    def _fixed(self, shape: Shape) -> dict[str, np.ndarray]:
        """The network as it was drawn, with its inputs."""
        inputs = self._inputs(shape)
        if self._network.n_inputs < inputs:
            self._network.connect(inputs)
        drawn = self._network.state()
        arrays = {name: drawn[theirs] for name, theirs in NETWORK.items()}
        arrays["input_weight"] = np.ascontiguousarray(arrays["input_weight"][:, :inputs])
        return arrays

    def _layout(self, shape: Shape) -> Layout:
        D, P, d = self._inputs(shape), int(offsets(shape)[-1]), len(shape.nominal)
        N, W = self.n_units, self.warm_up
        R = self.horizon if self.task == "regression" else self._rows(shape)
        F = 1 + N + (D if self.read_inputs else 0)
        K = 1 if self.key is None else self.max_keys
        Q = self.max_waiting if self.event is not None else self.horizon if self.horizon > 1 else 0
        network = {name: (array.dtype, array.shape) for name, array in self._fixed(shape).items()}
        number, whole = np.float64, np.int64
        return (
            self._features_layout(shape)
            | {"input_of": (whole, (P,)), "roles": (whole, (2,)), "progress": (whole, (kernels.N_PROGRESS,))}
            | self._readout().layout(F, R)
            | {"prior": (number, (max(R, 2),)), "goal": (number, (3,))}
            | network
            | {
                "rate": (network["initial"][0], (K, N)),
                "held": (number, (K, D)),
                "fed": (number, (K,)),
                "age": (whole, (K,)),
                "used_at": (whole, (K,)),
                "key_of": (whole, (K,)),
                "latest": (number, (K,)),
                "past_x": (number, (W, d)),
                "past_y": (number, (W,)),
                "past_w": (number, (W,)),
                "wait_x": (number, (Q, F)),
                "wait_event": (number, (Q,)),
                "wait_key": (whole, (Q,)),
                "random": (np.uint64, (4,)),
            }
        )

    def _allocate(self, shape: Shape) -> ReservoirLearnerArrays:
        arrays: ReservoirLearnerArrays = super()._allocate(shape)._replace(**self._fixed(shape))
        arrays.scale.fill(0.0)
        arrays.rule[:] = self._readout().rule()
        arrays.input_of.fill(-1)
        arrays.roles.fill(-1)
        arrays.progress[kernels.INPUTS] = self._first_input
        arrays.key_of.fill(kernels.NO_KEY)
        arrays.latest.fill(-np.inf)
        arrays.past_x.fill(np.nan)
        arrays.wait_event.fill(np.nan)
        arrays.wait_key.fill(kernels.NO_KEY)
        arrays.random[:] = generator(self.seed)
        return arrays

    def _fit(self) -> None:
        super()._fit()
        schema = cast(Schema, self._live)
        self._arrays.roles[:] = self._column(schema, "key", self.key), self._column(schema, "event", self.event)

    def _column(self, schema: Schema, option: str, name: Hashable | None) -> int:
        """The column of the field that an option names, -1 for none."""
        if name is None or not schema.fields:  # an empty batch came first
            return -1
        kind = "nominal" if option == "key" else "numeric"
        for column, field in enumerate(schema.fields):
            if field.name == name:
                if field.kind != kind:
                    raise SchemaError(f"{option}={name!r}: the field must be {kind}, but is {field.kind}")
                return column
        raise SchemaError(
            f"{option}={name!r}: there is no such field; the fields are {', '.join(map(str, schema.names))}"
        )

    def _extend(self, arrays: ReservoirLearnerArrays) -> ReservoirLearnerArrays:
        """All rows of the warm-up are there, and another one comes."""
        finish_warm_up(self._struct, int(arrays.numbers[kernels.KNOWN]) if self.task == "classification" else -1)
        return arrays

    # -- a saved state --------------------------------------------------------------------------------------------

    def _check(self, arrays: Any, shape: Shape) -> None:
        super()._check(arrays, shape)
        check_readout(arrays, self._readout().rule())
        fixed = self._fixed(shape)
        for name in fixed.keys() - set(LEARNED):
            if not np.array_equal(getattr(arrays, name), fixed[name]):
                raise StateError(f"array {name!r} does not belong to the parameters")
        largest = fixed["net_options"][recurrent_kernels.LARGEST]
        drawn, synapse = fixed["synapse"], arrays.synapse
        excites = np.arange(len(drawn)) < np.repeat(fixed["inhibitory"], np.diff(fixed["start"]))
        if not np.where(excites, synapse == drawn, (synapse <= 0.0) & (synapse >= -largest * (1.0 + 1e-6))).all():
            raise StateError("array 'synapse' holds weights that adaptation does not make")
        buffered, live, inputs, keys, place, lost = arrays.progress.tolist()
        K, Q, D = len(arrays.key_of), len(arrays.wait_event), arrays.held.shape[1]
        if not (
            0 <= buffered <= self.warm_up
            and live in (0, 1)
            and self._first_input <= inputs <= D
            and 0 <= keys <= K
            and (0 <= place < Q or place == 0)
            and lost >= 0
        ):
            raise StateError("array 'progress' is out of range")
        check_opened(arrays.input_of, self._first_input, inputs)
        expected = 1 + self.n_units + (inputs - self._first_input if self.read_inputs else 0)
        if int(arrays.counts[0]) != (expected if live and keys else 0):
            raise StateError("array 'counts' does not name all features")
        known_keys = arrays.key_of[:keys]
        if (
            (known_keys < -1).any()
            or len(set(known_keys.tolist())) < keys
            or (arrays.key_of[keys:] != kernels.NO_KEY).any()
        ):
            raise StateError("array 'key_of' does not name every key once")
        self._check_roles(arrays.roles, shape)
        for name in (
            "rate",
            "held",
            "fed",
            "mean_rate",
            "prior",
            "goal",
            "seen",
            "mean",
            "variance",
            "scale",
            "past_w",
            "wait_x",
        ):
            if not np.isfinite(getattr(arrays, name)).all():
                raise StateError(f"array {name!r} holds NaN or infinity")
        if (arrays.age < 0).any() or (arrays.net_counts < 0).any():
            raise StateError("arrays 'age' and 'net_counts' must not be negative")
        if arrays.net_counts[recurrent_kernels.AVERAGED] > recurrent_kernels.MEMORY:
            raise StateError("array 'net_counts' is out of range")
        labels = arrays.past_y[:buffered]
        labels = labels[~np.isnan(labels)]
        if self.task == "classification":
            if not np.isin(labels, np.arange(int(arrays.numbers[kernels.KNOWN]))).all():
                raise StateError("array 'past_y' names a class that was not learned")
        elif not np.isfinite(labels).all():
            raise StateError("array 'past_y' holds infinity")

    def _check_roles(self, roles: np.ndarray, shape: Shape) -> None:
        for column, option, nominal in zip(roles.tolist(), (self.key, self.event), (True, False), strict=True):
            none = option is None or not shape.nominal
            if (column != -1) if none else not 0 <= column < len(shape.nominal):
                raise StateError("array 'roles' does not belong to the parameters")
            if not none and shape.nominal[column] != nominal:
                raise StateError("array 'roles' names fields of the wrong kind")

    def summary(self) -> dict[str, int]:
        """How the learner stands: whether the warm-up is over, inputs, keys with a state, inputs that were missing."""
        if self._arrays is None:
            return {"live": 0, "inputs": 0, "keys": 0, "inputs_filled": 0, "labels_lost": 0}
        progress = self._arrays.progress
        return {
            "live": int(progress[kernels.LIVE]),
            "inputs": int(progress[kernels.INPUTS]) - self._first_input,
            "keys": int(progress[kernels.KEYS]),
            "inputs_filled": int(self._arrays.net_counts[recurrent_kernels.FILLED]),
            "labels_lost": int(progress[kernels.LOST]),
        }
