"""Writes a board's tables, pictures and report into a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .board import Board
from .tables import as_csv, as_markdown, as_words


def write_all(board: Board, out: str | os.PathLike[str], *, command: str | None, pictures: bool) -> list[str]:
    """Write everything that can be written; see `Board.write`."""
    folder = Path(out)
    texts = {"table.txt": as_words(board) + "\n", "table.md": as_markdown(board, command=command)}
    texts["table.csv"] = as_csv(board)
    written = [folder / name for name in texts]
    for path, text in zip(written, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    if pictures and board.places:
        written += _draw(board, folder)
        report = folder / "report.html"
        from .page import page

        report.write_text(page(board, command=command), encoding="utf-8")
        written.append(report)
    return [str(path) for path in written]


def _draw(board: Board, folder: Path) -> list[Path]:
    from ..evaluation.plot import colours_of, save
    from ..evaluation.plot_comparison import plot_critical_difference, plot_scores
    from .pictures import draw_costs, draw_stream

    drawn = []
    colours = colours_of(board.present)
    for stream, result in board.results.items():
        drawn.append(folder / f"curves-{re.sub(r'[^A-Za-z0-9._]+', '_', stream)}.png")
        save(draw_stream(result, size=(10.0, 5.0), colours=colours, framed=True), drawn[-1])
    comparison = board.comparison()
    if comparison is not None:
        drawn += [folder / "ranks.png", folder / "scores.png", folder / "costs.png"]
        plot_critical_difference(comparison, drawn[-3])
        plot_scores(comparison, drawn[-2])
        save(draw_costs(board), drawn[-1])
    return drawn
