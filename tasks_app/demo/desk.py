"""What the demonstration's moderators have on their desk, through the domain functions alone.

One more play beside those of the stories: it stops before every act and is sent the time.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from tasks_app import (
    config,
    holding,
    interactions,
    moderation,
    questions,
    reactions,
    selection,
    standing,
    trees,
)
from tasks_app.bulk import actions, plans
from tasks_app.demo.play import Acts, Cast
from tasks_app.enums import BulkKind, ReportState, Role, TaskType, TreeState
from tasks_app.models import Message, MessageTree

Act = tuple[float, Callable[[datetime], None]]  # hours before now, what happens

# Hours before now, by whom, what for, and the words.
REPORTS = (
    (50, "chidi", "toxicity", "The tone is harsher than it needs to be."),
    (31, "hana", "political_content", "Reads like an election leaflet."),
    (9, "dana", "pii", "Is this the address of a real practice?"),
    (5, "jamal", "violence", "The part about the knife is too detailed."),
    (2, "bob", "hate_speech", "The joke is about people from one town."),
)
# What Alice reported and what came of it.
DECIDED = (
    (70, "moral_judgement", ReportState.DISMISSED, "An opinion, and politely put."),
    (44, "sexual_content", ReportState.INCONCLUSIVE, "Medical or not? Two of us differ."),
)
# Hours before now, who is asked about a message of theirs, what, and the answer within the hour.
QUESTIONS = (
    (
        28,
        "hana",
        "Where are the facts in this one from?",
        "My notes. I checked them twice.",
    ),
    (7, "alice", "Did you write this from memory, or with a source beside you? If so, which?", ""),
)
MUTES = (
    (120, "mona", 1, "Replies in capitals, after a friendly word."),
    (48, "root", 7, "Capitals again, and insults in the reasons for skipping."),
)
# Since when fewer people are asked where all is clear, and moderators where people differ.
ADAPTIVE_HOURS = 5.0
ADAPTIVE_REASON = "Two clear reviews are enough; where people differ, Mona and I decide."
HELD = (
    (6, "Nobody needs to know this. Ask somebody who has a clue!"),
    (3, "It depends. Read the manual twice, then try it on something cheap."),
)


def adaptive_since(now: datetime) -> datetime:
    """When Root turns adaptive overlap on."""
    return now - timedelta(hours=ADAPTIVE_HOURS)


def switch_to_adaptive_overlap(cast: Cast) -> Acts:
    """Let the number of reviews follow from how clear they are."""
    at = yield None
    root = cast["root"]
    standing.change_setting("adaptive_overlap", True, actor=root, reason=ADAPTIVE_REASON, now=at)
    with config.overridden(adaptive_overlap=True):
        limits = config.TreeConfig.current()
    for tree in MessageTree.objects.locked().filter(active=True).order_by("pk"):
        trees.advance(tree, config=limits, now=at)


def begins(*, now: datetime) -> datetime:
    """When the first of it happens."""
    return now - timedelta(hours=max(hours for hours, *_ in MUTES))


def acts(cast: Cast, *, now: datetime, rng: random.Random) -> Acts:
    """Everything in the order of time."""
    at = yield None
    for hours, happen in sorted(_acts(cast, rng), key=lambda act: -act[0]):
        due = now - timedelta(hours=hours)
        while at < due:
            at = yield due
        if _finished(cast):  # else there is nothing yet that moderators could look at
            happen(at)


def _acts(cast: Cast, rng: random.Random) -> Iterator[Act]:
    for hours, by, category, text in REPORTS:
        yield hours, partial(_report, cast, by, category, text)
    for hours, category, outcome, note in DECIDED:
        yield hours, partial(_decide, cast, category, outcome, note)
    for hours, name, text, answer in QUESTIONS:
        yield hours, partial(_ask, cast, name, text, answer)
    for hours, actor, days, reason in MUTES:
        yield hours, partial(_mute, cast, actor, days, reason)
    yield 20, partial(_hold, cast)
    for hours, text in HELD:
        yield hours, partial(_write_held, cast, text, rng)
    yield 26, partial(_undo_a_mistake, cast)


def _finished(cast: Cast, *, but: str = "") -> list[Message]:
    """Replies in the data that nobody has reported, the oldest first."""
    replies = Message.objects.accepted().filter(
        lang="en", role=Role.ASSISTANT, tree__state=TreeState.READY_FOR_EXPORT, reports=None
    )
    others = replies.exclude(user=None).exclude(user=cast[but].pk if but else None)
    return list(others.order_by("created_at", "id")[:2])


def _report(cast: Cast, by: str, category: str, text: str, at: datetime) -> None:
    message = _finished(cast, but=by)[0]
    report = reactions.report(message.pk, cast[by], category, text, now=at)
    if category == "pii":
        moderation.claim_report(report.pk, actor=cast["mona"], now=at + timedelta(hours=8.9))


def _decide(cast: Cast, category: str, outcome: ReportState, note: str, at: datetime) -> None:
    alice, mona = cast["alice"], cast["mona"]
    message = _finished(cast, but="alice")[0]
    report = reactions.report(message.pk, alice, category, "", now=at)
    later = at + timedelta(minutes=50)
    moderation.resolve_report(report.pk, actor=mona, outcome=outcome, note=note, now=later)


def _ask(cast: Cast, name: str, text: str, answer: str, at: datetime) -> None:
    person, mona = cast[name], cast["mona"]
    message = Message.objects.accepted().filter(user=person).order_by("created_at", "id").first()
    reason = "Before more of them go into the data."
    question = questions.ask(person.pk, text, actor=mona, reason=reason, now=at, message=message)
    if answer:
        questions.answer(question.pk, person, answer, now=at + timedelta(minutes=50))


def _mute(cast: Cast, actor: str, days: int, reason: str, at: datetime) -> None:
    until = at + timedelta(days=days)
    viktor = cast["viktor"].pk
    moderation.mute_user(viktor, until=until, actor=cast[actor], reason=reason, now=at)


def _hold(cast: Cast, at: datetime) -> None:
    reason = "Three rude replies within an hour. Let us look first."
    holding.hold_user(cast["wanda"].pk, actor=cast["mona"], reason=reason, now=at)


def _write_held(cast: Cast, text: str, rng: random.Random, at: datetime) -> None:
    """Wanda writes on, and only moderators see it."""
    wanda = cast["wanda"]
    task = selection.next_task(wanda, TaskType.ASSISTANT_REPLY, now=at, rng=rng, langs=["en"])
    interactions.submit_reply(task.pk, wanda, text, now=at + timedelta(minutes=4))


def _undo_a_mistake(cast: Cast, at: datetime) -> None:
    """Two replies taken for copies, and brought back."""
    mona = cast["mona"]
    plan = plans.of_messages(BulkKind.DELETE, [message.pk for message in _finished(cast)])
    bulk = actions.do_now(plan, actor=mona, reason="Look like copies of each other.", now=at)
    later = at + timedelta(minutes=9)
    actions.undo_now(bulk.pk, actor=mona, reason="They only begin alike.", now=later)
