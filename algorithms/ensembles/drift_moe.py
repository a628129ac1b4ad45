"""DriftMoE: a mixture of Hoeffding trees behind a router that learns which of them to ask."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlearn.array_learner import Layout, capacity
from streamlearn.errors import StateError
from streamlearn.features import moved_columns, offsets, places
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Schema, Shape

from ..drift.adwin_kernels import adwin_is_sound, adwin_size
from ..neural.multilayer_perceptron import layer_sizes
from ..trees import arrays as tree_arrays
from ..trees.arrays import HoeffdingTreeArrays
from ..trees.growth import room_of
from . import drift_moe_kernels as kernels
from .drift_moe_kernels import DriftMoEArrays, advance, make_mixture
from .ensemble import Ensemble, TreeEnsemble, check_generators
from .router_kernels import LANES, N_PLANES, draw_weights

VARIANTS = ("data", "task")
FIDELITIES = ("published", "corrected")


class DriftMoEClassifier(TreeEnsemble):
    """DOC"""

    _own_type = DriftMoEArrays
    _pack = staticmethod(make_mixture)
    _advance = staticmethod(advance)

    def __init__(
        self,
        *,
        variant: str = "data",
        fidelity: str = "corrected",
        n_models: int = 12,
        top_k: int = 3,
        hidden_layer_sizes: tuple[int, int] = (256, 128),
        learning_rate: float = 2e-3,
        batch_size: int | None = None,
        dropout: float | None = None,
        normalize: bool | None = None,
        expert_votes: bool | None = None,
        exploration: float | None = None,
        recycle: bool | None = None,
        normalize_votes: bool | None = None,
        count_untrained: bool | None = None,
        joint_vote: bool | None = None,
        grace_period: float = 50,
        max_depth: int | None = None,
        split_criterion: str = "info_gain",
        delta: float = 1e-7,
        tau: float = 0.05,
        leaf_prediction: str = "nba",
        nb_threshold: float = 0,
        binary_split: bool = False,
        min_branch_fraction: float = 0.01,
        max_share_to_split: float = 1.0,
        merit_preprune: bool = False,
        max_nodes: int = 1_000_000,
        max_active_leaves: int = 32_768,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        check_choice("variant", variant, VARIANTS)
        check_choice("fidelity", fidelity, FIDELITIES)
        check_range("n_models", n_models, 1, 1000, kind=int)
        check_range("top_k", top_k, 1, 1000, kind=int)
        check_range("learning_rate", learning_rate, 0, 1, open_low=True)
        check_range("seed", seed, 0, 2**64 - 1, kind=int)
        self.variant, self.fidelity, self.n_models, self.top_k = variant, fidelity, n_models, top_k
        self.hidden_layer_sizes = layer_sizes(hidden_layer_sizes)
        self.learning_rate, self.seed = learning_rate, seed
        for name, value in (
            ("normalize", normalize),
            ("expert_votes", expert_votes),
            ("recycle", recycle),
            ("normalize_votes", normalize_votes),
            ("count_untrained", count_untrained),
            ("joint_vote", joint_vote),
        ):
            if value is not None:
                check_flag(name, value)
            setattr(self, name, value)
        if exploration is not None:
            check_range("exploration", exploration, 0, 1)
        if batch_size is not None:
            check_range("batch_size", batch_size, 1, 2**20, kind=int)
        if dropout is not None:
            check_range("dropout", dropout, 0, 0.99)
        self.exploration, self.batch_size, self.dropout = exploration, batch_size, dropout
        self._set_growth(
            grace_period=grace_period,
            max_depth=max_depth,
            split_criterion=split_criterion,
            delta=delta,
            tau=tau,
            leaf_prediction=leaf_prediction,
            nb_threshold=nb_threshold,
            binary_split=binary_split,
            min_branch_fraction=min_branch_fraction,
            max_share_to_split=max_share_to_split,
            merit_preprune=merit_preprune,
            max_nodes=max_nodes,
            max_active_leaves=max_active_leaves,
        )
        super().__init__(schema=schema)

    # -- what the parameters come to ----------------------------------------------------------------------------------

    @property
    def switches(self) -> dict[str, Any]:
        """The parameters that `fidelity` decides where they are None, as they are in force."""
        corrected, task = self.fidelity == "corrected", self.variant == "task"
        ours = {
            "batch_size": 1 if task else 256,
            "dropout": 0.2 if task and not corrected else 0.0,
            "normalize": corrected,
            "expert_votes": corrected and task,
            "exploration": 0.0,
            "recycle": corrected,
            "normalize_votes": corrected,
            "count_untrained": not corrected,
            "joint_vote": corrected,
        }
        return {name: default if getattr(self, name) is None else getattr(self, name) for name, default in ours.items()}

    def _mixture_options(self) -> np.ndarray:
        options, switches = np.zeros(kernels.N_OPTIONS), self.switches
        options[kernels.TASK] = self.variant == "task"
        options[kernels.BATCH] = switches["batch_size"]
        options[kernels.RATE] = self.learning_rate
        options[kernels.DROPOUT] = switches["dropout"]
        options[kernels.TOP_K] = self.top_k
        options[kernels.NORMALIZE] = switches["normalize"]
        options[kernels.EXPERT_VOTES] = switches["expert_votes"]
        options[kernels.EXPLORATION] = switches["exploration"]
        options[kernels.NORMALIZE_VOTES] = switches["normalize_votes"]
        options[kernels.COUNT_UNTRAINED] = switches["count_untrained"]
        options[kernels.JOINT_VOTE] = switches["joint_vote"]
        options[kernels.RECYCLE] = switches["recycle"]
        return options

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _experts_for(self, shape: Shape) -> int:
        return self.n_models if self.variant == "data" else max(1, shape.n_classes)

    def _trees_for(self, shape: Shape) -> int:
        return self._experts_for(shape) * (2 if self.switches["recycle"] else 1)

    def _tree_of(self, own: DriftMoEArrays, member: int) -> int:
        sides = len(own.addresses) // len(own.experts)
        return int(sides * member + own.experts[member, kernels.SIDE])

    def _classes_for(self, shape: Shape) -> int:
        """Room for classes in each expert."""
        return capacity(shape.n_classes if self.variant == "data" else 2)

    def _empty_tree(self, shape: Shape) -> HoeffdingTreeArrays:
        return tree_arrays.allocate(room_of(shape), self._classes_for(shape), self._options())

    def _grown(self, tree: HoeffdingTreeArrays, new: Shape) -> HoeffdingTreeArrays:
        sizes = tree_arrays.sizes_of(tree)
        cardinality, n_classes = room_of(new), self._classes_for(new)
        if (sizes.cardinality, sizes.n_classes) == (cardinality, n_classes):
            return tree
        return tree_arrays.grow(tree, sizes._replace(cardinality=cardinality, n_classes=n_classes))

    def _inputs(self, shape: Shape) -> np.ndarray:
        """The router's first input of each nominal field, and the number of its inputs, int64 [M + 1]."""
        columns = offsets(shape)
        return columns if self.switches["normalize"] else columns[0] + np.arange(len(columns))

    def _own_layout(self, shape: Shape) -> Layout:
        M, K = sum(shape.nominal), self._experts_for(shape)
        N, P = len(shape.nominal) - M, int(self._inputs(shape)[-1])
        R = capacity(K, LANES)  # whole vectors: sums do not depend on how many
        H1, H2 = self.hidden_layer_sizes
        W = K if self.switches["recycle"] else 0
        return {
            "numbers": (np.int64, (kernels.N_NUMBERS,)),
            "options": (np.float64, (kernels.N_OPTIONS,)),
            "seed": (np.uint64, (1,)),
            "numeric": (np.int64, (N,)),
            "nominal": (np.int64, (M,)),
            "offset": (np.int64, (M + 1,)),
            "met": (np.uint8, (int(offsets(shape)[-1]),)),
            "drawn": (np.uint8, (P,)),
            "known": (np.uint8, (R,)),
            "seen": (np.float64, (N,)),
            "mean": (np.float64, (N,)),
            "variance": (np.float64, (N,)),
            "scale": (np.float64, (N,)),
            "first": (np.float32, (N_PLANES, P, H1)),
            "second": (np.float32, (N_PLANES, H1 + 1, H2)),
            "last": (np.float32, (N_PLANES, H2 + 1, R)),
            "rng": (np.uint64, (4,)),
            "experts": (np.int64, (K, 2)),
            "windows": (np.float64, (W, 2, adwin_size())),
            "tallies": (np.int64, (K, kernels.N_TALLIES)),
            "heads": (np.float64, (kernels.N_HEADS,)),
        }

    def _room_layout(self, shape: Shape) -> Layout:
        return {"addresses": (np.int64, (self._trees_for(shape),))}

    def _allocate_own(self, shape: Shape) -> dict[str, np.ndarray]:
        own = super()._allocate_own(shape) | places(shape)
        H1, H2 = self.hidden_layer_sizes
        own["options"][:] = self._mixture_options()
        own["seed"][0] = self.seed
        own["rng"][:] = generator(self.seed)
        own["drawn"][0] = 1  # the constant
        draw_weights(own["second"], H1, H2, own["rng"])
        if self.variant == "data":
            own["known"][: self.n_models] = 1
            draw_weights(own["last"], H2, self.n_models, own["rng"])
        return own

    def _grow(self, arrays: Any, old: Shape, new: Shape) -> Ensemble:
        own = self._allocate_own(new)
        N = len(arrays.own.numeric)
        columns = moved_columns(offsets(new), offsets(old), N)
        inputs = moved_columns(self._inputs(new), self._inputs(old), N)
        for name, after in own.items():
            before = getattr(arrays.own, name)
            if name in ("options", "numeric", "nominal", "offset"):
                continue
            place: list[Any] = [slice(0, size) for size in before.shape]
            if name == "met":
                place[0] = columns
            elif name == "drawn":
                place[0] = inputs
            elif name == "first":
                place[1] = inputs
            after[tuple(place)] = before
        trees = [self._grown(tree, new) for tree in arrays.trees]
        trees += [self._empty_tree(new) for _ in range(self._trees_for(new) - len(trees))]
        return Ensemble(self._with_room(own, new), trees)

    def _check(self, arrays: Any, shape: Shape) -> None:
        own = arrays.own
        super()._check(arrays, shape)
        for name, expected in places(shape).items():
            _require(np.array_equal(getattr(own, name), expected), name, "it does not belong to the schema")
        experts, known = self._experts_for(shape), own.known
        _require((known <= 1).all() and not known[experts:].any(), "known", "an output is neither in use nor free")
        if self.variant == "data":
            _require(known[:experts].all(), "known", "an expert has no output")

    def _check_own(self, own: DriftMoEArrays) -> None:
        check_generators(own.rng[None])
        numbers, switches = own.numbers, self.switches
        _require((numbers >= 0).all() and (numbers < 2**62).all(), "numbers", "a count is out of range")
        _require(numbers[kernels.COLLECTED] < switches["batch_size"], "numbers", "the router's batch is overfull")
        used = own.known.sum() if self.variant == "task" else 0
        _require(numbers[kernels.N_OUTPUTS] == used, "numbers", "the number of outputs disagrees with 'known'")
        limit = [2, 2] if switches["recycle"] else [1, 1]
        _require(((own.experts >= 0) & (own.experts < limit)).all(), "experts", "an expert has no such tree")
        _require(adwin_is_sound(own.windows.reshape(-1, adwin_size())), "windows", "a window is damaged")
        own.options[:], own.seed[0] = self._mixture_options(), self.seed  # a file's parameters count


def _require(holds: Any, array: str, problem: str) -> None:
    if not holds:
        raise StateError(f"array {array!r}: {problem}; the state is damaged")
