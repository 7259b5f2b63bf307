"""Settings of the sites that tests run beside themselves: those of a developer, but their browsers
keep static files instead of asking for each of them again on every page."""

from oasst.settings import *  # noqa: F403

WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 600
