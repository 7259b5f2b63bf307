"""Somebody with a share in many trees, and the rows that an undo has to bring back."""

from collections.abc import Iterator
from typing import Any

from oasst.accounts.models import User
from tasks_app import checks, reactions
from tasks_app.config import overridden
from tasks_app.enums import TreeState
from tasks_app.models import (
    Message,
    MessageTree,
    Offer,
    Ranking,
    RankingConsensus,
    Reaction,
    Report,
    Task,
    TextLabels,
)
from tests.factories import GOOD, NOW, SPAM, Grown, crowd, grow, label, rank, reply, review

TABLES = (MessageTree, Message, Offer, Task, TextLabels, Ranking, RankingConsensus, Reaction,
          Report)  # fmt: skip


def dump() -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables that moderation changes."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in TABLES}


def differing(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """The tables, ids and columns that are not the same."""
    for table, rows in before.items():
        now = {
            row.get("id", row.get("message_id", row.get("parent_id"))): row for row in after[table]
        }
        was = {row.get("id", row.get("message_id", row.get("parent_id"))): row for row in rows}
        for pk in was.keys() | now.keys():
            one, two = was.get(pk) or {}, now.get(pk) or {}
            names = [name for name in one.keys() | two.keys() if one.get(name) != two.get(name)]
            yield from (f"{table} {pk} {n}: {one.get(n)!r} -> {two.get(n)!r}" for n in names)


def active_person(trudy: User) -> list[Grown]:
    """Trees in every state, in each of which Trudy did something."""
    others = crowd(4, prefix="Other")
    trees = [
        grow("P(A(P) A)", authors={0: trudy}),
        grow("P(A(P) A A?)", authors={1: trudy}),
        grow("P", state=TreeState.PROMPT_LOTTERY_WAITING, author=trudy),
        grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW),
    ]
    with overridden(p_full_labeling_review_reply_assistant=1.0):
        label(trudy, trees[1][4], SPAM)
        label(others[0], trees[1][4], GOOD)
        label(trudy, trees[3].root, GOOD)
    reply(trudy, trees[0][1].children.get(), "Buy my shoes!")
    reacted = trees[1][2]
    for person, code in ((trudy, "-1"), (others[0], "+1"), (trudy, "clap")):
        reactions.react(reacted.pk, person, code, now=NOW)
    reactions.report(reacted.pk, trudy, "spam", "I dislike it", now=NOW)
    trees.append(_ranked(trudy, others))
    trees.append(_rejected_by(trudy, others))
    assert list(checks.broken_invariants()) == []
    return trees


def _ranked(trudy: User, others: list[User]) -> Grown:
    """A finished tree whose order Trudy had a say in."""
    grown = grow("P(A A A)", state=TreeState.RANKING)
    for person, order in ((trudy, (3, 2, 1)), (others[0], (1, 2, 3)), (others[1], (2, 1, 3))):
        rank(person, grown.root, [grown[place] for place in order])
    grown.refresh()
    assert grown.tree.state == TreeState.READY_FOR_EXPORT
    return grown


def _rejected_by(trudy: User, others: list[User]) -> Grown:
    """A reply that was not accepted, by Trudy's voice among others."""
    grown = grow("P(A? A)")
    for person, values in ((trudy, SPAM), (others[0], SPAM), (others[1], SPAM)):
        label(person, grown[1], values)
    review(grow("P(A?)")[1], GOOD, GOOD, GOOD)
    assert grown.refresh()[1].review_result is False
    return grown
