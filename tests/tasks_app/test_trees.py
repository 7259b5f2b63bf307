"""The state machine: every legal move of the specification, and no other."""

import itertools

import pytest

from oasst.accounts.models import User
from tasks_app import facts, moderation, trees
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import TreeState
from tasks_app.facts import Node, TreeFacts
from tasks_app.models import MessageTree, Offer, Task, TreeTransition
from tasks_app.trees import TRANSITIONS, IllegalTransition, next_state
from tests import factories
from tests.factories import GOOD, NOW, SPAM, grow

S = TreeState
CONFIG = TreeConfig()

# Rows of the specification's table, by number; None stands for a tree that does not exist yet.
SPECIFIED = {
    2: (S.INITIAL_PROMPT_REVIEW, S.ABORTED_LOW_GRADE),
    3: (S.INITIAL_PROMPT_REVIEW, S.PROMPT_LOTTERY_WAITING),
    4: (S.PROMPT_LOTTERY_WAITING, S.GROWING),
    5: (S.GROWING, S.RANKING),
    6: (S.GROWING, S.HALTED_BY_MODERATOR),
    7: (S.RANKING, S.READY_FOR_SCORING),
    8: (S.READY_FOR_SCORING, S.READY_FOR_EXPORT),
    9: (S.READY_FOR_SCORING, S.SCORING_FAILED),
    10: (S.SCORING_FAILED, S.READY_FOR_SCORING),
    11: (S.GROWING, S.ABORTED_LOW_GRADE),
    12: (S.INITIAL_PROMPT_REVIEW, S.HALTED_BY_MODERATOR),
    15: (S.PROMPT_LOTTERY_WAITING, S.HALTED_BY_MODERATOR),
    16: (S.BACKLOG_RANKING, S.RANKING),
    17: (S.BACKLOG_RANKING, S.ABORTED_LOW_GRADE),
}
# Row 10 again: a tree whose scoring failed lacks rankings.
RANKED_AGAIN = {(S.SCORING_FAILED, S.RANKING)}
# Row 13: whatever is not halted can be halted.
HALTING = {(state, S.HALTED_BY_MODERATOR) for state in S if state != S.HALTED_BY_MODERATOR}
# Row 14: what does not wait in the lottery can be opened again.
REOPENING = {
    (state, target)
    for state in S
    for target in (S.GROWING, S.INITIAL_PROMPT_REVIEW)
    if state not in (S.PROMPT_LOTTERY_WAITING, target)
}
# Beyond the specification: an undo leads back to the state before a halt, or before a purge that
# left nothing to rank.
UNDOING = {
    (S.HALTED_BY_MODERATOR, state)
    for state in S
    if state not in (S.HALTED_BY_MODERATOR, S.READY_FOR_SCORING)
} | {(S.READY_FOR_EXPORT, S.RANKING)}
LEGAL = set(SPECIFIED.values()) | RANKED_AGAIN | HALTING | REOPENING | UNDOING


def test_transitions_are_those_of_the_specification() -> None:
    assert {(start, end) for start, ends in TRANSITIONS.items() for end in ends} == LEGAL


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "end"), sorted(LEGAL))
def test_enter_makes_a_legal_move_and_logs_it(start: S, end: S) -> None:
    grown = grow("P", state=start)

    trees.enter(grown.tree, end, now=NOW, reason="because")

    stored = MessageTree.objects.get()
    assert (stored.state, stored.active, stored.state_since) == (end, not end.is_terminal, NOW)
    last = TreeTransition.objects.last()
    assert (last.from_state, last.to_state, last.reason) == (start, end, "because")


ILLEGAL = sorted(set(itertools.product(S, S)) - LEGAL)


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "end"), ILLEGAL)
def test_enter_refuses_an_illegal_move(start: S, end: S) -> None:
    grown = grow("P", state=start)

    with pytest.raises(IllegalTransition):
        trees.enter(grown.tree, end, now=NOW, reason="because")

    assert MessageTree.objects.get().state == start
    assert TreeTransition.objects.filter(reason="because").count() == 0


