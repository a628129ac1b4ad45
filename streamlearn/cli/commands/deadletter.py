"""``streamlearn deadletter``: look at the records that a pipeline set aside, and send them once more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..pairs import parse_pairs

if TYPE_CHECKING:
    from ...runtime.deadletters import Ledger
    from ...runtime.outputs import Letter

app = typer.Typer(help="Records that a pipeline set aside: list them, replay them.", no_args_is_help=True)

Place = Annotated[str, typer.Argument(help="Where the dead letters are: kafka://host:port/topic, a file, a folder.")]
Stage = Annotated[str | None, typer.Option("--stage", help="Only those of decode, process, label or sink.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only those whose reason has this text in it.")]
LedgerFile = Annotated[
    Path | None, typer.Option("--ledger", help="The file that notes what was replayed; by default beside the letters.")
]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="KEY=VALUE for the Kafka client, unrenamed; repeatable.")
]

REASONS = 20


@app.command("list")
def list_letters(
    letters: Place,
    stage: Stage = None,
    reason: Reason = None,
    records: Annotated[bool, typer.Option("--records", help="Each record, and the beginning of its text.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many records or reasons.")] = None,
    ledger: LedgerFile = None,
    option: Options = None,
) -> None:
    """Show dead letters by reason: how many, the first and the last record, how many were replayed."""
    found = _chosen(letters, stage, reason, option)
    noted = _ledger(letters, ledger)
    if records:
        shown = found if limit is None else found[:limit]
        for letter in shown:
            text = letter.value_text if letter.value_text is not None else repr(letter.value)
            typer.echo(f"{letter.record}  {letter.stage}: {letter.reason}  {text}")
    elif found:
        from ..tables import console

        console().print(_by_reason(found, noted, limit or REASONS))
    typer.echo(f"{len(found):,} dead letters, {sum(letter in noted for letter in found):,} of them replayed")


@app.command("replay")
def replay_letters(
    letters: Place,
    to: Annotated[str, typer.Option("--to", help="The pipeline's source: kafka://host:port/topic, or FILE.jsonl.")],
    stage: Stage = None,
    reason: Reason = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many records.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was replayed before.")] = False,
    ledger: LedgerFile = None,
    option: Options = None,
) -> None:
    """Send the original records, with their keys and headers, to where the pipeline reads them.

    What was replayed is noted, and not replayed again.

    streamlearn deadletter replay dead.jsonl --to kafka://127.0.0.1:9092/events
    """
    from ...addresses import sink_at, source_at, topic_of
    from ...runtime.deadletters import read, replay

    options = parse_pairs("--option", option or [])
    outcome = replay(
        read(source_at(letters, options=options if topic_of(letters) else None)),
        sink_at(to, options=options if topic_of(to) else None),
        _ledger(letters, ledger),
        to=to,
        chosen=lambda letter: _fits(letter, stage, reason),
        limit=limit,
        again=again,
    )
    passed = f"; {outcome.before:,} were replayed before" if outcome.before else ""
    empty = f"; {outcome.empty:,} have no bytes to replay" if outcome.empty else ""
    typer.echo(f"replayed {outcome.sent:,} records to {to}{passed}{empty}")


def _chosen(letters: str, stage: str | None, reason: str | None, option: list[str] | None) -> list[Letter]:
    from ...addresses import source_at
    from ...runtime.deadletters import read

    source = source_at(letters, options=parse_pairs("--option", option or []))
    return [letter for letter in read(source) if _fits(letter, stage, reason)]


def _fits(letter: Letter, stage: str | None, reason: str | None) -> bool:
    return (stage is None or letter.stage == stage) and (reason is None or reason in letter.reason)


def _ledger(letters: str, path: Path | None) -> Ledger:
    from ...addresses import topic_of
    from ...runtime.deadletters import Ledger

    beside = topic_of(letters) or letters.rstrip("/")
    return Ledger(path or Path(f"{beside}.replayed").expanduser())


def _by_reason(letters: list[Letter], noted: Ledger, limit: int) -> Any:
    from rich.table import Table

    groups: dict[tuple[str, str, str], list[Letter]] = {}
    for letter in letters:
        groups.setdefault((letter.pipeline, letter.stage, letter.reason), []).append(letter)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("letters", "replayed", "pipeline", "stage", "reason", "first", "last"):
        table.add_column(column, overflow="fold", justify="right" if column in ("letters", "replayed") else "left")
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    for (pipeline, stage, reason), group in ordered[:limit]:
        replayed = sum(letter in noted for letter in group)
        counts = f"{len(group):,}", f"{replayed:,}"
        table.add_row(*counts, pipeline, stage, _plain(reason), group[0].record, group[-1].record)
    if len(ordered) > limit:
        rest = sum(len(group) for _, group in ordered[limit:])
        table.add_row(f"{rest:,}", "", "", "", f"… {len(ordered) - limit:,} more reasons (--limit)", "", "")
    return table


def _plain(text: str) -> str:
    """A text in which nothing is taken for markup."""
    from rich.markup import escape

    return escape(text)
