"""Django's settings, made of the folder that `WELDGATE_PLATFORM` names.

Without a folder they describe an empty platform in memory under keys drawn for this process: enough for migrations,
checks and tests, and of no use to anybody else.
"""

import os
from pathlib import Path
from typing import Any

import django_stubs_ext

from weldgate_platform.folder import Database, Secrets, Settings, parse_database

django_stubs_ext.monkeypatch()  # `ModelAdmin[Machine]` and the like can be written, as they are typed

__all__ = []  # Django reads every name in capitals

_FOLDER = os.environ.get("WELDGATE_PLATFORM", "")
_HERE = Path(__file__).resolve().parent
_settings = Settings.read(Path(_FOLDER)) if _FOLDER else Settings()
_secrets = Secrets.read(Path(_FOLDER)) if _FOLDER else Secrets.draw()

# Ours. `identity` and `search` are used by `sealed` alone, `metrics` by `health`.
PLATFORM_FOLDER = Path(_FOLDER) if _FOLDER else None
PLATFORM_AREA = _settings.site.area
PLATFORM_IDENTITY_KEY = _secrets.identity
PLATFORM_SEARCH_KEY = _secrets.search
PLATFORM_COLLECTORS = frozenset(one.name for one in _settings.collector) if _settings.broker.host else frozenset()
PLATFORM_ISSUER = Path(_FOLDER) / _settings.issuer.folder if _settings.issuer.folder else None
PLATFORM_METRICS_TOKEN = _secrets.metrics

SECRET_KEY = _secrets.django
DEBUG = False
ALLOWED_HOSTS = list(_settings.site.hosts)
ROOT_URLCONF = "weldgate_platform.urls"
ASGI_APPLICATION = "weldgate_platform.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "weldgate_platform.accounts",
    "weldgate_platform.registry",
    "weldgate_platform.audit",
    "weldgate_platform.people",
    "weldgate_platform.sheets",
    "weldgate_platform.starts",
    "weldgate_platform.ingest",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "weldgate_platform.headers.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "weldgate_platform.accounts.access.may",
            ]
        },
    }
]


def _sqlite(name: str) -> dict[str, Any]:
    """One database file: WAL, FULL, and writers that take their lock when they begin (FACTS, Django with SQLite)."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(Path(_FOLDER) / name) if _FOLDER else ":memory:",
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
        },
    }


def _postgres(database: Database, schema: str) -> dict[str, Any]:
    """One schema of a PostgreSQL database; `ingest` has its own, and with it its own list of migrations."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password,
        "HOST": database.host,
        "PORT": database.port,
        "OPTIONS": {"options": f"-c search_path={schema}"},
    }


_database = parse_database(_settings.database.url)
if _database.host:
    DATABASES = {"default": _postgres(_database, "public"), "ingest": _postgres(_database, "ingest")}
else:
    DATABASES = {"default": _sqlite("platform.sqlite3"), "ingest": _sqlite("ingest.sqlite3")}
DATABASE_ROUTERS = ["weldgate_platform.routers.IngestRouter"]

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LOCALE_PATHS = [_HERE / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [_HERE / "static"]
# Served from the packages as they are: nothing to collect when the platform is installed or updated.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# What cookies and headers of a site under https alone must be; a trial on one machine has no certificate.
_secure = _settings.site.secure
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _secure
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"  # a link from WeChat to a machine's page must find its user
SESSION_COOKIE_AGE = 30 * 86400  # a welder signs in once on his phone
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^metrics$"]  # asked for on this machine, beside the proxy
SECURE_HSTS_SECONDS = 31536000 if _secure else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _secure
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if _settings.site.proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# W021 asks for HSTS preloading: a list in browsers that only the owner of the whole domain may ask to be put on.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
