"""The trollboard: whose messages others mark most, so that moderators look there first.

It accuses nobody: marks can be malicious too. Source: reference 5.5, with its defects fixed: every
label by others counts, not only those on messages with reactions; spam is in the score; what
nobody answered is absent and not zero; and what people say of their own messages does not count.
"""

from datetime import datetime

from django.db import connection, transaction

from leaderboard_app.enums import Frame
from leaderboard_app.models import TrollStats

# The score is the sum of these counts times their weights, in the order the page tells them.
WEIGHTS = {
    "red_flags": 3,
    "downvotes": 1,
    "upvotes": -1,
    "spam_prompts": 1,
    "spam": 1,
    "lang_mismatch": 1,
    "not_appropriate": 1,
    "pii": 1,
    "hate_speech": 1,
    "sexual_content": 1,
    "political_content": 1,
}
_SUMS = tuple(name for name in WEIGHTS if not name.endswith(("votes", "flags", "prompts")))
_MEANS = ("quality", "helpfulness", "humor", "toxicity", "violence")


def formula() -> str:
    """The score in words of columns: 3 × red flags + thumbs down − thumbs up …"""
    terms = []
    for name, weight in WEIGHTS.items():
        words = str(TrollStats._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
        times = f"{abs(weight)} × " if abs(weight) != 1 else ""
        terms.append(f"{'−' if weight < 0 else '+'} {times}{words}")
    return " ".join(terms).removeprefix("+ ")


def refresh(frame: Frame, *, now: datetime) -> int:
    """Compute the board of a frame anew; how many people are on it. Two at once wait in turn."""
    length = frame.days
    since = now - length if length else None
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"trolls-{frame}"])
        cursor.execute("DELETE FROM leaderboard_app_trollstats WHERE frame = %s", [frame])
        cursor.execute(_QUERY, {"frame": frame, "since": since, "now": now})
        return cursor.rowcount


_COLUMNS = (
    "messages", "removed", "red_flags", "upvotes", "downvotes", "spam_prompts", *_SUMS, *_MEANS
)  # fmt: skip
_SCORE = " + ".join(f"{weight} * {name}" for name, weight in WEIGHTS.items())


def _of_labels(function: str, name: str) -> str:
    return f"{function}((l.values->>'{name}')::float) AS {name}"


# Held messages have been seen by nobody, deleted ones count only as removed.
_QUERY = f"""
    WITH mine AS (
        SELECT m.id, m.user_id, m.emojis, m.deleted,
            m.parent_id IS NULL AND t.state = 'aborted_low_grade' AS is_spam_prompt
        FROM tasks_app_message m JOIN tasks_app_messagetree t ON t.id = m.tree_id
        JOIN accounts_user u ON u.id = m.user_id AND u.deleted_at IS NULL
        WHERE NOT m.held AND (%(since)s::timestamptz IS NULL OR m.created_at >= %(since)s)
    ), counted AS (
        SELECT user_id, count(*) AS messages, count(*) FILTER (WHERE deleted) AS removed,
            coalesce(sum((emojis->>'red_flag')::int) FILTER (WHERE NOT deleted), 0) AS red_flags,
            coalesce(sum((emojis->>'+1')::int) FILTER (WHERE NOT deleted), 0) AS upvotes,
            coalesce(sum((emojis->>'-1')::int) FILTER (WHERE NOT deleted), 0) AS downvotes,
            count(*) FILTER (WHERE is_spam_prompt) AS spam_prompts
        FROM mine GROUP BY user_id
    ), given AS (
        SELECT mine.user_id, {", ".join(_of_labels("sum", name) for name in _SUMS)},
            {", ".join(_of_labels("avg", name) for name in _MEANS)}
        FROM mine JOIN tasks_app_textlabels l
            ON l.message_id = mine.id AND l.user_id <> mine.user_id AND NOT l.held
        WHERE NOT mine.deleted GROUP BY mine.user_id
    ), lines AS (
        SELECT c.*, {", ".join(f"coalesce({name}, 0) AS {name}" for name in _SUMS)},
            {", ".join(_MEANS)}
        FROM counted c LEFT JOIN given USING (user_id)
    ), scored AS (SELECT *, {_SCORE} AS score FROM lines)
    INSERT INTO leaderboard_app_trollstats
        (user_id, frame, computed_at, score, rank, {", ".join(_COLUMNS)})
    SELECT user_id, %(frame)s, %(now)s, score,
        row_number() OVER (ORDER BY score DESC, user_id), {", ".join(_COLUMNS)}
    FROM scored
"""  # noqa: S608  names of our own columns only
