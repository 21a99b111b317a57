"""Pages about organisations and contacts. Each takes its record from the gate, which has checked it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify

from art32_platform.access.gate import record_of
from art32_platform.access.rules import allowed, granted
from art32_platform.accounts import links
from art32_platform.accounts.models import Purpose
from art32_platform.activity.models import Action, Activity
from art32_platform.activity.recording import record_export
from art32_platform.customers.forms import ContactForm, InviteForm, MemberForm, OrganisationForm, TrainingForm
from art32_platform.customers.models import Contact, Membership, Organisation, Training

if TYPE_CHECKING:
    from django import forms
    from django.core.paginator import Page
    from django.db.models import QuerySet
    from django.http import HttpRequest

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
    "organisation_export",
    "organisation_invite",
    "organisation_people",
    "person_edit",
    "person_remove",
    "training_add",
]

PER_PAGE = 50
ABOUT_RECORDS = [Action.INSERT, Action.CHANGE, Action.REMOVAL, Action.VIEW, Action.EXPORT, Action.REFUSED]
COLUMNS = ("name", "position", "email", "phone", "is_primary", "created_at", "changed_at")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
    """What happened to an organisation's data; all of it, or one kind of deed."""
    entity = record_of(request, Organisation)
    rows = Activity.objects.filter(entity=entity.pk)
    action = request.GET.get("action", "")
    if action in Action.values:
        rows = rows.filter(action=action)
    context = {"page": _page(request, rows), "action": action, "actions": ABOUT_RECORDS, **_frame(request, entity)}
    return render(request, "activity/activity.html", context)


def organisation_export(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """All contacts as a table for a spreadsheet (CSV)."""
    entity = record_of(request, Organisation)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    stamp = f"{datetime.now(tz=UTC):%Y-%m-%d}"
    response.headers["Content-Disposition"] = f'attachment; filename="{slugify(entity.name) or "contacts"}-{stamp}.csv"'
    table = csv.writer(response)
    table.writerow(COLUMNS)
    rows = allowed(request.user, "customers.export_contact", entity.contacts.all()).values_list(*COLUMNS)
    table.writerows([_harmless(value) for value in row] for row in rows)
    record_export(request, entity, rows=len(rows))
    return response


def organisation_people(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Who has access to the organisation, staff of the provider among them."""
    entity = record_of(request, Organisation)
    rows = entity.memberships.select_related("account").order_by("account__email")
    current = set(entity.memberships.current().values_list("pk", flat=True))
    context = {"rows": [(row, row.pk in current) for row in rows], **_frame(request, entity)}
    return render(request, "customers/people.html", context)


def organisation_invite(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Make somebody a member; whoever has no password yet gets a link by e-mail."""
    entity = record_of(request, Organisation)
    form = InviteForm(entity, request.POST or None)
    if request.method == "POST" and form.is_valid():
        account, is_new = form.save()
        by = cast("Account", request.user).email
        if is_new and links.ask_for(account, Purpose.INVITATION, by=by):
            transaction.on_commit(links.deliver_links)
        messages.success(request, f"{account} is a member now." + (" A link is on its way." if is_new else ""))
        return redirect("organisation-people", entity.pk)
    return render(request, "customers/edit.html", _form(form, entity, "Invite somebody", "organisation-people"))


def person_edit(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Change the role of a member, or its last day."""
    membership = _of_another(request)
    form = MemberForm(request.POST or None, instance=membership)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("organisation-people", membership.organisation_id)
    title = f"Access of {membership.account}"
    return render(request, "customers/edit.html", _form(form, membership.organisation, title, "organisation-people"))


def person_remove(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Take the access away, after having asked."""
    membership = _of_another(request)
    entity = membership.organisation
    if request.method != "POST":
        return render(request, "customers/person_remove.html", {"membership": membership, "organisation": entity})
    membership.delete()
    messages.success(request, f"{membership.account} has no access to {entity} any more.")
    return redirect("organisation-people", entity.pk)


def contact(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """One contact, with the trainings."""
    person = record_of(request, Contact)
    can = granted(
        request.user, person, "customers.change_contact", "customers.delete_contact", "customers.add_training"
    )
    context = {"contact": person, "organisation": person.organisation, "can": can, "trainings": person.trainings.all()}
    return render(request, "customers/contact.html", context)


def training_add(request: HttpRequest, **_: Any) -> HttpResponse:  # noqa: ANN401 - as above
    """Enter a training of a contact."""
    person = record_of(request, Contact)
    by = cast("Account", request.user).email
    training = Training(contact=person, organisation=person.organisation, entered_by=by)
    form = TrainingForm(request.POST or None, instance=training)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "The training is entered.")
        return redirect(person)
    context = _form(form, person.organisation, f"Training of {person}", "organisation")
    return render(request, "customers/edit.html", {**context, "back": person.get_absolute_url()})


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
    permissions = (
        "customers.add_contact",
        "customers.view_contact",
        "customers.export_contact",
        "customers.change_organisation",
        "customers.manage_people",
        "activity.view_activity",
    )
    return {"organisation": entity, "can": granted(request.user, entity, *permissions)}


def _page(request: HttpRequest, rows: QuerySet[Any]) -> Page:
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))


def _form(form: forms.BaseForm, entity: Organisation, title: str, back: str) -> dict[str, Any]:
    return {"form": form, "title": title, "organisation": entity, "back": reverse(back, args=[entity.pk])}


def _of_another(request: HttpRequest) -> Membership:
    """The membership, unless it is one's own: nobody takes the last manager away, or gives oneself more."""
    membership = record_of(request, Membership)
    if membership.account_id == request.user.pk:
        raise PermissionDenied("another manager")
    return membership


def _harmless(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
