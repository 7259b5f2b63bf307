"""The public statistics: what the page and its files show, and what they keep to themselves."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from leaderboard_app import daily
from leaderboard_app.models import WeeklyLabels
from tasks_app.enums import ContributionKind, LabelKind, TreeState
from tasks_app.journal import record
from tasks_app.models import Offer, TextLabels
from tests.factories import crowd, grow

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def fresh() -> None:
    cache.clear()


def page(client: Client, **query: str) -> str:
    response = client.get("/stats/", query)
    assert response.status_code == 200
    return response.content.decode()


def rows(client: Client, name: str, **query: str) -> list[list[str]]:
    response = client.get(f"/stats/{name}.csv", query)
    assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(StringIO(response.content.decode())))


def settled(trees: int = 1, **more: Any) -> None:
    """Trees of some days ago, counted."""
    now = timezone.now()
    for number in range(trees):
        grow("P(A? A)", now=now - timedelta(days=number), **more)
    daily.refresh(now=now)


def contributed(people: int, *, weeks_ago: int = 0) -> None:
    now = timezone.now() - timedelta(weeks=weeks_ago)
    root = grow("P", now=now).root
    for person in crowd(people):
        record(ContributionKind.REPLY, user=person, now=now, message=root)


def labelled(sets: int) -> None:
    now = timezone.now()
    message = grow("P?", now=now).root
    for at, person in enumerate(crowd(sets)):
        quality = (at % 5) / 4
        values = {"quality": quality, "creativity": 1 - quality, "spam": 0.0, "toxicity": quality}
        TextLabels.objects.create(
            message=message, user=person, kind=LabelKind.FREE, values=values, created_at=now
        )
    daily.refresh(now=now)


def test_page_is_public_and_shows_every_part(client: Client) -> None:
    settled()

    shown = page(client)

    for part in ("growth", "queues", "labels", "people"):
        assert f'<h2 id="{part}">' in shown
    assert shown.count("<svg") > 5
    assert "style=" not in shown


def test_form_shows_what_is_shown(client: Client) -> None:
    settled(lang="de")

    assert '<option value="90" selected>' in page(client)
    assert '<option value="de" selected>' in page(client, lang="de", span="30")


def test_page_before_the_first_count_says_when_to_come_back(client: Client) -> None:
    shown = page(client)

    assert "Nothing is counted yet" in shown
    assert "plot-svg" not in shown


def test_file_holds_the_running_total_of_each_language(client: Client) -> None:
    settled(2)
    settled(lang="de")

    found = rows(client, "messages", span="30")

    assert found[0] == ["Day", "English", "Deutsch"]
    assert [row[1:] for row in found[1:]] == [["3", "0"], ["6", "3"]]


def test_one_language_shows_nothing_of_another(client: Client) -> None:
    settled(3)
    settled(lang="de")

    found = rows(client, "messages", lang="de", span="30")

    assert found[0] == ["Day", "Initial prompts", "Prompter replies", "Assistant replies"]
    assert found[-1][1:] == ["1", "0", "2"]
    assert "English" not in str(rows(client, "kinds", lang="de"))


def test_states_of_all_trees_add_up_at_the_end_of_every_day(client: Client) -> None:
    settled(2, state=TreeState.RANKING)
    settled(state=TreeState.READY_FOR_EXPORT)

    last = rows(client, "states", span="30")[-1]

    assert sum(map(int, last[1:])) == 3
    assert last[1] == "1"


def test_funnel_counts_trees_that_reached_each_stage(client: Client) -> None:
    settled(3)
    settled(state=TreeState.READY_FOR_EXPORT)

    assert [row[1] for row in rows(client, "funnel")] == ["Trees", "4", "4", "1", "1", "0"]


def test_what_waits_is_told_by_age_and_as_of_now(client: Client) -> None:
    settled()
    Offer.objects.update(since=timezone.now() - timedelta(days=3), slots=2)

    kinds = rows(client, "kinds")

    assert kinds[0] == ["Kind", "up to an hour", "up to a day", "up to a week", "longer"]
    assert all(row[1:3] + row[4:] == ["0", "0", "0"] and int(row[3]) > 0 for row in kinds[1:])


def test_labels_below_the_stated_number_are_not_summed_up(client: Client) -> None:
    labelled(19)

    assert "this needs at least 20 label sets" in page(client)
    assert {row[2] for row in rows(client, "labels")[1:]} == {""}
    assert rows(client, "correlation") == [["Label"]]


def test_labels_have_shares_with_intervals_and_correlations(client: Client) -> None:
    labelled(20)

    found = rows(client, "labels")
    assert found[0] == ["Label", "Answer", "share", "share low", "share high", "share n"]
    assert found[1][:3] == ["Quality", "Very low", "0.2"]
    assert 0 < float(found[1][3]) < 0.2 < float(found[1][4]) < 1
    assert rows(client, "correlation")[2][1:3] == ["-1.0", "1.0"]


def test_labels_of_something_bad_run_to_the_good_end_as_their_titles_say(client: Client) -> None:
    labelled(22)

    polite = [row for row in rows(client, "labels") if row[0] == "Politeness"]
    assert [row[1] for row in polite] == ["Very rude", "Rude", "Blunt", "Rather polite", "Polite"]
    assert [row[5] for row in polite] == ["4", "4", "4", "5", "5"]
    politeness = next(row for row in rows(client, "correlation") if "Politeness" in row[0])
    assert politeness[1:3] == ["-1.0", "1.0"]  # with quality, with creativity


def test_nothing_is_said_about_fewer_than_ten_people(client: Client) -> None:
    contributed(9)
    contributed(10, weeks_ago=1)
    daily.refresh(now=timezone.now())

    active = [row[1] for row in rows(client, "people", span="30")]

    assert active[-2:] == ["10", ""]
    assert "100" not in str(rows(client, "cohorts", span="30")[1:])


def test_unknown_language_is_answered_kindly_and_not_read(client: Client) -> None:
    settled()

    refused = client.get("/stats/", {"lang": "xx", "span": "7000"})

    assert refused.status_code == 400
    assert b"Select a valid choice" in refused.content
    assert client.get("/stats/messages.csv", {"lang": "xx"}).status_code == 404
    assert client.get("/stats/nonsense.csv").status_code == 404


@pytest.mark.parametrize("span", ["30", "all"])
def test_page_asks_the_database_as_often_for_one_tree_as_for_three(
    client: Client, span: str, django_assert_num_queries: Any
) -> None:
    settled()
    page(client)
    cache.clear()
    with django_assert_num_queries(9):
        page(client, span=span)
    settled(3, lang="de")
    WeeklyLabels.objects.create(week=timezone.now().date(), lang="fr")
    cache.clear()

    with django_assert_num_queries(9):
        page(client, span=span)


def test_second_look_within_seconds_reads_no_statistics(
    client: Client, django_assert_num_queries: Any
) -> None:
    settled()
    page(client)

    with django_assert_num_queries(1):  # the languages to choose from
        page(client)
