"""What must hold whatever people did; the invariants themselves are those of `check_trees`."""

from oasst.accounts.models import User
from tasks_app.checks import broken_invariants, derived
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind
from tasks_app.models import Contribution, GoldAnswer, Message, Ranking, Task, TextLabels


def problems() -> list[object]:
    """Everything that is wrong in the database."""
    return list(broken_invariants())


def problems_of_trees() -> list[object]:
    """What is wrong with offers, counters, limits and states; a part of `problems`, but quick."""
    return list(derived.findings(TreeConfig.current()))


def count_effects() -> tuple[int, int, int, int, int]:
    """How much people have done: messages, reviews, gold answers, rankings, journal entries."""
    return (
        Message.objects.count(),
        TextLabels.objects.filter(kind=LabelKind.TASK).count(),
        GoldAnswer.objects.count(),
        Ranking.objects.count(),
        Contribution.objects.count(),
    )


def assert_fits(task: Task, user: User) -> None:
    """A task just handed out is one that this person may do."""
    assert task.user_id == user.pk
    assert user.is_active
    assert task.lang in user.contribution_languages
    if task.message is None:
        return
    assert task.holds_slot or task.gold_id
    assert not task.message.deleted
    if task.type.is_labeling:
        assert task.message.user_id != user.pk
        assert not task.message.label_sets.filter(user=user, kind=LabelKind.TASK).exists()
        assert not GoldAnswer.objects.filter(item=task.message_id, user=user).exists()
    elif task.type.is_ranking:
        assert len(task.shown_ids) > 1
        assert not Message.objects.filter(pk__in=task.shown_ids, user=user).exists()
    else:
        assert not task.message.children.filter(user=user, deleted=False).exists()
