"""A random decision tree decides on random rows."""

from __future__ import annotations

import numpy as np

from streamlearn.compiled import kernel
from streamlearn.errors import OptionError
from streamlearn.parameters import check_range
from streamlearn.random import below, generator, restart, uniform
from streamlearn.schema import Field

from .generator import Generator, numbered, schema_of
from .random_rbf import model_seed_of

LEAF = -1
MAX_NODES = 1_000_000


class RandomTree(Generator):
    """Uniform random rows that a random decision tree classifies.

    Parameters
    ----------
    n_classes : int
        At least 2.
    n_cat_features, n_num_features : int
        Nominal fields, which come first, and numeric ones in [0, 1); one at least.
    n_categories_per_feature : int
        At least 2.
    max_tree_depth : int
        0 … 20.
    first_leaf_level : int
        From this level on a node may be a leaf.
    fraction_leaves_per_level : float
        Probability that it is, 0 … 1.
    seed : int
        Of the rows.
    model_seed : int or None
        Of the tree; by default that of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Raises
    ------
    OptionError
        If a parameter is out of range, or the tree would have more than a million nodes.

    Examples
    --------
    >>> from streamlearn.connectors.generators import RandomTree
    >>> stream = RandomTree(n_classes=3)
    >>> stream.poll(5).y.tolist(), stream.n_nodes
    ([1, 2, 2, 2, 1], 590)

    References
    ----------
    Domingos and Hulten, "Mining high-speed data streams", KDD 2000. Parameters and defaults are those of MOA's
    ``RandomTreeGenerator``.
    """

    def __init__(
        self,
        *,
        n_classes: int = 2,
        n_num_features: int = 5,
        n_cat_features: int = 5,
        n_categories_per_feature: int = 5,
        max_tree_depth: int = 5,
        first_leaf_level: int = 3,
        fraction_leaves_per_level: float = 0.15,
        seed: int = 1,
        model_seed: int | None = None,
        rows: int | None = None,
    ) -> None:
        check_range("n_classes", n_classes, 2, 10_000, kind=int)
        check_range("n_num_features", n_num_features, 0, 100_000, kind=int)
        check_range("n_cat_features", n_cat_features, 0, 100_000, kind=int)
        check_range("n_categories_per_feature", n_categories_per_feature, 2, 10_000, kind=int)
        check_range("max_tree_depth", max_tree_depth, 0, 20, kind=int)
        check_range("first_leaf_level", first_leaf_level, 0, 1_000, kind=int)
        check_range("fraction_leaves_per_level", fraction_leaves_per_level, 0, 1)
        if n_num_features + n_cat_features == 0:
            raise OptionError("n_num_features and n_cat_features can't both be 0")
        categories = numbered("value", n_categories_per_feature)
        fields = [
            *(Field(name, "nominal", [*categories]) for name in numbered("nominal", n_cat_features)),
            *map(Field, numbered("numeric", n_num_features)),
        ]
        super().__init__(schema_of(fields, numbered("class", n_classes)), seed=seed, rows=rows)
        self.n_classes, self.n_num_features, self.n_cat_features = n_classes, n_num_features, n_cat_features
        self.n_categories_per_feature, self.max_tree_depth = n_categories_per_feature, max_tree_depth
        self.first_leaf_level, self.fraction_leaves_per_level = first_leaf_level, fraction_leaves_per_level
        self.model_seed = model_seed
        self._field, self._split, self._child = self._grown()

    @property
    def n_nodes(self) -> int:
        """Nodes of the tree, leaves included."""
        return len(self._field)

    def _grown(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The tree, level by level: each node's field (-1: a leaf), threshold or class, and first child."""
        state = generator(model_seed_of(self.seed, self.model_seed), stream=1)
        fields: list[int] = []
        splits: list[float] = []
        children: list[int] = []
        lows, highs = (0.0,) * self.n_num_features, (1.0,) * self.n_num_features
        planned = [(0, tuple(range(self.n_cat_features)), lows, highs)]
        for depth, nominals, low, high in planned:  # which grows meanwhile
            may_stop = depth >= self.first_leaf_level
            stops = may_stop and uniform(state) < self.fraction_leaves_per_level
            if depth >= self.max_tree_depth or stops or not (nominals or self.n_num_features):
                fields.append(LEAF)
                splits.append(float(below(state, self.n_classes)))
                children.append(0)
                continue
            choice = below(state, len(nominals) + self.n_num_features)
            children.append(len(planned))
            if choice < len(nominals):
                fields.append(nominals[choice])
                splits.append(0.0)
                left = nominals[:choice] + nominals[choice + 1 :]
                planned += [(depth + 1, left, low, high)] * self.n_categories_per_feature
            else:
                j = choice - len(nominals)
                threshold = low[j] + (high[j] - low[j]) * uniform(state)
                fields.append(self.n_cat_features + j)
                splits.append(threshold)
                planned += [
                    (depth + 1, nominals, low, (*high[:j], threshold, *high[j + 1 :])),
                    (depth + 1, nominals, (*low[:j], threshold, *low[j + 1 :]), high),
                ]
            if len(planned) > MAX_NODES:
                raise OptionError(f"the tree would have more than {MAX_NODES:,} nodes: lower max_tree_depth")
        return np.array(fields), np.array(splits), np.array(children)

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _random_tree(
            self._key,
            first,
            X,
            y,
            self.n_cat_features,
            self.n_categories_per_feature,
            self._field,
            self._split,
            self._child,
        )


@kernel
def _random_tree(
    key: np.uint64,
    first: int,
    X: np.ndarray,
    y: np.ndarray,
    nominals: int,
    categories: int,
    fields: np.ndarray,
    splits: np.ndarray,
    children: np.ndarray,
) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        for j in range(X.shape[1]):
            X[i, j] = below(state, categories) if j < nominals else uniform(state)
        node = 0
        while fields[node] != LEAF:
            value = X[i, fields[node]]
            branch = int(value) if fields[node] < nominals else int(value >= splits[node])
            node = children[node] + branch
        y[i] = int(splits[node])
