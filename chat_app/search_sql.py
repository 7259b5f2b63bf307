"""The words that messages of chats are found by: SQL functions, triggers, conditions.

A message is found by its words as they are written, whatever language it is in, and by the rules
of its chat's language. One lexeme more names its owner, so that the index leads to one person's
messages at once, however many others say the same.

After a change of `oasst.lib.search.sql` a migration runs `functions()` again, and sets `lang` of
all chats to null, so that the job in `search_filling` fills the column anew.
"""

from collections.abc import Collection
from uuid import UUID

from django.db import connection
from django.db.models import F, Func, Q, Value

from oasst.lib.search import marks, sql

_FUNCTIONS = """
    -- A blank is in no lexeme of a text, so nobody writes or asks for an owner.
    CREATE OR REPLACE FUNCTION chat_app_search_vector(owner uuid, lang text, given text)
    RETURNS tsvector
    IMMUTABLE STRICT PARALLEL SAFE
    RETURN array_to_tsvector(ARRAY['of ' || owner::text])
        || tasks_app_search_vector('und', given)
        || CASE tasks_app_search_config(lang) WHEN 'simple'::regconfig THEN ''::tsvector
           ELSE tasks_app_search_vector(lang, given) END;

    -- Calls of the API are searched by nobody.
    CREATE OR REPLACE FUNCTION chat_app_message_search() RETURNS trigger
    LANGUAGE plpgsql AS $body$
    BEGIN
        NEW.search_vector := coalesce((
            SELECT chat_app_search_vector(user_id, coalesce(lang, 'und'), NEW.text)
            FROM chat_app_chat WHERE id = NEW.chat_id AND NOT from_api), ''::tsvector);
        RETURN NEW;
    END $body$;
"""
NO_FUNCTIONS = """
    DROP FUNCTION chat_app_message_search();
    DROP FUNCTION chat_app_search_vector(uuid, text, text);
"""
# The column was generated: losing its expression touches no row.
TRIGGERS = """
    ALTER TABLE chat_app_chatmessage ALTER COLUMN search_vector DROP EXPRESSION;
    CREATE TRIGGER chatmessage_search_new BEFORE INSERT ON chat_app_chatmessage
        FOR EACH ROW WHEN (NEW.search_vector IS NULL)
        EXECUTE FUNCTION chat_app_message_search();
    CREATE TRIGGER chatmessage_search_changed BEFORE UPDATE OF text, search_vector
        ON chat_app_chatmessage FOR EACH ROW WHEN (
            NEW.search_vector IS NULL OR NEW.text <> OLD.text)
        EXECUTE FUNCTION chat_app_message_search();
"""
NO_TRIGGERS = """
    DROP TRIGGER chatmessage_search_changed ON chat_app_chatmessage;
    DROP TRIGGER chatmessage_search_new ON chat_app_chatmessage;
    ALTER TABLE chat_app_chatmessage DROP COLUMN search_vector;
    ALTER TABLE chat_app_chatmessage ADD COLUMN search_vector tsvector
        GENERATED ALWAYS AS (to_tsvector('simple'::regconfig,
            COALESCE(substring(text, 1, 100000), ''))) STORED;
    CREATE INDEX chatmessage_search ON chat_app_chatmessage USING gin (search_vector);
"""


# A chat that changes hands, as when accounts are merged, is looked at anew by the job: its messages
# still name whom they belonged to.
OWNER_TRIGGER = """
    CREATE FUNCTION chat_app_chat_owner() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        NEW.lang := NULL;
        RETURN NEW;
    END $body$;
    CREATE TRIGGER chat_search_owner BEFORE UPDATE OF user_id ON chat_app_chat
        FOR EACH ROW WHEN (NEW.user_id <> OLD.user_id) EXECUTE FUNCTION chat_app_chat_owner();
"""
NO_OWNER_TRIGGER = """
    DROP TRIGGER chat_search_owner ON chat_app_chat;
    DROP FUNCTION chat_app_chat_owner();
"""


def functions() -> str:
    """SQL that makes, or replaces, the functions that turn messages of chats into words."""
    return _FUNCTIONS


def says(text: str, *, owner: UUID) -> Q:
    """Whether a message is the owner's and has the words of a `tsquery`."""
    return Q(sql.finds(f"'of {owner}' & ({text})"))


def title_says(text: str) -> Q:
    """Whether a chat's title has the words of a `tsquery`, as they are written."""
    vector = Func(Value(sql.OTHER), F("title"), function="tasks_app_search_vector")
    return Q(sql.finds(text, vector))


# Control characters around each word that was asked for: nobody types them.
_WORDS = """
    SELECT lang, array_agg(DISTINCT word[1]) FROM (
        SELECT coalesce(c.lang, 'und') AS lang,
            tasks_app_search_text(left(m.text, %(most)s), false) AS beginning
        FROM chat_app_chatmessage m JOIN chat_app_chat c ON c.id = m.chat_id
        WHERE m.id = ANY(%(messages)s)
        OFFSET 0
    ) AS said,
    unnest(ARRAY['simple', tasks_app_search_config(lang)]::regconfig[]) AS rules,
    regexp_matches(
        ts_headline(rules, beginning, %(asked)s::tsquery,
            E'HighlightAll=true, StartSel=\x02, StopSel=\x03'),
        E'\x02([^\x03]+)\x03', 'g') AS word
    GROUP BY lang
"""


def words_of(messages: Collection[UUID], asked: str) -> dict[str, list[str]]:
    """By language of the chat: the words of some messages that a `tsquery` asks for. One query.

    Of all messages together, for many have the same. Only their beginnings are read.
    """
    with connection.cursor() as cursor:
        most = marks.MOST_CHARACTERS
        cursor.execute(_WORDS, {"most": most, "messages": list(messages), "asked": asked})
        return dict(cursor.fetchall())
