"""Everybody is told what became of their work: once, whatever runs twice or is killed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from oasst.accounts.models import User
from oasst.privacy import erase_person
from tasks_app import moderation, news, notices, notifications, reactions
from tasks_app.enums import NotificationKind as Kind
from tasks_app.enums import ReportState, TreeState
from tasks_app.importing import ModelUse, SnapshotUse, record_usage
from tasks_app.models import Contribution, Message
from tasks_app.notice_records import EventCursor, Notification, NotifiedFact
from tests.factories import GOOD, NOW, SPAM, crowd, grow, rank, reply, review
from tests.waiting import on_a_connection_of_its_own

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

SOON = NOW + timedelta(minutes=1)


def tell(*, after: timedelta = timedelta(minutes=1)) -> int:
    return notifications.tell_news(now=NOW + after)


def told(user: User) -> list[tuple[str, int]]:
    rows = Notification.objects.filter(user=user).order_by("-pk")
    return [(row.kind, row.count) for row in rows]


def words(user: User) -> list[tuple[str, str]]:
    found, _more = notifications.page(user)
    return [(each.text, each.note) for each in map(notices.notice, found)]


def written(user: User, *reviews: Any) -> Message:
    return review(reply(user, grow("P").root), *reviews)


def test_verdicts_are_told_to_the_author_alone_and_once(alice: User) -> None:
    written(alice, GOOD, GOOD, GOOD)

    assert [tell() for _twice in range(2)] == [1, 0]

    assert told(alice) == [(Kind.ACCEPTED, 1)]
    assert words(alice) == [("A message of yours was accepted.", "")]
    assert {row.user_id for row in NotifiedFact.objects.all()} == {alice.pk}


def test_facts_of_a_kind_share_an_unread_notification(alice: User) -> None:
    for number in range(3):
        written(alice, GOOD, GOOD, GOOD)
        tell(after=timedelta(minutes=number + 1))
    written(alice, SPAM, SPAM, SPAM)
    tell()

    assert told(alice) == [(Kind.NOT_ACCEPTED, 1), (Kind.ACCEPTED, 3)]
    assert words(alice)[1] == ("3 of your messages were accepted.", "")
    alice.refresh_from_db()
    assert alice.unread_notifications == 2


def test_what_was_read_stays_and_the_next_begins_anew(alice: User) -> None:
    written(alice, GOOD, GOOD, GOOD)
    tell()
    notifications.mark_read(alice, now=SOON)
    written(alice, GOOD, GOOD, GOOD)
    tell()

    assert told(alice) == [(Kind.ACCEPTED, 1), (Kind.ACCEPTED, 1)]
    alice.refresh_from_db()
    assert alice.unread_notifications == 1


def test_a_review_that_may_still_be_taken_back_is_not_told(alice: User) -> None:
    written(alice, GOOD, GOOD, GOOD)

    assert tell(after=timedelta(seconds=10)) == 0
    assert told(alice) == []
    assert tell() == 1


def test_an_event_that_appears_late_is_told_all_the_same(alice: User) -> None:
    """Its id was given out before those of events that were told already."""
    written(alice, GOOD, GOOD, GOOD)
    late = Contribution.objects.filter(message__user=alice, kind="labels")
    hidden = list(late)
    late.delete()
    written(crowd(1)[0], GOOD, GOOD, GOOD)
    tell()
    Contribution.objects.bulk_create(hidden)

    assert tell() == 0
    assert told(alice) == []
    tell(after=notifications.SEEN_AFTER + timedelta(minutes=1))

    assert told(alice) == [(Kind.ACCEPTED, 1)]


def test_a_reader_that_dies_before_its_end_leaves_everything_to_the_next(alice: User) -> None:
    written(alice, GOOD, GOOD, GOOD)

    with transaction.atomic():
        assert tell() == 1
        transaction.set_rollback(True)
    assert (told(alice), EventCursor.objects.count()) == ([], 0)

    tell()
    assert told(alice) == [(Kind.ACCEPTED, 1)]


@pytest.mark.django_db(transaction=True)
def test_readers_at_the_same_time_tell_everything_once(alice: User) -> None:
    for _number in range(3):
        written(alice, GOOD, GOOD, GOOD)

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(on_a_connection_of_its_own, tell) for _number in range(8)]
        assert [reader.exception() for reader in readers] == [None] * 8

    assert sum(count for _kind, count in told(alice)) == 3
    alice.refresh_from_db()
    assert alice.unread_notifications == len(told(alice)) == 1


def test_the_way_of_a_tree_is_told_to_its_authors(alice: User, bob: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING, authors={0: bob, 1: alice})
    for voter in crowd(3, prefix="Voter"):
        rank(voter, grown.root, [grown[1], grown[2]])
    tell()

    assert words(alice) == [("A message of yours took place 1 of 2.", "")]
    assert told(bob) == []


def test_removals_come_with_the_reason_and_to_those_below(
    alice: User, bob: User, mona: User
) -> None:
    grown = grow("P(A(P) A)", authors={1: alice, 2: bob, 3: mona})
    for place, reason in ((1, "Names a person."), (3, "My own.")):
        moderation.delete_message(grown[place].pk, actor=mona, reason=reason, now=NOW)
    tell()

    reason = "The moderator's reason: Names a person."
    assert words(alice) == [("A message of yours was removed.", reason)]
    assert words(bob) == [("A message of yours went with one above it that was removed.", "")]
    assert told(mona) == []


def test_edits_and_restorations_are_told(alice: User, mona: User) -> None:
    message = grow("P(A)", authors={1: alice})[1]
    how = {"actor": mona, "now": NOW}
    moderation.edit_message(message.pk, "Better.", reason="A name.", **how)
    moderation.delete_message(message.pk, reason="Oops.", **how)
    moderation.restore_message(message.pk, reason="It was fine.", **how)
    tell()

    assert [text for text, _note in words(alice)] == [
        "A message of yours was put back.",
        "A moderator has changed the text of a message of yours.",
    ]


def test_reporters_hear_the_outcome_without_the_note(alice: User, bob: User, mona: User) -> None:
    message = grow("P(A)", authors={1: bob})[1]
    found = reactions.report(message.pk, alice, "spam", "", now=NOW)
    outcome = {"outcome": ReportState.DISMISSED, "note": "Silly."}
    moderation.resolve_report(found.pk, actor=mona, now=NOW, **outcome)
    tell()

    [(text, note)] = words(alice)
    assert "found that it can stay" in text
    assert note == ""
    assert told(bob) == []


def test_snapshots_and_models_are_told_to_those_whose_texts_they_hold(
    alice: User, bob: User
) -> None:
    grown = grow("P(A A)", authors={0: alice, 1: alice, 2: bob})
    trees = [(grown.tree.pk, [grown[0].pk, grown[1].pk])]
    record_usage(
        snapshots=[SnapshotUse("v1", NOW, trees=trees)],
        models=[ModelUse("made", "sft", NOW, ["v1"])],
    )
    tell()

    assert [text for text, _note in words(alice)] == [
        "The model made learned from messages of yours: 2.",
        "The snapshot v1 of the data holds messages of yours: 2.",
    ]
    assert told(bob) == []


def test_kinds_that_are_not_wished_for_are_not_told(alice: User) -> None:
    notifications.wish(alice, muted=[Kind.ACCEPTED], weekly_digest=False, now=NOW)
    written(alice, GOOD, GOOD, GOOD)
    written(alice, SPAM, SPAM, SPAM)
    tell()

    assert told(alice) == [(Kind.NOT_ACCEPTED, 1)]


def test_old_events_and_banned_people_are_told_nothing(alice: User, bob: User) -> None:
    written(alice, GOOD, GOOD, GOOD)
    written(bob, GOOD, GOOD, GOOD)
    User.objects.filter(pk=bob.pk).update(is_active=False)

    tell(after=notifications.NEWS_FOR + timedelta(days=1))
    assert told(alice) == []
    EventCursor.objects.all().delete()
    tell()

    assert (told(alice), told(bob)) == ([(Kind.ACCEPTED, 1)], [])


def test_telling_takes_the_same_queries_for_more_people() -> None:
    counts = []
    source = next(each for each in news.SOURCES if each.name == "reviews")
    for size in (1, 3):
        for author in crowd(size, prefix=f"Author{size}x"):
            written(author, GOOD, GOOD, GOOD)
        with CaptureQueriesContext(connection) as captured:
            notifications.read_on(source, now=SOON)
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_erasing_a_person_removes_their_notifications(alice: User, bob: User) -> None:
    written(alice, GOOD, GOOD, GOOD)
    written(bob, GOOD, GOOD, GOOD)
    tell()

    erase_person(alice, now=SOON)

    assert (told(alice), told(bob)) == ([], [(Kind.ACCEPTED, 1)])
    alice.refresh_from_db()
    assert alice.unread_notifications == 0
    assert not NotifiedFact.objects.filter(user=alice).exists()
