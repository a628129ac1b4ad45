"""The errors that streamlearn raises; each message names the field, the row or the option, and says what to do."""

from __future__ import annotations

import errno


class StreamlearnError(Exception):
    """Base of all errors that streamlearn raises on purpose."""


class InputError(StreamlearnError, ValueError):
    """A row, a file or an array does not fit: the message names the field and the row."""


class SchemaError(InputError):
    """Data do not fit the schema, or a schema is malformed."""


class OptionError(StreamlearnError, ValueError):
    """A parameter, an option or a configuration key is unknown or out of range."""


class UnknownNameError(OptionError, KeyError):
    """A registered name is unknown; the message suggests near ones."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])


class StateError(StreamlearnError, ValueError):
    """A state or a model file is damaged, hostile, or made by another version."""


class VersionError(StateError):
    """A file is sound, and made by a newer streamlearn: upgrade, rather than fall back to an older file."""


class CheckpointError(StreamlearnError):
    """A checkpoint can't be written, or the directory of checkpoints can't be used; what is there already is intact."""


class SourceError(StreamlearnError):
    """A live source can't be reached, or does not answer."""


class PositionError(SourceError):
    """A source no longer has the records at a position; the message says what it has, and how to go on."""


class SinkError(StreamlearnError):
    """Outputs can't be written."""


class RefusedError(SinkError):
    """Outputs can't be written, now or later: what lies in their place is not what the checkpoint says, or not ours."""


class FencedError(StreamlearnError):
    """Another worker has taken over: nothing of ours may be committed any more."""


class UncertainError(StreamlearnError):
    """It is unknown whether a commit took place: ask again before anything else is done."""


FORBIDDEN = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EEXIST,
        errno.EISDIR,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    }
)
"""What the system says of a path that stays so: somebody has to choose another, or change it."""


def may_pass(error: BaseException) -> bool:
    """Whether the same may work in a while: not where records or outputs are gone, nor where a path is forbidden."""
    cause = error.__cause__
    forbidden = isinstance(cause, OSError) and cause.errno in FORBIDDEN
    return not (forbidden or isinstance(error, (PositionError, RefusedError)))


class MissingExtraError(StreamlearnError, ImportError):
    """An optional dependency is needed; the message names the extra that brings it."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs an optional dependency: pip install 'streamlearn[{extra}]'")
