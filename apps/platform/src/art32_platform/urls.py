"""Every address of the platform; access/policies.py says what each asks for."""

from django.contrib import admin as django_admin
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from art32_platform import errors, pages
from art32_platform.accounts import views as accounts
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
    path("login/", accounts.Login.as_view(), name="login"),
    path("login/code/", accounts.login_code, name="login-code"),
    path("logout/", accounts.Logout.as_view(), name="logout"),
    path("password/", accounts.Password.as_view(), name="password"),
    path("password/reset/", accounts.reset, name="reset"),
    path("link/", accounts.link_password, name="link-password"),
    path("link/<slug:token>/", accounts.link, name="link"),
    path("security/", accounts.security, name="security"),
    path("security/authenticator/", accounts.second_factor_set, name="second-factor"),
    path("security/codes/", accounts.backup_codes, name="backup-codes"),
    path("organisations/<uuid:organisation>/", customers.organisation, name="organisation"),
    path("organisations/<uuid:organisation>/edit/", customers.organisation_edit, name="organisation-edit"),
    path("organisations/<uuid:organisation>/activity/", customers.activity, name="organisation-activity"),
    path("organisations/<uuid:organisation>/export/", customers.organisation_export, name="organisation-export"),
    path("organisations/<uuid:organisation>/people/", customers.organisation_people, name="organisation-people"),
    path("organisations/<uuid:organisation>/people/invite/", customers.organisation_invite, name="organisation-invite"),
    path("people/<int:membership>/", customers.person_edit, name="person-edit"),
    path("people/<int:membership>/remove/", customers.person_remove, name="person-remove"),
    path("organisations/<uuid:organisation>/contacts/add/", customers.contact_add, name="contact-add"),
    path("contacts/<uuid:contact>/", customers.contact, name="contact"),
    path("contacts/<uuid:contact>/edit/", customers.contact_edit, name="contact-edit"),
    path("contacts/<uuid:contact>/remove/", customers.contact_remove, name="contact-remove"),
    path("contacts/<uuid:contact>/training/", customers.training_add, name="training-add"),
    path("help/", helpdesk.ask, name="help"),
    path("help/sent/<reference:reference>/", helpdesk.sent, name="help-sent"),
    path("privacy/", pages.privacy, name="privacy"),
    path("healthz", pages.healthz, name="healthz"),
    path("admin/", site.urls),
]
handler403 = errors.forbidden
handler404 = errors.not_found
