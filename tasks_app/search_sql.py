"""The words that messages are found by, each by the rules of its language: trigger and conditions.

After a change of `oasst.lib.search.sql` a migration runs `functions()` again and fills the column.
"""

import time
import uuid
from collections.abc import Mapping

from django.contrib.postgres.search import SearchQueryField
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, CharField, Expression, F, Func, Q, Value, When
from django.db.models.lookups import In

from oasst.lib.search import sql
from oasst.lib.search.syntax import Groups

# Before rows are tried again that somebody is writing.
BREATH_S = 0.1

_TRIGGER = """
    CREATE OR REPLACE FUNCTION tasks_app_message_search() RETURNS trigger
    LANGUAGE plpgsql AS $body$
    BEGIN
        NEW.search_vector := tasks_app_search_vector(NEW.lang, NEW.text);
        RETURN NEW;
    END $body$;
    """

NO_FUNCTIONS = f"DROP FUNCTION tasks_app_message_search();{sql.NO_FUNCTIONS}"


def functions() -> str:
    """SQL that makes, or replaces, the functions that turn messages into words."""
    return sql.functions() + _TRIGGER


def words_of(lexemes: Mapping[str, str]) -> Func:
    """The words of a message that are among the lexemes of its language; None if none is."""
    cases = [When(lang=lang, then=sql.tsquery(text)) for lang, text in lexemes.items() if text]
    asked = Case(*cases, output_field=SearchQueryField())
    return sql.words_of(F("lang"), F("text"), asked)


def finds_in_any_language(groups: Groups) -> Q:
    """Whether a message has the words, by the rules of its own language. One query, at once."""
    one_of_each = list(
        {sql.configuration(lang): lang for lang in [*sql.CONFIGURATIONS, sql.OTHER]}.values()
    )
    asked = sql.phrases(groups, one_of_each)
    by_query: dict[str, list[str]] = {}
    for lang in one_of_each:
        by_query.setdefault(asked.query(groups, lang), []).append(lang)
    found = Q(pk__in=[])
    for text, those in by_query.items():
        if text:
            rules = [_configuration(Value(lang)) for lang in those]
            found |= Q(sql.finds(text)) & Q(In(_configuration(F("lang")), rules))
    return found


def _configuration(lang: Expression | F) -> Func:
    return Func(lang, function="tasks_app_search_config", output_field=CharField())


# Of a slice, what nobody else is writing. Locked in passing, so that nothing waits for each other.
_FILL = """
    WITH slice AS (
        SELECT id FROM tasks_app_message WHERE id > %s ORDER BY id LIMIT %s
    ), free AS (
        SELECT m.id, m.search_vector, tasks_app_search_vector(m.lang, m.text) AS wanted
        FROM tasks_app_message m JOIN slice USING (id) FOR NO KEY UPDATE OF m SKIP LOCKED
    ), filled AS (
        UPDATE tasks_app_message m SET search_vector = wanted FROM free
        WHERE m.id = free.id AND free.search_vector IS DISTINCT FROM wanted
    )
    SELECT (SELECT id FROM slice ORDER BY id DESC LIMIT 1),
           (SELECT count(*) FROM slice) - (SELECT count(*) FROM free)
"""


def fill_slice(
    database: BaseDatabaseWrapper, after: uuid.UUID, *, size: int = 1000
) -> uuid.UUID | None:
    """Give some messages with ids beyond `after` the words that they are found by.

    The last id of them, or None if there are none; `after` again if somebody is writing one.
    """
    with database.cursor() as cursor:
        cursor.execute(_FILL, [after, size])
        last, in_use = cursor.fetchone()
    if not in_use:
        found: uuid.UUID | None = last
        return found
    time.sleep(BREATH_S)
    return after
