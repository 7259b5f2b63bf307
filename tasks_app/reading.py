"""What one reader gets to see of messages: the rules of who sees what, as cards for pages.

Everybody sees the shape of a tree, but for messages that are held back: those exist only for their
authors and for moderators. Deleted texts are for moderators, texts that were not accepted also for
their authors. Counts of reactions and the origin of replies stay hidden while they could
sway somebody's judgement, and so do the replies of a tree of which a copy is ranked blind: see
`Veil`, which holds at the moderators' desk too. Whoever reviews a message sees its thread and
nothing else of its tree: a gold item, whose verdict stands, must look like any other.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from tasks_app import fate, rewording
from tasks_app.config import TreeConfig
from tasks_app.enums import Emoji, TreeState
from tasks_app.errors import MessageNotFound, Veiled
from tasks_app.models import Message, MessageTree, Reaction, Task

if TYPE_CHECKING:
    from oasst.accounts.models import User

ICONS = {
    Emoji.THUMBS_UP: "thumbs-up",
    Emoji.THUMBS_DOWN: "thumbs-down",
    Emoji.HUNDRED: "badge-check",
    Emoji.ROFL: "laugh",
    Emoji.CLAP: "party-popper",
    Emoji.DIAMOND: "gem",
    Emoji.HEART_EYES: "heart",
    Emoji.DISAPPOINTED: "frown",
    Emoji.POOP: "toilet",
    Emoji.SKULL: "skull",
}
THUMBS = (Emoji.THUMBS_UP, Emoji.THUMBS_DOWN)
# A red flag is set by a report, which asks for the reason.
MORE = tuple(code for code in ICONS if code not in THUMBS)

# While replies are collected and ranked nobody is to know which of them a model wrote.
_ORIGIN_HIDDEN = {TreeState.GROWING, TreeState.RANKING, TreeState.BACKLOG_RANKING}
# What stands in place of texts and of authors that are shown later.
HELD_BACK = _l(
    "Held back for a while: a copy of this tree is being ranked by people who are not "
    "to know which answers are whose."
)
TOLD_LATER = _l("Shown once you have ranked this")


@dataclass(frozen=True)
class Button:
    """One reaction as a button. `count` is None where it is not to be seen, or nothing."""

    code: str
    label: str | Promise
    icon: str
    pressed: bool
    count: int | None
    usable: bool  # nobody gives thumbs to themselves


@dataclass
class Card:
    """A message as one reader sees it."""

    message: Message
    reader: "User"
    status: fate.Status
    is_own: bool
    is_hidden: bool  # the text is withheld
    is_synthetic: bool  # and the reader may know
    author: str  # empty where it is not to be seen
    shown: tuple[Button, ...]
    more: tuple[Button, ...]
    is_veiled: bool  # as are the other replies of its tree, for a while
    may_reword: bool = False  # its author, while nobody has begun to judge it
    is_target: bool = False
    replies: list["Card"] = field(default_factory=list)

    @property
    def is_parent_hidden(self) -> bool:
        """True if the text that it replies to is withheld. Needs `parent` loaded."""
        parent = self.message.parent
        return parent is not None and not may_read(parent, self.reader, veiled=self.is_veiled)

    @property
    def anchor(self) -> str:
        """The id of the message in a page."""
        return f"m-{self.message.pk}"

    @property
    def gone_text(self) -> str:
        """What stands in place of a hidden text."""
        if self.message.deleted:
            return _("This message was removed.")
        if self.is_veiled:
            return str(HELD_BACK)
        return _("The reviewers did not accept this message.")

    def find_target(self) -> "Card | None":
        """The card that a page is about, this one or one below."""
        if self.is_target:
            return self
        below = (reply.find_target() for reply in self.replies)
        return next((card for card in below if card), None)

    @property
    def may_react(self) -> bool:
        """True if the message takes reactions, labels and reports."""
        return not self.message.deleted and not self.is_hidden


def cards(messages: Sequence[Message], reader: "User") -> list[Card]:
    """The cards of messages that have `tree` and `user` loaded. At most five queries."""
    return _cards(messages, reader, TreeConfig.current())


def _cards(messages: Sequence[Message], reader: "User", config: TreeConfig) -> list[Card]:
    pressed = _own_reactions(messages, reader)
    is_moderator = reader.is_moderator
    over = veil((message.tree_id for message in messages), reader)
    return [
        _card(message, pressed[message.pk], config, over, is_moderator=is_moderator)
        for message in messages
    ]


def tree(messages: Sequence[Message], reader: "User", *, target: uuid.UUID | None = None) -> Card:
    """The card of the root, with those of all replies below it, best ranked first."""
    config = TreeConfig.current()
    every = {card.message.pk: card for card in _cards(messages, reader, config)}
    root: Card | None = None
    for card in every.values():
        card.is_target = card.message.pk == target
        parent = every.get(card.message.parent_id) if card.message.parent_id else None
        if parent is None:
            root = card
        else:
            parent.replies.append(card)
    if root is None:
        raise ValueError("a tree has at least one message")
    for card in every.values():
        _count_places(card.replies, config)
    return root


def _count_places(replies: Sequence[Card], config: TreeConfig) -> None:
    ranked = [reply for reply in replies if reply.message.rank is not None]
    for reply in ranked:
        reply.status = fate.status(reply.message, config, ranked=len(ranked))


def may_read(message: Message, reader: "User", *, veiled: bool) -> bool:
    """Whether the text is shown to this person; `veiled`: its tree's replies are for now."""
    if veiled and message.depth and message.user_id != reader.pk:
        return False
    if reader.is_moderator:
        return True
    if message.deleted or (message.held and message.user_id != reader.pk):
        return False
    return message.review_result is not False or message.user_id == reader.pk


