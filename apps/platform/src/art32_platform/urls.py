"""Every address of the platform; access/policies.py says what each asks for."""

from django.contrib import admin as django_admin
from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from art32_platform import errors, pages
from art32_platform.accounts.views import Login, Password
from art32_platform.admin import site
from art32_platform.customers import views as customers
from art32_platform.helpdesk import views as helpdesk
from art32_platform.helpdesk.models import REFERENCE

__all__ = ["urlpatterns"]


class ReferenceConverter(StringConverter):
    """The reference of a request for help."""

    regex = REFERENCE


register_converter(ReferenceConverter, "reference")
django_admin.autodiscover()

urlpatterns = [
    path("", customers.home, name="home"),
    path("login/", Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(http_method_names=["post"]), name="logout"),
    path("password/", Password.as_view(), name="password"),
    path("organisations/<uuid:organisation>/", customers.organisation, name="organisation"),
    path("organisations/<uuid:organisation>/edit/", customers.organisation_edit, name="organisation-edit"),
    path("organisations/<uuid:organisation>/activity/", customers.activity, name="organisation-activity"),
    path("organisations/<uuid:organisation>/contacts/add/", customers.contact_add, name="contact-add"),
    path("contacts/<uuid:contact>/", customers.contact, name="contact"),
    path("contacts/<uuid:contact>/edit/", customers.contact_edit, name="contact-edit"),
    path("contacts/<uuid:contact>/remove/", customers.contact_remove, name="contact-remove"),
    path("help/", helpdesk.ask, name="help"),
    path("help/sent/<reference:reference>/", helpdesk.sent, name="help-sent"),
    path("privacy/", pages.privacy, name="privacy"),
    path("healthz", pages.healthz, name="healthz"),
    path("admin/", site.urls),
]
handler403 = errors.forbidden
handler404 = errors.not_found
