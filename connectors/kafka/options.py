"""The clients' options that streamlearn sets itself, and why."""

from __future__ import annotations

_BY_HAND = "streamlearn commits positions itself, together with its state"
_BYTES = "streamlearn reads and writes bytes; choose a format"
_BOOTSTRAP = "write it as bootstrap"
_GROUP = "write it as group"
_START = "write it as start (first use) and on_expired (records that are gone)"
_NAME = "it is made of the pipeline's and the worker's name"
_SHARING = "write it as rebalance; static members and cooperative rebalances don't go together"
_IDEMPOTENT = "it is always on: without it a retry may write a record twice"
_ALL = "it is always all: a record that only the leader has can be lost"
_WATCHED = "streamlearn counts by it"
_LOG = "the client reports to the worker's log"

READER: dict[str, dict[str, str]] = {
    "confluent": {
        "bootstrap.servers": _BOOTSTRAP,
        "metadata.broker.list": _BOOTSTRAP,
        "group.id": _GROUP,
        "group.protocol": "write it as protocol",
        "group.instance.id": _SHARING,
        "partition.assignment.strategy": _SHARING,
        "enable.auto.commit": _BY_HAND,
        "enable.auto.offset.store": _BY_HAND,
        "auto.offset.reset": _START,
        "enable.partition.eof": _WATCHED,
        "error_cb": _LOG,
        "logger": _LOG,
    },
    "kafka-python": {
        "bootstrap_servers": _BOOTSTRAP,
        "group_id": _GROUP,
        "group_instance_id": _SHARING,
        "partition_assignment_strategy": _SHARING,
        "enable_auto_commit": _BY_HAND,
        "auto_offset_reset": _START,
        "key_deserializer": _BYTES,
        "value_deserializer": _BYTES,
    },
}
WRITER: dict[str, dict[str, str]] = {
    "confluent": {
        "bootstrap.servers": _BOOTSTRAP,
        "metadata.broker.list": _BOOTSTRAP,
        "transactional.id": _NAME,
        "enable.idempotence": _IDEMPOTENT,
        "acks": _ALL,
        "request.required.acks": _ALL,
        "delivery.report.only.error": _WATCHED,
        "error_cb": _LOG,
        "logger": _LOG,
    },
    "kafka-python": {
        "bootstrap_servers": _BOOTSTRAP,
        "transactional_id": _NAME,
        "enable_idempotence": _IDEMPOTENT,
        "acks": _ALL,
        "key_serializer": _BYTES,
        "value_serializer": _BYTES,
    },
}
