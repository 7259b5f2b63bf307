"""Something to do, for the people of the journeys."""

from django.utils import timezone

from tasks_app import config
from tasks_app.enums import TreeState
from tests.factories import Grown, grow

# As an admin sets it, which the site reads too: one kind is off by default, the lottery would draw
# the prompts that wait to be ranked, and who looks at every kind has one task more open than usual.
SETTINGS = {"rank_prompter_replies": True, "max_active_trees": 0, "max_pending_tasks_per_user": 9}


def something_of_every_kind() -> list[Grown]:
    """Trees and prompts by nobody in the cast, at least one task of each kind among them."""
    for name, value in SETTINGS.items():
        config.change(name, value, actor=None, reason="Every kind.", now=timezone.now())
    return [
        grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW),
        grow("P(A? A(P?))"),
        grow("P(A(P) A)"),
        grow("P(A A A)", state=TreeState.RANKING),
        grow("P(A(P P P))", state=TreeState.RANKING),
        *(grow("P", state=TreeState.PROMPT_LOTTERY_WAITING) for _ in range(3)),
    ]
