"""Messages of chats are searched by the rules of their language.

The column loses its expression, which touches no row: until the job `fill_search_words` has been
there, older messages are found by their words as they are written. Triggers see to those to come.
"""

import django.contrib.postgres.search
from django.db import migrations

from chat_app import search_sql


class Migration(migrations.Migration):
    dependencies = [
        ("chat_app", "0008_chat_without_lang"),
        ("tasks_app", "0033_search_by_language"),  # its functions
    ]

    operations = [
        migrations.RunSQL(search_sql.functions(), search_sql.NO_FUNCTIONS),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(search_sql.TRIGGERS, search_sql.NO_TRIGGERS)],
            [
                migrations.AlterField(
                    "chatmessage",
                    "search_vector",
                    django.contrib.postgres.search.SearchVectorField(editable=False, null=True),
                )
            ],
        ),
    ]
