"""The desk's first page, its search, the logs, and tasks."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import interactions, moderation, reactions
from tasks_app.enums import ModerationKind, TaskType, TreeState
from tasks_app.models import ModerationAction, Task
from tasks_app.moderation_log import record
from tests.factories import GOOD, NOW, grow, hand_out
from tests.tasks_app.admin.desk import found, list_of, page_of

pytestmark = pytest.mark.slow

SEARCH = "/admin/search/"


def test_overview_tells_what_waits(moderator: Client, alice: User, bob: User) -> None:
    grown = grow("P(A)")
    grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW, now=NOW - timedelta(days=3))
    reactions.report(grown[1].pk, alice, "spam", "", now=NOW)
    reactions.report(grown[1].pk, bob, "pii", "", now=NOW)

    context = moderator.get("/admin/").context

    assert (context["reports"]["count"], context["reports"]["severe"]) == (2, 1)
    states = {str(state["label"]): state["count"] for state in context["states"]}
    assert (states["Growing"], states["Prompt in review"], states["Ready for export"]) == (1, 1, 0)
    assert context["waiting"][0]["kind"] == "Review an initial prompt"
    assert context["urgent"][0]["category"] == "Personal data"


@pytest.mark.parametrize(
    "url", ["/tasks/queues/?all=1", "/stats/agreement/", "/stats/agreement/disputed/"]
)
def test_overview_leads_to_what_waits_and_how_people_judge(moderator: Client, url: str) -> None:
    assert f'href="{url}"' in moderator.get("/admin/").text
    assert moderator.get(url).status_code == 200


def test_side_bar_counts_open_reports(moderator: Client, alice: User) -> None:
    cache.clear()  # other counts are kept for a while
    quiet = moderator.get("/admin/").content.decode()
    assert ("Nothing is reported." in quiet, "desk-waiting" in quiet) == (True, False)
    reactions.report(grow("P").root.pk, alice, "spam", "", now=NOW)

    page = moderator.get("/admin/").content.decode()

    assert re.findall(r'desk-waiting">(\d+)<', page) == ["1"]


def test_side_bar_shows_the_queue_to_admins_only(moderator: Client, administrator: Client) -> None:
    assert "/admin/queues/" not in moderator.get("/admin/").content.decode()
    assert "/admin/queues/" in administrator.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("address", "marked"),
    [
        ("/admin/", ["Overview"]),
        ("/admin/tasks_app/message/", ["Messages"]),
        ("/admin/tasks_app/message/?split=yes", ["Reviewers differ"]),
        ("/admin/tasks_app/message/?split=yes&lang=de", ["Reviewers differ"]),
        ("/admin/tasks_app/message/?held=yes", ["Messages", "Held back"]),
        ("/admin/leaderboard_app/trollstats/?frame=day", ["Trollboard", "Day"]),
        ("/admin/tasks_app/message/{message}/change/", ["Messages"]),
    ],
)
def test_side_bar_and_tabs_mark_the_page_one_is_on(
    moderator: Client, address: str, marked: list[str]
) -> None:
    context = moderator.get(address.format(message=grow("P").root.pk)).context

    groups = [*context["sidebar_navigation"], *context["tab_list"]]
    entries = [item for group in groups for item in group["items"]]
    assert [str(item["title"]) for item in entries if item["active"]] == marked


def test_overview_tells_what_people_did_and_not_which_gold_a_rule_made(
    moderator: Client, mona: User
) -> None:
    message = grow("P").root
    record(ModerationKind.EDIT_MESSAGE, actor=mona, reason="A typo.", now=NOW, message=message)
    for _ in range(9):
        record(ModerationKind.MAKE_GOLD, actor=None, reason="all agreed", now=NOW, message=message)

    page = moderator.get("/admin/").text

    assert ("A typo." in page, "all agreed" in page) == (True, False)


def test_lists_without_rows_say_whether_more_would_be_shown_without_filters(
    moderator: Client,
) -> None:
    none = moderator.get("/admin/tasks_app/message/").text
    grow("P")
    filtered = moderator.get("/admin/tasks_app/message/?split=yes").text

    assert ("Nothing yet" in none, "Show all" in none) == (True, False)
    assert ("Nothing matches" in filtered, "Show all" in filtered) == (True, True)


def test_search_finds_people_messages_and_ids(moderator: Client, alice: User) -> None:
    grown = grow("P", author=alice)

    def links(words: str) -> set[str]:
        context = moderator.get(SEARCH, {"s": words, "extended": "1"}).context
        return {result.link for result in context["results"]}

    assert page_of(alice) in links("alice")
    assert page_of(grown.root) in links("message tree 0")
    assert {page_of(grown.tree), page_of(grown.root)} <= links(str(grown.tree.pk))
    assert links("zzz nothing") == set()


@pytest.mark.parametrize("words", ["\x00", '"', "a" * 2000, "% _ \\", "' OR 1=1"])
def test_search_survives_odd_words(moderator: Client, words: str) -> None:
    wanted = 400 if "\x00" in words else 200

    assert moderator.get(SEARCH, {"s": words, "extended": "1"}).status_code == wanted
    for url in ("/admin/tasks_app/message/", "/admin/accounts/user/"):
        assert moderator.get(url, {"q": words}, follow=True).status_code == wanted


def test_log_is_found_by_person_action_and_words(
    moderator: Client, alice: User, bob: User, mona: User
) -> None:
    moderation.ban_user(alice.pk, actor=mona, reason="spam again", now=NOW)
    moderation.mute_user(
        bob.pk, until=NOW + timedelta(days=1), actor=mona, reason="quarrel", now=NOW
    )
    url = list_of(ModerationAction)

    def reasons(**query: str) -> list[str]:
        return [row.reason for row in found(moderator.get(url, query))]

    assert reasons() == ["quarrel", "spam again"]
    assert reasons(action="ban_user") == ["spam again"]
    assert reasons(q=str(bob.pk)) == ["quarrel"]
    assert reasons(q="again") == ["spam again"]
    assert reasons(actor__id__exact=str(mona.pk)) == ["quarrel", "spam again"]


def test_tasks_are_listed_by_what_became_of_them(moderator: Client, alice: User, bob: User) -> None:
    grow("P(A?)")
    now = timezone.now()
    held = hand_out(alice, TaskType.LABEL_ASSISTANT_REPLY, now=now)
    done = hand_out(bob, TaskType.LABEL_ASSISTANT_REPLY, now=now)
    interactions.submit_labels(done.pk, bob, GOOD, now=now)
    url = list_of(Task)

    assert found(moderator.get(url, {"state": "held"})) == [held]
    assert found(moderator.get(url, {"state": "done"})) == [done]
    assert set(found(moderator.get(url, {"kind__exact": "label_assistant_reply"}))) == {held, done}
    assert found(moderator.get(url, {"user__id__exact": str(alice.pk)})) == [held]
    assert moderator.get(page_of(held)).status_code == 200
