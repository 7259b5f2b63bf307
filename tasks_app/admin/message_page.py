"""Everything the desk shows about one message; a fixed number of queries.

Moderators rank too: of trees of which they are about to, `reading.Veil` keeps here what it does on
the pages of everybody.
"""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from oasst.accounts.models import User
from oasst.lib.desk.display import NONE, Fact, link, page_url, row_link, when
from oasst.lib.languages import name as language_name
from tasks_app import reading, screening, similar, spam, writing
from tasks_app.admin import log, question_item
from tasks_app.admin.report_item import items
from tasks_app.enums import Emoji
from tasks_app.labels import LABELS
from tasks_app.models import (
    ImportedLabelAggregate,
    Message,
    MessageRevision,
    Ranking,
    Report,
    TextLabels,
)
from tasks_app.reading import Veil

MOST_ROWS = 50
# What a message is loaded with for its page.
BESIDE = ("tree", "user", "imported_labels", "consensus", "writing")
# Tone of the badges on the desk's own pages, by the key that `state` gives.
TONES = {
    "held": "warn",
    "deleted": "bad",
    "rejected": "warn",
    "accepted": "good",
    "in review": "info",
    "split": "warn",
}


def state(message: Message) -> tuple[str, str]:
    """A key and words for where a message stands."""
    if message.deleted:
        return "deleted", _("Deleted")
    if message.held:
        return "held", _("Held back")
    if message.review_result is None:
        is_split = message.split_at is not None
        return ("split", _("Reviewers differ")) if is_split else ("in review", _("In review"))
    if message.review_result:
        return "accepted", _("Accepted")
    return "rejected", _("Not accepted")


def author(message: Message, veil: Veil) -> SafeString | str:
    """Who wrote it: an account, a name from an imported file, or a model."""
    if task := veil.task(message):
        return link(reverse("tasks:work", args=[task]), reading.TOLD_LATER)
    if message.user is not None:
        return row_link(message.user)
    return message.model_name or message.imported_author or NONE


def author_url(message: Message, veil: Veil) -> str:
    """The desk's page of the author; empty if there is none, or if it is kept from the reader."""
    if message.user_id is None or veil.task(message):
        return ""
    return page_url(User, message.user_id)


def next_url(message: Message) -> str:
    """The page of the next message about which reviewers differ, after one of them; of the first
    if this was the last. Empty if none waits."""
    if message.split_at is None:
        return ""
    found = Message.objects.split_after(message).values_list("pk", flat=True).first()
    return page_url(Message, found) if found else ""


def public_url(message: Message) -> str:
    """The page that contributors see."""
    return reverse("tasks:message", args=[message.pk])


def bubble(message: Message, veil: Veil) -> dict[str, Any]:
    """A message for the template `_bubble.html`."""
    key, words = state(message)
    return {
        "message": message,
        "state": words,
        "tone": TONES[key],
        "author": author(message, veil),
        "is_synthetic": message.synthetic and not veil.task(message),
        "text": None if veil.hides(message) else message.text,
        "held_back": reading.HELD_BACK,
    }


def context(message: Message, veil: Veil) -> dict[str, Any]:
    """What the page of a message shows, which is loaded with `BESIDE`."""
    thread, replies = _around(message)
    revisions = MessageRevision.objects.filter(message=message).select_related("user")
    return {
        "title": _("Message"),
        "thread": [bubble(node, veil) for node in thread],
        "replies": [bubble(reply, veil) for reply in replies],
        "facts": facts(message, veil),
        "author_url": author_url(message, veil),
        "next_url": next_url(message),
        "public_url": public_url(message),
        "label_sets": label_sets([message.pk]).get(message.pk, []),
        "imported": _imported(message),
        **(_order_of(message, replies) if replies else {}),
        "reports": items(
            Report.objects.filter(message=message)
            .select_related("claimed_by")
            .order_by("-created_at")[:MOST_ROWS]
        ),
        "questions": question_item.about(message, veil),
        "revisions": revisions if message.edited and not veil.hides(message) else [],
        "log": log.entries(message_id=message.pk),
    }


def _around(message: Message) -> tuple[list[Message], list[Message]]:
    """The thread down to a message, and the first replies to it. One query."""
    rows = Message.objects.defer("search_vector", "detoxify").select_related("user")
    above = Q(tree=message.tree_id, depth__lt=message.depth)
    found = rows.filter(above | Q(parent=message)).order_by("rank", "created_at", "id")
    replies = [node for node in found if node.parent_id == message.pk]
    known = {node.pk: node for node in found}
    thread = [message]
    while (parent := thread[0].parent_id) is not None:
        thread.insert(0, known[parent])
    return thread, replies[:MOST_ROWS]


def _order_of(message: Message, replies: Iterable[Message]) -> dict[str, Any]:
    """How people ranked the replies, and what follows from it."""
    return {
        "rankings": rankings([message.pk], numbers(replies)).get(message.pk, []),
        "consensus": message.consensus if hasattr(message, "consensus") else None,
    }


def numbers(replies: Iterable[Message]) -> dict[str, str]:
    """A short number for each reply, as rankings name them."""
    return {str(reply.pk): str(place) for place, reply in enumerate(replies, start=1)}


