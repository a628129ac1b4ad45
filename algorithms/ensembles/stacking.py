"""A classifier that learns how far to trust each of its members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from streamlearn.batch import Batch
from streamlearn.errors import OptionError, StateError
from streamlearn.learner import Learner, Outputs
from streamlearn.models import make_learner
from streamlearn.parameters import check_range
from streamlearn.parts import fit_parts, restore_parts
from streamlearn.schema import Schema
from streamlearn.work import test_then_train

from .stacking_kernels import KNOWN, StackerArrays, advance, make_stacker

DEFAULT_MEMBERS = (
    "mlp_classifier",
    "pa_classifier",
    "logistic_regression",
    "knn_classifier:n_neighbors=5",
    "naive_bayes",
    "no_change_classifier",
    "hoeffding_adaptive_tree_classifier",
    "adaptive_random_forest_classifier:n_models=10",
    "streaming_random_patches_classifier:n_models=10",
)

MOST_VOTES = 2**21
"""Numbers of votes that are held at once: how many operations go through the members in one piece."""


class StackingClassifier(Learner):
    """Members of different kinds side by side; how far each is trusted is learned row by row, from their mistakes.

    Every member predicts a row before anyone learns it. A softmax regression over the members' probabilities and
    answers makes the prediction, and itself learns each label. Where a stream repeats its last label, the members that
    know that win; where concepts move through space, the neighbours; where they change at once, the adaptive trees.

    Parameters
    ----------
    members : sequence of classifiers, or None
        What votes; the stack works on untrained clones. By default a neural network, a passive-aggressive classifier,
        logistic regression, nearest neighbours, naive Bayes, the last label, a Hoeffding adaptive tree, and ten trees
        each of an adaptive random forest and of streaming random patches.
    learning_rate : float in (0, 1]
        Step of a member's weight, in units of its gradients' recent size.
    memory : float >= 1
        Rows over which that size is averaged.
    floor : float in (0, 0.5]
        Share of each member's probability that is spread over all classes, before its logarithm is taken.
    seed : int >= 0
        Of the default members; members that are given have seeds of their own.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a member is no classifier, or a parameter is out of range.

    Examples
    --------
    >>> import streamlearn as sl
    >>> stack = sl.StackingClassifier(members=[sl.NaiveBayes(), sl.NoChangeClassifier()])
    >>> for batch in sl.open_stream("electricity").batches(limit=4000):
    ...     predictions = stack.test_then_train_many(batch)
    >>> [name for name, trust in stack.trust().items()]
    ['NaiveBayes()', 'NoChangeClassifier()']

    References
    ----------
    D. Wolpert: Stacked generalization. Neural Networks 5, 1992. Deliberate differences: the level above learns online
    from the very predictions that were made before a label was learned, so no fold is held out; it has one pair of
    weights a member, shared by the classes.
    """

    task = "classification"

    def __init__(
        self,
        *,
        members: Sequence[Learner] | None = None,
        learning_rate: float = 0.001,
        memory: float = 1000,
        floor: float = 0.01,
        seed: int = 0,
        schema: Schema | None = None,
    ) -> None:
        check_range("learning_rate", learning_rate, 0, 1, open_low=True)
        check_range("memory", memory, 1, 1e12)
        check_range("floor", floor, 0, 0.5, open_low=True)
        check_range("seed", seed, 0, 2**63 - 1, kind=int)
        self.members = None if members is None else tuple(members)
        self.learning_rate, self.memory, self.floor, self.seed = learning_rate, memory, floor, seed
        made = _default_members(seed) if self.members is None else self.members
        if not made or not all(isinstance(member, Learner) and member.task == "classification" for member in made):
            raise OptionError("members must be one or more classifiers")
        self._members = tuple(member.clone() for member in made)
        super().__init__(schema=schema)

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:  # what River's checks make one with
        yield {"members": (make_learner("naive_bayes"), make_learner("no_change_classifier"))}

    @property
    def parts(self) -> Sequence[Learner]:
        return self._members

    def _forget(self) -> None:
        for member in self._members:
            member.reset()
        M = len(self._members)
        weights = np.zeros((2, M))
        weights[0] = 1.0 / M
        options = np.array([self.learning_rate, 1.0 / self.memory, self.floor])
        self._set(StackerArrays(np.zeros(1, np.int64), options, weights, np.zeros((2, M))))

    def _set(self, arrays: StackerArrays) -> None:
        self._arrays, self._struct = arrays, make_stacker(arrays)

    def _fit(self) -> None:
        fit_parts(self._members, cast(Schema, self._live))

    def _process(self, batch: Batch, schedule: np.ndarray | None, proba: bool) -> Outputs:
        if schedule is None:
            schedule = test_then_train(len(batch))
        outputs = self._outputs(len(batch), proba)
        y = self.targets(batch)
        M, C = len(self._members), len(self.classes)
        piece = max(2, MOST_VOTES // (M * max(C, 1)))
        for start in range(0, len(schedule), piece):
            self._run(batch, y, schedule[start : start + piece], outputs, C)
        return outputs

    def _run(self, batch: Batch, y: np.ndarray, schedule: np.ndarray, outputs: Outputs, C: int) -> None:
        """Let the members, then the stacker, execute a piece of a schedule.

        The stacker learns from what the members say of a row right before they learn it. So each operation gets a row
        of its own, predicted by the members and then learned if that is the operation; learning right after predicting
        the same row shares its row.
        """
        rows = np.where(schedule < 0, ~schedule, schedule)
        shared = np.zeros(len(schedule), bool)
        shared[1:] = (schedule[1:] < 0) & (schedule[:-1] >= 0) & (rows[1:] == rows[:-1])
        at = np.cumsum(~shared) - 1
        rows = rows[~shared]
        steps = np.where(schedule < 0, ~at, at)
        inner = steps if shared.sum() * 2 == len(schedule) else _foreseen(steps, shared)
        expanded = Batch(batch.schema, batch.X[rows], y[rows], None if batch.weight is None else batch.weight[rows])

        n = len(rows)
        probas, answers = np.zeros((n, len(self._members), C)), np.empty((n, len(self._members)), np.int64)
        for m, member in enumerate(self._members):
            voted = member._process(expanded, inner, True)
            answers[:, m] = voted.prediction
            if voted.proba is not None:
                probas[:, m, : voted.proba.shape[1]] = voted.proba
        prediction, proba = np.full(n, -1, np.int64), np.zeros((0 if outputs.proba is None else n, C))
        weight = np.ones(n) if expanded.weight is None else expanded.weight
        advance(self._struct, probas, answers, cast(np.ndarray, expanded.y), weight, steps, prediction, proba)
        predicted = steps[steps >= 0]
        outputs.prediction[rows[predicted]] = prediction[predicted]
        if outputs.proba is not None:
            outputs.proba[rows[predicted]] = proba[predicted]

    # -- state --------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        a = self._arrays
        return {
            "schema": None if self._live is None else self._live.to_dict(),
            "stacker": {"numbers": a.numbers.copy(), "weights": a.weights.copy(), "squares": a.squares.copy()},
            "members": [member.state() for member in self._members],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != {"schema", "stacker", "members"}:
            raise StateError("StackingClassifier: a state has the keys 'schema', 'stacker' and 'members'")
        if state["schema"] is None:
            self.reset()
            return
        schema = Schema.from_dict(state["schema"])
        arrays = self._read(state["stacker"], len(schema.classes))
        members = state["members"]
        if not isinstance(members, list) or len(members) != len(self._members):
            raise StateError(f"StackingClassifier: the state must have {len(self._members)} members")
        if any(not isinstance(saved, Mapping) or saved.get("schema") != state["schema"] for saved in members):
            raise StateError("StackingClassifier: the members' schemas differ from the stack's")
        restore_parts(self._members, members)
        self._live, self._followed = schema, None
        self._set(arrays)

    def _read(self, saved: Any, n_classes: int) -> StackerArrays:
        """The stacker's arrays out of a state."""
        fresh = self._arrays
        if not isinstance(saved, Mapping) or set(saved) != {"numbers", "weights", "squares"}:
            raise StateError("StackingClassifier: a stacker has the arrays numbers, weights and squares")
        for name, array in saved.items():
            wanted = getattr(fresh, name)
            if not isinstance(array, np.ndarray) or array.dtype != wanted.dtype or array.shape != wanted.shape:
                raise StateError(f"array {name!r}: expected {wanted.dtype} {wanted.shape}")
        if not 0 <= saved["numbers"][KNOWN] <= n_classes:
            raise StateError(f"array 'numbers': {saved['numbers'][KNOWN]} is not a number of classes, 0 … {n_classes}")
        if not (np.isfinite(saved["weights"]).all() and (np.nan_to_num(saved["squares"], nan=-1.0) >= 0.0).all()):
            raise StateError("the stacker's weights must be finite, its squares not negative")
        return StackerArrays(options=fresh.options, **{name: array.copy() for name, array in saved.items()})

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self._arrays) + sum(member.nbytes for member in self._members)

    # -- inspection ---------------------------------------------------------------------------------------------------

    def trust(self) -> dict[str, tuple[float, float]]:
        """How much each member counts now.

        Returns
        -------
        dict
            By member: the weight of the logarithm of its probabilities, and the weight of its answer. Members of the
            same name and parameters are numbered.
        """
        names: dict[str, tuple[float, float]] = {}
        for m, member in enumerate(self._members):
            name = repr(member)
            names[f"{name} #{m}" if name in names else name] = (
                float(self._arrays.weights[0, m]),
                float(self._arrays.weights[1, m]),
            )
        return names


def _default_members(seed: int) -> list[Learner]:
    """The default members; those that draw random numbers with a seed."""
    made = [make_learner(spec) for spec in DEFAULT_MEMBERS]
    return [
        make_learner(spec, seed=seed) if "seed" in m.params else m
        for spec, m in zip(DEFAULT_MEMBERS, made, strict=True)
    ]


def _foreseen(steps: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """The steps, with each row predicted before it is learned where it isn't already."""
    needs = (steps < 0) & ~shared
    inner = np.empty(len(steps) + int(needs.sum()), np.int64)
    at = np.arange(len(steps)) + np.cumsum(needs)
    inner[at] = steps
    inner[at[needs] - 1] = ~steps[needs]
    return inner
