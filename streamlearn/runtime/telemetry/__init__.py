"""What people see of a running worker: metrics, health, logs, spans, the live view, alarms for a webhook."""

from .endpoint import Endpoint
from .health import Verdict, Watchdog, judge
from .live_view import LiveView
from .logs import LogObserver
from .observers import make_observers
from .prometheus import Metrics
from .spans import SpanObserver
from .webhook import WebhookObserver

__all__ = [
    "Endpoint",
    "LiveView",
    "LogObserver",
    "Metrics",
    "SpanObserver",
    "Verdict",
    "Watchdog",
    "WebhookObserver",
    "judge",
    "make_observers",
]
