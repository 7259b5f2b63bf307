"""How reliable people are, and what follows: weights in acceptance and ranks, for all 1 if off."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction

from oasst.accounts.models import User
from tasks_app import (
    checks,
    dawid_skene,
    gold_items,
    holding,
    reliability,
    reviewing,
    scoring,
    skill_fits,
)
from tasks_app.bulk import actions as bulk
from tasks_app.bulk import plans
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind, SkillGroup, TreeState
from tasks_app.models import (
    CrowdMean,
    GoldAnswer,
    Message,
    Ranking,
    RankingConsensus,
    Reliability,
    Task,
    TextLabels,
)
from tests import factories
from tests.factories import GOOD, NOW, SPAM, grow
from tests.waiting import on_a_connection_of_its_own, wait_until, waiting_requests

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

LATER = NOW + timedelta(hours=1)
ON, OFF = TreeConfig(reliability_weights=True), TreeConfig(reliability_weights=False)


def know(user: User, weight: float, group: SkillGroup = SkillGroup.ACCEPTANCE) -> Reliability:
    skill: dict[str, float] = (
        {"agreement": 0.5}
        if group == SkillGroup.RANKING
        else {"sensitivity": 0.8, "specificity": 0.8}
    )
    return Reliability.objects.create(
        user=user, group=group, lang="en", weight=weight, updated_at=NOW, **skill
    )


def reviews(message: Message, votes: Mapping[User, dict[str, float]]) -> None:
    TextLabels.objects.bulk_create(
        TextLabels(message=message, user=user, kind=LabelKind.TASK, values=values, created_at=NOW)
        for user, values in votes.items()
    )
    message.review_count += len(votes)
    message.save()


def community(messages: int = 30) -> tuple[list[User], User]:
    """Four people who see what is spam, and one who always says that it is not."""
    careful, careless = factories.crowd(4), factories.person("Carla")
    for number in range(messages):
        grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
        right = SPAM if number % 3 == 0 else GOOD
        reviews(grown.root, dict.fromkeys(careful, right) | {careless: GOOD})
    return careful, careless


def skills_stored() -> dict[object, tuple[object, ...]]:
    """What is known of everybody."""
    columns = ("user", "sensitivity", "specificity", "agreement", "weight", "n_votes")
    return {row[0]: row[1:] for row in Reliability.objects.values_list(*columns)}


def test_without_the_switch_everybody_weighs_one_and_nobody_is_asked(
    alice: User, django_assert_num_queries: object
) -> None:
    know(alice, 0.1)
    grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    reviews(grown.root, {alice: SPAM, factories.bob(): GOOD, factories.mona(): GOOD})

    with django_assert_num_queries(2):  # type: ignore[operator]  # and what was imported
        assert reviewing.score(grown.root, OFF) == pytest.approx(2 / 3)


def test_weights_count_in_acceptance_and_newcomers_count_one(alice: User, bob: User) -> None:
    know(alice, 0.2)
    grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    reviews(grown.root, {alice: SPAM, bob: GOOD, factories.mona(): GOOD})

    assert reviewing.score(grown.root, ON) == pytest.approx(1 - 0.2 / 2.2)


def test_message_judged_by_people_who_guess_is_decided_all_the_same(alice: User, bob: User) -> None:
    know(alice, 0.0)
    know(bob, 0.0)
    grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    reviews(grown.root, {alice: GOOD, bob: GOOD})

    assert reviewing.score(grown.root, ON) == 1.0


def test_late_change_of_weights_does_not_rewrite_a_verdict(alice: User, bob: User) -> None:
    grown = grow("P(A-)", goal_tree_size=9)
    know(alice, 3.0)
    TextLabels.objects.filter(message=grown[1]).update(values=GOOD)  # as if reviewers weighed 0

    message = Message.objects.get(pk=grown[1].pk)
    late = TextLabels.objects.create(
        message=message, user=alice, kind=LabelKind.TASK, values=SPAM, created_at=NOW
    )
    reviewing.record_verdict(message, late, config=ON, now=NOW)

    assert message.review_result is False  # a vote against it does not let it in
    assert message.review_count == 4


def test_weights_count_in_ranks_and_stay_as_they_were(alice: User, bob: User) -> None:
    grown = grow("P(A A)", state=TreeState.READY_FOR_EXPORT)
    a, b = str(grown[1].pk), str(grown[2].pk)
    for user, order in ((alice, [a, b]), (bob, [b, a]), (factories.mona(), [b, a])):
        grown.root.rankings.create(user=user, groups=[[pk] for pk in order], created_at=NOW)
    row = know(alice, 3.0, SkillGroup.RANKING)

    scoring.update_parent(grown.root, config=OFF, now=NOW)
    assert RankingConsensus.objects.get().order == [b, a]
    scoring.update_parent(grown.root, config=ON, now=NOW)
    assert RankingConsensus.objects.get().order == [a, b]

    row.weight = 0.1
    row.save()
    scoring.update_parent(grown.root, config=ON, now=NOW)
    assert RankingConsensus.objects.get().order == [a, b]
    assert list(Ranking.objects.order_by("id").values_list("weight", flat=True)) == [3.0, 1.0, 1.0]
    broken = {found.rule for found in checks.broken_invariants()}
    assert "consensus_is_that_of_the_rankings" not in broken


def test_fit_tells_the_careful_from_the_careless() -> None:
    careful, careless = community()

    assert skill_fits.refit(now=NOW) == ["en"]

    weights = dict(Reliability.objects.values_list("user", "weight"))
    assert weights[careless.pk] < 0.5
    assert {weights[user.pk] for user in careful} == {1.0}
    assert [row.user_id for row in Reliability.objects.doubtful()] == [careless.pk]
    mean = CrowdMean.objects.get(group=SkillGroup.ACCEPTANCE)
    assert (mean.lang, mean.n_people, mean.n_votes) == ("en", 5, 150)
    assert mean.prior == pytest.approx(2 / 3, abs=0.05)


def test_fit_computes_only_languages_with_new_votes() -> None:
    community(3)
    skill_fits.refit(now=NOW)
    german = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW, lang="de")

    assert skill_fits.refit(now=LATER) == []
    reviews(german.root, {factories.alice(): GOOD})
    assert skill_fits.refit(now=LATER) == ["de"]
    assert CrowdMean.objects.get(group=SkillGroup.ACCEPTANCE, lang="en").computed_at == NOW


def test_fit_twice_writes_nothing_new() -> None:
    community(5)
    skill_fits.refit(now=NOW)
    CrowdMean.objects.update(changes=1)

    skill_fits.refit(now=LATER)

    assert set(Reliability.objects.values_list("updated_at", flat=True)) == {NOW}


def test_few_new_votes_are_fitted_for_the_people_they_touch_as_for_everybody() -> None:
    careful, careless = community(60)
    untouched = factories.person("Una")
    reviews(grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root, {untouched: GOOD})
    skill_fits.refit(now=NOW)
    root = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root
    reviews(root, {careless: SPAM, careful[0]: SPAM})

    assert skill_fits.refit(now=LATER) == ["en"]
    some = skills_stored()
    mean = CrowdMean.objects.get(group=SkillGroup.ACCEPTANCE)
    assert (mean.computed_at, mean.n_fresh) == (NOW, 2)
    written = Reliability.objects.filter(updated_at=LATER).values_list("user", flat=True)
    assert set(written) == {careless.pk, careful[0].pk}
    assert skill_fits.refit(now=LATER) == []
    reliability.forget_means(SkillGroup.ACCEPTANCE, ["en"])
    skill_fits.refit(now=LATER)

    for user, whole in skills_stored().items():
        assert some[user] == pytest.approx(whole, abs=0.01)
    mean.refresh_from_db()
    assert (mean.computed_at, mean.n_fresh) == (LATER, 0)


def test_votes_are_fitted_for_everybody_when_they_are_many() -> None:
    careful, _careless = community(20)
    skill_fits.refit(now=NOW)

    for _ in range(2):
        root = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root
        reviews(root, dict.fromkeys(careful[:2], GOOD))
        skill_fits.refit(now=LATER)

    mean = CrowdMean.objects.get(group=SkillGroup.ACCEPTANCE)
    assert (mean.computed_at, mean.n_votes, mean.n_fresh) == (LATER, 104, 0)


@pytest.mark.django_db(transaction=True)
def test_gold_answer_waits_for_no_fit_and_is_fitted_next_time() -> None:
    _careful, careless = community(5)
    skill_fits.refit(now=NOW)
    reviews(grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root, {careless: GOOD})

    with ThreadPoolExecutor(1) as another, transaction.atomic():
        known = Reliability.objects.select_for_update().get(user=careless)
        fit = another.submit(on_a_connection_of_its_own, partial(skill_fits.refit, now=LATER))
        wait_until(waiting_requests)  # to store what it knows of the same person
        known.n_gold += 1
        known.save()
        reliability.forget_means(SkillGroup.ACCEPTANCE, ["en"])

    assert fit.result() == ["en"]
    assert skill_fits.refit(now=LATER) == ["en"]
    assert skill_fits.refit(now=LATER) == []


def test_gold_answer_of_a_held_person_changes_nothing(alice: User, mona: User) -> None:
    grown = grow("P-", state=TreeState.ABORTED_LOW_GRADE)
    item = gold_items.make(grown.root.pk, SPAM, explanation="Spam.", actor=mona, now=NOW)
    holding.hold_user(alice.pk, actor=mona, reason="Votes for friends.", now=NOW)
    held = User.objects.get(pk=alice.pk)

    reliability.teach(GoldAnswer(item=item, user=held, values=GOOD), lang="en", now=NOW)

    assert not Reliability.objects.exists()


def test_newcomer_is_near_the_mean_of_the_crowd() -> None:
    careful, _careless = community()
    newcomer = factories.alice()
    grown = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
    reviews(grown.root, dict.fromkeys(careful, SPAM) | {newcomer: GOOD})

    skill_fits.refit(now=NOW)

    row = Reliability.objects.get(user=newcomer)
    assert row.n_votes == 1
    assert 0.6 < row.weight < 1.1
    assert not row.doubtful


def test_gold_answers_teach_the_fit_until_the_item_is_retired(alice: User, mona: User) -> None:
    community()
    grown = grow("P-", state=TreeState.ABORTED_LOW_GRADE)
    gold_items.make(grown.root.pk, SPAM, explanation="Spam.", actor=mona, now=NOW)
    task = Task.objects.create(
        kind="label_initial_prompt", lang="en", user=alice, gold_id=grown.root.pk,
        message=grown.root, holds_slot=False, reserved_until=NOW, expires_at=NOW, created_at=NOW,
    )  # fmt: skip
    GoldAnswer.objects.create(
        task=task, item_id=grown.root.pk, user=alice, values=GOOD, missed=["spam"], created_at=NOW
    )

    skill_fits.refit(now=NOW)
    missed = Reliability.objects.get(user=alice)
    gold_items.retire(grown.root.pk, actor=mona, reason="No spam after all.", now=LATER)
    skill_fits.refit(now=LATER)

    assert (missed.n_gold, missed.n_gold_right, missed.n_votes) == (1, 0, 0)
    assert not Reliability.objects.filter(user=alice).exists()


def test_votes_of_a_held_person_say_nothing_about_others_until_the_release(mona: User) -> None:
    careful, careless = community()
    skill_fits.refit(now=NOW)
    before = skills_stored()

    holding.hold_user(careful[0].pk, actor=mona, reason="Votes for friends.", now=LATER)
    assert skill_fits.refit(now=LATER) == ["en"]
    during, mean = skills_stored(), CrowdMean.objects.get(group=SkillGroup.ACCEPTANCE)
    holding.unhold_user(careful[0].pk, actor=mona, reason="A mistake.", now=LATER)
    assert skill_fits.refit(now=LATER) == ["en"]

    assert during[careful[0].pk] == before[careful[0].pk]  # as it was when the hold began
    assert during[careless.pk] != before[careless.pk]
    assert (mean.n_people, mean.n_votes) == (4, 120)
    assert skills_stored() == before


def test_purged_votes_are_out_of_the_next_fit_and_come_back_with_an_undo(mona: User) -> None:
    careful, careless = community(5)
    skill_fits.refit(now=NOW)
    before = skills_stored()
    why = {"actor": mona, "reason": "Votes for friends.", "now": LATER}

    purge = bulk.do_now(plans.of_person(careful[0]), **why)
    assert skill_fits.refit(now=LATER) == ["en"]
    during = skills_stored()
    bulk.undo_now(purge.pk, **why)
    assert skill_fits.refit(now=LATER) == ["en"]

    assert careful[0].pk not in during
    assert during[careless.pk] != before[careless.pk]
    assert skills_stored() == before


def test_rankers_are_held_against_the_others() -> None:
    people, contrarian = factories.crowd(3), factories.alice()
    for _ in range(12):
        grown = grow("P(A A A)", state=TreeState.RANKING)
        order = [[str(reply.pk)] for reply in grown.messages[1:]]
        for user in people:
            grown.root.rankings.create(user=user, groups=order, created_at=NOW)
        grown.root.rankings.create(user=contrarian, groups=order[::-1], created_at=NOW)

    skill_fits.refit(now=NOW)

    rows = {row.user_id: row for row in Reliability.objects.filter(group=SkillGroup.RANKING)}
    agreement = rows[contrarian.pk].agreement
    assert agreement is not None
    assert agreement < 0
    assert rows[contrarian.pk].doubtful
    assert all(rows[user.pk].weight > 1 for user in people)


def test_erased_people_have_no_reliability() -> None:
    careful, _ = community(3)
    User.objects.filter(pk=careful[0].pk).update(deleted_at=NOW, is_active=False)

    skill_fits.refit(now=NOW)

    assert not Reliability.objects.filter(user=careful[0]).exists()
    assert Reliability.objects.filter(user=careful[1]).exists()


def test_skills_without_knowledge_are_those_of_the_crowd(alice: User) -> None:
    skills, prior = reliability.skills([alice.pk], lang="en", config=ON)

    assert (skills, prior) == ([dawid_skene.TYPICAL], 0.5)
