"""The HTTP server of a worker: ``/metrics`` for Prometheus, ``/health``, ``/ready`` and ``/status`` for others."""

from __future__ import annotations

import dataclasses
import logging
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from ...errors import OptionError
from ...parameters import check_range
from ..observer import Observer
from .health import STALL_AFTER, judge
from .prometheus import Metrics
from .redaction import redacted

_log = logging.getLogger("streamlearn")


class Endpoint(Observer):
    """Answers over HTTP on threads of its own; the worker's loop is only ever asked for its status.

    =============  ====================================================================================
    ``/metrics``   the metrics, as text or OpenMetrics
    ``/health``    200 while the worker is ``ok`` or ``degraded``, 503 when ``stalled`` or ``failed``
    ``/ready``     200 while events are processed; 503 while it starts, drains, or is not well
    ``/status``    the whole `Status`
    =============  ====================================================================================

    All but the first answer with a JSON object that has at least ``health``, ``phase`` and ``reasons``.

    Parameters
    ----------
    metrics
        What ``/metrics`` shows; it is told what the worker does along with this observer.
    host, port
        Where to listen, from now on; port 0 takes any free one, and `port` tells which. There is neither encryption nor
        a password: listen on other addresses than the loopback ones only where the network is yours.
    stall_after
        Seconds without a turn of the loop after which the worker counts as stalled.

    Raises
    ------
    OptionError
        If it can't listen there.

    Examples
    --------
    >>> from urllib.request import urlopen
    >>> endpoint = Endpoint(Metrics(pipeline="power"), port=0)
    >>> urlopen(endpoint.url + "/health").read()
    b'{"health":"ok","phase":"starting","reasons":[]}'
    >>> endpoint.close()
    """

    def __init__(
        self, metrics: Metrics, *, host: str = "127.0.0.1", port: int = 9108, stall_after: float = STALL_AFTER
    ) -> None:
        check_range("port", port, 0, 65_535, kind=int)
        self._metrics = metrics
        self._stall_after = stall_after
        self._worker: Any = None
        self._server = _listen(host, port, self)
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="streamlearn-endpoint", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def started(self, worker: Any) -> None:
        self._worker = worker

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=5)
        self._server.server_close()

    def answer(self, path: str, accept: str) -> tuple[int, str, bytes]:
        """Status code, content type and body of the answer to a request."""
        if path == "/metrics":
            body, content_type = self._metrics.expose(accept)
            return 200, content_type, body
        if path not in ("/health", "/ready", "/status"):
            return 404, "text/plain; charset=utf-8", b"there are /metrics, /health, /ready and /status\n"
        found, ready = self._found()
        if path == "/health":
            code = 503 if found["health"] in ("stalled", "failed") else 200
        else:
            code = 200 if ready or path == "/status" else 503
        if path != "/status":
            found = {key: found[key] for key in ("health", "phase", "reasons")}
        return code, "application/json", msgspec.json.encode(found)  # NaN becomes null

    def _found(self) -> tuple[dict[str, Any], bool]:
        """The status with what health makes of it, and whether events are processed."""
        if self._worker is None:
            return {"health": "ok", "phase": "starting", "reasons": []}, False
        status = self._worker.status()
        verdict = judge(status, self._stall_after)
        ready = status.ready and verdict.health in ("ok", "degraded")
        found = {field.name: getattr(status, field.name) for field in dataclasses.fields(status)}
        found |= {"health": verdict.health, "message": redacted(status.message), "reasons": verdict.reasons}
        return found, ready


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    endpoint: Endpoint

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("telemetry: a request failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # seconds for a request to come in, so that idle connections don't keep threads
    server_version = "streamlearn"
    sys_version = ""

    def do_GET(self) -> None:
        try:
            code, content_type, body = self.server.endpoint.answer(
                self.path.partition("?")[0], self.headers.get("Accept", "")
            )
        except Exception as error:  # a status that can't be had is an answer, too: Prometheus then says "down"
            _log.warning("telemetry: %s failed: %s", self.path, error, exc_info=True)
            code, content_type, body = 500, "text/plain; charset=utf-8", f"{type(error).__name__}\n".encode()
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug("telemetry: " + format, *args)


def _listen(host: str, port: int, endpoint: Endpoint) -> _Server:
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        server_class = type("_Server", (_Server,), {"address_family": family})
        server: _Server = server_class((host, port), _Handler)
    except OSError as error:
        raise OptionError(
            f"telemetry can't listen on {host}:{port}: {error}; set prometheus.port to a free one, or to 0 for any"
        ) from error
    server.endpoint = endpoint
    return server
