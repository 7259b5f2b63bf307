"""Whoever ranks replies of people and models cannot tell which is whose until they have ranked."""

import re
from datetime import timedelta

import pytest
from django.db.models import BooleanField, Case, Value, When
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app.config import overridden
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, MessageTree, Ranking, Task, WritingTrace
from tests.factories import crowd, grow
from tests.sessions import SignIn
from tests.tasks_app.views import given

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

MODEL = "secret-7b"
# What differs between any two answers to the same request.
_CHANGING = re.compile(
    r'csrfmiddlewaretoken" value="[^"]+"|"X-CSRFToken": ?"[^"]+"|nonce="[^"]+"|'
    r"request[_-]id[^<>]*|(?:datetime|data-until|data-saved-at|title)=\"[^\"]*\d\d:\d\d[^\"]*\""
)


@pytest.fixture
def tree() -> MessageTree:
    """A prompt with four replies, two of them by a model."""
    grown = grow("P(A A A A)", state=TreeState.RANKING)
    Message.objects.filter(tree=grown.tree).update(created_at=timezone.now() - timedelta(days=1))
    written_by_model(grown.messages[1], grown.messages[2])
    return grown.tree


@pytest.fixture
def task(alice: User, tree: MessageTree) -> Task:
    root = Message.objects.get(pk=tree.pk)
    return given.task(alice, TaskType.RANK_ASSISTANT_REPLIES, root)


def written_by_model(*messages: Message) -> None:
    Message.objects.filter(pk__in=[message.pk for message in messages]).update(
        synthetic=True, model_name=MODEL
    )


def exchange_origins(tree: MessageTree) -> None:
    """What the model wrote was written by a person, and the other way round."""
    replies = Message.objects.filter(tree=tree, depth=1)
    was_model = list(replies.filter(synthetic=True).values_list("pk", flat=True))
    replies.update(
        synthetic=Case(
            When(pk__in=was_model, then=Value(False)),
            default=Value(True),
            output_field=BooleanField(),
        )
    )
    replies.filter(synthetic=True).update(model_name=MODEL, imported_author="")
    replies.filter(synthetic=False).update(model_name="", imported_author="someone")
    WritingTrace.objects.all().delete()
    WritingTrace.objects.bulk_create(
        WritingTrace(message=reply, pasted=len(reply.text), seconds=1)
        for reply in replies.filter(synthetic=False)
    )


def answer(web: Client, url: str) -> tuple[int, str, str]:
    """All that a browser gets, without what changes each time."""
    response = web.get(url)
    body = _CHANGING.sub("", response.content.decode())
    headers = {name: value for name, value in response.headers.items() if "ecurity" not in name}
    for name in ("X-Request-ID", "Expires"):
        headers.pop(name, None)
    return response.status_code, body, str(headers)


def addresses(task: Task) -> list[str]:
    """Every page on which somebody who ranks could look for the origin."""
    reply = task.shown_ids[0]
    return [
        given.url(task),
        given.url(task, action="differences"),
        f"/trees/{task.tree_id}/",
        *(f"/messages/{pk}/" for pk in task.shown_ids),
        f"/messages/{reply}/report/",
        f"/messages/{reply}/react/",
        f"/messages/{reply}/labels/",
        "/messages/",
        f"/messages/?q={MODEL}",
        "/contributions/",
        "/dashboard/",
    ]


@pytest.mark.parametrize(
    "state",
    [TreeState.RANKING, pytest.param(TreeState.READY_FOR_EXPORT, marks=pytest.mark.full)],
)
def test_pages_are_the_same_whoever_wrote_what(
    web: Client, task: Task, tree: MessageTree, state: TreeState
) -> None:
    """Also once the tree is finished, for an order that comes late still counts."""
    MessageTree.objects.filter(pk=tree.pk).update(state=state, active=not state.is_terminal)
    before = {url: answer(web, url) for url in addresses(task)}

    exchange_origins(tree)

    for url, (status, body, headers) in before.items():
        assert status == 200, url
        assert answer(web, url) == (status, body, headers), url
        assert "Written by a" not in body, url
        assert MODEL not in body.replace(f"q={MODEL}", "").replace(f'value="{MODEL}"', ""), url


