"""Chats that change hands are found by their new owner."""

from django.db import migrations

from chat_app import search_sql


class Migration(migrations.Migration):
    dependencies = [("chat_app", "0009_search_by_language")]

    operations = [migrations.RunSQL(search_sql.OWNER_TRIGGER, search_sql.NO_OWNER_TRIGGER)]
