"""The sums of agreement follow the votes: new, changed and undone ones, each exactly once."""

import random
from contextlib import suppress
from datetime import date, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from oasst.accounts.models import User
from tasks_app import agreement_sums, agreement_units, holding, interactions, jobs, reactions, undo
from tasks_app.agreement import alpha, krippendorff_alpha
from tasks_app.agreement_tables import (
    AgreementCell,
    AgreementDissent,
    AgreementMark,
    AgreementUnit,
)
from tasks_app.checks import agreement as check
from tasks_app.enums import LabelKind, TaskType, TreeState
from tasks_app.labels import LABELS
from tasks_app.models import Message, Ranking, TextLabels
from tests import factories
from tests.factories import NOW, crowd, grow, hand_out, label, rank, review

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

MONDAY = date(2026, 1, 5)  # the week of NOW


def cells() -> dict[tuple[str, str, date], dict]:
    return {
        (cell.lang, cell.kind, cell.week): cell.profiles for cell in AgreementCell.objects.all()
    }


def sums(measure: str = "spam", lang: str = "", kind: str = "") -> dict[str, int]:
    """Profile → number of units, of the week of NOW."""
    return cells().get((lang, kind, MONDAY), {}).get(measure, {})


def settle() -> None:
    """Fold everything; what is stored is then what a recount gives."""
    while agreement_sums.fold():
        pass
    assert list(check.findings()) == []


def reviewed(*spam: float) -> Message:
    """A reply that so many people have reviewed."""
    return review(grow("P(A?)", lang="en")[1], *({"spam": value} for value in spam))


def test_reviews_count_once_in_their_cell_and_in_those_of_all() -> None:
    reviewed(0.0, 1.0)

    settle()

    expected = {"spam": {"1 1": 1}}
    # The prompt above it has three equal reviews.
    whole = {"spam": {"1 1": 1, "3 0": 1}}
    assert cells() == {
        ("en", "assistant_reply", MONDAY): expected,
        ("", "assistant_reply", MONDAY): expected,
        ("en", "initial_prompt", MONDAY): {"spam": {"3 0": 1}},
        ("", "initial_prompt", MONDAY): {"spam": {"3 0": 1}},
        ("en", "", MONDAY): whole,
        ("", "", MONDAY): whole,
    }


def test_votes_of_a_held_person_are_left_out_until_the_release(alice: User, mona: User) -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    for person in (alice, factories.bob()):
        rank(person, grown.root, grown.messages[1:])
    reviewed(0.0, 1.0)
    voters = [alice, crowd(2, prefix="Judge")[1]]
    settle()
    whole = cells()

    for person in voters:
        holding.hold_user(person.pk, actor=mona, reason="Votes for friends.", now=NOW)
    settle()
    left = sums("rankings"), sums("spam", kind="assistant_reply")
    for person in voters:
        holding.unhold_user(person.pk, actor=mona, reason="A mistake.", now=NOW)
    settle()

    assert left == ({}, {"3 0": 2})  # the replies of the tree that is ranked
    assert cells() == whole
    assert sums("rankings") == {"1 1 1": 1}


def test_folding_again_changes_nothing() -> None:
    reviewed(0.0, 1.0)
    settle()
    before = cells()

    assert agreement_sums.fold() == 0
    agreement_sums.recount(list(Message.objects.values_list("pk", flat=True)))

    assert cells() == before


def test_a_later_review_replaces_what_was_counted() -> None:
    message = reviewed(0.0, 1.0)
    settle()

    label(crowd(3, prefix="Judge")[2], message, {"spam": 0.0})
    settle()

    assert sums(kind="assistant_reply") == {"2 1": 1}


def test_one_review_alone_says_nothing() -> None:
    message = reviewed(0.0)

    settle()

    assert not AgreementUnit.objects.filter(message_id=message.pk).exists()
    assert sums(kind="assistant_reply") == {}


def test_an_undone_review_comes_off_again(alice: User) -> None:
    message = reviewed(0.0)
    task = hand_out(alice, TaskType.LABEL_ASSISTANT_REPLY, message)
    interactions.submit_labels(task.pk, alice, {"spam": 1.0}, now=NOW)
    settle()
    assert sums(kind="assistant_reply") == {"1 1": 1}

    undo.undo_labels(task.pk, alice, now=NOW + timedelta(seconds=5))
    settle()

    assert sums(kind="assistant_reply") == {}
    assert not AgreementDissent.objects.exists()


def test_free_labels_are_no_reviews(alice: User) -> None:
    message = reviewed(0.0, 0.0)
    reactions.label_freely(message.pk, alice, {"spam": 1.0}, now=NOW)

    settle()

    assert sums(kind="assistant_reply") == {"2 0": 1}


def test_votes_move_with_the_language_of_their_message() -> None:
    message = reviewed(0.0, 1.0)
    settle()

    Message.objects.filter(pk=message.pk).update(lang="de")
    settle()

    assert sums(lang="de") == {"1 1": 1}
    assert sums(lang="en") == {"3 0": 1}


def test_votes_leave_with_their_message() -> None:
    message = reviewed(0.0, 1.0)
    settle()

    message.delete()
    settle()

    assert sums(kind="assistant_reply") == {}
    assert sums() == {"3 0": 1}


