"""The desk's pages of training: what they tell, and the acts that cannot wait."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chat_app.models import ServedModel
from oasst.accounts.models import User
from tests.sessions import SignIn
from tests.training import given
from tests.training.given import GOOD
from training import runs
from training.enums import RunState
from training.models import Promotion, Round

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


@pytest.fixture
def desk(sign_in: SignIn, root: User) -> Client:
    return sign_in(root)


def _act(kind: str, pk: object, name: str) -> str:
    return reverse(f"admin:training_{kind}_act", args=[pk, name])


def test_who_looks_for_runs_is_led_to_where_they_are_started(
    desk: Client, sign_in: SignIn, mona: User
) -> None:
    lists = [reverse(f"admin:training_{kind}_changelist") for kind in ("trainingrun", "snapshot")]
    adds = [reverse(f"admin:training_{kind}_add") for kind in ("trainingrun", "snapshot")]

    for url, add in zip(lists, adds, strict=True):
        assert f'href="{add}"' in desk.get(url).text
    moderator = sign_in(mona)
    for url, add in zip(lists, adds, strict=True):
        assert f'href="{add}"' not in moderator.get(url).text


def test_a_model_goes_live_from_the_desk_and_back(desk: Client, root: User) -> None:
    ServedModel.objects.create(name="best", source="smollm2-135m")
    model = given.checkpoint(evaluation=GOOD)

    desk.post(_act("checkpoint", model.pk, "promote"), {"name": "best"})

    assert ServedModel.objects.get().source == str(model.folder)
    assert Promotion.objects.get().promoted_by == root
    desk.post(_act("checkpoint", model.pk, "roll-back"))
    assert ServedModel.objects.get().source == "smollm2-135m"


def test_the_desk_serves_a_model_as_an_adapter(desk: Client, tmp_path: Path, settings: Any) -> None:
    settings.MODELS_DIR = tmp_path
    model = given.tuned(evaluation=GOOD)

    desk.post(_act("checkpoint", model.pk, "promote"), {"name": "best", "as_adapter": "on"})

    assert ServedModel.objects.get().base == "a-base"


def test_the_desk_says_what_the_gate_objects_to(desk: Client) -> None:
    model = given.checkpoint(evaluation=None)

    asked = desk.get(_act("checkpoint", model.pk, "promote")).content.decode()
    desk.post(_act("checkpoint", model.pk, "promote"), {"name": "best"})

    assert "It was never evaluated" in asked
    assert not ServedModel.objects.exists()


def test_a_run_is_cancelled_and_gone_on_with_from_the_desk(desk: Client) -> None:
    run = runs.claim(given.queued().pk, now=timezone.now())

    desk.post(_act("trainingrun", run.pk, "cancel"))
    run.refresh_from_db()
    assert run.cancel_requested
    runs.finish(run.pk, 1, RunState.CANCELLED, now=timezone.now())
    desk.post(_act("trainingrun", run.pk, "resume"))

    run.refresh_from_db()
    assert run.state == RunState.QUEUED


def test_rows_tell_what_there_is_to_know(desk: Client) -> None:
    snapshot, done = given.snapshot(), Round.objects.create(name="first-1")
    run = given.queued()
    model = given.checkpoint(snapshots=[snapshot])

    for kind, row in (("snapshot", snapshot), ("round", done), ("trainingrun", run),
                      ("checkpoint", model)):  # fmt: skip
        assert desk.get(reverse(f"admin:training_{kind}_changelist")).status_code == 200
        page = desk.get(reverse(f"admin:training_{kind}_change", args=[row.pk]))
        assert str(row) in page.content.decode()
