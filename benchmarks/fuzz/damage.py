"""Ways to damage a model file: at random, and with the checksum made right again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import safetensors.numpy

from streamlearn import container, registry
from streamlearn.errors import StateError

Edit = Callable[[Any, np.random.Generator], None]
MAX_BYTES = 64  # of one insertion or one zeroed range
ATTEMPTS = 50
EXTREMES = (0, -1, 1, 2, 127, -128, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
ODD_FLOATS = (np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e308, -1e308, 5e-324, 1e18, 0.5)
DTYPES = ("float64", "float32", "int64", "int32", "int8", "uint64", "uint8", "bool")
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    -1,
    0,
    1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    -0.5,
    "",
    "numeric",
    "nominal",
    "x" * 10_000,
    "\x00\ud7ff",
    [],
    {},
    [[]],
    [None, None],
    {"tuple": []},
    {"tuple": [1, [2]]},
    {"learner": {}},
)


# -- at random ---------------------------------------------------------------------------------------------------------


def flip(data: bytearray, rng: np.random.Generator) -> None:
    """Change one to eight bits."""
    for position in rng.integers(len(data), size=rng.integers(1, 9)):
        data[position] ^= 1 << int(rng.integers(8))


def truncate(data: bytearray, rng: np.random.Generator) -> None:
    """Cut the end off."""
    del data[int(rng.integers(len(data))) :]


def insert(data: bytearray, rng: np.random.Generator) -> None:
    """Put random bytes somewhere."""
    at = int(rng.integers(len(data) + 1))
    data[at:at] = rng.bytes(int(rng.integers(1, MAX_BYTES)))


def zero(data: bytearray, rng: np.random.Generator) -> None:
    """Overwrite a range with zeros, as a file system may after a crash."""
    at = int(rng.integers(len(data)))
    size = min(int(rng.integers(1, MAX_BYTES)), len(data) - at)
    data[at : at + size] = bytes(size)


def swap(data: bytearray, rng: np.random.Generator) -> None:
    """Exchange two blocks of equal size."""
    size = int(rng.integers(1, max(2, len(data) // 3)))
    a, b = sorted(int(at) for at in rng.integers(len(data) - size + 1, size=2))
    if b - a >= size:
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


RANDOM: MappingProxyType[str, Callable[[bytearray, np.random.Generator], None]] = MappingProxyType(
    {"flip": flip, "truncate": truncate, "insert": insert, "zero": zero, "swap": swap}
)


# -- hostile: arrays ---------------------------------------------------------------------------------------------------


def spoil_values(content: Any, rng: np.random.Generator) -> None:
    """Write extreme numbers into an array."""
    place, key = _pick(content, rng, arrays=True)
    array = place[key].copy()
    flat = array.reshape(-1)
    for at in rng.integers(max(1, flat.size), size=rng.integers(1, 5)) if flat.size else ():
        odd = ODD_FLOATS if array.dtype.kind == "f" else (*EXTREMES, flat.size, int(at) + 1, *array.shape)
        with np.errstate(all="ignore"):
            flat[at] = np.array(odd[int(rng.integers(len(odd)))]).astype(array.dtype)
    place[key] = array


def spoil_plausibly(content: Any, rng: np.random.Generator) -> None:
    """Fill an array with small numbers, such as an index that is only just outside."""
    place, key = _pick(content, rng, arrays=True)
    array = place[key]
    top = max([2, array.size, *array.shape])
    place[key] = rng.integers(-2, top + 2, size=array.shape).astype(array.dtype)


def shuffle(content: Any, rng: np.random.Generator) -> None:
    """Permute an array's rows, so that links between arrays lead elsewhere."""
    place, key = _pick(content, rng, arrays=True)
    if place[key].ndim:
        place[key] = rng.permutation(place[key])


def reshape(content: Any, rng: np.random.Generator) -> None:
    """Give an array another shape or length."""
    place, key = _pick(content, rng, arrays=True)
    array = place[key]
    first = np.atleast_1d(array)
    variants = (
        first[:-1],
        first[:0],
        np.concatenate([first, first]),
        np.concatenate([first, first[-1:]]),
        array.reshape(-1),
        array.T.copy(),
        array[None],
        np.zeros((0,) * array.ndim, array.dtype),
        np.zeros((3,) * int(rng.integers(5)), array.dtype),
    )
    place[key] = variants[int(rng.integers(len(variants)))]


def recast(content: Any, rng: np.random.Generator) -> None:
    """Give an array another dtype."""
    place, key = _pick(content, rng, arrays=True)
    with np.errstate(all="ignore"):
        place[key] = place[key].astype(DTYPES[int(rng.integers(len(DTYPES)))])


def exchange(content: Any, rng: np.random.Generator) -> None:
    """Exchange two arrays, or put one in two places."""
    a, key_a = _pick(content, rng, arrays=True)
    b, key_b = _pick(content, rng, arrays=True)
    a[key_a], b[key_b] = b[key_b], a[key_a] if rng.random() < 0.5 else b[key_b].copy()


# -- hostile: the manifest ---------------------------------------------------------------------------------------------