def test_all_synthetic_replies_are_not_told_either(web: Client, task: Task) -> None:
    Message.objects.filter(pk__in=task.shown_ids).update(synthetic=True, model_name=MODEL)

    page = web.get(given.url(task)).text

    assert "Written by a" not in page
    assert MODEL not in page


def test_order_shown_does_not_follow_the_origin() -> None:
    """Over many people, a model's reply stands on each place about as often."""
    people = crowd(150)
    with overridden(num_required_rankings=len(people)):
        grown = grow("P(A A A A)", state=TreeState.RANKING)
    written_by_model(grown.messages[1], grown.messages[2])
    synthetic = {str(message.pk) for message in grown.messages[1:3]}
    counts = [0, 0, 0, 0]
    for person in people:
        shown = given.task(person, TaskType.RANK_ASSISTANT_REPLIES, grown.root).shown_ids
        for place, pk in enumerate(shown):
            counts[place] += pk in synthetic

    assert sum(counts) == 300
    assert min(counts) > 50


def places(task: Task) -> dict[str, str]:
    return {f"place_{pk}": str(n) for n, pk in enumerate(task.shown_ids, start=1)}


@pytest.mark.parametrize(
    ("first_is_model", "words"),
    [(True, "Your first place went to a model."), (False, "Your first place went to a person.")],
)
def test_submit_tells_whose_was_which(
    web: Client, task: Task, first_is_model: bool, words: str
) -> None:
    first = Message.objects.get(pk=task.shown_ids[0])
    if first.synthetic is not first_is_model:
        exchange_origins(task.tree)

    response = web.post(given.url(task), places(task))

    assert response["Location"] == given.url(task)
    page = web.get(given.url(task)).text
    assert page.count("Written by a model") == page.count(MODEL) == 2
    assert page.count("Written by a person") == 2
    assert words in page
    assert f'href="/tasks/{task.kind}/next/"' in page


def test_a_shared_first_place_went_to_nobody_alone(web: Client, task: Task) -> None:
    web.post(given.url(task), dict.fromkeys(places(task), "1"))

    page = web.get(given.url(task)).text
    assert "people and models are named below" in page
    assert "first place went" not in page


def test_refused_order_tells_nothing(web: Client, task: Task) -> None:
    page = web.post(given.url(task), places(task) | {f"place_{task.shown_ids[0]}": ""})

    assert page.status_code == 422
    assert "Written by a" not in page.text
    assert not Ranking.objects.exists()


def test_a_skipped_task_tells_nothing(web: Client, task: Task) -> None:
    web.post(given.url(task, action="skip"))

    assert "Written by a" not in web.get(given.url(task)).text


def test_one_persons_answer_opens_nothing_to_others(
    web: Client, task: Task, sign_in: SignIn, bob: User
) -> None:
    other = given.task(bob, TaskType.RANK_ASSISTANT_REPLIES, task.message)
    web.post(given.url(task), places(task))

    assert "Written by a" not in sign_in(bob).get(given.url(other)).text
    assert "Written by a" not in sign_in(bob).get(f"/trees/{task.tree_id}/").text


