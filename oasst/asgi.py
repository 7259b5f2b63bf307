"""The ASGI entry point that daphne serves."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oasst.settings")
os.environ.setdefault("DATABASE_POOL_SIZE", "10")

application = get_asgi_application()
