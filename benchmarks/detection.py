"""Every registered drift detector over all signals and the usual synthetic streams: a table and a picture.

    python benchmarks/detection.py --seeds 10 --plot detection.png

River's detectors run beside ours.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from river import drift as river_drift
from river.drift import binary as river_binary

from streamlearn import registry
from streamlearn.detection import SIGNALS, evaluate_detectors
from streamlearn.detector import ValueDetector
from streamlearn.models import make_detector

STREAMS = ("sea_a:rows=100000", "led_a:rows=100000", "stagger_a:rows=100000", "sine1_a:rows=100000")
RIVERS: dict[str, Any] = {
    "River ADWIN": river_drift.ADWIN,
    "River PageHinkley": river_drift.PageHinkley,
    "River DDM": river_binary.DDM,
    "River EDDM": river_binary.EDDM,
    "River HDDMA": river_binary.HDDMA,
    "River HDDMW": river_binary.HDDMW,
}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of each signal")
    parser.add_argument("--max-delay", type=int, default=1000)
    parser.add_argument("--without-streams", action="store_true", help="signals only")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    ours = {name: make_detector(name) for name in registry.names("detectors")}
    detectors = {name: detector for name, detector in ours.items() if isinstance(detector, ValueDetector)}
    detectors |= {name: make() for name, make in RIVERS.items()}
    streams = [f"{name}:rows={options.rows}" for name in SIGNALS]
    streams += [] if options.without_streams else STREAMS
    result = evaluate_detectors(detectors, streams, seeds=options.seeds, max_delay=options.max_delay, progress=True)
    print(result)
    print(result.to_text(by_stream=True))
    if options.plot is not None:
        result.plot(options.plot)
    if options.json is not None:
        result.to_json(options.json)


if __name__ == "__main__":
    main()
