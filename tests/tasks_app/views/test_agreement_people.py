"""Which contributors agree with which: for staff, bounded, and nothing said of too little."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import agreement_people, holding
from tasks_app.agreement_pairs import Shared
from tasks_app.agreement_people import MIN_SHARED, Company
from tests.factories import crowd
from tests.sessions import SignIn
from tests.tasks_app.votes import fold, judged, ranked

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

URL = "/stats/agreement/people/"
# Persons 0 and 1 say the same of 9 of 12 messages, 2 agrees with each about the others.
UNITS = [[0.0, 0.0, 1.0]] * 9 + [[0.0, 0.5, 0.5]] * 2 + [[0.0, 1.0, 0.0]]


def shown(client: Client, query: str = "") -> Company:
    return client.get(URL + query).context["company"]


def names(company: Company) -> list[str]:
    return [str(one.user) for one in company.people]


def test_numbers_are_those_of_the_votes(moderator: Client) -> None:
    judged(UNITS)
    judged([[0.0, 0.0]] * MIN_SHARED)

    page = moderator.get(URL)

    company = page.context["company"]
    by_name = dict(zip(names(company), range(3), strict=True))
    first, second, third = (by_name[f"Person {n}"] for n in range(3))
    assert company.pairs[min(first, second), max(first, second)] == Shared(19 / 22, 22)
    assert company.pairs[first, third] == Shared(1 / 12, 12)
    assert company.pairs[second, third] == Shared(2 / 12, 12)
    assert [(one.votes, one.others.n) for one in company.people] == [(22, 34)] * 2 + [(12, 24)]
    assert page.context["plot"].table.rows[0][1:] == (pytest.approx(100 / 12), 12)
    assert "(n = 22)" in page.text
    assert "n = 56 reviews" in page.text


def test_of_too_little_in_common_nothing_is_said(moderator: Client) -> None:
    judged([[0.0, 0.0]] * (MIN_SHARED - 1))

    page = moderator.get(URL)

    both = " · ".join(f"\u2068{name}\u2069" for name in names(page.context["company"]))
    assert page.context["plot"].table.rows == ((both, "not enough data", MIN_SHARED - 1),)
    assert "– (not enough data, n = 9)" in page.text
    assert "plot-plus" not in page.context["plot"].svg


def test_where_nobody_shares_anything_the_page_says_so(moderator: Client) -> None:
    page = moderator.get(URL)

    assert "Nothing to compare" in page.text
    assert '<svg class="plot-svg' not in page.text


def test_filters_by_language_kind_week_and_label(moderator: Client) -> None:
    judged([[0.0, 0.0]] * 3, lang="de", weeks_ago=20)
    judged([[0.0, 0.5]] * 2, lang="en")

    def n(query: str) -> int:
        return sum(one.n for one in shown(moderator, query).pairs.values())

    assert n("") == 5
    assert (n("?lang=de"), n("?lang=en"), n("?span=4")) == (3, 2, 2)
    assert (n("?kind=assistant_reply"), n("?kind=initial_prompt")) == (5, 0)
    assert (n("?measure=spam"), n("?measure=humor")) == (5, 0)
    assert shown(moderator, "?measure=spam").pairs[0, 1].mean == 1


def test_rankings_show_the_mean_tau(moderator: Client) -> None:
    ranked([["abc", "abc"]] * 6 + [["abc", "cba"]] * 6 + [["abc", "bac"]] * 3)

    company = shown(moderator, "?measure=rankings")

    assert company.pairs[0, 1] == Shared(pytest.approx((6 - 6 + 3 / 3) / 15), 15)


def test_only_so_many_people_as_asked_for(moderator: Client) -> None:
    judged([[0.0, 0.0, 0.0, 0.0]] * 2 + [[0.0, 0.0]])

    company = agreement_people.company("quality", agreement_people.Filter(), 2)

    assert set(names(company)) == {"Person 0", "Person 1"}
    assert len(shown(moderator, "?people=30").people) == 4
    assert moderator.get(f"{URL}?people=31").status_code == 422


def test_only_the_newest_votes_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    judged([[0.0, 0.5]] * 4, weeks_ago=2)
    judged([[0.0, 0.0]] * 2)
    monkeypatch.setattr(agreement_people, "MOST_VOTES", 4)

    company = agreement_people.company("quality", agreement_people.Filter(), 10)

    assert (company.votes, company.pairs) == (4, {(0, 1): Shared(1, 2)})


def test_votes_of_people_who_are_held_back_are_left_out(moderator: Client, mona: User) -> None:
    judged(UNITS)
    held = crowd(1)[0]

    holding.set_held(held, timezone.now(), now=timezone.now())
    fold()

    company = shown(moderator)
    assert set(names(company)) == {"Person 1", "Person 2"}
    assert [one.n for one in company.pairs.values()] == [12]


def test_file_has_both_people_in_columns_of_their_own(moderator: Client) -> None:
    judged([[0.0, 0.0, 0.5]] * MIN_SHARED + [[0.0, 0.5]])
    User.objects.filter(display_name="Person 0").update(display_name="=1+1")

    response = moderator.get(f"{URL}?format=csv")

    head, *lines = response.text.splitlines()
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert head == 'Person,Other person,"Same answer, %","Same answer, % n"'
    assert [line.split(",")[2:] for line in lines] == [["0.0", "10"]] * 2 + [
        [str(100 * 10 / 11), "11"]
    ]
    assert "'=1+1" in response.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [("x" * 18, "x" * 18), ("x" * 19, "x" * 18 + "…"), ("山" * 12, "山" * 9 + "…")],
)
def test_long_names_are_cut_beside_the_picture(moderator: Client, name: str, shown: str) -> None:
    judged([[0.0, 0.0]])
    User.objects.filter(display_name="Person 0").update(display_name=name)

    page = moderator.get(URL)

    assert f" \u2068{shown}\u2069</text>" in page.context["plot"].svg
    assert f"<bdi>{name}</bdi>" in page.text


def test_names_are_for_staff_alone(web: Client, client: Client) -> None:
    judged(UNITS)

    assert web.get(URL).status_code == 403
    assert web.get(f"{URL}?format=csv").status_code == 403
    assert client.get(URL).status_code == 302
    assert "Who agrees with whom" not in web.get("/stats/agreement/").text


def test_page_takes_the_same_queries_for_two_people_and_four(mona: User, sign_in: SignIn) -> None:
    browser = sign_in(mona)
    browser.get(URL)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            browser.get(URL)
        return len(found)

    judged([[0.0, 1.0]])
    once = queries()
    judged([[0.0, 1.0, 0.5, 0.5]] * 12)

    assert queries() == once
