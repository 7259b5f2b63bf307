"""Practice items: what comes with the project, what moderators add, and what is signed."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache

from oasst.accounts.models import User
from oasst.lib.languages import LANGUAGES
from tasks_app import gold_items, practice
from tasks_app.models import Message
from tests.factories import GOOD, NOW, SPAM, grow, review

WHY = "It sells soap to somebody who asked for bread."


@pytest.fixture(autouse=True)
def _fresh(db: None) -> None:
    cache.clear()


@pytest.fixture
def refused(mona: User) -> Message:
    """A reply that two of three called spam, shown to visitors."""
    grown = grow("P(A?)")
    review(grown[1], SPAM, SPAM, GOOD)
    gold_items.make(grown[1].pk, SPAM, explanation=WHY, for_practice=True, actor=mona, now=NOW)
    return grown[1]


def test_a_fresh_site_has_items_in_several_languages_of_either_answer() -> None:
    assert {code.partition("-")[0] for code, _name in settings.LANGUAGES} <= {*practice.langs()}
    for lang in practice.langs():
        first = practice.next_item(lang)
        second = practice.next_item(lang, [first.mark])
        assert {first.is_spam, second.is_spam} == {True, False}
        assert lang in LANGUAGES


def test_every_item_explains_itself_and_has_a_mark_of_its_own() -> None:
    items = [item for lang in practice.langs() for item in practice._of(lang)]

    assert all(item.text.strip() and item.why.strip() for item in items)
    assert len({item.mark for item in items}) == len(items)
    assert all(practice.find(item.id) == item for item in items)


def test_unknown_languages_fall_back_to_english() -> None:
    assert practice.first_known(["ja", "fr", "de"]) == "fr"
    assert practice.first_known(["ja"]) == "en"


def test_a_gold_item_for_practice_comes_first_and_tells_what_reviewers_said(
    refused: Message,
) -> None:
    item = practice.next_item("en")

    assert item.id == str(refused.pk)
    assert (item.text, item.before) == (refused.text, refused.parent.text)
    assert (item.is_spam, item.why) == (True, WHY)
    assert (item.reviews, item.agreeing) == (3, 2)


def test_gold_items_are_shown_only_while_in_use_and_only_if_marked(
    refused: Message, mona: User
) -> None:
    other = grow("P(A)")[1]
    gold_items.make(other.pk, GOOD, explanation="Fine.", actor=mona, now=NOW)
    assert practice.find(str(other.pk)) is None
    assert practice.find(str(refused.pk)) is not None

    gold_items.retire(refused.pk, actor=mona, reason="Too easy.", now=NOW)

    assert practice.find(str(refused.pk)) is None


def test_a_deleted_message_is_no_practice(refused: Message) -> None:
    Message.objects.filter(pk=refused.pk).update(deleted=True)
    practice.forget_gold()

    assert practice.find(str(refused.pk)) is None


def test_what_is_signed_is_read_for_a_day_and_fits_an_address() -> None:
    marks = [f"{number:08d}-abcd" for number in range(9)]
    with time_machine.travel(NOW, tick=False):
        word = practice.sign(marks)
        assert practice.read(word) == marks[-practice.MOST_MARKS :]
        assert practice.read(word[:-1]) == []
        assert practice.read("") == []
    with time_machine.travel(NOW + timedelta(seconds=practice.VALID_S + 60), tick=False):
        assert practice.read(word) == []
    assert len(word) < 300
