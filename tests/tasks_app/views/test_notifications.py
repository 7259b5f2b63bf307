"""The page of notifications, the bell, and what one wishes to be told."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import notifications
from tasks_app.notice_records import Notification, NotificationSettings
from tests.factories import grow, person
from tests.sessions import SignIn

pytestmark = pytest.mark.django_db

URL = "/notifications/"


def tell(user: User, count: int = 1) -> list[Notification]:
    made = [
        Notification.objects.create(
            user=user, kind="accepted", message=grow("P(A)")[1], created_at=timezone.now()
        )
        for _number in range(count)
    ]
    notifications.count_unread({user.pk})
    return made


def test_the_bell_counts_what_is_new_without_a_query(web: Client, alice: User) -> None:
    assert "bell-count" not in web.get("/terms/").text
    with CaptureQueriesContext(connection) as before:
        web.get("/terms/")
    tell(alice, 3)

    with CaptureQueriesContext(connection) as after:
        page = web.get("/terms/").text

    assert ">3</span>" in page
    assert len(after) == len(before)


def test_everything_shown_is_marked_read_and_nothing_that_came_since(
    web: Client, alice: User
) -> None:
    tell(alice, 2)
    newest = web.get(URL).context["newest"]
    [later] = tell(alice)

    web.post(f"{URL}read/", {"up_to": newest})

    assert list(Notification.objects.filter(read_at=None)) == [later]
    alice.refresh_from_db()
    assert alice.unread_notifications == 1


def test_showing_one_marks_it_and_leads_to_its_message(web: Client, alice: User) -> None:
    first, second = tell(alice, 2)

    answer = web.post(f"{URL}{first.pk}/")

    assert answer["Location"] == f"/messages/{first.message_id}/"
    assert list(Notification.objects.filter(read_at=None)) == [second]


def test_what_others_were_told_is_not_there(
    web: Client, sign_in: SignIn, alice: User, bob: User
) -> None:
    [his] = tell(bob)

    assert web.get(URL).context["notices"] == []
    assert web.post(f"{URL}{his.pk}/").status_code == 404
    web.post(f"{URL}read/", {"up_to": his.pk})
    assert Notification.objects.get().read_at is None


def test_pages_follow_each_other(web: Client, alice: User) -> None:
    tell(alice, notifications.PAGE_SIZE + 1)

    first = web.get(URL)
    rest = web.get(URL + first.context["more"])

    shown = [len(page.context["notices"]) for page in (first, rest)]
    assert shown == [notifications.PAGE_SIZE, 1]
    assert rest.context["more"] == ""


@pytest.mark.parametrize("before", ["-1", "x", "9" * 400, "\x00"])
def test_a_page_that_makes_no_sense_shows_the_newest(web: Client, alice: User, before: str) -> None:
    tell(alice)

    page = web.get(URL, {"before": before})

    assert page.status_code in (400, 422)


def test_the_page_takes_the_same_queries_for_more_rows(web: Client, alice: User) -> None:
    counts = []
    for more in (1, 2):
        tell(alice, more)
        with CaptureQueriesContext(connection) as captured:
            assert web.get(URL).status_code == 200
        counts.append(len(captured))

    assert counts[0] == counts[1]


def test_wishes_are_kept_and_no_mail_is_the_default(web: Client, alice: User) -> None:
    url = "/account/notifications/"
    assert "checked" in web.get(url).text
    assert not web.get(url).context["form"]["weekly_digest"].initial

    web.post(url, {"told": ["ranked", "report"], "weekly_digest": "on"})

    kept = NotificationSettings.objects.get(user=alice)
    assert kept.weekly_digest
    assert kept.digested_at is not None
    assert "accepted" in kept.muted
    assert "ranked" not in kept.muted
    assert web.post(url, {"told": ["nonsense"]}).status_code == 422


def test_saving_the_account_leaves_the_count_alone(web: Client, alice: User) -> None:
    stale = User.objects.get(pk=alice.pk)
    tell(alice, 2)
    assert stale.unread_notifications == 0

    web.post(
        "/account/",
        {"display_name": "Alice B", "contribution_languages": "en", "ui_language": "en",
         "theme": "system"},
    )  # fmt: skip

    alice.refresh_from_db()
    assert (alice.display_name, alice.unread_notifications) == ("Alice B", 2)
    assert person("Alice").unread_notifications == 2
