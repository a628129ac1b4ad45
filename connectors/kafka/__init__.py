"""Kafka topics as live sources and sinks, over kafka-python or confluent-kafka."""

from .sink import KafkaSink
from .source import KafkaSource

__all__ = ["KafkaSink", "KafkaSource"]
