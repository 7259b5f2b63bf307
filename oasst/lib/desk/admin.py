"""The base of the desk's pages: lists and pages to read, and actions that are the only changes.

Who may open what follows from the permissions of the groups (`oasst.accounts.roles`). Rows are
never added, saved or deleted by the admin itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import ShowFacets, helpers
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from oasst.lib.desk import saved_views
from oasst.lib.desk.actions import DeskAction
from oasst.lib.desk.display import page_url
from oasst.lib.desk.paging import EstimatedPaginator
from oasst.lib.errors import DomainError

MOST_AT_ONCE = 100
MOST_IN_A_JOB = 10_000
MOST_SHOWN = 20
ANY_ROW = "ROW"  # stands in an address for the key of the row in focus


@dataclass(frozen=True)
class RowKey:
    """A key that leads from the row in focus of a list to something one can do with it."""

    key: str
    title: Any
    href: str  # with ANY_ROW in it


class DeskList(ChangeList):
    """Knows the views that the person has kept of it.

    No "show all" stands beside the number of rows of a list that shows all.
    """

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        now_shown = saved_views.kept(self)
        self.kept_query = saved_views.query_of(now_shown)
        self.saved_views = saved_views.of(request.user, self, now_shown)

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.filter_params):
            self.full_result_count = self.result_count


class DeskAdmin(ModelAdmin):
    """A list, a page to read, and `desk_actions`."""

    paginator = EstimatedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # each would count the whole table
    list_per_page = 25
    list_filter_submit = True
    list_before_template = "admin/desk/_saved_views.html"
    list_after_template = "admin/desk/_keys.html"
    # The template of a row's page; without one, Django's read-only form.
    page_template: ClassVar[str] = ""
    desk_actions: ClassVar[Sequence[DeskAction]] = ()
    # The route of the page where admins make rows, if they do.
    made_at: ClassVar[str] = ""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DeskList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.made_at) and request.user.is_admin

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return redirect(self.made_at)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        keys = {"row_keys": self.row_keys(request)}
        return super().changelist_view(request, keys | (extra_context or {}))

    def row_keys(self, request: HttpRequest) -> list[RowKey]:
        """What keys do with the row in focus of the list."""
        return [
            RowKey(action.key, action.title, self.act_url(action.name, ANY_ROW))
            for action in self._allowed(request)
            if action.key
        ]

    # A row's page

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What `page_template` shows, read here and not from the template."""
        return {}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.page_template:
            return super().change_view(request, object_id, form_url, extra_context)
        obj = self.get_object(request, object_id)
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        context = {"original": obj, "buttons": self._buttons(request, obj)}
        return self._render(request, self.page_template, context | self.page(request, obj))

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied  # nothing is ever saved here
        return super().changeform_view(request, *args, **kwargs)

    def _buttons(self, request: HttpRequest, obj: Any) -> list[dict[str, Any]]:
        fitting = [
            action for action in self._allowed(request, obj) if self._fits(request, action, obj)
        ]
        return [{"action": action, "href": self.act_url(action.name, obj.pk)} for action in fitting]

    def _fits(self, request: HttpRequest, action: DeskAction, obj: Any) -> bool:
        return action.fits(obj, actor=request.user, now=timezone.now())

    def _allowed(self, request: HttpRequest, obj: Any = None) -> list[DeskAction]:
        if not self.has_change_permission(request, obj):
            return []
        return [action for action in self.desk_actions if action.allows(request.user)]

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        base = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(
            request, template, {"title": str(self.opts.verbose_name), **base, **context}
        )

    # One row

    def get_urls(self) -> list[URLPattern]:
        act = path(
            "<path:object_id>/act/<slug:name>/",
            self.admin_site.admin_view(self.act_view),
            name=self._act_name,
        )
        return [act, *super().get_urls()]

    @property
    def _act_name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_act"

    def act_url(self, name: str, pk: Any) -> str:
        """Where an action on one row is asked about and done."""
        return reverse(f"{self.admin_site.name}:{self._act_name}", args=[pk, name])

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Ask about an action (GET) and do it (POST)."""
        obj = self.get_object(request, object_id)
        action = next((action for action in self.desk_actions if action.name == name), None)
        if obj is None or action is None:
            raise Http404
        if action not in self._allowed(request, obj):
            raise PermissionDenied
        posted = request.POST if request.method == "POST" else None
        form = action.form_class(posted, initial=action.initial(obj))
        preview = ""
        if posted is not None and "preview" in posted:
            preview = action.preview(obj, form)
        elif posted is not None and form.is_valid() and self._run(request, action, obj, form):
            return redirect(page_url(self.model, obj.pk))
        context = {"original": obj, "preview": preview, "back": page_url(self.model, obj.pk)}
        return self._ask(request, action, [obj], form, context)

    def _run(self, request: HttpRequest, action: DeskAction, obj: Any, form: Any) -> bool:
        try:
            done = action.run(obj, form.cleaned_data, actor=request.user, now=timezone.now())
        except DomainError as error:
            form.add_error(None, error.message)
            return False
        self.message_user(request, done, messages.SUCCESS)
        return True

    def _ask(
        self,
        request: HttpRequest,
        action: DeskAction,
        rows: Sequence[Model],
        form: Any,
        context: dict[str, Any],
    ) -> HttpResponse:
        shown = {"action": action, "rows": rows, "form": form, "title": action.title}
        if "explanation" not in context:
            shown["explanation"] = action.explain(rows)
        shown.setdefault("chosen_ids", [row.pk for row in rows])
        return self._render(request, "admin/desk/act.html", shown | context)

    # Many rows

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Callable, str, str]]:
        bulk = [action for action in self._allowed(request) if action.in_bulk]
        return {action.name: (_in_bulk(action), action.name, str(action.title)) for action in bulk}

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset)
        except ValidationError:  # an id that is none
            self.message_user(request, _("Please choose the rows again."), messages.ERROR)
            return redirect(request.get_full_path())

    def act_on_many(
        self, request: HttpRequest, action: DeskAction, chosen: QuerySet
    ) -> HttpResponse | None:
        """Show what would happen to the chosen rows; once confirmed, do it to each."""
        most = MOST_IN_A_JOB if action.is_job else MOST_AT_ONCE
        ids = list(chosen.values_list("pk", flat=True)[: most + 1])
        if len(ids) > most:
            text = _("Please choose at most %d rows at a time.") % most
            self.message_user(request, text, messages.ERROR)
            return None
        if action.is_job:
            return self._begin_on_many(request, action, chosen, ids)
        rows = list(chosen)
        confirmed = "confirmed" in request.POST
        form = action.form_class(request.POST if confirmed else None)
        if confirmed and form.is_valid():
            self._run_on_many(request, action, rows, form.cleaned_data)
            return None
        context = {"bulk_field": helpers.ACTION_CHECKBOX_NAME, "back": request.get_full_path()}
        return self._ask(request, action, rows, form, context)

    def _begin_on_many(
        self, request: HttpRequest, action: DeskAction, chosen: QuerySet, ids: Sequence[Any]
    ) -> HttpResponse | None:
        """Show what would happen to all of them together; once confirmed, begin a job."""
        confirmed = "confirmed" in request.POST
        form = action.form_class(request.POST if confirmed else None)
        if confirmed and form.is_valid():
            data, now = form.cleaned_data, timezone.now()
            try:
                job = action.begin(ids, data, actor=request.user, now=now)
            except DomainError as error:
                form.add_error(None, error.message)
            else:
                if not job.is_finished:
                    return redirect(page_url(type(job), job.pk))
                text = _("%(action)s: done for %(count)d.")
                count = {"action": action.title, "count": len(ids)}
                self.message_user(request, text % count, messages.SUCCESS)
                return None
        context = {
            "bulk_field": helpers.ACTION_CHECKBOX_NAME,
            "back": request.get_full_path(),
            "explanation": action.explain_job(ids, actor=request.user),
            "more": max(0, len(ids) - MOST_SHOWN),
            "chosen_ids": [] if request.POST.get("select_across") == "1" else ids,
        }
        return self._ask(request, action, list(chosen[:MOST_SHOWN]), form, context)

    def _run_on_many(
        self, request: HttpRequest, action: DeskAction, rows: Iterable[Any], data: dict[str, Any]
    ) -> None:
        done = 0
        for row in rows:
            try:
                action.run(row, data, actor=request.user, now=timezone.now())
                done += 1
            except DomainError as error:
                self.message_user(request, f"{row}: {error.message}", messages.ERROR)
        if done:
            text = _("%(action)s: done for %(count)d.") % {"action": action.title, "count": done}
            self.message_user(request, text, messages.SUCCESS)


def _in_bulk(action: DeskAction) -> Callable:
    def run(model_admin: DeskAdmin, request: HttpRequest, chosen: QuerySet) -> HttpResponse | None:
        return model_admin.act_on_many(request, action, chosen)

    return run
