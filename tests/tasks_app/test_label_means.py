"""Means of labels: everybody counts by the weight that they have for the label."""

from collections.abc import Callable

import pytest

from oasst.accounts.models import User
from tasks_app.config import TreeConfig
from tasks_app.enums import LabelKind, SkillGroup, TreeState
from tasks_app.label_means import means_of
from tasks_app.models import ImportedLabelAggregate, Message, Reliability, TextLabels
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db

ON, OFF = TreeConfig(reliability_weights=True), TreeConfig(reliability_weights=False)


def label(message: Message, user: User, **values: float) -> None:
    TextLabels.objects.create(
        message=message, user=user, kind=LabelKind.TASK, values=values, created_at=NOW
    )


def know(user: User, group: SkillGroup, weight: float) -> None:
    Reliability.objects.create(
        user=user, group=group, lang="en", agreement=0.1, weight=weight, updated_at=NOW
    )


def test_means_count_each_answer_by_the_weight_of_its_label(alice: User, bob: User) -> None:
    root = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root
    label(root, alice, quality=1.0, humor=1.0)
    label(root, bob, quality=0.0, humor=0.0)
    know(alice, SkillGroup.QUALITY, 0.25)

    (means,) = means_of([root.pk], config=ON).values()
    (plain,) = means_of([root.pk], config=OFF).values()

    assert (means["quality"].value, means["quality"].count) == (0.25 / 1.25, 2)
    assert means["humor"].value == plain["humor"].value == plain["quality"].value == 0.5


def test_imported_means_count_as_many_people_and_guessing_ones_a_little(alice: User) -> None:
    root = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root
    label(root, alice, quality=1.0)
    know(alice, SkillGroup.QUALITY, 0.0)
    published = {"quality": {"value": 0.5, "count": 3}}
    ImportedLabelAggregate.objects.create(message=root, values=published)

    (means,) = means_of([root.pk], config=ON).values()

    assert means["quality"].value == pytest.approx((0.05 + 1.5) / 3.05)
    assert means["quality"].count == 4


def test_means_without_weights_ask_for_nobody(
    alice: User, django_assert_num_queries: Callable
) -> None:
    root = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root
    label(root, alice, quality=1.0)

    with django_assert_num_queries(2):
        means_of([root.pk], config=OFF)
    with django_assert_num_queries(3):
        means_of([root.pk], config=ON)
