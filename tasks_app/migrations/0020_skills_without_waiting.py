from django.db import migrations, models

KEEP_STALE = "UPDATE tasks_app_crowdmean SET changes = 1 WHERE stale"


class Migration(migrations.Migration):
    dependencies = [("tasks_app", "0019_held_votes_say_nothing")]

    operations = [
        migrations.AddField("crowdmean", "changes", models.PositiveBigIntegerField(default=0)),
        migrations.AddField("crowdmean", "fitted", models.PositiveBigIntegerField(default=0)),
        migrations.RunSQL(KEEP_STALE, migrations.RunSQL.noop),
        migrations.RemoveField("crowdmean", "stale"),
    ]
