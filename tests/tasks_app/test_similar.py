"""Messages that say nearly the same: found in their language, told to authors and reviewers."""

import random
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from tasks_app import erasing, jobs, minhash, moderation, rewording, similar
from tasks_app.enums import TaskType, TreeState
from tasks_app.models import Message
from tasks_app.similar_records import SimilarText, TextSignature
from tests.calling import Program, code_of, token_of
from tests.factories import NOW, grow, hand_out, reply, write_prompt
from tests.tasks_app.views import given

ASKED = "How do I bake a loaf of bread without an oven at home?"
AGAIN = "How do I bake a loaf of bread without any oven at home?"
OTHER = "Which trains run between Lisbon and Porto on a Sunday?"

K = TaskType


@pytest.fixture
def known(db: None, bob: User) -> Message:
    """A prompt that is indexed."""
    prompt = write_prompt(bob, ASKED)
    jobs.index_text(str(prompt.pk))
    return prompt


def found(text: str, lang: str = "en") -> list[Message]:
    return [each.message_id for each in similar.find(text, lang)]


def test_brief_signature_estimates_what_two_texts_share() -> None:
    rng = random.Random(3)
    common, one, other = ("".join(rng.choices("abcdefghij", k=k)) for k in (1800, 200, 200))
    briefs = [minhash.brief(minhash.signature(common + end)) for end in (one, other)]

    assert minhash.shared(*briefs) == pytest.approx(0.82, abs=0.12)
    assert minhash.shared(briefs[0], briefs[0]) == 1.0


def test_numbers_of_signatures_never_change() -> None:
    """They are stored: other ones would find nothing of what is there."""
    signature = minhash.signature(ASKED)

    assert minhash.keys(signature, "en")[:2] == [-1218463986, 1673323488]
    assert minhash.brief(signature).hex()[:16] == "e29255a2fe0bb40f"


def test_text_is_found_by_other_words_case_and_space_in_its_language(known: Message) -> None:
    assert found(AGAIN) == found(f"  {ASKED.upper()}\n") == [known.pk]
    assert found(OTHER) == found(ASKED, "de") == []
    assert similar.find(ASKED, "en", but=known.pk) == []


def test_short_texts_are_like_none(known: Message, alice: User) -> None:
    thanks = reply(alice, grow("P").root, "Thank you!")
    jobs.index_text(str(thanks.pk))

    assert found("Thank you!") == []


def test_author_is_told_once_and_may_send_all_the_same(
    known: Message, web: Client, alice: User
) -> None:
    task = given.task(alice, K.INITIAL_PROMPT)
    shown = web.post(given.url(task, action="preview"), {"text": AGAIN}, HTTP_HX_REQUEST="true")
    assert known.text in shown.text

    told = web.post(given.url(task), {"text": AGAIN})

    assert (told.status_code, task.result) == (409, None)
    assert f"/messages/{known.pk}/" in told.text
    assert AGAIN in told.text
    web.post(given.url(task), {"text": AGAIN, "similar_known": "on"})
    assert Message.objects.get(user=alice).text == AGAIN


def test_author_is_not_told_what_they_may_not_see(
    known: Message, web: Client, alice: User, mona: User
) -> None:
    moderation.delete_message(known.pk, actor=mona, reason="Spam.", now=timezone.now())

    web.post(given.url(given.task(alice, K.INITIAL_PROMPT)), {"text": AGAIN})

    assert Message.objects.get(user=alice).text == AGAIN


def test_reviewers_and_moderators_see_what_a_message_is_like(
    known: Message, web: Client, sign_in: object, alice: User, mona: User
) -> None:
    copy = write_prompt(mona, AGAIN, now=NOW + timedelta(minutes=1))
    jobs.index_texts()  # too old for the sweep
    assert not SimilarText.objects.exists()
    jobs.index_text(str(copy.pk))
    jobs.index_text(str(copy.pk))

    row = SimilarText.objects.get()
    page = web.get(given.url(given.task(alice, K.LABEL_INITIAL_PROMPT, copy)))

    assert (row.message, row.other) == (copy, known)
    assert row.similarity > similar.ALIKE
    assert "Very similar to an older message" in page.text
    assert ASKED[:40] in page.text


def test_older_message_is_not_like_the_newer_one(known: Message, web: Client, alice: User) -> None:
    page = web.get(given.url(given.task(alice, K.LABEL_INITIAL_PROMPT, known)))

    assert "Very similar" not in page.text


def test_changed_text_is_found_by_its_new_words_only(known: Message, bob: User) -> None:
    base = rewording.version(known)
    rewording.reword(known.pk, bob, OTHER, base=base, now=NOW + timedelta(minutes=1))
    jobs.index_text(str(known.pk))

    assert (found(ASKED), found(OTHER)) == ([], [known.pk])


def test_nothing_is_kept_of_a_text_that_its_author_erases(known: Message, bob: User) -> None:
    erasing.erase_texts(bob, now=NOW + timedelta(minutes=1))

    assert not TextSignature.objects.filter(message=known).exists()


def test_what_is_said_often_needs_no_more_signatures(
    known: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(similar, "ENOUGH", 2)
    texts = [grow("P").root for _ in range(3)]
    Message.objects.filter(pk__in=[each.pk for each in texts]).update(text=ASKED)

    jobs.index_all_texts()

    assert len(found(ASKED)) == 2
    assert TextSignature.objects.count() == 4
    assert similar.unindexed() == []


def test_copies_of_trees_are_like_nothing(known: Message) -> None:
    copy = grow("P", state=TreeState.RANKING)
    copy.tree.copy_of_id = known.tree_id
    copy.tree.save()
    Message.objects.filter(pk=copy.root.pk).update(text=ASKED)

    jobs.index_all_texts()

    assert found(ASKED) == [known.pk]


def test_programs_are_told_if_they_ask(known: Message, alice: User) -> None:
    task = hand_out(alice, K.INITIAL_PROMPT, now=timezone.now())
    program, path = Program(token_of(alice)), f"/tasks/{task.pk}/reply"

    told = program.call("post", path, {"text": AGAIN, "refuse_similar": True})

    assert code_of(told) == (409, "similar_text")
    assert told.json()["error"]["details"] == {"messages": [str(known.pk)]}
    assert program.call("post", path, {"text": AGAIN}).status_code == 200
