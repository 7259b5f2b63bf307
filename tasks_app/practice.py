"""Practice items: messages that visitors judge without an account, to see what the work is like.

Some come with the project (`practice_items/`, a file a language), others are gold items that
moderators show to visitors. An answer changes nothing and is stored nowhere: which items somebody
has judged travels signed in addresses until they sign in, and `first_steps` keeps it then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache as once
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from django.core import signing
from django.core.cache import cache
from django.db.models import Count, Q

from oasst.lib.languages import FALLBACK
from tasks_app.enums import LabelKind, Role
from tasks_app.models import GoldItem

FOLDER = Path(__file__).parent / "practice_items"
GOLD_KEY, GOLD_LIFETIME_S = "practice:gold", 60
MOST_GOLD = 100  # of all languages, the newest
VALID_S = 24 * 3600  # so long after it somebody may sign in and have their practice kept
# What is signed has to fit into an address that a sign-in mail leads to.
MOST_MARKS, MARK_LENGTH = 6, 13
_SALT = "tasks_app.practice"


@dataclass(frozen=True)
class Item:
    """One message to judge, with what is known about it.

    `before` is what it answers to, if to anything. `reviews` people reviewed it, of whom
    `spam_votes` called it spam; nobody did where it was written for practice.
    """

    id: str
    lang: str
    role: str
    text: str
    is_spam: bool
    why: str
    before: str = ""
    reviews: int = 0
    spam_votes: int = 0

    @property
    def mark(self) -> str:
        """What tells it apart among the practised ones."""
        return self.id[:MARK_LENGTH]

    @property
    def agreeing(self) -> int:
        """How many reviewers said what is known."""
        return self.spam_votes if self.is_spam else self.reviews - self.spam_votes


def langs() -> list[str]:
    """The languages one can practise in."""
    return sorted({*_written(), *(item.lang for item in _gold())})


def first_known(wanted: Sequence[str]) -> str:
    """The first of the languages wanted that there are items in, else English."""
    known = langs()
    return next((lang for lang in wanted if lang in known), FALLBACK)


def next_item(lang: str, done: Sequence[str] = ()) -> Item | None:
    """An item of a language that is not among the marks of those done; None if there is no more."""
    return next((item for item in _of(lang) if item.mark not in done), None)


def find(item_id: str) -> Item | None:
    """The item an address names."""
    everything = chain(_gold(), *_written().values())
    return next((item for item in everything if item.id == item_id), None)


def sign(done: Sequence[str]) -> str:
    """The marks of items practised, the newest last, as a word for addresses."""
    return signing.dumps(list(dict.fromkeys(done))[-MOST_MARKS:], salt=_SALT)


def read(word: str) -> list[str]:
    """The marks in such a word; none if it is too old or not of our making."""
    try:
        marks: list[str] = signing.loads(word, salt=_SALT, max_age=VALID_S)
    except signing.BadSignature:
        return []
    return marks


def forget_gold() -> None:
    """Look anew which gold items visitors may see."""
    cache.delete(GOLD_KEY)


def _of(lang: str) -> list[Item]:
    return [*(item for item in _gold() if item.lang == lang), *_written().get(lang, [])]


@once
def _written() -> dict[str, list[Item]]:
    """The items that come with the project, by language."""
    return {
        path.stem: [
            _from_file(path.stem, **entry) for entry in yaml.safe_load(path.read_text("utf-8"))
        ]
        for path in sorted(FOLDER.glob("*.yaml"))
    }


def _from_file(lang: str, *, prompt: str, reply: str = "", **known: Any) -> Item:
    if reply:
        return Item(lang=lang, role=Role.ASSISTANT, text=reply, before=prompt, **known)
    return Item(lang=lang, role=Role.PROMPTER, text=prompt, **known)


def _gold() -> list[Item]:
    """Gold items that moderators show to visitors."""
    return cache.get_or_set(GOLD_KEY, _read_gold, GOLD_LIFETIME_S) or []


def _read_gold() -> list[Item]:
    votes = Q(message__label_sets__kind=LabelKind.TASK, message__label_sets__held=False)
    rows = (
        GoldItem.objects.usable()
        .for_practice()
        .select_related("message__parent")
        .annotate(
            reviews=Count("message__label_sets", filter=votes),
            spam_votes=Count(
                "message__label_sets", filter=votes & Q(message__label_sets__values__spam=1.0)
            ),
        )
    )
    return [_from_gold(row) for row in rows.order_by("-made_at", "pk")[:MOST_GOLD]]


def _from_gold(row: Any) -> Item:
    message, before = row.message, row.message.parent
    return Item(
        id=str(message.pk),
        lang=message.lang,
        role=message.role,
        text=message.text,
        before=before.text if before else "",
        is_spam=bool(row.answers["spam"]),
        why=row.explanation,
        reviews=row.reviews,
        spam_votes=row.spam_votes,
    )
