"""The single votes behind the sums, as events of the export format."""

import uuid
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db.models import F

from tasks_app.models import Ranking, Reaction, Report

Events = dict[str, list[dict[str, Any]]]


def events_of(messages: Collection[uuid.UUID]) -> dict[uuid.UUID, Events]:
    """Emoji, rankings of their replies and reports of `messages`, oldest first. Three queries."""
    events: dict[uuid.UUID, Events] = defaultdict(lambda: defaultdict(list))
    reactions = Reaction.objects.filter(message__in=messages).order_by("id")
    for pk, user, code in reactions.values_list("message", "user", "code"):
        events[pk]["emoji"].append({"user_id": str(user), "emoji": code})
    rankings = Ranking.objects.counted().filter(parent__in=messages).select_related("task")
    for ranking in rankings.annotate(tree_id=F("parent__tree")).order_by("id"):
        if ranking.parent_id:
            events[ranking.parent_id]["ranking"].append(_ranking(ranking, ranking.tree_id))
    reports = Report.objects.filter(message__in=messages).order_by("created_at", "id")
    for report in reports:
        events[report.message_id]["report"].append(
            {
                "user_id": str(report.user_id) if report.user_id else None,
                "report_type": report.category,
                "reason": report.text,
            }
        )
    return {pk: dict(kinds) for pk, kinds in events.items()}


def _ranking(ranking: Ranking, tree_id: uuid.UUID) -> dict[str, Any]:
    """`ranking` holds the places in the order shown, best first; `groups` tells ties."""
    ordered = [pk for group in ranking.groups for pk in group]
    shown = ranking.task.shown_ids if ranking.task else ordered
    event = {
        "user_id": str(ranking.user_id),
        "ranking": [shown.index(pk) for pk in ordered],
        "ranked_message_ids": ordered,
        "ranking_parent_id": str(ranking.parent_id),
        "message_tree_id": str(tree_id),
        "not_rankable": ranking.not_rankable,
    }
    if any(len(group) > 1 for group in ranking.groups):
        event["groups"] = [len(group) for group in ranking.groups]
    return event