def test_rankings_count_their_pairs_of_people() -> None:
    grown = grow("P(A A A)", state=TreeState.RANKING)
    _root, a, b, c = grown
    for person, order in zip(crowd(2), ([a, b, c], [b, a, c]), strict=True):
        rank(person, grown.root, order)

    settle()

    assert sums("rankings", kind="assistant_reply") == {"1 0.333333333333 0.75": 1}
    assert not AgreementDissent.objects.filter(measure="rankings").exists()


def test_rankings_that_contradict_each_other_are_worth_a_look() -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    _root, a, b = grown
    for person, order in zip(crowd(2), ([a, b], [b, a]), strict=True):
        rank(person, grown.root, order)

    settle()

    worst = AgreementDissent.objects.get(measure="rankings")
    assert (worst.message_id, worst.dissent, worst.votes) == (grown.root.pk, 1.0, 2)


def test_refusals_to_rank_are_no_orders() -> None:
    grown = grow("P(A A)", state=TreeState.RANKING)
    for person in crowd(2):
        rank(person, grown.root)

    settle()

    assert sums("rankings") == {}


def test_messages_about_which_people_differ_are_worth_a_look() -> None:
    split, agreed = reviewed(0.0, 1.0), reviewed(0.0, 0.0)

    settle()

    worst = AgreementDissent.objects.get()
    assert (worst.message_id, worst.measure, worst.dissent, worst.votes) == (
        split.pk, "spam", 1.0, 2,
    )  # fmt: skip
    assert worst.message_id != agreed.pk


def test_alpha_of_the_sums_is_that_of_the_votes() -> None:
    chance = random.Random(4)
    units = []
    for grown in [grow("P(A?)") for _ in range(12)]:
        given = [{"spam": 0.0, "quality": chance.randrange(5) / 4} for _ in range(3)]
        review(grown[1], *given)
        units.append([values["quality"] for values in given])

    settle()

    level = agreement_units.level("quality")
    profiles = {
        tuple(int(n) for n in agreement_units.read(text)): n for text, n in sums("quality").items()
    }
    found = alpha(profiles, LABELS["quality"].steps, level)
    assert found == pytest.approx(krippendorff_alpha(units, level), abs=1e-9)


class Killed(Exception):
    """Stands for `kill -9` before the transaction ends."""


def test_a_job_that_dies_has_done_nothing_and_the_next_does_all() -> None:
    reviewed(0.0, 1.0)
    marks = AgreementMark.objects.count()

    with suppress(Killed), transaction.atomic():
        agreement_sums.fold()
        raise Killed

    assert (cells(), AgreementMark.objects.count()) == ({}, marks)
    settle()
    assert sums(kind="assistant_reply") == {"1 1": 1}


def test_the_job_works_through_all_marks() -> None:
    reviewed(0.0, 1.0)

    jobs.fold_agreement()

    assert not AgreementMark.objects.exists()
    assert sums(kind="assistant_reply") == {"1 1": 1}


def test_a_slice_leaves_the_rest_for_the_next() -> None:
    reviewed(0.0, 1.0)
    marks = AgreementMark.objects.count()

    assert agreement_sums.fold(limit=1) == 1

    assert AgreementMark.objects.count() == marks - 1
    settle()


def test_rebuilding_repairs_what_was_spoiled() -> None:
    reviewed(0.0, 1.0)
    settle()
    before = cells()
    AgreementCell.objects.update(profiles={"spam": {"9 9": 9}})
    AgreementUnit.objects.filter(kind="assistant_reply").delete()
    AgreementDissent.objects.all().delete()
    broken = {rule for rule, _id, _detail in check.findings()}

    assert agreement_sums.rebuild() == 2

    assert broken == {"agreement_cells_add_up", "agreement_counts_the_votes"}
    assert cells() == before
    assert list(check.findings()) == []


def test_random_votes_that_come_change_and_go_add_up() -> None:
    chance = random.Random(7)
    people = crowd(4)
    messages = [m for n in range(4) for m in grow("P(A? A)", lang=chance.choice(["en", "de"]))]
    for _ in range(60):
        _vote(chance, chance.choice(people), chance.choice(messages))
        if chance.random() < 0.1:
            agreement_sums.fold(limit=chance.randint(1, 20))
            assert list(check.findings()) == []
    settle()

    assert sums() != {}
    assert sums("rankings") != {}


def _vote(chance: random.Random, person: User, message: Message) -> None:
    """Somebody votes, thinks better of it, or takes it back."""
    mine = {"message": message, "user": person, "kind": LabelKind.TASK}
    when = NOW + timedelta(days=chance.randrange(20))
    what = chance.choice(["label", "label", "rank", "rank", "back"])
    if what == "back":
        TextLabels.objects.filter(**mine).delete()
        Ranking.objects.filter(parent=message, user=person).delete()
    elif what == "label":
        values = {"spam": float(chance.random() < 0.3), "quality": chance.randrange(5) / 4}
        defaults = {"values": values, "created_at": when}
        TextLabels.objects.update_or_create(**mine, defaults=defaults)
    else:
        groups = [[name] for name in chance.sample("abcd", 4)]
        defaults = {"groups": groups, "created_at": when}
        Ranking.objects.update_or_create(parent=message, user=person, defaults=defaults)


def test_folding_a_slice_takes_the_same_queries_for_one_and_for_three() -> None:
    def queries(number: int) -> int:
        for _ in range(number):
            reviewed(0.0, 1.0)
        with CaptureQueriesContext(connection) as found:
            agreement_sums.fold()
        return len(found)

    assert queries(1) == queries(3)
