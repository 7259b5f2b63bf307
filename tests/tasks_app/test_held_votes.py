"""Reviews and rankings of people who are held back: stored like any, and they decide nothing."""

from typing import Any

import pytest

from oasst.accounts.models import User
from tasks_app import checks, fate, holding, interactions, jobs, privacy, reviewing, scoring
from tasks_app.bulk import actions as bulk
from tasks_app.bulk import plans
from tasks_app.config import TreeConfig
from tasks_app.enums import TaskType, TreeState
from tasks_app.label_means import means_of
from tasks_app.models import Message, Offer, Ranking, RankingConsensus, Recount, TextLabels
from tasks_app.vote_events import events_of
from tests import factories
from tests.factories import GOOD, NOW, SPAM, Grown, grow, hand_out, rank, review
from tests.sessions import signed_in

pytestmark = pytest.mark.slow

WHY = {"reason": "Votes for friends.", "now": NOW}
ON, OFF = TreeConfig(reliability_weights=True), TreeConfig(reliability_weights=False)


def hold(person: User, mona: User) -> None:
    holding.hold_user(person.pk, actor=mona, **WHY)
    jobs.recount_trees()


def release(person: User, mona: User) -> None:
    holding.unhold_user(person.pk, actor=mona, **WHY)
    jobs.recount_trees()


def label(person: User, message: Message, values: dict[str, float]) -> Message:
    task = hand_out(person, TaskType.LABEL_ASSISTANT_REPLY)
    assert task.message_id == message.pk
    interactions.submit_labels(task.pk, person, values, now=NOW)
    return Message.objects.get(pk=message.pk)


def voted(*orders: tuple[User, str]) -> tuple[Grown, dict[str, str]]:
    """A finished tree whose two replies, a and b, were ranked like this."""
    grown = grow("P(A A)", state=TreeState.READY_FOR_EXPORT)
    names = {"a": str(grown[1].pk), "b": str(grown[2].pk)}
    for person, order in orders:
        grown.root.rankings.create(
            user=person, groups=[[names[each]] for each in order], created_at=NOW
        )
    Message.objects.filter(parent=grown.root).update(ranking_count=len(orders))
    scoring.update_parent(grown.root, config=TreeConfig.current(), now=NOW)
    return grown, {pk: name for name, pk in names.items()}


def order_below(message: Message, names: dict[str, str]) -> str:
    ranked = Message.objects.filter(parent=message).exclude(rank=None).order_by("rank")
    return "".join(names[str(pk)] for pk in ranked.values_list("pk", flat=True))


def test_review_by_a_held_person_is_counted_and_somebody_else_decides(
    alice: User, mona: User
) -> None:
    reply = grow("P(A?)")[1]
    hold(alice, mona)

    label(alice, reply, SPAM)
    found = review(reply, GOOD, GOOD)

    assert (found.review_count, found.review_result) == (3, None)
    assert Offer.objects.get(message=reply).slots == 1
    found = label(factories.person("Nina"), reply, GOOD)
    assert (found.review_count, found.review_result) == (4, True)
    assert reviewing.score(found, OFF) == reviewing.score(found, ON) == 1.0
    assert list(checks.broken_invariants()) == []


def test_earlier_reviews_cease_to_count_where_nothing_is_decided(alice: User, mona: User) -> None:
    decided, open_ = grow("P(A?)")[1], grow("P(A?)")[1]
    for message in (decided, open_):
        TextLabels.objects.create(
            message=message, user=alice, kind="task", values=SPAM, created_at=NOW
        )
        Message.objects.filter(pk=message.pk).update(review_count=1)
    Message.objects.filter(pk=decided.pk).update(review_result=False)

    hold(alice, mona)
    found = review(open_, GOOD, GOOD, GOOD)

    assert found.review_result is True
    decided.refresh_from_db()
    assert decided.review_result is False
    assert not Recount.objects.exists()


def test_verdict_that_waits_for_one_more_review_comes_with_the_release(
    alice: User, mona: User
) -> None:
    reply = grow("P(A?)")[1]
    hold(alice, mona)
    label(alice, reply, GOOD)
    assert review(reply, GOOD, GOOD).review_result is None

    release(alice, mona)

    assert Message.objects.get(pk=reply.pk).review_result is True
    assert not TextLabels.objects.filter(held=True).exists()
    assert list(checks.broken_invariants()) == []


def test_late_review_by_a_held_person_turns_no_verdict(alice: User, mona: User) -> None:
    reply = grow("P(A-)", goal_tree_size=9)[1]
    TextLabels.objects.filter(message=reply).update(values=GOOD)  # as if reviewers weighed 0
    hold(alice, mona)
    late = TextLabels.objects.create(
        message=reply, user=alice, kind="task", values=GOOD, held=True, created_at=NOW
    )
    reply.refresh_from_db()

    reviewing.record_verdict(reply, late, config=OFF, now=NOW)

    assert reply.review_result is False


