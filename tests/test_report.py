"""A report is one page that says who is best, needs nothing else, and takes no name for markup."""

from __future__ import annotations

import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamlearn as sl
from streamlearn.errors import MissingExtraError
from streamlearn.evaluation.plot import draw_curves
from streamlearn.evaluation.report.markup import VOID, tag

pytest.importorskip("matplotlib")

HOSTILE = "<script>alert('x')</script>"


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails where elements don't nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self._open.append(name)

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name: str) -> None:
        assert self._open.pop() == name

    def handle_data(self, text: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += text

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for element, attributes in self.elements if element == name]


def data(
    seed: int, classes: tuple[Any, ...] = ("low", "mid", "high"), rows: int = 600
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3))
    return X, np.array(classes, object)[(X @ rng.normal(size=(3, len(classes)))).argmax(axis=1)]


LEARNERS = ("logistic_regression", "naive_bayes", "no_change_classifier")


@pytest.fixture(scope="module")
def comparison() -> sl.Comparison:
    streams = {f"stream {i}": data(i) for i in range(6)}
    compared = sl.compare(streams, list(LEARNERS), metrics=["accuracy", "kappa"], window=100)
    compared.results[0].drifts = [{"row": 200, "width": 0}, {"row": 400, "width": 100}]
    return compared


