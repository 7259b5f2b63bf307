"""What `/v1/chat/completions` takes, in OpenAI's words; and the parameters it stands for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from chat_app.inference.sampling import (
    LIMITS,
    MAX_SEED,
    MAX_STOP_CHARS,
    MAX_STOP_STRINGS,
    SamplingParameters,
)
from chat_app.replies import MOST_DRAFTS

MAX_MESSAGES = 2000
MAX_LENGTH = 500_000
_MOST_TOKENS = int(LIMITS["max_new_tokens"][1])


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("null characters are not allowed")
    return text


Text = Annotated[str, AfterValidator(_storable), Field(max_length=MAX_LENGTH)]
StopText = Annotated[Text, Field(min_length=1, max_length=MAX_STOP_CHARS)]


class TextPart(BaseModel):
    type: Literal["text"]
    text: Text


class Message(BaseModel):
    """One message; a name is taken and not used."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[TextPart]

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    include_usage: bool = False


class TextFormat(BaseModel):
    type: Literal["text"]


class CompletionIn(BaseModel):
    """A request. What would change the answer and is not supported is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    model: Text = Field(max_length=200)
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int = Field(1, ge=1, le=MOST_DRAFTS)
    temperature: float = Field(1.0, ge=0, le=LIMITS["temperature"][1], allow_inf_nan=False)
    top_p: float = Field(1.0, ge=0, le=1, allow_inf_nan=False)
    max_tokens: int | None = Field(None, ge=1, le=_MOST_TOKENS)
    max_completion_tokens: int | None = Field(None, ge=1, le=_MOST_TOKENS)
    stop: StopText | Annotated[list[StopText], Field(max_length=MAX_STOP_STRINGS)] | None = None
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    # Ours, as other servers of open models have them.
    top_k: int | None = Field(None, ge=1, le=int(LIMITS["top_k"][1]))
    typical_p: float | None = Field(None, ge=LIMITS["typical_p"][0], le=1, allow_inf_nan=False)
    repetition_penalty: float = Field(1.0, ge=1, le=LIMITS["repetition_penalty"][1])
    continue_final_message: bool = False
    add_generation_prompt: bool | None = None
    # Allowed where they ask for nothing.
    presence_penalty: Literal[0] | None = None
    frequency_penalty: Literal[0] | None = None
    logprobs: Literal[False] | None = None
    logit_bias: Annotated[dict[str, float], Field(max_length=0)] | None = None
    response_format: TextFormat | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    # Notes to the server that change no answer.
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: Literal[False] | None = None
    parallel_tool_calls: bool | None = None
    service_tier: str | None = None

    @model_validator(mode="after")
    def _ends_with_whose_turn_it_was(self) -> CompletionIn:
        if self.add_generation_prompt is self.continue_final_message:
            raise ValueError("add_generation_prompt: expected not continue_final_message")
        last = "assistant" if self.continue_final_message else "user"
        if self.messages[-1].role != last:
            raise ValueError(f"messages: the last one must have the role {last}")
        if not self.prompts or self.prompts[-1].role != "user":
            raise ValueError("messages: what is continued must answer one of the role user")
        return self

    @property
    def system_text(self) -> str:
        """The system's and developer's messages together."""
        texts = [m.text.strip() for m in self.messages if m.role in ("system", "developer")]
        return "\n\n".join(text for text in texts if text)

    @property
    def prompts(self) -> list[Message]:
        """What the user and the assistant said up to the prompt that is to be answered."""
        said = [message for message in self.messages if message.role in ("user", "assistant")]
        return said[:-1] if self.continue_final_message else said

    @property
    def prefix(self) -> str:
        """The beginning of the answer, which is carried on."""
        return self.messages[-1].text if self.continue_final_message else ""

    def parameters(self, *, most_tokens: int) -> SamplingParameters:
        """How to draw tokens; without a limit, as many as the model may write."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop
        least = LIMITS["top_p"][0]
        return SamplingParameters(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=max(self.top_p, least) if self.top_p < 1 else None,
            typical_p=self.typical_p,
            repetition_penalty=self.repetition_penalty,
            max_new_tokens=self.max_completion_tokens or self.max_tokens or most_tokens,
            stop=tuple(stop or ()),
            seed=self.seed,
        )
