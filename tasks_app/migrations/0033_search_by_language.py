"""Texts are searched for by the rules of their language.

The column loses its expression, which touches no row: until the next migration has filled them
anew, older messages are found by their words as they are written. Triggers see to those to come.
"""

import django.contrib.postgres.search
from django.db import migrations

from tasks_app import search_sql

TRIGGERS = """
    ALTER TABLE tasks_app_message ALTER COLUMN search_vector DROP EXPRESSION;
    CREATE TRIGGER message_search_new BEFORE INSERT ON tasks_app_message
        FOR EACH ROW WHEN (NEW.search_vector IS NULL)
        EXECUTE FUNCTION tasks_app_message_search();
    CREATE TRIGGER message_search_changed BEFORE UPDATE OF text, lang, search_vector
        ON tasks_app_message FOR EACH ROW WHEN (
            NEW.search_vector IS NULL OR NEW.text <> OLD.text OR NEW.lang <> OLD.lang)
        EXECUTE FUNCTION tasks_app_message_search();
"""
BACK = """
    DROP TRIGGER message_search_changed ON tasks_app_message;
    DROP TRIGGER message_search_new ON tasks_app_message;
    ALTER TABLE tasks_app_message DROP COLUMN search_vector;
    ALTER TABLE tasks_app_message ADD COLUMN search_vector tsvector
        GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, COALESCE(text, ''))) STORED;
    CREATE INDEX message_search ON tasks_app_message USING gin (search_vector);
"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0032_topics")]

    operations = [
        migrations.RunSQL(search_sql.functions(), search_sql.NO_FUNCTIONS),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(TRIGGERS, BACK)],
            [
                migrations.AlterField(
                    "message",
                    "search_vector",
                    django.contrib.postgres.search.SearchVectorField(editable=False, null=True),
                )
            ],
        ),
    ]