@pytest.mark.django_db
def test_enter_frees_reservations(bob: User) -> None:
    grown = grow("P(A?)")
    task = factories.hand_out(bob, "label_assistant_reply")

    trees.enter(grown.tree, S.HALTED_BY_MODERATOR, now=NOW, reason="because")

    task.refresh_from_db()
    assert (task.holds_slot, task.is_open) == (False, True)


# The pure function


def node(parent: Node | None = None, **columns: object) -> Node:
    """A message that was accepted, unless said otherwise."""
    depth = parent.depth + 1 if parent else 0
    columns = {"review_count": 3, "review_result": True, "deleted": False} | columns
    return Node(
        id=f"{parent.id if parent else ''}{columns.pop('name', 'r')}",  # type: ignore[arg-type]
        parent_id=parent.id if parent else None,
        role=["prompter", "assistant"][depth % 2],
        depth=depth,
        lang="en",
        children_count=0,
        **columns,  # type: ignore[arg-type]
    )


def tree(state: S, *nodes: Node, goal: int = 3) -> TreeFacts:
    return TreeFacts(
        state=state,
        goal_tree_size=goal,
        max_depth=3,
        max_children_count=3,
        num_prompter_replies=1,
        nodes=nodes,
    )


ROOT = node()
REPLIES = [node(ROOT, name=str(number)) for number in range(3)]
UNDECIDED = {"review_count": 2, "review_result": None}
REJECTED = {"review_result": False}


@pytest.mark.parametrize(
    ("facts_of_tree", "expected"),
    [
        # T2, T3
        (tree(S.INITIAL_PROMPT_REVIEW, node(**UNDECIDED)), None),
        (tree(S.INITIAL_PROMPT_REVIEW, node()), S.PROMPT_LOTTERY_WAITING),
        (tree(S.INITIAL_PROMPT_REVIEW, node(**REJECTED)), S.ABORTED_LOW_GRADE),
        (tree(S.INITIAL_PROMPT_REVIEW, node(deleted=True)), S.HALTED_BY_MODERATOR),
        # T4 is the lottery's
        (tree(S.PROMPT_LOTTERY_WAITING, node()), None),
        (tree(S.PROMPT_LOTTERY_WAITING, node(deleted=True)), S.HALTED_BY_MODERATOR),
        # T5
        (tree(S.GROWING, ROOT, *REPLIES[:1]), None),
        (tree(S.GROWING, ROOT, *REPLIES[:2]), S.RANKING),
        (tree(S.GROWING, ROOT, *REPLIES[:2], node(ROOT, name="x", **UNDECIDED)), None),
        (tree(S.GROWING, ROOT, *REPLIES[:2], node(ROOT, name="x", **REJECTED)), S.RANKING),
        (
            tree(S.GROWING, ROOT, *REPLIES[:2], node(ROOT, name="x", deleted=True, **UNDECIDED)),
            S.RANKING,
        ),
        (tree(S.GROWING, ROOT, REPLIES[0], node(ROOT, name="x", deleted=True)), None),
        # T6
        (tree(S.GROWING, node(deleted=True), node(ROOT, deleted=True)), S.HALTED_BY_MODERATOR),
        # T7
        (tree(S.RANKING, node(rankings=2), *REPLIES[:2]), None),
        (tree(S.RANKING, node(rankings=3), *REPLIES[:2]), S.READY_FOR_SCORING),
        # Nothing to rank
        (tree(S.RANKING, ROOT, *REPLIES[:1]), S.READY_FOR_SCORING),
        # Ended trees rest
        (tree(S.READY_FOR_EXPORT, ROOT, *REPLIES), None),
        (tree(S.READY_FOR_EXPORT, node(deleted=True)), None),
        (tree(S.SCORING_FAILED, ROOT, *REPLIES), None),
        (tree(S.ABORTED_LOW_GRADE, ROOT), None),
        (tree(S.HALTED_BY_MODERATOR, ROOT), None),
        (tree(S.BACKLOG_RANKING, ROOT, *REPLIES), None),
    ],
)
def test_next_state_of_a_tree(facts_of_tree: TreeFacts, expected: S | None) -> None:
    moved = next_state(facts_of_tree, CONFIG)

    assert (moved[0] if moved else None) == expected


