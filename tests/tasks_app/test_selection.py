"""What is handed out to whom: kinds, weights, exclusions, limits, reservations."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from oasst.accounts.models import User
from tasks_app import interactions, selection
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import FormMode, TaskType, TreeState
from tasks_app.errors import NotAllowed, NoTaskAvailable, TooManyPendingTasks
from tasks_app.models import Offer, Task
from tests import factories
from tests.factories import NOW, grow, hand_out

pytestmark = pytest.mark.django_db

K = TaskType
NO_PROMPTS = {"max_initial_prompt_review": 0, "max_active_trees": 0}
DRAWINGS = {
    K.LABEL_INITIAL_PROMPT: ("P?", TreeState.INITIAL_PROMPT_REVIEW),
    K.LABEL_ASSISTANT_REPLY: ("P(A?)", TreeState.GROWING),
    K.LABEL_PROMPTER_REPLY: ("P(A(P?))", TreeState.GROWING),
    K.ASSISTANT_REPLY: ("P", TreeState.GROWING),
    K.PROMPTER_REPLY: ("P(A)", TreeState.GROWING),
    K.RANK_ASSISTANT_REPLIES: ("P(A A)", TreeState.RANKING),
}


# Each kind


@pytest.mark.parametrize("kind", DRAWINGS)
def test_next_task_hands_out_what_was_asked_for(alice: User, kind: TaskType) -> None:
    drawing, state = DRAWINGS[kind]
    grown = grow(drawing, state=state)
    slots = Offer.objects.get(kind=kind).slots

    task = hand_out(alice, kind)

    assert (task.kind, task.user, task.tree, task.holds_slot) == (kind, alice, grown.tree, True)
    assert Offer.objects.get(kind=kind).slots == slots - 1


def test_next_task_hands_out_a_prompt_without_a_tree(alice: User) -> None:
    task = hand_out(alice, K.INITIAL_PROMPT)

    assert (task.tree, task.message, task.holds_slot, task.lang) == (None, None, False, "en")


def test_next_task_ranks_prompter_replies_if_configured(alice: User) -> None:
    with overridden(rank_prompter_replies=True):
        grow("P(A(P P))", state=TreeState.RANKING)
        assert hand_out(alice, K.RANK_PROMPTER_REPLIES).type == K.RANK_PROMPTER_REPLIES


def test_next_task_shows_exactly_the_accepted_replies_to_a_ranker(alice: User) -> None:
    grown = grow("P(A A- Ax A A?)", state=TreeState.RANKING)

    task = hand_out(alice, K.RANK_ASSISTANT_REPLIES)

    assert sorted(task.shown_ids) == sorted([str(grown[1].pk), str(grown[4].pk)])


def test_next_task_shuffles_the_replies_shown() -> None:
    with overridden(num_required_rankings=40):
        grow("P(A A A)", state=TreeState.RANKING)
        orders = {
            tuple(hand_out(user, K.RANK_ASSISTANT_REPLIES, rng=random.Random(number)).shown_ids)
            for number, user in enumerate(factories.crowd(40))
        }

    assert len(orders) == 6


@pytest.mark.parametrize("kind", [*DRAWINGS, K.RANK_INITIAL_PROMPTS, K.RANK_PROMPTER_REPLIES])
def test_next_task_without_work_says_so(alice: User, kind: TaskType) -> None:
    with pytest.raises(NoTaskAvailable):
        hand_out(alice, kind)

    assert Task.objects.count() == 0


# Random draws


def tree_of_each_kind() -> None:
    for kind, (drawing, state) in DRAWINGS.items():
        if kind not in (K.LABEL_PROMPTER_REPLY, K.PROMPTER_REPLY):
            grow(drawing, state=state)
    Offer.objects.update(slots=1_000)


def test_random_draws_kinds_by_their_weights() -> None:
    tree_of_each_kind()
    rng = random.Random(1)
    config = TreeConfig()

    first = Counter(next(iter(selection._draw_order("random", config, rng))) for _ in range(22_010))

    found = {group.weight: first[group.kinds] for group in selection.GROUPS}
    wanted = {group.weight: getattr(config, group.weight) * 1_000 for group in selection.GROUPS}
    for weight, count in wanted.items():
        assert abs(found[weight] - count) < 5 * count**0.5 + 1


def test_random_falls_through_to_what_there_is(alice: User) -> None:
    grow("P")

    assert hand_out(alice, "random").type == K.ASSISTANT_REPLY


def test_random_writes_a_prompt_when_nothing_else_is_left(alice: User) -> None:
    assert hand_out(alice, "random").type == K.INITIAL_PROMPT


def test_next_task_takes_few_queries_whatever_there_is(
    alice: User, django_assert_max_num_queries: Any
) -> None:
    for trees in (0, 1, 3):
        for _ in range(trees):
            grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW)
        with django_assert_max_num_queries(12):
            hand_out(alice, "random")


def test_random_without_any_weight_finds_nothing(alice: User) -> None:
    grow("P")
    weights = {group.weight: 0.0 for group in selection.GROUPS}

    with overridden(**weights), pytest.raises(NoTaskAvailable):
        hand_out(alice, "random")


def test_next_task_fills_every_open_slot() -> None:
    trees = [grow("P(A?)") for _ in range(4)]

    drawn = Counter(hand_out(user, K.LABEL_ASSISTANT_REPLY).tree_id for user in factories.crowd(12))

    assert drawn == {grown.tree.pk: 3 for grown in trees}
    with pytest.raises(NoTaskAvailable):
        hand_out(factories.bob(), K.LABEL_ASSISTANT_REPLY)


def test_next_task_does_not_prefer_an_item_for_its_age() -> None:
    trees = [grow("P(A?)").tree.pk for _ in range(30)]

    first = [hand_out(user, K.LABEL_ASSISTANT_REPLY).tree_id for user in factories.crowd(12)]

    assert sorted(first, key=trees.index) != first


@pytest.mark.slow
def test_lonely_messages_are_preferred_at_their_chance() -> None:
    lonely = grow("P(A?)", goal_tree_size=1_000)
    for _ in range(3):
        grow("P", goal_tree_size=1_000)
    Offer.objects.update(slots=1_000)
    people = factories.crowd(100)

    with overridden(p_lonely_child_extension=1.0):
        always = {hand_out(user, K.ASSISTANT_REPLY).tree_id for user in people[:20]}
    with overridden(p_lonely_child_extension=0.0):
        sometimes = {hand_out(user, K.ASSISTANT_REPLY).tree_id for user in people[20:]}

    assert always == {lonely.tree.pk}
    assert sometimes - always


def test_lonely_preference_falls_back_to_others(alice: User) -> None:
    grown = grow("P")

    with overridden(p_lonely_child_extension=1.0):
        assert hand_out(alice, K.ASSISTANT_REPLY).tree_id == grown.tree.pk


# Languages


def test_next_task_keeps_to_the_languages_asked_for(alice: User) -> None:
    grow("P(A?)", lang="de")

    with pytest.raises(NoTaskAvailable):
        hand_out(alice, K.LABEL_ASSISTANT_REPLY)
    assert hand_out(alice, K.LABEL_ASSISTANT_REPLY, langs=["fr", "de"]).lang == "de"


@pytest.mark.parametrize("kind", ["initial_prompt", "random"])
def test_prompts_are_not_wanted_in_a_disabled_language(alice: User, kind: str) -> None:
    with overridden(init_prompt_disabled_langs=("en",)):
        with pytest.raises(NoTaskAvailable):
            hand_out(alice, kind)
        assert hand_out(alice, kind, langs=["en", "de"]).lang == "de"


# Exclusions


@pytest.mark.parametrize("kind", [K.LABEL_INITIAL_PROMPT, K.LABEL_ASSISTANT_REPLY])
def test_nobody_reviews_an_own_message(alice: User, bob: User, kind: TaskType) -> None:
    drawing, state = DRAWINGS[kind]
    grow(drawing, state=state, author=alice)

    with pytest.raises(NoTaskAvailable):
        hand_out(alice, kind)
    assert hand_out(bob, kind).user == bob


def test_nobody_reviews_the_same_message_twice(bob: User) -> None:
    grown = grow("P(A?)")
    factories.label(bob, grown[1])

    with pytest.raises(NoTaskAvailable):
        hand_out(bob, K.LABEL_ASSISTANT_REPLY)


def test_nobody_ranks_an_own_reply(alice: User, bob: User) -> None:
    grow("P(A A)", state=TreeState.RANKING, authors={1: alice})

    with pytest.raises(NoTaskAvailable):
        hand_out(alice, K.RANK_ASSISTANT_REPLIES)
    assert hand_out(bob, K.RANK_ASSISTANT_REPLIES).user == bob


def test_the_author_of_a_prompt_may_rank_the_replies_to_it(alice: User) -> None:
    grow("P(A A)", state=TreeState.RANKING, authors={0: alice})

    assert hand_out(alice, K.RANK_ASSISTANT_REPLIES).user == alice


def test_nobody_ranks_the_same_replies_twice(bob: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    factories.rank(bob, grown.root, grown[1:])

    with pytest.raises(NoTaskAvailable):
        hand_out(bob, K.RANK_ASSISTANT_REPLIES)


@pytest.mark.parametrize("drawing", ["P(A)", "P(A?)", "P(A-)"])
def test_nobody_replies_twice_to_a_message(alice: User, drawing: str) -> None:
    grow(drawing, authors={1: alice})

    with pytest.raises(NoTaskAvailable):
        hand_out(alice, K.ASSISTANT_REPLY)


def test_people_may_reply_to_their_own_message(alice: User) -> None:
    grow("P", author=alice)

    assert hand_out(alice, K.ASSISTANT_REPLY).user == alice


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_skipped_item_is_not_offered_to_the_same_person_again(
    alice: User, bob: User, kind: TaskType
) -> None:
    drawing, state = DRAWINGS[kind]
    grow(drawing, state=state)
    task = hand_out(alice, kind)

    interactions.skip(task.pk, alice, now=NOW)

    with pytest.raises(NoTaskAvailable):
        hand_out(alice, kind)
    assert hand_out(bob, kind).message_id == task.message_id


def test_a_skipped_review_can_still_be_replied_to(alice: User) -> None:
    grown = grow("P(A?)")
    task = hand_out(alice, K.LABEL_ASSISTANT_REPLY)
    interactions.skip(task.pk, alice, now=NOW)
    factories.review(grown[1], *[factories.GOOD] * 3)

    assert hand_out(alice, K.PROMPTER_REPLY).message_id == grown[1].pk


# Banned, muted, deleted


@pytest.mark.parametrize(
    "fields",
    [
        {"is_active": False},
        {"muted_until": NOW + timedelta(hours=1)},
        {"is_active": False, "deleted_at": NOW},
    ],
)
def test_people_who_may_not_contribute_get_nothing(fields: dict) -> None:
    grow("P")
    user = factories.person("Trudy", **fields)

    with pytest.raises(NotAllowed):
        hand_out(user, "random")


def test_a_mute_ends(alice: User) -> None:
    grow("P")
    alice.muted_until = NOW - timedelta(seconds=1)

    assert hand_out(alice, K.ASSISTANT_REPLY).user == alice


# Open tasks


@pytest.mark.parametrize("kind", ["label_assistant_reply", "random", "initial_prompt"])
def test_an_open_task_is_handed_out_again(alice: User, kind: str) -> None:
    grow("P(A?)")
    first = hand_out(alice, kind)

    again = hand_out(alice, kind, now=NOW + timedelta(minutes=1))

    assert again == first
    assert Task.objects.count() == 1


def test_random_resumes_whatever_is_open(alice: User) -> None:
    grow("P(A?)")
    first = hand_out(alice, K.LABEL_ASSISTANT_REPLY)

    assert hand_out(alice, "random") == first


def test_a_task_with_an_ended_reservation_is_not_resumed(alice: User) -> None:
    grow("P(A?)")
    grow("P(A?)")
    first = hand_out(alice, K.LABEL_ASSISTANT_REPLY)

    second = hand_out(alice, K.LABEL_ASSISTANT_REPLY, now=NOW + timedelta(hours=1))

    assert second.message_id != first.message_id


def test_an_item_drawn_again_after_its_reservation_is_the_same_task(alice: User) -> None:
    grow("P(A?)")
    first = hand_out(alice, K.LABEL_ASSISTANT_REPLY)
    later = NOW + timedelta(hours=1)
    interactions.save_draft(first.pk, alice, {"spam": "0"}, now=NOW)
    interactions.release_expired(now=later)

    again = hand_out(alice, K.LABEL_ASSISTANT_REPLY, now=later)

    assert (again, again.created_at, again.draft.body) == (first, NOW, {"spam": "0"})
    assert again.reserved_until == later + timedelta(minutes=10)
    assert Task.objects.get().holds_slot is True


def test_too_many_open_tasks_within_the_span(alice: User) -> None:
    for lang in ("de", "fr", "es"):
        grow("P(A?)", lang=lang)

    with overridden(max_pending_tasks_per_user=2):
        for lang in ("de", "fr"):
            task = hand_out(alice, K.LABEL_ASSISTANT_REPLY, langs=[lang])
        with pytest.raises(TooManyPendingTasks):
            hand_out(alice, K.LABEL_ASSISTANT_REPLY, langs=["es"])
        interactions.skip(task.pk, alice, now=NOW)
        assert hand_out(alice, K.LABEL_ASSISTANT_REPLY, langs=["es"]).lang == "es"


def test_older_open_tasks_do_not_count_against_the_limit(alice: User) -> None:
    grow("P(A?)", lang="de")
    grow("P(A?)", lang="fr")

    with overridden(max_pending_tasks_per_user=1):
        hand_out(alice, K.LABEL_ASSISTANT_REPLY, langs=["de"])
        later = NOW + timedelta(seconds=301)
        assert hand_out(alice, K.LABEL_ASSISTANT_REPLY, langs=["fr"], now=later).lang == "fr"


def test_no_two_people_get_the_last_slot(alice: User, bob: User) -> None:
    grow("P(A?2)")
    hand_out(alice, K.LABEL_ASSISTANT_REPLY)

    with pytest.raises(NoTaskAvailable):
        hand_out(bob, K.LABEL_ASSISTANT_REPLY)


def test_reservations_keep_a_tree_within_its_goal(alice: User, bob: User) -> None:
    grow("P", goal_tree_size=2)
    hand_out(alice, K.ASSISTANT_REPLY)

    with pytest.raises(NoTaskAvailable):
        hand_out(bob, K.ASSISTANT_REPLY)


def test_a_chosen_message_is_the_one_handed_out(alice: User) -> None:
    for _ in range(3):
        grow("P(A?)")
    chosen = grow("P(A?)")

    assert hand_out(alice, K.LABEL_ASSISTANT_REPLY, chosen[1]).message == chosen[1]


# Forms


@pytest.mark.parametrize(
    ("kind", "explicit", "p_name"),
    [
        (K.LABEL_INITIAL_PROMPT, True, "p_full_labeling_review_prompt"),
        (K.LABEL_INITIAL_PROMPT, False, "p_full_labeling_review_prompt"),
        (K.LABEL_ASSISTANT_REPLY, False, "p_full_labeling_review_reply_assistant"),
        (K.LABEL_PROMPTER_REPLY, False, "p_full_labeling_review_reply_prompter"),
    ],
)
def test_form_mode_is_drawn_at_its_chance(kind: TaskType, explicit: bool, p_name: str) -> None:
    config = TreeConfig(**{p_name: 0.25})
    rng = random.Random(2)

    modes = Counter(
        selection.form_mode(kind, explicit=explicit, config=config, rng=rng) for _ in range(4_000)
    )

    assert 900 < modes[FormMode.FULL] < 1_100


def test_prompter_replies_are_reviewed_in_full_at_a_quarter_of_random_draws() -> None:
    assert TreeConfig().p_full_labeling_review_reply_prompter == 0.25


@pytest.mark.parametrize("kind", [K.LABEL_ASSISTANT_REPLY, K.LABEL_PROMPTER_REPLY])
def test_form_of_a_reply_asked_for_by_kind_is_full(kind: TaskType) -> None:
    config = TreeConfig(
        p_full_labeling_review_reply_assistant=0.0, p_full_labeling_review_reply_prompter=0.0
    )

    mode = selection.form_mode(kind, explicit=True, config=config, rng=random.Random(0))

    assert mode == FormMode.FULL


# Availability


def test_available_tasks_counts_what_the_person_could_take(alice: User, bob: User) -> None:
    for drawing, state in DRAWINGS.values():
        grow(drawing, state=state)
    grow("P(A?)", authors={1: alice})

    with overridden(max_initial_prompt_review=5, max_active_trees=0):
        of_alice = selection.available_tasks(alice, ["en"], now=NOW)
        of_bob = selection.available_tasks(bob, ["en"], now=NOW)

    assert of_alice == {
        K.LABEL_INITIAL_PROMPT: 1,
        K.LABEL_ASSISTANT_REPLY: 1,
        K.LABEL_PROMPTER_REPLY: 1,
        K.ASSISTANT_REPLY: 4,
        K.PROMPTER_REPLY: 1,
        K.RANK_ASSISTANT_REPLIES: 1,
        K.INITIAL_PROMPT: 4,
    }
    assert of_bob[K.LABEL_ASSISTANT_REPLY] == 2
    assert of_bob[K.ASSISTANT_REPLY] == 5


def test_available_tasks_leaves_out_kinds_without_work(alice: User) -> None:
    with overridden(**NO_PROMPTS):
        assert selection.available_tasks(alice, ["en"], now=NOW) == {}


def test_available_tasks_changes_nothing(alice: User) -> None:
    waiting = grow("P", state=TreeState.PROMPT_LOTTERY_WAITING)
    growing = grow("P(A?)")
    before = list(Offer.objects.order_by("pk").values())

    selection.available_tasks(alice, ["en"], now=NOW)

    assert list(Offer.objects.order_by("pk").values()) == before
    assert waiting.refresh().tree.state == TreeState.PROMPT_LOTTERY_WAITING
    assert growing.refresh().tree.state == TreeState.GROWING
    assert not Task.objects.exists()


def test_available_tasks_of_many_trees_takes_as_many_queries_as_of_one(
    alice: User, django_assert_max_num_queries: Any
) -> None:
    for trees in (1, 3):
        for _ in range(trees):
            grow("P(A? A(P?))")
        with django_assert_max_num_queries(5):
            selection.available_tasks(alice, ["en"], now=NOW)
