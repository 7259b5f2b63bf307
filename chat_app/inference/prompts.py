"""Renders a conversation with the checkpoint's chat template and turns it into tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from chat_app.inference.requests import EngineError, Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WORD_JOINER = "\u2060"  # invisible


class PromptReader:
    """Reads prompts for one model. Raises EngineError where the model has no chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.chat_template:
            raise EngineError(
                "The model has no chat template, so it cannot be told who says what. Take a model "
                "that was trained for chat, or save its tokenizer with a template."
            )
        self._tokenizer = tokenizer
        added = {str(token) for token in tokenizer.added_tokens_decoder.values()}
        self._marks = sorted({*added, *tokenizer.all_special_tokens}, key=len, reverse=True)

    def render(self, turns: Sequence[Turn], *, continues: bool = False) -> str:
        """Give the text that the model reads. With `continues` the last turn stays open."""
        messages = [{"role": turn.role, "content": self.defuse(turn.content)} for turn in turns]
        try:
            text = self._tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=not continues,
                continue_final_message=continues,
            )
        except (TemplateError, ValueError) as error:
            raise EngineError(f"The model's chat template refuses this: {error}") from error
        return str(text)

    def encode(self, turns: Sequence[Turn], *, continues: bool = False) -> list[int]:
        """Give the tokens of the prompt. The template holds the special ones already."""
        text = self.render(turns, continues=continues)
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, tokens: list[int]) -> str:
        """Give the text of an answer's tokens, the special ones left out."""
        return str(
            self._tokenizer.decode(
                tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def defuse(self, content: str) -> str:
        """Keep words like <|im_end|> in a message from ending it and speaking for another role."""
        for mark in self._marks:
            if len(mark) > 1 and mark in content:
                content = content.replace(mark, mark[0] + WORD_JOINER + mark[1:])
        return content
