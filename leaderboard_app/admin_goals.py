"""Goals of languages at the desk: one page with all of them and a form that sets one."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from leaderboard_app import goals
from leaderboard_app.models import TeamGoal
from oasst.lib.desk.actions import ReasonForm
from oasst.lib.desk.admin import DeskAdmin
from oasst.lib.desk.display import list_url
from oasst.lib.languages import LANGUAGES
from oasst.lib.languages import name as language_name

_MOST = 1_000_000


class GoalForm(ReasonForm):
    """The goal of one language."""

    lang = forms.ChoiceField(
        label=_l("Language"), choices=[*LANGUAGES.items()], widget=UnfoldAdminSelectWidget
    )
    target = forms.IntegerField(
        label=_l("Confirmed contributions a week"),
        required=False,
        min_value=1,
        max_value=_MOST,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_l("Empty: no goal any more."),
    )
    field_order = ("lang", "target", "reason")


@admin.register(TeamGoal)
class TeamGoalAdmin(DeskAdmin):
    """Sets goals; every change is logged."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_edit = request.user.has_perm("leaderboard_app.change_teamgoal")
        form = GoalForm(request.POST if request.method == "POST" and may_edit else None)
        if form.is_valid():
            self._set(request, form)
            return redirect(list_url(TeamGoal))
        rows = TeamGoal.objects.order_by("lang").values_list("lang", "target")
        context = {
            "title": _("Goals of languages"),
            "goals": [(language_name(lang), target) for lang, target in rows],
            "form": form,
            "may_edit": may_edit,
        }
        return self._render(request, "admin/desk/goals.html", context)

    def _set(self, request: HttpRequest, form: GoalForm) -> None:
        data, now = form.cleaned_data, timezone.now()
        is_new = goals.set_goal(
            data["lang"], data["target"], actor=request.user, reason=data["reason"], now=now
        )
        text = _("The goal is set.") if is_new else _("This is the goal already.")
        self.message_user(request, text, messages.SUCCESS if is_new else messages.INFO)
