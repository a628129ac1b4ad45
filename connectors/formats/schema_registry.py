"""Asks a Confluent schema registry for the Avro schemas that records name, once each."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from streamlearn.errors import OptionError, SourceError

_MAX_BYTES = 10_000_000


class UnknownSchemaError(ValueError):
    """The registry has no such schema."""


class SchemaRegistry:
    """A registry's schemas.

    Parameters
    ----------
    url
        Such as ``https://registry.example.org:8081``.
    user, password
        For basic authentication.
    ca
        A file of certificates to trust instead of the system's.
    timeout
        Seconds to wait for an answer.

    Raises
    ------
    OptionError
        If the URL is none, or the file of certificates can't be read.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        ca: str | None = None,
        timeout: float = 10.0,
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise OptionError(f"registry: {url!r} is no URL: it begins with http:// or https://")
        if not timeout > 0:
            raise OptionError(f"timeout must be > 0, got {timeout}")
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if user is not None:
            secret = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {secret}"
        try:
            trust = ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise OptionError(f"ca: {ca}: {error}") from None
        self._opener: OpenerDirector = build_opener(_NoRedirects, HTTPSHandler(context=trust))

    def schema(self, number: int) -> dict[str, Any]:
        """The registry's answer about the schema with this id: its text as ``schema``, and its ``references``.

        Raises
        ------
        UnknownSchemaError
            If there is none.
        SourceError
            If the registry does not answer, or answers something else.
        """
        return self._get(f"/schemas/ids/{number}", f"schema {number}")

    def version(self, subject: str, version: int) -> dict[str, Any]:
        """The same about a version of a subject, which a schema refers to."""
        return self._get(f"/subjects/{quote(subject, safe='')}/versions/{int(version)}", f"{subject!r} {version}")

    def _get(self, path: str, what: str) -> dict[str, Any]:
        try:
            with self._opener.open(Request(self.url + path, headers=self._headers), timeout=self._timeout) as reply:
                answer = json.loads(reply.read(_MAX_BYTES))
        except HTTPError as error:
            with error:
                if error.code == 404:
                    raise UnknownSchemaError(f"{what} is not in the registry") from None
                raise SourceError(f"the schema registry at {self.url} refuses {what}: {error}") from None
        except (OSError, ValueError, RecursionError) as error:
            raise SourceError(f"the schema registry at {self.url} gives no answer about {what}: {error}") from None
        if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
            raise SourceError(f"the schema registry at {self.url} gives something else than {what}")
        return answer


class _NoRedirects(HTTPRedirectHandler):
    """Another host must not get the password."""

    def redirect_request(self, *args: Any) -> None:
        return None
