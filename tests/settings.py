"""The settings of a test run: an instance of its own, mails in memory, jobs in the same process."""

import os
from pathlib import Path

os.environ["OASST_ENV_FILE"] = ""
os.environ.setdefault("OASST_VAR_DIR", str(Path(__file__).resolve().parent.parent / "var" / "test"))
os.environ["DEBUG"] = "true"

from oasst.settings import *
from oasst.settings import DATABASES, RQ_QUEUES, STORAGES

DEBUG = False
SECRET_KEY = "tests-only"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DATABASES["default"]["TEST"] = {"NAME": os.environ.get("TEST_DATABASE_NAME", "test_oasst")}
DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
RQ_QUEUES["default"]["ASYNC"] = False
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
