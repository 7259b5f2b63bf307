"""A sound database passes, and each rule finds what breaks it."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from tasks_app import checks, interactions, moderation
from tasks_app.checks import agreement, derived, rows
from tasks_app.config import overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.importing import import_trees
from tasks_app.models import Message
from tests.factories import (
    GOOD,
    NOW,
    Grown,
    alice,
    bob,
    grow,
    hand_out,
    label,
    mona,
    rank,
    reply,
)  # fmt: skip
from tests.undoing import undone

pytestmark = pytest.mark.django_db


def found() -> set[str]:
    return {broken.rule for broken in checks.broken_invariants()}


def growing() -> Grown:
    """A tree with a reply that Alice wrote, Bob reviewed and Mona skipped, and a reservation."""
    grown = grow("P(A(P) A- Ax)", goal_tree_size=9)
    written = reply(alice(), grown.root)
    label(bob(), written, GOOD)
    skipped = hand_out(mona(), TaskType.LABEL_ASSISTANT_REPLY, written)
    interactions.skip(skipped.pk, mona(), now=NOW)
    hand_out(mona(), TaskType.ASSISTANT_REPLY, grown.root)
    moderation.edit_message(grown[1].pk, "Better", actor=mona(), reason="Typo", now=NOW)
    return grown


def finished() -> Grown:
    """A tree that two people ranked, so that it was scored."""
    grown = grow("P(A A A)", state=TreeState.RANKING)
    with overridden(num_required_rankings=2):
        for user in (alice(), bob()):
            rank(user, grown.root, [grown[2], grown[3], grown[1]])
    return grown.refresh()


@pytest.fixture
def sound() -> tuple[Grown, Grown]:
    """A growing tree and a finished one, both as the domain made them."""
    return growing(), finished()


def test_check_of_what_the_domain_made_finds_nothing(sound: tuple[Grown, Grown]) -> None:
    assert sound[1].tree.state == TreeState.READY_FOR_EXPORT
    assert list(checks.broken_invariants()) == []


def test_check_lets_a_moderator_put_back_more_than_the_limit() -> None:
    grown = grow("P(A A A Ax)")

    moderation.restore_message(grown[4].pk, actor=mona(), reason="Fine", now=NOW)

    assert found() == set()


# What breaks each rule; {name} stands for an id.
_MAKE_GOLD = """INSERT INTO tasks_app_golditem
    (message_id, answers, explanation, source, active, made_at)
    VALUES ({written}, '{{"spam": 0}}', '', 'moderator', true, now());"""
BREAKS = {
    "unread_notifications_are_counted": """UPDATE accounts_user SET unread_notifications = 4
        WHERE id = {alice}""",
    "tree_has_its_root": "UPDATE tasks_app_message SET parent_id = id, depth = 2 WHERE id = {done}",
    "tree_has_one_root": "UPDATE tasks_app_message SET parent_id = NULL WHERE id = {reply}",
    "transitions_are_logged": "DELETE FROM tasks_app_treetransition WHERE tree_id = {done}",
    "transitions_follow_each_other": """UPDATE tasks_app_treetransition SET from_state = 'ranking'
        WHERE tree_id = {root}""",
    "transitions_are_legal": """UPDATE tasks_app_treetransition SET from_state = 'growing'
        WHERE tree_id = {done} AND from_state = 'ranking'""",
    "parent_in_the_same_tree": "UPDATE tasks_app_message SET tree_id = {done} WHERE id = {reply}",
    "depth_is_one_more_than_the_parents": """UPDATE tasks_app_message SET depth = 3
        WHERE id = {reply}""",
    "depth_within_the_limit": "UPDATE tasks_app_messagetree SET max_depth = 1 WHERE id = {root}",
    "roles_alternate": "UPDATE tasks_app_message SET role = 'prompter' WHERE id = {reply}",
    "nothing_visible_below_the_deleted": """UPDATE tasks_app_message SET deleted = true
        WHERE id = {reply}""",
    "ranks_count_up_from_zero": "UPDATE tasks_app_message SET rank = 7 WHERE id = {ranked}",
    "prompts_have_no_rank": "UPDATE tasks_app_message SET rank = 0 WHERE id = {root}",
    "edited_messages_keep_their_texts": """UPDATE tasks_app_message SET text = 'Other'
        WHERE id = {reply}""",
    "review_count_is_the_number_of_reviews": """UPDATE tasks_app_message
        SET review_count = review_count + 1 WHERE id = {written}""",
    "verdict_rests_on_reviews": """UPDATE tasks_app_message SET review_result = true,
        review_count = 0 WHERE id = {written}""",
    "ranking_count_is_the_number_of_rankings": """UPDATE tasks_app_message SET ranking_count = 9
        WHERE id = {ranked}""",
    "emojis_count_the_reactions": """UPDATE tasks_app_message SET emojis = '{{}}'
        WHERE id = {written}""",
    "emojis_count_only_reactions": """UPDATE tasks_app_message SET emojis = '{{"+1": 1}}'
        WHERE id = {root}""",
    "one_label_set_per_person": """INSERT INTO tasks_app_textlabels (message_id, user_id, kind,
        values, created_at, held) SELECT message_id, user_id, kind, values, created_at, held
        FROM tasks_app_textlabels WHERE message_id = {written}""",
    "one_ranking_per_person": """INSERT INTO tasks_app_ranking (parent_id, user_id, groups,
        not_rankable, reason, created_at, held) SELECT parent_id, user_id, groups, not_rankable,
        reason, created_at, held FROM tasks_app_ranking WHERE user_id = {alice}""",
    "votes_of_held_people_are_held": """UPDATE tasks_app_textlabels SET held = true
        WHERE message_id = {written}""",
    "nobody_reviews_their_own": "UPDATE tasks_app_message SET user_id = {bob} WHERE id = {written}",
    "nobody_ranks_their_own": "UPDATE tasks_app_message SET user_id = {bob} WHERE id = {ranked}",
    "rankings_name_replies_once": """UPDATE tasks_app_ranking
        SET groups = groups || jsonb_build_array(jsonb_build_array({reply}))""",
    "ranks_are_those_of_the_consensus": """UPDATE tasks_app_message
        SET rank = CASE rank WHEN 0 THEN 1 WHEN 1 THEN 0 ELSE rank END WHERE parent_id = {done}""",
    "only_the_consensus_ranks": """UPDATE tasks_app_rankingconsensus SET "order" = '[]'""",
    "consensus_is_that_of_the_rankings": """UPDATE tasks_app_ranking
        SET groups = jsonb_build_array(jsonb_build_array({third}),
        jsonb_build_array({second}), jsonb_build_array({ranked}))""",
    "one_reservation_per_person_and_message": """INSERT INTO tasks_app_task (id, kind, lang,
        user_id, tree_id, message_id, form_mode, shown_ids, holds_slot, reserved_until, expires_at,
        created_at, skip_reason) SELECT gen_random_uuid(), kind, lang, user_id, tree_id,
        message_id, form_mode, shown_ids, true, reserved_until, expires_at, created_at, ''
        FROM tasks_app_task WHERE holds_slot""",
    "reservations_are_of_open_tasks_in_active_trees": """UPDATE tasks_app_task SET tree_id = {done}
        WHERE holds_slot""",
    "nobody_holds_a_review_of_their_own": """UPDATE tasks_app_task SET message_id = {written},
        user_id = {alice}, kind = 'label_assistant_reply' WHERE holds_slot""",
    "finished_tasks_have_results": """UPDATE tasks_app_task SET result_id = NULL
        WHERE kind = 'assistant_reply' AND done_at IS NOT NULL""",
    "only_finished_tasks_have_results": """UPDATE tasks_app_task SET done_at = NULL
        WHERE kind LIKE 'rank%%'""",
    "finished_tasks_have_no_draft": """INSERT INTO tasks_app_draft (task_id, body, saved_at,
        kept_because) SELECT id, '{{}}', now(), '' FROM tasks_app_task WHERE done_at IS NOT NULL""",
    "journal_tells_each_ended_task_once": """DELETE FROM tasks_app_contribution
        WHERE kind = 'skip'""",
    "journal_tells_only_ended_tasks": "UPDATE tasks_app_task SET skipped_at = NULL",
    "offers_are_of_active_trees": "UPDATE tasks_app_offer SET tree_id = {done}",
    "open_places_are_as_planned": """UPDATE tasks_app_messagetree SET open_places = 1
        WHERE id = {done}""",
    "children_count_is_the_number_of_replies": """UPDATE tasks_app_message
        SET children_count = 9 WHERE id = {written}""",
    "offers_are_as_planned": "UPDATE tasks_app_offer SET slots = slots + 1",
    "trees_move_when_they_can": """UPDATE tasks_app_messagetree SET goal_tree_size = 1,
        state = 'ranking' WHERE id = {root}""",
    "active_trees_have_work": """UPDATE tasks_app_messagetree SET active = true,
        state = 'ready_for_scoring' WHERE id = {done}""",
    "nobody_judges_a_message_twice": f"""{_MAKE_GOLD} INSERT INTO tasks_app_goldanswer
        (task_id, item_id, user_id, values, missed, created_at)
        SELECT id, {{written}}, {{bob}}, '{{{{"spam": 0}}}}', '[]', now() FROM tasks_app_task
        WHERE user_id = {{bob}} LIMIT 1""",
    "gold_is_never_shown_to_its_author": f"""{_MAKE_GOLD} UPDATE tasks_app_task
        SET gold_id = {{written}}, message_id = {{written}}, tree_id = NULL, holds_slot = false
        WHERE user_id = {{alice}}""",
    "split_verdicts_are_moderators": """UPDATE tasks_app_message SET split_at = now()
        WHERE id = {reply}""",
    "replies_within_the_limit": """UPDATE tasks_app_messagetree SET max_children_count = 1
        WHERE id = {root}""",
    "agreement_counts_the_votes": "DELETE FROM tasks_app_agreementmark",
    "agreement_cells_add_up": """INSERT INTO tasks_app_agreementcell (lang, kind, week, profiles)
        VALUES ('en', '', '2026-01-05', '{{"spam": {{"2 1": 1}}}}')""",
    "dissents_are_those_counted": """INSERT INTO tasks_app_agreementdissent
        (message_id, measure, kind, lang, week, dissent, votes)
        VALUES ({done}, 'spam', 'initial_prompt', 'en', '2026-01-05', 1, 2)""",
}  # fmt: skip


def drop_constraints() -> None:
    """Let the database hold what its own constraints forbid, until the test ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            """SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
            FROM pg_constraint WHERE contype IN ('c', 'u')
                AND conrelid::regclass::text LIKE 'tasks_app_%'
            UNION ALL SELECT format('DROP INDEX IF EXISTS %s', indexrelid::regclass)
            FROM pg_index WHERE indisunique AND NOT indisprimary
                AND indrelid::regclass::text LIKE 'tasks_app_%'"""
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def execute(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.slow
def test_check_finds_what_breaks_each_rule(
    sound: tuple[Grown, Grown], subtests: pytest.Subtests
) -> None:
    tree, done = sound
    written = Message.objects.get(user=alice(), tree=tree.tree)
    ids = {
        "root": tree.root.pk,
        "reply": tree[1].pk,
        "written": written.pk,
        "done": done.root.pk,
        "ranked": done[1].pk,
        "second": done[2].pk,
        "third": done[3].pk,
        "alice": alice().pk,
        "bob": bob().pk,
    }
    for rule, statement in BREAKS.items():
        with subtests.test(rule), undone():
            break_it(statement.format(**{name: f"'{pk}'" for name, pk in ids.items()}))

            assert rule in found()


def break_it(statement: str) -> None:
    try:
        execute(statement)
    except IntegrityError:
        drop_constraints()
        execute(statement)


def test_every_rule_has_a_case_that_breaks_it() -> None:
    sources = "".join(Path(module.__file__).read_text() for module in (derived, agreement))
    derived_rules = set(re.findall(r'yield "(\w+)"', sources))

    assert {rule.name for rule in rows.RULES} | derived_rules | {"transitions_are_legal"} == set(
        BREAKS
    )


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("check_trees", *arguments, stdout=out)
    return out.getvalue()


def test_command_of_a_sound_database_counts_and_ends_well(sound: tuple[Grown, Grown]) -> None:
    assert run() == "2 trees, 10 messages, 0 invariants broken.\n"
    assert json.loads(run("--json")) == {"trees": 2, "messages": 10, "invariants_broken": []}


def test_command_lists_what_is_broken_and_exits_with_one(
    sound: tuple[Grown, Grown],
) -> None:
    Message.objects.filter(pk=sound[0].root.pk).update(children_count=9)
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("check_trees", "--json", stdout=out)

    assert ended.value.code == 1
    assert json.loads(out.getvalue())["invariants_broken"] == [
        {
            "rule": "children_count_is_the_number_of_replies",
            "id": str(sound[0].root.pk),
            "detail": "9 counted, 2 found",
        }
    ]


@pytest.mark.real_data
def test_check_of_published_trees_finds_nothing(data_folder: Path) -> None:
    for path in sorted((data_folder / "oasst").glob("*.trees.jsonl.gz")):
        import_trees(path, now=NOW, on_bad=pytest.fail)

    assert list(checks.broken_invariants()) == []
