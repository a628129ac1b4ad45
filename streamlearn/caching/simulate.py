"""What policies make of a trace: their miss ratios at several sizes, and how fast they are."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OptionError
from ..evaluation.progress import Progress
from ..evaluation.result import strict
from ..evaluation.table import Column, as_text, best_of, for_terminal
from ..models import make_policy
from ..parameters import check_range
from .policy import CachePolicy
from .synthetic import wrong_bits
from .traces import as_trace, sizes_of

if TYPE_CHECKING:
    from rich.table import Table

OPT = "opt"
"""Called so, a policy that knows the future: the least misses that are possible."""
DEFAULT_POLICIES = ("lru", "s3_fifo", "sieve", "learned_bit", OPT)
_FORESIGHT = "blind_oracle"  # evicts what is predicted to come latest: with the truth, that is the optimal policy


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheRun:
    """One policy at one size.

    Attributes
    ----------
    policy : str
    size : int
        How many pages the cache holds.
    requests, misses : int
    seconds : float
        Processor time that the policy took, learning included, after a short run that compiled it.
    """

    policy: str
    size: int
    requests: int
    misses: int
    seconds: float

    @property
    def miss_ratio(self) -> float:
        """Misses over requests."""
        return self.misses / self.requests


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulation:
    """What policies made of a trace.

    Attributes
    ----------
    trace : str
    requests, keys, parts : int
    sizes : list of int
    runs : list of CacheRun
    settings : dict
    """

    trace: str
    requests: int
    keys: int
    parts: int
    sizes: list[int]
    runs: list[CacheRun]
    settings: dict[str, Any]

    @property
    def policies(self) -> list[str]:
        """Names of the policies."""
        return list(dict.fromkeys(run.policy for run in self.runs))

    def of(self, policy: str) -> list[CacheRun]:
        """A policy's runs, by size."""
        return [run for run in self.runs if run.policy == policy]

    def _columns(self) -> list[Column]:
        columns = [Column("policy", self.policies, is_text=True)]
        for size in self.sizes:
            ratios = [next(run.miss_ratio for run in self.of(policy) if run.size == size) for policy in self.policies]
            online = [np.nan if policy == OPT else ratio for policy, ratio in zip(self.policies, ratios, strict=True)]
            best = best_of(online, higher_is_better=False) if len(online) > 1 else frozenset()
            columns.append(Column(f"{size:,}", [f"{ratio:.4f}" for ratio in ratios], best=best))
        rates = [_rate(self.of(policy)) for policy in self.policies]
        return [*columns, Column("M requests/s of CPU", [f"{rate:.2f}" for rate in rates])]

    @property
    def _title(self) -> str:
        parts = f" in {self.parts} parts" if self.parts > 1 else ""
        return f"{self.trace}: {self.requests:,} requests of {self.keys:,} keys{parts}; miss ratios by size"

    def table(self, width: int | None = None) -> Table:
        """Miss ratios as a table for the terminal: a line a policy, a column a size; the best online one is bold."""
        return for_terminal(self._columns(), self._title, [], width)

    def to_text(self) -> str:
        """The same as plain text."""
        return "\n".join([self._title, "", *as_text(self._columns())])

    def __str__(self) -> str:
        return self.to_text()

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        runs = [
            {"policy": r.policy, "size": r.size, "requests": r.requests, "misses": r.misses,
             "miss_ratio": r.miss_ratio, "seconds": r.seconds} for r in self.runs
        ]  # fmt: skip
        about = {"trace": self.trace, "requests": self.requests, "keys": self.keys, "parts": self.parts}
        return {**about, "sizes": self.sizes, "settings": strict(self.settings), "runs": runs}

    def to_json(self, path: str | Path) -> None:
        """Write everything as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw the miss ratio of each policy over the size.

        Parameters
        ----------
        path
            Ends in .png, .svg or .pdf.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        from .curves import plot_miss_ratios

        plot_miss_ratios(self, path)


def simulate(
    trace: Any,
    policies: Sequence[str] = DEFAULT_POLICIES,
    sizes: Sequence[int | str] = ("0.1%", "1%", "10%"),
    *,
    wrong: float = 0.0,
    seed: int = 0,
    progress: bool = False,
) -> Simulation:
    """Let policies serve a trace, each at several sizes.

    Policies that need discard bits get the true ones, those of the optimal policy at the same size, of which a share
    may be made wrong; policies that need next arrivals get the true ones. Policies that need nothing, ``learned_bit``
    among them, are online: they know only the past.

    Parameters
    ----------
    trace
        A `Trace`, a path (see `traces.open_trace`), or keys in an array or a list.
    policies
        Registered policies, as ``"NAME"`` or ``"NAME:param=value,…"``; ``"opt"`` is the optimal one.
    sizes
        How many pages the cache holds: numbers, or shares of the trace's keys such as ``"1%"``.
    wrong
        The share of discard bits that are flipped, at random, from 0 to 1.
    seed
        Of these flips, and of policies that have a seed and don't say it.
    progress
        Whether to show progress on stderr.

    Raises
    ------
    OptionError
        If a policy or a size is none.
    InputError
        If the trace can't be read.

    Examples
    --------
    >>> result = simulate([1, 2, 3, 1, 2, 4, 1, 2], ["lru", "opt"], [2])
    >>> [(run.policy, run.misses) for run in result.runs]
    [('lru', 8), ('opt', 6)]
    """
    check_range("wrong", wrong, 0.0, 1.0)
    requests = as_trace(trace)
    capacities = sizes_of(sizes, requests)
    if not policies or not capacities:
        raise OptionError("name at least one policy and one size")
    for policy in policies:
        _made(policy, capacities[0], seed)  # mistakes show before any work
    runs = []
    total = requests.requests * len(policies) * len(capacities)
    with Progress(requests.name, total, enabled=progress) as shown:
        for size in capacities:
            foresight = _Foresight(requests.parts, size, wrong, seed)
            for policy in policies:
                run = _run(policy, size, requests.parts, foresight, seed)
                runs.append(run)
                shown.count(run.requests)
    about = {"wrong": wrong, "seed": seed}
    return Simulation(
        trace=requests.name,
        requests=requests.requests,
        keys=requests.keys,
        parts=len(requests.parts),
        sizes=capacities,
        runs=runs,
        settings=about,
    )


def _run(policy: str, size: int, parts: list[np.ndarray], foresight: _Foresight, seed: int) -> CacheRun:
    misses, seconds = 0, 0.0
    _serve(_made(policy, size, seed), parts[0][:100], 0, foresight)  # compiles it
    for number, part in enumerate(parts):
        made = _made(policy, size, seed)
        advice = foresight.of(made.advice, number)
        started = time.thread_time()
        misses += int(np.count_nonzero(~made.access_many(part, **advice).hits))
        seconds += time.thread_time() - started
    return CacheRun(policy=policy, size=size, requests=sum(map(len, parts)), misses=misses, seconds=seconds)


def _serve(made: CachePolicy, pages: np.ndarray, number: int, foresight: _Foresight) -> None:
    made.access_many(pages, **{k: v[: len(pages)] for k, v in foresight.of(made.advice, number).items()})


def _made(policy: str, size: int, seed: int) -> CachePolicy:
    name = policy if policy != OPT else _FORESIGHT
    made = make_policy(name, capacity=size)
    if made.advice == "phase":
        raise OptionError(f"{policy} needs phase bits, which a simulation can't give it")
    return type(made)(**{**made.params, "seed": seed}) if made.params.get("seed") == 0 else made


class _Foresight:
    """What only the future tells, made when it is first asked for."""

    def __init__(self, parts: list[np.ndarray], size: int, wrong: float, seed: int) -> None:
        self._parts, self._size, self._wrong, self._seed = parts, size, wrong, seed
        self._arrivals: dict[int, np.ndarray] = {}
        self._bits: dict[int, np.ndarray] = {}

    def of(self, advice: str, part: int) -> dict[str, Any]:
        """The arguments of `CachePolicy.access_many` that a policy needs."""
        if advice == "next arrival":
            return {"predicted": self._next(part)}
        return {"bits": self._discard(part)} if advice == "discard" else {}

    def _next(self, part: int) -> np.ndarray:
        if part not in self._arrivals:
            self._arrivals[part] = next_arrivals(self._parts[part])
        return self._arrivals[part]

    def _discard(self, part: int) -> np.ndarray:
        if part not in self._bits:
            pages = self._parts[part]
            best = make_policy(_FORESIGHT, capacity=self._size)
            bits = discard_bits(pages, best.access_many(pages, predicted=self._next(part)).evicted)
            self._bits[part] = wrong_bits(bits, ones=self._wrong, seed=self._seed + part)
        return self._bits[part]


def next_arrivals(pages: np.ndarray) -> np.ndarray:
    """When each page is requested next, float64 [n]; ``2 n - i`` for never after request ``i``."""
    n = len(pages)
    order = np.argsort(pages, kind="stable")
    arrivals = 2.0 * n - np.arange(n)
    again = pages[order[1:]] == pages[order[:-1]]
    arrivals[order[:-1][again]] = order[1:][again]
    return arrivals


def discard_bits(pages: np.ndarray, evicted: np.ndarray) -> np.ndarray:
    """For each request whether its page was evicted before it was requested again, uint8 [n]: what a policy did."""
    n = len(pages)
    bits = np.zeros(n, np.uint8)
    when = np.flatnonzero(evicted >= 0)
    order = np.argsort(pages, kind="stable")  # by page, then by time
    ranks = pages[order].astype(np.int64) * n + order
    latest = np.searchsorted(ranks, evicted[when].astype(np.int64) * n + when) - 1
    bits[order[latest]] = 1
    return bits


def _rate(runs: list[CacheRun]) -> float:
    return sum(run.requests for run in runs) / max(1e-9, sum(run.seconds for run in runs)) / 1e6
