"""One settings file. What differs between installations is in the environment; defaults fit production."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ

from config import languages, secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# The only folder written at run time.
VAR = Path(env.str("WATTDESK_VAR", default=str(BASE_DIR / "var")))
if "SECRET_KEY" not in os.environ or "FIELD_KEYS" not in os.environ:
    secrets.ensure(VAR / "secrets.env")
    environ.Env.read_env(VAR / "secrets.env")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
# Fernet keys for secrets at rest: the first encrypts, every one decrypts, so keys can be rotated.
FIELD_KEYS = env.list("FIELD_KEYS")
# The address other machines reach this server at: credential bundles and e-mails carry it.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
HTTPS = PUBLIC_URL.startswith("https://")
# The demo's fixed password is refused everywhere else.
DEMO = env.bool("WATTDESK_DEMO", default=False)

ALLOWED_HOSTS = env.list(
    "ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", urlsplit(PUBLIC_URL).hostname or "localhost"]
)

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.simple_history",
    "apps.desk.apps.DeskAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "simple_history",
    "axes",
    "csp",
    "apps.accounts",
    "apps.jobs",
    "apps.houses",
    "apps.inbox",
    "apps.readings",
    "apps.devices",
    "apps.alerts",
    "apps.analytics",
    "apps.meters",
    "apps.desk",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.languages.middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]
# Of these, requests to the addresses of machines pass the second list alone: see `config.stacks`.
MACHINE_PATHS = ("/api/v1/edge/", "/api/v1/loggers/")
MACHINE_MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# config.servers fills both in for the embedded servers; the defaults only serve commands that need neither.
DATABASES = {"default": env.db("DATABASE_URL", default="postgresql://127.0.0.1:5432/wattdesk")}
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
# Django turns prepared statements off. Those of the readings store ask for them by name (`prepare=True`): as
# long as a threshold is set they get them. The ORM's own queries never do.
if env.bool("PREPARED_STATEMENTS", default=True):
    DATABASES["default"].setdefault("OPTIONS", {})["prepare_threshold"] = 5
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},  # lest it hang requests
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = 0  # and so nothing to clean up
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# What may take an hour has a queue and a worker of its own, so that no sweep waits for it. A worker that is
# not told which queue takes from both.
CELERY_TASK_QUEUES = {name: {"exchange": name, "routing_key": name} for name in ("celery", "long")}
CELERY_TASK_ROUTES = {"jobs.run": {"queue": "long"}}
CELERY_TASK_SOFT_TIME_LIMIT = 600
CELERY_TASK_TIME_LIMIT = 660
# Above the longest limit, else Redis hands a running task to a second worker.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 2 * 3600}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "apps.desk.pulse:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5  # an edit of a schedule in the admin is noticed within this many seconds
CELERY_TIMEZONE = "UTC"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "apps.accounts.passwords.NotTheDemoPassword"},
]
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "apps.accounts.lockout.address"
AXES_USERNAME_CALLABLE = "apps.accounts.lockout.username"
AXES_LOCKOUT_CALLABLE = "apps.accounts.lockout.answer"

EMAIL_URL = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_URL)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="wattdesk@localhost")

LANGUAGE_CODE = languages.SOURCE
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGES = languages.found(LOCALE_PATHS[0])
FORMAT_MODULE_PATH = "config.formats"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

SECURE_SSL_REDIRECT = HTTPS and env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
# Loggers follow no redirect, and those of old firmware speak no TLS of today.
SECURE_REDIRECT_EXEMPT = [r"^health/$", r"^api/v1/loggers/acquisuite/?$"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
X_FRAME_OPTIONS = "DENY"
# A proxy of ours overwrites X-Forwarded-Proto, and ends X-Forwarded-For with the address it answers.
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],  # the admin site alone adds 'unsafe-eval', which Unfold's Alpine needs
        "style-src": ["'self'", "'unsafe-inline'"],  # Plotly and Unfold set styles from scripts
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.access.PersonToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["apps.accounts.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.accounts.errors.handler",
    "DEFAULT_THROTTLE_CLASSES": ["apps.accounts.throttles.PersonThrottle"],
    "DEFAULT_THROTTLE_RATES": {"log_in": "20/min"},
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
# Requests of one person's programs and pages to the API, all houses together.
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=600)
# Requests of one house's key; an agent that empties its spool after an outage makes a few per second.
EDGE_REQUESTS_PER_MINUTE = env.int("EDGE_REQUESTS_PER_MINUTE", default=1200)
# Whether loggers may delete a file that cannot be read, as a copy is in the inbox; else they keep theirs too.
LOGGERS_DROP_UNREADABLE = env.bool("LOGGERS_DROP_UNREADABLE", default=False)
# How long the inbox keeps what arrived as it came; that it arrived is kept for ever.
INBOX_KEEP_DAYS = env.int("INBOX_KEEP_DAYS", default=90)
# What waits for people to map it is the only copy of readings that nobody has yet.
INBOX_KEEP_WAITING_DAYS = env.int("INBOX_KEEP_WAITING_DAYS", default=365)
KNOX_TOKEN_MODEL = "knox.AuthToken"  # noqa: S105  a model, not a secret
REST_KNOX = {"TOKEN_TTL": timedelta(days=90), "AUTH_HEADER_PREFIX": "Token", "TOKEN_LIMIT_PER_USER": 50}
SPECTACULAR_SETTINGS = {
    "TITLE": "Wattdesk API",
    "VERSION": "1",
    "DESCRIPTION": "Times are Unix milliseconds UTC; ranges are half-open [start, end). A parameter that"
    " an address does not know is refused with 400 `unknown_parameter`.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

SIMPLE_HISTORY_REVERT_DISABLED = True  # changes go through forms, which know what may change

UNFOLD = {
    "SITE_TITLE": "Wattdesk",
    "SITE_HEADER": "Wattdesk",
    "SITE_SUBHEADER": "Distributed energy",
    "SITE_URL": "/",
    "SITE_SYMBOL": "bolt",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "apps.desk.admin.frame.favicon"}],
    "STYLES": ["apps.desk.admin.frame.stylesheet"],
    "SCRIPTS": ["apps.desk.admin.frame.script"],
    "COLORS": {  # the accent of the site's own pages
        "primary": {
            "50": "#effaf7",
            "100": "#d7f3ec",
            "200": "#b0e6da",
            "300": "#7ed3c1",
            "400": "#4fd1b5",
            "500": "#2cb79a",
            "600": "#0b6e5f",
            "700": "#095a4e",
            "800": "#08483f",
            "900": "#073b34",
            "950": "#03221e",
        }
    },
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "apps.desk.start.dashboard",
    "SIDEBAR": {"navigation": "apps.desk.admin.frame.navigation"},
    "ACCOUNT": {"navigation": "apps.desk.admin.frame.account_links"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"axes": {"level": "WARNING"}},  # it writes four lines for each log-in, good ones too
}
