"""Everybody's skill, computed from all votes of a language: what `reliability` looks up.

Only languages with new votes, or whose gold or held people have changed, are computed; those whole,
so running twice, or after votes were taken back, comes to the same. Votes of people who are held
back say nothing about others; what was known of these people stays as it was.
"""

import json
import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.db import connections, models, router, transaction
from django.db.models import F, Max, Min

from oasst.lib.session_lock import SessionLock
from tasks_app import dawid_skene, favourites, label_skill, ranker_skill
from tasks_app.enums import LabelKind, SkillGroup
from tasks_app.labels import SKILLS
from tasks_app.models import (
    CrowdMean,
    GoldAnswer,
    GoldItem,
    Message,
    Ranking,
    Reliability,
    TextLabels,
)
from tasks_app.ranker_skill import RankerSkill
from tasks_app.reviews import takes_in

logger = logging.getLogger(__name__)

PER_QUERY = 2000

_Ranked = tuple[uuid.UUID, uuid.UUID, list[list[str]]]  # who, below which message, best first
Vote = tuple[uuid.UUID, uuid.UUID, bool]  # who, on which message, takes it in

_REVIEWS = """
    SELECT l.user_id, l.message_id,
        (l.values->>'spam')::float + coalesce((l.values->>'lang_mismatch')::float, 0) = 0
    FROM tasks_app_textlabels l JOIN tasks_app_message m ON m.id = l.message_id
    WHERE l.kind = 'task' AND NOT l.held AND m.lang = %(lang)s ORDER BY l.id
"""
_RANKINGS = """
    SELECT r.user_id, r.parent_id, r.groups, r.held
    FROM tasks_app_ranking r JOIN tasks_app_message m ON m.id = r.parent_id
    JOIN tasks_app_messagetree t ON t.id = m.tree_id
    WHERE NOT r.not_rankable AND t.lang = %(lang)s ORDER BY r.id
"""
# One column for each label.
_ANSWERS = """
    SELECT l.user_id, l.message_id, {columns}
    FROM tasks_app_textlabels l JOIN tasks_app_message m ON m.id = l.message_id
    WHERE l.kind = 'task' AND NOT l.held AND m.lang = %(lang)s ORDER BY l.id
"""
_DESCRIBING = (SkillGroup.FLAGS, SkillGroup.QUALITY, SkillGroup.TONE)


def refit(*, now: datetime) -> list[str]:
    """Compute the skills in each language with new votes; returns the languages.

    Leaves it to whoever is at it already.
    """
    with SessionLock("fit of skills").alone() as is_ours:
        return _refit(now) if is_ours else []


def _refit(now: datetime) -> list[str]:
    reviews = TextLabels.objects.filter(kind=LabelKind.TASK)
    rankings = Ranking.objects.exclude(parent=None)
    changed = _refit_group(SkillGroup.ACCEPTANCE, reviews, "message__lang", now)
    changed += _refit_group(SkillGroup.RANKING, rankings, "parent__tree__lang", now)
    return list(dict.fromkeys(changed))


def _refit_group(
    group: SkillGroup, votes: models.QuerySet, lang_path: str, now: datetime
) -> list[str]:
    """Fit what is new, then note how far the votes were looked at: a crash repeats the work."""
    top = votes.aggregate(top=Max("pk"))["top"] or 0
    means = CrowdMean.objects.filter(group=group)
    since = means.aggregate(since=Min("last_id"))["since"] or 0
    fresh = votes.filter(pk__gt=since).order_by().values_list(lang_path, flat=True).distinct()
    stale = means.exclude(fitted=F("changes")).values_list("lang", flat=True)
    langs = sorted({*fresh, *stale})
    for lang in langs:
        (_fit_reviews if group == SkillGroup.ACCEPTANCE else _fit_rankings)(lang, now)
    means.update(last_id=top)
    return langs


def _mean(group: SkillGroup, lang: str, now: datetime) -> CrowdMean:
    """As it is before the votes are read. Nothing is locked while a fit is computed: submits wait
    for none, and what changes meanwhile is fitted next time."""
    found, _ = CrowdMean.objects.get_or_create(
        group=group, lang=lang, defaults={"computed_at": now}
    )
    return found


def _fit_reviews(lang: str, now: datetime) -> None:
    """What reviews show; that they are new, or have changed, the mean of acceptance knows."""
    mean = _mean(SkillGroup.ACCEPTANCE, lang, now)
    _fit_labels(lang, now)
    gold = _gold(lang)
    answers = _gold_votes(lang, gold)
    votes = [*_rows(_REVIEWS, {"lang": lang}), *answers]
    found = dawid_skene.fit(votes, gold=gold)
    on_good: defaultdict[Hashable, float] = defaultdict(float)
    for user, item, _is_yes in votes:
        on_good[user] += found.truths[item]
    given: Counter[Hashable] = Counter(user for user, _item, _is_yes in answers)
    right: Counter[Hashable] = Counter(
        user for user, item, is_yes in answers if is_yes == gold[item]
    )
    rows = [
        Reliability(
            user_id=cast(uuid.UUID, user),
            sensitivity=skill.sensitivity,
            specificity=skill.specificity,
            n_yes=on_good[user],
            n_votes=skill.n - given[user],
            n_gold=given[user],
            n_gold_right=right[user],
            weight=dawid_skene.weight(skill, found.mean),
            doubtful=dawid_skene.is_doubtful(skill, found.mean),
        )
        for user, skill in found.skills.items()
    ]
    mean.sensitivity, mean.specificity = found.mean.sensitivity, found.mean.specificity
    mean.prior = found.prior
    _store(mean, rows, len(votes), now)


