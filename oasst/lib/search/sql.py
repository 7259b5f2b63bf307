"""How texts become words that are searched for: configuration by language, and SQL functions.

Both sides, a text and what somebody types, pass the same functions. The database has them under
the name of the app whose migration stored them. After a change here a migration of each app that
searches runs `functions()` again and fills its column anew.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQueryField
from django.db import connection
from django.db.models import BooleanField, Expression, Func, TextField, Value

from oasst.lib.characters import JOINED
from oasst.lib.search.syntax import Groups, Term

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
# A language that is searched in as it is written, and PostgreSQL's rules for that.
OTHER = "und"
AS_WRITTEN = "simple"
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
    """  # noqa: S608 - made of the constants above


NO_FUNCTIONS = """
    DROP FUNCTION tasks_app_search_words(text, text, tsquery);
    DROP FUNCTION tasks_app_search_phrase(text, text);
    DROP FUNCTION tasks_app_search_vector(text, text);
    DROP FUNCTION tasks_app_search_text(text, boolean);
    DROP FUNCTION tasks_app_search_config(text);
"""


def configuration(lang: str) -> str:
    """What PostgreSQL searches texts of a language by."""
    return CONFIGURATIONS.get(lang.split("-")[0], AS_WRITTEN)


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

    def in_any(self, term: Term, langs: Iterable[str]) -> str:
        """A term in the words of any of the languages: a `tsquery` as text, empty if it has none.

        For texts that are found by more than one language's rules. Whether the term is negated
        is the caller's to heed.
        """
        texts = dict.fromkeys(self.found[lang, term.text] for lang in langs)
        return " | ".join(f"({text})" for text in texts if text)

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


def finds(text: str, vector: Expression | str = "search_vector") -> Expression:
    """Whether a row, or another vector, has the words of a `tsquery`."""
    return Func(
        vector,
        tsquery(text),
        arg_joiner=" @@ ",
        template="%(expressions)s",
        output_field=BooleanField(),
    )


def words_of(lang: Any, text: Any, asked: Any) -> Func:
    """The words of a text that a `tsquery` asks for, as they stand in it; None if none is."""
    return Func(
        lang, text, asked, function="tasks_app_search_words", output_field=ArrayField(TextField())
    )
