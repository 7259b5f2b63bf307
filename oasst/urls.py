"""Every HTTP route: the apps', the admin's, and the operators' probes."""

from django.contrib import admin
from django.urls import include, path

from oasst import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/queues/", include("django_rq.urls")),
    path("admin/", admin.site.urls),
    path("", include("oasst.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("tasks_app.urls")),
    path("", include("oasst.lib.urls")),
]

handler403 = "django.views.defaults.permission_denied"
handler404 = "django.views.defaults.page_not_found"
handler500 = "oasst.lib.pages.server_error"
