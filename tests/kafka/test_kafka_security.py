"""TLS and SASL with both clients: options go through unrenamed to a broker that asks for them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.net.sasl.oauth import AbstractTokenProvider
from streamlearn.connectors.kafka import KafkaSink, KafkaSource

from streamlearn.errors import SinkError, SourceError
from streamlearn.testing import Broker
from tests.clusters import Kafka
from tests.kafka.harness import Out, read_all, values, worker

pytestmark = pytest.mark.kafka

LOGIN = "org.apache.kafka.common.security"
UNSECURED = f"{LOGIN}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key store of a self-signed certificate for 127.0.0.1; the certificate is beside it as ``ca.pem``."""
    keytool = shutil.which("keytool")
    if keytool is None:
        if os.environ.get("CI"):
            pytest.fail("no keytool, which comes with Java")
        pytest.skip("no keytool, which comes with Java")
    store = tmp_path_factory.mktemp("tls") / "store.p12"
    at = ["-keystore", str(store), "-storepass", "secret", "-alias", "kafka"]
    make = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-validity", "9"]
    subprocess.run([keytool, *make, "-storetype", "PKCS12", *at], check=True, capture_output=True)
    shown = subprocess.run([keytool, "-exportcert", "-rfc", *at], check=True, capture_output=True)
    store.with_name("ca.pem").write_bytes(shown.stdout)
    return store


@pytest.fixture(scope="module")
def secured(kafka: Kafka, certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with one listener for SASL and one for SASL within TLS; its topic is ``t``."""
    config = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,OAUTHBEARER",
        "ssl.keystore.location": str(certificate),
        "ssl.keystore.password": "secret",
        "ssl.key.password": "secret",
    }
    for listener in ("sasl", "tls"):
        of = f"listener.name.{listener}"
        plain = f'{LOGIN}.plain.PlainLoginModule required user_alice="wonder";'
        config[f"{of}.plain.sasl.jaas.config"] = plain
        config[f"{of}.scram-sha-256.sasl.jaas.config"] = f"{LOGIN}.scram.ScramLoginModule required;"
        oauth = f'{LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="kafka";'
        config[f"{of}.oauthbearer.sasl.jaas.config"] = oauth
        config[f"{of}.oauthbearer.sasl.server.callback.handler.class"] = UNSECURED
    broker = Broker(
        kafka.broker.home,
        tmp_path_factory.mktemp("secured"),
        config=config,
        listeners={"SASL": "SASL_PLAINTEXT", "TLS": "SASL_SSL"},
    )
    with broker:
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([NewTopic("t", 1)])["t"].result(30)
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        change = UserScramCredentialUpsertion("alice", scram, b"wonder")
        admin.alter_user_scram_credentials([change])["alice"].result(30)
        yield broker


def token() -> str:
    """A token as the broker's validator for tests takes it: claims without a signature."""
    claims = {"sub": "alice", "iat": time.time(), "exp": time.time() + 600}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, claims)]
    return b".".join([*parts, b""]).decode()


class Provider(AbstractTokenProvider):
    def token(self) -> str:
        return token()


def login(client: str, protocol: str, mechanism: str, password: str = "wonder") -> dict[str, Any]:
    options: dict[str, Any]
    if client == "confluent":
        options = {"security.protocol": protocol, "sasl.mechanism": mechanism}
        if mechanism == "OAUTHBEARER":
            return options | {"oauth_cb": lambda _: (token(), time.time() + 600)}
        return options | {"sasl.username": "alice", "sasl.password": password}
    options = {"security_protocol": protocol, "sasl_mechanism": mechanism}
    if mechanism == "OAUTHBEARER":
        return options | {"sasl_oauth_token_provider": Provider()}
    return options | {"sasl_plain_username": "alice", "sasl_plain_password": password}


def trust(client: str, certificate: Path) -> dict[str, Any]:
    name = "ssl.ca.location" if client == "confluent" else "ssl_cafile"
    return {name: str(certificate.with_name("ca.pem"))}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "OAUTHBEARER"])
def test_sasl(secured: Broker, client: str, mechanism: str) -> None:
    at, options = secured.addresses("SASL"), login(client, "SASL_PLAINTEXT", mechanism)
    written = f"{client} {mechanism}".encode()
    with KafkaSink(bootstrap=at, topic="t", client=client, options=options) as sink:
        sink.open(worker())
        sink.write("s", Out([written]))
        sink.flush()
    with KafkaSource(bootstrap=at, topics="t", client=client, options=options) as source:
        source.open(worker())
        source.assign(["t-0"])
        source.seek("t-0", None)
        deadline = time.monotonic() + 20
        found: list[bytes | None] = []
        while written not in found:
            assert time.monotonic() < deadline
            found += values(source.poll(100, 0.2))


def test_sasl_within_tls(secured: Broker, client: str, certificate: Path) -> None:
    options = login(client, "SASL_SSL", "PLAIN") | trust(client, certificate)
    with KafkaSink(bootstrap=secured.addresses("TLS"), topic="t", client=client, options=options) as sink:
        sink.open(worker(client, "exactly-once", "tls"))
        sink.begin()
        sink.write("s", Out([b"within tls"]))
        sink.flush()
        sink.commit(None)
    deadline = time.monotonic() + 20
    while b"within tls" not in values(read_all(secured.bootstrap, "t", client)):
        assert time.monotonic() < deadline


@pytest.mark.parametrize("wrong", ["password", "certificate"])
def test_what_is_wrong_is_said_and_no_secret_with_it(
    secured: Broker, client: str, wrong: str, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setattr(f"streamlearn.connectors.kafka.{client.replace('-', '_')}.CONNECT", 2.0)
    if wrong == "password":
        at, options = "SASL", login(client, "SASL_PLAINTEXT", "PLAIN", "hearts!")
        says = r"(?i)authentication|SaslAuthenticationFailed"
    else:
        at, options = "TLS", login(client, "SASL_SSL", "PLAIN", "hearts!")
        says = r"(?i)certificate|ssl|unable to bootstrap"  # kafka-python's last word may be another client's
    source = KafkaSource(bootstrap=secured.addresses(at), topics="t", client=client, options=options)
    with pytest.raises(SourceError, match=says) as refused:
        source.open(worker())
    sink = KafkaSink(bootstrap=secured.addresses(at), topic="t", client=client, options=options)
    with pytest.raises(SinkError, match=says) as refused_too:
        sink.open(worker())
    for text in (str(refused.value), str(refused_too.value), repr(source), repr(sink)):
        assert "hearts!" not in text
