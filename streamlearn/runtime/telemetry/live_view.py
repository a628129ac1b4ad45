"""The live terminal view of a worker: throughput, lag, each learner's metrics, alarms, checkpoints, as they change."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...evaluation.metrics import METRICS
from ...parameters import check_range
from ..observer import Alarm, BatchDone, CommitDone, Observer, ShardStatus, Status
from .health import STALL_AFTER, Verdict, judge
from .redaction import printable

WIDE = 96
"""Columns from which things stand side by side."""

SAMPLES = 40
"""Samples in a sparkline, at most."""

LEFT_OF_SPARK = 28
"""Columns that stand left of the sparkline of the throughput, and its margin."""

COLOURS = {"ok": "green", "degraded": "yellow", "stalled": "red", "failed": "red"}
BLOCKS, ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-=+*%#"


@dataclass(slots=True)
class Seen:
    """What the worker told, and how its status changed: all that a picture of it needs.

    `sample` and the renderings are called on one thread; what the worker tells comes on another, in single assignments
    and appends.
    """

    began: float
    status: Status | None = None
    verdict: Verdict = field(default_factory=lambda: Verdict("ok", []))
    now: float = 0.0
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    scores: dict[str, deque[float]] = field(default_factory=dict)
    alarms: deque[tuple[float, Alarm]] = field(default_factory=lambda: deque(maxlen=20))
    batch: BatchDone | None = None
    commit: CommitDone | None = None
    resumed: str = ""
    first_rows: int | None = None

    def sample(self, status: Status, verdict: Verdict, now: float) -> None:
        """Take in the status as it is ``now``, in seconds of a clock that does not jump."""
        if self.first_rows is None:
            self.first_rows = status.rows
        if self.status is not None and now > self.now:
            self.rates.append(max(status.rows - self.status.rows, 0) / (now - self.now))
        self.status, self.verdict, self.now = status, verdict, now
        for learner, metrics in mean_metrics(status.shards).items():
            value = next(iter(metrics.values()), math.nan)
            self.scores.setdefault(learner, deque(maxlen=SAMPLES)).append(value)

    def recent_rate(self) -> float:
        """Rows a second over the last few samples, so that the number can be read."""
        last = list(self.rates)[-4:]
        return sum(last) / len(last) if last else 0.0

    def mean_rate(self) -> float:
        """Rows a second since the first sample."""
        assert self.status is not None
        return (self.status.rows - (self.first_rows or 0)) / max(self.now - self.began, 1e-9)


def mean_metrics(shards: Iterable[ShardStatus]) -> dict[str, dict[str, float]]:
    """Each learner's metrics, as means over the shards that have them, weighted by their labels."""
    sums: dict[str, dict[str, list[float]]] = {}
    for shard in shards:
        for learner, metrics in shard.metrics.items():
            means = sums.setdefault(learner, {})
            for name, value in metrics.items():
                total = means.setdefault(name, [0.0, 0.0])
                if not math.isnan(value) and shard.labelled:
                    total[0] += value * shard.labelled
                    total[1] += shard.labelled
    return {
        learner: {name: total / labels if labels else math.nan for name, (total, labels) in metrics.items()}
        for learner, metrics in sums.items()
    }


