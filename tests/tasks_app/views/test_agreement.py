"""How much people agree: estimates for everybody, single messages for staff alone."""

from datetime import date, timedelta
from html import escape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tasks_app import agreement_report
from tasks_app.agreement import Level, krippendorff_alpha
from tasks_app.agreement_report import MIN_UNITS, PAGE_SIZE
from tasks_app.models import Message
from tests.sessions import SignIn
from tests.tasks_app.votes import NOW, judged, random_units, ranked

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

URL = "/stats/agreement/"
DISPUTED = "/stats/agreement/disputed/"


def week_code(weeks_ago: int = 0) -> str:
    """The week of votes given so many weeks ago."""
    day = NOW.date() - timedelta(weeks=weeks_ago)
    return agreement_report.code_of(day)


def row(page: object, name: str) -> agreement_report.LabelRow:
    return next(row for row in page.context["report"].labels if row.label.name == name)


def test_page_tells_visitors_alpha_with_interval_and_numbers(client: Client) -> None:
    units = random_units()
    judged(units)

    page = client.get(URL)

    quality = row(page, "quality")
    expected = krippendorff_alpha(units, Level.ORDINAL)
    assert quality.alpha.value == pytest.approx(expected, abs=1e-9)
    assert quality.alpha.low < expected < quality.alpha.high
    assert (quality.n, quality.answers) == (20, 60)
    assert f"{expected:.2f}" in page.text
    assert f"{quality.alpha.low:.2f} – {quality.alpha.high:.2f}" in page.text
    assert "Most disputed" not in page.text


def test_too_few_messages_show_no_number(client: Client) -> None:
    judged(random_units(MIN_UNITS - 1))

    page = client.get(URL)

    quality = row(page, "quality")
    assert (quality.n, quality.is_enough, quality.alpha.value) == (19, False, None)
    assert page.text.count("not enough data") == 13 + 2
    assert "no week has 20 messages" in page.text
    assert "interval</span>" not in page.text


def test_where_nobody_differs_there_is_no_alpha_but_a_percentage(client: Client) -> None:
    judged([[0.5, 0.5]] * MIN_UNITS)

    found = row(client.get(URL), "quality")

    assert found.alpha.value is None
    assert (found.percent.value, found.percent.n) == (100, 20)


def test_filters_by_language_kind_and_time(client: Client) -> None:
    judged(random_units(20), lang="de")
    judged(random_units(21), lang="en", weeks_ago=6)

    def number(query: str) -> int:
        return row(client.get(URL + query), "quality").n

    assert number("") == 41
    assert number("?lang=de") == 20
    assert number("?lang=en&kind=assistant_reply") == 21
    assert number("?kind=initial_prompt") == 0
    assert number("?span=4") == 20
    assert number("?span=all") == 41


def test_weeks_without_enough_are_gaps(client: Client) -> None:
    judged(random_units(20), weeks_ago=2)
    judged(random_units(20))

    weeks = client.get(URL).context["report"].weeks

    assert [week.estimate.n for week in weeks] == [20, 0, 20]
    assert [week.estimate.value is None for week in weeks] == [False, True, False]


def test_weeks_are_a_file_too(client: Client) -> None:
    judged(random_units())

    response = client.get(URL + "?measure=quality&format=csv")

    head, line = response.text.splitlines()
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert head == "Week of,α,α low,α high,α n"
    assert line.endswith(",20")


def test_a_scale_has_alpha_at_every_level_and_a_question_at_one(client: Client) -> None:
    units = random_units()
    judged(units)

    levels = client.get(URL + "?measure=quality").context["report"].levels

    assert {level: found.value for level, found in levels.items()} == {
        level: pytest.approx(krippendorff_alpha(units, level), abs=1e-9) for level in Level
    }
    assert list(client.get(URL + "?measure=spam").context["report"].levels) == [Level.NOMINAL]


def test_a_single_week_goes_before_a_span(client: Client) -> None:
    judged(random_units(20), weeks_ago=6)
    judged(random_units(21))

    page = client.get(f"{URL}?span=4&week={week_code(weeks_ago=6)}")

    assert row(page, "quality").n == 20
    assert [week.estimate.n for week in page.context["report"].weeks] == [20]


def test_staff_get_from_each_week_to_what_was_disputed_in_it(
    client: Client, moderator: Client
) -> None:
    judged(random_units(20), weeks_ago=2, lang="de")
    judged(random_units(20), lang="de")
    query = "?measure=quality&lang=de&span=4"

    plot = moderator.get(URL + query).context["plot"]

    then, between, now = plot.table.links
    assert between == ""
    listed = moderator.get(then).context
    assert listed["week"] == agreement_report.week_of_code(week_code(weeks_ago=2))
    assert {entry["dissent"].lang for entry in listed["rows"]} == {"de"}
    assert {entry["dissent"].week for entry in listed["rows"]} == {listed["week"]}
    assert [each in plot.svg for each in (escape(then), escape(now))] == [True, True]
    assert client.get(URL + query).context["plot"].table.links == ()


def test_rankings_have_tau_over_pairs_and_w_over_messages(client: Client) -> None:
    ranked([["abc", "abc"]] * 15 + [["abc", "bac", "cba"]] * 5)

    found = client.get(URL + "?measure=rankings").context["report"].rankings

    # τ of the last: abc to bac 1/3, abc to cba −1, bac to cba −1/3.
    assert found.tau.value == pytest.approx((15 * 1 + 5 * (-1)) / (15 + 15))
    assert found.tau.low < found.tau.value < found.tau.high
    assert found.w.value == pytest.approx((15 * 1 + 5 * (1 / 9)) / 20)
    assert (found.n, found.pairs) == (20, 30)


