"""Goals of languages: what their contributors want to do together in a week. Staff set them."""

from datetime import datetime
from typing import Any

from django.db import transaction

from leaderboard_app.models import TeamGoal
from oasst.lib.languages import name as language_name
from tasks_app.enums import ModerationKind as Kind
from tasks_app.moderation_log import record, require_reason


@transaction.atomic
def set_goal(lang: str, target: int | None, *, actor: Any, reason: str, now: datetime) -> bool:
    """Set the goal of a language, confirmed contributions a week; None drops it.

    False if it is that already, which leaves no entry in the log.
    """
    require_reason(reason)
    goal = TeamGoal.objects.select_for_update().filter(lang=lang).first()
    before = goal.target if goal else None
    if before == target:
        return False
    if target is None:
        TeamGoal.objects.filter(lang=lang).delete()
    else:
        TeamGoal.objects.update_or_create(lang=lang, defaults={"target": target})
    data = {"goal": f"{language_name(lang)}: {before or '–'} → {target or '–'}"}
    record(Kind.SET_GOAL, actor=actor, reason=reason, now=now, data=data)
    return True