def odd_value(content: Any, rng: np.random.Generator) -> None:
    """Put something unexpected in the place of a value or of a whole branch."""
    place, key = _pick(content, rng)
    place[key] = copy.deepcopy(ODD_VALUES[int(rng.integers(len(ODD_VALUES)))])


def nudge(content: Any, rng: np.random.Generator) -> None:
    """Change a number a little or a lot, or a text by a letter."""
    place, key = _pick(content, rng, only=(int, float, str))
    value = place[key]
    if isinstance(value, bool):
        place[key] = not value
    elif isinstance(value, str):
        place[key] = value[:-1] if rng.random() < 0.5 else value + "x"
    else:
        place[key] = (value + 1, value - 1, -value, value * 1000, value * 10**9, float(value))[int(rng.integers(6))]


def restructure(content: Any, rng: np.random.Generator) -> None:
    """Drop, double, add or reverse parts of the tree."""
    place, key = _pick(content, rng)
    what = int(rng.integers(4))
    if what == 0:
        del place[key]
    elif isinstance(place, dict):
        if what == 1:
            place[f"{key}_"] = copy.deepcopy(place[key])
        elif what == 2:
            place["added"] = None
        else:
            place[f"{key}x"] = place.pop(key)
    elif what == 1:
        place.append(copy.deepcopy(place[key]))
    elif what == 2:
        place *= 50
    else:
        place.reverse()


def another_type(content: Any, rng: np.random.Generator) -> None:
    """Claim to be another registered learner."""
    names = registry.names("learners")
    content["type"] = names[int(rng.integers(len(names)))]


HOSTILE: MappingProxyType[str, Edit] = MappingProxyType(
    {
        "values": spoil_values,
        "plausible": spoil_plausibly,
        "shuffle": shuffle,
        "reshape": reshape,
        "recast": recast,
        "exchange": exchange,
        "odd value": odd_value,
        "nudge": nudge,
        "restructure": restructure,
        "type": another_type,
    }
)


def _pick(
    content: Any, rng: np.random.Generator, *, arrays: bool = False, only: tuple[type, ...] = ()
) -> tuple[Any, Any]:
    """A random place of the tree, as its parent and its key."""
    found = [
        (place, key)
        for place, key in _places(content)
        if isinstance(place[key], np.ndarray) == arrays and (not only or isinstance(place[key], only))
    ]
    if not found:
        raise StateError("there is nothing of this kind to damage")
    return found[int(rng.integers(len(found)))]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


# -- forged: the container ---------------------------------------------------------------------------------------------


def forge(data: bytes, rng: np.random.Generator) -> bytes:
    """Change what the container itself relies on: format, version, and which array belongs where."""
    manifest = container._manifest(container._header(lambda start, count: data[start : start + count], len(data)))
    arrays = dict(safetensors.numpy.load(data))
    references = [(p, k) for p, k in _places(manifest["content"]) if k == "array" and isinstance(p[k], str)]
    place, key = references[int(rng.integers(len(references)))] if references else (manifest, "content")
    what = int(rng.integers(8))
    if what == 0:
        manifest[("format", "version")[int(rng.integers(2))]] = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
    elif what == 1:
        arrays["unused"] = np.zeros(3)
    elif what == 2:
        arrays.pop(sorted(arrays)[0] if arrays else "", None)
    elif what == 3:
        place[key] = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
    elif what == 4:
        place[key] = sorted(arrays)[int(rng.integers(len(arrays)))] if arrays else None
    elif what == 5:
        for _ in range(int(rng.integers(20, 900))):
            manifest["content"] = [manifest["content"]]
    elif what == 6:
        manifest["arrays"] = ODD_VALUES[int(rng.integers(len(ODD_VALUES)))]
    else:
        manifest["content"]["array"] = "type"
    if what != 6:
        manifest["arrays"] = {name: container._digest(array) for name, array in arrays.items()}
    return b"".join(container.seal(json.dumps(manifest), arrays).chunks)


# -- choosing ----------------------------------------------------------------------------------------------------------


def damage(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Damage a model file; the kind of damage, and the new bytes."""
    draw = rng.random()
    if draw < 0.5:
        return _random(data, rng)
    for _ in range(ATTEMPTS):
        try:
            return ("forged: container", forge(data, rng)) if draw < 0.55 else _hostile(data, rng)
        except (StateError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, UnicodeError):
            continue  # such an edit can't be written to a file at all
    raise RuntimeError(f"no edit of {ATTEMPTS} could be written")


def _random(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    names = list(RANDOM)
    name = names[int(rng.integers(len(names)))]
    damaged = bytearray(data)
    while damaged == data:  # zeroed where it was zero, for instance
        RANDOM[name](damaged, rng)
    return f"random: {name}", bytes(damaged)


def _hostile(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    content = container.loads(data)
    names = list(HOSTILE)
    chosen = [names[int(i)] for i in rng.integers(len(names), size=1 if rng.random() < 0.7 else 3)]
    for name in chosen:
        HOSTILE[name](content, rng)
    return f"hostile: {chosen[0]}", container.dumps(content)
