"""What is held back is there for its author and for moderators, and for nobody and nothing else."""

import io
import json

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import checks, exporting, holding, lottery, moderation, privacy, reactions, search
from tasks_app.config import TreeConfig
from tasks_app.enums import TaskType, TreeState
from tasks_app.errors import MessageNotFound, NoTaskAvailable
from tasks_app.models import Message, ModerationAction, Offer
from tests.factories import GOOD, NOW, Grown, grow, hand_out, reply, review, write_prompt
from tests.sessions import signed_in

pytestmark = pytest.mark.slow

SECRET = "Something unkind about a neighbour."


@pytest.fixture
def grown(db: None) -> Grown:
    return grow("P(A)")


@pytest.fixture
def held(grown: Grown, alice: User, mona: User) -> Message:
    """Alice's reply, written while her messages are held."""
    holding.hold_user(alice.pk, actor=mona, reason="Insults.", now=NOW)
    return reply(alice, grown.root, SECRET)


def exported() -> list[dict]:
    stream = io.BytesIO()
    selection = exporting.Selection(states=(), accepted=None, deleted=None, synthetic=None)
    exporting.export(stream, exporting.Format.MESSAGES, selection, exporting.Telling())
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_new_messages_of_a_held_person_are_held_and_older_ones_are_not(
    grown: Grown, alice: User, held: Message
) -> None:
    assert held.held
    assert not Message.objects.filter(held=True).exclude(pk=held.pk).exists()


def test_nobody_is_asked_to_review_a_held_message(grown: Grown, bob: User, held: Message) -> None:
    assert not Offer.objects.filter(message=held).exists()
    with pytest.raises(NoTaskAvailable):
        hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY)
    assert list(checks.broken_invariants()) == []


def test_held_message_takes_no_place_in_its_tree(grown: Grown, held: Message) -> None:
    places = grown.tree.open_places

    grown.refresh()

    assert (grown.root.children_count, grown.tree.open_places) == (1, places)


def test_author_sees_a_held_message_like_one_in_review(alice: User, held: Message) -> None:
    browser = signed_in(alice)

    for page in (f"/trees/{held.tree_id}/", f"/messages/{held.pk}/", "/messages/?mine=on"):
        text = browser.get(page).content.decode()
        assert SECRET in text, page
        assert "In review, 0 of 3" in text, page
        assert "held" not in text.lower(), page
    assert browser.post(f"/messages/{held.pk}/react/", {"code": "clap"}).status_code == 302


def test_others_see_neither_the_message_nor_its_place(
    bob: User, moderator: Client, held: Message
) -> None:
    browser = signed_in(bob)

    assert SECRET not in browser.get("/messages/").content.decode()
    assert browser.get("/messages/", {"q": "neighbour"}).context["cards"] == []
    tree = browser.get(f"/trees/{held.tree_id}/")
    assert (SECRET in tree.content.decode(), tree.context["count"]) == (False, 2)
    for page in ("", "react/", "report/", "label/"):
        assert browser.get(f"/messages/{held.pk}/{page}").status_code == 404, page
    with pytest.raises(MessageNotFound):
        reactions.react(held.pk, bob, "+1", now=timezone.now())
    assert SECRET in moderator.get(f"/trees/{held.tree_id}/").content.decode()


def test_held_prompt_makes_no_tree_for_others(alice: User, bob: User, mona: User) -> None:
    holding.hold_user(alice.pk, actor=mona, reason="Insults.", now=NOW)
    before = lottery.prompts_wanted(["en"], TreeConfig.current())

    prompt = write_prompt(alice, SECRET)

    assert lottery.prompts_wanted(["en"], TreeConfig.current()) == before
    assert signed_in(bob).get(f"/trees/{prompt.tree_id}/").status_code == 404
    assert signed_in(alice).get(f"/trees/{prompt.tree_id}/").status_code == 200
    assert prompt.tree.state == TreeState.INITIAL_PROMPT_REVIEW
    assert list(checks.broken_invariants()) == []


def test_no_export_holds_a_held_message(held: Message) -> None:
    assert len(exported()) == 2
    assert SECRET not in json.dumps(exported())


def test_released_message_goes_its_way(mona: User, grown: Grown, held: Message) -> None:
    holding.release_message(held.pk, actor=mona, reason="Harmless.", now=NOW)

    assert review(held, GOOD, GOOD, GOOD).is_accepted
    assert grown.refresh().root.children_count == 2
    assert list(checks.broken_invariants()) == []
    with pytest.raises(holding.NotHeld):
        holding.release_message(held.pk, actor=mona, reason="Again.", now=NOW)


def test_removed_message_is_held_no_more_and_its_author_is_told(
    alice: User, mona: User, held: Message
) -> None:
    moderation.delete_message(held.pk, actor=mona, reason="An insult.", now=NOW)

    held.refresh_from_db()
    assert (held.held, held.deleted) == (False, True)
    assert "An insult." in signed_in(alice).get("/contributions/").content.decode()


def test_hold_and_its_end_are_logged_and_change_no_older_message(
    alice: User, mona: User, grown: Grown, held: Message
) -> None:
    holding.unhold_user(alice.pk, actor=mona, reason="Calmed down.", now=NOW)
    later = reply(alice, grow("P(A)").root)

    held.refresh_from_db()
    assert (held.held, later.held) == (True, False)
    logged = ModerationAction.objects.order_by("id").values_list("action", "reason")
    assert list(logged) == [("hold_user", "Insults."), ("unhold_user", "Calmed down.")]


def test_moderators_hold_neither_staff_nor_themselves(mona: User, root: User) -> None:
    for person in (mona, root):
        with pytest.raises(moderation.NotYours):
            holding.hold_user(person.pk, actor=mona, reason="Why not?", now=NOW)


def test_download_of_ones_data_does_not_tell_of_a_hold(alice: User, held: Message) -> None:
    alice.refresh_from_db()

    sections = {name: list(rows) for name, rows in privacy.collect(alice).items()}

    assert [row["text"] for row in sections["messages"]] == [SECRET]
    assert sections["moderation"] == []


def test_mine_lists_a_held_message_and_the_list_of_all_does_not(
    alice: User, bob: User, held: Message
) -> None:
    everything = search.Wanted(["en"])
    mine = search.Wanted(["en"], is_mine=True)

    assert held not in search.find(bob, everything, now=NOW).messages
    assert held in search.find(alice, mine, now=NOW).messages
