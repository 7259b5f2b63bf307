"""Saved views: of one person and list, replaced by name, at most so many, gone with the account."""

import pytest
from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction

from oasst.accounts import people, saved_views
from oasst.accounts.models import VIEW_QUERY_MAX_LENGTH, SavedView, User
from tests.factories import NOW

MESSAGES, REPORTS = "tasks_app.message", "tasks_app.report"


def save(user: User, name: str, query: str = "lang=de", list_name: str = MESSAGES) -> SavedView:
    return saved_views.save(user, list_name, name, query, now=NOW)


def of(user: User) -> list[tuple[str, str, str]]:
    return list(user.saved_views.values_list("list_name", "name", "query"))


def test_view_of_the_same_name_is_replaced_on_its_list_only(mona: User, root: User) -> None:
    first = save(mona, "German")
    save(mona, "German", "state=all", list_name=REPORTS)
    save(root, "German", "lang=de-AT")

    again = save(mona, "German", "lang=de&review=rejected")

    assert again.pk == first.pk
    assert sorted(of(mona)) == [
        (MESSAGES, "German", "lang=de&review=rejected"),
        (REPORTS, "German", "state=all"),
    ]
    assert of(root) == [(MESSAGES, "German", "lang=de-AT")]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", saved_views.NothingToSave),
        ("q=" + "x" * (VIEW_QUERY_MAX_LENGTH - 1), saved_views.ViewTooLong),
    ],
)
def test_nothing_and_too_much_are_not_kept(mona: User, query: str, error: type) -> None:
    with pytest.raises(error):
        save(mona, "View", query)

    assert of(mona) == []


def test_list_has_twenty_views_which_can_still_be_replaced(mona: User) -> None:
    for number in range(saved_views.MOST_VIEWS):
        save(mona, f"View {number}")

    with pytest.raises(saved_views.TooManyViews):
        save(mona, "One more")
    save(mona, "View 0", "lang=fr")
    save(mona, "Elsewhere", list_name=REPORTS)

    assert SavedView.objects.filter(list_name=MESSAGES).count() == saved_views.MOST_VIEWS
    assert SavedView.objects.get(name="View 0").query == "lang=fr"


def test_views_of_others_are_not_deleted(mona: User, root: User) -> None:
    view = save(mona, "German")

    assert saved_views.delete(root, view.pk) == ""
    assert of(mona) != []
    assert saved_views.delete(mona, view.pk) == "German"
    assert saved_views.delete(mona, view.pk) == ""


def test_deleted_account_keeps_no_views_and_is_in_nobody_elses(
    alice: User, mona: User, root: User
) -> None:
    save(mona, "Mine")
    save(root, "Her address", "q=Alice%40example.org")
    save(root, "Her other one", "q=twin%40example.org")
    EmailAddress.objects.create(user=alice, email="twin@example.org", verified=True)
    save(root, "Others", "q=bob%40example.org")
    people.close(mona, now=NOW)
    with pytest.raises(people.AccountGone):
        save(mona, "Late")

    for user in (mona, alice):
        people.anonymise(user, now=NOW)

    assert list(SavedView.objects.values_list("name", flat=True)) == ["Others"]


@pytest.mark.parametrize("change", [{"name": ""}, {"query": ""}, {"name": "Other"}])
def test_database_refuses_empty_and_double_views(mona: User, change: dict[str, str]) -> None:
    save(mona, "German")
    save(mona, "Other")
    rows = SavedView.objects.filter(name="German")

    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(**change)