def test_next_state_of_a_tree_that_cannot_grow_on_is_ranking() -> None:
    full = tree(S.GROWING, ROOT, *REPLIES, goal=9)
    shallow = TreeFacts(**{**vars(full), "max_depth": 1})

    assert next_state(full, CONFIG) is None
    assert next_state(shallow, CONFIG) == (S.RANKING, "no message can take another reply")


def test_next_state_ranks_prompter_replies_only_if_configured() -> None:
    answer = node(ROOT, name="0", rankings=0)
    tail = [node(answer, name=str(number)) for number in range(2)]
    lone = tree(S.RANKING, ROOT, answer, *tail)

    assert next_state(lone, CONFIG) == (S.READY_FOR_SCORING, "enough rankings")
    assert next_state(lone, TreeConfig(rank_prompter_replies=True)) is None


# Each row through the functions that people's actions reach


pytest_db = pytest.mark.django_db


@pytest_db
def test_t1_a_prompt_starts_a_tree_with_the_limits_of_the_moment(alice: User) -> None:
    with overridden(goal_tree_size=7, max_tree_depth=2, max_children_count=4):
        prompt = factories.write_prompt(alice)

    stored = MessageTree.objects.get()
    assert (stored.pk, stored.state, stored.active) == (prompt.pk, S.INITIAL_PROMPT_REVIEW, True)
    assert (stored.goal_tree_size, stored.max_depth, stored.max_children_count) == (7, 2, 4)
    assert TreeTransition.objects.get().from_state == ""


@pytest_db
def test_t2_a_rejected_prompt_ends_its_tree(alice: User) -> None:
    prompt = factories.write_prompt(alice)

    factories.review(prompt, SPAM, GOOD, SPAM)

    assert MessageTree.objects.get().state == S.ABORTED_LOW_GRADE
    assert Offer.objects.count() == 0


@pytest_db
def test_t3_an_accepted_prompt_waits_in_the_lottery(alice: User) -> None:
    prompt = factories.write_prompt(alice)

    factories.review(prompt, GOOD, GOOD)
    assert MessageTree.objects.get().state == S.INITIAL_PROMPT_REVIEW
    factories.label(factories.bob(), prompt)

    stored = MessageTree.objects.get()
    assert (stored.state, stored.active) == (S.PROMPT_LOTTERY_WAITING, False)


@pytest_db
def test_t5_a_tree_of_goal_size_is_ranked() -> None:
    grown = grow("P(A A?)", goal_tree_size=3)

    factories.review(grown[2], GOOD, GOOD, GOOD)

    assert grown.refresh().tree.state == S.RANKING
    assert [(o.message_id, o.kind, o.slots) for o in Offer.objects.all()] == [
        (grown.root.pk, "rank_assistant_replies", 3)
    ]


@pytest_db
def test_t6_a_growing_tree_without_messages_is_halted(mona: User) -> None:
    grown = grow("P(A)")

    moderation.delete_message(grown.root.pk, actor=mona, reason="spam", now=NOW)

    assert grown.refresh().tree.state == S.HALTED_BY_MODERATOR


@pytest_db
def test_t7_t8_the_last_ranking_scores_the_tree() -> None:
    grown = grow("P(A A)", state=S.RANKING)
    root, first, second = grown
    rankers = factories.crowd(3)
    for ranker in rankers[:2]:
        factories.rank(ranker, root, [second, first])
    assert grown.refresh().tree.state == S.RANKING

    factories.rank(rankers[2], root, [first, second])

    assert grown.refresh().tree.state == S.READY_FOR_EXPORT
    assert [first.rank, second.rank] == [1, 0]
    states = list(TreeTransition.objects.values_list("to_state", flat=True))
    assert states == [S.RANKING, S.READY_FOR_SCORING, S.READY_FOR_EXPORT]


