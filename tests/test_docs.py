"""The documentation's examples run, and its links lead somewhere.

A file is run from top to bottom in an empty folder: its ``python`` blocks in one namespace, and between them its
``console`` and ``sh`` blocks whose first line is ``$ streamlearn …``. A line ``<!-- not run: reason -->`` just above
such a shell block skips it, where a command needs what a test can't have (a broker, a download).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = re.compile(r"<!-- not run: \S.* -->\n\Z")
LINK = re.compile(r"\]\((?!\w+:|#)(?P<path>[^)#\s]+)")
SECONDS = 600


class Example(NamedTuple):
    """One block of a page that is to be run, and the line of the page on which its code starts."""

    shell: bool
    code: str
    line: int


def examples(text: str) -> list[Example]:
    """The blocks of a page that are to be run, in order."""
    found = []
    for block in BLOCK.finditer(text):
        code, line = block["code"], text.count("\n", 0, block.start("code")) + 1
        typed = block["language"] in ("console", "sh") and code.startswith("$ streamlearn")
        if block["language"] == "python" or (typed and not NOT_RUN.search(text, 0, block.start())):
            found.append(Example(typed, code, line))
    return found


def commands(code: str) -> list[str]:
    """What a person types in a shell block: the lines after ``$ ``, with the lines that they continue on."""
    typed = re.findall(r"^\$ (.*(?:(?<=\\)\n.*)*)", code, re.MULTILINE)
    return [re.sub(r"\\\n>?", "\\\n", command) for command in typed]


def run_python(page: Path, example: Example, namespace: dict[str, Any]) -> None:
    """Run a block so that a traceback shows its lines in the page."""
    exec(compile("\n" * (example.line - 1) + example.code, str(page), "exec"), namespace)


def run_shell(page: Path, example: Example) -> None:
    """Run a block's commands one after the other; the first that fails, fails the page."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in commands(example.code):
        done = subprocess.run(
            ["bash", "-c", command], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=SECONDS
        )
        if done.returncode:
            pytest.fail(f"{page.name}:{example.line}: $ {command}\n{done.stdout}{done.stderr}", pytrace=False)


def pages_with(find: Callable[[str], list[Any]]) -> pytest.MarkDecorator:
    """Parametrise a test by the pages in which ``find`` finds something."""
    pages = [page for page in PAGES if find(page.read_text(encoding="utf-8"))]
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


@pages_with(examples)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for example in examples(page.read_text(encoding="utf-8")):
        if example.shell:
            run_shell(page, example)
        else:
            run_python(page, example, namespace)


@pages_with(LINK.findall)
def test_links_lead_somewhere(page: Path) -> None:
    paths = [link["path"] for link in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [path for path in paths if not (page.parent / path).exists()] == []


def test_the_index_links_to_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {index.parent / link["path"] for link in LINK.finditer(index.read_text(encoding="utf-8"))}
    assert set(ROOT.glob("docs/**/*.md")) - linked == {index}


PAGE = """
```python
a = 1
```
```sh
$ make test
```
```console
$ streamlearn list \\
>   learners
hoeffding_tree_classifier
$ cat table.txt
```
<!-- not run: needs a broker -->
```console
$ streamlearn run live.yaml
```
```yaml
name: power
```
"""


def test_only_python_and_streamlearn_blocks_are_run() -> None:
    assert [(example.shell, example.line) for example in examples(PAGE)] == [(False, 3), (True, 9)]


def test_commands_are_what_follows_the_prompt() -> None:
    assert commands(examples(PAGE)[1].code) == ["streamlearn list \\\n   learners", "cat table.txt"]


def test_a_failing_example_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        run_python(tmp_path / "page.md", Example(False, "x = 1\nx / 0\n", 7), {})
    assert raised.traceback[-1].lineno + 1 == 8
    with pytest.raises(pytest.fail.Exception, match=r"page\.md:7: \$ exit 3"):
        run_shell(tmp_path / "page.md", Example(True, "$ exit 3\n", 7))
