"""What somebody wrote is nowhere in the database once they had it erased."""

from collections.abc import Iterator

import pytest
from django.db import connection

from oasst import privacy
from oasst.accounts.models import User
from tasks_app.bulk import actions, plans
from tasks_app.models import Message, Ranking, Report, Task
from tests.factories import NOW, person
from tests.tasks_app.bulk.given import active_person

pytestmark = pytest.mark.slow

WORD = "Zwetschgenknödel"


def tables_with(word: str) -> Iterator[str]:
    """Every table with a row that holds the word, in whatever column."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            quoted = connection.ops.quote_name(table)
            cursor.execute(
                f"SELECT count(*) FROM {quoted} WHERE {quoted}::text ILIKE %s",
                [f"%{word}%"],
            )
            if cursor.fetchone()[0]:
                yield table


@pytest.fixture
def talker(db: None) -> User:
    """Somebody who wrote, ranked, reported and skipped in these words."""
    talker = person("Talker")
    active_person(talker)
    words = f"I think of {WORD}."
    Message.objects.filter(user=talker).update(text=words)
    Ranking.objects.filter(user=talker).update(reason=words)
    Report.objects.filter(user=talker).update(text=words)
    Task.objects.filter(user=talker).update(skip_reason=words)
    return talker


def test_words_are_in_no_table(talker: User) -> None:
    assert set(tables_with(WORD)) == {
        "tasks_app_message", "tasks_app_ranking", "tasks_app_report", "tasks_app_task",
    }  # fmt: skip

    privacy.erase_person(talker, now=NOW, erases_texts=True)

    assert list(tables_with(WORD)) == []


@pytest.mark.parametrize("is_undone", [True, False])
def test_words_are_not_in_what_a_purge_keeps_for_its_undo(
    talker: User, mona: User, is_undone: bool
) -> None:
    purge = actions.do_now(plans.of_person(talker), actor=mona, reason="A troll.", now=NOW)
    assert "tasks_app_bulkstep" in tables_with(WORD)
    had = Ranking.objects.filter(user=talker).count()

    privacy.erase_person(talker, now=NOW, erases_texts=True)
    if is_undone:
        actions.undo_now(purge.pk, actor=mona, reason="A child.", now=NOW)
        assert Ranking.objects.filter(user=talker).count() > had

    assert list(tables_with(WORD)) == []