@pytest.fixture(scope="module")
def page(comparison: sl.Comparison, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("report") / "r.html"
    comparison.report(path, command="streamlearn evaluate --stream 'a & b'")
    return Page(path.read_text(encoding="utf-8"))


def test_the_summary_comes_first_and_in_words(page: Page, comparison: sl.Comparison) -> None:
    best = next(iter(comparison.mean_ranks()))
    head, _, _ = page.text.partition("All streams")
    assert "3 learners on 6 streams" in head
    assert f"By accuracy, {best} is best: mean rank" in head
    for note in comparison.notes():
        assert note in head


def test_every_score_is_in_a_table(page: Page, comparison: sl.Comparison) -> None:
    for name in comparison.metrics:
        for column in comparison.columns(name):
            for cell in column.cells:
                assert cell in page.text


def test_each_stream_has_its_section(page: Page, comparison: sl.Comparison) -> None:
    places = {attributes.get("id") for _, attributes in page.elements}
    links = [attributes["href"] for attributes in page.all("a")]
    assert {link.removeprefix("#") for link in links if link} <= places
    assert len(links) == 1 + 6 + 3
    assert "600 rows · 3 classes · known drift at row 200 and around row 400 (over 100 rows)" in page.text
    assert page.text.count("Confusion matrix, in % of each true class") == 6 * 3
    assert page.text.count("McNemar p (Holm)") == 6


def test_settings_versions_and_command_are_told(page: Page, comparison: sl.Comparison) -> None:
    assert "streamlearn evaluate --stream 'a & b'" in page.text
    assert comparison.results[0].versions["numba"] in page.text
    assert "learning_rate=" in page.text


def test_nothing_is_fetched_and_nothing_runs(page: Page) -> None:
    assert {name for name, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "embed", "form"})
    for name, attributes in page.elements:
        for attribute in ("src", "href", "xlink:href", "action", "srcset"):
            target = attributes.get(attribute)
            assert target is None or target.startswith(("#", "data:")), (name, target)
        assert not any(attribute.startswith("on") for attribute in attributes)
        assert "url(" not in (attributes.get("style") or "").replace("url(#", "")
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_the_page_is_accessible(page: Page) -> None:
    pictures = page.all("svg")
    # Scores and ranks; two metrics and recall on each stream, and there for each learner; speed and memory.
    assert len(pictures) == 2 + 6 * (3 + 3) + 2
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)
    counts = Counter(name for name, _ in page.elements)
    assert counts["caption"] == counts["table"] > 0
    assert all(heading.get("scope") in ("row", "col") for heading in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    assert counts["h1"] == counts["main"] == counts["nav"] == 1


def test_names_within_pictures_do_not_meet(page: Page) -> None:
    names = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(names.values()) == 1
    used = [target for _, attributes in page.elements for target in [attributes.get("xlink:href")] if target]
    clips = [
        found
        for _, attributes in page.elements
        for found in re.findall(r"url\((#[^)]+)\)", " ".join(value or "" for value in attributes.values()))
    ]
    assert used
    assert clips
    assert {target.removeprefix("#") for target in [*used, *clips]} <= set(names)


def test_pictures_take_the_colours_of_the_page(page: Page) -> None:
    style = " ".join(a.get("style") or "" for _, a in page.elements)
    assert "var(--c0)" in style
    assert re.search(r"#[0-9a-f]{6}", style) is None


def test_a_name_is_never_markup(tmp_path: Path) -> None:
    classes = (HOSTILE, '"><img src=x onerror=alert(1)>', "a$b$c & </svg>")
    streams = {f"{HOSTILE}{i}": data(i, classes, 200) for i in range(2)}
    learners = {f"</style>{HOSTILE}$x$": "naive_bayes", "_&amp;": "prior_classifier"}
    comparison = sl.compare(streams, learners, window=50)
    comparison.report(tmp_path / "r.html", command=HOSTILE)
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert {name for name, _ in page.elements}.isdisjoint({"script", "img"})
    for name in (*classes, *streams):
        assert name in page.text
    assert "&amp;" in page.text
    assert re.search(r"</style>.*\$x\$", page.text)


def test_a_result_has_a_report_of_its_own(tmp_path: Path) -> None:
    result = sl.evaluate(data(1), list(LEARNERS), metrics=["accuracy"], seeds=[1, 2], window=200)
    result.report(tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    best = max(result.summary, key=lambda entry: entry["accuracy"])
    assert "3 learners on array" in page.text
    assert f"{best['learner']} has the best accuracy: {100 * best['accuracy']:.2f} %." in page.text
    assert "McNemar's test" in page.text
    assert "Mean rank" not in page.text


def test_regression_and_a_single_learner_have_reports(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(300, 2))
    streams = {"one": (X, X[:, 0]), "two": (X, X[:, 1])}
    comparison = sl.compare(streams, "linear_regression", metrics=["mae", "r2"], window=100)
    comparison.report(tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "linear_regression on 2 streams" in page.text
    assert "McNemar" not in page.text
    assert "classes" not in page.text


def test_equal_results_give_equal_pages(comparison: sl.Comparison, tmp_path: Path) -> None:
    for name in ("a", "b"):
        comparison.report(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_many_points_and_classes_keep_a_report_small(tmp_path: Path) -> None:
    streams = {f"s{i}": data(i, tuple(range(20)), 6000) for i in range(5)}
    learners = {f"l{i}": f"logistic_regression:learning_rate=0.0{i + 1}" for i in range(4)}
    comparison = sl.compare(streams, learners, every=2, metrics=["accuracy", "kappa", "f1_macro"])
    comparison.report(tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 3_000_000


def test_drifts_are_marked_on_curves(comparison: sl.Comparison) -> None:
    plain, marked = (draw_curves(comparison.results[i]).axes[0] for i in (1, 0))
    assert len(marked.lines) == len(plain.lines) + 1
    assert marked.lines[-1].get_xdata() == [200, 200]
    (band,) = marked.patches
    assert (band.get_x(), band.get_width()) == (350, 100)  # type: ignore[attr-defined]


def test_pictures_of_a_comparison(comparison: sl.Comparison, tmp_path: Path) -> None:
    comparison.plot(tmp_path / "s.png")
    comparison.plot_critical_difference(tmp_path / "d.svg")
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "d.svg").read_text()


def test_without_matplotlib_the_extra_is_named(
    comparison: sl.Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match="plot"):
        comparison.report(tmp_path / "r.html")


def test_tags_escape_what_they_hold() -> None:
    assert tag("a", "<b>", href='"&') == '<a href="&quot;&amp;">&lt;b&gt;</a>'
    assert tag("p", None, tag("b", "x"), hidden=True, title=None) == "<p hidden><b>x</b></p>"
