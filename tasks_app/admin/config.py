"""The tunables: meaning, value and where it comes from; change with a reason; history."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from unfold.widgets import UnfoldAdminTextInputWidget

from oasst.lib.desk.actions import ReasonForm
from oasst.lib.desk.display import list_url
from tasks_app import config, spam, standing
from tasks_app.admin.log import ReadOnlyAdmin
from tasks_app.config import ConfigChange, InvalidSetting, TreeConfig

MOST_CHANGES = 50


@dataclass(frozen=True)
class Setting:
    """A tunable as the page shows it."""

    name: str
    meaning: Any
    section: Any
    default: str
    value: str
    source: str  # default | environment | stored
    note: str = ""

    @property
    def source_label(self) -> str:
        """Where the value comes from."""
        return {
            "default": _("Default"),
            "environment": _("Environment"),
            "stored": _("Set here"),
        }[self.source]


def current_settings() -> list[Setting]:
    """Every tunable in the order of `TreeConfig`. Two queries."""
    stored = ConfigChange.objects.overrides()
    environment = TreeConfig.defaults()
    notes = {"hold_spam": _about_spam_model()}
    return [
        _setting(name, field, environment, stored, notes.get(name, ""))
        for name, field in config.fields().items()
    ]


def _about_spam_model() -> str:
    model = spam.in_force()
    if model is None:
        return _("No model is trained yet: this holds nothing.")
    told = {
        "model": model.pk,
        "day": date_format(model.created_at, "DATE_FORMAT"),
        "recall": f"{model.figures['recall']:.0%}",
        "wrong": f"{model.figures['false_positives']:.1%}",
    }
    return (
        _(
            "Model %(model)s of %(day)s: of texts that it never saw it held %(recall)s of the "
            "spam and %(wrong)s of the others."
        )
        % told
    )


def _setting(
    name: str, field: Any, environment: TreeConfig, stored: dict[str, Any], note: str
) -> Setting:
    outside = getattr(environment, name)
    source = "environment" if outside != field.default else "default"
    return Setting(
        name=name,
        meaning=field.metadata["meaning"],
        section=field.metadata["section"],
        default=shown(field.default),
        value=shown(stored.get(name, outside)),
        source="stored" if name in stored else source,
        note=note,
    )


def shown(value: Any) -> str:
    """A value as people type it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


class SettingForm(ReasonForm):
    """A new value for one tunable."""

    value = forms.CharField(
        label=_l("Value"), required=False, max_length=500, widget=UnfoldAdminTextInputWidget
    )
    field_order = ("value", "reason")

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name

    def clean_value(self) -> Any:
        """The typed value. Going back to the default needs none."""
        if "reset" in self.data:
            return None
        try:
            return config.parse(self.name, self.cleaned_data["value"])
        except InvalidSetting as error:
            raise forms.ValidationError(error.message) from error


@admin.register(ConfigChange)
class ConfigChangeAdmin(ReadOnlyAdmin):
    """One page with every tunable; the list of changes below it is the history."""

    def get_urls(self) -> list[URLPattern]:
        change = path(
            "set/<slug:name>/",
            self.admin_site.admin_view(self.setting_view),
            name="tasks_app_configchange_set",
        )
        return [change, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            "title": _("Configuration"),
            "settings": current_settings(),
            "changes": history(),
            "may_edit": self.may_edit(request),
        }
        return self._render(request, "admin/desk/config.html", context)

    def may_edit(self, request: HttpRequest) -> bool:
        """Admins; moderators read only."""
        return request.user.has_perm("tasks_app.add_configchange")

    def setting_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Change one tunable."""
        setting = next((row for row in current_settings() if row.name == name), None)
        if setting is None:
            raise Http404
        if not self.may_edit(request):
            raise PermissionDenied
        posted = request.POST if request.method == "POST" else None
        initial = {"value": "" if setting.value == "–" else setting.value}
        form = SettingForm(posted, name=name, initial=initial)
        if posted is not None and form.is_valid() and self._change(request, form):
            return redirect(list_url(ConfigChange))
        context = {
            "title": name,
            "setting": setting,
            "form": form,
            "back": list_url(ConfigChange),
            "changes": history().filter(name=name),
        }
        return self._render(request, "admin/desk/setting.html", context)

    def _change(self, request: HttpRequest, form: SettingForm) -> bool:
        data = form.cleaned_data
        actor, now = request.user, timezone.now()
        try:
            standing.change_setting(
                form.name, data["value"], actor=actor, reason=data["reason"], now=now
            )
        except InvalidSetting as error:
            form.add_error(None, error.message)
            return False
        text = _("%s is changed. Trees follow within moments.") % form.name
        self.message_user(request, text, messages.SUCCESS)
        return True


def history() -> QuerySet:
    """The newest changes."""
    return ConfigChange.objects.select_related("actor").order_by("-id")


def setting_url(name: str) -> str:
    """Where a tunable is changed."""
    return reverse("admin:tasks_app_configchange_set", args=[name])
