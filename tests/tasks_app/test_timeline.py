"""A message's way, told event by event: all of it to its author, the public part to others."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import holding, moderation, splits, timeline
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.importing import ModelUse, SnapshotUse, record_usage
from tasks_app.interactions import submit_labels
from tasks_app.models import Message, Task
from tests.factories import GOOD, NOW, SPAM, crowd, grow, label, person, rank, reply, review
from tests.sessions import SignIn

pytestmark = pytest.mark.django_db

CONFIG = TreeConfig.defaults()


def titles(message: Message, *, is_author: bool = True) -> list[str]:
    message = Message.objects.select_related("tree").get(pk=message.pk)
    told = timeline.of([message], CONFIG, is_author=is_author)[message.pk]
    return [event.title for event in told.events]


def notes(message: Message, *, is_author: bool = True) -> list[str]:
    told = timeline.of([message], CONFIG, is_author=is_author)[message.pk]
    return [note for event in told.events for note in event.notes]


def verdict_of(message: Message) -> timeline.Event:
    message = Message.objects.select_related("tree").get(pk=message.pk)
    return timeline.of([message], CONFIG, is_author=True)[message.pk].events[1]


def task_of(judge: User, message: Message) -> Task:
    """A review that is still to come, perhaps late."""
    return Task.objects.create(
        kind=TaskType.LABEL_ASSISTANT_REPLY, lang="en", user=judge, tree=message.tree,
        message=message, holds_slot=False, reserved_until=NOW, created_at=NOW,
        expires_at=NOW + timedelta(days=2),
    )  # fmt: skip


def use(message: Message, name: str = "v1", **of: object) -> None:
    snapshot = SnapshotUse(name, NOW, trees=[(message.tree_id, [message.pk])])
    record_usage(snapshots=[snapshot], models=[ModelUse("teacher", "sft", NOW, [name], "helper")])


def test_a_message_walks_through_all_states(alice: User) -> None:
    grown = grow("P(A)", goal_tree_size=3)
    mine = reply(alice, grown.root)
    assert titles(mine) == ["Written", "Waits for 3 more reviews."]

    review(mine, GOOD, GOOD, SPAM)
    ranking = "Accepted. The replies of its conversation are being ranked."
    assert titles(mine)[1:] == ["Reviewed by 3 people, accepted", ranking]
    assert notes(mine) == ["2 of 3 reviewers found nothing against it"]

    for voter in crowd(3, prefix="Voter"):
        rank(voter, grown.root, [mine, grown[1]])
    assert titles(mine)[2:] == ["Ranked by 3 people: place 1 of 2"]

    use(mine)
    assert titles(mine)[3:] == ["Part of a snapshot of the data", "A model learned from it"]
    mine.refresh_from_db()
    assert notes(mine)[-1] == "It lives on in what the chat offers as helper."

    moderation.delete_message(mine.pk, actor=None, reason="Names a person.", now=NOW)
    mine.refresh_from_db()
    assert titles(mine)[-1] == "Removed"
    assert notes(mine)[-1] == "Names a person."


def test_a_rejected_message_names_its_reasons(alice: User) -> None:
    mine = review(reply(alice, grow("P").root), SPAM, SPAM, GOOD)

    assert titles(mine) == ["Written", "Reviewed by 3 people, not accepted"]
    assert notes(mine) == ["2 of 3 reviewers marked it as: Spam"]


def test_late_reviews_move_no_verdict_and_held_ones_are_not_told(alice: User, mona: User) -> None:
    mine = reply(alice, grow("P").root)
    taken = [task_of(judge, mine) for judge in crowd(2, prefix="Late")]
    holding.hold_user(taken[1].user_id, actor=mona, reason="Sells votes.", now=NOW)
    review(mine, GOOD, GOOD, GOOD)
    for task in taken:
        submit_labels(task.pk, task.user, GOOD, now=NOW + timedelta(hours=3))

    verdict = verdict_of(mine)

    assert verdict.title == "Reviewed by 4 people, accepted"
    assert list(verdict.notes) == ["4 of 4 reviewers found nothing against it"]
    assert verdict.at == NOW


def test_verdict_that_late_reviews_turned_is_as_old_as_the_one_that_did(alice: User) -> None:
    mine = reply(alice, grow("P").root)
    taken = [task_of(judge, mine) for judge in crowd(4, prefix="Late")]
    review(mine, SPAM, GOOD, SPAM)
    for hours, task in enumerate(taken, start=1):
        submit_labels(task.pk, task.user, GOOD, now=NOW + timedelta(hours=hours))

    verdict = verdict_of(mine)

    assert verdict.title == "Reviewed by 7 people, accepted"
    assert verdict.at == NOW + timedelta(hours=3)  # four of six


def test_verdict_of_a_moderator_is_as_old_as_the_decision(alice: User, mona: User) -> None:
    mine = reply(alice, grow("P").root)
    with overridden(adaptive_overlap=True, adaptive_most_reviews=3, adaptive_threshold=0.999):
        review(mine, GOOD, SPAM, GOOD)
        later = NOW + timedelta(days=1)
        splits.decide(mine.pk, accept=True, actor=mona, reason="Fine.", now=later)

    assert verdict_of(mine).at == later


def test_others_are_told_neither_reasons_nor_how_many_reviewed(alice: User) -> None:
    mine = review(reply(alice, grow("P").root), GOOD, SPAM, GOOD)
    use(mine)
    public = titles(mine, is_author=False)

    assert public[1] == "Reviewed and accepted"
    assert "Part of a snapshot of the data" in public
    assert not any("reviewer" in note for note in notes(mine, is_author=False))


def test_a_withdrawn_snapshot_says_so(alice: User) -> None:
    mine = grow("P(A)", state=TreeState.READY_FOR_EXPORT)[1]
    use(mine)
    record_usage(snapshots=[SnapshotUse("v1", NOW, superseded_at=NOW)])

    assert "Something in it was withdrawn since, so nothing new learns from it." in notes(mine)


def test_ways_take_the_same_queries_for_more_messages() -> None:
    counts = []
    for size in (1, 3):
        grown = [grow("P(A A- Ax)", state=TreeState.READY_FOR_EXPORT) for _tree in range(size)]
        for each in grown:
            Message.objects.filter(pk=each[1].pk).update(rank=0)
            use(each[1], f"of-{each.tree.pk}")
        ids = [message.pk for each in grown for message in each]
        messages = list(Message.objects.select_related("tree").filter(pk__in=ids))
        with CaptureQueriesContext(connection) as captured:
            timeline.of(messages, CONFIG, is_author=True)
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 9


def test_the_page_of_a_message_tells_its_author_all_and_others_the_public_part(
    sign_in: SignIn, alice: User, bob: User
) -> None:
    mine = review(reply(alice, grow("P").root), GOOD, GOOD, SPAM)
    use(mine)
    url = f"/messages/{mine.pk}/"

    own, public = sign_in(alice).get(url).text, sign_in(bob).get(url).text

    assert "What became of your message" in own
    assert "2 of 3 reviewers found nothing against it" in own
    assert "What became of this message" in public
    assert "reviewers found nothing" not in public
    for page in (own, public):
        assert f'href="{reverse("training:data", args=["v1"])}"' in page
        assert "Judge 0" not in page


def test_a_removed_message_tells_others_nothing(web: Client, mona: User) -> None:
    gone = grow("P(A)", author=mona)[1]
    moderation.delete_message(gone.pk, actor=mona, reason="Names a person.", now=NOW)

    page = web.get(f"/messages/{gone.pk}/").text

    assert "What became of" not in page
    assert "Names a person." not in page


def test_the_dashboard_tells_the_way_of_the_last_five(web: Client, alice: User) -> None:
    for number in range(6):
        now = timezone.now() + timedelta(seconds=number)
        reply(alice, grow("P").root, f"Answer {number}", now=now)

    page = web.get("/dashboard/")

    assert [len(entry["events"]) for entry in page.context["recent"]] == [2] * 5
    assert "Answer 0" not in page.text


def test_a_review_is_answered_once_the_verdict_stands(web: Client, alice: User) -> None:
    message = grow("P(A?)")[1]
    now = timezone.now()
    label(alice, message, GOOD, now=now)
    assert "once enough people have reviewed it" in web.get("/contributions/").text

    for judge in (person("Jo"), person("Kim")):
        label(judge, message, GOOD, now=now)

    page = web.get("/contributions/").text
    assert "It was accepted, as you saw it." in page
    assert "Kim" not in page
