"""How texts become words that are searched for: configuration by language, and SQL functions.

Both sides, a message and what somebody types, pass the same functions, which migrations store in
the database. After a change here a migration runs `functions()` again and fills the column anew.
"""

import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQueryField
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Expression,
    F,
    Func,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.lookups import In

from oasst.lib.characters import JOINED
from tasks_app.search_syntax import Groups

# language, without its region -> what PostgreSQL calls the rules by which its words are shortened.
# All others are searched for as they are written.
CONFIGURATIONS = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
# Of longer texts only the beginning is found: a vector has at most a megabyte.
MOST_CHARACTERS = 50_000
# A language that is searched in as it is written.
OTHER = "und"
# Before rows are tried again that somebody is writing.
BREATH_S = 0.1

# A word in the text of a `tsquery`.
_LEXEME = re.compile(r"'(?:[^']|'')*'(?::\*)?")
# Punctuation and pictures beyond ASCII, which in a database whose locale is C are letters.
BLANKS = (
    r"\u00A0-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u0387\u055A-\u055F"
    r"\u0589\u05BE\u05C0\u05C3\u05F3\u05F4\u060C\u061B-\u061F\u066A-\u066D\u06D4\u0964\u0965"
    r"\u0E2F\u0E3F\u0E4F\u0E5A\u0E5B\u104A-\u104F\u17D4-\u17DA\u2000-\u206F\u20A0-\u20CF"
    r"\u2190-\u2BFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u30FB\uFE10-\uFE6F"
    r"\uFF00-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\U0001F000-\U0001FAFF"
)


def functions() -> str:
    """SQL that makes, or replaces, the functions that turn texts into words."""
    return _functions_of_texts() + _functions_of_words()


def _functions_of_texts() -> str:
    cases = " ".join(
        f"WHEN '{lang}' THEN '{name}'::regconfig" for lang, name in CONFIGURATIONS.items()
    )
    return f"""
    CREATE OR REPLACE FUNCTION tasks_app_search_config(lang text) RETURNS regconfig
    IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE split_part(lang, '-', 1) {cases} ELSE 'simple'::regconfig END;

    -- Runs of a script without blanks become pairs of characters: 我爱猫 -> 我爱 爱猫 猫. What is
    -- asked for leaves the last one out, which would have to end the run.
    CREATE OR REPLACE FUNCTION tasks_app_search_text(given text, is_asked boolean) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $body$
    BEGIN
        IF octet_length(given) = length(given) THEN
            RETURN given;
        END IF;
        given := regexp_replace(normalize(given, NFKC), '[{BLANKS}]', ' ', 'g');
        IF given !~ '[{JOINED}]' THEN
            RETURN given;
        END IF;
        RETURN (
            SELECT string_agg(
                CASE
                    WHEN NOT joined THEN c
                    WHEN after_joined THEN ' ' || c || after
                    WHEN is_asked AND before_joined THEN ' '
                    ELSE ' ' || c || ' '
                END, '' ORDER BY n)
            FROM (
                SELECT n, c, joined, lead(c) OVER (ORDER BY n) AS after,
                    coalesce(lead(joined) OVER (ORDER BY n), false) AS after_joined,
                    coalesce(lag(joined) OVER (ORDER BY n), false) AS before_joined
                FROM (
                    SELECT n, c, c ~ '[{JOINED}]' AS joined
                    FROM string_to_table(given, NULL) WITH ORDINALITY AS t(c, n)
                ) AS characters
            ) AS neighbours
        );
    END $body$;
    """  # noqa: S608 - made of the constants above


def _functions_of_words() -> str:
    return f"""
    CREATE OR REPLACE FUNCTION tasks_app_search_vector(lang text, given text) RETURNS tsvector
    IMMUTABLE STRICT PARALLEL SAFE
    RETURN to_tsvector(
        tasks_app_search_config(lang),
        tasks_app_search_text(left(given, {MOST_CHARACTERS}), false));

    -- One character alone stands for every pair that begins with it.
    CREATE OR REPLACE FUNCTION tasks_app_search_phrase(lang text, asked text) RETURNS tsquery
    IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(
        phraseto_tsquery(tasks_app_search_config(lang), tasks_app_search_text(asked, true))::text,
        '''([{JOINED}])''', '''\\1'':*', 'g')::tsquery;

    -- The words of a text that are among those asked for, as they stand in it.
    CREATE OR REPLACE FUNCTION tasks_app_search_words(lang text, given text, asked tsquery)
    RETURNS text[]
    IMMUTABLE STRICT PARALLEL SAFE
    RETURN (
        SELECT array_agg(DISTINCT token)
        FROM ts_parse('default', tasks_app_search_text(left(given, {MOST_CHARACTERS}), false))
        WHERE to_tsvector(tasks_app_search_config(lang), token) @@ asked);

    CREATE OR REPLACE FUNCTION tasks_app_message_search() RETURNS trigger
    LANGUAGE plpgsql AS $body$
    BEGIN
        NEW.search_vector := tasks_app_search_vector(NEW.lang, NEW.text);
        RETURN NEW;
    END $body$;
    """  # noqa: S608 - made of the constants above


