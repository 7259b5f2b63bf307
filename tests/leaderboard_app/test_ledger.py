"""The ledger follows the journal, the reviews, the ranks and the moderators."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from leaderboard_app import ledger
from leaderboard_app.models import PointEntry, Streak, UserStats
from oasst.accounts.models import User
from tasks_app import holding, interactions, moderation, splits, taking_back, undo
from tasks_app.config import overridden
from tasks_app.enums import LabelKind, TaskType, TreeState
from tasks_app.models import Contribution, Message, ModerationAction
from tests.factories import GOOD, NOW, SPAM, crowd, grow, hand_out, label
from tests.leaderboard_app import given
from tests.leaderboard_app.given import A_MINUTE, booked

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

OPPOSITE = {name: 1.0 - value for name, value in GOOD.items()}
MOD = {"reason": "why", "now": NOW}


def score(user: User) -> float:
    return float(PointEntry.objects.filter(user=user).score())


def judged(message: Message, *verdicts: dict[str, float]) -> list[User]:
    judges = crowd(len(verdicts), prefix="Judge")
    for judge, values in zip(judges, verdicts, strict=True):
        given.review(judge, message, values)
    return judges


def test_reply_is_pending_until_others_accept_it(alice: User) -> None:
    message = given.reply(alice, grow("P").root)
    assert booked(alice) == {"assistant_reply": ("pending", "waits_for_reviews")}

    judges = judged(message, GOOD, GOOD, GOOD)

    assert booked(alice) == {
        "assistant_reply": ("confirmed", "accepted"),
        "assistant_accepted": ("confirmed", "accepted"),
    }
    assert score(alice) == 8
    assert {booked(judge).popitem()[1] for judge in judges} == {("confirmed", "decided")}


def test_points_wait_again_when_a_decision_is_taken_back(alice: User, mona: User) -> None:
    message = given.reply(alice, grow("P").root)
    Message.objects.filter(pk=message.pk).update(split_at=NOW)  # reviewers differ
    splits.decide(message.pk, accept=True, actor=mona, **MOD)
    assert booked(alice)["assistant_reply"] == ("confirmed", "accepted")

    entry = ModerationAction.objects.get(action="decide_split")
    taking_back.take_back(entry.pk, actor=mona, **MOD)

    assert booked(alice)["assistant_reply"] == ("pending", "waits_for_reviews")
    assert score(alice) == 0


def test_rejected_reply_counts_nothing(alice: User) -> None:
    judged(given.reply(alice, grow("P").root), SPAM, SPAM, SPAM)

    assert booked(alice) == {"assistant_reply": ("reversed", "rejected")}
    assert score(alice) == 0


def test_review_far_from_all_others_counts_nothing(alice: User) -> None:
    message = given.reply(alice, grow("P").root)

    *honest, odd = judged(message, GOOD, GOOD, OPPOSITE)

    assert booked(odd).popitem()[1] == ("reversed", "far_off")
    assert booked(honest[0]).popitem()[1] == ("confirmed", "decided")


def test_nobody_is_compared_with_people_who_are_held_back(alice: User, mona: User) -> None:
    message = given.reply(alice, grow("P").root)
    held = crowd(2, prefix="Held")
    for person in held:
        holding.hold_user(person.pk, actor=mona, **MOD)
        given.review(User.objects.get(pk=person.pk), message, OPPOSITE)

    judges = judged(message, GOOD, GOOD, GOOD)

    assert {booked(judge).popitem()[1] for judge in judges} == {("confirmed", "decided")}
    assert {booked(person).popitem()[1] for person in held} == {("reversed", "far_off")}


def test_text_of_somebody_whose_votes_are_far_off_is_held_back(alice: User, bob: User) -> None:
    judges = crowd(2, prefix="Juror")
    for _ in range(5):
        message = given.reply(alice, grow("P").root)
        for judge in judges:
            given.review(judge, message)
        given.review(bob, message, OPPOSITE)
        ledger.catch_up(now=NOW)

    judged(given.reply(bob, grow("P").root), GOOD, GOOD, GOOD)

    assert booked(bob)["assistant_reply"] == ("reversed", "held")
    assert score(bob) == 0
    assert score(alice) == 5 * 8
    assert list(ledger.disagreements()) == []


def test_approving_what_all_others_reject_takes_back_what_was_confirmed_before(
    alice: User, bob: User, mona: User
) -> None:
    good = given.reply(alice, grow("P").root)
    given.review(bob, good)
    judged(good, GOOD, GOOD)
    assert booked(bob) == {"review_full": ("confirmed", "decided")}

    for author in crowd(2, prefix="Author"):
        message = given.reply(author, grow("P").root)
        for juror in crowd(2, prefix="Juror"):
            given.review(juror, message, SPAM)
        given.review(bob, message)
    ledger.catch_up(now=NOW)

    first = PointEntry.objects.get(user=bob, contribution__message=good)
    assert (first.state, first.why) == ("reversed", "held")
    assert score(bob) == 0
    assert score(alice) == 8
    assert list(ledger.disagreements()) == []

    moderation.delete_message(good.pk, actor=mona, **MOD)
    ledger.catch_up(now=NOW)
    assert list(ledger.disagreements()) == []


def test_held_points_count_again_when_enough_around_them_is_good(alice: User, bob: User) -> None:
    judges = crowd(2, prefix="Juror")

    def reviewed(theirs: dict[str, float], bobs: dict[str, float]) -> None:
        message = given.reply(alice, grow("P").root)
        for judge in judges:
            given.review(judge, message, theirs)
        given.review(bob, message, bobs)
        ledger.catch_up(now=NOW)

    for bobs in [GOOD, GOOD, SPAM, SPAM]:
        reviewed(SPAM, bobs)
    assert PointEntry.objects.filter(user=bob, held=True).count() == 4

    entries = PointEntry.objects.filter(user=bob).newest_first()
    for reviews, standing in ((1, ("pending", "waits_for_more")), (4, ("confirmed", "decided"))):
        for _ in range(reviews):
            reviewed(SPAM, SPAM)
        assert (entries[0].state, entries[0].why) == standing
    assert not PointEntry.objects.filter(user=bob, held=True).exists()
    assert not PointEntry.objects.filter(user__in=judges, held=True).exists()
    assert list(ledger.disagreements()) == []


def test_what_was_sent_faster_than_one_reads_counts_nothing(alice: User, bob: User) -> None:
    message = given.reply(alice, grow("P").root, takes=timedelta(seconds=1))
    label(bob, message)

    assert booked(alice) == {"assistant_reply": ("reversed", "too_quick")}
    assert booked(bob).popitem()[1] == ("reversed", "too_quick")


def test_ranking_waits_until_the_votes_around_it_are_no_luck(bob: User) -> None:
    tree, replies = grow("P(A A)", state=TreeState.RANKING), grow("P(A? A? A?)").messages[1:]
    for ranker in (bob, *crowd(2, prefix="Ranker")):
        given.rank(ranker, tree.root, [tree[1], tree[2]])
    assert booked(bob)["ranking"] == ("pending", "waits_for_more")
    assert (score(bob), list(ledger.disagreements())) == (0, [])

    for message in replies:
        given.review(bob, message)
        judged(message, GOOD, GOOD)

    found = booked(bob)
    assert found["ranking"] == ("confirmed", "ranked")
    assert found["ranking_agreed"] == ("confirmed", "agreed")
    assert list(ledger.disagreements()) == []


def test_ranking_that_nobody_shares_tells_nothing_and_counts_with_other_votes(bob: User) -> None:
    with overridden(num_required_rankings=1):
        for _ in range(3):
            tree = grow("P(A A)", state=TreeState.RANKING)
            given.rank(bob, tree.root, [tree[1], tree[2]])
    assert booked(bob) == {"ranking": ("pending", "waits_for_more")}

    for standing in (*[("pending", "waits_for_more")] * 3, ("confirmed", "ranked")):
        message = grow("P(A?)")[1]
        given.review(bob, message)
        judged(message, GOOD, GOOD)
        assert booked(bob)["ranking"] == standing
    assert PointEntry.objects.filter(user=bob, reason="ranking_agreed").count() == 0
    assert list(ledger.disagreements()) == []


def test_places_are_those_of_the_consensus_and_move_with_late_rankings(alice: User) -> None:
    tree = grow("P(A A)", state=TreeState.RANKING)
    first, second = tree[1], tree[2]
    Contribution.objects.create(
        user=alice, kind="reply", message=first, data={"role": "assistant"}, created_at=NOW
    )
    rankers = crowd(5, prefix="Ranker")
    for ranker in rankers[:3]:
        given.rank(ranker, tree.root, [first, second])
    assert booked(alice)["first"] == ("confirmed", "placed")
    assert booked(rankers[0]) == {
        "ranking": ("pending", "waits_for_more"),
        "ranking_agreed": ("pending", "waits_for_more"),
    }

    Message.objects.filter(pk=first.pk).update(rank=1)  # as rankings of many more people would
    ledger.settle_slice(None, now=NOW)

    assert booked(alice)["first"] == ("reversed", "moved")
    assert booked(alice)["second"] == ("confirmed", "placed")
    assert score(alice) == 8 + 3


def test_deleted_text_gives_its_points_back_and_restored_text_brings_them(
    alice: User, mona: User
) -> None:
    message = given.reply(alice, grow("P").root)
    judged(message, GOOD, GOOD, GOOD)
    booked(alice)

    moderation.delete_message(message.pk, actor=mona, **MOD)
    assert set(booked(alice).values()) == {("reversed", "removed")}
    assert UserStats.objects.get(user=alice, frame="total", lang="").confirmed == 0

    moderation.restore_message(message.pk, actor=mona, **MOD)
    booked(alice)
    assert score(alice) == 8


def test_ban_takes_all_points_and_the_end_of_the_ban_gives_them_back(
    alice: User, mona: User
) -> None:
    judges = judged(given.reply(alice, grow("P").root), GOOD, GOOD, GOOD)
    booked(alice)

    moderation.ban_user(alice.pk, actor=mona, **MOD)
    assert set(booked(alice).values()) == {("reversed", "banned")}
    assert score(judges[0]) > 0

    moderation.unban_user(alice.pk, actor=mona, **MOD)
    booked(alice)
    assert score(alice) == 8


def test_review_taken_back_leaves_the_ledger_and_counts_once_when_sent_again(bob: User) -> None:
    message = grow("P(A?)")[1]
    task = hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, message)
    sent = NOW + A_MINUTE
    interactions.submit_labels(task.pk, bob, GOOD, now=sent)
    assert len(booked(bob)) == 1

    undo.undo_labels(task.pk, bob, now=sent)
    assert booked(bob) == {}
    interactions.submit_labels(task.pk, bob, GOOD, now=sent + A_MINUTE)

    assert len(booked(bob)) == 1
    assert list(ledger.disagreements()) == []


def test_review_taken_back_after_it_was_booked_is_in_no_sum(
    bob: User, django_capture_on_commit_callbacks: Any
) -> None:
    tree = grow("P(A? A?)")
    given.review(bob, tree[1], GOOD)
    task = hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, tree[2])
    sent = NOW + A_MINUTE
    interactions.submit_labels(task.pk, bob, GOOD, now=sent)
    judged(tree[2], GOOD, GOOD)
    booked(bob)
    before = UserStats.objects.get(user=bob, frame="total", lang="")

    with django_capture_on_commit_callbacks(execute=True):
        undo.undo_labels(task.pk, bob, now=sent)

    after = UserStats.objects.get(user=bob, frame="total", lang="")
    assert (before.confirmed, after.confirmed) == (2, 0)
    assert list(ledger.disagreements()) == []


def test_running_twice_changes_nothing(alice: User) -> None:
    judged(given.reply(alice, grow("P").root), GOOD, GOOD, GOOD)

    assert ledger.catch_up(now=NOW) > 0
    before = list(PointEntry.objects.order_by("pk").values())

    assert ledger.catch_up(now=NOW + A_MINUTE) == 0
    ledger.settle_slice(None, now=NOW + A_MINUTE)
    assert list(PointEntry.objects.order_by("pk").values()) == before


def test_free_labels_skips_and_imported_trees_give_nothing(alice: User) -> None:
    tree = grow("P(A A)", author=alice)
    task = hand_out(alice, TaskType.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    interactions.skip(task.pk, alice, now=NOW)

    assert tree.root.label_sets.filter(kind=LabelKind.TASK).exists()
    assert booked(alice) == {}


def test_streak_counts_days_of_the_persons_own_time_zone(alice: User) -> None:
    alice.time_zone = "Pacific/Kiritimati"  # fourteen hours ahead
    alice.save()
    late = NOW.replace(hour=23)
    tree = grow("P(A? A?)")
    given.review(alice, tree[1], now=late)
    given.review(alice, tree[2], now=late.replace(hour=8))
    booked(alice)

    streak = Streak.objects.get(user=alice)

    assert (streak.last_day - streak.since).days == 1
    assert streak.last_day == (late + timedelta(hours=14)).date()


@pytest.mark.parametrize("url", ["/account/", "/account/welcome/"])
def test_streak_follows_the_time_zone_at_once(
    web: Client, alice: User, url: str, django_capture_on_commit_callbacks: Any
) -> None:
    late = NOW.replace(hour=23)
    tree = grow("P(A? A?)")
    given.review(alice, tree[1], now=late)
    given.review(alice, tree[2], now=late.replace(hour=8))
    booked(alice)
    assert Streak.objects.get(user=alice).last_day == late.date()
    form = {"display_name": "Alice", "contribution_languages": "en", "ui_language": "en"}
    form |= {"theme": "system", "time_zone": "Pacific/Kiritimati", "accept": "on"}

    with django_capture_on_commit_callbacks(execute=True):
        assert web.post(url, form).status_code == 302

    streak = Streak.objects.get(user=alice)
    assert streak.last_day == (late + timedelta(hours=14)).date()
    assert (streak.last_day - streak.since).days == 1
