"""Everything the desk shows about one tree; a fixed number of queries however large it is."""

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, OuterRef, QuerySet
from django.db.models.functions import JSONObject
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from oasst.accounts.models import User
from oasst.lib.desk.display import NONE, Fact, link, page_url, when
from oasst.lib.languages import name as language_name
from tasks_app import reading
from tasks_app.admin import log, message_page
from tasks_app.models import (
    Message,
    MessageTree,
    Offer,
    RankingConsensus,
    Report,
    Task,
    TreeTransition,
)
from tasks_app.topic_records import TopicChange, TreeTopic

DEEPEST_INDENT = 6
MOST_CHOICES = 10


def outline(messages: Iterable[Message]) -> Iterator[tuple[str, Message]]:
    """The messages in reading order, each with its number: 1, 1.1, 1.1.1, 1.2 … Pure."""
    replies: dict[uuid.UUID | None, list[Message]] = {}
    for message in messages:
        replies.setdefault(message.parent_id, []).append(message)
    waiting = [("1", root) for root in replies.get(None, [])]
    while waiting:
        number, message = waiting.pop()
        yield number, message
        below = sorted(replies.get(message.pk, []), key=_place)
        numbered = [(f"{number}.{place}", reply) for place, reply in enumerate(below, start=1)]
        waiting.extend(reversed(numbered))


def _place(message: Message) -> tuple[bool, int, Any]:
    return message.rank is None, message.rank or 0, (message.created_at, message.pk)


def context(tree: MessageTree, reader: User) -> dict[str, Any]:
    """What the page of a tree shows."""
    rows = Message.objects.filter(tree=tree).defer("search_vector", "detoxify")
    nodes = list(outline(rows.select_related("user")))
    veil = reading.veil([tree.pk], reader)
    transitions = TreeTransition.objects.filter(tree=tree).select_related("actor")
    return {
        "title": _("Tree"),
        "nodes": _nodes(nodes, veil),
        "facts": facts(tree, [message for _number, message in nodes], veil),
        "public_url": public_url(tree),
        "transitions": transitions.order_by("-id"),
        "offers": Offer.objects.filter(tree=tree, slots__gt=0).order_by("since"),
        "tasks": _open_tasks(tree),
        "log": log.entries(tree_id=tree.pk),
    }


def public_url(tree: MessageTree) -> str:
    """The page that contributors see."""
    return reverse("tasks:tree", args=[tree.pk])


def _open_tasks(tree: MessageTree) -> Any:
    return Task.objects.filter(tree=tree, holds_slot=True).select_related("user")


def _nodes(nodes: list[tuple[str, Message]], veil: reading.Veil) -> list[dict[str, Any]]:
    ids = [message.pk for _number, message in nodes]
    names = {str(message.pk): number for number, message in nodes}
    labels, imported = message_page.label_sets(ids), message_page.imported_labels(ids)
    rankings = message_page.rankings(ids, names)
    consensus = {row.parent_id: row for row in RankingConsensus.objects.filter(parent__in=ids)}
    reports = Report.objects.waiting().filter(message__in=ids).order_by()
    reported = dict(reports.values_list("message").annotate(n=Count("pk")))
    return [
        message_page.bubble(message, veil)
        | {
            "number": number,
            "indent": min(message.depth, DEEPEST_INDENT),
            "url": page_url(Message, message.pk),
            "label_sets": labels.get(message.pk, []),
            "imported": imported.get(message.pk, []),
            "rankings": rankings.get(message.pk, []),
            "consensus": _agreed(consensus.get(message.pk), names),
            "reports": reported.get(message.pk, 0),
        }
        for number, message in nodes
    ]


def _agreed(row: RankingConsensus | None, names: dict[str, str]) -> dict[str, Any] | None:
    if row is None:
        return None
    order = message_page.order([[pk] for pk in row.order], names)
    return {"order": order or NONE, "row": row}


def with_topics(trees: QuerySet) -> QuerySet:
    """Trees with what they are about, and who chose that, as lists of plain values."""
    about = TreeTopic.objects.filter(tree=OuterRef("pk")).order_by("topic")
    chosen = TopicChange.objects.filter(tree=OuterRef("pk")).order_by("-id")[:MOST_CHOICES]
    choice = JSONObject(user="user", name="user__display_name", topics="topics", at="created_at")
    return trees.annotate(
        about=ArraySubquery(about.values(row=JSONObject(topic="topic", suggested="suggested"))),
        choices=ArraySubquery(chosen.values(row=choice)),
    )


def _topics(tree: Any) -> SafeString:
    """What it is about, with the way to change it."""
    rows = [(TreeTopic(topic=row["topic"]).label, row["suggested"]) for row in tree.about]
    names = [f"{name} ({_('suggested')})" if suggested else name for name, suggested in rows]
    change = link(reverse("tasks:topics", args=[tree.pk]), _("Change"))
    return format_html("{} · {}", ", ".join(names) or NONE, change)


def _choices(tree: Any, veil: reading.Veil) -> SafeString | str:
    """Who chose which topics, the last first; its author is one of them."""
    if tree.pk in veil.to_rank:
        return NONE
    told = (
        (
            link(page_url(User, row["user"]), row["name"]) if row["user"] else NONE,
            ", ".join(row["topics"]) or NONE,
            when(datetime.fromisoformat(row["at"])),
        )
        for row in tree.choices
    )
    return format_html_join(mark_safe("<br>"), "{}: {} {}", told) or NONE


def facts(tree: MessageTree, messages: list[Message], veil: reading.Veil) -> list[Fact]:
    """The columns of a tree in words."""
    accepted = sum(message.is_accepted for message in messages)
    return [
        (_("Language"), language_name(tree.lang)),
        (_("Topics"), _topics(tree)),
        (_("Topics chosen by"), _choices(tree, veil)),
        (_("In this state"), when(tree.state_since)),
        (
            _("Accepted messages"),
            _("%(n)d of %(goal)d") % {"n": accepted, "goal": tree.goal_tree_size},
        ),
        (_("All messages"), len(messages)),
        (_("Open places"), tree.open_places),
        (_("Maximum depth"), tree.max_depth),
        (_("Replies per message"), tree.max_children_count),
        (_("Prompter replies"), tree.num_prompter_replies),
        (_("Drawn in the lottery"), when(tree.won_prompt_lottery_at)),
        (_("Started"), when(tree.created_at)),
        (_("Origin"), tree.origin or NONE),
        (_("Id"), format_html("<code>{}</code>", tree.pk)),
        (_("Public page"), link(public_url(tree), _("Open"))),
    ]
