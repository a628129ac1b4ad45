"""The file that holds a model or a checkpoint: arrays in safetensors, the rest as JSON; nothing in it is executed.

The file is an ordinary safetensors file. Its metadata have two keys: ``streamlearn``, the manifest, a JSON object, and
``sha256``, the checksum of the manifest's text. Wherever the saved structure has an array, the manifest has
``{"array": NAME}``, and it carries the SHA-256 of every array. So the manifest can be read and trusted without touching
the arrays, damage is noticed before anything is used, and one checksum stands for all that is in the file. Keys are
sorted: equal contents make equal files.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import safetensors
import safetensors.numpy

from .errors import StateError, VersionError

FORMAT = "streamlearn"
VERSION = 2
"""Version 1 had one checksum over manifest and arrays, within the manifest; such files are read."""

_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint8": "U8",
    "bool": "BOOL",
}
_NAMES = {code: name for name, code in _DTYPES.items()}
_MAX_DEPTH = 32
_MAX_HEADER = 100_000_000  # what the safetensors library accepts
_LARGE = 1 << 22  # bytes for whose checksums threads are worth their start
_MAX_THREADS = 4


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file's bytes in pieces, which share memory with the arrays that were encoded.

    Parameters
    ----------
    chunks
        The bytes, in order.
    digest
        SHA-256 of the manifest's text, which vouches for all the rest.
    size
        The file's length in bytes.
    """

    chunks: list[bytes | memoryview]
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Stored:
    """An array in a file, as the manifest tells of it: its dtype, its shape, its bytes, their SHA-256."""

    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a file, and what vouches for it.

    Parameters
    ----------
    version
        Of the file's format.
    digest
        See `Encoded`.
    content
        What was saved; with a `Stored` in the place of each array where the arrays were not read.
    """

    version: int
    digest: str
    content: dict[str, Any]


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
    encoded = encode(content)
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(encoded.chunks)
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
        If the file is damaged, or is no such file; `VersionError` if it comes from a newer version.
    FileNotFoundError
        If there is none.
    """
    data = Path(path).read_bytes()
    try:
        return loads(data)
    except StateError as error:
        raise type(error)(f"{path}: {error}") from None


def encode(content: dict[str, Any]) -> Encoded:
    """The file that holds ``content``, without copying its arrays: write it before they change."""
    arrays: dict[str, np.ndarray] = {}
    tree = _take_arrays(content, "", arrays, 0)
    text = _json({"format": FORMAT, "version": VERSION, "content": tree, "arrays": _digests(arrays)})
    return seal(text, arrays)


def dumps(content: dict[str, Any]) -> bytes:
    """The bytes of the file that holds ``content``."""
    return b"".join(encode(content).chunks)


def seal(text: str, arrays: dict[str, np.ndarray]) -> Encoded:
    """A file around the text of a manifest, whatever it says."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    header: dict[str, Any] = {"__metadata__": {FORMAT: text, "sha256": digest}}
    chunks: list[bytes | memoryview] = []
    end = 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].itemsize, name)):  # wide items first: all are aligned
        array = arrays[name]
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": [begin, end]}
        chunks.append(_bytes(array))
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    if len(head) > _MAX_HEADER:
        raise StateError(f"{len(head):,} bytes besides the arrays, at most {_MAX_HEADER:,} can be saved")
    return Encoded([len(head).to_bytes(8, "little") + head, *chunks], digest, 8 + len(head) + end)


def loads(data: bytes) -> dict[str, Any]:
    """The content of a file's bytes (see `load`)."""
    return decode(data).content


def decode(data: bytes) -> Manifest:
    """The manifest of a file's bytes, with the arrays in their places (see `load`)."""
    header = _header(lambda start, count: data[start : start + count], len(data))
    manifest = _manifest(header)
    try:
        arrays = {name: np.require(a, requirements=["C", "W"]) for name, a in safetensors.numpy.load(data).items()}
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise StateError(f"not a readable safetensors file: {error}") from None
    digest = header["__metadata__"].get("sha256")
    if manifest["version"] == 1:
        digest = manifest.pop("sha256", None)
        if digest != _checksum_of_version_1(manifest, arrays):
            raise StateError("the checksum does not match: the file is damaged")
    else:
        claims = _claims(manifest, arrays)
        for name, digest_of_array in _digests(arrays).items():
            if digest_of_array != claims[name]:
                raise StateError(f"the checksum of {name} does not match: the file is damaged")
    return Manifest(manifest["version"], digest, _content(manifest, arrays))


def read_manifest(read: Callable[[int, int], bytes], size: int) -> Manifest:
    """What a file of ``size`` bytes holds, checked but for its arrays; ``read(start, count)`` gives its bytes.

    Raises
    ------
    StateError
        If the manifest is damaged, or the file is shorter than it says, or of version 1; `VersionError` if it comes
        from a newer version.
    """
    header = _header(read, size)
    manifest = _manifest(header)
    if manifest["version"] == 1:
        raise StateError("a file of version 1 can only be read as a whole")
    described, end = {}, 0
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = _NAMES[entry["dtype"]], tuple(int(n) for n in entry["shape"])
            begin, end_of_array = (int(n) for n in entry["data_offsets"])
        except (TypeError, KeyError, ValueError, OverflowError):
            raise StateError(f"the header's entry of {name!r} is malformed") from None
        nbytes = end_of_array - begin
        if min((*shape, begin), default=0) < 0 or nbytes != math.prod(shape) * np.dtype(dtype).itemsize:
            raise StateError(f"the header's entry of {name!r} is malformed")
        described[name] = Stored(dtype, shape, nbytes, "")
        end += nbytes
    if size != 8 + _header_size(read, size) + end:
        raise StateError("the file is truncated, or longer than it says")
    claims = _claims(manifest, described)
    stored = {name: Stored(a.dtype, a.shape, a.nbytes, claims[name]) for name, a in described.items()}
    digest = header["__metadata__"]["sha256"]
    return Manifest(manifest["version"], digest, _content(manifest, stored))


