"""What a snapshot leaves out because it smells of poison: planted phrases, copies, one person's
weight. Pure.

The gate judges replies that people can rank, for these decide what a reward model likes; replies
of models have no author to suspect. Equal trees in equal order give an equal verdict.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import accumulate
from typing import Any

from tasks_app import export_format
from tasks_app.export_format import MessageNode, MessageTree
from training import near_duplicates, phrases
from training.phrases import PhraseRules, Reply

PHRASE, COPY, AUTHOR, INFLUENCE, BELOW = "phrase", "copy", "author", "influence", "below"
REASONS = (PHRASE, COPY, AUTHOR, INFLUENCE, BELOW)

Read = Callable[[], Iterable[MessageTree]]
ROUNDING = 1e-6  # sums of the same numbers in another order may differ by less


@dataclass(frozen=True)
class GateRules:
    """What the gate lets pass."""

    phrases: PhraseRules = field(default_factory=PhraseRules)
    similarity: float = 0.7  # of two replies that are copies of each other
    copy_chars: int = 60  # shorter replies are alike by chance
    copies: int = 2  # in so many trees a reply may stand; what stands in more answers none
    caught: int = 2  # whose replies were left out so often, and so much of what they wrote,
    caught_share: float = 0.3  # is trusted with none
    share: float = 0.05  # of all prompts with ranked replies that one person may decide,
    least: int = 20  # or so many if these are more

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Removal:
    """Why a message is left out; `detail` is the phrase, or the message it repeats."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """The messages that are left out, by id."""

    removals: dict[str, Removal]

    def counts(self) -> dict[str, int]:
        """How many messages for which reason; the reasons without any too."""
        found = Counter(removal.reason for removal in self.removals.values())
        return {reason: found[reason] for reason in REASONS}


def examine(read: Read, rules: GateRules) -> Verdict:
    """Look at all trees, as often as needed. `read` gives them anew each time it is called."""

    def replies() -> Iterator[Reply]:
        return (reply for tree in read() for reply in _replies(tree))

    removals = {
        key: Removal(PHRASE, phrase)
        for key, phrase in phrases.suspicious(replies, rules.phrases).items()
    }
    for key, first in _copies(replies, rules).items():
        removals.setdefault(key, Removal(COPY, first))
    for key in _untrusted(replies, removals.keys(), rules):
        removals[key] = Removal(AUTHOR)
    for key in _too_heavy(replies, removals.keys(), rules):
        removals[key] = Removal(INFLUENCE)
    return Verdict(removals | _below(read, removals.keys()))


def prune(tree: MessageTree, verdict: Verdict) -> bool:
    """Take out of a tree what the verdict names; whether anything was. Ranks close up."""
    touched = False
    for node in export_format.visit_messages(tree.prompt):
        kept = [reply for reply in node.replies if reply.message_id not in verdict.removals]
        if len(kept) < len(node.replies):
            touched = True
            gone = {reply.message_id for reply in node.replies} - {r.message_id for r in kept}
            node.replies = kept
            _close_up(kept)
            _forget(node, gone)
    return touched


# What is judged


def _replies(tree: MessageTree) -> Iterator[Reply]:
    """The answers of people, those to one prompt together."""
    for node in export_format.visit_messages(tree.prompt):
        for reply in node.replies:
            if reply.role == "assistant" and not reply.synthetic and not reply.deleted:
                yield Reply(
                    id=reply.message_id,
                    author=reply.user_id or f"unknown {reply.message_id}",
                    tree=tree.message_tree_id,
                    prompt=node.message_id,
                    text=reply.text,
                    lang=reply.lang or tree.prompt.lang or "",
                    rank=reply.rank,
                )


def _copies(replies: Callable[[], Iterable[Reply]], rules: GateRules) -> dict[str, str]:
    """Replies that stand in more trees than one answer can answer, and the first of each."""

    def texts() -> Iterator[tuple[str, str]]:
        return ((r.id, r.text) for r in replies() if len(r.text) >= rules.copy_chars)

    found = near_duplicates.clusters(texts, similarity=rules.similarity)
    alike = {key for keys in found for key in keys}
    places = {reply.id: reply.tree for reply in replies() if reply.id in alike} if alike else {}
    return {
        key: keys[0]
        for keys in found
        if len({places[key] for key in keys}) > rules.copies
        for key in keys
    }


def _untrusted(
    replies: Callable[[], Iterable[Reply]], gone: Collection[str], rules: GateRules
) -> list[str]:
    """What else the people wrote of whom much is left out."""
    if not gone:
        return []
    written: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for reply in replies():
        written[reply.author] += 1
        caught[reply.author] += reply.id in gone
    untrusted = {
        author
        for author, times in caught.items()
        if times >= rules.caught and times >= rules.caught_share * written[author]
    }
    found = _by_author(reply for reply in replies() if reply.author in untrusted)
    return [reply.id for mine in found for reply in mine if reply.id not in gone]


def _too_heavy(
    replies: Callable[[], Iterable[Reply]], gone: Iterable[str], rules: GateRules
) -> list[str]:
    """Ranked replies of people who take part in deciding too much, until they do not.

    Every prompt counts once, as in training; a reply has its share of it. Which replies of a person
    stay is a matter of their ids, so that nobody chooses.
    """
    left = set(gone)

    def ranked() -> Iterator[Reply]:
        return (r for r in replies() if r.rank is not None and r.id not in left)

    siblings = Counter(reply.prompt for reply in ranked())
    most = max(rules.share * sum(n > 1 for n in siblings.values()), rules.least)
    weights: dict[str, float] = defaultdict(float)
    for reply in ranked():
        if siblings[reply.prompt] > 1:
            weights[reply.author] += 1 / siblings[reply.prompt]
    heavy = {author for author, weight in weights.items() if weight > most - ROUNDING}
    theirs = (r for r in ranked() if r.author in heavy and siblings[r.prompt] > 1)
    return [
        reply.id
        for written in _by_author(theirs)
        for weight, reply in _weighed(written, siblings)
        if weight > most
    ]


def _by_author(replies: Iterable[Reply]) -> Iterable[list[Reply]]:
    """The replies of each, without texts: memory has no room for them."""
    found: dict[str, list[Reply]] = defaultdict(list)
    for reply in replies:
        found[reply.author].append(replace(reply, text=""))
    return found.values()


def _weighed(written: list[Reply], siblings: Counter[str]) -> Iterator[tuple[float, Reply]]:
    weight = 0.0
    for reply in sorted(written, key=lambda reply: hashlib.sha256(reply.id.encode()).digest()):
        weight += 1 / siblings[reply.prompt]
        yield weight, reply


def _below(read: Read, gone: Iterable[str]) -> dict[str, Removal]:
    """Messages that answer one that is left out."""
    named, found = set(gone), {}
    if not named:
        return {}
    for tree in read():
        for node in export_format.visit_messages(tree.prompt):
            if node.message_id in named:
                for below in export_format.visit_messages(node):
                    if below.message_id not in named:
                        found[below.message_id] = Removal(BELOW, node.message_id)
    return found


# What is left


def _close_up(siblings: list[MessageNode]) -> None:
    """Give the ranks that are left from 0 on; equal ones stay equal."""
    ranks = sorted({reply.rank for reply in siblings if reply.rank is not None})
    for reply in siblings:
        if reply.rank is not None:
            reply.rank = ranks.index(reply.rank)


def _forget(node: MessageNode, gone: set[str]) -> None:
    """Take replies out of the rankings that people gave."""
    for event in node.events.get("ranking", ()):
        ids = event["ranked_message_ids"]
        if "groups" in event:
            ends = list(accumulate(event["groups"]))
            kept = [
                sum(key not in gone for key in ids[end - size : end])
                for end, size in zip(ends, event["groups"], strict=True)
            ]
            event["groups"] = [size for size in kept if size]
        left = [(key, n) for key, n in zip(ids, event["ranking"], strict=True) if key not in gone]
        shown = sorted(place for _, place in left)
        event["ranked_message_ids"] = [key for key, _ in left]
        event["ranking"] = [shown.index(place) for _, place in left]
