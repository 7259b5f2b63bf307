"""Links to a copy of a thread."""

from datetime import timedelta

import pytest
from django.test import Client

from chat_app import conversations, sharing
from chat_app.enums import Hold
from chat_app.errors import ChatNotFound
from chat_app.models import ChatMessage, Share
from oasst.accounts.models import User
from tests.chat_app import given
from tests.factories import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def drafts(alice: User) -> list[ChatMessage]:
    """Three finished answers to one prompt, asked for together."""
    prompt = given.prompt(given.chat(alice))
    asked = [given.answer(prompt, f"Answer {number}") for number in (1, 2, 3)]
    return sorted(asked, key=lambda draft: draft.pk)


def test_a_share_is_a_copy_of_what_was_in_view(alice: User) -> None:
    chat, (_prompt, reply) = given.thread(alice, "One", "Two")

    share = sharing.share(chat, now=NOW)
    given.prompt(chat, "A secret", parent=reply, now=LATER)

    copy = sharing.shared(share.token).thread
    assert [(turn["role"], turn["text"]) for turn in copy] == [
        ("prompter", "One"),
        ("assistant", "Two"),
    ]
    sharing.revoke(share)
    with pytest.raises(ChatNotFound):
        sharing.shared(share.token)


def test_a_share_has_no_word_of_a_prompt_that_was_corrected(alice: User) -> None:
    chat, _said = given.thread(alice, "My name is Trudy", "Hello")

    given.prompt(chat, "Name two animals", now=LATER)
    share = sharing.share(chat, now=LATER)

    assert share.title == "Name two animals"
    conversations.rename(chat, "My own title")
    assert sharing.share(chat, now=LATER).title == "My own title"


def test_drafts_of_which_none_is_picked_are_shared_together(
    client: Client, drafts: list[ChatMessage]
) -> None:
    ChatMessage.objects.filter(pk=drafts[1].pk).update(hold=Hold.HELD)

    share = sharing.share(drafts[0].chat, now=LATER)

    assert [(turn["text"], turn.get("draft")) for turn in share.thread] == [
        ("Why is the sky blue?", None),
        (drafts[0].text, 1),
        (drafts[2].text, 3),
    ]
    assert "Draft 3" in client.get(f"/chat/shared/{share.token}/").content.decode()


def test_picked_draft_is_shared_alone(drafts: list[ChatMessage]) -> None:
    conversations.choose_draft(drafts[0].chat, drafts[1], now=LATER)

    share = sharing.share(drafts[0].chat, now=LATER)

    assert [turn["text"] for turn in share.thread][1:] == [drafts[1].text]


def test_more_links_than_anybody_keeps_apart_are_refused(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "MOST_LINKS", 2)
    chat, _messages = given.thread(alice)
    for _number in range(2):
        sharing.share(chat, now=NOW)

    with pytest.raises(sharing.TooManyLinks):
        sharing.share(chat, now=NOW)

    assert Share.objects.count() == 2


def test_links_in_one_hour_are_limited_for_a_person(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LINKS_PER_HOUR", 1)
    sharing.share(given.thread(alice)[0], now=NOW)

    with pytest.raises(sharing.TooManyShared) as refused:
        sharing.share(given.thread(alice)[0], now=NOW)

    assert 0 < refused.value.retry_after_s <= 3600
    assert sharing.share(given.thread(bob)[0], now=NOW)
