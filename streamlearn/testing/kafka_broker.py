"""Runs Apache Kafka (KRaft, no ZooKeeper) from a folder of its jars, on loopback: to be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from streamlearn.errors import StreamlearnError

_LOG4J = """\
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.markers.name = kafka.coordinator.transaction.TransactionMarkerChannelManager
logger.markers.level = info
"""
_SKIPPED = "likely deleted already and hence can be skipped"
_RESCUED = "while trying to append to transaction log, skip writing to transaction log"  # it is done anew


class Broker:
    """A cluster of one or more nodes; a context manager that stops it and leaves its files to the folder's owner.

    Parameters
    ----------
    home
        The folder of a Kafka download, or any with its jars in ``libs/``.
    folder
        Where its configuration, its log and its data go.
    nodes
        How many nodes; topics are replicated to three of them, or to all if there are fewer.
    config
        Settings of the server that are added to those of a small cluster for tests: short time-outs, few partitions of
        internal topics.
    listeners
        Names of further listeners and their protocol, such as ``{"SASL": "SASL_SSL"}``; what they need is in `config`.

    Raises
    ------
    StreamlearnError
        If there are no jars in the folder, or no Java.
    """

    def __init__(
        self,
        home: str | Path,
        folder: str | Path,
        *,
        nodes: int = 1,
        config: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
    ) -> None:
        self.home = Path(home).resolve()
        self.folder = Path(folder).resolve()
        self._java = find_java()
        if not any((self.home / "libs").glob("kafka*.jar")):
            raise StreamlearnError(f"{self.home}/libs holds no Kafka: name the folder of a Kafka download")
        self._nodes = nodes
        self._config = dict(config or {})
        self._protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        names = [*self._protocols, "CONTROLLER"]
        ports = iter(_free_ports(nodes * len(names)))
        self._ports = {(node, name): next(ports) for node in range(nodes) for name in names}

    def addresses(self, listener: str = "PLAINTEXT") -> str:
        """The bootstrap addresses of a listener: ``127.0.0.1:50001,127.0.0.1:50002``."""
        return ",".join(f"127.0.0.1:{self._ports[node, listener]}" for node in range(self._nodes))

    @property
    def bootstrap(self) -> str:
        """The bootstrap addresses."""
        return self.addresses()

    def start(self, timeout: float = 60.0) -> Self:
        """Start all nodes that do not run, and return when they answer.

        Raises
        ------
        StreamlearnError
            If one stops or does not answer in time; the message has the end of its log.
        """
        cluster = new_cluster_id()
        new = [node for node in range(self._nodes) if not (self._at(node) / "server.properties").exists()]
        for formatting in [self._format(node, cluster) for node in new]:
            told = formatting.communicate()[0]
            if formatting.returncode:
                raise StreamlearnError(f"Kafka's storage can't be formatted: {told[-2000:]}")
        for node in range(self._nodes):
            self._launch(node)
        self._wait(range(self._nodes), timeout)
        return self

    def stop(self) -> None:
        """Stop all nodes, in good order if they do so within some seconds."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def kill(self, node: int | None = None) -> None:
        """End a node, or all, at once, as ``kill -9`` does."""
        self._signal(node, signal.SIGKILL)
        for one in [node] if node is not None else list(self._processes):
            self._processes.pop(one).wait()

    def pause(self, node: int | None = None) -> None:
        """Halt a node, or all, until `go_on`: a broker that takes connections and does not answer."""
        self._signal(node, signal.SIGSTOP)
        for one in [node] if node is not None else list(self._processes):
            os.waitid(os.P_PID, self._processes[one].pid, os.WSTOPPED)  # the signal takes its time

    def go_on(self, node: int | None = None) -> None:
        """Let go on what `pause` halted."""
        self._signal(node, signal.SIGCONT)

    def restart(self, node: int | None = None, timeout: float = 60.0) -> None:
        """Start a node, or all, again on the same ports and data, and return when they answer."""
        nodes = range(self._nodes) if node is None else [node]
        for one in nodes:
            self._launch(one)
        self._wait(nodes, timeout)

    @property
    def markers_skipped(self) -> int:
        """How often a node has left out the end of a transaction, since it took partitions for deleted.

        Kafka 4.3.1 takes those without a leader for deleted ones (KAFKA-20734). When a node is killed between a commit
        and its markers, and started again, the transaction may be lost, or a part of it, though it was committed.
        """
        logs = [self._at(node) / "server.log" for node in range(self._nodes)]
        texts = [log.read_text(errors="replace") for log in logs if log.exists()]
        return sum(max(0, text.count(_SKIPPED) - text.count(_RESCUED)) for text in texts)

    def _signal(self, node: int | None, number: int) -> None:
        for one in [node] if node is not None else list(self._processes):
            self._processes[one].send_signal(number)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _at(self, node: int) -> Path:
        return self.folder / f"node{node + 1}"

    def _format(self, node: int, cluster: str) -> subprocess.Popen[str]:
        at = self._at(node)
        (at / "data").mkdir(parents=True)
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        lines = [f"{name}={value}\n" for name, value in self._properties(node).items()]
        (at / "server.properties").write_text("".join(lines))
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(at / "server.properties")]
        command = self._command("96m", *tool)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def _properties(self, node: int) -> dict[str, object]:
        ports = {name: self._ports[node, name] for name in [*self._protocols, "CONTROLLER"]}
        protocols = {**self._protocols, "CONTROLLER": "PLAINTEXT"}
        replicas = min(3, self._nodes)
        in_sync = max(1, replicas - 1)
        return {
            "process.roles": "broker,controller",
            "node.id": node + 1,
            "controller.quorum.voters": ",".join(
                f"{other + 1}@127.0.0.1:{self._ports[other, 'CONTROLLER']}" for other in range(self._nodes)
            ),
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{ports[name]}" for name in self._protocols),
            "listener.security.protocol.map": ",".join(f"{name}:{of}" for name, of in protocols.items()),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self._at(node) / "data",
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "group.consumer.min.session.timeout.ms": 1000,
            "group.consumer.session.timeout.ms": 6000,
            "group.consumer.min.heartbeat.interval.ms": 500,
            "group.consumer.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "num.network.threads": 2,
            "num.io.threads": 2,
            "log.cleaner.dedupe.buffer.size": 4 << 20,
            "log.retention.check.interval.ms": 1000,
            **self._config,
        }

    def _launch(self, node: int) -> None:
        running = self._processes.get(node)
        if running is not None and running.poll() is None:
            return
        properties = str(self._at(node) / "server.properties")
        with (self._at(node) / "server.log").open("ab") as log:
            self._processes[node] = subprocess.Popen(
                self._command("384m", "kafka.Kafka", properties),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._at(node),
                start_new_session=True,  # Ctrl-C is for those who use it
            )

    def _command(self, memory: str, *main: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties"
        jars = f"{self.home}/libs/*"
        return [self._java, f"-Xmx{memory}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", logging, "-cp", jars, *main]

    def _wait(self, nodes: range | list[int], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        for node in nodes:
            while not _answers(self._ports[node, "PLAINTEXT"]):
                if self._processes[node].poll() is not None or time.monotonic() > deadline:
                    tail = (self._at(node) / "server.log").read_text(errors="replace")[-2000:]
                    self.stop()
                    raise StreamlearnError(f"Kafka did not start; the end of its log:\n{tail}")
                time.sleep(0.05)


def new_cluster_id() -> str:
    """An identifier as Kafka writes them; one that began with "-" would be taken for an option."""
    return urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


def find_java() -> str:
    """The Java to run it with: of ``JAVA_HOME``, or on the path.

    Raises
    ------
    StreamlearnError
        If there is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise StreamlearnError("Kafka needs Java 17 or newer: none on the path, and JAVA_HOME names none")
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
