"""The database itself refuses to change or delete entries of the two logs of staff's actions.

An actor may become NULL, which is what deleting an account's row does.
"""

from django.db import migrations

LOGS = ("tasks_app_moderationaction", "tasks_app_configchange")

FUNCTION = """
CREATE FUNCTION tasks_app_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.actor_id IS NULL
            AND to_jsonb(NEW) - 'actor_id' = to_jsonb(OLD) - 'actor_id' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: its entries are neither changed nor deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation',
            HINT = 'To take an action back, undo it: that adds an entry.';
END $$
"""

TRIGGER = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION tasks_app_append_only()
"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0007_moderation_undo")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION tasks_app_append_only()"),
        *(
            migrations.RunSQL(
                TRIGGER.format(table=table), f"DROP TRIGGER {table}_append_only ON {table}"
            )
            for table in LOGS
        ),
    ]
