"""Lists of the desk remember what staff searched and filtered for, under names of their own."""

from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leaderboard_app.models import TeamGoal, TrollStats
from oasst.accounts import saved_views
from oasst.accounts.models import SavedView, User
from tasks_app.admin.messages import HeldFilter, MessageAdmin
from tasks_app.config import ConfigChange
from tasks_app.models import Report
from tests.factories import NOW, grow
from tests.sessions import browser_of, cookie_of
from tests.tasks_app.admin.desk import found, list_of, told

pytestmark = pytest.mark.slow

LIST = "tasks_app.message"
MESSAGES = "/admin/tasks_app/message/"
FORM = "Save this view"
NO_LISTS = {ConfigChange, TeamGoal}  # they have pages of their own
TREE_STATE = MessageAdmin.list_filter[1]


def save(browser: Client, name: str, query: str, list_name: str = LIST) -> HttpResponse:
    return browser.post(f"/admin/views/{list_name}/?{query}", {"name": name})


def kept(user: User, name: str, query: str, list_name: str = LIST) -> SavedView:
    return saved_views.save(user, list_name, name, query, now=NOW)


def shown(browser: Client, url: str) -> list[tuple[str, str, bool]]:
    """Name, query and whether it is the one shown, of each view above a list."""
    views = browser.get(url).context["cl"].saved_views
    return [(view.name, view.query, view.is_shown) for view in views]


def test_search_and_filters_are_kept_and_come_back(moderator: Client, mona: User) -> None:
    german, english = grow("P", lang="de"), grow("P")
    query = "lang=de&o=-7&q=" + str(german.tree.pk)

    response = save(moderator, " My  German ", f"{query}&p=1&all=&review=&_popup=1&e=1")

    assert response["Location"] == f"{MESSAGES}?{query}"
    assert told(response) == ["The view “My German” is saved."]
    assert shown(moderator, MESSAGES) == [("My German", query, False)]
    assert shown(moderator, response["Location"]) == [("My German", query, True)]
    page = moderator.get(response["Location"])
    assert found(page) == [german.root]
    link = f'<a href="?{query.replace("&", "&amp;")}" aria-current="true"><bdi>My German</bdi></a>'
    assert link in page.content.decode()
    assert english.root.text not in page.content.decode()


def test_form_stands_only_where_there_is_something_to_save(moderator: Client, mona: User) -> None:
    for query in ("", "?o=1&p=1", "?q=&lang=&created_at_from="):
        assert FORM not in moderator.get(MESSAGES + query).content.decode(), query
    for query in ("?q=words", f"?user__id__exact={mona.pk}&o=1", "?created_at_from=2026-01-01"):
        assert FORM in moderator.get(MESSAGES + query).content.decode(), query


@pytest.mark.parametrize(
    ("name", "query", "says"),
    [
        ("", "lang=de", "Please give the view a name."),
        ("\u200b", "lang=de", "Names cannot contain invisible or text-direction characters."),
        ("x" * 61, "lang=de", "The name of a view has at most 60 characters."),
        ("Sorted", "o=1", "Please search or filter first"),
        ("Nothing", "", "Please search or filter first"),
        ("Made up", "made_up=1", "Please search or filter first"),
        ("Column", "depth=0", "Please search or filter first"),
        ("Long", "q=" + "x" * 2000, "This search is too long to keep."),
    ],
)
def test_what_cannot_be_kept_is_said(moderator: Client, name: str, query: str, says: str) -> None:
    response = save(moderator, name, query)

    assert response["Location"].partition("?")[0] == MESSAGES
    assert [text.startswith(says) for text in told(response)] == [True]
    assert SavedView.objects.count() == 0


def test_list_leads_nowhere_else(moderator: Client, mona: User) -> None:
    view = kept(mona, "Elsewhere", urlencode({"q": "//evil.example", "next": "//evil.example"}))
    stay = f"/admin/views/tasks_app.message/{view.pk}/delete/?next=//evil.example&lang=de"

    assert shown(moderator, MESSAGES) == [("Elsewhere", "q=%2F%2Fevil.example", False)]
    assert moderator.post(stay)["Location"] == f"{MESSAGES}?next=%2F%2Fevil.example&lang=de"
    assert SavedView.objects.count() == 0


def test_view_whose_filter_is_gone_shows_the_rest(
    moderator: Client, mona: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow("P")
    kept(mona, "Both", "held=yes&lang=en&tree__state__exact=growing")
    left = [each for each in MessageAdmin.list_filter if each not in {HeldFilter, TREE_STATE}]
    assert "in part" not in moderator.get(MESSAGES).content.decode()

    monkeypatch.setattr(MessageAdmin, "list_filter", left)

    page = moderator.get(MESSAGES)
    assert "in part" in page.content.decode()
    assert shown(moderator, MESSAGES) == [("Both", "lang=en", False)]
    assert moderator.get(f"{MESSAGES}?lang=en").status_code == 200


def test_views_are_ones_own(
    moderator: Client, administrator: Client, mona: User, root: User
) -> None:
    view = kept(mona, "<b>Mine</b>", "lang=de")

    assert shown(administrator, MESSAGES) == []
    response = administrator.post(f"/admin/views/tasks_app.message/{view.pk}/delete/?lang=de")
    assert (response["Location"], told(response)) == (f"{MESSAGES}?lang=de", [])
    assert shown(moderator, MESSAGES) == [("<b>Mine</b>", "lang=de", False)]
    assert "<b>Mine" not in moderator.get(MESSAGES).content.decode()


def test_forms_need_the_token_of_the_page(mona: User) -> None:
    view = kept(mona, "Mine", "lang=de")
    browser = browser_of(cookie_of(mona), strict=True)

    assert save(browser, "Forged", "lang=fr").status_code == 403
    gone = browser.post(f"/admin/views/tasks_app.message/{view.pk}/delete/")
    assert gone.status_code == 403
    assert [each.name for each in SavedView.objects.all()] == ["Mine"]


def test_next_page_of_reports_is_no_part_of_a_view(moderator: Client) -> None:
    response = save(moderator, "Decided", "after=nonsense&state=all", "tasks_app.report")
    again = save(moderator, "Decided", "state=all", "tasks_app.report")

    assert response["Location"] == list_of(Report)
    assert again["Location"] == f"{list_of(Report)}?state=all"


def test_every_list_shows_its_views_and_no_others(administrator: Client, root: User) -> None:
    desks = [desk for model, desk in admin.site._registry.items() if model not in NO_LISTS]
    kinds = {(desk.list_before_template, desk.get_changelist(None)): desk for desk in desks}
    models = [desk.model for desk in kinds.values()]
    assert {Report, TrollStats} < set(models)
    for model in models:
        kept(root, f"Of {model._meta.label}", "q=x", model._meta.label_lower)

    for model in models:
        page = administrator.get(list_of(model)).content.decode()
        assert page.count("<bdi>Of ") == page.count(f"<bdi>Of {model._meta.label}</bdi>") == 1


def test_views_cost_one_query_however_many(moderator: Client, mona: User) -> None:
    def count() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            moderator.get(MESSAGES)
        return sum("accounts_savedview" in query["sql"] for query in queries), len(queries)

    moderator.get(MESSAGES)
    grow("P")
    kept(mona, "First", "lang=de")
    one = count()
    for name in ("Second", "Third"):
        kept(mona, name, "lang=de")

    assert count() == one == (1, one[1])
