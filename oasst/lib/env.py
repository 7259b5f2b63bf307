"""Reads configuration from the environment and says loudly what is wrong with a value."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent.parent
TRUE_WORDS = {"true", "1", "yes", "on"}
FALSE_WORDS = {"false", "0", "no", "off"}


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def secret(name: str, default: str = "") -> str:
    """Read `name`, or the file that `<name>_FILE` points to (as Docker mounts secrets)."""
    path = text(f"{name}_FILE")
    if not path:
        return text(name, default)
    if text(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"{name}_FILE={path}: expected a readable file ({error})"
        ) from None


def beside(name: str, secret_name: str) -> str:
    """Read `name`, which is of use only together with a secret: both are set, or neither."""
    value, hidden = text(name), secret(secret_name)
    if bool(value) != bool(hidden):
        missing = secret_name if value else name
        raise ImproperlyConfigured(f"{missing}: expected a value, as {name} needs {secret_name}")
    return value


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in TRUE_WORDS | FALSE_WORDS:
        return value in TRUE_WORDS
    raise ImproperlyConfigured(f"{name}={value}: expected true or false")


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value}: expected a whole number") from None
    if number < minimum:
        raise ImproperlyConfigured(f"{name}={value}: expected {minimum} or more")
    return number


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value}: expected one of {', '.join(allowed)}")
    return value


def items(name: str, default: list[str]) -> list[str]:
    """Read a list separated by commas."""
    value = text(name)
    return [item.strip() for item in value.split(",") if item.strip()] if value else default


def prefixed(prefix: str) -> dict[str, str]:
    """Collect `PREFIX<NAME>` variables as {name in lower case: text}."""
    return {
        key.removeprefix(prefix).lower(): value
        for key, value in sorted(os.environ.items())
        if key.startswith(prefix)
    }


def load_env_file() -> None:
    """Take over the variables of `.env` (or OASST_ENV_FILE) that the environment does not set."""
    path = Path(os.environ.get("OASST_ENV_FILE", str(BASE_DIR / ".env")) or os.devnull)
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ImproperlyConfigured(f"{path} line {number}: expected NAME=value")
        os.environ.setdefault(name.strip(), value.strip().strip("\"'"))
