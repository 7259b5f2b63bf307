"""Every HTTP route: the apps', the admin's, and the operators' probes."""

from collections.abc import Callable
from functools import wraps

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django_rq import stats_views
from django_rq.urls import get_admin_urlpatterns
from rq.exceptions import NoSuchJobError

from oasst import health, metrics
from oasst.api import api

View = Callable[..., HttpResponse]

# What django-rq raises for jobs, workers, queues and schedulers that are not (or no longer) there.
_QUEUE_HAS_NO_SUCH_THING = (NoSuchJobError, ValueError, IndexError, ImproperlyConfigured)


def _for_admins(view: View) -> View:
    """Show the job queue to admins; moderators are staff too but have no business there."""

    @wraps(view)
    def checked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not getattr(request.user, "is_admin", False):
            raise PermissionDenied
        try:
            return view(request, *args, **kwargs)
        except _QUEUE_HAS_NO_SUCH_THING as error:
            raise Http404 from error

    return admin.site.admin_view(checked)


queue_pages = [
    path("stats.json", _for_admins(stats_views.stats_json), name="home_json"),
    path("metrics", _for_admins(stats_views.prometheus_metrics), name="metrics"),
    *get_admin_urlpatterns(view_wrapper=_for_admins),
]
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/queues/", include((queue_pages, "django_rq"))),
    path("", include("oasst.accounts.urls")),  # some below admin/, which answers all that is left
    path("admin/", admin.site.urls),
    path("", include("oasst.lib.urls")),
    path("account/", include("oasst.privacy")),
    path("api/v1/", api.urls),
    path("v1/", include("chat_app.openai_urls")),
    path("", include("tasks_app.urls")),
    path("", include("leaderboard_app.urls")),
    path("", include("chat_app.urls")),
    path("", include("training.urls")),
]

handler400 = "oasst.lib.pages.bad_request"
handler500 = "oasst.lib.pages.server_error"
