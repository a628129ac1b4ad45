"""A package of somebody else adds a learner by an entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODULE = '''
"""A learner that somebody else wrote."""

from typing import Any, NamedTuple

import numpy as np

from streamlearn.array_learner import Classifier
from streamlearn.compiled import kernel, struct


class CoinArrays(NamedTuple):
    side: np.ndarray


Coin, CoinType = struct(CoinArrays)


@kernel
def make_coin(a: CoinArrays) -> Any:
    return Coin(a.side)


@kernel
def advance(s: Any, work: Any, start: int) -> int:
    for step in range(start, len(work.schedule)):
        i = work.schedule[step]
        if i >= 0:
            work.prediction[i] = s.side[0]
        elif work.y[~i] >= 0:
            s.side[0] = work.y[~i]
    return len(work.schedule)


class TossedCoin(Classifier):
    """Says what was said last."""

    _arrays_type = CoinArrays
    _pack = staticmethod(make_coin)
    _advance = staticmethod(advance)

    def _layout(self, shape):
        return {"side": (np.int64, (1,))}
'''

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "tossed-coin"
version = "1.0"

[project.entry-points."streamlearn.learners"]
tossed_coin = "tossed_coin:TossedCoin"

[tool.setuptools]
py-modules = ["tossed_coin"]
"""

USE = """
import streamlearn as sl
model = sl.make_learner("tossed_coin")
assert type(model) is sl.TossedCoin
model.learn_one({"x": 1.0}, "heads")
model.save("coin")
assert sl.load("coin").predict_one({"x": 2.0}) == "heads"
print(sl.evaluate("electricity", "tossed", metrics=["accuracy"], limit=1000))
"""


def test_an_installed_package_adds_a_learner(tmp_path: Path) -> None:
    package, site = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    (package / "tossed_coin.py").write_text(MODULE)
    (package / "pyproject.toml").write_text(PROJECT)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(package)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    used = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert "tossed" in used.stdout
    listed = subprocess.run(
        [sys.executable, "-c", "from streamlearn.cli import main; main()", "list", "learners"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "tossed_coin" in listed.stdout
    assert "Says what was said last" in listed.stdout
