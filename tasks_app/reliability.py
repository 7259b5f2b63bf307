"""How much a person's reviews and rankings weigh, and how that follows from what they did.

Votes of one group in one language show one skill. `skill_fits` computes everybody's from all
votes and gold answers; an answer to a gold item changes its person's at once, by `teach()`.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest

from tasks_app import dawid_skene
from tasks_app.config import TreeConfig
from tasks_app.dawid_skene import Skill
from tasks_app.enums import SkillGroup
from tasks_app.labels import SKILLS
from tasks_app.models import (
    CrowdMean,
    GoldAnswer,
    Message,
    MessageTree,
    Ranking,
    Reliability,
    TextLabels,
)
from tasks_app.reviews import takes_in

# Even people who guess count for so much: what they alone have judged is decided too.
LEAST_WEIGHT = 0.05
# However many messages belong here, the reviews of each are what decides.
_PRIORS = (0.2, 0.8)


def weight(*, group: SkillGroup, lang: str, config: TreeConfig) -> Combinable:
    """What the votes of `group` in `lang` count, by their `user`: to be read along with them.

    1 for everybody when weights are switched off: the original formulas. Also 1 for people of whom
    nothing is known yet.
    """
    if not config.reliability_weights:
        return Value(1.0)
    known = Reliability.objects.filter(user=OuterRef("user"), group=group, lang=lang)
    return Greatest(Value(LEAST_WEIGHT), Coalesce(Subquery(known.values("weight")), Value(1.0)))


def label_weights(
    users: Collection[uuid.UUID], *, config: TreeConfig
) -> dict[tuple[uuid.UUID, str, str], float]:
    """What the answers of these people count, by person, language and label; 1 where it is missing.

    One query; none when weights are switched off, or nobody is asked about.
    """
    if not (config.reliability_weights and users):
        return {}
    known = Reliability.objects.filter(user__in=users, group__in=SKILLS)
    rows = known.values_list("user", "lang", "group", "weight")
    return {
        (user, lang, name): max(LEAST_WEIGHT, weight)
        for user, lang, group, weight in rows
        for name in SKILLS[SkillGroup(group)]
    }


# One query, as many as reading them takes: every scoring asks this.
_FIX_WEIGHTS = """
    WITH fixed AS (
        UPDATE tasks_app_ranking r SET weight = greatest(%(least)s, coalesce(
            (SELECT known.weight FROM tasks_app_reliability known WHERE known.user_id = r.user_id
                AND known."group" = %(group)s AND known.lang = %(lang)s), 1))
        WHERE r.parent_id = ANY(%(parents)s) AND r.weight IS NULL AND NOT r.held
        RETURNING r.id, r.weight
    )
    SELECT r.id, r.parent_id, r.user_id, r.groups, r.not_rankable,
        coalesce(r.weight, fixed.weight) AS weight
    FROM tasks_app_ranking r LEFT JOIN fixed ON fixed.id = r.id
    WHERE r.parent_id = ANY(%(parents)s) AND NOT r.held ORDER BY r.id
