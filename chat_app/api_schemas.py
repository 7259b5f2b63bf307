"""What the REST API takes and gives."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Schema

from chat_app.enums import ReportKind, VoteReason
from chat_app.inference.sampling import LIMITS, MAX_STOP_CHARS, MAX_STOP_STRINGS
from chat_app.models import TITLE_LENGTH, Chat, ChatMessage
from chat_app.replies import MOST_DRAFTS
from chat_app.transcripts import shown_text
from oasst.lib.api import Strict, Text, read_by
from oasst.lib.keyset import Cursor


def _within(name: str) -> Any:
    least, most = LIMITS[name]
    return Field(ge=least, le=most, allow_inf_nan=False)


class ModelOut(Schema):
    name: str
    title: str
    description: str
    licence: str
    max_context: int
    max_new_tokens: int
    is_default: bool


class Parameters(Strict):
    """How the next token is drawn; what is left out stays as it is, null switches a filter off."""

    temperature: Annotated[float, _within("temperature")] | None = None
    top_k: int | None = Field(None, ge=1, le=int(LIMITS["top_k"][1]))
    top_p: Annotated[float, _within("top_p")] | None = None
    typical_p: Annotated[float, _within("typical_p")] | None = None
    repetition_penalty: Annotated[float, _within("repetition_penalty")] | None = None
    max_new_tokens: int | None = Field(None, ge=1, le=int(LIMITS["max_new_tokens"][1]))
    stop: list[Annotated[Text, Field(min_length=1, max_length=MAX_STOP_CHARS)]] | None = Field(
        None, max_length=MAX_STOP_STRINGS
    )
    seed: int | None = Field(None, ge=0, le=int(LIMITS["seed"][1]))


class Find(Schema):
    """Which chats to list; `next` of one page is `before` of the other."""

    q: Text = Field(
        "",
        max_length=200,
        description='words in titles or messages; "a phrase", -without, this OR that',
    )
    archived: bool = False
    limit: int = Field(20, ge=1, le=100)
    before: Annotated[Text, read_by(Cursor.parse)] = Field("", max_length=120)


class ChatIn(Strict):
    model: Text | None = Field(None, max_length=200)
    title: Text = Field("", max_length=TITLE_LENGTH)
    parameters: Parameters | None = None


class ChatChange(Strict):
    """Only what is given is changed."""

    title: Text | None = Field(None, max_length=TITLE_LENGTH)
    archived: bool | None = None
    allow_data_use: bool | None = None
    model: Text | None = Field(None, max_length=200)
    preset: Text | None = Field(None, max_length=60)
    parameters: Parameters | None = None
    tail: UUID | None = Field(None, description="a message whose branch to bring into view")


class MessageIn(Strict):
    text: Text
    parent: UUID | None = Field(None, description="the reply it follows; null begins the chat")
    key: UUID | None = Field(None, description="the same key again stores nothing new")
    count: int = Field(1, ge=1, le=MOST_DRAFTS, description="how many drafts to ask for")


class DraftsIn(Strict):
    count: int = Field(1, ge=1, le=MOST_DRAFTS)


class VoteIn(Strict):
    value: Literal[1, -1]
    reasons: list[VoteReason] = Field([], max_length=len(VoteReason))
    text: Text = Field("", max_length=2000)


class ReportIn(Strict):
    kind: ReportKind
    text: Text = Field("", max_length=2000)


class VoteOut(Schema):
    value: int
    reasons: list[str]
    text: str


class MessageOut(Schema):
    id: UUID
    parent: UUID | None
    role: Literal["prompter", "assistant"]
    text: str
    state: str
    hold: str
    model: str
    finish_reason: str
    error: str
    prompt_tokens: int | None
    completion_tokens: int | None
    created_at: datetime
    finished_at: datetime | None
    vote: VoteOut | None


class AskedOut(Schema):
    """A prompt and its replies; ask for each of them again until its state is final."""

    prompt: MessageOut
    replies: list[MessageOut]


class ChatOut(Schema):
    id: UUID
    title: str
    model: str | None
    preset: str
    parameters: dict[str, Any]
    allow_data_use: bool
    archived: bool
    tail: UUID | None
    created_at: datetime
    modified_at: datetime


class ChatsOut(Schema):
    items: list[ChatOut]
    next: str | None = Field(description="give it as `before` to get the next page")


class ChatDetail(ChatOut):
    messages: list[MessageOut]


def message_out(message: ChatMessage) -> dict[str, Any]:
    """A message as MessageOut has it. Reads the vote: select it along."""
    vote = getattr(message, "vote", None)
    fields = {name: getattr(message, name) for name in (
        "id", "role", "state", "hold", "finish_reason", "error", "prompt_tokens",
        "completion_tokens", "created_at", "finished_at",
    )}  # fmt: skip
    return {
        **fields,
        "parent": message.parent_id,
        "text": shown_text(message),
        "model": message.model_name,
        "vote": vote and {"value": vote.value, "reasons": vote.reasons, "text": vote.text},
    }


def chat_out(chat: Chat) -> dict[str, Any]:
    """A chat as ChatOut has it."""
    fields = {name: getattr(chat, name) for name in (
        "id", "title", "preset", "parameters", "allow_data_use", "archived", "created_at",
        "modified_at",
    )}  # fmt: skip
    return {**fields, "model": chat.model.name if chat.model else None, "tail": chat.tail_id}
