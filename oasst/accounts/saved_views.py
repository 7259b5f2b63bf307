"""Views of the desk's lists that people keep under names of their own: saved, replaced, deleted.

What of a list's address is kept, and how views are shown, is the business of
`oasst.lib.desk.saved_views`.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from oasst.accounts.models import VIEW_QUERY_MAX_LENGTH, SavedView, User
from oasst.accounts.people import AccountGone
from oasst.lib.errors import DomainError

MOST_VIEWS = 20  # of one list


class NothingToSave(DomainError):
    code = "nothing_to_save"
    default_message = _("Please search or filter first: what you found can then be kept as a view.")


class ViewTooLong(DomainError):
    code = "view_too_long"
    default_message = _("This search is too long to keep. Please use fewer words.")


class TooManyViews(DomainError):
    code, status = "too_many_views", 409
    default_message = _("You keep many views of this list already. Delete one, or replace it.")


@transaction.atomic
def save(user: User, list_name: str, name: str, query: str, *, now: datetime) -> SavedView:
    """Keep `query`, as it stands behind the `?` of the list's address, as a view of `user`'s.

    A view of that name on that list is replaced. Raises NothingToSave, ViewTooLong, TooManyViews,
    AccountGone.
    """
    if not query:
        raise NothingToSave
    if len(query) > VIEW_QUERY_MAX_LENGTH:
        raise ViewTooLong
    # Two at once must not pass the limit, nor one come after the account's deletion.
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not locked.is_active:
        raise AccountGone
    others = SavedView.objects.filter(user=user, list_name=list_name).exclude(name=name)
    if others.count() >= MOST_VIEWS:
        raise TooManyViews
    view, _is_new = SavedView.objects.update_or_create(
        user=user,
        list_name=list_name,
        name=name,
        defaults={"query": query, "saved_at": now},
    )
    return view


def delete(user: User, view_id: UUID) -> str:
    """Delete one view of `user`'s. Returns its name, "" if there was none."""
    view = SavedView.objects.filter(user=user, pk=view_id).first()
    if view is None:
        return ""
    view.delete()
    return view.name
