"""Keeping a view of one of the desk's lists, and deleting it: the forms stand above the list.

Both come back to the list, whatever the query: it only ever stands behind the list's own address.
"""

from __future__ import annotations

from uuid import UUID

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.sites import NotRegistered
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from oasst.accounts import saved_views
from oasst.accounts.forms import SavedViewForm
from oasst.lib.desk.display import list_url
from oasst.lib.desk.saved_views import kept, query_of
from oasst.lib.errors import DomainError


@never_cache
@require_POST
@login_required
def save(request: HttpRequest, list_name: str) -> HttpResponse:
    """Keep what the list is searched and filtered for: the query of this address."""
    desk = _desk(request, list_name)
    query = _query(request, desk)
    form = SavedViewForm(request.POST)
    if form.is_valid():
        _save(request, list_name, form.cleaned_data["name"], query)
    else:
        messages.error(request, form.errors["name"][0])
    return redirect(list_url(desk.model, query))


@never_cache
@require_POST
@login_required
def delete(request: HttpRequest, list_name: str, view_id: UUID) -> HttpResponse:
    """Delete a view; one that is gone already is no error. Back to what the list showed."""
    desk = _desk(request, list_name)
    if name := saved_views.delete(request.user, view_id):
        messages.success(request, _("The view “%s” is deleted.") % name)
    return redirect(list_url(desk.model, request.GET.urlencode()))


def _save(request: HttpRequest, list_name: str, name: str, query: str) -> None:
    try:
        saved_views.save(request.user, list_name, name, query, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The view “%s” is saved.") % name)


def _desk(request: HttpRequest, list_name: str) -> ModelAdmin:
    """The list that staff may read by this name."""
    if not admin.site.has_permission(request):
        raise PermissionDenied
    try:
        desk = admin.site.get_model_admin(apps.get_model(list_name))
    except (LookupError, ValueError, NotRegistered) as error:
        raise Http404 from error
    if not desk.has_view_permission(request):
        raise PermissionDenied
    return desk


def _query(request: HttpRequest, desk: ModelAdmin) -> str:
    """What of the query the list knows, and has just been read by."""
    try:
        return query_of(kept(desk.get_changelist_instance(request)))
    except IncorrectLookupParameters:
        return ""
