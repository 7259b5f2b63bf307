"""The settings of a test run: an instance of its own, mails in memory, jobs in the same process."""

import os
import zlib
from pathlib import Path
from urllib.parse import urlsplit

os.environ["OASST_ENV_FILE"] = ""
os.environ.setdefault("OASST_VAR_DIR", str(Path(__file__).resolve().parent.parent / "var" / "test"))
os.environ["DEBUG"] = "true"
# A test run has data of its own, but needs no models of its own.
os.environ.setdefault("MODELS_DIR", str(Path(__file__).resolve().parent.parent / "var" / "models"))

from oasst.lib import services
from oasst.settings import *
from oasst.settings import DATABASES, INSTALLED_APPS, REDIS_URL, STORAGES

INSTALLED_APPS += ["tests"]  # for its commands
DEBUG = False
SECRET_KEY = "tests-only"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
DATABASE_NAME = os.environ.get("TEST_DATABASE_NAME", "test_oasst")
DATABASES["default"]["TEST"] = {"NAME": DATABASE_NAME}
DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# A Redis database per run and xdist worker, as PostgreSQL has it: tests empty theirs.
run = zlib.crc32((DATABASE_NAME + os.environ.get("PYTEST_XDIST_WORKER", "")).encode())
if os.environ.get("REDIS_URL"):
    # One of the last of the sixteen that a server has: the first may be a site's.
    server = urlsplit(REDIS_URL)
    number = 8 + run % 8
    is_socket = server.scheme == "unix"
    REDIS_URL = server._replace(
        path=server.path if is_socket else f"/{number}", query=f"db={number}" if is_socket else ""
    ).geturl()
else:
    REDIS_URL = REDIS_URL.replace("?db=0", f"?db={run % services.VALKEY_DATABASES}")
# Tests that want gold items among the reviews say so; a chance that finds none costs a query.
TREE_CONFIG = {"P_GOLD": "0", "P_GOLD_NEWCOMER": "0"}
RQ = {"QUEUE_CLASS": "tests.queues.LoudQueue"}
RQ_QUEUES = {
    "default": {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 300, "ASYNC": False},
    "long": {"URL": REDIS_URL, "DEFAULT_TIMEOUT": -1, "ASYNC": False},
    # Runs take too long to be had at once: tests that want one let a worker take it.
    "training": {"URL": REDIS_URL, "DEFAULT_TIMEOUT": -1},
}
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