# -- reading


def _header_size(read: Callable[[int, int], bytes], size: int) -> int:
    prefix = read(0, 8)
    if size < 8 or len(prefix) < 8:
        raise StateError("the file is truncated")
    header_size = int.from_bytes(prefix, "little")
    if header_size > size - 8 or header_size > _MAX_HEADER:
        raise StateError("the file is truncated, or is no safetensors file")
    return header_size


def _header(read: Callable[[int, int], bytes], size: int) -> dict[str, Any]:
    """The safetensors header, read before any array is touched."""
    try:
        header = json.loads(read(8, _header_size(read, size)).decode("utf-8"), object_pairs_hook=_unique)
        metadata = header["__metadata__"]
        text, claimed = metadata[FORMAT], metadata.get("sha256")
        if claimed is not None and claimed != hashlib.sha256(text.encode()).hexdigest():
            raise StateError("the manifest's checksum does not match: the file is damaged")
    except StateError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(f"no readable manifest: {error}") from None
    return header


def _manifest(header: dict[str, Any]) -> dict[str, Any]:
    """The manifest, of a version that can be read.

    Every later version keeps the checksum of the manifest where it is: so a version number that is too high and sound
    is told from one that was damaged, and a checkpoint of a newer version is never passed over as a damaged one.
    """
    metadata = header["__metadata__"]
    try:
        manifest = json.loads(metadata[FORMAT], object_pairs_hook=_unique)
    except StateError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise StateError(f"no readable manifest: {error}") from None
    if not isinstance(manifest, dict):
        raise StateError("the manifest is not a JSON object")
    version = manifest.get("version")
    if manifest.get("format") != FORMAT or not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise StateError("not a file of streamlearn")
    if (metadata.get("sha256") is None) != (version == 1):
        raise StateError("the manifest's checksum is not where its version has it: the file is damaged")
    if version > VERSION:
        raise VersionError(
            f"written by a newer streamlearn (file version {version}, this one reads up to {VERSION}): upgrade"
        )
    return manifest


def _claims(manifest: dict[str, Any], arrays: dict[str, Any]) -> dict[str, str]:
    """The checksum that the manifest states for each array."""
    claims = manifest.get("arrays")
    if not isinstance(claims, dict) or set(claims) != set(arrays):
        raise StateError("the manifest and the arrays do not belong together")
    return claims


def _content(manifest: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    used: set[str] = set()
    content = _put_arrays(manifest.get("content"), arrays, used, 0, escaped=manifest["version"] > 1)
    if used != set(arrays) or not isinstance(content, dict):
        raise StateError("the manifest and the arrays do not belong together")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise StateError("the manifest has a key twice")
    return result


# -- the structure


def _take_arrays(value: Any, path: str, arrays: dict[str, np.ndarray], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise StateError(f"{path}: nested too deeply to be saved")
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _DTYPES:
            raise StateError(f"{path}: can't save an array of {value.dtype}")
        arrays[path] = np.asarray(value, value.dtype.newbyteorder("<"), order="C")
        return {"array": path}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise StateError(f"{path or 'content'}: keys must be strings")
        return {_escaped(k): _take_arrays(part, _below(path, k), arrays, depth + 1) for k, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_arrays(part, _below(path, str(i)), arrays, depth + 1) for i, part in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise StateError(f"{path}: can't save a {type(value).__name__}")


def _put_arrays(value: Any, arrays: dict[str, Any], used: set[str], depth: int, *, escaped: bool) -> Any:
    if depth > _MAX_DEPTH:
        raise StateError("the manifest is nested too deeply")
    if isinstance(value, list):
        return [_put_arrays(part, arrays, used, depth + 1, escaped=escaped) for part in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        name = value["array"]
        if not isinstance(name, str) or name not in arrays or name in used:
            raise StateError(f"the manifest names an array {name!r} that is not there")
        used.add(name)
        return arrays[name]
    return {
        key[1:] if escaped and key.startswith("~") else key: _put_arrays(part, arrays, used, depth + 1, escaped=escaped)
        for key, part in value.items()
    }


def _escaped(key: str) -> str:
    """The key ``array`` stands for an array, so that a key of that name, such as a user's, needs another look."""
    return "~" + key if key == "array" or key.startswith("~") else key


def _below(path: str, key: str) -> str:
    """The name of what ``key`` leads to; different for different places, whatever characters keys have."""
    name = quote(key, safe=" !#$&'()*+,:;=?@[]{}<>|^", errors="surrogatepass")
    return f"{path}/{name}" if path else name


# -- checksums


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))  # ASCII: any text survives, half a surrogate too


def _digests(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    """The checksum of each array; of large ones on all processors, since a live pipeline waits for its checkpoints."""
    if len(arrays) < 2 or sum(array.nbytes for array in arrays.values()) < _LARGE:
        return {name: _digest(array) for name, array in arrays.items()}
    with ThreadPoolExecutor(min(len(arrays), os.cpu_count() or 1, _MAX_THREADS)) as pool:  # hashing releases the GIL
        return dict(zip(arrays, pool.map(_digest, arrays.values()), strict=True))


def _digest(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
    digest.update(_bytes(array))
    return digest.hexdigest()


def _checksum_of_version_1(manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
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
        yield _bytes(array)


def _bytes(array: np.ndarray) -> memoryview:
    return np.asarray(array, order="C").reshape(-1).view(np.uint8).data


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
