"""From chats to files in the oasst format: only what people allow, with their judgements.

A chat gives one tree for each of its first prompts. Ids, those of people too, are always replaced.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from django.db import reset_queries
from django.db.models import Exists, OuterRef, Q, QuerySet

from chat_app import safety
from chat_app.enums import Hold, MessageState, Role
from chat_app.models import Chat, ChatMessage, ChatReport, DraftChoice, Vote
from oasst.lib import database
from tasks_app import export_format
from tasks_app.export_format import Anonymizer, MessageNode, MessageTree

# The original's word: these trees never were in the workflow.
STATE = "not_applicable"
CHATS_PER_QUERY = 100
# What broke off or failed teaches a model nothing but to break off. What was stopped has its place
# in a conversation, as truncated.
_TOLD_STATES = (MessageState.DONE, MessageState.STOPPED)


class Format(StrEnum):
    TREES = "trees"
    MESSAGES = "messages"
    SFT = "sft"
    PREFERENCE = "preference"


@dataclass(frozen=True)
class Selection:
    """Which chats; of those, only the ones whose owners allow it and are not blocked."""

    since: datetime | None = None
    until: datetime | None = None
    user: uuid.UUID | None = None
    chat: uuid.UUID | None = None
    scored: bool = False
    reported: bool = False
    marked: bool = True


@dataclass
class ExportReport:
    """How much was written; `rows` are lines."""

    chats: int = 0
    trees: int = 0
    rows: int = 0


def export(
    stream: export_format.Writable,
    file_format: Format,
    selection: Selection,
    anonymizer: Anonymizer,
    *,
    scrub: Callable[[str], str] | None = None,
    watch: export_format.Watch = iter,
) -> ExportReport:
    """Write the chats of the selection to `stream`; `watch` sees them pass, as tqdm does, and
    `scrub` says what texts become."""
    report = ExportReport()
    with database.one_moment():
        trees = _trees(selection, anonymizer, scrub, report, watch)
        rows = _rows(file_format, trees)
        report.rows = export_format.write_objects(stream, rows)
    return report


def count_chats(selection: Selection) -> int:
    """How many chats the selection looks at."""
    return _chats(selection).count()


def _chats(selection: Selection) -> QuerySet[Chat]:
    chats = Chat.objects.filter(allow_data_use=True, from_api=False, user__is_active=True)
    wanted = Q()
    if selection.since:
        wanted &= Q(created_at__gte=selection.since)
    if selection.until:
        wanted &= Q(created_at__lt=selection.until)
    if selection.user:
        wanted &= Q(user=selection.user)
    if selection.chat:
        wanted &= Q(pk=selection.chat)
    inside = {"message__chat": OuterRef("pk")}
    if selection.scored:
        picked = DraftChoice.objects.filter(parent__chat=OuterRef("pk"))
        wanted &= Q(Exists(Vote.objects.filter(**inside)) | Exists(picked))
    if selection.reported:
        wanted &= Q(Exists(ChatReport.objects.filter(**inside)))
    return chats.filter(wanted).order_by("created_at", "id")


def _trees(
    selection: Selection,
    anonymizer: Anonymizer,
    scrub: Callable[[str], str] | None,
    report: ExportReport,
    watch: export_format.Watch,
) -> Iterator[MessageTree]:
    for chat, messages in watch(_chats_with_messages(selection)):
        report.chats += 1
        for tree in build_trees(chat, messages):
            report.trees += 1
            if scrub:
                export_format.rewrite_texts(tree, scrub)
            anonymizer.tree(tree)
            yield tree


def _rows(file_format: Format, trees: Iterable[MessageTree]) -> Iterator[dict[str, Any]]:
    for tree in trees:
        if file_format == Format.TREES:
            yield export_format.tree_to_json(tree)
        elif file_format == Format.SFT:
            yield from export_format.sft_rows(tree)
        elif file_format == Format.PREFERENCE:
            yield from export_format.preference_rows(tree, export_format.tied_replies(tree))
        else:
            yield from export_format.tree_to_rows(tree)


def _chats_with_messages(selection: Selection) -> Iterator[tuple[Chat, list[ChatMessage]]]:
    chats = _chats(selection).iterator(chunk_size=CHATS_PER_QUERY)
    while chunk := list(islice(chats, CHATS_PER_QUERY)):
        told: dict[uuid.UUID, list[ChatMessage]] = {chat.pk: [] for chat in chunk}
        messages = ChatMessage.objects.filter(chat__in=told).select_related("vote", "draft_choice")
        messages = messages.prefetch_related("reports", "draft_choice__rejected")
        for message in messages.order_by("depth", "created_at", "id"):
            if _is_told(message, selection):
                told[message.chat_id].append(message)
        yield from ((chat, told[chat.pk]) for chat in chunk)
        reset_queries()  # in development Django keeps the text of each


def _is_told(message: ChatMessage, selection: Selection) -> bool:
    holds = (Hold.NONE, Hold.MARKED) if selection.marked else (Hold.NONE,)
    return bool(message.text) and message.hold in holds and message.state in _TOLD_STATES


def build_trees(chat: Chat, messages: Sequence[ChatMessage]) -> Iterator[MessageTree]:
    """Trees of some messages, parents before children; what hangs below a gap is left out."""
    nodes: dict[uuid.UUID, MessageNode] = {}
    roots: list[MessageNode] = []
    for message in messages:
        parent = nodes.get(message.parent_id) if message.parent_id else None
        if parent is None and message.parent_id is not None:
            continue
        node = nodes[message.pk] = _node(message, chat)
        (parent.replies if parent else roots).append(node)
    for message in messages:
        if message.pk in nodes and message.role == Role.PROMPTER:
            _rank(nodes[message.pk], message, chat)
    for root in roots:
        _name_tree(root)
        export_format.sort_replies(root)
        yield MessageTree(root.message_id, STATE, root, origin="chat")


def _node(message: ChatMessage, chat: Chat) -> MessageNode:
    is_reply = message.role == Role.ASSISTANT
    return MessageNode(
        message_id=str(message.pk),
        parent_id=str(message.parent_id) if message.parent_id else None,
        user_id=None if is_reply else str(chat.user_id),
        created_date=message.created_at,
        text=message.text,
        role=message.role,
        synthetic=is_reply,
        model_name=message.model_name or None,
        truncated=message.is_truncated,
        events=_events(message, chat),
    )


def _events(message: ChatMessage, chat: Chat) -> dict[str, list[dict[str, Any]]]:
    events: dict[str, list[dict[str, Any]]] = {}
    vote = getattr(message, "vote", None)
    if vote is not None:
        score = {"user_id": str(chat.user_id), "score": vote.value}
        words = {"reasons": vote.reasons, "text": _harmless(vote.text)}
        events["score"] = [score | {name: value for name, value in words.items() if value}]
    reports = sorted(message.reports.all(), key=lambda report: report.pk)
    if reports:
        events["report"] = [
            {
                "user_id": str(each.user_id),
                "report_type": each.kind,
                "reason": _harmless(each.text),
            }
            for each in reports
        ]
    return events


def _harmless(note: str) -> str:
    """What somebody wrote about a reply, unless the safety check finds anything in it."""
    return note if safety.check(note).hold == Hold.NONE else ""


# What people liked better


def _rank(node: MessageNode, prompt: ChatMessage, chat: Chat) -> None:
    """Rank the replies to a prompt by the draft that was picked, or else by thumbs."""
    by_id = {reply.message_id: reply for reply in node.replies}
    choice = getattr(prompt, "draft_choice", None)
    if choice is None:
        _rank_by_votes(node)
        return
    worse = sorted(str(reply.pk) for reply in choice.rejected.all() if str(reply.pk) in by_id)
    chosen = by_id.get(str(choice.chosen_id))
    if chosen is None or not worse:
        return
    chosen.rank = 0
    for reply_id in worse:
        by_id[reply_id].rank = 1
    node.events["ranking"] = [
        {
            "user_id": str(chat.user_id),
            "ranking": list(range(len(worse) + 1)),
            "ranked_message_ids": [chosen.message_id, *worse],
            "ranking_parent_id": node.message_id,
            "message_tree_id": "",
            "not_rankable": False,
            "groups": [1, len(worse)],
        }
    ]


def _rank_by_votes(node: MessageNode) -> None:
    scores = {reply.message_id: _score(reply) for reply in node.replies}
    if {1, -1} <= set(scores.values()):
        for reply in node.replies:
            reply.rank = {1: 0, -1: 1}.get(scores[reply.message_id] or 0)


def _score(reply: MessageNode) -> int | None:
    return next((event["score"] for event in reply.events.get("score", ())), None)


def _name_tree(root: MessageNode) -> None:
    for node in export_format.visit_messages(root):
        for event in node.events.get("ranking", ()):
            event["message_tree_id"] = root.message_id
