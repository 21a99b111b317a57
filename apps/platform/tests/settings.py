"""The platform's own settings, with a quick hasher and the answers that the environment gives."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["PLATFORM_DOMAIN"] = "platform.example.test"
os.environ["PLATFORM_HELP_ADDRESS"] = "team@provider.example"
os.environ["PLATFORM_MAIL_RELAY"] = "127.0.0.1:25"
os.environ["DJANGO_SECRET_KEY"] = "only-for-tests-" * 5
os.environ["PGDATABASE"] = "platform"

from art32_platform.settings import *  # noqa: F403 - Django's way to build on settings

# Cost 4; the tests that are about the hash ask for the real one.
PASSWORD_HASHERS = ["tests.hashers.Quick"]
