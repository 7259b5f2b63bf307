"""The trollboard counts what others found, and nothing else."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from leaderboard_app import trolls
from leaderboard_app.enums import Frame
from leaderboard_app.models import TrollStats
from oasst.accounts.models import User
from tasks_app import holding, moderation, reactions
from tasks_app.enums import TreeState
from tests.factories import NOW, SPAM, crowd, grow, label, person, reply
from tests.sessions import signed_in

LIST = reverse("admin:leaderboard_app_trollstats_changelist")


@pytest.fixture
def troll(db: None) -> User:
    return person("Troll")


def line(user: User, frame: Frame = Frame.TOTAL) -> TrollStats:
    trolls.refresh(frame, now=NOW)
    return TrollStats.objects.get(user=user, frame=frame)


def test_score_is_worked_out_by_hand(troll: User, alice: User, bob: User) -> None:
    grown = grow("P(A? A)", author=troll)
    label(alice, grown[1], SPAM)
    reactions.report(grown[2].pk, alice, "pii", "", now=NOW)
    reactions.react(grown[2].pk, bob, "-1", now=NOW)
    reactions.react(grown.root.pk, bob, "+1", now=NOW)
    grow("P-", author=troll, state=TreeState.ABORTED_LOW_GRADE)

    found = line(troll)

    # 3 × 1 red flag + 1 thumb down − 1 thumb up + 1 prompt + spam: Alice's and the prompt's three
    # reviewers + 1 of personal data.
    assert (found.red_flags, found.downvotes, found.upvotes, found.spam_prompts) == (1, 1, 1, 1)
    assert (found.spam, found.pii, found.messages) == (4.0, 1.0, 4)
    assert found.score == 3 + 1 - 1 + 1 + 4 + 1


def test_labels_count_without_any_reaction(troll: User, alice: User) -> None:
    label(alice, grow("P(A?)", authors={1: troll})[1], SPAM)

    assert line(troll).spam == 1.0


def test_unanswered_labels_are_absent_and_not_zero(troll: User, alice: User) -> None:
    message = grow("P(A?)", authors={1: troll})[1]
    label(alice, message, SPAM)
    assert line(troll).quality is None

    reactions.label_freely(message.pk, alice, {"quality": 0.75}, now=NOW)

    assert line(troll).quality == 0.75


def test_means_are_over_all_who_answered(troll: User, alice: User, bob: User) -> None:
    message = grow("P(A)", authors={1: troll})[1]
    said = {"helpfulness": 1.0, "humor": 0.25, "toxicity": 0.5, "violence": 0.0}
    for judge, answers in ((alice, said), (bob, {"humor": 0.75})):
        reactions.label_freely(message.pk, judge, answers, now=NOW)

    found = line(troll)

    means = (found.helpfulness, found.humor, found.toxicity, found.violence)
    assert means == (1.0, 0.5, 0.5, 0.0)


def test_what_people_say_of_their_own_messages_does_not_count(troll: User) -> None:
    message = grow("P(A)", authors={1: troll})[1]
    reactions.label_freely(message.pk, troll, {"spam": 1.0, "quality": 1.0}, now=NOW)

    assert (line(troll).spam, line(troll).quality) == (0.0, None)


def test_removed_messages_are_told_apart_and_held_ones_not_counted(troll: User, mona: User) -> None:
    grown = grow("P(A A)", authors={1: troll, 2: troll})
    moderation.delete_message(grown[1].pk, actor=mona, reason="An insult.", now=NOW)
    holding.hold_user(troll.pk, actor=mona, reason="Insults.", now=NOW)
    reply(troll, grow("P(A)").root)

    assert (line(troll).messages, line(troll).removed) == (2, 1)


def test_frames_look_back_as_far_as_they_say(troll: User) -> None:
    grow("P(A)", authors={1: troll}, now=NOW - timedelta(days=6))

    counts = {frame: trolls.refresh(frame, now=NOW) for frame in Frame}

    assert counts == {Frame.DAY: 0, Frame.WEEK: 1, Frame.MONTH: 1, Frame.TOTAL: 1}


def test_worst_is_first_and_refreshing_twice_changes_nothing(troll: User, alice: User) -> None:
    grow("P(A A)", authors={1: troll, 2: alice})
    label(alice, grow("P(A?)", authors={1: troll})[1], SPAM)

    for _round in range(2):
        trolls.refresh(Frame.WEEK, now=NOW)

    assert list(TrollStats.objects.order_by("rank").values_list("rank", "user")) == [
        (1, troll.pk),
        (2, alice.pk),
    ]


def test_board_leads_to_people_and_tells_its_formula(moderator: Client, troll: User) -> None:
    now = timezone.now()
    grow("P(A)", authors={1: troll}, now=now)
    trolls.refresh(Frame.WEEK, now=now)

    page = moderator.get(LIST).content.decode()

    assert f"/admin/accounts/user/{troll.pk}/change/" in page
    assert "3 × red flags + thumbs down − thumbs up" in page
    banned = moderator.get(LIST, {"accounts": "banned"}).content.decode()
    assert f"/admin/accounts/user/{troll.pk}/change/" not in banned


def test_board_needs_the_same_queries_for_more_people(moderator: Client) -> None:
    counts = []
    for number in (1, 3):
        grow("P(" + "A " * number + ")", authors=dict(enumerate(crowd(number), start=1)))
        trolls.refresh(Frame.WEEK, now=NOW)
        moderator.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            moderator.get(LIST)
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 20


def test_contributors_do_not_see_the_board(alice: User) -> None:
    assert signed_in(alice).get(LIST).status_code in {302, 403}
