"""The life of a reply: asked for, claimed, finished once, stopped, lost with its worker."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from chat_app import conversations, jobs, replies, streams
from chat_app.enums import Hold, MessageState
from chat_app.errors import (
    BadParent,
    ChatTooLong,
    ModelNotOnOffer,
    NothingToContinue,
    QueueFull,
    TooManyWaiting,
)
from chat_app.inference.requests import Turn
from chat_app.inference.sampling import SamplingParameters
from chat_app.models import Chat, ChatMessage, CustomInstructions
from chat_app.replies import Outcome
from oasst.accounts.models import User
from oasst.lib.queue import redis_client
from tests.chat_app import given
from tests.factories import NOW

S = MessageState
LATER = NOW + timedelta(minutes=1)
DONE = Outcome(S.DONE, text="The answer.", finish_reason="stop", completion_tokens=3)


# Asking


def test_a_request_freezes_what_decides_the_text(alice: User) -> None:
    CustomInstructions.objects.create(user=alice, about_me="I am a gardener.")
    given.served(system_prompt="Be brief.", max_new_tokens=50)
    prompt = given.prompt(given.chat(alice))

    (reply,) = replies.request(prompt, seed=7, now=NOW)

    assert (reply.state, reply.parent, reply.depth, reply.model_name) == (
        S.QUEUED,
        prompt,
        1,
        "tiny",
    )
    assert (reply.parameters["seed"], reply.parameters["max_new_tokens"]) == (7, 50)
    assert reply.system_prompt.startswith("Be brief.\n\n")
    assert "I am a gardener." in reply.system_prompt
    assert Chat.objects.get().tail == reply


def test_drafts_are_siblings_with_seeds_of_their_own(alice: User) -> None:
    prompt = given.prompt(given.chat(alice))

    drafts = replies.request(prompt, count=3, seed=7, now=NOW)

    assert conversations.siblings(drafts[0]) == drafts
    assert [draft.parameters["seed"] for draft in drafts] == [7, 8, 9]
    assert {draft.created_at for draft in drafts} == {NOW}


def test_nobody_has_more_than_their_share_waiting(alice: User, settings: Any) -> None:
    settings.CHAT_WAITING_PER_USER = 2
    given.waiting(alice, 2)
    prompt = given.prompt(given.chat(alice))

    with pytest.raises(TooManyWaiting):
        replies.request(prompt, now=NOW)

    assert not prompt.children.exists()


def test_a_full_queue_keeps_the_prompt_but_no_reply(alice: User, bob: User, settings: Any) -> None:
    settings.CHAT_QUEUE_LIMIT = 1
    given.waiting(alice)
    prompt = given.prompt(given.chat(bob))

    with pytest.raises(QueueFull):
        replies.request(prompt, now=NOW)

    prompt.refresh_from_db()
    assert not prompt.children.exists()


def test_a_model_off_the_offer_writes_nothing(alice: User) -> None:
    prompt = given.prompt(given.chat(alice))
    prompt.chat.model.enabled = False

    with pytest.raises(ModelNotOnOffer):
        replies.request(prompt, now=NOW)


def test_only_prompts_are_answered(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    with pytest.raises(BadParent):
        replies.request(reply, now=NOW)


@pytest.mark.parametrize(
    "ended",
    [
        {"state": S.INTERRUPTED},
        {"state": S.STOPPED},
        {"state": S.DONE, "finish_reason": "length"},
    ],
)
def test_a_reply_that_broke_off_goes_on_in_a_sibling(alice: User, ended: dict[str, Any]) -> None:
    prompt = given.prompt(given.chat(alice), "Count to three")
    reply = given.answer(prompt, "One, two", **ended)

    sibling = replies.resume(reply, now=LATER)

    assert (sibling.parent, sibling.prefix, sibling.state) == (prompt, "One, two", S.QUEUED)
    claim = replies.claim(reply.model, given.worker(), now=LATER)
    assert claim is not None
    assert claim.request.continues
    assert claim.request.turns == [Turn("user", "Count to three"), Turn("assistant", "One, two")]
    reply.refresh_from_db()
    assert reply.text == "One, two"


def test_a_complete_reply_does_not_go_on(alice: User) -> None:
    _chat, (_prompt, reply) = given.thread(alice)

    with pytest.raises(NothingToContinue):
        replies.resume(reply, now=LATER)


def test_a_reply_that_was_held_back_does_not_go_on(alice: User) -> None:
    chat, (prompt, _reply) = given.thread(alice)
    held = given.answer(prompt, "Half a bomb", state=S.STOPPED, hold=Hold.HELD)

    with pytest.raises(NothingToContinue):
        replies.resume(held, now=LATER)

    assert chat.messages.count() == 3


# Writing


def test_a_claim_has_the_thread_and_the_frozen_parameters(alice: User) -> None:
    _chat, (_p, reply) = given.thread(alice, "One", "Two")
    prompt = given.prompt(reply.chat, "Three", parent=reply)
    chosen = SamplingParameters(temperature=0, max_new_tokens=5)
    (asked,) = replies.request(prompt, parameters=chosen, seed=3, now=NOW)

    claim = replies.claim(asked.model, given.worker(), now=NOW)

    assert claim is not None
    assert (claim.reply_id, claim.attempt) == (asked.pk, 1)
    assert claim.request.turns == [
        Turn("user", "One"),
        Turn("assistant", "Two"),
        Turn("user", "Three"),
    ]
    assert (claim.request.parameters.max_new_tokens, claim.request.parameters.seed) == (5, 3)


def test_a_claimed_reply_is_nobody_elses(alice: User) -> None:
    reply, _claim = given.running(alice)

    assert replies.claim(reply.model, given.worker(name="other"), now=NOW) is None
    assert (reply.state, reply.attempt, reply.started_at) == (S.RUNNING, 1, NOW)


def test_a_worker_takes_only_replies_of_its_model(alice: User) -> None:
    given.waiting(alice)
    other = given.served("other")

    assert replies.claim(other, given.worker(other), now=NOW) is None


def test_a_lease_is_lengthened_by_the_databases_clock(alice: User) -> None:
    reply, claim = given.running(alice)
    ChatMessage.objects.filter(pk=reply.pk).update(lease_until=NOW)

    known = replies.renew(reply.worker_id, {reply.pk: claim.attempt})

    before = NOW
    reply.refresh_from_db()
    assert reply.lease_until is not None
    assert reply.lease_until > before
    assert (known.lost, known.stopped) == (set(), set())


def test_a_worker_learns_what_it_lost_and_what_is_to_stop(alice: User, bob: User) -> None:
    mine, claim = given.running(alice)
    worker = claim and mine.worker
    stopped, _claim = given.running(bob, worker)
    replies.stop(stopped.pk, now=NOW)
    gone = uuid.uuid4()

    known = replies.standing(worker.pk, {mine.pk: 2, stopped.pk: 1, gone: 1})

    assert known == replies.Standing(lost={mine.pk, gone}, stopped={stopped.pk})


# Ending


def test_a_reply_is_finished_once(alice: User) -> None:
    reply, claim = given.running(alice)

    assert replies.finish(reply.pk, claim.attempt, DONE, now=LATER)
    assert not replies.finish(reply.pk, claim.attempt, Outcome(S.FAILED), now=LATER)

    reply.refresh_from_db()
    assert (reply.state, reply.text, reply.finished_at) == (S.DONE, "The answer.", LATER)
    assert (reply.lease_until, reply.completion_tokens) == (None, 3)


def test_an_old_attempt_writes_nothing(alice: User) -> None:
    reply, _claim = given.running(alice)
    given.abandon(reply)
    replies.reap(now=NOW)

    assert not replies.finish(reply.pk, 1, DONE, now=NOW), "while it waits again"
    second = replies.claim(reply.model, given.worker(), now=NOW)
    assert second is not None
    assert second.attempt == 2
    assert not replies.finish(reply.pk, 1, DONE, now=NOW), "while another writes"

    reply.refresh_from_db()
    assert (reply.state, reply.text) == (S.RUNNING, "")


def test_a_waiting_reply_stops_at_once_a_running_one_by_its_worker(alice: User) -> None:
    running, claim = given.running(alice)
    (waiting,) = given.waiting(alice)

    replies.stop(waiting.pk, now=LATER)
    replies.stop(running.pk, now=LATER)

    waiting.refresh_from_db()
    running.refresh_from_db()
    assert (waiting.state, waiting.finished_at) == (S.STOPPED, LATER)
    assert (running.state, running.stop_requested) == (S.RUNNING, True)
    assert replies.finish(running.pk, claim.attempt, Outcome(S.STOPPED, text="Half"), now=LATER)
    replies.stop(running.pk, now=LATER + timedelta(hours=1))
    running.refresh_from_db()
    assert (running.text, running.finished_at) == ("Half", LATER)


def test_a_stop_between_two_workers_keeps_what_was_shown(alice: User) -> None:
    reply, claim = given.running(alice)
    fields = {"type": "snapshot", "text": "Half"}
    redis_client().xadd(streams.key_of(reply.pk), fields, id=f"{claim.attempt}-1")
    given.abandon(reply)
    replies.reap(now=NOW)

    replies.stop(reply.pk, now=LATER)

    reply.refresh_from_db()
    assert (reply.state, reply.text) == (S.STOPPED, "Half")


def test_a_dead_workers_reply_is_queued_again_once_then_interrupted(alice: User) -> None:
    reply, _claim = given.running(alice)

    given.abandon(reply)
    assert replies.reap(now=NOW) == 1
    reply.refresh_from_db()
    assert (reply.state, reply.worker, reply.queued_at) == (S.QUEUED, None, NOW)

    second = replies.claim(reply.model, given.worker(), now=NOW)
    assert second is not None
    given.abandon(reply)
    assert replies.reap(now=LATER) == 1
    reply.refresh_from_db()
    assert (reply.state, reply.attempt, reply.finished_at) == (S.INTERRUPTED, 2, LATER)
    assert replies.reap(now=LATER) == 0


def test_a_living_workers_reply_is_left_alone(alice: User) -> None:
    reply, _claim = given.running(alice)

    assert replies.reap(now=NOW) == 0

    reply.refresh_from_db()
    assert reply.state == S.RUNNING


def test_a_reply_to_be_stopped_is_not_queued_again(alice: User) -> None:
    reply, _claim = given.running(alice)
    replies.stop(reply.pk, now=NOW)
    given.abandon(reply)

    replies.reap(now=LATER)

    reply.refresh_from_db()
    assert reply.state == S.STOPPED


def test_what_is_handed_back_counts_as_no_loss(alice: User) -> None:
    reply, claim = given.running(alice)

    assert replies.hand_back(reply.worker_id, {reply.pk: claim.attempt}, now=LATER) == 1

    reply.refresh_from_db()
    assert (reply.state, reply.losses, reply.attempt) == (S.QUEUED, 0, 1)
    assert replies.hand_back(uuid.uuid4(), {reply.pk: claim.attempt}, now=LATER) == 0


def test_handed_back_reply_that_was_to_stop_is_stopped_and_keeps_its_words(alice: User) -> None:
    reply, claim = given.running(alice)
    fields = {"type": "snapshot", "text": "Once upon"}
    redis_client().xadd(streams.key_of(reply.pk), fields, id=f"{claim.attempt}-1")
    replies.stop(reply.pk, now=NOW)

    replies.hand_back(reply.worker_id, {reply.pk: claim.attempt}, now=LATER)

    reply.refresh_from_db()
    assert (reply.state, reply.text, reply.stop_requested) == (S.STOPPED, "Once upon", False)
    assert not ChatMessage.objects.waiting().exists()


def test_nobody_waits_for_ever(alice: User) -> None:
    (reply,) = given.waiting(alice)

    replies.reap(now=NOW + replies.PATIENCE + timedelta(seconds=1))

    reply.refresh_from_db()
    assert (reply.state, bool(reply.error)) == (S.INTERRUPTED, True)


def test_a_deleted_chat_ends_its_replies_quietly(alice: User) -> None:
    reply, claim = given.running(alice)

    conversations.delete(reply.chat)

    assert not replies.finish(reply.pk, claim.attempt, DONE, now=LATER)
    assert replies.standing(reply.worker_id, {reply.pk: 1}).lost == {reply.pk}


def test_calls_of_the_api_go_after_an_hour(alice: User) -> None:
    call = given.chat(alice, from_api=True, allow_data_use=False)
    kept = given.chat(alice)

    jobs.delete_api_calls()

    assert [*Chat.objects.all()] == [kept]
    assert call.pk is not None


@pytest.mark.django_db(transaction=True)
def test_the_end_is_told_once_it_is_stored(alice: User) -> None:
    reply, claim = given.running(alice)

    replies.finish(reply.pk, claim.attempt, DONE, now=LATER)

    rows = streams.redis_client().xrange(streams.key_of(reply.pk))
    ((cursor, fields),) = rows
    assert (cursor, fields[b"type"]) == (b"1-0", b"done")


def test_a_full_chat_gets_no_more_drafts(alice: User, settings: Any) -> None:
    chat, (prompt, _reply) = given.thread(alice)
    settings.CHAT_MAX_MESSAGES = 2
    replies.request(prompt, now=NOW)

    with pytest.raises(ChatTooLong):
        replies.request(prompt, now=NOW)
    assert chat.messages.count() == 3
