"""Everybody's skill, computed from votes: what `reliability` looks up.

Only languages with new votes, or whose gold or held people have changed, are computed. Few new
votes are held against the crowd as it was, of the people whom they touch; else a language is
computed whole, so running twice, or after votes were taken back, comes to the same. Votes of
people who are held back say nothing about others; what was known of these people stays as it was.
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
from django.db.models import Count, F, Max, Min

from oasst.lib.session_lock import SessionLock
from tasks_app import dawid_skene, favourites, label_skill, ranker_skill
from tasks_app.dawid_skene import Skill
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
# Up to this share of new votes only the people whom these touch are fitted, in the crowd as it was.
FRESH = 0.02
CLOSE = 1e-3  # what differs by less is not written: a fit of everybody moves all by a little

_Ranked = tuple[uuid.UUID, uuid.UUID, list[list[str]]]  # who, below which message, best first
Vote = tuple[uuid.UUID, uuid.UUID, bool]  # who, on which message, takes it in
People = set[uuid.UUID] | None  # None: everybody

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
_OF_SOME = """AND l.message_id IN (SELECT theirs.message_id FROM tasks_app_textlabels theirs
        WHERE theirs.user_id = ANY(%(people)s) AND theirs.kind = 'task')
    """
_DESCRIBING = (SkillGroup.FLAGS, SkillGroup.QUALITY, SkillGroup.TONE)


def refit(*, now: datetime) -> list[str]:
    """Compute the skills in each language with new votes; returns the languages.

    Leaves it to whoever is at it already.
    """
    with SessionLock("fit of skills").alone() as is_ours:
        return _refit(now) if is_ours else []


def _refit(now: datetime) -> list[str]:
    return list(dict.fromkeys([*_refit_reviews(now), *_refit_rankings(now)]))


def _refit_reviews(now: datetime) -> list[str]:
    """Fit what is new, then note how far the votes were looked at: a crash repeats the work."""
    means = CrowdMean.objects.filter(group=SkillGroup.ACCEPTANCE)
    seen = means.aggregate(votes=Min("last_id"), gold=Min("last_gold_at"))
    reviews = TextLabels.objects.filter(kind=LabelKind.TASK)
    votes = _News(reviews, "pk", "message__lang", since=seen["votes"])
    gold = _News(GoldAnswer.objects.all(), "created_at", "item__message__lang", since=seen["gold"])
    langs = sorted({*votes.langs, *gold.langs, *_stale(means)})
    for lang in langs:
        mean = _mean(SkillGroup.ACCEPTANCE, lang, now)
        mean.n_fresh += votes.langs[lang] + gold.langs[lang]
        is_known = mean.fitted == mean.changes and mean.n_fresh <= FRESH * mean.n_votes
        people = _touched(lang, votes, gold) if is_known else None
        _fit_labels(lang, people, now)
        _fit_reviews(mean, people, now)
    means.update(last_id=votes.top or 0, last_gold_at=gold.top)
    return langs


def _refit_rankings(now: datetime) -> list[str]:
    means = CrowdMean.objects.filter(group=SkillGroup.RANKING)
    since = means.aggregate(since=Min("last_id"))["since"]
    votes = Ranking.objects.exclude(parent=None)
    rankings = _News(votes, "pk", "parent__tree__lang", since=since)
    langs = sorted({*rankings.langs, *_stale(means)})
    for lang in langs:
        _fit_rankings(lang, now)
    means.update(last_id=rankings.top or 0)
    return langs


class _News:
    """Votes of which `column` is above `since`: the `fresh` ones, the `top` of the column, and how
    many there are of each language."""

    def __init__(self, votes: models.QuerySet, column: str, lang_path: str, *, since: Any) -> None:
        self.top = votes.aggregate(top=Max(column))["top"]
        self.fresh = votes.order_by()
        if since is not None:
            self.fresh = self.fresh.filter(**{f"{column}__gt": since})
        counted = self.fresh.values_list(lang_path).annotate(n=Count("pk"))
        self.langs: Counter[str] = Counter(dict(counted))


def _stale(means: models.QuerySet) -> models.QuerySet:
    return means.exclude(fitted=F("changes")).values_list("lang", flat=True)


def _touched(lang: str, votes: _News, gold: _News) -> set[uuid.UUID]:
    """Whose skills new votes and gold answers tell of: who gave them, or reviewed the same."""
    reviews = TextLabels.objects.counted().filter(kind=LabelKind.TASK, message__lang=lang)
    same = reviews.filter(message__in=votes.fresh.filter(message__lang=lang).values("message"))
    answers = gold.fresh.filter(item__message__lang=lang)
    return {*same.values_list("user", flat=True), *answers.values_list("user", flat=True)}


def _mean(group: SkillGroup, lang: str, now: datetime) -> CrowdMean:
    """As it is before the votes are read. Nothing is locked while a fit is computed: submits wait
    for none, and what changes meanwhile is fitted next time."""
    found, _ = CrowdMean.objects.get_or_create(
        group=group, lang=lang, defaults={"computed_at": now}
    )
    return found


def _fit_reviews(mean: CrowdMean, people: People, now: datetime) -> None:
    gold = _gold(mean.lang)
    answers = _gold_votes(mean.lang, gold, people)
    votes = [*_rows(_of(_REVIEWS, people), mean.lang, people), *answers]
    known = None if people is None else _known(mean, people)
    found = dawid_skene.fit(votes, gold=gold, known=known)
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
    _store(mean, rows, len(votes), now, people)


def _known(mean: CrowdMean, people: set[uuid.UUID]) -> dawid_skene.Known:
    """The crowd as the last fit of everybody, and later ones of others, left it."""
    stored = Reliability.objects.filter(group=mean.group, lang=mean.lang)
    rows = stored.values_list("user", "sensitivity", "specificity", "n_votes")
    skills = {
        user: Skill(cast(float, sensitivity), cast(float, specificity), n)
        for user, sensitivity, specificity, n in rows
        if user not in people
    }
    whole = Skill(cast(float, mean.sensitivity), cast(float, mean.specificity), mean.n_votes)
    return dawid_skene.Known(skills, whole, cast(float, mean.prior))


def _fit_labels(lang: str, people: People, now: datetime) -> None:
    """The skills that show in the labels that decide nothing."""
    for group in _DESCRIBING:
        mean = _mean(group, lang, now)
        known = None
        if people is not None:
            known = label_skill.Known(RankerSkill(mean.agreement or 0.0, 0), mean.spreads)
        answers = _answers(group, lang, people)
        found = label_skill.fit(answers, len(SKILLS[group]), known=known)
        mean.agreement, mean.spreads = found.mean.agreement, found.spreads
        rows = _label_rows(found.skills, found.mean)
        _store(mean, rows, found.mean.n, now, people)


def _answers(group: SkillGroup, lang: str, people: People) -> Iterator[label_skill.Answers]:
    columns = ", ".join(f"(l.values->>'{name}')::float" for name in SKILLS[group])
    query = _of(_ANSWERS.format(columns=columns), people)
    for user, message, *values in _rows(query, lang, people):
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
    for user, parent, groups, held in _rows(_RANKINGS, lang):
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


def _of(query: str, people: People) -> str:
    """The query of votes, of what these people reviewed alone if there are any."""
    return query if people is None else query.replace("ORDER BY", _OF_SOME + "ORDER BY")


def _rows(query: str, lang: str, people: People = None) -> Iterator[Any]:
    with connections[router.db_for_read(TextLabels)].cursor() as cursor:
        cursor.execute(query, {"lang": lang, "people": list(people or [])})
        yield from cursor


def _gold(lang: str) -> dict[uuid.UUID, bool]:
    """Whether each gold message belongs here; retired items say nothing."""
    rows = GoldItem.objects.filter(active=True, message__lang=lang)
    return {pk: takes_in(answers) for pk, answers in rows.values_list("pk", "answers")}


def _gold_votes(lang: str, gold: Collection[uuid.UUID], people: People) -> list[Vote]:
    rows = GoldAnswer.objects.filter(item__message__lang=lang, user__held_since=None).order_by("pk")
    rows = rows if people is None else rows.filter(user__in=people)
    answers = rows.values_list("user", "item", "values")
    return [(user, item, takes_in(values)) for user, item, values in answers if item in gold]


@transaction.atomic
def _store(
    mean: CrowdMean,
    rows: list[Reliability],
    votes: int,
    now: datetime,
    only: People = None,
) -> None:
    """Write what differs, of everybody or of some people only, and drop what rests on no vote any
    more; people first, then their mean."""
    people = get_user_model().objects
    gone = set(people.exclude(deleted_at=None).values_list("pk", flat=True))
    held = set(people.exclude(held_since=None).values_list("pk", flat=True))
    stored = Reliability.objects.filter(group=mean.group, lang=mean.lang)
    if only is not None:
        stored, rows = stored.filter(user__in=only), [row for row in rows if row.user_id in only]
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
    if only is not None:
        mean.save(update_fields=["n_fresh"])
    else:
        mean.n_votes, mean.n_people, mean.n_fresh = votes, len(rows), 0
        mean.fitted, mean.computed_at = mean.changes, now
        mean.save(update_fields=_MEAN)
    logger.info("reliability of %s in %s: %d people", mean.group, mean.lang, len(rows))


# Without `changes`: others count it up meanwhile.
_MEAN = [
    "sensitivity", "specificity", "prior", "agreement", "spreads", "n_votes", "n_people", "n_fresh",
    "fitted", "computed_at",
]  # fmt: skip
_DERIVED = [
    "sensitivity", "specificity", "n_yes", "agreement", "weight", "doubtful", "n_votes", "n_gold",
    "n_gold_right", "in_concert",
]  # fmt: skip


def _differs(row: Reliability, known: Reliability | None) -> bool:
    if known is None:
        return True
    pairs = [(getattr(row, name), getattr(known, name)) for name in _DERIVED]
    return any(
        abs(a - b) > CLOSE if isinstance(a, float) and isinstance(b, float) else a != b
        for a, b in pairs
    )
