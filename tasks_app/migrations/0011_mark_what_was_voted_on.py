"""Mark every message that has votes, oldest first, for the periodic job to count."""

from django.db import migrations

MARK = """INSERT INTO tasks_app_agreementmark (message_id)
    SELECT message_id FROM (
        SELECT message_id, created_at FROM tasks_app_textlabels WHERE kind = 'task' UNION ALL
        SELECT parent_id, created_at FROM tasks_app_ranking WHERE parent_id IS NOT NULL) votes
    GROUP BY message_id ORDER BY min(created_at)"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0010_agreement_triggers")]

    operations = [migrations.RunSQL(MARK, migrations.RunSQL.noop)]
