"""Texts that trip a check wait for a moderator: what trips, who is told, what happens then."""

import pytest
from django.urls import reverse
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib.desk.display import page_url
from tasks_app import checks, fate, holding, rewording, screening
from tasks_app.config import TreeConfig, overridden
from tasks_app.enums import TaskType
from tasks_app.models import Message, Offer
from tasks_app.screening import Found
from tests.factories import NOW, grow, hand_out, reply
from tests.sessions import signed_in

CARD = "4111 1111 1111 1111"
TEXT = f"Pay with {CARD} or write to ann@mail.org."


def kinds(text: str, lang: str = "en", **config: object) -> list[str]:
    return [found["kind"] for found in screening.examine(text, lang, TreeConfig(**config))]


def test_only_numbers_with_right_check_digits_are_held_by_default() -> None:
    assert kinds(TEXT) == ["card"]
    assert kinds("Pay to DE89 3704 0044 0532 0130 00") == ["IBAN"]
    assert kinds(TEXT, hold_payment_numbers=False, hold_contact_data=True) == ["e-mail"]
    assert kinds("Call 4111 1111 1111 1112") == kinds(TEXT, hold_payment_numbers=False) == []


@pytest.mark.parametrize(
    ("text", "lang", "is_held"),
    [
        ("Buy CHEAP  pills now", "en", True),
        ("cheap pillsy", "en", False),
        ("So ein Dummkopf", "de", True),
        ("So ein Dummkopf", "en", False),
        ("casinos everywhere", "fr", True),
        ("an occasion", "en", False),
        ("这里有赌博网站", "zh", True),
    ],
)
def test_listed_words_are_whole_words_of_their_language(
    text: str, lang: str, is_held: bool
) -> None:
    words = ("cheap pills", "de:Dummkopf", "casino*", "赌博", "", "de:")

    assert bool(kinds(text, lang, hold_words=words)) == is_held


@pytest.mark.slow
def test_a_text_that_trips_is_kept_for_a_moderator_who_sees_why(
    alice: User, bob: User, mona: User
) -> None:
    grown = grow("P")
    task = hand_out(alice, TaskType.ASSISTANT_REPLY, now=timezone.now())
    client = signed_in(alice)

    page = client.post(reverse("tasks:work", args=[task.pk]), {"text": TEXT}, follow=True)

    message = Message.objects.get(parent=grown.root)
    assert (message.text, message.held) == (TEXT, True)
    assert "A moderator looks at your text first." in page.content.decode()
    assert str(fate.status(message, TreeConfig.current()).label) == "A moderator looks first"
    assert not Offer.objects.filter(message=message).exists()
    assert not Message.objects.there_for(bob).filter(pk=message.pk).exists()
    desk = signed_in(mona).get(page_url(Message, message.pk)).content.decode()
    assert f'Card number</span> <span><mark dir="auto">{CARD}</mark>' in desk

    holding.release_message(message.pk, actor=mona, reason="An example.", now=NOW)

    assert Offer.objects.filter(message=message).exists()
    assert list(checks.broken_invariants()) == []


@pytest.mark.slow
def test_a_text_that_is_changed_is_looked_at_again(alice: User) -> None:
    message = reply(alice, grow("P").root, "Hello there")
    base = rewording.version(message)
    assert (message.held, message.findings) == (False, None)

    with overridden(hold_words=("casino",)):
        rewording.reword(message.pk, alice, "Come to the casino", base=base, now=NOW)

    message.refresh_from_db()
    assert (message.held, screening.shown(message)) == (True, [Found("word", "casino")])
    assert list(checks.broken_invariants()) == []
