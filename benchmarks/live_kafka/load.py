"""A producer with a fixed schedule: ``python -m live_kafka.load JSON``.

Event ``i`` is due at ``began + i / rate`` whatever happens, and says so in its ``ts``. An event that goes out late, or
that waits anywhere, is late by all of it: nothing is left out of the latencies (no coordinated omission).
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from confluent_kafka import Producer

from .events import Events

TICK = 0.001


def main() -> None:
    spec = json.loads(sys.argv[1])
    rate, total = float(spec["rate"]), int(spec["rate"] * spec["seconds"])
    producer = Producer(
        {"bootstrap.servers": spec["bootstrap"], "linger.ms": 0, "queue.buffering.max.messages": 2_000_000}
    )
    events = Events()
    events.take(1000)
    producer.list_topics(spec["topic"], timeout=30)
    began, sent, latest = time.time(), 0, 0.0
    while sent < total:
        due = min(total, int((time.time() - began) * rate) + 1)
        if due > sent:
            times = began + np.arange(sent, due) / rate
            for value in events.take(due - sent, times):
                producer.produce(spec["topic"], value, partition=0)
            latest = max(latest, time.time() - times[0])
            sent = due
        producer.poll(0)
        time.sleep(TICK)
    producer.flush()
    print(json.dumps({"sent": sent, "began": began, "seconds": time.time() - began, "latest": latest}))


if __name__ == "__main__":
    main()
