"""The queue of reports at the desk: order, claims, decisions, deleting on the spot."""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts import roles
from oasst.accounts.models import User
from tasks_app import moderation, reactions
from tasks_app.enums import ReportState
from tasks_app.models import Message, ModerationAction, Report
from tests.factories import Grown, crowd, grow, person
from tests.sessions import signed_in
from tests.tasks_app.admin.desk import act_on, bulk, found, page_of, told

pytestmark = pytest.mark.slow

LIST = "/admin/tasks_app/report/"
KEEP = {"outcome": "dismissed", "note": "Nothing wrong with it."}
DELETE = {"outcome": "resolved", "delete": "on", "note": "A telephone number."}


@pytest.fixture
def grown() -> Grown:
    return grow("P(A(P))")


@pytest.fixture
def report(grown: Grown, alice: User) -> Report:
    return reactions.report(grown[1].pk, alice, "pii", "a number", now=timezone.now())


@pytest.fixture
def max_(db: None) -> Client:
    return signed_in(person("Max", role=roles.MODERATORS))


def fresh(report: Report) -> Report:
    return Report.objects.get(pk=report.pk)


def test_queue_shows_open_reports_the_most_urgent_first(
    moderator: Client, grown: Grown, alice: User, bob: User, mona: User
) -> None:
    now = timezone.now()
    old_spam = reactions.report(grown[0].pk, alice, "spam", "", now=now - timedelta(hours=3))
    pii = reactions.report(grown[1].pk, bob, "pii", "", now=now - timedelta(hours=2))
    done = reactions.report(grown[2].pk, bob, "pii", "", now=now - timedelta(days=9))
    outcome = ReportState.DISMISSED
    moderation.resolve_report(done.pk, actor=mona, outcome=outcome, note="fine", now=now)

    assert found(moderator.get(LIST)) == [pii, old_spam]
    assert found(moderator.get(LIST, {"state": "dismissed"})) == [done]
    assert len(found(moderator.get(LIST, {"state": "all"}))) == 3
    assert found(moderator.get(LIST, {"category": "spam"})) == [old_spam]


def test_page_shows_words_thread_and_consequences(moderator: Client, report: Report) -> None:
    page = moderator.get(page_of(report)).content.decode()

    assert "a number" in page
    assert "Personal data" in page
    assert report.message.text in page
    assert "Deleting would hide 2 messages." in page


def test_taking_a_report_keeps_others_away(
    moderator: Client, max_: Client, report: Report, mona: User
) -> None:
    moderator.post(act_on(report, "claim"))
    assert fresh(report).claimed_by == mona

    page = max_.get(page_of(report)).content.decode()
    assert "Mona is working on this report." in page
    assert "decide" not in page
    refused = max_.post(act_on(report, "decide"), KEEP)
    assert "Another moderator is working" in refused.content.decode()
    assert fresh(report).state == ReportState.OPEN


def test_giving_a_report_back_frees_it(moderator: Client, report: Report) -> None:
    moderator.post(act_on(report, "claim"))
    moderator.post(act_on(report, "release"))

    assert fresh(report).claimed_by is None


def test_looking_at_a_report_takes_nothing(moderator: Client, report: Report) -> None:
    moderator.get(page_of(report))
    moderator.get(act_on(report, "claim"))

    assert fresh(report).claimed_by is None


@pytest.mark.parametrize("outcome", ["resolved", "dismissed", "inconclusive"])
def test_decision_closes_the_report_with_a_note(
    moderator: Client, report: Report, mona: User, outcome: str
) -> None:
    response = moderator.post(act_on(report, "decide"), {"outcome": outcome, "note": "Looked."})

    decided = fresh(report)
    assert told(response) == ["1 report is decided."]
    assert (decided.state, decided.note, decided.resolved_by) == (outcome, "Looked.", mona)
    assert not Message.objects.filter(deleted=True).exists()
    assert ModerationAction.objects.get().reason == "Looked."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"note": "Looked."}, "outcome"),
        ({"outcome": "open", "note": "Looked."}, "outcome"),
        ({"outcome": "resolved", "note": " "}, "note"),
        ({"outcome": "resolved", "note": "x" * 501}, "note"),
        ({"outcome": "dismissed", "delete": "on", "note": "Looked."}, "outcome"),
    ],
)
def test_unclear_decision_changes_nothing(
    moderator: Client, report: Report, body: dict[str, str], field: str
) -> None:
    response = moderator.post(act_on(report, "decide"), body)

    assert response.context["form"].errors[field]
    assert fresh(report).state == ReportState.OPEN
    assert not Message.objects.filter(deleted=True).exists()


def test_message_is_deleted_right_there(moderator: Client, report: Report) -> None:
    moderator.post(act_on(report, "decide"), DELETE)

    assert fresh(report).state == ReportState.RESOLVED
    assert Message.objects.filter(deleted=True).count() == 2
    logged = set(ModerationAction.objects.values_list("action", "reason"))
    assert logged == {
        ("resolve_report", DELETE["note"]),
        ("delete_message", DELETE["note"]),
    }


