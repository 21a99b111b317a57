"""Forms about customers' data. None has a field for the organisation: the URL says it, the gate has checked it."""

from django import forms

from art32_platform.customers.models import Contact, Organisation

__all__ = ["ContactForm", "OrganisationForm"]


class ContactForm(forms.ModelForm):
    """A contact person."""

    class Meta:
        model = Contact
        fields = ("name", "position", "email", "phone")
        widgets = {"phone": forms.TextInput(attrs={"type": "tel"})}


class OrganisationForm(forms.ModelForm):
    """An organisation's own data."""

    class Meta:
        model = Organisation
        fields = ("name", "address")
        widgets = {"address": forms.Textarea(attrs={"rows": 4})}
