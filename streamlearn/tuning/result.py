"""What a search found, as a table, as JSON and as a picture."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import models
from ..evaluation.metrics import METRICS
from ..evaluation.result import format_metric, strict
from ..evaluation.table import rendered
from ..learner import Learner

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One candidate.

    Attributes
    ----------
    number : int
        0 is the learner as it was given.
    params : dict
        What was tuned; empty for trial 0.
    scores : dict of int to float
        The metric by rows run over.
    seconds : float
        Time that its runs took.
    """

    number: int
    params: dict[str, Any]
    scores: dict[int, float]
    seconds: float

    @property
    def rows(self) -> int:
        """The most rows that it ran over."""
        return max(self.scores)

    @property
    def score(self) -> float:
        """The metric over the most rows."""
        return self.scores[self.rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """The trials of a search, the best first: those that ran longest, by their scores.

    Attributes
    ----------
    stream, learner, metric, search : str
    rows : int
        Rows tuned on.
    trials : list of Trial
    """

    stream: str
    learner: str
    metric: str
    search: str
    rows: int
    trials: list[Trial]

    @property
    def best(self) -> Trial:
        """The winner."""
        return self.trials[0]

    @property
    def spec(self) -> str:
        """The winner as the command line writes it, to evaluate it with."""
        if not self.best.params:
            return self.learner
        extra = ",".join(f"{name}={_shown(value)}" for name, value in self.best.params.items())
        last = self.learner.rpartition("|")[2]
        return f"{self.learner}{',' if ':' in last else ':'}{extra}"

    def make_learner(self) -> Learner:
        """A new learner with the winner's parameters."""
        return models.make_learner(self.learner, **self.best.params)

    def table(self, shown: int = SHOWN) -> Table:
        """The best trials, and the learner as it was given, as a table for the terminal."""
        from rich import box
        from rich.table import Table

        metric = METRICS[self.metric]
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.params))
        table = Table(
            title=f"{self.learner} on {self.stream}: {self.search}, {len(self.trials)} trials, {self.rows:,} rows",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for title in ("Trial", *names, "Rows", metric.title + (" %" if metric.percent else ""), "Seconds"):
            table.add_column(title, justify="right")
        for place, trial in enumerate(self.trials):
            if place < shown or trial.number == 0:
                values = [_shown(trial.params[name]) if name in trial.params else "as given" for name in names]
                score = format_metric(self.metric, trial.score)
                cells = [str(trial.number), *values, f"{trial.rows:,}", score, f"{trial.seconds:.1f}"]
                table.add_row(*cells, style="bold" if place == 0 else None)
        return table

    def __str__(self) -> str:
        return rendered(self.table())

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Everything as JSON; also written to ``path`` if given."""
        document = {
            "stream": self.stream,
            "learner": self.learner,
            "metric": self.metric,
            "search": self.search,
            "rows": self.rows,
            "best": self.spec,
            "trials": [
                {
                    "trial": trial.number,
                    "params": trial.params,
                    "scores": trial.scores,
                    "seconds": round(trial.seconds, 3),
                }
                for trial in self.trials
            ],
        }
        text = json.dumps(strict(document), allow_nan=False, ensure_ascii=False, indent=1)
        if path is not None:
            Path(path).write_text(text + "\n", encoding="utf-8")
        return text


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
