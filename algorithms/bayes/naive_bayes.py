"""The naive Bayes classifier."""

from __future__ import annotations

import numpy as np

from streamlearn.array_learner import Classifier, Layout, capacity
from streamlearn.errors import StateError
from streamlearn.schema import Shape

from .kernels import BayesArrays, advance, make_bayes


class NaiveBayes(Classifier):
    """Naive Bayes: normal densities for numeric fields, Laplace-corrected frequencies for nominal ones, as in MOA.

    The vote of a class is the product, multiplied out in field order, of its share of the weight learned and the
    likelihoods of the row's values. The greatest vote wins, the lowest code on ties; where all votes are 0 (far-off
    values, or so many fields that the product underflows) it is class 0, as in MOA, and the probabilities are uniform.

    - Numeric field: the normal density with the class's mean and sample variance. Without variance, the factor is 1 if
      the value is the only one seen, else 0.
    - Nominal field: ``(weight of the category + 1) / (weight of all + slots)``, where ``slots`` is the highest category
      code seen with the class, plus 1. A category not seen before has weight 0.
    - A field of which a class has learned nothing, but another class has: the factor is 0.
    - Missing values are skipped when learning and when predicting; so are infinities and numbers beyond ±1e100, and
      fields of which nothing was learned yet.

    A row of weight ``w`` counts as ``w`` rows, also in the sample variance ``S / (weight - 1)``; weight 0 is not
    learned.

    Parameters
    ----------
    schema
        The stream's schema; inferred from the first data by default.

    Notes
    -----
    River's ``GaussianNB`` and ``CategoricalNB`` take one kind of field each. MOA returns the votes as they are; here
    they are normalised to probabilities. Learning a row costs O(fields), predicting O(fields × classes).

    References
    ----------
    John and Langley, Estimating continuous distributions in Bayesian classifiers, UAI 1995. Bifet et al., MOA: Massive
    online analysis, JMLR 11, 2010.

    Examples
    --------
    >>> import streamlearn as sl
    >>> model = sl.NaiveBayes()
    >>> rows = [(7, "red", "apple"), (8, "red", "apple"), (18, "green", "melon"), (20, "red", "melon")]
    >>> for size, colour, fruit in rows:
    ...     model.learn_one({"size": size, "colour": colour}, fruit)
    >>> model.predict_one({"size": 17, "colour": "green"})
    'melon'
    >>> {fruit: round(p, 3) for fruit, p in model.predict_proba_one({"colour": "red"}).items()}
    {'apple': 0.667, 'melon': 0.333}
    """

    _arrays_type = BayesArrays
    _pack = staticmethod(make_bayes)
    _advance = staticmethod(advance)

    def _layout(self, shape: Shape) -> Layout:
        M = sum(shape.nominal)
        N = len(shape.nominal) - M
        C = capacity(shape.n_classes)
        V = int(_offsets(shape)[-1])
        return {
            "place": (np.int64, (N + M,)),
            "numeric": (np.int64, (N,)),
            "nominal": (np.int64, (M,)),
            "offset": (np.int64, (M + 1,)),
            "observed": (np.bool_, (N + M,)),
            "known": (np.int64, (1,)),
            "total": (np.float64, (1,)),
            "class_weight": (np.float64, (C,)),
            "weight": (np.float64, (C, N)),
            "mean": (np.float64, (C, N)),
            "spread": (np.float64, (C, N)),
            "tally": (np.float64, (V, C)),
            "present": (np.float64, (M, C)),
            "slots": (np.int64, (M, C)),
            "precision": (np.float64, (C, N)),
            "share": (np.float64, (M, C)),
            "log_constant": (np.float64, (C,)),
            "log_peak": (np.float64, (C,)),
        }

    def _allocate(self, shape: Shape) -> BayesArrays:
        arrays: BayesArrays = super()._allocate(shape)
        arrays.log_constant.fill(-np.inf)
        arrays.precision.fill(np.nan)
        return arrays._replace(**_places(shape))

    def _grow(self, arrays: BayesArrays, old: Shape, new: Shape) -> BayesArrays:
        if self._layout(old) == self._layout(new):
            return arrays
        grown: BayesArrays = super()._grow(arrays._replace(tally=arrays.tally[:0]), old, new)._replace(**_places(new))
        for m in range(len(arrays.nominal)):
            before = arrays.tally[arrays.offset[m] : arrays.offset[m + 1]]
            first = grown.offset[m]
            grown.tally[first : first + len(before), : before.shape[1]] = before
        return grown

    def _check(self, arrays: BayesArrays, shape: Shape) -> None:
        super()._check(arrays, shape)
        for name, expected in _places(shape).items():
            if not np.array_equal(getattr(arrays, name), expected):
                raise StateError(f"array {name!r} does not belong to the fields of the schema")
        if not 0 <= arrays.known[0] <= shape.n_classes:
            raise StateError(f"array 'known': {arrays.known[0]} is not a number of classes, 0 … {shape.n_classes}")


def _places(shape: Shape) -> dict[str, np.ndarray]:
    """The arrays that say where each field's statistics are."""
    is_nominal = np.array(shape.nominal, np.bool_)
    place = np.where(is_nominal, ~(np.cumsum(is_nominal) - 1), np.cumsum(~is_nominal) - 1)
    return {
        "place": place.astype(np.int64),
        "numeric": np.flatnonzero(~is_nominal).astype(np.int64),
        "nominal": np.flatnonzero(is_nominal).astype(np.int64),
        "offset": _offsets(shape),
    }


def _offsets(shape: Shape) -> np.ndarray:
    """First row of each nominal field's categories in the table that holds them all, and its length."""
    rooms = [capacity(n) for n, nominal in zip(shape.cardinality, shape.nominal, strict=True) if nominal]
    return np.cumsum([0, *rooms], dtype=np.int64)
