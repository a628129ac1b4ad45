"""River's own estimator checks, on every registered learner."""

from __future__ import annotations

import warnings
from urllib.error import URLError

import pytest
from river.checks import yield_checks

from streamlearn.models import make_learner

from .conftest import NAMES


def checks() -> list[object]:
    found = []
    for name in NAMES:
        for check in yield_checks(make_learner(name)):
            found.append(pytest.param(name, check, id=f"{name}-{check.__name__}"))
    return found


@pytest.mark.parametrize(("name", "check"), checks())
def test_river_check(name: str, check: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # River's data sets and pandas warn about each other
        try:
            check(make_learner(name))  # type: ignore[operator]
        except URLError:
            pytest.skip("River downloads this check's data set")
