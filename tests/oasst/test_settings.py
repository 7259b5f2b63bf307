"""Production refuses insecure defaults, and Django's own deployment check finds nothing."""

import os
import subprocess
import sys

import pytest

from oasst.lib import env

pytestmark = pytest.mark.slow

PRODUCTION = {
    "DEBUG": "false",
    "SECRET_KEY": "k3YvR7w9QzT2mXc5BnL8pJ4hG6fD1sAa0oUiEyWqZxVtRbNmKjHg",
    "ALLOWED_HOSTS": "assistant.example",
    "SITE_URL": "https://assistant.example",
    "DATABASE_URL": "postgresql://oasst:secret@db.example/oasst",
    "REDIS_URL": "redis://cache.example:6379/0",
    "EMAIL_URL": "smtp://mail.example:25",
}


def manage(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=env.BASE_DIR,
        env={**kept, "OASST_ENV_FILE": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_settings_pass_the_deployment_check() -> None:
    result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

    assert (result.returncode, result.stderr) == (0, "")


def test_production_without_any_setting_names_all_that_are_missing() -> None:
    result = manage("check", DEBUG="false")

    assert result.returncode != 0
    for name in PRODUCTION.keys() - {"DEBUG"}:
        assert f"  {name}: expected" in result.stderr


@pytest.mark.parametrize(
    "insecure",
    [
        {"SECRET_KEY": "short", "SITE_URL": "http://assistant.example"},
        {"SECRET_KEY": "development-only-key-that-production-refuses", "ALLOWED_HOSTS": "*"},
    ],
)
def test_production_with_insecure_settings_names_them(insecure: dict[str, str]) -> None:
    result = manage("check", **{**PRODUCTION, **insecure})

    assert result.returncode != 0
    named = [
        line.split(":")[0].strip() for line in result.stderr.splitlines() if ": expected" in line
    ]
    assert set(named) == set(insecure)


def test_help_is_given_without_settings_too() -> None:
    result = manage("help", DEBUG="false")

    assert result.returncode == 0
    assert "makemigrations" in result.stdout
    assert "SECRET_KEY" in result.stdout + result.stderr


def test_debug_that_is_neither_true_nor_false_is_refused() -> None:
    result = manage("check", DEBUG="maybe")

    assert result.returncode != 0
    assert "DEBUG=maybe: expected true or false" in result.stderr
