"""The state machine of message trees: the legal moves, and when a tree makes them.

`next_state()` is pure. `advance()` applies it and writes what depends on it; everything that
changes a tree ends there. Only `_make()` writes `MessageTree.state`.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import connections, router

from oasst.lib import queue
from oasst.lib.errors import DomainError
from tasks_app import facts as tree_facts
from tasks_app import offers, scoring
from tasks_app.config import TreeConfig
from tasks_app.enums import TreeState
from tasks_app.facts import TreeFacts
from tasks_app.models import MessageTree, TreeTransition

logger = logging.getLogger(__name__)

S = TreeState

# What a moderator did by mistake can be undone, whatever state it was done in.
_BEFORE_A_HALT = frozenset(S) - {S.HALTED_BY_MODERATOR, S.READY_FOR_SCORING}
# A halted or finished tree can be set going again; one that waits in the lottery is just drawn.
_REOPENED = frozenset({S.GROWING, S.INITIAL_PROMPT_REVIEW})
TRANSITIONS: dict[TreeState, frozenset[TreeState]] = {
    S.INITIAL_PROMPT_REVIEW: frozenset(
        {S.PROMPT_LOTTERY_WAITING, S.ABORTED_LOW_GRADE, S.HALTED_BY_MODERATOR, S.GROWING}
    ),
    S.PROMPT_LOTTERY_WAITING: frozenset({S.GROWING, S.HALTED_BY_MODERATOR}),
    S.GROWING: frozenset(
        {S.RANKING, S.ABORTED_LOW_GRADE, S.HALTED_BY_MODERATOR, S.INITIAL_PROMPT_REVIEW}
    ),
    S.RANKING: frozenset({S.READY_FOR_SCORING, S.HALTED_BY_MODERATOR}) | _REOPENED,
    S.READY_FOR_SCORING: frozenset({S.READY_FOR_EXPORT, S.SCORING_FAILED, S.HALTED_BY_MODERATOR})
    | _REOPENED,
    S.READY_FOR_EXPORT: frozenset({S.HALTED_BY_MODERATOR, S.RANKING}) | _REOPENED,
    S.SCORING_FAILED: frozenset({S.READY_FOR_SCORING, S.RANKING, S.HALTED_BY_MODERATOR})
    | _REOPENED,
    S.ABORTED_LOW_GRADE: frozenset({S.HALTED_BY_MODERATOR}) | _REOPENED,
    S.HALTED_BY_MODERATOR: _BEFORE_A_HALT,
    S.BACKLOG_RANKING: frozenset({S.RANKING, S.ABORTED_LOW_GRADE, S.HALTED_BY_MODERATOR})
    | _REOPENED,
}


# States in which people may hold tasks on a tree.
_HANDS_OUT_WORK = frozenset({S.INITIAL_PROMPT_REVIEW, S.GROWING, S.RANKING})
# Without its prompt a tree in one of these states is over.
_NEEDS_ROOT = frozenset({S.INITIAL_PROMPT_REVIEW, S.PROMPT_LOTTERY_WAITING, S.GROWING, S.RANKING})


class IllegalTransition(DomainError):
    """Somebody asked for a move that `TRANSITIONS` does not have."""

    code = "illegal_transition"
    status = 409


@dataclass(frozen=True)
class Move:
    """The state a tree goes to, and why."""

    state: TreeState
    reason: str
    actor: Any = None


def next_state(facts: TreeFacts, config: TreeConfig) -> tuple[TreeState, str] | None:
    """The state a tree should move to by itself, with the reason; None to stay. Pure.

    Source: reference 2.3. Beyond it, a tree with nothing to rank is scored at once, and a growing
    tree that can take no more replies is ranked although it is below its goal: nothing sticks.
    """
    if facts.root.deleted and facts.state in _NEEDS_ROOT:
        return S.HALTED_BY_MODERATOR, "the prompt was deleted"
    if facts.state == S.INITIAL_PROMPT_REVIEW:
        return _after_prompt_review(facts, config)
    if facts.state == S.GROWING:
        return _after_growing(facts, config)
    if facts.state == S.RANKING and _is_ranked(facts, config):
        return S.READY_FOR_SCORING, "enough rankings"
    return None


def _after_prompt_review(facts: TreeFacts, config: TreeConfig) -> tuple[TreeState, str] | None:
    if facts.root.held:
        return None
    if facts.root.review_result:
        return S.PROMPT_LOTTERY_WAITING, "prompt accepted"
    if not facts.root.in_review(config):
        return S.ABORTED_LOW_GRADE, "prompt not accepted by the reviewers"
    return None


def _after_growing(facts: TreeFacts, config: TreeConfig) -> tuple[TreeState, str] | None:
    size = sum(node.is_accepted for node in facts.nodes)
    if size == 0:
        return S.HALTED_BY_MODERATOR, "no accepted message is left"
    if any(node.in_review(config) for node in facts.nodes if not node.is_root):
        return None
    if size >= facts.goal_tree_size:
        return S.RANKING, "goal size reached"
    if not any(offers.free_reply_slots(node, facts, config) > 0 for node in facts.nodes):
        return S.RANKING, "no message can take another reply"
    return None


def _is_ranked(facts: TreeFacts, config: TreeConfig) -> bool:
    return all(node.rankings >= config.num_required_rankings for node in facts.to_rank(config))


def enter(
    tree: MessageTree,
    state: TreeState,
    *,
    now: datetime,
    reason: str,
    actor: Any = None,
) -> None:
    """Move `tree` to `state` and log it. Caller holds the tree's row lock.

    Raises IllegalTransition.
    """
    _make([Move(state, reason, actor)], tree, now=now)


# One query, however many moves: a submit that ends a tree makes two.
_MAKE = """
    WITH moved AS (
        UPDATE tasks_app_messagetree SET state = %(state)s, active = %(active)s,
            state_since = %(now)s, won_prompt_lottery_at = %(won)s
        WHERE id = %(tree)s
    ), released AS (
        UPDATE tasks_app_task SET holds_slot = false
        WHERE tree_id = %(tree)s AND holds_slot AND %(ends_work)s
    )
    INSERT INTO tasks_app_treetransition
        (tree_id, from_state, to_state, reason, actor_id, created_at)
    SELECT %(tree)s, move.*, %(now)s
    FROM unnest(%(before)s::text[], %(after)s::text[], %(reasons)s::text[], %(actors)s::uuid[]) move
