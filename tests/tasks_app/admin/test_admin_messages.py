"""Messages at the desk: finding them, reading a thread, delete, restore, edit."""

import uuid

import pytest
from django.test import Client

from oasst.accounts.models import User
from oasst.lib.desk import admin as desk
from tasks_app import moderation, reactions
from tasks_app.enums import TreeState
from tasks_app.models import Message, MessageRevision, ModerationAction
from tests.factories import NOW, Grown, grow
from tests.tasks_app.admin.desk import WHY, act_on, bulk, found, list_of, page_of, told

pytestmark = pytest.mark.slow

LIST = "/admin/tasks_app/message/"


@pytest.fixture
def grown(alice: User, bob: User) -> Grown:
    return grow("P(A(P) A- Ax A?)", author=alice, authors={1: bob})


def say(message: Message, text: str) -> Message:
    Message.objects.filter(pk=message.pk).update(text=text)
    return message


def test_search_finds_words_of_the_text(moderator: Client, grown: Grown) -> None:
    wanted = say(grown[1], "Tides follow the moon")

    assert found(moderator.get(LIST, {"q": "moon tides"})) == [wanted]
    assert found(moderator.get(LIST, {"q": "moon -tides"})) == []


def test_search_finds_ids_of_messages_trees_and_authors(
    moderator: Client, grown: Grown, bob: User
) -> None:
    other = grow("P")

    assert found(moderator.get(LIST, {"q": str(grown[2].pk)})) == [grown[2]]
    assert set(found(moderator.get(LIST, {"q": str(grown.tree.pk)}))) == set(grown)
    assert found(moderator.get(LIST, {"q": str(bob.pk)})) == [grown[1]]
    assert other.root not in found(moderator.get(LIST, {"q": str(uuid.uuid4())}))


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"role__exact": "prompter"}, {0, 2}),
        ({"review": "rejected"}, {3}),
        ({"review": "undecided"}, {5}),
        ({"is_deleted": "yes"}, {4}),
        ({"is_deleted": "no", "review": "accepted"}, {0, 1, 2}),
        ({"reported": "yes"}, {1}),
        ({"lang": "de"}, set()),
        ({"tree__state__exact": "growing"}, {0, 1, 2, 3, 4, 5}),
        ({"created_at_from": "2026-01-05", "created_at_to": "2026-01-05"}, {0, 1, 2, 3, 4, 5}),
        ({"created_at_from": "2026-01-06"}, set()),
        ({"created_at_to": "2026-01-04"}, set()),
        ({"created_at_from": "not a day"}, {0, 1, 2, 3, 4, 5}),
    ],
)
def test_filters_narrow_the_list(
    moderator: Client, grown: Grown, alice: User, query: dict[str, str], places: set[int]
) -> None:
    reactions.report(grown[1].pk, alice, "spam", "", now=NOW)

    shown = found(moderator.get(LIST, query))

    assert set(shown) == {grown[place] for place in places}


def test_author_filter_shows_one_persons_messages(
    moderator: Client, grown: Grown, bob: User
) -> None:
    assert found(moderator.get(LIST, {"user__id__exact": str(bob.pk)})) == [grown[1]]


def test_page_shows_the_thread_with_harmless_markup(moderator: Client, grown: Grown) -> None:
    say(grown.root, "**Bold** <script>alert(1)</script>")

    page = moderator.get(page_of(grown[2])).content.decode()

    assert "<strong>Bold</strong>" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert f'href="/messages/{grown[2].pk}/"' in page


