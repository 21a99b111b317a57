"""Every address."""

from __future__ import annotations

from django.contrib.auth.views import LoginView
from django.urls import path

from . import views

log_in = LoginView.as_view(template_name="login.html")
urlpatterns = [
    path("healthz", views.health),
    path("notes/", views.write),
    path("notes/<int:number>", views.note),
    path("admin/members/", views.members, name="members"),
    path("help/", views.help_page),
    path("login/", views.policy("everybody", "GET", "POST")(log_in), name="login"),
]