def facts(message: Message, veil: Veil) -> list[Fact]:
    """The columns of a message in words."""
    provenance = NONE if veil.task(message) else message.provenance or NONE
    counts = [f"{Emoji(code).label} {n}" for code, n in message.emojis.items() if code in Emoji]
    return [
        (_("Tree"), row_link(message.tree, message.tree.get_state_display())),
        (_("Author"), author(message, veil)),
        (_("Role"), message.get_role_display()),
        (_("Language"), _language(message)),
        (_("Written"), when(message.created_at)),
        (_("Reviews"), message.review_count),
        (_("Rank"), NONE if message.rank is None else message.rank + 1),
        (_("Reactions"), ", ".join(counts) or NONE),
        (_("Where the text is from"), provenance),
        (_("How it was entered"), _entered(message, veil)),
        (_("Very similar to"), _similar(message, veil)),
        (_("Held for"), _held_for(message, veil)),
        (_("Id"), format_html("<code>{}</code>", message.pk)),
        (_("Public page"), link(public_url(message), _("Open"))),
    ]


def _similar(message: Message, veil: Veil) -> SafeString | str:
    """Older messages that say nearly the same, with how much is shared."""
    found = [] if veil.hides(message) else similar.of(message)
    links = ((row_link(row.other, _("Message")), f"{row.similarity:.0%}") for row in found)
    return format_html_join(", ", "{} {}", links) or NONE


def _entered(message: Message, veil: Veil) -> str:
    """What its author's page counted; it proves nothing."""
    if veil.task(message) or veil.hides(message) or not (entered := writing.of(message)):
        return NONE
    return _("%(pasted)d of %(characters)d characters pasted, %(seconds)d s at it") % {
        "pasted": entered.pasted,
        "characters": entered.characters,
        "seconds": entered.seconds,
    }


def _held_for(message: Message, veil: Veil) -> SafeString | str:
    """What made the text wait, each with its words where the reader may see them."""
    found = [] if veil.hides(message) else screening.shown(message)
    return format_html_join("", '<span class="desk-found">{}</span>', map(_found, found)) or NONE


def _found(found: screening.Found) -> tuple[SafeString]:
    kinds = {
        "card": _("Card number"),
        "e-mail": _("E-mail address"),
        "IBAN": _("Bank account"),
        "IP": _("IP address"),
        "phone": _("Phone number"),
        screening.WORD: _("Listed word"),
        spam.KIND: _("Looks like spam"),
    }
    detail: SafeString | str = ""
    if found.text:
        detail = format_html('<mark dir="auto">{}</mark>', found.text)
    elif found.verdict is not None:
        scores = found.verdict._asdict()
        detail = _("score %(score).2f, held from %(threshold).2f") % scores
    return (format_html("<span>{}</span> <span>{}</span>", kinds[found.kind], detail),)


def _language(message: Message) -> str:
    name = language_name(message.lang)
    if message.detected_lang in ("", message.lang):
        return name
    detected = language_name(message.detected_lang)
    return _("%(lang)s, detected: %(detected)s") % {"lang": name, "detected": detected}


def label_sets(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """What people said about messages: reviews, free labels and reports, in the order given."""
    found: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for row in TextLabels.objects.filter(message__in=ids).select_related("user").order_by("id"):
        shown = {"row": row, "by": row_link(row.user), "values": _values(row.values)}
        found.setdefault(row.message_id, []).append(shown)
    return found


def _values(values: Mapping[str, float]) -> list[tuple[str, str]]:
    """Titles and the words of the steps chosen: "Politeness 0" would say the opposite."""
    known = [(label, values[name]) for name, label in LABELS.items() if name in values]
    return [
        (str(label.title), str(dict(label.choices_ascending).get(value, value)))
        for label, value in known
    ]


def imported_labels(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[tuple[str, str]]]:
    """Means and counts that imported files gave."""
    rows = ImportedLabelAggregate.objects.filter(message__in=ids)
    return {row.message_id: _means(row) for row in rows}


def _imported(message: Message) -> list[tuple[str, str]] | None:
    return _means(message.imported_labels) if hasattr(message, "imported_labels") else None


def _means(row: ImportedLabelAggregate) -> list[tuple[str, str]]:
    return [(name, f"{v['value']:.2f} × {v['count']}") for name, v in row.values.items()]


def rankings(
    ids: Iterable[uuid.UUID], names: Mapping[str, str]
) -> dict[uuid.UUID, list[dict[str, Any]]]:
    """The orders people gave the replies, by parent: "2 > 1 = 3"."""
    found: dict[uuid.UUID, list[dict[str, Any]]] = {}
    for row in Ranking.objects.filter(parent__in=ids).select_related("user").order_by("id"):
        shown = {"row": row, "by": row_link(row.user), "order": order(row.groups, names)}
        found.setdefault(row.parent_id, []).append(shown)
    return found


def order(groups: Iterable[Iterable[str]], names: Mapping[str, str]) -> str:
    """Groups of ties, best first, as text."""
    return " > ".join(" = ".join(names.get(str(pk), "?") for pk in group) for group in groups)
