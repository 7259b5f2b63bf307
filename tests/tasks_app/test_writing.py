"""How a text was entered: a quiet word for its reviewers, which nobody else hears or follows."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oasst import privacy
from oasst.accounts.models import User
from tasks_app import moderation, writing
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message, MessageTree, Task, WritingTrace
from tasks_app.writing import Counted, Entered
from tests.factories import NOW, grow, write_prompt
from tests.sessions import SignIn
from tests.tasks_app.admin.desk import page_of
from tests.tasks_app.views import given

pytestmark = pytest.mark.django_db
K = TaskType
LONG = "Bread needs time. " * 30
WORDS = "judge what it says"


def written(web: Client, user: User, text: str = LONG, **counts: str) -> Message:
    """A prompt, sent by its author's page half a minute after it was handed out."""
    task = given.task(user, K.INITIAL_PROMPT)
    Task.objects.filter(pk=task.pk).update(created_at=timezone.now() - timedelta(seconds=30))
    web.post(given.url(task), {"text": text, **counts})
    return Message.objects.get(user=user)


def told(message: Message) -> list[int]:
    row = WritingTrace.objects.get(message=message)
    return [row.pasted, row.seconds]


@pytest.mark.parametrize(
    ("counts", "kept"),
    [(("7", "20"), [7, 20]), (("999999999", "999999999"), [len(LONG.strip()), 30])],
)
def test_counts_are_kept_within_what_can_be(
    web: Client, alice: User, counts: tuple[str, str], kept: list[int]
) -> None:
    message = written(web, alice, pasted=counts[0], seconds=counts[1])

    assert told(message) == kept
    assert (message.held, message.review_result) == (False, None)


@pytest.mark.parametrize("value", ["", "-1", "9" * 400, "NaN", "٣", "1e9", "\x00", "<b>"])
def test_counts_that_are_none_keep_no_text_from_its_way(
    web: Client, alice: User, value: str
) -> None:
    message = written(web, alice, pasted=value, seconds="20")

    assert message.text == LONG.strip()
    assert not WritingTrace.objects.exists()


def test_reviewer_is_told_kindly_and_the_author_nothing(
    web: Client, sign_in: SignIn, alice: User, bob: User
) -> None:
    message = written(web, alice, pasted=str(len(LONG)), seconds="20")
    task = given.task(bob, K.LABEL_INITIAL_PROMPT, message)
    browser = sign_in(bob)

    page = browser.get(given.url(task)).text

    assert "Mostly pasted." in page
    assert WORDS in page
    browser.post(given.url(task), {"spam": "0"})
    own = [web.get(url).text for url in (f"/messages/{message.pk}/", "/contributions/")]
    after = [browser.get(url).text for url in (f"/messages/{message.pk}/", given.url(task))]
    assert not any("pasted" in page for page in own + after)


@pytest.mark.parametrize(
    ("entered", "unusual"),
    [
        (Entered(pasted=50, seconds=60, characters=100), True),
        (Entered(pasted=49, seconds=60, characters=100), False),
        (Entered(pasted=0, seconds=40, characters=900), True),
        (Entered(pasted=0, seconds=60, characters=900), False),
        (Entered(pasted=0, seconds=0, characters=199), False),
    ],
)
def test_only_what_is_unusual_is_worth_a_word(entered: Entered, unusual: bool) -> None:
    assert entered.is_unusual is unusual


def test_reviewer_is_told_of_a_text_that_came_quickly(
    web: Client, sign_in: SignIn, alice: User, bob: User
) -> None:
    message = written(web, alice, pasted="0", seconds="12")

    page = sign_in(bob).get(given.url(given.task(bob, K.LABEL_INITIAL_PROMPT, message)))

    assert f"{len(LONG.strip())} characters, entered in 12 seconds." in page.text


@pytest.mark.parametrize("secret", ["reply by a model beside it", "copy that is ranked blind"])
def test_reviewer_is_not_told_where_people_and_models_are_ranked(secret: str) -> None:
    grown = grow("P(A? A)")
    trace = WritingTrace(message=grown[1], pasted=100, seconds=0)
    trace.save()
    assert writing.hint(grown[1])

    if secret == "copy that is ranked blind":
        copy = grow("P(A A)", state=TreeState.RANKING).tree
        MessageTree.objects.filter(pk=copy.pk).update(copy_of=grown.tree)
    else:
        Message.objects.filter(pk=grown[2].pk).update(synthetic=True)

    assert writing.hint(grown[1]) is None


def test_moderators_see_the_counts(web: Client, moderator: Client, alice: User) -> None:
    message = written(web, alice, pasted="7", seconds="20")

    assert "7 of 539 characters pasted, 20 s at it" in moderator.get(page_of(message)).text


def test_another_text_and_a_closed_account_leave_nothing(alice: User, mona: User) -> None:
    messages = [write_prompt(alice, text) for text in ("Why is it so?", "How is it done?")]
    for message in messages:
        writing.keep(message, Counted(5, 0), handed_out=NOW)

    moderation.edit_message(messages[0].pk, "Why?", actor=mona, reason="Typo.", now=NOW)
    assert list(WritingTrace.objects.values_list("message", flat=True)) == [messages[1].pk]
    privacy.erase_person(alice, now=NOW)

    assert not WritingTrace.objects.exists()
