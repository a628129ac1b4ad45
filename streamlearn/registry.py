"""Names of learners, sources, sinks and detectors: what entry points register, found without importing it all."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import OptionError, StreamlearnError, UnknownNameError

GROUPS = (
    "learners",
    "estimators",
    "sources",
    "live_sources",
    "sinks",
    "formats",
    "detectors",
    "streams",
    "policies",
    "reservoirs",
    "forecasters",
)


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    found = entry_points(group=f"streamlearn.{group}")
    return {entry.name: entry for entry in sorted(found, key=lambda entry: (entry.name, entry.value))}


def refresh() -> None:
    """Look at the installed packages again, after one was installed in this process."""
    _entries.cache_clear()


def names(group: str) -> list[str]:
    """Registered names of a group, sorted.

    Parameters
    ----------
    group : one of `GROUPS`
    """
    return sorted(_entries(group))


def classes(group: str) -> list[str]:
    """Names of the registered classes of a group, without importing them."""
    return [entry.attr for entry in _entries(group).values()]


def near(name: str, known: Iterable[str]) -> list[str]:
    """Up to three of the ``known`` names that ``name`` abbreviates or may be a misspelling of, the nearest first."""
    known = list(known)
    short = [candidate for candidate in known if abbreviates(name, candidate)]
    return short[:3] or difflib.get_close_matches(name, known, n=3, cutoff=0.5)


def abbreviates(name: str, full: str) -> bool:
    """Whether ``name`` begins with the initials of ``full``'s first words, and goes on as that does, if at all.

    Examples
    --------
    >>> abbreviates("arf", "adaptive_random_forest_classifier")
    True
    >>> abbreviates("ARFClassifier", "AdaptiveRandomForestClassifier")
    True
    """
    initials, _, rest = snake_case(name).partition("_")
    words = snake_case(full).split("_")
    if len(initials) < 2 or [*initials] != [word[:1] for word in words[: len(initials)]]:
        return False
    return "_".join(words[len(initials) :]).startswith(rest)


def unknown_name(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not among ``known``, with the near ones."""
    known = sorted(known)
    close = near(name, known)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
    return UnknownNameError(f"unknown {what} {name!r}; {hint}")


def full_name(group: str, name: str) -> str:
    """The registered name that ``name`` stands for: itself, a class name, or a prefix or initials that fit one name.

    Raises
    ------
    UnknownNameError
        If no name fits, or several do; the message lists the near ones.

    Examples
    --------
    >>> full_name("learners", "hoeffding_tree_c"), full_name("learners", "arf_c")
    ('hoeffding_tree_classifier', 'adaptive_random_forest_classifier')
    """
    known = _entries(group)
    if name in known:
        return name
    for entry in known.values():
        if entry.attr == name:
            return entry.name
    fitting = [candidate for candidate in known if name and candidate.startswith(name)]
    fitting = fitting or [candidate for candidate in known if abbreviates(name, candidate)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UnknownNameError(f"{name!r} fits several {group}: {', '.join(fitting)}")
    raise unknown_name(singular(group), name, known)


def singular(group: str) -> str:
    """What one thing of a group is called: ``live_sources`` → ``live source``, ``policies`` → ``policy``."""
    return re.sub("s$", "", re.sub("ies$", "y", group)).replace("_", " ")


def load(group: str, name: str) -> Any:
    """The class or function registered under ``name``.

    Raises
    ------
    UnknownNameError
        If nothing, or more than one thing, is registered under such a name.
    StreamlearnError
        If the package that registered it can't be imported.
    """
    entry = _entries(group)[full_name(group, name)]
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise StreamlearnError(f"{entry.name} ({entry.value}) can't be loaded: {error}") from error


def name_of(group: str, cls: type) -> str | None:
    """The name under which ``cls`` is registered, if it is."""
    snake = snake_case(cls.__name__)
    entry = _entries(group).get(snake)
    if entry is not None and entry.attr == cls.__name__:
        return snake
    return next((e.name for e in _entries(group).values() if e.attr == cls.__name__ and e.load() is cls), None)


def snake_case(name: str) -> str:
    """``HoeffdingTreeClassifier`` → ``hoeffding_tree_classifier``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def parse_call(text: str) -> tuple[str, dict[str, Any]]:
    """Read ``NAME`` or ``NAME:param=value,param=value`` as people write it on the command line.

    Values are numbers, ``true``, ``false``, ``none``, or else strings.

    Raises
    ------
    OptionError
        If a part is not ``param=value``.

    Examples
    --------
    >>> parse_call("hoeffding_tree_classifier:grace_period=50,leaf_prediction=nb")
    ('hoeffding_tree_classifier', {'grace_period': 50, 'leaf_prediction': 'nb'})
    """
    name, _, rest = text.partition(":")
    params: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key.strip().isidentifier():
            raise OptionError(f"{text!r}: write NAME:param=value,param=value; {part!r} is not param=value")
        params[key.strip()] = parse_value(value.strip())
    return name.strip(), params


def parse_value(text: str) -> Any:
    """A number, a truth value or None as the command line writes it; a string if it is none of these."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
