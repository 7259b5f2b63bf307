"""From people's rankings to the ranks of replies."""

import pytest

from tasks_app import scoring
from tasks_app.config import TreeConfig
from tasks_app.enums import TreeState
from tasks_app.models import Message, RankingConsensus
from tests import factories
from tests.factories import NOW, Grown, grow

pytestmark = pytest.mark.django_db

RANKING = TreeState.RANKING


def vote(grown: Grown, *votes: str) -> list[int | None]:
    """Ranks of the replies after such votes: "ba" puts b first, "a=b" ties, "!" refuses."""
    names = dict(zip("abcdef", grown.messages[1:], strict=False))
    for user, text in zip(factories.crowd(len(votes)), votes, strict=True):
        groups = [] if text == "!" else [list(group) for group in _groups(text)]
        grown.root.rankings.create(
            user=user,
            groups=[[str(names[name].pk) for name in group] for group in groups],
            not_rankable=text == "!",
            created_at=NOW,
        )
    scoring.update_parent(grown.root, config=TreeConfig(), now=NOW)
    return [message.rank for message in grown.refresh().messages[1:]]


def _groups(text: str) -> list[str]:
    groups: list[str] = []
    for position, letter in enumerate(text):
        if letter != "=" and position and text[position - 1] == "=":
            groups[-1] += letter
        elif letter != "=":
            groups.append(letter)
    return groups


@pytest.mark.parametrize(
    ("votes", "ranks"),
    [
        (["abc", "abc", "cba"], [0, 1, 2]),
        (["cba", "cba", "abc"], [2, 1, 0]),
        # Ties leave the decision to the others.
        (["a=b=c", "bca", "bca"], [2, 0, 1]),
        (["a=b=c", "a=b=c", "cab"], [1, 2, 0]),
        # The worked example of the specification: a cycle broken at its weakest pair.
        (["abc"] * 4 + ["bca"] * 3 + ["cab"] * 2, [0, 1, 2]),
        # One refusal is a vote, two of three are a majority.
        (["abc", "abc", "!"], [0, 1, 2]),
        (["abc", "!"], [0, 1, 2]),
        (["abc", "!", "!"], [None] * 3),
        (["!", "!", "!"], [None] * 3),
    ],
)
def test_votes_decide_on_ranks(votes: list[str], ranks: list[int | None]) -> None:
    assert vote(grow("P(A A A)", state=RANKING), *votes) == ranks


def test_split_vote_is_decided_the_same_way_every_time() -> None:
    grown = grow("P(A A)", state=RANKING)

    ranks = vote(grown, "ab", "ba")

    lower_id_first = grown[1].pk.hex < grown[2].pk.hex
    assert ranks == ([0, 1] if lower_id_first else [1, 0])


def test_reply_that_not_everybody_saw_gets_no_rank() -> None:
    assert vote(grow("P(A A A)", state=RANKING), "abc", "ba", "ba") == [1, 0, None]


def test_deleted_and_rejected_replies_get_no_rank() -> None:
    grown = grow("P(A A A A)", state=RANKING)
    Message.objects.filter(pk=grown[1].pk).update(deleted=True)
    Message.objects.filter(pk=grown[2].pk).update(review_result=False)

    assert vote(grown, "abcd", "abcd", "abdc") == [None, None, 0, 1]


def test_too_few_common_replies_clear_the_ranks() -> None:
    grown = grow("P(A A)", state=RANKING)
    Message.objects.filter(parent=grown.root).update(rank=5)

    assert vote(grown, "a", "b") == [None, None]


def test_consensus_keeps_margins_agreement_and_refusals() -> None:
    grown = grow("P(A A)", state=RANKING)

    vote(grown, "ab", "ab", "ba", "!")

    a, b = (str(message.pk) for message in grown.messages[1:])
    stored = RankingConsensus.objects.get()
    assert (stored.order, stored.margins) == ([a, b], [[a, b, 1]])
    assert (stored.rankings, stored.not_rankable, stored.computed_at) == (3, 1, NOW)
    assert stored.agreement == pytest.approx(1 / 9)


def test_imported_ranks_stay_until_somebody_ranks() -> None:
    grown = grow("P(A A)", state=TreeState.BACKLOG_RANKING)
    Message.objects.filter(pk=grown[2].pk).update(rank=0)

    scoring.update_parent(grown.root, config=TreeConfig(), now=NOW)

    assert [m.rank for m in grown.refresh()] == [None, None, 0]
    assert RankingConsensus.objects.count() == 0


def test_update_parent_twice_changes_nothing() -> None:
    grown = grow("P(A A A)", state=RANKING)
    first = vote(grown, "bca", "bca", "abc")

    scoring.update_parent(grown.root, config=TreeConfig(), now=NOW)

    assert [m.rank for m in grown.refresh().messages[1:]] == first
    assert RankingConsensus.objects.count() == 1
