
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0036_fit_label_groups'),
    ]

    operations = [
        migrations.AddField(
            model_name='crowdmean',
            name='last_gold_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='crowdmean',
            name='n_fresh',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
