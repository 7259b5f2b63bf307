"""The page of messages as a search: what it says, marks and links to."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from oasst.accounts.models import User
from tasks_app import browsing, search
from tasks_app.models import Message
from tests.factories import NOW, grow

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
MOST_QUERIES = 12
OF_THE_TEST = 2  # a savepoint, where a page begins and ends a transaction


def write(text: str, drawing: str = "P", lang: str = "en", **more: object) -> Message:
    """A tree in which every message has these words; its prompt."""
    grown = grow(drawing, lang=lang, **more)
    Message.objects.filter(tree=grown.tree).update(text=text)
    return Message.objects.get(pk=grown.root.pk)


def test_found_words_are_marked_and_nothing_of_a_text_is_html(web: Client) -> None:
    write("She was baking <script>alert(1)</script> **loaves**")

    page = web.get("/messages/", {"q": "bake loaves"})

    assert "<mark>baking</mark>" in page.text
    assert "<mark>loaves</mark>" in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script>alert" not in page.text


def test_chinese_words_are_marked_where_they_stand(web: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(contribution_languages=["zh"])
    write("我想学习机器学习。", lang="zh")

    page = web.get("/messages/", {"q": "机器学习"})

    assert "我想学习<mark>机器学习</mark>。" in page.text


def test_of_a_long_text_the_places_are_shown(web: Client) -> None:
    write(f"{'before ' * 100} bread {'between ' * 100} cake {'after ' * 100}")

    page = web.get("/messages/", {"q": "bread cake"})

    assert "<mark>bread</mark>" in page.text
    assert "<mark>cake</mark>" in page.text
    assert page.text.count("before ") < 20
    assert "… before" in page.text


def test_every_result_leads_to_its_place_in_its_tree(web: Client) -> None:
    prompt = write("bread")

    page = web.get("/messages/", {"q": "bread"})
    tree = web.get(f"/messages/{prompt.pk}/")

    assert f'href="/messages/{prompt.pk}/"' in page.text
    assert f'id="m-{prompt.pk}"' in tree.text


def test_counts_lead_to_the_narrower_list_and_chips_back(web: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(contribution_languages=["en", "de"])
    write("taxi", "P(A)")
    write("taxi", lang="de")

    page = web.get("/messages/", {"q": "taxi"})
    links = {v["label"]: v for facet in page.context["facets"] for v in facet["values"]}
    narrower = web.get(f"/messages/{links['Deutsch']['url']}")

    assert {label: each["count"] for label, each in links.items()} == {
        "English": 2,
        "Deutsch": 1,
        "Prompter": 2,
        "Assistant": 1,
        "Accepted": 3,
    }
    assert [card.message.lang for card in narrower.context["cards"]] == ["de"]
    assert [chip["label"] for chip in narrower.context["chips"]] == ["Deutsch"]
    assert narrower.context["chips"][0]["url"] == "?q=taxi"
    assert [facet["title"] for facet in narrower.context["facets"]] == ["Role", "State"]


def test_typed_conditions_can_be_taken_off(web: Client) -> None:
    write("taxi")

    page = web.get("/messages/", {"q": "taxi role:prompter lang:xx", "sort": "best"})

    assert [(chip["label"], chip["url"]) for chip in page.context["chips"]] == [
        ("role:prompter", "?q=taxi+lang%3Axx&sort=best")
    ]
    assert "<bdi>lang:xx</bdi> says nothing here" in page.text


def test_words_that_are_everywhere_are_named(web: Client) -> None:
    write("the cat")

    assert "<bdi>the</bdi> is in nearly every message" in web.get("/messages/?q=the").text


@pytest.mark.parametrize("sort", ["", "best"])
def test_pages_carry_all_that_was_asked(
    web: Client, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(browsing, "PAGE_SIZE", 2)
    for number in range(3):
        write("taxi", now=NOW - timedelta(minutes=number))

    first = web.get("/messages/", {"q": "taxi role:prompter", "state": "accepted", "sort": sort})
    second = web.get(f"/messages/{first.context['more']}")

    pages = [[card.message.pk for card in each.context["cards"]] for each in (first, second)]
    assert [len(page) for page in pages] == [2, 1]
    assert pages[1][0] not in pages[0]
    assert second.context["form"].cleaned_data["q"] == "taxi role:prompter"
    assert second.context["form"].cleaned_data["state"] == "accepted"
    assert web.get(f"/messages/{second.context['newest']}").context["found"].total == 3


def test_a_search_takes_few_queries(web: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(contribution_languages=["en", "de", "zh"])
    for lang in ("en", "de"):
        write("taxi", "P(A? A)", lang=lang)

    for sort in ("", "best"):
        with CaptureQueriesContext(connection) as captured:
            assert web.get("/messages/", {"q": "taxi", "sort": sort}).context["found"].total == 6

        assert len(captured) <= MOST_QUERIES + OF_THE_TEST


def test_a_search_that_takes_too_long_says_so(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PATIENCE_MS", 20)
    with connection.cursor() as cursor:  # taken back with the test
        cursor.execute(
            """CREATE OR REPLACE FUNCTION tasks_app_search_config(lang text) RETURNS regconfig
            LANGUAGE plpgsql IMMUTABLE STRICT AS
            'BEGIN PERFORM pg_sleep(5); RETURN ''simple''; END'"""
        )

    page = web.get("/messages/", {"q": "taxi"})

    assert page.status_code == 503
    assert "This search takes too long." in page.text
    assert 'value="taxi"' in page.text
