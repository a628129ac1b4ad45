"""The file that holds a model: arrays in safetensors, everything else in a JSON manifest; nothing in it is executed.

The file is an ordinary safetensors file. Its metadata have one key, ``streamlearn``, whose value is the manifest, a
JSON object; wherever the saved structure has an array, the manifest has ``{"array": NAME}``. The manifest carries the
SHA-256 of itself (without the checksum) and of every array, so damage is noticed before anything is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from .errors import StateError

FORMAT = "streamlearn"
VERSION = 1
_DTYPES = {"float64", "float32", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint8", "bool"}
_MAX_DEPTH = 32


def save(path: str | Path, content: dict[str, Any]) -> None:
    """Write nested dicts and lists of arrays and JSON scalars to ``path``, atomically.

    The file is written beside its final place, flushed to the disk, and renamed, so that a crash at any moment leaves
    the old file or the new one.

    Raises
    ------
    StateError
        If the content holds something that is neither an array of numbers nor JSON.
    OSError
        If the disk refuses; the old file is then untouched.
    """
    data = dumps(content)
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes private files; a model file is an ordinary one
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def load(path: str | Path) -> dict[str, Any]:
    """Read what `save` wrote.

    Raises
    ------
    StateError
        If the file is damaged, is no such file, or comes from a newer version.
    FileNotFoundError
        If there is none.
    """
    data = Path(path).read_bytes()
    try:
        return loads(data)
    except StateError as error:
        raise StateError(f"{path}: {error}") from None


def dumps(content: dict[str, Any]) -> bytes:
    """The bytes of the file that holds ``content``."""
    arrays: dict[str, np.ndarray] = {}
    tree = _take_arrays(content, "", arrays)
    manifest = {"format": FORMAT, "version": VERSION, "content": tree}
    manifest["sha256"] = _checksum(manifest, arrays)
    text = json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return bytes(safetensors.numpy.save(arrays, metadata={FORMAT: text}))


def loads(data: bytes) -> dict[str, Any]:
    """The content of a file's bytes (see `load`)."""
    manifest = _manifest(data)
    try:
        arrays = {name: np.require(a, requirements=["C", "W"]) for name, a in safetensors.numpy.load(data).items()}
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise StateError(f"not a readable safetensors file: {error}") from None
    if manifest.get("format") != FORMAT or not isinstance(manifest.get("version"), int):
        raise StateError("not a file of streamlearn")
    if manifest["version"] > VERSION:
        raise StateError(
            f"written by a newer streamlearn (file version {manifest['version']}, this one reads {VERSION}): upgrade"
        )
    claimed = manifest.pop("sha256", None)
    if claimed != _checksum(manifest, arrays):
        raise StateError("the checksum does not match: the file is damaged")
    used: set[str] = set()
    content = _put_arrays(manifest.get("content"), arrays, used, 0)
    if used != set(arrays) or not isinstance(content, dict):
        raise StateError("the manifest and the arrays do not belong together")
    return content


def _manifest(data: bytes) -> dict[str, Any]:
    """The manifest out of the safetensors header, read before any array is touched."""
    if len(data) < 8:
        raise StateError("the file is truncated")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise StateError("the file is truncated, or is no safetensors file")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"), object_pairs_hook=_unique)
        manifest = json.loads(header["__metadata__"][FORMAT], object_pairs_hook=_unique)
    except StateError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateError(f"no readable manifest: {error}") from None
    if not isinstance(manifest, dict):
        raise StateError("the manifest is not a JSON object")
    return manifest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise StateError("the manifest has a key twice")
    return result


def _take_arrays(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _DTYPES:
            raise StateError(f"{path}: can't save an array of {value.dtype}")
        arrays[path] = np.asarray(value, order="C")
        return {"array": path}
    if isinstance(value, dict):
        if "array" in value or not all(isinstance(key, str) for key in value):
            raise StateError(f"{path or 'content'}: keys must be strings other than 'array'")
        return {key: _take_arrays(part, f"{path}/{key}" if path else key, arrays) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_arrays(part, f"{path}/{i}", arrays) for i, part in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise StateError(f"{path}: can't save a {type(value).__name__}")


def _put_arrays(value: Any, arrays: dict[str, np.ndarray], used: set[str], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise StateError("the manifest is nested too deeply")
    if isinstance(value, list):
        return [_put_arrays(part, arrays, used, depth + 1) for part in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        name = value["array"]
        if not isinstance(name, str) or name not in arrays or name in used:
            raise StateError(f"the manifest names an array {name!r} that is not there")
        used.add(name)
        return arrays[name]
    return {key: _put_arrays(part, arrays, used, depth + 1) for key, part in value.items()}


def _checksum(manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(
        json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")
    )
    for line in _described(arrays):
        digest.update(line)
    return digest.hexdigest()


def _described(arrays: dict[str, np.ndarray]) -> Iterator[bytes | memoryview]:
    for name in sorted(arrays):
        array = arrays[name]
        yield f"\n{name} {array.dtype.str} {array.shape}\n".encode()
        yield np.asarray(array, order="C").reshape(-1).view(np.uint8).data


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_directory(directory: Path) -> None:
    """Make the rename itself durable (POSIX; Windows has no such call and needs none)."""
    if os.name != "posix":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
