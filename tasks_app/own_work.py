"""What became of one person's contributions, and what of it they may know by now."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from tasks_app import fate, reading, rewording, timeline, votes
from tasks_app.config import TreeConfig
from tasks_app.enums import ContributionKind
from tasks_app.models import Contribution, Message

if TYPE_CHECKING:
    from oasst.accounts.models import User

WRITTEN = {ContributionKind.PROMPT, ContributionKind.REPLY}


def entries(
    found: Sequence[Contribution], user: "User", reviewed: set[uuid.UUID]
) -> list[dict[str, Any]]:
    """One entry a contribution, as `browsing.contributions` finds them. `reviewed`: trees of which
    the person is reviewing a message. A fixed number of queries.
    """
    config = TreeConfig.current()
    told = timeline.of(
        [c.message for c in found if c.message and _is_own_text(c)], config, is_author=True
    )
    given = votes.of([each for each in found if not _is_own_text(each)], config)
    veiled = reading.veiled((each.message.tree_id for each in found if each.message), user)
    return [
        _entry(each, user, config, veiled)
        | (_way(each, told) if _is_own_text(each) else _outcome(each, given, reviewed))
        for each in found
    ]


def _outcome(
    contribution: Contribution, given: dict[int, votes.Vote], reviewed: set[uuid.UUID]
) -> dict[str, Any]:
    """What became of a vote; nothing yet while another message of the tree is being reviewed."""
    if contribution.message and contribution.message.tree_id in reviewed:
        return {"status": None}
    return {"vote": given.get(contribution.pk)}


def _is_own_text(contribution: Contribution) -> bool:
    return contribution.message is not None and contribution.kind in WRITTEN


def _entry(
    contribution: Contribution,
    user: "User",
    config: TreeConfig,
    veiled: set[uuid.UUID],
) -> dict[str, Any]:
    message = contribution.message
    is_text = _is_own_text(contribution)
    return {
        "contribution": contribution,
        "label": _label(contribution),
        "message": message,
        "is_readable": bool(message and (is_text or _may_read(message, user, veiled))),
        "status": fate.status(message, config) if message else None,
        "story": fate.story(message, config) if message and is_text else "",
        "may_reword": message is not None and rewording.may_be_open(message, user),
    }


def _label(contribution: Contribution) -> str:
    if contribution.kind == ContributionKind.RANKING and contribution.message is None:
        return _("Ranked initial prompts")
    return str(ContributionKind(contribution.kind).label)


def _way(contribution: Contribution, told: dict[uuid.UUID, timeline.Told]) -> dict[str, Any]:
    assert contribution.message is not None  # it is a text
    way = told[contribution.message.pk]
    return {"reasons": way.reasons, "steps": way.steps, "events": way.events}


def _may_read(message: Message, user: "User", veiled: set[uuid.UUID]) -> bool:
    return reading.may_read(message, user, veiled=message.tree_id in veiled)
