"""Configuration is read from the environment; wrong values are named, with what was expected."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from oasst.lib import env


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("YES", True), ("1", True), ("off", False), ("0", False), ("", False)],
)
def test_flag_knows_the_usual_words(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG", value)

    assert env.flag("DEBUG", default=False) is expected


def test_flag_with_another_word_says_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "maybe")

    with pytest.raises(ImproperlyConfigured, match=r"^DEBUG=maybe: expected true or false$"):
        env.flag("DEBUG", default=False)


@pytest.mark.parametrize(
    ("value", "message"),
    [("many", "POOL=many: expected a whole number"), ("0", "POOL=0: expected 1 or more")],
)
def test_integer_that_does_not_fit_is_named(
    value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POOL", value)

    with pytest.raises(ImproperlyConfigured, match=message):
        env.integer("POOL", 5, minimum=1)


def test_integer_unset_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POOL", raising=False)

    assert env.integer("POOL", 5) == 5


def test_choice_lists_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    with pytest.raises(ImproperlyConfigured, match="LOG_LEVEL=LOUD: expected one of INFO, ERROR"):
        env.choice("LOG_LEVEL", "INFO", ("INFO", "ERROR"))


def test_items_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "a.example, b.example,,")

    assert env.items("ALLOWED_HOSTS", []) == ["a.example", "b.example"]


def test_secret_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text("from the file\n")
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("SECRET_KEY_FILE", str(file))

    assert env.secret("SECRET_KEY") == "from the file"


def test_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "one")
    monkeypatch.setenv("SECRET_KEY_FILE", "/run/secrets/key")

    with pytest.raises(ImproperlyConfigured, match="keep one of them"):
        env.secret("SECRET_KEY")


def test_secret_in_a_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("SECRET_KEY_FILE", "/nowhere")

    with pytest.raises(
        ImproperlyConfigured, match="SECRET_KEY_FILE=/nowhere: expected a readable file"
    ):
        env.secret("SECRET_KEY")


def test_prefixed_collects_names_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PART__GOAL_TREE_SIZE", "7")

    assert env.prefixed("PART__") == {"goal_tree_size": "7"}


def test_env_file_fills_in_what_the_environment_leaves_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\n\nFROM_FILE='quoted value'\nFROM_BOTH=file\n")
    monkeypatch.setenv("OASST_ENV_FILE", str(file))
    monkeypatch.setenv("FROM_BOTH", "environment")
    monkeypatch.setenv("FROM_FILE", "")
    monkeypatch.delenv("FROM_FILE")

    env.load_env_file()

    assert env.text("FROM_FILE") == "quoted value"
    assert env.text("FROM_BOTH") == "environment"


def test_env_file_with_a_bad_line_is_refused_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text("# fine\nnonsense\n")
    monkeypatch.setenv("OASST_ENV_FILE", str(file))

    with pytest.raises(ImproperlyConfigured, match="line 2: expected NAME=value"):
        env.load_env_file()


@pytest.mark.parametrize("name", ["EXAMPLE_ID", "EXAMPLE_SECRET"])
def test_what_needs_a_partner_is_not_read_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert env.beside("EXAMPLE_ID", "EXAMPLE_SECRET") == ""

    monkeypatch.setenv(name, "set")
    with pytest.raises(ImproperlyConfigured, match="expected a value"):
        env.beside("EXAMPLE_ID", "EXAMPLE_SECRET")
