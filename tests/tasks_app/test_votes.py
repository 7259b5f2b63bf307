"""What became of one's rankings: how far others agree, and whose replies they were."""

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import votes
from tasks_app.enums import TreeState
from tasks_app.models import Message
from tests.factories import Grown, crowd, grow, rank

pytestmark = pytest.mark.django_db

URL = "/contributions/"


@pytest.mark.parametrize(
    ("mine", "others", "expected"),
    [
        (["a", "b", "c"], [["a", "b", "c"]], (3, 3)),
        (["a", "b", "c"], [["a", "c", "b"]], (2, 3)),
        (["a", "b"], [["a", "b"], ["b", "a"]], (0, 0)),  # the others differ
        (["a", "b"], [["b", "a"], ["b", "a"], ["a", "b"]], (0, 1)),
        (["a", "b", "c"], [["a", "b"]], (1, 1)),  # they have not seen c
        (["a", "b"], [], (0, 0)),
    ],
)
def test_agreed_pairs(mine: list[str], others: list[list[str]], expected: tuple[int, int]) -> None:
    groups = [[[pk] for pk in each] for each in others]

    assert votes.agreed_pairs([[pk] for pk in mine], groups) == expected


def test_ties_of_ones_own_count_for_neither_side() -> None:
    assert votes.agreed_pairs([["a", "b"], ["c"]], [[["a"], ["b"], ["c"]]]) == (2, 2)


def ranked(user: User, *, synthetic: bool = False) -> Grown:
    """A tree of three replies that a person ranked 3, 1, 2."""
    now = timezone.now()
    grown = grow("P(A A A)", state=TreeState.RANKING, now=now)
    if synthetic:
        Message.objects.filter(pk=grown[3].pk).update(synthetic=True, model_name="tiny")
    rank(user, grown.root, [grown[3], grown[1], grown[2]], now=now)
    return grown


def test_agreement_is_told_only_after_the_result_stands(web: Client, alice: User) -> None:
    grown = ranked(alice)
    assert "The result shows once enough people have ranked." in web.get(URL).text

    for voter in crowd(2, prefix="Voter"):
        rank(voter, grown.root, [grown[3], grown[2], grown[1]], now=timezone.now())

    page = web.get(URL).text
    assert "Your ranking agreed with the others on 2 of 3 pairs." in page
    assert "Voter" not in page


def test_whose_the_replies_were_is_told_to_whoever_has_ranked(
    web: Client, moderator: Client, alice: User, mona: User
) -> None:
    ranked(alice, synthetic=True)

    assert "Your first place went to a model." in web.get(URL).text
    assert "Your first place" not in moderator.get(URL).text


def test_rankings_of_people_alone_tell_of_no_models(web: Client, alice: User) -> None:
    ranked(alice)

    assert "without knowing who wrote what" not in web.get(URL).text
