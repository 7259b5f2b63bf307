"""Where the job that settles the language of older chats finds them."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("chat_app", "0007_chat_lang")]

    operations = [
        AddIndexConcurrently(
            "chat",
            models.Index(
                fields=["id"], condition=models.Q(("lang", None)), name="chat_without_lang"
            ),
        ),
    ]
