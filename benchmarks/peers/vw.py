"""Vowpal Wabbit: one progressive pass over its binary cache, inside its own driver."""

# mypy: disable-error-code="import-untyped,import-not-found"

from __future__ import annotations

import time
from pathlib import Path
from types import MappingProxyType
from typing import Any

import formats
from streams import Stream

from .contract import Peer, Ready, Round

OPTIONS = MappingProxyType(
    {
        "neural net": "--nn 10 --loss_function logistic",
        "linear": "--loss_function logistic",
    }
)
"""Its learners; the logistic loss is the better of its losses here (electricity, neural net: 88.6 against 87.6 %)."""


def _prepare(folder: Path, rows: int, learner: str) -> Ready:
    n_classes = len(Stream.load(folder).classes)
    text, cache = folder / formats.VW_TEXT, folder / f"{learner.replace(' ', '-')}-{rows}.cache"
    command = f"--quiet --no_stdin --oaa {n_classes} {OPTIONS[learner]} --examples {rows}"
    command += f" --data {text} --cache_file {cache}"

    def run() -> Round:
        start = time.perf_counter()
        workspace = _drive(command)
        seconds = time.perf_counter() - start
        loss = workspace.get_sum_loss() / workspace.get_weighted_examples()  # 0/1 loss, each row before it is learned
        workspace.finish()
        return Round(seconds, 1.0 - loss)

    return Ready(run, warm_up=run)  # the first pass parses the text and writes the cache


def _drive(command: str) -> Any:
    """Let VW's driver read all rows: it does so as soon as a workspace with a data file is made."""
    from vowpalwabbit import Workspace

    return Workspace(command)


PEER = Peer("Vowpal Wabbit", tuple(OPTIONS), _prepare, write=formats.write_vw, packages=("vowpalwabbit",))
