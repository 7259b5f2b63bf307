"""What the operations about tasks take and give."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Field, Schema

from oasst.lib.api import Strict, Text
from tasks_app.enums import Role, TaskType, Topic
from tasks_app.labels import Widget
from tasks_app.topics import MOST

MOST_LANGS = 50
MOST_REPLIES = 100
MOST_CHARACTERS = 100_000

# The choices of the pages' forms.
Origin = Literal["own", "adapted"]
Verdict = Literal["all_bad", "cannot_judge"]
SkipReason = Literal["subject", "language", "unpleasant", "broken", "time"]
Values = dict[str, float | None]


def given(values: Values) -> dict[str, float]:
    """The labels that are answered: null is as good as left out."""
    return {name: value for name, value in values.items() if value is not None}


class NextIn(Strict):
    """Which task to hand out."""

    kind: Literal["random"] | TaskType = Field(
        "random", description="a kind of task, or whatever is needed most"
    )
    langs: list[Text] | None = Field(
        None, max_length=MOST_LANGS, description="some of your languages; null is all of them"
    )


class ReplyIn(Strict):
    """A prompt or reply that you wrote."""

    text: Text = Field(max_length=MOST_CHARACTERS)
    origin: Origin | None = Field(None, description="whether you wrote it yourself")
    source: Text = Field("", max_length=400, description="what you built on, if you did")
    topics: list[Topic] = Field(
        [], max_length=MOST, description="of a prompt; without any, those that its words tell of"
    )
    refuse_similar: bool = Field(
        False, description="answer 409 `similar_text`, with the ids, if much the same is there"
    )


class LabelsIn(Strict):
    """Your answers to the questions of `form`. Flags left out mean no; the rest may be left out
    unless mandatory, and is then not answered."""

    labels: Values = Field(max_length=100, examples=[{"spam": 0, "quality": 0.75}])


class RankingIn(Strict):
    """An order of the replies shown, best first; those in one group are equally good. Or why there
    is none."""

    groups: list[list[UUID]] = Field([], max_length=MOST_REPLIES)
    not_rankable: Verdict | None = None
    reason: Text = Field("", max_length=400)


class DraftIn(Strict):
    """What you have entered so far, in the words of the answer that the task takes."""

    text: Text = Field("", max_length=MOST_CHARACTERS)
    origin: Origin | None = None
    source: Text = Field("", max_length=400)
    topics: list[Topic] = Field([], max_length=MOST)
    labels: Values = Field({}, max_length=100)
    groups: list[list[UUID]] = Field([], max_length=MOST_REPLIES)
    not_rankable: Verdict | None = None
    reason: Text = Field("", max_length=400)


class SkipIn(Strict):
    reason: SkipReason | None = None
    note: Text = Field("", max_length=400)


class AvailableOut(Schema):
    """How many tasks of one kind you could be handed."""

    kind: TaskType
    title: str
    section: str
    minutes: int = Field(description="what a careful person needs")
    count: int


class LineOut(Schema):
    """A message of a task's thread."""

    id: UUID
    role: Role
    lang: str
    text: str = Field(description="empty if it was removed meanwhile")


class CandidateOut(Schema):
    """A reply, or prompt, to be ranked."""

    id: UUID
    letter: str = Field(description="what the page calls it by")
    lang: str
    text: str
    is_same_as_above: bool


class ChoiceOut(Schema):
    value: float
    title: str


class QuestionOut(Schema):
    """One label that a review asks for."""

    name: str
    widget: Widget
    title: str
    text: str
    mandatory: bool
    choices: list[ChoiceOut]


class DraftOut(Schema):
    """What you entered; only the fields that the kind of task has."""

    saved_at: datetime
    kept_because: str = Field(description="the code of the error that kept it from being sent")
    text: str = ""
    origin: str | None = None
    source: str = ""
    topics: list[str] = []
    labels: dict[str, float] = {}
    groups: list[list[UUID]] = []
    not_rankable: str | None = None
    reason: str = ""


class AnswerOut(Schema):
    title: str
    answer: str


class PlacedOut(Schema):
    """A reply that you ranked; since you have, you may know whose it is where models took part."""

    text: str
    by_model: bool | None
    model: str


class ComparisonOut(Schema):
    title: str
    given: str
    known: str
    is_right: bool


class KnownOut(Schema):
    """A practice message was among your reviews: what was known about it, and why."""

    is_right: bool
    explanation: str
    answers: list[ComparisonOut]


class StoredOut(Schema):
    """What you submitted."""

    message: UUID | None = None
    labels: list[AnswerOut] = []
    places: list[list[PlacedOut]] = []
    not_rankable: bool = False
    known: KnownOut | None = None


class EndedOut(Schema):
    code: str
    message: str


class TaskLineOut(Schema):
    """A task of yours in a list."""

    id: UUID
    kind: TaskType
    title: str
    lang: str
    created_at: datetime
    expires_at: datetime
    reserved_until: datetime
    has_draft: bool


class TaskOut(Schema):
    """A task of yours with everything one needs to do it, or what became of it."""

    id: UUID
    kind: TaskType
    title: str
    section: str
    lang: str
    is_done: bool
    created_at: datetime
    expires_at: datetime
    reserved_until: datetime | None = Field(description="null: the reservation has ended")
    is_free: bool = Field(description="the place is yours, or still to be had")
    ended: EndedOut | None = Field(description="why it takes no answer any more")
    thread: list[LineOut] = Field(description="from the initial prompt to the task's message")
    replies: list[CandidateOut] = Field(description="to be ranked, in the order shown")
    form: list[QuestionOut] = Field(description="what a review asks for")
    most_characters: int
    draft: DraftOut | None
    stored: StoredOut | None


class ReceiptOut(Schema):
    """An answer was taken."""

    task: UUID
    kind: TaskType
    done_at: datetime
    message: UUID | None = Field(description="the message that it became")
    undo_until: datetime | None = Field(description="a review can be taken back until then")


class HeldOut(Schema):
    reserved_until: datetime


class SavedOut(Schema):
    saved_at: datetime