@pytest.mark.parametrize("is_weighted", [True, False], ids=["weights", "no weights"])
def test_ranks_are_counted_anew_without_a_held_person_and_with_them_at_release(
    alice: User, bob: User, mona: User, is_weighted: bool, settings: Any
) -> None:
    settings.TREE_CONFIG = {"RELIABILITY_WEIGHTS": str(is_weighted).lower()}
    carol, dora = factories.person("Carol"), factories.person("Dora")
    grown, names = voted((alice, "ba"), (carol, "ba"), (bob, "ab"), (dora, "ba"))
    assert order_below(grown.root, names) == "ba"
    weights = list(Ranking.objects.order_by("id").values_list("weight", flat=True))

    for person in (alice, carol, dora):
        hold(person, mona)
    assert order_below(grown.root, names) == "ab"
    assert RankingConsensus.objects.get().rankings == 1

    release(alice, mona)
    release(carol, mona)
    assert order_below(grown.root, names) == "ba"
    assert list(Ranking.objects.order_by("id").values_list("weight", flat=True)) == weights
    broken = {found.rule for found in checks.broken_invariants()}
    assert not broken & {"consensus_is_that_of_the_rankings", "votes_of_held_people_are_held"}


def test_replies_that_only_held_people_ranked_have_no_rank_and_imported_ranks_stay(
    alice: User, mona: User
) -> None:
    grown, names = voted((alice, "ba"))
    imported, imported_names = voted()
    for rank_, message in enumerate(imported.messages[1:]):
        Message.objects.filter(pk=message.pk).update(rank=rank_)

    hold(alice, mona)
    imported.root.rankings.create(
        user=alice,
        groups=[[str(imported[2].pk)], [str(imported[1].pk)]],
        held=True,
        created_at=NOW,
    )
    scoring.update_parent(imported.root, config=ON, now=NOW)

    assert order_below(grown.root, names) == ""
    assert not RankingConsensus.objects.exists()
    assert len(order_below(imported.root, imported_names)) == 2


def test_somebody_else_is_asked_for_the_ranking_of_a_held_person(alice: User, mona: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    before = Offer.objects.get(message=grown.root).slots
    hold(alice, mona)

    rank(alice, grown.root)

    assert Offer.objects.get(message=grown.root).slots == before
    assert Ranking.objects.get().held
    assert list(checks.broken_invariants()) == []


def test_until_the_trees_are_counted_the_checks_know_that_they_are_not(
    alice: User, bob: User, mona: User
) -> None:
    grown, _ = voted((alice, "ba"), (bob, "ab"), (factories.person("Nina"), "ba"))

    holding.hold_user(alice.pk, actor=mona, **WHY)

    assert list(Recount.objects.values_list("tree", flat=True)) == [grown.tree.pk]
    rules = {found.rule for found in checks.broken_invariants()}
    assert "consensus_is_that_of_the_rankings" not in rules
    jobs.recount_trees()
    jobs.recount_trees()
    assert not Recount.objects.exists()


def test_held_person_is_told_nothing_of_their_votes(alice: User, mona: User) -> None:
    reply = grow("P(A?)")[1]
    hold(alice, mona)
    label(alice, reply, GOOD)
    review(reply, GOOD, GOOD)

    reply.refresh_from_db()
    assert fate.status(reply, TreeConfig.current()).label == "In review, 2 of 3"
    for page in (f"/messages/{reply.pk}/", f"/trees/{reply.tree_id}/", "/contributions/"):
        assert "held" not in signed_in(alice).get(page).content.decode().lower(), page
    assert all("held" not in row for rows in privacy.collect(alice).values() for row in rows)


def test_votes_that_come_back_after_a_purge_count_as_their_person_does_then(
    alice: User, bob: User, mona: User
) -> None:
    grown, names = voted((alice, "ba"), (factories.person("Nina"), "ba"), (bob, "ab"))
    hold(alice, mona)
    purge = bulk.do_now(plans.of_person(alice), actor=mona, **WHY)
    release(alice, mona)

    bulk.undo_now(purge.pk, actor=mona, **WHY)

    assert not Ranking.objects.get(user=alice).held
    assert order_below(grown.root, names) == "ba"


def test_published_means_and_rankings_are_without_held_votes(
    alice: User, bob: User, mona: User
) -> None:
    grown = grow("P(A? A)")
    hold(alice, mona)
    label(alice, grown[1], GOOD | {"quality": 0.0})
    label(bob, grown[1], GOOD | {"quality": 1.0})
    ranked = grow("P(A A)", state=TreeState.RANKING)
    for person, order in ((alice, [1, 2]), (bob, [2, 1])):
        rank(person, ranked.root, [ranked[place] for place in order])

    (mean,) = [means["quality"] for means in means_of([grown[1].pk], config=TreeConfig()).values()]
    (events,) = events_of([ranked.root.pk]).values()

    assert (mean.value, mean.count) == (1.0, 1)
    assert [event["user_id"] for event in events["ranking"]] == [str(bob.pk)]