"""


def weighted_rankings(
    parents: Iterable[uuid.UUID], *, lang: str, config: TreeConfig
) -> Iterable[Ranking]:
    """The rankings below `parents` that count, by id, each with its weight.

    A ranking gets the weight of its person when it is first counted and keeps it, so that ranks
    follow from what is stored and do not move when reliability does. When weights are switched
    off, those not yet counted have none, which is 1. Caller holds the lock of the parents' tree.
    """
    if not config.reliability_weights:
        return Ranking.objects.counted().filter(parent__in=parents).order_by("id")
    names = {
        "parents": list(parents),
        "group": SkillGroup.RANKING,
        "lang": lang,
        "least": LEAST_WEIGHT,
    }
    return Ranking.objects.raw(_FIX_WEIGHTS, names)


def skills(
    users: Sequence[uuid.UUID], *, lang: str, config: TreeConfig
) -> tuple[list[Skill], float]:
    """How well each user reviews, in order, and P(belongs here) of a message before any review.

    People of whom nothing is known, and all when weights are switched off, are like the crowd's
    mean. At most two queries.
    """
    mean, prior = _crowd(lang)
    known = {}
    if config.reliability_weights:
        rows = Reliability.objects.filter(user__in=users, group=SkillGroup.ACCEPTANCE, lang=lang)
        known = {row.user_id: _skill(row) for row in rows}
    return [known.get(user, mean) for user in users], min(max(prior, _PRIORS[0]), _PRIORS[1])


def teach(answer: GoldAnswer, *, lang: str, now: datetime) -> None:
    """Let an answer to a gold item change what is known of its person, up or down.

    Caller holds the person's lock. The next fit weighs it with all votes. What is known of people
    who are held back stays as it was.
    """
    if answer.user.is_held:
        return
    mean, _prior = _crowd(lang)
    row = _row_of(answer.user_id, lang, mean, now)
    is_good = takes_in(answer.item.answers)
    is_right = takes_in(answer.values) == is_good
    seen = row.n_votes + row.n_gold
    if is_good:
        row.sensitivity = _moved(row.sensitivity or 0.0, row.n_yes, is_right)
        row.n_yes += 1
    else:
        row.specificity = _moved(row.specificity or 0.0, max(0.0, seen - row.n_yes), is_right)
    row.n_gold += 1
    row.n_gold_right += is_right
    _judge(row, mean, now)
    row.save()


def forget_means(group: SkillGroup, langs: Iterable[str]) -> None:
    """Have the next fit look at languages whose gold, or whose votes that count, have changed.

    The last thing a transaction locks but for other means: a fit that is stored has locked people
    before its mean.
    """
    for lang in sorted(set(langs)):  # everybody locks several in the same order
        CrowdMean.objects.filter(group=group, lang=lang).update(changes=F("changes") + 1)


def forget_votes(tree: MessageTree, votes: Sequence[TextLabels | Ranking]) -> None:
    """The same for votes in a tree that came back or were taken out: they tell of others, too."""
    ranked = [vote for vote in votes if isinstance(vote, Ranking)]
    reviewed = [vote.message_id for vote in votes if isinstance(vote, TextLabels)]
    langs = Message.objects.filter(pk__in=reviewed).values_list("lang", flat=True)
    forget_means(SkillGroup.ACCEPTANCE, langs)
    forget_means(SkillGroup.RANKING, [tree.lang] if ranked else [])


def _crowd(lang: str) -> tuple[Skill, float]:
    row = CrowdMean.objects.filter(group=SkillGroup.ACCEPTANCE, lang=lang).first()
    if row is None or row.sensitivity is None or row.specificity is None or row.prior is None:
        return dawid_skene.TYPICAL, 0.5
    return Skill(row.sensitivity, row.specificity, row.n_votes), row.prior


def _skill(row: Reliability) -> Skill:
    return Skill(row.sensitivity or 0.0, row.specificity or 0.0, row.n_votes + row.n_gold)


def _row_of(user_id: uuid.UUID, lang: str, mean: Skill, now: datetime) -> Reliability:
    group = SkillGroup.ACCEPTANCE
    rows = Reliability.objects.select_for_update()
    row = rows.filter(user=user_id, group=group, lang=lang).first()
    return row or Reliability(
        user_id=user_id,
        group=group,
        lang=lang,
        sensitivity=mean.sensitivity,
        specificity=mean.specificity,
        updated_at=now,
    )


def _moved(share: float, tries: float, is_right: bool) -> float:
    """The posterior mean after one more try: a Beta prior of the crowd's mean, then the tries."""
    weight = dawid_skene.STRENGTH + tries
    return (share * weight + is_right) / (weight + 1)


def _judge(row: Reliability, mean: Skill, now: datetime) -> None:
    skill = _skill(row)
    row.weight = dawid_skene.weight(skill, mean)
    row.doubtful = dawid_skene.is_doubtful(skill, mean)
    row.updated_at = now
