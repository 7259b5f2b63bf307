"""Who sees what of a message, and how lists are cut."""

import uuid
from datetime import UTC, datetime

import pytest
from django.template.loader import get_template
from hypothesis import given
from hypothesis import strategies as st

from oasst.accounts.models import User
from oasst.lib.keyset import Cursor
from tasks_app import kinds, reading
from tasks_app.config import TreeConfig
from tasks_app.enums import TaskType
from tasks_app.models import Message
from tasks_app.templatetags.tasks import excerpt
from tests.factories import grow

moments = st.datetimes(
    min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)
)


@given(moments, st.uuids())
def test_a_cursor_survives_the_address_bar(moment: datetime, pk: uuid.UUID) -> None:
    cursor = Cursor(moment, pk)

    assert Cursor.parse(str(cursor)) == cursor


@given(st.text())
def test_a_strange_cursor_is_a_value_error(text: str) -> None:
    try:
        Cursor.parse(text)
    except ValueError:
        return
    assert "-" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("**Yes:** a *ship*", "Yes: a ship"),
        ("# Title\n\n- one\n- two", "Title one two"),
        ("`x < y` & z", "x < y & z"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("a" * 200, "a" * 119 + "…"),
    ],
)
def test_an_excerpt_is_plain_words(text: str, words: str) -> None:
    assert excerpt(text) == words


@pytest.mark.parametrize("kind", [kinds.ANY, *kinds.KINDS.values()], ids=lambda kind: kind.code)
def test_every_kind_has_words_and_a_guide(kind: kinds.Kind) -> None:
    assert kind.title
    assert kind.text
    assert kind.minutes > 0
    assert get_template(f"pages/guidelines/{kind.guide}.html")


def test_every_task_type_is_a_kind() -> None:
    assert set(kinds.KINDS) == set(TaskType.values)
    assert kinds.find("random") is kinds.ANY
    assert kinds.find("nonsense") is None


def test_kinds_on_offer_are_those_that_are_handed_out() -> None:
    on_offer = {kind.code for kind in kinds.on_offer(TreeConfig.defaults())}

    assert on_offer == set(TaskType.values) - {"rank_prompter_replies"}


@pytest.mark.parametrize(
    ("available", "newcomer", "regular"),
    [
        ({TaskType.ASSISTANT_REPLY: 1}, "assistant_reply", "assistant_reply"),
        (
            {TaskType.LABEL_ASSISTANT_REPLY: 9, TaskType.LABEL_INITIAL_PROMPT: 1},
            "label_initial_prompt",
            "label_initial_prompt",
        ),
        (
            {TaskType.INITIAL_PROMPT: 9, TaskType.LABEL_INITIAL_PROMPT: 1},
            "label_initial_prompt",
            "label_initial_prompt",
        ),
        (
            {TaskType.LABEL_ASSISTANT_REPLY: 9, TaskType.RANK_ASSISTANT_REPLIES: 1},
            "label_assistant_reply",
            "rank_assistant_replies",
        ),
    ],
)
def test_the_next_task_is_short_for_newcomers_and_late_for_regulars(
    available: dict[TaskType, int], newcomer: str, regular: str
) -> None:
    assert kinds.best_next(available, is_new=True).code == newcomer
    assert kinds.best_next(available, is_new=False).code == regular


def test_without_tasks_nothing_is_proposed() -> None:
    assert kinds.best_next({}, is_new=True) is None
    assert kinds.best_next({TaskType.ASSISTANT_REPLY: 0}, is_new=False) is None


@pytest.mark.django_db
def test_nobody_gives_thumbs_to_themselves(alice: User, bob: User) -> None:
    message = grow("P", author=alice).root

    own, others = (reading.cards([message], person)[0] for person in (alice, bob))

    assert [button.code for button in own.shown] == []
    assert [button.code for button in others.shown] == ["+1", "-1"]
    assert "red_flag" not in {button.code for button in others.shown + others.more}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("mark", "author", "moderator", "stranger"),
    [("", True, True, True), ("?", True, True, True), ("-", True, True, False),
     ("x", False, True, False), ("-x", False, True, False)],
)  # fmt: skip
def test_texts_are_read_by(
    alice: User, bob: User, mona: User, mark: str, *, author: bool, moderator: bool, stranger: bool
) -> None:
    message: Message = grow(f"P(A{mark})", authors={1: alice})[1]

    seen = [reading.may_read(message, who, veiled=False) for who in (alice, mona, bob)]

    assert seen == [author, moderator, stranger]
