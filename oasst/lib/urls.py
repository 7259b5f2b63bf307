"""Routes of the pages that belong to no app."""

from django.urls import path

from oasst.lib import pages, theme

app_name = "site"
urlpatterns = [
    path("guidelines/", pages.guidelines, name="guidelines"),
    path("terms/", pages.terms, name="terms"),
    path("privacy/", pages.privacy, name="privacy"),
    path("theme/", theme.set_theme, name="set_theme"),
]
