"""Which contributors agree with which, over the newest votes on messages that several judged.

Starts from what `agreement_sums` counted, so that it reads no more than it shows, whatever the
number of votes. Votes of people who are held back are left out.
"""

from collections import Counter
from dataclasses import dataclass

from django.db.models import F, QuerySet

from oasst.accounts.models import User
from tasks_app import agreement_pairs
from tasks_app.agreement_pairs import Pairs, Shared, Vote
from tasks_app.agreement_report import Filter
from tasks_app.agreement_tables import AgreementUnit
from tasks_app.agreement_units import RANKINGS
from tasks_app.enums import LabelKind, VoteSource
from tasks_app.models import Ranking, TextLabels

MOST_VOTES = 10_000
# Of two people who judged fewer messages together nothing is said.
MIN_SHARED = 10


@dataclass(frozen=True)
class Person:
    """One of the most active people, and how much they agree with the others shown."""

    user: User
    votes: int
    others: Shared | None


@dataclass(frozen=True)
class Company:
    """The most active people, what each two of them share, and how many votes that is from."""

    people: list[Person]
    pairs: Pairs
    votes: int


def company(measure: str, wanted: Filter, number: int) -> Company:
    """So many people and their pairs. Two queries, of at most `MOST_VOTES` votes."""
    votes = list(_rankings(wanted) if measure == RANKINGS else _answers(measure, wanted))
    chosen = agreement_pairs.most_active(votes, number)
    alike = agreement_pairs.tau if measure == RANKINGS else agreement_pairs.same
    shared = agreement_pairs.pairs(votes, chosen, alike)
    counted = Counter(person for person, _message, _said in votes)
    users = User.objects.in_bulk(chosen)
    people = [
        Person(users[pk], counted[pk], agreement_pairs.with_others(shared, at))
        for at, pk in enumerate(chosen)
    ]
    return Company(people, shared, len(votes))


def _answers(measure: str, wanted: Filter) -> "QuerySet[TextLabels, Vote]":
    sets = TextLabels.objects.counted().filter(
        kind=LabelKind.TASK, message__in=_judged(VoteSource.LABELS, wanted), values__has_key=measure
    )
    return _newest(sets).values_list("user", "message", F(f"values__{measure}"))


def _rankings(wanted: Filter) -> "QuerySet[Ranking, Vote]":
    rankings = Ranking.objects.counted().filter(
        parent__in=_judged(VoteSource.RANKINGS, wanted), not_rankable=False
    )
    return _newest(rankings).values_list("user", "parent", "groups")


def _judged(source: VoteSource, wanted: Filter) -> QuerySet:
    """The newest messages with two votes or more, as many as `MOST_VOTES` can be on."""
    units = AgreementUnit.objects.filter(source=source, **wanted.weeks)
    asked = {"lang": wanted.lang, "kind": wanted.kind}
    units = units.filter(**{name: value for name, value in asked.items() if value})
    return units.order_by("-week", "-pk").values("message_id")[: MOST_VOTES // 2]


def _newest(votes: QuerySet) -> QuerySet:
    return votes.order_by("-created_at", "-pk")[:MOST_VOTES]
