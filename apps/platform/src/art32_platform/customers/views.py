"""Pages about organisations and contacts. Each takes its record from the gate, which has checked it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.shortcuts import redirect, render

from art32_platform.access.gate import record_of
from art32_platform.access.rules import allowed, granted
from art32_platform.activity.models import Activity
from art32_platform.customers.forms import ContactForm, OrganisationForm
from art32_platform.customers.models import Contact, Membership, Organisation

if TYPE_CHECKING:
    from django import forms
    from django.core.paginator import Page
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from art32_platform.accounts.models import Account

__all__ = [
    "activity",
    "contact",
    "contact_add",
    "contact_edit",
    "contact_remove",
    "home",
    "organisation",
    "organisation_edit",
]

PER_PAGE = 50


def home(request: HttpRequest) -> HttpResponse:
    """The organisations whose contacts the account may see."""
    organisations = allowed(request.user, "customers.view_contact", Organisation.objects.all())
    account = cast("Account", request.user)  # the gate lets nobody else here
    roles = dict(Membership.objects.current().filter(account=account).values_list("organisation_id", "role"))
    rows = [
        (organisation, Membership(role=roles[organisation.pk]).get_role_display()) for organisation in organisations
    ]
    return render(request, "customers/home.html", {"rows": rows})


def organisation(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - the gate has used the URL's parts
    """The contacts of an organisation, all or those that match a search."""
    entity = record_of(request, Organisation)
    query = request.GET.get("q", "").replace("\0", "").strip()
    contacts = allowed(request.user, "customers.view_contact", entity.contacts.all())
    if query:
        contacts = contacts.filter(Q(name__icontains=query) | Q(email__icontains=query) | Q(position__icontains=query))
    context = {"page": _page(request, contacts), "query": query, **_frame(request, entity)}
    return render(request, "customers/organisation.html", context)


def organisation_edit(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Change an organisation's own data."""
    entity = record_of(request, Organisation)
    form = OrganisationForm(request.POST or None, instance=entity)
    return _edit(request, form, entity, title=f"Edit {entity.name}", done="Saved.")


def activity(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """What happened to an organisation's data."""
    entity = record_of(request, Organisation)
    rows = Activity.objects.filter(entity=entity.pk)
    return render(request, "activity/activity.html", {"page": _page(request, rows), **_frame(request, entity)})


def contact(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """One contact."""
    person = record_of(request, Contact)
    can = granted(request.user, person, "customers.change_contact", "customers.delete_contact")
    return render(
        request, "customers/contact.html", {"contact": person, "organisation": person.organisation, "can": can}
    )


def contact_add(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """A new contact of an organisation."""
    entity = record_of(request, Organisation)
    form = ContactForm(request.POST or None, instance=Contact(organisation=entity))
    return _edit(request, form, entity, title="New contact", done="The contact is there.")


def contact_edit(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Change a contact."""
    person = record_of(request, Contact)
    form = ContactForm(request.POST or None, instance=person)
    return _edit(request, form, person, title=f"Edit {person.name}", done="Saved.")


def contact_remove(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Remove a contact, after having asked."""
    person = record_of(request, Contact)
    if request.method != "POST":
        return render(request, "customers/remove.html", {"contact": person, "organisation": person.organisation})
    person.delete()
    messages.success(request, f"{person.name} is removed.")
    return redirect(person.organisation)


def _edit(
    request: HttpRequest,
    form: forms.ModelForm,
    parent: Organisation | Contact,
    *,
    title: str,
    done: str,
) -> HttpResponse:
    back = parent.get_absolute_url()
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        messages.success(request, done)
        return redirect(saved)
    entity = parent if isinstance(parent, Organisation) else parent.organisation
    # The heading keeps the stored name while the form shows what was typed.
    context = {"form": form, "title": title, "back": back, "organisation": entity}
    return render(request, "customers/edit.html", context)


def _frame(request: HttpRequest, entity: Organisation) -> dict[str, Any]:
    permissions = ("customers.add_contact", "customers.change_organisation", "activity.view_activity")
    return {"organisation": entity, "can": granted(request.user, entity, *permissions)}


def _page(request: HttpRequest, rows: QuerySet[Any]) -> Page:
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
