"""Invariants that one SQL query can prove: each selects what breaks its rule, as id and detail."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from tasks_app.trees import TRANSITIONS


@dataclass(frozen=True)
class Rule:
    """A name, and the query whose rows break the rule."""

    name: str
    sql: str


TREES = (
    Rule(
        "tree_has_its_root",
        """SELECT t.id, 'no message without parent has the id of the tree'
        FROM tasks_app_messagetree t LEFT JOIN tasks_app_message m
            ON m.id = t.id AND m.tree_id = t.id AND m.parent_id IS NULL
        WHERE m.id IS NULL""",
    ),
    Rule(
        "tree_has_one_root",
        """SELECT m.tree_id, count(*) || ' messages without parent'
        FROM tasks_app_message m WHERE m.parent_id IS NULL
        GROUP BY m.tree_id HAVING count(*) > 1""",
    ),
    Rule(
        "transitions_are_logged",
        """SELECT t.id, 'state ' || t.state || ', last logged '
            || coalesce((array_agg(l.to_state ORDER BY l.id DESC))[1], 'nothing')
        FROM tasks_app_messagetree t LEFT JOIN tasks_app_treetransition l ON l.tree_id = t.id
        GROUP BY t.id HAVING (array_agg(l.to_state ORDER BY l.id DESC))[1] IS DISTINCT FROM t.state
        """,
    ),
    Rule(
        "transitions_follow_each_other",
        """SELECT tree_id, 'left ' || from_state || ' but was in ' || before FROM (
            SELECT tree_id, from_state, coalesce(
                lag(to_state) OVER (PARTITION BY tree_id ORDER BY id), '') AS before
            FROM tasks_app_treetransition) l
        WHERE from_state <> before""",
    ),
)

MESSAGES = (
    Rule(
        "parent_in_the_same_tree",
        """SELECT m.id, 'in tree ' || m.tree_id || ', its parent in ' || p.tree_id
        FROM tasks_app_message m JOIN tasks_app_message p ON p.id = m.parent_id
        WHERE p.tree_id <> m.tree_id""",
    ),
    Rule(
        "depth_is_one_more_than_the_parents",
        """SELECT m.id, 'depth ' || m.depth || ', parent ' || coalesce(p.depth::text, 'none')
        FROM tasks_app_message m LEFT JOIN tasks_app_message p ON p.id = m.parent_id
        WHERE m.depth <> coalesce(p.depth + 1, 0)""",
    ),
    Rule(
        "depth_within_the_limit",
        """SELECT m.id, 'depth ' || m.depth || ' of ' || t.max_depth
        FROM tasks_app_message m JOIN tasks_app_messagetree t ON t.id = m.tree_id
        WHERE m.depth > t.max_depth""",
    ),
    Rule(
        "roles_alternate",
        """SELECT m.id, 'a ' || m.role || ' below a ' || coalesce(p.role, 'tree')
        FROM tasks_app_message m LEFT JOIN tasks_app_message p ON p.id = m.parent_id
        WHERE m.role = coalesce(p.role, 'assistant')""",
    ),
    Rule(
        "nothing_visible_below_the_deleted",
        # An imported file may show what it likes.
        """SELECT m.id, 'below deleted ' || p.id
        FROM tasks_app_message m JOIN tasks_app_message p ON p.id = m.parent_id
        LEFT JOIN tasks_app_importedlabelaggregate i ON i.message_id = m.id
        WHERE p.deleted AND NOT m.deleted AND i.message_id IS NULL""",
    ),
    Rule(
        "ranks_count_up_from_zero",
        """SELECT m.parent_id, 'ranks ' || string_agg(m.rank::text, ',' ORDER BY m.rank)
        FROM tasks_app_message m WHERE m.rank IS NOT NULL AND m.parent_id IS NOT NULL
        GROUP BY m.parent_id
        HAVING count(*) <> max(m.rank) + 1 OR count(*) <> count(DISTINCT m.rank)""",
    ),
    Rule(
        "prompts_have_no_rank",
        """SELECT m.id, 'rank ' || m.rank FROM tasks_app_message m
        WHERE m.parent_id IS NULL AND m.rank IS NOT NULL""",
    ),
    Rule(
        "edited_messages_keep_their_texts",
        """SELECT m.id, count(r.id) || ' revisions' FROM tasks_app_message m
        LEFT JOIN tasks_app_messagerevision r ON r.message_id = m.id WHERE m.edited
        GROUP BY m.id HAVING count(r.id) < 2 OR NOT bool_or(r.text = m.text)""",
    ),
)

COUNTERS = (
    Rule(
        "review_count_is_the_number_of_reviews",
        """SELECT m.id, m.review_count || ' counted, ' || coalesce(l.n, 0) || ' found, '
            || coalesce(i.review_count, 0) || ' imported'
        FROM tasks_app_message m
        LEFT JOIN (SELECT message_id, count(*) AS n FROM tasks_app_textlabels
            WHERE kind = 'task' GROUP BY message_id) l ON l.message_id = m.id
        LEFT JOIN tasks_app_importedlabelaggregate i ON i.message_id = m.id
        WHERE m.review_count <> coalesce(l.n, 0) + coalesce(i.review_count, 0)""",
    ),
    Rule(
        "votes_of_held_people_are_held",
        """SELECT u.id, votes.kind || ' ' || votes.id || CASE WHEN votes.held
                THEN ' is held' ELSE ' counts' END
        FROM (SELECT 'review' AS kind, id, user_id, held FROM tasks_app_textlabels
                WHERE kind = 'task'
            UNION ALL SELECT 'ranking', id, user_id, held FROM tasks_app_ranking) votes
        JOIN accounts_user u ON u.id = votes.user_id
        WHERE u.deleted_at IS NULL AND votes.held <> (u.held_since IS NOT NULL)""",
    ),
    Rule(
        "verdict_rests_on_reviews",
        """SELECT m.id, 'review result ' || m.review_result FROM tasks_app_message m
        LEFT JOIN tasks_app_importedlabelaggregate i ON i.message_id = m.id
        WHERE m.review_result IS NOT NULL AND m.review_count = 0 AND i.message_id IS NULL""",
    ),
    Rule(
        "ranking_count_is_the_number_of_rankings",
        """SELECT m.id, m.ranking_count || ' counted, ' || coalesce(r.n, 0) || ' found'
        FROM tasks_app_message m LEFT JOIN (
            SELECT placed::uuid AS id, count(*) AS n FROM tasks_app_ranking,
                jsonb_array_elements(groups) tied, jsonb_array_elements_text(tied) placed
            GROUP BY placed) r ON r.id = m.id
        WHERE m.ranking_count <> coalesce(r.n, 0)""",
    ),
    Rule(
        "emojis_count_the_reactions",
        """SELECT r.message_id, r.code || ': ' || r.n || ' given, '
            || coalesce(m.emojis->>r.code, '0') || ' counted'
        FROM (SELECT message_id, code, count(*) AS n FROM tasks_app_reaction
            GROUP BY message_id, code) r JOIN tasks_app_message m ON m.id = r.message_id
        LEFT JOIN tasks_app_importedlabelaggregate i ON i.message_id = m.id
        WHERE coalesce((m.emojis->>r.code)::int, 0) < r.n
            OR (i.message_id IS NULL AND coalesce((m.emojis->>r.code)::int, 0) <> r.n)""",
    ),
    Rule(
        "emojis_count_only_reactions",
        """SELECT m.id, e.key || ': ' || e.value || ' counted, none given'
        FROM tasks_app_message m CROSS JOIN jsonb_each_text(m.emojis) e
        LEFT JOIN tasks_app_importedlabelaggregate i ON i.message_id = m.id
        LEFT JOIN tasks_app_reaction r ON r.message_id = m.id AND r.code = e.key
        WHERE i.message_id IS NULL AND r.id IS NULL""",
    ),
)

VOTES = (
    Rule(
        "one_label_set_per_person",
        """SELECT message_id, count(*) || ' of kind ' || kind || ' by ' || user_id
        FROM tasks_app_textlabels GROUP BY message_id, user_id, kind HAVING count(*) > 1""",
    ),
    Rule(
        "one_ranking_per_person",
        """SELECT parent_id, count(*) || ' by ' || user_id
        FROM tasks_app_ranking WHERE parent_id IS NOT NULL
        GROUP BY parent_id, user_id HAVING count(*) > 1""",
    ),
    Rule(
        "nobody_reviews_their_own",
        """SELECT m.id, 'by ' || l.user_id FROM tasks_app_textlabels l
        JOIN tasks_app_message m ON m.id = l.message_id AND m.user_id = l.user_id
        WHERE l.kind = 'task'""",
    ),
    Rule(
        "nobody_ranks_their_own",
        """SELECT m.id, 'by ' || r.user_id FROM tasks_app_ranking r,
            jsonb_array_elements(r.groups) tied, jsonb_array_elements_text(tied) placed,
            tasks_app_message m WHERE m.id = placed::uuid AND m.user_id = r.user_id""",
    ),
    Rule(
        "rankings_name_replies_once",
        """SELECT r.id, 'below ' || coalesce(r.parent_id::text, 'none') FROM tasks_app_ranking r,
            jsonb_array_elements(r.groups) tied, jsonb_array_elements_text(tied) placed
        LEFT JOIN tasks_app_message m ON m.id = placed::uuid
        GROUP BY r.id HAVING count(*) <> count(DISTINCT placed)
            OR bool_or(m.parent_id IS DISTINCT FROM r.parent_id)""",
    ),
    Rule(
        "ranks_are_those_of_the_consensus",
        """SELECT c.parent_id, 'rank of ' || o.id || ' is ' || coalesce(m.rank::text, 'none')
            || ', place ' || o.n - 1
        FROM tasks_app_rankingconsensus c
        CROSS JOIN jsonb_array_elements_text(c."order") WITH ORDINALITY o(id, n)
        LEFT JOIN tasks_app_message m ON m.id = o.id::uuid AND m.parent_id = c.parent_id
        WHERE m.rank IS DISTINCT FROM o.n - 1""",
    ),
    Rule(
        "only_the_consensus_ranks",
        """SELECT m.id, 'rank ' || m.rank FROM tasks_app_rankingconsensus c
        JOIN tasks_app_message m ON m.parent_id = c.parent_id
        WHERE m.rank IS NOT NULL AND NOT c."order" ? m.id::text""",
    ),
)

TASKS = (
    Rule(
        "one_reservation_per_person_and_message",
        """SELECT message_id, count(*) || ' by ' || user_id FROM tasks_app_task
        WHERE holds_slot GROUP BY message_id, user_id HAVING count(*) > 1""",
    ),
    Rule(
        "reservations_are_of_open_tasks_in_active_trees",
        """SELECT k.id, 'tree ' || coalesce(t.state, 'none') FROM tasks_app_task k
        LEFT JOIN tasks_app_messagetree t ON t.id = k.tree_id
        WHERE k.holds_slot AND (t.active IS NOT TRUE OR k.message_id IS NULL
            OR k.done_at IS NOT NULL OR k.skipped_at IS NOT NULL)""",
    ),
    Rule(
        "nobody_holds_a_review_of_their_own",
        """SELECT k.id, 'by ' || k.user_id FROM tasks_app_task k
        JOIN tasks_app_message m ON m.id = k.message_id AND m.user_id = k.user_id
        WHERE k.kind LIKE 'label%' AND k.holds_slot""",
    ),
    Rule(
        "finished_tasks_have_results",
        """SELECT k.id, k.kind FROM tasks_app_task k
        LEFT JOIN tasks_app_message m ON m.id = k.result_id
        LEFT JOIN tasks_app_textlabels l ON l.task_id = k.id
        LEFT JOIN tasks_app_ranking r ON r.task_id = k.id
        LEFT JOIN tasks_app_goldanswer g ON g.task_id = k.id
        WHERE k.done_at IS NOT NULL AND NOT k.purged AND NOT CASE
            WHEN k.gold_id IS NOT NULL THEN l.id IS NULL AND g.item_id = k.gold_id
                AND g.user_id = k.user_id
            WHEN k.kind LIKE 'label%' THEN l.message_id = k.message_id AND l.user_id = k.user_id
            WHEN k.kind LIKE 'rank%' THEN r.user_id = k.user_id
                AND r.parent_id IS NOT DISTINCT FROM k.message_id
            ELSE m.parent_id IS NOT DISTINCT FROM k.message_id
                AND coalesce(m.user_id, k.user_id) = k.user_id
            END IS TRUE""",
    ),
    Rule(
        "only_finished_tasks_have_results",
        """SELECT k.id, k.kind FROM tasks_app_task k
        LEFT JOIN tasks_app_textlabels l ON l.task_id = k.id
        LEFT JOIN tasks_app_ranking r ON r.task_id = k.id
        LEFT JOIN tasks_app_goldanswer g ON g.task_id = k.id
        WHERE k.done_at IS NULL AND (k.result_id IS NOT NULL OR l.id IS NOT NULL
            OR r.id IS NOT NULL OR g.task_id IS NOT NULL)""",
    ),
    Rule(
        "finished_tasks_have_no_draft",
        """SELECT k.id, k.kind FROM tasks_app_task k JOIN tasks_app_draft d ON d.task_id = k.id
        WHERE k.done_at IS NOT NULL""",
    ),
    Rule(
        "journal_tells_each_ended_task_once",
        """SELECT k.id, k.kind || ': ' || count(c.id) || ' entries' FROM tasks_app_task k
        LEFT JOIN tasks_app_contribution c ON c.task_id = k.id AND c.user_id = k.user_id
            AND c.kind = CASE WHEN k.skipped_at IS NOT NULL THEN 'skip'
                WHEN k.kind LIKE 'label%' THEN 'labels' WHEN k.kind LIKE 'rank%' THEN 'ranking'
                WHEN k.kind = 'initial_prompt' THEN 'prompt' ELSE 'reply' END
        WHERE k.done_at IS NOT NULL OR k.skipped_at IS NOT NULL
        GROUP BY k.id HAVING count(c.id) <> 1""",
    ),
    Rule(
        "journal_tells_only_ended_tasks",
        """SELECT c.id, c.kind FROM tasks_app_contribution c JOIN tasks_app_task k
            ON k.id = c.task_id WHERE k.done_at IS NULL AND k.skipped_at IS NULL""",
    ),
    Rule(
        "offers_are_of_active_trees",
        """SELECT o.message_id, o.kind || ' in ' || t.state FROM tasks_app_offer o
        JOIN tasks_app_messagetree t ON t.id = o.tree_id JOIN tasks_app_message m
            ON m.id = o.message_id
        WHERE NOT t.active OR m.tree_id <> o.tree_id OR m.lang <> o.lang""",
    ),
)

CROWD = (
    Rule(
        "nobody_judges_a_message_twice",
        """SELECT g.item_id, 'by ' || g.user_id FROM tasks_app_goldanswer g
        JOIN tasks_app_textlabels l ON l.message_id = g.item_id AND l.user_id = g.user_id
            AND l.kind = 'task'""",
    ),
    Rule(
        "gold_is_never_shown_to_its_author",
        """SELECT k.id, 'of ' || k.user_id FROM tasks_app_task k
        JOIN tasks_app_message m ON m.id = k.gold_id AND m.user_id = k.user_id""",
    ),
    Rule(
        "split_verdicts_are_moderators",
        """SELECT m.id, 'review result ' || m.review_result FROM tasks_app_message m
        LEFT JOIN tasks_app_moderationaction a
            ON a.message_id = m.id AND a.action = 'decide_split'
        WHERE m.split_at IS NOT NULL AND m.review_result IS NOT NULL AND a.id IS NULL""",
    ),
)

NOTICES = (
    Rule(
        "unread_notifications_are_counted",
        """SELECT u.id, u.unread_notifications || ' stored, ' || count(n.id) || ' unread'
        FROM accounts_user u LEFT JOIN tasks_app_notification n
            ON n.user_id = u.id AND n.read_at IS NULL
        GROUP BY u.id HAVING u.unread_notifications <> count(n.id)""",
    ),
)

RULES = TREES + MESSAGES + COUNTERS + VOTES + TASKS + NOTICES + CROWD


def broken_by(rule: Rule) -> Iterator[tuple[str, str]]:
    """Id and detail of each row that breaks `rule`."""
    with connection.cursor() as cursor:
        cursor.execute(rule.sql)
        for pk, detail in cursor:
            yield str(pk), str(detail)


def illegal_transitions() -> Iterator[tuple[str, str]]:
    """Trees, and logged moves of theirs that the state machine does not have."""
    legal = [f"{before} -> {after}" for before, states in TRANSITIONS.items() for after in states]
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT tree_id, from_state || ' -> ' || to_state FROM tasks_app_treetransition
            WHERE from_state <> '' AND from_state || ' -> ' || to_state <> ALL(%s)""",
            [legal],
        )
        for pk, move in cursor:
            yield str(pk), move
