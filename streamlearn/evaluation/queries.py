"""Which rows to ask a label for, when labels cost something and there is a budget.

The strategies are those of Žliobaitė, Bifet, Pfahringer and Holmes, "Active learning with drifting streaming data",
IEEE Transactions on Neural Networks and Learning Systems 25, 2014. The budget is a share of the rows; what was spent is
estimated over about the last 100 rows, as there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import OptionError
from ..parameters import check_range
from ..registry import near, parse_call, unknown_name

MEMORY = 100


@dataclass(kw_only=True)
class Query:
    """Base of the strategies: counts what was spent, and asks only while that is below the budget.

    Parameters
    ----------
    budget : float
        The share of rows to ask for, in (0, 1].
    seed : int
        Of the random draws.
    """

    budget: float = 0.1
    seed: int = 0
    _spent: float = field(default=0.0, init=False, repr=False)
    _random: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        check_range("budget", self.budget, 0, 1, open_low=True)
        check_range("seed", self.seed, 0, 2**64 - 1, kind=int)
        self._random = np.random.default_rng([self.seed, 4])

    def ask(self, confidence: float) -> bool:
        """Whether to ask for the label of a row, given the probability of its most likely class (0 if unknown)."""
        draw = float(self._random.random())  # one a row, whatever comes of it
        wanted = self._spent / MEMORY < self.budget and self._wants(confidence, draw)
        self._spent = self._spent * (MEMORY - 1) / MEMORY + wanted
        return wanted

    def _wants(self, confidence: float, draw: float) -> bool:
        raise NotImplementedError


@dataclass(kw_only=True)
class RandomQuery(Query):
    """Asks at random, for as many rows as the budget allows."""

    def _wants(self, confidence: float, draw: float) -> bool:
        return draw < self.budget

    def ask(self, confidence: float) -> bool:
        """Whether to ask; the draws alone keep the budget."""
        return self._wants(confidence, float(self._random.random()))


@dataclass(kw_only=True)
class FixedUncertaintyQuery(Query):
    """Asks where the most likely class is less likely than a fixed threshold.

    Parameters
    ----------
    threshold : float
        In (0, 1].
    """

    threshold: float = 0.9

    def __post_init__(self) -> None:
        Query.__post_init__(self)
        check_range("threshold", self.threshold, 0, 1, open_low=True)

    def _wants(self, confidence: float, draw: float) -> bool:
        return confidence < self.threshold


@dataclass(kw_only=True)
class VariableUncertaintyQuery(Query):
    """Asks below a threshold that falls with each label that was asked for, and rises with each that was not needed.

    Parameters
    ----------
    step : float
        By which share the threshold moves, in (0, 1).
    """

    step: float = 0.01
    _threshold: float = field(default=1.0, init=False, repr=False)

    def __post_init__(self) -> None:
        Query.__post_init__(self)
        check_range("step", self.step, 0, 1, open_low=True)

    def _wants(self, confidence: float, draw: float) -> bool:
        return self._below(confidence, self._threshold)

    def _below(self, confidence: float, threshold: float) -> bool:
        asks = confidence < threshold
        self._threshold *= 1.0 - self.step if asks else 1.0 + self.step
        return asks


@dataclass(kw_only=True)
class RandomisedUncertaintyQuery(VariableUncertaintyQuery):
    """As `VariableUncertaintyQuery`, with the threshold multiplied by a normal number of mean 1 for each row, so that
    changes far from the boundary between classes are noticed too.

    Parameters
    ----------
    spread : float
        Standard deviation of that number, > 0.
    """

    spread: float = 1.0

    def __post_init__(self) -> None:
        VariableUncertaintyQuery.__post_init__(self)
        check_range("spread", self.spread, 0, 100, open_low=True)

    def _wants(self, confidence: float, draw: float) -> bool:
        return self._below(confidence, self._threshold * float(self._random.normal(1.0, self.spread)))


QUERIES: dict[str, type[Query]] = {
    "random": RandomQuery,
    "fixed_uncertainty": FixedUncertaintyQuery,
    "variable_uncertainty": VariableUncertaintyQuery,
    "randomised_uncertainty": RandomisedUncertaintyQuery,
}
"""The strategies by the names that the command line has for them."""


def make_query(what: Any) -> Query:
    """A strategy in its first state, from a name with parameters or from one like it.

    Raises
    ------
    OptionError
        If the name or a parameter is unknown, or a value out of range.

    Examples
    --------
    >>> make_query("variable_uncertainty:budget=0.05")
    VariableUncertaintyQuery(budget=0.05, seed=0, step=0.01)
    """
    if isinstance(what, Query):
        fresh = {name: value for name, value in vars(what).items() if not name.startswith("_")}
        return type(what)(**fresh)
    if not isinstance(what, str):
        raise OptionError(f"query must be one of {', '.join(QUERIES)} or a Query, got {what!r}")
    name, params = parse_call(what)
    if name not in QUERIES:
        raise unknown_name("query", name, QUERIES)
    known = [param for param in QUERIES[name].__dataclass_fields__ if not param.startswith("_")]
    for param in params:
        if param not in known:
            close = near(param, known)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
            raise OptionError(f"query {name}: unknown parameter {param!r}; {hint}")
    return QUERIES[name](**params)
