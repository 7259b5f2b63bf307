"""How much data there is for each stage, and how much is worth training on."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import Role, TreeState
from tasks_app.models import Message

KEEP_S = 60
# Below these a run may be tried, but its figures say little: a hundred held-out pairs give an
# accuracy to ±0.1, and SFT on fewer conversations learns them by heart.
WORTH_SFT, WORTH_RM, WORTH_PPO = 500, 500, 200
# In these states a tree's messages are accepted and its replies ranked.
USABLE = (TreeState.READY_FOR_EXPORT, TreeState.RANKING, TreeState.READY_FOR_SCORING)


@dataclass(frozen=True)
class Threshold:
    """So much of something is there, and so much makes a run worth its time."""

    stage: str
    what: str | Promise
    count: int
    worth: int

    @property
    def is_reached(self) -> bool:
        return self.count >= self.worth

    @property
    def missing(self) -> int:
        return max(0, self.worth - self.count)


def thresholds() -> list[Threshold]:
    """Counts of the data collection now, at most a minute old."""
    counts: dict[str, int] = cache.get_or_set("training.readiness", _count, KEEP_S) or {}
    return [
        Threshold("sft", _("answers that people accepted"), counts["answers"], WORTH_SFT),
        Threshold("rm", _("prompts with ranked answers"), counts["ranked"], WORTH_RM),
        Threshold("ppo", _("prompts to answer"), counts["prompts"], WORTH_PPO),
    ]


def _count() -> dict[str, int]:
    accepted = Message.objects.filter(
        deleted=False, review_result=True, synthetic=False, tree__state__in=USABLE
    )
    ranked = Message.objects.filter(parent=OuterRef("pk"), rank=1)
    is_prompt = Q(role=Role.PROMPTER)
    return accepted.aggregate(
        answers=Count("pk", filter=~is_prompt),
        prompts=Count("pk", filter=is_prompt),
        ranked=Count("pk", filter=is_prompt & Q(Exists(ranked))),
    )
