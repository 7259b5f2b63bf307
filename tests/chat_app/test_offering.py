"""Turning a question and its drafts into a ranking task, in two clicks and with consent."""

import pytest
from django.test import Client

from chat_app import conversations, offering
from chat_app.enums import MessageState
from chat_app.models import Chat, ChatMessage, TaskConsent
from chat_app.offering import KeptPrivate, NothingToRank, NotOffered, TooManyOffers
from oasst.accounts.models import User
from tasks_app.models import Message, MessageTree
from tests.chat_app import given
from tests.factories import NOW


@pytest.fixture
def drafts(alice: User) -> list[ChatMessage]:
    """Two answers to the second question of a chat."""
    _chat, messages = given.thread(alice, "Hi", "Hello", "Why?", "Because.")
    return [messages[3], given.answer(messages[2], "Nobody knows.")]


def test_thread_becomes_a_tree_with_the_drafts_as_synthetic_replies(
    alice: User, drafts: list[ChatMessage]
) -> None:
    consent = offering.offer(drafts[0], alice, lang="en", now=NOW)

    tree = MessageTree.objects.get(pk=consent.tree_id)
    rows = Message.objects.filter(tree=tree).order_by("depth", "text")
    assert (tree.state, tree.lang, tree.origin) == ("backlog_ranking", "en", "chat")
    assert [(m.text, m.role, m.synthetic, m.model_name) for m in rows] == [
        ("Hi", "prompter", False, ""),
        ("Hello", "assistant", True, "tiny"),
        ("Why?", "prompter", False, ""),
        ("Because.", "assistant", True, "tiny"),
        ("Nobody knows.", "assistant", True, "tiny"),
    ]
    assert (consent.user, consent.licence, consent.message) == (
        alice,
        "Apache-2.0",
        drafts[0].parent,
    )


def test_nothing_leads_from_the_tree_to_the_person(alice: User, drafts: list[ChatMessage]) -> None:
    offering.offer(drafts[0], alice, lang="en", now=NOW)

    rows = Message.objects.all()
    assert {(row.user_id, row.imported_author) for row in rows} == {(None, "")}
    assert not set(rows.values_list("pk", flat=True)) & set(
        ChatMessage.objects.values_list("pk", flat=True)
    )


def test_offering_any_draft_again_changes_nothing(alice: User, drafts: list[ChatMessage]) -> None:
    first, again, other = (
        offering.offer(draft, alice, lang="en", now=NOW) for draft in [*drafts[:1] * 2, drafts[1]]
    )

    assert first == again == other
    assert MessageTree.objects.count() == TaskConsent.objects.count() == 1


def test_one_answer_alone_is_not_offered(alice: User) -> None:
    _chat, (prompt, reply) = given.thread(alice)
    given.answer(prompt, reply.text)  # the same words are no choice
    given.answer(prompt, "Half", state=MessageState.INTERRUPTED)
    given.answer(prompt, "Held", hold="held")
    given.answer(prompt, "Cut o", finish_reason="length")

    with pytest.raises(NothingToRank):
        offering.offer(reply, alice, lang="en", now=NOW)
    assert MessageTree.objects.count() == 0


def test_thread_with_a_held_message_is_not_offered(alice: User, drafts: list[ChatMessage]) -> None:
    ChatMessage.objects.filter(text="Hello").update(hold="held")

    with pytest.raises(NotOffered):
        offering.offer(drafts[0], alice, lang="en", now=NOW)
    assert TaskConsent.objects.count() == 0


def test_consent_and_tree_outlive_the_chat(alice: User, drafts: list[ChatMessage]) -> None:
    consent = offering.offer(drafts[0], alice, lang="en", now=NOW)

    conversations.delete(Chat.objects.get())

    consent.refresh_from_db()
    assert consent.message is None
    assert MessageTree.objects.filter(pk=consent.tree_id).exists()


def path_of(reply: ChatMessage) -> str:
    return f"/chat/{reply.chat_id}/messages/{reply.pk}/offer/"


def test_page_shows_what_becomes_public_and_then_does_it(
    client: Client, alice: User, drafts: list[ChatMessage]
) -> None:
    client.force_login(alice)

    page = client.get(path_of(drafts[0])).content.decode()
    assert MessageTree.objects.count() == 0
    done = client.post(path_of(drafts[0]), {"lang": "en"})

    for words in ("Hi", "Hello", "Why?", "Because.", "Nobody knows.", "Apache License"):
        assert words in page
    assert "personal data" not in page
    tree = MessageTree.objects.get()
    assert done["Location"] == f"/trees/{tree.pk}/"
    assert client.get(done["Location"]).status_code == 200
    assert str(tree.pk) in client.get(path_of(drafts[1])).content.decode()


def test_page_warns_of_personal_data(
    client: Client, alice: User, drafts: list[ChatMessage]
) -> None:
    ChatMessage.objects.filter(pk=drafts[1].pk).update(hold="marked")
    client.force_login(alice)

    assert "personal data" in client.get(path_of(drafts[0])).content.decode()


def test_page_of_one_answer_alone_asks_for_others(client: Client, alice: User) -> None:
    _chat, (prompt, reply) = given.thread(alice)
    client.force_login(alice)

    for response in (client.get(path_of(reply)), client.post(path_of(reply), {"lang": "en"})):
        assert response.status_code == 409
        assert "only one complete answer" in response.content.decode()
    client.post(f"/chat/{reply.chat_id}/messages/{reply.pk}/regenerate/", {"count": "2"})

    assert "Write two more answers" in response.content.decode()
    assert prompt.children.count() == 3


def test_chat_that_is_kept_out_of_training_is_not_offered(
    client: Client, alice: User, drafts: list[ChatMessage]
) -> None:
    stale = conversations.message_of(drafts[0].chat, drafts[0].pk)
    conversations.set_data_use(drafts[0].chat, False)
    client.force_login(alice)

    page = client.get(path_of(drafts[0]))

    assert (page.status_code, "kept out of training" in page.content.decode()) == (409, True)
    for reply in (drafts[0], stale):
        with pytest.raises(KeptPrivate):
            offering.offer(reply, alice, lang="en", now=NOW)
    assert MessageTree.objects.count() == 0


def test_offers_in_one_hour_are_limited(
    alice: User, drafts: list[ChatMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offering, "OFFERS_PER_HOUR", 1)
    first = offering.offer(drafts[0], alice, lang="en", now=NOW)
    prompt = given.prompt(drafts[0].chat, "And when?")
    other = [given.answer(prompt, text) for text in ("This.", "That.")]

    with pytest.raises(TooManyOffers):
        offering.offer(other[0], alice, lang="en", now=NOW)

    assert MessageTree.objects.count() == 1
    assert offering.offer(drafts[1], alice, lang="en", now=NOW) == first


def test_nobody_offers_the_chat_of_another(
    client: Client, bob: User, drafts: list[ChatMessage]
) -> None:
    client.force_login(bob)

    assert client.post(path_of(drafts[0]), {"lang": "en"}).status_code == 404
    assert MessageTree.objects.count() == 0


def test_unknown_language_is_refused(
    client: Client, alice: User, drafts: list[ChatMessage]
) -> None:
    client.force_login(alice)

    assert client.post(path_of(drafts[0]), {"lang": "tlh"}).status_code == 422
    assert MessageTree.objects.count() == 0
