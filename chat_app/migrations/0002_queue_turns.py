import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('chat_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='QueueTurn',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('served_at', models.DateTimeField(blank=True, null=True, verbose_name='last served')),
            ],
            options={
                'verbose_name': 'turn in the queue',
            },
        ),
        migrations.AddField(
            model_name='chatmessage',
            name='losses',
            field=models.PositiveSmallIntegerField(default=0, verbose_name='workers lost'),
        ),
    ]
