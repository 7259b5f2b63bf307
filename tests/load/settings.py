"""Settings of a site under load: as in production, but for the address, and static files that
nobody has collected."""

from oasst.settings import *  # noqa: F403
from oasst.settings import STORAGES

DEBUG = False
WHITENOISE_AUTOREFRESH = False
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
