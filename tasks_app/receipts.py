"""What the page after a submit knows of it. It travels with the toast, for the apps above to say
what they make of it.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from tasks_app.enums import ContributionKind, Role, TaskType
from tasks_app.models import GoldAnswer, Message, Ranking, Task, TextLabels

# What a submit stores.
Answer = Message | TextLabels | GoldAnswer | Ranking


@dataclass(frozen=True)
class Receipt:
    """One contribution, as the journal has it. `undo_url` is empty if it cannot be taken back."""

    kind: str
    role: str
    form: str
    seconds: float  # from being handed the task to sending it
    counts_at_once: bool  # nobody decides on it any more
    undo_url: str

    @property
    def tags(self) -> str:
        """As the tags of a toast."""
        return json.dumps(asdict(self))


def of(task: Task, *, undo_url: str, now: datetime) -> Receipt:
    """The receipt for a task that was just done."""
    kind = ContributionKind.RANKING
    if task.type.is_labeling:
        kind = ContributionKind.LABELS
    elif task.type.is_writing:
        kind = ContributionKind.REPLY if task.type.is_reply else ContributionKind.PROMPT
    return Receipt(
        kind=kind,
        role=Role.ASSISTANT if task.type == TaskType.ASSISTANT_REPLY else Role.PROMPTER,
        form=task.form_mode,
        seconds=(now - task.created_at).total_seconds(),
        counts_at_once=task.type == TaskType.RANK_INITIAL_PROMPTS,
        undo_url=undo_url,
    )


def read(tags: str) -> Receipt | None:
    """The receipt that a toast brings; None for any other toast."""
    return Receipt(**json.loads(tags)) if tags.startswith("{") else None
