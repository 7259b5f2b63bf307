"""Pages of models: where they come from, and what goes live."""

import html
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chat_app.models import ChatMessage, ServedModel
from oasst.accounts.models import User
from tests.chat_app import given as chats
from tests.factories import NOW
from tests.sessions import SignIn, signed_in
from tests.training import given
from tests.training.given import GOOD
from training import registry
from training.models import Checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("runs_dir")]


@pytest.fixture
def admin(sign_in: SignIn, root: User) -> Client:
    return sign_in(root)


def test_from_an_answer_to_what_taught_it_in_three_clicks(client: Client, alice: User) -> None:
    snapshot = given.snapshot()
    sft = given.checkpoint("sft", stage="sft", snapshots=[snapshot])
    model = given.checkpoint("ppo", parents=[sft], evaluation=GOOD)
    served = ServedModel.objects.create(name="best", source=str(model.folder))
    Checkpoint.objects.filter(pk=model.pk).update(served=served)
    chat, _messages = chats.thread(alice, model=served)

    answer = signed_in(alice).get(f"/chat/{chat.pk}/").content.decode()
    (link,) = re.findall(r'class="said-model" href="([^"]+)"', answer)
    page = client.get(html.unescape(link)).content.decode()

    assert snapshot.sha256 in page
    assert "/models/data/first/" in page
    assert str(model.folder) not in page
    data = client.get("/models/data/first/").content.decode()
    assert "/models/checkpoints/ppo/" in data
    assert "Serve it" not in client.get("/models/checkpoints/ppo/").content.decode()


def test_nobody_is_told_where_a_model_lies(client: Client) -> None:
    folder = "/srv/secret/warm-0a1b/final"
    model = given.checkpoint(evaluation=GOOD, base_model={"path": folder, "sha256": "b" * 64})
    registry.promote(model, name="assistant", now=NOW)

    pages = [client.get(f"/models/{place}") for place in ("", "assistant/", "checkpoints/ppo/")]

    assert [page.status_code for page in pages] == [200, 200, 200]
    texts = [page.content.decode() for page in pages]
    assert all("warm-0a1b" in text for text in texts[1:])
    assert not [text for text in texts if "/srv/" in text or str(model.folder) in text]


def test_a_message_of_the_chat_leads_to_what_wrote_it(sign_in: SignIn, alice: User) -> None:
    first, second = (given.checkpoint(name, evaluation=GOOD) for name in "ab")
    now = timezone.now()
    served = registry.promote(first, name="best", now=now - timedelta(days=2))
    chat, _said = chats.thread(alice, "Why?", "Because.", model=served)
    client = sign_in(alice)
    ChatMessage.objects.filter(chat=chat).update(created_at=now - timedelta(days=1))

    page = client.get(f"/chat/{chat.pk}/").content.decode()
    href = re.search(r'href="(/models/best/[^"]*)"', page)
    assert href is not None
    for _turn in range(2):
        page = client.get(href[1]).content.decode()
        assert first.weights_sha256 in page
        assert second.weights_sha256 not in page
        registry.promote(second, name="best", now=now)

    assert "Since then the name stands for another model" in page
    assert second.weights_sha256 in client.get("/models/best/?at=nonsense").content.decode()


def test_an_admin_puts_a_model_live_and_rolls_it_back(admin: Client) -> None:
    ServedModel.objects.create(name="best", source="smollm2-135m")
    model = given.checkpoint(evaluation=GOOD)

    answer = admin.post(f"/models/checkpoints/{model.name}/promote/", {"name": "best"})

    assert answer["Location"] == "/models/best/"
    assert ServedModel.objects.get().source == str(model.folder)
    admin.post("/models/best/roll-back/")
    assert ServedModel.objects.get().source == "smollm2-135m"
    assert admin.post("/models/best/roll-back/").status_code == 409


def test_an_admin_puts_a_model_live_as_an_adapter_where_it_has_one(
    admin: Client, tmp_path: Path, settings: Any
) -> None:
    settings.MODELS_DIR = tmp_path
    tuned, plain = given.tuned(evaluation=GOOD), given.checkpoint("plain", evaluation=GOOD)
    pages = [f"/models/checkpoints/{model.name}/" for model in (tuned, plain)]

    offered = ["As an adapter on its base" in admin.get(page).content.decode() for page in pages]
    for page in pages:
        admin.post(f"{page}promote/", {"name": "best", "as_adapter": "on"})

    assert offered == [True, False]
    served = ServedModel.objects.get()  # what has none was refused
    assert (served.source, served.base) == (str(tuned.folder), "a-base")


def test_a_closed_gate_asks_for_a_reason(admin: Client) -> None:
    model = given.checkpoint(evaluation=None)
    url = f"/models/checkpoints/{model.name}/promote/"

    refused = admin.post(url, {"name": "best"})

    assert refused.status_code == 422
    assert b"there is no win-rate" in refused.content
    assert b"The gate objects. Say why" in refused.content
    assert not ServedModel.objects.exists()
    assert admin.post(url, {"name": "best", "reason": "A test."}).status_code == 302
