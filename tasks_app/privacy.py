"""What the data collection holds about a person: handed out by `collect`, taken away by `erase`."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from oasst.accounts.models import User
from oasst.accounts.privacy import Sections, rows_of
from tasks_app import erasing, moderation
from tasks_app.enums import ModerationKind
from tasks_app.first_steps_records import FirstSteps
from tasks_app.follow_records import TreeFollow
from tasks_app.merge_records import Merge
from tasks_app.models import (
    Contribution,
    Draft,
    GoldAnswer,
    Message,
    MessageRevision,
    ModerationAction,
    Question,
    Ranking,
    Reaction,
    Reliability,
    Report,
    Task,
    TextLabels,
)
from tasks_app.notice_records import Notification, NotificationSettings
from tasks_app.topic_records import TopicChange
from tasks_app.writing_records import WritingTrace

SECTIONS: Sections = {
    "messages": (
        Message.objects,
        "user",
        "id tree_id parent_id role text lang detected_lang depth deleted review_count "
        "review_result rank edited provenance created_at",
    ),
    "how_messages_were_entered": (
        WritingTrace.objects,
        "message__user",
        "message_id pasted seconds",
    ),
    "edits": (MessageRevision.objects, "user", "message_id text reason created_at"),
    "reviews": (TextLabels.objects, "user", "message_id kind values created_at"),
    "answers_to_gold_items": (GoldAnswer.objects, "user", "item_id values missed created_at"),
    "reliability": (
        Reliability.objects,
        "user",
        "group lang sensitivity specificity agreement weight n_votes n_gold n_gold_right "
        "updated_at",
    ),
    "rankings": (Ranking.objects, "user", "parent_id groups not_rankable reason created_at"),
    "reactions": (Reaction.objects, "user", "message_id code created_at"),
    "reports": (Report.objects, "user", "id message_id category text state created_at resolved_at"),
    "first_steps": (FirstSteps.objects, "user", "practised_at hints_off"),
    "questions": (
        Question.objects,
        "person",
        "id message_id text asked_at answer answered_at withdrawn_at",
    ),
    "tasks": (
        Task.objects,
        "user",
        "id kind lang message_id created_at expires_at done_at skipped_at skip_reason",
    ),
    "drafts": (Draft.objects, "task__user", "task_id body saved_at kept_because"),
    "journal": (Contribution.objects, "user", "kind task_kind message_id lang data created_at"),
    "moderation": (ModerationAction.objects, "user_id", "action reason created_at"),
    "notifications": (
        Notification.objects,
        "user",
        "kind count message_id report_id data created_at read_at",
    ),
    "topics_chosen": (TopicChange.objects, "user", "tree_id topics created_at"),
    "followed_conversations": (TreeFollow.objects, "user", "tree_id since"),
    "notification_settings": (
        NotificationSettings.objects,
        "user",
        "muted weekly_digest digested_at",
    ),
}


def collect(user: User) -> dict[str, Iterable[dict[str, Any]]]:
    """Section → rows of plain values. Nobody learns here that their messages are being held, nor
    meanwhile why they were asked something."""
    merges = {"merges": _merges(user)}
    if user.held_since is None:
        return rows_of(user, SECTIONS) | merges
    asked = (ModerationKind.ASK_PERSON, ModerationKind.WITHDRAW_QUESTION)
    untold = (ModerationKind.HOLD_USER, *asked)
    told = ModerationAction.objects.exclude(action__in=untold)
    _rows, column, names = SECTIONS["moderation"]
    return rows_of(user, {**SECTIONS, "moderation": (told, column, names)}) | merges


def _merges(user: User) -> Iterator[dict[str, Any]]:
    """The drafts that a merge keeps. Not their tasks: those would tell which are gold items."""
    for merge in Merge.objects.filter(into=user).order_by("pk"):
        rows = (row["fields"] for row in merge.dropped if row["model"] == Draft._meta.label_lower)
        drafts = [{"body": row["body"], "saved_at": row["saved_at"]} for row in rows]
        yield {"merged_at": merge.merged_at, "drafts": drafts}


def erase(user: User, *, now: datetime) -> None:
    """Remove drafts, how texts were entered, open tasks with their slots, reliability,
    notifications, first steps and what moderators asked. What was submitted stays, unless
    `user.erases_texts`.

    Takes one tree's lock at a time, so it must not run inside a transaction; may run twice.
    """
    moderation.free_reservations(user, now=now)
    if user.erases_texts:
        erasing.erase_texts(user, now=now)
    Draft.objects.filter(task__user=user).delete()
    WritingTrace.objects.filter(message__user=user).delete()
    Task.objects.filter(user=user, done_at=None, skipped_at=None).delete()
    Task.objects.filter(user=user).exclude(skip_reason="").update(skip_reason="")
    Reliability.objects.filter(user=user).delete()
    FirstSteps.objects.filter(user=user).delete()
    Question.objects.filter(person=user).delete()
    Notification.objects.filter(user=user).delete()
    TreeFollow.objects.filter(user=user).delete()
    NotificationSettings.objects.filter(user=user).delete()
    user.unread_notifications = 0  # accounts, which comes last, saves the row