@pytest.mark.parametrize(("others", "still_open"), [("on", 0), ("", 1)])
def test_other_reports_of_the_message_may_be_decided_too(
    moderator: Client, report: Report, bob: User, others: str, still_open: int
) -> None:
    reactions.report(report.message_id, bob, "spam", "", now=timezone.now())

    moderator.post(act_on(report, "decide"), KEEP | {"others": others})

    assert Report.objects.waiting().count() == still_open


@pytest.mark.parametrize("decision", [KEEP, DELETE], ids=["keep", "delete"])
def test_report_that_a_colleague_has_taken_stays_theirs_and_is_named(
    moderator: Client, max_: Client, report: Report, bob: User, decision: dict[str, str]
) -> None:
    now = timezone.now()
    taken = reactions.report(report.message_id, bob, "spam", "", now=now)
    free = reactions.report(report.message_id, person("Carol"), "spam", "", now=now)
    max_.post(act_on(taken, "claim"))

    done = moderator.post(act_on(report, "decide"), decision | {"others": "on"}, follow=True)

    words = html.unescape(done.content.decode())
    assert "2 reports are decided. Max is working on another one, Spam: it stays open." in words
    assert [fresh(each).state for each in (report, free)] == [decision["outcome"]] * 2
    assert fresh(taken).state == ReportState.OPEN
    assert fresh(taken).claimed_by is not None


def test_decision_can_be_changed(moderator: Client, report: Report) -> None:
    moderator.post(act_on(report, "decide"), KEEP)
    moderator.post(act_on(report, "decide"), DELETE)

    assert fresh(report).state == ReportState.RESOLVED
    assert ModerationAction.objects.filter(action="resolve_report").count() == 2


def test_bulk_decision_asks_and_decides(
    moderator: Client, report: Report, grown: Grown, bob: User
) -> None:
    other = reactions.report(grown.root.pk, bob, "spam", "", now=timezone.now())

    asked = moderator.post(LIST, bulk("decide", [report, other], index="0"))
    assert "You decide on 2 reports. Deleting would hide 3 messages." in asked.content.decode()
    moderator.post(LIST, bulk("decide", [report, other], confirmed="yes", **KEEP))

    assert not Report.objects.waiting().exists()
    assert Report.objects.filter(state="dismissed").count() == 2


@pytest.fixture
def many(grown: Grown) -> list[Report]:
    """Sixty open reports, some as urgent as others, the most urgent first."""
    now, categories = timezone.now(), ("spam", "pii", "hate_speech")
    Report.objects.bulk_create(
        Report(
            message=grown[1],
            user=user,
            category=categories[number % 3],
            created_at=now - timedelta(hours=number // 6, minutes=7 * (number % 3)),
        )
        for number, user in enumerate(crowd(60))
    )
    return list(Report.objects.by_urgency(now))


def next_page(page: HttpResponse) -> str:
    links = re.findall(r'href="([^"]+)" rel="next"', page.content.decode())
    return LIST + html.unescape(links[0]) if links else ""


def test_pages_go_on_from_the_last_report_whatever_was_decided_since(
    moderator: Client, many: list[Report], mona: User
) -> None:
    first = moderator.get(LIST)
    for report in many[3:20]:
        outcome, now = ReportState.DISMISSED, timezone.now()
        moderation.resolve_report(report.pk, actor=mona, outcome=outcome, note="fine", now=now)
    second = moderator.get(next_page(first))
    third = moderator.get(next_page(second))

    assert found(first) + found(second) + found(third) == many
    assert (len(found(first)), len(found(second))) == (25, 25)
    assert next_page(third) == ""
    assert "p=1" not in second.content.decode()


def test_later_page_stays_filtered_and_costs_no_more(moderator: Client, many: list[Report]) -> None:
    Report.objects.update(category="pii")
    Report.objects.filter(pk=many[0].pk).update(category="spam")
    moderator.get(LIST)
    with CaptureQueriesContext(connection) as for_first:
        first = moderator.get(LIST, {"category": "pii"})
    with CaptureQueriesContext(connection) as for_second:
        second = moderator.get(next_page(first))

    assert many[0] not in found(first) + found(second)
    assert len(set(found(first) + found(second))) == 50
    assert len(for_second) <= len(for_first)


@pytest.mark.parametrize(
    "place",
    [
        "x",
        "[1]",
        "{}",
        '["2026-01-01", 1, "2026-01-01", "x"]',
        '["2026-01-01T00:00:00+00:00", "much", "2026-01-01T00:00:00+00:00", "x"]',
        '["2026-01-01T00:00:00+00:00", 1, "2026-01-01T00:00:00+00:00", 9]',
        "[" * 5000,
    ],
)
def test_place_that_does_not_exist_leads_to_the_first_page(
    moderator: Client, many: list[Report], place: str
) -> None:
    page = moderator.get(LIST, {"after": place}, follow=True)

    assert page.redirect_chain == [(f"{LIST}?e=1", 302)]
    assert len(found(page)) == 25
