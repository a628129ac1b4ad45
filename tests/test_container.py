"""Model files: what goes in comes out, and nothing else is ever believed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlearn import container
from streamlearn.errors import StateError, VersionError

ARRAYS = st.sampled_from(["float64", "int64", "int32", "uint8", "bool", "uint64", "float32"]).flatmap(
    lambda kind: st.lists(st.integers(0, 3), max_size=3).map(
        lambda shape: np.asarray(np.arange(int(np.prod(shape, dtype=int))).reshape(shape) % 2, dtype=kind)
    )
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text())
KEYS = st.one_of(st.text(max_size=8), st.sampled_from(["array", "~array", "~", "a/b", "%2F", "a%2Fb"]))
CONTENT = st.dictionaries(
    KEYS,
    st.recursive(SCALARS | ARRAYS, lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=3)),
    max_size=4,
)


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(equal, a, b))
    return type(a) is type(b) and a == b


@given(CONTENT)
@settings(deadline=None)
def test_round_trip(content: dict[str, Any]) -> None:
    assert equal(container.loads(container.dumps(content)), content)


CONTENT_BYTES = container.dumps({"a": np.arange(50.0), "b": {"c": np.ones((3, 2), np.int64), "d": [1, "x", None]}})


@given(st.lists(st.tuples(st.integers(0, len(CONTENT_BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=500)
def test_damage_is_refused_or_harmless(edits: list[tuple[int, int]]) -> None:
    damaged = bytearray(CONTENT_BYTES)
    for place, value in edits:
        damaged[place] = value
    try:
        content = container.loads(bytes(damaged))
    except StateError:
        return
    assert equal(content, container.loads(CONTENT_BYTES))


@given(st.integers(0, len(CONTENT_BYTES) - 1))
def test_truncation_is_refused(length: int) -> None:
    with pytest.raises(StateError):
        container.loads(CONTENT_BYTES[:length])


def forged(manifest: Any, arrays: dict[str, np.ndarray] | None = None) -> bytes:
    """A file whose safetensors part is sound, and so is the manifest's checksum, around any manifest."""
    import safetensors.numpy

    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return bytes(safetensors.numpy.save(arrays or {}, metadata={"streamlearn": text, "sha256": checksum}))


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{}",
        '{"format": "streamlearn", "format": "streamlearn"}',
        {"format": "other", "version": 1, "content": {}},
        {"format": "streamlearn", "version": "1", "content": {}},
        {"format": "streamlearn", "version": 1, "content": {}, "sha256": "0" * 64},
        "[" * 100_000,
    ],
)
def test_hostile_manifests_are_refused(manifest: Any) -> None:
    with pytest.raises(StateError):
        container.loads(forged(manifest))


def test_a_newer_version_says_so_unless_its_number_is_damaged() -> None:
    newer = forged({"format": "streamlearn", "version": 99, "content": {}})
    with pytest.raises(VersionError, match="newer streamlearn"):
        container.loads(newer)
    with pytest.raises(StateError, match="damaged") as raised:
        container.loads(newer.replace(b"99", b"98"))
    assert not isinstance(raised.value, VersionError)


def test_saving_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model"
    container.save(path, {"a": 1})

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        container.save(path, {"a": 2})
    assert container.load(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


def test_what_files_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(StateError, match="x/y: can't save a object"):
        container.dumps({"x": {"y": object()}})
    with pytest.raises(StateError, match="can't save an array of object"):
        container.dumps({"x": np.array([object()])})
