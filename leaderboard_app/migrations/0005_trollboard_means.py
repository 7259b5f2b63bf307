from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leaderboard_app', '0004_trollboard_lines'),
    ]

    operations = [
        migrations.AddField(
            model_name='trollstats',
            name='helpfulness',
            field=models.FloatField(null=True, verbose_name='helpfulness'),
        ),
        migrations.AddField(
            model_name='trollstats',
            name='humor',
            field=models.FloatField(null=True, verbose_name='humour'),
        ),
        migrations.AddField(
            model_name='trollstats',
            name='violence',
            field=models.FloatField(null=True, verbose_name='violence'),
        ),
    ]
