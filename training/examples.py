"""From trees and rows to the examples of one stage, counting what is left out and why. Pure.

An example knows by which prompt it began (`tree`), so that a tree is held out whole, and of which
prompt it is an answer (`group`), so that each prompt counts once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from tasks_app import export_format
from tasks_app.export_format import BadLine, MessageNode, MessageTree
from training import system_tags
from training.config import DataConfig
from training.rows import Conversation, Pair, Row, Turn, Undecided
from training.sources import Item

# Trees that people have finished; `not_applicable` is said of exported chats.
FINISHED = ("ready_for_export", "not_applicable", None)
# A prompt needs no answers to be answered by the policy.
PROMPTABLE = (*FINISHED, "prompt_lottery_waiting", "growing", "ranking", "ready_for_scoring")

PAIR = ("prompt", "chosen", "rejected")

# Why something was left out, in the order in which it is told.
REASONS = {
    "unreadable": "lines that could not be read",
    "other_kind": "lines that hold nothing for this stage",
    "state": "trees that are not finished, or were stopped",
    "language": "conversations in other languages",
    "prompt": "trees whose prompt is not usable",
    "deleted": "messages that were deleted",
    "rejected": "messages that were not accepted in review",
    "few_reviews": "messages with too few reviews",
    "not_top": "answers that others were ranked above",
    "synthetic": "answers that a model wrote",
    "disliked": "answers with thumbs down",
    "blank": "messages without text",
    "truncated": "answers that were cut off before their end",
    "below": "messages below one that is left out",
    "tie": "pairs of which neither was preferred",
    "same_text": "pairs of two equal answers",
    "repeated": "examples that occur twice",
    "too_long": "conversations whose first prompt is longer than max_length",
    "weight": "examples not drawn because of their source's weight",
    "cap": "examples beyond max_train or max_eval",
}


@dataclass(frozen=True)
class Example:
    """One row for a trainer, and what is needed to split and weigh it."""

    row: dict[str, Any]
    tree: str
    group: str


@dataclass
class Tally:
    """What was left out, by the keys of REASONS; `bad_lines` are the first that were unreadable."""

    left_out: Counter[str] = field(default_factory=Counter)
    bad_lines: list[str] = field(default_factory=list)

    def add(self, reason: str, count: int = 1) -> None:
        self.left_out[reason] += count

    def bad(self, line: BadLine) -> None:
        self.add("unreadable")
        if len(self.bad_lines) < 5:
            self.bad_lines.append(f"line {line.number}: {line.reason}")


Maker = Callable[[Item, DataConfig, Tally, int], Iterator[Example]]


def sft(item: Item, config: DataConfig, tally: Tally, seed: int) -> Iterator[Example]:
    """Whole threads that end on an answer."""
    if isinstance(item, MessageTree):
        yield from _threads(item, config, tally, seed)
    elif not isinstance(item, Conversation):
        _count_other(item, tally)
    elif _is_in_language(item.lang, config, tally):
        yield _example({"messages": item.messages}, item.messages, item.lang)


def preferences(item: Item, config: DataConfig, tally: Tally, seed: int) -> Iterator[Example]:
    """Pairs of answers of which people liked one better."""
    if isinstance(item, MessageTree):
        yield from _ranked_pairs(item, config, tally)
    elif not isinstance(item, Pair):
        _count_other(item, tally)
    elif not item.chosen or not item.rejected:
        tally.add("blank")
    elif item.chosen == item.rejected:
        tally.add("same_text")
    elif _is_in_language(item.lang, config, tally):
        row = {
            "prompt": item.prompt,
            "chosen": [_answer(item.chosen)],
            "rejected": [_answer(item.rejected)],
            "best_vs_worst": True,
        }
        yield _example(row, item.prompt, item.lang)


def prompts(item: Item, config: DataConfig, tally: Tally, seed: int) -> Iterator[Example]:
    """Conversations that wait for an answer."""
    if isinstance(item, MessageTree):
        yield from _open_threads(item, config, tally)
    elif isinstance(item, BadLine | Undecided):
        _count_other(item, tally)
    elif _is_in_language(item.lang, config, tally):
        turns = _asked(item)
        yield _example({"prompt": turns}, turns, item.lang)


def is_ranked_of_models(item: Item) -> TypeGuard[MessageTree]:
    """Whether it is a finished tree with replies of models: people have ranked them."""
    if not isinstance(item, MessageTree) or item.tree_state not in FINISHED:
        return False
    return any(node.synthetic for node in export_format.visit_messages(item.prompt))


def origin(prompt: str) -> str:
    """What stays together in a split: a prompt, under whatever ids it occurs."""
    return key_of(" ".join(prompt.split()).casefold())


def key_of(value: Any) -> str:
    """A short name for some text or turns, the same for the same."""
    raw = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(raw.encode()).hexdigest()[:32]


# Trees


def _threads(tree: MessageTree, config: DataConfig, tally: Tally, seed: int) -> Iterator[Example]:
    if not _is_wanted(tree, FINISHED, config, tally):
        return
    _prune(tree, config, tally, imitated=True)
    for thread in export_format.answered_threads(tree):
        messages = _turns(thread)
        if config.system_tags:
            messages = system_tags.insert(messages, thread, config.system_tags, seed=seed)
        yield _of_tree({"messages": messages}, tree, group=thread[-1].message_id)


def _ranked_pairs(tree: MessageTree, config: DataConfig, tally: Tally) -> Iterator[Example]:
    if not _is_wanted(tree, FINISHED, config, tally):
        return
    _prune(tree, config, tally, imitated=False)
    nodes = {node.message_id: node for node in export_format.visit_messages(tree.prompt)}
    tied = export_format.tied_replies(tree)
    tally.add("tie", sum(pair <= nodes.keys() for pair in tied))
    extremes = _extremes(tree)
    for pair in export_format.preference_rows(tree, tied):
        better, worse = nodes[pair["chosen_id"]], nodes[pair["rejected_id"]]
        if better.text.strip() == worse.text.strip():
            tally.add("same_text")
            continue
        row: dict[str, Any] = {name: _stripped(pair[name]) for name in PAIR}
        row["best_vs_worst"] = (better.rank, worse.rank) == extremes[pair["message_id"]]
        yield _of_tree(row, tree, group=pair["message_id"])


def _extremes(tree: MessageTree) -> dict[str, tuple[int, int]]:
    """The best and the worst rank among the replies of each message that has ranked ones."""
    found = {}
    for node in export_format.visit_messages(tree.prompt):
        ranks = [reply.rank for reply in node.replies if reply.rank is not None]
        if ranks:
            found[node.message_id] = (min(ranks), max(ranks))
    return found


def _open_threads(tree: MessageTree, config: DataConfig, tally: Tally) -> Iterator[Example]:
    if not _is_wanted(tree, PROMPTABLE, config, tally):
        return
    _prune(tree, config, tally, imitated=False)
    for thread in export_format.visit_threads(tree.prompt):
        if thread[-1].role == "prompter":
            row = {"prompt": _turns(thread)}
            yield _of_tree(row, tree, group=thread[-1].message_id)


def _is_wanted(
    tree: MessageTree, states: Collection[str | None], config: DataConfig, tally: Tally
) -> bool:
    if tree.tree_state not in states:
        tally.add("state")
        return False
    if _fault(tree.prompt, (), tree, config, imitated=False):
        tally.add("prompt")
        return False
    return _is_in_language(tree.prompt.lang, config, tally)


def _is_in_language(lang: str | None, config: DataConfig, tally: Tally) -> bool:
    """`pt` takes `pt-BR` too. Where no language is told, none can be chosen."""
    wanted = {name.lower() for name in config.languages}
    told = (lang or "").lower()
    if not wanted or told in wanted or told.split("-")[0] in wanted:
        return True
    tally.add("language")
    return False


def _prune(tree: MessageTree, config: DataConfig, tally: Tally, *, imitated: bool) -> None:
    """Cut off the replies that may not be used, and what is below them."""
    for node in export_format.visit_messages(tree.prompt):
        kept = []
        for reply in node.replies:
            fault = _fault(reply, node.replies, tree, config, imitated=imitated)
            if fault:
                tally.add(fault)
                tally.add("below", sum(1 for _ in export_format.visit_messages(reply)) - 1)
            else:
                kept.append(reply)
        node.replies = kept


def _fault(
    node: MessageNode,
    siblings: Sequence[MessageNode],
    tree: MessageTree,
    config: DataConfig,
    *,
    imitated: bool,
) -> str:
    """Why the message may not be used, or "". `imitated`: its answers are learned by heart."""
    is_answer = imitated and node.role == "assistant"
    faults = {
        "deleted": node.deleted,
        "rejected": _is_rejected(node, tree),
        "few_reviews": (node.review_count or 0) < config.min_reviews,
        "blank": not node.text.strip(),
        "truncated": node.truncated,
        "synthetic": is_answer and node.synthetic and not config.synthetic,
        "disliked": is_answer and _is_disliked(node),
        "not_top": is_answer and config.top_k is not None and not _is_top(node, siblings, config),
    }
    return next((name for name, found in faults.items() if found), "")


def _is_rejected(node: MessageNode, tree: MessageTree) -> bool:
    """Undecided counts as not accepted, where reviews are counted at all."""
    if node.review_result is None:
        return node.review_count is not None and tree.tree_state != "not_applicable"
    return not node.review_result


def _is_top(node: MessageNode, siblings: Sequence[MessageNode], config: DataConfig) -> bool:
    if node.rank is None:  # reference 9.2: an answer without rank must have been the only one
        return len(siblings) == 1
    return node.rank < (config.top_k or 0)


def _is_disliked(node: MessageNode) -> bool:
    scores = (event.get("score") for event in node.events.get("score", ()))
    return sum(score for score in scores if isinstance(score, int | float)) < 0


def _turns(thread: Sequence[MessageNode]) -> list[Turn]:
    return _stripped(export_format.turns(list(thread)))


def _stripped(turns: Sequence[Turn]) -> list[Turn]:
    """White space around a text would melt into the tokens of the template."""
    return [turn | {"content": turn["content"].strip()} for turn in turns]


def _of_tree(row: dict[str, Any], tree: MessageTree, *, group: str) -> Example:
    about = {"tree": tree.message_tree_id, "lang": tree.prompt.lang or ""}
    return Example(row | about, origin(tree.prompt.text), group)


# Rows


def _example(row: dict[str, Any], turns: Sequence[Turn], lang: str) -> Example:
    """Of a row that is in no tree: those that begin with the same words belong together."""
    first = next(turn["content"] for turn in turns if turn["role"] == "user")
    tree = origin(first)
    return Example(row | {"tree": tree, "lang": lang}, tree, key_of(turns))


def _asked(row: Row) -> list[Turn]:
    if isinstance(row, Pair):
        return row.prompt
    return row.messages[:-1] if isinstance(row, Conversation) else row.messages


def _answer(text: str) -> Turn:
    return {"role": "assistant", "content": text}


def _count_other(item: Item, tally: Tally) -> None:
    if isinstance(item, BadLine):
        tally.bad(item)
    else:
        tally.add("tie" if isinstance(item, Undecided) else "other_kind")
