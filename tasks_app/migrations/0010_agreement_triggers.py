"""Whatever changes a review, a ranking or a message's language leaves a mark: see decision 0008."""

from django.db import migrations

# Where the id of the message stands in each table.
TABLES = {"textlabels": "message_id", "ranking": "parent_id", "message": "id"}
EVENTS = {
    "textlabels": "AFTER INSERT OR UPDATE OR DELETE ON tasks_app_textlabels FOR EACH ROW",
    "ranking": "AFTER INSERT OR UPDATE OR DELETE ON tasks_app_ranking FOR EACH ROW",
    "message": """AFTER UPDATE OF lang ON tasks_app_message FOR EACH ROW
        WHEN (OLD.lang IS DISTINCT FROM NEW.lang)""",
}

FUNCTION = """
CREATE FUNCTION tasks_app_{table}_agreement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.{column} IS NOT NULL THEN
        INSERT INTO tasks_app_agreementmark (message_id) VALUES (OLD.{column});
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.{column} IS NOT NULL THEN
        INSERT INTO tasks_app_agreementmark (message_id) VALUES (NEW.{column});
    END IF;
    RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER agreement_mark {event}
    EXECUTE FUNCTION tasks_app_{table}_agreement()
"""


def _marks(table, column):
    return migrations.RunSQL(
        [
            FUNCTION.format(table=table, column=column),
            TRIGGER.format(table=table, event=EVENTS[table]),
        ],
        [
            f"DROP TRIGGER agreement_mark ON tasks_app_{table}",
            f"DROP FUNCTION tasks_app_{table}_agreement()",
        ],
    )


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0009_agreement")]

    operations = [_marks(table, column) for table, column in TABLES.items()]
