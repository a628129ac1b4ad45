"""Which settings are secrets, and how they are shown: never."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
_SECRET = re.compile(
    r"password|passwd|passphrase|secret|token|credential|authorization|jaas|api[._-]?key|private[._-]?key|user[._]info|ssl[._]key[._]pem",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"(url|uri|path|file|filename|location|endpoint)\Z", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+@")


def is_secret(name: Any) -> bool:
    """Whether an option of this name holds a secret.

    Examples
    --------
    >>> is_secret("sasl.password"), is_secret("ssl_key_password"), is_secret("sasl.username"), is_secret("key")
    (True, True, False, False)
    """
    return isinstance(name, str) and bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


def masked(value: Any, name: Any = None) -> Any:
    """A copy of settings in which secrets, and those inside of addresses, are replaced by asterisks.

    Examples
    --------
    >>> masked({"bootstrap": "127.0.0.1:9092", "options": {"sasl.password": "hunter2"}})
    {'bootstrap': '127.0.0.1:9092', 'options': {'sasl.password': '***'}}
    >>> masked("https://me:hunter2@registry:8081")
    'https://***@registry:8081'
    """
    if value is not None and is_secret(name):
        return MASK
    if isinstance(value, Mapping):
        return {key: masked(part, name if name == "webhook" and key == "url" else key) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(part, name) for part in value]
    if isinstance(value, str):
        if name == "webhook" and "://" in value:  # the path of a webhook's address is its password
            return value.split("://")[0] + "://" + value.split("://")[1].split("/")[0].rpartition("@")[2] + "/" + MASK
        return _IN_ADDRESS.sub(MASK + "@", value)
    return value
