"""A person's chats: in the download, and gone after the account was deleted."""

import json

import pytest
from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder

from chat_app import conversations, privacy, sharing
from chat_app.models import (
    Chat,
    ChatMessage,
    ChatReport,
    CustomInstructions,
    Preset,
    QueueTurn,
    TaskConsent,
)
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW

SECRET = "My cat is called Findus."


def talk(user: User, text: str) -> Chat:
    """A chat with a row of every kind."""
    chat, (_prompt, reply) = given.thread(user, text, "Nice name.")
    other = given.answer(reply.parent, "Good name.", now=NOW)
    conversations.vote(reply, 1, now=NOW, reasons=["helpful"], text=text)
    conversations.choose_draft(chat, other, now=NOW)
    conversations.report(reply, user, "wrong", text, now=NOW)
    sharing.share(chat, now=NOW)
    Preset.objects.create(user=user, name="Mine", parameters={})
    CustomInstructions.objects.create(user=user, about_me=text)
    QueueTurn.objects.create(user=user)
    TaskConsent.objects.create(
        message=reply, user=user, licence="Apache-2.0", tree_id=reply.pk, created_at=NOW
    )
    return chat


@pytest.fixture
def chats(alice: User, bob: User) -> list[Chat]:
    return [talk(alice, SECRET), talk(bob, "My dog is called Idefix.")]


def test_download_holds_every_kind_of_row(alice: User, chats: list[Chat]) -> None:
    data = {name: list(rows) for name, rows in privacy.collect(alice).items()}

    assert [name for name, rows in data.items() if not rows] == []
    assert [row["text"] for row in data["messages"] if row["role"] == "prompter"] == [SECRET]
    text = json.dumps(data, cls=DjangoJSONEncoder)
    assert "Idefix" not in text
    assert text.count(SECRET) == 5


def test_erasing_leaves_no_word_and_nothing_of_others_goes(
    alice: User, bob: User, chats: list[Chat]
) -> None:
    privacy.erase(alice, now=NOW)
    privacy.erase(alice, now=NOW)

    rows = [list(m.objects.values()) for m in apps.get_app_config("chat_app").get_models()]
    assert SECRET not in str(rows)
    for model in (Chat, ChatReport, Preset, CustomInstructions, QueueTurn):
        assert [row.user for row in model.objects.all()] == [bob]
    assert ChatMessage.objects.count() == 3


def test_word_that_allowed_a_task_outlives_the_chat(alice: User, chats: list[Chat]) -> None:
    consent = TaskConsent.objects.get(user=alice)

    privacy.erase(alice, now=NOW)

    consent.refresh_from_db()
    assert (consent.message, consent.licence) == (None, "Apache-2.0")
