"""Agrawal's loan applications: nine fields, ten functions that decide."""

from __future__ import annotations

import math

import numpy as np

from streamlearn.compiled import inlined, kernel
from streamlearn.parameters import check_flag, check_range
from streamlearn.random import below, restart, uniform
from streamlearn.schema import Field

from .generator import Generator, numbered, schema_of, wanted_class


class Agrawal(Generator):
    """Loan applications: salary, commission, age, education, car, zip code, house value, years and loan.

    One of ten functions of the paper decides on ``groupA`` or ``groupB``; numbers are perturbed afterwards.

    Parameters
    ----------
    function : int
        1 … 10, in the paper's order.
    perturbation : float
        A number moves by up to this share of its range, 0 … 1, within the range.
    balance_classes : bool
        Whether both classes are equally frequent.
    seed : int
        Of the rows.
    rows : int or None
        Length of the stream; None for no end.

    Examples
    --------
    >>> from streamlearn.connectors.generators import Agrawal
    >>> stream = Agrawal(function=1, perturbation=0.0)
    >>> stream.schema.decode_row(stream.poll(1).X[0])["age"]
    77.0

    References
    ----------
    Agrawal, Imielinski and Swami, "Database mining: a performance perspective", IEEE Transactions on Knowledge and Data
    Engineering 5(6), 1993. Parameters, defaults and the perturbation are those of MOA's ``AgrawalGenerator``.
    """

    def __init__(
        self,
        *,
        function: int = 1,
        perturbation: float = 0.05,
        balance_classes: bool = False,
        seed: int = 1,
        rows: int | None = None,
    ) -> None:
        check_flag("balance_classes", balance_classes)
        check_range("function", function, 1, 10, kind=int)
        check_range("perturbation", perturbation, 0, 1)
        fields: list[Field | str] = [
            "salary",
            "commission",
            "age",
            Field("elevel", "nominal", [*numbered("level", 5, first=0)]),
            Field("car", "nominal", [*numbered("car", 20)]),
            Field("zipcode", "nominal", [*numbered("zipcode", 9)]),
            "hvalue",
            "hyears",
            "loan",
        ]
        super().__init__(schema_of(fields, ["groupA", "groupB"]), seed=seed, rows=rows)
        self.function, self.perturbation, self.balance_classes = function, perturbation, balance_classes

    def _fill(self, first: int, X: np.ndarray, y: np.ndarray) -> None:
        _agrawal(self._key, first, X, y, self.function, float(self.perturbation), self.balance_classes)


@inlined
def _within(value: float, low: float, high: float) -> bool:
    return low <= value <= high


@inlined
def _group_by_salary(age: float, salary: float) -> bool:
    """Functions 2 and 6: the salary that fits the age."""
    if age < 40:
        return _within(salary, 50e3, 100e3)
    if age < 60:
        return _within(salary, 75e3, 125e3)
    return _within(salary, 25e3, 75e3)


@inlined
def _group_by_education(age: float, level: float) -> bool:
    """Function 3: the education that fits the age."""
    if age < 40:
        return level <= 1
    if age < 60:
        return 1 <= level <= 3
    return level >= 2


@inlined
def _group_by_education_and_salary(age: float, level: float, salary: float) -> bool:
    """Function 4."""
    educated = _group_by_education(age, level)
    if age < 40:
        return _within(salary, 25e3, 75e3) if educated else _within(salary, 50e3, 100e3)
    if age < 60:
        return _within(salary, 50e3, 100e3) if educated else _within(salary, 75e3, 125e3)
    return _within(salary, 50e3, 100e3) if educated else _within(salary, 25e3, 75e3)


@inlined
def _group_by_salary_and_loan(age: float, salary: float, loan: float) -> bool:
    """Function 5."""
    earning = _group_by_salary(age, salary)
    if age < 40:
        return _within(loan, 100e3, 300e3) if earning else _within(loan, 200e3, 400e3)
    if age < 60:
        return _within(loan, 200e3, 400e3) if earning else _within(loan, 300e3, 500e3)
    return _within(loan, 300e3, 500e3) if earning else _within(loan, 100e3, 300e3)


@inlined
def _is_group_a(
    function: int,
    salary: float,
    commission: float,
    age: float,
    level: float,
    house_value: float,
    house_years: float,
    loan: float,
) -> bool:
    if function == 1:
        return age < 40 or age >= 60
    if function == 2:
        return _group_by_salary(age, salary)
    if function == 3:
        return _group_by_education(age, level)
    if function == 4:
        return _group_by_education_and_salary(age, level, salary)
    if function == 5:
        return _group_by_salary_and_loan(age, salary, loan)
    if function == 6:
        return _group_by_salary(age, salary + commission)
    income = 2.0 * (salary + commission) / 3.0
    if function == 7:
        return income - loan / 5.0 - 20e3 > 0
    if function == 8:
        return income - 5e3 * level - 20e3 > 0
    if function == 9:
        return income - 5e3 * level - loan / 5.0 - 10e3 > 0
    equity = house_value * (house_years - 20.0) / 10.0 if house_years >= 20 else 0.0
    return income - 5e3 * level + equity / 5.0 - 10e3 > 0


@inlined
def _perturbed(state: np.ndarray, value: float, extent: float, low: float, high: float, share: float) -> float:
    return min(max(value + extent * (2.0 * uniform(state) - 1.0) * share, low), high)


@kernel
def _agrawal(
    key: np.uint64, first: int, X: np.ndarray, y: np.ndarray, function: int, share: float, balanced: bool
) -> None:
    state = np.empty(4, np.uint64)
    for i in range(len(X)):
        restart(state, key, first + i)
        wanted = wanted_class(balanced, first + i)
        while True:
            salary = 20e3 + 130e3 * uniform(state)
            commission = 0.0 if salary >= 75e3 else 10e3 + 65e3 * uniform(state)
            age = 20.0 + below(state, 61)
            level = float(below(state, 5))
            car = float(below(state, 20))
            zipcode = float(below(state, 9))
            top = (9.0 - zipcode) * 100e3
            house_value = top * (0.5 + uniform(state))
            house_years = 1.0 + below(state, 30)
            loan = 500e3 * uniform(state)
            is_a = _is_group_a(function, salary, commission, age, level, house_value, house_years, loan)
            if wanted in (-1, 1 - is_a):
                break
        if share > 0:
            salary = _perturbed(state, salary, 130e3, 20e3, 150e3, share)
            if commission > 0:
                commission = _perturbed(state, commission, 65e3, 10e3, 75e3, share)
            age = math.floor(_perturbed(state, age, 60.0, 20.0, 80.0, share) + 0.5)
            house_value = _perturbed(state, house_value, top, 0.0, 135e3, share)  # sic: MOA's bound is low
            house_years = math.floor(_perturbed(state, house_years, 29.0, 1.0, 30.0, share) + 0.5)
            loan = _perturbed(state, loan, 500e3, 0.0, 500e3, share)
        X[i, 0], X[i, 1], X[i, 2] = salary, commission, age
        X[i, 3], X[i, 4], X[i, 5] = level, car, zipcode
        X[i, 6], X[i, 7], X[i, 8] = house_value, house_years, loan
        y[i] = 1 - is_a
