"""Many messages at once at the desk: counted before, shown under way, undone from the log."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import holding, moderation
from tasks_app.bulk import actions
from tasks_app.models import BulkAction, Message, ModerationAction, TextLabels
from tests.factories import NOW, Grown, grow, reply
from tests.tasks_app.admin.desk import WHY, act_on, bulk, found, page_of, told

pytestmark = pytest.mark.slow

LIST = reverse("admin:tasks_app_message_changelist")


@pytest.fixture
def trees(bob: User) -> list[Grown]:
    return [grow("P(A(P) A)", author=bob), grow("P(A A)")]


def test_dry_run_counts_messages_trees_and_people(moderator: Client, trees: list[Grown]) -> None:
    chosen = [trees[0][1], trees[1][1]]

    text = moderator.post(LIST, bulk("delete", chosen)).content.decode()

    assert "This hides 3 messages" in text
    assert "Trees: 2, people: 1." in text
    assert not Message.objects.filter(deleted=True).exists()
    assert not BulkAction.objects.exists()


def test_everything_a_filter_finds_is_chosen_at_once(moderator: Client, trees: list[Grown]) -> None:
    body = bulk("label-as", [trees[0][1]], select_across="1")

    asked = moderator.post(LIST + "?role__exact=assistant", body)
    assert 'name="select_across"' in asked.content.decode()
    assert asked.content.decode().count("_selected_action") == 0
    moderator.post(LIST + "?role__exact=assistant",
                   body | {"confirmed": "yes", "label": "spam", **WHY})  # fmt: skip

    assert TextLabels.objects.filter(kind="free", values={"spam": 1.0}).count() == 4


def test_long_one_shows_its_progress_and_goes_on(
    moderator: Client, trees: list[Grown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "DONE_AT_ONCE", 1)
    chosen = [trees[0][1], trees[1][1]]

    response = moderator.post(LIST, bulk("delete", chosen, confirmed="yes", **WHY))
    started = BulkAction.objects.get()
    assert response["Location"] == page_of(started)
    assert "0 of 2 trees done." in moderator.get(page_of(started)).content.decode()
    assert moderator.get(page_of(started)).context["buttons"] == []

    actions.carry_on(started.pk, now=NOW)
    page = moderator.get(page_of(started)).content.decode()
    assert "Done." in page
    assert "every 2s" not in page


def test_bulk_action_is_undone_from_its_page(moderator: Client, trees: list[Grown]) -> None:
    moderator.post(LIST, bulk("delete", trees[0][1:3], confirmed="yes", **WHY))
    done = BulkAction.objects.get()

    response = moderator.post(act_on(done, "undo"), {"reason": "They were fine."})

    assert told(response)[-1] == "It is undone."
    assert not Message.objects.filter(deleted=True).exists()
    assert moderator.post(act_on(done, "undo"), WHY).context["form"].errors


def test_queue_of_held_messages_is_let_out_in_bulk(
    moderator: Client, alice: User, mona: User, trees: list[Grown]
) -> None:
    holding.hold_user(alice.pk, actor=mona, reason="Insults.", now=NOW)
    held = reply(alice, trees[1].root)
    assert found(moderator.get(LIST, {"held": "yes"})) == [held]

    moderator.post(LIST, bulk("release", [held], confirmed="yes", **WHY))

    assert not Message.objects.held().exists()


def test_person_is_held_back_and_not_any_more(moderator: Client, alice: User) -> None:
    moderator.post(act_on(alice, "hold"), WHY)
    assert User.objects.get(pk=alice.pk).held_since is not None
    assert "Held back" in moderator.get(page_of(alice)).content.decode()

    moderator.post(act_on(alice, "unhold"), WHY)
    assert User.objects.get(pk=alice.pk).held_since is None


def test_purge_says_what_it_takes_and_the_log_leads_to_the_undo(
    moderator: Client, bob: User, trees: list[Grown]
) -> None:
    asked = moderator.get(act_on(bob, "purge")).content.decode()
    assert "This hides 4 messages of 1 people" in asked
    assert not Message.objects.filter(deleted=True).exists()

    moderator.post(act_on(bob, "purge"), WHY)

    assert Message.objects.filter(deleted=True).count() == 4
    assert page_of(BulkAction.objects.get()) in moderator.get(page_of(bob)).content.decode()


def test_mute_is_undone_from_the_log(moderator: Client, alice: User) -> None:
    moderator.post(act_on(alice, "mute-7"), WHY)
    entry = ModerationAction.objects.get()

    response = moderator.post(act_on(entry, "undo"), {"reason": "Too harsh."})

    assert told(response)[-1] == "It is undone."
    assert User.objects.get(pk=alice.pk).muted_until is None
    page = moderator.get(page_of(entry))
    assert (page.context["buttons"], "Too harsh." in page.content.decode()) == ([], True)


def test_moderator_undoes_nothing_about_staff(moderator: Client, root: User, alice: User) -> None:
    now = timezone.now()
    moderation.mute_user(alice.pk, until=now, actor=root, reason="Rude.", now=now)
    entry = ModerationAction.objects.get()
    User.objects.filter(pk=alice.pk).update(is_superuser=True)

    response = moderator.post(act_on(entry, "undo"), WHY)

    assert response.status_code == 200
    assert ModerationAction.objects.count() == 1
