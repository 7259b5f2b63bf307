"""Images and compose file: valid, and every command and file they name exists.

No container engine is needed; what only an engine can tell is not tested here.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from django.core.management import get_commands
from django.test import Client
from django.urls import reverse

from oasst.accounts.models import User
from oasst.lib.env import BASE_DIR
from tests.chat_app import given as chat

DOCKERFILE = (BASE_DIR / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((BASE_DIR / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OBSERVABILITY = BASE_DIR / "docs" / "observability"
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def manage_commands(text: str) -> list[str]:
    return re.findall(r"manage\.py (\w+)", text)


def copied_paths() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.MULTILINE)
    return [path for line in lines for path in shlex.split(line)[:-1]]


def test_dockerfile_has_nothing_to_complain_about() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")

    result = subprocess.run(
        [hadolint, "--no-color", "Dockerfile"],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout) == (0, "")


def test_images_for_models_take_the_build_for_processors_unless_told_otherwise() -> None:
    builds = {name: s["build"] for name, s in OURS.items() if s["build"]["target"] == "ml"}

    assert re.findall(r"^ARG TORCH_BUILD=(\w*)$", DOCKERFILE, flags=re.MULTILINE) == ["cpu"]
    assert set(builds) == {"model", "inference", "training"}
    for build in builds.values():
        assert build["args"] == {
            "TORCH_BUILD": "${TORCH_BUILD-cpu}",
            "TORCH_INDEX": "${TORCH_INDEX:-}",
        }


def test_dockerfile_runs_the_site_without_root() -> None:
    web = DOCKERFILE.split(" AS web\n")[1].split("\nFROM")[0]

    user = re.findall(r"^USER (\d+)$", web, flags=re.MULTILINE)

    assert len(user) == 1
    assert int(user[0]) > 0
    assert web.index("USER ") < web.index("CMD ")


@pytest.mark.parametrize("path", copied_paths())
def test_what_the_dockerfile_copies_exists(path: str) -> None:
    assert (BASE_DIR / path).exists()


def test_stages_that_the_dockerfile_builds_on_exist() -> None:
    stages = re.findall(r"^FROM \S+ AS (\w[\w-]*)$", DOCKERFILE, flags=re.MULTILINE)
    sources = re.findall(r"--from=(\S+)", DOCKERFILE)

    assert set(sources) <= set(stages)
    assert {service["build"]["target"] for service in OURS.values()} <= set(stages)


def test_compose_file_follows_the_specification() -> None:
    parsed = PyCompose.from_yaml(yaml.safe_dump(COMPOSE))  # with its YAML anchors resolved

    assert set(parsed.service_names()) == {
        *("web", "worker", "worker-long", "cron", "migrate", "postgres", "redis", "mailpit"),
        *("model", "inference", "training"),
        *("prometheus", "grafana"),
    }


def test_compose_serves_the_site_on_3000_and_mails_on_1080_to_this_machine_only() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert ports == {
        "web": ["127.0.0.1:3000:3000"],
        "mailpit": ["127.0.0.1:1080:8025"],
        "grafana": ["127.0.0.1:3001:3000"],
    }
    assert "EXPOSE 3000" in DOCKERFILE


def test_compose_waits_for_servers_that_are_healthy() -> None:
    waited_for = {
        name
        for service in SERVICES.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }

    assert waited_for == {"postgres", "redis", "prometheus"}
    assert all("test" in SERVICES[name]["healthcheck"] for name in (*waited_for, "mailpit"))


def mounted() -> list[str]:
    """The left sides of all volumes: names, and files of the project."""
    services = SERVICES.values()
    return [each.split(":")[0] for service in services for each in service.get("volumes", [])]


def test_volumes_of_compose_are_declared() -> None:
    assert {name for name in mounted() if name[0] != "."} == set(COMPOSE["volumes"])


@pytest.mark.parametrize("path", sorted(path for path in mounted() if path[0] == "."))
def test_files_that_compose_mounts_exist_and_can_be_read(path: str) -> None:
    text = (BASE_DIR / path).read_text(encoding="utf-8")

    assert yaml.safe_load(text)  # JSON is YAML too


def test_prometheus_and_the_site_agree_on_address_and_secret() -> None:
    scrape = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())["scrape_configs"][0]
    secret = Path(COMPOSE["x-site"]["environment"]["METRICS_TOKEN_FILE"])

    assert scrape["static_configs"] == [{"targets": ["web:3000"]}]
    assert scrape["metrics_path"] == reverse("metrics")
    assert f"site:{secret.parent}" in SERVICES["web"]["volumes"]
    assert "site:/site:ro" in SERVICES["prometheus"]["volumes"]
    assert scrape["authorization"] == {"credentials_file": f"/site/{secret.name}"}
    assert "> $$METRICS_TOKEN_FILE" in SERVICES["migrate"]["command"]
    assert COMPOSE["x-site"]["environment"]["ALLOWED_HOSTS"].endswith(",web")


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_figures_that_are_drawn_or_watched_exist(name: str, client: Client, alice: User) -> None:
    chat.worker()
    chat.waiting(alice)
    client.get("/accounts/login/")
    known = set(re.findall(r"^(\w+)[{ ]", client.get("/metrics").content.decode(), re.MULTILINE))

    text = (OBSERVABILITY / name).read_text(encoding="utf-8")
    used = set(re.findall(r"\b((?:oasst|django)_\w+)", text))

    assert len(used) >= 4
    assert used - known == set()


def test_commands_of_images_and_compose_exist() -> None:
    commands = manage_commands(DOCKERFILE)
    for service in OURS.values():
        commands += manage_commands(service.get("command", ""))

    assert {"collectstatic", "migrate", "rqworker", "cron", "inference_worker"} <= set(commands)
    assert set(commands) <= set(get_commands())
    assert (BASE_DIR / "oasst" / "lib" / "probe.py").exists()
    assert '"oasst.lib.probe"' in DOCKERFILE


def test_development_container_names_what_exists() -> None:
    container = json.loads((BASE_DIR / ".devcontainer" / "devcontainer.json").read_text())
    script = BASE_DIR / container["postCreateCommand"]

    assert os.access(script, os.X_OK)
    assert "make setup-dev" in script.read_text()
    assert re.search(r"^setup-dev:", (BASE_DIR / "Makefile").read_text(), flags=re.MULTILINE)


def test_every_setting_is_documented_in_the_example() -> None:
    example = (BASE_DIR / ".env.example").read_text(encoding="utf-8")
    folders = ("oasst", "tasks_app", "chat_app", "leaderboard_app", "training")
    sources = [path for folder in folders for path in (BASE_DIR / folder).rglob("*.py")]
    sources.append(BASE_DIR / "tests" / "settings.py")
    pattern = re.compile(
        r"(?:env\.(?:text|secret|flag|integer|items|choice)|environ\.get)\(\s*\"(\w+)\""
    )
    names = {name for path in sources for name in pattern.findall(path.read_text(encoding="utf-8"))}
    documented = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", example, flags=re.MULTILINE))

    # Read, but set by the libraries whose they are.
    others = {"PYTEST_XDIST_WORKER", "RANK", "ACCELERATE_USE_FSDP", "HF_ENDPOINT"}
    assert names - documented - others == set()
    assert "SECRET_KEY" in names
