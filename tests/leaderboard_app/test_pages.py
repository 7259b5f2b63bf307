"""The leaderboard, one's own ledger, the card of the dashboard, and prizes."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leaderboard_app import boards, ledger, prizes
from leaderboard_app.enums import Reason
from leaderboard_app.models import PointEntry, Prize, PrizeWinner, UserStats
from oasst import privacy
from oasst.accounts.models import User
from tasks_app import moderation
from tests.factories import crowd, person
from tests.leaderboard_app import given
from tests.sessions import signed_in

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

AN_HOUR = timedelta(hours=1)


def scored(user: User, *reasons: Reason, lang: str = "en") -> None:
    given.scored(user, *reasons, lang=lang, now=timezone.now() - AN_HOUR)


def names(page: object) -> list[tuple[int, str]]:
    places = page.context["board"].places  # type: ignore[attr-defined]
    return [(place.number, place.stats.user.public_name) for place in places]


def queries(web: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert web.get(url).status_code == 200
    return len(captured)


@pytest.fixture
def three(db: None, alice: User, bob: User) -> User:
    """Bob leads, then Alice and Carol with the same score."""
    carol = person("Carol")
    scored(bob, Reason.FIRST)
    for user in (alice, carol):
        scored(user, Reason.SECOND)
    return carol


def test_board_shows_the_best_first_and_equal_scores_always_the_same_way(
    web: Client, three: User, alice: User
) -> None:
    same = sorted([alice, three], key=lambda user: user.pk)

    page = web.get("/leaderboard/?frame=day")

    told = [(place, user.public_name) for place, user in enumerate(same, start=2)]
    assert names(page) == [(1, "Bob"), *told]
    assert 'aria-current="true"' in page.text


def test_banned_deleted_and_shy_people_are_not_shown(
    web: Client, three: User, bob: User, mona: User
) -> None:
    shy = person("Shy")
    scored(shy, Reason.FIRST)
    User.objects.filter(pk=shy.pk).update(on_leaderboard=False)
    moderation.ban_user(bob.pk, actor=mona, reason="why", now=timezone.now())

    page = web.get("/leaderboard/?frame=total")

    assert {name for _, name in names(page)} == {"Alice", "Carol"}


def test_fewer_than_three_people_see_a_common_goal_and_nobody_is_compared(
    web: Client, bob: User
) -> None:
    scored(bob)

    page = web.get("/leaderboard/")

    assert "Better together" in page.text
    assert "of 100 confirmed contributions" in page.text
    assert "Bob" not in page.text


@pytest.mark.parametrize("after", ["", "&after=999999,00000000-0000-0000-0000-000000000000"])
def test_no_place_of_a_board_shows_fewer_than_three_people(
    web: Client, bob: User, alice: User, after: str
) -> None:
    scored(bob)
    scored(alice)

    page = web.get(f"/leaderboard/?frame=total{after}")

    assert "Better together" in page.text
    assert "Bob" not in page.text


def test_last_page_of_a_full_board_shows_the_few_on_it(web: Client) -> None:
    for user in crowd(boards.PAGE + 1, prefix="Player"):
        scored(user, Reason.SECOND)
    first = web.get("/leaderboard/")

    last = web.get(f"/leaderboard/{first.context['more']}")

    assert len(names(last)) == 1
    assert last.context["has_enough"]


def test_own_row_stands_among_its_neighbours_and_pages_follow_one_another(
    web: Client, alice: User
) -> None:
    for user in crowd(boards.PAGE + 2, prefix="Player"):
        scored(user, Reason.SECOND)
    scored(alice, Reason.REVIEW_SIMPLE)

    page = web.get("/leaderboard/")

    around = [place.stats.user.public_name for place in page.context["board"].around]
    assert len(around) == 3
    assert around[-1] == "Alice"
    following = web.get(f"/leaderboard/{page.context['more']}")
    assert [number for number, _ in names(following)] == [26, 27, 28]
    assert not set(names(page)) & set(names(following))


def test_board_of_a_language_counts_that_language_alone(web: Client, three: User) -> None:
    scored(three, Reason.FIRST, lang="de")

    page = web.get("/leaderboard/?frame=week&lang=de")

    assert [name for _, name in names(page)] == ["Carol"]
    assert names(web.get("/leaderboard/"))[0] == (1, "Carol")


@pytest.mark.parametrize(
    "query", ["frame=century", "lang=tlh", "after=1", "after=NaN,x", "after=1e99,x"]
)
def test_bad_question_is_answered_kindly(web: Client, query: str) -> None:
    assert web.get(f"/leaderboard/?{query}").status_code == 422
    assert web.get(f"/leaderboard/points/?state=x&after={query}").status_code == 422


def test_formula_on_the_page_is_that_of_the_ledger(web: Client) -> None:
    page = web.get("/leaderboard/")

    lines = {line.label: line.points for line in page.context["formula"]}
    assert lines["First place among the replies"] == 9
    assert "First place among the replies" in page.text
    assert "if it is to 70 % like those" in page.text
    assert "it puts 50 % of the pairs in the order of most; from 80 % on" in page.text
    assert "the ones after it, 100 in all" in page.text
    assert "to less than 70 % like the others’, or less than 65 % of what tells it" in page.text


@pytest.mark.parametrize("url", ["/leaderboard/?frame=total", "/leaderboard/points/"])
def test_more_rows_take_no_more_queries(web: Client, three: User, alice: User, url: str) -> None:
    web.get(url)
    few = queries(web, url)
    for user in crowd(3, prefix="More"):
        scored(user)
    scored(alice, *[Reason.REVIEW_FULL] * 3)

    assert queries(web, url) == few


def test_own_ledger_tells_every_entry_and_nobody_elses(web: Client, bob: User, alice: User) -> None:
    scored(alice, Reason.REVIEW_FULL)
    scored(bob, Reason.FIRST)

    page = web.get("/leaderboard/points/")

    assert [entry.user for entry in page.context["entries"]] == [alice]
    assert "your answers are close to the others" in page.text
    assert web.get("/leaderboard/points/?state=pending").context["entries"] == []
    assert page.context["own"].score == 2


def test_dashboard_has_the_card_of_points_with_and_without_scripts(
    web: Client, alice: User
) -> None:
    scored(alice, Reason.FIRST)

    assert 'hx-get="/leaderboard/standing/"' in web.get("/dashboard/").text
    assert 'href="/leaderboard/points/"' in web.get("/dashboard/").text
    card = web.get("/leaderboard/standing/")
    assert card.context["own"].score == 9
    assert "Level 3" in card.text


def test_prize_is_published_once_with_its_winners_and_a_table(
    moderator: Client, three: User, bob: User
) -> None:
    now = timezone.now()
    prize = Prize.objects.create(
        title="Harvest", starts_at=now - timedelta(days=7), ends_at=now, places=2
    )
    assert moderator.get(f"/leaderboard/prizes/{prize.pk}/").status_code == 404

    for _ in range(2):
        answer = moderator.post(f"/leaderboard/prizes/{prize.pk}/publish/")
        assert answer["Location"] == f"/leaderboard/prizes/{prize.pk}/"

    User.objects.filter(pk=bob.pk).update(display_name="=SUM(A1)")
    table = moderator.get(f"/leaderboard/prizes/{prize.pk}/winners.csv").text.splitlines()
    assert table[:2] == ["place,name,points", "1,'=SUM(A1),9.0"]
    assert len(table) == 3
    assert "Harvest" in moderator.get("/leaderboard/").text


def test_prize_waits_for_its_period_to_end(three: User) -> None:
    now = timezone.now()
    prize = Prize.objects.create(
        title="Harvest", starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1)
    )

    with pytest.raises(prizes.NotOver):
        prizes.publish(prize.pk, actor=None, now=now)
    assert not PrizeWinner.objects.exists()


def test_staff_name_a_period_and_contributors_may_not(moderator: Client, web: Client) -> None:
    body = {
        "title": "Spring",
        "starts_at": "2026-03-01T00:00",
        "ends_at": "2026-03-31T00:00",
        "places": "3",
    }

    assert web.post("/leaderboard/prizes/", body).status_code == 403
    assert moderator.post("/leaderboard/prizes/", body).status_code == 302
    assert moderator.post("/leaderboard/prizes/", body | {"places": "0"}).status_code == 422
    assert Prize.objects.get().title == "Spring"


def test_erased_person_leaves_no_points_and_none_come_back(three: User, bob: User) -> None:
    prize = given.prize(now=timezone.now())

    privacy.erase_person(bob, now=timezone.now())
    ledger.settle_slice(None, now=timezone.now())

    assert not PointEntry.objects.filter(user=bob).exists()
    assert not UserStats.objects.filter(user=bob).exists()
    assert prize.winners.get(place=1).user is None
    assert "Deleted account" in signed_in(three).get(f"/leaderboard/prizes/{prize.pk}/").text