class LiveView(Observer):
    """Shows a worker on the terminal, redrawn twice a second; where there is none, prints a line every few seconds.

    Parameters
    ----------
    console
        Where to; by default standard error, so that standard output stays free for data.
    every
        Seconds between two pictures.
    line_every
        Seconds between two lines, where the output is not a terminal.
    stall_after
        Seconds without a turn of the loop after which the worker is shown as stalled.
    """

    def __init__(
        self,
        *,
        console: Console | None = None,
        every: float = 0.5,
        line_every: float = 5.0,
        stall_after: float = STALL_AFTER,
    ) -> None:
        check_range("every", every, 0, 3600, open_low=True)
        check_range("line_every", line_every, 0, 3600, open_low=True)
        self._console = console or Console(stderr=True)
        self._every = every
        self._line_every = line_every
        self._stall_after = stall_after
        self._worker: Any = None
        self._restored: dict[str, str | None] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.seen = Seen(time.monotonic())

    def started(self, worker: Any) -> None:
        self._worker = worker
        self.seen.began = time.monotonic()
        show = self._draw if self._console.is_terminal and not self._console.is_dumb_terminal else self._print
        self._thread = threading.Thread(target=show, name="streamlearn-live-view", daemon=True)
        self._thread.start()

    def batch(self, done: BatchDone) -> None:
        self.seen.batch = done

    def committed(self, done: CommitDone) -> None:
        self.seen.commit = done

    def alarm(self, alarm: Alarm) -> None:
        self.seen.alarms.append((time.monotonic(), alarm))

    def restored(self, shard: str, checkpoint: str | None, replayed: bool, seconds: float = 0.0) -> None:
        self._restored[shard] = checkpoint

    def assigned(self, shards: list[str]) -> None:
        came = {shard: self._restored.pop(shard) for shard in shards if self._restored.get(shard) is not None}
        if came:
            rows = {shard.shard: shard.rows for shard in self._worker.status().shards}
            total = sum(rows.get(name, 0) for name in came)
            what = f"checkpoint {next(iter(came.values()))}" if len(came) == 1 else f"{len(came)} checkpoints"
            self.seen.resumed = f"resumed from {what} at row {total:,}"

    def stopped(self, error: BaseException | None) -> None:
        self.close()  # a last picture, at most one drawing long, so that what is printed next stands below it

    def close(self) -> None:
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)

    def _look(self) -> None:
        status = self._worker.status()
        self.seen.sample(status, judge(status, self._stall_after), time.monotonic())

    def _draw(self) -> None:
        self._look()
        with Live(Picture(self.seen), console=self._console, auto_refresh=False, vertical_overflow="crop") as live:
            live.refresh()
            while not self._ended.wait(self._every):
                self._look()
                live.refresh()
            self._look()
            live.refresh()

    def _print(self) -> None:
        while not self._ended.wait(self._line_every):
            self._look()
            self._console.print(line(self.seen), soft_wrap=True, highlight=False, markup=False)
        self._look()
        self._console.print(line(self.seen), soft_wrap=True, highlight=False, markup=False)


def line(seen: Seen) -> str:
    """A worker in one line, for output that is not a terminal."""
    status = seen.status
    assert status is not None
    parts = [
        f"{status.pipeline}/{status.worker} {status.phase}, {seen.verdict.health}",
        f"{status.rows:,} rows ({rate(seen.recent_rate() or seen.mean_rate())})",
        f"lag {sum(status.lag.values()):,}",
    ]
    for learner, metrics in mean_metrics(status.shards).items():
        parts.append(
            " ".join([learner, *(f"{title(name)} {score(name, metrics[name])}" for name in list(metrics)[:2])])
        )
    if status.alarms:
        parts.append(f"{status.alarms:,} drift alarms")
    if any(status.rejected.values()):
        parts.append(f"{sum(status.rejected.values()):,} set aside")
    if status.last_commit is not None:
        parts.append(f"committed {age(status.last_commit)} ago")
    return printable(" | ".join([*parts, *seen.verdict.reasons])).replace("\n", " ")


