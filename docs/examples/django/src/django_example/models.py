"""What is stored. Accounts are Django's own, with the address as their name."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Note(models.Model):
    member = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    content = models.TextField()


class Help(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    email = models.EmailField()
    content = models.TextField()


class Activity(models.Model):
    at = models.DateTimeField(auto_now_add=True)
    who = models.TextField()
    what = models.TextField()
    target = models.TextField()