"""


def _make(moves: Sequence[Move], tree: MessageTree, *, now: datetime) -> None:
    """Make moves that follow each other, and end the reservations of work that is over."""
    states = [TreeState(tree.state), *(move.state for move in moves)]
    for (before, state), move in zip(pairwise(states), moves, strict=True):
        if state not in TRANSITIONS[before]:
            raise IllegalTransition(f"A tree cannot go from “{before.label}” to “{state.label}”.")
        logger.info("tree %s: %s -> %s (%s)", tree.pk, before, state, move.reason)
        _announce(tree, before, state)
    tree.state, tree.active, tree.state_since = states[-1], not states[-1].is_terminal, now
    names: dict[str, Any] = {
        "tree": tree.pk,
        "state": tree.state,
        "active": tree.active,
        "now": now,
        "won": tree.won_prompt_lottery_at,
        "ends_work": not _HANDS_OUT_WORK.isdisjoint(states[:-1]),
        "before": [str(state) for state in states[:-1]],
        "after": [str(state) for state in states[1:]],
        "reasons": [move.reason for move in moves],
        "actors": [move.actor and move.actor.pk for move in moves],
    }
    with connections[router.db_for_write(MessageTree)].cursor() as cursor:
        cursor.execute(_MAKE, names)


def _announce(tree: MessageTree, before: TreeState, state: TreeState) -> None:
    """Have the lottery and the backlog look at the language, once this is committed."""
    ended = int(state.is_terminal and not before.is_terminal)
    if ended or TreeState.GROWING in (before, state):
        key = None if ended else f"settle-language-{tree.lang}"
        queue.enqueue("tasks_app.jobs.settle_language", tree.lang, ended, key=key)


def start(tree: MessageTree, *, now: datetime, reason: str, actor: Any = None) -> None:
    """Store a new tree in the state it holds and log that."""
    tree.active = not TreeState(tree.state).is_terminal
    tree.save(force_insert=True)
    TreeTransition.objects.create(
        tree=tree, from_state="", to_state=tree.state, reason=reason, actor=actor, created_at=now
    )


def advance(tree: MessageTree, *, config: TreeConfig, now: datetime, actor: Any = None) -> None:
    """Make every move the tree is ready for, then write its offers and counters.

    Caller holds the tree's row lock.
    """
    facts = tree_facts.load(tree)
    if facts.state == S.READY_FOR_EXPORT:
        _score_again(tree, facts, config=config, now=now)
    moves: list[Move] = []
    while moved := next_state(facts, config):
        moves.append(Move(*moved, actor))
        if moved[0] == S.READY_FOR_SCORING:
            moves.append(_score(tree, facts, config=config, now=now))
        facts = facts.after_move(moves[-1].state)
    if moves:
        _make(moves, tree, now=now)
    offers.write(tree, facts, offers.plan(facts, config), now=now)


def _score(tree: MessageTree, facts: TreeFacts, *, config: TreeConfig, now: datetime) -> Move:
    """Write the ranks, and give the move that follows. A failure must not undo the ranking that
    led here."""
    try:
        results = scoring.outcomes(scoring.rankable_below(facts), lang=tree.lang, config=config)
    except (ValueError, KeyError) as error:
        logger.exception("tree %s: scoring failed", tree.pk)
        return Move(S.SCORING_FAILED, f"scoring failed: {error}"[:500])
    scoring.write(results, now=now)
    return Move(S.READY_FOR_EXPORT, "ranks computed")


def _score_again(tree: MessageTree, facts: TreeFacts, *, config: TreeConfig, now: datetime) -> None:
    """Let late votes and deletions show in the ranks; if that fails, the ranks stay."""
    try:
        results = scoring.outcomes(scoring.rankable_below(facts), lang=tree.lang, config=config)
    except (ValueError, KeyError):
        logger.exception("tree %s: scoring again failed", tree.pk)
    else:
        scoring.write(results, now=now)


def retry_scoring(tree: MessageTree, *, config: TreeConfig, now: datetime) -> None:
    """Score a tree once more whose scoring failed, or rank it further if rankings miss.

    Caller holds the tree's row lock.
    """
    facts = tree_facts.load(tree)
    if _is_ranked(facts, config):
        again = Move(S.READY_FOR_SCORING, "scoring tried again")
        _make([again, _score(tree, facts, config=config, now=now)], tree, now=now)
    else:
        enter(tree, S.RANKING, now=now, reason="more rankings are needed")
    advance(tree, config=config, now=now)
