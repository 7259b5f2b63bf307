"""Notifications in words, for the page and for mails: a sentence, a reason, where to look."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app import fate
from tasks_app.enums import NotificationKind as Kind
from tasks_app.notice_records import Notification


@dataclass(frozen=True)
class Notice:
    """What a line shows."""

    notification: Notification
    text: str
    note: str
    icon: str
    tone: str


_LOOKS = {
    Kind.ACCEPTED: ("circle-check", "good"),
    Kind.NOT_ACCEPTED: ("circle-x", "bad"),
    Kind.DRAWN: ("sparkles", "good"),
    Kind.RANKED: ("award", "good"),
    Kind.REMOVED: ("trash-2", "bad"),
    Kind.STOPPED: ("circle-x", "bad"),
    Kind.REPORT: ("flag", "info"),
    Kind.SNAPSHOT: ("archive", "info"),
    Kind.MODEL: ("cpu", "info"),
    Kind.FOLLOWED_REPLY: ("message-square-reply", "info"),
    Kind.FOLLOWED_END: ("list-tree", "good"),
    Kind.QUESTION: ("message-circle-question-mark", "info"),
}


def notice(notification: Notification) -> Notice:
    """A notification in words. Needs `message__tree` and `report__message`."""
    kind = Kind(notification.kind)
    icon, tone = _LOOKS[kind]
    if kind == Kind.REMOVED and notification.data.get("act") in ("restored", "edited"):
        icon, tone = "file-pen-line", "info"
    return Notice(notification, _text(kind, notification), _note(kind, notification), icon, tone)


def _text(kind: Kind, notification: Notification) -> str:
    if kind in _COUNTED:
        return _counted(kind, notification)
    if kind == Kind.REMOVED:
        return _ACTS[notification.data.get("act", "removed")]()
    if kind == Kind.STOPPED:
        return _("The conversation that you began was stopped.")
    if kind == Kind.QUESTION and notification.data.get("act") == "withdrawn":
        return _("The moderators have taken a question back. It needs no answer.")
    if kind == Kind.QUESTION:
        return _("The moderators have a question for you.")
    if notification.report is not None:
        return fate.of_report(notification.report)[1]
    return _("A report of yours was decided.")


_COUNTED = frozenset(
    {Kind.ACCEPTED, Kind.NOT_ACCEPTED, Kind.DRAWN, Kind.RANKED, Kind.SNAPSHOT, Kind.MODEL}
    | {Kind.FOLLOWED_REPLY, Kind.FOLLOWED_END}
)
_FOLLOWED = frozenset({Kind.FOLLOWED_REPLY, Kind.FOLLOWED_END})
_ACTS = {
    "removed": lambda: _("A message of yours was removed."),
    "removed_with": lambda: _("A message of yours went with one above it that was removed."),
    "restored": lambda: _("A message of yours was put back."),
    "edited": lambda: _("A moderator has changed the text of a message of yours."),
}


def _counted(kind: Kind, notification: Notification) -> str:
    words: dict[str, Any] = notification.data | {"count": notification.count}
    return _sentence(kind, notification.count) % words


def _sentence(kind: Kind, count: int) -> str:
    if kind == Kind.ACCEPTED:
        return ngettext(
            "A message of yours was accepted.", "%(count)d of your messages were accepted.", count
        )
    if kind == Kind.NOT_ACCEPTED:
        return ngettext(
            "A message of yours was not accepted. The next one may well fit.",
            "%(count)d of your messages were not accepted. The next ones may well fit.",
            count,
        )
    if kind == Kind.DRAWN:
        return ngettext(
            "Your prompt was drawn: people answer it now.",
            "%(count)d of your prompts were drawn: people answer them now.",
            count,
        )
    if kind == Kind.RANKED:
        return ngettext(
            "A message of yours took place %(place)d of %(of)d.",
            "%(count)d of your messages got their places, the last one place %(place)d of %(of)d.",
            count,
        )
    if kind == Kind.SNAPSHOT:
        return ngettext(
            "The snapshot %(name)s of the data holds messages of yours: %(messages)d.",
            "%(count)d snapshots of the data hold messages of yours, the newest is %(name)s.",
            count,
        )
    if kind == Kind.FOLLOWED_REPLY:
        return ngettext(
            "A conversation that you follow has a new reply.",
            "Conversations that you follow have %(count)d new replies.",
            count,
        )
    if kind == Kind.FOLLOWED_END:
        return ngettext(
            "A conversation that you follow is finished: its replies have their places.",
            "%(count)d conversations that you follow are finished.",
            count,
        )
    return ngettext(
        "The model %(name)s learned from messages of yours: %(messages)d.",
        "%(count)d models learned from messages of yours, the newest is %(name)s.",
        count,
    )


def _note(kind: Kind, notification: Notification) -> str:
    reason: str = notification.data.get("reason", "")
    if not reason:
        return ""
    return _("The moderator's reason: %s") % reason


def target(notification: Notification) -> str:
    """The address of what a notification is about."""
    kind = Kind(notification.kind)
    if kind == Kind.SNAPSHOT:
        return reverse("training:data", args=[notification.data["name"]])
    if kind == Kind.MODEL:
        return reverse("training:checkpoint", args=[notification.data["name"]])
    if kind == Kind.QUESTION:
        return reverse("tasks:question", args=[notification.data["question"]])
    if kind in _FOLLOWED and notification.message_id is not None:
        return reverse("tasks:message", args=[notification.message_id])
    if kind == Kind.REPORT or notification.count > 1 or notification.message_id is None:
        outcome = {Kind.ACCEPTED: "accepted", Kind.NOT_ACCEPTED: "not_accepted"}.get(kind)
        query = f"?outcome={outcome}" if outcome else ""
        return reverse("tasks:contributions") + query
    return reverse("tasks:message", args=[notification.message_id])
