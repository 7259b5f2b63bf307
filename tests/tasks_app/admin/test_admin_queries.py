"""The desk stays fast: a page needs the same few queries for one row and for three."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from oasst.accounts.models import User
from oasst.lib.desk import paging
from tasks_app import config, gold_items, moderation, questions, reactions
from tasks_app.admin import crowd as crowd_page
from tasks_app.bulk import actions, plans
from tasks_app.enums import BulkKind, ReportState, SkillGroup, TaskType
from tasks_app.models import (
    BulkAction,
    Contribution,
    GoldItem,
    Message,
    MessageTree,
    ModerationAction,
    Question,
    Ranking,
    Reliability,
    Report,
    Task,
)
from tests.factories import (
    GOOD,
    NOW,
    SPAM,
    Grown,
    crowd,
    grow,
    hand_out,
    label,
    person,
    review,
)
from tests.tasks_app.admin.desk import act_on, list_of, page_of

pytestmark = pytest.mark.slow

MOST_QUERIES = 20
LISTS = (Message, MessageTree, Task, Report, Contribution, ModerationAction, BulkAction, GoldItem,
         Question, Reliability, User)  # fmt: skip


def add(number: int, root: User) -> Grown:
    """A tree by its own people, with something of everything on it."""
    author, reviewer, reporter = crowd(3, prefix=f"Crowd {number}")
    grown = grow("P(A A(P) A?)", author=author)
    hand_out(reviewer, TaskType.LABEL_ASSISTANT_REPLY, grown[4])
    reports = [
        reactions.report(grown[1].pk, who, "pii", "", now=NOW) for who in (reviewer, reporter)
    ]
    moderation.claim_report(reports[0].pk, actor=root, now=NOW)
    moderation.edit_message(grown[1].pk, "new words", actor=root, reason="why", now=NOW)
    order = [[str(grown[1].pk)], [str(grown[2].pk)]]
    Ranking.objects.create(parent=grown.root, user=reviewer, groups=order, created_at=NOW)
    moderation.mute_user(author.pk, until=NOW, actor=root, reason="why", now=NOW)
    config.change("goal_tree_size", 9 + number, actor=root, reason="why", now=NOW)
    chosen = [message.pk for message in grown]
    plan = plans.of_messages(BulkKind.LABEL, chosen, label="pii")
    actions.do_now(plan, actor=root, reason="why", now=NOW)
    questions.ask_author(grown[1].pk, "Why?", actor=root, reason="why", now=NOW)
    questions.ask(author.pk, "Why?", actor=root, reason="why", now=NOW)
    gold_items.make(grown[2].pk, GOOD, explanation="why", actor=root, now=NOW)
    Reliability.objects.create(
        user=reviewer, group=SkillGroup.RANKING, lang="en", agreement=0, weight=0, doubtful=True,
        updated_at=NOW,
    )  # fmt: skip
    return grown


def count(client: Client, url: str) -> int:
    cache.clear()  # what the page remembers for a minute is not to run out between the two
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url)
    assert response.status_code == 200, url
    return len(queries)


def urls(grown: Grown) -> list[str]:
    report = Report.objects.filter(message=grown[1]).first()
    rows = (grown[1], grown.root, grown.tree, report, grown.root.user)
    logged = ModerationAction.objects.filter(user_id=grown.root.user_id).first()
    rows = (
        *rows,
        Task.objects.get(tree=grown.tree),
        logged,
        BulkAction.objects.get(steps__tree=grown.tree),
    )
    rows = (*rows, GoldItem.objects.get(message=grown[2]), Reliability.objects.earliest("id"))
    rows = (*rows, Question.objects.get(message=grown[1]))
    pages = [page_of(row) for row in rows]
    lists = ["/admin/", "/admin/tasks_app/configchange/", *(list_of(model) for model in LISTS)]
    lists += [f"{list_of(Reliability)}?is_doubtful=all", f"{list_of(Message)}?reported=yes"]
    lists.append(f"{list_of(Question)}?state=all")
    acts = [act_on(grown.root.user, name) for name in ("purge", "hold")]
    return [
        *lists,
        *pages,
        *acts,
        act_on(grown[1], "delete"),
        act_on(grown[1], "ask"),
        act_on(report, "decide"),
    ]


def test_every_page_needs_the_same_few_queries_for_more_rows(
    moderator: Client, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd_page, "REMEMBERED_S", 3600)  # on a busy machine a minute is over soon
    first = add(0, root)
    one = {url: count(moderator, url) for url in urls(first)}

    add(1, root)
    two = {url: count(moderator, url) for url in urls(first)}

    assert two == one
    assert max(two.values()) <= MOST_QUERIES


@pytest.mark.parametrize("kind", ["message", "tree", "person"])
def test_a_row_with_more_on_it_needs_the_same_queries(
    moderator: Client, root: User, kind: str
) -> None:
    row: Callable[[Grown], object] = {
        "message": lambda grown: grown.root,
        "tree": lambda grown: grown.tree,
        "person": lambda grown: grown.root.user,
    }[kind]
    small = add(0, root)
    large = grow("P(A(P(A)) A A(P) A?)", authors=dict(enumerate(crowd(8, prefix="Large"))))
    for who in crowd(3, prefix="Critic"):
        reactions.report(large.root.pk, who, "spam", "", now=NOW)
        order = [[str(large[1].pk), str(large[4].pk)]]
        Ranking.objects.create(parent=large.root, user=who, groups=order, created_at=NOW)

    assert count(moderator, page_of(row(large))) <= count(moderator, page_of(row(small)))


def test_long_lists_are_estimated_and_short_ones_counted(
    moderator: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "EXACT_UP_TO", 50)
    grow("P(" + "A " * 49 + ")")
    assert "50 messages" in moderator.get(list_of(Message)).content.decode()

    grow("P(" + "A " * 30 + ")")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_app_message")
    response = moderator.get(list_of(Message))

    assert "about 81 messages" in response.content.decode()
    assert response.context["cl"].paginator.num_pages == 2


def test_queue_of_decided_reports_needs_no_more_queries(moderator: Client, root: User) -> None:
    grown = add(0, root)
    url = list_of(Report) + "?state=all"
    before = count(moderator, url)

    for report in Report.objects.filter(message=grown[1]):
        outcome = ReportState.DISMISSED
        moderation.resolve_report(report.pk, actor=root, outcome=outcome, note="fine", now=NOW)

    assert count(moderator, url) == before


def split() -> Message:
    """A message about which reviewers differ."""
    with config.overridden(adaptive_overlap=True, p_gold=0.0, p_gold_newcomer=0.0):
        message = review(grow("P(A?)")[1], *[GOOD, SPAM] * 2)
        label(person("Fifth"), message, SPAM)
        message.refresh_from_db()
    assert message.split_at is not None
    return message


def test_what_reviewers_differ_about_needs_no_more_queries(moderator: Client) -> None:
    first = split()
    urls = [f"{list_of(Message)}?split=yes", page_of(first), act_on(first, "take-in")]
    one = [count(moderator, url) for url in urls]

    for _ in range(2):
        split()

    assert [count(moderator, url) for url in urls] == one
    assert max(one) <= MOST_QUERIES
