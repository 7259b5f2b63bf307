"""What became of reviews and rankings, for those who gave them, once the result stands.

Who else voted, and how, is nobody's business: only counts are told.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.config import TreeConfig
from tasks_app.enums import ContributionKind, TreeState
from tasks_app.models import Contribution, Message, Ranking, TextLabels
from tasks_app.reviews import acceptance, is_accepted

Groups = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Vote:
    """What a person is told of one vote. The origin of replies is told of rankings with models'
    replies among them: whoever has ranked may know."""

    story: str
    tells_origin: bool = False
    is_first_synthetic: bool | None = None


def agreed_pairs(mine: Groups, others: Sequence[Groups]) -> tuple[int, int]:
    """On how many pairs the order is that of most others, of those on which most others agree.

    Pairs that the order ties, or most others do, have no side to agree with and do not count. Pure.
    """
    places = [_places(groups) for groups in (mine, *others)]
    agreed = pairs = 0
    for a, b in combinations(sorted(places[0]), 2):
        own = _sign(places[0], a, b)
        rest = sum(_sign(each, a, b) for each in places[1:] if a in each and b in each)
        if own and rest:
            pairs += 1
            agreed += (own > 0) == (rest > 0)
    return agreed, pairs


def _places(groups: Groups) -> dict[str, int]:
    return {pk: place for place, group in enumerate(groups) for pk in group}


def _sign(places: dict[str, int], a: str, b: str) -> int:
    return (places[b] > places[a]) - (places[b] < places[a])


def of(contributions: Iterable[Contribution], config: TreeConfig) -> dict[int, Vote]:
    """What became of the reviews and rankings among them, by contribution, of one person. They
    need `message.tree`. Four queries at most."""
    given = [each for each in contributions if each.task_id and each.message]
    return _reviews([each for each in given if each.kind == ContributionKind.LABELS], config) | (
        _rankings([each for each in given if each.kind == ContributionKind.RANKING])
    )


# Reviews


def _reviews(given: list[Contribution], config: TreeConfig) -> dict[int, Vote]:
    sets = TextLabels.objects.filter(task__in=[each.task_id for each in given])
    values = dict(sets.values_list("task", "values"))
    return {
        each.pk: Vote(_of_review(each.message, values[each.task_id], config))
        for each in given
        if each.message and each.task_id in values and "spam" in values[each.task_id]
    }


def _of_review(message: Message, values: dict[str, float], config: TreeConfig) -> str:
    if message.review_result is None:
        return _("Thank you. How others see it shows once enough people have reviewed it.")
    threshold = config.acceptance_threshold(is_root=message.is_root)
    if is_accepted(acceptance([values]), threshold) != message.review_result:
        return _(
            "The others saw it differently, which is fine: that is what several reviews are for."
        )
    if message.review_result:
        return _("It was accepted, as you saw it.")
    return _("It was not accepted, as you saw it.")


# Rankings


def _rankings(given: list[Contribution]) -> dict[int, Vote]:
    own = {r.task_id: r for r in Ranking.objects.filter(task__in=[c.task_id for c in given])}
    done = {each.message_id for each in given if each.message and _stands(each.message)}
    others: dict[uuid.UUID | None, list[Ranking]] = defaultdict(list)
    mine = [ranking.pk for ranking in own.values()]
    counted = Ranking.objects.counted().filter(parent__in=done)
    for ranking in counted.exclude(pk__in=mine).order_by("pk"):
        others[ranking.parent_id].append(ranking)
    ids = {pk for ranking in own.values() for group in ranking.groups for pk in group}
    models = Message.objects.filter(pk__in=ids, synthetic=True).values_list("pk", flat=True)
    synthetic = {str(pk) for pk in models}
    return {
        each.pk: _of_ranking(own[each.task_id], others[each.message_id], each, synthetic)
        for each in given
        if each.task_id in own
    }


def _stands(parent: Message) -> bool:
    return TreeState(parent.tree.state) == TreeState.READY_FOR_EXPORT


def _of_ranking(
    mine: Ranking, others: list[Ranking], contribution: Contribution, synthetic: set[str]
) -> Vote:
    first = {pk in synthetic for pk in mine.groups[0]} if not mine.not_rankable else set()
    return Vote(
        _story(mine, others, contribution),
        tells_origin=any(pk in synthetic for group in mine.groups for pk in group),
        is_first_synthetic=first.pop() if len(first) == 1 else None,
    )


def _story(mine: Ranking, others: list[Ranking], contribution: Contribution) -> str:
    if contribution.message is None or not _stands(contribution.message):
        return _("Thank you. The result shows once enough people have ranked.")
    if not others:
        return _("Nobody else has ranked these, so yours is the order.")
    refused = sum(ranking.not_rankable for ranking in others)
    if mine.not_rankable:
        words = ngettext(
            "You found that these cannot be ranked; %(same)d of %(others)d other person did too.",
            "You found that these cannot be ranked; %(same)d of %(others)d other people did too.",
            len(others),
        )
        return words % {"same": refused, "others": len(others)}
    usable = [ranking.groups for ranking in others if not ranking.not_rankable]
    agreed, pairs = agreed_pairs(mine.groups, usable)
    if not pairs:
        return _("There is no pair on which the others agree and you have chosen.")
    words = ngettext(
        "Your ranking agreed with the others on %(agreed)d of %(pairs)d pair.",
        "Your ranking agreed with the others on %(agreed)d of %(pairs)d pairs.",
        pairs,
    )
    return words % {"agreed": agreed, "pairs": pairs}
