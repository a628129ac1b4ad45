"""DriftMoE: a mixture of Hoeffding trees behind a router that learns which of them to ask."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from streamlearn.array_learner import Layout, capacity
from streamlearn.errors import OptionError, StateError
from streamlearn.features import moved_columns, offsets, places
from streamlearn.parameters import check_choice, check_flag, check_range
from streamlearn.random import generator
from streamlearn.schema import Schema, Shape
from streamlearn.work import predicting

from ..drift.adwin_kernels import adwin_is_sound, adwin_size
from ..neural.multilayer_perceptron import layer_sizes
from ..trees import arrays as tree_arrays
from ..trees.arrays import HoeffdingTreeArrays
from ..trees.growth import room_of
from ..trees.inspection import TreeView
from . import drift_moe_kernels as kernels
from .drift_moe_kernels import DriftMoEArrays, advance, make_mixture
from .ensemble import Ensemble, TreeEnsemble, check_generators
from .router_kernels import LANES, N_PLANES, draw_weights
from .routing import Route, Trace, trace
from .routing_kernels import look

VARIANTS = ("data", "task")
FIDELITIES = ("published", "corrected")


class DriftMoEClassifier(TreeEnsemble):
    """Hoeffding trees behind a router: a small network that learns, row by row, which of them will be right.

    Two variants. ``"data"``: `n_models` trees for all classes; the router's first `top_k` choices learn each row, and
    whether each expert was right is what the router learns from. ``"task"``: one tree a class, which says whether a row
    is of its class; the router learns the classes themselves.

    Two fidelities. ``"published"`` is the published method, line by line. Its data variant lets one expert answer, and
    its task variant is the router alone, as the published mask always comes to the true class, whatever the experts
    say: they are not even trained here. (The paper's own figures for the data variant lie above what this method gives
    when it predicts each row before learning it; see the documentation.) ``"corrected"`` mends what we found wanting;
    each correction is a parameter below that can be set by itself, where None leaves it to `fidelity`.

    Parameters
    ----------
    variant : "data" or "task"
    fidelity : "published" or "corrected"
    n_models : int in 1 … 1000
        Experts of the data variant.
    top_k : int in 1 … 1000
        Experts that learn each row, in the data variant.
    hidden_layer_sizes : two ints
        Units of the router's hidden layers.
    learning_rate : float in (0, 1]
        Of Adam.
    batch_size : int or None
        Rows for each of the router's steps: 256 in the data variant, 1 in the task variant.
    dropout : float in [0, 0.99] or None
        Share of the first hidden layer that drops out, in learning and predicting alike: published, 0.2 in the task
        variant; otherwise 0.
    normalize : bool or None
        Corrected: the router sees standardised numbers, and an input for each category. Published: it sees numbers and
        category codes as they stand.
    joint_vote : bool or None
        Corrected, data variant: the router's first `top_k` choices answer a row together, weighted by the router.
        Published: its first choice answers alone.
    recycle : bool or None
        Corrected: where an expert's errors rise (ADWIN, 0.001), a tree that has been growing since the warning (0.01)
        takes its place. Published: experts are never replaced.
    normalize_votes : bool or None
        Where no expert is right, the one that gives the true class most passes for right: by its share of votes
        (corrected), or by votes as they come, counts beside densities (published).
    count_untrained : bool or None
        Whether an expert that has learned nothing counts as one that says the first class (published), or as wrong, and
        is not asked (corrected).
    exploration : float in [0, 1] or None
        Probability that one more expert, drawn at random, learns a row; 0 by default, as it cost accuracy on every
        stream but one that we tried.
    expert_votes : bool or None
        Corrected, task variant: experts have votes. The answer comes from the router, from the experts, or from the
        product of the two, whichever was right most often lately. Published: from the router.
    grace_period, max_depth, split_criterion, delta, tau, leaf_prediction, nb_threshold
        Of the trees: see `HoeffdingTreeClassifier`.
    binary_split, min_branch_fraction, max_share_to_split, merit_preprune
        Of the trees: see `HoeffdingTreeClassifier`.
    max_nodes, max_active_leaves : int >= 1
        Of each tree: see `HoeffdingTreeClassifier`.
    seed : int
        Of the router's first weights, of dropout and exploration.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    The router counts missing and infinite values, and categories that were never learned, as absent. A class that is
    learned for the first time gets an output (and, in the task variant, an expert) then; so does a new field. A row
    weighs 1000 at most for the router. Sums are made in a fixed order, in float32 as the authors' are.

    Examples
    --------
    >>> import streamlearn as sl
    >>> mixture = sl.DriftMoEClassifier(seed=1)
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = mixture.test_then_train_many(batch)
    >>> len(mixture.routing["learned"])
    12

    References
    ----------
    DriftMoE: A Mixture of Experts Approach to Handle Concept Drifts, 2025. Replacement of trees: Gomes et al., Adaptive
    random forests for evolving data stream classification, Machine Learning 106, 2017.
    """

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
        if len(self.hidden_layer_sizes) != 2:
            raise OptionError(f"hidden_layer_sizes must be two whole numbers, got {hidden_layer_sizes!r}")
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

    # -- inspection ---------------------------------------------------------------------------------------------------

    @property
    def members(self) -> list[TreeView]:
        """The trees by which the experts predict, each as a `TreeView`."""
        if self._arrays is None:
            return [TreeView(None, None)] * self.n_models
        own, trees = self._arrays
        return [TreeView(trees[self._tree_of(own, k)], self._live) for k in range(len(own.experts))]

    @property
    def routing(self) -> dict[str, np.ndarray]:
        """What the router made of the experts so far, in rows learned; int64 [experts] each.

        Returns
        -------
        dict
            ``chosen``: rows for which the expert was the router's first choice; ``answered``: of those, rows that it
            got right; ``right``: rows that it would have got right, chosen or not; ``learned``: rows that it learned.
            All 0 where the router answers alone.
        """
        names = ("chosen", "answered", "right", "learned")
        if self._arrays is None:
            return {name: np.zeros(self.n_models, np.int64) for name in names}
        return {name: column.copy() for name, column in zip(names, self._arrays.own.tallies.T, strict=True)}

    def route_one(self, x: Mapping[Hashable, Any]) -> Route:
        """Say which expert a row goes to, what the router gives each, and what each says.

        Parameters
        ----------
        x
            Field values by name.

        Raises
        ------
        StateError
            If nothing was learned yet.
        """
        with self._lock:
            if self._live is None or self._arrays.own.numbers[kernels.N_LEARNED] == 0:
                raise StateError("nothing was learned yet, so there is no route")
            batch = self._encode([x], grow=False)
            code = self._process(batch, predicting(1), False).prediction.item(0)
            shape = self._shape
            own, K = self._arrays.own, self._experts_for(shape)  # type: ignore[arg-type]
            weights, winners = np.zeros(K), np.zeros(K, np.int64)
            look(self._struct, batch.X, weights, winners)
            if self.variant == "task":
                answers = [self._live.decode_label(k if winners[k] == 1 else -1) for k in range(K)]
            else:
                answers = [self._live.decode_label(int(winner)) for winner in winners]
            used = np.where(own.known[:K] > 0, weights, -1.0)
            return Route(int(used.argmax()), weights, answers, self._live.decode_label(code))

    def trace(self, stream: Any, *, window: int = 1000, limit: int | None = None) -> Trace:
        """Test then train on a stream, and note after each window what the experts did (see `routing.trace`)."""
        return trace(self, stream, window=window, limit=limit)

    # -- what a model file may say ------------------------------------------------------------------------------------

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
