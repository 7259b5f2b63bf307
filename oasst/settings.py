"""Every setting, read from the environment; `.env.example` documents the names.

With nothing set it is a development site on the embedded services. With DEBUG=false it refuses
insecure defaults. It starts nothing: `oasst.lib.services` does.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from environ import Env

from oasst import admin_look
from oasst.lib import env, patience, services, webhook

env.load_env_file()
BASE_DIR = env.BASE_DIR
VAR_DIR = services.locate().var

DEBUG = env.flag("DEBUG", True)
DEVELOPMENT_SECRET_KEY = "development-only-key-that-production-refuses"
SECRET_KEY = env.secret("SECRET_KEY", DEVELOPMENT_SECRET_KEY)
SECRET_KEY_FALLBACKS = env.secret("SECRET_KEY_FALLBACKS").split()
SITE_URL = env.text("SITE_URL", "http://localhost:8000").rstrip("/")
SITE_NAME = "Open Assistant"
ANNOUNCEMENT = env.text("ANNOUNCEMENT", "")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", ["*"] if DEBUG else [])
HTTPS = SITE_URL.startswith("https://")
# How many reverse proxies of ours stand in front: so many X-Forwarded-* headers are believed.
TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", 1 if HTTPS else 0)
TOS_VERSION = "1"

# Applications

INSTALLED_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.discord",
    "allauth.socialaccount.providers.google",
    "allauth.mfa",
    "django_rq",
    "channels",
    "csp",
    "django_htmx",
    "ninja",
    "oasst.lib",
    "oasst.accounts",
    "tasks_app",
    "leaderboard_app",
    "training",  # before the chat: its promote_model puts the gate before the chat's
    "chat_app",
]

MIDDLEWARE = [
    "oasst.lib.request_id.request_id_middleware",
    "oasst.lib.per_request.remember_middleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "oasst.middleware.ContentSecurityPolicy",
    "oasst.middleware.refuse_null_characters",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "oasst.accounts.middleware.AccountLanguage",
    "oasst.accounts.middleware.note_daily_use",
    "oasst.accounts.middleware.TermsGate",
    "oasst.accounts.middleware.StaffGate",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "oasst.urls"
ASGI_APPLICATION = "oasst.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oasst.lib.context_processors.site",
            ],
        },
    }
]

# Database, queue, cache

DATABASES = {"default": {**Env.db_url_config(services.database_url()), "CONN_HEALTH_CHECKS": True}}
DATABASES["default"].setdefault("OPTIONS", {})["options"] = (
    f"-c statement_timeout={env.integer('DATABASE_STATEMENT_TIMEOUT_MS', 30_000)}"
    " -c idle_in_transaction_session_timeout=60000"
)
DATABASES["default"]["OPTIONS"]["connect_timeout"] = 5
# Planning a query often takes longer than running it: prepared, it is planned once per connection.
DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 5}
# A web server runs each request in a thread of its own, so it keeps connections in a pool
# (`asgi.py` asks for one). Workers fork, which a pool does not survive: they keep one connection.
DATABASE_POOL_SIZE = env.integer("DATABASE_POOL_SIZE", 0)
if DATABASE_POOL_SIZE:
    # Who finds no connection is told soon. A pool that keeps on trying pauses ever longer between
    # two tries; one that gives up tries anew with the next page.
    pool: dict[str, Any] = {"min_size": 2, "max_size": DATABASE_POOL_SIZE}
    pool |= {"timeout": 2, "reconnect_timeout": 1}
    # A server that says nothing at all does not even end a query that takes too long.
    if DATABASE_PATIENCE_MS := env.integer("DATABASE_PATIENCE_MS", 0):
        pool["connection_class"] = patience.impatient(DATABASE_PATIENCE_MS / 1000)
    DATABASES["default"]["OPTIONS"]["pool"] = pool
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
REDIS_URL = services.redis_url()
CACHES = {
    "default": {
        "BACKEND": "oasst.lib.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
    }
}
RQ_QUEUES = {
    "default": {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 300},
    "long": {"URL": REDIS_URL, "DEFAULT_TIMEOUT": 24 * 3600},
    # A run may take days: it is followed under a lease of its own.
    "training": {"URL": REDIS_URL, "DEFAULT_TIMEOUT": -1},
}
RQ = {"WORKER_CLASS": "oasst.lib.rq_worker.Worker"}
RQ_SHOW_ADMIN_LINK = False  # mounted by `urls.py`, for admins only

# Accounts

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "oasst.accounts.backends.ByPassword",
    "oasst.accounts.backends.BySignIn",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/dashboard/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "oasst.accounts.adapter.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "oasst.accounts.adapter.SocialAccountAdapter"
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_PROVIDERS = {
    name: {
        "APPS": [{"client_id": client_id, "secret": env.secret(f"{key}_CLIENT_SECRET")}],
        "SCOPE": scope,
        "OAUTH_PKCE_ENABLED": True,
    }
    for name, key, scope in (
        ("discord", "DISCORD", ["identify", "email"]),
        ("google", "GOOGLE", ["profile", "email"]),
    )
    if (client_id := env.beside(f"{key}_CLIENT_ID", f"{key}_CLIENT_SECRET"))
}
# Beyond so many on the whole site, a check against floods is asked for.
SIGN_INS_PER_HOUR = env.integer("SIGN_INS_PER_HOUR", 300, minimum=1)
MFA_ADAPTER = "oasst.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = SITE_NAME
MFA_TOTP_TOLERANCE = 1  # clocks of phones
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS  # then it is localhost, or development
MFA_FORMS = {
    "add_webauthn": "oasst.accounts.second_factor_forms.AddPasskeyForm",
    "authenticate_webauthn": "oasst.accounts.second_factor_forms.AuthenticateForm",
    "login_webauthn": "oasst.accounts.second_factor_forms.LoginForm",
    "reauthenticate_webauthn": "oasst.accounts.second_factor_forms.ReauthenticateForm",
}
STAFF_MFA_REQUIRED = env.flag("STAFF_MFA_REQUIRED", not DEBUG)

# E-mail

EMAIL_BACKEND = "oasst.accounts.mailbox.MailboxBackend"
if EMAIL_URL := env.secret("EMAIL_URL"):
    vars().update(Env.email_url_config(EMAIL_URL))
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Open Assistant <noreply@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_TIMEOUT = 10

# Languages and time

LANGUAGE_CODE = "en"
# Those that pages are shown in, under their own names. Each has a complete catalogue in `locale`
# (`make lint-messages` sees to it); a catalogue that is being worked on is not listed here yet.
LANGUAGES = [
    ("en", "English"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("ru", "Русский"),
    ("zh-hans", "简体中文"),
    ("ar", "العربية"),
]
LANGUAGE_COOKIE_AGE = 60 * 60 * 24 * 365
LANGUAGE_COOKIE_SECURE = HTTPS
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Static files: ours, and the few folders of npm packages that pages load

NODE_MODULES = BASE_DIR / "node_modules"
VENDOR_FOLDERS = {
    "vendor/htmx": "htmx.org/dist",
    "vendor/sortablejs": "sortablejs/modular",
    "vendor/idiomorph": "idiomorph/dist",
    "vendor/markdown-it": "markdown-it/dist/browser",
    "vendor/dompurify": "dompurify/dist",
    "vendor/highlight": "@highlightjs/cdn-assets/es",
    "vendor/katex": "katex/dist",
    "vendor/uplot": "uplot/dist",
    "vendor/inter": "@fontsource-variable/inter/files",
    "vendor/jetbrains-mono": "@fontsource-variable/jetbrains-mono/files",
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    *(
        (prefix, NODE_MODULES / folder)
        for prefix, folder in VENDOR_FOLDERS.items()
        if (NODE_MODULES / folder).is_dir()
    ),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "oasst.lib.storage.HashedStaticFiles"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = VAR_DIR / "media"

# Security

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_ENGINE = "oasst.accounts.sessions"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
CSRF_COOKIE_HTTPONLY = False
CSRF_TRUSTED_ORIGINS = [SITE_URL]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
if HTTPS:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    if TRUSTED_PROXY_COUNT:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"

# The project's own

# Web servers that `supervise` lets share its port: each uses at most one core.
WEB_PROCESSES = env.integer("WEB_PROCESSES", min(2, os.cpu_count() or 1), minimum=1)
# Requests that a web process works on at once; more are told to come back in a moment.
WEB_REQUESTS_AT_ONCE = env.integer("WEB_REQUESTS_AT_ONCE", 40, minimum=1)
# How long requests may still take when a web process is asked to end.
WEB_DRAIN_S = env.integer("WEB_DRAIN_S", 30)

MODELS_DIR = Path(env.text("MODELS_DIR") or VAR_DIR / "models")
# Where training writes: one folder per run, and the snapshots of the data.
RUNS_DIR = Path(env.text("RUNS_DIR") or VAR_DIR / "runs")
# What runs a stage, put before its name; `accelerate launch -m training` for several GPUs.
TRAINING_COMMAND = shlex.split(env.text("TRAINING_COMMAND")) or [sys.executable, "-m", "training"]
# How long a worker that says nothing of its run is believed to live.
TRAINING_LEASE_S = env.integer("TRAINING_LEASE_S", 60, minimum=2)
# Where the backup of each night goes, and how many stay; none named means no backups.
BACKUP_DIR = env.text("BACKUP_DIR")
BACKUP_KEEP = env.integer("BACKUP_KEEP", 14, minimum=1)
# Days within which a merge of two accounts can be undone; then what it moved is forgotten.
MERGE_UNDO_DAYS = env.integer("MERGE_UNDO_DAYS", 30)
CRON_SCHEDULE = "oasst.cron.SCHEDULE_S"
CRON_LONG_JOBS = "oasst.cron.LONG_JOBS"
TREE_CONFIG = env.prefixed("TREE_CONFIG__")
# What `/metrics` asks for; without it only programs on the same machine are answered.
METRICS_TOKEN = env.secret("METRICS_TOKEN")
# Where new reports are told: a webhook of Discord, of Slack, or one that takes plain JSON.
REPORT_WEBHOOK_URL = webhook.checked("REPORT_WEBHOOK_URL", env.secret("REPORT_WEBHOOK_URL"))
REPORT_WEBHOOK_FORMAT = env.choice(
    "REPORT_WEBHOOK_FORMAT", "generic", ("discord", "slack", "generic")
)
# Chat. Replies of one person that are written at once, and that may wait besides; all that wait.
CHAT_RUNNING_PER_USER = env.integer("CHAT_RUNNING_PER_USER", 4, minimum=1)
CHAT_WAITING_PER_USER = env.integer("CHAT_WAITING_PER_USER", 16, minimum=1)
CHAT_QUEUE_LIMIT = env.integer("CHAT_QUEUE_LIMIT", 500, minimum=1)
# How long a silent worker is believed to live; it beats three times as often.
CHAT_LEASE_S = env.integer("CHAT_LEASE_S", 15, minimum=3)
CHAT_MAX_TEXT_LENGTH = env.integer("CHAT_MAX_TEXT_LENGTH", 20_000, minimum=1)
CHAT_MAX_MESSAGES = env.integer("CHAT_MAX_MESSAGES", 2000, minimum=2)
UNFOLD = admin_look.UNFOLD

# Logging and error reports

if SENTRY_DSN := env.secret("SENTRY_DSN"):
    import sentry_sdk

    sentry_sdk.init(
        SENTRY_DSN,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
    )
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "oasst.lib.request_id.AddRequestId"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(request_id)s %(name)s: %(message)s"}
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "root": {
        "handlers": ["console"],
        "level": env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
}


def _refuse_insecure_defaults() -> None:
    problems = []
    host = urlsplit(SITE_URL).hostname
    if SECRET_KEY == DEVELOPMENT_SECRET_KEY or len(SECRET_KEY) < 50:
        problems.append("SECRET_KEY: expected 50 random characters or more")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        problems.append("ALLOWED_HOSTS: expected the site's host names, separated by commas")
    if not env.text("SITE_URL") or not (HTTPS or host in {"localhost", "127.0.0.1"}):
        problems.append("SITE_URL: expected the site's address, https://…")
    for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL"):
        if not env.secret(name):
            problems.append(f"{name}: expected an address; the embedded ones are for development")
    if problems:
        raise ImproperlyConfigured("DEBUG=false, but\n  " + "\n  ".join(problems))


if not DEBUG:
    _refuse_insecure_defaults()
