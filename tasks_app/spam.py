"""The model that tells spam: which one holds, what it says of a text, what it can learn from.

`training.spam` trains them. Rows stay, so that one can go back to an earlier one.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from django.core.cache import cache
from django.db.models import Exists, OuterRef, Q

from oasst.lib.errors import DomainError
from tasks_app import label_means, spam_scores
from tasks_app.config import TreeConfig
from tasks_app.enums import ReportState
from tasks_app.models import Message, Report
from tasks_app.querysets import MessageQuerySet
from tasks_app.spam_records import SpamModel

KIND = "spam"
# So long other processes go by a model that is not chosen any more. In the cache: no submit asks
# the database.
REMEMBERED_S = 60
_KEY = "spam:model"
MOST_TEXTS = 20_000  # of the site's own, of each kind, the newest


class NoSuchModel(DomainError):
    """There is no such spam model, or its features are not those of today."""

    code = "no_such_spam_model"
    status = 404


class Verdict(NamedTuple):
    """From 0 to 1, both."""

    score: float
    threshold: float

    @property
    def is_spam(self) -> bool:
        """True for what is held."""
        return self.score >= self.threshold


def judge(text: str) -> Verdict | None:
    """What the model in force says of a text; None if there is no model."""
    pk = cache.get(_KEY)
    if pk is None:
        chosen = in_force()
        pk = chosen.pk if chosen else 0
        cache.set(_KEY, pk, REMEMBERED_S)
    loaded = _load(pk) if pk else None
    if loaded is None:
        return None
    weights, threshold = loaded
    return Verdict(spam_scores.score(weights, spam_scores.features(text)), threshold)


def in_force() -> SpamModel | None:
    """The model that holds, without its weights; None if none was ever trained."""
    rows = SpamModel.objects.filter(version=spam_scores.VERSION).defer("weights")
    return rows.order_by("-chosen_at", "-pk").first()


def store(
    weights: spam_scores.Weights, threshold: float, figures: dict[str, Any], *, now: datetime
) -> SpamModel:
    """Keep a model and let it hold from now on."""
    stored = SpamModel.objects.create(
        version=spam_scores.VERSION,
        weights=weights.astype("<f4").tobytes(),
        threshold=threshold,
        figures=figures,
        created_at=now,
        chosen_at=now,
    )
    forget()
    return stored


def choose(pk: int, *, now: datetime) -> None:
    """Let a stored model hold. Raises NoSuchModel."""
    rows = SpamModel.objects.filter(pk=pk, version=spam_scores.VERSION)
    if not rows.update(chosen_at=now):
        raise NoSuchModel(f"There is no spam model {pk} that can be used.")
    forget()


def forget() -> None:
    """Let all processes look up anew which model holds."""
    cache.delete(_KEY)


def decided_texts() -> Iterator[tuple[str, bool, str]]:
    """The site's own texts about which it is settled whether they are spam: the text, whether it
    is spam, and a key of who wrote it.

    Spam is what most reviewers called so and refused, what staff deleted after a report of spam,
    and what a model held and staff deleted. Not spam is what was accepted.
    """
    people = Message.objects.filter(synthetic=False).order_by("-created_at")
    reported = Report.objects.filter(
        message=OuterRef("pk"), category=KIND, state=ReportState.RESOLVED
    )
    by_staff = Q(Exists(reported)) | Q(findings__contains=[{"kind": KIND}])
    yield from _texts(people.filter(by_staff, deleted=True), is_spam=True)
    yield from _texts(_called_spam(people.filter(review_result=False, deleted=False)), is_spam=True)
    yield from _texts(people.filter(review_result=True, deleted=False, held=False), is_spam=False)


def _called_spam(refused: MessageQuerySet) -> MessageQuerySet:
    """Those that more than half of all people together called spam."""
    ids = list(refused.values_list("pk", flat=True)[:MOST_TEXTS])
    means = label_means.means_of(ids, config=TreeConfig.current())
    spam = [pk for pk in ids if KIND in means.get(pk, {}) and means[pk][KIND].value > 0.5]
    return refused.filter(pk__in=spam)


def _texts(messages: MessageQuerySet, *, is_spam: bool) -> Iterator[tuple[str, bool, str]]:
    rows = messages.values_list("text", "user", "imported_author")[:MOST_TEXTS]
    for text, user, imported_author in rows.iterator(chunk_size=1000):
        yield text, is_spam, str(user or imported_author)


@lru_cache(maxsize=1)
def _load(pk: int) -> tuple[spam_scores.Weights, float] | None:
    """Weights and threshold of a model, kept by the process: half a megabyte."""
    rows = SpamModel.objects.filter(pk=pk).values_list("weights", "threshold")
    found = rows.first()
    return found and (np.frombuffer(found[0], dtype="<f4"), found[1])
