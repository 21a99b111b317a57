"""Settings: what differs between environments comes from environment variables, what is secret from credentials."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from art32_platform.environment import choice, data_key, host_and_port, number, secret_key

PACKAGE = Path(__file__).parent
SMTP_TLS_PORT = 465  # TLS from the first byte; at other ports it begins with STARTTLS

# Where it runs
SECRET_KEY = secret_key()
PLATFORM_DATA_KEY = data_key()  # of authenticators' keys; without it the secret key's
DEBUG = False
PLATFORM_DOMAIN = os.environ.get("PLATFORM_DOMAIN", "")
ALLOWED_HOSTS = [PLATFORM_DOMAIN] if PLATFORM_DOMAIN else []
PLATFORM_PROVIDER = os.environ.get("PLATFORM_PROVIDER") or "The provider"
ROOT_URLCONF = "art32_platform.urls"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"journal": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "django": {"handlers": ["journal"], "propagate": False},
        "axes": {"level": "WARNING"},  # the activity log has each login
    },
    "root": {"handlers": ["journal"], "level": "INFO"},
}

INSTALLED_APPS = [
    "art32_platform.apps.PlatformConfig",
    "art32_platform.accounts.apps.AccountsConfig",
    "art32_platform.customers",
    "art32_platform.activity.apps.ActivityConfig",
    "art32_platform.helpdesk",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "art32_platform.headers.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "art32_platform.accounts.sessions.limits",
    "art32_platform.headers.account_header",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "art32_platform.access.gate.Gate",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "art32_platform.helpdesk.forms.on_every_page",
            ],
        },
    },
]

# Where the data is: one PostgreSQL database. libpq reads PGHOST, PGPORT, PGUSER and the like by itself.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("PGDATABASE") or "platform",
        "ATOMIC_REQUESTS": True,
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": "platform", "connect_timeout": 5},
    },
}
SESSION_ENGINE = "art32_platform.accounts.sessions"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

FILE_UPLOAD_HANDLERS: list[str] = []  # nothing is uploaded: what is sent as a file is not kept, not even for a moment

# Files of the pages: served from the installed package, so nothing is collected and nothing is written.
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600
WHITENOISE_ALLOW_ALL_ORIGINS = False

# People
AUTH_USER_MODEL = "accounts.Account"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "art32_platform.accounts.backend.Backend"]
PASSWORD_HASHERS = ["art32_platform.accounts.passwords.Hasher"]
# Each step doubles what a guess costs, and a login: a quarter of a second to one second (bench/hashing.py measures).
PLATFORM_PASSWORD_COST = number("PLATFORM_PASSWORD_COST", default=13, least=12, most=16)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "art32_platform.accounts.passwords.GuessablePasswordValidator"},
    {"NAME": "art32_platform.accounts.passwords.BreachedPasswordValidator"},
]
PLATFORM_BREACHED_PASSWORDS = os.environ.get("PLATFORM_BREACHED_PASSWORDS", "")
# Who has to have a second factor; everybody may.
PLATFORM_SECOND_FACTOR = choice("PLATFORM_SECOND_FACTOR", ("administrators", "staff", "everybody"))
# The provider's staff see a customer's data for so many days at most; then access is given anew, or not.
PLATFORM_STAFF_ACCESS_DAYS = number("PLATFORM_STAFF_ACCESS_DAYS", default=30, most=90)
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

# Guessing: five wrong passwords for an account from one address shut that pair out for a quarter of an hour. The
# account's owner still gets in from elsewhere, so nobody can lock a colleague out.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "art32_platform.client.address"
AXES_USERNAME_CALLABLE = "art32_platform.accounts.forms.typed_email"
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"
AXES_DISABLE_ACCESS_LOG = True  # the activity log has it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

PLATFORM_FAILURES_OF_AN_ADDRESS = 30  # in a quarter of an hour, for all accounts together
PLATFORM_GUESSERS_OF_AN_ACCOUNT = 20  # addresses in an hour; from then on only known addresses get in

# The browser
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_NAME = "__Host-session"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
PLATFORM_IDLE_LIMIT = timedelta(minutes=number("PLATFORM_IDLE_MINUTES", default=30, most=120))
PLATFORM_SESSION_LIMIT = timedelta(hours=number("PLATFORM_SESSION_HOURS", default=12, most=24))
SESSION_COOKIE_AGE = int(PLATFORM_SESSION_LIMIT.total_seconds())
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_NAME = "__Host-csrf"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "art32_platform.errors.csrf_failure"

# Help
PLATFORM_HELP_ADDRESS = os.environ.get("PLATFORM_HELP_ADDRESS", "")
PLATFORM_HELP_PER_HOUR = 10  # requests for help from one address
EMAIL_HOST, EMAIL_PORT = host_and_port(os.environ.get("PLATFORM_MAIL_RELAY", ""), name="PLATFORM_MAIL_RELAY", port=25)
EMAIL_TIMEOUT = 10
# Over TLS, to whom the relay's certificate names; in the clear only where that is said.
PLATFORM_MAIL_TLS = choice("PLATFORM_MAIL_TLS", ("verified", "none"))
PLATFORM_MAIL_CA = os.environ.get("PLATFORM_MAIL_CA", "")
EMAIL_BACKEND = "art32_platform.mail.Relay"
EMAIL_USE_SSL = PLATFORM_MAIL_TLS == "verified" and EMAIL_PORT == SMTP_TLS_PORT
EMAIL_USE_TLS = PLATFORM_MAIL_TLS == "verified" and EMAIL_PORT != SMTP_TLS_PORT
DEFAULT_FROM_EMAIL = os.environ.get("PLATFORM_MAIL_FROM") or f"platform@{PLATFORM_DOMAIN or 'localhost'}"
