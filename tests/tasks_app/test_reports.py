"""The moderators' queue: urgency, claims, decisions."""

from datetime import timedelta

import pytest

from oasst.accounts import roles
from oasst.accounts.models import User
from tasks_app import moderation, reactions
from tasks_app.enums import ReportState
from tasks_app.errors import ReasonMissing, ReasonTooLong
from tasks_app.models import ModerationAction, Report
from tests.factories import NOW, grow, person

SOON = NOW + timedelta(minutes=5)


@pytest.fixture
def report(alice: User) -> Report:
    return reactions.report(grow("P(A)")[1].pk, alice, "spam", "advertising", now=NOW)


@pytest.fixture
def max_(db: None) -> User:
    return person("Max", role=roles.MODERATORS)


def test_urgency_weighs_severity_by_age(alice: User, bob: User) -> None:
    hour = timedelta(hours=1)
    message, other = grow("P(A)")
    old_spam = reactions.report(message.pk, alice, "spam", "", now=NOW - 3 * hour)
    fresh_pii = reactions.report(message.pk, bob, "pii", "", now=NOW - hour)
    new_spam = reactions.report(other.pk, bob, "spam", "", now=NOW)

    queue = list(Report.objects.waiting().by_urgency(NOW))

    assert queue == [fresh_pii, old_spam, new_spam]
    assert [report.urgency for report in queue] == [10.0, 8.0, 2.0]


def test_claimed_report_is_kept_from_others(report: Report, mona: User, max_: User) -> None:
    assert moderation.claim_report(report.pk, actor=mona, now=NOW)

    assert not moderation.claim_report(report.pk, actor=max_, now=SOON)
    with pytest.raises(moderation.ReportClaimed):
        moderation.resolve_report(
            report.pk, actor=max_, outcome=ReportState.DISMISSED, note="fine", now=SOON
        )
    report.refresh_from_db()
    assert report.claimed_by == mona
    assert report.state == ReportState.OPEN


def test_claim_lapses(report: Report, mona: User, max_: User) -> None:
    moderation.claim_report(report.pk, actor=mona, now=NOW)

    assert moderation.claim_report(report.pk, actor=max_, now=NOW + moderation.CLAIM_LASTS)


def test_only_the_holder_releases_a_claim(report: Report, mona: User, max_: User) -> None:
    moderation.claim_report(report.pk, actor=mona, now=NOW)

    moderation.release_report(report.pk, actor=max_)
    report.refresh_from_db()
    assert report.claimed_by == mona

    moderation.release_report(report.pk, actor=mona)
    report.refresh_from_db()
    assert report.claimed_by is None
    assert report.claimed_at is None


def test_decided_report_cannot_be_claimed(report: Report, mona: User, max_: User) -> None:
    moderation.resolve_report(
        report.pk, actor=mona, outcome=ReportState.INCONCLUSIVE, note="unclear", now=NOW
    )

    assert not moderation.claim_report(report.pk, actor=max_, now=SOON)
    logged = ModerationAction.objects.get()
    assert (logged.actor, logged.reason, logged.data) == (
        mona,
        "unclear",
        {"outcome": "inconclusive"},
    )


def test_decision_needs_words_that_fit(report: Report, mona: User) -> None:
    for note, error in ((" ", ReasonMissing), ("x" * 2001, ReasonTooLong)):
        with pytest.raises(error):
            moderation.resolve_report(
                report.pk, actor=mona, outcome=ReportState.RESOLVED, note=note, now=NOW
            )

    report.refresh_from_db()
    assert report.state == ReportState.OPEN
