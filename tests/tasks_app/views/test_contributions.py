"""What one person did, what became of it, and what is still open."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import interactions, moderation, reactions
from tasks_app.browsing import PAGE_SIZE
from tasks_app.enums import ReportState, TaskType, TreeState
from tasks_app.models import Contribution, Draft, Message, Task
from tests.factories import SPAM, alice, grow, review
from tests.sessions import SignIn
from tests.tasks_app.views import given

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

K = TaskType
URL = "/contributions/"


def write(user: User, text: str) -> Message:
    """A reply by `user`."""
    task = given.task(user, K.ASSISTANT_REPLY, grow("P").root)
    return interactions.submit_reply(task.pk, user, text, now=timezone.now())


def judge(user: User) -> Message:
    """A review by `user`."""
    task = given.task(user, K.LABEL_ASSISTANT_REPLY, grow("P(A?)")[1])
    return interactions.submit_labels(task.pk, user, {"spam": 0.0}, now=timezone.now()).message


def rank(user: User) -> Message:
    """A ranking by `user`."""
    parent = grow("P(A A)", state=TreeState.RANKING).root
    task = given.task(user, K.RANK_ASSISTANT_REPLIES, parent)
    groups = [[pk] for pk in task.shown_ids]
    return interactions.submit_ranking(task.pk, user, groups, now=timezone.now()).parent


def listed(web: Client, query: str = "") -> list[Message]:
    """The messages of the entries on the page."""
    return [entry["message"] for entry in web.get(URL + query).context["entries"]]


def test_every_contribution_is_listed_newest_first(web: Client, alice: User) -> None:
    done = [write(alice, "One"), judge(alice), rank(alice)]

    assert listed(web) == done[::-1]


def test_other_peoples_contributions_are_not_listed(web: Client, bob: User) -> None:
    write(bob, "One")

    assert listed(web) == []
    assert "Your first contribution is one minute away" in web.get(URL).text


def test_filters_by_kind_and_outcome(web: Client, alice: User) -> None:
    waiting, rejected, judged = write(alice, "One"), write(alice, "Two"), judge(alice)
    review(rejected, SPAM, SPAM, SPAM, now=timezone.now())

    assert listed(web, "?kind=reply") == [rejected, waiting]
    assert listed(web, "?kind=labels") == [judged]
    assert listed(web, "?kind=reply&outcome=waiting") == [waiting]
    assert listed(web, "?outcome=not_accepted") == [rejected]
    assert listed(web, "?outcome=accepted") == []


def test_a_rejected_text_stays_readable_with_its_reason(web: Client, alice: User) -> None:
    review(write(alice, "My own words"), SPAM, SPAM, SPAM, now=timezone.now())

    page = web.get(URL)

    assert "My own words" in page.text
    assert "3 of 3 reviewers marked it as: Spam" in page.text


def test_open_tasks_and_kept_texts_can_be_resumed(web: Client, alice: User) -> None:
    over = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)
    interactions.save_draft(over.pk, alice, {"text": "Kept words"}, now=timezone.now())
    interactions.skip(over.pk, alice, now=timezone.now())
    still_open = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)

    page = web.get(URL)

    assert [entry["task"] for entry in page.context["open_tasks"]] == [still_open]
    assert [entry["task"] for entry in page.context["kept"]] == [over]
    assert "Kept words" in page.text
    assert given.url(still_open) in page.text


def test_expired_tasks_with_a_text_are_kept_too(web: Client, alice: User) -> None:
    task = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)
    interactions.save_draft(task.pk, alice, {"text": "Kept words"}, now=timezone.now())
    Task.objects.update(expires_at=timezone.now() - timedelta(minutes=1))

    page = web.get(URL)

    assert page.context["open_tasks"] == []
    assert [entry["task"] for entry in page.context["kept"]] == [task]


def test_open_task_tells_its_time_and_is_given_back_from_the_list(web: Client, alice: User) -> None:
    task = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)
    assert "Your place is kept until" in web.get(URL).text
    Task.objects.update(reserved_until=timezone.now())
    page = web.get(URL).text
    assert "To be sent until" in page
    assert "Your place is kept until" not in page

    answer = web.post(given.url(task, action="skip"), {"next": URL})

    assert answer["Location"] == URL
    assert web.get(URL).context["open_tasks"] == []
    assert web.post(given.url(task, action="skip"), {"next": "//x.example"})["Location"] != URL


@pytest.fixture
def kept(alice: User) -> Task:
    """A task of Alice's that is over, with a text that was never stored."""
    task = given.task(alice, K.ASSISTANT_REPLY, grow("P").root)
    interactions.save_draft(task.pk, alice, {"text": "Kept words"}, now=timezone.now())
    interactions.skip(task.pk, alice, now=timezone.now())
    return task


