"""Agreement and reliability leave out the votes of people who are held back: count these anew."""

from django.db import migrations

MARK = """INSERT INTO tasks_app_agreementmark (message_id)
    SELECT message_id FROM tasks_app_textlabels WHERE kind = 'task' AND held
    UNION SELECT parent_id FROM tasks_app_ranking WHERE parent_id IS NOT NULL AND held"""
REFIT = """UPDATE tasks_app_crowdmean SET stale = true
    WHERE EXISTS (SELECT FROM tasks_app_textlabels WHERE held)
    OR EXISTS (SELECT FROM tasks_app_ranking WHERE held)"""


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0018_favours")]

    operations = [migrations.RunSQL([MARK, REFIT], migrations.RunSQL.noop)]
