"""How a conversation becomes tokens: the same text in training as in serving, and what is learned.

A model's own chat template stays as it is. For training it is wrapped, so that the tokenizer can
tell which tokens the assistant has to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from chat_app.inference.prompts import PromptReader
from training.config import ConfigError
from training.rows import Turn

# Reference 9.1, for base models that know no roles yet.
TOKENS = ("<|prompter|>", "<|assistant|>", "<|system|>", "<|prefix_begin|>", "<|prefix_end|>")
TEMPLATE = (
    "{% for message in messages %}"
    "{{ {'user': '<|prompter|>', 'assistant': '<|assistant|>', 'system': '<|system|>'}"
    "[message['role']] + message['content'] + eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
END = "<|endoftext|>"
PADS = ("<|padding|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>", END)  # as model families do

# Renders with the served template itself, in pieces: up to an answer, the answer to its end token,
# the rest. That is possible where a conversation's beginning reads the same without its end.
# The line break after the first tag and the plus keep all white space of the served template.
_BEFORE = "{% macro served(messages, add_generation_prompt) %}\n"
_AFTER = """{%+ endmacro %}
{%- set past = namespace(text='') -%}
{%- for message in messages -%}
{%- if message['role'] == 'assistant' -%}
{%- set head = served(messages[:loop.index0], true) -%}
{%- set answer = served(messages[:loop.index], false) -%}
{%- if head[:past.text|length] != past.text or answer[:head|length] != head -%}
{{- raise_exception('the template writes what stands before an answer in two ways') -}}
{%- endif -%}
{%- set answer = answer[head|length:].rstrip() -%}
{{- head[past.text|length:] -}}
{%- generation -%}{{- answer -}}{%- endgeneration -%}
{%- set past.text = head + answer -%}
{%- endif -%}
{%- endfor -%}
{%- set whole = served(messages, add_generation_prompt) -%}
{%- if whole[:past.text|length] != past.text -%}
{{- raise_exception('the template writes an answer otherwise once the conversation goes on') -}}
{%- endif -%}
{{- whole[past.text|length:] -}}
"""

_ASKED = [{"role": "user", "content": "Is Größe one\n\n word?"}]
_ANSWERED = [*_ASKED, {"role": "assistant", "content": "Yes.\n\n- One: 👍"}]
_LONGER = [*_ANSWERED, {"role": "user", "content": "And 2?"}, {"role": "assistant", "content": "b"}]
_INSTRUCTED = [{"role": "system", "content": "Be brief."}, *_LONGER]
_PROBES = (_ANSWERED, _LONGER, _INSTRUCTED, [*_LONGER, *_ASKED])


def prepare(tokenizer: PreTrainedTokenizerBase) -> int:
    """Give a base model's tokenizer roles, and a pad token that is not the end of a turn.

    What a model brings stays. Returns how many tokens are new: the embedding must grow by them.
    """
    before = len(tokenizer)
    if not tokenizer.chat_template:
        if tokenizer.eos_token is None:
            tokenizer.add_special_tokens({"eos_token": END})
        tokenizer.add_special_tokens({"additional_special_tokens": list(TOKENS)})
        tokenizer.chat_template = TEMPLATE
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        known = tokenizer.get_vocab()
        free = (pad for pad in PADS if pad in known and pad != tokenizer.eos_token)
        tokenizer.add_special_tokens({"pad_token": next(free, PADS[0])})
    return len(tokenizer) - before


def training_template(tokenizer: PreTrainedTokenizerBase) -> str:
    """A template that renders as the served one does and marks what the assistant writes.

    Raises ConfigError if there is none.
    """
    return _derived(tokenizer, tokenizer.get_chat_template())


def encode(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], *, max_length: int
) -> tuple[list[int], list[int]]:
    """Tokens (T,) of a conversation, cut off after `max_length`, and 1 where the assistant writes.

    Of an answer the end token is learned too; what the template puts between turns is not.
    Raises ConfigError.
    """
    template = training_template(tokenizer)
    ids, mask = _masked(tokenizer, defused(tokenizer, messages), template)
    return ids[:max_length], mask[:max_length]


def render(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], *, is_open: bool = False
) -> str:
    """The text that serving would read. With `is_open` an answer is to follow."""
    return _rendered(tokenizer, defused(tokenizer, messages), add_generation_prompt=is_open)


def tokens(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], *, is_open: bool = False
) -> list[int]:
    """Tokens of `render`, (T,)."""
    text = render(tokenizer, messages, is_open=is_open)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def end_of_turn(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that the template writes behind an answer; the tokenizer's end if it writes none.

    <end_of_turn> of Gemma and <|end|> of Phi-3 are not their tokenizers' ends. Raises ConfigError.
    """
    return _end_of_turn(tokenizer, tokenizer.get_chat_template())


