"""The stages of a tree that the funnel shows, and which states stand for having reached one.

No state stands for the last one: snapshots for training are made of trees, and move none.
"""

from django.db.models import IntegerChoices
from django.utils.translation import gettext_lazy as _

from tasks_app.enums import TreeState


class Stage(IntegerChoices):
    """How far a tree has come; a later stage includes those before."""

    WRITTEN = 0, _("Prompt written")
    ACCEPTED = 1, _("Prompt accepted")
    COMPLETE = 2, _("Conversation complete")
    RANKED = 3, _("Ranked, ready for export")
    EXPORTED = 4, _("In a snapshot for training")


STAGE_OF: dict[TreeState, Stage] = {
    TreeState.INITIAL_PROMPT_REVIEW: Stage.WRITTEN,
    TreeState.ABORTED_LOW_GRADE: Stage.WRITTEN,
    TreeState.HALTED_BY_MODERATOR: Stage.WRITTEN,
    TreeState.PROMPT_LOTTERY_WAITING: Stage.ACCEPTED,
    TreeState.GROWING: Stage.ACCEPTED,
    TreeState.BACKLOG_RANKING: Stage.COMPLETE,
    TreeState.RANKING: Stage.COMPLETE,
    TreeState.READY_FOR_SCORING: Stage.COMPLETE,
    TreeState.SCORING_FAILED: Stage.COMPLETE,
    TreeState.READY_FOR_EXPORT: Stage.RANKED,
}