@pytest_db
def test_t9_t10_scoring_that_fails_keeps_the_ranking_and_can_be_tried_again(mona: User) -> None:
    grown = grow("P(A A)", state=S.RANKING)
    root, first, second = grown
    for ranker in factories.crowd(2):
        ranking = factories.rank(ranker, root, [first, second])
    good, ranking.groups = ranking.groups, [[str(first.pk)], [str(first.pk), str(second.pk)]]
    ranking.save()  # no function writes this, so the row is spoilt by hand
    factories.rank(factories.bob(), root, [first, second])
    assert grown.refresh().tree.state == S.SCORING_FAILED
    assert root.rankings.count() == 3

    ranking.groups = good
    ranking.save()
    moderation.retry_scoring(grown.tree.pk, actor=mona, reason="repaired", now=NOW)

    assert grown.refresh().tree.state == S.READY_FOR_EXPORT
    assert [first.rank, second.rank] == [0, 1]


@pytest_db
def test_t10_retried_scoring_without_enough_rankings_goes_back_to_ranking(mona: User) -> None:
    grown = grow("P(A A)", state=S.SCORING_FAILED)

    moderation.retry_scoring(grown.tree.pk, actor=mona, reason="look again", now=NOW)

    assert grown.refresh().tree.state == S.RANKING
    assert Offer.objects.get().slots == 3


# Nothing sticks: defects of the original


@pytest_db
def test_parent_whose_replies_were_all_rejected_is_offered_again() -> None:
    grown = grow("P(A?)")

    factories.review(grown[1], SPAM, SPAM, SPAM)

    assert grown.refresh()[1].review_result is False
    offer = Offer.objects.get()
    assert (offer.message_id, offer.kind, offer.slots) == (grown.root.pk, "assistant_reply", 3)
    assert grown.root.children_count == 0


@pytest_db
def test_parent_whose_replies_were_all_deleted_is_offered_again(mona: User) -> None:
    grown = grow("P(A)", max_children_count=1)
    assert not Offer.objects.filter(message=grown.root).exists()

    moderation.delete_message(grown[1].pk, actor=mona, reason="personal data", now=NOW)

    offer = Offer.objects.get(message=grown.root)
    assert (offer.kind, offer.slots) == ("assistant_reply", 1)
    assert grown.refresh().root.children_count == 0


@pytest_db
def test_tree_with_nothing_to_rank_is_scored_at_once() -> None:
    grown = grow("P(A?)", goal_tree_size=2)

    factories.review(grown[1], GOOD, GOOD, GOOD)

    assert grown.refresh().tree.state == S.READY_FOR_EXPORT
    assert grown[1].rank is None


@pytest_db
def test_deletion_that_leaves_nothing_to_rank_scores_the_tree(mona: User) -> None:
    grown = grow("P(A A)", state=S.RANKING)

    moderation.delete_message(grown[2].pk, actor=mona, reason="wrong", now=NOW)

    assert grown.refresh().tree.state == S.READY_FOR_EXPORT


# What advance derives


@pytest_db
def test_advance_twice_changes_nothing_more() -> None:
    grown = grow("P(A A?(P?))")
    before = list(Offer.objects.order_by("pk").values())

    trees.advance(grown.tree, config=CONFIG, now=NOW)

    assert list(Offer.objects.order_by("pk").values()) == before
    assert TreeTransition.objects.count() == 1


@pytest_db
def test_advance_keeps_reserved_slots_off_the_offer(bob: User) -> None:
    grown = grow("P(A?)")
    factories.hand_out(bob, "label_assistant_reply")

    trees.advance(grown.tree, config=CONFIG, now=NOW)

    assert Offer.objects.get(message=grown[1]).slots == 2
    assert Task.objects.get().holds_slot is True


@pytest_db
def test_load_reads_a_tree_in_one_query(django_assert_num_queries: object) -> None:
    small, large = grow("P(A)"), grow("P(A(P(A)) A A)")

    for grown in (small, large):
        with django_assert_num_queries(1):  # type: ignore[operator]
            loaded = facts.load(grown.tree)
        assert loaded.root.id == grown.root.pk
        assert len(loaded.nodes) == len(grown.messages)