def room(
    tokenizer: PreTrainedTokenizerBase, max_length: int
) -> Callable[[Mapping[str, Any]], bool]:
    """Tells of a row whether anything of its first answer stands before `max_length`."""

    def has_room(row: Mapping[str, Any]) -> bool:
        messages = row["messages"]
        start = next(at for at, turn in enumerate(messages) if turn["role"] == "assistant")
        return len(tokens(tokenizer, messages[:start], is_open=True)) < max_length

    return has_room


def defused(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn]) -> list[Turn]:
    """The turns without words that would end them and speak for another role."""
    reader = _reader(tokenizer, len(tokenizer), tokenizer.get_chat_template())
    return [turn | {"content": reader.defuse(turn["content"])} for turn in messages]


# Deriving the training template


@lru_cache(maxsize=8)
def _derived(tokenizer: PreTrainedTokenizerBase, served: str) -> str:
    if has_generation_markers(served):
        candidates = [served]
    else:
        candidates = [_BEFORE + served.removesuffix("\n") + _AFTER, *_known_to_trl(tokenizer)]
    faults = []
    for candidate in candidates:
        fault = _fault(tokenizer, candidate)
        if fault is None:
            return candidate
        faults.append(fault)
    raise ConfigError(
        f"model: its chat template cannot be trained on: {faults[0]}. Save its tokenizer with a "
        "template that writes each turn the same wherever it stands (trl's documentation of chat "
        "templates lists some), or take another model."
    )


def _known_to_trl(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    try:
        known = get_training_chat_template(tokenizer)
    except ValueError:
        return []
    return [known] if known else []


def _fault(tokenizer: PreTrainedTokenizerBase, template: str) -> str | None:
    """What is wrong with a training template, seen on some conversations; None if nothing is."""
    for messages in _PROBES:
        try:
            served = _rendered(tokenizer, messages)
        except ConfigError as error:
            if messages is _ANSWERED:
                return str(error)
            continue  # system text, say, that the model was never told
        try:
            if _rendered(tokenizer, messages, template) != served:
                return "the conversation reads otherwise with marks than without"
            ids, mask = _masked(tokenizer, messages, template)
        except ConfigError as error:
            return str(error)
        if not _marks_answers(tokenizer, messages, ids, mask):
            return "what is marked is not the assistant's turns to their end tokens"
    return None


def _marks_answers(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], ids: list[int], mask: list[int]
) -> bool:
    """Each marked run is an answer and its end token; other special tokens may frame the answer."""
    answers = [_letters(turn["content"]) for turn in messages if turn["role"] == "assistant"]
    special = _special(tokenizer)
    found = []
    for is_marked, places in groupby(range(len(ids)), key=mask.__getitem__):
        run = [ids[place] for place in places]
        written = [token for token in run if _letters(str(tokenizer.decode([token])))]
        if not is_marked:
            continue
        if not written or written[-1] not in special:
            return False
        text = tokenizer.decode([token for token in run if token not in special])
        found.append(_letters(str(text)))
    return found == answers


@lru_cache(maxsize=8)
def _end_of_turn(tokenizer: PreTrainedTokenizerBase, template: str) -> int:
    """`template` is the tokenizer's own, which may be exchanged."""
    answer, special = _letters(_ANSWERED[-1]["content"]), _special(tokenizer)
    read: list[int] = []
    for token in tokens(tokenizer, _LONGER):
        if token not in special:
            read.append(token)
        elif _letters(str(tokenizer.decode(read))).endswith(answer):
            return token
    return int(tokenizer.eos_token_id)


def _special(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    return set(tokenizer.get_added_vocab().values()) | set(tokenizer.all_special_ids)


def _letters(text: str) -> str:
    return "".join(text.split())


def _rendered(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Turn],
    template: str | None = None,
    *,
    add_generation_prompt: bool = False,
) -> str:
    try:
        text = tokenizer.apply_chat_template(
            list(messages),
            chat_template=template,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
    except (TemplateError, ValueError) as error:
        raise ConfigError(f"the model's chat template refuses a conversation: {error}") from error
    return str(text)


def _masked(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Turn], template: str
) -> tuple[list[int], list[int]]:
    try:
        read: Any = tokenizer.apply_chat_template(
            list(messages),
            chat_template=template,
            return_dict=True,
            return_assistant_tokens_mask=True,
        )
    except (TemplateError, ValueError) as error:
        raise ConfigError(f"the model's chat template refuses a conversation: {error}") from error
    return list(read["input_ids"]), list(read["assistant_masks"])


@lru_cache(maxsize=8)
def _reader(tokenizer: PreTrainedTokenizerBase, size: int, template: str) -> PromptReader:
    """Made anew when the tokenizer has other tokens, of `size` in all, or another template."""
    return PromptReader(tokenizer)
