"""How people's labels are held against the others' in the database."""

from datetime import timedelta

import pytest

from oasst.accounts.models import User
from tasks_app import holding, skill_fits
from tasks_app.enums import LabelKind, SkillGroup, TreeState
from tasks_app.models import CrowdMean, Message, Reliability, TextLabels
from tests import factories
from tests.factories import NOW, grow

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=1)
FINE = {"spam": 0.0, "quality": 1.0, "pii": 0.0}
POOR = {"spam": 0.0, "quality": 0.25, "pii": 1.0}
WRONG = {FINE["quality"]: 0.0, POOR["quality"]: 1.0}


def label(message: Message, user: User, kind: LabelKind = LabelKind.TASK, **values: float) -> None:
    TextLabels.objects.create(message=message, user=user, kind=kind, values=values, created_at=NOW)


def community(messages: int = 24) -> tuple[list[User], User]:
    """Three people who see how good a message is, and one who says the contrary."""
    people, contrary = factories.crowd(3), factories.person("Carla")
    for number in range(messages):
        root = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root
        values = POOR if number % 2 else FINE
        for user in people:
            label(root, user, **values)
        label(root, contrary, **values | {"quality": WRONG[values["quality"]]})
    return people, contrary


def agreement(user: User, group: SkillGroup) -> float:
    found = Reliability.objects.get(user=user, group=group, lang="en").agreement
    assert found is not None
    return found


def test_each_group_of_labels_has_a_skill_of_its_own() -> None:
    people, contrary = community()

    assert skill_fits.refit(now=NOW) == ["en"]

    assert agreement(contrary, SkillGroup.QUALITY) < 0 < agreement(people[0], SkillGroup.QUALITY)
    assert agreement(contrary, SkillGroup.FLAGS) == agreement(people[0], SkillGroup.FLAGS)
    assert not Reliability.objects.filter(group=SkillGroup.TONE).exists()  # nobody was asked
    rows = Reliability.objects.filter(group=SkillGroup.QUALITY)
    assert set(rows.values_list("n_votes", flat=True)) == {24}
    assert [row.user_id for row in rows.filter(doubtful=True)] == [contrary.pk]
    assert skill_fits.refit(now=NOW) == []


def test_new_labels_are_held_against_the_crowd_as_it_was() -> None:
    _people, contrary = community(60)
    newcomer = factories.person("Nina")
    skill_fits.refit(now=NOW)
    before = agreement(contrary, SkillGroup.QUALITY)
    label(Message.objects.earliest("created_at", "pk"), newcomer, **POOR)

    skill_fits.refit(now=LATER)

    means = CrowdMean.objects.filter(group=SkillGroup.QUALITY)
    assert means.get().computed_at == NOW
    found = Reliability.objects.get(user=newcomer, group=SkillGroup.QUALITY)
    assert (found.n_votes, found.updated_at) == (1, LATER)
    assert agreement(contrary, SkillGroup.QUALITY) == pytest.approx(before, abs=0.01)


def test_free_labels_show_no_skill(alice: User, bob: User) -> None:
    root = grow("P?", state=TreeState.INITIAL_PROMPT_REVIEW).root
    label(root, bob, spam=0, quality=0.5)
    label(root, alice, LabelKind.FREE, quality=1.0)

    skill_fits.refit(now=NOW)

    assert not Reliability.objects.filter(group=SkillGroup.QUALITY).exists()


def test_labels_of_a_held_person_say_nothing_about_others(mona: User) -> None:
    people, contrary = community(6)
    skill_fits.refit(now=NOW)
    before = agreement(people[0], SkillGroup.QUALITY)

    holding.hold_user(contrary.pk, actor=mona, reason="Says the contrary.", now=NOW)
    skill_fits.refit(now=NOW)

    assert agreement(people[0], SkillGroup.QUALITY) > before
    assert CrowdMean.objects.get(group=SkillGroup.QUALITY).n_votes == 18
