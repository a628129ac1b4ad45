"""A reader of predictions: ``python -m live_kafka.reader JSON``.

It notes when each arrived, and checks that the predictions are those of input offsets 0, 1, 2 and so on. The latency
of a prediction is the time from its event's ``ts``, which is when the event was due, to its arrival here.
"""

from __future__ import annotations

import json
import re
import sys
import time

import numpy as np
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

_WANTED = re.compile(rb'"prediction_id":"[^"]*-(\d+)".*?"event_time":([0-9.e+]+)')


def main() -> None:
    spec = json.loads(sys.argv[1])
    consumer = Consumer(
        {
            "bootstrap.servers": spec["bootstrap"],
            "group.id": "reader",
            "enable.auto.commit": False,
            "isolation.level": spec["isolation"],
            "fetch.wait.max.ms": 50,
        }
    )
    consumer.assign([TopicPartition(spec["topic"], 0, OFFSET_BEGINNING)])
    due: list[float] = []
    arrived: list[float] = []
    expected = lost = again = 0
    last = time.monotonic()
    while expected < spec["rows"] and time.monotonic() - last < spec["patience"]:
        message = consumer.poll(0.1)
        if message is None or message.error():
            continue
        now = time.time()
        found = _WANTED.search(message.value())
        assert found is not None, message.value()
        offset = int(found[1])
        lost += max(offset - expected, 0)
        again += offset < expected
        expected = max(expected, offset + 1)
        due.append(float(found[2]))
        arrived.append(now)
        last = time.monotonic()
    consumer.close()
    latency = np.array(arrived) - np.array(due)
    settled = np.array(due) >= (due[0] if due else 0.0) + spec["skip"]
    found_ = {"rows": len(due), "lost": lost + spec["rows"] - expected, "again": again}
    if due:
        found_["span"] = arrived[-1] - arrived[0]
    if settled.any():
        points = np.percentile(latency[settled], [50, 99, 99.9])
        found_ |= dict(zip(("p50", "p99", "p99.9"), points.tolist(), strict=True)) | {
            "max": float(latency[settled].max())
        }
    print(json.dumps(found_))


if __name__ == "__main__":
    main()
