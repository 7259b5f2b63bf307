"""What keys do at the desk, and which report or message comes next."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import config, moderation, reactions, splits
from tasks_app.enums import ReportState
from tasks_app.models import Message, Report
from tests.factories import GOOD, SPAM, grow, label, person, review
from tests.tasks_app.admin.desk import act_on, list_of, page_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def keys(web: Client, url: str) -> str:
    return "".join(each.key for each in web.get(url).context["row_keys"])


def test_lists_offer_the_keys_of_what_one_may_do_there(moderator: Client) -> None:
    assert keys(moderator, list_of(Report)) == "cqadi"
    assert keys(moderator, list_of(Message)) == "odreq"
    assert keys(moderator, f"{list_of(Message)}?split=yes") == "axodreq"
    assert keys(moderator, list_of(User)) == "b173hq"
    assert keys(moderator, "/admin/leaderboard_app/trollstats/") == ""


def test_buttons_show_their_key(moderator: Client, alice: User) -> None:
    page = moderator.get(page_of(alice)).text

    assert f'href="{act_on(alice, "ban")}" data-shortcut="b"' in page
    assert f'href="{act_on(alice, "rename")}">' in page


def test_letters_are_off_for_those_who_turned_them_off(moderator: Client, mona: User) -> None:
    assert 'data-shortcuts="on"' in moderator.get(list_of(Report)).text

    User.objects.filter(pk=mona.pk).update(shortcuts_enabled=False)

    assert 'data-shortcuts="off"' in moderator.get(list_of(Report)).text


def reported(reporter: User, *hours: int) -> list[Report]:
    now = timezone.now()
    message = grow("P(A)", now=now - timedelta(days=1))[1]
    people = [reporter, *(person(f"Reporter {number}") for number in hours[1:])]
    return [
        reactions.report(message.pk, who, "pii", "", now=now - timedelta(hours=ago))
        for who, ago in zip(people, hours, strict=True)
    ]


def next_of(web: Client, row: object) -> str:
    return web.get(page_of(row)).context["next_url"]


def test_next_report_is_the_next_by_urgency_and_no_colleagues(
    moderator: Client, alice: User, root: User
) -> None:
    first, second, third = reported(alice, 9, 5, 1)
    assert [next_of(moderator, row) for row in (first, second, third)] == [
        page_of(second),
        page_of(third),
        page_of(first),
    ]

    moderation.claim_report(second.pk, actor=root, now=timezone.now())
    assert next_of(moderator, first) == page_of(third)

    done = ReportState.DISMISSED
    moderation.resolve_report(third.pk, actor=root, outcome=done, note="fine", now=timezone.now())
    assert next_of(moderator, third) == page_of(first)
    assert next_of(moderator, first) == ""


def split(now: datetime) -> Message:
    message = review(grow("P(A?)", now=now)[1], *[GOOD, SPAM] * 2, now=now)
    label(person("Fifth"), message, SPAM, now=now)
    return message


def test_next_split_message_is_the_one_that_waits_longest_after_this(
    moderator: Client, mona: User
) -> None:
    now = timezone.now()
    with config.overridden(adaptive_overlap=True, p_gold=0.0, p_gold_newcomer=0.0):
        first, second, third = (split(now - timedelta(hours=ago)) for ago in (3, 2, 1))
        assert next_of(moderator, first) == page_of(second)
        assert next_of(moderator, third) == page_of(first)

        splits.decide(second.pk, accept=True, actor=mona, reason="fine", now=now)

    assert next_of(moderator, first) == page_of(third)
    assert next_of(moderator, second) == page_of(third)
    assert next_of(moderator, grow("P(A)")[1]) == ""
