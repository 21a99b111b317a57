"""What Django has to know. The database is named by PGHOST, PGDATABASE and PGUSER, the key by a credential."""

from __future__ import annotations

import os
from pathlib import Path

SECRET_KEY = (Path(os.environ["CREDENTIALS_DIRECTORY"]) / "SECRET_KEY").read_text(encoding="utf-8")
ALLOWED_HOSTS = [os.environ["EXAMPLE_DOMAIN"]]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django_example"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "django_example.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"],
        "HOST": os.environ["PGHOST"],
        "USER": os.environ["PGUSER"],
        "ATOMIC_REQUESTS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# bcrypt alone takes 72 bytes; this one hashes longer passwords first.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "members"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
HELP_ADDRESS = os.environ.get("HELP_ADDRESS", "")
EMAIL_HOST, _, EMAIL_PORT = os.environ.get("MAIL_RELAY", "localhost:25").partition(":")
