"""Answers as trees to be ranked: a prompt with replies of people and models that look alike.

Pure. Nothing but `synthetic`, `model_name` and `user_id`, which no ranking page shows, tells whose
a reply is: ids, dates, reviews and order are the same for all of a tree.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tasks_app.export_format import MessageNode, MessageTree
from training.prompt_files import Prompt
from training.report import ModelReport

# Ids follow from the origin and the prompt, so importing the same answers twice changes nothing.
NAMESPACE = uuid.UUID("b4dd4f0c-52c9-5a53-8f9a-1f0a38c4a8d1")
STATE = "ranking"
# Of a language that is not told; the data collection needs one.
UNKNOWN_LANG = "en"
# Models write any character; these cannot be stored, or mean nothing to a reader.
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Reply:
    """One answer. `model` is empty for a person's; `author` is known for a person's alone."""

    text: str
    model: str = ""
    author: str | None = None


@dataclass(frozen=True)
class Case:
    """A prompt of one turn, and the answers to it that are ranked together.

    `tree` is where the prompt and people's replies are from, if they are from one.
    """

    prompt: Prompt
    replies: Sequence[Reply]
    tree: str = ""


def replies(reports: Sequence[ModelReport], place: int) -> list[Reply]:
    """The answers of all models to the prompt at `place`: the kept ones where some were scored."""
    found = []
    for report in reports:
        outputs = [output for result in report.results[place] for output in result.outputs]
        kept = [output for output in outputs if output.is_kept] or outputs
        found += [Reply(output.text, report.name) for output in kept]
    return found


def trees(
    cases: Sequence[Case], *, origin: str, seed: int = 0, now: datetime | None = None
) -> Iterator[MessageTree]:
    """A tree for each case in which there is something to rank.

    A text that is there twice is ranked once, as the first of its replies; empty ones and prompts
    of several turns are left out. All messages get the date `now`.
    """
    for case in cases:
        distinct = _distinct(case.replies)
        if len(distinct) > 1 and len(case.prompt.messages) == 1:
            yield _tree(case, distinct, origin, seed, now)


def originals(cases: Sequence[Case], *, origin: str) -> dict[str, str]:
    """Of each tree that `trees` makes of the cases, the tree it is a copy of."""
    return {str(_key(case, origin)): case.tree for case in cases if case.tree}


def _key(case: Case, origin: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{origin}\n{case.prompt.id}")


def _distinct(given: Sequence[Reply]) -> list[Reply]:
    by_text: dict[str, Reply] = {}
    for reply in given:
        text = _UNSTORABLE.sub("", reply.text).strip()
        if text:
            by_text.setdefault(" ".join(text.split()), replace(reply, text=text))
    return list(by_text.values())


def _tree(
    case: Case, given: Sequence[Reply], origin: str, seed: int, now: datetime | None
) -> MessageTree:
    key, prompt = _key(case, origin), case.prompt
    order = random.Random(f"{seed} {key}").sample(given, len(given))
    root = _node(key, None, prompt.text, prompt, now)
    for place, reply in enumerate(order):
        node = _node(uuid.uuid5(key, str(place)), root, reply.text, prompt, now)
        node.synthetic, node.model_name = bool(reply.model), reply.model or None
        node.user_id = None if reply.model else reply.author
        root.replies.append(node)
    return MessageTree(str(key), STATE, root, origin=origin)


def _node(
    key: uuid.UUID, parent: MessageNode | None, text: str, prompt: Prompt, now: datetime | None
) -> MessageNode:
    return MessageNode(
        message_id=str(key),
        parent_id=parent.message_id if parent else None,
        created_date=now,
        text=text,
        role="assistant" if parent else "prompter",
        lang=prompt.lang or UNKNOWN_LANG,
        review_result=True,
    )