@pytest.mark.parametrize("query", ["?measure=nonsense", "?lang=xx", "?span=-1", "?kind=%00"])
def test_filters_that_do_not_exist_are_said_to(client: Client, query: str) -> None:
    page = client.get(URL + query)

    assert page.status_code == 422
    assert "Select a valid choice" in page.text


def test_page_takes_the_same_queries_for_one_and_three_weeks(client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(URL)
        return len(found)

    judged(random_units(5))
    once = queries()
    for weeks_ago in (1, 2):
        judged(random_units(5), lang="de", weeks_ago=weeks_ago)

    assert queries() == once == 2


def test_staff_sees_what_people_differ_most_about_first(moderator: Client) -> None:
    mild, agreed, split = judged([[0.0, 0.5], [1.0, 1.0], [0.0, 1.0]])

    page = moderator.get(DISPUTED + "?measure=quality")

    assert [entry["message"] for entry in page.context["rows"]] == [split, mild]
    assert f"/admin/tasks_app/message/{split.pk}/change/" in page.text
    assert "1 × Very low" in page.text
    assert str(agreed.pk) not in page.text


def test_where_nothing_is_disputed_the_page_says_what_is(moderator: Client) -> None:
    judged([[0.0, 1.0]])

    page = moderator.get(DISPUTED + "?measure=humor")

    assert page.context["rows"] == []
    assert [name for name, _title in page.context["others"]] == ["quality"]
    assert 'href="?measure=quality"' in page.text


def test_contributors_see_no_single_messages(web: Client, client: Client) -> None:
    judged([[0.0, 1.0]])

    assert web.get(DISPUTED).status_code == 403
    assert client.get(DISPUTED).status_code == 302
    assert "Most disputed" not in web.get(URL).text


def test_disputed_messages_come_page_by_page(moderator: Client) -> None:
    units = [[0.0, 1.0]] * (PAGE_SIZE + 3) + [[0.0, 0.75]] * 2
    replies = judged(units)

    first = moderator.get(DISPUTED)
    second = moderator.get(DISPUTED + first.context["more"])

    listed = [entry["message"] for page in (first, second) for entry in page.context["rows"]]
    assert (len(listed), set(listed)) == (len(replies), set(replies))
    assert set(listed[-2:]) == set(replies[-2:])
    assert second.context["more"] == ""


def test_disputed_rankings_show_their_tau(moderator: Client) -> None:
    ranked([["abc", "cba"], ["abc", "abc"]])

    rows = moderator.get(DISPUTED + "?measure=rankings").context["rows"]

    assert [(entry["tau"], entry["dissent"].votes) for entry in rows] == [(-1, 2)]


def test_disputed_messages_of_a_single_week(moderator: Client) -> None:
    (then,) = judged([[0.0, 1.0]], weeks_ago=3)
    (now,) = judged([[0.0, 1.0]])

    def listed(query: str) -> list[Message]:
        return [entry["message"] for entry in moderator.get(DISPUTED + query).context["rows"]]

    assert listed(f"?week={week_code(weeks_ago=3)}") == [then]
    assert listed(f"?week={week_code()}&span=4") == [now]
    assert listed(f"?week={week_code(weeks_ago=1)}") == []
    assert set(listed("")) == {then, now}


def test_pages_of_a_single_week_stay_in_it(moderator: Client) -> None:
    judged([[0.0, 1.0]] * (PAGE_SIZE + 1), weeks_ago=1)
    judged([[0.0, 1.0]])
    week = week_code(weeks_ago=1)

    first = moderator.get(f"{DISPUTED}?week={week}")
    second = moderator.get(DISPUTED + first.context["more"])

    assert f'value="{week}"' in second.text
    assert "week of" in second.text
    assert [len(page.context["rows"]) for page in (first, second)] == [PAGE_SIZE, 1]


@pytest.mark.parametrize(
    "week",
    ["2026-W54", "2026-W00", "2026-48", "W48", "1999-W01", "2026-W48x", "２０２６-W48", "\0"],
)
@pytest.mark.parametrize("url", [URL, DISPUTED])
def test_weeks_that_do_not_exist_are_said_to(moderator: Client, url: str, week: str) -> None:
    page = moderator.get(url, {"week": week})

    assert page.status_code == 422
    assert "There is no such week. Write one like 2026-W48, or leave it empty." in page.text


@pytest.mark.parametrize(
    ("code", "monday"),
    [("2026-W48", date(2026, 11, 23)), ("2020-W53", date(2020, 12, 28)),
     ("2025-W01", date(2024, 12, 30))],
)  # fmt: skip
def test_a_week_is_named_by_the_year_of_its_thursday(code: str, monday: date) -> None:
    assert agreement_report.week_of_code(code) == monday
    assert agreement_report.code_of(monday) == code


@pytest.mark.parametrize("after", ["nonsense", "0.5~x", "7~" + 32 * "0", "nan~" + 32 * "0"])
def test_a_page_that_does_not_exist_is_said_to(moderator: Client, after: str) -> None:
    page = moderator.get(DISPUTED, {"after": after})

    assert page.status_code == 422
    assert "This page does not exist." in page.text


@pytest.mark.parametrize("query", ["", f"?week={week_code()}"])
def test_disputed_takes_the_same_queries_for_one_and_three(
    mona: object, sign_in: SignIn, query: str
) -> None:
    browser = sign_in(mona)
    browser.get(DISPUTED)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            browser.get(DISPUTED + query)
        return len(found)

    judged([[0.0, 1.0]])
    once = queries()
    judged([[0.0, 1.0]] * 2)

    assert queries() == once
