"""`manage.py train_spam_model`: from files to a model that holds texts."""

import gzip
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tasks_app import spam
from tasks_app.config import TreeConfig
from tasks_app.screening import examine
from tasks_app.spam_records import SpamModel
from tests.training.made_up_texts import made_up

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
FREE = "FREE prize! Claim your cash now, call 09061234567!"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    spam.forget()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl.gz"
    rows = [{"text": e.text, "label": "spam" if e.is_spam else "ham"} for e in made_up()]
    with gzip.open(path, "wt") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def train(*arguments: object) -> str:
    told = StringIO()
    call_command("train_spam_model", *map(str, arguments), stdout=told)
    return told.getvalue()


def test_what_is_trained_holds_from_now_on(texts: Path) -> None:
    told = train(texts, "--rate", 2)

    model = spam.in_force()
    assert "measure: 30 spam, 125 other texts" in told
    assert f"Model {model.pk} holds from now on" in told
    assert model.figures["wanted"] == 0.02
    assert [f["kind"] for f in examine(FREE, "en", TreeConfig(hold_spam=True))] == ["spam"]
    assert train("--list").endswith(" (in force)\n")


def test_a_dry_run_measures_and_stores_nothing(texts: Path) -> None:
    told = train(texts, "--dry-run", "--no-own")

    assert "spam held:" in told
    assert "Nothing is stored." in told
    assert not SpamModel.objects.exists()


def test_an_earlier_model_holds_again(texts: Path) -> None:
    train(texts)
    first = spam.in_force()
    train(texts, "--seed", 1)

    assert train("--use", first.pk) == f"Model {first.pk} holds from now on.\n"

    assert spam.in_force() == first
    with pytest.raises(CommandError, match="--list"):
        train("--use", first.pk + 100)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "Hello"}', "few.jsonl, line 2: expected"),
        ('{"text": "Hello", "label": "eggs"}', "line 2"),
        ('{"text": 3, "label": "spam"}', "line 2"),
        ("[]", "line 2"),
        ("nonsense", "line 2"),
        ('{"text": "Hello", "label": "spam"}', "1 different spam texts and 1 others"),
    ],
)
def test_a_file_that_does_not_fit_or_is_too_small_is_refused(
    tmp_path: Path, line: str, told: str
) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text(f'{{"text": "Good morning", "label": "ham"}}\n{line}\n')

    with pytest.raises(CommandError, match=told):
        train(path)
    with pytest.raises(CommandError, match=r"missing\.jsonl"):
        train(tmp_path / "missing.jsonl")

    assert not SpamModel.objects.exists()