def find_readable(message_id: uuid.UUID, reader: "User", *, now: datetime) -> Message:
    """A message whose text this person sees, here or in an open review, and that is not deleted.

    Raises MessageNotFound.
    """
    rows = Message.objects.select_related("tree", "user").filter(pk=message_id, deleted=False)
    found = rows.first()
    if found is None:
        raise MessageNotFound
    if is_in_open_review(found, reader, now=now):
        return found
    if not may_read(found, reader, veiled=bool(veiled([found.tree_id], reader))):
        raise MessageNotFound
    return found


def is_in_open_review(message: Message, reader: "User", *, now: datetime) -> bool:
    """Whether the text is part of what the reader is reviewing. One query, or two."""
    if message.held:
        return False
    reviews = Task.objects.open_reviews_of(reader, now).filter(message__tree=message.tree_id)
    return any(
        task.message and message in Message.objects.thread(task.message)
        for task in reviews.select_related("message")
    )


def own_review(tree_id: uuid.UUID, reader: "User", *, now: datetime) -> Task | None:
    """The reader's open review of a message of a tree, until whose end the tree is not shown: what
    became of the message would sway the review, and tell a gold item from a message in review."""
    return Task.objects.open_reviews_of(reader, now).filter(message__tree=tree_id).first()


def trees_in_open_review(reader: "User", *, now: datetime) -> set[uuid.UUID]:
    """Trees of which the reader is reviewing a message. One query."""
    reviews = Task.objects.open_reviews_of(reader, now)
    return {tree for tree in reviews.values_list("message__tree", flat=True) if tree}


def _card(
    message: Message, pressed: set[str], config: TreeConfig, over: "Veil", *, is_moderator: bool
) -> Card:
    reader, is_blind = over.reader, over.task(message) is not None
    is_veiled = message.tree_id in over.copied
    is_own = message.user_id == reader.pk
    sees_counts = is_moderator or is_own or bool(pressed)
    buttons = [
        Button(
            code.value,
            code.label,
            icon,
            pressed=code.value in pressed,
            count=message.emojis.get(code.value) if sees_counts else None,
            usable=not (is_own and code in THUMBS),
        )
        for code, icon in ICONS.items()
    ]
    return Card(
        message=message,
        reader=reader,
        status=fate.status(message, config),
        is_own=is_own,
        is_hidden=not may_read(message, reader, veiled=is_veiled),
        is_synthetic=message.synthetic
        and not is_blind
        and (is_moderator or _is_origin_open(message)),
        author=message.user.public_name if is_moderator and not is_blind and message.user else "",
        is_veiled=is_veiled,
        may_reword=rewording.may_be_open(message, reader),
        shown=tuple(button for button in buttons if _is_shown(button)),
        more=tuple(button for button in buttons if button.code in MORE),
    )


