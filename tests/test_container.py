"""Model files: what goes in comes out, and nothing else is ever believed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
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


VERSION_1 = (
    "c-n1HOHRWu5G^aNQF(2NIG!X<H?TtD3{4bG;)y`Yr*aIXio!WK05{=6905BC6^PDe#_!GZdz$yF&0HfZik2*Dv{)2uH?qMR!nPqa"
    "9ow-nV^!Z->TKr7j2+NmJ1q0ttLuBgyXU6KC!RSeT3WbnX=n_d+_-W#4)%-3%dCSZPutUhX87}C*{^%kqFp!7@iOK;A2E#LnIcsI"
    "q)G=mu1X0Agi1p#%UXnqL<~a#nm|QSsX$0AB7!naQV>BB2!i>)7c#?B@8gTfdH>}0m(f0#yU9ZgjC*7M+UK0j$Ls5QAUilD;3_{W"
    "kH3}of0XjSRB;*R)3n`QZ!Xo>?K<3j0~_Il%>"
)
"""A file that version 1 wrote, compressed."""


def test_files_of_version_1_are_read() -> None:
    data = zlib.decompress(base64.b85decode(VERSION_1))
    content = {"type": "ä", "params": {"~x": [1, None]}, "state": {"w": np.arange(3.0), "n": np.array(7)}}
    assert equal(container.loads(data), content)
    assert equal(container.loads(container.dumps(container.loads(data))), content)
    for place in range(0, len(data), 3):
        damaged = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        try:
            assert equal(container.loads(damaged), content)
        except StateError:
            continue
    with pytest.raises(StateError, match="read as a whole"):
        container.read_manifest(lambda start, count: data[start : start + count], len(data))


@given(CONTENT)
@settings(deadline=None)
def test_the_manifest_tells_everything_but_the_arrays(content: dict[str, Any]) -> None:
    data = container.dumps(content)
    whole = container.decode(data)
    manifest = container.read_manifest(lambda start, count: data[start : start + count], len(data))
    assert (manifest.version, manifest.digest) == (container.VERSION, whole.digest)

    def agree(stored: Any, value: Any) -> bool:
        if isinstance(value, np.ndarray):
            return (stored.dtype, stored.shape, stored.nbytes) == (value.dtype.name, value.shape, value.nbytes)
        if isinstance(value, dict):
            return stored.keys() == value.keys() and all(agree(stored[key], value[key]) for key in value)
        if isinstance(value, list):
            return len(stored) == len(value) and all(map(agree, stored, value))
        return type(stored) is type(value) and stored == value

    assert agree(manifest.content, whole.content)


def test_the_manifest_is_read_without_the_arrays() -> None:
    data = container.dumps({"about": {"rows": 3}, "a": np.zeros(1_000_000)})
    touched = 0

    def read(start: int, count: int) -> bytes:
        nonlocal touched
        touched = max(touched, start + count)
        return data[start : start + count]

    manifest = container.read_manifest(read, len(data))
    assert manifest.content["about"] == {"rows": 3}
    assert touched < 2000 < len(data)
    for length in (len(data) - 1, len(data) + 1):
        with pytest.raises(StateError, match="truncated, or longer"):
            container.read_manifest(read, length)


def test_a_file_is_encoded_without_copying_its_arrays() -> None:
    array = np.zeros(1000)
    encoded = container.encode({"a": array, "b": array[::2], "c": array.astype(">f8")})
    assert sum(len(chunk) for chunk in encoded.chunks) == encoded.size
    before = b"".join(encoded.chunks)
    array[1] = 1.0
    assert b"".join(encoded.chunks) != before
    assert equal(container.loads(before), {"a": np.zeros(1000), "b": np.zeros(500), "c": np.zeros(1000)})


def test_equal_contents_make_equal_files_whatever_the_order_of_keys() -> None:
    one, other = {"a": 1, "b": np.ones(2), "c": np.ones(3, "i1")}, {"c": np.ones(3, "i1"), "b": np.ones(2), "a": 1}
    assert container.dumps(one) == container.dumps(other)


def test_other_programs_read_the_arrays() -> None:
    import safetensors.numpy

    data = container.dumps(
        {"a": np.arange(3, dtype="i1"), "b": [np.eye(2)], "x/y": np.ones((0, 3)), "z": np.array(True)}
    )
    arrays = safetensors.numpy.load(data)
    assert set(arrays) == {"a", "b/0", "x%2Fy", "z"}
    assert (arrays["b/0"] == np.eye(2)).all()


def test_what_could_not_be_read_again_is_not_written() -> None:
    deep: dict[str, Any] = {}
    for _ in range(31):
        deep = {"x": deep}
    assert container.loads(container.dumps({"x": deep})) == {"x": deep}
    with pytest.raises(StateError, match="nested too deeply"):
        container.dumps({"x": {"x": deep}})
    with pytest.raises(StateError, match="besides the arrays"):
        container.dumps({"x": "y" * 100_000_000})


def test_large_arrays_have_each_its_checksum() -> None:
    random = np.random.default_rng(0)
    content = {f"a{i}": random.random(200_000 + i) for i in range(5)}
    data = container.dumps(content)
    manifest = container.read_manifest(lambda start, count: data[start : start + count], len(data)).content
    for name, array in content.items():
        described = f"{array.dtype.str} {array.shape}\n".encode()
        assert manifest[name].digest == hashlib.sha256(described + array.tobytes()).hexdigest()
    loaded = container.loads(data)
    assert all((loaded[name] == array).all() for name, array in content.items())
    for name, array in content.items():
        at = data.index(array.tobytes()[:64])
        with pytest.raises(StateError, match=f"the checksum of {name} does not match"):
            container.loads(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
