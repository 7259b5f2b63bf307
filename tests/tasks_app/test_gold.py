"""Gold items: handed out like any review, told afterwards, and nothing but the person is judged."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from oasst.accounts.models import User
from oasst.lib.errors import DomainError
from tasks_app import (
    checks,
    dawid_skene,
    gold,
    gold_items,
    interactions,
    label_means,
    moderation,
    selection,
    undo,
)
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import GoldSource, TaskType, TreeState
from tasks_app.errors import (
    AlreadySubmitted,
    GoldAnswerStays,
    NoTaskAvailable,
    ReasonMissing,
    TaskExpired,
    TaskSkipped,
)
from tasks_app.labels import InvalidLabels
from tasks_app.models import (
    Contribution,
    GoldAnswer,
    GoldItem,
    Message,
    ModerationAction,
    Offer,
    Reliability,
    Task,
    TextLabels,
)
from tests import factories
from tests.factories import CHANCE, GOOD, NOW, SPAM, Grown, grow

pytestmark = pytest.mark.django_db

LABEL = TaskType.LABEL_ASSISTANT_REPLY


@pytest.fixture(autouse=True)
def _always_gold() -> Iterator[None]:
    with overridden(p_gold=1.0, p_gold_newcomer=1.0):
        yield


@pytest.fixture
def known(mona: User) -> Grown:
    """A finished tree whose reply is known to be spam; another waits for real reviews."""
    grow("P(A?)")
    grown = grow("P(A- A)", state=TreeState.READY_FOR_EXPORT)
    make(grown[1], SPAM, mona)
    return grown


def make(message: Message, answers: dict[str, float], mona: User) -> GoldItem:
    why = "It only sells something."
    return gold_items.make(message.pk, answers, explanation=why, actor=mona, now=NOW)


def take(user: User, kind: str = LABEL) -> Task:
    return selection.next_task(user, kind, now=NOW, rng=CHANCE)


def answered(user: User, values: dict[str, float]) -> GoldAnswer:
    stored = interactions.submit_labels(take(user).pk, user, values, now=NOW)
    assert isinstance(stored, GoldAnswer)
    return stored


def everything_about(grown: Grown) -> list[object]:
    columns = [Message.objects.filter(tree=grown.tree).order_by("pk").values()]
    columns.append(TextLabels.objects.order_by("pk").values())
    columns.append(Offer.objects.order_by("pk").values())
    means = label_means.means_of([m.pk for m in grown], config=TreeConfig())
    return [list(rows) for rows in columns] + [means]


def test_gold_task_takes_no_slot_and_no_tree(known: Grown, alice: User) -> None:
    before = everything_about(known)

    task = take(alice)

    assert (task.gold_id, task.message_id, task.kind) == (known[1].pk, known[1].pk, LABEL)
    assert (task.tree_id, task.holds_slot) == (None, False)
    assert everything_about(known) == before


def test_answer_changes_its_person_and_nothing_about_the_message(known: Grown, alice: User) -> None:
    before = everything_about(known)

    stored = answered(alice, SPAM)

    assert everything_about(known) == before
    assert (stored.is_right, stored.item_id) == (True, known[1].pk)
    assert Contribution.objects.get(user=alice).message == known[1]
    assert list(checks.broken_invariants()) == []


def test_trust_moves_both_ways_at_once(known: Grown, alice: User, bob: User) -> None:
    answered(alice, SPAM)
    answered(bob, GOOD)

    good, bad = Reliability.objects.get(user=alice), Reliability.objects.get(user=bob)
    assert (good.n_gold, good.n_gold_right, good.n_votes) == (1, 1, 0)
    assert (bad.n_gold, bad.n_gold_right) == (1, 0)
    mean = dawid_skene.TYPICAL.specificity
    assert bad.specificity is not None
    assert good.specificity is not None
    assert bad.specificity < mean < good.specificity
    assert bad.weight < good.weight


def test_open_gold_task_comes_again_until_it_is_done(known: Grown, alice: User) -> None:
    assert take(alice) == take(alice)
    assert take(alice, "random") == take(alice)


def test_gold_task_does_not_come_again_once_its_message_is_gone(
    known: Grown, alice: User, mona: User
) -> None:
    task = take(alice)
    moderation.delete_message(known[1].pk, actor=mona, reason="Rude.", now=NOW)

    assert take(alice) != task


def test_nobody_gets_the_same_item_twice(known: Grown, alice: User, bob: User) -> None:
    answered(alice, SPAM)
    interactions.skip(take(bob).pk, bob, now=NOW)

    for user in (alice, bob):
        task = take(user)
        assert task.gold_id is None
        assert task.message_id != known[1].pk
    with pytest.raises(IntegrityError):
        Task.objects.filter(user=bob, gold=None).update(
            gold_id=known[1].pk, message=known[1], tree=None, holds_slot=False
        )


def test_skipped_gold_leaves_no_mark_on_the_message(known: Grown, alice: User) -> None:
    interactions.skip(take(alice).pk, alice, now=NOW)

    assert known.refresh()[1].emojis == {}
    assert not Reliability.objects.exists()


@pytest.mark.parametrize("bar", ["author", "reviewed", "deleted", "undecided", "retired"])
def test_gold_is_not_shown_to_whom_it_should_not(
    known: Grown, alice: User, mona: User, bar: str
) -> None:
    message = Message.objects.filter(pk=known[1].pk)
    if bar == "author":
        message.update(user=alice)
    elif bar == "reviewed":
        TextLabels.objects.create(
            message=known[1], user=alice, kind="free", values={}, created_at=NOW
        )
    elif bar == "deleted":
        message.update(deleted=True)
    elif bar == "undecided":
        message.update(review_result=None)
    else:
        gold_items.retire(known[1].pk, actor=mona, reason="Not that plain.", now=NOW)

    assert take(alice).gold_id is None


def test_what_visitors_practise_on_tests_nobody(known: Grown, alice: User) -> None:
    GoldItem.objects.update(for_practice=True)

    assert take(alice).gold is None


def test_without_real_work_there_is_no_gold(known: Grown, alice: User) -> None:
    Offer.objects.all().delete()

    with pytest.raises(NoTaskAvailable):
        take(alice)


def test_share_is_larger_for_newcomers(known: Grown, alice: User) -> None:
    with overridden(p_gold=0.0, p_gold_newcomer=1.0, gold_newcomer_reviews=1):
        assert take(alice).gold_id
        answered(alice, SPAM)
        make(known[2], GOOD, factories.mona())
        assert take(alice).gold_id is None


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("is_there", [True, False])
def test_gold_that_is_there_missing_or_not_wanted_costs_the_same(
    known: Grown, alice: User, django_assert_num_queries: Any, share: float, is_there: bool
) -> None:
    GoldItem.objects.update(active=is_there)
    offer = Offer.objects.get(kind=LABEL)
    config = TreeConfig(p_gold=share, p_gold_newcomer=share)

    with django_assert_num_queries(1):
        gold_id, is_taken = gold.instead_of(offer, alice, config=config, rng=CHANCE)

    is_gold = is_there and share == 1.0
    assert (gold_id is not None, is_taken) == (is_gold, not is_gold)
    assert Offer.objects.get(pk=offer.pk).slots == offer.slots - is_taken


def test_slot_that_somebody_else_has_is_not_taken(known: Grown, alice: User) -> None:
    GoldItem.objects.update(active=False)
    offer = Offer.objects.get(kind=LABEL)
    Offer.objects.update(slots=0)

    found = gold.instead_of(offer, alice, config=TreeConfig(p_gold=1.0), rng=CHANCE)

    assert found == (None, False)
    assert Offer.objects.get(pk=offer.pk).slots == 0


def test_same_answer_twice_is_one_answer_and_another_is_refused(known: Grown, alice: User) -> None:
    task = take(alice)
    first = interactions.submit_labels(task.pk, alice, SPAM, now=NOW)

    assert interactions.submit_labels(task.pk, alice, SPAM, now=NOW) == first
    with pytest.raises(AlreadySubmitted):
        interactions.submit_labels(task.pk, alice, GOOD, now=NOW)
    assert Reliability.objects.get().n_gold == 1


def test_answer_cannot_be_taken_back(known: Grown, alice: User) -> None:
    stored = answered(alice, GOOD)

    with pytest.raises(GoldAnswerStays):
        undo.undo_labels(stored.task_id, alice, now=NOW)
    assert GoldAnswer.objects.count() == 1


def test_drafts_expiry_and_extending_are_those_of_a_review(known: Grown, alice: User) -> None:
    task = take(alice)
    interactions.save_draft(task.pk, alice, {"spam": "1"}, now=NOW)
    later = NOW + timedelta(minutes=5)
    assert interactions.extend(task.pk, alice, now=later) > task.reserved_until
    interactions.release_expired(now=NOW + timedelta(days=1))

    with pytest.raises(TaskExpired):
        interactions.submit_labels(task.pk, alice, SPAM, now=NOW + timedelta(days=3))
    task.refresh_from_db()
    assert (task.draft.body, task.holds_slot) == ({"spam": "1"}, False)


def test_skipped_gold_takes_no_answer(known: Grown, alice: User) -> None:
    task = take(alice)
    interactions.skip(task.pk, alice, now=NOW)

    with pytest.raises(TaskSkipped):
        interactions.submit_labels(task.pk, alice, SPAM, now=NOW)
    assert GoldAnswer.objects.count() == 0


def test_retired_item_blames_nobody(known: Grown, alice: User, mona: User) -> None:
    task = take(alice)
    gold_items.retire(known[1].pk, actor=mona, reason="Not that plain.", now=NOW)

    stored = interactions.submit_labels(task.pk, alice, GOOD, now=NOW)

    assert (stored.missed, Reliability.objects.count()) == ([], 0)  # type: ignore[union-attr]


def test_one_step_beside_on_a_scale_is_right(known: Grown, alice: User, bob: User) -> None:
    GoldItem.objects.update(answers={"spam": 0.0, "quality": 0.75})

    near = answered(alice, {"spam": 0.0, "quality": 0.5})
    far = answered(bob, {"spam": 0.0, "quality": 0.25})

    assert (near.missed, far.missed) == ([], ["quality"])
    assert [each.is_right for each in gold.comparisons(far)] == [True, False]


def test_making_gold_asks_for_a_decided_message_and_why(known: Grown, mona: User) -> None:
    undecided = Message.objects.get(review_result=None)

    for message, answers, error in (
        (undecided, GOOD, gold_items.GoldUndecided),
        (known[1], GOOD, gold_items.AlreadyGold),
        (known[2], {}, InvalidLabels),
        (known[2], {"spam": 0.3}, InvalidLabels),
    ):
        with pytest.raises(error):
            make(message, answers, mona)
    with pytest.raises(ReasonMissing):
        gold_items.make(known[2].pk, GOOD, explanation=" ", actor=mona, now=NOW)
    assert GoldItem.objects.count() == 1
    assert issubclass(gold_items.AlreadyGold, DomainError)


@pytest.mark.parametrize(("is_adaptive", "made"), [(False, 0), (True, 2)])
def test_two_who_agree_make_gold_where_nobody_asks_a_third(is_adaptive: bool, made: int) -> None:
    grown = grow("P(A)", state=TreeState.GROWING)
    for message in grown.tree.messages.all():
        message.label_sets.exclude(pk__in=message.label_sets.order_by("pk")[:2]).delete()

    with overridden(gold_items_per_lang=4, adaptive_overlap=is_adaptive):
        assert gold_items.promote_unanimous("en", config=TreeConfig.current(), now=NOW) == made


def test_unanimous_reviews_become_gold_half_good_and_half_bad() -> None:
    grown = grow("P(A- A A- A?2)", state=TreeState.GROWING)
    split = grown[3].label_sets.first()
    assert split
    split.values = GOOD
    split.save()

    with overridden(gold_items_per_lang=4):
        config = TreeConfig.current()
        made = gold_items.promote_unanimous("en", config=config, now=NOW)
        again = gold_items.promote_unanimous("en", config=config, now=NOW)

    assert (made, again) == (3, 0)  # two good ones, one bad; of the other reviewers differ
    found = {item.pk: item for item in GoldItem.objects.all()}
    assert set(found) == {grown[0].pk, grown[1].pk, grown[2].pk}
    assert found[grown[1].pk].answers == {"spam": 1.0, "lang_mismatch": 0.0}
    assert {item.source for item in found.values()} == {GoldSource.UNANIMOUS}
    assert ModerationAction.objects.filter(actor=None).count() == 3