def _fit_labels(lang: str, now: datetime) -> None:
    """The skills that show in the labels that decide nothing."""
    for group in _DESCRIBING:
        mean = _mean(group, lang, now)
        found = label_skill.fit(_answers(group, lang), len(SKILLS[group]))
        mean.agreement, mean.spreads = found.mean.agreement, found.spreads
        _store(mean, _label_rows(found.skills, found.mean), found.mean.n, now)


def _answers(group: SkillGroup, lang: str) -> Iterator[label_skill.Answers]:
    columns = ", ".join(f"(l.values->>'{name}')::float" for name in SKILLS[group])
    for user, message, *values in _rows(_ANSWERS.format(columns=columns), {"lang": lang}):
        yield user, message, values


def _label_rows(skills: Mapping[Hashable, RankerSkill], mean: RankerSkill) -> list[Reliability]:
    return [
        Reliability(
            user_id=cast(uuid.UUID, user),
            agreement=skill.agreement,
            n_votes=skill.n,
            weight=label_skill.weight(skill, mean),
            doubtful=label_skill.is_doubtful(skill, mean),
        )
        for user, skill in skills.items()
    ]


def _fit_rankings(lang: str, now: datetime) -> None:
    mean = _mean(SkillGroup.RANKING, lang, now)
    rankings: list[_Ranked] = []
    counted: list[_Ranked] = []
    for user, parent, groups, held in _rows(_RANKINGS, {"lang": lang}):
        rankings.append((user, parent, json.loads(groups)))
        if not held:
            counted.append(rankings[-1])
    found = ranker_skill.fit(counted)
    # Who acts with somebody that is held back does so all the same.
    partial = _in_concert(rankings, lang)
    rows = [
        Reliability(
            user_id=cast(uuid.UUID, user),
            agreement=skill.agreement,
            n_votes=skill.n,
            weight=0.0 if user in partial else ranker_skill.weight(skill, found.mean),
            doubtful=user in partial or ranker_skill.is_doubtful(skill, found.mean),
            in_concert=user in partial,
        )
        for user, skill in found.skills.items()
    ]
    mean.agreement = found.mean.agreement
    _store(mean, rows, len(counted), now)


def _in_concert(rankings: Sequence[_Ranked], lang: str) -> set[Hashable]:
    """Who favours an author along with others. Replies of models and of strangers have none."""
    replies = Message.objects.filter(tree__lang=lang, ranking_count__gt=0, synthetic=False)
    authors = {str(pk): user for pk, user in replies.values_list("pk", "user") if user}
    return favourites.in_concert(
        [
            (user, [[authors.get(pk, pk) for pk in group] for group in groups])
            for user, _parent, groups in rankings
        ]
    )


def _rows(query: str, names: Mapping[str, Any]) -> Iterator[Any]:
    with connections[router.db_for_read(TextLabels)].cursor() as cursor:
        cursor.execute(query, names)
        yield from cursor


def _gold(lang: str) -> dict[uuid.UUID, bool]:
    """Whether each gold message belongs here; retired items say nothing."""
    rows = GoldItem.objects.filter(active=True, message__lang=lang)
    return {pk: takes_in(answers) for pk, answers in rows.values_list("pk", "answers")}


def _gold_votes(lang: str, gold: Collection[uuid.UUID]) -> list[Vote]:
    rows = GoldAnswer.objects.filter(item__message__lang=lang, user__held_since=None).order_by("pk")
    answers = rows.values_list("user", "item", "values")
    return [(user, item, takes_in(values)) for user, item, values in answers if item in gold]


@transaction.atomic
def _store(mean: CrowdMean, rows: list[Reliability], votes: int, now: datetime) -> None:
    """Write what differs, and drop what rests on no vote any more; people first, then their mean,
    as `reliability.teach` does."""
    people = get_user_model().objects
    gone = set(people.exclude(deleted_at=None).values_list("pk", flat=True))
    held = set(people.exclude(held_since=None).values_list("pk", flat=True))
    stored = Reliability.objects.filter(group=mean.group, lang=mean.lang)
    known = {row.user_id: row for row in stored}
    wanted = [row for row in rows if row.user_id not in gone]
    changed = [row for row in wanted if _differs(row, known.get(row.user_id))]
    changed.sort(key=lambda row: row.user_id)
    for row in changed:
        row.group, row.lang, row.updated_at = mean.group, mean.lang, now
    Reliability.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["user", "group", "lang"],
        update_fields=[*_DERIVED, "updated_at"],
        batch_size=PER_QUERY,
    )
    stored.filter(user__in=set(known) - {row.user_id for row in wanted} - held).delete()
    mean.n_votes, mean.n_people, mean.fitted, mean.computed_at = votes, len(rows), mean.changes, now
    mean.save(update_fields=_MEAN)
    logger.info("reliability of %s in %s: %d votes", mean.group, mean.lang, votes)


# Without `changes`: others count it up meanwhile.
_MEAN = [
    "sensitivity", "specificity", "prior", "agreement", "spreads", "n_votes", "n_people", "fitted",
    "computed_at",
]  # fmt: skip
_DERIVED = [
    "sensitivity", "specificity", "n_yes", "agreement", "weight", "doubtful", "n_votes", "n_gold",
    "n_gold_right", "in_concert",
]  # fmt: skip


def _differs(row: Reliability, known: Reliability | None) -> bool:
    return known is None or any(getattr(row, name) != getattr(known, name) for name in _DERIVED)
