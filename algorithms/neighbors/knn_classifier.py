"""Classification by the nearest of the last rows."""

from __future__ import annotations

from streamlearn.array_learner import Classifier
from streamlearn.errors import OptionError
from streamlearn.schema import Schema

from . import kernels
from .kernels import advance_classifier
from .neighbors import NearestNeighbors


class KNNClassifier(NearestNeighbors, Classifier):
    """Votes of the nearest among the last rows learned, found by comparing with every one of them.

    Numeric fields are scaled by their range in the window, so that their units don't matter; the query may lie outside
    it. Categories differ by 1 or not at all. A missing category differs by 1 from everything, another missing one
    included; a missing number is as far from a value as the range allows, and by the whole range from another missing
    one (Weka's rules). Fields that no row of the window has don't count. Infinities, numbers beyond ±1e100 and
    categories that were not learned count as missing.

    Rows as near as the ``n_neighbors``-th vote too, so there may be more votes than that. Ties of votes go to the class
    with the lowest code. Before the first label nothing is predicted (code -1).

    Parameters
    ----------
    n_neighbors : int, in [1, window_size]
        How many neighbours vote.
    window_size : int, in [1, 1000000]
        How many of the last labelled rows are kept: the oldest is forgotten when the next one comes.
    weighted : bool
        Whether votes count by the inverse of the distance; then rows at distance 0, if there are any, vote alone.
    p : float, in [1, 100]
        Minkowski's power: 1 is the Manhattan distance, 2 the Euclidean one. 1 and 2 are by far the fastest.
    scale : bool
        Whether numeric fields are scaled by their range. Without it a missing number is as far as the other end of
        the range in the window.
    schema
        The stream's schema; inferred from the first data by default.

    Raises
    ------
    OptionError
        If a parameter is out of range.

    Notes
    -----
    With the defaults it is MOA's ``lazy.kNN``, prediction for prediction. MOA ignores weights; here a row's vote counts
    as much as its weight. River's ``KNNClassifier`` does not scale, has ``n_neighbors=5`` and ``weighted=True``, and by
    default searches approximately; its ``LazySearch`` takes exactly ``n_neighbors`` where several are equally far.

    A prediction costs O(window_size × fields). Learning costs O(fields), and O(window_size) for each field whose range
    changes. The state takes ``16 × window_size × (fields + 1)`` bytes, all of it from the beginning.

    References
    ----------
    Cover and Hart, Nearest neighbor pattern classification, IEEE Transactions on Information Theory 13, 1967. Bifet,
    Holmes, Kirkby and Pfahringer, MOA: massive online analysis, JMLR 11, 2010.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.KNNClassifier(n_neighbors=3, window_size=100)
    >>> for i in range(50):
    ...     model.learn_one({"hour": i % 24, "place": "shop" if i % 3 else "web"}, "yes" if i % 24 > 12 else "no")
    >>> model.predict_one({"hour": 20, "place": "web"})
    'yes'
    >>> model.predict_proba_one({"hour": 2, "place": "shop"})
    {'no': 1.0, 'yes': 0.0}
    """

    _advance = staticmethod(advance_classifier)

    def __init__(
        self,
        *,
        n_neighbors: int = 10,
        window_size: int = 1000,
        weighted: bool = False,
        p: float = 2.0,
        scale: bool = True,
        schema: Schema | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.window_size = window_size
        self.weighted = weighted
        self.p = p
        self.scale = scale
        self._check_parameters()
        if not isinstance(weighted, bool):
            raise OptionError(f"weighted must be True or False, got {weighted!r}")
        super().__init__(schema=schema)

    def _vote(self) -> int:
        return kernels.BY_DISTANCE if self.weighted else kernels.EQUAL
