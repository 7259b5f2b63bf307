"""Searching messages: by the rules of their language, and never more than a reader may see."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib import database
from oasst.lib.search import sql
from tasks_app import browsing, jobs, search, search_filling, search_hits
from tasks_app.enums import TreeState
from tasks_app.models import Message
from tasks_app.notice_records import EventCursor
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db
EVERYWHERE = ("en", "de", "ru", "es", "ar", "hi", "zh", "ja", "th")


def write(text: str, lang: str = "en", **more: Any) -> Message:
    """A prompt with these words."""
    message = grow("P", lang=lang, **more).root
    Message.objects.filter(pk=message.pk).update(text=text)
    return Message.objects.get(pk=message.pk)


def ask(reader: User, words: str, **more: Any) -> search.Found:
    """What a reader of every language finds."""
    before = more.pop("before", None)
    wanted = search.Wanted(more.pop("langs", EVERYWHERE), words, **more)
    return search.find(reader, wanted, before=before, now=NOW)


def found(reader: User, words: str, **more: Any) -> list[str]:
    """The texts of it."""
    return [message.text for message in ask(reader, words, **more).messages]


# Languages


@pytest.mark.parametrize(
    ("lang", "text", "asked"),
    [
        ("en", "She was baking loaves", "bake loaf OR loaves"),
        ("de", "Wie pflege ich alte Häuser?", "haus"),
        ("de", "Er sagte: „Guten Morgen“", "morgen"),
        ("ru", "Расскажи о книгах", "книга"),
        ("es", "¿Cómo hago panes?", "cómo pan"),
        ("ar", "ما هي أفضل الكتب؟", "كتب"),
        ("hi", "मुझे हिन्दी किताबें चाहिए", "हिन्दी"),
        ("zh", "我想学习机器学习，从哪里开始？", "机器学习"),
        ("zh", "我想学习机器学习，从哪里开始？", "机"),
        ("zh", "我想学习机器学习，从哪里开始？", "始"),
        ("zh", "用Python写机器学习程序", "python 学习"),
        ("ja", "東京でラーメンを食べたい。", "ラーメン"),
        ("th", "ฉันอยากเรียนภาษาไทย", "ภาษาไทย"),
        ("en", "What does 学习 mean?", "学习"),
        ("en", "Ｆｕｌｌ ｗｉｄｔｈ letters", "full width"),
    ],
)
def test_words_are_found_by_the_rules_of_their_language(
    alice: User, lang: str, text: str, asked: str
) -> None:
    write(text, lang)

    assert found(alice, asked) == [text]


@pytest.mark.parametrize(
    ("lang", "text", "asked"),
    [
        ("en", "I read the Häuser sign", "haus"),
        ("zh", "我想学习机器学习", "学机"),
        ("zh", "学生在学，习惯很好", "学习"),
        ("zh", "机器在学习", '"机器学习"'),
        ("ja", "東京タワー", "京都"),
    ],
)
def test_what_is_not_said_is_not_found(alice: User, lang: str, text: str, asked: str) -> None:
    write(text, lang)

    assert found(alice, asked) == []


def test_operators_narrow_what_is_found(alice: User) -> None:
    write("rye bread at home")
    write("wheat bread and cake")

    assert found(alice, "bread -cake") == ["rye bread at home"]
    assert found(alice, '"bread rye"') == []
    assert sorted(found(alice, "rye OR cake bread")) == [
        "rye bread at home",
        "wheat bread and cake",
    ]


def test_words_that_are_everywhere_are_left_out_and_named(alice: User) -> None:
    write("The cat")

    assert ask(alice, "the cat", langs=["en"]).left_out == ["the"]
    assert found(alice, "the cat", langs=["en"]) == ["The cat"]
    assert found(alice, "the", langs=["en"]) == ["The cat"]


def test_a_word_is_common_in_one_language_and_asked_for_in_the_other(alice: User) -> None:
    write("Machines that die early")
    write("Die Maschinen", "de")

    assert found(alice, "die") == ["Machines that die early"]


def test_other_words_are_found_at_once_and_those_before_no_more(alice: User) -> None:
    message = write("baking bread")
    message.text = "singing songs"
    message.save()

    assert found(alice, "song") == ["singing songs"]
    assert found(alice, "bread") == []


def test_configurations_are_those_of_the_database() -> None:
    langs = [*sql.CONFIGURATIONS, "pt-BR", "nb-NO", "zh", sql.OTHER]
    with connection.cursor() as cursor:
        cursor.execute("SELECT cfgname FROM pg_ts_config WHERE cfgname <> 'simple'")
        there = {name for (name,) in cursor.fetchall()}
        cursor.execute(
            "SELECT lang, tasks_app_search_config(lang)::text FROM unnest(%s::text[]) lang", [langs]
        )
        stored = dict(cursor.fetchall())

    assert set(sql.CONFIGURATIONS.values()) == there
    assert stored == {lang: sql.configuration(lang) for lang in langs}


@pytest.fixture
def older(alice: User) -> list[Message]:
    """Three messages with the words of an earlier release, which a migration has told of."""
    messages = [write(f"baking {n}") for n in range(3)]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_app_message SET search_vector = to_tsvector('simple', text)")
    EventCursor.objects.create(source=search_filling.SOURCE, seen_at=timezone.now())
    return messages


def test_filling_gives_older_messages_their_words(alice: User, older: list[Message]) -> None:
    assert found(alice, "bake") == []

    jobs.fill_search_words()

    assert len(found(alice, "bake")) == len(older)
    assert not EventCursor.objects.filter(source=search_filling.SOURCE).exists()


def test_filling_goes_on_where_it_stopped(alice: User, older: list[Message]) -> None:
    _first, second, third = sorted(older, key=lambda message: message.pk)
    cursor = EventCursor.objects.filter(source=search_filling.SOURCE)
    cursor.update(position=second.pk.int >> search_filling.UNSEEN_BITS)

    search_filling.go_on(for_s=-1, now=timezone.now())

    assert found(alice, "bake") == []
    assert cursor.exists()

    search_filling.go_on(for_s=60, now=timezone.now())

    assert set(found(alice, "bake")) == {second.text, third.text}
    assert not cursor.exists()


def test_nothing_is_filled_where_no_migration_told_of_it(alice: User, older: list[Message]) -> None:
    EventCursor.objects.filter(source=search_filling.SOURCE).delete()

    jobs.fill_search_words()

    assert found(alice, "bake") == []


# Who sees what


def test_others_see_neither_held_nor_deleted_nor_rejected_words(
    alice: User, bob: User, mona: User
) -> None:
    states: tuple[dict[str, Any], ...] = (
        {"held": True, "review_result": None, "review_count": 0},
        {"deleted": True},
        {"review_result": False},
    )
    for number, state in enumerate(states):
        message = write(f"secret {number}", author=alice)
        Message.objects.filter(pk=message.pk).update(**state)

    for reader in (bob, mona):
        seen = ask(reader, "secret")
        assert (seen.messages, seen.total, seen.counts["lang"]) == ([], 0, {})
    assert found(bob, "secret author:me") == []
    assert sorted(found(alice, "secret author:me")) == ["secret 0", "secret 1", "secret 2"]
    assert sorted(found(alice, "secret author:me state:rejected")) == ["secret 1", "secret 2"]


def test_others_cannot_ask_for_what_was_rejected(alice: User) -> None:
    write("bread")

    seen = ask(alice, "bread state:rejected")

    assert [each.value for each in seen.misunderstood] == ["rejected"]
    assert [message.text for message in seen.messages] == ["bread"]


def test_only_languages_of_the_reader_are_searched(alice: User) -> None:
    write("taxi", "fr")

    assert found(alice, "taxi", langs=["en"]) == found(alice, "taxi lang:fr", langs=["en"]) == []
    assert found(alice, "taxi", langs=["en", "fr"]) == ["taxi"]
    assert found(alice, "taxi", langs=["en", "fr"], lang="en") == []


def test_conditions_on_role_and_time(alice: User) -> None:
    grown = grow("P(A)", now=NOW)
    Message.objects.filter(tree=grown.tree).update(text="bread")
    grown = grow("P", now=NOW - timedelta(days=40))
    Message.objects.filter(tree=grown.tree).update(text="old bread")
    month = f"{NOW:%Y-%m}"

    assert found(alice, "bread role:assistant") == ["bread"]
    assert found(alice, f"bread after:{month}") == ["bread", "bread"]
    assert found(alice, f"bread before:{month}") == ["old bread"]
    assert found(alice, "role:assistant") == ["bread"]


# Counts and order


def test_counts_are_of_all_that_was_found(alice: User) -> None:
    grown = grow("P(A? A)", now=NOW)
    Message.objects.filter(tree=grown.tree).update(text="taxi")
    write("taxi", "de")
    halted = grow("P(A?)", state=TreeState.HALTED_BY_MODERATOR)
    Message.objects.filter(tree=halted.tree).update(text="taxi")

    seen = ask(alice, "taxi")

    assert (seen.total, seen.is_more) == (6, False)
    assert seen.counts["lang"] == {"en": 5, "de": 1}
    assert seen.counts["role"] == {"prompter": 3, "assistant": 3}
    assert seen.counts["state"] == {"accepted": 4, "review": 1}
    assert len(found(alice, "taxi state:review")) == 1


@pytest.mark.parametrize("langs", [["en"], [*EVERYWHERE]])
@pytest.mark.parametrize("window", [0, 2, 100])
def test_pages_follow_each_other_however_little_is_looked_at_first(
    alice: User, monkeypatch: pytest.MonkeyPatch, langs: list[str], window: int
) -> None:
    monkeypatch.setattr(search_hits, "WINDOW", window)
    monkeypatch.setattr(browsing, "PAGE_SIZE", 2)
    texts = [f"taxi {n}" for n in range(5)]
    for number, text in enumerate(texts):
        write(text, now=NOW - timedelta(minutes=number // 2))
        write("a walk")

    for more in ({}, {"by_relevance": True}):
        pages, place = [], None
        while place or not pages:
            page = ask(alice, "taxi", langs=langs, before=place, **more)
            pages.append([message.text for message in page.messages])
            place = page.more and search.place(str(page.more))

        assert [len(page) for page in pages] == [2, 2, 1]
        assert sorted(text for page in pages for text in page) == texts


def test_common_words_are_counted_among_the_newest_only(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_hits, "WINDOW", 2)
    monkeypatch.setattr(search, "COMMON", 3)
    for number in range(5):
        write("taxi", now=NOW - timedelta(minutes=number))

    seen = ask(alice, "taxi")

    assert (seen.total, seen.is_more) == (3, True)
    assert len(seen.messages) == 3


def test_no_more_than_so_many_are_counted(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_COUNTED", 2)
    for _ in range(3):
        write("taxi")

    seen = ask(alice, "taxi")

    assert (seen.total, seen.is_more) == (2, True)


def test_the_best_match_comes_first_where_that_is_asked_for(alice: User) -> None:
    write("taxi taxi taxi", now=NOW - timedelta(days=1))
    write("one taxi among very many other words that say something else", now=NOW)

    assert found(alice, "taxi")[0].startswith("one taxi")
    assert found(alice, "taxi", by_relevance=True)[0] == "taxi taxi taxi"


# Patience


def test_a_query_that_takes_too_long_is_given_up() -> None:
    with (
        pytest.raises(search.TooSlow),
        database.at_most(20, search.TooSlow),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT pg_sleep(5)")


# The desk


def test_the_desk_finds_words_of_every_language() -> None:
    texts = {"de": "alte Häuser", "en": "old houses", "zh": "老房子", "fr": "deux maisons"}
    for lang, text in texts.items():
        write(text, lang)

    def at_desk(words: str) -> set[str]:
        return {message.text for message in Message.objects.matching(words)}

    assert at_desk("haus") == {"alte Häuser"}
    assert at_desk("house OR maison OR 房子 OR haus") == set(texts.values())
    assert at_desk("lang:de") == at_desk("- & |") == set()
