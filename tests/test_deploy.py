"""The files by which the project is deployed fit together; no engine runs them here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamlearn import registry
from streamlearn.runtime.config import Keys, PipelineConfig

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_the_composition_mounts_what_is_there() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", [])]
    folders = [mount[0] for mount in mounts if mount[0].startswith(".")]
    assert folders
    assert [folder for folder in folders if not (ROOT / folder).exists()] == []
    named = {mount[0] for mount in mounts if not mount[0].startswith(".")}
    assert named == set(COMPOSE["volumes"])


def test_every_image_has_a_version_and_every_dependency_is_a_service() -> None:
    for service in SERVICES.values():
        assert re.search(r":\S*\w$", service["image"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)
    assert {re.sub(r":.*", "", service["image"]) for service in SERVICES.values()} == {
        *("apache/kafka", "streamlearn", "prom/prometheus", "grafana/grafana")
    }


@pytest.mark.skipif("kafka" not in registry.names("live_sources"), reason="no package registers a Kafka source")
def test_the_pipeline_of_the_composition_is_valid() -> None:
    config = PipelineConfig.load(ROOT / "deploy" / "pipeline.yaml", {})
    topics = re.findall(r"for topic in (.*); do", SERVICES["topics"]["command"][0])[0].split()
    written = [config.sink[0], config.alarms[0], config.dead_letter]
    assert [*config.source["topics"], *(spec["topic"] for spec in written if spec)] == topics
    assert "kafka://kafka:9092/events" in SERVICES["producer"]["command"]
    assert config.telemetry.prometheus is not None
    scraped = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert f"streamlearn:{config.telemetry.prometheus.port}" in scraped
    assert config.make_source().name
    assert list(config.make_learners()) == ["champion", "shadow"]
    mounted = [mount.split(":")[1] for mount in SERVICES["streamlearn"]["volumes"]]
    assert SERVICES["streamlearn"]["command"][1] in mounted
    assert any(config.checkpoint.dir.is_relative_to(folder) for folder in mounted)


def test_the_image_is_built_from_what_the_wheel_needs() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert {"streamlearn", "algorithms", "connectors", "pyproject.toml", "README.md", "LICENSE"} <= kept
    copied = re.findall(r"^COPY (\w\S+) ", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(copied) <= kept


def keys_of(model: type[Keys]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def test_the_page_tells_of_every_key() -> None:
    page = (ROOT / "docs" / "pipelines.md").read_text(encoding="utf-8")
    missing = [
        key
        for model in [PipelineConfig, *Keys.__subclasses__()]
        for key in keys_of(model)
        if not re.search(rf"[`({{ ]{key}\b", page)
    ]
    assert missing == []
