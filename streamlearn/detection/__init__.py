"""How well drift detectors detect: delays, false alarms and misses on sequences whose drifts are known."""

from .evaluate import evaluate_detectors
from .result import DetectionResult, DetectionRun
from .scoring import Score, score_alarms
from .signals import SIGNALS, Signal, make_signal

__all__ = [
    "SIGNALS",
    "DetectionResult",
    "DetectionRun",
    "Score",
    "Signal",
    "evaluate_detectors",
    "make_signal",
    "score_alarms",
]
