"""The platform's hasher at the lowest cost that bcrypt has."""

from django.contrib.auth.hashers import BCryptSHA256PasswordHasher


class Quick(BCryptSHA256PasswordHasher):
    """For tests that log in often."""

    rounds = 4