NO_FUNCTIONS = """
    DROP FUNCTION tasks_app_message_search();
    DROP FUNCTION tasks_app_search_words(text, text, tsquery);
    DROP FUNCTION tasks_app_search_phrase(text, text);
    DROP FUNCTION tasks_app_search_vector(text, text);
    DROP FUNCTION tasks_app_search_text(text, boolean);
    DROP FUNCTION tasks_app_search_config(text);
"""


def configuration(lang: str) -> str:
    """What PostgreSQL searches texts of a language by."""
    return CONFIGURATIONS.get(lang.split("-")[0], "simple")


@dataclass(frozen=True)
class Phrases:
    """What PostgreSQL makes of each term in each language: a `tsquery` as text, empty for words
    that are too common in that language to ask for."""

    found: Mapping[tuple[str, str], str]

    def query(self, groups: Groups, lang: str) -> str:
        """All of the groups, of each one term at least: a `tsquery` as text, empty if all are."""
        parts = []
        for group in groups:
            terms = [(term, self.found[lang, term.text]) for term in group]
            asked = [
                f"!({text})" if term.is_negated else f"({text})" for term, text in terms if text
            ]
            if asked:
                parts.append(f"({' | '.join(asked)})")
        return " & ".join(parts)

    def lexemes(self, groups: Groups, lang: str) -> str:
        """Any of the words that are asked for: a `tsquery` as text, empty if none is."""
        wanted = [
            self.found[lang, term.text] for group in groups for term in group if not term.is_negated
        ]
        return " | ".join(dict.fromkeys(_LEXEME.findall(" ".join(wanted))))


def phrases(groups: Groups, langs: Iterable[str]) -> Phrases:
    """Ask PostgreSQL for the terms in the words of some languages. One query."""
    terms = list(dict.fromkeys(term.text for group in groups for term in group))
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT lang, term, tasks_app_search_phrase(lang, term)::text
            FROM unnest(%s::text[]) lang, unnest(%s::text[]) term""",
            [list(langs), terms],
        )
        return Phrases({(lang, term): text for lang, term, text in cursor.fetchall()})


def tsquery(text: str) -> Expression:
    """The text of a `tsquery` as one."""
    return Func(Value(text), template="%(expressions)s::tsquery", output_field=SearchQueryField())


def finds(text: str) -> Expression:
    """Whether a message has the words of a `tsquery`."""
    return Func(
        F("search_vector"),
        tsquery(text),
        arg_joiner=" @@ ",
        template="%(expressions)s",
        output_field=BooleanField(),
    )


def words_of(lexemes: Mapping[str, str]) -> Func:
    """The words of a message that are among the lexemes of its language; None if none is."""
    cases = [When(lang=lang, then=tsquery(text)) for lang, text in lexemes.items() if text]
    asked = Case(*cases, output_field=SearchQueryField())
    return Func(
        F("lang"),
        F("text"),
        asked,
        function="tasks_app_search_words",
        output_field=ArrayField(TextField()),
    )


def finds_in_any_language(groups: Groups) -> Q:
    """Whether a message has the words, by the rules of its own language. One query, at once."""
    one_of_each = list({configuration(lang): lang for lang in [*CONFIGURATIONS, OTHER]}.values())
    asked = phrases(groups, one_of_each)
    by_query: dict[str, list[str]] = {}
    for lang in one_of_each:
        by_query.setdefault(asked.query(groups, lang), []).append(lang)
    found = Q(pk__in=[])
    for text, langs in by_query.items():
        if text:
            rules = [_configuration(Value(lang)) for lang in langs]
            found |= Q(finds(text)) & Q(In(_configuration(F("lang")), rules))
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