def test_kept_text_is_discarded_once_confirmed(web: Client, kept: Task) -> None:
    url = given.url(kept, action="discard")
    assert f'href="{url}"' in web.get(URL).text
    asked = web.get(url)
    assert "Kept words" in asked.text
    assert Draft.objects.count() == 1

    page = web.post(url, follow=True)

    assert "Kept words" not in page.text
    assert (Draft.objects.count(), page.context["kept"]) == (0, [])
    assert web.post(url).status_code == 302  # twice does no harm
    assert web.get(url).status_code == 404


def test_nobody_discards_what_others_wrote(sign_in: SignIn, kept: Task, bob: User) -> None:
    url = given.url(kept, action="discard")

    assert (sign_in(bob).get(url).status_code, sign_in(bob).post(url).status_code) == (404, 404)
    assert Draft.objects.count() == 1


def test_muted_person_may_discard(web: Client, kept: Task, alice: User, mona: User) -> None:
    now = timezone.now()
    until = now + timedelta(days=1)
    moderation.mute_user(alice.pk, until=until, actor=mona, reason="Rude.", now=now)

    assert web.post(given.url(kept, action="discard")).status_code == 302
    assert Draft.objects.count() == 0


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (ReportState.RESOLVED, "has looked at it and acted upon it"),
        (ReportState.DISMISSED, "found that it can stay"),
        (ReportState.INCONCLUSIVE, "could not tell"),
    ],
)
def test_reporters_are_told_the_outcome(
    web: Client, alice: User, mona: User, outcome: ReportState, words: str
) -> None:
    now = timezone.now()
    found = reactions.report(grow("P(A)")[1].pk, alice, "spam", "", now=now)
    assert "A moderator will look at it." in web.get(URL).text

    moderation.resolve_report(found.pk, actor=mona, outcome=outcome, note="For us.", now=now)

    page = web.get(URL)
    assert words in page.text
    assert "will look at it" not in page.text
    assert "For us." not in page.text
    assert mona.public_name not in page.text


def test_report_of_a_message_that_was_removed_says_so(web: Client, alice: User, mona: User) -> None:
    message, now = grow("P(A)")[1], timezone.now()
    found = reactions.report(message.pk, alice, "pii", "", now=now)
    why = {"actor": mona, "now": now}
    moderation.delete_message(message.pk, reason="Names.", **why)
    moderation.resolve_report(found.pk, outcome=ReportState.RESOLVED, note="Names.", **why)

    page = web.get(URL)

    assert "Thank you: the message was removed." in page.text
    assert message.text not in page.text


def test_reports_of_others_are_not_listed(web: Client, bob: User) -> None:
    reactions.report(grow("P(A)")[1].pk, bob, "spam", "", now=timezone.now())

    assert web.get(URL).context["reports"] == []


def test_pages_follow_each_other(web: Client, alice: User) -> None:
    for number in range(PAGE_SIZE + 2):
        write(alice, f"Answer {number}")

    first = web.get(URL)
    rest = listed(web, first.context["more"])

    assert len(first.context["entries"]) == PAGE_SIZE
    assert len(rest) == 2
    assert not set(rest) & {entry["message"] for entry in first.context["entries"]}


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "skip"},
        {"outcome": "x\x00"},
        {"before": "-1"},
        {"before": "9" * 400},
        {"before": "NaN"},
    ],
)
def test_queries_that_make_no_sense_show_everything(
    web: Client, alice: User, query: dict[str, str]
) -> None:
    write(alice, "One")

    page = web.get(URL, query)

    assert page.status_code == 422
    assert len(page.context["entries"]) == 1


def test_contributions_take_the_same_queries_for_more_rows(web: Client) -> None:
    _fill(1)
    few = _queries(web)
    _fill(2)

    assert _queries(web) == few
    assert Contribution.objects.filter(user=alice()).count() == 12


def _fill(times: int) -> None:
    for _ in range(times):
        number = Contribution.objects.count()
        review(write(alice(), f"Answer {number}"), SPAM, SPAM, SPAM, now=timezone.now())
        judge(alice())
        rank(alice())
        given.task(alice(), K.ASSISTANT_REPLY, grow("P").root)
        reactions.report(grow("P(A)")[1].pk, alice(), "spam", "", now=timezone.now())


def _queries(web: Client) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert web.get(URL).status_code == 200
    return len(captured)
