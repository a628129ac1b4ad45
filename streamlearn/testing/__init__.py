"""What tests and demonstrations of live streams need: a real Kafka on loopback."""

from .kafka_broker import Broker

__all__ = ["Broker"]
