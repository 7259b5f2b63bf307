"""What the operations about messages, trees and contributions take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from ninja import Field, Schema

from oasst.lib.api import Strict, Text, read_by
from tasks_app.api.task_schemas import MOST_CHARACTERS, Values
from tasks_app.enums import ContributionKind, Role, Topic, TreeState
from tasks_app.search import place

BIGGEST_ID = 2**63 - 1
Category = Literal[
    "spam", "not_appropriate", "pii", "hate_speech", "sexual_content", "moral_judgement",
    "political_content", "toxicity", "violence", "quality",
]  # fmt: skip


class FindMessages(Schema):
    """Which messages to list. A page has twenty at most; `next` of one is `before` of the other."""

    q: Text = Field("", max_length=200, description="words, as in the search box of the page")
    lang: Text = Field("", max_length=16, description="one of your languages; all by default")
    role: Role | None = None
    state: Literal["accepted", "review"] | None = None
    mine: bool = Field(False, description="only what you wrote, whatever became of it")
    sort: Literal["new", "best"] = "new"
    before: Annotated[Text, read_by(place)] = Field("", max_length=120)


class FindOwn(Schema):
    """Which contributions to list; `next` of one page is `before` of the other."""

    kind: Literal["prompt", "reply", "labels", "ranking"] | None = None
    outcome: Literal["waiting", "accepted", "not_accepted"] | None = None
    before: int | None = Field(None, ge=1, le=BIGGEST_ID)


class MessageReportIn(Strict):
    category: Category
    text: Text = Field("", max_length=2000)


class RewordIn(Strict):
    """Another text for a message of yours."""

    text: Text = Field(max_length=MOST_CHARACTERS)
    base: Text = Field(
        "", max_length=64, description="`version` of the text that you began with, if it matters"
    )


class FreeLabelsIn(Strict):
    """Answers to some of the questions; those of before are replaced."""

    labels: Values = Field(max_length=100)


class StatusOut(Schema):
    """Words for people; `tone` is good, info, bad or nothing."""

    label: str
    tone: str


class ReactionOut(Schema):
    code: str
    label: str
    given: bool = Field(description="by you")
    count: int | None = Field(description="told once you have reacted yourself")


class TreeMessageOut(Schema):
    """A message as its reader may see it."""

    id: UUID
    tree: UUID
    parent: UUID | None
    role: Role
    lang: str
    created_at: datetime
    text: str = Field(description="empty where it is hidden")
    version: str = Field(description="a name of your own text; empty for others' messages")
    may_edit: bool = Field(description="yours, and nobody has begun to judge it, it seems")
    hidden: str = Field(description="why the text is not shown; empty where it is")
    state: Literal["removed", "not_accepted", "in_review", "accepted"]
    status: StatusOut
    is_own: bool
    by_model: bool = Field(description="false also while you are not to know")
    author: str = Field(description="for moderators, unless they are about to rank it")
    reactions: list[ReactionOut]


class TreeMessagesOut(Schema):
    items: list[TreeMessageOut]
    next: str | None


class EventOut(Schema):
    """One step of a message's way; `state` is done, now, failed or open."""

    title: str
    state: str
    at: datetime | None
    notes: list[str]
    snapshot: str
    models: list[str]


class TreeMessageDetail(TreeMessageOut):
    """A message and what became of it; the author is told all, others the public part."""

    events: list[EventOut] | None


class TreeOut(Schema):
    """A conversation; `messages` are in the order of the page, each before the replies to it."""

    id: UUID
    lang: str
    state: TreeState
    topics: list[Topic]
    messages: list[TreeMessageOut]


class OwnMessageOut(Schema):
    """The message that a contribution is, or is about."""

    id: UUID
    role: Role
    lang: str
    text: str | None = Field(description="null where it is not shown any more")


class OwnOut(Schema):
    """Something you did, and what became of it as far as it is known and may be told."""

    id: int
    kind: ContributionKind
    title: str
    lang: str
    at: datetime
    task: UUID | None
    message: OwnMessageOut | None
    status: StatusOut | None
    story: str
    reasons: list[str]
    events: list[EventOut]


class OwnsOut(Schema):
    items: list[OwnOut]
    next: int | None
