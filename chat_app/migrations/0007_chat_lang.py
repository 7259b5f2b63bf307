"""Chats are searched by the rules of their language, which older ones do not know yet."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat_app", "0006_served_adapter")]

    operations = [
        migrations.AddField(
            "chat",
            "lang",
            models.CharField("language", editable=False, max_length=16, null=True),
        ),
    ]
