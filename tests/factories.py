"""The cast of the tests, and trees drawn as text.

Nothing random, nothing hidden: every row is one that the domain could have written.
"""

import random
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from oasst.accounts import roles
from oasst.accounts.models import User
from tasks_app import facts, interactions, labels, offers, selection, trees
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind, Role, TaskType, TreeState
from tasks_app.models import Message, MessageTree, Ranking, Task, TextLabels

# The time at which tests of the domain begin.
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)

# Chance, where a test does not care which.
CHANCE = random.Random(8)

GOOD = {"spam": 0.0}
SPAM = {"spam": 1.0}


# People


def person(name: str, *, role: str = "", **fields: Any) -> User:
    """The account of `name`, made when first asked for; `role` is a group."""
    email = f"{name.lower().replace(' ', '.')}@example.org"
    known = User.objects.filter(email=email).first()
    if known:
        return known
    user = User.objects.create_user(email, **(_settled(name) | fields))
    if role:
        roles.grant(user, role)
    return user


def alice() -> User:
    """Contributes."""
    return person("Alice")


def bob() -> User:
    """Reviews."""
    return person("Bob")


def mona() -> User:
    """Moderates."""
    return person("Mona", role=roles.MODERATORS)


def root() -> User:
    """Administrates."""
    return person("Root", role=roles.ADMINS)


def trudy() -> User:
    """Is banned."""
    return person("Trudy", is_active=False)


def crowd(size: int, *, langs: Sequence[str] = ("en",), prefix: str = "Person") -> list[User]:
    """So many contributors, in two queries; asked for again, they are the same."""
    names = [f"{prefix} {number}" for number in range(size)]
    emails = [f"{prefix.lower()}.{number}@example.org" for number in range(size)]
    known = {user.email: user for user in User.objects.filter(email__in=emails)}
    missing = [
        User(
            id=uuid.uuid5(uuid.NAMESPACE_URL, email),
            email=email,
            **_settled(name) | {"contribution_languages": list(langs)},
        )
        for name, email in zip(names, emails, strict=True)
        if email not in known
    ]
    for user in missing:
        user.set_unusable_password()
    known |= {user.email: user for user in User.objects.bulk_create(missing)}
    return [known[email] for email in emails]


def _settled(name: str) -> dict[str, Any]:
    """Somebody who has accepted the terms and chosen a language."""
    return {
        "display_name": name,
        "contribution_languages": ["en"],
        "tos_version": settings.TOS_VERSION,
        "tos_accepted_at": NOW - timedelta(days=30),
        "date_joined": NOW - timedelta(days=30),
    }


# Trees


@dataclass
class Grown:
    """A drawn tree. `messages` are in the order of the drawing, the root first."""

    tree: MessageTree
    messages: list[Message]

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    def __getitem__(self, index: int) -> Message:
        return self.messages[index]

    @property
    def root(self) -> Message:
        """The initial prompt."""
        return self.messages[0]

    def refresh(self) -> "Grown":
        """Read everything again from the database."""
        self.tree.refresh_from_db()
        for message in self.messages:
            message.refresh_from_db()
        return self


def grow(
    drawing: str,
    *,
    state: TreeState = TreeState.GROWING,
    lang: str = "en",
    author: User | None = None,
    authors: Mapping[int, User] | None = None,
    now: datetime = NOW,
    **limits: Any,
) -> Grown:
    """Store a tree as drawn: `P` and `A` are messages, brackets hold the replies to one.

    "P(A A(P))" is a prompt with two replies, the second of which has one. Marks behind a letter:
    `-` rejected, `?` in review, `?2` in review with two reviews, `x` deleted; without one it was
    accepted. `authors` names the authors of some messages by their place in the drawing, `author`
    that of all others; nobody by default. `limits` are columns of the tree.

    Offers and counters are those of the state; the tree makes no move, even if it could.
    """
    config = TreeConfig.current()
    nodes = list(_parse(drawing))
    tree = _tree(nodes[0].id, state, lang, config, now, limits)
    messages = [
        _message(node, tree, config, (authors or {}).get(place, author), now)
        for place, node in enumerate(nodes)
    ]
    Message.objects.bulk_create(messages)
    _review(messages, nodes, now)
    loaded = facts.load(tree)
    offers.write(tree, loaded, offers.plan(loaded, config), now=now)
    return Grown(tree, messages).refresh()


@dataclass
class _Node:
    id: uuid.UUID
    place: int
    parent: "_Node | None"
    letter: str
    verdict: str
    reviews: int | None
    deleted: bool

    @property
    def depth(self) -> int:
        return self.parent.depth + 1 if self.parent else 0


_TOKEN = re.compile(r"(?P<letter>[PA])(?P<marks>(?:[-?x]|\d)*)|(?P<bracket>[()])|\s+")


def _parse(drawing: str) -> Iterator[_Node]:
    parents: list[_Node | None] = [None]
    node: _Node | None = None
    place = position = 0
    while position < len(drawing):
        token = _TOKEN.match(drawing, position)
        if token is None:
            raise ValueError(f"cannot read {drawing!r} at {position}")
        position = token.end()
        if token["bracket"] == "(":
            parents.append(node)
        elif token["bracket"] == ")" and len(parents) > 1:
            node = parents.pop()
        elif token["bracket"]:
            raise ValueError(f"a bracket too many closes in {drawing!r}")
        elif token["letter"]:
            node = _node(token["letter"], token["marks"], parents[-1], place)
            place += 1
            yield node
    if len(parents) != 1:
        raise ValueError(f"a bracket is left open in {drawing!r}")