class Picture:
    """The view as something that rich draws, for whatever width the terminal has at the time.

    Parameters
    ----------
    seen
        What is shown.
    """

    def __init__(self, seen: Seen) -> None:
        self.seen = seen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        seen, status = self.seen, self.seen.status
        if status is None:
            yield Text("starting", style="dim")
            return
        width = options.max_width - 4
        blocks = ASCII_BLOCKS if options.ascii_only else BLOCKS
        flow = _flow(seen, status, blocks, min(SAMPLES, (width // 2 if width >= WIDE else width) - LEFT_OF_SPARK))
        safety = _safety(seen, status)
        learners = _learners(seen, status, blocks, width)
        lag = _lag(status, blocks, 4 if width < WIDE else 6)
        alarms = _alarms(seen, 4 if width < WIDE else 6)
        parts: list[RenderableType] = [_heading(seen, status, blocks)]
        if width >= WIDE:
            parts += [_side_by_side(flow, safety), learners, _side_by_side(lag, alarms)]
        else:
            parts += [flow, safety, learners, lag, alarms]
        colour = COLOURS[seen.verdict.health]
        yield Panel(
            Group(*(Padding(part, (0, 0, 0 if part is parts[-1] else 1, 0)) for part in parts)),
            title=Text.assemble((status.pipeline, "bold"), (f" worker {status.worker}", "dim")),
            title_align="left",
            border_style=colour if seen.verdict.health != "ok" else "dim",
            padding=(0, 1),
        )


# -- parts of the picture


def _heading(seen: Seen, status: Status, blocks: str) -> RenderableType:
    colour = COLOURS[seen.verdict.health]
    dot = "●" if blocks == BLOCKS else "*"
    text = Text.assemble((f"{dot} ", colour), (status.phase, "bold"), (f" {seen.verdict.health}", colour))
    text.append("   up ", "dim").append(age(seen.now - seen.began))
    if status.guarantee:
        text.append("   ").append(status.guarantee, style="cyan")
    if seen.resumed:
        text.append("   ").append(seen.resumed, style="magenta")
    for reason in seen.verdict.reasons:
        text.append(f"\n{printable(reason)}", style=colour)
    return text


def _flow(seen: Seen, status: Status, blocks: str, spark: int) -> Table:
    facts = _facts()
    rates = Text.assemble((rate(seen.recent_rate()), "bold green"), ("  mean ", "dim"), rate(seen.mean_rate()))
    facts.add_row("rows", f"{status.rows:,}", rates)
    if spark >= 12:
        facts.add_row("", "", _elastic(sparkline(list(seen.rates)[-spark:], blocks, low=0.0), "green"))
    waiting = sum(shard.waiting for shard in status.shards)
    facts.add_row("labels", f"{status.labelled:,}", _quiet(f"{waiting:,} waiting" if waiting else ""))
    rejected = sum(status.rejected.values())
    stages = ", ".join(f"{stage} {count:,}" for stage, count in status.rejected.items() if count)
    facts.add_row("set aside", Text(f"{rejected:,}", style="yellow" if rejected else ""), _quiet(stages))
    return facts


def _safety(seen: Seen, status: Status) -> Table:
    facts = _facts()
    when = "none yet" if status.last_commit is None else f"{age(status.last_commit)} ago"
    took = f"took {age(seen.commit.seconds)}, {seen.commit.rows:,} rows" if seen.commit is not None else ""
    facts.add_row("checkpoint", when, _quiet(took))
    facts.add_row(
        "size",
        size(status.last_checkpoint_bytes),
        _quiet(f"{status.commits:,} commit{'' if status.commits == 1 else 's'}"),
    )
    if seen.batch is not None:
        spent = seen.batch.decode + seen.batch.process + seen.batch.write
        parts = f"decode {_share(seen.batch.decode, spent)}, learn {_share(seen.batch.process, spent)}"
        facts.add_row("batch", age(spent), _quiet(f"{parts}, write {_share(seen.batch.write, spent)}"))
        if not math.isnan(seen.batch.age):
            facts.add_row("event age", age(max(seen.batch.age, 0.0)), _quiet("newest record, written"))
    return facts


def _learners(seen: Seen, status: Status, blocks: str, width: int) -> Table:
    found = mean_metrics(status.shards)
    names = list(dict.fromkeys(name for metrics in found.values() for name in metrics))
    shown = names[: 1 if width < 48 else 2 if width < 70 else 3 if width < WIDE else 5]
    best = {name: _best(name, [metrics.get(name, math.nan) for metrics in found.values()]) for name in shown}
    table = _table()
    table.add_column("learner")
    for name in shown:
        table.add_column(Text(title(name)), justify="right", no_wrap=True)
    if width >= 60:
        table.add_column(
            Text(f"{title(names[0])} lately" if names else ""), no_wrap=True, min_width=10, max_width=SAMPLES
        )
    table.add_column("model", justify="right", no_wrap=True)
    for learner, metrics in found.items():
        cells: list[Text] = [_elastic(learner, "bold")]
        for name in shown:
            value = metrics.get(name, math.nan)
            cells.append(Text(score(name, value), style="bold green" if value == best[name] else ""))
        if width >= 60:
            reach = 0.05 if names and _in_percent(names[0]) else 0.0
            history = list(seen.scores.get(learner, []))[-(SAMPLES if width >= WIDE else 16) :]
            cells.append(Text(sparkline(history, blocks, reach=reach), style="cyan"))
        model = sum(shard.model_bytes.get(learner, 0) for shard in status.shards)
        table.add_row(*cells, Text(size(model), style="dim"))
    if not found:
        table.add_row(_quiet("no metrics yet"))
    return table


def _lag(status: Status, blocks: str, limit: int) -> Table:
    table = _table()
    table.add_column("partition")
    table.add_column("lag", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    worst = sorted(status.lag.items(), key=lambda item: -item[1])
    most = max(status.lag.values(), default=0)
    for partition, records in worst[:limit]:
        bar = ("━" if blocks == BLOCKS else "=") * math.ceil(12 * records / most) if most else ""
        table.add_row(
            _elastic(partition), f"{records:,}", Text(bar or "caught up", style="yellow" if bar else "dim green")
        )
    if len(worst) > limit:
        rest = worst[limit:]
        table.add_row(_quiet(f"{len(rest)} more"), f"{sum(records for _, records in rest):,}", "")
    if not worst:
        table.add_row(_quiet("no partitions: others have them all"), "", "")
    return table


def _alarms(seen: Seen, limit: int) -> Table:
    assert seen.status is not None
    table = _table()
    table.add_column("drift alarms", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("")
    table.add_column("", no_wrap=True)
    for when, alarm in list(seen.alarms)[: -limit - 1 : -1]:
        level = Text(alarm.level, style="red" if alarm.level == "drift" else "yellow")
        place = f"row {alarm.row:,}"
        table.add_row(
            f"{age(max(seen.now - when, 0.0))} ago", level, _elastic(f"{alarm.learner}, {alarm.detector}"), place
        )
    if not seen.alarms:
        table.add_row(_quiet("none" if not seen.status.alarms else f"{seen.status.alarms:,} earlier"), "", "", "")
    return table


def _facts() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim underline")


def _side_by_side(left: RenderableType, right: RenderableType) -> Table:
    table = Table.grid(expand=True, padding=(0, 2, 0, 0))
    table.add_column(ratio=1)
    table.add_column(ratio=1)
    table.add_row(left, right)
    return table


def _quiet(text: str) -> Text:
    return _elastic(text, "dim")


def _elastic(text: str, style: str = "") -> Text:
    """A text that is cut where there is no room; alone in its column, which then gives way before the others do."""
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole > 0 else "0%"


def _best(name: str, values: Sequence[float]) -> float | None:
    """The best of several learners' values; None where there is but one."""
    known = [value for value in values if not math.isnan(value)]
    if len(known) < 2:
        return None
    higher = name not in METRICS or METRICS[name].higher_is_better
    return max(known) if higher else min(known)


# -- numbers as people read them


def sparkline(values: Iterable[float], blocks: str = BLOCKS, *, low: float = math.inf, reach: float = 0.0) -> str:
    """A row of blocks as high as the values are between the lowest and the highest; NaN and infinity are gaps.

    Parameters
    ----------
    values
        What is shown.
    blocks
        Characters of rising height.
    low
        The scale begins here, or lower.
    reach
        The scale goes over so much, or more, so that noise does not look like a change.

    Examples
    --------
    >>> sparkline([0, 1, 2, float("nan"), 7], low=0)
    '▁▂▃ █'
    """
    values = list(values)
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    bottom = min(*known, low, max(known) - reach)
    reach = max(known) - bottom
    steps = len(blocks) - 1

    def block(value: float) -> str:
        if not math.isfinite(value):
            return " "
        return blocks[round(steps * min(max((value - bottom) / reach, 0.0), 1.0))] if reach > 0 else blocks[0]

    return "".join(map(block, values))


def title(metric: str) -> str:
    """What a table calls a metric."""
    return METRICS[metric].title if metric in METRICS else metric


def score(metric: str, value: float) -> str:
    """A metric's value: in percent where it is shown so.

    Examples
    --------
    >>> score("accuracy", 0.87345), score("rmse", 1.25), score("kappa", float("nan"))
    ('87.34 %', '1.25', '-')
    """
    if math.isnan(value):
        return "-"
    return f"{100 * value:.2f} %" if _in_percent(metric) else f"{value:.4g}"


def _in_percent(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].percent


def rate(rows: float) -> str:
    """Rows a second.

    Examples
    --------
    >>> rate(23400.4), rate(0.25)
    ('23,400/s', '0.2/s')
    """
    return f"{rows:,.0f}/s" if rows >= 10 or rows == 0 else f"{rows:.1f}/s"


def size(count: float) -> str:
    """Bytes, in the unit that fits.

    Examples
    --------
    >>> size(512), size(4_300_000)
    ('512 B', '4.1 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def age(seconds: float) -> str:
    """A length of time, in the units that fit.

    Examples
    --------
    >>> age(0.0123), age(3.21), age(125), age(7260), age(200_000)
    ('12 ms', '3.2 s', '2 min 5 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, length, smaller, part in (("min", 60, "s", 1), ("h", 3600, "min", 60)):
        if whole < length * (60 if unit == "min" else 24):
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"
