"""Goals of languages and prizes are set by staff, and each act stands in the log."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from leaderboard_app.models import Prize, TeamGoal
from oasst.accounts.models import User
from tasks_app.models import ModerationAction
from tests.leaderboard_app import given
from tests.sessions import signed_in

pytestmark = pytest.mark.django_db

GOALS = reverse("admin:leaderboard_app_teamgoal_changelist")
PRIZES = "/leaderboard/prizes/"


def log() -> list[tuple]:
    rows = ModerationAction.objects.order_by("pk")
    return list(rows.values_list("action", "actor__display_name", "reason", "data"))


def test_moderator_sets_changes_and_drops_a_goal(moderator: Client) -> None:
    for target in ("100", "100", "250", ""):
        answers = {"lang": "de", "target": target, "reason": "A good week."}
        page = moderator.post(GOALS, answers, follow=True)
        assert page.status_code == 200
        if target:
            assert TeamGoal.objects.get().target == int(target)

    assert not TeamGoal.objects.exists()
    assert log() == [
        ("set_goal", "Mona", "A good week.", {"goal": "Deutsch: – → 100"}),
        ("set_goal", "Mona", "A good week.", {"goal": "Deutsch: 100 → 250"}),
        ("set_goal", "Mona", "A good week.", {"goal": "Deutsch: 250 → –"}),
    ]
    assert "Deutsch: 100 → 250" in moderator.get("/admin/tasks_app/moderationaction/").text


@pytest.mark.parametrize(
    "answers",
    [
        {"lang": "de", "target": "100", "reason": ""},
        {"lang": "tlh-x", "target": "100", "reason": "Why not?"},
        {"lang": "de", "target": "0", "reason": "Why not?"},
        {"lang": "de", "target": "many", "reason": "Why not?"},
        {"lang": "de", "target": "9" * 30, "reason": "Why not?"},
        {},
    ],
)
def test_goal_that_makes_no_sense_is_not_set(moderator: Client, answers: dict[str, str]) -> None:
    page = moderator.post(GOALS, answers)

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not TeamGoal.objects.exists()
    assert log() == []


def test_contributors_set_no_goal(web: Client) -> None:
    answers = {"lang": "de", "target": "100", "reason": "Why not?"}

    assert web.post(GOALS, answers).status_code in {302, 403}
    assert not TeamGoal.objects.exists()


def test_naming_and_publishing_a_prize_is_logged(moderator: Client, alice: User) -> None:
    now = timezone.now()
    period = {"starts_at": now - timedelta(days=3), "ends_at": now - timedelta(minutes=5)}
    given.scored(alice, now=now - timedelta(days=1))
    times = {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in period.items()}
    answers = {"title": "Spring", "text": "A mug.", "lang": "", "places": "3", **times}

    moderator.post(PRIZES, answers)
    prize = Prize.objects.get()
    for _ in range(2):
        moderator.post(f"{PRIZES}{prize.pk}/publish/")

    assert log() == [
        ("name_prize", "Mona", "A mug.", {"prize": "Spring"}),
        ("publish_prize", "Mona", "", {"prize": "Spring"}),
    ]


def test_prize_that_is_not_over_leaves_no_entry(moderator: Client, mona: User) -> None:
    now = timezone.now()
    prize = Prize.objects.create(
        title="Summer", starts_at=now, ends_at=now + timedelta(days=1), places=3
    )

    assert signed_in(mona).post(f"{PRIZES}{prize.pk}/publish/").status_code == 409
    assert log() == []
