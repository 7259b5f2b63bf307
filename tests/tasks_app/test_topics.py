"""What conversations are about: suggested by words, chosen by people, told to readers and files."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import erasing, export_format, exporting, importing, moderation, topic_hints, topics
from tasks_app.enums import TaskType, Topic, TreeState
from tasks_app.errors import NotAllowed, TooManyTopics, TopicsNotYours
from tasks_app.models import Message, MessageTree, Task
from tasks_app.topic_records import TopicChange, TreeTopic
from tests.factories import GOOD, NOW, grow, label, person, write_prompt
from tests.sessions import HTMX, SignIn
from tests.tasks_app.admin.desk import page_of
from tests.tasks_app.views import given

PYTHON = "How do I write a recursive function in Python?"
RECIPE = "Give me a recipe for sourdough bread."


def names(tree: MessageTree | Message, *, suggested: bool | None = None) -> list[str]:
    rows = topics.of(getattr(tree, "tree_id", tree.pk))
    return [row.topic for row in rows if suggested in (None, row.suggested)]


# Suggestions


@pytest.mark.parametrize(
    ("lang", "text", "found"),
    [
        ("en", PYTHON, ["programming"]),
        ("en-GB", RECIPE, ["cooking"]),
        ("de", "Wie backe ich einen Kuchen ohne Ofen?", ["cooking"]),
        ("es", "¿Qué síntomas tiene la diabetes?", ["health"]),
        ("fr", "Explique-moi les trous noirs.", ["science"]),
        ("ru", "Посоветуй хороший фильм на вечер", ["arts"]),
        ("zh", "请帮我写一段代码，用Python排序。", ["programming"]),
        ("ar", "كيف أتعلم البرمجة؟", ["programming"]),
        ("sw", "Ninawezaje kujifunza Python?", ["programming"]),
        ("en", "What do you think?", []),
        ("en", "The cathedral category concatenates scatter plots.", []),
        ("../../etc/passwd", "x" * 10_000, []),
    ],
)
def test_topics_are_suggested_by_words_of_the_language(
    lang: str, text: str, found: list[str]
) -> None:
    assert topics.suggest(text, lang) == found


def test_suggestion_says_by_which_words() -> None:
    [found] = topic_hints.suggest(PYTHON, "en")

    assert found.words == ("function", "python", "recursive function")


def test_every_list_of_words_is_of_known_topics() -> None:
    for path in topic_hints.FOLDER.glob("*.yaml"):
        told = {entry.topic for entry in topic_hints.entries(path.stem)}
        assert told <= set(Topic), path.stem
        assert path.stem == topic_hints.EVERYWHERE or told == set(Topic), path.stem


# Conversations without any


def without_topics(text: str = PYTHON, **fields: object) -> MessageTree:
    tree = grow("P").tree
    Message.objects.filter(pk=tree.pk).update(text=text, **fields)
    return tree


def suggest_all(*words: str) -> str:
    out = StringIO()
    call_command("suggest_topics", *words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_old_trees_are_given_suggestions_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "BATCH", 2)
    old = [without_topics() for _number in range(5)]
    nothing = without_topics("What do you think?")

    first, again = suggest_all(), suggest_all()

    assert first == "Suggested topics for 5 of 6 conversations without any.\n"
    assert again == "Suggested topics for 0 of 1 conversations without any.\n"
    for tree in old:
        assert names(tree, suggested=True) == ["programming"]
    assert names(nothing) == []


@pytest.mark.django_db
def test_what_people_chose_and_what_is_gone_is_left_alone(mona: User) -> None:
    chosen, emptied = without_topics(), without_topics()
    topics.choose(chosen.pk, mona, ["home"], now=NOW)
    topics.choose(emptied.pk, mona, [], now=NOW)
    gone, copy = without_topics(deleted=True), without_topics()
    MessageTree.objects.filter(pk=copy.pk).update(copy_of=chosen)

    suggest_all()

    assert [names(tree) for tree in (chosen, emptied, gone, copy)] == [["home"], [], [], []]


@pytest.mark.django_db
def test_a_run_that_was_broken_off_goes_on() -> None:
    first, second = sorted([without_topics(), without_topics()], key=lambda tree: tree.pk)

    suggest_all("--after", str(first.pk))

    assert (names(first), names(second)) == ([], ["programming"])


# From the author on


@pytest.mark.django_db
def test_author_sees_suggestions_and_they_are_taken(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.INITIAL_PROMPT)
    shown = web.post(given.url(task, action="preview"), {"text": PYTHON}, headers=HTMX)
    plain = web.post(given.url(task, action="preview"), {"text": PYTHON})

    web.post(given.url(task), {"text": PYTHON})

    assert "Suggested by your words: Programming." in shown.text
    assert "Suggested by your words: Programming." in plain.text
    message = Message.objects.get(user=alice)
    assert names(message, suggested=True) == ["programming"]
    assert not TopicChange.objects.exists()


@pytest.mark.django_db
def test_author_chooses_others_and_the_draft_keeps_them(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.INITIAL_PROMPT)
    chosen = {"topic_work": "on", "topic_games": "on"}
    web.post(given.url(task, action="draft"), {"text": PYTHON, **chosen})
    page = web.get(given.url(task)).text
    assert page.count("checked") == 2
    assert "Suggested by your words: Programming." in page

    web.post(given.url(task), {"text": PYTHON, **chosen})

    message = Message.objects.get(user=alice)
    assert names(message, suggested=False) == ["work", "games"]
    change = TopicChange.objects.get()
    assert (change.user, change.topics) == (alice, ["work", "games"])


@pytest.mark.django_db
def test_a_text_that_came_too_late_keeps_its_topics(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.INITIAL_PROMPT)
    Task.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    sent = {"text": PYTHON, "origin": "adapted", "source": "a book", "topic_work": "on"}

    refused = web.post(given.url(task), sent)
    again = web.post(given.url(task, action="reclaim"), follow=True)

    assert refused.status_code == 410
    assert again.context["form"].initial == sent
    assert again.text.count(" checked") == 2
    assert not TreeTopic.objects.exists()


@pytest.mark.django_db
def test_more_than_three_are_too_many_and_the_text_stays(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.INITIAL_PROMPT)
    many = {f"topic_{topic}": "on" for topic in list(Topic)[:4]}

    page = web.post(given.url(task), {"text": PYTHON, **many})

    assert page.status_code == 422
    assert "three topics at most" in page.text
    assert PYTHON in page.text
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_replies_are_asked_for_no_topics(web: Client, alice: User) -> None:
    task = given.task(alice, TaskType.ASSISTANT_REPLY, grow("P").root)

    assert "topic_" not in web.get(given.url(task)).text
    shown = web.post(given.url(task, action="preview"), {"text": PYTHON}, headers=HTMX)
    web.post(given.url(task), {"text": PYTHON, "topic_work": "on"})

    assert "topic-hint" not in shown.text
    assert not TreeTopic.objects.exists()


# Later


@pytest.fixture
def prompt(db: None, alice: User) -> Message:
    return write_prompt(alice, RECIPE)


@pytest.mark.parametrize("who", ["author", "reviewer", "moderator"])
def test_who_knows_the_prompt_chooses_its_topics_on_record(
    prompt: Message, sign_in: SignIn, alice: User, bob: User, mona: User, who: str
) -> None:
    label(bob, prompt, GOOD)
    user = {"author": alice, "reviewer": bob, "moderator": mona}[who]
    web, url = sign_in(user), f"/trees/{prompt.tree_id}/topics/"
    assert "Change topics" in web.get(f"/trees/{prompt.tree_id}/").text
    assert 'name="topic_cooking" id="id_topic_cooking" checked' in web.get(url).text

    page = web.post(url, {"topic_home": "on", "topic_made_up": "on"}, follow=True)

    assert names(prompt) == ["home"]
    assert "Home and garden" in page.text
    assert [(row.user, row.topics) for row in TopicChange.objects.all()] == [(user, ["home"])]


def test_confirmed_once_is_no_suggestion_and_again_is_nothing(prompt: Message, alice: User) -> None:
    assert names(prompt, suggested=True) == ["cooking"]
    for _ in range(2):
        topics.choose(prompt.tree_id, alice, ["cooking"], now=NOW)

    assert names(prompt, suggested=False) == ["cooking"]
    assert TopicChange.objects.count() == 1


def test_others_read_topics_only(prompt: Message, sign_in: SignIn, bob: User) -> None:
    web = sign_in(bob)

    page = web.get(f"/trees/{prompt.tree_id}/").text

    assert "?topic=cooking" in page
    assert "Change topics" not in page
    assert web.get(f"/trees/{prompt.tree_id}/topics/").status_code == TopicsNotYours.status
    refused = web.post(f"/trees/{prompt.tree_id}/topics/", {"topic_home": "on"})
    assert refused.status_code == TopicsNotYours.status
    assert names(prompt) == ["cooking"]


def test_domain_refuses_too_many_and_whoever_is_muted(prompt: Message, mona: User) -> None:
    muted = person("Max", muted_until=NOW.replace(year=2999))

    with pytest.raises(TooManyTopics):
        topics.choose(prompt.tree_id, mona, list(Topic)[:4], now=NOW)
    with pytest.raises(NotAllowed):
        topics.choose(prompt.tree_id, muted, [], now=NOW)

    assert names(prompt) == ["cooking"]


def test_another_text_is_suggested_for_anew_unless_somebody_chose(
    prompt: Message, mona: User
) -> None:
    moderation.edit_message(prompt.pk, PYTHON, actor=mona, reason="Typo.", now=NOW)
    assert names(prompt, suggested=True) == ["programming"]

    topics.choose(prompt.tree_id, mona, [], now=NOW)
    moderation.edit_message(prompt.pk, RECIPE, actor=mona, reason="Typo.", now=NOW)

    assert names(prompt) == []


def test_nothing_is_kept_of_a_prompt_that_its_author_erases(prompt: Message, alice: User) -> None:
    topics.choose(prompt.tree_id, alice, ["home"], now=NOW)

    erasing.erase_texts(alice, now=NOW)

    assert not TreeTopic.objects.exists()
    assert not TopicChange.objects.exists()


def test_moderators_see_topics_and_who_chose_them(
    prompt: Message, moderator: Client, alice: User
) -> None:
    topics.choose(prompt.tree_id, alice, ["home"], now=NOW)
    other = grow("P").tree

    page = moderator.get(page_of(prompt.tree)).text
    found = moderator.get("/admin/tasks_app/messagetree/?topic=home").text

    assert "Home and garden" in page
    assert f"{page_of(alice)}" in page
    assert str(prompt.tree_id) in found
    assert str(other.pk) not in found


# Files


@pytest.mark.django_db
@pytest.mark.parametrize("file_format", [exporting.Format.TREES, exporting.Format.MESSAGES])
def test_topics_go_out_and_come_back(tmp_path: Path, file_format: exporting.Format) -> None:
    tree = grow("P(A)", state=TreeState.READY_FOR_EXPORT).tree
    topics._store(tree.pk, [Topic.GAMES, Topic.ARTS, "made up"], suggested=True)
    path = tmp_path / "trees.jsonl"
    with export_format.open_output(path) as stream:
        exporting.export(stream, file_format, exporting.Selection(), exporting.Telling())
    MessageTree.objects.all().delete()

    importing.import_trees(path, now=NOW, on_bad=lambda bad: pytest.fail(bad.reason))

    assert '"topics":["arts","games","made up"]' in path.read_text()
    assert path.read_text().count("topics") == 1
    assert names(tree, suggested=False) == ["arts", "games"]


@pytest.mark.parametrize("value", ["programming", [1], {"a": 1}, ["\x00"]])
def test_topics_of_a_file_are_names(value: object) -> None:
    prompt = {"message_id": "a", "text": "x", "role": "prompter"}

    with pytest.raises(export_format.FormatError, match="topics"):
        export_format.tree_from_json({"message_tree_id": "a", "prompt": prompt, "topics": value})


# Reading


def test_messages_are_found_by_topic(prompt: Message, web: Client, bob: User) -> None:
    other = write_prompt(bob, PYTHON)

    page = web.get("/messages/?topic=cooking")

    assert RECIPE in page.text
    assert PYTHON not in page.text
    assert PYTHON in web.get("/messages/").text
    assert names(other) == ["programming"]
