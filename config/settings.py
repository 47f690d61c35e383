"""Settings of one installation. With no environment at all everything works on one machine."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import environ
from django.utils.csp import CSP

from config.environment import Environment, django_key, fernet_key

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = Environment(BASE_DIR / ".env")
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

VAR_DIR = (BASE_DIR / ENV.text("VAR_DIR", "var")).resolve()
VAR_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)

SECRET_KEY = ENV.secret("SECRET_KEY", VAR_DIR, django_key)
TOKEN_KEYS = [key.strip() for key in ENV.secret("TOKEN_KEYS", VAR_DIR, fernet_key).split(",") if key.strip()]
DEBUG = ENV.flag("DEBUG", False)
ALLOWED_HOSTS = ENV.words("ALLOWED_HOSTS", "localhost,127.0.0.1")
ALLOW_LOCAL_SITES = ENV.flag("ALLOW_LOCAL_SITES", False)
PUBLIC_URL = ENV.text("PUBLIC_URL")
REDIS_URL = ENV.text("REDIS_URL")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "django_q",
    "connections",
    "worklogs",
    "reports",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.zone.reader_zone",
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
                "reports.navigation.navigation",
            ],
            "builtins": ["django.templatetags.static", "connections.templatetags.twinlog"],
        },
    },
]

FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "reports:overview"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_AGE = 14 * 24 * 3600
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}

# FULL, not NORMAL: the intent that precedes a write abroad must outlive a power cut.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
        "PRAGMA cache_size=-20000; PRAGMA journal_size_limit=67108864"
    ),
}


def database(url: str) -> dict[str, Any]:
    found = dict(environ.Env.db_url_config(url))
    if found["ENGINE"].endswith("sqlite3"):
        return {**found, "ENGINE": "config.sqlite", "OPTIONS": SQLITE_OPTIONS}
    return {**found, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


EMBEDDED = {
    "ENGINE": "config.sqlite",
    "NAME": str(VAR_DIR / "twinlog.sqlite3"),
    "OPTIONS": SQLITE_OPTIONS,
}
DATABASE_URL = ENV.text("DATABASE_URL")
DATABASES = {"default": database(DATABASE_URL) if DATABASE_URL else EMBEDDED}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
}

# The queue is a doorbell only: what is to be done stands in worklogs' own tables. A task is one slice of
# a run, far shorter than `timeout`, which is far shorter than `retry`: a longer one would be started twice.
Q_CLUSTER = {
    "name": "twinlog",
    "orm": "default",
    "workers": ENV.number("QUEUE_WORKERS", 4),
    "queue_limit": 1,
    "bulk": 1,
    "timeout": 120,
    "retry": 300,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.5,
    "guard_cycle": 1,
    "recycle": 200,
    "max_rss": 400_000,
    "compress": False,
    "log_level": "WARNING",
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
# After `collectstatic` files are served compressed and under hashed names; without it straight from the sources.
COLLECTED = (STATIC_ROOT / "staticfiles.json").exists() and not DEBUG and "pytest" not in sys.modules
WHITENOISE_USE_FINDERS = not COLLECTED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if COLLECTED or "collectstatic" in sys.argv
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": ENV.text("LOG_LEVEL", "WARNING")},
    "loggers": {"django-q": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
}

HTTPS = ENV.text("PUBLIC_URL").startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if HTTPS else []