def test_names_with_markup_are_shown_as_text(moderator: Client, grown: Grown, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(display_name="<img src=x onerror=alert(1)>")

    for url in (LIST, page_of(grown.root), page_of(alice), "/admin/accounts/user/"):
        page = moderator.get(url).content.decode()
        assert "&lt;img src=x" in page, url
        assert "<img src=x" not in page, url


def test_delete_asks_first_and_counts_what_it_hides(moderator: Client, grown: Grown) -> None:
    page = moderator.get(act_on(grown[1], "delete")).content.decode()

    assert "This hides 2 messages" in page
    grown.refresh()
    assert not grown[1].deleted


def test_delete_hides_the_message_and_logs_the_reason(
    moderator: Client, grown: Grown, mona: User
) -> None:
    response = moderator.post(act_on(grown[1], "delete"), WHY)

    grown.refresh()
    assert response.url == page_of(grown[1])
    assert told(response) == ["2 messages are hidden now."]
    assert (grown[1].deleted, grown[2].deleted, grown.root.deleted) == (True, True, False)
    logged = ModerationAction.objects.get()
    assert (logged.action, logged.actor, logged.reason) == ("delete_message", mona, WHY["reason"])


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_delete_without_a_fitting_reason_changes_nothing(
    moderator: Client, grown: Grown, reason: str
) -> None:
    response = moderator.post(act_on(grown[1], "delete"), {"reason": reason})

    assert response.status_code == 200
    assert response.context["form"].errors["reason"]
    assert not Message.objects.get(pk=grown[1].pk).deleted
    assert not ModerationAction.objects.exists()


def test_restore_shows_a_message_again(moderator: Client, grown: Grown) -> None:
    moderator.post(act_on(grown[4], "restore"), WHY)

    assert not Message.objects.get(pk=grown[4].pk).deleted


def test_edit_keeps_every_text(moderator: Client, grown: Grown, mona: User) -> None:
    before = grown[1].text

    moderator.post(act_on(grown[1], "edit"), {"text": "Better words", **WHY})

    message = Message.objects.get(pk=grown[1].pk)
    assert (message.text, message.edited) == ("Better words", True)
    texts = list(MessageRevision.objects.values_list("text", "reason"))
    assert texts == [(before, ""), ("Better words", WHY["reason"])]
    assert "Better words" in moderator.get(page_of(message)).content.decode()


def test_preview_shows_the_edit_and_saves_nothing(moderator: Client, grown: Grown) -> None:
    body = {"text": "*New* <b>words</b>", "reason": "", "preview": "yes"}

    page = moderator.post(act_on(grown[1], "edit"), body).content.decode()

    assert "<em>New</em>" in page
    assert "<b>words" not in page
    assert not Message.objects.get(pk=grown[1].pk).edited


@pytest.mark.parametrize("text", ["", " \n ", "x" * 5000, "a\x00b"])
def test_unfit_text_is_refused_and_kept_in_the_form(
    moderator: Client, grown: Grown, text: str
) -> None:
    response = moderator.post(act_on(grown[1], "edit"), {"text": text, **WHY})

    assert response.status_code == 200
    assert response.context["form"].errors
    assert not MessageRevision.objects.exists()


def test_bulk_delete_counts_asks_and_deletes(moderator: Client, grown: Grown) -> None:
    chosen = [grown[1], grown[3]]

    asked = moderator.post(LIST, bulk("delete", chosen, index="0"))
    assert "This hides 3 messages" in asked.content.decode()
    assert Message.objects.filter(deleted=True).count() == 1

    without = moderator.post(LIST, bulk("delete", chosen, confirmed="yes", reason=""))
    assert without.context["form"].errors["reason"]
    assert Message.objects.filter(deleted=True).count() == 1

    done = moderator.post(LIST, bulk("delete", chosen, confirmed="yes", **WHY))
    assert told(done) == ["Delete: done for 2."]
    assert Message.objects.filter(deleted=True).count() == 4
    assert ModerationAction.objects.count() == 2


def test_bulk_has_a_limit(moderator: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MOST_IN_A_JOB", 3)
    grown = grow("P(A A A)")

    response = moderator.post(LIST, bulk("delete", grown, confirmed="yes", **WHY))

    assert told(response) == ["Please choose at most 3 rows at a time."]
    assert not Message.objects.filter(deleted=True).exists()


def test_get_deletes_nothing(moderator: Client, grown: Grown) -> None:
    moderator.get(act_on(grown[1], "delete"), {**WHY, "confirmed": "yes"})
    moderator.get(LIST, bulk("delete", [grown[1]], confirmed="yes", **WHY))

    assert not Message.objects.get(pk=grown[1].pk).deleted


def test_deleted_text_stays_readable_for_moderators(
    moderator: Client, grown: Grown, mona: User
) -> None:
    say(grown[1], "Something private")
    moderation.delete_message(grown[1].pk, actor=mona, reason="private", now=NOW)

    page = moderator.get(page_of(grown[1])).content.decode()

    assert "Something private" in page
    assert act_on(grown[1], "restore") in page
    assert act_on(grown[1], "delete") not in page


def test_deleting_the_prompt_halts_the_tree(moderator: Client, grown: Grown) -> None:
    moderator.post(act_on(grown.root, "delete"), WHY)

    assert grown.refresh().tree.state == TreeState.HALTED_BY_MODERATOR
    assert list_of(Message) == LIST