def test_replies_of_people_alone_need_no_origin(web: Client, alice: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    task = given.task(alice, TaskType.RANK_ASSISTANT_REPLIES, grown.root)

    response = web.post(given.url(task), places(task))

    assert response["Location"] == f"/tasks/{task.kind}/next/"
    assert "Written by a" not in web.get(given.url(task)).text


def test_a_moderator_who_ranks_is_blind_too(sign_in: SignIn, mona: User, tree: MessageTree) -> None:
    page = sign_in(mona).get(f"/trees/{tree.pk}/").text
    assert "Written by a model" in page

    given.task(mona, TaskType.RANK_ASSISTANT_REPLIES, Message.objects.get(pk=tree.pk))

    assert "Written by a" not in sign_in(mona).get(f"/trees/{tree.pk}/").text


# The tree from which a prompt and a person's reply were taken


@pytest.fixture
def original(tree: MessageTree, bob: User) -> MessageTree:
    """A finished tree of which `tree` is a copy: prompt, Bob's reply, and a prompt below it."""
    grown = grow("P(A(P) A)", state=TreeState.READY_FOR_EXPORT)
    Message.objects.filter(pk=grown.messages[0].pk).update(text="Tell of the sea.")
    Message.objects.filter(pk=grown.messages[1].pk).update(text="Salt, and gulls.", user=bob)
    Message.objects.filter(pk=grown.messages[2].pk).update(text="Why gulls?")
    MessageTree.objects.filter(pk=tree.pk).update(copy_of=grown.tree)
    return grown.tree


def reply_of(original: MessageTree) -> Message:
    return Message.objects.get(tree=original, text="Salt, and gulls.")


def test_the_original_does_not_tell_which_reply_is_a_persons(
    web: Client, original: MessageTree
) -> None:
    reply = reply_of(original)
    pages = [f"/trees/{original.pk}/", f"/messages/{reply.pk}/", "/messages/", "/messages/?q=gulls"]

    for url in pages:
        page = web.get(url)
        assert page.status_code == 200, url
        assert "Salt, and" not in page.text, url
        assert "Why gulls" not in page.text, url
    assert "Held back for a while" in web.get(pages[0]).text
    assert "Tell of the sea" in web.get(pages[0]).text  # the prompt tells nothing
    for action in ("report", "react", "labels"):
        assert web.get(f"/messages/{reply.pk}/{action}/").status_code == 404


def test_the_original_can_be_read_again_once_its_copy_is_ranked(
    web: Client, original: MessageTree, tree: MessageTree
) -> None:
    MessageTree.objects.filter(pk=tree.pk).update(state=TreeState.READY_FOR_EXPORT, active=False)

    assert "Salt, and gulls." in web.get(f"/trees/{original.pk}/").text
    assert "Salt, and gulls." in web.get("/messages/?q=gulls").text


def test_a_late_ranker_waits_until_their_own_order_is_sent(
    web: Client, task: Task, original: MessageTree, tree: MessageTree
) -> None:
    MessageTree.objects.filter(pk=tree.pk).update(state=TreeState.READY_FOR_EXPORT, active=False)
    assert "Salt, and gulls." not in web.get(f"/trees/{original.pk}/").text

    web.post(given.url(task), places(task))

    assert "Salt, and gulls." in web.get(f"/trees/{original.pk}/").text


def test_authors_read_their_own_words_all_the_time(
    sign_in: SignIn, bob: User, original: MessageTree
) -> None:
    page = sign_in(bob).get(f"/trees/{original.pk}/").text

    assert "Salt, and gulls." in page
    assert "Why gulls" not in page


def test_moderators_read_on_until_they_rank_themselves(
    sign_in: SignIn, mona: User, original: MessageTree, tree: MessageTree
) -> None:
    assert "Salt, and gulls." in sign_in(mona).get(f"/trees/{original.pk}/").text

    given.task(mona, TaskType.RANK_ASSISTANT_REPLIES, Message.objects.get(pk=tree.pk))

    assert "Salt, and gulls." not in sign_in(mona).get(f"/trees/{original.pk}/").text


def test_what_somebody_did_in_the_original_waits_too(
    web: Client, alice: User, tree: MessageTree
) -> None:
    """Whoever ranked the original finds the texts in no task of theirs."""
    grown = grow("P(A A)", state=TreeState.RANKING)
    done = given.task(alice, TaskType.RANK_ASSISTANT_REPLIES, grown.root)
    text = grown.messages[1].text
    web.post(given.url(done), places(done))
    assert text in web.get(given.url(done)).text

    MessageTree.objects.filter(pk=tree.pk).update(copy_of=grown.tree)

    page = web.get(given.url(done))
    assert page.status_code == 409
    assert text not in page.text