def _is_shown(button: Button) -> bool:
    """Thumbs are always there for others' messages, the rest once somebody gave it."""
    return bool(button.count) or button.pressed or (button.code in THUMBS and button.usable)


def _is_origin_open(message: Message) -> bool:
    return TreeState(message.tree.state) not in _ORIGIN_HIDDEN


@dataclass(frozen=True)
class Veil:
    """What one reader does not get to know of some trees before they have ranked.

    `to_rank`: trees of which they are about to rank some messages, each with its task; who wrote
    what is told once that task is done. `copied`: see `veiled`.
    """

    reader: "User"
    to_rank: Mapping[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    copied: Collection[uuid.UUID] = ()

    def task(self, message: Message) -> uuid.UUID | None:
        """The reader's open ranking because of which they are not told who wrote this."""
        return self.to_rank.get(message.tree_id)

    def hides(self, message: Message) -> bool:
        """Whether the text is held back, if the reader may read it otherwise."""
        is_copied = message.tree_id in self.copied
        return is_copied and bool(message.depth) and message.user_id != self.reader.pk


def veil(trees: Iterable[uuid.UUID], reader: "User") -> Veil:
    """What is kept from a reader of these trees. Two queries."""
    wanted = set(trees)
    return Veil(reader, to_rank(wanted, reader), veiled(wanted, reader))


def to_rank(trees: Iterable[uuid.UUID], reader: "User") -> dict[uuid.UUID, uuid.UUID]:
    """Trees of which the reader is about to rank some messages, each with the task. One query.

    A ranking is welcome for as long as its task is open, whatever became of the tree meanwhile.
    """
    tasks = Task.objects.about_to_rank(reader).filter(tree__in=set(trees))
    return {tree: pk for tree, pk in tasks.values_list("tree", "pk") if tree}


def told_to(reader: "User", rows: QuerySet, tree: str) -> QuerySet:
    """Rows that tell who wrote something in a tree, which the path `tree` leads to: without those
    that the reader is told once they have ranked. Rows of no tree stay."""
    where = Q(tree=OuterRef(tree)) | Q(tree__copy_of=OuterRef(tree))
    return rows.filter(~Exists(Task.objects.about_to_rank(reader).filter(where)))


def veiled(trees: Iterable[uuid.UUID], reader: "User") -> set[uuid.UUID]:
    """Trees of which a copy is ranked blind, whose replies would tell a person's from a model's.

    Moderators, who see whose a reply is at their desk, are shown them until they hold such a task
    themselves; whoever holds one waits until it has ended, whatever became of the copy. One query.
    """
    is_about_to_rank = Exists(Task.objects.about_to_rank(reader).filter(tree=OuterRef("pk")))
    copies = MessageTree.objects.filter(copy_of__in=set(trees))
    if reader.is_moderator:
        copies = copies.filter(is_about_to_rank)
    else:
        copies = copies.filter(is_about_to_rank) | copies.ranked_blind()
    return {pk for pk in copies.values_list("copy_of", flat=True) if pk}


def require_unveiled(task: Task, reader: "User") -> None:
    """Raise Veiled if a task that is over would tell of a tree of which a copy is ranked blind."""
    if task.tree_id and veiled([task.tree_id], reader):
        raise Veiled


def _own_reactions(messages: Iterable[Message], reader: "User") -> dict[uuid.UUID, set[str]]:
    """Visible reactions of the reader by message. One query."""
    rows = Reaction.objects.filter(message__in=messages, user=reader, code__in=list(ICONS))
    pressed: dict[uuid.UUID, set[str]] = defaultdict(set)
    for pk, code in rows.values_list("message", "code"):
        pressed[pk].add(code)
    return pressed
