"""The spam model in force: what it holds, which one it is, what the site's own texts teach."""

from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from oasst.accounts.models import User
from oasst.lib.desk.display import page_url
from tasks_app import checks, holding, moderation, reactions, spam, spam_scores
from tasks_app.config import TreeConfig, overridden
from tasks_app.models import Message, Offer, Report
from tasks_app.screening import examine, shown
from tests.factories import NOW, grow, reply, review
from tests.sessions import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
WIN = "WIN WIN WIN"
FIGURES = {"recall": 0.95, "false_positives": 0.004}


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    spam.forget()


def store(text: str = WIN, threshold: float = 0.8) -> spam.SpamModel:
    """A model to which one text is spam, and nothing else."""
    found = spam_scores.features(text)
    weights = np.full(spam_scores.SIZE, -0.5, dtype=np.float32)
    weights[found.places] = 2.0
    weights[spam_scores.SIZE - 8 :] = 0
    return spam.store(weights, threshold, FIGURES, now=NOW)


def kinds(text: str, **config: Any) -> list[str]:
    return [found["kind"] for found in examine(text, "en", TreeConfig(**config))]


def test_only_where_it_is_on_and_trained_does_a_model_hold_texts() -> None:
    assert kinds(WIN, hold_spam=True) == []

    store()

    assert kinds(WIN) == kinds("How do I bake bread?", hold_spam=True) == []
    assert kinds(WIN, hold_spam=True) == ["spam"]


def test_a_model_that_is_known_takes_no_query(django_assert_num_queries: Any) -> None:
    store()
    spam.judge(WIN)

    with django_assert_num_queries(0):
        assert spam.judge(WIN).is_spam


def test_one_can_go_back_to_an_earlier_model_but_to_none_of_other_features() -> None:
    first, second = store(), store("BUY BUY BUY")
    old = spam.SpamModel.objects.create(
        version=spam_scores.VERSION + 1,
        weights=b"",
        threshold=0.5,
        figures=FIGURES,
        created_at=NOW,
        chosen_at=timezone.now(),
    )
    assert (spam.in_force(), kinds(WIN, hold_spam=True)) == (second, [])

    spam.choose(first.pk, now=timezone.now())

    assert (spam.in_force(), kinds(WIN, hold_spam=True)) == (first, ["spam"])
    with pytest.raises(spam.NoSuchModel):
        spam.choose(old.pk, now=timezone.now())


def test_a_held_text_shows_its_score_and_is_let_out(alice: User, mona: User) -> None:
    store()
    grown = grow("P")
    with overridden(hold_spam=True):
        message = reply(alice, grown.root, WIN)
    assert message.held

    desk = signed_in(mona).get(page_url(Message, message.pk)).content.decode()
    assert "Looks like spam" in desk
    assert f"score {shown(message)[0].verdict.score:.2f}, held from 0.80" in desk

    holding.release_message(message.pk, actor=mona, reason="No spam.", now=NOW)

    message.refresh_from_db()
    assert not message.held
    assert Offer.objects.filter(message=message).exists()
    assert list(checks.broken_invariants()) == []


def test_a_held_text_can_be_deleted_and_teaches_then(alice: User, mona: User) -> None:
    store()
    with overridden(hold_spam=True):
        message = reply(alice, grow("P").root, WIN)
    assert (WIN, True, str(alice.pk)) not in list(spam.decided_texts())

    moderation.delete_message(message.pk, actor=mona, reason="Spam.", now=NOW)

    assert (WIN, True, str(alice.pk)) in list(spam.decided_texts())
    assert list(checks.broken_invariants()) == []


def test_what_reviewers_and_staff_decided_is_what_the_site_teaches(
    alice: User, bob: User, mona: User
) -> None:
    texts = ("A good answer", "Buy this", "In another language", "Reported")
    good, bad, wrong, reported = (reply(alice, grow("P").root, text) for text in texts)
    review(good, *[{"spam": 0}] * 3)
    review(bad, *[{"spam": 1}] * 3)
    review(wrong, *[{"spam": 0, "lang_mismatch": 1}] * 3)
    reactions.report(reported.pk, bob, "spam", "", now=NOW)
    Report.objects.update(state="resolved")
    moderation.delete_message(reported.pk, actor=mona, reason="Spam.", now=NOW)

    found = {text: is_spam for text, is_spam, _author in spam.decided_texts()}
    assert [found.get(text) for text in texts] == [False, True, None, True]


def test_the_configuration_says_how_good_the_model_is_or_that_there_is_none(
    mona: User,
) -> None:
    page = "/admin/tasks_app/configchange/"
    moderator: Client = signed_in(mona)
    assert "No model is trained yet: this holds nothing." in moderator.get(page).content.decode()

    store()

    text = moderator.get(page).content.decode()
    assert "held 95% of the spam and 0.4% of the others" in text
    assert "No model is trained yet" not in text
