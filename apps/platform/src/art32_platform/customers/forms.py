"""Forms about customers' data. None has a field for the organisation: the URL says it, the gate has checked it."""

from __future__ import annotations

from typing import Any

from django import forms

from art32_platform.accounts.models import Account
from art32_platform.customers.models import Contact, Membership, Organisation, Role, Training, staff_problem

__all__ = ["ContactForm", "InviteForm", "MemberForm", "OrganisationForm", "TrainingForm"]


class ContactForm(forms.ModelForm):
    """A contact person."""

    class Meta:
        model = Contact
        fields = ("name", "position", "email", "phone", "is_primary")
        widgets = {"phone": forms.TextInput(attrs={"type": "tel"})}


class OrganisationForm(forms.ModelForm):
    """An organisation's own data."""

    class Meta:
        model = Organisation
        fields = ("name", "address")
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}


class TrainingForm(forms.ModelForm):
    """A training that a contact had."""

    class Meta:
        model = Training
        fields = ("topic", "trained_on", "due_on")
        widgets = {
            "trained_on": forms.DateInput(attrs={"type": "date"}),
            "due_on": forms.DateInput(attrs={"type": "date"}),
        }


class MemberForm(forms.ModelForm):
    """The role of a member, and its last day."""

    class Meta:
        model = Membership
        fields = ("role", "until")
        widgets = {"until": forms.DateInput(attrs={"type": "date"})}


class InviteForm(forms.Form):
    """Somebody who is to be a member; the account is made if there is none."""

    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    name = forms.CharField(label="Name", max_length=120, required=False)
    role = forms.TypedChoiceField(label="Role", choices=Role.choices, coerce=int, initial=Role.VIEWER)
    until = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Empty: no end. The provider's staff need one.",
    )

    def __init__(self, organisation: Organisation, data: Any = None) -> None:  # noqa: ANN401 - as Django's form
        """A form for this organisation."""
        super().__init__(data)
        self.organisation = organisation

    def clean_email(self) -> str:
        """The address as accounts keep it, of nobody who is a member already."""
        email = str(self.cleaned_data["email"]).lower()
        if Membership.objects.filter(organisation=self.organisation, account__email=email).exists():
            raise forms.ValidationError("This person is a member already.")
        Account(email=email).clean_fields(exclude=["password"])
        return email

    def clean(self) -> dict[str, Any]:
        """Refuse staff without an end."""
        cleaned: dict[str, Any] = super().clean() or {}
        account = Account.objects.filter(email=cleaned.get("email", "")).first()
        problem = staff_problem(account, cleaned.get("until")) if account else ""
        if problem:
            self.add_error("until", problem)
        return cleaned

    def save(self) -> tuple[Account, bool]:
        """Make the membership, and the account if need be; says whether it still has to choose a password."""
        cleaned = self.cleaned_data
        account = Account.objects.filter(email=cleaned["email"]).first()
        if account is None:
            account = Account.objects.create_user(cleaned["email"], None, name=cleaned["name"])
        Membership.objects.create(
            account=account, organisation=self.organisation, role=cleaned["role"], until=cleaned["until"]
        )
        return account, not account.has_usable_password()
