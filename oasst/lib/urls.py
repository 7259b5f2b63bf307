"""Routes of the pages that belong to no app."""

from django.urls import path

from oasst.lib import gallery, page_language, pages, theme

app_name = "site"
urlpatterns = [
    path("guidelines/", pages.guidelines, name="guidelines"),
    path("guidelines/<slug:lang>/", pages.guidelines, name="guidelines_in"),
    path("terms/", pages.terms, name="terms"),
    path("privacy/", pages.privacy, name="privacy"),
    path("language/", page_language.set_language, name="set_language"),
    path("dev/components/", gallery.components, name="components"),
    path("theme/", theme.set_theme, name="set_theme"),
]
