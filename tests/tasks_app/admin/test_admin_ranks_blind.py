"""A moderator who ranks replies of people and models learns at the desk as little as anybody."""

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import reactions
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, MessageTree, Report, Task, WritingTrace
from tests.factories import crowd, grow
from tests.sessions import SignIn
from tests.tasks_app.admin.desk import list_of, page_of
from tests.tasks_app.views import given
from tests.tasks_app.views.test_blind_ranking import MODEL, answer, places

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
LATER = "Shown once you have ranked this"


@pytest.fixture
def tree(bob: User, alice: User) -> MessageTree:
    """Two replies by a model, two by Bob and Alice, who typed theirs. All are reported."""
    grown = grow("P(A A A A)", state=TreeState.RANKING)
    for message, person in zip(grown.messages[1:], (None, None, bob, alice), strict=True):
        written_by(message, person)
    (reporter,) = crowd(1)
    for message in grown.messages[1:]:
        reactions.report(message.pk, reporter, "pii", "", now=timezone.now())
    return grown.tree


def written_by(message: Message, person: User | None) -> None:
    Message.objects.filter(pk=message.pk).update(
        user=person,
        synthetic=person is None,
        model_name="" if person else MODEL,
        provenance={"pasted": 0.5} if person else {},
    )
    if person:
        trace = WritingTrace(message=message, pasted=len(message.text), seconds=1)
        WritingTrace.objects.bulk_create([trace], ignore_conflicts=True)
    else:
        WritingTrace.objects.filter(message=message).delete()


@pytest.fixture
def task(mona: User, tree: MessageTree) -> Task:
    return given.task(mona, TaskType.RANK_ASSISTANT_REPLIES, Message.objects.get(pk=tree.pk))


def replies_of(tree: MessageTree) -> list[Message]:
    return list(Message.objects.filter(tree=tree, depth=1).order_by("id"))


def exchange(tree: MessageTree) -> None:
    """What people wrote was written by the model, and the other way round."""
    replies = replies_of(tree)
    people = [reply.user for reply in replies if reply.user]
    for reply in replies:
        written_by(reply, None if reply.user else people.pop())


def addresses(tree: MessageTree, people: list[User]) -> list[str]:
    replies, reports = replies_of(tree), Report.objects.filter(message__tree=tree)
    rows = [tree, Message.objects.get(pk=tree.pk), *replies, *reports, *people]
    public = [f"/trees/{tree.pk}/", *(f"/messages/{reply.pk}/" for reply in replies), "/messages/"]
    return [*public, "/admin/", *map(list_of, (Message, MessageTree, Report)), *map(page_of, rows)]


def test_the_desk_is_the_same_whoever_wrote_what(
    moderator: Client, task: Task, tree: MessageTree, alice: User, bob: User
) -> None:
    pages = addresses(tree, [alice, bob])
    before = {url: answer(moderator, url) for url in pages}

    exchange(tree)

    for url, found in before.items():
        assert found[0] == 200, url
        assert answer(moderator, url) == found, url
        assert "Written by a model" not in found[1], url
        assert MODEL not in found[1], url


def test_the_desk_says_when_it_tells_and_leads_to_the_task(
    moderator: Client, task: Task, tree: MessageTree
) -> None:
    told = f'href="{given.url(task)}">{LATER}</a>'

    assert moderator.get(page_of(tree)).text.count(told) == 5
    assert told in moderator.get(page_of(replies_of(tree)[0])).text
    assert told in moderator.get(list_of(Message)).text
    assert told in moderator.get(page_of(Report.objects.earliest("created_at"))).text


@pytest.mark.parametrize("end", ["sent", "skipped", "expired"])
def test_the_desk_tells_once_the_task_has_ended(
    moderator: Client, task: Task, tree: MessageTree, end: str
) -> None:
    if end == "sent":
        moderator.post(given.url(task), places(task))
    elif end == "skipped":
        moderator.post(given.url(task, action="skip"))
    else:
        Task.objects.filter(pk=task.pk).update(expires_at=timezone.now())

    page = moderator.get(page_of(tree)).text
    assert page.count("Written by a model") == page.count(MODEL) == 2
    assert LATER not in page
    assert "Written by a model" in moderator.get(f"/trees/{tree.pk}/").text


def test_one_who_does_not_rank_is_told(
    sign_in: SignIn, root: User, task: Task, tree: MessageTree, bob: User
) -> None:
    page = sign_in(root).get(page_of(tree)).text

    assert page.count("Written by a model") == 2
    assert bob.public_name in page
    assert LATER not in page


def test_a_person_s_reply_alone_on_a_page_does_not_tell_either(
    moderator: Client, task: Task, tree: MessageTree, bob: User
) -> None:
    Message.objects.filter(tree=tree).exclude(user=bob).update(deleted=True)

    assert bob.public_name not in moderator.get("/messages/").text


def test_the_desk_holds_back_the_tree_that_was_copied(
    moderator: Client, task: Task, tree: MessageTree, bob: User
) -> None:
    original = grow("P(A(P) A)", state=TreeState.READY_FOR_EXPORT)
    prompt, reply, below = original.messages[:3]
    for message, text in ((prompt, "Tell of the sea."), (reply, "Salt, and"), (below, "Gulls?")):
        Message.objects.filter(pk=message.pk).update(text=text, user=bob)
    pages = [*map(page_of, (original.tree, prompt, reply, below)), page_of(bob), list_of(Message)]
    assert all("Salt, and" in moderator.get(url).text for url in pages)

    MessageTree.objects.filter(pk=tree.pk).update(copy_of=original.tree)

    for url in pages:
        page = moderator.get(url).text
        assert "Salt, and" not in page, url
        assert "Gulls?" not in page, url
    assert "Tell of the sea." in moderator.get(pages[0]).text  # the prompt tells nothing
    assert "Held back for a while" in moderator.get(pages[0]).text
    moderator.post(given.url(task), places(task))
    assert all("Salt, and" in moderator.get(url).text for url in pages)