def _node(letter: str, marks: str, parent: _Node | None, place: int) -> _Node:
    digits = "".join(mark for mark in marks if mark.isdigit())
    node = _Node(
        id=uuid.uuid4(),
        place=place,
        parent=parent,
        letter=letter,
        verdict="?" if "?" in marks else "-" if "-" in marks else "+",
        reviews=int(digits) if digits else None,
        deleted="x" in marks,
    )
    if letter != "PA"[node.depth % 2] or (parent is None) != (place == 0):
        raise ValueError(f"message {place} of the drawing cannot be a {letter} there")
    return node


def _tree(
    root_id: uuid.UUID,
    state: TreeState,
    lang: str,
    config: TreeConfig,
    now: datetime,
    limits: dict[str, Any],
) -> MessageTree:
    early = {TreeState.INITIAL_PROMPT_REVIEW, TreeState.PROMPT_LOTTERY_WAITING}
    columns = {
        "goal_tree_size": config.goal_tree_size,
        "max_depth": config.max_tree_depth,
        "max_children_count": config.max_children_count,
        "num_prompter_replies": config.num_prompter_replies,
        "won_prompt_lottery_at": None if state in early else now,
        "state_since": now,
        "created_at": now,
    }
    tree = MessageTree(id=root_id, lang=lang, state=state, **(columns | limits))
    trees.start(tree, now=now, reason="drawn by a test")
    return tree


def _message(
    node: _Node, tree: MessageTree, config: TreeConfig, author: User | None, now: datetime
) -> Message:
    if node.reviews is None:
        decided = config.reviews_needed(is_root=node.parent is None)
        node.reviews = 0 if node.verdict == "?" else decided
    return Message(
        id=node.id,
        tree=tree,
        parent_id=node.parent.id if node.parent else None,
        user=author,
        role=Role.PROMPTER if node.letter == "P" else Role.ASSISTANT,
        text=f"Message {node.place} of the tree {tree.pk}",
        lang=tree.lang,
        depth=node.depth,
        deleted=node.deleted,
        review_count=node.reviews,
        review_result={"+": True, "-": False, "?": None}[node.verdict],
        created_at=now + timedelta(seconds=node.place),
    )


def _review(messages: list[Message], nodes: list[_Node], now: datetime) -> None:
    """The label sets that the review counts tell of."""
    most = max(message.review_count for message in messages)
    reviewers = crowd(most, prefix="Reviewer")
    TextLabels.objects.bulk_create(
        TextLabels(
            message=message,
            user=reviewer,
            kind=LabelKind.TASK,
            values=SPAM if node.verdict == "-" else GOOD,
            created_at=now,
        )
        for message, node in zip(messages, nodes, strict=True)
        for reviewer in reviewers[: message.review_count]
    )


# Work, through the domain's functions


def hand_out(
    user: User,
    kind: TaskType | str,
    message: Message | None = None,
    *,
    langs: Sequence[str] | None = None,
    now: datetime = NOW,
    rng: random.Random = CHANCE,
) -> Task:
    """The next task of a kind, on `message` if given."""
    message_id = message.pk if message else None
    return selection.next_task(user, kind, langs=langs, now=now, rng=rng, message_id=message_id)


def write_prompt(user: User, text: str = "How do I bake bread?", *, now: datetime = NOW) -> Message:
    """A new prompt by `user`."""
    task = hand_out(user, TaskType.INITIAL_PROMPT, now=now)
    return interactions.submit_reply(task.pk, user, text, now=now)


def reply(user: User, parent: Message, text: str = "", *, now: datetime = NOW) -> Message:
    """A reply by `user`; by default with a text that nobody else wrote."""
    task = hand_out(user, TaskType(f"{Role(parent.role).other}_reply"), parent, now=now)
    return interactions.submit_reply(task.pk, user, text or f"Answer {task.pk}", now=now)


def label(
    user: User, message: Message, values: Mapping[str, float] = GOOD, *, now: datetime = NOW
) -> TextLabels:
    """A review by `user`."""
    kind = labels.review_kind(message.role, is_root=message.is_root)
    task = hand_out(user, kind, message, now=now)
    return interactions.submit_labels(task.pk, user, values, now=now)


def review(message: Message, *values: Mapping[str, float], now: datetime = NOW) -> Message:
    """Reviews by as many people as there are `values`; returns the message as it is then."""
    for judge, opinion in zip(crowd(len(values), prefix="Judge"), values, strict=True):
        label(judge, message, opinion, now=now)
    message.refresh_from_db()
    return message


def rank(
    user: User, parent: Message, order: Sequence[Message] = (), *, now: datetime = NOW
) -> Ranking:
    """A ranking by `user`, best first; without `order` the replies cannot be ranked."""
    kind = TaskType(f"rank_{Role(parent.role).other}_replies")
    task = hand_out(user, kind, parent, now=now)
    groups = [[message.pk] for message in order]
    return interactions.submit_ranking(
        task.pk, user, groups, not_rankable=not groups, reason="All wrong.", now=now
    )
