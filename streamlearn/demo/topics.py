"""Topics made, copied into files and removed by the bare kafka-python: the proof trusts no connector of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SourceError

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

CONNECT = 10.0  # seconds


class Topics:
    """Topics of a cluster.

    Parameters
    ----------
    bootstrap
        Addresses of its brokers.
    """

    PARTITIONS = 2

    def __init__(self, bootstrap: str) -> None:
        self._servers = bootstrap.split(",")

    def create(self, names: Sequence[str]) -> None:
        """Make them.

        Raises
        ------
        SourceError
            If no broker answers, or it refuses.
        """
        from kafka.admin import NewTopic

        with self._admin() as admin:
            admin.create_topics(
                [NewTopic(name, num_partitions=self.PARTITIONS, replication_factor=-1) for name in names]
            )

    def dump(self, topic: str, number: int, path: Path) -> None:
        """Write the committed records of a partition into a file, a line each."""
        from kafka import KafkaConsumer, TopicPartition

        partition = TopicPartition(topic, number)
        consumer = KafkaConsumer(
            bootstrap_servers=self._servers, isolation_level="read_committed", enable_auto_commit=False
        )
        try:
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            end = consumer.end_offsets([partition])[partition]
            with path.open("wb") as file:
                while consumer.position(partition) < end:  # its last offset may be a transaction's mark
                    for records in consumer.poll(timeout_ms=200, max_records=10_000).values():
                        file.writelines(record.value + b"\n" for record in records)
        finally:
            consumer.close()

    def delete(self, names: Sequence[str]) -> None:
        """Remove them."""
        with self._admin() as admin:
            admin.delete_topics(list(names))

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError

        try:
            admin = KafkaAdminClient(bootstrap_servers=self._servers, bootstrap_timeout_ms=int(1000 * CONNECT))
            try:
                yield admin
            finally:
                admin.close()
        except KafkaError as error:
            raise SourceError(f"Kafka at {','.join(self._servers)}: {error}") from error
